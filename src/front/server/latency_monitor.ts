/**
 * The latency monitor: what made this worker slow, for LATENCY.
 *
 * An event is a kind of work (`command`, `expire-cycle`); it keeps the longest
 * duration of each of the last {@linkcode SAMPLES_MAX} seconds that had one at
 * or above `latency-monitor-threshold`. Each worker keeps its own;
 * {@linkcode mergeEvents} makes one series of them.
 *
 * @module
 */

/** Seconds that an event remembers. */
export const SAMPLES_MAX = 160;

/** A second and the longest duration in it, in whole milliseconds. */
export type LatencySample = readonly [atSeconds: number, ms: number];

/** The history of one event; travels between workers as it is. */
export type LatencyEvent = {
  /** Oldest first, one per second. */
  readonly samples: readonly LatencySample[];
  /** The longest duration since the last LATENCY RESET. */
  readonly maxMs: number;
};

/** Histories by the event's name. */
export type LatencyEvents = { readonly [event: string]: LatencyEvent };

/** One worker's events. */
export class LatencyMonitor {
  /** Durations from here on are noted; 0 notes none. */
  thresholdMs = 0;
  readonly #events = new Map<string, LatencyEvent>();

  /** Notes that `event` took so long, if that is long enough. */
  note(event: string, durationMs: number, nowMs: number): void {
    const ms = Math.floor(durationMs);
    if (this.thresholdMs === 0 || ms < this.thresholdMs) return;
    const sample: LatencySample = [Math.floor(nowMs / 1000), ms];
    const before = this.#events.get(event);
    this.#events.set(event, {
      samples: mergeSamples(before?.samples ?? [], [sample]),
      maxMs: Math.max(before?.maxMs ?? 0, ms),
    });
  }

  /** All histories. */
  events(): LatencyEvents {
    return Object.fromEntries(this.#events);
  }

  /** Forgets the named events, or all; returns those that were there. */
  reset(names: readonly string[]): string[] {
    const known = [...this.#events.keys()].filter((event) =>
      names.length === 0 || names.includes(event)
    );
    for (const event of known) this.#events.delete(event);
    return known;
  }
}

/** One history per event out of those of all workers. */
export function mergeEvents(
  all: readonly LatencyEvents[],
): Map<string, LatencyEvent> {
  const merged = new Map<string, LatencyEvent>();
  for (const events of all) {
    for (const [name, event] of Object.entries(events)) {
      const before = merged.get(name);
      merged.set(
        name,
        before === undefined ? event : {
          samples: mergeSamples(before.samples, event.samples),
          maxMs: Math.max(before.maxMs, event.maxMs),
        },
      );
    }
  }
  return merged;
}

/** The longer duration of each second, the newest seconds only. */
function mergeSamples(
  a: readonly LatencySample[],
  b: readonly LatencySample[],
): LatencySample[] {
  const bySecond = new Map<number, number>(a);
  for (const [at, ms] of b) {
    bySecond.set(at, Math.max(ms, bySecond.get(at) ?? 0));
  }
  return [...bySecond].sort((x, y) => x[0] - y[0]).slice(-SAMPLES_MAX);
}

/**
 * CONFIG SET reaches every worker: how settings travel, and what has to happen
 * where they arrive.
 *
 * Each worker has its own {@linkcode Settings}. A change is checked and applied
 * where the client is connected, then sent to all workers with a number from one
 * counter of the process. A worker remembers per setting the number of the
 * change it holds and takes newer ones only; so two changes that cross each
 * other on their way end with the same value everywhere.
 *
 * Most settings are read where they matter. The few that are kept elsewhere, in
 * fields that hot code reads, are copied there by {@linkcode followSettings}.
 *
 * @module
 */

import { isLfuPolicy } from "../../core/keyspace/evict.ts";
import { parseEventClasses } from "../../core/keyspace/key_events.ts";
import type { ErrorReply } from "../../core/resp/error_reply.ts";
import type { Settings } from "../../core/settings/settings.ts";
import { GATE_LOADING } from "../../engine/executor/gate.ts";
import { LOCK_FAIRNESS } from "../../core/settings/settings_table.ts";
import {
  ownerOf,
  PROCESS_SETTINGS_VERSION,
} from "../../engine/messages/shared_state.ts";
import { followSnapshots } from "./snapshot_requests.ts";
import type { WorkerContext } from "./worker_context.ts";

/** Below this threshold of the slow log even the fastest commands matter. */
const TIMES_ALL_MICROSECONDS = 1000;

/** A change of settings; travels between workers as it is. */
export type SettingsChange = {
  readonly version: number;
  /** New texts by the settings' names. */
  readonly texts: { readonly [name: string]: string };
};

/** One worker's end of the exchange of settings. */
export class SettingsExchange {
  readonly #settings: Settings;
  readonly #process: Int32Array;
  readonly #versions = new Map<string, number>();
  #changed: ReadonlySet<string> = new Set();

  /** `process` are the words of the process. */
  constructor(settings: Settings, process: Int32Array) {
    this.#settings = settings;
    this.#process = process;
    settings.onChange((names) => this.#changed = names);
  }

  /** Changes the settings here; the others are yet to be told. */
  set(
    pairs: readonly (readonly [name: string, value: string])[],
    isLocal: boolean,
  ): { error: ErrorReply } | { change: SettingsChange } {
    this.#changed = new Set();
    const error = this.#settings.set(pairs, isLocal);
    if (error !== undefined) return { error };
    const version = Atomics.add(this.#process, PROCESS_SETTINGS_VERSION, 1) + 1;
    const texts: Record<string, string> = {};
    for (const name of this.#changed) {
      texts[name] = this.#settings.text(name);
      this.#versions.set(name, version);
    }
    return { change: { version, texts } };
  }

  /** Takes over what is newer than what is here. */
  apply(change: SettingsChange): void {
    const texts: Record<string, string> = {};
    for (const [name, text] of Object.entries(change.texts)) {
      if (change.version <= (this.#versions.get(name) ?? 0)) continue;
      this.#versions.set(name, change.version);
      texts[name] = text;
    }
    this.#settings.applySnapshot(texts);
  }
}

/** Copies settings to where they are kept, now and whenever they change. */
export function followSettings(worker: WorkerContext): void {
  copySettings(worker);
  worker.settings.onChange(() => copySettings(worker));
}

/** Copies settings to where they are kept. */
export function copySettings(worker: WorkerContext): void {
  const { settings, call, latency } = worker;
  const { accounts } = worker.executor;
  call.clock.isLfu = isLfuPolicy(settings.maxmemoryPolicy);
  call.clock.lfuLogFactor = settings.lfuLogFactor;
  call.clock.lfuDecayMinutes = settings.lfuDecayTime;
  const slow = settings.slowlogLogSlowerThan;
  const latencyMs = settings.latencyMonitorThreshold;
  accounts.timer.timesAll = slow >= 0 && slow < TIMES_ALL_MICROSECONDS;
  accounts.timer.tracksDurations = settings.latencyTracking;
  accounts.slowMicroseconds = Math.min(
    slow < 0 ? Infinity : slow,
    latencyMs === 0 ? Infinity : latencyMs * 1000,
  );
  if (accounts.slowMicroseconds === Infinity) accounts.slowMicroseconds = -1;
  latency.thresholdMs = latencyMs;
  worker.followSyncPolicy();
  worker.locks.rules.readersPass =
    settings.lockFairness === LOCK_FAIRNESS.READERS_PASS;
  setEventClasses(worker);
  followSnapshots(worker);
}

/**
 * Each worker sets the words of the shards that it owns: so all shards agree
 * when all workers have taken a change over, and CONFIG SET answers.
 */
function setEventClasses(
  { settings, call, peers, shared, executor }: WorkerContext,
): void {
  // Nobody is told of what is done again while the data set is loaded.
  const classes = (executor.gate & GATE_LOADING) === 0
    ? parseEventClasses(settings.notifyKeyspaceEvents)!
    : 0;
  for (const space of call.keyspaces) {
    if (ownerOf(space.shard, shared.workers) !== peers.self) continue;
    call.latches.acquire(space.shard);
    space.hooks.notify(classes);
    call.latches.release(space.shard);
  }
}

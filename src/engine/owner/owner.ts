/**
 * The owner: what a worker does for its shards when nobody asks.
 *
 * Expired keys are deleted, others evicted when memory is short, detached
 * databases freed, fragmented slabs emptied.
 * Everything is done in turns of a few milliseconds at most, with the event loop
 * in between, so that no client waits for it; while there is much to do, turns
 * follow each other as fast as the share of the processor allows that the
 * settings give.
 *
 * @module
 */

import {
  ExpireCycle,
  expireCycleShare,
} from "../../core/keyspace/expire_cycle.ts";
import type { EffectLog } from "../../core/keyspace/effect_log.ts";
import type { Evictor } from "../../core/keyspace/evict.ts";
import { Defragmenter } from "../../core/keyspace/defragment.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { hasDetached, reclaimSlice } from "../../core/keyspace/reclaim.ts";
import type { Settings } from "../../core/settings/settings.ts";
import type { Latches } from "../latch/shard_latches.ts";

/** Longest turn of one kind of work. */
const TURN_MS = 2;
/** Entries freed in one hold of a latch. */
const RECLAIM_ENTRIES = 128;
/** Share of the processor that freeing may take. */
const RECLAIM_SHARE = 0.5;
/** Share of the processor that evictions may take between writes. */
const EVICTION_SHARE = 0.25;

/** What the owner needs from the worker around it. */
export interface OwnerParts {
  /** The shards it owns. */
  readonly keyspaces: readonly Keyspace[];
  /** Makes room when the data is above `maxmemory`. */
  readonly evictor: Evictor;
  /** The worker's latches. */
  readonly latches: Latches;
  /** The configuration. */
  readonly settings: Settings;
  /** The worker's statistics. */
  readonly counters: Float64Array;
  /** Where the worker records what it changes. */
  readonly effects: EffectLog;
  /** Whether the data must not change by itself now (CLIENT PAUSE). */
  isPaused(): boolean;
  /** Milliseconds of the epoch. */
  nowMs(): number;
  /** Monotonic milliseconds, with fractions. */
  monotonicMs(): number;
  /** Tells of the events of keys that a turn has caused; no latch is held. */
  publishEvents(): void;
  /** Calls back after so many milliseconds. */
  later(run: () => void, delayMs: number): void;
}

/** One per worker. */
export class Owner {
  /** Whether expired keys are deleted actively (DEBUG SET-ACTIVE-EXPIRE). */
  isExpireActive = true;
  /** Empties fragmented slabs. */
  readonly defragmenter: Defragmenter;
  readonly #parts: OwnerParts;
  readonly #expireCycle: ExpireCycle;
  readonly #turn = (): void => {
    this.#parts.later(this.#turn, this.#runTurn());
  };

  /** Does nothing before {@linkcode start}. */
  constructor(parts: OwnerParts) {
    this.#parts = parts;
    this.#expireCycle = new ExpireCycle(parts.counters);
    this.defragmenter = new Defragmenter(parts);
  }

  /** Begins to work, for as long as the worker lives. */
  start(): void {
    this.#turn();
  }

  /** Does a little of everything; returns the rest until the next turn. */
  #runTurn(): number {
    const idleMs = 1000 / Math.max(1, this.#parts.settings.hz);
    const restMs = Math.min(
      idleMs,
      this.#evict(idleMs),
      this.#expire(idleMs),
      this.#reclaim(idleMs),
      this.#defragment(idleMs),
    );
    this.#parts.effects.publish();
    this.#parts.publishEvents();
    return restMs;
  }

  /** Whether keys may go that nobody wants to go. */
  #mayDelete(): boolean {
    const { effects } = this.#parts;
    return !this.#parts.isPaused() && !(effects.isOn && effects.isCongested);
  }

  #expire(idleMs: number): number {
    const { keyspaces, settings, latches } = this.#parts;
    if (!this.isExpireActive || !this.#mayDelete()) return idleMs;
    const effort = settings.activeExpireEffort;
    this.#expireCycle.effort = effort;
    const isCapped = this.#expireCycle.run(
      keyspaces,
      this.#parts.nowMs(),
      TURN_MS,
      this.#parts.monotonicMs,
      latches,
    );
    return isCapped ? restFor(TURN_MS, expireCycleShare(effort)) : idleMs;
  }

  /** Goes on where a write ran out of time to make room. */
  #evict(idleMs: number): number {
    const { evictor } = this.#parts;
    if (!this.#mayDelete()) return idleMs;
    if (!evictor.isOverLimit() || !evictor.makeRoom()) return idleMs;
    return evictor.isOverLimit() ? restFor(TURN_MS, EVICTION_SHARE) : idleMs;
  }

  #reclaim(idleMs: number): number {
    const { keyspaces, latches } = this.#parts;
    const startMs = this.#parts.monotonicMs();
    for (const space of keyspaces) {
      // Read without the latch: what was just detached is seen next time.
      let isLeft = hasDetached(space);
      while (isLeft) {
        latches.acquire(space.shard);
        isLeft = reclaimSlice(space, RECLAIM_ENTRIES);
        latches.release(space.shard);
        if (this.#parts.monotonicMs() - startMs > TURN_MS) {
          return restFor(TURN_MS, RECLAIM_SHARE);
        }
      }
    }
    return idleMs;
  }

  #defragment(idleMs: number): number {
    const percent = Math.max(
      this.defragmenter.cyclePercent(),
      this.#parts.settings.activeDefragCycleMin,
    );
    return this.defragmenter.run(TURN_MS)
      ? restFor(TURN_MS, percent / 100)
      : idleMs;
  }
}

/** Rest after `workMs` of work, so that it takes `share` of the time. */
function restFor(workMs: number, share: number): number {
  return Math.max(1, workMs / share - workMs);
}

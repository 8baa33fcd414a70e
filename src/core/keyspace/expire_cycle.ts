/**
 * The active expire cycle: deletes keys, and fields of hashes, whose time has
 * come although nobody asks for them.
 *
 * The owner of a shard goes through its dictionaries of keys with an expire, and
 * of hashes with fields that have one (field_expires.ts), a slice at a time; the position is kept in the dictionary's header. A
 * dictionary is left for the next one when at most a tenth of what a slice
 * looked at was stale, as in Redis: so the cycle is cheap when little expires,
 * and a dictionary full of stale keys gets all the time there is. What the
 * cycle leaves behind wastes some memory and is never seen by a client.
 *
 * A latch is held for one slice only, and the caller's budget is looked at
 * after each: a million keys that expire in the same second are deleted over
 * many short runs.
 *
 * @module
 */

import { DICT_COUNT, DICT_USER } from "../memory/dict.ts";
import {
  EXPIRE_CYCLE_CAPPED,
  EXPIRE_CYCLE_MS,
  EXPIRE_CYCLE_STALE,
} from "./counters.ts";
import { FieldExpireSlice } from "./field_expires.ts";
import type { Keyspace } from "./keyspace.ts";
import { isLocked } from "./locking.ts";
import { expiresAt } from "./shard_control.ts";
import type { ShardHolds } from "./scan_walk.ts";
import { isSaving, SAVED_AT_ONCE } from "./snapshot_marks.ts";

/** Entries looked at, or deleted, after which a slice ends. */
const SLICE_ENTRIES = 64;
/** Positions after which a slice ends: a dictionary may be nearly empty. */
const SLICE_POSITIONS = 64;
/** Weight of a run in the running share of stale keys. */
const STALE_WEIGHT = 0.05;

/** A piece of the cycle's work, done within one hold of a latch. */
export interface CycleSlice {
  /** Entries that the last one looked at. */
  readonly examined: number;
  /** Entries that it deleted. */
  readonly expired: number;
  /** Index of the header of the dictionary that it goes through. */
  header(db: number): number;
  /** Goes on in a database; the caller holds the shard's latch. */
  run(space: Keyspace, db: number, nowMs: number): void;
}

/** Deletes expired keys; what one slice saw. */
export class ExpireSlice implements CycleSlice {
  /** Entries looked at. */
  examined = 0;
  /** Entries deleted. */
  expired = 0;
  readonly #refs: number[] = [];
  readonly #collect = (ref: number): void => {
    this.#refs.push(ref);
  };

  /** Index of the header of the dictionary that it goes through. */
  header(db: number): number {
    return expiresAt(db);
  }

  /**
   * Looks at the next entries with an expire of a database and deletes those
   * whose time has come. The caller holds the shard's latch.
   */
  run(space: Keyspace, db: number, nowMs: number): void {
    const { control, dict } = space;
    const header = this.header(db);
    const refs = this.#refs;
    this.examined = 0;
    this.expired = 0;
    let position = control[header + DICT_USER]!;
    for (
      let visited = 0;
      visited < SLICE_POSITIONS && this.examined < SLICE_ENTRIES;
      visited++
    ) {
      refs.length = 0;
      const next = dict.scan(control, header, position, this.#collect);
      this.examined += refs.length;
      // While a dictionary is emptied in the order of the cursor, what is left
      // gathers in few buckets: one position may be too much for one hold, and
      // is then visited again.
      if (!this.#expire(space, db, nowMs)) break;
      position = next;
      if (position === 0) break;
    }
    control[header + DICT_USER] = position;
  }

  /** Deletes what is due of the collected; false if that is too much. */
  #expire(space: Keyspace, db: number, nowMs: number): boolean {
    const most = isSaving(space) ? SAVED_AT_ONCE : SLICE_ENTRIES;
    for (const ref of this.#refs) {
      if (!space.isExpired(ref, nowMs)) continue;
      if (this.expired >= most) return false;
      // A locked key is gone for those who look; its release deletes it.
      if (isLocked(space, db, ref)) continue;
      space.expire(db, ref);
      this.expired++;
    }
    return true;
  }
}

/** Share of a processor that the cycle may take at an effort of 1 to 10. */
export function expireCycleShare(effort: number): number {
  return (25 + 2 * (effort - 1)) / 100;
}

/** Runs the cycle over the shards that a worker owns. */
export class ExpireCycle {
  /** `active-expire-effort`, 1 to 10: the higher, the less stale is left. */
  effort = 1;
  readonly #counters: Float64Array;
  readonly #keys = new ExpireSlice();
  readonly #fields: FieldExpireSlice;
  /** Where the next run begins: a shard among the owned, and a database. */
  #shardIndex = 0;
  #db = 0;
  /** Whether fields come before keys. */
  #isFieldsTurn = false;

  /** `counters` are the worker's. */
  constructor(counters: Float64Array) {
    this.#counters = counters;
    this.#fields = new FieldExpireSlice(counters);
  }

  /**
   * Goes on with the cycle until all databases had their turn or `budgetMs` are
   * used up, which it then says: there is more to do, and soon. No latch is
   * held before or after.
   */
  run(
    keyspaces: readonly Keyspace[],
    nowMs: number,
    budgetMs: number,
    monotonicMs: () => number,
    latches: ShardHolds,
  ): boolean {
    if (keyspaces.length === 0) return false;
    const startMs = monotonicMs();
    const isOver = () => monotonicMs() - startMs >= budgetMs;
    const rounds = keyspaces.length * keyspaces[0]!.databases;
    let examined = 0;
    let expired = 0;
    /** Slices of one kind, as long as they find much; says if time is up. */
    const drain = (slice: CycleSlice, space: Keyspace): boolean => {
      const { control } = space;
      const first = slice.header(this.#db);
      // Read without the latch: a count that is just changing is seen later.
      while (control[first + DICT_COUNT] !== 0) {
        latches.acquire(space.shard);
        slice.run(space, this.#db, nowMs);
        latches.release(space.shard);
        if (slice === this.#keys) {
          examined += slice.examined;
          expired += slice.expired;
        }
        if (isOver()) return true;
        if (!this.#isStale(slice)) return false;
      }
      return false;
    };
    let isCapped = false;
    for (let round = 0; round < rounds && !isCapped; round++) {
      const space = keyspaces[this.#shardIndex % keyspaces.length]!;
      const first = this.#isFieldsTurn ? this.#fields : this.#keys;
      const second = this.#isFieldsTurn ? this.#keys : this.#fields;
      isCapped = drain(first, space) || drain(second, space);
      // What is left of this one waits until the others had their turn.
      this.#advance(space, keyspaces.length);
    }
    this.#isFieldsTurn = !this.#isFieldsTurn;
    this.#count(examined, expired, isCapped, monotonicMs() - startMs);
    return isCapped;
  }

  /** Whether a slice was stale enough to go on at once. */
  #isStale(slice: CycleSlice): boolean {
    const acceptedPercent = 10 - (this.effort - 1);
    return slice.expired * 100 > acceptedPercent * slice.examined;
  }

  #advance(space: Keyspace, shards: number): void {
    this.#shardIndex = (this.#shardIndex + 1) % shards;
    if (this.#shardIndex === 0) this.#db = (this.#db + 1) % space.databases;
  }

  #count(
    examined: number,
    expired: number,
    isCapped: boolean,
    elapsedMs: number,
  ): void {
    const counters = this.#counters;
    const share = examined === 0 ? 0 : expired * 100 / examined;
    counters[EXPIRE_CYCLE_STALE] = share * STALE_WEIGHT +
      counters[EXPIRE_CYCLE_STALE]! * (1 - STALE_WEIGHT);
    counters[EXPIRE_CYCLE_MS] = counters[EXPIRE_CYCLE_MS]! + elapsedMs;
    if (isCapped) {
      counters[EXPIRE_CYCLE_CAPPED] = counters[EXPIRE_CYCLE_CAPPED]! + 1;
    }
  }
}

/**
 * Defragmentation: entries of sparse slabs move to fuller ones, until slabs are
 * empty and their pages go back to the pool.
 *
 * Only dictionaries point at entries, so one can be moved at any time between
 * two commands. A pass walks all keys of a worker's shards once, a slice per
 * hold of a latch. It is begun when too much of the memory held is not in use
 * (`activedefrag`), or by MEMORY PURGE.
 *
 * Long values have pages of their own, which fit them and never move.
 *
 * @module
 */

import type { Settings } from "../settings/settings.ts";
import { DEFRAG_HITS, DEFRAG_MISSES } from "./counters.ts";
import type { Keyspace } from "./keyspace.ts";
import { isLocked } from "./locking.ts";
import { keysAt } from "./shard_control.ts";
import type { ShardHolds } from "./scan_walk.ts";

/** Positions visited in one hold. */
const SLICE_POSITIONS = 4;
/** Slices after which the fullest slabs are looked for anew. */
const SLICES_PER_PREFERENCE = 64;

/** What {@linkcode Defragmenter} reads of the configuration. */
export type DefragmentSettings = Pick<
  Settings,
  | "activedefrag"
  | "activeDefragIgnoreBytes"
  | "activeDefragThresholdLower"
  | "activeDefragThresholdUpper"
  | "activeDefragCycleMin"
  | "activeDefragCycleMax"
>;

/** What one slice did. */
export class DefragmentSlice {
  /** Entries moved. */
  moved = 0;
  /** Entries that were well where they are. */
  left = 0;
  readonly #refs: number[] = [];
  readonly #collect = (ref: number): void => {
    this.#refs.push(ref);
  };

  /**
   * Moves what is better off elsewhere of the entries from a position of a
   * database's dictionary on, and returns the next position, 0 at the end. The
   * caller holds the shard's latch.
   */
  run(space: Keyspace, db: number, position: number): number {
    const { control, dict } = space;
    const header = keysAt(db);
    const refs = this.#refs;
    refs.length = 0;
    this.moved = 0;
    let next = position;
    for (let i = 0; i < SLICE_POSITIONS; i++) {
      next = dict.scan(control, header, next, this.#collect);
      if (next === 0) break;
    }
    for (const ref of refs) {
      if (defragmentEntry(space, db, ref)) this.moved++;
    }
    this.left = refs.length - this.moved;
    return next;
  }
}

/**
 * Moves an entry to a better place if its slab is sparse; says whether it did.
 * Runs of their own stay.
 */
export function defragmentEntry(
  space: Keyspace,
  db: number,
  ref: number,
): boolean {
  const { heap } = space;
  if (!heap.isSparse(ref) || isLocked(space, db, ref)) return false;
  const size = space.entryBytes(ref);
  const units = (size + 7) >>> 3;
  const moved = heap.tryAllocate(units);
  if (moved === 0) return false;
  space.relocate(db, ref, moved, size);
  heap.noteMoved(units);
  return true;
}

/** Defragments the shards that a worker owns. */
export class Defragmenter {
  readonly #keyspaces: readonly Keyspace[];
  readonly #latches: ShardHolds;
  readonly #settings: DefragmentSettings;
  readonly #counters: Float64Array;
  readonly #monotonicMs: () => number;
  readonly #slice = new DefragmentSlice();
  #isRunning = false;
  #shardIndex = 0;
  #db = 0;
  #position = 0;
  #slices = 0;

  /** `keyspaces` are those that the worker owns, at least one. */
  constructor(
    parts: {
      keyspaces: readonly Keyspace[];
      latches: ShardHolds;
      settings: DefragmentSettings;
      counters: Float64Array;
      monotonicMs: () => number;
    },
  ) {
    this.#keyspaces = parts.keyspaces;
    this.#latches = parts.latches;
    this.#settings = parts.settings;
    this.#counters = parts.counters;
    this.#monotonicMs = parts.monotonicMs;
  }

  /** Whether a pass is under way. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /**
   * Percent of a processor that defragmentation deserves now; 0 when the
   * settings ask for none. Grows with the fragmentation between the two
   * thresholds.
   */
  cyclePercent(): number {
    const settings = this.#settings;
    if (!settings.activedefrag) return 0;
    let used = 0;
    let held = 0;
    for (const { heap } of this.#keyspaces) {
      used += heap.usedBytes;
      held += heap.heldBytes;
    }
    const wasted = held - used;
    const wastedPercent = used === 0 ? 0 : wasted * 100 / used;
    const lower = settings.activeDefragThresholdLower;
    const upper = settings.activeDefragThresholdUpper;
    if (
      wasted < settings.activeDefragIgnoreBytes || wastedPercent < lower
    ) return 0;
    const min = settings.activeDefragCycleMin;
    const max = settings.activeDefragCycleMax;
    if (upper <= lower) return max;
    const along = Math.min(1, (wastedPercent - lower) / (upper - lower));
    return min + (max - min) * along;
  }

  /**
   * Goes on with the pass under way for `budgetMs`, or begins one when
   * {@linkcode cyclePercent} is not 0; says whether the pass is still under
   * way. No latch is held before or after.
   */
  run(budgetMs: number): boolean {
    if (!this.#isRunning && this.cyclePercent() === 0) return false;
    this.#isRunning = true;
    const startMs = this.#monotonicMs();
    do this.#step(); while (
      this.#isRunning && this.#monotonicMs() - startMs < budgetMs
    );
    return this.#isRunning;
  }

  /**
   * MEMORY PURGE: gives back what is empty now and begins a pass, whatever the
   * settings say, which {@linkcode run} carries out.
   */
  purge(): void {
    for (const space of this.#keyspaces) this.#releaseReserve(space);
    this.#isRunning = true;
    this.#shardIndex = 0;
    this.#db = 0;
    this.#position = 0;
    this.#slices = 0;
  }

  #step(): void {
    const space = this.#keyspaces[this.#shardIndex]!;
    // Read without the latch: databases without keys take no time.
    if (this.#position === 0 && space.count(this.#db) === 0) {
      return this.#advance(space);
    }
    this.#latches.acquire(space.shard);
    if (this.#slices++ % SLICES_PER_PREFERENCE === 0) {
      space.heap.preferFullSlabs();
    }
    this.#position = this.#slice.run(space, this.#db, this.#position);
    this.#latches.release(space.shard);
    const counters = this.#counters;
    counters[DEFRAG_HITS] = counters[DEFRAG_HITS]! + this.#slice.moved;
    counters[DEFRAG_MISSES] = counters[DEFRAG_MISSES]! + this.#slice.left;
    if (this.#position === 0) this.#advance(space);
  }

  /** On to the next database, then to the next shard. */
  #advance(space: Keyspace): void {
    if (++this.#db < space.databases) return;
    this.#db = 0;
    this.#slices = 0;
    this.#releaseReserve(space);
    if (++this.#shardIndex < this.#keyspaces.length) return;
    this.#shardIndex = 0;
    this.#isRunning = false;
  }

  #releaseReserve(space: Keyspace): void {
    this.#latches.acquire(space.shard);
    space.heap.releaseReserve();
    this.#latches.release(space.shard);
  }
}

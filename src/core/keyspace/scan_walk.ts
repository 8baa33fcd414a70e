/**
 * A walk over the keys of one database, through all shards, in small holds.
 *
 * ```text
 * cursor = position in the shard's dictionary * shards + shard
 * ```
 *
 * Shards are walked one after the other, each in the order of its dictionary's
 * cursor, so a key that is there from the first step to the last is met: its
 * shard never changes, and within the shard the dictionary guarantees it. Zero
 * is the beginning and the end. Dictionaries have at most 2^23 positions and a
 * server at most 512 shards, so cursors stay below 2^32.
 *
 * No latch is held between two steps: what a walk sees of different positions
 * it sees at different times.
 *
 * @module
 */

import type { Keyspace } from "./keyspace.ts";
import { keysAt } from "./shard_control.ts";

/** Positions visited in one hold; a position is one or two buckets. */
const STEP_POSITIONS = 32;
/** Entries after which a hold ends. */
const STEP_ENTRIES = 64;

/** Takes and gives back one shard's latch. */
export interface ShardHolds {
  /** Takes the latch. */
  acquire(shard: number): void;
  /** Gives it back. */
  release(shard: number): void;
}

/** Called for each entry of a step, with its shard's latch held. */
export type EntryVisitor = (space: Keyspace, ref: number) => void;

/** Where a walk is, and how far it went. */
export class ScanWalk {
  /** Shard that comes next. */
  shard: number;
  /** Position in that shard that comes next. */
  position: number;
  /** Positions visited. */
  positions = 0;
  /** Set by who visits: the step is to end early. */
  isFull = false;
  /** Entries met, whatever was made of them. */
  entries = 0;
  /**
   * Whether a shard's dictionary lost half of its positions while the walk was
   * in it, so that some entries may have been met twice.
   */
  hasShrunk = false;
  readonly #keyspaces: readonly Keyspace[];
  readonly #latches: ShardHolds;
  readonly #db: number;
  /** Positions of the shard's dictionary after the last step. */
  #size = 0;
  readonly #refs: number[] = [];
  readonly #collect = (ref: number): void => {
    this.#refs.push(ref);
  };

  /** A walk that goes on at `cursor`, which may be any number. */
  constructor(
    keyspaces: readonly Keyspace[],
    latches: ShardHolds,
    db: number,
    cursor: number,
  ) {
    this.#keyspaces = keyspaces;
    this.#latches = latches;
    this.#db = db;
    this.shard = cursor % keyspaces.length;
    this.position = Math.floor(cursor / keyspaces.length);
  }

  /** What the walk can be continued with; 0 when it is at its end. */
  get cursor(): number {
    const shards = this.#keyspaces.length;
    return this.isDone ? 0 : this.position * shards + this.shard;
  }

  /** Whether all shards were walked. */
  get isDone(): boolean {
    return this.shard === this.#keyspaces.length;
  }

  /**
   * Visits some entries of one shard. Stops early when `positionsMax` positions
   * or `entriesMax` entries are behind the walk. `visit` may delete the entry.
   */
  step(visit: EntryVisitor, positionsMax: number, entriesMax: number): void {
    const space = this.#keyspaces[this.shard]!;
    const refs = this.#refs;
    const header = keysAt(this.#db);
    const positionsEnd = Math.min(
      positionsMax,
      this.positions + STEP_POSITIONS,
    );
    const entriesEnd = Math.min(entriesMax, this.entries + STEP_ENTRIES);
    this.#latches.acquire(this.shard);
    const size = space.dict.cursorCount(space.control, header);
    if (this.position !== 0 && size < this.#size) this.hasShrunk = true;
    do {
      refs.length = 0;
      this.position = space.dict.scan(
        space.control,
        header,
        this.position,
        this.#collect,
      );
      this.positions++;
      this.entries += refs.length;
      // Only now, because a deletion moves other entries' places.
      for (const ref of refs) visit(space, ref);
    } while (
      this.position !== 0 && this.positions < positionsEnd &&
      this.entries < entriesEnd && !this.isFull
    );
    this.#size = space.dict.cursorCount(space.control, header);
    this.#latches.release(this.shard);
    if (this.position === 0) this.shard++;
  }
}

/**
 * What the keyspace asks of every type of value, and what a type gets to work
 * with.
 *
 * A value hangs on an entry: word 2 of the entry is the reference of its root,
 * word 0 has type and encoding. Root 0 is the empty value of encoding 0, which
 * needs no memory; a key is made with it, and the first element allocates. The
 * root is an allocation of its own, so a value that grows never moves its
 * entry, and only the entry refers to it.
 *
 * The caller holds the latch of the shard. Methods may throw OutOfMemory, but
 * only before they have changed anything that can be seen.
 *
 * @module
 */

import type { Prng } from "../base/prng.ts";
import type { Arena } from "../memory/arena.ts";
import type { Dict } from "../memory/dict.ts";
import type { Heap } from "../memory/heap.ts";
import type { Listpacks } from "../memory/listpack.ts";

/** The thresholds between packed and large encodings, as the settings say. */
export interface EncodingLimits {
  /** Most fields of a packed hash. */
  readonly hashMaxListpackEntries: number;
  /** Longest field or value of a packed hash. */
  readonly hashMaxListpackValue: number;
  /** Elements of a packed list, or -1 to -5 for 4 kB to 64 kB. */
  readonly listMaxListpackSize: number;
  /** Most members of a set of integers. */
  readonly setMaxIntsetEntries: number;
  /** Most members of a packed set. */
  readonly setMaxListpackEntries: number;
  /** Longest member of a packed set. */
  readonly setMaxListpackValue: number;
  /** Most members of a packed sorted set. */
  readonly zsetMaxListpackEntries: number;
  /** Longest member of a packed sorted set. */
  readonly zsetMaxListpackValue: number;
  /** Bytes of one node of a stream; 0 sets no limit. */
  readonly streamNodeMaxBytes: number;
  /** Entries of one node of a stream; 0 sets no limit. */
  readonly streamNodeMaxEntries: number;
}

/** What the types of one shard's keyspace have in common. */
export interface ValueMemory {
  /** The worker's views. */
  readonly arena: Arena;
  /** The shard's heap. */
  readonly heap: Heap;
  /** Dictionary operations on that heap. */
  readonly dict: Dict;
  /** Listpacks in that heap. */
  readonly listpacks: Listpacks;
  /** Seed of the hash of fields and members, which is that of keys. */
  readonly hashSeed0: number;
  /** Its second word. */
  readonly hashSeed1: number;
  /** The thresholds, as they are now. */
  readonly limits: EncodingLimits;
  /** The worker's source of randomness. */
  readonly random: Prng;
}

/** One type of value; `ref` is always the entry that the value hangs on. */
export interface ValueType {
  /** Names as OBJECT ENCODING prints them, by encoding. */
  readonly encodingNames: readonly string[];
  /** Elements. */
  length(ref: number): number;
  /**
   * Bytes allocated for the value, its entry not counted. Of a large value,
   * `samples` elements are looked at and the rest is estimated; 0 looks at all.
   */
  memoryBytes(ref: number, samples: number): number;
  /** About how many allocations must be freed to free the value. */
  weight(ref: number): number;
  /** Frees the value; for those of small weight. */
  free(ref: number): void;
  /**
   * Frees about `budget` allocations of the value of an entry that nobody can
   * find any more; says whether nothing is left. Until then, only this method
   * may be called with the entry.
   */
  freeSlice(ref: number, budget: number): boolean;
  /**
   * Gives `ref`, whose value is empty, a copy of the value of `sourceRef`, an
   * entry of the same type in this or another shard. After OutOfMemory, `ref`
   * is empty again.
   */
  copyFrom(source: ValueType, sourceRef: number, ref: number): void;
}

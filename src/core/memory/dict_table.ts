/**
 * The table of a dictionary: where its buckets lie, and which hash belongs to
 * which of them.
 *
 * Linear hashing (Litwin, 1980): with `2^k <= buckets < 2^(k+1)`, a hash belongs
 * to the bucket that its low k + 1 bits name, or, when there is no such bucket
 * yet, to the one that its low k bits name. So a bucket that is added takes
 * nodes from one other bucket only, its buddy, which is the same without its
 * highest bit; and a bucket that is dropped gives them back.
 *
 * Up to 256 buckets are one block, which doubles; beyond, there is a directory
 * of blocks of 256 buckets, which doubles. A table shrinks when a quarter of it
 * is enough, so that it does not grow again at once. What grows or shrinks is
 * copied, but that is at most 16 KiB of buckets, or two bytes of directory for
 * each KiB of them.
 *
 * @module
 */

import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "./arena.ts";
import { BUCKET_UNITS, BUCKET_WORDS, clearBucket } from "./dict_bucket.ts";
import type { Heap } from "./heap.ts";

/** Words of a dictionary's header. */
export const DICT_HEADER_WORDS = 8;
/** Header word: nodes. */
export const DICT_COUNT = 0;
/** Header word: buckets, overflow buckets not counted. */
export const DICT_BUCKETS = 1;
/** Header word: the block of buckets, or the directory. */
const TABLE = 2;
/** Header word: slots of the directory, 0 while there is none. */
const DIRECTORY = 3;
/** Header word: overflow buckets. */
export const DICT_OVERFLOW = 4;
/** Header word that the user may keep a number in. */
export const DICT_USER = 5;

/** Buckets of one block. */
const BLOCK_BUCKETS = 256;
const BLOCK_SHIFT = 8;
const BLOCK_MASK = BLOCK_BUCKETS - 1;
const BLOCK_UNITS = BLOCK_BUCKETS * BUCKET_UNITS;
/** Slots of the smallest directory. */
const DIRECTORY_MIN = 16;

/** Table operations over one shard's heap; headers as in `Dict`. */
export class DictTable {
  readonly #i32: Int32Array[];
  readonly #heap: Heap;

  /** One object serves all tables of a heap. */
  constructor(arena: Arena, heap: Heap) {
    this.#i32 = arena.i32;
    this.#heap = heap;
  }

  /**
   * As {@linkcode bucketRef}, of a header that somebody may be changing: what is
   * returned may be any number.
   */
  guessBucket(header: Int32Array, at: number, index: number): number {
    const table = header[at + TABLE]!;
    if (header[at + DIRECTORY] === 0) return table + index * BUCKET_UNITS | 0;
    const words = this.#i32[table >>> SEGMENT_SHIFT];
    if (words === undefined) return 0;
    const block = words[((table & UNIT_MASK) << 1) + (index >> BLOCK_SHIFT)]!;
    return block + (index & BLOCK_MASK) * BUCKET_UNITS | 0;
  }

  /** Makes the first bucket, or throws OutOfMemory. */
  addFirst(header: Int32Array, at: number): void {
    const table = this.#heap.allocate(BUCKET_UNITS);
    clearBucket(this.#i32[table >>> SEGMENT_SHIFT]!, (table & UNIT_MASK) << 1);
    header[at + TABLE] = table;
    header[at + DIRECTORY] = 0;
    header[at + DICT_BUCKETS] = 1;
  }

  /**
   * Adds a bucket behind the last one; says whether there was memory for it. Its
   * words are arbitrary.
   */
  addLast(header: Int32Array, at: number): boolean {
    const index = header[at + DICT_BUCKETS]!;
    if (!this.#makeRoom(header, at, index)) return false;
    header[at + DICT_BUCKETS] = index + 1;
    return true;
  }

  /** Drops the last bucket, which is not the first, and room that is too much. */
  dropLast(header: Int32Array, at: number): void {
    const buckets = header[at + DICT_BUCKETS]! - 1;
    header[at + DICT_BUCKETS] = buckets;
    if (header[at + DIRECTORY] === 0) this.#shrinkBlock(header, at, buckets);
    else this.#releaseBlock(header, at, buckets);
  }

  /** Frees all buckets and empties the header. */
  free(header: Int32Array, at: number): void {
    const table = header[at + TABLE]!;
    if (header[at + DIRECTORY]! > 0) {
      const buckets = header[at + DICT_BUCKETS]!;
      for (let i = 0; i << BLOCK_SHIFT < buckets; i++) {
        this.#heap.free(this.#word(table, i));
      }
    }
    if (table !== 0) this.#heap.free(table);
    header.fill(0, at, at + DICT_USER);
  }

  /** Units of the buckets, overflow buckets not counted, and the directory. */
  units(header: Int32Array, at: number): number {
    const buckets = header[at + DICT_BUCKETS]!;
    if (buckets === 0) return 0;
    const units = this.#heap.unitsOf(header[at + TABLE]!);
    if (header[at + DIRECTORY] === 0) return units;
    return units + ((buckets + BLOCK_MASK) >> BLOCK_SHIFT) * BLOCK_UNITS;
  }

  #word(ref: number, index: number): number {
    return this.#i32[ref >>> SEGMENT_SHIFT]![((ref & UNIT_MASK) << 1) + index]!;
  }

  #setWord(ref: number, index: number, value: number): void {
    this.#i32[ref >>> SEGMENT_SHIFT]![((ref & UNIT_MASK) << 1) + index] = value;
  }

  /** Whether bucket `index`, the first beyond the table, has a place now. */
  #makeRoom(header: Int32Array, at: number, index: number): boolean {
    if (index >= BLOCK_BUCKETS) {
      return (index & BLOCK_MASK) !== 0 || this.#addBlock(header, at, index);
    }
    if ((index & (index - 1)) !== 0) return true;
    const units = index * 2 * BUCKET_UNITS;
    return this.#heap.unitsOf(header[at + TABLE]!) >= units ||
      this.#moveTable(header, at, units, index * BUCKET_WORDS);
  }

  /** Adds the block of the buckets from `index` on. */
  #addBlock(header: Int32Array, at: number, index: number): boolean {
    const number = index >> BLOCK_SHIFT;
    if (
      number >= header[at + DIRECTORY]! && !this.#growDirectory(header, at)
    ) return false;
    const added = this.#heap.tryAllocate(BLOCK_UNITS);
    if (added === 0) return false;
    this.#setWord(header[at + TABLE]!, number, added);
    return true;
  }

  #growDirectory(header: Int32Array, at: number): boolean {
    const slots = header[at + DIRECTORY]!;
    if (slots > 0) {
      if (!this.#moveTable(header, at, slots, slots)) return false;
      header[at + DIRECTORY] = slots * 2;
      return true;
    }
    const directory = this.#heap.tryAllocate(DIRECTORY_MIN >> 1);
    if (directory === 0) return false;
    this.#setWord(directory, 0, header[at + TABLE]!);
    header[at + TABLE] = directory;
    header[at + DIRECTORY] = DIRECTORY_MIN;
    return true;
  }

  #shrinkBlock(header: Int32Array, at: number, buckets: number): void {
    if ((buckets & (buckets - 1)) !== 0) return;
    const units = buckets * 2 * BUCKET_UNITS;
    if (this.#heap.unitsOf(header[at + TABLE]!) < units * 2) return;
    this.#moveTable(header, at, units, buckets * BUCKET_WORDS);
  }

  #releaseBlock(header: Int32Array, at: number, buckets: number): void {
    const directory = header[at + TABLE]!;
    const slots = header[at + DIRECTORY]!;
    const blocks = (buckets + BLOCK_MASK) >> BLOCK_SHIFT;
    if ((buckets & BLOCK_MASK) === 0) {
      this.#heap.free(this.#word(directory, blocks));
    }
    if (blocks === 1) {
      header[at + TABLE] = this.#word(directory, 0);
      header[at + DIRECTORY] = 0;
      this.#heap.free(directory);
    } else if (slots > DIRECTORY_MIN && blocks * 4 <= slots) {
      const half = slots >> 1;
      if (!this.#moveTable(header, at, half >> 1, half)) return;
      header[at + DIRECTORY] = half;
    }
  }

  /** Moves the table's first `words` words to a place of `units`, if there is. */
  #moveTable(
    header: Int32Array,
    at: number,
    units: number,
    words: number,
  ): boolean {
    const moved = this.#heap.tryAllocate(units);
    if (moved === 0) return false;
    const table = header[at + TABLE]!;
    const source = this.#i32[table >>> SEGMENT_SHIFT]!;
    const target = this.#i32[moved >>> SEGMENT_SHIFT]!;
    const from = (table & UNIT_MASK) << 1;
    const to = (moved & UNIT_MASK) << 1;
    for (let i = 0; i < words; i++) target[to + i] = source[from + i]!;
    this.#heap.free(table);
    header[at + TABLE] = moved;
    return true;
  }
}

/** Bucket of a hash in a table of `buckets` buckets. */
export function bucketOf(hash: number, buckets: number): number {
  const mask = -1 >>> Math.clz32(buckets);
  const bucket = hash & mask;
  return bucket < buckets ? bucket : bucket & (mask >>> 1);
}

/** The bucket that bucket `index` takes nodes from and gives them back to. */
export function buddyOf(index: number): number {
  return index - (1 << (31 - Math.clz32(index)));
}

/** Reference of a bucket; `i32` are the arena's word views. */
export function bucketRef(
  i32: readonly Int32Array[],
  header: Int32Array,
  at: number,
  index: number,
): number {
  const table = header[at + TABLE]!;
  if (header[at + DIRECTORY] === 0) return table + index * BUCKET_UNITS;
  const words = i32[table >>> SEGMENT_SHIFT]!;
  return words[((table & UNIT_MASK) << 1) + (index >> BLOCK_SHIFT)]! +
    (index & BLOCK_MASK) * BUCKET_UNITS;
}

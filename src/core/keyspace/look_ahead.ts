/**
 * Looking ahead: brings near what the commands of a pipeline, or the keys of one
 * command, will need, so that the processor waits for many cache misses at a
 * time and not for one after the other.
 *
 * First the buckets of all hashes are read, then their entries, then the first
 * lines of the values that are no strings. No latch is held: what is read may be
 * stale or torn, so it is a hint, as is how many bytes the strings have together.
 * Small shards lie in the cache anyway and are left out.
 *
 * @module
 */

import { SEGMENT_SHIFT, UNIT_MASK } from "../memory/arena.ts";
import { guessNode } from "../memory/dict.ts";
import { NODE_META, NODE_VALUE } from "../memory/node.ts";
import { EXTERNAL_BYTES_MIN, TYPE_STRING, typeOf } from "../types/entry.ts";
import type { Keyspace } from "./keyspace.ts";

/** Most hashes at a time; more are not looked ahead for. */
const HASHES_MAX = 2048;
/** Keys and bytes of a shard's data from which on a lookup probably misses. */
const WORTHWHILE_KEYS = 1024;
const WORTHWHILE_BYTES = 512 * 1024;
/** The same of keys with long values, whose bytes are to be known. */
const LONG_BYTES = 32 * 1024;
const LONG_BYTES_PER_KEY = 512;

/** Words of a cache line. */
const LINE_WORDS = 16;

/** One per worker. */
export class LookAhead {
  readonly #i32: readonly Int32Array[];
  readonly #hashes = new Int32Array(HASHES_MAX);
  /** Buckets of the hashes, then roots of values. */
  readonly #refs = new Int32Array(HASHES_MAX);
  #count = 0;
  /** Bytes of the strings that were seen last, but for those in runs. */
  bytes = 0;
  /** Kept only so that the reads are not left out. */
  lastRead = 0;

  /** `i32` are the arena's word views. */
  constructor(i32: readonly Int32Array[]) {
    this.#i32 = i32;
  }

  /** Notes a key that will be looked up. */
  add(space: Keyspace, db: number, hash: number): void {
    const i = this.#count;
    if (i === HASHES_MAX) return;
    const keys = space.count(db);
    const bytes = space.heap.usedBytes;
    if (
      (keys < WORTHWHILE_KEYS || bytes < WORTHWHILE_BYTES) &&
      (bytes < LONG_BYTES || bytes < keys * LONG_BYTES_PER_KEY)
    ) return;
    this.#hashes[i] = hash;
    this.#refs[i] = space.guessBucket(db, hash);
    this.#count = i + 1;
  }

  /** Reads what the noted keys need, and forgets them. */
  run(): void {
    const count = this.#count;
    this.bytes = 0;
    if (count === 0) return;
    this.#count = 0;
    // One key alone gains nothing.
    if (count === 1) return;
    const refs = this.#refs;
    const hashes = this.#hashes;
    let read = 0;
    // The tags stand in a bucket's first words.
    for (let i = 0; i < count; i++) read ^= this.#peek(refs[i]!, 0);
    let roots = 0;
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const node = guessNode(this.#i32, refs[i]!, hashes[i]!);
      const value = this.#peek(node, NODE_VALUE);
      if (typeOf(this.#peek(node, NODE_META)) !== TYPE_STRING) {
        refs[roots++] = value;
      } else if (value >>> 0 < EXTERNAL_BYTES_MIN) bytes += value;
    }
    this.bytes = bytes;
    // Packed values are read from their beginning, mostly for some lines.
    for (let i = 0; i < roots; i++) {
      const root = refs[i]!;
      read ^= this.#peek(root, 0) ^ this.#peek(root, LINE_WORDS) ^
        this.#peek(root, 2 * LINE_WORDS);
    }
    this.lastRead = read;
  }

  /** A word that may not be there; 0 then. */
  #peek(ref: number, index: number): number {
    const words = this.#i32[ref >>> SEGMENT_SHIFT];
    return words === undefined
      ? 0
      : words[((ref & UNIT_MASK) << 1) + index]! | 0;
  }
}

/**
 * A dictionary in the arena: linear hashing over 64-byte buckets.
 *
 * ```text
 * bucket (16 words)   [ 12 tag bytes ][ overflow bucket ][ 12 node references ]
 * header (8 words)    [ count ][ buckets ][ table ][ directory slots ]
 *                     [ overflow buckets ][ 3 words for the user ]
 * table               up to 256 buckets: one block; beyond: a directory of
 *                     blocks of 256 buckets
 * ```
 *
 * A lookup reads one cache line: the three tag words are compared with the
 * hash's top byte four at a time, and a node is touched only when its tag
 * matches. Linear hashing (Litwin, 1980) grows by splitting one bucket per few
 * inserts and shrinks by merging one, so there is never a second table, a pause,
 * or a jump in memory. Full buckets chain to overflow buckets of the same shape.
 *
 * Guarantee of {@linkcode Dict.scan}: the cursor counts with its bits reversed
 * (Pieter Noordhuis's cursor of Redis), so a node that is present from the first
 * call to the last is returned, whatever grows or shrinks in between; some may
 * be returned twice.
 *
 * Invariants: a node stands in exactly one slot, in the chain of
 * `bucketOf(hash)`; a free slot's reference is 0; only the last bucket of a
 * chain has free slots after a removal; the dictionary never frees nodes.
 *
 * Cost: find, insert and remove are constant time; eight to ten bytes per node.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "./arena.ts";
import type { Heap } from "./heap.ts";
import {
  KEY_LENGTH_MASK,
  keyOffset,
  NODE_HASH,
  NODE_KEY,
} from "./node.ts";

/** Words of a dictionary's header. */
export const DICT_HEADER_WORDS = 8;
/** Header word: nodes. */
export const DICT_COUNT = 0;
/** Header word: buckets, overflow buckets not counted. */
export const DICT_BUCKETS = 1;
const TABLE = 2;
const DIRECTORY = 3;
/** Header word: overflow buckets. */
export const DICT_OVERFLOW = 4;
/** Header word that the user may keep a number in. */
export const DICT_USER = 5;

const SLOTS = 12;
const OVERFLOW = 3;
const REFS = 4;
const BUCKET_WORDS = 16;
const BUCKET_UNITS = 8;

/** Buckets of one block. */
const BLOCK_BUCKETS = 256;
const BLOCK_SHIFT = 8;
const BLOCK_MASK = BLOCK_BUCKETS - 1;
const BLOCK_UNITS = BLOCK_BUCKETS * BUCKET_UNITS;

/** Nodes per bucket above which a bucket is split. */
const LOAD_MAX = 8;
/** Nodes per bucket below which a bucket is merged. */
const LOAD_MIN = 3;

const ONES = 0x01010101;
const HIGHS = 0x80808080 | 0;

/** Called for each node that a scan meets. */
export type NodeVisitor = (ref: number) => void;

/**
 * Dictionary operations over one shard's heap. The header of the dictionary
 * meant is passed to each call as a word view and an index into it; all-zero
 * words are an empty dictionary.
 */
export class Dict {
  readonly #i32: Int32Array[];
  readonly #u8: Uint8Array[];
  readonly #heap: Heap;

  /** One object serves all dictionaries of a heap. */
  constructor(arena: Arena, heap: Heap) {
    this.#i32 = arena.i32;
    this.#u8 = arena.u8;
    this.#heap = heap;
  }

  /** The node with this key, or 0. */
  find(
    header: Int32Array,
    at: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): number {
    const buckets = header[at + DICT_BUCKETS]!;
    if (buckets === 0) return 0;
    const tags = Math.imul(hash >>> 24, ONES);
    let bucket = this.#bucketRef(header, at, bucketOf(hash, buckets));
    do {
      const words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
      const base = (bucket & UNIT_MASK) << 1;
      for (let group = 0; group < 3; group++) {
        const x = words[base + group]! ^ tags;
        // Zero bytes of x show as high bits; a bit above the lowest may lie.
        let match = (x - ONES) & ~x & HIGHS;
        while (match !== 0) {
          const slot = (31 - Math.clz32(match & -match)) >> 3;
          const ref = words[base + REFS + group * 4 + slot]!;
          if (ref !== 0 && this.#hasKey(ref, buf, off, length, hash)) {
            return ref;
          }
          match &= match - 1;
        }
      }
      bucket = words[base + OVERFLOW]!;
    } while (bucket !== 0);
    return 0;
  }

  /** Adds a node whose key is not in the dictionary. */
  insert(header: Int32Array, at: number, ref: number, hash: number): void {
    if (header[at + DICT_BUCKETS] === 0) this.#addFirstBucket(header, at);
    const bucket = this.#bucketRef(
      header,
      at,
      bucketOf(hash, header[at + DICT_BUCKETS]!),
    );
    this.#place(header, at, bucket, ref, hash >>> 24);
    const count = header[at + DICT_COUNT]! + 1;
    header[at + DICT_COUNT] = count;
    if (count > header[at + DICT_BUCKETS]! * LOAD_MAX) this.#split(header, at);
  }

  /** Takes a node out; it must be in the dictionary. */
  remove(header: Int32Array, at: number, ref: number, hash: number): void {
    const index = bucketOf(hash, header[at + DICT_BUCKETS]!);
    const first = this.#bucketRef(header, at, index);
    let bucket = first;
    while (true) {
      const words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
      const base = (bucket & UNIT_MASK) << 1;
      const slot = slotOf(words, base, ref);
      if (slot >= 0) {
        this.#clearSlot(header, at, first, bucket, slot);
        break;
      }
      bucket = words[base + OVERFLOW]!;
      assert(bucket !== 0, "a removed node is in its bucket");
    }
    const count = header[at + DICT_COUNT]! - 1;
    header[at + DICT_COUNT] = count;
    const buckets = header[at + DICT_BUCKETS]!;
    if (count === 0) this.clear(header, at);
    else if (count < buckets * LOAD_MIN && buckets > 1) this.#merge(header, at);
  }

  /** Lets the slot of `from` point at `to`: the node was moved. */
  replace(
    header: Int32Array,
    at: number,
    from: number,
    to: number,
    hash: number,
  ): void {
    const buckets = header[at + DICT_BUCKETS]!;
    let bucket = this.#bucketRef(header, at, bucketOf(hash, buckets));
    while (true) {
      const words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
      const base = (bucket & UNIT_MASK) << 1;
      const slot = slotOf(words, base, from);
      if (slot >= 0) {
        words[base + REFS + slot] = to;
        return;
      }
      bucket = words[base + OVERFLOW]!;
      assert(bucket !== 0, "a moved node is in its bucket");
    }
  }

  /** Frees the table; the nodes are the caller's. Empties the header. */
  clear(header: Int32Array, at: number): void {
    const buckets = header[at + DICT_BUCKETS]!;
    for (let index = 0; index < buckets; index++) {
      this.#freeChain(header, at, this.#bucketRef(header, at, index));
    }
    const table = header[at + TABLE]!;
    const slots = header[at + DIRECTORY]!;
    if (slots > 0) {
      for (let i = 0; i << BLOCK_SHIFT < buckets; i++) {
        this.#heap.free(this.#word(table, i));
      }
    }
    if (table !== 0) this.#heap.free(table);
    header.fill(0, at, at + DICT_USER);
  }

  /**
   * Visits the nodes of the last bucket and drops it, the nodes with it: they
   * are the visitor's to free. For taking a whole dictionary apart in slices;
   * what is left stays a valid dictionary. False when there was no bucket left.
   */
  popBucket(header: Int32Array, at: number, visit: NodeVisitor): boolean {
    const buckets = header[at + DICT_BUCKETS]!;
    if (buckets === 0) return false;
    const last = this.#bucketRef(header, at, buckets - 1);
    let visited = 0;
    this.#visitChain(last, (ref) => {
      visited++;
      visit(ref);
    });
    header[at + DICT_COUNT] = header[at + DICT_COUNT]! - visited;
    if (buckets === 1) {
      this.clear(header, at);
      return true;
    }
    this.#freeChain(header, at, last);
    header[at + DICT_BUCKETS] = buckets - 1;
    this.#releaseRoom(header, at, buckets - 1);
    return true;
  }

  /**
   * Visits the nodes of one cursor position and returns the next cursor; start
   * with 0, the end is 0 again. A position is one or two buckets.
   */
  scan(
    header: Int32Array,
    at: number,
    cursor: number,
    visit: NodeVisitor,
  ): number {
    const buckets = header[at + DICT_BUCKETS]!;
    if (buckets === 0) return 0;
    const half = 1 << (31 - Math.clz32(buckets));
    const low = cursor & (half - 1);
    this.#visitChain(this.#bucketRef(header, at, low), visit);
    if (low + half < buckets) {
      this.#visitChain(this.#bucketRef(header, at, low + half), visit);
    }
    return nextCursor(cursor, half - 1);
  }

  /** The first cursor position of the dictionary's second half, and so on. */
  cursorCount(header: Int32Array, at: number): number {
    const buckets = header[at + DICT_BUCKETS]!;
    return buckets === 0 ? 0 : 1 << (31 - Math.clz32(buckets));
  }

  /**
   * A node of a bucket chosen by `random` (32 random bits), or 0 when that
   * draw met an empty slot: draw again. Every node is equally likely as long as
   * chains are short, since empty slots count as misses.
   */
  draw(header: Int32Array, at: number, random: number): number {
    const buckets = header[at + DICT_BUCKETS]!;
    if (buckets === 0) return 0;
    // Fixed-point multiplication: the top bits choose the bucket, the rest the
    // slot among two buckets' worth of slots.
    const scaled = (random >>> 0) * buckets / 4294967296;
    const index = Math.floor(scaled);
    const slot = Math.floor((scaled - index) * SLOTS * 2);
    let bucket = this.#bucketRef(header, at, index);
    let skip = slot;
    while (skip >= SLOTS) {
      const words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
      bucket = words[((bucket & UNIT_MASK) << 1) + OVERFLOW]!;
      if (bucket === 0) return 0;
      skip -= SLOTS;
    }
    const words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
    return words[((bucket & UNIT_MASK) << 1) + REFS + skip]!;
  }

  /** Bytes of buckets and directory. */
  tableBytes(header: Int32Array, at: number): number {
    const buckets = header[at + DICT_BUCKETS]!;
    if (buckets === 0) return 0;
    let units = header[at + DICT_OVERFLOW]! * BUCKET_UNITS;
    const slots = header[at + DIRECTORY]!;
    const table = header[at + TABLE]!;
    units += this.#heap.unitsOf(table);
    if (slots > 0) units += ((buckets + BLOCK_MASK) >> BLOCK_SHIFT) * BLOCK_UNITS;
    return units * 8;
  }

  /** Checks the invariants; for tests. Returns the number of nodes found. */
  verify(header: Int32Array, at: number): number {
    let count = 0;
    let overflow = 0;
    const buckets = header[at + DICT_BUCKETS]!;
    for (let index = 0; index < buckets; index++) {
      let bucket = this.#bucketRef(header, at, index);
      for (let first = true; bucket !== 0; first = false) {
        if (!first) overflow++;
        const words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
        const base = (bucket & UNIT_MASK) << 1;
        for (let slot = 0; slot < SLOTS; slot++) {
          const ref = words[base + REFS + slot]!;
          if (ref === 0) continue;
          const hash = this.#word(ref, NODE_HASH);
          assert(bucketOf(hash, buckets) === index, "a node is in its bucket");
          assert(
            tagAt(words, base, slot) === hash >>> 24,
            "a tag is the hash's top byte",
          );
          count++;
        }
        bucket = words[base + OVERFLOW]!;
      }
    }
    assert(count === header[at + DICT_COUNT], "nodes are counted exactly");
    assert(overflow === header[at + DICT_OVERFLOW], "chains are counted");
    return count;
  }

  #hasKey(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): boolean {
    const words = this.#i32[ref >>> SEGMENT_SHIFT]!;
    const base = (ref & UNIT_MASK) << 1;
    if (words[base + NODE_HASH] !== hash) return false;
    const keyWord = words[base + NODE_KEY]!;
    if ((keyWord & KEY_LENGTH_MASK) !== length) return false;
    const bytes = this.#u8[ref >>> SEGMENT_SHIFT]!;
    const key = (base << 2) + keyOffset(keyWord);
    for (let i = 0; i < length; i++) {
      if (bytes[key + i] !== buf[off + i]) return false;
    }
    return true;
  }

  #word(ref: number, index: number): number {
    return this.#i32[ref >>> SEGMENT_SHIFT]![((ref & UNIT_MASK) << 1) + index]!;
  }

  #bucketRef(header: Int32Array, at: number, index: number): number {
    const table = header[at + TABLE]!;
    if (header[at + DIRECTORY] === 0) return table + index * BUCKET_UNITS;
    return this.#word(table, index >> BLOCK_SHIFT) +
      (index & BLOCK_MASK) * BUCKET_UNITS;
  }

  #place(
    header: Int32Array,
    at: number,
    first: number,
    ref: number,
    tag: number,
  ): void {
    let bucket = first;
    while (true) {
      const words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
      const base = (bucket & UNIT_MASK) << 1;
      for (let slot = 0; slot < SLOTS; slot++) {
        if (words[base + REFS + slot] !== 0) continue;
        words[base + REFS + slot] = ref;
        setTag(words, base, slot, tag);
        return;
      }
      const next = words[base + OVERFLOW]!;
      bucket = next !== 0 ? next : this.#addOverflow(header, at, bucket);
    }
  }

  #addOverflow(header: Int32Array, at: number, bucket: number): number {
    const added = this.#heap.allocate(BUCKET_UNITS);
    this.#zero(added, BUCKET_UNITS);
    this.#i32[bucket >>> SEGMENT_SHIFT]![
      ((bucket & UNIT_MASK) << 1) + OVERFLOW
    ] = added;
    header[at + DICT_OVERFLOW] = header[at + DICT_OVERFLOW]! + 1;
    return added;
  }

  /** Fills the hole with the chain's last node, so that chains stay short. */
  #clearSlot(
    header: Int32Array,
    at: number,
    first: number,
    bucket: number,
    slot: number,
  ): void {
    const words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
    const base = (bucket & UNIT_MASK) << 1;
    words[base + REFS + slot] = 0;
    setTag(words, base, slot, 0);
    let last = first;
    let before = 0;
    while (true) {
      const next = this.#word(last, OVERFLOW);
      if (next === 0) break;
      before = last;
      last = next;
    }
    if (before === 0) return;
    const lastWords = this.#i32[last >>> SEGMENT_SHIFT]!;
    const lastBase = (last & UNIT_MASK) << 1;
    let left = 0;
    let donor = -1;
    for (let i = 0; i < SLOTS; i++) {
      if (lastWords[lastBase + REFS + i] === 0) continue;
      donor = i;
      left++;
    }
    if (last !== bucket && donor >= 0) {
      words[base + REFS + slot] = lastWords[lastBase + REFS + donor]!;
      setTag(words, base, slot, tagAt(lastWords, lastBase, donor));
      lastWords[lastBase + REFS + donor] = 0;
      setTag(lastWords, lastBase, donor, 0);
      left--;
    }
    if (left > 0) return;
    this.#i32[before >>> SEGMENT_SHIFT]![
      ((before & UNIT_MASK) << 1) + OVERFLOW
    ] = 0;
    this.#heap.free(last);
    header[at + DICT_OVERFLOW] = header[at + DICT_OVERFLOW]! - 1;
  }

  #freeChain(header: Int32Array, at: number, first: number): void {
    let bucket = this.#word(first, OVERFLOW);
    while (bucket !== 0) {
      const next = this.#word(bucket, OVERFLOW);
      this.#heap.free(bucket);
      header[at + DICT_OVERFLOW] = header[at + DICT_OVERFLOW]! - 1;
      bucket = next;
    }
  }

  #addFirstBucket(header: Int32Array, at: number): void {
    const table = this.#heap.allocate(BUCKET_UNITS);
    this.#zero(table, BUCKET_UNITS);
    header[at + TABLE] = table;
    header[at + DIRECTORY] = 0;
    header[at + DICT_BUCKETS] = 1;
  }

  /** Adds one bucket and moves to it what belongs there from its buddy. */
  #split(header: Int32Array, at: number): void {
    const index = header[at + DICT_BUCKETS]!;
    if (index >= 1 << 23) return;
    this.#makeRoom(header, at, index);
    header[at + DICT_BUCKETS] = index + 1;
    const added = this.#bucketRef(header, at, index);
    this.#zero(added, BUCKET_UNITS);
    const buddy = index - (1 << (31 - Math.clz32(index)));
    this.#redistribute(
      header,
      at,
      this.#bucketRef(header, at, buddy),
      added,
      index,
    );
  }

  /** Moves the nodes of `source`'s chain that hash to `index` to `target`. */
  #redistribute(
    header: Int32Array,
    at: number,
    source: number,
    target: number,
    index: number,
  ): void {
    const buckets = header[at + DICT_BUCKETS]!;
    // The chain is taken apart and both buckets are filled anew: nodes are read
    // out of the old buckets while the new chain grows behind them.
    let chain = this.#word(source, OVERFLOW);
    this.#setWord(source, OVERFLOW, 0);
    this.#spread(header, at, source, source, target, index, buckets);
    while (chain !== 0) {
      const next = this.#word(chain, OVERFLOW);
      this.#spread(header, at, chain, source, target, index, buckets);
      this.#heap.free(chain);
      header[at + DICT_OVERFLOW] = header[at + DICT_OVERFLOW]! - 1;
      chain = next;
    }
  }

  #spread(
    header: Int32Array,
    at: number,
    from: number,
    source: number,
    target: number,
    index: number,
    buckets: number,
  ): void {
    const words = this.#i32[from >>> SEGMENT_SHIFT]!;
    const base = (from & UNIT_MASK) << 1;
    for (let slot = 0; slot < SLOTS; slot++) {
      const ref = words[base + REFS + slot]!;
      if (ref === 0) continue;
      const hash = this.#word(ref, NODE_HASH);
      const moves = bucketOf(hash, buckets) === index;
      if (!moves && from === source) continue;
      words[base + REFS + slot] = 0;
      setTag(words, base, slot, 0);
      this.#place(header, at, moves ? target : source, ref, hash >>> 24);
    }
  }

  /** Moves the last bucket's nodes to its buddy and drops it. */
  #merge(header: Int32Array, at: number): void {
    const index = header[at + DICT_BUCKETS]! - 1;
    const last = this.#bucketRef(header, at, index);
    const buddy = this.#bucketRef(
      header,
      at,
      index - (1 << (31 - Math.clz32(index))),
    );
    let bucket = last;
    while (bucket !== 0) {
      const words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
      const base = (bucket & UNIT_MASK) << 1;
      for (let slot = 0; slot < SLOTS; slot++) {
        const ref = words[base + REFS + slot]!;
        if (ref !== 0) {
          this.#place(header, at, buddy, ref, tagAt(words, base, slot));
        }
      }
      const next = words[base + OVERFLOW]!;
      if (bucket !== last) {
        this.#heap.free(bucket);
        header[at + DICT_OVERFLOW] = header[at + DICT_OVERFLOW]! - 1;
      }
      bucket = next;
    }
    header[at + DICT_BUCKETS] = index;
    this.#releaseRoom(header, at, index);
  }

  /** Makes sure that bucket `index`, the first beyond the table, has a place. */
  #makeRoom(header: Int32Array, at: number, index: number): void {
    const table = header[at + TABLE]!;
    if (index < BLOCK_BUCKETS) {
      const room = index * 2 * BUCKET_UNITS;
      if ((index & (index - 1)) !== 0 || this.#heap.unitsOf(table) >= room) {
        return;
      }
      const grown = this.#heap.allocate(room);
      this.#copy(table, grown, index * BUCKET_WORDS);
      this.#heap.free(table);
      header[at + TABLE] = grown;
      return;
    }
    if ((index & BLOCK_MASK) !== 0) return;
    const block = index >> BLOCK_SHIFT;
    const slots = header[at + DIRECTORY]!;
    if (block >= slots) {
      const grown = this.#heap.allocate(Math.max(slots, 8));
      if (slots === 0) this.#setWord(grown, 0, table);
      else {
        this.#copy(table, grown, slots);
        this.#heap.free(table);
      }
      header[at + TABLE] = grown;
      header[at + DIRECTORY] = Math.max(slots * 2, 16);
    }
    this.#setWord(
      header[at + TABLE]!,
      block,
      this.#heap.allocate(BLOCK_UNITS),
    );
  }

  /** Gives back what the table no longer needs now that it has `buckets`. */
  #releaseRoom(header: Int32Array, at: number, buckets: number): void {
    const table = header[at + TABLE]!;
    if (header[at + DIRECTORY] === 0) {
      // Halved when only a quarter is used, so that growth does not follow.
      if ((buckets & (buckets - 1)) !== 0 || buckets * 4 > BLOCK_BUCKETS) return;
      const units = buckets * 2 * BUCKET_UNITS;
      if (this.#heap.unitsOf(table) < units * 2) return;
      const smaller = this.#heap.allocate(units);
      this.#copy(table, smaller, buckets * BUCKET_WORDS);
      this.#heap.free(table);
      header[at + TABLE] = smaller;
      return;
    }
    if ((buckets & BLOCK_MASK) !== 0) return;
    this.#heap.free(this.#word(table, buckets >> BLOCK_SHIFT));
    if (buckets > BLOCK_BUCKETS) return;
    header[at + TABLE] = this.#word(table, 0);
    header[at + DIRECTORY] = 0;
    this.#heap.free(table);
  }

  #visitChain(first: number, visit: NodeVisitor): void {
    let bucket = first;
    while (bucket !== 0) {
      const words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
      const base = (bucket & UNIT_MASK) << 1;
      for (let slot = 0; slot < SLOTS; slot++) {
        const ref = words[base + REFS + slot]!;
        if (ref !== 0) visit(ref);
      }
      bucket = words[base + OVERFLOW]!;
    }
  }

  #setWord(ref: number, index: number, value: number): void {
    this.#i32[ref >>> SEGMENT_SHIFT]![((ref & UNIT_MASK) << 1) + index] = value;
  }

  #zero(ref: number, units: number): void {
    const base = (ref & UNIT_MASK) << 1;
    this.#i32[ref >>> SEGMENT_SHIFT]!.fill(0, base, base + units * 2);
  }

  #copy(from: number, to: number, words: number): void {
    const source = this.#i32[from >>> SEGMENT_SHIFT]!;
    const target = this.#i32[to >>> SEGMENT_SHIFT]!;
    const a = (from & UNIT_MASK) << 1;
    const b = (to & UNIT_MASK) << 1;
    for (let i = 0; i < words; i++) target[b + i] = source[a + i]!;
  }
}

/** Bucket of a hash in a table of `buckets` buckets. */
function bucketOf(hash: number, buckets: number): number {
  const mask = -1 >>> Math.clz32(buckets);
  const bucket = hash & mask;
  return bucket < buckets ? bucket : bucket & (mask >>> 1);
}

/** Adds one to the cursor read with its bits reversed, within `mask`. */
function nextCursor(cursor: number, mask: number): number {
  return reverseBits((reverseBits(cursor | ~mask) + 1) | 0);
}

function reverseBits(n: number): number {
  let x = n;
  x = ((x >>> 1) & 0x55555555) | ((x & 0x55555555) << 1);
  x = ((x >>> 2) & 0x33333333) | ((x & 0x33333333) << 2);
  x = ((x >>> 4) & 0x0f0f0f0f) | ((x & 0x0f0f0f0f) << 4);
  x = ((x >>> 8) & 0x00ff00ff) | ((x & 0x00ff00ff) << 8);
  return (x >>> 16) | (x << 16);
}

function slotOf(words: Int32Array, base: number, ref: number): number {
  for (let slot = 0; slot < SLOTS; slot++) {
    if (words[base + REFS + slot] === ref) return slot;
  }
  return -1;
}

function tagAt(words: Int32Array, base: number, slot: number): number {
  return (words[base + (slot >> 2)]! >>> ((slot & 3) << 3)) & 0xff;
}

function setTag(
  words: Int32Array,
  base: number,
  slot: number,
  tag: number,
): void {
  const shift = (slot & 3) << 3;
  const word = base + (slot >> 2);
  words[word] = (words[word]! & ~(0xff << shift)) | (tag << shift);
}

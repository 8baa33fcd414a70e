/**
 * A dictionary in the arena: linear hashing over 64-byte buckets.
 *
 * ```text
 * header (8 words)    [ count ][ buckets ][ table ][ directory slots ]
 *                     [ overflow buckets ][ 3 words for the user ]
 * bucket (16 words)   [ 12 tag bytes ][ overflow bucket ][ 12 node references ]
 * ```
 * See dict_table.ts for the table and dict_bucket.ts for buckets.
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
 * `bucketOf(hash)`; chains are packed: a free slot's reference is 0 and behind
 * it there are only free slots, and an overflow bucket is never empty; the
 * dictionary never frees nodes.
 *
 * When memory is short: only {@linkcode Dict.insert} may throw, before it has
 * changed anything. Splits, merges and smaller tables are put off, which costs
 * speed or room but no correctness.
 *
 * Cost: find, insert and remove are constant time; eight to eleven bytes per
 * node.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { equalLong, LONG_RUN_BYTES } from "../base/bytes.ts";
import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "./arena.ts";
import {
  BUCKET_UNITS,
  clearBucket,
  nodesOf,
  OVERFLOW,
  REFS,
  setSlot,
  slotOf,
  SLOTS,
  tagAt,
} from "./dict_bucket.ts";
import {
  bucketOf,
  bucketRef,
  buddyOf,
  DICT_BUCKETS,
  DICT_COUNT,
  DICT_OVERFLOW,
  DictTable,
} from "./dict_table.ts";
import { type Heap, OutOfMemory } from "./heap.ts";
import { KNOWN_KEYS, LONG_KEY_BYTES } from "./known_keys.ts";
import { KEY_LENGTH_MASK, keyOffset, NODE_HASH, NODE_KEY } from "./node.ts";

export {
  DICT_BUCKETS,
  DICT_COUNT,
  DICT_HEADER_WORDS,
  DICT_OVERFLOW,
  DICT_USER,
} from "./dict_table.ts";

/** Beyond, chains grow longer instead: bits 0 to 22 of a hash choose. */
const BUCKETS_MAX = 1 << 23;

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
  readonly #u8: Uint8Array[];
  readonly #i32: Int32Array[];
  readonly #heap: Heap;
  readonly #table: DictTable;
  /** Nodes of the chains that a split or a merge takes apart, and their hashes. */
  #nodes = new Int32Array(4 * SLOTS);
  #hashes = new Int32Array(4 * SLOTS);
  /** Nodes that {@linkcode Dict.gather} noted. */
  #gathered = new Int32Array(4 * SLOTS);

  /** One object serves all dictionaries of a heap. */
  constructor(arena: Arena, heap: Heap) {
    this.#u8 = arena.u8;
    this.#i32 = arena.i32;
    this.#heap = heap;
    this.#table = new DictTable(arena, heap);
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
    let bucket = bucketRef(this.#i32, header, at, bucketOf(hash, buckets));
    do {
      const words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
      const base = (bucket & UNIT_MASK) << 1;
      for (let group = 0; group < SLOTS; group += 4) {
        const x = words[base + (group >> 2)]! ^ tags;
        // Zero bytes of x show as high bits; a bit above the lowest may lie.
        let match = (x - ONES) & ~x & HIGHS;
        while (match !== 0) {
          const slot = (31 - Math.clz32(match & -match)) >> 3;
          const ref = words[base + REFS + group + slot]!;
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

  /**
   * The bucket that the hash probably has, or any number: may be asked without
   * the latch, reads words that may be stale, never fails.
   */
  guessBucket(header: Int32Array, at: number, hash: number): number {
    const buckets = header[at + DICT_BUCKETS]!;
    if (buckets <= 0) return 0;
    return this.#table.guessBucket(header, at, bucketOf(hash, buckets));
  }

  /** Visits the nodes whose keys have a length and a hash. */
  visitLike(
    header: Int32Array,
    at: number,
    length: number,
    hash: number,
    visit: NodeVisitor,
  ): void {
    const buckets = header[at + DICT_BUCKETS]!;
    if (buckets === 0) return;
    const first = bucketRef(this.#i32, header, at, bucketOf(hash, buckets));
    this.#visitChain(first, (ref) => {
      if (
        this.#word(ref, NODE_HASH) === hash &&
        (this.#word(ref, NODE_KEY) & KEY_LENGTH_MASK) === length
      ) visit(ref);
    });
  }

  /** Whether a node is in the dictionary; `ref` may be of a freed one. */
  has(header: Int32Array, at: number, ref: number, hash: number): boolean {
    const buckets = header[at + DICT_BUCKETS]!;
    if (buckets === 0) return false;
    let bucket = bucketRef(this.#i32, header, at, bucketOf(hash, buckets));
    while (bucket !== 0) {
      const words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
      const base = (bucket & UNIT_MASK) << 1;
      if (slotOf(words, base, ref) >= 0) return true;
      bucket = words[base + OVERFLOW]!;
    }
    return false;
  }

  /**
   * Adds a node whose key is not in the dictionary; throws OutOfMemory before
   * anything is changed.
   */
  insert(header: Int32Array, at: number, ref: number, hash: number): void {
    if (header[at + DICT_BUCKETS] === 0) this.#table.addFirst(header, at);
    const buckets = header[at + DICT_BUCKETS]!;
    const first = bucketRef(this.#i32, header, at, bucketOf(hash, buckets));
    this.#place(header, at, first, ref, hash >>> 24);
    const count = header[at + DICT_COUNT]! + 1;
    header[at + DICT_COUNT] = count;
    if (count > buckets * LOAD_MAX) this.#split(header, at);
  }

  /**
   * Makes an empty dictionary large enough for `count` nodes, as far as there is
   * memory, so that it need not grow bucket by bucket. One that is still empty
   * in the end is to be cleared: 0 nodes do that.
   */
  expect(header: Int32Array, at: number, count: number): void {
    if (header[at + DICT_COUNT] !== 0) return;
    if (count === 0) return this.clear(header, at);
    if (count <= LOAD_MAX) return;
    const wanted = Math.min(BUCKETS_MAX, Math.ceil(count / LOAD_MAX));
    try {
      if (header[at + DICT_BUCKETS] === 0) this.#table.addFirst(header, at);
      for (
        let index = header[at + DICT_BUCKETS]!;
        index < wanted && this.#table.addLast(header, at);
        index++
      ) {
        const added = bucketRef(this.#i32, header, at, index);
        clearBucket(
          this.#i32[added >>> SEGMENT_SHIFT]!,
          (added & UNIT_MASK) << 1,
        );
      }
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
    }
  }

  /** Takes a node out; it must be in the dictionary. */
  remove(header: Int32Array, at: number, ref: number, hash: number): void {
    const buckets = header[at + DICT_BUCKETS]!;
    let before = 0;
    let bucket = bucketRef(this.#i32, header, at, bucketOf(hash, buckets));
    let words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
    let base = (bucket & UNIT_MASK) << 1;
    let slot = slotOf(words, base, ref);
    while (slot < 0) {
      before = bucket;
      bucket = words[base + OVERFLOW]!;
      assert(bucket !== 0, "a removed node is in its bucket");
      words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
      base = (bucket & UNIT_MASK) << 1;
      slot = slotOf(words, base, ref);
    }
    this.#fillHole(header, at, before, bucket, slot);
    const count = header[at + DICT_COUNT]! - 1;
    header[at + DICT_COUNT] = count;
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
    let bucket = bucketRef(this.#i32, header, at, bucketOf(hash, buckets));
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

  /**
   * Frees the table; the nodes are the caller's. Empties the header. Takes time
   * proportional to the table: see {@linkcode popBucket} for slices.
   */
  clear(header: Int32Array, at: number): void {
    const buckets = header[at + DICT_BUCKETS]!;
    if (header[at + DICT_OVERFLOW] !== 0) {
      for (let index = 0; index < buckets; index++) {
        const first = bucketRef(this.#i32, header, at, index);
        this.#freeOverflow(header, at, this.#word(first, OVERFLOW));
      }
    }
    this.#table.free(header, at);
  }

  /**
   * Visits the nodes of the last bucket and drops it, the nodes with it: they
   * are the visitor's to free. For taking a whole dictionary apart in slices;
   * what is left stays a valid dictionary. False when there was no bucket left.
   */
  popBucket(header: Int32Array, at: number, visit: NodeVisitor): boolean {
    const index = header[at + DICT_BUCKETS]! - 1;
    if (index < 0) return false;
    const last = bucketRef(this.#i32, header, at, index);
    const visited = this.#visitChain(last, visit);
    header[at + DICT_COUNT] = header[at + DICT_COUNT]! - visited;
    if (index === 0) {
      this.clear(header, at);
      return true;
    }
    this.#freeOverflow(header, at, this.#word(last, OVERFLOW));
    this.#table.dropLast(header, at);
    return true;
  }

  /**
   * Visits the nodes of one cursor position and returns the next cursor; start
   * with 0, the end is 0 again. A position is one or two buckets. The visitor
   * must not change the dictionary, but may `replace` the node it is given.
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
    this.#visitChain(bucketRef(this.#i32, header, at, low), visit);
    if (low + half < buckets) {
      this.#visitChain(bucketRef(this.#i32, header, at, low + half), visit);
    }
    return nextCursor(cursor, half - 1);
  }

  /** Cursor positions of a whole scan: a power of two, or 0 when empty. */
  cursorCount(header: Int32Array, at: number): number {
    const buckets = header[at + DICT_BUCKETS]!;
    return buckets === 0 ? 0 : 1 << (31 - Math.clz32(buckets));
  }

  /**
   * A node chosen by `random` (32 random bits), or 0 when that draw met a free
   * slot: draw again. Nodes are equally likely, but for those of the rare
   * chains of more than two buckets, which share the chances of two.
   */
  draw(header: Int32Array, at: number, random: number): number {
    const buckets = header[at + DICT_BUCKETS]!;
    if (buckets === 0) return 0;
    // Fixed-point: the whole part chooses the bucket, the fraction the slot
    // among two buckets' worth, and what is left the part of a longer chain.
    const scaled = (random >>> 0) / 4294967296 * buckets;
    const index = Math.floor(scaled);
    const fraction = (scaled - index) * (SLOTS * 2);
    let slot = Math.floor(fraction);
    const first = bucketRef(this.#i32, header, at, index);
    if (header[at + DICT_OVERFLOW] !== 0) {
      const length = this.#chainLength(first);
      if (length > 2) {
        const parts = (length + 1) >> 1;
        slot += Math.floor((fraction - slot) * parts) * (SLOTS * 2);
      }
    }
    let bucket = first;
    for (; slot >= SLOTS; slot -= SLOTS) {
      bucket = this.#word(bucket, OVERFLOW);
      if (bucket === 0) return 0;
    }
    return this.#word(bucket, REFS + slot);
  }

  /**
   * Notes the nodes of one bucket, to be read by {@linkcode Dict.gathered};
   * returns how many. They are good until the dictionary changes; others may
   * change meanwhile. For loops that go through a whole dictionary, bucket by
   * bucket.
   */
  gather(header: Int32Array, at: number, bucket: number): number {
    let count = 0;
    let link = bucketRef(this.#i32, header, at, bucket);
    do {
      const words = this.#i32[link >>> SEGMENT_SHIFT]!;
      const base = (link & UNIT_MASK) << 1;
      const found = nodesOf(words, base);
      if (count + found > this.#gathered.length) {
        this.#gathered = enlarged(this.#gathered);
      }
      for (let slot = 0; slot < found; slot++) {
        this.#gathered[count++] = words[base + REFS + slot]!;
      }
      link = words[base + OVERFLOW]!;
    } while (link !== 0);
    return count;
  }

  /** Node `i` of those that the last {@linkcode Dict.gather} noted. */
  gathered(i: number): number {
    return this.#gathered[i]!;
  }

  /** Bytes of buckets and directory. */
  tableBytes(header: Int32Array, at: number): number {
    const overflow = header[at + DICT_OVERFLOW]! * BUCKET_UNITS;
    return (this.#table.units(header, at) + overflow) * 8;
  }

  /** Checks the invariants; for tests. Returns the number of nodes found. */
  verify(header: Int32Array, at: number): number {
    let count = 0;
    let overflow = 0;
    const buckets = header[at + DICT_BUCKETS]!;
    for (let index = 0; index < buckets; index++) {
      let bucket = bucketRef(this.#i32, header, at, index);
      for (let first = true; bucket !== 0; first = false) {
        const next = this.#word(bucket, OVERFLOW);
        const found = this.#verifyBucket(bucket, index, buckets);
        assert(found === SLOTS || next === 0, "chains are packed");
        assert(found > 0 || first, "an overflow bucket is not empty");
        if (!first) overflow++;
        count += found;
        bucket = next;
      }
    }
    assert(count === header[at + DICT_COUNT], "nodes are counted exactly");
    assert(overflow === header[at + DICT_OVERFLOW], "chains are counted");
    return count;
  }

  #verifyBucket(bucket: number, index: number, buckets: number): number {
    const words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
    const base = (bucket & UNIT_MASK) << 1;
    const count = nodesOf(words, base);
    for (let slot = 0; slot < SLOTS; slot++) {
      const ref = words[base + REFS + slot]!;
      assert((ref !== 0) === (slot < count), "buckets are packed");
      if (ref === 0) continue;
      const hash = this.#word(ref, NODE_HASH);
      assert(bucketOf(hash, buckets) === index, "a node is in its bucket");
      assert(
        tagAt(words, base, slot) === hash >>> 24,
        "a tag is the hash's top byte",
      );
    }
    return count;
  }

  /** Keys begin at a unit, so they are compared word by word. */
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
    if (length >= LONG_RUN_BYTES) {
      const isKnown = length < LONG_KEY_BYTES
        ? undefined
        : KNOWN_KEYS.has(ref, buf, off, length);
      if (isKnown !== undefined) return isKnown;
      const at = (base << 2) + keyOffset(keyWord);
      return equalLong(this.#u8[ref >>> SEGMENT_SHIFT]!, at, buf, off, length);
    }
    let word = base + (keyOffset(keyWord) >> 2);
    let i = off;
    for (const end = off + (length & ~3); i < end; i += 4) {
      const expected = buf[i]! | buf[i + 1]! << 8 | buf[i + 2]! << 16 |
        buf[i + 3]! << 24;
      if (words[word++] !== expected) return false;
    }
    const left = length & 3;
    if (left === 0) return true;
    let last = buf[i]!;
    if (left > 1) last |= buf[i + 1]! << 8;
    if (left > 2) last |= buf[i + 2]! << 16;
    return (words[word]! ^ last) << (32 - (left << 3)) === 0;
  }

  #word(ref: number, index: number): number {
    return this.#i32[ref >>> SEGMENT_SHIFT]![((ref & UNIT_MASK) << 1) + index]!;
  }

  /** Puts a node into the first free slot of a chain, made longer if need be. */
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
      const next = words[base + OVERFLOW]!;
      if (next !== 0) {
        bucket = next;
        continue;
      }
      const slot = nodesOf(words, base);
      if (slot < SLOTS) return setSlot(words, base, slot, ref, tag);
      const added = this.#heap.allocate(BUCKET_UNITS);
      header[at + DICT_OVERFLOW] = header[at + DICT_OVERFLOW]! + 1;
      words[base + OVERFLOW] = added;
      const addedWords = this.#i32[added >>> SEGMENT_SHIFT]!;
      const addedBase = (added & UNIT_MASK) << 1;
      clearBucket(addedWords, addedBase);
      return setSlot(addedWords, addedBase, 0, ref, tag);
    }
  }

  /**
   * Frees a slot and moves the last node of its chain there; `before` is the
   * bucket before `bucket` in the chain, or 0.
   */
  #fillHole(
    header: Int32Array,
    at: number,
    before: number,
    bucket: number,
    slot: number,
  ): void {
    let beforeLast = before;
    let last = bucket;
    for (let next = this.#word(last, OVERFLOW); next !== 0;) {
      beforeLast = last;
      last = next;
      next = this.#word(last, OVERFLOW);
    }
    const lastWords = this.#i32[last >>> SEGMENT_SHIFT]!;
    const lastBase = (last & UNIT_MASK) << 1;
    const lastSlot = nodesOf(lastWords, lastBase) - 1;
    setSlot(
      this.#i32[bucket >>> SEGMENT_SHIFT]!,
      (bucket & UNIT_MASK) << 1,
      slot,
      lastWords[lastBase + REFS + lastSlot]!,
      tagAt(lastWords, lastBase, lastSlot),
    );
    setSlot(lastWords, lastBase, lastSlot, 0, 0);
    if (lastSlot > 0 || beforeLast === 0) return;
    this.#setWord(beforeLast, OVERFLOW, 0);
    this.#freeOverflow(header, at, last);
  }

  /** Frees overflow buckets from `first` to the end of its chain. */
  #freeOverflow(header: Int32Array, at: number, first: number): void {
    let bucket = first;
    while (bucket !== 0) {
      const next = this.#word(bucket, OVERFLOW);
      this.#heap.free(bucket);
      header[at + DICT_OVERFLOW] = header[at + DICT_OVERFLOW]! - 1;
      bucket = next;
    }
  }

  /**
   * Adds one bucket and moves to it what belongs there from its buddy. Two
   * chains of the nodes of one need at most one bucket more than that one, so
   * nothing but the new bucket is allocated.
   */
  #split(header: Int32Array, at: number): void {
    const index = header[at + DICT_BUCKETS]!;
    if (index >= BUCKETS_MAX || !this.#table.addLast(header, at)) return;
    const added = bucketRef(this.#i32, header, at, index);
    const buddy = bucketRef(this.#i32, header, at, buddyOf(index));
    const count = this.#gather(buddy, 0);
    const nodes = this.#nodes;
    const hashes = this.#hashes;
    // Apart from the loop below, so that the cache misses overlap.
    for (let i = 0; i < count; i++) {
      hashes[i] = this.#word(nodes[i]!, NODE_HASH);
    }
    let staying = 0;
    for (let i = 0; i < count; i++) {
      const ref = nodes[i]!;
      const hash = hashes[i]!;
      if (bucketOf(hash, index + 1) === index) continue;
      nodes[i] = nodes[staying]!;
      hashes[i] = hashes[staying]!;
      nodes[staying] = ref;
      hashes[staying] = hash;
      staying++;
    }
    let spare = this.#word(buddy, OVERFLOW);
    spare = this.#fillChain(buddy, 0, staying, spare);
    spare = this.#fillChain(added, staying, count, spare);
    this.#freeOverflow(header, at, spare);
  }

  /** Moves the last bucket's nodes to its buddy and drops it. */
  #merge(header: Int32Array, at: number): void {
    const index = header[at + DICT_BUCKETS]! - 1;
    const last = bucketRef(this.#i32, header, at, index);
    const buddy = bucketRef(this.#i32, header, at, buddyOf(index));
    const count = this.#gather(last, this.#gather(buddy, 0));
    const room = this.#chainLength(buddy) + this.#chainLength(last) - 1;
    let spare = 0;
    if (count > room * SLOTS) {
      // Both chains are full to the last slot: the dropped bucket is missed.
      spare = this.#heap.tryAllocate(BUCKET_UNITS);
      if (spare === 0) return;
      this.#setWord(spare, OVERFLOW, 0);
      header[at + DICT_OVERFLOW] = header[at + DICT_OVERFLOW]! + 1;
    }
    spare = this.#concatenate(this.#word(last, OVERFLOW), spare);
    spare = this.#concatenate(this.#word(buddy, OVERFLOW), spare);
    spare = this.#fillChain(buddy, 0, count, spare);
    this.#freeOverflow(header, at, spare);
    this.#table.dropLast(header, at);
  }

  /** Notes the nodes of a chain and their tags, from place `from` on. */
  #gather(first: number, from: number): number {
    let count = from;
    let bucket = first;
    do {
      if (count + SLOTS > this.#nodes.length) {
        this.#nodes = enlarged(this.#nodes);
        this.#hashes = enlarged(this.#hashes);
      }
      const words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
      const base = (bucket & UNIT_MASK) << 1;
      const found = nodesOf(words, base);
      for (let slot = 0; slot < found; slot++) {
        this.#nodes[count] = words[base + REFS + slot]!;
        this.#hashes[count] = tagAt(words, base, slot) << 24;
        count++;
      }
      bucket = words[base + OVERFLOW]!;
    } while (bucket !== 0);
    return count;
  }

  /**
   * Fills a chain anew with the noted nodes from `from` to `to`, taking overflow
   * buckets from the chain `spare`; returns what is left of that.
   */
  #fillChain(first: number, from: number, to: number, spare: number): number {
    let left = spare;
    let words = this.#i32[first >>> SEGMENT_SHIFT]!;
    let base = (first & UNIT_MASK) << 1;
    clearBucket(words, base);
    for (let i = from, slot = 0; i < to; i++, slot++) {
      if (slot === SLOTS) {
        words[base + OVERFLOW] = left;
        words = this.#i32[left >>> SEGMENT_SHIFT]!;
        base = (left & UNIT_MASK) << 1;
        left = words[base + OVERFLOW]!;
        clearBucket(words, base);
        slot = 0;
      }
      setSlot(words, base, slot, this.#nodes[i]!, this.#hashes[i]! >>> 24);
    }
    return left;
  }

  /** Appends one chain of overflow buckets to another; both may be empty. */
  #concatenate(front: number, back: number): number {
    if (front === 0) return back;
    let bucket = front;
    for (let next = front; next !== 0; next = this.#word(bucket, OVERFLOW)) {
      bucket = next;
    }
    this.#setWord(bucket, OVERFLOW, back);
    return front;
  }

  /** Visits the nodes of a chain; returns how many there are. */
  #visitChain(first: number, visit: NodeVisitor): number {
    let count = 0;
    let bucket = first;
    do {
      const words = this.#i32[bucket >>> SEGMENT_SHIFT]!;
      const base = (bucket & UNIT_MASK) << 1;
      for (let slot = 0; slot < SLOTS; slot++) {
        const ref = words[base + REFS + slot]!;
        if (ref === 0) return count;
        visit(ref);
        count++;
      }
      bucket = words[base + OVERFLOW]!;
    } while (bucket !== 0);
    return count;
  }

  #chainLength(first: number): number {
    let length = 0;
    for (let b = first; b !== 0; b = this.#word(b, OVERFLOW)) length++;
    return length;
  }

  #setWord(ref: number, index: number, value: number): void {
    this.#i32[ref >>> SEGMENT_SHIFT]![((ref & UNIT_MASK) << 1) + index] = value;
  }
}

/**
 * The node that a hash probably has, in a bucket that {@linkcode
 * Dict.guessBucket} named, or any number; as harmless as that.
 */
export function guessNode(
  i32: readonly Int32Array[],
  bucket: number,
  hash: number,
): number {
  const words = i32[bucket >>> SEGMENT_SHIFT];
  if (words === undefined) return 0;
  const base = (bucket & UNIT_MASK) << 1;
  const tags = Math.imul(hash >>> 24, ONES);
  for (let group = 0; group < SLOTS; group += 4) {
    const x = words[base + (group >> 2)]! ^ tags;
    const match = (x - ONES) & ~x & HIGHS;
    if (match !== 0) {
      const slot = (31 - Math.clz32(match & -match)) >> 3;
      return words[base + REFS + group + slot]! | 0;
    }
  }
  return 0;
}

function enlarged(notes: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(notes.length * 2);
  larger.set(notes);
  return larger;
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

/**
 * Intsets: sets of integers as one sorted array, in Redis's own format, byte for
 * byte, so that DUMP and RESTORE copy them.
 *
 * ```text
 * [ width : u32 ][ members : u32 ][ member ]*      little endian
 * ```
 *
 * Invariants: members ascend, each is there once; all have the same width, 2, 4
 * or 8 bytes, which is the least that every member there ever was needed: it
 * grows when a member asks for it and never shrinks.
 *
 * A member is passed as the two words of int64.ts, and found by its index.
 * Writes return the blob's reference, which may have moved; they throw
 * OutOfMemory before anything has changed.
 *
 * Cost: a search is a binary one; a write moves the members behind. Members
 * that come in ascending order are added in constant time.
 *
 * Source: intset.c of Redis.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { copyBytes } from "../base/bytes.ts";
import { compareInt64, Int64 } from "../base/int64.ts";
import {
  type Arena,
  byteOf,
  SEGMENT_SHIFT,
  UNIT_MASK,
  wordOf,
} from "./arena.ts";
import type { Heap } from "./heap.ts";

const WIDTH = 0;
const COUNT = 1;
const HEADER_WORDS = 2;
const HEADER_BYTES = 8;
/** Bytes from which on a blob that grows gets an eighth more than it needs. */
const SPARE_BYTES_MIN = 8192;

/** Operations on the intsets of one heap. */
export class Intsets {
  /** The member that was read. */
  readonly member: Int64 = new Int64();
  readonly #arena: Arena;
  readonly #heap: Heap;

  /** `heap` gets and gives the memory. */
  constructor(arena: Arena, heap: Heap) {
    this.#arena = arena;
    this.#heap = heap;
  }

  /** An intset without members, with room for one of any width. */
  create(): number {
    const ref = this.#heap.allocate((HEADER_BYTES + 8) >>> 3);
    const words = this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
    const at = wordOf(ref);
    words[at + WIDTH] = 2;
    words[at + COUNT] = 0;
    return ref;
  }

  /** Gives the memory back. */
  free(ref: number): void {
    this.#heap.free(ref);
  }

  /** Members. */
  count(ref: number): number {
    return this.#arena.i32[ref >>> SEGMENT_SHIFT]![wordOf(ref) + COUNT]!;
  }

  /** Bytes of a member. */
  width(ref: number): number {
    return this.#arena.i32[ref >>> SEGMENT_SHIFT]![wordOf(ref) + WIDTH]!;
  }

  /** Bytes of the intset, its head included. */
  bytes(ref: number): number {
    return HEADER_BYTES + this.count(ref) * this.width(ref);
  }

  /** Reads the member at an index into `member`. */
  read(ref: number, index: number): void {
    const words = this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
    const at = wordOf(ref);
    const { member } = this;
    const width = words[at + WIDTH]!;
    if (width === 8) {
      member.lo = words[at + HEADER_WORDS + index * 2]!;
      member.hi = words[at + HEADER_WORDS + index * 2 + 1]!;
    } else {
      const n = narrowAt(words, at + HEADER_WORDS, width, index);
      member.lo = n;
      member.hi = n >> 31;
    }
  }

  /** Index of a member; if it is not there, `~` of the one it would get. */
  search(ref: number, hi: number, lo: number): number {
    const words = this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
    const at = (ref & UNIT_MASK) << 1;
    const count = words[at + COUNT]!;
    const width = words[at + WIDTH]!;
    const first = at + HEADER_WORDS;
    if (count === 0) return ~0;
    if (width === 8) return searchWide(words, first, count, hi, lo);
    // Beyond 32 bits it can only stand before or behind all.
    if (hi !== lo >> 31) return hi < 0 ? ~0 : ~count;
    return searchNarrow(words, first, count, width, lo);
  }

  /** Adds a member that is not there; `index` is where it belongs. */
  insert(ref: number, index: number, hi: number, lo: number): number {
    const count = this.count(ref);
    const width = this.width(ref);
    const needed = widthOf(hi, lo);
    if (needed > width) return this.#widen(ref, needed, index, hi, lo);
    const bytes = HEADER_BYTES + count * width;
    const pos = HEADER_BYTES + index * width;
    const made = this.#reserve(ref, bytes, bytes + width);
    if (index < count) {
      const buf = this.#arena.u8[made >>> SEGMENT_SHIFT]!;
      const at = byteOf(made);
      buf.copyWithin(at + pos + width, at + pos, at + bytes);
    }
    this.#write(made, width, index, hi, lo);
    this.#setCount(made, count + 1);
    return made;
  }

  /** Removes the member at an index; may give memory back. */
  remove(ref: number, index: number): number {
    const count = this.count(ref) - 1;
    const width = this.width(ref);
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const at = byteOf(ref);
    const pos = at + HEADER_BYTES + index * width;
    const bytes = HEADER_BYTES + count * width;
    if (index < count) buf.copyWithin(pos, pos + width, at + bytes + width);
    this.#setCount(ref, count);
    return this.#shrink(ref, bytes);
  }

  /** A copy in the heap of `target`. */
  copyTo(ref: number, target: Intsets): number {
    return target.#copy(
      this.#arena.u8[ref >>> SEGMENT_SHIFT]!,
      byteOf(ref),
      this.bytes(ref),
    );
  }

  /**
   * An intset of bytes that come from elsewhere, after a look at every member; 0
   * if they are none, or one without members.
   */
  load(buf: Uint8Array, off: number, length: number): number {
    if (length <= HEADER_BYTES) return 0;
    const width = buf[off]!;
    if (width !== 2 && width !== 4 && width !== 8) return 0;
    const count = (length - HEADER_BYTES) / width;
    if (wordAt(buf, off) !== width || wordAt(buf, off + 4) !== count) return 0;
    const made = this.#copy(buf, off, length);
    if (this.#ascends(made)) return made;
    this.free(made);
    return 0;
  }

  /** Checks the invariants; for tests. */
  verify(ref: number): void {
    const width = this.width(ref);
    assert(
      width === 2 || width === 4 || width === 8,
      "an intset's members have a width that there is",
    );
    assert(this.#ascends(ref), "an intset's members ascend");
    assert(
      this.bytes(ref) <= this.#heap.unitsOf(ref) << 3,
      "an intset lies within its allocation",
    );
  }

  #ascends(ref: number): boolean {
    const { member } = this;
    const count = this.count(ref);
    if (count === 0) return true;
    this.read(ref, 0);
    for (let i = 1; i < count; i++) {
      const { hi, lo } = member;
      this.read(ref, i);
      if (compareInt64(hi, lo, member.hi, member.lo) >= 0) return false;
    }
    return true;
  }

  #copy(buf: Uint8Array, off: number, length: number): number {
    const made = this.#heap.allocate((length + 7) >>> 3);
    const into = this.#arena.u8[made >>> SEGMENT_SHIFT]!;
    copyBytes(buf, off, into, byteOf(made), length);
    return made;
  }

  /** Adds the first member of a greater width: it is the least or the most. */
  #widen(
    ref: number,
    width: number,
    index: number,
    hi: number,
    lo: number,
  ): number {
    const count = this.count(ref);
    const old = this.width(ref);
    const bytes = HEADER_BYTES + count * old;
    const made = this.#reserve(ref, bytes, HEADER_BYTES + (count + 1) * width);
    const words = this.#arena.i32[made >>> SEGMENT_SHIFT]!;
    const first = wordOf(made) + HEADER_WORDS;
    const shift = index === 0 ? 1 : 0;
    // From the last one on, so that none is written over before it was read.
    for (let i = count - 1; i >= 0; i--) {
      const n = narrowAt(words, first, old, i);
      this.#write(made, width, i + shift, n >> 31, n);
    }
    words[first - HEADER_WORDS + WIDTH] = width;
    this.#write(made, width, index, hi, lo);
    this.#setCount(made, count + 1);
    return made;
  }

  #write(
    ref: number,
    width: number,
    index: number,
    hi: number,
    lo: number,
  ): void {
    const words = this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
    const first = wordOf(ref) + HEADER_WORDS;
    if (width === 8) {
      words[first + index * 2] = lo;
      words[first + index * 2 + 1] = hi;
    } else if (width === 4) words[first + index] = lo;
    else {
      const at = first + (index >> 1);
      words[at] = (index & 1) === 0
        ? (words[at]! & ~0xffff) | (lo & 0xffff)
        : (words[at]! & 0xffff) | lo << 16;
    }
  }

  #setCount(ref: number, count: number): void {
    this.#arena.i32[ref >>> SEGMENT_SHIFT]![wordOf(ref) + COUNT] = count;
  }

  /** Makes room for `wanted` bytes, keeping the first `bytes`. */
  #reserve(ref: number, bytes: number, wanted: number): number {
    if (wanted <= this.#heap.unitsOf(ref) << 3) return ref;
    const room = wanted < SPARE_BYTES_MIN ? wanted : wanted + (wanted >>> 3);
    return this.#heap.move(ref, this.#heap.allocate((room + 7) >>> 3), bytes);
  }

  /** Moves to a smaller allocation if a quarter would be left over. */
  #shrink(ref: number, bytes: number): number {
    const units = (bytes + 7) >>> 3;
    if (units * 4 > this.#heap.unitsOf(ref) * 3) return ref;
    const made = this.#heap.tryAllocate(units);
    return made === 0 ? ref : this.#heap.move(ref, made, bytes);
  }
}

/** Least width of a member. */
function widthOf(hi: number, lo: number): number {
  if (hi !== lo >> 31) return 8;
  return lo === (lo << 16) >> 16 ? 2 : 4;
}

/** A member of 2 or 4 bytes. */
function narrowAt(
  words: Int32Array,
  first: number,
  width: number,
  index: number,
): number {
  return width === 4
    ? words[first + index]!
    : words[first + (index >> 1)]! << ((~index & 1) << 4) >> 16;
}

function searchNarrow(
  words: Int32Array,
  first: number,
  count: number,
  width: number,
  n: number,
): number {
  if (n > narrowAt(words, first, width, count - 1)) return ~count;
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (narrowAt(words, first, width, middle) < n) low = middle + 1;
    else high = middle;
  }
  return narrowAt(words, first, width, low) === n ? low : ~low;
}

function searchWide(
  words: Int32Array,
  first: number,
  count: number,
  hi: number,
  lo: number,
): number {
  const last = first + (count - 1) * 2;
  if (compareInt64(hi, lo, words[last + 1]!, words[last]!) > 0) return ~count;
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = first + middle * 2;
    if (compareInt64(words[at + 1]!, words[at]!, hi, lo) < 0) low = middle + 1;
    else high = middle;
  }
  const at = first + low * 2;
  return words[at] === lo && words[at + 1] === hi ? low : ~low;
}

/** Reads a word of any buffer, without sign. */
function wordAt(buf: Uint8Array, at: number): number {
  return (buf[at]! | buf[at + 1]! << 8 | buf[at + 2]! << 16 |
    buf[at + 3]! << 24) >>> 0;
}

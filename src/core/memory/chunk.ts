/**
 * Chunks: pieces of a list, each one allocation with room at both ends, so that
 * elements come and go there without moving the others.
 *
 * ```text
 * word 0   byte at which the elements begin, from the start of the chunk
 * word 1   byte at which they end
 * word 2   how many there are, or PLAIN
 * word 3   bytes of the allocation
 * bytes    [ room ][ element ]* [ room ]
 * ```
 *
 * Elements are written as in a listpack (listpack.ts) and are in the same way
 * canonical, so they are compared by their bytes. A plain chunk has one element,
 * whose bare bytes lie between begin and end: for those that are too large to
 * share a chunk.
 *
 * Positions are offsets of elements from the start of the chunk. An element that
 * is to be added or looked for is encoded first ({@linkcode Listpacks.encode});
 * its text must not lie in the chunk itself. Writes that may move the chunk
 * return its reference; they throw OutOfMemory before anything has changed.
 * Whatever removes elements needs no memory.
 *
 * Cost: an element more or less at an end is constant, growth amortised: a chunk
 * grows by a quarter, and if its room is at the wrong end, it slides so that the
 * other end keeps a quarter of it. In the middle, the shorter side moves.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import {
  copyBytes,
  equalBytes,
  equalLong,
  LONG_RUN_BYTES,
} from "../base/bytes.ts";
import { type Arena, byteOf, SEGMENT_SHIFT, UNIT_MASK } from "./arena.ts";
import { EXTERNAL_HEADER_BYTES } from "./external.ts";
import type { Heap } from "./heap.ts";
import { KNOWN_KEYS, LONG_KEY_BYTES } from "./known_keys.ts";
import {
  type ListpackItem,
  type Listpacks,
  moveWithin,
  readElement,
} from "./listpack.ts";
import { elementBytes, elementBytesBefore } from "./listpack_format.ts";
import { CLASS_UNITS_MAX } from "./size_classes.ts";

/**
 * Bytes before the first element of a chunk without room before it: as many as
 * before an external string, so that one becomes a plain chunk where it lies.
 */
export const CHUNK_HEADER_BYTES = EXTERNAL_HEADER_BYTES;

const START = 0;
const END = 1;
const COUNT = 2;
const CAPACITY = 3;
/** Count of a plain chunk: one, and a flag. */
const PLAIN = 1 | 1 << 31;
const COUNT_MASK = 0x7fffffff;
const NO_LIMIT = 0x7fffffff;

const SHORT_MAX = 0x3f;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/** Smallest capacity, in units, that is worth being made smaller. */
const FIT_UNITS_MIN = 8;

/** Operations on the chunks of one heap. */
export class Chunks {
  /** Elements that the last {@linkcode Chunks.find} has passed. */
  passed = 0;
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #listpacks: Listpacks;
  /** Where the gap is that {@linkcode Chunks.#open} has made. */
  #gap = 0;

  /** `listpacks` encodes the elements. */
  constructor(arena: Arena, heap: Heap, listpacks: Listpacks) {
    this.#arena = arena;
    this.#heap = heap;
    this.#listpacks = listpacks;
  }

  /** An empty chunk with room for that many bytes, before or behind. */
  create(bytes: number, atHead: boolean): number {
    const ref = this.#heap.allocate((CHUNK_HEADER_BYTES + bytes + 7) >>> 3);
    const capacity = this.#heap.unitsOf(ref) << 3;
    const start = atHead ? capacity : CHUNK_HEADER_BYTES;
    this.#setHeader(ref, start, start, 0);
    return ref;
  }

  /** A plain chunk. */
  createPlain(buf: Uint8Array, off: number, length: number): number {
    const units = (CHUNK_HEADER_BYTES + length + 7) >>> 3;
    const ref = this.#heap.allocate(units);
    if (units > CLASS_UNITS_MAX) this.#heap.setSteady(ref);
    const end = CHUNK_HEADER_BYTES + length;
    this.#setHeader(ref, CHUNK_HEADER_BYTES, end, PLAIN);
    copyBytes(
      buf,
      off,
      this.#arena.u8[ref >>> SEGMENT_SHIFT]!,
      byteOf(ref) + CHUNK_HEADER_BYTES,
      length,
    );
    return ref;
  }

  /**
   * A plain chunk made of an external string of that length, which nobody else
   * has and which is the heap's from now on. Its bytes stay where they are.
   */
  adoptRun(run: number, length: number): number {
    this.#heap.adoptRun(run);
    this.#heap.setSteady(run);
    const end = CHUNK_HEADER_BYTES + length;
    this.#setHeader(run, CHUNK_HEADER_BYTES, end, PLAIN);
    return run;
  }

  /**
   * What {@linkcode Chunks.adoptRun} has made, or what is as long, is no more the
   * heap's: it is to be made an external string, or another heap's chunk.
   */
  disown(ref: number): void {
    this.#heap.disownRun(ref);
  }

  /** What another heap has disowned is this one's. */
  own(ref: number): void {
    this.#heap.adoptRun(ref);
  }

  /** Gives the memory back. */
  free(ref: number): void {
    this.#heap.free(ref);
  }

  /** Whether the chunk holds one bare element. */
  isPlain(ref: number): boolean {
    return this.#word(ref, COUNT) < 0;
  }

  /** Elements. */
  count(ref: number): number {
    return this.#word(ref, COUNT) & COUNT_MASK;
  }

  /** Bytes of the elements. */
  bytes(ref: number): number {
    return this.#word(ref, END) - this.#word(ref, START);
  }

  /** Bytes of the allocation. */
  allocatedBytes(ref: number): number {
    return this.#word(ref, CAPACITY);
  }

  /** The byte view that holds a chunk. */
  bytesOf(ref: number): Uint8Array {
    return this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
  }

  /** Where a position is in that view. */
  offsetOf(ref: number, pos: number): number {
    return byteOf(ref) + pos;
  }

  /** Position of the first element, if there is one. */
  first(ref: number): number {
    return this.#word(ref, START);
  }

  /** Position behind the last element. */
  end(ref: number): number {
    return this.#word(ref, END);
  }

  /** Position of the element with that index, which may be the end's. */
  seek(ref: number, index: number): number {
    const count = this.#word(ref, COUNT);
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const start = byteOf(ref);
    if (count < 0) return this.#word(ref, index === 0 ? START : END);
    if (index > count >>> 1) {
      let at = start + this.#word(ref, END);
      for (let i = count; i > index; i--) at -= elementBytesBefore(buf, at);
      return at - start;
    }
    let at = start + this.#word(ref, START);
    for (let i = 0; i < index; i++) at += elementBytes(buf, at);
    return at - start;
  }

  /** Position behind the element at `pos`. */
  next(ref: number, pos: number): number {
    return pos + this.#bytesAt(ref, pos);
  }

  /** Position of the element that ends at `pos`. */
  previous(ref: number, pos: number): number {
    if (this.isPlain(ref)) return this.first(ref);
    return pos - elementBytesBefore(
      this.#arena.u8[ref >>> SEGMENT_SHIFT]!,
      byteOf(ref) + pos,
    );
  }

  /** Reads an element, as {@linkcode Listpacks.read} does. */
  read(ref: number, pos: number, item: ListpackItem): void {
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const at = byteOf(ref) + pos;
    if (!this.isPlain(ref)) return readElement(buf, at, item);
    item.isInteger = false;
    item.buf = buf;
    item.off = at;
    item.length = this.bytes(ref);
  }

  /** Whether the element of a plain chunk is the given text. */
  isPlainEqual(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): boolean {
    return this.plainEqualTo(ref, buf, off, length, 0, Infinity) === length;
  }

  /**
   * How far the element of a plain chunk is known to be the given text, or -1 if it
   * is another one. The first `done` bytes are, about `budget` more are looked at.
   */
  plainEqualTo(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    done: number,
    budget: number,
  ): number {
    if (this.bytes(ref) !== length) return -1;
    const own = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const at = byteOf(ref) + CHUNK_HEADER_BYTES;
    if (length < LONG_RUN_BYTES) {
      return equalBytes(own, at, length, buf, off, length) ? length : -1;
    }
    if (length < LONG_KEY_BYTES) {
      return equalLong(own, at, buf, off, length) ? length : -1;
    }
    const isEqual = KNOWN_KEYS.has(ref, buf, off, length);
    if (isEqual !== undefined) return isEqual ? length : -1;
    const parts = Math.max(1, Math.ceil(budget / LONG_KEY_BYTES));
    const count = Math.min(length - done, parts * LONG_KEY_BYTES);
    return equalLong(own, at + done, buf, off + done, count)
      ? done + count
      : -1;
  }

  /**
   * Position of the first element from `pos` on that is the encoded one, or 0.
   * Looks at `most` elements, which there must be; `passed` of them were before
   * the one that was found. The chunk is not plain.
   */
  find(ref: number, pos: number, most: number): number {
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const start = byteOf(ref);
    let at = start + pos;
    for (let i = 0; i < most; i++) {
      if (this.#listpacks.isEncoded(buf, at)) {
        this.passed = i;
        return at - start;
      }
      at += elementBytes(buf, at);
    }
    this.passed = most;
    return 0;
  }

  /** As {@linkcode Chunks.find}, among the elements that end at `pos`. */
  findBackward(ref: number, pos: number, most: number): number {
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const start = byteOf(ref);
    let at = start + pos;
    for (let i = 0; i < most; i++) {
      at -= elementBytesBefore(buf, at);
      if (this.#listpacks.isEncoded(buf, at)) {
        this.passed = i;
        return at - start;
      }
    }
    this.passed = most;
    return 0;
  }

  /**
   * Adds the encoded element, of `bytes` bytes, at an end if nothing has to move
   * for it, and if the chunk has no more than `bytesMax` bytes and `countMax`
   * elements then. Says whether it did.
   */
  tryPush(
    ref: number,
    atHead: boolean,
    bytes: number,
    bytesMax: number,
    countMax: number,
  ): boolean {
    const words = this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
    const at = (ref & UNIT_MASK) << 1;
    const count = words[at + COUNT]!;
    const start = words[at + START]!;
    const end = words[at + END]!;
    if (
      count < 0 || count >= countMax ||
      CHUNK_HEADER_BYTES + end - start + bytes > bytesMax
    ) return false;
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    if (atHead) {
      const to = start - bytes;
      if (to < CHUNK_HEADER_BYTES) return false;
      words[at + START] = to;
      this.#listpacks.writeEncoded(buf, (at << 2) + to);
    } else {
      const to = end + bytes;
      if (to > words[at + CAPACITY]!) return false;
      words[at + END] = to;
      this.#listpacks.writeEncoded(buf, (at << 2) + end);
    }
    words[at + COUNT] = count + 1;
    return true;
  }

  /**
   * As {@linkcode Chunks.tryPush}, of a text that {@linkcode isShortString} and
   * need not be encoded before.
   */
  tryPushShort(
    ref: number,
    atHead: boolean,
    buf: Uint8Array,
    off: number,
    length: number,
    bytesMax: number,
    countMax: number,
  ): boolean {
    const words = this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
    const at = (ref & UNIT_MASK) << 1;
    const count = words[at + COUNT]!;
    const start = words[at + START]!;
    const end = words[at + END]!;
    const bytes = length + 2;
    if (
      count < 0 || count >= countMax ||
      CHUNK_HEADER_BYTES + end - start + bytes > bytesMax
    ) return false;
    let to = end;
    if (atHead) {
      to = start - bytes;
      if (to < CHUNK_HEADER_BYTES) return false;
      words[at + START] = to;
    } else {
      if (end + bytes > words[at + CAPACITY]!) return false;
      words[at + END] = end + bytes;
    }
    words[at + COUNT] = count + 1;
    const into = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    to += at << 2;
    into[to++] = 0x80 | length;
    let from = off;
    const textEnd = off + length;
    while (from < textEnd) into[to++] = buf[from++]!;
    into[to] = length + 1;
    return true;
  }

  /**
   * Adds the encoded element, of `bytes` bytes, at an end. A chunk that has to
   * grow does not grow beyond `capacityMax` unless it must.
   */
  push(
    ref: number,
    atHead: boolean,
    bytes: number,
    capacityMax: number,
  ): number {
    const room = atHead
      ? this.first(ref) - CHUNK_HEADER_BYTES
      : this.#word(ref, CAPACITY) - this.end(ref);
    const chunk = room < bytes
      ? this.#widen(ref, atHead, bytes, capacityMax)
      : ref;
    this.tryPush(chunk, atHead, bytes, NO_LIMIT, NO_LIMIT);
    return chunk;
  }

  /** Makes room for so many more bytes at an end, so that nothing moves then. */
  reserve(ref: number, atHead: boolean, bytes: number): number {
    const room = atHead
      ? this.first(ref) - CHUNK_HEADER_BYTES
      : this.#word(ref, CAPACITY) - this.end(ref);
    return room < bytes ? this.#widen(ref, atHead, bytes, 0) : ref;
  }

  /** Removes the element at an end. The chunk, not plain, stays in its place. */
  drop(ref: number, atHead: boolean): void {
    const words = this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
    const at = (ref & UNIT_MASK) << 1;
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    if (atHead) {
      const start = words[at + START]!;
      words[at + START] = start + elementBytes(buf, (at << 2) + start);
    } else {
      const end = words[at + END]!;
      words[at + END] = end - elementBytesBefore(buf, (at << 2) + end);
    }
    words[at + COUNT] = words[at + COUNT]! - 1;
  }

  /** Inserts the encoded element before the one with an index, or at the end. */
  insert(
    ref: number,
    index: number,
    bytes: number,
    capacityMax: number,
  ): number {
    const pos = this.seek(ref, index);
    const opened = this.#open(ref, pos, 0, bytes, capacityMax);
    this.#setWord(opened, COUNT, this.#word(opened, COUNT) + 1);
    this.#listpacks.writeEncoded(
      this.#arena.u8[opened >>> SEGMENT_SHIFT]!,
      byteOf(opened) + this.#gap,
    );
    return opened;
  }

  /**
   * Puts the encoded element in the place of the one with an index. Does not, and
   * returns 0, if a chunk of several elements would grow beyond `capacityMax`.
   */
  replace(
    ref: number,
    index: number,
    bytes: number,
    capacityMax: number,
  ): number {
    const pos = this.seek(ref, index);
    const old = this.#bytesAt(ref, pos);
    if (
      bytes > old && this.count(ref) > 1 &&
      CHUNK_HEADER_BYTES + this.bytes(ref) - old + bytes > capacityMax
    ) return 0;
    const opened = this.#open(ref, pos, old, bytes, capacityMax);
    this.#listpacks.writeEncoded(
      this.#arena.u8[opened >>> SEGMENT_SHIFT]!,
      byteOf(opened) + this.#gap,
    );
    return opened;
  }

  /** Removes `count` elements from an index on. */
  cut(ref: number, from: number, count: number): void {
    const pos = this.seek(ref, from);
    this.#open(ref, pos, this.seek(ref, from + count) - pos, 0, 0);
    this.#setWord(ref, COUNT, this.#word(ref, COUNT) - count);
  }

  /**
   * Removes the elements that are the encoded one: passes over the first `skip`
   * of them and removes the next `most`. Returns how many it has removed.
   */
  removeEncoded(ref: number, skip: number, most: number): number {
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const base = byteOf(ref);
    const end = base + this.end(ref);
    let at = base + this.first(ref);
    let to = at;
    let kept = at;
    let skipped = 0;
    let removed = 0;
    while (at < end && removed < most) {
      const bytes = elementBytes(buf, at);
      if (this.#listpacks.isEncoded(buf, at) && ++skipped > skip) {
        if (to !== kept) moveWithin(buf, to, kept, at - kept);
        to += at - kept;
        kept = at + bytes;
        removed++;
      }
      at += bytes;
    }
    if (removed === 0) return 0;
    moveWithin(buf, to, kept, end - kept);
    this.#setWord(ref, END, to + end - kept - base);
    this.#setWord(ref, COUNT, this.#word(ref, COUNT) - removed);
    return removed;
  }

  /** How many elements are the encoded one. */
  countEncoded(ref: number): number {
    const end = this.end(ref);
    let left = this.count(ref);
    let found = 0;
    for (let pos = this.first(ref); pos < end;) {
      pos = this.find(ref, pos, left);
      if (pos === 0) break;
      left -= this.passed + 1;
      pos = this.next(ref, pos);
      found++;
    }
    return found;
  }

  /** Moves a chunk that uses less than half of its allocation to a smaller one. */
  fit(ref: number): number {
    const used = this.bytes(ref) + CHUNK_HEADER_BYTES;
    const units = (used + 7) >>> 3;
    const capacity = this.#word(ref, CAPACITY) >>> 3;
    if (capacity < FIT_UNITS_MIN || units * 2 > capacity) return ref;
    return this.#shrink(ref, units + (units >>> 2));
  }

  /** Gives back what the allocation has more than the elements need. */
  trim(ref: number): number {
    const units = (this.bytes(ref) + CHUNK_HEADER_BYTES + 7) >>> 3;
    // Allocations are rounded up by as much as an eighth.
    return units * 8 > (this.#word(ref, CAPACITY) >>> 3) * 7
      ? ref
      : this.#shrink(ref, units);
  }

  /**
   * A chunk of this heap with `count` elements, from an index on, of a chunk in
   * any heap, and no room.
   */
  copyRange(
    source: Chunks,
    ref: number,
    from: number,
    count: number,
  ): number {
    const pos = source.seek(ref, from);
    const made = this.adopt(
      source.#arena.u8[ref >>> SEGMENT_SHIFT]!,
      byteOf(ref) + pos,
      source.seek(ref, from + count) - pos,
      count,
    );
    if (source.isPlain(ref)) {
      this.#setWord(made, COUNT, PLAIN);
      if (this.#heap.isRun(made)) this.#heap.setSteady(made);
    }
    return made;
  }

  /** A chunk of elements that are encoded already, from anywhere. */
  adopt(
    buf: Uint8Array,
    off: number,
    bytes: number,
    count: number,
  ): number {
    const made = this.#heap.allocate((CHUNK_HEADER_BYTES + bytes + 7) >>> 3);
    const end = CHUNK_HEADER_BYTES + bytes;
    this.#setHeader(made, CHUNK_HEADER_BYTES, end, count);
    copyBytes(
      buf,
      off,
      this.#arena.u8[made >>> SEGMENT_SHIFT]!,
      byteOf(made) + CHUNK_HEADER_BYTES,
      bytes,
    );
    return made;
  }

  /**
   * A new chunk with the elements of two, neither of them plain, which stay as
   * they are; 0 if memory is short.
   */
  join(a: number, b: number): number {
    const aBytes = this.bytes(a);
    const bBytes = this.bytes(b);
    const total = CHUNK_HEADER_BYTES + aBytes + bBytes;
    const made = this.#heap.tryAllocate((total + 7) >>> 3);
    if (made === 0) return 0;
    const count = this.count(a) + this.count(b);
    this.#setHeader(made, CHUNK_HEADER_BYTES, total, count);
    const into = this.#arena.u8[made >>> SEGMENT_SHIFT]!;
    const at = byteOf(made) + CHUNK_HEADER_BYTES;
    copyBytes(this.bytesOf(a), byteOf(a) + this.first(a), into, at, aBytes);
    copyBytes(
      this.bytesOf(b),
      byteOf(b) + this.first(b),
      into,
      at + aBytes,
      bBytes,
    );
    return made;
  }

  /** Checks a chunk; for tests. */
  verify(ref: number): void {
    const start = this.first(ref);
    const end = this.end(ref);
    assert(start >= CHUNK_HEADER_BYTES && start <= end, "elements are ordered");
    assert(
      this.#word(ref, CAPACITY) === this.#heap.unitsOf(ref) << 3,
      "a chunk knows its capacity",
    );
    assert(end <= this.#word(ref, CAPACITY), "elements lie in the chunk");
    if (this.isPlain(ref)) return;
    let count = 0;
    let pos = start;
    for (; pos < end; count++) {
      const next = this.next(ref, pos);
      assert(this.previous(ref, next) === pos, "elements go both ways");
      pos = next;
    }
    assert(pos === end, "elements fill their range");
    assert(count === this.count(ref), "elements are counted");
  }

  #bytesAt(ref: number, pos: number): number {
    return this.isPlain(ref) ? this.bytes(ref) : elementBytes(
      this.#arena.u8[ref >>> SEGMENT_SHIFT]!,
      byteOf(ref) + pos,
    );
  }

  /** Makes room for `bytes` more at an end that has none left. */
  #widen(
    ref: number,
    atHead: boolean,
    bytes: number,
    capacityMax: number,
  ): number {
    const capacity = this.#word(ref, CAPACITY);
    const start = this.first(ref);
    const used = this.end(ref) - start;
    const needed = CHUNK_HEADER_BYTES + used + bytes;
    const free = capacity - CHUNK_HEADER_BYTES - used;
    if (
      needed <= capacity && (free * 4 >= capacity || capacity >= capacityMax)
    ) {
      const other = (free - bytes) >>> 2;
      const to = atHead ? capacity - other - used : CHUNK_HEADER_BYTES + other;
      const base = byteOf(ref);
      moveWithin(this.bytesOf(ref), base + to, base + start, used);
      this.#setWord(ref, START, to);
      this.#setWord(ref, END, to + used);
      return ref;
    }
    const made = this.#heap.allocate(grownUnits(needed, capacityMax));
    const to = atHead
      ? (this.#heap.unitsOf(made) << 3) - used
      : CHUNK_HEADER_BYTES;
    return this.#moveTo(ref, made, to);
  }

  /**
   * Makes the `old` bytes at `pos` `wanted` ones; where they are then is noted.
   * Needs memory only for more bytes.
   */
  #open(
    ref: number,
    pos: number,
    old: number,
    wanted: number,
    capacityMax: number,
  ): number {
    const buf = this.bytesOf(ref);
    const base = byteOf(ref);
    const start = this.first(ref);
    const end = this.end(ref);
    const by = wanted - old;
    const before = pos - start;
    const after = end - pos - old;
    const hasFront = start - CHUNK_HEADER_BYTES >= by;
    const hasBack = this.#word(ref, CAPACITY) - end >= by;
    if (hasFront && (before < after || !hasBack)) {
      moveWithin(buf, base + start - by, base + start, before);
      this.#setWord(ref, START, start - by);
      this.#gap = pos - by;
      return ref;
    }
    this.#gap = pos;
    if (hasBack) {
      moveWithin(buf, base + pos + wanted, base + pos + old, after);
      this.#setWord(ref, END, end + by);
      return ref;
    }
    const needed = CHUNK_HEADER_BYTES + end - start + by;
    const made = this.#heap.allocate(grownUnits(needed, capacityMax));
    const into = this.bytesOf(made);
    const at = byteOf(made) + CHUNK_HEADER_BYTES;
    copyBytes(buf, base + start, into, at, before);
    copyBytes(buf, base + pos + old, into, at + before + wanted, after);
    this.#setHeader(made, CHUNK_HEADER_BYTES, needed, this.#word(ref, COUNT));
    this.#gap = CHUNK_HEADER_BYTES + before;
    this.#heap.free(ref);
    return made;
  }

  #shrink(ref: number, units: number): number {
    const made = this.#heap.tryAllocate(units);
    return made === 0 ? ref : this.#moveTo(ref, made, CHUNK_HEADER_BYTES);
  }

  /** Moves the elements to another allocation; the old one is freed. */
  #moveTo(ref: number, made: number, to: number): number {
    const start = this.first(ref);
    const used = this.end(ref) - start;
    copyBytes(
      this.bytesOf(ref),
      byteOf(ref) + start,
      this.bytesOf(made),
      byteOf(made) + to,
      used,
    );
    this.#setHeader(made, to, to + used, this.#word(ref, COUNT));
    this.#heap.free(ref);
    return made;
  }

  /** Writes the header of a new chunk. */
  #setHeader(ref: number, start: number, end: number, count: number): void {
    const words = this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
    const at = (ref & UNIT_MASK) << 1;
    words[at + START] = start;
    words[at + END] = end;
    words[at + COUNT] = count;
    words[at + CAPACITY] = this.#heap.unitsOf(ref) << 3;
  }

  #word(ref: number, index: number): number {
    return this.#arena.i32[ref >>> SEGMENT_SHIFT]![
      ((ref & UNIT_MASK) << 1) + index
    ]!;
  }

  #setWord(ref: number, index: number, value: number): void {
    this.#arena.i32[ref >>> SEGMENT_SHIFT]![
      ((ref & UNIT_MASK) << 1) + index
    ] = value;
  }
}

/** Whether a text is for certain stored as a string with a head of one byte. */
export function isShortString(
  buf: Uint8Array,
  off: number,
  length: number,
): boolean {
  if (length === 0 || length > SHORT_MAX) return length === 0;
  const byte = buf[off]!;
  return byte > NINE || byte < ZERO && byte !== MINUS;
}

/** A quarter more than needed, within the capacity that is aimed at. */
function grownUnits(neededBytes: number, capacityMax: number): number {
  const aimed = Math.max(neededBytes, capacityMax);
  return (Math.min(aimed, neededBytes + (neededBytes >>> 2)) + 7) >>> 3;
}

/**
 * Listpacks: short sequences of strings and integers in one allocation, in
 * Redis's own format, byte for byte, so that DUMP and RESTORE copy them.
 *
 * ```text
 * [ bytes : u32 ][ elements : u16 ][ element ]* [ 0xFF ]      little endian
 * element   [ head ][ text of a string ][ length of both, read backwards ]
 * head      0xxxxxxx                   integer 0..127
 *           10llllll                   string of up to 63 bytes
 *           110xxxxx x{8}              integer of 13 bits
 *           1110llll l{8}              string of up to 4095 bytes
 *           F0 l{32}                   string
 *           F1 F2 F3 F4                integer of 16, 24, 32, 64 bits
 * ```
 *
 * Invariants: every element has the shortest head there is, and what is the
 * canonical text of a 64-bit integer is stored as an integer; so two elements
 * are equal if their bytes are, and a search compares bytes. 65535 elements mean
 * that nobody knows: they are counted then.
 *
 * Positions are offsets of elements from the blob's start; 0 is none. They stay
 * good for elements before the one that was changed. Writes return the blob's
 * reference, which may have moved; they throw OutOfMemory before anything has
 * changed. What is written may lie in the arena, but not in the blob itself.
 *
 * Cost: linear in the bytes that are passed or moved.
 *
 * Source: the listpack specification by Salvatore Sanfilippo.
 *
 * Size: what reads and writes elements stands beside what moves them.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { copyBytes, equalBytes } from "../base/bytes.ts";
import { readDouble } from "../base/double.ts";
import {
  INTEGER_BYTES_MAX,
  parseBigInteger,
  parseSafeInteger,
  writeBigInteger,
  writeInteger,
} from "../base/integer.ts";
import { type Arena, byteOf, SEGMENT_SHIFT } from "./arena.ts";
import type { Heap } from "./heap.ts";
import {
  elementBytes,
  elementBytesBefore,
  listpackElements,
  MALFORMED,
  NOT_CANONICAL,
  reversedLengthBytes,
} from "./listpack_format.ts";
import {
  readWord,
  writeIntegerHead,
  writeReversedLength,
  writeTextHead,
  writeWideHead,
  writeWord,
} from "./listpack_head.ts";

/** Bytes before the first element. */
export const LISTPACK_HEADER_BYTES = 6;
const COUNT = 4;
const COUNT_UNKNOWN = 0xffff;
const END = 0xff;
/** Bytes of a listpack without elements. */
export const LISTPACK_EMPTY_BYTES: number = LISTPACK_HEADER_BYTES + 1;

const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const TWO_TO_32 = 4294967296;

/** Longest piece that a loop moves faster than `copyWithin`. */
const MOVE_LOOP_MAX = 32;

/** An element as read: one object, filled anew by each read. */
export class ListpackItem {
  /** Whether the element is stored as an integer. */
  isInteger = false;
  /** The integer; only near the truth beyond the safe integers. */
  integer = 0;
  /** Holds the element's text. */
  buf: Uint8Array;
  /** Where the text begins. */
  off = 0;
  /** Bytes of the text. */
  length = 0;
  /** Room for the text of an integer. */
  readonly digits: Uint8Array = new Uint8Array(INTEGER_BYTES_MAX);

  /** Empty until read. */
  constructor() {
    this.buf = this.digits;
  }
}

/** Operations on the listpacks of one heap. */
export class Listpacks {
  readonly #arena: Arena;
  readonly #heap: Heap;
  /** The head of the element that is to be written or found. */
  readonly #head = new Uint8Array(9);
  #headLength = 0;
  /** Its text, if it is a string; length 0 for an integer. */
  #text: Uint8Array = this.#head;
  #textOff = 0;
  #textLength = 0;
  /** Elements on their way to another place. */
  #moved = new Uint8Array(128);

  /** `heap` gets and gives the memory. */
  constructor(arena: Arena, heap: Heap) {
    this.#arena = arena;
    this.#heap = heap;
  }

  /** An empty listpack with room for that many bytes. */
  create(capacityBytes: number = LISTPACK_EMPTY_BYTES): number {
    const room = Math.max(capacityBytes, LISTPACK_EMPTY_BYTES);
    const ref = this.#heap.allocate((room + 7) >>> 3);
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const at = byteOf(ref);
    writeWord(buf, at, LISTPACK_EMPTY_BYTES);
    buf[at + COUNT] = 0;
    buf[at + COUNT + 1] = 0;
    buf[at + LISTPACK_HEADER_BYTES] = END;
    return ref;
  }

  /** Gives the memory back. */
  free(ref: number): void {
    this.#heap.free(ref);
  }

  /** Bytes of the listpack, head and end included. */
  bytes(ref: number): number {
    return readWord(this.#arena.u8[ref >>> SEGMENT_SHIFT]!, byteOf(ref));
  }

  /** Elements; constant time below 65535. */
  count(ref: number): number {
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const at = byteOf(ref);
    const count = buf[at + COUNT]! | buf[at + COUNT + 1]! << 8;
    if (count !== COUNT_UNKNOWN) return count;
    let found = 0;
    for (
      let p = at + LISTPACK_HEADER_BYTES;
      buf[p] !== END;
      p += elementBytes(buf, p)
    ) found++;
    return found;
  }

  /** Position of the first element, or 0. */
  first(ref: number): number {
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    return buf[byteOf(ref) + LISTPACK_HEADER_BYTES] === END
      ? 0
      : LISTPACK_HEADER_BYTES;
  }

  /** Position of the last element, or 0. */
  last(ref: number): number {
    return this.previous(ref, this.bytes(ref) - 1);
  }

  /** Position of the element behind, or 0. */
  next(ref: number, pos: number): number {
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const at = byteOf(ref) + pos;
    const bytes = elementBytes(buf, at);
    return buf[at + bytes] === END ? 0 : pos + bytes;
  }

  /** Position of the element before, or 0. */
  previous(ref: number, pos: number): number {
    if (pos <= LISTPACK_HEADER_BYTES) return 0;
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    return pos - elementBytesBefore(buf, byteOf(ref) + pos);
  }

  /** Position of the element with that index, negative from the end; or 0. */
  seek(ref: number, index: number): number {
    const count = this.count(ref);
    const wanted = index < 0 ? index + count : index;
    if (wanted < 0 || wanted >= count) return 0;
    if (wanted > count >>> 1) {
      let pos = this.last(ref);
      for (let i = count - 1; i > wanted; i--) pos = this.previous(ref, pos);
      return pos;
    }
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const start = byteOf(ref);
    let at = start + LISTPACK_HEADER_BYTES;
    for (let i = 0; i < wanted; i++) at += elementBytes(buf, at);
    return at - start;
  }

  /**
   * Reads an element, its text included; allocates only for integers that are
   * not safe. Returns the position behind it, which may be that of the end.
   */
  read(ref: number, pos: number, item: ListpackItem): number {
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const at = byteOf(ref) + pos;
    readElement(buf, at, item);
    return pos + elementBytes(buf, at);
  }

  /** The position behind an element, which may be that of the end. */
  behind(ref: number, pos: number): number {
    return pos + this.#bytesAt(ref, pos);
  }

  /** The safe integer that an element is, or NaN. */
  integerAt(ref: number, pos: number): number {
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const at = byteOf(ref) + pos;
    const byte = buf[at]!;
    if (byte >= 0x80 && byte < 0xc0 || byte >= 0xe0 && byte <= 0xf0) return NaN;
    const n = integerAt(buf, at, byte);
    return Number.isSafeInteger(n) ? n : NaN;
  }

  /** Whether the element at `pos` is the given text. */
  isEqual(
    ref: number,
    pos: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): boolean {
    this.#encode(buf, off, length);
    return this.#matches(
      this.#arena.u8[ref >>> SEGMENT_SHIFT]!,
      byteOf(ref) + pos,
    );
  }

  /**
   * Position of the first element with the given text, from `from` on, where
   * `skip` elements are passed over after each that was compared; or 0.
   */
  find(
    ref: number,
    from: number,
    buf: Uint8Array,
    off: number,
    length: number,
    skip: number,
  ): number {
    if (from === 0) return 0;
    const blob = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const start = byteOf(ref);
    if (length > 0 && length < 64 && buf[off]! > NINE) {
      return findText(blob, start, from, buf, off, length, skip);
    }
    this.#encode(buf, off, length);
    const first = this.#head[0]!;
    let at = start + from;
    for (let byte = blob[at]!; byte !== END; byte = blob[at]!) {
      if (byte === first && this.#matches(blob, at)) return at - start;
      at += elementBytes(blob, at);
      for (let i = 0; i < skip && blob[at] !== END; i++) {
        at += elementBytes(blob, at);
      }
    }
    return 0;
  }

  /** Makes room for so many more bytes, so that a write needs no memory. */
  reserve(ref: number, bytes: number): number {
    const total = this.bytes(ref);
    if (total + bytes <= this.#heap.unitsOf(ref) << 3) return ref;
    const made = this.#heap.allocate((total + bytes + 7) >>> 3);
    return this.#heap.move(ref, made, total);
  }

  /** Inserts a text before `pos`; 0 appends. It has that position then. */
  insert(
    ref: number,
    pos: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    this.#encode(buf, off, length);
    return this.#put(ref, pos === 0 ? this.bytes(ref) - 1 : pos, 0);
  }

  /** Inserts a safe integer before `pos`; 0 appends. */
  insertInteger(ref: number, pos: number, n: number): number {
    this.#encodeInteger(n);
    return this.#put(ref, pos === 0 ? this.bytes(ref) - 1 : pos, 0);
  }

  /** Puts a text in the place of an element. */
  replace(
    ref: number,
    pos: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    this.#encode(buf, off, length);
    return this.#put(ref, pos, this.#bytesAt(ref, pos));
  }

  /** Puts a safe integer in the place of an element. */
  replaceInteger(ref: number, pos: number, n: number): number {
    this.#encodeInteger(n);
    return this.#put(ref, pos, this.#bytesAt(ref, pos));
  }

  /** Adds a text behind the last element. */
  append(ref: number, buf: Uint8Array, off: number, length: number): number {
    this.#encode(buf, off, length);
    return this.#put(ref, this.bytes(ref) - 1, 0);
  }

  /** Adds a safe integer behind the last element. */
  appendInteger(ref: number, n: number): number {
    this.#encodeInteger(n);
    return this.#put(ref, this.bytes(ref) - 1, 0);
  }

  /** Adds two texts behind the last element, or none. */
  appendPair(
    ref: number,
    firstBuf: Uint8Array,
    firstOff: number,
    firstLength: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    const second = this.encode(buf, off, length);
    const first = this.encode(firstBuf, firstOff, firstLength);
    const end = this.bytes(ref) - 1;
    const opened = this.#open(ref, end, 0, first + second);
    const into = this.#arena.u8[opened >>> SEGMENT_SHIFT]!;
    const start = byteOf(opened);
    this.writeEncoded(into, start + end);
    this.#encode(buf, off, length);
    this.writeEncoded(into, start + end + first);
    const count = into[start + COUNT]! | into[start + COUNT + 1]! << 8;
    if (count !== COUNT_UNKNOWN) writeCount(into, start, count + 2);
    return opened;
  }

  /** Removes up to that many elements from `pos` on; may give memory back. */
  remove(ref: number, pos: number, elements = 1): number {
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const start = byteOf(ref);
    let at = start + pos;
    let removed = 0;
    while (removed < elements && buf[at] !== END) {
      at += elementBytes(buf, at);
      removed++;
    }
    return this.#cut(ref, pos, at - start, removed);
  }

  /**
   * Removes the elements from `pos` up to, not including, `end`; 0 for all that
   * follow.
   */
  removeRange(ref: number, pos: number, end: number): number {
    const to = end === 0 ? this.bytes(ref) - 1 : end;
    return this.#cut(ref, pos, to, this.#countBetween(ref, pos, to));
  }

  /**
   * Removes the elements at the first `count` of some ascending positions, which
   * takes no longer than to go through all; may give memory back.
   */
  removeEach(
    ref: number,
    positions: ArrayLike<number>,
    count: number,
  ): number {
    if (count === 0) return ref;
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const start = byteOf(ref);
    const total = readWord(buf, start);
    let to = start + positions[0]!;
    for (let i = 0; i < count; i++) {
      const at = start + positions[i]!;
      const from = at + elementBytes(buf, at);
      const end = i + 1 < count ? start + positions[i + 1]! : start + total;
      moveWithin(buf, to, from, end - from);
      to += end - from;
    }
    const left = to - start;
    writeWord(buf, start, left);
    const known = buf[start + COUNT]! | buf[start + COUNT + 1]! << 8;
    if (known !== COUNT_UNKNOWN) writeCount(buf, start, known - count);
    return this.#shrink(ref, left, 3);
  }

  /**
   * Moves the elements from `pos` up to, not including, `end` to before the one
   * at `to`, which is not among them; 0 stands for the end in both. Needs no
   * memory.
   */
  moveRange(ref: number, pos: number, end: number, to: number): void {
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const start = byteOf(ref);
    const total = this.bytes(ref) - 1;
    const from = start + pos;
    const behind = start + (end === 0 ? total : end);
    const target = start + (to === 0 ? total : to);
    const length = behind - from;
    if (length > this.#moved.length) this.#moved = new Uint8Array(length * 2);
    copyBytes(buf, from, this.#moved, 0, length);
    if (target > from) {
      moveWithin(buf, from, behind, target - behind);
      copyBytes(this.#moved, 0, buf, target - length, length);
    } else {
      moveWithin(buf, target + length, target, from - target);
      copyBytes(this.#moved, 0, buf, target, length);
    }
  }

  /**
   * A copy, in the heap of `target`, of the elements from `pos` up to, not
   * including, `end`; 0 for all that follow.
   */
  copyRange(ref: number, pos: number, end: number, target: Listpacks): number {
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const to = end === 0 ? this.bytes(ref) - 1 : end;
    const total = LISTPACK_EMPTY_BYTES + to - pos;
    const made = target.create(total);
    const into = target.#arena.u8[made >>> SEGMENT_SHIFT]!;
    const at = byteOf(made);
    copyBytes(
      buf,
      byteOf(ref) + pos,
      into,
      at + LISTPACK_HEADER_BYTES,
      to - pos,
    );
    into[at + total - 1] = END;
    writeWord(into, at, total);
    writeCount(into, at, this.#countBetween(ref, pos, to));
    return made;
  }

  /** A copy in the heap of `target`. */
  copyTo(ref: number, target: Listpacks): number {
    return target.#copyBlob(
      this.#arena.u8[ref >>> SEGMENT_SHIFT]!,
      byteOf(ref),
      this.bytes(ref),
    );
  }

  /** Adds all elements of another listpack, which stays as it is. */
  appendAll(ref: number, other: number): number {
    const added = this.bytes(other) - LISTPACK_EMPTY_BYTES;
    if (added === 0) return ref;
    const end = this.bytes(ref) - 1;
    const count = this.count(ref) + this.count(other);
    const grown = this.#open(ref, end, 0, added);
    const buf = this.#arena.u8[grown >>> SEGMENT_SHIFT]!;
    const at = byteOf(grown);
    copyBytes(
      this.#arena.u8[other >>> SEGMENT_SHIFT]!,
      byteOf(other) + LISTPACK_HEADER_BYTES,
      buf,
      at + end,
      added,
    );
    writeCount(buf, at, count);
    return grown;
  }

  /**
   * A listpack of bytes that come from elsewhere, after a look at every one of
   * them; 0 if they are none. Elements that are not encoded as here are encoded
   * anew.
   */
  load(buf: Uint8Array, off: number, length: number): number {
    const elements = listpackElements(buf, off, length);
    if (elements === MALFORMED) return 0;
    if (elements !== NOT_CANONICAL) {
      const made = this.#copyBlob(buf, off, length);
      const into = this.#arena.u8[made >>> SEGMENT_SHIFT]!;
      writeCount(into, byteOf(made), elements);
      return made;
    }
    const item = new ListpackItem();
    let made = this.create(length);
    const end = off + length - 1;
    for (
      let at = off + LISTPACK_HEADER_BYTES;
      at < end;
      at += elementBytes(buf, at)
    ) {
      readElement(buf, at, item);
      try {
        made = this.append(made, item.buf, item.off, item.length);
      } catch (cause) {
        this.free(made);
        throw cause;
      }
    }
    return made;
  }

  /** Gives back what the allocation has more than the listpack needs. */
  trim(ref: number): number {
    return this.#shrink(ref, this.bytes(ref), 1);
  }

  /**
   * Notes a text as an element that is to be written or looked for elsewhere
   * than in a listpack; returns the element's bytes. It stays noted until
   * another method is called with a text or an integer.
   */
  encode(buf: Uint8Array, off: number, length: number): number {
    this.#encode(buf, off, length);
    const bytes = this.#headLength + this.#textLength;
    return bytes + reversedLengthBytes(bytes);
  }

  /** Writes the element that is noted at byte `at`. */
  writeEncoded(into: Uint8Array, at: number): void {
    const head = this.#head;
    const headLength = this.#headLength;
    for (let i = 0; i < headLength; i++) into[at++] = head[i]!;
    const textLength = this.#textLength;
    if (textLength > 0) {
      copyBytes(this.#text, this.#textOff, into, at, textLength);
      at += textLength;
    }
    writeReversedLength(into, at, headLength + textLength);
  }

  /** Whether the element at byte `at` is the one that is noted. */
  isEncoded(buf: Uint8Array, at: number): boolean {
    return this.#matches(buf, at);
  }

  #copyBlob(buf: Uint8Array, off: number, length: number): number {
    const made = this.#heap.allocate((length + 7) >>> 3);
    const into = this.#arena.u8[made >>> SEGMENT_SHIFT]!;
    copyBytes(buf, off, into, byteOf(made), length);
    return made;
  }

  #bytesAt(ref: number, pos: number): number {
    return elementBytes(
      this.#arena.u8[ref >>> SEGMENT_SHIFT]!,
      byteOf(ref) + pos,
    );
  }

  #countBetween(ref: number, pos: number, end: number): number {
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const to = byteOf(ref) + end;
    let count = 0;
    for (let at = byteOf(ref) + pos; at < to; at += elementBytes(buf, at)) {
      count++;
    }
    return count;
  }

  /** Notes how a text is written as an element. */
  #encode(buf: Uint8Array, off: number, length: number): void {
    if (length <= INTEGER_BYTES_MAX && length > 0) {
      const byte = buf[off]!;
      if ((byte <= NINE && byte >= ZERO) || byte === MINUS) {
        const n = parseSafeInteger(buf, off, length);
        if (n === n) return this.#encodeInteger(n);
        if (length > 15) {
          const big = parseBigInteger(buf, off, length);
          if (big !== null) return this.#encodeBigInteger(big);
        }
      }
    }
    this.#headLength = writeTextHead(this.#head, 0, length);
    this.#text = buf;
    this.#textOff = off;
    this.#textLength = length;
  }

  #encodeInteger(n: number): void {
    this.#textLength = 0;
    this.#headLength = n === (n | 0)
      ? writeIntegerHead(this.#head, 0, n)
      : writeWideHead(this.#head, 0, Math.floor(n / TWO_TO_32), n);
  }

  #encodeBigInteger(n: bigint): void {
    this.#textLength = 0;
    const hi = Number(BigInt.asIntN(32, n >> 32n));
    const lo = Number(BigInt.asIntN(32, n));
    this.#headLength = writeWideHead(this.#head, 0, hi, lo);
  }

  /** Whether the element at byte `at` is the one that was encoded. */
  #matches(blob: Uint8Array, at: number): boolean {
    const head = this.#head;
    const headLength = this.#headLength;
    for (let i = 0; i < headLength; i++) {
      if (blob[at + i] !== head[i]) return false;
    }
    const text = this.#text;
    let from = this.#textOff;
    const end = from + this.#textLength;
    at += headLength;
    while (from < end) if (blob[at++] !== text[from++]) return false;
    return true;
  }

  /** Writes the encoded element where `replaced` bytes of another begin. */
  #put(ref: number, pos: number, replaced: number): number {
    const length = this.#headLength + this.#textLength;
    const bytes = length + reversedLengthBytes(length);
    if (bytes === replaced) {
      this.writeEncoded(
        this.#arena.u8[ref >>> SEGMENT_SHIFT]!,
        byteOf(ref) + pos,
      );
      return ref;
    }
    const opened = this.#open(ref, pos, replaced, bytes);
    const buf = this.#arena.u8[opened >>> SEGMENT_SHIFT]!;
    const start = byteOf(opened);
    this.writeEncoded(buf, start + pos);
    if (replaced === 0) {
      const count = buf[start + COUNT]! | buf[start + COUNT + 1]! << 8;
      if (count !== COUNT_UNKNOWN) writeCount(buf, start, count + 1);
    }
    return opened;
  }

  /**
   * Makes the `old` bytes at `pos` `wanted` ones, by moving what follows; the
   * total is right then. The one step of a write that can fail.
   */
  #open(ref: number, pos: number, old: number, wanted: number): number {
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const start = byteOf(ref);
    const total = readWord(buf, start);
    const grown = total + wanted - old;
    if (grown <= total || grown <= this.#heap.unitsOf(ref) << 3) {
      moveWithin(
        buf,
        start + pos + wanted,
        start + pos + old,
        total - pos - old,
      );
      writeWord(buf, start, grown);
      return grown < total ? this.#shrink(ref, grown, 3) : ref;
    }
    const made = this.#heap.allocate((grown + 7) >>> 3);
    const into = this.#arena.u8[made >>> SEGMENT_SHIFT]!;
    const at = byteOf(made);
    copyBytes(buf, start, into, at, pos);
    copyBytes(
      buf,
      start + pos + old,
      into,
      at + pos + wanted,
      total - pos - old,
    );
    writeWord(into, at, grown);
    this.#heap.free(ref);
    return made;
  }

  /** Removes the bytes from `pos` to `end`, which are `elements` elements. */
  #cut(ref: number, pos: number, end: number, elements: number): number {
    if (elements === 0) return ref;
    const buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const start = byteOf(ref);
    const total = readWord(buf, start);
    moveWithin(buf, start + pos, start + end, total - end);
    const left = total - (end - pos);
    writeWord(buf, start, left);
    const count = buf[start + COUNT]! | buf[start + COUNT + 1]! << 8;
    if (count !== COUNT_UNKNOWN) writeCount(buf, start, count - elements);
    // To ask for the capacity is a cache miss: now and then is often enough.
    return left >= 128 && total >>> 6 === left >>> 6
      ? ref
      : this.#shrink(ref, left, 3);
  }

  /**
   * Moves the listpack to a smaller allocation if it needs no more than
   * `quarters` of it, and one is to be had.
   */
  #shrink(ref: number, bytes: number, quarters: number): number {
    const units = (bytes + 7) >>> 3;
    const capacity = this.#heap.unitsOf(ref);
    if (quarters === 1 ? units >= capacity : units * 4 > capacity * quarters) {
      return ref;
    }
    const made = this.#heap.tryAllocate(units);
    return made === 0 ? ref : this.#heap.move(ref, made, bytes);
  }
}

/**
 * As {@linkcode Listpacks.find}, for a text of 1 to 63 bytes that is no integer:
 * its head is one byte, and its last byte tells most texts apart.
 */
function findText(
  blob: Uint8Array,
  start: number,
  from: number,
  buf: Uint8Array,
  off: number,
  length: number,
  skip: number,
): number {
  const head = 0x80 | length;
  const last = buf[off + length - 1]!;
  let at = start + from;
  for (let byte = blob[at]!; byte !== END; byte = blob[at]!) {
    if (byte === head) {
      if (
        blob[at + length] === last &&
        equalBytes(blob, at + 1, length, buf, off, length)
      ) return at - start;
      at += length + 2;
    } else at += elementBytes(blob, at);
    for (let i = 0; i < skip && blob[at] !== END; i++) {
      at += elementBytes(blob, at);
    }
  }
  return 0;
}

/** Reads the element at byte `at` of any buffer. */
export function readElement(
  buf: Uint8Array,
  at: number,
  item: ListpackItem,
): void {
  const byte = buf[at]!;
  if (byte >= 0x80 && byte < 0xc0) {
    return setText(item, buf, at + 1, byte & 0x3f);
  }
  if (byte >= 0xe0 && byte < 0xf0) {
    return setText(item, buf, at + 2, (byte & 15) << 8 | buf[at + 1]!);
  }
  if (byte === 0xf0) {
    return setText(item, buf, at + 5, readWord(buf, at + 1));
  }
  const n = integerAt(buf, at, byte);
  item.isInteger = true;
  item.integer = n;
  item.buf = item.digits;
  item.off = 0;
  item.length = Number.isSafeInteger(n)
    ? writeInteger(n, item.digits, 0)
    : writeBigInteger(bigIntegerAt(buf, at), item.digits, 0);
}

/**
 * The number that the element at byte `at` of any buffer says, exact for
 * integers that are safe; NaN for other texts.
 */
export function numberAt(buf: Uint8Array, at: number): number {
  const byte = buf[at]!;
  if (byte >= 0x80 && byte < 0xc0) return readDouble(buf, at + 1, byte & 0x3f);
  if (byte < 0xe0 || byte > 0xf0) return integerAt(buf, at, byte);
  return byte === 0xf0
    ? readDouble(buf, at + 5, readWord(buf, at + 1))
    : readDouble(buf, at + 2, (byte & 15) << 8 | buf[at + 1]!);
}

function setText(
  item: ListpackItem,
  buf: Uint8Array,
  off: number,
  length: number,
): void {
  item.isInteger = false;
  item.buf = buf;
  item.off = off;
  item.length = length;
}

function integerAt(buf: Uint8Array, at: number, byte: number): number {
  if (byte < 0x80) return byte;
  if (byte < 0xe0) return ((byte << 8 | buf[at + 1]!) << 19) >> 19;
  const low = buf[at + 1]! | buf[at + 2]! << 8;
  if (byte === 0xf1) return (low << 16) >> 16;
  if (byte === 0xf2) return (low << 8 | buf[at + 3]! << 24) >> 8;
  const word = low | buf[at + 3]! << 16 | buf[at + 4]! << 24;
  if (byte === 0xf3) return word;
  assert(byte === 0xf4, "an element of a listpack has a known encoding");
  const high = readWord(buf, at + 5) | 0;
  return high * TWO_TO_32 + (word >>> 0);
}

function bigIntegerAt(buf: Uint8Array, at: number): bigint {
  return BigInt.asIntN(
    64,
    BigInt(readWord(buf, at + 5)) << 32n | BigInt(readWord(buf, at + 1)),
  );
}

function writeCount(buf: Uint8Array, at: number, count: number): void {
  const kept = count < COUNT_UNKNOWN ? count : COUNT_UNKNOWN;
  buf[at + COUNT] = kept & 0xff;
  buf[at + COUNT + 1] = kept >>> 8;
}

/** Moves bytes inside one view; the places may overlap. */
export function moveWithin(
  buf: Uint8Array,
  to: number,
  from: number,
  length: number,
): void {
  if (to === from) return;
  if (length > MOVE_LOOP_MAX) buf.copyWithin(to, from, from + length);
  else copyBytes(buf, from, buf, to, length);
}

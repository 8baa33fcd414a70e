/**
 * Lists of what has a name, in the order of the names: the groups of a stream
 * and the consumers of a group.
 *
 * ```text
 * list    [ count ][ - ][ reference ] ...        twice the room when it is full
 * named   [ length of the name ] ... name bytes  at an offset of the owner's
 * ```
 *
 * Names are ordered as `memcmp` has it, a name before those it begins: the order
 * in which Redis's radix tree walks. List 0 is empty, and an empty list is 0.
 *
 * An object with a long name is a run of pages, which does not move: its name may be
 * read without the latch as long as it is kept (page_pool.ts).
 *
 * Cost: find is O(log n) names compared; add and take move the references behind.
 *
 * @module
 */

import {
  compareBytes,
  compareLong,
  copyBytes,
  LONG_RUN_BYTES,
} from "../base/bytes.ts";
import {
  type Arena,
  byteOf,
  SEGMENT_SHIFT,
  UNIT_MASK,
  wordOf,
} from "../memory/arena.ts";
import type { Heap } from "../memory/heap.ts";
import { KNOWN_KEYS, LONG_KEY_BYTES } from "../memory/known_keys.ts";
import { CLASS_UNITS_MAX } from "../memory/size_classes.ts";

/** Word of a named object that has the length of its name. */
export const NAME_LENGTH = 0;
const COUNT = 0;
const HEAD = 2;
const FIRST_REFS = 2;

/** Operations on the lists of one heap whose objects have one layout. */
export class StreamNames {
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #nameWords: number;
  /** Where the name that was looked for is, or would be. */
  #place = 0;

  /** Bytes of an object before its name. */
  readonly headBytes: number;

  /** Names begin after `nameWords` words, which is an even number. */
  constructor(arena: Arena, heap: Heap, nameWords: number) {
    this.#arena = arena;
    this.#heap = heap;
    this.#nameWords = nameWords;
    this.headBytes = nameWords * 4;
  }

  /** How many there are. */
  count(list: number): number {
    return list === 0 ? 0 : this.#word(list, COUNT);
  }

  /** The object at a place. */
  at(list: number, place: number): number {
    return this.#word(list, HEAD + place);
  }

  /** The object of a name, or 0. */
  find(list: number, buf: Uint8Array, off: number, length: number): number {
    let low = 0;
    let high = this.count(list);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const ref = this.at(list, middle);
      const order = this.#compare(ref, buf, off, length);
      if (order === 0) {
        this.#place = middle;
        return ref;
      }
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    this.#place = low;
    return 0;
  }

  /**
   * The first long name with which a long one would have to be compared to be
   * found, but whose order is not known (known_keys.ts): its object, or 0.
   */
  firstUnknown(
    list: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    let low = 0;
    let high = this.count(list);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const ref = this.at(list, middle);
      if (
        this.nameLength(ref) >= LONG_KEY_BYTES &&
        KNOWN_KEYS.order(ref, buf, off, length) === undefined
      ) return ref;
      const order = this.#compare(ref, buf, off, length);
      if (order === 0) return 0;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return 0;
  }

  /**
   * An object with a name, all of its other words 0, that is in no list yet. It is
   * made of a run of pages that has the name in its place already, and is the
   * heap's from now on, unless that is 0.
   */
  make(buf: Uint8Array, off: number, length: number, run = 0): number {
    const units = (this.headBytes + length + 7) >>> 3;
    const ref = run === 0 ? this.#heap.allocate(units) : run;
    if (run !== 0) this.#heap.adoptRun(run);
    if (run !== 0 || units > CLASS_UNITS_MAX) this.#heap.setSteady(ref);
    const words = this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
    const at = wordOf(ref);
    words.fill(0, at, at + this.#nameWords);
    words[at + NAME_LENGTH] = length;
    if (run === 0) {
      copyBytes(buf, off, this.nameBuf(ref), this.nameOff(ref), length);
    }
    return ref;
  }

  /**
   * Adds an object whose name, which is also given, is in no list; returns the
   * list, which may have moved. May throw OutOfMemory.
   */
  add(list: number, ref: number, buf: Uint8Array, off: number): number {
    this.find(list, buf, off, this.nameLength(ref));
    const place = this.#place;
    const count = this.count(list);
    const grown = this.#withRoom(list, count);
    const words = this.#arena.i32[grown >>> SEGMENT_SHIFT]!;
    const at = wordOf(grown) + HEAD;
    words.copyWithin(at + place + 1, at + place, at + count);
    words[at + place] = ref;
    words[at - HEAD + COUNT] = count + 1;
    return grown;
  }

  /** Takes an object out, which is the caller's then; returns the list, or 0. */
  take(list: number, ref: number): number {
    const words = this.#arena.i32[list >>> SEGMENT_SHIFT]!;
    const first = wordOf(list) + HEAD;
    return this.takeAt(list, words.indexOf(ref, first) - first);
  }

  /** As {@linkcode StreamNames.take}, by the place. */
  takeAt(list: number, place: number): number {
    const count = this.count(list) - 1;
    if (count === 0) {
      this.#heap.free(list);
      return 0;
    }
    const words = this.#arena.i32[list >>> SEGMENT_SHIFT]!;
    const at = wordOf(list) + HEAD;
    words.copyWithin(at + place, at + place + 1, at + count + 1);
    words[at - HEAD + COUNT] = count;
    return list;
  }

  /** The view that has an object's name. */
  nameBuf(ref: number): Uint8Array {
    return this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
  }

  /** Where the name begins. */
  nameOff(ref: number): number {
    return byteOf(ref) + this.headBytes;
  }

  /** Bytes of the name. */
  nameLength(ref: number): number {
    return this.#word(ref, NAME_LENGTH);
  }

  /** Bytes of the list and its objects, without what hangs on those. */
  bytes(list: number): number {
    if (list === 0) return 0;
    let units = this.#heap.unitsOf(list);
    for (let i = this.count(list) - 1; i >= 0; i--) {
      units += this.#heap.unitsOf(this.at(list, i));
    }
    return units << 3;
  }

  /** Order of the name of an object and another. */
  #compare(ref: number, buf: Uint8Array, off: number, length: number): number {
    const ownBuf = this.nameBuf(ref);
    const ownOff = this.nameOff(ref);
    const ownLength = this.nameLength(ref);
    if (length >= LONG_KEY_BYTES && ownLength >= LONG_KEY_BYTES) {
      const known = KNOWN_KEYS.order(ref, buf, off, length);
      if (known !== undefined) return known;
    }
    return length < LONG_RUN_BYTES || ownLength < LONG_RUN_BYTES
      ? compareBytes(ownBuf, ownOff, ownLength, buf, off, length)
      : compareLong(ownBuf, ownOff, ownLength, buf, off, length);
  }

  #withRoom(list: number, count: number): number {
    if (
      list !== 0 && HEAD + count < this.#heap.unitsOf(list) * 2
    ) return list;
    const room = Math.max(FIRST_REFS, count * 2);
    const made = this.#heap.allocate((HEAD + room + 1) >> 1);
    const words = this.#arena.i32[made >>> SEGMENT_SHIFT]!;
    const at = wordOf(made);
    words[at + COUNT] = count;
    for (let i = 0; i < count; i++) words[at + HEAD + i] = this.at(list, i);
    if (list !== 0) this.#heap.free(list);
    return made;
  }

  #word(ref: number, index: number): number {
    return this.#arena.i32[ref >>> SEGMENT_SHIFT]![
      ((ref & UNIT_MASK) << 1) + index
    ]!;
  }
}

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
 * Cost: find is O(log n) names compared; add and remove move the references
 * behind.
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

  /** Names begin after `nameWords` words, which is an even number. */
  constructor(arena: Arena, heap: Heap, nameWords: number) {
    this.#arena = arena;
    this.#heap = heap;
    this.#nameWords = nameWords;
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
   * An object with a name, all of its other words 0, that is in no list yet.
   */
  make(buf: Uint8Array, off: number, length: number): number {
    const ref = this.#heap.allocate((this.#nameWords * 4 + length + 7) >>> 3);
    const words = this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
    const at = wordOf(ref);
    words.fill(0, at, at + this.#nameWords);
    words[at + NAME_LENGTH] = length;
    copyBytes(buf, off, this.nameBuf(ref), this.nameOff(ref), length);
    return ref;
  }

  /**
   * Adds an object whose name is in no list; returns the list, which may have
   * moved. May throw OutOfMemory.
   */
  add(list: number, ref: number): number {
    const name = this.nameBuf(ref);
    this.find(list, name, this.nameOff(ref), this.nameLength(ref));
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
    const name = this.nameBuf(ref);
    this.find(list, name, this.nameOff(ref), this.nameLength(ref));
    return this.takeAt(list, this.#place);
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
    return byteOf(ref) + this.#nameWords * 4;
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

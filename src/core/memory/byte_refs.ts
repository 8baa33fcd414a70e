/**
 * References to bytes, by number: what commands that sort or search remember of
 * the elements they met.
 *
 * An element usually lies in the arena, where it stays as long as its value does
 * not change; remembered is only where. What a value shows in a buffer of its
 * own, such as the digits of an integer, is copied.
 *
 * ```text
 * reference   view (1 byte) | offset (4) | length (4)
 * view        0: the copies, n: segment n - 1 of the arena
 * ```
 *
 * @module
 */

import {
  compareBytes,
  compareLong,
  copyBytes,
  LONG_RUN_BYTES,
} from "../base/bytes.ts";
import type { Arena } from "./arena.ts";

const CAPACITY_MIN = 16;
const COPIES_MIN = 256;

/** A list of references. */
export class ByteRefs {
  /** How many there are. */
  count = 0;
  readonly #arena: Arena;
  /** The copies, then the arena's segments. */
  #views: Uint8Array[];
  #view: Uint8Array;
  #off: Int32Array;
  #length: Int32Array;
  /** The arena's view that the last reference lies in, and its number. */
  #lastBuf: Uint8Array;
  #lastView = 0;
  #copied = 0;

  /** An empty list with room for so many. */
  constructor(arena: Arena, capacity: number = CAPACITY_MIN) {
    this.#arena = arena;
    this.#views = [new Uint8Array(0), ...arena.u8];
    this.#lastBuf = this.#views[0]!;
    this.#view = new Uint8Array(capacity);
    this.#off = new Int32Array(capacity);
    this.#length = new Int32Array(capacity);
  }

  /** Whether references into an arena can be added. */
  isOf(arena: Arena): boolean {
    return arena === this.#arena;
  }

  /** Forgets all references. */
  clear(): void {
    this.count = 0;
    this.#copied = 0;
  }

  /** How many there is room for. */
  get capacity(): number {
    return this.#off.length;
  }

  /** Adds bytes; they get the next number. */
  add(buf: Uint8Array, off: number, length: number): void {
    const i = this.count;
    if (i === this.#off.length) this.#grow();
    if (buf !== this.#lastBuf) {
      this.#lastBuf = buf;
      this.#lastView = this.#views.indexOf(buf, 1);
    }
    this.#length[i] = length;
    if (this.#lastView > 0) {
      this.#view[i] = this.#lastView;
      this.#off[i] = off;
    } else {
      this.#view[i] = 0;
      this.#off[i] = this.#copy(buf, off, length);
    }
    this.count = i + 1;
  }

  /** As {@linkcode add}, of bytes that will not stay where they are. */
  addCopy(buf: Uint8Array, off: number, length: number): void {
    const i = this.count;
    if (i === this.#off.length) this.#grow();
    this.#view[i] = 0;
    this.#off[i] = this.#copy(buf, off, length);
    this.#length[i] = length;
    this.count = i + 1;
  }

  /** The view that holds bytes `i`. */
  buf(i: number): Uint8Array {
    return this.#views[this.#view[i]!]!;
  }

  /** Where bytes `i` begin in that view. */
  off(i: number): number {
    return this.#off[i]!;
  }

  /** How many bytes `i` are. */
  length(i: number): number {
    return this.#length[i]!;
  }

  /** The order of two of them, as {@linkcode compareBytes} has it. */
  compare(i: number, j: number): number {
    const isLong = this.#length[i]! >= LONG_RUN_BYTES &&
      this.#length[j]! >= LONG_RUN_BYTES;
    const order = isLong ? compareLong : compareBytes;
    return order(
      this.buf(i),
      this.#off[i]!,
      this.#length[i]!,
      this.buf(j),
      this.#off[j]!,
      this.#length[j]!,
    );
  }

  /**
   * The same bytes, each only up to its first NUL; this list itself if there is
   * none. The other list is good as long as this one does not grow.
   */
  cutAtNul(): ByteRefs {
    let cut: ByteRefs | null = null;
    for (let i = 0; i < this.count; i++) {
      const length = this.#lengthToNul(i);
      if (length === this.#length[i]) continue;
      cut ??= this.#withOwnLengths();
      cut.#length[i] = length;
    }
    return cut ?? this;
  }

  #lengthToNul(i: number): number {
    const buf = this.buf(i);
    const off = this.#off[i]!;
    const end = off + this.#length[i]!;
    let at = off;
    while (at < end && buf[at] !== 0) at++;
    return at - off;
  }

  #withOwnLengths(): ByteRefs {
    const other = new ByteRefs(this.#arena, 0);
    other.count = this.count;
    other.#views = this.#views;
    other.#view = this.#view;
    other.#off = this.#off;
    other.#length = this.#length.slice();
    return other;
  }

  #copy(buf: Uint8Array, off: number, length: number): number {
    const at = this.#copied;
    let into = this.#views[0]!;
    if (at + length > into.length) {
      const room = Math.max(COPIES_MIN, at + length, into.length * 2);
      into = new Uint8Array(room);
      into.set(this.#views[0]!);
      this.#views[0] = into;
    }
    copyBytes(buf, off, into, at, length);
    this.#copied = at + length;
    return at;
  }

  #grow(): void {
    const capacity = Math.max(CAPACITY_MIN, this.#off.length * 2);
    const view = new Uint8Array(capacity);
    const off = new Int32Array(capacity);
    const length = new Int32Array(capacity);
    view.set(this.#view);
    off.set(this.#off);
    length.set(this.#length);
    this.#view = view;
    this.#off = off;
    this.#length = length;
  }
}

/**
 * A member of a set in hand: where it goes from set to set, its text, its hash
 * and its number are each made when they are first asked for, and once.
 *
 * It is an Int64: `hi` and `lo` are good if {@linkcode SetMember.isInteger} says
 * so; `off` and `length` after {@linkcode SetMember.text}.
 *
 * @module
 */

import { halfSipHash } from "../base/half_siphash.ts";
import { Int64, parseInt64, writeInt64 } from "../base/int64.ts";
import { KNOWN_KEYS, LONG_KEY_BYTES } from "../memory/known_keys.ts";
import { ListpackItem } from "../memory/listpack.ts";

const HAS_TEXT = 1;
const HAS_HASH = 2;
const IS_READ = 4;
const IS_INTEGER = 8;

/** One object serves many members, one after the other. */
export class SetMember extends Int64 {
  /** Where the text begins. */
  off = 0;
  /** Bytes of the text. */
  length = 0;
  /** Takes an element of a listpack, for {@linkcode SetMember.setItem}. */
  readonly item: ListpackItem = new ListpackItem();
  #buf: Uint8Array = this.item.digits;
  #hash = 0;
  #known = 0;

  /** Becomes a text, which stays where it is. */
  setText(buf: Uint8Array, off: number, length: number): void {
    this.#buf = buf;
    this.off = off;
    this.length = length;
    this.#known = HAS_TEXT;
  }

  /** Becomes a text whose hash is known. */
  setHashed(
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): void {
    this.setText(buf, off, length);
    this.#hash = hash;
    this.#known = HAS_TEXT | HAS_HASH;
  }

  /** Becomes what was read into `item`. */
  setItem(): void {
    const { buf, off, length, isInteger } = this.item;
    this.setText(buf, off, length);
    if (!isInteger) this.#known = HAS_TEXT | IS_READ;
  }

  /** Becomes an integer. */
  setInteger(hi: number, lo: number): void {
    this.hi = hi;
    this.lo = lo;
    this.#known = IS_READ | IS_INTEGER;
  }

  /** The view that holds the text, from `off` on. */
  text(): Uint8Array {
    if ((this.#known & HAS_TEXT) === 0) {
      const { digits } = this.item;
      this.#buf = digits;
      this.off = 0;
      this.length = writeInt64(this.hi, this.lo, digits, 0);
      this.#known |= HAS_TEXT;
    }
    return this.#buf;
  }

  /** The hash of the text. */
  hash(seed0: number, seed1: number): number {
    if ((this.#known & HAS_HASH) === 0) {
      const buf = this.text();
      const { off, length } = this;
      this.#hash = length < LONG_KEY_BYTES
        ? halfSipHash(buf, off, length, seed0, seed1)
        : KNOWN_KEYS.hash(buf, off, length, seed0, seed1);
      this.#known |= HAS_HASH;
    }
    return this.#hash;
  }

  /** Whether the text is that of an integer of 64 bits. */
  isInteger(): boolean {
    if ((this.#known & IS_READ) === 0) {
      this.#known |= parseInt64(this.#buf, this.off, this.length, this)
        ? IS_READ | IS_INTEGER
        : IS_READ;
    }
    return (this.#known & IS_INTEGER) !== 0;
  }
}

/**
 * Zipmaps: what Redis packed small hashes in before ziplists.
 *
 * ```text
 * [ pairs ] [ length, field, length, unused, value, unused bytes ]* [ FF ]
 * length    n (below 254) | FE n{32}, low byte first
 * ```
 * 254 pairs mean that nobody knows. Behind a value there may be bytes that a
 * longer one had; `unused` says how many.
 *
 * Source: zipmap.c of Redis 2.4.
 *
 * @module
 */

import type { PackedElements } from "./packed_elements.ts";
import { BadFormat, type RdbString } from "./rdb_reader.ts";

const COUNT_UNKNOWN = 254;
const LONG = 254;
const END = 255;

/** A zipmap in foreign bytes: field, value, field, value ... */
export class ZipmapElements implements PackedElements {
  readonly #buf: Uint8Array;
  readonly #off: number;
  readonly #end: number;
  #at: number;
  #isValue = false;
  #elements = 0;

  /** Looks at both ends; the elements are looked at when they are taken. */
  constructor(buf: Uint8Array, off: number, length: number) {
    this.#buf = buf;
    this.#off = off;
    this.#end = off + length - 1;
    this.#at = off + 1;
    if (length < 2 || buf[this.#end] !== END) damaged();
  }

  next(into: RdbString): boolean {
    const buf = this.#buf;
    if (this.#at === this.#end) {
      const pairs = buf[this.#off]!;
      if (this.#isValue) damaged();
      if (pairs < COUNT_UNKNOWN && pairs * 2 !== this.#elements) damaged();
      return false;
    }
    let length = buf[this.#at++]!;
    if (length === END) damaged();
    if (length === LONG) {
      this.#need(4);
      const at = this.#at;
      length = (buf[at]! | buf[at + 1]! << 8 | buf[at + 2]! << 16 |
        buf[at + 3]! << 24) >>> 0;
      this.#at += 4;
    }
    let unused = 0;
    if (this.#isValue) {
      this.#need(1);
      unused = buf[this.#at++]!;
    }
    this.#need(length + unused);
    into.isInteger = false;
    into.buf = buf;
    into.off = this.#at;
    into.length = length;
    this.#at += length + unused;
    this.#isValue = !this.#isValue;
    this.#elements++;
    return true;
  }

  #need(bytes: number): void {
    if (bytes > this.#end - this.#at) damaged();
  }
}

function damaged(): never {
  throw new BadFormat("a zipmap is damaged");
}

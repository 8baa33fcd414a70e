/**
 * Ziplists: what Redis packed small values in before listpacks.
 *
 * ```text
 * [ bytes : u32 ][ offset of the last element : u32 ][ elements : u16 ]
 * [ element ]* [ FF ]                                    little endian
 * element   [ bytes of the element before ][ head ][ text of a string ]
 * before    n (below 254) | FE n{32}
 * head      00llllll | 01llllll l{8} | 80 l{32}      string, high byte first
 *           C0 n{16} | D0 n{32} | E0 n{64} | F0 n{24} | FE n{8}    integer
 *           F1 to FD                                 integer 0 to 12
 * ```
 * 65535 elements mean that nobody knows.
 *
 * Source: ziplist.c of Redis 6.
 *
 * @module
 */

import { writeBigInteger, writeInteger } from "../base/integer.ts";
import type { PackedElements } from "./packed_elements.ts";
import { BadFormat, type RdbString } from "./rdb_reader.ts";

const HEADER_BYTES = 10;
const LAST = 4;
const COUNT = 8;
const COUNT_UNKNOWN = 0xffff;
const END = 0xff;
/** Stands before a length of 32 bits. */
const LONG = 0xfe;
const TWO_TO_32 = 2 ** 32;

/** A ziplist in foreign bytes. */
export class ZiplistElements implements PackedElements {
  readonly #buf: Uint8Array;
  readonly #off: number;
  readonly #end: number;
  #at: number;
  /** Where the element before began. */
  #before: number;
  #count = 0;

  /** Looks at the header; the elements are looked at when they are taken. */
  constructor(buf: Uint8Array, off: number, length: number) {
    this.#buf = buf;
    this.#off = off;
    this.#end = off + length - 1;
    this.#at = this.#before = off + HEADER_BYTES;
    if (
      length <= HEADER_BYTES || wordAt(buf, off) !== length ||
      buf[this.#end] !== END
    ) damaged();
  }

  next(into: RdbString): boolean {
    const start = this.#at;
    if (start === this.#end) {
      this.#checkTotals();
      return false;
    }
    const buf = this.#buf;
    let before = buf[start]!;
    let at = start + 1;
    if (before === LONG) {
      this.#need(at, 4);
      before = wordAt(buf, at);
      at += 4;
    }
    if (before !== start - this.#before) damaged();
    this.#need(at, 1);
    this.#at = buf[at]! < 0xc0 ? this.#text(at, into) : this.#integer(at, into);
    this.#before = start;
    this.#count++;
    return true;
  }

  #text(at: number, into: RdbString): number {
    const buf = this.#buf;
    const head = buf[at]!;
    let length = head & 63;
    let off = at + 1;
    if (head >= 0x80) {
      this.#need(off, 4);
      length = (buf[off]! << 24 | buf[off + 1]! << 16 | buf[off + 2]! << 8 |
        buf[off + 3]!) >>> 0;
      off += 4;
    } else if (head >= 0x40) {
      this.#need(off, 1);
      length = length << 8 | buf[off++]!;
    }
    this.#need(off, length);
    into.isInteger = false;
    into.buf = buf;
    into.off = off;
    into.length = length;
    return off + length;
  }

  #integer(at: number, into: RdbString): number {
    const buf = this.#buf;
    const head = buf[at]!;
    const off = at + 1;
    into.isInteger = true;
    into.buf = into.digits;
    into.off = 0;
    const bytes = integerBytes(head);
    if (bytes < 0) damaged();
    this.#need(off, bytes);
    let n = (head & 15) - 1;
    if (bytes === 8) {
      const low = wordAt(buf, off);
      const high = wordAt(buf, off + 4) | 0;
      n = high * TWO_TO_32 + low;
      if (!Number.isSafeInteger(n)) {
        const big = BigInt(high) << 32n | BigInt(low);
        into.integer = n;
        into.length = writeBigInteger(big, into.digits, 0);
        return off + 8;
      }
    } else if (bytes > 0) {
      n = 0;
      for (let i = bytes - 1; i >= 0; i--) n = n << 8 | buf[off + i]!;
      n = n << 32 - 8 * bytes >> 32 - 8 * bytes;
    }
    into.integer = n;
    into.length = writeInteger(n, into.digits, 0);
    return off + bytes;
  }

  #checkTotals(): void {
    const count = this.#buf[this.#off + COUNT]! |
      this.#buf[this.#off + COUNT + 1]! << 8;
    if (
      count !== COUNT_UNKNOWN && count !== this.#count ||
      wordAt(this.#buf, this.#off + LAST) !== this.#before - this.#off
    ) damaged();
  }

  #need(at: number, bytes: number): void {
    if (bytes > this.#end - at) damaged();
  }
}

/** Bytes behind the head of an integer, or -1 if it is none. */
function integerBytes(head: number): number {
  switch (head) {
    case 0xc0:
      return 2;
    case 0xd0:
      return 4;
    case 0xe0:
      return 8;
    case 0xf0:
      return 3;
    case 0xfe:
      return 1;
  }
  return head > 0xf0 && head < 0xfe ? 0 : -1;
}

function wordAt(buf: Uint8Array, at: number): number {
  return (buf[at]! | buf[at + 1]! << 8 | buf[at + 2]! << 16 |
    buf[at + 3]! << 24) >>> 0;
}

function damaged(): never {
  throw new BadFormat("a ziplist is damaged");
}

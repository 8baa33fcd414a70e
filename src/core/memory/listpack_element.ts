/**
 * Single elements of listpacks, at any place of any buffer: for values that lay
 * out whole listpacks by themselves and know how much room there is. The format
 * is that of listpack.ts.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { copyBytes } from "../base/bytes.ts";
import { Int64, parseInt64, writeInt64 } from "../base/int64.ts";
import { INTEGER_BYTES_MAX, parseSafeInteger } from "../base/integer.ts";
import {
  elementBytes,
  elementBytesBefore,
  reversedLengthBytes,
} from "./listpack_format.ts";
import {
  writeIntegerHead,
  writeReversedLength,
  writeTextHead,
  writeWideHead,
} from "./listpack_head.ts";

const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/** Bytes of the longest element of an integer. */
export const INTEGER_ELEMENT_BYTES_MAX = 10;

const NUMBER = new Int64();
const DIGITS = new Uint8Array(INTEGER_BYTES_MAX);

/** Most bytes that the element of a text of this length has. */
export function textElementBytesMax(length: number): number {
  if (length < 64) return length + 2;
  const head = length < 4096 ? 2 : 5;
  return head + length + reversedLengthBytes(head + length);
}

/** Writes the element of a text and returns where it ends. */
export function writeTextElement(
  out: Uint8Array,
  at: number,
  buf: Uint8Array,
  off: number,
  length: number,
): number {
  if (length <= INTEGER_BYTES_MAX && length > 0) {
    const byte = buf[off]!;
    if ((byte <= NINE && byte >= ZERO) || byte === MINUS) {
      const n = parseSafeInteger(buf, off, length);
      if (n === (n | 0)) return writeIntegerElement(out, at, n);
      if (parseInt64(buf, off, length, NUMBER)) {
        return writeWideElement(out, at, NUMBER.hi, NUMBER.lo);
      }
    }
  }
  const from = writeTextHead(out, at, length);
  copyBytes(buf, off, out, from, length);
  const end = from + length;
  return writeReversedLength(out, end, end - at);
}

/** Writes the element of an int32 and returns where it ends. */
export function writeIntegerElement(
  out: Uint8Array,
  at: number,
  n: number,
): number {
  const end = writeIntegerHead(out, at, n);
  out[end] = end - at;
  return end + 1;
}

/** As {@linkcode writeIntegerElement}, for 64 bits. */
export function writeInt64Element(
  out: Uint8Array,
  at: number,
  hi: number,
  lo: number,
): number {
  return hi === lo >> 31
    ? writeIntegerElement(out, at, lo)
    : writeWideElement(out, at, hi, lo);
}

function writeWideElement(
  out: Uint8Array,
  at: number,
  hi: number,
  lo: number,
): number {
  const end = writeWideHead(out, at, hi, lo);
  out[end] = end - at;
  return end + 1;
}

/** Reads an element that is an int32 for sure. */
export function readIntegerElement(buf: Uint8Array, at: number): number {
  const byte = buf[at]!;
  if (byte < 0x80) return byte;
  readInt64Element(buf, at, NUMBER);
  return NUMBER.lo;
}

/** Reads an element that is an integer for sure. */
export function readInt64Element(
  buf: Uint8Array,
  at: number,
  into: Int64,
): void {
  const byte = buf[at]!;
  let lo = byte;
  if (byte >= 0x80) {
    assert(isIntegerHead(byte), "an element is an integer");
    if (byte < 0xe0) lo = (byte << 8 | buf[at + 1]!) << 19 >> 19;
    else {
      lo = buf[at + 1]! | buf[at + 2]! << 8;
      if (byte === 0xf1) lo = lo << 16 >> 16;
      else if (byte === 0xf2) lo = (lo << 8 | buf[at + 3]! << 24) >> 8;
      else lo |= buf[at + 3]! << 16 | buf[at + 4]! << 24;
      if (byte === 0xf4) {
        into.lo = lo;
        into.hi = buf[at + 5]! | buf[at + 6]! << 8 | buf[at + 7]! << 16 |
          buf[at + 8]! << 24;
        return;
      }
    }
  }
  into.lo = lo;
  into.hi = lo >> 31;
}

/** Whether the first byte of an element says that it is an integer. */
export function isIntegerHead(byte: number): boolean {
  return byte < 0x80 || (byte >= 0xc0 && byte < 0xe0) ||
    (byte >= 0xf1 && byte <= 0xf4);
}

/** Whether an element is a text. */
export function isTextElement(
  blob: Uint8Array,
  at: number,
  buf: Uint8Array,
  off: number,
  length: number,
): boolean {
  const byte = blob[at]!;
  let from = at + 1;
  if (byte >= 0x80 && byte < 0xc0) {
    if ((byte & 0x3f) !== length) return false;
  } else if (isIntegerHead(byte)) {
    if (length > INTEGER_BYTES_MAX) return false;
    readInt64Element(blob, at, NUMBER);
    const digits = writeInt64(NUMBER.hi, NUMBER.lo, DIGITS, 0);
    if (digits !== length) return false;
    blob = DIGITS;
    from = 0;
  } else if (byte < 0xf0) {
    if (((byte & 15) << 8 | blob[at + 1]!) !== length) return false;
    from = at + 2;
  } else {
    from = at + 5;
    if (
      (blob[at + 1]! | blob[at + 2]! << 8 | blob[at + 3]! << 16 |
        blob[at + 4]! << 24) !== length
    ) return false;
  }
  const end = off + length;
  while (off < end) if (blob[from++] !== buf[off++]) return false;
  return true;
}

/** Where the element before begins. */
export function elementBefore(buf: Uint8Array, at: number): number {
  return at - elementBytesBefore(buf, at);
}

/** Where the element behind so many others begins. */
export function skipElements(
  buf: Uint8Array,
  at: number,
  count: number,
): number {
  for (let i = 0; i < count; i++) at += elementBytes(buf, at);
  return at;
}

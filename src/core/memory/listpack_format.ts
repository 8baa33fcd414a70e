/**
 * Lengths inside a listpack, and the check of one that comes from elsewhere.
 *
 * @module
 */

import { isCanonicalInteger } from "../base/integer.ts";

const HEADER_BYTES = 6;
const END = 0xff;
const NINE = 0x39;

/** What {@linkcode listpackElements} says of bytes that are no listpack. */
export const MALFORMED = -1;
/** What it says of a listpack with an element that could be shorter. */
export const NOT_CANONICAL = -2;

/** Bytes of the element at byte `at`, the reversed length included. */
export function elementBytes(buf: Uint8Array, at: number): number {
  const byte = buf[at]!;
  if (byte < 0x80) return 2;
  if (byte < 0xc0) return (byte & 0x3f) + 2;
  if (byte < 0xe0) return 3;
  if (byte < 0xf0) {
    const length = ((byte & 15) << 8 | buf[at + 1]!) + 2;
    return length + (length < 128 ? 1 : 2);
  }
  if (byte === 0xf0) {
    const length = (buf[at + 1]! | buf[at + 2]! << 8 | buf[at + 3]! << 16 |
      buf[at + 4]! << 24) + 5;
    return length + reversedLengthBytes(length);
  }
  return byte === 0xf4 ? 10 : byte - 0xf1 + 4;
}

/** Bytes of the element that ends before byte `end`. */
export function elementBytesBefore(buf: Uint8Array, end: number): number {
  let at = end - 1;
  let byte = buf[at]!;
  if (byte < 128) return byte + 1;
  let length = byte & 127;
  let unit = 128;
  do {
    byte = buf[--at]!;
    length += (byte & 127) * unit;
    unit *= 128;
  } while (byte >= 128);
  return length + reversedLengthBytes(length);
}

/** Bytes of a reversed length; the steps are those that Redis takes. */
export function reversedLengthBytes(length: number): number {
  if (length <= 127) return 1;
  if (length < 16383) return 2;
  if (length < 2097151) return 3;
  return length < 268435455 ? 4 : 5;
}

/**
 * The number of elements of a listpack in foreign bytes, {@linkcode MALFORMED}
 * or {@linkcode NOT_CANONICAL}. Looks at all of it, never beyond.
 */
export function listpackElements(
  buf: Uint8Array,
  off: number,
  length: number,
): number {
  if (length < HEADER_BYTES + 1) return MALFORMED;
  const end = off + length - 1;
  const total = (buf[off]! | buf[off + 1]! << 8 | buf[off + 2]! << 16 |
    buf[off + 3]! << 24) >>> 0;
  if (total !== length || buf[end] !== END) return MALFORMED;
  let elements = 0;
  let canonical = true;
  for (let at = off + HEADER_BYTES; at < end; elements++) {
    const byte = buf[at]!;
    if (byte < 0xc0) {
      // A short text, or a small integer, which most elements are.
      const length = byte < 0x80 ? 1 : (byte & 0x3f) + 1;
      if (length >= end - at || buf[at + length] !== length) return MALFORMED;
      if (
        length > 1 && buf[at + 1]! <= NINE &&
        isCanonicalInteger(buf, at + 1, length - 1)
      ) canonical = false;
      at += length + 1;
      continue;
    }
    const bytes = checkedBytes(buf, at, end);
    if (bytes === 0) return MALFORMED;
    if (canonical) canonical = isShortest(buf, at);
    at += bytes;
  }
  const noted = buf[off + 4]! | buf[off + 5]! << 8;
  if (noted !== 0xffff && noted !== elements) return MALFORMED;
  return canonical ? elements : NOT_CANONICAL;
}

/** Bytes of an element if it ends before `end` and its lengths agree, else 0. */
function checkedBytes(buf: Uint8Array, at: number, end: number): number {
  const byte = buf[at]!;
  if (byte > 0xf4) return 0;
  const head = byte === 0xf0 ? 5 : byte >= 0xe0 && byte < 0xf0 ? 2 : 1;
  if (at + head > end) return 0;
  const bytes = elementBytes(buf, at);
  if (bytes < 2 || at + bytes > end) return 0;
  let length = bytes - 1;
  while (length > 0 && length + reversedLengthBytes(length) > bytes) length--;
  let noted = 0;
  let unit = 1;
  for (let i = at + bytes - 1; i >= at + length; i--) {
    const part = buf[i]!;
    noted += (part & 127) * unit;
    unit *= 128;
    if ((part & 128) === 0 !== (i === at + length)) return 0;
  }
  return noted === length ? bytes : 0;
}

/** Whether an element that was checked is written in the shortest way. */
function isShortest(buf: Uint8Array, at: number): boolean {
  const byte = buf[at]!;
  if (byte < 0x80) return true;
  if (byte < 0xc0) return !isCanonicalInteger(buf, at + 1, byte & 0x3f);
  if (byte < 0xe0) {
    const n = ((byte << 8 | buf[at + 1]!) << 19) >> 19;
    return n < 0 || n > 127;
  }
  if (byte < 0xf0) return ((byte & 15) << 8 | buf[at + 1]!) >= 64;
  if (byte === 0xf0) {
    return (buf[at + 1]! | buf[at + 2]! << 8 | buf[at + 3]! << 16 |
          buf[at + 4]! << 24) >>> 0 >= 4096;
  }
  return isWideEnough(buf, at, byte);
}

/** Whether an integer's number of bytes is needed. */
function isWideEnough(buf: Uint8Array, at: number, byte: number): boolean {
  const bytes = byte === 0xf4 ? 8 : byte - 0xef;
  const shorter = bytes === 8 ? 4 : bytes - 1;
  if (bytes === 2) {
    const n = ((buf[at + 1]! | buf[at + 2]! << 8) << 16) >> 16;
    return n < -4096 || n > 4095;
  }
  // It fits into fewer bytes if the rest only repeats their sign.
  const fill = (buf[at + shorter]! & 128) === 0 ? 0 : 0xff;
  for (let i = shorter + 1; i <= bytes; i++) {
    if (buf[at + i] !== fill) return true;
  }
  return false;
}

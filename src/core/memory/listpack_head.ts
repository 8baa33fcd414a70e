/**
 * What stands before and behind the text of a listpack's element; an integer has
 * no text. The format is that of listpack.ts.
 *
 * @module
 */

import { reversedLengthBytes } from "./listpack_format.ts";

/** Writes what stands before a text and returns where it ends. */
export function writeTextHead(
  out: Uint8Array,
  at: number,
  length: number,
): number {
  if (length < 64) {
    out[at] = 0x80 | length;
    return at + 1;
  }
  if (length < 4096) {
    out[at] = 0xe0 | length >>> 8;
    out[at + 1] = length & 0xff;
    return at + 2;
  }
  out[at] = 0xf0;
  writeWord(out, at + 1, length);
  return at + 5;
}

/** Writes an int32 and returns where it ends. */
export function writeIntegerHead(
  out: Uint8Array,
  at: number,
  n: number,
): number {
  if (n >= 0 && n <= 127) {
    out[at] = n;
    return at + 1;
  }
  if (n >= -4096 && n <= 4095) {
    out[at] = 0xc0 | (n >> 8 & 0x1f);
    out[at + 1] = n & 0xff;
    return at + 2;
  }
  const bytes = n << 16 >> 16 === n ? 2 : n << 8 >> 8 === n ? 3 : 4;
  out[at] = 0xef + bytes;
  let rest = n;
  for (let i = 1; i <= bytes; i++) {
    out[at + i] = rest & 0xff;
    rest >>= 8;
  }
  return at + bytes + 1;
}

/** Writes 64 bits that are no int32 and returns where they end. */
export function writeWideHead(
  out: Uint8Array,
  at: number,
  hi: number,
  lo: number,
): number {
  out[at] = 0xf4;
  writeWord(out, at + 1, lo);
  writeWord(out, at + 5, hi);
  return at + 9;
}

/**
 * Writes the length of an element so that it can be read from behind, high bits
 * first; returns where it ends.
 */
export function writeReversedLength(
  out: Uint8Array,
  at: number,
  length: number,
): number {
  if (length < 128) {
    out[at] = length;
    return at + 1;
  }
  const bytes = reversedLengthBytes(length);
  let rest = length;
  for (let i = bytes - 1; i >= 0; i--) {
    // The byte that stands first, which is read last, has no mark.
    out[at + i] = (rest & 127) | (i > 0 ? 128 : 0);
    rest >>>= 7;
  }
  return at + bytes;
}

/** Reads a word without sign. */
export function readWord(buf: Uint8Array, at: number): number {
  return (buf[at]! | buf[at + 1]! << 8 | buf[at + 2]! << 16 |
    buf[at + 3]! << 24) >>> 0;
}

/** Writes a word, of which the lower 32 bits count. */
export function writeWord(out: Uint8Array, at: number, word: number): void {
  out[at] = word & 0xff;
  out[at + 1] = word >>> 8 & 0xff;
  out[at + 2] = word >>> 16 & 0xff;
  out[at + 3] = word >>> 24;
}

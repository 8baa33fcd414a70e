/**
 * Integers of 64 bits as two words, for where a BigInt per number would be one
 * object per number: `hi` has the upper 32 bits and the sign, `lo` the lower
 * ones, both as int32. Texts are those of integer.ts.
 *
 * @module
 */

import {
  isCanonicalInteger,
  parseSafeInteger,
  writeDigits,
  writeInteger,
} from "./integer.ts";

const MINUS = 0x2d;
const ZERO = 0x30;
const TWO_TO_16 = 65536;
const TWO_TO_32 = 4294967296;
const BILLION = 1e9;
/** Digits of the part below a billion. */
const LOW_DIGITS = 9;
/** Upper words from minus this one up to it are those of exact doubles. */
const EXACT_HI = 1 << 21;
/** Digits that a text needs for not being a safe integer. */
const FAR_DIGITS_MIN = 16;

/** One integer, filled anew by each read. */
export class Int64 {
  /** Upper word. */
  hi = 0;
  /** Lower word. */
  lo = 0;
}

/** Order of two integers: negative, zero or positive. */
export function compareInt64(
  aHi: number,
  aLo: number,
  bHi: number,
  bLo: number,
): number {
  if (aHi !== bHi) return aHi < bHi ? -1 : 1;
  return (aLo >>> 0) - (bLo >>> 0);
}

/** Reads a canonical text; false, with nothing read, if it is none. */
export function parseInt64(
  buf: Uint8Array,
  off: number,
  len: number,
  into: Int64,
): boolean {
  const n = parseSafeInteger(buf, off, len);
  if (n === n) {
    into.hi = Math.floor(n / TWO_TO_32);
    into.lo = n | 0;
    return true;
  }
  if (len < FAR_DIGITS_MIN || !isCanonicalInteger(buf, off, len)) return false;
  const negative = buf[off] === MINUS;
  const end = off + len;
  const middle = end - LOW_DIGITS;
  const high = digitsOf(buf, negative ? off + 1 : off, middle);
  const low = digitsOf(buf, middle, end);
  // high * 10^9 + low, where high has 34 bits: once for each half of those.
  const upper = Math.floor(high / TWO_TO_16) * BILLION;
  const lower = (high % TWO_TO_16) * BILLION + low;
  const sum = (upper % TWO_TO_16) * TWO_TO_16 + lower % TWO_TO_32;
  into.hi = (Math.floor(upper / TWO_TO_16) + Math.floor(lower / TWO_TO_32) +
    Math.floor(sum / TWO_TO_32)) | 0;
  into.lo = sum | 0;
  if (negative) {
    into.lo = -into.lo | 0;
    into.hi = into.lo === 0 ? -into.hi | 0 : ~into.hi;
  }
  return true;
}

/** Writes an integer and returns where its text ends. */
export function writeInt64(
  hi: number,
  lo: number,
  out: Uint8Array,
  at: number,
): number {
  if (hi >= -EXACT_HI && hi < EXACT_HI) {
    return writeInteger(hi * TWO_TO_32 + (lo >>> 0), out, at);
  }
  let upper = hi >>> 0;
  let lower = lo >>> 0;
  if (hi < 0) {
    out[at++] = MINUS;
    lower = -lo >>> 0;
    upper = lower === 0 ? -hi >>> 0 : ~hi >>> 0;
  }
  // Divided by 10^9 in three steps, none of which needs more than 53 bits.
  const first = Math.floor(upper / BILLION);
  let rest = (upper - first * BILLION) * TWO_TO_16 + (lower >>> 16);
  const second = Math.floor(rest / BILLION);
  rest = (rest - second * BILLION) * TWO_TO_16 + (lower & 0xffff);
  const third = Math.floor(rest / BILLION);
  const high = first * TWO_TO_32 + second * TWO_TO_16 + third;
  const middle = writeInteger(high, out, at);
  return writeDigits(rest - third * BILLION, LOW_DIGITS, out, middle);
}

function digitsOf(buf: Uint8Array, from: number, end: number): number {
  let n = 0;
  for (let at = from; at < end; at++) n = n * 10 + buf[at]! - ZERO;
  return n;
}

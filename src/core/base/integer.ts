/**
 * Decimal integers in bytes, as Redis reads and writes them.
 *
 * The text of an integer is canonical: an optional minus, no plus, no space, no
 * leading zero, no "-0", within the signed 64 bits. Only such a text may be
 * stored as a number, since only then the number gives the text back.
 *
 * Numbers come in two sorts. Nearly all are safe integers of JavaScript, which
 * are handled without a string or a BigInt; the rest of the 64 bits takes a
 * BigInt.
 *
 * @module
 */
import { asciiOf } from "./bytes.ts";

const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/** Digits of 2^53 - 1, and of 2^63 - 1. */
const SAFE_DIGITS_MAX = 16;
const INT64_DIGITS_MAX = 19;

/** Digits whose number is surely an int32. */
const INT32_DIGITS = 9;

/** The greatest amounts of 64 bits: positive, and negative. */
const INT64_MAX_TEXT = "9223372036854775807";
const INT64_MIN_TEXT = "9223372036854775808";

/** How many bytes the longest of these numbers has. */
export const INTEGER_BYTES_MAX = 20;

/**
 * The integer that a run of bytes is the canonical text of, or NaN if it is
 * none or not a safe integer: see {@linkcode parseBigInteger} for the others.
 */
export function parseSafeInteger(
  buf: Uint8Array,
  off: number,
  len: number,
): number {
  const end = off + len;
  const negative = len > 1 && buf[off] === MINUS;
  let at = negative ? off + 1 : off;
  const digits = end - at;
  if (digits < 1 || digits > SAFE_DIGITS_MAX) return NaN;
  if (buf[at] === ZERO) return len === 1 ? 0 : NaN;

  // As far as int32 reaches, then on in floating point.
  const intEnd = digits > INT32_DIGITS ? at + INT32_DIGITS : end;
  let int = 0;
  for (; at < intEnd; at++) {
    const digit = buf[at]! - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    int = (Math.imul(int, 10) + digit) | 0;
  }
  if (at === end) return negative ? -int : int;
  let n = int;
  for (; at < end; at++) {
    const digit = buf[at]! - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    n = n * 10 + digit;
  }
  if (n > Number.MAX_SAFE_INTEGER) return NaN;
  return negative ? -n : n;
}

/**
 * The integer of 64 bits that a run of bytes is the canonical text of, or null.
 */
export function parseBigInteger(
  buf: Uint8Array,
  off: number,
  len: number,
): bigint | null {
  if (!isCanonicalInteger(buf, off, len)) return null;
  return BigInt(asciiOf(buf, off, len));
}

/** Whether a run of bytes is the canonical text of an integer of 64 bits. */
export function isCanonicalInteger(
  buf: Uint8Array,
  off: number,
  len: number,
): boolean {
  if (len < 1 || len > INTEGER_BYTES_MAX) return false;
  const end = off + len;
  const negative = buf[off] === MINUS;
  const start = negative ? off + 1 : off;
  const digits = end - start;
  if (digits < 1 || digits > INT64_DIGITS_MAX) return false;
  // The last byte tells most texts from numbers.
  const last = buf[end - 1]!;
  if (last < ZERO || last > NINE) return false;
  if (buf[start] === ZERO) return len === 1;
  for (let at = start; at < end; at++) {
    const byte = buf[at]!;
    if (byte < ZERO || byte > NINE) return false;
  }
  if (digits < INT64_DIGITS_MAX) return true;
  return isAtMost(buf, start, negative ? INT64_MIN_TEXT : INT64_MAX_TEXT);
}

/** Whether digits are no more than those of a text of the same length. */
function isAtMost(buf: Uint8Array, start: number, limit: string): boolean {
  for (let i = 0; i < limit.length; i++) {
    const difference = buf[start + i]! - limit.charCodeAt(i);
    if (difference !== 0) return difference < 0;
  }
  return true;
}

/** Writes a safe integer and returns where it ends. */
export function writeInteger(n: number, out: Uint8Array, at: number): number {
  if (n < 0) {
    out[at++] = MINUS;
    n = -n;
  }
  if (n < 10) {
    out[at] = ZERO + n;
    return at + 1;
  }
  if (n < 1e9) return writeDigits(n, digitCount(n), out, at);
  // Division is fast for int32: nine digits apart, and what is before them.
  const high = Math.floor(n / 1e9);
  const low = n - high * 1e9;
  return writeDigits(
    low,
    9,
    out,
    writeDigits(high, digitCount(high), out, at),
  );
}

/** Writes an integer of 64 bits and returns where it ends. */
export function writeBigInteger(
  n: bigint,
  out: Uint8Array,
  at: number,
): number {
  const text = n.toString();
  for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** How many bytes {@linkcode writeInteger} writes. */
export function decimalLength(n: number): number {
  const sign = n < 0 ? 1 : 0;
  const amount = n < 0 ? -n : n;
  if (amount < 1e9) return sign + digitCount(amount);
  return sign + 9 + digitCount(Math.floor(amount / 1e9));
}

/** Writes a number below 10^9 in `count` digits and returns where they end. */
export function writeDigits(
  n: number,
  count: number,
  out: Uint8Array,
  at: number,
): number {
  const end = at + count;
  let rest = n | 0;
  for (let i = end - 1; i >= at; i--) {
    const quotient = (rest / 10) | 0;
    out[i] = ZERO + rest - Math.imul(quotient, 10);
    rest = quotient;
  }
  return end;
}

/** How many digits a number below 10^9 has. */
function digitCount(n: number): number {
  if (n < 1e5) {
    if (n < 100) return n < 10 ? 1 : 2;
    if (n < 1e4) return n < 1000 ? 3 : 4;
    return 5;
  }
  if (n < 1e7) return n < 1e6 ? 6 : 7;
  return n < 1e8 ? 8 : 9;
}

/**
 * Cursors of the SCAN family as clients send them.
 *
 * Redis reads them with C's `strtoul`, and so do we: 64 bits without a sign, an
 * optional plus or minus (a minus wraps around), nothing at all is zero, a NUL
 * ends the text, and only white space in front is refused.
 *
 * @module
 */

const PLUS = 0x2b;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const SPACE = 0x20;
const TAB = 0x09;
const CARRIAGE_RETURN = 0x0d;

/** Digits whose number is surely a safe integer. */
const SAFE_DIGITS = 15;
const UINT64_MAX = 2n ** 64n - 1n;
/** Bits kept of a cursor; no server has given out one that has more. */
const CURSOR_BITS = 52;

/** A cursor, or NaN if the text is none. */
export function parseCursor(
  buf: Uint8Array,
  off: number,
  length: number,
): number {
  let end = off;
  while (end < off + length && buf[end] !== 0) end++;
  if (off === end) return 0;
  const first = buf[off]!;
  const isNegative = first === MINUS;
  let at = isNegative || first === PLUS ? off + 1 : off;
  if (at === end || isSpace(first)) return NaN;
  const isShort = end - at <= SAFE_DIGITS;
  let n = 0;
  let big = 0n;
  for (; at < end; at++) {
    const byte = buf[at]!;
    if (byte < ZERO || byte > NINE) return NaN;
    if (isShort) n = n * 10 + byte - ZERO;
    else if (big <= UINT64_MAX) big = big * 10n + BigInt(byte - ZERO);
  }
  if (isShort && !isNegative) return n;
  if (isShort) big = BigInt(n);
  if (big > UINT64_MAX) return NaN;
  return Number(BigInt.asUintN(CURSOR_BITS, isNegative ? -big : big));
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte >= TAB && byte <= CARRIAGE_RETURN;
}

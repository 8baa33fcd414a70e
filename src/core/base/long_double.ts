/**
 * The 80-bit floating point numbers of x86, `long double` in C, in which Redis
 * computes INCRBYFLOAT and HINCRBYFLOAT: so much of them that the texts which
 * these commands store and reply are the same, byte for byte.
 *
 * A number is a significand of 64 bits times a power of two, from 2^-16445 to
 * below 2^16384. Here it is a BigInt and an exponent; every result is rounded
 * as the processor does, to the nearest number and the even one of two. The
 * sign of zero is not kept: no text shows it.
 *
 * The text of a number is that of `"%.17Lf"` without trailing zeros: never an
 * exponent, so a huge number has up to 4933 digits.
 *
 * @module
 */
import { asciiOf } from "./bytes.ts";
import {
  type FloatFormat,
  parseFloatText,
  roundBinary,
  roundedShift,
  roundFloatText,
} from "./float_text.ts";

/** The format of x87's registers. */
const EXTENDED: FloatFormat = {
  precision: 64,
  exponentMin: -16445,
  exponentEnd: 16384,
};

/** Redis reads a number into a buffer of 5 KB, with a zero at its end. */
const TEXT_BYTES_MAX = 5 * 1024 - 1;

/** Digits after the point. */
const FRACTION_DIGITS = 17;
const FRACTION = 10n ** BigInt(FRACTION_DIGITS);

/** A number of 80 bits; made, added and written by this file only. */
export class LongDouble {
  /** With its sign; for an infinity 1 or -1, for NaN 0. */
  readonly digits: bigint;
  /** The power of two; infinite for what is not finite. */
  readonly exponent: number;

  constructor(digits: bigint, exponent: number) {
    this.digits = digits;
    this.exponent = exponent;
  }
}

/**
 * The number that an argument says, or null where Redis says "value is not a
 * valid float": it is no number at all, too long, or out of range. A text for
 * infinity is a number.
 */
export function parseLongDouble(
  buf: Uint8Array,
  off: number,
  len: number,
): LongDouble | null {
  if (len > TEXT_BYTES_MAX) return null;
  const text = parseFloatText(asciiOf(buf, off, len));
  if (text === null) return null;
  if (text.base === 0) return infinity(text.negative);
  const rounded = roundFloatText(text, EXTENDED);
  if (rounded === null) return null;
  const { digits, exponent } = rounded;
  if (digits === 0n && text.digits !== 0n) return null;
  return new LongDouble(text.negative ? -digits : digits, exponent);
}

/** The sum; it may be infinite, or NaN as the sum of two infinities. */
export function addLongDouble(a: LongDouble, b: LongDouble): LongDouble {
  if (!isFiniteLongDouble(a)) {
    const cancelled = !isFiniteLongDouble(b) && a.digits !== b.digits;
    return cancelled ? new LongDouble(0n, Infinity) : a;
  }
  if (!isFiniteLongDouble(b)) return b;
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = (a.digits << BigInt(a.exponent - exponent)) +
    (b.digits << BigInt(b.exponent - exponent));
  const negative = sum < 0n;
  const amount = negative ? -sum : sum;
  const rounded = roundBinary(amount, exponent, false, EXTENDED);
  if (rounded === null) return infinity(negative);
  const digits = negative ? -rounded.digits : rounded.digits;
  return new LongDouble(digits, rounded.exponent);
}

/** Whether it is neither infinite nor NaN. */
export function isFiniteLongDouble(x: LongDouble): boolean {
  return Number.isFinite(x.exponent);
}

/** The text that Redis stores and replies: plain decimal, nothing trailing. */
export function formatLongDouble(x: LongDouble): string {
  const negative = x.digits < 0n;
  if (!isFiniteLongDouble(x)) {
    if (x.digits === 0n) return "nan";
    return negative ? "-inf" : "inf";
  }
  const amount = negative ? -x.digits : x.digits;
  const scaled = x.exponent >= 0
    ? (amount << BigInt(x.exponent)) * FRACTION
    : roundedShift(amount * FRACTION, -x.exponent, false);
  if (scaled === 0n) return "0";

  const sign = negative ? "-" : "";
  const whole = scaled / FRACTION;
  const fraction = scaled - whole * FRACTION;
  if (fraction === 0n) return `${sign}${whole}`;
  const tail = String(fraction).padStart(FRACTION_DIGITS, "0");
  return `${sign}${whole}.${tail.replace(/0+$/, "")}`;
}

function infinity(negative: boolean): LongDouble {
  return new LongDouble(negative ? -1n : 1n, Infinity);
}

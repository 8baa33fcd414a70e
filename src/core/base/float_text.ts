/**
 * The grammar of floating point numbers in arguments, and the rounding of what
 * it says to a binary format: what `strtod` and `strtold` have in common.
 *
 *     number    = [sign] (decimal | hex | infinity)
 *     decimal   = digits with at most one point, [("e" | "E") [sign] digits]
 *     hex       = "0x", hex digits with at most one point,
 *                 [("p" | "P") [sign] digits]
 *     infinity  = "inf" | "infinity", in any case
 *
 * The whole text must be the number: no space before it, nothing after it. NaN,
 * which C would accept, is none, because Redis refuses it wherever it reads a
 * number.
 *
 * @module
 */

/** What a text says: `digits` times 2 or 10 to the power of `exponent`. */
export interface FloatText {
  negative: boolean;
  /** Which power; 0 is infinity. */
  base: 0 | 2 | 10;
  digits: bigint;
  exponent: number;
}

/** A binary floating point format. */
export interface FloatFormat {
  /** Bits of the significand. */
  precision: number;
  /** The weight of the last bit of the smallest numbers, as a power of 2. */
  exponentMin: number;
  /** All numbers are below this power of 2. */
  exponentEnd: number;
}

/** `digits` times 2 to the power of `exponent`. */
export interface BinaryFloat {
  digits: bigint;
  exponent: number;
}

const DECIMAL = /^([+-]?)(?=\.?\d)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i;
const HEX =
  /^([+-]?)0x(?=\.?[\da-f])([\da-f]*)(?:\.([\da-f]*))?(?:p([+-]?\d+))?$/i;
const INFINITY = /^([+-]?)inf(?:inity)?$/i;

/** Takes a text apart, or answers null if it is no number. */
export function parseFloatText(text: string): FloatText | null {
  const decimal = DECIMAL.exec(text);
  if (decimal !== null) return floatText(decimal, 10);
  const hex = HEX.exec(text);
  if (hex !== null) return floatText(hex, 2);
  const infinity = INFINITY.exec(text);
  if (infinity === null) return null;
  return { negative: infinity[1] === "-", base: 0, digits: 1n, exponent: 0 };
}

function floatText(match: RegExpExecArray, base: 2 | 10): FloatText {
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  const prefix = base === 2 ? "0x" : "";
  return {
    negative: sign === "-",
    base,
    digits: BigInt(prefix + whole + fraction),
    exponent: Number(exponent) - fraction.length * (base === 2 ? 4 : 1),
  };
}

/**
 * The nearest number of the format, the even one of two: infinity is null, and
 * what is too small is zero. The sign is left to the caller.
 */
export function roundFloatText(
  text: FloatText,
  format: FloatFormat,
): BinaryFloat | null {
  const { base, digits, exponent } = text;
  if (base === 0) return null;
  if (digits === 0n) return { digits, exponent: format.exponentMin };

  // Powers that are far out are not worth computing.
  const bitsPerPower = base === 2 ? 1 : Math.log2(10);
  const magnitude = bitLength(digits) + exponent * bitsPerPower;
  if (magnitude > format.exponentEnd + 8) return null;
  if (magnitude < format.exponentMin - 8) {
    return { digits: 0n, exponent: format.exponentMin };
  }

  if (base === 2) return roundBinary(digits, exponent, false, format);
  if (exponent >= 0) {
    return roundBinary(digits * 10n ** BigInt(exponent), 0, false, format);
  }
  // A quotient with two bits more than needed, and whether it is exact.
  const divisor = 10n ** BigInt(-exponent);
  const wanted = format.precision + 2;
  const shift = Math.max(
    0,
    wanted + bitLength(divisor) - bitLength(digits),
  );
  const dividend = digits << BigInt(shift);
  const quotient = dividend / divisor;
  const inexact = quotient * divisor !== dividend;
  return roundBinary(quotient, -shift, inexact, format);
}

/**
 * Rounds `digits * 2 ** exponent` to the format; `more` says that the exact
 * value is a little greater, which needs two bits to spare in `digits`.
 */
export function roundBinary(
  digits: bigint,
  exponent: number,
  more: boolean,
  format: FloatFormat,
): BinaryFloat | null {
  const excess = Math.max(
    bitLength(digits) - format.precision,
    format.exponentMin - exponent,
  );
  if (excess > 0) {
    digits = roundedShift(digits, excess, more);
    exponent += excess;
  }
  if (bitLength(digits) + exponent > format.exponentEnd) return null;
  return { digits, exponent };
}

/**
 * `digits / 2 ** bits`, rounded to the nearest integer, the even one of two;
 * `more` says that the exact value is a little greater.
 */
export function roundedShift(
  digits: bigint,
  bits: number,
  more: boolean,
): bigint {
  const shift = BigInt(bits);
  const quotient = digits >> shift;
  const rest = digits - (quotient << shift);
  const half = 1n << (shift - 1n);
  const up = rest > half || rest === half && (more || (quotient & 1n) === 1n);
  return up ? quotient + 1n : quotient;
}

/** How many bits a number that is not negative has. */
export function bitLength(n: bigint): number {
  if (n === 0n) return 0;
  const hex = n.toString(16);
  return hex.length * 4 - Math.clz32(parseInt(hex[0]!, 16)) + 28;
}

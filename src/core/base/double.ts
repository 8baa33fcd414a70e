/**
 * Doubles as text: scores, coordinates and other numbers of 64 bits.
 *
 * Reading follows `strtod` with Redis's checks. Writing follows Redis 7.2, the
 * same in RESP2 and RESP3: an integer up to 2^62 with all its digits; any other
 * number with the fewest digits that give it back when read, laid out as one of
 *
 *     123000         an integer, up to six zeros after the last digit
 *     0.00012        up to six digits after the point, or below 10000
 *     1.23e+30       all others
 *
 * Redis finds the digits by Grisu2, which for about one number in a thousand
 * can not prove that few digits are enough and writes up to 17. Here they are
 * always the fewest. Both texts say the same number.
 *
 * @module
 */
import { asciiOf } from "./bytes.ts";
import { endOfFloatText, floatTextOf } from "./long_float_text.ts";
import {
  type FloatFormat,
  parseFloatText,
  roundFloatText,
} from "./float_text.ts";

const TAB = 0x09;
const RETURN = 0x0d;
const SPACE = 0x20;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

/** Integers up to here are written with all their digits. */
const INTEGER_MAX = 2 ** 62;

/** From here on, toFixed() does not write all digits. */
const FIXED_MAX = 1e21;

/** Digits of {@linkcode formatDouble17}. */
const DIGITS17 = 17;

/** Digits that are surely exact in a double. */
const EXACT_DIGITS = 15;

/** The powers of ten for so many digits after the point, all of them exact. */
const POWERS = Array.from({ length: EXACT_DIGITS + 1 }, (_, i) => 10 ** i);

/** What JavaScript reads as C does, the nearest double of it. */
const PLAIN = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

const DOUBLE: FloatFormat = {
  precision: 53,
  exponentMin: -1074,
  exponentEnd: 1024,
};

/** The text of a double in a reply. */
export function formatDouble(x: number): string {
  if (Number.isSafeInteger(x)) return Object.is(x, -0) ? "-0" : String(x);
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x < 0 ? "-inf" : "inf";
  const amount = Math.abs(x);
  if (amount <= INTEGER_MAX && Number.isInteger(x)) return String(BigInt(x));
  return x < 0 ? `-${layOut(amount)}` : layOut(amount);
}

/**
 * The text with the fewest digits, of integers too: 100000000 is `1e+8`. It is
 * what Redis makes of a score where it only compares texts.
 */
export function formatShortestDouble(x: number): string {
  if (Number.isNaN(x) || !Number.isFinite(x)) return formatDouble(x);
  if (x === 0) return Object.is(x, -0) ? "-0" : "0";
  return x < 0 ? `-${layOut(-x)}` : layOut(x);
}

/**
 * A finite double with so many digits after the point, as C's `"%.nf"` prints
 * it: what lies in the middle of two texts goes to the one with an even digit.
 */
export function formatFixed(x: number, digits: number): string {
  if (Math.abs(x) >= FIXED_MAX) return `${BigInt(x)}.${"0".repeat(digits)}`;
  const text = x.toFixed(digits);
  // Only these end in a 5 behind the last digit; all of them were rounded up.
  const halves = x * 2 ** (digits + 1);
  if (Math.floor(halves) !== halves || halves % 2 === 0) return text;
  const cut = x.toFixed(digits + 1).slice(0, -1);
  return Number(cut.at(-1)) % 2 === 0 ? cut : text;
}

/**
 * The double that an argument says, or NaN where Redis says "value is not a
 * valid float": it is no number at all, NaN itself, or out of range. A text for
 * infinity is a number.
 */
export function parseDouble(
  buf: Uint8Array,
  off: number,
  len: number,
): number {
  const short = parseShortDecimal(buf, off, len);
  return short === short ? short : parseAnyDouble(floatTextOf(buf, off, len));
}

/**
 * A plain decimal of few digits, or NaN for all other texts. The quotient of
 * two exact numbers is rounded once, so it is the nearest double.
 */
export function parseShortDecimal(
  buf: Uint8Array,
  off: number,
  len: number,
): number {
  const end = off + len;
  const negative = len > 1 && buf[off] === MINUS;
  let at = negative ? off + 1 : off;
  if (at === end || end - at > EXACT_DIGITS) return NaN;
  let digits = 0;
  let fraction = -1;
  for (; at < end; at++) {
    const byte = buf[at]!;
    if (byte === POINT && fraction < 0) {
      fraction = 0;
      continue;
    }
    const digit = byte - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    digits = digits * 10 + digit;
    if (fraction >= 0) fraction++;
  }
  if (fraction >= 0) {
    // A point needs a digit beside it.
    if (end - off === (negative ? 2 : 1)) return NaN;
    digits /= POWERS[fraction]!;
  }
  return negative ? -digits : digits;
}

/**
 * The double that a text says as C's `strtod` reads it, for ends of ranges, or
 * NaN for what is no number: spaces may come first, a NUL ends the text, none at
 * all is 0, and what is out of range is infinite or 0.
 */
export function parseLooseDouble(
  buf: Uint8Array,
  off: number,
  len: number,
): number {
  const short = parseShortDecimal(buf, off, len);
  if (short === short) return short;
  const limit = off + len;
  if (off === limit || buf[off] === 0) return 0;
  let start = off;
  while (start < limit && isSpace(buf[start]!)) start++;
  const end = endOfFloatText(buf, start, limit);
  const text = parseFloatText(floatTextOf(buf, start, end - start));
  if (text === null) return NaN;
  const sign = text.negative ? -1 : 1;
  if (text.base === 0) return sign * Infinity;
  const rounded = roundFloatText(text, DOUBLE);
  if (rounded === null) return sign * Infinity;
  return sign * Number(rounded.digits) * 2 ** rounded.exponent;
}

/** Reads back what {@linkcode formatDouble} or `%.17g` has written. */
export function readDouble(
  buf: Uint8Array,
  off: number,
  len: number,
): number {
  const short = parseShortDecimal(buf, off, len);
  if (short === short) return short;
  const text = asciiOf(buf, off, len);
  if (text === "inf") return Infinity;
  return text === "-inf" ? -Infinity : Number(text);
}

/** The text of a double with up to 17 digits, as `%.17g` of C has it. */
export function formatDouble17(x: number): string {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x < 0 ? "-inf" : "inf";
  if (x === 0) return Object.is(x, -0) ? "-0" : "0";
  const sign = x < 0 ? "-" : "";
  // One digit before the point, as many behind as a double may have.
  const exact = Math.abs(x).toExponential(100);
  const mark = exact.indexOf("e");
  const digits = exact[0] + exact.slice(2, mark);
  let exponent = Number(exact.slice(mark + 1));
  let rounded = BigInt(digits.slice(0, DIGITS17));
  const rest = digits.slice(DIGITS17);
  const half = `5${"0".repeat(rest.length - 1)}`;
  if (rest > half || rest === half && (rounded & 1n) === 1n) rounded++;
  let text = rounded.toString();
  if (text.length > DIGITS17) exponent++;
  text = text.replace(/0+$/, "");
  if (exponent < -4 || exponent >= DIGITS17) {
    const point = text.length > 1 ? "." : "";
    const power = String(Math.abs(exponent)).padStart(2, "0");
    const direction = exponent < 0 ? "-" : "+";
    return `${sign}${text[0]}${point}${text.slice(1)}e${direction}${power}`;
  }
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${text}`;
  if (text.length <= exponent + 1) return sign + text.padEnd(exponent + 1, "0");
  return `${sign}${text.slice(0, exponent + 1)}.${text.slice(exponent + 1)}`;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte >= TAB && byte <= RETURN;
}

function parseAnyDouble(source: string): number {
  if (PLAIN.test(source)) {
    const x = Number(source);
    if (x !== 0 && Number.isFinite(x)) return x;
  }
  const text = parseFloatText(source);
  if (text === null) return NaN;
  const sign = text.negative ? -1 : 1;
  if (text.base === 0) return sign * Infinity;
  if (text.digits === 0n) return sign * 0;
  const rounded = roundFloatText(text, DOUBLE);
  if (rounded === null || rounded.digits === 0n) return NaN;
  return sign * Number(rounded.digits) * 2 ** rounded.exponent;
}

/** The text of a positive number that is no small integer. */
function layOut(x: number): string {
  // d.ddde+n: the fewest digits that tell it from other doubles.
  const scientific = x.toExponential();
  const mark = scientific.indexOf("e");
  const digits = scientific[0] + scientific.slice(2, mark);
  const exponent = Number(scientific.slice(mark + 1));
  /** The power of ten of the last digit. */
  const last = exponent - (digits.length - 1);

  if (last >= 0 && exponent < digits.length + 7) {
    return digits + "0".repeat(last);
  }
  if (last < 0 && (last > -7 || Math.abs(exponent) < 4)) {
    if (exponent < 0) return `0.${"0".repeat(-exponent - 1)}${digits}`;
    return `${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
  }
  return scientific;
}

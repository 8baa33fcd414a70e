/**
 * Long texts of floating point numbers, as short ones that say the same: of
 * megabytes of digits only the first decide which double it is.
 *
 * Even to read them takes up to a millisecond per megabyte. So those of a command
 * with long arguments are made short before it has its latches.
 *
 * @module
 */

import { asciiOf } from "./bytes.ts";

/** Shorter texts stay as they are. */
const LONG_TEXT_BYTES = 1 << 12;
/** Bytes in which a NUL is looked for. */
const NUL_BYTES_MAX = 1 << 20;
/** More digits than any double needs to be told from others. */
const DIGITS_MAX = 1 << 10;
/** Beyond, a number is infinite or zero, whatever its digits are. */
const POWER_MAX = 1e12;
/** What is no number. */
const NO_NUMBER = "?";

const ROUND = 0x28;
const PLUS = 0x2b;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_A = 0x61;
const LOWER_E = 0x65;
const LOWER_F = 0x66;
const LOWER_P = 0x70;
const LOWER_X = 0x78;
const LOWER_Z = 0x7a;
const LOWER = 0x20;

/** A long text that has been read. */
interface KnownText {
  readonly buf: Uint8Array;
  readonly off: number;
  readonly len: number;
  readonly text: string;
}

let known: KnownText[] = [];

/**
 * Reads what may be the long text of a number, or an end of a range, before it is
 * asked for.
 */
export function noteFloatText(
  buf: Uint8Array,
  from: number,
  length: number,
): void {
  if (length <= LONG_TEXT_BYTES) return;
  const skipped = buf[from] === ROUND ? 1 : 0;
  const off = from + skipped;
  const len = length - skipped;
  const text = shortText(buf, off, len);
  if (text !== NO_NUMBER) known.push({ buf, off, len, text });
}

/** Forgets what was read. */
export function forgetFloatTexts(): void {
  if (known.length > 0) known = [];
}

/** A run as text; that of a number which is long is a short one. */
export function floatTextOf(
  buf: Uint8Array,
  off: number,
  len: number,
): string {
  if (len <= LONG_TEXT_BYTES) return asciiOf(buf, off, len);
  return findKnown(buf, off, len)?.text ?? shortText(buf, off, len);
}

/**
 * Where a text ends that begins there: at a NUL, as for C, unless what comes before
 * it is no number anyway, or longer than anybody looks.
 */
export function endOfFloatText(
  buf: Uint8Array,
  off: number,
  end: number,
): number {
  if (findKnown(buf, off, end - off) !== undefined) return end;
  const limit = Math.min(end, off + NUL_BYTES_MAX);
  let at = off;
  while (at < limit && isPart(buf[at]!)) at++;
  return at < limit && buf[at] === 0 ? at : end;
}

function findKnown(
  buf: Uint8Array,
  off: number,
  len: number,
): KnownText | undefined {
  return known.find((each) =>
    each.off === off && each.len === len && each.buf === buf
  );
}

/** Whether a byte can be part of the text of a number. */
function isPart(byte: number): boolean {
  const lower = byte | LOWER;
  return isDigit(byte, true) || byte === POINT || byte === PLUS ||
    byte === MINUS || lower >= LOWER_A && lower <= LOWER_Z;
}

function shortText(buf: Uint8Array, off: number, len: number): string {
  const end = off + len;
  let at = off;
  let sign = "";
  if (buf[at] === MINUS || buf[at] === PLUS) {
    if (buf[at] === MINUS) sign = "-";
    at++;
  }
  const isHex = buf[at] === ZERO && (buf[at + 1]! | LOWER) === LOWER_X;
  if (isHex) at += 2;
  const digits: number[] = [];
  let hasDigits = false;
  let hasPoint = false;
  /** Whether digits that are no zeros are left out. */
  let hasMore = false;
  /** The weight of the last digit that is kept, in digits. */
  let weight = 0;
  for (; at < end; at++) {
    const byte = buf[at]!;
    if (byte === POINT && !hasPoint) {
      hasPoint = true;
      continue;
    }
    if (!isDigit(byte, isHex)) break;
    hasDigits = true;
    const isKept = digits.length < DIGITS_MAX &&
      (digits.length > 0 || byte !== ZERO);
    if (isKept) digits.push(byte);
    else if (byte !== ZERO) hasMore = true;
    if (isKept || digits.length === 0) {
      if (hasPoint) weight--;
    } else if (!hasPoint) weight++;
  }
  if (!hasDigits) return NO_NUMBER;
  const power = at === end ? 0 : readPower(buf, at, end, isHex);
  if (Number.isNaN(power)) return NO_NUMBER;
  if (digits.length === 0) return `${sign}0`;
  if (hasMore) {
    digits.push(ZERO + 1);
    weight--;
  }
  const text = String.fromCharCode(...digits);
  return isHex
    ? `${sign}0x${text}p${power + 4 * weight}`
    : `${sign}${text}e${power + weight}`;
}

/** The power behind a number's digits, or NaN if something else is there. */
function readPower(
  buf: Uint8Array,
  from: number,
  end: number,
  isHex: boolean,
): number {
  if ((buf[from]! | LOWER) !== (isHex ? LOWER_P : LOWER_E)) return NaN;
  let at = from + 1;
  const isNegative = buf[at] === MINUS;
  if (isNegative || buf[at] === PLUS) at++;
  if (at >= end) return NaN;
  let power = 0;
  for (; at < end; at++) {
    if (!isDigit(buf[at]!, false)) return NaN;
    power = Math.min(POWER_MAX, power * 10 + buf[at]! - ZERO);
  }
  return isNegative ? -power : power;
}

function isDigit(byte: number, isHex: boolean): boolean {
  if (byte >= ZERO && byte <= NINE) return true;
  const lower = byte | LOWER;
  return isHex && lower >= LOWER_A && lower <= LOWER_F;
}

/**
 * The orders that SORT puts elements into.
 *
 * @module
 */

import { parseDouble } from "../base/double.ts";
import { parseSafeInteger } from "../base/integer.ts";
import type { IndexOrder } from "../base/index_sort.ts";
import type { ByteRefs } from "../memory/byte_refs.ts";

/** No element: BY has found nothing. */
export const NONE = -1;

/** Less than any normal number: strtod says that it is out of range. */
const NORMAL_MIN = 2 ** -1022;

/** By their scores, turned round if `sign` is -1. */
export function scoreOrder(
  elements: ByteRefs,
  scores: Float64Array,
  sign: number,
): IndexOrder {
  return (a, b) => {
    const x = scores[a]!;
    const y = scores[b]!;
    if (x !== y) return x > y ? sign : -sign;
    return sign * elements.compare(a, b);
  };
}

/** By their own bytes. */
export function elementOrder(elements: ByteRefs, sign: number): IndexOrder {
  return (a, b) => sign * elements.compare(a, b);
}

/**
 * By texts that were found, whose numbers are those of the elements' `texts`, or
 * NONE; those that compare equal, by their own bytes if that `breaksTies`.
 */
export function textOrder(
  elements: ByteRefs,
  numbers: Int32Array,
  texts: ByteRefs,
  sign: number,
  breaksTies: boolean,
): IndexOrder {
  const compare: IndexOrder = (a, b) => {
    const x = numbers[a]!;
    const y = numbers[b]!;
    if (x !== NONE && y !== NONE) return sign * texts.compare(x, y);
    return x === y ? 0 : x === NONE ? -sign : sign;
  };
  if (!breaksTies) return compare;
  return (a, b) => compare(a, b) || sign * elements.compare(a, b);
}

/**
 * The number that bytes say as strtod reads them, or NaN if not all of them
 * belong to it or it is out of range. No bytes at all say 0.
 */
export function scoreOf(buf: Uint8Array, off: number, length: number): number {
  const integer = parseSafeInteger(buf, off, length);
  if (integer === integer) return integer;
  const end = off + lengthToNul(buf, off, length);
  if (end === off) return 0;
  let start = off;
  while (start < end && isSpace(buf[start]!)) start++;
  const score = parseDouble(buf, start, end - start);
  return score !== 0 && Math.abs(score) < NORMAL_MIN ? NaN : score;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte >= 0x09 && byte <= 0x0d;
}

/** Bytes before the first NUL. */
function lengthToNul(buf: Uint8Array, off: number, length: number): number {
  const end = off + length;
  let at = off;
  while (at < end && buf[at] !== 0) at++;
  return at - off;
}

/** 0, 1, 2 ... */
export function countUp(count: number): Int32Array<ArrayBuffer> {
  const numbers = new Int32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = i;
  return numbers;
}

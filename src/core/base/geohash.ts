/**
 * Geohashes of 52 bits, as sorted sets keep them for scores.
 *
 * The world is halved 26 times each way; the bits of the two indices take turns,
 * so that what is near often has a score that is near:
 *
 * ```text
 * bit       51 50 49 48 ...  1  0        cell of `step` bits each way: the first
 * of        x  y  x  y  ...  x  y        2 * step bits, a range of scores
 * x         longitude, -180 to 180
 * y         latitude, -85.05112878 to 85.05112878 (the square of web maps)
 * ```
 *
 * A coordinate at the upper end of its range has index 2^26, one too many for 26
 * bits, and sets bit 52 or 53. Redis lets that happen, so it does here. A score
 * that nobody made of coordinates is decoded as if it were one, all 64 bits of
 * it.
 *
 * Words of 32 bits are enough for all of it: 16 bits of each index lie in the
 * low word, the rest in the high one. Source: geohash.c of Redis, and "Interleave
 * bits by Binary Magic Numbers" of Anderson's Bit Twiddling Hacks.
 *
 * @module
 */

import { formatFixed } from "./double.ts";

/** Halvings of each coordinate in a score. */
export const GEOHASH_STEPS = 26;
/** Longitudes lie between this and its negative. */
export const LONGITUDE_MAX = 180;
/** Latitudes lie between this and its negative. */
export const LATITUDE_MAX = 85.05112878;
/** Digits after the point of a coordinate. */
const COORDINATE_DIGITS = 17;
/** Characters of the text of a geohash. */
export const GEOHASH_TEXT_BYTES = 11;

const ZERO = 0x30;
const POINT = 0x2e;
const TWO_TO_32 = 2 ** 32;
const TWO_TO_63 = 2 ** 63;
/** Latitudes of the texts that everybody else's geohashes have. */
const TEXT_LATITUDE_MAX = 90;
const TEXT_DIGITS = new TextEncoder().encode(
  "0123456789bcdefghjkmnpqrstuvwxyz",
);

/** A place on earth, in degrees. */
export interface GeoPoint {
  longitude: number;
  latitude: number;
}

/** The indices of a cell; both below 2^27. */
export interface GeoIndices {
  x: number;
  y: number;
}

/** The score of a place within the limits. */
export function encodeGeohash(longitude: number, latitude: number): number {
  return geohashOf(
    indexOf(longitude, LONGITUDE_MAX, GEOHASH_STEPS),
    indexOf(latitude, LATITUDE_MAX, GEOHASH_STEPS),
  );
}

/** The middle of the cell that a score says, which may be any number. */
export function decodeGeohash(score: number, point: GeoPoint): void {
  let whole = Math.trunc(score);
  // What does not fit into 64 bits becomes what a processor of x86 makes of it.
  if (whole < -TWO_TO_63) whole = -TWO_TO_63;
  else if (whole >= 2 * TWO_TO_63) whole = 0;
  const high = Math.floor(whole / TWO_TO_32);
  const low = whole - high * TWO_TO_32;
  const x = (gather(low >>> 1) | gather(high >>> 1) << 16) >>> 0;
  const y = (gather(low) | gather(high) << 16) >>> 0;
  point.longitude = middleOf(x, LONGITUDE_MAX);
  point.latitude = middleOf(y, LATITUDE_MAX);
}

/** Which of 2^steps parts of the range from `-max` to `max` holds a coordinate. */
export function indexOf(degrees: number, max: number, steps: number): number {
  return Math.floor((degrees + max) / (2 * max) * (1 << steps));
}

/** Where part `index` of 2^steps begins. */
export function edgeOf(index: number, max: number, steps: number): number {
  return -max + index / (1 << steps) * (2 * max);
}

/** The bits of two indices below 2^27, taking turns. */
export function geohashOf(x: number, y: number): number {
  const low = spread(y & 0xffff) | spread(x & 0xffff) << 1;
  const high = spread(y >>> 16) | spread(x >>> 16) << 1;
  return high * TWO_TO_32 + (low >>> 0);
}

/**
 * Writes the text of the geohash of a place, as geohash.org has it: latitudes
 * from pole to pole. Only ten digits tell something, the last is always 0.
 */
export function writeGeohashText(point: GeoPoint, out: Uint8Array): void {
  const x = indexOf(point.longitude, LONGITUDE_MAX, GEOHASH_STEPS);
  const y = indexOf(point.latitude, TEXT_LATITUDE_MAX, GEOHASH_STEPS);
  for (let i = 0; i < GEOHASH_TEXT_BYTES - 1; i++) {
    let digit = 0;
    for (let bit = 51 - 5 * i; bit > 46 - 5 * i; bit--) {
      const index = (bit & 1) === 1 ? x : y;
      digit = digit << 1 | (index >>> (bit >> 1) & 1);
    }
    out[i] = TEXT_DIGITS[digit]!;
  }
  out[GEOHASH_TEXT_BYTES - 1] = TEXT_DIGITS[0]!;
}

/**
 * The text of a coordinate: seventeen digits after the point, without the zeros
 * at the end.
 */
export function formatCoordinate(degrees: number): string {
  const text = formatFixed(degrees, COORDINATE_DIGITS);
  let end = text.length;
  while (text.charCodeAt(end - 1) === ZERO) end--;
  if (text.charCodeAt(end - 1) === POINT) end--;
  const short = text.slice(0, end);
  return short === "-0" ? "0" : short;
}

function middleOf(index: number, max: number): number {
  const low = edgeOf(index, max, GEOHASH_STEPS);
  const high = edgeOf((index + 1) >>> 0, max, GEOHASH_STEPS);
  const middle = (low + high) / 2;
  return middle > max ? max : middle < -max ? -max : middle;
}

/** Moves the low 16 bits apart: each has a zero above it. */
function spread(x: number): number {
  x = (x | x << 8) & 0x00ff00ff;
  x = (x | x << 4) & 0x0f0f0f0f;
  x = (x | x << 2) & 0x33333333;
  return (x | x << 1) & 0x55555555;
}

/** The even bits, side by side. */
function gather(x: number): number {
  x &= 0x55555555;
  x = (x | x >>> 1) & 0x33333333;
  x = (x | x >>> 2) & 0x0f0f0f0f;
  x = (x | x >>> 4) & 0x00ff00ff;
  return (x | x >>> 8) & 0x0000ffff;
}

/**
 * Reads the arguments that the geo commands have in common; each reader replies
 * the error itself.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { formatFixed, parseDouble } from "../base/double.ts";
import { type GeoPoint, LATITUDE_MAX, LONGITUDE_MAX } from "../base/geohash.ts";
import {
  type ErrorReply,
  GEO_UNIT_INVALID,
  invalidCoordinates,
  NOT_A_FLOAT,
} from "../resp/error_reply.ts";
import type { Arguments } from "../resp/arguments.ts";
import { argumentIs } from "./arg_reader.ts";
import type { Call } from "./call.ts";

const UNITS: readonly (readonly [name: Uint8Array, metres: number])[] = [
  [bytesOf("m"), 1],
  [bytesOf("km"), 1000],
  [bytesOf("ft"), 0.3048],
  [bytesOf("mi"), 1609.34],
];
/** Digits that an error shows of a coordinate. */
const SHOWN_DIGITS = 6;

/** Reads the place in arguments `i` and `i + 1`; false after an error reply. */
export function readPoint(call: Call, i: number, point: GeoPoint): boolean {
  const error = pointAt(call.args, i, point);
  if (error !== null) call.reply.error(error);
  return error === null;
}

/** Reads the place in arguments `i` and `i + 1`; says what is wrong with it. */
export function pointAt(
  args: Arguments,
  i: number,
  point: GeoPoint,
): ErrorReply | null {
  const longitude = doubleAt(args, i);
  const latitude = doubleAt(args, i + 1);
  if (Number.isNaN(longitude) || Number.isNaN(latitude)) return NOT_A_FLOAT;
  if (
    Math.abs(longitude) > LONGITUDE_MAX || Math.abs(latitude) > LATITUDE_MAX
  ) return invalidCoordinates(shown(longitude), shown(latitude));
  point.longitude = longitude;
  point.latitude = latitude;
  return null;
}

function doubleAt(args: Arguments, i: number): number {
  return parseDouble(args.source(i), args.off[i]!, args.length[i]!);
}

/** A number of argument `i`, or NaN after replying `error`. */
export function readDouble(call: Call, i: number, error: ErrorReply): number {
  const x = doubleAt(call.args, i);
  if (Number.isNaN(x)) call.reply.error(error);
  return x;
}

/** Metres of the unit in argument `i`, or NaN after an error reply. */
export function readUnit(call: Call, i: number): number {
  for (const [name, metres] of UNITS) {
    if (argumentIs(call, i, name)) return metres;
  }
  call.reply.error(GEO_UNIT_INVALID);
  return NaN;
}

function shown(degrees: number): string {
  if (!Number.isFinite(degrees)) return degrees < 0 ? "-inf" : "inf";
  return formatFixed(degrees, SHOWN_DIGITS);
}

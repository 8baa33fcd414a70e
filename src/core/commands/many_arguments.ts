/**
 * Commands with many arguments, or long ones: when they are gone through in
 * slices, and how much is one.
 *
 * @module
 */

import { fieldsExpire } from "../keyspace/field_expires.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arguments } from "../resp/arguments.ts";
import { TYPE_STREAM, TYPE_STRING, TYPE_ZSET } from "../types/entry.ts";
import type { Call } from "./call.ts";

/**
 * No more arguments than this are gone through at once, whatever they are: an
 * integer test is all that short commands pay.
 */
export const FEW_ARGUMENTS = 8;
/**
 * Bytes of a packed value, or of an element of a large one, that cost as much as a
 * short element.
 */
const WEIGHT_BYTES = 1 << 11;
/** Elements of a large value that are looked at. */
const SAMPLES = 16;
/** What a string is that has elements: a sparse HyperLogLog, perhaps. */
const STRING_WEIGHT = 4;
/** A large sorted set has members in an order, too, as have fields that expire. */
const ORDERED_WEIGHT = 2;
/** Arguments that are gone through in one slice. */
const SLICE_ARGUMENTS = 100;
/** Bytes of arguments after which a slice ends. */
const SLICE_BYTES = 1 << 17;
/** More arguments are gone through in slices. */
const SLICED_ARGUMENTS_MIN = 1200;
/** What it costs to let a field expire. */
export const DEAR_ARGUMENT = 2;
/** No more than these are, unless they are long or their value is dear. */
const UNWEIGHED_ARGUMENTS_MAX = 32;
/** So are arguments of more bytes. */
const SLICED_BYTES_MIN = 4 * SLICE_BYTES;

/**
 * Whether more than {@linkcode FEW_ARGUMENTS} arguments take long, of a command
 * with one key, which each take as long as `cost` that are only looked for, or
 * `costOfNew` if there is no value yet.
 */
export function isLongRequest(call: Call, cost = 1, costOfNew = cost): boolean {
  const { args } = call;
  const most = SLICED_ARGUMENTS_MIN / cost;
  if (args.count > most || args.bytesAtMost > SLICED_BYTES_MIN) return true;
  if (args.count <= UNWEIGHED_ARGUMENTS_MAX) return false;
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.peek(call.db, key);
  if (ref === 0) return args.count * costOfNew > SLICED_ARGUMENTS_MIN;
  return args.count * argumentWeight(space, ref) > most;
}

/**
 * Whether it takes long to change so many members of a sorted set, of a command
 * with one key: each long one may have to be compared with others.
 */
export function isLongChange(call: Call, members: number): boolean {
  const { argc, args } = call;
  return argc > FEW_ARGUMENTS && isLongRequest(call) ||
    members > 1 && args.hasBig;
}

/**
 * How dear it is to look for an element in the value of an entry, or 0, or to
 * change it: that of a packed one is looked through, or copied, as is a large
 * element.
 */
export function argumentWeight(space: Keyspace, ref: number): number {
  if (ref === 0) return 1;
  const type = space.type(ref);
  if (type === TYPE_STRING) return STRING_WEIGHT;
  if (type === TYPE_STREAM) return 1;
  const values = space.values.of(type);
  if (values.weight(ref) <= 1) {
    return 1 + Math.floor(values.memoryBytes(ref, 1) / WEIGHT_BYTES);
  }
  const bytes = values.memoryBytes(ref, SAMPLES) / values.length(ref);
  const isOrdered = type === TYPE_ZSET || fieldsExpire(space, ref);
  return (isOrdered ? ORDERED_WEIGHT : 1) +
    Math.floor(bytes / WEIGHT_BYTES);
}

/**
 * The argument before which a slice ends that begins at `from`, where arguments
 * belong together in groups of `width` and each costs as much as `weight` do.
 */
export function endOfSlice(
  args: Arguments,
  from: number,
  width: number,
  weight: number,
): number {
  const groups = Math.max(1, Math.floor(SLICE_ARGUMENTS / width / weight));
  const most = Math.min(from + groups * width, args.count);
  let bytes = 0;
  for (let at = from; at < most;) {
    if (bytes > SLICE_BYTES) return at;
    for (const end = at + width; at < end; at++) bytes += args.length[at]!;
  }
  return most;
}

/**
 * Bytes of the arguments from `from` on, which need not be exact above `most`; or
 * more than that if there are more arguments.
 */
export function bytesFrom(args: Arguments, from: number, most: number): number {
  if (args.count - from > most) return most + 1;
  let bytes = 0;
  for (let i = from; i < args.count && bytes <= most; i++) {
    bytes += args.length[i]!;
  }
  return bytes;
}

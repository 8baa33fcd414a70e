/**
 * Commands with many arguments, or long ones: when they are gone through in
 * slices, and how much is one.
 *
 * @module
 */

import type { Arguments } from "../resp/arguments.ts";

/**
 * No more arguments than this are gone through at once, whatever they are: an
 * integer test is all that short commands pay.
 */
export const FEW_ARGUMENTS = 8;
/** Arguments that are gone through in one slice. */
const SLICE_ARGUMENTS = 500;
/** Bytes of arguments after which a slice ends. */
const SLICE_BYTES = 1 << 18;
/** More arguments are gone through in slices. */
const SLICED_ARGUMENTS_MIN = 4 * SLICE_ARGUMENTS;
/** So are arguments of more bytes. */
const SLICED_BYTES_MIN = 4 * SLICE_BYTES;

/** Whether more than {@linkcode FEW_ARGUMENTS} arguments take long. */
export function isLongRequest(args: Arguments): boolean {
  return args.count > SLICED_ARGUMENTS_MIN ||
    args.bytesAtMost > SLICED_BYTES_MIN;
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

/** Bytes of the arguments from `from` on, which need not be exact above `most`. */
export function bytesFrom(args: Arguments, from: number, most: number): number {
  let bytes = 0;
  for (let i = from; i < args.count && bytes <= most; i++) {
    bytes += args.length[i]!;
  }
  return bytes;
}

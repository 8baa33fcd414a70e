/**
 * Reads arguments that are numbers or words.
 *
 * A reader of numbers replies the error itself and returns NaN, so that a
 * command reads its arguments one by one, in the order in which Redis complains
 * about them, and returns at the first that is none.
 *
 * @module
 */

import { equalsIgnoreCase } from "../base/bytes.ts";
import { parseBigInteger, parseSafeInteger } from "../base/integer.ts";
import { NOT_AN_INTEGER } from "../resp/error_reply.ts";
import type { Call } from "./call.ts";

/**
 * Argument `i`, an integer of 64 bits; exact up to 2^53, the nearest double
 * beyond: for offsets, counts and limits. NaN after an error reply.
 */
export function readInteger(call: Call, i: number): number {
  const n = integerAt(call, i);
  if (Number.isNaN(n)) call.reply.error(NOT_AN_INTEGER);
  return n;
}

/** As {@linkcode readInteger}, but replies nothing. */
export function integerAt(call: Call, i: number): number {
  const n = safeIntegerAt(call, i);
  if (!Number.isNaN(n)) return n;
  const big = bigIntegerAt(call, i);
  return big === null ? NaN : Number(big);
}

/** Argument `i`, or NaN if it is no safe integer; replies nothing. */
export function safeIntegerAt(
  call: Pick<Call, "args">,
  i: number,
): number {
  const args = call.args;
  return parseSafeInteger(args.source(i), args.off[i]!, args.length[i]!);
}

/** Argument `i`, or null if it is no integer of 64 bits; replies nothing. */
export function bigIntegerAt(
  call: Pick<Call, "args">,
  i: number,
): bigint | null {
  const args = call.args;
  return parseBigInteger(args.source(i), args.off[i]!, args.length[i]!);
}

/** Whether argument `i` is a word, in any case; the word is in lower case. */
export function argumentIs(
  call: Pick<Call, "args">,
  i: number,
  word: Uint8Array,
): boolean {
  const args = call.args;
  return equalsIgnoreCase(args.source(i), args.off[i]!, args.length[i]!, word);
}

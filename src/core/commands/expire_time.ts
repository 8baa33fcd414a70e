/**
 * Expire times in arguments: `EX`, `PX`, `EXAT` and `PXAT` of SET and GETEX, the
 * times of SETEX and of the EXPIRE family.
 *
 * A time is an integer of 64 bits, in seconds or milliseconds, relative to now
 * or to the epoch, and becomes milliseconds of the epoch. Redis computes these
 * in 64 bits too and refuses what leaves them on the way; here such a time is
 * *invalid*. Doubles are exact up to the year 287396; what lies beyond is
 * rounded, by a second at most.
 *
 * @module
 */

import { parseBigInteger, parseSafeInteger } from "../base/integer.ts";
import { invalidExpireTime, NOT_AN_INTEGER } from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";

/** What one unit of a time is worth, in milliseconds. */
export type UnitMs = typeof SECONDS | typeof MILLISECONDS;
/** Times in seconds. */
export const SECONDS = 1000;
/** Times in milliseconds. */
export const MILLISECONDS = 1;

/** Result of {@linkcode parseExpireMs} for times that cannot be. */
export const INVALID_EXPIRE = Infinity;

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
/** The greatest double that is an integer of 64 bits. */
const EXPIRE_MS_MAX = 2 ** 63 - 1024;

/**
 * When something expires, in milliseconds of the epoch. `baseMs` is the time
 * that the text counts from: now, or 0. NaN if the text is no integer,
 * {@linkcode INVALID_EXPIRE} if the time leaves 64 bits or, unless `mayBePast`,
 * if the text is not positive. What may be past can come out as any time at
 * all, zero and negative ones included.
 */
export function parseExpireMs(
  buf: Uint8Array,
  off: number,
  length: number,
  unitMs: UnitMs,
  baseMs: number,
  mayBePast: boolean,
): number {
  const n = parseSafeInteger(buf, off, length);
  if (Number.isNaN(n)) {
    const big = parseBigInteger(buf, off, length);
    return big === null ? NaN : farExpireMs(big, unitMs, baseMs, mayBePast);
  }
  // A thousand times 2^53 and any clock fit into 64 bits.
  return n > 0 || mayBePast ? n * unitMs + baseMs : INVALID_EXPIRE;
}

/**
 * Argument `i` as {@linkcode parseExpireMs} reads it. If it is no valid time,
 * replies the error, which names `command`, and returns NaN.
 */
export function readExpireMs(
  call: Call,
  i: number,
  unitMs: UnitMs,
  baseMs: number,
  mayBePast: boolean,
  command: string,
): number {
  const args = call.args;
  const expireAtMs = parseExpireMs(
    args.source(i),
    args.off[i]!,
    args.length[i]!,
    unitMs,
    baseMs,
    mayBePast,
  );
  if (Number.isNaN(expireAtMs)) call.reply.error(NOT_AN_INTEGER);
  else if (expireAtMs === INVALID_EXPIRE) {
    call.reply.error(invalidExpireTime(command));
    return NaN;
  }
  return expireAtMs;
}

/** Replies a time or a distance of times, however far it is. */
export function replyTime(reply: ReplyWriter, time: number): void {
  if (Number.isSafeInteger(time)) reply.integer(time);
  else reply.bigInteger(BigInt(time));
}

/** As above, for times beyond the safe integers. */
function farExpireMs(
  n: bigint,
  unitMs: UnitMs,
  baseMs: number,
  mayBePast: boolean,
): number {
  if (n < 0n && !mayBePast) return INVALID_EXPIRE;
  const ms = n * BigInt(unitMs);
  if (ms < INT64_MIN || ms > INT64_MAX) return INVALID_EXPIRE;
  const expireAtMs = ms + BigInt(baseMs);
  if (expireAtMs > INT64_MAX) return INVALID_EXPIRE;
  return Math.min(Number(expireAtMs), EXPIRE_MS_MAX);
}

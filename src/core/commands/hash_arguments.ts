/**
 * Arguments of the commands on fields that expire: `FIELDS numfields field ...`,
 * and times.
 *
 * A time is an integer that is not negative, in seconds or milliseconds; what it
 * comes to has 46 bits at most, as in Redis.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import {
  type ErrorReply,
  FIELD_EXPIRE_NEGATIVE,
  FIELDS_MISSING,
  invalidExpireTime,
  NOT_AN_INTEGER,
  NUMFIELDS_MISMATCH,
} from "../resp/error_reply.ts";
import { argumentIs, bigIntegerAt, safeIntegerAt } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import { SECONDS, type UnitMs } from "./expire_time.ts";

/** The word before a number of fields. */
export const FIELDS_WORD: Uint8Array = bytesOf("fields");

/** The latest time at which a field can expire. */
const EXPIRE_MS_MAX = 2 ** 46 - 1;

/**
 * Reads `FIELDS numfields` at argument `i`, and that as many arguments follow;
 * returns how many, or NaN after an error reply. `invalid` is the error of a
 * number that is none or not positive.
 */
export function readFieldCount(
  call: Call,
  i: number,
  invalid: ErrorReply,
): number {
  const { reply, argc } = call;
  if (i + 1 >= argc || !argumentIs(call, i, FIELDS_WORD)) {
    reply.error(FIELDS_MISSING);
    return NaN;
  }
  const count = integerAt(call, i + 1);
  if (count === argc - i - 2 && count > 0) return count;
  reply.error(count >= 1 ? NUMFIELDS_MISMATCH : invalid);
  return NaN;
}

/**
 * Argument `i`, a time in `unitMs` from `baseMs` on, in milliseconds of the
 * epoch; NaN after an error reply, which may name `command`.
 */
export function readFieldExpire(
  call: Call,
  i: number,
  unitMs: UnitMs,
  baseMs: number,
  command: string,
): number {
  const n = integerAt(call, i);
  const most = unitMs === SECONDS
    ? Math.floor(EXPIRE_MS_MAX / SECONDS)
    : EXPIRE_MS_MAX;
  if (n >= 0 && n <= most) {
    const expireAtMs = n * unitMs + baseMs;
    if (expireAtMs <= EXPIRE_MS_MAX) return expireAtMs;
  }
  call.reply.error(
    Number.isNaN(n)
      ? NOT_AN_INTEGER
      : n < 0
      ? FIELD_EXPIRE_NEGATIVE
      : invalidExpireTime(command),
  );
  return NaN;
}

/** Argument `i`, an integer of 64 bits, as near as doubles are; or NaN. */
export function integerAt(call: Call, i: number): number {
  const n = safeIntegerAt(call, i);
  if (!Number.isNaN(n)) return n;
  const big = bigIntegerAt(call, i);
  return big === null ? NaN : Number(big);
}

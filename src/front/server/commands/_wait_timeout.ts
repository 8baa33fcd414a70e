/**
 * The timeouts of WAIT and WAITAOF.
 *
 * @module
 */

import {
  TIMEOUT_NEGATIVE,
  TIMEOUT_NOT_AN_INTEGER,
  TIMEOUT_OUT_OF_RANGE,
} from "../../../core/resp/error_reply.ts";
import type { ServerCall } from "../server_call.ts";
import { integerAt } from "./_arguments.ts";

/** Largest time that Redis can count to, rounded. */
const TIME_MS_MAX = 2 ** 63;

/** Milliseconds, 0 for ever; NaN, with the error written, if they are none. */
export function readTimeoutMs(call: ServerCall, i: number): number {
  const timeoutMs = integerAt(call, i);
  const error = Number.isNaN(timeoutMs)
    ? TIMEOUT_NOT_AN_INTEGER
    : timeoutMs < 0
    ? TIMEOUT_NEGATIVE
    : timeoutMs + call.nowMs >= TIME_MS_MAX
    ? TIMEOUT_OUT_OF_RANGE
    : null;
  if (error === null) return timeoutMs;
  call.reply.error(error);
  return NaN;
}

/**
 * Timeouts of blocking commands: seconds, with fractions.
 *
 * @module
 */

import { parseDouble } from "../base/double.ts";
import {
  TIMEOUT_NEGATIVE,
  TIMEOUT_NOT_A_FLOAT,
  TIMEOUT_OUT_OF_RANGE,
} from "../resp/error_reply.ts";
import type { Call } from "./call.ts";

/** What does not fit into 64 bits, in milliseconds. */
const TIMEOUT_MS_END = 2 ** 63;

/**
 * Argument `i` as milliseconds, rounded up; 0 for ever. Negative after an error
 * reply.
 */
export function readWaitSeconds(call: Call, i: number): number {
  const { args, reply } = call;
  const seconds = parseDouble(args.source(i), args.off[i]!, args.length[i]!);
  const milliseconds = Math.ceil(seconds * 1000);
  if (Number.isNaN(seconds)) reply.error(TIMEOUT_NOT_A_FLOAT);
  else if (milliseconds >= TIMEOUT_MS_END) reply.error(TIMEOUT_OUT_OF_RANGE);
  else if (milliseconds < 0) reply.error(TIMEOUT_NEGATIVE);
  else if (milliseconds > TIMEOUT_MS_END - 1 - call.nowMs) {
    reply.error(TIMEOUT_OUT_OF_RANGE);
  } else return milliseconds;
  return -1;
}

/**
 * The entries of a command's keys, where the command asks for a type.
 *
 * @module
 */

import { unshareValue } from "../keyspace/shared_value.ts";
import { WRONG_TYPE } from "../resp/error_reply.ts";
import type { Call } from "./call.ts";

/** No entry: the key holds another type, and the error has been replied. */
export const WRONG = -1;

/**
 * The entry of key `i` for a command that reads a value of `type`: 0 if there
 * is none, {@linkcode WRONG} after an error reply.
 */
export function readEntry(call: Call, i: number, type: number): number {
  const key = call.key(i);
  const space = call.keyspace(key);
  const ref = space.lookupRead(call.db, key, call.nowMs);
  if (ref === 0 || space.type(ref) === type) return ref;
  call.reply.error(WRONG_TYPE);
  return WRONG;
}

/** As {@linkcode readEntry}, for a command that changes the value. */
export function writeEntry(call: Call, i: number, type: number): number {
  const key = call.key(i);
  const space = call.keyspace(key);
  const ref = space.lookupWrite(call.db, key, call.nowMs);
  if (ref === 0) return 0;
  if (space.type(ref) === type) {
    if (space.hasReaders(ref)) unshareValue(space, ref);
    return ref;
  }
  call.reply.error(WRONG_TYPE);
  return WRONG;
}

/**
 * The hash of a command's key, without the fields that have expired.
 *
 * Writing commands remove expired fields first, so that what they count and
 * compare is what is there; reading ones pass them over.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import { TYPE_HASH } from "../types/entry.ts";
import type { HashValue } from "../types/hash_value.ts";
import { EXPIRED_SUBKEYS } from "../keyspace/counters.ts";
import type { Call } from "./call.ts";
import { readEntry, writeEntry, WRONG } from "./typed_entry.ts";

/** The hashes of key `i`'s keyspace. */
export function hashesOf(call: Call, i: number): HashValue {
  return call.keyspace(call.key(i)).values.hashes;
}

/** As {@linkcode readEntry}, for a hash. */
export function readHash(call: Call, i: number): number {
  return readEntry(call, i, TYPE_HASH);
}

/**
 * As {@linkcode writeEntry}, for a hash; a hash all of whose fields have expired
 * is deleted.
 */
export function writeHash(call: Call, i: number): number {
  const ref = writeEntry(call, i, TYPE_HASH);
  if (ref === 0 || ref === WRONG) return ref;
  const space = call.keyspace(call.key(i));
  if (!space.hasFieldExpires(ref)) return ref;
  const { hashes } = space.values;
  if (hashes.expiresFrom(ref) > call.nowMs) return ref;
  const removed = hashes.removeExpired(ref, call.nowMs, Infinity);
  call.counters[EXPIRED_SUBKEYS] = call.counters[EXPIRED_SUBKEYS]! + removed;
  space.noteChange(removed);
  return endHashWrite(call, space, ref) ? ref : 0;
}

/** As {@linkcode writeHash}, but makes the hash if there is none. */
export function writeOrMakeHash(call: Call, i: number): number {
  const ref = writeHash(call, i);
  if (ref !== 0) return ref;
  const key = call.key(i);
  return call.keyspace(key).create(call.db, key, TYPE_HASH);
}

/**
 * Ends a change that removes fields or expires: an empty hash is deleted, and
 * the keyspace is told whether fields still expire. Says whether the hash is
 * there.
 */
export function endHashWrite(
  call: Call,
  space: Keyspace,
  ref: number,
): boolean {
  if (space.deleteIfEmpty(call.db, ref)) return false;
  if (space.hasFieldExpires(ref) && !space.values.hashes.hasExpires(ref)) {
    space.setFieldExpires(call.db, ref, false);
  }
  return true;
}

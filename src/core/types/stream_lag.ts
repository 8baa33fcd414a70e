/**
 * How far a group has got in a stream: which number its last entry has of all
 * that were ever added, and how many are still to come.
 *
 * The number is only known where nothing was deleted in between by XDEL: a
 * stream keeps no more than the greatest ID that was.
 *
 * @module
 */

import type { Int64 } from "../base/int64.ts";
import type { StreamId } from "./stream_id.ts";
import type { StreamCounters } from "./stream_value.ts";

/**
 * Whether an entry that has an ID from `start` on was deleted by XDEL, as far as
 * that makes a difference: not if all that are there come behind it.
 */
export function hasDeletedFrom(
  { length, deletedId, firstId }: StreamCounters,
  start: StreamId,
): boolean {
  return length > 0 && !deletedId.isLeast() &&
    firstId.compare(deletedId) <= 0 && start.compare(deletedId) <= 0;
}

/**
 * The number that the entry of an ID has, or would have; false, and -1, if that
 * cannot be known.
 */
export function entryNumber(
  counters: StreamCounters,
  id: StreamId,
  into: Int64,
): boolean {
  const { length, entriesAdded, lastId, firstId, deletedId } = counters;
  into.hi = entriesAdded.hi;
  into.lo = entriesAdded.lo;
  // Before anything was added, every number is 0.
  if ((into.hi | into.lo) === 0) return true;
  const toLast = id.compare(lastId);
  if (toLast === 0 || (length === 0 && toLast < 0)) return true;
  if (toLast < 0 && (deletedId.isLeast() || deletedId.compare(firstId) < 0)) {
    const toFirst = id.compare(firstId);
    if (toFirst <= 0) {
      subtract(into, 0, length);
      if (toFirst === 0) addOne(into);
      return true;
    }
  }
  into.hi = into.lo = -1;
  return false;
}

/**
 * How many entries a group has still to read, given its last ID and how many it
 * has read, -1 for unknown; false if that cannot be known.
 */
export function lagOf(
  counters: StreamCounters,
  lastId: StreamId,
  read: Int64,
  into: Int64,
): boolean {
  const { entriesAdded } = counters;
  into.hi = into.lo = 0;
  if ((entriesAdded.hi | entriesAdded.lo) === 0) return true;
  let { hi, lo } = read;
  if ((hi & lo) === -1 || hasDeletedFrom(counters, lastId)) {
    if (!entryNumber(counters, lastId, into)) return false;
    ({ hi, lo } = into);
  }
  into.hi = entriesAdded.hi;
  into.lo = entriesAdded.lo;
  subtract(into, hi, lo);
  return true;
}

/** Counts one more, modulo 2^64. */
export function addOne(n: Int64): void {
  n.lo = n.lo + 1 | 0;
  if (n.lo === 0) n.hi = n.hi + 1 | 0;
}

function subtract(n: Int64, hi: number, lo: number): void {
  const borrow = n.lo >>> 0 < lo >>> 0 ? 1 : 0;
  n.lo = n.lo - lo | 0;
  n.hi = n.hi - hi - borrow | 0;
}

/**
 * Emptying databases: at once for those who look, in steps for the memory.
 *
 * Behind the databases that clients can select, a shard has as many that they
 * cannot. To empty a database is to exchange it with an empty one of these: a
 * few words change under the latches of all shards, however many keys there
 * are. What was exchanged away is *detached*: nobody can find its entries any
 * more, and the shard's owner frees them a slice at a time.
 *
 * ```text
 * databases   0 1 2 ... n-1 | n ... 2n-1
 *             selectable    | detached, empty but for what waits to be freed
 * ```
 *
 * A single value of many allocations is put aside in the same spirit: its entry
 * leaves the database at once and waits in a chain of the shard. What was known
 * of tracked keys waits in a dictionary of its own.
 *
 * As there are as many places as databases, a shard whose detached ones are
 * all freed can always empty all of its databases at one instant.
 *
 * @module
 */

import { DICT_BUCKETS } from "../memory/dict.ts";
import type { Keyspace } from "./keyspace.ts";
import { detachedValues, freeDetached } from "./detached_values.ts";
import { keepOld } from "./snapshot_marks.ts";
import { expiresAt, fieldExpiresAt, keysAt } from "./shard_control.ts";
import { orphanReadKeys } from "./locking.ts";

/** Whether `count` more databases can be detached. */
export function canDetach(space: Keyspace, count: number): boolean {
  let room = 0;
  for (let i = 0; i < space.databases; i++) {
    if (isEmpty(space, space.databases + i) && ++room === count) return true;
  }
  return count === 0;
}

/**
 * Empties a database and returns how many keys it had. The caller has asked
 * {@linkcode canDetach}, and holds the latches of all shards if others are to
 * see every shard emptied at the same instant.
 */
export function detachDatabase(space: Keyspace, db: number): number {
  if (isEmpty(space, db)) return 0;
  space.hooks.signalDatabase(db);
  space.hooks.oldValues.emptied(db);
  const orphans = orphanReadKeys(space, db);
  let place = space.databases;
  while (!isEmpty(space, place)) place++;
  space.swap(db, place);
  const count = space.count(place) + orphans;
  space.hooks.noteChange(count);
  return count;
}

/** Databases of a shard that have keys. */
export function usedDatabases(space: Keyspace): number {
  let used = 0;
  for (let db = 0; db < space.databases; db++) {
    if (!isEmpty(space, db)) used++;
  }
  return used;
}

/** Entries that wait to be freed. */
export function detachedCount(space: Keyspace): number {
  let count = detachedValues(space);
  for (let i = 0; i < space.databases; i++) {
    count += space.count(space.databases + i);
  }
  return count;
}

/** Whether anything waits to be freed. */
export function hasDetached(space: Keyspace): boolean {
  if (detachedValues(space) > 0 || space.hooks.tracked.hasForgotten()) {
    return true;
  }
  for (let i = 0; i < space.databases; i++) {
    if (!isEmpty(space, space.databases + i)) return true;
  }
  return false;
}

/**
 * Frees about `budgetEntries` entries, or allocations of large values; says whether some
 * are left. The caller holds the shard's latch.
 */
export function reclaimSlice(space: Keyspace, budgetEntries: number): boolean {
  const { control, dict } = space;
  if (!freeDetached(space, budgetEntries)) return true;
  let budget = space.hooks.tracked.freeForgotten(budgetEntries);
  let place = 0;
  const free = (ref: number): void => {
    keepOld(space, place, ref);
    space.freeEntry(ref);
    budget--;
  };
  for (let db = space.databases; db < 2 * space.databases; db++) {
    const expires = expiresAt(db);
    while (budget > 0 && dict.popBucket(control, expires, keep)) budget--;
    const fieldExpires = fieldExpiresAt(db);
    while (budget > 0 && dict.popBucket(control, fieldExpires, keep)) budget--;
    const keys = keysAt(db);
    place = db;
    while (budget > 0 && dict.popBucket(control, keys, free)) budget--;
    if (budget <= 0) return hasDetached(space);
  }
  // Large values of these databases were put aside.
  return detachedValues(space) > 0;
}

/** Dictionaries of expires name entries that the one of keys frees. */
function keep(): void {}

/** A dictionary without entries has no buckets either. */
function isEmpty(space: Keyspace, db: number): boolean {
  return space.control[keysAt(db) + DICT_BUCKETS] === 0;
}

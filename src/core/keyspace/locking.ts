/**
 * Locking and releasing keys: what happens to their entries.
 *
 * - A key whose time has come is deleted before it is locked. One whose time comes
 *   while it is locked is gone for everybody but the holder, and deleted when the
 *   last lock is released.
 * - A database that is emptied leaves the entries of keys with readers to these.
 * - Commands that wait for a key (BLPOP) look at it again when it is released.
 *
 * Every function asks that the caller holds the shard's latch.
 *
 * @module
 */

import { Key } from "./key.ts";
import { mayBeLocked } from "./key_locks.ts";
import type { Keyspace } from "./keyspace.ts";
import { expiresAt, FLAG_KEY_LOCKS, SHARD_FLAGS } from "./shard_control.ts";
import { DICT_COUNT } from "../memory/dict.ts";
import { keepOld } from "./snapshot_marks.ts";

/**
 * Locks a key that nothing stands against; returns the place. As {@linkcode
 * KeyLocks.hold}.
 */
export function lockKey(
  space: Keyspace,
  db: number,
  key: Key,
  isWrite: boolean,
  owner: number,
  worker: number,
  nowMs: number,
  how = 0,
  known = -1,
): number {
  dropExpired(space, db, key, nowMs);
  return space.locks.hold(db, key, isWrite, owner, worker, how, known);
}

/** Deletes a key if its time has come: one whose database has such keys. */
function dropExpired(
  space: Keyspace,
  db: number,
  key: Key,
  nowMs: number,
): void {
  if (space.control[expiresAt(db) + DICT_COUNT] === 0) return;
  space.lookupQuiet(db, key, nowMs);
}

/** Whether the key of an entry is locked, so that the entry must stay. */
export function isLocked(space: Keyspace, db: number, ref: number): boolean {
  const node = lockNode(space, db, ref);
  return node !== 0 && space.locks.isHeld(node);
}

/** What is known of the locks of an entry's key: a node, or 0. */
export function lockNode(space: Keyspace, db: number, ref: number): number {
  const { control } = space;
  if ((control[SHARD_FLAGS]! & FLAG_KEY_LOCKS) === 0) return 0;
  const hash = space.hashOf(ref);
  if (!mayBeLocked(control, hash)) return 0;
  return space.locks.find(
    db,
    space.bytes(ref),
    space.keyOff(ref),
    space.keyLength(ref),
    hash,
  );
}

const KEY = new Key();

/**
 * Releases what a place holds. If the key `isSame` as before it was locked, nobody
 * who waits for it need look.
 */
export function unlockKey(
  space: Keyspace,
  place: number,
  nowMs: number,
  isSame = false,
): void {
  const { locks } = space;
  const node = locks.nodeOf(place);
  locks.release(place);
  const db = locks.readKey(node, KEY);
  if (db >= 0 && !locks.isHeld(node)) {
    const orphan = locks.orphans === 0 ? 0 : locks.orphan(node);
    if (orphan !== 0) {
      locks.setOrphan(node, 0);
      space.freeEntry(orphan);
    }
    dropExpired(space, db, KEY, nowMs);
    if (!isSame) space.hooks.noteReleased(db, KEY);
  }
  locks.prune(node);
}

/** Makes a write lock one to read. */
export function downgradeKey(space: Keyspace, place: number): void {
  space.locks.downgrade(place);
}

/** The entry of a key, or the one that only its readers have; 0 for neither. */
export function lockedEntry(
  space: Keyspace,
  db: number,
  key: Key,
  place: number,
): number {
  const { locks } = space;
  return locks.orphan(locks.nodeOf(place)) || space.peek(db, key);
}

/**
 * The entry of a key that is locked, which may be left to its readers; 0 for none.
 */
export function entryForReaders(
  space: Keyspace,
  db: number,
  key: Key,
): number {
  const ref = space.peek(db, key);
  if (ref !== 0) return ref;
  const { locks } = space;
  const node = locks.find(db, key.buf, key.off, key.length, key.hash);
  return node === 0 ? 0 : locks.orphan(node);
}

/**
 * Takes the entries of keys with readers out of a database that is about to be
 * emptied; returns how many. Nothing is locked for writing there.
 */
export function orphanReadKeys(space: Keyspace, db: number): number {
  const { locks } = space;
  let count = 0;
  for (const node of locks.nodesOf(db)) {
    if (locks.readers(node) === 0) continue;
    locks.readKey(node, KEY);
    const ref = space.peek(db, KEY);
    if (ref === 0) continue;
    keepOld(space, db, ref);
    space.detach(db, ref);
    locks.setOrphan(node, ref);
    count++;
  }
  return count;
}

/**
 * Puts the entry that only the readers of a key have back into its database, for
 * as long as a command runs in their name; returns it, or 0 if there is none. May
 * throw OutOfMemory.
 */
export function lendOrphan(
  space: Keyspace,
  db: number,
  key: Key,
  place: number,
): number {
  const { locks } = space;
  const orphan = locks.orphan(locks.nodeOf(place));
  // Who could have made the key anew, but for one who loads all data: its readers
  // still have it locked.
  if (orphan === 0 || space.peek(db, key) !== 0) return 0;
  space.attach(db, orphan, key.hash);
  return orphan;
}

/** Takes such an entry back. */
export function takeBackOrphan(
  space: Keyspace,
  db: number,
  orphan: number,
): void {
  if (orphan !== 0) space.detach(db, orphan);
}

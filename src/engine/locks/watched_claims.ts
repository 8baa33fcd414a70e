/**
 * Watched claims: the keys of an optimistic handle whose values are small. They
 * are not locked, so nobody waits for them; the handle watches them as WATCH
 * does (core/keyspace/watched_keys.ts), and what it does fails if others have
 * changed them.
 *
 * Others may also have locked such a key meanwhile. Then it can neither be looked
 * at, if they write it, nor be changed.
 *
 * Every function asks that the caller holds the latch of the key's shard.
 *
 * @module
 */

import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { TYPE_STRING } from "../../core/types/entry.ts";
import type { LockClaim } from "./lock_claims.ts";

/**
 * Bytes of a value from which on its key is locked: work on it takes long, and so
 * is likely to be in vain if others may change it.
 */
const LARGE_BYTES: number = 64 * 1024;
/** Elements that are looked at to guess how many bytes all have. */
const SAMPLES = 16;

/** Whether a key has so small a value, or none, that it need not be locked. */
export function isSmall(space: Keyspace, { db, key }: LockClaim): boolean {
  const ref = space.peek(db, key);
  if (ref === 0) return true;
  const type = space.type(ref);
  const bytes = type === TYPE_STRING
    ? space.strings.length(ref)
    : space.values.of(type).memoryBytes(ref, SAMPLES);
  return bytes < LARGE_BYTES;
}

/** Begins to watch a key. May throw OutOfMemory. */
export function watchKey(
  space: Keyspace,
  claim: LockClaim,
  nowMs: number,
): void {
  const { watched } = space.hooks;
  space.lookupQuiet(claim.db, claim.key, nowMs);
  claim.node = watched.watch(claim.db, claim.key);
  claim.version = watched.version(claim.node);
}

/** Watches a key for changes from now on. */
export function watchAnew({ hooks }: Keyspace, claim: LockClaim): void {
  hooks.watched.renew(claim.node);
  claim.version = hooks.watched.version(claim.node);
}

/** Ends a watch. */
export function unwatchKey({ hooks }: Keyspace, claim: LockClaim): void {
  hooks.watched.unwatch(claim.node);
  claim.node = 0;
}

/**
 * What others have done to a watched key that it cannot be looked at as it was,
 * or, if `isWrite`, not be changed; null if it can.
 */
export function whatHappened(
  { hooks, locks }: Keyspace,
  { db, key, node, version }: LockClaim,
  isWrite: boolean,
  nowMs: number,
): string | null {
  if (!hooks.isUntouched(node, version, nowMs)) return "was changed";
  const { buf, off, length, hash } = key;
  const lock = locks.find(db, buf, off, length, hash);
  const whole = locks.findWhole();
  const isLocked = whole !== 0 && locks.isHeld(whole) ||
    lock !== 0 && (isWrite ? locks.isHeld(lock) : locks.isWriteHeld(lock));
  return isLocked ? "is locked" : null;
}

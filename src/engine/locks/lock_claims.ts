/**
 * Lock claims: the keys of one request for locks, in the one order in which
 * everybody asks for several: by shard, database and bytes.
 *
 * All of them are granted at one instant, under the latches of their shards, or
 * none is. Those of an optimistic request that are small are watched instead of
 * locked (watched_claims.ts); they wait only for who has locks, as a command does
 * that has its turn.
 *
 * @module
 */

import { hashSlot } from "../../core/base/crc16.ts";
import { halfSipHash } from "../../core/base/half_siphash.ts";
import { Key } from "../../core/keyspace/key.ts";
import { PLACE_NESTED, PLACE_WRITE } from "../../core/keyspace/key_locks.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { lockKey } from "../../core/keyspace/locking.ts";
import type { KeyToLock, LockSpec } from "./lock_spec.ts";
import type { LockWait, LockWaits } from "./lock_waits.ts";
import { isSmall, unwatchKey, watchKey } from "./watched_claims.ts";

/** A key that is, or is to be, locked or watched. */
export interface LockClaim {
  readonly db: number;
  readonly key: Key;
  isWrite: boolean;
  /** Whether it is watched instead of locked. */
  isWatched: boolean;
  /** Its place in the lock table, 0 if it is not locked. */
  place: number;
  /** Its node among the watched keys, 0 if it is not watched. */
  node: number;
  /** The version of that node that is still good. */
  version: number;
}

/** A claim that is not granted yet. */
export function newClaim(db: number, key: Key, isWrite: boolean): LockClaim {
  const isWatched = false;
  return { db, key, isWrite, isWatched, place: 0, node: 0, version: 0 };
}

/** How keys find their shard. */
export interface KeyPlacing {
  readonly slotShards: Uint16Array;
  readonly hashSeed: readonly [number, number];
}

/** The keys of a spec in their order, each once. */
export function claimsOf(
  spec: Pick<LockSpec, "read" | "write" | "writeDb">,
  db: number,
  placing: KeyPlacing,
): LockClaim[] {
  const claims: LockClaim[] = [];
  const add = (given: KeyToLock, db: number, isWrite: boolean) => {
    const key = given instanceof Key ? given : keyOf(given, placing);
    claims.push(newClaim(db, key, isWrite));
  };
  for (const given of spec.read ?? []) add(given, db, false);
  for (const given of spec.write ?? []) add(given, spec.writeDb ?? db, true);
  claims.sort(compareClaims);
  let kept = 0;
  for (const claim of claims) {
    const last = claims[kept - 1];
    if (last === undefined || compareClaims(last, claim) !== 0) {
      claims[kept++] = claim;
    } else last.isWrite ||= claim.isWrite;
  }
  claims.length = kept;
  return claims;
}

/** A key of these bytes, which are copied. */
export function keyOf(bytes: Uint8Array, placing: KeyPlacing): Key {
  const [seed0, seed1] = placing.hashSeed;
  const key = new Key();
  key.buf = bytes.slice();
  key.length = bytes.length;
  key.hash = halfSipHash(key.buf, 0, key.length, seed0, seed1);
  key.shard = placing.slotShards[hashSlot(key.buf, 0, key.length)]!;
  return key;
}

/** The order of claims: negative if `a` comes first. */
export function compareClaims(a: LockClaim, b: LockClaim): number {
  return a.key.shard - b.key.shard || a.db - b.db ||
    compareBytes(a.key.buf, b.key.buf);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.length - b.length;
}

/** What a request is made with. */
export interface LockRequest {
  readonly claims: readonly LockClaim[];
  /** Whether who asks has locks already. */
  readonly isNested: boolean;
  /** Whether all shards as a whole are wanted instead. */
  readonly isWhole: boolean;
  /** How values will be changed under the locks: see {@linkcode KeyLocks.hold}. */
  readonly how: number;
  /** Whether small values are watched instead of locked. */
  readonly isOptimistic: boolean;
}

/** Chooses what an optimistic request watches, by what the keys have now. */
export function chooseWatched(
  keyspaces: readonly Keyspace[],
  { claims, isOptimistic }: LockRequest,
): void {
  if (!isOptimistic) return;
  for (const claim of claims) {
    claim.isWatched = isSmall(keyspaces[claim.key.shard]!, claim);
  }
}

/** Whether nothing stands against a request of this ticket (0 for none). */
export function isGrantable(
  keyspaces: readonly Keyspace[],
  request: LockRequest,
  ticket: number,
): boolean {
  if (request.isWhole) {
    return keyspaces.every((space) => !mustWaitForWhole(space, ticket));
  }
  return request.claims.every((claim) =>
    whatBlocks(keyspaces, request, claim, ticket) === FREE
  );
}

/** Puts a wait into the queues of what blocks it. May throw OutOfMemory. */
export function queueRequest(
  keyspaces: readonly Keyspace[],
  request: LockRequest,
  wait: LockWait,
  waits: LockWaits,
): void {
  if (request.isWhole) {
    // In all queues, so that nobody gets new locks until it has had its turn.
    for (const space of keyspaces) {
      waits.queueForWhole(wait, space, PLACE_WRITE);
    }
    return;
  }
  const all = waits.queuesForAll(wait);
  for (const claim of request.claims) {
    const space = keyspaces[claim.key.shard]!;
    const kind = kindOf(request, claim);
    const block = whatBlocks(keyspaces, request, claim, wait.ticket);
    if (block === BY_WHOLE) waits.queueForWhole(wait, space, kind);
    else if (block === BY_KEY || all) {
      waits.queue(wait, space, claim.db, claim.key, kind);
    }
  }
}

/**
 * Locks or watches the keys of a request that nothing stands against, for
 * `owner`. Throws OutOfMemory and has locked nothing then.
 */
export function grantRequest(
  keyspaces: readonly Keyspace[],
  request: LockRequest,
  owner: number,
  worker: number,
  nowMs: number,
): number[] {
  const whole: number[] = [];
  const done: LockClaim[] = [];
  try {
    if (request.isWhole) {
      for (const { locks } of keyspaces) {
        whole.push(locks.holdWhole(owner, worker));
      }
    }
    for (const claim of request.isWhole ? [] : request.claims) {
      const { db, key, isWrite } = claim;
      const space = keyspaces[key.shard]!;
      if (claim.isWatched) watchKey(space, claim, nowMs);
      else {
        claim.place = lockKey(
          space,
          db,
          key,
          isWrite,
          owner,
          worker,
          nowMs,
          request.how,
        );
      }
      done.push(claim);
    }
  } catch (cause) {
    for (const claim of done) {
      const space = keyspaces[claim.key.shard]!;
      if (claim.isWatched) unwatchKey(space, claim);
      else release(space, claim.place);
      claim.place = 0;
    }
    whole.forEach((place, i) => release(keyspaces[i]!, place));
    throw cause;
  }
  return whole;
}

function release({ locks }: Keyspace, place: number): void {
  const node = locks.nodeOf(place);
  locks.release(place);
  locks.prune(node);
}

const FREE = 0;
const BY_KEY = 1;
const BY_WHOLE = 2;

function whatBlocks(
  keyspaces: readonly Keyspace[],
  request: LockRequest,
  claim: LockClaim,
  ticket: number,
): number {
  const { locks } = keyspaces[claim.key.shard]!;
  const kind = kindOf(request, claim);
  const whole = locks.findWhole();
  if (whole !== 0 && locks.mustWait(whole, kind, ticket)) return BY_WHOLE;
  const { buf, off, length, hash } = claim.key;
  const node = locks.find(claim.db, buf, off, length, hash);
  return node !== 0 && locks.mustWait(node, kind, ticket) ? BY_KEY : FREE;
}

/** A shard as a whole is free when nobody has locked anything in it. */
function mustWaitForWhole({ locks }: Keyspace, ticket: number): boolean {
  if (locks.readLocks + locks.writeLocks > 0) return true;
  const node = locks.findWhole();
  return node !== 0 && locks.mustWait(node, PLACE_WRITE, ticket);
}

function kindOf(request: LockRequest, claim: LockClaim): number {
  return (claim.isWrite ? PLACE_WRITE : 0) |
    (request.isNested || claim.isWatched ? PLACE_NESTED : 0);
}

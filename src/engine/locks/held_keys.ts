/**
 * A lock handle: some locked keys, and what may be done with them.
 *
 * It belongs to the worker where it was made and knows the places of its locks
 * in the shards' tables. It ends once: by {@linkcode HeldKeys.close}, or because
 * it is aborted; from then on every use of it throws.
 *
 * Keys of an optimistic handle that have small values are watched instead
 * (watched_claims.ts). All that it reads is as it was at one instant, as long as
 * others have not changed it: each use of such a key looks whether they have.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import { DOUBLE_ZERO } from "../../core/base/steady_code.ts";
import {
  downgradeKey,
  lendOrphan,
  lockedEntry,
  takeBackOrphan,
  unlockKey,
} from "../../core/keyspace/locking.ts";
import { Transaction } from "../executor/transaction.ts";
import {
  claimsOf,
  compareClaims,
  keyOf,
  type LockClaim,
  type LockRequest,
  newClaim,
} from "./lock_claims.ts";
import type { LockManagerPorts } from "./lock_manager.ts";
import { elementsOf } from "./key_elements.ts";
import {
  type DiscoveringHandle,
  type KeyElement,
  type LockedKey,
  LockError,
  type LockSpec,
} from "./lock_spec.ts";
import { unwatchKey, watchAnew, whatHappened } from "./watched_claims.ts";

/** Most commands that a handle queues. */
const STAGED_MAX = 1_000_000;
/** Most bytes of their arguments. */
const STAGED_BYTES_MAX = 512 * 1024 * 1024;
/** Keys that are released in one hold of latches. */
const UNLOCKED_MAX = 128;
/** Elements that are gone through at a time. */
const BATCH_DEFAULT = 1000;
/** Bytes of the head of an array of one element. */
const ARRAY_OF_ONE_BYTES = 4;

const NONE: readonly LockClaim[] = [];

/** What a handle needs from the manager around it. */
export interface HandleOwner {
  readonly ports: LockManagerPorts;
  /** Grants more keys if nothing stands against that. */
  tryMore(handle: HeldKeys, request: LockRequest): boolean;
  /** Waits for more keys. */
  waitForMore(
    handle: HeldKeys,
    request: LockRequest,
    waitMs: number,
  ): Promise<void>;
  /**
   * The handle has no keys any more; `isAborted` if it has lost them, `hadLocks`
   * if not all of them were only watched.
   */
  ended(handle: HeldKeys, isAborted: boolean, hadLocks: boolean): void;
  /** A handle has met a conflict. */
  conflicted(): void;
}

/** Some locked keys. */
export class HeldKeys implements DiscoveringHandle {
  readonly id: number;
  readonly label: string;
  /** What was asked for first. */
  readonly spec: LockSpec;
  /** When the locks were granted, in monotonic milliseconds. */
  sinceMs = DOUBLE_ZERO;
  /** The same, in milliseconds of the epoch: time stands still for reads. */
  grantedMs = DOUBLE_ZERO;
  /** Whether the watchdog has complained. */
  hasWarned = false;
  /** Whether all shards as a whole are locked instead. */
  isWhole = false;
  /** Whether keys with small values are watched instead of locked. */
  isOptimistic = false;
  /** Called when the handle has ended. */
  onEnd: (() => void) | null = null;
  /**
   * Keys with which a function is to be begun anew, because of their order; null
   * if it is not.
   */
  restart: LockClaim[] | null = null;
  /** Whether others have changed a key that is watched, or locked it. */
  hasConflict = false;
  readonly #owner: HandleOwner;
  readonly #db: number;
  #claims: LockClaim[] = [];
  #wholePlaces: readonly number[] = [];
  #staged: Transaction | null = null;
  #hasCommitted = false;
  /** Commits that may have changed a value. */
  #commits = 0;
  /** Keys that are being gone through. */
  #iterations = 0;
  #isClosed = false;
  #lost: string | null = null;
  #controller: AbortController | null = null;
  /** Ends a wait for more keys. */
  #endWait: ((cause: LockError) => void) | null = null;

  constructor(owner: HandleOwner, id: number, spec: LockSpec) {
    this.#owner = owner;
    this.id = id;
    this.spec = spec;
    this.label = spec.label ?? "";
    this.#db = spec.db ?? 0;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get heldMs(): number {
    return this.#isClosed ? 0 : this.#owner.ports.monotonicMs() - this.sinceMs;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#lost !== null) this.#controller.abort(this.#error());
    return this.#controller.signal;
  }

  get keys(): readonly LockedKey[] {
    return this.#claims.map(({ db, key, isWrite, isWatched }) => ({
      db,
      key: key.buf,
      isWrite,
      isWatched,
    }));
  }

  get claims(): readonly LockClaim[] {
    return this.#claims;
  }

  /** Whether it keeps others from any key. */
  get hasLocks(): boolean {
    return this.isWhole || this.#claims.some(({ isWatched }) => !isWatched);
  }

  /** Whether a function is to be begun anew, of which nothing is to be seen. */
  get mustBeginAnew(): boolean {
    return this.restart !== null || this.hasConflict && !this.#hasCommitted;
  }

  /** Keys that are watched instead of locked. */
  get watched(): readonly LockClaim[] {
    if (!this.isOptimistic) return NONE;
    return this.#claims.filter(({ isWatched }) => isWatched);
  }

  /** Whether it changes keys, or has locked them for that. */
  get hasWrites(): boolean {
    return this.isWhole || this.#claims.some(({ isWrite }) => isWrite);
  }

  /** Keys were granted; in all shards `whole`, or those claimed. */
  granted(claims: readonly LockClaim[], whole: readonly number[]): void {
    assert(!this.#isClosed, "keys are granted to an open handle");
    if (whole.length > 0) {
      this.isWhole = true;
      this.#wholePlaces = whole;
      return;
    }
    this.#claims.push(...claims);
    this.#claims.sort(compareClaims);
  }

  /** Says how a wait for more keys is ended. */
  set endWait(end: ((cause: LockError) => void) | null) {
    this.#endWait = end;
  }

  entry(key: Uint8Array): number {
    const claim = this.#claimOf(key);
    if (claim.isWatched) throw new LockError("NOTLOCKED", textOf(key));
    const { latches, keyspaces } = this.#owner.ports;
    const space = keyspaces[claim.key.shard]!;
    latches.acquire(space.shard);
    const ref = claim.place === 0
      ? space.peek(claim.db, claim.key)
      : lockedEntry(space, claim.db, claim.key, claim.place);
    latches.release(space.shard);
    return ref;
  }

  tryLock(more: Pick<LockSpec, "read" | "write">): boolean {
    this.#checkOpen();
    const claims = this.#newClaims(more);
    return this.isWhole || this.#owner.tryMore(this, this.#nested(claims));
  }

  async lock(
    more: Pick<LockSpec, "read" | "write" | "waitMs">,
  ): Promise<void> {
    this.#checkOpen();
    const claims = this.#newClaims(more);
    if (this.isWhole) return;
    if (!this.#isBehind(claims)) {
      throw new LockError(
        "LOCKNEST",
        "keys to wait for must sort behind those that are locked",
      );
    }
    const request = this.#nested(claims);
    await this.#owner.waitForMore(this, request, more.waitMs ?? 0);
  }

  async demand(more: Pick<LockSpec, "read" | "write">): Promise<void> {
    this.#checkOpen();
    if (this.isWhole) return;
    const { placing } = this.#owner.ports;
    const wanted = claimsOf(more, this.#db, placing);
    const claims = wanted.filter((claim) => !this.#has(claim));
    if (claims.length === 0) return;
    const fresh = claims.every((claim) => this.#find(claim) === undefined);
    if (fresh) {
      const request = this.#nested(claims);
      if (this.#owner.tryMore(this, request)) return;
      if (this.#isBehind(claims)) {
        return await this.#owner.waitForMore(this, request, 0);
      }
    } else if (this.#upgradeAll(claims)) return;
    if (this.#hasCommitted) {
      throw new LockError("LOCKNEST", "what was committed cannot be repeated");
    }
    this.restart = [...this.#claims, ...claims];
    throw new LockError("LOCKNEST", "the function is begun anew");
  }

  tryUpgrade(key: Uint8Array): boolean {
    const claim = this.#claimOf(key);
    if (claim.isWrite || this.isWhole) return true;
    if (claim.isWatched) return claim.isWrite = true;
    const { latches, keyspaces } = this.#owner.ports;
    const { shard } = claim.key;
    latches.acquire(shard);
    const isDone = keyspaces[shard]!.locks.tryUpgrade(claim.place);
    latches.release(shard);
    if (isDone) claim.isWrite = true;
    return isDone;
  }

  downgrade(key: Uint8Array): void {
    const claim = this.#claimOf(key);
    if (!claim.isWrite || this.isWhole) return;
    if (claim.isWatched) return void (claim.isWrite = false);
    const { latches, keyspaces } = this.#owner.ports;
    const { shard } = claim.key;
    latches.acquire(shard);
    downgradeKey(keyspaces[shard]!, claim.place);
    latches.release(shard);
    claim.isWrite = false;
  }

  release(...keys: readonly Uint8Array[]): void {
    this.#checkOpen();
    if (this.isWhole) return;
    const gone = keys.map((key) => this.#claimOf(key));
    this.#claims = this.#claims.filter((claim) => !gone.includes(claim));
    this.#unlock(gone);
    this.#owner.ports.settle();
  }

  read(argv: readonly Uint8Array[]): Uint8Array {
    this.#checkOpen();
    const { commands } = this.#owner.ports;
    const reading = new Transaction();
    const touched: LockClaim[] = [];
    const command = commands.queue(argv, this.#db, reading, (...key) => {
      const claim = this.#checkKey(...key);
      if (claim?.isWatched) touched.push(claim);
    });
    if (command.isWrite) {
      throw new LockError("COMMAND", "only commands that read are run at once");
    }
    const reply = this.#run(reading, this.grantedMs, touched, false);
    return reply.subarray(ARRAY_OF_ONE_BYTES);
  }

  async *iterate(
    key: Uint8Array,
    options: { readonly batch?: number } = {},
  ): AsyncGenerator<readonly KeyElement[]> {
    const { rest } = this.#owner.ports;
    const batch = Math.max(1, options.batch ?? BATCH_DEFAULT);
    const batches = this.#batchesOf(key, batch);
    const commits = this.#commits;
    this.#iterations++;
    try {
      for (const some of batches) {
        yield some;
        await rest();
        this.#claimOf(key);
        if (this.#commits === commits) continue;
        throw new LockError("CHANGED", textOf(key));
      }
    } finally {
      this.#iterations--;
    }
  }

  stage(argv: readonly Uint8Array[]): void {
    this.#checkOpen();
    const staged = this.#staged ??= new Transaction();
    if (staged.count >= STAGED_MAX || staged.bytes > STAGED_BYTES_MAX) {
      throw new LockError("OOM", "too much is queued");
    }
    this.#owner.ports.commands.queue(argv, this.#db, staged, this.#checkKey);
  }

  get stagedCount(): number {
    return this.#staged?.count ?? 0;
  }

  commit(): Uint8Array {
    this.#checkOpen();
    const staged = this.#staged ?? new Transaction();
    this.#staged = null;
    const { count } = staged;
    const { nowMs, settle } = this.#owner.ports;
    const replies = this.#run(staged, nowMs(), this.watched, true);
    this.#hasCommitted ||= count > 0;
    if (count > 0) this.#commits++;
    settle();
    return replies;
  }

  /**
   * The end of a function that had this handle: commits what it has staged.
   * Throws if the locks were lost meanwhile, if others have changed what it
   * watched, or if it is not at its end after all, and nothing of it is done then.
   */
  finish(): void {
    if (this.#lost !== null) throw this.#error();
    if (this.#iterations > 0) {
      const { warn } = this.#owner.ports;
      warn(
        `A function with the locks "${this.label}" did not wait for its end`,
      );
      throw new LockError("LOCKLEAK", "keys are still gone through");
    }
    if (this.stagedCount > 0) this.commit();
  }

  close(): void {
    this.#end(null);
  }

  abort(why: string): void {
    this.spec.beforeAbort?.();
    this.#end(why);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #end(why: string | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#lost = why;
    this.#staged = null;
    const claims = this.#claims;
    const whole = this.#wholePlaces;
    const { hasLocks } = this;
    this.#claims = [];
    this.#wholePlaces = [];
    this.#unlock(claims, whole);
    this.#endWait?.(this.#error());
    this.#endWait = null;
    if (why !== null) this.#controller?.abort(this.#error());
    this.onEnd?.();
    this.#owner.ended(this, why !== null, hasLocks);
    this.#owner.ports.settle();
  }

  #unlock(claims: readonly LockClaim[], whole: readonly number[] = []): void {
    const { latches, keyspaces, nowMs } = this.#owner.ports;
    const now = nowMs();
    for (let from = 0; from < claims.length; from += UNLOCKED_MAX) {
      const some = claims.slice(from, from + UNLOCKED_MAX);
      for (const { key } of some) latches.mark(key.shard);
      latches.acquireMarked();
      for (const claim of some) {
        const space = keyspaces[claim.key.shard]!;
        if (claim.isWatched) unwatchKey(space, claim);
        else unlockKey(space, claim.place, now);
        claim.place = 0;
      }
      latches.releaseMarked();
    }
    if (whole.length === 0) return;
    latches.acquireAll();
    whole.forEach((place, shard) => unlockKey(keyspaces[shard]!, place, now));
    latches.releaseAll();
  }

  /**
   * Runs commands on the handle's keys under their latches, in one go. Throws
   * LOCKCHANGED, with nothing done, if others have come between it and some of
   * the keys `watched`.
   */
  #run(
    commands: Transaction,
    nowMs: number,
    watched: readonly LockClaim[],
    isCommit: boolean,
  ): Uint8Array {
    const lent: [LockClaim, number][] = [];
    const { keyspaces } = this.#owner.ports;
    let conflict: string | null = null;
    const reply = this.#owner.ports.commands.run(commands, this.#db, nowMs, {
      shards: watched.map(({ key }) => key.shard),
      begin: (isLatched) => {
        conflict = this.conflictIn(watched, isCommit);
        if (conflict !== null) return false;
        for (const claim of this.#claims) {
          const { key, db, place } = claim;
          if (claim.isWatched || !isLatched(key.shard)) continue;
          const orphan = lendOrphan(keyspaces[key.shard]!, db, key, place);
          if (orphan !== 0) lent.push([claim, orphan]);
        }
        return true;
      },
      end: () => {
        for (const [{ key, db }, orphan] of lent) {
          takeBackOrphan(keyspaces[key.shard]!, db, orphan);
        }
        if (!isCommit || conflict !== null) return;
        for (const claim of watched) {
          watchAnew(keyspaces[claim.key.shard]!, claim);
        }
      },
    });
    if (conflict !== null) throw this.conflict(conflict);
    return reply;
  }

  /**
   * What others have done to keys that are watched, so that they cannot be looked
   * at any more as they were, or not be changed with a commit; null for nothing.
   * The latches of their shards are held.
   */
  conflictIn(claims: readonly LockClaim[], isCommit: boolean): string | null {
    const { keyspaces, nowMs } = this.#owner.ports;
    const now = nowMs();
    for (const claim of claims) {
      const { key, isWrite } = claim;
      const space = keyspaces[key.shard]!;
      const what = whatHappened(space, claim, isWrite && isCommit, now);
      if (what !== null) return `${textOf(key.buf)} ${what} by others`;
    }
    return null;
  }

  /** The error that tells of a conflict, which is noted. */
  conflict(what: string): LockError {
    if (!this.hasConflict) this.#owner.conflicted();
    this.hasConflict = true;
    return new LockError("LOCKCHANGED", what);
  }

  /**
   * The elements of a key. Those of one that is watched are taken at once: what
   * others do later does not matter before the commit.
   */
  #batchesOf(key: Uint8Array, batch: number): Iterable<KeyElement[]> {
    const claim = this.#claimOf(key);
    const { latches, keyspaces } = this.#owner.ports;
    const space = keyspaces[claim.key.shard]!;
    if (!claim.isWatched) {
      const ref = this.entry(key);
      return ref === 0 ? [] : elementsOf(space, ref, batch, this.grantedMs);
    }
    latches.acquire(space.shard);
    const conflict = this.conflictIn([claim], false);
    const ref = conflict === null ? space.peek(claim.db, claim.key) : 0;
    const batches = ref === 0
      ? []
      : [...elementsOf(space, ref, batch, this.grantedMs)];
    latches.release(space.shard);
    if (conflict !== null) throw this.conflict(conflict);
    return batches;
  }

  /** A command touches a key: it must have been locked for that. */
  readonly #checkKey = (
    db: number,
    key: LockClaim["key"],
    isWrite: boolean,
  ): LockClaim | undefined => {
    if (this.isWhole) return undefined;
    const bytes = key.buf.subarray(key.off, key.off + key.length);
    const claim = this.#claims.find((own) =>
      own.db === db && own.key.hash === key.hash &&
      own.key.length === key.length && own.key.buf.every((b, i) =>
        b === bytes[i]
      )
    );
    if (claim === undefined || isWrite && !claim.isWrite) {
      throw new LockError("NOTLOCKED", textOf(bytes));
    }
    return claim;
  };

  #newClaims(more: Pick<LockSpec, "read" | "write">): LockClaim[] {
    const claims = claimsOf(more, this.#db, this.#owner.ports.placing);
    for (const claim of claims) {
      if (this.#find(claim) === undefined) continue;
      throw new LockError("LOCKTWICE", textOf(claim.key.buf));
    }
    return claims;
  }

  #find(claim: LockClaim): LockClaim | undefined {
    return this.#claims.find((own) => compareClaims(own, claim) === 0);
  }

  #has(claim: LockClaim): boolean {
    const own = this.#find(claim);
    return own !== undefined && (own.isWrite || !claim.isWrite);
  }

  /** Whether claims sort behind all that is locked; what is watched is not. */
  #isBehind(claims: readonly LockClaim[]): boolean {
    const last = this.#claims.findLast(({ isWatched }) => !isWatched);
    const first = claims[0];
    return last === undefined || first === undefined ||
      compareClaims(last, first) < 0;
  }

  /** Gets what is demanded without a wait, upgrades included. */
  #upgradeAll(claims: readonly LockClaim[]): boolean {
    const known = claims.filter((claim) => this.#find(claim) !== undefined);
    const fresh = claims.filter((claim) => this.#find(claim) === undefined);
    return known.every((claim) => this.tryUpgrade(claim.key.buf)) &&
      (fresh.length === 0 || this.#owner.tryMore(this, this.#nested(fresh)));
  }

  #claimOf(bytes: Uint8Array): LockClaim {
    this.#checkOpen();
    const key = keyOf(bytes, this.#owner.ports.placing);
    const wanted = newClaim(this.#db, key, false);
    const claim = this.#find(wanted);
    if (claim !== undefined) return claim;
    if (this.isWhole) return wanted;
    throw new LockError("NOTLOCKED", textOf(bytes));
  }

  #nested(claims: readonly LockClaim[]): LockRequest {
    const { isOptimistic } = this;
    return { claims, isNested: true, isWhole: false, how: 0, isOptimistic };
  }

  #checkOpen(): void {
    if (this.#isClosed) throw this.#error();
  }

  #error(): LockError {
    return this.#lost === null
      ? new LockError("CLOSED", "the locks have been released")
      : new LockError("ABORTED", this.#lost);
  }
}

const decoder = new TextDecoder();

function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes.subarray(0, 128));
}

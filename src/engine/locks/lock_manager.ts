/**
 * The lock manager: what code in the server locks keys with, on any worker and
 * for keys of any shard.
 *
 * A request is looked at under the latches of all its shards, and granted there
 * and then or not at all. Who has to wait queues where its keys are locked and
 * looks again when it is woken (lock_waits.ts).
 *
 * A function that finds out on its way which keys it needs, and would have to
 * wait against the order, is begun anew with all of them; nothing of it has been
 * written. After a few attempts it locks all shards as a whole instead: whoever
 * has locks finishes, nobody gets new ones, and then it is alone. If it is
 * optimistic, it is also begun anew when others have changed what it watches, and
 * after a few attempts it locks its keys.
 *
 * @module
 */

import {
  PLACE_AT_END,
  PLACE_IN_PLACE,
  PLACE_IS_TOLD,
} from "../../core/keyspace/key_locks.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import {
  LOCK_ABORTS,
  LOCK_CONFLICTS,
  LOCK_HANDLES,
  LOCK_HOLD_MAX_MS,
  LOCK_RESTARTS,
  LOCKS_DENIED,
  LOCKS_QUEUED,
  READ_LOCKS_GRANTED,
  WRITE_LOCKS_GRANTED,
} from "../../core/keyspace/counters.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import type { Latches } from "../latch/shard_latches.ts";
import { type HandleOwner, HeldKeys } from "./held_keys.ts";
import {
  chooseWatched,
  claimsOf,
  compareClaims,
  grantRequest,
  isGrantable,
  type KeyPlacing,
  type LockClaim,
  type LockRequest,
  newClaim,
  queueRequest,
} from "./lock_claims.ts";
import {
  type DiscoveringHandle,
  type Discovery,
  type KeyLocking,
  LockError,
  type LockHandle,
  type LockSpec,
} from "./lock_spec.ts";
import type { LockWait, LockWaits } from "./lock_waits.ts";
import type { LockedCommands } from "./locked_commands.ts";

/** Restarts of a function before it locks everything. */
const RESTARTS_MAX = 8;
/** Conflicts of an optimistic function before it locks its keys. */
const CONFLICTS_MAX = 3;

/** What the manager needs from the worker around it. */
export interface LockManagerPorts {
  readonly keyspaces: readonly Keyspace[];
  readonly latches: Latches;
  readonly waits: LockWaits;
  readonly placing: KeyPlacing;
  readonly counters: Float64Array;
  /** Runs commands in the name of a handle. */
  readonly commands: LockedCommands;
  /** Milliseconds of the epoch. */
  nowMs(): number;
  /** Monotonic milliseconds. */
  monotonicMs(): number;
  /** `lock-hold-timeout`. */
  holdTimeoutMs(): number;
  /** `lock-hold-warning`. */
  holdWarningMs(): number;
  /** Serves who waits for released keys, and tells of events; no latch is held. */
  settle(): void;
  /** Runs something in a moment, when no latch is held. */
  soon(run: () => void): void;
  /** Lets others be served; resolves when it is this one's turn again. */
  rest(): Promise<void>;
  /** Complains of locks that are held for long. */
  warn(text: string): void;
}

/** A request that is not granted yet. */
interface Pending {
  readonly handle: HeldKeys;
  readonly request: LockRequest;
  readonly waitMs: number;
  wait: LockWait | null;
  readonly settle: (cause: LockError | null) => void;
}

/** Locks keys; one per worker. */
export class LockManager implements KeyLocking, HandleOwner {
  readonly ports: LockManagerPorts;
  readonly #handles = new Map<number, HeldKeys>();
  readonly #pending = new Set<Pending>();

  /** Nothing is locked yet. */
  constructor(ports: LockManagerPorts) {
    this.ports = ports;
  }

  /** Handles of this worker that hold locks. */
  get handles(): Iterable<HeldKeys> {
    return this.#handles.values();
  }

  /** The handle of that number, if it is one of this worker's. */
  handle(id: number): HeldKeys | undefined {
    return this.#handles.get(id);
  }

  /** Requests that wait. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  tryLockKeys(spec: LockSpec): LockHandle | null {
    const handle = this.#newHandle(spec);
    const isDone = this.#attempt(handle, this.#requestOf(spec), null);
    if (!isDone) this.#count(LOCKS_DENIED);
    return isDone ? handle : null;
  }

  tryLockHeld(spec: LockSpec): LockHandle | null {
    const { keyspaces } = this.ports;
    const handle = this.#newHandle(spec);
    const request = this.#requestOf(spec);
    // The command has its turn, so those who wait come after it. But readers do
    // without a lock, lest they keep a writer waiting by turns.
    const isNested = wantsToWrite(request) || spec.passesWriters === true;
    chooseWatched(keyspaces, request);
    if (!isGrantable(keyspaces, { ...request, isNested }, 0)) {
      this.#count(LOCKS_DENIED);
      return null;
    }
    this.#grant(handle, request);
    return handle;
  }

  async lockKeys(spec: LockSpec): Promise<LockHandle> {
    return await this.#lock(spec, this.#requestOf(spec));
  }

  async withLockedKeys<T>(
    spec: LockSpec,
    run: (handle: LockHandle) => T | Promise<T>,
  ): Promise<T> {
    using handle = await this.#lock(spec, this.#requestOf(spec));
    const value = await run(handle);
    handle.finish();
    return value;
  }

  async withDiscoveredKeys<T>(
    spec: LockSpec & Discovery,
    run: (handle: DiscoveringHandle) => T | Promise<T>,
  ): Promise<T> {
    const most = spec.restartsMax ?? RESTARTS_MAX;
    let { claims, isOptimistic } = this.#requestOf(spec);
    let conflicts = 0;
    for (let restarts = 0;;) {
      const isWhole = restarts > most;
      isOptimistic &&= !isWhole && conflicts < CONFLICTS_MAX;
      const how = 0;
      const request = { claims, isNested: false, isWhole, how, isOptimistic };
      using handle = await this.#lock(spec, request);
      try {
        const value = await run(handle);
        if (!handle.mustBeginAnew) {
          handle.finish();
          return value;
        }
      } catch (cause) {
        if (!handle.mustBeginAnew || handle.isClosed) throw cause;
      }
      // A conflict has nothing to do with the order of keys.
      if (handle.restart === null) conflicts++;
      else restarts++;
      claims = mergeClaims(handle.restart ?? handle.claims);
      this.#count(LOCK_RESTARTS);
    }
  }

  tryMore(handle: HeldKeys, request: LockRequest): boolean {
    const isDone = this.#attempt(handle, request, null);
    if (!isDone) this.#count(LOCKS_DENIED);
    return isDone;
  }

  waitForMore(
    handle: HeldKeys,
    request: LockRequest,
    waitMs: number,
  ): Promise<void> {
    return this.#acquire(handle, request, waitMs, handle.spec.signal);
  }

  conflicted(): void {
    this.#count(LOCK_CONFLICTS);
  }

  ended(handle: HeldKeys, isAborted: boolean, hadLocks: boolean): void {
    const { counters, monotonicMs, waits } = this.ports;
    if (!this.#handles.delete(handle.id)) return;
    waits.forgetHolder(handle.id);
    counters[LOCK_HANDLES] = this.#handles.size;
    const heldMs = hadLocks ? monotonicMs() - handle.sinceMs : 0;
    if (heldMs > counters[LOCK_HOLD_MAX_MS]!) {
      counters[LOCK_HOLD_MAX_MS] = heldMs;
    }
    if (isAborted) this.#count(LOCK_ABORTS);
  }

  /**
   * The connection of a session is gone: what is done for it alone ends. Latches
   * may be held.
   */
  sessionGone(session: number): void {
    if (this.#handles.size === 0 && this.#pending.size === 0) return;
    this.ports.soon(() => {
      for (const pending of [...this.#pending]) {
        if (pending.handle.spec.session !== session) continue;
        this.#fail(pending, new LockError("ABORTED", "the client is gone"));
      }
      for (const handle of [...this.#handles.values()]) {
        if (handle.spec.session !== session) continue;
        const rule = handle.spec.onDisconnect ??
          (handle.hasWrites ? "finish" : "abort");
        if (rule === "abort") handle.abort("the client is gone");
      }
    });
  }

  /** The watchdog: looks for locks that are held for too long. */
  watch(): void {
    const { holdTimeoutMs, holdWarningMs, warn } = this.ports;
    for (const handle of [...this.#handles.values()]) {
      const { heldMs, spec } = handle;
      const mostMs = spec.maxHoldMs ?? holdTimeoutMs();
      // Whoever only watches is in nobody's way.
      const warningMs = handle.hasLocks ? holdWarningMs() : 0;
      const isLate = mostMs > 0 && heldMs > mostMs;
      if (!handle.hasWarned && warningMs > 0 && heldMs > warningMs || isLate) {
        handle.hasWarned = true;
        warn(
          `Locks "${handle.label}" (id ${handle.id >>> 0}, ` +
            `${handle.claims.length} keys, ${
              this.waitersOf(handle)
            } waiting) ` +
            `are held for ${Math.round(heldMs)} ms` +
            (isLate ? ", and are released now" : ""),
        );
      }
      if (isLate) handle.abort("the locks were held for too long");
    }
  }

  /** Those who wait for the keys of a handle. */
  waitersOf(handle: HeldKeys): number {
    const { latches, keyspaces } = this.ports;
    let count = 0;
    for (const { key, place, isWatched } of handle.claims) {
      if (isWatched) continue;
      const { locks, shard } = keyspaces[key.shard]!;
      latches.acquire(shard);
      locks.visitWaiters(locks.nodeOf(place), () => count++);
      latches.release(shard);
    }
    return count;
  }

  /** Whether somebody waits for keys of a handle, or for their shards. */
  isWaitedFor(handle: HeldKeys): boolean {
    const { latches, keyspaces } = this.ports;
    for (const { key, place, isWatched } of handle.claims) {
      if (isWatched) continue;
      const { locks, shard } = keyspaces[key.shard]!;
      latches.acquire(shard);
      const whole = locks.findWhole();
      const isWaited = locks.isWaitedFor(locks.nodeOf(place)) ||
        whole !== 0 && locks.isWaitedFor(whole);
      latches.release(shard);
      if (isWaited) return true;
    }
    return false;
  }

  #newHandle(spec: LockSpec): HeldKeys {
    return new HeldKeys(this, this.ports.waits.nextTicket(), spec);
  }

  #requestOf(spec: LockSpec): LockRequest {
    const claims = claimsOf(spec, spec.db ?? 0, this.ports.placing);
    const how = howOf(spec);
    const isOptimistic = spec.mode === "optimistic";
    return { claims, isNested: false, isWhole: false, how, isOptimistic };
  }

  async #lock(spec: LockSpec, request: LockRequest): Promise<HeldKeys> {
    const handle = this.#newHandle(spec);
    const fresh = request.claims.map(anew);
    await this.#acquire(
      handle,
      { ...request, claims: fresh },
      spec.waitMs ?? 0,
      spec.signal,
    );
    return handle;
  }

  #acquire(
    handle: HeldKeys,
    request: LockRequest,
    waitMs: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        return reject(new LockError("ABORTED", "the signal says so"));
      }
      const onAbort = () =>
        this.#fail(pending, new LockError("ABORTED", "the signal says so"));
      const pending: Pending = {
        handle,
        request,
        waitMs,
        wait: null,
        settle: (cause) => {
          this.#pending.delete(pending);
          signal?.removeEventListener("abort", onAbort);
          handle.endWait = null;
          if (cause !== null) return reject(cause);
          if (!request.isNested) this.#followSignal(handle, signal);
          resolve();
        },
      };
      this.#pending.add(pending);
      handle.endWait = (cause) => this.#fail(pending, cause);
      signal?.addEventListener("abort", onAbort);
      try {
        if (this.#attempt(handle, request, pending)) pending.settle(null);
        else this.#count(LOCKS_QUEUED);
      } catch (cause) {
        pending.settle(cause as LockError);
      }
    });
  }

  /** A granted handle is aborted together with its signal. */
  #followSignal(handle: HeldKeys, signal: AbortSignal | undefined): void {
    if (signal === undefined) return;
    const onAbort = () =>
      this.ports.soon(() => handle.abort("the signal says so"));
    signal.addEventListener("abort", onAbort);
    handle.onEnd = () => signal.removeEventListener("abort", onAbort);
  }

  /**
   * Grants a request if nothing stands against it; else lets `pending` wait, if
   * given. Throws LockError if memory is short, or if keys that the handle
   * watches have changed: what it has read would not fit the new ones.
   */
  #attempt(
    handle: HeldKeys,
    request: LockRequest,
    pending: Pending | null,
  ): boolean {
    const { latches, keyspaces, waits } = this.ports;
    if (request.isWhole) latches.markAll();
    for (const { key } of request.claims) latches.mark(key.shard);
    const { watched } = handle;
    for (const { key } of watched) latches.mark(key.shard);
    latches.acquireMarked();
    const wait = pending?.wait ?? null;
    if (wait !== null) waits.beginLook(wait);
    try {
      const conflict = handle.conflictIn(watched, false);
      if (conflict !== null) throw handle.conflict(conflict);
      chooseWatched(keyspaces, request);
      const isFree = isGrantable(keyspaces, request, wait?.ticket ?? 0);
      if (isFree) this.#grant(handle, request);
      else if (pending !== null) {
        pending.wait ??= this.#beginWait(pending);
        queueRequest(keyspaces, request, pending.wait, waits);
        pending.wait.vain++;
      }
      return isFree;
    } catch (cause) {
      if (pending?.wait) {
        waits.leaveAll(pending.wait);
        waits.end(pending.wait);
        pending.wait = null;
      }
      if (!(cause instanceof OutOfMemory)) throw cause;
      throw new LockError("OOM", "no memory for the locks");
    } finally {
      if (wait !== null) waits.leaveRest(wait);
      latches.releaseMarked();
    }
  }

  #beginWait(pending: Pending): LockWait {
    return this.ports.waits.begin(
      pending.waitMs,
      () => this.#lookAgain(pending),
      () => this.#fail(pending, new LockError("TIMEOUT", "keys are locked")),
    );
  }

  #lookAgain(pending: Pending): void {
    if (!this.#pending.has(pending)) return;
    try {
      if (!this.#attempt(pending.handle, pending.request, pending)) return;
    } catch (cause) {
      if (!(cause instanceof LockError)) throw cause;
      return pending.settle(cause);
    }
    this.ports.waits.end(pending.wait!);
    pending.settle(null);
  }

  #fail(pending: Pending, cause: LockError): void {
    if (!this.#pending.has(pending)) return;
    const { waits } = this.ports;
    if (pending.wait !== null) {
      waits.withdraw(pending.wait);
      waits.end(pending.wait);
    }
    pending.settle(cause);
  }

  /** Locks what is free; the latches are held. Throws OutOfMemory. */
  #grant(handle: HeldKeys, request: LockRequest): void {
    const { keyspaces, waits, counters, nowMs, monotonicMs } = this.ports;
    const now = nowMs();
    const whole = grantRequest(
      keyspaces,
      request,
      handle.id,
      waits.worker,
      now,
    );
    handle.granted(request.claims, whole);
    handle.isOptimistic = request.isOptimistic;
    for (const { isWrite, isWatched } of request.claims) {
      if (isWatched) continue;
      this.#count(isWrite ? WRITE_LOCKS_GRANTED : READ_LOCKS_GRANTED);
    }
    if (request.isNested) return;
    handle.sinceMs = monotonicMs();
    handle.grantedMs = now;
    this.#handles.set(handle.id, handle);
    counters[LOCK_HANDLES] = this.#handles.size;
    const { spec } = handle;
    if (spec.onWaited !== undefined) {
      waits.tellHolder(handle.id, () => spec.onWaited!());
    }
  }

  #count(counter: number): void {
    const { counters } = this.ports;
    counters[counter] = counters[counter]! + 1;
  }
}

function howOf({ changes, onWaited }: LockSpec): number {
  const told = onWaited === undefined ? 0 : PLACE_IS_TOLD;
  if (changes === undefined) return told;
  return told | (changes === "in place" ? PLACE_IN_PLACE : PLACE_AT_END);
}

/** The same claim, not granted. */
function anew({ db, key, isWrite }: LockClaim): LockClaim {
  return newClaim(db, key, isWrite);
}

function wantsToWrite({ claims }: LockRequest): boolean {
  return claims.some(({ isWrite }) => isWrite);
}

/** Each key once, for writing if that was ever asked for. */
function mergeClaims(claims: readonly LockClaim[]): LockClaim[] {
  const merged: LockClaim[] = [];
  for (const claim of claims) {
    const known = merged.find(({ db, key }) =>
      db === claim.db && key.shard === claim.key.shard &&
      key.length === claim.key.length &&
      key.buf.every((byte, i) => byte === claim.key.buf[i])
    );
    if (known === undefined) merged.push(anew(claim));
    else known.isWrite ||= claim.isWrite;
  }
  return merged.sort(compareClaims);
}

/**
 * Key locks: what code in the server asks for, and what it gets.
 *
 * A key lock says that a key's value must not change (read), or must neither
 * change nor be seen (write), for longer than one turn of the event loop: while a
 * background command reads it, or a function works on it. Commands that meet an
 * incompatible lock wait, those of other keys go on. For what is short, latches
 * are enough.
 *
 * - Locks belong to a {@linkcode LockHandle}, never to a connection.
 * - Several keys are locked at one instant or not at all, on whichever shards
 *   they lie, from any worker. A key need not exist: its creation is locked then.
 * - Who waits for locks holds none, unless it already had a handle; that one may
 *   wait only for keys that sort behind all it has. So nobody waits in a circle.
 * - First come, first served per key. Only commands that read pass those who
 *   wait while a key has readers (`lock-fairness`).
 * - While a key is locked its entry stays where it is: it is not moved, expired,
 *   evicted or freed. Who has a read lock may read the value in place, on any
 *   thread ({@linkcode LockHandle.entry}); FLUSHALL takes the entry out of its
 *   database, but leaves it to those who read it.
 * - A writer changes nothing before it commits, and that happens in one turn
 *   under latches. So a snapshot never meets a half-written key and need not wait
 *   for locks, and a handle that fails has changed nothing.
 * - An optimistic handle ({@linkcode LockSpec.mode}) keeps nobody from keys with
 *   small values; it has worked in vain if others change them before it commits.
 *
 * ```ts ignore
 * // In a command, its latches held: its keys for the background.
 * const handle = locks.tryLockHeld({ read: keys, session: call.session.id });
 * if (handle === null) return runInline();
 * compute(handle).finally(() => handle.close());
 *
 * // Anywhere else.
 * using handle = await locks.lockKeys({ read: [a], write: [b] });
 * handle.stage([SET, b, value]);
 * handle.commit();
 * ```
 *
 * @module
 */
import type { Key } from "../../core/keyspace/key.ts";

/**
 * A key to be locked: its name, which is copied, or the key, which stays as it is
 * as long as the handle is there, and has no more bytes than its name.
 */
export type KeyToLock = Uint8Array | Key;

/** What is to be locked, and how. */
export interface LockSpec {
  /** Keys to be read. */
  readonly read?: readonly KeyToLock[];
  /** Keys to be changed; those also named to be read are locked once, for that. */
  readonly write?: readonly KeyToLock[];
  /** Their database, 0 by default. */
  readonly db?: number;
  /** The database of the keys to be changed, if it is another one. */
  readonly writeDb?: number;
  /**
   * `"optimistic"`: keys that have less than 64 KB, or nothing, when they are asked
   * for are watched instead of locked. Others read and write them as if there were
   * no handle. It reads what they had at one instant; to read a key that others
   * have changed since, to ask for more keys then, and to commit fail with
   * LOCKCHANGED, and nothing is written. What counts as a change is what WATCH
   * sees: also expiry, eviction, FLUSHALL and SWAPDB. Whoever has the keys locked,
   * for reading if they are to be written, is waited for at the beginning, and
   * makes a later commit fail in the same way. Keys with large values are locked
   * as ever, all at the same instant.
   */
  readonly mode?: "optimistic";
  /** How long to wait for other locks, in milliseconds; for ever by default. */
  readonly waitMs?: number;
  /**
   * How long the locks may be held, in milliseconds: the handle is aborted then.
   * `lock-hold-timeout` by default; 0 for ever.
   */
  readonly maxHoldMs?: number;
  /** Aborts the wait, or the handle. */
  readonly signal?: AbortSignal;
  /** What the locks are for, as LOCKS LIST shows it. */
  readonly label?: string;
  /**
   * How the values are changed: bit by bit, by one who waits for nobody else; or
   * in one turn, after which the locks are released. By default in any number of
   * turns, by one who may wait for other locks.
   */
  readonly changes?: "in place" | "at the end";
  /**
   * Whether keys that are only read are locked although others wait to change
   * them, if only readers have them locked; for who keeps them waiting for a
   * moment. Only at once, not by who waits himself.
   */
  readonly passesWriters?: boolean;
  /** Called when the first one waits for keys of the handle; no latch is held. */
  onWaited?(): void;
  /** The session for which this is done; 0 for none. */
  readonly session?: number;
  /**
   * What becomes of the handle when the connection of `session` is gone; by
   * default one with keys to write finishes.
   */
  readonly onDisconnect?: "finish" | "abort";
  /**
   * Called before the locks are lost for a reason of others', for what must not
   * be left half done; no latch is held.
   */
  beforeAbort?(): void;
}

/** A key of a handle. */
export interface LockedKey {
  readonly db: number;
  readonly key: Uint8Array;
  /** Whether it is locked for writing. */
  readonly isWrite: boolean;
  /** Whether it is watched instead of locked. */
  readonly isWatched: boolean;
}

/**
 * An element of a key: one of a list, a member, a field and its value, a member
 * and its score, the ID of an entry with its fields and values, or 64 KB of a
 * string.
 */
export type KeyElement = readonly Uint8Array[];

/** Why locks were refused, or lost. */
export type LockErrorCode =
  /** The time to wait is over. */
  | "TIMEOUT"
  /** The signal, LOCKS KILL, the end of the connection or of the time to hold. */
  | "ABORTED"
  /** The handle may not wait for keys that sort before those it has. */
  | "LOCKNEST"
  /** The handle has the key already. */
  | "LOCKTWICE"
  /** Others read the key, too, so the read lock cannot become one to write. */
  | "LOCKUPGRADE"
  /** The command touches a key that the handle has not locked for that. */
  | "NOTLOCKED"
  /** The command is none, or none that can be run on locked keys. */
  | "COMMAND"
  /** A function has ended while it still went through a key. */
  | "LOCKLEAK"
  /** The handle has changed the key that it goes through. */
  | "CHANGED"
  /** Others have changed, or locked, a key that is only watched. */
  | "LOCKCHANGED"
  /** The handle has been closed. */
  | "CLOSED"
  /** There is no memory for the locks. */
  | "OOM";

/** Thrown where locks are refused or misused. */
export class LockError extends Error {
  /** What is wrong. */
  readonly code: LockErrorCode;

  constructor(code: LockErrorCode, message: string) {
    super(`${code} ${message}`);
    this.name = "LockError";
    this.code = code;
  }
}

/**
 * Some locked keys. All methods are synchronous unless they return a promise, and
 * take the latches they need themselves: no latch may be held by the caller.
 */
export interface LockHandle extends Disposable {
  /** Unique over all workers. */
  readonly id: number;
  /** What the locks are for. */
  readonly label: string;
  /** Since when there are locks, in milliseconds. */
  readonly heldMs: number;
  /** Aborted when the locks are lost before {@linkcode LockHandle.close}. */
  readonly signal: AbortSignal;
  /** Whether the locks are gone. */
  readonly isClosed: boolean;
  /** The keys, in the order of shard, database and bytes. */
  readonly keys: readonly LockedKey[];

  /**
   * The entry of a locked key, or 0 if there is none: good, and at the same
   * place, until the lock is released. Its value is that of the instant when it
   * was locked.
   *
   * @throws {LockError} NOTLOCKED also for a key that is only watched.
   */
  entry(key: Uint8Array): number;

  /** Locks more keys, if none of them is busy; says whether. */
  tryLock(more: Pick<LockSpec, "read" | "write">): boolean;
  /**
   * Locks more keys and waits for them.
   *
   * @throws {LockError} LOCKNEST unless they sort behind all that it has.
   */
  lock(
    more: Pick<LockSpec, "read" | "write" | "waitMs">,
  ): Promise<void>;
  /** Makes a read lock one to write, if nobody else reads the key. */
  tryUpgrade(key: Uint8Array): boolean;
  /** Makes a write lock one to read; what is staged for it is kept. */
  downgrade(key: Uint8Array): void;
  /** Releases keys before the end. */
  release(...keys: readonly Uint8Array[]): void;

  /**
   * Runs a command that only reads, on keys of the handle, and returns its reply
   * as RESP3. Keys do not expire for it as long as they are locked.
   *
   * @throws {LockError} LOCKCHANGED if others have come between it and a key of
   * the command that is only watched.
   */
  read(argv: readonly Uint8Array[]): Uint8Array;
  /**
   * Goes through the elements of a key, each once, `batch` (1000) or a few more
   * at a time, as they were when the key was locked; between two batches others
   * are served. Expired fields are left out. Whoever stops before the end must
   * say so (`break` does).
   *
   * ```ts ignore
   * for await (const batch of handle.iterate(key)) {
   *   for (const [member] of batch) count += member.length;
   * }
   * ```
   *
   * @throws {LockError} NOTLOCKED, or CHANGED after a commit; LOCKLEAK from the
   * function around it if that ends before.
   */
  iterate(
    key: Uint8Array,
    options?: { readonly batch?: number },
  ): AsyncIterable<readonly KeyElement[]>;
  /** Queues a command on keys of the handle for {@linkcode LockHandle.commit}. */
  stage(argv: readonly Uint8Array[]): void;
  /** Commands queued. */
  readonly stagedCount: number;
  /**
   * Runs what is queued as one transaction and returns its replies as one RESP3
   * array. The keys stay locked; those that are watched are so from now on.
   *
   * @throws {LockError} LOCKCHANGED if others have come between it and any key that
   * is only watched: what was queued is dropped.
   */
  commit(): Uint8Array;

  /**
   * Releases all keys; what is queued is dropped. The first call counts, whoever
   * makes it.
   */
  close(): void;
  /** Closes the handle and says so through {@linkcode LockHandle.signal}. */
  abort(why: string): void;
}

/** What a function asks for that finds out on its way which keys it needs. */
export interface Discovery {
  /** Most restarts before the whole keyspace is locked instead; 8 by default. */
  readonly restartsMax?: number;
}

/** The handle of such a function. */
export interface DiscoveringHandle extends LockHandle {
  /**
   * Locks keys that turn out to be needed, and waits for them if their order
   * allows that. If it does not, rejects, and the function, which must let that
   * pass, is called anew with all keys that it has asked for so far.
   */
  demand(more: Pick<LockSpec, "read" | "write">): Promise<void>;
}

/** Locks keys; one per worker. */
export interface KeyLocking {
  /**
   * Locks keys at once if none is busy. Latches must not be held.
   *
   * @returns null if one is.
   */
  tryLockKeys(spec: LockSpec): LockHandle | null;
  /**
   * As {@linkcode KeyLocking.tryLockKeys}, for a command that has its turn and
   * holds the latches of the keys' shards.
   */
  tryLockHeld(spec: LockSpec): LockHandle | null;
  /** Locks keys and waits for them. */
  lockKeys(spec: LockSpec): Promise<LockHandle>;
  /**
   * Locks keys, calls `run`, commits what it has staged, and releases them. If
   * `run` fails, nothing is changed; if the locks are lost before it ends, neither,
   * and the promise is rejected with ABORTED, or, of an optimistic handle, with
   * LOCKCHANGED.
   */
  withLockedKeys<T>(
    spec: LockSpec,
    run: (handle: LockHandle) => T | Promise<T>,
  ): Promise<T>;
  /**
   * As {@linkcode KeyLocking.withLockedKeys}, for a function that asks for keys on
   * its way and may be called several times. If it is optimistic, it is also called
   * anew after a conflict with others, unless it has committed something itself;
   * after three of them its keys are locked.
   */
  withDiscoveredKeys<T>(
    spec: LockSpec & Discovery,
    run: (handle: DiscoveringHandle) => T | Promise<T>,
  ): Promise<T>;
}

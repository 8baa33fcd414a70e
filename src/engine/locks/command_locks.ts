/**
 * Commands that meet locked keys: they are parked as a whole, before they have
 * begun, and run from their beginning when the keys are free.
 *
 * A parked command stays in its connection, as one that CLIENT PAUSE holds back:
 * the requests behind it stay unread, so replies keep their order. It holds
 * nothing while it waits. When it is woken it claims all of its keys anew, under
 * their latches, and either runs there and then or waits on with its old ticket.
 *
 * For each command that meets a shard with locks: {@linkcode CommandLocks.begin},
 * a {@linkcode CommandLocks.claim} per key, {@linkcode CommandLocks.mustPark}; all
 * of it with the latches of the keys' shards held.
 *
 * @module
 */

import {
  COMMANDS_PARKED,
  CONNECTIONS_ON_LOCKS,
  LOCK_TIMEOUTS,
  LOCK_WAIT_MAX_MS,
  LOCK_WAIT_MS,
} from "../../core/keyspace/counters.ts";
import type { Key } from "../../core/keyspace/key.ts";
import {
  PLACE_COMMAND,
  PLACE_NESTED,
  PLACE_WRITE,
} from "../../core/keyspace/key_locks.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import {
  FLAG_KEY_LOCKS,
  FLAG_WHOLE_LOCK,
  SHARD_FLAGS,
} from "../../core/keyspace/shard_control.ts";
import {
  type ErrorReply,
  LOCKED,
  UNBLOCKED,
} from "../../core/resp/error_reply.ts";
import { GATE_LOCKED, type Session } from "../executor/session.ts";
import type { LockRules, LockWait, LockWaits } from "./lock_waits.ts";

/** Locks of a shard's readers that are not waited for. */
const READERS_MAX = 128;

/** What commands need to wait for locks. */
export interface CommandLockPorts {
  /** What the lock tables of the worker's shards have in common. */
  readonly rules: LockRules;
  readonly counters: Float64Array;
  /** Most milliseconds that a command waits, 0 for ever. */
  waitTimeoutMs(): number;
  /** Runs the request anew that a session has parked. */
  resume(session: Session): void;
  /** Runs something in a moment, when no latch is held. */
  soon(run: () => void): void;
}

/** What a parked command is told instead of being run. */
export type LockVerdict = ErrorReply | "null";

/** One per worker. */
export class CommandLocks {
  /** Whether the last command that was asked about has been parked. */
  hasParked = false;
  readonly #waits: LockWaits;
  readonly #ports: CommandLockPorts;
  readonly #parked = new Map<number, Session>();
  #session: Session | null = null;
  #wait: LockWait | null = null;
  #isBlocked = false;
  #kind = PLACE_COMMAND;
  /** Queue for every key that is claimed, be it free or not. */
  #queuesAll = false;

  /** `waits` are the worker's. */
  constructor(waits: LockWaits, ports: CommandLockPorts) {
    this.#waits = waits;
    this.#ports = ports;
  }

  /** Whether keys are not looked at: who runs commands has them locked. */
  get isExempt(): boolean {
    return this.#ports.rules.isHolder;
  }

  set isExempt(value: boolean) {
    this.#ports.rules.isHolder = value;
  }

  /** Connections whose command is parked. */
  get count(): number {
    return this.#parked.size;
  }

  /**
   * Begins to look at the command of a session. With `passes` it minds only who
   * has locks, not who waits for them.
   */
  begin(session: Session, passes = false): void {
    this.#kind = passes ? PLACE_COMMAND | PLACE_NESTED : PLACE_COMMAND;
    this.#session = session;
    this.#wait = session.lockWait;
    if (this.#wait !== null) this.#waits.beginLook(this.#wait);
    this.#isBlocked = this.#queuesAll = false;
    this.hasParked = false;
  }

  /** The command wants a key. May throw OutOfMemory. */
  claim(space: Keyspace, db: number, key: Key, isWrite: boolean): void {
    const flags = space.control[SHARD_FLAGS]!;
    const kind = isWrite ? this.#kind | PLACE_WRITE : this.#kind;
    if (this.#queuesAll) {
      return this.#waits.queue(this.#wait!, space, db, key, kind);
    }
    if ((flags & FLAG_KEY_LOCKS) === 0) return;
    const { locks } = space;
    if ((flags & FLAG_WHOLE_LOCK) !== 0 && isWholeHeld(space)) {
      return this.#waits.queueForWhole(this.#block(), space, kind);
    }
    const node = locks.find(db, key.buf, key.off, key.length, key.hash);
    if (node === 0) return;
    const ticket = this.#wait?.ticket ?? 0;
    if (!locks.mustWait(node, kind, ticket)) return;
    this.#waits.queue(this.#block(), space, db, key, kind);
  }

  /**
   * The command wants a shard's share of a database, or of all (-1): it waits for
   * those who write, and if `forReaders` says so, or they are very many, for
   * readers: to leave them what they read would take long. May throw OutOfMemory.
   */
  claimDatabase(space: Keyspace, db: number, forReaders: boolean): void {
    if ((space.control[SHARD_FLAGS]! & FLAG_KEY_LOCKS) === 0) return;
    if (!isWholeHeld(space) && !hasLocks(space, db, forReaders)) return;
    const kind = this.#kind | PLACE_WRITE;
    this.#waits.queueForWhole(this.#block(), space, kind);
  }

  /**
   * Whether a command that has been found blocked is to claim all of its keys
   * once more, so as to have its turn at each of them in the end.
   */
  claimsAgain(): boolean {
    this.#queuesAll = this.#isBlocked && this.#waits.queuesForAll(this.#wait!);
    return this.#queuesAll;
  }

  /** Whether the command has to wait; it is parked then. */
  mustPark(): boolean {
    const session = this.#session!;
    const wait = this.#wait;
    if (wait !== null) this.#waits.leaveRest(wait);
    if (!this.#isBlocked) {
      if (wait !== null) this.#end(session, wait);
      return false;
    }
    const counters = this.#ports.counters;
    if (session.lockWait !== null) wait!.vain++;
    else counters[COMMANDS_PARKED] = counters[COMMANDS_PARKED]! + 1;
    session.lockWait = wait;
    session.gate |= GATE_LOCKED;
    this.#parked.set(wait!.ticket, session);
    this.#count();
    this.hasParked = true;
    return true;
  }

  /**
   * Parks the command of a session, whatever is locked, until {@linkcode
   * CommandLocks.wakeParked}; no latch is held.
   */
  park(session: Session): void {
    // Places that it has are given up under the latches of theirs.
    this.withdraw(session, false);
    this.begin(session);
    this.#block();
    this.mustPark();
  }

  /** Tries the command of a session again, if it is still parked. */
  wakeParked(session: Session): void {
    if (session.lockWait !== null) this.#resume(session);
  }

  /** Memory ran out before all keys were claimed: the command does not wait. */
  giveUp(): void {
    const wait = this.#wait;
    if (wait === null) return;
    this.#waits.leaveAll(wait);
    this.#end(this.#session!, wait);
  }

  /** What a parked command is told instead of being run; null to run it. */
  takeVerdict(session: Session): LockVerdict | null {
    const { lockVerdict } = session;
    session.lockVerdict = null;
    return lockVerdict;
  }

  /**
   * A parked command is held back for another reason, or was refused: it must
   * not keep others waiting. No latch is held.
   */
  withdraw(session: Session, isOver: boolean): void {
    const wait = session.lockWait;
    if (wait === null) return;
    this.#waits.withdraw(wait);
    if (isOver) this.#end(session, wait);
  }

  /** The connection of a session is gone. */
  drop(session: Session): void {
    const wait = session.lockWait;
    if (wait === null) return;
    this.#end(session, wait);
    // Whoever closes connections may hold latches.
    this.#ports.soon(() => this.#waits.withdraw(wait));
  }

  /** CLIENT UNBLOCK: says whether a session's command was parked. */
  unblock(id: number, withError: boolean): boolean {
    for (const session of this.#parked.values()) {
      if (session.id !== id) continue;
      const wait = session.lockWait!;
      this.#end(session, wait);
      session.lockVerdict = withError ? UNBLOCKED : "null";
      this.#ports.soon(() => {
        this.#waits.withdraw(wait);
        this.#resume(session);
      });
      return true;
    }
    return false;
  }

  #block(): LockWait {
    this.#isBlocked = true;
    const session = this.#session!;
    this.#wait ??= this.#waits.begin(
      this.#ports.waitTimeoutMs(),
      () => this.#resume(session),
      () => this.#expire(session),
    );
    return this.#wait;
  }

  #resume(session: Session): void {
    if (session.onLockWake !== null) session.onLockWake();
    else this.#ports.resume(session);
  }

  #expire(session: Session): void {
    const wait = session.lockWait;
    if (wait === null) return;
    this.#waits.withdraw(wait);
    this.#end(session, wait);
    const { counters } = this.#ports;
    counters[LOCK_TIMEOUTS] = counters[LOCK_TIMEOUTS]! + 1;
    session.lockVerdict = LOCKED;
    this.#resume(session);
  }

  /** A wait is over, whatever comes of it. */
  #end(session: Session, wait: LockWait): void {
    this.#waits.end(wait);
    session.lockWait = null;
    this.#parked.delete(wait.ticket);
    this.#count();
    const { counters } = this.#ports;
    const waitedMs = this.#waits.waitedMs(wait);
    session.lockWaitedMs = waitedMs;
    counters[LOCK_WAIT_MS] = counters[LOCK_WAIT_MS]! + waitedMs;
    if (waitedMs > counters[LOCK_WAIT_MAX_MS]!) {
      counters[LOCK_WAIT_MAX_MS] = waitedMs;
    }
  }

  #count(): void {
    this.#ports.counters[CONNECTIONS_ON_LOCKS] = this.#parked.size;
  }
}

function isWholeHeld(space: Keyspace): boolean {
  const node = space.locks.findWhole();
  return node !== 0 && space.locks.isHeld(node);
}

function hasLocks(space: Keyspace, db: number, forReaders: boolean): boolean {
  const { locks } = space;
  const waits = forReaders || locks.readLocks > READERS_MAX;
  if (locks.writeLocks === 0 && (!waits || locks.readLocks === 0)) return false;
  return locks.isAnyHeld(db, waits);
}

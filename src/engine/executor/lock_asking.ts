/**
 * Asks for a command whether its keys are free: what the executor does when it
 * meets a shard with locked keys.
 *
 * This is the one place that knows which keys a command, or a transaction, wants
 * and how: from the key specs of the command table.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import { FLAG } from "../../core/commands/command_spec.ts";
import {
  type Command,
  type CommandTable,
  KEY_KIND,
} from "../../core/commands/command_table.ts";
import { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { mayBeLocked } from "../../core/keyspace/key_locks.ts";
import { NotedBytes } from "../../core/keyspace/noted_bytes.ts";
import { LONG_KEY_BYTES } from "../../core/memory/known_keys.ts";
import type { ReadyKeys } from "../../core/keyspace/ready_keys.ts";
import {
  FLAG_KEY_LOCKS,
  FLAG_WHOLE_LOCK,
  FLAGS_RESERVE,
  SHARD_FLAGS,
} from "../../core/keyspace/shard_control.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import { Arguments } from "../../core/resp/arguments.ts";
import { OUT_OF_MEMORY } from "../../core/resp/error_reply.ts";
import type { Latches } from "../latch/shard_latches.ts";
import { PROCESS_MANY_CHANGES } from "../messages/shared_state.ts";
import type { CommandLocks } from "../locks/command_locks.ts";
import type { RequestKeys } from "./request_keys.ts";
import { guestSession, type Session } from "./session.ts";
import type { BigAdder, Transaction } from "./transaction.ts";

/** The command may run. */
export const LOCKS_FREE = 0;
/** It has been parked, and is to be tried again. */
export const LOCKS_PARKED = 1;
/** There is no memory for it to wait. */
export const LOCKS_NO_ROOM = 2;

/** Flags of shards: the keys of a command are to be looked at. */
export const MUST_ASK: number = FLAG_KEY_LOCKS | FLAGS_RESERVE;

/** What asking needs from the executor around it. */
export interface LockAskingParts<C extends Call> {
  readonly table: CommandTable<C>;
  readonly call: C;
  readonly keys: RequestKeys<C>;
  readonly latches: Latches;
  readonly locks: CommandLocks;
  readonly ready: ReadyKeys;
  readonly addBig: BigAdder;
  /**
   * Locks a key whose value is large and not yet in the snapshot under way, until
   * it is, or until it has been copied for those who keep hashes as they were; if
   * `isAsked`, says only whether it would. Latches are held.
   */
  reserve: (
    space: Keyspace,
    db: number,
    key: Key,
    isAsked: boolean,
  ) => boolean;
  /** Serves keys that are ready and tells of events; no latch is held. */
  settle(): void;
  /** Calls back when others have had their turn; no latch is held. */
  rest(run: () => void): void;
  /** Words of the process. */
  readonly process: Int32Array;
}

/** One per worker. */
export class LockAsking<C extends Call> {
  readonly #parts: LockAskingParts<C>;
  readonly #queued = new Arguments();

  constructor(parts: LockAskingParts<C>) {
    this.#parts = parts;
    parts.call.lockGate = {
      mustWait: this.#mustWaitForDatabases,
      mustWaitToLook: (db) =>
        this.#areChanging() && this.#mustWaitForDatabases([db], false),
      mayLook: () => !this.#areChanging(),
      giveWay: this.#giveWay,
    };
  }

  /**
   * Whether nobody has locked, or waits for, the one key of the command at hand:
   * a quick look, to be followed by {@linkcode LockAsking.ask} if it says no.
   * `flags` are those of the key's shard, whose latch is held.
   */
  isFree(command: Command<C>, key: Key, flags: number): boolean {
    if ((flags & FLAGS_RESERVE) !== 0 && this.#mustReserve(command)) {
      return false;
    }
    if ((flags & (FLAG_KEY_LOCKS | FLAG_WHOLE_LOCK)) === 0) return true;
    if (
      (flags & FLAG_WHOLE_LOCK) !== 0 ||
      command.spec.findOtherDatabase !== undefined
    ) return false;
    const { call } = this.#parts;
    const { buf, off, length, hash } = key;
    return call.keyspace(key).locks.find(call.db, buf, off, length, hash) === 0;
  }

  /**
   * As {@linkcode LockAsking.isFree}, of all keys, or, if the command looks
   * `everywhere`, at any others; `flags` or'ed together.
   */
  areFree(command: Command<C>, flags: number, everywhere: boolean): boolean {
    if (everywhere && this.#areChanging()) return false;
    if ((flags & FLAGS_RESERVE) !== 0 && this.#mustReserve(command)) {
      return false;
    }
    if ((flags & (FLAG_KEY_LOCKS | FLAG_WHOLE_LOCK)) === 0) return true;
    if ((flags & FLAG_WHOLE_LOCK) !== 0) return false;
    const { call } = this.#parts;
    const isOfOne = command.spec.findOtherDatabase === undefined;
    for (let i = 0; i < call.keyCount; i++) {
      const key = call.key(i);
      const { control, locks } = call.keyspace(key);
      if (!mayBeLocked(control, key.hash)) continue;
      if (!isOfOne) return false;
      const { buf, off, length, hash } = key;
      if (locks.find(call.db, buf, off, length, hash) !== 0) return false;
    }
    return true;
  }

  /**
   * Whether the command at hand may run, whose keys have been filled in; or, with
   * a transaction, whether all that it has queued may. All latches that are
   * needed are held, those of all shards if it looks `everywhere`. With `passes`
   * it minds only who has locks, not who waits.
   */
  ask(
    command: Command<C>,
    transaction: Transaction | null,
    passes = false,
    everywhere = false,
  ): number {
    const { call, locks } = this.#parts;
    if (locks.isExempt) return LOCKS_FREE;
    const claim = () => {
      if (transaction !== null) return this.#claimTransaction(transaction);
      this.#claimKeys(command, call.args, call.db);
      if (everywhere) this.#claimChanging(call.db);
    };
    locks.begin(call.session as Session, passes);
    try {
      claim();
      if (locks.claimsAgain()) claim();
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      locks.giveUp();
      return LOCKS_NO_ROOM;
    }
    return locks.mustPark() ? LOCKS_PARKED : LOCKS_FREE;
  }

  /**
   * Whether a command that waits for elements of `from` cannot have them now
   * because its keys, which have been filled in, are locked: `from` is looked at
   * again when they may be free. Its latches are held.
   */
  mustDefer(command: Command<C>, from: Key): boolean {
    const { call, locks, latches, ready, settle } = this.#parts;
    const flags = latches.wordsOfMarked(SHARD_FLAGS);
    if ((flags & MUST_ASK) === 0 || locks.isExempt) return false;
    const { session, db } = call;
    const { shard, hash, length } = from;
    const name = new NotedBytes(
      () => call.keyspaces[0]!.heap,
      length < LONG_KEY_BYTES ? length : 0,
    );
    const place = name.add(from.buf, from.off, length);
    const guest = guestSession(0);
    guest.db = db;
    guest.onLockWake = () => {
      locks.withdraw(guest, true);
      ready.note(shard, db, name.buf(place), name.off(place), length, hash);
      name.clear();
      settle();
    };
    call.session = guest;
    const outcome = this.ask(command, null, true);
    call.session = session;
    if (outcome !== LOCKS_PARKED) name.clear();
    return outcome !== LOCKS_FREE;
  }

  #claimKeys(command: Command<C>, args: Arguments, db: number): void {
    this.#parts.keys.visit(command, args, db, this.#claimKey);
  }

  readonly #claimKey = (db: number, key: Key, isWrite: boolean): void => {
    const { call, locks, reserve } = this.#parts;
    const space = call.keyspace(key);
    if (isWrite && (space.control[SHARD_FLAGS]! & FLAGS_RESERVE) !== 0) {
      reserve(space, db, key, false);
    }
    locks.claim(space, db, key, isWrite);
  };

  /** Whether a large value is to be kept for others before the command has it. */
  #mustReserve(command: Command<C>): boolean {
    const { call, locks, reserve } = this.#parts;
    if ((command.flags & FLAG.WRITE) === 0 || locks.isExempt) return false;
    for (let i = 0; i < call.keyCount; i++) {
      const key = call.key(i);
      if (reserve(call.keyspace(key), call.db, key, true)) return true;
    }
    return false;
  }

  /** Whether commands are about to change very many keys. */
  #areChanging(): boolean {
    return this.#parts.process[PROCESS_MANY_CHANGES] !== 0;
  }

  /**
   * Claims all keys of a database for one who looks at any of them, if some of a
   * command's may be changed already and others not. All latches are held.
   */
  #claimChanging(db: number): void {
    if (!this.#areChanging()) return;
    const { call, locks } = this.#parts;
    for (const space of call.keyspaces) locks.claimDatabase(space, db, false);
  }

  /** Claims the watched keys: they may be about to change with others. */
  #claimWatched(transaction: Transaction): void {
    if (!this.#areChanging()) return;
    const { call, locks, latches } = this.#parts;
    if (transaction.watchCount > call.settings.backgroundThresholdKeys) {
      for (const space of call.keyspaces) {
        // Only the shards of its keys are latched.
        if (latches.isMarked(space.shard)) {
          locks.claimDatabase(space, -1, false);
        }
      }
      return;
    }
    const key = new Key();
    for (let i = 0; i < transaction.watchCount; i++) {
      const space = call.keyspaces[transaction.watchShard(i)]!;
      const { watched } = space.hooks;
      const node = transaction.watchNode(i);
      watched.keyOf(node, key);
      key.shard = space.shard;
      locks.claim(space, watched.databaseOf(node), key, false);
    }
  }

  /** Claims the keys of all queued commands, and the databases they change. */
  #claimTransaction(transaction: Transaction): void {
    const { table, call, keys, locks, addBig } = this.#parts;
    const own = call.args;
    let { db } = call;
    this.#claimWatched(transaction);
    for (let i = 0; i < transaction.count; i++) {
      const command = table.all[transaction.command(i)]!;
      transaction.load(i, this.#queued, addBig);
      call.args = this.#queued;
      const looksFurther = keys.fill(command);
      this.#claimKeys(command, this.#queued, db);
      if (looksFurther) this.#claimChanging(db);
      if (command.fullName === "select") {
        const chosen = keys.view.integer(1);
        if (chosen >= 0 && chosen < call.settings.databases) db = chosen;
      }
      if (
        command.keyKind === KEY_KIND.NONE && (command.flags & FLAG.WRITE) !== 0
      ) {
        const forReaders = command.fullName === "swapdb";
        for (const space of call.keyspaces) {
          locks.claimDatabase(space, -1, forReaders);
        }
      }
    }
    this.#queued.clear();
    call.args = own;
  }

  readonly #mustWaitForDatabases = (
    databases: readonly number[],
    forReaders: boolean,
  ): boolean => {
    const { call, locks } = this.#parts;
    // A transaction has asked before.
    if (locks.isExempt || !call.canWait) return false;
    locks.begin(call.session as Session);
    try {
      for (const space of call.keyspaces) {
        for (const db of databases) locks.claimDatabase(space, db, forReaders);
      }
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      locks.giveUp();
      call.reply.error(OUT_OF_MEMORY);
      return true;
    }
    return locks.mustPark();
  };

  readonly #giveWay = (): boolean => {
    const { call, locks, rest } = this.#parts;
    if (locks.isExempt || !call.canWait) return false;
    const session = call.session as Session;
    locks.park(session);
    rest(() => locks.wakeParked(session));
    return true;
  };
}

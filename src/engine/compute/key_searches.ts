/**
 * Commands that look for something in very many keys: when all are locked, and have
 * been looked at, they are run with the key that has it, or wait for all.
 *
 * @module
 */

import type { Call, ShardLatches } from "../../core/commands/call.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import type { Command } from "../../core/commands/command_table.ts";
import {
  distinctPass,
  type KeysPass,
  type KeysSearch,
  type KeysSteps,
  type KeysWait,
} from "../../core/commands/many_keys.ts";
import { oneKeyArguments } from "../../core/commands/one_key.ts";
import { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { unlockKey } from "../../core/keyspace/locking.ts";
import {
  type ArgumentPart,
  freeRuns,
  ownArguments,
} from "../../core/keyspace/own_arguments.ts";
import {
  FLAG_SNAPSHOT,
  SHARD_FLAGS,
} from "../../core/keyspace/shard_control.ts";
import type { KeysAt } from "../../core/keyspace/waiter_records.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import {
  BACKGROUND_DIED,
  type ErrorReply,
  OUT_OF_MEMORY,
} from "../../core/resp/error_reply.ts";
import type { ManyWait, ManyWaitSource } from "../blocking/registering.ts";
import type { Session } from "../executor/session.ts";
import type { ManyKeyOrder } from "../locks/many_key_order.ts";
import { SLICE_MS } from "./many_key_locks.ts";

/** Time until one that has found no room looks again. */
const BUSY_MS = 2;

/** What searches need from the worker around them. */
export interface SearchPorts<C extends Call> {
  readonly call: C;
  readonly latches: ShardLatches;
  nowMs(): number;
  monotonicMs(): number;
  /** As {@linkcode LockAskingParts.reserve}. */
  reserve(space: Keyspace, db: number, key: Key, isAsked: boolean): boolean;
  /** Whether the connection of a session is gone. */
  isGone(session: Session): boolean;
  /** Whether the data must not change now (CLIENT PAUSE, a data set is loaded). */
  mustBeStill(): boolean;
  /** As {@linkcode Executor.runOfMany}. */
  runOfMany(
    session: Session,
    args: Arguments,
    nowMs: number,
    unlock: () => boolean,
  ): LateReply | Promise<LateReply> | null;
  /** Begins a wait, as {@linkcode ManyWait}. */
  newWait(source: ManyWaitSource): ManyWait;
  /** A session's command waits: messages need not wait for its reply. */
  letGo(session: Session): void;
}

/** A command that has looked for something. */
export interface SearchingKeys<C extends Call> {
  readonly command: Command<C>;
  readonly session: Session;
  readonly db: number;
  readonly resp: 2 | 3;
  readonly args: Arguments;
  readonly order: ManyKeyOrder;
  /** By number: where a key is locked, 0 if it is not. */
  readonly places: Int32Array;
  /** Where the keys stand. */
  readonly keysAt: KeysAt;
  /** The reply of what was run with one key, or waits; null for neither. */
  late: LateReply | Promise<LateReply> | null;
}

/** What is done with its keys. */
export interface SearchWays<R> {
  lockAll(running: R): Generator<void, KeysEnd>;
  passes(running: R, nowMs: number): Generator<void, KeysEnd>;
  runJob(running: R, nowMs: number): Generator<void, KeysEnd>;
  sleepMs(running: R, delayMs: number): void;
  unlock(running: R): Generator<void>;
  pass(running: R, pass: KeysPass, nowMs: number): Generator<void>;
}

/** How a command ends; "in place" if it has to be run there. */
export type KeysEnd = "done" | "in place" | "gone" | "under way" | ErrorReply;

/**
 * How a search ends; it has been counted if the command is "under way" elsewhere,
 * and nothing has been done if it is to begin "again".
 */
export type SearchEnd = "done" | "gone" | "under way" | "again" | ErrorReply;

/** Argument `i`, for a command of its own. */
function partOf(args: Arguments, i: number): ArgumentPart {
  const run = args.bigAt(i);
  return run === 0 ? args.copy(i) : { run, length: args.length[i]! };
}

/** One per worker. */
export class KeySearches<C extends Call, R extends SearchingKeys<C>> {
  readonly #ports: SearchPorts<C>;
  readonly #ways: SearchWays<R>;
  readonly #key = new Key();

  constructor(ports: SearchPorts<C>, ways: SearchWays<R>) {
    this.#ports = ports;
    this.#ways = ways;
  }

  /** Locks all keys, looks for something, and ends the command. */
  *run(running: R, search: KeysSearch): Generator<void, KeysEnd> {
    const { lockAll, unlock } = this.#ways;
    for (;;) {
      const locked = yield* lockAll(running);
      if (locked !== "done") {
        return locked === "in place" ? OUT_OF_MEMORY : locked;
      }
      const end = yield* this.#search(running, search, this.#ports.nowMs());
      yield* unlock(running);
      if (end !== "again") return end;
      search.reset();
    }
  }

  *#search(
    running: R,
    search: KeysSearch,
    nowMs: number,
  ): Generator<void, SearchEnd> {
    yield* this.#ways.passes(running, nowMs);
    if (search.isForBackground) return yield* this.#runJob(running, nowMs);
    if (search.found >= 0) return this.#runOne(running, search, nowMs);
    const { wait } = search;
    if (wait === null) return "done";
    return yield* this.beginWait(running, wait, nowMs);
  }

  /** Who may wait is not run in place if there is no room in the background. */
  *#runJob(running: R, nowMs: number): Generator<void, SearchEnd> {
    const { isGone, call } = this.#ports;
    for (;;) {
      const end = yield* this.#ways.runJob(running, nowMs);
      if (end !== "in place") return end;
      if (isGone(running.session)) return "gone";
      if (call.settings.backgroundThreads === 0) return BACKGROUND_DIED;
      this.#ways.sleepMs(running, BUSY_MS);
      yield;
    }
  }

  /** Runs the command with the key that was found. */
  #runOne(
    running: R,
    { found }: KeysSearch,
    nowMs: number,
  ): SearchEnd {
    const { call, mustBeStill, isGone, reserve, runOfMany } = this.#ports;
    const { order, args, keysAt, command, session, db, places } = running;
    if (isGone(session)) return "gone";
    if (mustBeStill()) return "again";
    const space = call.keyspaces[order.shardOf(found)]!;
    const number = order.sameAs(found);
    const unlock = () => {
      order.read(found, args, this.#key);
      const isForSnapshot =
        (space.control[SHARD_FLAGS]! & FLAG_SNAPSHOT) !== 0 &&
        reserve(space, db, this.#key, true);
      unlockKey(space, places[number]!, nowMs, true);
      places[number] = 0;
      return !isForSnapshot;
    };
    const parts = oneKeyArguments(
      command.spec.oneKey!,
      args.count,
      keysAt,
      found,
      (numbers) => numbers.map((i) => partOf(args, i)),
    );
    const { arena, externals } = space;
    const one = ownArguments(arena, externals, parts);
    const late = runOfMany(session, one, nowMs, unlock);
    freeRuns(one, externals);
    if (late === null) return "again";
    running.late = late;
    return typeof late === "function" ? "done" : "under way";
  }

  /** Does steps until a slice is over; says which key is the next. */
  someSteps(
    { order, args, db }: R,
    steps: KeysSteps,
    from: number,
    nowMs: number,
  ): number {
    const { latches, call, monotonicMs } = this.#ports;
    const key = this.#key;
    const endMs = monotonicMs() + SLICE_MS;
    let i = from;
    do {
      const space = call.keyspaces[order.shardOf(i)]!;
      order.read(i, args, key);
      const visit = { space, db, key, i, last: order.sameAs(i), args, nowMs };
      latches.acquire(space.shard);
      try {
        if (!steps.step(visit)) i++;
      } finally {
        latches.release(space.shard);
      }
    } while (i < order.count && !steps.isOver && monotonicMs() < endMs);
    return i;
  }

  /** Nothing was found: the command waits for all keys. */
  *beginWait(
    running: R,
    wait: KeysWait,
    nowMs: number,
  ): Generator<void, Exclude<SearchEnd, "again">> {
    const { isGone, newWait, letGo } = this.#ports;
    const { session, order } = running;
    if (isGone(session)) return "gone";
    let begun: ManyWait | null = null;
    try {
      const waiting = newWait({ ...running, wait, home: order.shardAt(0) });
      begun = waiting;
      yield;
      const add = distinctPass(({ space, db, key, i }) =>
        waiting.add(space, db, key, wait.numbers?.get(i) ?? i)
      );
      yield* this.#ways.pass(running, add, nowMs);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      begun?.drop();
      return OUT_OF_MEMORY;
    }
    if (isGone(session)) {
      begun.drop();
      return "gone";
    }
    running.late = begun.begin();
    letGo(session);
    return "under way";
  }
}

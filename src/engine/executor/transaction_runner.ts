/**
 * EXEC: runs what a session has queued, and decides whether it may.
 *
 * All latches of the transaction are taken once: those of the queued commands'
 * keys, of the watched keys, and of all shards where a command may look at any.
 * Between the look at the watched keys and the last command nothing is given back,
 * so there is no window, and nothing of another client comes in between.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import { FLAG, type LateReply } from "../../core/commands/command_spec.ts";
import type {
  Command,
  CommandTable,
} from "../../core/commands/command_table.ts";
import type { EffectLog } from "../../core/keyspace/effect_log.ts";
import { SHARD_FLAGS } from "../../core/keyspace/shard_control.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import { Arguments } from "../../core/resp/arguments.ts";
import {
  EXEC_ABORT,
  execAbort,
  OUT_OF_MEMORY,
} from "../../core/resp/error_reply.ts";
import type { Latches } from "../latch/shard_latches.ts";
import type { CommandLocks } from "../locks/command_locks.ts";
import type { AroundRun } from "../locks/locked_commands.ts";
import type { CommandRunner } from "./command_runner.ts";
import type { ExecutorPorts } from "./executor_ports.ts";
import { joinLateReplies, type LatePiece } from "./late_replies.ts";
import {
  type LockAsking,
  LOCKS_FREE,
  LOCKS_NO_ROOM,
  LOCKS_PARKED,
  MUST_ASK,
} from "./lock_asking.ts";
import { PARKED } from "./outcome.ts";
import type { RequestKeys } from "./request_keys.ts";
import { GATE_MULTI, type Session } from "./session.ts";
import type { ToldCommands } from "./told_commands.ts";
import { NO_SHARD, type Transaction } from "./transaction.ts";
import { WatchChecks, type WatchState } from "./watch_checks.ts";

/** The executor's parts that are needed here. */
export interface TransactionParts<C extends Call> {
  readonly table: CommandTable<C>;
  readonly call: C;
  readonly latches: Latches;
  readonly locks: CommandLocks;
  readonly keys: RequestKeys<C>;
  readonly asking: LockAsking<C>;
  readonly runner: CommandRunner<C>;
  readonly told: ToldCommands<C>;
  readonly ports: Pick<
    ExecutorPorts<C>,
    "makeRoom" | "addBig" | "freeBig" | "monotonicMs" | "nowMs" | "rest"
  >;
}

/** Runs transactions; one object per worker. */
export class TransactionRunner<C extends Call> {
  /** What is to be done around the transaction at hand. */
  around: AroundRun | null = null;
  readonly #table: CommandTable<C>;
  readonly #call: C;
  readonly #latches: Latches;
  readonly #keys: RequestKeys<C>;
  readonly #asking: LockAsking<C>;
  readonly #locks: CommandLocks;
  readonly #runner: CommandRunner<C>;
  readonly #told: ToldCommands<C>;
  readonly #ports: TransactionParts<C>["ports"];
  readonly #effects: EffectLog;
  readonly #checks: WatchChecks<C>;
  /** The arguments of the queued command that is run. */
  readonly #queued = new Arguments();

  constructor(parts: TransactionParts<C>) {
    this.#table = parts.table;
    this.#call = parts.call;
    this.#latches = parts.latches;
    this.#keys = parts.keys;
    this.#asking = parts.asking;
    this.#locks = parts.locks;
    this.#runner = parts.runner;
    this.#told = parts.told;
    this.#ports = parts.ports;
    this.#effects = parts.call.effects;
    this.#checks = new WatchChecks(parts);
  }

  /** EXEC: all queued commands under one hold of the latches they need. */
  readonly execute = (call: C): void | Promise<LateReply> => {
    const session = call.session as Session;
    const transaction = session.transaction!;
    const { reply } = call;
    if (transaction.isDoomed) {
      this.end(session);
      return reply.error(EXEC_ABORT);
    }
    if (
      (transaction.flags & FLAG.DENYOOM) !== 0 && !this.#ports.makeRoom()
    ) {
      this.end(session);
      return reply.error(execAbort(OUT_OF_MEMORY.text));
    }
    const isLong = this.around === null && this.#watchesMany(transaction);
    if (isLong && this.#checks.mustLook(session, transaction)) return;
    this.#markTransaction(transaction);
    this.#latches.acquireMarked();
    const state = isLong ? this.#stateOf(transaction) : null;
    if (state === "unknown") {
      this.#latches.releaseMarked();
      return this.#checks.lookAgain(session, transaction);
    }
    const isUntouched = state === null
      ? this.#isUntouched(transaction)
      : state === "same";
    if (
      isUntouched &&
      (this.#latches.wordsOfMarked(SHARD_FLAGS) & MUST_ASK) !== 0
    ) {
      const command = session.command as Command<C>;
      const outcome = this.#asking.ask(command, transaction);
      if (outcome !== LOCKS_FREE) this.#latches.releaseMarked();
      if (outcome === LOCKS_PARKED) return;
      if (outcome === LOCKS_NO_ROOM) {
        this.end(session);
        return reply.error(execAbort(OUT_OF_MEMORY.text));
      }
    }
    this.#latches.beginShared();
    if (!isLong) this.#unwatch(transaction);
    const isLogged = this.#effects.isOn;
    if (isLogged) this.#effects.begin();
    let late: void | Promise<LateReply> = undefined;
    if (!isUntouched) reply.nullArray();
    else if (this.around !== null) {
      late = this.#runAround(this.around, transaction);
    } else late = this.#runQueued(transaction);
    if (isLogged) this.#effects.end();
    this.#latches.endShared();
    this.#latches.releaseMarked();
    this.end(session);
    // Those who are served now are others.
    if (this.around !== null) this.#locks.isExempt = false;
    return late;
  };

  /** Runs the queued commands in the name of one who has their keys. */
  #runAround(
    around: AroundRun,
    transaction: Transaction,
  ): void | Promise<LateReply> {
    const { reply } = this.#call;
    let mayRun = false;
    try {
      mayRun = around.begin((shard) => this.#latches.isMarked(shard));
      if (!mayRun) reply.nullArray();
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      reply.error(execAbort(OUT_OF_MEMORY.text));
    }
    const late = mayRun ? this.#runQueued(transaction) : undefined;
    around.end();
    return late;
  }

  /** Runs the queued commands; some of their replies may come later. */
  #runQueued(transaction: Transaction): void | Promise<LateReply> {
    const call = this.#call;
    const { reply } = call;
    const session = call.session as Session;
    const own = call.args;
    const start = reply.at;
    let late: LatePiece[] | null = null;
    reply.array(transaction.count);
    call.canWait = false;
    for (let i = 0; i < transaction.count; i++) {
      const args = this.#queued;
      transaction.load(i, args, this.#ports.addBig);
      transaction.forgetBig(i);
      call.args = args;
      const command = this.#table.all[transaction.command(i)]!;
      session.command = command;
      const shard = transaction.shard(i);
      if (shard === NO_SHARD) this.#keys.fill(command);
      else this.#keys.takeHashed(args, shard, transaction.hash(i));
      const handler = this.#told.handlerOf(session, command);
      if (this.#runner.run(command, handler) === PARKED) {
        late ??= [];
        late.push({ at: reply.at - start, promise: this.#runner.pending! });
      }
      if (args.hasBig) this.#ports.freeBig(args);
    }
    call.canWait = true;
    call.args = own;
    this.#keys.view.reset(own, 0);
    if (late !== null) return joinLateReplies(reply, start, late);
  }

  /** Marks the shards of all queued commands and of all watched keys. */
  #markTransaction(transaction: Transaction): void {
    const latches = this.#latches;
    for (let i = 0; i < transaction.watchCount; i++) {
      latches.mark(transaction.watchShard(i));
    }
    if (this.around !== null) {
      for (const shard of this.around.shards) latches.mark(shard);
    }
    const call = this.#call;
    const own = call.args;
    for (let i = 0; i < transaction.count; i++) {
      const shard = transaction.shard(i);
      if (shard !== NO_SHARD) {
        latches.mark(shard);
        continue;
      }
      const command = this.#table.all[transaction.command(i)]!;
      transaction.load(i, this.#queued, this.#ports.addBig);
      call.args = this.#queued;
      if (this.#keys.fill(command)) latches.markAll();
      for (let k = 0; k < call.keyCount; k++) latches.mark(call.key(k).shard);
    }
    this.#queued.clear();
    call.args = own;
  }

  /** Whether no watched key has changed, or expired, since it was watched. */
  #isUntouched(transaction: Transaction): boolean {
    const { keyspaces, nowMs } = this.#call;
    for (let i = 0; i < transaction.watchCount; i++) {
      const { hooks } = keyspaces[transaction.watchShard(i)]!;
      const node = transaction.watchNode(i);
      const version = transaction.watchVersion(i);
      if (!hooks.isUntouched(node, version, nowMs)) return false;
    }
    return true;
  }

  /** Whether the watched keys are so many that they are looked at in slices. */
  #watchesMany({ watchCount }: Transaction): boolean {
    return watchCount > this.#call.settings.backgroundThresholdKeys;
  }

  /** Of watched keys that have been looked at in slices. */
  #stateOf(transaction: Transaction): WatchState {
    const checks = this.#checks;
    const state = checks.stateOf(transaction, this.#call.nowMs);
    if (state !== "unknown" || !checks.isInVain(transaction)) return state;
    return this.#isUntouched(transaction) ? "same" : "changed";
  }

  #unwatch(transaction: Transaction): void {
    if (this.#watchesMany(transaction)) {
      return this.#checks.forget(transaction.takeWatches());
    }
    for (let i = 0; i < transaction.watchCount; i++) {
      const shard = transaction.watchShard(i);
      this.#latches.acquire(shard);
      this.#call.keyspaces[shard]!.hooks.watched.unwatch(
        transaction.watchNode(i),
      );
      this.#latches.release(shard);
    }
    transaction.forgetWatches();
  }

  /** Ends a session's transaction, if it has one, and its watches. */
  end(session: Session): void {
    const { transaction } = session;
    session.gate &= ~GATE_MULTI;
    if (transaction === null) return;
    this.#unwatch(transaction);
    transaction.close(this.#freeRun);
  }

  readonly #freeRun = (run: number): void => {
    this.#call.keyspaces[0]!.externals.unpin(run);
  };
}

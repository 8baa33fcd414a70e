/**
 * Requests that the session's gate, or the worker's, may turn from their way:
 * they are refused, held back, queued, run without a reply, or run with something
 * to be told; and those that were parked for locked keys and are tried again.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import { FLAG, type Handler } from "../../core/commands/command_spec.ts";
import type { Command } from "../../core/commands/command_table.ts";
import {
  NO_AUTH,
  onlySubscriberCommands,
  REPLICA_KEYSPACE,
} from "../../core/resp/error_reply.ts";
import type { CommandLocks } from "../locks/command_locks.ts";
import type { CommandRunner } from "./command_runner.ts";
import type { ExecutorPorts } from "./executor_ports.ts";
import {
  GATE_COLD,
  GATE_LOADING,
  GATE_MONITORED,
  GATE_PAUSE,
  GATE_STOP,
  refusalBy,
  type WorkerGate,
} from "./gate.ts";
import { DONE, HELD, PARKED } from "./outcome.ts";
import type { Rejections } from "./rejections.ts";
import {
  GATE_AUTH,
  GATE_LOCKED,
  GATE_MONITOR,
  GATE_MULTI,
  GATE_NO_TOUCH,
  GATE_REPLY_OFF,
  GATE_REPLY_SKIP,
  GATE_REPLY_SKIP_NEXT,
  GATE_SILENT,
  GATE_SUBSCRIBED,
  GATE_TRACKING,
  type Session,
} from "./session.ts";
import { endCaching, type ToldCommands } from "./told_commands.ts";
import type { TransactionRunner } from "./transaction_runner.ts";

/** Commands that touch keys, or what replicas would see. */
const KEYSPACE_COMMANDS = FLAG.READONLY | FLAG.WRITE | FLAG.MAY_REPLICATE;
/** Commands that CLIENT PAUSE WRITE holds up. */
const HELD_WRITES = FLAG.WRITE | FLAG.MAY_REPLICATE;

/** Commands that a client in RESP2 may send while it listens to channels. */
const SUBSCRIBER_COMMANDS: ReadonlySet<string> = new Set([
  ...["subscribe", "psubscribe", "ssubscribe", "unsubscribe"],
  ...["punsubscribe", "sunsubscribe", "ping", "quit", "reset"],
]);

/** The executor's parts that are needed here, and its ways for a request. */
export interface GatedParts<C extends Call> {
  readonly call: C;
  /** The executor. */
  readonly gate: WorkerGate;
  readonly locks: CommandLocks;
  readonly runner: CommandRunner<C>;
  readonly told: ToldCommands<C>;
  readonly transactions: TransactionRunner<C>;
  readonly rejections: Rejections<C>;
  readonly ports: Pick<ExecutorPorts<C>, "waited">;
  /** Finds the keys of the command at hand, latches their shards, runs it. */
  dispatch(command: Command<C>, handler: Handler<C>): number;
  /** Queues it, or what a session does instead while a transaction is open. */
  dispatchQueued(session: Session, command: Command<C>): number;
}

/** One per worker. */
export class GatedRequests<C extends Call> {
  readonly #parts: GatedParts<C>;

  constructor(parts: GatedParts<C>) {
    this.#parts = parts;
  }

  /** Runs the request at hand, of that command, whose arity is right. */
  run(session: Session, command: Command<C>): number {
    const { call, rejections, runner } = this.#parts;
    const { gate, ignoresFlags, gateWritesOnly, logRefusal } = this.#parts.gate;
    if ((session.gate & GATE_LOCKED) !== 0) {
      return this.#retry(session, command);
    }
    if (
      (session.gate & GATE_AUTH) !== 0 &&
      (command.flags & FLAG.NO_AUTH) === 0 &&
      call.settings.requirepass.length > 0
    ) return rejections.reject(command, NO_AUTH);
    if (
      (session.gate & GATE_SUBSCRIBED) !== 0 && session.resp === 2 &&
      !SUBSCRIBER_COMMANDS.has(command.fullName)
    ) {
      return rejections.reject(
        command,
        onlySubscriberCommands(command.fullName),
      );
    }
    const isMonitor = (session.gate & GATE_MONITOR) !== 0;
    if (isMonitor && (flagsIn(session, command) & KEYSPACE_COMMANDS) !== 0) {
      return rejections.reject(command, REPLICA_KEYSPACE);
    }
    let keepsExpired = false;
    if ((gate & ~GATE_MONITORED) !== 0) {
      const flags = flagsIn(session, command);
      const isPaused = (gate & GATE_PAUSE) !== 0;
      const isWrite = (flags & HELD_WRITES) !== 0;
      keepsExpired = isPaused && !isWrite;
      if (!ignoresFlags) {
        const isPing = command.fullName === "ping";
        const refusal = refusalBy(gate, flags, isPing, logRefusal);
        if (refusal !== null) return rejections.reject(command, refusal);
        if (
          (gate & GATE_STOP) !== 0 ||
          (gate & (GATE_COLD | GATE_LOADING)) === GATE_COLD ||
          isPaused && !isMonitor && (!gateWritesOnly || isWrite)
        ) return HELD;
      }
    }
    if ((session.gate & GATE_REPLY_SKIP_NEXT) !== 0) {
      session.gate = session.gate & ~GATE_REPLY_SKIP_NEXT | GATE_REPLY_SKIP;
    }
    const start = call.reply.at;
    const touches = (session.gate & GATE_NO_TOUCH) === 0;
    if (!touches) this.#setNoTouch(true);
    if (keepsExpired) this.#setKeepsExpired(true);
    const outcome = (session.gate & GATE_MULTI) === 0
      ? this.#dispatch(session, command)
      : this.#parts.dispatchQueued(session, command);
    if (!touches) this.#setNoTouch(false);
    if (keepsExpired) this.#setKeepsExpired(false);
    if (outcome === HELD) return HELD;
    if ((session.gate & GATE_TRACKING) !== 0) endCaching(session, command);
    if ((session.gate & (GATE_REPLY_OFF | GATE_REPLY_SKIP)) !== 0) {
      session.gate &= ~GATE_REPLY_SKIP;
      runner.takeBack(call.reply, start);
      if (outcome === PARKED) runner.silencePending();
    }
    return outcome;
  }

  #dispatch(session: Session, command: Command<C>): number {
    const { told } = this.#parts;
    return this.#parts.dispatch(command, told.handlerOf(session, command));
  }

  /** A command whose session has been parked for its keys is tried again. */
  #retry(session: Session, command: Command<C>): number {
    const { locks, rejections, ports } = this.#parts;
    session.gate &= ~GATE_LOCKED;
    const verdict = locks.takeVerdict(session);
    if (verdict !== null && verdict !== "null") {
      return rejections.reject(command, verdict);
    }
    if (verdict === "null") return this.#replyNull(session, command);
    const outcome = (session.gate | this.#parts.gate.gate) === 0
      ? this.#dispatch(session, command)
      : this.run(session, command);
    const isParked = (session.gate & GATE_LOCKED) !== 0;
    if (session.lockWait !== null && !isParked) {
      // Held back for another reason, or refused before it came to its keys.
      locks.withdraw(session, outcome !== HELD);
      if (outcome === HELD) session.gate |= GATE_LOCKED;
    } else if (!isParked) ports.waited(command, session.lockWaitedMs);
    return outcome;
  }

  /** What a command that waits no longer replies where it would find nothing. */
  #replyNull(session: Session, command: Command<C>): number {
    const { call: { reply }, transactions } = this.#parts;
    if (command.fullName === "exec") transactions.end(session);
    if ((session.gate & GATE_SILENT) !== 0) {
      session.gate &= ~GATE_REPLY_SKIP;
      return DONE;
    }
    if (command.spec.replies?.includes("array") === true) reply.nullArray();
    else reply.nullBulk();
    return DONE;
  }

  #setNoTouch(value: boolean): void {
    for (const space of this.#parts.call.keyspaces) space.noTouch = value;
  }

  #setKeepsExpired(value: boolean): void {
    for (const space of this.#parts.call.keyspaces) space.keepsExpired = value;
  }
}

/** Flags of a command; those of EXEC are those of what it will run. */
function flagsIn(session: Session, command: Command<never>): number {
  return command.fullName === "exec"
    ? session.transaction?.flags ?? 0
    : command.flags;
}

/**
 * What is kept account of about commands: how often each was called, refused and
 * failed, how long it took, whether it was slow, and which errors were replied.
 *
 * Most commands are counted and timed where they run (command_runner.ts); here
 * stands, besides, what is known of a command only when it has ended elsewhere:
 * it waited, ran in the background, or was done in slices.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import { FLAG } from "../../core/commands/command_spec.ts";
import type { Command } from "../../core/commands/command_table.ts";
import {
  CALLS,
  COMMAND_COUNTERS,
  COMMANDS_PROCESSED,
  COUNTER_COUNT,
  ERROR_REPLIES,
  FAILED,
  REJECTED,
} from "../../core/keyspace/counters.ts";
import type { ErrorReply } from "../../core/resp/error_reply.ts";
import { CommandTimer, type EndedCommand } from "./command_timer.ts";
import type { ExecutorPorts } from "./executor_ports.ts";
import type { CalledCommand, Session } from "./session.ts";

/** One per worker. */
export class CommandAccounts<C extends Call> {
  /** Commands from this duration on go to the slow log; -1 for none. */
  slowMicroseconds = 10_000;
  /** Notes how long commands take. */
  readonly timer: CommandTimer<C>;
  /** Error replies by prefix, for INFO errorstats. */
  readonly errorCounts = new Map<string, number>();
  readonly #call: C;
  readonly #counters: Float64Array;
  readonly #ports: Pick<ExecutorPorts<C>, "slow">;

  /** `call` is the worker's call. */
  constructor(call: C, ports: Pick<ExecutorPorts<C>, "monotonicMs" | "slow">) {
    this.#call = call;
    this.#counters = call.counters;
    this.#ports = ports;
    this.timer = new CommandTimer(call.counters, ports.monotonicMs);
  }

  /** Counts calls of a command; takes one back with -1. */
  countCalls(command: Command<C>, count: number): void {
    const counters = this.#counters;
    const at = COUNTER_COUNT + command.index * COMMAND_COUNTERS;
    counters[COMMANDS_PROCESSED] = counters[COMMANDS_PROCESSED]! + count;
    counters[at + CALLS] = counters[at + CALLS]! + count;
  }

  /** Counts a command that was called and has replied an error. */
  countFailed(command: Command<C>, error: ErrorReply): void {
    const at = COUNTER_COUNT + command.index * COMMAND_COUNTERS + FAILED;
    this.#counters[at] = this.#counters[at]! + 1;
    this.countError(error);
  }

  /** Counts a request that was refused; `command` is null if it named none. */
  countRejected(command: Command<C> | null, error: ErrorReply): void {
    this.countError(error);
    if (command === null) return;
    const at = COUNTER_COUNT + command.index * COMMAND_COUNTERS + REJECTED;
    this.#counters[at] = this.#counters[at]! + 1;
  }

  /** Counts a command that ended without having got what it waited for. */
  countEnded(command: CalledCommand | null, error: ErrorReply | null): void {
    if (error !== null) this.countUnblocked(command, error);
    if (command !== null) this.countCalls(command as Command<C>, 1);
  }

  /** Counts the error with which a command's wait was ended. */
  countUnblocked(command: CalledCommand | null, error: ErrorReply): void {
    if (command === null) this.countError(error);
    else this.countFailed(command as Command<C>, error);
  }

  /** Counts a command that has ended in the background, with its error. */
  countBackground(ended: EndedCommand<C>, error: ErrorReply | null): void {
    this.countCalls(ended.command, 1);
    this.chargeLate(ended, error);
  }

  /**
   * Charges a command, which was counted, that has not ended in its turn, and
   * counts its error.
   */
  chargeLate(ended: EndedCommand<C>, error: ErrorReply | null): void {
    const { command, microseconds } = ended;
    if (error !== null) this.countFailed(command, error);
    this.timer.charge(command, microseconds);
    if (this.#isSlow(command, microseconds)) this.#ports.slow(ended);
  }

  /** Notes the command at hand, which has ended, if it was slow. */
  noteSlow(command: Command<C>, microseconds: number): void {
    if (!this.#isSlow(command, microseconds)) return;
    const { args, session } = this.#call;
    this.#ports.slow({
      ...{ command, microseconds, args },
      session: session as Session,
    });
  }

  #isSlow(command: Command<C>, microseconds: number): boolean {
    return this.slowMicroseconds >= 0 &&
      microseconds >= this.slowMicroseconds &&
      (command.flags & FLAG.SKIP_SLOWLOG) === 0;
  }

  /** Counts an error reply. */
  countError(error: ErrorReply): void {
    this.#counters[ERROR_REPLIES] = this.#counters[ERROR_REPLIES]! + 1;
    const prefix = error.prefix;
    this.errorCounts.set(prefix, (this.errorCounts.get(prefix) ?? 0) + 1);
  }
}

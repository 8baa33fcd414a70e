/**
 * How long commands take, for INFO commandstats, LATENCY HISTOGRAM and the slow
 * log.
 *
 * Reading a clock costs as much as a quarter of a GET. So commands that take
 * constant time are not timed one by one: one batch in sixteen is, a run of the
 * same command at a time, and counts for sixteen. All others are timed always,
 * and with {@linkcode CommandTimer.timesAll} these too.
 *
 * @module
 */

import { DOUBLE_ZERO } from "../../core/base/steady_code.ts";
import type { Command } from "../../core/commands/command_table.ts";
import {
  CALLS,
  COMMAND_COUNTERS,
  COUNTER_COUNT,
  DURATION_BUCKETS,
  durationBucket,
  DURATIONS_AT,
  MICROSECONDS,
} from "../../core/keyspace/counters.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import type { Session } from "./session.ts";

/** One batch in so many is timed, and counts for all of them. */
const TIMED_BATCHES = 16;

/** A command that has ended, and for whom it was run. */
export interface EndedCommand<C> {
  readonly command: Command<C>;
  readonly args: Arguments;
  readonly session: Session;
  /** How long it has worked; waiting is not counted. */
  readonly microseconds: number;
}

/** One per worker. */
export class CommandTimer<C> {
  /** Whether even the fastest commands are timed one by one. */
  timesAll = false;
  /** Whether durations are counted by their size. */
  tracksDurations = true;
  readonly #counters: Float64Array;
  readonly #monotonicMs: () => number;
  #batch = 0;
  #isTimedBatch = false;
  /** When the last command ended, if it was timed and nothing came between. */
  #endedMs = -1;
  /** When the run of brief commands began that is being timed. */
  #runStartMs = DOUBLE_ZERO;
  #run: Command<C> | null = null;
  /** Calls of that command before the run. */
  #runCalls = 0;

  /** `counters` are the worker's. */
  constructor(counters: Float64Array, monotonicMs: () => number) {
    this.#counters = counters;
    this.#monotonicMs = monotonicMs;
  }

  /** Begins a batch of commands. */
  beginBatch(): void {
    this.#endedMs = -1;
    this.#isTimedBatch = (++this.#batch & (TIMED_BATCHES - 1)) === 0;
    if (this.#isTimedBatch) this.#runStartMs = this.#monotonicMs();
  }

  /** Ends it. */
  endBatch(): void {
    if (this.#isTimedBatch) this.#chargeRun();
    this.#run = null;
  }

  /**
   * A command begins, its call already counted. If it is timed by itself, returns
   * when, for {@linkcode end}, which must follow; else a negative number.
   */
  begin(command: Command<C>): number {
    if (command.isBrief && !this.timesAll) {
      if (this.#isTimedBatch && command !== this.#run) this.#beginRun(command);
      this.#endedMs = -1;
      return -1;
    }
    if (command.isSampled && !this.#isTimedBatch && !this.timesAll) {
      this.#endedMs = -1;
      return -1;
    }
    if (this.#isTimedBatch) this.#chargeRun();
    // It begins where the one before has ended: one reading less of the clock.
    return this.#endedMs >= 0 ? this.#endedMs : this.#monotonicMs();
  }

  /**
   * The command that began at `startMs` ends; returns how many microseconds it
   * took, those of commands that it ran itself included.
   */
  end(command: Command<C>, startMs: number): number {
    if (this.#isTimedBatch) this.#chargeRun();
    const nowMs = this.#monotonicMs();
    const microseconds = (nowMs - startMs) * 1000;
    const count = command.isSampled && !this.timesAll ? TIMED_BATCHES : 1;
    this.#charge(command, microseconds * count);
    if (this.tracksDurations) {
      this.#countDuration(command, microseconds, count);
    }
    this.#runStartMs = this.#endedMs = nowMs;
    return microseconds;
  }

  /** Leaves the command that began out: it will be charged when it is done. */
  skip(): void {
    this.#endedMs = -1;
    if (this.#isTimedBatch) this.#runStartMs = this.#monotonicMs();
  }

  /** Charges a command with time that it has taken outside of its turn. */
  charge(command: Command<C>, microseconds: number): void {
    this.#charge(command, microseconds);
    if (this.tracksDurations) this.#countDuration(command, microseconds, 1);
  }

  #beginRun(command: Command<C>): void {
    this.#chargeRun();
    this.#run = command;
    this.#runCalls = this.#callsOf(command) - 1;
  }

  /** Charges the run of brief commands that ends here. */
  #chargeRun(): void {
    const command = this.#run;
    if (command === null) return;
    this.#run = null;
    const nowMs = this.#monotonicMs();
    const microseconds = (nowMs - this.#runStartMs) * 1000;
    this.#runStartMs = nowMs;
    this.#charge(command, microseconds * TIMED_BATCHES);
    const calls = this.#callsOf(command) - this.#runCalls;
    if (this.tracksDurations && calls > 0) {
      this.#countDuration(command, microseconds / calls, calls * TIMED_BATCHES);
    }
  }

  #callsOf(command: Command<C>): number {
    return this
      .#counters[COUNTER_COUNT + command.index * COMMAND_COUNTERS + CALLS]!;
  }

  #charge(command: Command<C>, microseconds: number): void {
    const at = COUNTER_COUNT + command.index * COMMAND_COUNTERS + MICROSECONDS;
    this.#counters[at] = this.#counters[at]! + microseconds;
  }

  #countDuration(
    command: Command<C>,
    microseconds: number,
    calls: number,
  ): void {
    const at = DURATIONS_AT + command.index * DURATION_BUCKETS +
      durationBucket(microseconds);
    this.#counters[at] = this.#counters[at]! + calls;
  }
}

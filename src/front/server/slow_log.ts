/**
 * The slow log: the last commands that took long, one log per worker.
 *
 * Ids come from one counter of the process, so that SLOWLOG GET can merge the
 * logs of all workers and a client sees one log. An entry outlives its request:
 * it holds clipped copies of the arguments, as byte texts, and no secret.
 *
 * @module
 */

import { FLAG } from "../../core/commands/command_spec.ts";
import type { Command } from "../../core/commands/command_table.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import { bytesToText } from "../../core/settings/config_file.ts";
import type { EndedCommand } from "../../engine/executor/command_timer.ts";
import { PROCESS_SLOW_COUNT } from "../../engine/messages/shared_state.ts";
import { isSecret, REDACTED } from "./secret_arguments.ts";
import type { ServerCall } from "./server_call.ts";
import type { WorkerContext } from "./worker_context.ts";

/** Most arguments that an entry keeps; the last says how many are missing. */
const ARGUMENTS_MAX = 32;
/** Most bytes of an argument that an entry keeps. */
const ARGUMENT_BYTES_MAX = 128;
/** Entries beyond the limit that may pile up before they are cut off. */
const SLACK = 64;

/** One slow command; travels between workers as it is. */
export type SlowEntry = {
  readonly id: number;
  /** When it ended, seconds of the epoch. */
  readonly at: number;
  readonly microseconds: number;
  /** Byte texts. */
  readonly args: readonly string[];
  /** The client's address and port. */
  readonly address: string;
  /** The client's name, a byte text. */
  readonly name: string;
};

/** One worker's slow commands. */
export class SlowLog {
  #entries: SlowEntry[] = [];

  /** Adds an entry and forgets all but about the `most` newest ones. */
  add(entry: SlowEntry, most: number): void {
    this.#entries.push(entry);
    if (this.#entries.length > most + SLACK) {
      this.#entries = this.newest(most).reverse();
    }
  }

  /** Up to `count` entries, the newest first. */
  newest(count: number): SlowEntry[] {
    return count === 0 ? [] : this.#entries.slice(-count).reverse();
  }

  /** Entries among the `most` newest ones. */
  count(most: number): number {
    return Math.min(most, this.#entries.length);
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries = [];
  }
}

/**
 * Notes that a command was slow: in the slow log, and as an event for LATENCY,
 * each by its own threshold.
 */
export function noteSlowCommand(
  worker: WorkerContext,
  ended: EndedCommand<ServerCall>,
): void {
  const nowMs = worker.nowMs();
  const isFast = (ended.command.flags & FLAG.FAST) !== 0;
  worker.latency.note(
    isFast ? "fast-command" : "command",
    ended.microseconds / 1000,
    nowMs,
  );
  addSlow(worker, ended);
}

function addSlow(
  worker: WorkerContext,
  { command, args, session, microseconds }: EndedCommand<ServerCall>,
): void {
  const { slowlogLogSlowerThan: threshold, slowlogMaxLen: most } =
    worker.settings;
  if (threshold < 0 || microseconds < threshold || most === 0) return;
  worker.slowLog.add({
    id: Atomics.add(worker.process, PROCESS_SLOW_COUNT, 1),
    at: Math.floor(worker.nowMs() / 1000),
    microseconds: Math.floor(microseconds),
    args: clip(args, command),
    address: session.address,
    name: session.name,
  }, most);
}

/**
 * Notes that the worker's current command has waited for locked keys: as an event
 * for LATENCY, and in the slow log if the wait alone was slow enough.
 */
export function noteLockWait(
  worker: WorkerContext,
  command: Command<ServerCall>,
  waitedMs: number,
): void {
  worker.latency.note("key-lock", waitedMs, worker.nowMs());
  const { args, session } = worker.call;
  addSlow(worker, { command, args, session, microseconds: waitedMs * 1000 });
}

function clip(args: Arguments, command: Command<ServerCall>): string[] {
  const clipped: string[] = [];
  const kept = args.count > ARGUMENTS_MAX ? ARGUMENTS_MAX - 1 : args.count;
  for (let i = 0; i < kept; i++) {
    clipped.push(
      isSecret(args, i, command.fullName) ? REDACTED : clipOne(args, i),
    );
  }
  if (kept < args.count) {
    clipped.push(`... (${args.count - kept} more arguments)`);
  }
  return clipped;
}

function clipOne(args: Arguments, i: number): string {
  const off = args.off[i]!;
  const length = args.length[i]!;
  const bytes = args.source(i);
  if (length <= ARGUMENT_BYTES_MAX) {
    return bytesToText(bytes.subarray(off, off + length));
  }
  return bytesToText(bytes.subarray(off, off + ARGUMENT_BYTES_MAX)) +
    `... (${length - ARGUMENT_BYTES_MAX} more bytes)`;
}

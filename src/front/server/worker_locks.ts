/**
 * The key locks of one worker: who waits, the commands that are parked, the
 * locks that code on this worker has taken, and the watchdog over them.
 *
 * @module
 */

import type { ExternalStrings } from "../../core/memory/external.ts";
import type { Executor } from "../../engine/executor/executor.ts";
import type { Session } from "../../engine/executor/session.ts";
import type { Latches } from "../../engine/latch/shard_latches.ts";
import { CommandLocks } from "../../engine/locks/command_locks.ts";
import { LockManager } from "../../engine/locks/lock_manager.ts";
import { type LockRules, LockWaits } from "../../engine/locks/lock_waits.ts";
import { LockedCommands } from "../../engine/locks/locked_commands.ts";
import type { Mesh } from "../../engine/messages/mesh.ts";
import { LOCK_RECORD } from "../../engine/messages/record_kinds.ts";
import type { EventLoop } from "./network/event_loop.ts";
import type { ServerCall } from "./server_call.ts";
import type { LogLevel } from "./thread_protocol.ts";

/** Time between two complaints about latches. */
const LATCH_COMPLAINT_MS = 1000;

/** What the locks need from the worker around them. */
export interface WorkerLockParts {
  readonly id: number;
  readonly rules: LockRules;
  readonly call: ServerCall;
  readonly latches: Latches;
  readonly mesh: Mesh;
  readonly process: Int32Array;
  readonly externals: ExternalStrings;
  readonly loop: EventLoop;
  /** The executor, which is made after its locks. */
  executor(): Executor<ServerCall>;
  /** Runs the request anew that a session's connection has parked. */
  resume(session: Session): void;
  /** Serves who waits for keys, and tells of events; no latch is held. */
  settle(): void;
  log(text: string, level: LogLevel): void;
}

/** One per worker. */
export class WorkerLocks {
  /** What the lock tables of the shards have in common. */
  readonly rules: LockRules;
  /** Parked commands. */
  readonly commands: CommandLocks;
  /** Locks of code on this worker. */
  readonly manager: LockManager;
  readonly #latches: Latches;
  readonly #log: (text: string, level: LogLevel) => void;
  #complainedMs = 0;

  constructor(parts: WorkerLockParts) {
    const { id, rules, call, latches, mesh, process, externals, loop } = parts;
    const { keyspaces, settings, counters } = call;
    const soon = (run: () => void) => queueMicrotask(run);
    const monotonicMs = () => performance.now();
    const waits = new LockWaits({
      keyspaces,
      latches,
      worker: id,
      process,
      monotonicMs,
      startTimer: (run, delayMs) => loop.startTimer(run, delayMs),
      send: (to, ticket) => mesh.record(to, LOCK_RECORD).u32(ticket),
      soon,
    });
    // Not within the message: what is woken may send replies of its own.
    mesh.handle(LOCK_RECORD, (_from, reader) => {
      const ticket = reader.i32();
      soon(() => waits.woken(ticket));
    });
    rules.waits = waits;
    this.rules = rules;
    this.#latches = latches;
    this.#log = parts.log;
    this.commands = new CommandLocks(waits, {
      rules,
      counters,
      waitTimeoutMs: () => settings.lockWaitTimeout,
      resume: parts.resume,
      soon,
    });
    this.manager = new LockManager({
      keyspaces,
      latches,
      waits,
      placing: call,
      counters,
      commands: new LockedCommands({
        inspect: (args, db, visit) => parts.executor().inspect(args, db, visit),
        run: (session, args, reply, nowMs, around) =>
          parts.executor().runAround(session, args, reply, nowMs, around),
        externals,
      }),
      nowMs: Date.now,
      monotonicMs,
      holdTimeoutMs: () => settings.lockHoldTimeout,
      holdWarningMs: () => settings.lockHoldWarning,
      settle: parts.settle,
      soon,
      rest: () => new Promise((resolve) => loop.soon(resolve)),
      warn: (text) => parts.log(text, "warning"),
    });
  }

  /** The connection of a session is gone; latches may be held. */
  drop(session: Session): void {
    this.commands.drop(session);
    this.manager.sessionGone(session.id);
  }

  /** The watchdog, called a few times a second. */
  watch(nowMs: number): void {
    this.manager.watch();
    const latches = this.#latches;
    const sleeps = latches.longestSleeps;
    if (sleeps === 0 || nowMs - this.#complainedMs < LATCH_COMPLAINT_MS) return;
    this.#complainedMs = nowMs;
    latches.longestSleeps = 0;
    this.#log(
      `The latch of shard ${latches.longestShard} was waited for ` +
        `${sleeps} times a millisecond`,
      "warning",
    );
  }
}

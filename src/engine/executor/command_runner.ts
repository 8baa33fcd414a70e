/**
 * Runs one command whose keys have been found and whose latches are held: the
 * innermost of all ways that a command can take, alone, with others, in a
 * transaction, or when what it waited for is there.
 *
 * Around the command stand what every command owes: a snapshot under way, and who
 * reads what many keys had, get the old values, the log the record of what was changed, the accounts their counts
 * and durations; and when memory is at an end, its reply is taken back.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import {
  FLAG,
  type Handler,
  type LateReply,
} from "../../core/commands/command_spec.ts";
import { type Command, KEY_KIND } from "../../core/commands/command_table.ts";
import { recordKeys } from "../../core/commands/recorded_keys.ts";
import {
  CALLS,
  CHANGES,
  COMMAND_COUNTERS,
  COMMANDS_PROCESSED,
  COUNTER_COUNT,
} from "../../core/keyspace/counters.ts";
import type { EffectLog } from "../../core/keyspace/effect_log.ts";
import { keepOldOf } from "../../core/keyspace/snapshot_marks.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import { OUT_OF_MEMORY } from "../../core/resp/error_reply.ts";
import { takeBackReply } from "../../core/resp/reply_source.ts";
import type { ReplyWriter } from "../../core/resp/reply_writer.ts";
import { PROCESS_KEEPS_OLD } from "../persistence/snapshot_protocol.ts";
import type { CommandAccounts } from "./command_accounts.ts";
import type { CommandTimer } from "./command_timer.ts";
import { DONE, PARKED } from "./outcome.ts";

/** Commands that may change a value, if only what is cached in it. */
const CHANGES_VALUES = FLAG.WRITE | FLAG.MAY_REPLICATE;

/** One per worker. */
export class CommandRunner<C extends Call> {
  /** The reply to come of the command that was just parked. */
  pending: Promise<LateReply> | null = null;
  /**
   * Whether that command may have read keys: that they have changed since must
   * be told behind its reply.
   */
  pendingHasRead = false;
  readonly #call: C;
  readonly #accounts: CommandAccounts<C>;
  readonly #timer: CommandTimer<C>;
  readonly #counters: Float64Array;
  readonly #effects: EffectLog;
  readonly #process: Int32Array;

  /** `call` is the worker's call; `process` are the words of the process. */
  constructor(call: C, accounts: CommandAccounts<C>, process: Int32Array) {
    this.#call = call;
    this.#accounts = accounts;
    this.#timer = accounts.timer;
    this.#counters = call.counters;
    this.#effects = call.effects;
    this.#process = process;
  }

  /**
   * Runs the command whose arguments and keys the call has: {@linkcode DONE}, or
   * {@linkcode PARKED} if its reply comes later.
   */
  run(command: Command<C>, handler: Handler<C> = command.run): number {
    if (
      this.#process[PROCESS_KEEPS_OLD] !== 0 &&
      (command.flags & CHANGES_VALUES) !== 0
    ) this.#keepOld();
    const reply = this.#call.reply;
    const counters = this.#counters;
    const errors = reply.errorCount;
    const at = COUNTER_COUNT + command.index * COMMAND_COUNTERS;
    counters[COMMANDS_PROCESSED] = counters[COMMANDS_PROCESSED]! + 1;
    counters[at + CALLS] = counters[at + CALLS]! + 1;
    const startMs = this.#timer.begin(command);
    const start = reply.at;
    // A command without keys takes its latches itself, and records itself.
    const isLogged = this.#effects.isOn && command.keyKind !== KEY_KIND.NONE;
    const changes = isLogged ? counters[CHANGES]! : 0;
    if (isLogged) this.#effects.begin();
    let promise: void | Promise<LateReply> = undefined;
    try {
      promise = handler(this.#call);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      this.takeBack(reply, start);
      this.#call.dropUnfilled();
      if (isLogged && counters[CHANGES] !== changes) recordKeys(this.#call);
      reply.error(OUT_OF_MEMORY);
    }
    if (isLogged) {
      const isChange = counters[CHANGES] !== changes;
      this.#effects.endCommand(this.#call.db, this.#call.args, isChange);
    }
    const isBlocking = (command.flags & FLAG.BLOCKING) !== 0;
    const waits = isBlocking && reply.at === start && this.#call.waitKind !== 0;
    if (startMs >= 0) {
      // What is done in slices is charged when all are done.
      if (promise !== undefined && command.keyKind !== KEY_KIND.NONE) {
        this.#timer.skip();
      } else {
        const microseconds = this.#timer.end(command, startMs);
        // A command that waits has done nothing yet.
        if (!waits && (promise === undefined || !isBlocking)) {
          this.#accounts.noteSlow(command, microseconds);
        }
      }
    }
    if (reply.errorCount !== errors) {
      this.#accounts.countFailed(command, reply.lastError!);
    }
    // A command that waits has written nothing; it is counted when its wait is
    // over.
    if (waits) this.#accounts.countCalls(command, -1);
    if (promise === undefined) return DONE;
    this.pending = promise;
    // What changes keys in slices may have read them before.
    this.pendingHasRead = command.keyKind !== KEY_KIND.NONE;
    return PARKED;
  }

  /** Makes what was written from `start` on unwritten. */
  takeBack(reply: ReplyWriter, start: number): void {
    takeBackReply(reply, start, this.#call.keyspaces[0]!.externals);
  }

  /** The reply to come of the command that was just parked will not be sent. */
  silencePending(): void {
    if (this.pending === null) return;
    this.pending = this.pending.then((late) => (reply) => {
      const start = reply.at;
      late(reply);
      this.takeBack(reply, start);
    });
  }

  /** Lets those who ask have the values of the command's keys as they are. */
  #keepOld(): void {
    const call = this.#call;
    for (let i = 0; i < call.keyCount; i++) {
      const key = call.key(i);
      keepOldOf(call.keyspace(key), key);
    }
  }
}

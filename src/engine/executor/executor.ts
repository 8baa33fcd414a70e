/**
 * The executor: runs a request where its connection is.
 *
 * Life of a short command: look its name up, check arity, find its keys, hash
 * them, take the latches of their shards in ascending order, test the shards'
 * flag words, run, release. No message, no await, no allocation.
 *
 * What may turn a command from this path:
 * - the session's gate (authentication, CLIENT REPLY) or the worker's gate
 *   (CLIENT PAUSE), one test for both;
 * - a shard's flag word: the command is not run here but forwarded to the
 *   shard's owner, and its connection is parked until the reply comes;
 * - a command that is asynchronous by nature (it asks other workers): its
 *   connection is parked until its promise settles.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import { hashSlot } from "../../core/base/crc16.ts";
import { halfSipHash } from "../../core/base/half_siphash.ts";
import type { Call } from "../../core/commands/call.ts";
import {
  findKeysToRun,
  KeyPositions,
  RequestView,
} from "../../core/commands/command_keys.ts";
import { FLAG, type LateReply } from "../../core/commands/command_spec.ts";
import {
  type Command,
  type CommandTable,
  KEY_KIND,
} from "../../core/commands/command_table.ts";
import {
  CALLS,
  COMMAND_COUNTERS,
  COMMANDS_PROCESSED,
  COUNTER_COUNT,
  ERROR_REPLIES,
  FAILED,
  REJECTED,
} from "../../core/keyspace/counters.ts";
import type { Key } from "../../core/keyspace/key.ts";
import { SHARD_FLAGS } from "../../core/keyspace/shard_control.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import {
  type ErrorReply,
  NO_AUTH,
  OUT_OF_MEMORY,
  unknownCommand,
  unknownSubcommand,
  wrongNumberOfArguments,
} from "../../core/resp/error_reply.ts";
import { dropSpan } from "../../core/resp/reply_source.ts";
import type { ReplyWriter } from "../../core/resp/reply_writer.ts";
import { CommandTimer } from "./command_timer.ts";
import type { Latches } from "../latch/shard_latches.ts";
import {
  GATE_AUTH,
  GATE_NO_TOUCH,
  GATE_REPLY_OFF,
  GATE_REPLY_SKIP,
  GATE_REPLY_SKIP_NEXT,
  GATE_SILENT,
  type Session,
} from "./session.ts";

/** The request was answered. */
export const DONE = 0;
/** The answer will come later; {@linkcode Executor.pending} says how. */
export const PARKED = 1;
/** The request was not run and is to be tried again when the gate opens. */
export const HELD = 2;

/** Commands that CLIENT PAUSE WRITE holds up. */
const HELD_WRITES = FLAG.WRITE | FLAG.MAY_REPLICATE;
/** Keys kept ready between commands. */
const KEYS_KEPT = 1024;
/** Roots of the values that a look ahead found; as many as are read ahead. */
const ROOTS = new Int32Array(1024);
/** Words that the error of an unknown command echoes. */
const ECHOED_ARGUMENTS_MAX = 32;

/** What the executor needs from the worker around it. */
export interface ExecutorPorts<C extends Call> {
  /** Monotonic milliseconds, with fractions. */
  monotonicMs(): number;
  /**
   * Sends a request to the owner of `shard`, or returns null when that is this
   * worker.
   */
  forward(
    session: Session,
    args: Arguments,
    shard: number,
  ): Promise<LateReply> | null;
  /** Notes a command that took `microseconds` or more. */
  slow(command: Command<C>, microseconds: number): void;
  /** Makes room when memory is short; says whether a write may go on. */
  makeRoom(): boolean;
}

/** Runs requests; one object per worker. */
export class Executor<C extends Call> {
  /** Reasons for which every command of this worker must wait. */
  gate = 0;
  /** Whether held commands are only those that write. */
  gateWritesOnly = false;
  /** The reply to come of the command that was just parked. */
  pending: Promise<LateReply> | null = null;
  /** Commands from this duration on go to the slow log; -1 for none. */
  slowMicroseconds = 10_000;
  /** Notes how long commands take. */
  readonly timer: CommandTimer<C>;
  /** Whether shards' flag words are ignored: this is the owner at work. */
  ignoresFlags = false;
  readonly #table: CommandTable<C>;
  readonly #call: C;
  readonly #latches: Latches;
  readonly #ports: ExecutorPorts<C>;
  readonly #counters: Float64Array;
  readonly #positions = new KeyPositions();
  readonly #view: RequestView;
  readonly #seed0: number;
  readonly #seed1: number;

  /** `call` is this worker's call. */
  constructor(
    table: CommandTable<C>,
    call: C,
    latches: Latches,
    ports: ExecutorPorts<C>,
  ) {
    this.#table = table;
    this.#call = call;
    this.#latches = latches;
    this.#ports = ports;
    this.#counters = call.counters;
    this.timer = new CommandTimer(call.counters, ports.monotonicMs);
    this.#view = new RequestView(call.args);
    [this.#seed0, this.#seed1] = call.hashSeed;
  }

  /** Begins a batch of requests that are run at one time. */
  beginBatch(nowMs: number): void {
    this.#call.nowMs = nowMs;
    this.#call.clock.tell(nowMs);
    this.timer.beginBatch();
  }

  /** Ends the batch. */
  endBatch(): void {
    this.timer.endBatch();
    this.#latches.checkNoneHeld();
  }

  /**
   * Brings near what the first `count` of `requests` will need: their buckets
   * first, then their entries, then the roots of values other than strings, so that the processor waits for many of them at
   * a time and not for one after the other. A hint; nothing is decided here.
   */
  lookAhead(
    session: Session,
    requests: readonly Arguments[],
    count: number,
  ): void {
    const keyspaces = this.#call.keyspaces;
    const db = session.db;
    for (let i = 0; i < count; i++) this.#prepare(requests[i]!);
    let read = 0;
    for (let i = 0; i < count; i++) {
      const args = requests[i]!;
      if (args.command < 0) continue;
      read ^= keyspaces[args.shard]!.warmBucket(db, args.hash);
    }
    let roots = 0;
    for (let i = 0; i < count; i++) {
      const args = requests[i]!;
      if (args.command < 0) continue;
      const root = keyspaces[args.shard]!.warmEntry(db, args.hash);
      if (root !== 0) ROOTS[roots++] = root;
    }
    const first = keyspaces[0]!;
    for (let i = 0; i < roots; i++) read ^= first.warmRoot(ROOTS[i]!);
    this.lastWarmed = read;
  }

  /** Kept only so that the reads of {@linkcode lookAhead} are not dropped. */
  lastWarmed = 0;

  /** Looks up a request with one key, and hashes the key. */
  #prepare(args: Arguments): void {
    const command = this.#table.lookup(
      args.source(0),
      args.off[0]!,
      args.length[0]!,
    );
    if (
      command === undefined || command.keyKind !== KEY_KIND.SINGLE ||
      command.subcommands.length !== 0 || !command.allowsCount(args.count)
    ) return;
    const off = args.off[1]!;
    const length = args.length[1]!;
    const buf = args.source(1);
    args.command = command.index;
    args.hash = halfSipHash(buf, off, length, this.#seed0, this.#seed1);
    args.shard = this.#call.slotShards[hashSlot(buf, off, length)]!;
  }

  /** Runs one request and writes its reply to the call's writer. */
  run(session: Session, args: Arguments): number {
    const call = this.#call;
    call.args = args;
    call.session = session;
    if (args.command >= 0) {
      const prepared = this.#table.all[args.command]!;
      session.command = prepared;
      if ((session.gate | this.gate) !== 0) {
        return this.#gated(session, prepared);
      }
      return this.#dispatch(prepared);
    }
    let command = this.#table.lookup(
      args.source(0),
      args.off[0]!,
      args.length[0]!,
    );
    if (command === undefined) {
      session.command = null;
      return this.#reject(null, unknown(args));
    }
    if (command.subcommands.length !== 0 && args.count > 1) {
      const sub = command.lookupSubcommand(
        args.source(1),
        args.off[1]!,
        args.length[1]!,
      );
      if (sub === undefined) {
        session.command = null;
        return this.#reject(
          command,
          unknownSubcommand(command.fullName, args.copy(1)),
        );
      }
      command = sub;
    }
    session.command = command;
    const arity = command.arity;
    if (arity >= 0 ? args.count !== arity : args.count < -arity) {
      return this.#reject(command, wrongNumberOfArguments(command.fullName));
    }
    if ((session.gate | this.gate) !== 0) return this.#gated(session, command);
    return this.#dispatch(command);
  }

  /** Hashes of a key's bytes, into `key`. */
  fillKey(key: Key, buf: Uint8Array, off: number, length: number): void {
    key.buf = buf;
    key.off = off;
    key.length = length;
    key.hash = halfSipHash(buf, off, length, this.#seed0, this.#seed1);
    key.shard = this.#call.slotShards[hashSlot(buf, off, length)]!;
  }

  #dispatch(command: Command<C>): number {
    const call = this.#call;
    if (
      (command.flags & FLAG.DENYOOM) !== 0 && !this.#ports.makeRoom()
    ) return this.#reject(command, OUT_OF_MEMORY);
    if (command.keyKind === KEY_KIND.SINGLE) {
      const args = call.args;
      const key = call.key(0);
      if (args.command >= 0) {
        key.buf = args.source(1);
        key.off = args.off[1]!;
        key.length = args.length[1]!;
        key.hash = args.hash;
        key.shard = args.shard;
      } else {
        this.fillKey(key, args.source(1), args.off[1]!, args.length[1]!);
      }
      call.keyCount = 1;
      const shard = key.shard;
      this.#latches.acquire(shard);
      if (
        call.keyspaces[shard]!.control[SHARD_FLAGS] !== 0 && !this.ignoresFlags
      ) {
        this.#latches.release(shard);
        return this.#forward(command, shard);
      }
      this.#run(command);
      this.#latches.release(shard);
      return DONE;
    }
    if (command.keyKind === KEY_KIND.NONE) {
      call.keyCount = 0;
      return this.#run(command);
    }
    return this.#runWide(command);
  }

  /** A command with any number of keys. */
  #runWide(command: Command<C>): number {
    const call = this.#call;
    const args = call.args;
    const positions = this.#positions;
    this.#view.reset(args, 0);
    findKeysToRun(command.spec, this.#view, positions);
    const count = positions.count;
    for (let i = 0; i < count; i++) {
      const at = positions.positions[i]!;
      const key = call.ensureKey(i);
      this.fillKey(key, args.source(at), args.off[at]!, args.length[at]!);
      this.#latches.mark(key.shard);
    }
    call.keyCount = count;
    if (count > 1) this.#warmKeys(count);
    this.#latches.acquireMarked();
    const flagged = this.ignoresFlags
      ? -1
      : this.#latches.firstMarkedWith(SHARD_FLAGS);
    if (flagged >= 0) {
      this.#latches.releaseMarked();
      return this.#forward(command, flagged);
    }
    const outcome = this.#run(command);
    this.#latches.releaseMarked();
    if (count > KEYS_KEPT) call.trimKeys(KEYS_KEPT);
    return outcome;
  }

  /** As {@linkcode lookAhead}, for the keys of one command. */
  #warmKeys(count: number): void {
    const call = this.#call;
    const keyspaces = call.keyspaces;
    const db = call.session.db;
    let read = 0;
    for (let i = 0; i < count; i++) {
      const key = call.key(i);
      read ^= keyspaces[key.shard]!.warmBucket(db, key.hash);
    }
    for (let i = 0; i < count; i++) {
      const key = call.key(i);
      read ^= keyspaces[key.shard]!.warmEntry(db, key.hash);
    }
    this.lastWarmed = read;
  }

  #run(command: Command<C>): number {
    const reply = this.#call.reply;
    const counters = this.#counters;
    const errors = reply.errorCount;
    const at = COUNTER_COUNT + command.index * COMMAND_COUNTERS;
    counters[COMMANDS_PROCESSED] = counters[COMMANDS_PROCESSED]! + 1;
    counters[at + CALLS] = counters[at + CALLS]! + 1;
    const isTimed = this.timer.begin(command);
    const start = reply.at;
    let promise: void | Promise<LateReply> = undefined;
    try {
      promise = command.run(this.#call);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      this.#takeBack(reply, start);
      this.#call.dropUnfilled();
      reply.error(OUT_OF_MEMORY);
    }
    if (isTimed) {
      const microseconds = this.timer.end(command);
      if (this.#isSlow(command, microseconds)) {
        this.#ports.slow(command, microseconds);
      }
    }
    if (reply.errorCount !== errors) {
      counters[at + FAILED] = counters[at + FAILED]! + 1;
      this.#noteError(reply.lastError!);
    }
    if (promise === undefined) return DONE;
    this.pending = promise;
    return PARKED;
  }

  #isSlow(command: Command<C>, microseconds: number): boolean {
    return this.slowMicroseconds >= 0 &&
      microseconds >= this.slowMicroseconds &&
      (command.flags & FLAG.SKIP_SLOWLOG) === 0;
  }

  #forward(command: Command<C>, shard: number): number {
    const { session, args } = this.#call;
    this.pending = this.#ports.forward(session as Session, args, shard);
    if (this.pending !== null) return PARKED;
    this.ignoresFlags = true;
    const outcome = this.#dispatch(command);
    this.ignoresFlags = false;
    return outcome;
  }

  /** Runs a request that another worker forwarded. */
  runForwarded(
    session: Session,
    args: Arguments,
    reply: ReplyWriter,
    nowMs: number,
  ): void {
    const own = this.#call.reply;
    this.#call.reply = reply;
    this.ignoresFlags = true;
    this.beginBatch(nowMs);
    const outcome = this.run(session, args);
    assert(outcome === DONE, "a forwarded command is a short one");
    this.endBatch();
    this.ignoresFlags = false;
    this.#call.reply = own;
  }

  #gated(session: Session, command: Command<C>): number {
    if (
      (session.gate & GATE_AUTH) !== 0 &&
      (command.flags & FLAG.NO_AUTH) === 0 &&
      this.#call.settings.requirepass.length > 0
    ) return this.#reject(command, NO_AUTH);
    if (
      this.gate !== 0 && !this.ignoresFlags &&
      (!this.gateWritesOnly || (command.flags & HELD_WRITES) !== 0)
    ) return HELD;
    if ((session.gate & GATE_REPLY_SKIP_NEXT) !== 0) {
      session.gate = session.gate & ~GATE_REPLY_SKIP_NEXT | GATE_REPLY_SKIP;
    }
    const start = this.#call.reply.at;
    const touches = (session.gate & GATE_NO_TOUCH) === 0;
    if (!touches) this.#setNoTouch(true);
    const outcome = this.#dispatch(command);
    if (!touches) this.#setNoTouch(false);
    if ((session.gate & (GATE_REPLY_OFF | GATE_REPLY_SKIP)) !== 0) {
      session.gate &= ~GATE_REPLY_SKIP;
      this.#takeBack(this.#call.reply, start);
      if (outcome === PARKED) this.#silencePending();
    }
    return outcome;
  }

  /** Answers a request that no command gets to see with an error. */
  refuse(session: Session, error: ErrorReply): void {
    this.#call.session = session;
    this.#reject(null, error);
  }

  #reject(command: Command<C> | null, error: ErrorReply): number {
    const { reply, session } = this.#call;
    const { gate } = session as Session;
    if ((gate & GATE_SILENT) === 0) reply.error(error);
    else {
      (session as Session).gate &= ~(GATE_REPLY_SKIP_NEXT | GATE_REPLY_SKIP);
    }
    this.#noteError(error);
    if (command !== null) {
      const at = COUNTER_COUNT + command.index * COMMAND_COUNTERS + REJECTED;
      this.#counters[at] = this.#counters[at]! + 1;
    }
    return DONE;
  }

  #setNoTouch(value: boolean): void {
    for (const space of this.#call.keyspaces) space.noTouch = value;
  }

  /** Makes what was written from `start` on unwritten. */
  #takeBack(reply: ReplyWriter, start: number): void {
    const { externals } = this.#call.keyspaces[0]!;
    for (const span of reply.rewind(start)) dropSpan(span, externals);
  }

  #silencePending(): void {
    if (this.pending === null) return;
    this.pending = this.pending.then((late) => (reply) => {
      const start = reply.at;
      late(reply);
      this.#takeBack(reply, start);
    });
  }

  /** Error replies by prefix, for INFO errorstats. */
  readonly errorCounts = new Map<string, number>();

  #noteError(error: ErrorReply): void {
    this.#counters[ERROR_REPLIES] = this.#counters[ERROR_REPLIES]! + 1;
    const prefix = error.prefix;
    this.errorCounts.set(prefix, (this.errorCounts.get(prefix) ?? 0) + 1);
  }
}

function unknown(args: Arguments): ErrorReply {
  const argv: Uint8Array[] = [];
  const count = Math.min(args.count, ECHOED_ARGUMENTS_MAX);
  for (let i = 0; i < count; i++) argv.push(args.copy(i));
  return unknownCommand(argv);
}

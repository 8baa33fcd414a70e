/**
 * The executor: runs a request where its connection is.
 *
 * Life of a short command: look its name up, check arity, find its keys, hash
 * them, take the latches of their shards in ascending order, test the shards'
 * flag words, run, release. No message, no await, no allocation.
 *
 * What may turn a command from this path:
 * - the session's gate (authentication, CLIENT REPLY, CLIENT TRACKING) or the
 *   worker's gate (CLIENT PAUSE, MONITOR), one test for both;
 * - a shard's flag word: keys of the command are locked, so that its connection
 *   is held until they are free; or the command is forwarded to the shard's
 *   owner, and its connection parked until the reply comes;
 * - a command that is asynchronous by nature (it asks other workers): its
 *   connection is parked until its promise settles;
 * - the size of what it works on: it is run in the background.
 *
 * Size: all ways that a request can take stand here, so that who holds which
 * latches can be read together.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import { latin1BytesOf } from "../../core/base/bytes.ts";
import { hashSlot } from "../../core/base/crc16.ts";
import { halfSipHash } from "../../core/base/half_siphash.ts";
import type { Call } from "../../core/commands/call.ts";
import type { KeyPositions } from "../../core/commands/command_keys.ts";
import {
  FLAG,
  type Handler,
  type HeavyTest,
  type LateReply,
} from "../../core/commands/command_spec.ts";
import {
  type Command,
  type CommandTable,
  KEY_KIND,
} from "../../core/commands/command_table.ts";
import {
  CALLS,
  CHANGES,
  COMMAND_COUNTERS,
  COMMANDS_PROCESSED,
  COUNTER_COUNT,
  ERROR_REPLIES,
  FAILED,
  REJECTED,
} from "../../core/keyspace/counters.ts";
import type { EffectLog } from "../../core/keyspace/effect_log.ts";
import { recordKeys } from "../../core/commands/recorded_keys.ts";
import { mayBeLocked } from "../../core/keyspace/key_locks.ts";
import { LookAhead } from "../../core/keyspace/look_ahead.ts";
import type { ReadyKeys } from "../../core/keyspace/ready_keys.ts";
import {
  FLAG_KEY_LOCKS,
  SHARD_FLAGS,
} from "../../core/keyspace/shard_control.ts";
import type { WaiterRecords } from "../../core/keyspace/waiter_records.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import {
  type ErrorReply,
  execAbort,
  NO_AUTH,
  NOT_IN_TRANSACTION,
  onlySubscriberCommands,
  OUT_OF_MEMORY,
  REPLICA_KEYSPACE,
  unknownSubcommand,
  wrongNumberOfArguments,
} from "../../core/resp/error_reply.ts";
import { dropSpan } from "../../core/resp/reply_source.ts";
import type { ReplyWriter } from "../../core/resp/reply_writer.ts";
import { ownerOf } from "../messages/shared_state.ts";
import type { BlockedSessions } from "../blocking/blocked_sessions.ts";
import type { CommandLocks } from "../locks/command_locks.ts";
import type {
  AroundRun,
  InspectedCommand,
  TouchVisitor,
} from "../locks/locked_commands.ts";
import { ROUTE_TO_OWNER } from "../latch/shard_flags.ts";
import { beginWait } from "../blocking/registering.ts";
import { Serving } from "../blocking/serving.ts";
import {
  LockAsking,
  type LockAskingParts,
  LOCKS_FREE,
  LOCKS_PARKED,
} from "./lock_asking.ts";
import { isHttp, RequestKeys, unknown } from "./request_keys.ts";
import { DONE, HELD, PARKED } from "./outcome.ts";
import type { BigAdder } from "./transaction.ts";
import { TransactionRunner } from "./transaction_runner.ts";
import type { Tellings } from "./tellings.ts";
import { PROCESS_SNAPSHOT } from "../persistence/snapshot_protocol.ts";
import { CommandTimer, type EndedCommand } from "./command_timer.ts";
import { GATE_MONITORED, GATE_PAUSE, GATE_STOP, refusalBy } from "./gate.ts";
import type { Latches } from "../latch/shard_latches.ts";
import {
  type CalledCommand,
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
  Session,
} from "./session.ts";
import { keepOldOf } from "../../core/keyspace/snapshot_marks.ts";

/** Commands that touch keys, or what replicas would see. */
const KEYSPACE_COMMANDS = FLAG.READONLY | FLAG.WRITE | FLAG.MAY_REPLICATE;
/** Commands that MONITOR does not show. */
const HIDDEN_COMMANDS = FLAG.SKIP_MONITOR | FLAG.ADMIN;
/** Commands that CLIENT PAUSE WRITE holds up. */
const HELD_WRITES = FLAG.WRITE | FLAG.MAY_REPLICATE;
/** Commands that may change a value, if only what is cached in it. */
const CHANGES_VALUES = FLAG.WRITE | FLAG.MAY_REPLICATE;
/** Keys kept ready between commands. */
const KEYS_KEPT = 1024;
/** What is replied to a command that EXEC will run. */
const QUEUED = latin1BytesOf("+QUEUED\r\n");

/** Commands that a client in RESP2 may send while it listens to channels. */
const SUBSCRIBER_COMMANDS: ReadonlySet<string> = new Set([
  ...["subscribe", "psubscribe", "ssubscribe", "unsubscribe"],
  ...["punsubscribe", "sunsubscribe", "ping", "quit", "reset"],
]);

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
  /** Notes a command that took as long as the threshold, or longer. */
  slow(ended: EndedCommand<C>): void;
  /** Makes room when memory is short; says whether a write may go on. */
  makeRoom(): boolean;
  /** Adds an argument that lies in a run of the arena. */
  readonly addBig: BigAdder;
  /** Closes the connection of a peer that speaks HTTP, without a reply. */
  refuseHttp(session: Session): void;
  /** Frees the big arguments that the command did not keep. */
  freeBig(args: Arguments): void;
  /** Number of the worker. */
  readonly worker: number;
  /** How many workers there are. */
  readonly workers: number;
  /** Changed keys that commands wait for. */
  readonly ready: ReadyKeys;
  /** The commands that wait, in shared memory. */
  readonly records: WaiterRecords;
  /** This worker's sessions whose commands wait. */
  readonly blocked: BlockedSessions;
  /**
   * Hands the reply of a command that waited to the worker of its session, and
   * empties the writer.
   */
  served(worker: number, session: number, reply: ReplyWriter): void;
  /**
   * Begins to run a command in the background; null if it has to be run here.
   */
  background(
    command: Command<C>,
    call: C,
    positions: KeyPositions,
    resp: 2 | 3,
  ): Promise<LateReply> | null;
  /** What commands have caused that others are to be told of. */
  readonly tellings: Tellings;
  /**
   * Notes that a client keeps what the command at hand has read, and the worker
   * where its messages go; the latches of the command's keys are held.
   */
  remember(call: C, client: number, worker: number): void;
  /** Shows the command at hand to those who see all commands. */
  show(call: C, command: Command<C>): void;
  /** Words of the process. */
  readonly process: Int32Array;
  /** Parks commands that meet locked keys. */
  readonly locks: CommandLocks;
  /** As {@linkcode LockAskingParts.reserve}. */
  readonly reserve: LockAskingParts<C>["reserve"];
  /** Serves keys that are ready and tells of events; no latch is held. */
  settle(): void;
  /** Notes a command that has waited for locked keys before it ran. */
  waited(command: Command<C>, waitedMs: number): void;
}

/** Most requests that are run under one hold of a latch. */
const TOGETHER_MAX = 16;
/** Bytes of their replies after which no more are. */
const TOGETHER_BYTES_MAX = 64 * 1024;

/** Runs requests; one object per worker. */
export class Executor<C extends Call> {
  /** Reasons to hold commands of this worker back, or to refuse them: gate.ts. */
  gate = 0;
  /** What commands that write are answered while the log cannot be written. */
  logRefusal: ErrorReply | null = null;
  /** Whether held commands are only those that write. */
  gateWritesOnly = false;
  /** The reply to come of the command that was just parked. */
  pending: Promise<LateReply> | null = null;
  /**
   * Whether that command may have read keys: that they have changed since must
   * be told behind its reply.
   */
  pendingHasRead = false;
  /** Outcome of the last request that was run together with others. */
  togetherOutcome: number = DONE;
  /** Commands from this duration on go to the slow log; -1 for none. */
  slowMicroseconds = 10_000;
  /** Whether there are latches to hold: there are other workers. */
  readonly sharesLatches: boolean;
  /** Notes how long commands take. */
  readonly timer: CommandTimer<C>;
  /** Whether shards' flag words are ignored: this is the owner at work. */
  ignoresFlags = false;
  /** Whether writes go on above `maxmemory`: they put back what was there. */
  ignoresLimit = false;
  readonly #table: CommandTable<C>;
  readonly #call: C;
  readonly #latches: Latches;
  readonly #ports: ExecutorPorts<C>;
  readonly #tellings: Tellings;
  readonly #counters: Float64Array;
  readonly #effects: EffectLog;
  readonly #keys: RequestKeys<C>;
  readonly #asking: LockAsking<C>;
  readonly #lookAhead: LookAhead;
  readonly #ready: ReadyKeys;
  readonly #locks: CommandLocks;
  readonly #transactions: TransactionRunner<C>;
  readonly #serving: Serving<C>;
  readonly #seed0: number;
  readonly #seed1: number;
  /** The session while no command runs. */
  readonly #nobody = new Session({
    id: 0,
    nowMs: 0,
    address: "",
    localAddress: "",
    isUnix: false,
  });
  /** The reply to come of that command, if it is run in the background. */
  #late: Promise<LateReply> | null = null;
  /** The command of {@linkcode #toldRun}. */
  #told: Command<C> | null = null;
  readonly #process: Int32Array;

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
    this.sharesLatches = latches.isShared;
    this.#ports = ports;
    this.#tellings = ports.tellings;
    this.#process = ports.process;
    this.#counters = call.counters;
    this.#effects = call.effects;
    this.timer = new CommandTimer(call.counters, ports.monotonicMs);
    this.#keys = new RequestKeys(table, call);
    this.#lookAhead = new LookAhead(call.keyspaces[0]!.arena.i32);
    [this.#seed0, this.#seed1] = call.hashSeed;
    const { ready, records } = ports;
    this.#ready = ready;
    this.#locks = ports.locks;
    this.#asking = new LockAsking({
      table,
      call,
      keys: this.#keys,
      latches,
      locks: ports.locks,
      ready,
      addBig: ports.addBig,
      reserve: ports.reserve,
      settle: ports.settle,
    });
    this.#transactions = new TransactionRunner({
      ...{ table, call, latches, locks: ports.locks },
      keys: this.#keys,
      asking: this.#asking,
    }, {
      run: (command, handler) => this.#run(command, handler),
      handlerOf: (session, command) => this.#handlerOf(session, command),
      pending: () => this.pending,
      makeRoom: () => ports.makeRoom(),
      addBig: ports.addBig,
      freeBig: (args) => ports.freeBig(args),
    });
    this.#serving = new Serving(table, call, latches, ready, records, {
      fillKeys: (command) => this.#keys.fill(command),
      run: (command) => this.#run(command),
      remember: (client, worker) => ports.remember(call, client, worker),
      mustDefer: (command, key) => this.#asking.mustDefer(command, key),
      served: ports.served,
    });
  }

  /** Whether the command at hand must have ended when it has run. */
  get isAtOnce(): boolean {
    return this.ignoresFlags || this.#serving.isAtWork;
  }

  /**
   * Serves those who wait for keys that have changed outside of commands; no
   * latch is held.
   */
  serveReady(nowMs: number): void {
    if (this.#ready.count === 0) return;
    this.beginBatch(nowMs);
    this.#serving.serve();
    this.endBatch();
  }

  /** Begins a batch of requests that are run at one time. */
  beginBatch(nowMs: number): void {
    this.#call.nowMs = nowMs;
    this.#call.clock.tell(nowMs);
    this.timer.beginBatch();
  }

  /** Begins a batch of commands from the log: nothing expires by itself. */
  beginReplay(nowMs: number): void {
    this.beginBatch(nowMs);
    this.#call.nowMs = 0;
    this.#call.replayMs = nowMs;
  }

  /** Ends the batch. */
  endBatch(): void {
    this.timer.endBatch();
    this.#effects.publish();
    this.#latches.checkNoneHeld();
    this.#call.session = this.#nobody;
    if (this.#tellings.batchCount !== 0) this.#tellings.publishBatch();
  }

  /**
   * Reads the first `count` of `requests` as far as their keys, and brings near
   * what they will need. A hint; nothing is decided here.
   */
  lookAhead(
    session: Session,
    requests: readonly Arguments[],
    count: number,
  ): void {
    const { keyspaces } = this.#call;
    const ahead = this.#lookAhead;
    const { db } = session;
    for (let i = 0; i < count; i++) {
      const args = requests[i]!;
      this.#prepare(args);
      if (args.command < 0) continue;
      ahead.add(keyspaces[args.shard]!, db, args.hash);
    }
    ahead.run();
  }

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
    this.#hashKey(command, args);
  }

  /** Hashes the key of a request that has one. */
  #hashKey(command: Command<C>, args: Arguments): void {
    const off = args.off[1]!;
    const length = args.length[1]!;
    const buf = args.source(1);
    args.command = command.index;
    args.hash = halfSipHash(buf, off, length, this.#seed0, this.#seed1);
    args.shard = this.#call.slotShards[hashSlot(buf, off, length)]!;
  }

  /**
   * Runs requests that {@linkcode lookAhead} has read, from `from` on, as long as
   * their keys lie in one shard, under one hold of its latch: so a key that all
   * workers want changes hands once for several requests. Returns how many were
   * run, of which the last had {@linkcode togetherOutcome}; 0 if the first is
   * nothing for this, and is to be {@linkcode run}.
   */
  runTogether(
    session: Session,
    requests: readonly Arguments[],
    from: number,
    count: number,
  ): number {
    const first = requests[from]!;
    const { shard } = first;
    if (
      first.command < 0 || from + 1 >= count ||
      !isReadFor(requests[from + 1]!, shard) ||
      (session.gate | this.gate) !== 0 || !this.#ports.makeRoom()
    ) return 0;
    const call = this.#call;
    const { reply } = call;
    call.session = session;
    this.#latches.acquire(shard);
    let done = 0;
    const most = Math.min(count - from, TOGETHER_MAX);
    const { control } = call.keyspaces[shard]!;
    // What the last one has changed may be waited for, or watched.
    while (
      done < most && control[SHARD_FLAGS] === 0 &&
      this.#ready.count === 0 && this.#tellings.count === 0 &&
      reply.pendingBytes < TOGETHER_BYTES_MAX
    ) {
      const args = requests[from + done]!;
      if (!isReadFor(args, shard)) break;
      call.args = args;
      const command = this.#table.all[args.command]!;
      session.command = command;
      this.#keys.takeHashed(args, shard, args.hash);
      done++;
      this.togetherOutcome = this.#run(command);
      if (this.togetherOutcome !== DONE) break;
    }
    this.#latches.release(shard);
    if (this.#ready.count !== 0) this.#serving.serve();
    if (this.#tellings.count !== 0) this.#tellings.publish();
    return done;
  }

  /** Runs one request and writes its reply to the call's writer. */
  run(session: Session, args: Arguments): number {
    const outcome = this.#runRequest(session, args);
    if (this.#ready.count !== 0) this.#serving.serve();
    if (this.#tellings.count !== 0) this.#tellings.publish();
    return outcome;
  }

  #runRequest(session: Session, args: Arguments): number {
    const call = this.#call;
    call.args = args;
    call.session = session;
    if (args.command >= 0) {
      const prepared = this.#table.all[args.command]!;
      session.command = prepared;
      if ((session.gate | this.gate) !== 0) {
        return this.gate === 0 && session.gate === GATE_MULTI
          ? this.#dispatchQueued(session, prepared)
          : this.#gated(session, prepared);
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
      if (isHttp(args)) {
        this.#ports.refuseHttp(session);
        return DONE;
      }
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

  #dispatch(
    command: Command<C>,
    handler: Handler<C> = command.run,
  ): number {
    const call = this.#call;
    if (
      (command.flags & FLAG.DENYOOM) !== 0 && !this.ignoresLimit &&
      !this.#ports.makeRoom()
    ) return this.#reject(command, OUT_OF_MEMORY);
    if (command.keyKind === KEY_KIND.SINGLE) {
      const args = call.args;
      if (args.command < 0) this.#hashKey(command, args);
      const { shard } = args;
      this.#keys.takeHashed(args, shard, args.hash);
      this.#latches.acquire(shard);
      const { control } = call.keyspaces[shard]!;
      const flags = control[SHARD_FLAGS]!;
      if (
        flags !== 0 &&
        (flags !== FLAG_KEY_LOCKS || mayBeLocked(control, args.hash))
      ) return this.#runFlagged(command, handler);
      const outcome = this.#run(command, handler);
      this.#latches.release(shard);
      return outcome;
    }
    if (command.keyKind === KEY_KIND.NONE) {
      call.keyCount = 0;
      return (command.flags & FLAG.WRITE) === 0
        ? this.#run(command, handler)
        : this.#runOnDatabases(command, handler);
    }
    return this.#runWide(command, handler);
  }

  /**
   * A command with one key, whose latch is held, that its shard's flags may turn
   * from its way.
   */
  #runFlagged(command: Command<C>, handler: Handler<C>): number {
    const key = this.#call.key(0);
    const { shard } = key;
    const flags = this.#call.keyspaces[shard]!.control[SHARD_FLAGS]!;
    const outcome = this.#asking.isFree(command, key, flags)
      ? LOCKS_FREE
      : this.#asking.ask(command, null);
    if (outcome !== LOCKS_FREE) {
      this.#latches.release(shard);
      return this.#endAsking(command, outcome);
    }
    if ((flags & ROUTE_TO_OWNER) !== 0 && !this.ignoresFlags) {
      this.#latches.release(shard);
      return this.#forward(command, shard, handler);
    }
    const ran = this.#run(command, handler);
    this.#latches.release(shard);
    return ran;
  }

  #endAsking(command: Command<C>, outcome: number): number {
    return outcome === LOCKS_PARKED
      ? HELD
      : this.#reject(command, OUT_OF_MEMORY);
  }

  /** A command without keys of its own, that may have to wait for others'. */
  #runOnDatabases(command: Command<C>, handler: Handler<C>): number {
    this.#locks.hasParked = false;
    const outcome = this.#run(command, handler);
    if (!this.#locks.hasParked) return outcome;
    this.#locks.hasParked = false;
    this.#countCalls(command, -1);
    return HELD;
  }

  /**
   * What a session does instead while a transaction is open: nearly all
   * commands are queued.
   */
  #dispatchQueued(session: Session, command: Command<C>): number {
    if (command.skipsQueue) {
      return command.fullName === "exec"
        ? this.#runExec(command)
        : this.#dispatch(command, this.#handlerOf(session, command));
    }
    if ((command.flags & FLAG.NO_MULTI) !== 0) {
      return this.#reject(command, NOT_IN_TRANSACTION);
    }
    if (
      (command.flags & FLAG.DENYOOM) !== 0 && !this.#ports.makeRoom()
    ) return this.#reject(command, OUT_OF_MEMORY);
    const { args, reply } = this.#call;
    if (args.command < 0 && command.keyKind === KEY_KIND.SINGLE) {
      this.#hashKey(command, args);
    }
    session.transaction!.queue(command.index, command.flags, args);
    reply.raw(QUEUED);
    return DONE;
  }

  /** Ends a session's transaction, if it has one, and its watches. */
  endTransaction(session: Session): void {
    this.#transactions.end(session);
  }

  #runExec(command: Command<C>): number {
    const outcome = this.#runOnDatabases(command, this.#transactions.execute);
    this.pendingHasRead = outcome === PARKED;
    if (outcome !== HELD && this.#isShown(command)) {
      this.#ports.show(this.#call, command);
    }
    return outcome;
  }

  /** A command with any number of keys. */
  #runWide(command: Command<C>, handler: Handler<C>): number {
    const call = this.#call;
    const looksFurther = this.#keys.fill(command);
    if (looksFurther) this.#latches.markAll();
    const count = call.keyCount;
    for (let i = 0; i < count; i++) {
      const key = call.key(i);
      this.#latches.mark(key.shard);
      this.#lookAhead.add(call.keyspaces[key.shard]!, call.db, key.hash);
    }
    this.#lookAhead.run();
    this.#latches.acquireMarked();
    const isBlocking = (command.flags & FLAG.BLOCKING) !== 0;
    const flags = this.#latches.wordsOfMarked(SHARD_FLAGS);
    if (flags !== 0) {
      const outcome = this.#asking.areFree(command, flags)
        ? LOCKS_FREE
        : this.#asking.ask(command, null);
      if (outcome !== LOCKS_FREE) {
        this.#latches.releaseMarked();
        return this.#endAsking(command, outcome);
      }
      if (
        (flags & ROUTE_TO_OWNER) !== 0 && !this.ignoresFlags && !isBlocking
      ) {
        const shard = this.#latches.firstMarkedWith(SHARD_FLAGS);
        this.#latches.releaseMarked();
        return this.#forward(command, shard, handler);
      }
    }
    if (isBlocking && this.#serving.isOvertaking()) {
      this.#latches.releaseMarked();
      this.#serving.serve();
      return this.#runWide(command, handler);
    }
    const outcome = isBlocking
      ? this.#runBlocking(command, handler)
      : command.isHeavy === undefined || looksFurther
      ? this.#run(command, handler)
      : this.#runHeavy(command, command.isHeavy, handler);
    this.#latches.releaseMarked();
    if (count > KEYS_KEPT) call.trimKeys(KEYS_KEPT);
    return outcome;
  }

  /** A command that may take long: in the background then, if there is room. */
  #runHeavy(
    command: Command<C>,
    isHeavy: HeavyTest<C>,
    handler: Handler<C>,
  ): number {
    const call = this.#call;
    if (this.ignoresFlags || !isHeavy(call)) return this.#run(command, handler);
    const { resp } = call.session as Session;
    const late = this.#ports.background(
      command,
      call,
      this.#keys.positions,
      resp,
    );
    if (late === null) return this.#run(command, handler);
    // Others are told of the command as if it had run now; it is counted when
    // it has.
    if (handler !== command.run) {
      this.#late = late;
      handler(call);
    }
    this.pending = late;
    this.pendingHasRead = true;
    return PARKED;
  }

  /** A command that may wait, which is decided under its keys' latches. */
  #runBlocking(command: Command<C>, handler: Handler<C>): number {
    const call = this.#call;
    call.waitKind = 0;
    const outcome = this.#run(command, handler);
    if (call.waitKind === 0) return outcome;
    const { worker, records, blocked } = this.#ports;
    this.pending = beginWait(call, worker, records, blocked);
    this.pendingHasRead = false;
    call.waitKind = 0;
    if (this.pending === null) return DONE;
    return PARKED;
  }

  #run(command: Command<C>, handler: Handler<C> = command.run): number {
    if (
      this.#process[PROCESS_SNAPSHOT] !== 0 &&
      (command.flags & CHANGES_VALUES) !== 0
    ) this.#keepOld();
    const reply = this.#call.reply;
    const counters = this.#counters;
    const errors = reply.errorCount;
    const at = COUNTER_COUNT + command.index * COMMAND_COUNTERS;
    counters[COMMANDS_PROCESSED] = counters[COMMANDS_PROCESSED]! + 1;
    counters[at + CALLS] = counters[at + CALLS]! + 1;
    const startMs = this.timer.begin(command);
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
      this.#takeBack(reply, start);
      this.#call.dropUnfilled();
      if (isLogged && counters[CHANGES] !== changes) recordKeys(this.#call);
      reply.error(OUT_OF_MEMORY);
    }
    if (isLogged) {
      const isChange = counters[CHANGES] !== changes;
      this.#effects.endCommand(this.#call.db, this.#call.args, isChange);
    }
    if (startMs >= 0) {
      // What is done in slices is charged when all are done.
      if (promise !== undefined && command.keyKind !== KEY_KIND.NONE) {
        this.timer.skip();
      } else this.#noteSlow(command, this.timer.end(command, startMs));
    }
    if (reply.errorCount !== errors) {
      counters[at + FAILED] = counters[at + FAILED]! + 1;
      this.#noteError(reply.lastError!);
    }
    // A command that waits has written nothing; it is counted when its wait is
    // over.
    if (
      reply.at === start && this.#call.waitKind !== 0 &&
      (command.flags & FLAG.BLOCKING) !== 0
    ) this.#countCalls(command, -1);
    if (promise === undefined) return DONE;
    this.pending = promise;
    // What changes keys in slices may have read them before.
    this.pendingHasRead = command.keyKind !== KEY_KIND.NONE;
    return PARKED;
  }

  /** Lets a snapshot have the values of the command's keys as they are. */
  #keepOld(): void {
    const call = this.#call;
    for (let i = 0; i < call.keyCount; i++) {
      const key = call.key(i);
      keepOldOf(call.keyspace(key), key);
    }
  }

  #countCalls(command: Command<C>, count: number): void {
    const counters = this.#counters;
    const at = COUNTER_COUNT + command.index * COMMAND_COUNTERS;
    counters[COMMANDS_PROCESSED] = counters[COMMANDS_PROCESSED]! + count;
    counters[at + CALLS] = counters[at + CALLS]! + count;
  }

  /** Counts a command that ended without having got what it waited for. */
  countEnded(command: CalledCommand | null, error: ErrorReply | null): void {
    if (error !== null) this.#noteError(error);
    if (command !== null) this.#countCalls(command as Command<C>, 1);
  }

  /** Counts a command that has ended in the background, with its error. */
  countBackground(ended: EndedCommand<C>, error: ErrorReply | null): void {
    this.#countCalls(ended.command, 1);
    this.chargeLate(ended, error);
  }

  /**
   * Charges a command, which was counted, that has not ended in its turn, and
   * counts its error.
   */
  chargeLate(ended: EndedCommand<C>, error: ErrorReply | null): void {
    const { command, microseconds } = ended;
    if (error !== null) {
      this.#noteError(error);
      const at = COUNTER_COUNT + command.index * COMMAND_COUNTERS + FAILED;
      this.#counters[at] = this.#counters[at]! + 1;
    }
    this.timer.charge(command, microseconds);
    if (this.#isSlow(command, microseconds)) this.#ports.slow(ended);
  }

  #noteSlow(command: Command<C>, microseconds: number): void {
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

  #forward(
    command: Command<C>,
    shard: number,
    handler: Handler<C>,
  ): number {
    const { session, args } = this.#call;
    if (this.#isShown(command)) this.#ports.show(this.#call, command);
    this.pending = this.#ports.forward(session as Session, args, shard);
    if (this.pending !== null) {
      this.pendingHasRead = true;
      return PARKED;
    }
    this.ignoresFlags = true;
    const outcome = this.#dispatch(command, handler);
    this.ignoresFlags = false;
    return outcome;
  }

  /**
   * As {@linkcode runForwarded}, of EXEC in the name of one who has its keys
   * locked, with something to do around it.
   */
  runAround(
    session: Session,
    args: Arguments,
    reply: ReplyWriter,
    nowMs: number,
    around: AroundRun,
  ): void {
    this.#transactions.around = around;
    this.#locks.isExempt = true;
    this.runForwarded(session, args, reply, nowMs);
    this.#locks.isExempt = false;
    this.#transactions.around = null;
  }

  /** As {@linkcode RequestKeys.inspect}. */
  inspect(
    args: Arguments,
    db: number,
    visit: TouchVisitor,
  ): InspectedCommand | ErrorReply {
    return this.#keys.inspect(args, db, visit);
  }

  /**
   * Runs a request that comes from no connection of this worker: {@linkcode DONE},
   * or {@linkcode HELD} if it is to be tried again when the session's
   * `onLockWake` is called.
   */
  runForwarded(
    session: Session,
    args: Arguments,
    reply: ReplyWriter,
    nowMs: number,
  ): number {
    const own = this.#call.reply;
    this.#call.reply = reply;
    this.ignoresFlags = true;
    this.beginBatch(nowMs);
    const outcome = this.run(session, args);
    assert(outcome !== PARKED, "a forwarded command is a short one");
    this.endBatch();
    this.ignoresFlags = false;
    this.#call.reply = own;
    return outcome;
  }

  /**
   * The worker that owns all shards of the keys of a command from the log; -1 if
   * there are several, or if the command names no keys.
   */
  ownerOfLogged(args: Arguments): number {
    const call = this.#call;
    const command = this.#table.lookup(
      args.source(0),
      args.off[0]!,
      args.length[0]!,
    );
    if (command === undefined || args.count < 2) return -1;
    if (command.keyKind === KEY_KIND.NONE && command.subcommands.length === 0) {
      return -1;
    }
    const { workers } = this.#ports;
    if (command.keyKind === KEY_KIND.SINGLE) {
      const slot = hashSlot(args.source(1), args.off[1]!, args.length[1]!);
      return ownerOf(call.slotShards[slot]!, workers);
    }
    call.args = args;
    if (
      this.#keys.fill(this.#subcommand(command, args)) || call.keyCount === 0
    ) {
      return -1;
    }
    const owner = ownerOf(call.key(0).shard, workers);
    for (let i = 1; i < call.keyCount; i++) {
      if (ownerOf(call.key(i).shard, workers) !== owner) return -1;
    }
    return owner;
  }

  /** The command itself, or the subcommand that its arguments name. */
  #subcommand(command: Command<C>, args: Arguments): Command<C> {
    if (command.subcommands.length === 0 || args.count < 2) return command;
    return command.lookupSubcommand(
      args.source(1),
      args.off[1]!,
      args.length[1]!,
    ) ?? command;
  }

  /**
   * Runs a command from the log, whatever the gate, the flags of shards, locked
   * keys, and `maxmemory` say; its reply is written to the call's writer.
   */
  runLogged(session: Session, args: Arguments): void {
    const { gate } = this;
    this.gate = 0;
    this.ignoresFlags = this.ignoresLimit = this.#locks.isExempt = true;
    const outcome = this.#runRequest(session, args);
    assert(outcome === DONE, "a command from the log is a short one");
    this.ignoresFlags = this.ignoresLimit = this.#locks.isExempt = false;
    this.gate = gate;
  }

  #gated(session: Session, command: Command<C>): number {
    if ((session.gate & GATE_LOCKED) !== 0) {
      return this.#retry(session, command);
    }
    if (
      (session.gate & GATE_AUTH) !== 0 &&
      (command.flags & FLAG.NO_AUTH) === 0 &&
      this.#call.settings.requirepass.length > 0
    ) return this.#reject(command, NO_AUTH);
    if (
      (session.gate & GATE_SUBSCRIBED) !== 0 && session.resp === 2 &&
      !SUBSCRIBER_COMMANDS.has(command.fullName)
    ) return this.#reject(command, onlySubscriberCommands(command.fullName));
    const isMonitor = (session.gate & GATE_MONITOR) !== 0;
    if (isMonitor && (flagsIn(session, command) & KEYSPACE_COMMANDS) !== 0) {
      return this.#reject(command, REPLICA_KEYSPACE);
    }
    let keepsExpired = false;
    if ((this.gate & ~GATE_MONITORED) !== 0) {
      const flags = flagsIn(session, command);
      const isPaused = (this.gate & GATE_PAUSE) !== 0;
      const isWrite = (flags & HELD_WRITES) !== 0;
      keepsExpired = isPaused && !isWrite;
      if (!this.ignoresFlags) {
        const refusal = refusalBy(
          this.gate,
          flags,
          command.fullName === "ping",
          this.logRefusal,
        );
        if (refusal !== null) return this.#reject(command, refusal);
        if (
          (this.gate & GATE_STOP) !== 0 ||
          isPaused && !isMonitor && (!this.gateWritesOnly || isWrite)
        ) return HELD;
      }
    }
    if ((session.gate & GATE_REPLY_SKIP_NEXT) !== 0) {
      session.gate = session.gate & ~GATE_REPLY_SKIP_NEXT | GATE_REPLY_SKIP;
    }
    const start = this.#call.reply.at;
    const touches = (session.gate & GATE_NO_TOUCH) === 0;
    if (!touches) this.#setNoTouch(true);
    if (keepsExpired) this.#setKeepsExpired(true);
    const outcome = (session.gate & GATE_MULTI) === 0
      ? this.#dispatch(command, this.#handlerOf(session, command))
      : this.#dispatchQueued(session, command);
    if (!touches) this.#setNoTouch(false);
    if (keepsExpired) this.#setKeepsExpired(false);
    if (outcome === HELD) return HELD;
    if ((session.gate & GATE_TRACKING) !== 0) endCaching(session, command);
    if ((session.gate & (GATE_REPLY_OFF | GATE_REPLY_SKIP)) !== 0) {
      session.gate &= ~GATE_REPLY_SKIP;
      this.#takeBack(this.#call.reply, start);
      if (outcome === PARKED) this.#silencePending();
    }
    return outcome;
  }

  /** A command whose session has been parked for its keys is tried again. */
  #retry(session: Session, command: Command<C>): number {
    const locks = this.#locks;
    session.gate &= ~GATE_LOCKED;
    const verdict = locks.takeVerdict(session);
    if (verdict !== null && verdict !== "null") {
      return this.#reject(command, verdict);
    }
    if (verdict === "null") return this.#replyNull(session, command);
    const outcome = (session.gate | this.gate) === 0
      ? this.#dispatch(command, this.#handlerOf(session, command))
      : this.#gated(session, command);
    const isParked = (session.gate & GATE_LOCKED) !== 0;
    if (session.lockWait !== null && !isParked) {
      // Held back for another reason, or refused before it came to its keys.
      locks.withdraw(session, outcome !== HELD);
      if (outcome === HELD) session.gate |= GATE_LOCKED;
    } else if (!isParked) this.#ports.waited(command, session.lockWaitedMs);
    return outcome;
  }

  /** What a command that waits no longer replies where it would find nothing. */
  #replyNull(session: Session, command: Command<C>): number {
    const { reply } = this.#call;
    if (command.fullName === "exec") this.endTransaction(session);
    if ((session.gate & GATE_SILENT) !== 0) {
      session.gate &= ~GATE_REPLY_SKIP;
      return DONE;
    }
    if (command.spec.replies?.includes("array") === true) reply.nullArray();
    else reply.nullBulk();
    return DONE;
  }

  /** The handler of a command, also one of which others are to be told. */
  #handlerOf(session: Session, command: Command<C>): Handler<C> {
    const isTold = (session.gate & GATE_TRACKING) !== 0 ||
      (this.gate & GATE_MONITORED) !== 0;
    if (!isTold) return command.run;
    this.#told = command;
    return this.#toldRun;
  }

  readonly #toldRun: Handler<C> = (call) => {
    const command = this.#told!;
    const late = this.#late ?? command.run(call);
    this.#late = null;
    const session = call.session as Session;
    if (
      (session.gate & GATE_TRACKING) !== 0 &&
      (command.flags & FLAG.READONLY) !== 0 && session.tracking!.remembers
    ) this.#ports.remember(call, session.id, session.tracking!.worker);
    if (
      this.#isShown(command) && !this.ignoresFlags && !this.#locks.hasParked
    ) {
      this.#ports.show(call, command);
    }
    return late;
  };

  #isShown(command: Command<C>): boolean {
    return (this.gate & GATE_MONITORED) !== 0 &&
      (command.flags & HIDDEN_COMMANDS) === 0;
  }

  /** Answers a request that no command gets to see with an error. */
  refuse(session: Session, error: ErrorReply): void {
    this.#call.session = session;
    this.#reject(null, error);
  }

  #reject(command: Command<C> | null, cause: ErrorReply): number {
    const { reply, session } = this.#call;
    let error = cause;
    if (command?.fullName === "exec") {
      this.endTransaction(session as Session);
      error = execAbort(cause.text.replace(/^ERR /, ""));
    }
    const { gate } = session as Session;
    if ((gate & GATE_SILENT) === 0) reply.error(error);
    else {
      (session as Session).gate &= ~(GATE_REPLY_SKIP_NEXT | GATE_REPLY_SKIP);
    }
    this.#noteError(error);
    if ((gate & GATE_MULTI) !== 0) {
      (session as Session).transaction!.isDoomed = true;
    }
    if ((gate & GATE_TRACKING) !== 0) endCaching(session as Session, command);
    if (command !== null) {
      const at = COUNTER_COUNT + command.index * COMMAND_COUNTERS + REJECTED;
      this.#counters[at] = this.#counters[at]! + 1;
    }
    return DONE;
  }

  #setNoTouch(value: boolean): void {
    for (const space of this.#call.keyspaces) space.noTouch = value;
  }

  #setKeepsExpired(value: boolean): void {
    for (const space of this.#call.keyspaces) space.keepsExpired = value;
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

/** CLIENT CACHING is for one command, or transaction, that is none of CLIENT. */
function endCaching(session: Session, command: Command<never> | null): void {
  if ((session.gate & GATE_MULTI) !== 0) return;
  if (command?.fullName.startsWith("client|") === true) return;
  session.tracking!.isCachingGiven = false;
}

/** Flags of a command; those of EXEC are those of what it will run. */
function flagsIn(session: Session, command: Command<never>): number {
  return command.fullName === "exec"
    ? session.transaction?.flags ?? 0
    : command.flags;
}

/** Whether a request was read ahead, and its key lies in a shard. */
function isReadFor(args: Arguments, shard: number): boolean {
  return args.command >= 0 && args.shard === shard && !args.hasBig;
}

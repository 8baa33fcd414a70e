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
 * Who holds which latches can be read here. What is done with them held stands in
 * command_runner.ts; other ways to it, in pipeline_runner.ts (several requests
 * under one latch), transaction_runner.ts (EXEC) and blocking/serving.ts.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import { latin1BytesOf } from "../../core/base/bytes.ts";
import { collectIfDue } from "../../core/base/young_buffers.ts";
import type { Call } from "../../core/commands/call.ts";
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
import { FEW_ARGUMENTS } from "../../core/commands/many_arguments.ts";
import type { EffectLog } from "../../core/keyspace/effect_log.ts";
import { mayBeLocked } from "../../core/keyspace/key_locks.ts";
import { LookAhead } from "../../core/keyspace/look_ahead.ts";
import type { ReadyKeys } from "../../core/keyspace/ready_keys.ts";
import {
  FLAG_KEY_LOCKS,
  SHARD_FLAGS,
} from "../../core/keyspace/shard_control.ts";
import type { ExternalStrings } from "../../core/memory/external.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import {
  type ErrorReply,
  NOT_IN_TRANSACTION,
  OUT_OF_MEMORY,
  TOO_LONG_FOR_LOG,
  unknownSubcommand,
  wrongNumberOfArguments,
} from "../../core/resp/error_reply.ts";
import { ReplyWriter } from "../../core/resp/reply_writer.ts";
import { beginWait } from "../blocking/registering.ts";
import { Serving } from "../blocking/serving.ts";
import { ROUTE_TO_OWNER } from "../latch/shard_flags.ts";
import type { Latches } from "../latch/shard_latches.ts";
import { takeReply } from "../messages/forwarding.ts";
import type { CommandLocks } from "../locks/command_locks.ts";
import type {
  AroundRun,
  InspectedCommand,
  TouchVisitor,
} from "../locks/locked_commands.ts";
import { CommandAccounts } from "./command_accounts.ts";
import { CommandRunner } from "./command_runner.ts";
import type { ExecutorPorts } from "./executor_ports.ts";
import type { WorkerGate } from "./gate.ts";
import { GatedRequests } from "./gated_requests.ts";
import { LongArguments } from "./long_arguments.ts";
import { KEYS_KEPT, LongCommands } from "./long_commands.ts";
import { LockAsking, LOCKS_FREE, LOCKS_PARKED } from "./lock_asking.ts";
import { DONE, HELD, PARKED } from "./outcome.ts";
import { PipelineRunner } from "./pipeline_runner.ts";
import { Rejections } from "./rejections.ts";
import { isHttp, RequestKeys, unknown } from "./request_keys.ts";
import { GATE_MULTI, Session } from "./session.ts";
import type { Tellings } from "./tellings.ts";
import { ToldCommands } from "./told_commands.ts";
import { TransactionRunner } from "./transaction_runner.ts";

/** What is replied to a command that EXEC will run. */
const QUEUED = latin1BytesOf("+QUEUED\r\n");

/** What arguments have together that are copied under latches. */
const LONG_REQUEST_BYTES = 512 * 1024;
/** What the names of keys have together that are compared in one hold. */
const NAMES_BYTES_MAX = 512 * 1024;
/** Commands of more keys delete about as many that have expired. */
const EXPIRIES_MAX = 64;

/** Runs requests; one object per worker. */
export class Executor<C extends Call> implements WorkerGate {
  /** Reasons to hold commands of this worker back, or to refuse them: gate.ts. */
  gate = 0;
  /** What commands that write are answered while the log cannot be written. */
  logRefusal: ErrorReply | null = null;
  /** Whether held commands are only those that write. */
  gateWritesOnly = false;
  /** Whether there are latches to hold: there are other workers. */
  readonly sharesLatches: boolean;
  /** Whether shards' flag words are ignored: this is the owner at work. */
  ignoresFlags = false;
  /** Whether what is run then may go on in slices nevertheless. */
  mayPark = false;
  /** Whether writes go on above `maxmemory`: they put back what was there. */
  ignoresLimit = false;
  /** What is kept account of about commands. */
  readonly accounts: CommandAccounts<C>;
  /** Runs requests of pipelines. */
  readonly pipelines: PipelineRunner<C>;
  readonly #table: CommandTable<C>;
  readonly #call: C;
  readonly #latches: Latches;
  readonly #ports: ExecutorPorts<C>;
  readonly #tellings: Tellings;
  readonly #effects: EffectLog;
  readonly #externals: ExternalStrings;
  readonly #runner: CommandRunner<C>;
  readonly #keys: RequestKeys<C>;
  readonly #asking: LockAsking<C>;
  readonly #lookAhead: LookAhead;
  readonly #ready: ReadyKeys;
  readonly #locks: CommandLocks;
  readonly #told: ToldCommands<C>;
  readonly #long: LongCommands<C>;
  readonly #transactions: TransactionRunner<C>;
  readonly #rejections: Rejections<C>;
  readonly #gated: GatedRequests<C>;
  readonly #serving: Serving<C>;
  readonly #longArguments: LongArguments<C>;
  /** The session while no command runs. */
  readonly #nobody = new Session({
    id: 0,
    nowMs: 0,
    address: "",
    localAddress: "",
    isUnix: false,
  });

  /** `call` is this worker's call. */
  constructor(
    table: CommandTable<C>,
    call: C,
    latches: Latches,
    ports: ExecutorPorts<C>,
  ) {
    const { locks, ready, records } = ports;
    this.#table = table;
    this.#call = call;
    this.#latches = latches;
    this.sharesLatches = latches.isShared;
    this.#ports = ports;
    this.#tellings = ports.tellings;
    this.#effects = call.effects;
    this.#externals = call.keyspaces[0]!.externals;
    this.#ready = ready;
    this.#locks = locks;
    const accounts = this.accounts = new CommandAccounts(call, ports);
    const runner = this.#runner = new CommandRunner(
      call,
      accounts,
      ports.process,
    );
    const keys = this.#keys = new RequestKeys(table, call);
    const longArguments = this.#longArguments = new LongArguments(call, keys);
    const lookAhead = this.#lookAhead = new LookAhead(
      call.keyspaces[0]!.arena.i32,
    );
    const own = { table, call, latches, locks, keys, runner, ports };
    const asking = this.#asking = new LockAsking({
      ...own,
      ready,
      addBig: ports.addBig,
      reserve: ports.reserve,
      settle: ports.settle,
      rest: ports.rest,
      process: ports.process,
    });
    const told = this.#told = new ToldCommands(this, locks, ports);
    this.#long = new LongCommands({ ...own, told });
    const transactions = this.#transactions = new TransactionRunner({
      ...own,
      asking,
      told,
    });
    const rejections = this.#rejections = new Rejections(
      call,
      accounts,
      transactions,
    );
    this.#gated = new GatedRequests({
      ...own,
      gate: this,
      told,
      transactions,
      rejections,
      dispatch: (command, handler) => this.#dispatch(command, handler),
      dispatchQueued: (session, command) =>
        this.#dispatchQueued(session, command),
    });
    const serving = this.#serving = new Serving(
      table,
      call,
      latches,
      ready,
      records,
      {
        fillKeys: (command) => keys.fill(command),
        run: (command) => this.#runServed(command),
        remember: (client, worker) => ports.remember(call, client, worker),
        mustDefer: (command, key) => asking.mustDefer(command, key),
        prepareLong: (command) => longArguments.prepare(command),
        forgetLong: () => longArguments.forget(),
        served: ports.served,
        servedLater: ports.servedLater,
      },
    );
    this.pipelines = new PipelineRunner({
      ...own,
      gate: this,
      lookAhead,
      serving,
    });
  }

  /** The reply to come of the command that was just parked. */
  get pending(): Promise<LateReply> | null {
    return this.#runner.pending;
  }

  /**
   * Whether that command may have read keys: that they have changed since must
   * be told behind its reply.
   */
  get pendingHasRead(): boolean {
    return this.#runner.pendingHasRead;
  }

  /** Whether the command at hand must have ended when it has run. */
  get isAtOnce(): boolean {
    return this.ignoresFlags && !this.mayPark && !this.#serving.isAtWork;
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
    // Once in a millisecond costs nothing.
    if (nowMs !== this.#call.nowMs) collectIfDue();
    this.#call.nowMs = nowMs;
    this.#call.clock.tell(nowMs);
    this.#externals.keepReady();
    this.accounts.timer.beginBatch();
  }

  /** Begins a batch of commands from the log: nothing expires by itself. */
  beginReplay(nowMs: number): void {
    this.beginBatch(nowMs);
    this.#call.nowMs = 0;
    this.#call.replayMs = nowMs;
  }

  /** Ends the batch. */
  endBatch(): void {
    this.accounts.timer.endBatch();
    this.#effects.drawTickets();
    this.#latches.checkNoneHeld();
    this.#call.session = this.#nobody;
    if (this.#tellings.batchCount !== 0) this.#tellings.publishBatch();
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
          : this.#gated.run(session, prepared);
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
      return this.#rejections.reject(null, unknown(args));
    }
    if (command.subcommands.length !== 0 && args.count > 1) {
      const sub = command.lookupSubcommand(
        args.source(1),
        args.off[1]!,
        args.length[1]!,
      );
      if (sub === undefined) {
        session.command = null;
        return this.#rejections.reject(
          command,
          unknownSubcommand(command.fullName, args.copy(1)),
        );
      }
      command = sub;
    }
    session.command = command;
    if (args.count < command.argcMin || args.count > command.argcMax) {
      return this.#rejections.reject(
        command,
        wrongNumberOfArguments(command.fullName),
      );
    }
    if ((session.gate | this.gate) !== 0) {
      return this.#gated.run(session, command);
    }
    return this.#dispatch(command);
  }

  #dispatch(
    command: Command<C>,
    handler: Handler<C> = command.run,
  ): number {
    const { args } = this.#call;
    return args.hasBig ||
        args.count > FEW_ARGUMENTS &&
          (args.count > command.argumentsMax ||
            args.bytesAtMost > LONG_REQUEST_BYTES)
      ? this.#dispatchLong(command, handler)
      : this.#dispatchNow(command, handler);
  }

  /** A command with long arguments, or very many. */
  #dispatchLong(command: Command<C>, handler: Handler<C>): number {
    if (!this.#longArguments.prepare(command)) {
      return this.#rejections.reject(command, TOO_LONG_FOR_LOG);
    }
    const outcome = this.#dispatchNow(command, handler);
    this.#longArguments.forget();
    return outcome;
  }

  #dispatchNow(command: Command<C>, handler: Handler<C>): number {
    const call = this.#call;
    if (
      (command.flags & FLAG.DENYOOM) !== 0 && !this.ignoresLimit &&
      !this.#ports.makeRoom()
    ) return this.#rejections.reject(command, OUT_OF_MEMORY);
    if (command.keyKind === KEY_KIND.SINGLE) {
      const args = call.args;
      if (args.command < 0) this.#keys.hashKey(command, args);
      const { shard } = args;
      this.#keys.takeHashed(args, shard, args.hash);
      this.#latches.acquire(shard);
      const { control } = call.keyspaces[shard]!;
      const flags = control[SHARD_FLAGS]!;
      if (
        flags !== 0 &&
        (flags !== FLAG_KEY_LOCKS || mayBeLocked(control, args.hash))
      ) return this.#runFlagged(command, handler);
      const outcome = this.#runner.run(command, handler);
      this.#latches.release(shard);
      return outcome;
    }
    if (command.keyKind === KEY_KIND.NONE) {
      call.keyCount = 0;
      return this.#runOnDatabases(command, handler);
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
    const ran = this.#runner.run(command, handler);
    this.#latches.release(shard);
    return ran;
  }

  #endAsking(command: Command<C>, outcome: number): number {
    return outcome === LOCKS_PARKED
      ? HELD
      : this.#rejections.reject(command, OUT_OF_MEMORY);
  }

  /** A command without keys of its own, that may have to wait for others'. */
  #runOnDatabases(command: Command<C>, handler: Handler<C>): number {
    this.#locks.hasParked = false;
    const outcome = this.#runner.run(command, handler);
    if (!this.#locks.hasParked) return outcome;
    this.#locks.hasParked = false;
    this.accounts.countCalls(command, -1);
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
        : this.#dispatch(command, this.#told.handlerOf(session, command));
    }
    if ((command.flags & FLAG.NO_MULTI) !== 0) {
      return this.#rejections.reject(command, NOT_IN_TRANSACTION);
    }
    if (
      (command.flags & FLAG.DENYOOM) !== 0 && !this.#ports.makeRoom()
    ) return this.#rejections.reject(command, OUT_OF_MEMORY);
    const { args, reply } = this.#call;
    if (args.command < 0 && command.keyKind === KEY_KIND.SINGLE) {
      this.#keys.hashKey(command, args);
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
    this.#runner.pendingHasRead = outcome === PARKED;
    if (outcome !== HELD) this.#told.show(this.#call, command);
    return outcome;
  }

  /** A command with any number of keys. */
  #runWide(command: Command<C>, handler: Handler<C>): number {
    const call = this.#call;
    const looksFurther = this.#keys.fill(command);
    const { readFirst } = command.spec;
    if (readFirst === undefined) {
      return this.#runFilled(command, handler, looksFurther);
    }
    readFirst(call);
    const outcome = this.#runFilled(command, handler, looksFurther);
    // It may have been parked instead.
    call.sortOptions = null;
    return outcome;
  }

  /** As {@linkcode #runWide}, when it is known which keys it has. */
  #runFilled(
    command: Command<C>,
    handler: Handler<C>,
    looksFurther: boolean,
  ): number {
    const call = this.#call;
    const count = call.keyCount;
    const haveMuch = call.args.bytesAtMost > NAMES_BYTES_MAX &&
      this.#keys.nameBytes > NAMES_BYTES_MAX;
    if (
      (haveMuch ||
        count * command.keyWeight > call.settings.backgroundThresholdKeys) &&
      !this.ignoresFlags && this.#long.beginMany(command, haveMuch)
    ) return PARKED;
    if (looksFurther) this.#latches.markAll();
    for (let i = 0; i < count; i++) {
      const key = call.key(i);
      this.#latches.mark(key.shard);
      this.#lookAhead.add(call.keyspaces[key.shard]!, call.db, key.hash);
    }
    this.#lookAhead.run();
    if (
      this.#lookAhead.bytes > 2 * call.settings.backgroundThresholdBytes &&
      command.spec.repliesValues === true && !this.ignoresFlags
    ) {
      this.#latches.unmark();
      if (this.#long.beginMany(command, true)) return PARKED;
      for (let i = 0; i < count; i++) this.#latches.mark(call.key(i).shard);
    }
    this.#latches.acquireMarked();
    const isBlocking = (command.flags & FLAG.BLOCKING) !== 0;
    const flags = this.#latches.wordsOfMarked(SHARD_FLAGS);
    if (flags !== 0) {
      const outcome = this.#asking.areFree(command, flags, looksFurther)
        ? LOCKS_FREE
        : this.#asking.ask(command, null, false, looksFurther);
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
      this.#longArguments.forget();
      this.#serving.serve();
      return this.#dispatch(command, handler);
    }
    const outcome =
      count > EXPIRIES_MAX && !isBlocking && command.isHeavy === undefined
        ? this.#runSparing(command, handler)
        : isBlocking
        ? this.#runBlocking(command, handler)
        : command.isHeavy === undefined || looksFurther
        ? this.#runner.run(command, handler)
        : this.#runHeavy(command, command.isHeavy, handler);
    this.#latches.releaseMarked();
    if (count > KEYS_KEPT) call.trimKeys(KEYS_KEPT);
    return outcome;
  }

  /**
   * A command of many keys, which if it only looks at them leaves most of those where
   * they are that have expired: to delete one takes several times as long.
   */
  #runSparing(command: Command<C>, handler: Handler<C>): number {
    const { keyspaces } = this.#call;
    if ((command.flags & FLAG.READONLY) !== 0) {
      const most = Math.ceil(EXPIRIES_MAX / keyspaces.length);
      for (const space of keyspaces) space.expiriesLeft = most;
    }
    const outcome = this.#runner.run(command, handler);
    for (const space of keyspaces) space.expiriesLeft = Infinity;
    return outcome;
  }

  /** A command that may take long: in the background then, if there is room. */
  #runHeavy(
    command: Command<C>,
    isHeavy: HeavyTest<C>,
    handler: Handler<C>,
  ): number {
    const mayBegin = !this.ignoresFlags && isHeavy(this.#call);
    return mayBegin && this.#long.beginInBackground(command, handler)
      ? PARKED
      : this.#runner.run(command, handler);
  }

  /** A command that may wait, which is decided under its keys' latches. */
  #runBlocking(command: Command<C>, handler: Handler<C>): number {
    const call = this.#call;
    call.waitKind = 0;
    const outcome = this.#runner.run(command, handler);
    if (call.waitKind === 0) return outcome;
    const { worker, records, blocked } = this.#ports;
    this.#runner.pending = beginWait(call, worker, records, blocked);
    this.#runner.pendingHasRead = false;
    call.waitKind = 0;
    if (this.#runner.pending === null) return DONE;
    return PARKED;
  }

  /** Runs a command that has waited; see {@linkcode ServingPorts.run}. */
  #runServed(command: Command<C>): Promise<LateReply> | null {
    const runner = this.#runner;
    // Those of the command that has given its key data.
    const { pending, pendingHasRead } = runner;
    const outcome = runner.run(command);
    const late = outcome === PARKED ? runner.pending : null;
    if (late !== null) this.#ports.keepArguments();
    runner.pending = pending;
    runner.pendingHasRead = pendingHasRead;
    return late;
  }

  /**
   * Runs what a command of very many keys is with one of them, in the name of a
   * session that is parked; it finds something, or replies an error. `unlock` is
   * called when the key's latch is held: then nobody else has it locked, unless it
   * returns false. Null if that is so, or others have waited for the key and have
   * been served: nothing has been done then.
   */
  runOfMany(
    session: Session,
    args: Arguments,
    nowMs: number,
    unlock: () => boolean,
  ): LateReply | Promise<LateReply> | null {
    const call = this.#call;
    const own = { session: call.session, args: call.args, reply: call.reply };
    const reply = new ReplyWriter();
    reply.resp = session.resp;
    // The name of the key may be long.
    reply.longs = own.reply.longs;
    reply.canStream = true;
    Object.assign(call, { session, args, reply });
    this.beginBatch(nowMs);
    const late = this.#runUnlocked(session.command as Command<C>, unlock);
    this.endBatch();
    Object.assign(call, own);
    return late;
  }

  #runUnlocked(
    command: Command<C>,
    unlock: () => boolean,
  ): LateReply | Promise<LateReply> | null {
    const call = this.#call;
    const { hasBig } = call.args;
    if (hasBig) this.#longArguments.prepare(command);
    const late = this.#runPrepared(command, unlock);
    if (hasBig) this.#longArguments.forget();
    return late;
  }

  #runPrepared(
    command: Command<C>,
    unlock: () => boolean,
  ): LateReply | Promise<LateReply> | null {
    const call = this.#call;
    this.#keys.fill(command);
    const { shard } = call.key(0);
    this.#latches.mark(shard);
    this.#latches.acquireMarked();
    const isBlocking = (command.flags & FLAG.BLOCKING) !== 0;
    const isFree = unlock();
    if (!isFree || isBlocking && this.#serving.isOvertaking()) {
      this.#latches.releaseMarked();
      this.#longArguments.forget();
      if (isFree) this.#serving.serve();
      return null;
    }
    call.waitKind = 0;
    const outcome = this.#runner.run(command);
    assert(call.waitKind === 0, "there is something");
    this.#latches.releaseMarked();
    if (outcome === PARKED) {
      this.#ports.keepArguments();
      return this.#runner.pending!;
    }
    // It is counted with the time that the search has taken.
    this.accounts.countCalls(command, -1);
    return takeReply(call.reply);
  }

  #forward(
    command: Command<C>,
    shard: number,
    handler: Handler<C>,
  ): number {
    const { session, args } = this.#call;
    this.#told.show(this.#call, command);
    this.#runner.pending = this.#ports.forward(session as Session, args, shard);
    if (this.#runner.pending !== null) {
      this.#runner.pendingHasRead = true;
      return PARKED;
    }
    this.ignoresFlags = true;
    const outcome = this.#dispatchNow(command, handler);
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
    if (outcome === PARKED) {
      assert(this.mayPark, "a forwarded command is a short one");
      this.#ports.keepArguments();
    }
    this.endBatch();
    this.ignoresFlags = false;
    this.#call.reply = own;
    return outcome;
  }

  /** As {@linkcode RequestKeys.ownerOf}, of a command from the log. */
  ownerOfLogged(args: Arguments): number {
    return this.#keys.ownerOf(args, this.#ports.workers);
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

  /** Answers a request that no command gets to see with an error. */
  refuse(session: Session, error: ErrorReply): void {
    this.#call.session = session;
    this.#rejections.reject(null, error);
  }
}

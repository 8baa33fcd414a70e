/**
 * Puts a worker together: what one thread has of its own, and its handles on
 * what all threads share.
 *
 * In stages, each of which needs only those before it when it is built:
 *
 * ```text
 * ground     settings, chance, clock, arena, latches, ways to the other workers
 * store      keyspaces, and those who are told of what happens in them
 * commands   the call, the executor, those who wait, the connections' context
 * long work  compute threads, changes in slices, values held for a while
 * shards     commands of other workers, snapshots, expiry, eviction
 * ```
 *
 * Parts know each other in circles: what a part calls of a later stage is looked
 * up when it is called, which is not before all stages are built.
 *
 * This is one of the two places (server.ts is the other) where real clocks,
 * timers and channels are put into the engine.
 *
 * @module
 */

import type { Command } from "../../core/commands/command_table.ts";
import { CHANGES } from "../../core/keyspace/counters.ts";
import { Prng } from "../../core/base/prng.ts";
import { AccessClock } from "../../core/keyspace/access_clock.ts";
import { EffectLog } from "../../core/keyspace/effect_log.ts";
import { keyspaceClass } from "../../core/keyspace/checked_keyspace.ts";
import type { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { ReadyKeys } from "../../core/keyspace/ready_keys.ts";
import { WaiterRecords } from "../../core/keyspace/waiter_records.ts";
import { Evictor } from "../../core/keyspace/evict.ts";
import { Arena, PAGE_BYTES } from "../../core/memory/arena.ts";
import { ExternalStrings } from "../../core/memory/external.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import { PagePool } from "../../core/memory/page_pool.ts";
import { Settings } from "../../core/settings/settings.ts";
import { AcknowledgementWaits } from "../../engine/blocking/acknowledgement_waits.ts";
import { BlockedSessions } from "../../engine/blocking/blocked_sessions.ts";
import { ServedReplies } from "../../engine/blocking/served_replies.ts";
import type { ComputePool } from "../../engine/compute/compute_pool.ts";
import { KeptHashes } from "../../engine/compute/kept_hashes.ts";
import type { ManyKeys } from "../../engine/compute/many_keys.ts";
import { SlicedChanges } from "../../engine/compute/sliced_changes.ts";
import {
  HOLD_FOR_JOB,
  HOLD_FOR_REPLY,
  HOLD_FOR_SLICES,
  HOLD_FOR_SNAPSHOT,
  ValueHolds,
} from "../../engine/compute/value_holds.ts";
import { Executor } from "../../engine/executor/executor.ts";
import { DONE } from "../../engine/executor/outcome.ts";
import {
  GATE_COLD,
  GATE_LOADING,
  GATES_STILL,
} from "../../engine/executor/gate.ts";
import { Forwarder } from "../../engine/executor/forwarder.ts";
import { GATE_TRACKING, guestSession } from "../../engine/executor/session.ts";
import { Tellings } from "../../engine/executor/tellings.ts";
import type { LockHandle, LockSpec } from "../../engine/locks/lock_spec.ts";
import { LockRules } from "../../engine/locks/lock_waits.ts";
import { Latches } from "../../engine/latch/shard_latches.ts";
import { SlowSteps } from "../../engine/latch/slow_steps.ts";
import {
  readForwardedReply,
  writeForwardedReply,
} from "../../engine/messages/forwarding.ts";
import { SERVED_RECORD } from "../../engine/messages/record_kinds.ts";
import { Bell } from "../../engine/messages/bell.ts";
import { Mesh } from "../../engine/messages/mesh.ts";
import { RingPorts } from "../../engine/messages/rings.ts";
import {
  ownerOf,
  PROCESS_SLOW_STEPS,
  type SharedState,
} from "../../engine/messages/shared_state.ts";
import { OwnLogWriting } from "../../engine/persistence/own_log_writing.ts";
import { WorkerLog } from "../../engine/persistence/worker_log.ts";
import { SnapshotSource } from "../../engine/persistence/snapshot_source.ts";
import { KeyNotifications } from "../../engine/pubsub/key_notifications.ts";
import { PubSub } from "../../engine/pubsub/pubsub.ts";
import { Prefixes } from "../../engine/tracking/prefixes.ts";
import { SessionTracking } from "../../engine/tracking/session_tracking.ts";
import { Trackers } from "../../engine/tracking/trackers.ts";
import { Tracking } from "../../engine/tracking/tracking.ts";
import { serveForwarded } from "../../engine/owner/forwarded_commands.ts";
import { Owner } from "../../engine/owner/owner.ts";
import { giveBackLate } from "./give_back.ts";
import { followSettings } from "./apply_settings.ts";
import { makeCommandTable } from "./command_groups.ts";
import { makeComputePool, makeManyKeys } from "./compute.ts";
import { KeptElements } from "../../core/commands/long_elements.ts";
import { answerClientQuestions } from "./commands/client.ts";
import { MainThread } from "./main_thread.ts";
import { type EventLoop, makeEventLoop } from "./network/event_loop.ts";
import { systemCalls, wakeWorker } from "./network/system_calls.ts";
import { guardDataFolder } from "./snapshot_requests.ts";
import type { FromWorker, WorkerStart } from "./thread_protocol.ts";
import { ServerCall } from "./server_call.ts";
import { answerServerQuestions } from "./server_questions.ts";
import { answerLockQuestions } from "./commands/locks.ts";
import { Monitors } from "./monitors.ts";
import { giveWay } from "./network/giving_way.ts";
import { refuseHttp } from "./http_refusal.ts";
import { noteLockWait, noteSlowCommand } from "./slow_log.ts";
import { WorkerContext } from "./worker_context.ts";
import { WorkerLocks } from "./worker_locks.ts";

/** Time between two rounds of the periodic work. */
const CRON_MS = 100;
/** To copy a value that is read takes as long as a command on so much less of it. */
const SMALL_SHARE = 2.5;

/** What a worker needs of its thread. */
export interface ThreadPorts {
  /** Tells the main thread; buffers in `transfer` go with the message. */
  tell(message: FromWorker, transfer?: ArrayBuffer[]): void;
  /** A bug: the process must not go on. */
  fail(cause: unknown): void;
  /** The data set is to stay as it is. */
  isStopping(): boolean;
}

/** A worker that has been put together. */
export interface AssembledWorker {
  /** What its connections work with. */
  readonly worker: WorkerContext;
  /** Its part of snapshots. */
  readonly source: SnapshotSource;
  /** Gives it compute threads. */
  readonly attachThreads: (ports: readonly MessagePort[]) => void;
}

/** Builds all that belongs to one worker, and starts what goes on by itself. */
export function assembleWorker(
  start: WorkerStart,
  ports: ThreadPorts,
): AssembledWorker {
  return new Assembly(start, ports).build();
}

const monotonicMs = (): number => performance.now();

class Assembly {
  readonly #start: WorkerStart;
  readonly #ports: ThreadPorts;
  readonly #id: number;
  readonly #shared: SharedState;
  // Ground.
  readonly #settings: Settings;
  readonly #counters: Float64Array;
  readonly #random: Prng;
  readonly #clock: AccessClock;
  readonly #arena: Arena;
  readonly #pool: PagePool;
  readonly #externals: ExternalStrings;
  readonly #process: Int32Array;
  readonly #effects: EffectLog;
  readonly #loop: EventLoop;
  readonly #rings: RingPorts;
  readonly #mesh: Mesh;
  readonly #latches: Latches;
  // Store.
  readonly #ready = new ReadyKeys(() => this.#keyspaces[0]!.heap);
  readonly #records: WaiterRecords;
  readonly #tellings = new Tellings();
  readonly #lockRules = new LockRules();
  /** Filled when those whom they tell are there, who know them too. */
  readonly #keyspaces: Keyspace[] = [];
  #tracking!: Tracking;
  #trackers!: Trackers;
  #pubsub!: PubSub;
  // Commands.
  readonly #table = makeCommandTable();
  #call!: ServerCall;
  #evictor!: Evictor;
  #blocked!: BlockedSessions;
  #servedReplies!: ServedReplies;
  #acknowledgements!: AcknowledgementWaits;
  #locks!: WorkerLocks;
  #executor!: Executor<ServerCall>;
  #monitors!: Monitors;
  #worker!: WorkerContext;
  // Long work.
  #computePool!: ComputePool<ServerCall>;
  #valueHolds!: ValueHolds;
  #keptHashes!: KeptHashes;
  #slicedChanges!: SlicedChanges;
  #manyKeys!: ManyKeys<ServerCall>;
  // Shards.
  #source!: SnapshotSource;

  /** Lays the ground. */
  constructor(start: WorkerStart, ports: ThreadPorts) {
    const { id, shared } = start;
    this.#start = start;
    this.#ports = ports;
    this.#id = id;
    this.#shared = shared;
    this.#settings = new Settings(start.host);
    this.#settings.applySnapshot(start.settings);
    this.#counters = new Float64Array(shared.counters[id]!);
    this.#random = new Prng(shared.hashSeed[0] ^ (id + 1));
    this.#clock = new AccessClock(this.#random);
    this.#arena = new Arena(shared.arena);
    const latched = shared.workers > 1;
    // Compute threads come and go, so the pool is never this worker's alone.
    this.#pool = new PagePool(
      this.#arena,
      latched || this.#settings.backgroundThreads > 0,
    );
    this.#externals = new ExternalStrings(this.#arena, this.#pool);
    this.#process = new Int32Array(shared.process);
    this.#records = new WaiterRecords(this.#arena, this.#externals);
    this.#effects = new EffectLog(shared.effects, id);
    const slow = start.checks
      ? new SlowSteps(this.#process, PROCESS_SLOW_STEPS, new Prng(id))
      : null;
    const bells = start.ports
      .map((_, worker) => new Bell(shared.bells, worker, wakeWorker));
    this.#loop = makeEventLoop(bells[id]!);
    this.#rings = new RingPorts(id, start.ports, shared.rings, bells);
    this.#mesh = new Mesh(id, this.#rings.ports, () => slow?.step());
    this.#latches = new Latches(
      shared.controls.map((buffer) => new Int32Array(buffer)),
      this.#counters,
      latched,
      start.checks,
      slow,
      systemCalls === null ? undefined : () => systemCalls!.threadMs(),
    );
  }

  build(): AssembledWorker {
    this.#makeTracking();
    this.#makeKeyspaces();
    this.#makeCall();
    this.#makeWaiting();
    this.#makeExecutor();
    this.#makeContext();
    this.#makeLongWork();
    this.#serveOthers();
    this.#makeSnapshots();
    this.#makeOwner();
    this.#begin();
    return {
      worker: this.#worker,
      source: this.#source,
      attachThreads: (ports) => this.#computePool.attach(ports),
    };
  }

  /** Those who keep what they have read, and are told when it changes. */
  #makeTracking(): void {
    const [mesh, keyspaces] = [this.#mesh, this.#keyspaces];
    const [latches, process] = [this.#latches, this.#process];
    const prefixes = new Prefixes({
      self: this.#id,
      workers: this.#shared.workers,
      keyspaces,
      hashSeed: this.#shared.hashSeed,
      latches,
      process,
    });
    this.#trackers = new Trackers({
      mesh,
      process,
      prefixes,
      receiver: (session) => this.#worker.connections.get(session) ?? null,
    });
    this.#tracking = new Tracking({
      mesh,
      keyspaces,
      latches,
      process,
      sent: new Int32Array(this.#shared.cacheRecords),
      tellings: this.#tellings,
      trackers: this.#trackers,
      prefixes,
      keysMax: () => this.#settings.trackingTableMaxKeys,
      writer: () => this.#call.session.id,
      random: () => this.#random.nextUint32(),
    });
  }

  /** A handle on every shard, and those who hear of events in them. */
  #makeKeyspaces(): void {
    const { hashSeed, slotShards } = this.#shared;
    const notifications = new KeyNotifications(
      this.#tellings,
      () => this.#keyspaces[0]!.heap,
    );
    const context = {
      arena: this.#arena,
      pool: this.#pool,
      counters: this.#counters,
      clock: this.#clock,
      random: this.#random,
      hashSeed,
      limits: this.#settings,
      events: notifications,
      caches: this.#tracking,
      ready: this.#ready,
      effects: this.#effects,
      saver: {
        save: (space: Keyspace, db: number, ref: number) =>
          this.#source.save(space, db, ref),
      },
      locks: this.#lockRules,
    };
    const KeyspaceClass = keyspaceClass(this.#start.checks);
    this.#shared.controls.forEach((control, shard) => {
      this.#keyspaces.push(
        new KeyspaceClass(context, new Int32Array(control), shard),
      );
    });
    this.#effects.heap = this.#keyspaces[0]!.heap;
    this.#pubsub = new PubSub({
      mesh: this.#mesh,
      keyspaces: this.#keyspaces,
      slotShards: new Uint16Array(slotShards),
      hashSeed,
      latches: this.#latches,
      process: this.#process,
    });
    notifications.pubsub = this.#pubsub;
  }

  #makeCall(): void {
    this.#call = new ServerCall({
      keyspaces: this.#keyspaces,
      slotShards: new Uint16Array(this.#shared.slotShards),
      hashSeed: this.#shared.hashSeed,
      settings: this.#settings,
      counters: this.#counters,
      clock: this.#clock,
      random: this.#random,
      latches: this.#latches,
      later: (run, delayMs) => {
        if (delayMs === 0) giveWay(this.#loop, () => run(Date.now()));
        else this.#later(() => run(Date.now()), delayMs);
      },
      inSlices: (space, db, key, change, args) =>
        this.#slicedChanges.begin(space, db, key, change, args),
      holdValue: (space, db, ref) =>
        this.#valueHolds.hold(space, db, ref, HOLD_FOR_REPLY),
      effects: this.#effects,
    });
    this.#evictor = new Evictor({
      keyspaces: this.#keyspaces,
      latches: this.#latches,
      settings: this.#settings,
      counters: this.#counters,
      clock: this.#clock,
      random: this.#random,
      pages: this.#pool,
      pageCount: this.#arena.capacityBytes / PAGE_BYTES,
      monotonicMs,
    });
  }

  /** Those who wait for keys to get data, and those who wait for locked ones. */
  #makeWaiting(): void {
    const commandOf = (session: number) =>
      this.#worker.connections.get(session)?.session.command ?? null;
    this.#blocked = new BlockedSessions({
      keyspaces: this.#keyspaces,
      latches: this.#latches,
      records: this.#records,
      ...{ monotonicMs, startTimer: this.#startTimer },
      countEnded: (session, error) =>
        this.#executor.accounts.countEnded(commandOf(session), error),
      rest: (run) => this.#loop.rest(run),
      giveBack: (undo, db, late) => giveBackLate(this.#worker, undo, db, late),
    });
    this.#servedReplies = new ServedReplies({
      worker: this.#id,
      blocked: this.#blocked,
      send: (to, session, reply) => {
        const writer = this.#mesh.record(to, SERVED_RECORD);
        writeForwardedReply(writer, session, reply);
      },
      monotonicMs,
      later: this.#later,
      soon: queueMicrotask,
    });
    this.#acknowledgements = new AcknowledgementWaits({
      ...{ monotonicMs, startTimer: this.#startTimer },
      countUnblocked: (session, error) =>
        this.#executor.accounts.countUnblocked(commandOf(session), error),
    });
    this.#locks = new WorkerLocks({
      id: this.#id,
      rules: this.#lockRules,
      call: this.#call,
      latches: this.#latches,
      mesh: this.#mesh,
      process: this.#process,
      externals: this.#externals,
      loop: this.#loop,
      executor: () => this.#executor,
      resume: (session) => this.#worker.connections.get(session.id)?.release(),
      settle: this.#settle,
      log: (text, level) => this.#worker.log(text, level),
    });
  }

  #makeExecutor(): void {
    const id = this.#id;
    const { workers } = this.#shared;
    const [mesh, evictor, tracking] = [
      this.#mesh,
      this.#evictor,
      this.#tracking,
    ];
    const forwarder = new Forwarder(mesh, this.#counters);
    this.#executor = new Executor(this.#table, this.#call, this.#latches, {
      monotonicMs,
      nowMs: Date.now,
      rest: (run) => this.#loop.rest(run),
      forward: (session, args, shard) => {
        const owner = ownerOf(shard, workers);
        return owner === id ? null : forwarder.forward(session, args, owner);
      },
      slow: (ended) => noteSlowCommand(this.#worker, ended),
      makeRoom: () => evictor.makeRoom(),
      addBig: (args, run, length) => this.#worker.addBig(args, run, length),
      freeBig: (args) => this.#worker.freeBig(args),
      refuseHttp: (session) => refuseHttp(this.#worker, session),
      locks: this.#locks.commands,
      reserve: this.#reserve,
      settle: this.#settle,
      waited: (command, waitedMs) =>
        noteLockWait(this.#worker, command, waitedMs),
      tellings: this.#tellings,
      remember: (call, client, to) => tracking.remember(call, client, to),
      show: (call, command) => this.#monitors.show(call, command),
      process: this.#process,
      worker: id,
      workers,
      ready: this.#ready,
      records: this.#records,
      blocked: this.#blocked,
      background: (command, call, positions, resp) =>
        this.#computePool.begin(command, call, positions, resp),
      served: (to, session, reply) =>
        this.#servedReplies.handOver(to, session, reply),
      servedLater: (to, session, late) => {
        this.#servedReplies.handOverLater(to, session, late)
          .catch(this.#ports.fail);
      },
      keepArguments: () => this.#worker.keepArguments(),
      manyKeys: (command, work, positions) =>
        this.#manyKeys.begin(command, work, positions),
    });
    this.#monitors = new Monitors(mesh, this.#executor);
  }

  #makeContext(): void {
    const { shared, configFile, host } = this.#start;
    const { tell, fail } = this.#ports;
    this.#worker = new WorkerContext({
      call: this.#call,
      blocked: this.#blocked,
      acknowledgements: this.#acknowledgements,
      executor: this.#executor,
      table: this.#table,
      peers: this.#mesh,
      pubsub: this.#pubsub,
      tracking: this.#tracking,
      monitors: this.#monitors,
      tellings: this.#tellings,
      durability: this.#makeDurability(),
      locks: this.#locks,
      shared,
      checks: this.#start.checks,
      externals: this.#externals,
      longs: new KeptElements(this.#keyspaces[0]!.heap),
      segments: this.#arena.u8,
      configFile,
      loop: this.#loop,
      nowMs: Date.now,
      log: (text, level = "notice") => tell({ kind: "log", level, text }),
      fail,
      shutdown: () => tell({ kind: "shutdown" }),
      main: new MainThread(tell),
      hostDir: host.dir,
      receive: () => this.#rings.receive(),
    });
  }

  #makeDurability(): WorkerLog {
    const { effects, logStatus, workers } = this.#shared;
    const log = new WorkerLog(this.#effects, effects, logStatus, this.#id);
    if (workers > 1 || systemCalls === null) return log;
    const calls = systemCalls;
    log.ownWriting = new OwnLogWriting(effects.rings[0]!, logStatus, {
      write: (descriptor, bytes, length, at) =>
        calls.writeAt(descriptor, bytes, length, at),
      sync: (descriptor) => calls.syncData(descriptor) === 0,
      monotonicMs: () => performance.now(),
    });
    return log;
  }

  /** As {@linkcode LockAskingParts.reserve}. */
  readonly #reserve = (
    space: Keyspace,
    db: number,
    key: Key,
    isAsked: boolean,
  ): boolean => {
    const isKept = this.#keptHashes.reserve(space, db, key, isAsked);
    return this.#source.reserve(space, db, key, isAsked) || isKept;
  };

  #makeLongWork(): void {
    const lock = (spec: LockSpec) => this.#tryLockHeld(spec);
    const settings = this.#settings;
    this.#computePool = makeComputePool(this.#worker, {
      latches: this.#latches,
      lock,
      hold: (space, db, ref) =>
        this.#valueHolds.hold(space, db, ref, HOLD_FOR_JOB),
      startThreads: () => this.#ports.tell({ kind: "compute" }),
      settle: this.#settle,
    });
    this.#valueHolds = new ValueHolds({
      smallMax: () => settings.backgroundThreshold * SMALL_SHARE,
      smallBytesMax: () => settings.backgroundThresholdBytes,
      canCopy: () => settings.backgroundThreads > 0,
      lock,
      isWaitedFor: ({ id }) => {
        const { manager } = this.#locks;
        const handle = manager.handle(id);
        return handle !== undefined && manager.isWaitedFor(handle);
      },
      copyValue: (space, db, name, root, done) =>
        this.#computePool.copyValue(space, db, name, root, done),
      monotonicMs,
      later: this.#later,
    });
    this.#keptHashes = new KeptHashes({
      hold: (space, db, ref) =>
        this.#valueHolds.hold(space, db, ref, HOLD_FOR_SLICES),
      later: this.#later,
    });
    this.#slicedChanges = new SlicedChanges({
      latches: this.#latches,
      effects: this.#effects,
      process: this.#process,
      counters: this.#counters,
      isAtOnce: () => this.#executor.isAtOnce,
      lock,
      monotonicMs,
      later: this.#later,
      takeCompared: () => this.#call.takeCompared(),
      freeBig: (args) => this.#worker.freeBig(args),
      settle: this.#settle,
      session: () => this.#call.session,
      inNameOf: (session, run) => {
        const call = this.#call;
        const { session: own } = call;
        call.session = session;
        try {
          return run();
        } finally {
          call.session = own;
        }
      },
      charge: (session, called, args, microseconds, error) => {
        const command = called as Command<ServerCall>;
        const ended = { command, args, session, microseconds };
        this.#executor.accounts.chargeLate(ended, error);
      },
    });
    this.#manyKeys = makeManyKeys(this.#worker, {
      ...{ latches: this.#latches, waits: this.#lockRules.waits!, lock },
      reserve: this.#reserve,
      settle: this.#settle,
      runJob: (job, take) => this.#computePool.runLocked(job, take),
      waiting: {
        worker: this.#id,
        keyspaces: this.#keyspaces,
        latches: this.#latches,
        records: this.#records,
        blocked: this.#blocked,
      },
    });
    this.#worker.completeSlices = () => {
      this.#slicedChanges.completeAll();
      this.#manyKeys.completeAll();
    };
    this.#worker.keepArguments = () => this.#slicedChanges.keepArguments();
  }

  #tryLockHeld(spec: LockSpec): LockHandle | null {
    try {
      return this.#locks.manager.tryLockHeld(spec);
    } catch (cause) {
      if (cause instanceof OutOfMemory) return null;
      throw cause;
    }
  }

  /** What other workers send here. */
  #serveOthers(): void {
    const worker = this.#worker;
    this.#mesh.handle(SERVED_RECORD, (_from, reader) => {
      const session = reader.u32();
      this.#blocked.served(session, readForwardedReply(reader));
    });
    serveForwarded(this.#mesh, {
      sessionOf: (command) => {
        const session = guestSession(command.session);
        session.db = command.db;
        session.resp = command.resp;
        session.noTouch = command.noTouch;
        if (command.cacheWorker >= 0) {
          session.gate |= GATE_TRACKING;
          session.tracking = new SessionTracking();
          session.tracking.isOn = true;
          session.tracking.worker = command.cacheWorker;
        }
        return session;
      },
      run: (session, args, reply) => {
        const isDone = this.#executor.runForwarded(
          session,
          args,
          reply,
          Date.now(),
        ) === DONE;
        worker.planLook();
        return isDone;
      },
      addBig: (args, run, length) => worker.addBig(args, run, length),
      freeBig: (args) => worker.freeBig(args),
    });
  }

  #makeSnapshots(): void {
    const worker = this.#worker;
    this.#source = new SnapshotSource({
      worker: this.#id,
      keyspaces: this.#keyspaces,
      owned: this.#owned(),
      latches: this.#latches,
      clock: this.#clock,
      process: this.#process,
      nextTicket: (cutsLog) => worker.durability.cut(cutsLog),
      changes: () => worker.statistics.sum(CHANGES),
      hold: (space, db, ref) =>
        this.#valueHolds.hold(space, db, ref, HOLD_FOR_SNAPSHOT),
      monotonicMs,
      later: this.#later,
      report: (report) => {
        const transfer = report.step === "piece"
          ? [report.piece.bytes.buffer as ArrayBuffer]
          : [];
        this.#ports.tell({ kind: "snapshot", report }, transfer);
      },
    });
  }

  #makeOwner(): void {
    this.#worker.owner = new Owner({
      evictor: this.#evictor,
      keyspaces: this.#owned(),
      latches: this.#latches,
      settings: this.#settings,
      counters: this.#counters,
      effects: this.#effects,
      isPaused: () =>
        this.#ports.isStopping() || (this.#executor.gate & GATES_STILL) !== 0,
      nowMs: Date.now,
      monotonicMs,
      publishEvents: this.#settle,
      later: this.#later,
    });
  }

  #owned(): Keyspace[] {
    const { workers } = this.#shared;
    return this.#keyspaces
      .filter(({ shard }) => ownerOf(shard, workers) === this.#id);
  }

  readonly #later = (run: () => void, delayMs: number): void =>
    this.#loop.later(run, delayMs);

  readonly #startTimer = (run: () => void, delayMs: number): () => void =>
    this.#loop.startTimer(run, delayMs);

  /** Serves keys that are ready, and tells of what has happened. */
  readonly #settle = (): void => {
    const tellings = this.#tellings;
    this.#executor.serveReady(Date.now());
    if (tellings.count !== 0) tellings.publish();
    if (tellings.batchCount !== 0) tellings.publishBatch();
    this.#worker.planLook();
  };

  /** What goes on by itself. */
  #begin(): void {
    const worker = this.#worker;
    if (this.#start.isLoading) this.#executor.gate |= GATE_LOADING;
    if (worker.settings.warmUp) this.#executor.gate |= GATE_COLD;
    followSettings(worker);
    guardDataFolder(worker);
    answerServerQuestions(worker);
    answerClientQuestions(worker);
    answerLockQuestions(worker);
    worker.owner!.start();
    const hear = () => {
      this.#rings.receive();
      worker.durability.onRung();
    };
    this.#loop.start(hear);
    const cron = () => {
      worker.cron();
      // A bell that was not heard costs a moment, and never a hang.
      hear();
      this.#later(cron, CRON_MS);
    };
    this.#later(cron, CRON_MS);
  }
}

/**
 * A worker: one thread with its listeners, connections and executor, and a
 * handle on every shard.
 *
 * This file is the entry of the thread and one of the two places (server.ts is
 * the other) where real clocks, sockets and channels are put into the engine.
 *
 * @module
 */
/// <reference lib="deno.worker" />

import type { Command } from "../../core/commands/command_table.ts";
import { emptyDatabases } from "../../core/commands/databases.ts";
import { CHANGES } from "../../core/keyspace/counters.ts";
import { Prng } from "../../core/base/prng.ts";
import { AccessClock } from "../../core/keyspace/access_clock.ts";
import { EffectLog } from "../../core/keyspace/effect_log.ts";
import { CheckedKeyspace } from "../../core/keyspace/checked_keyspace.ts";
import { Keyspace } from "../../core/keyspace/keyspace.ts";
import { ReadyKeys } from "../../core/keyspace/ready_keys.ts";
import { WaiterRecords } from "../../core/keyspace/waiter_records.ts";
import { Evictor } from "../../core/keyspace/evict.ts";
import { Arena, PAGE_BYTES } from "../../core/memory/arena.ts";
import { ExternalStrings } from "../../core/memory/external.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import { PagePool } from "../../core/memory/page_pool.ts";
import { Settings } from "../../core/settings/settings.ts";
import { BlockedSessions } from "../../engine/blocking/blocked_sessions.ts";
import { SlicedChanges } from "../../engine/compute/sliced_changes.ts";
import {
  HOLD_FOR_REPLY,
  HOLD_FOR_SNAPSHOT,
  ValueHolds,
} from "../../engine/compute/value_holds.ts";
import { Executor } from "../../engine/executor/executor.ts";
import { DONE } from "../../engine/executor/outcome.ts";
import { GATE_LOADING, GATES_STILL } from "../../engine/executor/gate.ts";
import { Forwarder } from "../../engine/executor/forwarder.ts";
import { GATE_TRACKING, guestSession } from "../../engine/executor/session.ts";
import { Tellings } from "../../engine/executor/tellings.ts";
import type { LockSpec } from "../../engine/locks/lock_spec.ts";
import { LockRules } from "../../engine/locks/lock_waits.ts";
import { Latches } from "../../engine/latch/shard_latches.ts";
import { SlowSteps } from "../../engine/latch/slow_steps.ts";
import {
  readForwardedReply,
  takeReply,
  writeForwardedReply,
} from "../../engine/messages/forwarding.ts";
import { SERVED_RECORD } from "../../engine/messages/record_kinds.ts";
import { Mesh } from "../../engine/messages/mesh.ts";
import { RingPorts } from "../../engine/messages/rings.ts";
import {
  ownerOf,
  PROCESS_SLOW_STEPS,
  PROCESS_TCP_PORT,
} from "../../engine/messages/shared_state.ts";
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
import { beginComputing, makeComputePool } from "./compute.ts";
import { answerClientQuestions } from "./commands/client.ts";
import { DenoDisk } from "./deno_disk.ts";
import { MainThread } from "./main_thread.ts";
import { loadShare } from "./rdb_loading.ts";
import {
  followSnapshots,
  guardDataFolder,
  shutDown,
} from "./snapshot_requests.ts";
import { answerLockQuestions } from "./commands/locks.ts";
import { Listeners } from "./listener.ts";
import { Monitors } from "./monitors.ts";
import { LogLink } from "./log_link.ts";
import { ServerCall } from "./server_call.ts";
import { answerServerQuestions } from "./server_questions.ts";
import { noteLockWait, noteSlowCommand } from "./slow_log.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./thread_protocol.ts";
import { WorkerContext } from "./worker_context.ts";
import { WorkerLocks } from "./worker_locks.ts";

/** Time between two rounds of the periodic work. */
const CRON_MS = 100;
/** Time that connections get to take their last replies. */
const DRAIN_MS = 1000;

let worker: WorkerContext | null = null;
let listeners: Listeners | null = null;
let attachThreads: (ports: readonly MessagePort[]) => void = () => {};
let source: SnapshotSource | null = null;
/** The data set is to stay as it is: nothing is deleted by itself any more. */
let isStopping = false;

function tell(message: FromWorker): void {
  self.postMessage(message);
}

self.onmessage = (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  switch (message.kind) {
    case "start":
      worker = begin(message);
      listeners = new Listeners(worker);
      return tell({ kind: "ready" });
    case "compute":
      return beginComputing(message, tell);
    case "threads":
      return attachThreads(message.ports);
    case "log":
      return connectLog(message.port);
    case "unlog":
      return disconnectLog();
    case "listen":
      return listen(message.port, message.unix);
    case "snapshot":
      return source!.order(message.order);
    case "answer":
      return worker!.main.answered(message.id, message.answer);
    case "gate":
      return setGate(message.set, message.clear);
    case "load":
      loadShare(worker!, new DenoDisk(), message.job)
        .then((outcome) => tell({ kind: "loaded", outcome }));
      return;
    case "empty":
      emptyDatabases(worker!.call, false);
      return tell({ kind: "emptied" });
    case "facts":
      return followSnapshots(worker!);
    case "shutdown":
      return shutDown(worker!, message.force);
    case "stop":
      return stop();
  }
};

function connectLog(port: MessagePort): void {
  const link = new LogLink(worker!, port);
  worker!.logLink = worker!.durability.link = link;
  worker!.followSyncPolicy();
}

/** The first worker that is told ends the log for all. */
async function disconnectLog(): Promise<void> {
  const { durability, call, logLink } = worker!;
  call.latches.acquireAll();
  durability.end();
  call.latches.releaseAll();
  await logLink!.close();
  worker!.logLink = durability.link = null;
  worker!.refuseWrites(null);
  worker!.followSyncPolicy();
  tell({ kind: "unlogged" });
}

function setGate(set: number, clear: number): void {
  const { executor } = worker!;
  executor.gate = executor.gate & ~clear | set;
  // Not right away: a connection may be at work.
  if (clear !== 0) queueMicrotask(() => worker!.releaseHeld());
  tell({ kind: "gated" });
}

function listen(port: number, unix: boolean): void {
  const { settings, shared } = worker!;
  try {
    const bound = port < 0
      ? port
      : listeners!.listenTcp(port, shared.workers > 1);
    if (unix) {
      listeners!.listenUnix(settings.unixsocket, settings.unixsocketperm);
    }
    if (bound >= 0) worker!.process[PROCESS_TCP_PORT] = bound;
    tell({ kind: "listening", port: bound });
  } catch (cause) {
    tell({
      kind: "failed",
      text: cause instanceof Error ? cause.message : String(cause),
    });
  }
}

function stop(): void {
  isStopping = true;
  listeners!.close();
  const connections = worker!.connections;
  for (const connection of [...connections.values()]) {
    connection.closeAfterReplies();
  }
  const deadlineMs = Date.now() + DRAIN_MS;
  const timer = setInterval(() => {
    const isBusy = connections.size > 0 || worker!.durability.isCongested;
    if (isBusy && Date.now() < deadlineMs) return;
    clearInterval(timer);
    for (const connection of [...connections.values()]) connection.close();
    tell({ kind: "stopped" });
  }, 5);
}

/** Builds everything that belongs to one worker. */
function begin(start: WorkerStart): WorkerContext {
  const { id, shared } = start;
  const settings = new Settings(start.host);
  settings.applySnapshot(start.settings);
  const counters = new Float64Array(shared.counters[id]!);
  const random = new Prng(shared.hashSeed[0] ^ (id + 1));
  const clock = new AccessClock(random);
  const arena = new Arena(shared.arena);
  const tellings = new Tellings();
  const latched = shared.workers > 1;
  // Compute threads come and go, so the pool is never this worker's alone.
  const pool = new PagePool(arena, latched || settings.backgroundThreads > 0);
  const controls = shared.controls.map((buffer) => new Int32Array(buffer));
  const ready = new ReadyKeys();
  const records = new WaiterRecords(arena);
  const effects = new EffectLog(shared.effects, id);
  const process = new Int32Array(shared.process);
  const slow = start.checks
    ? new SlowSteps(process, PROCESS_SLOW_STEPS, new Prng(id))
    : null;
  const rings = new RingPorts(
    id,
    start.ports,
    shared.rings,
    (run) => setImmediate(run),
  );
  const mesh = new Mesh(id, rings.ports, () => slow?.step());
  // Keyspaces tell them, and they are made of keyspaces.
  const keyspaces: Keyspace[] = [];
  const latches = new Latches(
    controls,
    counters,
    latched,
    start.checks,
    slow,
  );
  const prefixes = new Prefixes({
    self: id,
    workers: shared.workers,
    keyspaces,
    hashSeed: shared.hashSeed,
    latches,
    process,
  });
  const trackers = new Trackers({
    mesh,
    process,
    prefixes,
    receiver: (session) => made.connections.get(session) ?? null,
  });
  const tracking = new Tracking({
    mesh,
    keyspaces,
    latches,
    process,
    sent: new Int32Array(shared.cacheRecords),
    tellings,
    trackers,
    prefixes,
    keysMax: () => settings.trackingTableMaxKeys,
    writer: () => call.session.id,
    random: () => random.nextUint32(),
  });
  const notifications = new KeyNotifications(tellings);
  const context = {
    arena,
    pool,
    counters,
    clock,
    random,
    hashSeed: shared.hashSeed,
    limits: settings,
    events: notifications,
    caches: tracking,
    ready,
    effects,
    saver: {
      save: (space: Keyspace, db: number, ref: number) =>
        source!.save(space, db, ref),
    },
    locks: new LockRules(),
  };
  const KeyspaceKind = start.checks ? CheckedKeyspace : Keyspace;
  controls.forEach((control, shard) => {
    keyspaces.push(new KeyspaceKind(context, control, shard));
  });
  const call: ServerCall = new ServerCall({
    keyspaces,
    slotShards: new Uint16Array(shared.slotShards),
    hashSeed: shared.hashSeed,
    settings,
    counters,
    clock,
    random,
    latches,
    later: (run, delayMs) => setTimeout(() => run(Date.now()), delayMs),
    inSlices: (space, db, key, change, args) =>
      slicedChanges.begin(space, db, key, change, args),
    holdValue: (space, db, ref) =>
      valueHolds.hold(space, db, ref, HOLD_FOR_REPLY),
    effects,
  });
  const evictor = new Evictor({
    keyspaces,
    latches,
    settings,
    counters,
    clock,
    random,
    pages: pool,
    pageCount: arena.capacityBytes / PAGE_BYTES,
    monotonicMs: () => performance.now(),
  });
  const pubsub = new PubSub({
    mesh,
    keyspaces,
    slotShards: call.slotShards,
    hashSeed: shared.hashSeed,
    latches,
    process,
  });
  notifications.pubsub = pubsub;
  const externals = new ExternalStrings(arena, pool);
  const forwarder = new Forwarder(mesh, counters);
  const table = makeCommandTable();
  const blocked = new BlockedSessions({
    keyspaces,
    latches,
    records,
    monotonicMs: () => performance.now(),
    startTimer: (run, delayMs) => {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
    countEnded: (session, error) => {
      const command = made.connections.get(session)?.session.command ?? null;
      executor.accounts.countEnded(command, error);
    },
    giveBack: (undo, db, late) => giveBackLate(made, undo, db, late),
  });
  const settle = () => {
    executor.serveReady(Date.now());
    if (tellings.count !== 0) tellings.publish();
    if (tellings.batchCount !== 0) tellings.publishBatch();
    made.planLook();
  };
  const locks: WorkerLocks = new WorkerLocks({
    id,
    rules: context.locks,
    call,
    latches,
    mesh,
    process: new Int32Array(shared.process),
    externals,
    executor: () => executor,
    resume: (session) => made.connections.get(session.id)?.release(),
    settle,
    log: (text, level) => made.log(text, level),
  });
  const executor: Executor<ServerCall> = new Executor(table, call, latches, {
    monotonicMs: () => performance.now(),
    forward: (session, args, shard) => {
      const owner = ownerOf(shard, shared.workers);
      return owner === id ? null : forwarder.forward(session, args, owner);
    },
    slow: (ended) => noteSlowCommand(made, ended),
    makeRoom: () => evictor.makeRoom(),
    addBig: (args, run, length) => made.addBig(args, run, length),
    freeBig: (args) => made.freeBig(args),
    locks: locks.commands,
    reserve: (space, db, key, isAsked) =>
      source!.reserve(space, db, key, isAsked),
    settle,
    waited: (command, waitedMs) => noteLockWait(made, command, waitedMs),
    tellings,
    remember: (call, client, to) => tracking.remember(call, client, to),
    show: (call, command) => monitors.show(call, command),
    process,
    worker: id,
    workers: shared.workers,
    ready,
    records,
    blocked,
    background: (command, call, positions, resp) =>
      computePool.begin(command, call, positions, resp),
    served: (to, session, reply) => {
      if (to !== id) {
        const writer = mesh.record(to, SERVED_RECORD);
        return writeForwardedReply(writer, session, reply);
      }
      const late = takeReply(reply);
      // Latches are held.
      queueMicrotask(() => blocked.served(session, late));
    },
  });
  const monitors = new Monitors(mesh, executor);
  mesh.handle(SERVED_RECORD, (_from, reader) => {
    const session = reader.u32();
    blocked.served(session, readForwardedReply(reader));
  });
  const made: WorkerContext = new WorkerContext({
    call,
    blocked,
    executor,
    table,
    peers: mesh,
    pubsub,
    tracking,
    monitors,
    tellings,
    durability: new WorkerLog(effects, shared.effects, shared.logStatus, id),
    locks,
    shared,
    externals,
    segments: arena.u8,
    configFile: start.configFile,
    nowMs: Date.now,
    log: (text, level = "notice") => tell({ kind: "log", level, text }),
    fail,
    shutdown: () => tell({ kind: "shutdown" }),
    main: new MainThread(tell),
    hostDir: start.host.dir,
  });
  const tryLockHeld = (spec: LockSpec) => {
    try {
      return locks.manager.tryLockHeld(spec);
    } catch (cause) {
      if (cause instanceof OutOfMemory) return null;
      throw cause;
    }
  };
  const computePool = makeComputePool(made, {
    latches,
    lock: tryLockHeld,
    startThreads: () => tell({ kind: "compute" }),
    settle,
  });
  const valueHolds: ValueHolds = new ValueHolds({
    smallMax: () =>
      settings.backgroundThreads === 0
        ? Infinity
        : settings.backgroundThreshold,
    smallBytesMax: () => settings.backgroundThresholdBytes,
    lock: tryLockHeld,
    isWaitedFor: ({ id }) => {
      const handle = locks.manager.handle(id);
      return handle !== undefined && locks.manager.waitersOf(handle) > 0;
    },
    copyValue: (space, db, name, done) =>
      computePool.copyValue(space, db, name, done),
    monotonicMs: () => performance.now(),
    later: (run, delayMs) => setTimeout(run, delayMs),
  });
  const slicedChanges: SlicedChanges = new SlicedChanges({
    latches,
    effects,
    process,
    counters,
    isAtOnce: () => executor.ignoresFlags,
    lock: tryLockHeld,
    fillKey: (key, name) => call.fillKey(key, name, 0, name.length),
    monotonicMs: () => performance.now(),
    later: (run, delayMs) => setTimeout(run, delayMs),
    freeBig: (args) => made.freeBig(args),
    settle,
    session: () => call.session,
    charge: (session, called, args, microseconds) => {
      const command = called as Command<ServerCall>;
      executor.accounts.chargeLate({ command, args, session, microseconds });
    },
  });
  made.completeSlices = () => slicedChanges.completeAll();
  attachThreads = (ports) => computePool.attach(ports);
  serveForwarded(mesh, {
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
      const isDone = executor.runForwarded(
        session,
        args,
        reply,
        Date.now(),
      ) === DONE;
      made.planLook();
      return isDone;
    },
    addBig: (args, run, length) => made.addBig(args, run, length),
    freeBig: (args) => made.freeBig(args),
  });
  const owned = keyspaces.filter((space) =>
    ownerOf(space.shard, shared.workers) === id
  );
  source = new SnapshotSource({
    worker: id,
    keyspaces,
    owned,
    latches,
    clock,
    process: made.process,
    nextTicket: (cutsLog) => made.durability.cut(cutsLog),
    changes: () => made.statistics.sum(CHANGES),
    hold: (space, db, ref) =>
      valueHolds.hold(space, db, ref, HOLD_FOR_SNAPSHOT),
    monotonicMs: () => performance.now(),
    later: (run, delayMs) => setTimeout(run, delayMs),
    report: (report) => {
      const transfer = report.step === "piece"
        ? [report.piece.bytes.buffer as ArrayBuffer]
        : [];
      self.postMessage({ kind: "snapshot", report }, transfer);
    },
  });
  made.owner = new Owner({
    evictor,
    keyspaces: owned,
    latches,
    settings,
    counters,
    effects,
    isPaused: () => isStopping || (executor.gate & GATES_STILL) !== 0,
    nowMs: Date.now,
    monotonicMs: () => performance.now(),
    publishEvents: settle,
    later: (run, delayMs) => setTimeout(run, delayMs),
  });
  if (start.isLoading) executor.gate |= GATE_LOADING;
  followSettings(made);
  guardDataFolder(made);
  answerServerQuestions(made);
  answerClientQuestions(made);
  answerLockQuestions(made);
  made.owner.start();
  rings.start();
  setInterval(() => {
    made.cron();
    // A bell that was not heard costs a moment, and never a hang.
    rings.receive();
  }, CRON_MS);
  return made;
}

/** A bug: the process must not go on, and must say why. */
function fail(cause: unknown): void {
  // Thrown outside of any promise, so that the main thread's onerror sees it.
  setTimeout(() => {
    throw cause;
  }, 0);
}

self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail((event as PromiseRejectionEvent).reason);
});

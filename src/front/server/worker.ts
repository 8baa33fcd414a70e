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

import { Prng } from "../../core/base/prng.ts";
import { AccessClock } from "../../core/keyspace/access_clock.ts";
import { Keyspace } from "../../core/keyspace/keyspace.ts";
import { ReadyKeys } from "../../core/keyspace/ready_keys.ts";
import { WaiterRecords } from "../../core/keyspace/waiter_records.ts";
import { Evictor } from "../../core/keyspace/evict.ts";
import { Arena, PAGE_BYTES } from "../../core/memory/arena.ts";
import { ExternalStrings } from "../../core/memory/external.ts";
import { PagePool } from "../../core/memory/page_pool.ts";
import { Settings } from "../../core/settings/settings.ts";
import { BlockedSessions } from "../../engine/blocking/blocked_sessions.ts";
import { Executor } from "../../engine/executor/executor.ts";
import { Forwarder } from "../../engine/executor/forwarder.ts";
import { Session } from "../../engine/executor/session.ts";
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
import { KeyNotifications } from "../../engine/pubsub/key_notifications.ts";
import { PubSub } from "../../engine/pubsub/pubsub.ts";
import { serveForwarded } from "../../engine/owner/forwarded_commands.ts";
import { Owner } from "../../engine/owner/owner.ts";
import { giveBackLate } from "./give_back.ts";
import { followSettings } from "./apply_settings.ts";
import { makeCommandTable } from "./command_groups.ts";
import { answerClientQuestions } from "./commands/client.ts";
import { Listeners } from "./listener.ts";
import { ServerCall } from "./server_call.ts";
import { answerServerQuestions } from "./server_questions.ts";
import { noteSlowCommand } from "./slow_log.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./thread_protocol.ts";
import { WorkerContext } from "./worker_context.ts";

/** Time between two rounds of the periodic work. */
const CRON_MS = 100;
/** Time that connections get to take their last replies. */
const DRAIN_MS = 1000;

let worker: WorkerContext | null = null;
let listeners: Listeners | null = null;

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
    case "listen":
      return listen(message.port, message.unix);
    case "stop":
      return stop();
  }
};

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
  listeners!.close();
  const connections = worker!.connections;
  for (const connection of [...connections.values()]) {
    connection.closeAfterReplies();
  }
  const deadlineMs = Date.now() + DRAIN_MS;
  const timer = setInterval(() => {
    if (connections.size > 0 && Date.now() < deadlineMs) return;
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
  const notifications = new KeyNotifications();
  const latched = shared.workers > 1;
  const pool = new PagePool(arena, latched);
  const controls = shared.controls.map((buffer) => new Int32Array(buffer));
  const ready = new ReadyKeys();
  const records = new WaiterRecords(arena);
  const context = {
    arena,
    pool,
    counters,
    clock,
    random,
    hashSeed: shared.hashSeed,
    limits: settings,
    events: notifications,
    ready,
  };
  const keyspaces = controls.map((control, shard) =>
    new Keyspace(context, control, shard)
  );
  const process = new Int32Array(shared.process);
  const slow = start.checks
    ? new SlowSteps(process, PROCESS_SLOW_STEPS, new Prng(id))
    : null;
  const latches = new Latches(
    controls,
    counters,
    latched,
    start.checks,
    slow,
  );
  const call = new ServerCall({
    keyspaces,
    slotShards: new Uint16Array(shared.slotShards),
    hashSeed: shared.hashSeed,
    settings,
    counters,
    clock,
    random,
    latches,
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
  const rings = new RingPorts(
    id,
    start.ports,
    shared.rings,
    (run) => setImmediate(run),
  );
  const mesh = new Mesh(id, rings.ports, () => latches.step());
  const pubsub = new PubSub({
    mesh,
    keyspaces,
    slotShards: call.slotShards,
    hashSeed: shared.hashSeed,
    latches,
    process,
  });
  notifications.pubsub = pubsub;
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
      executor.countEnded(command, error);
    },
    giveBack: (undo, db, late) => giveBackLate(made, undo, db, late),
  });
  const executor: Executor<ServerCall> = new Executor(table, call, latches, {
    monotonicMs: () => performance.now(),
    forward: (session, args, shard) => {
      const owner = ownerOf(shard, shared.workers);
      return owner === id ? null : forwarder.forward(session, args, owner);
    },
    slow: (command, microseconds) =>
      noteSlowCommand(made, command, microseconds),
    makeRoom: () => evictor.makeRoom(),
    addBig: (args, run, length) => made.addBig(args, run, length),
    freeBig: (args) => made.freeBig(args),
    events: notifications,
    worker: id,
    ready,
    records,
    blocked,
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
    shared,
    externals: new ExternalStrings(arena, pool),
    segments: arena.u8,
    configFile: start.configFile,
    nowMs: Date.now,
    log: (text, level = "notice") => tell({ kind: "log", level, text }),
    fail,
    shutdown: () => tell({ kind: "shutdown" }),
  });
  serveForwarded(mesh, {
    run: (command, args, reply) => {
      const session = guest(command.request);
      session.db = command.db;
      session.resp = command.resp;
      session.noTouch = command.noTouch;
      executor.runForwarded(session, args, reply, Date.now());
    },
    addBig: (args, run, length) => made.addBig(args, run, length),
    freeBig: (args) => made.freeBig(args),
  });
  made.owner = new Owner({
    evictor,
    keyspaces: keyspaces.filter((space) =>
      ownerOf(space.shard, shared.workers) === id
    ),
    latches,
    settings,
    counters,
    isPaused: () => executor.gate !== 0,
    nowMs: Date.now,
    monotonicMs: () => performance.now(),
    publishEvents: () => {
      executor.serveReady(Date.now());
      notifications.publish();
    },
    later: (run, delayMs) => setTimeout(run, delayMs),
  });
  followSettings(made);
  answerServerQuestions(made);
  answerClientQuestions(made);
  made.owner.start();
  rings.start();
  setInterval(() => {
    made.cron();
    // A bell that was not heard costs a moment, and never a hang.
    rings.receive();
  }, CRON_MS);
  return made;
}

/** The session of a command that another worker forwarded. */
function guest(id: number): Session {
  return new Session({
    id,
    nowMs: 0,
    address: "",
    localAddress: "",
    isUnix: false,
  });
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

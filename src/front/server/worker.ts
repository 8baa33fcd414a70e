/**
 * A worker: one thread with its listeners, connections and executor, and a
 * handle on every shard.
 *
 * This file is the entry of the thread: it has the worker put together
 * (worker_assembly.ts) and does what the main thread asks for.
 *
 * @module
 */
/// <reference lib="deno.worker" />

import { emptyDatabases } from "../../core/commands/databases.ts";
import { PROCESS_TCP_PORT } from "../../engine/messages/shared_state.ts";
import type { SnapshotSource } from "../../engine/persistence/snapshot_source.ts";
import { beginComputing } from "./compute.ts";
import { DenoDisk } from "./deno_disk.ts";
import { Listeners } from "./listener.ts";
import { LogLink } from "./log_link.ts";
import { loadShare } from "./rdb_loading.ts";
import { followSnapshots, shutDown } from "./snapshot_requests.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./thread_protocol.ts";
import { giveWay } from "./network/giving_way.ts";
import { WarmUp } from "./warm_up.ts";
import { assembleWorker } from "./worker_assembly.ts";
import type { WorkerContext } from "./worker_context.ts";

/** Time that connections get to take their last replies. */
const DRAIN_MS = 1000;
/** Time between two looks whether they have. */
const LOOK_MS = 5;

let worker: WorkerContext | null = null;
let listeners: Listeners | null = null;
let attachThreads: (ports: readonly MessagePort[]) => void = () => {};
let source: SnapshotSource | null = null;
/** The data set is to stay as it is: nothing is deleted by itself any more. */
let isStopping = false;

function tell(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  self.postMessage(message, transfer);
}

self.onmessage = (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  switch (message.kind) {
    case "start":
      begin(message);
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
    case "warm-up":
      return warmUp(worker!);
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

function begin(start: WorkerStart): void {
  const assembled = assembleWorker(start, {
    tell,
    fail,
    isStopping: () => isStopping,
  });
  ({ worker, source, attachThreads } = assembled);
  listeners = new Listeners(worker);
}

/** Lets others go first, whenever there is something for them to do. */
function warmUp(worker: WorkerContext): void {
  const { table, loop, shared, checks } = worker;
  const commands = new WarmUp(table, shared.hashSeed, checks);
  const step = () => {
    if (!isStopping && commands.step()) giveWay(loop, step);
    else tell({ kind: "warm" });
  };
  giveWay(loop, step);
}

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
  const { peers, settings, shared } = worker!;
  const claims = peers.self === 0;
  try {
    const bound = port < 0
      ? port
      : listeners!.listenTcp(port, shared.workers > 1, claims);
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
  const { loop } = worker!;
  const look = () => {
    const isBusy = connections.size > 0 || worker!.durability.isCongested;
    if (isBusy && Date.now() < deadlineMs) return loop.later(look, LOOK_MS);
    for (const connection of [...connections.values()]) connection.close();
    tell({ kind: "stopped", waker: loop.end() });
  };
  loop.later(look, LOOK_MS);
}

/** A bug: the process must not go on, and must say why. */
function fail(cause: unknown): void {
  // Thrown outside of any promise, so that the main thread's onerror sees it.
  setImmediate(() => {
    throw cause;
  });
}

self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail((event as PromiseRejectionEvent).reason);
});

/**
 * A worker's channel to the log thread.
 *
 * @module
 */

import { emptyDatabases } from "../../core/commands/databases.ts";
import { aofMisconfigured } from "../../core/resp/error_reply.ts";
import { GATE_LOADING } from "../../engine/executor/gate.ts";
import { Session } from "../../engine/executor/session.ts";
import { ownerOf } from "../../engine/messages/shared_state.ts";
import type { RecordChunk } from "../../engine/persistence/record_feeder.ts";
import { Replay } from "../../engine/persistence/replay.ts";
import { copySettings } from "./apply_settings.ts";
import type { LogToWorker, WorkerToLog } from "./log_protocol.ts";
import type { WorkerContext } from "./worker_context.ts";

/** Longest wait for the disk when the log ends. */
const CLOSE_MS = 3000;
/** Time between two looks at it. */
const CLOSE_LOOK_MS = 5;

/** Connects a worker with the log thread. */
export class LogLink {
  readonly #worker: WorkerContext;
  readonly #port: MessagePort;
  readonly #reloads: ((error: string | null) => void)[] = [];
  readonly #saved: Float64Array;
  #replay: Replay | null = null;
  #words: SharedArrayBuffer | null = null;
  #policy = -1;

  /** Messages come and go over `port`. */
  constructor(worker: WorkerContext, port: MessagePort) {
    this.#worker = worker;
    this.#port = port;
    this.#saved = new Float64Array(worker.counters.length);
    port.onmessage = (event: MessageEvent<LogToWorker>) =>
      this.#receive(event.data);
  }

  look(): void {
    this.#post({ kind: "look" });
  }

  sync(): void {
    this.#post({ kind: "sync" });
  }

  /** Tells when changes are to be synced, if that has changed. */
  followPolicy(): void {
    const { appendfsync } = this.#worker.settings;
    if (appendfsync === this.#policy) return;
    this.#policy = appendfsync;
    const policy = SYNC_POLICIES[appendfsync]!;
    this.#post({ kind: "policy", policy });
  }

  /** Loads the log in the place of the data set; settles with an error. */
  reload(): Promise<string | null> {
    this.#post({ kind: "reload" });
    return new Promise((resolve) => this.#reloads.push(resolve));
  }

  /** Waits a while for what was logged to be on the disk, and sends no more. */
  async close(): Promise<void> {
    const { durability, loop } = this.#worker;
    const { nextTicket, effects } = durability;
    const deadlineMs = performance.now() + CLOSE_MS;
    while (!durability.isDurable(nextTicket) || effects.isCongested) {
      if (performance.now() > deadlineMs) break;
      durability.syncSoon();
      await new Promise<void>((resolve) => loop.later(resolve, CLOSE_LOOK_MS));
    }
    this.#port.close();
  }

  #post(message: WorkerToLog): void {
    this.#port.postMessage(message);
  }

  #receive(message: LogToWorker): void {
    const worker = this.#worker;
    switch (message.kind) {
      case "failing":
        worker.refuseWrites(
          message.reason === null ? null : aofMisconfigured(message.reason),
        );
        return worker.durability.onTold();
      case "pause":
        worker.executor.gate |= GATE_LOADING;
        worker.completeSlices();
        // Not before the replies of this turn are under way.
        worker.loop.later(() => this.#post({ kind: "done" }), 0);
        return;
      case "empty":
        emptyDatabases(worker.call, false);
        return this.#post({ kind: "done" });
      case "records": {
        const error = this.#take(message.chunk);
        return this.#post({ kind: "taken", error, keys: this.#countKeys() });
      }
      case "on":
        return worker.followSyncPolicy();
      case "loaded":
        this.#replay = null;
        worker.executor.gate &= ~GATE_LOADING;
        copySettings(worker);
        // Who begins to listen when it is known that all is loaded hears nothing.
        if (worker.tellings.count !== 0) worker.tellings.publish();
        if (worker.tellings.batchCount !== 0) worker.tellings.publishBatch();
        return this.#post({ kind: "done" });
      case "reloaded":
        return this.#reloads.shift()!(message.error);
    }
  }

  /** Replays a chunk; what it does is not counted as what clients do. */
  #take(chunk: RecordChunk): string | null {
    const { counters, executor, nowMs } = this.#worker;
    if (this.#words !== chunk.words) {
      this.#words = chunk.words;
      this.#replay = this.#makeReplay(chunk.words);
    }
    this.#saved.set(counters);
    const { accounts } = executor;
    const { slowMicroseconds } = accounts;
    accounts.slowMicroseconds = -1;
    executor.beginReplay(nowMs());
    const bytes = new Uint8Array(chunk.bytes);
    const error = this.#replay!.take(bytes, chunk.length, chunk.first);
    executor.endBatch();
    accounts.slowMicroseconds = slowMicroseconds;
    counters.set(this.#saved);
    return error;
  }

  #makeReplay(words: SharedArrayBuffer): Replay {
    const { executor, call, writer, shared, peers } = this.#worker;
    const session = new Session({
      id: 0,
      nowMs: 0,
      address: "",
      localAddress: "",
      isUnix: false,
    });
    return new Replay({
      self: peers.self,
      workers: shared.workers,
      words,
      ports: {
        ownerOf: (args) => executor.ownerOfLogged(args),
        run: (db, args) => {
          session.db = db;
          const errors = writer.errorCount;
          call.reply = writer;
          executor.runLogged(session, args);
          const error = writer.errorCount === errors
            ? null
            : writer.lastError!.text;
          this.#worker.discardReplies();
          return error;
        },
      },
    });
  }

  #countKeys(): number {
    const { call, shared, peers } = this.#worker;
    let keys = 0;
    for (const space of call.keyspaces) {
      if (ownerOf(space.shard, shared.workers) !== peers.self) continue;
      for (let db = 0; db < space.databases; db++) keys += space.count(db);
    }
    return keys;
  }
}

/** As `appendfsync` numbers them. */
export const SYNC_POLICIES = ["everysec", "always", "no"] as const;

/**
 * Snapshots on the main thread: answers what the workers ask for, writes the
 * files, and leads the loading of one.
 *
 * @module
 */

import type { Json } from "../../engine/messages/peers.ts";
import {
  LAST_LOAD_EXPIRED,
  LAST_LOAD_KEYS,
  LOADING,
  LOADING_DONE_BYTES,
  LOADING_KEYS,
  LOADING_START_S,
  LOADING_TOTAL_BYTES,
} from "../../engine/persistence/persistence_facts.ts";
import { GATE_LOADING, GATE_STOP } from "../../engine/executor/gate.ts";
import { DiskError } from "../../engine/persistence/disk.ts";
import type { Disk } from "../../engine/persistence/disk.ts";
import { Snapshots } from "../../engine/persistence/snapshots.ts";
import { SnapshotTaker } from "../../engine/persistence/snapshot_taker.ts";
import type { SharedState } from "../../engine/messages/shared_state.ts";
import {
  LAST_SAVE_CHANGES,
  SAVING_KEYS_DONE,
  SAVING_PEAK_BYTES,
} from "../../engine/persistence/persistence_facts.ts";
import { CHANGES } from "../../core/keyspace/counters.ts";
import {
  ASK_LOG,
  ASK_REWRITE,
  type DurableLog,
  type LogSwitch,
} from "./durable_log.ts";
import {
  ASK_BGSAVE,
  ASK_RELOAD,
  ASK_SAVE,
  ASK_SHUTDOWN,
  type SaveData,
} from "./snapshot_requests.ts";
import type {
  FromWorker,
  LoadJob,
  LoadOutcome,
  LogLevel,
  ToWorker,
} from "./thread_protocol.ts";

/** Time between two lines about how loading goes. */
const PROGRESS_MS = 5000;

/** What persistence needs from the server. */
export interface PersistenceParts {
  readonly shared: SharedState;
  readonly disk: Disk;
  /** Sends a message to a worker. */
  send(worker: number, message: ToWorker): void;
  /** The next message of a kind from a worker. */
  next<K extends FromWorker["kind"]>(
    worker: number,
    kind: K,
  ): Promise<Extract<FromWorker, { kind: K }>>;
  log(level: LogLevel, text: string): void;
  /** The log of changes. */
  durableLog(): DurableLog;
  /** Stops the server. */
  stop(): void;
}

/** Thrown when a file cannot be loaded. */
export class LoadError extends Error {
  override readonly name = "LoadError";
}

/** One per server. */
export class Persistence {
  /** Snapshots, for who takes them for purposes of their own. */
  readonly snapshots: Snapshots;
  readonly #parts: PersistenceParts;
  readonly #facts: Float64Array;
  readonly #taker: SnapshotTaker;
  readonly #workers: number;
  #turn: Promise<unknown> = Promise.resolve();

  /** See {@linkcode PersistenceParts}. */
  constructor(parts: PersistenceParts) {
    const { shared, send, log, disk } = parts;
    const facts = new Float64Array(shared.facts);
    this.#parts = parts;
    this.#facts = facts;
    this.#workers = shared.workers;
    this.#taker = new SnapshotTaker({
      workers: shared.workers,
      process: new Int32Array(shared.process),
      order: (worker, order) => send(worker, { kind: "snapshot", order }),
      progress: (keys, bytes) => {
        facts[SAVING_KEYS_DONE] = keys;
        facts[SAVING_PEAK_BYTES] = Math.max(facts[SAVING_PEAK_BYTES]!, bytes);
      },
    });
    this.snapshots = new Snapshots({
      taker: this.#taker,
      disk,
      facts,
      nowMs: Date.now,
      unique: String(Deno.pid),
      log,
      statusChanged: () => this.#tellAll({ kind: "facts" }),
    });
  }

  /** A worker says something. */
  onMessage(worker: number, message: FromWorker): void {
    if (message.kind === "snapshot") {
      return this.#taker.report(message.report);
    }
    if (message.kind !== "ask") return;
    const { id, question, data } = message;
    this.#answer(question, data).then((answer) =>
      this.#parts.send(worker, { kind: "answer", id, answer })
    );
  }

  #answer(question: string, data: Json): Promise<Json> {
    switch (question) {
      case ASK_REWRITE:
        return this.#parts.durableLog().rewrite(data as SaveData);
      case ASK_LOG:
        return this.#parts.durableLog().switch(data as unknown as LogSwitch);
      case ASK_BGSAVE:
        return this.#begin(data as { save: SaveData; schedule: boolean });
      case ASK_SAVE:
        return this.#save(data as SaveData);
      case ASK_RELOAD:
        return this.#inTurn(() => this.#reload(data as ReloadData));
      case ASK_SHUTDOWN:
        return this.#inTurn(() => this.#shutdown(data as ShutdownData));
    }
    throw new Error(`Nobody answers ${question}`);
  }

  #begin({ save, schedule }: { save: SaveData; schedule: boolean }) {
    const { snapshots } = this;
    if (snapshots.isSavingFile) return Promise.resolve("busy");
    if (snapshots.isBusy) {
      if (!schedule) return Promise.resolve("other");
      snapshots.schedule(save);
      return Promise.resolve("scheduled");
    }
    return new Promise<Json>((resolve) => {
      snapshots.save(save, () => resolve("started"));
    });
  }

  async #save(save: SaveData): Promise<Json> {
    if (this.snapshots.isSavingFile) return "busy";
    await this.snapshots.settled();
    return await this.snapshots.save(save) === null ? "ok" : "failed";
  }

  /** Lets what closes gates run one after the other. */
  #inTurn(run: () => Promise<Json>): Promise<Json> {
    const turn = this.#turn.then(run);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #shutdown({ save, force }: ShutdownData): Promise<Json> {
    await this.gate(GATE_STOP, 0);
    if (save !== null) {
      await this.snapshots.settled();
      const failure = await this.snapshots.save(save);
      if (failure !== null && !force) {
        await this.gate(0, GATE_STOP);
        return "failed";
      }
    }
    this.#parts.stop();
    return "ok";
  }

  /** DEBUG RELOAD; all commands wait, so that none is lost. */
  async #reload({ save, flush, file, rewrite }: ReloadData): Promise<Json> {
    const { folder, name, replaces } = file;
    const path = `${folder}/${name}`;
    await this.gate(GATE_STOP, 0);
    try {
      if (save !== null) {
        const saved = await this.#save(save);
        if (saved !== "ok") return saved === "busy" ? saved : "not saved";
      } else await this.snapshots.settled();
      if (flush) {
        const emptied = this.#parts.next(0, "emptied");
        this.#parts.send(0, { kind: "empty" });
        await emptied;
      }
      await this.load({ path, dropsExpired: true, replaces });
      // Other data than before: the log does not know it.
      if (save === null || !flush) {
        const failure = await this.#parts.durableLog().renew(rewrite);
        if (failure !== null) throw new LoadError(failure);
      }
      return "ok";
    } catch (cause) {
      this.#parts.log("warning", (cause as Error).message);
      return "failed";
    } finally {
      await this.gate(0, GATE_STOP);
    }
  }

  /**
   * Loads a file into all shards, whose workers refuse commands since they were
   * started. Throws LoadError if it cannot be used.
   */
  async start(job: LoadJob): Promise<void> {
    await this.load(job);
    await this.gate(0, GATE_LOADING);
  }

  /**
   * Loads a file into all shards. The caller has closed the gates. Throws
   * LoadError.
   */
  async load(job: LoadJob): Promise<void> {
    const facts = this.#facts;
    const startMs = Date.now();
    facts[LOADING] = 1;
    facts[LOADING_START_S] = Math.floor(startMs / 1000);
    facts[LOADING_DONE_BYTES] = facts[LOADING_KEYS] = 0;
    facts[LOADING_TOTAL_BYTES] = this.#size(job.path);
    const timer = setInterval(() => this.#tellProgress(startMs), PROGRESS_MS);
    try {
      const outcomes = await this.#each("loaded", { kind: "load", job });
      this.#judge(job, outcomes.map(({ outcome }) => outcome), startMs);
      facts[LAST_SAVE_CHANGES] = this.#changes();
    } finally {
      clearInterval(timer);
      facts[LOADING] = 0;
    }
  }

  #judge(job: LoadJob, outcomes: LoadOutcome[], startMs: number): void {
    const bad = outcomes.filter(({ failure }) => failure !== null)
      .sort((a, b) => a.offset - b.offset)[0];
    if (bad !== undefined) {
      const where = bad.offset < 0 ? "" : ` at offset ${bad.offset}`;
      throw new LoadError(
        `Cannot load ${job.path}${where}: ${bad.failure}`,
      );
    }
    const keys = outcomes.reduce((sum, outcome) => sum + outcome.keys, 0);
    const expired = outcomes.reduce((sum, { expired }) => sum + expired, 0);
    this.#facts[LAST_LOAD_KEYS] = keys;
    this.#facts[LAST_LOAD_EXPIRED] = expired;
    const seconds = (Date.now() - startMs) / 1000;
    this.#parts.log(
      "notice",
      `DB loaded from disk: ${keys} keys, ${expired} expired ones left out, ` +
        `${seconds.toFixed(3)} seconds`,
    );
    const libraries = outcomes[0]!.libraries;
    if (libraries > 0) {
      this.#parts.log(
        "warning",
        `${job.path} has ${libraries} libraries of functions, which were ` +
          `left out: there are no functions yet`,
      );
    }
  }

  #tellProgress(startMs: number): void {
    const facts = this.#facts;
    const total = facts[LOADING_TOTAL_BYTES]!;
    const done = facts[LOADING_DONE_BYTES]!;
    const seconds = (Date.now() - startMs) / 1000;
    const rate = done / seconds;
    const left = rate === 0 ? "?" : String(Math.ceil((total - done) / rate));
    this.#parts.log(
      "notice",
      `Loading: ${megabytes(done)} of ${megabytes(total)} MB, ` +
        `${facts[LOADING_KEYS]} keys, ${megabytes(rate)} MB/s, ` +
        `${left} seconds left`,
    );
  }

  #changes(): number {
    return this.#parts.shared.counters.reduce(
      (sum, block) => sum + new Float64Array(block)[CHANGES]!,
      0,
    );
  }

  /** Whether there is such a file. */
  exists(path: string): boolean {
    try {
      this.#parts.disk.open(path, "read").close();
      return true;
    } catch (cause) {
      if (cause instanceof DiskError && cause.isMissing) return false;
      throw new LoadError((cause as Error).message, { cause });
    }
  }

  #size(path: string): number {
    try {
      const file = this.#parts.disk.open(path, "read");
      const size = file.size();
      file.close();
      return size;
    } catch (cause) {
      throw new LoadError((cause as Error).message, { cause });
    }
  }

  /** Sets and clears bits of all workers' gates; see engine/executor/gate.ts. */
  async gate(set: number, clear: number): Promise<void> {
    await this.#each("gated", { kind: "gate", set, clear });
  }

  /** Sends a message to all workers and waits for what they say. */
  #each<K extends FromWorker["kind"]>(
    kind: K,
    message: ToWorker,
  ): Promise<Extract<FromWorker, { kind: K }>[]> {
    const answers = Array.from(
      { length: this.#workers },
      (_, worker) => this.#parts.next(worker, kind),
    );
    this.#tellAll(message);
    return Promise.all(answers);
  }

  #tellAll(message: ToWorker): void {
    for (let worker = 0; worker < this.#workers; worker++) {
      this.#parts.send(worker, message);
    }
  }
}

/** What DEBUG RELOAD asks for. */
export type ReloadData = {
  /** The snapshot, or null to load the file that is there. */
  readonly save: SaveData | null;
  /** Whether databases are emptied before. */
  readonly flush: boolean;
  /** How the log is rewritten where it must be. */
  readonly rewrite: SaveData;
  /** The file, and whether its keys replace those that are there. */
  readonly file: {
    readonly folder: string;
    readonly name: string;
    readonly replaces: boolean;
  };
};

/** What SHUTDOWN asks for. */
export type ShutdownData = {
  /** The snapshot before, or null for none. */
  readonly save: SaveData | null;
  /** Whether the server stops although it failed. */
  readonly force: boolean;
};

function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1);
}

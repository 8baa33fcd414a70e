/**
 * The log on the main thread: starts and stops the log thread, and leads a
 * rewrite, which is a snapshot with a new file of changes behind it.
 *
 * @module
 */

import type { SharedState } from "../../engine/messages/shared_state.ts";
import type { Disk } from "../../engine/persistence/disk.ts";
import {
  LOG_REWRITE_FAILURES,
  LOG_REWRITE_PEAK_BYTES,
  LOG_REWRITE_SCHEDULED,
  LOG_REWRITE_SECONDS,
  LOG_REWRITE_STARTED_MS,
  LOG_REWRITES,
} from "../../engine/persistence/log_status.ts";
import type { SyncPolicy } from "../../engine/persistence/log_writer.ts";
import { SAVING_PEAK_BYTES } from "../../engine/persistence/persistence_facts.ts";
import { SnapshotFile } from "../../engine/persistence/snapshot_file.ts";
import type { SnapshotOptions } from "../../engine/persistence/snapshot_taker.ts";
import { LogThread, StartError } from "./log_thread_handle.ts";
import type { SaveData } from "./snapshot_requests.ts";
import type { Persistence } from "./persistence.ts";
import type { LogLevel } from "./thread_protocol.ts";

/** Which log, and how it is kept. */
export type LogData = {
  /** The folder, absolute. */
  readonly folder: string;
  /** What the names of its files begin with. */
  readonly prefix: string;
  readonly policy: SyncPolicy;
  readonly cutsTornEnd: boolean;
};

/** Starts a rewrite; what goes with it is a SnapshotOptions that JSON can hold. */
export const ASK_REWRITE = "log.rewrite";
/** Log changes from now on, or no longer. */
export const ASK_LOG = "log.switch";

/** What goes with {@linkcode ASK_LOG}. */
export type LogSwitch = {
  /** The log; null to log no more. */
  readonly log: LogData | null;
  readonly snapshot: SaveData;
};

/** What the log needs from the server. */
export interface DurableLogParts {
  readonly shared: SharedState;
  readonly disk: Disk;
  readonly persistence: Persistence;
  /** Gives each worker an end of a channel, and returns the others. */
  connect(): MessagePort[];
  /** Takes the channels away from the workers. */
  disconnect(): Promise<void>;
  log(level: LogLevel, text: string): void;
  onBug(cause: unknown): void;
}

/** One per server. */
export class DurableLog {
  readonly #parts: DurableLogParts;
  readonly #figures: Float64Array;
  #thread: LogThread | null = null;
  #data: LogData | null = null;
  #rewriting: Promise<string | null> | null = null;
  #turn: Promise<unknown> = Promise.resolve();

  /** There is no log before {@linkcode start}. */
  constructor(parts: DurableLogParts) {
    this.#parts = parts;
    this.#figures = new Float64Array(parts.shared.logStatus.figures);
  }

  /**
   * Loads the log; if there is none yet, the snapshot at `snapshotPath`, with
   * which the log begins then. The workers run no commands until it is done.
   */
  async start(
    data: LogData,
    snapshotPath: string,
    options: SnapshotOptions,
  ): Promise<void> {
    const { persistence } = this.#parts;
    const thread = this.#spawn(data, false, async (path) => {
      const job = {
        path: path ?? snapshotPath,
        dropsExpired: path === null,
        replaces: false,
      };
      if (path === null && !persistence.exists(job.path)) return false;
      await persistence.load(job);
      return path === null;
    });
    if (!await thread.loaded) return;
    const error = await this.#rewrite(options, () => {});
    if (error !== null) throw new StartError(error);
  }

  /** Answers a worker that asks for a rewrite. */
  async rewrite(options: SnapshotOptions): Promise<string> {
    if (this.#thread === null) return "off";
    if (this.#rewriting !== null) return "busy";
    const isScheduled = this.#parts.persistence.snapshots.isBusy;
    await new Promise<void>((resolve) => {
      this.#rewrite(options, isScheduled ? () => {} : resolve).then(() =>
        resolve()
      );
      if (isScheduled) resolve();
    });
    return isScheduled ? "scheduled" : "started";
  }

  /**
   * Lets the log begin with the data set as it is, if there is a log; resolves
   * to the reason why it does not, or null.
   */
  async renew(options: SnapshotOptions): Promise<string | null> {
    if (this.#thread === null) return null;
    await this.#rewriting;
    return await this.#rewrite(options, () => {});
  }

  /** Logs changes from now on, or no longer; answers a worker. */
  switch(data: LogSwitch): Promise<string> {
    const turn = this.#turn.then(() => this.#switch(data));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  /** Writes and syncs what the workers have left; they have stopped. */
  async stop(): Promise<void> {
    const thread = this.#thread;
    this.#thread = null;
    await thread?.stop();
  }

  async #switch({ log, snapshot }: LogSwitch): Promise<string> {
    if ((log !== null) === (this.#thread !== null)) return "ok";
    if (log === null) {
      await this.#rewriting;
      await this.#parts.disconnect();
      await this.stop();
      return "ok";
    }
    const thread = this.#spawn(log, true, () => Promise.resolve(false));
    try {
      await thread.loaded;
    } catch (cause) {
      this.#parts.log("warning", (cause as Error).message);
      await this.#parts.disconnect();
      await this.stop();
      return "failed";
    }
    await new Promise<void>((resolve) => {
      this.#rewriteUntilDone(snapshot, resolve);
    });
    return "ok";
  }

  /** Without the first snapshot there is no log: it is tried until it works. */
  async #rewriteUntilDone(
    options: SnapshotOptions,
    onCut: () => void,
  ): Promise<void> {
    while (await this.#rewrite(options, onCut) !== null) {
      onCut();
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      if (this.#thread === null) return;
    }
  }

  #spawn(
    data: LogData,
    waitsForBase: boolean,
    load: (path: string | null) => Promise<boolean>,
  ): LogThread {
    const { shared, connect, log, onBug } = this.#parts;
    this.#data = data;
    this.#thread = new LogThread({
      kind: "start",
      effects: shared.effects,
      status: shared.logStatus,
      facts: shared.facts,
      waitsForBase,
      ports: connect(),
      bells: shared.bells,
      ...data,
    }, { log, onBug, load });
    return this.#thread;
  }

  /** Resolves to the reason why the log is not rewritten, or null. */
  #rewrite(
    options: SnapshotOptions,
    onCut: () => void,
  ): Promise<string | null> {
    this.#rewriting = this.#takeSnapshot(options, onCut).then((error) => {
      this.#rewriting = null;
      const figures = this.#figures;
      const { log } = this.#parts;
      const startedMs = figures[LOG_REWRITE_STARTED_MS]!;
      figures[LOG_REWRITE_SECONDS] = Math.round(
        (Date.now() - startedMs) / 1000,
      );
      figures[LOG_REWRITE_STARTED_MS] = 0;
      if (error === null) {
        figures[LOG_REWRITES]! += 1;
        figures[LOG_REWRITE_FAILURES] = 0;
        log("notice", "Background AOF rewrite finished successfully");
      } else {
        figures[LOG_REWRITE_FAILURES]! += 1;
        log("warning", `Background AOF rewrite failed: ${error}`);
      }
      return error;
    });
    return this.#rewriting;
  }

  async #takeSnapshot(
    options: SnapshotOptions,
    onCut: () => void,
  ): Promise<string | null> {
    const { persistence, disk } = this.#parts;
    const { snapshots } = persistence;
    const { folder, prefix } = this.#data!;
    const thread = this.#thread!;
    const figures = this.#figures;
    figures[LOG_REWRITE_SCHEDULED] = 1;
    while (snapshots.isBusy) await snapshots.settled();
    figures[LOG_REWRITE_SCHEDULED] = 0;
    figures[LOG_REWRITE_STARTED_MS] = Date.now();
    const facts = new Float64Array(this.#parts.shared.facts);
    facts[SAVING_PEAK_BYTES] = 0;
    let file: SnapshotFile | null = null;
    try {
      const path = await thread.rewrite();
      const name = path.slice(folder.length + 1);
      file = new SnapshotFile(disk, folder, name, `${prefix}.rewrite`);
      let ticket = 0;
      await snapshots.takeInto({ ...options, cutsLog: true }, file, (cut) => {
        ticket = cut.ticket;
        onCut();
      });
      figures[LOG_REWRITE_PEAK_BYTES] = facts[SAVING_PEAK_BYTES]!;
      await file.commit();
      return await thread.takeBase(ticket);
    } catch (cause) {
      file?.discard();
      return cause instanceof Error ? cause.message : String(cause);
    }
  }
}

/** Time until a first snapshot that failed is tried again. */
const RETRY_MS = 1000;

/**
 * The log thread: loads the log when the server starts, and writes it then.
 *
 * This file is the entry of the thread. It has the disk, and may wait for it;
 * nobody else does.
 *
 * @module
 */
/// <reference lib="deno.worker" />

import { LOG_IS_ON, LOG_NEXT_TICKET } from "../../core/keyspace/effect_ring.ts";
import {
  DiskError,
  type DiskFile,
  type DiskLock,
} from "../../engine/persistence/disk.ts";
import {
  LogDamage,
  LogDirectory,
} from "../../engine/persistence/log_directory.ts";
import type { LogFile } from "../../engine/persistence/log_manifest.ts";
import {
  LOADING,
  LOADING_DONE_BYTES,
  LOADING_START_S,
  LOADING_TOTAL_BYTES,
} from "../../engine/persistence/persistence_facts.ts";
import { FILE_HEAD_BYTES } from "../../engine/persistence/log_frame.ts";
import {
  type LogReport,
  readLog,
} from "../../engine/persistence/log_reader.ts";
import {
  CUT_WANTED,
  HELD_BY_WORKER,
  LOG_BASE_SIZE,
  LOG_HOLDER,
  LOG_OFF,
  LOG_ON,
  LOG_SIZE,
  LOG_STATE,
  LOG_WAITS_FOR_BASE,
  WRITER_IDLE,
} from "../../engine/persistence/log_status.ts";
import { type LogEnd, LogWriter } from "../../engine/persistence/log_writer.ts";
import { Bell } from "../../engine/messages/bell.ts";
import { RecordFeeder } from "../../engine/persistence/record_feeder.ts";
import { DenoDisk } from "./deno_disk.ts";
import type {
  FromLog,
  LogStart,
  LogToWorker,
  ToLog,
  WorkerToLog,
} from "./log_protocol.ts";
import { wakeWorker } from "./network/system_calls.ts";
import type { LogLevel } from "./thread_protocol.ts";

/** Time between two lines about how far loading is. */
const PROGRESS_MS = 2000;
/** Time between two looks whether a worker has given back the file. */
const FILE_LOOK_MS = 1;
const MEGABYTE = 1 << 20;

let thread: LogThread | null = null;

/** An immediate comes sooner than a timer of no time. */
function later(run: () => void, delayMs: number): () => void {
  if (delayMs > 0) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  }
  const immediate = setImmediate(run);
  return () => clearImmediate(immediate);
}

function tell(message: FromLog): void {
  self.postMessage(message);
}

function log(text: string, level: LogLevel = "notice"): void {
  tell({ kind: "log", level, text });
}

self.onmessage = (event: MessageEvent<ToLog>) => {
  const message = event.data;
  if (message.kind === "start") {
    thread = new LogThread(message);
    thread.begin();
  } else thread!.onMain(message);
};

/** All of the thread. */
class LogThread {
  readonly #start: LogStart;
  readonly #directory: LogDirectory;
  readonly #words: Int32Array;
  readonly #logWords: Int32Array;
  readonly #figures: Float64Array;
  readonly #facts: Float64Array;
  readonly #workers: number;
  #lock: DiskLock | null = null;
  #writer: LogWriter | null = null;
  #feeder: RecordFeeder | null = null;
  /** Keys that each worker has. */
  readonly #keys: number[];
  /** Workers that are still to say that they are done, and who waits. */
  #missing = 0;
  #allDone: (() => void) | null = null;
  /** Who waits for the main thread to load a snapshot. */
  #onBase: ((answer: BaseLoaded) => void) | null = null;
  /** The ticket of the last cut, of 32 bits, and the first file behind it. */
  #cutTicket = 0;
  #cutFile: LogFile | null = null;
  /** Who waits for it. */
  #onCut: (() => void) | null = null;
  /** What wakes each worker. */
  readonly #bells: readonly Bell[];
  /** Is called back when the writer is to be woken. */
  #isListening = false;

  constructor(start: LogStart) {
    this.#start = start;
    this.#workers = start.ports.length;
    this.#words = new Int32Array(start.status.words);
    this.#logWords = new Int32Array(start.effects.words);
    this.#figures = new Float64Array(start.status.figures);
    this.#facts = new Float64Array(start.facts);
    this.#directory = new LogDirectory(
      new DenoDisk(),
      start.folder,
      start.prefix,
    );
    this.#keys = start.ports.map(() => 0);
    this.#bells = start.ports.map((_, i) =>
      new Bell(start.bells, i, wakeWorker)
    );
    start.ports.forEach((port, worker) => {
      port.onmessage = (event: MessageEvent<WorkerToLog>) =>
        this.#onWorker(worker, event.data);
    });
  }

  async begin(): Promise<void> {
    try {
      const waitsForBase = await this.#begin();
      tell({ kind: "loaded", waitsForBase });
    } catch (cause) {
      if (!isForeseen(cause)) throw cause;
      tell({ kind: "failed", text: cause.message });
    }
  }

  /** Says whether the log waits for a snapshot. */
  async #begin(): Promise<boolean> {
    const directory = this.#directory;
    directory.disk.makeDirectory(this.#start.folder);
    this.#lock = directory.lock();
    if (this.#lock === null) {
      throw new LogDamage(
        `Another server uses the append-only log in ${this.#start.folder}`,
      );
    }
    directory.open();
    const end = this.#start.waitsForBase
      ? this.#waitForBase()
      : await this.#load();
    Atomics.store(this.#words, CUT_WANTED, 0);
    this.#writer = new LogWriter({
      directory,
      buffers: this.#start.effects,
      status: this.#start.status,
      end,
      ports: {
        monotonicMs: () => performance.now(),
        later,
        nap: (ms) =>
          Atomics.wait(this.#words, WRITER_IDLE, 1, ms) !== "timed-out",
        awaitFile: () => {
          Atomics.wait(this.#words, LOG_HOLDER, HELD_BY_WORKER, FILE_LOOK_MS);
        },
        whenWoken: () => this.#listen(),
        tell: (worker) => this.#bells[worker]!.ring(),
        failing: (cause) => this.#failing(cause),
        cut: (firstTicket, entry) => {
          this.#cutTicket = firstTicket | 0;
          this.#cutFile = entry;
          this.#onCut?.();
        },
      },
    });
    this.#writer.policy = this.#start.policy;
    this.#noteSize();
    Atomics.store(
      this.#words,
      LOG_STATE,
      end.file === null ? LOG_WAITS_FOR_BASE : LOG_ON,
    );
    Atomics.store(this.#logWords, LOG_NEXT_TICKET, end.nextTicket | 0);
    Atomics.store(this.#logWords, LOG_IS_ON, 1);
    if (end.file === null) return true;
    this.#postAll({ kind: "on" });
    await this.#ask(this.#workers, { kind: "loaded" });
    return false;
  }

  /** Wakes the writer when a worker has set its word to 0. */
  #listen(): void {
    if (this.#isListening) return;
    const { async, value } = Atomics.waitAsync(this.#words, WRITER_IDLE, 1);
    const wake = () => {
      this.#isListening = false;
      this.#writer?.wake();
    };
    this.#isListening = true;
    if (async) value.then(wake);
    else setImmediate(wake);
  }

  onMain(message: Exclude<ToLog, LogStart>): void {
    switch (message.kind) {
      case "base loaded":
        return this.#onBase!(message);
      case "rewrite": {
        this.#cutFile = null;
        const name = this.#directory.temporaryBase;
        return tell({ kind: "rewriting", name });
      }
      case "base":
        this.#takeBase(message.ticket);
        return;
      case "stop":
        return this.#stop();
    }
  }

  #stop(): void {
    Atomics.store(this.#logWords, LOG_IS_ON, 0);
    Atomics.store(this.#words, LOG_STATE, LOG_OFF);
    const cause = this.#writer?.close() ?? null;
    if (cause !== null) {
      log(
        `The end of the append-only log is lost: ${cause.message}`,
        "warning",
      );
    }
    this.#lock?.release();
    tell({ kind: "stopped" });
  }

  /** The snapshot of a rewrite is on the disk: the log begins with it. */
  async #takeBase(ticket: number): Promise<void> {
    let error: string | null = null;
    try {
      while (this.#cutFile === null || this.#cutTicket !== (ticket | 0)) {
        // The writer still has to write what comes before the cut.
        const cut = new Promise<void>((resolve) => this.#onCut = resolve);
        this.#writer!.wake();
        await cut;
      }
      this.#directory.replaceBase(this.#cutFile);
      this.#writer!.noteFiles();
      this.#noteSize();
      if (Atomics.exchange(this.#words, LOG_STATE, LOG_ON) !== LOG_ON) {
        this.#postAll({ kind: "on" });
        if (!this.#start.waitsForBase) {
          await this.#ask(this.#workers, { kind: "loaded" });
        }
      }
    } catch (cause) {
      if (!isForeseen(cause)) throw cause;
      error = cause.message;
    }
    tell({ kind: "rewritten", error });
  }

  /** Automatic rewrites count from here. */
  #noteSize(): void {
    this.#figures[LOG_BASE_SIZE] = this.#figures[LOG_SIZE]!;
  }

  /** Tickets go on from what there is; nothing is kept before a cut. */
  #waitForBase(): LogEnd {
    const nextTicket = Atomics.load(this.#logWords, LOG_NEXT_TICKET) >>> 0;
    return { file: null, size: 0, nextTicket };
  }

  /** Lets the main thread load a snapshot, or what there is. */
  async #loadBase(path: string | null): Promise<boolean> {
    tell({ kind: "load", path });
    const answer = await new Promise<BaseLoaded>((resolve) =>
      this.#onBase = resolve
    );
    if (answer.error !== null) throw new LogDamage(answer.error);
    return answer.isUnlogged;
  }

  /** Replays the log; makes one if there is none. */
  async #load(): Promise<LogEnd> {
    const directory = this.#directory;
    if (!directory.exists) {
      if (await this.#loadBase(null)) return this.#waitForBase();
      const { entry, file } = directory.createIncrement(0, false);
      directory.addIncrement(entry);
      log(`Creating AOF incr file ${entry.name} on server start`);
      return { file, size: FILE_HEAD_BYTES, nextTicket: 0 };
    }
    const report = await this.#replay();
    return this.#openEnd(report);
  }

  async #replay(): Promise<LogReport> {
    const directory = this.#directory;
    const { base, increments } = directory.manifest;
    if (base !== null) await this.#loadBase(directory.path(base.name));
    const facts = this.#facts;
    const startMs = performance.now();
    facts[LOADING_START_S] = Math.floor(Date.now() / 1000);
    facts[LOADING_TOTAL_BYTES] = increments.reduce(
      (sum, file) => sum + directory.sizeOf(file),
      0,
    );
    facts[LOADING_DONE_BYTES] = 0;
    facts[LOADING] = 1;
    const feeder = this.#feeder = new RecordFeeder(
      this.#workers,
      (worker, chunk) => this.#post(worker, { kind: "records", chunk }),
    );
    let bytesBefore = 0;
    let bytesInFile = 0;
    let saidMs = startMs;
    const report = await readLog(directory, feeder, (bytes) => {
      if (bytes < bytesInFile) bytesBefore += bytesInFile;
      bytesInFile = bytes;
      facts[LOADING_DONE_BYTES] = bytesBefore + bytes;
      const nowMs = performance.now();
      if (nowMs - saidMs < PROGRESS_MS) return;
      saidMs = nowMs;
      this.#sayProgress((nowMs - startMs) / 1000);
    });
    await feeder.finish();
    this.#feeder = null;
    facts[LOADING] = 0;
    const seconds = (performance.now() - startMs) / 1000;
    log(
      `DB loaded from append only file: ${seconds.toFixed(3)} seconds, ` +
        `${report.records} records, ${this.#keyCount()} keys, ` +
        `${increments.length} incr files`,
    );
    return report;
  }

  #sayProgress(seconds: number): void {
    const done = this.#facts[LOADING_DONE_BYTES]!;
    const all = this.#facts[LOADING_TOTAL_BYTES]!;
    const keys = this.#keyCount();
    const left = Math.ceil((all - done) * seconds / done);
    log(
      `Loading the append only file: ${Math.floor(done * 100 / all)} % ` +
        `(${Math.floor(done / MEGABYTE)} of ${
          Math.ceil(all / MEGABYTE)
        } MB), ` +
        `${keys} keys, ${Math.round(keys / seconds)} keys/s, ${left} s left`,
    );
  }

  #keyCount(): number {
    return this.#keys.reduce((sum, keys) => sum + keys, 0);
  }

  /** Opens the last file where it is to go on, and cuts off what is torn. */
  #openEnd(report: LogReport): LogEnd {
    const directory = this.#directory;
    const last = directory.manifest.increments.at(-1);
    if (last === undefined) {
      const { entry, file } = directory.createIncrement(0, false);
      directory.addIncrement(entry);
      return { file, size: FILE_HEAD_BYTES, nextTicket: 0 };
    }
    const path = directory.path(last.name);
    const { torn, tornBytes, size, nextTicket } = report;
    if (torn !== "") {
      const text = `${path}: ${torn}: ${tornBytes} bytes at its end`;
      if (!this.#start.cutsTornEnd) {
        throw new LogDamage(
          `${text} are no whole records. Cut them off with check-aof --fix, ` +
            "or set aof-load-truncated to yes",
        );
      }
      log(`!!! Warning: ${text} are cut off !!!`, "warning");
    }
    const file: DiskFile = directory.disk.open(path, "update");
    if (file.size() > size) file.truncate(size);
    file.sync();
    return { file, size, nextTicket };
  }

  #failing(cause: DiskError | null): void {
    if (cause === null) log("The append only file can be written again");
    else {
      log(
        `Error writing to the AOF file: ${cause.message}. ` +
          "Writes are refused until it works again",
        "warning",
      );
    }
    const reason = cause === null ? null : cause.reason;
    this.#postAll({ kind: "failing", reason });
  }

  #onWorker(worker: number, message: WorkerToLog): void {
    switch (message.kind) {
      case "look":
        return this.#writer?.wake();
      case "sync":
        return this.#writer?.syncSoon();
      case "policy":
        if (this.#writer !== null) this.#writer.policy = message.policy;
        return;
      case "taken":
        this.#keys[worker] = message.keys;
        return this.#feeder!.taken(worker, message.error);
      case "reload":
        this.#reload(worker);
        return;
      case "done":
        if (--this.#missing === 0) this.#allDone!();
    }
  }

  /** Loads the log again; who asked is told when that is done. */
  async #reload(worker: number): Promise<void> {
    let error: string | null = null;
    try {
      await this.#ask(this.#workers, { kind: "pause" });
      this.#writer!.flush();
      Atomics.store(this.#logWords, LOG_IS_ON, 0);
      await this.#ask(1, { kind: "empty" });
      const report = await this.#replay();
      if (
        report.torn !== "" || report.nextTicket !== this.#writer!.nextTicket
      ) {
        throw new LogDamage("The log is not what was written");
      }
    } catch (cause) {
      if (!isForeseen(cause)) throw cause;
      error = cause.message;
      log(`Could not load the append only file: ${error}`, "warning");
    }
    Atomics.store(this.#logWords, LOG_IS_ON, 1);
    this.#facts[LOADING] = 0;
    await this.#ask(this.#workers, { kind: "loaded" });
    this.#post(worker, { kind: "reloaded", error });
  }

  /** Sends to the first so many workers, and waits until they are done. */
  #ask(workers: number, message: LogToWorker): Promise<void> {
    this.#missing = workers;
    for (let worker = 0; worker < workers; worker++) {
      this.#post(worker, message);
    }
    return new Promise((resolve) => this.#allDone = resolve);
  }

  #post(worker: number, message: LogToWorker): void {
    this.#start.ports[worker]!.postMessage(message);
    this.#bells[worker]!.ringForPort();
  }

  #postAll(message: LogToWorker): void {
    for (let i = 0; i < this.#workers; i++) this.#post(i, message);
  }
}

type BaseLoaded = Extract<ToLog, { kind: "base loaded" }>;

/** What the disk or the files are to blame for, and not the program. */
function isForeseen(cause: unknown): cause is Error {
  return cause instanceof DiskError || cause instanceof LogDamage;
}

self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  const { reason } = event as PromiseRejectionEvent;
  // Thrown outside of any promise, so that the main thread's onerror sees it.
  setTimeout(() => {
    throw reason;
  }, 0);
});

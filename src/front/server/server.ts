/**
 * A running server: reserves the memory, spawns the workers, lets them listen,
 * and stops them in order. It lives on the thread that started it and touches
 * no data.
 *
 * This is one of the two places (worker.ts is the other) where the real world is
 * put into the engine.
 *
 * @module
 */

import { deadline } from "@std/async";
import { CLOCK_NONE } from "../../core/rdb/rdb_file_writer.ts";
import { Arena } from "../../core/memory/arena.ts";
import { PagePool } from "../../core/memory/page_pool.ts";
import type { Settings } from "../../core/settings/settings.ts";
import {
  makeSharedState,
  type SharedState,
} from "../../engine/messages/shared_state.ts";
import { Bell } from "../../engine/messages/bell.ts";
import { DurableLog } from "./durable_log.ts";
import { SYNC_POLICIES } from "./log_link.ts";
import { DenoDisk } from "./deno_disk.ts";
import { machineBytes } from "./host_facts.ts";
import { GATE_COLD } from "../../engine/executor/gate.ts";
import { trimHeaps } from "./heap_trim.ts";
import { adviseHugePages } from "./huge_pages.ts";
import { MemoryAhead } from "./memory_ahead.ts";
import { StartError } from "./log_thread_handle.ts";
import { systemCalls, wakeWorker } from "./network/system_calls.ts";
import { Persistence } from "./persistence.ts";
import type {
  FromWorker,
  LogLevel,
  ToWorker,
  WorkerStart,
} from "./thread_protocol.ts";

/** How a server is started. */
export interface ServerOptions {
  /** The configuration. */
  readonly settings: Settings;
  /** What defaults depend on. */
  readonly host: { readonly cores: number; readonly dir: string };
  /** The configuration file, or "". */
  readonly configFile: string;
  /** Whether latches assert their rules; slower. */
  readonly checks: boolean;
  /** Takes lines of the log. */
  readonly log: (level: LogLevel, text: string) => void;
  /** Told of a bug: the server cannot go on. */
  readonly onBug: (cause: unknown) => void;
}

/** Address space that is reserved where the machine's memory is unknown. */
const FALLBACK_BYTES = 4 * 2 ** 30;
/** Time that workers get to stop by themselves. */
const STOP_MS = 3000;

/**
 * Starts a server; resolves when it accepts connections and has loaded its data, or
 * has been shut down while it was loading.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const server = new Server(options);
  try {
    // Threads that were ended meanwhile never tell that they have begun.
    await Promise.race([server.begin(), server.finished]);
  } catch (cause) {
    const { wasShutDown } = server;
    await server.stop();
    if (!wasShutDown) throw cause;
  }
  return server;
}

/** A server and its workers. */
export class Server {
  /** Settles when the server has stopped. */
  readonly finished: Promise<void>;
  /** Whether it was told to shut down, and does. */
  wasShutDown = false;
  readonly #options: ServerOptions;
  readonly #workers: WorkerThread[] = [];
  readonly #computeThreads: WorkerThread[] = [];
  #shared: SharedState | null = null;
  #log: DurableLog | null = null;
  #finish: () => void = () => {};
  #stopping: Promise<void> | null = null;
  #port = -1;
  #persistence: Persistence | null = null;
  #memoryAhead: MemoryAhead | null = null;
  #trimming: Promise<void> | null = null;

  /** Use {@linkcode startServer}. */
  constructor(options: ServerOptions) {
    this.#options = options;
    this.finished = new Promise((resolve) => this.#finish = resolve);
  }

  /** The TCP port, or -1. */
  get port(): number {
    return this.#port;
  }

  /** Spawns the workers and lets them listen. */
  async begin(): Promise<void> {
    const { settings } = this.#options;
    const count = settings.workers;
    const shared = makeSharedState({
      workers: count,
      databases: settings.databases,
      arenaBytes: arenaBytes(settings.maxmemory),
      random: crypto.getRandomValues(new Uint32Array(2)),
      runId: runId(),
      startedMs: Date.now(),
    });
    this.#shared = shared;
    adviseHugePages(shared.arena.segments);
    new PagePool(new Arena(shared.arena), false).format();
    this.#memoryAhead = MemoryAhead.start(shared.arena);
    this.#persistence = new Persistence({
      shared,
      disk: new DenoDisk(),
      send: (worker, message) => this.#workers[worker]!.send(message),
      next: (worker, kind) => this.#workers[worker]!.next(kind),
      log: this.#options.log,
      durableLog: () => this.#log!,
      stop: () => this.stop(),
    });
    this.#log = new DurableLog({
      shared,
      disk: new DenoDisk(),
      persistence: this.#persistence,
      connect: () => this.#connectLog(),
      disconnect: () => this.#disconnectLog(),
      log: this.#options.log,
      onBug: this.#options.onBug,
    });
    const snapshot = this.#snapshotPath();
    const isSnapshotLoaded = !settings.appendonly &&
      this.#persistence.exists(snapshot);
    const ports = makeChannels(count);
    for (let id = 0; id < count; id++) {
      this.#spawn({
        kind: "start",
        id,
        shared,
        settings: settings.snapshot(),
        host: this.#options.host,
        ports: ports[id]!,
        configFile: this.#options.configFile,
        checks: this.#options.checks,
        isLoading: settings.appendonly || isSnapshotLoaded,
      });
    }
    await Promise.all(this.#workers.map((worker) => worker.next("ready")));
    this.#trimming = trimHeaps();
    await this.#listen();
    if (settings.appendonly) await this.#loadLog(snapshot);
    else if (isSnapshotLoaded) {
      await this.#persistence.start({
        path: snapshot,
        dropsExpired: true,
        replaces: false,
      });
    }
    if (settings.warmUp) await this.#warmUp();
  }

  #folder(): string {
    const { settings, host } = this.#options;
    return absolute(settings.dir, host.dir);
  }

  #snapshotPath(): string {
    return `${this.#folder()}/${this.#options.settings.dbfilename}`;
  }

  /** Loads the log; if there is none yet, the snapshot, and begins one. */
  async #loadLog(snapshot: string): Promise<void> {
    const { settings } = this.#options;
    await this.#log!.start(
      {
        folder: `${this.#folder()}/${settings.appenddirname}`,
        prefix: settings.appendfilename,
        policy: SYNC_POLICIES[settings.appendfsync]!,
        cutsTornEnd: settings.aofLoadTruncated,
      },
      snapshot,
      {
        compresses: settings.rdbcompression,
        sums: settings.rdbchecksum,
        notes: CLOCK_NONE,
        share: 1,
        texts: [],
      },
    );
  }

  /** Gives each worker its end of a channel to a log thread. */
  #connectLog(): MessagePort[] {
    return this.#workers.map((worker) => {
      const { port1, port2 } = new MessageChannel();
      worker.send({ kind: "log", port: port1 }, [port1]);
      return port2;
    });
  }

  /** Resolves when no worker logs anything any more. */
  async #disconnectLog(): Promise<void> {
    // The first ends the log; what the others have logged is complete then.
    for (const worker of this.#workers) {
      const done = worker.next("unlogged");
      worker.send({ kind: "unlog" });
      await done;
    }
  }

  /**
   * Stops, with a snapshot before if there are save points; if that fails the
   * server goes on, unless `force` is true.
   */
  shutDown(force: boolean): Promise<void> {
    this.#workers[0]!.send({ kind: "shutdown", force });
    return this.finished;
  }

  /** Accepts nothing more, answers what is under way, ends the workers. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const asked = this.#workers.map((worker) => {
      const stopped = worker.next("stopped");
      worker.send({ kind: "stop" });
      return stopped;
    });
    const wakers: number[] = [];
    for (const one of asked) {
      one.then(({ waker }) => wakers.push(waker), () => {});
    }
    try {
      await deadline(Promise.allSettled(asked), STOP_MS);
    } catch {
      // A worker that does not stop by itself is ended.
    }
    for (const worker of this.#workers) worker.terminate();
    for (const thread of this.#computeThreads) thread.terminate();
    await this.#log?.stop();
    await this.#memoryAhead?.stop();
    await this.#trimming;
    for (const waker of wakers) if (waker >= 0) systemCalls!.close(waker);
    const path = this.#options.settings.unixsocket;
    if (path !== "") {
      try {
        Deno.removeSync(path);
      } catch {
        // Never made, or gone already.
      }
    }
    this.#finish();
  }

  /** The first worker finds the port, the others share it. */
  async #listen(): Promise<void> {
    const { settings } = this.#options;
    const unix = settings.unixsocket !== "";
    const [first, ...others] = this.#workers;
    const port = settings.bind.length > 0 ? settings.port : -1;
    // Port 0 in a configuration file means no TCP at all, as in Redis, unless
    // nothing else is listened on.
    const wanted = port === 0 && unix ? -1 : port;
    first!.send({ kind: "listen", port: wanted, unix });
    const { port: bound } = await first!.next("listening");
    this.#port = bound;
    if (bound < 0 || Deno.build.os !== "linux") return;
    // One after the other, so that each can tell which listener is its own.
    for (const worker of others) {
      worker.send({ kind: "listen", port: bound, unix: false });
      await worker.next("listening");
    }
  }

  /**
   * After loading, which is the first that workers do, and in ways of its own. Who has
   * connected meanwhile waits.
   */
  async #warmUp(): Promise<void> {
    const warm = this.#workers.map((worker) => worker.next("warm"));
    for (const worker of this.#workers) worker.send({ kind: "warm-up" });
    await Promise.all(warm);
    await this.#persistence!.gate(0, GATE_COLD);
    // Who stops waits for the one that is under way.
    if (this.#stopping === null) {
      this.#trimming = this.#trimming!.then(trimHeaps);
    }
  }

  #spawn(start: WorkerStart): void {
    const worker = this.#makeThread(`worker-${start.id}`, start.id);
    this.#workers.push(worker);
    const transfer = start.ports.filter((port) => port !== null);
    worker.send(start, transfer);
  }

  #makeThread(name: string, worker: number): WorkerThread {
    const bell = worker < 0
      ? null
      : new Bell(this.#shared!.bells, worker, wakeWorker);
    return new WorkerThread(name, bell, {
      onMessage: (message) => this.#onMessage(worker, message),
      onBug: (cause) => this.#options.onBug(cause),
    });
  }

  /** The threads for the background, when a worker first wants them. */
  #startComputing(): void {
    if (this.#computeThreads.length > 0 || this.#stopping !== null) return;
    const { settings, host } = this.#options;
    const toWorkers: MessagePort[][] = this.#workers.map(() => []);
    for (let id = 0; id < settings.backgroundThreads; id++) {
      const ports = toWorkers.map((own) => {
        const { port1, port2 } = new MessageChannel();
        own.push(port1);
        return port2;
      });
      const thread = this.#makeThread(`compute-${id}`, -1);
      this.#computeThreads.push(thread);
      thread.send({
        kind: "compute",
        id,
        shared: this.#shared!,
        settings: settings.snapshot(),
        host,
        ports,
      }, ports);
    }
    for (const [i, worker] of this.#workers.entries()) {
      worker.send({ kind: "threads", ports: toWorkers[i]! }, toWorkers[i]!);
    }
  }

  #onMessage(worker: number, message: FromWorker): void {
    if (worker >= 0) this.#persistence!.onMessage(worker, message);
    if (message.kind === "log") this.#options.log(message.level, message.text);
    else if (message.kind === "shutdown") {
      this.wasShutDown = true;
      this.stop();
    } else if (message.kind === "compute") this.#startComputing();
  }
}

type Awaited<K> = Extract<FromWorker, { kind: K }>;

/** A worker as its spawner sees it. */
class WorkerThread {
  readonly #thread: Worker;
  readonly #bell: Bell | null;
  readonly #waiting = new Map<
    FromWorker["kind"],
    { resolve: (message: FromWorker) => void; reject: (cause: Error) => void }
  >();

  constructor(
    name: string,
    bell: Bell | null,
    events: {
      onMessage: (message: FromWorker) => void;
      onBug: (cause: unknown) => void;
    },
  ) {
    this.#bell = bell;
    this.#thread = new Worker(new URL("./worker.ts", import.meta.url), {
      type: "module",
      name,
    });
    this.#thread.onmessage = (event: MessageEvent<FromWorker>) => {
      const message = event.data;
      const waiting = this.#waiting.get(message.kind);
      this.#waiting.delete(message.kind);
      waiting?.resolve(message);
      if (message.kind === "failed") {
        this.#rejectAll(new StartError(message.text));
      }
      events.onMessage(message);
    };
    this.#thread.onerror = (event) => {
      event.preventDefault();
      const cause = event.error ?? new Error(event.message);
      this.#rejectAll(cause);
      events.onBug(cause);
    };
  }

  /** The next message of a kind; rejects if the worker fails instead. */
  next<K extends FromWorker["kind"]>(kind: K): Promise<Awaited<K>> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(kind, {
        resolve: resolve as (message: FromWorker) => void,
        reject,
      });
    });
  }

  send(message: ToWorker, transfer: Transferable[] = []): void {
    this.#thread.postMessage(message, transfer);
    this.#bell?.ringForPort();
  }

  terminate(): void {
    this.#thread.terminate();
  }

  #rejectAll(cause: Error): void {
    for (const { reject } of this.#waiting.values()) reject(cause);
    this.#waiting.clear();
  }
}

/** A channel between every two workers: `ports[i][j]` leads from i to j. */
function makeChannels(count: number): (MessagePort | null)[][] {
  const ports = Array.from(
    { length: count },
    () => new Array<MessagePort | null>(count).fill(null),
  );
  for (let i = 0; i < count; i++) {
    for (let j = i + 1; j < count; j++) {
      const { port1, port2 } = new MessageChannel();
      ports[i]![j] = port1;
      ports[j]![i] = port2;
    }
  }
  return ports;
}

/** Address space for the data: what the machine has, or what was asked for. */
function arenaBytes(maxmemory: number): number {
  return Math.max(machineBytes() || FALLBACK_BYTES, maxmemory);
}

function absolute(path: string, base: string): string {
  return path.startsWith("/") ? path : `${base}/${path}`;
}

function runId(): string {
  return Array.from(
    crypto.getRandomValues(new Uint8Array(20)),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
}

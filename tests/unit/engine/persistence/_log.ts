/**
 * A log with its writer on a disk in memory, with time that the test moves.
 *
 * @module
 */
import { bytesOf } from "../../../../src/core/base/bytes.ts";
import { EffectLog } from "../../../../src/core/keyspace/effect_log.ts";
import {
  CommandReader,
  readWord,
  RECORD_HEADER_BYTES,
  recordBytes,
} from "../../../../src/core/keyspace/effect_record.ts";
import {
  type EffectBuffers,
  LOG_IS_ON,
  LOG_NEXT_TICKET,
  makeEffectBuffers,
} from "../../../../src/core/keyspace/effect_ring.ts";
import type { DiskError } from "../../../../src/engine/persistence/disk.ts";
import { LogDirectory } from "../../../../src/engine/persistence/log_directory.ts";
import { FILE_HEAD_BYTES } from "../../../../src/engine/persistence/log_frame.ts";
import type { LogFile } from "../../../../src/engine/persistence/log_manifest.ts";
import {
  type LogReport,
  readLog,
} from "../../../../src/engine/persistence/log_reader.ts";
import {
  DURABLE_TICKET,
  LOG_ON,
  LOG_STATE,
  makeLogStatus,
} from "../../../../src/engine/persistence/log_status.ts";
import {
  LogWriter,
  type SyncPolicy,
} from "../../../../src/engine/persistence/log_writer.ts";
import { OwnLogWriting } from "../../../../src/engine/persistence/own_log_writing.ts";
import type { FaultyDisk } from "../../../_faulty_disk.ts";
import { fromBinary, toBinary } from "../../../_resp_reply.ts";

/** A timer that waits. */
interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** The log of some workers. */
export class TestLog {
  readonly disk: FaultyDisk;
  readonly directory: LogDirectory;
  readonly writer: LogWriter;
  /** What worker 0 does by itself, if it is the only one. */
  readonly ownWriting: OwnLogWriting;
  readonly buffers: EffectBuffers;
  readonly words: Int32Array;
  readonly figures: Float64Array;
  readonly effects: readonly EffectLog[];
  /** What the writer has told. */
  readonly failures: (string | null)[] = [];
  readonly cuts: { firstTicket: number; entry: LogFile }[] = [];
  /** Workers that were told that what they want has come. */
  told: number[] = [];
  nowMs = 0;
  /** The writer waits for the file, which a worker has. */
  onAwaited: () => void = () => {
    throw new Error("Nobody else has the file");
  };
  /** How long the worker's own writing takes. */
  writeMs = 0;
  #timers: Timer[] = [];

  private constructor(
    disk: FaultyDisk,
    options: { workers: number; policy: SyncPolicy; ringBytes: number },
    at: { size: number; nextTicket: number } | null,
  ) {
    this.disk = disk;
    this.directory = new LogDirectory(disk, "/log", "a");
    this.directory.open();
    const nextTicket = at?.nextTicket ?? 0;
    if (!this.directory.exists) {
      const { entry, file } = this.directory.createIncrement(nextTicket, false);
      file.close();
      this.directory.addIncrement(entry);
    }
    const last = this.directory.manifest.increments.at(-1)!;
    const file = disk.open(this.directory.path(last.name), "update");
    this.buffers = makeEffectBuffers(options.workers, options.ringBytes);
    const logWords = new Int32Array(this.buffers.words);
    logWords[LOG_IS_ON] = 1;
    logWords[LOG_NEXT_TICKET] = nextTicket;
    this.effects = this.buffers.rings.map((_, i) =>
      new EffectLog(this.buffers, i)
    );
    const status = makeLogStatus(options.workers);
    this.words = new Int32Array(status.words);
    this.words[LOG_STATE] = LOG_ON;
    this.figures = new Float64Array(status.figures);
    this.writer = new LogWriter({
      directory: this.directory,
      buffers: this.buffers,
      status,
      end: { file, size: at?.size ?? FILE_HEAD_BYTES, nextTicket },
      ports: {
        monotonicMs: () => this.nowMs,
        later: (run, delayMs) => {
          const timer = { atMs: this.nowMs + delayMs, run };
          this.#timers.push(timer);
          return () => this.#timers = this.#timers.filter((t) => t !== timer);
        },
        nap: () => false,
        awaitFile: () => this.onAwaited(),
        whenWoken: () => {},
        tell: (worker) => this.told.push(worker),
        failing: (cause: DiskError | null) =>
          this.failures.push(cause === null ? null : cause.message),
        cut: (firstTicket, entry) => this.cuts.push({ firstTicket, entry }),
      },
    });
    this.writer.policy = options.policy;
    this.ownWriting = new OwnLogWriting(this.buffers.rings[0]!, status, {
      write: (descriptor, bytes, length, at) => {
        this.nowMs += this.writeMs;
        return disk.writeAt(descriptor, bytes, length, at);
      },
      sync: (descriptor) => disk.syncData(descriptor),
      monotonicMs: () => this.nowMs,
    });
  }

  /** Begins with what is on the disk. */
  static async open(
    disk: FaultyDisk,
    options: { workers?: number; policy?: SyncPolicy; ringBytes?: number } = {},
  ): Promise<TestLog> {
    const { workers = 1, policy = "everysec", ringBytes = 1 << 16 } = options;
    const directory = new LogDirectory(disk, "/log", "a");
    directory.open();
    let at = null;
    if (directory.exists) {
      const { report } = await readCommands(directory);
      const last = directory.manifest.increments.at(-1)!;
      const file = disk.open(directory.path(last.name), "update");
      file.truncate(report.size);
      file.sync();
      at = report;
    }
    return new TestLog(disk, { workers, policy, ringBytes }, at);
  }

  /** All tickets before it are on the disk. */
  get durable(): number {
    return this.words[DURABLE_TICKET]!;
  }

  /** Records a command of a worker. */
  put(worker: number, ...argv: string[]): void {
    const [name, ...others] = argv;
    const effects = this.effects[worker]!;
    effects.also(0, bytesOf(name!), argv.length);
    for (const word of others) effects.constant(fromBinary(word));
    effects.publish();
  }

  /** Lets worker 0 bring what it recorded to the disk; says whether it did. */
  writeOwn(): boolean {
    return this.ownWriting.run(this.effects[0]!.lastTicket);
  }

  /** Lets time go by, and what is due happen. */
  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    for (;;) {
      await flushPromises();
      const next = this.#timers.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined || next.atMs > endMs) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
    }
    this.nowMs = endMs;
  }
}

async function flushPromises(): Promise<void> {
  for (let i = 0; i < 8; i++) await Promise.resolve();
}

/** The commands of a log, each as its words. */
export async function readCommands(
  directory: LogDirectory,
): Promise<{ commands: string[][]; report: LogReport }> {
  const commands: string[][] = [];
  const reader = new CommandReader();
  const report = await readLog(directory, {
    records: (buf, from, to) => {
      for (let at = from; at < to;) {
        const body = readWord(buf, at);
        reader.reset(buf, at + RECORD_HEADER_BYTES, body);
        while (reader.next()) {
          const { args } = reader;
          commands.push(
            Array.from(
              { length: args.count },
              (_, i) => toBinary(args.copy(i)),
            ),
          );
        }
        at += recordBytes(body);
      }
    },
  });
  return { commands, report };
}

/** The commands of the log on a disk. */
export async function commandsOn(disk: FaultyDisk): Promise<string[][]> {
  const directory = new LogDirectory(disk, "/log", "a");
  directory.read();
  return (await readCommands(directory)).commands;
}

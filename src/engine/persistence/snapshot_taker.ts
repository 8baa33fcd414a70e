/**
 * Takes a snapshot: leads the workers through it (snapshot_protocol.ts) and puts
 * their pieces into one file.
 *
 * A record that comes in several pieces is written without a gap: while one is
 * open, what the other workers send waits here.
 *
 * @module
 */

import { Crc64, CRC64_BYTES } from "../../core/base/crc64.ts";
import type { CutCounts } from "../../core/keyspace/snapshot_marks.ts";
import {
  fileVersion,
  writeAux,
  writeFileHead,
  writeResize,
  writeSelect,
} from "../../core/rdb/rdb_file_writer.ts";
import { OPCODE_END } from "../../core/rdb/rdb_types.ts";
import { type RdbSink, RdbWriter } from "../../core/rdb/rdb_writer.ts";
import type { Piece } from "./snapshot_pieces.ts";
import {
  PROCESS_SNAPSHOT_BYTES,
  PROCESS_SNAPSHOT_OPEN,
  PROCESS_SNAPSHOT_OPEN_PIECES,
  type SnapshotOrder,
  type SnapshotReport,
} from "./snapshot_protocol.ts";

/** Takes the bytes of a file, in their order. */
export interface SnapshotSink {
  /** Writes; may throw, which ends the snapshot. */
  write(bytes: Uint8Array): void;
}

/** How a snapshot is taken. */
export interface SnapshotOptions {
  /** Whether strings are compressed. */
  readonly compresses: boolean;
  /** Whether the file ends with a checksum. */
  readonly sums: boolean;
  /** What of access clocks is written, CLOCK_* of rdb_file_writer.ts. */
  readonly notes: number;
  /** Share of the processor that the walk may take. */
  readonly share: number;
  /** Whether the log of changes begins anew at its instant. */
  readonly cutsLog?: boolean;
  /** Texts about the file, by name. */
  readonly texts: readonly (readonly [name: string, text: string])[];
}

/** The instant that a snapshot shows. */
export interface SnapshotCut {
  /** The ticket of the first change that it does not have. */
  readonly ticket: number;
  /** Changes counted until then, over all workers. */
  readonly changes: number;
  /** Keys in it. */
  readonly keys: number;
}

/** Ways to the workers. */
export interface SnapshotPorts {
  /** How many workers there are. */
  readonly workers: number;
  /** Words of the process. */
  readonly process: Int32Array;
  /** Sends an order. */
  order(worker: number, order: SnapshotOrder): void;
  /** Told how many keys are written, and how many bytes are under way. */
  progress(keys: number, bytesUnderWay: number): void;
}

/** Takes one snapshot at a time. */
export class SnapshotTaker {
  readonly #ports: SnapshotPorts;
  #under: Undertaking | null = null;

  /** One per server. */
  constructor(ports: SnapshotPorts) {
    this.#ports = ports;
  }

  /** Whether a snapshot is under way. */
  get isBusy(): boolean {
    return this.#under !== null;
  }

  /**
   * Takes a snapshot; none may be under way. `onCut` is called when its instant
   * has come. Resolves when all of it is with the sink; rejects with what the
   * sink has thrown, or with the cause of {@linkcode abort}. In any case nothing
   * of it is left in the shards then.
   */
  async take(
    options: SnapshotOptions,
    sink: SnapshotSink,
    onCut: (cut: SnapshotCut) => void,
  ): Promise<void> {
    const under = new Undertaking(this.#ports, options, sink);
    this.#under = under;
    try {
      await under.run(onCut);
    } finally {
      this.#under = null;
    }
  }

  /** Ends the snapshot under way, if there is one. */
  abort(cause: unknown): void {
    this.#under?.fail(cause);
  }

  /** A worker reports. */
  report(report: SnapshotReport): void {
    this.#under?.report(report);
  }
}

/** One snapshot. */
class Undertaking implements RdbSink {
  readonly #ports: SnapshotPorts;
  readonly #options: SnapshotOptions;
  readonly #sink: SnapshotSink;
  readonly #crc = new Crc64();
  /** The stream whose record is open, or -1; before the head, none is. */
  #openStream = -1;
  #hasHead = false;
  /** Pieces of others that wait until it is complete. */
  #waiting: Piece[] = [];
  #keys = 0;
  #failure: { cause: unknown } | null = null;
  #missing = 0;
  #settle: () => void = () => {};
  #cut: Extract<SnapshotReport, { step: "cut" }> | null = null;

  constructor(
    ports: SnapshotPorts,
    options: SnapshotOptions,
    sink: SnapshotSink,
  ) {
    this.#ports = ports;
    this.#options = options;
    this.#sink = sink;
  }

  async run(onCut: (cut: SnapshotCut) => void): Promise<void> {
    const { compresses, notes, share, cutsLog = false } = this.#options;
    Atomics.store(this.#ports.process, PROCESS_SNAPSHOT_OPEN, 0);
    await this.#all({ step: "begin", compresses, notes, share });
    await this.#first({ step: "cut", cutsLog });
    const { ticket, changes, counts } = this.#cut!;
    onCut({ ticket, changes, keys: sum(counts.keys) });
    this.#attempt(() => this.#writeHead(counts));
    this.#hasHead = true;
    this.#writeWaiting();
    await this.#all({ step: "walk" });
    await this.#first({ step: "uncut" });
    await this.#all({ step: "flush" });
    this.#attempt(() => this.#writeEnd());
    if (this.#failure !== null) throw this.#failure.cause;
  }

  fail(cause: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = { cause };
    for (const piece of this.#waiting) this.#done(piece);
    this.#waiting = [];
    if (this.#cut === null) return;
    for (let to = 0; to < this.#ports.workers; to++) {
      this.#ports.order(to, { step: "abort" });
    }
  }

  report(report: SnapshotReport): void {
    if (report.step === "piece") return this.#take(report.piece);
    if (report.step === "cut") {
      this.#cut = report;
      // An earlier failure was before anything could be aborted.
      if (this.#failure !== null) {
        const { cause } = this.#failure;
        this.#failure = null;
        this.fail(cause);
      }
    }
    if (--this.#missing === 0) this.#settle();
  }

  write(buf: Uint8Array, off: number, length: number): void {
    this.#put(buf.subarray(off, off + length));
  }

  /** Sends an order to all workers and waits for what they say. */
  #all(order: SnapshotOrder): Promise<void> {
    return this.#ask(order, this.#ports.workers);
  }

  #first(order: SnapshotOrder): Promise<void> {
    return this.#ask(order, 1);
  }

  #ask(order: SnapshotOrder, workers: number): Promise<void> {
    this.#missing = workers;
    return new Promise((resolve) => {
      this.#settle = resolve;
      for (let to = 0; to < workers; to++) this.#ports.order(to, order);
    });
  }

  #take(piece: Piece): void {
    if (this.#failure !== null) return this.#done(piece);
    const open = this.#openStream;
    if (!this.#hasHead || open >= 0 && open !== piece.stream) {
      this.#waiting.push(piece);
      return;
    }
    this.#write(piece);
    while (this.#openStream < 0 && this.#waiting.length > 0) {
      this.#writeWaiting();
    }
  }

  /** Writes what waits, up to the next record that is open. */
  #writeWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const piece of waiting) this.#take(piece);
  }

  #write(piece: Piece): void {
    this.#attempt(() => this.#put(piece.bytes));
    this.#keys += piece.keys;
    this.#noteOpen(piece);
    this.#done(piece);
  }

  /** Tells the workers whose record is open, and how far it is written. */
  #noteOpen({ stream, isOpen }: Piece): void {
    const { process } = this.#ports;
    if (!isOpen) {
      this.#openStream = -1;
      Atomics.store(process, PROCESS_SNAPSHOT_OPEN, 0);
    } else if (this.#openStream === stream) {
      Atomics.add(process, PROCESS_SNAPSHOT_OPEN_PIECES, 1);
    } else {
      this.#openStream = stream;
      Atomics.store(process, PROCESS_SNAPSHOT_OPEN_PIECES, 1);
      Atomics.store(process, PROCESS_SNAPSHOT_OPEN, stream + 1);
    }
  }

  /** A piece is no longer held in memory. */
  #done(piece: Piece): void {
    const before = Atomics.sub(
      this.#ports.process,
      PROCESS_SNAPSHOT_BYTES,
      piece.bytes.length,
    );
    this.#ports.progress(this.#keys, before);
  }

  #put(bytes: Uint8Array): void {
    if (this.#options.sums) this.#crc.update(bytes, 0, bytes.length);
    this.#sink.write(bytes);
  }

  #attempt(action: () => void): void {
    if (this.#failure !== null) return;
    try {
      action();
    } catch (cause) {
      this.fail(cause);
    }
  }

  #writeHead(counts: CutCounts): void {
    const writer = new RdbWriter();
    writer.begin(this, false, false);
    writeFileHead(writer, fileVersion(counts.fieldExpires > 0));
    for (const [name, text] of this.#options.texts) {
      writeAux(writer, name, text);
    }
    counts.keys.forEach((keys, db) => {
      if (keys === 0) return;
      writeSelect(writer, db);
      writeResize(writer, keys, counts.expires[db]!);
    });
    writer.flush();
  }

  #writeEnd(): void {
    this.#put(Uint8Array.of(OPCODE_END));
    const sum = new Uint8Array(CRC64_BYTES);
    if (this.#options.sums) this.#crc.write(sum, 0);
    this.#sink.write(sum);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}

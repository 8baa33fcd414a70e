/**
 * Reads the files of changes of a log: checks the frames, and brings the records
 * of all workers into the order of their tickets.
 *
 * Zeros up to the end of a file are room that was reserved and not written.
 *
 * What it makes of a bad frame:
 * - nothing that is whole comes after it, and the file is the last: it is the
 *   end of the log, cut off when the process or the machine stopped. The file
 *   can be cut where the records before have no gaps;
 * - otherwise the file is damaged, and nothing is guessed.
 *
 * So are tickets that are missing: at the end of the last file, the log is cut
 * before the first of them.
 *
 * Parts of a record are handed on if the last of them is there, which is looked up
 * in the file when the first one is met: nobody has them all in memory.
 *
 * @module
 */

import {
  CommandReader,
  isPartAt,
  readWord,
  RECORD_HEADER_BYTES,
  recordBytes,
} from "../../core/keyspace/effect_record.ts";
import { type DiskFile, readFully } from "./disk.ts";
import { LogDamage, type LogDirectory } from "./log_directory.ts";
import type { LogFile } from "./log_manifest.ts";
import {
  emptyFrameHead,
  FILE_HEAD_BYTES,
  FRAME_BAD,
  FRAME_HEAD_BYTES,
  FRAME_SHORT,
  FRAME_WHOLE,
  type FrameHead,
  readFileHead,
  readFrame,
} from "./log_frame.ts";

/** Who takes the records, in their order. */
export interface RecordSink {
  /**
   * Takes `count` records, one behind the other; the bytes are lent until it
   * returns, or its promise settles.
   */
  records(
    buf: Uint8Array,
    from: number,
    to: number,
    count: number,
  ): void | Promise<void>;
}

/** What has been read, up to its end or to the damage. */
export interface LogReport {
  /** The file that was read last; null if there was none. */
  file: LogFile | null;
  /** The ticket behind the last record; -1 if no file told one. */
  nextTicket: number;
  /** Records read. */
  records: number;
  /** Where the last file is to go on. */
  size: number;
  /** What is to be cut off there; "" for nothing. */
  torn: string;
  /** How many bytes that are. */
  tornBytes: number;
}

/** A report of a log of which nothing has been read. */
export function emptyReport(): LogReport {
  return {
    file: null,
    nextTicket: -1,
    records: 0,
    size: 0,
    torn: "",
    tornBytes: 0,
  };
}

/** Bytes read at a time. */
const WINDOW_BYTES = 1 << 20;

/**
 * Reads all files of changes of a log; throws {@linkcode LogDamage}, and `report`
 * says how far it came.
 */
export async function readLog(
  directory: LogDirectory,
  sink: RecordSink,
  progress: (bytes: number) => void = () => {},
  report: LogReport = emptyReport(),
): Promise<LogReport> {
  const { increments } = directory.manifest;
  for (const entry of increments) {
    report.file = entry;
    report.size = 0;
    const path = directory.path(entry.name);
    const file = directory.disk.open(path, "read");
    try {
      await new FileReading(file, report, sink, progress).run();
    } finally {
      file.close();
    }
    if (report.torn !== "" && entry !== increments.at(-1)) {
      throw new LogDamage(`${path}: ${report.torn}, and files follow it`);
    }
  }
  return report;
}

interface KeptFrame {
  readonly buf: Uint8Array;
  at: number;
}

/** Reads one file. */
class FileReading {
  readonly #file: DiskFile;
  readonly #report: LogReport;
  readonly #sink: RecordSink;
  readonly #progress: (bytes: number) => void;
  readonly #fileBytes: number;
  #buf = new Uint8Array(WINDOW_BYTES);
  /** Where in the file the buffer begins. */
  #start = 0;
  #end = 0;
  /** Position in the buffer. */
  #at = 0;
  /** Frames behind a gap. */
  #kept: KeptFrame[] = [];
  #keptCount = 0;
  #keptLast = -1;
  /** Where in the file the first of them begins. */
  #keptFrom = 0;
  #keepsParts = false;
  /** Parts before that ticket are handed on, and no others. */
  #partsEnd = 0;
  readonly #reader = new CommandReader();
  /** Frames that are looked at again lie here. */
  #again = new Uint8Array(0);

  constructor(
    file: DiskFile,
    report: LogReport,
    sink: RecordSink,
    progress: (bytes: number) => void,
  ) {
    this.#file = file;
    this.#report = report;
    this.#sink = sink;
    this.#progress = progress;
    this.#fileBytes = file.size();
  }

  async run(): Promise<void> {
    const report = this.#report;
    this.#readHead();
    report.size = FILE_HEAD_BYTES;
    const frame = emptyFrameHead();
    while (this.#start + this.#at < this.#fileBytes) {
      const found = this.#nextFrame(frame);
      if (found !== FRAME_WHOLE) {
        if (this.#isReserved()) break;
        return this.#endAtBadFrame(found);
      }
      const added = this.#addFrame(frame);
      if (added !== undefined) await added;
      this.#at += FRAME_HEAD_BYTES + frame.bytes;
      this.#progress(this.#start + this.#at);
      if (this.#kept.length === 0) report.size = this.#start + this.#at;
    }
    if (this.#kept.length > 0) {
      this.#tear(`record ${report.nextTicket} is missing`);
    }
  }

  #readHead(): void {
    const head = new Uint8Array(FILE_HEAD_BYTES);
    const length = readFully(this.#file, 0, head);
    const ticket = readFileHead(head.subarray(0, length));
    const { path } = this.#file;
    if (typeof ticket === "string") {
      throw new LogDamage(`Bad file ${path} at 0: ${ticket}`);
    }
    const { nextTicket } = this.#report;
    if (nextTicket >= 0 && ticket !== nextTicket) {
      throw new LogDamage(
        `Bad file ${path} at 0: it begins with record ${ticket}, not ${nextTicket}`,
      );
    }
    this.#report.nextTicket = ticket;
    this.#start = FILE_HEAD_BYTES;
  }

  /** Looks at the frame at the position, and reads as much as it has. */
  #nextFrame(frame: FrameHead): number {
    for (;;) {
      const found = readFrame(this.#buf, this.#at, this.#end, frame);
      if (found !== FRAME_SHORT) return found;
      const wanted = FRAME_HEAD_BYTES + frame.bytes;
      const left = this.#fileBytes - this.#start - this.#at;
      if (
        wanted > left || this.#end - this.#at === left && frame.bytes === 0
      ) return FRAME_SHORT;
      this.#refill(wanted);
    }
  }

  #refill(wanted: number): void {
    const kept = this.#end - this.#at;
    if (wanted > this.#buf.length) {
      const grown = new Uint8Array(wanted + WINDOW_BYTES);
      grown.set(this.#buf.subarray(this.#at, this.#end));
      this.#buf = grown;
    } else this.#buf.copyWithin(0, this.#at, this.#end);
    this.#start += this.#at;
    this.#at = 0;
    this.#end = kept + readFully(
      this.#file,
      this.#start + kept,
      this.#buf.subarray(kept),
    );
  }

  #addFrame(frame: FrameHead): void | Promise<void> {
    const report = this.#report;
    const from = this.#at + FRAME_HEAD_BYTES;
    const to = from + frame.bytes;
    const { firstTicket, lastTicket, count } = frame;
    if (firstTicket < report.nextTicket) {
      throw this.#damage(`record ${firstTicket} comes again`);
    }
    const place = this.#start + this.#at;
    if (
      this.#kept.length === 0 && firstTicket === report.nextTicket &&
      lastTicket - firstTicket + 1 === count
    ) {
      return frame.hasParts
        ? this.#passParts(this.#buf, from, to, place)
        : this.#pass(this.#buf, from, to, count);
    }
    if (this.#kept.length === 0) this.#keptFrom = place;
    this.#kept.push({ buf: this.#buf.slice(from, to), at: 0 });
    this.#keptCount += count;
    this.#keptLast = Math.max(this.#keptLast, lastTicket);
    this.#keepsParts ||= frame.hasParts;
    if (this.#keptLast + 1 - report.nextTicket !== this.#keptCount) return;
    return this.#merge();
  }

  #pass(
    buf: Uint8Array,
    from: number,
    to: number,
    count: number,
  ): void | Promise<void> {
    this.#report.nextTicket += count;
    this.#report.records += count;
    return this.#sink.records(buf, from, to, count);
  }

  /** Hands records on, but no parts of which the last one is not there. */
  async #passParts(
    buf: Uint8Array,
    from: number,
    to: number,
    place: number,
  ): Promise<void> {
    let start = from;
    let count = 0;
    for (let at = from; at < to;) {
      const ticket = this.#report.nextTicket + count;
      const next = at + recordBytes(readWord(buf, at));
      if (isPartAt(buf, at) && !this.#takesPart(buf, at, ticket, place)) {
        if (count > 0) await this.#pass(buf, start, at, count);
        this.#report.nextTicket += 1;
        start = next;
        count = 0;
      } else count++;
      at = next;
    }
    if (count > 0) await this.#pass(buf, start, to, count);
  }

  /** Whether a part is handed on; the others do not lie before `place`. */
  #takesPart(
    buf: Uint8Array,
    at: number,
    ticket: number,
    place: number,
  ): boolean {
    const reader = this.#readerAt(buf, at);
    if (reader.partsBefore === 0) {
      const last = ticket + reader.partsBehind;
      this.#partsEnd = this.#hasLastPart(ticket, last, place) ? last + 1 : 0;
    }
    return ticket < this.#partsEnd;
  }

  /** Whether record `last` is the last part of what began with `first`. */
  #hasLastPart(first: number, last: number, place: number): boolean {
    const frame = emptyFrameHead();
    for (let at = place;;) {
      const buf = this.#frameAt(at, frame);
      if (buf === null) return false;
      for (let from = FRAME_HEAD_BYTES; from < buf.length;) {
        if (readWord(buf, from + 4) === last % 2 ** 32) {
          return isPartAt(buf, from) &&
            this.#readerAt(buf, from).partsBefore === last - first;
        }
        from += recordBytes(readWord(buf, from));
      }
      at += buf.length;
    }
  }

  #readerAt(buf: Uint8Array, at: number): CommandReader {
    const reader = this.#reader;
    reader.reset(buf, at + RECORD_HEADER_BYTES, readWord(buf, at));
    reader.next();
    return reader;
  }

  /** All tickets up to the last are there. */
  #merge(): void | Promise<void> {
    const report = this.#report;
    const kept = this.#kept;
    const merged = new Uint8Array(
      kept.reduce((sum, { buf }) => sum + buf.length, 0),
    );
    let end = 0;
    for (let i = 0; i < this.#keptCount; i++) {
      const low = (report.nextTicket + i) % 2 ** 32;
      const frame = kept.find(({ buf, at }) =>
        at < buf.length && readWord(buf, at + 4) === low
      );
      if (frame === undefined) throw this.#damage("records come twice");
      const { buf, at } = frame;
      const bytes = recordBytes(readWord(buf, at));
      merged.set(buf.subarray(at, at + bytes), end);
      frame.at += bytes;
      end += bytes;
    }
    const count = this.#keptCount;
    const hasParts = this.#keepsParts;
    this.#kept = [];
    this.#keptCount = 0;
    this.#keptLast = -1;
    this.#keepsParts = false;
    return hasParts
      ? this.#passParts(merged, 0, end, this.#keptFrom)
      : this.#pass(merged, 0, end, count);
  }

  /** Whether there is nothing but zeros from the position on. */
  #isReserved(): boolean {
    const window = new Uint8Array(WINDOW_BYTES);
    for (let at = this.#start + this.#at; at < this.#fileBytes;) {
      const count = readFully(this.#file, at, window);
      if (count === 0) break;
      for (let i = 0; i < count; i++) if (window[i] !== 0) return false;
      at += count;
    }
    return true;
  }

  #endAtBadFrame(found: number): void {
    const at = this.#start + this.#at;
    const next = this.#findFrame(at + 1);
    if (next >= 0) {
      throw this.#damage(`no whole frame, but there is one at ${next}`);
    }
    this.#tear(
      found === FRAME_BAD
        ? `no whole frame at ${at}`
        : `the frame at ${at} is cut off`,
    );
  }

  #tear(torn: string): void {
    this.#report.torn = torn;
    this.#report.tornBytes = this.#fileBytes - this.#report.size;
  }

  #damage(reason: string): LogDamage {
    const at = this.#start + this.#at;
    return new LogDamage(`Bad file ${this.#file.path} at ${at}: ${reason}`);
  }

  /**
   * The place of the next whole frame in the file, or -1. One of records that
   * have been read is part of what somebody has stored.
   */
  #findFrame(from: number): number {
    const window = new Uint8Array(WINDOW_BYTES);
    const frame = emptyFrameHead();
    let start = from;
    for (;;) {
      const end = readFully(this.#file, start, window);
      for (let at = 0; at < end; at++) {
        const found = readFrame(window, at, end, frame);
        if (found === FRAME_BAD) continue;
        if (
          found === FRAME_SHORT && this.#frameAt(start + at, frame) === null
        ) continue;
        if (frame.firstTicket >= this.#report.nextTicket) return start + at;
      }
      if (end < window.length) return -1;
      start += end;
    }
  }

  /** The frame at a place of the file, lent; null if none is whole there. */
  #frameAt(at: number, frame: FrameHead): Uint8Array | null {
    const head = new Uint8Array(FRAME_HEAD_BYTES);
    if (readFully(this.#file, at, head) < head.length) return null;
    if (readFrame(head, 0, head.length, frame) !== FRAME_SHORT) return null;
    const bytes = FRAME_HEAD_BYTES + frame.bytes;
    if (at + bytes > this.#fileBytes) return null;
    if (bytes > this.#again.length) this.#again = new Uint8Array(bytes);
    const whole = this.#again.subarray(0, bytes);
    readFully(this.#file, at, whole);
    return readFrame(whole, 0, bytes, frame) === FRAME_WHOLE ? whole : null;
  }
}

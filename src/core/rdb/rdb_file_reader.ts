/**
 * Whole snapshots in Redis's format, as they are read: versions 1 to 12, of
 * Redis and of Valkey up to 8. rdb_file_writer.ts draws them.
 *
 * The file comes in pieces of any length, and one record at a time is made of
 * them: memory for the longest record, a key with its value, is all that is
 * needed. What a record is good for is the visitor's business, who reads or
 * passes over each value.
 *
 * Everything that is not as it should be is a {@linkcode BadFile}, which names
 * the offset. The checksum is of all bytes up to the end's; a file says by zeros
 * that it has none. Bytes behind the checksum are not looked at.
 *
 * Cost: one pass. A record at the end of a piece is begun twice.
 *
 * @module
 */

import { Crc64, CRC64_BYTES } from "../base/crc64.ts";
import { asciiOf } from "../base/bytes.ts";
import type { ExternalStrings } from "../memory/external.ts";
import { BadFormat, EndOfBytes, RdbReader, RdbString } from "./rdb_reader.ts";
import {
  FILE_HEAD_BYTES,
  FILE_MAGIC,
  OPCODE_AUX,
  OPCODE_END,
  OPCODE_EXPIRE_MS,
  OPCODE_EXPIRE_SECONDS,
  OPCODE_FREQUENCY,
  OPCODE_FUNCTION,
  OPCODE_FUNCTION_EARLY,
  OPCODE_IDLE,
  OPCODE_MODULE_AUX,
  OPCODE_RESIZE,
  OPCODE_SELECT,
  OPCODE_SLOT_INFO,
  RDB_VERSION_7_4,
  RDB_VERSION_CHECKSUM,
} from "./rdb_types.ts";

/** Bytes asked from the source at a time. */
const PIECE_BYTES = 2 * 1024 * 1024;
/** Records, and bytes, between two questions whether it is over. */
const RECORDS_PER_LOOK = 64;
const BYTES_PER_LOOK = 128 * 1024;

/** Where the bytes come from. */
export interface ByteSource {
  /** Reads up to `length` bytes into `buf`; returns how many, 0 at the end. */
  read(buf: Uint8Array<ArrayBuffer>, off: number, length: number): number;
}

/** What comes before a key. */
export class EntryNotes {
  /** The database. */
  db = 0;
  /** When it expires, milliseconds of the epoch; 0 for never. */
  expireAtMs = 0;
  /** Seconds for which it was not used, or -1. */
  idleSeconds = -1;
  /** How often it was used, or -1. */
  frequency = -1;
}

/** Takes what a file has. */
export interface FileVisitor {
  /** A text about the file. */
  aux(name: string, text: string): void;
  /**
   * A key. The visitor reads the value of the kind from `reader`, or passes over
   * it. It may be called again for the same key if the value's end was not there
   * yet, after an EndOfBytes that it has let through, and must have changed
   * nothing then. The bytes are good until it returns.
   */
  entry(
    reader: RdbReader,
    kind: number,
    key: RdbString,
    notes: EntryNotes,
  ): void;
  /**
   * How many keys a database has, and how many of them have an expire, if the
   * file tells the truth.
   */
  sizes?(db: number, keys: number, expires: number): void;
  /**
   * The bytes that were read are about to go: what was put off must be done.
   * Throws BadFormat.
   */
  settle?(): void;
  /** A library of functions; the bytes are good until it returns. */
  library(code: RdbString): void;
}

/** Thrown where a file is damaged, or not one that can be read. */
export class BadFile extends Error {
  override readonly name = "BadFile";
  /** Where in the file. */
  readonly offset: number;
  /** `reason` is a sentence without its point. */
  constructor(reason: string, offset: number, options?: ErrorOptions) {
    super(reason, options);
    this.offset = offset;
  }
}

/** Reads one file. */
export class RdbFileReader {
  /** The file's version; 0 before {@linkcode readHead}. */
  version = 0;
  /** Whether the checksum was there and right; false before the end. */
  isChecked = false;
  readonly #source: ByteSource;
  readonly #visitor: FileVisitor;
  readonly #reader: RdbReader;
  readonly #sums: boolean;
  readonly #crc = new Crc64();
  readonly #notes = new EntryNotes();
  readonly #key = new RdbString();
  readonly #text = new RdbString();
  #buf = new Uint8Array(2 * PIECE_BYTES);
  /** Offset in the file of the first byte of the buffer. */
  #base = 0;
  #end = 0;
  /** Up to where in the buffer the checksum is. */
  #summed = 0;
  #isSourceAtEnd = false;

  /** Without `sums` the checksum is passed over. */
  constructor(
    source: ByteSource,
    visitor: FileVisitor,
    externals: ExternalStrings,
    sums: boolean,
  ) {
    this.#source = source;
    this.#visitor = visitor;
    this.#sums = sums;
    this.#reader = new RdbReader(externals, this.#buf, 0, 0);
  }

  /** Offset in the file of what is read next. */
  get offset(): number {
    return this.#base + this.#reader.at;
  }

  /** Reads magic and version. */
  readHead(): void {
    const reader = this.#reader;
    while (this.#end < FILE_HEAD_BYTES && this.#fill(0));
    reader.reset(this.#buf, 0, this.#end);
    const head = asciiOf(this.#buf, 0, FILE_HEAD_BYTES);
    if (this.#end < FILE_HEAD_BYTES || !head.startsWith(FILE_MAGIC)) {
      throw new BadFile("it does not begin as a snapshot does", 0);
    }
    const digits = head.slice(FILE_MAGIC.length);
    const version = /^\d{4}$/.test(digits) ? Number(digits) : 0;
    if (version < 1 || version > RDB_VERSION_7_4) {
      throw new BadFile(
        `its version is ${digits}, and 1 to ${RDB_VERSION_7_4} can be read`,
        FILE_MAGIC.length,
      );
    }
    reader.at = FILE_HEAD_BYTES;
    this.version = version;
  }

  /**
   * Reads on until `isOver` says so, which is asked now and then; false at the
   * end of the file. Throws BadFile, and whatever the visitor throws.
   */
  read(isOver: () => boolean): boolean {
    const reader = this.#reader;
    let start = reader.at;
    for (;;) {
      try {
        const lookAt = reader.at + BYTES_PER_LOOK;
        for (let left = RECORDS_PER_LOOK; left > 0; left--) {
          start = reader.at;
          if (!this.#record()) return false;
          if (reader.at > lookAt) break;
        }
        if (isOver()) {
          this.#visitor.settle?.();
          return true;
        }
      } catch (cause) {
        if (!(cause instanceof EndOfBytes) || this.#isSourceAtEnd) {
          throw this.#bad(cause, start);
        }
        reader.at = start;
        this.#settle(start);
        this.#fill(start);
        reader.reset(this.#buf, reader.at - start, this.#end);
        start = reader.at;
      }
    }
  }

  #settle(start: number): void {
    try {
      this.#visitor.settle?.();
    } catch (cause) {
      throw this.#bad(cause, start);
    }
  }

  /** What is thrown for an error in a record that begins at `start`. */
  #bad(cause: unknown, start: number): unknown {
    if (!(cause instanceof BadFormat)) return cause;
    const key = this.#key;
    const where = key.length === 0
      ? ""
      : ` (key '${asciiOf(key.buf, key.off, Math.min(64, key.length))}')`;
    return new BadFile(`${cause.what}${where}`, this.#base + start, { cause });
  }

  /** Reads one record with all that belongs to its key; false at the end. */
  #record(): boolean {
    const reader = this.#reader;
    const notes = this.#notes;
    const text = this.#text;
    this.#key.length = 0;
    notes.expireAtMs = 0;
    notes.idleSeconds = notes.frequency = -1;
    for (;;) {
      const code = reader.byte();
      switch (code) {
        case OPCODE_EXPIRE_MS:
          // 0 would be no expire; what is past is past.
          notes.expireAtMs = reader.milliseconds() || 1;
          continue;
        case OPCODE_EXPIRE_SECONDS: {
          const at = reader.raw(4);
          const { buf } = reader;
          const seconds = buf[at]! | buf[at + 1]! << 8 | buf[at + 2]! << 16 |
            buf[at + 3]! << 24;
          notes.expireAtMs = seconds * 1000 || 1;
          continue;
        }
        case OPCODE_IDLE:
          notes.idleSeconds = reader.length();
          continue;
        case OPCODE_FREQUENCY:
          notes.frequency = reader.byte();
          continue;
        case OPCODE_SELECT:
          notes.db = reader.length();
          return true;
        case OPCODE_RESIZE: {
          const keys = reader.length();
          const expires = reader.length();
          this.#visitor.sizes?.(notes.db, keys, expires);
          return true;
        }
        case OPCODE_SLOT_INFO:
          for (let i = 0; i < 3; i++) reader.length();
          return true;
        case OPCODE_AUX: {
          reader.string(this.#key);
          reader.string(text);
          const name = textOf(this.#key);
          this.#key.length = 0;
          this.#visitor.aux(name, textOf(text));
          return true;
        }
        case OPCODE_FUNCTION:
          reader.string(text);
          this.#visitor.library(text);
          return true;
        case OPCODE_FUNCTION_EARLY:
          throw new BadFormat("functions of a candidate of Redis 7.0");
        case OPCODE_MODULE_AUX:
          throw new BadFormat("data of a module of Redis");
        case OPCODE_END:
          this.#visitor.settle?.();
          this.#finish();
          return false;
        default:
          reader.string(this.#key);
          this.#visitor.entry(reader, code, this.#key, notes);
          return true;
      }
    }
  }

  #finish(): void {
    const reader = this.#reader;
    if (this.version < RDB_VERSION_CHECKSUM) return;
    const end = reader.at;
    const at = reader.raw(CRC64_BYTES);
    if (!this.#sums) return;
    this.#sum(end);
    let isThere = false;
    for (let i = 0; i < CRC64_BYTES; i++) {
      if (reader.buf[at + i] !== 0) isThere = true;
    }
    if (!isThere) return;
    if (!this.#crc.matches(reader.buf, at)) {
      throw new BadFormat("the checksum is wrong");
    }
    this.isChecked = true;
  }

  #sum(upTo: number): void {
    if (this.#sums) {
      this.#crc.update(this.#buf, this.#summed, upTo - this.#summed);
    }
    this.#summed = upTo;
  }

  /** Drops what lies before `from` and reads on; false at the source's end. */
  #fill(from: number): boolean {
    if (from > 0) {
      this.#sum(from);
      this.#buf.copyWithin(0, from, this.#end);
      this.#base += from;
      this.#end -= from;
      this.#summed = 0;
    }
    if (this.#buf.length - this.#end < PIECE_BYTES) {
      const larger = new Uint8Array(this.#buf.length * 2);
      larger.set(this.#buf.subarray(0, this.#end));
      this.#buf = larger;
    }
    const room = this.#buf.length - this.#end;
    const count = this.#source.read(this.#buf, this.#end, room);
    this.#end += count;
    if (count === 0) this.#isSourceAtEnd = true;
    return count > 0;
  }
}

function textOf({ buf, off, length }: RdbString): string {
  return asciiOf(buf, off, length);
}

/**
 * The commands of an append-only file of Redis, as pieces of bytes that can be
 * sent as they are.
 *
 * ```text
 * file      [ snapshot ], ( command | "#" annotation line )*
 * command   *count\r\n ( $length\r\n bytes \r\n )*
 * ```
 *
 * @module
 */

import type { DiskFile } from "../../../engine/persistence/disk.ts";

const CHUNK_BYTES = 256 * 1024;
const STAR = 0x2a;
const DOLLAR = 0x24;
const HASH = 0x23;
const LINE_MAX = 64 * 1024;

/** Some whole commands. */
export interface CommandPiece {
  readonly bytes: Uint8Array;
  readonly count: number;
}

/** Thrown where a file holds what is no command. */
export class BadLog extends Error {
  override readonly name = "BadLog";
  /** Where in the file. */
  readonly offset: number;
  /** `offset` is where the command begins. */
  constructor(offset: number) {
    super("there is no command where one should be");
    this.offset = offset;
  }
}

/** Reads the commands of a file from an offset on. */
export class LogCommands {
  /** Where the first command begins that is not whole; the end if all are. */
  offset: number;
  readonly #file: DiskFile;
  #buf = new Uint8Array(2 * CHUNK_BYTES);
  #end = 0;
  /** Offset in the file of the end of the buffer. */
  #read: number;

  /** Reads from `offset` on. */
  constructor(file: DiskFile, offset: number) {
    this.#file = file;
    this.offset = this.#read = offset;
  }

  /** The commands; throws BadLog. */
  *pieces(): Generator<CommandPiece> {
    while (this.#fill()) {
      let at = 0;
      let from = 0;
      let count = 0;
      const pieces: CommandPiece[] = [];
      const cut = () => {
        if (count > 0) pieces.push({ bytes: this.#buf.slice(from, at), count });
        count = 0;
      };
      for (;;) {
        if (at < this.#end && this.#buf[at] === HASH) {
          const end = this.#lineEnd(at);
          if (end < 0) break;
          cut();
          at = from = end;
          continue;
        }
        const end = this.#commandEnd(at);
        if (end < 0) break;
        at = end;
        count++;
      }
      cut();
      yield* pieces;
      this.offset += at;
      this.#buf.copyWithin(0, at, this.#end);
      this.#end -= at;
    }
  }

  #fill(): boolean {
    if (this.#buf.length - this.#end < CHUNK_BYTES) {
      const larger = new Uint8Array(this.#buf.length * 2);
      larger.set(this.#buf.subarray(0, this.#end));
      this.#buf = larger;
    }
    const count = this.#file.read(this.#read, this.#buf.subarray(this.#end));
    this.#read += count;
    this.#end += count;
    return count > 0;
  }

  /** Where the command at `at` ends, or -1 if it is not all there. */
  #commandEnd(at: number): number {
    let position = at;
    const readNumber = (mark: number): number => {
      if (position >= this.#end) return -1;
      if (this.#buf[position] !== mark) throw new BadLog(this.offset + at);
      let n = 0;
      const end = this.#lineEnd(position);
      if (end < 0) return -1;
      for (let i = position + 1; i < end - 2; i++) {
        const digit = this.#buf[i]! - 0x30;
        if (digit < 0 || digit > 9) throw new BadLog(this.offset + at);
        n = n * 10 + digit;
      }
      position = end;
      return n;
    };
    const count = readNumber(STAR);
    if (count < 0) return -1;
    if (count === 0) throw new BadLog(this.offset + at);
    for (let i = 0; i < count; i++) {
      const length = readNumber(DOLLAR);
      if (length < 0) return -1;
      position += length + 2;
      if (position > this.#end) return -1;
    }
    return position;
  }

  #lineEnd(at: number): number {
    const found = this.#buf.subarray(0, this.#end).indexOf(10, at);
    if (found < 0 && this.#end - at > LINE_MAX) {
      throw new BadLog(this.offset + at);
    }
    return found < 0 ? -1 : found + 1;
  }
}

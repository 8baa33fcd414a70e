/**
 * Records of effects: the bytes in which a change of the data set is kept and
 * told to others.
 *
 * A record is what one command, or one transaction, has done: commands that
 * have the same effect whenever they are run, in the order of the records'
 * tickets. It takes effect as a whole.
 *
 * ```text
 * record    body length (u32)  ticket (u32)  body  zeros up to four bytes
 * body      command, command, ...  or  batch  or  part
 * command   database  argument count  argument, argument, ...
 * argument  length  bytes
 * batch     database  0  padding (a byte)  so many zeros  request, request, ...
 * part      0  0  255  parts before  parts behind  command, command, ...
 * ```
 *
 * A batch has a request as it came, in RESP, or several that came in a pipeline:
 * these have one key each, and are independent of each other. The padding lets
 * them lie in words as they did where they were copied from ({@linkcode
 * copyBytes}).
 *
 * What one transaction, or one command, has done may be more than anybody wants to
 * hold in memory. It is recorded in parts then, which are records with tickets
 * that follow each other, each with whole commands. They take effect together:
 * where the last one is missing, as the process has stopped before it was written,
 * none of them means anything.
 *
 * Words are little endian. Databases, counts, lengths and numbers of parts are varints: seven bits
 * a byte, the lowest first, the high bit set in all but the last. The length is
 * that of the body alone. A ticket is the number of a record among those of all
 * workers, counted from 0, without gaps, modulo 2^32.
 *
 * @module
 */

import { Arguments } from "../resp/arguments.ts";

const STAR = 0x2a;
const DOLLAR = 0x24;
const ZERO = 0x30;
const CR = 13;
/** Digits of a number of 32 bits. */
const DIGITS_MAX = 10;

/** Bytes before a record's body. */
export const RECORD_HEADER_BYTES = 8;
/** Most bytes of a varint. */
export const VARINT_BYTES_MAX = 5;

/** Stands where a command has its number of arguments, before a batch. */
export const BATCH_MARK = 0;

/** Most bytes of a body: arguments are not further from its beginning. */
export const BODY_BYTES_MAX: number = 2 ** 31 - 1;

/** The first three bytes of a part, as those of a word. */
const PART_HEAD = 0xff0000;
/** Stands where a batch has its padding. */
const PART_MARK = 0xff;
/** Most bytes of what stands before the commands of a part. */
const PART_HEAD_BYTES_MAX = 3 + 2 * VARINT_BYTES_MAX;

/** Bytes of a record with a body of so many, padding included. */
export function recordBytes(bodyBytes: number): number {
  return RECORD_HEADER_BYTES + bodyBytes + paddingBytes(bodyBytes);
}

/** How many zeros follow a body of so many bytes. */
export function paddingBytes(bodyBytes: number): number {
  return -bodyBytes & 3;
}

/**
 * The head of a record that is a part, and what stands before its commands, of
 * which there are so many bytes; `before` and `behind` are numbers of parts.
 */
export function makePartHead(
  commandBytes: number,
  ticket: number,
  before: number,
  behind: number,
): Uint8Array {
  const head = new Uint8Array(RECORD_HEADER_BYTES + PART_HEAD_BYTES_MAX);
  head[RECORD_HEADER_BYTES + 2] = PART_MARK;
  const at = putVarint(head, RECORD_HEADER_BYTES + 3, before);
  const end = putVarint(head, at, behind);
  putWord(head, 0, end - RECORD_HEADER_BYTES + commandBytes);
  putWord(head, 4, ticket);
  return head.subarray(0, end);
}

/** Whether the record at `at` is a part; what it says is all there. */
export function isPartAt(buf: Uint8Array, at: number): boolean {
  return (readWord(buf, at + RECORD_HEADER_BYTES) & 0xffffff) === PART_HEAD;
}

/** Writes a varint below 2^31; returns the position behind it. */
export function putVarint(buf: Uint8Array, at: number, value: number): number {
  let rest = value;
  while (rest > 0x7f) {
    buf[at++] = rest & 0x7f | 0x80;
    rest >>>= 7;
  }
  buf[at++] = rest;
  return at;
}

/** Bytes of a varint below 2^31. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value >>> 7; rest !== 0; rest >>>= 7) bytes++;
  return bytes;
}

/** Writes the zeros behind a body that ends at `at`; returns their end. */
export function putPadding(buf: Uint8Array, at: number): number {
  while ((at & 3) !== 0) buf[at++] = 0;
  return at;
}

/** Reads a word of a record's header. */
export function readWord(buf: Uint8Array, at: number): number {
  return (buf[at]! | buf[at + 1]! << 8 | buf[at + 2]! << 16 |
    buf[at + 3]! << 24) >>> 0;
}

/** Writes a word of a record's header. */
export function putWord(buf: Uint8Array, at: number, value: number): void {
  buf[at] = value;
  buf[at + 1] = value >>> 8;
  buf[at + 2] = value >>> 16;
  buf[at + 3] = value >>> 24;
}

/** Reads the commands of a record's body, one after the other. */
export class CommandReader {
  /** Arguments of the command at hand; they lie in the given bytes. */
  readonly args: Arguments = new Arguments();
  /** Its database. */
  db = 0;
  /** Whether the bytes are no commands from here on. */
  isDamaged = false;
  #buf: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #isBatch = false;
  #partsBefore = 0;
  #partsBehind = 0;

  /** Begins with a body of `length` bytes at `off`. */
  reset(buf: Uint8Array, off: number, length: number): void {
    this.#buf = buf;
    this.#at = off;
    this.#end = off + length;
    this.#isBatch = false;
    this.isDamaged = false;
    this.#partsBefore = this.#partsBehind = 0;
  }

  /** Of a part, once {@linkcode next} has been called: how many are before it. */
  get partsBefore(): number {
    return this.#partsBefore;
  }

  /** Of a part, once {@linkcode next} has been called: how many are behind it. */
  get partsBehind(): number {
    return this.#partsBehind;
  }

  /**
   * Whether the command at hand came as a request: if there are several, they are
   * independent of each other, and have one key each.
   */
  get isOfBatch(): boolean {
    return this.#isBatch;
  }

  /** Whether the command at hand is the last. */
  get isAtEnd(): boolean {
    return this.#at >= this.#end;
  }

  /** Goes to the next command; false if there is none, or if it is damaged. */
  next(): boolean {
    const { args } = this;
    args.clear();
    if (this.isDamaged || this.#at >= this.#end) return false;
    args.buf = this.#buf;
    if (this.#isBatch) return this.#nextRequest();
    this.db = this.#varint();
    const count = this.#varint();
    if (count === BATCH_MARK && !this.isDamaged) {
      // It is there, as there is no request without it.
      const padding = this.#buf[this.#at++] ?? 0;
      if (padding === PART_MARK) {
        this.#partsBefore = this.#varint();
        this.#partsBehind = this.#varint();
        return this.next();
      }
      this.#isBatch = true;
      this.#at += padding;
      return this.#nextRequest();
    }
    if (count < 1) this.isDamaged = true;
    for (let i = 0; i < count && !this.isDamaged; i++) {
      const length = this.#varint();
      if (length < 0 || length > this.#end - this.#at) {
        this.isDamaged = true;
        break;
      }
      args.add(this.#at, length);
      this.#at += length;
    }
    return !this.isDamaged;
  }

  #nextRequest(): boolean {
    const count = this.#line(STAR);
    if (count < 1) this.isDamaged = true;
    for (let i = 0; i < count && !this.isDamaged; i++) {
      const length = this.#line(DOLLAR);
      if (length < 0 || length + 2 > this.#end - this.#at) {
        this.isDamaged = true;
        break;
      }
      this.args.add(this.#at, length);
      this.#at += length + 2;
    }
    return !this.isDamaged;
  }

  /** The number in a line of RESP, or -1 and the bytes are damaged. */
  #line(mark: number): number {
    const buf = this.#buf;
    const end = this.#end;
    let at = this.#at;
    let value = 0;
    if (at < end && buf[at] === mark) {
      const first = ++at;
      for (; at < end && at - first < DIGITS_MAX; at++) {
        const digit = buf[at]! - ZERO;
        if (digit < 0 || digit > 9) break;
        value = value * 10 + digit;
      }
      if (at > first && at + 1 < end && buf[at] === CR) {
        this.#at = at + 2;
        return value;
      }
    }
    this.isDamaged = true;
    return -1;
  }

  /** A varint, or -1 and the bytes are damaged. */
  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 35 && this.#at < this.#end; shift += 7) {
      const byte = this.#buf[this.#at++]!;
      if (shift === 28 && byte > 7) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.isDamaged = true;
    return -1;
  }
}

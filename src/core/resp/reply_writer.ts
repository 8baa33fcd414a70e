/**
 * Writes replies straight into an output buffer, as RESP2 or RESP3.
 *
 * This is the only place that knows the protocol version of a reply: a command
 * says `map(n)` or `null()` and gets the right bytes. Nothing is allocated per
 * reply; the buffer doubles when a reply does not fit.
 *
 * Large strings of the arena are not copied: {@linkcode ReplyWriter.external}
 * leaves a mark, and the connection sends the bytes in pieces while the socket
 * takes them (see {@linkcode ReplySpan}).
 *
 * Source: Redis serialization protocol specification (RESP2, RESP3).
 *
 * @module
 */

import { viewOf } from "../base/byte_view.ts";
import { formatDouble } from "../base/double.ts";
import { decimalLength, writeInteger } from "../base/integer.ts";
import { copyBytes } from "../base/bytes.ts";
import type { ErrorReply } from "./error_reply.ts";
import type { ReplySource } from "./reply_source.ts";

/** Bytes that belong between two bytes of the buffer, but lie in the arena. */
export interface ReplySpan {
  /** Position in the buffer before which the bytes go. */
  readonly at: number;
  /** What writes them when their time comes, or null if they lie in a run. */
  readonly source: ReplySource | null;
  /** The pinned run that holds them. */
  readonly ref: number;
  /** Offset of the first byte from the start of the string. */
  readonly from: number;
  /** How many bytes. */
  readonly length: number;
}

/** Takes long strings of a reply over, so that they need not be copied at once. */
export interface LongStrings {
  /**
   * Writes a bulk string whose bytes stay where they are until they are sent;
   * false, with nothing written, if they do not.
   */
  take(
    reply: ReplyWriter,
    source: Uint8Array,
    off: number,
    length: number,
  ): boolean;
  /** Keeps a steady run (page_pool.ts), whatever becomes of what lies in it. */
  keep(run: number): void;
  /** Ends that. */
  letGo(run: number): void;
}

/** Bytes from which on a string is long enough to be taken over. */
export const LONG_STRING_BYTES_MIN: number = 1 << 16;
/** To take one over costs as much as to write so many bytes. */
export const SOURCE_COST: number = 1 << 14;
/** Bytes that a fresh buffer has. */
export const REPLY_BUFFER_BYTES = 16 * 1024;
/** Bytes that a buffer may have to be used again. */
export const LARGE_BUFFER_BYTES: number = 256 * 1024;

const CR = 13;
const LF = 10;
const encoder = new TextEncoder();

const NULL_BULK = encoder.encode("$-1\r\n");
const NULL_ARRAY = encoder.encode("*-1\r\n");
const NULL = encoder.encode("_\r\n");
const ZERO = encoder.encode(":0\r\n");
const ONE = encoder.encode(":1\r\n");
const TRUE = encoder.encode("#t\r\n");
const FALSE = encoder.encode("#f\r\n");

const BULK = 36;
const ARRAY = 42;
const MAP = 37;
const SET = 126;
const PUSH = 62;
const INTEGER = 58;
const DOUBLE = 44;
const BIG_NUMBER = 40;
const VERBATIM = 61;
const SIMPLE = 43;
const ZERO_DIGIT = 48;
const LOOP_COPY_MAX = 32;
/** Longest string that a loop copies faster, word by word, than `set`. */
const WORD_COPY_MAX = 256;
const NO_VIEW = new DataView(new ArrayBuffer(0));
const NO_SPANS: readonly ReplySpan[] = [];

/** An output buffer with a position. */
export class ReplyWriter {
  /** The buffer; replaced when it grows or is handed over. */
  buf: Uint8Array<ArrayBuffer>;
  /** Where the next byte goes. */
  at = 0;
  /** Protocol version of the session being answered, 2 or 3. */
  resp: 2 | 3 = 2;
  /** Marks for bytes that lie in the arena, in order. */
  spans: ReplySpan[] | null = null;
  /** Bytes that the marks stand for; those of sources are not known. */
  spanBytes = 0;
  /** Whether what is written goes to a socket, so that sources can be asked. */
  canStream = false;
  /** Whether a mark is that of a source. */
  hasSource = false;
  /** Who takes long strings over; null for nobody. */
  longs: LongStrings | null = null;
  /** What it has cost to take sources over, as bytes that are written. */
  #sourceCost = 0;
  /** Error replies written so far. */
  errorCount = 0;
  /** The last error reply, for statistics. */
  lastError: ErrorReply | null = null;

  /** A view of `#viewed`, the buffer as it was when it was last needed. */
  #view: DataView = NO_VIEW;
  #viewed: Uint8Array | null = null;

  /** A writer with a buffer of its own. */
  constructor(bytes: number = REPLY_BUFFER_BYTES) {
    this.buf = new Uint8Array(bytes);
  }

  /**
   * What it has cost to write all that, and what was taken back, in bytes: for
   * those who write up to a limit.
   */
  get cost(): number {
    return this.at + this.#sourceCost;
  }

  /** Bytes written, marked ones included. */
  get pendingBytes(): number {
    return this.at + this.spanBytes;
  }

  /** `+OK`. */
  ok(): void {
    const at = this.#room(5);
    const buf = this.buf;
    buf[at] = SIMPLE;
    buf[at + 1] = 79;
    buf[at + 2] = 75;
    buf[at + 3] = CR;
    buf[at + 4] = LF;
    this.at = at + 5;
  }

  /** A simple string of ASCII. */
  simple(text: string): void {
    const at = this.#room(text.length + 3);
    this.buf[at] = SIMPLE;
    this.#ascii(at + 1, text);
    this.#lineEnd();
  }

  /** An error reply. */
  error(reply: ErrorReply): void {
    this.errorCount++;
    this.lastError = reply;
    this.raw(reply.bytes);
  }

  /** An integer; must be a safe one. */
  integer(n: number): void {
    if (n === 0) return this.raw(ZERO);
    if (n === 1) return this.raw(ONE);
    const at = this.#room(24);
    this.buf[at] = INTEGER;
    this.at = writeInteger(n, this.buf, at + 1);
    this.#lineEnd();
  }

  /** An integer of any 64-bit value. */
  bigInteger(n: bigint): void {
    this.#line(INTEGER, n.toString());
  }

  /** A bulk string. */
  bulk(source: Uint8Array, off: number, length: number): void {
    if (
      length >= LONG_STRING_BYTES_MIN && this.longs !== null &&
      this.longs.take(this, source, off, length)
    ) return;
    const at = this.#bulkHead(length);
    const { buf } = this;
    copyBytes(source, off, buf, at, length);
    buf[at + length] = CR;
    buf[at + length + 1] = LF;
    this.at = at + length + 2;
  }

  /**
   * A bulk string that begins at a word of the arena, where it may be read up to
   * the end of its last word: several times as fast as byte by byte.
   */
  bulkWords(words: Int32Array, word: number, length: number): void {
    if (length >= LONG_STRING_BYTES_MIN && this.longs !== null) {
      const at = words.byteOffset + word * 4;
      return this.bulk(new Uint8Array(words.buffer, at, length), 0, length);
    }
    const at = this.#bulkHead(length);
    const { buf } = this;
    const end = at + length;
    if (length > WORD_COPY_MAX) {
      const from = words.byteOffset + word * 4;
      copyBytes(new Uint8Array(words.buffer, from, length), 0, buf, at, length);
    } else {
      if (this.#viewed !== buf) this.#look();
      const view = this.#view;
      for (let to = at, from = word; to < end; to += 4, from++) {
        view.setInt32(to, words[from]!, true);
      }
    }
    buf[end] = CR;
    buf[end + 1] = LF;
    this.at = end + 2;
  }

  /** A bulk string from text, as UTF-8. */
  bulkText(text: string): void {
    const bytes = encoder.encode(text);
    this.bulk(bytes, 0, bytes.length);
  }

  /** A bulk string from text that is ASCII. */
  bulkAscii(text: string): void {
    this.#header(BULK, text.length);
    this.#ascii(this.#room(text.length), text);
    this.#lineEnd();
  }

  /** A bulk string that shows a safe integer. */
  bulkInteger(n: number): void {
    const length = decimalLength(n);
    const at = this.#room(length + 8);
    const { buf } = this;
    buf[at] = BULK;
    let end = writeInteger(length, buf, at + 1);
    buf[end] = CR;
    buf[end + 1] = LF;
    end = writeInteger(n, buf, end + 2);
    buf[end] = CR;
    buf[end + 1] = LF;
    this.at = end + 2;
  }

  /**
   * A bulk string whose bytes lie in the run `ref` of the arena. The caller has
   * pinned the run once for this reply; the connection unpins it when sent.
   */
  external(ref: number, from: number, length: number): void {
    this.#header(BULK, length);
    this.spans ??= [];
    this.spans.push({ at: this.at, source: null, ref, from, length });
    this.spanBytes += length;
    this.#room(2);
    this.#lineEnd();
  }

  /** A bulk string whose bytes come from a source; asks for `canStream`. */
  bulkFrom(source: ReplySource, length: number): void {
    this.beginBulk(length);
    this.stream(source);
    this.endBulk();
  }

  /** The rest of a reply comes from a source; asks for `canStream`. */
  stream(source: ReplySource): void {
    this.spans ??= [];
    this.spans.push({ at: this.at, source, ref: 0, from: 0, length: 0 });
    this.hasSource = true;
    this.#sourceCost += SOURCE_COST;
  }

  /** The null of a missing string: `$-1`, or `_` in RESP3. */
  nullBulk(): void {
    this.raw(this.resp === 3 ? NULL : NULL_BULK);
  }

  /** The null of a missing array: `*-1`, or `_` in RESP3. */
  nullArray(): void {
    this.raw(this.resp === 3 ? NULL : NULL_ARRAY);
  }

  /** Head of an array of `n` replies. */
  array(n: number): void {
    this.#header(ARRAY, n);
  }

  /** Begins a bulk string whose bytes are written raw, in pieces. */
  beginBulk(length: number): void {
    this.#header(BULK, length);
  }

  /** Ends it. */
  endBulk(): void {
    this.#room(2);
    this.#lineEnd();
  }

  /** Begins the head of an array that a source ends, which knows the count. */
  beginArray(): void {
    this.#room(1);
    this.buf[this.at++] = ARRAY;
  }

  /** The same of a map. */
  beginMap(): void {
    this.#room(1);
    this.buf[this.at++] = this.resp === 3 ? MAP : ARRAY;
  }

  /** Ends such a head: an array of `n` replies. */
  endArray(n: number): void {
    const at = this.#room(24);
    this.at = writeInteger(n, this.buf, at);
    this.#lineEnd();
  }

  /** Ends that of a map of `n` pairs. */
  endMap(n: number): void {
    this.endArray(this.resp === 3 ? n : n * 2);
  }

  /** Head of a map of `n` pairs; a flat array in RESP2. */
  map(n: number): void {
    if (this.resp === 3) this.#header(MAP, n);
    else this.#header(ARRAY, n * 2);
  }

  /** Head of a set of `n` replies; an array in RESP2. */
  set(n: number): void {
    this.#header(this.resp === 3 ? SET : ARRAY, n);
  }

  /** Head of a push of `n` replies; an array in RESP2. */
  push(n: number): void {
    this.#header(this.resp === 3 ? PUSH : ARRAY, n);
  }

  /** A double; its text as a bulk string in RESP2. */
  double(x: number): void {
    if (Number.isSafeInteger(x) && !Object.is(x, -0)) {
      if (this.resp === 3) this.#header(DOUBLE, x);
      else this.bulkInteger(x);
      return;
    }
    this.doubleText(formatDouble(x));
  }

  /** A double whose text is not the usual one; a bulk string in RESP2. */
  doubleText(text: string): void {
    if (this.resp === 3) this.#line(DOUBLE, text);
    else this.bulkAscii(text);
  }

  /** A boolean; 1 or 0 in RESP2. */
  boolean(value: boolean): void {
    if (this.resp === 3) this.raw(value ? TRUE : FALSE);
    else this.integer(value ? 1 : 0);
  }

  /** A big number; a bulk string in RESP2. */
  bigNumber(text: string): void {
    if (this.resp === 3) this.#line(BIG_NUMBER, text);
    else this.bulkText(text);
  }

  /** A verbatim string (`txt`, `mkd`); a bulk string in RESP2. */
  verbatim(format: "txt" | "mkd", text: string): void {
    if (this.resp === 2) return this.bulkText(text);
    const bytes = encoder.encode(text);
    this.#header(VERBATIM, bytes.length + 4);
    const at = this.#room(bytes.length + 6);
    this.#ascii(at, format);
    this.buf[this.at++] = INTEGER;
    this.raw(bytes);
    this.#room(2);
    this.#lineEnd();
  }

  /**
   * The buffer, with room for `bytes` more from `at` on: for who writes many
   * replies by himself and sets `at` when he has.
   */
  reserve(bytes: number): Uint8Array<ArrayBuffer> {
    this.#room(bytes);
    return this.buf;
  }

  /** Bytes that already are RESP. */
  raw(bytes: Uint8Array): void {
    const length = bytes.length;
    const at = this.#room(length);
    const buf = this.buf;
    if (length <= LOOP_COPY_MAX) {
      for (let i = 0; i < length; i++) buf[at + i] = bytes[i]!;
    } else copyBytes(bytes, 0, buf, at, length);
    this.at = at + length;
  }

  /** Adds what another writer wrote, with its marks. */
  append(bytes: Uint8Array, spans: readonly ReplySpan[]): void {
    const start = this.at;
    this.raw(bytes);
    for (const span of spans) {
      this.spans ??= [];
      this.spans.push({ ...span, at: start + span.at });
      this.spanBytes += span.length;
      if (span.source !== null) this.hasSource = true;
    }
  }

  /** Forgets everything; marked runs must have changed hands. */
  reset(): void {
    this.at = 0;
    this.spans = null;
    this.spanBytes = 0;
    this.hasSource = false;
  }

  /**
   * Takes back everything after `at`, as if it had not been written. The runs
   * of the marks that it returns are the caller's to unpin.
   */
  rewind(at: number): readonly ReplySpan[] {
    this.at = at;
    if (this.spans === null) return NO_SPANS;
    const dropped = this.spans.filter((span) => span.at > at);
    if (dropped.length === this.spans.length) this.spans = null;
    else this.spans.length -= dropped.length;
    this.hasSource = this.spans?.some((span) => span.source !== null) ?? false;
    for (const span of dropped) this.spanBytes -= span.length;
    return dropped;
  }

  /**
   * Puts what was written from `middle` on before what was written from `start`
   * on: the head of an array whose length shows only at its end. Marks move with
   * what they are in.
   */
  exchange(start: number, middle: number): void {
    const { buf, at } = this;
    const head = buf.slice(middle, at);
    buf.copyWithin(start + head.length, start, middle);
    buf.set(head, start);
    if (this.spans === null) return;
    const { spans } = this;
    const before = spans.filter((span) => span.at <= start);
    const first = spans.filter((span) => span.at > start && span.at <= middle);
    const second = spans.filter((span) => span.at > middle);
    this.spans = [
      ...before,
      ...movedBy(second, start - middle),
      ...movedBy(first, at - middle),
    ];
  }

  /**
   * Gives the head of an aggregate that begins at `start` another count: the
   * count shows only at the end. Marks behind it move with the rest.
   */
  recount(start: number, count: number): void {
    const { buf } = this;
    let end = start + 1;
    let written = 0;
    for (; buf[end] !== CR; end++) written = written * 10 + buf[end]! - 48;
    if (written === count) return;
    const moved = start + 1 + decimalLength(count);
    if (moved > end) this.#room(moved - end);
    this.buf.copyWithin(moved, end, this.at);
    this.at += moved - end;
    writeInteger(count, this.buf, start + 1);
    if (this.spans === null || moved === end) return;
    const { spans } = this;
    this.spans = [
      ...spans.filter((span) => span.at <= start),
      ...movedBy(spans.filter((span) => span.at > start), moved - end),
    ];
  }

  /** Writes the head of a bulk string and makes room for it; returns where. */
  #bulkHead(length: number): number {
    const at = this.#room(length + 24);
    const { buf } = this;
    buf[at] = BULK;
    let end = at + 2;
    if (length < 10) buf[at + 1] = ZERO_DIGIT + length;
    else if (length < 100) {
      const tens = length * 205 >> 11;
      buf[at + 1] = ZERO_DIGIT + tens;
      buf[at + 2] = ZERO_DIGIT + length - tens * 10;
      end++;
    } else end = writeInteger(length, buf, at + 1);
    buf[end] = CR;
    buf[end + 1] = LF;
    return end + 2;
  }

  #look(): void {
    const { buf } = this;
    this.#viewed = buf;
    this.#view = viewOf(buf);
  }

  #header(kind: number, n: number): void {
    const at = this.#room(24);
    this.buf[at] = kind;
    this.at = writeInteger(n, this.buf, at + 1);
    this.#lineEnd();
  }

  #line(kind: number, text: string): void {
    const at = this.#room(text.length + 3);
    this.buf[at] = kind;
    this.#ascii(at + 1, text);
    this.#lineEnd();
  }

  #ascii(at: number, text: string): void {
    for (let i = 0; i < text.length; i++) this.buf[at + i] = text.charCodeAt(i);
    this.at = at + text.length;
  }

  #lineEnd(): void {
    this.buf[this.at] = CR;
    this.buf[this.at + 1] = LF;
    this.at += 2;
  }

  /** Makes room for `n` bytes and a line end; returns where they go. */
  #room(n: number): number {
    const at = this.at;
    if (at + n + 2 > this.buf.length) this.#grow(at + n + 2);
    return at;
  }

  #grow(needed: number): void {
    const bytes = new Uint8Array(Math.max(this.buf.length * 2, needed));
    bytes.set(this.buf.subarray(0, this.at));
    this.buf = bytes;
  }
}

/** Marks, so many bytes further on. */
function movedBy(spans: readonly ReplySpan[], bytes: number): ReplySpan[] {
  return spans.map((span) => ({ ...span, at: span.at + bytes }));
}

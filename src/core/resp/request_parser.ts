/**
 * Parses requests in place: RESP arrays of bulk strings, and inline commands.
 *
 * The parser is told where the input ends and fills an {@linkcode Arguments}. It
 * stops anywhere and goes on where it stopped, so bytes are looked at once, in
 * whatever pieces they come. A declared count or length allocates nothing: an
 * argument takes room only as its bytes arrive.
 *
 * ```text
 * next() -> REQUEST    arguments are complete
 *           INCOMPLETE more bytes are needed
 *           BIG        an argument of `bigLength` bytes begins at `position`:
 *                      its bytes are the caller's to take; then bigDone()
 *           MALFORMED  `error` says why; nothing after it can be trusted
 * ```
 *
 * Source: Redis serialization protocol specification; the texts and limits are
 * those of Redis's `processInlineBuffer` and `processMultibulkBuffer`.
 *
 * @module
 */

import { parseBigInteger, parseSafeInteger } from "../base/integer.ts";
import type { Arguments } from "./arguments.ts";
import {
  type ErrorReply,
  expectedDollar,
  INVALID_BULK_LENGTH,
  INVALID_MULTIBULK_LENGTH,
  TOO_BIG_BULK_COUNT,
  TOO_BIG_INLINE_REQUEST,
  TOO_BIG_MULTIBULK_COUNT,
  UNAUTHENTICATED_BULK_LENGTH,
  UNAUTHENTICATED_MULTIBULK_LENGTH,
  UNBALANCED_QUOTES,
} from "./error_reply.ts";
import { splitInline } from "./inline_request.ts";

/** What {@linkcode RequestParser.next} found. */
export const INCOMPLETE = 0;
/** A whole request. */
export const REQUEST = 1;
/** The start of an argument that is to be streamed. */
export const BIG = 2;
/** A protocol error. */
export const MALFORMED = 3;

/** Longest inline request and longest count line. */
export const INLINE_BYTES_MAX = 64 * 1024;
/** Arguments from this length on are streamed, also if they are there already. */
export const BIG_ARGUMENT_BYTES = 64 * 1024;
/** Most arguments before AUTH, where one is required. */
const UNAUTHENTICATED_ARGUMENTS_MAX = 10;
/** Longest argument before AUTH, where one is required. */
const UNAUTHENTICATED_BYTES_MAX = 16384;
const INT_MAX = 2147483647;

const CR = 13;
const LF = 10;
const DOLLAR = 36;
const STAR = 42;

/** Incremental parser of one connection; holds a few numbers only. */
export class RequestParser {
  /** Where the unread input begins. */
  position = 0;
  /** The protocol error, when one was found. */
  error: ErrorReply | null = null;
  /** Length of the argument that {@linkcode BIG} announced. */
  bigLength = 0;
  /** Longest bulk string, `proto-max-bulk-len`. */
  bulkBytesMax = 512 * 1024 * 1024;
  /** Whether the limits for clients that must authenticate first hold. */
  unauthenticated = false;
  /** Arguments still missing; 0 between requests. */
  #missing = 0;
  /** Length of the argument being read, -1 before its header. */
  #bulkLength = -1;
  /** Where the search for a line's end goes on. */
  #searched = 0;

  /** Whether a request was begun and is not complete. */
  get isMidRequest(): boolean {
    return this.#missing > 0;
  }

  /** Reads on in `args.buf` up to `end`; see the file's head for the result. */
  next(args: Arguments, end: number): number {
    const buf = args.buf;
    if (this.#missing === 0) {
      args.clear();
      if (this.position >= end) return INCOMPLETE;
      if (buf[this.position] !== STAR) return this.#inline(args, end);
      const start = this.position;
      const count = this.#readCount(buf, end);
      if (count < 0) return count === -1 ? INCOMPLETE : MALFORMED;
      if (count === 0) return REQUEST;
      this.#missing = count;
      args.start = start;
    }
    let p = this.position;
    while (this.#missing > 0) {
      let length = this.#bulkLength;
      if (length < 0) {
        // The common header, `$` and up to three digits, is read right here.
        if (end - p < 4) {
          this.position = p;
          return this.#header(args, end);
        }
        let at = p + 1;
        let n = buf[at]! - 48;
        let digits = n >= 0 && n <= 9 && buf[p] === DOLLAR;
        let c = buf[++at]!;
        for (let i = 0; i < 2 && digits && c !== CR; i++) {
          if (c < 48 || c > 57 || n === 0) digits = false;
          n = n * 10 + c - 48;
          c = at + 1 < end ? buf[++at]! : 0;
        }
        if (!digits || c !== CR || at + 1 >= end) {
          this.position = p;
          const found = this.#header(args, end);
          if (found !== REQUEST) return found;
          p = this.position;
          length = this.#bulkLength;
        } else {
          length = n;
          if (
            (this.unauthenticated || length > this.bulkBytesMax) &&
            !this.#admits(length)
          ) return MALFORMED;
          p = at + 2;
        }
      }
      if (length >= BIG_ARGUMENT_BYTES || end - p < length + 2) {
        this.#bulkLength = length;
        this.position = p;
        if (length < BIG_ARGUMENT_BYTES) return INCOMPLETE;
        this.bigLength = length;
        return BIG;
      }
      args.add(p, length);
      p += length + 2;
      this.#bulkLength = -1;
      this.#missing--;
    }
    this.position = args.end = p;
    return REQUEST;
  }

  /**
   * The announced big argument was consumed up to `position`. If it was the
   * last one, {@linkcode isMidRequest} is false now and the request complete.
   */
  bigDone(position: number): void {
    this.position = position;
    this.#bulkLength = -1;
    this.#missing--;
    this.#searched = 0;
  }

  /** Reads again from `position`, where a request begins. */
  rewind(position: number): void {
    this.position = position;
    this.#missing = 0;
    this.#bulkLength = -1;
    this.#searched = 0;
  }

  /** The input was moved `by` bytes to the front. */
  shift(by: number): void {
    this.position -= by;
    this.#searched = Math.max(0, this.#searched - by);
  }

  /**
   * Bytes that the argument being read still needs beyond `end`, 0 if unknown:
   * a hint for the size of the next read.
   */
  wants(end: number): number {
    if (this.#bulkLength < 0) return 0;
    return Math.max(0, this.position + this.#bulkLength + 2 - end);
  }

  /** Sets `#bulkLength` from a header in any form. */
  #header(args: Arguments, end: number): number {
    const buf = args.buf;
    const p = this.position;
    const lineEnd = this.#lineEnd(buf, p, end);
    if (lineEnd < 0) {
      return end - p > INLINE_BYTES_MAX
        ? this.#fail(TOO_BIG_BULK_COUNT)
        : INCOMPLETE;
    }
    if (buf[p] !== DOLLAR) {
      return this.#fail(expectedDollar(buf[p]!));
    }
    const length = parseLength(buf, p + 1, lineEnd);
    if (!this.#admits(length)) return MALFORMED;
    this.#bulkLength = length;
    this.position = lineEnd + 2;
    return REQUEST;
  }

  #admits(length: number): boolean {
    if (!(length >= 0 && length <= this.bulkBytesMax)) {
      this.#fail(INVALID_BULK_LENGTH);
      return false;
    }
    if (this.unauthenticated && length > UNAUTHENTICATED_BYTES_MAX) {
      this.#fail(UNAUTHENTICATED_BULK_LENGTH);
      return false;
    }
    return true;
  }

  /** The count of a multibulk request; 0 to skip it, -1 incomplete, -2 wrong. */
  #readCount(buf: Uint8Array, end: number): number {
    const p = this.position;
    // The common header is one digit.
    if (end - p >= 4 && buf[p + 2] === CR) {
      const n = buf[p + 1]! - 48;
      if (n >= 1 && n <= 9) {
        this.position = p + 4;
        return n;
      }
    }
    const lineEnd = this.#lineEnd(buf, p, end);
    if (lineEnd < 0) {
      if (end - p <= INLINE_BYTES_MAX) return -1;
      this.#fail(TOO_BIG_MULTIBULK_COUNT);
      return -2;
    }
    const count = parseLength(buf, p + 1, lineEnd);
    if (Number.isNaN(count) || count > INT_MAX) {
      this.#fail(INVALID_MULTIBULK_LENGTH);
      return -2;
    }
    if (this.unauthenticated && count > UNAUTHENTICATED_ARGUMENTS_MAX) {
      this.#fail(UNAUTHENTICATED_MULTIBULK_LENGTH);
      return -2;
    }
    this.position = lineEnd + 2;
    return Math.max(0, count);
  }

  #inline(args: Arguments, end: number): number {
    const buf = args.buf;
    const from = Math.max(this.#searched, this.position);
    const at = buf.subarray(0, end).indexOf(LF, from);
    if (at < 0) {
      this.#searched = end;
      return end - this.position > INLINE_BYTES_MAX
        ? this.#fail(TOO_BIG_INLINE_REQUEST)
        : INCOMPLETE;
    }
    this.#searched = 0;
    const lineEnd = at > this.position && buf[at - 1] === CR ? at - 1 : at;
    if (!splitInline(args, this.position, lineEnd)) {
      return this.#fail(UNBALANCED_QUOTES);
    }
    this.position = at + 1;
    return REQUEST;
  }

  /** Index of the CR that ends the line at `p`, or -1. */
  #lineEnd(buf: Uint8Array, p: number, end: number): number {
    let i = Math.max(p, this.#searched);
    while (i < end && buf[i] !== CR) i++;
    if (i + 1 < end) {
      this.#searched = 0;
      return i;
    }
    this.#searched = Math.min(i, end);
    return -1;
  }

  #fail(error: ErrorReply): number {
    this.error = error;
    return MALFORMED;
  }
}

/** An integer of 64 bits, near enough to be compared; NaN if it is none. */
function parseLength(buf: Uint8Array, from: number, to: number): number {
  const n = parseSafeInteger(buf, from, to - from);
  if (!Number.isNaN(n)) return n;
  const big = parseBigInteger(buf, from, to - from);
  return big === null ? NaN : Number(big);
}

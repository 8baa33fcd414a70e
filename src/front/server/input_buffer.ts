/**
 * A connection's input buffer: where reads go, and where the parser and the
 * arguments of the request at hand point into.
 *
 * ```text
 *   0        used from            parser.position      end          length
 *   |  done  |  arguments so far  |  not yet parsed    |  room      |
 * ```
 *
 * Bytes in front of the first use are dropped when room runs short. Where reading
 * is a call (event_loop.ts), all connections of a worker read into one buffer: it
 * stays in the nearest cache, and an idle connection has none. What is left when
 * the requests that have come have run is moved to a buffer of the connection's
 * own, which it keeps until what comes is short again.
 *
 * Elsewhere, an idle connection keeps a small buffer, a busy one a larger; beyond
 * that, buffers are borrowed for the requests that need them. A buffer grows with
 * the bytes that have come, never with a length that was only announced, except to
 * the end of an argument too short to be streamed.
 *
 * @module
 */

import type { Arguments } from "../../core/resp/arguments.ts";
import type { RequestParser } from "../../core/resp/request_parser.ts";

/** Input buffer of an idle connection. */
const IDLE_BYTES = 512;
/** Input buffer of one whose requests do not fit into that. */
const USUAL_BYTES = 2 * 1024;
/** Input buffer of one that keeps filling it. */
const BUSY_BYTES = 16 * 1024;
/** Input buffer for long requests, and for arguments that are streamed. */
const LONG_BYTES = 256 * 1024;
/** Most that a request may take in the buffer: offsets are 32-bit integers. */
export const INPUT_BYTES_MAX = 2 ** 31 - 1;
/** Free room below which the buffer is compacted or grown. */
const ROOM_MIN = 512;
/** The same, for small buffers. */
const SMALL_ROOM_MIN = 128;
/** A read is short, where a buffer is shared. */
const SHORT_BYTES = 4 * 1024;
/** Short reads in a row after which a large buffer is given up. */
const SHORT_READS_MAX = 16;
/** Buffers of a size that a worker keeps for reuse. */
const KEPT = 8;

/** Buffers that no connection needs; each worker has its own lists. */
const longBuffers: Uint8Array<ArrayBuffer>[] = [];
const busyBuffers: Uint8Array<ArrayBuffer>[] = [];

/** A buffer for all connections of a worker. */
export function makeSharedInput(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(BUSY_BYTES);
}

/** Input of one connection. */
export class InputBuffer {
  /** The bytes. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Where the room begins. */
  end = 0;
  /** The last read filled the buffer: more is waiting. */
  #wasFilled = false;
  /** Reads in a row that were short. */
  #shortReads = 0;
  readonly #shared: Uint8Array<ArrayBuffer> | null;

  /** `shared` is read into by others, too; null for none such. */
  constructor(shared: Uint8Array<ArrayBuffer> | null) {
    this.#shared = shared;
    this.bytes = shared ?? new Uint8Array(IDLE_BYTES);
  }

  /** Size of the buffer, unless it has nothing in one that is shared. */
  get bufferBytes(): number {
    return this.end === 0 && this.bytes === this.#shared
      ? 0
      : this.bytes.length;
  }

  /** `count` bytes have come. */
  add(count: number): void {
    this.end += count;
    this.#wasFilled = this.end === this.bytes.length;
    const isShort = count < (this.#shared === null ? IDLE_BYTES : SHORT_BYTES);
    this.#shortReads = isShort ? this.#shortReads + 1 : 0;
  }

  /**
   * Room for the next read, at least one byte. `args` are those of the request
   * that is not complete or not answered, if there is one; `isStreaming` tells
   * whether an argument of it bypasses this buffer.
   */
  room(
    parser: RequestParser,
    args: Arguments | null,
    isStreaming: boolean,
  ): Uint8Array<ArrayBuffer> {
    if (args === null && parser.position === this.end) this.#empty(parser);
    else this.leaveShared(parser, args);
    const free = this.bytes.length - this.end;
    if (
      free < this.#roomMin() || free < parser.wants(this.end) || this.#wasFilled
    ) this.#makeRoom(parser, args, isStreaming);
    this.#wasFilled = false;
    return this.end === 0 ? this.bytes : this.bytes.subarray(this.end);
  }

  /**
   * Others may read into the shared buffer from here on: what is still needed is
   * moved. `args` as for {@linkcode room}.
   */
  leaveShared(parser: RequestParser, args: Arguments | null): void {
    if (this.bytes !== this.#shared) return;
    const from = firstUse(parser, args);
    const used = this.end - from;
    if (used > 0) {
      this.#replace(from, sizeFor(this.#wasFilled ? BUSY_BYTES : used));
    }
    this.#dropBefore(from, parser, args);
  }

  #roomMin(): number {
    return this.bytes.length <= USUAL_BYTES ? SMALL_ROOM_MIN : ROOM_MIN;
  }

  /** Lets go of a borrowed buffer. */
  release(): void {
    if (this.bytes.length <= BUSY_BYTES) return;
    this.#giveBack(this.bytes);
    this.bytes = busyBuffers.pop() ?? new Uint8Array(BUSY_BYTES);
  }

  #empty(parser: RequestParser): void {
    parser.shift(this.end);
    this.end = 0;
    if (this.#wasFilled) return;
    this.release();
    if (this.bytes === this.#shared) return;
    // Without one that is shared, every connection keeps a small one.
    const kept = this.#shared === null ? IDLE_BYTES : USUAL_BYTES;
    const isKept = this.bytes.length <= kept
      ? this.#shared === null
      : this.#shortReads <= SHORT_READS_MAX;
    if (isKept) return;
    this.#giveBack(this.bytes);
    this.bytes = this.#shared ?? new Uint8Array(IDLE_BYTES);
  }

  #makeRoom(
    parser: RequestParser,
    args: Arguments | null,
    isStreaming: boolean,
  ): void {
    const from = firstUse(parser, args);
    const size = this.bytes.length;
    const used = this.end - from;
    const missing = isStreaming ? LONG_BYTES >> 1 : parser.wants(this.end);
    const needed = used + missing + this.#roomMin();
    let wanted = Math.max(size, needed);
    if (used > size >> 1) wanted = Math.max(wanted, size * 2);
    if (this.#wasFilled && size < BUSY_BYTES) {
      wanted = Math.max(wanted, size + 1);
    }
    if (wanted > size) this.#replace(from, sizeFor(wanted));
    else if (from > 0) this.bytes.copyWithin(0, from, this.end);
    this.#dropBefore(from, parser, args);
  }

  /** The bytes from `from` on are the first ones now. */
  #dropBefore(
    from: number,
    parser: RequestParser,
    args: Arguments | null,
  ): void {
    this.end -= from;
    parser.shift(from);
    if (args === null) return;
    args.shift(from);
    args.buf = this.bytes;
  }

  #replace(from: number, size: number): void {
    const old = this.bytes;
    this.bytes = keptOf(size)?.pop() ?? new Uint8Array(size);
    this.bytes.set(old.subarray(from, this.end));
    this.#giveBack(old);
  }

  #giveBack(buffer: Uint8Array<ArrayBuffer>): void {
    const kept = keptOf(buffer.length);
    if (buffer === this.#shared || kept === null) return;
    if (kept.length < KEPT) kept.push(buffer);
  }
}

/** Where buffers of that size are kept; null for nowhere. */
function keptOf(size: number): Uint8Array<ArrayBuffer>[] | null {
  if (size === LONG_BYTES) return longBuffers;
  return size === BUSY_BYTES ? busyBuffers : null;
}

function sizeFor(bytes: number): number {
  if (bytes <= USUAL_BYTES) return USUAL_BYTES;
  if (bytes <= BUSY_BYTES) return BUSY_BYTES;
  if (bytes <= LONG_BYTES) return LONG_BYTES;
  return Math.min(INPUT_BYTES_MAX, bytes);
}

/** Where the bytes begin that are still needed. */
function firstUse(parser: RequestParser, args: Arguments | null): number {
  let first = parser.position;
  if (args === null) return first;
  for (let i = 0; i < args.count; i++) {
    if (args.source(i) === args.buf) first = Math.min(first, args.off[i]!);
  }
  return first;
}

/**
 * The ring: through which a worker's records go to who keeps them.
 *
 * A pipe of bytes in shared memory, with one producer (the worker, through
 * effect_log.ts) and one consumer (the log writer). What goes through are
 * records as in effect_record.ts, one behind the other. A record that is larger
 * than the free room goes through in pieces, so any size fits; the consumer
 * counts a record once it has all of it.
 *
 * ```text
 * control (32 words)                        data (a power of two)
 * [0]  written   bytes put, modulo 2^32     byte n of the pipe lies at
 * [1]  waiting   bytes that found no room   n modulo the capacity
 *      and wait in the worker's memory
 * [16] drained   bytes taken, modulo 2^32
 * ```
 *
 * `written` is stored after the bytes before it, for several records at a time,
 * `drained` after the bytes
 * before it have been copied: each side reads the other's word and writes its
 * own. Records begin at multiples of four.
 *
 * All workers share the words of the log: whether there is one, and the next
 * ticket.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { readWord, RECORD_HEADER_BYTES, recordBytes } from "./effect_record.ts";

/** Word of a ring: bytes written. */
export const RING_WRITTEN = 0;
/** Word of a ring: bytes that wait in the worker's own memory for room. */
export const RING_WAITING = 1;
/** Word of a ring: bytes drained. */
export const RING_DRAINED = 16;
/** Bytes before a ring's data. */
export const RING_DATA = 128;

/**
 * Word of the log: 1 while changes are recorded. To be changed with the latches
 * of all shards held.
 */
export const LOG_IS_ON = 0;
/** Word of the log: the ticket that is drawn next. */
export const LOG_NEXT_TICKET = 16;
/** Words of the log. */
export const LOG_WORDS = 32;

/** What the workers and the log writer share; structured-cloneable. */
export interface EffectBuffers {
  /** The words of the log. */
  readonly words: SharedArrayBuffer;
  /** A ring per worker. */
  readonly rings: readonly SharedArrayBuffer[];
}

/** Makes the rings of so many workers; `ringBytes` is a power of two. */
export function makeEffectBuffers(
  workers: number,
  ringBytes: number,
): EffectBuffers {
  assert(
    ringBytes >= 64 && ringBytes <= 1 << 30 &&
      (ringBytes & (ringBytes - 1)) === 0,
    "a ring's capacity is a power of two",
  );
  return {
    words: new SharedArrayBuffer(LOG_WORDS * 4),
    rings: Array.from(
      { length: workers },
      () => new SharedArrayBuffer(RING_DATA + ringBytes),
    ),
  };
}

/** The consumer's end of a ring: takes bytes out and finds the records. */
export class EffectRingReader {
  /** Records taken, from 0 to {@linkcode wholeBytes}; then part of another. */
  buf: Uint8Array<ArrayBuffer> = new Uint8Array(4096);
  /** Bytes of the records that are whole. */
  wholeBytes = 0;
  /** How many these are. */
  count = 0;
  /** Ticket of the first of them. */
  firstTicket = 0;
  /** Ticket of the last of them. */
  lastTicket = 0;
  readonly #control: Int32Array;
  readonly #data: Uint8Array;
  #end = 0;

  /** `ring` is one of {@linkcode EffectBuffers}. */
  constructor(ring: SharedArrayBuffer) {
    this.#control = new Int32Array(ring, 0, RING_DATA >> 2);
    this.#data = new Uint8Array(ring, RING_DATA);
  }

  /** Bytes that are in the ring. */
  get available(): number {
    const control = this.#control;
    return Atomics.load(control, RING_WRITTEN) -
        Atomics.load(control, RING_DRAINED) | 0;
  }

  /** Bytes that the worker could not put into the ring yet. */
  get waiting(): number {
    return Atomics.load(this.#control, RING_WAITING);
  }

  /** Takes all that is in the ring; returns how many bytes that was. */
  drain(): number {
    const length = this.available;
    if (length === 0) return 0;
    this.#reserve(this.#end + length);
    const data = this.#data;
    const drained = Atomics.load(this.#control, RING_DRAINED);
    const from = drained & (data.length - 1);
    const first = Math.min(length, data.length - from);
    this.buf.set(data.subarray(from, from + first), this.#end);
    this.buf.set(data.subarray(0, length - first), this.#end + first);
    this.#end += length;
    Atomics.store(this.#control, RING_DRAINED, drained + length | 0);
    this.#findWhole();
    return length;
  }

  /** Forgets the records that were whole. */
  clear(): void {
    this.buf.copyWithin(0, this.wholeBytes, this.#end);
    this.#end -= this.wholeBytes;
    this.wholeBytes = this.count = 0;
  }

  #findWhole(): void {
    while (this.#end - this.wholeBytes >= RECORD_HEADER_BYTES) {
      const bytes = recordBytes(readWord(this.buf, this.wholeBytes));
      if (this.wholeBytes + bytes > this.#end) break;
      this.lastTicket = readWord(this.buf, this.wholeBytes + 4);
      if (this.count === 0) this.firstTicket = this.lastTicket;
      this.wholeBytes += bytes;
      this.count++;
    }
  }

  #reserve(bytes: number): void {
    if (bytes <= this.buf.length) return;
    const grown = new Uint8Array(Math.max(bytes, this.buf.length * 2));
    grown.set(this.buf.subarray(0, this.#end));
    this.buf = grown;
  }
}

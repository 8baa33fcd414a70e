/**
 * The log writer's end of a worker's ring: takes bytes out and makes frames of
 * the records that are whole.
 *
 * ```text
 * buf   room for a frame's head | whole records | others, or a part of one
 * ```
 *
 * So a frame is written from where the ring was copied to.
 *
 * @module
 */

import { makeCrc32cMemory } from "../../core/base/crc32c.ts";
import {
  RECORD_HEADER_BYTES,
  recordBytes,
} from "../../core/keyspace/effect_record.ts";
import {
  copyFromRing,
  RING_DATA,
  RING_DRAINED,
  RING_WAITING,
  RING_WRITTEN,
} from "../../core/keyspace/effect_ring.ts";
import { FRAME_HEAD_BYTES, putFrameHead } from "./log_frame.ts";

/** Buffers that grew beyond this are given up when they are empty. */
const KEPT_BYTES = 16 << 20;
const FIRST_BYTES = 64 << 10;
/** A longer buffer lies elsewhere: such memory ends at 4 GB. */
const MEMORY_BYTES_MAX = 2 ** 31;
/** Most bytes that the buffer gets beyond what is needed. */
const SPARE_BYTES_MAX = 1 << 26;

/** One per ring. */
export class RingDrain {
  /** How many records it has. */
  count = 0;
  /** Lower 32 bits of the ticket of the first. */
  firstTicket = 0;
  /** Lower 32 bits of the ticket of the last. */
  lastTicket = 0;
  readonly #control: Int32Array;
  readonly #data: Uint8Array;
  /** Memory for the buffer whose checksum is computed where it lies, if there is. */
  #memory = makeCrc32cMemory(FIRST_BYTES);
  #buf = this.#memory?.bytes ?? new Uint8Array(FIRST_BYTES);
  /** The buffer as words; records and heads begin at multiples of four. */
  #words = wordsOf(this.#buf);
  /** Where the records of the frame end. */
  #wholeEnd = FRAME_HEAD_BYTES;
  #end = FRAME_HEAD_BYTES;

  /** `ring` is as in effect_ring.ts. */
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

  /** Whether a good part of the ring is full. */
  get isFilling(): boolean {
    return this.available * 4 > this.#data.length;
  }

  /** Whether the worker has records that find no room in the ring. */
  get hasWaiting(): boolean {
    return Atomics.load(this.#control, RING_WAITING) !== 0;
  }

  /** Bytes of the frame, its head included; 0 if it would have no records. */
  get frameBytes(): number {
    return this.count === 0 ? 0 : this.#wholeEnd;
  }

  /** The frame from `from` on, once {@linkcode seal} has made it. */
  frame(from: number): Uint8Array<ArrayBuffer> {
    return this.#buf.subarray(from, this.#wholeEnd);
  }

  /** Bytes that were taken out and are not dropped. */
  get heldBytes(): number {
    return this.#end - FRAME_HEAD_BYTES;
  }

  /** Takes all that is in the ring; returns how many bytes that was. */
  fill(): number {
    const length = this.available;
    if (length === 0) return 0;
    this.#reserve(this.#end + length);
    const drained = Atomics.load(this.#control, RING_DRAINED);
    copyFromRing(this.#data, drained, length, this.#buf, this.#end);
    this.#end += length;
    Atomics.store(this.#control, RING_DRAINED, drained + length | 0);
    return length;
  }

  /**
   * Adds the records to the frame that are whole; with `hasCut`, only those
   * whose tickets come before `cut`.
   */
  scan(hasCut: boolean, cut: number): void {
    const words = this.#words;
    const end = this.#end;
    let wholeEnd = this.#wholeEnd;
    let { count, lastTicket } = this;
    while (end - wholeEnd >= RECORD_HEADER_BYTES) {
      // There are buffers of more than 2 ** 31 bytes.
      const word = wholeEnd / 4;
      const body = words[word]! >>> 0;
      const next = wholeEnd + recordBytes(body);
      if (next > end || body > end) break;
      const ticket = words[word + 1]!;
      if (hasCut && (ticket - cut | 0) >= 0) break;
      if (count === 0) this.firstTicket = ticket;
      lastTicket = ticket;
      wholeEnd = next;
      count++;
    }
    this.#wholeEnd = wholeEnd;
    this.count = count;
    this.lastTicket = lastTicket;
  }

  /** Writes the frame's head; `firstTicket` has all its bits. */
  seal(firstTicket: number): void {
    const bytes = this.#wholeEnd - FRAME_HEAD_BYTES;
    const frame = { bytes, firstTicket, count: this.count };
    putFrameHead(this.#buf, 0, frame, this.#memory);
  }

  /** Forgets the records of the frame. */
  drop(): void {
    const left = this.#end - this.#wholeEnd;
    if (left === 0 && this.#buf.length > KEPT_BYTES) {
      this.#memory &&= makeCrc32cMemory(FIRST_BYTES);
      this.#setBuffer(this.#memory?.bytes ?? new Uint8Array(FIRST_BYTES));
    } else if (this.#wholeEnd > FRAME_HEAD_BYTES) {
      this.#buf.copyWithin(FRAME_HEAD_BYTES, this.#wholeEnd, this.#end);
    }
    this.#end = FRAME_HEAD_BYTES + left;
    this.#wholeEnd = FRAME_HEAD_BYTES;
    this.count = 0;
  }

  #reserve(bytes: number): void {
    const length = this.#buf.length;
    if (bytes <= length) return;
    // Whole words, and some to spare.
    const most = Math.max(bytes, length + Math.min(length, SPARE_BYTES_MAX));
    const wanted = most + 4 - most % 4;
    if (this.#memory !== null && wanted <= MEMORY_BYTES_MAX) {
      this.#memory.grow(wanted);
      return this.#setBuffer(this.#memory.bytes);
    }
    this.#memory = null;
    const grown = new Uint8Array(wanted);
    grown.set(this.#buf.subarray(0, this.#end));
    this.#setBuffer(grown);
  }

  #setBuffer(buf: Uint8Array<ArrayBuffer>): void {
    this.#buf = buf;
    this.#words = wordsOf(buf);
  }
}

function wordsOf(buf: Uint8Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  return new Int32Array(buf.buffer, buf.byteOffset, Math.floor(buf.length / 4));
}

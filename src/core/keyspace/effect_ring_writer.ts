/**
 * The worker's end of its ring (effect_ring.ts): puts records in, and keeps what
 * finds no room.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import {
  RING_DATA,
  RING_DRAINED,
  RING_WAITING,
  RING_WRITTEN,
} from "./effect_ring.ts";
import { WaitingBytes } from "./waiting_bytes.ts";

/** What the word can say that counts what waits. */
const WAITING_BYTES_MAX = 0x7fffffff;

/** One per ring. */
export class EffectRingWriter {
  /** The ring's data, and the same in words. */
  readonly data: Uint8Array;
  readonly words: Int32Array;
  readonly view: DataView;
  /** Bytes that wait for room; see {@linkcode defer}. */
  readonly waiting = new WaitingBytes();
  readonly #control: Int32Array;
  readonly #capacity: number;
  /** Bytes written, as the ring's word has it. */
  #written: number;
  /** Bytes drained, when that was last looked up. */
  #drained: number;
  /** Whether some wait only because latches were held. */
  #isDeferred = false;

  /** `ring` is as in effect_ring.ts. */
  constructor(ring: SharedArrayBuffer) {
    this.data = new Uint8Array(ring, RING_DATA);
    this.words = new Int32Array(ring, RING_DATA);
    this.view = new DataView(ring, RING_DATA);
    this.#control = new Int32Array(ring, 0, RING_DATA >> 2);
    this.#capacity = this.data.length;
    this.#written = Atomics.load(this.#control, RING_WRITTEN);
    this.#drained = Atomics.load(this.#control, RING_DRAINED);
  }

  /** Whether more than half is full, or something waits for room. */
  get isCongested(): boolean {
    if (this.waiting.count !== 0) return true;
    if (this.#used() * 2 <= this.#capacity) return false;
    this.#look();
    return this.#used() * 2 > this.#capacity;
  }

  /** Bytes that the consumer has not taken yet, and could. */
  get undrainedBytes(): number {
    return this.#control[RING_WRITTEN]! -
        Atomics.load(this.#control, RING_DRAINED) | 0;
  }

  /** Lets the consumer see all that there is. */
  publish(): void {
    if (this.#isDeferred) this.flush();
    else this.#publishWritten();
  }

  /** Puts what waits into the ring, as far as there is room. */
  flush(): void {
    const { waiting } = this;
    this.#isDeferred = false;
    if (waiting.count === 0) return;
    while (waiting.count !== 0) {
      const { buf, from, end } = waiting.first;
      const put = this.#copy(buf, from, end - from);
      waiting.drop(put);
      if (put < end - from) break;
    }
    this.#publishWritten();
    this.#tellWaiting();
  }

  /**
   * Where `bytes` bytes can be written into {@linkcode data}, in one piece;
   * negative if they cannot. {@linkcode took} says how many were.
   */
  roomFor(bytes: number): number {
    const start = this.#written & (this.#capacity - 1);
    const fits = start + bytes <= this.#capacity && this.waiting.count === 0 &&
      this.#hasRoom(bytes);
    return fits ? start : -1;
  }

  /** So many bytes have been written there; a multiple of four. */
  took(bytes: number): void {
    this.#written = this.#written + bytes | 0;
  }

  /** Puts bytes in; what finds no room waits, and is copied. */
  put(buf: Uint8Array, off: number, length: number): void {
    let put = 0;
    if (this.waiting.count === 0) {
      put = this.#copy(buf, off, length);
      if (put === length) return;
      this.#publishWritten();
    } else this.#isDeferred = true;
    this.waiting.copy(buf, off + put, length - put);
    this.#tellWaiting();
  }

  /** Something was added to what waits, to be put in when no latch is held. */
  defer(): void {
    this.#isDeferred = true;
    this.#tellWaiting();
  }

  #used(): number {
    return this.#written - this.#drained | 0;
  }

  #look(): void {
    this.#drained = Atomics.load(this.#control, RING_DRAINED);
  }

  #hasRoom(bytes: number): boolean {
    if (this.#used() + bytes <= this.#capacity) return true;
    this.#look();
    return this.#used() + bytes <= this.#capacity;
  }

  #publishWritten(): void {
    if (this.#control[RING_WRITTEN] === this.#written) return;
    Atomics.store(this.#control, RING_WRITTEN, this.#written);
  }

  /** Copies as many bytes into the ring as there is room for. */
  #copy(buf: Uint8Array, off: number, length: number): number {
    this.#look();
    // Records begin at multiples of four, and so does whatever follows a part.
    const bytes = Math.min(length, this.#capacity - this.#used());
    const start = this.#written & (this.#capacity - 1);
    const first = Math.min(bytes, this.#capacity - start);
    copyBytes(buf, off, this.data, start, first);
    copyBytes(buf, off + first, this.data, 0, bytes - first);
    this.took(bytes);
    return bytes;
  }

  #tellWaiting(): void {
    const bytes = Math.min(this.waiting.bytes, WAITING_BYTES_MAX);
    Atomics.store(this.#control, RING_WAITING, bytes);
  }
}

/**
 * Frames: how records for a peer are laid into one buffer, and read out again.
 *
 * ```text
 * batch    record*                 one transferred ArrayBuffer per message
 * record   kind u8, fields         the reader knows the fields of each kind
 * ```
 * Integers are little endian; bytes and text carry their length (u32).
 *
 * @module
 */

import { bytesInMemory, copyBytes } from "../../core/base/bytes.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Bytes of a writer's first buffer. */
const FIRST_BYTES = 4096;
/** A buffer that grew beyond this is not kept. */
const KEPT_BYTES = 256 * 1024;

/**
 * The next buffer of whichever of this thread's writers is the first to need more: a
 * long reply is written under a latch, where no memory should have to be got.
 */
const SPARE = bytesInMemory(128 * 1024);
let isSpareTaken = false;

/** Writes records one after the other. */
export class FrameWriter {
  readonly #first = new Uint8Array(FIRST_BYTES);
  #bytes = this.#first;
  #view = new DataView(this.#bytes.buffer);
  #at = 0;

  /** Bytes written since the last {@linkcode take}. */
  get length(): number {
    return this.#at;
  }

  /** One byte. */
  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = value;
  }

  /** A signed or unsigned 32-bit integer. */
  u32(value: number): void {
    this.#room(4);
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  /** A double. */
  f64(value: number): void {
    this.#room(8);
    this.#view.setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  /** Bytes with their length. */
  bytes(source: Uint8Array, off: number, length: number): void {
    this.u32(length);
    this.rawBytes(source, off, length);
  }

  /** Bytes whose length the reader knows. */
  rawBytes(source: Uint8Array, off: number, length: number): void {
    this.#room(length);
    copyBytes(source, off, this.#bytes, this.#at, length);
    this.#at += length;
  }

  /** Text with its length. */
  text(value: string): void {
    const bytes = encoder.encode(value);
    this.bytes(bytes, 0, bytes.length);
  }

  /** What was written, in a buffer that may be transferred. */
  take(): Uint8Array<ArrayBuffer> {
    const batch = this.#bytes.slice(0, this.#at);
    this.#at = 0;
    const isKept = this.#bytes !== SPARE && this.#bytes.length <= KEPT_BYTES;
    if (!isKept) this.#setBuffer(this.#first);
    return batch;
  }

  #room(n: number): void {
    if (this.#at + n <= this.#bytes.length) return;
    const next = this.#nextBuffer(this.#at + n);
    next.set(this.#bytes.subarray(0, this.#at));
    this.#setBuffer(next);
  }

  #nextBuffer(bytes: number): Uint8Array<ArrayBuffer> {
    const { length } = this.#bytes;
    if (!isSpareTaken && length < SPARE.length && bytes <= SPARE.length) {
      isSpareTaken = true;
      return SPARE;
    }
    return new Uint8Array(Math.max(length * 2, bytes));
  }

  /** Goes on in another buffer; the spare one is free again, if it was that. */
  #setBuffer(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#bytes === SPARE) isSpareTaken = false;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

/** Reads the records of a batch. */
export class FrameReader {
  /** The batch. */
  readonly buf: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** Reads from the start of `batch`. */
  constructor(batch: Uint8Array) {
    this.buf = batch;
    this.#view = new DataView(
      batch.buffer,
      batch.byteOffset,
      batch.byteLength,
    );
  }

  /** Whether all was read. */
  get isAtEnd(): boolean {
    return this.#at === this.buf.length;
  }

  /** One byte. */
  u8(): number {
    return this.#view.getUint8(this.#at++);
  }

  /** An unsigned 32-bit integer. */
  u32(): number {
    const value = this.#view.getUint32(this.#at, true);
    this.#at += 4;
    return value;
  }

  /** A signed 32-bit integer. */
  i32(): number {
    return this.u32() | 0;
  }

  /** A double. */
  f64(): number {
    const value = this.#view.getFloat64(this.#at, true);
    this.#at += 8;
    return value;
  }

  /** Skips bytes with their length; returns where they began in `buf`. */
  skipBytes(length: number): number {
    const from = this.#at;
    this.#at += length;
    return from;
  }

  /** A view on bytes with their length. */
  bytes(): Uint8Array {
    const length = this.u32();
    const from = this.skipBytes(length);
    return this.buf.subarray(from, from + length);
  }

  /** Text with its length. */
  text(): string {
    return decoder.decode(this.bytes());
  }
}

/**
 * Reply buffers that wait to be used again: a connection holds one only while
 * it has something to send.
 *
 * @module
 */

import { REPLY_BUFFER_BYTES } from "../../core/resp/reply_writer.ts";

/** Buffers kept; more are left to the garbage collector. */
const KEPT_MAX = 64;
/** Buffers that grew beyond this are not kept. */
const KEPT_BYTES_MAX = 256 * 1024;

/** One pool per worker. */
export class BufferPool {
  readonly #buffers: Uint8Array<ArrayBuffer>[] = [];

  /** A buffer of at least the usual size. */
  take(): Uint8Array<ArrayBuffer> {
    return this.#buffers.pop() ?? new Uint8Array(REPLY_BUFFER_BYTES);
  }

  /** A buffer of at least `bytes`. */
  takeLarge(bytes: number): Uint8Array<ArrayBuffer> {
    const last = this.#buffers.at(-1);
    if (last !== undefined && last.length >= bytes) {
      return this.#buffers.pop()!;
    }
    return new Uint8Array(bytes);
  }

  /** Takes a buffer back. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    if (
      this.#buffers.length < KEPT_MAX && buffer.length <= KEPT_BYTES_MAX
    ) this.#buffers.push(buffer);
  }
}

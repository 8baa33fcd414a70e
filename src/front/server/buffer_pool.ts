/**
 * Reply buffers that wait to be used again: a connection holds one only while
 * it has something to send.
 *
 * @module
 */

import { bytesInMemory } from "../../core/base/bytes.ts";
import {
  LARGE_BUFFER_BYTES,
  REPLY_BUFFER_BYTES,
} from "../../core/resp/reply_writer.ts";

/** Buffers kept; more are left to the garbage collector. */
const KEPT_MAX = 64;
/**
 * Large buffers that are there from the beginning: one that grows does so under the
 * latch of what is replied.
 */
const LARGE_FIRST = 4;

/** One pool per worker. */
export class BufferPool {
  readonly #buffers: Uint8Array<ArrayBuffer>[] = Array.from(
    { length: LARGE_FIRST },
    () => bytesInMemory(LARGE_BUFFER_BYTES),
  );

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

  /** Takes a buffer back, unless it has grown too large. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    if (
      this.#buffers.length < KEPT_MAX && buffer.length <= LARGE_BUFFER_BYTES
    ) this.#buffers.push(buffer);
  }
}

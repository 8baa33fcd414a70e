/**
 * Names of keys that are noted under latches, to be looked at when these have been
 * given back: short ones are copied, the runs in which long ones lie are kept.
 *
 * @module
 */

import { bytesInMemory, copyBytes } from "../base/bytes.ts";
import type { Heap } from "../memory/heap.ts";
import { LONG_KEY_BYTES } from "../memory/known_keys.ts";

/** Bytes of a block: any short name has room in one. */
const BLOCK_BYTES = LONG_KEY_BYTES;

/** A long name. */
interface LongName {
  /** The run in which it lies; 0 if it was copied. */
  readonly run: number;
  readonly buf: Uint8Array;
  readonly off: number;
}

/** One worker's names of one kind. */
export class NotedBytes {
  readonly #heap: () => Heap | null;
  /** The first one is kept, so that its memory need not be had under a latch. */
  readonly #blocks: Uint8Array[];
  /** The block at hand, and where it ends. */
  #block = 0;
  #end = 0;
  readonly #long: LongName[] = [];

  /**
   * `heap` gives any heap of the arena; null if all names are to be copied. Room
   * for `firstBytes` of short names is made at once.
   */
  constructor(heap: () => Heap | null, firstBytes = BLOCK_BYTES) {
    this.#heap = heap;
    this.#blocks = [bytesInMemory(firstBytes)];
  }

  /** Adds a name and returns its place, of which the others ask. */
  add(buf: Uint8Array, off: number, length: number): number {
    if (length >= LONG_KEY_BYTES) return this.#addLong(buf, off, length);
    if (this.#end + length > this.#blocks[this.#block]!.length) {
      this.#block = this.#blocks.push(new Uint8Array(BLOCK_BYTES)) - 1;
      this.#end = 0;
    }
    const at = this.#end;
    copyBytes(buf, off, this.#blocks[this.#block]!, at, length);
    this.#end = at + length;
    return this.#block * BLOCK_BYTES + at;
  }

  /** The buffer of a name. */
  buf(place: number): Uint8Array {
    return place < 0
      ? this.#long[~place]!.buf
      : this.#blocks[Math.floor(place / BLOCK_BYTES)]!;
  }

  /** Where in that it begins. */
  off(place: number): number {
    return place < 0 ? this.#long[~place]!.off : place % BLOCK_BYTES;
  }

  /** A copy of a name. */
  copy(place: number, length: number): Uint8Array {
    const off = this.off(place);
    return this.buf(place).slice(off, off + length);
  }

  /** Forgets all. */
  clear(): void {
    this.#block = this.#end = 0;
    this.#blocks.length = 1;
    for (const { run } of this.#long) {
      if (run !== 0) this.#heap()!.letGo(run);
    }
    this.#long.length = 0;
  }

  #addLong(buf: Uint8Array, off: number, length: number): number {
    const heap = this.#heap();
    const run = heap?.runAt(buf, off) ?? 0;
    const name = run === 0
      ? { run, buf: buf.slice(off, off + length), off: 0 }
      : { run, buf, off };
    if (run !== 0) heap!.keep(run);
    return ~(this.#long.push(name) - 1);
  }
}

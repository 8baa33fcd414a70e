/**
 * Names of keys that are noted under latches, to be looked at when these have been
 * given back: short ones are copied, the runs in which long ones lie are kept.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import type { Heap } from "../memory/heap.ts";
import { LONG_KEY_BYTES } from "../memory/known_keys.ts";

const FIRST_BYTES = 256;
/** A buffer that grew beyond this is not kept. */
const KEPT_BYTES = 64 * 1024;

/** A long name. */
interface LongName {
  readonly run: number;
  readonly buf: Uint8Array;
  readonly off: number;
}

/** One worker's names of one kind. */
export class NotedBytes {
  readonly #heap: () => Heap | null;
  #bytes = new Uint8Array(FIRST_BYTES);
  #end = 0;
  readonly #long: LongName[] = [];

  /** `heap` gives any heap of the arena; null if all names are to be copied. */
  constructor(heap: () => Heap | null) {
    this.#heap = heap;
  }

  /** Adds a name and returns its place, of which the others ask. */
  add(buf: Uint8Array, off: number, length: number): number {
    if (length >= LONG_KEY_BYTES) {
      const heap = this.#heap();
      const run = heap?.runAt(buf, off) ?? 0;
      if (run !== 0) {
        heap!.keep(run);
        return ~(this.#long.push({ run, buf, off }) - 1);
      }
    }
    const at = this.#end;
    const end = at + length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(end * 2);
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
    }
    copyBytes(buf, off, this.#bytes, at, length);
    this.#end = end;
    return at;
  }

  /** The buffer of a name; good until the next one is added. */
  buf(place: number): Uint8Array {
    return place < 0 ? this.#long[~place]!.buf : this.#bytes;
  }

  /** Where in that it begins. */
  off(place: number): number {
    return place < 0 ? this.#long[~place]!.off : place;
  }

  /** A copy of a name. */
  copy(place: number, length: number): Uint8Array {
    const off = this.off(place);
    return this.buf(place).slice(off, off + length);
  }

  /** Forgets all. */
  clear(): void {
    this.#end = 0;
    if (this.#bytes.length > KEPT_BYTES) {
      this.#bytes = new Uint8Array(FIRST_BYTES);
    }
    for (const { run } of this.#long) this.#heap()!.letGo(run);
    this.#long.length = 0;
  }
}

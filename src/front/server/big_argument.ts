/**
 * An argument that streams into the arena while it arrives.
 *
 * The run grows with the bytes that have come, so a client that only announces
 * half a gigabyte costs nothing: first a megabyte, then four times what is
 * there, and the whole once an eighth of it has arrived. It grows where it stands
 * as long as the pages behind it are free.
 *
 * @module
 */

import { copyBytes } from "../../core/base/bytes.ts";
import type { ExternalStrings } from "../../core/memory/external.ts";

/** Room that an announcement gets. */
const FIRST_BYTES = 1024 * 1024;
/** What follows the argument on the wire. */
const LINE_END_BYTES = 2;

/** One argument being received. */
export class BigArgument {
  /** Its announced length. */
  readonly length: number;
  /** The run; 0 when memory ran out and the bytes are only skipped. */
  ref: number;
  readonly #externals: ExternalStrings;
  #received = 0;

  /** Begins to receive `length` bytes. */
  constructor(externals: ExternalStrings, length: number) {
    this.#externals = externals;
    this.length = length;
    this.ref = externals.create(Math.min(length, FIRST_BYTES));
  }

  /** Bytes received so far, the line end included. */
  get received(): number {
    return this.#received;
  }

  /** Whether the argument and its line end are here. */
  get isComplete(): boolean {
    return this.#received === this.length + LINE_END_BYTES;
  }

  /** Takes what it needs of `source`; returns how many bytes that was. */
  take(source: Uint8Array, from: number, to: number): number {
    const missing = this.length + LINE_END_BYTES - this.#received;
    const count = Math.min(missing, to - from);
    const wanted = Math.min(count, Math.max(0, this.length - this.#received));
    if (wanted > 0 && this.#makeRoom(this.#received + wanted)) {
      copyBytes(
        source,
        from,
        this.#externals.bytes(this.ref),
        this.#externals.offset(this.ref) + this.#received,
        wanted,
      );
      this.#externals.setLength(this.ref, this.#received + wanted);
    }
    this.#received += count;
    return count;
  }

  /** Frees what was received. */
  drop(): void {
    if (this.ref !== 0) this.#externals.unpin(this.ref);
    this.ref = 0;
  }

  #makeRoom(needed: number): boolean {
    if (this.ref === 0) return false;
    const externals = this.#externals;
    if (needed <= externals.capacity(this.ref)) return true;
    const room = needed * 8 >= this.length
      ? this.length
      : Math.min(this.length, needed * 4);
    if (externals.extend(this.ref, room)) return true;
    const grown = externals.create(room);
    if (grown !== 0) {
      const length = externals.length(this.ref);
      copyBytes(
        externals.bytes(this.ref),
        externals.offset(this.ref),
        externals.bytes(grown),
        externals.offset(grown),
        length,
      );
      externals.setLength(grown, length);
    }
    externals.unpin(this.ref);
    this.ref = grown;
    return grown !== 0;
  }
}

/**
 * Bytes that wait for room in a ring, in the order in which they are to go there.
 * Long ones are kept where they lie, short ones behind them if there is room.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { copyBytes } from "../base/bytes.ts";

/** Least room of a buffer for short ones. */
const ROOM_BYTES = 1 << 16;

/** Bytes of one buffer. */
export interface BytePiece {
  readonly buf: Uint8Array;
  /** Where the first one lies. */
  from: number;
  /** Where they end; what lies behind is free, if there is no `done`. */
  end: number;
  /** Whether a command begins with them, before which a record may be parted. */
  readonly canPart?: boolean;
  /** Lets go of what they lie in, when they have been copied. */
  readonly done?: () => void;
}

/** One per ring. */
export class WaitingBytes {
  readonly #pieces: BytePiece[] = [];
  /** How many there are. */
  bytes = 0;

  /** How many pieces they are. */
  get count(): number {
    return this.#pieces.length;
  }

  /** The piece that goes first; there is one. */
  get first(): BytePiece {
    const piece = this.#pieces[0];
    assert(piece !== undefined, "something waits");
    return piece;
  }

  /** Adds bytes with their buffer, which is given up. */
  take(piece: BytePiece): void {
    this.#pieces.push(piece);
    this.bytes += piece.end - piece.from;
  }

  /** Adds copies of bytes. */
  copy(source: Uint8Array, off: number, length: number): void {
    let last = this.#pieces.at(-1);
    if (
      last === undefined || last.done !== undefined ||
      last.end + length > last.buf.length
    ) {
      // Twice as much as the last time, so that many short ones are few pieces.
      const room = Math.max(ROOM_BYTES, Math.min(this.bytes, 1 << 22), length);
      last = { buf: new Uint8Array(room), from: 0, end: 0 };
      this.#pieces.push(last);
    }
    copyBytes(source, off, last.buf, last.end, length);
    last.end += length;
    this.bytes += length;
  }

  /** Drops the first `length` bytes, all of the first piece. */
  drop(length: number): void {
    const piece = this.first;
    piece.from += length;
    this.bytes -= length;
    if (piece.from < piece.end) return;
    this.#pieces.shift();
    piece.done?.();
  }
}

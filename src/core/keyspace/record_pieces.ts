/**
 * A long record in the making, as pieces that nobody copies.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import type { EffectDraft } from "./effect_draft.ts";
import { putWord, RECORD_HEADER_BYTES } from "./effect_record.ts";
import type { BytePiece, WaitingBytes } from "./waiting_bytes.ts";

/** Its pieces; the first lies behind room for the record's head. */
export class RecordPieces {
  /** How many bytes they have. */
  bytes = 0;
  #pieces: BytePiece[] = [];

  /** Adds a piece, whose buffer is given up. */
  add(piece: BytePiece): void {
    this.#pieces.push(piece);
    this.bytes += piece.end - piece.from;
  }

  /** Lets go of them. */
  clear(): void {
    if (this.bytes === 0) return;
    for (const { done } of this.#pieces) done?.();
    this.#leave();
  }

  /** All bytes, behind room for a head; a single piece is not copied. */
  joined(): Uint8Array<ArrayBuffer> {
    const [first] = this.#pieces;
    if (this.#pieces.length === 1 && first!.from === RECORD_HEADER_BYTES) {
      // What lies elsewhere stands behind what names its command.
      return first!.buf.subarray(0, first!.end) as Uint8Array<ArrayBuffer>;
    }
    const joined = new Uint8Array(RECORD_HEADER_BYTES + this.bytes);
    let at = RECORD_HEADER_BYTES;
    for (const { buf, from, end } of this.#pieces) {
      copyBytes(buf, from, joined, at, end - from);
      at += end - from;
    }
    return joined;
  }

  /** Moves them to the end of a draft; those that nobody keeps are copied. */
  moveTo(draft: EffectDraft): void {
    for (const piece of this.#pieces) {
      const { buf, from, end, done } = piece;
      if (done === undefined) draft.append(buf, from, end - from);
      else draft.appendKept(piece);
    }
    this.#leave();
  }

  /** Makes them a record, padding included, which waits for room in the ring. */
  putInto(waiting: WaitingBytes, bodyBytes: number, ticket: number): void {
    const first = this.#pieces[0]!;
    first.from -= RECORD_HEADER_BYTES;
    putWord(first.buf, first.from, bodyBytes);
    putWord(first.buf, first.from + 4, ticket);
    for (const piece of this.#pieces) waiting.take(piece);
    this.#leave();
  }

  #leave(): void {
    this.#pieces = [];
    this.bytes = 0;
  }
}

/**
 * A long record in the making, as pieces that nobody copies.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { copyBytes } from "../base/bytes.ts";
import type { EffectDraft } from "./effect_draft.ts";
import {
  BODY_BYTES_MAX,
  makePartHead,
  paddingBytes,
  putWord,
  RECORD_HEADER_BYTES,
} from "./effect_record.ts";
import type { BytePiece, WaitingBytes } from "./waiting_bytes.ts";

/** Its pieces; the first lies behind room for the record's head. */
export class RecordPieces {
  /** How many bytes they have. */
  bytes = 0;
  #pieces: BytePiece[] = [];
  /** Whether it may be parted before what is added next. */
  #canPart = false;
  #partStart = 0;

  /** Adds a piece, whose buffer is given up. */
  add(piece: BytePiece): void {
    this.#pieces.push(this.#canPart ? { ...piece, canPart: true } : piece);
    this.#canPart = false;
    this.bytes += piece.end - piece.from;
  }

  /** Bytes since it could be parted. */
  get bytesOfPart(): number {
    return this.bytes - this.#partStart;
  }

  /** A command begins behind the pieces: it may be parted here. */
  beginPart(): void {
    this.#canPart = true;
    this.#partStart = this.bytes;
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
      if (piece.canPart) draft.beginPart();
      if (done === undefined) draft.append(buf, from, end - from);
      else draft.appendKept(piece);
    }
    this.#leave();
  }

  /** Makes them a record, which waits for room in the ring. */
  putInto(waiting: WaitingBytes, ticket: number): void {
    const { bytes } = this;
    assert(bytes <= BODY_BYTES_MAX, "a command fits into a record");
    const first = this.#pieces[0]!;
    first.from -= RECORD_HEADER_BYTES;
    putWord(first.buf, first.from, bytes);
    putWord(first.buf, first.from + 4, ticket);
    for (const piece of this.#pieces) waiting.take(piece);
    padBehind(waiting, bytes);
    this.#leave();
  }

  /**
   * Where records end that are parts of it, as numbers of pieces: none of them is
   * much longer than `partBytes`, unless it is of a single command.
   */
  partEnds(partBytes: number): number[] {
    const ends: number[] = [];
    if (this.bytes > partBytes) {
      let bytes = 0;
      for (const [i, { from, end, canPart }] of this.#pieces.entries()) {
        if (canPart && bytes >= partBytes) {
          ends.push(i);
          bytes = 0;
        }
        bytes += end - from;
      }
    }
    ends.push(this.#pieces.length);
    return ends;
  }

  /** As {@linkcode putInto}, as parts, the first of which has that ticket. */
  putPartsInto(
    waiting: WaitingBytes,
    ends: readonly number[],
    ticket: number,
  ): void {
    let start = 0;
    for (const [part, end] of ends.entries()) {
      const pieces = this.#pieces.slice(start, end);
      const bytes = pieces.reduce((sum, { from, end }) => sum + end - from, 0);
      const behind = ends.length - 1 - part;
      assert(bytes < BODY_BYTES_MAX, "a command fits into a record");
      const head = makePartHead(bytes, ticket + part, part, behind);
      waiting.take({ buf: head, from: 0, end: head.length });
      for (const piece of pieces) waiting.take(piece);
      padBehind(waiting, head.length + bytes);
      start = end;
    }
    this.#leave();
  }

  #leave(): void {
    this.#pieces = [];
    this.bytes = this.#partStart = 0;
    this.#canPart = false;
  }
}

function padBehind(waiting: WaitingBytes, bytes: number): void {
  const end = paddingBytes(bytes);
  if (end > 0) waiting.take({ buf: new Uint8Array(end), from: 0, end });
}

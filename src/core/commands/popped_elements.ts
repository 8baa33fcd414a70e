/**
 * Elements that are taken from a value in slices, kept as bytes of the reply
 * until all are there.
 *
 * A value of these elements need not be made, so memory that is short does not
 * keep anybody from taking away.
 *
 * @module
 */

import type { ReplySource } from "../resp/reply_source.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";

/** A piece of so many bytes is full. */
const PIECE_BYTES = 1 << 16;
/** Room for the element that fills it. */
const SPARE_BYTES = 1 << 13;

/** What has been taken so far, as replies in one version of the protocol. */
export class PoppedElements {
  /** Position of a piece from which on it is full. */
  readonly limit: number = PIECE_BYTES;
  readonly #resp: 2 | 3;
  readonly #pieces: Uint8Array[] = [];
  #writer: ReplyWriter;

  constructor(resp: 2 | 3) {
    this.#resp = resp;
    this.#writer = this.#makeWriter();
  }

  /** Where the next elements go, up to the limit; to be asked for anew then. */
  writer(): ReplyWriter {
    if (this.#writer.at >= PIECE_BYTES) {
      this.#endPiece();
      this.#writer = this.#makeWriter();
    }
    return this.#writer;
  }

  /** Replies all of them, behind a head; nothing may follow. */
  reply(reply: ReplyWriter): void {
    this.#endPiece();
    const pieces = new Pieces(this.#pieces);
    if (reply.canStream) reply.stream(pieces);
    else pieces.write(reply, Infinity);
  }

  #makeWriter(): ReplyWriter {
    const writer = new ReplyWriter(PIECE_BYTES + SPARE_BYTES);
    writer.resp = this.#resp;
    return writer;
  }

  #endPiece(): void {
    const { buf, at } = this.#writer;
    this.#pieces.push(buf.subarray(0, at));
  }
}

/** Bytes that are written piece by piece. */
export class Pieces implements ReplySource {
  #pieces: readonly Uint8Array[];
  #at = 0;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces;
  }

  write(writer: ReplyWriter, bytes: number): boolean {
    const end = writer.at + bytes;
    while (this.#at < this.#pieces.length && writer.at < end) {
      writer.raw(this.#pieces[this.#at++]!);
    }
    return this.#at === this.#pieces.length;
  }

  drop(): void {
    this.#pieces = [];
  }
}

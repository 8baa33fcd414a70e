/**
 * Replies that are gathered over several turns, as bytes, and written when all
 * are there.
 *
 * @module
 */

import type { ReplySource } from "../resp/reply_source.ts";
import { REPLY_BUFFER_BYTES, ReplyWriter } from "../resp/reply_writer.ts";

/** Bytes of a reply, in pieces. */
export class GatheredReply {
  readonly #resp: 2 | 3;
  readonly #pieces: Uint8Array[] = [];
  #endedBytes = 0;
  #writer: ReplyWriter;

  /** In a version of the protocol. */
  constructor(resp: 2 | 3) {
    this.#resp = resp;
    this.#writer = this.#begin();
  }

  /** What is written next goes here. */
  get writer(): ReplyWriter {
    if (this.#writer.at >= REPLY_BUFFER_BYTES) this.#endPiece();
    return this.#writer;
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.#endedBytes + this.#writer.at;
  }

  /** Writes all that was gathered, bit by bit if that is possible. */
  writeTo(reply: ReplyWriter): void {
    this.#endPiece();
    const pieces = new Pieces(this.#pieces);
    if (reply.canStream) reply.stream(pieces);
    else pieces.write(reply, Infinity);
  }

  #begin(): ReplyWriter {
    const writer = new ReplyWriter();
    writer.resp = this.#resp;
    return writer;
  }

  #endPiece(): void {
    this.#endedBytes += this.#writer.at;
    this.#pieces.push(this.#writer.buf.subarray(0, this.#writer.at));
    this.#writer = this.#begin();
  }
}

/** Bytes that are written piece by piece. */
class Pieces implements ReplySource {
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

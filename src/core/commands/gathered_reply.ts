/**
 * Replies that are gathered in slices, kept as bytes until all is there.
 *
 * A value of elements that are taken away need not be made for that, so memory
 * that is short does not keep anybody from taking them.
 *
 * @module
 */

import type { ReplySource } from "../resp/reply_source.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";

/** A piece of so many bytes is full. */
const PIECE_BYTES = 1 << 16;
/** Room for the reply that fills it. */
const SPARE_BYTES = 1 << 13;

/** What has been gathered so far, in one version of the protocol. */
export class GatheredReply {
  /** Position of a piece from which on it is full. */
  readonly limit: number = PIECE_BYTES;
  readonly #resp: 2 | 3;
  readonly #pieces: Uint8Array[] = [];
  #endedBytes = 0;
  #writer: ReplyWriter;

  constructor(resp: 2 | 3) {
    this.#resp = resp;
    this.#writer = this.#makeWriter();
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.#endedBytes + this.#writer.at;
  }

  /** Where the next replies go, up to the limit; to be asked for anew then. */
  writer(): ReplyWriter {
    if (this.#writer.at >= PIECE_BYTES) {
      this.#endPiece();
      this.#writer = this.#makeWriter();
    }
    return this.#writer;
  }

  /** Replies all of it, behind a head; nothing may follow. */
  reply(reply: ReplyWriter): void {
    this.#endPiece();
    replyPieces(reply, this.#pieces);
  }

  #makeWriter(): ReplyWriter {
    const writer = new ReplyWriter(PIECE_BYTES + SPARE_BYTES);
    writer.resp = this.#resp;
    return writer;
  }

  #endPiece(): void {
    const { buf, at } = this.#writer;
    this.#pieces.push(buf.subarray(0, at));
    this.#endedBytes += at;
  }
}

/** Replies bytes piece by piece, if it can; nothing may follow. */
export function replyPieces(
  reply: ReplyWriter,
  bytes: readonly Uint8Array[],
): void {
  const pieces = new Pieces(bytes);
  if (reply.canStream) reply.stream(pieces);
  else pieces.write(reply, Infinity);
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

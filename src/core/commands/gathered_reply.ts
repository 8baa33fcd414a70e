/**
 * Replies that are gathered in slices, kept as bytes until all is there.
 *
 * A value of elements that are taken away need not be made for that, so memory
 * that is short does not keep anybody from taking them. Long elements stay where
 * they lie (long_elements.ts).
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { ReplySource } from "../resp/reply_source.ts";
import { type ReplySpan, ReplyWriter } from "../resp/reply_writer.ts";

/** A piece of so many bytes is full. */
const PIECE_BYTES = 1 << 16;
/** Room for the reply that fills it. */
const SPARE_BYTES = 1 << 13;
const NO_SPANS: readonly ReplySpan[] = [];

/** A part of a reply: bytes, and marks of sources among them. */
export interface ReplyPiece {
  readonly bytes: Uint8Array;
  readonly spans: readonly ReplySpan[];
}

/** A writer of what another one will reply, later. */
export function writerLike(
  { resp, longs, canStream }: ReplyWriter,
  bytes?: number,
): ReplyWriter {
  return Object.assign(new ReplyWriter(bytes), { resp, longs, canStream });
}

/** What a writer has written from one place to another. */
export function pieceOf(
  { buf, spans }: ReplyWriter,
  from: number,
  to: number,
): ReplyPiece {
  return {
    bytes: buf.subarray(from, to),
    spans: spans === null ? NO_SPANS : spans
      .filter(({ at }) => at > from && at <= to)
      .map((span) => ({ ...span, at: span.at - from })),
  };
}

/** What has been gathered so far, in one version of the protocol. */
export class GatheredReply {
  /** Position of a piece from which on it is full. */
  readonly limit: number = PIECE_BYTES;
  readonly #pieces: ReplyPiece[] = [];
  #endedCost = 0;
  #writer: ReplyWriter;

  /** It will be replied by a writer like this one. */
  constructor(reply: ReplyWriter) {
    this.#writer = writerLike(reply, PIECE_BYTES + SPARE_BYTES);
  }

  /** What it has cost so far, as {@linkcode ReplyWriter.cost}. */
  get cost(): number {
    return this.#endedCost + this.#writer.cost;
  }

  /** Where the next replies go, up to the limit; to be asked for anew then. */
  writer(): ReplyWriter {
    if (this.#writer.cost >= PIECE_BYTES) {
      this.#endPiece();
      this.#writer = writerLike(this.#writer, PIECE_BYTES + SPARE_BYTES);
    }
    return this.#writer;
  }

  /** Replies all of it, behind a head; nothing may follow. */
  reply(reply: ReplyWriter): void {
    this.#endPiece();
    replyPieces(reply, this.#pieces);
  }

  #endPiece(): void {
    const { at, cost } = this.#writer;
    this.#pieces.push(pieceOf(this.#writer, 0, at));
    this.#endedCost += cost;
  }
}

/** Replies what was written, piece by piece if it can; nothing may follow. */
export function replyPieces(
  reply: ReplyWriter,
  pieces: readonly ReplyPiece[],
): void {
  let from = 0;
  for (const [i, piece] of pieces.entries()) {
    if (piece.spans.length === 0) continue;
    replyBytes(reply, pieces.slice(from, i));
    replyMarked(reply, piece);
    from = i + 1;
  }
  replyBytes(reply, pieces.slice(from));
}

function replyBytes(reply: ReplyWriter, pieces: readonly ReplyPiece[]): void {
  if (pieces.length === 0) return;
  const source = new Pieces(pieces.map(({ bytes }) => bytes));
  if (reply.canStream) reply.stream(source);
  else source.write(reply, Infinity);
}

/** Replies one piece; nothing may follow. */
export function replyPiece(reply: ReplyWriter, piece: ReplyPiece): void {
  if (piece.spans.length > 0) replyMarked(reply, piece);
  else reply.raw(piece.bytes);
}

function replyMarked(reply: ReplyWriter, { bytes, spans }: ReplyPiece): void {
  if (reply.canStream) return reply.append(bytes, spans);
  let from = 0;
  for (const { at, source } of spans) {
    assert(source !== null, "what is gathered has sources");
    reply.raw(bytes.subarray(from, at));
    source.write(reply, Infinity);
    from = at;
  }
  reply.raw(bytes.subarray(from));
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

/**
 * What a connection has still to send: filled reply buffers, in order, with the
 * long strings that lie in the arena between their bytes.
 *
 * Buffers are sent as they are. A string of the arena is copied out a piece at
 * a time, so a reply of half a gigabyte never takes more than one piece of
 * memory; its run stays pinned until the last piece is copied.
 *
 * @module
 */

import type { ExternalStrings } from "../../core/memory/external.ts";
import type { ReplySpan, ReplyWriter } from "../../core/resp/reply_writer.ts";
import type { BufferPool } from "./buffer_pool.ts";

/** Bytes of an arena string that are sent at a time. */
const PIECE_BYTES = 128 * 1024;

interface Item {
  readonly buffer: Uint8Array<ArrayBuffer>;
  readonly end: number;
  readonly spans: ReplySpan[] | null;
}

/** A piece to be written: the first `length` bytes of `buffer`. */
export interface Piece {
  /** The bytes; to be given back to the pool when they are sent. */
  buffer: Uint8Array<ArrayBuffer>;
  /** How many. */
  length: number;
}

/** First in, first out; made when a connection first falls behind. */
export class OutputQueue {
  readonly #items: Item[] = [];
  readonly #externals: ExternalStrings;
  readonly #pool: BufferPool;
  /** Position in the first item. */
  #at = 0;
  #span = 0;
  #spanFrom = 0;
  #bytes = 0;

  /** Pieces come from `pool`. */
  constructor(externals: ExternalStrings, pool: BufferPool) {
    this.#externals = externals;
    this.#pool = pool;
  }

  /** How many writers' buffers wait. */
  get count(): number {
    return this.#items.length;
  }

  /** Bytes not yet handed out. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes over a writer's buffer and marks; the writer gets a fresh buffer. */
  push(writer: ReplyWriter): void {
    this.#bytes += writer.pendingBytes;
    this.#items.push({
      buffer: writer.buf,
      end: writer.at,
      spans: writer.spans,
    });
    writer.buf = this.#pool.take();
    writer.at = 0;
    writer.spans = null;
    writer.spanBytes = 0;
  }

  /** The next piece, or null when all is handed out. */
  next(): Piece | null {
    const item = this.#items[0];
    if (item === undefined) return null;
    if (item.spans === null) {
      this.#items.shift();
      this.#bytes -= item.end;
      return { buffer: item.buffer, length: item.end };
    }
    const buffer = this.#pool.takeLarge(PIECE_BYTES);
    const length = this.#fill(buffer, item, item.spans);
    this.#bytes -= length;
    return { buffer, length };
  }

  /** Forgets everything and lets the pinned runs go. */
  clear(): void {
    for (const item of this.#items) {
      const from = item === this.#items[0] ? this.#span : 0;
      for (const span of item.spans?.slice(from) ?? []) {
        this.#externals.unpin(span.ref);
      }
    }
    this.#items.length = 0;
    this.#bytes = 0;
    this.#at = this.#span = this.#spanFrom = 0;
  }

  /** Copies as much of the item as fits; drops the item at its end. */
  #fill(
    piece: Uint8Array<ArrayBuffer>,
    item: Item,
    spans: ReplySpan[],
  ): number {
    let length = 0;
    while (true) {
      const span = spans[this.#span];
      const stop = span === undefined ? item.end : span.at;
      if (this.#at === stop && span === undefined) break;
      if (length === piece.length) return length;
      if (this.#at < stop) {
        const count = Math.min(stop - this.#at, piece.length - length);
        piece.set(item.buffer.subarray(this.#at, this.#at + count), length);
        this.#at += count;
        length += count;
      } else length += this.#copySpan(piece, length, span!);
    }
    this.#items.shift();
    this.#pool.give(item.buffer);
    this.#at = this.#span = this.#spanFrom = 0;
    return length;
  }

  #copySpan(
    piece: Uint8Array<ArrayBuffer>,
    at: number,
    span: ReplySpan,
  ): number {
    const count = Math.min(span.length - this.#spanFrom, piece.length - at);
    const from = this.#externals.offset(span.ref) + span.from + this.#spanFrom;
    piece.set(
      this.#externals.bytes(span.ref).subarray(from, from + count),
      at,
    );
    this.#spanFrom += count;
    if (this.#spanFrom === span.length) {
      this.#externals.unpin(span.ref);
      this.#span++;
      this.#spanFrom = 0;
    }
    return count;
  }
}

/**
 * What a connection has still to send: filled reply buffers, in order, with the
 * long strings that lie in the arena between their bytes.
 *
 * Buffers are sent as they are. A string of the arena is copied out a piece at
 * a time, so a reply of half a gigabyte never takes more than one piece of
 * memory; its run stays pinned until the last piece is copied. A source is
 * asked for a piece when its turn comes.
 *
 * @module
 */

import { copyBytes } from "../../core/base/bytes.ts";
import type { ExternalStrings } from "../../core/memory/external.ts";
import { dropSpan, type ReplySource } from "../../core/resp/reply_source.ts";
import { type ReplySpan, ReplyWriter } from "../../core/resp/reply_writer.ts";
import type { BufferPool } from "./buffer_pool.ts";

/** Bytes of an arena string that are sent at a time. */
const PIECE_BYTES = 128 * 1024;
/** Bytes that a source is asked for; an element more has room. */
const SOURCE_BYTES = 120 * 1024;
/** Lends its methods to the sources' pieces. */
const SOURCE_WRITER = new ReplyWriter(0);

interface Item {
  readonly buffer: Uint8Array<ArrayBuffer>;
  readonly end: number;
  readonly spans: ReplySpan[] | null;
  readonly resp: 2 | 3;
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
      resp: writer.resp,
    });
    writer.buf = this.#pool.take();
    writer.reset();
  }

  /** Where the next piece comes from; null if there is none. */
  get nextBuffer(): Uint8Array | null {
    return this.#items[0]?.buffer ?? null;
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
    const source = this.#sourceAt(item.spans);
    const buffer = this.#pool.takeLarge(PIECE_BYTES);
    if (source !== null) return this.#askSource(buffer, source, item);
    const length = this.#fill(buffer, item, item.spans);
    this.#bytes -= length;
    return { buffer, length };
  }

  /** The source whose turn it is, or null. */
  #sourceAt(spans: ReplySpan[]): ReplySource | null {
    const span = spans[this.#span];
    return span === undefined || this.#at < span.at ? null : span.source;
  }

  #askSource(
    buffer: Uint8Array<ArrayBuffer>,
    source: ReplySource,
    item: Item,
  ): Piece {
    const writer = SOURCE_WRITER;
    writer.buf = buffer;
    writer.at = 0;
    writer.resp = item.resp;
    if (source.write(writer, SOURCE_BYTES)) this.#endSpan(item);
    return { buffer: writer.buf, length: writer.at };
  }

  /** Goes on behind a mark; drops the item when it was its last byte. */
  #endSpan(item: Item): void {
    this.#span++;
    this.#spanFrom = 0;
    if (this.#span < item.spans!.length || this.#at < item.end) return;
    this.#items.shift();
    this.#pool.give(item.buffer);
    this.#at = this.#span = 0;
  }

  /** Forgets everything and lets the pinned runs go. */
  clear(): void {
    for (const item of this.#items) {
      const from = item === this.#items[0] ? this.#span : 0;
      for (const span of item.spans?.slice(from) ?? []) {
        dropSpan(span, this.#externals);
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
      if (this.#at === stop && span!.source !== null) return length;
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
    copyBytes(this.#externals.bytes(span.ref), from, piece, at, count);
    this.#spanFrom += count;
    if (this.#spanFrom === span.length) {
      this.#externals.unpin(span.ref);
      this.#span++;
      this.#spanFrom = 0;
    }
    return count;
  }
}

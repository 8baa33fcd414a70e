/**
 * The values of a result of SORT that is made in slices: replies, or elements of
 * the list that is stored. They are gathered under the latch of the shard that
 * each lies in; long strings are not copied, but kept where they lie.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import type { ExternalStrings } from "../memory/external.ts";
import { dropSpan } from "../resp/reply_source.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import { EXTERNAL_BYTES_MIN } from "../types/entry.ts";
import type { ListValue } from "../types/list_value.ts";
import { pieceOf, replyPieces } from "./gathered_reply.ts";

/** Some bytes. */
export interface Found {
  readonly buf: Uint8Array;
  readonly off: number;
  readonly bytes: number;
  /** The run that all of them lie in, or 0. */
  readonly run: number;
}

/** A piece of so many bytes is full. */
const PIECE_BYTES = 1 << 16;
/** Room for the reply that fills it. */
const SPARE_BYTES = 1 << 13;

/** Replies, piece by piece. */
export class PatternReplies {
  readonly #resp: 2 | 3;
  readonly #pieces: ReplyWriter[] = [];
  #writer: ReplyWriter | null = null;
  #externals: ExternalStrings;

  constructor(resp: 2 | 3, externals: ExternalStrings) {
    this.#resp = resp;
    this.#externals = externals;
  }

  /** Where the next ones go. */
  writer(): ReplyWriter {
    if (this.#writer === null || this.#writer.at >= PIECE_BYTES) {
      this.#writer = new ReplyWriter(PIECE_BYTES + SPARE_BYTES);
      this.#writer.resp = this.#resp;
      this.#pieces.push(this.#writer);
    }
    return this.#writer;
  }

  /** Adds one; {@linkcode PatternReplies.writer} has been asked for. */
  readonly add = (found: Found | null): void => {
    const writer = this.#writer!;
    if (found === null) return writer.nullBulk();
    const { buf, off, bytes, run } = found;
    if (run === 0 || bytes < EXTERNAL_BYTES_MIN) {
      return writer.bulk(buf, off, bytes);
    }
    this.#externals.pin(run);
    writer.external(run, 0, bytes);
  };

  /** Replies all of them, behind a head; nothing may follow. */
  reply(reply: ReplyWriter): void {
    const pieces = this.#pieces;
    if (pieces.every(({ spans }) => spans === null)) {
      return replyPieces(
        reply,
        pieces.map((piece) => pieceOf(piece, 0, piece.at)),
      );
    }
    for (const { buf, at, spans } of pieces) {
      reply.append(buf.subarray(0, at), spans ?? []);
    }
  }

  /** Forgets all of them. */
  drop(): void {
    for (const { spans } of this.#pieces) {
      for (const span of spans ?? []) dropSpan(span, this.#externals);
    }
    this.#pieces.length = 0;
    this.#writer = null;
  }
}

const CAPACITY_MIN = 256;

/** Some elements of a list, on their way from one shard to another. */
export class StoredBatch {
  /** How many there are. */
  count = 0;
  /** Bytes that were copied. */
  bytes = 0;
  #buf = new Uint8Array(0);
  #offs: number[] = [];
  #lengths: number[] = [];
  #runs: number[] = [];
  readonly #externals: ExternalStrings;

  constructor(externals: ExternalStrings) {
    this.#externals = externals;
  }

  /** Adds one: nothing is an empty string. */
  readonly add = (found: Found | null): void => {
    const i = this.count++;
    this.#offs[i] = this.bytes;
    this.#lengths[i] = found === null ? 0 : found.bytes;
    this.#runs[i] = 0;
    if (found === null) return;
    const { buf, off, bytes, run } = found;
    if (run !== 0) {
      this.#externals.pin(run);
      this.#runs[i] = run;
      return;
    }
    const end = this.bytes + bytes;
    if (end > this.#buf.length) {
      const grown = new Uint8Array(Math.max(CAPACITY_MIN, end * 2));
      grown.set(this.#buf.subarray(0, this.bytes));
      this.#buf = grown;
    }
    copyBytes(buf, off, this.#buf, this.bytes, bytes);
    this.bytes = end;
  };

  /**
   * Adds all of them to a list, and forgets them; the latch of its shard is held.
   * May throw OutOfMemory.
   */
  addTo(lists: ListValue, list: number): void {
    const externals = this.#externals;
    for (let i = 0; i < this.count; i++) {
      const run = this.#runs[i]!;
      const length = this.#lengths[i]!;
      const buf = run === 0 ? this.#buf : externals.bytes(run);
      const off = run === 0 ? this.#offs[i]! : externals.offset(run);
      lists.prepare(list, length, 1, false);
      lists.push(list, false, buf, off, length);
    }
    this.clear();
  }

  /** Forgets all of them. */
  clear(): void {
    for (let i = 0; i < this.count; i++) {
      if (this.#runs[i] !== 0) this.#externals.unpin(this.#runs[i]!);
    }
    this.count = this.bytes = 0;
  }
}

/**
 * The values of a result of SORT that is made in slices: replies, or elements of
 * the list that is stored. They are gathered under the latch of the shard that
 * each lies in; long ones are not copied, but kept where they lie.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import type { ExternalStrings } from "../memory/external.ts";
import { type Heap, OutOfMemory } from "../memory/heap.ts";
import { dropSpan } from "../resp/reply_source.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { EXTERNAL_BYTES_MIN } from "../types/entry.ts";
import type { ListValue } from "../types/list_value.ts";
import { pieceOf, replyPieces, writerLike } from "./gathered_reply.ts";

/** Some bytes. */
export interface Found {
  readonly buf: Uint8Array;
  readonly off: number;
  readonly bytes: number;
  /** The run that all of them lie in, or 0. */
  readonly run: number;
}

/** Values of so many bytes are long. */
const LONG_BYTES = 1 << 15;

/** Bytes that stay where they are until they are let go of. */
export interface LongFind extends Found {
  /** No latch is needed. */
  letGo(): void;
}

/** Keeps long values, which are then read without a latch. */
export class LongFinds {
  readonly #externals: ExternalStrings;
  readonly #heap: Heap;

  /** Any heap of the arena will do. */
  constructor(externals: ExternalStrings, heap: Heap) {
    this.#externals = externals;
    this.#heap = heap;
  }

  /** Keeps what was found, under its latch; null if it is quickly read. */
  keep({ buf, off, bytes, run }: Found): LongFind | null {
    if (bytes < LONG_BYTES) return null;
    const externals = this.#externals;
    const heap = this.#heap;
    if (run !== 0) {
      externals.pin(run);
      return { buf, off, bytes, run, letGo: () => externals.unpin(run) };
    }
    const steady = heap.steadyRunAt(buf, off);
    if (steady === 0) return null;
    heap.keep(steady);
    return { buf, off, bytes, run, letGo: () => heap.letGo(steady) };
  }
}

/** A piece of so many bytes is full. */
const PIECE_BYTES = 1 << 16;
/** Room for the reply that fills it. */
const SPARE_BYTES = 1 << 13;

/** Replies, piece by piece. */
export class PatternReplies {
  readonly #like: ReplyWriter;
  readonly #pieces: ReplyWriter[] = [];
  #writer: ReplyWriter | null = null;
  #externals: ExternalStrings;

  /** They will be replied by a writer like this one. */
  constructor(like: ReplyWriter, externals: ExternalStrings) {
    this.#like = writerLike(like, 0);
    this.#externals = externals;
  }

  /** Where the next ones go. */
  writer(): ReplyWriter {
    if (this.#writer === null || this.#writer.at >= PIECE_BYTES) {
      this.#writer = writerLike(this.#like, PIECE_BYTES + SPARE_BYTES);
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
  /** Bytes of them. */
  bytes = 0;
  #buf = new Uint8Array(0);
  #copied = 0;
  #offs: number[] = [];
  #lengths: number[] = [];
  /** Long ones, by their number: kept, ... */
  readonly #kept = new Map<number, LongFind>();
  /** ... or in runs that nobody else has. */
  readonly #runs = new Map<number, number>();
  readonly #externals: ExternalStrings;
  readonly #longs: LongFinds;

  constructor(externals: ExternalStrings, longs: LongFinds) {
    this.#externals = externals;
    this.#longs = longs;
  }

  /** Adds one: nothing is an empty string. */
  readonly add = (found: Found | null): void => {
    const i = this.count++;
    this.#offs[i] = this.#copied;
    this.#lengths[i] = found === null ? 0 : found.bytes;
    if (found === null) return;
    const { buf, off, bytes } = found;
    this.bytes += bytes;
    const long = this.#longs.keep(found);
    if (long !== null) {
      this.#kept.set(i, long);
      return;
    }
    const end = this.#copied + bytes;
    if (end > this.#buf.length) {
      const grown = new Uint8Array(Math.max(CAPACITY_MIN, end * 2));
      grown.set(this.#buf.subarray(0, this.#copied));
      this.#buf = grown;
    }
    copyBytes(buf, off, this.#buf, this.#copied, bytes);
    this.#copied = end;
  };

  /** Copies the long ones; no latch is held. May throw OutOfMemory. */
  copyLong(): void {
    const externals = this.#externals;
    for (const [i, { buf, off, bytes, letGo }] of this.#kept) {
      const run = externals.create(bytes);
      if (run === 0) throw new OutOfMemory();
      copyBytes(buf, off, externals.bytes(run), externals.offset(run), bytes);
      this.#runs.set(i, run);
      this.#kept.delete(i);
      letGo();
    }
  }

  /**
   * Adds all of them to a list, and forgets them; the latch of its shard is held.
   * May throw OutOfMemory.
   */
  addTo(lists: ListValue, list: number): void {
    for (let i = 0; i < this.count; i++) {
      const length = this.#lengths[i]!;
      lists.prepare(list, length, 1, false);
      const run = this.#runs.get(i) ?? 0;
      if (run === 0) {
        lists.push(list, false, this.#buf, this.#offs[i]!, length);
      } else this.#addRun(lists, list, run, i);
    }
    this.clear();
  }

  #addRun(lists: ListValue, list: number, run: number, i: number): void {
    const externals = this.#externals;
    const length = this.#lengths[i]!;
    if (lists.takesRun(list, length)) {
      this.#runs.delete(i);
      lists.pushRun(list, false, run, length);
    } else {
      const off = externals.offset(run);
      lists.push(list, false, externals.bytes(run), off, length);
    }
  }

  /** Forgets all of them. */
  clear(): void {
    for (const { letGo } of this.#kept.values()) letGo();
    for (const run of this.#runs.values()) this.#externals.unpin(run);
    this.#kept.clear();
    this.#runs.clear();
    this.count = this.bytes = this.#copied = 0;
  }
}

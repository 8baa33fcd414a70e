/**
 * The fields and values of a stream's entry as replies, straight from the bytes of
 * its node: at once, or, of a lone node (stream_node.ts), which is kept meanwhile,
 * piece by piece while the peer takes them. So no latch is held while very many of
 * them are written, and who changes the stream need not wait.
 *
 * @module
 */

import { Int64, writeInt64 } from "../base/int64.ts";
import { INTEGER_BYTES_MAX } from "../base/integer.ts";
import { isIntegerHead, readInt64Element } from "../memory/listpack_element.ts";
import { elementBytes } from "../memory/listpack_format.ts";
import type { ReplySource } from "../resp/reply_source.ts";
import {
  LONG_STRING_BYTES_MIN,
  type LongStrings,
  type ReplyWriter,
} from "../resp/reply_writer.ts";
import type { NodeReader } from "../types/stream_node.ts";

const TEXT = new Uint8Array(INTEGER_BYTES_MAX);
const NUMBER = new Int64();
/** Head of an element with a length of 32 bits. */
const LONG_HEAD = 0xf0;
const LONG_HEAD_BYTES = 5;

/** Fields and values in turn; the reader is behind them then. */
export function replyFields(reply: ReplyWriter, entry: NodeReader): void {
  const { buf, fieldCount } = entry;
  let { at } = entry;
  if (entry.hasOwnFields) {
    for (let i = fieldCount * 2; i > 0; i--) at = replyElement(reply, buf, at);
  } else {
    let fieldAt = entry.firstFieldsAt;
    for (let i = fieldCount; i > 0; i--) {
      fieldAt = replyElement(reply, buf, fieldAt);
      at = replyElement(reply, buf, at);
    }
  }
  entry.at = at;
  entry.left = 0;
}

/** An element of a listpack as a bulk string; returns where the next begins. */
function replyElement(reply: ReplyWriter, buf: Uint8Array, at: number): number {
  const byte = buf[at]!;
  if (byte >= 0x80 && byte < 0xc0) {
    const length = byte & 0x3f;
    reply.bulk(buf, at + 1, length);
    return at + length + 2;
  }
  if (isIntegerHead(byte)) {
    readInt64Element(buf, at, NUMBER);
    reply.bulk(TEXT, 0, writeInt64(NUMBER.hi, NUMBER.lo, TEXT, 0));
  } else if (byte < LONG_HEAD) {
    reply.bulk(buf, at + 2, (byte & 15) << 8 | buf[at + 1]!);
  } else reply.bulk(buf, at + LONG_HEAD_BYTES, longLength(buf, at));
  return at + elementBytes(buf, at);
}

/** Length of the text of an element with a long head. */
function longLength(buf: Uint8Array, at: number): number {
  return buf[at + 1]! | buf[at + 2]! << 8 | buf[at + 3]! << 16 |
    buf[at + 4]! << 24;
}

/** The fields of the entry of a lone node, which is kept. */
export class KeptFields implements ReplySource {
  readonly #longs: LongStrings;
  readonly #buf: Uint8Array;
  readonly #hasOwnFields: boolean;
  /** The node; 0 if it is not kept any more. */
  #node: number;
  /** The next field that stands in front of the node. */
  #fieldAt: number;
  /** The next value, or field of its own. */
  #at: number;
  /** Fields and values that are left. */
  #left: number;
  /** What is left of a long one that is being written. */
  #textAt = 0;
  #textEnd = 0;

  constructor(longs: LongStrings, entry: NodeReader) {
    longs.keep(entry.node);
    this.#longs = longs;
    this.#buf = entry.buf;
    this.#hasOwnFields = entry.hasOwnFields;
    this.#node = entry.node;
    this.#fieldAt = entry.firstFieldsAt;
    this.#at = entry.at;
    this.#left = entry.fieldCount * 2;
  }

  write(writer: ReplyWriter, bytes: number): boolean {
    const limit = writer.cost + bytes;
    while (this.#left > 0 && writer.cost < limit) {
      if (this.#textEnd > 0) {
        this.#goOn(writer, limit);
        continue;
      }
      const isInFront = !this.#hasOwnFields && this.#left % 2 === 0;
      const at = isInFront ? this.#fieldAt : this.#at;
      const next = this.#write(writer, at);
      if (isInFront) this.#fieldAt = next;
      else this.#at = next;
    }
    if (this.#left > 0) return false;
    this.drop();
    return true;
  }

  /** Writes an element, or begins a long one; returns where the next begins. */
  #write(writer: ReplyWriter, at: number): number {
    const buf = this.#buf;
    const length = buf[at] === LONG_HEAD ? longLength(buf, at) : 0;
    if (length < LONG_STRING_BYTES_MIN) {
      this.#left--;
      return replyElement(writer, buf, at);
    }
    writer.beginBulk(length);
    this.#textAt = at + LONG_HEAD_BYTES;
    this.#textEnd = this.#textAt + length;
    return at + elementBytes(buf, at);
  }

  /** Goes on with a long one. */
  #goOn(writer: ReplyWriter, limit: number): void {
    const end = Math.min(this.#textEnd, this.#textAt + limit - writer.cost);
    writer.raw(this.#buf.subarray(this.#textAt, end));
    this.#textAt = end;
    if (end < this.#textEnd) return;
    writer.endBulk();
    this.#textEnd = 0;
    this.#left--;
  }

  drop(): void {
    if (this.#node !== 0) this.#longs.letGo(this.#node);
    this.#node = 0;
  }
}

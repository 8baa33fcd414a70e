/**
 * Replies of stream entries, straight from the bytes of their nodes.
 *
 * @module
 */

import { Int64, writeInt64 } from "../base/int64.ts";
import { INTEGER_BYTES_MAX } from "../base/integer.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { isIntegerHead, readInt64Element } from "../memory/listpack_element.ts";
import { elementBytes } from "../memory/listpack_format.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { StreamCursor } from "../types/stream_cursor.ts";
import { ID_BYTES_MAX, StreamId } from "../types/stream_id.ts";
import type { NodeReader } from "../types/stream_node.ts";
import type { Call } from "./call.ts";
import {
  DIRECT_BYTES_MAX,
  type ElementWriter,
  STREAMED_ELEMENTS_MIN,
  streamElements,
  streamRest,
  streamUncounted,
  UNCOUNTED,
} from "./element_stream.ts";

const TEXT = new Uint8Array(INTEGER_BYTES_MAX);
const NUMBER = new Int64();
const TWO_TO_32 = 4294967296;
/** Upper words from minus this one up to it are those of exact doubles. */
const EXACT_HI = 1 << 21;

/** The ID that was replied last, as text: the next one has the same time often. */
const ID_TEXT = new Uint8Array(ID_BYTES_MAX);
const LAST_ID = new StreamId();
let lastDash = LAST_ID.writeTime(ID_TEXT, 0);

/** An ID as a bulk string. */
export function replyId(reply: ReplyWriter, id: StreamId): void {
  if (id.msLow !== LAST_ID.msLow || id.msHigh !== LAST_ID.msHigh) {
    LAST_ID.set(id);
    lastDash = id.writeTime(ID_TEXT, 0);
  }
  reply.bulk(ID_TEXT, 0, id.writeSequence(ID_TEXT, lastDash));
}

/** An integer of 64 bits. */
export function replyInt64(reply: ReplyWriter, hi: number, lo: number): void {
  if (hi >= -EXACT_HI && hi < EXACT_HI) {
    return reply.integer(hi * TWO_TO_32 + (lo >>> 0));
  }
  reply.bigInteger(BigInt(hi) << 32n | BigInt(lo >>> 0));
}

/** The head of the entries of one or several streams: pairs, or a map. */
export function replyStreamsHead(reply: ReplyWriter, streams: number): void {
  if (reply.resp === 3) reply.map(streams);
  else reply.array(streams);
}

/** The name of a stream before its entries. */
export function replyStreamName(
  reply: ReplyWriter,
  buf: Uint8Array,
  off: number,
  length: number,
): void {
  if (reply.resp === 2) reply.array(2);
  reply.bulk(buf, off, length);
}

/** An entry: its ID, and its fields and values as an array. */
export function replyEntry(reply: ReplyWriter, entry: NodeReader): void {
  const { buf, fieldCount } = entry;
  reply.array(2);
  replyId(reply, entry.id);
  reply.array(fieldCount * 2);
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
  } else if (byte < 0xf0) {
    reply.bulk(buf, at + 2, (byte & 15) << 8 | buf[at + 1]!);
  } else {
    const length = buf[at + 1]! | buf[at + 2]! << 8 | buf[at + 3]! << 16 |
      buf[at + 4]! << 24;
    reply.bulk(buf, at + 5, length);
  }
  return at + elementBytes(buf, at);
}

/** A field of an entry with its value takes as long as so many bytes more. */
const FIELD_BYTES = 128;

/** As many bytes of a reply take as long as the fields of an entry do. */
export function fieldsWeight({ fieldCount }: NodeReader): number {
  return fieldCount * FIELD_BYTES;
}

/** Leaves of a stream's tree that are counted at once, or in one step. */
const LEAVES_AT_ONCE = 256;

/**
 * Replies an array of the entries from `start` to `end`, the last ones first if
 * `isReverse`, no more than `count` if that is not 0. One of `long` entries or
 * more is written while the peer takes it, and so is what is left of others when
 * `direct` bytes are; returns how many are left of these.
 */
export function replyRange(
  call: Call,
  space: Keyspace,
  ref: number,
  start: StreamId,
  end: StreamId,
  count: number,
  isReverse: boolean,
  long: number = STREAMED_ELEMENTS_MIN,
  direct: number = DIRECT_BYTES_MAX,
): number {
  const { reply } = call;
  const { streams } = space.values;
  const length = streams.length(ref);
  const most = count === 0 ? length : Math.min(count, length);
  if (
    most >= long && reply.canStream &&
    streamRange(call, space, ref, start, end, most, isReverse, long)
  ) return direct;
  const head = reply.at;
  let limit = reply.canStream ? reply.cost + direct : Infinity;
  reply.array(most);
  const { cursor } = streams;
  const { entry } = cursor;
  let written = 0;
  if (isReverse) {
    cursor.seekBehind(ref, end);
    while (written < most && cursor.previous()) {
      if (entry.id.compare(start) < 0) break;
      limit -= fieldsWeight(entry);
      if (reply.cost >= limit) {
        REST.set(entry.id);
        const range = [start, REST, most - written, isReverse] as const;
        replyRest(call, space, ref, head, written, ...range);
        return 0;
      }
      replyEntry(reply, entry);
      written++;
    }
  } else {
    cursor.seek(ref, start);
    while (written < most && cursor.next()) {
      if (entry.id.compare(end) > 0) break;
      limit -= fieldsWeight(entry);
      if (reply.cost >= limit) {
        REST.set(entry.id);
        const range = [REST, end, most - written, isReverse] as const;
        replyRest(call, space, ref, head, written, ...range);
        return 0;
      }
      replyEntry(reply, entry);
      written++;
    }
  }
  reply.recount(head, written);
  return limit - reply.cost;
}

/**
 * Replies an array of up to `most` entries, of which there are `long` or more,
 * while the peer takes it; false, with nothing written, if there are fewer, or no
 * memory for that.
 */
function streamRange(
  call: Call,
  space: Keyspace,
  ref: number,
  start: StreamId,
  end: StreamId,
  most: number,
  isReverse: boolean,
  long: number,
): boolean {
  const { log } = space.values.streams;
  const counting = log.counting();
  counting.begin(ref, start, end);
  let isLeft = counting.goOn(LEAVES_AT_ONCE);
  while (isLeft && counting.count < long) {
    isLeft = counting.goOn(LEAVES_AT_ONCE);
  }
  const counted = () => Math.min(most, counting.count);
  if (counted() < long) return false;
  const elements = new EntryElements(log.cursor(), start, end, isReverse);
  if (!isLeft || counting.count >= most) {
    return streamElements(call, space, ref, elements, 0, counted());
  }
  return streamUncounted(call, space, ref, elements, () => {
    isLeft = counting.goOn(LEAVES_AT_ONCE);
    return isLeft && counting.count < most ? UNCOUNTED : counted();
  });
}

/** Where the rest of a reply begins, or ends if it goes backwards. */
const REST = new StreamId();

/** Replies what is left of a range, of which `written` entries have been. */
function replyRest(
  call: Call,
  space: Keyspace,
  ref: number,
  head: number,
  written: number,
  start: StreamId,
  end: StreamId,
  most: number,
  isReverse: boolean,
): void {
  const { log } = space.values.streams;
  const count = Math.min(most, log.countRange(ref, start, end, most));
  const elements = new EntryElements(log.cursor(), start, end, isReverse);
  call.reply.recount(head, written + count);
  streamRest(call, space, ref, elements, 0, count, true);
}

/** Writes entries one after the other; places count them from the first on. */
class EntryElements implements ElementWriter {
  readonly #cursor: StreamCursor;
  readonly #start = new StreamId();
  readonly #end = new StreamId();
  readonly #isReverse: boolean;
  #isBegun = false;

  constructor(
    cursor: StreamCursor,
    start: StreamId,
    end: StreamId,
    isReverse: boolean,
  ) {
    this.#cursor = cursor;
    this.#start.set(start);
    this.#end.set(end);
    this.#isReverse = isReverse;
  }

  write(
    _space: Keyspace,
    ref: number,
    from: number,
    to: number,
    reply: ReplyWriter,
    limit: number,
  ): number {
    const cursor = this.#cursor;
    if (!this.#isBegun) {
      this.#isBegun = true;
      if (this.#isReverse) cursor.seekBehind(ref, this.#end);
      else cursor.seek(ref, this.#start);
    }
    let place = from;
    for (; place < to && reply.cost < limit; place++) {
      if (!(this.#isReverse ? cursor.previous() : cursor.next())) return to;
      replyEntry(reply, cursor.entry);
    }
    return place;
  }
}

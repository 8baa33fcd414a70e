/**
 * Replies of stream entries, straight from the bytes of their nodes.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { StreamCursor } from "../types/stream_cursor.ts";
import { ID_BYTES_MAX, StreamId } from "../types/stream_id.ts";
import type { NodeReader } from "../types/stream_node.ts";
import type { Call } from "./call.ts";
import {
  DIRECT_BYTES_MAX,
  type ElementWriter,
  streamElements,
  streamRest,
  streamUncounted,
  UNCOUNTED,
} from "./element_stream.ts";
import { KeptFields, replyFields } from "./stream_fields.ts";

/** Entries from which on a reply is written while the peer takes it. */
export const STREAMED_ENTRIES_MIN = 512;

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

/**
 * An entry: its ID, and its fields and values as an array. Those of a lone node are
 * left to the peer's taking them.
 */
export function replyEntry(reply: ReplyWriter, entry: NodeReader): void {
  reply.array(2);
  replyId(reply, entry.id);
  reply.array(entry.fieldCount * 2);
  if (isLate(reply, entry)) {
    return reply.stream(new KeptFields(reply.longs!, entry));
  }
  replyFields(reply, entry);
}

/** Whether the fields of an entry are read when the peer takes them. */
function isLate({ canStream, longs }: ReplyWriter, entry: NodeReader): boolean {
  return entry.isLone && canStream && longs !== null;
}

/** A field of an entry with its value takes as long as so many bytes more. */
const FIELD_BYTES = 128;

/** As many bytes of a reply take as long as the fields of an entry do. */
export function fieldsWeight(reply: ReplyWriter, entry: NodeReader): number {
  return isLate(reply, entry) ? 0 : entry.fieldCount * FIELD_BYTES;
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
  long: number = STREAMED_ENTRIES_MIN,
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
      limit -= fieldsWeight(reply, entry);
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
      limit -= fieldsWeight(reply, entry);
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
  return streamUncounted(call, space, ref, elements, (writer) => {
    isLeft = counting.goOn(LEAVES_AT_ONCE);
    if (isLeft && counting.count < most) return UNCOUNTED;
    writer.endArray(counted());
    return counted();
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

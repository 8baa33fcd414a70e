/**
 * The elements of a collection as a reply: at once if they are few, in pieces
 * while the peer takes them if they are many.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ReplySource } from "../resp/reply_source.ts";
import {
  LARGE_BUFFER_BYTES,
  LONG_STRING_BYTES_MIN,
  ReplyWriter,
} from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";
import { ValueReading } from "./value_reading.ts";

/** Elements from which on a reply is written in pieces. */
export const STREAMED_ELEMENTS_MIN = 2048;
/** First size of the buffer of what is written ahead of a peer. */
const AHEAD_BYTES = 1 << 16;
/** Steps in which it is written: some may find nothing. */
const STEPS_AHEAD = 16;
/** Elements that are counted as fast as one is written. */
const COUNTED_ELEMENTS = 64;
/** To draw an element takes as long as so many are written. */
const WRITTEN_PER_DRAW = 4;
/**
 * Bytes from which on a reply of a few large elements is. A buffer that was used
 * before has room for them, one more element, and what is around it: new memory takes
 * longer than to write there.
 */
export const DIRECT_BYTES_MAX: number = LARGE_BUFFER_BYTES -
  LONG_STRING_BYTES_MIN - 1024;
/** Bytes that are written ahead of a peer. */
const AHEAD_BYTES_MAX = 1 << 20;

/**
 * Writes the elements of one kind of reply. Places are numbers that the writer
 * chooses, from 0 on: indices of a list, ranks, buckets of a dictionary.
 */
export interface ElementWriter {
  /**
   * Writes the elements from place `from` on, until those before place `to` are
   * written, the writer's position has passed `limit`, or, if there is one, many
   * places had nothing to be written; returns the next place. `ref` is an entry with
   * the value, and stays valid.
   */
  write(
    space: Keyspace,
    ref: number,
    from: number,
    to: number,
    reply: ReplyWriter,
    limit: number,
  ): number;
}

/**
 * Replies the elements of places `from` to `to`, exclusive, of which there are
 * `count`; the head of the reply is written already, and nothing may follow.
 * May throw OutOfMemory.
 */
export function replyElements(
  call: Call,
  space: Keyspace,
  ref: number,
  elements: ElementWriter,
  from: number,
  to: number,
  count: number,
): void {
  const { reply } = call;
  if (count < STREAMED_ELEMENTS_MIN || !reply.canStream) {
    elements.write(space, ref, from, to, reply, Infinity);
    return;
  }
  const reading = new ValueReading(call, space, ref, true);
  reply.stream(new ElementStream(call, reading, elements, from, to));
}

/**
 * As {@linkcode replyLasting}, of `count` elements that are drawn, one for each
 * place: in a packed value each of them is counted to.
 */
export function replyDrawn(
  call: Call,
  space: Keyspace,
  ref: number,
  elements: ElementWriter,
  count: number,
): void {
  const values = space.values.of(space.type(ref));
  const weight = values.weight(ref) > 1
    ? WRITTEN_PER_DRAW
    : WRITTEN_PER_DRAW + Math.floor(values.length(ref) / COUNTED_ELEMENTS);
  replyLasting(call, space, ref, elements, 0, count, count * weight);
}

/**
 * As {@linkcode replyElements}, with a writer that writes what lies in the value
 * and can be asked at any time: few elements that are large come in pieces, too.
 */
export function replyLasting(
  call: Call,
  space: Keyspace,
  ref: number,
  elements: ElementWriter,
  from: number,
  to: number,
  count: number,
): void {
  replyInPieces(call, space, ref, elements, from, to, count, true);
}

/** Leaves what is not written yet to a reader, or writes it, if memory is short. */
export function streamRest(
  call: Call,
  space: Keyspace,
  ref: number,
  elements: ElementWriter,
  from: number,
  to: number,
  isHeld: boolean,
): void {
  const { reply } = call;
  const reading = reply.canStream
    ? ValueReading.begin(call, space, ref, isHeld)
    : null;
  if (reading === null) {
    elements.write(space, ref, from, to, reply, Infinity);
  } else reply.stream(new ElementStream(call, reading, elements, from, to));
}

/**
 * Replies an array of the elements of places `from` to `to` while the peer takes
 * them, which the reply must be able to; false, with nothing written, if there
 * is no memory for that. Other elements may follow.
 */
export function streamElements(
  call: Call,
  space: Keyspace,
  ref: number,
  elements: ElementWriter,
  from: number,
  to: number,
): boolean {
  const reading = ValueReading.begin(call, space, ref, true);
  if (reading === null) return false;
  call.reply.array(to - from);
  call.reply.stream(new ElementStream(call, reading, elements, from, to));
  return true;
}

/** What {@linkcode EndHead} answers while there is more to be counted. */
export const UNCOUNTED = -1;

/**
 * Goes on counting the elements of an entry with the value, `ref`; when all are
 * counted it ends the head of the reply, and answers the place behind the last one.
 */
export type EndHead = (writer: ReplyWriter, ref: number) => number;

/**
 * As {@linkcode streamElements}, of as many elements from place 0 on as there turn
 * out to be, or as a map of them: they are counted before the first is written,
 * without a latch.
 */
export function streamUncounted(
  call: Call,
  space: Keyspace,
  ref: number,
  elements: ElementWriter,
  endHead: EndHead,
  isMap = false,
): boolean {
  const reading = ValueReading.begin(call, space, ref, true);
  if (reading === null) return false;
  const source = new ElementStream(call, reading, elements, 0, UNCOUNTED);
  source.endHead = endHead;
  if (isMap) call.reply.beginMap();
  else call.reply.beginArray();
  call.reply.stream(source);
  return true;
}

/**
 * As {@linkcode replyLasting}, of all elements of a value whose key is deleted
 * next: a reply in pieces keeps it, and nobody has to wait for that. Who takes
 * elements away can do so when memory is short.
 */
export function replyTaken(
  call: Call,
  space: Keyspace,
  ref: number,
  elements: ElementWriter,
  from: number,
  to: number,
): void {
  replyInPieces(call, space, ref, elements, from, to, to - from, false);
}

function replyInPieces(
  call: Call,
  space: Keyspace,
  ref: number,
  elements: ElementWriter,
  from: number,
  to: number,
  count: number,
  isHeld: boolean,
): void {
  const next = count < STREAMED_ELEMENTS_MIN
    ? writeFirst(call, space, ref, elements, from, to)
    : from;
  if (next < to) streamRest(call, space, ref, elements, next, to, isHeld);
}

/** Writes what is not better written in pieces; returns the next place. */
function writeFirst(
  { reply }: Call,
  space: Keyspace,
  ref: number,
  elements: ElementWriter,
  from: number,
  to: number,
): number {
  const limit = reply.cost + DIRECT_BYTES_MAX;
  return elements.write(space, ref, from, to, reply, limit);
}

/** Elements that are written when the peer takes them. */
class ElementStream implements ReplySource {
  readonly #reading: ValueReading;
  readonly #elements: ElementWriter;
  readonly #resp: 2 | 3;
  /** Counts the elements before they are written; null if they are counted. */
  endHead: EndHead | null = null;
  #to: number;
  #at: number;
  /** What was written ahead of the peer, because others wait; null for nothing. */
  #ahead: WrittenAhead | null = null;
  #isReading = true;

  constructor(
    { reply }: Call,
    reading: ValueReading,
    elements: ElementWriter,
    from: number,
    to: number,
  ) {
    this.#reading = reading;
    this.#elements = elements;
    this.#resp = reply.resp;
    this.#at = from;
    this.#to = to;
    reading.hurry = () => this.#hurry();
  }

  write(writer: ReplyWriter, bytes: number): boolean {
    if (this.#ahead !== null) {
      if (!this.#ahead.write(writer, bytes)) return false;
      this.#ahead = null;
      return !this.#isReading;
    }
    if (this.endHead !== null && !this.#count(this.endHead, writer, bytes)) {
      return false;
    }
    const { space, ref } = this.#reading;
    const limit = writer.cost + bytes;
    const elements = this.#elements;
    this.#at = elements.write(space, ref, this.#at, this.#to, writer, limit);
    if (this.#at < this.#to) return false;
    this.drop();
    return true;
  }

  /** Counts a step further, or to the end; says whether the head is complete. */
  #count(endHead: EndHead, writer: ReplyWriter, bytes: number): boolean {
    do {
      this.#to = endHead(writer, this.#reading.ref);
    } while (this.#to === UNCOUNTED && bytes === Infinity);
    if (this.#to === UNCOUNTED) return false;
    this.endHead = null;
    return true;
  }

  drop(): void {
    if (this.#isReading) this.#reading.end();
    this.#isReading = false;
    this.#ahead = null;
  }

  /** Writes what is left, up to a megabyte, for when the peer takes it. */
  #hurry(): void {
    if (this.#ahead !== null) return;
    const writer = new ReplyWriter(AHEAD_BYTES);
    writer.resp = this.#resp;
    for (let i = 0; i < STEPS_AHEAD && this.#isReading; i++) {
      const bytes = AHEAD_BYTES_MAX - writer.cost;
      if (bytes <= 0 || this.write(writer, bytes)) break;
    }
    this.#ahead = new WrittenAhead(writer.buf, writer.at);
  }
}

/** Bytes of a reply that were written before the peer could take them. */
class WrittenAhead {
  readonly #buf: Uint8Array;
  readonly #end: number;
  #at = 0;

  constructor(buf: Uint8Array, end: number) {
    this.#buf = buf;
    this.#end = end;
  }

  /** Writes so many bytes more; says whether that was all. */
  write(writer: ReplyWriter, bytes: number): boolean {
    const to = Math.min(this.#end, this.#at + bytes);
    writer.raw(this.#buf.subarray(this.#at, to));
    this.#at = to;
    return to === this.#end;
  }
}

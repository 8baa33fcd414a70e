/**
 * The elements of a collection as a reply: at once if they are few, in pieces
 * while the peer takes them if they are many.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ReplySource } from "../resp/reply_source.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";
import { ValueReading } from "./value_reading.ts";

/** Elements from which on a reply is written in pieces. */
export const STREAMED_ELEMENTS_MIN = 2048;
/** Bytes from which on a reply of a few large elements is. */
export const DIRECT_BYTES_MAX: number = 1 << 20;

/**
 * Writes the elements of one kind of reply. Places are numbers that the writer
 * chooses, from 0 on: indices of a list, ranks, buckets of a dictionary.
 */
export interface ElementWriter {
  /**
   * Writes the elements from place `from` on, until those before place `to` are
   * written or the writer's position has passed `limit`; returns the next
   * place. `ref` is an entry with the value, and stays valid.
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
  reply.stream(new ElementStream(reading, elements, from, to));
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
  } else reply.stream(new ElementStream(reading, elements, from, to));
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
  call.reply.stream(new ElementStream(reading, elements, from, to));
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
  const limit = reply.at + DIRECT_BYTES_MAX;
  return elements.write(space, ref, from, to, reply, limit);
}

/** Elements that are written when the peer takes them. */
class ElementStream implements ReplySource {
  readonly #reading: ValueReading;
  readonly #elements: ElementWriter;
  readonly #to: number;
  #at: number;

  constructor(
    reading: ValueReading,
    elements: ElementWriter,
    from: number,
    to: number,
  ) {
    this.#reading = reading;
    this.#elements = elements;
    this.#at = from;
    this.#to = to;
  }

  write(writer: ReplyWriter, bytes: number): boolean {
    const { space, ref } = this.#reading;
    const limit = writer.at + bytes;
    const elements = this.#elements;
    this.#at = elements.write(space, ref, this.#at, this.#to, writer, limit);
    if (this.#at < this.#to) return false;
    this.drop();
    return true;
  }

  drop(): void {
    this.#reading.end();
  }
}

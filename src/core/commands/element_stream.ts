/**
 * The elements of a collection as a reply: at once if they are few, in pieces
 * while the peer takes them if they are many.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import { OutOfMemory } from "../memory/heap.ts";
import { releaseValue, shareValue } from "../keyspace/shared_value.ts";
import type { ReplySource } from "../resp/reply_source.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call, ShardLatches, ValueHold } from "./call.ts";

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
  stream(call, space, ref, shareValue(space, ref), elements, from, to);
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
  let reading = 0;
  try {
    reading = shareValue(space, ref);
  } catch (cause) {
    if (!(cause instanceof OutOfMemory)) throw cause;
    return false;
  }
  call.reply.array(to - from);
  stream(call, space, ref, reading, elements, from, to);
  return true;
}

/** Leaves a reader of a value in the reply. */
function stream(
  call: Call,
  space: Keyspace,
  ref: number,
  reading: number,
  elements: ElementWriter,
  from: number,
  to: number,
): void {
  const hold = call.holdValue?.(space, call.db, ref) ?? null;
  call.reply.stream(
    new ElementStream(space, call.latches, reading, hold, elements, from, to),
  );
}

/**
 * As {@linkcode replyElements}, where each element has a place of its own: few
 * elements that are large come in pieces, too.
 */
export function replyPlaces(
  call: Call,
  space: Keyspace,
  ref: number,
  elements: ElementWriter,
  from: number,
  to: number,
): void {
  const next = writeFirst(call, space, ref, elements, from, to);
  if (next === to) return;
  const count = STREAMED_ELEMENTS_MIN;
  replyElements(call, space, ref, elements, next, to, count);
}

/**
 * As {@linkcode replyPlaces}, of all elements of a value whose key is deleted
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
  const { reply, latches } = call;
  const next = writeFirst(call, space, ref, elements, from, to);
  if (next === to) return;
  if (reply.canStream) {
    try {
      const reading = shareValue(space, ref);
      return reply.stream(
        new ElementStream(space, latches, reading, null, elements, next, to),
      );
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
    }
  }
  elements.write(space, ref, next, to, reply, Infinity);
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
  if (to - from >= STREAMED_ELEMENTS_MIN) return from;
  const limit = reply.at + DIRECT_BYTES_MAX;
  return elements.write(space, ref, from, to, reply, limit);
}

/** The value does not change while it is shared, so no latch is needed to read. */
class ElementStream implements ReplySource {
  readonly #space: Keyspace;
  readonly #latches: ShardLatches;
  readonly #reading: number;
  readonly #hold: ValueHold | null;
  readonly #elements: ElementWriter;
  readonly #to: number;
  #at: number;

  constructor(
    space: Keyspace,
    latches: ShardLatches,
    reading: number,
    hold: ValueHold | null,
    elements: ElementWriter,
    from: number,
    to: number,
  ) {
    this.#space = space;
    this.#latches = latches;
    this.#reading = reading;
    this.#hold = hold;
    this.#elements = elements;
    this.#at = from;
    this.#to = to;
  }

  write(writer: ReplyWriter, bytes: number): boolean {
    this.#at = this.#elements.write(
      this.#space,
      this.#reading,
      this.#at,
      this.#to,
      writer,
      writer.at + bytes,
    );
    if (this.#at < this.#to) return false;
    this.drop();
    return true;
  }

  drop(): void {
    this.#latches.acquire(this.#space.shard);
    releaseValue(this.#space, this.#reading);
    this.#latches.release(this.#space.shard);
    this.#hold?.release();
  }
}

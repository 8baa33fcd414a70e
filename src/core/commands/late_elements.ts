/**
 * Elements that were chosen at random: those that are too long to be replied at
 * once are replied, from where they lie, while the peer takes them.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";
import {
  DIRECT_BYTES_MAX,
  type ElementWriter,
  streamRest,
} from "./element_stream.ts";

/** Writes an element whose value has not changed since. */
export type LateElement = (reply: ReplyWriter) => void;

/** What is left of the elements that a command has chosen. */
export class LateElements implements ElementWriter {
  readonly #elements: LateElement[] = [];
  readonly #reply: ReplyWriter;
  readonly #limit: number;

  /** Those that a reply has no room for. */
  constructor(reply: ReplyWriter) {
    this.#reply = reply;
    this.#limit = reply.cost + DIRECT_BYTES_MAX;
  }

  /** Whether the next element is to be left. */
  get isFull(): boolean {
    return this.#reply.cost >= this.#limit;
  }

  /** Leaves an element. */
  add(element: LateElement): void {
    this.#elements.push(element);
  }

  /** Replies what was left; nothing may follow. */
  reply(call: Call, space: Keyspace, ref: number): void {
    const count = this.#elements.length;
    if (count > 0) streamRest(call, space, ref, this, 0, count, true);
  }

  write(
    _space: Keyspace,
    _ref: number,
    from: number,
    to: number,
    reply: ReplyWriter,
    limit: number,
  ): number {
    let place = from;
    while (place < to && reply.cost < limit) this.#elements[place++]!(reply);
    return place;
  }
}

/**
 * Writes bytes of a value, or the digits of a number, which are copied: they do not
 * lie in the arena.
 */
export function lateBulk(
  buf: Uint8Array,
  off: number,
  length: number,
): LateElement {
  if (buf.buffer instanceof SharedArrayBuffer) {
    return (reply) => reply.bulk(buf, off, length);
  }
  const copy = buf.slice(off, off + length);
  return (reply) => reply.bulk(copy, 0, length);
}

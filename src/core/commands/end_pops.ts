/**
 * Many elements taken from an end of a list or a sorted set: at once if they are
 * few, in slices if they are many or large. All that a key has are taken by
 * deleting it, which is quick; a long reply keeps the value then.
 *
 * @module
 */

import type { EffectLog } from "../keyspace/effect_log.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arguments } from "../resp/arguments.ts";
import { takeBackReply } from "../resp/reply_source.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import {
  DIRECT_BYTES_MAX,
  type ElementWriter,
  replyTaken,
} from "./element_stream.ts";
import { GatheredReply } from "./gathered_reply.ts";
import { makeChange } from "./sliced_change.ts";

/** Whatever they are, fewer elements are taken at once unless they are large. */
const SLICED_ELEMENTS_MIN = 1000;
/** Slices that are worth being made. */
const SLICES_MIN = 2;
/** Bytes of replies after which a slice ends. */
const SLICE_BYTES = 1 << 17;

/** An end of values of one type. */
export interface ValueEnd {
  /** What is told of the key. */
  readonly event: number;
  /** The command that takes elements from this end of one key. */
  readonly command: Uint8Array;
  /** Writes elements with places, which go up from this end on. */
  readonly elements: ElementWriter;
  /** Place of the element at the end. */
  place(space: Keyspace, ref: number): number;
  /** Writes the head of an array of so many elements. */
  head(reply: ReplyWriter, count: number): void;
  /** Elements that are taken in half a millisecond, about. */
  elementsOfSlice(space: Keyspace, ref: number): number;
  /** Removes elements from this end, but not all. */
  remove(space: Keyspace, ref: number, count: number): void;
  /** All that were to be removed are. */
  settle?(space: Keyspace, ref: number): void;
}

/**
 * Takes up to `count` elements from an end of a key's value, and replies them,
 * behind the key if that `isNamed`: then they are recorded as taken from it.
 */
export function popMany(
  call: Call,
  key: Key,
  ref: number,
  end: ValueEnd,
  count: number,
  isNamed: boolean,
): void | Promise<LateReply> {
  const { reply, db, effects } = call;
  const space = call.keyspace(key);
  const length = space.length(ref);
  const popped = Math.min(count, length);
  const isGone = popped === length;
  if (
    !isGone && popped > SLICED_ELEMENTS_MIN &&
    popped > end.elementsOfSlice(space, ref) * SLICES_MIN
  ) return popInSlices(call, key, ref, end, popped, isNamed);
  const start = reply.at;
  writeHead(reply, key, end, popped, isNamed);
  const from = end.place(space, ref);
  const to = from + popped;
  if (isGone) {
    replyTaken(call, space, ref, end.elements, from, to);
    space.delete(db, ref);
  } else {
    const limit = reply.cost + DIRECT_BYTES_MAX;
    if (end.elements.write(space, ref, from, to, reply, limit) < to) {
      takeBackReply(reply, start, space.externals);
      return popInSlices(call, key, ref, end, popped, isNamed);
    }
    end.remove(space, ref, popped);
    end.settle?.(space, ref);
  }
  space.hooks.changedOrGone(db, key, end.event, isGone, popped);
  if (isNamed) record(effects, db, key, end, popped);
}

function popInSlices(
  call: Call,
  key: Key,
  ref: number,
  end: ValueEnd,
  count: number,
  isNamed: boolean,
): void | Promise<LateReply> {
  const change = new EndPop(end, count, isNamed, call.reply);
  return makeChange(call, ref, change, key);
}

/** Takes elements from an end, but not all. */
class EndPop implements SlicedChange {
  readonly #end: ValueEnd;
  readonly #count: number;
  readonly #isNamed: boolean;
  readonly #elements: GatheredReply;
  #left: number;

  constructor(
    end: ValueEnd,
    count: number,
    isNamed: boolean,
    reply: ReplyWriter,
  ) {
    this.#end = end;
    this.#count = this.#left = count;
    this.#isNamed = isNamed;
    this.#elements = new GatheredReply(reply);
  }

  step(space: Keyspace, ref: number): boolean {
    const end = this.#end;
    const elements = this.#elements;
    const { limit } = elements;
    const from = end.place(space, ref);
    const to = from + Math.min(this.#left, end.elementsOfSlice(space, ref));
    let place = from;
    for (let bytes = 0; place < to && bytes < SLICE_BYTES;) {
      const writer = elements.writer();
      const start = writer.cost;
      place = end.elements.write(space, ref, place, to, writer, limit);
      bytes += writer.cost - start;
    }
    end.remove(space, ref, place - from);
    this.#left -= place - from;
    return this.#left > 0;
  }

  finish(
    space: Keyspace,
    db: number,
    key: Key,
    _args: Arguments,
    effects: EffectLog,
  ): LateReply {
    const end = this.#end;
    const count = this.#count;
    end.settle?.(space, space.peek(db, key));
    space.hooks.changed(db, key, end.event, count);
    if (this.#isNamed) record(effects, db, key, end, count);
    return (reply) => {
      writeHead(reply, key, end, count, this.#isNamed);
      this.#elements.reply(reply);
    };
  }
}

function writeHead(
  reply: ReplyWriter,
  { buf, off, length }: Key,
  end: ValueEnd,
  count: number,
  isNamed: boolean,
): void {
  if (isNamed) {
    reply.array(2);
    reply.bulk(buf, off, length);
  }
  end.head(reply, count);
}

function record(
  effects: EffectLog,
  db: number,
  { buf, off, length }: Key,
  { command }: ValueEnd,
  count: number,
): void {
  if (!effects.isOn) return;
  effects.replace(db, command, 3).bytes(buf, off, length).integer(count);
}

/**
 * Fields of hashes as replies.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import { fieldsExpire } from "../keyspace/field_expires.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { ListpackItem } from "../memory/listpack.ts";
import { CountedNodes } from "../types/expire_queue.ts";
import type { FieldVisitor, HashValue } from "../types/hash_value.ts";
import type { Answer } from "./argument_answers.ts";
import type { Call } from "./call.ts";
import {
  type ElementWriter,
  type EndHead,
  replyLasting,
  streamUncounted,
  UNCOUNTED,
} from "./element_stream.ts";
import { findField } from "./hash_entry.ts";

/** What is written of each field: its name. */
export const FIELDS = 1;
/** Its value. */
export const VALUES = 2;

/** Places whose fields are looked at in one step of a reply. */
export const PLACES_AT_ONCE = 1024;
/** Expired fields that are counted in one. */
const COUNTED_AT_ONCE = 8192;

/** Writes fields, values or both. */
export class FieldReplies implements FieldVisitor {
  /** Where to. */
  reply: ReplyWriter | undefined;
  /** Bits of {@linkcode FIELDS} and {@linkcode VALUES}. */
  parts = 0;
  /** Whether each pair is an array of its own. */
  isNested = false;

  /** Writes what is wanted of one field. */
  field(field: ListpackItem, value: ListpackItem): void {
    const reply = this.reply!;
    if (this.isNested) reply.array(2);
    if ((this.parts & FIELDS) !== 0) {
      reply.bulk(field.buf, field.off, field.length);
    }
    if ((this.parts & VALUES) !== 0) {
      reply.bulk(value.buf, value.off, value.length);
    }
  }

  /** Writes the field that was drawn last. */
  drawn(hashes: HashValue): void {
    this.field(hashes.field, hashes.value);
  }
}

const REPLIES = new FieldReplies();

/** Writes the fields of a hash that are live at a time. */
export class HashElements implements ElementWriter {
  readonly #parts: number;
  readonly #isNested: boolean;
  /** The time at which fields must be live. */
  readonly nowMs: number;

  /** What of each field, and when. */
  constructor(parts: number, isNested: boolean, nowMs: number) {
    this.#parts = parts;
    this.#isNested = isNested;
    this.nowMs = nowMs;
  }

  /** What writes a field to a reply. */
  repliesTo(reply: ReplyWriter): FieldReplies {
    REPLIES.reply = reply;
    REPLIES.parts = this.#parts;
    REPLIES.isNested = this.#isNested;
    return REPLIES;
  }

  /** Writes some; see {@linkcode ElementWriter}. */
  write(
    space: Keyspace,
    ref: number,
    from: number,
    to: number,
    reply: ReplyWriter,
    limit: number,
  ): number {
    const { hashes } = space.values;
    const replies = this.repliesTo(reply);
    if (limit === Infinity) {
      hashes.visitAll(ref, replies, this.nowMs);
      return to;
    }
    let place = from;
    const end = Math.min(to, from + PLACES_AT_ONCE);
    while (place < end && reply.cost < limit) {
      place = hashes.visit(ref, place, replies, this.nowMs);
    }
    return place;
  }
}

/**
 * Counts the fields of a large hash that are live at a time, a step after the other,
 * while the hash does not change.
 */
export class LiveCount {
  readonly #expired = new CountedNodes();
  readonly #nowMs: number;

  /** Those that are live at this time. */
  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  /** Goes on; says whether all are counted. */
  step({ values: { hashes } }: Keyspace, ref: number): boolean {
    const most = this.#expired.count + COUNTED_AT_ONCE;
    hashes.countExpiredOn(ref, this.#nowMs, this.#expired, most);
    return this.#expired.count < most;
  }

  /** How many there are, when all are counted. */
  of({ values: { hashes } }: Keyspace, ref: number): number {
    return hashes.length(ref) - this.#expired.count;
  }
}

/** Of hashes without expires, by parts. */
const ELEMENTS = [0, FIELDS, VALUES, FIELDS | VALUES].map((parts) =>
  new HashElements(parts, false, -Infinity)
);

/** Replies all fields, of which `count` are live; the head is written. */
export function replyFields(
  call: Call,
  space: Keyspace,
  ref: number,
  parts: number,
  isNested: boolean,
  count: number,
): void {
  const { hashes } = space.values;
  const elements = isNested || fieldsExpire(space, ref)
    ? new HashElements(parts, isNested, call.nowMs)
    : ELEMENTS[parts]!;
  const from = hashes.firstPlace(ref);
  replyLasting(call, space, ref, elements, from, hashes.endPlace(ref), count);
}

/**
 * As {@linkcode replyFields}, of a large hash of which very many have expired, with
 * the head: they are counted while the peer waits. False, with nothing written, if
 * there is no memory for that.
 */
export function streamLiveFields(
  call: Call,
  space: Keyspace,
  ref: number,
  parts: number,
): boolean {
  const elements = new HashElements(parts, false, call.nowMs);
  const live = new LiveCount(call.nowMs);
  const isMap = parts === (FIELDS | VALUES);
  const endHead: EndHead = (writer, ref) => {
    if (!live.step(space, ref)) return UNCOUNTED;
    if (isMap) writer.endMap(live.of(space, ref));
    else writer.endArray(live.of(space, ref));
    return space.values.hashes.endPlace(ref);
  };
  return streamUncounted(call, space, ref, elements, endHead, isMap);
}

/**
 * Replies the value of the field in argument `i`, or null; says whether it is
 * there. See {@linkcode findField}.
 */
export function replyValue(
  call: Call,
  space: Keyspace,
  ref: number,
  i: number,
): boolean {
  if (ref === 0 || !findField(call, space, ref, i)) {
    call.reply.nullBulk();
    return false;
  }
  replyFoundValue(space, ref, call.reply);
  return true;
}

/** As {@linkcode replyValue}, and removes the field. */
export function takeValue(
  call: Call,
  space: Keyspace,
  ref: number,
  i: number,
): boolean {
  const { reply } = call;
  if (!findField(call, space, ref, i)) {
    reply.nullBulk();
    return false;
  }
  replyFoundValue(space, ref, reply);
  space.values.hashes.removeFound(ref);
  return true;
}

/** Replies the value of the field that was found last. */
export function replyFoundValue(
  { values: { hashes } }: Keyspace,
  ref: number,
  reply: ReplyWriter,
): void {
  hashes.readFound(ref);
  const { value } = hashes;
  reply.bulk(value.buf, value.off, value.length);
}

/** As {@linkcode replyValue}, for a command that goes on when its call is over. */
export const answerValue: Answer = (space, ref, args, i, reply, nowMs) => {
  const { hashes } = space.values;
  const off = args.off[i]!;
  const length = args.length[i]!;
  if (ref === 0 || !hashes.find(ref, args.source(i), off, length, nowMs)) {
    return reply.nullBulk();
  }
  const { value } = hashes;
  reply.bulk(value.buf, value.off, value.length);
};

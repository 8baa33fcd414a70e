/**
 * HRANDFIELD.
 *
 * @module
 */

import { bytesOf, latin1BytesOf } from "../base/bytes.ts";
import type { Prng } from "../base/prng.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ListpackItem } from "../memory/listpack.ts";
import {
  SYNTAX_ERROR,
  VALUE_OUT_OF_RANGE,
  valueNotBetween,
} from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { ChosenFields } from "../types/hash_value.ts";
import { argumentIs, bigIntegerAt, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  GAVE_WAY,
  KEY_RO_ACCESS,
  type LateReply,
} from "./command_spec.ts";
import {
  type ElementWriter,
  replyDrawn,
  replyElements,
  STREAMED_ELEMENTS_MIN,
} from "./element_stream.ts";
import { givesWayToExpiry, readHash } from "./hash_entry.ts";
import {
  FieldReplies,
  FIELDS,
  HashElements,
  replyFields,
  VALUES,
} from "./hash_replies.ts";
import { lateBulk, LateElements } from "./late_elements.ts";
import { WRONG } from "./typed_entry.ts";

const WITHVALUES = bytesOf("withvalues");
const INT64_MAX = 2n ** 63n - 1n;

/** Draws a field for each place. */
class DrawnElements extends HashElements {
  override write(
    space: Keyspace,
    ref: number,
    from: number,
    to: number,
    reply: ReplyWriter,
    limit: number,
  ): number {
    const { hashes } = space.values;
    const replies = this.repliesTo(reply);
    let place = from;
    for (; place < to && reply.cost < limit; place++) {
      hashes.draw(ref, this.nowMs);
      replies.drawn(hashes);
    }
    return place;
  }
}

/** Chooses fields while it goes through all of them. */
class ChosenElements implements ElementWriter {
  readonly #replies = new FieldReplies();
  readonly #chosen: ChosenFields;
  readonly #nowMs: number;

  constructor(
    random: Prng,
    parts: number,
    isNested: boolean,
    nowMs: number,
    count: number,
    live: number,
  ) {
    this.#replies.parts = parts;
    this.#replies.isNested = isNested;
    this.#chosen = new ChosenFields(random, this.#replies);
    this.#chosen.begin(count, live);
    this.#nowMs = nowMs;
  }

  write(
    space: Keyspace,
    ref: number,
    from: number,
    to: number,
    reply: ReplyWriter,
    limit: number,
  ): number {
    const { hashes } = space.values;
    this.#replies.reply = reply;
    let place = from;
    while (place < to && reply.cost < limit && this.#chosen.wanted > 0) {
      place = hashes.visit(ref, place, this.#chosen, this.#nowMs);
    }
    return this.#chosen.wanted > 0 ? place : to;
  }
}

/** Writes fields as long as there is room. */
class SampledFields extends FieldReplies {
  readonly #late: LateElements;

  constructor(late: LateElements) {
    super();
    this.#late = late;
  }

  override field(field: ListpackItem, value: ListpackItem): void {
    if (!this.#late.isFull) return super.field(field, value);
    if (this.isNested) this.#late.add((reply) => reply.array(2));
    if ((this.parts & FIELDS) !== 0) this.#leave(field);
    if ((this.parts & VALUES) !== 0) this.#leave(value);
  }

  #leave({ buf, off, length }: ListpackItem): void {
    this.#late.add(lateBulk(buf, off, length));
  }
}

/** `HRANDFIELD key [count [WITHVALUES]]` */
function hrandfieldCommand(call: Call): void | Promise<LateReply> {
  const { reply, argc, nowMs } = call;
  if (argc > 2) return drawFields(call);
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  const space = call.keyspace(call.key(0));
  const { hashes } = space.values;
  if (givesWayToExpiry(call, space, ref)) return GAVE_WAY;
  if (ref === 0 || hashes.liveLength(ref, nowMs) === 0) {
    return reply.nullBulk();
  }
  hashes.draw(ref, nowMs);
  const { field } = hashes;
  reply.bulk(field.buf, field.off, field.length);
}

/** `HRANDFIELD key count [WITHVALUES]`: of a negative count, fields may repeat. */
function drawFields(call: Call): void | Promise<LateReply> {
  const { reply, argc, nowMs } = call;
  const count = readInteger(call, 2);
  if (Number.isNaN(count)) return;
  if (count === -(2 ** 63) && bigIntegerAt(call, 2)! < -INT64_MAX) {
    return reply.error(valueNotBetween(-INT64_MAX, INT64_MAX));
  }
  if (argc > 4 || argc === 4 && !argumentIs(call, 3, WITHVALUES)) {
    return reply.error(SYNTAX_ERROR);
  }
  if (argc === 4 && Math.abs(count) >= 2 ** 62) {
    return reply.error(VALUE_OUT_OF_RANGE);
  }
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  const space = call.keyspace(call.key(0));
  const { hashes } = space.values;
  if (givesWayToExpiry(call, space, ref)) return GAVE_WAY;
  const live = ref === 0 ? 0 : hashes.liveLength(ref, nowMs);
  if (live === 0 || count === 0) return reply.array(0);
  const parts = argc === 4 ? FIELDS | VALUES : FIELDS;
  const isNested = argc === 4 && reply.resp === 3;
  const flat = argc === 4 && reply.resp !== 3 ? 2 : 1;
  if (count < 0) {
    writeHead(call, -count * flat, flat);
    const drawn = new DrawnElements(parts, isNested, nowMs);
    return replyDrawn(call, space, ref, drawn, -count);
  }
  const taken = Math.min(count, live);
  reply.array(taken * flat);
  if (taken === live) {
    return replyFields(call, space, ref, parts, isNested, live);
  }
  if (taken < STREAMED_ELEMENTS_MIN) {
    const late = new LateElements(reply);
    const replies = new SampledFields(late);
    Object.assign(replies, { reply, parts, isNested });
    hashes.sample(ref, taken, live, replies, nowMs);
    return late.reply(call, space, ref);
  }
  const { random } = call;
  replyElements(
    call,
    space,
    ref,
    new ChosenElements(random, parts, isNested, nowMs, taken, live),
    hashes.firstPlace(ref),
    hashes.endPlace(ref),
    taken,
  );
}

/** Head of an array of any size; `flat` replies come for each field. */
function writeHead(call: Call, count: number, flat: number): void {
  if (Number.isSafeInteger(count)) return call.reply.array(count);
  const exact = -bigIntegerAt(call, 2)! * BigInt(flat);
  call.reply.raw(latin1BytesOf(`*${exact}\r\n`));
}

/** The row of HRANDFIELD. */
export const HASH_RANDOM_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "hrandfield",
    group: "hash",
    since: "6.2.0",
    summary: "Draws fields of a hash at random.",
    complexity: "O(N)",
    arity: -2,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output"],
    syntax: "key [options:(count:integer [WITHVALUES])]",
    replies: ["null", "string", "array"],
    run: hrandfieldCommand,
  },
];

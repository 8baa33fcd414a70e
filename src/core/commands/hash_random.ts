/**
 * HRANDFIELD.
 *
 * @module
 */

import { bytesOf, latin1BytesOf } from "../base/bytes.ts";
import type { Prng } from "../base/prng.ts";
import { IntegerSet } from "../base/sampling.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { releaseValue, shareValue } from "../keyspace/shared_value.ts";
import {
  SYNTAX_ERROR,
  VALUE_OUT_OF_RANGE,
  valueNotBetween,
} from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { ChosenFields, type HashValue } from "../types/hash_value.ts";
import { argumentIs, bigIntegerAt, readInteger } from "./arg_reader.ts";
import type { Call, SlicedChange } from "./call.ts";
import {
  type CommandSpec,
  KEY_RO_ACCESS,
  type LateReply,
} from "./command_spec.ts";
import {
  type ElementWriter,
  replyDrawn,
  replyLasting,
  streamUncounted,
  UNCOUNTED,
} from "./element_stream.ts";
import { hasManyExpired, readHash } from "./hash_entry.ts";
import {
  FieldReplies,
  FIELDS,
  HashElements,
  LiveCount,
  PLACES_AT_ONCE,
  replyFields,
  VALUES,
} from "./hash_replies.ts";
import { pieceOf, replyPiece, writerLike } from "./gathered_reply.ts";
import { makeChange } from "./sliced_change.ts";
import { WRONG } from "./typed_entry.ts";

const WITHVALUES = bytesOf("withvalues");
const INT64_MAX = 2n ** 63n - 1n;
/** Draws that may meet expired fields before live ones are looked for. */
const DRAWS_MAX = 100;
/** Places that are looked at while the latch is held. */
const SLICE_PLACES = 256;
/** If one of so many fields is live, or more, draws meet these soon. */
const LIVE_SHARE = 8;
/** To look at a field and choose takes as long as so many are written. */
const WRITTEN_PER_LOOK = 2;
/** Most fields that are drawn until they all differ. */
const SAMPLED_MAX = 2048;

/** Draws a field for each place, of live ones that are known if these are few. */
class DrawnElements extends HashElements {
  /** Where they are; null if draws meet them soon. */
  live: number[] | null = null;
  readonly #random: Prng;

  constructor(parts: number, isNested: boolean, { nowMs, random }: Call) {
    super(parts, isNested, nowMs);
    this.#random = random;
  }

  override write(
    { values: { hashes } }: Keyspace,
    ref: number,
    from: number,
    to: number,
    reply: ReplyWriter,
    limit: number,
  ): number {
    const replies = this.repliesTo(reply);
    let place = from;
    for (; place < to && reply.cost < limit; place++) {
      this.draw(hashes, ref);
      replies.drawn(hashes);
    }
    return place;
  }

  /** Draws the field of the next place. */
  protected draw(hashes: HashValue, ref: number): void {
    const { live } = this;
    if (live === null) hashes.draw(ref, this.nowMs);
    else hashes.readLive(ref, live[this.#random.below(live.length)]!);
  }
}

/** Draws a field for each place that was not drawn before. */
class SampledElements extends DrawnElements {
  readonly #drawn: IntegerSet;

  /** For so many places. */
  constructor(parts: number, isNested: boolean, call: Call, places: number) {
    super(parts, isNested, call);
    this.#drawn = new IntegerSet(places);
  }

  protected override draw(hashes: HashValue, ref: number): void {
    hashes.drawOther(ref, this.#drawn, this.nowMs);
  }
}

/** Whether so few of a hash's fields are live that they are looked for at first. */
function areFew({ values: { hashes } }: Keyspace, ref: number, live: number) {
  const length = hashes.length(ref);
  return hashes.tableOf(ref) === 0 ? live < length : live * LIVE_SHARE < length;
}

/** Looks for live fields, a step after the other. */
class LiveSearch {
  /** Where those are that have been found. */
  readonly found: number[] = [];
  readonly #nowMs: number;
  #place = -1;

  constructor(nowMs: number) {
    this.#nowMs = nowMs;
  }

  /** Goes on through so many places; says whether all are found. */
  step({ values: { hashes } }: Keyspace, ref: number, places: number): boolean {
    if (this.#place < 0) this.#place = hashes.firstPlace(ref);
    const end = hashes.endPlace(ref);
    const stop = Math.min(end, this.#place + places);
    while (this.#place < stop) {
      this.#place = hashes.gatherLive(
        ref,
        this.#place,
        this.#nowMs,
        this.found,
      );
    }
    return this.#place >= end;
  }
}

/** Chooses fields while it goes through all of them. */
class ChosenElements implements ElementWriter {
  readonly #replies = new FieldReplies();
  readonly #chosen: ChosenFields;
  readonly #nowMs: number;

  constructor(parts: number, isNested: boolean, { nowMs, random }: Call) {
    this.#replies.parts = parts;
    this.#replies.isNested = isNested;
    this.#chosen = new ChosenFields(random, this.#replies);
    this.#nowMs = nowMs;
  }

  /** Chooses `count` of the `live` ones. */
  begin(count: number, live: number): void {
    this.#chosen.begin(count, live);
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
    const end = limit === Infinity ? to : Math.min(to, from + PLACES_AT_ONCE);
    while (place < end && reply.cost < limit && this.#chosen.wanted > 0) {
      place = hashes.visit(ref, place, this.#chosen, this.#nowMs);
    }
    return this.#chosen.wanted > 0 ? place : to;
  }
}

/** Draws one live field of a hash in which draws meet expired ones. */
class FieldDraw implements SlicedChange {
  readonly isRead = true;
  readonly #live: LiveSearch;
  readonly #random: Prng;
  readonly #writer: ReplyWriter;
  /** Keeps the value, if one step is not enough; 0 for none. */
  #reading = 0;
  /** An entry with the value. */
  #ref = 0;

  constructor({ nowMs, random, reply }: Call) {
    this.#live = new LiveSearch(nowMs);
    this.#random = random;
    this.#writer = writerLike(reply);
  }

  step(space: Keyspace, ref: number): boolean {
    if (this.#ref === 0) this.#ref = ref;
    if (this.#live.step(space, this.#ref, SLICE_PLACES)) return false;
    if (this.#reading === 0) this.#ref = this.#reading = shareValue(space, ref);
    return true;
  }

  finish(space: Keyspace): LateReply {
    const writer = this.#writer;
    const { found } = this.#live;
    const { hashes } = space.values;
    if (found.length === 0) writer.nullBulk();
    else {
      hashes.readLive(
        this.#ref,
        found[this.#random.below(found.length)]!,
      );
      const { field } = hashes;
      writer.bulk(field.buf, field.off, field.length);
    }
    this.drop(space);
    const piece = pieceOf(writer, 0, writer.at);
    return (reply) => replyPiece(reply, piece);
  }

  drop(space: Keyspace): void {
    if (this.#reading !== 0) releaseValue(space, this.#reading);
    this.#reading = 0;
  }
}

/** `HRANDFIELD key [count [WITHVALUES]]` */
function hrandfieldCommand(call: Call): void | Promise<LateReply> {
  const { reply, argc, nowMs } = call;
  if (argc > 2) return drawFields(call);
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return reply.nullBulk();
  const space = call.keyspace(call.key(0));
  const { hashes } = space.values;
  hasManyExpired(call, space, ref);
  if (!hashes.draw(ref, nowMs, DRAWS_MAX)) {
    return makeChange(call, ref, new FieldDraw(call));
  }
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
  if (ref === 0 || count === 0) return reply.array(0);
  const parts = argc === 4 ? FIELDS | VALUES : FIELDS;
  const isNested = argc === 4 && reply.resp === 3;
  const flat = argc === 4 && reply.resp !== 3 ? 2 : 1;
  const isLate = hasManyExpired(call, space, ref) && reply.canStream;
  if (count < 0) {
    const drawn = new DrawnElements(parts, isNested, call);
    if (isLate && streamDrawn(call, space, ref, drawn, -count, flat)) return;
    const live = hashes.liveLength(ref, nowMs);
    if (live === 0) return reply.array(0);
    if (areFew(space, ref, live)) {
      const search = new LiveSearch(nowMs);
      search.step(space, ref, Infinity);
      drawn.live = search.found;
    }
    reply.raw(headOf(call, -count, flat));
    return replyDrawn(call, space, ref, drawn, -count);
  }
  const chosen = new ChosenElements(parts, isNested, call);
  if (isLate && streamChosen(call, space, ref, chosen, count, flat)) return;
  const live = hashes.liveLength(ref, nowMs);
  const taken = Math.min(count, live);
  reply.array(taken * flat);
  if (taken === 0) return;
  if (taken === live) {
    return replyFields(call, space, ref, parts, isNested, live);
  }
  if (taken <= SAMPLED_MAX && hashes.drawsFaster(ref, taken, live)) {
    const sampled = new SampledElements(parts, isNested, call, taken);
    return replyDrawn(call, space, ref, sampled, taken);
  }
  chosen.begin(taken, live);
  const from = hashes.firstPlace(ref);
  const to = hashes.endPlace(ref);
  // It looks at all of them and chooses, until it has enough.
  const cost = hashes.length(ref) * WRITTEN_PER_LOOK;
  replyLasting(call, space, ref, chosen, from, to, cost);
}

/**
 * Replies `count` fields that are drawn from a large hash of which very many have
 * expired, as {@linkcode streamUncounted} has it.
 */
function streamDrawn(
  call: Call,
  space: Keyspace,
  ref: number,
  drawn: DrawnElements,
  count: number,
  flat: number,
): boolean {
  const counted = new LiveCount(call.nowMs);
  const search = new LiveSearch(call.nowMs);
  const head = headOf(call, count, flat);
  let isCounted = false;
  return streamUncounted(call, space, ref, drawn, (writer, ref) => {
    isCounted ||= counted.step(space, ref);
    if (!isCounted) return UNCOUNTED;
    const live = counted.of(space, ref);
    if (live > 0 && areFew(space, ref, live)) {
      if (!search.step(space, ref, PLACES_AT_ONCE)) return UNCOUNTED;
      drawn.live = search.found;
    }
    if (live === 0) writer.endArray(0);
    else writer.raw(head.subarray(1));
    return live === 0 ? 0 : count;
  });
}

/** The same of up to `count` different ones. */
function streamChosen(
  call: Call,
  space: Keyspace,
  ref: number,
  chosen: ChosenElements,
  count: number,
  flat: number,
): boolean {
  const counted = new LiveCount(call.nowMs);
  return streamUncounted(call, space, ref, chosen, (writer, ref) => {
    if (!counted.step(space, ref)) return UNCOUNTED;
    const live = counted.of(space, ref);
    const taken = Math.min(count, live);
    chosen.begin(taken, live);
    writer.endArray(taken * flat);
    return space.values.hashes.endPlace(ref);
  });
}

/** Head of an array of any size; `flat` replies come for each field. */
function headOf(call: Call, count: number, flat: number): Uint8Array {
  const exact = Number.isSafeInteger(count)
    ? BigInt(count)
    : -bigIntegerAt(call, 2)!;
  return latin1BytesOf(`*${exact * BigInt(flat)}\r\n`);
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

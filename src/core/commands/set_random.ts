/**
 * SPOP and SRANDMEMBER.
 *
 * @module
 */

import { latin1BytesOf } from "../base/bytes.ts";
import { SPOP } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import {
  SYNTAX_ERROR,
  VALUE_NOT_POSITIVE,
  valueNotBetween,
} from "../resp/error_reply.ts";
import { takeBackReply } from "../resp/reply_source.ts";
import { TYPE_SET } from "../types/entry.ts";
import type { SetMember } from "../types/set_member.ts";
import { SET_INTSET, SET_LISTPACK } from "../types/set_value.ts";
import { bigIntegerAt, integerAt, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  KEY_RO_ACCESS,
  KEY_RW_ACCESS_DELETE,
  type LateReply,
} from "./command_spec.ts";
import {
  DIRECT_BYTES_MAX,
  type ElementWriter,
  replyDrawn,
  replyElements,
  STREAMED_ELEMENTS_MIN,
} from "./element_stream.ts";
import { manyDrawn } from "./heavy_work.ts";
import { lateBulk, LateElements } from "./late_elements.ts";
import { RECORDED, recordOfKey } from "./recorded.ts";
import { MemberReplies, MEMBERS, replyMembers } from "./set_replies.ts";
import {
  isHeavy,
  MemberPop,
  popsLong,
  remake,
  SLICE_BYTES,
} from "./set_slices.ts";
import { makeChange } from "./sliced_change.ts";
import { readEntry, writeEntry, WRONG } from "./typed_entry.ts";

const INT64_MAX = 2n ** 63n - 1n;
/** Times as many members popped as stay: then those that stay are moved. */
const MOVE_FACTOR = 5;
/** Most members that one recorded command removes, as in Redis 7.2. */
const RECORDED_MEMBERS_MAX = 1024;

const REPLIES = new MemberReplies();

/** Draws a member for each place. */
const DRAWN: ElementWriter = {
  write(space, ref, from, to, reply, limit) {
    const { sets } = space.values;
    REPLIES.reply = reply;
    let place = from;
    for (; place < to && reply.cost < limit; place++) {
      REPLIES.member(sets.draw(ref));
    }
    return place;
  },
};

/** As MEMBERS, but knows where a set ends only when it is asked. */
const POPPED: ElementWriter = {
  write(space, ref, from, to, reply, limit) {
    const end = space.values.sets.endPlace(ref);
    const place = MEMBERS.write(space, ref, from, end, reply, limit);
    return place < end ? place : to;
  },
};

/** `SPOP key [count]` */
function spopCommand(call: Call): void | Promise<LateReply> {
  const { argc, reply } = call;
  if (argc > 3) return reply.error(SYNTAX_ERROR);
  if (argc === 3) return popMembers(call);
  const ref = writeEntry(call, 0, TYPE_SET);
  if (ref === WRONG) return;
  if (ref === 0) return reply.nullBulk();
  const key = call.key(0);
  const space = call.keyspace(key);
  const { sets } = space.values;
  const member = sets.draw(ref);
  const buf = member.text();
  reply.bulk(buf, member.off, member.length);
  if (call.effects.isOn) recordRemoved(call, 1, () => member);
  sets.removeDrawn(ref);
  const isGone = space.deleteIfEmpty(call.db, ref);
  space.hooks.changedOrGone(call.db, key, SPOP, isGone);
}

/** `SPOP key count` */
function popMembers(call: Call): void | Promise<LateReply> {
  const { reply } = call;
  const count = integerAt(call, 2);
  if (!(count >= 0)) return reply.error(VALUE_NOT_POSITIVE);
  const ref = writeEntry(call, 0, TYPE_SET);
  if (ref === WRONG) return;
  if (ref === 0 || count === 0) return reply.set(0);
  const space = call.keyspace(call.key(0));
  const { sets } = space.values;
  const length = sets.length(ref);
  const isMost = count >= (length - count) * MOVE_FACTOR;
  if (count < length && popsLong(call, space, ref, count)) {
    const change = new MemberPop(call, space, ref, count, isMost);
    return makeChange(call, ref, change);
  }
  const start = reply.at;
  reply.set(Math.min(count, length));
  if (count >= length) {
    replyMembers(call, space, ref);
    space.delete(call.db, ref);
    recordOfKey(call, RECORDED.DEL);
  } else if (!isMost || isHeavy(space, ref)) {
    sets.choose(ref, count);
    if (replyChosen(call, space, ref, count, SLICE_BYTES) < count) {
      takeBackReply(reply, start, space.externals);
      const change = new MemberPop(call, space, ref, count, isMost);
      return makeChange(call, ref, change);
    }
    if (call.effects.isOn) {
      recordRemoved(call, count, (i) => sets.chosen(ref, i));
    }
    sets.removeChosen(ref);
    if (isMost) remake(space, ref);
  } else popMost(call, space, ref, length - count);
  const popped = Math.min(count, length);
  space.hooks.changedOrGone(
    call.db,
    call.key(0),
    SPOP,
    popped === length,
    popped,
  );
}

/** Records that members were removed, so many in one command at most. */
function recordRemoved(
  call: Call,
  count: number,
  memberAt: (i: number) => SetMember,
): void {
  const { effects, args, db } = call;
  const { heap } = call.keyspace(call.key(0));
  for (let i = 0; i < count; i++) {
    if (i % RECORDED_MEMBERS_MAX === 0) {
      const members = Math.min(RECORDED_MEMBERS_MAX, count - i);
      effects.replace(db, RECORDED.SREM, 2 + members).argument(args, 1);
    }
    const member = memberAt(i);
    effects.lasting(heap, member.text(), member.off, member.length);
  }
}

/** As above, of all members that a set has. */
function recordAllRemoved(call: Call, space: Keyspace, ref: number): void {
  const { effects, args, db } = call;
  if (!effects.isOn) return;
  let left = space.values.sets.length(ref);
  let inCommand = 0;
  space.values.sets.visitAll(ref, {
    member(member) {
      if (inCommand === 0) {
        inCommand = Math.min(RECORDED_MEMBERS_MAX, left);
        effects.replace(db, RECORDED.SREM, 2 + inCommand).argument(args, 1);
      }
      effects.lasting(space.heap, member.text(), member.off, member.length);
      inCommand--;
      left--;
    },
  });
}

/**
 * Pops all members but few: a new set is made of those that stay, which may be
 * smaller in its encoding, too, and the old one is the reply.
 */
function popMost(
  call: Call,
  space: Keyspace,
  ref: number,
  stay: number,
): void {
  const { reply } = call;
  const { sets } = space.values;
  const begun = space.begun.begin(TYPE_SET);
  sets.begin(begun, sets.intsetOf(ref) !== 0 ? SET_INTSET : SET_LISTPACK);
  sets.choose(ref, stay);
  for (let i = 0; i < stay; i++) sets.addMember(begun, sets.chosen(ref, i));
  const count = sets.length(ref) - stay;
  // A stream needs memory, so it begins first; it reads when all is done. What
  // it reads must stay in its place meanwhile, as a table does.
  const isStreamed = count >= STREAMED_ELEMENTS_MIN && reply.canStream &&
    sets.isTable(ref);
  if (isStreamed) {
    const from = sets.firstPlace(ref);
    replyElements(call, space, ref, POPPED, from, Infinity, count);
  }
  sets.removeChosen(ref);
  recordAllRemoved(call, space, ref);
  if (!isStreamed) replyMembers(call, space, ref);
  space.begun.replace(ref);
}

/** `SRANDMEMBER key [count]` */
function srandmemberCommand(call: Call): void {
  const { argc, reply } = call;
  if (argc > 3) return reply.error(SYNTAX_ERROR);
  if (argc === 3) return drawMembers(call);
  const ref = readEntry(call, 0, TYPE_SET);
  if (ref === WRONG) return;
  if (ref === 0) return reply.nullBulk();
  const space = call.keyspace(call.key(0));
  const member = space.values.sets.draw(ref);
  const buf = member.text();
  reply.bulk(buf, member.off, member.length);
}

/** `SRANDMEMBER key count`: of a negative count, members may repeat. */
function drawMembers(call: Call): void {
  const { reply } = call;
  const count = readInteger(call, 2);
  if (Number.isNaN(count)) return;
  if (count === -(2 ** 63) && bigIntegerAt(call, 2)! < -INT64_MAX) {
    return reply.error(valueNotBetween(-INT64_MAX, INT64_MAX));
  }
  const ref = readEntry(call, 0, TYPE_SET);
  if (ref === WRONG) return;
  if (ref === 0 || count === 0) return reply.array(0);
  const space = call.keyspace(call.key(0));
  const { sets } = space.values;
  if (count < 0) {
    if (Number.isSafeInteger(count)) reply.array(-count);
    else reply.raw(latin1BytesOf(`*${-bigIntegerAt(call, 2)!}\r\n`));
    return replyDrawn(call, space, ref, DRAWN, -count);
  }
  const length = sets.length(ref);
  reply.array(Math.min(count, length));
  if (count >= length) return replyMembers(call, space, ref);
  sets.choose(ref, count);
  const written = replyChosen(call, space, ref, count, DIRECT_BYTES_MAX);
  if (written === count) return;
  const late = new LateElements(reply);
  for (let i = written; i < count; i++) {
    const member = sets.chosen(ref, i);
    const buf = member.text();
    late.add(lateBulk(buf, member.off, member.length));
  }
  late.reply(call, space, ref);
}

/**
 * Replies chosen members up to the one with which they are so many bytes; returns
 * how many these are.
 */
function replyChosen(
  call: Call,
  space: Keyspace,
  ref: number,
  count: number,
  bytes: number,
): number {
  const { reply } = call;
  const { sets } = space.values;
  const limit = reply.cost + bytes;
  REPLIES.reply = reply;
  let i = 0;
  while (i < count && reply.cost < limit) REPLIES.member(sets.chosen(ref, i++));
  return i;
}

/** Rows of these commands. */
export const SET_RANDOM_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "spop",
    group: "set",
    since: "1.0.0",
    summary: "Removes members of a set that are drawn at random.",
    arity: -2,
    flags: ["write", "fast"],
    keys: KEY_RW_ACCESS_DELETE,
    tips: ["nondeterministic_output"],
    syntax: "key [count:integer@3.2.0]",
    replies: ["string", "null", "set"],
    run: spopCommand,
  },
  {
    name: "srandmember",
    group: "set",
    since: "1.0.0",
    summary: "Draws members of a set at random.",
    arity: -2,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output"],
    syntax: "key [count:integer@2.6.0]",
    replies: ["string", "null", "array"],
    isHeavy: manyDrawn,
    run: srandmemberCommand,
  },
];

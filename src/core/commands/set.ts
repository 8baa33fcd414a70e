/**
 * Set commands, but for those that draw at random or combine several sets.
 *
 * @module
 */

import { NEW, SADD, SREM } from "../keyspace/key_events.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { TYPE_SET } from "../types/entry.ts";
import type { MemberVisitor, SetValue } from "../types/set_value.ts";
import { type Answer, ArgumentAnswers } from "./argument_answers.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  KEY_RO,
  KEY_RO_ACCESS,
  KEY_RW_DELETE,
  KEY_RW_INSERT,
  keyAt,
  type LateReply,
} from "./command_spec.ts";
import { lookFor, looksFor } from "./compared_arguments.ts";
import { ElementScan } from "./element_scan.ts";
import { manyScanned } from "./heavy_work.ts";
import { FEW_ARGUMENTS, isLongRequest } from "./many_arguments.ts";
import { MemberRemoval, type RemoveMember } from "./argument_removal.ts";
import { replyMembers } from "./set_replies.ts";
import { addMember, MemberAddition } from "./set_slices.ts";
import { makeChange } from "./sliced_change.ts";
import { stageMembers } from "./staged_nodes.ts";
import { readEntry, writeEntry, WRONG } from "./typed_entry.ts";

/** The sets of key `i`'s keyspace. */
function setsOf(call: Call, i: number): SetValue {
  return call.keyspace(call.key(i)).values.sets;
}

/** The members of SADD. */
function stageAdded(call: Call): void {
  stageMembers(call, 2);
  lookFor(call, 2);
}

/** The member of SMOVE, which may be in both sets. */
function stageMoved(call: Call): void {
  stageMembers(call, 3);
  lookFor(call, 3, 1, 4, [1, 2]);
}

/** `SADD key member [member ...]` */
function saddCommand(call: Call): void | Promise<LateReply> {
  const { args, argc } = call;
  let ref = writeEntry(call, 0, TYPE_SET);
  if (ref === WRONG) return;
  if (argc > FEW_ARGUMENTS && isLongRequest(call)) {
    return makeChange(call, ref, new MemberAddition(call));
  }
  const key = call.key(0);
  const space = call.keyspace(key);
  const { sets } = space.values;
  if (ref === 0) ref = space.create(call.db, key, TYPE_SET);
  sets.expect(ref, args.source(2), args.off[2]!, args.length[2]!, argc - 2);
  let added = 0;
  for (let i = 2; i < argc; i++) {
    if (addMember(space, ref, args, i, call.staged)) added++;
  }
  if (added > 0) space.hooks.changed(call.db, key, SADD, added);
  call.reply.integer(added);
}

const removeMember: RemoveMember = (space, ref, buf, off, length) =>
  space.values.sets.remove(ref, buf, off, length);

/** `SREM key member [member ...]` */
function sremCommand(call: Call): void | Promise<LateReply> {
  const { args, argc, reply } = call;
  const ref = writeEntry(call, 0, TYPE_SET);
  if (ref === WRONG) return;
  if (ref === 0) return reply.integer(0);
  if (argc > FEW_ARGUMENTS && isLongRequest(call)) {
    return makeChange(call, ref, new MemberRemoval(call, SREM, removeMember));
  }
  const space = call.keyspace(call.key(0));
  const { sets } = space.values;
  let removed = 0;
  let isGone = false;
  for (let i = 2; i < argc && !isGone; i++) {
    if (sets.remove(ref, args.source(i), args.off[i]!, args.length[i]!)) {
      removed++;
      isGone = space.deleteIfEmpty(call.db, ref);
    }
  }
  if (removed > 0) {
    space.hooks.changedOrGone(call.db, call.key(0), SREM, isGone, removed);
  }
  reply.integer(removed);
}

/** Whether the member in argument `i` is in the set of key 0. */
function hasMember(call: Call, ref: number, i: number): boolean {
  const { args } = call;
  return ref !== 0 &&
    setsOf(call, 0).has(ref, args.source(i), args.off[i]!, args.length[i]!);
}

/** `SISMEMBER key member` */
function sismemberCommand(call: Call): void {
  const ref = readEntry(call, 0, TYPE_SET);
  if (ref !== WRONG) call.reply.integer(hasMember(call, ref, 2) ? 1 : 0);
}

/** `SMISMEMBER key member [member ...]` */
function smismemberCommand(call: Call): void | Promise<LateReply> {
  const { argc, reply } = call;
  const ref = readEntry(call, 0, TYPE_SET);
  if (ref === WRONG) return;
  if (argc > FEW_ARGUMENTS && isLongRequest(call)) {
    return makeChange(call, ref, new ArgumentAnswers(call, answerMember));
  }
  reply.array(argc - 2);
  for (let i = 2; i < argc; i++) reply.integer(hasMember(call, ref, i) ? 1 : 0);
}

const answerMember: Answer = (space, ref, args, i, reply) => {
  const { sets } = space.values;
  const isThere = ref !== 0 &&
    sets.has(ref, args.source(i), args.off[i]!, args.length[i]!);
  reply.integer(isThere ? 1 : 0);
};

/** `SCARD key` */
function scardCommand(call: Call): void {
  const ref = readEntry(call, 0, TYPE_SET);
  if (ref === WRONG) return;
  call.reply.integer(ref === 0 ? 0 : setsOf(call, 0).length(ref));
}

/** `SMEMBERS key` */
function smembersCommand(call: Call): void {
  const ref = readEntry(call, 0, TYPE_SET);
  if (ref === WRONG) return;
  if (ref === 0) return call.reply.set(0);
  const space = call.keyspace(call.key(0));
  call.reply.set(space.values.sets.length(ref));
  replyMembers(call, space, ref);
}

/** `SMOVE source destination member` */
function smoveCommand(call: Call): void {
  const { args, db, reply } = call;
  const source = call.keyspace(call.key(0));
  const ref = writeEntry(call, 0, TYPE_SET);
  if (ref === WRONG) return;
  const key = call.key(1);
  const target = call.keyspace(key);
  if (ref === 0) {
    // The destination is looked up all the same, so it may expire.
    target.lookupWrite(db, key, call.nowMs);
    return reply.integer(0);
  }
  let targetRef = writeEntry(call, 1, TYPE_SET);
  if (targetRef === WRONG) return;
  if (!hasMember(call, ref, 3)) return reply.integer(0);
  if (source === target && ref === targetRef) return reply.integer(1);
  const buf = args.source(3);
  const off = args.off[3]!;
  const length = args.length[3]!;
  const { staged } = call;
  // What may run out of memory comes first.
  const { sets } = target.values;
  const isMade = targetRef === 0;
  if (isMade) {
    targetRef = target.createQuietly(db, key, TYPE_SET);
    sets.expect(targetRef, buf, off, length, 1);
  }
  const isNew = addMember(target, targetRef, args, 3, staged);
  source.values.sets.remove(ref, buf, off, length);
  const isGone = source.deleteIfEmpty(db, ref);
  source.hooks.changedOrGone(db, call.key(0), SREM, isGone);
  if (isMade) target.hooks.signal(db, key, NEW);
  if (isNew) target.hooks.changed(db, key, SADD);
  reply.integer(1);
}

const SCAN = new ElementScan();

/** Replies the members that a scan accepts. */
const SCANNED: MemberVisitor & { reply: ReplyWriter | undefined } = {
  reply: undefined,
  member(member) {
    const buf = member.text();
    const { off, length } = member;
    if (!SCAN.accepts(buf, off, length)) return;
    this.reply!.bulk(buf, off, length);
    SCAN.wrote(1);
  },
};

/** `SSCAN key cursor [MATCH pattern] [COUNT count]` */
function sscanCommand(call: Call): void {
  if (!SCAN.readCursor(call)) return;
  const ref = readEntry(call, 0, TYPE_SET);
  if (ref === WRONG) return;
  if (ref === 0) return SCAN.replyEmpty();
  if (!SCAN.readOptions(false)) return;
  const sets = setsOf(call, 0);
  SCANNED.reply = call.reply;
  SCAN.run((cursor) => sets.scan(ref, cursor, SCANNED));
}

/** Rows of these commands. */
export const SET_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "sadd",
    group: "set",
    since: "1.0.0",
    summary: "Adds members to a set, which is made if need be.",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_INSERT,
    syntax: "key member...",
    replies: ["integer"],
    stage: stageAdded,
    run: saddCommand,
  },
  {
    name: "scard",
    group: "set",
    since: "1.0.0",
    summary: "Counts the members of a set.",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: KEY_RO,
    syntax: "key",
    replies: ["integer"],
    run: scardCommand,
  },
  {
    name: "sismember",
    group: "set",
    since: "1.0.0",
    summary: "Tells whether a member is in a set.",
    complexity: "O(1)",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: KEY_RO,
    syntax: "key member",
    replies: ["integer"],
    stage: looksFor(2),
    run: sismemberCommand,
  },
  {
    name: "smembers",
    group: "set",
    since: "1.0.0",
    summary: "Lists the members of a set.",
    complexity: "O(N)",
    arity: 2,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output_order"],
    syntax: "key",
    replies: ["set"],
    run: smembersCommand,
  },
  {
    name: "smismember",
    group: "set",
    since: "6.2.0",
    summary: "Tells which of several members are in a set.",
    complexity: "O(N)",
    arity: -3,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: "key member...",
    replies: ["array"],
    stage: looksFor(2),
    run: smismemberCommand,
  },
  {
    name: "smove",
    group: "set",
    since: "1.0.0",
    summary: "Moves a member from one set to another.",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "fast"],
    keys: [keyAt(1, "RW access delete"), keyAt(2, "RW insert")],
    syntax: "source:key destination:key member",
    replies: ["integer"],
    stage: stageMoved,
    run: smoveCommand,
  },
  {
    name: "srem",
    group: "set",
    since: "1.0.0",
    summary: "Removes members of a set.",
    complexity: "O(N)",
    arity: -3,
    flags: ["write", "fast"],
    keys: KEY_RW_DELETE,
    syntax: "key member...",
    replies: ["integer"],
    stage: looksFor(2),
    run: sremCommand,
  },
  {
    name: "sscan",
    group: "set",
    since: "2.8.0",
    summary: "Goes through a set piece by piece.",
    complexity: "O(1)",
    arity: -3,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output"],
    syntax: "key cursor:integer [MATCH pattern] [COUNT count:integer]",
    replies: ["array"],
    isHeavy: manyScanned,
    run: sscanCommand,
  },
];

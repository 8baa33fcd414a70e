/**
 * XPENDING: entries that were delivered and not acknowledged yet, and who has
 * them.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { SYNTAX_ERROR } from "../resp/error_reply.ts";
import { TYPE_STREAM } from "../types/entry.ts";
import { TreePlace } from "../types/id_tree.ts";
import { PendingEntry, type StreamGroups } from "../types/stream_group.ts";
import { StreamId } from "../types/stream_id.ts";
import { argumentIs, integerAt, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import { stagePending } from "./compared_groups.ts";
import {
  type CommandSpec,
  type HeavyTest,
  KEY_RO_ACCESS,
} from "./command_spec.ts";
import { readEnd, readStart } from "./stream_args.ts";
import { consumerOf, groupOf, groupToUse, readStream } from "./stream_entry.ts";
import { replyId, replyInt64 } from "./stream_reply.ts";

const IDLE = bytesOf("idle");

const ID = new StreamId();
const START = new StreamId();
const END = new StreamId();
const ENTRY = new PendingEntry();
const PLACE = new TreePlace();
const OWN_PLACE = new TreePlace();

/** The group that was found. */
const FOUND = { group: 0 };

/** `XPENDING key group [[IDLE min-idle-time] start end count [consumer]]` */
function xpendingCommand(call: Call): void {
  const { argc, reply } = call;
  if (argc === 3) {
    if (findGroup(call, readStream(call, 0))) replySummary(call);
    return;
  }
  if (argc < 6 || argc > 9) return reply.error(SYNTAX_ERROR);
  let from = 3;
  let minIdleMs = 0;
  if (argumentIs(call, 3, IDLE)) {
    minIdleMs = readInteger(call, 4);
    if (Number.isNaN(minIdleMs)) return;
    if (argc < 8) return reply.error(SYNTAX_ERROR);
    from = 5;
  }
  const count = readInteger(call, from + 2);
  if (Number.isNaN(count)) return;
  if (!readStart(call, from, START) || !readEnd(call, from + 1, END)) return;
  if (!findGroup(call, readStream(call, 0))) return;
  const space = call.keyspace(call.key(0));
  const { groups } = space.values.streams;
  if (from + 3 === argc) return replyPending(call, groups, count, minIdleMs);
  const consumer = consumerOf(call.args, space, FOUND.group, from + 3);
  if (consumer === 0) return reply.array(0);
  replyOwned(call, groups, consumer, count, minIdleMs);
}

/** To reply an entry, or a consumer, takes as long as to read so many elements. */
const ELEMENTS_PER_LINE = 10;

/**
 * Many entries may be looked at, all of a group's or as many as are asked for, or
 * many consumers are counted up.
 */
const manyPending: HeavyTest<Call> = (call) => {
  const { argc } = call;
  const linesMax = call.settings.backgroundThreshold / ELEMENTS_PER_LINE;
  const isSummary = argc === 3;
  if (!isSummary && argc < 6) return false;
  const isFiltered = isSummary || argumentIs(call, 3, IDLE);
  if (!isFiltered && !(integerAt(call, 5) > linesMax)) return false;
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.peek(call.db, key);
  if (ref === 0 || space.type(ref) !== TYPE_STREAM) return false;
  const group = groupOf(call, 0, ref, 2);
  if (group === 0) return false;
  const { groups } = space.values.streams;
  const lines = isSummary
    ? groups.consumerCount(group)
    : groups.pendingCount(group);
  return lines > linesMax;
};

/** Finds the group of argument 2; false after an error reply. */
function findGroup(call: Call, ref: number): boolean {
  FOUND.group = groupToUse(call, ref);
  return FOUND.group !== 0;
}

function replySummary(call: Call): void {
  const { reply } = call;
  const { groups } = call.keyspace(call.key(0)).values.streams;
  const { group } = FOUND;
  const pending = groups.pendingCount(group);
  reply.array(4);
  reply.integer(pending);
  if (pending === 0) {
    reply.nullBulk();
    reply.nullBulk();
    return reply.nullArray();
  }
  START.setLeast();
  groups.firstPending(group, START, PLACE);
  groups.readPending(PLACE, ENTRY);
  replyId(reply, ENTRY.id);
  groups.lastPending(group, PLACE);
  groups.readPending(PLACE, ENTRY);
  replyId(reply, ENTRY.id);
  const consumers = groups.consumerCount(group);
  const head = reply.at;
  reply.array(consumers);
  let written = 0;
  for (let i = 0; i < consumers; i++) {
    const consumer = groups.consumerAt(group, i);
    const owned = groups.ownedCount(consumer);
    if (owned === 0) continue;
    reply.array(2);
    replyName(call, groups, consumer);
    reply.bulkInteger(owned);
    written++;
  }
  reply.recount(head, written);
}

function replyName(
  { reply }: Call,
  { consumerNames }: StreamGroups,
  consumer: number,
): void {
  reply.bulk(
    consumerNames.nameBuf(consumer),
    consumerNames.nameOff(consumer),
    consumerNames.nameLength(consumer),
  );
}

/** Replies what is pending in the group from {@linkcode START} on. */
function replyPending(
  call: Call,
  groups: StreamGroups,
  count: number,
  minIdleMs: number,
): void {
  const { reply } = call;
  const head = reply.at;
  reply.array(Math.max(0, Math.min(count, groups.pendingCount(FOUND.group))));
  let written = 0;
  let isThere = groups.firstPending(FOUND.group, START, PLACE);
  for (; isThere && written < count; isThere = groups.nextPending(PLACE)) {
    groups.readPending(PLACE, ENTRY);
    if (ENTRY.id.compare(END) > 0) break;
    if (replyIfIdle(call, groups, minIdleMs)) written++;
  }
  reply.recount(head, written);
}

/** The same of a consumer. */
function replyOwned(
  call: Call,
  groups: StreamGroups,
  consumer: number,
  count: number,
  minIdleMs: number,
): void {
  const { reply } = call;
  const head = reply.at;
  reply.array(Math.max(0, Math.min(count, groups.ownedCount(consumer))));
  let written = 0;
  let isThere = groups.firstOwned(consumer, START, OWN_PLACE);
  for (; isThere && written < count; isThere = groups.nextOwned(OWN_PLACE)) {
    groups.readOwned(OWN_PLACE, ID);
    if (ID.compare(END) > 0) break;
    groups.findPending(FOUND.group, ID, PLACE);
    groups.readPending(PLACE, ENTRY);
    if (replyIfIdle(call, groups, minIdleMs)) written++;
  }
  reply.recount(head, written);
}

function replyIfIdle(
  call: Call,
  groups: StreamGroups,
  minIdleMs: number,
): boolean {
  const { reply, nowMs } = call;
  const idleMs = nowMs - ENTRY.deliveredAtMs;
  if (minIdleMs !== 0 && idleMs < minIdleMs) return false;
  reply.array(4);
  replyId(reply, ENTRY.id);
  replyName(call, groups, ENTRY.consumer);
  reply.integer(Math.max(0, idleMs));
  replyInt64(reply, ENTRY.deliveriesHi, ENTRY.deliveriesLo);
  return true;
}

/** Rows of these commands. */
export const STREAM_PENDING_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "xpending",
    group: "stream",
    since: "5.0.0",
    summary: "Tells what a group has pending, and with whom.",
    complexity: "O(N)",
    arity: -3,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output"],
    syntax: "key group [filters:([IDLE min-idle-time:integer@6.2.0] start " +
      "end count:integer [consumer])]",
    replies: ["array"],
    isHeavy: manyPending,
    stage: stagePending,
    run: xpendingCommand,
  },
];

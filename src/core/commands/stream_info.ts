/**
 * XINFO: what a stream, its groups and their consumers are.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { Int64 } from "../base/int64.ts";
import {
  NO_SUCH_KEY,
  noSuchGroup,
  subcommandSyntax,
} from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { TYPE_STREAM } from "../types/entry.ts";
import { TreePlace } from "../types/id_tree.ts";
import { RadixShape } from "../types/radix_shape.ts";
import { PendingEntry, type StreamGroups } from "../types/stream_group.ts";
import { StreamId } from "../types/stream_id.ts";
import { lagOf } from "../types/stream_lag.ts";
import type { StreamNames } from "../types/stream_names.ts";
import { StreamCounters, type StreamValue } from "../types/stream_value.ts";
import { argumentIs, integerAt, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import { groupNames } from "./compared_groups.ts";
import { type CommandSpec, type HeavyTest, keyAt } from "./command_spec.ts";
import { elementsOf } from "./heavy_work.ts";
import { groupOf, readStream, streamsOf } from "./stream_entry.ts";
import { replyEntry, replyId, replyInt64, replyRange } from "./stream_reply.ts";
import { WRONG } from "./typed_entry.ts";

const FULL = bytesOf("full");
const COUNT = bytesOf("count");
const COUNT_DEFAULT = 10;

const ID = new StreamId();
const GREATEST = new StreamId();
GREATEST.setGreatest();
const LEAST = new StreamId();
const COUNTERS = new StreamCounters();
const READ = new Int64();
const LAG = new Int64();
const ENTRY = new PendingEntry();
const PLACE = new TreePlace();
const OWN_PLACE = new TreePlace();

const HELP = [
  "XINFO <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "CONSUMERS <key> <groupname>",
  "    Show consumers of <groupname>.",
  "GROUPS <key>",
  "    Show the stream consumer groups.",
  "STREAM <key> [FULL [COUNT <count>]",
  "    Show information about the stream.",
  "HELP",
  "    Prints this help.",
];

/** The stream of the key; 0 after an error reply. */
function findStream(call: Call): number {
  const ref = readStream(call, 0);
  if (ref === WRONG) return 0;
  if (ref === 0) call.reply.error(NO_SUCH_KEY);
  return ref;
}

/** `XINFO CONSUMERS key group` */
function xinfoConsumersCommand(call: Call): void {
  const { args, reply, nowMs } = call;
  const ref = findStream(call);
  if (ref === 0) return;
  const group = groupOf(call, 0, ref, 3);
  if (group === 0) {
    return reply.error(noSuchGroup(args.view(2), args.view(3)));
  }
  const { groups } = streamsOf(call, 0);
  const count = groups.consumerCount(group);
  reply.array(count);
  for (let i = 0; i < count; i++) {
    const consumer = groups.consumerAt(group, i);
    const activeAt = groups.activeAt(consumer);
    reply.map(4);
    replyName(reply, groups.consumerNames, consumer);
    field(reply, "pending").integer(groups.ownedCount(consumer));
    field(reply, "idle").integer(Math.max(0, nowMs - groups.seenAt(consumer)));
    field(reply, "inactive").integer(activeAt < 0 ? -1 : nowMs - activeAt);
  }
}

/** `XINFO GROUPS key` */
function xinfoGroupsCommand(call: Call): void {
  const { reply } = call;
  const ref = findStream(call);
  if (ref === 0) return;
  const streams = streamsOf(call, 0);
  const { groups } = streams;
  streams.readCounters(ref, COUNTERS);
  const count = streams.groupCount(ref);
  reply.array(count);
  for (let i = 0; i < count; i++) {
    const group = streams.groupAt(ref, i);
    reply.map(6);
    replyName(reply, groups.names, group);
    field(reply, "consumers").integer(groups.consumerCount(group));
    field(reply, "pending").integer(groups.pendingCount(group));
    replyProgress(reply, groups, group);
  }
}

/** `XINFO STREAM key [FULL [COUNT count]]` */
function xinfoStreamCommand(call: Call): void {
  const { args, argc, reply } = call;
  const ref = findStream(call);
  if (ref === 0) return;
  let count = COUNT_DEFAULT;
  if (argc > 3) {
    const isFull = (argc === 4 || argc === 6) && argumentIs(call, 3, FULL) &&
      (argc === 4 || argumentIs(call, 4, COUNT));
    if (!isFull) return reply.error(subcommandSyntax("xinfo", args.copy(1)));
    if (argc === 6) {
      count = readInteger(call, 5);
      if (Number.isNaN(count)) return;
      if (count < 0) count = COUNT_DEFAULT;
    }
  }
  const streams = streamsOf(call, 0);
  reply.map(argc > 3 ? 9 : 10);
  replyCounters(reply, streams, ref);
  if (argc > 3) replyAll(call, streams, ref, count);
  else replyEnds(reply, streams, ref);
}

/** A group, a consumer or what is pending takes as long as so many elements. */
const ELEMENTS_PER_LINE = 16;

/** To show an entry takes as long as so many that are only read. */
const ELEMENTS_PER_SHOWN = 5;

/** To count a node takes as long as so many elements. */
const ELEMENTS_PER_NODE = 2;
/** An entry of more fields is long. */
const FIELDS_MAX = 4096;

/** The stream of the key if it has one, else 0; replies nothing. */
function peekStream(call: Call): number {
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.peek(call.db, key);
  return ref !== 0 && space.type(ref) === TYPE_STREAM ? ref : 0;
}

/** The stream has many groups. */
const manyGroups: HeavyTest<Call> = (call) => {
  const ref = peekStream(call);
  return ref !== 0 && streamsOf(call, 0).groupCount(ref) * ELEMENTS_PER_LINE >
      call.settings.backgroundThreshold;
};

/** The group has many consumers. */
const manyConsumers: HeavyTest<Call> = (call) => {
  const ref = peekStream(call);
  const group = ref === 0 ? 0 : groupOf(call, 0, ref, 3);
  const { groups } = streamsOf(call, 0);
  return group !== 0 && groups.consumerCount(group) * ELEMENTS_PER_LINE >
      call.settings.backgroundThreshold;
};

/** Whether an entry that is shown by itself is long. */
function hasLongEnd({ cursor }: StreamValue, ref: number): boolean {
  cursor.seek(ref, LEAST);
  if (cursor.next() && cursor.entry.fieldCount > FIELDS_MAX) return true;
  cursor.seekBehind(ref, GREATEST);
  return cursor.previous() && cursor.entry.fieldCount > FIELDS_MAX;
}

/**
 * Many entries, groups or consumers of a stream are asked for, or long ones, or it
 * has many nodes, all of which are counted.
 */
const manyShown: HeavyTest<Call> = (call) => {
  const { argc, settings: { backgroundThreshold } } = call;
  const ref = peekStream(call);
  if (ref === 0) return false;
  const streams = streamsOf(call, 0);
  const nodes = streams.log.nodeCount(ref);
  if (nodes * ELEMENTS_PER_NODE > backgroundThreshold) return true;
  if (hasLongEnd(streams, ref)) return true;
  if (argc < 4 || !argumentIs(call, 3, FULL)) return false;
  const count = argc === 6 ? integerAt(call, 5) : COUNT_DEFAULT;
  const entriesMax = backgroundThreshold / ELEMENTS_PER_SHOWN;
  if (count === 0 || count > entriesMax) {
    return elementsOf(call, 0) > entriesMax;
  }
  const most = count < 0 ? COUNT_DEFAULT : count;
  const linesMax = backgroundThreshold / ELEMENTS_PER_LINE;
  let lines = 0;
  for (let i = streams.groupCount(ref) - 1; i >= 0 && lines <= linesMax; i--) {
    lines += linesOf(streams.groups, streams.groupAt(ref, i), most);
  }
  return lines > linesMax;
};

/** What is shown of a group: no more than this. */
function linesOf(groups: StreamGroups, group: number, count: number): number {
  const pending = groups.pendingCount(group);
  const consumers = groups.consumerCount(group);
  return 1 + Math.min(count, pending) + consumers +
    Math.min(count * consumers, pending);
}

/** `XINFO HELP` */
function xinfoHelpCommand({ reply }: Call): void {
  reply.array(HELP.length);
  for (const line of HELP) reply.simple(line);
}

/** The name of a field of a map; what is written next is its value. */
function field(reply: ReplyWriter, name: string): ReplyWriter {
  reply.bulkText(name);
  return reply;
}

function replyName(reply: ReplyWriter, names: StreamNames, ref: number): void {
  field(reply, "name").bulk(
    names.nameBuf(ref),
    names.nameOff(ref),
    names.nameLength(ref),
  );
}

function replyCounters(
  reply: ReplyWriter,
  streams: StreamValue,
  ref: number,
): void {
  streams.readCounters(ref, COUNTERS);
  const shape = new RadixShape();
  streams.log.visitNodes(ref, (first) => shape.add(first));
  field(reply, "length").integer(COUNTERS.length);
  field(reply, "radix-tree-keys").integer(streams.log.nodeCount(ref));
  field(reply, "radix-tree-nodes").integer(shape.count());
  replyId(field(reply, "last-generated-id"), COUNTERS.lastId);
  replyId(field(reply, "max-deleted-entry-id"), COUNTERS.deletedId);
  const { entriesAdded } = COUNTERS;
  replyInt64(field(reply, "entries-added"), entriesAdded.hi, entriesAdded.lo);
  replyId(field(reply, "recorded-first-entry-id"), COUNTERS.firstId);
}

/** Number of groups, first and last entry. */
function replyEnds(
  reply: ReplyWriter,
  streams: StreamValue,
  ref: number,
): void {
  const { cursor } = streams;
  field(reply, "groups").integer(streams.groupCount(ref));
  reply.bulkText("first-entry");
  cursor.seek(ref, LEAST);
  if (cursor.next()) replyEntry(reply, cursor.entry);
  else reply.nullBulk();
  reply.bulkText("last-entry");
  cursor.seekBehind(ref, GREATEST);
  if (cursor.previous()) replyEntry(reply, cursor.entry);
  else reply.nullBulk();
}

/** The first entries, and the groups with what is pending. */
function replyAll(
  call: Call,
  streams: StreamValue,
  ref: number,
  count: number,
): void {
  const { reply } = call;
  const { groups } = streams;
  reply.bulkText("entries");
  const space = call.keyspace(call.key(0));
  replyRange(call, space, ref, LEAST, GREATEST, count, false, Infinity);
  const groupCount = streams.groupCount(ref);
  field(reply, "groups").array(groupCount);
  for (let i = 0; i < groupCount; i++) {
    const group = streams.groupAt(ref, i);
    reply.map(7);
    replyName(reply, groups.names, group);
    replyProgress(reply, groups, group);
    const pending = groups.pendingCount(group);
    field(reply, "pel-count").integer(pending);
    reply.bulkText("pending");
    replyPending(reply, groups, group, count);
    const consumerCount = groups.consumerCount(group);
    field(reply, "consumers").array(consumerCount);
    for (let j = 0; j < consumerCount; j++) {
      const consumer = groups.consumerAt(group, j);
      reply.map(5);
      replyName(reply, groups.consumerNames, consumer);
      field(reply, "seen-time").integer(groups.seenAt(consumer));
      field(reply, "active-time").integer(groups.activeAt(consumer));
      field(reply, "pel-count").integer(groups.ownedCount(consumer));
      reply.bulkText("pending");
      replyOwned(reply, groups, group, consumer, count);
    }
  }
}

/** How far a group has got. */
function replyProgress(
  reply: ReplyWriter,
  groups: StreamGroups,
  group: number,
): void {
  groups.readLastId(group, ID);
  groups.readEntriesRead(group, READ);
  replyId(field(reply, "last-delivered-id"), ID);
  reply.bulkText("entries-read");
  if ((READ.hi & READ.lo) === -1) reply.nullBulk();
  else replyInt64(reply, READ.hi, READ.lo);
  reply.bulkText("lag");
  if (lagOf(COUNTERS, ID, READ, LAG)) replyInt64(reply, LAG.hi, LAG.lo);
  else reply.nullBulk();
}

function replyPending(
  reply: ReplyWriter,
  groups: StreamGroups,
  group: number,
  count: number,
): void {
  const all = groups.pendingCount(group);
  const most = count === 0 ? all : Math.min(count, all);
  reply.array(most);
  groups.firstPending(group, LEAST, PLACE);
  for (let i = 0; i < most; i++) {
    groups.readPending(PLACE, ENTRY);
    const { consumer } = ENTRY;
    const { consumerNames } = groups;
    reply.array(4);
    replyId(reply, ENTRY.id);
    reply.bulk(
      consumerNames.nameBuf(consumer),
      consumerNames.nameOff(consumer),
      consumerNames.nameLength(consumer),
    );
    replyDelivery(reply);
    groups.nextPending(PLACE);
  }
}

function replyOwned(
  reply: ReplyWriter,
  groups: StreamGroups,
  group: number,
  consumer: number,
  count: number,
): void {
  const all = groups.ownedCount(consumer);
  const most = count === 0 ? all : Math.min(count, all);
  reply.array(most);
  groups.firstOwned(consumer, LEAST, OWN_PLACE);
  for (let i = 0; i < most; i++) {
    groups.readOwned(OWN_PLACE, ID);
    groups.findPending(group, ID, PLACE);
    groups.readPending(PLACE, ENTRY);
    reply.array(3);
    replyId(reply, ID);
    replyDelivery(reply);
    groups.nextOwned(OWN_PLACE);
  }
}

/** When and how often {@linkcode ENTRY} was delivered. */
function replyDelivery(reply: ReplyWriter): void {
  reply.integer(ENTRY.deliveredAtMs);
  replyInt64(reply, ENTRY.deliveriesHi, ENTRY.deliveriesLo);
}

/** Row of XINFO. */
export const STREAM_INFO_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "xinfo",
    group: "stream",
    since: "5.0.0",
    summary: "Commands that tell about streams.",
    arity: -2,
    subcommands: [
      {
        name: "consumers",
        since: "5.0.0",
        summary: "Lists the consumers of a group.",
        complexity: "O(1)",
        arity: 4,
        flags: ["readonly"],
        keys: [keyAt(2, "RO access")],
        tips: ["nondeterministic_output"],
        syntax: "key group",
        replies: ["array"],
        isHeavy: manyConsumers,
        stage: groupNames({ key: 2, group: 3 }),
        run: xinfoConsumersCommand,
      },
      {
        name: "groups",
        since: "5.0.0",
        summary: "Lists the consumer groups of a stream.",
        complexity: "O(1)",
        arity: 3,
        flags: ["readonly"],
        keys: [keyAt(2, "RO access")],
        syntax: "key",
        replies: ["array"],
        isHeavy: manyGroups,
        run: xinfoGroupsCommand,
      },
      {
        name: "help",
        since: "5.0.0",
        summary: "Lists the XINFO subcommands.",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        replies: ["array"],
        run: xinfoHelpCommand,
      },
      {
        name: "stream",
        since: "5.0.0",
        summary: "Tells about a stream, its entries and groups.",
        complexity: "O(1)",
        arity: -3,
        flags: ["readonly"],
        keys: [keyAt(2, "RO access")],
        syntax: "key [full-block:(full=FULL [COUNT count:integer])]",
        replies: ["map"],
        isHeavy: manyShown,
        run: xinfoStreamCommand,
      },
    ],
  },
];

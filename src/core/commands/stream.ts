/**
 * Stream commands, but for those of reading (stream_read.ts), of groups
 * (stream_group.ts, stream_pending.ts) and about streams (stream_info.ts).
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { Int64, parseInt64 } from "../base/int64.ts";
import { XADD, XDEL, XSETID, XTRIM } from "../keyspace/key_events.ts";
import {
  ENTRIESADDED_NEGATIVE,
  NO_SUCH_KEY,
  NOT_AN_INTEGER,
  STREAM_ENTRY_TOO_LARGE,
  STREAM_EXHAUSTED,
  SYNTAX_ERROR,
  wrongNumberOfArguments,
  XADD_ID_TOO_SMALL,
  XADD_ID_ZERO,
  XSETID_BELOW_DELETED,
  XSETID_BELOW_GIVEN_DELETED,
  XSETID_BELOW_LENGTH,
  XSETID_BELOW_TOP,
} from "../resp/error_reply.ts";
import { TYPE_STREAM } from "../types/entry.ts";
import { StreamId } from "../types/stream_id.ts";
import { NODE_BYTES_MAX } from "../types/stream_node.ts";
import { StreamCounters } from "../types/stream_value.ts";
import { argumentIs, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  KEY_RO,
  KEY_RO_ACCESS,
  KEY_RW_DELETE,
  KEY_RW_UPDATE,
  type LateReply,
} from "./command_spec.ts";
import { quietly } from "./heavy_work.ts";
import { makeChange } from "./sliced_change.ts";
import { StagedNodes } from "./staged_nodes.ts";
import {
  SLICE_LEAVES,
  SLICED_IDS_MIN,
  StreamDeletion,
  StreamTrimming,
} from "./stream_slices.ts";
import { RECORDED } from "./recorded.ts";
import { IdList, readEnd, readId, readStart } from "./stream_args.ts";
import { readStream, streamsOf, writeStream } from "./stream_entry.ts";
import { StreamOptions, trimStream } from "./stream_options.ts";
import { recordTrimmed } from "./stream_recorded.ts";
import { replyId, replyRange } from "./stream_reply.ts";
import { WRONG } from "./typed_entry.ts";

const COUNT = bytesOf("count");
const ENTRIESADDED = bytesOf("entriesadded");
const MAXDELETEDID = bytesOf("maxdeletedid");

// A change in slices takes them over, and the next command has others.
let OPTIONS = new StreamOptions();
const IDS = new IdList();
const ID = new StreamId();
const START = new StreamId();
const END = new StreamId();
const COUNTERS = new StreamCounters();
const NUMBER = new Int64();

/**
 * `XADD key [NOMKSTREAM] [MAXLEN|MINID [=|~] threshold [LIMIT count]] *|id
 * field value [field value ...]`
 */
function xaddCommand(call: Call): void | Promise<LateReply> {
  const { args, argc, reply, nowMs } = call;
  if (!OPTIONS.read(call, true)) return;
  const from = OPTIONS.idAt + 1;
  if (argc - from < 2 || (argc - from) % 2 === 1) {
    return reply.error(wrongNumberOfArguments("xadd"));
  }
  if (OPTIONS.hasSequence && OPTIONS.id.isLeast()) {
    return reply.error(XADD_ID_ZERO);
  }
  let ref = writeStream(call, 0);
  if (ref === WRONG) return;
  if (ref === 0 && OPTIONS.isWithoutMaking) return reply.nullBulk();
  const key = call.key(0);
  const space = call.keyspace(key);
  const { streams } = space.values;
  if (ref === 0) ID.setLeast();
  else streams.readLastId(ref, ID);
  if (ID.isGreatest()) return reply.error(STREAM_EXHAUSTED);
  if (!chooseId(nowMs)) return reply.error(XADD_ID_TOO_SMALL);
  const { staged } = call;
  const bytes = staged === null ? bytesFrom(call, from) : staged.entryBytes;
  if (bytes > NODE_BYTES_MAX) return reply.error(STREAM_ENTRY_TOO_LARGE);
  if (ref === 0) ref = space.create(call.db, key, TYPE_STREAM);
  const fieldCount = (argc - from) >> 1;
  const run = staged !== null && streams.log.beginsNode(ref, bytes, fieldCount)
    ? staged.take(from)
    : 0;
  streams.log.add(ref, ID, args, from, fieldCount, bytes, run);
  const removed = OPTIONS.hasTrim
    ? trimStream(space, ref, OPTIONS.trim, SLICE_LEAVES)
    : 0;
  if (removed > 0 && streams.log.isTrimLeft) {
    return trimLater(call, ref, removed, ID);
  }
  replyId(reply, ID);
  space.hooks.changed(call.db, key, XADD);
  if (removed > 0) space.hooks.signal(call.db, key, XTRIM);
  if (!OPTIONS.hasSequence || OPTIONS.hasTrim && OPTIONS.trim.isApproximate) {
    recordTrim(call, RECORDED.XADD, ref, OPTIONS.hasSequence ? null : ID);
  }
}

/** An entry of more arguments is made a node before the latch is taken. */
const STAGED_ARGUMENTS_MIN = 4096;

/** The node of XADD, if it is going to be one. */
function stageEntry(call: Call): void {
  const { args, argc } = call;
  if (!quietly(call, () => OPTIONS.read(call, true))) return;
  const from = OPTIONS.idAt + 1;
  if (argc - from < 2 || (argc - from) % 2 === 1) return;
  const bytes = bytesFrom(call, from);
  if (bytes > NODE_BYTES_MAX) return;
  call.staged = new StagedNodes(call.keyspaces[0]!.externals);
  call.staged.addEntry(args, from, bytes);
}

/** Bytes of the arguments from one on. */
function bytesFrom({ args, argc }: Call, from: number): number {
  let bytes = 0;
  for (let i = from; i < argc; i++) bytes += args.length[i]!;
  return bytes;
}

function trimLater(
  call: Call,
  ref: number,
  removed: number,
  added: StreamId | null,
): void | Promise<LateReply> {
  const options = OPTIONS;
  OPTIONS = new StreamOptions();
  const prepared = call.effects.takePrepared(call.args);
  const trimming = new StreamTrimming(options, removed, added, prepared);
  return makeChange(call, ref, trimming);
}

/** Records what was added, or trimmed, in the place of the command. */
function recordTrim(
  call: Call,
  name: Uint8Array,
  ref: number,
  newId: StreamId | null,
): void {
  if (!call.effects.isOn) return;
  streamsOf(call, 0).readCounters(ref, COUNTERS);
  recordTrimmed(call, OPTIONS, name, newId, COUNTERS);
}

/**
 * Makes {@linkcode ID}, the last one of the stream, that of the new entry;
 * false if it would not be greater.
 */
function chooseId(nowMs: number): boolean {
  const { id } = OPTIONS;
  if (!OPTIONS.hasId) {
    START.setTime(nowMs);
    if (START.msHigh !== ID.msHigh || START.msLow !== ID.msLow) {
      if (START.compare(ID) > 0) {
        ID.set(START);
        return true;
      }
    }
    return ID.increment();
  }
  if (
    !OPTIONS.hasSequence && id.msHigh === ID.msHigh && id.msLow === ID.msLow
  ) return ID.incrementSequence();
  if (id.compare(ID) <= 0) return false;
  ID.set(id);
  return true;
}

/** `XLEN key` */
function xlenCommand(call: Call): void {
  const ref = readStream(call, 0);
  if (ref === WRONG) return;
  call.reply.integer(ref === 0 ? 0 : streamsOf(call, 0).length(ref));
}

/** `XRANGE key start end [COUNT count]` */
function xrangeCommand(call: Call): void {
  replyBetween(call, 2, 3, false);
}

/** `XREVRANGE key end start [COUNT count]` */
function xrevrangeCommand(call: Call): void {
  replyBetween(call, 3, 2, true);
}

function replyBetween(
  call: Call,
  startAt: number,
  endAt: number,
  isReverse: boolean,
): void {
  const { argc, reply } = call;
  if (!readStart(call, startAt, START) || !readEnd(call, endAt, END)) return;
  let count = Infinity;
  for (let i = 4; i < argc; i += 2) {
    if (i + 1 === argc || !argumentIs(call, i, COUNT)) {
      return reply.error(SYNTAX_ERROR);
    }
    count = readInteger(call, i + 1);
    if (Number.isNaN(count)) return;
  }
  const ref = readStream(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return reply.array(0);
  if (count <= 0) return reply.nullArray();
  const space = call.keyspace(call.key(0));
  replyRange(call, space, ref, START, END, count, isReverse);
}

/** `XDEL key id [id ...]` */
function xdelCommand(call: Call): void | Promise<LateReply> {
  const { argc, reply } = call;
  const ref = writeStream(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return reply.integer(0);
  if (argc - 2 > SLICED_IDS_MIN) {
    return makeChange(call, ref, new StreamDeletion(call));
  }
  if (!IDS.readArguments(call, 2, argc, ID)) return;
  const space = call.keyspace(call.key(0));
  const { log } = space.values.streams;
  let deleted = 0;
  for (let i = 0; i < IDS.count; i++) {
    IDS.read(i, ID);
    if (log.delete(ref, ID)) deleted++;
  }
  if (deleted > 0) space.hooks.changed(call.db, call.key(0), XDEL, deleted);
  reply.integer(deleted);
}

/** `XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT count]` */
function xtrimCommand(call: Call): void | Promise<LateReply> {
  if (!OPTIONS.read(call, false)) return;
  const ref = writeStream(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return call.reply.integer(0);
  const space = call.keyspace(call.key(0));
  const removed = trimStream(space, ref, OPTIONS.trim, SLICE_LEAVES);
  if (space.values.streams.log.isTrimLeft) {
    return trimLater(call, ref, removed, null);
  }
  if (removed > 0) {
    space.hooks.changed(call.db, call.key(0), XTRIM, removed);
    if (OPTIONS.trim.isApproximate) recordTrim(call, RECORDED.XTRIM, ref, null);
  }
  call.reply.integer(removed);
}

/** `XSETID key id [ENTRIESADDED count] [MAXDELETEDID id]` */
function xsetidCommand(call: Call): void {
  const { args, argc, reply } = call;
  if (!readId(call, 2, ID)) return;
  START.setLeast();
  let hasAdded = false;
  for (let i = 3; i < argc; i += 2) {
    const hasMore = i + 1 < argc;
    if (hasMore && argumentIs(call, i, ENTRIESADDED)) {
      const off = args.off[i + 1]!;
      if (!parseInt64(args.source(i + 1), off, args.length[i + 1]!, NUMBER)) {
        return reply.error(NOT_AN_INTEGER);
      }
      // Minus one is as if it had not been given.
      if (NUMBER.hi < 0) return reply.error(ENTRIESADDED_NEGATIVE);
      hasAdded = true;
    } else if (hasMore && argumentIs(call, i, MAXDELETEDID)) {
      if (!readId(call, i + 1, START)) return;
      if (ID.compare(START) < 0) {
        return reply.error(XSETID_BELOW_GIVEN_DELETED);
      }
    } else return reply.error(SYNTAX_ERROR);
  }
  const ref = writeStream(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return reply.error(NO_SUCH_KEY);
  const space = call.keyspace(call.key(0));
  const { streams } = space.values;
  streams.readCounters(ref, COUNTERS);
  if (ID.compare(COUNTERS.deletedId) < 0) {
    return reply.error(XSETID_BELOW_DELETED);
  }
  if (streams.log.readLastEntry(ref, END)) {
    if (ID.compare(END) < 0) return reply.error(XSETID_BELOW_TOP);
    if (hasAdded && NUMBER.hi === 0 && COUNTERS.length > NUMBER.lo >>> 0) {
      return reply.error(XSETID_BELOW_LENGTH);
    }
  }
  COUNTERS.lastId.set(ID);
  if (hasAdded) {
    COUNTERS.entriesAdded.hi = NUMBER.hi;
    COUNTERS.entriesAdded.lo = NUMBER.lo;
  }
  if (!START.isLeast()) COUNTERS.deletedId.set(START);
  streams.setCounters(ref, COUNTERS);
  space.hooks.changed(call.db, call.key(0), XSETID);
  reply.ok();
}

/** Rows of these commands. */
export const STREAM_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "xadd",
    group: "stream",
    since: "5.0.0",
    summary: "Adds an entry to a stream, which is made if need be.",
    complexity: "O(1)",
    arity: -5,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_UPDATE,
    tips: ["nondeterministic_output"],
    syntax: "key [NOMKSTREAM@6.2.0] [trim:(strategy:(MAXLEN|MINID@6.2.0) " +
      "[operator:(equal==|approximately=~)] threshold " +
      "[LIMIT count:integer@6.2.0])] id-selector:(auto-id=*|id) " +
      "data:(field value)...",
    replies: ["string", "null"],
    stage: stageEntry,
    argumentsMax: STAGED_ARGUMENTS_MIN,
    run: xaddCommand,
  },
  {
    name: "xdel",
    group: "stream",
    since: "5.0.0",
    summary: "Deletes entries of a stream.",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "fast"],
    keys: KEY_RW_DELETE,
    syntax: "key id...",
    replies: ["integer"],
    run: xdelCommand,
  },
  {
    name: "xlen",
    group: "stream",
    since: "5.0.0",
    summary: "Counts the entries of a stream.",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: KEY_RO,
    syntax: "key",
    replies: ["integer"],
    run: xlenCommand,
  },
  {
    name: "xrange",
    group: "stream",
    since: "5.0.0",
    summary: "Reads the entries of a stream from one ID to another.",
    complexity: "O(N)",
    arity: -4,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key start end [COUNT count:integer]",
    replies: ["array", "null"],
    run: xrangeCommand,
  },
  {
    name: "xrevrange",
    group: "stream",
    since: "5.0.0",
    summary: "Reads the entries of a stream from one ID back to another.",
    complexity: "O(N)",
    arity: -4,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key end start [COUNT count:integer]",
    replies: ["array", "null"],
    run: xrevrangeCommand,
  },
  {
    name: "xsetid",
    group: "stream",
    since: "5.0.0",
    summary: "Sets the last ID of a stream.",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_UPDATE,
    syntax: "key last-id [ENTRIESADDED entries-added:integer@7.0.0] " +
      "[MAXDELETEDID max-deleted-id@7.0.0]",
    replies: ["status"],
    run: xsetidCommand,
  },
  {
    name: "xtrim",
    group: "stream",
    since: "5.0.0",
    summary: "Removes the oldest entries of a stream.",
    complexity: "O(N)",
    arity: -4,
    flags: ["write"],
    keys: KEY_RW_DELETE,
    tips: ["nondeterministic_output"],
    syntax: "key trim:(strategy:(MAXLEN|MINID@6.2.0) " +
      "[operator:(equal==|approximately=~)] threshold " +
      "[LIMIT count:integer@6.2.0])",
    replies: ["integer"],
    run: xtrimCommand,
  },
];

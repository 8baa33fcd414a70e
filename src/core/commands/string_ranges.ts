/**
 * Commands on parts of strings: read or overwrite a range, append, measure.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import { APPEND, SETRANGE } from "../keyspace/key_events.ts";
import { STRING_RAW, TYPE_STRING } from "../types/entry.ts";
import {
  OFFSET_OUT_OF_RANGE,
  STRING_TOO_LONG,
  WRONG_TYPE,
} from "../resp/error_reply.ts";
import { bigIntegerAt, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  KEY_RO,
  KEY_RO_ACCESS,
  KEY_RW_INSERT,
  KEY_RW_UPDATE,
  type LateReply,
} from "./command_spec.ts";
import { takenRecord } from "./given_record.ts";
import { makeChange } from "./sliced_change.ts";
import { growsLong, type GrowthEnd, StringGrowth } from "./string_growth.ts";
import { replyRange, storeArgument } from "./string_value.ts";

const NOTHING = new Uint8Array(0);

/** `STRLEN key` */
function strlenCommand(call: Call): void {
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupRead(call.db, key, call.nowMs);
  if (ref === 0) return call.reply.integer(0);
  if (space.type(ref) !== TYPE_STRING) return call.reply.error(WRONG_TYPE);
  call.reply.integer(space.strings.length(ref));
}

/**
 * `GETRANGE key start end`: both ends belong to the range; negative ones count
 * from the string's end, and before its start is its first byte, even for
 * `end`.
 */
function getrangeCommand(call: Call): void {
  let from = readInteger(call, 2);
  if (Number.isNaN(from)) return;
  let last = readInteger(call, 3);
  if (Number.isNaN(last)) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupRead(call.db, key, call.nowMs);
  if (ref === 0) return call.reply.bulk(NOTHING, 0, 0);
  if (space.type(ref) !== TYPE_STRING) return call.reply.error(WRONG_TYPE);

  const length = space.strings.length(ref);
  if (from < 0 && last < 0 && isReversed(call, from, last)) {
    return call.reply.bulk(NOTHING, 0, 0);
  }
  if (from < 0) from = Math.max(0, length + from);
  if (last < 0) last = Math.max(0, length + last);
  if (last >= length) last = length - 1;
  if (from > last) return call.reply.bulk(NOTHING, 0, 0);
  replyRange(call.reply, space, ref, from, last - from + 1);
}

/** Whether argument 2 is more than argument 3; both are given as doubles too. */
export function isReversed(call: Call, from: number, last: number): boolean {
  if (from !== last || Number.isSafeInteger(from)) return from > last;
  return bigIntegerAt(call, 2)! > bigIntegerAt(call, 3)!;
}

/** `APPEND key value` */
function appendCommand(call: Call): void | Promise<LateReply> {
  const { args, db, reply } = call;
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupWrite(db, key, call.nowMs);
  const added = args.length[2]!;
  if (ref === 0) {
    storeArgument(call, space, key, 0, 2, 0);
    space.hooks.changed(db, key, APPEND);
    return reply.integer(added);
  }
  if (space.type(ref) !== TYPE_STRING) return reply.error(WRONG_TYPE);
  const end = space.strings.length(ref);
  const length = end + added;
  if (length > call.settings.protoMaxBulkLen) {
    return reply.error(STRING_TOO_LONG);
  }
  if (growsLong(space, ref, end, length, added)) {
    const growth = {
      ...{ had: end, length, clearTo: 0 },
      ...{ argument: 2, argumentAt: end },
    };
    const record = takenRecord(call);
    return makeChange(call, ref, new StringGrowth(growth, endAppend, record));
  }
  const entry = space.strings.resize(db, ref, length, STRING_RAW);
  copyBytes(
    args.source(2),
    args.off[2]!,
    space.strings.bytes(entry),
    space.strings.off(entry) + end,
    added,
  );
  space.hooks.changed(db, key, APPEND);
  reply.integer(length);
}

const endAppend: GrowthEnd = (space, db, key, ref) => {
  space.hooks.changed(db, key, APPEND);
  return integerReply(space.strings.length(ref));
};

const endSetrange: GrowthEnd = (space, db, key, ref) => {
  space.hooks.changed(db, key, SETRANGE);
  return integerReply(space.strings.length(ref));
};

function integerReply(n: number): LateReply {
  return (reply) => reply.integer(n);
}

/**
 * `SETRANGE key offset value`: pads with zero bytes; an empty value changes
 * nothing and makes no key.
 */
function setrangeCommand(call: Call): void | Promise<LateReply> {
  const { args, db, reply } = call;
  const offset = readInteger(call, 2);
  if (Number.isNaN(offset)) return;
  if (offset < 0) return reply.error(OFFSET_OUT_OF_RANGE);
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupWrite(db, key, call.nowMs);
  if (ref !== 0 && space.type(ref) !== TYPE_STRING) {
    return reply.error(WRONG_TYPE);
  }
  const end = ref === 0 ? 0 : space.strings.length(ref);
  const written = args.length[3]!;
  if (written === 0) return reply.integer(end);
  if (offset + written > call.settings.protoMaxBulkLen) {
    return reply.error(STRING_TOO_LONG);
  }
  const length = Math.max(end, offset + written);
  if (growsLong(space, ref, end, length, written)) {
    const growth = {
      ...{ had: end, length, clearTo: offset },
      ...{ argument: 3, argumentAt: offset },
    };
    const record = takenRecord(call);
    return makeChange(call, ref, new StringGrowth(growth, endSetrange, record));
  }
  const entry = ref === 0
    ? space.strings.make(db, key, 0, length, STRING_RAW, 0)
    : space.strings.resize(db, ref, length, STRING_RAW);
  const bytes = space.strings.bytes(entry);
  const start = space.strings.off(entry);
  if (offset > end) bytes.fill(0, start + end, start + offset);
  copyBytes(args.source(3), args.off[3]!, bytes, start + offset, written);
  space.hooks.changed(db, key, SETRANGE);
  reply.integer(length);
}

/** Rows of the commands on parts of strings. */
export const STRING_RANGE_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "append",
    group: "string",
    since: "2.0.0",
    summary: "Adds bytes to the end of a string, creating it if missing.",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_INSERT,
    syntax: "key value",
    replies: ["integer"],
    run: appendCommand,
  },
  {
    name: "getrange",
    group: "string",
    since: "2.4.0",
    summary: "Reads a part of the string at a key, by byte offsets.",
    complexity: "O(N)",
    arity: 4,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key start:integer end:integer",
    replies: ["string"],
    run: getrangeCommand,
  },
  {
    name: "setrange",
    group: "string",
    since: "2.2.0",
    summary: "Overwrites a part of the string at a key, from a byte offset on.",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: KEY_RW_UPDATE,
    syntax: "key offset:integer value",
    replies: ["integer"],
    run: setrangeCommand,
  },
  {
    name: "strlen",
    group: "string",
    since: "2.2.0",
    summary: "Counts the bytes of the string at a key.",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: KEY_RO,
    syntax: "key",
    replies: ["integer"],
    run: strlenCommand,
  },
  {
    name: "substr",
    group: "string",
    since: "1.0.0",
    summary: "Former name of GETRANGE.",
    complexity: "O(N)",
    arity: 4,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key start:integer end:integer",
    replies: ["string"],
    docFlags: ["deprecated"],
    deprecatedSince: "2.0.0",
    replacedBy: "`GETRANGE`",
    run: getrangeCommand,
  },
];

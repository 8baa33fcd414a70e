/**
 * List commands, those that move or take elements from an end aside (see
 * list_pops.ts).
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import {
  LINSERT,
  LPUSH,
  LREM,
  LSET,
  LTRIM,
  RPUSH,
} from "../keyspace/key_events.ts";
import {
  COUNT_NEGATIVE,
  INDEX_OUT_OF_RANGE,
  MAXLEN_NEGATIVE,
  NO_SUCH_KEY,
  NOT_AN_INTEGER,
  RANK_ZERO,
  SYNTAX_ERROR,
  valueNotBetween,
} from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { TYPE_LIST } from "../types/entry.ts";
import type { MatchVisitor } from "../types/list_value.ts";
import {
  argumentIs,
  bigIntegerAt,
  readInteger,
  safeIntegerAt,
} from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  type HeavyTest,
  KEY_RO,
  KEY_RO_ACCESS,
  KEY_RW_DELETE,
  KEY_RW_INSERT,
  KEY_RW_UPDATE,
  type LateReply,
} from "./command_spec.ts";
import { LOOKED_CHUNKS_MAX, lookForElement } from "./compared_arguments.ts";
import { manyInFirst, quietly } from "./heavy_work.ts";
import {
  endListWrite,
  listsOf,
  makeList,
  pushArguments,
  readList,
  replyListRange,
  takeRun,
  writeList,
} from "./list_entry.ts";
import {
  ElementPush,
  FirstMatch,
  insertElement,
  Insertion,
  isLong,
  Removal,
  Trimming,
  trimsLong,
} from "./list_slices.ts";
import { FEW_ARGUMENTS, isLongRequest } from "./many_arguments.ts";
import { makeChange } from "./sliced_change.ts";
import { WRONG } from "./typed_entry.ts";

/** Elements that LPOS looks at before a list is searched in the background. */
const PROBED_ELEMENTS = 1000;
/** To compare an element with so many bytes may take long. */
const COMPARED_ELEMENT_BYTES = 1 << 8;
/** Elements with so many bytes mostly lie by themselves. */
const LONG_ELEMENT_BYTES = 1 << 13;
/** Bytes that LPOS compares with such an element before that. */
const COMPARED_BYTES = 1 << 19;
const BEFORE = bytesOf("before");
const AFTER = bytesOf("after");
const RANK = bytesOf("rank");
const COUNT = bytesOf("count");
const MAXLEN = bytesOf("maxlen");
const INT64_MAX = 2n ** 63n - 1n;
const NOT_SYMMETRIC = valueNotBetween(-INT64_MAX, INT64_MAX);

/** `LPUSH key element [element ...]` */
function lpushCommand(call: Call): void | Promise<LateReply> {
  return push(call, true, false);
}

/** `RPUSH key element [element ...]` */
function rpushCommand(call: Call): void | Promise<LateReply> {
  return push(call, false, false);
}

/** `LPUSHX key element [element ...]` */
function lpushxCommand(call: Call): void | Promise<LateReply> {
  return push(call, true, true);
}

/** `RPUSHX key element [element ...]` */
function rpushxCommand(call: Call): void | Promise<LateReply> {
  return push(call, false, true);
}

function push(
  call: Call,
  atHead: boolean,
  onlyIfThere: boolean,
): void | Promise<LateReply> {
  let ref = writeList(call, 0);
  if (ref === WRONG) return;
  if (ref === 0 && onlyIfThere) return call.reply.integer(0);
  if (call.argc > FEW_ARGUMENTS && isLongRequest(call)) {
    return makeChange(call, ref, new ElementPush(call, atHead));
  }
  if (ref === 0) ref = makeList(call, 0);
  const key = call.key(0);
  const space = call.keyspace(key);
  const length = pushArguments(call, space.values.lists, ref, atHead, 2);
  space.hooks.changed(call.db, key, atHead ? LPUSH : RPUSH, call.argc - 2);
  call.reply.integer(length);
}

/** `LLEN key` */
function llenCommand(call: Call): void {
  const ref = readList(call, 0);
  if (ref === WRONG) return;
  call.reply.integer(ref === 0 ? 0 : listsOf(call, 0).length(ref));
}

/** `LINDEX key index` */
function lindexCommand(call: Call): void {
  const { reply } = call;
  const ref = readList(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return reply.nullBulk();
  const wanted = readInteger(call, 2);
  if (Number.isNaN(wanted)) return;
  const lists = listsOf(call, 0);
  const length = lists.length(ref);
  const index = wanted < 0 ? wanted + length : wanted;
  if (index < 0 || index >= length) return reply.nullBulk();
  lists.read(ref, index);
  const { item } = lists;
  reply.bulk(item.buf, item.off, item.length);
}

/** `LSET key index element` */
function lsetCommand(call: Call): void {
  const { args, reply } = call;
  const ref = writeList(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return reply.error(NO_SUCH_KEY);
  const wanted = readInteger(call, 2);
  if (Number.isNaN(wanted)) return;
  const space = call.keyspace(call.key(0));
  const { lists } = space.values;
  const length = lists.length(ref);
  const index = wanted < 0 ? wanted + length : wanted;
  if (index < 0 || index >= length) return reply.error(INDEX_OUT_OF_RANGE);
  const added = args.length[3]!;
  lists.prepare(ref, added, 1, false);
  const run = takeRun(space, ref, args, 3);
  if (run !== 0) lists.replaceRun(ref, index, run, added);
  else lists.replace(ref, index, args.source(3), args.off[3]!, added);
  lists.pack(ref, true);
  space.hooks.changed(call.db, call.key(0), LSET);
  reply.ok();
}

const FIRST = new FirstMatch();

/** `LINSERT key BEFORE|AFTER pivot element` */
function linsertCommand(call: Call): void | Promise<LateReply> {
  const { args, reply } = call;
  const isAfter = argumentIs(call, 2, AFTER);
  if (!isAfter && !argumentIs(call, 2, BEFORE)) {
    return reply.error(SYNTAX_ERROR);
  }
  const ref = writeList(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return reply.integer(0);
  const space = call.keyspace(call.key(0));
  const { lists } = space.values;
  if (isLong(lists, ref)) return makeChange(call, ref, new Insertion(isAfter));
  FIRST.index = -1;
  lists.search(
    ref,
    args.source(3),
    args.off[3]!,
    args.length[3]!,
    false,
    Infinity,
    FIRST,
  );
  if (FIRST.index < 0) return reply.integer(-1);
  insertElement(space, ref, FIRST.index + (isAfter ? 1 : 0), args);
  space.hooks.changed(call.db, call.key(0), LINSERT);
  reply.integer(lists.length(ref));
}

/** `LRANGE key start stop` */
function lrangeCommand(call: Call): void {
  const { reply } = call;
  const start = readInteger(call, 2);
  if (Number.isNaN(start)) return;
  const stop = readInteger(call, 3);
  if (Number.isNaN(stop)) return;
  const ref = readList(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return reply.array(0);
  const space = call.keyspace(call.key(0));
  const length = space.values.lists.length(ref);
  const from = Math.max(0, start < 0 ? start + length : start);
  const to = Math.min(length, (stop < 0 ? stop + length : stop) + 1);
  if (from >= to) return reply.array(0);
  replyListRange(call, space, ref, from, to);
}

/** `LTRIM key start stop` */
function ltrimCommand(call: Call): void | Promise<LateReply> {
  const { reply } = call;
  const start = readInteger(call, 2);
  if (Number.isNaN(start)) return;
  const stop = readInteger(call, 3);
  if (Number.isNaN(stop)) return;
  const ref = writeList(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return reply.ok();
  const space = call.keyspace(call.key(0));
  const { lists } = space.values;
  const length = lists.length(ref);
  const from = Math.max(0, start < 0 ? start + length : start);
  const to = Math.min(length, (stop < 0 ? stop + length : stop) + 1);
  if (from >= to) {
    space.delete(call.db, ref);
    space.hooks.changedOrGone(call.db, call.key(0), LTRIM, true, length);
    return reply.ok();
  }
  if (trimsLong(lists, ref, from + length - to)) {
    return makeChange(call, ref, new Trimming(from, length - to));
  }
  lists.removeRange(ref, to, length - to);
  lists.removeRange(ref, 0, from);
  lists.pack(ref, true);
  space.hooks.changed(call.db, call.key(0), LTRIM, from + length - to);
  reply.ok();
}

/** `LREM key count element` */
function lremCommand(call: Call): void | Promise<LateReply> {
  const { args, reply } = call;
  const count = readSymmetric(call, 2);
  if (Number.isNaN(count)) return;
  const ref = writeList(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return reply.integer(0);
  const space = call.keyspace(call.key(0));
  const { lists } = space.values;
  const most = count === 0 ? Infinity : Math.abs(count);
  if (isLong(lists, ref)) {
    const removal = new Removal(most, count < 0, lists.length(ref));
    return makeChange(call, ref, removal);
  }
  const removed = lists.removeEqual(
    ref,
    args.source(3),
    args.off[3]!,
    args.length[3]!,
    most,
    count < 0,
  );
  if (removed > 0) {
    const isThere = endListWrite(space, call.db, ref);
    space.hooks.changedOrGone(call.db, call.key(0), LREM, !isThere, removed);
  }
  reply.integer(removed);
}

/** An integer of 64 bits other than the least one; NaN after an error reply. */
function readSymmetric(call: Call, i: number): number {
  const n = safeIntegerAt(call, i);
  if (!Number.isNaN(n)) return n;
  const big = bigIntegerAt(call, i);
  if (big === null) call.reply.error(NOT_AN_INTEGER);
  else if (big < -INT64_MAX) call.reply.error(NOT_SYMMETRIC);
  else return Number(big);
  return NaN;
}

/** What LPOS looks for, read anew by each; and the matches so far. */
class PositionSearch implements MatchVisitor {
  /** Matches to be passed over. */
  skip = 0;
  isBackward = false;
  /** Matches that are wanted; Infinity for all. */
  wanted = 1;
  /** Whether they are an array. */
  isArray = false;
  /** Elements that may be looked at. */
  most = Infinity;
  found = 0;
  reply: ReplyWriter | undefined;

  match(index: number): boolean {
    if (this.skip > 0) {
      this.skip--;
      return true;
    }
    this.reply!.integer(index);
    this.found++;
    return this.found < this.wanted;
  }
}

const SEARCH = new PositionSearch();

/** `LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]` */
function lposCommand(call: Call): void {
  const { args, reply } = call;
  if (!readSearch(call)) return;
  const ref = readList(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return SEARCH.isArray ? reply.array(0) : reply.nullBulk();
  const start = reply.at;
  SEARCH.reply = reply;
  listsOf(call, 0).search(
    ref,
    args.source(2),
    args.off[2]!,
    args.length[2]!,
    SEARCH.isBackward,
    SEARCH.most,
    SEARCH,
  );
  if (SEARCH.isArray) {
    // The head, whose count shows only now, goes before the elements.
    const middle = reply.at;
    reply.array(SEARCH.found);
    reply.exchange(start, middle);
  } else if (SEARCH.found === 0) reply.nullBulk();
}

/** A search that may go far, and finds little near where it begins. */
const longSearch: HeavyTest<Call> = (call) => {
  const { args, db } = call;
  const length = args.length[2]!;
  const isLong = length >= COMPARED_ELEMENT_BYTES;
  if (!isLong && !manyInFirst(call)) return false;
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.peek(db, key);
  if (ref === 0 || space.type(ref) !== TYPE_LIST) return false;
  const { lists } = space.values;
  const pieces = length >= LONG_ELEMENT_BYTES
    ? lists.nodes(ref)
    : lists.length(ref);
  const isMuch = isLong && comparesMuch(call, pieces);
  if (isLong && !isMuch && !manyInFirst(call)) return false;
  return quietly(call, () => {
    if (!readSearch(call)) return false;
    let shortMax = call.settings.backgroundThreshold;
    let probed = PROBED_ELEMENTS;
    if (isMuch) {
      const isCompared = args.bigAt(2) !== 0 && !SEARCH.isBackward;
      if (!isCompared) probed = Math.floor(COMPARED_BYTES / length);
      probed = Math.min(probed, LOOKED_CHUNKS_MAX);
      shortMax = Math.min(shortMax, probed);
    }
    if (SEARCH.most <= shortMax) return false;
    if (probed === 0) return true;
    SEARCH.reply = call.reply;
    lists.search(
      ref,
      args.source(2),
      args.off[2]!,
      length,
      SEARCH.isBackward,
      probed,
      SEARCH,
    );
    return SEARCH.found < SEARCH.wanted;
  });
};

/**
 * Whether a long element is compared with many bytes that have not been compared
 * before, in a list of so many pieces.
 */
function comparesMuch({ args }: Call, pieces: number): boolean {
  return args.bigAt(2) !== 0
    ? pieces > LOOKED_CHUNKS_MAX
    : pieces * args.length[2]! > COMPARED_BYTES;
}

/** Reads the options of LPOS; false after an error reply. */
function readSearch(call: Call): boolean {
  const { argc, reply } = call;
  let rank = 1;
  let count = -1;
  let maxlen = 0;
  for (let i = 3; i < argc; i += 2) {
    if (i + 1 < argc && argumentIs(call, i, RANK)) {
      rank = readSymmetric(call, i + 1);
      if (Number.isNaN(rank)) return false;
      if (rank === 0) {
        reply.error(RANK_ZERO);
        return false;
      }
    } else if (i + 1 < argc && argumentIs(call, i, COUNT)) {
      count = naturalAt(call, i + 1);
      if (count < 0) {
        reply.error(COUNT_NEGATIVE);
        return false;
      }
    } else if (i + 1 < argc && argumentIs(call, i, MAXLEN)) {
      maxlen = naturalAt(call, i + 1);
      if (maxlen < 0) {
        reply.error(MAXLEN_NEGATIVE);
        return false;
      }
    } else {
      reply.error(SYNTAX_ERROR);
      return false;
    }
  }
  SEARCH.skip = Math.abs(rank) - 1;
  SEARCH.isBackward = rank < 0;
  SEARCH.isArray = count >= 0;
  SEARCH.wanted = count < 0 ? 1 : count === 0 ? Infinity : count;
  SEARCH.most = maxlen === 0 ? Infinity : maxlen;
  SEARCH.found = 0;
  return true;
}

/** Argument `i`, a natural number; negative if it is none. */
function naturalAt(call: Call, i: number): number {
  const n = safeIntegerAt(call, i);
  if (!Number.isNaN(n)) return n;
  const big = bigIntegerAt(call, i);
  return big === null ? -1 : Number(big);
}

/** Rows of the list commands that are not in list_pops.ts. */
export const LIST_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "lindex",
    group: "list",
    since: "1.0.0",
    summary: "Reads the element of a list that has an index.",
    complexity: "O(N)",
    arity: 3,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key index:integer",
    replies: ["string", "null"],
    run: lindexCommand,
  },
  {
    name: "linsert",
    group: "list",
    since: "2.2.0",
    summary: "Inserts an element beside the first that is like another.",
    complexity: "O(N)",
    arity: 5,
    flags: ["write", "denyoom"],
    keys: KEY_RW_INSERT,
    syntax: "key where:(BEFORE|AFTER) pivot element",
    replies: ["integer"],
    stage: (call) => lookForElement(call, 3),
    run: linsertCommand,
  },
  {
    name: "llen",
    group: "list",
    since: "1.0.0",
    summary: "Counts the elements of a list.",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: KEY_RO,
    syntax: "key",
    replies: ["integer"],
    run: llenCommand,
  },
  {
    name: "lpos",
    group: "list",
    since: "6.0.6",
    summary: "Finds where in a list an element is.",
    complexity: "O(N)",
    arity: -3,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key element [RANK rank:integer] [COUNT num-matches:integer] " +
      "[MAXLEN len:integer]",
    replies: ["integer", "array", "null"],
    isHeavy: longSearch,
    stage: (call) => lookForElement(call, 2),
    run: lposCommand,
  },
  {
    name: "lpush",
    group: "list",
    since: "1.0.0",
    summary: "Adds elements before the first one of a list.",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_INSERT,
    syntax: "key element...",
    replies: ["integer"],
    run: lpushCommand,
  },
  {
    name: "lpushx",
    group: "list",
    since: "2.2.0",
    summary: "Adds elements before the first one of a list that is there.",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_INSERT,
    syntax: "key element...",
    replies: ["integer"],
    run: lpushxCommand,
  },
  {
    name: "lrange",
    group: "list",
    since: "1.0.0",
    summary: "Reads the elements of a list between two indices.",
    complexity: "O(S+N)",
    arity: 4,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key start:integer stop:integer",
    replies: ["array"],
    run: lrangeCommand,
  },
  {
    name: "lrem",
    group: "list",
    since: "1.0.0",
    summary: "Removes elements that are like a given one.",
    complexity: "O(N+M)",
    arity: 4,
    flags: ["write"],
    keys: KEY_RW_DELETE,
    syntax: "key count:integer element",
    replies: ["integer"],
    stage: (call) => lookForElement(call, 3),
    run: lremCommand,
  },
  {
    name: "lset",
    group: "list",
    since: "1.0.0",
    summary: "Replaces the element of a list that has an index.",
    complexity: "O(N)",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: KEY_RW_UPDATE,
    syntax: "key index:integer element",
    replies: ["status"],
    run: lsetCommand,
  },
  {
    name: "ltrim",
    group: "list",
    since: "1.0.0",
    summary: "Removes the elements that are not between two indices.",
    complexity: "O(N)",
    arity: 4,
    flags: ["write"],
    keys: KEY_RW_DELETE,
    syntax: "key start:integer stop:integer",
    replies: ["status"],
    run: ltrimCommand,
  },
  {
    name: "rpush",
    group: "list",
    since: "1.0.0",
    summary: "Adds elements behind the last one of a list.",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_INSERT,
    syntax: "key element...",
    replies: ["integer"],
    run: rpushCommand,
  },
  {
    name: "rpushx",
    group: "list",
    since: "2.2.0",
    summary: "Adds elements behind the last one of a list that is there.",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_INSERT,
    syntax: "key element...",
    replies: ["integer"],
    run: rpushxCommand,
  },
];

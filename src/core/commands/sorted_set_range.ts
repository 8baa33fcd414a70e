/**
 * Sorted set commands on ranges: of ranks, of scores, and of members where all
 * scores are equal. They reply, count, store or remove what is in the range.
 *
 * Whatever a range is given by, it is looked up as a range of ranks first.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import {
  DEL,
  ZRANGESTORE,
  ZREMRANGEBYLEX,
  ZREMRANGEBYRANK,
  ZREMRANGEBYSCORE,
} from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import {
  type ErrorReply,
  LEX_RANGE_INVALID,
  LIMIT_OF_RANKS,
  SCORE_RANGE_INVALID,
  SCORES_OF_LEX_RANGE,
  SYNTAX_ERROR,
} from "../resp/error_reply.ts";
import { TYPE_ZSET } from "../types/entry.ts";
import {
  LexRange,
  type ScoredVisitor,
  ScoreRange,
} from "../types/zset_range.ts";
import type { ZsetValue } from "../types/zset_value.ts";
import { argumentIs, readInteger } from "./arg_reader.ts";
import type { Key } from "../keyspace/key.ts";
import type { Call, SlicedChange } from "./call.ts";
import {
  type CommandSpec,
  type HeavyTest,
  KEY_RO_ACCESS,
  KEY_RW_DELETE,
  keyAt,
  type LateReply,
} from "./command_spec.ts";
import { ranges } from "./compared_orders.ts";
import { readLexRange, readScoreRange } from "./sorted_set_bounds.ts";
import { replyRanks } from "./sorted_set_replies.ts";
import { makeChange } from "./sliced_change.ts";
import { readEntry, writeEntry, WRONG } from "./typed_entry.ts";
import {
  elementsLike,
  elementsOf,
  manyElements,
  quietly,
} from "./heavy_work.ts";

/** Members removed in one slice. */
const SLICE_MEMBERS = 1000;
/** More members than this are removed in slices. */
const SLICED_MEMBERS_MIN = 2 * SLICE_MEMBERS;

const BYSCORE = bytesOf("byscore");
const BYLEX = bytesOf("bylex");
const REV = bytesOf("rev");
const LIMIT = bytesOf("limit");
const WITHSCORES = bytesOf("withscores");

/** What a range is given by. */
const BY_ARGUMENT = 0;
const BY_RANK = 1;
const BY_SCORE = 2;
const BY_LEX = 3;

/** A range that a command asks for; filled anew by each. */
class RangeRequest {
  /** First rank of what was found. */
  from = 0;
  /** The rank behind its last one. */
  to = 0;
  isReverse = false;
  hasScores = false;
  #by = BY_RANK;
  #start = 0;
  #stop = 0;
  #offset = 0;
  /** Negative if there is none. */
  #limit = -1;
  readonly #scores = new ScoreRange();
  readonly #members = new LexRange();

  /** Reads what a command without options has in arguments 2 and 3. */
  readEnds(call: Call, by: number): boolean {
    this.#by = by;
    this.isReverse = false;
    this.#offset = 0;
    this.#limit = -1;
    return this.#readEnds(call, 2, 3);
  }

  /**
   * Reads ends and options behind the key in argument `key`; false after an
   * error reply. `by` and `isReverse` may be left to the options, and `null`.
   */
  read(
    call: Call,
    key: number,
    by: number,
    isReverse: boolean | null,
    takesScores: boolean,
  ): boolean {
    this.#by = by;
    this.isReverse = isReverse === true;
    this.hasScores = false;
    this.#offset = 0;
    this.#limit = -1;
    let takesReverse = isReverse === null;
    for (let i = key + 3; i < call.argc; i++) {
      if (takesScores && argumentIs(call, i, WITHSCORES)) {
        this.hasScores = true;
      } else if (i + 2 < call.argc && argumentIs(call, i, LIMIT)) {
        this.#offset = readInteger(call, ++i);
        if (Number.isNaN(this.#offset)) return false;
        this.#limit = readInteger(call, ++i);
        if (Number.isNaN(this.#limit)) return false;
      } else if (takesReverse && argumentIs(call, i, REV)) {
        this.isReverse = true;
        takesReverse = false;
      } else if (!this.#readKind(call, i)) {
        return refuse(call, SYNTAX_ERROR);
      }
    }
    if (this.#by === BY_ARGUMENT) this.#by = BY_RANK;
    if (this.#limit !== -1 && this.#by === BY_RANK) {
      return refuse(call, LIMIT_OF_RANKS);
    }
    if (this.hasScores && this.#by === BY_LEX) {
      return refuse(call, SCORES_OF_LEX_RANGE);
    }
    return this.isReverse && this.#by !== BY_RANK
      ? this.#readEnds(call, key + 2, key + 1)
      : this.#readEnds(call, key + 1, key + 2);
  }

  /** Finds `from` and `to`. */
  find(zsets: ZsetValue, ref: number): void {
    if (this.#by === BY_RANK) return this.#findRanks(zsets.length(ref));
    if (this.#by === BY_SCORE) zsets.rangeOfScores(ref, this.#scores);
    else zsets.rangeOfMembers(ref, this.#members, this.isReverse);
    this.from = zsets.from;
    this.to = zsets.to;
    if (this.#offset !== 0 || this.#limit >= 0) this.#applyLimit();
  }

  #readKind(call: Call, i: number): boolean {
    if (this.#by !== BY_ARGUMENT) return false;
    if (argumentIs(call, i, BYLEX)) this.#by = BY_LEX;
    else if (argumentIs(call, i, BYSCORE)) this.#by = BY_SCORE;
    else return false;
    return true;
  }

  #readEnds(call: Call, min: number, max: number): boolean {
    if (this.#by === BY_SCORE) {
      return readScoreRange(call, min, max, this.#scores) ||
        refuse(call, SCORE_RANGE_INVALID);
    }
    if (this.#by === BY_LEX) {
      return readLexRange(call, min, max, this.#members) ||
        refuse(call, LEX_RANGE_INVALID);
    }
    this.#start = readInteger(call, min);
    if (Number.isNaN(this.#start)) return false;
    this.#stop = readInteger(call, max);
    return !Number.isNaN(this.#stop);
  }

  #findRanks(length: number): void {
    const start = Math.max(0, indexOf(this.#start, length));
    const end = Math.min(length, indexOf(this.#stop, length) + 1);
    this.from = this.isReverse ? length - end : start;
    this.to = this.isReverse ? length - start : end;
    if (start >= end) this.to = this.from = 0;
  }

  #applyLimit(): void {
    const count = this.to - this.from;
    // As in Redis, there is nothing behind a negative offset.
    const skipped = this.#offset < 0 ? count : Math.min(count, this.#offset);
    const left = count - skipped;
    const kept = this.#limit < 0 ? left : Math.min(left, this.#limit);
    if (this.isReverse) {
      this.to -= skipped;
      this.from = this.to - kept;
    } else {
      this.from += skipped;
      this.to = this.from + kept;
    }
  }
}

/** To store a member takes as long as so many are read. */
const STORE_WEIGHT = 4;
const manyBehindFirst = manyElements(1, STORE_WEIGHT);
const REQUEST = new RangeRequest();

/** An index that may count from the end, as one from the start. */
function indexOf(index: number, length: number): number {
  return index < 0 ? index + length : index;
}

function refuse(call: Call, error: ErrorReply): false {
  call.reply.error(error);
  return false;
}

/** `ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]` */
function zrangeCommand(call: Call): void {
  replyRange(call, BY_ARGUMENT, null);
}

/** `ZREVRANGE key start stop [WITHSCORES]` */
function zrevrangeCommand(call: Call): void {
  replyRange(call, BY_RANK, true);
}

/** `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]` */
function zrangebyscoreCommand(call: Call): void {
  replyRange(call, BY_SCORE, false);
}

/** `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]` */
function zrevrangebyscoreCommand(call: Call): void {
  replyRange(call, BY_SCORE, true);
}

/** `ZRANGEBYLEX key min max [LIMIT offset count]` */
function zrangebylexCommand(call: Call): void {
  replyRange(call, BY_LEX, false);
}

/** `ZREVRANGEBYLEX key max min [LIMIT offset count]` */
function zrevrangebylexCommand(call: Call): void {
  replyRange(call, BY_LEX, true);
}

function replyRange(call: Call, by: number, isReverse: boolean | null): void {
  if (!REQUEST.read(call, 1, by, isReverse, true)) return;
  const ref = readEntry(call, 0, TYPE_ZSET);
  if (ref === WRONG) return;
  if (ref === 0) return call.reply.array(0);
  const space = call.keyspace(call.key(0));
  REQUEST.find(space.values.zsets, ref);
  const { from, to, hasScores } = REQUEST;
  replyRanks(call, space, ref, from, to, REQUEST.isReverse, hasScores);
}

/** Adds members, which come in order, to a set that is being built. */
class Appender implements ScoredVisitor {
  zsets!: ZsetValue;
  ref = 0;

  member(buf: Uint8Array, off: number, length: number, score: number): void {
    this.zsets.append(this.ref, buf, off, length, score);
  }
}

const APPENDER = new Appender();

/** `ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]` */
function zrangestoreCommand(call: Call): void {
  const { db, nowMs, reply } = call;
  if (!REQUEST.read(call, 2, BY_ARGUMENT, null, false)) return;
  const ref = readEntry(call, 1, TYPE_ZSET);
  if (ref === WRONG) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  const count = ref === 0 ? 0 : buildRange(call, space, ref);
  const existing = space.lookupWrite(db, key, nowMs);
  if (count > 0) {
    space.begun.store(db, key, existing);
    space.hooks.changed(db, key, ZRANGESTORE);
  } else if (existing !== 0) {
    space.delete(db, existing);
    space.hooks.changed(db, key, DEL);
  }
  reply.integer(count);
}

/** A range of many members is to be stored. */
const longRange: HeavyTest<Call> = (call) => {
  if (!manyBehindFirst(call)) return false;
  const key = call.key(1);
  const space = call.keyspace(key);
  const ref = space.peek(call.db, key);
  if (space.type(ref) !== TYPE_ZSET) return false;
  const isGood = quietly(
    call,
    () => REQUEST.read(call, 2, BY_ARGUMENT, null, false),
  );
  if (!isGood) return false;
  const { zsets } = space.values;
  REQUEST.find(zsets, ref);
  const { from, to } = REQUEST;
  return STORE_WEIGHT * storedElements(call, zsets, ref, from, to) >
    call.settings.backgroundThreshold;
};

/** Members of a range, which count for as many as they are long. */
function storedElements(
  call: Call,
  zsets: ZsetValue,
  ref: number,
  from: number,
  to: number,
): number {
  const count = to - from;
  if (count > call.settings.backgroundThreshold) return count;
  if (zsets.longBytes(ref) === 0) {
    return count * elementsOf(call, 1) / zsets.length(ref);
  }
  let bytes = 0;
  zsets.visit(ref, from, count, false, {
    member: (_buf, _off, length) => bytes += length,
  });
  return Math.max(count, elementsLike(call, bytes));
}

/** Makes what was asked for a value that no key has; returns its length. */
function buildRange(call: Call, space: Keyspace, ref: number): number {
  const { zsets } = call.keyspace(call.key(1)).values;
  REQUEST.find(zsets, ref);
  const { from, to } = REQUEST;
  if (from === to) return 0;
  APPENDER.zsets = space.values.zsets;
  APPENDER.ref = space.begun.begin(TYPE_ZSET);
  zsets.visit(ref, from, to - from, false, APPENDER);
  return to - from;
}

/** `ZCOUNT key min max` */
function zcountCommand(call: Call): void {
  countRange(call, BY_SCORE);
}

/** `ZLEXCOUNT key min max` */
function zlexcountCommand(call: Call): void {
  countRange(call, BY_LEX);
}

function countRange(call: Call, by: number): void {
  if (!REQUEST.readEnds(call, by)) return;
  const ref = readEntry(call, 0, TYPE_ZSET);
  if (ref === WRONG) return;
  if (ref === 0) return call.reply.integer(0);
  REQUEST.find(call.keyspace(call.key(0)).values.zsets, ref);
  call.reply.integer(REQUEST.to - REQUEST.from);
}

/** `ZREMRANGEBYRANK key start stop` */
function zremrangebyrankCommand(
  call: Call,
): void | Promise<LateReply> {
  return removeRange(call, BY_RANK, ZREMRANGEBYRANK);
}

/** `ZREMRANGEBYSCORE key min max` */
function zremrangebyscoreCommand(
  call: Call,
): void | Promise<LateReply> {
  return removeRange(call, BY_SCORE, ZREMRANGEBYSCORE);
}

/** `ZREMRANGEBYLEX key min max` */
function zremrangebylexCommand(
  call: Call,
): void | Promise<LateReply> {
  return removeRange(call, BY_LEX, ZREMRANGEBYLEX);
}

/** A range of ranks that is removed in slices. */
class RangeRemoval implements SlicedChange {
  readonly #from: number;
  readonly #count: number;
  readonly #event: number;
  #left: number;

  constructor(from: number, count: number, event: number) {
    this.#from = from;
    this.#left = this.#count = count;
    this.#event = event;
  }

  step(space: Keyspace, ref: number): boolean {
    const count = Math.min(this.#left, SLICE_MEMBERS);
    this.#left -= count;
    // Those that are left move up.
    space.values.zsets.removeRange(ref, this.#from, this.#from + count);
    return this.#left > 0;
  }

  finish(space: Keyspace, db: number, key: Key): LateReply {
    space.hooks.changed(db, key, this.#event, this.#count);
    return (reply) => reply.integer(this.#count);
  }
}

function removeRange(
  call: Call,
  by: number,
  event: number,
): void | Promise<LateReply> {
  const { reply } = call;
  if (!REQUEST.readEnds(call, by)) return;
  const ref = writeEntry(call, 0, TYPE_ZSET);
  if (ref === WRONG) return;
  if (ref === 0) return reply.integer(0);
  const space = call.keyspace(call.key(0));
  const { zsets } = space.values;
  REQUEST.find(zsets, ref);
  const { from, to } = REQUEST;
  // To delete the key is quick, however many members it has.
  const isGone = to - from === zsets.length(ref);
  if (!isGone && to - from > SLICED_MEMBERS_MIN) {
    return makeChange(call, ref, new RangeRemoval(from, to - from, event));
  }
  if (isGone) space.delete(call.db, ref);
  else zsets.removeRange(ref, from, to);
  if (to > from) {
    space.hooks.changedOrGone(call.db, call.key(0), event, isGone, to - from);
  }
  reply.integer(to - from);
}

/** Rows of these commands. */
export const SORTED_SET_RANGE_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "zcount",
    group: "sorted-set",
    since: "2.0.0",
    summary: "Counts the members of a sorted set in a range of scores.",
    complexity: "O(log(N))",
    arity: 4,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: "key min:double max:double",
    replies: ["integer"],
    run: zcountCommand,
  },
  {
    name: "zlexcount",
    group: "sorted-set",
    since: "2.8.9",
    summary: "Counts the members of a sorted set between two others.",
    complexity: "O(log(N))",
    arity: 4,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: "key min max",
    replies: ["integer"],
    stage: ranges(1, 2),
    run: zlexcountCommand,
  },
  {
    name: "zrange",
    group: "sorted-set",
    since: "1.2.0",
    summary: "Lists a range of a sorted set.",
    complexity: "O(log(N)+M)",
    arity: -4,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key start stop [sortby:(BYSCORE|BYLEX)@6.2.0] [REV@6.2.0] " +
      "[LIMIT limit:(offset:integer count:integer)@6.2.0] [WITHSCORES]",
    replies: ["array"],
    stage: ranges(1, 2),
    run: zrangeCommand,
  },
  {
    name: "zrangebylex",
    group: "sorted-set",
    since: "2.8.9",
    summary: "Lists the members of a sorted set between two others.",
    complexity: "O(log(N)+M)",
    arity: -4,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key min max [LIMIT limit:(offset:integer count:integer)]",
    replies: ["array"],
    docFlags: ["deprecated"],
    deprecatedSince: "6.2.0",
    stage: ranges(1, 2),
    run: zrangebylexCommand,
  },
  {
    name: "zrangebyscore",
    group: "sorted-set",
    since: "1.0.5",
    summary: "Lists the members of a sorted set in a range of scores.",
    complexity: "O(log(N)+M)",
    arity: -4,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key min:double max:double [WITHSCORES@2.0.0] " +
      "[LIMIT limit:(offset:integer count:integer)]",
    replies: ["array"],
    docFlags: ["deprecated"],
    deprecatedSince: "6.2.0",
    run: zrangebyscoreCommand,
  },
  {
    name: "zrangestore",
    group: "sorted-set",
    since: "6.2.0",
    summary: "Stores a range of a sorted set as another one.",
    complexity: "O(log(N)+M)",
    arity: -5,
    flags: ["write", "denyoom"],
    keys: [keyAt(1, "OW update"), keyAt(2, "RO access")],
    syntax: "dst:key src:key min max [sortby:(BYSCORE|BYLEX)] [REV] " +
      "[LIMIT limit:(offset:integer count:integer)]",
    replies: ["integer"],
    isHeavy: longRange,
    stage: ranges(2, 3),
    run: zrangestoreCommand,
  },
  {
    name: "zremrangebylex",
    group: "sorted-set",
    since: "2.8.9",
    summary: "Removes the members of a sorted set between two others.",
    complexity: "O(log(N)+M)",
    arity: 4,
    flags: ["write"],
    keys: KEY_RW_DELETE,
    syntax: "key min max",
    replies: ["integer"],
    stage: ranges(1, 2),
    run: zremrangebylexCommand,
  },
  {
    name: "zremrangebyrank",
    group: "sorted-set",
    since: "2.0.0",
    summary: "Removes the members of a sorted set in a range of ranks.",
    complexity: "O(log(N)+M)",
    arity: 4,
    flags: ["write"],
    keys: KEY_RW_DELETE,
    syntax: "key start:integer stop:integer",
    replies: ["integer"],
    run: zremrangebyrankCommand,
  },
  {
    name: "zremrangebyscore",
    group: "sorted-set",
    since: "1.2.0",
    summary: "Removes the members of a sorted set in a range of scores.",
    complexity: "O(log(N)+M)",
    arity: 4,
    flags: ["write"],
    keys: KEY_RW_DELETE,
    syntax: "key min:double max:double",
    replies: ["integer"],
    run: zremrangebyscoreCommand,
  },
  {
    name: "zrevrange",
    group: "sorted-set",
    since: "1.2.0",
    summary: "Lists a range of a sorted set from the highest score down.",
    complexity: "O(log(N)+M)",
    arity: -4,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key start:integer stop:integer [WITHSCORES]",
    replies: ["array"],
    docFlags: ["deprecated"],
    deprecatedSince: "6.2.0",
    run: zrevrangeCommand,
  },
  {
    name: "zrevrangebylex",
    group: "sorted-set",
    since: "2.8.9",
    summary: "Lists the members of a sorted set between two others, downwards.",
    complexity: "O(log(N)+M)",
    arity: -4,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key max min [LIMIT limit:(offset:integer count:integer)]",
    replies: ["array"],
    docFlags: ["deprecated"],
    deprecatedSince: "6.2.0",
    stage: ranges(1, 2),
    run: zrevrangebylexCommand,
  },
  {
    name: "zrevrangebyscore",
    group: "sorted-set",
    since: "2.2.0",
    summary:
      "Lists the members of a sorted set in a range of scores, downwards.",
    complexity: "O(log(N)+M)",
    arity: -4,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key max:double min:double [WITHSCORES] " +
      "[LIMIT limit:(offset:integer count:integer)]",
    replies: ["array"],
    docFlags: ["deprecated"],
    deprecatedSince: "6.2.0",
    run: zrevrangebyscoreCommand,
  },
];

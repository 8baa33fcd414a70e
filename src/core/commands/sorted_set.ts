/**
 * Sorted set commands on members: what adds, removes and looks them up. Those that
 * take them from an end stand aside (see sorted_set_pops.ts).
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { formatDouble, formatDouble17, parseDouble } from "../base/double.ts";
import { ZADD, ZINCR, ZREM } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import {
  NOT_A_FLOAT,
  SCORE_NOT_A_NUMBER,
  SYNTAX_ERROR,
  VALUE_OUT_OF_RANGE,
  valueNotBetween,
  wrongNumberOfArguments,
  ZADD_GT_LT_NX,
  ZADD_INCR_OF_MANY,
  ZADD_NX_AND_XX,
} from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { TYPE_ZSET } from "../types/entry.ts";
import type { ScoredVisitor } from "../types/zset_range.ts";
import { ZSET_LISTPACK, type ZsetValue } from "../types/zset_value.ts";
import { argumentIs, bigIntegerAt, readInteger } from "./arg_reader.ts";
import { type Answer, ArgumentAnswers } from "./argument_answers.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  KEY_RO,
  KEY_RO_ACCESS,
  KEY_RW_ACCESS_UPDATE,
  KEY_RW_DELETE,
  KEY_RW_UPDATE,
  type LateReply,
  OPTIONS_MAX,
} from "./command_spec.ts";
import { lookFor, looksFor } from "./compared_arguments.ts";
import { ComparedMembers, compareOrders, ranks } from "./compared_orders.ts";
import { ElementScan } from "./element_scan.ts";
import { type ElementWriter, replyDrawn } from "./element_stream.ts";
import { manyDrawn, manyScanned } from "./heavy_work.ts";
import { lateBulk, LateElements } from "./late_elements.ts";
import { replyHead, replyRanks, ScoredReplies } from "./sorted_set_replies.ts";
import { MemberRemoval, type RemoveMember } from "./argument_removal.ts";
import {
  insertMember,
  locateMember,
  ScoredAddition,
} from "./scored_addition.ts";
import { stageScored } from "./staged_nodes.ts";
import {
  FEW_ARGUMENTS,
  isLongChange,
  isLongRequest,
} from "./many_arguments.ts";
import { makeChange } from "./sliced_change.ts";
import { readEntry, writeEntry, WRONG } from "./typed_entry.ts";

const INT64_MAX = 2n ** 63n - 1n;

const ONLY_NEW = 1;
const ONLY_OLD = 2;
const GREATER = 4;
const LESS = 8;
const CHANGED = 16;
const INCREMENT = 32;

/** Options of ZADD, with their bits. */
const ADD_OPTIONS: readonly (readonly [Uint8Array, number])[] = [
  [bytesOf("nx"), ONLY_NEW],
  [bytesOf("xx"), ONLY_OLD],
  [bytesOf("gt"), GREATER],
  [bytesOf("lt"), LESS],
  [bytesOf("ch"), CHANGED],
  [bytesOf("incr"), INCREMENT],
];
const FIRST_LETTER = 0x41;

const WITHSCORE = bytesOf("withscore");
const WITHSCORES = bytesOf("withscores");
const NOSCORES = bytesOf("noscores");

/** Scores of a command's members, all read before the first is used. */
let scores = new Float64Array(16);
const SCORES_KEPT = 1024;

const REPLIES = new ScoredReplies();

/** The sorted sets of the first key's keyspace. */
function zsetsOf(call: Call): ZsetValue {
  return call.keyspace(call.key(0)).values.zsets;
}

/** `ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]` */
function zaddCommand(call: Call): void | Promise<LateReply> {
  return addMembers(call, 0);
}

/** `ZINCRBY key increment member`: takes ZADD's options, too, as in Redis. */
function zincrbyCommand(call: Call): void | Promise<LateReply> {
  return addMembers(call, INCREMENT);
}

/** The members of ZADD and ZINCRBY. */
function stageAdded(given: number): (call: Call) => void {
  return (call) => {
    stageScored(call, 3);
    lookFor(call, 3);
    let first = 2;
    while (first < optionsEnd(call) && addOptionAt(call, first) !== 0) first++;
    // Several are compared one by one.
    if (call.argc - first > 2) return;
    compareOrders(call, (_, i, score) => addedScore(call, given, i, score));
  };
}

/** What becomes of the score of the member that is argument `i`, perhaps. */
function addedScore(
  call: Call,
  given: number,
  i: number,
  score: number,
): number {
  let options = given;
  for (let at = 2, option = 0; at < i; at++, options |= option) {
    option = addOptionAt(call, at);
    if (option === 0) break;
  }
  const { args } = call;
  const n = parseDouble(
    args.source(i - 1),
    args.off[i - 1]!,
    args.length[i - 1]!,
  );
  const adds = (options & INCREMENT) !== 0 && !Number.isNaN(score);
  return adds ? score + n : n;
}

/** What comes then is a score, whatever it looks like. */
function optionsEnd({ argc }: Call): number {
  return Math.min(argc, OPTIONS_MAX);
}

function addMembers(call: Call, given: number): void | Promise<LateReply> {
  const { argc, reply } = call;
  let options = given;
  let first = 2;
  for (; first < optionsEnd(call); first++) {
    const option = addOptionAt(call, first);
    if (option === 0) break;
    options |= option;
  }
  const left = argc - first;
  if (left === 0 || (left & 1) === 1) return reply.error(SYNTAX_ERROR);
  const onlyNew = (options & ONLY_NEW) !== 0;
  if (onlyNew && (options & ONLY_OLD) !== 0) return reply.error(ZADD_NX_AND_XX);
  const order = options & (GREATER | LESS);
  if (order === (GREATER | LESS) || onlyNew && order !== 0) {
    return reply.error(ZADD_GT_LT_NX);
  }
  const count = left >> 1;
  if ((options & INCREMENT) !== 0 && count > 1) {
    return reply.error(ZADD_INCR_OF_MANY);
  }
  if (isLongChange(call, count)) return addManyScored(call, options, first);
  if (!readScores(call, first, count)) return reply.error(NOT_A_FLOAT);
  addScored(call, options, first, count);
}

function addManyScored(
  call: Call,
  options: number,
  first: number,
): void | Promise<LateReply> {
  const key = call.key(0);
  const ref = call.keyspace(key).lookupWrite(call.db, key, call.nowMs);
  const addition = new ScoredAddition(call, first, 2, {
    onlyNew: (options & ONLY_NEW) !== 0,
    onlyOld: (options & ONLY_OLD) !== 0,
    onlyGreater: (options & GREATER) !== 0,
    onlyLess: (options & LESS) !== 0,
    countsChanges: (options & CHANGED) !== 0,
  });
  return makeChange(call, ref, addition);
}

/** Bit of the option in argument `i`, or 0. */
function addOptionAt(call: Call, i: number): number {
  const { args } = call;
  const length = args.length[i]!;
  if (length !== 2 && length !== 4) return 0;
  if (args.source(i)[args.off[i]!]! < FIRST_LETTER) return 0;
  for (const [word, bit] of ADD_OPTIONS) {
    if (argumentIs(call, i, word)) return bit;
  }
  return 0;
}

/** Reads the scores of `count` pairs; false if one is none. */
function readScores(call: Call, first: number, count: number): boolean {
  const { args } = call;
  if (count > scores.length || scores.length > SCORES_KEPT) {
    scores = new Float64Array(Math.max(count, SCORES_KEPT));
  }
  for (let i = 0; i < count; i++) {
    const at = first + 2 * i;
    const score = parseDouble(args.source(at), args.off[at]!, args.length[at]!);
    if (score !== score) return false;
    scores[i] = score;
  }
  return true;
}

function addScored(
  call: Call,
  options: number,
  first: number,
  count: number,
): void {
  const { args, reply } = call;
  const isIncrement = (options & INCREMENT) !== 0;
  let ref = writeEntry(call, 0, TYPE_ZSET);
  if (ref === WRONG) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  const { zsets } = space.values;
  if (ref === 0) {
    if ((options & ONLY_OLD) !== 0) {
      return isIncrement ? reply.nullBulk() : reply.integer(0);
    }
    ref = space.create(call.db, key, TYPE_ZSET);
  }
  if (count > 1) zsets.expect(ref, count);
  let added = 0;
  let updated = 0;
  for (let i = 0; i < count; i++) {
    const at = first + 2 * i + 1;
    const buf = args.source(at);
    const off = args.off[at]!;
    const length = args.length[at]!;
    let score = scores[i]!;
    if (!locateMember(zsets, ref, args, at, call.staged)) {
      if ((options & ONLY_OLD) !== 0) continue;
      insertMember(zsets, ref, args, at, score, call.staged);
      added++;
    } else {
      if ((options & ONLY_NEW) !== 0) continue;
      const old = zsets.score;
      if (isIncrement) score += old;
      if (score !== score) return reply.error(SCORE_NOT_A_NUMBER);
      if ((options & GREATER) !== 0 && score <= old) continue;
      if ((options & LESS) !== 0 && score >= old) continue;
      if (score !== old) {
        zsets.setFound(ref, buf, off, length, score);
        updated++;
      }
    }
    if (isIncrement) {
      const changes = added + updated;
      if (changes > 0) space.hooks.changed(call.db, key, ZINCR, changes);
      return reply.double(score);
    }
  }
  if (isIncrement) return reply.nullBulk();
  const changes = added + updated;
  if (changes > 0) space.hooks.changed(call.db, key, ZADD, changes);
  reply.integer((options & CHANGED) !== 0 ? changes : added);
}

const removeMember: RemoveMember = (space, ref, buf, off, length) =>
  space.values.zsets.remove(ref, buf, off, length);

/** The members of ZREM; several are compared one by one. */
function stageRemoved(call: Call): void {
  lookFor(call, 2);
  if (call.argc === 3) compareOrders(call);
}

/** `ZREM key member [member ...]` */
function zremCommand(call: Call): void | Promise<LateReply> {
  const { args, argc, reply } = call;
  const ref = writeEntry(call, 0, TYPE_ZSET);
  if (ref === WRONG) return;
  if (ref === 0) return reply.integer(0);
  if (isLongChange(call, argc - 2)) {
    const members = new ComparedMembers(call);
    const removal = new MemberRemoval(call, ZREM, removeMember, members);
    return makeChange(call, ref, removal);
  }
  const space = call.keyspace(call.key(0));
  const { zsets } = space.values;
  let removed = 0;
  let isGone = false;
  for (let i = 2; i < argc && !isGone; i++) {
    if (zsets.remove(ref, args.source(i), args.off[i]!, args.length[i]!)) {
      removed++;
      isGone = space.deleteIfEmpty(call.db, ref);
    }
  }
  if (removed > 0) {
    space.hooks.changedOrGone(call.db, call.key(0), ZREM, isGone, removed);
  }
  reply.integer(removed);
}

/** `ZCARD key` */
function zcardCommand(call: Call): void {
  const ref = readEntry(call, 0, TYPE_ZSET);
  if (ref === WRONG) return;
  call.reply.integer(ref === 0 ? 0 : zsetsOf(call).length(ref));
}

/** `ZSCORE key member` */
function zscoreCommand(call: Call): void {
  const ref = readEntry(call, 0, TYPE_ZSET);
  if (ref !== WRONG) replyScore(call, ref, 2);
}

/** `ZMSCORE key member [member ...]` */
function zmscoreCommand(call: Call): void | Promise<LateReply> {
  const ref = readEntry(call, 0, TYPE_ZSET);
  if (ref === WRONG) return;
  if (call.argc > FEW_ARGUMENTS && isLongRequest(call)) {
    return makeChange(call, ref, new ArgumentAnswers(call, answerScore));
  }
  call.reply.array(call.argc - 2);
  for (let i = 2; i < call.argc; i++) replyScore(call, ref, i);
}

const answerScore: Answer = (space, ref, args, i, reply) => {
  const { zsets } = space.values;
  const isThere = ref !== 0 &&
    zsets.find(ref, args.source(i), args.off[i]!, args.length[i]!);
  if (isThere) reply.double(zsets.score);
  else reply.nullBulk();
};

function replyScore(call: Call, ref: number, i: number): void {
  if (ref === 0 || !findMember(call, ref, i)) return call.reply.nullBulk();
  call.reply.double(zsetsOf(call).score);
}

/** Finds the member in argument `i`. */
function findMember(call: Call, ref: number, i: number): boolean {
  const { args } = call;
  return zsetsOf(call).find(
    ref,
    args.source(i),
    args.off[i]!,
    args.length[i]!,
  );
}

/** `ZRANK key member [WITHSCORE]` */
function zrankCommand(call: Call): void {
  replyRank(call, "zrank", false);
}

/** `ZREVRANK key member [WITHSCORE]` */
function zrevrankCommand(call: Call): void {
  replyRank(call, "zrevrank", true);
}

function replyRank(call: Call, command: string, isReverse: boolean): void {
  const { argc, reply } = call;
  if (argc > 4) return reply.error(wrongNumberOfArguments(command));
  const hasScore = argc === 4;
  if (hasScore && !argumentIs(call, 3, WITHSCORE)) {
    return reply.error(SYNTAX_ERROR);
  }
  const ref = readEntry(call, 0, TYPE_ZSET);
  if (ref === WRONG) return;
  if (ref === 0 || !findMember(call, ref, 2)) {
    return hasScore ? reply.nullArray() : reply.nullBulk();
  }
  const zsets = zsetsOf(call);
  const rank = zsets.rankOfFound(ref);
  if (hasScore) reply.array(2);
  reply.integer(isReverse ? zsets.length(ref) - 1 - rank : rank);
  if (hasScore) reply.double(zsets.score);
}

/** Draws a member for each place. */
class DrawnMembers implements ElementWriter {
  readonly #hasScores: boolean;

  constructor(hasScores: boolean) {
    this.#hasScores = hasScores;
  }

  write(
    space: Keyspace,
    ref: number,
    from: number,
    to: number,
    reply: ReplyWriter,
    limit: number,
  ): number {
    const { zsets } = space.values;
    const { member } = zsets;
    REPLIES.begin(reply, this.#hasScores);
    let place = from;
    for (; place < to && reply.cost < limit; place++) {
      zsets.draw(ref);
      REPLIES.member(member.buf, member.off, member.length, zsets.score);
    }
    return place;
  }
}

const DRAWN = new DrawnMembers(false);
const DRAWN_SCORED = new DrawnMembers(true);

/** `ZRANDMEMBER key [count [WITHSCORES]]` */
function zrandmemberCommand(call: Call): void {
  const { argc, reply } = call;
  if (argc > 2) return drawMembers(call);
  const ref = readEntry(call, 0, TYPE_ZSET);
  if (ref === WRONG) return;
  if (ref === 0) return reply.nullBulk();
  const space = call.keyspace(call.key(0));
  const { zsets } = space.values;
  zsets.draw(ref);
  const { member } = zsets;
  reply.bulk(member.buf, member.off, member.length);
}

/** `ZRANDMEMBER key count [WITHSCORES]` */
function drawMembers(call: Call): void {
  const { argc, reply } = call;
  const count = readInteger(call, 2);
  if (Number.isNaN(count)) return;
  // Near the limits the nearest double does not tell on which side it is.
  const exact = Math.abs(count) < 2 ** 62 ? 0n : bigIntegerAt(call, 2)!;
  if (exact < -INT64_MAX) {
    return reply.error(valueNotBetween(-INT64_MAX, INT64_MAX));
  }
  const hasScores = argc === 4;
  if (argc > 4 || hasScores && !argumentIs(call, 3, WITHSCORES)) {
    return reply.error(SYNTAX_ERROR);
  }
  if (hasScores && (exact < -INT64_MAX / 2n || exact > INT64_MAX / 2n)) {
    return reply.error(VALUE_OUT_OF_RANGE);
  }
  const ref = readEntry(call, 0, TYPE_ZSET);
  if (ref === WRONG) return;
  if (ref === 0 || count === 0) return reply.array(0);
  const space = call.keyspace(call.key(0));
  const { zsets } = space.values;
  const length = zsets.length(ref);
  if (count < 0) {
    replyHead(reply, -count, hasScores);
    const drawn = hasScores ? DRAWN_SCORED : DRAWN;
    return replyDrawn(call, space, ref, drawn, -count);
  }
  if (count >= length) {
    return replyRanks(call, space, ref, 0, length, true, hasScores);
  }
  replyHead(reply, count, hasScores);
  const late = new LateElements(reply);
  zsets.sample(ref, count, new ChosenMembers(reply, hasScores, late));
  late.reply(call, space, ref);
}

/** Writes members as long as there is room. */
class ChosenMembers extends ScoredReplies {
  readonly #late: LateElements;

  constructor(reply: ReplyWriter, hasScores: boolean, late: LateElements) {
    super();
    this.begin(reply, hasScores);
    this.#late = late;
  }

  override member(
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
    words?: Int32Array,
  ): void {
    if (!this.#late.isFull) {
      return super.member(buf, off, length, score, words);
    }
    const bulk = lateBulk(buf, off, length);
    this.#late.add((reply) => {
      if (this.isNested) reply.array(2);
      bulk(reply);
      if (this.hasScores) reply.double(score);
    });
  }
}

const SCAN = new ElementScan();

/** Replies the members that a scan accepts. */
const SCANNED: ScoredVisitor & {
  reply: ReplyWriter | undefined;
  isPacked: boolean;
} = {
  reply: undefined,
  isPacked: false,
  member(buf, off, length, score) {
    if (!SCAN.accepts(buf, off, length)) return;
    const reply = this.reply!;
    reply.bulk(buf, off, length);
    if (SCAN.isWithoutValues) return SCAN.wrote(1);
    SCAN.wrote(2);
    // Redis shows a packed score as it is stored, any other with 17 digits.
    if (Number.isSafeInteger(score)) reply.bulkInteger(score);
    else {
      const text = this.isPacked ? formatDouble(score) : formatDouble17(score);
      reply.bulkText(text);
    }
  },
};

/** `ZSCAN key cursor [MATCH pattern] [COUNT count] [NOSCORES]` */
function zscanCommand(call: Call): void {
  if (!SCAN.readCursor(call)) return;
  const ref = readEntry(call, 0, TYPE_ZSET);
  if (ref === WRONG) return;
  if (ref === 0) return SCAN.replyEmpty();
  if (!SCAN.readOptions(true, NOSCORES)) return;
  const space = call.keyspace(call.key(0));
  const { zsets } = space.values;
  SCANNED.reply = call.reply;
  SCANNED.isPacked = space.encoding(ref) === ZSET_LISTPACK;
  SCAN.run((cursor) => zsets.scan(ref, cursor, SCANNED));
}

/** Rows of these commands. */
export const SORTED_SET_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "zadd",
    group: "sorted-set",
    since: "1.2.0",
    summary: "Gives members of a sorted set their scores.",
    complexity: "O(log(N))",
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_UPDATE,
    syntax: "key [condition:(NX|XX)@3.0.2] [comparison:(GT|LT)@6.2.0] " +
      "[change=CH@3.0.2] [increment=INCR@3.0.2] data:(score:double member)...",
    replies: ["integer", "double", "null"],
    stage: stageAdded(0),
    run: zaddCommand,
  },
  {
    name: "zcard",
    group: "sorted-set",
    since: "1.2.0",
    summary: "Counts the members of a sorted set.",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: KEY_RO,
    syntax: "key",
    replies: ["integer"],
    run: zcardCommand,
  },
  {
    name: "zincrby",
    group: "sorted-set",
    since: "1.2.0",
    summary: "Adds to the score of a member of a sorted set.",
    complexity: "O(log(N))",
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_ACCESS_UPDATE,
    syntax: "key increment:integer member",
    replies: ["double", "null"],
    stage: stageAdded(INCREMENT),
    run: zincrbyCommand,
  },
  {
    name: "zmscore",
    group: "sorted-set",
    since: "6.2.0",
    summary: "Looks up the scores of members of a sorted set.",
    complexity: "O(N)",
    arity: -3,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: "key member...",
    replies: ["array"],
    stage: looksFor(2),
    run: zmscoreCommand,
  },
  {
    name: "zrandmember",
    group: "sorted-set",
    since: "6.2.0",
    summary: "Draws members of a sorted set at random.",
    complexity: "O(N)",
    arity: -2,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output"],
    syntax: "key [options:(count:integer [WITHSCORES])]",
    replies: ["null", "string", "array"],
    isHeavy: manyDrawn,
    run: zrandmemberCommand,
  },
  {
    name: "zrank",
    group: "sorted-set",
    since: "2.0.0",
    summary:
      "Looks up a member's place in a sorted set, from the lowest score.",
    complexity: "O(log(N))",
    arity: -3,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: "key member [WITHSCORE]",
    replies: ["null", "integer", "array"],
    stage: ranks(2),
    run: zrankCommand,
  },
  {
    name: "zrem",
    group: "sorted-set",
    since: "1.2.0",
    summary: "Removes members of a sorted set.",
    complexity: "O(M*log(N))",
    arity: -3,
    flags: ["write", "fast"],
    keys: KEY_RW_DELETE,
    syntax: "key member...",
    replies: ["integer"],
    stage: stageRemoved,
    run: zremCommand,
  },
  {
    name: "zrevrank",
    group: "sorted-set",
    since: "2.0.0",
    summary:
      "Looks up a member's place in a sorted set, from the highest score.",
    complexity: "O(log(N))",
    arity: -3,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: "key member [WITHSCORE]",
    replies: ["null", "integer", "array"],
    stage: ranks(2),
    run: zrevrankCommand,
  },
  {
    name: "zscan",
    group: "sorted-set",
    since: "2.8.0",
    summary: "Goes through a sorted set piece by piece.",
    complexity: "O(1)",
    arity: -3,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output"],
    syntax:
      "key cursor:integer [MATCH pattern] [COUNT count:integer] [NOSCORES]",
    replies: ["array"],
    isHeavy: manyScanned,
    run: zscanCommand,
  },
  {
    name: "zscore",
    group: "sorted-set",
    since: "1.2.0",
    summary: "Looks up the score of a member of a sorted set.",
    complexity: "O(1)",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: "key member",
    replies: ["double", "null"],
    stage: looksFor(2),
    run: zscoreCommand,
  },
];

/**
 * Unions, intersections and differences of sorted sets and sets, whose keys may
 * lie in any shards. A member of a set has the score 1.
 *
 * As in Redis, sources are taken by size, since sums of scores depend on the
 * order; an intersection goes through the smallest and asks the others. A
 * difference goes through the first source in the same way or, if that is less
 * work, copies it and takes away the members of all others.
 *
 * A result is a value in the keyspace of the first key: it becomes the value of
 * that key, or the reply.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { bytesOf } from "../base/bytes.ts";
import { parseDouble } from "../base/double.ts";
import { DOUBLE_ZERO } from "../base/steady_code.ts";
import {
  DEL,
  ZDIFFSTORE,
  ZINTERSTORE,
  ZUNIONSTORE,
} from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import {
  LIMIT_NEGATIVE,
  noInputKeys,
  SYNTAX_ERROR,
  WEIGHT_NOT_A_FLOAT,
  WRONG_TYPE,
} from "../resp/error_reply.ts";
import { TYPE_SET, TYPE_ZSET } from "../types/entry.ts";
import type { SetMember } from "../types/set_member.ts";
import type { MemberVisitor } from "../types/set_value.ts";
import type { ScoredVisitor } from "../types/zset_range.ts";
import type { ZsetValue } from "../types/zset_value.ts";
import { argumentIs, integerAt, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  keyAt,
  numKeysAt,
  OPTIONS_MAX,
} from "./command_spec.ts";
import { replyRanks } from "./sorted_set_replies.ts";
import { manyElements, manyInEach, manyInOthers } from "./heavy_work.ts";
import { COMBINED } from "./many_keys.ts";

const WEIGHTS = bytesOf("weights");
const AGGREGATE = bytesOf("aggregate");
const SUM = bytesOf("sum");
const MIN = bytesOf("min");
const MAX = bytesOf("max");
const WITHSCORES = bytesOf("withscores");
const LIMIT = bytesOf("limit");

type Operation = "union" | "intersection" | "difference";

/** How the scores that a member has in several sources become one. */
type Aggregate = (a: number, b: number) => number;

const SCORE_OF_SET_MEMBER = 1;
/** Members visited between two looks at a limit. */
const PIECE_MEMBERS = 64;
/** Source objects kept between commands. */
const SOURCES_KEPT = 64;
/** A member that is combined with others takes as long as so many that are only read. */
const COMBINED_WEIGHT = 4;

/** One of the values that a command combines; filled anew for each command. */
class Source {
  space!: Keyspace;
  ref = 0;
  length = 0;
  weight = 1;
  /** Score of the member that was found. */
  score = DOUBLE_ZERO;
  #isSet = false;
  #visitor!: ScoredVisitor;
  readonly #setVisitor: MemberVisitor = {
    member: (member: SetMember) => {
      const buf = member.text();
      const { off, length } = member;
      this.#visitor.member(buf, off, length, SCORE_OF_SET_MEMBER);
    },
  };

  /** Becomes the value of an entry, or nothing at all (0). */
  set(space: Keyspace, ref: number): void {
    this.space = space;
    this.ref = ref;
    this.#isSet = ref !== 0 && space.type(ref) === TYPE_SET;
    this.length = ref === 0 ? 0 : space.length(ref);
    this.weight = 1;
  }

  /** Finds a member; `score` is its score. */
  find(buf: Uint8Array, off: number, length: number): boolean {
    if (this.ref === 0) return false;
    const { sets, zsets } = this.space.values;
    if (this.#isSet) {
      this.score = SCORE_OF_SET_MEMBER;
      return sets.has(this.ref, buf, off, length);
    }
    if (!zsets.find(this.ref, buf, off, length)) return false;
    this.score = zsets.score;
    return true;
  }

  /** Visits all members, or stops some time after `isEnough` says so. */
  visit(visitor: ScoredVisitor, isEnough: () => boolean = never): void {
    if (this.ref === 0) return;
    const { sets, zsets } = this.space.values;
    if (this.#isSet) {
      this.#visitor = visitor;
      const end = sets.endPlace(this.ref);
      let place = sets.firstPlace(this.ref);
      while (place < end && !isEnough()) {
        place = sets.visit(this.ref, place, this.#setVisitor);
      }
      return;
    }
    const piece = isEnough === never ? this.length : PIECE_MEMBERS;
    for (let rank = 0; rank < this.length && !isEnough(); rank += piece) {
      const count = Math.min(piece, this.length - rank);
      zsets.visit(this.ref, rank, count, false, visitor);
    }
  }
}

const POOL: Source[] = [];
/** One per key: in the order of the keys, later as it suits. */
const SOURCES: Source[] = [];

function never(): boolean {
  return false;
}

/** What a command line asks for beside its keys. */
class Request {
  aggregate: Aggregate = sum;
  hasScores = false;
  /** 0 for none. */
  limit = 0;
}

const REQUEST = new Request();

/** Two infinities that cancel out make 0. */
function sum(a: number, b: number): number {
  const total = a + b;
  return Number.isNaN(total) ? 0 : total;
}

function least(a: number, b: number): number {
  return b < a ? b : a;
}

function greatest(a: number, b: number): number {
  return b > a ? b : a;
}

/**
 * Reads sources and options, where argument `numkeys` says how many keys there
 * are; false after an error reply.
 */
function readRequest(
  call: Call,
  command: string,
  numkeys: number,
  options: Options,
): boolean {
  const { argc, reply } = call;
  const count = readInteger(call, numkeys);
  if (Number.isNaN(count)) return false;
  if (count < 1) {
    reply.error(noInputKeys(command));
    return false;
  }
  if (count > argc - numkeys - 1) {
    reply.error(SYNTAX_ERROR);
    return false;
  }
  assert(call.keyCount >= count, "numkeys keys were found");
  return readSources(call, call.keyCount - count, count) &&
    readOptions(call, numkeys + 1 + count, options);
}

/** Reads the values of keys; false after an error reply. */
function readSources(call: Call, first: number, count: number): boolean {
  SOURCES.length = 0;
  if (POOL.length > SOURCES_KEPT) POOL.length = SOURCES_KEPT;
  for (let i = 0; i < count; i++) {
    const key = call.key(first + i);
    const space = call.keyspace(key);
    const ref = space.lookupRead(call.db, key, call.nowMs);
    if (ref !== 0) {
      const type = space.type(ref);
      if (type !== TYPE_ZSET && type !== TYPE_SET) {
        call.reply.error(WRONG_TYPE);
        return false;
      }
    }
    const source = POOL[i] ??= new Source();
    source.set(space, ref);
    SOURCES.push(source);
  }
  return true;
}

/** Which options a command takes. */
interface Options {
  readonly weights?: boolean;
  readonly scores?: boolean;
  readonly limit?: boolean;
}

function readOptions(call: Call, first: number, options: Options): boolean {
  const { argc, reply } = call;
  REQUEST.aggregate = sum;
  REQUEST.hasScores = false;
  REQUEST.limit = 0;
  for (let i = first, read = 0; i < argc; i++, read++) {
    const left = argc - i - 1;
    if (read > OPTIONS_MAX) {
      reply.error(SYNTAX_ERROR);
      return false;
    }
    if (
      options.weights && left >= SOURCES.length && argumentIs(call, i, WEIGHTS)
    ) {
      if (!readWeights(call, i + 1)) return false;
      i += SOURCES.length;
    } else if (options.weights && left > 0 && argumentIs(call, i, AGGREGATE)) {
      const aggregate = aggregateAt(call, ++i);
      if (aggregate === undefined) {
        reply.error(SYNTAX_ERROR);
        return false;
      }
      REQUEST.aggregate = aggregate;
    } else if (options.scores && argumentIs(call, i, WITHSCORES)) {
      REQUEST.hasScores = true;
    } else if (options.limit && left > 0 && argumentIs(call, i, LIMIT)) {
      REQUEST.limit = integerAt(call, ++i);
      if (!(REQUEST.limit >= 0)) {
        reply.error(LIMIT_NEGATIVE);
        return false;
      }
    } else {
      reply.error(SYNTAX_ERROR);
      return false;
    }
  }
  return true;
}

function readWeights(call: Call, first: number): boolean {
  const { args } = call;
  for (let i = 0; i < SOURCES.length; i++) {
    const at = first + i;
    const weight = parseDouble(
      args.source(at),
      args.off[at]!,
      args.length[at]!,
    );
    if (Number.isNaN(weight)) {
      call.reply.error(WEIGHT_NOT_A_FLOAT);
      return false;
    }
    SOURCES[i]!.weight = weight;
  }
  return true;
}

function aggregateAt(call: Call, i: number): Aggregate | undefined {
  if (argumentIs(call, i, SUM)) return sum;
  if (argumentIs(call, i, MIN)) return least;
  return argumentIs(call, i, MAX) ? greatest : undefined;
}

function bySize(a: Source, b: Source): number {
  return a.length - b.length;
}

/** Adds members and their scores to a union. */
class Uniter implements ScoredVisitor {
  zsets!: ZsetValue;
  ref = 0;
  weight = 1;
  aggregate: Aggregate = sum;

  member(buf: Uint8Array, off: number, length: number, score: number): void {
    const { zsets, ref } = this;
    const product = this.weight * score;
    const weighted = Number.isNaN(product) ? 0 : product;
    if (!zsets.find(ref, buf, off, length)) {
      return zsets.insertUnordered(ref, buf, off, length, weighted);
    }
    zsets.setFoundUnordered(this.aggregate(zsets.score, weighted));
  }
}

/** Hands on members that are in all other sources, with the scores of all. */
class Intersecter implements ScoredVisitor {
  sink!: ScoredVisitor;
  aggregate: Aggregate = sum;

  member(buf: Uint8Array, off: number, length: number, score: number): void {
    const product = SOURCES[0]!.weight * score;
    let total = Number.isNaN(product) ? 0 : product;
    for (let i = 1; i < SOURCES.length; i++) {
      const other = SOURCES[i]!;
      if (!other.find(buf, off, length)) return;
      total = this.aggregate(total, other.weight * other.score);
    }
    this.sink.member(buf, off, length, total);
  }
}

/** Hands on members that are in no other source. */
class Subtracter implements ScoredVisitor {
  sink!: ScoredVisitor;

  member(buf: Uint8Array, off: number, length: number, score: number): void {
    for (let i = 1; i < SOURCES.length; i++) {
      if (SOURCES[i]!.find(buf, off, length)) return;
    }
    this.sink.member(buf, off, length, score);
  }
}

/** Adds members that come only once. */
class Adder implements ScoredVisitor {
  zsets!: ZsetValue;
  ref = 0;

  member(buf: Uint8Array, off: number, length: number, score: number): void {
    this.zsets.add(this.ref, buf, off, length, score);
  }
}

/** Removes members from a copy that is not in order yet. */
class Remover implements ScoredVisitor {
  zsets!: ZsetValue;
  ref = 0;

  member(buf: Uint8Array, off: number, length: number): void {
    const { zsets, ref } = this;
    if (zsets.find(ref, buf, off, length)) zsets.removeFoundUnordered(ref);
  }
}

/** Only counts. */
class Counter implements ScoredVisitor {
  count = 0;

  member(): void {
    this.count++;
  }
}

const UNITER = new Uniter();
const INTERSECTER = new Intersecter();
const SUBTRACTER = new Subtracter();
const ADDER = new Adder();
const REMOVER = new Remover();
const COUNTER = new Counter();

/** Builds the result as a value that no key has; returns its entry. */
function build(space: Keyspace, operation: Operation): number {
  const begun = space.begun.begin(TYPE_ZSET);
  const { zsets } = space.values;
  ADDER.zsets = zsets;
  ADDER.ref = begun;
  if (operation === "union") unite(zsets, begun);
  else if (operation === "intersection") intersect(ADDER);
  else if (isDifferenceByCopy()) subtractFromCopy(zsets, begun);
  else {
    SUBTRACTER.sink = ADDER;
    SOURCES[0]!.visit(SUBTRACTER);
  }
  return begun;
}

function unite(zsets: ZsetValue, begun: number): void {
  UNITER.zsets = zsets;
  UNITER.ref = begun;
  UNITER.aggregate = REQUEST.aggregate;
  SOURCES.sort(bySize);
  zsets.beginUnordered(begun);
  for (const source of SOURCES) {
    UNITER.weight = source.weight;
    source.visit(UNITER);
  }
  zsets.putInOrder(begun);
}

function intersect(sink: ScoredVisitor, isEnough?: () => boolean): void {
  INTERSECTER.sink = sink;
  INTERSECTER.aggregate = REQUEST.aggregate;
  SOURCES.sort(bySize);
  SOURCES[0]!.visit(INTERSECTER, isEnough);
}

/** Whether it is less work to look up the others' members in the first. */
function isDifferenceByCopy(): boolean {
  const asked = SOURCES[0]!.length * SOURCES.length;
  const copied = SOURCES.reduce((total, { length }) => total + length, 0);
  return asked / 2 > copied;
}

function subtractFromCopy(zsets: ZsetValue, begun: number): void {
  UNITER.zsets = zsets;
  UNITER.ref = begun;
  UNITER.weight = 1;
  REMOVER.zsets = zsets;
  REMOVER.ref = begun;
  zsets.beginUnordered(begun);
  SOURCES[0]!.visit(UNITER);
  for (let i = 1; i < SOURCES.length; i++) SOURCES[i]!.visit(REMOVER);
  zsets.putInOrder(begun);
}

/** Replies the result of an operation. */
function replyResult(
  call: Call,
  operation: Operation,
  command: string,
  options: Options,
): void {
  if (!readRequest(call, command, 1, options)) return;
  const space = call.keyspace(call.key(0));
  const { zsets } = space.values;
  const { hasScores } = REQUEST;
  const begun = build(space, operation);
  const length = zsets.length(begun);
  replyRanks(call, space, begun, 0, length, false, hasScores);
  // To free it is less work than it was to make it.
  if (!space.hasReaders(begun)) zsets.free(begun);
  space.begun.drop();
}

const STORE_EVENTS: Readonly<Record<Operation, number>> = {
  union: ZUNIONSTORE,
  intersection: ZINTERSTORE,
  difference: ZDIFFSTORE,
};

/** Makes the result the value of the first key. */
function storeResult(
  call: Call,
  operation: Operation,
  command: string,
  options: Options,
): void {
  const { db, nowMs, reply } = call;
  if (!readRequest(call, command, 2, options)) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  const length = space.values.zsets.length(build(space, operation));
  const existing = space.lookupWrite(db, key, nowMs);
  if (length > 0) {
    space.begun.store(db, key, existing);
    space.hooks.changed(db, key, STORE_EVENTS[operation]);
  } else {
    space.begun.drop();
    if (existing === 0) return reply.integer(0);
    space.delete(db, existing);
    space.hooks.changed(db, key, DEL);
  }
  reply.integer(length);
}

const WEIGHTED: Options = { weights: true };
const WEIGHTED_SCORED: Options = { weights: true, scores: true };
const SCORED: Options = { scores: true };
const LIMITED: Options = { limit: true };
const PLAIN: Options = {};

/** `ZUNION numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]` */
function zunionCommand(call: Call): void {
  replyResult(call, "union", "zunion", WEIGHTED_SCORED);
}

/** `ZINTER numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]` */
function zinterCommand(call: Call): void {
  replyResult(call, "intersection", "zinter", WEIGHTED_SCORED);
}

/** `ZDIFF numkeys key [key ...] [WITHSCORES]` */
function zdiffCommand(call: Call): void {
  replyResult(call, "difference", "zdiff", SCORED);
}

/** `ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX]` */
function zunionstoreCommand(call: Call): void {
  storeResult(call, "union", "zunionstore", WEIGHTED);
}

/** `ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX]` */
function zinterstoreCommand(call: Call): void {
  storeResult(call, "intersection", "zinterstore", WEIGHTED);
}

/** `ZDIFFSTORE destination numkeys key [key ...]` */
function zdiffstoreCommand(call: Call): void {
  storeResult(call, "difference", "zdiffstore", PLAIN);
}

/** `ZINTERCARD numkeys key [key ...] [LIMIT limit]` */
function zintercardCommand(call: Call): void {
  if (!readRequest(call, "zintercard", 1, LIMITED)) return;
  const most = REQUEST.limit === 0 ? Infinity : REQUEST.limit;
  COUNTER.count = 0;
  intersect(COUNTER, () => COUNTER.count >= most);
  call.reply.integer(Math.min(most, COUNTER.count));
}

const SOURCE_KEYS = [numKeysAt(1, "RO access")];
const TARGET_AND_SOURCE_KEYS = [
  keyAt(1, "OW update"),
  numKeysAt(2, "RO access"),
];
const WEIGHTS_SYNTAX = "[WEIGHTS weight:integer...] " +
  "[AGGREGATE aggregate:(SUM|MIN|MAX)]";

/** Rows of these commands. */
export const SORTED_SET_ALGEBRA_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "zdiff",
    group: "sorted-set",
    since: "6.2.0",
    summary: "Lists the members of a sorted set that are in no other.",
    complexity: "O(L + (N-K)log(N))",
    arity: -3,
    flags: ["readonly"],
    keys: SOURCE_KEYS,
    syntax: "numkeys:integer key... [WITHSCORES]",
    replies: ["array"],
    isHeavy: manyInOthers(0, COMBINED_WEIGHT),
    ...COMBINED,
    run: zdiffCommand,
  },
  {
    name: "zdiffstore",
    group: "sorted-set",
    since: "6.2.0",
    summary: "Stores the members of a sorted set that are in no other.",
    complexity: "O(L + (N-K)log(N))",
    arity: -4,
    flags: ["write", "denyoom"],
    keys: TARGET_AND_SOURCE_KEYS,
    syntax: "destination:key numkeys:integer key...",
    replies: ["integer"],
    isHeavy: manyInOthers(1, COMBINED_WEIGHT),
    ...COMBINED,
    run: zdiffstoreCommand,
  },
  {
    name: "zinter",
    group: "sorted-set",
    since: "6.2.0",
    summary: "Lists the members that all sorted sets have.",
    complexity: "O(N*K)+O(M*log(M))",
    arity: -3,
    flags: ["readonly"],
    keys: SOURCE_KEYS,
    syntax: `numkeys:integer key... ${WEIGHTS_SYNTAX} [WITHSCORES]`,
    replies: ["array"],
    isHeavy: manyInEach(0, COMBINED_WEIGHT),
    ...COMBINED,
    run: zinterCommand,
  },
  {
    name: "zintercard",
    group: "sorted-set",
    since: "7.0.0",
    summary: "Counts the members that all sorted sets have.",
    complexity: "O(N*K)",
    arity: -3,
    flags: ["readonly"],
    keys: SOURCE_KEYS,
    syntax: "numkeys:integer key... [LIMIT limit:integer]",
    replies: ["integer"],
    isHeavy: manyInEach(0, COMBINED_WEIGHT),
    ...COMBINED,
    run: zintercardCommand,
  },
  {
    name: "zinterstore",
    group: "sorted-set",
    since: "2.0.0",
    summary: "Stores the members that all sorted sets have.",
    complexity: "O(N*K)+O(M*log(M))",
    arity: -4,
    flags: ["write", "denyoom"],
    keys: TARGET_AND_SOURCE_KEYS,
    syntax: `destination:key numkeys:integer key... ${WEIGHTS_SYNTAX}`,
    replies: ["integer"],
    isHeavy: manyInEach(1, COMBINED_WEIGHT),
    ...COMBINED,
    run: zinterstoreCommand,
  },
  {
    name: "zunion",
    group: "sorted-set",
    since: "6.2.0",
    summary: "Lists the members that any sorted set has.",
    complexity: "O(N)+O(M*log(M))",
    arity: -3,
    flags: ["readonly"],
    keys: SOURCE_KEYS,
    syntax: `numkeys:integer key... ${WEIGHTS_SYNTAX} [WITHSCORES]`,
    replies: ["array"],
    isHeavy: manyElements(0, COMBINED_WEIGHT),
    ...COMBINED,
    run: zunionCommand,
  },
  {
    name: "zunionstore",
    group: "sorted-set",
    since: "2.0.0",
    summary: "Stores the members that any sorted set has.",
    complexity: "O(N)+O(M log(M))",
    arity: -4,
    flags: ["write", "denyoom"],
    keys: TARGET_AND_SOURCE_KEYS,
    syntax: `destination:key numkeys:integer key... ${WEIGHTS_SYNTAX}`,
    replies: ["integer"],
    isHeavy: manyElements(1, COMBINED_WEIGHT),
    ...COMBINED,
    run: zunionstoreCommand,
  },
];

/**
 * Intersections, unions and differences of sets, whose keys may lie in any
 * shards.
 *
 * As in Redis, an intersection goes through the smallest set and asks the others
 * for each member. A difference goes through the first set in the same way, or,
 * if that is less work, copies it and takes away the members of all others. A
 * union is built in an intset that grows into whatever is needed.
 *
 * A result that is built is a value in the keyspace of the first key: it becomes
 * the value of that key, or the reply. A reply that cannot be large is written
 * as the members are found, and its head put before them at the end.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { bytesOf } from "../base/bytes.ts";
import {
  DEL,
  SDIFFSTORE,
  SINTERSTORE,
  SUNIONSTORE,
} from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import {
  LIMIT_NEGATIVE,
  NUMKEYS_NOT_POSITIVE,
  NUMKEYS_TOO_LARGE,
  SYNTAX_ERROR,
} from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { TYPE_SET } from "../types/entry.ts";
import type { SetMember } from "../types/set_member.ts";
import {
  type MemberVisitor,
  SET_INTSET,
  SET_LISTPACK,
  type SetValue,
} from "../types/set_value.ts";
import { argumentIs, integerAt } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  keyAt,
  keysFrom,
  numKeysAt,
  OPTIONS_MAX,
} from "./command_spec.ts";
import { STREAMED_ELEMENTS_MIN } from "./element_stream.ts";
import { MemberReplies, replyMembers } from "./set_replies.ts";
import { readEntry, WRONG } from "./typed_entry.ts";
import { manyElements, manyInEach, manyInOthers } from "./heavy_work.ts";
import { COMBINED } from "./many_keys.ts";

const LIMIT = bytesOf("limit");

const INTERSECTION = 0;
const UNION = 1;
const DIFFERENCE = 2;

/** Source objects kept between commands. */
const SOURCES_KEPT = 64;
/**
 * A member of a union, or a difference, takes as long as so many that are only read, as
 * does one of an intersection that is stored.
 */
const MEMBER_WEIGHT = 3;
/** One that is looked for in other sets. */
const FOUND_WEIGHT = 2;

/** One of the sets that a command combines; filled anew for each command. */
class Source {
  space!: Keyspace;
  sets!: SetValue;
  ref = 0;
  length = 0;
  /** Number of its key. */
  key = 0;

  /** Whether both are the set of one key. */
  isSame(other: Source): boolean {
    return this.ref === other.ref && this.sets === other.sets;
  }
}

const POOL: Source[] = [];
/** The sets that there are, in the order of their keys or as it suits. */
const SOURCES: Source[] = [];

/** Reads the sets of the keys from `first` on; false after an error reply. */
function readSources(call: Call, first: number): boolean {
  SOURCES.length = 0;
  if (POOL.length > SOURCES_KEPT) POOL.length = SOURCES_KEPT;
  for (let key = first; key < call.keyCount; key++) {
    const ref = readEntry(call, key, TYPE_SET);
    if (ref === WRONG) return false;
    if (ref === 0) continue;
    const source = POOL[SOURCES.length] ??= new Source();
    source.space = call.keyspace(call.key(key));
    source.sets = source.space.values.sets;
    source.ref = ref;
    source.length = source.sets.length(ref);
    source.key = key;
    SOURCES.push(source);
  }
  return true;
}

/** Whether it is clear already that the result is empty. */
function isSurelyEmpty(call: Call, operation: number, first: number): boolean {
  const leader = SOURCES[0];
  if (leader === undefined) return true;
  if (operation === UNION) return false;
  if (operation === INTERSECTION) {
    return SOURCES.length < call.keyCount - first;
  }
  return leader.key !== first ||
    SOURCES.some((other, i) => i > 0 && other.isSame(leader));
}

/** Hands on the members that all other sources have, or that none has. */
class Filter implements MemberVisitor {
  sink!: MemberVisitor;
  areWanted = true;

  member(member: SetMember): void {
    const leader = SOURCES[0]!;
    for (let i = 1; i < SOURCES.length; i++) {
      const other = SOURCES[i]!;
      if (other.isSame(leader)) continue;
      if (other.sets.hasMember(other.ref, member) !== this.areWanted) return;
    }
    this.sink.member(member);
  }
}

/** Adds members to a set that is being built. */
class Adder implements MemberVisitor {
  sets!: SetValue;
  ref = 0;
  /** Whether all members so far are integers. */
  onlyIntegers = true;

  member(member: SetMember): void {
    if (this.onlyIntegers) this.onlyIntegers = member.isInteger();
    this.sets.addMember(this.ref, member);
  }
}

/** Removes members from a set that is being built. */
class Remover implements MemberVisitor {
  sets!: SetValue;
  ref = 0;

  member(member: SetMember): void {
    this.sets.removeMember(this.ref, member);
  }
}

/** Only counts. */
class Counter implements MemberVisitor {
  count = 0;

  member(): void {
    this.count++;
  }
}

const FILTER = new Filter();
const ADDER = new Adder();
const REMOVER = new Remover();
const COUNTER = new Counter();
const REPLIES = new MemberReplies();

function bySize(a: Source, b: Source): number {
  return a.length - b.length;
}

function bySizeDown(a: Source, b: Source): number {
  return b.length - a.length;
}

/** Puts the smallest set first, then the others by size. */
function sortForIntersection(): void {
  SOURCES.sort(bySize);
}

/** Leaves the first set first; the others by size, the largest before. */
function sortForDifference(): void {
  if (SOURCES.length < 3) return;
  const leader = SOURCES.shift()!;
  SOURCES.sort(bySizeDown);
  SOURCES.unshift(leader);
}

/**
 * Whether a difference is made by taking members away from a copy of the first
 * set: the weights are Redis's, and decide about the encoding of the result.
 */
function isDifferenceByCopy(): boolean {
  const asked = SOURCES[0]!.length * SOURCES.length;
  const copied = SOURCES.reduce((sum, { length }) => sum + length, 0);
  return Math.floor(asked / 2) > copied;
}

/** Goes through the first source, sorted for the operation. */
function filterLeader(operation: number, sink: MemberVisitor): void {
  const leader = SOURCES[0]!;
  FILTER.sink = sink;
  FILTER.areWanted = operation === INTERSECTION;
  leader.sets.visitAll(leader.ref, FILTER);
}

/** Builds the result as a set that no key has; returns its entry. */
function build(space: Keyspace, operation: number): number {
  const { sets } = space.values;
  const begun = space.begun.begin(TYPE_SET);
  ADDER.sets = sets;
  ADDER.ref = begun;
  ADDER.onlyIntegers = true;
  if (operation === UNION) {
    for (const source of SOURCES) source.sets.visitAll(source.ref, ADDER);
  } else if (operation === INTERSECTION) {
    sortForIntersection();
    const least = SOURCES[0]!;
    const isIntset = least.sets.intsetOf(least.ref) !== 0;
    sets.begin(begun, isIntset ? SET_INTSET : SET_LISTPACK);
    filterLeader(operation, ADDER);
    const isEmpty = sets.length(begun) === 0;
    if (ADDER.onlyIntegers && !isEmpty) sets.makeIntset(begun);
  } else if (isDifferenceByCopy()) buildDifferenceByCopy(sets, begun);
  else {
    sortForDifference();
    filterLeader(operation, ADDER);
  }
  return begun;
}

function buildDifferenceByCopy(sets: SetValue, begun: number): void {
  REMOVER.sets = sets;
  REMOVER.ref = begun;
  for (let i = 0; i < SOURCES.length; i++) {
    const { sets: from, ref } = SOURCES[i]!;
    from.visitAll(ref, i === 0 ? ADDER : REMOVER);
    if (sets.length(begun) === 0) return;
  }
}

/** Replies the result of an operation on the sets of all keys. */
function replyResult(call: Call, operation: number): void {
  const { reply } = call;
  if (!readSources(call, 0)) return;
  if (isSurelyEmpty(call, operation, 0)) return reply.set(0);
  if (SOURCES.length === 1) {
    const { space, ref, length } = SOURCES[0]!;
    reply.set(length);
    return replyMembers(call, space, ref);
  }
  if (isReplyBuilt(reply, operation)) return replyBuilt(call, operation);
  if (operation === DIFFERENCE) sortForDifference();
  REPLIES.reply = reply;
  REPLIES.count = 0;
  const start = reply.at;
  filterLeader(operation, REPLIES);
  const middle = reply.at;
  reply.set(REPLIES.count);
  reply.exchange(start, middle);
}

/** Whether a reply is built before it is written: it may be large, or must be. */
function isReplyBuilt(reply: ReplyWriter, operation: number): boolean {
  if (operation === UNION) return true;
  if (operation === INTERSECTION) sortForIntersection();
  else if (isDifferenceByCopy()) return true;
  return SOURCES[0]!.length >= STREAMED_ELEMENTS_MIN && reply.canStream;
}

function replyBuilt(call: Call, operation: number): void {
  const space = call.keyspace(call.key(0));
  const { sets } = space.values;
  const begun = build(space, operation);
  const count = sets.length(begun);
  call.reply.set(count);
  replyMembers(call, space, begun);
  // To free it is less work than it was to make it.
  if (!space.hasReaders(begun)) sets.free(begun);
  space.begun.drop();
}

/** The event of an operation that stores its result. */
function storeEvent(operation: number): number {
  if (operation === INTERSECTION) return SINTERSTORE;
  return operation === UNION ? SUNIONSTORE : SDIFFSTORE;
}

/** Makes the result the value of the first key. */
function storeResult(call: Call, operation: number): void {
  const { db, nowMs, reply } = call;
  if (!readSources(call, 1)) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  const length = isSurelyEmpty(call, operation, 1)
    ? 0
    : space.values.sets.length(build(space, operation));
  const existing = space.lookupWrite(db, key, nowMs);
  if (length > 0) {
    space.begun.store(db, key, existing);
    space.hooks.changed(db, key, storeEvent(operation));
  } else {
    space.begun.drop();
    if (existing === 0) return reply.integer(0);
    space.delete(db, existing);
    space.hooks.changed(db, key, DEL);
  }
  reply.integer(length);
}

/** `SINTER key [key ...]` */
function sinterCommand(call: Call): void {
  replyResult(call, INTERSECTION);
}

/** `SINTERSTORE destination key [key ...]` */
function sinterstoreCommand(call: Call): void {
  storeResult(call, INTERSECTION);
}

/** `SINTERCARD numkeys key [key ...] [LIMIT limit]` */
function sintercardCommand(call: Call): void {
  const { argc, reply } = call;
  const keys = integerAt(call, 1);
  if (!(keys >= 1)) return reply.error(NUMKEYS_NOT_POSITIVE);
  if (keys > argc - 2) return reply.error(NUMKEYS_TOO_LARGE);
  if (argc - 2 - keys > OPTIONS_MAX) return reply.error(SYNTAX_ERROR);
  let limit = 0;
  for (let i = 2 + keys; i < argc; i++) {
    if (i + 1 === argc || !argumentIs(call, i, LIMIT)) {
      return reply.error(SYNTAX_ERROR);
    }
    limit = integerAt(call, ++i);
    if (!(limit >= 0)) return reply.error(LIMIT_NEGATIVE);
  }
  assert(call.keyCount === keys, "numkeys keys were found");
  if (!readSources(call, 0)) return;
  if (isSurelyEmpty(call, INTERSECTION, 0)) return reply.integer(0);
  const most = limit === 0 ? Infinity : limit;
  reply.integer(Math.min(most, countIntersection(most)));
}

/** Counts members that are in all sets, to `most` at least if there are more. */
function countIntersection(most: number): number {
  sortForIntersection();
  const { sets, ref, length } = SOURCES[0]!;
  if (SOURCES.length === 1) return length;
  FILTER.sink = COUNTER;
  FILTER.areWanted = true;
  COUNTER.count = 0;
  const end = sets.endPlace(ref);
  let place = sets.firstPlace(ref);
  while (place < end && COUNTER.count < most) {
    place = sets.visit(ref, place, FILTER);
  }
  return COUNTER.count;
}

/** `SUNION key [key ...]` */
function sunionCommand(call: Call): void {
  replyResult(call, UNION);
}

/** `SUNIONSTORE destination key [key ...]` */
function sunionstoreCommand(call: Call): void {
  storeResult(call, UNION);
}

/** `SDIFF key [key ...]` */
function sdiffCommand(call: Call): void {
  replyResult(call, DIFFERENCE);
}

/** `SDIFFSTORE destination key [key ...]` */
function sdiffstoreCommand(call: Call): void {
  storeResult(call, DIFFERENCE);
}

const SOURCE_KEYS = [keysFrom(1, -1, "RO access")];
const TARGET_AND_SOURCE_KEYS = [
  keyAt(1, "OW update"),
  keysFrom(2, -1, "RO access"),
];

/** Rows of these commands. */
export const SET_ALGEBRA_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "sdiff",
    group: "set",
    since: "1.0.0",
    summary: "Lists the members of a set that are in no other.",
    complexity: "O(N)",
    arity: -2,
    flags: ["readonly"],
    keys: SOURCE_KEYS,
    tips: ["nondeterministic_output_order"],
    syntax: "key...",
    replies: ["set"],
    isHeavy: manyInOthers(0, MEMBER_WEIGHT),
    ...COMBINED,
    run: sdiffCommand,
  },
  {
    name: "sdiffstore",
    group: "set",
    since: "1.0.0",
    summary: "Stores the members of a set that are in no other.",
    complexity: "O(N)",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: TARGET_AND_SOURCE_KEYS,
    syntax: "destination:key key...",
    replies: ["integer"],
    isHeavy: manyInOthers(1, MEMBER_WEIGHT),
    ...COMBINED,
    run: sdiffstoreCommand,
  },
  {
    name: "sinter",
    group: "set",
    since: "1.0.0",
    summary: "Lists the members that all sets have.",
    complexity: "O(N*M)",
    arity: -2,
    flags: ["readonly"],
    keys: SOURCE_KEYS,
    tips: ["nondeterministic_output_order"],
    syntax: "key...",
    replies: ["set"],
    isHeavy: manyInEach(0, FOUND_WEIGHT),
    ...COMBINED,
    run: sinterCommand,
  },
  {
    name: "sintercard",
    group: "set",
    since: "7.0.0",
    summary: "Counts the members that all sets have.",
    complexity: "O(N*M)",
    arity: -3,
    flags: ["readonly"],
    keys: [numKeysAt(1, "RO access")],
    syntax: "numkeys:integer key... [LIMIT limit:integer]",
    replies: ["integer"],
    isHeavy: manyInEach(0, FOUND_WEIGHT),
    ...COMBINED,
    run: sintercardCommand,
  },
  {
    name: "sinterstore",
    group: "set",
    since: "1.0.0",
    summary: "Stores the members that all sets have.",
    complexity: "O(N*M)",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: TARGET_AND_SOURCE_KEYS,
    syntax: "destination:key key...",
    replies: ["integer"],
    isHeavy: manyInEach(1, MEMBER_WEIGHT),
    ...COMBINED,
    run: sinterstoreCommand,
  },
  {
    name: "sunion",
    group: "set",
    since: "1.0.0",
    summary: "Lists the members that any of the sets has.",
    complexity: "O(N)",
    arity: -2,
    flags: ["readonly"],
    keys: SOURCE_KEYS,
    tips: ["nondeterministic_output_order"],
    syntax: "key...",
    replies: ["set"],
    isHeavy: manyElements(0, MEMBER_WEIGHT),
    ...COMBINED,
    run: sunionCommand,
  },
  {
    name: "sunionstore",
    group: "set",
    since: "1.0.0",
    summary: "Stores the members that any of the sets has.",
    complexity: "O(N)",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: TARGET_AND_SOURCE_KEYS,
    syntax: "destination:key key...",
    replies: ["integer"],
    isHeavy: manyElements(1, MEMBER_WEIGHT),
    ...COMBINED,
    run: sunionstoreCommand,
  },
];

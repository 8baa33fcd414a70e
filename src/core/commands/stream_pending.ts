/**
 * XPENDING, XCLAIM and XAUTOCLAIM: entries that were delivered and not
 * acknowledged yet, and who has them.
 *
 * Each entry is claimed as a whole. Should memory end in between, the reply ends
 * there, too: it names what was claimed.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { Int64, parseInt64 } from "../base/int64.ts";
import { CHANGED } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { OutOfMemory } from "../memory/heap.ts";
import {
  COUNT_TOO_HIGH,
  type ErrorReply,
  minIdleTimeInvalid,
  noKeyOrGroup,
  SYNTAX_ERROR,
  unrecognizedXclaimOption,
  XAUTOCLAIM_COUNT_INVALID,
  XCLAIM_IDLE_INVALID,
  XCLAIM_RETRYCOUNT_INVALID,
  XCLAIM_TIME_INVALID,
} from "../resp/error_reply.ts";
import { TreePlace } from "../types/id_tree.ts";
import { TYPE_STREAM } from "../types/entry.ts";
import { PendingEntry, type StreamGroups } from "../types/stream_group.ts";
import { StreamId } from "../types/stream_id.ts";
import {
  argumentIs,
  bigIntegerAt,
  integerAt,
  readInteger,
  safeIntegerAt,
} from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  type HeavyTest,
  KEY_RO_ACCESS,
  KEY_RW_DELETE,
  KEY_RW_UPDATE,
} from "./command_spec.ts";
import { idAt, IdList, readEnd, readId, readStart } from "./stream_args.ts";
import {
  addConsumer,
  checkStreamToChange,
  consumerOf,
  groupOf,
  readStream,
  readStreamToChange,
} from "./stream_entry.ts";
import {
  type GroupPlace,
  recordClaim,
  recordConsumer,
  recordGroupId,
} from "./stream_recorded.ts";
import { replyEntryOf, replyId, replyInt64 } from "./stream_reply.ts";
import { WRONG } from "./typed_entry.ts";

const IDLE = bytesOf("idle");
const TIME = bytesOf("time");
const RETRYCOUNT = bytesOf("retrycount");
const FORCE = bytesOf("force");
const JUSTID = bytesOf("justid");
const LASTID = bytesOf("lastid");
const COUNT = bytesOf("count");

/** Entries that XAUTOCLAIM looks at for each that it may claim. */
const ATTEMPTS_FACTOR = 10;
const AUTOCLAIM_COUNT = 100;
/** Redis's own limit: the most that its list of IDs can have. */
const AUTOCLAIM_COUNT_MAX = (2n ** 63n - 1n) / 16n;
/** From here on Redis finds no memory for that list, whatever the machine. */
const AUTOCLAIM_COUNT_TOO_HIGH = 2 ** 43;

const IDS = new IdList();
const ID = new StreamId();
const LAST = new StreamId();
const START = new StreamId();
const END = new StreamId();
const ENTRY = new PendingEntry();
const PLACE = new TreePlace();
const OWN_PLACE = new TreePlace();

/** Stream and group that were found, and whether the consumer is new. */
const FOUND = { ref: 0, group: 0, madeConsumer: false };

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
  const { groups } = call.keyspace(call.key(0)).values.streams;
  if (from + 3 === argc) return replyPending(call, groups, count, minIdleMs);
  const consumer = consumerOf(call, 0, FOUND.group, from + 3);
  if (consumer === 0) return reply.array(0);
  replyOwned(call, groups, consumer, count, minIdleMs);
}

/** Many entries may be looked at, all of a group's or as many as are asked for. */
const manyPending: HeavyTest<Call> = (call) => {
  if (call.argc < 6) return false;
  const { backgroundThreshold } = call.settings;
  const isFiltered = argumentIs(call, 3, IDLE);
  if (!isFiltered && !(integerAt(call, 5) > backgroundThreshold)) return false;
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.peek(call.db, key);
  if (ref === 0 || space.type(ref) !== TYPE_STREAM) return false;
  const group = groupOf(call, 0, ref, 2);
  return group !== 0 &&
    space.values.streams.groups.pendingCount(group) > backgroundThreshold;
};

/** Finds the group of argument 2; false after an error reply. */
function findGroup(call: Call, ref: number): boolean {
  const { args } = call;
  if (ref === WRONG) return false;
  const group = ref === 0 ? 0 : groupOf(call, 0, ref, 2);
  if (group === 0) {
    call.reply.error(noKeyOrGroup(args.copy(1), args.copy(2)));
    return false;
  }
  FOUND.ref = ref;
  FOUND.group = group;
  return true;
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

/** What XCLAIM is to make of the entries, read anew by each command. */
class ClaimOptions {
  isForced = false;
  isJustId = false;
  deliveredAtMs = 0;
  hasDeliveries = false;
  readonly deliveries: Int64 = new Int64();
  readonly lastId: StreamId = new StreamId();

  /** Reads the arguments from `from` on; false after an error reply. */
  read(call: Call, from: number): boolean {
    const { args, argc, reply, clockMs: nowMs } = call;
    this.isForced = this.isJustId = this.hasDeliveries = false;
    this.lastId.setLeast();
    let atMs = nowMs;
    for (let i = from; i < argc; i++) {
      const hasMore = i + 1 < argc;
      if (argumentIs(call, i, FORCE)) this.isForced = true;
      else if (argumentIs(call, i, JUSTID)) this.isJustId = true;
      else if (hasMore && argumentIs(call, i, IDLE)) {
        atMs = nowMs - readFor(call, ++i, XCLAIM_IDLE_INVALID);
      } else if (hasMore && argumentIs(call, i, TIME)) {
        atMs = readFor(call, ++i, XCLAIM_TIME_INVALID);
      } else if (hasMore && argumentIs(call, i, RETRYCOUNT)) {
        if (!this.#readDeliveries(call, ++i)) return false;
      } else if (hasMore && argumentIs(call, i, LASTID)) {
        if (!readId(call, ++i, this.lastId)) return false;
      } else {
        reply.error(unrecognizedXclaimOption(args.copy(i)));
        return false;
      }
      if (Number.isNaN(atMs)) return false;
    }
    // A time that makes no sense is no error: clocks differ.
    this.deliveredAtMs = atMs < 0 || atMs > nowMs ? nowMs : atMs;
    return true;
  }

  #readDeliveries(call: Call, i: number): boolean {
    const { args } = call;
    const { deliveries } = this;
    const off = args.off[i]!;
    if (!parseInt64(args.source(i), off, args.length[i]!, deliveries)) {
      call.reply.error(XCLAIM_RETRYCOUNT_INVALID);
      return false;
    }
    this.hasDeliveries = deliveries.hi >= 0;
    return true;
  }
}

const OPTIONS = new ClaimOptions();

/** Argument `i`, an integer of 64 bits; NaN after an error reply. */
function readFor(call: Call, i: number, error: ErrorReply): number {
  const n = safeIntegerAt(call, i);
  if (!Number.isNaN(n)) return n;
  const big = bigIntegerAt(call, i);
  if (big !== null) return Number(big);
  call.reply.error(error);
  return NaN;
}

/**
 * `XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms]
 * [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID]
 * [LASTID lastid]`
 */
function xclaimCommand(call: Call): void {
  const { argc, reply, clockMs: nowMs } = call;
  if (!findGroup(call, readStreamToChange(call, 0))) return;
  const minIdleMs = readFor(call, 4, minIdleTimeInvalid("XCLAIM"));
  if (Number.isNaN(minIdleMs)) return;
  IDS.clear();
  let i = 5;
  for (; i < argc && idAt(call, i, ID); i++) IDS.add(ID);
  if (!OPTIONS.read(call, i)) return;
  const space = call.keyspace(call.key(0));
  const { groups } = space.values.streams;
  const { group } = FOUND;
  const consumer = seenConsumer(call, groups);
  groups.readLastId(group, LAST);
  const hasNewLast = OPTIONS.lastId.compare(LAST) > 0;
  if (hasNewLast) LAST.set(OPTIONS.lastId);
  const head = reply.at;
  reply.array(IDS.count);
  let claimed = 0;
  let dropped = 0;
  for (let j = 0; j < IDS.count; j++) {
    IDS.read(j, ID);
    const before = reply.at;
    try {
      const outcome = claim(call, space, consumer, minIdleMs);
      if (outcome === CLAIMED) claimed++;
      else if (outcome === DROPPED) dropped++;
    } catch (cause) {
      endEarly(cause, claimed + dropped, space, consumer);
      reply.rewind(before);
      break;
    }
  }
  if (hasNewLast) {
    groups.setLastId(group, LAST);
    space.hooks.signal(call.db, call.key(0), CHANGED);
    if (claimed + dropped === 0 && call.effects.isOn) {
      const scratch = { id: ID, read: new Int64() };
      const { streams } = space.values;
      recordGroupId(call, placeOf(call), streams, group, scratch);
    }
  }
  if (claimed > 0) groups.setActiveAt(consumer, nowMs);
  else recordMadeConsumer(call);
  reply.recount(head, claimed);
}

/** The group of the command. */
function placeOf(call: Call): GroupPlace {
  return { key: call.key(0), groupAt: 2 };
}

/** Records a pending entry as it is now, in the place of the command. */
function recordPending(call: Call, groups: StreamGroups): void {
  if (!call.effects.isOn || !groups.findPending(FOUND.group, ID, PLACE)) return;
  groups.readPending(PLACE, ENTRY);
  recordClaim(call, placeOf(call), groups, ENTRY, LAST);
}

/** Records a consumer that was made for nothing. */
function recordMadeConsumer(call: Call): void {
  if (FOUND.madeConsumer && call.effects.isOn) {
    recordConsumer(call, placeOf(call));
  }
}

/** The consumer of argument 3, which is made if need be and counts as seen. */
function seenConsumer(call: Call, groups: StreamGroups): number {
  let consumer = consumerOf(call, 0, FOUND.group, 3);
  FOUND.madeConsumer = consumer === 0;
  if (consumer === 0) consumer = addConsumer(call, 0, FOUND.group, 3);
  groups.setSeenAt(consumer, call.clockMs);
  call.effects.silence();
  return consumer;
}

/**
 * Goes on with what was done if memory has ended after so many changes; if there
 * were none, undoes what made way for them and throws again.
 */
function endEarly(
  cause: unknown,
  changes: number,
  space: Keyspace,
  consumer: number,
): void {
  if (cause instanceof OutOfMemory && changes > 0) return;
  if (FOUND.madeConsumer) {
    space.values.streams.groups.removeConsumer(FOUND.group, consumer);
    space.hooks.noteChange(-1);
  }
  throw cause;
}

/** What became of an entry that was to be claimed. */
const LEFT = 0;
const DROPPED = 1;
const CLAIMED = 2;

/**
 * Claims the entry {@linkcode ID} and replies it. If it was deleted, it is not
 * pending any more.
 */
function claim(
  call: Call,
  space: Keyspace,
  consumer: number,
  minIdleMs: number,
): number {
  const { reply, nowMs } = call;
  const { log, groups } = space.values.streams;
  const { group, ref } = FOUND;
  if (!log.has(ref, ID)) {
    recordPending(call, groups);
    if (!groups.acknowledge(group, ID)) return LEFT;
    space.hooks.changed(call.db, call.key(0), CHANGED);
    return DROPPED;
  }
  if (groups.findPending(group, ID, PLACE)) {
    groups.readPending(PLACE, ENTRY);
    if (minIdleMs > 0 && nowMs - ENTRY.deliveredAtMs < minIdleMs) return LEFT;
    groups.give(PLACE, consumer, ID);
  } else {
    if (!OPTIONS.isForced) return LEFT;
    groups.assign(group, consumer, ID, PLACE);
    groups.setDeliveries(PLACE, 0, 1);
  }
  groups.setDeliveredAt(PLACE, OPTIONS.deliveredAtMs);
  if (OPTIONS.hasDeliveries) {
    const { hi, lo } = OPTIONS.deliveries;
    groups.setDeliveries(PLACE, hi, lo);
  } else if (!OPTIONS.isJustId) groups.countDelivery(PLACE);
  if (OPTIONS.isJustId) replyId(reply, ID);
  else replyEntryOf(reply, space, ref, ID);
  recordPending(call, groups);
  space.hooks.changed(call.db, call.key(0), CHANGED);
  return CLAIMED;
}

/**
 * `XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]`
 */
function xautoclaimCommand(call: Call): void {
  const { argc, reply } = call;
  const key = call.key(0);
  const space = call.keyspace(key);
  const found = space.lookupRead(call.db, key, call.nowMs);
  const minIdleMs = readFor(call, 4, minIdleTimeInvalid("XAUTOCLAIM"));
  if (Number.isNaN(minIdleMs) || !readStart(call, 5, START)) return;
  let count = AUTOCLAIM_COUNT;
  let isJustId = false;
  for (let i = 6; i < argc; i++) {
    if (i + 1 < argc && argumentIs(call, i, COUNT)) {
      const n = bigIntegerAt(call, ++i);
      if (n === null || n < 1n || n > AUTOCLAIM_COUNT_MAX) {
        return reply.error(XAUTOCLAIM_COUNT_INVALID);
      }
      count = Number(n);
    } else if (argumentIs(call, i, JUSTID)) isJustId = true;
    else return reply.error(SYNTAX_ERROR);
  }
  if (!findGroup(call, checkStreamToChange(call, 0, found))) return;
  if (count >= AUTOCLAIM_COUNT_TOO_HIGH) return reply.error(COUNT_TOO_HIGH);
  const consumer = seenConsumer(call, space.values.streams.groups);
  claimAll(call, space, consumer, count, minIdleMs, isJustId);
}

/** Claims from {@linkcode START} on; the deleted ones go to {@linkcode IDS}. */
function claimAll(
  call: Call,
  space: Keyspace,
  consumer: number,
  count: number,
  minIdleMs: number,
  isJustId: boolean,
): void {
  const { reply, nowMs, db } = call;
  const key = call.key(0);
  const { log, groups } = space.values.streams;
  const { group, ref } = FOUND;
  IDS.clear();
  groups.readLastId(group, LAST);
  const start = reply.at;
  reply.array(Math.min(count, groups.pendingCount(group)));
  let claimed = 0;
  let attempts = count * ATTEMPTS_FACTOR;
  let isThere = groups.firstPending(group, START, PLACE);
  while (isThere && attempts-- > 0 && claimed + IDS.count < count) {
    groups.readPending(PLACE, ENTRY);
    ID.set(ENTRY.id);
    if (!log.has(ref, ID)) {
      recordPending(call, groups);
      groups.acknowledge(group, ID);
      IDS.add(ID);
      space.hooks.changed(db, key, CHANGED);
      isThere = groups.firstPending(group, ID, PLACE);
      continue;
    }
    if (minIdleMs <= 0 || nowMs - ENTRY.deliveredAtMs >= minIdleMs) {
      try {
        groups.give(PLACE, consumer, ID);
      } catch (cause) {
        endEarly(cause, claimed + IDS.count, space, consumer);
        break;
      }
      groups.setDeliveredAt(PLACE, nowMs);
      if (isJustId) replyId(reply, ID);
      else {
        groups.countDelivery(PLACE);
        replyEntryOf(reply, space, ref, ID);
      }
      recordPending(call, groups);
      claimed++;
      space.hooks.changed(db, key, CHANGED);
    }
    isThere = groups.nextPending(PLACE);
  }
  if (claimed > 0) groups.setActiveAt(consumer, nowMs);
  else recordMadeConsumer(call);
  reply.recount(start, claimed);
  // Where to go on is known only now, but stands before the entries.
  const middle = reply.at;
  reply.array(3);
  if (isThere) {
    groups.readPending(PLACE, ENTRY);
    replyId(reply, ENTRY.id);
  } else {
    ID.setLeast();
    replyId(reply, ID);
  }
  reply.exchange(start, middle);
  reply.array(IDS.count);
  for (let i = 0; i < IDS.count; i++) {
    IDS.read(i, ID);
    replyId(reply, ID);
  }
}

/** Rows of these commands. */
export const STREAM_PENDING_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "xautoclaim",
    group: "stream",
    since: "6.2.0",
    summary: "Gives a consumer what others have left pending for too long.",
    complexity: "O(1)",
    arity: -6,
    flags: ["write", "fast"],
    keys: KEY_RW_DELETE,
    tips: ["nondeterministic_output"],
    syntax:
      "key group consumer min-idle-time start [COUNT count:integer] [JUSTID]",
    replies: ["array"],
    run: xautoclaimCommand,
  },
  {
    name: "xclaim",
    group: "stream",
    since: "5.0.0",
    summary: "Gives a consumer entries that are pending with others.",
    complexity: "O(log N)",
    arity: -6,
    flags: ["write", "fast"],
    keys: KEY_RW_UPDATE,
    tips: ["nondeterministic_output"],
    syntax: "key group consumer min-idle-time id... [IDLE ms:integer] " +
      "[TIME unix-time-milliseconds:unix-time] [RETRYCOUNT count:integer] " +
      "[FORCE] [JUSTID] [LASTID lastid]",
    replies: ["array"],
    run: xclaimCommand,
  },
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
    run: xpendingCommand,
  },
];

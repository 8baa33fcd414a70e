/**
 * XCLAIM and XAUTOCLAIM: entries that are pending are given to another consumer.
 * Many are claimed in slices.
 *
 * Each entry is claimed as a whole. Should memory end in between, the reply ends
 * there, too: it names what was claimed.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { Int64, parseInt64 } from "../base/int64.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import { CHANGED } from "../keyspace/key_events.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { OutOfMemory } from "../memory/heap.ts";
import type { Arguments } from "../resp/arguments.ts";
import {
  COUNT_TOO_HIGH,
  type ErrorReply,
  minIdleTimeInvalid,
  SYNTAX_ERROR,
  unrecognizedXclaimOption,
  XAUTOCLAIM_COUNT_INVALID,
  XCLAIM_IDLE_INVALID,
  XCLAIM_RETRYCOUNT_INVALID,
  XCLAIM_TIME_INVALID,
} from "../resp/error_reply.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import { TreePlace } from "../types/id_tree.ts";
import { PendingEntry } from "../types/stream_group.ts";
import { StreamId } from "../types/stream_id.ts";
import { argumentIs, bigIntegerAt, safeIntegerAt } from "./arg_reader.ts";
import type { Call, SlicedChange } from "./call.ts";
import {
  type CommandSpec,
  KEY_RW_DELETE,
  KEY_RW_UPDATE,
  type LateReply,
} from "./command_spec.ts";
import { makeChange } from "./sliced_change.ts";
import { type Output, SlicedOutput } from "./sliced_output.ts";
import { idAt, IdList, readId, readStart } from "./stream_args.ts";
import { RECORDED_BYTES, SLICE_BYTES } from "./stream_delivery.ts";
import {
  addConsumer,
  checkStreamToChange,
  consumerOf,
  groupToUse,
  readStreamToChange,
} from "./stream_entry.ts";
import {
  type GroupPlace,
  recordClaim,
  recordConsumer,
  recordGroupId,
} from "./stream_recorded.ts";
import { replyEntry, replyId } from "./stream_reply.ts";

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

/** Entries that are claimed in one slice. */
const SLICE_CLAIMS = 128;
/** More are claimed in slices. */
const CLAIMS_AT_ONCE = 2 * SLICE_CLAIMS;
/** To claim an entry takes as long as to look at so many that are left. */
const LOOKS_PER_CLAIM = 4;
const SLICE_LOOKS = SLICE_CLAIMS * LOOKS_PER_CLAIM;
/** More entries are looked at in slices. */
const LOOKS_AT_ONCE = 2 * SLICE_LOOKS;

const ID = new StreamId();
const LAST = new StreamId();
/** The entry that was claimed before. */
const BEFORE = new StreamId();
const ENTRY = new PendingEntry();
const PLACE = new TreePlace();
const SCRATCH = { id: new StreamId(), read: new Int64() };

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

/** Argument `i`, an integer of 64 bits; NaN after an error reply. */
function readFor(call: Call, i: number, error: ErrorReply): number {
  const n = safeIntegerAt(call, i);
  if (!Number.isNaN(n)) return n;
  const big = bigIntegerAt(call, i);
  if (big !== null) return Number(big);
  call.reply.error(error);
  return NaN;
}

/** Who claims: a consumer of a group. */
class Claimant implements GroupPlace {
  readonly keyAt = 1;
  readonly groupAt = 2;
  group = 0;
  consumer = 0;
  /** Whether the consumer was made for this. */
  isMade = false;
  minIdleMs = 0;
  /** Entries that it has got. */
  claimed = 0;

  /**
   * Begins, for the consumer of argument 3, which is made if need be and counts
   * as seen.
   */
  begin(call: Call, group: number, minIdleMs: number): void {
    const key = call.key(0);
    const space = call.keyspace(key);
    const { groups } = space.values.streams;
    this.group = group;
    this.minIdleMs = minIdleMs;
    this.claimed = 0;
    this.consumer = consumerOf(call.args, space, group, 3);
    this.isMade = this.consumer === 0;
    if (this.isMade) {
      this.consumer = addConsumer(call, { space, key }, group, 3);
    }
    groups.setSeenAt(this.consumer, call.clockMs);
    call.effects.silence();
  }

  /** Records a pending entry as it is now, in the place of the command. */
  record(output: Output, { values }: Keyspace, id: StreamId): void {
    const { groups } = values.streams;
    if (!output.effects.isOn) return;
    if (!groups.findPending(this.group, id, PLACE)) return;
    groups.readPending(PLACE, ENTRY);
    recordClaim(output, this, groups, ENTRY, LAST);
  }

  /**
   * Memory has ended. If it has after so many changes, they are the end; if there
   * were none, undoes what made way for them and throws again.
   */
  endEarly(cause: unknown, space: Keyspace, changes: number): void {
    if (cause instanceof OutOfMemory && changes > 0) return;
    if (this.isMade) {
      space.values.streams.groups.removeConsumer(this.group, this.consumer);
      space.hooks.noteChange(-1);
    }
    throw cause;
  }

  /** Tells of so many changes. */
  end(output: Output, space: Keyspace, key: Key, changes: number): void {
    if (this.claimed > 0) {
      space.values.streams.groups.setActiveAt(this.consumer, output.clockMs);
    } else if (this.isMade && output.effects.isOn) {
      // It was made for nothing.
      recordConsumer(output, this);
    }
    if (changes > 0) space.hooks.changed(output.db, key, CHANGED, changes);
  }

  /** Bytes that are recorded for so many entries. */
  recordedBytes({ length }: Arguments, entries: number): number {
    return (RECORDED_BYTES + length[1]! + length[2]! + length[3]!) *
      (entries + 2);
  }
}

/** What became of an entry that was to be claimed. */
const LEFT = 0;
const DROPPED = 1;
const CLAIMED = 2;

/** The entries that XCLAIM names. */
class Claim {
  readonly by: Claimant = new Claimant();
  readonly ids: IdList = new IdList();
  readonly options: ClaimOptions = new ClaimOptions();
  /** The last ID that the group has, or is to have. */
  readonly #lastId = new StreamId();
  #hasNewLast = false;
  #dropped = 0;
  #at = 0;

  /** Begins; IDs, options and claimant are read. */
  begin(space: Keyspace): void {
    this.#at = this.#dropped = 0;
    space.values.streams.groups.readLastId(this.by.group, this.#lastId);
    const { lastId } = this.options;
    this.#hasNewLast = lastId.compare(this.#lastId) > 0;
    if (this.#hasNewLast) this.#lastId.set(lastId);
  }

  /**
   * Claims up to `count` entries, or until the writer has passed `limit`; says
   * whether there are more.
   */
  claim(
    output: Output,
    space: Keyspace,
    ref: number,
    count: number,
    limit: number,
  ): boolean {
    const { reply } = output;
    const { by, ids } = this;
    const end = Math.min(this.#at + count, ids.count);
    LAST.set(this.#lastId);
    BEFORE.setGreatest();
    for (; this.#at < end && reply.at < limit; this.#at++) {
      ids.read(this.#at, ID);
      try {
        const outcome = this.#claimOne(output, space, ref);
        if (outcome === CLAIMED) by.claimed++;
        else if (outcome === DROPPED) this.#dropped++;
      } catch (cause) {
        by.endEarly(cause, space, by.claimed + this.#dropped);
        return false;
      }
    }
    return this.#at < ids.count;
  }

  /**
   * Claims the entry {@linkcode ID} and replies it. If it was deleted, it is not
   * pending any more. OutOfMemory is thrown before anything is written.
   */
  #claimOne(output: Output, space: Keyspace, ref: number): number {
    const { reply, nowMs } = output;
    const { by, options } = this;
    const { log, groups, cursor } = space.values.streams;
    const { group, minIdleMs } = by;
    const isThere = ID.compare(BEFORE) > 0
      ? log.findBehind(ref, ID, cursor)
      : log.find(ref, ID, cursor);
    BEFORE.set(ID);
    if (!isThere) {
      by.record(output, space, ID);
      return groups.acknowledge(group, ID) ? DROPPED : LEFT;
    }
    if (groups.findPending(group, ID, PLACE)) {
      groups.readPending(PLACE, ENTRY);
      if (minIdleMs > 0 && nowMs - ENTRY.deliveredAtMs < minIdleMs) return LEFT;
      groups.give(PLACE, by.consumer, ID);
    } else {
      if (!options.isForced) return LEFT;
      groups.assign(group, by.consumer, ID, PLACE);
      groups.setDeliveries(PLACE, 0, 1);
    }
    groups.setDeliveredAt(PLACE, options.deliveredAtMs);
    if (options.hasDeliveries) {
      const { hi, lo } = options.deliveries;
      groups.setDeliveries(PLACE, hi, lo);
    } else if (!options.isJustId) groups.countDelivery(PLACE);
    if (options.isJustId) replyId(reply, ID);
    else replyEntry(reply, cursor.entry);
    by.record(output, space, ID);
    return CLAIMED;
  }

  /** All is done: records what is left to be recorded, and tells. */
  end(output: Output, space: Keyspace, key: Key): void {
    const { by } = this;
    const changes = by.claimed + this.#dropped;
    if (this.#hasNewLast) {
      const { streams } = space.values;
      streams.groups.setLastId(by.group, this.#lastId);
      if (changes === 0) {
        space.hooks.signal(output.db, key, CHANGED);
        if (output.effects.isOn) {
          recordGroupId(output, by, streams, by.group, SCRATCH);
        }
      }
    }
    by.end(output, space, key, changes);
  }
}

// What is done in slices takes it over, and the next command has another.
let CLAIM = new Claim();

/** XCLAIM of many entries. */
class Claiming implements SlicedChange {
  readonly #claim: Claim;
  readonly #output: SlicedOutput;

  constructor(claim: Claim, output: SlicedOutput) {
    this.#claim = claim;
    this.#output = output;
  }

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    const output = this.#output;
    output.args = args;
    const limit = output.reply.at + SLICE_BYTES;
    const isLeft = this.#claim.claim(output, space, ref, SLICE_CLAIMS, limit);
    output.endSlice();
    return isLeft;
  }

  finish(
    space: Keyspace,
    _db: number,
    key: Key,
    _args: Arguments,
    effects: EffectLog,
  ): LateReply {
    const output = this.#output;
    this.#claim.end(output, space, key);
    output.record(effects);
    const { claimed } = this.#claim.by;
    return (reply) => {
      reply.array(claimed);
      output.writeTo(reply);
    };
  }
}

/**
 * `XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms]
 * [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID]
 * [LASTID lastid]`
 */
function xclaimCommand(call: Call): void | Promise<LateReply> {
  const { args, argc, reply } = call;
  const ref = readStreamToChange(call, 0);
  const group = groupToUse(call, ref);
  if (group === 0) return;
  const minIdleMs = readFor(call, 4, minIdleTimeInvalid("XCLAIM"));
  if (Number.isNaN(minIdleMs)) return;
  const claim = CLAIM;
  const { by, ids } = claim;
  ids.clear();
  let i = 5;
  for (; i < argc && idAt(call, i, ID); i++) ids.add(ID);
  if (!claim.options.read(call, i)) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  by.begin(call, group, minIdleMs);
  claim.begin(space);
  if (ids.count > CLAIMS_AT_ONCE) {
    CLAIM = new Claim();
    const bytes = by.recordedBytes(args, ids.count);
    const output = new SlicedOutput(call, bytes);
    return makeChange(call, ref, new Claiming(claim, output));
  }
  const head = reply.at;
  reply.array(ids.count);
  claim.claim(call, space, ref, Infinity, Infinity);
  claim.end(call, space, key);
  reply.recount(head, by.claimed);
}

/** The entries that XAUTOCLAIM finds. */
class AutoClaim {
  readonly by: Claimant = new Claimant();
  isJustId = false;
  /** Entries that are deleted, and not pending any more. */
  deleted = 0;
  /** The first entry that is to be looked at. */
  readonly next: StreamId = new StreamId();
  #count = 0;
  #attempts = 0;

  /** Begins; the rest is set. */
  begin(count: number): void {
    this.deleted = 0;
    this.#count = count;
    this.#attempts = count * ATTEMPTS_FACTOR;
  }

  /**
   * Claims what `looks` are enough for, or until the writer has passed `limit`,
   * and writes the IDs of deleted entries to a writer of their own; says whether
   * there may be more.
   */
  claim(
    output: Output,
    deleted: ReplyWriter,
    space: Keyspace,
    ref: number,
    looks: number,
    limit: number,
  ): boolean {
    const { reply, nowMs } = output;
    const { by, next } = this;
    const { group, minIdleMs } = by;
    const { log, groups, cursor } = space.values.streams;
    let left = looks;
    let isPlaced = false;
    groups.readLastId(group, LAST);
    let isThere = groups.firstPending(group, next, PLACE);
    while (
      isThere && this.#attempts > 0 && by.claimed + this.deleted < this.#count
    ) {
      groups.readPending(PLACE, ENTRY);
      ID.set(ENTRY.id);
      if (left <= 0 || reply.at >= limit) {
        next.set(ID);
        return true;
      }
      left--;
      this.#attempts--;
      const isKept = isPlaced
        ? log.findBehind(ref, ID, cursor)
        : log.find(ref, ID, cursor);
      isPlaced = true;
      if (!isKept) {
        by.record(output, space, ID);
        groups.acknowledge(group, ID);
        replyId(deleted, ID);
        this.deleted++;
        left -= LOOKS_PER_CLAIM;
        isThere = groups.firstPending(group, ID, PLACE);
        continue;
      }
      if (minIdleMs <= 0 || nowMs - ENTRY.deliveredAtMs >= minIdleMs) {
        try {
          groups.give(PLACE, by.consumer, ID);
        } catch (cause) {
          by.endEarly(cause, space, by.claimed + this.deleted);
          break;
        }
        groups.setDeliveredAt(PLACE, nowMs);
        if (this.isJustId) replyId(reply, ID);
        else {
          groups.countDelivery(PLACE);
          replyEntry(reply, cursor.entry);
        }
        by.record(output, space, ID);
        by.claimed++;
        left -= LOOKS_PER_CLAIM;
      }
      isThere = groups.nextPending(PLACE);
    }
    if (isThere) {
      groups.readPending(PLACE, ENTRY);
      next.set(ENTRY.id);
    } else next.setLeast();
    return false;
  }

  /** All is done: records what is left to be recorded, and tells. */
  end(output: Output, space: Keyspace, key: Key): void {
    const { by } = this;
    by.end(output, space, key, by.claimed + this.deleted);
  }

  /** The head of the reply: where to go on, and how many were claimed. */
  replyHead(reply: ReplyWriter): void {
    reply.array(3);
    replyId(reply, this.next);
    reply.array(this.by.claimed);
  }
}

// What is done in slices takes it over, and the next command has another.
let AUTO_CLAIM = new AutoClaim();
/** The IDs of deleted entries, of a command that is done at once. */
let DELETED = new ReplyWriter(1024);
/** Bytes of them that are kept between commands. */
const KEPT_BYTES = 1 << 16;

/** XAUTOCLAIM of many entries. */
class AutoClaiming implements SlicedChange {
  readonly #claim: AutoClaim;
  readonly #output: SlicedOutput;
  readonly #deleted: SlicedOutput;

  constructor(claim: AutoClaim, output: SlicedOutput, deleted: SlicedOutput) {
    this.#claim = claim;
    this.#output = output;
    this.#deleted = deleted;
  }

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    const output = this.#output;
    const deleted = this.#deleted;
    output.args = args;
    const isLeft = this.#claim.claim(
      output,
      deleted.reply,
      space,
      ref,
      SLICE_LOOKS,
      output.reply.at + SLICE_BYTES,
    );
    output.endSlice();
    deleted.endSlice();
    return isLeft;
  }

  finish(
    space: Keyspace,
    _db: number,
    key: Key,
    _args: Arguments,
    effects: EffectLog,
  ): LateReply {
    const claim = this.#claim;
    const output = this.#output;
    claim.end(output, space, key);
    output.record(effects);
    return (reply) => {
      claim.replyHead(reply);
      output.writeTo(reply);
      reply.array(claim.deleted);
      this.#deleted.writeTo(reply);
    };
  }
}

/**
 * `XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]`
 */
function xautoclaimCommand(call: Call): void | Promise<LateReply> {
  const { args, argc, reply } = call;
  const key = call.key(0);
  const space = call.keyspace(key);
  const found = space.lookupRead(call.db, key, call.nowMs);
  const minIdleMs = readFor(call, 4, minIdleTimeInvalid("XAUTOCLAIM"));
  const claim = AUTO_CLAIM;
  if (Number.isNaN(minIdleMs) || !readStart(call, 5, claim.next)) return;
  let count = AUTOCLAIM_COUNT;
  claim.isJustId = false;
  for (let i = 6; i < argc; i++) {
    if (i + 1 < argc && argumentIs(call, i, COUNT)) {
      const n = bigIntegerAt(call, ++i);
      if (n === null || n < 1n || n > AUTOCLAIM_COUNT_MAX) {
        return reply.error(XAUTOCLAIM_COUNT_INVALID);
      }
      count = Number(n);
    } else if (argumentIs(call, i, JUSTID)) claim.isJustId = true;
    else return reply.error(SYNTAX_ERROR);
  }
  const ref = checkStreamToChange(call, 0, found);
  const group = groupToUse(call, ref);
  if (group === 0) return;
  if (count >= AUTOCLAIM_COUNT_TOO_HIGH) return reply.error(COUNT_TOO_HIGH);
  const { by } = claim;
  by.begin(call, group, minIdleMs);
  claim.begin(count);
  const pending = space.values.streams.groups.pendingCount(group);
  const most = Math.min(count, pending);
  if (
    most > CLAIMS_AT_ONCE ||
    Math.min(count * ATTEMPTS_FACTOR, pending) > LOOKS_AT_ONCE
  ) {
    AUTO_CLAIM = new AutoClaim();
    const output = new SlicedOutput(call, by.recordedBytes(args, most));
    const deleted = new SlicedOutput(call, 0);
    return makeChange(call, ref, new AutoClaiming(claim, output, deleted));
  }
  const start = reply.at;
  // Where to go on is known only at the end, but stands before the entries.
  claim.claim(call, DELETED, space, ref, Infinity, Infinity);
  claim.end(call, space, key);
  const middle = reply.at;
  claim.replyHead(reply);
  reply.exchange(start, middle);
  reply.array(claim.deleted);
  reply.raw(DELETED.buf.subarray(0, DELETED.at));
  DELETED.reset();
  if (DELETED.buf.length > KEPT_BYTES) DELETED = new ReplyWriter(1024);
}

/** Rows of these commands. */
export const STREAM_CLAIM_COMMANDS: readonly CommandSpec<Call>[] = [
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
];

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
import { Int64 } from "../base/int64.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import { CHANGED } from "../keyspace/key_events.ts";
import { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { OutOfMemory } from "../memory/heap.ts";
import type { Arguments } from "../resp/arguments.ts";
import {
  COUNT_TOO_HIGH,
  type ErrorReply,
  minIdleTimeInvalid,
  SYNTAX_ERROR,
  XAUTOCLAIM_COUNT_INVALID,
} from "../resp/error_reply.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import { TreePlace } from "../types/id_tree.ts";
import { PendingEntry } from "../types/stream_group.ts";
import { StreamId } from "../types/stream_id.ts";
import { argumentIs, bigIntegerAt } from "./arg_reader.ts";
import type { Call, ChangePlace, SlicedChange } from "./call.ts";
import { ClaimArguments, FIRST_ID, readFor } from "./claim_arguments.ts";
import { groupNames } from "./compared_groups.ts";
import {
  type CommandSpec,
  KEY_RW_DELETE,
  KEY_RW_UPDATE,
  type LateReply,
} from "./command_spec.ts";
import { makeChange } from "./sliced_change.ts";
import { type Output, SlicedOutput } from "./sliced_output.ts";
import { readStart } from "./stream_args.ts";
import { SLICE_BYTES } from "./stream_delivery.ts";
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
import { fieldsWeight, replyEntry, replyId } from "./stream_reply.ts";

const JUSTID = bytesOf("justid");
const COUNT = bytesOf("count");

/** Entries that XAUTOCLAIM looks at for each that it may claim. */
const ATTEMPTS_FACTOR = 10;
const AUTOCLAIM_COUNT = 100;
/** Redis's own limit: the most that its list of IDs can have. */
const AUTOCLAIM_COUNT_MAX = (2n ** 63n - 1n) / 16n;
/** From here on Redis finds no memory for that list, whatever the machine. */
const AUTOCLAIM_COUNT_TOO_HIGH = 2 ** 43;

/** Entries that are claimed at once, or in a slice: each may lie far from others. */
const SLICE_CLAIMS = 64;
/** Arguments that are read in one slice. */
const SLICE_ARGUMENTS = 256;
/** To claim an entry takes as much longer as to look at so many that are left. */
const LOOKS_PER_CLAIM = 4;
/** So much longer takes one that is not near the one before. */
const LOOKS_PER_SEEK = 3;
/** Entries that are looked at in one slice. */
const SLICE_LOOKS = 320;
/** More are gone on with in slices. */
const LOOKS_AT_ONCE = 2 * SLICE_LOOKS;

const ID = new StreamId();
const LAST = new StreamId();
/** The entry that was claimed before. */
const BEFORE = new StreamId();
const ENTRY = new PendingEntry();
const PLACE = new TreePlace();
const SCRATCH = { id: new StreamId(), read: new Int64() };

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

  /** Is to claim from a group. */
  set(group: number, minIdleMs: number): void {
    this.group = group;
    this.minIdleMs = minIdleMs;
  }

  /**
   * Begins, for the consumer of argument 3, which is made if need be and counts
   * as seen.
   */
  begin(output: Output, place: ChangePlace): void {
    const { group } = this;
    const { args, clockMs } = output;
    const { space } = place;
    this.claimed = 0;
    this.consumer = consumerOf(args, space, group, 3);
    this.isMade = this.consumer === 0;
    if (this.isMade) this.consumer = addConsumer(output, place, group, 3);
    space.values.streams.groups.setSeenAt(this.consumer, clockMs);
  }

  /** Records a pending entry as it is now, in the place of the command. */
  record(output: Output, space: Keyspace, id: StreamId): void {
    const { groups } = space.values.streams;
    if (!output.effects.isOn) return;
    if (!groups.findPending(this.group, id, PLACE)) return;
    groups.readPending(PLACE, ENTRY);
    recordClaim(output, this, space, ENTRY, LAST);
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
      recordConsumer(output, this, space);
    }
    if (changes > 0) space.hooks.changed(output.db, key, CHANGED, changes);
  }
}

/** What became of an entry that was to be claimed. */
const LEFT = 0;
const DROPPED = 1;
const CLAIMED = 2;

/** The entries that XCLAIM names. */
class Claim {
  readonly by: Claimant = new Claimant();
  readonly given: ClaimArguments = new ClaimArguments();
  /** The last ID that the group has, or is to have. */
  readonly #lastId = new StreamId();
  #hasNewLast = false;
  #dropped = 0;
  #at = 0;

  /** Begins; the arguments are read. */
  begin(output: Output, place: ChangePlace): void {
    const { groups } = place.space.values.streams;
    this.by.begin(output, place);
    this.#at = this.#dropped = 0;
    groups.readLastId(this.by.group, this.#lastId);
    const { lastId } = this.given;
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
    const { by, given: { ids } } = this;
    const end = Math.min(this.#at + count, ids.count);
    LAST.set(this.#lastId);
    BEFORE.setGreatest();
    let bytes = limit - reply.cost;
    let before = reply.cost;
    for (; this.#at < end && bytes > 0; this.#at++) {
      ids.read(this.#at, ID);
      try {
        const outcome = this.#claimOne(output, space, ref);
        if (outcome === DROPPED) this.#dropped++;
        if (outcome !== CLAIMED) continue;
        by.claimed++;
        bytes -= reply.cost - before + this.#fieldsWeight(reply, space);
        before = reply.cost;
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
    const { by, given } = this;
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
      if (!given.isForced) return LEFT;
      groups.assign(group, by.consumer, ID, PLACE);
      groups.setDeliveries(PLACE, 0, 1);
    }
    groups.setDeliveredAt(PLACE, given.deliveredAtMs);
    if (given.hasDeliveries) {
      const { hi, lo } = given.deliveries;
      groups.setDeliveries(PLACE, hi, lo);
    } else if (!given.isJustId) groups.countDelivery(PLACE);
    if (given.isJustId) replyId(reply, ID);
    else replyEntry(reply, cursor.entry);
    by.record(output, space, ID);
    return CLAIMED;
  }

  /** How long the fields have taken of the entry that was claimed last. */
  #fieldsWeight(reply: ReplyWriter, { values }: Keyspace): number {
    if (this.given.isJustId) return 0;
    return fieldsWeight(reply, values.streams.cursor.entry);
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
          recordGroupId(output, by, space, by.group, SCRATCH);
        }
      }
    }
    by.end(output, space, key, changes);
  }
}

// What is done in slices takes it over, and the next command has another.
let CLAIM = new Claim();

/**
 * XCLAIM of many entries, none of whose arguments is read yet, or of long ones, of
 * which some have been claimed.
 */
class Claiming implements SlicedChange {
  readonly place: ChangePlace;
  error: ErrorReply | null = null;
  readonly #claim: Claim;
  readonly #output: SlicedOutput;
  #hasBegun: boolean;
  /** Whether the command is still in the hold in which some were claimed. */
  #isInHold: boolean;

  constructor(call: Call, claim: Claim, hasBegun: boolean) {
    const { buf, off, length, hash, shard } = call.key(0);
    const name = buf.slice(off, off + length);
    const key = Object.assign(new Key(), { buf: name, length, hash, shard });
    this.place = { space: call.keyspace(key), key };
    this.#claim = claim;
    this.#output = new SlicedOutput(call);
    this.#hasBegun = this.#isInHold = hasBegun;
    if (!hasBegun) claim.given.begin(call);
  }

  /** Takes over what the command has replied from a place on, and recorded. */
  takeOver(call: Call, from: number): void {
    this.#output.takeReply(call, from, call.reply.at);
    this.#output.takeEffects(call);
  }

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    const output = this.#output;
    output.args = args;
    if (this.#isInHold) {
      this.#isInHold = false;
      return true;
    }
    const { given } = this.#claim;
    if (given.isLeft(output)) {
      if (!given.read(output, SLICE_ARGUMENTS)) {
        this.error = output.reply.lastError;
      }
      return this.error === null;
    }
    if (!this.#hasBegun) this.#claim.begin(output, this.place);
    this.#hasBegun = true;
    const limit = output.reply.cost + SLICE_BYTES;
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
    const { error } = this;
    if (error !== null) return (reply) => reply.error(error);
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
  const { argc, reply } = call;
  const ref = readStreamToChange(call, 0);
  const group = groupToUse(call, ref);
  if (group === 0) return;
  const minIdleMs = readFor(call, 4, minIdleTimeInvalid("XCLAIM"));
  if (Number.isNaN(minIdleMs)) return;
  const claim = CLAIM;
  const { by, given } = claim;
  by.set(group, minIdleMs);
  if (argc - FIRST_ID > SLICE_CLAIMS) {
    CLAIM = new Claim();
    return makeChange(call, ref, new Claiming(call, claim, false));
  }
  given.begin(call);
  if (!given.read(call, Infinity)) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  call.effects.silence();
  claim.begin(call, { space, key });
  const head = reply.at;
  reply.array(given.ids.count);
  const from = reply.at;
  const limit = call.canWait && call.inSlices !== null
    ? reply.cost + SLICE_BYTES
    : Infinity;
  if (claim.claim(call, space, ref, Infinity, limit)) {
    CLAIM = new Claim();
    const claiming = new Claiming(call, claim, true);
    claiming.takeOver(call, from);
    reply.rewind(head);
    return makeChange(call, ref, claiming);
  }
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
    let fields = 0;
    let isPlaced = false;
    groups.readLastId(group, LAST);
    let isThere = groups.firstPending(group, next, PLACE);
    while (
      isThere && this.#attempts > 0 && by.claimed + this.deleted < this.#count
    ) {
      groups.readPending(PLACE, ENTRY);
      ID.set(ENTRY.id);
      if (left <= 0 || reply.cost + fields >= limit) {
        next.set(ID);
        return true;
      }
      left--;
      this.#attempts--;
      const isKept = isPlaced
        ? log.findBehind(ref, ID, cursor)
        : log.find(ref, ID, cursor);
      if (!isPlaced || !log.wasNear) left -= LOOKS_PER_SEEK;
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
          fields += fieldsWeight(reply, cursor.entry);
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

/** The end of XAUTOCLAIM, of which a first part has been done. */
class AutoClaiming implements SlicedChange {
  readonly #claim: AutoClaim;
  readonly #output: SlicedOutput;
  readonly #deleted: SlicedOutput;
  /** Whether the command is still in the hold in which it has begun. */
  #isBeginning = true;

  constructor(claim: AutoClaim, output: SlicedOutput, deleted: SlicedOutput) {
    this.#claim = claim;
    this.#output = output;
    this.#deleted = deleted;
  }

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    const output = this.#output;
    const deleted = this.#deleted;
    output.args = args;
    if (this.#isBeginning) {
      this.#isBeginning = false;
      return true;
    }
    const isLeft = this.#claim.claim(
      output,
      deleted.reply,
      space,
      ref,
      SLICE_LOOKS,
      output.reply.cost + SLICE_BYTES,
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

/** Goes on in slices with what is to be claimed; the reply begins at `start`. */
function autoClaimOn(
  call: Call,
  ref: number,
  start: number,
): void | Promise<LateReply> {
  const { reply } = call;
  const output = new SlicedOutput(call);
  output.takeReply(call, start, reply.at);
  output.takeEffects(call);
  reply.rewind(start);
  const deleted = new SlicedOutput(call);
  deleted.takeReply({ reply: DELETED }, 0, DELETED.at);
  DELETED.reset();
  const claiming = new AutoClaiming(AUTO_CLAIM, output, deleted);
  AUTO_CLAIM = new AutoClaim();
  return makeChange(call, ref, claiming);
}

/**
 * `XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]`
 */
function xautoclaimCommand(call: Call): void | Promise<LateReply> {
  const { argc, reply } = call;
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
  by.set(group, minIdleMs);
  by.begin(call, { space, key });
  call.effects.silence();
  claim.begin(count);
  const start = reply.at;
  const canSlice = call.canWait && call.inSlices !== null;
  const looks = canSlice ? LOOKS_AT_ONCE : Infinity;
  const limit = canSlice ? reply.cost + SLICE_BYTES : Infinity;
  if (claim.claim(call, DELETED, space, ref, looks, limit)) {
    return autoClaimOn(call, ref, start);
  }
  // Where to go on is known only at the end, but stands before the entries.
  claim.end(call, space, key);
  const middle = reply.at;
  claim.replyHead(reply);
  reply.exchange(start, middle);
  reply.array(claim.deleted);
  reply.raw(DELETED.buf.subarray(0, DELETED.at));
  DELETED.reset();
  if (DELETED.buf.length > KEPT_BYTES) DELETED = new ReplyWriter(1024);
}

/** Who claims, in the arguments of both. */
const CLAIMANT_NAMES = {
  key: 1,
  group: 2,
  consumer: 3,
  makes: "consumer",
} as const;

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
    stage: groupNames(CLAIMANT_NAMES),
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
    stage: groupNames(CLAIMANT_NAMES),
    run: xclaimCommand,
  },
];

/**
 * Commands that look at all keys: SCAN, KEYS and RANDOMKEY.
 *
 * They have no keys of their own. KEYS is a picture of one instant: of few keys
 * in one hold of all latches, of many in small steps (keys_walk.ts). SCAN takes
 * the latches of the shards one at a time, for a few dozen entries each; a key
 * that is there from the first step to the last is returned. A large COUNT goes on
 * in turns, between which others are served.
 *
 * @module
 */

import { bytesOf, equalsIgnoreCase } from "../base/bytes.ts";
import { globMatchRun } from "../base/glob.ts";
import { TYPE_NAMES } from "../types/entry.ts";
import { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { isLocked } from "../keyspace/locking.ts";
import { keysAt } from "../keyspace/shard_control.ts";
import { ScanWalk } from "../keyspace/scan_walk.ts";
import { LONG_KEY_BYTES } from "../memory/known_keys.ts";
import { INVALID_CURSOR, SYNTAX_ERROR } from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { argumentIs, readInteger } from "./arg_reader.ts";
import type { Call, Later } from "./call.ts";
import type { CommandSpec, LateReply } from "./command_spec.ts";
import { GatheredReply } from "./gathered_reply.ts";
import { type KeptName, KeptNames } from "./kept_names.ts";
import { KeysWalk } from "./keys_walk.ts";
import { parseCursor } from "./scan_cursor.ts";

const MATCH = bytesOf("match");
const COUNT = bytesOf("count");
const TYPE = bytesOf("type");
const TYPES = TYPE_NAMES.map(bytesOf);
const STAR = 0x2a;

const COUNT_DEFAULT = 10;
/** Positions visited per entry asked for, before SCAN returns what it has. */
const POSITIONS_PER_ENTRY = 10;
/** From so many bytes on SCAN's reply gets room before a latch is taken. */
const LONG_REPLY_BYTES = 1 << 20;
/** How much: more than the keys of a step are likely to need. */
const STEP_ROOM_BYTES = 1 << 18;
/** Bytes of names after which a latch is given back. */
const SLICE_BYTES = 1 << 18;
/** A larger COUNT goes on in turns. */
const COUNT_AT_ONCE = 10_000;
/** Entries of a turn, and positions. */
const TURN_ENTRIES = 4096;
const TURN_POSITIONS = TURN_ENTRIES * POSITIONS_PER_ENTRY;
/** Time until it is tried again to take a picture of all keys. */
const PICTURE_WAIT_MS = 2;
/** Attempts to hit an entry at random before one is looked for. */
const DRAWS_MAX = 200;

/** Which entries SCAN returns. */
class ScanFilter {
  count = COUNT_DEFAULT;
  /** Null if every key matches. */
  #pattern: Uint8Array | null = null;
  /** Number of the type, or -1 for any; -2 for one that is none. */
  #type = -1;

  /** Reads the arguments from `from` on; false after an error reply. */
  read(call: Call, from: number): boolean {
    const { args, argc, reply } = call;
    for (let i = from; i < argc; i += 2) {
      const value = i + 1;
      if (value === argc) {
        reply.error(SYNTAX_ERROR);
        return false;
      }
      if (argumentIs(call, i, COUNT)) {
        this.count = readInteger(call, value);
        if (Number.isNaN(this.count)) return false;
        if (this.count >= 1) continue;
      } else if (argumentIs(call, i, MATCH)) {
        this.#pattern = patternAt(call, value);
        continue;
      } else if (argumentIs(call, i, TYPE)) {
        const type = TYPES.findIndex((name) =>
          equalsIgnoreCase(
            args.source(value),
            args.off[value]!,
            args.length[value]!,
            name,
          )
        );
        this.#type = type < 0 ? -2 : type;
        continue;
      }
      reply.error(SYNTAX_ERROR);
      return false;
    }
    return true;
  }

  /** Whether an entry is to be returned, as far as its name says. */
  acceptsName(name: KeptName | Key): boolean {
    return globMatchRun(this.#pattern, name);
  }

  /** Whether a walk has come as far as it is to go. */
  isOver(walk: ScanWalk): boolean {
    return walk.isDone || walk.positions >= this.positionsMax ||
      walk.entries >= this.count;
  }

  /** Positions that are visited, at most. */
  get positionsMax(): number {
    return this.count * POSITIONS_PER_ENTRY;
  }

  /** The same as far as its type says. */
  acceptsType(space: Keyspace, ref: number): boolean {
    return this.#type === -1 || space.type(ref) === this.#type;
  }
}

/** `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]` */
function scanCommand(call: Call): void | Promise<LateReply> {
  const { args, db, nowMs, reply } = call;
  const cursor = parseCursor(args.source(1), args.off[1]!, args.length[1]!);
  if (Number.isNaN(cursor)) return reply.error(INVALID_CURSOR);
  const filter = new ScanFilter();
  if (!filter.read(call, 2)) return;
  if (filter.count > COUNT_AT_ONCE && call.canWait && call.later !== null) {
    return scanInTurns(call, call.later, filter, cursor);
  }
  const start = reply.at;
  let found = 0;
  let limit = 0;
  const key = new Key();
  const long = new KeptNames(call.keyspaces[0]!.heap);
  const isWanted = (name: KeptName) => filter.acceptsName(name);
  const visit = (space: Keyspace, ref: number): void => {
    if (!filter.acceptsType(space, ref)) return;
    space.readName(ref, key);
    const isLong = key.length >= LONG_KEY_BYTES;
    if (!isLong && !filter.acceptsName(key)) return;
    if (space.isExpired(ref, nowMs)) {
      if (!isLocked(space, db, ref)) space.meetExpired(db, ref);
      return;
    }
    if (isLong) return long.add(key);
    replyKey(reply, space, ref);
    found++;
    walk.isFull = reply.cost >= limit;
  };
  const walk = new ScanWalk(call.keyspaces, call.latches, db, cursor);
  do {
    // To give a long reply more room takes long: not while a latch is held.
    if (reply.at - start > LONG_REPLY_BYTES) reply.reserve(STEP_ROOM_BYTES);
    limit = reply.cost + SLICE_BYTES;
    walk.isFull = false;
    walk.step(visit, filter.positionsMax, filter.count);
    // No latch is held while long names are matched.
    long.filter(0, isWanted);
    found += long.count;
    long.reply(reply);
  } while (!filter.isOver(walk));
  const middle = reply.at;
  reply.array(2);
  reply.bulkInteger(walk.cursor);
  reply.array(found);
  reply.exchange(start, middle);
}

/** SCAN of so many that others are served in between; it deletes none. */
function scanInTurns(
  call: Call,
  later: Later,
  filter: ScanFilter,
  cursor: number,
): Promise<LateReply> {
  const isWanted = (name: KeptName) => filter.acceptsName(name);
  const gathered = new GatheredReply(call.reply);
  const long = new KeptNames(call.keyspaces[0]!.heap);
  const key = new Key();
  const walk = new ScanWalk(call.keyspaces, call.latches, call.db, cursor);
  let found = 0;
  let limit = 0;
  let timeMs = call.nowMs;
  const visit = (space: Keyspace, ref: number): void => {
    if (!filter.acceptsType(space, ref) || space.isExpired(ref, timeMs)) return;
    space.readName(ref, key);
    if (key.length >= LONG_KEY_BYTES) return long.add(key);
    if (!filter.acceptsName(key)) return;
    replyKey(gathered.writer(), space, ref);
    found++;
    walk.isFull = gathered.cost >= limit;
  };
  return new Promise((resolve) => {
    const turn = (nowMs: number): void => {
      timeMs = nowMs;
      const entries = walk.entries + TURN_ENTRIES;
      const positions = walk.positions + TURN_POSITIONS;
      while (
        !filter.isOver(walk) && walk.entries < entries &&
        walk.positions < positions
      ) {
        limit = gathered.cost + SLICE_BYTES;
        walk.isFull = false;
        walk.step(visit, filter.positionsMax, filter.count);
        // No latch is held while long names are matched.
        long.filter(0, isWanted);
        found += long.count;
        long.reply(gathered.writer());
      }
      if (!filter.isOver(walk)) return later(turn, 0);
      resolve((reply) => {
        reply.array(2);
        reply.bulkInteger(walk.cursor);
        reply.array(found);
        gathered.reply(reply);
      });
    };
    later(turn, 0);
  });
}

/** `KEYS pattern` */
function keysCommand(call: Call): void | Promise<LateReply> {
  const { later, reply } = call;
  const walk = new KeysWalk(call, patternAt(call, 1));
  // Inside of a transaction, all latches are held.
  const atOnceMax = call.settings.backgroundThreshold;
  const mustWait = () => call.lockGate.mustWaitToLook(call.db);
  if (!call.canWait || later === null) {
    if (walk.listAtOnce(call.nowMs, mustWait)) walk.reply(reply);
    return;
  }
  if (countKeys(call) <= atOnceMax) {
    const outcome = walk.listShort(call.nowMs, mustWait);
    if (outcome === "done") walk.reply(reply);
    if (outcome !== "long") return;
  }
  return new Promise((resolve) => {
    const turn = (nowMs: number): void => {
      const outcome = walk.step(nowMs);
      if (outcome === "done") resolve((late) => walk.reply(late));
      else later(turn, outcome === "more" ? 0 : PICTURE_WAIT_MS);
    };
    later(turn, 0);
  });
}

/** Keys of the database, about: others may add and delete some meanwhile. */
function countKeys(call: Call): number {
  let count = 0;
  for (const space of call.keyspaces) count += space.count(call.db);
  return count;
}

/** Whether the database has no keys, at one instant. */
function isEmpty(call: Call): boolean {
  call.latches.acquireAll();
  const count = countKeys(call);
  call.latches.releaseAll();
  return count === 0;
}

/** Expired keys that RANDOMKEY draws, where none may be deleted, at most. */
const EXPIRED_DRAWS = 100;
/** Keys that it draws before others have their turn. */
const DRAWS_PER_TURN = 128;

/** `RANDOMKEY` */
function randomkeyCommand(call: Call): void {
  const { db, nowMs, latches, keyspaces, reply } = call;
  // Each round finds a key, deletes an expired one, or meets a shard that was
  // emptied since its keys were counted. Expired ones that must stay are met again:
  // after some tries, one is as good as another, but for those that are locked.
  let locked = 0;
  for (let tries = 1;; tries++) {
    const shard = drawShard(call);
    if (shard < 0) {
      if (isEmpty(call)) return reply.nullBulk();
      continue;
    }
    const space = keyspaces[shard]!;
    latches.acquire(shard);
    const ref = drawEntry(call, space);
    const isLive = ref !== 0 &&
      (!space.isExpired(ref, nowMs) ||
        space.keepsExpired && tries >= EXPIRED_DRAWS);
    if (isLive) replyKey(reply, space, ref);
    else if (ref !== 0 && isLocked(space, db, ref)) locked++;
    else if (ref !== 0) space.meetExpired(db, ref);
    latches.release(shard);
    if (isLive) return;
    if (locked >= EXPIRED_DRAWS) return reply.nullBulk();
    // What was deleted need not be met again.
    if (tries % DRAWS_PER_TURN === 0 && call.lockGate.giveWay()) return;
  }
}

/** A shard by the share of its keys, or -1 if there are none at all. */
function drawShard(call: Call): number {
  const { keyspaces, db } = call;
  const total = countKeys(call);
  if (total === 0) return -1;
  let rest = call.random.below(total);
  const last = keyspaces.length - 1;
  for (let shard = 0; shard < last; shard++) {
    rest -= keyspaces[shard]!.count(db);
    if (rest < 0) return shard;
  }
  return last;
}

/** An entry of the shard, 0 if it has none. */
function drawEntry(call: Call, space: Keyspace): number {
  const { control, dict } = space;
  const header = keysAt(call.db);
  const { random } = call;
  for (let i = 0; i < DRAWS_MAX; i++) {
    const ref = dict.draw(control, header, random.nextUint32());
    if (ref !== 0) return ref;
  }
  let found = 0;
  let position = random.nextUint32();
  const positions = dict.cursorCount(control, header);
  for (let i = 0; found === 0 && i <= positions; i++) {
    position = dict.scan(control, header, position, (ref) => found = ref);
  }
  return found;
}

/** The pattern in argument `at`; null if it is a lone star, the usual one. */
function patternAt({ args }: Call, at: number): Uint8Array | null {
  const isStar = args.length[at] === 1 &&
    args.source(at)[args.off[at]!] === STAR;
  return isStar ? null : args.copy(at);
}

function replyKey(reply: ReplyWriter, space: Keyspace, ref: number): void {
  reply.bulk(space.bytes(ref), space.keyOff(ref), space.keyLength(ref));
}

/** Rows of the commands that look at all keys. */
export const SCAN_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "keys",
    group: "generic",
    since: "1.0.0",
    summary: "Names all keys that match a pattern.",
    complexity: "O(N)",
    arity: 2,
    flags: ["readonly"],
    categories: ["keyspace", "dangerous"],
    tips: ["request_policy:all_shards", "nondeterministic_output_order"],
    syntax: "pattern",
    replies: ["array"],
    run: keysCommand,
  },
  {
    name: "randomkey",
    group: "generic",
    since: "1.0.0",
    summary: "Names a key picked at random.",
    complexity: "O(1)",
    arity: 1,
    flags: ["readonly", "touches_arbitrary_keys"],
    tips: [
      "request_policy:all_shards",
      "response_policy:special",
      "nondeterministic_output",
    ],
    replies: ["null", "string"],
    run: randomkeyCommand,
  },
  {
    name: "scan",
    group: "generic",
    since: "2.8.0",
    summary: "Walks through the keys in steps.",
    complexity: "O(1)",
    arity: -2,
    flags: ["readonly", "touches_arbitrary_keys"],
    tips: [
      "nondeterministic_output",
      "request_policy:special",
      "response_policy:special",
    ],
    syntax:
      "cursor:integer [MATCH pattern] [COUNT count:integer] [TYPE type@6.0.0]",
    replies: ["array"],
    run: scanCommand,
  },
];

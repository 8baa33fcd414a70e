/**
 * Commands about databases: choose, exchange, count and empty them.
 *
 * They have no keys. SWAPDB, DBSIZE and the FLUSH commands hold the latches of
 * all shards, so that others see them happen at one instant.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { parseSafeInteger } from "../base/integer.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import {
  canDetach,
  detachDatabase,
  reclaimSlice,
  usedDatabases,
} from "../keyspace/reclaim.ts";
import {
  DB_INDEX_OUT_OF_RANGE,
  type ErrorReply,
  INVALID_FIRST_DB_INDEX,
  INVALID_SECOND_DB_INDEX,
  SYNTAX_ERROR,
  valueNotBetween,
} from "../resp/error_reply.ts";
import { argumentIs, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import type { CommandSpec } from "./command_spec.ts";

const INT_MIN = -(2 ** 31);
const INT_MAX = 2 ** 31 - 1;
const NOT_AN_INT = valueNotBetween(INT_MIN, INT_MAX);

/** Entries freed in one hold of a latch. */
const SLICE_ENTRIES = 64;
/** Positions of the dictionary of watched keys that are settled in one hold. */
const SLICE_POSITIONS = 32;
/** Rounds over the shards with watched keys to be settled. */
const SETTLE_ROUNDS = 4;

const ASYNC = bytesOf("async");
const SYNC = bytesOf("sync");

/** The index of a database in argument `i`, or NaN after an error reply. */
export function readDatabase(call: Call, i: number): number {
  const db = readInteger(call, i);
  if (Number.isNaN(db)) return db;
  const error = whyNoDatabase(call, db);
  if (error === null) return db;
  call.reply.error(error);
  return NaN;
}

function whyNoDatabase(call: Call, db: number): ErrorReply | null {
  if (db < INT_MIN || db > INT_MAX) return NOT_AN_INT;
  return db >= 0 && db < call.settings.databases ? null : DB_INDEX_OUT_OF_RANGE;
}

/** `SELECT index` */
function selectCommand(call: Call): void {
  const db = readDatabase(call, 1);
  if (Number.isNaN(db)) return;
  call.session.db = db;
  call.reply.ok();
}

/** `SWAPDB index1 index2` */
function swapdbCommand(call: Call): void {
  const { reply, keyspaces, latches } = call;
  const first = readSwapped(call, 1, INVALID_FIRST_DB_INDEX);
  if (Number.isNaN(first)) return;
  const second = readSwapped(call, 2, INVALID_SECOND_DB_INDEX);
  if (Number.isNaN(second)) return;
  if (
    whyNoDatabase(call, first) !== null || whyNoDatabase(call, second) !== null
  ) return reply.error(DB_INDEX_OUT_OF_RANGE);
  if (first !== second) {
    latchSettled(call);
    if (call.lockGate.mustWait([first, second], true)) {
      return latches.releaseAll();
    }
    for (const space of keyspaces) {
      // What is watched changes for who watches, if it was there or is now.
      space.hooks.signalDatabase(first);
      space.hooks.signalDatabase(second);
      space.swap(first, second);
      space.hooks.oldValues.swapped(first, second);
      space.hooks.signalExchanged(first, second);
    }
    keyspaces[0]!.hooks.noteChange();
    call.effects.asGiven(call.db, call.args);
    // No cache can know which of its keys have changed.
    keyspaces[0]!.hooks.signalCaches(0);
    latches.releaseAll();
  } else {
    // As Redis has it, nothing is a change, too.
    keyspaces[0]!.hooks.noteChange();
    call.effects.asGiven(call.db, call.args);
  }
  reply.ok();
}

/** An index for SWAPDB, which has a text of its own for what is none. */
function readSwapped(call: Call, i: number, error: ErrorReply): number {
  const { args, reply } = call;
  const db = parseInt32(args.source(i), args.off[i]!, args.length[i]!);
  if (Number.isNaN(db)) reply.error(error);
  return db;
}

function parseInt32(buf: Uint8Array, off: number, length: number): number {
  const n = parseSafeInteger(buf, off, length);
  return n >= INT_MIN && n <= INT_MAX ? n : NaN;
}

/** `DBSIZE` */
function dbsizeCommand(call: Call): void {
  let count = 0;
  call.latches.acquireAll();
  if (call.lockGate.mustWaitToLook(call.db)) return call.latches.releaseAll();
  for (const space of call.keyspaces) count += space.count(call.db);
  call.latches.releaseAll();
  call.reply.integer(count);
}

/** `FLUSHDB [ASYNC | SYNC]` */
function flushdbCommand(call: Call): void {
  if (!readFlushMode(call)) return;
  latchToDetach(call, 1);
  if (call.lockGate.mustWait([call.db], false)) {
    return call.latches.releaseAll();
  }
  for (const space of call.keyspaces) detachDatabase(space, call.db);
  call.effects.asGiven(call.db, call.args);
  flushCaches(call);
  call.latches.releaseAll();
  call.reply.ok();
}

/** `FLUSHALL [ASYNC | SYNC]` */
function flushallCommand(call: Call): void {
  if (!readFlushMode(call)) return;
  if (emptyDatabases(call, true)) call.reply.ok();
}

/**
 * Empties all databases at one instant; no latch is held. If it `isCommand`, it
 * is recorded as the command at hand, and false if that has to wait.
 */
export function emptyDatabases(call: Call, isCommand: boolean): boolean {
  latchToDetach(call, call.settings.databases);
  if (isCommand && call.lockGate.mustWait([-1], false)) {
    call.latches.releaseAll();
    return false;
  }
  for (const space of call.keyspaces) {
    for (let db = 0; db < space.databases; db++) detachDatabase(space, db);
  }
  if (isCommand) call.effects.asGiven(call.db, call.args);
  flushCaches(call);
  call.latches.releaseAll();
  return true;
}

/** Clients drop all that they have in their caches, as in Redis. */
function flushCaches({ keyspaces }: Call): void {
  let forgotten = 0;
  for (const space of keyspaces) forgotten += space.hooks.tracked.forget();
  keyspaces[0]!.hooks.signalCaches(forgotten);
}

/** Both modes do the same: the keys are gone at once, their memory soon. */
function readFlushMode(call: Call): boolean {
  if (
    call.argc === 1 ||
    call.argc === 2 && (argumentIs(call, 1, ASYNC) || argumentIs(call, 1, SYNC))
  ) return true;
  call.reply.error(SYNTAX_ERROR);
  return false;
}

/**
 * Takes the latches of all shards when each has room to detach as many of its
 * databases, or all that have keys. Where there is none, an earlier flush is
 * still being freed: its rest is freed here.
 */
function latchToDetach(call: Call, most: number): void {
  const { keyspaces, latches } = call;
  for (;;) {
    latchSettled(call);
    const full = keyspaces.find((space) =>
      !space.hooks.tracked.canForget() ||
      !canDetach(space, Math.min(most, usedDatabases(space)))
    );
    if (full === undefined) return;
    latches.releaseAll();
    reclaim(call, full);
  }
}

/**
 * Takes the latches of all shards when each knows which watched keys the last
 * exchange of databases has changed; or after some tries, when that is found out
 * in one hold.
 */
function latchSettled({ keyspaces, latches }: Call): void {
  for (let tries = 1;; tries++) {
    latches.acquireAll();
    const unsettled = keyspaces.find(({ hooks }) => !hooks.watched.isSettled);
    if (unsettled === undefined || tries > SETTLE_ROUNDS * keyspaces.length) {
      return;
    }
    latches.releaseAll();
    settleWatched(latches, unsettled);
  }
}

function settleWatched(
  latches: Call["latches"],
  { hooks: { watched }, shard }: Keyspace,
): void {
  let cursor = 0;
  let exchanges: number | null = null;
  do {
    latches.acquire(shard);
    exchanges ??= watched.exchanges;
    cursor = watched.settle(cursor, SLICE_POSITIONS);
    if (cursor === 0) watched.setSettled(exchanges);
    latches.release(shard);
  } while (cursor !== 0);
}

function reclaim(call: Call, space: Keyspace): void {
  let isMore = true;
  while (isMore) {
    call.latches.acquire(space.shard);
    isMore = reclaimSlice(space, SLICE_ENTRIES);
    call.latches.release(space.shard);
  }
}

/** Rows of the commands about databases. */
export const DATABASE_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "dbsize",
    group: "server",
    since: "1.0.0",
    summary: "Counts the keys of the selected database.",
    complexity: "O(1)",
    arity: 1,
    flags: ["readonly", "fast"],
    categories: ["keyspace"],
    tips: ["request_policy:all_shards", "response_policy:agg_sum"],
    replies: ["integer"],
    run: dbsizeCommand,
  },
  {
    name: "flushall",
    group: "server",
    since: "1.0.0",
    summary: "Deletes the keys of all databases.",
    complexity: "O(N)",
    arity: -1,
    flags: ["write"],
    categories: ["keyspace", "dangerous"],
    tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
    syntax: "[flush-type:(ASYNC@4.0.0|SYNC@6.2.0)]",
    replies: ["status"],
    run: flushallCommand,
  },
  {
    name: "flushdb",
    group: "server",
    since: "1.0.0",
    summary: "Deletes the keys of the selected database.",
    complexity: "O(N)",
    arity: -1,
    flags: ["write"],
    categories: ["keyspace", "dangerous"],
    tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
    syntax: "[flush-type:(ASYNC@4.0.0|SYNC@6.2.0)]",
    replies: ["status"],
    run: flushdbCommand,
  },
  {
    name: "select",
    group: "connection",
    since: "1.0.0",
    summary: "Chooses the database of this connection.",
    complexity: "O(1)",
    arity: 2,
    flags: ["loading", "stale", "fast"],
    syntax: "index:integer",
    replies: ["status"],
    run: selectCommand,
  },
  {
    name: "swapdb",
    group: "server",
    since: "4.0.0",
    summary: "Exchanges the contents of two databases.",
    complexity: "O(N)",
    arity: 3,
    flags: ["write", "fast"],
    categories: ["keyspace", "dangerous"],
    syntax: "index1:integer index2:integer",
    replies: ["status"],
    run: swapdbCommand,
  },
];

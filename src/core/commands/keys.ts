/**
 * Commands about keys, whatever their values are: delete, ask for, rename,
 * copy and move them.
 *
 * @module
 */

import { bytesOf, equalLong } from "../base/bytes.ts";
import { TYPE_NAMES } from "../types/entry.ts";
import type { Key } from "../keyspace/key.ts";
import {
  COPY_TO,
  DEL,
  MOVE_FROM,
  MOVE_TO,
  NEW,
  RENAME_FROM,
  RENAME_TO,
} from "../keyspace/key_events.ts";
import { copyEntry, moveEntry, moveToDatabase } from "../keyspace/transfer.ts";
import { NO_SUCH_KEY, SAME_OBJECT, SYNTAX_ERROR } from "../resp/error_reply.ts";
import { argumentIs } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  KEY_RO,
  KEY_RW_ACCESS_UPDATE,
  keyAt,
  keysFrom,
  type OtherDatabaseFinder,
} from "./command_spec.ts";
import { readDatabase } from "./databases.ts";
import { largeMove, manyCopied } from "./heavy_work.ts";
import { manyCounted, manyDeleted, manyTouched } from "./many_keys.ts";

const DB = bytesOf("db");
const REPLACE = bytesOf("replace");

/** `DEL key [key ...]` */
function delCommand(call: Call): void {
  const { db, nowMs } = call;
  let deleted = 0;
  for (let i = 0; i < call.keyCount; i++) {
    const key = call.key(i);
    const space = call.keyspace(key);
    const ref = space.lookupQuiet(db, key, nowMs);
    if (ref === 0) continue;
    space.delete(db, ref);
    space.hooks.changed(db, key, DEL);
    deleted++;
  }
  call.reply.integer(deleted);
}

/** `EXISTS key [key ...]`: a key that is named twice counts twice. */
function existsCommand(call: Call): void {
  const { db, nowMs } = call;
  let found = 0;
  for (let i = 0; i < call.keyCount; i++) {
    const key = call.key(i);
    if (call.keyspace(key).lookupReadQuiet(db, key, nowMs) !== 0) found++;
  }
  call.reply.integer(found);
}

/** `TOUCH key [key ...]` */
function touchCommand(call: Call): void {
  const { db, nowMs } = call;
  let touched = 0;
  for (let i = 0; i < call.keyCount; i++) {
    const key = call.key(i);
    const space = call.keyspace(key);
    const ref = space.lookupReadQuiet(db, key, nowMs);
    if (ref === 0) continue;
    // To touch is what TOUCH is for, also where CLIENT NO-TOUCH is on.
    space.setClock(ref, call.clock.touched(space.clockOf(ref)));
    touched++;
  }
  call.reply.integer(touched);
}

/** `TYPE key` */
function typeCommand(call: Call): void {
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupReadQuiet(call.db, key, call.nowMs);
  call.reply.simple(ref === 0 ? "none" : TYPE_NAMES[space.type(ref)]!);
}

/** `RENAME key newkey` */
function renameCommand(call: Call): void {
  rename(call, false);
}

/** `RENAMENX key newkey` */
function renamenxCommand(call: Call): void {
  rename(call, true);
}

function rename(call: Call, onlyIfFree: boolean): void {
  const { db, nowMs, reply } = call;
  const from = call.key(0);
  const to = call.key(1);
  const source = call.keyspace(from);
  const target = call.keyspace(to);
  const ref = source.lookupWrite(db, from, nowMs);
  if (ref === 0) return reply.error(NO_SUCH_KEY);
  const isSame = isSameKey(from, to);
  const existing = isSame ? ref : target.lookupWrite(db, to, nowMs);
  if (onlyIfFree && existing !== 0) return reply.integer(0);
  if (!isSame) {
    moveEntry(source, db, ref, target, db, to, existing);
    if (existing !== 0) target.hooks.signal(db, to, NEW);
    source.hooks.changed(db, from, RENAME_FROM);
    target.hooks.signal(db, to, RENAME_TO);
  }
  if (onlyIfFree) reply.integer(1);
  else reply.ok();
}

/** `COPY source destination [DB destination-db] [REPLACE]` */
function copyCommand(call: Call): void {
  const { db, nowMs, reply } = call;
  let targetDb = db;
  let replaces = false;
  for (let i = 3; i < call.argc; i++) {
    if (argumentIs(call, i, REPLACE)) replaces = true;
    else if (argumentIs(call, i, DB) && i + 1 < call.argc) {
      targetDb = readDatabase(call, ++i);
      if (Number.isNaN(targetDb)) return;
    } else return reply.error(SYNTAX_ERROR);
  }
  const from = call.key(0);
  const to = call.key(1);
  if (targetDb === db && isSameKey(from, to)) return reply.error(SAME_OBJECT);
  const source = call.keyspace(from);
  const target = call.keyspace(to);
  const ref = source.lookupRead(db, from, nowMs);
  if (ref === 0) return reply.integer(0);
  const existing = target.lookupWrite(targetDb, to, nowMs);
  if (existing !== 0 && !replaces) return reply.integer(0);
  copyEntry(source, ref, target, targetDb, to, existing);
  if (existing !== 0) target.hooks.signal(targetDb, to, NEW);
  target.hooks.changed(targetDb, to, COPY_TO);
  reply.integer(1);
}

const copiedToDatabase: OtherDatabaseFinder = (args) => {
  let db = NaN;
  for (let at = 3; at + 1 < args.argc; at++) {
    if (args.equalsIgnoreCase(at, "DB")) db = args.integer(++at);
  }
  return db;
};

/** `MOVE key db`: in the other database the key has the same shard. */
function moveCommand(call: Call): void {
  const { db, nowMs, reply } = call;
  const targetDb = readDatabase(call, 2);
  if (Number.isNaN(targetDb)) return;
  if (targetDb === db) return reply.error(SAME_OBJECT);
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupWrite(db, key, nowMs);
  if (ref === 0) return reply.integer(0);
  if (space.lookupWrite(targetDb, key, nowMs) !== 0) return reply.integer(0);
  moveToDatabase(space, db, ref, targetDb, key);
  space.hooks.changed(db, key, MOVE_FROM);
  space.hooks.signal(targetDb, key, MOVE_TO);
  reply.integer(1);
}

function isSameKey(a: Key, b: Key): boolean {
  return a.hash === b.hash && a.length === b.length &&
    equalLong(a.buf, a.off, b.buf, b.off, a.length);
}

/** Rows of the commands about keys. */
export const KEY_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "copy",
    group: "generic",
    since: "6.2.0",
    summary: "Copies the value of a key to another key.",
    complexity: "O(N)",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [keyAt(1, "RO access"), keyAt(2, "OW update")],
    findOtherDatabase: copiedToDatabase,
    syntax: "source:key destination:key [DB destination-db:integer] [REPLACE]",
    replies: ["integer"],
    isHeavy: manyCopied,
    run: copyCommand,
  },
  {
    name: "del",
    group: "generic",
    since: "1.0.0",
    summary: "Deletes keys.",
    complexity: "O(N)",
    arity: -2,
    flags: ["write"],
    keys: [keysFrom(1, -1, "RM delete")],
    tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
    syntax: "key...",
    replies: ["integer"],
    manyKeys: manyDeleted,
    run: delCommand,
  },
  {
    name: "exists",
    group: "generic",
    since: "1.0.0",
    summary: "Counts how many of the keys exist.",
    complexity: "O(N)",
    arity: -2,
    flags: ["readonly", "fast"],
    keys: [keysFrom(1, -1, "RO")],
    tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
    syntax: "key...",
    replies: ["integer"],
    manyKeys: manyCounted,
    run: existsCommand,
  },
  {
    name: "move",
    group: "generic",
    since: "1.0.0",
    summary: "Moves a key to another database.",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "fast"],
    keys: KEY_RW_ACCESS_UPDATE,
    findOtherDatabase: (args) => args.integer(2),
    syntax: "key db:integer",
    replies: ["integer"],
    run: moveCommand,
  },
  {
    name: "rename",
    group: "generic",
    since: "1.0.0",
    summary: "Renames a key, replacing what the new name held.",
    complexity: "O(1)",
    arity: 3,
    flags: ["write"],
    keys: [keyAt(1, "RW access delete"), keyAt(2, "OW update")],
    syntax: "key newkey:key",
    replies: ["status"],
    isHeavy: largeMove,
    run: renameCommand,
  },
  {
    name: "renamenx",
    group: "generic",
    since: "1.0.0",
    summary: "Renames a key unless the new name is taken.",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "fast"],
    keys: [keyAt(1, "RW access delete"), keyAt(2, "OW insert")],
    syntax: "key newkey:key",
    replies: ["integer"],
    isHeavy: largeMove,
    run: renamenxCommand,
  },
  {
    name: "touch",
    group: "generic",
    since: "3.2.1",
    summary: "Counts how many of the keys exist and marks them as used now.",
    complexity: "O(N)",
    arity: -2,
    flags: ["readonly", "fast"],
    keys: [keysFrom(1, -1, "RO")],
    tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
    syntax: "key...",
    replies: ["integer"],
    manyKeys: manyTouched,
    run: touchCommand,
  },
  {
    name: "type",
    group: "generic",
    since: "1.0.0",
    summary: "Tells the type of the value of a key.",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: KEY_RO,
    syntax: "key",
    replies: ["status"],
    run: typeCommand,
  },
  {
    name: "unlink",
    group: "generic",
    since: "4.0.0",
    summary: "Deletes keys and frees their memory in the background.",
    complexity: "O(1)",
    arity: -2,
    flags: ["write", "fast"],
    keys: [keysFrom(1, -1, "RM delete")],
    tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
    syntax: "key...",
    replies: ["integer"],
    manyKeys: manyDeleted,
    run: delCommand,
  },
];

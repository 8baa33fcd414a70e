/**
 * String commands: values read and written as a whole.
 *
 * @module
 */

import {
  DEL,
  EXPIRE,
  PERSIST as PERSISTED,
  SET,
} from "../keyspace/key_events.ts";
import { TYPE_STRING } from "../types/entry.ts";
import {
  SYNTAX_ERROR,
  WRONG_TYPE,
  wrongNumberOfArguments,
} from "../resp/error_reply.ts";
import type { Call } from "./call.ts";
import { setKeys } from "./command_keys.ts";
import {
  type CommandSpec,
  KEY_OW_UPDATE,
  KEY_RO_ACCESS,
  KEY_RW_ACCESS_DELETE,
  KEY_RW_ACCESS_UPDATE,
  keyAt,
  keyPairsFrom,
  keysFrom,
  MADE_KEY_WEIGHT,
} from "./command_spec.ts";
import {
  MILLISECONDS,
  readExpireMs,
  SECONDS,
  type UnitMs,
} from "./expire_time.ts";
import { manyStored, manyStoredNew, manyStrings } from "./many_keys.ts";
import { RECORDED, recordExpire, recordOfKey, recordSet } from "./recorded.ts";
import {
  EXAT,
  GET,
  GETEX_OPTIONS,
  isGetAt,
  KEEPTTL,
  NX,
  PERSIST,
  PXAT,
  SET_OPTIONS,
  StringOptions,
  XX,
} from "./string_options.ts";
import { replyString, storeArgument } from "./string_value.ts";

/** Read anew by each command that has options. */
const OPTIONS = new StringOptions();

/** `GET key` */
function getCommand(call: Call): void {
  replyValue(call);
}

/**
 * `SET key value [NX | XX] [GET]
 * [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]`
 */
function setCommand(call: Call): void {
  if (call.argc > 3) return setWithOptions(call);
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupWrite(call.db, key, call.nowMs);
  storeArgument(call, space, key, ref, 2, 0);
  space.hooks.changed(call.db, key, SET);
  call.reply.ok();
}

/**
 * A time in the past is not refused: the key is set and has expired. With GET
 * the old value, or null, is the reply in any case, even if nothing was set.
 */
function setWithOptions(call: Call): void {
  if (!OPTIONS.read(call, 3, SET_OPTIONS)) {
    return call.reply.error(SYNTAX_ERROR);
  }
  let expireAtMs = OPTIONS.readExpireMs(call, "set");
  if (Number.isNaN(expireAtMs)) return;
  const flags = OPTIONS.flags;
  const asksOld = (flags & GET) !== 0;
  if (asksOld && !replyValue(call)) return;

  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupWrite(call.db, key, call.nowMs);
  if ((flags & (ref === 0 ? XX : NX)) !== 0) {
    if (!asksOld) call.reply.nullBulk();
    return;
  }
  const isExpiring = expireAtMs !== 0;
  if ((flags & KEEPTTL) !== 0 && ref !== 0) expireAtMs = space.expireAt(ref);
  storeArgument(call, space, key, ref, 2, expireAtMs);
  space.hooks.changed(call.db, key, SET);
  if (isExpiring) {
    space.hooks.signal(call.db, key, EXPIRE);
    recordSet(call, 2, expireAtMs);
  } else if (asksOld) recordWithoutGet(call);
  if (!asksOld) call.reply.ok();
}

/** Nobody will ask for the old value again. */
function recordWithoutGet(call: Call): void {
  const { effects, args, db } = call;
  if (!effects.isOn) return;
  let argc = args.count;
  for (let i = 3; i < args.count; i++) if (isGetAt(call, i)) argc--;
  effects.replace(db, RECORDED.SET, argc);
  for (let i = 1; i < args.count; i++) {
    if (i < 3 || !isGetAt(call, i)) effects.argument(args, i);
  }
}

/** `SETNX key value` */
function setnxCommand(call: Call): void {
  const key = call.key(0);
  const space = call.keyspace(key);
  if (space.lookupWrite(call.db, key, call.nowMs) !== 0) {
    return call.reply.integer(0);
  }
  storeArgument(call, space, key, 0, 2, 0);
  space.hooks.changed(call.db, key, SET);
  call.reply.integer(1);
}

/** `SETEX key seconds value` */
function setexCommand(call: Call): void {
  setExpiring(call, SECONDS, "setex");
}

/** `PSETEX key milliseconds value` */
function psetexCommand(call: Call): void {
  setExpiring(call, MILLISECONDS, "psetex");
}

function setExpiring(call: Call, unitMs: UnitMs, command: string): void {
  const expireAtMs = readExpireMs(call, 2, unitMs, call.nowMs, false, command);
  if (Number.isNaN(expireAtMs)) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupWrite(call.db, key, call.nowMs);
  storeArgument(call, space, key, ref, 3, expireAtMs);
  recordSet(call, 3, expireAtMs);
  space.hooks.changed(call.db, key, SET);
  space.hooks.signal(call.db, key, EXPIRE);
  call.reply.ok();
}

/** `GETSET key value` */
function getsetCommand(call: Call): void {
  if (!replyValue(call)) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  storeArgument(call, space, key, space.peek(call.db, key), 2, 0);
  recordSet(call, 2, 0);
  space.hooks.changed(call.db, key, SET);
}

/** `GETDEL key` */
function getdelCommand(call: Call): void {
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupRead(call.db, key, call.nowMs);
  if (ref === 0) return call.reply.nullBulk();
  if (space.type(ref) !== TYPE_STRING) return call.reply.error(WRONG_TYPE);
  replyString(call.reply, space, ref);
  space.delete(call.db, ref);
  space.hooks.changed(call.db, key, DEL);
  recordOfKey(call, RECORDED.DEL);
}

/**
 * `GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]`: the time is looked
 * at only if the key exists; one in the past deletes the key.
 */
function getexCommand(call: Call): void {
  if (!OPTIONS.read(call, 2, GETEX_OPTIONS)) {
    return call.reply.error(SYNTAX_ERROR);
  }
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupRead(call.db, key, call.nowMs);
  if (ref === 0) return call.reply.nullBulk();
  if (space.type(ref) !== TYPE_STRING) return call.reply.error(WRONG_TYPE);
  const expireAtMs = OPTIONS.readExpireMs(call, "getex");
  if (Number.isNaN(expireAtMs)) return;

  const flags = OPTIONS.flags;
  replyString(call.reply, space, ref);
  if ((flags & (EXAT | PXAT)) !== 0 && expireAtMs <= call.nowMs) {
    space.delete(call.db, ref);
    space.hooks.changed(call.db, key, DEL);
    recordOfKey(call, RECORDED.DEL);
  } else if (expireAtMs !== 0) {
    space.setExpire(call.db, ref, expireAtMs);
    space.hooks.changed(call.db, key, EXPIRE);
    recordExpire(call, expireAtMs, call.argc);
  } else if ((flags & PERSIST) !== 0 && space.expireAt(ref) !== 0) {
    space.setExpire(call.db, ref, 0);
    space.hooks.changed(call.db, key, PERSISTED);
    recordOfKey(call, RECORDED.PERSIST);
  }
}

/** `MGET key [key ...]`: null for what is no string. */
function mgetCommand(call: Call): void {
  const { reply, db, nowMs, keyCount } = call;
  reply.array(keyCount);
  for (let i = 0; i < keyCount; i++) {
    const key = call.key(i);
    const space = call.keyspace(key);
    const ref = space.lookupRead(db, key, nowMs);
    if (ref === 0 || space.type(ref) !== TYPE_STRING) reply.nullBulk();
    else replyString(reply, space, ref);
  }
}

/** `MSET key value [key value ...]`: of a repeated key, the last value stays. */
function msetCommand(call: Call): void {
  if ((call.argc & 1) === 0) {
    return call.reply.error(wrongNumberOfArguments("mset"));
  }
  storePairs(call);
  call.reply.ok();
}

/** `MSETNX key value [key value ...]` */
function msetnxCommand(call: Call): void {
  if ((call.argc & 1) === 0) {
    return call.reply.error(wrongNumberOfArguments("msetnx"));
  }
  for (let i = 0; i < call.keyCount; i++) {
    const key = call.key(i);
    if (call.keyspace(key).lookupWrite(call.db, key, call.nowMs) !== 0) {
      return call.reply.integer(0);
    }
  }
  storePairs(call);
  call.reply.integer(1);
}

function storePairs(call: Call): void {
  for (let i = 0; i < call.keyCount; i++) {
    const key = call.key(i);
    const space = call.keyspace(key);
    const ref = space.lookupWrite(call.db, key, call.nowMs);
    storeArgument(call, space, key, ref, 2 * i + 2, 0);
    space.hooks.changed(call.db, key, SET);
  }
}

/** Replies the first key's value, or null; false after an error reply. */
function replyValue(call: Call): boolean {
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupRead(call.db, key, call.nowMs);
  if (ref === 0) call.reply.nullBulk();
  else if (space.type(ref) === TYPE_STRING) replyString(call.reply, space, ref);
  else {
    call.reply.error(WRONG_TYPE);
    return false;
  }
  return true;
}

/** Rows of the commands on whole strings. */
export const STRING_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "get",
    group: "string",
    since: "1.0.0",
    summary: "Reads the string at a key.",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: "key",
    replies: ["string", "null"],
    run: getCommand,
  },
  {
    name: "getdel",
    group: "string",
    since: "6.2.0",
    summary: "Reads the string at a key and deletes the key.",
    complexity: "O(1)",
    arity: 2,
    flags: ["write", "fast"],
    keys: KEY_RW_ACCESS_DELETE,
    syntax: "key",
    replies: ["string", "null"],
    run: getdelCommand,
  },
  {
    name: "getex",
    group: "string",
    since: "6.2.0",
    summary: "Reads the string at a key and changes when it expires.",
    complexity: "O(1)",
    arity: -2,
    flags: ["write", "fast"],
    keys: KEY_RW_ACCESS_UPDATE,
    syntax:
      "key [expiration:(EX seconds:integer|PX milliseconds:integer|EXAT unix-time-seconds:unix-time|PXAT unix-time-milliseconds:unix-time|PERSIST)]",
    replies: ["string", "null"],
    run: getexCommand,
  },
  {
    name: "getset",
    group: "string",
    since: "1.0.0",
    summary: "Sets a key to a string and returns the string it replaced.",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_ACCESS_UPDATE,
    syntax: "key value",
    replies: ["string", "null"],
    docFlags: ["deprecated"],
    deprecatedSince: "6.2.0",
    replacedBy: "`SET` with the `!GET` argument",
    run: getsetCommand,
  },
  {
    name: "mget",
    group: "string",
    since: "1.0.0",
    summary: "Reads the strings at several keys at one instant.",
    complexity: "O(N)",
    arity: -2,
    flags: ["readonly", "fast"],
    keys: [keysFrom(1, -1, "RO access")],
    tips: ["request_policy:multi_shard"],
    syntax: "key...",
    replies: ["array"],
    manyKeys: manyStrings,
    repliesValues: true,
    run: mgetCommand,
  },
  {
    name: "mset",
    group: "string",
    since: "1.0.1",
    summary: "Sets several keys to strings at one instant.",
    complexity: "O(N)",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [keyPairsFrom(1, "OW update")],
    tips: ["request_policy:multi_shard", "response_policy:all_succeeded"],
    syntax: "data:(key value)...",
    replies: ["status"],
    manyKeys: manyStored,
    keyWeight: MADE_KEY_WEIGHT,
    run: msetCommand,
  },
  {
    name: "msetnx",
    group: "string",
    since: "1.0.1",
    summary: "Sets several keys to strings, unless one of the keys exists.",
    complexity: "O(N)",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [keyPairsFrom(1, "OW insert")],
    syntax: "data:(key value)...",
    replies: ["integer"],
    manyKeys: manyStoredNew,
    keyWeight: MADE_KEY_WEIGHT,
    run: msetnxCommand,
  },
  {
    name: "psetex",
    group: "string",
    since: "2.6.0",
    summary: "Sets a key to a string that expires after some milliseconds.",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: KEY_OW_UPDATE,
    syntax: "key milliseconds:integer value",
    replies: ["status"],
    docFlags: ["deprecated"],
    deprecatedSince: "2.6.12",
    replacedBy: "`SET` with the `PX` argument",
    run: psetexCommand,
  },
  {
    name: "set",
    group: "string",
    since: "1.0.0",
    summary: "Sets a key to a string, whatever the key held before.",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [keyAt(1, "RW access update variable_flags")],
    findKeys: setKeys,
    syntax:
      "key value [condition:(NX|XX)@2.6.12] [GET@6.2.0] [expiration:(EX seconds:integer@2.6.12|PX milliseconds:integer@2.6.12|EXAT unix-time-seconds:unix-time@6.2.0|PXAT unix-time-milliseconds:unix-time@6.2.0|KEEPTTL@6.0.0)]",
    replies: ["null", "status", "string"],
    run: setCommand,
  },
  {
    name: "setex",
    group: "string",
    since: "2.0.0",
    summary: "Sets a key to a string that expires after some seconds.",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: KEY_OW_UPDATE,
    syntax: "key seconds:integer value",
    replies: ["status"],
    docFlags: ["deprecated"],
    deprecatedSince: "2.6.12",
    replacedBy: "`SET` with the `EX` argument",
    run: setexCommand,
  },
  {
    name: "setnx",
    group: "string",
    since: "1.0.0",
    summary: "Sets a key to a string unless the key exists.",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: [keyAt(1, "OW insert")],
    syntax: "key value",
    replies: ["integer"],
    docFlags: ["deprecated"],
    deprecatedSince: "2.6.12",
    replacedBy: "`SET` with the `NX` argument",
    run: setnxCommand,
  },
];

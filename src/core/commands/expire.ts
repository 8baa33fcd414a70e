/**
 * Commands about when keys expire.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { DEL, EXPIRE, PERSIST } from "../keyspace/key_events.ts";
import {
  EXPIRE_GT_LT_INCOMPATIBLE,
  EXPIRE_NX_INCOMPATIBLE,
  unsupportedOption,
} from "../resp/error_reply.ts";
import { argumentIs } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  KEY_RO_ACCESS,
  KEY_RW_UPDATE,
} from "./command_spec.ts";
import {
  MILLISECONDS,
  readExpireMs,
  replyTime,
  SECONDS,
  type UnitMs,
} from "./expire_time.ts";
import { RECORDED, recordExpire, recordOfKey } from "./recorded.ts";

/** Only if the key has no expire. */
const NX = 1 << 0;
/** Only if it has one. */
const XX = 1 << 1;
/** Only if the new one is later. */
const GT = 1 << 2;
/** Only if the new one is earlier. */
const LT = 1 << 3;
const CONDITIONS = ["nx", "xx", "gt", "lt"].map(bytesOf);

/** Replies for a key without an expire, and for no key. */
const NO_EXPIRE = -1;
const NO_KEY = -2;

/** `EXPIRE key seconds [NX | XX | GT | LT]` */
function expireCommand(call: Call): void {
  expire(call, SECONDS, call.nowMs, "expire");
}

/** `PEXPIRE key milliseconds [NX | XX | GT | LT]` */
function pexpireCommand(call: Call): void {
  expire(call, MILLISECONDS, call.nowMs, "pexpire");
}

/** `EXPIREAT key unix-time-seconds [NX | XX | GT | LT]` */
function expireatCommand(call: Call): void {
  expire(call, SECONDS, 0, "expireat");
}

/** `PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]` */
function pexpireatCommand(call: Call): void {
  expire(call, MILLISECONDS, 0, "pexpireat");
}

/** A time that has come deletes the key. */
function expire(
  call: Call,
  unitMs: UnitMs,
  baseMs: number,
  command: string,
): void {
  const { reply, nowMs, db } = call;
  const conditions = readConditions(call);
  if (conditions < 0) return;
  const expireAtMs = readExpireMs(call, 2, unitMs, baseMs, true, command);
  if (Number.isNaN(expireAtMs)) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupWrite(db, key, nowMs);
  if (ref === 0) return reply.integer(0);
  if (!meetsExpireConditions(conditions, space.expireAt(ref), expireAtMs)) {
    return reply.integer(0);
  }
  if (expireAtMs <= nowMs) {
    space.delete(db, ref);
    space.hooks.changed(db, key, DEL);
    recordOfKey(call, RECORDED.DEL);
  } else {
    space.setExpire(db, ref, expireAtMs);
    space.hooks.changed(db, key, EXPIRE);
    if (unitMs !== MILLISECONDS || baseMs !== 0) {
      recordExpire(call, expireAtMs, 3);
    }
  }
  reply.integer(1);
}

/** Bits of the conditions from argument 3 on, or -1 after an error reply. */
function readConditions(call: Call): number {
  const { reply, args } = call;
  let conditions = 0;
  for (let i = 3; i < call.argc; i++) {
    const condition = expireConditionAt(call, i);
    if (condition === 0) {
      reply.error(unsupportedOption(args.copy(i)));
      return -1;
    }
    conditions |= condition;
  }
  if ((conditions & NX) !== 0 && conditions !== NX) {
    reply.error(EXPIRE_NX_INCOMPATIBLE);
    return -1;
  }
  if ((conditions & GT) !== 0 && (conditions & LT) !== 0) {
    reply.error(EXPIRE_GT_LT_INCOMPATIBLE);
    return -1;
  }
  return conditions;
}

/** The condition that argument `i` names, as a bit, or 0. */
export function expireConditionAt(call: Call, i: number): number {
  for (let bit = 0; bit < CONDITIONS.length; bit++) {
    if (argumentIs(call, i, CONDITIONS[bit]!)) return 1 << bit;
  }
  return 0;
}

/** Whether conditions allow `next`; what has no expire has 0. */
export function meetsExpireConditions(
  conditions: number,
  current: number,
  next: number,
): boolean {
  if (conditions === 0) return true;
  const has = current !== 0;
  if ((conditions & NX) !== 0 && has) return false;
  if ((conditions & XX) !== 0 && !has) return false;
  // No expire counts as one that never comes.
  if ((conditions & GT) !== 0 && (!has || next <= current)) return false;
  return (conditions & LT) === 0 || !has || next < current;
}

/** `TTL key` */
function ttlCommand(call: Call): void {
  replyLeft(call, SECONDS);
}

/** `PTTL key` */
function pttlCommand(call: Call): void {
  replyLeft(call, MILLISECONDS);
}

function replyLeft(call: Call, unitMs: UnitMs): void {
  const expireAtMs = readExpire(call);
  if (expireAtMs < 0) call.reply.integer(expireAtMs);
  else replyRounded(call, Math.max(0, expireAtMs - call.nowMs), unitMs);
}

/** `EXPIRETIME key` */
function expiretimeCommand(call: Call): void {
  replyExpire(call, SECONDS);
}

/** `PEXPIRETIME key` */
function pexpiretimeCommand(call: Call): void {
  replyExpire(call, MILLISECONDS);
}

function replyExpire(call: Call, unitMs: UnitMs): void {
  const expireAtMs = readExpire(call);
  if (expireAtMs < 0) call.reply.integer(expireAtMs);
  else replyRounded(call, expireAtMs, unitMs);
}

/** When the key expires, or the reply that says that it does not. */
function readExpire(call: Call): number {
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupReadQuiet(call.db, key, call.nowMs);
  if (ref === 0) return NO_KEY;
  const expireAtMs = space.expireAt(ref);
  return expireAtMs === 0 ? NO_EXPIRE : expireAtMs;
}

function replyRounded(call: Call, ms: number, unitMs: UnitMs): void {
  replyTime(call.reply, unitMs === SECONDS ? Math.round(ms / SECONDS) : ms);
}

/** `PERSIST key` */
function persistCommand(call: Call): void {
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupWrite(call.db, key, call.nowMs);
  if (ref === 0 || space.expireAt(ref) === 0) return call.reply.integer(0);
  space.setExpire(call.db, ref, 0);
  space.hooks.changed(call.db, key, PERSIST);
  call.reply.integer(1);
}

/** Rows of the commands about expiry. */
export const EXPIRE_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "expire",
    group: "generic",
    since: "1.0.0",
    summary: "Lets a key expire after some seconds.",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "fast"],
    keys: KEY_RW_UPDATE,
    syntax: "key seconds:integer [condition:(NX|XX|GT|LT)@7.0.0]",
    replies: ["integer"],
    run: expireCommand,
  },
  {
    name: "expireat",
    group: "generic",
    since: "1.2.0",
    summary: "Lets a key expire at a time given in seconds.",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "fast"],
    keys: KEY_RW_UPDATE,
    syntax: "key unix-time-seconds:unix-time [condition:(NX|XX|GT|LT)@7.0.0]",
    replies: ["integer"],
    run: expireatCommand,
  },
  {
    name: "expiretime",
    group: "generic",
    since: "7.0.0",
    summary: "Tells when a key will expire, as a time in seconds.",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: "key",
    replies: ["integer"],
    run: expiretimeCommand,
  },
  {
    name: "persist",
    group: "generic",
    since: "2.2.0",
    summary: "Lets a key live on without expiring.",
    complexity: "O(1)",
    arity: 2,
    flags: ["write", "fast"],
    keys: KEY_RW_UPDATE,
    syntax: "key",
    replies: ["integer"],
    run: persistCommand,
  },
  {
    name: "pexpire",
    group: "generic",
    since: "2.6.0",
    summary: "Lets a key expire after some milliseconds.",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "fast"],
    keys: KEY_RW_UPDATE,
    syntax: "key milliseconds:integer [condition:(NX|XX|GT|LT)@7.0.0]",
    replies: ["integer"],
    run: pexpireCommand,
  },
  {
    name: "pexpireat",
    group: "generic",
    since: "2.6.0",
    summary: "Lets a key expire at a time given in milliseconds.",
    complexity: "O(1)",
    arity: -3,
    flags: ["write", "fast"],
    keys: KEY_RW_UPDATE,
    syntax:
      "key unix-time-milliseconds:unix-time [condition:(NX|XX|GT|LT)@7.0.0]",
    replies: ["integer"],
    run: pexpireatCommand,
  },
  {
    name: "pexpiretime",
    group: "generic",
    since: "7.0.0",
    summary: "Tells when a key will expire, as a time in milliseconds.",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: "key",
    replies: ["integer"],
    run: pexpiretimeCommand,
  },
  {
    name: "pttl",
    group: "generic",
    since: "2.6.0",
    summary: "Tells how many milliseconds a key has left.",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output"],
    syntax: "key",
    replies: ["integer"],
    run: pttlCommand,
  },
  {
    name: "ttl",
    group: "generic",
    since: "1.0.0",
    summary: "Tells how many seconds a key has left.",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output"],
    syntax: "key",
    replies: ["integer"],
    run: ttlCommand,
  },
];

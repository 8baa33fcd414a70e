/**
 * Commands about when fields of hashes expire.
 *
 * Each replies an array, of one code for each field that is named.
 *
 * @module
 */

import { EXPIRED_SUBKEYS } from "../keyspace/counters.ts";
import {
  endHash,
  fieldsExpire,
  setFieldExpires,
} from "../keyspace/field_expires.ts";
import { HDEL, HEXPIRE, HPERSIST } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arguments } from "../resp/arguments.ts";
import {
  FIELD_COUNT_NOT_POSITIVE,
  NUMFIELDS_NOT_POSITIVE,
} from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { type Answer, ArgumentAnswers } from "./argument_answers.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  KEY_RO_ACCESS,
  KEY_RW_UPDATE,
  type LateReply,
} from "./command_spec.ts";
import { looksFor } from "./compared_arguments.ts";
import { expireConditionAt, meetsExpireConditions } from "./expire.ts";
import { MILLISECONDS, SECONDS, type UnitMs } from "./expire_time.ts";
import { readFieldCount, readFieldExpire } from "./hash_arguments.ts";
import { findField, readHash, writeHash } from "./hash_entry.ts";
import {
  CONDITION_NOT_MET,
  DELETED,
  DONE,
  FieldExpiry,
  FieldPersistence,
  FieldTime,
  NO_EXPIRE,
  NO_FIELD,
} from "./hash_expire_slices.ts";
import {
  DEAR_ARGUMENT,
  FEW_ARGUMENTS,
  isLongRequest,
} from "./many_arguments.ts";
import { RECORDED } from "./recorded.ts";
import { makeChange } from "./sliced_change.ts";
import { WRONG } from "./typed_entry.ts";

/** `HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field ...` */
function hexpireCommand(call: Call): void | Promise<LateReply> {
  return expireFields(call, SECONDS, call.nowMs, "hexpire");
}

/** `HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field ...` */
function hpexpireCommand(call: Call): void | Promise<LateReply> {
  return expireFields(call, MILLISECONDS, call.nowMs, "hpexpire");
}

/** `HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS ...` */
function hexpireatCommand(call: Call): void | Promise<LateReply> {
  return expireFields(call, SECONDS, 0, "hexpireat");
}

/** `HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS ...` */
function hpexpireatCommand(call: Call): void | Promise<LateReply> {
  return expireFields(call, MILLISECONDS, 0, "hpexpireat");
}

/** A time that has come deletes the fields. */
function expireFields(
  call: Call,
  unitMs: UnitMs,
  baseMs: number,
  command: string,
): void | Promise<LateReply> {
  const { reply, nowMs, argc } = call;
  const ref = writeHash(call, 0);
  if (ref === WRONG) return;
  const expireAtMs = readFieldExpire(call, 2, unitMs, baseMs, command);
  if (Number.isNaN(expireAtMs)) return;
  const condition = expireConditionAt(call, 3);
  const fieldsAt = condition === 0 ? 3 : 4;
  const count = readFieldCount(call, fieldsAt, NUMFIELDS_NOT_POSITIVE);
  if (Number.isNaN(count)) return;
  if (ref === 0) return replyNoField(call, fieldsAt + 2);
  if (argc > FEW_ARGUMENTS && isLongRequest(call, DEAR_ARGUMENT)) {
    const from = fieldsAt + 2;
    const time = new FieldTime(call, expireAtMs, 3);
    return makeChange(call, ref, new FieldExpiry(call, from, time, condition));
  }
  const space = call.keyspace(call.key(0));
  const { hashes } = space.values;
  if (expireAtMs > nowMs) makeExpiring(call, space, ref);
  reply.array(count);
  let changed = 0;
  let deleted = 0;
  for (let i = fieldsAt + 2; i < argc; i++) {
    if (!findField(call, space, ref, i)) reply.integer(NO_FIELD);
    else if (!meetsExpireConditions(condition, hashes.expireAtMs, expireAtMs)) {
      reply.integer(CONDITION_NOT_MET);
    } else {
      changed++;
      const isDeleted = expireFound(call, space, ref, expireAtMs, i);
      if (isDeleted) deleted++;
      reply.integer(isDeleted ? DELETED : DONE);
    }
  }
  // A time that has come deletes all fields, as HDEL does; else none.
  if (changed > 0) {
    const event = deleted > 0 ? HDEL : HEXPIRE;
    space.hooks.changed(call.db, call.key(0), event, changed);
    if (deleted === 0) recordFieldExpires(call, expireAtMs, 3);
  }
  endHash(space, call.db, ref);
}

/**
 * Records `HPEXPIREAT key unix-time-milliseconds` with the arguments from `from`
 * on.
 */
export function recordFieldExpires(
  { effects, args, db }: Call,
  expireAtMs: number,
  from: number,
): void {
  if (!effects.isOn) return;
  effects.replace(db, RECORDED.HPEXPIREAT, 3 + args.count - from)
    .argument(args, 1).integer(expireAtMs).rest(args, from);
}

/** Makes room for expires in a hash, and lets its shard's owner know of it. */
export function makeExpiring(call: Call, space: Keyspace, ref: number): void {
  setFieldExpires(space, call.db, ref, true);
  space.values.hashes.makeExpiring(ref);
}

/**
 * Lets the field that was found last, which is argument `i`, expire, or deletes
 * it if its time has come: then it says so, and it has been recorded.
 */
export function expireFound(
  call: Call,
  space: Keyspace,
  ref: number,
  expireAtMs: number,
  i: number,
): boolean {
  const { hashes } = space.values;
  if (expireAtMs > call.nowMs) {
    hashes.setFoundExpire(ref, expireAtMs);
    return false;
  }
  hashes.removeFound(ref);
  const { effects, args, db } = call;
  if (effects.isOn) {
    effects.replace(db, RECORDED.HDEL, 3).argument(args, 1).argument(args, i);
  }
  call.counters[EXPIRED_SUBKEYS] = call.counters[EXPIRED_SUBKEYS]! + 1;
  return true;
}

/** `HTTL key FIELDS numfields field [field ...]` */
function httlCommand(call: Call): void | Promise<LateReply> {
  return replyExpires(call, SECONDS, call.nowMs);
}

/** `HPTTL key FIELDS numfields field [field ...]` */
function hpttlCommand(call: Call): void | Promise<LateReply> {
  return replyExpires(call, MILLISECONDS, call.nowMs);
}

/** `HEXPIRETIME key FIELDS numfields field [field ...]` */
function hexpiretimeCommand(call: Call): void | Promise<LateReply> {
  return replyExpires(call, SECONDS, 0);
}

/** `HPEXPIRETIME key FIELDS numfields field [field ...]` */
function hpexpiretimeCommand(call: Call): void | Promise<LateReply> {
  return replyExpires(call, MILLISECONDS, 0);
}

/** Seconds are rounded up. */
function replyExpires(
  call: Call,
  unitMs: UnitMs,
  baseMs: number,
): void | Promise<LateReply> {
  const { reply, args, argc, nowMs } = call;
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  const count = readFieldCount(call, 2, FIELD_COUNT_NOT_POSITIVE);
  if (Number.isNaN(count)) return;
  if (argc > FEW_ARGUMENTS && isLongRequest(call)) {
    const answer: Answer = (space, reading, given, i, writer, timeMs) =>
      replyExpire(space, reading, given, i, writer, timeMs, unitMs, baseMs);
    return makeChange(call, ref, new ArgumentAnswers(call, answer, 4));
  }
  if (ref === 0) return replyNoField(call, 4);
  const space = call.keyspace(call.key(0));
  reply.array(count);
  for (let i = 4; i < argc; i++) {
    replyExpire(space, ref, args, i, reply, nowMs, unitMs, baseMs);
  }
}

function replyExpire(
  space: Keyspace,
  ref: number,
  args: Arguments,
  i: number,
  reply: ReplyWriter,
  nowMs: number,
  unitMs: UnitMs,
  baseMs: number,
): void {
  const { hashes } = space.values;
  const off = args.off[i]!;
  const length = args.length[i]!;
  if (ref === 0 || !hashes.locate(ref, args.source(i), off, length, nowMs)) {
    return reply.integer(NO_FIELD);
  }
  if (hashes.expireAtMs === 0) reply.integer(NO_EXPIRE);
  else reply.integer(Math.ceil((hashes.expireAtMs - baseMs) / unitMs));
}

/** `HPERSIST key FIELDS numfields field [field ...]` */
function hpersistCommand(call: Call): void | Promise<LateReply> {
  const { reply, argc } = call;
  const ref = writeHash(call, 0);
  if (ref === WRONG) return;
  const count = readFieldCount(call, 2, FIELD_COUNT_NOT_POSITIVE);
  if (Number.isNaN(count)) return;
  if (ref === 0) return replyNoField(call, 4);
  if (argc > FEW_ARGUMENTS && isLongRequest(call)) {
    return makeChange(call, ref, new FieldPersistence(call, 4));
  }
  const space = call.keyspace(call.key(0));
  const { hashes } = space.values;
  reply.array(count);
  let isChanged = false;
  for (let i = 4; i < argc; i++) {
    if (!findField(call, space, ref, i)) reply.integer(NO_FIELD);
    else if (hashes.expireAtMs === 0) reply.integer(NO_EXPIRE);
    else {
      hashes.setFoundExpire(ref, 0);
      isChanged = true;
      reply.integer(DONE);
    }
  }
  if (fieldsExpire(space, ref)) endHash(space, call.db, ref);
  if (isChanged) space.hooks.changed(call.db, call.key(0), HPERSIST);
}

/** There is no hash: that for each field from argument `from` on. */
function replyNoField(call: Call, from: number): void | Promise<LateReply> {
  const { argc, reply } = call;
  if (argc > FEW_ARGUMENTS && isLongRequest(call)) {
    return makeChange(call, 0, new ArgumentAnswers(call, answerNoField, from));
  }
  reply.array(argc - from);
  for (let i = from; i < argc; i++) reply.integer(NO_FIELD);
}

const answerNoField: Answer = (_space, _ref, _args, _i, reply) =>
  reply.integer(NO_FIELD);

const CONDITION = "[condition:(NX|XX|GT|LT)]";
const FIELDS = "FIELDS fields:(numfields:integer field...)";

/** Rows of the commands about the expiry of fields. */
export const HASH_EXPIRE_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "hexpire",
    group: "hash",
    since: "7.4.0",
    summary: "Lets fields of a hash expire after some seconds.",
    complexity: "O(N)",
    arity: -6,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_UPDATE,
    syntax: `key seconds:integer ${CONDITION} ${FIELDS}`,
    replies: ["array"],
    stage: looksFor(4),
    run: hexpireCommand,
  },
  {
    name: "hexpireat",
    group: "hash",
    since: "7.4.0",
    summary: "Lets fields of a hash expire at a time given in seconds.",
    complexity: "O(N)",
    arity: -6,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_UPDATE,
    syntax: `key unix-time-seconds:unix-time ${CONDITION} ${FIELDS}`,
    replies: ["array"],
    stage: looksFor(4),
    run: hexpireatCommand,
  },
  {
    name: "hexpiretime",
    group: "hash",
    since: "7.4.0",
    summary: "Tells when fields of a hash will expire, as times in seconds.",
    complexity: "O(N)",
    arity: -5,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: `key ${FIELDS}`,
    replies: ["array"],
    stage: looksFor(4),
    run: hexpiretimeCommand,
  },
  {
    name: "hpersist",
    group: "hash",
    since: "7.4.0",
    summary: "Lets fields of a hash live on without expiring.",
    complexity: "O(N)",
    arity: -5,
    flags: ["write", "fast"],
    keys: KEY_RW_UPDATE,
    syntax: `key ${FIELDS}`,
    replies: ["array"],
    stage: looksFor(4),
    run: hpersistCommand,
  },
  {
    name: "hpexpire",
    group: "hash",
    since: "7.4.0",
    summary: "Lets fields of a hash expire after some milliseconds.",
    complexity: "O(N)",
    arity: -6,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_UPDATE,
    syntax: `key milliseconds:integer ${CONDITION} ${FIELDS}`,
    replies: ["array"],
    stage: looksFor(4),
    run: hpexpireCommand,
  },
  {
    name: "hpexpireat",
    group: "hash",
    since: "7.4.0",
    summary: "Lets fields of a hash expire at a time given in milliseconds.",
    complexity: "O(N)",
    arity: -6,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_UPDATE,
    syntax: `key unix-time-milliseconds:unix-time ${CONDITION} ${FIELDS}`,
    replies: ["array"],
    stage: looksFor(4),
    run: hpexpireatCommand,
  },
  {
    name: "hpexpiretime",
    group: "hash",
    since: "7.4.0",
    summary:
      "Tells when fields of a hash will expire, as times in milliseconds.",
    complexity: "O(N)",
    arity: -5,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: `key ${FIELDS}`,
    replies: ["array"],
    stage: looksFor(4),
    run: hpexpiretimeCommand,
  },
  {
    name: "hpttl",
    group: "hash",
    since: "7.4.0",
    summary: "Tells how many milliseconds fields of a hash have left.",
    complexity: "O(N)",
    arity: -5,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output"],
    syntax: `key ${FIELDS}`,
    replies: ["array"],
    stage: looksFor(4),
    run: hpttlCommand,
  },
  {
    name: "httl",
    group: "hash",
    since: "7.4.0",
    summary: "Tells how many seconds fields of a hash have left.",
    complexity: "O(N)",
    arity: -5,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output"],
    syntax: `key ${FIELDS}`,
    replies: ["array"],
    stage: looksFor(4),
    run: httlCommand,
  },
];

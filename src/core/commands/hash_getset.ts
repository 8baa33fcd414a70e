/**
 * HGETDEL, HGETEX and HSETEX: fields of a hash read and deleted, read and let
 * expire, set and let expire in one step.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { endHash, fieldsExpire } from "../keyspace/field_expires.ts";
import { HDEL, HEXPIRE, HPERSIST, HSET } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import {
  type ErrorReply,
  FIELD_COUNT_NOT_POSITIVE,
  HSETEX_CONDITIONS,
  HSETEX_EXPIRES,
  HSETEX_NO_EXPIRE,
  INVALID_FIELD_COUNT,
  unknownArgument,
  wrongNumberOfArguments,
} from "../resp/error_reply.ts";
import { KEEP_EXPIRE } from "../types/hash_value.ts";
import { argumentIs } from "./arg_reader.ts";
import { ArgumentAnswers } from "./argument_answers.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  KEY_RW_ACCESS_DELETE,
  KEY_RW_ACCESS_UPDATE,
  KEY_RW_UPDATE,
  type LateReply,
  OPTIONS_MAX,
} from "./command_spec.ts";
import { lookFor, looksFor } from "./compared_arguments.ts";
import { MILLISECONDS, SECONDS } from "./expire_time.ts";
import {
  FIELDS_WORD,
  integerAt,
  readFieldCount,
  readFieldExpire,
} from "./hash_arguments.ts";
import {
  findField,
  makeHash,
  prepareFields,
  setPair,
  writeHash,
} from "./hash_entry.ts";
import { quietly } from "./heavy_work.ts";
import { stagePairs } from "./staged_nodes.ts";
import {
  expireFound,
  makeExpiring,
  recordFieldExpires,
} from "./hash_expire.ts";
import { FieldTime } from "./hash_expire_slices.ts";
import {
  ConditionalRemoval,
  ConditionalSetting,
  ExpiringValues,
  FieldTaking,
  PersistingValues,
  type SettingOptions,
} from "./hash_getset_slices.ts";
import { answerValue, replyValue, takeValue } from "./hash_replies.ts";
import {
  DEAR_ARGUMENT,
  FEW_ARGUMENTS,
  isLongRequest,
} from "./many_arguments.ts";
import { RECORDED } from "./recorded.ts";
import { makeChange } from "./sliced_change.ts";
import { WRONG } from "./typed_entry.ts";

const EX = 0;
const PX = 1;
const EXAT = 2;
const TIMES = ["ex", "px", "exat", "pxat"].map(bytesOf);
const PERSIST = bytesOf("persist");
const KEEPTTL = bytesOf("keepttl");
const FNX = bytesOf("fnx");
const FXX = bytesOf("fxx");
const FIELD_COUNT_MAX = 2 ** 31 - 1;

/** `HGETDEL key FIELDS numfields field [field ...]` */
function hgetdelCommand(call: Call): void | Promise<LateReply> {
  const { reply, argc } = call;
  const ref = writeHash(call, 0);
  if (ref === WRONG) return;
  const count = readFieldCount(call, 2, FIELD_COUNT_NOT_POSITIVE);
  if (Number.isNaN(count)) return;
  if (ref === 0) return replyNulls(call, 4);
  if (argc > FEW_ARGUMENTS && isLongRequest(call)) {
    return makeChange(call, ref, new FieldTaking(call, 4));
  }
  const space = call.keyspace(call.key(0));
  reply.array(count);
  let deleted = 0;
  for (let i = 4; i < argc; i++) {
    if (takeValue(call, space, ref, i)) deleted++;
  }
  if (deleted > 0) {
    space.hooks.changed(call.db, call.key(0), HDEL, deleted);
    recordRest(call, RECORDED.HDEL, 4);
  }
  endHash(space, call.db, ref);
}

/** Records `name key` with the arguments from `from` on. */
function recordRest(call: Call, name: Uint8Array, from: number): void {
  const { effects, args, db } = call;
  if (!effects.isOn) return;
  effects.replace(db, name, 2 + args.count - from).argument(args, 1)
    .rest(args, from);
}

/**
 * `HGETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds |
 * PXAT unix-time-milliseconds | PERSIST] FIELDS numfields field [field ...]`
 */
function hgetexCommand(call: Call): void | Promise<LateReply> {
  const { reply, argc, nowMs } = call;
  const ref = writeHash(call, 0);
  if (ref === WRONG) return;
  const time = timeAt(call, 2);
  const persists = argumentIs(call, 2, PERSIST);
  let expireAtMs = 0;
  if (time >= 0) {
    expireAtMs = readTime(call, 3, time, "hgetex");
    if (Number.isNaN(expireAtMs)) return;
  }
  const fieldsAt = time >= 0 ? 4 : persists ? 3 : 2;
  const count = readFieldCount(call, fieldsAt, FIELD_COUNT_NOT_POSITIVE);
  if (Number.isNaN(count)) return;
  if (ref === 0) return replyNulls(call, fieldsAt + 2);
  if (argc > FEW_ARGUMENTS && isLongRequest(call, DEAR_ARGUMENT)) {
    const from = fieldsAt + 2;
    const change = time >= 0
      ? new ExpiringValues(
        call,
        from,
        new FieldTime(call, expireAtMs, fieldsAt),
      )
      : persists
      ? new PersistingValues(call, from)
      : new ArgumentAnswers(call, answerValue, from);
    return makeChange(call, ref, change);
  }
  const space = call.keyspace(call.key(0));
  const { hashes } = space.values;
  if (expireAtMs > nowMs) makeExpiring(call, space, ref);
  reply.array(count);
  let changed = 0;
  for (let i = fieldsAt + 2; i < argc; i++) {
    if (!replyValue(call, space, ref, i)) continue;
    if (time >= 0) expireFound(call, space, ref, expireAtMs, i);
    else if (persists && hashes.expireAtMs !== 0) hashes.setFoundExpire(ref, 0);
    else continue;
    changed++;
  }
  if (changed > 0) {
    const event = persists ? HPERSIST : expireAtMs > nowMs ? HEXPIRE : HDEL;
    space.hooks.changed(call.db, call.key(0), event, changed);
    if (persists) recordRest(call, RECORDED.HPERSIST, fieldsAt);
    else if (expireAtMs > nowMs) recordFieldExpires(call, expireAtMs, fieldsAt);
  }
  endHash(space, call.db, ref);
}

/** There is no hash: nothing for each field from argument `from` on. */
function replyNulls(call: Call, from: number): void | Promise<LateReply> {
  const { argc, reply } = call;
  if (argc > FEW_ARGUMENTS && isLongRequest(call)) {
    return makeChange(call, 0, new ArgumentAnswers(call, answerValue, from));
  }
  reply.array(argc - from);
  for (let i = from; i < argc; i++) reply.nullBulk();
}

/** Number of the word for a time that argument `i` is, or -1. */
function timeAt(call: Call, i: number): number {
  for (let time = 0; time < TIMES.length; time++) {
    if (argumentIs(call, i, TIMES[time]!)) return time;
  }
  return -1;
}

/** The time in argument `i`; NaN after an error reply. */
function readTime(
  call: Call,
  i: number,
  time: number,
  command: string,
): number {
  const unitMs = time === EX || time === EXAT ? SECONDS : MILLISECONDS;
  const baseMs = time === EX || time === PX ? call.nowMs : 0;
  return readFieldExpire(call, i, unitMs, baseMs, command);
}

/** The arguments of HSETEX; read anew by each. */
class HsetexArguments implements SettingOptions {
  /** Whether no field may be there, or all must. */
  isFnx = false;
  isFxx = false;
  /** Whether fields keep the expires that they have. */
  keepsExpires = false;
  /** Whether a time is given, and it in milliseconds of the epoch. */
  hasTime = false;
  expireAtMs = 0;
  /** The argument that is the first field. */
  fieldsAt = 0;
  /** Fields, each with a value. */
  count = 0;

  /** False after an error reply. */
  read(call: Call): boolean {
    this.isFnx = false;
    this.isFxx = false;
    this.keepsExpires = false;
    this.hasTime = false;
    this.expireAtMs = 0;
    for (let i = 2; i < Math.min(call.argc, OPTIONS_MAX);) {
      if (argumentIs(call, i, FIELDS_WORD)) return this.#readFields(call, i);
      i = this.#readOption(call, i);
      if (i === 0) return false;
    }
    return fail(call, wrongNumberOfArguments("hsetex"));
  }

  /** Reads the option at argument `i`; the next one, 0 after an error reply. */
  #readOption(call: Call, i: number): number {
    const time = timeAt(call, i);
    if (time >= 0) return this.#readTime(call, i + 1, time) ? i + 2 : 0;
    if (argumentIs(call, i, KEEPTTL)) {
      if (this.hasTime && !fail(call, HSETEX_EXPIRES)) return 0;
      this.keepsExpires = true;
      return i + 1;
    }
    const isFnx = argumentIs(call, i, FNX);
    if (!isFnx && !argumentIs(call, i, FXX)) {
      call.reply.error(unknownArgument(call.args.copy(i)));
      return 0;
    }
    if ((this.isFnx || this.isFxx) && !fail(call, HSETEX_CONDITIONS)) return 0;
    this.isFnx = isFnx;
    this.isFxx = !isFnx;
    return i + 1;
  }

  #readTime(call: Call, i: number, time: number): boolean {
    if (this.hasTime || this.keepsExpires) return fail(call, HSETEX_EXPIRES);
    if (i === call.argc) return fail(call, HSETEX_NO_EXPIRE);
    this.expireAtMs = readTime(call, i, time, "hsetex");
    this.hasTime = true;
    return !Number.isNaN(this.expireAtMs);
  }

  #readFields(call: Call, i: number): boolean {
    const left = call.argc - i - 2;
    if (left < 2) return fail(call, wrongNumberOfArguments("hsetex"));
    const count = integerAt(call, i + 1);
    if (!(count >= 1 && count <= FIELD_COUNT_MAX)) {
      return fail(call, INVALID_FIELD_COUNT);
    }
    if (count * 2 !== left) return fail(call, wrongNumberOfArguments("hsetex"));
    this.fieldsAt = i + 2;
    this.count = count;
    return true;
  }
}

/** Replies an error and is false. */
function fail(call: Call, error: ErrorReply): boolean {
  call.reply.error(error);
  return false;
}

const HSETEX = new HsetexArguments();

/** The values of HSETEX, with room for a time if there is one. */
function stageFields(call: Call): void {
  if (!quietly(call, () => HSETEX.read(call))) return;
  lookFor(call, HSETEX.fieldsAt, 2);
  stagePairs(call, HSETEX.fieldsAt);
}

/**
 * `HSETEX key [FNX | FXX] [EX seconds | PX milliseconds |
 * EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]
 * FIELDS numfields field value [field value ...]`: fields whose time has come
 * already are deleted.
 */
function hsetexCommand(call: Call): void | Promise<LateReply> {
  const { reply, nowMs } = call;
  if (!HSETEX.read(call)) return;
  const found = writeHash(call, 0);
  if (found === WRONG) return;
  if (found === 0 && HSETEX.isFxx) return reply.integer(0);
  if (call.argc > FEW_ARGUMENTS && isLongRequest(call, DEAR_ARGUMENT)) {
    if (!HSETEX.hasTime || HSETEX.expireAtMs > nowMs) {
      const setting = new ConditionalSetting(call, HSETEX, found !== 0);
      return makeChange(call, found, setting);
    }
    if (found !== 0) {
      return makeChange(call, found, new ConditionalRemoval(call, HSETEX));
    }
  }
  const space = call.keyspace(call.key(0));
  if (found !== 0 && !meetsCondition(call, space, found)) {
    endHash(space, call.db, found);
    return reply.integer(0);
  }
  const { count, hasTime, expireAtMs } = HSETEX;
  if (hasTime && expireAtMs <= nowMs) {
    space.hooks.noteChange(count);
    call.effects.silence();
    if (found !== 0) deleteFields(call, space, found);
  } else {
    const key = call.key(0);
    const ref = found === 0 ? makeHash(call, 0) : found;
    if (hasTime) makeExpiring(call, space, ref);
    setFields(call, space, ref);
    space.hooks.changed(call.db, key, HSET, count);
    if (hasTime) {
      space.hooks.signal(call.db, key, HEXPIRE);
      recordSetExpiring(call);
    }
  }
  reply.integer(1);
}

/** Records `HSETEX key PXAT unix-time-milliseconds FIELDS ...`. */
function recordSetExpiring({ effects, args, db }: Call): void {
  if (!effects.isOn) return;
  const from = HSETEX.fieldsAt - 2;
  effects.replace(db, RECORDED.HSETEX, 4 + args.count - from).argument(args, 1)
    .constant(RECORDED.PXAT).integer(HSETEX.expireAtMs).rest(args, from);
}

/** Whether all fields are there, or none is, as FXX or FNX ask. */
function meetsCondition(call: Call, space: Keyspace, ref: number): boolean {
  const { isFnx, isFxx, fieldsAt, count } = HSETEX;
  if (!isFnx && !isFxx) return true;
  for (let i = fieldsAt; i < fieldsAt + count * 2; i += 2) {
    if (findField(call, space, ref, i) !== isFxx) return false;
  }
  return true;
}

function deleteFields(call: Call, space: Keyspace, ref: number): void {
  const { expireAtMs, fieldsAt, count } = HSETEX;
  let isChanged = false;
  for (let i = fieldsAt; i < fieldsAt + count * 2; i += 2) {
    if (findField(call, space, ref, i)) {
      expireFound(call, space, ref, expireAtMs, i);
      isChanged = true;
    }
  }
  if (isChanged) space.hooks.signal(call.db, call.key(0), HDEL);
  endHash(space, call.db, ref);
}

function setFields(call: Call, space: Keyspace, ref: number): void {
  const { args } = call;
  const { hashes } = space.values;
  const { hasTime, keepsExpires, expireAtMs, fieldsAt, count } = HSETEX;
  const expires = hasTime ? expireAtMs : keepsExpires ? KEEP_EXPIRE : 0;
  prepareFields(call, space, ref, fieldsAt, count);
  const mayExpire = fieldsExpire(space, ref);
  for (let i = fieldsAt; i < fieldsAt + count * 2; i += 2) {
    // One that has expired must not hand its expire on.
    if (mayExpire) findField(call, space, ref, i);
    setPair(hashes, ref, args, i, call.staged, expires);
  }
  if (mayExpire) endHash(space, call.db, ref);
}

const TIME_OPTIONS = "EX seconds:integer|PX milliseconds:integer|" +
  "EXAT unix-time-seconds:unix-time|PXAT unix-time-milliseconds:unix-time";
const FIELDS = "FIELDS fields:(numfields:integer field...)";

/** Rows of these commands. */
export const HASH_GETSET_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "hgetdel",
    group: "hash",
    since: "8.0.0",
    summary: "Reads fields of a hash and removes them.",
    complexity: "O(N)",
    arity: -5,
    flags: ["write", "fast"],
    keys: KEY_RW_ACCESS_DELETE,
    syntax: `key ${FIELDS}`,
    replies: ["array"],
    stage: looksFor(4),
    run: hgetdelCommand,
  },
  {
    name: "hgetex",
    group: "hash",
    since: "8.0.0",
    summary: "Reads fields of a hash and changes when they expire.",
    complexity: "O(N)",
    arity: -5,
    flags: ["write", "fast"],
    keys: KEY_RW_ACCESS_UPDATE,
    syntax: `key [expiration:(${TIME_OPTIONS}|PERSIST)] ${FIELDS}`,
    replies: ["array"],
    stage: looksFor(4),
    run: hgetexCommand,
  },
  {
    name: "hsetex",
    group: "hash",
    since: "8.0.0",
    summary: "Sets fields of a hash and when they expire.",
    complexity: "O(N)",
    arity: -6,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_UPDATE,
    syntax:
      `key [condition:(FNX|FXX)] [expiration:(${TIME_OPTIONS}|KEEPTTL)] ` +
      "FIELDS fields:(numfields:integer data:(field value)...)",
    replies: ["integer"],
    stage: stageFields,
    run: hsetexCommand,
  },
];

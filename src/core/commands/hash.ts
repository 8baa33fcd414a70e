/**
 * Hash commands.
 *
 * @module
 */

import { latin1BytesOf } from "../base/bytes.ts";
import { DOUBLE_ZERO } from "../base/steady_code.ts";
import {
  INTEGER_BYTES_MAX,
  parseBigInteger,
  writeBigInteger,
  writeInteger,
} from "../base/integer.ts";
import {
  addLongDouble,
  formatLongDouble,
  isFiniteLongDouble,
  parseLongDouble,
} from "../base/long_double.ts";
import { endHash, fieldsExpire } from "../keyspace/field_expires.ts";
import { HDEL, HINCRBY, HINCRBYFLOAT, HSET } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import {
  HASH_VALUE_NOT_A_FLOAT,
  HASH_VALUE_NOT_AN_INTEGER,
  INCREMENT_NOT_FINITE,
  INCREMENT_OVERFLOW,
  NAN_OR_INFINITY,
  NOT_A_FLOAT,
  NOT_AN_INTEGER,
  wrongNumberOfArguments,
} from "../resp/error_reply.ts";
import { takeBackReply } from "../resp/reply_source.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { type FieldVisitor, KEEP_EXPIRE } from "../types/hash_value.ts";
import { bigIntegerAt, safeIntegerAt } from "./arg_reader.ts";
import { ArgumentAnswers } from "./argument_answers.ts";
import type { Call } from "./call.ts";
import { RECORDED } from "./recorded.ts";
import {
  type CommandSpec,
  KEY_RO,
  KEY_RO_ACCESS,
  KEY_RW_ACCESS_UPDATE,
  KEY_RW_DELETE,
  KEY_RW_INSERT,
  KEY_RW_UPDATE,
  type LateReply,
} from "./command_spec.ts";
import { lookFor, looksFor } from "./compared_arguments.ts";
import { ElementScan } from "./element_scan.ts";
import { DIRECT_BYTES_MAX } from "./element_stream.ts";
import {
  findField,
  hasManyExpired,
  makeHash,
  prepareFields,
  readHash,
  setPair,
  writeHash,
} from "./hash_entry.ts";
import { manyScanned } from "./heavy_work.ts";
import { FieldRemoval, FieldSetting } from "./hash_slices.ts";
import {
  answerValue,
  FIELDS,
  replyFields,
  replyValue,
  streamLiveFields,
  VALUES,
} from "./hash_replies.ts";
import {
  DEAR_ARGUMENT,
  FEW_ARGUMENTS,
  isLongRequest,
} from "./many_arguments.ts";
import { makeChange } from "./sliced_change.ts";
import { stageField, stagePairs } from "./staged_nodes.ts";
import { WRONG } from "./typed_entry.ts";

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
/** Fields of a new hash that are packed at once. */
const PACKED_AT_ONCE = 350;
/** Text of a number on its way to a value. */
const TEXT = new Uint8Array(INTEGER_BYTES_MAX);

/** The values of HSET and its like. */
function stageFields(call: Call): void {
  lookFor(call, 2, 2);
  stagePairs(call, 2);
}

/** The field of HINCRBY, with the sum that it has if it is new. */
function stageInteger(call: Call): void {
  const { args, argc } = call;
  lookFor(call, 2, 2);
  if (argc !== 4 || args.bigAt(2) === 0) return;
  const by = bigIntegerAt(call, 3);
  if (by !== null) stageField(call, latin1BytesOf(String(by)));
}

/** That of HINCRBYFLOAT. */
function stageFloat(call: Call): void {
  const { args, argc } = call;
  lookFor(call, 2, 2);
  if (argc !== 4 || args.bigAt(2) === 0) return;
  const by = parseLongDouble(args.source(3), args.off[3]!, args.length[3]!);
  if (by === null || !isFiniteLongDouble(by)) return;
  stageField(call, latin1BytesOf(formatLongDouble(by)));
}

/** `HSET key field value [field value ...]` */
function hsetCommand(call: Call): void | Promise<LateReply> {
  if (call.argc > FEW_ARGUMENTS && isLongSetting(call)) {
    return setManyFields(call, "hset");
  }
  const added = setFields(call, "hset");
  if (added >= 0) call.reply.integer(added);
}

/** `HMSET key field value [field value ...]` */
function hmsetCommand(call: Call): void | Promise<LateReply> {
  if (call.argc > FEW_ARGUMENTS && isLongSetting(call)) {
    return setManyFields(call, "hmset");
  }
  if (setFields(call, "hmset") >= 0) call.reply.ok();
}

/** Whether fields are so many that they are set in slices. */
function isLongSetting(call: Call): boolean {
  return isLongRequest(call, 1, packsMany(call) ? DEAR_ARGUMENT : 1);
}

/**
 * Whether many fields of a new hash are packed: each is looked for among those
 * before. If they are more than a packed one has, it is a table from the first on.
 */
function packsMany(
  { args, settings: { hashMaxListpackEntries, hashMaxListpackValue } }: Call,
): boolean {
  const fields = args.count - 2 >> 1;
  if (fields <= PACKED_AT_ONCE || fields > hashMaxListpackEntries) return false;
  for (let i = 2; i < args.count; i++) {
    if (args.length[i]! > hashMaxListpackValue) return false;
  }
  return true;
}

/** HSET or HMSET of very many fields. */
function setManyFields(
  call: Call,
  command: "hset" | "hmset",
): void | Promise<LateReply> {
  if ((call.argc & 1) !== 0) {
    return call.reply.error(wrongNumberOfArguments(command));
  }
  const ref = writeHash(call, 0);
  if (ref === WRONG) return;
  return makeChange(call, ref, new FieldSetting(call, command === "hset"));
}

/** Sets fields and returns how many are new; -1 after an error reply. */
function setFields(call: Call, command: string): number {
  const { args, argc, reply } = call;
  if ((argc & 1) !== 0) {
    reply.error(wrongNumberOfArguments(command));
    return -1;
  }
  const found = writeHash(call, 0);
  if (found === WRONG) return -1;
  const space = call.keyspace(call.key(0));
  const { hashes } = space.values;
  const ref = found === 0 ? makeHash(call, 0) : found;
  if (argc > 4) prepareFields(call, space, ref, 2, (argc - 2) >> 1);
  const mayExpire = fieldsExpire(space, ref);
  let added = 0;
  for (let i = 2; i < argc; i += 2) {
    if (mayExpire) findField(call, space, ref, i);
    if (setPair(hashes, ref, args, i, call.staged)) added++;
  }
  if (mayExpire) endHash(space, call.db, ref);
  space.hooks.changed(call.db, call.key(0), HSET, (argc - 2) >> 1);
  return added;
}

/** `HSETNX key field value` */
function hsetnxCommand(call: Call): void {
  const { args, reply } = call;
  const found = writeHash(call, 0);
  if (found === WRONG) return;
  const space = call.keyspace(call.key(0));
  if (found !== 0 && findField(call, space, found, 2)) return reply.integer(0);
  const ref = found === 0 ? makeHash(call, 0) : found;
  setPair(space.values.hashes, ref, args, 2, call.staged);
  if (fieldsExpire(space, ref)) endHash(space, call.db, ref);
  space.hooks.changed(call.db, call.key(0), HSET);
  reply.integer(1);
}

/** `HGET key field` */
function hgetCommand(call: Call): void {
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  const space = call.keyspace(call.key(0));
  replyValue(call, space, ref, 2);
  if (ref !== 0 && fieldsExpire(space, ref)) endHash(space, call.db, ref);
}

/** `HMGET key field [field ...]` */
function hmgetCommand(call: Call): void | Promise<LateReply> {
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  if (call.argc > FEW_ARGUMENTS && isLongRequest(call)) {
    return makeChange(call, ref, new ArgumentAnswers(call, answerValue));
  }
  const { reply, argc } = call;
  const space = call.keyspace(call.key(0));
  const start = reply.at;
  const limit = reply.cost + DIRECT_BYTES_MAX;
  reply.array(argc - 2);
  let i = 2;
  while (i < argc && reply.cost < limit) replyValue(call, space, ref, i++);
  if (ref !== 0 && fieldsExpire(space, ref)) endHash(space, call.db, ref);
  if (i === argc) return;
  takeBackReply(reply, start, space.externals);
  return makeChange(call, ref, new ArgumentAnswers(call, answerValue));
}

/** `HDEL key field [field ...]` */
function hdelCommand(call: Call): void | Promise<LateReply> {
  const { argc, reply } = call;
  const ref = writeHash(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return reply.integer(0);
  if (argc > FEW_ARGUMENTS && isLongRequest(call)) {
    return makeChange(call, ref, new FieldRemoval(call));
  }
  const space = call.keyspace(call.key(0));
  const { hashes } = space.values;
  let removed = 0;
  for (let i = 2; i < argc; i++) {
    if (!findField(call, space, ref, i)) continue;
    hashes.removeFound(ref);
    removed++;
  }
  const key = call.key(0);
  if (removed > 0) space.hooks.changed(call.db, key, HDEL, removed);
  endHash(space, call.db, ref);
  reply.integer(removed);
}

/** `HEXISTS key field` */
function hexistsCommand(call: Call): void {
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return call.reply.integer(0);
  const space = call.keyspace(call.key(0));
  call.reply.integer(findField(call, space, ref, 2) ? 1 : 0);
  if (fieldsExpire(space, ref)) endHash(space, call.db, ref);
}

/** `HLEN key`: expired fields count as long as they are there, as in Redis. */
function hlenCommand(call: Call): void {
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  const { hashes } = call.keyspace(call.key(0)).values;
  call.reply.integer(ref === 0 ? 0 : hashes.length(ref));
}

/** `HSTRLEN key field` */
function hstrlenCommand(call: Call): void {
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return call.reply.integer(0);
  const space = call.keyspace(call.key(0));
  const { hashes } = space.values;
  const isFound = findField(call, space, ref, 2);
  if (isFound) hashes.readFound(ref);
  call.reply.integer(isFound ? hashes.value.length : 0);
  if (fieldsExpire(space, ref)) endHash(space, call.db, ref);
}

/** `HKEYS key` */
function hkeysCommand(call: Call): void {
  replyAll(call, FIELDS);
}

/** `HVALS key` */
function hvalsCommand(call: Call): void {
  replyAll(call, VALUES);
}

/** `HGETALL key` */
function hgetallCommand(call: Call): void {
  replyAll(call, FIELDS | VALUES);
}

function replyAll(call: Call, parts: number): void {
  const { reply, nowMs } = call;
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  const space = call.keyspace(call.key(0));
  const { hashes } = space.values;
  if (
    hasManyExpired(call, space, ref) && reply.canStream &&
    streamLiveFields(call, space, ref, parts)
  ) return;
  const count = ref === 0 ? 0 : hashes.liveLength(ref, nowMs);
  if (parts === (FIELDS | VALUES)) reply.map(count);
  else reply.array(count);
  if (count === 0) return;
  replyFields(call, space, ref, parts, false, count);
}

/** `HINCRBY key field increment` */
function hincrbyCommand(call: Call): void {
  const { reply } = call;
  const by = safeIntegerAt(call, 3);
  if (Number.isNaN(by)) return incrementFar(call);
  const found = writeHash(call, 0);
  if (found === WRONG) return;
  const space = call.keyspace(call.key(0));
  const { hashes } = space.values;
  const isThere = found !== 0 && findField(call, space, found, 2);
  const sum = (isThere ? hashes.foundInteger(found) : 0) + by;
  if (!Number.isSafeInteger(sum)) return incrementFar(call);
  if (isThere && hashes.setFoundInteger(found, sum)) {
    space.hooks.changed(call.db, call.key(0), HINCRBY);
  } else {
    const length = writeInteger(sum, TEXT, 0);
    setText(call, space, found, TEXT, length, HINCRBY, !isThere);
  }
  reply.integer(sum);
}

/** HINCRBY beyond the safe integers, or of what is no integer. */
function incrementFar(call: Call): void {
  const { reply } = call;
  const by = bigIntegerAt(call, 3);
  if (by === null) return reply.error(NOT_AN_INTEGER);
  const found = writeHash(call, 0);
  if (found === WRONG) return;
  const space = call.keyspace(call.key(0));
  const { hashes } = space.values;
  let old: bigint | null = 0n;
  const isThere = found !== 0 && findField(call, space, found, 2);
  if (isThere) {
    hashes.readFound(found);
    const { value } = hashes;
    old = parseBigInteger(value.buf, value.off, value.length);
    if (old === null) return reply.error(HASH_VALUE_NOT_AN_INTEGER);
  }
  const sum = old + by;
  if (sum < INT64_MIN || sum > INT64_MAX) {
    return reply.error(INCREMENT_OVERFLOW);
  }
  const length = writeBigInteger(sum, TEXT, 0);
  setText(call, space, found, TEXT, length, HINCRBY, !isThere);
  reply.bigInteger(sum);
}

/** `HINCRBYFLOAT key field increment` */
function hincrbyfloatCommand(call: Call): void {
  const { args, reply } = call;
  const by = parseLongDouble(args.source(3), args.off[3]!, args.length[3]!);
  if (by === null) return reply.error(NOT_A_FLOAT);
  if (!isFiniteLongDouble(by)) return reply.error(NAN_OR_INFINITY);
  const found = writeHash(call, 0);
  if (found === WRONG) return;
  const space = call.keyspace(call.key(0));
  const { hashes } = space.values;
  let sum = by;
  const isThere = found !== 0 && findField(call, space, found, 2);
  if (isThere) {
    hashes.readFound(found);
    const { value } = hashes;
    const old = parseLongDouble(value.buf, value.off, value.length);
    if (old === null) return reply.error(HASH_VALUE_NOT_A_FLOAT);
    sum = addLongDouble(old, by);
  }
  if (!isFiniteLongDouble(sum)) return reply.error(INCREMENT_NOT_FINITE);
  const text = latin1BytesOf(formatLongDouble(sum));
  setText(call, space, found, text, text.length, HINCRBYFLOAT, !isThere);
  recordSum(call, text, found !== 0 && fieldsExpire(space, found));
  reply.bulk(text, 0, text.length);
}

/** Records the sum; HSET alone would end the expire of the field. */
function recordSum(call: Call, text: Uint8Array, mayExpire: boolean): void {
  const { effects, args, db } = call;
  if (!effects.isOn) return;
  if (mayExpire) {
    effects.replace(db, RECORDED.HSETEX, 7).argument(args, 1)
      .constant(RECORDED.KEEPTTL).constant(RECORDED.FIELDS)
      .constant(RECORDED.ONE);
  } else effects.replace(db, RECORDED.HSET, 4).argument(args, 1);
  effects.argument(args, 2).constant(text);
}

/**
 * Sets the field in argument 2, of a hash that is made if `found` is 0; one that is
 * new has been made a node if it is long.
 */
function setText(
  call: Call,
  space: Keyspace,
  found: number,
  text: Uint8Array,
  length: number,
  event: number,
  isNew: boolean,
): void {
  const { args, staged } = call;
  const { hashes } = space.values;
  const ref = found === 0 ? makeHash(call, 0) : found;
  const fieldLength = args.length[2]!;
  const run = isNew && staged !== null ? staged.take(3) : 0;
  if (run !== 0) hashes.setRun(ref, run, fieldLength, length, KEEP_EXPIRE);
  else {
    hashes.set(
      ref,
      args.source(2),
      args.off[2]!,
      fieldLength,
      text,
      0,
      length,
      KEEP_EXPIRE,
    );
  }
  if (fieldsExpire(space, ref)) endHash(space, call.db, ref);
  space.hooks.changed(call.db, call.key(0), event);
}

const SCAN = new ElementScan();

/** Replies the fields that a scan accepts. */
const SCANNED: FieldVisitor & {
  reply: ReplyWriter | undefined;
  nowMs: number;
} = {
  reply: undefined,
  nowMs: DOUBLE_ZERO,
  field(field, value, expireAtMs) {
    const isAccepted = SCAN.accepts(field.buf, field.off, field.length);
    // An expired one was met as well: there may be very many.
    if (!isAccepted || expireAtMs !== 0 && expireAtMs <= this.nowMs) return;
    const reply = this.reply!;
    reply.bulk(field.buf, field.off, field.length);
    if (!SCAN.isWithoutValues) reply.bulk(value.buf, value.off, value.length);
    SCAN.wrote(SCAN.isWithoutValues ? 1 : 2);
  },
};

/** `HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]` */
function hscanCommand(call: Call): void {
  if (!SCAN.readCursor(call)) return;
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return SCAN.replyEmpty();
  if (!SCAN.readOptions(true)) return;
  const { hashes } = call.keyspace(call.key(0)).values;
  SCANNED.reply = call.reply;
  SCANNED.nowMs = call.nowMs;
  SCAN.run((cursor) => hashes.scan(ref, cursor, SCANNED));
}

/** Rows of the hash commands. */
export const HASH_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "hdel",
    group: "hash",
    since: "2.0.0",
    summary: "Removes fields of a hash.",
    complexity: "O(N)",
    arity: -3,
    flags: ["write", "fast"],
    keys: KEY_RW_DELETE,
    syntax: "key field...",
    replies: ["integer"],
    stage: looksFor(2),
    run: hdelCommand,
  },
  {
    name: "hexists",
    group: "hash",
    since: "2.0.0",
    summary: "Tells whether a field is in a hash.",
    complexity: "O(1)",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: KEY_RO,
    syntax: "key field",
    replies: ["integer"],
    stage: looksFor(2),
    run: hexistsCommand,
  },
  {
    name: "hget",
    group: "hash",
    since: "2.0.0",
    summary: "Reads a field of a hash.",
    complexity: "O(1)",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: "key field",
    replies: ["string", "null"],
    stage: looksFor(2),
    run: hgetCommand,
  },
  {
    name: "hgetall",
    group: "hash",
    since: "2.0.0",
    summary: "Reads all fields of a hash and their values.",
    complexity: "O(N)",
    arity: 2,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output_order"],
    syntax: "key",
    replies: ["map"],
    run: hgetallCommand,
  },
  {
    name: "hincrby",
    group: "hash",
    since: "2.0.0",
    summary: "Adds an integer to a field of a hash.",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_ACCESS_UPDATE,
    syntax: "key field increment:integer",
    replies: ["integer"],
    stage: stageInteger,
    run: hincrbyCommand,
  },
  {
    name: "hincrbyfloat",
    group: "hash",
    since: "2.6.0",
    summary: "Adds a floating-point number to a field of a hash.",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_ACCESS_UPDATE,
    syntax: "key field increment:double",
    replies: ["string"],
    stage: stageFloat,
    run: hincrbyfloatCommand,
  },
  {
    name: "hkeys",
    group: "hash",
    since: "2.0.0",
    summary: "Lists the fields of a hash.",
    complexity: "O(N)",
    arity: 2,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output_order"],
    syntax: "key",
    replies: ["set", "array"],
    run: hkeysCommand,
  },
  {
    name: "hlen",
    group: "hash",
    since: "2.0.0",
    summary: "Counts the fields of a hash.",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly", "fast"],
    keys: KEY_RO,
    syntax: "key",
    replies: ["integer"],
    run: hlenCommand,
  },
  {
    name: "hmget",
    group: "hash",
    since: "2.0.0",
    summary: "Reads several fields of a hash.",
    complexity: "O(N)",
    arity: -3,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: "key field...",
    replies: ["array"],
    stage: looksFor(2),
    run: hmgetCommand,
  },
  {
    name: "hmset",
    group: "hash",
    since: "2.0.0",
    summary: "Sets fields of a hash.",
    complexity: "O(N)",
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_UPDATE,
    syntax: "key data:(field value)...",
    replies: ["status"],
    docFlags: ["deprecated"],
    deprecatedSince: "4.0.0",
    stage: stageFields,
    run: hmsetCommand,
  },
  {
    name: "hscan",
    group: "hash",
    since: "2.8.0",
    summary: "Goes through a hash piece by piece.",
    complexity: "O(1)",
    arity: -3,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output"],
    syntax:
      "key cursor:integer [MATCH pattern] [COUNT count:integer] [NOVALUES]",
    replies: ["array"],
    isHeavy: manyScanned,
    run: hscanCommand,
  },
  {
    name: "hset",
    group: "hash",
    since: "2.0.0",
    summary: "Sets fields of a hash, which is made if need be.",
    complexity: "O(1)",
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_UPDATE,
    syntax: "key data:(field value)...",
    replies: ["integer"],
    stage: stageFields,
    run: hsetCommand,
  },
  {
    name: "hsetnx",
    group: "hash",
    since: "2.0.0",
    summary: "Sets a field of a hash unless it is there.",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_INSERT,
    syntax: "key field value",
    replies: ["integer"],
    stage: stageFields,
    run: hsetnxCommand,
  },
  {
    name: "hstrlen",
    group: "hash",
    since: "3.2.0",
    summary: "Measures the value of a field of a hash.",
    complexity: "O(1)",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: KEY_RO,
    syntax: "key field",
    replies: ["integer"],
    stage: looksFor(2),
    run: hstrlenCommand,
  },
  {
    name: "hvals",
    group: "hash",
    since: "2.0.0",
    summary: "Lists the values of a hash.",
    complexity: "O(N)",
    arity: 2,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output_order"],
    syntax: "key",
    replies: ["array"],
    run: hvalsCommand,
  },
];

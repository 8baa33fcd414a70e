/**
 * Commands on strings that are numbers.
 *
 * An integer is kept as its text, and counting rewrites the text where it lies:
 * with the numbers of JavaScript as long as they are exact, with BigInt from
 * there to the end of the 64 bits. INCRBYFLOAT computes in 80 bits, as Redis
 * does on x86.
 *
 * @module
 */

import { latin1BytesOf } from "../base/bytes.ts";
import {
  decimalLength,
  INTEGER_BYTES_MAX,
  parseBigInteger,
  parseSafeInteger,
  writeBigInteger,
  writeInteger,
} from "../base/integer.ts";
import {
  addLongDouble,
  formatLongDouble,
  isFiniteLongDouble,
  parseLongDouble,
} from "../base/long_double.ts";
import {
  EMBEDDED_BYTES_MAX,
  STRING_EMBEDDED,
  STRING_INT,
  STRING_RAW,
  TYPE_STRING,
} from "../types/entry.ts";
import type { Key } from "../keyspace/key.ts";
import { INCRBY, INCRBYFLOAT } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import {
  DECREMENT_OVERFLOW,
  INCREMENT_NOT_FINITE,
  INCREMENT_OVERFLOW,
  NOT_A_FLOAT,
  NOT_AN_INTEGER,
  WRONG_TYPE,
} from "../resp/error_reply.ts";
import { bigIntegerAt, safeIntegerAt } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import { RECORDED } from "./recorded.ts";
import { type CommandSpec, KEY_RW_ACCESS_UPDATE } from "./command_spec.ts";

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** Text of a number on its way to a value. */
const TEXT = new Uint8Array(INTEGER_BYTES_MAX);

/** `INCR key` */
function incrCommand(call: Call): void {
  increase(call, 1);
}

/** `DECR key` */
function decrCommand(call: Call): void {
  increase(call, -1);
}

/** `INCRBY key increment` */
function incrbyCommand(call: Call): void {
  const by = safeIntegerAt(call, 2);
  if (!Number.isNaN(by)) return increase(call, by);
  const far = bigIntegerAt(call, 2);
  if (far === null) return call.reply.error(NOT_AN_INTEGER);
  increaseFar(call, far);
}

/** `DECRBY key decrement`: refuses the one integer without an opposite. */
function decrbyCommand(call: Call): void {
  const by = safeIntegerAt(call, 2);
  if (!Number.isNaN(by)) return increase(call, 0 - by);
  const far = bigIntegerAt(call, 2);
  if (far === null) return call.reply.error(NOT_AN_INTEGER);
  if (far === INT64_MIN) return call.reply.error(DECREMENT_OVERFLOW);
  increaseFar(call, -far);
}

/** Adds a safe integer to the first key's value. */
function increase(call: Call, by: number): void {
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupWrite(call.db, key, call.nowMs);
  let sum = by;
  if (ref !== 0) {
    if (space.type(ref) !== TYPE_STRING) return call.reply.error(WRONG_TYPE);
    sum += parseSafeInteger(
      space.strings.bytes(ref),
      space.strings.off(ref),
      space.strings.length(ref),
    );
    if (!Number.isSafeInteger(sum)) return increaseFar(call, BigInt(by));
  }
  const length = decimalLength(sum);
  const entry = makeRoom(call, space, key, ref, length);
  writeInteger(sum, space.bytes(entry), space.strings.off(entry));
  space.hooks.changed(call.db, key, INCRBY);
  call.reply.integer(sum);
}

/** Adds any integer to any integer, or complains. */
function increaseFar(call: Call, by: bigint): void {
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupWrite(call.db, key, call.nowMs);
  let sum = by;
  if (ref !== 0) {
    if (space.type(ref) !== TYPE_STRING) return call.reply.error(WRONG_TYPE);
    const value = parseBigInteger(
      space.strings.bytes(ref),
      space.strings.off(ref),
      space.strings.length(ref),
    );
    if (value === null) return call.reply.error(NOT_AN_INTEGER);
    sum += value;
    if (sum < INT64_MIN || sum > INT64_MAX) {
      return call.reply.error(INCREMENT_OVERFLOW);
    }
  }
  const length = writeBigInteger(sum, TEXT, 0);
  const entry = makeRoom(call, space, key, ref, length);
  space.bytes(entry).set(TEXT.subarray(0, length), space.strings.off(entry));
  space.hooks.changed(call.db, key, INCRBY);
  call.reply.bigInteger(sum);
}

/**
 * An entry for the text of an integer, made of `ref` unless that is 0. The text
 * is the caller's to write.
 */
function makeRoom(
  call: Call,
  space: Keyspace,
  key: Key,
  ref: number,
  length: number,
): number {
  if (ref === 0) {
    return space.strings.set(call.db, key, 0, TEXT, 0, length, STRING_INT, 0);
  }
  if (
    space.strings.length(ref) === length && space.encoding(ref) === STRING_INT
  ) return ref;
  return space.strings.resize(call.db, ref, length, STRING_INT);
}

/** `INCRBYFLOAT key increment` */
function incrbyfloatCommand(call: Call): void {
  const { args, db, reply } = call;
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupWrite(db, key, call.nowMs);
  if (ref !== 0 && space.type(ref) !== TYPE_STRING) {
    return reply.error(WRONG_TYPE);
  }
  const by = parseLongDouble(args.source(2), args.off[2]!, args.length[2]!);
  const value = ref === 0 ? null : parseLongDouble(
    space.strings.bytes(ref),
    space.strings.off(ref),
    space.strings.length(ref),
  );
  if (by === null || value === null && ref !== 0) {
    return reply.error(NOT_A_FLOAT);
  }
  const sum = value === null ? by : addLongDouble(value, by);
  if (!isFiniteLongDouble(sum)) return reply.error(INCREMENT_NOT_FINITE);

  const text = latin1BytesOf(formatLongDouble(sum));
  const encoding = text.length <= EMBEDDED_BYTES_MAX
    ? STRING_EMBEDDED
    : STRING_RAW;
  const expireAtMs = ref === 0 ? 0 : space.expireAt(ref);
  space.strings.set(db, key, ref, text, 0, text.length, encoding, expireAtMs);
  space.hooks.changed(db, key, INCRBYFLOAT);
  if (call.effects.isOn) {
    call.effects.replace(db, RECORDED.SET, 4).argument(args, 1)
      .constant(text).constant(RECORDED.KEEPTTL);
  }
  reply.bulk(text, 0, text.length);
}

/** Rows of the commands on numbers. */
export const STRING_NUMBER_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "decr",
    group: "string",
    since: "1.0.0",
    summary: "Takes one from the integer at a key; a missing key counts as 0.",
    complexity: "O(1)",
    arity: 2,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_ACCESS_UPDATE,
    syntax: "key",
    replies: ["integer"],
    run: decrCommand,
  },
  {
    name: "decrby",
    group: "string",
    since: "1.0.0",
    summary:
      "Takes a number from the integer at a key; a missing key counts as 0.",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_ACCESS_UPDATE,
    syntax: "key decrement:integer",
    replies: ["integer"],
    run: decrbyCommand,
  },
  {
    name: "incr",
    group: "string",
    since: "1.0.0",
    summary: "Adds one to the integer at a key; a missing key counts as 0.",
    complexity: "O(1)",
    arity: 2,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_ACCESS_UPDATE,
    syntax: "key",
    replies: ["integer"],
    run: incrCommand,
  },
  {
    name: "incrby",
    group: "string",
    since: "1.0.0",
    summary:
      "Adds a number to the integer at a key; a missing key counts as 0.",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_ACCESS_UPDATE,
    syntax: "key increment:integer",
    replies: ["integer"],
    run: incrbyCommand,
  },
  {
    name: "incrbyfloat",
    group: "string",
    since: "2.6.0",
    summary:
      "Adds a floating point number to the one at a key; a missing key counts as 0.",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: KEY_RW_ACCESS_UPDATE,
    syntax: "key increment:double",
    replies: ["string"],
    run: incrbyfloatCommand,
  },
];

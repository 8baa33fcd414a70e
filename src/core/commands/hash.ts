/**
 * Hash commands.
 *
 * @module
 */

import { bytesOf, latin1BytesOf } from "../base/bytes.ts";
import {
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
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ListpackItem } from "../memory/listpack.ts";
import {
  HASH_VALUE_NOT_A_FLOAT,
  HASH_VALUE_NOT_AN_INTEGER,
  INCREMENT_NOT_FINITE,
  INCREMENT_OVERFLOW,
  NAN_OR_INFINITY,
  NOT_A_FLOAT,
  NOT_AN_INTEGER,
  SYNTAX_ERROR,
  VALUE_OUT_OF_RANGE,
  wrongNumberOfArguments,
} from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { type FieldVisitor, KEEP_EXPIRE } from "../types/hash_value.ts";
import {
  argumentIs,
  bigIntegerAt,
  readInteger,
  safeIntegerAt,
} from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  KEY_RO,
  KEY_RO_ACCESS,
  KEY_RW_ACCESS_UPDATE,
  KEY_RW_DELETE,
  KEY_RW_INSERT,
  KEY_RW_UPDATE,
} from "./command_spec.ts";
import { ElementScan } from "./element_scan.ts";
import { type ElementWriter, replyElements } from "./element_stream.ts";
import {
  endHashWrite,
  hashesOf,
  readHash,
  writeHash,
  writeOrMakeHash,
} from "./hash_entry.ts";
import { WRONG } from "./typed_entry.ts";

const WITHVALUES = bytesOf("withvalues");
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
/** Text of a number on its way to a value. */
const TEXT = new Uint8Array(INTEGER_BYTES_MAX);

/** What is written of each field. */
const FIELDS = 1;
const VALUES = 2;

/** Writes fields, values or both. */
class FieldReplies implements FieldVisitor {
  reply: ReplyWriter | undefined;
  /** Bits of FIELDS and VALUES. */
  parts = 0;
  /** Whether each pair is an array of its own. */
  isNested = false;

  field(
    fieldBuf: Uint8Array,
    fieldOff: number,
    fieldLength: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): void {
    const reply = this.reply!;
    if (this.isNested) reply.array(2);
    if ((this.parts & FIELDS) !== 0) {
      reply.bulk(fieldBuf, fieldOff, fieldLength);
    }
    if ((this.parts & VALUES) !== 0) reply.bulk(buf, off, length);
  }
}

const REPLIES = new FieldReplies();

/** Writes the fields of a hash that are live at a time. */
class HashElements implements ElementWriter {
  readonly #parts: number;
  readonly #nowMs: number;

  constructor(parts: number, nowMs: number) {
    this.#parts = parts;
    this.#nowMs = nowMs;
  }

  write(
    space: Keyspace,
    ref: number,
    from: number,
    to: number,
    reply: ReplyWriter,
    limit: number,
  ): number {
    const { hashes } = space.values;
    REPLIES.reply = reply;
    REPLIES.parts = this.#parts;
    REPLIES.isNested = false;
    let place = from;
    while (place < to && reply.at < limit) {
      place = hashes.visit(ref, place, REPLIES, this.#nowMs);
    }
    return place;
  }
}

/** Of hashes without expires, by parts. */
const ELEMENTS = [0, FIELDS, VALUES, FIELDS | VALUES].map((parts) =>
  new HashElements(parts, -Infinity)
);

/** `HSET key field value [field value ...]` */
function hsetCommand(call: Call): void {
  const added = setFields(call, "hset");
  if (added >= 0) call.reply.integer(added);
}

/** `HMSET key field value [field value ...]` */
function hmsetCommand(call: Call): void {
  if (setFields(call, "hmset") >= 0) call.reply.ok();
}

/** Sets fields and returns how many are new; -1 after an error reply. */
function setFields(call: Call, command: string): number {
  const { args, argc, reply } = call;
  if ((argc & 1) !== 0) {
    reply.error(wrongNumberOfArguments(command));
    return -1;
  }
  const ref = writeOrMakeHash(call, 0);
  if (ref === WRONG) return -1;
  const space = call.keyspace(call.key(0));
  const { hashes } = space.values;
  let added = 0;
  for (let i = 2; i < argc; i += 2) {
    const isNew = hashes.set(
      ref,
      args.source(i),
      args.off[i]!,
      args.length[i]!,
      args.source(i + 1),
      args.off[i + 1]!,
      args.length[i + 1]!,
      0,
    );
    if (isNew) added++;
  }
  if (space.hasFieldExpires(ref)) endHashWrite(call, space, ref);
  space.noteChange((argc - 2) >> 1);
  return added;
}

/** `HSETNX key field value` */
function hsetnxCommand(call: Call): void {
  const { args, reply } = call;
  let ref = writeHash(call, 0);
  if (ref === WRONG) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  if (ref !== 0 && findField(call, ref, 2)) return reply.integer(0);
  if (ref === 0) ref = writeOrMakeHash(call, 0);
  space.values.hashes.set(
    ref,
    args.source(2),
    args.off[2]!,
    args.length[2]!,
    args.source(3),
    args.off[3]!,
    args.length[3]!,
    0,
  );
  space.noteChange();
  reply.integer(1);
}

/** Finds the field in argument `i`; the value is in `hashes.value`. */
function findField(call: Call, ref: number, i: number): boolean {
  const { args } = call;
  return hashesOf(call, 0).find(
    ref,
    args.source(i),
    args.off[i]!,
    args.length[i]!,
    call.nowMs,
  );
}

/** `HGET key field` */
function hgetCommand(call: Call): void {
  const ref = readHash(call, 0);
  if (ref !== WRONG) replyField(call, ref, 2);
}

/** `HMGET key field [field ...]` */
function hmgetCommand(call: Call): void {
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  call.reply.array(call.argc - 2);
  for (let i = 2; i < call.argc; i++) replyField(call, ref, i);
}

function replyField(call: Call, ref: number, i: number): void {
  if (ref === 0 || !findField(call, ref, i)) return call.reply.nullBulk();
  const { value } = hashesOf(call, 0);
  call.reply.bulk(value.buf, value.off, value.length);
}

/** `HDEL key field [field ...]` */
function hdelCommand(call: Call): void {
  const { args, argc, reply } = call;
  const ref = writeHash(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return reply.integer(0);
  const space = call.keyspace(call.key(0));
  const { hashes } = space.values;
  let removed = 0;
  for (let i = 2; i < argc; i++) {
    if (hashes.remove(ref, args.source(i), args.off[i]!, args.length[i]!)) {
      removed++;
      if (hashes.length(ref) === 0) break;
    }
  }
  if (removed > 0) {
    endHashWrite(call, space, ref);
    space.noteChange(removed);
  }
  reply.integer(removed);
}

/** `HEXISTS key field` */
function hexistsCommand(call: Call): void {
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  call.reply.integer(ref !== 0 && findField(call, ref, 2) ? 1 : 0);
}

/** `HLEN key`: expired fields count as long as they are there, as in Redis. */
function hlenCommand(call: Call): void {
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  call.reply.integer(ref === 0 ? 0 : hashesOf(call, 0).length(ref));
}

/** `HSTRLEN key field` */
function hstrlenCommand(call: Call): void {
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  const found = ref !== 0 && findField(call, ref, 2);
  call.reply.integer(found ? hashesOf(call, 0).value.length : 0);
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
  const count = ref === 0 ? 0 : hashes.liveLength(ref, nowMs);
  if (parts === (FIELDS | VALUES)) reply.map(count);
  else reply.array(count);
  if (count === 0) return;
  const elements = space.hasFieldExpires(ref)
    ? new HashElements(parts, nowMs)
    : ELEMENTS[parts]!;
  const from = hashes.firstPlace(ref);
  replyElements(call, space, ref, elements, from, hashes.endPlace(ref), count);
}

/** `HINCRBY key field increment` */
function hincrbyCommand(call: Call): void {
  const { args, reply } = call;
  const by = safeIntegerAt(call, 3);
  const farBy = Number.isNaN(by) ? bigIntegerAt(call, 3) : null;
  if (Number.isNaN(by) && farBy === null) return reply.error(NOT_AN_INTEGER);
  let ref = writeHash(call, 0);
  if (ref === WRONG) return;
  const { value } = hashesOf(call, 0);
  const found = ref !== 0 && findField(call, ref, 2);
  const old = found ? integerOf(value) : 0;
  const sum = old + by;
  let length: number;
  let farSum = 0n;
  const isFar = !Number.isSafeInteger(sum);
  if (isFar) {
    const far = found
      ? parseBigInteger(value.buf, value.off, value.length)
      : 0n;
    if (far === null) return reply.error(HASH_VALUE_NOT_AN_INTEGER);
    farSum = far + (farBy ?? BigInt(by));
    if (farSum < INT64_MIN || farSum > INT64_MAX) {
      return reply.error(INCREMENT_OVERFLOW);
    }
    length = writeBigInteger(farSum, TEXT, 0);
  } else length = writeInteger(sum, TEXT, 0);
  if (ref === 0) ref = writeOrMakeHash(call, 0);
  const space = call.keyspace(call.key(0));
  space.values.hashes.set(
    ref,
    args.source(2),
    args.off[2]!,
    args.length[2]!,
    TEXT,
    0,
    length,
    KEEP_EXPIRE,
  );
  space.noteChange();
  if (isFar) reply.bigInteger(farSum);
  else reply.integer(sum);
}

/** The safe integer of a value, or NaN. */
function integerOf(value: ListpackItem): number {
  return value.isInteger
    ? value.integer
    : parseSafeInteger(value.buf, value.off, value.length);
}

/** `HINCRBYFLOAT key field increment` */
function hincrbyfloatCommand(call: Call): void {
  const { args, reply } = call;
  const by = parseLongDouble(args.source(3), args.off[3]!, args.length[3]!);
  if (by === null) return reply.error(NOT_A_FLOAT);
  if (!isFiniteLongDouble(by)) return reply.error(NAN_OR_INFINITY);
  let ref = writeHash(call, 0);
  if (ref === WRONG) return;
  const { value } = hashesOf(call, 0);
  const found = ref !== 0 && findField(call, ref, 2);
  const old = found
    ? parseLongDouble(value.buf, value.off, value.length)
    : null;
  if (found && old === null) return reply.error(HASH_VALUE_NOT_A_FLOAT);
  const sum = old === null ? by : addLongDouble(old, by);
  if (!isFiniteLongDouble(sum)) return reply.error(INCREMENT_NOT_FINITE);
  const text = latin1BytesOf(formatLongDouble(sum));
  if (ref === 0) ref = writeOrMakeHash(call, 0);
  const space = call.keyspace(call.key(0));
  space.values.hashes.set(
    ref,
    args.source(2),
    args.off[2]!,
    args.length[2]!,
    text,
    0,
    text.length,
    KEEP_EXPIRE,
  );
  space.noteChange();
  reply.bulk(text, 0, text.length);
}

/** `HRANDFIELD key [count [WITHVALUES]]` */
function hrandfieldCommand(call: Call): void {
  const { reply, argc, nowMs } = call;
  let count = 1;
  if (argc > 2) {
    count = readInteger(call, 2);
    if (Number.isNaN(count)) return;
    if (argc > 4 || (argc === 4 && !argumentIs(call, 3, WITHVALUES))) {
      return reply.error(SYNTAX_ERROR);
    }
    const most = argc === 4 ? 2 ** 62 : 2 ** 63;
    // One more than the most there is would be the least integer.
    if (count <= -most || count >= most) {
      return reply.error(VALUE_OUT_OF_RANGE);
    }
  }
  const ref = readHash(call, 0);
  if (ref === WRONG) return;
  const { hashes } = call.keyspace(call.key(0)).values;
  const length = ref === 0 ? 0 : hashes.liveLength(ref, nowMs);
  if (argc === 2) {
    if (length === 0) return reply.nullBulk();
    hashes.draw(ref, nowMs);
    const { field } = hashes;
    return reply.bulk(field.buf, field.off, field.length);
  }
  REPLIES.reply = reply;
  REPLIES.parts = argc === 4 ? FIELDS | VALUES : FIELDS;
  REPLIES.isNested = argc === 4 && reply.resp === 3;
  const flat = argc === 4 && reply.resp !== 3 ? 2 : 1;
  if (length === 0) return reply.array(0);
  if (count < 0) {
    reply.array(-count * flat);
    for (let i = 0; i < -count; i++) {
      hashes.draw(ref, nowMs);
      const { field, value } = hashes;
      REPLIES.field(
        field.buf,
        field.off,
        field.length,
        value.buf,
        value.off,
        value.length,
      );
    }
    return;
  }
  reply.array(Math.min(count, length) * flat);
  hashes.sample(ref, count, REPLIES, nowMs);
}

const SCAN = new ElementScan();

/** Replies the fields that a scan accepts. */
const SCANNED: FieldVisitor & { reply: ReplyWriter | undefined } = {
  reply: undefined,
  field(fieldBuf, fieldOff, fieldLength, buf, off, length) {
    if (!SCAN.accepts(fieldBuf, fieldOff, fieldLength)) return;
    const reply = this.reply!;
    reply.bulk(fieldBuf, fieldOff, fieldLength);
    if (!SCAN.isWithoutValues) reply.bulk(buf, off, length);
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
  const hashes = hashesOf(call, 0);
  SCANNED.reply = call.reply;
  SCAN.run((cursor) => hashes.scan(ref, cursor, SCANNED, call.nowMs));
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
    run: hmsetCommand,
  },
  {
    name: "hrandfield",
    group: "hash",
    since: "6.2.0",
    summary: "Draws fields of a hash at random.",
    complexity: "O(N)",
    arity: -2,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output"],
    syntax: "key [options:(count:integer [WITHVALUES])]",
    replies: ["null", "string", "array"],
    run: hrandfieldCommand,
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

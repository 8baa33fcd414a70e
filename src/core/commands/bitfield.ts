/**
 * BITFIELD: integers of any width at any bit of a string.
 *
 * All operations are read before the first is carried out, so an error changes
 * nothing. They are kept in arrays that every command reuses.
 *
 * Fields of up to 52 bits and values that are as small are computed with doubles,
 * which are exact there: a sum stays below 2^53. All others take BigInt, and
 * then follow the arithmetic of C to its overflows.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { readBits, writeBits } from "../base/bits.ts";
import { parseSafeInteger } from "../base/integer.ts";
import { KEYSPACE_HITS, KEYSPACE_MISSES } from "../keyspace/counters.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import { Key } from "../keyspace/key.ts";
import { SETBIT } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { entryForReaders } from "../keyspace/locking.ts";
import {
  BITFIELD_OVERFLOW_INVALID,
  BITFIELD_RO_WRITES,
  BITFIELD_TYPE_INVALID,
  type ErrorReply,
  NOT_AN_INTEGER,
  SYNTAX_ERROR,
  WRONG_TYPE,
} from "../resp/error_reply.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import type { Arguments } from "../resp/arguments.ts";
import { TYPE_STRING } from "../types/entry.ts";
import { argumentIs, bigIntegerAt, safeIntegerAt } from "./arg_reader.ts";
import {
  bitGrowth,
  ensureBit,
  isLongGrowth,
  readBitOffset,
} from "./bit_string.ts";
import type { Call, SlicedChange } from "./call.ts";
import { bitfieldKeys } from "./command_keys.ts";
import {
  type CommandSpec,
  KEY_RO_ACCESS,
  keyAt,
  type LateReply,
} from "./command_spec.ts";
import { GatheredReply } from "./gathered_reply.ts";
import { type ChangeRecord, recordInSlices } from "./given_record.ts";
import { makeChange } from "./sliced_change.ts";
import type { StringGrowth } from "./string_growth.ts";
import { readEntry, writeEntry, WRONG } from "./typed_entry.ts";

// Places in VERBS; the one between is SET.
const GET = 0;
const INCRBY = 2;
const VERBS = ["get", "set", "incrby"].map(bytesOf);
const OVERFLOW = bytesOf("overflow");

const WRAP = 0;
const SAT = 1;
const FAIL = 2;
const OVERFLOWS = ["wrap", "sat", "fail"].map(bytesOf);

const LOWER_I = 0x69;
const LOWER_U = 0x75;
const SIGNED_BITS_MAX = 64;
const UNSIGNED_BITS_MAX = 63;

/** Of more arguments, operations are read and carried out in slices. */
const ARGUMENTS_AT_ONCE_MAX = 1024;
/** Arguments that are read in one slice, at least. */
const SLICE_ARGUMENTS = 512;
/** Operations that are carried out in one slice. */
const SLICE_OPERATIONS = 256;
const NO_REPLY: LateReply = () => {};

/** Up to here, fields and values are computed with doubles. */
const DOUBLE_BITS_MAX = 52;
const DOUBLE_MAX = 2 ** DOUBLE_BITS_MAX;

/** The operations of one command. */
class Operations {
  count = 0;
  /** The last bit that is written, or -1. */
  lastWritten = -1;
  verb: Uint8Array = new Uint8Array(16);
  overflow: Uint8Array = new Uint8Array(16);
  signed: Uint8Array = new Uint8Array(16);
  bits: Uint8Array = new Uint8Array(16);
  offset: Float64Array = new Float64Array(16);
  /** The argument that is the value or increment. */
  valueAt: Int32Array = new Int32Array(16);
  /** It as a number, or NaN if it is not exact. */
  value: Float64Array = new Float64Array(16);

  /** The argument that is read next. */
  at = 2;
  #overflow = WRAP;

  /** Reads all of a command; false after an error reply. */
  read(call: FieldCall): boolean {
    this.count = 0;
    this.lastWritten = -1;
    this.at = 2;
    this.#overflow = WRAP;
    return this.readUpTo(call, call.args.count);
  }

  /** Reads on, to an argument or a little farther; false after an error reply. */
  readUpTo(call: FieldCall, end: number): boolean {
    const argc = call.args.count;
    while (this.at < end) {
      const i = this.at;
      const left = argc - i - 1;
      if (left >= 1 && argumentIs(call, i, OVERFLOW)) {
        this.#overflow = wordAt(call, i + 1, OVERFLOWS);
        if (this.#overflow < 0) {
          call.reply.error(BITFIELD_OVERFLOW_INVALID);
          return false;
        }
        this.at += 2;
        continue;
      }
      const verb = wordAt(call, i, VERBS);
      if (verb < 0 || left < (verb === GET ? 2 : 3)) {
        call.reply.error(SYNTAX_ERROR);
        return false;
      }
      if (!this.#readOne(call, i, verb)) return false;
      this.overflow[this.count++] = this.#overflow;
      this.at += verb === GET ? 3 : 4;
    }
    return true;
  }

  #readOne(call: FieldCall, i: number, verb: number): boolean {
    const n = this.count;
    if (n === this.verb.length) this.#grow();
    this.verb[n] = verb;
    if (!this.#readType(call, i + 1)) return false;
    const bits = this.bits[n]!;
    const offset = readBitOffset(call, i + 2, bits);
    if (Number.isNaN(offset)) return false;
    this.offset[n] = offset;
    if (verb === GET) return true;
    this.lastWritten = Math.max(this.lastWritten, offset + bits - 1);
    this.valueAt[n] = i + 3;
    this.value[n] = safeIntegerAt(call, i + 3);
    if (
      Number.isNaN(this.value[n]) && bigIntegerAt(call, i + 3) === null
    ) {
      call.reply.error(NOT_AN_INTEGER);
      return false;
    }
    return true;
  }

  /** `i` or `u` and the number of bits. */
  #readType(call: FieldCall, i: number): boolean {
    const args = call.args;
    const source = args.source(i);
    const off = args.off[i]!;
    const length = args.length[i]!;
    const letter = length > 0 ? source[off] : 0;
    const bits = letter === LOWER_I || letter === LOWER_U
      ? parseSafeInteger(source, off + 1, length - 1)
      : NaN;
    const most = letter === LOWER_I ? SIGNED_BITS_MAX : UNSIGNED_BITS_MAX;
    if (bits >= 1 && bits <= most) {
      this.signed[this.count] = letter === LOWER_I ? 1 : 0;
      this.bits[this.count] = bits;
      return true;
    }
    call.reply.error(BITFIELD_TYPE_INVALID);
    return false;
  }

  #grow(): void {
    const size = this.verb.length * 2;
    this.verb = grown(this.verb, new Uint8Array(size));
    this.overflow = grown(this.overflow, new Uint8Array(size));
    this.signed = grown(this.signed, new Uint8Array(size));
    this.bits = grown(this.bits, new Uint8Array(size));
    this.offset = grown(this.offset, new Float64Array(size));
    this.valueAt = grown(this.valueAt, new Int32Array(size));
    this.value = grown(this.value, new Float64Array(size));
  }
}

function grown<T extends Uint8Array | Int32Array | Float64Array>(
  from: T,
  to: T,
): T {
  to.set(from);
  return to;
}

let OPERATIONS = new Operations();

/** The part of a call that operations use. */
type FieldCall = Pick<Call, "reply" | "args" | "settings">;

/** Where argument `i` stands in a list of words, or -1. */
function wordAt(
  call: FieldCall,
  i: number,
  words: readonly Uint8Array[],
): number {
  for (let word = 0; word < words.length; word++) {
    if (argumentIs(call, i, words[word]!)) return word;
  }
  return -1;
}

/**
 * `BITFIELD key [GET type offset | [OVERFLOW WRAP | SAT | FAIL]
 * SET type offset value | INCRBY type offset increment ...]`
 */
function bitfieldCommand(call: Call): void | Promise<LateReply> {
  if (call.argc > ARGUMENTS_AT_ONCE_MAX && call.canWait) {
    return carryOutInSlices(call, false);
  }
  if (!OPERATIONS.read(call)) return;
  if (OPERATIONS.lastWritten < 0) return replyFields(call);
  const ref = writeEntry(call, 0, TYPE_STRING);
  if (ref === WRONG) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  if (isLongGrowth(space, ref, OPERATIONS.lastWritten)) {
    return carryOutLater(call, space, ref);
  }
  const had = ref === 0 ? 0 : space.strings.length(ref);
  const entry = ensureBit(call.db, space, key, ref, OPERATIONS.lastWritten);
  const grew = space.strings.length(entry) > had;
  const changes = carryOut(call, space, entry, grew);
  if (changes > 0) space.hooks.changed(call.db, key, SETBIT, changes);
}

/** Carries out the operations; returns how many have changed something. */
function carryOut(
  call: FieldCall,
  space: Keyspace,
  entry: number,
  grew: boolean,
): number {
  const count = OPERATIONS.count;
  call.reply.array(count);
  let changes = 0;
  for (let i = 0; i < count; i++) {
    if (carryOutOne(call, space, entry, i, grew)) changes++;
  }
  return changes;
}

/** Carries out the i-th operation; says whether it has changed something. */
function carryOutOne(
  call: FieldCall,
  space: Keyspace,
  entry: number,
  i: number,
  grew: boolean,
): boolean {
  if (OPERATIONS.verb[i] !== GET) {
    return change(call, space, entry, i) || grew && !failed;
  }
  if (entry === 0) call.reply.integer(0);
  else replyField(call, space, entry, i);
  return false;
}

/** Makes the string long in slices first. */
function carryOutLater(
  call: Call,
  space: Keyspace,
  ref: number,
): void | Promise<LateReply> {
  // They are kept, and the commands until then have others.
  const operations = OPERATIONS;
  OPERATIONS = new Operations();
  const had = ref === 0 ? 0 : space.strings.length(ref);
  const { resp } = call.reply;
  const { settings } = call;
  const growth = bitGrowth(
    space,
    ref,
    operations.lastWritten,
    (space, db, key, entry, args) => {
      OPERATIONS = operations;
      const reply = new ReplyWriter();
      reply.resp = resp;
      const grew = space.strings.length(entry) > had;
      const changes = carryOut({ reply, args, settings }, space, entry, grew);
      if (changes > 0) space.hooks.changed(db, key, SETBIT, changes);
      return (writer) => writer.raw(reply.buf.subarray(0, reply.at));
    },
  );
  return makeChange(call, ref, growth);
}

/** Very many operations: the arguments are read in slices, too. */
function carryOutInSlices(
  call: Call,
  readsOnly: boolean,
): void | Promise<LateReply> {
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupWrite(call.db, key, call.nowMs);
  return makeChange(call, ref, new FieldSlices(call, readsOnly));
}

/**
 * BITFIELD of very many operations. The string is made as long as it must be
 * when all of them are read.
 */
class FieldSlices implements SlicedChange {
  /** Set if an argument, or the key's value, is none that will do. */
  error: ErrorReply | null = null;
  readonly isRead: boolean;
  readonly #readsOnly: boolean;
  readonly #call: Call;
  readonly #db: number;
  readonly #key = new Key();
  readonly #operations = new Operations();
  readonly #record: ChangeRecord | null;
  readonly #gathered: GatheredReply;
  /** Takes the errors. */
  readonly #errors = new ReplyWriter(0);
  #growth: StringGrowth | null = null;
  #isReady = false;
  /** Whether nothing is done without the latch. */
  #isAtOnce = false;
  #grew = false;
  #done = 0;
  #changes = 0;

  constructor(call: Call, readsOnly: boolean) {
    const { buf, off, length, hash, shard } = call.key(0);
    const name = buf.slice(off, off + length);
    Object.assign(this.#key, { buf: name, off: 0, length, hash, shard });
    this.isRead = readsOnly;
    this.#readsOnly = readsOnly;
    this.#call = call;
    this.#db = call.db;
    this.#record = readsOnly ? null : recordInSlices(call);
    this.#gathered = new GatheredReply(call.reply);
  }

  get place(): null | undefined {
    return this.#growth?.place;
  }

  hurry(): void {
    this.#isAtOnce = true;
    this.#growth?.hurry();
  }

  step(space: Keyspace, _ref: number, args: Arguments): boolean {
    // Commands between two slices have theirs.
    const others = OPERATIONS;
    OPERATIONS = this.#operations;
    try {
      return this.#step(space, args);
    } finally {
      OPERATIONS = others;
    }
  }

  #step(space: Keyspace, args: Arguments): boolean {
    const operations = this.#operations;
    if (operations.at < args.count) return this.#read(args);
    if (this.#growth !== null) return this.#grow(space, args);
    const ref = entryForReaders(space, this.#db, this.#key);
    if (!this.#isReady) return this.#begin(space, ref);
    const end = Math.min(this.#done + SLICE_OPERATIONS, operations.count);
    const { settings } = this.#call;
    for (; this.#done < end; this.#done++) {
      const reply = this.#gathered.writer();
      const call = { reply, args, settings };
      if (carryOutOne(call, space, ref, this.#done, this.#grew)) {
        this.#changes++;
      }
    }
    return end < operations.count;
  }

  #read(args: Arguments): boolean {
    const { settings } = this.#call;
    const call = { reply: this.#errors, args, settings };
    const end = Math.min(this.#operations.at + SLICE_ARGUMENTS, args.count);
    this.#record?.addUpTo(args, end);
    if (!this.#operations.readUpTo(call, end)) {
      this.error = this.#errors.lastError;
    }
    return this.error === null;
  }

  /** All is read: makes room for what is to be written. */
  #begin(space: Keyspace, ref: number): boolean {
    const { lastWritten } = this.#operations;
    this.#isReady = true;
    if (this.#readsOnly && lastWritten >= 0) this.error = BITFIELD_RO_WRITES;
    else if (ref !== 0 && space.type(ref) !== TYPE_STRING) {
      this.error = WRONG_TYPE;
    }
    if (this.error !== null) return false;
    if (lastWritten < 0) {
      const counter = ref === 0 ? KEYSPACE_MISSES : KEYSPACE_HITS;
      this.#call.counters[counter]!++;
      return true;
    }
    const had = ref === 0 ? 0 : space.strings.length(ref);
    if (isLongGrowth(space, ref, lastWritten)) {
      this.#growth = bitGrowth(
        space,
        ref,
        lastWritten,
        (space, _db, _key, ref) => {
          this.#grew = space.strings.length(ref) > had;
          return NO_REPLY;
        },
      );
      if (this.#isAtOnce) this.#growth.hurry();
      return true;
    }
    const entry = ensureBit(this.#db, space, this.#key, ref, lastWritten);
    this.#grew = space.strings.length(entry) > had;
    return true;
  }

  #grow(space: Keyspace, args: Arguments): boolean {
    const growth = this.#growth!;
    // Without the latch nothing is looked up.
    const ref = growth.place === null ? 0 : space.peek(this.#db, this.#key);
    if (growth.step(space, ref, args)) return true;
    growth.finish(space, this.#db, this.#key, args);
    this.#growth = null;
    return true;
  }

  finish(
    space: Keyspace,
    db: number,
    key: Key,
    _args: Arguments,
    effects: EffectLog,
  ): LateReply {
    const { error } = this;
    if (error !== null) return (reply) => reply.error(error);
    if (this.#changes > 0) {
      this.#record?.end(effects);
      space.hooks.changed(db, key, SETBIT, this.#changes);
    }
    return (reply) => {
      reply.array(this.#operations.count);
      this.#gathered.reply(reply);
    };
  }

  drop(space: Keyspace): void {
    this.#growth?.drop(space);
  }
}

/** `BITFIELD_RO key [GET type offset ...]` */
function bitfieldRoCommand(call: Call): void | Promise<LateReply> {
  if (call.argc > ARGUMENTS_AT_ONCE_MAX && call.canWait) {
    return carryOutInSlices(call, true);
  }
  if (!OPERATIONS.read(call)) return;
  if (OPERATIONS.lastWritten >= 0) return call.reply.error(BITFIELD_RO_WRITES);
  replyFields(call);
}

function replyFields(call: Call): void {
  const ref = readEntry(call, 0, TYPE_STRING);
  if (ref === WRONG) return;
  const space = call.keyspace(call.key(0));
  const count = OPERATIONS.count;
  call.reply.array(count);
  for (let i = 0; i < count; i++) {
    if (ref === 0) call.reply.integer(0);
    else replyField(call, space, ref, i);
  }
}

/** Carries out the i-th operation, a GET. */
function replyField(
  call: FieldCall,
  space: Keyspace,
  ref: number,
  i: number,
): void {
  const bits = OPERATIONS.bits[i]!;
  if (bits > DOUBLE_BITS_MAX) {
    return call.reply.bigInteger(readBigField(space, ref, i));
  }
  call.reply.integer(readField(space, ref, i));
}

/** Whether the last operation was refused because of its overflow. */
let failed = false;

/** Carries out the i-th operation, a SET or INCRBY; says if a bit changed. */
function change(
  call: FieldCall,
  space: Keyspace,
  ref: number,
  i: number,
): boolean {
  const bits = OPERATIONS.bits[i]!;
  const by = OPERATIONS.value[i]!;
  failed = false;
  if (bits > DOUBLE_BITS_MAX || !(Math.abs(by) <= DOUBLE_MAX)) {
    return changeBig(call, space, ref, i);
  }
  const old = readField(space, ref, i);
  const increments = OPERATIONS.verb[i] === INCRBY;
  const wanted = increments ? old + by : by;
  const value = fitted(wanted, bits, OPERATIONS.signed[i]!, i);
  if (Number.isNaN(value)) {
    failed = true;
    call.reply.nullBulk();
    return false;
  }
  call.reply.integer(increments ? value : old);
  writeBits(
    space.strings.bytes(ref),
    space.strings.off(ref),
    OPERATIONS.offset[i]!,
    bits,
    value < 0 ? value + 2 ** bits : value,
  );
  return value !== old;
}

/** A value as the field can hold it, or NaN if it overflows and must not. */
function fitted(
  value: number,
  bits: number,
  signed: number,
  i: number,
): number {
  const size = 2 ** bits;
  const max = signed === 1 ? size / 2 - 1 : size - 1;
  const min = signed === 1 ? -size / 2 : 0;
  if (value >= min && value <= max) return value;
  const overflow = OPERATIONS.overflow[i]!;
  if (overflow === FAIL) return NaN;
  if (overflow === SAT) {
    // A negative value that an unsigned field shall be set to is a large one.
    const isLow = value < min &&
      (signed === 1 || OPERATIONS.verb[i] === INCRBY);
    return isLow ? min : max;
  }
  const wrapped = value - Math.floor(value / size) * size;
  return wrapped > max ? wrapped - size : wrapped;
}

/** As {@linkcode change}, for what is not exact in doubles. */
function changeBig(
  call: FieldCall,
  space: Keyspace,
  ref: number,
  i: number,
): boolean {
  const by = bigIntegerAt(call, OPERATIONS.valueAt[i]!)!;
  const increments = OPERATIONS.verb[i] === INCRBY;
  const old = readBigField(space, ref, i);
  const value = OPERATIONS.signed[i] === 1
    ? bigSigned(increments ? old : by, increments ? by : 0n, i)
    : bigUnsigned(increments ? old : by, increments ? by : 0n, i);
  if (value === null) {
    failed = true;
    call.reply.nullBulk();
    return false;
  }
  call.reply.bigInteger(increments ? value : old);
  writeBigField(space, ref, i, value);
  return value !== old;
}

/** The sum as a signed field can hold it; null if it must not overflow. */
function bigSigned(value: bigint, by: bigint, i: number): bigint | null {
  const bits = OPERATIONS.bits[i]!;
  const max = (1n << BigInt(bits - 1)) - 1n;
  const min = -max - 1n;
  // These may leave the 64 bits, and then turn around, as they do in Redis.
  const most = BigInt.asIntN(64, max - value);
  const least = BigInt.asIntN(64, min - value);
  const isNarrow = bits < SIGNED_BITS_MAX;
  let limit: bigint;
  if (
    value > max || isNarrow && by > most || value >= 0n && by > 0n && by > most
  ) {
    limit = max;
  } else if (
    value < min || isNarrow && by < least || value < 0n && by < 0n && by < least
  ) {
    limit = min;
  } else return value + by;
  const overflow = OPERATIONS.overflow[i]!;
  if (overflow === FAIL) return null;
  return overflow === SAT ? limit : BigInt.asIntN(bits, value + by);
}

/** The sum as an unsigned field can hold it; null if it must not overflow. */
function bigUnsigned(value: bigint, by: bigint, i: number): bigint | null {
  const bits = OPERATIONS.bits[i]!;
  const max = (1n << BigInt(bits)) - 1n;
  const amount = BigInt.asUintN(64, value);
  let limit: bigint;
  if (amount > max || by > 0n && by > max - amount) limit = max;
  else if (by < 0n && by < -amount) limit = 0n;
  else return amount + by;
  const overflow = OPERATIONS.overflow[i]!;
  if (overflow === FAIL) return null;
  return overflow === SAT ? limit : BigInt.asUintN(bits, amount + by);
}

function readField(space: Keyspace, ref: number, i: number): number {
  const bits = OPERATIONS.bits[i]!;
  const value = readBits(
    space.strings.bytes(ref),
    space.strings.off(ref),
    space.strings.length(ref),
    OPERATIONS.offset[i]!,
    bits,
  );
  const size = 2 ** bits;
  return OPERATIONS.signed[i] === 1 && value >= size / 2 ? value - size : value;
}

function readBigField(space: Keyspace, ref: number, i: number): bigint {
  const bits = OPERATIONS.bits[i]!;
  const lowBits = Math.min(32, bits);
  const bytes = space.strings.bytes(ref);
  const off = space.strings.off(ref);
  const length = space.strings.length(ref);
  const at = OPERATIONS.offset[i]!;
  const high = readBits(bytes, off, length, at, bits - lowBits);
  const low = readBits(bytes, off, length, at + bits - lowBits, lowBits);
  const value = BigInt(high) << 32n | BigInt(low);
  return OPERATIONS.signed[i] === 1 ? BigInt.asIntN(bits, value) : value;
}

function writeBigField(
  space: Keyspace,
  ref: number,
  i: number,
  value: bigint,
): void {
  const bits = OPERATIONS.bits[i]!;
  const lowBits = Math.min(32, bits);
  const bytes = space.strings.bytes(ref);
  const off = space.strings.off(ref);
  const at = OPERATIONS.offset[i]!;
  const all = BigInt.asUintN(bits, value);
  const low = Number(BigInt.asUintN(lowBits, all));
  writeBits(bytes, off, at, bits - lowBits, Number(all >> BigInt(lowBits)));
  writeBits(bytes, off, at + bits - lowBits, lowBits, low);
}

/** Rows of the commands on fields of bits. */
export const BITFIELD_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "bitfield",
    group: "bitmap",
    since: "3.2.0",
    summary: "Reads and writes integers of any width inside a string.",
    complexity: "O(1)",
    arity: -2,
    flags: ["write", "denyoom"],
    keys: [keyAt(1, "RW access update variable_flags")],
    findKeys: bitfieldKeys,
    syntax:
      "key [operation:(GET get-block:(encoding offset:integer)|write:([OVERFLOW overflow-block:(WRAP|SAT|FAIL)] write-operation:(SET set-block:(encoding offset:integer value:integer)|INCRBY incrby-block:(encoding offset:integer increment:integer))))...]",
    replies: ["array"],
    run: bitfieldCommand,
  },
  {
    name: "bitfield_ro",
    group: "bitmap",
    since: "6.0.0",
    summary: "Reads integers of any width inside a string.",
    complexity: "O(1)",
    arity: -2,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: "key [GET get-block:(encoding offset:integer)]...",
    replies: ["array"],
    run: bitfieldRoCommand,
  },
];

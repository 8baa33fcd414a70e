/**
 * Commands on strings as arrays of bits: one bit read or written, bits counted
 * or searched. Bit 0 is the most significant bit of the first byte; a missing
 * key, and all beyond a string's end, are zeros.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { countBits, countWordBits, findBit } from "../base/bits.ts";
import { SETBIT } from "../keyspace/key_events.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import {
  BIT_INVALID,
  BIT_NOT_0_OR_1,
  SYNTAX_ERROR,
} from "../resp/error_reply.ts";
import { TYPE_STRING } from "../types/entry.ts";
import { argumentIs, readInteger, safeIntegerAt } from "./arg_reader.ts";
import {
  bitGrowth,
  ensureBit,
  isLongGrowth,
  readBitOffset,
  stringWords,
} from "./bit_string.ts";
import { bitopCommand } from "./bitop.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  KEY_RO_ACCESS,
  KEY_RW_ACCESS_UPDATE,
  keyAt,
  keysFrom,
  type LateReply,
} from "./command_spec.ts";
import { makeChange } from "./sliced_change.ts";
import { isReversed } from "./string_ranges.ts";
import { readEntry, writeEntry, WRONG } from "./typed_entry.ts";
import { manyBytes } from "./heavy_work.ts";
import { COMBINED } from "./many_keys.ts";

const BYTE = bytesOf("byte");
const BIT = bytesOf("bit");

/** `SETBIT key offset value` */
function setbitCommand(call: Call): void | Promise<LateReply> {
  const offset = readBitOffset(call, 2);
  if (Number.isNaN(offset)) return;
  const bit = safeIntegerAt(call, 3);
  if (bit !== 0 && bit !== 1) return call.reply.error(BIT_INVALID);
  const ref = writeEntry(call, 0, TYPE_STRING);
  if (ref === WRONG) return;

  const key = call.key(0);
  const space = call.keyspace(key);
  const had = ref === 0 ? 0 : space.strings.length(ref);
  if (isLongGrowth(space, ref, offset)) {
    return makeChange(
      call,
      ref,
      bitGrowth(space, ref, offset, (space, db, key, entry) => {
        const old = writeBit(space, db, key, entry, offset, bit, had);
        return (reply) => reply.integer(old);
      }),
    );
  }
  const entry = ensureBit(call.db, space, key, ref, offset);
  call.reply.integer(writeBit(space, call.db, key, entry, offset, bit, had));
}

/** Writes a bit of a string that had so many bytes; returns what it was. */
function writeBit(
  space: Keyspace,
  db: number,
  key: Key,
  entry: number,
  offset: number,
  bit: number,
  had: number,
): number {
  const at = Math.floor(offset / 8);
  const bytes = space.strings.bytes(entry);
  const place = space.strings.off(entry) + at;
  const shift = 7 - (offset - at * 8);
  const byte = bytes[place]!;
  const old = byte >> shift & 1;
  bytes[place] = byte & ~(1 << shift) | bit << shift;
  if (at >= had || old !== bit) space.hooks.changed(db, key, SETBIT);
  return old;
}

/** `GETBIT key offset` */
function getbitCommand(call: Call): void {
  const offset = readBitOffset(call, 2);
  if (Number.isNaN(offset)) return;
  const ref = readEntry(call, 0, TYPE_STRING);
  if (ref === WRONG) return;
  if (ref === 0) return call.reply.integer(0);
  const space = call.keyspace(call.key(0));
  const at = Math.floor(offset / 8);
  if (at >= space.strings.length(ref)) return call.reply.integer(0);
  const byte = space.strings.bytes(ref)[space.strings.off(ref) + at]!;
  call.reply.integer(byte >> (7 - (offset - at * 8)) & 1);
}

/** `BITCOUNT key [start [end [BYTE | BIT]]]` */
function bitcountCommand(call: Call): void {
  const argc = call.argc;
  if (argc > 5) return call.reply.error(SYNTAX_ERROR);
  const from = argc > 2 ? readInteger(call, 2) : 0;
  if (Number.isNaN(from)) return;
  const last = argc > 3 ? readInteger(call, 3) : -1;
  if (Number.isNaN(last)) return;
  const unit = argc > 4 ? unitAt(call, 4) : 8;
  if (unit === 0) return call.reply.error(SYNTAX_ERROR);
  const ref = readEntry(call, 0, TYPE_STRING);
  if (ref === WRONG) return;
  if (
    ref === 0 ||
    argc > 3 && from < 0 && last < 0 && isReversed(call, from, last)
  ) return call.reply.integer(0);

  const space = call.keyspace(call.key(0));
  const end = space.strings.length(ref) * 8 / unit;
  const first = clamped(from, end) * unit;
  const stop = Math.min(clamped(last, end) + 1, end) * unit;
  call.reply.integer(
    first < stop
      ? countRange(
        space.strings.bytes(ref),
        stringWords(space, ref),
        space.strings.off(ref),
        first,
        stop,
      )
      : 0,
  );
}

/** Counts the set bits from `first` to before `stop`. */
function countRange(
  bytes: Uint8Array,
  words: Int32Array,
  off: number,
  first: number,
  stop: number,
): number {
  const from = Math.floor(first / 8);
  const to = Math.ceil(stop / 8);
  let count = countBits(bytes, words, off + from, to - from);
  const before = first - from * 8;
  if (before > 0) count -= countWordBits(bytes[off + from]! >> (8 - before));
  const after = to * 8 - stop;
  if (after > 0) {
    count -= countWordBits(bytes[off + to - 1]! & ((1 << after) - 1));
  }
  return count;
}

/**
 * `BITPOS key bit [start [end [BYTE | BIT]]]`: a clear bit is found at the end
 * of the string if there is none in it, unless an end is given.
 */
function bitposCommand(call: Call): void {
  const { argc, reply } = call;
  const bit = readInteger(call, 2);
  if (Number.isNaN(bit)) return;
  if (bit !== 0 && bit !== 1) return reply.error(BIT_NOT_0_OR_1);
  if (argc > 6) return reply.error(SYNTAX_ERROR);
  const from = argc > 3 ? readInteger(call, 3) : 0;
  if (Number.isNaN(from)) return;
  const unit = argc > 5 ? unitAt(call, 5) : 8;
  if (unit === 0) return reply.error(SYNTAX_ERROR);
  const last = argc > 4 ? readInteger(call, 4) : -1;
  if (Number.isNaN(last)) return;
  const ref = readEntry(call, 0, TYPE_STRING);
  if (ref === WRONG) return;
  if (ref === 0) return reply.integer(bit === 1 ? -1 : 0);

  const space = call.keyspace(call.key(0));
  const end = space.strings.length(ref) * 8 / unit;
  const first = clamped(from, end) * unit;
  const stop = Math.min(clamped(last, end) + 1, end) * unit;
  if (first >= stop) return reply.integer(-1);
  const found = findInRange(
    space.strings.bytes(ref),
    stringWords(space, ref),
    space.strings.off(ref),
    first,
    stop,
    bit,
  );
  if (found < stop) return reply.integer(found);
  reply.integer(bit === 0 && argc < 5 ? stop : -1);
}

/** The first bit that is `bit`; `stop` or beyond if there is none. */
function findInRange(
  bytes: Uint8Array,
  words: Int32Array,
  off: number,
  first: number,
  stop: number,
  bit: number,
): number {
  let from = Math.floor(first / 8);
  const before = first - from * 8;
  if (before > 0) {
    // The bits before the range are made to look like those to be skipped.
    const skipped = bit === 0 ? 0xff : 0;
    const byte = (bytes[off + from]! ^ skipped) & (0xff >> before);
    if (byte !== 0) return from * 8 + Math.clz32(byte) - 24;
    from++;
  }
  const bytesLeft = Math.ceil(stop / 8) - from;
  return from * 8 + findBit(bytes, words, off + from, bytesLeft, bit);
}

/** An index that may count from the end, and is not before the start. */
function clamped(index: number, end: number): number {
  return index < 0 ? Math.max(0, end + index) : index;
}

/** Bits of the unit that argument `i` names, or 0. */
function unitAt(call: Call, i: number): number {
  if (argumentIs(call, i, BIT)) return 1;
  return argumentIs(call, i, BYTE) ? 8 : 0;
}

/** Rows of the commands on bits; those on fields are in bitfield.ts. */
export const BIT_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "bitcount",
    group: "bitmap",
    since: "2.6.0",
    summary: "Counts the bits of a string that are set.",
    complexity: "O(N)",
    arity: -2,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax:
      "key [range:(start:integer [end-unit-block:(end:integer [unit:(BYTE|BIT)@7.0.0])])]",
    replies: ["integer"],
    isHeavy: manyBytes(),
    run: bitcountCommand,
  },
  {
    name: "bitop",
    group: "bitmap",
    since: "2.6.0",
    summary: "Combines strings bit by bit and stores the result.",
    complexity: "O(N)",
    arity: -4,
    flags: ["write", "denyoom"],
    keys: [keyAt(2, "OW update"), keysFrom(3, -1, "RO access")],
    syntax: "operation:(AND|OR|XOR|NOT) destkey:key key...",
    replies: ["integer"],
    isHeavy: manyBytes(1),
    ...COMBINED,
    run: bitopCommand,
  },
  {
    name: "bitpos",
    group: "bitmap",
    since: "2.8.7",
    summary: "Finds the first bit of a string that is set, or clear.",
    complexity: "O(N)",
    arity: -3,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax:
      "key bit:integer [range:(start:integer [end-unit-block:(end:integer [unit:(BYTE|BIT)@7.0.0])])]",
    replies: ["integer"],
    isHeavy: manyBytes(),
    run: bitposCommand,
  },
  {
    name: "getbit",
    group: "bitmap",
    since: "2.2.0",
    summary: "Reads one bit of a string.",
    complexity: "O(1)",
    arity: 3,
    flags: ["readonly", "fast"],
    keys: KEY_RO_ACCESS,
    syntax: "key offset:integer",
    replies: ["integer"],
    run: getbitCommand,
  },
  {
    name: "setbit",
    group: "bitmap",
    since: "2.2.0",
    summary: "Writes one bit of a string and returns what it was.",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom"],
    keys: KEY_RW_ACCESS_UPDATE,
    syntax: "key offset:integer value:integer",
    replies: ["integer"],
    run: setbitCommand,
  },
];

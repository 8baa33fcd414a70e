/**
 * What the commands on bits share: offsets as arguments, and the string that is
 * long enough for the bits that shall be written.
 *
 * @module
 */

import { parseSafeInteger } from "../base/integer.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { SEGMENT_SHIFT } from "../memory/arena.ts";
import { BIT_OFFSET_INVALID } from "../resp/error_reply.ts";
import { STRING_EXTERNAL, STRING_RAW } from "../types/entry.ts";
import type { Call } from "./call.ts";
import { growsLong, type GrowthEnd, StringGrowth } from "./string_growth.ts";

const HASH = 0x23;

/**
 * Argument `i`, the number of a bit; with `fieldBits`, `#n` is the first bit of
 * the n-th field of so many bits. NaN after an error reply.
 */
export function readBitOffset(
  call: Pick<Call, "args" | "reply" | "settings">,
  i: number,
  fieldBits = 0,
): number {
  const args = call.args;
  const source = args.source(i);
  const counts = fieldBits > 0 && source[args.off[i]!] === HASH ? 1 : 0;
  const n = parseSafeInteger(
    source,
    args.off[i]! + counts,
    args.length[i]! - counts,
  );
  const offset = counts === 1 ? n * fieldBits : n;
  // A comparison with NaN is false.
  if (offset >= 0 && offset < call.settings.protoMaxBulkLen * 8) return offset;
  call.reply.error(BIT_OFFSET_INVALID);
  return NaN;
}

/**
 * Makes the string of a key long enough for bit `lastBit`, with zeros where it
 * grows, and its bytes the caller's own to change. `ref` is the key's entry, a
 * string, or 0; returns the entry.
 */
export function ensureBit(
  db: number,
  space: Keyspace,
  key: Key,
  ref: number,
  lastBit: number,
): number {
  const had = lengthOf(space, ref);
  const length = Math.max(had, bytesUpTo(lastBit));
  const entry = ref === 0
    ? space.strings.make(db, key, 0, length, STRING_RAW, 0)
    : space.strings.resize(db, ref, length, STRING_RAW);
  if (length > had) {
    const off = space.strings.off(entry);
    space.strings.bytes(entry).fill(0, off + had, off + length);
  }
  return entry;
}

function lengthOf(space: Keyspace, ref: number): number {
  return ref === 0 ? 0 : space.strings.length(ref);
}

/** Bytes of a string that has a bit, and none behind its byte. */
function bytesUpTo(bit: number): number {
  return Math.floor(bit / 8) + 1;
}

/** Whether it takes long to do as {@linkcode ensureBit} does. */
export function isLongGrowth(
  space: Keyspace,
  ref: number,
  lastBit: number,
): boolean {
  const had = lengthOf(space, ref);
  return growsLong(space, ref, had, Math.max(had, bytesUpTo(lastBit)), 0);
}

/** What {@linkcode ensureBit} does, in slices; then `end` follows. */
export function bitGrowth(
  space: Keyspace,
  ref: number,
  lastBit: number,
  end: GrowthEnd,
): StringGrowth {
  const had = lengthOf(space, ref);
  const length = Math.max(had, bytesUpTo(lastBit));
  return new StringGrowth(
    { had, length, clearTo: length, argument: 0, argumentAt: 0 },
    end,
  );
}

/** The words over the same memory as `stringBytes` of an entry. */
export function stringWords(space: Keyspace, ref: number): Int32Array {
  const place = space.encoding(ref) === STRING_EXTERNAL
    ? space.valueRef(ref)
    : ref;
  return space.arena.i32[place >>> SEGMENT_SHIFT]!;
}

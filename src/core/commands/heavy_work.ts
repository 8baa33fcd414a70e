/**
 * How much work a command has before it: whether it is short enough to be run in
 * place, under latches, or better run in the background.
 *
 * The sizes of values are known, or guessed, in constant time; the thresholds are
 * settings. Below them a command takes less than about a millisecond, also when its
 * code is run for the first time and has not been compiled, which takes several times
 * as long as later.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import {
  TYPE_HASH,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
  TYPE_ZSET,
} from "../types/entry.ts";
import { argumentIs, integerAt } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import type { HeavyTest } from "./command_spec.ts";
import { POSITIONS_PER_ELEMENT } from "./element_scan.ts";
import { parseCursor } from "./scan_cursor.ts";

const COUNT = bytesOf("count");
const MATCH = bytesOf("match");
/** Bytes that are matched with a pattern in place. */
const MATCHED_BYTES_MAX = 1 << 17;
/** A byte of a payload takes as long as so many of a string. */
const BYTES_PER_PAYLOAD_BYTE = 8;
/** Cells of the table of LCS for each byte of the threshold. */
const CELLS_PER_BYTE = 1;

/** Bytes of collections for each byte of the threshold. */
const BYTES_OF_ELEMENTS = 4;
/** To sort an element takes as long as so many are read, and a byte of it. */
const ELEMENTS_PER_SORTED = 8;
const BYTES_PER_SORTED = 16;
/** To write an element down takes as long as so many are read, and a byte of it. */
const ELEMENTS_PER_WRITTEN = 6;
const BYTES_PER_WRITTEN = 2;
/** To copy an element takes as long as so many are read. */
const ELEMENTS_PER_COPIED = 3;
/** Elements whose sizes are looked at; if there are more, others are guessed. */
const FEW_ELEMENTS = 16;
/** Elements that a step of a scan looks at if nothing else is said. */
const SCANNED_ELEMENTS = 10;

/** Elements of a packed value that are gone through as fast as one is read. */
const PACKED_PER_LOOKUP = 128;
/** To look a key up takes as long as so many elements are read. */
const ELEMENTS_PER_LOOKUP = 6;
/** To scan an element takes as long as so many are read. */
const ELEMENTS_PER_SCAN = 2;
/** To draw one that was not drawn before takes as long as so many are read. */
const ELEMENTS_PER_DRAW = 4;

/** Takes what nobody is to see. */
const NOWHERE = new ReplyWriter();

/**
 * Does something that may write a reply, of which nothing is left: to find out
 * what arguments say before the command reads them, and complains.
 */
export function quietly<T>(call: Call, body: () => T): T {
  const { reply } = call;
  call.reply = NOWHERE;
  const result = body();
  call.reply = reply;
  NOWHERE.rewind(0);
  return result;
}

/**
 * Elements of the value of a key, 0 if it has none or is a string. Large elements
 * count for several, allocations of a stream's groups for one each; each byte as
 * much as `byteWeight` that are only read.
 */
export function elementsOf(call: Call, i: number, byteWeight = 1): number {
  const key = call.key(i);
  const space = call.keyspace(key);
  const ref = space.peek(call.db, key);
  if (ref === 0) return 0;
  const type = space.type(ref);
  if (type === TYPE_STRING) return 0;
  const count = space.length(ref);
  const { backgroundThreshold } = call.settings;
  if (count > backgroundThreshold) return count;
  const values = space.values.of(type);
  const weight = type === TYPE_STREAM ? values.weight(ref) : 0;
  if (weight > backgroundThreshold) return weight;
  const samples = count <= FEW_ELEMENTS ? 0 : FEW_ELEMENTS;
  const bytes = values.memoryBytes(ref, samples);
  return Math.max(count, weight, elementsLike(call, bytes * byteWeight));
}

/** Elements that are read in the time that so many bytes of long ones take. */
export function elementsLike(
  { settings: { backgroundThreshold, backgroundThresholdBytes } }: Call,
  bytes: number,
): number {
  const bytesMax = backgroundThresholdBytes * BYTES_OF_ELEMENTS;
  return Math.floor(bytes * backgroundThreshold / bytesMax);
}

/** Bytes of a key's string, 0 if it holds none. */
function bytesOfKey(call: Call, i: number): number {
  const key = call.key(i);
  const space = call.keyspace(key);
  const ref = space.peek(call.db, key);
  if (ref === 0 || space.type(ref) !== TYPE_STRING) return 0;
  return space.strings.length(ref);
}

function sumOf(
  call: Call,
  from: number,
  measure: (call: Call, i: number) => number,
): number {
  let sum = 0;
  for (let i = from; i < call.keyCount; i++) sum += measure(call, i);
  return sum;
}

/**
 * The keys from `from` on have many elements together, each of which takes as long
 * as `weight` that are only read.
 */
export function manyElements(from = 0, weight = 1): HeavyTest<Call> {
  return (call) =>
    sumOf(call, from, elementsOf) * weight > call.settings.backgroundThreshold;
}

/**
 * Elements that are read as fast as one is looked for in the value of a key: a
 * packed one is gone through.
 */
function lookupWeight(call: Call, i: number): number {
  const key = call.key(i);
  const space = call.keyspace(key);
  const ref = space.peek(call.db, key);
  if (ref === 0) return 1;
  const type = space.type(ref);
  if (type === TYPE_STRING) return 1;
  const values = space.values.of(type);
  if (values.weight(ref) > 1) return 1;
  if (type === TYPE_SET && space.values.sets.intsetOf(ref) !== 0) return 1;
  return 1 + Math.floor(values.length(ref) / PACKED_PER_LOOKUP);
}

/**
 * The least of the keys from `from` on is to be looked for in the others; to find
 * an element takes as long as `weight` that are only read.
 */
export function manyInEach(from = 0, weight = 1): HeavyTest<Call> {
  return (call) => {
    let least = Infinity;
    for (let i = from; i < call.keyCount; i++) {
      least = Math.min(least, elementsOf(call, i));
    }
    return least * sumOf(call, from, lookupWeight) * weight >
      call.settings.backgroundThreshold;
  };
}

/**
 * The keys from `from` on have many elements together, each of which takes as long
 * as `weight` that are only read, or those of the first of them are to be looked
 * for in the others.
 */
export function manyInOthers(from = 0, weight = 1): HeavyTest<Call> {
  return (call) => {
    // Of a number of keys that is refused, there are none.
    if (from >= call.keyCount) return false;
    const { backgroundThreshold } = call.settings;
    return sumOf(call, from, elementsOf) * weight > backgroundThreshold ||
      elementsOf(call, from) * sumOf(call, from + 1, lookupWeight) >
        backgroundThreshold;
  };
}

/** The first key has many elements to be sorted. */
export const manySorted: HeavyTest<Call> = (call) =>
  elementsOf(call, 0, BYTES_PER_SORTED / ELEMENTS_PER_SORTED) *
      ELEMENTS_PER_SORTED > call.settings.backgroundThreshold;

/** The first key has many elements. */
export const manyInFirst: HeavyTest<Call> = (call) =>
  elementsOf(call, 0) > call.settings.backgroundThreshold;

/** The first key has many elements to be copied. */
export const manyCopied: HeavyTest<Call> = (call) =>
  elementsOf(call, 0) * ELEMENTS_PER_COPIED >
    call.settings.backgroundThreshold;

/**
 * The first key has many elements, for each of which so many other keys are looked
 * at, too.
 */
export function manyLookups(call: Call, keysForEach: number): boolean {
  return elementsOf(call, 0, BYTES_PER_SORTED / ELEMENTS_PER_SORTED) *
      (1 + keysForEach * ELEMENTS_PER_LOOKUP) >
    call.settings.backgroundThreshold;
}

/**
 * Many elements of the first key are to be drawn, none of them twice: argument 2
 * says how many. If they may repeat, or are all there are, they are drawn while
 * the peer takes them.
 */
export const manyDrawn: HeavyTest<Call> = (call) => {
  if (call.argc < 3) return false;
  const count = integerAt(call, 2);
  return count * ELEMENTS_PER_DRAW > call.settings.backgroundThreshold &&
    count < elementsOf(call, 0);
};

/** Many elements of the first key, or long ones, are looked at in a scan's step. */
export const manyScanned: HeavyTest<Call> = (call) => {
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.peek(call.db, key);
  if (ref === 0) return false;
  const type = space.type(ref);
  if (type !== TYPE_HASH && type !== TYPE_SET && type !== TYPE_ZSET) {
    return false;
  }
  const length = space.length(ref);
  let seen = SCANNED_ELEMENTS;
  let isMatched = false;
  for (let i = 3; i + 1 < call.argc; i++) {
    if (argumentIs(call, i, COUNT)) seen = Math.max(1, integerAt(call, i + 1));
    else if (argumentIs(call, i, MATCH)) isMatched = true;
  }
  // Any step sees all of a packed value.
  const isPacked = space.values.of(type).weight(ref) <= 1;
  if (isPacked || seen > length) seen = length;
  return elementsOf(call, 0) * seen / length * ELEMENTS_PER_SCAN >
      call.settings.backgroundThreshold ||
    isMatched && !isPacked && meetsLong(call, space, ref, seen);
};

/** Whether a step of a scan meets texts that take long to be matched. */
function meetsLong(
  { args }: Call,
  space: Keyspace,
  ref: number,
  count: number,
): boolean {
  const { hashes, sets, zsets } = space.values;
  let met = 0;
  let bytes = 0;
  let positions = 0;
  const meet = (length: number): void => {
    met++;
    bytes += length;
  };
  const type = space.type(ref);
  let cursor = parseCursor(args.source(2), args.off[2]!, args.length[2]!);
  if (Number.isNaN(cursor)) return false;
  do {
    if (type === TYPE_HASH) {
      const field = ({ length }: { length: number }) => meet(length);
      cursor = hashes.scan(ref, cursor, { field });
    } else if (type === TYPE_SET) {
      const member = ({ length }: { length: number }) => meet(length);
      cursor = sets.scan(ref, cursor, { member });
    } else {
      const member = (_: Uint8Array, _off: number, length: number) =>
        meet(length);
      cursor = zsets.scan(ref, cursor, { member });
    }
    positions++;
  } while (
    cursor !== 0 && met < count && bytes < MATCHED_BYTES_MAX &&
    positions < count * POSITIONS_PER_ELEMENT
  );
  return bytes >= MATCHED_BYTES_MAX;
}

/** The strings of the keys from `from` on are long together. */
export function manyBytes(from = 0): HeavyTest<Call> {
  return (call) =>
    sumOf(call, from, bytesOfKey) > call.settings.backgroundThresholdBytes;
}

/** The two strings span a large table. */
export const largeTable: HeavyTest<Call> = (call) =>
  bytesOfKey(call, 0) * bytesOfKey(call, 1) >
    call.settings.backgroundThresholdBytes * CELLS_PER_BYTE;

/** The value is to be copied because its new key lies in another shard. */
export const largeMove: HeavyTest<Call> = (call) =>
  call.key(0).shard !== call.key(1).shard && manyCopied(call);

/** A value is to be made of a long payload, which is argument 3. */
export const largePayload: HeavyTest<Call> = (call) =>
  call.args.length[3]! * BYTES_PER_PAYLOAD_BYTE >
    call.settings.backgroundThresholdBytes;

/** A value to be written down: many elements, or a long string. */
export const largeValue: HeavyTest<Call> = (call) =>
  elementsOf(call, 0, BYTES_PER_WRITTEN / ELEMENTS_PER_WRITTEN) *
        ELEMENTS_PER_WRITTEN > call.settings.backgroundThreshold ||
  bytesOfKey(call, 0) > call.settings.backgroundThresholdBytes;

/**
 * Sorted sets in Redis's snapshot format.
 *
 * ```text
 *  3  count, ( member, score as text )*      5  count, ( member, score )*
 * 12  ziplist       17  listpack: member, score ...
 * ```
 * A packed set is written as 17, a large one as 5, the last member first. All but
 * 17 may have any order.
 *
 * @module
 */

import { compareBytes } from "../base/bytes.ts";
import { parseDouble, parseShortDecimal } from "../base/double.ts";
import { byteOf, SEGMENT_SHIFT } from "../memory/arena.ts";
import {
  LISTPACK_HEADER_BYTES,
  ListpackItem,
  numberAt,
  readElement,
} from "../memory/listpack.ts";
import { isIntegerHead } from "../memory/listpack_element.ts";
import { elementBytes } from "../memory/listpack_format.ts";
import type { ValueMemory } from "../types/value_type.ts";
import type { ValueTypes } from "../types/value_types.ts";
import type { ScoredVisitor } from "../types/zset_range.ts";
import { hasDuplicates } from "./duplicate_finder.ts";
import { ListpackElements, type PackedElements } from "./packed_elements.ts";
import { BadFormat, type RdbReader, RdbString } from "./rdb_reader.ts";
import {
  RDB_ZSET_2,
  RDB_ZSET_LISTPACK,
  RDB_ZSET_ZIPLIST,
} from "./rdb_types.ts";
import type { RdbWriter } from "./rdb_writer.ts";
import { ZiplistElements } from "./ziplist.ts";
import { PACKED_BYTES_MAX } from "../types/packed_limits.ts";

/** Members that are written in one go. */
const MEMBERS_AT_ONCE = 64;

const MEMBER = new RdbString();
const SCORE = new RdbString();
/** The member before, where the order is looked at. */
const BEFORE = new ListpackItem();

/** Writes the members that it visits. */
const MEMBERS: ScoredVisitor & { writer: RdbWriter | undefined } = {
  writer: undefined,
  member(buf: Uint8Array, off: number, length: number, score: number) {
    this.writer!.string(buf, off, length);
    this.writer!.double(score);
  },
};

/** The kind that a sorted set is written as. */
export function zsetKind(values: ValueTypes, ref: number): number {
  return values.zsets.listpackOf(ref) !== 0 ? RDB_ZSET_LISTPACK : RDB_ZSET_2;
}

/** Writes a sorted set, as the kind that it has. */
export function writeZset(
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
): void {
  const { zsets, memory } = values;
  const packed = zsets.listpackOf(ref);
  if (packed !== 0) {
    return writer.string(
      memory.arena.u8[packed >>> SEGMENT_SHIFT]!,
      byteOf(packed),
      memory.listpacks.bytes(packed),
    );
  }
  let rank = beginZset(writer, values, ref);
  while (rank >= 0) rank = continueZset(writer, values, ref, rank);
}

/** Writes what comes before the members of a sorted set that is not packed. */
export function beginZset(
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
): number {
  const length = values.zsets.length(ref);
  writer.length(length);
  return length - 1;
}

/** Writes some members, from a rank downwards; returns the next rank, or -1. */
export function continueZset(
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
  rank: number,
): number {
  const count = Math.min(MEMBERS_AT_ONCE, rank + 1);
  MEMBERS.writer = writer;
  values.zsets.visit(ref, rank, count, true, MEMBERS);
  return rank - count;
}

/** Reads a sorted set of a kind into an entry whose set is empty. */
export function readZset(
  reader: RdbReader,
  kind: number,
  values: ValueTypes,
  ref: number,
): void {
  if (kind !== RDB_ZSET_LISTPACK && kind !== RDB_ZSET_ZIPLIST) {
    return readMembers(reader, kind, values, ref);
  }
  reader.string(MEMBER);
  const { buf, off, length } = MEMBER;
  if (kind === RDB_ZSET_ZIPLIST) {
    addElements(values, ref, new ZiplistElements(buf, off, length));
  } else if (!adoptListpack(values, ref)) {
    addElements(values, ref, new ListpackElements(buf, off, length));
  }
}

function readMembers(
  reader: RdbReader,
  kind: number,
  values: ValueTypes,
  ref: number,
): void {
  const count = reader.length();
  values.zsets.beginLoading(ref, reader.likely(count));
  for (let left = count; left > 0; left--) {
    reader.string(MEMBER);
    const score = kind === RDB_ZSET_2 ? reader.double() : reader.textDouble();
    addMember(values, ref, score);
  }
  values.zsets.finishLoading(ref);
}

function addElements(
  values: ValueTypes,
  ref: number,
  elements: PackedElements,
): void {
  values.zsets.beginLoading(ref, 0);
  while (elements.next(MEMBER)) {
    if (!elements.next(SCORE)) throw new BadFormat("a member has no score");
    addMember(values, ref, scoreOf(SCORE));
  }
  values.zsets.finishLoading(ref);
}

function addMember(values: ValueTypes, ref: number, score: number): void {
  const { buf, off, length } = MEMBER;
  if (Number.isNaN(score)) badScore();
  if (!values.zsets.load(ref, buf, off, length, score)) {
    throw new BadFormat("a member is there twice");
  }
}

/** Keeps the listpack in MEMBER as it is, if the limits allow it. */
function adoptListpack(values: ValueTypes, ref: number): boolean {
  const { zsets, memory } = values;
  const { listpacks, limits } = memory;
  if (MEMBER.length > PACKED_BYTES_MAX) return false;
  const listpack = listpacks.load(MEMBER.buf, MEMBER.off, MEMBER.length);
  if (listpack === 0) throw new BadFormat("a listpack is damaged");
  const elements = listpacks.count(listpack);
  if (elements === 0 || elements > 2 * limits.zsetMaxListpackEntries) {
    listpacks.free(listpack);
    return false;
  }
  zsets.adoptListpack(ref, listpack);
  if ((elements & 1) !== 0) throw new BadFormat("a member has no score");
  if (!areScoresPlain(memory, listpack)) {
    zsets.free(ref);
    return false;
  }
  if (hasDuplicates(memory, listpack, 2)) {
    throw new BadFormat("a member is there twice");
  }
  return true;
}

/**
 * Looks whether members are in order, and all scores are some; false if there is
 * one that is not written as it is here.
 */
function areScoresPlain(memory: ValueMemory, listpack: number): boolean {
  const { arena, listpacks } = memory;
  const buf = arena.u8[listpack >>> SEGMENT_SHIFT]!;
  const start = byteOf(listpack);
  const end = start + listpacks.bytes(listpack) - 1;
  let before = NaN;
  let beforeAt = 0;
  for (let at = start + LISTPACK_HEADER_BYTES; at < end;) {
    const scoreAt = at + elementBytes(buf, at);
    const score = plainScoreAt(buf, scoreAt);
    if (Number.isNaN(score)) return false;
    if (score <= before) {
      readElement(buf, beforeAt, BEFORE);
      readElement(buf, at, MEMBER);
      if (score < before || compareItems(BEFORE, MEMBER) >= 0) {
        throw new BadFormat("members are in no order");
      }
    }
    before = score;
    beforeAt = at;
    at = scoreAt + elementBytes(buf, scoreAt);
  }
  return true;
}

/** The score at a place; NaN if it is not read as it would be written. */
function plainScoreAt(buf: Uint8Array, at: number): number {
  if (isIntegerHead(buf[at]!)) return numberAt(buf, at);
  readElement(buf, at, SCORE);
  const short = parseShortDecimal(SCORE.buf, SCORE.off, SCORE.length);
  if (short === short) return short;
  const score = parseDouble(SCORE.buf, SCORE.off, SCORE.length);
  if (Number.isNaN(score)) badScore();
  return score === numberAt(buf, at) ? score : NaN;
}

function compareItems(a: ListpackItem, b: ListpackItem): number {
  return compareBytes(a.buf, a.off, a.length, b.buf, b.off, b.length);
}

/** The score that an element is, or NaN. */
function scoreOf(item: ListpackItem): number {
  return item.isInteger
    ? item.integer
    : parseDouble(item.buf, item.off, item.length);
}

function badScore(): never {
  throw new BadFormat("a score is no number");
}

/**
 * Sets in Redis's snapshot format.
 *
 * ```text
 *  2  count, member *       11  intset       20  listpack of members
 * ```
 * Only a set of integers is written as it lies: a packed one is written as 2, as
 * Redis knows no other kind for it before 7.2; whoever reads it packs it again.
 *
 * @module
 */

import { byteOf, SEGMENT_SHIFT } from "../memory/arena.ts";
import type { SetMember } from "../types/set_member.ts";
import type { MemberVisitor } from "../types/set_value.ts";
import type { ValueTypes } from "../types/value_types.ts";
import { hasDuplicates } from "./duplicate_finder.ts";
import { ListpackElements } from "./packed_elements.ts";
import { BadFormat, type RdbReader, RdbString } from "./rdb_reader.ts";
import { RDB_SET, RDB_SET_INTSET, RDB_SET_LISTPACK } from "./rdb_types.ts";
import type { RdbWriter } from "./rdb_writer.ts";
import { PACKED_BYTES_MAX } from "../types/packed_limits.ts";

const MEMBER = new RdbString();

/** Writes the members that it visits. */
const MEMBERS: MemberVisitor & { writer: RdbWriter | undefined } = {
  writer: undefined,
  member(member: SetMember) {
    const buf = member.text();
    this.writer!.string(buf, member.off, member.length);
  },
};

/** The kind that a set is written as. */
export function setKind(values: ValueTypes, ref: number): number {
  return values.sets.intsetOf(ref) !== 0 ? RDB_SET_INTSET : RDB_SET;
}

/** Writes a set, as the kind that it has. */
export function writeSet(
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
): void {
  const { sets, memory } = values;
  const intset = sets.intsetOf(ref);
  if (intset !== 0) {
    return writer.string(
      memory.arena.u8[intset >>> SEGMENT_SHIFT]!,
      byteOf(intset),
      sets.intsets.bytes(intset),
    );
  }
  let place = beginSet(writer, values, ref);
  while (place >= 0) place = continueSet(writer, values, ref, place);
}

/** Writes what comes before the members of a set that is no intset. */
export function beginSet(
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
): number {
  const { sets } = values;
  writer.length(sets.length(ref));
  return sets.firstPlace(ref);
}

/** Writes some members, from a place on; returns the next place, or -1. */
export function continueSet(
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
  place: number,
): number {
  const { sets } = values;
  MEMBERS.writer = writer;
  const next = sets.visit(ref, place, MEMBERS);
  return next < sets.endPlace(ref) ? next : -1;
}

/** Reads a set of a kind into an entry whose set is empty. */
export function readSet(
  reader: RdbReader,
  kind: number,
  values: ValueTypes,
  ref: number,
): void {
  if (kind === RDB_SET) return readMembers(reader, values, ref);
  reader.string(MEMBER);
  if (kind === RDB_SET_LISTPACK) readListpack(values, ref);
  else readIntset(values, ref);
}

function readMembers(reader: RdbReader, values: ValueTypes, ref: number): void {
  const { sets, memory } = values;
  const count = reader.length();
  if (count === 0) return;
  reader.string(MEMBER);
  const likely = reader.likely(count);
  sets.expect(ref, MEMBER.buf, MEMBER.off, MEMBER.length, count);
  if (sets.isTable(ref)) sets.makeTableFor(ref, likely);
  let left = count;
  // Members of a listpack are compared once all of them are there.
  while (
    left > 0 &&
    sets.append(ref, MEMBER.buf, MEMBER.off, MEMBER.length, likely)
  ) if (--left > 0) reader.string(MEMBER);
  sets.fit(ref);
  const listpack = sets.listpackOf(ref);
  if (listpack !== 0 && hasDuplicates(memory, listpack, 1)) {
    throw new BadFormat("a member is there twice");
  }
  while (left > 0) {
    addMember(values, ref);
    if (--left > 0) reader.string(MEMBER);
  }
}

function readIntset(values: ValueTypes, ref: number): void {
  const { sets } = values;
  const intset = sets.intsets.load(MEMBER.buf, MEMBER.off, MEMBER.length);
  if (intset === 0) throw new BadFormat("an intset is damaged");
  sets.adoptIntset(ref, intset);
}

function readListpack(values: ValueTypes, ref: number): void {
  const { sets, memory } = values;
  const { listpacks } = memory;
  const { buf, off, length } = MEMBER;
  if (length > PACKED_BYTES_MAX) {
    const elements = new ListpackElements(buf, off, length);
    while (elements.next(MEMBER)) addMember(values, ref);
    return;
  }
  const listpack = listpacks.load(buf, off, length);
  if (listpack === 0) throw new BadFormat("a listpack is damaged");
  if (listpacks.count(listpack) === 0) return listpacks.free(listpack);
  if (hasDuplicates(memory, listpack, 1)) {
    listpacks.free(listpack);
    throw new BadFormat("a member is there twice");
  }
  sets.adoptListpack(ref, listpack);
}

function addMember(values: ValueTypes, ref: number): void {
  if (!values.sets.add(ref, MEMBER.buf, MEMBER.off, MEMBER.length)) {
    throw new BadFormat("a member is there twice");
  }
}

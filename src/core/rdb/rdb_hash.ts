/**
 * Hashes in Redis's snapshot format.
 *
 * ```text
 *  4  count, ( field, value )*
 *  9  zipmap       13  ziplist       16  listpack: field, value ...
 * 24  first expire, count, ( expire, field, value )*
 * 25  first expire, listpack: field, value, expireAtMs or 0 ...
 * 22  as 24, 23 as 25, without the first expire
 * ```
 * Of 24 an expire is 0 for none, or milliseconds behind the first one, plus 1; of
 * 22 it is a time. A packed hash is written as 16, any other as 4 or, if fields
 * expire, as 24: whoever reads it packs what is small.
 *
 * @module
 */

import { byteOf, SEGMENT_SHIFT } from "../memory/arena.ts";
import type { ListpackItem } from "../memory/listpack.ts";
import type { FieldVisitor } from "../types/hash_value.ts";
import type { ValueTypes } from "../types/value_types.ts";
import { hasDuplicates } from "./duplicate_finder.ts";
import { ListpackElements, type PackedElements } from "./packed_elements.ts";
import { BadFormat, type RdbReader, RdbString } from "./rdb_reader.ts";
import {
  RDB_HASH,
  RDB_HASH_LISTPACK,
  RDB_HASH_LISTPACK_EX,
  RDB_HASH_METADATA,
  RDB_HASH_METADATA_EARLY,
  RDB_HASH_ZIPLIST,
  RDB_HASH_ZIPMAP,
} from "./rdb_types.ts";
import type { RdbWriter } from "./rdb_writer.ts";
import { ZiplistElements } from "./ziplist.ts";
import { ZipmapElements } from "./zipmap.ts";
import { PACKED_BYTES_MAX } from "../types/packed_limits.ts";

/** Latest expire of a field, that of Redis. */
const EXPIRE_AT_MS_MAX = 2 ** 48 - 1;

const FIELD = new RdbString();
const VALUE = new RdbString();
const EXPIRE = new RdbString();

/** Writes the fields that it visits. */
class FieldWriter implements FieldVisitor {
  writer: RdbWriter | undefined;
  /** No field expires before; Infinity if no expires are written. */
  firstMs = Infinity;

  field(field: ListpackItem, value: ListpackItem, expireAtMs: number): void {
    const writer = this.writer!;
    if (this.firstMs !== Infinity) {
      writer.length(expireAtMs === 0 ? 0 : expireAtMs - this.firstMs + 1);
    }
    writer.string(field.buf, field.off, field.length);
    writer.string(value.buf, value.off, value.length);
  }
}

const FIELDS = new FieldWriter();

/** The kind that a hash is written as. */
export function hashKind(values: ValueTypes, ref: number): number {
  const { hashes } = values;
  if (hashes.listpackOf(ref) !== 0) return RDB_HASH_LISTPACK;
  return hashes.hasExpires(ref) ? RDB_HASH_METADATA : RDB_HASH;
}

/** Writes a hash, as the kind that it has. */
export function writeHash(
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
): void {
  const { hashes, memory } = values;
  const packed = hashes.listpackOf(ref);
  if (packed !== 0) {
    return writer.string(
      memory.arena.u8[packed >>> SEGMENT_SHIFT]!,
      byteOf(packed),
      memory.listpacks.bytes(packed),
    );
  }
  let place = beginHash(writer, values, ref);
  while (place >= 0) place = continueHash(writer, values, ref, place);
}

/** Writes what comes before the fields of a hash that is not packed. */
export function beginHash(
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
): number {
  const { hashes } = values;
  const firstMs = hashes.expiresFrom(ref);
  if (firstMs !== Infinity) writer.milliseconds(firstMs);
  writer.length(hashes.length(ref));
  return hashes.firstPlace(ref);
}

/** Writes some fields, from a place on; returns the next place, or -1. */
export function continueHash(
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
  place: number,
): number {
  const { hashes } = values;
  FIELDS.writer = writer;
  FIELDS.firstMs = hashes.expiresFrom(ref);
  const next = hashes.visit(ref, place, FIELDS, -Infinity);
  return next < hashes.endPlace(ref) ? next : -1;
}

/** Reads a hash of a kind into an entry whose hash is empty. */
export function readHash(
  reader: RdbReader,
  kind: number,
  values: ValueTypes,
  ref: number,
): void {
  switch (kind) {
    case RDB_HASH:
      return readPairs(reader, values, ref);
    case RDB_HASH_METADATA:
    case RDB_HASH_METADATA_EARLY:
      return readTriples(reader, kind, values, ref);
    case RDB_HASH_LISTPACK_EX:
      reader.milliseconds();
  }
  reader.string(VALUE);
  const { buf, off, length } = VALUE;
  switch (kind) {
    case RDB_HASH_ZIPMAP:
      return addElements(values, ref, new ZipmapElements(buf, off, length));
    case RDB_HASH_ZIPLIST:
      return addElements(values, ref, new ZiplistElements(buf, off, length));
    case RDB_HASH_LISTPACK:
      if (adoptListpack(values, ref)) return;
      return addElements(values, ref, new ListpackElements(buf, off, length));
    default:
      addExpiring(values, ref, new ListpackElements(buf, off, length));
  }
}

function readPairs(reader: RdbReader, values: ValueTypes, ref: number): void {
  for (let left = readCount(reader, values, ref); left > 0; left--) {
    reader.string(FIELD);
    reader.string(VALUE);
    addField(values, ref, 0);
  }
}

function readTriples(
  reader: RdbReader,
  kind: number,
  values: ValueTypes,
  ref: number,
): void {
  const isRelative = kind === RDB_HASH_METADATA;
  const firstMs = isRelative ? reader.milliseconds() : 1;
  if (firstMs < 0 || firstMs > EXPIRE_AT_MS_MAX) badExpire();
  for (let left = readCount(reader, values, ref); left > 0; left--) {
    const expire = reader.length();
    reader.string(FIELD);
    reader.string(VALUE);
    addField(values, ref, expire === 0 ? 0 : firstMs + expire - 1);
  }
}

/** Reads how many fields there are; too many for a packed hash make a table. */
function readCount(
  reader: RdbReader,
  values: ValueTypes,
  ref: number,
): number {
  const count = reader.length();
  if (count > values.memory.limits.hashMaxListpackEntries) {
    values.hashes.makeTableFor(ref, reader.likely(count));
  }
  return count;
}

/** Keeps the listpack in VALUE as it is, if the limits allow it. */
function adoptListpack(values: ValueTypes, ref: number): boolean {
  const { hashes, memory } = values;
  const { listpacks, limits } = memory;
  if (VALUE.length > PACKED_BYTES_MAX) return false;
  const listpack = listpacks.load(VALUE.buf, VALUE.off, VALUE.length);
  if (listpack === 0) throw new BadFormat("a listpack is damaged");
  const elements = listpacks.count(listpack);
  if (elements === 0 || elements > 2 * limits.hashMaxListpackEntries) {
    listpacks.free(listpack);
    return false;
  }
  hashes.adoptListpack(ref, listpack);
  if ((elements & 1) !== 0) throw new BadFormat("a field has no value");
  if (hasDuplicates(memory, listpack, 2)) {
    throw new BadFormat("a field is there twice");
  }
  return true;
}

function addElements(
  values: ValueTypes,
  ref: number,
  elements: PackedElements,
): void {
  while (elements.next(FIELD)) {
    if (!elements.next(VALUE)) throw new BadFormat("a field has no value");
    addField(values, ref, 0);
  }
}

function addExpiring(
  values: ValueTypes,
  ref: number,
  elements: PackedElements,
): void {
  while (elements.next(FIELD)) {
    if (!elements.next(VALUE) || !elements.next(EXPIRE)) {
      throw new BadFormat("a field has no value or expire");
    }
    if (!EXPIRE.isInteger) badExpire();
    addField(values, ref, EXPIRE.integer);
  }
}

function addField(values: ValueTypes, ref: number, expireAtMs: number): void {
  if (expireAtMs < 0 || expireAtMs > EXPIRE_AT_MS_MAX) badExpire();
  const isNew = values.hashes.set(
    ref,
    FIELD.buf,
    FIELD.off,
    FIELD.length,
    VALUE.buf,
    VALUE.off,
    VALUE.length,
    expireAtMs,
  );
  if (!isNew) throw new BadFormat("a field is there twice");
}

function badExpire(): never {
  throw new BadFormat("a field expires at no time");
}

/**
 * Values of any type in Redis's snapshot format: a kind, which is one byte, and
 * what {@linkcode writeValue} writes behind it. Between the two a snapshot has
 * the key; a dumped value has nothing.
 *
 * To read a value takes two steps, so that nothing changes before all of it is
 * known to be good: {@linkcode readValue}, then {@linkcode storeValue} or
 * {@linkcode dropValue}.
 *
 * @module
 */

import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { setFieldExpires } from "../keyspace/field_expires.ts";
import {
  encodingOfBytes,
  EXTERNAL_BYTES_MIN,
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
  TYPE_ZSET,
} from "../types/entry.ts";
import { hashKind, readHash, writeHash } from "./rdb_hash.ts";
import { readList, writeList } from "./rdb_list.ts";
import { BadFormat, type RdbReader, RdbString } from "./rdb_reader.ts";
import { readSet, setKind, writeSet } from "./rdb_set.ts";
import { readStream, writeStream } from "./rdb_stream.ts";
import {
  RDB_HASH,
  RDB_HASH_LISTPACK,
  RDB_HASH_LISTPACK_EX,
  RDB_HASH_LISTPACK_EX_EARLY,
  RDB_HASH_METADATA,
  RDB_HASH_METADATA_EARLY,
  RDB_HASH_ZIPLIST,
  RDB_HASH_ZIPMAP,
  RDB_LIST,
  RDB_LIST_QUICKLIST,
  RDB_LIST_QUICKLIST_2,
  RDB_LIST_ZIPLIST,
  RDB_SET,
  RDB_SET_INTSET,
  RDB_SET_LISTPACK,
  RDB_STREAM_LISTPACKS,
  RDB_STREAM_LISTPACKS_2,
  RDB_STREAM_LISTPACKS_3,
  RDB_STRING,
  RDB_VERSION_7_0,
  RDB_VERSION_7_4,
  RDB_ZSET,
  RDB_ZSET_2,
  RDB_ZSET_LISTPACK,
  RDB_ZSET_ZIPLIST,
} from "./rdb_types.ts";
import type { RdbWriter } from "./rdb_writer.ts";
import { readZset, writeZset, zsetKind } from "./rdb_zset.ts";

/** The string that was read last; other types are in an entry that was begun. */
const TEXT = new RdbString();

/** The kinds of each type. */
const KINDS: readonly (readonly [type: number, kinds: readonly number[]])[] = [
  [TYPE_STRING, [RDB_STRING]],
  [TYPE_LIST, [
    RDB_LIST,
    RDB_LIST_ZIPLIST,
    RDB_LIST_QUICKLIST,
    RDB_LIST_QUICKLIST_2,
  ]],
  [TYPE_SET, [RDB_SET, RDB_SET_INTSET, RDB_SET_LISTPACK]],
  [TYPE_ZSET, [RDB_ZSET, RDB_ZSET_2, RDB_ZSET_ZIPLIST, RDB_ZSET_LISTPACK]],
  [TYPE_HASH, [
    RDB_HASH,
    RDB_HASH_ZIPMAP,
    RDB_HASH_ZIPLIST,
    RDB_HASH_LISTPACK,
    RDB_HASH_METADATA_EARLY,
    RDB_HASH_LISTPACK_EX_EARLY,
    RDB_HASH_METADATA,
    RDB_HASH_LISTPACK_EX,
  ]],
  [TYPE_STREAM, [
    RDB_STREAM_LISTPACKS,
    RDB_STREAM_LISTPACKS_2,
    RDB_STREAM_LISTPACKS_3,
  ]],
];

/** The types of the kinds. */
const TYPE_OF_KIND: readonly (number | undefined)[] = typesOfKinds();

/** The kind that an entry's value is written as. */
export function kindOf(space: Keyspace, ref: number): number {
  switch (space.type(ref)) {
    case TYPE_LIST:
      return RDB_LIST_QUICKLIST_2;
    case TYPE_SET:
      return setKind(space.values, ref);
    case TYPE_ZSET:
      return zsetKind(space.values, ref);
    case TYPE_HASH:
      return hashKind(space.values, ref);
    case TYPE_STREAM:
      return RDB_STREAM_LISTPACKS_2;
    default:
      return RDB_STRING;
  }
}

/** The oldest version of the format that has a kind, but no older than 7.0's. */
export function versionOfKind(kind: number): number {
  return kind >= RDB_HASH_METADATA_EARLY ? RDB_VERSION_7_4 : RDB_VERSION_7_0;
}

/** Writes the value of an entry, without its kind. */
export function writeValue(
  writer: RdbWriter,
  space: Keyspace,
  ref: number,
): void {
  switch (space.type(ref)) {
    case TYPE_LIST:
      return writeList(writer, space.values, ref);
    case TYPE_SET:
      return writeSet(writer, space.values, ref);
    case TYPE_ZSET:
      return writeZset(writer, space.values, ref);
    case TYPE_HASH:
      return writeHash(writer, space.values, ref);
    case TYPE_STREAM:
      return writeStream(writer, space.values, ref);
    default:
      writer.string(
        space.strings.bytes(ref),
        space.strings.off(ref),
        space.strings.length(ref),
      );
  }
}

/**
 * Reads a value of a kind, whatever that number is, and keeps it. Throws
 * BadFormat or OutOfMemory; {@linkcode dropValue} is the caller's to call then.
 */
export function readValue(
  reader: RdbReader,
  kind: number,
  space: Keyspace,
): void {
  const type = TYPE_OF_KIND[kind];
  if (type === undefined) throw new BadFormat("its kind is unknown");
  if (type === TYPE_STRING) return reader.string(TEXT);
  const { values } = space;
  const ref = space.begun.begin(type);
  switch (type) {
    case TYPE_LIST:
      readList(reader, kind, values, ref);
      break;
    case TYPE_SET:
      readSet(reader, kind, values, ref);
      break;
    case TYPE_ZSET:
      readZset(reader, kind, values, ref);
      break;
    case TYPE_HASH:
      readHash(reader, kind, values, ref);
      break;
    case TYPE_STREAM:
      return readStream(reader, kind, values, ref);
  }
  if (space.length(ref) === 0) {
    throw new BadFormat("it has no elements");
  }
}

/**
 * Gives the value that was read, which is of a kind, to a key and returns its
 * entry; `existing` is the key's entry, or 0, and `expireAtMs` 0 for none.
 */
export function storeValue(
  reader: RdbReader,
  kind: number,
  space: Keyspace,
  db: number,
  key: Key,
  existing: number,
  expireAtMs: number,
): number {
  if (kind === RDB_STRING) {
    return storeText(reader, space, db, key, existing, expireAtMs);
  }
  const ref = space.begun.store(db, key, existing, expireAtMs);
  if (space.type(ref) !== TYPE_HASH) return ref;
  if (!space.values.hashes.hasExpires(ref)) return ref;
  try {
    setFieldExpires(space, db, ref, true);
  } catch (cause) {
    // Nobody would remove its fields.
    space.delete(db, ref);
    throw cause;
  }
  return ref;
}

/** Forgets the value that was read and not stored, or not read to the end. */
export function dropValue(reader: RdbReader, space: Keyspace): void {
  space.begun.drop();
  reader.end();
}

function storeText(
  reader: RdbReader,
  space: Keyspace,
  db: number,
  key: Key,
  existing: number,
  expireAtMs: number,
): number {
  const { buf, off, length } = TEXT;
  if (length >= EXTERNAL_BYTES_MIN) {
    const run = reader.takeRun(TEXT);
    if (run !== 0) {
      return space.strings.setExternal(db, key, existing, run, expireAtMs);
    }
  }
  const encoding = encodingOfBytes(buf, off, length);
  return space.strings.set(
    db,
    key,
    existing,
    buf,
    off,
    length,
    encoding,
    expireAtMs,
  );
}

function typesOfKinds(): (number | undefined)[] {
  const types: (number | undefined)[] = [];
  for (const [type, kinds] of KINDS) {
    for (const kind of kinds) types[kind] = type;
  }
  return types;
}

/**
 * Passes over values of Redis's snapshot format without making anything of
 * them: how a loader leaves keys to the workers that own them.
 *
 * Only what tells where a value ends is looked at. See rdb_hash.ts and its
 * neighbours for the layouts.
 *
 * @module
 */

import { BadFormat, type RdbReader } from "./rdb_reader.ts";
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
  RDB_MODULE,
  RDB_MODULE_2,
  RDB_SET,
  RDB_SET_INTSET,
  RDB_SET_LISTPACK,
  RDB_STREAM_LISTPACKS,
  RDB_STREAM_LISTPACKS_2,
  RDB_STREAM_LISTPACKS_3,
  RDB_STRING,
  RDB_ZSET,
  RDB_ZSET_2,
  RDB_ZSET_LISTPACK,
  RDB_ZSET_ZIPLIST,
} from "./rdb_types.ts";

const ID_BYTES = 16;
const NUMBER_BYTES = 8;

/** Passes over a value of a kind. Throws BadFormat. */
export function skipValue(reader: RdbReader, kind: number): void {
  switch (kind) {
    case RDB_STRING:
    case RDB_HASH_ZIPMAP:
    case RDB_LIST_ZIPLIST:
    case RDB_SET_INTSET:
    case RDB_ZSET_ZIPLIST:
    case RDB_HASH_ZIPLIST:
    case RDB_HASH_LISTPACK:
    case RDB_ZSET_LISTPACK:
    case RDB_SET_LISTPACK:
    case RDB_HASH_LISTPACK_EX_EARLY:
      return reader.skipString();
    case RDB_HASH_LISTPACK_EX:
      reader.raw(NUMBER_BYTES);
      return reader.skipString();
    case RDB_LIST:
    case RDB_SET:
    case RDB_LIST_QUICKLIST:
      return skipStrings(reader, 1);
    case RDB_HASH:
      return skipStrings(reader, 2);
    case RDB_LIST_QUICKLIST_2:
      for (let left = reader.length(); left > 0; left--) {
        reader.length();
        reader.skipString();
      }
      return;
    case RDB_ZSET:
      for (let left = reader.length(); left > 0; left--) {
        reader.skipString();
        reader.textDouble();
      }
      return;
    case RDB_ZSET_2:
      for (let left = reader.length(); left > 0; left--) {
        reader.skipString();
        reader.raw(NUMBER_BYTES);
      }
      return;
    case RDB_HASH_METADATA:
      reader.raw(NUMBER_BYTES);
      return skipTriples(reader);
    case RDB_HASH_METADATA_EARLY:
      return skipTriples(reader);
    case RDB_STREAM_LISTPACKS:
    case RDB_STREAM_LISTPACKS_2:
    case RDB_STREAM_LISTPACKS_3:
      return skipStream(reader, kind);
    case RDB_MODULE:
    case RDB_MODULE_2:
      throw new BadFormat("it is of a module");
    default:
      throw new BadFormat(`its kind, ${kind}, is unknown`);
  }
}

function skipStrings(reader: RdbReader, each: number): void {
  for (let left = reader.length() * each; left > 0; left--) {
    reader.skipString();
  }
}

function skipTriples(reader: RdbReader): void {
  for (let left = reader.length(); left > 0; left--) {
    reader.length();
    reader.skipString();
    reader.skipString();
  }
}

function skipStream(reader: RdbReader, kind: number): void {
  const isOldest = kind === RDB_STREAM_LISTPACKS;
  skipStrings(reader, 2);
  skipLengths(reader, isOldest ? 3 : 8);
  for (let groups = reader.length(); groups > 0; groups--) {
    reader.skipString();
    skipLengths(reader, isOldest ? 2 : 3);
    for (let left = reader.length(); left > 0; left--) {
      reader.raw(ID_BYTES + NUMBER_BYTES);
      reader.length64();
    }
    for (let consumers = reader.length(); consumers > 0; consumers--) {
      reader.skipString();
      reader.raw(
        kind === RDB_STREAM_LISTPACKS_3 ? 2 * NUMBER_BYTES : NUMBER_BYTES,
      );
      reader.raw(reader.length() * ID_BYTES);
    }
  }
}

function skipLengths(reader: RdbReader, count: number): void {
  for (let left = count; left > 0; left--) reader.length64();
}

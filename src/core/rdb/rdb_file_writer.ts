/**
 * Whole snapshots in Redis's format, as they are written.
 *
 * ```text
 * file      "REDIS", version (4 digits), aux *, database *, FF, CRC64 : u64
 * aux       FA, name, text
 * database  FE, number, [ FB, keys, keys with an expire ], entry *
 * entry     [ FC, expireAt : ms ] [ F8, idle seconds | F9, frequency : u8 ],
 *           kind : u8, key, value
 * ```
 * A database may come several times, so that pieces of a file can be written by
 * many and be put together in any order.
 *
 * The version is that of Redis 7.0, which it and all that came later read; of
 * Redis 7.4 if there are hashes of fields that expire, for which the older ones
 * have no form.
 *
 * Source: rdb.c of Redis 7.4.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import type { AccessClock } from "../keyspace/access_clock.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import {
  FILE_MAGIC,
  OPCODE_AUX,
  OPCODE_EXPIRE_MS,
  OPCODE_FREQUENCY,
  OPCODE_IDLE,
  OPCODE_RESIZE,
  OPCODE_SELECT,
  RDB_VERSION_7_0,
  RDB_VERSION_7_4,
} from "./rdb_types.ts";
import { kindOf, writeValue } from "./rdb_value.ts";
import type { RdbWriter } from "./rdb_writer.ts";

/** Nothing of the access clocks is written. */
export const CLOCK_NONE = 0;
/** For how long a key was not used is written: `maxmemory-policy` is LRU. */
export const CLOCK_IDLE = 1;
/** How often a key was used is written: `maxmemory-policy` is LFU. */
export const CLOCK_FREQUENCY = 2;

/** The version that a file needs. */
export function fileVersion(hasFieldExpires: boolean): number {
  return hasFieldExpires ? RDB_VERSION_7_4 : RDB_VERSION_7_0;
}

/** Writes the first bytes of a file. */
export function writeFileHead(writer: RdbWriter, version: number): void {
  const head = bytesOf(FILE_MAGIC + String(version).padStart(4, "0"));
  writer.raw(head, 0, head.length);
}

/** Writes a text about the file. */
export function writeAux(
  writer: RdbWriter,
  name: string,
  text: string,
): void {
  writer.byte(OPCODE_AUX);
  for (const word of [name, text]) {
    const bytes = bytesOf(word);
    writer.string(bytes, 0, bytes.length);
  }
}

/** Begins a database. */
export function writeSelect(writer: RdbWriter, db: number): void {
  writer.byte(OPCODE_SELECT);
  writer.length(db);
}

/** Writes how many keys a database has, those with an expire among them. */
export function writeResize(
  writer: RdbWriter,
  keys: number,
  expires: number,
): void {
  writer.byte(OPCODE_RESIZE);
  writer.length(keys);
  writer.length(expires);
}

/** Writes an entry: its expire, key and value; `notes` is one of CLOCK_*. */
export function writeEntry(
  writer: RdbWriter,
  space: Keyspace,
  ref: number,
  notes: number,
  clock: AccessClock,
): void {
  writeEntryHead(writer, space, ref, notes, clock);
  writeName(writer, space, ref);
  writeValue(writer, space, ref);
}

/** Writes all of an entry that comes before its key. */
export function writeEntryHead(
  writer: RdbWriter,
  space: Keyspace,
  ref: number,
  notes: number,
  clock: AccessClock,
): void {
  const expireAtMs = space.expireAt(ref);
  if (expireAtMs !== 0) {
    writer.byte(OPCODE_EXPIRE_MS);
    writer.milliseconds(expireAtMs);
  }
  if (notes === CLOCK_IDLE) {
    writer.byte(OPCODE_IDLE);
    writer.length(clock.idleSeconds(space.clockOf(ref)));
  } else if (notes === CLOCK_FREQUENCY) {
    writer.byte(OPCODE_FREQUENCY);
    writer.byte(clock.decayed(space.clockOf(ref)));
  }
  writer.byte(kindOf(space, ref));
}

/** Writes the key of an entry. */
export function writeName(
  writer: RdbWriter,
  space: Keyspace,
  ref: number,
): void {
  writer.string(space.bytes(ref), space.keyOff(ref), space.keyLength(ref));
}

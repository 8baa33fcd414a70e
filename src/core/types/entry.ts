/**
 * Entries: a key with its value, as one node of the arena.
 *
 * ```text
 * word 0   type (bits 0-2) | epoch (3) | encoding (4-7) | access clock (8-31)
 * word 1   key length | has readers (bit 29) | fields expire (30)
 *          | has expire (31)
 *                                                    (see memory/node.ts)
 * word 2   length of an inline string, or reference of the value's root
 * word 3   hash of the key
 * [ expireAtMs, a double ]
 * key bytes, then the bytes of an inline string
 * ```
 *
 * The epoch bit says whether a snapshot under way still has to save the entry:
 * see keyspace/snapshot_marks.ts.
 *
 * Only the dictionaries of its database point at an entry, so it may be moved
 * whenever they are told.
 *
 * @module
 */

import { isCanonicalInteger } from "../base/integer.ts";
import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "../memory/arena.ts";
import { NODE_META, NODE_VALUE } from "../memory/node.ts";

/** Value types, numbered as in Redis's RDB. */
export const TYPE_STRING = 0;
/** A list. */
export const TYPE_LIST = 1;
/** A set. */
export const TYPE_SET = 2;
/** A sorted set. */
export const TYPE_ZSET = 3;
/** A hash. */
export const TYPE_HASH = 4;
/** A stream. */
export const TYPE_STREAM = 6;

/** Names as TYPE prints them, by type number. */
export const TYPE_NAMES: readonly string[] = [
  "string",
  "list",
  "set",
  "zset",
  "hash",
  "module",
  "stream",
];

/** A string whose bytes follow the key, made by a change of an older value. */
export const STRING_RAW = 0;
/** A string of the canonical text of a 64-bit integer, after the key. */
export const STRING_INT = 1;
/** A short string, written as a whole, after the key. */
export const STRING_EMBEDDED = 2;
/** A string in a run of its own; word 2 is its reference. */
export const STRING_EXTERNAL = 3;

/** Names as OBJECT ENCODING prints them, by a string's encoding. */
export const STRING_ENCODING_NAMES: readonly string[] = [
  "raw",
  "int",
  "embstr",
  "raw",
];

/** Longest string that counts as embedded. */
export const EMBEDDED_BYTES_MAX = 44;
/** Strings from this length on live in runs of their own. */
export const EXTERNAL_BYTES_MIN = 64 * 1024;

/** The encoding of a string that is written as a whole. */
export function encodingOfBytes(
  buf: Uint8Array,
  off: number,
  length: number,
): number {
  if (length > EMBEDDED_BYTES_MAX) return STRING_RAW;
  return isCanonicalInteger(buf, off, length) ? STRING_INT : STRING_EMBEDDED;
}

/** Mask of type and encoding in word 0. */
export const KIND_MASK = 0xf7;
/** Bit of word 0: the epoch in which the entry was made, or saved last. */
export const EPOCH_BIT = 8;
/** Mask of all but the access clock in word 0. */
export const NOT_CLOCK_MASK = 0xff;
const ENCODING_MASK = 0xf0;
const ENCODING_SHIFT = 4;
/** Shift of the access clock in word 0. */
export const CLOCK_SHIFT = 8;
/** Mask of the access clock, once shifted. */
export const CLOCK_MASK = 0xffffff;

/** Bit of word 1 that says that replies may still read the value. */
export const HAS_READERS = 1 << 29;
/** Bit of word 1 that says that fields of the hash have an expire. */
export const HAS_FIELD_EXPIRES = 1 << 30;

/** Type number in word 0. */
export function typeOf(meta: number): number {
  return meta & 7;
}

/** Encoding number in word 0. */
export function encodingOf(meta: number): number {
  return (meta >> 4) & 15;
}

/** Type and encoding as one number: what {@linkcode KIND_MASK} leaves. */
export function kindOf(type: number, encoding: number): number {
  return type | encoding << ENCODING_SHIFT;
}

/** Reference of the root of an entry's value; 0 while it is empty. */
export function valueRoot(arena: Arena, ref: number): number {
  return arena.i32[ref >>> SEGMENT_SHIFT]![
    ((ref & UNIT_MASK) << 1) + NODE_VALUE
  ]!;
}

/** Encoding of an entry's value. */
export function valueEncoding(arena: Arena, ref: number): number {
  return encodingOf(
    arena.i32[ref >>> SEGMENT_SHIFT]![((ref & UNIT_MASK) << 1) + NODE_META]!,
  );
}

/** Gives an entry's value another encoding and root. */
export function setValue(
  arena: Arena,
  ref: number,
  encoding: number,
  root: number,
): void {
  const words = arena.i32[ref >>> SEGMENT_SHIFT]!;
  const at = (ref & UNIT_MASK) << 1;
  words[at + NODE_META] = (words[at + NODE_META]! & ~ENCODING_MASK) |
    encoding << ENCODING_SHIFT;
  words[at + NODE_VALUE] = root;
}

/** Gives an entry's value another root: what it had has moved. */
export function setValueRoot(arena: Arena, ref: number, root: number): void {
  arena.i32[ref >>> SEGMENT_SHIFT]![
    ((ref & UNIT_MASK) << 1) + NODE_VALUE
  ] = root;
}

/**
 * The control block of a shard: the words from which everything in it is found.
 *
 * ```text
 * [0]  latch          [16] flags, see shard_flags.ts
 * [32] heap
 * then, per database: dictionary of all keys, dictionary of keys with an expire
 * then as many databases that no client can select, see reclaim.ts
 * ```
 *
 * Latch and flags have a cache line each.
 *
 * @module
 */

import { DICT_HEADER_WORDS } from "../memory/dict.ts";
import { HEAP_WORDS } from "../memory/heap.ts";

/** Word of a shard's latch. */
export const SHARD_LATCH = 0;
/** Word of a shard's flags. */
export const SHARD_FLAGS = 16;
/** First word of a shard's heap. */
export const SHARD_HEAP = 32;
/** Words of a database: two dictionary headers. */
export const DATABASE_WORDS: number = 2 * DICT_HEADER_WORDS;
const DATABASES = SHARD_HEAP + HEAP_WORDS;
/** Control blocks are whole cache lines. */
const LINE_WORDS = 16;

/** Words of the control block of a shard with `databases` databases. */
export function shardControlWords(databases: number): number {
  const words = DATABASES + 2 * databases * DATABASE_WORDS;
  return Math.ceil(words / LINE_WORDS) * LINE_WORDS;
}

/** Databases of the shard with this control block that can be selected. */
export function databasesOf(control: Int32Array): number {
  return Math.floor((control.length - DATABASES) / (2 * DATABASE_WORDS));
}

/** Header of the dictionary of all keys of a database. */
export function keysAt(db: number): number {
  return DATABASES + db * DATABASE_WORDS;
}

/** Header of the dictionary of a database's keys with an expire. */
export function expiresAt(db: number): number {
  return keysAt(db) + DICT_HEADER_WORDS;
}

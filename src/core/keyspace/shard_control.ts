/**
 * The control block of a shard: the words from which everything in it is found.
 *
 * ```text
 * [0]  latch          [16] flags, see shard_flags.ts     [17] hooks
 * [18] epoch, see snapshot_marks.ts
 * [32] heap, then the chain of values that wait to be freed and its length,
 * and the chain of values that replies still read, the watched keys,
 * the channels, the waiters, the tracked keys, the key locks, the pictures, the
 * chain of pictures of old values, the watched keys that have changed last, the
 * patterns that have
 * then, per database: dictionary of all keys, dictionary of keys with an expire,
 * dictionary of hashes with fields that have one
 * then as many databases that no client can select, see reclaim.ts
 * then the epochs of the databases that can be selected, see watched_keys.ts
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
/** Flag: keys of the shard are locked or waited for, see key_locks.ts. */
export const FLAG_KEY_LOCKS = 2;
/** Flag: the shard as a whole is locked or waited for. */
export const FLAG_WHOLE_LOCK = 4;
/** Flag: a snapshot is under way, as {@linkcode HOOK_SNAPSHOT}. */
export const FLAG_SNAPSHOT = 8;
/** Flag: hashes are kept as they are as a whole, see old_values.ts. */
export const FLAG_OLD_HASHES = 16;
/** Flags: somebody may want a key as it is before it is changed. */
export const FLAGS_RESERVE: number = FLAG_SNAPSHOT | FLAG_OLD_HASHES;
/**
 * Word of a shard's hooks: who must be told when a key changes. While it is
 * zero, a change costs one test.
 */
export const SHARD_HOOKS = 17;
/**
 * Hook: keys of the shard are watched. From bit 8 on, the classes of events that
 * subscribers are told of: see key_events.ts.
 */
export const HOOK_WATCH = 1;
/** Hook: commands wait for keys of the shard. */
export const HOOK_WAITERS = 2;
/** Hook: clients may have keys of the shard in caches of their own. */
export const HOOK_TRACKED = 4;
/** Hook: clients want to be told of changed keys by their prefix. */
export const HOOK_BROADCAST = 8;
/** Hook: a snapshot is under way, see snapshot_marks.ts. */
export const HOOK_SNAPSHOT = 16;
/** Hook: old values are kept, see old_values.ts. */
export const HOOK_OLD_VALUES = 32;
/** Word of a shard's epoch: EPOCH_BIT (types/entry.ts) or 0. */
export const SHARD_EPOCH = 18;
/** Hook: a list of all keys is being made, see key_pictures.ts. */
export const HOOK_PICTURES = 64;
/** First word of a shard's heap. */
export const SHARD_HEAP = 32;
/** Word of the first entry whose value waits to be freed, see reclaim.ts. */
export const SHARD_DETACHED: number = SHARD_HEAP + HEAP_WORDS;
/** Word that counts such entries. */
export const SHARD_DETACHED_COUNT: number = SHARD_DETACHED + 1;
/** Word of the first value that replies still read, see shared_value.ts. */
export const SHARD_READINGS: number = SHARD_DETACHED_COUNT + 1;
/** Words of a database: three dictionary headers. */
export const DATABASE_WORDS: number = 3 * DICT_HEADER_WORDS;
/** Header of the dictionary of watched keys, see watched_keys.ts. */
export const SHARD_WATCHED: number = SHARD_READINGS + 1;
/** Header of the dictionary of channels, see subscriber_counts.ts. */
export const SHARD_CHANNELS: number = SHARD_WATCHED + DICT_HEADER_WORDS;
/** Word that counts the places in the queues of waiters.ts. */
export const SHARD_WAITING: number = SHARD_CHANNELS + DICT_HEADER_WORDS;
/** Header of the dictionary of keys that commands wait for, see waiters.ts. */
export const SHARD_WAITERS: number = SHARD_WAITING + 1;
/** Header of the dictionary of tracked keys, see tracked_keys.ts. */
export const SHARD_TRACKED: number = SHARD_WAITERS + DICT_HEADER_WORDS;
/** Header of that of tracked keys that wait to be freed. */
export const SHARD_FORGOTTEN: number = SHARD_TRACKED + DICT_HEADER_WORDS;
/** Word that counts the clients of all tracked keys. */
export const SHARD_TRACKED_ITEMS: number = SHARD_FORGOTTEN + DICT_HEADER_WORDS;
/** Header of the dictionary of locked keys, see key_locks.ts. */
export const SHARD_LOCKS: number = SHARD_TRACKED_ITEMS + 1;
/** Word that counts read locks. */
export const SHARD_READ_LOCKS: number = SHARD_LOCKS + DICT_HEADER_WORDS;
/** Word that counts write locks. */
export const SHARD_WRITE_LOCKS: number = SHARD_READ_LOCKS + 1;
/** Word that counts the places of those who wait for locks. */
export const SHARD_LOCK_WAITS: number = SHARD_WRITE_LOCKS + 1;
/** First word of the filter of locked keys: a bit for each hash, roughly. */
export const SHARD_LOCK_FILTER: number = SHARD_LOCK_WAITS + 1;
/** Words of that filter, a power of two. */
export const LOCK_FILTER_WORDS = 512;
/** Words of the pictures of key_pictures.ts. */
export const SHARD_PICTURES: number = SHARD_LOCK_FILTER +
  LOCK_FILTER_WORDS;
/** Pictures that can be taken at a time. */
export const PICTURES_MAX = 2;
/** Words of a picture: a dictionary's header, then state, time (2), notes. */
export const PICTURE_WORDS: number = DICT_HEADER_WORDS + 4;
/** Word of the first picture of old_values.ts. */
export const SHARD_OLD_VALUES: number = SHARD_PICTURES +
  PICTURES_MAX * PICTURE_WORDS;
/** Word that counts changes of watched keys, see watched_keys.ts. */
export const SHARD_TOUCHES: number = SHARD_OLD_VALUES + 1;
/** First word of the ring of watched keys that have changed last. */
export const SHARD_TOUCHED: number = SHARD_TOUCHES + 1;
/** Nodes in that ring, a power of two. */
export const TOUCHED_NODES = 64;
/** Word that counts exchanges of databases with watched keys. */
export const SHARD_EXCHANGES: number = SHARD_TOUCHED + TOUCHED_NODES;
/** Word that has that count for which all watched keys are settled. */
export const SHARD_SETTLED: number = SHARD_EXCHANGES + 1;
/** Word that counts the orphans of key_locks.ts. */
export const SHARD_ORPHANS: number = SHARD_SETTLED + 1;
/** First word of the ring of patterns that have changed, see subscriber_counts.ts. */
export const SHARD_PATTERNS: number = SHARD_ORPHANS + 1;
/** Nodes in that ring, a power of two. */
export const CHANGED_PATTERNS = 512;
/** Word that has the version up to which changes of patterns were forgotten. */
export const SHARD_PATTERNS_FORGOTTEN: number = SHARD_PATTERNS +
  CHANGED_PATTERNS;
const DATABASES = SHARD_PATTERNS_FORGOTTEN + 1;
/** Words for a database that can be selected: two of them, and an epoch. */
const WORDS_PER_DATABASE = 2 * DATABASE_WORDS + 1;
/** Control blocks are whole cache lines. */
const LINE_WORDS = 16;

/** Words of the control block of a shard with `databases` databases. */
export function shardControlWords(databases: number): number {
  const words = DATABASES + databases * WORDS_PER_DATABASE;
  return Math.ceil(words / LINE_WORDS) * LINE_WORDS;
}

/** Databases of the shard with this control block that can be selected. */
export function databasesOf(control: Int32Array): number {
  return Math.floor((control.length - DATABASES) / WORDS_PER_DATABASE);
}

/** Header of the dictionary of all keys of a database. */
export function keysAt(db: number): number {
  return DATABASES + db * DATABASE_WORDS;
}

/** First word of the epochs, one for each of so many databases. */
export function databaseEpochsAt(databases: number): number {
  return keysAt(2 * databases);
}

/** Header of the dictionary of a database's keys with an expire. */
export function expiresAt(db: number): number {
  return keysAt(db) + DICT_HEADER_WORDS;
}

/** Header of the dictionary of a database's hashes with fields that expire. */
export function fieldExpiresAt(db: number): number {
  return expiresAt(db) + DICT_HEADER_WORDS;
}

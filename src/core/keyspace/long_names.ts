/**
 * Entries with long names. They are read by those who hold no latch, who compare
 * them, or send them; and to copy one takes a millisecond per 16 MB. So a name is
 * never moved, and not copied under a latch if it was known before.
 *
 * ```text
 * byte   0        8        16       24
 *        [ header          | expire | name | up to 64 bytes of a string ]
 *                 [ header          | name | ...                        ]
 * ```
 *
 * Such an entry is a steady run (page_pool.ts) with room for all that may stand in
 * it. One without an expire begins a unit behind the start of its run: who sets or
 * removes an expire writes the header anew, where the entry is from then on. What
 * replaces the value leaves the entry where it is. Strings that are neither
 * numbers nor "embstr" lie in runs of their own (strings.ts).
 *
 * The run may have been made, and the name written to it, before the command had
 * its latches ({@linkcode prepareName}).
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import { byteOf } from "../memory/arena.ts";
import type { ExternalStrings } from "../memory/external.ts";
import {
  KNOWN_KEYS,
  type KnownKey,
  LONG_KEY_BYTES,
} from "../memory/known_keys.ts";
import {
  EXPIRE_BYTES,
  HAS_EXPIRE,
  KEY_LENGTH_MASK,
  NODE_HASH,
  NODE_HEADER_BYTES,
  NODE_KEY,
  NODE_META,
} from "../memory/node.ts";
import {
  EXTERNAL_BYTES_MIN,
  HAS_FIELD_EXPIRES,
  TYPE_STRING,
} from "../types/entry.ts";
import { setFieldExpires } from "./field_expires.ts";
import type { Key } from "./key.ts";
import type { Keyspace } from "./keyspace.ts";
import { leaveValue } from "./shared_value.ts";
import { expiresAt, fieldExpiresAt, keysAt } from "./shard_control.ts";

const HEADER_WORDS = NODE_HEADER_BYTES / 4;
/** Where the name stands in a run. */
const NAME_AT = NODE_HEADER_BYTES + EXPIRE_BYTES;
/** Longest string that lies in an entry with a long name. */
const TAIL_BYTES = 64;

/** Whether an entry with this word 1 has a long name. */
export function isLongName(keyWord: number): boolean {
  return (keyWord & KEY_LENGTH_MASK) >= LONG_KEY_BYTES;
}

/** Whether a string of that length lies in the entry of its key. */
export function liesInEntry(keyLength: number, length: number): boolean {
  return length <= TAIL_BYTES ||
    length < EXTERNAL_BYTES_MIN && keyLength < LONG_KEY_BYTES;
}

/**
 * A run with a name for an entry that has yet to be made, or 0; its last reference
 * is the caller's. No latch is needed.
 */
export function prepareName(
  externals: ExternalStrings,
  { buf, off, length }: Pick<Key, "buf" | "off" | "length">,
): number {
  const bytes = EXPIRE_BYTES + length + TAIL_BYTES;
  const run = externals.create(bytes);
  if (run === 0) return 0;
  copyBytes(buf, off, externals.bytes(run), byteOf(run) + NAME_AT, length);
  return run;
}

/** Notes that the entry in a run, with an expire or without, has a name. */
export function noteName(known: KnownKey, run: number): void {
  known.nodes.set(run, true);
  known.nodes.set(run + 1, true);
}

/** The run of an entry with a long name. */
export function runOf(space: Keyspace, ref: number): number {
  return space.word(ref, NODE_KEY) < 0 ? ref : ref - 1;
}

/**
 * An entry of a key with a long name, in no dictionary, of which meta word and
 * value are to be written, and the expire if it has one. May throw OutOfMemory.
 */
export function makeLongEntry(
  space: Keyspace,
  key: Key,
  hasExpire: boolean,
): number {
  const { heap } = space;
  const { buf, off, length, hash } = key;
  const known = KNOWN_KEYS.find(buf, off, length);
  let run = known?.run ?? 0;
  if (run !== 0) {
    known!.run = 0;
    heap.adoptRun(run);
  } else {
    run = heap.allocate((NAME_AT + length + TAIL_BYTES + 7) >>> 3);
    copyBytes(buf, off, space.bytes(run), byteOf(run) + NAME_AT, length);
  }
  heap.setSteady(run);
  if (known !== undefined) noteName(known, run);
  const ref = hasExpire ? run : run + 1;
  space.setWord(ref, NODE_KEY, hasExpire ? length | HAS_EXPIRE : length);
  space.setWord(ref, NODE_HASH, hash);
  return ref;
}

/**
 * As {@linkcode Keyspace.make}, of a key with a long name; `meta` is the entry's.
 */
export function makeLong(
  space: Keyspace,
  db: number,
  key: Key,
  existing: number,
  meta: number,
  expireAtMs: number,
): number {
  if (existing !== 0) return makeOver(space, db, existing, meta, expireAtMs);
  const { heap } = space;
  const ref = makeLongEntry(space, key, expireAtMs !== 0);
  space.setWord(ref, NODE_META, meta);
  if (expireAtMs !== 0) space.setExpireAt(ref, expireAtMs);
  try {
    space.attach(db, ref, key.hash);
  } catch (cause) {
    heap.free(ref);
    throw cause;
  }
  return ref;
}

/** Makes an entry one of another value, whatever it had, which is freed. */
function makeOver(
  space: Keyspace,
  db: number,
  existing: number,
  meta: number,
  expireAtMs: number,
): number {
  const { heap } = space;
  const isString = space.type(existing) === TYPE_STRING;
  // What may throw comes first.
  const aside = isString ? 0 : heap.allocate(NODE_HEADER_BYTES >> 3);
  let ref = 0;
  try {
    ref = space.setExpire(db, existing, expireAtMs);
  } catch (cause) {
    if (aside !== 0) heap.free(aside);
    throw cause;
  }
  setFieldExpires(space, db, ref, false);
  if (space.hasReaders(ref)) leaveValue(space, ref);
  if (aside !== 0) {
    space.setWord(aside, NODE_META, 0);
    space.setWord(aside, NODE_KEY, 0);
    space.giveValue(aside, space.kind(ref), space.takeValue(ref));
    space.freeEntry(aside);
  } else space.strings.free(ref);
  space.setWord(ref, NODE_META, meta);
  return ref;
}

/**
 * Gives an entry with a long name room for an expire, if it has none, or takes it
 * away, if it has; returns the entry, which is another one now. Throws OutOfMemory
 * before anything is changed.
 */
export function shiftEntry(space: Keyspace, db: number, ref: number): number {
  const { control, dict } = space;
  const words = Array.from(
    { length: HEADER_WORDS },
    (_, i) => space.word(ref, i),
  );
  const keyWord = words[NODE_KEY]!;
  const hash = words[NODE_HASH]!;
  const had = keyWord < 0;
  const to = had ? ref + 1 : ref - 1;
  if (had) dict.remove(control, expiresAt(db), ref, hash);
  else dict.insert(control, expiresAt(db), ref, hash);
  // The headers overlap: no dictionary may look at one in between.
  dict.replace(control, keysAt(db), ref, to, hash);
  if (!had) dict.replace(control, expiresAt(db), ref, to, hash);
  if ((keyWord & HAS_FIELD_EXPIRES) !== 0) {
    dict.replace(control, fieldExpiresAt(db), ref, to, hash);
  }
  words[NODE_KEY] = keyWord ^ HAS_EXPIRE;
  words.forEach((word, i) => space.setWord(to, i, word));
  return to;
}

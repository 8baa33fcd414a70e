/**
 * Entries with long names, which are read by those who hold no latch: they compare
 * them, or send them. So such an entry is a steady run (page_pool.ts): its name does
 * not move in it.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import { byteOf } from "../memory/arena.ts";
import { LONG_KEY_BYTES } from "../memory/known_keys.ts";
import {
  EXPIRE_BYTES,
  HAS_EXPIRE,
  KEY_LENGTH_MASK,
  keyOffset,
  NODE_HASH,
  NODE_HEADER_BYTES,
  NODE_KEY,
} from "../memory/node.ts";
import { HAS_FIELD_EXPIRES } from "../types/entry.ts";
import type { Keyspace } from "./keyspace.ts";
import { expiresAt, fieldExpiresAt, keysAt } from "./shard_control.ts";

const HEADER_WORDS = NODE_HEADER_BYTES / 4;

/** Whether an entry with this word 1 has a long name. */
export function isLongName(keyWord: number): boolean {
  return (keyWord & KEY_LENGTH_MASK) >= LONG_KEY_BYTES;
}

/**
 * Puts an entry in the place of one with a long name that has room for an expire, if
 * that one has none, or has none, if that one has; returns it. Throws OutOfMemory
 * before anything is changed.
 */
export function remakeEntry(
  space: Keyspace,
  db: number,
  ref: number,
  has: boolean,
): number {
  const { control, dict, heap } = space;
  const keyWord = space.word(ref, NODE_KEY);
  const hash = space.word(ref, NODE_HASH);
  const from = keyOffset(keyWord);
  const to = has ? NODE_HEADER_BYTES + EXPIRE_BYTES : NODE_HEADER_BYTES;
  const bytes = space.entryBytes(ref) - from;
  const made = heap.allocate((to + bytes + 7) >>> 3);
  for (let i = 0; i < HEADER_WORDS; i++) {
    space.setWord(made, i, space.word(ref, i));
  }
  const rest = keyWord & ~HAS_EXPIRE;
  space.setWord(made, NODE_KEY, has ? rest | HAS_EXPIRE : rest);
  copyBytes(
    space.bytes(ref),
    byteOf(ref) + from,
    space.bytes(made),
    byteOf(made) + to,
    bytes,
  );
  heap.setSteady(made);
  try {
    if (has) dict.insert(control, expiresAt(db), made, hash);
    else dict.remove(control, expiresAt(db), ref, hash);
  } catch (cause) {
    heap.free(made);
    throw cause;
  }
  dict.replace(control, keysAt(db), ref, made, hash);
  if ((keyWord & HAS_FIELD_EXPIRES) !== 0) {
    dict.replace(control, fieldExpiresAt(db), ref, made, hash);
  }
  heap.free(ref);
  return made;
}

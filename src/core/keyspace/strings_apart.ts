/**
 * Strings that are made before their keys get them: entries that are in no
 * dictionary yet, for {@linkcode Keyspace.adoptEntry}.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import { SEGMENT_SHIFT, wordOf } from "../memory/arena.ts";
import { OutOfMemory } from "../memory/heap.ts";
import { LONG_KEY_BYTES } from "../memory/known_keys.ts";
import {
  NODE_HASH,
  NODE_HEADER_BYTES,
  NODE_KEY,
  NODE_META,
  NODE_VALUE,
} from "../memory/node.ts";
import type { Arguments } from "../resp/arguments.ts";
import {
  encodingOfBytes,
  kindOf,
  STRING_EXTERNAL,
  TYPE_STRING,
} from "../types/entry.ts";
import type { Key } from "./key.ts";
import type { Keyspace } from "./keyspace.ts";
import { makeLongEntry } from "./long_names.ts";

/** A run with the bytes of an argument; may throw OutOfMemory. Takes no latch. */
export function makeRun(
  { externals }: Keyspace,
  args: Arguments,
  i: number,
): number {
  const length = args.length[i]!;
  const run = externals.create(length);
  if (run === 0) throw new OutOfMemory();
  externals.setLength(run, length);
  const off = externals.offset(run);
  copyBytes(args.source(i), args.off[i]!, externals.bytes(run), off, length);
  return run;
}

/**
 * An entry of a key with the string in an argument, which is a short one. The
 * shard's latch is held; may throw OutOfMemory.
 */
export function makeApart(
  space: Keyspace,
  key: Key,
  args: Arguments,
  i: number,
): number {
  const source = args.source(i);
  const off = args.off[i]!;
  const length = args.length[i]!;
  const kind = kindOf(TYPE_STRING, encodingOfBytes(source, off, length));
  const ref = makeEntry(space, key, kind, length, length);
  const to = space.keyOff(ref) + key.length;
  copyBytes(source, off, space.bytes(ref), to, length);
  return ref;
}

/** The same with a string that lies in a run, which is the entry's then. */
export function makeApartIn(space: Keyspace, key: Key, run: number): number {
  const kind = kindOf(TYPE_STRING, STRING_EXTERNAL);
  const ref = makeEntry(space, key, kind, run, 0);
  space.heap.adoptRun(run);
  return ref;
}

function makeEntry(
  space: Keyspace,
  key: Key,
  kind: number,
  value: number,
  tail: number,
): number {
  if (key.length >= LONG_KEY_BYTES) {
    const long = makeLongEntry(space, key, false);
    space.setWord(long, NODE_META, kind);
    space.setWord(long, NODE_VALUE, value);
    return long;
  }
  const bytes = NODE_HEADER_BYTES + key.length + tail;
  const ref = space.heap.allocate((bytes + 7) >>> 3);
  const words = space.arena.i32[ref >>> SEGMENT_SHIFT]!;
  const at = wordOf(ref);
  words[at + NODE_META] = kind;
  words[at + NODE_KEY] = key.length;
  words[at + NODE_HASH] = key.hash;
  words[at + NODE_VALUE] = value;
  copyBytes(key.buf, key.off, space.bytes(ref), space.keyOff(ref), key.length);
  return ref;
}

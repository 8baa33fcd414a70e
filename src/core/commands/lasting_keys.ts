/**
 * Keys of a command that goes on when its latches have been given back.
 *
 * @module
 */

import { Key } from "../keyspace/key.ts";
import { KNOWN_KEYS, LONG_KEY_BYTES } from "../memory/known_keys.ts";
import type { Arguments } from "../resp/arguments.ts";

/**
 * A key of a command that will have these arguments until it has ended. A long name
 * stays where it is if it is a big argument, and what is known of it is known of
 * the key; any other is copied.
 */
export function lastingKey(given: Key, args: Arguments): Key {
  const { buf, off, length, hash, shard } = given;
  if (length >= LONG_KEY_BYTES) {
    const key = longKeyIn(given, args);
    if (key !== null) return key;
  }
  return Object.assign(new Key(), {
    ...{ buf: buf.slice(off, off + length), off: 0 },
    ...{ length, hash, shard },
  });
}

/** The same of a long one; null if its name is no big argument. */
export function longKeyIn(
  { buf, off, length, hash, shard }: Key,
  args: Arguments,
): Key | null {
  let i = 1;
  while (
    i < args.count &&
    (args.bigAt(i) === 0 || args.off[i] !== off || args.source(i) !== buf)
  ) i++;
  if (i === args.count) return null;
  const key = Object.assign(new Key(), {
    ...{ buf: args.view(i), off: 0 },
    ...{ length, hash, shard },
  });
  const known = KNOWN_KEYS.find(buf, off, length);
  if (known !== undefined) KNOWN_KEYS.add(key.buf, 0, length, known);
  return key;
}

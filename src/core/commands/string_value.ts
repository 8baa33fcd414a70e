/**
 * What the string commands do with values: store an argument, reply a value.
 *
 * Long values are moved, not copied: an argument that streamed into the arena
 * becomes the value as it lies there, and a long reply is sent from where the
 * value lies.
 *
 * @module
 */

import {
  encodingOfBytes,
  EXTERNAL_BYTES_MIN,
  STRING_EXTERNAL,
} from "../types/entry.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { Call } from "./call.ts";

/**
 * Makes the key the string in argument `i`, whatever it was before. `existing`
 * is its entry, or 0; `expireAtMs` is 0 for none.
 */
export function storeArgument(
  call: Call,
  space: Keyspace,
  key: Key,
  existing: number,
  i: number,
  expireAtMs: number,
): void {
  const args = call.args;
  const source = args.source(i);
  const off = args.off[i]!;
  const length = args.length[i]!;
  if (length >= EXTERNAL_BYTES_MIN) {
    const run = args.takeBig(i);
    if (run !== 0) {
      space.externals.trim(run);
      space.strings.setExternal(call.db, key, existing, run, expireAtMs);
      return;
    }
  }
  const encoding = encodingOfBytes(source, off, length);
  space.strings.set(
    call.db,
    key,
    existing,
    source,
    off,
    length,
    encoding,
    expireAtMs,
  );
}

/** Replies the value of an entry, which is a string. */
export function replyString(
  reply: ReplyWriter,
  space: Keyspace,
  ref: number,
): void {
  if (space.encoding(ref) === STRING_EXTERNAL) {
    replyRange(reply, space, ref, 0, space.strings.length(ref));
  } else {
    reply.bulk(
      space.bytes(ref),
      space.keyOff(ref) + space.keyLength(ref),
      space.valueRef(ref),
    );
  }
}

/** Replies `length` bytes of the value of an entry, from byte `from` on. */
export function replyRange(
  reply: ReplyWriter,
  space: Keyspace,
  ref: number,
  from: number,
  length: number,
): void {
  if (
    length >= EXTERNAL_BYTES_MIN && space.encoding(ref) === STRING_EXTERNAL
  ) {
    const run = space.valueRef(ref);
    space.externals.pin(run);
    reply.external(run, from, length);
  } else {
    reply.bulk(space.strings.bytes(ref), space.strings.off(ref) + from, length);
  }
}

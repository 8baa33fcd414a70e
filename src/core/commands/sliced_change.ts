/**
 * Changes of a key, or of a few, that may take long: begun where the command runs and, if
 * more than a slice is left, gone on with in slices (see sliced_changes.ts).
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Key } from "../keyspace/key.ts";
import { OutOfMemory } from "../memory/heap.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { Call, ChangePlace, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";

/**
 * Does a slice where it is to be done; says whether some is left. The shard's
 * latch is held.
 */
export function makeSlice(
  change: SlicedChange,
  { space, key }: ChangePlace,
  db: number,
  args: Arguments,
): boolean {
  return change.step(space, space.peek(db, key), args);
}

/**
 * Makes a change of a key of the command, the first if nothing else is said, whose
 * entry is `ref`, or 0. The reply is written if it is made at once, else promised.
 * May throw OutOfMemory.
 */
export function makeChange(
  call: Call,
  ref: number,
  change: SlicedChange,
  key: Key = call.key(0),
): void | Promise<LateReply> {
  const space = call.keyspace(key);
  const { args, db } = call;
  try {
    assert(change.place !== null, "latches are held");
    const begins = call.canWait ? call.inSlices : null;
    const isLeft = change.isLong === true && begins !== null ||
      (change.place === undefined
        ? change.step(space, ref, args)
        : makeSlice(change, change.place, db, args));
    if (isLeft) {
      const late = begins?.(space, db, key, change, args) ?? null;
      if (late !== null) return late;
      change.hurry?.();
      const first = { space, key };
      while (makeSlice(change, change.place ?? first, db, args));
    }
    change.finish(space, db, key, args, call.effects)(call.reply);
  } catch (cause) {
    if (cause instanceof OutOfMemory) change.drop?.(space, db, key);
    throw cause;
  }
}

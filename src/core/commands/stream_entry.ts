/**
 * The stream of a command's key, and its groups.
 *
 * @module
 */

import { XGROUP_CREATECONSUMER } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { unshareValue } from "../keyspace/shared_value.ts";
import { OutOfMemory } from "../memory/heap.ts";
import type { Arguments } from "../resp/arguments.ts";
import { noKeyOrGroup, WRONG_TYPE } from "../resp/error_reply.ts";
import { TYPE_STREAM } from "../types/entry.ts";
import type { StreamValue } from "../types/stream_value.ts";
import type { Call, ChangePlace } from "./call.ts";
import type { Output } from "./sliced_output.ts";
import { readEntry, writeEntry, WRONG } from "./typed_entry.ts";

/** The streams of key `i`'s keyspace. */
export function streamsOf(call: Call, i: number): StreamValue {
  return call.keyspace(call.key(i)).values.streams;
}

/** As {@linkcode readEntry}, for a stream. */
export function readStream(call: Call, i: number): number {
  return readEntry(call, i, TYPE_STREAM);
}

/** As {@linkcode writeEntry}, for a stream. */
export function writeStream(call: Call, i: number): number {
  return writeEntry(call, i, TYPE_STREAM);
}

/**
 * As {@linkcode readStream}, for a command that counts as a read of the key and
 * yet changes its groups.
 */
export function readStreamToChange(call: Call, i: number): number {
  const key = call.key(i);
  const space = call.keyspace(key);
  const ref = space.lookupRead(call.db, key, call.nowMs);
  return checkStreamToChange(call, i, ref);
}

/** The same of an entry that has been looked up already, or 0. */
export function checkStreamToChange(
  call: Call,
  i: number,
  ref: number,
): number {
  if (ref === 0) return 0;
  const space = call.keyspace(call.key(i));
  if (space.type(ref) !== TYPE_STREAM) {
    call.reply.error(WRONG_TYPE);
    return WRONG;
  }
  if (space.hasReaders(ref)) unshareValue(space, ref);
  return ref;
}

/** The group whose name is argument `i` of a stream of key `keyIndex`, or 0. */
export function groupOf(
  call: Call,
  keyIndex: number,
  ref: number,
  i: number,
): number {
  const { args } = call;
  return streamsOf(call, keyIndex).findGroup(
    ref,
    args.source(i),
    args.off[i]!,
    args.length[i]!,
  );
}

/**
 * The group of argument 2 of the stream `ref`, which is that of argument 1 as
 * its reader has found it; 0 after an error reply.
 */
export function groupToUse(call: Call, ref: number): number {
  if (ref === WRONG) return 0;
  const group = ref === 0 ? 0 : groupOf(call, 0, ref, 2);
  if (group === 0) {
    const { args } = call;
    call.reply.error(noKeyOrGroup(args.view(1), args.view(2)));
  }
  return group;
}

/** The consumer of a group whose name is argument `i`, or 0. */
export function consumerOf(
  args: Arguments,
  { values: { streams } }: Keyspace,
  group: number,
  i: number,
): number {
  const off = args.off[i]!;
  const length = args.length[i]!;
  return streams.groups.findConsumer(group, args.source(i), off, length);
}

/** Makes that consumer, and counts it as a change; may throw OutOfMemory. */
export function addConsumer(
  { args, db, clockMs, staged }: Pick<
    Output,
    "args" | "db" | "clockMs" | "staged"
  >,
  { space, key }: ChangePlace,
  group: number,
  i: number,
): number {
  const consumer = space.values.streams.groups.addConsumer(
    group,
    args.source(i),
    args.off[i]!,
    args.length[i]!,
    clockMs,
    staged?.takeName(i) ?? 0,
  );
  space.hooks.changed(db, key, XGROUP_CREATECONSUMER);
  return consumer;
}

/**
 * Begins a stream that takes what a command removes and has no time to free; 0
 * if there is no memory for it. The command ends with `dropValue`.
 */
export function beginSpare(space: Keyspace): number {
  try {
    return space.begun.begin(TYPE_STREAM);
  } catch (cause) {
    if (cause instanceof OutOfMemory) return 0;
    throw cause;
  }
}

/**
 * Values that go to another key: what RENAME, MOVE and COPY have in common.
 *
 * Source and target may lie in any two shards and databases; the latches of
 * both shards are held. `existing` is the target's entry, or 0: what it held is
 * freed.
 *
 * @module
 */

import { NODE_KEY } from "../memory/node.ts";
import {
  HAS_FIELD_EXPIRES,
  STRING_EXTERNAL,
  TYPE_STRING,
} from "../types/entry.ts";
import { fieldsExpire, setFieldExpires } from "./field_expires.ts";
import type { Key } from "./key.ts";
import { NEW } from "./key_events.ts";
import type { Keyspace } from "./keyspace.ts";
import { fieldExpiresAt } from "./shard_control.ts";
import { unshareValue } from "./shared_value.ts";
import { keepOld } from "./snapshot_marks.ts";

/**
 * Moves an entry's value, expire and access clock to another key; the source
 * entry is gone afterwards. Inside a shard a value only changes hands; into
 * another shard, whose heap it must lie in, it is copied.
 */
export function moveEntry(
  source: Keyspace,
  db: number,
  ref: number,
  target: Keyspace,
  targetDb: number,
  key: Key,
  existing: number,
): void {
  const clock = source.clockOf(ref);
  const type = source.type(ref);
  let made = 0;
  if (source === target && type !== TYPE_STRING) {
    const expireAtMs = source.expireAt(ref);
    made = target.create(targetDb, key, type, existing, expireAtMs);
    if (fieldsExpire(source, ref)) {
      setFieldExpires(target, targetDb, made, true);
    }
    if (source.hasReaders(ref)) unshareValue(source, ref);
    const kind = source.kind(ref);
    target.giveValue(made, kind, source.takeValue(ref));
  } else made = copyEntry(source, ref, target, targetDb, key, existing);
  target.setClock(made, clock);
  source.delete(db, ref);
}

/**
 * Moves an entry to another database of its shard, in which the key is not. Throws
 * OutOfMemory before anything is changed.
 */
export function moveToDatabase(
  space: Keyspace,
  db: number,
  ref: number,
  targetDb: number,
  key: Key,
): void {
  const { control, dict } = space;
  keepOld(space, db, ref);
  if (space.hasReaders(ref)) unshareValue(space, ref);
  const hasFields = fieldsExpire(space, ref);
  const fields = fieldExpiresAt(targetDb);
  if (hasFields) dict.insert(control, fields, ref, key.hash);
  try {
    space.attach(targetDb, ref, key.hash);
  } catch (cause) {
    if (hasFields) dict.remove(control, fields, ref, key.hash);
    throw cause;
  }
  space.detach(db, ref);
  if (hasFields) {
    const keyWord = space.word(ref, NODE_KEY);
    space.setWord(ref, NODE_KEY, keyWord | HAS_FIELD_EXPIRES);
  }
  space.hooks.signal(targetDb, key, NEW);
}

/** Copies an entry's value and expire to another key; returns its entry. */
export function copyEntry(
  source: Keyspace,
  ref: number,
  target: Keyspace,
  targetDb: number,
  key: Key,
  existing: number,
): number {
  const type = source.type(ref);
  if (type === TYPE_STRING) {
    return copyString(source, ref, target, targetDb, key, existing);
  }
  const begun = target.begun.begin(type);
  target.values.of(type).copyFrom(source.values.of(type), ref, begun);
  const expireAtMs = source.expireAt(ref);
  const made = target.begun.store(targetDb, key, existing, expireAtMs);
  if (fieldsExpire(source, ref)) {
    setFieldExpires(target, targetDb, made, true);
  }
  return made;
}

/**
 * A string in a run of its own is shared until one of the two is changed, so
 * no copy takes long.
 */
function copyString(
  source: Keyspace,
  ref: number,
  target: Keyspace,
  targetDb: number,
  key: Key,
  existing: number,
): number {
  const expireAtMs = source.expireAt(ref);
  const encoding = source.encoding(ref);
  if (encoding === STRING_EXTERNAL) {
    const run = source.valueRef(ref);
    source.externals.pin(run);
    return target.strings.setExternal(targetDb, key, existing, run, expireAtMs);
  }
  return target.strings.set(
    targetDb,
    key,
    existing,
    source.bytes(ref),
    source.strings.off(ref),
    source.strings.length(ref),
    encoding,
    expireAtMs,
  );
}

/**
 * Fields of hashes that expire, as the keyspace sees them: who has some, and
 * what their active expiry removes.
 *
 * A database has a dictionary of the hashes with fields that expire. The owner
 * of the shard goes through it as it goes through that of keys
 * (expire_cycle.ts), and removes the expired fields of each hash, which knows in
 * its turn which they are. A large hash whose fields all expire at once is
 * emptied over many slices.
 *
 * @module
 */

import { DICT_USER } from "../memory/dict.ts";
import { NODE_KEY } from "../memory/node.ts";
import { HAS_FIELD_EXPIRES } from "../types/entry.ts";
import { EXPIRED_SUBKEYS } from "./counters.ts";
import type { CycleSlice } from "./expire_cycle.ts";
import { DEL, HEXPIRED } from "./key_events.ts";
import type { Keyspace } from "./keyspace.ts";
import type { EffectLog } from "./effect_log.ts";
import { fieldExpiresAt } from "./shard_control.ts";
import { isLocked } from "./locking.ts";
import { isSaving, keepOld, SAVED_AT_ONCE } from "./snapshot_marks.ts";
import { isShared } from "./shared_value.ts";

/** Hashes looked at and fields removed after which a slice ends. */
const SLICE_ENTRIES = 64;
/** Positions after which a slice ends: a dictionary may be nearly empty. */
const SLICE_POSITIONS = 64;

/** Whether fields of the hash have an expire. */
export function fieldsExpire(space: Keyspace, ref: number): boolean {
  return (space.word(ref, NODE_KEY) & HAS_FIELD_EXPIRES) !== 0;
}

/**
 * Says whether fields of the hash have an expire, so that its database's
 * dictionary has it or not. May throw OutOfMemory.
 */
export function setFieldExpires(
  space: Keyspace,
  db: number,
  ref: number,
  has: boolean,
): void {
  const keyWord = space.word(ref, NODE_KEY);
  if (((keyWord & HAS_FIELD_EXPIRES) !== 0) === has) return;
  const header = fieldExpiresAt(db);
  const hash = space.hashOf(ref);
  if (has) space.dict.insert(space.control, header, ref, hash);
  else space.dict.remove(space.control, header, ref, hash);
  space.setWord(ref, NODE_KEY, keyWord ^ HAS_FIELD_EXPIRES);
}

/**
 * Begins the record of a field of a hash that is removed because it has expired;
 * its name must follow.
 */
export function recordFieldOf(
  effects: EffectLog,
  space: Keyspace,
  db: number,
  ref: number,
): EffectLog {
  return effects.fieldDeletion(
    db,
    space.bytes(ref),
    space.keyOff(ref),
    space.keyLength(ref),
  );
}

/**
 * Ends a change that may have removed fields or expires of a hash: an empty one
 * is deleted, and whether fields still expire is noted. Says whether the hash is
 * there.
 */
export function endHash(space: Keyspace, db: number, ref: number): boolean {
  if (space.length(ref) === 0) {
    space.hooks.signalEntry(db, ref, DEL);
    space.delete(db, ref);
    return false;
  }
  if (fieldsExpire(space, ref) && !space.values.hashes.hasExpires(ref)) {
    setFieldExpires(space, db, ref, false);
  }
  return true;
}

/**
 * Removes up to `budget` fields that have expired, and has each recorded, but none
 * of a hash that somebody reads; returns how many. The hash may be deleted then.
 */
export function expireFields(
  space: Keyspace,
  db: number,
  ref: number,
  nowMs: number,
  budget: number,
): number {
  keepOld(space, db, ref);
  // Who has just noted the hash as a whole reads it as it is.
  if (isShared(space, ref)) return 0;
  const { effects, heap } = space;
  const removed = space.values.hashes.removeExpired(
    ref,
    nowMs,
    budget,
    !effects?.isOn ? null : {
      field: ({ buf, off, length }) =>
        recordFieldOf(effects, space, db, ref).lasting(heap, buf, off, length),
    },
  );
  if (removed > 0) space.hooks.signalEntry(db, ref, HEXPIRED);
  endHash(space, db, ref);
  return removed;
}

/** Removes expired fields; what one slice saw. */
export class FieldExpireSlice implements CycleSlice {
  /** Hashes looked at, and fields removed. */
  examined = 0;
  /** Fields removed. */
  expired = 0;
  readonly #counters: Float64Array;
  readonly #refs: number[] = [];
  readonly #collect = (ref: number): void => {
    this.#refs.push(ref);
  };

  /** `counters` are the worker's. */
  constructor(counters: Float64Array) {
    this.#counters = counters;
  }

  /** Index of the header of the dictionary that it goes through. */
  header(db: number): number {
    return fieldExpiresAt(db);
  }

  /**
   * Looks at the next hashes of a database with fields that expire, and removes
   * those whose time has come. The caller holds the shard's latch.
   */
  run(space: Keyspace, db: number, nowMs: number): void {
    const { control, dict } = space;
    const header = this.header(db);
    this.examined = 0;
    this.expired = 0;
    let position = control[header + DICT_USER]!;
    for (
      let visited = 0;
      visited < SLICE_POSITIONS && this.examined < SLICE_ENTRIES;
      visited++
    ) {
      this.#refs.length = 0;
      const next = dict.scan(control, header, position, this.#collect);
      // A hash with more expired fields than a slice may remove keeps the
      // position, which is visited again.
      if (!this.#expire(space, db, nowMs)) break;
      position = next;
      if (position === 0) break;
    }
    control[header + DICT_USER] = position;
    const counters = this.#counters;
    counters[EXPIRED_SUBKEYS] = counters[EXPIRED_SUBKEYS]! + this.expired;
    if (this.expired > 0) space.hooks.noteChange(this.expired);
  }

  /** Removes what is due in the collected hashes; false if that is too much. */
  #expire(space: Keyspace, db: number, nowMs: number): boolean {
    const { hashes } = space.values;
    const most = isSaving(space) ? SAVED_AT_ONCE : Infinity;
    let changed = 0;
    for (const ref of this.#refs) {
      this.examined++;
      // Replies that are still being written read the hash as it was.
      if (
        hashes.expiresFrom(ref) > nowMs || isShared(space, ref) ||
        isLocked(space, db, ref)
      ) continue;
      const budget = SLICE_ENTRIES - this.expired;
      const removed = expireFields(space, db, ref, nowMs, budget);
      this.expired += removed;
      this.examined += removed;
      if (removed > 0) changed++;
      if (removed === budget || changed === most) return false;
    }
    return true;
  }
}

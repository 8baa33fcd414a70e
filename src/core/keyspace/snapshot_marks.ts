/**
 * What a snapshot leaves in a shard, so that it is a picture of one instant
 * although commands go on.
 *
 * An entry carries one bit, its *epoch*, and so does the shard. The *cut* flips
 * the shard's under all latches: from then on an entry of the other epoch is
 * *old*, to be saved as it is, and what is made later is of the shard's epoch at
 * once. Old entries are saved by two sorts of workers, whoever comes first:
 * the owner of the shard, who walks through its dictionaries a slice at a time,
 * and whoever is about to change or delete one ({@linkcode keepOld}).
 * To save an entry gives it the shard's epoch. When the walk is over no entry is
 * old, so the next snapshot can flip again.
 *
 * ```text
 * header of a database's keys, words for the user:
 *   [ number at the cut + 1, or 0 ][ position of the walk ][ 1 when walked ]
 * ```
 * SWAPDB and the emptying of a database (reclaim.ts) exchange whole headers, so
 * these words go along: an entry is saved under the number that its database had
 * at the cut, wherever it is now, detached ones included.
 *
 * A walk is one of {@linkcode Dict.scan}: what is there from beginning to end
 * is met, and what is not has been saved when it went.
 *
 * @module
 */

import { DICT_BUCKETS, DICT_COUNT, DICT_USER } from "../memory/dict.ts";
import { NODE_META } from "../memory/node.ts";
import { EPOCH_BIT, TYPE_STRING } from "../types/entry.ts";
import type { Key } from "./key.ts";
import type { Keyspace } from "./keyspace.ts";
import {
  FLAG_SNAPSHOT,
  HOOK_OLD_VALUES,
  HOOK_SNAPSHOT,
  keysAt,
  SHARD_EPOCH,
  SHARD_FLAGS,
  SHARD_HOOKS,
} from "./shard_control.ts";

const ORIGIN = DICT_USER;
const POSITION = DICT_USER + 1;
const IS_WALKED = DICT_USER + 2;

/** Entries that are saved before they change, or go, in one hold at most. */
export const SAVED_AT_ONCE = 4;
/** Units of a string that is small: two kilobytes. */
const SMALL_UNITS = 256;

/** Takes entries that a snapshot has to have. */
export interface EntrySaver {
  /**
   * Serialises an entry as it is now; it may change or go when this returns.
   * `db` is the database in which the snapshot has it. The shard's latch is
   * held.
   */
  save(space: Keyspace, db: number, ref: number): void;
}

/** Somebody wants to know what entries were before they change. */
const HOOKS_KEEP = HOOK_SNAPSHOT | HOOK_OLD_VALUES;

/**
 * To be called before an entry changes or goes: hands it to the snapshot that is
 * under way, if there is one that has not saved it yet, and to those who keep old
 * values (old_values.ts).
 */
export function keepOld(space: Keyspace, db: number, ref: number): void {
  const { control } = space;
  const hooks = control[SHARD_HOOKS]!;
  if ((hooks & HOOKS_KEEP) === 0) return;
  if ((hooks & HOOK_OLD_VALUES) !== 0) space.hooks.oldValues.noteEntry(db, ref);
  if ((hooks & HOOK_SNAPSHOT) === 0) return;
  const meta = space.meta(ref);
  if ((meta & EPOCH_BIT) === control[SHARD_EPOCH]) return;
  space.setWord(ref, NODE_META, meta ^ EPOCH_BIT);
  const origin = originOf(control, db);
  if (origin >= 0) space.saver!.save(space, origin, ref);
}

/** The number that a database had at the cut, or -1. */
export function originOf(control: Int32Array, db: number): number {
  return control[keysAt(db) + ORIGIN]! - 1;
}

/** As {@linkcode keepOld}, for what a key has, if anything, in any database. */
export function keepOldOf(space: Keyspace, key: Key): void {
  const hooks = space.control[SHARD_HOOKS]!;
  if ((hooks & HOOKS_KEEP) === 0) return;
  if ((hooks & HOOK_OLD_VALUES) !== 0) space.hooks.oldValues.noteKey(key);
  if ((hooks & HOOK_SNAPSHOT) === 0) return;
  for (let db = 0; db < space.databases; db++) {
    if (space.count(db) === 0) continue;
    const ref = space.peek(db, key);
    if (ref !== 0) keepOld(space, db, ref);
  }
}

/** Keys of a shard at the cut, by database. */
export interface CutCounts {
  /** Keys. */
  readonly keys: number[];
  /** Keys with an expire. */
  readonly expires: number[];
  /** Hashes with fields that expire. */
  fieldExpires: number;
}

/**
 * The cut of one shard, whose counts are added to `counts`; the latches of all
 * shards are held.
 */
export function cutShard(space: Keyspace, counts: CutCounts): void {
  const { control, databases } = space;
  for (let db = 0; db < 2 * databases; db++) {
    const header = keysAt(db);
    control[header + ORIGIN] = db < databases ? db + 1 : 0;
    control[header + POSITION] = 0;
    control[header + IS_WALKED] = 0;
    if (db >= databases) continue;
    counts.keys[db] = (counts.keys[db] ?? 0) + space.count(db);
    counts.expires[db] = (counts.expires[db] ?? 0) + space.expiresCount(db);
    counts.fieldExpires += space.fieldExpiresCount(db);
  }
  control[SHARD_EPOCH] = control[SHARD_EPOCH]! ^ EPOCH_BIT;
  control[SHARD_HOOKS]! |= HOOK_SNAPSHOT;
  control[SHARD_FLAGS]! |= FLAG_SNAPSHOT;
}

/** The entry of a key that the snapshot under way has to save yet, or 0. */
export function oldEntry(space: Keyspace, db: number, key: Key): number {
  if (!isSaving(space)) return 0;
  const ref = space.peek(db, key);
  return ref !== 0 && isOld(space, ref) ? ref : 0;
}

function isOld(space: Keyspace, ref: number): boolean {
  return (space.meta(ref) & EPOCH_BIT) !== space.control[SHARD_EPOCH];
}

/** Whether an entry is saved so fast that two dozen of them are. */
function isSmall(space: Keyspace, ref: number): boolean {
  return space.type(ref) === TYPE_STRING &&
    space.heap.unitsOf(ref) <= SMALL_UNITS;
}

/** Whether a snapshot has to have what changes, which takes longer then. */
export function isSaving({ control }: Keyspace): boolean {
  return (control[SHARD_HOOKS]! & HOOK_SNAPSHOT) !== 0;
}

/** Ends the snapshot in a shard, which was walked; its latch is held. */
export function endCut(space: Keyspace): void {
  space.control[SHARD_HOOKS]! &= ~HOOK_SNAPSHOT;
  space.control[SHARD_FLAGS]! &= ~FLAG_SNAPSHOT;
}

/**
 * Goes on with the walk through a shard until `isOver` says so, which is asked
 * after every position, and within one before the next entry when some have taken
 * longer to save; says whether the shard is walked. Its latch is held. `reserve` is
 * called with each entry before it is saved.
 */
export function walkShard(
  space: Keyspace,
  isOver: () => boolean,
  reserve: (db: number, ref: number) => void,
): boolean {
  const { control, databases, dict } = space;
  let db = 0;
  let mustLook = false;
  // A position that was left is visited again: what is saved is not old any more.
  let isLeft = false;
  const keep = (ref: number): void => {
    if (isLeft || !isOld(space, ref)) return;
    if (mustLook && isOver()) {
      isLeft = true;
      return;
    }
    mustLook = !isSmall(space, ref);
    reserve(db, ref);
    keepOld(space, db, ref);
  };
  for (; db < 2 * databases; db++) {
    const header = keysAt(db);
    if (control[header + ORIGIN] === 0 || control[header + IS_WALKED] !== 0) {
      continue;
    }
    while (
      control[header + DICT_BUCKETS] !== 0 && control[header + DICT_COUNT] !== 0
    ) {
      const next = dict.scan(
        control,
        header,
        control[header + POSITION]!,
        keep,
      );
      if (isLeft) return false;
      control[header + POSITION] = next;
      if (next === 0) break;
      if (isOver()) return false;
    }
    control[header + IS_WALKED] = 1;
  }
  return true;
}

/**
 * Long names that are known to be equal to others before anybody holds a latch:
 * those of the notes about keys that are watched, waited for, locked or tracked,
 * which are looked for by whoever changes such a key.
 *
 * @module
 */

import type { Key } from "./key.ts";
import { KeyNotes } from "./key_notes.ts";
import type { Keyspace } from "./keyspace.ts";
import {
  SHARD_FLAGS,
  SHARD_HOOKS,
  SHARD_LOCKS,
  SHARD_TRACKED,
  SHARD_WAITERS,
  SHARD_WATCHED,
} from "./shard_control.ts";
import { TRACKED_QUALIFIER } from "./tracked_keys.ts";

/**
 * Visits the runs in which the names of notes lie that may be a long one, and
 * where they begin in their segments. The shard's latch is held.
 */
export function visitNotedNames(
  { arena, control, dict, heap }: Keyspace,
  db: number,
  { length, hash }: Key,
  visit: (run: number, off: number) => void,
): void {
  if ((control[SHARD_HOOKS]! | control[SHARD_FLAGS]!) === 0) return;
  for (const header of [SHARD_WATCHED, SHARD_WAITERS, SHARD_LOCKS]) {
    new KeyNotes(arena, heap, dict, control, header)
      .visitLike(db, length, hash, (_node, run, off) => visit(run, off));
  }
  new KeyNotes(arena, heap, dict, control, SHARD_TRACKED)
    .visitLike(
      TRACKED_QUALIFIER,
      length,
      hash,
      (_node, run, off) => visit(run, off),
    );
}

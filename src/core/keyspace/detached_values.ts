/**
 * Values of many allocations, which are not freed at once: their entries have
 * left the database and wait in a chain of the shard, whose owner frees them a
 * slice at a time (reclaim.ts).
 *
 * The chain goes through the word of the hash.
 *
 * @module
 */

import { NODE_HASH } from "../memory/node.ts";
import { TYPE_STRING } from "../types/entry.ts";
import type { Keyspace } from "./keyspace.ts";
import { SHARD_DETACHED, SHARD_DETACHED_COUNT } from "./shard_control.ts";

/** Values of more allocations are put aside. */
const WEIGHT_MAX = 64;

/** Whether an entry's value is not to be freed at once, or not yet. */
export function isHeavy(space: Keyspace, ref: number): boolean {
  const type = space.type(ref);
  if (type === TYPE_STRING) return false;
  return space.hasReaders(ref) ||
    space.values.of(type).weight(ref) > WEIGHT_MAX;
}

/** Puts a detached entry aside, to be freed later. */
export function putAside(space: Keyspace, ref: number): void {
  const { control } = space;
  space.setWord(ref, NODE_HASH, control[SHARD_DETACHED]!);
  control[SHARD_DETACHED] = ref;
  control[SHARD_DETACHED_COUNT]!++;
}

/** Entries that were put aside because their values are large. */
export function detachedValues(space: Keyspace): number {
  return space.control[SHARD_DETACHED_COUNT]!;
}

/**
 * Frees about `budget` allocations of what was put aside; says whether nothing
 * is left.
 */
export function freeDetached(space: Keyspace, budget: number): boolean {
  const { control } = space;
  const ref = control[SHARD_DETACHED]!;
  if (ref === 0) return true;
  if (space.values.of(space.type(ref)).freeSlice(ref, budget)) {
    control[SHARD_DETACHED] = space.word(ref, NODE_HASH);
    control[SHARD_DETACHED_COUNT]!--;
    space.heap.free(ref);
  }
  return control[SHARD_DETACHED] === 0;
}

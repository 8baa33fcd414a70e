/**
 * Values that replies are still read from.
 *
 * The reply of a large collection is written while the peer takes it, long
 * after its command has run; until then the value must stay as it was. So the
 * command shares it: a *reading* is an entry outside of all dictionaries with
 * the same root.
 *
 * ```text
 * word 0  type and encoding     word 1  1 if the value is left to the readers
 * word 2  root                  word 3  next reading of the shard
 * word 4  readers            word 5  1 if a copy is being made for the key
 * word 6  reading before it in the shard
 * ```
 *
 * While a key and a reading have the same root, nobody changes the value: who
 * wants to write gives the key a copy first ({@linkcode unshareValue}), and who
 * deletes the key leaves the value to the readers. The last reader frees it
 * then. A bit of the entry says that there may be a reading; it may be stale.
 *
 * So a reader pays nothing but its piece at a time, and a writer that comes in
 * between pays for a copy, which is about what a reply in one piece costs.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { NODE_HASH, NODE_KEY, NODE_META, NODE_VALUE } from "../memory/node.ts";
import { HAS_READERS, KIND_MASK } from "../types/entry.ts";
import type { Keyspace } from "./keyspace.ts";
import { SHARD_READINGS } from "./shard_control.ts";

const IS_LEFT = NODE_KEY;
const NEXT = NODE_HASH;
const READERS = 4;
const IS_COPIED = 5;
const PREVIOUS = 6;
const READING_UNITS = 4;

/**
 * Adds a reader of an entry's value, which is no string; returns the reading,
 * which type objects take as an entry. May throw OutOfMemory.
 */
export function shareValue(space: Keyspace, ref: number): number {
  const known = findReading(space, ref);
  if (known !== 0) {
    space.setWord(known, READERS, space.word(known, READERS) + 1);
    return known;
  }
  const reading = space.heap.allocate(READING_UNITS);
  space.setWord(reading, NODE_META, space.meta(ref) & KIND_MASK);
  space.setWord(reading, IS_LEFT, 0);
  space.setWord(reading, NODE_VALUE, space.valueRef(ref));
  const next = space.control[SHARD_READINGS]!;
  space.setWord(reading, NEXT, next);
  space.setWord(reading, PREVIOUS, 0);
  if (next !== 0) space.setWord(next, PREVIOUS, reading);
  space.setWord(reading, READERS, 1);
  space.setWord(reading, IS_COPIED, 0);
  space.control[SHARD_READINGS] = reading;
  space.setWord(ref, NODE_KEY, space.word(ref, NODE_KEY) | HAS_READERS);
  return reading;
}

/** Drops a reader; the last one frees a value that no key has any more. */
export function releaseValue(space: Keyspace, reading: number): void {
  const readers = space.word(reading, READERS) - 1;
  space.setWord(reading, READERS, readers);
  if (readers > 0) return;
  unlink(space, reading);
  if (space.word(reading, IS_LEFT) !== 0) {
    space.setWord(reading, NODE_KEY, 0);
    space.freeEntry(reading);
  } else space.heap.free(reading);
}

/**
 * Makes the value of an entry its own, so that it can be changed: the readers,
 * if there still are some, keep the old one. May throw OutOfMemory.
 */
export function unshareValue(space: Keyspace, ref: number): void {
  const reading = findReading(space, ref);
  if (reading === 0) return clearFlag(space, ref);
  const type = space.type(ref);
  const values = space.values.of(type);
  const begun = space.begun.begin(type);
  values.copyFrom(values, ref, begun);
  leaveToReaders(space, ref, reading);
  space.giveValue(ref, space.kind(begun), space.takeValue(begun));
  space.begun.drop();
}

/**
 * As {@linkcode unshareValue}, with a copy that is there already: the value of
 * `copy`, an entry of the same shard that no key has, and that is freed.
 */
export function unshareWith(space: Keyspace, ref: number, copy: number): void {
  const reading = findReading(space, ref);
  assert(reading !== 0, "a value that is copied is shared");
  leaveToReaders(space, ref, reading);
  space.giveValue(ref, space.kind(copy), space.takeValue(copy));
  space.freeEntry(copy);
}

/** Says whether a copy of the value of a reading is being made for its key. */
export function setCopied(
  space: Keyspace,
  reading: number,
  isCopied: boolean,
): void {
  space.setWord(reading, IS_COPIED, isCopied ? 1 : 0);
}

/** Whether a copy of an entry's value is being made, which its key will get. */
export function isCopied(space: Keyspace, ref: number): boolean {
  const reading = findReading(space, ref);
  return reading !== 0 && space.word(reading, IS_COPIED) !== 0;
}

/** Whether a reply still reads an entry's value. */
export function isShared(space: Keyspace, ref: number): boolean {
  if (findReading(space, ref) !== 0) return true;
  if (space.hasReaders(ref)) clearFlag(space, ref);
  return false;
}

/** Takes the value from an entry that is to be freed, if it has readers. */
export function leaveValue(space: Keyspace, ref: number): void {
  const reading = findReading(space, ref);
  if (reading !== 0) leaveToReaders(space, ref, reading);
  else clearFlag(space, ref);
}

function leaveToReaders(space: Keyspace, ref: number, reading: number): void {
  space.setWord(reading, IS_LEFT, 1);
  space.takeValue(ref);
  clearFlag(space, ref);
}

/** The reading of the value that an entry has, or 0. */
function findReading(space: Keyspace, ref: number): number {
  if (!space.hasReaders(ref)) return 0;
  const root = space.valueRef(ref);
  let reading = space.control[SHARD_READINGS]!;
  while (reading !== 0 && space.word(reading, NODE_VALUE) !== root) {
    reading = space.word(reading, NEXT);
  }
  return reading;
}

function unlink(space: Keyspace, reading: number): void {
  const next = space.word(reading, NEXT);
  const previous = space.word(reading, PREVIOUS);
  if (previous === 0) space.control[SHARD_READINGS] = next;
  else space.setWord(previous, NEXT, next);
  if (next !== 0) space.setWord(next, PREVIOUS, previous);
}

function clearFlag(space: Keyspace, ref: number): void {
  space.setWord(ref, NODE_KEY, space.word(ref, NODE_KEY) & ~HAS_READERS);
}

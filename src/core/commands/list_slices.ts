/**
 * Changes of long lists in slices: LTRIM, LREM and LINSERT.
 *
 * @module
 */

import { LINSERT, LREM, LTRIM } from "../keyspace/key_events.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { OutOfMemory } from "../memory/heap.ts";
import { OUT_OF_MEMORY } from "../resp/error_reply.ts";
import type { MatchVisitor, Unseen } from "../types/list_value.ts";
import type { Call, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";

/** Elements removed in one slice. */
const SLICE_ELEMENTS = 10_000;
/** More elements than this are changed in slices. */
export const SLICED_ELEMENTS_MIN = 2 * SLICE_ELEMENTS;

/** Whether a list is so long that a change of all of it is done in slices. */
export function mayTakeLong(
  { canWait, inSlices }: Call,
  space: Keyspace,
  ref: number,
): boolean {
  const { lists } = space.values;
  return canWait && inSlices !== null &&
    lists.length(ref) > SLICED_ELEMENTS_MIN && lists.isLarge(ref);
}

/** Keeps the first index that it is told. */
export class FirstMatch implements MatchVisitor {
  /** The index, or -1. */
  index = -1;

  match(index: number): boolean {
    this.index = index;
    return false;
  }
}

/** Elements at both ends of a list that are removed in slices. */
export class Trimming implements SlicedChange {
  readonly isChange = true;
  readonly #removed: number;
  #before: number;
  #behind: number;

  constructor(before: number, behind: number) {
    this.#removed = before + behind;
    this.#before = before;
    this.#behind = behind;
  }

  step(space: Keyspace, ref: number): boolean {
    const { lists } = space.values;
    const before = Math.min(this.#before, SLICE_ELEMENTS);
    const behind = Math.min(this.#behind, SLICE_ELEMENTS - before);
    lists.removeRange(ref, lists.length(ref) - behind, behind);
    lists.removeRange(ref, 0, before);
    this.#before -= before;
    this.#behind -= behind;
    if (this.#before + this.#behind > 0) return true;
    lists.pack(ref, true);
    return false;
  }

  finish(space: Keyspace, db: number, key: Key): LateReply {
    space.hooks.changed(db, key, LTRIM, this.#removed);
    return (reply) => reply.ok();
  }
}

/** The first elements, or the last ones, that are like a given one. */
export class EqualRemoval implements SlicedChange {
  readonly #text: Uint8Array;
  readonly #most: number;
  readonly #fromTail: boolean;
  readonly #unseen: Unseen;
  #removed = 0;

  constructor(
    text: Uint8Array,
    most: number,
    fromTail: boolean,
    length: number,
  ) {
    this.#text = text;
    this.#most = most;
    this.#fromTail = fromTail;
    this.#unseen = { from: 0, to: length };
  }

  get isChange(): boolean {
    return this.#removed > 0;
  }

  step(space: Keyspace, ref: number): boolean {
    const unseen = this.#unseen;
    this.#removed += space.values.lists.removeSomeEqual(
      ref,
      this.#text,
      this.#most - this.#removed,
      this.#fromTail,
      unseen,
    );
    return this.#removed < this.#most && unseen.from < unseen.to;
  }

  finish(space: Keyspace, db: number, key: Key): LateReply {
    const removed = this.#removed;
    if (removed > 0) {
      const ref = space.peek(db, key);
      const isGone = space.deleteIfEmpty(db, ref);
      if (!isGone) space.values.lists.pack(ref, true);
      space.hooks.changedOrGone(db, key, LREM, isGone, removed);
    }
    return (reply) => reply.integer(removed);
  }
}

/** An element beside the first one that is like a given one. */
export class Insertion implements SlicedChange {
  readonly #pivot: Uint8Array;
  readonly #element: Uint8Array;
  readonly #isAfter: boolean;
  readonly #match = new FirstMatch();
  #from: number;
  #length = 0;
  #hasRoom = true;

  /** `from` elements have been looked at. */
  constructor({ args }: Call, isAfter: boolean, from: number) {
    this.#pivot = args.copy(3);
    this.#element = args.copy(4);
    this.#isAfter = isAfter;
    this.#from = from;
  }

  /** Where the given one was found, or -1. */
  get found(): number {
    return this.#match.index;
  }

  get isChange(): boolean {
    return this.#length > 0;
  }

  /** Looks through all that is left, and inserts nothing. */
  runAtOnce(space: Keyspace, ref: number): void {
    while (this.#search(space, ref));
  }

  step(space: Keyspace, ref: number): boolean {
    if (this.#search(space, ref)) return true;
    if (this.found < 0) return false;
    const { lists } = space.values;
    const element = this.#element;
    const { length } = element;
    try {
      lists.prepare(ref, length, 1, false);
      const index = this.found + (this.#isAfter ? 1 : 0);
      lists.insert(ref, index, element, 0, length);
      this.#length = lists.length(ref);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      this.#hasRoom = false;
    }
    return false;
  }

  /** Says whether there is more to look through. */
  #search(space: Keyspace, ref: number): boolean {
    const { lists } = space.values;
    const match = this.#match;
    this.#from = lists.searchSome(ref, this.#from, this.#pivot, match);
    return match.index < 0 && this.#from < lists.length(ref);
  }

  finish(space: Keyspace, db: number, key: Key): LateReply {
    if (!this.#hasRoom) return (reply) => reply.error(OUT_OF_MEMORY);
    const length = this.#length;
    if (length > 0) space.hooks.changed(db, key, LINSERT);
    return (reply) => reply.integer(length > 0 ? length : -1);
  }
}

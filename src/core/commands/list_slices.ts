/**
 * Changes of lists, in slices: many elements added; in long ones, elements looked
 * for, removed, trimmed.
 *
 * @module
 */

import { LINSERT, LPUSH, LREM, LTRIM, RPUSH } from "../keyspace/key_events.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arguments } from "../resp/arguments.ts";
import { TYPE_LIST } from "../types/entry.ts";
import {
  ElementSearch,
  EqualRemoval,
  type ListValue,
  type MatchVisitor,
} from "../types/list_value.ts";
import { PACKED_BYTES_MAX } from "../types/packed_limits.ts";
import { ArgumentAddition } from "./argument_addition.ts";
import type { Call, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import { endListWrite, pushArgument, takeRun } from "./list_entry.ts";
import { bytesFrom } from "./many_arguments.ts";

/** Elements and nodes that are removed in one slice, at most. */
const SLICE_ELEMENTS = 10_000;
const SLICE_NODES = 500;
/** So many slices are worth being made. */
const SLICES_MIN = 2;
/** Fewer elements are removed at once, even if each has a node of its own. */
const SLICED_ELEMENTS_MIN = SLICES_MIN * SLICE_NODES;
/** Bytes that are looked through in one slice. */
const SLICE_BYTES = 1 << 14;
/** Lists of more elements or nodes are looked through in slices. */
const LONG_ELEMENTS = 10_000;
const LONG_NODES = 32;

/** Whether it takes long to look through a list. */
export function isLong(lists: ListValue, ref: number): boolean {
  return lists.length(ref) > LONG_ELEMENTS || lists.nodes(ref) > LONG_NODES;
}

/** How many elements, of at most so many, a slice may remove. */
export function elementsOfSlice(
  lists: ListValue,
  ref: number,
  most: number,
): number {
  const share = lists.length(ref) / lists.nodes(ref);
  return Math.min(most, Math.ceil(SLICE_NODES * share));
}

/** Whether it takes long to remove so many elements from the ends of a list. */
export function trimsLong(
  lists: ListValue,
  ref: number,
  count: number,
): boolean {
  return count > SLICED_ELEMENTS_MIN &&
    count > elementsOfSlice(lists, ref, SLICE_ELEMENTS) * SLICES_MIN;
}

/** Keeps the first index that it is told. */
export class FirstMatch implements MatchVisitor {
  index = -1;

  match(index: number): boolean {
    this.index = index;
    return false;
  }
}

/** RPUSH, LPUSH and their like: the arguments behind the key are added. */
export class ElementPush extends ArgumentAddition {
  readonly #atHead: boolean;

  constructor(call: Call, atHead: boolean) {
    const event = atHead ? LPUSH : RPUSH;
    super(call, { type: TYPE_LIST, event, from: 2, width: 1 });
    this.#atHead = atHead;
  }

  protected prepare(space: Keyspace, ref: number, args: Arguments): void {
    const bytes = bytesFrom(args, 2, PACKED_BYTES_MAX);
    space.values.lists.prepare(ref, bytes, args.count - 2, this.#atHead);
  }

  protected add(
    space: Keyspace,
    ref: number,
    args: Arguments,
    i: number,
  ): void {
    pushArgument(space, ref, this.#atHead, args, i);
    this.changes++;
  }

  protected override takeBack(space: Keyspace, ref: number): boolean {
    const { lists } = space.values;
    for (; this.changes > 0; this.changes--) lists.drop(ref, this.#atHead);
    return true;
  }

  protected reply(space: Keyspace, ref: number): LateReply {
    const length = space.values.lists.length(ref);
    return (reply) => reply.integer(length);
  }
}

/** LTRIM: elements at both ends that are removed. */
export class Trimming implements SlicedChange {
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
    const most = elementsOfSlice(lists, ref, SLICE_ELEMENTS);
    const before = Math.min(this.#before, most);
    const behind = Math.min(this.#behind, most - before);
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

/** LREM: elements that are the last argument are removed. */
export class Removal implements SlicedChange {
  readonly #most: number;
  readonly #fromTail: boolean;
  readonly #work = new EqualRemoval();

  constructor(most: number, fromTail: boolean, length: number) {
    this.#most = most;
    this.#fromTail = fromTail;
    this.#work.begin(length);
  }

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    return space.values.lists.removeEqualPart(
      ref,
      args.source(3),
      args.off[3]!,
      args.length[3]!,
      this.#most,
      this.#fromTail,
      this.#work,
      SLICE_BYTES,
    );
  }

  finish(space: Keyspace, db: number, key: Key): LateReply {
    const { removed } = this.#work;
    if (removed > 0) {
      const isThere = endListWrite(space, db, space.peek(db, key));
      space.hooks.changedOrGone(db, key, LREM, !isThere, removed);
    }
    return (reply) => reply.integer(removed);
  }
}

/** LINSERT: the pivot is looked for, and the element inserted. */
export class Insertion implements SlicedChange {
  readonly #isAfter: boolean;
  readonly #found = new FirstMatch();
  readonly #work = new ElementSearch();

  constructor(isAfter: boolean) {
    this.#isAfter = isAfter;
  }

  step(space: Keyspace, ref: number, args: Arguments): boolean {
    const { lists } = space.values;
    lists.searchPart(
      ref,
      args.source(3),
      args.off[3]!,
      args.length[3]!,
      this.#work,
      SLICE_BYTES,
      this.#found,
    );
    return this.#found.index < 0 && this.#work.from < lists.length(ref);
  }

  finish(space: Keyspace, db: number, key: Key, args: Arguments): LateReply {
    const { index } = this.#found;
    if (index < 0) return (reply) => reply.integer(-1);
    const ref = space.peek(db, key);
    insertElement(space, ref, index + (this.#isAfter ? 1 : 0), args);
    space.hooks.changed(db, key, LINSERT);
    const length = space.values.lists.length(ref);
    return (reply) => reply.integer(length);
  }
}

/** Inserts the last argument of LINSERT before the element with an index. */
export function insertElement(
  space: Keyspace,
  ref: number,
  index: number,
  args: Arguments,
): void {
  const { lists } = space.values;
  const length = args.length[4]!;
  lists.prepare(ref, length, 1, false);
  const run = takeRun(space, ref, args, 4);
  if (run !== 0) lists.insertRun(ref, index, run, length);
  else lists.insert(ref, index, args.source(4), args.off[4]!, length);
}

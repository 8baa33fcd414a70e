/**
 * What the list commands have in common: the list of a key, elements that are
 * added to it, ranges of it as replies.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import { OutOfMemory } from "../memory/heap.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { TYPE_LIST } from "../types/entry.ts";
import type { ListValue, RunVisitor } from "../types/list_value.ts";
import type { Call } from "./call.ts";
import { type ElementWriter, replyLasting } from "./element_stream.ts";
import { writePackedElements } from "./packed_reply.ts";
import { readEntry, writeEntry } from "./typed_entry.ts";

/** The lists of key `i`'s keyspace. */
export function listsOf(call: Call, i: number): ListValue {
  return call.keyspace(call.key(i)).values.lists;
}

/** As {@linkcode readEntry}, for a list. */
export function readList(call: Call, i: number): number {
  return readEntry(call, i, TYPE_LIST);
}

/** As {@linkcode writeEntry}, for a list. */
export function writeList(call: Call, i: number): number {
  return writeEntry(call, i, TYPE_LIST);
}

/** An empty list for key `i`, which has no entry. */
export function makeList(call: Call, i: number): number {
  const key = call.key(i);
  return call.keyspace(key).create(call.db, key, TYPE_LIST);
}

/**
 * Adds the arguments from `first` on at an end of a list, all, or none if memory
 * is short; returns how many elements there are.
 */
export function pushArguments(
  call: Call,
  lists: ListValue,
  ref: number,
  atHead: boolean,
  first: number,
): number {
  const { args, argc } = call;
  let i = first;
  let length = 0;
  try {
    if (argc - first === 1 && !args.hasBig) {
      const off = args.off[i]!;
      return lists.add(ref, atHead, args.source(i), off, args.length[i]!);
    }
    let bytes = 0;
    for (let j = first; j < argc; j++) bytes += args.length[j]!;
    lists.prepare(ref, bytes, argc - first, atHead);
    const space = call.keyspace(call.key(0));
    for (; i < argc; i++) length = pushArgument(space, ref, atHead, args, i);
    return length;
  } catch (cause) {
    if (!(cause instanceof OutOfMemory)) throw cause;
    for (; i > first; i--) lists.drop(ref, atHead);
    if (lists.length(ref) === 0) lists.free(ref);
    throw cause;
  }
}

/**
 * Adds argument `i` at an end of a list that was prepared; returns how many
 * elements there are. A big one becomes an element where it lies.
 */
export function pushArgument(
  space: Keyspace,
  ref: number,
  atHead: boolean,
  args: Arguments,
  i: number,
): number {
  const { lists } = space.values;
  const length = args.length[i]!;
  const run = takeRun(space, ref, args, i);
  return run === 0
    ? lists.push(ref, atHead, args.source(i), args.off[i]!, length)
    : lists.pushRun(ref, atHead, run, length);
}

/** The run of argument `i` if it becomes an element where it lies, else 0. */
export function takeRun(
  { values: { lists }, externals }: Keyspace,
  ref: number,
  args: Arguments,
  i: number,
): number {
  if (!args.hasBig || !lists.takesRun(ref, args.length[i]!)) return 0;
  const run = args.takeBig(i);
  if (run !== 0) externals.trim(run);
  return run;
}

/**
 * Ends a change that removes elements: an empty list is deleted, a small one
 * packed. Says whether the list is there.
 */
export function endListWrite(
  space: Keyspace,
  db: number,
  ref: number,
): boolean {
  const { lists } = space.values;
  if (lists.length(ref) > 0) {
    lists.pack(ref, true);
    return true;
  }
  space.delete(db, ref);
  return false;
}

/** Writes what lists hand out. */
class ElementReplies implements RunVisitor {
  reply: ReplyWriter | undefined;

  packed(buf: Uint8Array, at: number, count: number): void {
    writePackedElements(this.reply!, buf, at, count);
  }

  plain(buf: Uint8Array, off: number, length: number): void {
    this.reply!.bulk(buf, off, length);
  }
}

const REPLIES = new ElementReplies();

/** Writes elements by their indices. */
export const ELEMENTS: ElementWriter = {
  write(space, ref, from, to, reply, limit) {
    const { lists } = space.values;
    REPLIES.reply = reply;
    let place = from;
    while (place < to && reply.cost < limit) {
      place = lists.visitRun(ref, place, to, REPLIES);
    }
    return place;
  },
};

/** Writes elements, the last one first, by the number of those behind them. */
export const LAST_ELEMENTS: ElementWriter = {
  write(space, ref, from, to, reply, limit) {
    const { lists } = space.values;
    REPLIES.reply = reply;
    const length = lists.length(ref);
    let place = from;
    while (place < to && reply.cost < limit) {
      const end = length - place;
      place = length - lists.visitBackward(ref, end, length - to, REPLIES);
    }
    return place;
  },
};

/** Replies the elements from index `from` to `to`, exclusive, as an array. */
export function replyListRange(
  call: Call,
  space: Keyspace,
  ref: number,
  from: number,
  to: number,
): void {
  call.reply.array(to - from);
  replyLasting(call, space, ref, ELEMENTS, from, to, to - from);
}

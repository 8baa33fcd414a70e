/**
 * What the list commands have in common: the list of a key, elements that are
 * added to it, ranges of it as replies.
 *
 * @module
 */

import type { Key } from "../keyspace/key.ts";
import { LPOP, RPOP } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { OutOfMemory } from "../memory/heap.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { TYPE_LIST } from "../types/entry.ts";
import type { ListValue, RunVisitor } from "../types/list_value.ts";
import type { Call } from "./call.ts";
import {
  type ElementWriter,
  replyElements,
  STREAMED_ELEMENTS_MIN,
} from "./element_stream.ts";
import { writePackedElements } from "./packed_reply.ts";
import { readEntry, writeEntry } from "./typed_entry.ts";

/** Bytes from which on a reply of a few large elements is written in pieces. */
const DIRECT_BYTES_MAX = 1 << 20;

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
    if (argc - first === 1) {
      const off = args.off[i]!;
      return lists.add(ref, atHead, args.source(i), off, args.length[i]!);
    }
    let bytes = 0;
    for (let j = first; j < argc; j++) bytes += args.length[j]!;
    lists.prepare(ref, bytes, argc - first, atHead);
    for (; i < argc; i++) {
      const off = args.off[i]!;
      length = lists.push(ref, atHead, args.source(i), off, args.length[i]!);
    }
    return length;
  } catch (cause) {
    if (!(cause instanceof OutOfMemory)) throw cause;
    for (; i > first; i--) lists.drop(ref, atHead);
    if (lists.length(ref) === 0) lists.free(ref);
    throw cause;
  }
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
const ELEMENTS: ElementWriter = {
  write(space, ref, from, to, reply, limit) {
    const { lists } = space.values;
    REPLIES.reply = reply;
    let place = from;
    while (place < to && reply.at < limit) {
      place = lists.visitRun(ref, place, to, REPLIES);
    }
    return place;
  },
};

/** Writes elements by the number of those behind them. */
const LAST_ELEMENTS: ElementWriter = {
  write(space, ref, from, to, reply, limit) {
    const { lists } = space.values;
    REPLIES.reply = reply;
    const length = lists.length(ref);
    let place = from;
    while (place < to && reply.at < limit) {
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
  writeElements(call, space, ref, ELEMENTS, from, to);
}

/**
 * Replies `count` elements from an end on as an array, and removes them. The
 * list is gone if these were all.
 */
export function replyPopped(
  call: Call,
  key: Key,
  ref: number,
  atHead: boolean,
  count: number,
): void {
  const { reply, db } = call;
  const space = call.keyspace(key);
  const { lists } = space.values;
  const elements = atHead ? ELEMENTS : LAST_ELEMENTS;
  const length = lists.length(ref);
  const from = atHead ? 0 : length - count;
  reply.array(count);
  const start = reply.at;
  try {
    if (count === length) {
      // A reply in pieces keeps the value when the key is gone.
      writeElements(call, space, ref, elements, 0, count);
    } else if (count < STREAMED_ELEMENTS_MIN) {
      elements.write(space, ref, 0, count, reply, Infinity);
    } else {
      const begun = space.begun.begin(TYPE_LIST);
      lists.copyRange(lists, ref, from, count, begun);
      writeElements(call, space, begun, elements, 0, count);
      space.begun.drop();
    }
  } catch (cause) {
    if (!(cause instanceof OutOfMemory)) throw cause;
    // Who takes elements away can do so when memory is short.
    space.begun.drop();
    reply.rewind(start);
    elements.write(space, ref, 0, count, reply, Infinity);
  }
  const isGone = count === length;
  if (isGone) space.delete(db, ref);
  else {
    lists.removeRange(ref, from, count);
    lists.pack(ref, true);
  }
  space.hooks.changedOrGone(db, key, atHead ? LPOP : RPOP, isGone, count);
}

/** Writes elements at once, or, if they are many or large, in pieces. */
function writeElements(
  call: Call,
  space: Keyspace,
  ref: number,
  elements: ElementWriter,
  from: number,
  to: number,
): void {
  const { reply } = call;
  let next = from;
  if (to - from < STREAMED_ELEMENTS_MIN) {
    const limit = reply.at + DIRECT_BYTES_MAX;
    next = elements.write(space, ref, from, to, reply, limit);
  }
  if (next < to) {
    replyElements(call, space, ref, elements, next, to, STREAMED_ELEMENTS_MIN);
  }
}

/**
 * List commands that take elements from an end: to the client, or to another
 * list.
 *
 * @module
 */

import { bytesOf, copyBytes } from "../base/bytes.ts";
import { LPOP, LPUSH, RPOP, RPUSH } from "../keyspace/key_events.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { OutOfMemory } from "../memory/heap.ts";
import {
  SYNTAX_ERROR,
  VALUE_NOT_POSITIVE,
  wrongNumberOfArguments,
} from "../resp/error_reply.ts";
import {
  LONG_STRING_BYTES_MIN,
  type ReplyWriter,
} from "../resp/reply_writer.ts";
import { TYPE_LIST } from "../types/entry.ts";
import type { ListValue } from "../types/list_value.ts";
import { argumentIs, integerAt } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  KEY_RW_ACCESS_DELETE,
  keyAt,
  type LateReply,
  numKeysAt,
} from "./command_spec.ts";
import type { ElementWriter } from "./element_stream.ts";
import { popMany, type ValueEnd } from "./end_pops.ts";
import {
  ELEMENTS,
  endListWrite,
  LAST_ELEMENTS,
  makeList,
  writeList,
} from "./list_entry.ts";
import { elementsOfSlice } from "./list_slices.ts";
import { FIRST_KEY, MANY_POPS, manyPops } from "./many_pops.ts";
import { RECORDED } from "./recorded.ts";
import { WRONG } from "./typed_entry.ts";

export const LEFT: Uint8Array = bytesOf("left");
export const RIGHT: Uint8Array = bytesOf("right");

/** Elements that are taken in a slice, if they share nodes. */
const SLICE_ELEMENTS = 4000;

/** An end of lists. */
class ListEnd implements ValueEnd {
  readonly event: number;
  readonly command: Uint8Array;
  readonly elements: ElementWriter;
  readonly #atHead: boolean;

  constructor(atHead: boolean) {
    this.#atHead = atHead;
    this.event = atHead ? LPOP : RPOP;
    this.command = atHead ? RECORDED.LPOP : RECORDED.RPOP;
    this.elements = atHead ? ELEMENTS : LAST_ELEMENTS;
  }

  place(): number {
    return 0;
  }

  head(reply: ReplyWriter, count: number): void {
    reply.array(count);
  }

  elementsOfSlice({ values: { lists } }: Keyspace, ref: number): number {
    return elementsOfSlice(lists, ref, SLICE_ELEMENTS);
  }

  remove({ values: { lists } }: Keyspace, ref: number, count: number): void {
    const from = this.#atHead ? 0 : lists.length(ref) - count;
    lists.removeRange(ref, from, count);
  }

  settle(space: Keyspace, ref: number): void {
    space.values.lists.pack(ref, true);
  }
}

const HEAD = new ListEnd(true);
const TAIL = new ListEnd(false);

/** Room for an element that moves inside of its list, if it is not larger. */
const MOVED = new Uint8Array(1024);

/** `LPOP key [count]` */
function lpopCommand(call: Call): void | Promise<LateReply> {
  return pop(call, true, "lpop");
}

/** `RPOP key [count]` */
function rpopCommand(call: Call): void | Promise<LateReply> {
  return pop(call, false, "rpop");
}

function pop(
  call: Call,
  atHead: boolean,
  command: string,
): void | Promise<LateReply> {
  const { argc, reply } = call;
  if (argc > 3) return reply.error(wrongNumberOfArguments(command));
  let count = -1;
  if (argc === 3) {
    count = integerAt(call, 2);
    if (!(count >= 0)) return reply.error(VALUE_NOT_POSITIVE);
  }
  const ref = writeList(call, 0);
  if (ref === WRONG) return;
  if (ref === 0) return count < 0 ? reply.nullBulk() : reply.nullArray();
  if (count === 0) return reply.array(0);
  const key = call.key(0);
  if (count < 0) return replyEnd(call, key, ref, atHead);
  return popMany(call, key, ref, atHead ? HEAD : TAIL, count, false);
}

/** Takes the element at an end of a list and replies it; see `endListWrite`. */
function takeEnd(
  call: Call,
  space: Keyspace,
  ref: number,
  atHead: boolean,
): void {
  const { lists } = space.values;
  lists.readEnd(ref, atHead);
  const { buf, off, length } = lists.item;
  call.reply.bulk(buf, off, length);
  lists.drop(ref, atHead);
}

/** Takes the element at an end of a key's list and replies it. */
export function replyEnd(
  call: Call,
  key: Key,
  ref: number,
  atHead: boolean,
): void {
  const space = call.keyspace(key);
  takeEnd(call, space, ref, atHead);
  const isThere = endListWrite(space, call.db, ref);
  space.hooks.changedOrGone(call.db, key, atHead ? LPOP : RPOP, !isThere);
}

/** `LMPOP numkeys key [key ...] LEFT|RIGHT [COUNT count]` */
function lmpopCommand(call: Call): void | Promise<LateReply> {
  if (!MANY_POPS.read(call, 1, LEFT, RIGHT)) return;
  const ref = FIRST_KEY.find(call, TYPE_LIST);
  if (ref === WRONG) return;
  return ref === 0 ? call.reply.nullArray() : popFirst(call, ref);
}

/** Takes elements as it was read from the list that was found. */
export function popFirst(call: Call, ref: number): void | Promise<LateReply> {
  const { isFirst: atHead, count } = MANY_POPS;
  return popMany(call, FIRST_KEY.key, ref, atHead ? HEAD : TAIL, count, true);
}

/** `LMOVE source destination LEFT|RIGHT LEFT|RIGHT` */
function lmoveCommand(call: Call): void {
  const fromHead = argumentIs(call, 3, LEFT);
  const toHead = argumentIs(call, 4, LEFT);
  if (
    !fromHead && !argumentIs(call, 3, RIGHT) ||
    !toHead && !argumentIs(call, 4, RIGHT)
  ) return call.reply.error(SYNTAX_ERROR);
  if (!replyMoved(call, fromHead, toHead)) call.reply.nullBulk();
}

/** `RPOPLPUSH source destination` */
function rpoplpushCommand(call: Call): void {
  if (!replyMoved(call, false, true)) call.reply.nullBulk();
}

/**
 * Moves an element of the first key's list to the second key, and replies it, or
 * an error; false if there is no list. A command that may wait is `recorded`
 * under another name. The element goes to its new place first:
 * only that can fail.
 */
export function replyMoved(
  call: Call,
  fromHead: boolean,
  toHead: boolean,
  recorded: Uint8Array | null = null,
): boolean {
  const { reply } = call;
  const ref = writeList(call, 0);
  if (ref === WRONG) return true;
  if (ref === 0) return false;
  let targetRef = writeList(call, 1);
  if (targetRef === WRONG) return true;
  const space = call.keyspace(call.key(0));
  const target = call.keyspace(call.key(1));
  const isSame = space === target && ref === targetRef;
  const { lists } = space.values;
  lists.readEnd(ref, fromHead);
  const { item } = lists;
  reply.bulk(item.buf, item.off, item.length);
  let isThere = true;
  if (isSame) {
    if (lists.length(ref) > 1) rotate(lists, ref, fromHead, toHead);
    lists.pack(ref, true);
  } else {
    if (targetRef === 0) targetRef = makeList(call, 1);
    moveItem(lists, ref, fromHead, target.values.lists, targetRef, toHead);
    isThere = endListWrite(space, call.db, ref);
  }
  // The events come in the order of what has been done, as in Redis.
  const { db } = call;
  target.hooks.signal(db, call.key(1), toHead ? LPUSH : RPUSH);
  space.hooks.changedOrGone(db, call.key(0), fromHead ? LPOP : RPOP, !isThere);
  if (recorded !== null && call.effects.isOn) recordMove(call, recorded);
  return true;
}

/** Records what has been moved without the last argument, a timeout. */
function recordMove({ effects, args, db }: Call, name: Uint8Array): void {
  effects.replace(db, name, args.count - 1);
  for (let i = 1; i < args.count - 1; i++) effects.argument(args, i);
}

/** Moves the element that a list's item tells of to another list. */
function moveItem(
  source: ListValue,
  ref: number,
  fromHead: boolean,
  target: ListValue,
  targetRef: number,
  toHead: boolean,
): void {
  const { buf, off, length } = source.item;
  try {
    if (
      length >= LONG_STRING_BYTES_MIN &&
      source.moveEnd(ref, fromHead, target, targetRef, toHead, length)
    ) return;
    target.add(targetRef, toHead, buf, off, length);
  } catch (cause) {
    if (cause instanceof OutOfMemory && target.length(targetRef) === 0) {
      target.free(targetRef);
    }
    throw cause;
  }
  source.drop(ref, fromHead);
}

/** Moves the element at one end of a list to the other, or to the same. */
function rotate(
  lists: ListValue,
  ref: number,
  fromHead: boolean,
  toHead: boolean,
): void {
  if (fromHead === toHead) return;
  const { item } = lists;
  const { length } = item;
  if (
    length >= LONG_STRING_BYTES_MIN &&
    lists.moveEnd(ref, fromHead, lists, ref, toHead, length)
  ) return;
  // Its text lies where the list is about to change.
  const text = length <= MOVED.length ? MOVED : new Uint8Array(length);
  copyBytes(item.buf, item.off, text, 0, length);
  lists.prepare(ref, 0, 0, toHead);
  lists.push(ref, toHead, text, 0, length);
  lists.drop(ref, fromHead);
}

/** Rows of the commands in this file. */
export const LIST_POP_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "lmove",
    group: "list",
    since: "6.2.0",
    summary: "Moves an element from an end of a list to an end of another.",
    complexity: "O(1)",
    arity: 5,
    flags: ["write", "denyoom"],
    keys: [keyAt(1, "RW access delete"), keyAt(2, "RW insert")],
    syntax: "source:key destination:key wherefrom:(LEFT|RIGHT) " +
      "whereto:(LEFT|RIGHT)",
    replies: ["string", "null"],
    run: lmoveCommand,
  },
  {
    name: "lmpop",
    group: "list",
    since: "7.0.0",
    summary: "Takes elements from an end of the first list that is there.",
    complexity: "O(N+M)",
    arity: -4,
    flags: ["write"],
    keys: [numKeysAt(1, "RW access delete")],
    syntax: "numkeys:integer key... where:(LEFT|RIGHT) [COUNT count:integer]",
    replies: ["array", "null"],
    ...manyPops(LEFT, RIGHT),
    run: lmpopCommand,
  },
  {
    name: "lpop",
    group: "list",
    since: "1.0.0",
    summary: "Takes the first elements of a list.",
    complexity: "O(N)",
    arity: -2,
    flags: ["write", "fast"],
    keys: KEY_RW_ACCESS_DELETE,
    syntax: "key [count:integer@6.2.0]",
    replies: ["string", "array", "null"],
    run: lpopCommand,
  },
  {
    name: "rpop",
    group: "list",
    since: "1.0.0",
    summary: "Takes the last elements of a list.",
    complexity: "O(N)",
    arity: -2,
    flags: ["write", "fast"],
    keys: KEY_RW_ACCESS_DELETE,
    syntax: "key [count:integer@6.2.0]",
    replies: ["string", "array", "null"],
    run: rpopCommand,
  },
  {
    name: "rpoplpush",
    group: "list",
    since: "1.2.0",
    summary: "Moves the last element of a list before the first of another.",
    complexity: "O(1)",
    arity: 3,
    flags: ["write", "denyoom"],
    keys: [keyAt(1, "RW access delete"), keyAt(2, "RW insert")],
    syntax: "source:key destination:key",
    replies: ["string", "null"],
    docFlags: ["deprecated"],
    deprecatedSince: "6.2.0",
    replacedBy: "`LMOVE` with the `RIGHT` and `LEFT` arguments",
    run: rpoplpushCommand,
  },
];

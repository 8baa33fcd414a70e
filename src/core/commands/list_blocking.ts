/**
 * List commands that wait for an element if there is none.
 *
 * @module
 */

import { WAITS_FOR_LIST } from "../keyspace/waiter_records.ts";
import { SYNTAX_ERROR } from "../resp/error_reply.ts";
import { TYPE_LIST } from "../types/entry.ts";
import { argumentIs } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  keyAt,
  keysFrom,
  type LateReply,
  numKeysAt,
} from "./command_spec.ts";
import { LEFT, popFirst, replyEnd, replyMoved, RIGHT } from "./list_pops.ts";
import {
  FIRST_KEY,
  MANY_HEADS,
  MANY_POPS,
  MANY_TAILS,
  manyListPops,
} from "./many_pops.ts";
import { RECORDED } from "./recorded.ts";
import { WRONG } from "./typed_entry.ts";
import { readWaitSeconds } from "./wait_timeout.ts";

/** `BLPOP key [key ...] timeout` */
function blpopCommand(call: Call): void {
  pop(call, true);
}

/** `BRPOP key [key ...] timeout` */
function brpopCommand(call: Call): void {
  pop(call, false);
}

function pop(call: Call, atHead: boolean): void {
  const waitMs = readWaitSeconds(call, call.argc - 1);
  if (waitMs < 0) return;
  const ref = FIRST_KEY.find(call, TYPE_LIST);
  if (ref === WRONG) return;
  if (ref === 0) return waitForElement(call, waitMs, atHead);
  const { reply, effects, db } = call;
  const { key } = FIRST_KEY;
  reply.array(2);
  reply.bulk(key.buf, key.off, key.length);
  replyEnd(call, key, ref, atHead);
  if (!effects.isOn) return;
  effects.replace(db, atHead ? RECORDED.LPOP : RECORDED.RPOP, 2)
    .bytes(key.buf, key.off, key.length);
}

function waitForElement(call: Call, waitMs: number, atHead: boolean): void {
  const undo = atHead ? "LPUSH" : "RPUSH";
  if (!call.wait(WAITS_FOR_LIST, waitMs, call.keyCount, undo)) {
    call.reply.nullArray();
  }
}

/** `BLMPOP timeout numkeys key [key ...] LEFT|RIGHT [COUNT count]` */
function blmpopCommand(call: Call): void | Promise<LateReply> {
  if (!MANY_POPS.read(call, 2, LEFT, RIGHT)) return;
  const waitMs = readWaitSeconds(call, 1);
  if (waitMs < 0) return;
  const ref = FIRST_KEY.find(call, TYPE_LIST);
  if (ref === WRONG) return;
  if (ref !== 0) return popFirst(call, ref);
  waitForElement(call, waitMs, MANY_POPS.isFirst);
}

/** `BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout` */
function blmoveCommand(call: Call): void {
  const fromHead = argumentIs(call, 3, LEFT);
  const toHead = argumentIs(call, 4, LEFT);
  if (
    !fromHead && !argumentIs(call, 3, RIGHT) ||
    !toHead && !argumentIs(call, 4, RIGHT)
  ) return call.reply.error(SYNTAX_ERROR);
  move(call, fromHead, toHead, RECORDED.LMOVE);
}

/** `BRPOPLPUSH source destination timeout` */
function brpoplpushCommand(call: Call): void {
  move(call, false, true, RECORDED.RPOPLPUSH);
}

/** What has been moved stays moved, even if nobody reads the reply. */
function move(
  call: Call,
  fromHead: boolean,
  toHead: boolean,
  recorded: Uint8Array,
): void {
  const waitMs = readWaitSeconds(call, call.argc - 1);
  if (waitMs < 0 || replyMoved(call, fromHead, toHead, recorded)) return;
  if (!call.wait(WAITS_FOR_LIST, waitMs, 1, "")) call.reply.nullBulk();
}

/** Rows of the commands in this file. */
export const LIST_BLOCKING_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "blmove",
    group: "list",
    since: "6.2.0",
    summary: "Moves an element between the ends of lists, or waits for one.",
    complexity: "O(1)",
    arity: 6,
    flags: ["write", "denyoom", "blocking"],
    keys: [keyAt(1, "RW access delete"), keyAt(2, "RW insert")],
    syntax: "source:key destination:key wherefrom:(LEFT|RIGHT) " +
      "whereto:(LEFT|RIGHT) timeout:double",
    replies: ["string", "null"],
    run: blmoveCommand,
  },
  {
    name: "blmpop",
    group: "list",
    since: "7.0.0",
    summary: "Takes elements from the first list there is, or waits for one.",
    complexity: "O(N+M)",
    arity: -5,
    flags: ["write", "blocking"],
    keys: [numKeysAt(2, "RW access delete")],
    syntax: "timeout:double numkeys:integer key... where:(LEFT|RIGHT) " +
      "[COUNT count:integer]",
    replies: ["array", "null"],
    ...manyListPops(LEFT, RIGHT),
    run: blmpopCommand,
  },
  {
    name: "blpop",
    group: "list",
    since: "2.0.0",
    summary: "Takes the first element of a list, or waits for one.",
    complexity: "O(N)",
    arity: -3,
    flags: ["write", "blocking"],
    keys: [keysFrom(1, -2, "RW access delete")],
    syntax: "key... timeout:double",
    replies: ["array", "null"],
    ...MANY_HEADS,
    run: blpopCommand,
  },
  {
    name: "brpop",
    group: "list",
    since: "2.0.0",
    summary: "Takes the last element of a list, or waits for one.",
    complexity: "O(N)",
    arity: -3,
    flags: ["write", "blocking"],
    keys: [keysFrom(1, -2, "RW access delete")],
    syntax: "key... timeout:double",
    replies: ["array", "null"],
    ...MANY_TAILS,
    run: brpopCommand,
  },
  {
    name: "brpoplpush",
    group: "list",
    since: "2.2.0",
    summary: "Moves the last element before the first of another, or waits.",
    complexity: "O(1)",
    arity: 4,
    flags: ["write", "denyoom", "blocking"],
    keys: [keyAt(1, "RW access delete"), keyAt(2, "RW insert")],
    syntax: "source:key destination:key timeout:double",
    replies: ["string", "null"],
    docFlags: ["deprecated"],
    deprecatedSince: "6.2.0",
    replacedBy: "`BLMOVE` with the `RIGHT` and `LEFT` arguments",
    run: brpoplpushCommand,
  },
];

/**
 * Sorted set commands that take members from an end.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { ZPOPMAX, ZPOPMIN } from "../keyspace/key_events.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { SYNTAX_ERROR, VALUE_NOT_POSITIVE } from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { TYPE_ZSET } from "../types/entry.ts";
import { integerAt } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  KEY_RW_ACCESS_DELETE,
  type LateReply,
  numKeysAt,
} from "./command_spec.ts";
import type { ElementWriter } from "./element_stream.ts";
import { popMany, type ValueEnd } from "./end_pops.ts";
import { FIRST_KEY, MANY_POPS, manyPops } from "./many_pops.ts";
import { RECORDED } from "./recorded.ts";
import {
  DOWNWARDS_PAIRED,
  DOWNWARDS_SCORED,
  replyHead,
  ScoredReplies,
  UPWARDS_PAIRED,
  UPWARDS_SCORED,
} from "./sorted_set_replies.ts";
import { writeEntry, WRONG } from "./typed_entry.ts";

export const MIN: Uint8Array = bytesOf("min");
export const MAX: Uint8Array = bytesOf("max");

/** Members that are taken in a slice. */
const SLICE_MEMBERS = 500;

const REPLIES = new ScoredReplies();

/** An end of sorted sets. */
class MemberEnd implements ValueEnd {
  readonly event: number;
  readonly command: Uint8Array;
  readonly elements: ElementWriter;
  readonly #isMax: boolean;
  /** Whether members come in pairs with their scores in RESP2 as well. */
  readonly #isPaired: boolean;

  constructor(isMax: boolean, isPaired: boolean) {
    this.#isMax = isMax;
    this.#isPaired = isPaired;
    this.event = isMax ? ZPOPMAX : ZPOPMIN;
    this.command = isMax ? RECORDED.ZPOPMAX : RECORDED.ZPOPMIN;
    if (isPaired) this.elements = isMax ? DOWNWARDS_PAIRED : UPWARDS_PAIRED;
    else this.elements = isMax ? DOWNWARDS_SCORED : UPWARDS_SCORED;
  }

  place(space: Keyspace, ref: number): number {
    return this.#isMax ? 1 - space.length(ref) : 0;
  }

  head(reply: ReplyWriter, count: number): void {
    if (this.#isPaired) reply.array(count);
    else replyHead(reply, count, true);
  }

  elementsOfSlice(): number {
    return SLICE_MEMBERS;
  }

  remove({ values: { zsets } }: Keyspace, ref: number, count: number): void {
    const from = this.#isMax ? zsets.length(ref) - count : 0;
    zsets.removeRange(ref, from, from + count);
  }
}

const LEAST = new MemberEnd(false, false);
const GREATEST = new MemberEnd(true, false);
const LEAST_PAIRED = new MemberEnd(false, true);
const GREATEST_PAIRED = new MemberEnd(true, true);

/** `ZPOPMIN key [count]` */
function zpopminCommand(call: Call): void | Promise<LateReply> {
  return pop(call, false);
}

/** `ZPOPMAX key [count]` */
function zpopmaxCommand(call: Call): void | Promise<LateReply> {
  return pop(call, true);
}

function pop(call: Call, isMax: boolean): void | Promise<LateReply> {
  const { argc, reply } = call;
  if (argc > 3) return reply.error(SYNTAX_ERROR);
  const count = argc === 3 ? integerAt(call, 2) : 1;
  if (!(count >= 0)) return reply.error(VALUE_NOT_POSITIVE);
  const ref = writeEntry(call, 0, TYPE_ZSET);
  if (ref === WRONG) return;
  if (ref === 0 || count === 0) return reply.array(0);
  const key = call.key(0);
  if (argc === 3) {
    return popMany(call, key, ref, isMax ? GREATEST : LEAST, count, false);
  }
  // Without a count there is one pair, which is flat in RESP3, too.
  reply.array(2);
  replyEndMember(call, key, ref, isMax);
}

/** Takes the member at an end of a key's set; replies it, and its score. */
export function replyEndMember(
  call: Call,
  key: Key,
  ref: number,
  isMax: boolean,
): void {
  const { reply, db } = call;
  const space = call.keyspace(key);
  const { zsets } = space.values;
  const rank = isMax ? zsets.length(ref) - 1 : 0;
  REPLIES.begin(reply, true);
  REPLIES.isNested = false;
  zsets.visit(ref, rank, 1, isMax, REPLIES);
  const isGone = zsets.length(ref) === 1;
  if (isGone) space.delete(db, ref);
  else zsets.removeRange(ref, rank, rank + 1);
  space.hooks.changedOrGone(db, key, isMax ? ZPOPMAX : ZPOPMIN, isGone);
}

/** `ZMPOP numkeys key [key ...] MIN | MAX [COUNT count]` */
function zmpopCommand(call: Call): void | Promise<LateReply> {
  if (!MANY_POPS.read(call, 1, MAX, MIN)) return;
  const ref = FIRST_KEY.find(call, TYPE_ZSET);
  if (ref === WRONG) return;
  return ref === 0 ? call.reply.nullArray() : popFirst(call, ref);
}

/** Takes members as it was read from the sorted set that was found. */
export function popFirst(call: Call, ref: number): void | Promise<LateReply> {
  const { isFirst: isMax, count } = MANY_POPS;
  const end = isMax ? GREATEST_PAIRED : LEAST_PAIRED;
  return popMany(call, FIRST_KEY.key, ref, end, count, true);
}

/** Rows of the commands in this file. */
export const SORTED_SET_POP_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "zmpop",
    group: "sorted-set",
    since: "7.0.0",
    summary:
      "Removes the first or last members of the first sorted set there is.",
    complexity: "O(K) + O(M*log(N))",
    arity: -4,
    flags: ["write"],
    keys: [numKeysAt(1, "RW access delete")],
    syntax: "numkeys:integer key... where:(MIN|MAX) [COUNT count:integer]",
    replies: ["null", "array"],
    ...manyPops(MAX, MIN),
    run: zmpopCommand,
  },
  {
    name: "zpopmax",
    group: "sorted-set",
    since: "5.0.0",
    summary: "Removes the members of a sorted set with the highest scores.",
    complexity: "O(log(N)*M)",
    arity: -2,
    flags: ["write", "fast"],
    keys: KEY_RW_ACCESS_DELETE,
    syntax: "key [count:integer]",
    replies: ["array"],
    run: zpopmaxCommand,
  },
  {
    name: "zpopmin",
    group: "sorted-set",
    since: "5.0.0",
    summary: "Removes the members of a sorted set with the lowest scores.",
    complexity: "O(log(N)*M)",
    arity: -2,
    flags: ["write", "fast"],
    keys: KEY_RW_ACCESS_DELETE,
    syntax: "key [count:integer]",
    replies: ["array"],
    run: zpopminCommand,
  },
];

/**
 * Sorted set commands that wait for a member if there is none.
 *
 * @module
 */

import { WAITS_FOR_ZSET } from "../keyspace/waiter_records.ts";
import { TYPE_ZSET } from "../types/entry.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  keysFrom,
  type LateReply,
  numKeysAt,
} from "./command_spec.ts";
import {
  FIRST_KEY,
  MANY_MEMBERS,
  MANY_POPS,
  manySortedSetPops,
} from "./many_pops.ts";
import { RECORDED } from "./recorded.ts";
import { MAX, MIN, popFirst, replyEndMember } from "./sorted_set_pops.ts";
import { WRONG } from "./typed_entry.ts";
import { readWaitSeconds } from "./wait_timeout.ts";

/** `BZPOPMIN key [key ...] timeout` */
function bzpopminCommand(call: Call): void {
  pop(call, false);
}

/** `BZPOPMAX key [key ...] timeout` */
function bzpopmaxCommand(call: Call): void {
  pop(call, true);
}

function pop(call: Call, isMax: boolean): void {
  const { reply, effects, db, argc } = call;
  const waitMs = readWaitSeconds(call, argc - 1);
  if (waitMs < 0) return;
  const ref = FIRST_KEY.find(call, TYPE_ZSET);
  if (ref === WRONG) return;
  if (ref === 0) return waitForMember(call, waitMs);
  const { key } = FIRST_KEY;
  // The member stands right behind the key.
  reply.array(3);
  reply.bulk(key.buf, key.off, key.length);
  replyEndMember(call, key, ref, isMax);
  if (!effects.isOn) return;
  effects.replace(db, isMax ? RECORDED.ZPOPMAX : RECORDED.ZPOPMIN, 2)
    .bytes(key.buf, key.off, key.length);
}

/** `BZMPOP timeout numkeys key [key ...] MIN | MAX [COUNT count]` */
function bzmpopCommand(call: Call): void | Promise<LateReply> {
  if (!MANY_POPS.read(call, 2, MAX, MIN)) return;
  const waitMs = readWaitSeconds(call, 1);
  if (waitMs < 0) return;
  const ref = FIRST_KEY.find(call, TYPE_ZSET);
  if (ref === WRONG) return;
  if (ref !== 0) return popFirst(call, ref);
  waitForMember(call, waitMs);
}

function waitForMember(call: Call, waitMs: number): void {
  if (!call.wait(WAITS_FOR_ZSET, waitMs, call.keyCount, "ZADD")) {
    call.reply.nullArray();
  }
}

/** Rows of the commands in this file. */
export const SORTED_SET_BLOCKING_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "bzmpop",
    group: "sorted-set",
    since: "7.0.0",
    summary: "Takes members from the first sorted set there is, or waits.",
    complexity: "O(K) + O(M*log(N))",
    arity: -5,
    flags: ["write", "blocking"],
    keys: [numKeysAt(2, "RW access delete")],
    syntax: "timeout:double numkeys:integer key... where:(MIN|MAX) " +
      "[COUNT count:integer]",
    replies: ["array", "null"],
    ...manySortedSetPops(MAX, MIN),
    run: bzmpopCommand,
  },
  {
    name: "bzpopmax",
    group: "sorted-set",
    since: "5.0.0",
    summary: "Takes the member with the greatest score, or waits for one.",
    complexity: "O(log(N))",
    arity: -3,
    flags: ["write", "fast", "blocking"],
    keys: [keysFrom(1, -2, "RW access delete")],
    syntax: "key... timeout:double",
    replies: ["array", "null"],
    ...MANY_MEMBERS,
    run: bzpopmaxCommand,
  },
  {
    name: "bzpopmin",
    group: "sorted-set",
    since: "5.0.0",
    summary: "Takes the member with the least score, or waits for one.",
    complexity: "O(log(N))",
    arity: -3,
    flags: ["write", "fast", "blocking"],
    keys: [keysFrom(1, -2, "RW access delete")],
    syntax: "key... timeout:double",
    replies: ["array", "null"],
    ...MANY_MEMBERS,
    run: bzpopminCommand,
  },
];

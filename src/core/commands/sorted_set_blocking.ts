/**
 * Sorted set commands that wait for a member if there is none.
 *
 * @module
 */

import { WAITS_FOR_ZSET } from "../keyspace/waiter_records.ts";
import type { Call } from "./call.ts";
import { type CommandSpec, keysFrom, numKeysAt } from "./command_spec.ts";
import { MANY_POPS } from "./many_pops.ts";
import { MAX, MIN, replyFirstMembers } from "./sorted_set.ts";
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
  const waitMs = readWaitSeconds(call, call.argc - 1);
  if (waitMs < 0 || replyFirstMembers(call, isMax, 1, true)) return;
  waitForMember(call, waitMs);
}

/** `BZMPOP timeout numkeys key [key ...] MIN | MAX [COUNT count]` */
function bzmpopCommand(call: Call): void {
  if (!MANY_POPS.read(call, 2, MAX, MIN)) return;
  const waitMs = readWaitSeconds(call, 1);
  const { isFirst: isMax, count } = MANY_POPS;
  if (waitMs < 0 || replyFirstMembers(call, isMax, count)) return;
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
    run: bzpopminCommand,
  },
];

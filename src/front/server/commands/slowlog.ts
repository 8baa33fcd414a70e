/**
 * SLOWLOG: the commands that took long, on whichever worker.
 *
 * @module
 */

import { parseSafeInteger } from "../../../core/base/integer.ts";
import type {
  CommandSpec,
  LateReply,
} from "../../../core/commands/command_spec.ts";
import {
  SLOWLOG_COUNT_OUT_OF_RANGE,
  subcommandSyntax,
} from "../../../core/resp/error_reply.ts";
import type { ReplyWriter } from "../../../core/resp/reply_writer.ts";
import type { ServerCall } from "../server_call.ts";
import {
  ASK_SLOW,
  ASK_SLOW_COUNT,
  ASK_SLOW_RESET,
} from "../server_questions.ts";
import type { SlowEntry } from "../slow_log.ts";
import { bulkByteText } from "./_arguments.ts";
import { type HelpLines, writeHelp } from "./_help.ts";

/** Entries that SLOWLOG GET shows unless told otherwise. */
const SHOWN = 10;

const HELP: HelpLines = [
  [
    "GET [<count>]",
    "The newest entries, 10 or <count>; -1 for all. An entry has an id, a " +
    "time, microseconds, arguments, the client's address and name.",
  ],
  ["LEN", "How many entries there are."],
  ["RESET", "Forgets all entries."],
];

/** `SLOWLOG GET [count]` */
export function slowlogGetCommand(
  call: ServerCall,
): void | Promise<LateReply> {
  const { args, reply } = call;
  if (call.argc > 3) {
    return reply.error(subcommandSyntax("SLOWLOG", args.copy(1)));
  }
  const asked = call.argc === 2
    ? SHOWN
    : parseSafeInteger(args.source(2), args.off[2]!, args.length[2]!);
  if (!(asked >= -1)) return reply.error(SLOWLOG_COUNT_OUT_OF_RANGE);
  const most = call.settings.slowlogMaxLen;
  const count = asked === -1 ? most : Math.min(asked, most);
  return call.worker.peers.ask(ASK_SLOW, count).then((logs) => {
    const entries = (logs as (readonly SlowEntry[])[]).flat()
      .sort((a, b) => b.id - a.id).slice(0, count);
    return (late) => writeEntries(entries, late);
  });
}

/** `SLOWLOG LEN` */
export function slowlogLenCommand(call: ServerCall): Promise<LateReply> {
  const most = call.settings.slowlogMaxLen;
  return call.worker.peers.ask(ASK_SLOW_COUNT, most).then((counts) => {
    const count = (counts as number[]).reduce((sum, n) => sum + n, 0);
    return (late) => late.integer(Math.min(most, count));
  });
}

/** `SLOWLOG RESET` */
export function slowlogResetCommand(call: ServerCall): Promise<LateReply> {
  return call.worker.peers.ask(ASK_SLOW_RESET, null)
    .then(() => (late) => late.ok());
}

/** `SLOWLOG HELP` */
export function slowlogHelpCommand(call: ServerCall): void {
  writeHelp(call, "SLOWLOG", HELP);
}

function writeEntries(entries: readonly SlowEntry[], reply: ReplyWriter): void {
  reply.array(entries.length);
  for (const entry of entries) {
    reply.array(6);
    reply.integer(entry.id);
    reply.integer(entry.at);
    reply.integer(entry.microseconds);
    reply.array(entry.args.length);
    for (const text of entry.args) bulkByteText(reply, text);
    bulkByteText(reply, entry.address);
    bulkByteText(reply, entry.name);
  }
}

/** The commands of this file. */
export const SLOWLOG_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "slowlog",
    group: "server",
    since: "2.2.12",
    summary: "Commands about the log of slow commands.",
    arity: -2,
    subcommands: [
      {
        name: "get",
        since: "2.2.12",
        summary: "Shows the newest entries of the slow log.",
        complexity: "O(N)",
        arity: -2,
        flags: ["admin", "loading", "stale"],
        tips: ["request_policy:all_nodes", "nondeterministic_output"],
        syntax: "[count:integer]",
        replies: ["array"],
        run: slowlogGetCommand,
      },
      {
        name: "help",
        since: "6.2.0",
        summary: "Lists the SLOWLOG subcommands.",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        replies: ["array"],
        run: slowlogHelpCommand,
      },
      {
        name: "len",
        since: "2.2.12",
        summary: "Counts the entries of the slow log.",
        complexity: "O(1)",
        arity: 2,
        flags: ["admin", "loading", "stale"],
        tips: [
          "request_policy:all_nodes",
          "response_policy:agg_sum",
          "nondeterministic_output",
        ],
        replies: ["integer"],
        run: slowlogLenCommand,
      },
      {
        name: "reset",
        since: "2.2.12",
        summary: "Empties the slow log.",
        complexity: "O(N)",
        arity: 2,
        flags: ["admin", "loading", "stale"],
        tips: ["request_policy:all_nodes", "response_policy:all_succeeded"],
        replies: ["status"],
        run: slowlogResetCommand,
      },
    ],
  },
];

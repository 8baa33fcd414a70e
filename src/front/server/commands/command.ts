/**
 * COMMAND and its subcommands, over the server's own table.
 *
 * @module
 */

import { globMatch } from "../../../core/base/glob.ts";
import { latin1BytesOf } from "../../../core/base/bytes.ts";
import {
  replyCommand,
  replyCommandCount,
  replyCommandDocs,
  replyCommandHelp,
  replyCommandInfo,
  replyCommandKeys,
  replyCommandList,
} from "../../../core/commands/command_commands.ts";
import type { CommandSpec } from "../../../core/commands/command_spec.ts";
import type { ServerCall } from "../server_call.ts";

/** `COMMAND` */
export function commandCommand(call: ServerCall): void {
  replyCommand(call.worker.table, call.reply);
}

/** `COMMAND COUNT` */
export function commandCountCommand(call: ServerCall): void {
  replyCommandCount(call.worker.table, call.reply);
}

/** `COMMAND DOCS [command-name ...]` */
export function commandDocsCommand(call: ServerCall): void {
  replyCommandDocs(call.worker.table, call.args, call.reply);
}

/** `COMMAND GETKEYS command [arg ...]` */
export function commandGetkeysCommand(call: ServerCall): void {
  replyCommandKeys(call.worker.table, call.args, call.reply, false);
}

/** `COMMAND GETKEYSANDFLAGS command [arg ...]` */
export function commandGetkeysandflagsCommand(call: ServerCall): void {
  replyCommandKeys(call.worker.table, call.args, call.reply, true);
}

/** `COMMAND HELP` */
export function commandHelpCommand(call: ServerCall): void {
  replyCommandHelp(call.reply);
}

/** `COMMAND INFO [command-name ...]` */
export function commandInfoCommand(call: ServerCall): void {
  replyCommandInfo(call.worker.table, call.args, call.reply);
}

/** `COMMAND LIST [FILTERBY <MODULE name | ACLCAT category | PATTERN pattern>]` */
export function commandListCommand(call: ServerCall): void {
  replyCommandList(call.worker.table, call.args, call.reply, matches);
}

function matches(pattern: string, name: string): boolean {
  const { length } = pattern;
  const bytes = latin1BytesOf(name);
  return globMatch(
    latin1BytesOf(pattern),
    0,
    length,
    bytes,
    0,
    bytes.length,
    true,
  );
}

/** The commands of this file. */
export const COMMAND_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "command",
    group: "server",
    since: "2.8.13",
    summary: "Describes all commands for programs.",
    complexity: "O(N)",
    arity: -1,
    flags: ["loading", "stale"],
    categories: ["connection"],
    tips: ["nondeterministic_output_order"],
    replies: ["array"],
    subcommands: [
      {
        name: "count",
        since: "2.8.13",
        summary: "Counts the commands.",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        categories: ["connection"],
        replies: ["integer"],
        run: commandCountCommand,
      },
      {
        name: "docs",
        since: "7.0.0",
        summary: "Documents commands: summary, arguments, history.",
        complexity: "O(N)",
        arity: -2,
        flags: ["loading", "stale"],
        categories: ["connection"],
        tips: ["nondeterministic_output_order"],
        syntax: "[command-name...]",
        replies: ["map"],
        run: commandDocsCommand,
      },
      {
        name: "getkeys",
        since: "2.8.13",
        summary: "Picks the keys out of a full command line.",
        complexity: "O(N)",
        arity: -3,
        flags: ["loading", "stale"],
        categories: ["connection"],
        syntax: "command [arg...]",
        replies: ["array"],
        run: commandGetkeysCommand,
      },
      {
        name: "getkeysandflags",
        since: "7.0.0",
        summary:
          "Picks the keys out of a full command line, each with how it is accessed.",
        complexity: "O(N)",
        arity: -3,
        flags: ["loading", "stale"],
        categories: ["connection"],
        syntax: "command [arg...]",
        replies: ["array"],
        run: commandGetkeysandflagsCommand,
      },
      {
        name: "help",
        since: "5.0.0",
        summary: "Lists the COMMAND subcommands.",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        categories: ["connection"],
        replies: ["array"],
        run: commandHelpCommand,
      },
      {
        name: "info",
        since: "2.8.13",
        summary: "Describes some commands, or all, for programs.",
        complexity: "O(N)",
        arity: -2,
        flags: ["loading", "stale"],
        categories: ["connection"],
        tips: ["nondeterministic_output_order"],
        syntax: "[command-name...]",
        replies: ["array"],
        run: commandInfoCommand,
      },
      {
        name: "list",
        since: "7.0.0",
        summary: "Names the commands, all or those that pass a filter.",
        complexity: "O(N)",
        arity: -2,
        flags: ["loading", "stale"],
        categories: ["connection"],
        tips: ["nondeterministic_output_order"],
        syntax:
          "[FILTERBY filterby:(MODULE module-name|ACLCAT category|PATTERN pattern)]",
        replies: ["array"],
        run: commandListCommand,
      },
    ],
    run: commandCommand,
  },
];

/**
 * COMMAND and its subcommands: what the command table says about commands, for
 * clients that route by keys, check arity or complete command lines.
 *
 * Every function writes one reply. `args` is the whole request, so its argument
 * 2 is the first behind `COMMAND INFO`; arity has been checked.
 *
 * @module
 */

import type { Arguments } from "../resp/arguments.ts";
import {
  COMMAND_HAS_NO_KEYS,
  INVALID_ARGUMENT_COUNT_SPECIFIED,
  INVALID_ARGUMENTS_SPECIFIED,
  INVALID_COMMAND_SPECIFIED,
  SYNTAX_ERROR,
} from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import {
  findKeys,
  hasKeys,
  KeyPositions,
  RequestView,
} from "./command_keys.ts";
import {
  CATEGORIES,
  FLAG,
  KEY_FLAG_NAMES,
  type KeySpec,
  PRINTED_FLAGS,
} from "./command_spec.ts";
import { type ArgumentSpec, parseSyntax } from "./command_syntax.ts";
import type { Command, CommandTable } from "./command_table.ts";

const FLAG_NAMES = Object.keys(FLAG).map((name) => name.toLowerCase());
const CATEGORY_NAMES = CATEGORIES.map((name) => `@${name}`);

/** Containers without a row of their own for it say so of themselves. */
const CONTAINER_COMPLEXITY = "Depends on subcommand.";

const HELP = [
  "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "(no subcommand)",
  "    Return details about all Redis commands.",
  "COUNT",
  "    Return the total number of commands in this Redis server.",
  "LIST",
  "    Return a list of all commands in this Redis server.",
  "INFO [<command-name> ...]",
  "    Return details about multiple Redis commands.",
  "    If no command names are given, documentation details for all",
  "    commands are returned.",
  "DOCS [<command-name> ...]",
  "    Return documentation details about multiple Redis commands.",
  "    If no command names are given, documentation details for all",
  "    commands are returned.",
  "GETKEYS <full-command>",
  "    Return the keys from a full Redis command.",
  "GETKEYSANDFLAGS <full-command>",
  "    Return the keys and the access flags from a full Redis command.",
  "HELP",
  "    Prints this help.",
];

/** `COMMAND` */
export function replyCommand<C>(
  table: CommandTable<C>,
  writer: ReplyWriter,
): void {
  writer.array(table.commands.length);
  for (const command of table.commands) writeInfo(command, writer);
}

/** `COMMAND COUNT` */
export function replyCommandCount<C>(
  table: CommandTable<C>,
  writer: ReplyWriter,
): void {
  writer.integer(table.commands.length);
}

/** `COMMAND INFO [command-name ...]` */
export function replyCommandInfo<C>(
  table: CommandTable<C>,
  args: Arguments,
  writer: ReplyWriter,
): void {
  if (args.count === 2) return replyCommand(table, writer);
  writer.array(args.count - 2);
  for (let i = 2; i < args.count; i++) {
    const command = table.byName(textOf(args, i));
    if (command === undefined) writer.nullBulk();
    else writeInfo(command, writer);
  }
}

/** `COMMAND DOCS [command-name ...]`: unknown names are left out. */
export function replyCommandDocs<C>(
  table: CommandTable<C>,
  args: Arguments,
  writer: ReplyWriter,
): void {
  let commands = table.commands;
  if (args.count > 2) {
    const named = [];
    for (let i = 2; i < args.count; i++) {
      const command = table.byName(textOf(args, i));
      if (command !== undefined) named.push(command);
    }
    commands = named;
  }
  writeDocs(commands, writer);
}

/**
 * `COMMAND LIST [FILTERBY <MODULE name | ACLCAT category | PATTERN pattern>]`:
 * subcommands included. `matches` compares by a glob, ignoring case.
 */
export function replyCommandList<C>(
  table: CommandTable<C>,
  args: Arguments,
  writer: ReplyWriter,
  matches: (pattern: string, name: string) => boolean,
): void {
  let listed = table.all;
  if (args.count !== 2) {
    const view = new RequestView(args);
    if (args.count !== 5 || !view.equalsIgnoreCase(2, "FILTERBY")) {
      return writer.error(SYNTAX_ERROR);
    }
    const wanted = textOf(args, 4);
    if (view.equalsIgnoreCase(3, "MODULE")) listed = [];
    else if (view.equalsIgnoreCase(3, "ACLCAT")) {
      const bit = categoryBitOf(wanted);
      listed = listed.filter((command) => (command.categories & bit) !== 0);
    } else if (view.equalsIgnoreCase(3, "PATTERN")) {
      listed = listed.filter((command) => matches(wanted, command.fullName));
    } else return writer.error(SYNTAX_ERROR);
  }
  writer.array(listed.length);
  for (const command of listed) writer.bulkText(command.fullName);
}

/**
 * `COMMAND GETKEYS command [arg ...]`, and `COMMAND GETKEYSANDFLAGS` if
 * `withFlags`.
 */
export function replyCommandKeys<C>(
  table: CommandTable<C>,
  args: Arguments,
  writer: ReplyWriter,
  withFlags: boolean,
): void {
  const command = commandAt(table, args, 2);
  if (command === undefined) return writer.error(INVALID_COMMAND_SPECIFIED);
  if (!hasKeys(command.spec)) return writer.error(COMMAND_HAS_NO_KEYS);
  if (!command.allowsCount(args.count - 2)) {
    return writer.error(INVALID_ARGUMENT_COUNT_SPECIFIED);
  }
  const keys = new KeyPositions();
  findKeys(command.spec, new RequestView(args, 2), keys);
  if (keys.count === 0 && (command.flags & FLAG.NO_MANDATORY_KEYS) === 0) {
    return writer.error(INVALID_ARGUMENTS_SPECIFIED);
  }
  writer.array(keys.count);
  for (let k = 0; k < keys.count; k++) {
    const i = keys.positions[k]! + 2;
    if (withFlags) writer.array(2);
    writer.bulk(args.source(i), args.off[i]!, args.length[i]!);
    if (withFlags) writeNames(keys.flags[k]!, KEY_FLAG_NAMES, writer);
  }
}

/** `COMMAND HELP` */
export function replyCommandHelp(writer: ReplyWriter): void {
  writer.array(HELP.length);
  for (const line of HELP) writer.simple(line);
}

/** The command, or the subcommand of a container, that begins at `i`. */
function commandAt<C>(
  table: CommandTable<C>,
  args: Arguments,
  i: number,
): Command<C> | undefined {
  const command = table.lookup(args.source(i), args.off[i]!, args.length[i]!);
  if (command === undefined || command.subcommands.length === 0) return command;
  const next = i + 1;
  if (next === args.count) return command;
  return command.lookupSubcommand(
    args.source(next),
    args.off[next]!,
    args.length[next]!,
  );
}

function writeInfo<C>(command: Command<C>, writer: ReplyWriter): void {
  writer.array(10);
  writer.bulkText(command.fullName);
  writer.integer(command.arity);
  writeNames(command.flags & PRINTED_FLAGS, FLAG_NAMES, writer);
  writer.integer(command.firstKey);
  writer.integer(command.lastKey);
  writer.integer(command.keyStep);
  writeNames(command.categories, CATEGORY_NAMES, writer);
  const tips = command.spec.tips ?? [];
  writer.set(tips.length);
  for (const tip of tips) writer.bulkText(tip);
  const keys = command.spec.keys ?? [];
  writer.set(keys.length);
  for (const spec of keys) writeKeySpec(spec, writer);
  writer.set(command.subcommands.length);
  for (const subcommand of command.subcommands) writeInfo(subcommand, writer);
}

function writeKeySpec(spec: KeySpec, writer: ReplyWriter): void {
  writer.map(spec.notes === undefined ? 3 : 4);
  if (spec.notes !== undefined) writeTextField("notes", spec.notes, writer);
  writer.bulkText("flags");
  writeNames(spec.flags, KEY_FLAG_NAMES, writer);

  const { begin, find } = spec;
  writer.bulkText("begin_search");
  writer.map(2);
  writeTextField("type", begin.type, writer);
  writer.bulkText("spec");
  if (begin.type === "unknown") writer.map(0);
  else if (begin.type === "index") {
    writer.map(1);
    writeIntegerField("index", begin.index, writer);
  } else {
    writer.map(2);
    writeTextField("keyword", begin.keyword, writer);
    writeIntegerField("startfrom", begin.startFrom, writer);
  }

  writer.bulkText("find_keys");
  writer.map(2);
  writeTextField("type", find.type, writer);
  writer.bulkText("spec");
  if (find.type === "unknown") writer.map(0);
  else if (find.type === "range") {
    writer.map(3);
    writeIntegerField("lastkey", find.lastKey, writer);
    writeIntegerField("keystep", find.step, writer);
    writeIntegerField("limit", find.limit, writer);
  } else {
    writer.map(3);
    writeIntegerField("keynumidx", find.keyNumIndex, writer);
    writeIntegerField("firstkey", find.firstKey, writer);
    writeIntegerField("keystep", find.step, writer);
  }
}

function writeDocs<C>(
  commands: readonly Command<C>[],
  writer: ReplyWriter,
): void {
  writer.map(commands.length);
  for (const command of commands) {
    writer.bulkText(command.fullName);
    writeDoc(command, writer);
  }
}

function writeDoc<C>(command: Command<C>, writer: ReplyWriter): void {
  const { spec, group, subcommands } = command;
  const complexity = spec.complexity ??
    (subcommands.length > 0 ? CONTAINER_COMPLEXITY : undefined);
  writer.map(
    3 + countDefined(
      complexity,
      spec.docFlags,
      spec.deprecatedSince,
      spec.replacedBy,
      spec.syntax,
      spec.subcommands,
    ),
  );
  writeTextField("summary", spec.summary, writer);
  writeTextField("since", spec.since, writer);
  writeTextField("group", group, writer);
  if (complexity) writeTextField("complexity", complexity, writer);
  if (spec.docFlags) {
    writer.bulkText("doc_flags");
    writer.set(spec.docFlags.length);
    for (const flag of spec.docFlags) writer.simple(flag);
  }
  if (spec.deprecatedSince) {
    writeTextField("deprecated_since", spec.deprecatedSince, writer);
  }
  if (spec.replacedBy) writeTextField("replaced_by", spec.replacedBy, writer);
  if (spec.syntax) {
    writer.bulkText("arguments");
    writeArguments(parseSyntax(spec.syntax), writer);
  }
  if (spec.subcommands) {
    writer.bulkText("subcommands");
    writeDocs(subcommands, writer);
  }
}

function writeArguments(
  args: readonly ArgumentSpec[],
  writer: ReplyWriter,
): void {
  writer.array(args.length);
  for (const arg of args) writeArgument(arg, writer);
}

function writeArgument(arg: ArgumentSpec, writer: ReplyWriter): void {
  const flags: string[] = [];
  if (arg.optional) flags.push("optional");
  if (arg.multiple) flags.push("multiple");
  if (arg.multipleToken) flags.push("multiple_token");
  writer.map(
    2 + (flags.length > 0 ? 1 : 0) + countDefined(
      arg.displayText,
      arg.keySpecIndex,
      arg.token,
      arg.since,
      arg.deprecatedSince,
      arg.arguments,
    ),
  );
  writeTextField("name", arg.name, writer);
  writeTextField("type", arg.type, writer);
  if (arg.displayText !== undefined) {
    writeTextField("display_text", arg.displayText, writer);
  }
  if (arg.keySpecIndex !== undefined) {
    writeIntegerField("key_spec_index", arg.keySpecIndex, writer);
  }
  if (arg.token !== undefined) writeTextField("token", arg.token, writer);
  if (arg.since !== undefined) writeTextField("since", arg.since, writer);
  if (arg.deprecatedSince !== undefined) {
    writeTextField("deprecated_since", arg.deprecatedSince, writer);
  }
  if (flags.length > 0) {
    writer.bulkText("flags");
    writer.set(flags.length);
    for (const flag of flags) writer.simple(flag);
  }
  if (arg.arguments !== undefined) {
    writer.bulkText("arguments");
    writeArguments(arg.arguments, writer);
  }
}

/** Writes the set of the names whose bits are set. */
function writeNames(
  bits: number,
  names: readonly string[],
  writer: ReplyWriter,
): void {
  const present = names.filter((_, i) => (bits & (1 << i)) !== 0);
  writer.set(present.length);
  for (const name of present) writer.simple(name);
}

function writeTextField(name: string, text: string, writer: ReplyWriter): void {
  writer.bulkText(name);
  writer.bulkText(text);
}

function writeIntegerField(name: string, n: number, writer: ReplyWriter): void {
  writer.bulkText(name);
  writer.integer(n);
}

function countDefined(...values: readonly unknown[]): number {
  return values.filter((value) => value !== undefined).length;
}

/** The bit of a category in any case; no bit if there is none. */
function categoryBitOf(name: string): number {
  const index = (CATEGORIES as readonly string[]).indexOf(name.toLowerCase());
  return index < 0 ? 0 : 1 << index;
}

function textOf(args: Arguments, i: number): string {
  let text = "";
  const bytes = args.source(i);
  const off = args.off[i]!;
  for (let k = 0; k < args.length[i]!; k++) {
    text += String.fromCharCode(bytes[off + k]!);
  }
  return text;
}

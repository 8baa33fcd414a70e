/**
 * Whether replies are of the types that the command table promises. Rows name
 * types as RESP3 tells them apart; in RESP2 a map or set is an array, a double
 * a bulk string, a boolean an integer.
 *
 * An error is always allowed, and so is what a row does not speak of: pushes,
 * `QUEUED` within a transaction, commands that the table does not have.
 *
 * @module
 */
import type {
  Command,
  CommandTable,
} from "../src/core/commands/command_table.ts";
import type { ReplyType } from "../src/core/commands/command_spec.ts";
import { makeCommandTable } from "../src/front/server/command_groups.ts";
import type { ServerCall } from "../src/front/server/server_call.ts";
import type { Reply } from "./_resp_reply.ts";

/** What a reply's own type may stand for, by protocol. */
const MEANINGS: Readonly<
  Record<2 | 3, Partial<Record<Reply["type"], readonly ReplyType[]>>>
> = {
  2: {
    simple: ["status"],
    bulk: ["string", "double"],
    int: ["integer", "boolean"],
    null: ["null"],
    array: ["array", "map", "set"],
  },
  3: {
    simple: ["status"],
    bulk: ["string"],
    verbatim: ["string"],
    int: ["integer"],
    null: ["null"],
    array: ["array"],
    map: ["map"],
    set: ["set"],
    double: ["double"],
    bool: ["boolean"],
  },
};

/** A reply had a type that its command's row does not list. */
export class ReplyTypeError extends Error {
  override name = "ReplyTypeError";
}

let table: CommandTable<ServerCall> | undefined;
const commands = new Map<string, Command<ServerCall> | undefined>();

/** What is wrong with the type of a command's reply; null if nothing is. */
export function replyTypeProblem(
  argv: readonly unknown[],
  reply: Reply,
  resp: 2 | 3,
): string | null {
  if (reply.type === "error" || reply.type === "push") return null;
  if (reply.type === "simple" && reply.value === "QUEUED") return null;
  const command = findCommand(argv);
  if (command === undefined) return null;
  const listed = command.spec.replies ?? [];
  if (listed.includes("any")) return null;
  const meanings = MEANINGS[resp][reply.type] ?? [];
  const isForeign = reply.type === "null" &&
    (reply.form === "resp3") !== (resp === 3);
  if (!isForeign && meanings.some((type) => listed.includes(type))) return null;
  return `RESP${resp} reply of type ${reply.type} to ${command.fullName}, ` +
    `whose row lists: ${listed.join(", ")}`;
}

/** The row that an argument vector means, a subcommand's if there is one. */
function findCommand(
  argv: readonly unknown[],
): Command<ServerCall> | undefined {
  const name = String(argv[0]).toLowerCase();
  const command = byName(name);
  if (command === undefined || command.subcommands.length === 0) return command;
  if (argv.length === 1) return command;
  return byName(`${name}|${String(argv[1]).toLowerCase()}`) ?? command;
}

function byName(name: string): Command<ServerCall> | undefined {
  if (commands.has(name)) return commands.get(name);
  table ??= makeCommandTable();
  const command = table.byName(name);
  commands.set(name, command);
  return command;
}

/**
 * The commands that this server has: the rows of all groups, in one table.
 *
 * @module
 */

import { CommandTable } from "../../core/commands/command_table.ts";
import { STRING_COMMANDS } from "../../core/commands/string.ts";
import type { ServerCall } from "./server_call.ts";

/** Builds the table; one per worker. */
export function makeCommandTable(): CommandTable<ServerCall> {
  return new CommandTable<ServerCall>(STRING_COMMANDS);
}

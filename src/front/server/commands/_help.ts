/**
 * How every container answers HELP.
 *
 * @module
 */

import type { ServerCall } from "../server_call.ts";

/** Subcommands with their syntax, and what each does. */
export type HelpLines = readonly (readonly [syntax: string, text: string])[];

/** `<container> HELP` */
export function writeHelp(
  { reply }: ServerCall,
  container: string,
  lines: HelpLines,
): void {
  const rows = [...lines, ["HELP", "Prints this help."] as const];
  reply.array(1 + 2 * rows.length);
  reply.simple(
    `${container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
  );
  for (const [syntax, text] of rows) {
    reply.simple(syntax);
    reply.simple(`    ${text}`);
  }
}

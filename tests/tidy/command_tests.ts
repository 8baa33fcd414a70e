/**
 * Which commands tests send, found in the tests' own text: a command is a string
 * that begins with its name and stands where a command does, first in a list or
 * as an argument of a function that sends.
 *
 * ```text
 * ["GET key", "value"]   [["GET", "key"], "value"]   row("GET", [key])
 * client.run("GET", key)   ask(client, "CLIENT LIST")   ["CLIENT", "LIST"]
 * ```
 *
 * @module
 */
import type { Source, Span } from "./source.ts";

/** A string is no command as the first argument of one of these. */
const NOT_SENDING = new Set([
  ...["word", "among", "oneOf", "maybe", "pooled", "includes", "startsWith"],
  ...["get", "has", "test", "commandSuite", "seeded", "invalidExpire"],
  ...["wrongNumberOfArguments", "assertEquals"],
]);

/** The commands (`get`, `client|id`) that no file sends. */
export function checkCommandTests(
  commands: readonly string[],
  files: readonly Source[],
): string[] {
  const sent = new Set<string>();
  for (const file of files) {
    file.strings.forEach((span, i) => {
      if (!isCommandPlace(file, span)) return;
      const [name = "", sub] = span.text.toLowerCase().split(" ");
      sent.add(name);
      const next = sub ?? nextInList(file, i);
      if (next !== undefined) sent.add(`${name}|${next.toLowerCase()}`);
    });
  }
  return commands
    .filter((command) => !sent.has(command))
    .map((command) => `${command}: no test sends it`);
}

/** Whether a string is the first of a list, or an argument that is sent. */
function isCommandPlace(file: Source, span: Span): boolean {
  const before = file.code.slice(Math.max(0, span.at - 80), span.at - 1)
    .trimEnd();
  if (before.endsWith("[")) return !/\bin\s*\[$|\bof\s*\[$/.test(before);
  const call = /([\w$]+)\(\s*(?:[\w$.]+\s*,)?$/.exec(before);
  return call !== null && !NOT_SENDING.has(call[1]!);
}

/** The string behind another one, if nothing but a comma is between. */
function nextInList(file: Source, i: number): string | undefined {
  const [here, next] = [file.strings[i]!, file.strings[i + 1]];
  if (next === undefined) return undefined;
  const between = file.code.slice(here.at + here.text.length + 1, next.at - 1);
  return /^\s*,\s*$/.test(between) ? next.text : undefined;
}

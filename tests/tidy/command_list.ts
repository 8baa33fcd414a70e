/**
 * The list of commands in README, made from the command table.
 *
 * `deno run -RW tests/tidy/command_list.ts` brings README up to date.
 *
 * @module
 */

import { makeCommandTable } from "../../src/front/server/command_groups.ts";

const README = new URL("../../README.md", import.meta.url);
const BEGIN = "<!-- commands: begin -->";
const END = "<!-- commands: end -->";

/** The list as Markdown: a line per group. */
export function commandList(): string {
  const groups = new Map<string, string[]>();
  for (const command of makeCommandTable().commands) {
    const names = groups.get(command.group) ?? [];
    groups.set(command.group, names);
    const subcommands = command.subcommands
      .map((sub) => sub.spec.name.toUpperCase()).sort();
    const name = command.spec.name.toUpperCase();
    names.push(
      subcommands.length === 0 ? name : `${name} (${subcommands.join(" ")})`,
    );
  }
  const rows = [...groups].sort(([a], [b]) => a < b ? -1 : 1)
    .map(([group, names]) => `- **${group}**: ${names.sort().join(", ")}`);
  return rows.join("\n");
}

/** README with the list in its place. */
export function withCommandList(readme: string): string {
  const from = readme.indexOf(BEGIN);
  const to = readme.indexOf(END);
  if (from < 0 || to < from) {
    throw new Error("README has no place for the list");
  }
  return `${readme.slice(0, from)}${BEGIN}\n\n${commandList()}\n\n${
    readme.slice(to)
  }`;
}

if (import.meta.main) {
  Deno.writeTextFileSync(
    README,
    withCommandList(Deno.readTextFileSync(README)),
  );
}

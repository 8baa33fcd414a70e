/**
 * The command line, with the grammar of redis-server:
 *
 *     sherd [config file | -] [--name value ...] ... [-]
 *
 * A flag takes the words up to the next one that begins with `--`; a value
 * that begins so itself is written `--name=value`. Flags mean what the same
 * line in a file means and are applied after the file. `-` reads (more of) the
 * configuration from standard input, after the file and before the flags.
 *
 * Names are judged here, values by `Settings.load`, which does it for files
 * and flags alike.
 *
 * @module
 */

import {
  bytesToText,
  type Directive,
} from "../../core/settings/config_file.ts";
import {
  findSetting,
  IGNORED_DIRECTIVES,
  REFUSED_DIRECTIVES,
  SETTINGS_TABLE,
} from "../../core/settings/settings_table.ts";

/** What the command line asks for. */
export type CommandLine =
  | { readonly action: "help" }
  | { readonly action: "version" }
  | { readonly action: "error"; readonly message: string }
  | RunCommandLine;

/** A server is to be started. */
export interface RunCommandLine {
  readonly action: "run";
  readonly configFile: string | undefined;
  /** Whether standard input holds configuration. */
  readonly stdin: boolean;
  /** The flags, to be loaded after the file. */
  readonly directives: readonly Directive[];
}

/** Edits up to which a name is taken for a misspelt one. */
const EDITS_MAX = 2;

/** Understands `argv`, the arguments without the program's name. */
export function parseFlags(argv: readonly string[]): CommandLine {
  let configFile: string | undefined;
  let stdin = false;
  const directives: Directive[] = [];
  let i = 0;
  while (i < argv.length) {
    const word = argv[i++]!;
    if (word === "--help" || word === "-h") return { action: "help" };
    if (word === "--version" || word === "-v") return { action: "version" };
    if (word === "-" && (i === 1 || i === argv.length)) {
      stdin = true;
    } else if (word.startsWith("--") && word.length > 2) {
      const values: string[] = [];
      while (i < argv.length && isValue(argv, i)) values.push(argv[i++]!);
      const parsed = parseFlag(word, values);
      if (typeof parsed === "string") {
        return { action: "error", message: parsed };
      }
      directives.push(parsed);
    } else if (i === 1 && !word.startsWith("-")) {
      configFile = word;
    } else {
      return { action: "error", message: unexpected(word) };
    }
  }
  return { action: "run", configFile, stdin, directives };
}

/** A last word `-` asks for standard input, whatever stands before it. */
function isValue(argv: readonly string[], i: number): boolean {
  const word = argv[i]!;
  if (word.startsWith("--")) return false;
  return word !== "-" || i < argv.length - 1;
}

function parseFlag(word: string, more: string[]): Directive | string {
  const equals = word.indexOf("=");
  const flag = equals < 0 ? word : word.slice(0, equals);
  const values = equals < 0 ? more : [word.slice(equals + 1), ...more];
  const name = flag.slice(2).toLowerCase();
  const row = findSetting(name);
  if (
    row < 0 && !IGNORED_DIRECTIVES.has(name) && !REFUSED_DIRECTIVES.has(name)
  ) return `${flag}: there is no such option${suggestion(name)}`;
  // A bare --save takes no snapshots, as an empty value does.
  if (values.length === 0 && row >= 0 && name !== "save") {
    return `${flag}: the value is missing`;
  }
  return {
    name,
    words: values.map(utf8Text),
    origin: { line: 0, text: [flag, ...values.map(shown)].join(" ") },
  };
}

/** Byte text of what the shell passed. */
function utf8Text(word: string): string {
  return bytesToText(new TextEncoder().encode(word));
}

/** A value as it can be told apart in a message. */
function shown(value: string): string {
  return value === "" || value.includes(" ") ? `"${value}"` : value;
}

function unexpected(word: string): string {
  const flag = "-" + word;
  return word.startsWith("-") && findSetting(flag.slice(2)) >= 0
    ? `${word}: write it ${flag}`
    : `${word}: unexpected argument`;
}

function suggestion(name: string): string {
  let best = "";
  let bestEdits = EDITS_MAX + 1;
  for (const spec of SETTINGS_TABLE) {
    const edits = editDistance(name, spec.name);
    if (edits < bestEdits) [best, bestEdits] = [spec.name, edits];
  }
  return best === "" ? "" : `; did you mean --${best}?`;
}

/** Insertions, deletions and substitutions that make `a` into `b`. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, substituted));
    }
    previous = row;
  }
  return previous[b.length]!;
}

/**
 * Arguments that are passwords: neither the slow log nor MONITOR shows them.
 *
 * @module
 */

import { asciiOf } from "../../core/base/bytes.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import {
  findSetting,
  SETTINGS_TABLE,
} from "../../core/settings/settings_table.ts";

/** What stands for them. */
export const REDACTED = "(redacted)";

/** The longest word that is looked at. */
const WORD_BYTES_MAX = 128;

/** Whether argument `i` of a command, by its full name, is a password. */
export function isSecret(args: Arguments, i: number, command: string): boolean {
  switch (command) {
    case "auth":
      return i > 0;
    case "hello":
      return i > 2 && isWord(args, i - 2, "auth") ||
        i > 1 && isWord(args, i - 1, "auth");
    case "config|set":
      return i >= 3 && i % 2 === 1 && isSecretSetting(args, i - 1);
    default:
      return false;
  }
}

function isSecretSetting(args: Arguments, i: number): boolean {
  const row = findSetting(wordAt(args, i));
  return row >= 0 && SETTINGS_TABLE[row]!.kind.type === "secret";
}

function isWord(args: Arguments, i: number, word: string): boolean {
  return args.length[i] === word.length &&
    wordAt(args, i).toLowerCase() === word;
}

function wordAt(args: Arguments, i: number): string {
  const length = Math.min(args.length[i]!, WORD_BYTES_MAX);
  return asciiOf(args.source(i), args.off[i]!, length);
}

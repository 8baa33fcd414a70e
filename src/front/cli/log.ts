/**
 * The log: lines in Redis's form, to standard output or a file.
 *
 * @module
 */

import type { Settings } from "../../core/settings/settings.ts";
import type { LogLevel } from "../server/thread_protocol.ts";

/** In ascending order of importance, with the mark of each in a line. */
const LEVELS: readonly [LogLevel, string][] = [
  ["debug", "."],
  ["verbose", "-"],
  ["notice", "*"],
  ["warning", "#"],
];

const encoder = new TextEncoder();

/** Writes lines that are important enough. */
export class Log {
  readonly #settings: Settings;
  readonly #file: Deno.FsFile | null;

  /** Level and file come from the settings. */
  constructor(settings: Settings) {
    this.#settings = settings;
    this.#file = settings.logfile === ""
      ? null
      : Deno.openSync(settings.logfile, { append: true, create: true });
  }

  /** Writes one line. */
  write(level: LogLevel, text: string): void {
    const at = LEVELS.findIndex(([name]) => name === level);
    const least = LEVELS.findIndex(([name]) =>
      name === this.#settings.text("loglevel")
    );
    if (at < least) return;
    const stamp = new Date().toISOString().replace("T", " ").replace("Z", "");
    const line = `${Deno.pid}:M ${stamp} ${LEVELS[at]![1]} ${text}\n`;
    try {
      (this.#file ?? Deno.stdout).writeSync(encoder.encode(line));
    } catch {
      // A disk that is full must not end the server.
    }
  }
}

/**
 * The server that benches measure: the executable, as `deno task compile` makes
 * it, made when the first server is about to start, and removed at the end.
 *
 * The same source run by `deno task start` takes up to a tenth more per command:
 * in the executable the program is one file, and V8 knows what is imported from
 * another file to be constant.
 *
 * @module
 */

import { compile } from "../src/front/cli/compile.ts";
import { end, undoAtEnd } from "./_ending.ts";
import { progress } from "./_report.ts";

const FLAGS = [
  ...["--port", "{port}", "--workers", "{workers}"],
  ...["--save", "", "--appendonly", "no"],
];

/** A choice of what is measured; `using` removes what was made for it. */
export class Sherd implements Disposable {
  readonly #choice: string | undefined;
  #command: readonly string[] | null = null;
  #made: Disposable | null = null;

  /** `choice` is the value of `--sherd`. */
  constructor(choice: string | undefined) {
    this.#choice = choice;
  }

  /**
   * The argument vector that starts it, with `{port}` and `{workers}` in it.
   * Makes the executable if need be, which takes some seconds; ends the bench
   * with a message where that cannot be done.
   */
  get command(): readonly string[] {
    this.#command ??= this.#choice === undefined
      ? [this.#make(), ...FLAGS]
      : this.#choice === "source"
      ? [Deno.execPath(), ...startTask().slice(1), ...FLAGS]
      : splitCommand(this.#choice);
    return this.#command;
  }

  /** Whether it is a command of the caller's, who knows which flags it has. */
  get isGiven(): boolean {
    return this.#choice !== undefined && this.#choice !== "source";
  }

  #make(): string {
    const folder = Deno.makeTempDirSync({ prefix: "sherd-bench-" });
    this.#made = undoAtEnd(() => Deno.removeSync(folder, { recursive: true }));
    progress("making the executable");
    try {
      compile(`${folder}/sherd`);
    } catch (error) {
      const { message } = error as Error;
      progress(
        `${message}. It needs the runtime denort, which Deno downloads, or ` +
          "which DENORT_BIN names; --sherd source measures what deno task " +
          "start runs instead.",
      );
      end(2);
    }
    return `${folder}/sherd`;
  }

  [Symbol.dispose](): void {
    this.#made?.[Symbol.dispose]();
    this.#made = null;
  }
}

/** The words of `deno task start`. */
function startTask(): string[] {
  const file = new URL("../deno.json", import.meta.url);
  return JSON.parse(Deno.readTextFileSync(file)).tasks.start.split(" ");
}

/** Splits a command at blanks, except within single or double quotes. */
function splitCommand(text: string): string[] {
  const argv: string[] = [];
  for (const [word] of text.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)) {
    argv.push(word.replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));
  }
  if (argv.length === 0) throw new TypeError("--sherd is empty");
  return argv;
}

/**
 * Cases of the bench of holds, written as lines.
 *
 * @module
 */

import { digits } from "./_type_cases.ts";

/** A command with its arguments. */
export type Argv = readonly string[];

/** A command, or a few that are sent one after the other. */
export interface HoldCase {
  name: string;
  /** What is made anew before each run. */
  before: readonly Argv[];
  /** What another client waits with. */
  waiting?: Argv;
  run: readonly Argv[];
}

/** Cases that share their data. */
export interface HoldGroup {
  name: string;
  fill: () => Iterable<Argv>;
  cases: readonly HoldCase[];
}

/**
 * Cases from lines: `command`, `before > command`, or one of these with what another
 * client waits with, `waiting & command`; `$name` is replaced.
 */
export function cases(
  lines: string,
  names: Readonly<Record<string, readonly string[]>> = {},
): HoldCase[] {
  const argvs = (text: string): Argv[] =>
    text.split(" ; ").map((command) =>
      command.split(" ").flatMap((word) =>
        names[word] ?? [word.replace(/^''$/, "")]
      )
    );
  return lines.trim().split("\n").map((line) => {
    const [first, second] = line.trim().split(" > ");
    const name = second ?? first!;
    const [waiting, woken] = name.split(" & ");
    return {
      name,
      before: second === undefined ? [] : argvs(first!),
      waiting: woken === undefined ? [] : argvs(waiting!)[0]!,
      run: argvs(woken ?? name),
    };
  });
}

/** A short element. */
export const member = (i: number): string => `m:${digits(i)}`;

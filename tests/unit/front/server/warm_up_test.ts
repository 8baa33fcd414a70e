/** What a worker runs at first: src/front/server/warm_up.ts. */
import { assertEquals } from "@std/assert";
import { makeCommandTable } from "../../../../src/front/server/command_groups.ts";
import { WarmUp } from "../../../../src/front/server/warm_up.ts";
import { WARM_UP_LINES } from "../../../../src/front/server/warm_up_lines.ts";

/** Those that do the same as others, take a payload, or are about strings. */
const OTHERS = ["renamenx", "restore", "restore-asking", "keys"];
const OF_STRINGS = ["bitcount", "bitop", "bitpos", "lcs"];

Deno.test("a worker runs commands of its own; nothing is left", () => {
  const warmUp = new WarmUp(makeCommandTable(), [1, 2], true);
  let steps = 1;
  while (warmUp.step()) steps++;
  assertEquals(steps, 2 * WARM_UP_LINES.length);
  assertEquals([warmUp.keys, warmUp.locks], [0, 0]);
});

Deno.test("all commands that may take long are among them", () => {
  const run = new Set(WARM_UP_LINES.flatMap((line) => {
    const [first, second] = line.replace("EACH ", "").toLowerCase().split(" ");
    return [first, `${first}|${second}`];
  }));
  const missing = makeCommandTable().commands
    .filter(({ isHeavy, spec }) => isHeavy !== undefined && !run.has(spec.name))
    .map(({ spec }) => spec.name)
    .filter((name) =>
      ![...OTHERS, ...OF_STRINGS].includes(name) && !name.endsWith("_ro")
    );
  assertEquals(missing, []);
});

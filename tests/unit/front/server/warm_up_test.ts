/** What a worker runs at first: src/front/server/warm_up.ts. */
import { assertEquals } from "@std/assert";
import { Settings } from "../../../../src/core/settings/settings.ts";
import { makeCommandTable } from "../../../../src/front/server/command_groups.ts";
import { WarmUp } from "../../../../src/front/server/warm_up.ts";
import { WARM_UP_LINES } from "../../../../src/front/server/warm_up_lines.ts";

/** Those that do the same as others, take a payload, or are about strings. */
const OTHERS = ["renamenx", "restore", "restore-asking", "keys"];
const OF_STRINGS = ["bitcount", "bitop", "bitpos", "lcs"];

/** Settings that commands with such values depend on. */
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  "with the defaults": [],
  "with nothing packed": [
    "hash-max-listpack-entries 0",
    "set-max-intset-entries 0",
    "set-max-listpack-entries 0",
    "zset-max-listpack-entries 0",
    "list-max-listpack-size 1",
    "stream-node-max-entries 1",
    "hll-sparse-max-bytes 0",
  ],
  "with all packed": [
    "hash-max-listpack-entries 100000",
    "set-max-listpack-entries 100000",
    "zset-max-listpack-entries 100000",
    "list-max-listpack-size -5",
    "stream-node-max-entries 0",
    "hll-sparse-max-bytes 16000",
  ],
};

for (const [name, lines] of Object.entries(SETTINGS)) {
  Deno.test(`a worker runs commands of its own, ${name}; nothing is left`, () => {
    const table = makeCommandTable();
    const settings = new Settings({ cores: 1, dir: "/" });
    const { error } = settings.load(lines.map((text, i) => {
      const [name, ...words] = text.split(" ");
      return { name: name!, words, origin: { line: i, text } };
    }));
    assertEquals(error, undefined);
    const warmUp = new WarmUp(table, settings, [1, 2]);
    let steps = 1;
    while (warmUp.step()) steps++;
    assertEquals(steps, WARM_UP_LINES.length);
    assertEquals(warmUp.keys, 0);
  });
}

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

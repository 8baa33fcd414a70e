/**
 * The house rules as tests. Each rule is run over the tree, and its checker is
 * shown a planted violation first, so that a rule cannot rot into one that
 * finds nothing.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import * as errors from "../src/core/resp/error_reply.ts";
import { ErrorReply } from "../src/core/resp/error_reply.ts";
import {
  areaOf,
  checkCalls,
  checkComments,
  checkErrors,
  checkHeaders,
  checkRings,
  checkSizes,
  checkUnused,
} from "./tidy/checks.ts";
import { makeCommandTable } from "../src/front/server/command_groups.ts";
import { withCommandList } from "./tidy/command_list.ts";
import { checkCommandTests } from "./tidy/command_tests.ts";
import { parseSource, type Source } from "./tidy/source.ts";

const ROOT = new URL("../", import.meta.url);
const FOLDERS = ["src", "tests", "bench"];

let house: Source[] | undefined;

/** Every TypeScript file of the house, read once. */
function allFiles(): Source[] {
  if (house !== undefined) return house;
  house = [];
  const read = (path: string) => {
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    house!.push(parseSource(path, text));
  };
  const walk = (folder: string) => {
    for (const entry of Deno.readDirSync(new URL(folder, ROOT))) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) walk(path);
      else if (entry.name.endsWith(".ts")) read(path);
    }
  };
  for (const entry of Deno.readDirSync(ROOT)) {
    if (entry.isDirectory && FOLDERS.includes(entry.name)) walk(entry.name);
    if (entry.name === "mod.ts") read(entry.name);
  }
  return house;
}

/** The files that ship. */
function product(): Source[] {
  return allFiles().filter((file) => areaOf(file.path) !== "outside");
}

/** Files made up of `{ path: text }`. */
function planted(texts: Record<string, string>): Source[] {
  return Object.entries(texts).map(([path, text]) => parseSource(path, text));
}

function assertClean(problems: string[]) {
  if (problems.length > 0) throw new Error(`\n${problems.join("\n")}`);
}

Deno.test("parseSource() blanks text and keeps code", () => {
  const rows: [string, string][] = [
    ["a // b", "a     "],
    ["a /* b\n */ c", "a     \n    c"],
    ["f('b\\'', \"c\")", "f('   ', \" \")"],
    ["`a ${b + `c${d}`} e`; f", "     b +     d      ; f"],
    ["`a ${{ b: 1 }.b} c`", "     { b: 1 }.b    "],
    ["a / b; c / d", "a / b; c / d"],
    ['x = /a[/"]b/g; c', "x =          ; c"],
    ["return /'/.test(a)", "return    .test(a)"],
    ["a(1) / 2 // b", "a(1) / 2     "],
  ];
  for (const [text, code] of rows) {
    assertEquals(parseSource("a.ts", text).code, code);
  }
});

Deno.test("parseSource() finds what a file imports", () => {
  const text = `import a from "./a.ts";
    import type { b } from './b.ts';
    export * from "./c.ts";
    import "./d.ts";
    await import("./e.ts");
    // import "./f.ts";
    const g = 'import "./g.ts"';`;
  assertEquals(
    parseSource("x.ts", text).imports.map((span) => span.text),
    ["./a.ts", "./b.ts", "./c.ts", "./d.ts", "./e.ts"],
  );
});

Deno.test("checkRings() finds an import that points outward", () => {
  const rows: [path: string, specifier: string, allowed: boolean][] = [
    ["src/core/base/a.ts", "../resp/b.ts", true],
    ["src/core/base/a.ts", "../../engine/latch/b.ts", false],
    ["src/core/base/a.ts", "../../front/cli/b.ts", false],
    ["src/engine/latch/a.ts", "../../core/base/b.ts", true],
    ["src/engine/latch/a.ts", "../../front/cli/b.ts", false],
    ["src/engine/executor/a.ts", "../owner/b.ts", false],
    ["src/engine/owner/a.ts", "../executor/b.ts", false],
    ["src/engine/owner/a.ts", "../messages/b.ts", true],
    ["src/front/cli/a.ts", "../../engine/owner/b.ts", true],
    ["src/front/cli/a.ts", "../../../mod.ts", false],
    ["src/front/cli/a.ts", "../../../tests/_b.ts", false],
    ["src/core/base/a.ts", "./_b.ts", true],
    ["src/core/base/a.ts", "../resp/_b.ts", false],
    ["mod.ts", "./src/front/server/b.ts", true],
    ["mod.ts", "./src/front/server/_b.ts", false],
    ["tests/a_test.ts", "../src/core/base/_b.ts", true],
    ["src/core/base/a.ts", "../../std/bytes/mod.ts", false],
    ["tests/a_test.ts", "../src/std/assert/mod.ts", false],
    ["src/std/async/mod.ts", "./b.ts", true],
    ["src/core/base/a.ts", "@std/bytes", true],
    ["src/core/base/a.ts", "@std/async", false],
    ["src/front/cli/a.ts", "@std/assert", false],
    ["src/engine/latch/a.ts", "node:net", false],
    ["src/front/cli/a.ts", "node:net", true],
    ["src/front/cli/a.ts", "npm:ioredis", false],
    ["tests/a_test.ts", "npm:ioredis", true],
    ["tests/a_test.ts", "@std/assert", true],
  ];
  for (const [path, specifier, allowed] of rows) {
    const problems = checkRings(planted({ [path]: `import "${specifier}";` }));
    assertEquals(problems.length, allowed ? 0 : 1, `${path} ${specifier}`);
  }
});

Deno.test("checkRings() finds a file outside the rings", () => {
  assertEquals(
    checkRings(planted({ "src/middle/a.ts": "", "src/a.ts": "" })).length,
    2,
  );
});

Deno.test("every import points inward", () => {
  assertClean(checkRings(allFiles()));
});

Deno.test("checkCalls() finds what a ring may not call", () => {
  const banned: [ring: string, code: string][] = [
    ["core", "await a;"],
    ["core", "async function a() {}"],
    ["core", "const a = async () => {};"],
    ["core", "const a = { async b() {} };"],
    ["core", "a(Deno.pid)"],
    ["core", "Date.now()"],
    ["core", "performance.now()"],
    ["core", "Math.random()"],
    ["core", "new Worker(a)"],
    ["core", "console.log(1)"],
    ["core", "setTimeout(a)"],
    ["core", "`${Date.now()}`"],
    ["engine", "Deno.listen()"],
    ["engine", "new Worker(a)"],
    ["engine", "console.log(1)"],
    ["engine", "new WebSocket(a)"],
    ["front", "class A { get #a() { return 1; } }"],
  ];
  for (const [ring, code] of banned) {
    const problems = checkCalls(planted({ [`src/${ring}/base/a.ts`]: code }));
    assertEquals(problems.length, 1, `${ring}: ${code}`);
  }
});

Deno.test("checkCalls() lets text and other rings be", () => {
  const allowed: [ring: string, code: string][] = [
    ["core", "// await Deno.pid, Math.random()"],
    ["core", "a = 'Date.now()' + `console.log ${b}`;"],
    ["core", "flush({ async: true }); if (async && a.async) b();"],
    ["engine", "await a; setTimeout(b); Date.now();"],
    ["front", "await Deno.listen(); console.log(new Worker(a));"],
  ];
  for (const [ring, code] of allowed) {
    assertEquals(checkCalls(planted({ [`src/${ring}/base/a.ts`]: code })), []);
  }
});

Deno.test("no ring calls what it may not", () => {
  assertClean(checkCalls(product()));
});

Deno.test("checkComments() finds what must not stay", () => {
  const rows: [comment: string, allowed: boolean][] = [
    ["// @ts-nocheck", false],
    ["// @ts-ignore: later", false],
    ["/* FIXME */", false],
    ["// TODO: later", false],
    ["/** TODO(me): later */", false],
    ["// TODO(#12): later", true],
    ['const a = "FIXME TODO";', true],
  ];
  for (const [comment, allowed] of rows) {
    const problems = checkComments(planted({ "src/core/base/a.ts": comment }));
    assertEquals(problems.length, allowed ? 0 : 1, comment);
  }
});

Deno.test("no comment silences the compiler or puts off work", () => {
  assertClean(checkComments(product()));
});

Deno.test("checkHeaders() finds a file without a header", () => {
  const rows: [text: string, allowed: boolean][] = [
    ["/** What it is. @module */", false],
    ["/**\n * What it is.\n *\n * @module\n */\nlet a;", true],
    ["let a;\n/**\n * What it is.\n *\n * @module\n */", false],
    ["// What it is.\n", false],
    ["/** What it is. */", false],
    ["", false],
  ];
  for (const [text, allowed] of rows) {
    const problems = checkHeaders(planted({ "src/core/base/a.ts": text }));
    assertEquals(problems.length, allowed ? 0 : 1, text);
  }
});

Deno.test("every file says what it is", () => {
  assertClean(checkHeaders(product()));
});

Deno.test("checkSizes() finds a long file without a reason", () => {
  const lines = (count: number) => "let a;\n".repeat(count - 1);
  const reason = "/**\n * A table.\n *\n * Size: one table.\n */\n";
  const rows: [text: string, allowed: boolean][] = [
    [lines(800), true],
    [lines(801), false],
    [`${reason}${lines(801)}`, true],
    [`${lines(801)}${reason}`, false],
  ];
  for (const [text, allowed] of rows) {
    const problems = checkSizes(planted({ "src/core/base/a.ts": text }));
    assertEquals(problems.length, allowed ? 0 : 1);
  }
});

Deno.test("every long file says why", () => {
  assertClean(checkSizes(allFiles()));
});

Deno.test("checkUnused() finds a file that nothing uses", () => {
  const problems = checkUnused(planted({
    "mod.ts": 'export * from "./src/front/server/a.ts";',
    "src/front/server/a.ts": 'import "@std/bytes";',
    "src/front/server/worker.ts": "",
    "src/std/bytes/mod.ts": "",
    "src/std/assert/mod.ts": "",
    "src/core/base/only_tested.ts": "",
    "src/core/base/self.ts": 'import "./self.ts";',
    "tests/a_test.ts":
      'import "@std/assert"; import "../src/core/base/only_tested.ts";',
  }));
  assertEquals(problems, [
    "src/core/base/only_tested.ts: nothing imports it",
    "src/core/base/self.ts: nothing imports it",
  ]);
});

Deno.test("every file is used", () => {
  assertClean(checkUnused(allFiles()));
});

Deno.test("checkErrors() finds a text with an unknown prefix", () => {
  const problems = checkErrors({
    GOOD: new ErrorReply("ERR good"),
    BAD: new ErrorReply("OOPS bad"),
    bad: () => new ErrorReply("Bad too"),
    other: () => "ERR a string",
  });
  assertEquals(problems.map((problem) => problem.split(":")[0]), [
    "BAD",
    "bad",
    "other",
  ]);
});

Deno.test("every error begins with a known prefix", () => {
  assertClean(checkErrors(errors));
});

Deno.test("README lists the commands that the table has", () => {
  const readme = Deno.readTextFileSync(new URL("README.md", ROOT));
  assertEquals(
    readme,
    withCommandList(readme),
    "run: deno run -RW tests/tidy/command_list.ts",
  );
});

Deno.test("checkCommandTests() finds a command that no test sends", () => {
  const sending = planted({
    "tests/commands/a_test.ts": `
      await expectReplies(client, [
        ["GETBIT key 1", 0],
        [["set", "key", "value"], "OK"],
        [\`CLIENT LIST ID \${id}\`, ""],
      ]);
      await client.run("Ping", "x");
      await ask(client, "CLIENT", "ID");
      row("OBJECT FREQ", [key, word("PERSIST"), among("TYPE")]);
      // ["DEL key", 1]
      assertEquals(await ask(client, command), "EXISTS");
      send(["EVAL", "GET"], name("COPY", value));`,
  });
  const commands = [
    ...["getbit", "set", "client|list", "ping", "client|id", "object|freq"],
    ...["get", "persist", "type", "del", "exists", "client|info", "freq"],
  ];
  assertEquals(
    checkCommandTests(commands, sending).map((line) => line.split(":")[0]),
    ["get", "persist", "type", "del", "exists", "client|info", "freq"],
  );
});

Deno.test("every command is sent by a test", () => {
  const tests = allFiles().filter(({ path }) =>
    /^tests\/(?:commands|differential|persistence)\//.test(path)
  );
  const commands = makeCommandTable().all
    .filter(({ spec }) => spec.run !== undefined)
    .map(({ fullName }) => fullName);
  assertClean(checkCommandTests(commands, tests));
});

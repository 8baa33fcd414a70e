import { assertEquals } from "@std/assert";
import { Settings } from "../../../../src/core/settings/settings.ts";
import { parseFlags } from "../../../../src/front/cli/flags.ts";

/** What a server is to be started with: file, standard input, directives. */
function run(...argv: string[]): [string | undefined, boolean, string[][]] {
  const line = parseFlags(argv);
  if (line.action !== "run") throw new Error(JSON.stringify(line));
  return [
    line.configFile,
    line.stdin,
    line.directives.map(({ name, words }) => [name, ...words]),
  ];
}

function message(...argv: string[]): string {
  const line = parseFlags(argv);
  return line.action === "error" ? line.message : line.action;
}

Deno.test("parseFlags() takes a file, flags with words, and a dash", () => {
  assertEquals(run(), [undefined, false, []]);
  assertEquals(run("a.conf"), ["a.conf", false, []]);
  assertEquals(run("-"), [undefined, true, []]);
  assertEquals(run("-", "--HZ", "5"), [undefined, true, [["hz", "5"]]]);
  assertEquals(
    run("a.conf", "--port", "7000", "--save", "", "--bind", "::1", "x", "-"),
    ["a.conf", true, [["port", "7000"], ["save", ""], ["bind", "::1", "x"]]],
  );
  assertEquals(run("--save", "--hz", "5"), [
    undefined,
    false,
    [["save"], ["hz", "5"]],
  ]);
  assertEquals(run("--slowlog-log-slower-than", "-1")[2], [
    ["slowlog-log-slower-than", "-1"],
  ]);
  assertEquals(run("--requirepass=--a=b")[2], [["requirepass", "--a=b"]]);
  assertEquals(run("--requirepass", "é")[2], [["requirepass", "\xc3\xa9"]]);
});

Deno.test("parseFlags() finds help and version anywhere", () => {
  assertEquals(parseFlags(["-h"]), { action: "help" });
  assertEquals(parseFlags(["--port", "1", "--help"]), { action: "help" });
  assertEquals(parseFlags(["-v"]), { action: "version" });
  assertEquals(parseFlags(["--version"]), { action: "version" });
});

Deno.test("parseFlags() names the flag that is wrong, and why", () => {
  assertEquals(
    message("--maxmemry", "1"),
    "--maxmemry: there is no such option; did you mean --maxmemory?",
  );
  assertEquals(message("--whatever"), "--whatever: there is no such option");
  assertEquals(message("--port"), "--port: the value is missing");
  assertEquals(message("--port", "--hz", "1"), "--port: the value is missing");
  assertEquals(message("-port", "1"), "-port: write it --port");
  assertEquals(message("a", "b"), "b: unexpected argument");
  assertEquals(message("--"), "--: unexpected argument");
});

Deno.test("flags are judged by Settings.load() in the words of the flag", () => {
  const cases: [argv: string[], text: string, reason: string][] = [
    [
      ["--hz", "abc"],
      "--hz abc",
      "argument couldn't be parsed into an integer",
    ],
    [["--hz", "1", "2"], "--hz 1 2", "wrong number of arguments"],
    [
      ["--port", ""],
      '--port ""',
      "argument couldn't be parsed into an integer",
    ],
    [
      ["--tls-port", "6380"],
      "--tls-port 6380",
      "only '0' is accepted: there is no TLS yet",
    ],
    [
      ["--replicaof", "a", "1"],
      "--replicaof a 1",
      "there is no replication yet",
    ],
  ];
  for (const [argv, text, reason] of cases) {
    const line = parseFlags(argv);
    if (line.action !== "run") throw new Error(JSON.stringify(line));
    const { error } = new Settings({ cores: 1, dir: "/" })
      .load(line.directives);
    assertEquals(error, { origin: { line: 0, text }, reason });
  }
});

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { helpText, versionText } from "../../../../src/front/cli/help.ts";
import { parseFlags } from "../../../../src/front/cli/flags.ts";

Deno.test("helpText() fits a terminal and shows what the table says", () => {
  const text = helpText();
  for (const line of text.split("\n")) assert(line.length < 80, line);
  assertStringIncludes(text, "--port <number>");
  assertStringIncludes(text, "[6379]");
  assertStringIncludes(text, "[one per core]");
});

Deno.test("helpText() only shows options that exist", () => {
  const text = helpText().replace("[--option value ...]", "");
  const flags = text.matchAll(/--([a-z][a-z-]+)/g);
  for (const [flag] of flags) {
    const line = parseFlags([flag, "1"]);
    assert(line.action !== "error", flag);
  }
});

Deno.test("versionText() is one line", () => {
  const versions = { sherd: "1.2.3", redis: "7.2", deno: "2.9", v8: "15" };
  assertEquals(
    versionText(versions),
    "sherd 1.2.3 (commands of Redis 7.2; deno 2.9, v8 15)\n",
  );
});

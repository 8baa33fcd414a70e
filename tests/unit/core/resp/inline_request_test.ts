import { assertEquals } from "@std/assert";
import { CUTS, feed } from "./_feed.ts";

const ROWS: readonly (readonly [line: string, words: string[]])[] = [
  ["PING", ["PING"]],
  ["SET k v", ["SET", "k", "v"]],
  ["  SET \t k\x0b\x0c v  ", ["SET", "k", "v"]],
  [`SET k "a b"`, ["SET", "k", "a b"]],
  [`SET k 'a b'`, ["SET", "k", "a b"]],
  [`SET k ""`, ["SET", "k", ""]],
  [`SET k ''`, ["SET", "k", ""]],
  [`SET k "it's"`, ["SET", "k", "it's"]],
  [`SET k 'say "x"'`, ["SET", "k", `say "x"`]],
  [`SET k "\\n\\r\\t\\b\\a"`, ["SET", "k", "\n\r\t\b\x07"]],
  [`SET k "\\x00\\xff\\xFf\\x5a"`, ["SET", "k", "\x00\xff\xffZ"]],
  [`SET k "\\x4\\xg1\\x"`, ["SET", "k", "x4xg1x"]],
  [`SET k "\\"\\\\\\q"`, ["SET", "k", `"\\q`]],
  [`SET k 'it\\'s'`, ["SET", "k", "it's"]],
  [`SET k '\\n\\x41'`, ["SET", "k", "\\n\\x41"]],
  [`SET k a"b c"`, ["SET", "k", "ab c"]],
  [`SET k a'b c'`, ["SET", "k", "ab c"]],
  [`SET k a\\nb`, ["SET", "k", "a\\nb"]],
  ["SET k \x80\xff", ["SET", "k", "\x80\xff"]],
  ["$5", ["$5"]],
  ["+OK", ["+OK"]],
];

const UNBALANCED = [
  `SET k "`,
  `SET k '`,
  `SET k "abc`,
  `SET k 'abc`,
  `SET k "abc'`,
  `SET k "a"b`,
  `SET k 'a'b`,
  `SET k "a""b"`,
  `SET k "a\\"`,
  `SET k 'a\\'`,
];

Deno.test("an inline request is split at spaces outside of quotes", () => {
  for (const [line, words] of ROWS) {
    for (const end of ["\r\n", "\n"]) {
      for (const [name, cut] of CUTS) {
        const outcome = feed(`${line}${end}PING${end}`, cut);
        const expected = { requests: [words, ["PING"]], error: "" };
        assertEquals(outcome, expected, `${line} (${name})`);
      }
    }
  }
});

Deno.test("an inline request with unbalanced quotes is a protocol error", () => {
  for (const line of UNBALANCED) {
    for (const [name, cut] of CUTS) {
      const outcome = feed(`PING\n${line}\r\nPING\r\n`, cut);
      const error = "ERR Protocol error: unbalanced quotes in request";
      const expected = { requests: [["PING"]], error };
      assertEquals(outcome, expected, `${line} (${name})`);
    }
  }
});

Deno.test("empty lines are no requests", () => {
  for (const [name, cut] of CUTS) {
    const outcome = feed("\r\n\n  \t \r\n\rPING\r\n\r\n", cut);
    assertEquals(outcome, { requests: [["PING"]], error: "" }, name);
  }
});

import { assert, assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  globLiteralPrefix,
  globMatch,
} from "../../../../src/core/base/glob.ts";

/** Both between bytes that would change the result if they were looked at. */
function match(pattern: string, text: string, nocase = false): boolean {
  const pat = latin1BytesOf(`*${pattern}*]`);
  const str = latin1BytesOf(`?${text}?`);
  return globMatch(pat, 1, pattern.length, str, 1, text.length, nocase);
}

/** Rows of a pattern, what it matches, and what not; as redis-server. */
function check(rows: [string, string[], string[]][], nocase = false) {
  for (const [pattern, yes, no] of rows) {
    for (const text of yes) {
      assert(match(pattern, text, nocase), `${pattern} matches ${text}`);
    }
    for (const text of no) {
      assert(!match(pattern, text, nocase), `${pattern} refuses ${text}`);
    }
  }
}

Deno.test("globMatch() knows stars and question marks", () => {
  check([
    ["", [""], ["a"]],
    ["a", ["a"], ["", "b", "A", "aa"]],
    ["*", ["a", "ab", "*"], [""]],
    ["**", ["a", "ab"], [""]],
    ["?", ["a", "?", "\xff", "\0"], ["", "ab"]],
    ["h?llo", ["hello", "hallo"], ["hllo", "heello"]],
    ["h*llo", ["hllo", "heeeello", "hllollo"], ["hlloo", "ello"]],
    ["*a", ["a", "ba", "aa"], ["ab", ""]],
    ["a*", ["a", "ab"], ["ba", ""]],
    ["*a*b*", ["ab", "xaxbx", "aab"], ["ba", "a"]],
    ["a**b", ["ab", "axb"], ["a", "b"]],
    ["*??", ["ab", "abc"], ["a", ""]],
    ["?*?", ["ab", "abc"], ["a"]],
    ["*ab", ["ab", "aab", "abab"], ["aba", "b"]],
    ["a*b*c", ["abc", "abbc", "abcbc"], ["acb", "ab"]],
  ]);
});

Deno.test("globMatch() knows classes", () => {
  check([
    ["h[ae]llo", ["hello", "hallo"], ["hillo", "h[ae]llo"]],
    ["h[^e]llo", ["hallo", "h^llo"], ["hello", "hllo"]],
    ["h[a-b]llo", ["hallo", "hbllo"], ["hcllo", "h-llo"]],
    ["[b-a]", ["a", "b"], ["c", "-"]],
    ["[a-cx-z]", ["a", "c", "x", "z"], ["d", "w"]],
    ["[^a-c]", ["d", "^", "-"], ["a", "b", "c"]],
    ["[a^]", ["a", "^"], ["b"]],
    ["[a-]", ["a", "]", "^"], ["-", "b"]],
    ["[-a]", ["a", "-"], ["b"]],
    ["[*]", ["*"], ["a"]],
    ["[]a]", [], ["a", "]", "a]", "]a]"]],
    ["[]", [], ["", "a", "[]"]],
    ["[^]", ["a", "^"], ["", "ab"]],
    ["[\\]]", ["]"], ["\\", "a"]],
    ["[\\a-c]", ["a", "-", "c"], ["b", "\\"]],
    ["[a-\\]]", ["\\]", "a]", "]]"], ["a", "\\", "]"]],
    ["*[ab]c", ["ac", "xbc", "cac"], ["cc", "ab"]],
  ]);
});

Deno.test("globMatch() ends open classes with the pattern", () => {
  check([
    ["[", [], ["[", "a"]],
    ["[^", ["a", "["], [""]],
    ["[ab", ["a", "b"], ["[", "ab", "c"]],
    ["[a-", ["a", "-"], ["b"]],
    ["[a\\", ["a", "\\"], ["b"]],
    ["[^ab", ["c"], ["a", "b"]],
  ]);
});

Deno.test("globMatch() takes escaped bytes literally", () => {
  check([
    ["\\*", ["*"], ["a", "\\*"]],
    ["a\\?", ["a?"], ["ab"]],
    ["\\[a]", ["[a]"], ["a"]],
    ["\\a", ["a"], ["\\a"]],
    ["\\\\", ["\\"], ["\\\\"]],
    ["a\\", ["a\\"], ["a"]],
    ["*\\*", ["*", "a*"], ["a"]],
  ]);
});

Deno.test("globMatch() compares ranges as signed bytes", () => {
  check([
    ["[\x80-\xff]", ["\x80", "\xc3", "\xff"], ["a", "\0"]],
    ["[a-\xff]", ["\xff", "\0", "a"], ["b", "\xfe", "\x80"]],
    ["[\0-\x7f]", ["\0", "a", "\x7f"], ["\x80", "\xff"]],
  ]);
});

Deno.test("globMatch() ignores the case of ASCII letters if told", () => {
  check([
    ["HeL*o", ["hello", "HELLO", "hElxO"], ["help"]],
    ["[A-C]", ["a", "B", "c"], ["d"]],
    ["[^a]", ["b"], ["a", "A"]],
    ["[\\a]", ["a"], ["A"]],
    ["\\A", ["a", "A"], []],
    ["\xc0", ["\xc0"], ["\xe0"]],
    ["@", ["@"], ["`"]],
  ], true);
});

Deno.test("globMatch() is not exponential, and bounds the stars", () => {
  const text = "a".repeat(200);
  assert(!match("a*".repeat(50) + "b", text));
  assert(!match("*a".repeat(90) + "*b", text));
  assert(match("*a".repeat(90) + "*", text));
  assert(match("*a".repeat(1000), "a".repeat(1000)));
  assert(!match("*a".repeat(1001), "a".repeat(1001)));
});

Deno.test("globLiteralPrefix() counts the bytes before the first wildcard", () => {
  const rows: [string, number][] = [
    ["", 0],
    ["user:1", 6],
    ["user:*", 5],
    ["?a", 0],
    ["ab[c]", 2],
    ["abc\\*", 3],
    ["a]^-", 4],
  ];
  for (const [pattern, length] of rows) {
    const pat = latin1BytesOf(`*${pattern}*`);
    assertEquals(globLiteralPrefix(pat, 1, pattern.length), length, pattern);
  }
});

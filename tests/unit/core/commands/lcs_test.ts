import { assertEquals } from "@std/assert";
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  type Bytes,
  commonLength,
  commonSubsequence,
} from "../../../../src/core/commands/lcs.ts";
import { type Random, seeded } from "../../../_harness.ts";

type Piece = [inA: number, inB: number, length: number];

/** Some bytes of a longer buffer. */
function bytes(text: string): Bytes {
  return { buf: latin1BytesOf(`<${text}>`), off: 1, length: text.length };
}

function find(a: string, b: string): { text: string; pieces: Piece[] } {
  const common = commonSubsequence(bytes(a), bytes(b));
  return {
    text: asciiOf(common.bytes, 0, common.bytes.length),
    pieces: common.pieces.map((piece): Piece => [...piece]),
  };
}

/** The same with the whole table of lengths. */
function findByTable(
  a: string,
  b: string,
): { text: string; pieces: Piece[] } {
  const table = Array.from(
    { length: a.length + 1 },
    () => new Array<number>(b.length + 1).fill(0),
  );
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      table[i]![j] = a[i - 1] === b[j - 1]
        ? table[i - 1]![j - 1]! + 1
        : Math.max(table[i - 1]![j]!, table[i]![j - 1]!);
    }
  }
  let text = "";
  const pieces: Piece[] = [];
  let isInPiece = false;
  for (let i = a.length, j = b.length; i > 0 && j > 0;) {
    if (a[i - 1] === b[j - 1]) {
      text = a[--i] + text;
      j--;
      const length = isInPiece ? pieces.pop()![2] + 1 : 1;
      pieces.push([i, j, length]);
      isInPiece = true;
    } else {
      isInPiece = false;
      if (table[i - 1]![j]! > table[i]![j - 1]!) i--;
      else j--;
    }
  }
  return { text, pieces };
}

Deno.test("the longest common subsequence, its pieces from the end", () => {
  assertEquals(find("ohmytext", "mynewtext"), {
    text: "mytext",
    pieces: [[4, 5, 4], [2, 0, 2]],
  });
  assertEquals(find("", "abc"), { text: "", pieces: [] });
  assertEquals(find("abc", ""), { text: "", pieces: [] });
  assertEquals(find("abc", "def"), { text: "", pieces: [] });
  assertEquals(find("abc", "abc"), { text: "abc", pieces: [[0, 0, 3]] });
});

Deno.test("long strings of equal bytes carry over words", () => {
  for (const [m, n] of [[31, 32], [32, 32], [33, 32], [64, 65], [200, 97]]) {
    const [a, b] = ["a".repeat(m!), "a".repeat(n!)];
    assertEquals(commonLength(bytes(a), bytes(b)), Math.min(m!, n!));
    assertEquals(find(a, b), findByTable(a, b));
  }
});

seeded("the subsequence is the one that the table gives", (random) => {
  for (let round = 0; round < 200; round++) {
    const symbols = random.pick([1, 2, 4, 26, 256]);
    const a = randomText(random, symbols);
    const b = randomText(random, symbols);
    const expected = findByTable(a, b);
    assertEquals(find(a, b), expected);
    assertEquals(commonLength(bytes(a), bytes(b)), expected.text.length);
  }
});

function randomText(random: Random, symbols: number): string {
  const length = random.below(random.pick([4, 40, 140]));
  let text = "";
  for (let i = 0; i < length; i++) {
    text += String.fromCharCode(random.below(symbols));
  }
  return text;
}

import { assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { globMatch } from "../../../../src/core/base/glob.ts";
import { PatternIndex } from "../../../../src/engine/pubsub/pattern_index.ts";
import { Random } from "../../../_random.ts";

function matches(index: PatternIndex<object>, text: string): number {
  let count = 0;
  index.match(text, latin1BytesOf(text), () => count++);
  return count;
}

Deno.test("PatternIndex finds the patterns that match", () => {
  const index = new PatternIndex<object>();
  for (const pattern of ["news.*", "news.a", "*", "n?ws.*", "\\n*", ""]) {
    index.add(pattern, {});
  }
  assertEquals(matches(index, "news.a"), 5);
  assertEquals(matches(index, "new"), 2);
  assertEquals(matches(index, "x"), 1);
  assertEquals(matches(index, ""), 1);
  index.remove("*");
  assertEquals(matches(index, "x"), 0);
  assertEquals(index.size, 5);
});

Deno.test("PatternIndex agrees with trying all patterns", () => {
  const random = new Random(5);
  const letters = ["a", "b", "*", "?", "[ab]", "\\a", "\xff"];
  const make = (choices: readonly string[]) =>
    Array.from({ length: random.below(5) }, () => random.pick(choices)).join(
      "",
    );
  const index = new PatternIndex<object>();
  const model = new Set<string>();
  for (let i = 0; i < 3000; i++) {
    const pattern = make(letters);
    if (model.has(pattern)) {
      if (random.chance(0.6)) {
        index.remove(pattern);
        model.delete(pattern);
      }
    } else {
      index.add(pattern, {});
      model.add(pattern);
    }
    const text = make(["a", "b", "\xff"]);
    const bytes = latin1BytesOf(text);
    const expected = [...model].filter((one) => {
      const pat = latin1BytesOf(one);
      return globMatch(pat, 0, pat.length, bytes, 0, bytes.length, false);
    });
    assertEquals(matches(index, text), expected.length, text);
  }
});

import { assertEquals, assertThrows } from "@std/assert";
import { asciiOf, bytesOf } from "../../../../src/core/base/bytes.ts";
import { ReplacedArguments } from "../../../../src/core/keyspace/replaced_arguments.ts";

const textOf = (replaced: ReplacedArguments, i: number) =>
  asciiOf(replaced.bytes, replaced.startOf(i), replaced.lengthOf(i));

Deno.test("what stands for arguments is found by going through them", () => {
  const replaced = new ReplacedArguments();
  const texts = Array.from({ length: 100 }, (_, i) => "x".repeat(i * 7 % 50));
  for (const [i, text] of texts.entries()) {
    replaced.add(3 * i, bytesOf(`${text}more`), text.length);
  }
  assertEquals(replaced.count, 100);
  let next = 0;
  for (let argument = 0; argument < 320; argument++) {
    const isOne = argument % 3 === 0 && argument < 300;
    assertEquals(replaced.isFor(next, argument), isOne);
    if (isOne) assertEquals(textOf(replaced, next), texts[next++]);
  }
});

Deno.test("arguments that are replaced come in order", () => {
  const replaced = new ReplacedArguments();
  replaced.add(4, bytesOf("x"), 1);
  assertThrows(() => replaced.add(4, bytesOf("x"), 1), Error, "in order");
});

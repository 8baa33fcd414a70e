import { assert, assertEquals } from "@std/assert";
import {
  concat,
  equals,
  includesNeedle,
  indexOfNeedle,
  startsWith,
} from "@std/bytes";

const bytes = (...values: number[]) => Uint8Array.from(values);

Deno.test("concat() joins arrays", () => {
  assertEquals(concat([]), bytes());
  assertEquals(concat([bytes(1), bytes(), bytes(2, 3)]), bytes(1, 2, 3));
});

Deno.test("equals() and startsWith() compare bytes", () => {
  assert(equals(bytes(1, 2), bytes(1, 2)));
  assert(!equals(bytes(1, 2), bytes(1, 3)));
  assert(!equals(bytes(1), bytes(1, 1)));
  assert(startsWith(bytes(1, 2), bytes(1)));
  assert(startsWith(bytes(1), bytes()));
  assert(!startsWith(bytes(1), bytes(1, 2)));
});

Deno.test("indexOfNeedle() finds the first occurrence", () => {
  const source = bytes(0, 1, 0, 1, 1, 0, 1, 1);
  assertEquals(indexOfNeedle(source, bytes(1, 1)), 3);
  assertEquals(indexOfNeedle(source, bytes(1, 1), 4), 6);
  assertEquals(indexOfNeedle(source, bytes(1, 1), -1), -1);
  assertEquals(indexOfNeedle(source, bytes(1, 1, 1)), -1);
  assert(includesNeedle(source, bytes(0, 1, 1)));
  assert(!includesNeedle(source, bytes(2)));
});

import { assertEquals, assertThrows } from "@std/assert";
import {
  assert,
  InvariantError,
  must,
  unreachable,
} from "../../../../src/core/base/assert.ts";

Deno.test("assert() throws the invariant's text", () => {
  assert(true, "a latch is held");
  assertThrows(
    () => assert(0, "a latch is held"),
    InvariantError,
    "a latch is held",
  );
});

Deno.test("must() returns what is there", () => {
  assertEquals(must(0, "a number"), 0);
  assertEquals(must("", "a text"), "");
  assertThrows(() => must(undefined, "an owner"), InvariantError, "an owner");
  assertThrows(() => must(null, "an owner"), InvariantError, "an owner");
});

Deno.test("unreachable() names what got there", () => {
  const odd = "odd" as never;
  assertThrows(() => unreachable(odd), InvariantError, "unreachable: odd");
});

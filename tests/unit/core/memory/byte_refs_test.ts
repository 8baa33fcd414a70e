import { assertEquals } from "@std/assert";
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { Arena, reserveArena } from "../../../../src/core/memory/arena.ts";
import { ByteRefs } from "../../../../src/core/memory/byte_refs.ts";

Deno.test("ByteRefs refer to the arena and copy what lies elsewhere", () => {
  const arena = new Arena(reserveArena(1 << 20));
  const inArena = arena.u8[0]!;
  inArena.set(latin1BytesOf("apple pear"), 4096);
  const refs = new ByteRefs(arena, 1);
  const digits = new Uint8Array(8);
  const expected: string[] = [];
  for (let i = 0; i < 300; i++) {
    digits.set(latin1BytesOf(String(i)));
    refs.add(digits, 0, String(i).length);
    refs.add(inArena, 4096 + i % 2 * 6, 4);
    expected.push(String(i), i % 2 === 0 ? "appl" : "pear");
  }
  digits.fill(0);
  const found = expected.map((_, i) =>
    asciiOf(refs.buf(i), refs.off(i), refs.length(i))
  );
  assertEquals(found, expected);
  assertEquals(refs.count, 600);
  assertEquals(refs.buf(1) === inArena, true);
  assertEquals(Math.sign(refs.compare(1, 3)), -1);
  assertEquals(refs.compare(1, 5), 0);
  assertEquals(Math.sign(refs.compare(4, 2)), 1);
});

Deno.test("ByteRefs.cutAtNul() cuts what has a NUL, and only then copies", () => {
  const refs = new ByteRefs(new Arena(reserveArena(1 << 20)));
  const texts = ["plain", "cut\0off", "", "\0", "end\0"];
  refs.add(latin1BytesOf("plain"), 0, 5);
  assertEquals(refs.cutAtNul() === refs, true);
  for (const text of texts.slice(1)) {
    refs.add(latin1BytesOf(text), 0, text.length);
  }
  const cut = refs.cutAtNul();
  assertEquals(
    texts.map((_, i) => asciiOf(cut.buf(i), cut.off(i), cut.length(i))),
    ["plain", "cut", "", "", "end"],
  );
  assertEquals(refs.length(1), 7);
  assertEquals(cut.compare(2, 3), 0);
});

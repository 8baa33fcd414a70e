/** Strings in the snapshot format: rdb_value.ts. */
import { assertEquals, assertThrows } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import { BadFormat } from "../../../../src/core/rdb/rdb_reader.ts";
import { bytesOf, hexBytes, written } from "./_format.ts";
import { Values } from "./_values.ts";

Deno.test("strings are dumped as Redis dumps them", () => {
  const cases: readonly [string, string][] = [
    ["-128", "00 c0 80"],
    ["32767", "00 c1 ff 7f"],
    ["-2147483648", "00 c2 00 00 00 80"],
    ["2147483648", "00 0a 32 31 34 37 34 38 33 36 34 38"],
    ["sherd", "00 05 73 68 65 72 64"],
    ["x".repeat(100), "00 c3 09 40 64 01 78 78 e0 57 00 01 78 78"],
  ];
  for (const [text, hex] of cases) {
    const values = new Values();
    values.restore(hexBytes(hex));
    assertEquals(values.shards.get("k"), text);
    const dumped = values.dump();
    // Compressed, the bytes may differ, but not their meaning.
    if (text.length < 21) assertEquals(dumped, hexBytes(hex));
    values.shards.set("k", "another");
    values.restore(dumped);
    assertEquals(values.shards.get("k"), text);
    values.end();
  }
});

Deno.test("a restored string is encoded as one that is set", () => {
  const values = new Values();
  const restore = (text: string) => {
    const bytes = latin1BytesOf(text);
    values.restore(written((writer) => {
      writer.byte(0);
      writer.string(bytes, 0, bytes.length);
    }));
    assertEquals(values.shards.get("k"), text);
    return values.encoding;
  };
  assertEquals(restore("12"), "int");
  assertEquals(restore("9223372036854775807"), "int");
  assertEquals(restore("9223372036854775808"), "embstr");
  assertEquals(restore("x".repeat(44)), "embstr");
  assertEquals(restore("x".repeat(45)), "raw");
  assertEquals(restore(""), "embstr");
  assertEquals(restore("0123456789".repeat(20_000)), "raw");
  values.end();
});

Deno.test("a value that is none leaves the key as it was", () => {
  const values = new Values();
  values.shards.set("k", "old");
  const cases: readonly [string, Uint8Array][] = [
    ["nothing", bytesOf()],
    ["no value", bytesOf(0)],
    ["a short string", bytesOf(0, 9, "short")],
    ["a module's value", bytesOf(7, 1, 2, 3)],
    ["a kind that was never used", bytesOf(8, 0)],
    ["a kind to come", bytesOf(26, 0)],
    ["an opcode", bytesOf(0xff)],
  ];
  for (const [what, bytes] of cases) {
    assertThrows(() => values.restore(bytes), BadFormat, "Cannot read", what);
    assertEquals(values.shards.get("k"), "old");
  }
  values.end();
});

Deno.test("a string for which there is no room leaves the key as it was", () => {
  const values = new Values();
  values.shards.set("k", "old");
  // 40 MB of one byte, more than the arena has.
  const bytes = written((writer) => {
    writer.byte(0);
    const repeats = Math.ceil(40e6 / 264);
    writer.byte(0xc3);
    writer.length(repeats * 3 + 2);
    writer.length(repeats * 264 + 1);
    writer.raw(bytesOf(0, "x"), 0, 2);
    for (let i = 0; i < repeats; i++) writer.raw(bytesOf(0xe0, 0xff, 0), 0, 3);
  });
  assertThrows(() => values.restore(bytes), OutOfMemory);
  assertEquals(values.shards.get("k"), "old");
  values.end();
});

/** Packed values in foreign bytes: packed_elements.ts, ziplist.ts, zipmap.ts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  ListpackElements,
  type PackedElements,
} from "../../../../src/core/rdb/packed_elements.ts";
import { BadFormat, RdbString } from "../../../../src/core/rdb/rdb_reader.ts";
import { ZiplistElements } from "../../../../src/core/rdb/ziplist.ts";
import { ZipmapElements } from "../../../../src/core/rdb/zipmap.ts";
import { seeded } from "../../../_harness.ts";
import { bytesOf, littleEndian, ziplist, zipmap } from "./_format.ts";

type Kind = new (
  buf: Uint8Array,
  off: number,
  length: number,
) => PackedElements;

/** All elements, read from between other bytes. */
function elementsOf(Elements: Kind, bytes: Uint8Array): string[] {
  const buf = new Uint8Array(bytes.length + 20).fill(0x41);
  buf.set(bytes, 10);
  const elements = new Elements(buf, 10, bytes.length);
  const text = new RdbString();
  const found: string[] = [];
  while (elements.next(text)) {
    assert(
      text.off >= 10 && text.off + text.length < buf.length - 10 ||
        text.buf === text.digits,
    );
    found.push(asciiOf(text.buf, text.off, text.length));
  }
  return found;
}

Deno.test("a ziplist's elements are texts and integers of all widths", () => {
  const long = "v".repeat(300);
  const bytes = ziplist(
    "",
    "hello",
    "x".repeat(64),
    long,
    "y".repeat(20_000),
    [0xf1],
    [0xfd],
    [0xfe, 0x80],
    [0xc0, 0xff, 0x7f],
    [0xf0, 0, 0, 0x80],
    [0xd0, 0xff, 0xff, 0xff, 0x7f],
    [0xe0, ...littleEndian(0), 0, 0, 0, 0x80],
    [0xe0, ...littleEndian(0xffffffff), 0xff, 0xff, 0x1f, 0],
    [0xe0, ...new Array(8).fill(0xff)],
  );
  assertEquals(elementsOf(ZiplistElements, bytes), [
    "",
    "hello",
    "x".repeat(64),
    long,
    "y".repeat(20_000),
    ..."0 12 -128 32767 -8388608 2147483647".split(" "),
    ..."-9223372036854775808 9007199254740991 -1".split(" "),
  ]);
  assertEquals(elementsOf(ZiplistElements, ziplist()), []);
});

Deno.test("a ziplist that is damaged is refused", () => {
  const good = ziplist("hello", [0xc0, 1, 2], "world");
  const cases: readonly [string, number, number][] = [
    ["its length", 0, good.length - 1],
    ["where its last element is", 4, 11],
    ["how many elements it has", 8, 2],
    ["how long the element before is", 17, 8],
    ["a text's length", 11, 60],
    ["an integer's width", 18, 0xff],
    ["its end", good.length - 1, 0],
  ];
  for (const [what, at, byte] of cases) {
    const bytes = good.slice();
    bytes[at] = byte;
    assertThrows(
      () => elementsOf(ZiplistElements, bytes),
      BadFormat,
      "a ziplist is damaged",
      what,
    );
  }
  assertThrows(() => elementsOf(ZiplistElements, bytesOf(0xff)), BadFormat);
});

Deno.test("a zipmap's elements are fields and values", () => {
  const texts = ["a", "1", "long", "v".repeat(300), "", ""];
  assertEquals(elementsOf(ZipmapElements, zipmap(texts)), texts);
  assertEquals(elementsOf(ZipmapElements, zipmap(texts, 3)), texts);
  assertEquals(elementsOf(ZipmapElements, zipmap([])), []);
  const many = Array.from({ length: 600 }, (_, i) => `${i}`);
  assertEquals(elementsOf(ZipmapElements, zipmap(many)), many);
});

Deno.test("a zipmap that is damaged is refused", () => {
  const good = zipmap(["field", "value"]);
  const cases: readonly [string, Uint8Array][] = [
    ["nothing", bytesOf()],
    ["no end", good.subarray(0, good.length - 1)],
    ["how many pairs it has", bytesOf(2, ...good.subarray(1))],
    ["a field without a value", bytesOf(1, 1, "a", 0xff)],
    ["a field beyond the end", bytesOf(1, 9, "a", 0xff)],
    ["a value beyond the end", bytesOf(1, 1, "a", 1, 9, "b", 0xff)],
    ["half a length", bytesOf(1, 254, 1, 0xff)],
    ["a length that is the end", bytesOf(1, 0xff, 0xff)],
  ];
  for (const [what, bytes] of cases) {
    assertThrows(
      () => elementsOf(ZipmapElements, bytes),
      BadFormat,
      "a zipmap is damaged",
      what,
    );
  }
});

seeded("packed elements of any bytes are read within them", (random) => {
  const kinds: readonly Kind[] = [
    ZiplistElements,
    ZipmapElements,
    ListpackElements,
  ];
  const texts = Array.from(
    { length: 2 + random.below(40) * 2 },
    () => random.binary(random.below(random.chance(0.1) ? 400 : 10)),
  );
  const listpack = [
    ...texts.filter((text) => text.length < 64).flatMap((text) => [
      0x80 | text.length,
      ...latin1BytesOf(text),
      text.length + 1,
    ]),
    0xff,
  ];
  const packed = [
    ziplist(...texts),
    zipmap(texts, random.below(3)),
    Uint8Array.from([
      ...littleEndian(6 + listpack.length),
      ...[0xff, 0xff, ...listpack],
    ]),
  ];
  let refused = 0;
  for (let i = 0; i < 1000; i++) {
    const kind = random.below(kinds.length);
    const bytes = packed[kind]!.slice();
    for (let n = random.below(3); n >= 0; n--) {
      bytes[random.below(bytes.length)] = random.below(256);
    }
    try {
      elementsOf(kinds[kind]!, bytes);
    } catch (error) {
      if (!(error instanceof BadFormat)) throw error;
      refused++;
    }
  }
  assert(refused > 100, `${refused} were refused`);
});

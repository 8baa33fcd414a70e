/** The elements of the format: rdb_writer.ts and rdb_reader.ts. */
import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  BadFormat,
  type RdbReader,
  RdbString,
} from "../../../../src/core/rdb/rdb_reader.ts";
import { type Random, seeded } from "../../../_harness.ts";
import {
  bytesOf,
  hexBytes,
  KeptBytes,
  readerOf,
  usedPages,
  written,
} from "./_format.ts";
import { RdbWriter } from "../../../../src/core/rdb/rdb_writer.ts";

function write(text: string, compresses = true): Uint8Array {
  const bytes = latin1BytesOf(text);
  return written(
    (writer) => writer.string(bytes, 0, bytes.length),
    compresses,
  );
}

function readString(reader: RdbReader): string {
  const text = new RdbString();
  reader.string(text);
  const read = asciiOf(text.buf, text.off, text.length);
  reader.end();
  return read;
}

Deno.test("lengths take 6, 14, 32 or 64 bits", () => {
  const cases: readonly [number, string][] = [
    [0, "00"],
    [63, "3f"],
    [64, "40 40"],
    [16383, "7f ff"],
    [16384, "80 00 00 40 00"],
    [2 ** 32 - 1, "80 ff ff ff ff"],
    [2 ** 32, "81 00 00 00 01 00 00 00 00"],
    [2 ** 53 - 1, "81 00 1f ff ff ff ff ff ff"],
  ];
  for (const [n, hex] of cases) {
    assertEquals(written((writer) => writer.length(n)), hexBytes(hex));
    assertEquals(readerOf(hexBytes(hex)).length(), n);
  }
  const reader = readerOf(written((w) => w.length64(0xfffffffe, 0x80000001)));
  reader.length64();
  assertEquals([reader.high, reader.low], [0xfffffffe, 0x80000001]);
});

Deno.test("strings are integers, compressed or plain", () => {
  const cases: readonly [string, string][] = [
    ["", "00"],
    ["-128", "c0 80"],
    ["128", "c1 80 00"],
    ["-32768", "c1 00 80"],
    ["32768", "c2 00 80 00 00"],
    ["2147483647", "c2 ff ff ff 7f"],
    ["-2147483648", "c2 00 00 00 80"],
    ["2147483648", "0a 32 31 34 37 34 38 33 36 34 38"],
    ["01", "02 30 31"],
    ["-0", "02 2d 30"],
    ["x".repeat(20), `14${" 78".repeat(20)}`],
    ["x".repeat(100), "c3 09 40 64 01 78 78 e0 57 00 01 78 78"],
  ];
  for (const [text, hex] of cases) {
    if (text.length < 100) assertEquals(write(text), hexBytes(hex), text);
    assertEquals(readString(readerOf(hexBytes(hex))), text);
  }
  assertEquals(write("x".repeat(30), false)[0], 30);
  // Nothing to be saved.
  assertEquals(write("abcdefghijklmnopqrstuvwxyz")[0], 26);
});

Deno.test("numbers of eight bytes have their low byte first", () => {
  const bytes = written((writer) => {
    writer.double(-1.5);
    writer.milliseconds(1_700_000_000_123);
    writer.milliseconds(-1);
  });
  assertEquals(bytes.subarray(0, 8), bytesOf(0, 0, 0, 0, 0, 0, 0xf8, 0xbf));
  assertEquals(bytes.subarray(16), new Uint8Array(8).fill(0xff));
  const reader = readerOf(bytes);
  assertEquals(reader.double(), -1.5);
  assertEquals(reader.milliseconds(), 1_700_000_000_123);
  assertEquals(reader.milliseconds(), -1);
});

Deno.test("doubles may be texts", () => {
  const reader = readerOf(bytesOf(3, "1.5", 5, "-2e10", 254, 255, 253, 1, "x"));
  assertEquals(reader.textDouble(), 1.5);
  assertEquals(reader.textDouble(), -2e10);
  assertEquals(reader.textDouble(), Infinity);
  assertEquals(reader.textDouble(), -Infinity);
  assertEquals(reader.textDouble(), NaN);
  assertEquals(reader.textDouble(), NaN);
});

Deno.test("a long compressed string gets a run for the time", () => {
  const long = "0123456789".repeat(30_000);
  const reader = readerOf(write(long));
  const text = new RdbString();
  const before = usedPages();
  reader.string(text);
  assertEquals(asciiOf(text.buf, text.off, text.length), long);
  assertEquals(usedPages() > before, true);
  reader.end();
  assertEquals(usedPages(), before);
});

Deno.test("what is no element is refused", () => {
  const cases: readonly [string, (reader: RdbReader) => unknown, Uint8Array][] =
    [
      ["no byte", (r) => r.byte(), bytesOf()],
      ["half a length", (r) => r.length(), bytesOf(0x40)],
      ["a part of a length", (r) => r.length(), bytesOf(0x80, 0, 0)],
      ["an encoding as a length", (r) => r.length(), bytesOf(0xc0, 1)],
      ["an unknown length", (r) => r.length(), bytesOf(0x82, 0, 0, 0, 0)],
      [
        "a length beyond 2^53",
        (r) => r.length(),
        hexBytes("81 ff" + " 00".repeat(7)),
      ],
      ["a short string", readString, bytesOf(5, "abc")],
      ["a huge string", readString, bytesOf(0x81, 0, 0, 0, 1, 0, 0, 0, 0)],
      ["an unknown encoding", readString, bytesOf(0xc4, 0)],
      ["a short integer", readString, bytesOf(0xc2, 0, 0)],
      ["too much from LZF", readString, bytesOf(0xc3, 2, 0x40, 0xff, 0, 1)],
      ["less from LZF", readString, bytesOf(0xc3, 2, 5, 0, 1)],
      ["half a double", (r) => r.double(), bytesOf(0, 0, 0, 0)],
      ["a short text", (r) => r.textDouble(), bytesOf(3, "1")],
    ];
  for (const [name, read, bytes] of cases) {
    const reader = readerOf(bytes);
    const error = assertThrows(
      () => read(reader),
      BadFormat,
      "Cannot read",
      name,
    );
    assertInstanceOf(error, BadFormat);
  }
});

Deno.test("the checksum is of everything before it", () => {
  const sink = new KeptBytes();
  const writer = new RdbWriter();
  writer.begin(sink, true);
  writer.raw(latin1BytesOf("12"), 0, 2);
  writer.flush();
  writer.raw(latin1BytesOf("3456789"), 0, 7);
  writer.checksum();
  writer.flush();
  assertEquals(
    sink.all,
    bytesOf("123456789", ...hexBytes("ca d9 b8 c4 14 d9 c6 e9")),
  );
});

/** A string of any length and kind. */
function someText(random: Random): string {
  switch (random.below(5)) {
    case 0:
      return String(
        random.below(2 ** random.below(33)) - 2 ** random.below(32),
      );
    case 1:
      return "ab".repeat(random.below(500));
    case 2:
      return random.binary(random.below(30));
    case 3:
      return random.binary(random.below(20_000));
    default:
      return "0123456789abcdef".repeat(random.below(9000));
  }
}

seeded("a reader gets what a writer was given", (random) => {
  const texts = Array.from({ length: 60 }, () => someText(random));
  const numbers = texts.map(() => random.below(2 ** 32) * random.below(100));
  const bytes = written((writer) => {
    texts.forEach((text, i) => {
      writer.string(latin1BytesOf(text), 0, text.length);
      writer.length(numbers[i]!);
      writer.milliseconds(-numbers[i]!);
      writer.double(numbers[i]! / 3);
    });
  }, random.chance(0.8));
  const reader = readerOf(bytes);
  const read = new RdbString();
  texts.forEach((text, i) => {
    reader.string(read);
    assertEquals(asciiOf(read.buf, read.off, read.length), text);
    assertEquals(reader.length(), numbers[i]!);
    assertEquals(reader.milliseconds(), -numbers[i]!);
    assertEquals(reader.double(), numbers[i]! / 3);
  });
  assertThrows(() => reader.byte(), BadFormat);
  reader.end();
  assertEquals(usedPages(), 0);
});

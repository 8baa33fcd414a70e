import { assertEquals } from "@std/assert";
import {
  formatMemorySize,
  parseMemorySize,
} from "../../../../src/core/settings/memory_size.ts";

const SIZES: [text: string, bytes: bigint | undefined][] = [
  ["0", 0n],
  ["01", 1n],
  ["1b", 1n],
  ["1k", 1000n],
  ["1kb", 1024n],
  ["1KB", 1024n],
  ["2m", 2_000_000n],
  ["2Mb", 2n << 20n],
  ["3g", 3_000_000_000n],
  ["3gB", 3n << 30n],
  ["18446744073709551615", (1n << 64n) - 1n],
  ["18446744073709551616", undefined],
  ["20000000000gb", undefined],
  ["", undefined],
  ["k", undefined],
  ["-1", undefined],
  ["+1", undefined],
  ["1.5mb", undefined],
  ["1tb", undefined],
  ["1 kb", undefined],
  ["0x10", undefined],
  ["10%", undefined],
  ["0".repeat(100_000) + "!", undefined],
];

Deno.test("parseMemorySize() knows Redis's units and nothing else", () => {
  for (const [text, bytes] of SIZES) {
    assertEquals(parseMemorySize(text), bytes, text);
  }
});

Deno.test("formatMemorySize() picks the greatest exact binary unit", () => {
  assertEquals(formatMemorySize(0n), "0");
  assertEquals(formatMemorySize(1000n), "1000");
  assertEquals(formatMemorySize(1025n), "1025");
  assertEquals(formatMemorySize(3n << 10n), "3kb");
  assertEquals(formatMemorySize(1536n << 20n), "1536mb");
  assertEquals(formatMemorySize(3n << 30n), "3gb");
});

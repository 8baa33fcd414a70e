import { assertEquals } from "@std/assert";
import {
  bitLength,
  parseFloatText,
  roundedShift,
} from "../../../../src/core/base/float_text.ts";

Deno.test("parseFloatText() takes numbers apart", () => {
  const rows: [string, boolean, number, bigint, number][] = [
    ["12", false, 10, 12n, 0],
    ["-1.50", true, 10, 150n, -2],
    ["+.5e3", false, 10, 5n, 2],
    ["7.E-2", false, 10, 7n, -2],
    ["0xff", false, 2, 255n, 0],
    ["-0X1.8P4", true, 2, 24n, 0],
    ["inf", false, 0, 1n, 0],
    ["-Infinity", true, 0, 1n, 0],
  ];
  for (const [text, negative, base, digits, exponent] of rows) {
    const parsed = parseFloatText(text);
    assertEquals(parsed && { ...parsed }, { negative, base, digits, exponent });
  }
});

Deno.test("roundedShift() rounds ties to even, unless there is more", () => {
  const rows: [bigint, boolean, bigint][] = [
    [0b1000n, false, 0b10n],
    [0b1001n, false, 0b10n],
    [0b1010n, false, 0b10n],
    [0b1010n, true, 0b11n],
    [0b1011n, false, 0b11n],
    [0b1110n, false, 0b100n],
  ];
  for (const [digits, more, rounded] of rows) {
    assertEquals(roundedShift(digits, 2, more), rounded);
  }
});

Deno.test("bitLength() counts bits", () => {
  assertEquals(bitLength(0n), 0);
  for (let bits = 1; bits < 200; bits++) {
    assertEquals(bitLength(1n << BigInt(bits - 1)), bits);
    assertEquals(bitLength((1n << BigInt(bits)) - 1n), bits);
  }
});

import { assert, assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  addLongDouble,
  formatLongDouble,
  isFiniteLongDouble,
  type LongDouble,
  parseLongDouble,
} from "../../../../src/core/base/long_double.ts";

/** Reads a text that lies between other digits. */
function parse(text: string): LongDouble | null {
  return parseLongDouble(latin1BytesOf(`12${text}34`), 2, text.length);
}

/** The sum of two texts, as INCRBYFLOAT replies it. */
function sum(a: string, b: string): string {
  const x = parse(a);
  const y = parse(b);
  assert(x !== null && y !== null, `${a} and ${b} are numbers`);
  return formatLongDouble(addLongDouble(x, y));
}

Deno.test("long doubles add up to the texts of INCRBYFLOAT", () => {
  // As redis-server answers on x86.
  const rows: [string, string, string][] = [
    ["10.50", "0.1", "10.6"],
    ["5.0e3", "2.0e2", "5200"],
    ["0.1", "0.2", "0.3"],
    ["3", "1.1", "4.1"],
    ["1", "-1.1", "-0.1"],
    ["0.5", "-0.5", "0"],
    ["1e18", "0.1", "1000000000000000000.125"],
    ["9223372036854775807", "1", "9223372036854775808"],
    ["18446744073709551615", "1", "18446744073709551616"],
    ["1e20", "1e-5", "100000000000000000000"],
    ["123456789.123456789", "0.000000001", "123456789.12345678999554366"],
    ["3.0", "1.000000000000000005", "4.00000000000000001"],
    ["1e-17", "1e-18", "0.00000000000000001"],
    ["5e-18", "0", "0"],
    ["1.5e-17", "0", "0.00000000000000002"],
    ["-1.1", "-2.2", "-3.3"],
    ["1e40", "1", "9999999999999999999783686092270256259072"],
    ["0x1p-3", "0x1p3", "8.125"],
    ["17179869184", "1.5", "17179869185.5"],
    ["99999999999.99", "0.01", "100000000000"],
    ["1.7976931348623157e308", "-1.7976931348623157e308", "0"],
    ["0.1", "1e-4950", "0.1"],
    ["+.5", "5.", "5.5"],
  ];
  for (const [a, b, text] of rows) {
    assertEquals(sum(a, b), text, `${a} + ${b}`);
    assertEquals(sum(b, a), text, `${b} + ${a}`);
  }
});

Deno.test("long doubles are rounded to 64 bits, ties to even", () => {
  const rows: [string, string][] = [
    ["18446744073709551615", "18446744073709551615"],
    ["18446744073709551617", "18446744073709551616"],
    ["18446744073709551618", "18446744073709551618"],
    ["18446744073709551619", "18446744073709551620"],
    ["36893488147419103233.9", "36893488147419103232"],
    ["36893488147419103234", "36893488147419103232"],
    ["36893488147419103234.0000000001", "36893488147419103236"],
    ["0x1.00000000000000010p64", "18446744073709551616"],
    ["0x1.00000000000000018p64", "18446744073709551618"],
    ["0x1.00000000000000030p64", "18446744073709551620"],
    ["3.0e3", "3000"],
    ["-0.000", "0"],
    ["-1e-30", "0"],
    // Half of the last digit shown: to the even one.
    ["0x1p-18", "0.00000381469726562"],
    ["0x3p-18", "0.00001144409179688"],
  ];
  for (const [text, expected] of rows) assertEquals(sum(text, "0"), expected);
});

Deno.test("long doubles reach from 2^-16445 to 2^16384", () => {
  const max = parse("0x1.fffffffffffffffep16383");
  assert(max !== null);
  const text = formatLongDouble(max);
  assertEquals(text, String((2n ** 64n - 1n) << 16320n));
  assertEquals(text.length, 4933);
  assertEquals(parse("0x1.ffffffffffffffffp16383"), null);
  assertEquals(parse("1e4933"), null);
  assert(!isFiniteLongDouble(addLongDouble(max, max)));
  assertEquals(formatLongDouble(addLongDouble(max, max)), "inf");

  const min = parse("0x1p-16445");
  assertEquals([min?.digits, min?.exponent], [1n, -16445]);
  assertEquals(parse("0x1p-16446"), null);
  assertEquals(parse("0x1.1p-16446")?.digits, 1n);
  assertEquals(parse("1e-4950")?.digits, 3n);
  assertEquals(parse("1e-4951"), null);
});

Deno.test("long doubles are infinite where strtold says so", () => {
  assertEquals(sum("inf", "1"), "inf");
  assertEquals(sum("1", "-Infinity"), "-inf");
  assertEquals(sum("inf", "+INF"), "inf");
  assertEquals(sum("inf", "-inf"), "nan");
  const infinite = parse("inf");
  assert(infinite !== null && !isFiniteLongDouble(infinite));
});

Deno.test("parseLongDouble() refuses what Redis refuses", () => {
  const texts = [
    ...["", " ", " 1", "1 ", "1\0", "a", "1a", "+", "-", ".", "1e", "1e+"],
    ...["0x", "0x.", "0x1p", "nan", "-NAN", "nan(1)", "infinit", "1.2.3"],
    ...["1e5000", "-1e5000", "1e-5000", "1e99999999999999999999"],
    "1" + "0".repeat(5119),
  ];
  for (const text of texts) assertEquals(parse(text), null, text);
  assertEquals(parse("0e99999999999")?.digits, 0n);
  assertEquals(sum("1." + "0".repeat(5117), "0"), "1");
});

import { assertEquals } from "@std/assert";
import { bytesOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  formatDouble,
  formatDouble17,
  formatFixed,
  parseDouble,
  parseLooseDouble,
  readDouble,
} from "../../../../src/core/base/double.ts";
import {
  forgetFloatTexts,
  noteFloatText,
} from "../../../../src/core/base/long_float_text.ts";
import { Random } from "../../../_random.ts";

/** Reads a text that lies between other digits. */
function parse(text: string): number {
  return parseDouble(latin1BytesOf(`12${text}34`), 2, text.length);
}

Deno.test("formatDouble() lays numbers out as Redis", () => {
  const rows: [number, string][] = [
    [0, "0"],
    [-0, "-0"],
    [1, "1"],
    [-1, "-1"],
    [Infinity, "inf"],
    [-Infinity, "-inf"],
    [NaN, "nan"],
    [1.5, "1.5"],
    [-0.1, "-0.1"],
    [0.3, "0.3"],
    [0.1 + 0.2, "0.30000000000000004"],
    [3.14159, "3.14159"],
    [1234.5678, "1234.5678"],
    // Integers have all their digits up to 2^62.
    [1e15, "1000000000000000"],
    [2 ** 53, "9007199254740992"],
    [1e18, "1000000000000000000"],
    [2 ** 62, "4611686018427387904"],
    [-(2 ** 62), "-4611686018427387904"],
    [2 ** 63, "9223372036854776000"],
    [1e19, "1e+19"],
    [1e20, "1e+20"],
    [-1e20, "-1e+20"],
    [1.23e25, "1.23e+25"],
    [1.7976931348623157e308, "1.7976931348623157e+308"],
    // Small numbers.
    [0.00001, "0.00001"],
    [0.000001, "0.000001"],
    [0.0000001, "1e-7"],
    [0.0012345678, "0.0012345678"],
    [0.00012345678, "1.2345678e-4"],
    [1e-10, "1e-10"],
    [1.5e-300, "1.5e-300"],
    // Many digits behind many others.
    [12345.123456, "12345.123456"],
    [12345.1234567, "1.23451234567e+4"],
  ];
  for (const [x, text] of rows) assertEquals(formatDouble(x), text);
});

Deno.test("formatFixed() rounds as printf", () => {
  const rows: [number, number, string][] = [
    [0, 2, "0.00"],
    [1.5, 0, "2"],
    [2.5, 1, "2.5"],
    [200.0078125, 6, "200.007812"],
    [-200.0234375, 6, "-200.023438"],
    [0.125, 2, "0.12"],
    [0.375, 2, "0.38"],
    [1e22, 3, "10000000000000000000000.000"],
    [-1.7, 20, "-1.69999999999999995559"],
  ];
  for (const [x, digits, text] of rows) {
    assertEquals(formatFixed(x, digits), text);
  }
});

Deno.test("formatDouble() writes what parseDouble() reads back", () => {
  const random = new Random(1);
  const view = new DataView(new ArrayBuffer(8));
  for (let round = 0; round < 3_000; round++) {
    view.setUint32(0, random.uint32());
    view.setUint32(4, random.uint32());
    const x = view.getFloat64(0);
    if (!Number.isNaN(x)) assertEquals(parse(formatDouble(x)), x);
    const score = random.below(1e6) / random.pick([1, 10, 100, 1000]);
    assertEquals(parse(formatDouble(score)), score);
  }
});

Deno.test("parseDouble() reads long texts as short ones", () => {
  const zeros = "0".repeat(5000);
  const rows: [string, number][] = [
    [`${zeros}1`, 1],
    [`-${zeros}.${zeros}`, -0],
    [`+1${zeros}e-5000`, 1],
    [`0.${zeros}1E+5001`, 1],
    [`-.${zeros}25e5002`, -25],
    [`9007199254740993.${zeros}`, 9007199254740992],
    [`9007199254740993.${zeros}1`, 9007199254740994],
    [`9007199254740993${zeros}1e-5001`, 9007199254740994],
    [`12${zeros}e-${zeros}5001`, 1.2],
    [`0x${zeros}1f.8p1`, 63],
    [`-0X1${zeros}P-20000`, -1],
    [`0x20000000000001${zeros}p-20000`, 2 ** 53],
    [`0x20000000000001${zeros}.1p-20000`, 2 ** 53 + 2],
    [`1${zeros}`, NaN],
    [`1e${zeros}${zeros}`, 1],
    [`1e5${zeros}`, NaN],
    [`1e-5${zeros}`, NaN],
    [`${zeros}x`, NaN],
    [`${zeros} `, NaN],
    [`${zeros}1.5.5`, NaN],
    [`${zeros}e`, NaN],
    [`${zeros}e+`, NaN],
    [`0x${zeros}e`, 14],
    [`x${zeros}`, NaN],
    [`.e${zeros}`, NaN],
    [`1p${zeros}`, NaN],
  ];
  for (const [text, x] of rows) {
    const short = `${text.slice(0, 9)}..${text.slice(-9)}`;
    assertEquals(parse(text), x, short);
    const bytes = bytesOf(`(${text}`);
    noteFloatText(bytes, 0, bytes.length);
    assertEquals(parseDouble(bytes, 1, text.length), x, short);
    forgetFloatTexts();
  }
});

Deno.test("parseDouble() reads what strtod reads", () => {
  const rows: [string, number][] = [
    ["0", 0],
    ["-0", -0],
    ["007", 7],
    ["+5", 5],
    ["5.", 5],
    [".5", 0.5],
    ["-.5", -0.5],
    ["0.1", 0.1],
    ["123456789012345", 123456789012345],
    ["1234567890123456789", 1234567890123456789],
    ["0.30000000000000004", 0.1 + 0.2],
    ["1e3", 1000],
    ["1E+3", 1000],
    ["1.5e-3", 0.0015],
    ["0e99999", 0],
    ["1e00000000000000000001", 10],
    // The halfway case that must go to the even neighbour.
    ["9007199254740993", 9007199254740992],
    ["9007199254740993." + "0".repeat(900) + "1", 9007199254740994],
    ["1.7976931348623158e308", Number.MAX_VALUE],
    ["4.9e-324", Number.MIN_VALUE],
    ["2.5e-324", Number.MIN_VALUE],
    ["2.2250738585072011e-308", 2.225073858507201e-308],
    ["0x10", 16],
    ["-0X1.8p1", -3],
    ["0x.8", 0.5],
    ["0x1p-1074", Number.MIN_VALUE],
    ["0x1.fffffffffffff7p1023", Number.MAX_VALUE],
    ["0x0p99999999999", 0],
    ["inf", Infinity],
    ["+Inf", Infinity],
    ["-INFINITY", -Infinity],
  ];
  for (const [text, x] of rows) {
    const got = parse(text);
    assertEquals(Object.is(got, x), true, `${text} gives ${got}`);
  }
});

Deno.test("parseDouble() refuses what Redis refuses", () => {
  const texts = [
    ...["", " ", " 1", "1 ", "1\n", "\t1", "1\0", "a", "1a", "1,5", "1_0"],
    ...["+", "-", ".", "-.", "+-1", "--1", "1.2.3", "e5", ".e5", "1e", "1e+"],
    ...["0x", "0x.", "0xg", "0x1p", "0b1", "0o7", "1f", "1n"],
    ...["nan", "NaN", "-nan", "nan(1)", "infinit", "in", "infinity1"],
    ...["1e309", "-1e309", "0x1p1024", "1e99999999999999999999"],
    ...["1e-400", "2.4e-324", "0x1p-1075", "1e-99999999999999999999"],
  ];
  for (const text of texts) assertEquals(parse(text), NaN, text);
});

Deno.test("parseLooseDouble() reads as strtod", () => {
  const rows: [string, number][] = [
    ["", 0],
    ["\0abc", 0],
    ["1.5\0abc", 1.5],
    [`${"0".repeat(5000)}7\0abc`, 7],
    [`\t${"0".repeat(5000)}7`, 7],
    ["x\0abc", NaN],
    [" \0", NaN],
    [" \t\n\v\f\r-2", -2],
    [" ", NaN],
    ["1 ", NaN],
    ["abc", NaN],
    ["nan", NaN],
    ["1.5x", NaN],
    ["0x1p4", 16],
    ["inf", Infinity],
    ["-Infinity", -Infinity],
    ["1e400", Infinity],
    ["-1e400", -Infinity],
    ["1e-400", 0],
    ["-1e-400", -0],
    ["5e-324", 5e-324],
    ["123456789012345678", 123456789012345680],
  ];
  for (const [text, x] of rows) {
    const bytes = latin1BytesOf(`12${text}34`);
    assertEquals(parseLooseDouble(bytes, 2, text.length), x, text);
  }
});

Deno.test("readDouble() reads what both formats write", () => {
  const random = new Random(2);
  const view = new DataView(new ArrayBuffer(8));
  for (let round = 0; round < 3_000; round++) {
    view.setUint32(0, random.uint32());
    view.setUint32(4, random.uint32());
    const x = random.chance(0.5)
      ? view.getFloat64(0)
      : (random.uint32() - 2 ** 31) / random.pick([1, 8, 1000, 1e9]);
    if (Number.isNaN(x)) continue;
    for (const text of [formatDouble(x), formatDouble17(x)]) {
      assertEquals(readDouble(latin1BytesOf(text), 0, text.length), x, text);
    }
  }
  for (const x of [0, -0, Infinity, -Infinity]) {
    const text = formatDouble(x);
    assertEquals(readDouble(latin1BytesOf(text), 0, text.length), x);
  }
});

Deno.test("formatDouble17() writes as %.17g", () => {
  const rows: [number, string][] = [
    [0, "0"],
    [-0, "-0"],
    [Infinity, "inf"],
    [-Infinity, "-inf"],
    [1, "1"],
    [-100, "-100"],
    [1.5, "1.5"],
    [0.1, "0.10000000000000001"],
    [-0.3, "-0.29999999999999999"],
    [3.141592653589793, "3.1415926535897931"],
    [1e16, "10000000000000000"],
    [1e17, "1e+17"],
    [123456789012345678, "1.2345678901234568e+17"],
    [99999999999999990, "99999999999999984"],
    [0.0001, "0.0001"],
    [0.00001, "1.0000000000000001e-05"],
    [5e-324, "4.9406564584124654e-324"],
    [1.7976931348623157e308, "1.7976931348623157e+308"],
    // Halfway between two texts of 17 digits: the even one.
    [2 ** -25, "2.9802322387695312e-08"],
    [3 * 2 ** -26, "4.4703483581542969e-08"],
    [5 * 2 ** -25, "1.4901161193847656e-07"],
  ];
  for (const [x, text] of rows) assertEquals(formatDouble17(x), text);
});

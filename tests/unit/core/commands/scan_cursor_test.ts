import { assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { parseCursor } from "../../../../src/core/commands/scan_cursor.ts";

Deno.test("parseCursor() reads cursors as strtoul does", () => {
  const rows: [string, number][] = [
    ["0", 0],
    ["", 0],
    ["17", 17],
    ["0017", 17],
    ["+5", 5],
    ["4294967295", 4294967295],
    ["999999999999999", 999999999999999],
    ["1\x00junk", 1],
    ["\x00", 0],
    ["18446744073709551615", 2 ** 52 - 1],
    ["-1", 2 ** 52 - 1],
    ["-18446744073709551615", 1],
    ["18446744073709551616", NaN],
    ["-18446744073709551616", NaN],
    ["99999999999999999999999999999", NaN],
    ["-", NaN],
    ["+", NaN],
    ["+-1", NaN],
    [" 1", NaN],
    ["\t1", NaN],
    ["1 ", NaN],
    ["1.5", NaN],
    ["abc", NaN],
    ["0x10", NaN],
  ];
  for (const [text, expected] of rows) {
    const buf = latin1BytesOf(`..${text}..`);
    assertEquals(parseCursor(buf, 2, text.length), expected, text);
  }
});

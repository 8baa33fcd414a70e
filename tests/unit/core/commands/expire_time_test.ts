import { assertEquals } from "@std/assert";
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  INVALID_EXPIRE,
  MILLISECONDS,
  parseExpireMs,
  replyTime,
  SECONDS,
  type UnitMs,
} from "../../../../src/core/commands/expire_time.ts";
import { ReplyWriter } from "../../../../src/core/resp/reply_writer.ts";

const NOW = 1_700_000_000_123;
const INT64_MAX = "9223372036854775807";
const INT64_MIN = "-9223372036854775808";

function parse(
  text: string,
  unitMs: UnitMs,
  baseMs: number,
  mayBePast: boolean,
): number {
  const run = [latin1BytesOf(`1${text}2`), 1, text.length] as const;
  return parseExpireMs(...run, unitMs, baseMs, mayBePast);
}

Deno.test("parseExpireMs() adds the base and the unit", () => {
  assertEquals(parse("1", SECONDS, NOW, false), NOW + 1000);
  assertEquals(parse("1", MILLISECONDS, NOW, false), NOW + 1);
  assertEquals(parse("1", SECONDS, 0, false), 1000);
  assertEquals(parse("1", MILLISECONDS, 0, false), 1);
  assertEquals(parse("-1", SECONDS, NOW, true), NOW - 1000);
  assertEquals(parse("0", MILLISECONDS, 0, true), 0);
});

Deno.test("parseExpireMs() tells what is no integer", () => {
  for (
    const text of ["", "x", "1.5", "01", "+1", " 1", "9223372036854775808"]
  ) {
    for (const mayBePast of [false, true]) {
      assertEquals(parse(text, SECONDS, NOW, mayBePast), NaN, text);
    }
  }
});

Deno.test("parseExpireMs() refuses the past unless it may be", () => {
  for (const text of ["0", "-1", "-9223372036854775", INT64_MIN]) {
    assertEquals(parse(text, SECONDS, NOW, false), INVALID_EXPIRE, text);
    assertEquals(parse(text, MILLISECONDS, NOW, false), INVALID_EXPIRE, text);
  }
});

Deno.test("parseExpireMs() refuses what leaves 64 bits", () => {
  const rows: [string, UnitMs, number, boolean][] = [
    ["9223372036854775", SECONDS, 0, true],
    ["9223372036854776", SECONDS, 0, false],
    ["-9223372036854775", SECONDS, 0, true],
    ["-9223372036854776", SECONDS, 0, false],
    ["9223372036854775", SECONDS, NOW, false],
    ["9221672036854775", SECONDS, NOW, true],
    [INT64_MAX, MILLISECONDS, 0, true],
    [INT64_MAX, MILLISECONDS, NOW, false],
    [INT64_MIN, MILLISECONDS, 0, true],
    [INT64_MIN, MILLISECONDS, NOW, true],
  ];
  for (const [text, unitMs, baseMs, isValid] of rows) {
    const expireAtMs = parse(text, unitMs, baseMs, true);
    assertEquals(
      Number.isFinite(expireAtMs),
      isValid,
      `${text} ${unitMs} ${baseMs}`,
    );
  }
});

Deno.test("far times are right to about a second and stay within 64 bits", () => {
  for (const text of ["9007199254740993", "8999999999999999999", INT64_MAX]) {
    const reply = new ReplyWriter();
    replyTime(reply, parse(text, MILLISECONDS, 0, false));
    const shown = BigInt(asciiOf(reply.buf, 1, reply.at - 3));
    const off = BigInt(text) - shown;
    assertEquals(off > -1024n && off < 1024n, true, text);
    assertEquals(shown < 2n ** 63n, true, text);
  }
});

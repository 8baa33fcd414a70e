import { assert, assertEquals } from "@std/assert";
import { Random } from "../../../_random.ts";
import { Arguments } from "../../../../src/core/resp/arguments.ts";
import {
  BIG,
  BIG_ARGUMENT_BYTES,
  INCOMPLETE,
  INLINE_BYTES_MAX,
  RequestParser,
} from "../../../../src/core/resp/request_parser.ts";
import { CUTS, feed, randomCut, whole } from "./_feed.ts";

type Row = readonly [input: string, requests: string[][], error?: string];

const GET = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";

const ACCEPTED: readonly Row[] = [
  ["", []],
  ["*1\r\n$4\r\nPING\r\n", [["PING"]]],
  [GET + GET, [["GET", "k"], ["GET", "k"]]],
  ["*2\r\n$0\r\n\r\n$0\r\n\r\n", [["", ""]]],
  ["*1\r\n$7\r\na\r\nb\x00\xff\n\r\n", [["a\r\nb\x00\xff\n"]]],
  ["*1\r\n$10\r\n0123456789\r\n", [["0123456789"]]],
  [`*1\r\n$100\r\n${"a".repeat(100)}\r\n`, [["a".repeat(100)]]],
  [`*1\r\n$1000\r\n${"a".repeat(1000)}\r\n`, [["a".repeat(1000)]]],
  [`*12\r\n${"$1\r\nx\r\n".repeat(12)}`, [Array(12).fill("x")]],
  // Counts of nothing are skipped.
  [`*0\r\n*-1\r\n*-10\r\n*-9223372036854775808\r\n${GET}`, [["GET", "k"]]],
  // What stands where line ends belong is not looked at.
  ["*1\rX$4\rYPINGab*1\r\n$1\r\nx\r\n", [["PING"], ["x"]]],
  // An inline request between others.
  [`${GET}PING\r\n${GET}`, [["GET", "k"], ["PING"], ["GET", "k"]]],
];

const REFUSED: readonly Row[] = [
  ["*\r\n", [], "invalid multibulk length"],
  ["*a\r\n", [], "invalid multibulk length"],
  ["*-\r\n", [], "invalid multibulk length"],
  ["*+1\r\n", [], "invalid multibulk length"],
  ["* 1\r\n", [], "invalid multibulk length"],
  ["*01\r\n", [], "invalid multibulk length"],
  ["*1.0\r\n", [], "invalid multibulk length"],
  ["*2147483648\r\n", [], "invalid multibulk length"],
  ["*20000000000\r\n", [], "invalid multibulk length"],
  ["*99999999999999999999\r\n", [], "invalid multibulk length"],
  ["*-9223372036854775809\r\n", [], "invalid multibulk length"],
  ["*1\r\n$-1\r\n", [], "invalid bulk length"],
  ["*1\r\n$\r\n", [], "invalid bulk length"],
  ["*1\r\n$a\r\n", [], "invalid bulk length"],
  ["*1\r\n$05\r\n", [], "invalid bulk length"],
  ["*1\r\n$00\r\n", [], "invalid bulk length"],
  ["*1\r\n$1a\r\n", [], "invalid bulk length"],
  ["*1\r\n$536870913\r\n", [], "invalid bulk length"],
  ["*1\r\n$9223372036854775808\r\n", [], "invalid bulk length"],
  ["*1\r\n4\r\nPING\r\n", [], "expected '$', got '4'"],
  ["*2\r\n$3\r\nGET\r\n:1\r\n", [], "expected '$', got ':'"],
  ["*1\r\n\r\n\r\n", [], "expected '$', got ' '"],
  ["*1\r\n\xff\r\n\r\n", [], "expected '$', got '\xff'"],
  [`${GET}*x\r\n${GET}`, [["GET", "k"]], "invalid multibulk length"],
  ["GET 'k\r\n", [], "unbalanced quotes in request"],
];

Deno.test("RequestParser reads requests in whatever pieces they come", () => {
  for (const [input, requests] of ACCEPTED) {
    for (const [name, cut] of CUTS) {
      assertEquals(feed(input, cut), { requests, error: "" }, name);
    }
  }
});

Deno.test("RequestParser refuses malformed requests at their first line", () => {
  for (const [input, requests, text] of REFUSED) {
    for (const [name, cut] of CUTS) {
      const error = `ERR Protocol error: ${text}`;
      assertEquals(feed(input, cut), { requests, error }, name);
    }
  }
});

Deno.test("RequestParser limits lines that do not end", () => {
  const digits = "1".repeat(INLINE_BYTES_MAX);
  const rows: readonly (readonly [string, string])[] = [
    [`*${digits}`, "too big mbulk count string"],
    [`*1\r\n$${digits}`, "too big bulk count string"],
    [`*1\r\n${digits}1`, "too big bulk count string"],
    [`${digits}1`, "too big inline request"],
  ];
  for (const [input, text] of rows) {
    for (const [name, cut] of CUTS) {
      assertEquals(feed(input.slice(0, -1), cut).error, "", name);
      assertEquals(feed(input, cut).error, `ERR Protocol error: ${text}`, name);
    }
  }
});

Deno.test("RequestParser limits what comes before AUTH", () => {
  const prepare = (parser: RequestParser) =>
    void (parser.unauthenticated = true);
  const allowed = `*10\r\n${"$1\r\nx\r\n".repeat(9)}$16384\r\n${
    "y".repeat(16384)
  }\r\n`;
  for (const [name, cut] of CUTS) {
    assertEquals(feed(allowed, cut, prepare).requests[0]?.length, 10, name);
    assertEquals(
      feed("*11\r\n", cut, prepare).error,
      "ERR Protocol error: unauthenticated multibulk length",
    );
    assertEquals(
      feed("*1\r\n$16385\r\n", cut, prepare).error,
      "ERR Protocol error: unauthenticated bulk length",
    );
  }
});

Deno.test("RequestParser obeys proto-max-bulk-len for short lengths too", () => {
  const prepare = (parser: RequestParser) => void (parser.bulkBytesMax = 5);
  const error = "ERR Protocol error: invalid bulk length";
  assertEquals(feed("*1\r\n$5\r\n12345\r\n", whole, prepare).error, "");
  assertEquals(feed("*1\r\n$6\r\n123456\r\n", whole, prepare).error, error);
});

Deno.test("RequestParser hands long arguments over as they come", () => {
  const long = "0123456789abcdef".repeat(BIG_ARGUMENT_BYTES / 16);
  const requests = [
    ["SET", "k", long],
    [long + "x", "small", long],
    ["PING"],
    ["MSET", "a", "1", "b", long, "c", "3"],
  ];
  const input = requests.map((argv) =>
    `*${argv.length}\r\n` +
    argv.map((word) => `$${word.length}\r\n${word}\r\n`).join("")
  ).join("");
  for (const [name, cut] of CUTS) {
    assertEquals(feed(input, cut), { requests, error: "" }, name);
  }
});

Deno.test("RequestParser reserves nothing for what is only announced", () => {
  const args = new Arguments();
  const parser = new RequestParser();
  args.buf = new TextEncoder().encode(
    "*2147483647\r\n$3\r\nGET\r\n$1000000\r\n",
  );
  assertEquals(parser.next(args, 13), INCOMPLETE);
  assertEquals(args.off.length, new Arguments().off.length);
  assertEquals(parser.next(args, args.buf.length), BIG);
  assertEquals(parser.bigLength, 1_000_000);
  assert(parser.isMidRequest);
});

Deno.test("RequestParser reads random pipelines as they were written", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = new Random(seed);
    const requests: string[][] = [];
    let input = "";
    for (let i = 0; i < 30; i++) {
      const argv = Array.from(
        { length: 1 + random.below(random.chance(0.1) ? 200 : 5) },
        () => randomWord(random),
      );
      requests.push(argv);
      input += `*${argv.length}\r\n`;
      for (const word of argv) input += `$${word.length}\r\n${word}\r\n`;
    }
    const outcome = feed(input, randomCut(seed));
    assertEquals(outcome, { requests, error: "" }, `SEED=${seed}`);
  }
});

function randomWord(random: Random): string {
  const isLong = random.chance(0.01);
  const length = isLong
    ? BIG_ARGUMENT_BYTES - 2 + random.below(5)
    : random.below(1 << random.below(11));
  const byte = String.fromCharCode(random.below(256));
  const other = random.pick(["\r\n", "$", "*1\r\n", "\x00", "a"]);
  return (byte + other).repeat(length).slice(0, length);
}

import { assertEquals } from "@std/assert";
import { keySlot, Random, tagsOnDistinctSlots } from "../_harness.ts";
import { type Reply, ReplyParser } from "../_resp_reply.ts";
import { fromBinary, toBinary } from "../_resp_reply.ts";
import { isSame, sameElements, within } from "./_compare.ts";
import { generateScript, key, row, value } from "./_generate.ts";
import { shrink } from "./_shrink.ts";

const STREAM =
  "+OK\r\n-ERR no\r\n:-7\r\n:9223372036854775807\r\n$-1\r\n*-1\r\n" +
  "$0\r\n\r\n$2\r\n\r\n\r\n*0\r\n*2\r\n*1\r\n$1\r\nx\r\n:1\r\n_\r\n,1.5\r\n" +
  ",-inf\r\n#t\r\n(12345678901234567890\r\n=6\r\ntxt:ab\r\n%1\r\n+k\r\n~0\r\n" +
  ">1\r\n+p\r\n|1\r\n+a\r\n:1\r\n+after\r\n!3\r\nBAD\r\n";

function parse(pieces: readonly Uint8Array[]): Reply[] {
  const parser = new ReplyParser();
  const replies: Reply[] = [];
  let raw = "";
  for (const piece of pieces) {
    parser.feed(piece);
    for (let f = parser.next(); f !== null; f = parser.next()) {
      replies.push(f.reply);
      raw += toBinary(f.raw);
    }
  }
  assertEquals(raw, STREAM);
  return replies;
}

Deno.test("ReplyParser keeps RESP types apart, whole and byte by byte", () => {
  const bytes = fromBinary(STREAM);
  const whole = parse([bytes]);
  assertEquals(
    whole.map(({ type }) => type).join(" "),
    "simple error int int null null bulk bulk array array null double double " +
      "bool bignum verbatim map push simple error",
  );
  assertEquals(whole[3], { type: "int", value: 9223372036854775807n });
  assertEquals(whole[5], { type: "null", form: "array" });
  assertEquals(parse([...bytes].map((byte) => Uint8Array.of(byte))), whole);
});

Deno.test("shrink finds the two commands that matter", async () => {
  const items = Array.from({ length: 60 }, (_, i) => i);
  const found = await shrink(
    items,
    (part) => Promise.resolve(part.includes(7) && part.includes(41)),
  );
  assertEquals(found, [7, 41]);
});

Deno.test("generateScript makes the same script from the same seed", () => {
  const rows = [row("SET", [key, value]), row("GET", [key])];
  const make = (seed: number) => generateScript(rows, new Random(seed), 50);
  assertEquals(make(3), make(3));
  assertEquals(JSON.stringify(make(3)) === JSON.stringify(make(4)), false);
});

Deno.test("isSame excuses order and clocks, never codes and errors", () => {
  const frame = (text: string) => {
    const parser = new ReplyParser();
    parser.feed(fromBinary(text));
    return parser.next()!;
  };
  const same = (a: string, b: string, check?: typeof sameElements) =>
    isSame(frame(a), frame(b), check);
  assertEquals(same("*2\r\n+a\r\n+b\r\n", "*2\r\n+b\r\n+a\r\n"), false);
  const ab = "*2\r\n+a\r\n+b\r\n";
  assertEquals(same(ab, "*2\r\n+b\r\n+a\r\n", sameElements), true);
  assertEquals(same(ab, "*2\r\n+b\r\n+b\r\n", sameElements), false);
  assertEquals(same(":5000\r\n", ":5001\r\n", within(2)), true);
  assertEquals(same(":5000\r\n", ":5003\r\n", within(2)), false);
  assertEquals(same(":-1\r\n", ":-2\r\n", within(2)), false);
  assertEquals(same("-ERR a\r\n", "-ERR b\r\n", sameElements), false);
});

Deno.test("tagsOnDistinctSlots spreads over the slots both ways", () => {
  assertEquals(keySlot("123456789"), 0x31c3);
  assertEquals(keySlot("x{123456789}y{z}"), 0x31c3);
  const slots = tagsOnDistinctSlots(16).map(keySlot);
  assertEquals(new Set(slots.map((slot) => slot % 16)).size, 16);
  assertEquals(new Set(slots.map((slot) => slot >> 10)).size, 16);
});

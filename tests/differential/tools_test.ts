import { assertEquals } from "@std/assert";
import { keySlot, Random, tagsOnDistinctSlots } from "../_harness.ts";
import { type Reply, ReplyParser } from "../_resp_reply.ts";
import { fromBinary, toBinary } from "../_resp_reply.ts";
import {
  type Check,
  exceptFields,
  isSame,
  sameElements,
  sameElementsAndNumbers,
  sameEncoding,
  sameNumbers,
  samePairs,
  sameShape,
  within,
} from "./_compare.ts";
import { member, newStreamId, score } from "./_elements.ts";
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
  const rows = [
    row("SET", [key, value]),
    row("ZADD", [key, score, member]),
    row("XADD", [key, newStreamId, member, value]),
  ];
  const make = (seed: number) => generateScript(rows, new Random(seed), 50);
  assertEquals(make(3), make(3));
  assertEquals(JSON.stringify(make(3)) === JSON.stringify(make(4)), false);
});

/** Whether two replies, without the `\r\n` between lines, count as the same. */
function same(a: string, b: string, check?: Check): boolean {
  const frame = (text: string) => {
    const parser = new ReplyParser();
    parser.feed(fromBinary(`${text.replaceAll(" ", "\r\n")}\r\n`));
    return parser.next()!;
  };
  return isSame(frame(a), frame(b), check);
}

Deno.test("isSame excuses order and clocks, never codes and errors", () => {
  const ab = "*2 +a +b";
  assertEquals(same(ab, "*2 +b +a"), false);
  assertEquals(same(ab, "*2 +b +a", sameElements), true);
  assertEquals(same(ab, "*2 +b +b", sameElements), false);
  assertEquals(same(ab, "*1 +a", sameElements), false);
  assertEquals(same("~2 +a +b", "~2 +b +a", sameElements), true);
  assertEquals(same("~2 +a +b", "*2 +b +a", sameElements), false);
  assertEquals(same(":5000", ":5001", within(2)), true);
  assertEquals(same(":5000", ":5003", within(2)), false);
  assertEquals(same(":-1", ":-2", within(2)), false);
  assertEquals(same("-ERR_a", "-ERR_b", sameElements), false);
});

Deno.test("samePairs keeps fields and values together", () => {
  const flat = "*4 +a +1 +b +2";
  assertEquals(same(flat, "*4 +b +2 +a +1", samePairs), true);
  assertEquals(same(flat, "*4 +b +1 +a +2", samePairs), false);
  assertEquals(same("%2 +a +1 +b +2", "%2 +b +2 +a +1", samePairs), true);
  assertEquals(same("%1 +a +1", "%1 +a +2", samePairs), false);
  const nested = "*2 *2 +a ,1 *2 +b ,2";
  assertEquals(same(nested, "*2 *2 +b ,2 *2 +a ,1", samePairs), true);
  assertEquals(same(nested, "*2 *2 +b ,1 *2 +a ,2", samePairs), false);
});

Deno.test("sameShape looks at types and counts alone", () => {
  assertEquals(same("*2 +a *1 :1", "*2 +b *1 :7", sameShape), true);
  assertEquals(same("*2 +a *1 :1", "*2 +b *1 +c", sameShape), false);
  assertEquals(same("*1 +a", "*2 +a +b", sameShape), false);
  assertEquals(same("$1 a", "$-1", sameShape), false);
});

Deno.test("sameNumbers excuses the text of a double and nothing else", () => {
  const long = "$19 0.10000000000000001";
  assertEquals(same(long, "$3 0.1", sameNumbers), true);
  assertEquals(same(long, "$3 0.2", sameNumbers), false);
  assertEquals(
    same("*1 ,4.9406564584124654e-324", "*1 ,5e-324", sameNumbers),
    true,
  );
  assertEquals(same("$5 1e+17", "$18 100000000000000000", sameNumbers), true);
  assertEquals(same("$3 1.0", "$1 1", sameNumbers), false);
  assertEquals(same("$1 1", "$3 1.0", sameNumbers), false);
  assertEquals(same("*2 +a +b", "*2 +b +a", sameNumbers), false);
  assertEquals(
    same(`*2 +a ${long}`, "*2 $3 0.1 +a", sameElementsAndNumbers),
    true,
  );
});

Deno.test("exceptFields frees the values of fields at any level", () => {
  const check = exceptFields("idle");
  assertEquals(
    same("*1 *4 $1 n :1 $4 idle :3", "*1 *4 $1 n :1 $4 idle :5", check),
    true,
  );
  assertEquals(
    same("*1 *4 $1 n :1 $4 idle :3", "*1 *4 $1 n :2 $4 idle :3", check),
    false,
  );
  assertEquals(same("%1 $4 idle :3", "%1 $4 idle +3", check), false);
});

Deno.test("sameEncoding knows what later versions pack", () => {
  assertEquals(same("$9 quicklist", "$8 listpack", sameEncoding), true);
  assertEquals(same("$8 listpack", "$9 quicklist", sameEncoding), false);
});

Deno.test("tagsOnDistinctSlots spreads over the slots both ways", () => {
  assertEquals(keySlot("123456789"), 0x31c3);
  assertEquals(keySlot("x{123456789}y{z}"), 0x31c3);
  const slots = tagsOnDistinctSlots(16).map(keySlot);
  assertEquals(new Set(slots.map((slot) => slot % 16)).size, 16);
  assertEquals(new Set(slots.map((slot) => slot >> 10)).size, 16);
});

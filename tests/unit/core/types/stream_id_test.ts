/** IDs of stream entries: src/core/types/stream_id.ts. */
import { assert, assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  ID_ANY_SEQUENCE,
  ID_INVALID,
  ID_READ,
  StreamId,
} from "../../../../src/core/types/stream_id.ts";
import { type Random, seeded } from "../../../_harness.ts";

const MAX = "18446744073709551615";

function parse(text: string, missingIsGreatest = false): [number, string] {
  const id = new StreamId();
  const bytes = latin1BytesOf(`?${text}`);
  const kind = id.parse(bytes, 1, text.length, missingIsGreatest);
  return [kind, kind === ID_INVALID ? "" : id.toString()];
}

/** Two integers as an ID. */
function idOf(ms: bigint, seq: bigint): StreamId {
  const id = new StreamId();
  id.msHigh = Number(BigInt.asIntN(32, ms >> 32n));
  id.msLow = Number(BigInt.asIntN(32, ms));
  id.seqHigh = Number(BigInt.asIntN(32, seq >> 32n));
  id.seqLow = Number(BigInt.asIntN(32, seq));
  return id;
}

Deno.test("StreamId reads and writes IDs of every size", () => {
  const parts = [
    ...["0", "1", "9", "4294967295", "4294967296", "999999999999999"],
    ...["1000000000000000", "9007199254740991", "9007199254740993"],
    ...["9223372036854775807", "9223372036854775808", MAX],
  ];
  for (const ms of parts) {
    for (const seq of parts) {
      assertEquals(parse(`${ms}-${seq}`), [ID_READ, `${ms}-${seq}`]);
    }
    assertEquals(parse(ms), [ID_READ, `${ms}-0`]);
    assertEquals(parse(ms, true), [ID_READ, `${ms}-${MAX}`]);
    assertEquals(parse(`${ms}-*`), [ID_ANY_SEQUENCE, `${ms}-0`]);
  }
});

Deno.test("StreamId takes the numbers that strtoull takes", () => {
  const rows: [string, string][] = [
    ["007-01", "7-1"],
    [" 7-\t1", "7-1"],
    ["+7-+1", "7-1"],
    ["7--01", `7-${MAX}`],
    ["7--0", "7-0"],
    ["7--9223372036854775809", "7-9223372036854775807"],
    ["7\0-1", "7-0"],
    ["7-1\0x", "7-1"],
  ];
  for (const [text, expected] of rows) {
    assertEquals(parse(text), [ID_READ, expected], text);
  }
  const wrong = [
    ...["", "-", "+", "a", "1a", "1-a", "1-", "-1", "1-1-1", "1 -1", "1-1 "],
    ...["7--1", "7--9223372036854775808", "7-+", "7- ", "--", "(1", "*", "*-1"],
    ...["18446744073709551616", "1-18446744073709551616", "1-**", "1-\0*"],
    "0".repeat(128),
  ];
  for (const text of wrong) assertEquals(parse(text), [ID_INVALID, ""], text);
  assertEquals(parse("0".repeat(127)), [ID_READ, "0-0"]);
});

Deno.test("StreamId counts on and back across its words", () => {
  const id = idOf(0n, 2n ** 64n - 1n);
  assert(!id.incrementSequence());
  assertEquals(id.toString(), `0-${MAX}`);
  assert(id.increment());
  assertEquals(id.toString(), "1-0");
  assert(id.decrement());
  assertEquals(id.toString(), `0-${MAX}`);
  id.setGreatest();
  assert(id.isGreatest() && !id.isLeast());
  assert(!id.increment());
  assert(id.isLeast() && !id.isGreatest());
  assert(!id.decrement());
  assert(id.isGreatest());
  id.setTime(2 ** 53 - 1);
  assertEquals(id.toString(), "9007199254740991-0");
});

seeded("StreamId computes as big integers do", (random) => {
  for (let i = 0; i < 2000; i++) {
    const [a, b, c, d] = [far(random), far(random), far(random), far(random)];
    const [x, y] = [idOf(a, b), idOf(c, d)];
    const order = a !== c ? (a < c ? -1 : 1) : b < d ? -1 : b > d ? 1 : 0;
    assertEquals(x.compare(y), order);
    const words = new Int32Array(6);
    y.write(words, 1);
    assertEquals(x.compareWords(words, 1), order);
    const sum = new StreamId();
    sum.setSum(x, y.msHigh, y.msLow, y.seqHigh, y.seqLow);
    const wrapped = [a + c, b + d].map((n) => BigInt.asUintN(64, n));
    assertEquals(sum.toString(), wrapped.join("-"));
    const text = `${a}-${b}`;
    assertEquals(parse(text), [ID_READ, text]);
    const next = new StreamId();
    next.set(x);
    assertEquals(next.increment(), a !== 2n ** 64n - 1n || b !== a);
    assertEquals(
      next.toString(),
      b === 2n ** 64n - 1n
        ? `${BigInt.asUintN(64, a + 1n)}-0`
        : `${a}-${b + 1n}`,
    );
    next.decrement();
    assertEquals(next.compare(x), 0);
  }
}, { count: 3 });

/** Integers of 64 bits, most of them at the border of a word. */
function far(random: Random): bigint {
  const border = random.pick([0n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n]);
  const near = BigInt(random.between(-2, 2));
  const n = random.chance(0.7)
    ? border + near
    : BigInt(random.uint32()) << 32n | BigInt(random.uint32());
  return BigInt.asUintN(64, n);
}

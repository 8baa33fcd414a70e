import { assert, assertEquals } from "@std/assert";
import {
  asciiOf,
  bytesOf,
  compareBytes,
  compareLong,
  copyBytes,
  equalBytes,
  equalsIgnoreCase,
  latin1BytesOf,
  utf8Of,
} from "../../../../src/core/base/bytes.ts";
import { Random } from "../../../_random.ts";

/** A text in the middle of other bytes, in shared memory. */
function within(text: string): [Uint8Array, number, number] {
  const buf = new Uint8Array(new SharedArrayBuffer(text.length + 7)).fill(0x7a);
  buf.set(latin1BytesOf(text), 3);
  return [buf, 3, text.length];
}

Deno.test("compareBytes() orders as memcmp, prefixes first", () => {
  const ordered = ["", "\0", "a", "a\0", "aa", "ab", "b", "\x7f", "\x80", "ÿ"];
  ordered.forEach((one, i) => {
    ordered.forEach((other, j) => {
      const order = compareBytes(...within(one), ...within(other));
      assertEquals(Math.sign(order), Math.sign(i - j), `${one} and ${other}`);
      const equal = equalBytes(...within(one), ...within(other));
      assertEquals(equal, i === j, `${one} and ${other}`);
    });
  });
});

Deno.test("compareLong() orders as compareBytes(), wherever runs begin", () => {
  const random = new Random(2);
  for (let round = 0; round < 300; round++) {
    const [a, b] = [0, 0].map(() =>
      new Uint8Array(random.below(140)).fill(200)
    );
    for (const run of [a!, b!]) {
      if (random.chance(0.7)) run[random.below(run.length)] = random.below(256);
    }
    const from = [0, 0].map(() => random.pick([0, 8, 1, 6]));
    const [one, other] = [a!, b!].map((run, i) => {
      const buf = new Uint8Array(run.length + 9);
      buf.set(run, from[i]);
      return buf;
    });
    const order = compareLong(
      ...[one!, from[0]!, a!.length, other!, from[1]!, b!.length] as const,
    );
    const expected = compareBytes(a!, 0, a!.length, b!, 0, b!.length);
    assertEquals(Math.sign(order), Math.sign(expected));
  }
});

Deno.test("copyBytes() moves runs of all lengths, overlapping or not", () => {
  const random = new Random(1);
  for (let round = 0; round < 500; round++) {
    const length = random.below(120);
    const shared = new Uint8Array(new SharedArrayBuffer(300));
    for (let i = 0; i < shared.length; i++) shared[i] = random.below(256);
    const expected = Uint8Array.from(shared);
    const from = random.below(150);
    const to = random.below(150);
    expected.copyWithin(to, from, from + length);
    copyBytes(shared, from, shared, to, length);
    assertEquals(Uint8Array.from(shared), expected);
  }
});

Deno.test("copyBytes() moves long runs, shared or not, however they lie", () => {
  const random = new Random(2);
  const make = (isShared: boolean) =>
    new Uint8Array(
      isShared ? new SharedArrayBuffer(50_000) : new ArrayBuffer(50_000),
    );
  for (let round = 0; round < 200; round++) {
    const from = make(random.chance(0.5)).subarray(random.below(9));
    const to = make(random.chance(0.5)).subarray(random.below(9));
    for (let i = 0; i < from.length; i += 1 + random.below(9)) from[i] = i;
    const length = random.below(40_000);
    const [at, out] = [random.below(99), 1 + random.below(99)];
    const expected = Uint8Array.from(to);
    expected.set(from.subarray(at, at + length), out);
    copyBytes(from, at, to, out, length);
    assertEquals(
      compareBytes(to, 0, to.length, expected, 0, expected.length),
      0,
      `round ${round}`,
    );
  }
});

Deno.test("bytesOf() and utf8Of() are UTF-8", () => {
  assertEquals([...bytesOf("aé")], [0x61, 0xc3, 0xa9]);
  assertEquals(utf8Of(...within("a\xc3\xa9\xff")), "aé\ufffd");
});

Deno.test("asciiOf() keeps every byte", () => {
  const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i));
  const text = all.join("").repeat(70);
  assertEquals(asciiOf(...within(text)), text);
  assertEquals(asciiOf(...within("")), "");
});

Deno.test("equalsIgnoreCase() ignores the case of ASCII letters only", () => {
  const matches = (text: string, lower: string) =>
    equalsIgnoreCase(...within(text), latin1BytesOf(lower));
  assert(matches("GeT", "get"));
  assert(matches("get-9", "get-9"));
  assert(!matches("gets", "get"));
  assert(!matches("ge", "get"));
  // Each differs from the expected one by the bit that tells cases apart.
  assert(!matches("@[", "`{"));
  assert(!matches("\xc1", "\xe1"));
});

import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { Prng } from "../../../../src/core/base/prng.ts";

Deno.test("Prng gives the same numbers for the same seed", () => {
  const take = (seed: number) => {
    const prng = new Prng(seed);
    return Array.from({ length: 100 }, () => prng.nextUint32());
  };
  assertEquals(take(7), take(7));
  assert(take(7).every((n, i) => n !== take(8)[i]));
  // Seeds are taken modulo 2^32; zero is a seed as any other.
  assertEquals(take(-1), take(0xffffffff));
  assertEquals(new Set(take(0)).size, 100);
});

Deno.test("Prng.nextUint32() has each bit set half of the time", () => {
  const prng = new Prng(1);
  const counts = new Array<number>(32).fill(0);
  for (let i = 0; i < 20_000; i++) {
    const n = prng.nextUint32();
    assert(Number.isInteger(n) && n >= 0 && n < 2 ** 32);
    for (let bit = 0; bit < 32; bit++) counts[bit]! += (n >>> bit) & 1;
  }
  for (const count of counts) assertAlmostEquals(count, 10_000, 400);
});

Deno.test("Prng.nextFloat() and below() stay in range and spread", () => {
  const prng = new Prng(2);
  const tenths = new Array<number>(10).fill(0);
  const below = new Array<number>(7).fill(0);
  for (let i = 0; i < 20_000; i++) {
    const x = prng.nextFloat();
    assert(x >= 0 && x < 1);
    tenths[Math.floor(x * 10)]! += 1;
    below[prng.below(7)]! += 1;
  }
  for (const count of tenths) assertAlmostEquals(count, 2_000, 250);
  for (const count of below) assertAlmostEquals(count, 20_000 / 7, 300);
  assertEquals(prng.below(1), 0);
});

import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../../../src/core/base/bytes.ts";
import { halfSipHash } from "../../../../src/core/base/half_siphash.ts";
import { Random } from "../../../_random.ts";

/** HalfSipHash with any numbers of rounds, from the text of its definition. */
function definition(
  rounds: number,
  finalRounds: number,
  bytes: Uint8Array,
  k0: number,
  k1: number,
): number {
  const word = (x: bigint) => BigInt.asUintN(32, x);
  const rotate = (x: bigint, bits: bigint) =>
    word(x << bits) | (x >> (32n - bits));
  const key0 = word(BigInt(k0));
  const key1 = word(BigInt(k1));
  let [a, b, c, d] = [key0, key1, 0x6c796765n ^ key0, 0x74656462n ^ key1];
  const run = (times: number) => {
    for (let i = 0; i < times; i++) {
      [a, c] = [word(a + b), word(c + d)];
      [b, d] = [rotate(b, 5n) ^ a, rotate(d, 8n) ^ c];
      a = rotate(a, 16n);
      [a, c] = [word(a + d), word(c + b)];
      [b, d] = [rotate(b, 13n) ^ c, rotate(d, 7n) ^ a];
      c = rotate(c, 16n);
    }
  };
  const padded = new Uint8Array((bytes.length & ~3) + 4);
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length;
  const view = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += 4) {
    const m = BigInt(view.getUint32(at, true));
    d ^= m;
    run(rounds);
    a ^= m;
  }
  c ^= 0xffn;
  run(finalRounds);
  return Number(b ^ d);
}

Deno.test("halfSipHash() gives the test vectors of Linux", () => {
  // lib/test_siphash.c, 32 bit: the bytes 0, 1, 2... under the key 0 to 7.
  const vectors: [number, number][] = [
    ...[[0, 0x5814c896], [1, 0xe7e864ca], [2, 0xbc4b0e30], [3, 0x01539939]],
    ...[[4, 0x7e059ea6], [5, 0x88e3d89b], [8, 0x577999b1], [15, 0xd0257b04]],
    ...[[16, 0x8b31d501], [31, 0x08d8791a], [62, 0x74c1ebf8]],
    [63, 0x87178304],
  ] as [number, number][];
  const bytes = Uint8Array.from({ length: 64 }, (_, i) => i);
  for (const [length, expected] of vectors) {
    const hash = halfSipHash(bytes, 0, length, 0x03020100, 0x07060504);
    assertEquals(hash >>> 0, expected, `${length} bytes`);
    assertEquals(hash, hash | 0);
  }
});

Deno.test("halfSipHash() agrees with its definition", () => {
  const random = new Random(1);
  const shared = new Uint8Array(new SharedArrayBuffer(400));
  for (let i = 0; i < shared.length; i++) shared[i] = random.below(256);
  for (let round = 0; round < 400; round++) {
    const off = random.below(40);
    const length = random.below(round < 300 ? 40 : 300);
    const [k0, k1] = [random.uint32() | 0, random.uint32() | 0];
    const run = shared.slice(off, off + length);
    assertEquals(
      halfSipHash(shared, off, length, k0, k1) >>> 0,
      definition(1, 3, run, k0, k1),
    );
  }
});

Deno.test("halfSipHash() spreads similar keys, under any key", () => {
  const count = 16_384;
  for (const [k0, k1] of [[0, 0], [1, 2], [-123456789, 987654321]] as const) {
    const low = new Uint32Array(256);
    const high = new Uint32Array(256);
    const all = new Set<number>();
    for (let i = 0; i < count; i++) {
      const key = bytesOf(`key:${String(i).padStart(12, "0")}`);
      const hash = halfSipHash(key, 0, key.length, k0, k1);
      low[hash & 255]! += 1;
      high[hash >>> 24]! += 1;
      all.add(hash);
    }
    // Some 0.03 collisions are to be expected; 64 per bucket, give or take 8.
    assert(all.size > count - 4);
    for (const bucket of [...low, ...high]) {
      assert(bucket > 20 && bucket < 120, `a bucket of ${bucket}`);
    }
  }
});

Deno.test("halfSipHash() depends on each bit of key and bytes", () => {
  const bytes = bytesOf("some key of 24 bytes....");
  const hash = halfSipHash(bytes, 0, bytes.length, 5, 6);
  for (let bit = 0; bit < 32; bit++) {
    const flip = 1 << bit;
    assert(hash !== halfSipHash(bytes, 0, bytes.length, 5 ^ flip, 6));
    assert(hash !== halfSipHash(bytes, 0, bytes.length, 5, 6 ^ flip));
  }
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const other = bytes.slice();
    other[bit >> 3]! ^= 1 << (bit & 7);
    assert(hash !== halfSipHash(other, 0, other.length, 5, 6));
  }
});

import { assertEquals } from "@std/assert";
import { bytesOf } from "../../../../src/core/base/bytes.ts";
import { murmurHash64A } from "../../../../src/core/base/murmur_hash.ts";
import { Random } from "../../../_harness.ts";

/** The seed of Redis's HyperLogLogs. */
const SEED = 0xadc83b19;
const M = 0xc6a4a7935bd1e995n;

/** The hash in hexadecimal, of bytes in the middle of a buffer. */
function hash(bytes: Uint8Array, seed: number): string {
  const buf = new Uint8Array(bytes.length + 5).fill(0xaa);
  buf.set(bytes, 3);
  const out = new Int32Array(2);
  murmurHash64A(buf, 3, bytes.length, seed | 0, out);
  return [out[1]!, out[0]!]
    .map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

/** The algorithm as it is written down, with numbers of any size. */
function model(bytes: Uint8Array, seed: number): string {
  const multiply = (a: bigint) => BigInt.asUintN(64, a * M);
  const littleEndian = (part: Uint8Array) =>
    part.reduceRight((sum, byte) => sum << 8n | BigInt(byte), 0n);
  let h = BigInt(seed >>> 0) ^ multiply(BigInt(bytes.length));
  const blocks = bytes.length >> 3;
  for (let i = 0; i < blocks; i++) {
    let k = multiply(littleEndian(bytes.subarray(i * 8, i * 8 + 8)));
    k = multiply(k ^ k >> 47n);
    h = multiply(h ^ k);
  }
  const rest = bytes.subarray(blocks * 8);
  if (rest.length > 0) h = multiply(h ^ littleEndian(rest));
  h = multiply(h ^ h >> 47n);
  return (h ^ h >> 47n).toString(16).padStart(16, "0");
}

Deno.test("murmurHash64A has the known hashes", () => {
  const rows: [text: string | Uint8Array, seed: number, expected: string][] = [
    ["", 0, "0000000000000000"],
    ["", SEED, "d8dfea6585bc9732"],
    ["a", 0, "071717d2d36b6b11"],
    ["hello", SEED, "0f656f01eecfe400"],
    ["abcdefgh", SEED, "f3a65df559914567"],
    ["abcdefghi", 0, "c9b9d84356146ac2"],
    [
      "The quick brown fox jumps over the lazy dog",
      SEED,
      "51606c5c5b561ace",
    ],
    [Uint8Array.from({ length: 256 }, (_, i) => i), SEED, "595202c04f157049"],
    [new Uint8Array(15).fill(0xff), 0xffffffff, "2d60c88c2f2937df"],
  ];
  for (const [text, seed, expected] of rows) {
    const bytes = typeof text === "string" ? bytesOf(text) : text;
    assertEquals(hash(bytes, seed), expected, `${text}`);
  }
});

Deno.test("murmurHash64A agrees with a model in big integers", () => {
  const random = new Random(1);
  for (let i = 0; i < 2000; i++) {
    const length = random.below(random.pick([9, 40, 200]));
    const bytes = Uint8Array.from({ length }, () => random.below(256));
    const seed = random.uint32();
    assertEquals(hash(bytes, seed), model(bytes, seed));
  }
});

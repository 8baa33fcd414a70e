import { assert, assertEquals } from "@std/assert";
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  compareInt64,
  Int64,
  parseInt64,
  writeInt64,
} from "../../../../src/core/base/int64.ts";
import { Random } from "../../../_random.ts";

/** The integer that a text between other digits is read as, or null. */
function read(text: string): bigint | null {
  const into = new Int64();
  const bytes = latin1BytesOf(`12${text}34`);
  if (!parseInt64(bytes, 2, text.length, into)) return null;
  assertEquals([into.hi | 0, into.lo | 0], [into.hi, into.lo], text);
  return BigInt(into.hi) << 32n | BigInt(into.lo >>> 0);
}

function write(n: bigint): string {
  const out = new Uint8Array(30);
  const hi = Number(BigInt.asIntN(32, n >> 32n));
  const lo = Number(BigInt.asIntN(32, n));
  const end = writeInt64(hi, lo, out, 3);
  return asciiOf(out, 3, end - 3);
}

const NUMBERS = [
  ...[0n, 1n, 9n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n],
  ...[10n ** 9n, 10n ** 15n, 10n ** 16n, 10n ** 18n, 9n * 10n ** 18n],
  ...[4294967295n << 16n, 4294967296000000000n, 1152921504606846976n],
].flatMap((n) => [n, n + 1n, n - 1n, -n, -n - 1n, -n + 1n]).filter((n) =>
  BigInt.asIntN(64, n) === n
);

Deno.test("integers of 64 bits are read and written exactly", () => {
  for (const n of NUMBERS) {
    assertEquals(read(String(n)), n);
    assertEquals(write(n), String(n));
  }
  const random = new Random(1);
  for (let i = 0; i < 20_000; i++) {
    const bits = BigInt(random.uint32()) << 32n | BigInt(random.uint32());
    const n = BigInt.asIntN(64, bits) >> BigInt(random.below(64));
    assertEquals(read(String(n)), n);
    assertEquals(write(n), String(n));
  }
});

Deno.test("other texts are no integers of 64 bits", () => {
  const texts = [
    ...["", "-", "-0", "00", "+1", " 1", "1 ", "1.0", "a", "a".repeat(19)],
    ...["9223372036854775808", "-9223372036854775809", "0".repeat(19)],
    ...["1234567890123456x", "123456789012345678901", "-12345678901234567890"],
  ];
  for (const text of texts) assertEquals(read(text), null, text);
});

Deno.test("integers of 64 bits are ordered by sign and both words", () => {
  const words = (n: bigint) =>
    [Number(n >> 32n), Number(BigInt.asIntN(32, n))] as const;
  for (const a of NUMBERS) {
    for (const b of NUMBERS) {
      const order = compareInt64(...words(a), ...words(b));
      assert(Math.sign(order) === (a < b ? -1 : a > b ? 1 : 0), `${a} ${b}`);
    }
  }
});

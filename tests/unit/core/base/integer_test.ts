import { assert, assertEquals } from "@std/assert";
import { asciiOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  decimalLength,
  INTEGER_BYTES_MAX,
  isCanonicalInteger,
  parseBigInteger,
  parseSafeInteger,
  writeBigInteger,
  writeInteger,
} from "../../../../src/core/base/integer.ts";
import { Random } from "../../../_random.ts";

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** What the three readers say of a text between other digits. */
function read(text: string): [number, bigint | null, boolean] {
  const run = [latin1BytesOf(`12${text}34`), 2, text.length] as const;
  return [
    parseSafeInteger(...run),
    parseBigInteger(...run),
    isCanonicalInteger(...run),
  ];
}

Deno.test("integers are read from their canonical text", () => {
  const texts = [
    ...["0", "1", "-1", "9", "10", "99", "100", "-100"],
    ...["123456789", "1234567890", "2147483647", "2147483648", "-2147483648"],
    ...["4294967296", "999999999999999", "1000000000000000"],
    ...["9007199254740991", "-9007199254740991"],
  ];
  for (const text of texts) {
    assertEquals(read(text), [Number(text), BigInt(text), true], text);
  }
});

Deno.test("integers beyond the safe ones need parseBigInteger()", () => {
  const texts = [
    ...["9007199254740992", "-9007199254740992", "10000000000000000"],
    ...["999999999999999999", "1000000000000000000"],
    ...["9223372036854775807", "-9223372036854775808"],
  ];
  for (const text of texts) {
    assertEquals(read(text), [NaN, BigInt(text), true], text);
  }
});

Deno.test("other texts are no integers", () => {
  const texts = [
    ...["", "-", "--1", "+1", "+", "-0", "00", "01", "-01", "007"],
    ...[" 1", "1 ", "1\n", "1\0", "1.0", "1e3", "0x1", "a", "1a", "a1"],
    ...["1-", "1/", "1:", "/", ":", "12345678901a", "\xb1"],
    ...["9223372036854775808", "-9223372036854775809"],
    ...["9999999999999999999", "18446744073709551616"],
    ...["10000000000000000000", "123456789012345678901", "0".repeat(20)],
  ];
  for (const text of texts) {
    assertEquals(read(text), [NaN, null, false], JSON.stringify(text));
  }
});

Deno.test("what writers write, readers read", () => {
  const random = new Random(1);
  const out = new Uint8Array(INTEGER_BYTES_MAX + 4);
  const check = (n: bigint) => {
    const text = n.toString();
    let end = writeBigInteger(n, out, 2);
    assertEquals(asciiOf(out, 2, end - 2), text);
    assertEquals(parseBigInteger(out, 2, end - 2), n);
    assert(isCanonicalInteger(out, 2, end - 2));

    const safe = Number(n);
    if (!Number.isSafeInteger(safe)) return;
    out.fill(0);
    end = writeInteger(safe, out, 2);
    assertEquals(asciiOf(out, 2, end - 2), text);
    assertEquals(decimalLength(safe), text.length);
    assertEquals(parseSafeInteger(out, 2, end - 2), safe);
  };
  for (let power = 1n; power <= INT64_MAX; power *= 10n) {
    for (const n of [power - 1n, power, power + 1n]) {
      check(n);
      check(-n);
    }
  }
  for (const n of [INT64_MAX, INT64_MIN, 2n ** 53n - 1n, 2n ** 53n]) check(n);
  for (let round = 0; round < 2_000; round++) {
    const bits = BigInt(random.uint32()) << 32n | BigInt(random.uint32());
    check(BigInt.asIntN(64, bits) >> BigInt(random.below(64)));
  }
});

Deno.test("writeInteger() writes 0 for -0", () => {
  const out = new Uint8Array(2);
  assertEquals(writeInteger(-0, out, 0), 1);
  assertEquals(out[0], 0x30);
});

import { assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { crc32c } from "../../../../src/core/base/crc32c.ts";
import { Random } from "../../../_random.ts";

/** The definition: bit by bit. */
function crc32cBitByBit(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 1) === 0 ? crc >>> 1 : crc >>> 1 ^ 0x82f63b78;
    }
  }
  return ~crc;
}

function of(bytes: readonly number[] | Uint8Array): number {
  return crc32c(Uint8Array.from(bytes), 0, bytes.length) >>> 0;
}

Deno.test("crc32c() is CRC-32C", () => {
  assertEquals(of(latin1BytesOf("123456789")), 0xe3069283);
  assertEquals(of([]), 0);
  // RFC 3720, appendix B.4.
  const count = Array.from({ length: 32 }, (_, i) => i);
  assertEquals(of(new Uint8Array(32)), 0x8a9136aa);
  assertEquals(of(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assertEquals(of(count), 0x46dd794e);
  assertEquals(of(count.toReversed()), 0x113fdb5c);
});

Deno.test("crc32c() agrees with its definition at any place and length", () => {
  const random = new Random(3);
  const buf = latin1BytesOf(random.binary(600));
  for (let length = 0; length < 300; length++) {
    for (const off of [0, 1, 2, 3, 16, 29]) {
      const wanted = crc32cBitByBit(buf.subarray(off, off + length));
      assertEquals(crc32c(buf, off, length), wanted);
      const view = buf.subarray(1);
      assertEquals(
        crc32c(view, off, length),
        crc32cBitByBit(view.subarray(off, off + length)),
      );
    }
  }
});

Deno.test("crc32c() agrees with its definition on many bytes", () => {
  const random = new Random(5);
  const CHUNK = 256 * 1024;
  const buf = new Uint8Array(2 * CHUNK + 200);
  for (let i = 0; i < buf.length; i++) buf[i] = random.below(256);
  const lengths = [511, 512, 513, 575, 576, 1000, 4095, 70_001];
  for (const more of [-64, -1, 0, 1, 64]) lengths.push(13_568 + more);
  for (const more of [-64, -1, 0, 1, 63, 64, 65, 128]) {
    lengths.push(CHUNK + more, 2 * CHUNK + more);
  }
  for (const length of lengths) {
    for (const off of [0, 3]) {
      const bytes = buf.subarray(off, off + length);
      assertEquals(crc32c(buf, off, length), crc32cBitByBit(bytes));
    }
  }
});

Deno.test("crc32c() goes on from what came before", () => {
  const random = new Random(4);
  const buf = latin1BytesOf(random.binary(500));
  const whole = crc32c(buf, 0, buf.length);
  for (let round = 0; round < 100; round++) {
    const cut = random.below(buf.length + 1);
    const before = crc32c(buf, 0, cut);
    assertEquals(crc32c(buf, cut, buf.length - cut, before), whole);
  }
});

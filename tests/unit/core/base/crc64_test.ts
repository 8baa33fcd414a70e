import { assert, assertEquals, assertFalse } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { Crc64, CRC64_BYTES } from "../../../../src/core/base/crc64.ts";
import { Random } from "../../../_random.ts";

/** The definition: bit by bit. */
function crc64BitByBit(bytes: Uint8Array): bigint {
  let crc = 0n;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 1n) === 0n ? crc >> 1n : crc >> 1n ^ 0x95ac9329ac4bc9b5n;
    }
  }
  return crc;
}

function valueOf(crc: Crc64): bigint {
  return BigInt(crc.high >>> 0) << 32n | BigInt(crc.low >>> 0);
}

Deno.test("Crc64 is the checksum of Redis", () => {
  const crc = new Crc64();
  crc.update(latin1BytesOf("123456789"), 0, 9);
  assertEquals(valueOf(crc), 0xe9c6d914c4b8d9can);
  const bytes = new Uint8Array(CRC64_BYTES + 2);
  crc.write(bytes, 1);
  assertEquals([...bytes], [
    ...[0, 0xca, 0xd9, 0xb8, 0xc4, 0x14, 0xd9, 0xc6, 0xe9, 0],
  ]);
  assert(crc.matches(bytes, 1));
  bytes[8] = 0;
  assertFalse(crc.matches(bytes, 1));
  crc.reset();
  assertEquals(valueOf(crc), 0n);
});

Deno.test("Crc64 of bytes in pieces is that of the whole", () => {
  const random = new Random(1);
  for (let length = 0; length < 100; length++) {
    const bytes = latin1BytesOf(random.binary(length + 5));
    const cut = random.below(length + 1);
    const crc = new Crc64();
    crc.update(bytes, 3, cut);
    crc.update(bytes, 3 + cut, length - cut);
    assertEquals(valueOf(crc), crc64BitByBit(bytes.subarray(3, 3 + length)));
  }
});

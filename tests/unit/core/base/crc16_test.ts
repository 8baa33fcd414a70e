import { assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  crc16,
  HASH_SLOTS,
  hashSlot,
} from "../../../../src/core/base/crc16.ts";
import { Random } from "../../../_random.ts";

/** The definition: bit by bit. */
function crc16BitByBit(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      const out = (crc >> 15) ^ ((byte >> bit) & 1);
      crc = (crc << 1) & 0xffff;
      if (out === 1) crc ^= 0x1021;
    }
  }
  return crc;
}

/** The slot of a key that lies between other bytes. */
function slotOf(key: string): number {
  const buf = latin1BytesOf(`{x}${key}{y}`);
  return hashSlot(buf, 3, key.length);
}

Deno.test("crc16() is CRC-16/XMODEM", () => {
  assertEquals(crc16(latin1BytesOf("123456789"), 0, 9), 0x31c3);
  assertEquals(crc16(latin1BytesOf(""), 0, 0), 0);
  const random = new Random(1);
  for (let length = 0; length < 100; length++) {
    const bytes = latin1BytesOf(random.binary(length + 5));
    const run = bytes.subarray(3, 3 + length);
    assertEquals(crc16(bytes, 3, 3 + length), crc16BitByBit(run));
  }
});

Deno.test("hashSlot() takes the first hash tag that is not empty", () => {
  // As CLUSTER KEYSLOT of redis-server answers.
  const rows: [string, number][] = [
    ["", 0],
    ["foo", 12182],
    ["bar", 5061],
    ["somekey", 11058],
    ["user1000", 3443],
    ["123456789", 12739],
  ];
  for (const [key, slot] of rows) assertEquals(slotOf(key), slot, key);

  const same: [string, string][] = [
    ["{user1000}.following", "user1000"],
    ["a{user1000}", "user1000"],
    ["abc{user1000}def{other}", "user1000"],
    ["foo{bar}{zap}", "bar"],
    ["foo{{bar}}zap", "{bar"],
    ["}foo{bar}", "bar"],
    ["12345678{a}", "a"],
  ];
  for (const [key, tag] of same) assertEquals(slotOf(key), slotOf(tag), key);

  const whole = ["foo{}{bar}", "{}", "{", "foo{", "foo{bar", "}{", "a}b{c"];
  for (const key of whole) {
    const slot = crc16BitByBit(latin1BytesOf(key)) % HASH_SLOTS;
    assertEquals(slotOf(key), slot, key);
  }
});

Deno.test("hashSlot() agrees with its definition for any key", () => {
  const random = new Random(2);
  for (let round = 0; round < 5_000; round++) {
    let key = random.binary(random.below(24));
    if (random.chance(0.5)) {
      key = key.replace(/[^]/g, (c) => random.pick([c, c, c, "{", "}"]));
    }
    const tag = /^[^{]*\{([^}]+)\}/.exec(key)?.[1] ?? key;
    const slot = crc16BitByBit(latin1BytesOf(tag)) % HASH_SLOTS;
    assertEquals(slotOf(key), slot, JSON.stringify(key));
  }
});

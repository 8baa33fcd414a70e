import { assert, assertEquals, assertFalse, assertLess } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  LZF_RATIO_MAX,
  lzfCompress,
  lzfDecompress,
} from "../../../../src/core/base/lzf.ts";
import { type Random, seeded } from "../../../_harness.ts";

/** What stands around every run that is written, to be found unharmed. */
const GUARD = 0xa5;
const GUARD_BYTES = 300;

/** Decompresses between guards; null if the bytes are damaged. */
function unpack(packed: Uint8Array, length: number): Uint8Array | null {
  const source = new Uint8Array(packed.length + 2 * GUARD_BYTES).fill(GUARD);
  source.set(packed, GUARD_BYTES);
  const out = new Uint8Array(length + 2 * GUARD_BYTES).fill(GUARD);
  const isGood = lzfDecompress(
    source,
    GUARD_BYTES,
    packed.length,
    out,
    GUARD_BYTES,
    length,
  );
  const end = GUARD_BYTES + length;
  const around = [...out.subarray(0, GUARD_BYTES), ...out.subarray(end)];
  assert(around.every((byte) => byte === GUARD), "wrote beyond its run");
  return isGood ? out.slice(GUARD_BYTES, end) : null;
}

/** Compresses into `room` bytes between guards; null if they do not do. */
function pack(bytes: Uint8Array, room: number): Uint8Array | null {
  const source = new Uint8Array(bytes.length + 7);
  source.set(bytes, 3);
  const out = new Uint8Array(room + 2 * GUARD_BYTES).fill(GUARD);
  const length = lzfCompress(source, 3, bytes.length, out, GUARD_BYTES, room);
  const end = GUARD_BYTES + room;
  const around = [...out.subarray(0, GUARD_BYTES), ...out.subarray(end)];
  assert(around.every((byte) => byte === GUARD), "wrote beyond its room");
  return length === 0 ? null : out.slice(GUARD_BYTES, GUARD_BYTES + length);
}

/** A text that repeats itself more or less. */
function someText(random: Random): Uint8Array {
  const letters = random.pick([1, 2, 4, 20, 256]);
  let text = "";
  const length = random.pick([0, 1, 2, 3, 30, 300, 3000, 30_000]);
  while (text.length < length) {
    if (text.length > 3 && random.chance(0.3)) {
      const from = random.below(text.length);
      text += text.slice(from, from + random.below(400));
    } else text += String.fromCharCode(random.below(letters));
  }
  return latin1BytesOf(text);
}

Deno.test("LZF as Redis has written it", () => {
  const packed = Uint8Array.of(
    ...[0x03, 0x61, 0x62, 0x63, 0x61, 0xe0, 0x2d, 0x02, 0x01, 0x62, 0x63],
  );
  assertEquals(unpack(packed, 60), latin1BytesOf("abc".repeat(20)));
  assertEquals(unpack(packed, 59), null);
  assertEquals(unpack(packed, 61), null);
  assertEquals(unpack(packed.subarray(0, 10), 60), null);
});

Deno.test("LZF refuses what reaches beyond either end", () => {
  const cases: readonly (readonly number[])[] = [
    [0x05, 0x61], // six bytes are promised, one is there
    [0x00, 0x61, 0x20, 0x01], // a repetition of what is before the start
    [0x00, 0x61, 0x20], // a distance that is missing
    [0x00, 0x61, 0xe0, 0x10], // the same of a long repetition
    [0x00, 0x61, 0xe0], // a length that is missing
    [0x00, 0x61, 0xe0, 0xff, 0x00], // more than there is room for
  ];
  for (const bytes of cases) {
    assertEquals(unpack(Uint8Array.from(bytes), 8), null, `${bytes}`);
  }
  assertEquals(unpack(new Uint8Array(0), 0), new Uint8Array(0));
});

Deno.test("LZF makes much of repetitions and gives up on noise", () => {
  const repeated = latin1BytesOf("sherd ".repeat(10_000));
  const packed = pack(repeated, repeated.length - 4)!;
  assertLess(packed.length, 1000);
  assertLess(repeated.length / packed.length, LZF_RATIO_MAX);
  const noise = crypto.getRandomValues(new Uint8Array(10_000));
  assertEquals(pack(noise, noise.length - 4), null);
  // What is 8 KB behind can be repeated, what is farther cannot.
  const start = noise.subarray(0, 200);
  const [near, far] = [8192, 8193].map((distance) => {
    const bytes = new Uint8Array(distance + 200);
    bytes.set(start);
    bytes.set(start, distance);
    return pack(bytes, bytes.length)!.length;
  });
  assertLess(near! + 150, far!);
});

seeded("LZF gives back what it was given", (random) => {
  for (let i = 0; i < 100; i++) {
    const bytes = someText(random);
    const packed = pack(bytes, bytes.length + 1 + (bytes.length >> 5));
    if (packed === null) assertEquals(bytes.length, 0);
    else {
      assertEquals(unpack(packed, bytes.length), bytes);
      // A repetition is written only where the longest one has room.
      assertEquals(pack(bytes, packed.length + 1), packed);
      assertEquals(pack(bytes, packed.length - 1), null);
    }
  }
});

seeded("LZF reads any bytes within its bounds", (random) => {
  let good = 0;
  for (let i = 0; i < 500; i++) {
    let packed = latin1BytesOf(random.binary(random.below(200)));
    if (random.chance(0.8)) {
      const bytes = someText(random).subarray(0, 3000);
      packed = pack(bytes, bytes.length + 200)?.slice() ?? packed;
      for (let n = random.below(4); n > 0 && packed.length > 0; n--) {
        packed[random.below(packed.length)] = random.below(256);
      }
    }
    if (unpack(packed, random.below(3000)) !== null) good++;
  }
  assertFalse(good > 250, "most of them are damaged");
});

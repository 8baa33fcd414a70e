/** Runs of bits against texts of zeros and ones. */
import { assertEquals } from "@std/assert";
import {
  countBits,
  countWordBits,
  FIELD_BITS_MAX,
  findBit,
  readBits,
  writeBits,
} from "../../../../src/core/base/bits.ts";
import { type Random, seeded } from "../../../_harness.ts";

/** Bytes somewhere in a buffer, which are random or nearly all the same. */
class Run {
  readonly words = new Int32Array(128);
  readonly bytes = new Uint8Array(this.words.buffer);
  readonly off: number;
  readonly length: number;

  constructor(random: Random) {
    for (let i = 0; i < this.bytes.length; i++) {
      this.bytes[i] = random.below(256);
    }
    this.off = random.below(20);
    this.length = random.below(random.pick([5, 40, 400]));
    const fill = random.pick([-1, 0, 0xff]);
    if (fill < 0) return;
    this.bytes.fill(fill, this.off, this.off + this.length);
    for (let left = random.below(3); left > 0 && this.length > 0; left--) {
      const at = this.off + random.below(this.length);
      this.bytes[at]! ^= 1 << random.below(8);
    }
  }

  get text(): string {
    return [...this.bytes.subarray(this.off, this.off + this.length)]
      .map((byte) => byte.toString(2).padStart(8, "0")).join("");
  }
}

Deno.test("countWordBits counts", () => {
  const rows: [word: number, expected: number][] = [
    ...[[0, 0], [1, 1], [-1, 32], [0x80000000 | 0, 1], [0x55555555, 16]],
    ...[[0x7fffffff, 31], [0x01010101, 4]],
  ] as [number, number][];
  for (const [word, expected] of rows) {
    assertEquals(countWordBits(word), expected);
  }
});

seeded("bits are counted and found as in their text", (random) => {
  for (let i = 0; i < 2000; i++) {
    const run = new Run(random);
    const { bytes, words, off, length, text } = run;
    assertEquals(
      countBits(bytes, words, off, length),
      text.replaceAll("0", "").length,
    );
    for (const bit of [0, 1]) {
      const expected = text.indexOf(String(bit));
      assertEquals(
        findBit(bytes, words, off, length, bit),
        expected < 0 ? text.length : expected,
        text,
      );
    }
  }
});

seeded("fields of bits are read and written as in their text", (random) => {
  for (let i = 0; i < 3000; i++) {
    const run = new Run(random);
    const { bytes, off, length, text } = run;
    const bits = random.between(1, FIELD_BITS_MAX);
    // Also beyond the end, where there are zeros.
    const at = random.below(length * 8 + 20);
    const padded = text + "0".repeat(100);
    const expected = parseInt(padded.slice(at, at + bits), 2);
    assertEquals(readBits(bytes, off, length, at, bits), expected);

    if (at + bits > length * 8) continue;
    const value = random.pick([
      () => 0,
      () => 2 ** bits - 1,
      () => Math.floor(random.uint32() / 2 ** 32 * 2 ** bits),
    ])();
    const before = bytes.slice();
    writeBits(bytes, off, at, bits, value);
    const written = value.toString(2).padStart(bits, "0");
    assertEquals(
      run.text,
      text.slice(0, at) + written + text.slice(at + bits),
    );
    const end = off + length;
    assertEquals(bytes.slice(0, off), before.slice(0, off));
    assertEquals(bytes.slice(end), before.slice(end));
  }
});

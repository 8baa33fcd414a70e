import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { bytesOf } from "../../../../src/core/base/bytes.ts";
import { BLOCK_BYTES, LongSha1, sha1 } from "../../../../src/core/base/sha1.ts";

function hex(bytes: Uint8Array): string {
  return [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");
}

Deno.test("sha1() has the digests of RFC 3174", () => {
  const rows = [
    ["", "da39a3ee5e6b4b0d3255bfef95601890afd80709"],
    ["abc", "a9993e364706816aba3e25717850c26c9cd0d89d"],
    [
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
    ],
    ["a".repeat(1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"],
  ] as const;
  for (const [text, digest] of rows) {
    assertEquals(hex(sha1(bytesOf(text))), digest);
  }
});

Deno.test("sha1() agrees with Node's for every length around a block", () => {
  for (let length = 0; length < 200; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 7 + length);
    assertEquals(
      hex(sha1(bytes)),
      createHash("sha1").update(bytes).digest("hex"),
    );
  }
});

Deno.test("LongSha1 has the digest of all its parts", () => {
  for (const lengths of [[0, 0], [1, 0], [0, 63], [3, 64], [2, 100], [9, 7]]) {
    const [blocks, rest] = lengths as [number, number];
    const bytes = Uint8Array.from(
      { length: blocks * BLOCK_BYTES + rest },
      (_, i) => i * 11,
    );
    const long = new LongSha1();
    for (let at = 0; at < blocks * BLOCK_BYTES; at += BLOCK_BYTES) {
      long.add(bytes.subarray(at, at + BLOCK_BYTES));
      // Others come in between.
      sha1(bytes);
    }
    const digest = long.end(bytes.subarray(blocks * BLOCK_BYTES));
    assertEquals(hex(digest), hex(sha1(bytes)));
  }
});

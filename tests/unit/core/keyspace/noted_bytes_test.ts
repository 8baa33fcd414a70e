import { assertEquals } from "@std/assert";
import { concat } from "@std/bytes";
import { NotedBytes } from "../../../../src/core/keyspace/noted_bytes.ts";
import { LONG_KEY_BYTES } from "../../../../src/core/memory/known_keys.ts";

const PAD = Uint8Array.of(9);

const nameOf = (i: number, length: number) =>
  Uint8Array.from({ length }, (_, at) => (i * 31 + at) & 0xff);

Deno.test("noted names of any length are read back, and again after they were forgotten", () => {
  const lengths = [0, 1, 60_000, 7, 60_000, LONG_KEY_BYTES - 1, 5];
  lengths.push(LONG_KEY_BYTES, 3, 3 * LONG_KEY_BYTES, 60_000, 1);
  for (const firstBytes of [undefined, 0, 1, 60_001]) {
    const names = new NotedBytes(() => null, firstBytes);
    for (let round = 0; round < 3; round++) {
      const given = lengths.map((length, i) => nameOf(i + round, length));
      const padded = given.map((name) => concat([PAD, name, PAD]));
      const places = padded.map((bytes) =>
        names.add(bytes, 1, bytes.length - 2)
      );
      for (const bytes of padded) bytes.fill(0);
      given.forEach((name, i) => {
        const off = names.off(places[i]!);
        const own = names.buf(places[i]!).subarray(off, off + name.length);
        assertEquals(own, name);
        assertEquals(names.copy(places[i]!, name.length), name);
      });
      names.clear();
    }
  }
});

/**
 * The reply writer: replies into one buffer.
 *
 * Each iteration writes {@linkcode REPLIES} replies and forgets them; divide by
 * that.
 *
 * Traps: values come from shared memory, as in the server, which `set` and
 * `subarray` treat as any other; the same value again and again is in the
 * first-level cache, which a value of the store is not; the buffer has its final
 * size after the first iteration.
 *
 * @module
 */
import { ReplyWriter } from "../src/core/resp/reply_writer.ts";

const REPLIES = 64;

const writer = new ReplyWriter();
const source = new Uint8Array(new SharedArrayBuffer(1 << 16)).fill(120);

function bench(name: string, write: (i: number) => void): void {
  Deno.bench(`write ${REPLIES} x ${name}`, () => {
    writer.reset();
    for (let i = 0; i < REPLIES; i++) write(i);
  });
}

bench("OK", () => writer.ok());
bench("null", () => writer.nullBulk());
bench("small integer", (i) => writer.integer(i & 1));
bench("integer", (i) => writer.integer(123_456_789 + i));
for (const length of [3, 32, 100, 1024, 16 * 1024]) {
  bench(`bulk of ${length} bytes`, (i) => writer.bulk(source, i, length));
}
bench("double", (i) => writer.double(i / 7));
bench("array of ten bulks", (i) => {
  writer.array(10);
  for (let j = 0; j < 10; j++) writer.bulk(source, i + j, 16);
});

/** What is around dumped values: dump_frame.ts, run_sink.ts. */
import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import {
  hasGoodFooter,
  writeFooter,
} from "../../../../src/core/rdb/dump_frame.ts";
import { RunSink } from "../../../../src/core/rdb/run_sink.ts";
import { Random } from "../../../_random.ts";
import { Shards } from "../keyspace/_fixture.ts";
import { bytesOf, hexBytes, written } from "./_format.ts";

Deno.test("a footer has the version and the checksum of Redis", () => {
  const framed = hexBytes(
    "00 05 73 68 65 72 64 0a 00 a1 c6 ef 13 e0 17 11 1b",
  );
  const made = written((writer) => {
    writer.raw(bytesOf(0, 5, "sherd"), 0, 7);
    writeFooter(writer, 10);
  });
  assertEquals(made, framed);
  assert(hasGoodFooter(framed, 0, framed.length));
  for (let i = 0; i < framed.length; i++) {
    const bytes = framed.slice();
    bytes[i]! ^= 4;
    assertFalse(hasGoodFooter(bytes, 0, bytes.length), `byte ${i}`);
  }
  assertFalse(hasGoodFooter(framed, 8, 9));
});

Deno.test("versions up to that of Redis 7.4 are read", () => {
  for (
    const [version, isGood] of [[1, true], [12, true], [13, false]] as const
  ) {
    const bytes = written((writer) => writeFooter(writer, version));
    assertEquals(hasGoodFooter(bytes, 0, bytes.length), isGood, `${version}`);
  }
});

Deno.test("a sink keeps all that is written in one run", () => {
  const shards = new Shards({ arenaBytes: 16 << 20 });
  const { externals } = shards.keyspaces[0]!;
  const sink = new RunSink();
  const random = new Random(1);
  const piece = crypto.getRandomValues(new Uint8Array(60_000));
  sink.begin(externals);
  const expected: number[] = [];
  for (let i = 0; i < 60; i++) {
    const length = random.below(piece.length);
    sink.write(piece, 0, length);
    for (let n = 0; n < length; n += 1000) expected.push(piece[n]!);
    // What stands behind a run makes it move.
    if (i === 20) externals.create(1);
  }
  const run = sink.finish();
  const bytes = externals.bytes(run).subarray(externals.offset(run));
  const again = new Random(1);
  const found: number[] = [];
  let at = 0;
  for (let i = 0; i < 60; i++) {
    const length = again.below(piece.length);
    for (let n = 0; n < length; n += 1000) found.push(bytes[at + n]!);
    at += length;
  }
  assertEquals(externals.length(run), at);
  assertEquals(found, expected);
  externals.unpin(run);
  assertEquals(shards.pages.usedPages, 1);
});

Deno.test("a sink without room leaves nothing", () => {
  const shards = new Shards({ arenaBytes: 2 << 20 });
  const { externals } = shards.keyspaces[0]!;
  const sink = new RunSink();
  sink.begin(externals);
  assertThrows(() => {
    for (;;) sink.write(new Uint8Array(100_000), 0, 100_000);
  }, OutOfMemory);
  sink.drop();
  assertEquals(shards.pages.usedPages, 0);
});

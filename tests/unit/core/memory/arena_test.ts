/** Segments and references: src/core/memory/arena.ts. */
import { assertEquals } from "@std/assert";
import {
  Arena,
  ARENA_BYTES_MAX,
  byteOf,
  PAGE_BYTES,
  reserveArena,
  SEGMENT_BYTES,
  SEGMENT_SHIFT,
  wordOf,
} from "../../../../src/core/memory/arena.ts";
import { refOfPage } from "../../../../src/core/memory/page_pool.ts";
import { DICTS_AT, Memory } from "./_memory.ts";

Deno.test("an arena is rounded up to pages and cut into segments", () => {
  const sizes = (bytes: number) =>
    new Arena(reserveArena(bytes)).u8.map((segment) => segment.length);
  assertEquals(sizes(1), [PAGE_BYTES]);
  assertEquals(sizes(PAGE_BYTES + 1), [2 * PAGE_BYTES]);
  assertEquals(sizes(SEGMENT_BYTES + 1), [SEGMENT_BYTES, PAGE_BYTES]);
});

Deno.test("an arena ends where references end", () => {
  const { segments } = reserveArena(ARENA_BYTES_MAX * 2);
  assertEquals(segments.length * SEGMENT_BYTES, ARENA_BYTES_MAX);
});

Deno.test("references name a segment and a place in it", () => {
  for (const page of [1, 262143, 262144, 4194304, 8388607]) {
    const ref = refOfPage(page);
    assertEquals(ref >>> SEGMENT_SHIFT, Math.floor(page / 262144));
    assertEquals(byteOf(ref), page % 262144 * PAGE_BYTES);
    assertEquals(wordOf(ref), page % 262144 * PAGE_BYTES / 4);
  }
});

Deno.test("the views of a segment are of the same bytes", () => {
  const arena = new Arena(reserveArena(PAGE_BYTES));
  arena.i32[0]![2] = 0x04030201;
  assertEquals([...arena.u8[0]!.subarray(8, 12)], [1, 2, 3, 4]);
  arena.f64[0]![1] = 1;
  assertEquals(arena.i32[0]![3], 0x3ff00000);
});

Deno.test("references beyond 2^31, negative as int32, are as good", () => {
  const memory = new Memory(18 * SEGMENT_BYTES);
  const { heap, dict, control, pool } = memory;
  // The low segments are taken, so that what follows lies in the last two.
  const runs: number[] = [];
  for (let page; (page = pool.take(262143)) !== 0;) runs.push(page);
  const low = runs.filter((page) => page < 16 * 262144);
  for (const page of runs) if (!low.includes(page)) pool.give(page);
  const nodes: number[] = [];
  const key = new Uint8Array(8);
  for (let i = 0; i < 20_000; i++) {
    new DataView(key.buffer).setInt32(0, i);
    const node = memory.makeNode(key, Math.imul(i, 0x9e3779b1));
    dict.insert(control, DICTS_AT, node, Math.imul(i, 0x9e3779b1));
    nodes.push(node);
  }
  assertEquals(nodes.some((node) => node < 0), true);
  assertEquals(dict.verify(control, DICTS_AT), nodes.length);
  for (let i = 0; i < nodes.length; i++) {
    new DataView(key.buffer).setInt32(0, i);
    const hash = Math.imul(i, 0x9e3779b1);
    assertEquals(
      dict.find(control, DICTS_AT, key, 0, key.length, hash),
      nodes[i],
    );
    dict.remove(control, DICTS_AT, nodes[i]!, hash);
    heap.free(nodes[i]!);
  }
  for (const page of low) pool.give(page);
  heap.releaseReserve();
  assertEquals([heap.usedBytes, heap.heldBytes, pool.verify()], [0, 0, 0]);
});

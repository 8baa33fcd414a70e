import { assert, assertEquals } from "@std/assert";
import {
  Arena,
  PAGE_BYTES,
  reserveArena,
} from "../../../../src/core/memory/arena.ts";
import { PagePool, WANTS_NEAR } from "../../../../src/core/memory/page_pool.ts";
import { MemoryAhead } from "../../../../src/front/server/memory_ahead.ts";
import { until } from "../../../_patience.ts";

const MEGABYTE = (1 << 20) / PAGE_BYTES;

Deno.test("memory is made ready before it is used, and stays as it is", async () => {
  const buffers = reserveArena(64 << 20);
  const arena = new Arena(buffers);
  const pool = new PagePool(arena, false);
  pool.format();
  const ahead = MemoryAhead.start(buffers);
  assert(ahead !== null);
  const words = new Int32Array(buffers.pool);
  const bytes = new Uint8Array(buffers.segments[0]!);
  const first = pool.take(15 * MEGABYTE);
  assertEquals(words[WANTS_NEAR], 0);
  bytes.fill(7);
  for (let i = 0; i < 10; i++) {
    assert(pool.take(3 * MEGABYTE) > 0);
    await until("it is ready", () => Atomics.load(words, WANTS_NEAR) === 0);
  }
  // What is asked for next lies behind what is ready.
  const [next] = pool.takeFar(0) ?? [Infinity];
  assert(next > 45 * MEGABYTE + MEGABYTE);
  assert(bytes.every((byte) => byte === 7));
  pool.give(first);
  await ahead.stop();
});

Deno.test("who is faster than that touches what is next, and changes nothing", () => {
  const buffers = reserveArena(64 << 20);
  const pool = new PagePool(new Arena(buffers), false);
  pool.format();
  const bytes = new Uint8Array(buffers.segments[0]!);
  bytes.fill(7);
  pool.touchAhead();
  while (pool.take(5 * MEGABYTE) > 0) pool.touchAhead();
  pool.noteReady(0, 64 * MEGABYTE);
  pool.touchAhead();
  assert(bytes.every((byte) => byte === 7));
  assertEquals(pool.verify(), pool.usedPages);
});

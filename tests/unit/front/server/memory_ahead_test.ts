import { assert, assertEquals } from "@std/assert";
import {
  Arena,
  type ArenaBuffers,
  PAGE_BYTES,
  reserveArena,
} from "../../../../src/core/memory/arena.ts";
import { PagePool, WANTS_NEAR } from "../../../../src/core/memory/page_pool.ts";
import { openCLibrary } from "../../../../src/front/server/c_library.ts";
import { MemoryAhead } from "../../../../src/front/server/memory_ahead.ts";
import { until } from "../../../_patience.ts";

const MEGABYTE = (1 << 20) / PAGE_BYTES;
const MADV_NOHUGEPAGE = 15;
const SYMBOLS = {
  mincore: { parameters: ["pointer", "usize", "buffer"], result: "i32" },
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
} as const;

Deno.test("memory is made ready before it is used, and stays as it is", async () => {
  const buffers = reserveArena(64 << 20);
  const arena = new Arena(buffers);
  const pool = new PagePool(arena, false);
  pool.format();
  const ahead = MemoryAhead.start(buffers);
  assert(ahead !== null);
  const words = new Int32Array(buffers.pool);
  const bytes = new Uint8Array(buffers.segments[0]!);
  bytes.fill(7);
  const first = pool.take(MEGABYTE);
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
  pool.keepReady();
  while (pool.take(5 * MEGABYTE) > 0) pool.keepReady();
  pool.noteReady(0, 64 * MEGABYTE);
  pool.keepReady();
  assert(bytes.every((byte) => byte === 7));
  assertEquals(pool.verify(), pool.usedPages);
});

Deno.test("a megabyte has its memory when somebody begins to write", () => {
  const buffers = reserveArena(64 << 20);
  refuseHugePages(buffers);
  const pool = new PagePool(new Arena(buffers), false);
  pool.format();
  assert(!isPresent(buffers, 100));
  for (let i = 0; i < 50; i++) {
    assert(pool.take(25) > 0);
    pool.keepReady();
    const first = pool.take(MEGABYTE);
    // The run's own first page and the last of the megabyte.
    for (const page of [first, first + MEGABYTE - 26]) {
      assert(isPresent(buffers, page));
    }
    // Beyond lies what nobody has asked for.
    assert(!isPresent(buffers, first + 4 * MEGABYTE));
  }
});

/** Whether a page has memory: mincore(2). */
function isPresent(buffers: ArenaBuffers, page: number): boolean {
  const library = openCLibrary(SYMBOLS)!;
  const found = new Uint8Array(1);
  const { mincore } = library.symbols;
  assertEquals(mincore(systemPage(buffers, page), 1n, found), 0);
  library.close();
  return (found[0]! & 1) === 1;
}

/** A system that gives huge pages to all would give more than is touched. */
function refuseHugePages(buffers: ArenaBuffers): void {
  const library = openCLibrary(SYMBOLS)!;
  const { madvise } = library.symbols;
  const bytes = BigInt(buffers.segments[0]!.byteLength - 2 * PAGE_BYTES);
  assertEquals(madvise(systemPage(buffers, 0), bytes, MADV_NOHUGEPAGE), 0);
  library.close();
}

/** The page of the system in which one of the arena ends: they begin elsewhere. */
function systemPage(buffers: ArenaBuffers, page: number): Deno.PointerValue {
  const bytes = new Uint8Array(buffers.segments[0]!, page * PAGE_BYTES);
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
  const start = address - address % BigInt(PAGE_BYTES) + BigInt(PAGE_BYTES);
  return Deno.UnsafePointer.create(start);
}

/** Runs of pages: src/core/memory/page_pool.ts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { InvariantError } from "../../../../src/core/base/assert.ts";
import {
  Arena,
  PAGE_BYTES,
  reserveArena,
  SEGMENT_BYTES,
} from "../../../../src/core/memory/arena.ts";
import {
  PagePool,
  PAGES_PER_SEGMENT,
} from "../../../../src/core/memory/page_pool.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { randomMix, ROUNDS } from "./_memory.ts";

const OPERATIONS = 300_000;
const SEGMENT_PAGES = SEGMENT_BYTES / PAGE_BYTES;

function makePool(pages: number, latched = false): PagePool {
  const pool = new PagePool(
    new Arena(reserveArena(pages * PAGE_BYTES)),
    latched,
  );
  pool.format();
  return pool;
}

Deno.test("PagePool tells once of pages that come near", () => {
  const pool = makePool(12_000);
  // A small data set wants four megabytes, as does none.
  assertEquals(pool.takeFar(0), [1, 1025]);
  pool.take(99);
  assertEquals(pool.takeFar(0), [1025, 1124]);
  assertEquals(pool.takeFar(0), null);
  pool.take(1400);
  assertEquals(pool.takeFar(0), [1500, 3000]);
  pool.take(3500);
  assertEquals(pool.takeFar(0), [5000, 7048]);
  assertEquals(pool.takeFar(0), null);
  const run = pool.take(1000);
  assertEquals(pool.takeFar(0), [7048, 8048]);
  pool.give(run);
  pool.take(1000);
  assertEquals(pool.takeFar(0), null);
  pool.take(4001);
  assertEquals(pool.takeFar(0), [10_001, 12_000]);
  pool.take(1499);
  assertEquals(pool.takeFar(0), null);
});

Deno.test("PagePool tells of the next segment before one is full", () => {
  const pool = makePool(PAGES_PER_SEGMENT + 12_000);
  assertEquals([pool.takeFar(0), pool.takeFar(1)], [null, [1, 1025]]);
  pool.take(9000);
  assertEquals([pool.takeFar(0), pool.takeFar(1)], [null, [9000, 11_048]]);
  pool.take(1000);
  assertEquals([pool.takeFar(0), pool.takeFar(1)], [[1, 1025], [
    11_048,
    12_000,
  ]]);
  pool.take(1999);
  pool.take(10);
  assertEquals([pool.takeFar(0), pool.takeFar(1)], [[1025, 1035], null]);
});

Deno.test("PagePool tells of pages that come near as a run grows", () => {
  const pool = makePool(12_000);
  const run = pool.take(999);
  assertEquals(pool.takeFar(0), [1000, 2024]);
  assert(pool.extend(run, 1999));
  assertEquals(pool.takeFar(0), [2024, 4000]);
});

Deno.test("PagePool has a run free when its last keeper lets go", () => {
  const pool = makePool(64, true);
  const run = pool.take(3);
  assertEquals(pool.steadyRunOf(run + 2), 0);
  pool.setSteady(run);
  assertEquals(pool.steadyRunOf(run + 2), run);
  const next = pool.take(2);
  assertEquals(pool.steadyRunOf(next + 1), 0);
  pool.keep(run);
  pool.keep(run);
  assertEquals(pool.keepersOf(run), 2);
  pool.letGo(run);
  pool.give(run);
  assertEquals(pool.usedPages, 5);
  pool.letGo(run);
  assertEquals(pool.usedPages, 2);
  pool.verify();
  // Nothing of it is left to who has the pages then.
  assertEquals(pool.take(3), run);
  assertEquals(pool.keepersOf(run), 0);
  assertEquals(pool.steadyRunOf(run), 0);
  pool.keep(next);
  pool.letGo(next);
  pool.give(next);
  assertEquals(pool.usedPages, 3);
});

Deno.test("PagePool hands out runs and joins what comes back", () => {
  const pool = makePool(64, true);
  const a = pool.take(10);
  const b = pool.take(20);
  const c = pool.take(33);
  // Page 0 is never handed out, so all 63 are gone.
  assertEquals(pool.take(1), 0);
  assertEquals([a, b, c], [1, 11, 31]);
  assertEquals(pool.usedPages, 63);

  pool.give(a);
  pool.give(c);
  assertEquals(pool.take(34), 0);
  pool.give(b);
  assertEquals(pool.take(63), 1);
  assertEquals(pool.verify(), 63);
  assertEquals(pool.peakPages, 63);
});

Deno.test("PagePool changes a run where it stands", () => {
  const pool = makePool(64);
  const a = pool.take(10);
  const b = pool.take(10);
  assertEquals(pool.extend(a, 11), false);
  assertEquals(pool.extend(b, 53), true);
  assertEquals(pool.lengthOf(b), 53);
  assertEquals(pool.extend(b, 54), false);
  // Less than it has: nothing to do.
  assertEquals(pool.extend(a, 3), true);
  assertEquals(pool.lengthOf(a), 10);

  pool.shrink(a, 1);
  assertEquals(pool.take(9), a + 1);
  pool.shrink(b, 53);
  assertEquals(pool.verify(), 63);
});

Deno.test("PagePool finds a fit behind many runs that are too short", () => {
  const pool = makePool(2048);
  // Runs of 64 and one of 127, all in one list; no longer run is left.
  const runs: number[] = [];
  const wide = pool.take(127);
  runs.push(pool.take(1));
  for (let i = 0; i < 25; i++) runs.push(pool.take(64), pool.take(1));
  while (pool.take(1) !== 0);
  pool.give(wide);
  for (const run of runs) if (pool.lengthOf(run) === 64) pool.give(run);
  pool.verify();
  assertEquals(pool.take(100), wide);
});

Deno.test("PagePool refuses to free what is not in use", () => {
  const pool = makePool(64);
  const a = pool.take(4);
  pool.give(a);
  assertThrows(() => pool.give(a), InvariantError, "in use");
  assertThrows(() => pool.give(0), InvariantError, "in use");
});

Deno.test("PagePool keeps runs within segments", () => {
  const pool = makePool(SEGMENT_PAGES + 100);
  const whole = pool.take(SEGMENT_PAGES - 1);
  assertEquals(whole, 1);
  assertEquals(pool.take(101), 0);
  assertEquals(pool.take(100), SEGMENT_PAGES);
  // The two runs touch at the border, but are not joined.
  pool.give(whole);
  pool.give(SEGMENT_PAGES);
  assertEquals(pool.take(SEGMENT_PAGES), 0);
  assertEquals(pool.verify(), 0);
});

seeded("PagePool does what a bitmap does", (random) => {
  const pages = random.chance(0.2)
    ? SEGMENT_PAGES + random.between(1, 2000)
    : random.between(20, 4000);
  new PoolRun(random, pages).run();
}, { count: ROUNDS });

/** One random script against a pool and a bitmap of the same pages. */
class PoolRun {
  readonly #random: Random;
  readonly #pages: number;
  readonly #pool: PagePool;
  readonly #isUsed: Uint8Array;
  /** First pages of the runs in use, in no order. */
  readonly #runs: number[] = [];
  readonly #lengths = new Map<number, number>();
  #used = 0;

  constructor(random: Random, pages: number) {
    this.#random = random;
    this.#pages = pages;
    this.#pool = makePool(pages);
    this.#isUsed = new Uint8Array(pages);
    this.#isUsed[0] = 1;
  }

  run(): void {
    const draw = randomMix(this.#random, ["take", "give", "extend", "shrink"]);
    const longest = this.#random.pick([2, 16, 64, this.#pages]);
    for (let i = 0; i < OPERATIONS; i++) {
      const name = this.#runs.length === 0 ? "take" : draw();
      if (name === "take") this.#take(this.#random.between(1, longest));
      else if (name === "give") this.#give();
      else if (name === "extend") this.#extend();
      else this.#shrink();
      assertEquals(this.#pool.usedPages, this.#used);
      if (i % 5000 === 0) this.#pool.verify();
    }
    while (this.#runs.length > 0) this.#give();
    assertEquals(this.#pool.verify(), 0);
    // All is joined again: one run per segment.
    const most = Math.min(this.#pages, SEGMENT_PAGES) - 1;
    assert(this.#pool.take(most) > 0);
  }

  #take(pages: number): void {
    const first = this.#pool.take(pages);
    if (first === 0) {
      assert(!this.#hasRoom(pages), `${pages} pages were free`);
      return;
    }
    assertEquals(this.#pool.lengthOf(first), pages);
    assert(this.#areFree(first, first, first + pages));
    this.#fill(first, pages, 1);
    this.#runs.push(first);
    this.#lengths.set(first, pages);
    this.#used += pages;
  }

  #give(): void {
    const at = this.#random.below(this.#runs.length);
    const first = this.#runs[at]!;
    const pages = this.#lengths.get(first)!;
    this.#runs[at] = this.#runs.at(-1)!;
    this.#runs.pop();
    this.#lengths.delete(first);
    this.#pool.give(first);
    this.#fill(first, pages, 0);
    this.#used -= pages;
  }

  #extend(): void {
    const first = this.#random.pick(this.#runs);
    const have = this.#lengths.get(first)!;
    const more = this.#random.between(0, 5);
    const isFree = this.#areFree(first, first + have, first + have + more);
    assertEquals(this.#pool.extend(first, have + more), isFree);
    if (!isFree) return;
    this.#fill(first + have, more, 1);
    this.#lengths.set(first, have + more);
    this.#used += more;
  }

  #shrink(): void {
    const first = this.#random.pick(this.#runs);
    const have = this.#lengths.get(first)!;
    const pages = this.#random.between(1, have);
    this.#pool.shrink(first, pages);
    this.#fill(first + pages, have - pages, 0);
    this.#lengths.set(first, pages);
    this.#used -= have - pages;
  }

  #fill(first: number, pages: number, value: number): void {
    this.#isUsed.fill(value, first, first + pages);
  }

  /** Whether pages are free, and a run that begins at `first` may have them. */
  #areFree(first: number, from: number, to: number): boolean {
    const segmentEnd = (Math.floor(first / SEGMENT_PAGES) + 1) * SEGMENT_PAGES;
    if (to > Math.min(segmentEnd, this.#pages)) return false;
    for (let page = from; page < to; page++) {
      if (this.#isUsed[page] !== 0) return false;
    }
    return true;
  }

  #hasRoom(pages: number): boolean {
    let free = 0;
    for (let page = 0; page < this.#pages; page++) {
      if (page % SEGMENT_PAGES === 0) free = 0;
      free = this.#isUsed[page] === 0 ? free + 1 : 0;
      if (free >= pages) return true;
    }
    return false;
  }
}

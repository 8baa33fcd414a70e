/** Objects of a shard: src/core/memory/heap.ts and size_classes.ts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { InvariantError } from "../../../../src/core/base/assert.ts";
import { PAGE_BYTES, PAGE_UNITS } from "../../../../src/core/memory/arena.ts";
import { Heap, OutOfMemory } from "../../../../src/core/memory/heap.ts";
import {
  CLASS_COUNT,
  CLASS_OF,
  CLASS_UNITS,
  CLASS_UNITS_MAX,
  SLAB_OBJECTS,
  SLAB_PAGES,
} from "../../../../src/core/memory/size_classes.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { Memory, randomMix, ROUNDS } from "./_memory.ts";

const OPERATIONS = 400_000;

Deno.test("size classes waste at most an eighth", () => {
  for (let units = 1; units <= CLASS_UNITS_MAX; units++) {
    const given = CLASS_UNITS[CLASS_OF[units]!]!;
    assert(given >= units && given - units <= Math.max(0, given / 8));
    assert(CLASS_OF[units] === 0 || CLASS_UNITS[CLASS_OF[units]! - 1]! < units);
  }
});

Deno.test("slabs waste at most a twelfth", () => {
  for (let index = 0; index < CLASS_COUNT; index++) {
    const room = SLAB_PAGES[index]! * PAGE_UNITS;
    const left = room - SLAB_OBJECTS[index]! * CLASS_UNITS[index]!;
    assert(left >= 0 && left <= room / 12, `class ${index} wastes ${left}`);
    assert(SLAB_OBJECTS[index]! >= 4);
  }
});

Deno.test("Heap takes slabs from the pool and gives empty ones back", () => {
  const { heap, pool } = new Memory(1 << 20);
  const slab = SLAB_PAGES[CLASS_OF[3]!]!;
  const objects = SLAB_OBJECTS[CLASS_OF[3]!]!;
  const refs = Array.from({ length: objects + 1 }, () => heap.allocate(3));
  assertEquals(heap.usedBytes, refs.length * 24);
  assertEquals(heap.heldBytes, 2 * slab * PAGE_BYTES);
  assertEquals(heap.unitsOf(refs[0]!), 3);
  assertEquals(heap.unitsOf(refs.at(-1)!), 3);

  heap.free(refs[1]!);
  assertEquals(heap.allocate(3), refs[1]);
  for (const ref of refs) heap.free(ref);
  assertEquals(heap.usedBytes, 0);
  // One is kept, lest an object that comes and goes takes and gives a slab.
  assertEquals(pool.usedPages, slab);
  heap.releaseReserve();
  assertEquals([heap.heldBytes, pool.verify()], [0, 0]);
});

Deno.test("Heap gives objects beyond the classes pages of their own", () => {
  const { heap, pool } = new Memory(1 << 20);
  const ref = heap.allocate(CLASS_UNITS_MAX + 1);
  assertEquals(heap.unitsOf(ref), 4 * PAGE_UNITS);
  assertEquals([heap.usedBytes, heap.heldBytes], [
    4 * PAGE_BYTES,
    4 * PAGE_BYTES,
  ]);
  heap.disownRun(ref);
  assertEquals([heap.usedBytes, heap.heldBytes], [0, 0]);
  assertEquals(pool.usedPages, 4);
  heap.adoptRun(ref);
  heap.free(ref);
  assertEquals([heap.usedBytes, pool.usedPages], [0, 0]);
});

Deno.test("Heap says that there is no room and has changed nothing", () => {
  const { heap, pool } = new Memory(24 * PAGE_BYTES);
  const refs: number[] = [];
  for (let ref; (ref = heap.tryAllocate(100)) !== 0;) refs.push(ref);
  const before = [heap.usedBytes, heap.heldBytes, pool.usedPages];
  assertThrows(() => heap.allocate(100), OutOfMemory);
  assertThrows(() => heap.allocate(1 << 20), OutOfMemory);
  assertEquals([heap.usedBytes, heap.heldBytes, pool.usedPages], before);
  heap.free(refs[0]!);
  assertEquals(heap.allocate(100), refs[0]);
});

Deno.test("Heap refuses what it did not give", () => {
  const memory = new Memory(1 << 20);
  const ref = memory.heap.allocate(4);
  const other = new Heap(
    memory.arena,
    memory.pool,
    new Int32Array(new SharedArrayBuffer(memory.control.byteLength)),
    0,
    8,
  );
  assertThrows(() => other.free(ref), InvariantError, "by its shard");
  assertThrows(() => memory.heap.free(0), InvariantError);
  const run = memory.heap.allocate(4 * PAGE_UNITS);
  assertThrows(() => memory.heap.free(run + 1), InvariantError, "as a whole");
  memory.heap.free(run);
  assertThrows(() => memory.heap.free(run), InvariantError);
});

seeded("Heap gives sparse slabs back when their objects move", (random) => {
  const { heap, pool } = new Memory(16 << 20);
  let live = Array.from({ length: 40_000 }, () => heap.allocate(6));
  live = live.filter((ref) => {
    const stays = random.chance(0.2);
    if (!stays) heap.free(ref);
    return stays;
  });
  const usedBytes = heap.usedBytes;
  heap.preferFullSlabs();
  for (let pass = 0; pass < 3; pass++) {
    live = live.map((ref) => {
      if (!heap.isSparse(ref)) return ref;
      const moved = heap.allocate(6);
      heap.noteMoved(6);
      heap.free(ref);
      return moved;
    });
  }
  assertEquals(heap.usedBytes, usedBytes);
  assert(heap.movedBytes > 0);
  assert(heap.heldBytes < usedBytes * 2, `${heap.heldBytes} for ${usedBytes}`);
  assertEquals(new Set(live).size, live.length);
  pool.verify();
});

seeded("Heap keeps every object apart and counts exactly", (random) => {
  new HeapRun(random).run();
}, { count: ROUNDS });

/** One random script: every object is filled with words of its own. */
class HeapRun {
  readonly #random: Random;
  readonly #memory = new Memory(64 << 20);
  readonly #live: { ref: number; units: number; mark: number }[] = [];
  #usedBytes = 0;
  #marks = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  run(): void {
    const { heap, pool } = this.#memory;
    const draw = randomMix(this.#random, ["allocate", "free", "check"]);
    // Waves: the heap fills up to a limit, then empties to a part of it.
    let limit = this.#random.between(10, 4000);
    let grows = true;
    for (let i = 0; i < OPERATIONS; i++) {
      const count = this.#live.length;
      if (count >= limit) grows = false;
      if (count <= limit / 8) {
        grows = true;
        limit = this.#random.between(10, 4000);
      }
      const name = count === 0 ? "allocate" : draw();
      if (name === "check") this.#check(this.#random.below(count));
      else if (count === 0 || this.#random.chance(grows ? 0.7 : 0.3)) {
        this.#allocate();
      } else this.#free(this.#random.below(count));
      assertEquals(heap.usedBytes, this.#usedBytes);
      if (i % 20_000 === 0) {
        heap.verify();
        assertEquals(pool.verify() * PAGE_BYTES, heap.heldBytes);
      }
    }
    while (this.#live.length > 0) this.#free(this.#live.length - 1);
    heap.verify();
    assertEquals(heap.usedBytes, 0);
    heap.releaseReserve();
    assertEquals([heap.heldBytes, pool.verify()], [0, 0]);
  }

  #units(): number {
    const most = this.#random.pick([4, 16, 16, 40, 40, 300, 2500]);
    return this.#random.between(1, most);
  }

  #allocate(): void {
    const { heap } = this.#memory;
    const units = this.#units();
    const ref = heap.allocate(units);
    const room = units <= CLASS_UNITS_MAX
      ? CLASS_UNITS[CLASS_OF[units]!]!
      : Math.ceil(units / PAGE_UNITS) * PAGE_UNITS;
    assertEquals(heap.unitsOf(ref), room);
    this.#usedBytes += room * 8;
    const mark = ++this.#marks;
    for (let i = 0; i < units * 2; i++) this.#memory.setWord(ref, i, mark ^ i);
    this.#live.push({ ref, units, mark });
  }

  #check(at: number): void {
    const { ref, units, mark } = this.#live[at]!;
    for (let i = 0; i < units * 2; i++) {
      if (this.#memory.word(ref, i) === (mark ^ i)) continue;
      throw new Error(`word ${i} of an object of ${units} units was changed`);
    }
  }

  #free(at: number): void {
    this.#check(at);
    const { ref } = this.#live[at]!;
    this.#usedBytes -= this.#memory.heap.unitsOf(ref) * 8;
    this.#memory.heap.free(ref);
    this.#live[at] = this.#live.at(-1)!;
    this.#live.pop();
  }
}

/**
 * Values of every kind restored where memory is short: what fails leaves nothing
 * behind and the key as it was.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import { seeded } from "../../../_harness.ts";
import { ROUNDS } from "../memory/_memory.ts";
import { LARGE_VALUES, VALUES } from "./_samples.ts";
import { Values } from "./_values.ts";
import { freeDetached } from "../../../../src/core/keyspace/detached_values.ts";

/** A value that grows takes a slab of each class that it passes. */
const ARENA_BYTES = 4 << 20;
/** Sizes that are given back, one object at a time, until there is room. */
const FILLER_UNITS = [2, 3, 4, 6, 8, 16, 40, 100, 512, 1024];

seeded("a value for which there is no room changes nothing", (random) => {
  for (const [name, value] of [...VALUES, ...LARGE_VALUES]) {
    const values = new Values([], ARENA_BYTES);
    const { heap } = values.space;
    values.shards.set("k", "old");
    const fillers: number[] = [];
    for (const units of FILLER_UNITS.toReversed()) {
      for (let ref; (ref = heap.tryAllocate(units)) !== 0;) fillers.push(ref);
    }
    let failures = 0;
    for (;;) {
      const used = heap.usedBytes;
      try {
        values.restore(value);
        break;
      } catch (error) {
        if (!(error instanceof OutOfMemory)) throw error;
      }
      failures++;
      assertEquals(values.shards.get("k"), "old", name);
      while (!freeDetached(values.space, 1e6));
      heap.releaseReserve();
      assertEquals(heap.usedBytes, used, name);
      for (let n = 1 + random.below(4); n > 0; n--) {
        const i = random.below(fillers.length);
        heap.free(fillers[i]!);
        fillers[i] = fillers.at(-1)!;
        fillers.pop();
        assert(fillers.length > 0, `${name}: there is room for it`);
      }
    }
    values.verify();
    for (const ref of fillers) heap.free(ref);
    if (value.length > 100) assert(failures > 0, `${name}: memory was short`);
    values.end();
  }
}, { count: ROUNDS });

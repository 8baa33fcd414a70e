import { assert, assertEquals } from "@std/assert";
import { Prng } from "../../../../src/core/base/prng.ts";
import {
  IntegerSet,
  SelectionSampler,
} from "../../../../src/core/base/sampling.ts";
import { Random } from "../../../_harness.ts";

/** The things that were taken, of `total`. */
function take(sampler: SelectionSampler, wanted: number, total: number) {
  sampler.begin(wanted, total);
  const taken: number[] = [];
  for (let i = 0; i < total; i++) if (sampler.takesNext()) taken.push(i);
  return taken;
}

Deno.test("SelectionSampler takes as many as are wanted", () => {
  const sampler = new SelectionSampler(new Prng(1));
  for (let total = 0; total < 30; total++) {
    for (let wanted = 0; wanted <= total; wanted++) {
      assertEquals(take(sampler, wanted, total).length, wanted);
      assertEquals(sampler.wanted, 0);
    }
  }
});

Deno.test("SelectionSampler takes all sets equally often", () => {
  const sampler = new SelectionSampler(new Prng(2));
  const counts = new Map<string, number>();
  const draws = 60_000;
  for (let i = 0; i < draws; i++) {
    const set = take(sampler, 3, 6).join();
    counts.set(set, (counts.get(set) ?? 0) + 1);
  }
  const sets = 20; // three of six
  assertEquals(counts.size, sets);
  const expected = draws / sets;
  for (const count of counts.values()) {
    // Five standard deviations.
    assert(Math.abs(count - expected) < 5 * Math.sqrt(expected), `${count}`);
  }
});

Deno.test("IntegerSet tells what it has", () => {
  const random = new Random(3);
  for (const capacity of [1, 2, 3, 100, 5000]) {
    const set = new IntegerSet(capacity);
    const model = new Set<number>();
    while (model.size < capacity) {
      const n = random.pick([
        () => random.uint32() | 0,
        () => random.between(1, capacity * 2),
        () => random.between(1, capacity) << 20,
      ])();
      if (n === 0) continue;
      assertEquals(set.add(n), !model.has(n));
      model.add(n);
    }
  }
});

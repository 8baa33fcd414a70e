import { assertEquals } from "@std/assert";
import {
  sortIndexes,
  sortIndexesBetween,
} from "../../../../src/core/base/index_sort.ts";
import { type Random, seeded } from "../../../_harness.ts";

/** Weights with many equal ones among them, at times in order already. */
function weightsOf(random: Random): number[] {
  const count = random.below(random.chance(0.5) ? 12 : 300);
  const weights = Array.from(
    { length: count },
    () => random.below(1 + random.below(200)),
  );
  if (random.chance(0.2)) weights.sort((a, b) => a - b);
  if (random.chance(0.1)) weights.reverse();
  return weights;
}

seeded("sortIndexes() sorts and keeps the order of equals", (random) => {
  for (let round = 0; round < 300; round++) {
    const weights = weightsOf(random);
    const numbers = Int32Array.from(weights, (_, i) => i);
    sortIndexes(numbers, (a, b) => weights[a]! - weights[b]!);
    const expected = weights.map((_, i) => i)
      .sort((a, b) => weights[a]! - weights[b]! || a - b);
    assertEquals([...numbers], expected);
  }
});

seeded("sortIndexesBetween() puts right the places asked for", (random) => {
  for (let round = 0; round < 300; round++) {
    const weights = weightsOf(random);
    const first = random.below(weights.length + 1);
    const last = random.between(first - 1, weights.length - 1);
    const numbers = Int32Array.from(weights, (_, i) => i);
    sortIndexesBetween(numbers, first, last, (a, b) => {
      return weights[a]! - weights[b]!;
    });
    const sorted = [...weights].sort((a, b) => a - b);
    assertEquals(
      [...numbers].slice(first, last + 1).map((i) => weights[i]),
      sorted.slice(first, last + 1),
    );
    assertEquals([...numbers].sort((a, b) => a - b), weights.map((_, i) => i));
  }
});

Deno.test("sortIndexesBetween() leaves equals where redis-server does", () => {
  const rows: [number[], number, number, string][] = [
    [[3, 1, 2, 3, 1, 2, 3, 1, 2, 3], 0, 3, "7 1 4 2"],
    [
      ...[Array.from({ length: 60 }, (_, i) => i * 7 % 5), 10, 29] as const,
      "10 25 18 48 38 8 43 13 3 53 23 28 33 58 46 56 26 51 41 6",
    ],
  ];
  for (const [weights, first, last, expected] of rows) {
    const numbers = Int32Array.from(weights, (_, i) => i);
    sortIndexesBetween(numbers, first, last, (a, b) => {
      return weights[a]! - weights[b]!;
    });
    assertEquals(numbers.subarray(first, last + 1).join(" "), expected);
  }
});

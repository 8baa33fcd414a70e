/** Exclusion between workers: src/core/base/latch.ts. */
import { assertEquals } from "@std/assert";
import { acquireLatch, releaseLatch } from "../../../../src/core/base/latch.ts";
import type { Task } from "./_latch_worker.ts";

const WORKERS = 4;

Deno.test("a latch that is free is taken without sleep", () => {
  const words = new Int32Array(new SharedArrayBuffer(8));
  assertEquals(acquireLatch(words, 1), 0);
  assertEquals([...words], [0, 1]);
  releaseLatch(words, 1);
  assertEquals([...words], [0, 0]);
});

Deno.test("a latch is given back although sleepers were expected", () => {
  const words = new Int32Array(new SharedArrayBuffer(4));
  words[0] = 2;
  releaseLatch(words, 0);
  assertEquals(words[0], 0);
});

for (const steps of [1, 100, 3000]) {
  Deno.test(`workers count exactly under a latch, ${steps} steps each`, async () => {
    const words = new Int32Array(new SharedArrayBuffer(64 * 4));
    const rounds = Math.ceil(3_000_000 / (steps + 20));
    await onWorkers({ words, way: "one", rounds, steps });
    assertEquals(words[16], WORKERS * rounds * steps);
    assertEquals(words[0], 0);
  });
}

Deno.test("workers count exactly under several latches", async () => {
  const words = new Int32Array(new SharedArrayBuffer(64 * 4));
  const rounds = 30_000;
  await onWorkers({ words, way: "many", rounds, steps: 7 });
  // Two of three rounds take the first latch, and two the second.
  const expected = WORKERS * rounds / 3 * 2 * 7;
  assertEquals([words[16], words[48]], [expected, expected]);
  assertEquals([words[0], words[32]], [0, 0]);
});

/** Has several workers do the same at the same time. */
async function onWorkers(task: Omit<Task, "workers">): Promise<void> {
  const workers = Array.from(
    { length: WORKERS },
    () =>
      new Worker(new URL("./_latch_worker.ts", import.meta.url), {
        type: "module",
      }),
  );
  try {
    await Promise.all(workers.map((worker) =>
      new Promise((resolve, reject) => {
        worker.onmessage = resolve;
        worker.onerror = reject;
        worker.postMessage({ ...task, workers: WORKERS });
      })
    ));
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

/**
 * Latches, free and wanted by others.
 *
 * Each iteration takes and gives back {@linkcode ROUNDS} times; divide by that.
 *
 * Traps:
 * - A free latch costs two atomic instructions, and what they hinder: the
 *   processor waits there for its earlier stores, which an empty loop does not
 *   have. `command_bench.ts` shows the price among commands.
 * - A wanted latch depends on the scheduler. The rival is a worker that never
 *   rests, which is worse than any server: with as many workers as cores and
 *   several shards each, two seldom meet.
 * - With fewer cores than threads that want it, the numbers are those of the
 *   kernel's time slices.
 *
 * @module
 */
import { acquireLatch, releaseLatch } from "../src/core/base/latch.ts";
import { Latches } from "../src/engine/latch/shard_latches.ts";

const ROUNDS = 1000;
const SHARDS = 16;
/** Word that is not 0 when the rival is to stop. */
const STOP_AT = 32;

const words = new Int32Array(new SharedArrayBuffer(256));

function countUnderLatch(): void {
  for (let i = 0; i < ROUNDS; i++) {
    acquireLatch(words, 0);
    words[16] = (words[16]! + 1) | 0;
    releaseLatch(words, 0);
  }
}

Deno.bench(`${ROUNDS} x no latch`, { group: "latch", baseline: true }, () => {
  for (let i = 0; i < ROUNDS; i++) words[16] = (words[16]! + 1) | 0;
});

Deno.bench(`${ROUNDS} x free latch`, { group: "latch" }, countUnderLatch);

Deno.bench(`${ROUNDS} x latch with a rival`, {
  group: "latch",
  // Each iteration starts a worker.
  n: 20,
  warmup: 2,
}, async (b) => {
  const rival = await startRival();
  b.start();
  countUnderLatch();
  b.end();
  await stop(rival);
});

const controls = Array.from(
  { length: SHARDS },
  () => new Int32Array(new SharedArrayBuffer(256)),
);
const latches = new Latches(controls, new Float64Array(64), true, false);

Deno.bench(`${ROUNDS} x one shard`, { group: "shards" }, () => {
  for (let i = 0; i < ROUNDS; i++) {
    latches.acquire(i % SHARDS);
    latches.release(i % SHARDS);
  }
});

Deno.bench(`${ROUNDS} x two marked shards`, { group: "shards" }, () => {
  for (let i = 0; i < ROUNDS; i++) {
    latches.mark(i % SHARDS);
    latches.mark((i * 7 + 3) % SHARDS);
    latches.acquireMarked();
    latches.releaseMarked();
  }
});

Deno.bench(`${ROUNDS / 10} x all shards`, { group: "shards" }, () => {
  for (let i = 0; i < ROUNDS / 10; i++) {
    latches.acquireAll();
    latches.releaseAll();
  }
});

/** A worker that takes the latch again and again, once it runs. */
async function startRival(): Promise<Worker> {
  const rival = new Worker(new URL("./_latch_rival.ts", import.meta.url), {
    type: "module",
  });
  words[STOP_AT] = 0;
  await new Promise((resolve) => {
    rival.onmessage = resolve;
    rival.postMessage({ words, stopAt: STOP_AT });
  });
  return rival;
}

/** A worker that is only terminated may go on for a while. */
async function stop(rival: Worker): Promise<void> {
  const stopped = new Promise((resolve) => {
    rival.onmessage = resolve;
  });
  Atomics.store(words, STOP_AT, 1);
  await stopped;
  rival.terminate();
}

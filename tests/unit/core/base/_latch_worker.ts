/**
 * A worker that counts under latches; see latch_test.ts.
 *
 * @module
 */
/// <reference lib="deno.worker" />
import { acquireLatch, releaseLatch } from "../../../../src/core/base/latch.ts";
import { Latches } from "../../../../src/engine/latch/shard_latches.ts";

/** What a worker is to do. */
export interface Task {
  /**
   * Words: a latch at 0, a counter at 16, the same again at 32 and 48; at 63
   * how many workers are ready.
   */
  words: Int32Array;
  workers: number;
  /** The latch taken directly, or all that {@linkcode Latches} knows. */
  way: "one" | "many";
  rounds: number;
  /** Increments per round, so that some holders are overtaken in the middle. */
  steps: number;
}

globalThis.onmessage = ({ data }: MessageEvent<Task>) => {
  awaitOthers(data);
  postMessage(data.way === "one" ? countOne(data) : countMany(data));
};

function awaitOthers({ words, workers }: Task): void {
  let ready = Atomics.add(words, 63, 1) + 1;
  Atomics.notify(words, 63);
  while (ready < workers) {
    Atomics.wait(words, 63, ready, 100);
    ready = Atomics.load(words, 63);
  }
}

function countOne({ words, rounds, steps }: Task): number {
  let sleeps = 0;
  for (let i = 0; i < rounds; i++) {
    sleeps += Math.max(0, acquireLatch(words, 0) - 1);
    for (let step = 0; step < steps; step++) words[16]! += 1;
    releaseLatch(words, 0);
  }
  return sleeps;
}

/** Counts under the first latch, the second, or both. */
function countMany({ words, rounds, steps }: Task): number {
  const controls = [words.subarray(0, 32), words.subarray(32, 64)];
  const latches = new Latches(controls, new Float64Array(64), true, true);
  for (let i = 0; i < rounds; i++) {
    // Marked in any order, with repeats.
    const shards = [[0], [1], [1, 0, 1]][i % 3]!;
    for (const shard of shards) latches.mark(shard);
    latches.acquireMarked();
    for (let step = 0; step < steps; step++) {
      for (const shard of new Set(shards)) controls[shard]![16]! += 1;
    }
    latches.releaseMarked();
    latches.checkNoneHeld();
  }
  return 0;
}

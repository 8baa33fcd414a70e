/**
 * Takes a latch again and again until it is told to stop; see `latch_bench.ts`.
 *
 * @module
 */
/// <reference lib="deno.worker" />
import { acquireLatch, releaseLatch } from "../src/core/base/latch.ts";

/** The words of the latch, and which of them is not 0 when it is time. */
interface Order {
  words: Int32Array;
  stopAt: number;
}

globalThis.onmessage = ({ data: { words, stopAt } }: MessageEvent<Order>) => {
  postMessage("running");
  while (Atomics.load(words, stopAt) === 0) {
    acquireLatch(words, 0);
    words[16] = (words[16]! + 1) | 0;
    releaseLatch(words, 0);
  }
  postMessage("stopped");
};

/** Latches as a worker takes them: src/engine/latch/shard_latches.ts. */
import { assertEquals, assertGreater, assertThrows } from "@std/assert";
import { InvariantError } from "../../../../src/core/base/assert.ts";
import {
  LATCH_CONTENTIONS,
  LATCH_HOLD_MAX,
  LATCH_LONG_WAITS,
} from "../../../../src/core/keyspace/counters.ts";
import { SHARD_LATCH } from "../../../../src/core/keyspace/shard_control.ts";
import { Latches } from "../../../../src/engine/latch/shard_latches.ts";

const SHARDS = 4;
const FLAGS = 16;

function makeLatches(
  isShared: boolean,
): { latches: Latches; held: () => number[]; controls: Int32Array[] } {
  const controls = Array.from(
    { length: SHARDS },
    () => new Int32Array(new SharedArrayBuffer(128)),
  );
  return {
    controls,
    latches: new Latches(controls, new Float64Array(64), isShared, true),
    held: () =>
      controls.flatMap((words, i) => words[SHARD_LATCH]! > 0 ? [i] : []),
  };
}

Deno.test("Latches takes marked shards, each once, and forgets them", () => {
  const { latches, held } = makeLatches(true);
  latches.mark(3);
  latches.mark(1);
  latches.mark(3);
  latches.acquireMarked();
  assertEquals(held(), [1, 3]);
  latches.releaseMarked();
  assertEquals(held(), []);
  latches.acquireMarked();
  assertEquals(held(), []);
  latches.mark(2);
  latches.unmark();
  latches.mark(0);
  latches.acquireMarked();
  assertEquals(held(), [0]);
  latches.releaseMarked();
  latches.mark(2);
  latches.markAll();
  latches.acquireMarked();
  assertEquals(held(), [0, 1, 2, 3]);
  latches.releaseMarked();
  latches.acquireMarked();
  assertEquals(held(), []);
  latches.acquireAll();
  assertEquals(held(), [0, 1, 2, 3]);
  latches.releaseAll();
  latches.checkNoneHeld();
  assertEquals(held(), []);
});

Deno.test("Latches finds the first marked shard with a flag", () => {
  const { latches, controls } = makeLatches(true);
  controls[1]![FLAGS] = 1;
  controls[3]![FLAGS] = 1;
  latches.mark(2);
  assertEquals(latches.firstMarkedWith(FLAGS), -1);
  latches.mark(3);
  assertEquals(latches.firstMarkedWith(FLAGS), 3);
});

Deno.test("Latches of a single worker takes nothing", () => {
  const { latches, held } = makeLatches(false);
  latches.acquire(1);
  latches.mark(2);
  latches.acquireMarked();
  assertEquals(held(), []);
  latches.releaseMarked();
  latches.release(1);
});

Deno.test("Latches in debug mode asserts the order", () => {
  const { latches } = makeLatches(true);
  latches.acquire(2);
  assertThrows(() => latches.acquire(1), InvariantError, "ascending order");
  assertThrows(() => latches.acquire(2), InvariantError, "ascending order");
  assertThrows(() => latches.release(3), InvariantError, "is held");
  assertThrows(() => latches.checkNoneHeld(), InvariantError, "across a turn");
  latches.release(2);
  latches.checkNoneHeld();
  latches.acquire(1);
  latches.release(1);
});

Deno.test("Latches in debug mode measures holds", () => {
  const words = new Int32Array(new SharedArrayBuffer(128));
  for (const checks of [false, true]) {
    const counters = new Float64Array(64);
    const latches = new Latches(
      [words, words.slice(0)],
      counters,
      true,
      checks,
    );
    latches.acquireAll();
    latches.releaseAll();
    assertEquals(counters[LATCH_HOLD_MAX]! > 0, checks);
  }
});

Deno.test("Latches notices who keeps others waiting", async () => {
  const words = new Int32Array(new SharedArrayBuffer(128));
  const counters = new Float64Array(64);
  const latches = new Latches([words], counters, true, true);
  latches.acquire(0);
  latches.release(0);
  assertEquals([counters[LATCH_CONTENTIONS], latches.longestSleeps], [0, 0]);
  // Somebody else has it, and gives it back in a while.
  words[SHARD_LATCH] = 1;
  const code = `onmessage = ({ data }) => {
    postMessage(0);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 80);
    Atomics.exchange(data, ${SHARD_LATCH}, 0);
    Atomics.notify(data, ${SHARD_LATCH}, 1);
  };`;
  const url = `data:text/javascript,${encodeURIComponent(code)}`;
  const other = new Worker(url, { type: "module" });
  try {
    await new Promise((resolve) => {
      other.onmessage = resolve;
      other.postMessage(words);
    });
    latches.acquire(0);
    latches.release(0);
  } finally {
    other.terminate();
  }
  assertEquals(counters[LATCH_CONTENTIONS], 1);
  assertEquals(counters[LATCH_LONG_WAITS], 1);
  assertGreater(latches.longestSleeps, 9);
});

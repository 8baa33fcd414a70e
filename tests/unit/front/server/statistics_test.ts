import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  CALLS,
  COMMAND_COUNTERS,
  COMMANDS_PROCESSED,
  COUNTER_COUNT,
  DURATION_BUCKETS,
  DURATIONS_AT,
  NET_INPUT_BYTES,
  WORKER_DOUBLES,
} from "../../../../src/core/keyspace/counters.ts";
import { Statistics } from "../../../../src/front/server/statistics.ts";
import type { WorkerContext } from "../../../../src/front/server/worker_context.ts";

/** Statistics of two workers and their blocks. */
function makeStatistics(): [Statistics, Float64Array, Float64Array] {
  const buffers = [0, 1].map(() => new SharedArrayBuffer(WORKER_DOUBLES * 8));
  const [a, b] = buffers.map((buffer) => new Float64Array(buffer));
  return [new Statistics(buffers), a!, b!];
}

/** A worker as far as sampling looks at it. */
function workerOf(counters: Float64Array): WorkerContext {
  const worker = {
    counters,
    connections: new Map(),
    call: {
      keyspaces: [{
        heap: { usedBytes: 0 },
        arena: { pool: new Int32Array(64), capacityBytes: 0 },
      }],
    },
    shared: {
      slotShards: { byteLength: 0 },
      process: { byteLength: 0 },
      arena: { pool: { byteLength: 0 } },
      controls: [],
      counters: [],
    },
  };
  return worker as unknown as WorkerContext;
}

Deno.test("Statistics adds up the blocks of all workers", () => {
  const [statistics, a, b] = makeStatistics();
  a[COMMANDS_PROCESSED] = 3;
  b[COMMANDS_PROCESSED] = 4;
  assertEquals(statistics.sum(COMMANDS_PROCESSED), 7);
  assertEquals(statistics.max(COMMANDS_PROCESSED), 4);
  assertEquals(statistics.mean(COMMANDS_PROCESSED), 3.5);
});

Deno.test("Statistics.rate is the mean growth of the last samples", () => {
  const [statistics, a, b] = makeStatistics();
  const worker = workerOf(a);
  assertEquals(statistics.rate(COMMANDS_PROCESSED), 0);
  statistics.sample(worker, 1000);
  for (let i = 1; i <= 20; i++) {
    a[COMMANDS_PROCESSED]! += 10;
    b[COMMANDS_PROCESSED]! += 20;
    statistics.sample(worker, 1000 + i * 100);
  }
  assertAlmostEquals(statistics.rate(COMMANDS_PROCESSED), 300);
  assertEquals(statistics.rate(NET_INPUT_BYTES), 0);
  for (let i = 21; i <= 36; i++) statistics.sample(worker, 1000 + i * 100);
  assertEquals(statistics.rate(COMMANDS_PROCESSED), 0);
});

Deno.test("Statistics.rate does not fall below zero after a reset", () => {
  const [statistics, a] = makeStatistics();
  const worker = workerOf(a);
  a[COMMANDS_PROCESSED] = 1000;
  statistics.sample(worker, 1000);
  a[COMMANDS_PROCESSED] = 0;
  statistics.sample(worker, 1100);
  assertEquals(statistics.rate(COMMANDS_PROCESSED), 0);
});

Deno.test("Statistics.durations scales what was timed to all calls", () => {
  const [statistics, a, b] = makeStatistics();
  const at = DURATIONS_AT + 5 * DURATION_BUCKETS;
  assertEquals(statistics.durations(5), []);
  a[COUNTER_COUNT + 5 * COMMAND_COUNTERS + CALLS] = 100;
  assertEquals(statistics.durations(5), []);
  a[at + 2] = 6;
  b[at + 3] = 4;
  const durations = statistics.durations(5);
  assertEquals(durations.length, DURATION_BUCKETS);
  assertEquals(durations.slice(1, 5), [0, 60, 40, 0]);
});

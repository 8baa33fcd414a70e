/**
 * Eight workers change the same shards at the same time, on few cores, and check
 * each other's work: values of many lengths are written, resized, renamed and
 * copied across shards, deleted and expired, streamed while they are replaced,
 * while dictionaries grow and shrink and entries are moved by defragmentation.
 *
 * SHERD_STRESS_SECONDS: how long; SHERD_SEED: what the workers do, though not
 * in which order they meet.
 */
import { assert, assertEquals } from "@std/assert";
import { makeSharedState } from "../../src/engine/messages/shared_state.ts";
import { seeded } from "../_harness.ts";
import { Handles, Model } from "./_stress_model.ts";
import type { Outcome, Task } from "./_stress_worker.ts";
import { expiresAt, keysAt } from "../../src/core/keyspace/shard_control.ts";

const WORKERS = 8;
const SECONDS = Number(Deno.env.get("SHERD_STRESS_SECONDS") ?? "5");

seeded(
  "workers on the same shards see no wrong value and leave nothing",
  async (
    random,
    seed,
  ) => {
    const shared = makeSharedState({
      // Sixteen shards: few, so that workers meet.
      workers: 2,
      databases: 2,
      arenaBytes: 1 << 30,
      random: new Uint32Array([random.uint32(), random.uint32()]),
      runId: "0".repeat(40),
      startedMs: 0,
    });
    const handles = new Handles(shared, 0);
    handles.pool.format();
    const model = Model.makeWords();
    const task = { shared, model, seed, runMs: SECONDS * 1000 };
    const counts: Record<string, number> = {};
    for (const done of await runWorkers(task)) {
      for (const [name, count] of Object.entries(done)) {
        counts[name] = (counts[name] ?? 0) + count;
      }
    }
    for (const [name, count] of Object.entries(counts)) {
      assert(count >= 100, `${name} was done ${count} times only`);
    }
    verifyAndEmpty(handles);
  },
  { count: 1 },
);

/** What each worker did. The first failure ends all: it may hold latches. */
async function runWorkers(
  task: Omit<Task, "index">,
): Promise<Record<string, number>[]> {
  const workers = Array.from(
    { length: WORKERS },
    () =>
      new Worker(new URL("./_stress_worker.ts", import.meta.url), {
        type: "module",
      }),
  );
  try {
    return await Promise.all(
      workers.map((worker, index) =>
        new Promise<Record<string, number>>((resolve, reject) => {
          worker.onmessage = ({ data }: MessageEvent<Outcome>) => {
            if ("counts" in data) resolve(data.counts);
            else reject(new Error(data.error));
          };
          worker.onerror = (event) => {
            event.preventDefault();
            reject(new Error(event.message));
          };
          worker.postMessage({ ...task, index });
        })
      ),
    );
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

/** Checks all structures, deletes all keys, and finds nothing left. */
function verifyAndEmpty({ keyspaces, pool }: Handles): void {
  for (const space of keyspaces) {
    const { control, dict, heap } = space;
    assertEquals(space.count(1), 0);
    heap.verify();
    for (let db = 0; db < 2; db++) {
      dict.verify(control, keysAt(db));
      dict.verify(control, expiresAt(db));
      const refs: number[] = [];
      for (let cursor = 0;;) {
        const visit = (ref: number) => refs.push(ref);
        cursor = dict.scan(control, keysAt(db), cursor, visit);
        if (cursor === 0) break;
      }
      for (const ref of refs) space.delete(db, ref);
      assertEquals([space.count(db), space.expiresCount(db)], [0, 0]);
    }
    assertEquals(heap.usedBytes, 0);
    heap.releaseReserve();
    assertEquals(heap.heldBytes, 0);
  }
  assertEquals(pool.verify(), 0);
}

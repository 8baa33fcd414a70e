/**
 * A worker's end of the background, without threads: what is sent there, and
 * what is run in place after all.
 *
 * @module
 */
import { assertEquals, assertInstanceOf } from "@std/assert";
import { SHARD_READINGS } from "../../../../src/core/keyspace/shard_control.ts";
import type { Call } from "../../../../src/core/commands/call.ts";
import type {
  ComputeJob,
  ComputePort,
  ComputeResult,
} from "../../../../src/engine/compute/compute_job.ts";
import { ComputePool } from "../../../../src/engine/compute/compute_pool.ts";
import type { LockSpec } from "../../../../src/engine/locks/lock_spec.ts";
import { LockWorld } from "../locks/_lock_world.ts";

const THREADS = 2;

/** A worker with a pool whose threads are the test. */
class PoolRoom {
  readonly room: LockWorld;
  readonly pool: ComputePool<Call>;
  readonly load = new Int32Array(new SharedArrayBuffer(4 * (THREADS + 1)));
  /** Whether locks are refused. */
  refuses = false;
  readonly asked: LockSpec[] = [];
  readonly jobs: ComputeJob[] = [];

  constructor() {
    const room = this.room = new LockWorld({
      background: (command, call, positions, resp) =>
        this.pool.begin(command, call, positions, resp),
    });
    const { world } = room;
    const { latches, counters, effects } = world;
    this.pool = new ComputePool<Call>({
      ...{ latches, counters, effects, load: this.load },
      startThreads: () => {},
      settings: () => ({ version: 0, snapshot: null }),
      nowMs: () => world.nowMs,
      mustBeStill: () => false,
      later: () => {},
      fillKey: (key, name) => world.call.fillKey(key, name, 0, name.length),
      lock: (spec) => {
        this.asked.push(spec);
        return this.refuses ? null : room.manager.tryLockHeld(spec);
      },
      runInPlace: () => {},
      settle: () => {},
      countError: () => {},
    });
    const port: ComputePort<ComputeJob, ComputeResult> = {
      postMessage: (job) => this.jobs.push(job),
      onmessage: null,
    };
    this.pool.attach(Array.from({ length: THREADS }, () => port));
    world.settings.set([["background-threshold", "10"]]);
    const members = Array.from({ length: 100 }, (_, i) => `m${i}`);
    world.run(world.session(), ["SADD", "source", ...members]);
  }

  /** Readings of values, in all shards. */
  get readings(): number {
    return this.room.world.keyspaces.filter(({ control }) =>
      control[SHARD_READINGS] !== 0
    ).length;
  }

  run(line: string): unknown {
    const { world } = this.room;
    return world.run(world.session(), line.split(" "));
  }
}

Deno.test("a STORE command that cannot get its locks runs in place", () => {
  const pools = new PoolRoom();
  pools.refuses = true;
  for (
    const [line, expected] of [
      ["SUNIONSTORE target source source", 100],
      ["COPY source copy", 1],
      ["SINTERSTORE target source target", 100],
    ] as const
  ) assertEquals(pools.run(line), expected, line);
  assertEquals(pools.asked.length, 3);
  assertEquals(pools.asked[0]!.write?.length, 1);
  // Nothing is under way, and nothing is kept for it.
  assertEquals([pools.pool.count, pools.load[0], pools.readings], [0, 0, 0]);
  assertEquals(pools.jobs, []);
  assertEquals(pools.run("SCARD target"), 100);
  pools.room.expectNothing();
});

Deno.test("a command that only reads goes to the background without locks", () => {
  const pools = new PoolRoom();
  pools.refuses = true;
  assertInstanceOf(pools.run("SUNION source source"), Promise);
  assertEquals([pools.pool.count, pools.load[0], pools.readings], [1, 1, 1]);
  assertEquals(pools.jobs.length, 1);
  // Nobody waits for it: who changes the value changes a copy.
  assertEquals(pools.run("SREM source m0"), 1);
  assertEquals(pools.readings, 1);
});

Deno.test("a STORE command locks what it reads, and what it writes", () => {
  const pools = new PoolRoom();
  assertInstanceOf(pools.run("SUNIONSTORE target source source"), Promise);
  const [handle] = [...pools.room.manager.handles];
  assertEquals(
    handle!.keys.map(({ key, isWrite }) =>
      `${new TextDecoder().decode(key)} ${isWrite}`
    ).sort(),
    ["source false", "target true"],
  );
  assertEquals(handle!.label, "sunionstore");
  const reader = pools.room.send("SCARD source");
  const writer = pools.room.send("SADD source x");
  const looker = pools.room.send("EXISTS target");
  assertEquals([reader.reply, writer.reply, looker.reply], [
    ":100\r\n",
    "",
    "",
  ]);
});

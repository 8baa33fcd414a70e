/**
 * A worker's end of the background, without threads: what is sent there, and
 * what is run in place after all.
 *
 * @module
 */
import { assertEquals, assertInstanceOf } from "@std/assert";
import { Call } from "../../../../src/core/commands/call.ts";
import type { CommandTable } from "../../../../src/core/commands/command_table.ts";
import { WORKER_DOUBLES } from "../../../../src/core/keyspace/counters.ts";
import { Keyspace } from "../../../../src/core/keyspace/keyspace.ts";
import {
  SHARD_READINGS,
  shardControlWords,
} from "../../../../src/core/keyspace/shard_control.ts";
import type {
  ComputeJob,
  ComputePort,
  ComputeResult,
} from "../../../../src/engine/compute/compute_job.ts";
import { ComputePool } from "../../../../src/engine/compute/compute_pool.ts";
import { ComputeRunner } from "../../../../src/engine/compute/compute_runner.ts";
import { Latches } from "../../../../src/engine/latch/shard_latches.ts";
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
  readonly #port: ComputePort<ComputeJob, ComputeResult> = {
    postMessage: (job) => void this.jobs.push(job),
    onmessage: null,
  };

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
      queueMax: () => 16,
      nowMs: () => world.nowMs,
      mustBeStill: () => false,
      later: () => {},
      fillKey: (key, name) => world.call.fillKey(key, name, 0, name.length),
      lock: (spec) => {
        this.asked.push(spec);
        return this.refuses ? null : room.manager.tryLockHeld(spec);
      },
      hold: () => null,
      runInPlace: () => {},
      settle: () => {},
      addBig: () => {},
      freeBig: () => {},
      count: () => {},
    });
    this.pool.attach(Array.from({ length: THREADS }, () => this.#port));
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

  /** A thread on which `midst` is called behind the work of each command. */
  makeRunner(midst: (command: string) => void): ComputeRunner<Call> {
    const { world } = this.room;
    const { call, pages: pool, settings, table } = world;
    const { clock, random, hashSeed, slotShards } = call;
    const { arena } = world.keyspaces[0]!;
    const counters = new Float64Array(WORKER_DOUBLES);
    const all = table.all.map((command) => ({
      ...{ spec: command.spec, findOtherKeys: command.findOtherKeys },
      ...{ fullName: command.fullName },
      run: (own: Call) => {
        command.run(own);
        midst(command.fullName);
      },
    }));
    return new ComputeRunner<Call>({
      table: { all } as unknown as CommandTable<Call>,
      counters,
      makeKeyspace: (shard, events) =>
        new Keyspace(
          {
            ...{ arena, pool, counters, clock, random, hashSeed, events },
            limits: settings,
          },
          new Int32Array(shardControlWords(16)),
          shard,
        ),
      makeCall: (space) =>
        new Call({
          keyspaces: world.keyspaces.map(() => space),
          ...{ slotShards, hashSeed, settings, counters, clock, random },
          latches: new Latches([], counters, false, false),
        }),
      addBig: () => {},
      monotonicMs: () => 0,
      beforeJob: () => {},
      failed: () => {},
    });
  }

  /** The end of a job comes from its thread. */
  finish(result: ComputeResult): void {
    this.#port.onmessage!({ data: result } as MessageEvent<ComputeResult>);
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

Deno.test("KT27: a job that throws in its midst leaves nothing", async () => {
  const failures: string[] = [];
  const pools = new PoolRoom();
  const { world, manager } = pools.room;
  const used = () =>
    world.keyspaces.reduce((sum, { heap }) => sum + heap.usedBytes, 0);
  const runner = pools.makeRunner((command) => {
    failures.push(command);
    // What it has done so far is in its own keyspace.
    throw new RangeError("Array buffer allocation failed");
  });
  pools.run("SADD target before");
  const before = used();
  const commands = [
    "SUNIONSTORE target source source",
    "SUNION source source",
    "SORT source ALPHA STORE target",
    "COPY source target REPLACE",
    "DUMP source",
  ];
  for (const line of commands) {
    const reply = pools.run(line);
    assertInstanceOf(reply, Promise);
    const writer = pools.room.send("SADD source late");
    pools.finish(runner.run(pools.jobs.pop()!));
    const error = await reply;
    assertInstanceOf(error, Error);
    assertEquals(error.message, "ERR background worker died");
    await pools.room.settle();
    assertEquals(writer.reply, ":1\r\n");
    pools.run("SREM source late");
    assertEquals([used(), pools.readings, pools.load[0]], [before, 0, 0], line);
    assertEquals([...manager.handles], []);
  }
  assertEquals(failures.length, commands.length);
  assertEquals(pools.run("SMEMBERS target"), ["before"]);
  for (const { heap } of world.keyspaces) heap.verify();
});

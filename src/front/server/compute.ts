/**
 * The background: what a compute thread is made of, and a worker's end of it.
 *
 * @module
 */

import { Prng } from "../../core/base/prng.ts";
import { expectTransfers } from "../../core/base/steady_code.ts";
import { AccessClock } from "../../core/keyspace/access_clock.ts";
import { WORKER_DOUBLES } from "../../core/keyspace/counters.ts";
import { EffectLog } from "../../core/keyspace/effect_log.ts";
import { isLfuPolicy } from "../../core/keyspace/evict.ts";
import type { ValueHold } from "../../core/commands/call.ts";
import { Keyspace } from "../../core/keyspace/keyspace.ts";
import { shardControlWords } from "../../core/keyspace/shard_control.ts";
import { Arena, SEGMENT_SHIFT } from "../../core/memory/arena.ts";
import { ExternalStrings } from "../../core/memory/external.ts";
import { PagePool } from "../../core/memory/page_pool.ts";
import { ErrorReply } from "../../core/resp/error_reply.ts";
import { ReplyWriter } from "../../core/resp/reply_writer.ts";
import { Settings } from "../../core/settings/settings.ts";
import {
  ManyWait,
  type ManyWaitParts,
} from "../../engine/blocking/registering.ts";
import {
  ComputePool,
  type ComputePoolPorts,
} from "../../engine/compute/compute_pool.ts";
import {
  ManyKeys,
  type ManyKeysPorts,
} from "../../engine/compute/many_keys.ts";
import type {
  ComputeJob,
  ComputePort,
  ComputeResult,
} from "../../engine/compute/compute_job.ts";
import { ComputeRunner } from "../../engine/compute/compute_runner.ts";
import { DONE } from "../../engine/executor/outcome.ts";
import { GATES_STILL } from "../../engine/executor/gate.ts";
import { guestSession } from "../../engine/executor/session.ts";
import type { LockHandle, LockSpec } from "../../engine/locks/lock_spec.ts";
import { Latches } from "../../engine/latch/shard_latches.ts";
import { takeReply } from "../../engine/messages/forwarding.ts";
import {
  PROCESS_COMPUTE_FAILURES,
  PROCESS_COMPUTE_LOAD,
} from "../../engine/messages/shared_state.ts";
import { makeCommandTable } from "./command_groups.ts";
import { ServerCall } from "./server_call.ts";
import type { ComputeStart, FromWorker } from "./thread_protocol.ts";
import { Bell } from "../../engine/messages/bell.ts";
import { wakeWorker } from "./network/system_calls.ts";
import type { WorkerContext } from "./worker_context.ts";

/** Makes this thread a compute thread; `tell` reaches the main thread. */
export function beginComputing(
  start: ComputeStart,
  tell: (message: FromWorker) => void,
): void {
  expectTransfers();
  const { shared, id } = start;
  const settings = new Settings(start.host);
  const counters = new Float64Array(WORKER_DOUBLES);
  const random = new Prng(shared.hashSeed[1] ^ (id + 1));
  const clock = new AccessClock(random);
  const arena = new Arena(shared.arena);
  const process = new Int32Array(shared.process);
  const pool = new PagePool(arena, true);
  const apply = (snapshot: ComputeStart["settings"]) => {
    settings.applySnapshot(snapshot);
    clock.isLfu = isLfuPolicy(settings.maxmemoryPolicy);
    clock.lfuLogFactor = settings.lfuLogFactor;
    clock.lfuDecayMinutes = settings.lfuDecayTime;
  };
  apply(start.settings);
  const { hashSeed } = shared;
  const context = {
    ...{ arena, pool, counters, clock, random, hashSeed },
    limits: settings,
  };
  const slotShards = new Uint16Array(shared.slotShards);
  const externals = new ExternalStrings(arena, pool);
  const effects = new EffectLog();
  const runner = new ComputeRunner<ServerCall>({
    table: makeCommandTable(),
    counters,
    makeKeyspace: (shard, events) =>
      new Keyspace(
        { ...context, events },
        new Int32Array(shardControlWords(shared.databases)),
        shard,
      ),
    makeCall: (space) => {
      const keyspaces = shared.controls.map(() => space);
      const latches = new Latches([], counters, false, false);
      return new ServerCall({
        ...{ keyspaces, slotShards, hashSeed, settings },
        ...{ counters, clock, random, latches, effects },
      });
    },
    addBig: (args, run, length) =>
      args.addBig(
        run,
        arena.u8,
        run >>> SEGMENT_SHIFT,
        externals.offset(run),
        length,
      ),
    monotonicMs: () => performance.now(),
    beforeJob: () => {
      if (process[PROCESS_COMPUTE_FAILURES] === 0) return;
      Atomics.sub(process, PROCESS_COMPUTE_FAILURES, 1);
      throw new RangeError("DEBUG COMPUTE-FAILURES was called");
    },
    failed: (command, cause) => {
      const why = cause instanceof Error ? cause.stack ?? cause.message : cause;
      tell({
        kind: "log",
        level: "warning",
        text: `The background could not end ${command}: ${why}`,
      });
    },
  });
  for (const [worker, port] of start.ports.entries()) {
    const bell = new Bell(shared.bells, worker, wakeWorker);
    const channel: ComputePort<ComputeResult, ComputeJob> = port;
    channel.onmessage = ({ data: job }) => {
      if (job.settings !== null) apply(job.settings);
      const result = runner.run(job);
      const transfer = [result.reply.buffer as ArrayBuffer];
      if (result.recorded !== null) transfer.push(result.recorded.buffer);
      channel.postMessage(result, transfer);
      bell.ringForPort();
    };
  }
}

/** A worker's end of the background. */
export function makeComputePool(
  worker: WorkerContext,
  ports: {
    latches: Latches;
    lock: (spec: LockSpec) => LockHandle | null;
    hold: (space: Keyspace, db: number, ref: number) => ValueHold | null;
    startThreads: () => void;
    settle: () => void;
  },
): ComputePool<ServerCall> {
  const { settings, process, executor } = worker;
  let version = 0;
  settings.onChange(() => version++);
  return new ComputePool({
    latches: ports.latches,
    counters: worker.counters,
    effects: worker.durability.effects,
    load: process.subarray(PROCESS_COMPUTE_LOAD),
    startThreads: ports.startThreads,
    settings: (known) => {
      const snapshot = version === known ? null : settings.snapshot();
      return { version, snapshot };
    },
    queueMax: () =>
      settings.backgroundThreads === 0 ? 0 : settings.backgroundQueue,
    nowMs: worker.nowMs,
    mustBeStill: () => (executor.gate & GATES_STILL) !== 0,
    later: (run, delayMs) => worker.loop.later(run, delayMs),
    fillKey: (key, name) => worker.call.fillKey(key, name, 0, name.length),
    lock: ports.lock,
    hold: ports.hold,
    runInPlace: runnerInPlace(worker),
    addBig: (args, run, length) => worker.addBig(args, run, length),
    freeBig: (args) => worker.freeBig(args),
    settle: ports.settle,
    count: (ended, error) =>
      executor.accounts.countBackground(
        ended,
        error === "" ? null : new ErrorReply(error),
      ),
  });
}

/** How what has begun elsewhere is run in place after all. */
function runnerInPlace(
  worker: WorkerContext,
): ComputePoolPorts<ServerCall>["runInPlace"] {
  const { executor } = worker;
  return (caller, db, resp, args, done) => {
    const writer = new ReplyWriter();
    writer.resp = resp;
    const session = guestSession(0, caller);
    session.db = db;
    session.resp = resp;
    const attempt = () => {
      const { nowMs } = worker;
      const outcome = executor.runForwarded(session, args, writer, nowMs());
      if (outcome === DONE) done(takeReply(writer));
      else session.onLockWake = attempt;
    };
    attempt();
  };
}

/** How a worker goes through very many keys. */
export function makeManyKeys(
  worker: WorkerContext,
  ports:
    & Pick<
      ManyKeysPorts<ServerCall>,
      "latches" | "waits" | "lock" | "reserve" | "settle" | "runJob"
    >
    & { waiting: ManyWaitParts },
): ManyKeys<ServerCall> {
  const { call, process, executor, durability, locks, loop } = worker;
  return new ManyKeys({
    ...ports,
    ...{ call, process },
    effects: durability.effects,
    locks: locks.commands,
    remember: (space, key, client, to) =>
      worker.tracking.rememberKey(space, key, client, to),
    isGone: ({ id }) => !worker.connections.has(id),
    mustBeStill: () => (executor.gate & GATES_STILL) !== 0,
    runInPlace: runnerInPlace(worker),
    runOfMany: (session, args, nowMs, unlock) =>
      executor.runOfMany(session, args, nowMs, unlock),
    newWait: (source) => new ManyWait(ports.waiting, source),
    letGo: ({ id }) => worker.connections.get(id)?.letPushesGo(),
    nowMs: worker.nowMs,
    monotonicMs: () => performance.now(),
    later: (run, delayMs) => loop.later(run, delayMs),
    rest: (run) => loop.rest(run),
    freeBig: (args) => worker.freeBig(args),
    count: (ended, error) => executor.accounts.countBackground(ended, error),
  });
}

/**
 * One worker without its sockets, for benches of commands: parser, executor,
 * latches, keyspace and writer.
 *
 * @module
 */
import { Prng } from "../src/core/base/prng.ts";
import { Call } from "../src/core/commands/call.ts";
import { CommandTable } from "../src/core/commands/command_table.ts";
import { STRING_COMMANDS } from "../src/core/commands/string.ts";
import { STRING_NUMBER_COMMANDS } from "../src/core/commands/string_numbers.ts";
import { EffectLog } from "../src/core/keyspace/effect_log.ts";
import {
  LOG_IS_ON,
  RING_DRAINED,
  RING_WRITTEN,
} from "../src/core/keyspace/effect_ring.ts";
import { AccessClock } from "../src/core/keyspace/access_clock.ts";
import { ReadyKeys } from "../src/core/keyspace/ready_keys.ts";
import { WaiterRecords } from "../src/core/keyspace/waiter_records.ts";
import { BlockedSessions } from "../src/engine/blocking/blocked_sessions.ts";
import { Keyspace } from "../src/core/keyspace/keyspace.ts";
import { Arena } from "../src/core/memory/arena.ts";
import { PagePool } from "../src/core/memory/page_pool.ts";
import { Arguments } from "../src/core/resp/arguments.ts";
import { ReplyWriter } from "../src/core/resp/reply_writer.ts";
import { REQUEST, RequestParser } from "../src/core/resp/request_parser.ts";
import { Settings } from "../src/core/settings/settings.ts";
import { Executor } from "../src/engine/executor/executor.ts";
import { Session } from "../src/engine/executor/session.ts";
import { Latches } from "../src/engine/latch/shard_latches.ts";
import { Tellings } from "../src/engine/executor/tellings.ts";
import { makeSharedState } from "../src/engine/messages/shared_state.ts";
import { keyOf } from "../src/engine/locks/lock_claims.ts";
import { noLocks } from "../tests/_no_locks.ts";
import { lockKey } from "../src/core/keyspace/locking.ts";

/** Requests of a pipeline. */
export const PIPELINE = 16;

/** One worker without its sockets. */
export class World {
  readonly #executor: Executor<Call>;
  readonly #call: Call;
  readonly #writer = new ReplyWriter();
  readonly #parser = new RequestParser();
  readonly #ahead = Array.from({ length: PIPELINE }, () => new Arguments());
  readonly #session = new Session({
    id: 1,
    nowMs: 0,
    address: "",
    localAddress: "",
    isUnix: false,
  });

  readonly #ring: Int32Array;

  constructor(isLatched: boolean, isRecorded: boolean) {
    const shared = makeSharedState({
      workers: 1,
      databases: 16,
      arenaBytes: 1 << 30,
      random: new Uint32Array([1, 2]),
      runId: "0".repeat(40),
      startedMs: 0,
    });
    const arena = new Arena(shared.arena);
    const pool = new PagePool(arena, isLatched);
    pool.format();
    const counters = new Float64Array(shared.counters[0]!);
    const random = new Prng(1);
    const clock = new AccessClock(random);
    const controls = shared.controls.map((words) => new Int32Array(words));
    const latches = new Latches(controls, counters, isLatched, false);
    const settings = new Settings({ cores: 1, dir: "/" });
    const { hashSeed } = shared;
    const effects = new EffectLog(shared.effects, 0);
    new Int32Array(shared.effects.words)[LOG_IS_ON] = isRecorded ? 1 : 0;
    this.#ring = new Int32Array(shared.effects.rings[0]!);
    const parts = { arena, pool, counters, clock, random, hashSeed, effects };
    const context = { ...parts, limits: settings };
    const call = new Call({
      keyspaces: controls.map((control, shard) =>
        new Keyspace(context, control, shard)
      ),
      slotShards: new Uint16Array(shared.slotShards),
      hashSeed,
      settings,
      counters,
      clock,
      random,
      latches,
      effects,
    });
    call.reply = this.#writer;
    this.#call = call;
    const table = new CommandTable<Call>([
      ...STRING_COMMANDS,
      ...STRING_NUMBER_COMMANDS,
    ]);
    const [{ externals }] = call.keyspaces as [Keyspace];
    const records = new WaiterRecords(arena, externals);
    this.#executor = new Executor(table, call, latches, {
      manyKeys: () => null,
      nowMs: () => Date.now(),
      rest: (run) => queueMicrotask(run),
      refuseHttp: () => {},
      monotonicMs: () => performance.now(),
      forward: () => null,
      slow: () => {},
      makeRoom: () => true,
      addBig: () => {},
      freeBig: () => {},
      background: () => null,
      tellings: new Tellings(),
      remember: () => {},
      show: () => {},
      process: new Int32Array(shared.process),
      ...noLocks({
        ...{ keyspaces: call.keyspaces, latches, counters },
        monotonicMs: () => performance.now(),
      }),
      worker: 0,
      workers: 1,
      ready: new ReadyKeys(),
      records,
      blocked: new BlockedSessions({
        keyspaces: call.keyspaces,
        latches,
        records,
        monotonicMs: () => performance.now(),
        startTimer: () => () => {},
        countEnded: () => {},
        giveBack: () => {},
        rest: () => {},
      }),
      served: () => {},
      servedLater: () => {},
      keepArguments: () => {},
    });
  }

  /** Locks keys for reading, as a background command would. */
  lock(keys: readonly Uint8Array[]): void {
    const call = this.#call;
    for (const bytes of keys) {
      const key = keyOf(bytes, call);
      const space = call.keyspace(key);
      lockKey(space, 0, key, false, 1, 0, call.nowMs);
    }
  }

  /** Runs pipelines of requests, one after the other. */
  run(pipelines: readonly Uint8Array[], looksAhead: boolean): void {
    const executor = this.#executor;
    const ahead = this.#ahead;
    for (const bytes of pipelines) {
      this.#parser.rewind(0);
      this.#writer.reset();
      executor.beginBatch(1000);
      for (let count = 0; count < PIPELINE; count++) {
        ahead[count]!.buf = bytes;
        if (this.#parser.next(ahead[count]!, bytes.length) !== REQUEST) {
          throw new Error("a request is not complete");
        }
        if (!looksAhead) executor.run(this.#session, ahead[count]!);
      }
      if (looksAhead) {
        executor.pipelines.lookAhead(this.#session, ahead, PIPELINE);
        for (const args of ahead) executor.run(this.#session, args);
      }
      executor.endBatch();
      this.#ring[RING_DRAINED] = this.#ring[RING_WRITTEN]!;
    }
    // An error reply is quick, or slow, and in any case not what is measured.
    if (executor.accounts.errorCounts.size > 0) {
      throw new Error("an error reply");
    }
  }
}

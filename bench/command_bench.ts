/**
 * Commands from request bytes to reply bytes, in process: parser, executor,
 * latches, keyspace and writer, without sockets.
 *
 * Each iteration runs {@linkcode REQUESTS} requests that came in pipelines;
 * divide by that. A run that looks ahead reads a pipeline's requests first and
 * brings their keys near together, as connections do.
 *
 * Traps:
 * - The store (500 000 keys of 16 bytes, values of 32) is larger than the
 *   second-level cache, and keys are drawn uniformly; with few keys everything
 *   is three times as fast and says nothing.
 * - The requests of a run are read once, in order, so they are misses too, which
 *   the processor foresees. In a server they have just been copied.
 * - Several worlds, with and without latches or records of changes, run the same
 *   code: what V8 learns of one holds for all.
 * - The first thousands of requests run before V8 has compiled them; the warm-up
 *   of `deno bench` and the filling of the store take care of that.
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

const KEYS = 500_000;
const PIPELINE = 16;
const REQUESTS = 4096;
const RUNS = 32;

/** One worker without its sockets. */
class World {
  readonly #executor: Executor<Call>;
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
    const table = new CommandTable<Call>([
      ...STRING_COMMANDS,
      ...STRING_NUMBER_COMMANDS,
    ]);
    const records = new WaiterRecords(arena);
    this.#executor = new Executor(table, call, latches, {
      monotonicMs: () => performance.now(),
      forward: () => null,
      slow: () => {},
      makeRoom: () => true,
      addBig: () => {},
      freeBig: () => {},
      tellings: new Tellings(),
      remember: () => {},
      show: () => {},
      process: new Int32Array(shared.process),
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
      }),
      served: () => {},
    });
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
        executor.lookAhead(this.#session, ahead, PIPELINE);
        for (const args of ahead) executor.run(this.#session, args);
      }
      executor.endBatch();
      this.#ring[RING_DRAINED] = this.#ring[RING_WRITTEN]!;
    }
    // An error reply is quick, or slow, and in any case not what is measured.
    if (executor.errorCounts.size > 0) throw new Error("an error reply");
  }
}

const random = new Prng(7);
const encoder = new TextEncoder();

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n` +
    words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

function keyOf(number: number): string {
  return `key:${String(number).padStart(12, "0")}`;
}

function pipelinesOf(
  count: number,
  request: () => readonly string[],
): Uint8Array[] {
  return Array.from({ length: count / PIPELINE }, () => {
    let text = "";
    for (let i = 0; i < PIPELINE; i++) text += encode(request());
    return encoder.encode(text);
  });
}

/** Runs of pipelines, taken in turn. */
function runsOf(request: () => readonly string[]): () => Uint8Array[] {
  const runs = Array.from(
    { length: RUNS },
    () => pipelinesOf(REQUESTS, request),
  );
  let at = 0;
  return () => runs[at++ % RUNS]!;
}

const VALUE = "x".repeat(32);
const anyKey = () => keyOf(random.below(KEYS));
const COMMANDS: Readonly<Record<string, () => readonly string[]>> = {
  GET: () => ["GET", anyKey()],
  "GET of no key": () => ["GET", keyOf(KEYS + random.below(KEYS))],
  SET: () => ["SET", anyKey(), VALUE],
  "SET of another length": () => [
    ...["SET", anyKey()],
    "y".repeat(random.below(64)),
  ],
  INCR: () => ["INCR", `n:${random.below(10_000)}`],
  "MGET of 10": () => ["MGET", ...Array.from({ length: 10 }, anyKey)],
};

const worlds = new Map([
  ["", new World(false, false)],
  [", latched", new World(true, false)],
  [", recorded", new World(false, true)],
]);
let number = 0;
const filling = pipelinesOf(KEYS, () => ["SET", keyOf(number++), VALUE]);
for (const world of worlds.values()) world.run(filling, true);

for (const [name, request] of Object.entries(COMMANDS)) {
  const nextRun = runsOf(request);
  for (const [how, world] of worlds) {
    for (const looksAhead of [false, true]) {
      Deno.bench(
        `${REQUESTS} x ${name}${how}${looksAhead ? ", looking ahead" : ""}`,
        { group: name },
        () => world.run(nextRun(), looksAhead),
      );
    }
  }
}

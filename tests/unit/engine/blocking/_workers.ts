/**
 * Several workers in one thread: each with its own handles on the same shards,
 * its own executor and its own waiting sessions. Messages between them, timers
 * and the clock are the test's, so it decides what comes first.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Prng } from "../../../../src/core/base/prng.ts";
import { Call } from "../../../../src/core/commands/call.ts";
import type { LateReply } from "../../../../src/core/commands/command_spec.ts";
import type { CommandTable } from "../../../../src/core/commands/command_table.ts";
import { AccessClock } from "../../../../src/core/keyspace/access_clock.ts";
import { WORKER_DOUBLES } from "../../../../src/core/keyspace/counters.ts";
import { Keyspace } from "../../../../src/core/keyspace/keyspace.ts";
import { ReadyKeys } from "../../../../src/core/keyspace/ready_keys.ts";
import { reclaimSlice } from "../../../../src/core/keyspace/reclaim.ts";
import {
  SHARD_LATCH,
  shardControlWords,
} from "../../../../src/core/keyspace/shard_control.ts";
import { WaiterRecords } from "../../../../src/core/keyspace/waiter_records.ts";
import { Arena, reserveArena } from "../../../../src/core/memory/arena.ts";
import { PagePool } from "../../../../src/core/memory/page_pool.ts";
import { ReplyWriter } from "../../../../src/core/resp/reply_writer.ts";
import { Settings } from "../../../../src/core/settings/settings.ts";
import { BlockedSessions } from "../../../../src/engine/blocking/blocked_sessions.ts";
import { giveBackArguments } from "../../../../src/engine/blocking/giving_back.ts";
import { Executor } from "../../../../src/engine/executor/executor.ts";
import { PARKED } from "../../../../src/engine/executor/outcome.ts";
import { Session } from "../../../../src/engine/executor/session.ts";
import { noLocks } from "../../../_no_locks.ts";
import { Tellings } from "../../../../src/engine/executor/tellings.ts";
import { Latches } from "../../../../src/engine/latch/shard_latches.ts";
import { SlowSteps } from "../../../../src/engine/latch/slow_steps.ts";
import { takeReply } from "../../../../src/engine/messages/forwarding.ts";
import { makeCommandTable } from "../../../../src/front/server/command_groups.ts";
import { request } from "../../core/commands/_request.ts";

const SHARDS = 8;
const WALL_MS = 1_700_000_000_000;

/** The server's commands; those that wait take any call. */
const table = makeCommandTable() as unknown as CommandTable<Call>;

/** A reply on its way to the worker of its session. */
interface Message {
  readonly to: number;
  readonly session: number;
  readonly late: LateReply;
}

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/** A client whose command may wait. */
export class Client {
  readonly session: Session;
  readonly worker: FakeWorker;
  /** What it has been replied, as RESP2. */
  reply: string | null = null;
  isGone = false;

  constructor(worker: FakeWorker, id: number) {
    this.worker = worker;
    this.session = new Session({
      id,
      nowMs: 0,
      address: "",
      localAddress: "",
      isUnix: false,
    });
  }

  /** Runs a command; its reply is known now, or comes later. */
  run(line: string): void {
    this.reply = this.worker.run(this.session, line);
    if (this.reply !== null) return;
    this.worker.executor.pending!.then((late) => {
      const writer = new ReplyWriter();
      late(writer);
      if (!this.isGone) this.reply = textOf(writer);
    });
  }

  /** Its connection ends. */
  leave(): void {
    this.isGone = true;
    this.worker.blocked.drop(this.session.id);
  }
}

/** One worker. */
export class FakeWorker {
  readonly executor: Executor<Call>;
  readonly blocked: BlockedSessions;
  readonly keyspaces: readonly Keyspace[];
  readonly #workers: Workers;
  readonly #call: Call;

  constructor(workers: Workers, id: number) {
    this.#workers = workers;
    const { arena, controls, settings } = workers;
    const counters = new Float64Array(WORKER_DOUBLES);
    const random = new Prng(id);
    const clock = new AccessClock(random);
    const ready = new ReadyKeys();
    const steps = new StepsBetween(workers);
    const latches = new Latches(controls, counters, true, true, steps);
    const context = {
      ...{ arena, counters, clock, random, ready },
      pool: new PagePool(arena, true),
      hashSeed: [1, 2] as const,
      limits: settings,
    };
    const keyspaces = controls.map((control, shard) =>
      new Keyspace(context, control, shard)
    );
    this.keyspaces = keyspaces;
    const records = new WaiterRecords(arena, keyspaces[0]!.externals);
    this.#call = new Call({
      ...{ keyspaces, settings, counters, clock, random, latches },
      slotShards: Uint16Array.from({ length: 16384 }, (_, i) => i % SHARDS),
      hashSeed: [1, 2],
    });
    this.#call.reply = new ReplyWriter();
    this.blocked = new BlockedSessions({
      ...{ keyspaces, latches, records },
      monotonicMs: () => workers.elapsedMs,
      startTimer: (run, delayMs) => workers.startTimer(run, delayMs),
      countEnded() {},
      rest: (run) => queueMicrotask(run),
      giveBack: (undo, _db, late) => {
        const reply = new ReplyWriter();
        late(reply);
        const argv = giveBackArguments(undo, reply.buf.slice(0, reply.at));
        if (argv === null) return;
        const words = argv.map((word) => new TextDecoder().decode(word));
        new Client(this, 0).run(words.join(" "));
      },
    });
    this.executor = new Executor(table, this.#call, latches, {
      monotonicMs: () => workers.elapsedMs,
      forward: () => null,
      slow() {},
      makeRoom: () => true,
      addBig() {},
      freeBig() {},
      refuseHttp() {},
      tellings: new Tellings(),
      remember() {},
      show() {},
      process: workers.process,
      workers: workers.count,
      worker: id,
      ...{ ready, records },
      blocked: this.blocked,
      ...noLocks({
        ...{ keyspaces, latches, counters },
        monotonicMs: () => workers.elapsedMs,
      }),
      nowMs: () => workers.elapsedMs,
      rest: (run) => queueMicrotask(run),
      background: () => null,
      manyKeys: () => null,
      keepArguments() {},
      servedLater() {},
      served: (to, session, reply) => {
        workers.messages.push({ to, session, late: takeReply(reply) });
      },
    });
  }

  /** Runs a command; null if it waits. */
  run(session: Session, line: string): string | null {
    const { executor } = this;
    const { reply } = this.#call;
    reply.reset();
    executor.beginBatch(this.#workers.wallMs);
    const outcome = executor.run(session, request(...line.split(" ")));
    executor.endBatch();
    return outcome === PARKED ? null : textOf(reply);
  }
}

/** Lets others act where a worker has given all latches back. */
class StepsBetween extends SlowSteps {
  readonly #workers: Workers;

  constructor(workers: Workers) {
    super(workers.process, 0, new Prng(0));
    this.#workers = workers;
  }

  override step(): void {
    const { between, controls } = this.#workers;
    if (between === null) return;
    if (controls.some((control) => control[SHARD_LATCH] !== 0)) return;
    this.#workers.between = null;
    between();
    this.#workers.between = between;
  }
}

/** All of them, and what is between them. */
export class Workers {
  readonly arena: Arena = new Arena(reserveArena(64 << 20));
  readonly process = new Int32Array(new SharedArrayBuffer(256));
  readonly count: number;
  readonly settings: Settings = new Settings({ cores: 1, dir: "/" });
  readonly controls: readonly Int32Array[] = Array.from(
    { length: SHARDS },
    () => new Int32Array(new SharedArrayBuffer(shardControlWords(16) * 4)),
  );
  /** Replies under way, in the order in which they were sent. */
  readonly messages: Message[] = [];
  /** Run wherever others may act while a worker is at work. */
  between: (() => void) | null = null;
  /** Wall clock. */
  wallMs = WALL_MS;
  /** Monotonic clock; see {@linkcode sleep}. */
  elapsedMs = 0;
  readonly #timers = new Set<Timer>();
  readonly #all: readonly FakeWorker[];
  #lastId = 0;

  constructor(count: number) {
    this.count = count;
    this.settings.load([]);
    new PagePool(this.arena, false).format();
    this.#all = Array.from(
      { length: count },
      (_, id) => new FakeWorker(this, id),
    );
  }

  /** A new client of worker `number`. */
  client(number: number): Client {
    return new Client(this.#all[number]!, ++this.#lastId);
  }

  /** Hands over the reply that has been under way for the longest time. */
  deliver(): void {
    const message = this.messages.shift();
    if (message === undefined) return;
    this.#all[message.to]!.blocked.served(message.session, message.late);
  }

  startTimer(run: () => void, delayMs: number): () => void {
    const timer = { atMs: this.elapsedMs + delayMs, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** When the next timer runs; Infinity if there is none. */
  get nextTimerMs(): number {
    return Math.min(...[...this.#timers].map(({ atMs }) => atMs));
  }

  /** Time passes, and timers run. */
  sleep(ms: number): void {
    this.elapsedMs += ms;
    for (const timer of [...this.#timers]) {
      if (timer.atMs > this.elapsedMs || !this.#timers.delete(timer)) continue;
      timer.run();
    }
  }

  /** Hands over all replies that are under way. */
  async deliverAll(): Promise<void> {
    while (this.messages.length > 0) this.deliver();
    await this.settle();
  }

  /** Lets all promises settle. */
  async settle(): Promise<void> {
    for (let i = 0; i < 10; i++) await Promise.resolve();
  }

  /** Nobody waits, is registered, or has left anything in the shards. */
  expectNobody(): void {
    for (const { blocked } of this.#all) assertEquals(blocked.count, 0);
    const { keyspaces } = this.#all[0]!;
    for (const { hooks } of keyspaces) assertEquals(hooks.waiters.count, 0);
    this.client(0).run("DEL k l");
    for (const space of keyspaces) {
      while (reclaimSlice(space, 1000));
      assertEquals(space.heap.usedBytes, 0);
    }
  }
}

function textOf(writer: ReplyWriter): string {
  return new TextDecoder().decode(writer.buf.subarray(0, writer.at));
}

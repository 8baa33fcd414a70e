/**
 * One worker without its sockets and threads: all commands that need no server
 * around them, through the real executor, with a clock that the test moves.
 *
 * @module
 */
import { Prng } from "../src/core/base/prng.ts";
import { Call, type InSlices } from "../src/core/commands/call.ts";
import type { CommandTable } from "../src/core/commands/command_table.ts";
import { AccessClock } from "../src/core/keyspace/access_clock.ts";
import { Digest, digestValue } from "../src/core/keyspace/digest.ts";
import { EffectLog } from "../src/core/keyspace/effect_log.ts";
import { Evictor } from "../src/core/keyspace/evict.ts";
import { ExpireCycle } from "../src/core/keyspace/expire_cycle.ts";
import { Keyspace } from "../src/core/keyspace/keyspace.ts";
import { keysAt } from "../src/core/keyspace/shard_control.ts";
import { ReadyKeys } from "../src/core/keyspace/ready_keys.ts";
import { WaiterRecords } from "../src/core/keyspace/waiter_records.ts";
import { Arena, PAGE_BYTES } from "../src/core/memory/arena.ts";
import { PagePool } from "../src/core/memory/page_pool.ts";
import {
  type Arguments,
  argumentsOf as bytesAsArguments,
} from "../src/core/resp/arguments.ts";
import { dropSpan } from "../src/core/resp/reply_source.ts";
import { ReplyWriter } from "../src/core/resp/reply_writer.ts";
import { Settings } from "../src/core/settings/settings.ts";
import { TYPE_HASH, TYPE_STREAM } from "../src/core/types/entry.ts";
import { BlockedSessions } from "../src/engine/blocking/blocked_sessions.ts";
import { giveBackArguments } from "../src/engine/blocking/giving_back.ts";
import { Executor } from "../src/engine/executor/executor.ts";
import type { ExecutorPorts } from "../src/engine/executor/executor_ports.ts";
import { PARKED } from "../src/engine/executor/outcome.ts";
import { Session } from "../src/engine/executor/session.ts";
import { Tellings } from "../src/engine/executor/tellings.ts";
import { Latches } from "../src/engine/latch/shard_latches.ts";
import type { CommandLocks } from "../src/engine/locks/command_locks.ts";
import { LockRules } from "../src/engine/locks/lock_waits.ts";
import { noLocks } from "./_no_locks.ts";
import { takeReply } from "../src/engine/messages/forwarding.ts";
import { makeSharedState } from "../src/engine/messages/shared_state.ts";
import { makeCommandTable } from "../src/front/server/command_groups.ts";
import {
  fromBinary,
  type Plain,
  plain,
  ReplyParser,
  toBinary,
} from "./_resp_reply.ts";
import {
  EffectDrain,
  type RecordedEffect,
} from "./unit/core/keyspace/_effects.ts";

/** Groups of which nothing runs without a server, and what runs of them. */
const OUTSIDE_GROUPS = ["connection", "server", "pubsub"];
const INSIDE = ["dbsize", "flushall", "flushdb", "select", "swapdb"];

/** The arguments of a command; strings have one character a byte. */
export function argumentsOf(argv: readonly string[]): Arguments {
  return bytesAsArguments(argv.map(fromBinary));
}

/** A call of which transactions have their end. */
class WorldCall extends Call {
  executor: Executor<Call> | null = null;

  endTransaction(): void {
    this.executor!.endTransaction(this.session as Session);
  }
}

/** A worker with its data set. */
export class World {
  readonly settings: Settings = new Settings({ cores: 1, dir: "/" });
  readonly keyspaces: readonly Keyspace[];
  /** Where the heaps of the shards get their pages. */
  readonly pages: PagePool;
  readonly latches: Latches;
  readonly counters: Float64Array;
  readonly executor: Executor<Call>;
  /** What the keyspaces' key locks have in common, and who waits for them. */
  readonly lockRules: LockRules = new LockRules();
  /** Commands that wait for key locks. */
  readonly locks: CommandLocks;
  readonly effects: EffectLog;
  /** Takes out what is recorded. */
  readonly drain: EffectDrain;
  readonly call: Call;
  /** Milliseconds of the epoch. */
  nowMs = 1_700_000_000_000;
  /** Evicts keys above `maxmemory`. */
  readonly evictor: Evictor;
  readonly #table: CommandTable<Call>;
  readonly #expireCycle: ExpireCycle;
  readonly #blocked: BlockedSessions;
  readonly #writer = new ReplyWriter();
  #elapsedMs = 0;
  #lastSession = 0;

  constructor(
    options: {
      arenaBytes?: number;
      /** Of random choices. */
      seed?: number;
      /** Of the hash of keys and members, which gives their order in tables. */
      hashSeed?: readonly [number, number];
      /** Takes commands that would take long. */
      background?: ExecutorPorts<Call>["background"];
      /** Takes commands of very many keys. */
      manyKeys?: ExecutorPorts<Call>["manyKeys"];
      /** Goes on with commands in slices. */
      inSlices?: InSlices;
    } = {},
  ) {
    const shared = makeSharedState({
      workers: 1,
      databases: 16,
      arenaBytes: options.arenaBytes ?? 256 << 20,
      random: new Uint32Array(options.hashSeed ?? [1, 2]),
      runId: "0".repeat(40),
      startedMs: 0,
    });
    const arena = new Arena(shared.arena);
    const pool = this.pages = new PagePool(arena, true);
    pool.format();
    this.settings.load([]);
    const counters = new Float64Array(shared.counters[0]!);
    const random = new Prng(options.seed ?? 1);
    const clock = new AccessClock(random);
    const controls = shared.controls.map((words) => new Int32Array(words));
    const latches = new Latches(controls, counters, true, true);
    this.effects = new EffectLog(shared.effects, 0);
    this.drain = new EffectDrain(shared.effects);
    this.drain.isOn = true;
    const { hashSeed } = shared;
    const ready = new ReadyKeys();
    const context = {
      ...{ arena, pool, counters, clock, random, hashSeed, ready },
      limits: this.settings,
      effects: this.effects,
      locks: this.lockRules,
    };
    this.keyspaces = controls.map((control, shard) =>
      new Keyspace(context, control, shard)
    );
    this.latches = latches;
    this.counters = counters;
    const own = new WorldCall({
      ...{ keyspaces: this.keyspaces, settings: this.settings },
      ...{ hashSeed, counters, clock, random, latches },
      ...options.inSlices === undefined ? {} : { inSlices: options.inSlices },
      slotShards: new Uint16Array(shared.slotShards),
      effects: this.effects,
    });
    const call: Call = this.call = own;
    call.reply = this.#writer;
    this.evictor = new Evictor({
      ...{ keyspaces: this.keyspaces, latches, settings: this.settings },
      ...{ counters, clock, random, pages: pool },
      pageCount: arena.capacityBytes / PAGE_BYTES,
      monotonicMs: this.#monotonicMs,
    });
    this.#expireCycle = new ExpireCycle(counters);
    const { externals } = this.keyspaces[0]!;
    const records = new WaiterRecords(arena, externals);
    this.#blocked = new BlockedSessions({
      ...{ keyspaces: this.keyspaces, latches, records },
      monotonicMs: this.#monotonicMs,
      startTimer: () => () => {},
      countEnded: () => {},
      rest: (run) => queueMicrotask(run),
      giveBack: (undo, db, late) => {
        const reply = new ReplyWriter();
        late(reply);
        const bytes = reply.buf.subarray(0, reply.at);
        const argv = giveBackArguments(undo, bytes);
        if (argv === null) return;
        const session = this.session();
        session.db = db;
        const args = argumentsOf(argv.map(toBinary));
        this.executor.runForwarded(
          session,
          args,
          new ReplyWriter(),
          this.nowMs,
        );
      },
    });
    // Commands that look at the worker around them are not run here.
    this.#table = makeCommandTable() as unknown as CommandTable<Call>;
    const lockParts = noLocks({
      ...{ keyspaces: this.keyspaces, latches, counters: this.counters },
      monotonicMs: this.#monotonicMs,
      rules: this.lockRules,
    });
    this.locks = lockParts.locks;
    this.executor = new Executor(this.#table, call, latches, {
      monotonicMs: this.#monotonicMs,
      forward: () => null,
      slow: () => {},
      makeRoom: () => this.evictor.makeRoom(),
      addBig: () => {},
      freeBig: () => {},
      refuseHttp: () => {},
      tellings: new Tellings(),
      remember: () => {},
      show: () => {},
      process: new Int32Array(shared.process),
      worker: 0,
      workers: 1,
      ...{ ready, records, blocked: this.#blocked },
      ...lockParts,
      nowMs: () => this.nowMs,
      rest: (run) => queueMicrotask(run),
      background: options.background ?? (() => null),
      manyKeys: options.manyKeys ?? (() => null),
      keepArguments: () => {},
      servedLater: () => {},
      served: (_worker, session, reply) => {
        const late = takeReply(reply);
        queueMicrotask(() => this.#blocked.served(session, late));
      },
    });
    own.executor = this.executor;
  }

  readonly #monotonicMs = (): number => this.#elapsedMs += 0.001;

  /** All commands and subcommands. */
  get table(): CommandTable<Call> {
    return this.#table;
  }

  /** Whether a command can be run here. */
  has(argv: readonly string[]): boolean {
    const command = this.#table.byName((argv[0] ?? "").toLowerCase());
    return command === undefined || !OUTSIDE_GROUPS.includes(command.group) ||
      INSIDE.includes(command.spec.name);
  }

  /** A session of a new client. */
  session(): Session {
    return new Session({
      id: ++this.#lastSession,
      nowMs: 0,
      address: "",
      localAddress: "",
      isUnix: false,
    });
  }

  /**
   * Runs a command; the promise of its reply if it waits. An error reply is a
   * value, too.
   */
  run(
    session: Session,
    argv: readonly string[],
  ): Plain | Promise<Plain> {
    const writer = this.#writer;
    writer.reset();
    writer.resp = session.resp;
    this.executor.beginBatch(this.nowMs);
    const outcome = this.executor.run(session, argumentsOf(argv));
    this.executor.endBatch();
    this.effects.publish();
    if (outcome !== PARKED) return this.#read(writer);
    return this.executor.pending!.then((late) => {
      const reply = new ReplyWriter();
      late(reply);
      // Nothing is written for a client that is gone.
      return reply.at === 0 ? null : this.#read(reply);
    });
  }

  /**
   * Runs what another has recorded, as a server does that starts: nothing
   * expires by itself, and nothing is recorded. Throws if a command fails.
   */
  replay(effects: readonly RecordedEffect[]): void {
    this.drain.isOn = false;
    const writer = this.#writer;
    this.executor.beginReplay(this.nowMs);
    const session = this.session();
    for (const { commands } of effects) {
      for (const { db, argv } of commands) {
        session.db = db;
        writer.reset();
        this.executor.runLogged(session, argumentsOf(argv));
        const reply = this.#read(writer);
        if (reply instanceof Error) {
          throw new Error(`Cannot replay ${argv.join(" ")}: ${reply}`);
        }
      }
    }
    this.executor.endBatch();
    this.drain.isOn = true;
  }

  /** As if the connection of a session were gone. */
  drop(session: Session): void {
    this.#blocked.drop(session.id);
  }

  /** Deletes what has expired, as the owner of the shards does. */
  runExpireCycle(): void {
    for (let i = 0; i < 50; i++) {
      this.#expireCycle.run(
        this.keyspaces,
        this.nowMs,
        1e9,
        this.#monotonicMs,
        this.latches,
      );
    }
    this.effects.publish();
  }

  /** Lets the command of a session that waits end as if its time were over. */
  endWait(session: Session): void {
    this.#blocked.unblock(session.id, false);
  }

  /**
   * All that there is, a line for each key: what its value is and when it and
   * its fields expire, and of a stream its groups as well.
   */
  describe(): string[] {
    const lines: string[] = [];
    const digest = new Digest();
    for (let db = 0; db < 16; db++) {
      const session = this.session();
      session.db = db;
      const found: [string, Keyspace, number][] = [];
      for (const space of this.keyspaces) {
        let cursor = 0;
        do {
          cursor = space.dict.scan(
            space.control,
            keysAt(db),
            cursor,
            (ref) => {
              const off = space.keyOff(ref);
              const end = off + space.keyLength(ref);
              const key = toBinary(space.bytes(ref).slice(off, end));
              found.push([key, space, ref]);
            },
          );
        } while (cursor !== 0);
      }
      for (const [key, space, ref] of found) {
        digest.reset();
        digestValue(digest, space, ref);
        const type = space.type(ref);
        let more = "";
        if (type === TYPE_STREAM) {
          more = this.#describeStream(session, key);
        }
        if (type === TYPE_HASH) more = describeFieldExpires(space, ref);
        lines.push(
          `${db} ${JSON.stringify(key)} type ${type} ${digest.hex} ` +
            `expires ${space.expireAt(ref)} ${more}`,
        );
      }
    }
    return lines.sort();
  }

  /** Groups and counters; when consumers were active is not kept. */
  #describeStream(session: Session, key: string): string {
    const argv = ["XINFO", "STREAM", key, "FULL", "COUNT", "0"];
    const isOn = this.effects.isOn;
    this.drain.isOn = false;
    const nowMs = this.nowMs;
    this.nowMs = 0;
    const reply = this.run(session, argv);
    this.nowMs = nowMs;
    this.drain.isOn = isOn;
    return JSON.stringify(reply, (_name, value) => {
      if (!Array.isArray(value)) return value;
      const kept: Plain[] = [];
      for (let i = 0; i < value.length; i++) {
        if (UNSTABLE.includes(value[i])) i++;
        else kept.push(value[i]);
      }
      return kept;
    });
  }

  #read(writer: ReplyWriter): Plain {
    const parser = new ReplyParser();
    const { externals } = this.keyspaces[0]!;
    let at = 0;
    for (const span of writer.spans ?? []) {
      parser.feed(writer.buf.slice(at, span.at));
      const off = externals.offset(span.ref) + span.from;
      parser.feed(externals.bytes(span.ref).slice(off, off + span.length));
      dropSpan(span, externals);
      at = span.at;
    }
    parser.feed(writer.buf.slice(at, writer.at));
    return plain(parser.next()!.reply);
  }
}

const UNSTABLE: readonly unknown[] = [
  ...["radix-tree-keys", "radix-tree-nodes", "entries"],
  ...["seen-time", "active-time"],
];

function describeFieldExpires(space: Keyspace, ref: number): string {
  const { hashes } = space.values;
  const expires: string[] = [];
  const end = hashes.endPlace(ref);
  for (let place = hashes.firstPlace(ref); place < end;) {
    place = hashes.visit(ref, place, {
      field({ buf, off, length }, _value, expireAtMs) {
        if (expireAtMs === 0) return;
        expires.push(`${toBinary(buf.slice(off, off + length))}@${expireAtMs}`);
      },
    }, -Infinity);
  }
  return JSON.stringify(expires.sort());
}

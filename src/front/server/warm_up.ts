/**
 * Runs commands on a keyspace of their own, which nobody sees, before a worker serves
 * anybody.
 *
 * Code that has run a few times only is interpreted, which takes ten to twenty times
 * as long, and a command of some hundred elements holds its latches meanwhile: the
 * first SUNION of 500 members held them for 3 ms, and for half of one after this. Each
 * command runs in a turn of its own; all of them, and what V8 compiles meanwhile, take
 * 0.4 s of processor time. Replies are taken as a peer does it, and a snapshot is written
 * (warm_up_readers.ts).
 *
 * What is compiled is good for as long as all is as V8 has seen it: objects of the same
 * classes, fields that have changed before, ways that have been taken. So requests are
 * parsed, time passes, and there are values that are packed and others.
 *
 * Handlers are called as they are, not by the executor, whose calls V8 would
 * otherwise see go to all commands before it has seen those of the first clients.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import { latin1BytesOf } from "../../core/base/bytes.ts";
import { Prng } from "../../core/base/prng.ts";
import type { CallContext } from "../../core/commands/call.ts";
import type { CommandTable } from "../../core/commands/command_table.ts";
import { AccessClock } from "../../core/keyspace/access_clock.ts";
import { keyspaceClass } from "../../core/keyspace/checked_keyspace.ts";
import { WORKER_DOUBLES } from "../../core/keyspace/counters.ts";
import {
  keysAt,
  shardControlWords,
} from "../../core/keyspace/shard_control.ts";
import { Arena, reserveArena } from "../../core/memory/arena.ts";
import { PagePool } from "../../core/memory/page_pool.ts";
import { Arguments } from "../../core/resp/arguments.ts";
import { ReplyWriter } from "../../core/resp/reply_writer.ts";
import { REQUEST, RequestParser } from "../../core/resp/request_parser.ts";
import { Settings } from "../../core/settings/settings.ts";
import { RequestKeys } from "../../engine/executor/request_keys.ts";
import { guestSession } from "../../engine/executor/session.ts";
import { Latches } from "../../engine/latch/shard_latches.ts";
import { ServerCall } from "./server_call.ts";
import { WarmUpReaders } from "./warm_up_readers.ts";
import { WARM_UP_LINES, warmUpWords } from "./warm_up_lines.ts";

const ARENA_BYTES = 1 << 22;
const REPLY_BYTES = 1 << 16;
const SLOTS = 1 << 14;
/** Elements of each value: few, to be quick. */
const ELEMENTS = 200;
/** A third round has V8 compile for speed, which takes 15 MB of each worker. */
const ROUNDS = 2;
/** Time that passes from one command to the next: entries show when they were used. */
const STEP_MS = 1000;

/** Runs one command after the other. */
export class WarmUp {
  readonly #call: ServerCall;
  readonly #keys: RequestKeys<ServerCall>;
  readonly #table: CommandTable<ServerCall>;
  readonly #control: Int32Array;
  readonly #readers: WarmUpReaders;
  readonly #reply = new ReplyWriter(REPLY_BYTES);
  readonly #parser = new RequestParser();
  #line = 0;
  #round = 1;

  /**
   * Has its own memory, which goes with it. Keyspaces are as the worker's, with
   * `checks` or without: code is compiled for one class of them.
   */
  constructor(
    table: CommandTable<ServerCall>,
    hashSeed: readonly [number, number],
    checks: boolean,
  ) {
    const settings = new Settings({ cores: 1, dir: "/" });
    const counters = new Float64Array(WORKER_DOUBLES);
    const random = new Prng(1);
    const clock = new AccessClock(random);
    const arena = new Arena(reserveArena(ARENA_BYTES));
    const pool = new PagePool(arena, true);
    pool.format();
    const words = shardControlWords(1);
    const control = new Int32Array(new SharedArrayBuffer(words * 4));
    const KeyspaceClass = keyspaceClass(checks);
    const space = new KeyspaceClass(
      {
        ...{ arena, pool, counters, clock, random, hashSeed },
        limits: settings,
        saver: { save: (...entry) => this.#readers.save(...entry) },
      },
      control,
      0,
    );
    const latches = new Latches([control], counters, true, false);
    const context: CallContext = {
      keyspaces: [space],
      slotShards: new Uint16Array(SLOTS),
      ...{ hashSeed, settings, counters, clock, random, latches },
      holdValue: (space, db, ref) => this.#readers.holdForReply(space, db, ref),
    };
    const call = new ServerCall(context);
    this.#readers = new WarmUpReaders(context, latches);
    call.session = guestSession(0);
    call.args = new Arguments();
    this.#reply.canStream = true;
    // All is done at once.
    call.canWait = false;
    call.nowMs = Date.now();
    this.#call = call;
    this.#keys = new RequestKeys(table, call);
    this.#table = table;
    this.#control = control;
  }

  /** Keys that are left: none, in the end. */
  get keys(): number {
    return this.#control[keysAt(0)]!;
  }

  /** Keys that are locked: none, in the end. */
  get locks(): number {
    return this.#call.keyspaces[0]!.locks.count;
  }

  /** Runs the next command, or those of a line; says whether there are more. */
  step(): boolean {
    for (const words of warmUpWords(WARM_UP_LINES[this.#line]!, ELEMENTS)) {
      this.#run(words);
    }
    this.#line++;
    if (this.#line < WARM_UP_LINES.length) return true;
    this.#line = 0;
    return ++this.#round <= ROUNDS;
  }

  #run(words: readonly string[]): void {
    const call = this.#call;
    const reply = this.#reply;
    const [name, sub] = words;
    if (name === "PACKED") return pack(call.settings, sub!);
    if (name === "SNAPSHOT") return this.#readers.takeSnapshot();
    const command = this.#table.byName(`${name}|${sub}`) ??
      this.#table.byName(name!);
    assert(command !== undefined, "it is a command");
    call.reply = reply;
    call.nowMs += STEP_MS;
    call.clock.tell(call.nowMs);
    this.#parse(words);
    this.#keys.fill(command);
    const later = command.run(call);
    assert(later === undefined, "what may not wait is done at once");
    assert(reply.errorCount === 0, `${command.spec.name} has what it needs`);
    this.#readers.takeReply(reply);
  }

  /**
   * As requests come: in pieces, and one object has the arguments of all, whose
   * buffer is another now and then.
   */
  #parse(words: readonly string[]): void {
    const { args } = this.#call;
    const parser = this.#parser;
    const parts = words.map((word) => `$${word.length}\r\n${word}\r\n`);
    args.buf = latin1BytesOf(`*${words.length}\r\n${parts.join("")}`);
    parser.rewind(0);
    parser.next(args, args.buf.length >> 1);
    const found = parser.next(args, args.buf.length);
    assert(found === REQUEST, "it is a whole request");
  }
}

/** So many elements are packed, in nodes of a list as well. */
function pack(settings: Settings, count: string): void {
  settings.applySnapshot({
    "hash-max-listpack-entries": count,
    "list-max-listpack-size": count,
    "set-max-intset-entries": count,
    "set-max-listpack-entries": count,
    "zset-max-listpack-entries": count,
  });
}

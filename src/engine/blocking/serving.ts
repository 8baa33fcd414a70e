/**
 * Serving: gives the commands that wait for a key what the key has got.
 *
 * Done by the worker that has changed the key, right after its own command: the
 * waiting commands are run here, one after the other in the order in which they
 * came, until one finds nothing. What a command needs is decided under the latches of
 * all its keys; its reply goes to the worker of its connection.
 *
 * - A command whose keys lie on other shards, too, is looked at again once their
 *   latches are held as well.
 * - A command that is tried in vain stays where it is in its queues.
 * - What a served command changes may be what others wait for: their keys are
 *   looked at in turn. Each round ends a wait, so there is an end to it.
 * - A command of very many keys is run with the one at hand, under its latch alone,
 *   and taken out of the other queues in slices, where it has waited.
 * - A command that finds much takes it in slices, its key locked. It has been
 *   served then, and those behind it wait on until the key is released.
 * - A long name of a key is compared before its latch is taken. Who waits with long
 *   arguments, be they names of keys or of others, is served from arguments of its
 *   own: the latches are given back, and what takes long with them is done before.
 * - However many wait, latches are given back after some of them. When a database
 *   was emptied, or exchanged with another, the keys that somebody waits for are
 *   gone through in the same way.
 *
 * @module
 */

import { bytesInMemory } from "../../core/base/bytes.ts";
import type { Call } from "../../core/commands/call.ts";
import { FLAG, type LateReply } from "../../core/commands/command_spec.ts";
import { ComparedNames } from "../../core/commands/compared_names.ts";
import { oneKeyArguments } from "../../core/commands/one_key.ts";
import type {
  Command,
  CommandTable,
} from "../../core/commands/command_table.ts";
import { Key } from "../../core/keyspace/key.ts";
import {
  HOOK_WAITERS,
  SHARD_HOOKS,
} from "../../core/keyspace/shard_control.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { freeRuns, ownArguments } from "../../core/keyspace/own_arguments.ts";
import type { WaitedVisitor } from "../../core/keyspace/waiters.ts";
import type {
  ReadyDatabases,
  ReadyKeys,
} from "../../core/keyspace/ready_keys.ts";
import {
  type WaiterRecords,
  WAITS_FOR_GROUP,
  WAITS_FOR_LIST,
  WAITS_FOR_STREAM,
  WAITS_FOR_ZSET,
} from "../../core/keyspace/waiter_records.ts";
import { KNOWN_KEYS, LONG_KEY_BYTES } from "../../core/memory/known_keys.ts";
import { Arguments } from "../../core/resp/arguments.ts";
import {
  LONG_STRING_BYTES_MIN,
  REPLY_BUFFER_BYTES,
  ReplyWriter,
} from "../../core/resp/reply_writer.ts";
import { TYPE_LIST, TYPE_STREAM, TYPE_ZSET } from "../../core/types/entry.ts";
import { guestSession } from "../executor/session.ts";
import type { Latches } from "../latch/shard_latches.ts";
import { removeRegistrations } from "./registering.ts";

/** What serving needs from the executor around it. */
export interface ServingPorts<C extends Call> {
  /** Fills in the keys of a command whose arguments the call has. */
  fillKeys(command: Command<C>): void;
  /** As {@linkcode LongArguments.prepare}. */
  prepareLong(command: Command<C>): boolean;
  /** As {@linkcode LongArguments.forget}. */
  forgetLong(): void;
  /**
   * Runs a command whose latches are held; what it does in slices promises its
   * reply, and has its arguments.
   */
  run(command: Command<C>): Promise<LateReply> | null;
  /** Notes that a client keeps what the command has read: see tracking.ts. */
  remember(client: number, worker: number): void;
  /**
   * Whether a command must not run now because its keys are locked; the key that
   * it was to be served from is looked at again when they may be free.
   */
  mustDefer(command: Command<C>, key: Key): boolean;
  /** Hands over the reply of a session's command, and empties the writer. */
  served(worker: number, session: number, reply: ReplyWriter): void;
  /** Hands over the reply of a session's command when it is there. */
  servedLater(
    worker: number,
    session: number,
    late: Promise<LateReply>,
  ): void;
}

/** Bytes of a reply that are copied at all, with room for what is between them. */
const REPLY_BYTES = LONG_STRING_BYTES_MIN + REPLY_BUFFER_BYTES;
/** A reply of so many is handed over when the latches have been given back. */
const LONG_REPLY_BYTES = REPLY_BUFFER_BYTES;
/** Bytes of one short name of a key, and of what may stand beside it. */
const SHORT_ARGUMENT_BYTES = LONG_KEY_BYTES + 4096;
/** Waiting commands that are looked at under one hold of the latches. */
const LOOKS_IN_ONE_HOLD = 1024;
/** For so many of these it counts that one is tried. */
const LOOKS_PER_TRY = 128;
/** Positions of the dictionary of waiters that are looked at in one hold. */
const HOLD_POSITIONS = 32;

/** A reply that is yet to be handed over. */
interface ServedReply {
  readonly worker: number;
  readonly session: number;
  readonly reply: ReplyWriter;
}

/** One per worker. */
export class Serving<C extends Call> {
  /** Whether a command is served. */
  isAtWork = false;
  readonly #table: CommandTable<C>;
  readonly #call: C;
  readonly #latches: Latches;
  readonly #ready: ReadyKeys;
  readonly #records: WaiterRecords;
  readonly #ports: ServingPorts<C>;
  readonly #args = new Arguments();
  #reply = roomyWriter();
  /** Takes the place of the other one while that has not been handed over. */
  #otherReply = roomyWriter();
  #unsent: ServedReply | null = null;
  readonly #shortArguments = bytesInMemory(SHORT_ARGUMENT_BYTES);
  readonly #key = new Key();
  /** The arguments of the command at hand, if it has long ones. */
  #own: Arguments | null = null;
  /** What is known of its name, if it is a long one. */
  #names: ComparedNames | null = null;
  /**
   * The session in whose name commands are run. What goes on in slices takes it
   * over, and the next command has another.
   */
  #guest = guestSession(0);

  /** `call` is the worker's call. */
  constructor(
    table: CommandTable<C>,
    call: C,
    latches: Latches,
    ready: ReadyKeys,
    records: WaiterRecords,
    ports: ServingPorts<C>,
  ) {
    this.#table = table;
    this.#call = call;
    this.#latches = latches;
    this.#ready = ready;
    this.#records = records;
    this.#ports = ports;
  }

  /** Serves the keys that are ready; no latch is held. */
  serve(): void {
    const call = this.#call;
    const { args, session, reply } = call;
    call.session = this.#guest;
    call.reply = this.#reply;
    this.#reply.longs = this.#otherReply.longs = reply.longs;
    this.isAtWork = true;
    this.#serveKeys();
    for (;;) {
      const whole = this.#ready.takeDatabases();
      if (whole === null) break;
      this.#serveDatabases(whole);
    }
    this.isAtWork = false;
    call.args = args;
    call.session = session;
    call.reply = reply;
  }

  /**
   * Whether the command at hand, which may wait, finds elements that others have
   * been waiting for: the worker that has pushed them is about to serve those.
   * Their keys are noted then. The latches of the command's keys are held.
   */
  isOvertaking(): boolean {
    const call = this.#call;
    for (let i = 0; i < call.keyCount; i++) {
      const key = call.key(i);
      const space = call.keyspace(key);
      if ((space.control[SHARD_HOOKS]! & HOOK_WAITERS) === 0) continue;
      const ref = space.peek(call.db, key);
      const type = ref === 0 ? TYPE_STREAM : space.type(ref);
      // A stream is enough for all.
      if (type === TYPE_STREAM) continue;
      if (!this.#isWaitedFor(space, call.db, key)) continue;
      const { shard, buf, off, length, hash } = key;
      this.#ready.note(shard, call.db, buf, off, length, hash);
    }
    return this.#ready.count !== 0;
  }

  #serveKeys(): void {
    while (this.#ready.isLeft()) {
      const key = this.#key;
      const db = this.#ready.read(key);
      if (key.length < LONG_KEY_BYTES) this.#serveKey(db);
      else this.#serveLong(db);
      this.#ready.advance();
    }
  }

  #serveLong(db: number): void {
    const names = this.#names = new ComparedNames();
    names.compareKey(this.#call, db, this.#key);
    this.#serveKey(db);
    names.drop();
    KNOWN_KEYS.clear();
    this.#names = null;
  }

  /** Serves all keys of databases of a shard that have something for somebody. */
  #serveDatabases({ shard, databases }: ReadyDatabases): void {
    const space = this.#call.keyspaces[shard]!;
    const { waiters } = space.hooks;
    const note: WaitedVisitor = (db, key, node) => {
      if (!databases.has(db)) return;
      const { buf, off, length, hash } = key;
      // Whether it has expired is seen when it is served.
      const ref = space.peek(db, key);
      if (usesOf(space, ref) === 0 && !waiters.hasGroups(node)) return;
      this.#ready.note(shard, db, buf, off, length, hash);
    };
    let cursor = 0;
    do {
      this.#latches.acquire(shard);
      cursor = waiters.visitFrom(cursor, HOLD_POSITIONS, note);
      this.#latches.release(shard);
      this.#serveKeys();
    } while (cursor !== 0);
  }

  #serveKey(db: number): void {
    const key = this.#key;
    const space = this.#call.keyspaces[key.shard]!;
    const { waiters } = space.hooks;
    const latches = this.#latches;
    latches.mark(key.shard);
    latches.acquireMarked();
    let looks = 0;
    let uses = this.#uses(space, db, key);
    let at = uses === 0 ? 0 : waiters.first(this.#nodeOf(space, db, key));
    while (at !== 0 && uses !== 0) {
      if (looks >= LOOKS_IN_ONE_HOLD) {
        // Thousands may wait: others have their turn in between.
        at = this.#rest(space, db, key, at, null);
        uses = this.#uses(space, db, key);
        looks = 0;
        continue;
      }
      const record = waiters.record(at);
      if (!this.#canUse(record, uses)) {
        at = waiters.next(at);
        looks++;
        continue;
      }
      looks += LOOKS_PER_TRY;
      const command = this.#load(record, waiters.number(at), db);
      if (this.#own !== null || !this.#holdsLatches()) {
        const found = at;
        const place = waiters.place(found);
        at = this.#rest(space, db, key, found, command);
        uses = this.#uses(space, db, key);
        if (
          at !== found || waiters.record(at) !== record ||
          waiters.place(at) !== place || !this.#canUse(record, uses)
        ) {
          this.#unload();
          continue;
        }
      }
      // Nobody else leaves the queue while the latch is held.
      const next = waiters.next(at);
      const mayTry = !this.#ports.mustDefer(command, key) &&
        this.#records.claim(record);
      const goesOn = mayTry && this.#attempt(record, command);
      this.#unload();
      // Those behind are served when the key is released.
      if (goesOn && isBeingChanged(space, db, key)) break;
      if (mayTry) uses = this.#uses(space, db, key);
      at = next;
    }
    latches.releaseMarked();
    this.#send();
  }

  /**
   * Gives all latches back, and takes that of a key again and, if there is a command
   * at hand, those of its keys; returns the registration in the queue of the key with
   * which it goes on: the one given, if it is still there.
   */
  #rest(
    space: Keyspace,
    db: number,
    key: Key,
    at: number,
    command: Command<C> | null,
  ): number {
    const { waiters } = space.hooks;
    const place = waiters.place(at);
    const bookmark = waiters.isFirst(at) ? 0 : waiters.addBookmark(at);
    const latches = this.#latches;
    latches.releaseMarked();
    this.#send();
    if (command !== null && this.#own !== null) {
      this.#ports.prepareLong(command);
      this.#ports.fillKeys(command);
    }
    latches.mark(key.shard);
    const keyCount = command === null ? 0 : this.#call.keyCount;
    for (let i = 0; i < keyCount; i++) latches.mark(this.#call.key(i).shard);
    latches.acquireMarked();
    if (bookmark !== 0) return waiters.passBookmark(bookmark);
    const node = this.#nodeOf(space, db, key);
    return node === 0 ? 0 : waiters.firstFrom(node, place);
  }

  #nodeOf({ hooks: { waiters } }: Keyspace, db: number, key: Key): number {
    return waiters.find(db, key.buf, key.off, key.length, key.hash);
  }

  /** Which kinds of commands can do something with what a key has: a bit each. */
  #uses(space: Keyspace, db: number, key: Key): number {
    const node = this.#nodeOf(space, db, key);
    if (node === 0) return 0;
    const ref = space.lookupQuiet(db, key, this.#call.nowMs);
    const uses = usesOf(space, ref);
    return space.hooks.waiters.hasGroups(node)
      ? uses | 1 << WAITS_FOR_GROUP
      : uses;
  }

  /** Whether a command, which is not a bookmark, waits and is one of these. */
  #canUse(record: number, uses: number): boolean {
    const records = this.#records;
    return record !== 0 && (uses >>> records.kind(record) & 1) !== 0 &&
      records.isWaiting(record);
  }

  /** Whether some command can do something with what a key has. */
  #isWaitedFor(space: Keyspace, db: number, key: Key): boolean {
    const uses = this.#uses(space, db, key);
    if (uses === 0) return false;
    const { waiters } = space.hooks;
    let at = waiters.first(this.#nodeOf(space, db, key));
    while (at !== 0 && !this.#canUse(waiters.record(at), uses)) {
      at = waiters.next(at);
    }
    return at !== 0;
  }

  /**
   * Makes a waiting command the one at hand; one of very many keys with that of
   * this number. Its keys are filled in, unless it has arguments of its own.
   */
  #load(record: number, number: number, db: number): Command<C> {
    const call = this.#call;
    const records = this.#records;
    const isOfMany = records.keysAt(record) !== null;
    const own = isOfMany || records.hasRuns(record)
      ? this.#ownArguments(record, number)
      : null;
    if (own === null) records.load(record, this.#args);
    const args = call.args = own ?? this.#args;
    this.#own = args.hasBig ? args : null;
    this.#guest.id = records.session(record);
    this.#guest.db = db;
    this.#guest.resp = this.#reply.resp = records.resp(record);
    const command = this.#table.lookup(
      args.source(0),
      args.off[0]!,
      args.length[0]!,
    )!;
    this.#guest.command = command;
    if (this.#own === null) this.#ports.fillKeys(command);
    return command;
  }

  /** Is done with the command at hand. */
  #unload(): void {
    const own = this.#own;
    if (own === null) return;
    this.#own = null;
    this.#ports.forgetLong();
    freeRuns(own, this.#call.keyspaces[0]!.externals);
    this.#names?.resume();
  }

  #ownArguments(record: number, number: number): Arguments {
    const records = this.#records;
    const { arena, externals } = this.#call.keyspaces[0]!;
    const keysAt = records.keysAt(record);
    const count = records.argumentCount(record);
    const room = this.#shortArguments;
    const partsOf = (numbers: readonly number[]) =>
      records.argumentParts(record, numbers);
    if (keysAt === null) {
      const all = Array.from({ length: count }, (_, i) => i);
      return ownArguments(arena, externals, partsOf(all), room);
    }
    const [name] = partsOf([0]) as [Uint8Array];
    const { spec } = this.#table.lookup(name, 0, name.length)!;
    const parts = oneKeyArguments(spec.oneKey!, count, keysAt, number, partsOf);
    return ownArguments(arena, externals, parts, room);
  }

  #holdsLatches(): boolean {
    const call = this.#call;
    for (let i = 0; i < call.keyCount; i++) {
      if (!this.#latches.isMarked(call.key(i).shard)) return false;
    }
    return true;
  }

  /**
   * Runs a claimed command; if it gets nothing, it waits on. Says whether it goes
   * on in slices.
   */
  #attempt(record: number, command: Command<C>): boolean {
    const call = this.#call;
    const records = this.#records;
    call.waitKind = 0;
    this.#latches.step();
    const late = this.#ports.run(command);
    if (call.waitKind !== 0) {
      call.waitKind = 0;
      records.unclaim(record);
      return false;
    }
    const cacheWorker = records.cacheWorker(record);
    if (cacheWorker >= 0 && (command.flags & FLAG.READONLY) !== 0) {
      this.#ports.remember(records.session(record), cacheWorker);
    }
    if (records.keysAt(record) === null) {
      removeRegistrations(call.keyspaces, records, record);
    }
    const worker = records.worker(record);
    const session = records.session(record);
    records.end(record);
    this.#latches.step();
    if (late === null) {
      this.#handOver(worker, session);
      return false;
    }
    this.#ports.servedLater(worker, session, late);
    this.#guest = call.session = guestSession(0);
    return true;
  }

  /** Hands over what was replied; latches are held. */
  #handOver(worker: number, session: number): void {
    const reply = this.#reply;
    if (reply.at < LONG_REPLY_BYTES || this.#unsent !== null) {
      return this.#ports.served(worker, session, reply);
    }
    this.#unsent = { worker, session, reply };
    this.#reply = this.#call.reply = this.#otherReply;
    this.#otherReply = reply;
  }

  /** Hands over what is left; no latch is held. */
  #send(): void {
    if (this.#unsent === null) return;
    const { worker, session, reply } = this.#unsent;
    this.#unsent = null;
    this.#ports.served(worker, session, reply);
  }
}

/** Has its room from the start: it would grow with latches held. */
function roomyWriter(): ReplyWriter {
  const reply = new ReplyWriter(0);
  reply.buf = bytesInMemory(REPLY_BYTES);
  reply.canStream = true;
  return reply;
}

/** Whether a key is locked for writing. */
function isBeingChanged({ locks }: Keyspace, db: number, key: Key): boolean {
  const node = locks.find(db, key.buf, key.off, key.length, key.hash);
  return node !== 0 && locks.isWriteHeld(node);
}

/** Which kinds of commands can use an entry, or none: a bit each. */
function usesOf(space: Keyspace, ref: number): number {
  if (ref === 0) return 0;
  const type = space.type(ref);
  if (type === TYPE_LIST) return 1 << WAITS_FOR_LIST;
  if (type === TYPE_ZSET) return 1 << WAITS_FOR_ZSET;
  return type === TYPE_STREAM ? 1 << WAITS_FOR_STREAM : 0;
}

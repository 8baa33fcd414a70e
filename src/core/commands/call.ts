/**
 * The call: all that a command sees of the world while it runs.
 *
 * One object per worker, filled anew for each command; a command keeps nothing
 * of it. Commands are synchronous. They run with the latches of their keys'
 * shards held, write exactly one reply, and either complete or answer with an
 * error having changed nothing.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { hashSlot } from "../base/crc16.ts";
import { DOUBLE_ZERO } from "../base/steady_code.ts";
import { halfSipHash } from "../base/half_siphash.ts";
import { KNOWN_KEYS, LONG_KEY_BYTES } from "../memory/known_keys.ts";
import type { Prng } from "../base/prng.ts";
import type { AccessClock } from "../keyspace/access_clock.ts";
import { EffectLog } from "../keyspace/effect_log.ts";
import { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ReplacedArguments } from "../keyspace/replaced_arguments.ts";
import { Arguments } from "../resp/arguments.ts";
import type { ErrorReply } from "../resp/error_reply.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import type { LateReply } from "./command_spec.ts";
import type { ComparedArguments } from "./compared_arguments.ts";
import type { SortOptions } from "./sort_options.ts";
import type { StagedNodes } from "./staged_nodes.ts";
import type { Settings } from "../settings/settings.ts";

/** The part of a connection's state that commands act on. */
export interface Session {
  /** Selected database. */
  db: number;
}

/**
 * Shard latches, for commands without keys that look at several shards. The
 * latches of a command's own keys are held before it runs.
 */
export interface ShardLatches {
  /** Takes one shard's latch; none other may be held. */
  acquire(shard: number): void;
  /** Gives it back. */
  release(shard: number): void;
  /** Takes the latches of all shards, in ascending order. */
  acquireAll(): void;
  /** Gives them all back. */
  releaseAll(): void;
}

/** Lets commands about whole databases wait for the keys that are locked. */
export interface LockGate {
  /**
   * Whether keys of a database, or of all (-1), are locked for writing, or, if
   * `forReaders`, at all: the command must give its latches back then and do
   * nothing more; it will be run anew, or has been answered. The latches of all
   * shards are held.
   */
  mustWait(databases: readonly number[], forReaders: boolean): boolean;
  /**
   * The same for one who only looks at all keys of a database: whether a command
   * has changed some of its very many keys, and others not yet.
   */
  mustWaitToLook(db: number): boolean;
  /** Whether there is none, for one who has other things to do meanwhile. */
  mayLook(): boolean;
  /**
   * Lets others have their turn: the command must do nothing more then, it will be
   * run anew. False if it has to go on, as in a transaction. No latch is held.
   */
  giveWay(): boolean;
}

/** Where nobody locks keys. */
const OPEN: LockGate = {
  mustWait: () => false,
  mustWaitToLook: () => false,
  mayLook: () => true,
  giveWay: () => false,
};

/** A command that puts elements back where they were taken; "" for none. */
export type WaitUndo = "" | "LPUSH" | "RPUSH" | "ZADD";

/** What a worker's calls have in common. */
export interface CallContext {
  /** One keyspace per shard. */
  readonly keyspaces: readonly Keyspace[];
  /** The shard of each hash slot. */
  readonly slotShards: Uint16Array;
  /** Seed of the keys' hash, two words. */
  readonly hashSeed: readonly [number, number];
  /** The configuration. */
  readonly settings: Settings;
  /** The worker's statistics. */
  readonly counters: Float64Array;
  /** The worker's access clock. */
  readonly clock: AccessClock;
  /** The worker's source of randomness. */
  readonly random: Prng;
  /** The shards' latches. */
  readonly latches: ShardLatches;
  /** How something is done in a later turn; without it, nothing is. */
  readonly later?: Later;
  /** How values are held that replies are read from; without it, none is. */
  readonly holdValue?: HoldValue;
  /** How a key is changed in slices; without it, none is. */
  readonly inSlices?: InSlices;
  /** Where changes are recorded; missing if they are not. */
  readonly effects?: EffectLog;
}

/** A key, and the keyspace of its shard. */
export interface ChangePlace {
  readonly space: Keyspace;
  readonly key: Key;
}

/** Names of keys. */
export interface ChangeLocks {
  /** Those that must not change; if others come first, they may all the same. */
  readonly read: readonly Uint8Array[];
  /** Those that nobody may see. */
  readonly write: readonly Uint8Array[];
}

/**
 * What a command does with one of its keys, nearly always a change of it, that
 * would take long: see sliced_change.ts. `args` are the arguments of the command.
 */
export interface SlicedChange {
  /** Names of other keys that are to be changed, too. */
  readonly otherKeys?: readonly Uint8Array[];
  /** The keys that it wants locked, if not the first one and the others. */
  readonly locks?: ChangeLocks;
  /**
   * What the next slice changes if not the first key; read before each. Null if
   * it takes the latches that it needs itself.
   */
  readonly place?: ChangePlace | null | undefined;
  /**
   * Whether nobody is to see anything of it before it has ended, and it needs to
   * know what keys had before others change them (old_values.ts).
   */
  readonly keepsOld?: boolean;
  /**
   * Whether more than a slice is to be done, for sure: even the first comes in a turn
   * of its own then, since to begin takes as long where it is the first time.
   */
  readonly isLong?: boolean;
  /** Whether it cannot go on before others have ended what they do in slices. */
  readonly isWaiting?: boolean;
  /** All that is left will be done at once, under the latches that are held. */
  hurry?(): void;
  /**
   * Does a slice of it, about half a millisecond; says whether some is left.
   * `ref` is the key's entry, or 0. OutOfMemory must leave the value as it was.
   */
  step(space: Keyspace, ref: number, args: Arguments): boolean;
  /**
   * All is done: tells of it, records what is to be recorded in the place of the
   * command, and returns the reply. OutOfMemory must leave the value as it was.
   */
  finish(
    space: Keyspace,
    db: number,
    key: Key,
    args: Arguments,
    effects: EffectLog,
  ): LateReply;
  /**
   * Memory was short: gives back what was made, and tells of the key what of it
   * has changed all the same; the shard's latch is held.
   */
  drop?(space: Keyspace, db: number, key: Key): void;
  /** Whether it only reads, so that others may, too. */
  readonly isRead?: boolean;
  /** The error that it replies once it has ended; null for none. */
  readonly error?: ErrorReply | null;
}

/**
 * Goes on, slice by slice, with what a command does with one of its keys, and lets
 * others go on in between; the key is locked until it is done. Big arguments are
 * taken over. Null if it has to be done at once. The latch of the key's shard is
 * held, by the slices as well.
 */
export type InSlices = (
  space: Keyspace,
  db: number,
  key: Key,
  change: SlicedChange,
  args: Arguments,
) => Promise<LateReply> | null;

/** A value that a reply is read from, of a key that is locked meanwhile. */
export interface ValueHold {
  /** Nobody reads any more; no latch is held. */
  release(): void;
  /**
   * Set by the reader: others wait, so he reads what is left at once, if that is
   * little. No latch is held. Null if he cannot.
   */
  hurry: (() => void) | null;
}

/**
 * Keeps others from changing the value of an entry as long as a reply is read
 * from it, so that they need not copy it; null if they may, and copy. The latch
 * of the shard is held.
 */
export type HoldValue = (
  space: Keyspace,
  db: number,
  ref: number,
) => ValueHold | null;

/** Calls back after so many milliseconds, with the time; no latch is held. */
export type Later = (run: (nowMs: number) => void, delayMs: number) => void;

/** The running command's arguments, keys, time, session and reply. */
export class Call {
  /** One keyspace per shard. */
  readonly keyspaces: readonly Keyspace[];
  /** The shard of each hash slot. */
  readonly slotShards: Uint16Array;
  /** Seed of the keys' hash, two words. */
  readonly hashSeed: readonly [number, number];
  /** The configuration. */
  readonly settings: Settings;
  /** The worker's statistics. */
  readonly counters: Float64Array;
  /** The worker's access clock. */
  readonly clock: AccessClock;
  /** The worker's source of randomness. */
  readonly random: Prng;
  /** The shards' latches. */
  readonly latches: ShardLatches;
  /** How something is done in a later turn; null where nothing is. */
  readonly later: Later | null;
  /** How a key is changed in slices; null where none is. */
  readonly inSlices: InSlices | null;
  /** How values are held that replies are read from; null where none is. */
  readonly holdValue: HoldValue | null;
  /**
   * Where changes are recorded. A command whose effect does not follow from its
   * arguments and the data set alone says here what is to be recorded instead.
   */
  readonly effects: EffectLog;
  /** The arguments, the command's name first. */
  args: Arguments = new Arguments();
  /** Where the reply goes. */
  reply: ReplyWriter = new ReplyWriter(0);
  /** What commands about whole databases ask before they begin. */
  lockGate: LockGate = OPEN;
  /** The session that asks. */
  session: Session = { db: 0 };
  /**
   * Milliseconds of the epoch; one value for a batch of commands. 0 while
   * records are replayed: nothing may expire then but what they say.
   */
  nowMs = DOUBLE_ZERO;
  /** The time while records are replayed. */
  replayMs = 0;
  /** Big arguments that have been made nodes; null for none. */
  staged: StagedNodes | null = null;
  /** What big arguments have been compared with; null for nothing. */
  compared: ComparedArguments | null = null;
  /** The options of SORT if they have been read; null if not. */
  sortOptions: SortOptions | null = null;
  /** Keys of this command. */
  keyCount = 0;
  /** Whether a command may wait: not inside of a transaction. */
  canWait = true;
  /** What the command is to wait for instead of a reply; 0 for nothing. */
  waitKind = 0;
  /** For how many milliseconds; 0 for ever. */
  waitMs = 0;
  /** The first so many keys are waited for. */
  waitKeys = 0;
  /** The command that gives back what was got for a client that is gone. */
  waitUndo: WaitUndo = "";
  /** Arguments that mean something else by the time the wait is over. */
  waitArguments: ReplacedArguments | null = null;
  readonly #keys: Key[] = [new Key()];
  readonly #otherKey = new Key();
  readonly #seed0: number;
  readonly #seed1: number;

  /** One call per worker. */
  constructor(context: CallContext) {
    this.keyspaces = context.keyspaces;
    this.slotShards = context.slotShards;
    this.hashSeed = context.hashSeed;
    this.settings = context.settings;
    this.counters = context.counters;
    this.clock = context.clock;
    this.random = context.random;
    this.latches = context.latches;
    this.later = context.later ?? null;
    this.holdValue = context.holdValue ?? null;
    this.inSlices = context.inSlices ?? null;
    this.effects = context.effects ?? new EffectLog();
    [this.#seed0, this.#seed1] = context.hashSeed;
  }

  /** Arguments, the name included. */
  get argc(): number {
    return this.args.count;
  }

  /** The selected database. */
  get db(): number {
    return this.session.db;
  }

  /** The time for what has nothing to do with expiry. */
  get clockMs(): number {
    return this.nowMs === 0 ? this.replayMs : this.nowMs;
  }

  /** Key `i` of the command, in the order of its arguments. */
  key(i: number): Key {
    return this.#keys[i]!;
  }

  /** The keyspace of a key's shard. */
  keyspace(key: Key): Keyspace {
    return this.keyspaces[key.shard]!;
  }

  /** The key that is argument `i`. */
  keyAt(i: number): Key {
    const off = this.args.off[i]!;
    const buf = this.args.source(i);
    for (let at = 0; at < this.keyCount; at++) {
      const key = this.key(at);
      if (key.off === off && key.buf === buf) return key;
    }
    assert(false, "a key of the command is among its keys");
  }

  /**
   * A key that no argument names, for commands that hold the latches of all
   * shards; good until the next one is asked for.
   */
  otherKey(buf: Uint8Array, off: number, length: number): Key {
    this.fillKey(this.#otherKey, buf, off, length);
    return this.#otherKey;
  }

  /** What big arguments have been compared with; it is the caller's then. */
  takeCompared(): ComparedArguments | null {
    const { compared } = this;
    this.compared = null;
    return compared;
  }

  /** Fills `key` with bytes and what follows from them. */
  fillKey(key: Key, buf: Uint8Array, off: number, length: number): void {
    key.buf = buf;
    key.off = off;
    key.length = length;
    key.hash = length < LONG_KEY_BYTES
      ? halfSipHash(buf, off, length, this.#seed0, this.#seed1)
      : KNOWN_KEYS.hash(buf, off, length, this.#seed0, this.#seed1);
    key.shard = this.slotShards[hashSlot(buf, off, length)]!;
  }

  /** Key `i`, made if it has not been needed before; for the dispatcher. */
  ensureKey(i: number): Key {
    let key = this.#keys[i];
    if (key === undefined) {
      key = new Key();
      this.#keys[i] = key;
    }
    return key;
  }

  /**
   * Asks to wait for what the command did not find in its first `keys` keys, for
   * so many milliseconds (0 for ever): it must have changed nothing, and write no
   * reply. When one of the keys has it, the command runs anew. False if it may
   * not wait, and must reply as if the time were over.
   */
  wait(kind: number, waitMs: number, keys: number, undo: WaitUndo): boolean {
    if (!this.canWait) return false;
    this.waitKind = kind;
    this.waitMs = waitMs;
    this.waitKeys = keys;
    this.waitUndo = undo;
    this.waitArguments = null;
    return true;
  }

  /** Frees what the command had begun to make when memory ran out. */
  dropUnfilled(): void {
    for (let i = 0; i < this.keyCount; i++) {
      const key = this.key(i);
      const space = this.keyspace(key);
      space.begun.drop();
      space.deleteIfUnfilled(this.db, key);
    }
  }

  /** Lets go of the keys of a very wide command. */
  trimKeys(most: number): void {
    if (this.#keys.length > most) this.#keys.length = most;
  }
}

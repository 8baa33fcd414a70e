/**
 * What commands do with very many keys, one after the other: the keys are locked,
 * all of them at one instant, and then gone through in slices, so that no latch is
 * held for long (see engine/compute/many_keys.ts).
 *
 * A command that changes keys makes all that it needs before anybody could see any
 * of it, and lets go of it again should memory end: then nothing has changed.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { AccessClock } from "../keyspace/access_clock.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import { DEL, NEW, SET } from "../keyspace/key_events.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { liesInEntry } from "../keyspace/long_names.ts";
import type { ReplacedArguments } from "../keyspace/replaced_arguments.ts";
import { keepOldOf } from "../keyspace/snapshot_marks.ts";
import { makeApart, makeApartIn, makeRun } from "../keyspace/strings_apart.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { ErrorReply } from "../resp/error_reply.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import { TYPE_STRING } from "../types/entry.ts";
import type { Call, WaitUndo } from "./call.ts";
import { COMBINED_KEY_WEIGHT, type LateReply } from "./command_spec.ts";
import { replyString } from "./string_value.ts";

/** A piece of a reply of so many bytes is full. */
const PIECE_BYTES = 1 << 16;

/** One of the keys, and what belongs to it. */
export interface KeyVisit {
  readonly space: Keyspace;
  readonly db: number;
  readonly key: Key;
  /** Its number among those that were given. */
  readonly i: number;
  /** The number that it was given last. */
  readonly last: number;
  /** The arguments of the command. */
  readonly args: Arguments;
  /** The instant at which all keys were locked, in milliseconds of the epoch. */
  readonly nowMs: number;
}

/** A way through the keys. */
export interface KeysPass {
  /**
   * Every key as often as it was given, in that order or, with the number that it
   * was given last, in any; or each once.
   */
  readonly order: "given" | "each" | "distinct";
  /** Whether the latch of the key's shard is held. */
  readonly isLatched: boolean;
  /** May throw OutOfMemory. */
  visit(at: KeyVisit): void;
}

/** What a command waits for that has found nothing. */
export interface KeysWait {
  /** As {@linkcode Call.waitKind}. */
  readonly kind: number;
  /** For so many milliseconds, 0 for ever. */
  readonly waitMs: number;
  readonly undo: WaitUndo;
  /** As {@linkcode Call.waitArguments}. */
  readonly replaced: ReplacedArguments | null;
  /**
   * The numbers by which keys are waited for, by the numbers that these were given
   * last; missing where they are the same, or do not matter.
   */
  readonly numbers?: ReadonlyMap<number, number>;
}

/** What the passes look for, and what is done then. */
export interface KeysSearch {
  /** Number of the key with which alone the command is to be run; -1 for none. */
  readonly found: number;
  /** Whether the background is to run it, with all keys. */
  readonly isForBackground: boolean;
  /** What is waited for if neither; null to reply. */
  readonly wait: KeysWait | null;
  /** Begins to look anew. */
  reset(): void;
}

/** What is done to keys in the order in which they were given, for any time. */
export interface KeysSteps {
  /** Whether what is left is not wanted. */
  readonly isOver: boolean;
  /** The error that is replied, or null. */
  readonly error: ErrorReply | null;
  /** What is waited for when all is done; null to reply. */
  readonly wait: KeysWait | null;
  /**
   * Does a part of what is done to a key, about half a millisecond, with its latch
   * held; says whether some is left.
   */
  step(at: KeyVisit): boolean;
  /** Records all that was done, in the place of the command. */
  record(effects: EffectLog): void;
}

/** All that a command does. */
export interface ManyKeysWork {
  /** How the keys are locked meanwhile. */
  readonly locking: "none" | "read" | "write" | "as the keys say";
  /**
   * Whether it is run in the background when they are locked, as the key specs
   * say; it has no passes then, and the reply is that of the background.
   */
  readonly isJob?: boolean;
  /** What becomes of the command when the passes, which change nothing, are over. */
  readonly search?: KeysSearch;
  /** What is done to the keys when the passes, which change nothing, are over. */
  readonly steps?: KeysSteps;
  /** What is done, pass by pass. */
  readonly passes: readonly KeysPass[];
  /** Whether what is left of the passes is not wanted. */
  readonly isOver?: boolean;
  /** After OutOfMemory: lets everything be as it was. */
  readonly undo?: KeysPass;
  /** Changes of keys. */
  readonly changes: number;
  /** The reply, when all is done. */
  reply(): LateReply;
}

/** Begins what a command does with its keys; null if that is to be done at once. */
export type ManyKeysFinder<C> = (call: C) => ManyKeysWork | null;

function givenPass(visit: (at: KeyVisit) => void): KeysPass {
  return { order: "given", isLatched: true, visit };
}

function eachPass(visit: (at: KeyVisit) => void): KeysPass {
  return { order: "each", isLatched: true, visit };
}

/** A pass over the different keys, under their latches. */
export function distinctPass(visit: (at: KeyVisit) => void): KeysPass {
  return { order: "distinct", isLatched: true, visit };
}

/** MGET. */
class StringsRead implements ManyKeysWork {
  readonly locking = "read";
  readonly changes = 0;
  readonly #count: number;
  readonly #resp: 2 | 3;
  readonly #pieces: ReplyWriter[] = [];

  constructor({ keyCount, reply }: Call) {
    this.#count = keyCount;
    this.#resp = reply.resp;
  }

  readonly passes: readonly KeysPass[] = [
    givenPass(({ space, db, key, nowMs }) => {
      const reply = this.#writer();
      const ref = space.lookupRead(db, key, nowMs);
      if (ref === 0 || space.type(ref) !== TYPE_STRING) reply.nullBulk();
      else replyString(reply, space, ref);
    }),
  ];

  #writer(): ReplyWriter {
    const last = this.#pieces.at(-1);
    if (last !== undefined && last.at < PIECE_BYTES) return last;
    const writer = new ReplyWriter();
    writer.resp = this.#resp;
    this.#pieces.push(writer);
    return writer;
  }

  reply(): LateReply {
    return (reply) => {
      reply.array(this.#count);
      for (const { buf, at, spans } of this.#pieces) {
        reply.append(buf.subarray(0, at), spans ?? []);
      }
    };
  }
}

/** EXISTS and TOUCH. */
class KeysCounted implements ManyKeysWork {
  readonly locking = "read";
  readonly changes = 0;
  readonly #clock: AccessClock | null;
  #found = 0;

  /** The clock is that of who touches the keys; null if nobody does. */
  constructor(clock: AccessClock | null) {
    this.#clock = clock;
  }

  readonly passes: readonly KeysPass[] = [
    eachPass(({ space, db, key, nowMs }) => {
      const ref = space.lookupReadQuiet(db, key, nowMs);
      if (ref === 0) return;
      this.#found++;
      const clock = this.#clock;
      if (clock !== null) {
        space.setClock(ref, clock.touched(space.clockOf(ref)));
      }
    }),
  ];

  reply(): LateReply {
    return (reply) => reply.integer(this.#found);
  }
}

/** DEL and UNLINK. */
class KeysDeleted implements ManyKeysWork {
  readonly locking = "write";
  readonly #isDeleted: Uint8Array;
  changes = 0;

  constructor({ keyCount }: Call) {
    this.#isDeleted = new Uint8Array(keyCount);
  }

  readonly passes: readonly KeysPass[] = [
    distinctPass(({ space, db, key, nowMs, i }) => {
      const ref = space.lookupQuiet(db, key, nowMs);
      if (ref === 0) return;
      space.delete(db, ref);
      this.#isDeleted[i] = 1;
      this.changes++;
    }),
    givenPass(({ space, db, key, last }) => {
      if (this.#isDeleted[last] === 0) return;
      this.#isDeleted[last] = 0;
      space.hooks.changed(db, key, DEL);
    }),
  ];

  reply(): LateReply {
    return (reply) => reply.integer(this.changes);
  }
}

/**
 * MSET: entries are made of all pairs before the first is given to its key.
 * MSETNX: unless one of the keys is there, of which all are locked by then.
 */
class StringsStored implements ManyKeysWork {
  readonly locking = "write";
  readonly #isForNew: boolean;
  /** Entries by pair, or runs for those that are not yet made; 0 for neither. */
  readonly #made: Int32Array;
  readonly #state: Uint8Array;
  changes = 0;
  isOver = false;

  constructor({ keyCount }: Call, isForNew: boolean) {
    this.#isForNew = isForNew;
    this.#made = new Int32Array(keyCount);
    this.#state = new Uint8Array(keyCount);
  }

  /** Ends all if a key is there. */
  readonly #looking = distinctPass(({ space, db, key, nowMs }) => {
    if (space.lookupQuiet(db, key, nowMs) !== 0) this.isOver = true;
  });

  readonly #storing: readonly KeysPass[] = [
    // To copy a long value takes no latch.
    {
      order: "distinct",
      isLatched: false,
      visit: ({ space, key, i, args }) => {
        const at = 2 * i + 2;
        if (liesInEntry(key.length, args.length[at]!)) return;
        const run = args.takeBig(at);
        if (run !== 0) space.externals.trim(run);
        this.#made[i] = run !== 0 ? run : makeRun(space, args, at);
        this.#state[i] = IN_RUN;
      },
    },
    distinctPass(({ space, key, i, args }) => {
      const run = this.#state[i] === IN_RUN ? this.#made[i]! : 0;
      this.#made[i] = run !== 0
        ? makeApartIn(space, key, run)
        : makeApart(space, key, args, 2 * i + 2);
      this.#state[i] = MADE;
    }),
    // Only keys that are new may find no room.
    distinctPass(({ space, db, key, i, nowMs }) => {
      if (space.lookupQuiet(db, key, nowMs) !== 0) return;
      keepOldOf(space, key);
      space.adoptEntry(db, this.#made[i]!, 0);
      this.#state[i] = ENTERED;
    }),
    distinctPass(({ space, db, key, i }) => {
      if (this.#state[i] === ENTERED) return;
      keepOldOf(space, key);
      const existing = space.peek(db, key);
      assert(existing !== 0, "a locked key stays");
      space.adoptEntry(db, this.#made[i]!, existing);
      this.#state[i] = STORED;
    }),
    givenPass(({ space, db, key, last }) => {
      if (this.#state[last] === ENTERED) space.hooks.signal(db, key, NEW);
      this.#state[last] = STORED;
      space.hooks.changed(db, key, SET);
      this.changes++;
    }),
  ];

  get passes(): readonly KeysPass[] {
    const storing = this.#storing;
    return this.#isForNew ? [this.#looking, ...storing] : storing;
  }

  readonly undo = distinctPass(({ space, db, i }) => {
    const made = this.#made[i]!;
    const state = this.#state[i]!;
    if (state === IN_RUN) return space.externals.unpin(made);
    if (state === ENTERED) space.detach(db, made);
    if (state !== 0) space.freeEntry(made);
  });

  reply(): LateReply {
    if (!this.#isForNew) return (reply) => reply.ok();
    return (reply) => reply.integer(this.isOver ? 0 : 1);
  }
}

/** States of pairs: their value lies in a run, ... */
const IN_RUN = 1;
/** ... in an entry that no key has, ... */
const MADE = 2;
/** ... in that of a key that was not there, ... */
const ENTERED = 3;
/** ... in that of one that was. */
const STORED = 4;

/** As {@linkcode ManyKeysFinder}, of MGET. */
export const manyStrings: ManyKeysFinder<Call> = (call) =>
  new StringsRead(call);
/** The same of EXISTS. */
export const manyCounted: ManyKeysFinder<Call> = () => new KeysCounted(null);
/** The same of TOUCH. */
export const manyTouched: ManyKeysFinder<Call> = ({ clock }) =>
  new KeysCounted(clock);
/** The same of DEL and UNLINK. */
export const manyDeleted: ManyKeysFinder<Call> = (call) =>
  new KeysDeleted(call);
/** The same of MSET. */
export const manyStored: ManyKeysFinder<Call> = (call) => {
  if ((call.argc & 1) === 0) return null;
  // Entries are made anew of those that are there as well.
  call.compared?.names?.prepareAll(call);
  return new StringsStored(call, false);
};
/** The same of MSETNX. */
export const manyStoredNew: ManyKeysFinder<Call> = (call) =>
  (call.argc & 1) === 0 ? null : new StringsStored(call, true);

function job(locking: ManyKeysWork["locking"]): ManyKeysWork {
  const reply = () => () => {};
  return { locking, isJob: true, passes: [], changes: 0, reply };
}

const JOB = job("as the keys say");
const READING_JOB = job("read");

/** As {@linkcode ManyKeysFinder}, of what is run in the background. */
const manyInBackground: ManyKeysFinder<Call> = ({ settings }) =>
  settings.backgroundThreads === 0 ? null : JOB;

/** The same of what changes nothing, whatever its key specs say. */
export const manyRead: ManyKeysFinder<Call> = (call) =>
  manyInBackground(call) && READING_JOB;

/** What rows of commands say that combine the values of any number of keys. */
export const COMBINED = {
  manyKeys: manyInBackground,
  keyWeight: COMBINED_KEY_WEIGHT,
} as const;
/** The same of those that only read them. */
export const COMBINED_READ = {
  manyKeys: manyRead,
  keyWeight: COMBINED_KEY_WEIGHT,
} as const;

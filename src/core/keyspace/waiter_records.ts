/**
 * Waiter records: what is known of a command that waits for a key, for whichever
 * worker gives the key what it waits for.
 *
 * ```text
 * word 0  claim word                   word 4  protocol, kind
 *      1  worker of its connection          5  first registration, or 0
 *      2  session                           6  arguments
 *      3  database                          7  worker of its cache + 1, or 0
 *      8  first key's argument, or 0        9  keys
 *      then the length of each argument, then the run of each one that came in one,
 *      or 0, then where the bytes of each of the others begin, then these
 * ```
 *
 * The claim word is the sole arbiter of what becomes of the command: whoever
 * changes it from waiting may act on it, and nobody else. A record lies in the
 * heap of its first key's shard. Only the worker of the connection frees it, so
 * that worker may look at it at any time; others may while they hold the latch of
 * a shard where it is registered.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import { type Arena, byteOf, SEGMENT_SHIFT, wordOf } from "../memory/arena.ts";
import type { ExternalStrings } from "../memory/external.ts";
import type { Heap } from "../memory/heap.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { ArgumentPart } from "./own_arguments.ts";
import type { ReplacedArguments } from "./replaced_arguments.ts";

/** Claim word: nobody acts on the command. */
const WAITING = 1;
/** Claim word: a worker tries to serve it. */
const CLAIMED = 2;
/** Claim word: it was served, or waits no longer. */
const ENDED = 3;
/** Claim word: it is yet to be written into the queues of all its keys. */
const BEGUN = 4;

const CLAIM = 0;
const WORKER = 1;
const SESSION = 2;
const DATABASE = 3;
const KIND = 4;
const REGISTRATIONS = 5;
const ARGUMENTS = 6;
const CACHE = 7;
const FIRST_KEY = 8;
const KEYS = 9;
const LENGTHS = 10;
/** Words of an argument: its length, its run, where its bytes begin. */
const ARGUMENT_WORDS = 3;
const KIND_SHIFT = 8;

/** What a command waits for. */
export const WAITS_FOR_LIST = 1;
/** It waits for a sorted set. */
export const WAITS_FOR_ZSET = 2;
/** It waits for entries of a stream. */
export const WAITS_FOR_STREAM = 3;
/** As a consumer of a group: also for the end of key or group. */
export const WAITS_FOR_GROUP = 4;

/** What a record is made of. */
export interface NewWaiter {
  readonly worker: number;
  readonly session: number;
  readonly db: number;
  readonly resp: 2 | 3;
  readonly kind: number;
  /** Where its client's cache is told of changes, if it keeps what it reads; -1. */
  readonly cacheWorker: number;
  /** Where its keys stand, if it has very many. */
  readonly keysAt?: KeysAt;
}

/** Where the keys of a command stand. */
export interface KeysAt {
  /** The argument that is the first one. */
  readonly first: number;
  readonly count: number;
}

/** Reads and writes waiter records. */
export class WaiterRecords {
  readonly #arena: Arena;
  readonly #externals: ExternalStrings;

  /** `arena` are the worker's views. */
  constructor(arena: Arena, externals: ExternalStrings) {
    this.#arena = arena;
    this.#externals = externals;
  }

  /**
   * Makes a record; may throw OutOfMemory. Arguments in `replaced` stand for
   * those of their number.
   */
  create(
    heap: Heap,
    waiter: NewWaiter,
    args: Arguments,
    replaced: ReplacedArguments | null,
  ): number {
    const ref = heap.allocate(this.unitsOf(args, replaced));
    this.fill(ref, waiter, args, replaced);
    this.begin(ref);
    return ref;
  }

  /** Units of memory that a record takes. */
  unitsOf(
    args: Arguments,
    replaced: ReplacedArguments | null,
  ): number {
    let bytes = headBytes(args.count);
    let next = 0;
    for (let i = 0; i < args.count; i++) {
      if (replaced?.isFor(next, i)) bytes += replaced.lengthOf(next++);
      else if (args.bigAt(i) === 0) bytes += args.length[i]!;
    }
    return (bytes + 7) >>> 3;
  }

  /** Fills a record, of which nobody knows; no latch need be held. */
  fill(
    ref: number,
    waiter: NewWaiter,
    args: Arguments,
    replaced: ReplacedArguments | null,
  ): void {
    const { count } = args;
    const words = this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
    const at = wordOf(ref);
    words[at + CLAIM] = BEGUN;
    words[at + WORKER] = waiter.worker;
    words[at + SESSION] = waiter.session;
    words[at + DATABASE] = waiter.db;
    words[at + KIND] = waiter.resp | waiter.kind << KIND_SHIFT;
    words[at + REGISTRATIONS] = 0;
    words[at + ARGUMENTS] = count;
    words[at + CACHE] = waiter.cacheWorker + 1;
    words[at + FIRST_KEY] = waiter.keysAt?.first ?? 0;
    words[at + KEYS] = waiter.keysAt?.count ?? 0;
    const to = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const first = byteOf(ref);
    let end = headBytes(count);
    let next = 0;
    for (let i = 0; i < count; i++) {
      let run = 0;
      let length = 0;
      if (replaced?.isFor(next, i)) {
        length = replaced.lengthOf(next);
        const start = replaced.startOf(next++);
        copyBytes(replaced.bytes, start, to, first + end, length);
      } else {
        length = args.length[i]!;
        run = args.bigAt(i);
        if (run !== 0) this.#externals.pin(run);
        else copyBytes(args.source(i), args.off[i]!, to, first + end, length);
      }
      words[at + LENGTHS + i] = length;
      words[at + LENGTHS + count + i] = run;
      words[at + LENGTHS + 2 * count + i] = end;
      if (run === 0) end += length;
    }
  }

  /**
   * Lets go of the runs of a record's arguments, of which there may be very many;
   * no latch need be held. Its memory is to be freed next.
   */
  letGo(ref: number): void {
    const count = this.#word(ref, ARGUMENTS);
    for (let i = 0; i < count; i++) {
      const run = this.#word(ref, LENGTHS + count + i);
      if (run !== 0) this.#externals.unpin(run);
    }
  }

  /** From now on the command may be claimed. */
  begin(ref: number): void {
    this.#change(ref, BEGUN, WAITING);
  }

  /** Ends a command that has not begun to wait. */
  drop(ref: number): void {
    this.#change(ref, BEGUN, ENDED);
  }

  /** Lets `args` point to the arguments, of which none lies in a run. */
  load(ref: number, args: Arguments): void {
    args.clear();
    args.buf = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const words = this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
    const lengths = wordOf(ref) + LENGTHS;
    const count = this.argumentCount(ref);
    const first = byteOf(ref);
    for (let i = 0; i < count; i++) {
      args.add(first + words[lengths + 2 * count + i]!, words[lengths + i]!);
    }
  }

  /** Whether some of the arguments lie in runs. */
  hasRuns(ref: number): boolean {
    const words = this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
    const count = this.argumentCount(ref);
    const runs = wordOf(ref) + LENGTHS + count;
    for (let i = 0; i < count; i++) if (words[runs + i] !== 0) return true;
    return false;
  }

  /**
   * The arguments with these numbers, for a command that has them for itself: see
   * own_arguments.ts. The bytes of short ones lie in the record.
   */
  argumentParts(ref: number, numbers: readonly number[]): ArgumentPart[] {
    const words = this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
    const bytes = this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
    const count = this.argumentCount(ref);
    const lengths = wordOf(ref) + LENGTHS;
    const runs = lengths + count;
    return numbers.map((i) => {
      const run = words[runs + i]!;
      const length = words[lengths + i]!;
      if (run !== 0) return { run, length };
      const start = byteOf(ref) + words[runs + count + i]!;
      return bytes.subarray(start, start + length);
    });
  }

  /** How many arguments it has. */
  argumentCount(ref: number): number {
    return this.#word(ref, ARGUMENTS);
  }

  /** Where its keys stand, if there are very many: it is served with one. */
  keysAt(ref: number): KeysAt | null {
    const first = this.#word(ref, FIRST_KEY);
    return first === 0 ? null : { first, count: this.#word(ref, KEYS) };
  }

  /** Claims a command in order to serve it. */
  claim(ref: number): boolean {
    return this.#change(ref, WAITING, CLAIMED) === WAITING;
  }

  /** Gives a claimed command back: it waits on. */
  unclaim(ref: number): void {
    this.#change(ref, CLAIMED, WAITING);
  }

  /** Says that a claimed command was served. */
  end(ref: number): void {
    this.#change(ref, CLAIMED, ENDED);
  }

  /**
   * Ends a waiting command without serving it; says whether that was still to
   * be had. A claim in between is waited for: it holds all latches that it needs,
   * so it takes no longer than a command.
   */
  cancel(ref: number): boolean {
    let seen = this.#change(ref, WAITING, ENDED);
    while (seen === CLAIMED) {
      Atomics.pause();
      seen = this.#change(ref, WAITING, ENDED);
    }
    return seen === WAITING;
  }

  /** Whether it waits. */
  isWaiting(ref: number): boolean {
    return Atomics.load(
      this.#arena.i32[ref >>> SEGMENT_SHIFT]!,
      wordOf(ref) + CLAIM,
    ) === WAITING;
  }

  /** The worker of its connection. */
  worker(ref: number): number {
    return this.#word(ref, WORKER);
  }

  /** Its session. */
  session(ref: number): number {
    return this.#word(ref, SESSION);
  }

  /** The selected database. */
  db(ref: number): number {
    return this.#word(ref, DATABASE);
  }

  /** Protocol version of the reply. */
  resp(ref: number): 2 | 3 {
    return (this.#word(ref, KIND) & 0xff) === 3 ? 3 : 2;
  }

  /** Where its client's cache is told of changes; -1 if it keeps nothing. */
  cacheWorker(ref: number): number {
    return this.#word(ref, CACHE) - 1;
  }

  /** What it waits for. */
  kind(ref: number): number {
    return this.#word(ref, KIND) >>> KIND_SHIFT;
  }

  /** Its first registration, see waiters.ts; 0 if there is none. */
  registrations(ref: number): number {
    return this.#word(ref, REGISTRATIONS);
  }

  /** Names its first registration. */
  setRegistrations(ref: number, registration: number): void {
    this.#arena.i32[ref >>> SEGMENT_SHIFT]![wordOf(ref) + REGISTRATIONS] =
      registration;
  }

  #word(ref: number, index: number): number {
    return this.#arena.i32[ref >>> SEGMENT_SHIFT]![wordOf(ref) + index]!;
  }

  #change(ref: number, from: number, to: number): number {
    return Atomics.compareExchange(
      this.#arena.i32[ref >>> SEGMENT_SHIFT]!,
      wordOf(ref) + CLAIM,
      from,
      to,
    );
  }
}

/** Where the bytes of the first argument begin, of so many. */
function headBytes(count: number): number {
  return (LENGTHS + ARGUMENT_WORDS * count) * 4;
}

/**
 * Commands of very many keys, in slices: no latch is held for longer than a few
 * hundred microseconds, and yet they happen at one instant.
 *
 * ```text
 * lock      the keys, one after the other, in one order for all such commands.
 *           Who meets a key that somebody else has locked gives all of his back,
 *           waits for that one with nothing in his hands, and begins anew: so
 *           nobody waits in a circle. He keeps his place in the queue of each key
 *           that he had to wait for, so he gets it in the end.
 * go        through the keys. All of them are locked, so nobody changes what is
 *           read, or sees what is changed. Who looks at all keys of a database
 *           waits for those that change some, or they for him
 *           (PROCESS_MANY_CHANGES).
 * unlock
 * ```
 *
 * A command that wants only the first key that has something finds it like this and
 * lets go of all; it is run with that key alone, whose latch is not given back in
 * between. If it may wait, it is written into the queues of all keys before they
 * are unlocked, so nothing that comes is missed.
 *
 * A change is recorded as one, when it has been made, before the first key is
 * unlocked. Until it begins the keys are as they were: who lists old values
 * (old_values.ts) may read them, hence the locks of one who changes at the end.
 *
 * - The connection is parked meanwhile, so replies keep their order.
 * - What waits for locks is dropped with its connection; what is begun is ended.
 * - If there is no memory for the locks, the command is run in place.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import type { ComparedArguments } from "../../core/commands/compared_arguments.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import type { KeyPositions } from "../../core/commands/command_keys.ts";
import { KEY } from "../../core/commands/command_spec.ts";
import type { Command } from "../../core/commands/command_table.ts";
import { GivenRecord } from "../../core/commands/given_record.ts";
import {
  distinctPass,
  type KeysPass,
  type KeysSteps,
  type KeyVisit,
  type ManyKeysWork,
} from "../../core/commands/many_keys.ts";
import { SLICED_COMMANDS } from "../../core/keyspace/counters.ts";
import { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { lendOrphan, takeBackOrphan } from "../../core/keyspace/locking.ts";
import { isSaving } from "../../core/keyspace/snapshot_marks.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import { KNOWN_KEYS } from "../../core/memory/known_keys.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import {
  type ErrorReply,
  LOCKED,
  OUT_OF_MEMORY,
} from "../../core/resp/error_reply.ts";
import type { EndedCommand } from "../executor/command_timer.ts";
import { GATE_TRACKING, type Session } from "../executor/session.ts";
import type { CommandLocks } from "../locks/command_locks.ts";
import type { LockHandle, LockSpec } from "../locks/lock_spec.ts";
import { ManyKeyOrder } from "../locks/many_key_order.ts";
import {
  KeySearches,
  type KeysEnd,
  type SearchingKeys,
  type SearchPorts,
} from "./key_searches.ts";
import { LockedJob, type LockedJobPorts } from "./locked_jobs.ts";
import {
  type LockedKeys,
  type Locking,
  type ManyKeyLockPorts,
  ManyKeyLocks,
  SLICE_MS,
} from "./many_key_locks.ts";
import {
  PROCESS_CUT_WAITS,
  PROCESS_MANY_CHANGES,
  PROCESS_SLICED_CHANGES,
} from "../messages/shared_state.ts";

/** Longest turn. */
const TURN_MS = 1;
/** Arguments that are written down in a step. */
const RECORDED_PER_STEP = 256;
/** Time until one that must not change anything now looks again. */
const STILL_MS = 2;

/** What is done to keys that are locked for writing. */
const WRITES = KEY.RW | KEY.OW | KEY.RM;

/** What these commands need from the worker around them. */
export interface ManyKeysPorts<C extends Call>
  extends LockedJobPorts<C>, SearchPorts<C>, ManyKeyLockPorts<C> {
  /** Words of the process. */
  readonly process: Int32Array;
  readonly locks: CommandLocks;
  /** Makes a handle that the locks belong to. */
  lock(spec: LockSpec): LockHandle | null;
  /** Notes that a client keeps what it has read of a key, whose latch is held. */
  remember(space: Keyspace, key: Key, client: number, worker: number): void;
  /** As {@linkcode ComputePoolPorts.runInPlace}. */
  runInPlace(
    session: Session,
    db: number,
    resp: 2 | 3,
    args: Arguments,
    done: (reply: LateReply) => void,
  ): void;
  later(run: () => void, delayMs: number): void;
  /** Calls back when others have had their turn. */
  rest(run: () => void): void;
  /** Frees the big arguments that the command did not keep. */
  freeBig(args: Arguments): void;
  /** Serves who waits for changed keys, and tells events; no latch is held. */
  settle(): void;
  /** Counts a command that has ended, with its error. */
  count(ended: EndedCommand<C>, error: ErrorReply | null): void;
}

/** A command under way. */
interface Running<C extends Call> extends SearchingKeys<C>, LockedKeys {
  readonly work: ManyKeysWork;
  /** What is run in the background, when that has begun. */
  job: LockedJob<C> | null;
  /** What long names were compared with; null for nothing. */
  readonly compared: ComparedArguments | null;
  readonly remembers: boolean;
  readonly noTouch: boolean;
  isAsleep: boolean;
  isPlanned: boolean;
  /** How long its slices took. */
  tookMs: number;
  steps: Generator<void, KeysEnd> | null;
  readonly resolve: (late: LateReply | Promise<LateReply>) => void;
}

const NO_REPLY: LateReply = () => {};

/** Whether keys may be written, by their numbers in the order. */
function writesOf(
  { flags }: KeyPositions,
  order: ManyKeyOrder,
): Uint8Array {
  const writes = new Uint8Array(order.count);
  for (let i = 0; i < order.count; i++) {
    if ((flags[i]! & WRITES) !== 0) writes[order.sameAs(i)] = 1;
  }
  return writes;
}

/** One per worker. */
export class ManyKeys<C extends Call> {
  readonly #ports: ManyKeysPorts<C>;
  readonly #locks: ManyKeyLocks<C, Running<C>>;
  readonly #searches: KeySearches<C, Running<C>>;
  readonly #running = new Set<Running<C>>();
  readonly #key = new Key();

  constructor(ports: ManyKeysPorts<C>) {
    this.#ports = ports;
    this.#locks = new ManyKeyLocks(ports, {
      inside: (running, run) => this.#inside(running, run),
      wake: (running) => this.#wake(running),
    });
    this.#searches = new KeySearches(ports, {
      lockAll: (running) => this.#lockAll(running),
      passes: (running, nowMs) => this.#passes(running, nowMs),
      pass: (running, pass, nowMs) => this.#pass(running, pass, nowMs),
      runJob: (running, nowMs) => this.#runJob(running, nowMs),
      sleepMs: (running, delayMs) => this.#sleepMs(running, delayMs),
      unlock: (running) => this.#unlock(running),
    });
  }

  /**
   * Begins what the call's command does with its keys, which have been filled in.
   * No latch is held. Takes the arguments. Null if there is no memory for it, and
   * it has to be done at once.
   */
  begin(
    command: Command<C>,
    work: ManyKeysWork,
    given: KeyPositions,
  ): Promise<LateReply> | null {
    const { call, lock } = this.#ports;
    const session = call.session as Session;
    const positions = given.positions.slice(0, call.keyCount);
    const order = new ManyKeyOrder(call, positions);
    const handle = lock({
      ...{ label: command.fullName, session: session.id, maxHoldMs: 0 },
      onDisconnect: "finish",
      beforeAbort: () => this.#complete(running),
    });
    if (handle === null) return null;
    const { promise, resolve } = Promise.withResolvers<LateReply>();
    const writes = work.locking === "as the keys say"
      ? writesOf(given, order)
      : null;
    const isWrite = writes?.includes(1) ?? work.locking === "write";
    const isTracking = (session.gate & GATE_TRACKING) !== 0 &&
      work.locking !== "none" && !isWrite;
    const running: Running<C> = {
      ...{ command, session, work, order, resolve },
      ...{ db: call.db, resp: session.resp, args: call.args.take() },
      places: new Int32Array(work.locking === "none" ? 0 : order.count),
      ...{ isWrite, writes, job: null, late: null },
      keysAt: { first: positions[0]!, count: order.count },
      compared: call.takeCompared(),
      remembers: isTracking && session.tracking!.remembers,
      noTouch: call.keyspaces[0]!.noTouch,
      ...{ owner: handle.id, locked: 0, wait: null, tookMs: 0, steps: null },
      ...{ isWoken: false, hasExpired: false },
      ...{ isAsleep: false, isPlanned: false },
    };
    running.steps = this.#go(running, handle);
    this.#running.add(running);
    const { counters } = call;
    counters[SLICED_COMMANDS] = counters[SLICED_COMMANDS]! + 1;
    this.#plan(running);
    return promise;
  }

  /**
   * Does all that is left of this worker's commands, but for those that wait and
   * have done nothing yet; no latch is held.
   */
  completeAll(): void {
    for (const running of [...this.#running]) this.#complete(running);
  }

  #complete(running: Running<C>): void {
    while (this.#running.has(running) && !running.isAsleep) {
      this.#advance(running);
    }
  }

  #plan(running: Running<C>): void {
    if (running.isPlanned) return;
    running.isPlanned = true;
    this.#ports.rest(() => {
      running.isPlanned = false;
      if (!this.#running.has(running) || running.isAsleep) return;
      this.#advance(running);
      if (this.#running.has(running) && !running.isAsleep) this.#plan(running);
    });
  }

  #wake(running: Running<C>): void {
    running.isWoken = true;
    if (!running.isAsleep) return;
    running.isAsleep = false;
    this.#plan(running);
  }

  #sleepMs(running: Running<C>, delayMs: number): void {
    running.isAsleep = true;
    this.#ports.later(() => this.#wake(running), delayMs);
  }

  /** Does what fits into a turn. */
  #advance(running: Running<C>): void {
    const { monotonicMs } = this.#ports;
    const startMs = monotonicMs();
    const endMs = startMs + TURN_MS;
    let result: IteratorResult<void, KeysEnd>;
    do {
      result = running.steps!.next();
    } while (!result.done && !running.isAsleep && monotonicMs() < endMs);
    running.tookMs += monotonicMs() - startMs;
    if (result.done) this.#end(running, result.value);
  }

  #end(running: Running<C>, end: KeysEnd): void {
    const { freeBig, effects, settle, count, runInPlace } = this.#ports;
    const { command, session, args, db, resp, work, resolve } = running;
    this.#running.delete(running);
    running.compared?.drop();
    if (end === "in place") {
      settle();
      return runInPlace(session, db, resp, args, (late) => {
        freeBig(args);
        resolve(late);
      });
    }
    freeBig(args);
    effects.publish();
    settle();
    if (end === "gone") return resolve(NO_REPLY);
    const { late } = running;
    if (end === "under way") return resolve(late!);
    const microseconds = running.tookMs * 1000;
    const error = end === "done" ? null : end;
    const { job } = running;
    count(
      { command, session, args, microseconds },
      error ?? job?.error ?? null,
    );
    resolve(
      error !== null
        ? (reply) => reply.error(error)
        : late ?? job?.reply() ?? work.reply(),
    );
  }

  /** All of it, step by step; no latch is held where it yields. */
  *#go(running: Running<C>, handle: LockHandle): Generator<void, KeysEnd> {
    const { isWrite, work } = running;
    if (work.search !== undefined) {
      const end = yield* this.#searches.run(running, work.search);
      handle.close();
      return end;
    }
    let end: KeysEnd = "done";
    if (work.locking !== "none") end = yield* this.#lockAll(running);
    // Who may wait is not run in place.
    if (end === "in place" && work.steps !== undefined) end = OUT_OF_MEMORY;
    if (end === "done") {
      const nowMs = this.#ports.nowMs();
      end = work.isJob === true
        ? yield* this.#runJob(running, nowMs)
        : work.steps !== undefined
        ? yield* this.#stepThrough(running, work.steps, nowMs)
        : isWrite
        ? yield* this.#change(running, nowMs)
        : yield* this.#passes(running, nowMs);
      yield* this.#unlock(running);
    }
    handle.close();
    return end;
  }

  /** Locks all keys; a change has begun then. */
  *#lockAll(running: Running<C>): Generator<void, KeysEnd> {
    const { isGone, mustBeStill } = this.#ports;
    const { isWrite } = running;
    for (;;) {
      let outcome: Locking = "busy";
      let end: KeysEnd | null = null;
      if (isGone(running.session)) end = "gone";
      else if (running.hasExpired) end = LOCKED;
      else if (isWrite && mustBeStill()) {
        this.#sleepMs(running, STILL_MS);
        yield;
        continue;
      } else {
        outcome = yield* this.#locks.lock(running);
        if (outcome === "no room") end = "in place";
      }
      if (outcome === "all") {
        const isChange = isWrite && running.work.isJob !== true &&
          running.work.search === undefined;
        if (
          isChange
            ? this.#beginChange()
            : !(yield* this.#locks.isFlushed(running))
        ) {
          this.#locks.endWait(running);
          return "done";
        }
      }
      yield* this.#unlock(running);
      if (end !== null) {
        this.#locks.endWait(running);
        return end;
      }
      if (outcome === "all") this.#sleepMs(running, STILL_MS);
      else if (!running.isWoken) running.isAsleep = true;
      yield;
    }
  }

  *#unlock(running: Running<C>): Generator<void> {
    const { work, late } = running;
    // The one key that a search has changed is unlocked by then.
    const isSame = work.search !== undefined || late !== null;
    yield* this.#locks.unlock(running, isSame);
  }

  /** From here on others may see a part of the change; false if it must wait. */
  #beginChange(): boolean {
    const { latches, process, mustBeStill } = this.#ports;
    if (mustBeStill()) return false;
    latches.acquire(0);
    const mayBegin = Atomics.load(process, PROCESS_CUT_WAITS) === 0;
    if (mayBegin) {
      Atomics.add(process, PROCESS_MANY_CHANGES, 1);
      Atomics.add(process, PROCESS_SLICED_CHANGES, 1);
    }
    latches.release(0);
    return mayBegin;
  }

  /** Has the background do it, with the keys as they are. */
  *#runJob(running: Running<C>, nowMs: number): Generator<void, KeysEnd> {
    const { mustBeStill } = this.#ports;
    const { command, order, writes } = running;
    const job = new LockedJob(this.#ports, {
      ...running,
      ...{
        command: command.index,
        order,
        writes: writes ?? new Uint8Array(order.count),
      },
    });
    yield* this.#pass(running, distinctPass(job.note), nowMs);
    if (!job.send(() => this.#wake(running))) return "in place";
    while (!job.hasEnded) {
      running.isAsleep = true;
      yield;
    }
    while (job.isChange && mustBeStill()) {
      this.#sleepMs(running, STILL_MS);
      yield;
    }
    running.tookMs += job.tookMs;
    const steps = job.apply();
    for (;;) {
      const step = this.#inside(running, () => steps.next(), true);
      if (step.done === true) {
        if (step.value === "done") running.job = job;
        return step.value;
      }
      yield;
    }
  }

  /** Changes the keys, and records it. */
  *#change(running: Running<C>, nowMs: number): Generator<void, KeysEnd> {
    const { effects } = this.#ports;
    const { args, db, work } = running;
    const record = effects.isOn ? new GivenRecord(db, args, [], 0) : null;
    for (let at = 0; record !== null && at < args.count;) {
      at = Math.min(args.count, at + RECORDED_PER_STEP);
      record.addUpTo(args, at);
      yield;
    }
    const end = yield* this.#passes(running, nowMs);
    const isChange = end === "done" && work.changes > 0;
    this.#endChange(running, isChange, () => record?.end(effects));
    return end;
  }

  /** Records a change, and lets others see all of it. */
  #endChange(
    { db, args }: Running<C>,
    isChange: boolean,
    record: () => void,
  ): void {
    const { latches, process, effects } = this.#ports;
    latches.acquire(0);
    if (effects.isOn) {
      effects.begin();
      if (isChange) record();
      effects.endCommand(db, args, isChange);
    }
    Atomics.sub(process, PROCESS_MANY_CHANGES, 1);
    Atomics.sub(process, PROCESS_SLICED_CHANGES, 1);
    latches.release(0);
  }

  /** Goes through the keys step by step. */
  *#stepThrough(
    running: Running<C>,
    steps: KeysSteps,
    nowMs: number,
  ): Generator<void, KeysEnd> {
    const { effects } = this.#ports;
    yield* this.#passes(running, nowMs);
    for (let i = 0; i < running.order.count && !steps.isOver;) {
      const some = () => this.#searches.someSteps(running, steps, i, nowMs);
      i = this.#inside(running, some, true);
      yield;
    }
    this.#endChange(running, true, () => steps.record(effects));
    const { wait, error } = steps;
    if (error !== null) return error;
    return wait === null
      ? "done"
      : yield* this.#searches.beginWait(running, wait, nowMs);
  }

  *#passes(running: Running<C>, nowMs: number): Generator<void, KeysEnd> {
    const { passes, undo } = running.work;
    try {
      for (const pass of passes) {
        yield* this.#pass(running, pass, nowMs, true);
      }
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      if (undo !== undefined) yield* this.#pass(running, undo, nowMs);
      return OUT_OF_MEMORY;
    }
    return "done";
  }

  *#pass(
    running: Running<C>,
    pass: KeysPass,
    nowMs: number,
    mayEnd = false,
  ): Generator<void> {
    const { call, isGone } = this.#ports;
    const { order, work, args, db, isWrite, session } = running;
    const count = pass.order === "given" ? order.count : order.distinct;
    const space = call.keyspaces[0]!;
    const visit = { space, db, key: this.#key, i: 0, last: 0, args, nowMs };
    for (let at = 0; at < count;) {
      // Who is gone has let go of what it has watched.
      if (work.locking === "none" && isGone(session)) return;
      if (mayEnd && work.isOver === true) return;
      at = this.#inside(
        running,
        () => this.#some(running, pass, visit, at, count),
        isWrite,
      );
      yield;
    }
  }

  /** Goes through some keys of a pass, from `from` on; says where it has ended. */
  #some(
    running: Running<C>,
    { order: way, isLatched, visit }: KeysPass,
    given: { -readonly [K in keyof KeyVisit]: KeyVisit[K] },
    from: number,
    count: number,
  ): number {
    const { latches, call, monotonicMs } = this.#ports;
    const { order, args } = running;
    const isGiven = way === "given";
    const { key } = given;
    const { externals } = call.keyspaces[0]!;
    // To save what one had takes longer than all else.
    const perLook = running.isWrite && call.keyspaces.some(isSaving)
      ? 1
      : order.keysPerLook;
    externals.readyForHold();
    const endMs = monotonicMs() + SLICE_MS;
    let at = from;
    let held = -1;
    try {
      for (; at < count; at++) {
        const isLook = at % perLook === 0 && at > from;
        if (isLook && (externals.isShort || monotonicMs() > endMs)) break;
        const i = isGiven ? at : order.numberAt(at);
        const shard = order.shardOf(i);
        if (shard !== held) {
          if (isLatched && held >= 0) latches.release(held);
          held = -1;
          if (isLatched) latches.acquire(shard);
          held = shard;
          given.space = call.keyspaces[shard]!;
        }
        given.i = i;
        given.last = isGiven ? order.sameAs(i) : i;
        order.read(i, args, key);
        const times = way === "each" ? order.timesOf(i) : 1;
        const back = this.#lend(running, given);
        for (let time = 0; time < times; time++) visit(given);
        takeBackOrphan(given.space, given.db, back);
        if (running.remembers) this.#remember(running, given);
      }
    } finally {
      if (isLatched && held >= 0) latches.release(held);
    }
    return at;
  }

  /**
   * Lends a key that is read what only its readers still have, if its database was
   * emptied since all keys were locked; returns it, or 0.
   */
  #lend({ places, isWrite, writes }: Running<C>, visit: KeyVisit): number {
    const { space, db, key, last } = visit;
    const isRead = writes === null ? !isWrite : writes[last] === 0;
    const place = isRead ? places[last] ?? 0 : 0;
    if (place === 0) return 0;
    const { locks } = space;
    return locks.orphans === 0 || locks.orphan(locks.nodeOf(place)) === 0
      ? 0
      : lendOrphan(space, db, key, place);
  }

  #remember({ session }: Running<C>, { space, key }: KeyVisit): void {
    const { remember } = this.#ports;
    remember(space, key, session.id, session.tracking!.worker);
  }

  /** Does something with keys in the name of the command's session. */
  #inside<T>(running: Running<C>, run: () => T, isChange = false): T {
    const { call, locks, mustBeStill } = this.#ports;
    const { session } = call;
    const { compared } = running;
    const { isExempt } = locks;
    const [{ noTouch, keepsExpired }] = call.keyspaces as [Keyspace];
    const isStill = !isChange && mustBeStill();
    call.session = running.session;
    for (const space of call.keyspaces) {
      space.noTouch = running.noTouch;
      space.keepsExpired = isStill;
    }
    locks.isExempt = running.isWrite;
    compared?.resume();
    try {
      return run();
    } finally {
      if (compared !== null) KNOWN_KEYS.clear();
      call.session = session;
      for (const space of call.keyspaces) {
        space.noTouch = noTouch;
        space.keepsExpired = keepsExpired;
      }
      locks.isExempt = isExempt;
    }
  }
}

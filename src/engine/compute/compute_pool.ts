/**
 * The background: commands that would take long are run by compute threads, on
 * other cores, while everybody else goes on. One pool object per worker; the
 * threads are shared by all workers.
 *
 * Life of a job: under the latches of its keys the worker notes their values and
 * keeps them as they are ({@linkcode CapturedKeys}); a thread reads them in
 * place and runs the command on them; its reply comes back as bytes. A command
 * that only reads is thus a picture of the instant at which it began. What a
 * command writes comes back as entries that nobody has seen, and takes its place
 * under the latches of all its keys, in one turn, if these are still what the
 * command has read: then it is as if the command had run at this instant. If
 * they are not, it is run at once, in place.
 *
 * - Meanwhile the keys are locked: those that are read for reading, those that
 *   are written for writing.
 * - The connection is parked meanwhile, so replies keep their order.
 * - Bounded: of more jobs than `background-queue`, the rest is run in place.
 * - No job is lost with its connection: what it writes is written.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import type { Call, ValueHold } from "../../core/commands/call.ts";
import {
  type KeyPositions,
  RequestView,
} from "../../core/commands/command_keys.ts";
import type { ComparedArguments } from "../../core/commands/compared_arguments.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import type { Command } from "../../core/commands/command_table.ts";
import {
  BACKGROUND_COMMANDS,
  BACKGROUND_RETRIES,
} from "../../core/keyspace/counters.ts";
import type { EffectLog } from "../../core/keyspace/effect_log.ts";
import { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { keepOldOf } from "../../core/keyspace/snapshot_marks.ts";
import { isCopied, unshareWith } from "../../core/keyspace/shared_value.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import { KNOWN_KEYS } from "../../core/memory/known_keys.ts";
import { TYPE_STRING } from "../../core/types/entry.ts";
import { Arguments } from "../../core/resp/arguments.ts";
import { OUT_OF_MEMORY } from "../../core/resp/error_reply.ts";
import type { Latches } from "../latch/shard_latches.ts";
import type { LockHandle, LockSpec } from "../locks/lock_spec.ts";
import type { SettingsSnapshot } from "../../core/settings/settings.ts";
import type { EndedCommand } from "../executor/command_timer.ts";
import type { Session } from "../executor/session.ts";
import { CapturedKeys } from "./captured_keys.ts";
import type { BigAdder } from "../executor/transaction.ts";
import { addArguments } from "./compute_runner.ts";
import {
  applyWritten,
  changesAnything,
  countResult,
  dropWritten,
  lateReplyOf,
  takeMemory,
} from "./job_results.ts";
import {
  type ComputeJob,
  type ComputePort,
  type ComputeResult,
  COPY_VALUE,
  copyArguments,
} from "./compute_job.ts";

/** Time until it is tried again to put what was written in its place. */
const STILL_MS = 5;
/** More keys than this are not captured. */
const KEYS_MAX = 1024;

/** What the pool needs from the worker around it. */
export interface ComputePoolPorts<C extends Call> {
  readonly latches: Latches;
  readonly counters: Float64Array;
  /** Where changes are recorded. */
  readonly effects: EffectLog;
  /** Jobs of all workers, by thread; word 0 counts all of them. */
  readonly load: Int32Array;
  /** Asks for the threads; {@linkcode ComputePool.attach} gets their ports. */
  startThreads(): void;
  /** The settings, if they are newer than `version`; and their version. */
  settings(version: number): {
    version: number;
    snapshot: SettingsSnapshot | null;
  };
  /** Jobs that may be under way. */
  queueMax(): number;
  nowMs(): number;
  /** Whether the data must not change now (CLIENT PAUSE, a data set is loaded). */
  mustBeStill(): boolean;
  later(run: () => void, delayMs: number): void;
  /** Fills a key with its name and what follows from it. */
  fillKey(key: Key, name: Uint8Array): void;
  /**
   * Locks keys whose shards' latches are held; null if they are locked already,
   * or memory is short.
   */
  lock(spec: LockSpec): LockHandle | null;
  /**
   * Holds the value of an entry for a job that has no locks, because others wait
   * to change it; see {@linkcode ValueHolds.hold}.
   */
  hold(space: Keyspace, db: number, ref: number): ValueHold | null;
  /**
   * Runs a command in the name of a session in place, as soon as no lock stands
   * against it.
   */
  runInPlace(
    session: Session,
    db: number,
    resp: 2 | 3,
    args: Arguments,
    done: (reply: LateReply) => void,
  ): void;
  /** Adds an argument that lies in a run of the arena. */
  readonly addBig: BigAdder;
  /** Frees the big arguments that the command did not keep. */
  freeBig(args: Arguments): void;
  /** Serves who waits for changed keys, and tells events; no latch is held. */
  settle(): void;
  /** Counts a command that has ended; `error` is the text of its error, or "". */
  count(ended: EndedCommand<C>, error: string): void;
}

const NO_REPLY: LateReply = () => {};

/** For whom a command is run. */
interface Caller<C> {
  readonly command: Command<C>;
  readonly session: Session;
}

interface JobAndKeys {
  readonly job: ComputeJob;
  readonly keys: CapturedKeys;
}

interface OpenJob<C> extends JobAndKeys {
  readonly handle: LockHandle | null;
  /** Keep others from changing values if there is no handle. */
  readonly holds: readonly ValueHold[];
  /** What long names were compared with; null for nothing. */
  readonly compared: ComparedArguments | null;
  /** Null if the job is none of a command. */
  readonly caller: Caller<C> | null;
  readonly resolve: (reply: LateReply) => void;
  /** Takes the result of one who has its keys locked; null for others. */
  readonly take: ((result: ComputeResult) => void) | null;
  thread: number;
}

/** One worker's end of the background. */
export class ComputePool<C extends Call> {
  readonly #ports: ComputePoolPorts<C>;
  readonly #open = new Map<number, OpenJob<C>>();
  /** Jobs that wait for the threads to be there. */
  readonly #early: OpenJob<C>[] = [];
  #threads: readonly ComputePort<ComputeJob, ComputeResult>[] | null = null;
  /** Version of the settings that each thread has. */
  readonly #versions: number[] = [];
  #isStarting = false;
  #lastId = 0;

  constructor(ports: ComputePoolPorts<C>) {
    this.#ports = ports;
  }

  /** Jobs of this worker that are under way. */
  get count(): number {
    return this.#open.size;
  }

  /** The threads are there. */
  attach(threads: readonly ComputePort<ComputeJob, ComputeResult>[]): void {
    this.#threads = threads;
    for (const [i, port] of threads.entries()) {
      this.#versions[i] = -1;
      port.onmessage = (event) => this.#finish(event.data);
    }
    for (const open of this.#early.splice(0)) this.#send(open);
  }

  /**
   * Begins to run the call's command in the background; the latches of its keys
   * are held. Null if it has to be run in place after all.
   */
  begin(
    command: Command<C>,
    call: C,
    positions: KeyPositions,
    resp: 2 | 3,
  ): Promise<LateReply> | null {
    const { load, effects } = this.#ports;
    const { settings, args } = call;
    if (
      settings.backgroundThreads === 0 || call.keyCount > KEYS_MAX ||
      Atomics.load(load, 0) >= settings.backgroundQueue
    ) return null;
    const { bytes, ends, bigs } = copyArguments(args);
    const starts = ends.map((end, i) => end - args.length[i]!);
    const keys = new CapturedKeys();
    try {
      keys.capture(call, positions, bytes, starts, writeDbOf(command, call));
    } catch (cause) {
      keys.release();
      if (cause instanceof OutOfMemory) return null;
      throw cause;
    }
    if (keys.writesSeveralShards && !isMove(command)) {
      keys.release();
      return null;
    }
    // Others wait who would change what is read. Who is there already, which is
    // why there is no lock, changes a copy; but who writes without one would change
    // what others have locked.
    const session = call.session as Session;
    const handle = this.#ports.lock({
      ...keys.names(),
      session: session.id,
      label: command.fullName,
      maxHoldMs: 0,
      changes: "at the end",
    });
    if (handle === null && keys.jobs.some(({ isWritten }) => isWritten)) {
      keys.release();
      return null;
    }
    const { counters, hold } = this.#ports;
    const holds = handle === null ? keys.held(hold) : [];
    counters[BACKGROUND_COMMANDS] = counters[BACKGROUND_COMMANDS]! + 1;
    const job: ComputeJob = {
      id: ++this.#lastId,
      command: command.index,
      bytes,
      ends,
      bigs,
      db: call.db,
      resp,
      nowMs: call.nowMs,
      shard: keys.targetShard,
      keys: keys.jobs,
      isRecorded: effects.isOn,
      settings: null,
    };
    for (const { at } of bigs) args.takeBig(at);
    return new Promise((resolve) =>
      this.#start(job, {
        ...{ keys, handle, holds, resolve, take: null },
        compared: call.takeCompared(),
        caller: { command, session },
      })
    );
  }

  /**
   * Begins to run a job for one who has locked its keys, and applies the result
   * himself; false if that is not possible now.
   */
  runLocked(
    job: Omit<ComputeJob, "id" | "keys" | "settings">,
    take: (result: ComputeResult) => void,
  ): boolean {
    const { load, counters, queueMax } = this.#ports;
    if (Atomics.load(load, 0) >= queueMax()) return false;
    counters[BACKGROUND_COMMANDS] = counters[BACKGROUND_COMMANDS]! + 1;
    this.#start({ ...job, id: ++this.#lastId, keys: [], settings: null }, {
      ...{
        keys: new CapturedKeys(),
        handle: null,
        holds: [],
        compared: null,
        caller: null,
        take,
      },
      resolve: () => {},
    });
    return true;
  }

  /**
   * Copies the value of this root that others still read, so that the key has one
   * of its own; no latch is held. Calls back when that is done, or turned out to
   * be needless. False if somebody is doing that already.
   */
  copyValue(
    space: Keyspace,
    db: number,
    name: Uint8Array,
    root: number,
    done: () => void,
  ): boolean {
    const { latches, nowMs, fillKey } = this.#ports;
    const key = new Key();
    fillKey(key, name);
    const keys = new CapturedKeys();
    latches.acquire(space.shard);
    const ref = space.peek(db, key);
    const isThere = ref !== 0 && space.type(ref) !== TYPE_STRING &&
      space.valueRef(ref) === root;
    const isBusy = isThere && isCopied(space, ref);
    try {
      if (isThere && !isBusy) keys.captureValue(space, db, key, nowMs());
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
    }
    latches.release(space.shard);
    if (isBusy) return false;
    if (keys.count === 0 || keys.jobs[0]!.root === 0) {
      done();
      return true;
    }
    this.#start({
      id: ++this.#lastId,
      command: COPY_VALUE,
      bytes: name,
      ends: Int32Array.of(name.length),
      bigs: [],
      db,
      resp: 2,
      nowMs: nowMs(),
      shard: space.shard,
      keys: keys.jobs,
      isRecorded: false,
      settings: null,
    }, {
      keys,
      handle: null,
      holds: [],
      compared: null,
      caller: null,
      resolve: done,
      take: null,
    });
    return true;
  }

  #start(job: ComputeJob, parts: Omit<OpenJob<C>, "job" | "thread">): void {
    Atomics.add(this.#ports.load, 0, 1);
    const open: OpenJob<C> = { ...parts, job, thread: -1 };
    this.#open.set(job.id, open);
    if (this.#threads !== null) return this.#send(open);
    this.#early.push(open);
    if (!this.#isStarting) this.#ports.startThreads();
    this.#isStarting = true;
  }

  /** Sends a job to the thread that has least to do. */
  #send(open: OpenJob<C>): void {
    const { load } = this.#ports;
    const threads = this.#threads!;
    let best = 0;
    for (let i = 1; i < threads.length; i++) {
      if (Atomics.load(load, 1 + i) < Atomics.load(load, 1 + best)) best = i;
    }
    Atomics.add(load, 1 + best, 1);
    open.thread = best;
    const { version, snapshot } = this.#ports.settings(this.#versions[best]!);
    this.#versions[best] = version;
    threads[best]!.postMessage({ ...open.job, settings: snapshot }, []);
  }

  #finish(result: ComputeResult): void {
    const { load, latches, counters, effects } = this.#ports;
    const { mustBeStill, later } = this.#ports;
    const open = this.#open.get(result.id);
    assert(open !== undefined, "a result has a job");
    if (
      open.take === null && changesAnything(result) && mustBeStill()
    ) return later(() => this.#finish(result), STILL_MS);
    this.#open.delete(result.id);
    Atomics.sub(load, 0, 1);
    Atomics.sub(load, 1 + open.thread, 1);
    if (open.take !== null) return open.take(result);
    const { keys, compared } = open;
    compared?.resume();
    for (let i = 0; i < keys.count; i++) latches.mark(keys.space(i).shard);
    latches.acquireMarked();
    const nowMs = this.#ports.nowMs();
    takeMemory(keys, keys.spaceOf(open.job.shard), result);
    if (open.job.command === COPY_VALUE) {
      keys.endCopy();
      useCopy(open, result);
      keys.release();
      latches.releaseMarked();
      return open.resolve(NO_REPLY);
    }
    // Locks may have been lost meanwhile, and locked keys expire.
    const isGood = !changesAnything(result) ||
      open.handle?.isClosed === false && keys.areUnchanged(nowMs) &&
        (open.job.isRecorded || !effects.isOn);
    const args = this.#argumentsOf(open.job);
    const hasRoom = isGood && this.#applyRecorded(open, args, result, nowMs);
    if (!hasRoom) dropWritten(keys, result);
    keys.release();
    latches.releaseMarked();
    open.handle?.close();
    for (const hold of open.holds) hold.release();
    compared?.drop();
    KNOWN_KEYS.clear();
    if (!isGood) {
      counters[BACKGROUND_RETRIES] = counters[BACKGROUND_RETRIES]! + 1;
      this.#runInPlace(open, args);
    } else {
      const error = hasRoom ? result.error : OUT_OF_MEMORY.text;
      if (hasRoom) countResult(counters, result);
      const { microseconds } = result;
      this.#ports.count({ ...open.caller!, args, microseconds }, error);
      this.#ports.freeBig(args);
      open.resolve(
        hasRoom ? lateReplyOf(result) : (reply) => reply.error(OUT_OF_MEMORY),
      );
    }
    this.#ports.settle();
  }

  #runInPlace({ job, caller, resolve }: OpenJob<C>, args: Arguments): void {
    const { runInPlace, freeBig } = this.#ports;
    runInPlace(caller!.session, job.db, job.resp, args, (reply) => {
      freeBig(args);
      resolve(reply);
    });
  }

  #argumentsOf(job: ComputeJob): Arguments {
    const args = new Arguments();
    args.buf = job.bytes;
    addArguments(args, job, this.#ports.addBig);
    return args;
  }

  /** As {@linkcode applyWritten}, and what has changed is recorded. */
  #applyRecorded(
    open: OpenJob<C>,
    args: Arguments,
    result: ComputeResult,
    nowMs: number,
  ): boolean {
    const { effects } = this.#ports;
    if (!effects.isOn) return applyAll(open, result, nowMs);
    effects.begin();
    const hasRoom = applyAll(open, result, nowMs);
    const isChange = hasRoom && result.changes > 0;
    const { recorded } = result;
    if (isChange && recorded !== null) effects.replaceWithCollected(recorded);
    effects.endCommand(open.job.db, args, isChange);
    return hasRoom;
  }
}

/** As {@linkcode applyWritten}, of all keys that may be written. */
function applyAll(
  { keys, job }: JobAndKeys,
  result: ComputeResult,
  nowMs: number,
): boolean {
  for (let i = 0; i < keys.count; i++) {
    if (job.keys[i]!.isWritten) keepOldOf(keys.space(i), keys.key(i));
  }
  return applyWritten(keys, result, nowMs);
}

/** Gives a key the copy of its value, if it still has the value. */
function useCopy(
  { keys, job }: JobAndKeys,
  { written }: ComputeResult,
): void {
  const made = written[0];
  if (made === undefined) return;
  const space = keys.space(0);
  const ref = space.peek(job.db, keys.key(0));
  const { root, kind } = job.keys[0]!;
  if (ref !== 0 && space.valueRef(ref) === root && space.kind(ref) === kind) {
    unshareWith(space, ref, made.ref);
  } else space.freeEntry(made.ref);
}

/** The database in which a command writes its keys. */
function writeDbOf<C extends Call>(command: Command<C>, call: C): number {
  const { findOtherDatabase } = command.spec;
  if (findOtherDatabase === undefined) return call.db;
  const db = findOtherDatabase(new RequestView(call.args));
  return db >= 0 && db < call.settings.databases ? db : call.db;
}

/** RENAME and its like only delete the key in the other shard. */
function isMove({ fullName }: Command<never>): boolean {
  return fullName === "rename" || fullName === "renamenx";
}

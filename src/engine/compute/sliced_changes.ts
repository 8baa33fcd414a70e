/**
 * Changes of a key, or of a few, that take long, in slices: the keys are locked for
 * writing, so nobody sees them half changed, and between two slices their worker
 * serves others. What only reads its key locks it for reading.
 *
 * What reads very many keys locks but those that it names, and knows from those who
 * change the others what they had when it began.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import { DOUBLE_ZERO } from "../../core/base/steady_code.ts";
import type { ChangePlace, SlicedChange } from "../../core/commands/call.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import type { ComparedArguments } from "../../core/commands/compared_arguments.ts";
import { lastingKey } from "../../core/commands/lasting_keys.ts";
import { recordKey } from "../../core/commands/recorded_keys.ts";
import { makeSlice } from "../../core/commands/sliced_change.ts";
import type { EffectLog } from "../../core/keyspace/effect_log.ts";
import type { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import type { ShardLatches } from "../../core/commands/call.ts";
import { CHANGES, SLICED_COMMANDS } from "../../core/keyspace/counters.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import { KNOWN_KEYS } from "../../core/memory/known_keys.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import { type ErrorReply, OUT_OF_MEMORY } from "../../core/resp/error_reply.ts";
import {
  PROCESS_CUT_WAITS,
  PROCESS_SLICED_CHANGES,
} from "../messages/shared_state.ts";
import {
  KEPT_FOR_COMMAND,
  PROCESS_KEEPS_OLD,
} from "../persistence/snapshot_protocol.ts";
import type { CalledCommand, Session } from "../executor/session.ts";
import type { LockHandle, LockSpec } from "../locks/lock_spec.ts";

/** Longest turn. */
const TURN_MS = 1;
/** Time until one that waits for others looks again. */
const LOOK_MS = 1;

/** What slices need from the worker around them. */
export interface SlicedChangePorts {
  readonly latches: ShardLatches;
  /** Where changes are recorded. */
  readonly effects: EffectLog;
  /** Words of the process. */
  readonly process: Int32Array;
  /** The worker's statistics. */
  readonly counters: Float64Array;
  /** Whether all has to be done at once. */
  isAtOnce(): boolean;
  /** As {@linkcode ComputePoolPorts.lock}. */
  lock(spec: LockSpec): LockHandle | null;
  monotonicMs(): number;
  later(run: () => void, delayMs: number): void;
  /** What the arguments of the running command were compared with. */
  takeCompared(): ComparedArguments | null;
  /** Frees the big arguments that a change has not kept; no latch is held. */
  freeBig(args: Arguments): void;
  /** Serves who waits for changed keys, and tells events; no latch is held. */
  settle(): void;
  /** The session whose command is running. */
  session(): Session;
  /** Does something as if a session's command was running. */
  inNameOf<T>(session: Session, run: () => T): T;
  /**
   * Charges a session's command with the time that its slices took, and counts
   * the error that it replies.
   */
  charge(
    session: Session,
    command: CalledCommand,
    args: Arguments,
    microseconds: number,
    error: ErrorReply | null,
  ): void;
}

/** What has been answered instead when memory ran out. */
const NO_MEMORY: LateReply = (reply) => reply.error(OUT_OF_MEMORY);

/** A change under way. */
interface Running {
  readonly space: Keyspace;
  readonly db: number;
  readonly key: Key;
  readonly change: SlicedChange;
  /** As given, until they are kept. */
  args: Arguments;
  /** What they were compared with; null for nothing. */
  readonly compared: ComparedArguments | null;
  /** Null if it needs no locks, and did not get them. */
  readonly handle: LockHandle | null;
  readonly session: Session;
  readonly command: CalledCommand;
  /** How long its slices took. */
  tookMs: number;
  /** Its reply is known. */
  readonly resolve: (late: LateReply) => void;
}

/** One per worker. */
export class SlicedChanges {
  readonly #ports: SlicedChangePorts;
  readonly #running = new Set<Running>();
  /** The change whose arguments are yet to be kept. */
  #begun: Running | null = null;

  constructor(ports: SlicedChangePorts) {
    this.#ports = ports;
  }

  /**
   * Goes on with a change of a key; see {@linkcode InSlices}. {@linkcode
   * SlicedChanges.keepArguments} must follow when the latch is given back.
   */
  readonly begin = (
    space: Keyspace,
    db: number,
    changed: Key,
    change: SlicedChange,
    given: Arguments,
  ): Promise<LateReply> | null => {
    const { isAtOnce, lock, process, counters } = this.#ports;
    const { keepsOld } = change;
    if (
      isAtOnce() ||
      keepsOld !== true && Atomics.load(process, PROCESS_CUT_WAITS) !== 0
    ) return null;
    const key = lastingKey(changed, given);
    const locks = locksOf(change, key);
    const handle = lock({
      ...locks,
      ...{
        db,
        label: "slices",
        maxHoldMs: 0,
        changes: keepsOld === true ? "at the end" : "in place",
      },
      beforeAbort: () => this.#complete(running),
    });
    if (handle === null && (keepsOld !== true || locks.write.length > 0)) {
      return null;
    }
    const { promise, resolve } = Promise.withResolvers<LateReply>();
    const compared = this.#ports.takeCompared();
    compared?.names?.addCopy(changed, key);
    const session = this.#ports.session();
    const running: Running = {
      ...{ space, db, key, change, args: given, handle, session, resolve },
      command: session.command!,
      compared,
      tookMs: DOUBLE_ZERO,
    };
    // One who has waited may be served before the command at hand is parked.
    this.keepArguments();
    this.#running.add(running);
    this.#begun = running;
    counters[SLICED_COMMANDS] = counters[SLICED_COMMANDS]! + 1;
    // A snapshot must not have a value that is half changed.
    if (keepsOld !== true) Atomics.add(process, PROCESS_SLICED_CHANGES, 1);
    else Atomics.add(process, PROCESS_KEEPS_OLD, KEPT_FOR_COMMAND);
    this.#planTurn(running);
    return promise;
  };

  /**
   * Keeps the arguments of the command that has just begun to be done in slices,
   * which is not done under its latch if there may be many.
   */
  keepArguments(): void {
    const running = this.#begun;
    if (running === null) return;
    running.args = running.args.take();
    this.#begun = null;
  }

  /** Does all that is left of this worker's changes; no latch is held. */
  completeAll(): void {
    for (const running of this.#running) this.#complete(running);
  }

  #complete(running: Running): void {
    while (this.#running.has(running) && !this.#advance(running)) {
      if (running.change.isWaiting !== true) continue;
      // It may wait for one of this worker's, which wait for nobody.
      for (const other of this.#running) {
        if (other.change.keepsOld !== true) this.#complete(other);
      }
    }
  }

  #planTurn(running: Running): void {
    this.#ports.later(() => {
      if (!this.#running.has(running)) return;
      if (!this.#advance(running)) this.#planTurn(running);
    }, running.change.isWaiting === true ? LOOK_MS : 0);
  }

  /** Does what fits into a turn; says whether that was all. */
  #advance(running: Running): boolean {
    const { process, freeBig, settle, monotonicMs, charge } = this.#ports;
    const startMs = monotonicMs();
    const late = this.#turn(running);
    running.tookMs += monotonicMs() - startMs;
    if (late === null) return false;
    const { session, command, args, tookMs, change } = running;
    const error = late === NO_MEMORY ? OUT_OF_MEMORY : change.error ?? null;
    charge(session, command, args, tookMs * 1000, error);
    this.#running.delete(running);
    if (change.keepsOld !== true) {
      Atomics.sub(process, PROCESS_SLICED_CHANGES, 1);
    } else Atomics.sub(process, PROCESS_KEEPS_OLD, KEPT_FOR_COMMAND);
    running.handle?.close();
    running.compared?.drop();
    freeBig(running.args);
    settle();
    running.resolve(late);
    return true;
  }

  /** The reply when all is done, else null. */
  #turn(running: Running): LateReply | null {
    assert(running !== this.#begun, "the arguments of a change are kept");
    const { latches, monotonicMs } = this.#ports;
    const endMs = monotonicMs() + TURN_MS;
    const { change } = running;
    do {
      const place = change.place === undefined ? running : change.place;
      if (place === null) {
        if (this.#stepFreely(running)) continue;
        return this.#knowing(running, () => this.#finish(running));
      }
      const { space } = place;
      space.externals.readyForHold();
      latches.acquire(space.shard);
      try {
        const late = this.#knowing(running, () => this.#slice(running, place));
        if (late !== null) return late;
      } finally {
        latches.release(space.shard);
      }
    } while (change.isWaiting !== true && monotonicMs() < endMs);
    return null;
  }

  #stepFreely({ change, space, args, session }: Running): boolean {
    return this.#ports.inNameOf(session, () => change.step(space, 0, args));
  }

  /** Does a slice; the reply if it was the last one, else null. */
  #slice(running: Running, place: ChangePlace): LateReply | null {
    const { change, db, args, session } = running;
    const step = () => makeSlice(change, place, db, args);
    try {
      if (this.#ports.inNameOf(session, step)) return null;
      return this.#finish(running);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      this.#drop(running);
      return NO_MEMORY;
    }
  }

  /** Does something while it is known what the arguments were compared with. */
  #knowing<T>({ compared }: Running, run: () => T): T {
    compared?.resume();
    try {
      return run();
    } finally {
      if (compared !== null) KNOWN_KEYS.clear();
    }
  }

  #finish({ space, db, key, change, args, session }: Running): LateReply {
    const { effects, counters, inNameOf } = this.#ports;
    const isLogged = effects.isOn;
    const changes = counters[CHANGES]!;
    if (isLogged) effects.begin();
    try {
      return inNameOf(
        session,
        () => change.finish(space, db, key, args, effects),
      );
    } finally {
      if (isLogged) effects.endCommand(db, args, counters[CHANGES] !== changes);
    }
  }

  /** Memory was short: what has become of the key is recorded as it is. */
  #drop({ space, db, key, change, args, session }: Running): void {
    const { effects, counters, inNameOf } = this.#ports;
    const isLogged = effects.isOn;
    const changes = counters[CHANGES]!;
    if (isLogged) effects.begin();
    inNameOf(session, () => change.drop?.(space, db, key));
    if (!isLogged) return;
    if (counters[CHANGES] !== changes) recordKey(effects, space, db, key);
    effects.endCommand(db, args, false);
  }
}

/** The keys that a change of this one wants locked. */
function locksOf(
  change: SlicedChange,
  key: Key,
): Required<Pick<LockSpec, "read" | "write">> {
  if (change.locks !== undefined) return change.locks;
  const keys = [key, ...change.otherKeys ?? []];
  return change.isRead === true
    ? { read: keys, write: [] }
    : { read: [], write: keys };
}

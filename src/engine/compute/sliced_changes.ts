/**
 * Changes of one key that take long, in slices: the key is locked for writing, so
 * nobody sees it half changed, and between two slices its worker serves others.
 *
 * @module
 */

import type { SlicedChange } from "../../core/commands/call.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import type { EffectLog } from "../../core/keyspace/effect_log.ts";
import { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import type { ShardLatches } from "../../core/commands/call.ts";
import { Arguments } from "../../core/resp/arguments.ts";
import {
  PROCESS_CUT_WAITS,
  PROCESS_SLICED_CHANGES,
} from "../messages/shared_state.ts";
import type { CalledCommand, Session } from "../executor/session.ts";
import type { LockHandle, LockSpec } from "../locks/lock_spec.ts";

/** Longest turn. */
const TURN_MS = 1;

/** What slices need from the worker around them. */
export interface SlicedChangePorts {
  readonly latches: ShardLatches;
  /** Where changes are recorded. */
  readonly effects: EffectLog;
  /** Words of the process. */
  readonly process: Int32Array;
  /** Whether all has to be done at once. */
  isAtOnce(): boolean;
  /** As {@linkcode ComputePoolPorts.lock}. */
  lock(spec: LockSpec): LockHandle | null;
  /** Fills a key with its name and what follows from it. */
  fillKey(key: Key, name: Uint8Array): void;
  monotonicMs(): number;
  later(run: () => void, delayMs: number): void;
  /** Serves who waits for changed keys, and tells events; no latch is held. */
  settle(): void;
  /** The session whose command is running. */
  session(): Session;
  /** Charges a session's command with the time that its slices took. */
  charge(
    session: Session,
    command: CalledCommand,
    args: Arguments,
    microseconds: number,
  ): void;
}

/** One per worker. */
export class SlicedChanges {
  readonly #ports: SlicedChangePorts;

  constructor(ports: SlicedChangePorts) {
    this.#ports = ports;
  }

  /** Begins a change of an entry; see {@linkcode InSlices}. */
  readonly begin = (
    space: Keyspace,
    db: number,
    ref: number,
    change: SlicedChange,
    args: Arguments,
  ): Promise<LateReply> | null => {
    const { isAtOnce, lock, later, fillKey, process } = this.#ports;
    const { monotonicMs, charge } = this.#ports;
    if (isAtOnce() || Atomics.load(process, PROCESS_CUT_WAITS) !== 0) {
      return null;
    }
    const { buf, off, length } = space.nameOf(ref);
    const name = buf.slice(off, off + length);
    const handle = lock({ write: [name], db, label: "slices", maxHoldMs: 0 });
    if (handle === null) return null;
    const key = new Key();
    fillKey(key, name);
    const copy = copyOf(args);
    const session = this.#ports.session();
    const command = session.command!;
    let tookMs = 0;
    // A snapshot must not have a value that is half changed.
    Atomics.add(process, PROCESS_SLICED_CHANGES, 1);
    return new Promise((resolve) => {
      const turn = (): void => {
        const startMs = monotonicMs();
        const isLeft = this.#turn(space, db, key, change);
        tookMs += monotonicMs() - startMs;
        if (isLeft) return later(turn, 0);
        const late = this.#finish(space, db, key, change, copy);
        charge(session, command, copy, tookMs * 1000);
        handle.close();
        this.#ports.settle();
        resolve(late);
      };
      later(turn, 0);
    });
  };

  /** Says whether something is left. */
  #turn(
    space: Keyspace,
    db: number,
    key: Key,
    change: SlicedChange,
  ): boolean {
    const { latches, monotonicMs } = this.#ports;
    const endMs = monotonicMs() + TURN_MS;
    let isLeft = true;
    while (isLeft && monotonicMs() < endMs) {
      latches.acquire(space.shard);
      isLeft = change.step(space, space.peek(db, key));
      latches.release(space.shard);
    }
    return isLeft;
  }

  #finish(
    space: Keyspace,
    db: number,
    key: Key,
    change: SlicedChange,
    args: Arguments,
  ): LateReply {
    const { latches, effects, process } = this.#ports;
    latches.acquire(space.shard);
    const late = change.finish(space, db, key);
    if (effects.isOn) {
      effects.begin();
      effects.endCommand(db, args, change.isChange);
    }
    Atomics.sub(process, PROCESS_SLICED_CHANGES, 1);
    latches.release(space.shard);
    return late;
  }
}

/** Arguments with bytes of their own. */
function copyOf(args: Arguments): Arguments {
  const copy = new Arguments();
  let length = 0;
  for (let i = 0; i < args.count; i++) {
    copy.add(length, args.length[i]!);
    length += args.length[i]!;
  }
  const bytes = new Uint8Array(length);
  for (let i = 0; i < args.count; i++) bytes.set(args.copy(i), copy.off[i]!);
  copy.buf = bytes;
  return copy;
}

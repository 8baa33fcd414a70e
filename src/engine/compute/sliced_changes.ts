/**
 * Changes of one key that take long, in slices: the key is locked for writing, so
 * nobody sees it half changed, and between two slices its worker serves others.
 *
 * @module
 */

import type { SlicedChange } from "../../core/commands/call.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import type { ShardLatches } from "../../core/commands/call.ts";
import type { LockHandle, LockSpec } from "../locks/lock_spec.ts";

/** Longest turn. */
const TURN_MS = 1;

/** What slices need from the worker around them. */
export interface SlicedChangePorts {
  readonly latches: ShardLatches;
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
  ): Promise<LateReply> | null => {
    const { isAtOnce, lock, later, fillKey } = this.#ports;
    if (isAtOnce()) return null;
    const { buf, off, length } = space.nameOf(ref);
    const name = buf.slice(off, off + length);
    const handle = lock({ write: [name], db, label: "slices", maxHoldMs: 0 });
    if (handle === null) return null;
    const key = new Key();
    fillKey(key, name);
    return new Promise((resolve) => {
      const turn = (): void => {
        if (this.#turn(space, db, key, change)) return later(turn, 0);
        const late = this.#finish(space, db, key, change);
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
  ): LateReply {
    const { latches } = this.#ports;
    latches.acquire(space.shard);
    const late = change.finish(space, db, key);
    latches.release(space.shard);
    return late;
  }
}

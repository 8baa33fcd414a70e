/**
 * The locks of commands of very many keys (many_keys.ts): all keys are locked and
 * released in slices, in one order for all such commands.
 *
 * Where it yields, no latch is held.
 *
 * @module
 */

import type { Call, ShardLatches } from "../../core/commands/call.ts";
import {
  COMMANDS_PARKED,
  LOCK_TIMEOUTS,
  READ_LOCKS_GRANTED,
  WRITE_LOCKS_GRANTED,
} from "../../core/keyspace/counters.ts";
import { Key } from "../../core/keyspace/key.ts";
import { PLACE_AT_END, PLACE_WRITE } from "../../core/keyspace/key_locks.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { lockKey, unlockKey } from "../../core/keyspace/locking.ts";
import {
  FLAGS_RESERVE,
  SHARD_FLAGS,
} from "../../core/keyspace/shard_control.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import type { LockWait, LockWaits } from "../locks/lock_waits.ts";
import type { ManyKeyOrder } from "../locks/many_key_order.ts";

/** A latch is given back after so long, by all parts of such a command. */
export const SLICE_MS = 0.25;
/** Keys between which one looks at the clock while nothing else is done. */
const KEYS_PER_LOOK = 256;
/** Places in queues beyond which a wait begins anew. */
const PLACES_MAX = 64;

/** What the locks need from the worker around them. */
export interface ManyKeyLockPorts<C extends Call> {
  readonly call: C;
  readonly latches: ShardLatches;
  readonly waits: LockWaits;
  /** As {@linkcode LockAskingParts.reserve}. */
  reserve(space: Keyspace, db: number, key: Key, isAsked: boolean): boolean;
  nowMs(): number;
  monotonicMs(): number;
}

/** A command whose keys are locked. */
export interface LockedKeys {
  readonly order: ManyKeyOrder;
  readonly args: Arguments;
  readonly db: number;
  /** By number: where a key is locked, 0 if it is not. */
  readonly places: Int32Array;
  /** Whether it may write keys. */
  readonly isWrite: boolean;
  /** By number: whether the key may be written; null if that holds for all. */
  readonly writes: Uint8Array | null;
  /** Number of the owner of the locks. */
  readonly owner: number;
  /** Keys that are locked: the first so many of the order. */
  locked: number;
  wait: LockWait | null;
  /** Whether it has been told to look again since it began to wait. */
  isWoken: boolean;
  hasExpired: boolean;
}

/** How a command goes on. */
export interface LockedKeysWays<R> {
  /** Does something with keys in the name of the command's session. */
  inside<T>(running: R, run: () => T): T;
  /** It waits no more. */
  wake(running: R): void;
}

/** Keys were locked; or one is not free; or there was no memory. */
export type Locking = "all" | "busy" | "no room";

/** One per worker. */
export class ManyKeyLocks<C extends Call, R extends LockedKeys> {
  readonly #ports: ManyKeyLockPorts<C>;
  readonly #ways: LockedKeysWays<R>;
  readonly #key = new Key();

  constructor(ports: ManyKeyLockPorts<C>, ways: LockedKeysWays<R>) {
    this.#ports = ports;
    this.#ways = ways;
  }

  /** Locks key after key until one is not free. */
  *lock(running: R): Generator<void, Locking> {
    const { latches, call, waits } = this.#ports;
    const { order } = running;
    if ((running.wait?.held.places.length ?? 0) > PLACES_MAX) {
      waits.withdraw(running.wait!);
    }
    running.isWoken = false;
    while (running.locked < order.distinct) {
      const space = call.keyspaces[order.shardAt(running.locked)]!;
      let outcome: Locking;
      space.externals.readyForHold();
      latches.acquire(space.shard);
      try {
        outcome = this.#ways.inside(
          running,
          () => this.#lockSome(running, space),
        );
      } catch (cause) {
        if (!(cause instanceof OutOfMemory)) throw cause;
        outcome = "no room";
      } finally {
        latches.release(space.shard);
      }
      if (outcome !== "all") return outcome;
      yield;
    }
    return "all";
  }

  /** Locks keys of a shard until a slice is over, or one is not free. */
  #lockSome(running: R, space: Keyspace): Locking {
    const { monotonicMs, nowMs, waits, reserve, call } = this.#ports;
    const { order, args, db, writes, places, owner } = running;
    const { locks, control } = space;
    const key = this.#key;
    const now = nowMs();
    const endMs = monotonicMs() + SLICE_MS;
    const first = running.locked;
    const end = order.endOfShard(first);
    let at = first;
    let isFree = true;
    for (; at < end && isFree; at++) {
      if (at % order.keysPerLook === 0 && at > first && monotonicMs() > endMs) {
        break;
      }
      const i = order.numberAt(at);
      const isWrite = writes === null ? running.isWrite : writes[i] === 1;
      const kind = isWrite ? PLACE_WRITE : 0;
      order.read(i, args, key);
      if (isWrite && (control[SHARD_FLAGS]! & FLAGS_RESERVE) !== 0) {
        reserve(space, db, key, false);
      }
      const ticket = running.wait?.ticket ?? 0;
      const whole = locks.findWhole();
      const byWhole = whole !== 0 && locks.mustWait(whole, kind, ticket);
      const node = locks.find(db, key.buf, key.off, key.length, key.hash);
      isFree = !byWhole && (node === 0 || !locks.mustWait(node, kind, ticket));
      if (!isFree) {
        const wait = this.#waitOf(running);
        waits.queueAlso(wait, space, db, byWhole ? null : key, kind);
        break;
      }
      const { worker } = waits;
      const how = isWrite ? PLACE_AT_END : 0;
      places[i] = lockKey(
        space,
        db,
        key,
        isWrite,
        owner,
        worker,
        now,
        how,
        node,
      );
      running.locked = at + 1;
    }
    const counter = running.isWrite ? WRITE_LOCKS_GRANTED : READ_LOCKS_GRANTED;
    call.counters[counter] = call.counters[counter]! + running.locked - first;
    return isFree ? "all" : "busy";
  }

  #waitOf(running: R): LockWait {
    const { waits, call } = this.#ports;
    if (running.wait !== null) return running.wait;
    const { counters, settings } = call;
    counters[COMMANDS_PARKED] = counters[COMMANDS_PARKED]! + 1;
    running.wait = waits.begin(
      settings.lockWaitTimeout,
      () => this.#ways.wake(running),
      () => {
        running.hasExpired = true;
        counters[LOCK_TIMEOUTS] = counters[LOCK_TIMEOUTS]! + 1;
        this.#ways.wake(running);
      },
    );
    return running.wait;
  }

  /** It waits for no key any more. */
  endWait(running: R): void {
    const { wait } = running;
    if (wait === null) return;
    const { waits } = this.#ports;
    waits.withdraw(wait);
    waits.end(wait);
    running.wait = null;
  }

  /**
   * Whether the database was emptied while its keys were being locked: those that
   * were locked before that still have what they had.
   */
  *isFlushed(running: R): Generator<void, boolean> {
    const { latches, call } = this.#ports;
    const { order, places } = running;
    for (let at = 0; at < order.distinct;) {
      const { shard, locks } = call.keyspaces[order.shardAt(at)]!;
      const end = Math.min(order.endOfShard(at), at + KEYS_PER_LOOK);
      let isFlushed = false;
      latches.acquire(shard);
      // While there are none at all, the shard has not been emptied.
      if (locks.orphans === 0) at = order.endOfShard(at);
      for (; at < end && !isFlushed; at++) {
        const place = places[order.numberAt(at)]!;
        isFlushed = locks.orphan(locks.nodeOf(place)) !== 0;
      }
      latches.release(shard);
      if (isFlushed) return true;
      yield;
    }
    return false;
  }

  /** Unlocks what is locked; `isSame` if that is as it was before. */
  *unlock(running: R, isSame: boolean): Generator<void> {
    const { latches, call, nowMs, monotonicMs } = this.#ports;
    const { order, places } = running;
    const end = running.locked;
    for (let at = 0; at < end;) {
      const space = call.keyspaces[order.shardAt(at)]!;
      const first = at;
      const last = Math.min(end, order.endOfShard(at));
      const now = nowMs();
      latches.acquire(space.shard);
      const endMs = monotonicMs() + SLICE_MS;
      this.#ways.inside(running, () => {
        for (; at < last; at++) {
          if (
            at % order.keysPerLook === 0 && at > first && monotonicMs() > endMs
          ) {
            break;
          }
          const i = order.numberAt(at);
          if (places[i] === 0) continue;
          unlockKey(space, places[i]!, now, isSame);
          places[i] = 0;
        }
      });
      latches.release(space.shard);
      yield;
    }
    running.locked = 0;
  }
}

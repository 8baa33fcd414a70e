/**
 * EXEC of one who watches very many keys: these are looked at in slices, so that
 * no latch is held for long, and yet there is no window between the look and the
 * first command.
 *
 * ```text
 * look      at every watched key, a slice at a time, while the connection is
 *           parked. Whoever changes one that was looked at before leaves its node
 *           in the ring of its shard (watched_keys.ts).
 * catch up  with the rings, until nothing that matters may have been missed.
 * EXEC      catches up once more, under all latches of the transaction: a few
 *           numbers to compare for each shard. If a ring has gone around since,
 *           the keys of that shard are looked at again.
 * ```
 *
 * A key that expires meanwhile is not changed by anybody: so the earliest time at
 * which one of them does is noted.
 *
 * When the transaction is over, the nodes are given back in slices, too.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import { TOUCHED_NODES } from "../../core/keyspace/shard_control.ts";
import type { Latches } from "../latch/shard_latches.ts";
import type { CommandLocks } from "../locks/command_locks.ts";
import type { ExecutorPorts } from "./executor_ports.ts";
import type { Session } from "./session.ts";
import type { Transaction } from "./transaction.ts";
import type { Watches } from "./watches.ts";

/** Longest turn. */
const TURN_MS = 1;
/** A latch is given back after so long. */
const SLICE_MS = 0.25;
/** Watched keys between two looks at the clock. */
const KEYS_PER_LOOK = 16;
/** Looks after which all keys are looked at in one hold. */
const LOOKS_MAX = 16;

/** What is known of a transaction's watched keys. */
export type WatchState = "same" | "changed" | "unknown";

/** The executor's parts that are needed here. */
export interface WatchCheckParts<C extends Call> {
  readonly call: C;
  readonly latches: Latches;
  readonly locks: CommandLocks;
  readonly ports: Pick<ExecutorPorts<C>, "monotonicMs" | "rest" | "nowMs">;
}

/** A look at the watched keys of one EXEC. */
export class WatchCheck {
  /** Whether it goes on. */
  isLooking = false;
  /** Whether a key is known to have changed, or expired. */
  hasChanged = false;
  /** How often it has begun to look. */
  looks = 0;
  /** When the first of the keys expires. */
  expireAtMs = Infinity;
  /** Shards with watched keys. */
  readonly shards: readonly number[];
  /** By shard: changes of watched keys before it looked; NaN: it has not. */
  readonly seen: Float64Array;

  /** `shardCount` is how many there are. */
  constructor(watches: Watches, shardCount: number) {
    const shards = new Set<number>();
    for (let i = 0; i < watches.count; i++) shards.add(watches.shard(i));
    this.shards = [...shards];
    this.seen = new Float64Array(shardCount).fill(NaN);
  }
}

/** Looks at the keys of this worker's transactions; one per worker. */
export class WatchChecks<C extends Call> {
  readonly #parts: WatchCheckParts<C>;

  constructor(parts: WatchCheckParts<C>) {
    this.#parts = parts;
  }

  /**
   * Whether EXEC, which is at hand, has to wait because the watched keys are yet
   * to be looked at: it has been parked then. No latch is held.
   */
  mustLook(session: Session, transaction: Transaction): boolean {
    const { call, locks } = this.#parts;
    const check = transaction.check ??= new WatchCheck(
      transaction.watches,
      call.keyspaces.length,
    );
    if (check.looks === 0) this.#begin(session, transaction, check);
    if (!check.isLooking) return false;
    locks.park(session);
    return true;
  }

  /**
   * What is known of the watched keys, all latches of the transaction being held;
   * EXEC is to be tried again if that is not enough.
   */
  stateOf(transaction: Transaction, nowMs: number): WatchState {
    const check = transaction.check!;
    if (check.hasChanged || check.expireAtMs <= nowMs) return "changed";
    let state: WatchState = "same";
    for (const shard of check.shards) {
      const known = this.#catchUp(transaction, check, shard);
      if (known === "changed") return known;
      if (known === "unknown") state = known;
    }
    return state;
  }

  /** Whether it is better to look at all keys at once, however long that takes. */
  isInVain({ check }: Transaction): boolean {
    return check!.looks > LOOKS_MAX;
  }

  /** Looks at the keys of shards again, of which too much has changed. */
  lookAgain(session: Session, transaction: Transaction): void {
    this.#begin(session, transaction, transaction.check!);
    this.#parts.locks.park(session);
  }

  /** Gives back nodes that nobody compares any more; no latch is held. */
  forget(watches: Watches): void {
    this.#run(this.#unwatch(watches), () => {});
  }

  #begin(session: Session, transaction: Transaction, check: WatchCheck): void {
    check.isLooking = true;
    check.looks++;
    const steps = this.#look(transaction, check);
    this.#run(steps, () => {
      check.isLooking = false;
      if (transaction.check === check) this.#parts.locks.wakeParked(session);
    });
  }

  #run(steps: Generator<void>, done: () => void): void {
    const { rest, monotonicMs } = this.#parts.ports;
    rest(() => {
      const endMs = monotonicMs() + TURN_MS;
      let isDone: boolean;
      do isDone = steps.next().done === true; while (
        !isDone && monotonicMs() < endMs
      );
      if (isDone) done();
      else this.#run(steps, done);
    });
  }

  /** Looks at what is not known; ends early if a key has changed. */
  *#look(transaction: Transaction, check: WatchCheck): Generator<void> {
    const { latches, call } = this.#parts;
    for (let turn = 0; turn < LOOKS_MAX; turn++) {
      const wanted = new Uint8Array(call.keyspaces.length);
      let isKnown = true;
      for (const shard of check.shards) {
        latches.acquire(shard);
        const known = this.#catchUp(transaction, check, shard);
        if (known === "unknown") {
          const { hooks } = call.keyspaces[shard]!;
          check.seen[shard] = hooks.watched.touches;
          wanted[shard] = 1;
          isKnown = false;
        }
        latches.release(shard);
        check.hasChanged ||= known === "changed";
      }
      if (isKnown || check.hasChanged) return;
      yield;
      yield* this.#lookAt(transaction, check, wanted);
      if (check.hasChanged || transaction.check !== check) return;
    }
  }

  /** Looks at all watched keys of some shards. */
  *#lookAt(
    transaction: Transaction,
    check: WatchCheck,
    wanted: Uint8Array,
  ): Generator<void> {
    const { watches } = transaction;
    for (let at = 0; at < watches.count && !check.hasChanged;) {
      // The connection may have gone, and its watches with it.
      if (transaction.check !== check) return;
      const nowMs = this.#parts.ports.nowMs();
      at = this.#slice(watches, at, wanted, (i, shard) => {
        const { hooks } = this.#parts.call.keyspaces[shard]!;
        const expireAtMs = hooks.untouchedUntil(
          watches.node(i),
          watches.version(i),
          nowMs,
        );
        if (expireAtMs === 0) check.hasChanged = true;
        else if (expireAtMs < check.expireAtMs) check.expireAtMs = expireAtMs;
      });
      yield;
    }
  }

  *#unwatch(watches: Watches): Generator<void> {
    const { keyspaces } = this.#parts.call;
    for (let at = 0; at < watches.count;) {
      at = this.#slice(watches, at, null, (i, shard) => {
        keyspaces[shard]!.hooks.watched.unwatch(watches.node(i));
      });
      yield;
    }
  }

  /** Visits watches under their latches, from one on, until a slice is over. */
  #slice(
    watches: Watches,
    from: number,
    wanted: Uint8Array | null,
    visit: (i: number, shard: number) => void,
  ): number {
    const { latches, ports: { monotonicMs } } = this.#parts;
    const endMs = monotonicMs() + SLICE_MS;
    let held = -1;
    let at = from;
    for (; at < watches.count; at++) {
      if (at % KEYS_PER_LOOK === 0 && at > from && monotonicMs() > endMs) break;
      const shard = watches.shard(at);
      if (wanted !== null && wanted[shard] === 0) continue;
      if (shard !== held) {
        if (held >= 0) latches.release(held);
        latches.acquire(shard);
        held = shard;
      }
      visit(at, shard);
    }
    if (held >= 0) latches.release(held);
    return at;
  }

  /** Looks at what has changed in a shard since it was looked at. */
  #catchUp(
    transaction: Transaction,
    check: WatchCheck,
    shard: number,
  ): WatchState {
    const { watched } = this.#parts.call.keyspaces[shard]!.hooks;
    const { touches } = watched;
    const since = touches - check.seen[shard]! | 0;
    if (Number.isNaN(check.seen[shard]!) || since >>> 0 > TOUCHED_NODES) {
      return "unknown";
    }
    for (let i = 1; i <= since; i++) {
      if (transaction.isWatching(shard, watched.touchedNode(touches - i))) {
        return "changed";
      }
    }
    check.seen[shard] = touches;
    return "same";
  }
}

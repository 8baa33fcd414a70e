/**
 * Lock waits: who waits on this worker for key locks, be it a parked command or
 * code that asks for locks, and how it is told to look again.
 *
 * A wait has a ticket, which says who came first, and places in the queues of
 * the keys that it found locked (core/keyspace/key_locks.ts). Whoever releases
 * one of these wakes the wait, on whichever worker it is; it then looks at all of
 * its keys anew under their latches, gets new places where it still has to wait,
 * and gives up those where it need not. Its ticket stays, so it keeps its turn.
 *
 * @module
 */

import type { Key } from "../../core/keyspace/key.ts";
import type { LockSurroundings } from "../../core/keyspace/key_locks.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import {
  type DeadlinePorts,
  Deadlines,
  type Timed,
} from "../blocking/deadlines.ts";
import type { Latches } from "../latch/shard_latches.ts";
import { PROCESS_LOCK_TICKET } from "../messages/shared_state.ts";

/** What the waits need from the worker around them. */
export interface LockWaitPorts extends DeadlinePorts {
  readonly keyspaces: readonly Keyspace[];
  readonly latches: Latches;
  /** Number of the worker. */
  readonly worker: number;
  /** Words about the process. */
  readonly process: Int32Array;
  /** Tells another worker that a wait of its own must look again. */
  send(worker: number, ticket: number): void;
  /** Runs something in a moment, when no latch is held. */
  soon(run: () => void): void;
}

/** Places in queues, with their shards. */
export interface LockPlaces {
  readonly shards: number[];
  readonly places: number[];
}

/** Somebody who waits. */
export interface LockWait extends Timed {
  readonly ticket: number;
  /** Since when, in monotonic milliseconds. */
  readonly sinceMs: number;
  /** Looks again; no latch is held. */
  readonly wake: () => void;
  /** The time to wait is over; no latch is held. */
  readonly expire: () => void;
  /** Where it waits. */
  held: LockPlaces;
  /** While it looks again: where it waited, and may not have to any more. */
  rest: LockPlaces;
  /** How often it has looked again in vain. */
  vain: number;
}

/**
 * Keys that a wait queues for at a time: one would do, as it looks at all of them
 * when it is woken.
 */
const QUEUES_MAX = 64;
/** Looks in vain after which a wait queues for all of its keys. */
const VAIN_MAX = 4;

/** What the lock tables of a worker's shards have in common. */
export class LockRules implements LockSurroundings {
  readersPass = true;
  isHolder = false;
  /** Those who wait; set before anything is locked. */
  waits: LockWaits | null = null;

  wake(worker: number, ticket: number): void {
    this.waits!.wake(worker, ticket);
  }
}

/** One per worker. */
export class LockWaits {
  readonly #ports: LockWaitPorts;
  readonly #waits = new Map<number, LockWait>();
  /** By their numbers, those who hold locks and want to know who waits. */
  readonly #holders = new Map<number, () => void>();
  readonly #deadlines: Deadlines<LockWait>;
  /** Who is to be told: workers, and the tickets of waits there. */
  #told: number[] = [];

  /** Nobody waits yet. */
  constructor(ports: LockWaitPorts) {
    this.#ports = ports;
    this.#deadlines = new Deadlines(ports, (wait) => wait.expire());
  }

  /** How many wait. */
  get count(): number {
    return this.#waits.size;
  }

  /** Number of the worker. */
  get worker(): number {
    return this.#ports.worker;
  }

  /** A number that nobody else gets, larger than those before. */
  nextTicket(): number {
    const { process } = this.#ports;
    let ticket = 0;
    // 0 stands for none.
    while (ticket === 0) {
      ticket = (Atomics.add(process, PROCESS_LOCK_TICKET, 1) + 1) | 0;
    }
    return ticket;
  }

  /**
   * Tells a worker that a wait must look again, or a holder that others wait;
   * latches may be held.
   */
  wake(worker: number, ticket: number): void {
    // Thousands may wait for a key: little is done for each under its latch.
    if (this.#told.push(worker, ticket) === 2) this.#ports.soon(this.#tellAll);
  }

  readonly #tellAll = (): void => {
    const told = this.#told;
    this.#told = [];
    const { worker: self, send } = this.#ports;
    for (let i = 0; i < told.length; i += 2) {
      const worker = told[i]!;
      const ticket = told[i + 1]!;
      if (worker === self) this.woken(ticket);
      else send(worker, ticket);
    }
  };

  /**
   * A wait of this worker must look again, or others wait for one of its holders,
   * whose numbers are drawn like tickets; no latch is held.
   */
  woken(ticket: number): void {
    const wait = this.#waits.get(ticket);
    if (wait !== undefined) wait.wake();
    else this.#holders.get(ticket)?.();
  }

  /** Has a holder told, without a latch, when the first one waits for him. */
  tellHolder(id: number, told: () => void): void {
    this.#holders.set(id, told);
  }

  /** He holds nothing any more. */
  forgetHolder(id: number): void {
    this.#holders.delete(id);
  }

  /** Begins a wait, which has no places yet; for ever if `waitMs` is 0. */
  begin(waitMs: number, wake: () => void, expire: () => void): LockWait {
    const sinceMs = this.#ports.monotonicMs();
    const wait: LockWait = {
      ticket: this.nextTicket(),
      sinceMs,
      wake,
      expire,
      held: noPlaces(),
      rest: noPlaces(),
      vain: 0,
      deadlineMs: sinceMs + waitMs,
      heapIndex: -1,
    };
    this.#waits.set(wait.ticket, wait);
    if (waitMs > 0) this.#deadlines.add(wait);
    return wait;
  }

  /** How long a wait has lasted, in milliseconds. */
  waitedMs(wait: LockWait): number {
    return this.#ports.monotonicMs() - wait.sinceMs;
  }

  /** Whether a wait has looked so often that it now queues for all its keys. */
  queuesForAll(wait: LockWait): boolean {
    return wait.vain >= VAIN_MAX;
  }

  /**
   * A wait looks again: those of its places that it is not queued for once more
   * are given up by {@linkcode LockWaits.leaveRest}.
   */
  beginLook(wait: LockWait): void {
    wait.rest = wait.held;
    wait.held = noPlaces();
  }

  /** Gives the rest up; the latches of their shards are held. */
  leaveRest(wait: LockWait): void {
    const { shards, places } = wait.rest;
    wait.rest = noPlaces();
    const { keyspaces, latches } = this.#ports;
    for (let i = 0; i < places.length; i++) {
      latches.checkHeld(shards[i]!);
      keyspaces[shards[i]!]!.locks.endWait(places[i]!);
    }
  }

  /**
   * Queues a wait for a key, once, unless it queues for many already; the
   * shard's latch is held. May throw OutOfMemory.
   */
  queue(
    wait: LockWait,
    space: Keyspace,
    db: number,
    key: Key,
    kind: number,
  ): void {
    if (wait.held.places.length >= QUEUES_MAX) return;
    const { locks, shard } = space;
    this.#ports.latches.checkHeld(shard);
    const node = locks.find(db, key.buf, key.off, key.length, key.hash);
    if (this.#isQueued(wait, space, node)) return;
    wait.held.places.push(
      locks.wait(db, key, kind, wait.ticket, this.#ports.worker),
    );
    wait.held.shards.push(shard);
  }

  /**
   * A wait has found one more key that it must wait for, or the same again: it
   * queues for it, or for the whole shard (`key` is null then), and keeps the
   * places that it has elsewhere. The shard's latch is held. May throw
   * OutOfMemory.
   */
  queueAlso(
    wait: LockWait,
    space: Keyspace,
    db: number,
    key: Key | null,
    kind: number,
  ): void {
    this.beginLook(wait);
    try {
      if (key === null) this.queueForWhole(wait, space, kind);
      else this.queue(wait, space, db, key, kind);
    } finally {
      wait.held.places.push(...wait.rest.places);
      wait.held.shards.push(...wait.rest.shards);
      wait.rest = noPlaces();
    }
  }

  /** Queues a wait for a whole shard, as {@linkcode LockWaits.queue}. */
  queueForWhole(wait: LockWait, space: Keyspace, kind: number): void {
    const { locks, shard } = space;
    this.#ports.latches.checkHeld(shard);
    if (this.#isQueued(wait, space, locks.findWhole())) return;
    wait.held.places.push(
      locks.waitForWhole(kind, wait.ticket, this.#ports.worker),
    );
    wait.held.shards.push(shard);
  }

  /** Whether a wait has a place at a node, or had one before it looked again. */
  #isQueued(wait: LockWait, { locks, shard }: Keyspace, node: number): boolean {
    if (node === 0) return false;
    const { held, rest } = wait;
    for (let i = 0; i < held.places.length; i++) {
      if (held.shards[i] !== shard) continue;
      if (locks.nodeOf(held.places[i]!) === node) return true;
    }
    for (let i = 0; i < rest.places.length; i++) {
      if (rest.shards[i] !== shard) continue;
      const place = rest.places[i]!;
      if (locks.nodeOf(place) !== node) continue;
      // It keeps its place: if it left and came back, it would wake others for
      // nothing, and they it.
      locks.keepWaiting(place);
      held.places.push(place);
      held.shards.push(shard);
      rest.places.splice(i, 1);
      rest.shards.splice(i, 1);
      return true;
    }
    return false;
  }

  /** Gives all places up, their shards' latches held. */
  leaveAll(wait: LockWait): void {
    this.leaveRest(wait);
    this.beginLook(wait);
    this.leaveRest(wait);
  }

  /** Gives a wait's places up, but not its ticket; no latch is held. */
  withdraw(wait: LockWait): void {
    const { shards } = wait.held;
    if (shards.length === 0) return;
    const { latches } = this.#ports;
    for (const shard of shards) latches.mark(shard);
    latches.acquireMarked();
    this.leaveAll(wait);
    latches.releaseMarked();
  }

  /** Ends a wait that has no places any more. */
  end(wait: LockWait): void {
    this.#waits.delete(wait.ticket);
    this.#deadlines.remove(wait);
  }
}

function noPlaces(): LockPlaces {
  return { shards: [], places: [] };
}

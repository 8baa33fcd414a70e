/**
 * The sessions of this worker whose command waits for a key, and how the wait
 * ends: it is served (by whichever worker has given the key data), its time is
 * over, somebody unblocks it, or its connection is gone.
 *
 * All but the first cancel the claim word of the waiter's record; if that fails,
 * the command has been served and its reply is on its way. What was got for a
 * connection that is gone by then goes back to where it was.
 *
 * @module
 */

import type { WaitUndo } from "../../core/commands/call.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import type { WaiterRecords } from "../../core/keyspace/waiter_records.ts";
import { type ErrorReply, UNBLOCKED } from "../../core/resp/error_reply.ts";
import type { Latches } from "../latch/shard_latches.ts";
import { type DeadlinePorts, Deadlines, type Timed } from "./deadlines.ts";
import { removeRegistrations, removeSome } from "./registering.ts";

/** Longest turn in which a command is taken out of very many queues. */
const TURN_MS = 1;

/** What the sessions need from the worker around them. */
export interface BlockedPorts extends DeadlinePorts {
  readonly keyspaces: readonly Keyspace[];
  readonly latches: Latches;
  readonly records: WaiterRecords;
  /** Gives back what was got for a client that is gone. */
  giveBack(undo: WaitUndo, db: number, late: LateReply): void;
  /** A command has ended without being served. */
  countEnded(session: number, error: ErrorReply | null): void;
  /** Calls back when others have had their turn; no latch is held. */
  rest(run: () => void): void;
}

/** A session whose command waits. */
interface Blocked extends Timed {
  readonly session: number;
  readonly db: number;
  readonly record: number;
  /** The shard in whose heap the record lies. */
  readonly home: number;
  /** The shards of the keys that are waited for. */
  readonly shards: readonly number[];
  /** Whether it waits for very many keys, whatever their shards. */
  readonly isOfMany: boolean;
  readonly undo: WaitUndo;
  readonly settle: (late: LateReply) => void;
  /** Whether the reply is known. */
  hasEnded: boolean;
  /** Whether the connection is gone. */
  isGone: boolean;
}

/** What a command waits with. */
export interface Wait {
  readonly session: number;
  readonly db: number;
  readonly record: number;
  /** Those of its keys; of very many, where the record lies. */
  readonly shards: readonly number[];
  readonly isOfMany: boolean;
  readonly undo: WaitUndo;
  /** 0 for ever. */
  readonly waitMs: number;
}

/** One per worker. */
export class BlockedSessions {
  readonly #ports: BlockedPorts;
  readonly #blocked = new Map<number, Blocked>();
  readonly #deadlines: Deadlines<Blocked>;

  /** Nobody is blocked yet. */
  constructor(ports: BlockedPorts) {
    this.#ports = ports;
    this.#deadlines = new Deadlines(ports, (blocked) => {
      this.#cancel(blocked, replyTimeout, null);
    });
  }

  /** Sessions whose command waits, or whose reply is on its way. */
  get count(): number {
    return this.#blocked.size;
  }

  /** How to put back what a session's command has got; "" for not at all. */
  undoOf(session: number): WaitUndo {
    return this.#blocked.get(session)?.undo ?? "";
  }

  /** Whether a session's command waits, or its reply is on its way. */
  has(session: number): boolean {
    return this.#blocked.has(session);
  }

  /** Begins to wait; the promise is that of the reply. */
  block(wait: Wait): Promise<LateReply> {
    return new Promise((settle) => {
      const { waitMs } = wait;
      const blocked: Blocked = {
        session: wait.session,
        db: wait.db,
        record: wait.record,
        home: wait.shards[0]!,
        shards: wait.shards,
        isOfMany: wait.isOfMany,
        undo: wait.undo,
        settle,
        hasEnded: false,
        isGone: false,
        deadlineMs: waitMs === 0 ? 0 : this.#ports.monotonicMs() + waitMs,
        heapIndex: -1,
      };
      this.#blocked.set(blocked.session, blocked);
      if (waitMs > 0) this.#deadlines.add(blocked);
    });
  }

  /**
   * A command was served; its registrations have ended, unless they were very many.
   * No latch is held.
   */
  served(session: number, late: LateReply): void {
    const blocked = this.#blocked.get(session)!;
    const { record, home, isOfMany } = blocked;
    if (isOfMany) this.forgetSlowly(record, home);
    else this.#free(record, home);
    this.#end(blocked, late);
  }

  #free(record: number, home: number): void {
    const { latches, keyspaces, records } = this.#ports;
    records.letGo(record);
    latches.acquire(home);
    keyspaces[home]!.heap.free(record);
    latches.release(home);
  }

  /**
   * Takes what was left of a command of very many keys, on which nobody acts any
   * more, out of the shards, some of it in each turn; latches may be held.
   */
  forgetSlowly(record: number, home: number): void {
    const { rest, monotonicMs } = this.#ports;
    rest(() => {
      const endMs = monotonicMs() + TURN_MS;
      while (removeSome(this.#ports, record)) {
        if (monotonicMs() > endMs) return this.forgetSlowly(record, home);
      }
      this.#free(record, home);
    });
  }

  /** CLIENT UNBLOCK: says whether the command still waited. */
  unblock(session: number, withError: boolean): boolean {
    const blocked = this.#blocked.get(session);
    if (blocked === undefined || blocked.hasEnded) return false;
    return withError
      ? this.#cancel(blocked, replyUnblocked, UNBLOCKED)
      : this.#cancel(blocked, replyTimeout, null);
  }

  /** The connection of a session is gone. */
  drop(session: number): void {
    const blocked = this.#blocked.get(session);
    if (blocked === undefined) return;
    blocked.isGone = true;
    if (!blocked.hasEnded) this.#cancel(blocked, replyTimeout, null);
  }

  #cancel(
    blocked: Blocked,
    late: LateReply,
    error: ErrorReply | null,
  ): boolean {
    const { latches, records, countEnded } = this.#ports;
    latches.step();
    if (!records.cancel(blocked.record)) return false;
    countEnded(blocked.session, error);
    this.#end(blocked, late, false);
    // Whoever cancels may hold latches.
    queueMicrotask(() => this.#forget(blocked));
    return true;
  }

  /** Takes what was left of a cancelled command out of the shards. */
  #forget({ record, home, shards, isOfMany }: Blocked): void {
    if (isOfMany) return this.forgetSlowly(record, home);
    const { latches, keyspaces, records } = this.#ports;
    for (const shard of shards) latches.mark(shard);
    latches.acquireMarked();
    removeRegistrations(keyspaces, records, record);
    records.letGo(record);
    keyspaces[home]!.heap.free(record);
    latches.releaseMarked();
  }

  #end(blocked: Blocked, late: LateReply, wasServed = true): void {
    blocked.hasEnded = true;
    this.#deadlines.remove(blocked);
    blocked.settle((reply) => {
      this.#blocked.delete(blocked.session);
      if (!blocked.isGone) return late(reply);
      if (wasServed) this.#ports.giveBack(blocked.undo, blocked.db, late);
    });
  }
}

const replyTimeout: LateReply = (reply) => reply.nullArray();

const replyUnblocked: LateReply = (reply) => reply.error(UNBLOCKED);

/**
 * How a command that is to wait is written into its keys' shards, and taken out
 * again.
 *
 * Both ask that the latches of all these shards are held; of very many keys, one
 * after the other is, and they are locked until the command waits for all of them.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import type { Key } from "../../core/keyspace/key.ts";
import type { KeysWait } from "../../core/commands/many_keys.ts";
import type {
  KeysAt,
  WaiterRecords,
} from "../../core/keyspace/waiter_records.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import { OUT_OF_MEMORY } from "../../core/resp/error_reply.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import type { Session } from "../executor/session.ts";
import type { Latches } from "../latch/shard_latches.ts";
import type { BlockedSessions } from "./blocked_sessions.ts";

/** A latch is given back after so long. */
const SLICE_MS = 0.25;
/** Registrations between two looks at the clock. */
const KEYS_PER_LOOK = 16;

/**
 * Lets the command at hand wait as it has asked to: returns what will be its
 * reply, or null if memory is short, which has been replied.
 */
export function beginWait(
  call: Call,
  worker: number,
  records: WaiterRecords,
  blocked: BlockedSessions,
): Promise<LateReply> | null {
  const { id, resp } = call.session as Session;
  const cacheWorker = cacheWorkerOf(call.session as Session);
  const shards: number[] = [];
  for (let i = 0; i < call.waitKeys; i++) {
    const { shard } = call.key(i);
    if (!shards.includes(shard)) shards.push(shard);
  }
  let record = 0;
  try {
    record = register(call, records, {
      worker,
      session: id,
      resp,
      cacheWorker,
    });
  } catch (cause) {
    if (!(cause instanceof OutOfMemory)) throw cause;
    call.reply.error(OUT_OF_MEMORY);
    return null;
  }
  const { db, waitMs, waitUndo: undo } = call;
  const isOfMany = false;
  return blocked.block({
    ...{ session: id, db, record, shards, undo, waitMs, isOfMany },
  });
}

/**
 * Registers the command at hand with the keys that it waits for; returns its
 * record. Throws OutOfMemory and has done nothing then.
 */
function register(
  call: Call,
  records: WaiterRecords,
  waiter: {
    worker: number;
    session: number;
    resp: 2 | 3;
    cacheWorker: number;
  },
): number {
  const { heap } = call.keyspace(call.key(0));
  const record = records.create(
    heap,
    {
      worker: waiter.worker,
      session: waiter.session,
      db: call.db,
      resp: waiter.resp,
      kind: call.waitKind,
      cacheWorker: waiter.cacheWorker,
    },
    call.args,
    call.waitArguments,
  );
  try {
    for (let i = 0; i < call.waitKeys; i++) {
      const key = call.key(i);
      call.keyspace(key).hooks.waiters.add(call.db, key, record, records, i);
    }
  } catch (cause) {
    removeRegistrations(call.keyspaces, records, record);
    records.letGo(record);
    heap.free(record);
    throw cause;
  }
  return record;
}

/** Takes a command out of the queues of its keys. */
export function removeRegistrations(
  keyspaces: readonly Keyspace[],
  records: WaiterRecords,
  record: number,
): void {
  const { waiters } = keyspaces[0]!.hooks;
  let registration = records.registrations(record);
  records.setRegistrations(record, 0);
  while (registration !== 0) {
    const next = waiters.sibling(registration);
    keyspaces[waiters.shardOf(registration)]!.hooks.waiters.remove(
      registration,
    );
    registration = next;
  }
}

function cacheWorkerOf({ tracking }: Session): number {
  return tracking?.remembers === true ? tracking.worker : -1;
}

/** What waits for very many keys need of their worker. */
export interface ManyWaitParts {
  readonly worker: number;
  readonly keyspaces: readonly Keyspace[];
  readonly latches: Latches;
  readonly records: WaiterRecords;
  readonly blocked: BlockedSessions;
}

/** A command that is to wait for very many keys. */
export interface ManyWaitSource {
  readonly session: Session;
  readonly db: number;
  readonly resp: 2 | 3;
  readonly args: Arguments;
  readonly keysAt: KeysAt;
  readonly wait: KeysWait;
  /** The shard in whose heap its record lies. */
  readonly home: number;
}

/**
 * A command that is being written into the queues of very many keys, which are
 * locked. Until it waits nobody acts on it.
 */
export class ManyWait {
  readonly #parts: ManyWaitParts;
  readonly #source: ManyWaitSource;
  readonly #record: number;

  /** No latch is held. Throws OutOfMemory. */
  constructor(parts: ManyWaitParts, source: ManyWaitSource) {
    this.#parts = parts;
    this.#source = source;
    const { latches, keyspaces, records, worker } = parts;
    const { home, args, wait: { replaced, kind }, session } = source;
    const units = records.unitsOf(args, replaced);
    latches.acquire(home);
    try {
      this.#record = keyspaces[home]!.heap.allocate(units);
    } finally {
      latches.release(home);
    }
    const { db, resp, keysAt } = source;
    const waiter = {
      ...{ worker, db, resp, kind, keysAt },
      session: session.id,
      cacheWorker: cacheWorkerOf(session),
    };
    records.fill(this.#record, waiter, args, replaced);
  }

  /** Puts it into the queue of a key, whose latch is held. Throws OutOfMemory. */
  add({ hooks }: Keyspace, db: number, key: Key, number: number): void {
    const { records } = this.#parts;
    hooks.waiters.add(db, key, this.#record, records, number);
  }

  /** It is in all queues: returns what will be its reply. */
  begin(): Promise<LateReply> {
    const { records, blocked } = this.#parts;
    const { session, db, home, wait: { undo, waitMs } } = this.#source;
    const late = blocked.block({
      ...{ session: session.id, db, record: this.#record, undo, waitMs },
      ...{ shards: [home], isOfMany: true },
    });
    records.begin(this.#record);
    return late;
  }

  /** It does not wait. */
  drop(): void {
    const { records, blocked } = this.#parts;
    records.drop(this.#record);
    blocked.forgetSlowly(this.#record, this.#source.home);
  }
}

/**
 * Takes a command, on which nobody acts any more, out of the queues of some of its
 * very many keys; says whether it is in others still. No latch is held.
 */
export function removeSome(
  { keyspaces, latches, records, monotonicMs }: {
    readonly keyspaces: readonly Keyspace[];
    readonly latches: Latches;
    readonly records: WaiterRecords;
    monotonicMs(): number;
  },
  record: number,
): boolean {
  let registration = records.registrations(record);
  if (registration === 0) return false;
  const shard = keyspaces[0]!.hooks.waiters.shardOf(registration);
  const { waiters } = keyspaces[shard]!.hooks;
  const endMs = monotonicMs() + SLICE_MS;
  latches.acquire(shard);
  for (
    let done = 1;
    registration !== 0 && waiters.shardOf(registration) === shard;
    done++
  ) {
    const next = waiters.sibling(registration);
    waiters.remove(registration);
    registration = next;
    if (done % KEYS_PER_LOOK === 0 && monotonicMs() > endMs) break;
  }
  records.setRegistrations(record, registration);
  latches.release(shard);
  return registration !== 0;
}

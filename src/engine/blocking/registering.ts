/**
 * How a command that is to wait is written into its keys' shards, and taken out
 * again.
 *
 * Both ask that the latches of all these shards are held.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import type { WaiterRecords } from "../../core/keyspace/waiter_records.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import { OUT_OF_MEMORY } from "../../core/resp/error_reply.ts";
import type { Session } from "../executor/session.ts";
import type { BlockedSessions } from "./blocked_sessions.ts";

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
  const { id, resp, tracking } = call.session as Session;
  const cacheWorker = tracking?.remembers === true ? tracking.worker : -1;
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
  return blocked.block({ session: id, db, record, shards, undo, waitMs });
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
      call.keyspace(key).hooks.waiters.add(call.db, key, record, records);
    }
  } catch (cause) {
    removeRegistrations(call.keyspaces, records, record);
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

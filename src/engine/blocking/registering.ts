/**
 * How a command that is to wait is written into its keys' shards, and taken out
 * again.
 *
 * Both ask that the latches of all these shards are held.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import type { WaiterRecords } from "../../core/keyspace/waiter_records.ts";

/**
 * Registers the command at hand with the keys that it waits for; returns its
 * record. Throws OutOfMemory and has done nothing then.
 */
export function registerWaiter(
  call: Call,
  records: WaiterRecords,
  waiter: { worker: number; session: number; resp: 2 | 3 },
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
    },
    call.args,
    call.waitArguments,
  );
  try {
    for (let i = 0; i < call.waitKeys; i++) {
      const key = call.key(i);
      call.keyspace(key).addWaiter(call.db, key, record, records);
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
  const { waiters } = keyspaces[0]!;
  let registration = records.registrations(record);
  records.setRegistrations(record, 0);
  while (registration !== 0) {
    const next = waiters.sibling(registration);
    keyspaces[waiters.shardOf(registration)]!.removeWaiter(registration);
    registration = next;
  }
}

/**
 * Key locks for executors in tests and benches, around which nobody locks keys.
 *
 * @module
 */

import type { Keyspace } from "../src/core/keyspace/keyspace.ts";
import type { Latches } from "../src/engine/latch/shard_latches.ts";
import { CommandLocks } from "../src/engine/locks/command_locks.ts";
import { LockRules, LockWaits } from "../src/engine/locks/lock_waits.ts";

/** What an executor asks about locks, and what it tells of them. */
export function noLocks(parts: {
  keyspaces: readonly Keyspace[];
  latches: Latches;
  counters: Float64Array;
  monotonicMs: () => number;
  /** Those of the keyspaces, if somebody does lock keys. */
  rules?: LockRules;
}): {
  locks: CommandLocks;
  reserve: () => boolean;
  settle: () => void;
  waited: () => void;
} {
  const rules = parts.rules ?? new LockRules();
  const waits = rules.waits = new LockWaits({
    ...parts,
    worker: 0,
    process: new Int32Array(64),
    startTimer: () => () => {},
    send: () => {},
    soon: queueMicrotask,
  });
  const locks = new CommandLocks(waits, {
    rules,
    counters: parts.counters,
    waitTimeoutMs: () => 0,
    resume: () => {},
    soon: queueMicrotask,
  });
  return { locks, reserve: () => false, settle: () => {}, waited: () => {} };
}

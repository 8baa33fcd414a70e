/**
 * Hashes that a command in slices has as they were when it began, as a whole
 * (old_values.ts), kept from those who would change them.
 *
 * One that is quickly copied is copied by who changes it. To copy another would take
 * a latch for long: its key is locked for reading, until the key has got a copy that
 * is made in the background.
 *
 * @module
 */

import type { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import {
  FLAG_OLD_HASHES,
  SHARD_FLAGS,
} from "../../core/keyspace/shard_control.ts";
import { TYPE_HASH } from "../../core/types/entry.ts";
import type { WatchedHold } from "./value_holds.ts";

/** Time after which a lock ends for which nobody waits any more. */
const HOLD_MS = 1000;

/** What is needed from the worker around them. */
export interface KeptHashPorts {
  /** As {@linkcode ValueHolds.hold}. */
  hold(space: Keyspace, db: number, ref: number): WatchedHold | null;
  later(run: () => void, delayMs: number): void;
}

/** Those that this worker's commands are about to change. */
export class KeptHashes {
  readonly #ports: KeptHashPorts;

  constructor(ports: KeptHashPorts) {
    this.#ports = ports;
  }

  /**
   * A command is about to change a key: if that has a hash that is kept, this is
   * noted, and locked if it takes long to copy. If `isAsked`, says only whether it
   * is. The shard's latch is held.
   */
  reserve(space: Keyspace, db: number, key: Key, isAsked: boolean): boolean {
    if ((space.control[SHARD_FLAGS]! & FLAG_OLD_HASHES) === 0) return false;
    const ref = space.peek(db, key);
    if (ref === 0 || space.type(ref) !== TYPE_HASH) return false;
    const { oldValues } = space.hooks;
    if (!oldValues.keepsHash(db, key, ref)) return false;
    if (isAsked) return true;
    oldValues.noteEntry(db, ref);
    if (!space.hasReaders(ref)) return true;
    const hold = this.#ports.hold(space, db, ref);
    if (hold !== null) this.#ports.later(() => hold.release(), HOLD_MS);
    return true;
  }
}

/**
 * Values that replies are read from, held against those who would change them.
 *
 * While the reply of a large collection is written, its key is locked for
 * reading: who wants to change it waits, and nobody has to copy it, which would
 * take a latch for as long as the value is large. But nobody is to wait for a
 * client that reads slowly, or not at all: if somebody waits for a while, the
 * value is copied in the background, the key gets the copy, and the lock ends.
 *
 * @module
 */

import type { ValueHold } from "../../core/commands/call.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import type { LockHandle, LockSpec } from "../locks/lock_spec.ts";

/** Time for which others wait for a reply before its value is copied. */
const PATIENCE_MS = 200;
/** Time between two looks at who waits. */
const LOOK_MS = 50;

/** What the holds need from the worker around them. */
export interface ValueHoldPorts {
  /** Values of so many elements are copied as fast as they are locked. */
  smallMax(): number;
  /** As {@linkcode ComputePoolPorts.lock}. */
  lock(spec: LockSpec): LockHandle | null;
  /** Whether somebody waits for the keys of a handle; no latch is held. */
  isWaitedFor(handle: LockHandle): boolean;
  /** As {@linkcode ComputePool.copyValue}. */
  copyValue(
    space: Keyspace,
    db: number,
    name: Uint8Array,
    done: () => void,
  ): void;
  monotonicMs(): number;
  later(run: () => void, delayMs: number): void;
}

interface Hold extends ValueHold {
  readonly handle: LockHandle;
  readonly space: Keyspace;
  readonly db: number;
  readonly name: Uint8Array;
  /** Since when somebody waits; 0 for nobody. */
  waitedSinceMs: number;
  isCopying: boolean;
}

/** The holds of one worker. */
export class ValueHolds {
  readonly #ports: ValueHoldPorts;
  readonly #holds = new Set<Hold>();
  #isLooking = false;

  constructor(ports: ValueHoldPorts) {
    this.#ports = ports;
  }

  /** Holds the value of an entry, if that is of use; its latch is held. */
  readonly hold = (
    space: Keyspace,
    db: number,
    ref: number,
  ): ValueHold | null => {
    if (space.length(ref) <= this.#ports.smallMax()) return null;
    const key = space.nameOf(ref);
    // A value that was made for the reply has no key.
    if (space.peek(db, key) !== ref) return null;
    const name = key.buf.slice(key.off, key.off + key.length);
    const handle = this.#ports.lock({
      read: [name],
      db,
      label: "reply",
      maxHoldMs: 0,
    });
    if (handle === null) return null;
    const hold: Hold = {
      ...{ handle, space, db, name },
      waitedSinceMs: 0,
      isCopying: false,
      release: () => {
        this.#holds.delete(hold);
        handle.close();
      },
    };
    this.#holds.add(hold);
    this.#planLook();
    return hold;
  };

  #planLook(): void {
    if (this.#isLooking || this.#holds.size === 0) return;
    this.#isLooking = true;
    this.#ports.later(() => {
      this.#isLooking = false;
      for (const hold of this.#holds) this.#look(hold);
      this.#planLook();
    }, LOOK_MS);
  }

  #look(hold: Hold): void {
    const { handle, space, db, name } = hold;
    if (hold.isCopying || handle.isClosed) return;
    const nowMs = this.#ports.monotonicMs();
    if (!this.#ports.isWaitedFor(handle)) {
      hold.waitedSinceMs = 0;
      return;
    }
    if (hold.waitedSinceMs === 0) hold.waitedSinceMs = nowMs;
    if (nowMs - hold.waitedSinceMs < PATIENCE_MS) return;
    hold.isCopying = true;
    this.#ports.copyValue(space, db, name, () => hold.release());
  }
}

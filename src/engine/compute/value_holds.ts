/**
 * Values that replies are read from, or that a snapshot writes, held against
 * those who would change them.
 *
 * While the reply of a large collection is written, its key is locked for
 * reading: who wants to change it waits, and nobody has to copy it, which would
 * take a latch for as long as the value is large. But nobody is to wait for a
 * client that reads slowly, or not at all: if somebody waits for a while, the
 * value is copied in the background, the key gets the copy, and the lock ends.
 * Strings are not copied so: who has waited for long enough copies one himself.
 *
 * @module
 */

import type { ValueHold } from "../../core/commands/call.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { TYPE_STRING } from "../../core/types/entry.ts";
import type { LockHandle, LockSpec } from "../locks/lock_spec.ts";

/** What a value is held for. */
export interface HoldPurpose {
  /** As LOCKS LIST shows it. */
  readonly label: string;
  /** Time for which others wait before the value is copied. */
  readonly patienceMs: number;
}

/** A reply is read from the value. */
export const HOLD_FOR_REPLY: HoldPurpose = { label: "reply", patienceMs: 200 };
/**
 * A snapshot writes the value, which ends by itself, and hardly later than a copy
 * would be there.
 */
export const HOLD_FOR_SNAPSHOT: HoldPurpose = {
  label: "snapshot",
  patienceMs: 2000,
};

/**
 * Bytes of a collection that is held however few elements it has. Fewer are
 * copied by who changes it, in a few milliseconds; to wait for a reader, and for
 * a copy in the background, takes much longer.
 */
const LONG_BYTES_MIN = 8 << 20;
/** Elements that are looked at to guess how many bytes all have. */
const SAMPLES = 64;
/** Time between two looks at who waits. */
const LOOK_MS = 50;

/** What the holds need from the worker around them. */
export interface ValueHoldPorts {
  /**
   * Values of so many elements are copied as fast as they are locked; Infinity if
   * nothing can be copied in the background.
   */
  smallMax(): number;
  /** The same of strings, in bytes. */
  smallBytesMax(): number;
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

/** A hold that knows whether others wait for its end. */
export interface WatchedHold extends ValueHold {
  /** Whether others did when it was last looked at. */
  isWanted(): boolean;
}

interface Hold extends WatchedHold {
  readonly handle: LockHandle;
  readonly space: Keyspace;
  readonly db: number;
  readonly name: Uint8Array;
  readonly isString: boolean;
  readonly patienceMs: number;
  /** Since when somebody waits; 0 for nobody. */
  waitedSinceMs: number;
  isCopying: boolean;
  /** Ends the lock. */
  end(): void;
}

/** Whether a value has few elements that are short, as far as is seen at once. */
function isSmallCollection(
  space: Keyspace,
  ref: number,
  smallMax: number,
): boolean {
  if (space.length(ref) > smallMax) return false;
  const values = space.values.of(space.type(ref));
  return smallMax === Infinity ||
    values.memoryBytes(ref, SAMPLES) < LONG_BYTES_MIN;
}

/** The holds of one worker. */
export class ValueHolds {
  readonly #ports: ValueHoldPorts;
  readonly #holds = new Set<Hold>();
  #isLooking = false;

  constructor(ports: ValueHoldPorts) {
    this.#ports = ports;
  }

  /**
   * Holds the value of an entry, if that is of use; its latch is held.
   */
  readonly hold = (
    space: Keyspace,
    db: number,
    ref: number,
    { label, patienceMs }: HoldPurpose,
  ): WatchedHold | null => {
    const { smallMax, smallBytesMax } = this.#ports;
    const isString = space.type(ref) === TYPE_STRING;
    const isSmall = isString
      ? space.strings.length(ref) <= smallBytesMax()
      : isSmallCollection(space, ref, smallMax());
    if (isSmall) return null;
    const key = space.nameOf(ref);
    // A value that was made for the reply has no key.
    if (space.peek(db, key) !== ref) return null;
    const name = key.buf.slice(key.off, key.off + key.length);
    const handle = this.#ports.lock({
      read: [name],
      db,
      label,
      maxHoldMs: 0,
    });
    if (handle === null) return null;
    const hold: Hold = {
      ...{ handle, space, db, name, isString, patienceMs },
      waitedSinceMs: 0,
      isCopying: false,
      isWanted: () => hold.waitedSinceMs !== 0,
      end: () => {
        this.#holds.delete(hold);
        handle.close();
      },
      release: () => {
        // Who came in between would have to copy what is being copied.
        if (!hold.isCopying) hold.end();
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
    if (nowMs - hold.waitedSinceMs < hold.patienceMs) return;
    if (hold.isString) return hold.end();
    hold.isCopying = true;
    this.#ports.copyValue(space, db, name, () => hold.end());
  }
}

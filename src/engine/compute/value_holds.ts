/**
 * Values that replies are read from, or that a snapshot writes, held against
 * those who would change them.
 *
 * While the reply of a collection is written that takes long to copy, its key is
 * locked for reading: who wants to change it waits, as a copy would take a latch
 * for as long as the value is large. But nobody is to wait for a client that reads
 * slowly, or not at all. As soon as somebody waits, what is left of a reply is
 * written at once, up to a megabyte. If that was not all of it, the value is copied
 * in the background, the key gets the copy, and the lock ends: at once if the copy
 * is quickly made, else when somebody has waited for a while. Strings are not
 * copied so: who has waited for long enough copies one himself.
 *
 * Readers pass those who wait to write, but must not keep them waiting by turns.
 * So who begins to read while others wait has the value copied at once, unless
 * that is being done already.
 *
 * @module
 */

import type { ValueHold } from "../../core/commands/call.ts";
import type { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { isCopied } from "../../core/keyspace/shared_value.ts";
import { TYPE_STRING } from "../../core/types/entry.ts";
import type { LockHandle, LockSpec } from "../locks/lock_spec.ts";

/** What a value is held for. */
export interface HoldPurpose {
  /** As LOCKS LIST shows it. */
  readonly label: string;
  /** Time for which others wait before a value is copied that is large. */
  readonly patienceMs: number;
  /** The same of one that is quickly copied in the background. */
  readonly shortPatienceMs: number;
}

/** A reply is read from the value. */
export const HOLD_FOR_REPLY: HoldPurpose = {
  label: "reply",
  patienceMs: 200,
  shortPatienceMs: 0,
};
/**
 * A snapshot writes the value, which ends by itself, and hardly later than a copy
 * would be there.
 */
export const HOLD_FOR_SNAPSHOT: HoldPurpose = {
  label: "snapshot",
  patienceMs: 2000,
  shortPatienceMs: 100,
};
/** A job reads the value, and others wait already. */
export const HOLD_FOR_JOB: HoldPurpose = {
  label: "job",
  patienceMs: 0,
  shortPatienceMs: 0,
};

/** A command in slices has the value as it was, and others wait already. */
export const HOLD_FOR_SLICES: HoldPurpose = {
  ...HOLD_FOR_JOB,
  label: "slices",
};

/**
 * Allocations of a collection that is copied by who changes it: in half a
 * millisecond, while to wait for a reader takes longer.
 */
const SMALL_WEIGHT_MAX = 1024;
/** Bytes of such a collection. */
const SMALL_BYTES_MAX = 1 << 19;
/** Bytes of a collection that is large however few elements it has. */
const LARGE_BYTES_MIN = 8 << 20;
/** Elements that are looked at to guess how many bytes very many have. */
const SAMPLES = 64;
/** Looks at all of them: one that is long may be any. */
const ALL = 0;
/** Time between two looks at who waits. */
const LOOK_MS = 50;
/** Time until it is looked whether somebody else has made a copy. */
const COPY_LOOK_MS = 5;

/** What the holds need from the worker around them. */
export interface ValueHoldPorts {
  /** Values of more elements are large. */
  smallMax(): number;
  /** Strings of no more bytes are copied as fast as they are locked. */
  smallBytesMax(): number;
  /** Whether values can be copied in the background. */
  canCopy(): boolean;
  /** As {@linkcode ComputePoolPorts.lock}. */
  lock(spec: LockSpec): LockHandle | null;
  /** Whether somebody waits for the keys of a handle; no latch is held. */
  isWaitedFor(handle: LockHandle): boolean;
  /** As {@linkcode ComputePool.copyValue}. */
  copyValue(
    space: Keyspace,
    db: number,
    name: Uint8Array,
    root: number,
    done: () => void,
  ): boolean;
  monotonicMs(): number;
  later(run: () => void, delayMs: number): void;
}

/** A hold that knows whether others wait for its end. */
export interface WatchedHold extends ValueHold {
  /** Whether others did when it was last looked at. */
  isWanted(): boolean;
}

interface Hold extends WatchedHold {
  handle: LockHandle | null;
  readonly space: Keyspace;
  readonly db: number;
  readonly name: Uint8Array;
  /** Of a collection; 0 of a string. */
  readonly root: number;
  readonly patienceMs: number;
  /** Since when somebody waits; Infinity for nobody. */
  waitedSinceMs: number;
  isCopying: boolean;
}

const SMALL = 0;
const MIDDLE = 1;
const LARGE = 2;

/** How large a collection is, as far as is seen at once. */
function sizeOf(space: Keyspace, ref: number, smallMax: number): number {
  if (space.length(ref) > smallMax) return LARGE;
  const values = space.values.of(space.type(ref));
  const isLight = values.weight(ref) <= SMALL_WEIGHT_MAX;
  let bytes = values.memoryBytes(ref, SAMPLES);
  if (isLight && bytes <= SMALL_BYTES_MAX) bytes = values.memoryBytes(ref, ALL);
  if (bytes >= LARGE_BYTES_MIN) return LARGE;
  return isLight && bytes <= SMALL_BYTES_MAX ? SMALL : MIDDLE;
}

/** Whether somebody waits for a key; its latch is held. */
function isWaited({ locks }: Keyspace, db: number, key: Key): boolean {
  const { buf, off, length, hash } = key;
  const node = locks.find(db, buf, off, length, hash);
  return node !== 0 && locks.isWaitedFor(node);
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
    { label, patienceMs, shortPatienceMs }: HoldPurpose,
  ): WatchedHold | null => {
    const { smallMax, smallBytesMax, canCopy } = this.#ports;
    const { lock, monotonicMs } = this.#ports;
    const isString = space.type(ref) === TYPE_STRING;
    let size = SMALL;
    if (!isString) size = sizeOf(space, ref, smallMax());
    else if (space.strings.length(ref) > smallBytesMax()) size = LARGE;
    if (size === SMALL) return null;
    const key = space.nameOf(ref);
    // A value that was made for the reply has no key.
    if (space.peek(db, key) !== ref) return null;
    const name = key.buf.slice(key.off, key.off + key.length);
    const hold: Hold = {
      handle: null,
      ...{ space, db, name },
      root: isString ? 0 : space.valueRef(ref),
      patienceMs: size === MIDDLE || !isString && !canCopy()
        ? shortPatienceMs
        : patienceMs,
      waitedSinceMs: Infinity,
      isCopying: false,
      hurry: null,
      isWanted: () => hold.waitedSinceMs !== Infinity,
      release: () => {
        // Who came in between would have to copy what is being copied.
        if (!hold.isCopying) this.#end(hold);
      },
    };
    const spec: LockSpec = {
      ...{ read: [name], db, label, maxHoldMs: 0 },
      onWaited: () => this.#waited(hold),
    };
    hold.handle = lock(spec);
    if (hold.handle === null) {
      // Others wait to change it, who come next. Who waits for all keys as a whole
      // changes none, and is not to be passed.
      if (isString || isCopied(space, ref) || !isWaited(space, db, key)) {
        return null;
      }
      hold.handle = lock({ ...spec, passesWriters: true });
      if (hold.handle === null) return null;
      hold.waitedSinceMs = monotonicMs() - hold.patienceMs;
      this.#ports.later(() => this.#look(hold), 0);
    }
    this.#holds.add(hold);
    this.#planLook();
    return hold;
  };

  #end(hold: Hold): void {
    this.#holds.delete(hold);
    hold.handle!.close();
  }

  #planLook(): void {
    if (this.#isLooking || this.#holds.size === 0) return;
    this.#isLooking = true;
    this.#ports.later(() => {
      this.#isLooking = false;
      for (const hold of [...this.#holds]) this.#look(hold);
      this.#planLook();
    }, LOOK_MS);
  }

  /** The first one waits. */
  #waited(hold: Hold): void {
    if (hold.waitedSinceMs === Infinity) {
      hold.waitedSinceMs = this.#ports.monotonicMs();
    }
    if (hold.patienceMs === 0) this.#look(hold);
  }

  #look(hold: Hold): void {
    const { isWaitedFor, monotonicMs, canCopy, copyValue, later } = this.#ports;
    const { space, db, name, root } = hold;
    if (hold.isCopying || !this.#holds.has(hold) || hold.handle!.isClosed) {
      return;
    }
    const nowMs = monotonicMs();
    if (!isWaitedFor(hold.handle!)) {
      hold.waitedSinceMs = Infinity;
      return;
    }
    if (hold.waitedSinceMs === Infinity) hold.waitedSinceMs = nowMs;
    if (nowMs - hold.waitedSinceMs < hold.patienceMs) return;
    hold.hurry?.();
    if (!this.#holds.has(hold)) return;
    if (root === 0 || !canCopy()) return this.#end(hold);
    hold.isCopying = true;
    const isBegun = copyValue(space, db, name, root, () => this.#end(hold));
    if (isBegun) return;
    hold.isCopying = false;
    later(() => this.#look(hold), COPY_LOOK_MS);
  }
}

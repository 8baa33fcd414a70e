/**
 * A value that a reply reads after its command has run.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import { releaseValue, shareValue } from "../keyspace/shared_value.ts";
import { OutOfMemory } from "../memory/heap.ts";
import type { Call, ShardLatches, ValueHold } from "./call.ts";

/** The value does not change until its reading ends: no latch is needed to read. */
export class ValueReading {
  /** Where the key lies. */
  readonly space: Keyspace;
  /** An entry with the value. */
  readonly ref: number;
  readonly #latches: ShardLatches;
  readonly #hold: ValueHold | null;

  /**
   * Begins to read the value of an entry, whose latch is held. `isHeld` says
   * whether others are kept from changing it meanwhile, so that nobody has to
   * copy it. May throw OutOfMemory.
   */
  constructor(call: Call, space: Keyspace, ref: number, isHeld: boolean) {
    this.space = space;
    this.ref = shareValue(space, ref);
    this.#latches = call.latches;
    this.#hold = isHeld ? call.holdValue?.(space, call.db, ref) ?? null : null;
  }

  /** What is done when others wait for the end; null for nothing. */
  set hurry(hurry: (() => void) | null) {
    if (this.#hold !== null) this.#hold.hurry = hurry;
  }

  /** As the constructor; null if memory is short. */
  static begin(
    call: Call,
    space: Keyspace,
    ref: number,
    isHeld: boolean,
  ): ValueReading | null {
    try {
      return new ValueReading(call, space, ref, isHeld);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      return null;
    }
  }

  /** All is read; the latch is not held. */
  end(): void {
    this.#latches.acquire(this.space.shard);
    releaseValue(this.space, this.ref);
    this.#latches.release(this.space.shard);
    this.hurry = null;
    this.#hold?.release();
  }
}

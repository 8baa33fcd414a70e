/**
 * Where a command says what is to be recorded in its place: the effect log, or a
 * draft of what a change in slices will have recorded when it is done.
 *
 * @module
 */

import type { Heap } from "../memory/heap.ts";
import type { Arguments } from "../resp/arguments.ts";

/** Takes commands, argument by argument. */
export interface EffectSink {
  /** Whether changes are recorded. */
  readonly isOn: boolean;
  /** As {@linkcode EffectLog.replace}. */
  replace(db: number, name: Uint8Array, argc: number): this;
  /** Adds an argument that is argument `i` of the command at hand. */
  argument(args: Arguments, i: number): this;
  /** Adds an argument. */
  constant(bytes: Uint8Array): this;
  /** Adds an argument. */
  bytes(buf: Uint8Array, off: number, length: number): this;
  /**
   * Adds an argument that lies in the arena; a long one in a steady run may be
   * copied when no latch is held any more.
   */
  lasting(heap: Heap, buf: Uint8Array, off: number, length: number): this;
  /** As {@linkcode lasting}, of argument `i` of the command at hand. */
  lastingArgument(heap: Heap, args: Arguments, i: number): this;
  /** Adds an argument: an integer of up to 64 bits in decimal. */
  integer(value: number): this;
  /** Adds an argument: an integer of two words in decimal. */
  int64(hi: number, lo: number): this;
}

/** Where nothing is recorded. */
export const NOT_RECORDED: EffectSink = {
  isOn: false,
  replace() {
    return this;
  },
  argument() {
    return this;
  },
  constant() {
    return this;
  },
  bytes() {
    return this;
  },
  lasting() {
    return this;
  },
  lastingArgument() {
    return this;
  },
  integer() {
    return this;
  },
  int64() {
    return this;
  },
};

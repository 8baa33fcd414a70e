/**
 * Arguments of a command that waits which mean something else by the time the wait
 * is over, such as `$`: what stands for them then. All of them lie in one buffer, as
 * there may be very many.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { copyBytes } from "../base/bytes.ts";

/** Room for so many, at first. */
const ROOM = 8;
/** Bytes of one, about. */
const BYTES_EACH = 32;

/** Of one command. */
export class ReplacedArguments {
  /** How many. */
  count = 0;
  /** What stands for them, one behind the other. */
  bytes: Uint8Array = new Uint8Array(ROOM * BYTES_EACH);
  #at = new Int32Array(ROOM);
  #ends = new Int32Array(ROOM);

  /**
   * The first `length` of these bytes stand for the argument of that number, which
   * is greater than those before.
   */
  add(argument: number, source: Uint8Array, length: number): void {
    const { count } = this;
    assert(
      count === 0 || argument > this.#at[count - 1]!,
      "replaced arguments are in order",
    );
    if (count === this.#at.length) {
      this.#at = moreOf(this.#at);
      this.#ends = moreOf(this.#ends);
    }
    const start = this.startOf(count);
    while (start + length > this.bytes.length) {
      const larger = new Uint8Array(2 * this.bytes.length);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    copyBytes(source, 0, this.bytes, start, length);
    this.#at[count] = argument;
    this.#ends[count] = start + length;
    this.count++;
  }

  /** Whether the one of this number, if there is one, stands for an argument. */
  isFor(i: number, argument: number): boolean {
    return i < this.count && this.#at[i] === argument;
  }

  /** Where its bytes begin. */
  startOf(i: number): number {
    return i === 0 ? 0 : this.#ends[i - 1]!;
  }

  /** How many bytes they are. */
  lengthOf(i: number): number {
    return this.#ends[i]! - this.startOf(i);
  }
}

function moreOf(words: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * words.length);
  larger.set(words);
  return larger;
}

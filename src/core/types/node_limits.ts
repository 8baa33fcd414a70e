/**
 * How large one node of a list may be: what `list-max-listpack-size` says.
 *
 * A negative number is one of five sizes in bytes. Others are elements, and then
 * a node also has no more than 8 kB.
 *
 * @module
 */

import type { EncodingLimits } from "./value_type.ts";

/** Most bytes of a node that is limited by its elements. */
const SAFE_BYTES_MAX = 8192;
const SMALLEST_LIMIT_BYTES = 4096;
const LARGEST_LIMIT = 5;

const NO_LIMIT = 0x7fffffff;

/** How large a node may be, by `list-max-listpack-size`. */
export class NodeLimits {
  /** Most bytes. */
  bytesMax = 0;
  /** Most elements. */
  countMax = 0;
  readonly #limits: EncodingLimits;
  #size: number;

  /** `limits` may change at any time. */
  constructor(limits: EncodingLimits) {
    this.#limits = limits;
    this.#size = limits.listMaxListpackSize;
    this.#setSize(this.#size);
  }

  /** Reads the setting anew. */
  refresh(): void {
    const size = this.#limits.listMaxListpackSize;
    if (size !== this.#size) this.#setSize(size);
  }

  #setSize(size: number): void {
    this.#size = size;
    if (size < 0) {
      const step = size < -LARGEST_LIMIT ? LARGEST_LIMIT : -size;
      this.bytesMax = SMALLEST_LIMIT_BYTES << (step - 1);
      this.countMax = NO_LIMIT;
    } else {
      this.bytesMax = SAFE_BYTES_MAX;
      this.countMax = size === 0 ? 1 : size;
    }
  }

  /** Whether the elements are what limits a node. */
  get isByCount(): boolean {
    return this.countMax !== NO_LIMIT;
  }
}

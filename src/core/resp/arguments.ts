/**
 * The argument vector of one request: where each argument lies.
 *
 * Arguments are never copied out of the connection's input buffer; a big one
 * lies in the arena, where it streamed to while it arrived. Both are named by a
 * source (a byte view), an offset and a length.
 *
 * @module
 */

import { concat } from "@std/bytes";

/** Source number of arguments that lie in the input buffer. */
const IN_BUFFER = -1;

/** Offsets and lengths of a request's arguments; reused for every request. */
export class Arguments {
  /** Arguments so far, the command's name included. */
  count = 0;
  /** The input buffer. */
  buf: Uint8Array = new Uint8Array(0);
  /** Offset of each argument in its source. */
  off: Int32Array = new Int32Array(16);
  /** Length of each argument. */
  length: Int32Array = new Int32Array(16);
  /**
   * Where the request begins in the input buffer, an array of bulk strings; -1 if
   * the arguments are none, or lie elsewhere by now.
   */
  start = -1;
  /** Where it ends, if it begins anywhere. */
  end = 0;
  /** Number of the command, if it was looked up ahead of time; else -1. */
  command = -1;
  /** Hash of its one key. */
  hash = 0;
  /** Shard of its one key. */
  shard = 0;
  /** References of arguments that streamed into the arena, 0 for the others. */
  #big: Int32Array | null = null;
  #segments: readonly Uint8Array[] = [];
  #segment: Int8Array | null = null;

  /** Whether any argument lies in the arena. */
  get hasBig(): boolean {
    return this.#big !== null;
  }

  /** Bytes of all arguments and of what lies between; Infinity if one is big. */
  get bytesAtMost(): number {
    if (this.#big !== null) return Infinity;
    const last = this.count - 1;
    return last < 0 ? 0 : this.off[last]! + this.length[last]! - this.off[0]!;
  }

  /** Forgets all arguments. References of big ones must have been taken. */
  clear(): void {
    this.count = 0;
    this.start = -1;
    this.command = -1;
    this.#big = null;
    this.#segment = null;
  }

  /** Adds an argument that lies in the input buffer. */
  add(off: number, length: number): void {
    const i = this.count;
    if (i === this.off.length) this.#grow();
    this.off[i] = off;
    this.length[i] = length;
    this.count = i + 1;
  }

  /** Adds an argument that lies in the arena under the run `ref`. */
  addBig(
    ref: number,
    segments: readonly Uint8Array[],
    segment: number,
    off: number,
    length: number,
  ): void {
    const i = this.count;
    this.add(off, length);
    this.#segments = segments;
    this.#big ??= new Int32Array(this.off.length);
    this.#segment ??= new Int8Array(this.off.length).fill(IN_BUFFER);
    this.#big[i] = ref;
    this.#segment[i] = segment;
  }

  /** The byte view in which argument `i` lies. */
  source(i: number): Uint8Array {
    if (this.#segment === null) return this.buf;
    const segment = this.#segment[i]!;
    return segment === IN_BUFFER ? this.buf : this.#segments[segment]!;
  }

  /** The run of a big argument, or 0; the caller becomes its owner. */
  takeBig(i: number): number {
    if (this.#big === null) return 0;
    const ref = this.#big[i]!;
    this.#big[i] = 0;
    return ref;
  }

  /** The run of a big argument, or 0; it still belongs to the arguments. */
  bigAt(i: number): number {
    return this.#big === null ? 0 : this.#big[i]!;
  }

  /** Shifts the arguments in the input buffer, which was compacted. */
  shift(by: number): void {
    // Negative if its beginning is gone.
    this.start -= by;
    this.end -= by;
    for (let i = 0; i < this.count; i++) {
      if (this.#segment === null || this.#segment[i] === IN_BUFFER) {
        this.off[i] = this.off[i]! - by;
      }
    }
  }

  /** A copy of argument `i`, for commands that outlive the input buffer. */
  copy(i: number): Uint8Array {
    const off = this.off[i]!;
    return this.source(i).slice(off, off + this.length[i]!);
  }

  /** Argument `i` where it lies, for as long as the command runs. */
  view(i: number): Uint8Array {
    const off = this.off[i]!;
    return this.source(i).subarray(off, off + this.length[i]!);
  }

  /**
   * Arguments with bytes of their own, for commands that outlive the input
   * buffer; big ones are taken over. They must lie in it in their order.
   */
  take(): Arguments {
    const taken = new Arguments();
    const { count, off, length } = this;
    taken.count = count;
    taken.off = off.slice(0, count);
    taken.length = length.slice(0, count);
    if (this.#big !== null) {
      taken.#segments = this.#segments;
      taken.#segment = this.#segment!.slice(0, count);
      taken.#big = this.#big.slice(0, count);
      this.#big.fill(0);
    }
    let first = 0;
    let last = count - 1;
    while (first <= last && this.#isBig(first)) first++;
    while (first < last && this.#isBig(last)) last--;
    if (first > last) return taken;
    const start = off[first]!;
    taken.buf = this.buf.slice(start, off[last]! + length[last]!);
    for (let i = first; i <= last; i++) {
      if (!this.#isBig(i)) taken.off[i] = off[i]! - start;
    }
    return taken;
  }

  #isBig(i: number): boolean {
    return this.#segment !== null && this.#segment[i] !== IN_BUFFER;
  }

  #grow(): void {
    const size = this.off.length * 2;
    this.off = grown(this.off, new Int32Array(size));
    this.length = grown(this.length, new Int32Array(size));
    if (this.#big !== null) this.#big = grown(this.#big, new Int32Array(size));
    if (this.#segment !== null) {
      this.#segment = grown(
        this.#segment,
        new Int8Array(size).fill(IN_BUFFER),
      );
    }
  }
}

/** Arguments of these bytes, which are copied. */
export function argumentsOf(argv: readonly Uint8Array[]): Arguments {
  const args = new Arguments();
  args.buf = concat(argv);
  let off = 0;
  for (const { length } of argv) {
    args.add(off, length);
    off += length;
  }
  return args;
}

function grown<T extends Int32Array | Int8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

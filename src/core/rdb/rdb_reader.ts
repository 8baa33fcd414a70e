/**
 * Reads the elements of Redis's snapshot format, as rdb_writer.ts draws them,
 * from bytes that may be anything at all.
 *
 * What is not as it should be is answered with {@linkcode BadFormat}; nothing is
 * read beyond the end, and no memory is taken because of a mere number. Strings
 * are not copied: one that is written as it is lies in the bytes that are read.
 * A compressed one of more than 64 KB gets a run in the arena for the time.
 *
 * @module
 */

import { writeInteger } from "../base/integer.ts";
import { LZF_RATIO_MAX, lzfDecompress } from "../base/lzf.ts";
import { parseDouble } from "../base/double.ts";
import type { ExternalStrings } from "../memory/external.ts";
import { OutOfMemory } from "../memory/heap.ts";
import { ListpackItem } from "../memory/listpack.ts";
import {
  LENGTH_14,
  LENGTH_32,
  LENGTH_6,
  LENGTH_64,
  LENGTH_ENCODED,
  STRING_BYTES_MAX,
  STRING_INT16,
  STRING_INT32,
  STRING_INT8,
  STRING_LZF,
} from "./rdb_types.ts";

/** Longest string that is decompressed outside of the arena. */
const SCRATCH_BYTES_MAX = 64 * 1024;
const TWO_TO_32 = 2 ** 32;

/** First bytes of doubles as text that are no length. */
const TEXT_NAN = 253;
const TEXT_INFINITY = 254;
const TEXT_MINUS_INFINITY = 255;

const NUMBER = new DataView(new ArrayBuffer(8));

/** Thrown where bytes are not what they claim to be. */
export class BadFormat extends Error {
  override readonly name = "BadFormat";
  /** What is not as it should be. */
  readonly what: string;
  /** `what` is not as it should be. */
  constructor(what: string) {
    super(`Cannot read a dumped value: ${what}`);
    this.what = what;
  }
}

/** Thrown where there are not as many bytes as there should be. */
export class EndOfBytes extends BadFormat {
  /** It is always the same. */
  constructor() {
    super("it ends too early");
  }
}

/**
 * A string as read: one object, filled anew by each read. It can also be an
 * element of something packed.
 */
export class RdbString extends ListpackItem {
  /** The run that was made for the bytes, or 0. */
  run = 0;
  /** Room for bytes that were decompressed. */
  scratch: Uint8Array = new Uint8Array(0);
}

/** A reader of one run of bytes. */
export class RdbReader {
  /** Holds the bytes. */
  buf: Uint8Array;
  /** Where the next byte is. */
  at: number;
  /** The upper half of the last length of 64 bits. */
  high = 0;
  /** Its lower half, without sign. */
  low = 0;
  #end: number;
  readonly #externals: ExternalStrings;
  /** Strings that have runs. */
  readonly #held: RdbString[] = [];

  /** Long strings are decompressed into runs of `externals`. */
  constructor(
    externals: ExternalStrings,
    buf: Uint8Array,
    off: number,
    length: number,
  ) {
    this.#externals = externals;
    this.buf = buf;
    this.at = off;
    this.#end = off + length;
  }

  /** Goes on with other bytes. */
  reset(buf: Uint8Array, off: number, length: number): void {
    this.end();
    this.buf = buf;
    this.at = off;
    this.#end = off + length;
  }

  /** Ends: the strings that were read are not to be used any more. */
  end(): void {
    if (this.#held.length === 0) return;
    for (const text of this.#held) this.#release(text);
    this.#held.length = 0;
  }

  /** One byte. */
  byte(): number {
    this.#need(1);
    return this.buf[this.at++]!;
  }

  /** Passes over bytes; returns where they begin. */
  raw(length: number): number {
    this.#need(length);
    const at = this.at;
    this.at += length;
    return at;
  }

  /** A length or a count, a safe integer; what it counts may not be there. */
  length(): number {
    this.#need(1);
    const head = this.buf[this.at]!;
    if (head < 64) {
      // By far the most.
      this.at++;
      return head;
    }
    this.length64();
    const n = this.high * TWO_TO_32 + this.low;
    if (!Number.isSafeInteger(n)) throw new BadFormat("a length is too great");
    return n;
  }

  /**
   * As many of `count` elements as there can be in what is left, of which no two
   * are equal: memory may be asked for by this number.
   */
  likely(count: number): number {
    return Math.min(count, (this.#end - this.at >>> 1) + 1);
  }

  /** A length of 64 bits, into `high` and `low`. */
  length64(): void {
    const head = this.byte();
    this.high = 0;
    switch (head >>> 6) {
      case LENGTH_6:
        this.low = head;
        return;
      case LENGTH_14:
        this.low = (head & 63) << 8 | this.byte();
        return;
      case LENGTH_ENCODED:
        throw new BadFormat("a length is no number");
    }
    if (head === LENGTH_64) this.high = this.#bigEndian();
    else if (head !== LENGTH_32) throw new BadFormat("a length is unknown");
    this.low = this.#bigEndian();
  }

  /** A string. */
  string(into: RdbString): void {
    if (into.run !== 0) this.#release(into);
    this.#need(1);
    const head = this.buf[this.at]!;
    if (head >>> 6 !== LENGTH_ENCODED) {
      const length = this.length();
      into.buf = this.buf;
      into.off = this.raw(length);
      into.length = length;
      return;
    }
    this.at++;
    if (head === STRING_LZF) return this.#decompress(into);
    into.buf = into.digits;
    into.off = 0;
    into.length = writeInteger(this.#integer(head), into.digits, 0);
  }

  /** Passes over a string. */
  skipString(): void {
    this.#need(1);
    const head = this.buf[this.at]!;
    if (head >>> 6 !== LENGTH_ENCODED) {
      this.raw(this.length());
      return;
    }
    this.at++;
    if (head === STRING_LZF) {
      const packed = this.length();
      this.length();
      this.raw(packed);
    } else this.#integer(head);
  }

  /** The run of a string is the caller's from now on; 0 if it has none. */
  takeRun(text: RdbString): number {
    const { run } = text;
    text.run = 0;
    return run;
  }

  /** A double of eight bytes, low byte first. */
  double(): number {
    this.#number();
    return NUMBER.getFloat64(0, true);
  }

  /** A double as text behind its length. */
  textDouble(): number {
    const length = this.byte();
    switch (length) {
      case TEXT_NAN:
        return NaN;
      case TEXT_INFINITY:
        return Infinity;
      case TEXT_MINUS_INFINITY:
        return -Infinity;
    }
    return parseDouble(this.buf, this.raw(length), length);
  }

  /** Milliseconds, eight bytes; near the truth beyond the safe integers. */
  milliseconds(): number {
    this.#number();
    return NUMBER.getInt32(4, true) * TWO_TO_32 + NUMBER.getUint32(0, true);
  }

  #integer(head: number): number {
    const bytes = head === STRING_INT8
      ? 1
      : head === STRING_INT16
      ? 2
      : head === STRING_INT32
      ? 4
      : 0;
    if (bytes === 0) throw new BadFormat("a string is of unknown encoding");
    const at = this.raw(bytes);
    const { buf } = this;
    if (bytes === 1) return buf[at]! << 24 >> 24;
    const low = buf[at]! | buf[at + 1]! << 8;
    if (bytes === 2) return low << 16 >> 16;
    return low | buf[at + 2]! << 16 | buf[at + 3]! << 24;
  }

  #decompress(into: RdbString): void {
    const packed = this.length();
    const length = this.length();
    const from = this.raw(packed);
    if (length > STRING_BYTES_MAX || length > packed * LZF_RATIO_MAX) {
      throw new BadFormat("a string is longer than it can be");
    }
    into.off = 0;
    into.length = length;
    if (length > SCRATCH_BYTES_MAX) this.#makeRun(into, length);
    else {
      if (length > into.scratch.length) {
        into.scratch = new Uint8Array(Math.max(length, 1024));
      }
      into.buf = into.scratch;
    }
    if (!lzfDecompress(this.buf, from, packed, into.buf, into.off, length)) {
      throw new BadFormat("a compressed string is damaged");
    }
  }

  #makeRun(into: RdbString, length: number): void {
    const run = this.#externals.create(length);
    if (run === 0) throw new OutOfMemory();
    this.#externals.setLength(run, length);
    into.run = run;
    into.buf = this.#externals.bytes(run);
    into.off = this.#externals.offset(run);
    if (!this.#held.includes(into)) this.#held.push(into);
  }

  #release(text: RdbString): void {
    if (text.run !== 0) this.#externals.unpin(text.run);
    text.run = 0;
  }

  #bigEndian(): number {
    const at = this.raw(4);
    const { buf } = this;
    return (buf[at]! << 24 | buf[at + 1]! << 16 | buf[at + 2]! << 8 |
      buf[at + 3]!) >>> 0;
  }

  #number(): void {
    const at = this.raw(8);
    for (let i = 0; i < 8; i++) NUMBER.setUint8(i, this.buf[at + i]!);
  }

  #need(bytes: number): void {
    if (bytes > this.#end - this.at) throw new EndOfBytes();
  }
}

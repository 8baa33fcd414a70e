/**
 * A record of a command with long arguments, made before the command runs: under
 * its latches nothing long is to be copied.
 *
 * ```text
 * buf   room before | the command as it was given | room behind
 * ```
 *
 * What is recorded may be that, perhaps with other commands before it, or some of
 * the arguments in other words: whatever comes before a long argument is written
 * right before where it lies, and what follows it behind.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import type { Arguments } from "../resp/arguments.ts";
import {
  putVarint,
  RECORD_HEADER_BYTES,
  VARINT_BYTES_MAX,
  varintBytes,
} from "./effect_record.ts";

/** Shorter arguments may be copied under latches. */
export const LONG_ARGUMENT_BYTES = 1 << 14;
/** Room for names of commands, options and numbers before a long argument. */
const WORDS_BYTES = 512;
/** Room behind a record for words, and for short records that follow it. */
const FOLLOWING_BYTES = 1 << 16;

/** Bytes of a command as it was given, at most. */
export function commandBytes({ count, length }: Arguments): number {
  let bytes = (2 + count) * VARINT_BYTES_MAX;
  for (let i = 0; i < count; i++) bytes += length[i]!;
  return bytes;
}

/** The record of one command. */
export class PreparedRecord {
  /** The arguments of the command, wherever they lie. */
  args: Arguments;
  readonly buf: Uint8Array<ArrayBuffer>;
  /** Where each argument begins with its length, and where the last one ends. */
  readonly #starts: Float64Array;
  #start: number;

  /** Copies the arguments of a command in a database. */
  constructor(db: number, args: Arguments) {
    const { count, length } = args;
    const bytes = commandBytes(args);
    let before = RECORD_HEADER_BYTES + WORDS_BYTES;
    for (let i = 0; i < count; i++) {
      // The key may be named by a command before this one, too.
      if (length[i]! < LONG_ARGUMENT_BYTES) before += length[i]!;
    }
    const buf = new Uint8Array(before + bytes + FOLLOWING_BYTES);
    const starts = new Float64Array(count + 1);
    let at = putVarint(buf, putVarint(buf, before, db), count);
    for (let i = 0; i < count; i++) {
      starts[i] = at;
      at = putVarint(buf, at, length[i]!);
      copyBytes(args.source(i), args.off[i]!, buf, at, length[i]!);
      at += length[i]!;
    }
    starts[count] = at;
    this.args = args;
    this.buf = buf;
    this.#start = before;
    this.#starts = starts;
  }

  /** Where the command begins. */
  get start(): number {
    return this.#start;
  }

  /** Where the command ends. */
  get end(): number {
    return this.startOf(this.#starts.length - 1);
  }

  /** Where argument `i` begins, its length first; that behind the last: the end. */
  startOf(i: number): number {
    return this.#starts[i]!;
  }

  /**
   * Puts other words in the place of the arguments before one; false if there is
   * no room for them.
   */
  reword(db: number, words: readonly Uint8Array[], from: number): boolean {
    const { buf } = this;
    const count = words.length + this.#starts.length - 1 - from;
    const end = this.startOf(from);
    let start = end - varintBytes(db) - varintBytes(count);
    for (const { length } of words) start -= varintBytes(length) + length;
    if (start < RECORD_HEADER_BYTES) return false;
    let at = putVarint(buf, putVarint(buf, start, db), count);
    for (const word of words) {
      at = putVarint(buf, at, word.length);
      buf.set(word, at);
      at += word.length;
    }
    this.#start = start;
    return true;
  }
}

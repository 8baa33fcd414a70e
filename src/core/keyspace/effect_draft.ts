/**
 * A record of effects that is written over several turns, while others record
 * what they do: it is recorded as a whole by {@linkcode EffectLog.replaceWith}.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import { writeInt64 } from "../base/int64.ts";
import { INTEGER_BYTES_MAX, writeInteger } from "../base/integer.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { EffectLog } from "./effect_log.ts";
import {
  putVarint,
  RECORD_HEADER_BYTES,
  VARINT_BYTES_MAX,
} from "./effect_record.ts";
import type { EffectSink } from "./effect_sink.ts";

/** Commands that will be recorded together. */
export class EffectDraft implements EffectSink {
  readonly isOn = true;
  /** The record, its head left out. */
  buf: Uint8Array<ArrayBuffer>;
  /** Where it ends. */
  end = RECORD_HEADER_BYTES;

  /** A draft of about so many bytes; to guess well saves copying. */
  constructor(bytes: number) {
    this.buf = new Uint8Array(RECORD_HEADER_BYTES + bytes);
  }

  /** Begins a command; all its arguments must follow, its name first. */
  command(db: number, argc: number): this {
    this.#reserve(2 * VARINT_BYTES_MAX);
    this.end = putVarint(this.buf, putVarint(this.buf, this.end, db), argc);
    return this;
  }

  /** Begins a command; the arguments behind its name must follow. */
  replace(db: number, name: Uint8Array, argc: number): this {
    return this.command(db, argc).constant(name);
  }

  argument(args: Arguments, i: number): this {
    return this.bytes(args.source(i), args.off[i]!, args.length[i]!);
  }

  constant(bytes: Uint8Array): this {
    return this.bytes(bytes, 0, bytes.length);
  }

  bytes(source: Uint8Array, off: number, length: number): this {
    this.#reserve(VARINT_BYTES_MAX + length);
    const at = putVarint(this.buf, this.end, length);
    copyBytes(source, off, this.buf, at, length);
    this.end = at + length;
    return this;
  }

  integer(value: number): this {
    return this.bytes(DIGITS, 0, writeInteger(value, DIGITS, 0));
  }

  int64(hi: number, lo: number): this {
    return this.bytes(DIGITS, 0, writeInt64(hi, lo, DIGITS, 0));
  }

  /** Adds commands that have been written already. */
  append(commands: Uint8Array): void {
    this.#reserve(commands.length);
    this.buf.set(commands, this.end);
    this.end += commands.length;
  }

  /** Is what the command at hand has done; a log that has ended wants nothing. */
  recordIn(effects: EffectLog): void {
    if (effects.isOn) effects.replaceWith(this);
  }

  #reserve(bytes: number): void {
    const needed = this.end + bytes;
    if (needed <= this.buf.length) return;
    const grown = new Uint8Array(needed + (needed >> 1));
    grown.set(this.buf.subarray(0, this.end));
    this.buf = grown;
  }
}

const DIGITS = new Uint8Array(INTEGER_BYTES_MAX);

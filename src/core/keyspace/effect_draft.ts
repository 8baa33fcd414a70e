/**
 * A record of effects that is written over several turns, while others record
 * what they do: it is recorded as a whole by {@linkcode EffectLog.replaceWith}.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import {
  putVarint,
  RECORD_HEADER_BYTES,
  VARINT_BYTES_MAX,
} from "./effect_record.ts";

/** Commands that will be recorded together. */
export class EffectDraft {
  /** The record, its head left out. */
  buf: Uint8Array<ArrayBuffer>;
  /** Where it ends. */
  end = RECORD_HEADER_BYTES;

  /** A draft of about so many bytes; to guess well saves copying. */
  constructor(bytes: number) {
    this.buf = new Uint8Array(RECORD_HEADER_BYTES + bytes);
  }

  /** Begins a command; its name and the other arguments must follow. */
  command(db: number, argc: number): void {
    this.#reserve(2 * VARINT_BYTES_MAX);
    this.end = putVarint(this.buf, putVarint(this.buf, this.end, db), argc);
  }

  /** Adds an argument. */
  argument(source: Uint8Array, off: number, length: number): void {
    this.#reserve(VARINT_BYTES_MAX + length);
    const at = putVarint(this.buf, this.end, length);
    copyBytes(source, off, this.buf, at, length);
    this.end = at + length;
  }

  #reserve(bytes: number): void {
    const needed = this.end + bytes;
    if (needed <= this.buf.length) return;
    const grown = new Uint8Array(needed + (needed >> 1));
    grown.set(this.buf.subarray(0, this.end));
    this.buf = grown;
  }
}

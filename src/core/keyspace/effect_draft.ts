/**
 * A record of effects that is written over several turns, while others record
 * what they do: it is recorded as a whole by {@linkcode EffectLog.replaceWith}.
 *
 * It may become as long as it likes. It is a list of blocks, none of which is
 * copied when there is another: to make one long buffer longer would take long
 * under a latch. Nor are long bytes that can be kept where they lie.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import { writeInt64 } from "../base/int64.ts";
import { INTEGER_BYTES_MAX, writeInteger } from "../base/integer.ts";
import type { Heap } from "../memory/heap.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { EffectLog } from "./effect_log.ts";
import {
  putVarint,
  RECORD_HEADER_BYTES,
  VARINT_BYTES_MAX,
} from "./effect_record.ts";
import type { EffectSink } from "./effect_sink.ts";
import type { BytePiece } from "./waiting_bytes.ts";

/** Bytes of the first block; each is twice as long as the one before. */
const FIRST_BLOCK_BYTES = 1 << 12;
/** Bytes of a block that is one of many. */
const BLOCK_BYTES_MAX = 1 << 18;
/** Bytes after which it may be parted where a command begins. */
const PART_BYTES_MIN = 1 << 20;
/** Bytes from which on they are rather kept where they lie. */
const KEPT_BYTES_MIN = 1 << 16;

/** Commands that will be recorded together. */
export class EffectDraft implements EffectSink {
  readonly isOn = true;
  readonly #blocks: BytePiece[] = [];
  /** The last block. */
  #buf = new Uint8Array(FIRST_BLOCK_BYTES);
  /** Where its bytes begin: the first leaves room for the record's head. */
  #from = RECORD_HEADER_BYTES;
  #end = RECORD_HEADER_BYTES;
  /** Bytes in blocks before it since it could be parted. */
  #bytesBefore = 0;
  /** Whether it may be parted before the next block. */
  #canPart = false;

  /**
   * All of it, which is given up; before the first piece there is room for the
   * head of a record.
   */
  take(): readonly BytePiece[] {
    this.#endBlock();
    return this.#blocks.splice(0);
  }

  /** Begins a command; all its arguments must follow, its name first. */
  command(db: number, argc: number): this {
    const bytes = this.#bytesBefore + this.#end - this.#from;
    if (bytes >= PART_BYTES_MIN) this.beginPart();
    this.#varint(db);
    this.#varint(argc);
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
    const buf = this.#buf;
    if (this.#end + VARINT_BYTES_MAX + length > buf.length) {
      this.#varint(length);
      this.append(source, off, length);
      return this;
    }
    const at = putVarint(buf, this.#end, length);
    copyBytes(source, off, buf, at, length);
    this.#end = at + length;
    return this;
  }

  /**
   * Adds an argument that lies in the arena; a long one in a steady run is copied
   * when no latch is held any more. A draft that is not recorded must be dropped
   * then.
   */
  lasting(heap: Heap, buf: Uint8Array, off: number, length: number): this {
    const run = length < KEPT_BYTES_MIN ? 0 : heap.steadyRunAt(buf, off);
    return run === 0
      ? this.bytes(buf, off, length)
      : this.#keep(heap, run, buf, off, length);
  }

  /** As {@linkcode lasting}, of an argument of the command. */
  lastingArgument(heap: Heap, args: Arguments, i: number): this {
    const run = args.bigAt(i);
    const off = args.off[i]!;
    return run === 0
      ? this.argument(args, i)
      : this.#keep(heap, run, args.source(i), off, args.length[i]!);
  }

  #keep(
    heap: Heap,
    run: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): this {
    this.#varint(length);
    this.#endBlock();
    heap.keep(run);
    const done = () => heap.letGo(run);
    this.#push({ buf, from: off, end: off + length, done });
    return this;
  }

  /** It will not be recorded. */
  drop(): void {
    for (const { done } of this.#blocks) done?.();
    this.#blocks.length = 0;
  }

  integer(value: number): this {
    return this.bytes(DIGITS, 0, writeInteger(value, DIGITS, 0));
  }

  int64(hi: number, lo: number): this {
    return this.bytes(DIGITS, 0, writeInt64(hi, lo, DIGITS, 0));
  }

  /** Adds commands that have been written already, or a part of one. */
  append(source: Uint8Array, off: number, length: number): void {
    const end = off + length;
    for (let at = off; at < end;) {
      if (this.#end === this.#buf.length) this.#beginBlock(end - at);
      const bytes = Math.min(this.#buf.length - this.#end, end - at);
      copyBytes(source, at, this.#buf, this.#end, bytes);
      this.#end += bytes;
      at += bytes;
    }
  }

  /** As {@linkcode append}, of bytes that are kept where they lie. */
  appendKept(piece: BytePiece): void {
    this.#endBlock();
    this.#push(piece);
  }

  /** A command begins here: the record may be parted. */
  beginPart(): void {
    this.#endBlock();
    this.#canPart = true;
    this.#bytesBefore = 0;
  }

  /** Is what the command at hand has done; a log that has ended wants nothing. */
  recordIn(effects: EffectLog): void {
    if (effects.isOn) effects.replaceWith(this);
    else this.drop();
  }

  #varint(value: number): void {
    const length = putVarint(VARINT, 0, value);
    this.append(VARINT, 0, length);
  }

  /** Begins a block with room for so many bytes at once. */
  #beginBlock(bytes: number): void {
    const more = Math.min(2 * this.#buf.length, BLOCK_BYTES_MAX);
    this.#endBlock();
    this.#buf = new Uint8Array(Math.max(more, bytes));
    this.#from = this.#end = 0;
  }

  #endBlock(): void {
    if (this.#from === this.#end) return;
    this.#push({ buf: this.#buf, from: this.#from, end: this.#end });
    this.#from = this.#end;
  }

  #push(piece: BytePiece): void {
    this.#blocks.push(this.#canPart ? { ...piece, canPart: true } : piece);
    this.#canPart = false;
    this.#bytesBefore += piece.end - piece.from;
  }
}

const DIGITS = new Uint8Array(INTEGER_BYTES_MAX);
const VARINT = new Uint8Array(VARINT_BYTES_MAX);

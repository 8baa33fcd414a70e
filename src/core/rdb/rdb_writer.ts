/**
 * Writes the elements of Redis's snapshot format: lengths, strings, numbers.
 *
 * Bytes gather in a buffer and go to a sink when it is full, so that what is
 * written may have any length; what fits into the buffer needs no sink. The
 * checksum is of all bytes since the beginning.
 *
 * ```text
 * length   00nnnnnn | 01nnnnnn n{8} | 80 n{32} | 81 n{64}        high byte first
 * string   length, bytes | C0 n{8} | C1 n{16} | C2 n{32}          low byte first
 *          | C3 length compressed, length, LZF
 * ```
 *
 * A string that is the text of an integer of 32 bits is written as one. Others
 * from 21 bytes on are compressed if that saves four bytes, but not those above
 * a megabyte: to compress one takes longer than a reader wants to wait.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import { Crc64, CRC64_BYTES } from "../base/crc64.ts";
import { parseSafeInteger } from "../base/integer.ts";
import { lzfCompress } from "../base/lzf.ts";
import {
  LENGTH_14,
  LENGTH_32,
  LENGTH_64,
  STRING_INT16,
  STRING_INT32,
  STRING_INT8,
  STRING_LZF,
} from "./rdb_types.ts";

/** Takes what a writer has written, piece by piece. */
export interface RdbSink {
  /** The bytes are good until it returns. */
  write(buf: Uint8Array, off: number, length: number): void;
}

/** Bytes that a writer gathers. */
const BUFFER_BYTES = 64 * 1024;
/** Most bytes that anything but a string takes. */
const ELEMENT_BYTES_MAX = 16;
/** Longest text that may be an integer of 32 bits. */
const INT32_TEXT_MAX = 11;
/** Shorter strings are not worth to be compressed. */
const COMPRESSED_BYTES_MIN = 21;
/** Longer ones take too long. */
export const COMPRESSED_BYTES_MAX = 1024 * 1024;
/** Bytes that compression must save. */
const SAVED_BYTES_MIN = 4;
const TWO_TO_32 = 2 ** 32;

const NUMBER = new DataView(new ArrayBuffer(8));

/** A writer; one per worker will do, as one value is written at a time. */
export class RdbWriter {
  /** What is not yet with the sink: the first `at` bytes. */
  buf: Uint8Array<ArrayBuffer>;
  /** Where the next byte goes. */
  at = 0;
  /** Bytes that the sink has got. */
  sentBytes = 0;
  /** Whether strings are not compressed, as there is no time for it. */
  isHurried = false;
  readonly #crc = new Crc64();
  /** How far the checksum has come in the buffer. */
  #summed = 0;
  #sink: RdbSink | null = null;
  #compresses = true;
  #sums = true;
  /** Room for a compressed string. */
  #packed = new Uint8Array(4096);

  /** Gathers up to `bufferBytes`. */
  constructor(bufferBytes: number = BUFFER_BYTES) {
    this.buf = new Uint8Array(bufferBytes);
  }

  /**
   * Begins anew; what is long goes to `sink`. Without `sums` there is no
   * checksum, which then costs nothing.
   */
  begin(sink: RdbSink, compresses: boolean, sums = true): void {
    this.#sums = sums;
    this.at = 0;
    this.sentBytes = 0;
    this.#summed = 0;
    this.#crc.reset();
    this.#sink = sink;
    this.#compresses = compresses;
  }

  /** Ends, with what is left given to the sink. */
  flush(): void {
    this.#sum();
    this.#send(this.buf, 0, this.at);
    this.at = 0;
    this.#summed = 0;
  }

  /**
   * What is in the buffer, which the sink does not get; in one of its own, to be
   * transferred (see base/steady_code.ts).
   */
  take(): Uint8Array<ArrayBuffer> {
    this.#sum();
    const taken = this.buf.slice(0, this.at);
    this.at = 0;
    this.#summed = 0;
    return taken;
  }

  /** One byte. */
  byte(n: number): void {
    this.#room(1);
    this.buf[this.at++] = n;
  }

  /** A length, or any integer that is not negative and safe. */
  length(n: number): void {
    if (n < 64) return this.byte(n);
    if (n >= TWO_TO_32) return this.length64(Math.floor(n / TWO_TO_32), n);
    this.#room(ELEMENT_BYTES_MAX);
    const { buf } = this;
    let at = this.at;
    if (n < 16384) {
      buf[at++] = LENGTH_14 << 6 | n >>> 8;
      buf[at++] = n;
    } else {
      buf[at++] = LENGTH_32;
      at = putBigEndian(buf, at, n);
    }
    this.at = at;
  }

  /** A length of 64 bits, given in two halves of which `low` may have more. */
  length64(high: number, low: number): void {
    if (high === 0) return this.length(low >>> 0);
    this.#room(ELEMENT_BYTES_MAX);
    const { buf } = this;
    buf[this.at] = LENGTH_64;
    const middle = putBigEndian(buf, this.at + 1, high);
    this.at = putBigEndian(buf, middle, low);
  }

  /** A string, in the shortest form. */
  string(buf: Uint8Array, off: number, length: number): void {
    if (length <= INT32_TEXT_MAX) {
      const n = parseSafeInteger(buf, off, length);
      if (n === (n | 0)) return this.#integer(n);
    } else if (
      this.#compresses && !this.isHurried && length >= COMPRESSED_BYTES_MIN &&
      length <= COMPRESSED_BYTES_MAX && this.#compressed(buf, off, length)
    ) return;
    this.length(length);
    this.raw(buf, off, length);
  }

  /** A double, eight bytes, low byte first. */
  double(x: number): void {
    this.#room(8);
    NUMBER.setFloat64(0, x, true);
    this.#number();
  }

  /** Milliseconds, a safe integer; eight bytes, low byte first. */
  milliseconds(n: number): void {
    this.#room(8);
    NUMBER.setInt32(0, n % TWO_TO_32 | 0, true);
    NUMBER.setInt32(4, Math.floor(n / TWO_TO_32) | 0, true);
    this.#number();
  }

  /** Bytes as they are. */
  raw(buf: Uint8Array, off: number, length: number): void {
    if (length > this.buf.length >>> 2) {
      this.flush();
      if (this.#sums) this.#crc.update(buf, off, length);
      return this.#send(buf, off, length);
    }
    this.#room(length);
    copyBytes(buf, off, this.buf, this.at, length);
    this.at += length;
  }

  /** The checksum of everything before it. */
  checksum(): void {
    this.#room(CRC64_BYTES);
    this.#sum();
    this.#crc.write(this.buf, this.at);
    this.at += CRC64_BYTES;
  }

  #integer(n: number): void {
    this.#room(ELEMENT_BYTES_MAX);
    const { buf } = this;
    let at = this.at;
    if (n === (n << 24 >> 24)) {
      buf[at++] = STRING_INT8;
      buf[at++] = n;
    } else if (n === (n << 16 >> 16)) {
      buf[at++] = STRING_INT16;
      buf[at++] = n;
      buf[at++] = n >>> 8;
    } else {
      buf[at++] = STRING_INT32;
      for (let shift = 0; shift < 32; shift += 8) buf[at++] = n >>> shift;
    }
    this.at = at;
  }

  /** Writes a string compressed, if that is worth it; says whether. */
  #compressed(buf: Uint8Array, off: number, length: number): boolean {
    const room = length - SAVED_BYTES_MIN;
    const packed = room <= this.#packed.length
      ? this.#packed
      : new Uint8Array(room);
    if (room <= BUFFER_BYTES) this.#packed = packed;
    const bytes = lzfCompress(buf, off, length, packed, 0, room);
    if (bytes === 0) return false;
    this.byte(STRING_LZF);
    this.length(bytes);
    this.length(length);
    this.raw(packed, 0, bytes);
    return true;
  }

  #number(): void {
    for (let i = 0; i < 8; i++) this.buf[this.at++] = NUMBER.getUint8(i);
  }

  #room(bytes: number): void {
    if (this.at + bytes > this.buf.length) this.flush();
  }

  #sum(): void {
    if (!this.#sums) return;
    this.#crc.update(this.buf, this.#summed, this.at - this.#summed);
    this.#summed = this.at;
  }

  #send(buf: Uint8Array, off: number, length: number): void {
    if (length === 0) return;
    this.#sink!.write(buf, off, length);
    this.sentBytes += length;
  }
}

/** Writes 32 bits, and returns where they end. */
function putBigEndian(buf: Uint8Array, at: number, n: number): number {
  buf[at] = n >>> 24;
  buf[at + 1] = n >>> 16;
  buf[at + 2] = n >>> 8;
  buf[at + 3] = n;
  return at + 4;
}

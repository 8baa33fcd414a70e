/**
 * SHA-1, where a digest is needed at once: Web Crypto answers by promise, and
 * Node's module would load all of Node's layer into every worker.
 *
 * It names data (scripts, DEBUG DIGEST); it protects nothing.
 *
 * Source: RFC 3174.
 *
 * @module
 */

import { assert } from "./assert.ts";

/** Bytes that are mixed at once. */
export const BLOCK_BYTES = 64;
const ROUNDS = 80;

const INITIAL = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];

// Digests of data are made of very many short messages: nothing but the result
// is allocated for one.
const state = new Int32Array(INITIAL.length);
const words = new Int32Array(ROUNDS);
/** The last block, or the last two. */
const tail = new Uint8Array(2 * BLOCK_BYTES);

/** The 20 bytes of the digest. */
export function sha1(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  for (let i = 0; i < state.length; i++) state[i] = INITIAL[i]!;
  return endDigest(bytes, mixBlocks(bytes), bytes.length);
}

/** The digest of bytes that are given part by part. */
export class LongSha1 {
  readonly #state = new Int32Array(INITIAL);
  #length = 0;

  /** Adds bytes, as many as some blocks of 64 have. */
  add(bytes: Uint8Array): void {
    assert(bytes.length % BLOCK_BYTES === 0, "only the end is no whole block");
    state.set(this.#state);
    mixBlocks(bytes);
    this.#state.set(state);
    this.#length += bytes.length;
  }

  /** Adds the last bytes, however many; returns the 20 bytes of the digest. */
  end(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    state.set(this.#state);
    return endDigest(bytes, mixBlocks(bytes), this.#length + bytes.length);
  }
}

/** Mixes whole blocks; returns where they end. */
function mixBlocks(bytes: Uint8Array): number {
  const { length } = bytes;
  let at = 0;
  for (; at + BLOCK_BYTES <= length; at += BLOCK_BYTES) mixBlock(bytes, at);
  return at;
}

/** The digest of a message of so many bytes, whose last begin at `from`. */
function endDigest(
  bytes: Uint8Array,
  from: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  const end = padTail(bytes, from, length);
  for (let i = 0; i < end; i += BLOCK_BYTES) mixBlock(tail, i);
  const digest = new Uint8Array(20);
  for (let i = 0; i < digest.length; i++) {
    digest[i] = state[i >> 2]! >>> (24 - (i & 3) * 8);
  }
  return digest;
}

/**
 * Fills the tail: what is left of the message, a one bit, zeros, and the length
 * in bits. Returns its length.
 */
function padTail(bytes: Uint8Array, from: number, length: number): number {
  const left = bytes.length - from;
  const end = left + 9 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
  for (let i = 0; i < left; i++) tail[i] = bytes[from + i]!;
  tail[left] = 0x80;
  tail.fill(0, left + 1, end - 8);
  putWord(end - 8, Math.floor(length / 2 ** 29));
  putWord(end - 4, length << 3);
  return end;
}

function putWord(at: number, word: number): void {
  for (let i = 0; i < 4; i++) tail[at + i] = word >>> (24 - i * 8);
}

function mixBlock(bytes: Uint8Array, at: number): void {
  for (let i = 0; i < 16; i++) {
    const from = at + i * 4;
    words[i] = bytes[from]! << 24 | bytes[from + 1]! << 16 |
      bytes[from + 2]! << 8 | bytes[from + 3]!;
  }
  for (let i = 16; i < ROUNDS; i++) {
    words[i] = rotate(
      words[i - 3]! ^ words[i - 8]! ^ words[i - 14]! ^ words[i - 16]!,
      1,
    );
  }
  let a = state[0]!;
  let b = state[1]!;
  let c = state[2]!;
  let d = state[3]!;
  let e = state[4]!;
  for (let i = 0; i < ROUNDS; i++) {
    const next = (rotate(a, 5) + choose(i, b, c, d) + e + words[i]!) | 0;
    e = d;
    d = c;
    c = rotate(b, 30);
    b = a;
    a = next;
  }
  state[0] = state[0]! + a;
  state[1] = state[1]! + b;
  state[2] = state[2]! + c;
  state[3] = state[3]! + d;
  state[4] = state[4]! + e;
}

/** Function and constant of round `i`. */
function choose(i: number, b: number, c: number, d: number): number {
  if (i < 20) return ((b & c) | (~b & d)) + 0x5a827999;
  if (i < 40) return (b ^ c ^ d) + 0x6ed9eba1;
  if (i < 60) return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
  return (b ^ c ^ d) + 0xca62c1d6;
}

function rotate(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

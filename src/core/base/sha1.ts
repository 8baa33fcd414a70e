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

const BLOCK_BYTES = 64;
const ROUNDS = 80;

/** The 20 bytes of the digest. */
export function sha1(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const padded = pad(bytes);
  const state = new Int32Array([
    0x67452301,
    0xefcdab89,
    0x98badcfe,
    0x10325476,
    0xc3d2e1f0,
  ]);
  const words = new Int32Array(ROUNDS);
  for (let at = 0; at < padded.byteLength; at += BLOCK_BYTES) {
    mixBlock(state, words, padded, at);
  }
  const digest = new Uint8Array(20);
  const view = new DataView(digest.buffer);
  state.forEach((word, i) => view.setInt32(i * 4, word));
  return digest;
}

/** The message, a one bit, zeros, and the length in bits. */
function pad(bytes: Uint8Array): DataView {
  const blocks = Math.ceil((bytes.length + 9) / BLOCK_BYTES);
  const padded = new Uint8Array(blocks * BLOCK_BYTES);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, (bytes.length << 3) >>> 0);
  return view;
}

function mixBlock(
  state: Int32Array,
  words: Int32Array,
  padded: DataView,
  at: number,
): void {
  for (let i = 0; i < 16; i++) words[i] = padded.getInt32(at + i * 4);
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

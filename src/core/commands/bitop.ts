/**
 * BITOP: strings combined bit by bit. A shorter string, and that of a missing
 * key, is followed by zeros.
 *
 * The result is made in blocks. A block begins as the bytes of the first source;
 * the others are folded into it, a word at a time. Long strings begin at a word,
 * so their words are read where they lie; bytes that lie unevenly are copied to
 * an even place first. A long result is made in the run that becomes the value,
 * a short one in a buffer: the target may be a source, so it is replaced last.
 *
 * @module
 */

import { bytesOf, copyBytes } from "../base/bytes.ts";
import { assert } from "../base/assert.ts";
import { DEL, SET } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { SEGMENT_SHIFT } from "../memory/arena.ts";
import { OutOfMemory } from "../memory/heap.ts";
import { BITOP_NOT_ONE_SOURCE, SYNTAX_ERROR } from "../resp/error_reply.ts";
import { EXTERNAL_BYTES_MIN, STRING_RAW, TYPE_STRING } from "../types/entry.ts";
import { argumentIs } from "./arg_reader.ts";
import { stringWords } from "./bit_string.ts";
import type { Call } from "./call.ts";
import { readEntry, WRONG } from "./typed_entry.ts";

const AND = 0;
const OR = 1;
const XOR = 2;
const NOT = 3;
const OPERATIONS = ["and", "or", "xor", "not"].map(bytesOf);

/** Bytes of a block; a result that is made in the buffer has but one. */
const BLOCK_BYTES = EXTERNAL_BYTES_MIN;

/** The buffers of a worker, made when BITOP is used for the first time. */
interface Buffers {
  readonly resultWords: Int32Array;
  readonly resultBytes: Uint8Array;
  readonly evenWords: Int32Array;
  readonly evenBytes: Uint8Array;
}

let buffers: Buffers | null = null;

/** `BITOP AND | OR | XOR | NOT destkey key [key ...]` */
export function bitopCommand(call: Call): void {
  const operation = operationAt(call, 1);
  if (operation < 0) return call.reply.error(SYNTAX_ERROR);
  if (operation === NOT && call.argc !== 4) {
    return call.reply.error(BITOP_NOT_ONE_SOURCE);
  }
  let length = 0;
  for (let i = 1; i < call.keyCount; i++) {
    const ref = readEntry(call, i, TYPE_STRING);
    if (ref === WRONG) return;
    if (ref === 0) continue;
    length = Math.max(length, call.keyspace(call.key(i)).strings.length(ref));
  }
  store(call, operation, length);
  call.reply.integer(length);
}

function operationAt(call: Call, i: number): number {
  for (let operation = AND; operation <= NOT; operation++) {
    if (argumentIs(call, i, OPERATIONS[operation]!)) return operation;
  }
  return -1;
}

/** Makes the result, of `length` bytes, the value of the first key. */
function store(call: Call, operation: number, length: number): void {
  const key = call.key(0);
  const space = call.keyspace(key);
  const existing = space.lookupWrite(call.db, key, call.nowMs);
  if (length === 0) {
    if (existing === 0) return;
    space.delete(call.db, existing);
    return space.hooks.changed(call.db, key, DEL);
  }
  if (length < EXTERNAL_BYTES_MIN) {
    const { resultWords, resultBytes } = ensureBuffers();
    combine(call, operation, resultBytes, resultWords, 0, length);
    space.strings.set(
      call.db,
      key,
      existing,
      resultBytes,
      0,
      length,
      STRING_RAW,
      0,
    );
  } else {
    const run = makeRun(space, length);
    combine(
      call,
      operation,
      space.externals.bytes(run),
      space.arena.i32[run >>> SEGMENT_SHIFT]!,
      space.externals.offset(run),
      length,
    );
    space.strings.setExternal(call.db, key, existing, run, 0);
  }
  space.hooks.changed(call.db, key, SET);
}

function makeRun(space: Keyspace, length: number): number {
  const run = space.externals.create(length);
  if (run === 0) throw new OutOfMemory();
  space.externals.setLength(run, length);
  return run;
}

function ensureBuffers(): Buffers {
  buffers ??= makeBuffers();
  return buffers;
}

function makeBuffers(): Buffers {
  const resultWords = new Int32Array(BLOCK_BYTES / 4);
  const evenWords = new Int32Array(BLOCK_BYTES / 4);
  return {
    resultWords,
    resultBytes: new Uint8Array(resultWords.buffer),
    evenWords,
    evenBytes: new Uint8Array(evenWords.buffer),
  };
}

/** Writes the result to `to`, whose words are `words`, from byte `off` on. */
function combine(
  call: Call,
  operation: number,
  to: Uint8Array,
  words: Int32Array,
  off: number,
  length: number,
): void {
  assert((off & 3) === 0, "a result begins at a word");
  for (let from = 0; from < length; from += BLOCK_BYTES) {
    const block = Math.min(BLOCK_BYTES, length - from);
    const at = off + from;
    copySource(call, 1, from, block, to, at);
    if (operation === NOT) invert(to, words, at, block);
    for (let i = 2; i < call.keyCount; i++) {
      foldSource(call, operation, i, from, block, to, words, at);
    }
  }
}

/** Copies a block of source `i`, with zeros where the source has ended. */
function copySource(
  call: Call,
  i: number,
  from: number,
  block: number,
  to: Uint8Array,
  at: number,
): void {
  const key = call.key(i);
  const space = call.keyspace(key);
  const ref = space.peek(call.db, key);
  let copied = 0;
  if (ref !== 0) {
    copied = Math.min(block, Math.max(0, space.strings.length(ref) - from));
    const off = space.strings.off(ref) + from;
    copyBytes(space.strings.bytes(ref), off, to, at, copied);
  }
  if (copied < block) to.fill(0, at + copied, at + block);
}

/** Folds a block of source `i` into the result. */
function foldSource(
  call: Call,
  operation: number,
  i: number,
  from: number,
  block: number,
  to: Uint8Array,
  words: Int32Array,
  at: number,
): void {
  const key = call.key(i);
  const space = call.keyspace(key);
  const ref = space.peek(call.db, key);
  const length = ref === 0
    ? 0
    : Math.min(block, Math.max(0, space.strings.length(ref) - from));
  if (length > 0) {
    let bytes = space.strings.bytes(ref);
    let source = stringWords(space, ref);
    let off = space.strings.off(ref) + from;
    if ((off & 3) !== 0) {
      const { evenBytes, evenWords } = ensureBuffers();
      copyBytes(bytes, off, evenBytes, 0, length);
      bytes = evenBytes;
      source = evenWords;
      off = 0;
    }
    foldWords(operation, source, off >>> 2, words, at >>> 2, length >>> 2);
    for (let k = length & ~3; k < length; k++) {
      to[at + k] = fold(operation, to[at + k]!, bytes[off + k]!);
    }
  }
  if (operation === AND && length < block) {
    to.fill(0, at + length, at + block);
  }
}

function fold(operation: number, a: number, b: number): number {
  if (operation === XOR) return a ^ b;
  return operation === AND ? a & b : a | b;
}

function foldWords(
  operation: number,
  from: Int32Array,
  fromAt: number,
  to: Int32Array,
  toAt: number,
  count: number,
): void {
  const end = toAt + count;
  if (operation === AND) {
    while (toAt < end) to[toAt++]! &= from[fromAt++]!;
  } else if (operation === OR) {
    while (toAt < end) to[toAt++]! |= from[fromAt++]!;
  } else {
    while (toAt < end) to[toAt++]! ^= from[fromAt++]!;
  }
}

function invert(
  bytes: Uint8Array,
  words: Int32Array,
  off: number,
  length: number,
): void {
  const end = off + length;
  const wordEnd = end >>> 2;
  for (let at = off >>> 2; at < wordEnd; at++) words[at] = ~words[at]!;
  for (let at = end & ~3; at < end; at++) bytes[at] = ~bytes[at]!;
}

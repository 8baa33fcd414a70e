/**
 * LCS: the longest common subsequence of two strings.
 *
 * Redis fills a table `L` of lengths, `L(i, j)` being that of the first `i`
 * bytes of `a` and the first `j` of `b`, and walks back from its last corner:
 * diagonally where the bytes match, else up if `L(i-1, j) > L(i, j-1)`, else to
 * the left. Which of several subsequences is found follows from this rule, so
 * the walk here takes the same steps.
 *
 * The table is not needed for that. Neighbours in a row differ by 0 or 1, so
 * one bit per cell tells a row, and 32 cells are computed at once ("bit
 * parallel": Crochemore and others 2001, Hyyro 2004):
 *
 * ```text
 * bit j-1 of row i     0 if L(i, j) = L(i, j-1) + 1, else 1
 * matches(c)           bits of the places of the byte c in b
 * row 0                all ones
 * u     = row & matches(a[i])
 * row'  = (row + u) | (row & ~matches(a[i]))
 * ```
 *
 * `L(i, j)` is the number of zeros in the first `j` bits of row `i`. Where bytes
 * differ, `L(i, j)` is the greater of its two neighbours, so the walk goes up
 * exactly where the bit is 0.
 *
 * Costs: a 32nd of the steps of the table in time, and in memory too; of the
 * length alone, one row.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { TYPE_STRING } from "../types/entry.ts";
import {
  LCS_LEN_AND_IDX,
  LCS_NOT_STRINGS,
  LCS_TOO_LARGE,
  SYNTAX_ERROR,
} from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { argumentIs, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import { type CommandSpec, keysFrom } from "./command_spec.ts";
import { largeTable } from "./heavy_work.ts";

/** A run of bytes. */
export interface Bytes {
  readonly buf: Uint8Array;
  readonly off: number;
  readonly length: number;
}

/** A longest common subsequence. */
export interface CommonSubsequence {
  readonly bytes: Uint8Array;
  /**
   * Its contiguous pieces, the last one first: for each, the place of its first
   * byte in `a` and in `b`, and its length.
   */
  readonly pieces: readonly (readonly [number, number, number])[];
}

const IDX = bytesOf("idx");
const LEN = bytesOf("len");
const MINMATCHLEN = bytesOf("minmatchlen");
const WITHMATCHLEN = bytesOf("withmatchlen");

/** Bytes of a cell of the table that Redis makes. */
const CELL_BYTES = 4;

const NOTHING: Bytes = { buf: new Uint8Array(0), off: 0, length: 0 };

/** The length of the longest common subsequence. */
export function commonLength(a: Bytes, b: Bytes): number {
  return zeroBits(bitRows(a, b, false), 0, b.length);
}

/** The longest common subsequence that Redis finds. */
export function commonSubsequence(a: Bytes, b: Bytes): CommonSubsequence {
  const words = (b.length + 31) >>> 5;
  const rows = bitRows(a, b, true);
  let left = zeroBits(rows, a.length * words, b.length);
  const bytes = new Uint8Array(left);
  const pieces: [number, number, number][] = [];
  let i = a.length;
  let j = b.length;
  let run = 0;
  while (i > 0 && j > 0) {
    const byte = a.buf[a.off + i - 1]!;
    if (byte === b.buf[b.off + j - 1]) {
      bytes[--left] = byte;
      i--;
      j--;
      run++;
      continue;
    }
    if (run > 0) pieces.push([i, j, run]);
    run = 0;
    const word = rows[i * words + ((j - 1) >>> 5)]!;
    if ((word >>> ((j - 1) & 31) & 1) === 0) i--;
    else j--;
  }
  if (run > 0) pieces.push([i, j, run]);
  return { bytes, pieces };
}

/** All rows of bits, row 0 first, or only the last one. */
function bitRows(a: Bytes, b: Bytes, keepsAll: boolean): Int32Array {
  const words = (b.length + 31) >>> 5;
  const { symbols, matches } = matchesOf(a, b, words);
  const rows = new Int32Array(keepsAll ? (a.length + 1) * words : words);
  rows.fill(-1, 0, words);
  const step = keepsAll ? words : 0;
  for (let i = 0, from = 0; i < a.length; i++, from += step) {
    const match = symbols[a.buf[a.off + i]!]! * words;
    let carry = 0;
    for (let w = 0; w < words; w++) {
      const row = rows[from + w]!;
      const u = row & matches[match + w]!;
      const sum = (row >>> 0) + (u >>> 0) + carry;
      carry = sum > 0xffffffff ? 1 : 0;
      rows[from + step + w] = sum | (row & ~u);
    }
  }
  return rows;
}

/**
 * Where the bytes of `a` stand in `b`: `symbols` numbers them, and the row of
 * `matches` with that number has their bits.
 */
function matchesOf(
  a: Bytes,
  b: Bytes,
  words: number,
): { symbols: Int16Array; matches: Int32Array } {
  const symbols = new Int16Array(256).fill(-1);
  let count = 0;
  for (let i = a.off; i < a.off + a.length; i++) {
    if (symbols[a.buf[i]!] === -1) symbols[a.buf[i]!] = count++;
  }
  const matches = new Int32Array(count * words);
  for (let j = 0; j < b.length; j++) {
    const symbol = symbols[b.buf[b.off + j]!]!;
    if (symbol < 0) continue;
    const at = symbol * words + (j >>> 5);
    matches[at] = matches[at]! | 1 << (j & 31);
  }
  return { symbols, matches };
}

/** Zeros among `count` bits, from the word at `from` on. */
function zeroBits(words: Int32Array, from: number, count: number): number {
  let zeros = 0;
  for (let at = from; count > 0; at++, count -= 32) {
    let bits = ~words[at]!;
    if (count < 32) bits &= (1 << count) - 1;
    for (; bits !== 0; bits &= bits - 1) zeros++;
  }
  return zeros;
}

/**
 * `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN]`: types are looked
 * at before options. How large a table Redis would need decides what is too
 * large here too.
 */
function lcsCommand(call: Call): void {
  const reply = call.reply;
  // If the second key turns out to have expired, the first value stays put.
  const a = stringOf(call, 0);
  const b = stringOf(call, 1);
  if (a === null || b === null) return reply.error(LCS_NOT_STRINGS);
  let asksIndexes = false;
  let asksLength = false;
  let withLengths = false;
  let pieceMin = 0;
  for (let i = 3; i < call.argc; i++) {
    if (argumentIs(call, i, IDX)) asksIndexes = true;
    else if (argumentIs(call, i, LEN)) asksLength = true;
    else if (argumentIs(call, i, WITHMATCHLEN)) withLengths = true;
    else if (argumentIs(call, i, MINMATCHLEN) && i + 1 < call.argc) {
      pieceMin = readInteger(call, ++i);
      if (Number.isNaN(pieceMin)) return;
    } else return reply.error(SYNTAX_ERROR);
  }
  if (asksIndexes && asksLength) return reply.error(LCS_LEN_AND_IDX);
  const tableBytes = (a.length + 1) * (b.length + 1) * CELL_BYTES;
  if (tableBytes > call.settings.protoMaxBulkLen) {
    return reply.error(LCS_TOO_LARGE);
  }
  if (asksLength) return reply.integer(commonLength(a, b));
  const common = commonSubsequence(a, b);
  if (asksIndexes) replyIndexes(reply, common, pieceMin, withLengths);
  else reply.bulk(common.bytes, 0, common.bytes.length);
}

/** The string at key `k`, empty if there is none, or null for other types. */
function stringOf(call: Call, k: number): Bytes | null {
  const key = call.key(k);
  const space = call.keyspace(key);
  const ref = space.lookupRead(call.db, key, call.nowMs);
  if (ref === 0) return NOTHING;
  if (space.type(ref) !== TYPE_STRING) return null;
  return {
    buf: space.strings.bytes(ref),
    off: space.strings.off(ref),
    length: space.strings.length(ref),
  };
}

function replyIndexes(
  reply: ReplyWriter,
  common: CommonSubsequence,
  pieceMin: number,
  withLengths: boolean,
): void {
  const pieces = common.pieces.filter(([, , length]) => length >= pieceMin);
  reply.map(2);
  reply.bulkText("matches");
  reply.array(pieces.length);
  for (const [inA, inB, length] of pieces) {
    reply.array(withLengths ? 3 : 2);
    replySpan(reply, inA, length);
    replySpan(reply, inB, length);
    if (withLengths) reply.integer(length);
  }
  reply.bulkText("len");
  reply.integer(common.bytes.length);
}

/** Both ends belong to the span. */
function replySpan(reply: ReplyWriter, first: number, length: number): void {
  reply.array(2);
  reply.integer(first);
  reply.integer(first + length - 1);
}

/** The row of LCS. */
export const LCS_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "lcs",
    group: "string",
    since: "7.0.0",
    summary: "Finds the longest common subsequence of two strings.",
    complexity: "O(N*M)",
    arity: -3,
    flags: ["readonly"],
    keys: [keysFrom(1, 1, "RO access")],
    syntax:
      "key1:key key2:key#0 [LEN] [IDX] [MINMATCHLEN min-match-len:integer] [WITHMATCHLEN]",
    replies: ["string", "integer", "map"],
    isHeavy: largeTable,
    run: lcsCommand,
  },
];

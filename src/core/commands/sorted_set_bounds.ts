/**
 * Ends of ranges of sorted sets in arguments: `1.5` and `(1.5`, `-inf` for
 * scores; `[a`, `(a`, `-` and `+` for members.
 *
 * @module
 */

import { parseLooseDouble } from "../base/double.ts";
import {
  GREATEST_BOUND,
  LEAST_BOUND,
  type LexBound,
  type LexRange,
  MEMBER_BOUND,
  type ScoreRange,
} from "../types/zset_range.ts";
import type { Call } from "./call.ts";

const ROUND = 0x28;
const SQUARE = 0x5b;
const MINUS = 0x2d;
const PLUS = 0x2b;

/** Reads two arguments as a range of scores; false if they are none. */
export function readScoreRange(
  call: Call,
  min: number,
  max: number,
  range: ScoreRange,
): boolean {
  range.isMinOpen = isOpen(call, min);
  range.min = scoreAt(call, min, range.isMinOpen);
  range.isMaxOpen = isOpen(call, max);
  range.max = scoreAt(call, max, range.isMaxOpen);
  return !Number.isNaN(range.min) && !Number.isNaN(range.max);
}

/** Reads two arguments as a range of members; false if they are none. */
export function readLexRange(
  call: Call,
  min: number,
  max: number,
  range: LexRange,
): boolean {
  return readLexBound(call, min, range.min) &&
    readLexBound(call, max, range.max);
}

function isOpen(call: Call, i: number): boolean {
  const { args } = call;
  return args.length[i]! > 0 && args.source(i)[args.off[i]!] === ROUND;
}

function scoreAt(call: Call, i: number, skipsFirst: boolean): number {
  const { args } = call;
  const skipped = skipsFirst ? 1 : 0;
  return parseLooseDouble(
    args.source(i),
    args.off[i]! + skipped,
    args.length[i]! - skipped,
  );
}

function readLexBound(call: Call, i: number, bound: LexBound): boolean {
  const { args } = call;
  const length = args.length[i]!;
  const off = args.off[i]!;
  const buf = args.source(i);
  if (length === 0) return false;
  const first = buf[off]!;
  if (first === MINUS || first === PLUS) {
    bound.kind = first === MINUS ? LEAST_BOUND : GREATEST_BOUND;
    // For Redis, a NUL ends the text.
    return length === 1 || buf[off + 1] === 0;
  }
  bound.kind = MEMBER_BOUND;
  bound.isOpen = first === ROUND;
  bound.buf = buf;
  bound.off = off + 1;
  bound.length = length - 1;
  return first === ROUND || first === SQUARE;
}

/**
 * Ranges of a sorted set: by score, and by member where all scores are equal.
 *
 * @module
 */

import { compareBytes } from "../base/bytes.ts";

/** Scores from `min` to `max`, each of them in the range or not. */
export class ScoreRange {
  /** Where the range begins. */
  min = 0;
  /** Whether it begins behind `min`. */
  isMinOpen = false;
  /** Where the range ends. */
  max = 0;
  /** Whether it ends before `max`. */
  isMaxOpen = false;
}

/** Before all members. */
export const LEAST_BOUND = -1;
/** At the member that a bound holds. */
export const MEMBER_BOUND = 0;
/** Behind all members. */
export const GREATEST_BOUND = 1;

/** One end of a range of members. */
export class LexBound {
  /** One of the three kinds. */
  kind = LEAST_BOUND;
  /** Whether the member itself is outside. */
  isOpen = false;
  /** Holds the member. */
  buf: Uint8Array = new Uint8Array(0);
  /** Where it begins. */
  off = 0;
  /** Its length. */
  length = 0;

  /** Order of a member and this one, as `memcmp`'s. */
  compare(buf: Uint8Array, off: number, length: number): number {
    if (this.kind !== MEMBER_BOUND) return -this.kind;
    return compareBytes(buf, off, length, this.buf, this.off, this.length);
  }
}

/** Members between two bounds. */
export class LexRange {
  /** Where the range begins. */
  readonly min: LexBound = new LexBound();
  /** Where it ends. */
  readonly max: LexBound = new LexBound();

  /** Whether a member is not before the range. */
  begins(buf: Uint8Array, off: number, length: number): boolean {
    const order = this.min.compare(buf, off, length);
    return order > 0 || order === 0 && !this.min.isOpen;
  }

  /** Whether a member is not behind the range. */
  lasts(buf: Uint8Array, off: number, length: number): boolean {
    const order = this.max.compare(buf, off, length);
    return order < 0 || order === 0 && !this.max.isOpen;
  }
}

/** Takes the members of a sorted set, one after the other. */
export interface ScoredVisitor {
  /**
   * A member and its score. If `words` is given, it is a view of the same bytes,
   * and the member begins at a word.
   */
  member(
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
    words?: Int32Array,
  ): void;
}

/** Takes members of certain scores only, and perhaps not all of these. */
export interface ScoreSieve extends ScoredVisitor {
  /** Whether there are enough. */
  readonly isFull: boolean;
  /** Whether members of a score are wanted; then they are visited. */
  wants(score: number): boolean;
}

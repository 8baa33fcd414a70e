/**
 * Members of a sorted set as a reply, with or without their scores. Pairs are
 * flat in RESP2, arrays of two in RESP3.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { ScoredVisitor } from "../types/zset_range.ts";
import type { Call } from "./call.ts";
import { type ElementWriter, replyLasting } from "./element_stream.ts";

/** Members visited in one go if there is a limit: those behind it are in vain. */
const PIECE_MEMBERS = 64;

/** Writes members. */
export class ScoredReplies implements ScoredVisitor {
  /** Where they go. */
  reply: ReplyWriter | undefined;
  /** Whether scores are written. */
  hasScores = false;
  /** Whether each pair is an array of its own. */
  isNested = false;

  /** What they have cost when no more are written. */
  limit = Infinity;
  /** Members written. */
  count = 0;

  /** Begins with members that go to `reply`. */
  begin(reply: ReplyWriter, hasScores: boolean, limit = Infinity): void {
    this.reply = reply;
    this.limit = limit;
    this.count = 0;
    this.hasScores = hasScores;
    this.isNested = hasScores && reply.resp === 3;
  }

  member(
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
    words?: Int32Array,
  ): void {
    const reply = this.reply!;
    if (reply.cost >= this.limit) return;
    this.count++;
    if (this.isNested) reply.array(2);
    if (words === undefined) reply.bulk(buf, off, length);
    else reply.bulkWords(words, off >> 2, length);
    if (this.hasScores) reply.double(score);
  }
}

const REPLIES = new ScoredReplies();

/** Writes the members of ranks: places are ranks or, downwards, less them. */
class RankedMembers implements ElementWriter {
  readonly #isReverse: boolean;
  readonly #hasScores: boolean;
  /** Whether pairs are arrays in RESP2 as well. */
  readonly #isNested: boolean;

  constructor(isReverse: boolean, hasScores: boolean, isNested = false) {
    this.#isReverse = isReverse;
    this.#hasScores = hasScores;
    this.#isNested = isNested;
  }

  write(
    space: Keyspace,
    ref: number,
    from: number,
    to: number,
    reply: ReplyWriter,
    limit: number,
  ): number {
    const { zsets } = space.values;
    const most = limit === Infinity ? Infinity : PIECE_MEMBERS;
    const isReverse = this.#isReverse;
    let place = from;
    while (place < to && reply.cost < limit) {
      const count = Math.min(to - place, most);
      REPLIES.begin(reply, this.#hasScores, limit);
      if (this.#isNested) REPLIES.isNested = true;
      zsets.visit(ref, isReverse ? -place : place, count, isReverse, REPLIES);
      place += REPLIES.count;
    }
    return place;
  }
}

const UPWARDS = new RankedMembers(false, false);
const DOWNWARDS = new RankedMembers(true, false);
/** Members with scores, from the first one on. */
export const UPWARDS_SCORED: ElementWriter = new RankedMembers(false, true);
/** The same from the last one on; places are ranks, less than 0. */
export const DOWNWARDS_SCORED: ElementWriter = new RankedMembers(true, true);
/** As {@linkcode UPWARDS_SCORED}, in pairs. */
export const UPWARDS_PAIRED: ElementWriter = new RankedMembers(
  false,
  true,
  true,
);
/** As {@linkcode DOWNWARDS_SCORED}, in pairs. */
export const DOWNWARDS_PAIRED: ElementWriter = new RankedMembers(
  true,
  true,
  true,
);

/** Head of an array of members. */
export function replyHead(
  reply: ReplyWriter,
  count: number,
  hasScores: boolean,
): void {
  reply.array(hasScores && reply.resp !== 3 ? count * 2 : count);
}

/**
 * Replies the members of ranks `from` to `to`, exclusive, from the last one
 * downwards if `isReverse`.
 */
export function replyRanks(
  call: Call,
  space: Keyspace,
  ref: number,
  from: number,
  to: number,
  isReverse: boolean,
  hasScores: boolean,
): void {
  const count = to - from;
  replyHead(call.reply, count, hasScores);
  if (count === 0) return;
  if (isReverse) {
    const elements = hasScores ? DOWNWARDS_SCORED : DOWNWARDS;
    replyLasting(call, space, ref, elements, 1 - to, 1 - from, count);
  } else {
    const elements = hasScores ? UPWARDS_SCORED : UPWARDS;
    replyLasting(call, space, ref, elements, from, to, count);
  }
}

/**
 * All patterns that somebody listens to, on any worker, as one worker knows them.
 *
 * They are counted in the first shard, where each change of one makes a version,
 * and the last changes are known (subscriber_counts.ts). A worker that has missed
 * more than these learns all patterns anew, in small holds of the latch, and what
 * has changed since at the beginning of each.
 *
 * A message draws its number when all patterns are known that have a lower one:
 * either the version is the same before that and after it, or the latch is held
 * under which patterns change. What a worker knows is its own, so that to match
 * comes after that.
 *
 * @module
 */

import { asciiOf } from "../../core/base/bytes.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import {
  type NameVisitor,
  PATTERN,
  type SubscriberCounts,
} from "../../core/keyspace/subscriber_counts.ts";
import type { ShardHolds } from "../../core/keyspace/scan_walk.ts";
import { PROCESS_PATTERNS_VERSION } from "../messages/shared_state.ts";
import { PatternIndex } from "./pattern_index.ts";

/** The shard that counts patterns. */
export const PATTERN_SHARD = 0;
/** Positions of the dictionary of patterns that are visited in one hold. */
const HOLD_POSITIONS = 16;
/** Attempts to learn all patterns while others may change them. */
const SHARED_TRIES = 3;

/** What is needed from the worker around. */
export interface AllPatternsParts {
  readonly keyspaces: readonly Keyspace[];
  readonly latches: ShardHolds;
  /** The process's words. */
  readonly process: Int32Array;
  readonly workers: number;
  /** Draws the next number of a subscription or message. */
  draw(): number;
}

/** One per worker. */
export class AllPatterns {
  readonly #parts: AllPatternsParts;
  readonly #channels: SubscriberCounts;
  /** Subscribers per worker. */
  #index = new PatternIndex<Int32Array>();
  /** What the index is to be told: subscribers per worker, null for nobody. */
  readonly #news = new Map<string, Int32Array | null>();
  #version = 0;

  /** Knows of no pattern. */
  constructor(parts: AllPatternsParts) {
    this.#parts = parts;
    this.#channels = parts.keyspaces[PATTERN_SHARD]!.channels;
  }

  /** Patterns that are known. */
  get count(): number {
    return this.#index.size;
  }

  /** Draws a number, and knows all patterns that have a lower one. */
  catchUp(): number {
    const { process, latches, draw } = this.#parts;
    const version = Atomics.load(process, PROCESS_PATTERNS_VERSION);
    if (version === this.#version) {
      const sequence = draw();
      // Patterns change before they draw.
      if (Atomics.load(process, PROCESS_PATTERNS_VERSION) === version) {
        return sequence;
      }
    }
    for (let tries = 0;; tries++) {
      latches.acquire(PATTERN_SHARD);
      const isExclusive = tries >= SHARED_TRIES;
      let knows = this.#hear();
      if (!knows && isExclusive) {
        this.#forget();
        this.#learn(0, Infinity);
        knows = true;
      }
      const sequence = knows ? draw() : 0;
      latches.release(PATTERN_SHARD);
      if (knows) {
        this.#apply();
        return sequence;
      }
      this.#learnAll();
    }
  }

  /** Visits the subscribers per worker of the patterns that match a channel. */
  match(channel: Uint8Array, visit: (counts: Int32Array) => void): void {
    this.#index.match(asciiOf(channel, 0, channel.length), channel, visit);
  }

  /** Learns all patterns, as they are or a little older. */
  #learnAll(): void {
    const { latches } = this.#parts;
    let cursor = 0;
    let isFirst = true;
    do {
      latches.acquire(PATTERN_SHARD);
      if (isFirst) this.#forget();
      isFirst = false;
      const knows = this.#hear();
      if (knows) cursor = this.#learn(cursor, HOLD_POSITIONS);
      latches.release(PATTERN_SHARD);
      if (!knows) return;
      this.#apply();
    } while (cursor !== 0);
  }

  /** Begins anew; the latch is held. */
  #forget(): void {
    this.#index = new PatternIndex();
    this.#news.clear();
    this.#version = this.#parts.process[PROCESS_PATTERNS_VERSION]!;
  }

  /** Hears of what has changed, if that is still known; the latch is held. */
  #hear(): boolean {
    const version = this.#parts.process[PROCESS_PATTERNS_VERSION]!;
    const after = this.#version;
    if (!this.#channels.visitChanged(after, version, this.#note)) return false;
    this.#version = version;
    return true;
  }

  #learn(cursor: number, positions: number): number {
    return this.#channels.visitFrom(PATTERN, cursor, positions, this.#note);
  }

  readonly #note: NameVisitor = (buf, off, length, node) => {
    const channels = this.#channels;
    let counts: Int32Array | null = null;
    // A pattern that has come back has another node, which changed later.
    if (channels.total(node) > 0) {
      counts = new Int32Array(this.#parts.workers);
      for (let worker = 0; worker < counts.length; worker++) {
        counts[worker] = channels.on(node, worker);
      }
    }
    this.#news.set(asciiOf(buf, off, length), counts);
  };

  /** Tells the index, which takes longer than a latch may be held. */
  #apply(): void {
    for (const [pattern, counts] of this.#news) {
      const known = this.#index.get(pattern);
      if (counts === null) {
        if (known !== undefined) this.#index.remove(pattern);
      } else if (known === undefined) this.#index.add(pattern, counts);
      else known.set(counts);
    }
    this.#news.clear();
  }
}

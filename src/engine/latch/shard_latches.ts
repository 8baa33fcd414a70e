/**
 * The latches of all shards, as one worker takes them.
 *
 * Rules, which debug mode asserts: latches are taken in ascending order of the
 * shards; a set is taken once and given back whole; nothing is held when the
 * worker returns to its event loop. Debug mode measures as well how long they are
 * held.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import { acquireLatch, releaseLatch } from "../../core/base/latch.ts";
import {
  LATCH_CONTENTIONS,
  LATCH_HOLD_MAX,
  LATCH_LONG_WAITS,
  LATCH_SLEEPS,
} from "../../core/keyspace/counters.ts";
import { SHARD_LATCH } from "../../core/keyspace/shard_control.ts";
import type { ShardLatches } from "../../core/commands/call.ts";
import type { SlowSteps } from "./slow_steps.ts";

/** Sleeps, of a millisecond each, from which on a wait is suspiciously long. */
const LONG_SLEEPS = 10;

/** How a worker excludes the others from shards. */
export class Latches implements ShardLatches {
  /**
   * Sleeps of the longest suspicious wait since somebody has set this to 0, for
   * the watchdog: latches are meant to be held for microseconds.
   */
  longestSleeps = 0;
  /** The shard of that wait. */
  longestShard = 0;
  readonly #controls: readonly Int32Array[];
  readonly #counters: Float64Array;
  readonly #shared: boolean;
  /** False where all latches that are needed are held, or there is no need. */
  #takes: boolean;
  readonly #checks: boolean;
  readonly #slow: SlowSteps | null;
  readonly #nowMs: () => number;
  /** Shards marked by {@linkcode mark}. */
  readonly #marks: Uint8Array;
  #markedMin: number;
  #markedMax = -1;
  /** Latches held, in ascending order, for the checks. */
  readonly #held: number[] = [];
  /** When the first of them was taken. */
  #heldSinceMs = 0;

  /**
   * `shared` is false for a single worker: nothing is taken then. `checks`
   * turns on debug mode, in which `slow` may make the worker slow, and holds are
   * measured by `nowMs`: of the thread's own clock, if there is one, which stands
   * still while others have the processor.
   */
  constructor(
    controls: readonly Int32Array[],
    counters: Float64Array,
    shared: boolean,
    checks: boolean,
    slow: SlowSteps | null = null,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#controls = controls;
    this.#counters = counters;
    this.#shared = shared;
    this.#takes = shared;
    this.#checks = checks;
    this.#slow = slow;
    this.#nowMs = nowMs;
    this.#marks = new Uint8Array(controls.length);
    this.#markedMin = controls.length;
  }

  /** Whether there are other workers to exclude. */
  get isShared(): boolean {
    return this.#shared;
  }

  /** A point at which tests make the worker slow. */
  step(): void {
    this.#slow?.step();
  }

  /** Takes the latch of one shard. */
  acquire(shard: number): void {
    if (!this.#takes) return this.checkHeld(shard);
    if (this.#checks) this.#checkOrder(shard);
    const waited = acquireLatch(this.#controls[shard]!, SHARD_LATCH);
    if (waited > 0) this.#countWait(shard, waited - 1);
  }

  #countWait(shard: number, sleeps: number): void {
    if (this.#held.length === 1) this.#heldSinceMs = this.#nowMs();
    const counters = this.#counters;
    counters[LATCH_CONTENTIONS] = counters[LATCH_CONTENTIONS]! + 1;
    counters[LATCH_SLEEPS] = counters[LATCH_SLEEPS]! + sleeps;
    if (sleeps < LONG_SLEEPS) return;
    counters[LATCH_LONG_WAITS] = counters[LATCH_LONG_WAITS]! + 1;
    if (sleeps < this.longestSleeps) return;
    this.longestSleeps = sleeps;
    this.longestShard = shard;
  }

  /** Gives the latch of one shard back. */
  release(shard: number): void {
    if (!this.#takes) return;
    if (this.#checks) this.#checkRelease(shard);
    releaseLatch(this.#controls[shard]!, SHARD_LATCH);
    if (!this.#checks) return;
    if (this.#held.length === 0) this.#countHold();
    this.step();
  }

  #countHold(): void {
    const microseconds = (this.#nowMs() - this.#heldSinceMs) * 1000;
    if (microseconds > this.#counters[LATCH_HOLD_MAX]!) {
      this.#counters[LATCH_HOLD_MAX] = microseconds;
    }
  }

  /** Notes a shard for {@linkcode acquireMarked}. */
  mark(shard: number): void {
    this.#marks[shard] = 1;
    if (shard < this.#markedMin) this.#markedMin = shard;
    if (shard > this.#markedMax) this.#markedMax = shard;
  }

  /** Whether a shard is marked. */
  isMarked(shard: number): boolean {
    return this.#marks[shard] === 1;
  }

  /** Notes all shards. */
  markAll(): void {
    this.#marks.fill(1);
    this.#markedMin = 0;
    this.#markedMax = this.#marks.length - 1;
  }

  /** Takes the latches of all marked shards, in ascending order. */
  acquireMarked(): void {
    for (let shard = this.#markedMin; shard <= this.#markedMax; shard++) {
      if (this.#marks[shard] === 1) this.acquire(shard);
    }
  }

  /** Gives the latches of the marked shards back and forgets the marks. */
  releaseMarked(): void {
    for (let shard = this.#markedMin; shard <= this.#markedMax; shard++) {
      if (this.#marks[shard] === 0) continue;
      this.#marks[shard] = 0;
      this.release(shard);
    }
    this.#markedMin = this.#controls.length;
    this.#markedMax = -1;
  }

  /** Forgets marks of which no latch was taken. */
  unmark(): void {
    this.#marks.fill(0);
    this.#markedMin = this.#controls.length;
    this.#markedMax = -1;
  }

  /**
   * Begins a sequence of commands that share the latches of the marked shards:
   * until {@linkcode endShared}, nothing is taken or given back.
   */
  beginShared(): void {
    this.#takes = false;
  }

  /** Ends it; the latches are still held. */
  endShared(): void {
    this.#takes = this.#shared;
  }

  /** The words `word` of all marked shards, or'ed together. */
  wordsOfMarked(word: number): number {
    let words = 0;
    for (let shard = this.#markedMin; shard <= this.#markedMax; shard++) {
      if (this.#marks[shard] === 1) words |= this.#controls[shard]![word]!;
    }
    return words;
  }

  /** First marked shard whose word `word` is not zero, or -1. */
  firstMarkedWith(word: number): number {
    for (let shard = this.#markedMin; shard <= this.#markedMax; shard++) {
      if (this.#marks[shard] === 1 && this.#controls[shard]![word] !== 0) {
        return shard;
      }
    }
    return -1;
  }

  /** Takes all latches. */
  acquireAll(): void {
    for (let shard = 0; shard < this.#controls.length; shard++) {
      this.acquire(shard);
    }
  }

  /** Gives all latches back. */
  releaseAll(): void {
    for (let shard = 0; shard < this.#controls.length; shard++) {
      this.release(shard);
    }
  }

  /** Asserts that the worker holds none, at the end of a turn. */
  checkNoneHeld(): void {
    assert(this.#held.length === 0, "no latch is held across a turn");
  }

  /** Asserts that the latch of a shard is held, by whoever changes something there. */
  checkHeld(shard: number): void {
    if (!this.#checks || !this.#shared) return;
    assert(this.#held.includes(shard), "what is changed is latched");
  }

  #checkOrder(shard: number): void {
    this.step();
    assert(
      (this.#held.at(-1) ?? -1) < shard,
      "latches are taken in ascending order",
    );
    if (this.#held.length === 0) this.#heldSinceMs = this.#nowMs();
    this.#held.push(shard);
  }

  #checkRelease(shard: number): void {
    const at = this.#held.indexOf(shard);
    assert(at >= 0, "a released latch is held");
    this.#held.splice(at, 1);
  }
}

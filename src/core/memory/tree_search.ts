/**
 * What a search in an ordered tree (ordered_tree.ts) looks for, and where in a
 * page it ends: behind the last entry that it passes over.
 *
 * One object is one search at a time: first what it looks for, then page after
 * page from the top down.
 *
 * @module
 */

import { compareBytes, compareLong, LONG_RUN_BYTES } from "../base/bytes.ts";
import { type Arena, byteOf, SEGMENT_SHIFT, UNIT_MASK } from "./arena.ts";
import { KNOWN_KEYS, LONG_KEY_BYTES } from "./known_keys.ts";
import { KEY_LENGTH_MASK, keyOffset, NODE_KEY } from "./node.ts";
import { CAPACITY, LEAST, LENGTH, PAGE_WORDS, SCORES } from "./tree_pages.ts";

/** What is passed over. */
const UP_TO_ENTRY = 0;
const BELOW_SCORE = 1;
const UP_TO_SCORE = 2;
const BELOW_KEY = 3;
const UP_TO_KEY = 4;
const ALL = 5;
const NOTHING = 6;

/** A search in the trees of one heap. */
export class TreeSearch {
  readonly #u8: Uint8Array[];
  readonly #i32: Int32Array[];
  readonly #f64: Float64Array[];
  #mode = ALL;
  #score = 0.5;
  #node = 0;
  #key: Uint8Array = new Uint8Array(0);
  #keyOff = 0;
  #keyLength = 0;
  /** Whether long keys are only compared if their order is known. */
  #isTrial = false;
  /** The first one whose order is not. */
  #unknown = 0;

  /** One object per tree object. */
  constructor(arena: Arena) {
    this.#u8 = arena.u8;
    this.#i32 = arena.i32;
    this.#f64 = arena.f64;
  }

  /** Passes over all entries up to this one, which may be missing. */
  upToEntry(score: number, node: number): void {
    const keyWord = this.#keyWord(node);
    this.#mode = UP_TO_ENTRY;
    this.#score = score;
    this.#node = node;
    this.#key = this.#u8[node >>> SEGMENT_SHIFT]!;
    this.#keyOff = byteOf(node) + keyOffset(keyWord);
    this.#keyLength = keyWord & KEY_LENGTH_MASK;
  }

  /** Passes over the entries of lesser scores, and of equal ones. */
  belowScore(score: number, orEqual: boolean): void {
    this.#mode = orEqual ? UP_TO_SCORE : BELOW_SCORE;
    this.#score = score;
  }

  /** Passes over the entries of lesser keys, and of equal ones. */
  belowKey(
    buf: Uint8Array,
    off: number,
    length: number,
    orEqual: boolean,
  ): void {
    this.#mode = orEqual ? UP_TO_KEY : BELOW_KEY;
    this.#node = 0;
    this.#key = buf;
    this.#keyOff = off;
    this.#keyLength = length;
  }

  /**
   * As {@linkcode TreeSearch.upToEntry} or, if `score` is NaN, {@linkcode
   * TreeSearch.belowKey}, but compares no long key with another: it goes astray
   * where the order of two is not known. `node` has the key already, or is 0.
   */
  beginTrial(
    score: number,
    node: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): void {
    this.belowKey(buf, off, length, false);
    this.#node = node;
    this.#isTrial = true;
    if (Number.isNaN(score)) return;
    this.#mode = UP_TO_ENTRY;
    this.#score = score;
  }

  /** A trial by keys alone goes on, as a search that passes over equal ones. */
  tryUpToKey(): void {
    this.#mode = UP_TO_KEY;
  }

  /** Ends that: the node that was to be compared first, or 0. */
  endTrial(): number {
    const unknown = this.#unknown;
    this.#isTrial = false;
    this.#unknown = 0;
    return unknown;
  }

  /** Passes over everything. */
  toTheEnd(): void {
    this.#mode = ALL;
  }

  /** Passes over nothing. */
  toTheFront(): void {
    this.#mode = NOTHING;
  }

  /** The child of a branch in which the search goes on. */
  slotIn(branch: number): number {
    const base = (branch & UNIT_MASK) << 1;
    const length = this.#i32[branch >>> SEGMENT_SHIFT]![base + LENGTH]!;
    return this.#find(branch, base + LEAST, 1, length) - 1;
  }

  /** The place in a leaf where the search ends. */
  indexIn(leaf: number): number {
    const words = this.#i32[leaf >>> SEGMENT_SHIFT]!;
    const base = (leaf & UNIT_MASK) << 1;
    const nodes = base + PAGE_WORDS + 2 * words[base + CAPACITY]!;
    return this.#find(leaf, nodes, 0, words[base + LENGTH]!);
  }

  /** Order of a node's key and the one that is looked for, as `memcmp`'s. */
  compare(node: number): number {
    if (node === this.#node) return 0;
    const keyWord = this.#keyWord(node);
    const length = keyWord & KEY_LENGTH_MASK;
    const buf = this.#u8[node >>> SEGMENT_SHIFT]!;
    const off = byteOf(node) + keyOffset(keyWord);
    return length < LONG_RUN_BYTES || this.#keyLength < LONG_RUN_BYTES
      ? compareBytes(
        buf,
        off,
        length,
        this.#key,
        this.#keyOff,
        this.#keyLength,
      )
      : this.#compareLong(node, buf, off, length);
  }

  #compareLong(
    node: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    const key = this.#key;
    const keyOff = this.#keyOff;
    const keyLength = this.#keyLength;
    const isLong = length >= LONG_KEY_BYTES && keyLength >= LONG_KEY_BYTES;
    const known = isLong
      ? KNOWN_KEYS.order(node, key, keyOff, keyLength)
      : undefined;
    if (known !== undefined) return known;
    if (!isLong || !this.#isTrial) {
      return compareLong(buf, off, length, key, keyOff, keyLength);
    }
    if (this.#unknown === 0) this.#unknown = node;
    return 0;
  }

  /**
   * The first place from `low` on, before `high`, whose entry is not passed over,
   * or `high`; the page's nodes begin at word `nodes`.
   */
  #find(page: number, nodes: number, low: number, high: number): number {
    const scores = this.#f64[page >>> SEGMENT_SHIFT]!;
    const words = this.#i32[page >>> SEGMENT_SHIFT]!;
    const first = (page & UNIT_MASK) + SCORES;
    const wanted = this.#score;
    let from = low;
    let to = high;
    switch (this.#mode) {
      case UP_TO_ENTRY:
        while (from < to) {
          const middle = (from + to) >> 1;
          const score = scores[first + middle]!;
          if (
            score < wanted ||
            score === wanted && this.compare(words[nodes + middle]!) <= 0
          ) from = middle + 1;
          else to = middle;
        }
        return from;
      case BELOW_SCORE:
        while (from < to) {
          const middle = (from + to) >> 1;
          if (scores[first + middle]! < wanted) from = middle + 1;
          else to = middle;
        }
        return from;
      case UP_TO_SCORE:
        while (from < to) {
          const middle = (from + to) >> 1;
          if (scores[first + middle]! <= wanted) from = middle + 1;
          else to = middle;
        }
        return from;
      case ALL:
        return to;
      case NOTHING:
        return from;
      default: {
        const most = this.#mode === UP_TO_KEY ? 0 : -1;
        while (from < to) {
          const middle = (from + to) >> 1;
          if (this.compare(words[nodes + middle]!) <= most) from = middle + 1;
          else to = middle;
        }
        return from;
      }
    }
  }

  #keyWord(node: number): number {
    return this.#i32[node >>> SEGMENT_SHIFT]![
      ((node & UNIT_MASK) << 1) + NODE_KEY
    ]!;
  }
}

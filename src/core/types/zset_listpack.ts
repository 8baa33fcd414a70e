/**
 * Packed sorted sets: listpacks of member, score, member, score ... in order, as
 * Redis has them.
 *
 * A score that is an integer is stored as one (so the sign of a zero is lost, as
 * there), any other as its shortest text.
 *
 * A packed set is named by the reference of its listpack; a member by the
 * position of its element. Cost: linear in the bytes that are passed or moved.
 *
 * @module
 */

import { compareBytes } from "../base/bytes.ts";
import { formatDouble } from "../base/double.ts";
import { type Arena, byteOf, SEGMENT_SHIFT } from "../memory/arena.ts";
import {
  LISTPACK_EMPTY_BYTES,
  LISTPACK_HEADER_BYTES,
  ListpackItem,
  type Listpacks,
  numberAt,
  readElement,
} from "../memory/listpack.ts";
import { elementBytes } from "../memory/listpack_format.ts";
import type { ValueMemory } from "./value_type.ts";
import type { LexRange, ScoredVisitor, ScoreSieve } from "./zset_range.ts";

const END = 0xff;

/** Bytes that a score may need as an integer, and as text. */
const INTEGER_ROOM = 10;
const TEXT_ROOM = 40;
/** Bytes around a member: of up to 63 bytes, and of more. */
const BRIEF_ROOM = 2;
const LONG_ROOM = 10;

/** Operations on the packed sorted sets of one heap. */
export class ZsetListpack {
  /** First rank of the range that {@linkcode ZsetListpack.findRange} found. */
  from = 0;
  /** The rank behind its last one. */
  to = 0;
  readonly #arena: Arena;
  readonly #listpacks: Listpacks;
  readonly #item = new ListpackItem();
  readonly #text = new Uint8Array(TEXT_ROOM);

  /** One object per keyspace. */
  constructor(memory: ValueMemory) {
    this.#arena = memory.arena;
    this.#listpacks = memory.listpacks;
  }

  /** Members. */
  count(root: number): number {
    return this.#listpacks.count(root) >>> 1;
  }

  /** Position of a member, or 0. */
  find(root: number, buf: Uint8Array, off: number, length: number): number {
    const listpacks = this.#listpacks;
    return listpacks.find(root, listpacks.first(root), buf, off, length, 1);
  }

  /** Score of the member at a position. */
  score(root: number, pos: number): number {
    const buf = this.#arena.u8[root >>> SEGMENT_SHIFT]!;
    const at = byteOf(root) + pos;
    return numberAt(buf, at + elementBytes(buf, at));
  }

  /** Reads the member at a position. */
  read(root: number, pos: number, item: ListpackItem): void {
    this.#listpacks.read(root, pos, item);
  }

  /** Position of the member of a rank, which there must be. */
  select(root: number, rank: number): number {
    return this.#listpacks.seek(root, rank * 2);
  }

  /** Rank of the member at a position. */
  rank(root: number, pos: number): number {
    const buf = this.#arena.u8[root >>> SEGMENT_SHIFT]!;
    const end = byteOf(root) + pos;
    let rank = 0;
    for (let at = byteOf(root) + LISTPACK_HEADER_BYTES; at < end; rank++) {
      at += elementBytes(buf, at);
      at += elementBytes(buf, at);
    }
    return rank;
  }

  /**
   * Adds a member that is not there; `root` may be 0. Returns the root, as all
   * changes do; throws OutOfMemory before anything has changed.
   */
  insert(
    root: number,
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
  ): number {
    const listpacks = this.#listpacks;
    let made = this.#reserve(root, length, score);
    const end = listpacks.bytes(made) - 1;
    const place = this.#isLast(made, score)
      ? end
      : this.#placeOf(made, score, buf, off, length, 0);
    if (place === end) {
      made = listpacks.append(made, buf, off, length);
      return this.#insertScore(made, 0, score);
    }
    made = listpacks.insert(made, place, buf, off, length);
    return this.#insertScore(made, listpacks.next(made, place), score);
  }

  /** Adds a member that is not there and comes behind all others. */
  append(
    root: number,
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
  ): number {
    const made = this.#reserve(root, length, score);
    return this.#insertScore(
      this.#listpacks.append(made, buf, off, length),
      0,
      score,
    );
  }

  /** Gives the member at a position, which is passed too, another score. */
  setScore(
    root: number,
    pos: number,
    buf: Uint8Array,
    off: number,
    length: number,
    score: number,
  ): number {
    const listpacks = this.#listpacks;
    const blob = this.#arena.u8[root >>> SEGMENT_SHIFT]!;
    const start = byteOf(root);
    const scorePos = pos + elementBytes(blob, start + pos);
    const end = scorePos + elementBytes(blob, start + scorePos);
    const place = this.#placeOf(root, score, buf, off, length, pos);
    const bytes = listpacks.bytes(root);
    const made = this.#replaceScore(root, scorePos, score);
    const grown = listpacks.bytes(made) - bytes;
    if (place !== end) {
      const target = place > pos ? place + grown : place;
      listpacks.moveRange(made, pos, end + grown, target);
    }
    return made;
  }

  /** Removes the member at a position. */
  remove(root: number, pos: number): number {
    return this.#listpacks.remove(root, pos, 2);
  }

  /** Removes the members of ranks `from` to `to`, exclusive; not all of them. */
  removeRange(root: number, from: number, to: number): number {
    return this.#listpacks.remove(
      root,
      this.select(root, from),
      (to - from) * 2,
    );
  }

  /** Members whose score is less than one, or, with `orEqual`, that one. */
  countBelowScore(root: number, score: number, orEqual: boolean): number {
    const buf = this.#arena.u8[root >>> SEGMENT_SHIFT]!;
    let at = byteOf(root) + LISTPACK_HEADER_BYTES;
    let count = 0;
    while (buf[at] !== END) {
      at += elementBytes(buf, at);
      const other = numberAt(buf, at);
      if (orEqual ? other > score : other >= score) break;
      at += elementBytes(buf, at);
      count++;
    }
    return count;
  }

  /**
   * Finds the range of members between two bounds: `from` and `to`, exclusive.
   * Where scores are not all equal, what is found is what Redis finds, which
   * depends on the end where the walk begins.
   */
  findRange(root: number, range: LexRange, isReverse: boolean): void {
    this.from = 0;
    this.to = 0;
    const listpacks = this.#listpacks;
    const last = listpacks.seek(root, -2);
    if (last === 0) return;
    if (!this.#begins(root, last, range)) return;
    if (!this.#lasts(root, listpacks.first(root), range)) return;
    if (isReverse) this.#findBackwards(root, last, range);
    else this.#findForwards(root, listpacks.first(root), range);
  }

  /**
   * Visits `count` members from a rank on, up or down; each is read into `item`,
   * which nobody else may use meanwhile.
   */
  visit(
    root: number,
    rank: number,
    count: number,
    isReverse: boolean,
    visitor: ScoredVisitor,
    item: ListpackItem,
  ): void {
    const buf = this.#arena.u8[root >>> SEGMENT_SHIFT]!;
    const start = byteOf(root);
    let at = start + this.select(root, rank);
    for (let left = count; left > 0; left--) {
      const byte = buf[at]!;
      let scoreAt: number;
      if (byte >= 0x80 && byte < 0xc0) {
        // A short text, which nearly all members are.
        scoreAt = at + (byte & 0x3f) + 2;
        visitor.member(buf, at + 1, byte & 0x3f, numberAt(buf, scoreAt));
      } else {
        readElement(buf, at, item);
        scoreAt = at + elementBytes(buf, at);
        const score = numberAt(buf, scoreAt);
        visitor.member(item.buf, item.off, item.length, score);
      }
      at = isReverse
        ? start + this.#pairBefore(root, at - start)
        : scoreAt + elementBytes(buf, scoreAt);
    }
  }

  /** As {@linkcode ZsetTree.sift}; each member is read into `item`. */
  sift(
    root: number,
    min: number,
    end: number,
    sieve: ScoreSieve,
    item: ListpackItem,
  ): void {
    const buf = this.#arena.u8[root >>> SEGMENT_SHIFT]!;
    let at = byteOf(root) + LISTPACK_HEADER_BYTES;
    while (buf[at] !== END) {
      const memberAt = at;
      at += elementBytes(buf, at);
      const score = numberAt(buf, at);
      at += elementBytes(buf, at);
      if (score < min) continue;
      if (score >= end) return;
      if (!sieve.wants(score)) continue;
      readElement(buf, memberAt, item);
      sieve.member(item.buf, item.off, item.length, score);
      if (sieve.isFull) return;
    }
  }

  /** Position of the member before one; 0 if there is none. */
  #pairBefore(root: number, pos: number): number {
    const listpacks = this.#listpacks;
    return listpacks.previous(root, listpacks.previous(root, pos));
  }

  /** Makes room for all of a pair, so that nothing is half done. */
  #reserve(root: number, length: number, score: number): number {
    const room = length + (length < 64 ? BRIEF_ROOM : LONG_ROOM) +
      (Number.isSafeInteger(score) ? INTEGER_ROOM : TEXT_ROOM);
    return root === 0
      ? this.#listpacks.create(LISTPACK_EMPTY_BYTES + room)
      : this.#listpacks.reserve(root, room);
  }

  #findForwards(root: number, first: number, range: LexRange): void {
    const listpacks = this.#listpacks;
    let rank = 0;
    let pos = first;
    while (pos !== 0 && !this.#begins(root, pos, range)) {
      pos = listpacks.next(root, listpacks.next(root, pos));
      rank++;
    }
    this.from = rank;
    while (pos !== 0 && this.#lasts(root, pos, range)) {
      rank++;
      const scorePos = listpacks.next(root, pos);
      pos = listpacks.next(root, scorePos);
    }
    this.to = rank;
  }

  #findBackwards(root: number, last: number, range: LexRange): void {
    let rank = this.count(root);
    let pos = last;
    while (pos !== 0 && !this.#lasts(root, pos, range)) {
      pos = this.#pairBefore(root, pos);
      rank--;
    }
    this.to = rank;
    while (pos !== 0 && this.#begins(root, pos, range)) {
      pos = this.#pairBefore(root, pos);
      rank--;
    }
    this.from = rank;
  }

  #begins(root: number, pos: number, range: LexRange): boolean {
    const item = this.#item;
    this.#listpacks.read(root, pos, item);
    return range.begins(item.buf, item.off, item.length);
  }

  #lasts(root: number, pos: number, range: LexRange): boolean {
    const item = this.#item;
    this.#listpacks.read(root, pos, item);
    return range.lasts(item.buf, item.off, item.length);
  }

  /** Whether a score is greater than all others. */
  #isLast(root: number, score: number): boolean {
    const last = this.#listpacks.last(root);
    if (last === 0) return true;
    const buf = this.#arena.u8[root >>> SEGMENT_SHIFT]!;
    return numberAt(buf, byteOf(root) + last) < score;
  }

  /**
   * Position before which a member belongs, the one at `skipped` left out of
   * account, or of the end.
   */
  #placeOf(
    root: number,
    score: number,
    buf: Uint8Array,
    off: number,
    length: number,
    skipped: number,
  ): number {
    const blob = this.#arena.u8[root >>> SEGMENT_SHIFT]!;
    const start = byteOf(root);
    let at = start + LISTPACK_HEADER_BYTES;
    while (blob[at] !== END) {
      const scoreAt = at + elementBytes(blob, at);
      if (at - start !== skipped) {
        const other = numberAt(blob, scoreAt);
        if (other > score) break;
        if (other === score) {
          const item = this.#item;
          this.#listpacks.read(root, at - start, item);
          const order = compareBytes(
            item.buf,
            item.off,
            item.length,
            buf,
            off,
            length,
          );
          if (order > 0) break;
        }
      }
      at = scoreAt + elementBytes(blob, scoreAt);
    }
    return at - start;
  }

  /** Inserts a score before a position; 0 appends it. */
  #insertScore(root: number, pos: number, score: number): number {
    if (Number.isSafeInteger(score)) {
      return this.#listpacks.insertInteger(root, pos, score);
    }
    const length = this.#writeScore(score);
    return this.#listpacks.insert(root, pos, this.#text, 0, length);
  }

  #replaceScore(root: number, pos: number, score: number): number {
    if (Number.isSafeInteger(score)) {
      return this.#listpacks.replaceInteger(root, pos, score);
    }
    const length = this.#writeScore(score);
    return this.#listpacks.replace(root, pos, this.#text, 0, length);
  }

  #writeScore(score: number): number {
    const text = formatDouble(score);
    for (let i = 0; i < text.length; i++) this.#text[i] = text.charCodeAt(i);
    return text.length;
  }
}

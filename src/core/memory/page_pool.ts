/**
 * The page pool: hands out runs of consecutive pages and joins them again.
 *
 * One pool serves all shards, under a latch of its own that is always the last
 * one taken. Shards come here for slabs and for large values only, so the latch
 * is cold.
 *
 * A run is described on the page map at its first and at its last page (boundary
 * tags, Knuth 2.5), which lets a freed run find and swallow its free neighbours
 * in constant time. Free runs hang in lists by the power of two below their
 * length; a fit is searched in its own list for a few steps, then taken from the
 * next longer one, and only when there is none searched in all of its own list.
 * The never-used rest of a segment is simply its longest free
 * run, so low addresses are reused first and resident memory stays small.
 *
 * Words of a page in the map:
 *
 * ```text
 * [0] state   FREE on the first and last page of a free run, and nowhere else;
 *             USED on the first page of a run in use, unless the user of the run
 *             puts a state of his own there; anything else on other pages
 * [1] length  pages of the run (first and last page of a free run; first page
 *             of a used run)
 * [2] owner   free for the user of the run
 * [3] free head, [4] fresh count, [5] used count (slabs)
 *     keepers, and whether the run has been given back; steady (runs)
 * [6] previous, [7] next: links of free runs, or of partial slabs
 * ```
 *
 * A run that is read by somebody who holds no latch is *kept* meanwhile: if it is
 * given back, its pages become free when the last keeper lets go. It is steady if
 * what lies in it does not move, so that it may be kept.
 *
 * Invariants: two free runs never touch; a page belongs to exactly one run; a
 * run never crosses a segment.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { acquireLatch, releaseLatch } from "../base/latch.ts";
import {
  type Arena,
  PAGE_BYTES,
  PAGE_MAP_WORDS,
  PAGE_SHIFT,
  SEGMENT_BYTES,
} from "./arena.ts";

/** State of the first and last page of a free run. */
export const RUN_FREE = 1;
/** State of the first page of a run in use. */
export const RUN_USED = 2;

const STATE = 0;
const LENGTH = 1;
const KEEPERS = 3;
const STEADY = 4;
const PREVIOUS = 6;
const NEXT = 7;

/**
 * Words of the pool: latch, pages in use, whether fewer than {@linkcode READY_PAGES}
 * are ready, list heads (page number + 1), and of each segment up to which page it
 * was used, is near, and has its memory.
 */
const LATCH_AT = 0;
const USED_AT = 16;
const PEAK_AT = 17;
const SHORT_AT = 18;
const HEADS_AT = 32;
const FRONTIERS_AT = 64;
const NEAR_AT = 96;
const READY_AT = 160;
const LIST_COUNT = 20;
/** Steps in a list of mixed lengths before a longer list is tried. */
const FIT_STEPS = 16;

/** Pages of a segment. */
export const PAGES_PER_SEGMENT: number = SEGMENT_BYTES / PAGE_BYTES;

/**
 * Word of the pool: pages are used for which memory should be made ready. Who
 * sets it to 1 wakes who waits at it.
 */
export const WANTS_NEAR = 128;
/**
 * Pages that shall be ready beyond those that were ever used: as many as these, but
 * no fewer and no more than so many.
 */
const NEAR_PAGES_MIN = (4 << 20) / PAGE_BYTES;
const NEAR_PAGES_MAX = (8 << 20) / PAGE_BYTES;
/** Pages that are ready, or are touched by who is about to write: see keepReady. */
const READY_PAGES = (2 << 20) / PAGE_BYTES;
const WORDS_PER_PAGE = PAGE_BYTES / 4;

/** As far a segment counts as used which is used next. */
const OPENED = 1;

/** Bit of the keepers of a run that has been given back. */
const GIVEN = 1 << 30;

/** Allocates runs of pages. One object per worker over the same words. */
export class PagePool {
  readonly #map: Int32Array;
  readonly #words: Int32Array;
  readonly #segments: readonly Int32Array[];
  readonly #latched: boolean;
  readonly #pageCount: number;

  /** `latched` is false when this worker is the only one. */
  constructor(arena: Arena, latched: boolean) {
    this.#map = arena.pageMap;
    this.#words = arena.pool;
    this.#segments = arena.i32;
    this.#latched = latched;
    this.#pageCount = arena.capacityBytes / PAGE_BYTES;
  }

  /** Puts all pages into the free lists; called once, before workers start. */
  format(): void {
    for (let at = 0; at < this.#pageCount; at += PAGES_PER_SEGMENT) {
      const end = Math.min(this.#pageCount, at + PAGES_PER_SEGMENT);
      // Page 0 is never handed out: reference 0 is null.
      const first = at === 0 ? 1 : at;
      if (at === 0) this.#map[STATE] = RUN_USED;
      if (end > first) this.#link(first, end - first);
    }
    this.#openNext();
    this.#tellNear();
  }

  /** Pages in use by slabs and runs. */
  get usedPages(): number {
    return Atomics.load(this.#words, USED_AT);
  }

  /** Most pages that were ever in use. */
  get peakPages(): number {
    return Atomics.load(this.#words, PEAK_AT);
  }

  /** Takes `pages` consecutive pages; the first page's number, or 0 when none. */
  take(pages: number): number {
    assert(pages > 0, "a run has at least one page");
    if (this.#latched) acquireLatch(this.#words, LATCH_AT);
    const first = this.#takeFit(pages);
    if (first !== 0) this.#countTaken(pages);
    const isFar = first !== 0 && this.#noteFrontier(first, pages);
    if (this.#latched) releaseLatch(this.#words, LATCH_AT);
    if (isFar) this.#tellNear();
    return first;
  }

  #tellNear(): void {
    if (Atomics.exchange(this.#words, WANTS_NEAR, 1) !== 0) return;
    Atomics.notify(this.#words, WANTS_NEAR);
  }

  /**
   * Pages of a segment for which memory is to be made ready, which counts as done
   * from here on: from the first to the one before the second; null for none. For
   * one thread of all; it takes no latch.
   */
  takeFar(segment: number): [number, number] | null {
    const words = this.#words;
    const frontier = Atomics.load(words, FRONTIERS_AT + segment);
    if (frontier === 0) return null;
    const near = Math.max(frontier, words[NEAR_AT + segment]!);
    const wanted = Math.min(
      frontier + nearPages(frontier),
      this.#pagesOf(segment),
    );
    if (wanted <= near) return null;
    Atomics.store(words, NEAR_AT + segment, wanted);
    return [near, wanted];
  }

  /** The memory of a segment is ready up to a page, which was far before. */
  noteReady(segment: number, end: number): void {
    const at = READY_AT + segment;
    // That another one has noted more meanwhile may be lost, and is made good.
    if (Atomics.load(this.#words, at) < end) {
      Atomics.store(this.#words, at, end);
    }
  }

  /**
   * Sees to it that the memory of pages that are used next is ready, two megabytes
   * of each segment, as long holds may fill: where they are used up faster than it is
   * made, they are touched.
   * For who is about to write, and holds no latch yet. A load and a test as long as
   * nothing is to be done.
   */
  keepReady(): void {
    if (this.isShort) this.#touchAhead();
  }

  /** Whether fewer are ready: who is in a long hold had better end it. */
  get isShort(): boolean {
    return this.#words[SHORT_AT] !== 0;
  }

  #touchAhead(): void {
    const words = this.#words;
    Atomics.store(words, SHORT_AT, 0);
    this.#segments.forEach((segment, i) => {
      const frontier = Atomics.load(words, FRONTIERS_AT + i);
      if (frontier === 0) return;
      // For some time, so that it need not be looked after again at once.
      const end = Math.min(frontier + 2 * READY_PAGES, this.#pagesOf(i));
      const ready = Atomics.load(words, READY_AT + i);
      if (ready >= Math.min(frontier + READY_PAGES, end)) return;
      for (let page = Math.max(frontier, ready); page < end; page++) {
        // Whoever takes it meanwhile may write there.
        Atomics.or(segment, page * WORDS_PER_PAGE, 0);
      }
      this.noteReady(i, end);
    });
  }

  /** Says whether pages behind a run are wanted before long. */
  #noteFrontier(first: number, pages: number): boolean {
    const words = this.#words;
    const segment = Math.floor(first / PAGES_PER_SEGMENT);
    const end = first % PAGES_PER_SEGMENT + pages;
    if (end <= words[FRONTIERS_AT + segment]!) return false;
    Atomics.store(words, FRONTIERS_AT + segment, end);
    const most = this.#pagesOf(segment);
    const ready = Math.min(end + READY_PAGES, most);
    if (ready > words[READY_AT + segment]!) words[SHORT_AT] = 1;
    const wanted = Math.min(end + nearPages(end) / 2, most);
    const isOpened = end + NEAR_PAGES_MAX > most && this.#openNext();
    return isOpened || wanted > words[NEAR_AT + segment]!;
  }

  /**
   * Has the beginning of the next segment made ready, of which nothing was used yet;
   * says whether there is one, and it was not done before.
   */
  #openNext(): boolean {
    const words = this.#words;
    for (let list = 0; list < LIST_COUNT; list++) {
      const page = words[HEADS_AT + list]! - 1;
      if (page < 0) continue;
      const at = FRONTIERS_AT + Math.floor(page / PAGES_PER_SEGMENT);
      if (words[at]! > OPENED) continue;
      if (words[at] === OPENED) return false;
      Atomics.store(words, at, OPENED);
      words[SHORT_AT] = 1;
      return true;
    }
    return false;
  }

  #pagesOf(segment: number): number {
    const before = segment * PAGES_PER_SEGMENT;
    return Math.min(this.#pageCount - before, PAGES_PER_SEGMENT);
  }

  /**
   * Gives back the run that starts at page `first`; its state is USED. It is free
   * when nobody keeps it.
   */
  give(first: number): void {
    const at = first * PAGE_MAP_WORDS;
    assert(
      first > 0 && this.#map[at + STATE] === RUN_USED,
      "a freed run is in use",
    );
    if (Atomics.add(this.#map, at + KEEPERS, GIVEN) === 0) this.#free(first);
  }

  /** Keeps the pages of a run that has not been given back. */
  keep(first: number): void {
    Atomics.add(this.#map, first * PAGE_MAP_WORDS + KEEPERS, 1);
  }

  /** Ends that; no latch is needed. */
  letGo(first: number): void {
    const at = first * PAGE_MAP_WORDS + KEEPERS;
    if (Atomics.sub(this.#map, at, 1) === GIVEN + 1) this.#free(first);
  }

  /** Keepers of a run that has not been given back. */
  keepersOf(first: number): number {
    return Atomics.load(this.#map, first * PAGE_MAP_WORDS + KEEPERS);
  }

  /** Says whether nothing in a run moves as long as it is kept. */
  setSteady(first: number, isSteady = true): void {
    this.#map[first * PAGE_MAP_WORDS + STEADY] = isSteady ? 1 : 0;
  }

  /** The run that a page in use belongs to; 0 if it is one of a slab. */
  runOf(page: number): number {
    let first = page;
    while (this.#map[first * PAGE_MAP_WORDS + STATE] !== RUN_USED) {
      if (first % PAGES_PER_SEGMENT === 0) return 0;
      first--;
    }
    return page - first < this.lengthOf(first) ? first : 0;
  }

  /** The same if it is a steady run. */
  steadyRunOf(page: number): number {
    const first = this.runOf(page);
    return this.#map[first * PAGE_MAP_WORDS + STEADY] === 1 ? first : 0;
  }

  #free(first: number): void {
    const at = first * PAGE_MAP_WORDS;
    if (this.#latched) acquireLatch(this.#words, LATCH_AT);
    const pages = this.#map[at + LENGTH]!;
    this.#words[USED_AT] = this.#words[USED_AT]! - pages;
    this.#clear(first);
    this.#join(first, pages);
    if (this.#latched) releaseLatch(this.#words, LATCH_AT);
  }

  /**
   * Makes the run at `first` at least `pages` long where it stands, if the pages
   * behind it are free; says whether it is.
   */
  extend(first: number, pages: number): boolean {
    if (this.#latched) acquireLatch(this.#words, LATCH_AT);
    const have = this.#map[first * PAGE_MAP_WORDS + LENGTH]!;
    const behind = first + have;
    const more = pages - have;
    const spare = more > 0 && this.#isFreeStart(behind)
      ? this.#map[behind * PAGE_MAP_WORDS + LENGTH]!
      : 0;
    const fits = more <= spare;
    let isFar = false;
    if (fits && more > 0) {
      this.#unlink(behind, spare);
      if (spare > more) this.#link(behind + more, spare - more);
      this.#map[first * PAGE_MAP_WORDS + LENGTH] = pages;
      this.#countTaken(more);
      isFar = this.#noteFrontier(first, pages);
    }
    if (this.#latched) releaseLatch(this.#words, LATCH_AT);
    if (isFar) this.#tellNear();
    return fits;
  }

  /** Cuts the run at `first` down to `pages`, freeing its tail. */
  shrink(first: number, pages: number): void {
    if (this.#latched) acquireLatch(this.#words, LATCH_AT);
    const have = this.#map[first * PAGE_MAP_WORDS + LENGTH]!;
    assert(pages > 0 && pages <= have, "a run shrinks to a part of itself");
    if (pages < have) {
      this.#map[first * PAGE_MAP_WORDS + LENGTH] = pages;
      this.#words[USED_AT] = this.#words[USED_AT]! - (have - pages);
      this.#join(first + pages, have - pages);
    }
    if (this.#latched) releaseLatch(this.#words, LATCH_AT);
  }

  /** Pages of the run that starts at page `first`. */
  lengthOf(first: number): number {
    return this.#map[first * PAGE_MAP_WORDS + LENGTH]!;
  }

  /**
   * Walks all runs and checks the invariants; returns the number of pages in
   * use. For tests; nobody else may use the pool meanwhile.
   */
  verify(): number {
    let used = 0;
    let freeRuns = 0;
    let wasFree = false;
    for (let page = 1; page < this.#pageCount;) {
      if (page % PAGES_PER_SEGMENT === 0) wasFree = false;
      const at = page * PAGE_MAP_WORDS;
      const pages = this.#map[at + LENGTH]!;
      assert(pages > 0, "a run has a length");
      const free = this.#map[at + STATE] === RUN_FREE;
      assert(!(free && wasFree), "two free runs never touch");
      if (free) {
        const last = (page + pages - 1) * PAGE_MAP_WORDS;
        assert(this.#map[last + STATE] === RUN_FREE, "a free run has two ends");
        assert(this.#map[last + LENGTH] === pages, "both ends know the length");
        freeRuns++;
      } else used += pages;
      wasFree = free;
      page += pages;
    }
    assert(used === this.usedPages, "pages in use are counted exactly");
    assert(freeRuns === this.#listedRuns(), "free runs are listed, no others");
    return used;
  }

  #listedRuns(): number {
    let count = 0;
    for (let list = 0; list < LIST_COUNT; list++) {
      let previous = 0;
      for (let link = this.#words[HEADS_AT + list]!; link !== 0;) {
        const at = (link - 1) * PAGE_MAP_WORDS;
        assert(this.#map[at + STATE] === RUN_FREE, "listed runs are free");
        assert(listOf(this.#map[at + LENGTH]!) === list, "lists are by length");
        assert(this.#map[at + PREVIOUS] === previous, "lists go both ways");
        previous = link;
        link = this.#map[at + NEXT]!;
        count++;
      }
    }
    return count;
  }

  #takeFit(pages: number): number {
    const own = listOf(pages);
    const near = this.#takeFromList(own, pages, FIT_STEPS);
    if (near !== 0) return near;
    for (let list = own + 1; list < LIST_COUNT; list++) {
      // Any run of a longer list fits.
      const page = this.#takeFromList(list, pages, 1);
      if (page !== 0) return page;
    }
    return this.#takeFromList(own, pages, Infinity);
  }

  #takeFromList(list: number, pages: number, steps: number): number {
    let page = this.#words[HEADS_AT + list]! - 1;
    for (let step = 0; page >= 0 && step < steps; step++) {
      const at = page * PAGE_MAP_WORDS;
      const have = this.#map[at + LENGTH]!;
      if (have >= pages) {
        this.#unlink(page, have);
        this.#map[at + STATE] = RUN_USED;
        this.#map[at + LENGTH] = pages;
        this.#map[at + KEEPERS] = 0;
        this.#map[at + STEADY] = 0;
        if (have > pages) this.#link(page + pages, have - pages);
        return page;
      }
      page = this.#map[at + NEXT]! - 1;
    }
    return 0;
  }

  #countTaken(pages: number): void {
    const used = this.#words[USED_AT]! + pages;
    this.#words[USED_AT] = used;
    if (used > this.#words[PEAK_AT]!) this.#words[PEAK_AT] = used;
  }

  #join(first: number, pages: number): void {
    let start = first;
    let length = pages;
    const behind = first + pages;
    if (this.#isFreeStart(behind)) {
      const more = this.#map[behind * PAGE_MAP_WORDS + LENGTH]!;
      this.#unlink(behind, more);
      length += more;
    }
    const before = (first - 1) * PAGE_MAP_WORDS;
    if (
      first % PAGES_PER_SEGMENT !== 0 &&
      this.#map[before + STATE] === RUN_FREE
    ) {
      const more = this.#map[before + LENGTH]!;
      start = first - more;
      this.#unlink(start, more);
      length += more;
    }
    this.#link(start, length);
  }

  #isFreeStart(page: number): boolean {
    return page < this.#pageCount && page % PAGES_PER_SEGMENT !== 0 &&
      this.#map[page * PAGE_MAP_WORDS + STATE] === RUN_FREE;
  }

  #link(first: number, pages: number): void {
    const at = first * PAGE_MAP_WORDS;
    const last = (first + pages - 1) * PAGE_MAP_WORDS;
    this.#map[at + STATE] = RUN_FREE;
    this.#map[at + LENGTH] = pages;
    this.#map[last + STATE] = RUN_FREE;
    this.#map[last + LENGTH] = pages;
    const head = HEADS_AT + listOf(pages);
    const next = this.#words[head]!;
    this.#map[at + PREVIOUS] = 0;
    this.#map[at + NEXT] = next;
    if (next !== 0) {
      this.#map[(next - 1) * PAGE_MAP_WORDS + PREVIOUS] = first + 1;
    }
    this.#words[head] = first + 1;
  }

  #unlink(first: number, pages: number): void {
    const at = first * PAGE_MAP_WORDS;
    const previous = this.#map[at + PREVIOUS]!;
    const next = this.#map[at + NEXT]!;
    if (previous === 0) this.#words[HEADS_AT + listOf(pages)] = next;
    else this.#map[(previous - 1) * PAGE_MAP_WORDS + NEXT] = next;
    if (next !== 0) {
      this.#map[(next - 1) * PAGE_MAP_WORDS + PREVIOUS] = previous;
    }
    this.#clear(first);
    this.#clear(first + pages - 1);
  }

  #clear(page: number): void {
    const at = page * PAGE_MAP_WORDS;
    this.#map[at + STATE] = 0;
    this.#map[at + LENGTH] = 0;
  }
}

function nearPages(used: number): number {
  return Math.max(NEAR_PAGES_MIN, Math.min(NEAR_PAGES_MAX, used));
}

function listOf(pages: number): number {
  return 31 - Math.clz32(pages);
}

/** Reference of a page's first unit. */
export function refOfPage(page: number): number {
  return page << PAGE_SHIFT;
}

/**
 * Timers by when they are due: a binary heap whose entries know their place, so
 * that one that is prevented is gone at once.
 *
 * @module
 */

interface Timer {
  readonly dueMs: number;
  /** Of two that are due together, the first that was added comes first. */
  readonly number: number;
  readonly run: () => void;
  /** Index in the heap; -1 when it is not there any more. */
  at: number;
}

/** Timers of one thread; adding and removing cost O(log n). */
export class TimerQueue {
  readonly #heap: Timer[] = [];
  #added = 0;

  /** When the next one is due; Infinity if there is none. */
  get nextMs(): number {
    return this.#heap[0]?.dueMs ?? Infinity;
  }

  /** Adds a timer; returns how to remove it. */
  add(run: () => void, dueMs: number): () => void {
    const timer = { dueMs, number: this.#added++, run, at: this.#heap.length };
    this.#heap.push(timer);
    this.#rise(timer);
    return () => this.#remove(timer);
  }

  /** Runs those that are due at `nowMs`, the earliest first. */
  runDue(nowMs: number): void {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.dueMs > nowMs) return;
      this.#remove(first);
      first.run();
    }
  }

  #remove(timer: Timer): void {
    const heap = this.#heap;
    const { at } = timer;
    if (at < 0) return;
    timer.at = -1;
    const last = heap.pop()!;
    if (last === timer) return;
    last.at = at;
    heap[at] = last;
    this.#rise(last);
    this.#sink(last);
  }

  #rise(timer: Timer): void {
    while (timer.at > 0) {
      const above = this.#heap[(timer.at - 1) >> 1]!;
      if (!isBefore(timer, above)) return;
      this.#swap(timer, above);
    }
  }

  #sink(timer: Timer): void {
    for (;;) {
      const left = this.#heap[2 * timer.at + 1];
      if (left === undefined) return;
      const right = this.#heap[2 * timer.at + 2];
      const below = right !== undefined && isBefore(right, left) ? right : left;
      if (!isBefore(below, timer)) return;
      this.#swap(below, timer);
    }
  }

  #swap(a: Timer, b: Timer): void {
    const { at } = a;
    this.#heap[a.at = b.at] = a;
    this.#heap[b.at = at] = b;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.dueMs < b.dueMs || a.dueMs === b.dueMs && a.number < b.number;
}

/**
 * Deadlines: the times at which waiting ends, the nearest first, with one timer
 * for all of them.
 *
 * A binary heap whose items know their place, so that any can be taken out in
 * O(log n).
 *
 * @module
 */

/** Longest delay that a timer takes. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** Something with a deadline. */
export interface Timed {
  /** When its time is over, in monotonic milliseconds. */
  readonly deadlineMs: number;
  /** Its place among the deadlines; -1 while it is not among them. */
  heapIndex: number;
}

/** Clock and timer. */
export interface DeadlinePorts {
  /** Monotonic milliseconds, with fractions. */
  monotonicMs(): number;
  /** Calls back after so many milliseconds; returns what prevents that. */
  startTimer(run: () => void, delayMs: number): () => void;
}

/** One per worker. */
export class Deadlines<T extends Timed> {
  readonly #ports: DeadlinePorts;
  readonly #expire: (item: T) => void;
  readonly #heap: T[] = [];
  #stopTimer: (() => void) | null = null;
  /** What the timer is set to. */
  #timerMs = Infinity;

  /** `expire` gets each item whose time is over. */
  constructor(ports: DeadlinePorts, expire: (item: T) => void) {
    this.#ports = ports;
    this.#expire = expire;
  }

  /** Items with a deadline to come. */
  get count(): number {
    return this.#heap.length;
  }

  /** Adds an item. */
  add(item: T): void {
    this.#heap.push(item);
    this.#rise(this.#heap.length - 1, item);
    if (item.deadlineMs < this.#timerMs) this.#arm();
  }

  /**
   * Takes an item out, if it is there. The timer stays: most waits end early,
   * and the next one's deadline will be a later one.
   */
  remove(item: T): void {
    const at = item.heapIndex;
    if (at < 0) return;
    item.heapIndex = -1;
    const last = this.#heap.pop()!;
    if (last !== item) {
      this.#rise(at, last);
      this.#sink(last.heapIndex, last);
    }
  }

  readonly #onTimer = (): void => {
    this.#stopTimer = null;
    this.#timerMs = Infinity;
    const nowMs = this.#ports.monotonicMs();
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.deadlineMs > nowMs) break;
      this.remove(first);
      this.#expire(first);
    }
    this.#arm();
  };

  #arm(): void {
    this.#disarm();
    const first = this.#heap[0];
    if (first === undefined) return;
    const delayMs = first.deadlineMs - this.#ports.monotonicMs();
    this.#timerMs = first.deadlineMs;
    this.#stopTimer = this.#ports.startTimer(
      this.#onTimer,
      Math.min(DELAY_MS_MAX, Math.max(0, Math.ceil(delayMs))),
    );
  }

  #disarm(): void {
    this.#stopTimer?.();
    this.#stopTimer = null;
    this.#timerMs = Infinity;
  }

  #rise(from: number, item: T): void {
    const heap = this.#heap;
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent]!;
      if (above.deadlineMs <= item.deadlineMs) break;
      heap[at] = above;
      above.heapIndex = at;
      at = parent;
    }
    heap[at] = item;
    item.heapIndex = at;
  }

  #sink(from: number, item: T): void {
    const heap = this.#heap;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (
        child + 1 < heap.length &&
        heap[child + 1]!.deadlineMs < heap[child]!.deadlineMs
      ) child++;
      const below = heap[child]!;
      if (below.deadlineMs >= item.deadlineMs) break;
      heap[at] = below;
      below.heapIndex = at;
      at = child;
    }
    heap[at] = item;
    item.heapIndex = at;
  }
}

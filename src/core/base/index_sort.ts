/**
 * Sorting of things that are numbered: what moves are 32-bit numbers, and a
 * function compares what they stand for. No object per element, and no room but
 * for the numbers.
 *
 * - {@linkcode sortIndexes} is stable: merge sort, from runs of a few elements
 *   sorted by insertion.
 * - {@linkcode sortIndexesBetween} puts right only some places, for a caller who
 *   wants no others: quicksort that leaves alone the parts without such a place.
 *   It is not stable; but as it partitions exactly as Redis's pqsort does, what
 *   compares equal comes out in the same order as there.
 *
 * Cost: n log n comparisons; for `m` places about n + m log m. Quicksort may
 * need n squared of them, for orders made for it.
 *
 * Both can be done in steps, of some hundreds or thousands of comparisons.
 *
 * Source: Bentley and McIlroy, "Engineering a Sort Function" (1993).
 *
 * @module
 */

/** Negative, zero or positive, as the order of two numbered things is. */
export type IndexOrder = (a: number, b: number) => number;

/** Elements that insertion sorts faster than anything else. */
const RUN = 8;
/** Quicksort sorts fewer elements by insertion. */
const PARTITION_MIN = 7;
/** Above so many elements, the pivot is a median of nine. */
const NINE_MIN = 40;

/** Comparisons, or elements looked at, after which a step ends. */
const STEP = 1024;

/** Sorts numbers; those that compare equal keep their order. */
export function sortIndexes(numbers: Int32Array, compare: IndexOrder): void {
  finish(sortIndexesInSteps(numbers, compare));
}

/** As {@linkcode sortIndexes}, in steps. */
export function* sortIndexesInSteps(
  numbers: Int32Array,
  compare: IndexOrder,
): SortSteps {
  const count = numbers.length;
  let done = 0;
  for (let at = 0; at < count; at += RUN) {
    insertionSort(numbers, at, Math.min(at + RUN, count), compare);
    done += RUN;
    if (done < STEP) continue;
    done = 0;
    yield;
  }
  let from = numbers;
  let to = count > RUN ? new Int32Array(count) : numbers;
  const merge = new Merge(compare);
  for (let run = RUN; run < count; run *= 2) {
    for (let at = 0; at < count; at += 2 * run) {
      const middle = Math.min(at + run, count);
      const end = Math.min(middle + run, count);
      merge.begin(at, middle);
      for (let next = at; next < end;) {
        const stop = Math.min(end, next + STEP - done);
        merge.advance(from, to, next, stop, middle, end);
        done += stop - next;
        next = stop;
        if (done < STEP) continue;
        done = 0;
        yield;
      }
    }
    [from, to] = [to, from];
  }
  if (from !== numbers) numbers.set(from);
}

/**
 * Sorts as far as the places from `first` to `last` get what belongs there;
 * none of them if `last` is before `first`.
 */
export function sortIndexesBetween(
  numbers: Int32Array,
  first: number,
  last: number,
  compare: IndexOrder,
): void {
  finish(sortIndexesBetweenInSteps(numbers, first, last, compare));
}

/** As {@linkcode sortIndexesBetween}, in steps. */
export function sortIndexesBetweenInSteps(
  numbers: Int32Array,
  first: number,
  last: number,
  compare: IndexOrder,
): SortSteps {
  return sortPart(numbers, 0, numbers.length, first, last, compare);
}

/** What is left to be done; each call of `next` does a step of it. */
export type SortSteps = Generator<void, void, void>;

function finish(steps: SortSteps): void {
  while (steps.next().done !== true);
}

/** Two runs that become one. */
class Merge {
  readonly #compare: IndexOrder;
  #left = 0;
  #right = 0;

  constructor(compare: IndexOrder) {
    this.#compare = compare;
  }

  /** The runs begin here, and here. */
  begin(start: number, middle: number): void {
    this.#left = start;
    this.#right = middle;
  }

  /** Fills the places from `at` to before `stop`. */
  advance(
    from: Int32Array,
    to: Int32Array,
    at: number,
    stop: number,
    middle: number,
    end: number,
  ): void {
    const compare = this.#compare;
    let left = this.#left;
    let right = this.#right;
    for (; at < stop; at++) {
      const takesLeft = left < middle &&
        (right >= end || compare(from[left]!, from[right]!) <= 0);
      to[at] = takesLeft ? from[left++]! : from[right++]!;
    }
    this.#left = left;
    this.#right = right;
  }
}

function insertionSort(
  numbers: Int32Array,
  start: number,
  end: number,
  compare: IndexOrder,
): void {
  for (let i = start + 1; i < end; i++) {
    const moved = numbers[i]!;
    let at = i;
    while (at > start && compare(numbers[at - 1]!, moved) > 0) {
      numbers[at] = numbers[at - 1]!;
      at--;
    }
    numbers[at] = moved;
  }
}

/** As {@linkcode insertionSort}, of many that are in order, or nearly. */
function* insertionSortInSteps(
  numbers: Int32Array,
  start: number,
  end: number,
  compare: IndexOrder,
): SortSteps {
  let done = 0;
  for (let i = start + 1; i < end; i++) {
    const moved = numbers[i]!;
    let at = i;
    while (at > start && compare(numbers[at - 1]!, moved) > 0) {
      numbers[at] = numbers[at - 1]!;
      at--;
      if (++done % STEP !== 0) continue;
      // What is moved stands somewhere, whenever anybody may look.
      numbers[at] = moved;
      yield;
    }
    numbers[at] = moved;
    if (++done % STEP === 0) yield;
  }
}

/** Quicksort of `count` numbers from `start` on. */
function* sortPart(
  numbers: Int32Array,
  start: number,
  count: number,
  first: number,
  last: number,
  compare: IndexOrder,
): SortSteps {
  for (;;) {
    const end = start + count;
    if (count < PARTITION_MIN) {
      return insertionSort(numbers, start, end, compare);
    }
    swap(numbers, start, choosePivot(numbers, start, count, compare));
    const pivot = numbers[start]!;
    // What equals the pivot is gathered at both ends: [= < ? > =].
    let equalEnd = start + 1;
    let low = start + 1;
    let high = end - 1;
    let equalStart = end - 1;
    let hasSwapped = false;
    let done = 0;
    for (;;) {
      let order = 0;
      while (low <= high && (order = compare(numbers[low]!, pivot)) <= 0) {
        if (order === 0) {
          hasSwapped = true;
          swap(numbers, equalEnd++, low);
        }
        low++;
        if (++done % STEP === 0) yield;
      }
      while (low <= high && (order = compare(numbers[high]!, pivot)) >= 0) {
        if (order === 0) {
          hasSwapped = true;
          swap(numbers, high, equalStart--);
        }
        high--;
        if (++done % STEP === 0) yield;
      }
      if (low > high) break;
      swap(numbers, low++, high--);
      hasSwapped = true;
    }
    if (!hasSwapped) {
      return yield* insertionSortInSteps(numbers, start, end, compare);
    }
    const less = low - equalEnd;
    const greater = equalStart - high;
    swapRuns(numbers, start, low, Math.min(equalEnd - start, less));
    swapRuns(numbers, low, end, Math.min(greater, end - 1 - equalStart));
    if (less > 1 && touches(start, less, first, last)) {
      yield* sortPart(numbers, start, less, first, last, compare);
    }
    start = end - greater;
    count = greater;
    if (greater <= 1 || !touches(start, greater, first, last)) return;
  }
}

/** Whether `count` places from `start` on are not all on one side of others. */
function touches(
  start: number,
  count: number,
  first: number,
  last: number,
): boolean {
  return !(first < start && last < start) &&
    !(first >= start + count && last >= start + count);
}

/** The place of a number that is probably near the middle. */
function choosePivot(
  numbers: Int32Array,
  start: number,
  count: number,
  compare: IndexOrder,
): number {
  let middle = start + (count >>> 1);
  if (count <= PARTITION_MIN) return middle;
  let left = start;
  let right = start + count - 1;
  if (count > NINE_MIN) {
    const step = count >>> 3;
    left = medianOf(numbers, left, left + step, left + 2 * step, compare);
    middle = medianOf(numbers, middle - step, middle, middle + step, compare);
    right = medianOf(numbers, right - 2 * step, right - step, right, compare);
  }
  return medianOf(numbers, left, middle, right, compare);
}

function medianOf(
  numbers: Int32Array,
  a: number,
  b: number,
  c: number,
  compare: IndexOrder,
): number {
  const x = numbers[a]!;
  const y = numbers[b]!;
  const z = numbers[c]!;
  if (compare(x, y) < 0) {
    return compare(y, z) < 0 ? b : compare(x, z) < 0 ? c : a;
  }
  return compare(y, z) > 0 ? b : compare(x, z) < 0 ? a : c;
}

function swap(numbers: Int32Array, i: number, j: number): void {
  const kept = numbers[i]!;
  numbers[i] = numbers[j]!;
  numbers[j] = kept;
}

/** Exchanges the first `count` numbers from `start` with the last before `end`. */
function swapRuns(
  numbers: Int32Array,
  start: number,
  end: number,
  count: number,
): void {
  for (let i = 0; i < count; i++) swap(numbers, start + i, end - count + i);
}

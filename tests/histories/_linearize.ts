/**
 * Decides whether a history of concurrent operations could have come from one
 * thread: whether there is an order of the operations that a sequential model
 * accepts, in which each stands where it was under way, and those of one client
 * stand in the order in which it sent them. Over a state that holds all keys
 * and operations that are whole transactions, this is strict serializability.
 *
 * The search goes through the events in the order of time and tries to put next
 * each operation that has begun and has a place; what has been tried (the set of
 * operations done, and the state that they led to) is not tried again.
 *
 * Sources: Wing and Gong, "Testing and Verifying Concurrent Objects" (1993);
 * Lowe, "Testing for Linearizability" (2017), for the remembered
 * configurations; Porcupine (github.com/anishathalye/porcupine), for the list of
 * events.
 *
 * @module
 */

/** One operation of a history. */
export interface Operation<I, O> {
  /** Who sent it. */
  readonly client: number;
  readonly input: I;
  /** What came back; of no meaning if it never ended. */
  readonly output: O;
  /** When it was sent, on a clock that never shows one time twice. */
  readonly start: number;
  /** When it had ended; Infinity if nobody knows whether it took place. */
  readonly end: number;
}

/** What the operations mean when they come one by one. */
export interface Model<S, I, O> {
  /** The state before the first one. */
  readonly initial: S;
  /**
   * The state behind an operation, or null if it cannot have had this output
   * here. `isKnown` is false if the output is not known.
   */
  step(state: S, input: I, output: O, isKnown: boolean): S | null;
  /** The same text for the same states, and for no others. */
  key(state: S): string;
}

/** A place in the list of events: an operation begins, or ends. */
interface Event {
  readonly operation: number;
  readonly isStart: boolean;
  /** The end of an operation that starts here. */
  end: Event | null;
  previous: Event | null;
  next: Event | null;
}

/** Configurations that may be looked at before the search gives up. */
const CONFIGURATIONS_MAX = 2_000_000;

/**
 * The numbers of the operations in an order that the model accepts, or null if
 * there is none. Throws if that would take too long to find out.
 */
export function findOrder<S, I, O>(
  model: Model<S, I, O>,
  operations: readonly Operation<I, O>[],
): number[] | null {
  const head = makeEvents(operations);
  const before = predecessors(operations);
  const done = new Uint8Array(operations.length);
  const seen = new Set<string>();
  const chosen: { event: Event; state: S }[] = [];
  let missing = operations.filter(({ end }) => end !== Infinity).length;
  let state = model.initial;
  let event = head.next;
  while (missing > 0) {
    if (event !== null && event.isStart) {
      const at = event.operation;
      const { input, output, end } = operations[at]!;
      const isReady = before[at]! < 0 || done[before[at]!] === 1;
      const next = isReady
        ? model.step(state, input, output, end !== Infinity)
        : null;
      if (next !== null) {
        done[at] = 1;
        const configuration = `${doneKey(done)}|${model.key(next)}`;
        if (!seen.has(configuration)) {
          seen.add(configuration);
          if (seen.size > CONFIGURATIONS_MAX) {
            throw new Error("Cannot decide about the history: it is too wide");
          }
          chosen.push({ event, state });
          state = next;
          lift(event);
          if (end !== Infinity) missing--;
          event = head.next;
          continue;
        }
        done[at] = 0;
      }
      event = event.next;
      continue;
    }
    // The operation that ends here should have been chosen before.
    const last = chosen.pop();
    if (last === undefined) return null;
    event = last.event;
    state = last.state;
    done[event.operation] = 0;
    if (operations[event.operation]!.end !== Infinity) missing++;
    unlift(event);
    event = event.next;
  }
  return chosen.map((choice) => choice.event.operation);
}

/** The operations that are done: all before a place, and some behind it. */
function doneKey(done: Uint8Array): string {
  let first = 0;
  while (done[first] === 1) first++;
  let key = String(first);
  for (let i = first + 1; i < done.length; i++) {
    if (done[i] === 1) key += `,${i}`;
  }
  return key;
}

/** For each operation, the one that its client sent before, or -1. */
function predecessors<I, O>(
  operations: readonly Operation<I, O>[],
): Int32Array {
  const before = new Int32Array(operations.length).fill(-1);
  const last = new Map<number, number>();
  const inOrder = operations.map((_, i) => i)
    .sort((a, b) => operations[a]!.start - operations[b]!.start);
  for (const i of inOrder) {
    const { client } = operations[i]!;
    before[i] = last.get(client) ?? -1;
    last.set(client, i);
  }
  return before;
}

function makeEvents<I, O>(operations: readonly Operation<I, O>[]): Event {
  const timed: { time: number; event: Event }[] = [];
  operations.forEach(({ start, end }, operation) => {
    const links = { end: null, previous: null, next: null };
    const ends: Event = { operation, isStart: false, ...links };
    const starts: Event = { operation, isStart: true, ...links, end: ends };
    timed.push({ time: start, event: starts }, { time: end, event: ends });
  });
  timed.sort((a, b) => a.time === b.time ? 0 : a.time - b.time);
  const head: Event = {
    operation: -1,
    isStart: false,
    end: null,
    previous: null,
    next: null,
  };
  let last = head;
  for (const { event } of timed) {
    event.previous = last;
    last.next = event;
    last = event;
  }
  return head;
}

/** Takes an operation out of the list. */
function lift(start: Event): void {
  for (const event of [start, start.end!]) {
    event.previous!.next = event.next;
    if (event.next !== null) event.next.previous = event.previous;
  }
}

/** Puts it back; the last one that was lifted comes first. */
function unlift(start: Event): void {
  for (const event of [start.end!, start]) {
    event.previous!.next = event;
    if (event.next !== null) event.next.previous = event;
  }
}

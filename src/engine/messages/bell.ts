/**
 * Bells: how a worker is woken by other threads, through shared memory.
 *
 * A bell carries nothing: who hears it looks for itself at what has come. It
 * costs a third of what a message of a MessagePort costs, and nothing but two
 * atomic steps while the one who listens is awake.
 *
 * ```text
 * one for each worker, on a cache line of its own
 *   word 0   how often it has been rung
 *   word 1   how often something was sent through a port
 *   word 2   how its worker sleeps: 0 as Atomics.waitAsync, -1 not at all,
 *            else in the system, where this waker wakes it
 * ```
 *
 * @module
 */

const BELL_WORDS = 16;
const RUNG = 0;
const POSTED = 1;
const SLEEPS = 2;

const BY_WAITING = 0;
const AWAKE = -1;

/** Wakes a thread that waits in the system. */
export type Wake = (waker: number) => void;

/** Makes the bells of so many workers. */
export function makeBells(workers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(workers * BELL_WORDS * 4);
}

/** A thread's end of a worker's bell: to ring it, or to listen to it. */
export class Bell {
  readonly #words: Int32Array;
  readonly #wake: Wake | null;
  #heard = 0;
  #heardPosts = 0;

  /** `wake` may be null where no thread can wait in the system. */
  constructor(bells: SharedArrayBuffer, worker: number, wake: Wake | null) {
    this.#words = new Int32Array(bells, worker * BELL_WORDS * 4, BELL_WORDS);
    this.#wake = wake;
  }

  /** There is something in shared memory. */
  ring(): void {
    const words = this.#words;
    Atomics.add(words, RUNG, 1);
    if (Atomics.load(words, SLEEPS) === BY_WAITING) {
      Atomics.notify(words, RUNG, 1);
    } else this.#rouse();
  }

  /** There is something in a port, to which it was sent before. */
  ringForPort(): void {
    Atomics.add(this.#words, POSTED, 1);
    this.#rouse();
  }

  /** Only the first who comes has to wake a sleeper. */
  #rouse(): void {
    const waker = Atomics.load(this.#words, SLEEPS);
    if (waker <= 0) return;
    const was = Atomics.compareExchange(this.#words, SLEEPS, waker, AWAKE);
    if (was === waker) this.#wake!(waker);
  }

  /**
   * Calls `hear` now and whenever the bell has been rung since, once for several
   * times. `later` calls back when the event loop has turned.
   */
  listen(hear: () => void, later: (run: () => void) => void): void {
    const listen = () => {
      const heard = Atomics.load(this.#words, RUNG);
      hear();
      const { async, value } = Atomics.waitAsync(this.#words, RUNG, heard);
      // Rung again meanwhile: but sockets and timers have their turn first.
      if (!async) return later(listen);
      value.then(listen);
    };
    listen();
  }

  /** Whether it has been rung and nobody has taken that yet. */
  get isRung(): boolean {
    return Atomics.load(this.#words, RUNG) !== this.#heard;
  }

  /** Takes note that it has been rung; says whether it was. */
  take(): boolean {
    const rung = Atomics.load(this.#words, RUNG);
    if (rung === this.#heard) return false;
    this.#heard = rung;
    return true;
  }

  /** Takes note that something was sent through a port; says whether it was. */
  takePosts(): boolean {
    const posted = Atomics.load(this.#words, POSTED);
    if (posted === this.#heardPosts) return false;
    this.#heardPosts = posted;
    return true;
  }

  /**
   * The worker is about to wait in the system, where `waker` wakes it; says
   * whether it may: nothing has come that it does not know of.
   */
  sleep(waker: number): boolean {
    Atomics.store(this.#words, SLEEPS, waker);
    if (
      !this.isRung &&
      Atomics.load(this.#words, POSTED) === this.#heardPosts
    ) return true;
    this.awake();
    return false;
  }

  /** The worker does not wait in the system. */
  awake(): void {
    Atomics.store(this.#words, SLEEPS, AWAKE);
  }
}

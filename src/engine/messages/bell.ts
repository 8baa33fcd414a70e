/**
 * A bell: a word in shared memory whose change wakes the thread that listens.
 *
 * It carries nothing: who hears it looks for itself at what has come. A bell
 * costs a third of what a message of a MessagePort costs.
 *
 * @module
 */

/** One end of a bell; who rings it and who listens have one each. */
export class Bell {
  readonly #words: Int32Array;
  readonly #at: number;

  /** The bell is word `at`; nobody else changes it. */
  constructor(words: Int32Array, at: number) {
    this.#words = words;
    this.#at = at;
  }

  /** Wakes the one who listens. */
  ring(): void {
    Atomics.add(this.#words, this.#at, 1);
    Atomics.notify(this.#words, this.#at, 1);
  }

  /**
   * Calls `hear` now and whenever the bell has been rung since, once for several
   * times. `later` calls back when the event loop has turned.
   */
  listen(hear: () => void, later: (run: () => void) => void): void {
    const listen = () => {
      const heard = Atomics.load(this.#words, this.#at);
      hear();
      const { async, value } = Atomics.waitAsync(this.#words, this.#at, heard);
      // Rung again meanwhile: but sockets and timers have their turn first.
      if (!async) return later(listen);
      value.then(listen);
    };
    listen();
  }
}

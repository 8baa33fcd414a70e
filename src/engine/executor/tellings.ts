/**
 * What commands have caused that others are to be told of, but not while latches
 * are held: when a request has run, or at the end of a batch of them.
 *
 * @module
 */

/** One per worker. */
export class Tellings {
  /** Things to be told when the request has run. */
  count = 0;
  /** Things to be told at the end of the batch. */
  batchCount = 0;
  readonly #tellers: (() => void)[] = [];
  readonly #batchTellers: (() => void)[] = [];

  /** Adds somebody who tells, after those that have been added. */
  tell(teller: () => void): void {
    this.#tellers.push(teller);
  }

  /** As {@linkcode tell}, at the end of a batch. */
  tellBatch(teller: () => void): void {
    this.#batchTellers.push(teller);
  }

  /** Tells what is to be told now; no latch is held. */
  publish(): void {
    this.count = 0;
    for (const teller of this.#tellers) teller();
  }

  /** Tells what was left for the end of a batch; no latch is held. */
  publishBatch(): void {
    this.batchCount = 0;
    for (const teller of this.#batchTellers) teller();
  }
}

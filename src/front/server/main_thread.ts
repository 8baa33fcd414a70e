/**
 * The main thread as a worker sees it: questions to it, and what it answers.
 *
 * @module
 */

import type { Json } from "../../engine/messages/peers.ts";
import type { FromWorker } from "./thread_protocol.ts";

/** One per worker. */
export class MainThread {
  readonly #tell: (message: FromWorker) => void;
  readonly #open = new Map<number, (answer: Json) => void>();
  #lastId = 0;

  /** `tell` sends a message to the main thread. */
  constructor(tell: (message: FromWorker) => void) {
    this.#tell = tell;
  }

  /** Asks; see persistence.ts for who answers. */
  ask(question: string, data: Json): Promise<Json> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#open.set(id, resolve);
      this.#tell({ kind: "ask", id, question, data });
    });
  }

  /** An answer has come. */
  answered(id: number, answer: Json): void {
    const settle = this.#open.get(id);
    this.#open.delete(id);
    settle?.(answer);
  }
}

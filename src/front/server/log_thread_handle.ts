/**
 * The log thread as the main thread sees it.
 *
 * @module
 */

import type { FromLog, LogStart, ToLog } from "./log_protocol.ts";
import type { LogLevel } from "./thread_protocol.ts";

/** A server cannot start, for a reason that is none of its own. */
export class StartError extends Error {
  override name = "StartError";
}

/** A running log thread. */
export class LogThread {
  /** Settles when the data set is loaded, and changes are logged. */
  readonly loaded: Promise<void>;
  readonly #thread: Worker;
  #onLoaded: () => void = () => {};
  #onFailed: (cause: Error) => void = () => {};
  #onStopped: () => void = () => {};

  /** Starts it. */
  constructor(
    start: LogStart,
    events: {
      readonly log: (level: LogLevel, text: string) => void;
      readonly onBug: (cause: unknown) => void;
    },
  ) {
    this.loaded = new Promise((resolve, reject) => {
      this.#onLoaded = resolve;
      this.#onFailed = reject;
    });
    // Whoever stops the server before it is loaded does not wait for it.
    this.loaded.catch(() => {});
    this.#thread = new Worker(new URL("./log_thread.ts", import.meta.url), {
      type: "module",
      name: "log",
    });
    this.#thread.onmessage = (event: MessageEvent<FromLog>) => {
      const message = event.data;
      switch (message.kind) {
        case "loaded":
          return this.#onLoaded();
        case "failed":
          return this.#onFailed(new StartError(message.text));
        case "log":
          return events.log(message.level, message.text);
        case "stopped":
          return this.#onStopped();
      }
    };
    this.#thread.onerror = (event) => {
      event.preventDefault();
      const cause = event.error ?? new Error(event.message);
      this.#onFailed(cause);
      this.#onStopped();
      events.onBug(cause);
    };
    this.#send(start, [...start.ports]);
  }

  /** Writes and syncs what the workers have left, and ends the thread. */
  async stop(): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.#onStopped = resolve);
    this.#send({ kind: "stop" });
    await stopped;
    this.#thread.terminate();
  }

  #send(message: ToLog, transfer: Transferable[] = []): void {
    this.#thread.postMessage(message, transfer);
  }
}

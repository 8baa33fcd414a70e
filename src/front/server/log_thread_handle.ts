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
  /**
   * Settles when the data set is loaded, and changes are logged; tells whether
   * the log waits for a snapshot of it.
   */
  readonly loaded: Promise<boolean>;
  readonly #thread: Worker;
  #onLoaded: (waitsForBase: boolean) => void = () => {};
  #onFailed: (cause: Error) => void = () => {};
  #onStopped: () => void = () => {};
  #onRewriting: (name: string) => void = () => {};
  #onRewritten: (error: string | null) => void = () => {};

  /** Starts it. */
  constructor(
    start: LogStart,
    events: {
      readonly log: (level: LogLevel, text: string) => void;
      readonly onBug: (cause: unknown) => void;
      /**
       * Loads a snapshot, or what there is if `path` is null; says whether there
       * are keys now of which no log knows. Rejects with the reason.
       */
      readonly load: (path: string | null) => Promise<boolean>;
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
          return this.#onLoaded(message.waitsForBase);
        case "load":
          events.load(message.path).then(
            (isUnlogged) =>
              this.#send({ kind: "base loaded", isUnlogged, error: null }),
            (cause: Error) =>
              this.#send({
                kind: "base loaded",
                isUnlogged: false,
                error: cause.message,
              }),
          );
          return;
        case "rewriting":
          return this.#onRewriting(message.name);
        case "rewritten":
          return this.#onRewritten(message.error);
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

  /** Where the snapshot of a rewrite is to be written. */
  rewrite(): Promise<string> {
    this.#send({ kind: "rewrite" });
    return new Promise((resolve) => this.#onRewriting = resolve);
  }

  /**
   * The snapshot of that ticket is there; settles when the log begins with it, or
   * with why it does not.
   */
  takeBase(ticket: number): Promise<string | null> {
    this.#send({ kind: "base", ticket });
    return new Promise((resolve) => this.#onRewritten = resolve);
  }

  /** Writes and syncs what the workers have left, and ends the thread. */
  async stop(): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.#onStopped = resolve);
    this.#send({ kind: "stop" });
    await stopped;
    this.#onRewritten("The log has ended");
    this.#thread.terminate();
  }

  #send(message: ToLog, transfer: Transferable[] = []): void {
    this.#thread.postMessage(message, transfer);
  }
}

/**
 * The call as commands about the server see it: with the connection that asks
 * and the worker around it.
 *
 * @module
 */

import { Call, type CallContext } from "../../core/commands/call.ts";
import type { Session } from "../../engine/executor/session.ts";
import type { Connection } from "./connection.ts";
import type { WorkerContext } from "./worker_context.ts";

/** One per worker. */
export class ServerCall extends Call {
  declare session: Session;
  #worker: WorkerContext | null = null;

  /** Completed by {@linkcode attach}. */
  constructor(context: CallContext) {
    super(context);
  }

  /** Names the worker, which is made after its call. */
  attach(worker: WorkerContext): void {
    this.#worker = worker;
  }

  /** Ends the session's transaction, if it has one, and its watches. */
  endTransaction(): void {
    this.worker.executor.endTransaction(this.session);
  }

  /** The worker. */
  get worker(): WorkerContext {
    return this.#worker!;
  }

  /** The connection that asks. */
  get connection(): Connection {
    return this.#worker!.current!;
  }
}

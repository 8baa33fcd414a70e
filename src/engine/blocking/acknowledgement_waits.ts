/**
 * The sessions of this worker whose command waits until others have acknowledged
 * changes: WAIT and WAITAOF. The wait ends when they have, when its time is over,
 * by CLIENT UNBLOCK, or with the connection.
 *
 * @module
 */

import type { LateReply } from "../../core/commands/command_spec.ts";
import { type ErrorReply, UNBLOCKED } from "../../core/resp/error_reply.ts";
import { type DeadlinePorts, Deadlines, type Timed } from "./deadlines.ts";

/** What the waits need from the worker around them. */
export interface AcknowledgementPorts extends DeadlinePorts {
  /** The wait of a session's command was ended with an error. */
  countUnblocked(session: number, error: ErrorReply): void;
}

/** One wait. */
export interface AcknowledgementWait {
  /** The reply, when it is over. */
  readonly promise: Promise<LateReply>;
  readonly isOver: boolean;
  /** What was waited for has come. */
  end(): void;
}

interface Waiting extends AcknowledgementWait, Timed {
  readonly session: number;
  readonly answer: LateReply;
  readonly settle: (late: LateReply) => void;
  isOver: boolean;
}

/** One per worker. */
export class AcknowledgementWaits {
  readonly #ports: AcknowledgementPorts;
  readonly #waiting = new Map<number, Waiting>();
  readonly #deadlines: Deadlines<Waiting>;

  /** Nobody waits yet. */
  constructor(ports: AcknowledgementPorts) {
    this.#ports = ports;
    this.#deadlines = new Deadlines(ports, (wait) => this.#end(wait));
  }

  /** How many wait. */
  get count(): number {
    return this.#waiting.size;
  }

  /**
   * A session's command begins to wait, for ever if `waitMs` is 0; `answer` says
   * how far it has come, whether that is enough or not.
   */
  begin(
    session: number,
    waitMs: number,
    answer: LateReply,
  ): AcknowledgementWait {
    const { promise, resolve } = Promise.withResolvers<LateReply>();
    const wait: Waiting = {
      ...{ session, answer, promise },
      settle: resolve,
      isOver: false,
      end: () => this.#end(wait),
      deadlineMs: waitMs === 0 ? 0 : this.#ports.monotonicMs() + waitMs,
      heapIndex: -1,
    };
    this.#waiting.set(session, wait);
    if (waitMs > 0) this.#deadlines.add(wait);
    return wait;
  }

  /** CLIENT UNBLOCK: says whether the session's command waited. */
  unblock(session: number, withError: boolean): boolean {
    const wait = this.#waiting.get(session);
    if (wait === undefined) return false;
    if (withError) this.#ports.countUnblocked(session, UNBLOCKED);
    this.#end(wait, withError ? replyUnblocked : wait.answer);
    return true;
  }

  /** The connection of a session is gone. */
  drop(session: number): void {
    const wait = this.#waiting.get(session);
    if (wait !== undefined) this.#end(wait);
  }

  #end(wait: Waiting, late: LateReply = wait.answer): void {
    if (wait.isOver) return;
    wait.isOver = true;
    this.#waiting.delete(wait.session);
    this.#deadlines.remove(wait);
    wait.settle(late);
  }
}

const replyUnblocked: LateReply = (reply) => reply.error(UNBLOCKED);

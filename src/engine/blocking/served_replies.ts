/**
 * The replies of commands that have waited, on their way from the worker that has
 * served them to the worker of their connection.
 *
 * A long one is not there yet when its command has been served: its elements are
 * taken in slices, or are read from a value that is kept for it. The wait is over
 * all the same, whatever becomes of the client; who leaves meanwhile is given
 * nothing, and what was taken for it goes back when the reply is whole.
 *
 * A source goes along only to a client of this worker that owes nothing if it
 * leaves: for others the reply is made whole here, some of it in each turn.
 *
 * @module
 */

import type { LateReply } from "../../core/commands/command_spec.ts";
import { ReplyDrain } from "../../core/resp/reply_drain.ts";
import { ReplyWriter } from "../../core/resp/reply_writer.ts";
import { takeReply } from "../messages/forwarding.ts";
import type { BlockedSessions } from "./blocked_sessions.ts";

/** Longest turn in which a reply is made whole. */
const TURN_MS = 1;
/** Bytes between two looks at the clock. */
const STEP_BYTES = 1 << 16;

/** What the replies need from the worker around them. */
export interface ServedReplyPorts {
  /** Number of the worker. */
  readonly worker: number;
  readonly blocked: BlockedSessions;
  /** Sends a reply without sources to a session's worker, and empties it. */
  send(worker: number, session: number, reply: ReplyWriter): void;
  monotonicMs(): number;
  later(run: () => void, delayMs: number): void;
  /** Runs something in a moment, when no latch is held. */
  soon(run: () => void): void;
}

/** One per worker. */
export class ServedReplies {
  readonly #ports: ServedReplyPorts;

  constructor(ports: ServedReplyPorts) {
    this.#ports = ports;
  }

  /** Hands over what `reply` holds, and empties it; latches may be held. */
  handOver(to: number, session: number, reply: ReplyWriter): void {
    const { worker, blocked, send, soon } = this.#ports;
    const isOwn = to === worker;
    if (reply.hasSource && (!isOwn || blocked.undoOf(session) !== "")) {
      const drain = new ReplyDrain(reply, new ReplyWriter());
      return soon(() => this.#drain(to, session, drain));
    }
    if (!isOwn) return send(to, session, reply);
    const late = takeReply(reply);
    soon(() => blocked.served(session, late));
  }

  /** Hands over a reply that is there later; no latch is held then. */
  async handOverLater(
    to: number,
    session: number,
    promise: Promise<LateReply>,
  ): Promise<void> {
    const late = await promise;
    const { worker, blocked, send } = this.#ports;
    if (to === worker) return blocked.served(session, late);
    const reply = new ReplyWriter();
    late(reply);
    send(to, session, reply);
  }

  #drain(to: number, session: number, drain: ReplyDrain): void {
    const { monotonicMs, later } = this.#ports;
    const endMs = monotonicMs() + TURN_MS;
    do {
      if (drain.write(STEP_BYTES)) return this.handOver(to, session, drain.to);
    } while (monotonicMs() < endMs);
    later(() => this.#drain(to, session, drain), 0);
  }
}

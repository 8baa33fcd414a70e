/**
 * The event loop of a worker: when something is to be done.
 *
 * There are two. {@linkcode PollingLoop} asks the system itself (epoll), which
 * takes a fifth less processor time than Deno's way without pipelining; it waits
 * in the system, where nothing of Deno's is heard. {@linkcode DenoLoop} is for
 * where the system's library may not be called. What waits on a worker therefore
 * waits here, and not with setTimeout, setImmediate or promises of Deno's; and
 * who sends something to a worker rings its bell.
 *
 * @module
 */

import type { Bell } from "../../../engine/messages/bell.ts";
import { DenoLoop } from "./deno_loop.ts";
import { PollingLoop } from "./polling_loop.ts";
import type { Accepted } from "./socket.ts";
import { systemCalls } from "./system_calls.ts";

/** Told of connections. */
export interface AcceptHandler {
  /** Somebody has connected. */
  onAccepted(accepted: Accepted): void;
  /** It cannot be accepted; a while later it is tried again. */
  onAcceptFailed(reason: string): void;
}

/** One per worker. */
export interface EventLoop {
  /** What it asks what has come, as INFO names it. */
  readonly api: string;
  /**
   * Whether a socket reads when something has come, and tells of it at once: so
   * the rooms of all may be the same.
   */
  readonly sharesRoom: boolean;
  /** Begins: `hear` is called when the bell has been rung, and now. */
  start(hear: () => void): void;
  /**
   * Calls back once, after at least a millisecond, or two if it is to be at once:
   * what goes on so takes no more than a part of the time. Returns how to prevent
   * it.
   */
  startTimer(run: () => void, delayMs: number): () => void;
  /** As {@linkcode startTimer}, where it need not be prevented. */
  later(run: () => void, delayMs: number): void;
  /** Calls back soon; it may be before sockets have had their turn. */
  soon(run: () => void): void;
  /** Calls back when sockets have had their turn. */
  rest(run: () => void): void;
  /** What has happened so far, to sockets or because the bell was rung. */
  readonly eventCount: number;
  /** Whether something has come since the turn began; false if not known. */
  hasInput(): boolean;
  /** Listens at an address; the handler is told of who connects. */
  listen(
    open: () => Deno.Listener,
    handler: AcceptHandler,
  ): { close(): void };
  /**
   * Nothing is called any more. Returns a descriptor that other threads may be
   * about to use, to be closed when they have ended; -1 if there is none.
   */
  end(): number;
}

/** The loop of the worker whose bell this is. */
export function makeEventLoop(bell: Bell): EventLoop {
  return systemCalls === null
    ? new DenoLoop(bell)
    : new PollingLoop(bell, systemCalls);
}

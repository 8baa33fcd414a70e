/**
 * Delays where one worker may come in between another's steps: at latches, at
 * messages and where a command is parked. They make rare orders of events
 * common, for tests of what must hold in every order; a server without them has
 * nothing of this on its paths.
 *
 * @module
 */

import { Prng } from "../../core/base/prng.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import { Latches } from "../../engine/latch/shard_latches.ts";

/** One latch in so many is delayed. */
const LATCH_ONE_IN = 16;
/** Longest delay at a latch, milliseconds. */
const LATCH_MS = 0.3;
/** One message, or parked command, in so many is delayed. */
const MESSAGE_ONE_IN = 4;
/** Longest delay of a message or of a parked command's reply, milliseconds. */
const MESSAGE_MS = 3;

/** A worker's delays. */
export class TestDelays {
  readonly #random: Prng;

  /** The same seed chooses the same delays; when they come is another matter. */
  constructor(seed: number, worker: number) {
    this.#random = new Prng(seed * 8191 + worker);
  }

  /** Stops the thread for a while, now and then. */
  stop(): void {
    if (this.#random.below(LATCH_ONE_IN) !== 0) return;
    const endMs = performance.now() + this.#upTo(LATCH_MS);
    while (performance.now() < endMs);
  }

  /** How long something that travels is to be held up; 0 for not at all. */
  pauseMs(): number {
    return this.#random.below(MESSAGE_ONE_IN) === 0
      ? this.#upTo(MESSAGE_MS)
      : 0;
  }

  /** A reply that comes, and perhaps late. */
  late(promise: Promise<LateReply> | null): Promise<LateReply> | null {
    const pauseMs = promise === null ? 0 : this.pauseMs();
    if (promise === null || pauseMs === 0) return promise;
    return promise.then((reply) =>
      new Promise((settle) => setTimeout(() => settle(reply), pauseMs))
    );
  }

  #upTo(ms: number): number {
    return this.#random.below(1000) / 1000 * ms;
  }
}

/** Latches that are taken, and given back, with delays. */
export class DelayedLatches extends Latches {
  /** As {@linkcode Latches}; set before the first latch is taken. */
  delays: TestDelays | null = null;

  override acquire(shard: number): void {
    super.acquire(shard);
    this.delays?.stop();
  }

  override release(shard: number): void {
    this.delays?.stop();
    super.release(shard);
    this.delays?.stop();
  }
}

/** A MessagePort, or what takes its place. */
interface AnyPort<Sent, Received> {
  postMessage(message: Sent, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<Received>) => void) | null;
}

/** A port whose messages come late now and then, and always in order. */
export function delayedPort<Sent, Received>(
  port: AnyPort<Sent, Received>,
  delays: TestDelays,
): AnyPort<Sent, Received> {
  const waiting: MessageEvent<Received>[] = [];
  const delayed: AnyPort<Sent, Received> = {
    postMessage: (message, transfer) => port.postMessage(message, transfer),
    onmessage: null,
  };
  const deliver = () => {
    while (waiting.length > 0) {
      delayed.onmessage!(waiting.shift()!);
      const pauseMs = waiting.length > 0 ? delays.pauseMs() : 0;
      if (pauseMs > 0) {
        setTimeout(deliver, pauseMs);
        return;
      }
    }
  };
  port.onmessage = (event) => {
    waiting.push(event);
    if (waiting.length > 1) return;
    const pauseMs = delays.pauseMs();
    if (pauseMs > 0) setTimeout(deliver, pauseMs);
    else deliver();
  };
  return delayed;
}

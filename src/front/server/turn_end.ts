/**
 * The end of a turn of the event loop: what its commands have left to be sent is
 * sent, replies first, then messages that nobody asked for.
 *
 * All connections that have something to send do so one after the other: a peer
 * on another core is woken once, and not again after each batch that it outruns.
 *
 * A message to many subscribers is as many calls of the system, while which those
 * who got a reply may have asked for the next thing. So they are looked at now
 * and then, and what has come is done before the other subscribers are sent
 * theirs. Nobody waits without need, a large fan-out delays others less, and
 * subscribers get several messages at once when they come faster than they can
 * be sent.
 *
 * @module
 */

import type { WorkerLog } from "../../engine/persistence/worker_log.ts";
import type { PubSub } from "../../engine/pubsub/pubsub.ts";
import type { Connection } from "./connection.ts";
import type { EventLoop } from "./network/event_loop.ts";

/** Subscribers that are sent their messages between two looks, at least. */
const PUSHES_MIN = 8;
/** One in so many of those that wait is sent its messages between two looks. */
const PUSHES_SHARE = 16;
/** Bytes of messages that may wait when something else is done first. */
const WAITING_BYTES_MAX = 128 * 1024;
/** Entries of the queue that are kept behind its head. */
const HEAD_MAX = 4096;

/** One per worker. */
export class TurnEnd {
  readonly #durability: WorkerLog;
  readonly #pubsub: PubSub;
  /** Takes in what other workers have sent. */
  readonly #receive: () => void;
  readonly #replying: Connection[] = [];
  /** First in, first out, from `#pushed` on. */
  readonly #pushing: Connection[] = [];
  #pushed = 0;
  #isPlanned = false;
  readonly #loop: EventLoop;
  /** Connections whose replies wait for what they tell of. */
  readonly #held: Connection[] = [];
  #awaitsDurable = false;

  /** `receive` takes in what other workers have sent. */
  constructor(
    durability: WorkerLog,
    pubsub: PubSub,
    loop: EventLoop,
    receive: () => void,
  ) {
    this.#durability = durability;
    this.#pubsub = pubsub;
    this.#loop = loop;
    this.#receive = receive;
  }

  /** Lets a connection write its replies. */
  planSend(connection: Connection): void {
    this.#replying.push(connection);
    this.#plan();
  }

  /** Lets a connection send its messages. */
  planPush(connection: Connection): void {
    this.#pushing.push(connection);
    this.#plan();
  }

  /** Something has come: messages that have waited for it are sent after it. */
  goOn(): void {
    if (this.#pushing.length > 0) this.#plan();
  }

  /** Replies need no longer wait. */
  letGo(): void {
    if (this.#held.length > 0) this.#sendHeld();
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(this.#end);
  }

  /** Replies go first: who gets one may go on while others get messages. */
  readonly #end = (): void => {
    // What is sent may lead to more that is to be sent.
    this.#isPlanned = false;
    this.#sendReplies();
    while (this.#pushed < this.#pushing.length) {
      this.#sendMessages();
      if (this.#replying.length > 0) this.#sendReplies();
      else if (this.#mayWait() && this.#loop.hasInput()) break;
    }
    this.#compact();
  };

  #sendReplies(): void {
    const replying = this.#replying;
    const { holdsReplies } = this.#durability;
    // Who is sent something may be closed by it, and others may get replies.
    for (let i = 0; i < replying.length; i++) {
      const connection = replying[i]!;
      if (holdsReplies) this.#held.push(connection);
      else connection.sendPlanned();
    }
    replying.length = 0;
    if (holdsReplies) this.#sendHeld();
  }

  /** Sends some of the messages that wait. */
  #sendMessages(): void {
    const pushing = this.#pushing;
    const waiting = pushing.length - this.#pushed;
    const share = Math.max(PUSHES_MIN, waiting / PUSHES_SHARE);
    for (let i = 0; i < share && this.#pushed < pushing.length; i++) {
      pushing[this.#pushed++]!.sendPlannedPushes();
    }
    if (this.#pushed < pushing.length) this.#receive();
  }

  #mayWait(): boolean {
    return this.#pubsub.logBytes < WAITING_BYTES_MAX;
  }

  /** Lets go of what was sent. */
  #compact(): void {
    const pushing = this.#pushing;
    const isDone = this.#pushed === pushing.length;
    if (!isDone && this.#pushed < HEAD_MAX) return;
    pushing.copyWithin(0, this.#pushed);
    pushing.length -= this.#pushed;
    this.#pushed = 0;
    if (isDone) this.#pubsub.endTurn();
  }

  /** Sends the replies of which all that they tell is on the disk. */
  readonly #sendHeld = (): void => {
    const held = this.#held;
    const durability = this.#durability;
    for (let isAgain = false;; isAgain = true) {
      let kept = 0;
      for (const connection of held) {
        if (connection.mayTell(durability)) connection.sendPlanned();
        else held[kept++] = connection;
      }
      held.length = kept;
      if (kept === 0 || this.#awaitsDurable && isAgain) return;
      if (!this.#awaitsDurable) {
        this.#awaitsDurable = true;
        durability.whenDurable(() => {
          this.#awaitsDurable = false;
          this.#sendHeld();
        });
      }
      // It may have come before the log writer was asked to tell.
    }
  };
}

/**
 * An event loop that asks the system what has come: epoll(7), as Redis's.
 *
 * ```text
 * turn:  wait for sockets, the bell, the next timer      in the system
 *        messages, sockets, timers, what is due soon     one after the other
 *        microtasks: replies, messages and the log go    by Deno, as after any
 * ```
 *
 * A turn is an immediate of Deno's, so that what comes through its ports is heard
 * between two turns. Who sends something rings the bell; that wakes a thread that
 * waits in the system, and one that has been sent a message through a port does
 * not wait in the turns that follow.
 *
 * @module
 */

import type { Bell } from "../../../engine/messages/bell.ts";
import type { AcceptHandler, EventLoop } from "./event_loop.ts";
import { PolledListener } from "./polled_listener.ts";
import {
  CAN_READ,
  CONTROL_ADD,
  CONTROL_CHANGE,
  CONTROL_DELETE,
  EDGES_ONLY,
  EventList,
  type SystemCalls,
} from "./system_calls.ts";
import { TimerQueue } from "./timer_queue.ts";

/** Descriptors that one call tells of. */
const EVENTS_MAX = 128;
/** Longest wait. */
const WAIT_MS_MAX = 1000;
/**
 * Turns without a wait until a message has come out of its port: so long as there
 * is an immediate, Deno's runtime looks at what other threads have woken every
 * 31st time.
 */
const PORT_TURNS = 40;

/** How long who wants to go on at once lets others go first. */
const REST_MS = 2;

/** What a descriptor is watched for. */
export interface Watcher {
  /** Something is the matter: bits of system_calls.ts. */
  onReady(what: number): void;
}

/** The loop of one worker. */
export class PollingLoop implements EventLoop {
  readonly api = "epoll";
  readonly sharesRoom = true;
  /** The system. */
  readonly calls: SystemCalls;
  readonly #bell: Bell;
  readonly #poll: number;
  readonly #waker: number;
  readonly #events = new EventList(EVENTS_MAX);
  readonly #look = new EventList(1);
  /** By descriptor. */
  readonly #watchers: (Watcher | null)[] = [];
  readonly #timers = new TimerQueue();
  #soon: (() => void)[] = [];
  #hear: () => void = () => {};
  #turnsWithoutWait = 0;
  #eventCount = 0;
  #isEnded = false;

  constructor(bell: Bell, calls: SystemCalls) {
    this.calls = calls;
    this.#bell = bell;
    this.#poll = calls.makePoll();
    this.#waker = calls.makeWaker();
    calls.control(this.#poll, CONTROL_ADD, this.#waker, CAN_READ | EDGES_ONLY);
  }

  start(hear: () => void): void {
    this.#hear = hear;
    this.#bell.awake();
    hear();
    setImmediate(this.#turn);
  }

  startTimer(run: () => void, delayMs: number): () => void {
    const restMs = delayMs === 0 ? REST_MS : Math.max(1, delayMs);
    return this.#timers.add(run, performance.now() + restMs);
  }

  later(run: () => void, delayMs: number): void {
    this.startTimer(run, delayMs);
  }

  soon(run: () => void): void {
    this.#soon.push(run);
  }

  rest(run: () => void): void {
    this.#soon.push(run);
  }

  get eventCount(): number {
    return this.#eventCount;
  }

  hasInput(): boolean {
    return this.#bell.isRung ||
      this.calls.wait(this.#poll, this.#look, 0) > 0;
  }

  listen(
    open: () => Deno.Listener,
    handler: AcceptHandler,
  ): { close(): void } {
    return new PolledListener(this, open, handler);
  }

  end(): number {
    this.#isEnded = true;
    this.calls.close(this.#poll);
    return this.#waker;
  }

  /** Tells `watcher` what is the matter with a descriptor. */
  watch(descriptor: number, interest: number, watcher: Watcher): void {
    this.#watchers[descriptor] = watcher;
    this.calls.control(this.#poll, CONTROL_ADD, descriptor, interest);
  }

  /** Something else is of interest now. */
  change(descriptor: number, interest: number): void {
    this.calls.control(this.#poll, CONTROL_CHANGE, descriptor, interest);
  }

  /** Nothing is told any more. */
  unwatch(descriptor: number): void {
    this.#watchers[descriptor] = null;
    this.calls.control(this.#poll, CONTROL_DELETE, descriptor, 0);
  }

  readonly #turn = (): void => {
    if (this.#isEnded) return;
    const bell = this.#bell;
    const timeoutMs = this.#timeoutMs();
    const count = this.calls.wait(this.#poll, this.#events, timeoutMs);
    if (timeoutMs > 0) bell.awake();
    if (bell.takePosts()) this.#turnsWithoutWait = PORT_TURNS;
    this.#eventCount += count;
    if (bell.take()) {
      this.#eventCount++;
      this.#hear();
    }
    for (let i = 0; i < count; i++) {
      const what = this.#events.what(i);
      this.#watchers[this.#events.descriptor(i)]?.onReady(what);
    }
    if (this.#timers.nextMs !== Infinity) {
      this.#timers.runDue(performance.now());
    }
    if (this.#soon.length > 0) this.#runSoon();
    setImmediate(this.#turn);
  };

  /** What is added meanwhile comes in the next turn. */
  #runSoon(): void {
    const soon = this.#soon;
    this.#soon = [];
    for (const run of soon) run();
  }

  /** How long to wait; the thread counts as asleep if that is not 0. */
  #timeoutMs(): number {
    if (this.#turnsWithoutWait > 0) {
      this.#turnsWithoutWait--;
      return 0;
    }
    if (this.#soon.length > 0) return 0;
    const { nextMs } = this.#timers;
    const leftMs = nextMs === Infinity
      ? WAIT_MS_MAX
      : Math.ceil(nextMs - performance.now());
    if (leftMs <= 0) return 0;
    return this.#bell.sleep(this.#waker) ? Math.min(leftMs, WAIT_MS_MAX) : 0;
  }
}

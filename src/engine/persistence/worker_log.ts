/**
 * A worker's side of the log: wakes the log writer when there is something to
 * write, and knows how far it is.
 *
 * @module
 */

import type { EffectLog } from "../../core/keyspace/effect_log.ts";
import {
  type EffectBuffers,
  LOG_IS_ON,
  LOG_NEXT_TICKET,
} from "../../core/keyspace/effect_ring.ts";
import type { OwnLogWriting } from "./own_log_writing.ts";
import {
  CUT_TICKET,
  CUT_WANTED,
  DURABLE_TICKET,
  LOG_ON,
  LOG_STATE,
  type LogStatusBuffers,
  WANTS_DURABLE,
  WANTS_ROOM,
  wantsAt,
  WRITER_FAILING,
  WRITER_IDLE,
} from "./log_status.ts";

/** Sends to the log writer. */
export interface LogWriterLink {
  /** There is something to do before it would look by itself. */
  look(): void;
  /** Somebody waits for what was logged to be synced. */
  sync(): void;
}

/** One per worker. */
export class WorkerLog {
  /** Where the worker records what it changes. */
  readonly effects: EffectLog;
  /** Words of the log and of its writer. */
  readonly status: LogStatusBuffers;
  /** `appendfsync always`: replies wait for what they tell of. */
  holdsReplies = false;
  /** The way to the log writer; null while there is none. */
  link: LogWriterLink | null = null;
  /** What may spare the log writer its work; null for nothing. */
  ownWriting: OwnLogWriting | null = null;
  readonly #logWords: Int32Array;
  readonly #words: Int32Array;
  readonly #wantsAt: number;
  /** The worker's last ticket of which the log writer knows; -1 for none. */
  #told = -1;
  #forRoom: (() => void)[] = [];
  #forDurable: (() => void)[] = [];

  /** The log of worker `worker`. */
  constructor(
    effects: EffectLog,
    buffers: EffectBuffers,
    status: LogStatusBuffers,
    worker: number,
  ) {
    this.effects = effects;
    this.status = status;
    this.#logWords = new Int32Array(buffers.words);
    this.#words = new Int32Array(status.words);
    this.#wantsAt = wantsAt(worker);
  }

  /** Whether changes are logged. */
  get isOn(): boolean {
    return this.effects.isOn;
  }

  /** Whether something was recorded of which the log writer may not know. */
  get hasNews(): boolean {
    return this.effects.lastTicket !== this.#told && this.link !== null;
  }

  /** Whether the log cannot be written. */
  get isFailing(): boolean {
    return Atomics.load(this.#words, WRITER_FAILING) !== 0;
  }

  /** Whether the log has the data set, and not only changes of it. */
  get isKept(): boolean {
    return Atomics.load(this.#words, LOG_STATE) === LOG_ON;
  }

  /** The ticket, of 32 bits, that is drawn next by any worker. */
  get nextTicket(): number {
    this.effects.drawTickets();
    return Atomics.load(this.#logWords, LOG_NEXT_TICKET);
  }

  /**
   * The ticket that is drawn next, at the instant of a snapshot: with `cutsLog`,
   * records from it on go to a new file. The latches of all shards are held.
   */
  cut(cutsLog: boolean): number {
    const ticket = this.nextTicket;
    if (cutsLog) {
      Atomics.store(this.#words, CUT_TICKET, ticket);
      Atomics.store(this.#words, CUT_WANTED, 1);
      this.link?.look();
    }
    return ticket;
  }

  /** Changes are logged no more. The latches of all shards are held. */
  end(): void {
    this.effects.drawTickets();
    Atomics.store(this.#logWords, LOG_IS_ON, 0);
  }

  /** Whether all before that ticket is on the disk. */
  isDurable(nextTicket: number): boolean {
    return (Atomics.load(this.#words, DURABLE_TICKET) - nextTicket | 0) >= 0;
  }

  /** Whether the worker must take no more requests for now. */
  get isCongested(): boolean {
    return this.effects.isOn && this.effects.isCongested;
  }

  /** Calls back when there is room in the ring. */
  whenRoom(run: () => void): void {
    this.#forRoom.push(run);
    this.#wantRoom();
  }

  /** Calls back when more is on the disk than before. */
  whenDurable(run: () => void): void {
    this.#forDurable.push(run);
    Atomics.or(this.#words, this.#wantsAt, WANTS_DURABLE);
  }

  /** Asks for a sync whatever `appendfsync` says. */
  syncSoon(): void {
    this.endTurn();
    this.link?.sync();
  }

  /** Some commands have run: the log writer is woken if it has to be. */
  endTurn(): void {
    const { effects, link } = this;
    effects.publish();
    if (effects.lastTicket === this.#told || link === null) return;
    this.#told = effects.lastTicket;
    if (this.holdsReplies && this.ownWriting?.run(effects.lastTicket)) {
      return this.onRung();
    }
    if (effects.isCongested) this.#wantRoom();
    const words = this.#words;
    if (
      Atomics.load(words, WRITER_IDLE) !== 0 &&
      Atomics.exchange(words, WRITER_IDLE, 0) !== 0
    ) Atomics.notify(words, WRITER_IDLE);
  }

  /** Now and then: a look too many costs a moment, and one too few no hang. */
  cron(): void {
    if (this.effects.undrainedBytes > 0) this.link?.look();
    this.onRung();
  }

  /** The worker's bell has been rung; perhaps by the log writer. */
  onRung(): void {
    const waiting = this.#forRoom.length + this.#forDurable.length;
    if (waiting > 0 || this.isCongested) this.onTold();
  }

  /** The log writer says that what the worker wants may have come. */
  onTold(): void {
    const { effects } = this;
    const wasCongested = effects.isCongested;
    effects.flush();
    if (effects.isCongested) this.#wantRoom();
    else {
      // What has found room now is news to the log writer.
      if (wasCongested) this.link?.look();
      this.#call(this.#forRoom.splice(0));
    }
    this.#call(this.#forDurable.splice(0));
  }

  #call(waiting: (() => void)[]): void {
    for (const run of waiting) run();
  }

  #wantRoom(): void {
    Atomics.or(this.#words, this.#wantsAt, WANTS_ROOM);
    this.link?.look();
  }
}

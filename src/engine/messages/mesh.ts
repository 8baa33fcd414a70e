/**
 * The mesh: messages between every two workers.
 *
 * - All that a worker has for a peer in one turn of its event loop is one
 *   message, a transferred buffer of framed records.
 * - One first-in-first-out channel per pair: everything travels in it, so
 *   nothing overtakes.
 * - Bounded: at most {@linkcode WINDOW_BYTES} are under way to a peer; the rest
 *   waits here until the peer has said that it has handled what it got. While
 *   something waits, the mesh is congested, and connections are not read from.
 * - Nothing polls: a worker without work for its peers sends nothing.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import { FrameReader, FrameWriter } from "./frame.ts";
import type { Answerer, Json, Peers } from "./peers.ts";

/** What leads to a peer: see rings.ts. */
export interface Port {
  /** Sends a batch; its buffer is transferred. */
  postMessage(message: Uint8Array, transfer: Transferable[]): void;
  /** Called with each batch that comes. */
  onmessage: ((event: { readonly data: Uint8Array }) => void) | null;
}

/** Handles the records of one kind; must read exactly the record's fields. */
export type RecordHandler = (from: number, reader: FrameReader) => void;

/** Bytes that may be under way to a peer. */
const WINDOW_BYTES = 4 * 1024 * 1024;
/** Handled bytes that are reported at once rather than with other records. */
const REPORT_BYTES = 256 * 1024;

/** Record: so many bytes of yours are handled. */
const HANDLED = 1;
/** Record: a question; answered with {@linkcode ANSWER}. */
const QUESTION = 2;
/** Record: the answer to a question. */
const ANSWER = 3;

interface Link {
  readonly port: Port;
  readonly writer: FrameWriter;
  underWay: number;
  handled: number;
  isCongested: boolean;
}

interface OpenQuestion {
  readonly answers: Json[];
  missing: number;
  readonly settle: (answers: Json[]) => void;
}

/** One worker's end of the mesh. */
export class Mesh implements Peers {
  readonly self: number;
  readonly #links: (Link | null)[];
  readonly #handlers = new Map<number, RecordHandler>();
  readonly #answerers = new Map<string, Answerer>();
  readonly #open = new Map<number, OpenQuestion>();
  #lastQuestion = 0;
  #isFlushPlanned = false;
  /** Peers for which records wait. */
  #congested = 0;
  readonly #waiting: (() => void)[] = [];
  readonly #step: () => void;

  /**
   * `ports[i]` leads to worker `i`; its own place is null. `step` is called
   * before a batch is sent and before one is handled.
   */
  constructor(
    self: number,
    ports: readonly (Port | null)[],
    step: () => void = () => {},
  ) {
    this.self = self;
    this.#step = step;
    this.#links = ports.map((port) =>
      port &&
      {
        port,
        writer: new FrameWriter(),
        underWay: 0,
        handled: 0,
        isCongested: false,
      }
    );
    this.#handlers.set(
      HANDLED,
      (from, reader) => this.#onHandled(from, reader),
    );
    this.#handlers.set(QUESTION, (from, reader) => this.#onAsked(from, reader));
    this.#handlers.set(ANSWER, (from, reader) => this.#onAnswer(from, reader));
    this.#links.forEach((link, from) => {
      if (link) link.port.onmessage = (e) => this.#receive(from, link, e.data);
    });
  }

  get count(): number {
    return this.#links.length;
  }

  /** Whether records wait for a peer that has fallen behind. */
  get isCongested(): boolean {
    return this.#congested > 0;
  }

  /** Calls back when the mesh is no longer congested. */
  whenFree(run: () => void): void {
    this.#waiting.push(run);
  }

  /** Says who handles records of a kind. */
  handle(kind: number, handler: RecordHandler): void {
    assert(!this.#handlers.has(kind), "a kind of record has one handler");
    this.#handlers.set(kind, handler);
  }

  /**
   * Where to write a record for worker `to`, its kind already written. The
   * record must be complete when the caller returns.
   */
  record(to: number, kind: number): FrameWriter {
    const link = this.#links[to]!;
    link.writer.u8(kind);
    this.#planFlush();
    return link.writer;
  }

  answer(kind: string, answerer: Answerer): void {
    assert(!this.#answerers.has(kind), "a kind of question has one answerer");
    this.#answerers.set(kind, answerer);
  }

  ask(kind: string, question: Json): Promise<Json[]> {
    const id = ++this.#lastQuestion;
    const answers: Json[] = new Array(this.count).fill(null);
    answers[this.self] = this.#answer(kind, question);
    if (this.count === 1) return Promise.resolve(answers);
    return new Promise((settle) => {
      this.#open.set(id, { answers, missing: this.count - 1, settle });
      const text = JSON.stringify(question);
      for (let to = 0; to < this.count; to++) {
        if (to === this.self) continue;
        const writer = this.record(to, QUESTION);
        writer.u32(id);
        writer.text(kind);
        writer.text(text);
      }
    });
  }

  #answer(kind: string, question: Json): Json {
    const answerer = this.#answerers.get(kind);
    assert(answerer !== undefined, "a question has an answerer");
    return answerer(question);
  }

  #planFlush(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    queueMicrotask(() => {
      this.#isFlushPlanned = false;
      for (const link of this.#links) if (link) this.#flush(link);
    });
  }

  #flush(link: Link): void {
    if (
      link.handled > 0 && link.writer.length > 0 || link.handled > REPORT_BYTES
    ) {
      link.writer.u8(HANDLED);
      link.writer.u32(link.handled);
      link.handled = 0;
    }
    if (link.writer.length === 0) return;
    if (link.underWay > WINDOW_BYTES) return this.#setCongested(link, true);
    this.#setCongested(link, false);
    this.#step();
    const batch = link.writer.take();
    link.underWay += batch.length;
    link.port.postMessage(batch, [batch.buffer]);
  }

  #setCongested(link: Link, isCongested: boolean): void {
    if (link.isCongested === isCongested) return;
    link.isCongested = isCongested;
    this.#congested += isCongested ? 1 : -1;
    if (this.#congested > 0) return;
    for (const run of this.#waiting.splice(0)) run();
  }

  #receive(from: number, link: Link, batch: Uint8Array): void {
    this.#step();
    const reader = new FrameReader(batch);
    while (!reader.isAtEnd) {
      const handler = this.#handlers.get(reader.u8());
      assert(handler !== undefined, "a record's kind has a handler");
      handler(from, reader);
    }
    link.handled += batch.length;
    if (link.handled > REPORT_BYTES) this.#planFlush();
  }

  #onHandled(from: number, reader: FrameReader): void {
    const link = this.#links[from]!;
    link.underWay -= reader.u32();
    if (link.writer.length > 0) this.#planFlush();
  }

  #onAsked(from: number, reader: FrameReader): void {
    const id = reader.u32();
    const kind = reader.text();
    const answer = this.#answer(kind, JSON.parse(reader.text()));
    const writer = this.record(from, ANSWER);
    writer.u32(id);
    writer.text(JSON.stringify(answer));
  }

  #onAnswer(from: number, reader: FrameReader): void {
    const id = reader.u32();
    const answer: Json = JSON.parse(reader.text());
    const open = this.#open.get(id);
    assert(open !== undefined, "an answer has a question");
    open.answers[from] = answer;
    if (--open.missing > 0) return;
    this.#open.delete(id);
    open.settle(open.answers);
  }
}

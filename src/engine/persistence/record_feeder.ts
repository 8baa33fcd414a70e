/**
 * Feeds the records of a log to the workers that replay them: in chunks of
 * shared memory, each of which goes to all workers and is used again when all
 * are done with it.
 *
 * @module
 */

import { readWord, recordBytes } from "../../core/keyspace/effect_record.ts";
import { LogDamage } from "./log_directory.ts";
import type { RecordSink } from "./log_reader.ts";
import { replayWordsBytes } from "./replay.ts";

/** Bytes of a chunk; a record that is larger has one of its own. */
const CHUNK_BYTES = 1 << 20;
/** What is longer is used again. */
const LONG_BYTES = 16 << 20;
/** Room of such a chunk, for a next record that is somewhat longer. */
const SPARE_BYTES = 4 << 20;
/** Chunks that may be under way. */
const CHUNKS = 4;

/** Records for the workers. */
export interface RecordChunk {
  /** The records, one behind the other. */
  readonly bytes: SharedArrayBuffer;
  /** How many bytes they are. */
  readonly length: number;
  /** Number of the first of them among all that are replayed. */
  readonly first: number;
  /** See replay.ts. */
  readonly words: SharedArrayBuffer;
}

/** Feeds one log. */
export class RecordFeeder implements RecordSink {
  readonly #workers: number;
  readonly #post: (worker: number, chunk: RecordChunk) => void;
  readonly #words: SharedArrayBuffer;
  readonly #free: Uint8Array[] = [];
  /** A very long one; memory that is let go of is not free for a while. */
  #longFree: Uint8Array | null = null;
  #chunk: Uint8Array | null = null;
  #end = 0;
  #count = 0;
  /** Records in chunks before. */
  #before = 0;
  /** Chunks under way, and how many workers have each still to take. */
  readonly #underWay: { chunk: Uint8Array; missing: number }[] = [];
  /** Chunks that each worker has taken. */
  readonly #taken: number[];
  #takenBefore = 0;
  #wake: (() => void) | null = null;
  #error: string | null = null;

  /** `post` sends a chunk to a worker, which calls {@linkcode taken} then. */
  constructor(
    workers: number,
    post: (worker: number, chunk: RecordChunk) => void,
  ) {
    this.#workers = workers;
    this.#post = post;
    this.#words = new SharedArrayBuffer(replayWordsBytes(workers));
    this.#taken = new Array(workers).fill(0);
  }

  records(
    buf: Uint8Array,
    from: number,
    to: number,
    count: number,
  ): void | Promise<void> {
    const chunk = this.#chunk;
    if (chunk === null || to - from > chunk.length - this.#end) {
      return this.#cut(buf, from, to);
    }
    chunk.set(buf.subarray(from, to), this.#end);
    this.#end += to - from;
    this.#count += count;
  }

  /** Puts records into as many chunks as they take. */
  async #cut(buf: Uint8Array, from: number, to: number): Promise<void> {
    for (let at = from; at < to;) {
      const start = at;
      let count = 0;
      const room = this.#chunk === null
        ? CHUNK_BYTES
        : this.#chunk.length - this.#end;
      while (at < to) {
        const next = at + recordBytes(readWord(buf, at));
        if (next - start > room) break;
        at = next;
        count++;
      }
      if (count > 0) {
        const chunk = this.#chunk ??= await this.#takeChunk();
        chunk.set(buf.subarray(start, at), this.#end);
        this.#end += at - start;
        this.#count += count;
        continue;
      }
      if (this.#chunk !== null) {
        this.#send();
        continue;
      }
      const bytes = recordBytes(readWord(buf, at));
      this.#chunk = await this.#takeLong(bytes);
      this.#chunk.set(buf.subarray(at, at + bytes));
      this.#end = bytes;
      this.#count = 1;
      at += bytes;
    }
  }

  /** Waits until all records are replayed; throws {@linkcode LogDamage}. */
  async finish(): Promise<void> {
    if (this.#chunk !== null) this.#send();
    while (this.#underWay.length > 0) await this.#sleep();
    this.#checkError();
  }

  /** A worker has taken its next chunk; `error` says what went wrong with it. */
  taken(worker: number, error: string | null): void {
    if (error !== null) this.#error ||= error;
    const underWay = this.#underWay;
    const number = this.#taken[worker]!++ - this.#takenBefore;
    underWay[number]!.missing--;
    while (underWay.length > 0 && underWay[0]!.missing === 0) {
      this.#takenBefore++;
      const { chunk } = underWay.shift()!;
      if (chunk.length === CHUNK_BYTES) this.#free.push(chunk);
      else if (chunk.length > LONG_BYTES) this.#longFree = chunk;
    }
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  /** An empty chunk, when there is one. */
  async #takeChunk(): Promise<Uint8Array> {
    while (this.#underWay.length >= CHUNKS) await this.#sleep();
    this.#checkError();
    const chunk = this.#free.pop();
    if (chunk !== undefined) return chunk;
    return new Uint8Array(new SharedArrayBuffer(CHUNK_BYTES));
  }

  /** A chunk for one record; a very long one is alone under way. */
  async #takeLong(bytes: number): Promise<Uint8Array> {
    const most = bytes > LONG_BYTES ? 1 : CHUNKS;
    while (this.#underWay.length >= most) await this.#sleep();
    this.#checkError();
    if (bytes <= LONG_BYTES) {
      return new Uint8Array(new SharedArrayBuffer(bytes));
    }
    const free = this.#longFree;
    this.#longFree = null;
    return free !== null && free.length >= bytes
      ? free
      : new Uint8Array(new SharedArrayBuffer(bytes + SPARE_BYTES));
  }

  #sleep(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  #checkError(): void {
    if (this.#error !== null) {
      throw new LogDamage(`Cannot replay the log: ${this.#error}`);
    }
  }

  #send(): void {
    const chunk = this.#chunk!;
    this.#underWay.push({ chunk, missing: this.#workers });
    for (let worker = 0; worker < this.#workers; worker++) {
      this.#post(worker, {
        bytes: chunk.buffer as SharedArrayBuffer,
        length: this.#end,
        first: this.#before,
        words: this.#words,
      });
    }
    this.#before += this.#count;
    this.#chunk = null;
    this.#end = this.#count = 0;
  }
}

/**
 * Replay: how all workers together bring the records of a log back into the data
 * set.
 *
 * Every worker is given all records, in their order, and runs those whose keys
 * all lie on shards that it owns; of a batch, whose commands are independent of
 * each other, it runs those of them. So the workers need not agree about anything
 * as long as records are about one worker's keys. A record about several
 * workers' keys must be run when all before it have been run, and before all
 * behind it: there the workers meet, and one of them runs all records as far as
 * the end of a block, whosever they are, while the others wait; so a log of such
 * records costs two meetings a block.
 *
 * ```text
 * words   a cache line per worker: [0] records passed, modulo 2^32
 *         then a cache line: [0] somebody has given up
 * ```
 *
 * @module
 */

import {
  CommandReader,
  readWord,
  RECORD_HEADER_BYTES,
  recordBytes,
} from "../../core/keyspace/effect_record.ts";
import type { Arguments } from "../../core/resp/arguments.ts";

/** Records of a block. */
const BLOCK_RECORDS = 256;
const LINE_WORDS = 16;
/** Stands for the owner of a batch. */
const BATCH = -2;
/** Looks at another worker's progress before a sleep. */
const SPINS = 2000;
/** Longest sleep; nobody need be trusted to wake. */
const SLEEP_MS = 20;

/** What replay needs from the worker around it. */
export interface ReplayPorts {
  /** The worker that owns all shards of a command's keys, or -1. */
  ownerOf(args: Arguments): number;
  /** Runs a command; tells the error that it has answered, or null. */
  run(db: number, args: Arguments): string | null;
}

/** Bytes of the words that the workers share. */
export function replayWordsBytes(workers: number): number {
  return (workers + 1) * LINE_WORDS * 4;
}

/** One worker's part. */
export class Replay {
  readonly #self: number;
  readonly #workers: number;
  readonly #words: Int32Array;
  readonly #ports: ReplayPorts;
  readonly #reader = new CommandReader();

  /** `words` are shared by all workers. */
  constructor(
    parts: {
      self: number;
      workers: number;
      words: SharedArrayBuffer;
      ports: ReplayPorts;
    },
  ) {
    this.#self = parts.self;
    this.#workers = parts.workers;
    this.#words = new Int32Array(parts.words);
    this.#ports = parts.ports;
  }

  /**
   * Takes `length` bytes of records, the first of which is number `first` of all
   * that are replayed. Tells what went wrong, or null.
   */
  take(bytes: Uint8Array, length: number, first: number): string | null {
    let index = first;
    for (let at = 0; at < length;) {
      const owner = this.#workers === 1 ? this.#self : this.#ownerAt(bytes, at);
      if (owner >= 0 || owner === BATCH) {
        const error = owner === BATCH || owner === this.#self
          ? this.#runAt(bytes, at, owner !== BATCH)
          : null;
        if (error !== null) return this.#giveUp(error);
        at += recordBytes(readWord(bytes, at));
        index++;
        continue;
      }
      const start = at;
      const stop = (index | BLOCK_RECORDS - 1) + 1;
      let end = index;
      for (; end !== stop && at < length; end++) {
        at += recordBytes(readWord(bytes, at));
      }
      const error = this.#meet(bytes, start, at, index, end);
      if (error !== null) return error;
      index = end;
    }
    this.#advance(index);
    return null;
  }

  /** One worker runs the records from `at` to `end`; the others wait. */
  #meet(
    bytes: Uint8Array,
    start: number,
    end: number,
    first: number,
    last: number,
  ): string | null {
    const runner = Math.floor(first / BLOCK_RECORDS) % this.#workers;
    this.#advance(first);
    if (runner !== this.#self) {
      return this.#await(runner, last) ? null : GAVE_UP;
    }
    for (let worker = 0; worker < this.#workers; worker++) {
      if (!this.#await(worker, first)) return GAVE_UP;
    }
    for (let at = start; at < end;) {
      const error = this.#runAt(bytes, at, true);
      if (error !== null) return this.#giveUp(error);
      at += recordBytes(readWord(bytes, at));
    }
    this.#advance(last);
    return null;
  }

  #reset(bytes: Uint8Array, at: number): CommandReader {
    const reader = this.#reader;
    reader.reset(bytes, at + RECORD_HEADER_BYTES, readWord(bytes, at));
    return reader;
  }

  /** The worker whose keys alone a record is about, {@linkcode BATCH}, or -1. */
  #ownerAt(bytes: Uint8Array, at: number): number {
    const reader = this.#reset(bytes, at);
    let owner = -1;
    while (reader.next()) {
      if (reader.isOfBatch && !reader.isAtEnd) return BATCH;
      const next = this.#ports.ownerOf(reader.args);
      if (next < 0 || owner >= 0 && next !== owner) return -1;
      owner = next;
      if (reader.isAtEnd) return owner;
    }
    return -1;
  }

  /** Runs a record, or of a batch what is this worker's. */
  #runAt(bytes: Uint8Array, at: number, runsAll: boolean): string | null {
    const reader = this.#reset(bytes, at);
    while (reader.next()) {
      if (!runsAll) {
        const owner = this.#ports.ownerOf(reader.args);
        if (owner < 0) return `record ${readWord(bytes, at + 4)} is no batch`;
        if (owner !== this.#self) continue;
      }
      const error = this.#ports.run(reader.db, reader.args);
      if (error !== null) {
        const name = reader.args.copy(0);
        return `record ${readWord(bytes, at + 4)}: ` +
          `${String.fromCharCode(...name.subarray(0, 64))}: ${error}`;
      }
    }
    return reader.isDamaged
      ? `record ${readWord(bytes, at + 4)} holds no commands`
      : null;
  }

  #advance(index: number): void {
    const at = this.#self * LINE_WORDS;
    Atomics.store(this.#words, at, index | 0);
    if (this.#workers > 1) Atomics.notify(this.#words, at);
  }

  /** Waits until a worker has passed `index` records; false if one gave up. */
  #await(worker: number, index: number): boolean {
    const words = this.#words;
    const at = worker * LINE_WORDS;
    for (let spins = 0;; spins++) {
      const passed = Atomics.load(words, at);
      if ((passed - index | 0) >= 0) return true;
      if (spins < SPINS) continue;
      if (Atomics.load(words, this.#workers * LINE_WORDS) !== 0) return false;
      Atomics.wait(words, at, passed, SLEEP_MS);
    }
  }

  #giveUp(error: string): string {
    Atomics.store(this.#words, this.#workers * LINE_WORDS, 1);
    return error;
  }
}

/** Another worker tells what went wrong. */
export const GAVE_UP = "";

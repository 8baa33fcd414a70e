/**
 * A worker that is the only one, and has what it recorded brought to the disk by
 * itself: under `appendfsync always`, where all that it did waits for that.
 *
 * What the log writer does on its thread takes two wakes for each sync, of which
 * a sync of a fast disk is not much longer. So the worker takes the file while the
 * log writer rests, if there is nothing about it that only the log writer knows:
 * makes a frame of what is in its ring, writes it into room that is reserved, and
 * syncs it. Whatever is in the way, or fails, is left to the log writer with the
 * ring as it was: it writes the same records to the same place.
 *
 * Nobody else is served meanwhile, as by Redis. A disk that is slow is left to the
 * log writer for so long that the worker seldom stands still.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import { readWord } from "../../core/keyspace/effect_record.ts";
import {
  copyFromRing,
  RING_DATA,
  RING_DRAINED,
  RING_WAITING,
  RING_WRITTEN,
} from "../../core/keyspace/effect_ring.ts";
import { FRAME_HEAD_BYTES, putFrameHead } from "./log_frame.ts";
import {
  CUT_WANTED,
  DURABLE_TICKET,
  HELD_BY_WORKER,
  LOG_DESCRIPTOR,
  LOG_FILE_RESERVED,
  LOG_FILE_SIZE,
  LOG_FILE_TICKET,
  LOG_HOLDER,
  LOG_SIZE,
  LOG_SIZE_BEFORE,
  type LogStatusBuffers,
} from "./log_status.ts";

/** Most bytes of records that a worker writes by itself. */
const BYTES_MAX = 256 << 10;
/** A disk is slow if syncs take longer, on the average of the last ones. */
const SLOW_MS = 1;
/** The weight of the last one in that average. */
const LAST_WEIGHT = 1 / 8;
/** A slow disk is the log writer's for so many times as long. */
const REST_TIMES = 50;
/** After a failure, for so long. */
const FAILED_MS = 1000;

/** How a worker reaches the disk. */
export interface OwnLogPorts {
  /** Writes a file from `at` on; returns how many bytes, or a negative number. */
  write(
    descriptor: number,
    bytes: Uint8Array<ArrayBuffer>,
    length: number,
    at: number,
  ): number;
  /** Waits until what was written is on the disk; says whether it is. */
  sync(descriptor: number): boolean;
  /** Monotonic milliseconds. */
  monotonicMs(): number;
}

/** One for the only worker of a server. */
export class OwnLogWriting {
  readonly #control: Int32Array;
  readonly #data: Uint8Array;
  readonly #words: Int32Array;
  readonly #figures: Float64Array;
  readonly #ports: OwnLogPorts;
  readonly #frame: Uint8Array<ArrayBuffer> = new Uint8Array(
    FRAME_HEAD_BYTES + BYTES_MAX,
  );
  #restsUntilMs = -Infinity;
  #averageMs = 0;

  /** `ring` is the worker's, as in effect_ring.ts. */
  constructor(
    ring: SharedArrayBuffer,
    status: LogStatusBuffers,
    ports: OwnLogPorts,
  ) {
    this.#control = new Int32Array(ring, 0, RING_DATA >> 2);
    this.#data = new Uint8Array(ring, RING_DATA);
    this.#words = new Int32Array(status.words);
    this.#figures = new Float64Array(status.figures);
    this.#ports = ports;
  }

  /**
   * Brings what is in the ring to the disk, the last record of which has the
   * ticket `lastTicket`; false if that is left to the log writer.
   */
  run(lastTicket: number): boolean {
    if (this.#ports.monotonicMs() < this.#restsUntilMs) return false;
    const words = this.#words;
    if (Atomics.compareExchange(words, LOG_HOLDER, 0, HELD_BY_WORKER) !== 0) {
      return false;
    }
    const isDone = this.#run(lastTicket);
    Atomics.store(words, LOG_HOLDER, 0);
    return isDone;
  }

  #run(lastTicket: number): boolean {
    const words = this.#words;
    const figures = this.#figures;
    const control = this.#control;
    if (words[LOG_DESCRIPTOR]! < 0 || words[CUT_WANTED] !== 0) return false;
    const drained = Atomics.load(control, RING_DRAINED);
    const bytes = control[RING_WRITTEN]! - drained | 0;
    const size = figures[LOG_FILE_SIZE]!;
    const newSize = size + FRAME_HEAD_BYTES + bytes;
    if (
      bytes === 0 || bytes > BYTES_MAX || control[RING_WAITING] !== 0 ||
      newSize > figures[LOG_FILE_RESERVED]!
    ) return false;
    const firstTicket = figures[LOG_FILE_TICKET]!;
    const count = lastTicket + 1 - firstTicket | 0;
    this.#makeFrame(drained, bytes, firstTicket, count);
    if (!this.#writeAndSync(size, newSize - size)) return false;
    Atomics.store(control, RING_DRAINED, drained + bytes | 0);
    figures[LOG_FILE_SIZE] = newSize;
    figures[LOG_FILE_TICKET] = firstTicket + count;
    figures[LOG_SIZE] = figures[LOG_SIZE_BEFORE]! + newSize;
    Atomics.store(words, DURABLE_TICKET, lastTicket + 1 | 0);
    return true;
  }

  #makeFrame(
    drained: number,
    bytes: number,
    firstTicket: number,
    count: number,
  ): void {
    const frame = this.#frame;
    copyFromRing(this.#data, drained, bytes, frame, FRAME_HEAD_BYTES);
    const ticket = readWord(frame, FRAME_HEAD_BYTES + 4);
    assert(
      count > 0 && (ticket | 0) === (firstTicket | 0),
      "the file's next ticket is that of the first record in the ring",
    );
    putFrameHead(frame, 0, { bytes, firstTicket, count });
  }

  #writeAndSync(at: number, length: number): boolean {
    const ports = this.#ports;
    const descriptor = this.#words[LOG_DESCRIPTOR]!;
    const startMs = ports.monotonicMs();
    const isDone =
      ports.write(descriptor, this.#frame, length, at) === length &&
      ports.sync(descriptor);
    const nowMs = ports.monotonicMs();
    const tookMs = nowMs - startMs;
    this.#averageMs += (tookMs - this.#averageMs) * LAST_WEIGHT;
    if (!isDone) this.#restsUntilMs = nowMs + FAILED_MS;
    else if (this.#averageMs > SLOW_MS) {
      this.#restsUntilMs = nowMs + this.#averageMs * REST_TIMES;
      this.#averageMs = 0;
    }
    return isDone;
  }
}

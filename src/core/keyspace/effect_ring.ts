/**
 * The ring: through which a worker's records go to who keeps them.
 *
 * A pipe of bytes in shared memory, with one producer (the worker, through
 * effect_log.ts) and one consumer (the log writer). What goes through are
 * records as in effect_record.ts, one behind the other. A record that is larger
 * than the free room goes through in pieces, so any size fits; the consumer
 * counts a record once it has all of it.
 *
 * ```text
 * control (32 words)                        data (a power of two)
 * [0]  written   bytes put, modulo 2^32     byte n of the pipe lies at
 * [1]  waiting   bytes that found no room   n modulo the capacity
 *      and wait in the worker's memory
 * [16] drained   bytes taken, modulo 2^32
 * ```
 *
 * `written` is stored after the bytes before it, for several records at a time,
 * `drained` after the bytes
 * before it have been copied: each side reads the other's word and writes its
 * own. Records begin at multiples of four.
 *
 * All workers share the words of the log: whether there is one, and the next
 * ticket.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { copyBytes } from "../base/bytes.ts";

/** Word of a ring: bytes written. */
export const RING_WRITTEN = 0;
/** Word of a ring: bytes that wait in the worker's own memory for room. */
export const RING_WAITING = 1;
/** Word of a ring: bytes drained. */
export const RING_DRAINED = 16;
/** Bytes before a ring's data. */
export const RING_DATA = 128;

/**
 * Word of the log: 1 while changes are recorded. To be changed with the latches
 * of all shards held.
 */
export const LOG_IS_ON = 0;
/** Word of the log: the ticket that is drawn next. */
export const LOG_NEXT_TICKET = 16;
/** Words of the log. */
export const LOG_WORDS = 32;

/** What the workers and the log writer share; structured-cloneable. */
export interface EffectBuffers {
  /** The words of the log. */
  readonly words: SharedArrayBuffer;
  /** A ring per worker. */
  readonly rings: readonly SharedArrayBuffer[];
}

/** Copies bytes out of a ring's data, the first of which is number `at`. */
export function copyFromRing(
  data: Uint8Array,
  at: number,
  bytes: number,
  into: Uint8Array,
  intoOff: number,
): void {
  const from = at & (data.length - 1);
  const first = Math.min(bytes, data.length - from);
  copyBytes(data, from, into, intoOff, first);
  copyBytes(data, 0, into, intoOff + first, bytes - first);
}

/** Makes the rings of so many workers; `ringBytes` is a power of two. */
export function makeEffectBuffers(
  workers: number,
  ringBytes: number,
): EffectBuffers {
  assert(
    ringBytes >= 64 && ringBytes <= 1 << 30 &&
      (ringBytes & (ringBytes - 1)) === 0,
    "a ring's capacity is a power of two",
  );
  return {
    words: new SharedArrayBuffer(LOG_WORDS * 4),
    rings: Array.from(
      { length: workers },
      () => new SharedArrayBuffer(RING_DATA + ringBytes),
    ),
  };
}

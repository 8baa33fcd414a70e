/**
 * The arena: all memory that holds data, as a few SharedArrayBuffers that every
 * worker sees.
 *
 * ```text
 * reference (int32)   [ segment : 5 ][ unit : 27 ]     unit = 8 bytes
 * segment             1 GiB of address space; the last one may be smaller
 * page                4096 bytes = 512 units; page number = reference >>> 9
 * page map            8 words per page, in a buffer of its own (page_pool.ts)
 * ```
 *
 * - The whole address space is reserved before any worker starts, so no worker
 *   can meet a reference it has no view for. Reserved is not resident: the
 *   kernel gives a page when it is first touched.
 * - Byte offsets inside a segment stay below 2^30, hence small integers for V8.
 * - Reference 0 is null; unit 0 is never handed out. References beyond 2^31 are
 *   negative int32s; they are only ever shifted, masked and compared.
 *
 * @module
 */

import { assert } from "../base/assert.ts";

/** Bytes of one unit, the granularity of references. */
export const UNIT_BYTES = 8;
/** Units of a page. */
export const PAGE_UNITS = 512;
/** Bytes of a page. */
export const PAGE_BYTES = PAGE_UNITS * UNIT_BYTES;
/** Shift that turns a reference into a page number. */
export const PAGE_SHIFT = 9;
/** Shift that turns a reference into a segment number. */
export const SEGMENT_SHIFT = 27;
/** Mask of a reference's unit inside its segment. */
export const UNIT_MASK = (1 << SEGMENT_SHIFT) - 1;
/** Bytes of a full segment. */
export const SEGMENT_BYTES = 2 ** 30;
/** Most bytes that 32-bit references reach. */
export const ARENA_BYTES_MAX = 32 * SEGMENT_BYTES;
/** Words of the page map for one page. */
export const PAGE_MAP_WORDS = 8;

/**
 * Bytes left out at the start of a segment. Large buffers begin 16 bytes behind
 * a page boundary (malloc's header); with these, unit 0 begins a cache line, so
 * that neither a bucket nor a small entry lies in two: a random lookup waits for
 * half as much memory.
 */
const SKEW_BYTES = 48;

/** What must travel to a worker so that it can build its {@linkcode Arena}. */
export interface ArenaBuffers {
  /** The segments, in order. */
  readonly segments: readonly SharedArrayBuffer[];
  /** The page map over all segments. */
  readonly pageMap: SharedArrayBuffer;
  /** The page pool's words. */
  readonly pool: SharedArrayBuffer;
}

/** Reserves address space for `bytes` of data, rounded up to pages. */
export function reserveArena(bytes: number): ArenaBuffers {
  assert(bytes > 0, "an arena has a positive size");
  const wanted = Math.min(ARENA_BYTES_MAX, ceilTo(bytes, PAGE_BYTES));
  const segments: SharedArrayBuffer[] = [];
  for (let at = 0; at < wanted; at += SEGMENT_BYTES) {
    segments.push(
      new SharedArrayBuffer(
        Math.min(SEGMENT_BYTES, wanted - at) + SKEW_BYTES,
      ),
    );
  }
  const pages = wanted / PAGE_BYTES;
  return {
    segments,
    pageMap: new SharedArrayBuffer(pages * PAGE_MAP_WORDS * 4),
    pool: new SharedArrayBuffer(1024),
  };
}

function ceilTo(n: number, multiple: number): number {
  return Math.ceil(n / multiple) * multiple;
}

/** One worker's views of the arena; made once. */
export class Arena {
  /** Byte views, by segment. */
  readonly u8: Uint8Array[];
  /** Word views, by segment. */
  readonly i32: Int32Array[];
  /** Double views, by segment. */
  readonly f64: Float64Array[];
  /** The page map: {@linkcode PAGE_MAP_WORDS} words a page. */
  readonly pageMap: Int32Array;
  /** The page pool's words. */
  readonly pool: Int32Array;
  /** Bytes of address space. */
  readonly capacityBytes: number;

  /** Makes the views; cheap, touches no memory. */
  constructor(buffers: ArenaBuffers) {
    const { segments } = buffers;
    this.u8 = segments.map((s) => new Uint8Array(s, SKEW_BYTES));
    this.i32 = segments.map((s) => new Int32Array(s, SKEW_BYTES));
    this.f64 = segments.map((s) => new Float64Array(s, SKEW_BYTES));
    this.pageMap = new Int32Array(buffers.pageMap);
    this.pool = new Int32Array(buffers.pool);
    this.capacityBytes = segments.reduce(
      (sum, s) => sum + s.byteLength - SKEW_BYTES,
      0,
    );
  }
}

/** Index of the reference's first byte in its segment's byte view. */
export function byteOf(ref: number): number {
  return (ref & UNIT_MASK) << 3;
}

/** Index of the reference's first word in its segment's word view. */
export function wordOf(ref: number): number {
  return (ref & UNIT_MASK) << 1;
}

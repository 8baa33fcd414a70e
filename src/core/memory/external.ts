/**
 * External strings: long byte strings in page runs of their own.
 *
 * ```text
 * word 0  length in bytes      word 1  references (atomic)
 * word 2, 3  reserved          bytes from offset 16
 * ```
 *
 * A run is referred to by the entry whose value it is and by every reply that
 * still streams it. Who wants to change the bytes must be the only one
 * ({@linkcode isShared} is false), else he writes a new run. The last one to
 * let go frees the pages.
 *
 * @module
 */

import { collectIfDue } from "../base/young_buffers.ts";
import {
  type Arena,
  byteOf,
  PAGE_BYTES,
  PAGE_SHIFT,
  SEGMENT_SHIFT,
  UNIT_MASK,
} from "./arena.ts";
import type { PagePool } from "./page_pool.ts";

/** Bytes before the string. */
export const EXTERNAL_HEADER_BYTES = 16;

/** Makes and frees external strings; any worker, no shard's latch needed. */
export class ExternalStrings {
  readonly #arena: Arena;
  readonly #pool: PagePool;

  /** One object per worker. */
  constructor(arena: Arena, pool: PagePool) {
    this.#arena = arena;
    this.#pool = pool;
  }

  /** A run with room for `bytes`, of length 0, or 0 when there is no room. */
  create(bytes: number): number {
    const page = this.#pool.take(
      Math.ceil((bytes + EXTERNAL_HEADER_BYTES) / PAGE_BYTES),
    );
    if (page === 0) return 0;
    const ref = page << PAGE_SHIFT;
    const words = this.#words(ref);
    const at = (ref & UNIT_MASK) << 1;
    words[at] = 0;
    Atomics.store(words, at + 1, 1);
    return ref;
  }

  /**
   * Makes a run of pages whose bytes lie where those of an external string would
   * one of that length; the caller has its only reference.
   */
  adopt(ref: number, length: number): void {
    const words = this.#words(ref);
    const at = (ref & UNIT_MASK) << 1;
    words[at] = length;
    Atomics.store(words, at + 1, 1);
  }

  /** As {@linkcode PagePool.keepReady}. */
  keepReady(): void {
    this.#pool.keepReady();
  }

  /** The same, and what V8 has to collect is collected: a long hold is to come. */
  readyForHold(): void {
    this.keepReady();
    collectIfDue();
  }

  /** As {@linkcode PagePool.isShort}. */
  get isShort(): boolean {
    return this.#pool.isShort;
  }

  /** Bytes that fit. */
  capacity(ref: number): number {
    return this.#pool.lengthOf(ref >>> PAGE_SHIFT) * PAGE_BYTES -
      EXTERNAL_HEADER_BYTES;
  }

  /** Makes room for `bytes` without moving the run; says whether it could. */
  extend(ref: number, bytes: number): boolean {
    return this.#pool.extend(
      ref >>> PAGE_SHIFT,
      Math.ceil((bytes + EXTERNAL_HEADER_BYTES) / PAGE_BYTES),
    );
  }

  /** Gives back the pages that the string does not reach. */
  trim(ref: number): void {
    this.#pool.shrink(
      ref >>> PAGE_SHIFT,
      Math.ceil((this.length(ref) + EXTERNAL_HEADER_BYTES) / PAGE_BYTES),
    );
  }

  /** Length of the string. */
  length(ref: number): number {
    return this.#words(ref)[(ref & UNIT_MASK) << 1]!;
  }

  /** Sets the length; the bytes up to it are the caller's business. */
  setLength(ref: number, length: number): void {
    this.#words(ref)[(ref & UNIT_MASK) << 1] = length;
  }

  /** The byte view that holds the string. */
  bytes(ref: number): Uint8Array {
    return this.#arena.u8[ref >>> SEGMENT_SHIFT]!;
  }

  /** Offset of the first byte in that view. */
  offset(ref: number): number {
    return byteOf(ref) + EXTERNAL_HEADER_BYTES;
  }

  /** Adds a reference, so that the bytes stay while they are sent. */
  pin(ref: number): void {
    Atomics.add(this.#words(ref), ((ref & UNIT_MASK) << 1) + 1, 1);
  }

  /** Drops a reference; the last one frees the run. */
  unpin(ref: number): void {
    const before = Atomics.sub(
      this.#words(ref),
      ((ref & UNIT_MASK) << 1) + 1,
      1,
    );
    if (before === 1) this.#pool.give(ref >>> PAGE_SHIFT);
  }

  /** Whether somebody else refers to the run. */
  isShared(ref: number): boolean {
    return Atomics.load(this.#words(ref), ((ref & UNIT_MASK) << 1) + 1) > 1;
  }

  #words(ref: number): Int32Array {
    return this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
  }
}

/**
 * Long elements of collections as replies: they are sent from where they lie,
 * piece by piece, so that no latch is held while megabytes are copied.
 *
 * What lies in a steady run of pages is kept until it is sent, whatever becomes of
 * its value (page_pool.ts): those who change or delete it need not wait.
 *
 * @module
 */

import { type Arena, PAGE_BYTES } from "../memory/arena.ts";
import { type PagePool, PAGES_PER_SEGMENT } from "../memory/page_pool.ts";
import type { ReplySource } from "../resp/reply_source.ts";
import type { LongStrings, ReplyWriter } from "../resp/reply_writer.ts";

/** Takes over those that lie in steady runs. */
export class KeptElements implements LongStrings {
  readonly #arena: Arena;
  readonly #pool: PagePool;

  /** One per worker. */
  constructor(arena: Arena, pool: PagePool) {
    this.#arena = arena;
    this.#pool = pool;
  }

  take(
    reply: ReplyWriter,
    source: Uint8Array,
    off: number,
    length: number,
  ): boolean {
    if (!reply.canStream) return false;
    const run = this.#runOf(source, off);
    if (run === 0) return false;
    this.#pool.keep(run);
    const bytes = new KeptBytes(this.#pool, run, source, off, length);
    reply.bulkFrom(bytes, length);
    return true;
  }

  /** The steady run in which bytes lie, 0 for none. */
  #runOf(source: Uint8Array, off: number): number {
    const { u8 } = this.#arena;
    const segment = u8.findIndex(({ buffer }) => buffer === source.buffer);
    if (segment < 0) return 0;
    const at = source.byteOffset - u8[segment]!.byteOffset + off;
    const page = segment * PAGES_PER_SEGMENT + Math.floor(at / PAGE_BYTES);
    return this.#pool.steadyRunOf(page);
  }
}

/** Bytes in a run that is kept. */
class KeptBytes implements ReplySource {
  readonly #pool: PagePool;
  readonly #run: number;
  readonly #source: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(
    pool: PagePool,
    run: number,
    source: Uint8Array,
    off: number,
    length: number,
  ) {
    this.#pool = pool;
    this.#run = run;
    this.#source = source;
    this.#at = off;
    this.#end = off + length;
  }

  write(writer: ReplyWriter, bytes: number): boolean {
    const to = Math.min(this.#end, this.#at + bytes);
    writer.raw(this.#source.subarray(this.#at, to));
    this.#at = to;
    if (to < this.#end) return false;
    this.drop();
    return true;
  }

  drop(): void {
    this.#pool.letGo(this.#run);
  }
}

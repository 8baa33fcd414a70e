/**
 * Long elements of collections as replies: they are sent from where they lie,
 * piece by piece, so that no latch is held while megabytes are copied.
 *
 * What lies in a steady run of pages is kept until it is sent, whatever becomes of
 * its value (page_pool.ts): those who change or delete it need not wait.
 *
 * @module
 */

import type { Heap } from "../memory/heap.ts";
import type { ReplySource } from "../resp/reply_source.ts";
import type { LongStrings, ReplyWriter } from "../resp/reply_writer.ts";

/** Takes over those that lie in steady runs. */
export class KeptElements implements LongStrings {
  readonly #heap: Heap;

  /** One per worker; any heap of the arena will do. */
  constructor(heap: Heap) {
    this.#heap = heap;
  }

  take(
    reply: ReplyWriter,
    source: Uint8Array,
    off: number,
    length: number,
  ): boolean {
    if (!reply.canStream) return false;
    const heap = this.#heap;
    const run = heap.steadyRunAt(source, off);
    if (run === 0) return false;
    heap.keep(run);
    reply.bulkFrom(new KeptBytes(heap, run, source, off, length), length);
    return true;
  }

  keep(run: number): void {
    this.#heap.keep(run);
  }

  letGo(run: number): void {
    this.#heap.letGo(run);
  }
}

/** Bytes in a run that is kept. */
class KeptBytes implements ReplySource {
  readonly #heap: Heap;
  readonly #run: number;
  readonly #source: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(
    heap: Heap,
    run: number,
    source: Uint8Array,
    off: number,
    length: number,
  ) {
    this.#heap = heap;
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
    this.#heap.letGo(this.#run);
  }
}

/**
 * Makes memory ready ahead of its use: a huge page that is touched first takes the
 * kernel 0.1 ms, and milliseconds on some virtual machines, in which a command
 * would stand still, with its latch held.
 *
 * The page pool tells when the pages that were never used come near; another
 * thread of the process has them made then, four to eight megabytes at a time, which
 * also takes less than one after the other: SETs of 1.5 million new keys took a worker
 * 2.2 s of processor time before, 1.55 with this, and the other thread 0.3.
 *
 * Who writes very much in little time gets there first, and touches the next pages
 * itself, before it has its latch ({@linkcode PagePool.keepReady}).
 *
 * It is a hint. Where it cannot be given (another system, an older kernel, no
 * permission for foreign functions), memory is made when it is touched.
 *
 * Source: madvise(2), MADV_POPULATE_WRITE, since Linux 5.14.
 *
 * @module
 */

import {
  Arena,
  type ArenaBuffers,
  PAGE_BYTES,
} from "../../core/memory/arena.ts";
import { PagePool, WANTS_NEAR } from "../../core/memory/page_pool.ts";
import { openCLibrary } from "./c_library.ts";

const MADV_POPULATE_WRITE = 23;
const SYMBOLS = {
  madvise: {
    parameters: ["pointer", "usize", "i32"],
    result: "i32",
    nonblocking: true,
  },
} as const;

/** Of one server. */
export class MemoryAhead {
  readonly #segments: readonly SharedArrayBuffer[];
  readonly #words: Int32Array;
  readonly #pool: PagePool;
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  #populating: Promise<void> | null = null;
  #isStopped = false;

  private constructor(
    buffers: ArenaBuffers,
    library: Deno.DynamicLibrary<typeof SYMBOLS>,
  ) {
    this.#segments = buffers.segments;
    this.#words = new Int32Array(buffers.pool);
    this.#pool = new PagePool(new Arena(buffers), false);
    this.#library = library;
    this.#listen();
  }

  /** Begins; null where it cannot be done. */
  static start(buffers: ArenaBuffers): MemoryAhead | null {
    const library = openCLibrary(SYMBOLS);
    return library === null ? null : new MemoryAhead(buffers, library);
  }

  /** Ends; resolves when it has. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    // Nobody waits any more.
    Atomics.store(this.#words, WANTS_NEAR, 1);
    Atomics.notify(this.#words, WANTS_NEAR);
    await this.#populating;
    this.#library.close();
  }

  #listen(): void {
    const wait = Atomics.waitAsync(this.#words, WANTS_NEAR, 0);
    if (wait.async) wait.value.then(() => this.#look());
    else setTimeout(() => this.#look());
  }

  #look(): void {
    if (this.#isStopped) return;
    Atomics.store(this.#words, WANTS_NEAR, 0);
    this.#populating = this.#populateAll().then(() => {
      this.#populating = null;
      if (!this.#isStopped) this.#listen();
    });
  }

  async #populateAll(): Promise<void> {
    for (let i = 0; i < this.#segments.length; i++) {
      const far = this.#pool.takeFar(i);
      if (far === null) continue;
      await this.#populate(i, far[0], far[1]);
      this.#pool.noteReady(i, far[1]);
    }
  }

  async #populate(segment: number, first: number, end: number): Promise<void> {
    const bytes = new Uint8Array(this.#segments[segment]!, first * PAGE_BYTES);
    const start = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
    // A page of the arena does not begin where one of the system does, which may be
    // as large. Those at both ends are made as well, as far as they are in the segment.
    const page = BigInt(PAGE_BYTES);
    const down = (address: bigint) => address / page * page;
    const from = down(start);
    const stop = start + BigInt(end - first) * page + page - 1n;
    const last = start + BigInt(bytes.length);
    const length = down(stop < last ? stop : last) - from;
    if (length <= 0n) return;
    const pointer = Deno.UnsafePointer.create(from);
    await this.#library.symbols.madvise(pointer, length, MADV_POPULATE_WRITE);
  }
}

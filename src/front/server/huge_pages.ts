/**
 * Asks the kernel for huge pages under the arena.
 *
 * A random lookup in a data set of tens of megabytes misses the processor's
 * table of page addresses nearly always, and on a virtual machine such a miss
 * costs as much as one of the cache. With pages of 2 MiB there are few to know.
 * What speaks against them elsewhere does not hold here: nothing forks, so no
 * write copies a huge page, and the arena is filled from its low end.
 *
 * It is advice. Where it cannot be given (another system, no permission for
 * foreign functions), everything works with ordinary pages.
 *
 * Source: madvise(2), Linux "Transparent Hugepage Support".
 *
 * @module
 */

import { openCLibrary } from "./c_library.ts";

const HUGE_BYTES = 2n * 1024n * 1024n;
const MADV_HUGEPAGE = 14;
const SYMBOLS = {
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
} as const;

/** Advises for every buffer; says whether the kernel took the advice. */
export function adviseHugePages(
  buffers: readonly SharedArrayBuffer[],
): boolean {
  const library = openCLibrary(SYMBOLS);
  if (library === null) return false;
  const isTaken = buffers.every((buffer) => {
    const start = Deno.UnsafePointer.of(new Uint8Array(buffer));
    const first = Deno.UnsafePointer.value(start);
    const from = (first + HUGE_BYTES - 1n) / HUGE_BYTES * HUGE_BYTES;
    const length = first + BigInt(buffer.byteLength) - from;
    if (length < HUGE_BYTES) return true;
    const aligned = Deno.UnsafePointer.create(from);
    return library.symbols.madvise(aligned, length, MADV_HUGEPAGE) === 0;
  });
  library.close();
  return isTaken;
}

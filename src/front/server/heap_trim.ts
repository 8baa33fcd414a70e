/**
 * Gives memory back that the C library keeps for later.
 *
 * Starting a thread takes memory in which its program is read and compiled, once:
 * some fifteen megabytes of each worker, which the library keeps for that thread,
 * who will not want them again.
 *
 * It is a hint. Where it cannot be given (another system or library, no permission
 * for foreign functions), the memory stays with the process.
 *
 * Source: malloc_trim(3).
 *
 * @module
 */

import { openCLibrary } from "./c_library.ts";

const SYMBOLS = {
  malloc_trim: { parameters: ["usize"], result: "i32", nonblocking: true },
} as const;

/**
 * Does so for all threads, on another one; some milliseconds. A thread that wants
 * memory meanwhile waits for its own share only.
 */
export async function trimHeaps(): Promise<void> {
  const library = openCLibrary(SYMBOLS);
  if (library === null) return;
  await library.symbols.malloc_trim(0n);
  library.close();
}

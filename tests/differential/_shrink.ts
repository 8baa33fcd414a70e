/**
 * Finds a short failing script within a long one (delta debugging): tries to
 * do without halves, quarters ... single commands, as long as it still fails.
 *
 * @module
 */

/** The shortest failing list found within `runsMax` calls of `fails`. */
export async function shrink<T>(
  items: readonly T[],
  fails: (items: readonly T[]) => Promise<boolean>,
  runsMax = 200,
): Promise<T[]> {
  let shortest = [...items];
  let size = Math.ceil(shortest.length / 2);
  for (let runs = 0; size >= 1;) {
    let hasShrunk = false;
    // From the end: what comes after the failure goes first.
    for (let end = shortest.length; end > 0 && shortest.length > 1;) {
      if (runs++ >= runsMax) return shortest;
      const start = Math.max(0, end - size);
      const without = [...shortest.slice(0, start), ...shortest.slice(end)];
      if (without.length > 0 && await fails(without)) {
        shortest = without;
        hasShrunk = true;
      }
      end = Math.min(start, shortest.length);
    }
    if (size > 1) size = Math.ceil(size / 2);
    else if (!hasShrunk) return shortest;
  }
  return shortest;
}

/**
 * How tests deal with time: what must happen is waited for, for as long as the
 * slowest machine may need, and what must happen within a time that the server
 * knows of is tried again with more of it.
 *
 * @module
 */

/** Longest wait for what must happen. Only a test that fails takes so long. */
export const PATIENCE_MS = 120_000;

const PAUSE_MS = 5;
/** How often a time is doubled: up to 128 times what it is at first. */
const DOUBLINGS_MAX = 7;

/** Waits until something is so; throws if it never is. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!await isSo()) {
    if (performance.now() > endMs) throw new Error(`It never came: ${what}`);
    await pause(PAUSE_MS);
  }
}

/** What an attempt brings, which is made again until it does not fail. */
export async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (cause) {
      if (performance.now() > endMs) throw cause;
      await pause(PAUSE_MS);
    }
  }
}

/**
 * Runs a body in which the test has to be quicker than a timeout, or a time to
 * live, of the server. It returns false if the machine was too slow for that,
 * so that the case in question did not arise, and is run again from its
 * beginning with a larger `factor` for its times.
 */
export async function untilQuickEnough(
  body: (factor: number) => Promise<boolean>,
): Promise<void> {
  for (let doublings = 0; doublings <= DOUBLINGS_MAX; doublings++) {
    if (await body(2 ** doublings)) return;
  }
  throw new Error("The machine was too slow whatever time there was");
}

/** Lets time pass. */
export function pause(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms));
}

/**
 * `delay()`: a promise for a later time.
 *
 * @module
 */

/** Options for {@linkcode delay}. */
export interface DelayOptions {
  /** Ends the delay early, with a rejection. */
  signal?: AbortSignal;
  /** Whether the process may not end before; true unless told otherwise. */
  persistent?: boolean;
}

/**
 * Resolves after `ms` milliseconds; rejected with the signal's reason if that
 * is aborted before.
 */
export function delay(ms: number, options: DelayOptions = {}): Promise<void> {
  const { signal, persistent = true } = options;
  if (signal?.aborted) return Promise.reject(signal.reason);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    function stop() {
      clearTimeout(timer);
      reject(signal?.reason);
    }
    signal?.addEventListener("abort", stop, { once: true });
    if (!persistent) Deno.unrefTimer(timer);
  });
}

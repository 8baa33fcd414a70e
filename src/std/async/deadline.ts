/**
 * `deadline()`: a promise that may not take long.
 *
 * @module
 */

/** Options for {@linkcode deadline}. */
export interface DeadlineOptions {
  /** Ends the waiting early, with a rejection. */
  signal?: AbortSignal;
}

/**
 * Settles as `p` does, but is rejected with a `TimeoutError` after `ms`
 * milliseconds, or with the signal's reason if that is aborted before.
 */
export async function deadline<T>(
  p: Promise<T>,
  ms: number,
  options: DeadlineOptions = {},
): Promise<T> {
  const { signal } = options;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new DOMException("Signal timed out.", "TimeoutError")),
    ms,
  );
  const stop = () => late.reject(signal?.reason);
  if (signal?.aborted) stop();
  else signal?.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([late.promise, p]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

/**
 * `retry()`: once more, with growing pauses.
 *
 * @module
 */
import { delay } from "./delay.ts";

/** What {@linkcode retry} throws when it gives up; its cause says why. */
export class RetryError extends Error {
  override name = "RetryError";

  /** Made from the last failure and the number of attempts. */
  constructor(cause: unknown, attempts: number) {
    super(`Retrying exceeded the maxAttempts (${attempts}).`, { cause });
  }
}

/** Options for {@linkcode retry}. */
export interface RetryOptions {
  /** By how much the pause grows with each attempt: 2. */
  multiplier?: number;
  /** Longest pause in milliseconds: 60 000. */
  maxTimeout?: number;
  /** How often the function is called at most: 5. */
  maxAttempts?: number;
  /** The first pause in milliseconds: 1 000. */
  minTimeout?: number;
  /** Which part of a pause is left to chance, from 0 to 1: 1. */
  jitter?: number;
  /** Whether another attempt makes sense after this failure: always. */
  isRetriable?: (err: unknown) => boolean;
}

/** Calls `fn` until it succeeds, or throws a {@linkcode RetryError}. */
export async function retry<T>(
  fn: (() => Promise<T>) | (() => T),
  options: RetryOptions = {},
): Promise<T> {
  const {
    multiplier = 2,
    maxTimeout = 60_000,
    maxAttempts = 5,
    minTimeout = 1_000,
    jitter = 1,
    isRetriable = () => true,
  } = options;
  demand(Number.isInteger(maxAttempts) && maxAttempts > 0, { maxAttempts });
  demand(Number.isFinite(multiplier) && multiplier >= 1, { multiplier });
  demand(maxTimeout > 0, { maxTimeout });
  demand(minTimeout >= 0 && minTimeout <= maxTimeout, { minTimeout });
  demand(jitter >= 0 && jitter <= 1, { jitter });

  for (let attempt = 1;; attempt++) {
    try {
      return await fn();
    } catch (error) {
      if (!isRetriable(error)) throw error;
      if (attempt >= maxAttempts) throw new RetryError(error, maxAttempts);
    }
    const pause = Math.min(
      maxTimeout,
      minTimeout * multiplier ** (attempt - 1),
    );
    await delay(pause * (1 - jitter * Math.random()));
  }
}

function demand(holds: boolean, option: Record<string, number>): void {
  if (holds) return;
  const [name, value] = Object.entries(option)[0]!;
  throw new RangeError(
    `Cannot retry as '${name}' is out of range: current value is ${value}`,
  );
}

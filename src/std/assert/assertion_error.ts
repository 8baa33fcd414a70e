/**
 * The error that every assertion throws.
 *
 * @module
 */

/** What a failed assertion throws; its message says why it failed. */
export class AssertionError extends Error {
  override name = "AssertionError";

  /** Makes the error from what is to be said, and perhaps its cause. */
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

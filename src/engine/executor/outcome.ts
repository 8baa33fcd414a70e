/**
 * What has become of a request that was given to the executor.
 *
 * @module
 */

/** It was answered. */
export const DONE = 0;
/** The answer will come later; `Executor.pending` says how. */
export const PARKED = 1;
/** It was not run and is to be tried again, when the gate or the keys are free. */
export const HELD = 2;

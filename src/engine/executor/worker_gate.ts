/**
 * The bits of a worker's gate: reasons for which its commands may not simply
 * run, whoever sends them.
 *
 * @module
 */

/** CLIENT PAUSE: commands wait until it is over. */
export const GATE_PAUSED = 1;
/** The data set is being loaded: nearly all commands are refused. */
export const GATE_LOADING = 2;
/** Changes cannot be kept on the disk: commands that write are refused. */
export const GATE_NO_WRITES = 4;

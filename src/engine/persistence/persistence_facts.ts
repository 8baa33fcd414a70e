/**
 * What is known about snapshots and loading, as doubles in shared memory: the
 * main thread, which writes the files, and the workers, who load them, write
 * them; INFO reads them.
 *
 * @module
 */

/** Double: 1 while a file is loaded. */
export const LOADING = 0;
/** Double: when that began, seconds of the epoch. */
export const LOADING_START_S = 1;
/** Double: bytes of the file. */
export const LOADING_TOTAL_BYTES = 2;
/** Double: bytes of them that the slowest worker has come to. */
export const LOADING_DONE_BYTES = 3;
/** Double: keys that the last load passed over because they had expired. */
export const LAST_LOAD_EXPIRED = 4;
/** Double: keys that it loaded. */
export const LAST_LOAD_KEYS = 5;
/** Double: 1 while a snapshot is taken. */
export const SAVING = 6;
/** Double: when that began, milliseconds of the epoch. */
export const SAVING_START_MS = 7;
/** Double: keys that there were at its cut. */
export const SAVING_KEYS = 8;
/** Double: keys of them that are written. */
export const SAVING_KEYS_DONE = 9;
/** Double: when the last one was complete, seconds of the epoch. */
export const LAST_SAVE_S = 10;
/** Double: changes counted, over all workers, at the cut of that one. */
export const LAST_SAVE_CHANGES = 11;
/** Double: 1 if the last one failed. */
export const LAST_SAVE_FAILED = 12;
/** Double: seconds that it took; -1 if there was none. */
export const LAST_SAVE_SECONDS = 13;
/** Double: when the last one was begun, milliseconds of the epoch. */
export const LAST_TRY_MS = 14;
/** Double: snapshots completed. */
export const SAVES = 15;
/** Double: most bytes that were held in memory for the snapshot under way. */
export const SAVING_PEAK_BYTES = 16;
/** Double: most bytes that were held for the last one. */
export const LAST_SAVE_PEAK_BYTES = 17;
/** Double: 1 if a snapshot is to be begun when the one under way is done. */
export const SAVE_SCHEDULED = 18;
/** Double: keys that are in memory while a file is loaded. */
export const LOADING_KEYS = 19;
/** How many there are. */
export const FACTS = 32;

/** Makes the doubles of a server that starts now. */
export function makeFacts(nowMs: number): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(FACTS * 8);
  const facts = new Float64Array(buffer);
  facts[LAST_SAVE_S] = Math.floor(nowMs / 1000);
  facts[LAST_SAVE_SECONDS] = -1;
  return buffer;
}

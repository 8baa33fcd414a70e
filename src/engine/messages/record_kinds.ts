/**
 * The kinds of records that travel over the mesh, beside its own.
 *
 * @module
 */

/** First kind that the mesh does not use itself. */
const FIRST_FREE_KIND = 16;

/** A command that is forwarded to the owner of its shard. */
export const COMMAND_RECORD = FIRST_FREE_KIND;
/** Its reply. */
export const REPLY_RECORD = FIRST_FREE_KIND + 1;
/** A message for the subscribers on a worker. */
export const PUBLISH_RECORD = FIRST_FREE_KIND + 2;
/** The reply of a command that waited for a key, to its session's worker. */
export const SERVED_RECORD = FIRST_FREE_KIND + 3;
/** One who waits for key locks must look again; its ticket. */
export const LOCK_RECORD = FIRST_FREE_KIND + 4;

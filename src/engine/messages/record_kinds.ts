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
/** Clients are to drop a key, see tracking.ts. */
export const CACHE_KEY_RECORD = FIRST_FREE_KIND + 4;
/** Keys have changed that clients may want to know by their prefix. */
export const CACHE_BROADCAST_RECORD = FIRST_FREE_KIND + 5;
/** Clients are to drop all keys. */
export const CACHE_ALL_RECORD = FIRST_FREE_KIND + 6;
/** A client tracks no more, see trackers.ts. */
export const TRACKER_END_RECORD = FIRST_FREE_KIND + 7;
/** The messages of a client go to another worker. */
export const TRACKER_MOVED_RECORD = FIRST_FREE_KIND + 8;
/** The session is gone that got a client's messages. */
export const TRACKER_BROKEN_RECORD = FIRST_FREE_KIND + 9;
/** A monitor has gone, see monitors.ts. */
export const MONITOR_END_RECORD = FIRST_FREE_KIND + 10;
/** A line for the monitors of a worker. */
export const MONITOR_LINE_RECORD = FIRST_FREE_KIND + 11;
/** One who waits for key locks must look again; its ticket. */
export const LOCK_RECORD = FIRST_FREE_KIND + 24;

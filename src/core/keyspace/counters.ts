/**
 * Statistics of one worker, as doubles in shared memory: each worker writes its
 * own block, INFO adds them up.
 *
 * @module
 */

/** Commands processed. */
export const COMMANDS_PROCESSED = 0;
/** Lookups that found a key. */
export const KEYSPACE_HITS = 1;
/** Lookups that did not. */
export const KEYSPACE_MISSES = 2;
/** Keys deleted because their time had come. */
export const EXPIRED_KEYS = 3;
/** Keys deleted to make room. */
export const EVICTED_KEYS = 4;
/** Connections accepted. */
export const CONNECTIONS_RECEIVED = 5;
/** Connections refused. */
export const CONNECTIONS_REJECTED = 6;
/** Connections open now. */
export const CONNECTIONS_OPEN = 7;
/** Bytes read from sockets. */
export const NET_INPUT_BYTES = 8;
/** Bytes written to sockets. */
export const NET_OUTPUT_BYTES = 9;
/** Error replies sent. */
export const ERROR_REPLIES = 10;
/** Changes of the data set. */
export const CHANGES = 11;
/** Times a worker slept for a latch. */
export const LATCH_SLEEPS = 12;
/** Commands forwarded to the owner of their shard. */
export const COMMANDS_FORWARDED = 13;
/** Keys met and found expired by the active cycle, of those it looked at. */
export const EXPIRE_CYCLE_STALE = 14;
/** Times that the active cycle stopped because its time was up. */
export const EXPIRE_CYCLE_CAPPED = 15;
/** Milliseconds spent in the active cycle. */
export const EXPIRE_CYCLE_MS = 16;
/** Objects moved by defragmentation. */
export const DEFRAG_HITS = 17;
/** Objects that defragmentation left where they were. */
export const DEFRAG_MISSES = 18;
/** Reads from sockets. */
export const READS_PROCESSED = 19;
/** Writes to sockets. */
export const WRITES_PROCESSED = 20;
/** Connections closed because a query buffer grew too large. */
export const QUERY_BUFFER_DISCONNECTS = 21;
/** Connections closed because an output buffer grew too large. */
export const OUTPUT_BUFFER_DISCONNECTS = 22;
/** Milliseconds spent making room. */
export const EVICTION_MS = 23;
/** Bytes of queries held in input buffers. */
export const INPUT_BUFFER_BYTES = 24;
/** Bytes of replies held in output buffers. */
export const OUTPUT_BUFFER_BYTES = 25;
/** Connections parked until something happens. */
export const CONNECTIONS_BLOCKED = 26;
/** V8 heap in use, sampled. */
export const HEAP_USED_BYTES = 27;
/** V8 heap reserved, sampled. */
export const HEAP_TOTAL_BYTES = 28;
/** Failed AUTH attempts. */
export const AUTH_FAILURES = 29;
/** Largest input buffer of a connection, sampled. */
export const INPUT_BUFFER_MAX = 30;
/** Most bytes of replies that a connection has waiting, sampled. */
export const OUTPUT_BUFFER_MAX = 31;
/** Most memory that the worker has seen in use. */
export const MEMORY_PEAK_BYTES = 32;
/** Fields of hashes deleted because their time had come. */
export const EXPIRED_SUBKEYS = 33;
/** Commands that were run in the background. */
export const BACKGROUND_COMMANDS = 40;
/** Those of them that had to be run in place after all. */
export const BACKGROUND_RETRIES = 41;
/** Commands that were gone on with in slices. */
export const SLICED_COMMANDS = 42;
/** Microseconds of the longest hold of latches, where that is measured. */
export const LATCH_HOLD_MAX = 43;

/** Commands that had to wait for key locks. */
export const COMMANDS_PARKED = 48;
/** Commands that wait for key locks now. */
export const CONNECTIONS_ON_LOCKS = 49;
/** Commands that gave up waiting for key locks. */
export const LOCK_TIMEOUTS = 50;
/** Milliseconds that commands have waited for key locks. */
export const LOCK_WAIT_MS = 51;
/** The longest of these waits. */
export const LOCK_WAIT_MAX_MS = 52;
/** Read locks granted. */
export const READ_LOCKS_GRANTED = 53;
/** Write locks granted. */
export const WRITE_LOCKS_GRANTED = 54;
/** Requests for locks that had to wait. */
export const LOCKS_QUEUED = 55;
/** Requests for locks that were refused. */
export const LOCKS_DENIED = 56;
/** Most milliseconds that a handle has held locks. */
export const LOCK_HOLD_MAX_MS = 57;
/** Handles that hold locks, or watch keys, now. */
export const LOCK_HANDLES = 58;
/** Handles that lost their keys before they were closed. */
export const LOCK_ABORTS = 59;
/** Functions that were begun anew: for the order of their keys, or conflicts. */
export const LOCK_RESTARTS = 60;
/** Times that a latch was found taken. */
export const LATCH_CONTENTIONS = 61;
/** Times that a latch was waited for suspiciously long. */
export const LATCH_LONG_WAITS = 62;
/** Optimistic handles that found a key changed by others. */
export const LOCK_CONFLICTS = 63;

/** Doubles before the blocks of the commands. */
export const COUNTER_COUNT = 64;
/** Doubles of a command's block: calls, microseconds, rejected, failed. */
export const COMMAND_COUNTERS = 4;
/** Index in a command's block: calls. */
export const CALLS = 0;
/** Index in a command's block: microseconds. */
export const MICROSECONDS = 1;
/** Index in a command's block: calls refused before they ran. */
export const REJECTED = 2;
/** Index in a command's block: calls that answered with an error. */
export const FAILED = 3;

/** Most commands and subcommands that there are blocks for. */
export const COMMANDS_MAX = 512;
/** Where the durations of the commands begin. */
export const DURATIONS_AT = COUNTER_COUNT + COMMANDS_MAX * COMMAND_COUNTERS;
/** Doubles of a command's durations: calls by the power of two. */
export const DURATION_BUCKETS = 24;
/** Doubles of a worker's statistics. */
export const WORKER_DOUBLES = DURATIONS_AT + COMMANDS_MAX * DURATION_BUCKETS;

/** Microseconds up to which the first bucket reaches; the next ones double. */
const FIRST_BUCKET_MICROSECONDS = 1.032;

/** The bucket that counts calls of this duration. */
export function durationBucket(microseconds: number): number {
  const steps = Math.ceil(microseconds / FIRST_BUCKET_MICROSECONDS);
  if (steps <= 1) return 0;
  return Math.min(DURATION_BUCKETS - 1, 32 - Math.clz32(steps - 1));
}

/** The longest duration that a bucket counts. */
export function bucketMicroseconds(bucket: number): number {
  return FIRST_BUCKET_MICROSECONDS * 2 ** bucket;
}

/**
 * Bits of a shard's flag word: what goes on in the shard that a command running
 * in place must not pass by. While the word is zero, commands pay one test.
 *
 * Set and cleared under the shard's latch. Bits 1 and 2 belong to key locks, see
 * shard_control.ts.
 *
 * @module
 */

/** Every command on the shard is run by its owner. */
export const ROUTE_TO_OWNER = 1;

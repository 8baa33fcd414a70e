/**
 * A key of the command being run: where its bytes lie, its hash and its shard.
 *
 * @module
 */

/** One for all keys: to make an array takes ten times as long as the rest. */
const NO_BYTES = new Uint8Array(0);

/** Filled anew for each command; valid until the command's end. */
export class Key {
  /** The bytes' source. */
  buf: Uint8Array = NO_BYTES;
  /** Offset of the first byte. */
  off = 0;
  /** Length in bytes. */
  length = 0;
  /** Seeded hash of the bytes. */
  hash = 0;
  /** Number of the shard that the key's slot belongs to. */
  shard = 0;
}

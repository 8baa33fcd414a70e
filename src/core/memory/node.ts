/**
 * Nodes: what a dictionary points at. A key of the keyspace, a field of a large
 * hash and a member of a large set all share this layout, so that one dictionary
 * serves them.
 *
 * ```text
 * word 0   free for the owner of the node (an entry's type, encoding, clock)
 * word 1   key length (29 bits) | owner's flags (bits 29, 30) | has expire (31)
 * word 2   free for the owner (value length, or a reference)
 * word 3   hash of the key
 * [ 8 bytes: expireAtMs, a double, when bit 31 of word 1 is set ]
 * key bytes, then whatever the owner appends
 * ```
 *
 * @module
 */

/** Word of the owner's header. */
export const NODE_META = 0;
/** Word of the key length and flags. */
export const NODE_KEY = 1;
/** Word of the owner's value. */
export const NODE_VALUE = 2;
/** Word of the key's hash. */
export const NODE_HASH = 3;

/** Bits of word 1 that hold the key length; keys are at most 512 MiB. */
export const KEY_LENGTH_MASK = (1 << 29) - 1;
/** Flags of word 1 other than the length. */
export const KEY_FLAGS_MASK = ~KEY_LENGTH_MASK;
/** Bit of word 1 that says that an expire follows the header. */
export const HAS_EXPIRE = 1 << 31;

/** Bytes before the key in a node without an expire. */
export const NODE_HEADER_BYTES = 16;
/** Bytes of an expire. */
export const EXPIRE_BYTES = 8;

/** Offset of the key from the start of the node, given its word 1. */
export function keyOffset(keyWord: number): number {
  return keyWord < 0 ? NODE_HEADER_BYTES + EXPIRE_BYTES : NODE_HEADER_BYTES;
}

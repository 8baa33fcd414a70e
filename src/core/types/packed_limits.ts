/**
 * How large a packed value may be, whatever the settings say.
 *
 * To look for an element in a packed value, or to put one into its middle, takes
 * as long as the value is large; to make a table of it takes about 0.25 us an
 * element, and to look for the elements of one value in another takes the product
 * of both. All of that is done in one go, under a latch: within these limits, which
 * are the largest of the defaults, in half a millisecond. A table of more elements
 * needs little more memory than they would packed.
 *
 * @module
 */

/** Most elements of a packed hash, set or sorted set, or of a stream's node. */
export const PACKED_ELEMENTS_MAX = 512;
/** Bytes of such a value, or of a packed list, beyond which it is packed no more. */
export const PACKED_BYTES_MAX: number = 1 << 17;

/**
 * One bucket of a dictionary: a cache line with up to twelve nodes.
 *
 * ```text
 * word 0 to 2    twelve tag bytes: the top bytes of the nodes' hashes
 * word 3         reference of the next bucket of the chain, or 0
 * word 4 to 15   references of the nodes; those of free slots are 0
 * ```
 *
 * Nodes stand in the first slots, without gaps. A bucket is passed as the words
 * of its segment and the index of its first word.
 *
 * @module
 */

/** Words of a bucket. */
export const BUCKET_WORDS = 16;
/** Units of a bucket. */
export const BUCKET_UNITS = 8;
/** Nodes that a bucket has room for. */
export const SLOTS = 12;
/** Word of the next bucket of the chain. */
export const OVERFLOW = 3;
/** Word of the first node. */
export const REFS = 4;

/** Slot of a node, or -1. */
export function slotOf(words: Int32Array, base: number, ref: number): number {
  for (let slot = 0; slot < SLOTS; slot++) {
    if (words[base + REFS + slot] === ref) return slot;
  }
  return -1;
}

/** How many nodes there are. */
export function nodesOf(words: Int32Array, base: number): number {
  const refs = base + REFS;
  let count = words[refs + 7] !== 0 ? 8 : words[refs + 3] !== 0 ? 4 : 0;
  while (count < SLOTS && words[refs + count] !== 0) count++;
  return count;
}

/** Tag of a slot. */
export function tagAt(words: Int32Array, base: number, slot: number): number {
  return (words[base + (slot >> 2)]! >>> ((slot & 3) << 3)) & 0xff;
}

/** Puts a node into a slot; 0 and 0 make it free. */
export function setSlot(
  words: Int32Array,
  base: number,
  slot: number,
  ref: number,
  tag: number,
): void {
  const shift = (slot & 3) << 3;
  const word = base + (slot >> 2);
  words[word] = (words[word]! & ~(0xff << shift)) | (tag << shift);
  words[base + REFS + slot] = ref;
}

/** Makes all slots free and ends the chain. */
export function clearBucket(words: Int32Array, base: number): void {
  words.fill(0, base, base + BUCKET_WORDS);
}

/**
 * The root of a stream: what it knows of itself, and where its nodes and groups
 * are.
 *
 * ```text
 * words 0-3    ID that was given last
 * words 4-7    ID of the first entry that is there, 0-0 if there is none
 * words 8-11   greatest ID that was deleted by XDEL
 * words 12-13  entries ever added, 64 bits
 * word  14     entries that are there
 * word  15     last node, or 0                             (stream_node.ts)
 * words 16-19  first ID of the last node
 * words 20-22  tree of the nodes before: first ID | node | entries that are there
 * word  23     list of groups                              (stream_group.ts)
 * ```
 *
 * The last node, to which entries are added, is outside of the tree: a short
 * stream has none, and XADD looks at the root and that node only. When it goes,
 * the last one of the tree takes its place, so that a stream without a last node
 * has no nodes.
 *
 * A node goes with its last entry, with one exception that is Redis's: exact
 * trimming by ID leaves a node that ends with a deleted entry of a greater ID.
 *
 * @module
 */

/** Word of the ID that was given last. */
export const LAST_ID = 0;
/** Word of the ID of the first entry. */
export const FIRST_ID = 4;
/** Word of the greatest ID that was deleted. */
export const DELETED_ID = 8;
/** Word of the number of entries ever added; two words. */
export const ENTRIES_ADDED = 12;
/** Word of the number of entries. */
export const LENGTH = 14;
/** Word of the last node. */
export const LAST_NODE = 15;
/** Word of the last node's first ID. */
export const LAST_NODE_ID = 16;
/** Word of the tree of the other nodes. */
export const NODES = 20;
/** Word of the list of groups. */
export const GROUPS = 23;
/** Words of a root. */
export const ROOT_WORDS = 24;

/** Words of the payload of a node's record in the tree. */
export const NODE_RECORD_WORDS = 2;
/** Word of the node in the payload. */
export const RECORD_NODE = 0;
/** Word of the number of entries in the payload. */
export const RECORD_COUNT = 1;

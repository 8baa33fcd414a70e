/**
 * Large hashes: a table of field nodes, and a second one of those fields that
 * expire.
 *
 * ```text
 * root   words 0-7    table of all fields
 *        words 8-15   table of the fields that expire: the same nodes
 *        words 16-17  no field expires before this moment, a double
 *        words 18-19  the same of what the search under way has seen
 *        word 20      buckets that this search still has to visit
 * node   [ expireAtMs, a double ] field bytes, value bytes     (node_table.ts)
 * ```
 *
 * The second table lets expired fields be found without a walk over the others;
 * the bound says when there is nothing to be looked for.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import { type Arena, SEGMENT_SHIFT, UNIT_MASK } from "../memory/arena.ts";
import { DICT_HEADER_WORDS, type NodeVisitor } from "../memory/dict.ts";
import type { Heap } from "../memory/heap.ts";
import { NodeTable } from "./node_table.ts";
import type { ValueMemory } from "./value_type.ts";

/** Units between the two tables. */
const EXPIRING_UNITS = DICT_HEADER_WORDS / 2;
/** Units before the bounds. */
const BOUND_UNITS = 2 * EXPIRING_UNITS;
const SEEN_UNITS = BOUND_UNITS + 1;
/** Word of the search's place. */
const SEARCH = 2 * SEEN_UNITS + 2;
const ROOT_UNITS = SEEN_UNITS + 2;

/** Operations on the large hashes of one heap, by their roots. */
export class HashTable {
  /** The table of all fields. */
  readonly nodes: NodeTable;
  readonly #arena: Arena;
  readonly #heap: Heap;

  /** One object per keyspace. */
  constructor(memory: ValueMemory) {
    this.nodes = new NodeTable(memory);
    this.#arena = memory.arena;
    this.#heap = memory.heap;
  }

  /** A hash without fields. */
  create(): number {
    return this.nodes.create(ROOT_UNITS);
  }

  /** Fields that expire. */
  expiring(root: number): number {
    return this.nodes.count(expiringOf(root));
  }

  /** No field expires before this moment; Infinity if none expires. */
  expiresFrom(root: number): number {
    return this.expiring(root) === 0 ? Infinity : this.#arena
      .f64[root >>> SEGMENT_SHIFT]![(root & UNIT_MASK) + BOUND_UNITS]!;
  }

  /** When a field expires; 0 for never. */
  expireAt(node: number): number {
    return this.nodes.hasDouble(node) ? this.nodes.double(node) : 0;
  }

  /** Adds a field that is not there; `expireAtMs` is 0 for never. */
  add(
    root: number,
    fieldBuf: Uint8Array,
    fieldOff: number,
    fieldLength: number,
    hash: number,
    buf: Uint8Array,
    off: number,
    length: number,
    expireAtMs: number,
  ): void {
    const { nodes } = this;
    const expires = expireAtMs !== 0;
    const node = nodes.makeNode(
      fieldBuf,
      fieldOff,
      fieldLength,
      hash,
      expires,
      length,
    );
    const into = this.#arena.u8[node >>> SEGMENT_SHIFT]!;
    copyBytes(buf, off, into, nodes.keyOff(node) + fieldLength, length);
    try {
      if (expires) {
        nodes.setDouble(node, expireAtMs);
        this.#insertExpiring(root, node, expireAtMs);
      }
      try {
        nodes.insert(root, node);
      } catch (cause) {
        if (expires) nodes.take(expiringOf(root), node);
        throw cause;
      }
    } catch (cause) {
      this.#heap.free(node);
      throw cause;
    }
  }

  /** Gives a field another value and expire; may throw before it has. */
  set(
    root: number,
    node: number,
    buf: Uint8Array,
    off: number,
    length: number,
    expireAtMs: number,
  ): void {
    const { nodes } = this;
    const expires = expireAtMs !== 0;
    const expired = nodes.hasDouble(node);
    const fieldLength = nodes.keyLength(node);
    const head = expires ? 24 : 16;
    const units = (head + fieldLength + length + 7) >>> 3;
    const capacity = this.#heap.unitsOf(node);
    // A value that has become much shorter moves to a smaller node.
    if (
      expires === expired && units <= capacity && units * 4 > capacity * 3
    ) {
      const into = nodes.bytesOf(node);
      copyBytes(buf, off, into, nodes.keyOff(node) + fieldLength, length);
      nodes.setMore(node, length);
      if (expires) {
        nodes.setDouble(node, expireAtMs);
        this.#lower(root, expireAtMs);
      }
      return;
    }
    this.#rebuild(root, node, buf, off, length, expireAtMs);
  }

  /** Gives a field another expire, 0 for none. */
  setExpire(root: number, node: number, expireAtMs: number): void {
    const { nodes } = this;
    if (expireAtMs !== 0 && nodes.hasDouble(node)) {
      nodes.setDouble(node, expireAtMs);
      return this.#lower(root, expireAtMs);
    }
    if (expireAtMs === 0 && !nodes.hasDouble(node)) return;
    const length = nodes.more(node);
    const off = nodes.keyOff(node) + nodes.keyLength(node);
    this.#rebuild(root, node, nodes.bytesOf(node), off, length, expireAtMs);
  }

  /** Removes a field. */
  remove(root: number, node: number): void {
    if (this.nodes.hasDouble(node)) this.nodes.take(expiringOf(root), node);
    this.nodes.remove(root, node);
  }

  /**
   * Removes fields that have expired, having looked at about `budget` of those
   * that expire; returns how many. The next call goes on where this one ended.
   */
  removeExpired(root: number, nowMs: number, budget: number): number {
    const { nodes } = this;
    const words = this.#arena.i32[root >>> SEGMENT_SHIFT]!;
    const at = (root & UNIT_MASK) << 1;
    const doubles = this.#arena.f64[root >>> SEGMENT_SHIFT]!;
    const seenAt = (root & UNIT_MASK) + SEEN_UNITS;
    const expiring = expiringOf(root);
    if (words[at + SEARCH] === 0) {
      words[at + SEARCH] = nodes.buckets(expiring);
      doubles[seenAt] = Infinity;
    }
    let removed = 0;
    let seen = 0;
    // From the last bucket down: a removal may merge the last bucket into one
    // that comes later, or whose nodes have been seen as well.
    let bucket = words[at + SEARCH]! - 1;
    for (; bucket >= 0 && seen < budget; bucket--) {
      if (bucket >= nodes.buckets(expiring)) continue;
      let found = nodes.gather(expiring, bucket);
      seen += found;
      for (let i = 0; i < found; i++) {
        const node = nodes.gathered(i);
        const expireAtMs = nodes.double(node);
        if (expireAtMs > nowMs) {
          if (expireAtMs < doubles[seenAt]!) doubles[seenAt] = expireAtMs;
          continue;
        }
        this.remove(root, node);
        removed++;
        if (bucket >= nodes.buckets(expiring)) break;
        found = nodes.gather(expiring, bucket);
        i = -1;
      }
    }
    words[at + SEARCH] = bucket + 1;
    if (bucket < 0) this.#setBound(root, doubles[seenAt]!);
    return removed;
  }

  /** Frees about `budget` nodes; says whether nothing is left. */
  freeSlice(root: number, budget: number): boolean {
    if (!this.nodes.clearNodes(expiringOf(root), budget, leave)) return false;
    if (!this.nodes.clearSlice(root, budget)) return false;
    this.#heap.free(root);
    return true;
  }

  /** Frees everything. */
  free(root: number): void {
    this.nodes.forget(expiringOf(root));
    this.nodes.clear(root);
    this.#heap.free(root);
  }

  /** Bytes of everything; see {@linkcode NodeTable.bytes}. */
  bytes(root: number, samples: number): number {
    return (this.#heap.unitsOf(root) << 3) + this.nodes.bytes(root, samples) +
      (this.expiring(root) === 0 ? 0 : this.expiring(root) * 8);
  }

  /** Puts a new node of the same field in the place of one. */
  #rebuild(
    root: number,
    node: number,
    buf: Uint8Array,
    off: number,
    length: number,
    expireAtMs: number,
  ): void {
    const { nodes } = this;
    const expires = expireAtMs !== 0;
    const expired = nodes.hasDouble(node);
    const fieldLength = nodes.keyLength(node);
    const keyBuf = nodes.bytesOf(node);
    const keyOff = nodes.keyOff(node);
    const made = nodes.makeNode(
      keyBuf,
      keyOff,
      fieldLength,
      nodes.hash(keyBuf, keyOff, fieldLength),
      expires,
      length,
    );
    const into = nodes.bytesOf(made);
    copyBytes(buf, off, into, nodes.keyOff(made) + fieldLength, length);
    const expiring = expiringOf(root);
    if (expires) {
      nodes.setDouble(made, expireAtMs);
      if (expired) nodes.replace(expiring, node, made);
      else {
        try {
          this.#insertExpiring(root, made, expireAtMs);
        } catch (cause) {
          this.#heap.free(made);
          throw cause;
        }
      }
      this.#lower(root, expireAtMs);
    } else if (expired) nodes.take(expiring, node);
    nodes.replace(root, node, made);
    this.#heap.free(node);
  }

  /** Also lets a search begin anew: a split may move nodes behind its back. */
  #insertExpiring(root: number, node: number, expireAtMs: number): void {
    this.nodes.insert(expiringOf(root), node);
    this.#arena.i32[root >>> SEGMENT_SHIFT]![
      ((root & UNIT_MASK) << 1) + SEARCH
    ] = 0;
    this.#lower(root, expireAtMs);
  }

  #lower(root: number, expireAtMs: number): void {
    const doubles = this.#arena.f64[root >>> SEGMENT_SHIFT]!;
    const at = (root & UNIT_MASK) + BOUND_UNITS;
    if (this.expiring(root) === 1 || expireAtMs < doubles[at]!) {
      doubles[at] = expireAtMs;
    }
    if (expireAtMs < doubles[at + 1]!) doubles[at + 1] = expireAtMs;
  }

  #setBound(root: number, atMs: number): void {
    this.#arena.f64[root >>> SEGMENT_SHIFT]![
      (root & UNIT_MASK) + BOUND_UNITS
    ] = atMs;
  }
}

/** The table of the fields that expire, as a root. */
function expiringOf(root: number): number {
  return root + EXPIRING_UNITS;
}

const leave: NodeVisitor = () => {};

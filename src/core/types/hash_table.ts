/**
 * Large hashes: a table of field nodes, and a queue of those fields that expire.
 *
 * ```text
 * root   words 0-7   table of all fields
 *        word 8      queue of the fields that expire, or 0 (expire_queue.ts)
 * node   word 0      place in the queue, if the field expires
 *        [ expireAtMs, a double ] field bytes, value bytes     (node_table.ts)
 * ```
 *
 * A node that is in the queue has a double, and no small node that is not. A long
 * one has one all the same, which is {@linkcode NEVER} then, so that it need not be
 * copied when it is to expire. The queue is there while any field expires.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { copyBytes } from "../base/bytes.ts";
import { type Arena, SEGMENT_SHIFT, wordOf } from "../memory/arena.ts";
import type { Heap } from "../memory/heap.ts";
import { KNOWN_KEYS } from "../memory/known_keys.ts";
import { CLASS_UNITS_MAX } from "../memory/size_classes.ts";
import { EXPIRE_BYTES, NODE_HEADER_BYTES } from "../memory/node.ts";
import { type CountedNodes, ExpireQueues } from "./expire_queue.ts";
import { NodeTable, TABLE_UNITS } from "./node_table.ts";
import type { ValueMemory } from "./value_type.ts";

/** The double of a long node that does not expire. */
export const NEVER = Infinity;
/** Nodes of so many bytes in field and value are long. */
const LONG_NODE_BYTES = 1 << 16;
/** Word of the queue. */
const QUEUE = 2 * TABLE_UNITS;
const ROOT_UNITS = TABLE_UNITS + 1;

/** Operations on the large hashes of one heap, by their roots. */
export class HashTable {
  /** The table of all fields. */
  readonly nodes: NodeTable;
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #queues: ExpireQueues;

  /** One object per keyspace. */
  constructor(memory: ValueMemory) {
    this.nodes = new NodeTable(memory);
    this.#arena = memory.arena;
    this.#heap = memory.heap;
    this.#queues = new ExpireQueues(memory.arena, memory.heap);
  }

  /** A hash without fields. */
  create(): number {
    return this.nodes.create(ROOT_UNITS);
  }

  /** Fields that expire. */
  expiring(root: number): number {
    const queue = this.#queueOf(root);
    return queue === 0 ? 0 : this.#queues.count(queue);
  }

  /** When the first field expires; Infinity if none does. */
  expiresFrom(root: number): number {
    const queue = this.#queueOf(root);
    return queue === 0 ? Infinity : this.#queues.firstExpireAt(queue);
  }

  /** Fields that have expired and are still there, but no more than `most`. */
  countExpired(root: number, nowMs: number, most = Infinity): number {
    const queue = this.#queueOf(root);
    return queue === 0 ? 0 : this.#queues.countUntil(queue, nowMs, most);
  }

  /** As {@linkcode ExpireQueues.countOn}, of the fields that have expired. */
  countExpiredOn(
    root: number,
    nowMs: number,
    counted: CountedNodes,
    most: number,
  ): void {
    const queue = this.#queueOf(root);
    if (queue !== 0) this.#queues.countOn(queue, nowMs, counted, most);
  }

  /** When a field expires; 0 for never. */
  expireAt(node: number): number {
    return this.#isQueued(node) ? this.nodes.double(node) : 0;
  }

  #isQueued(node: number): boolean {
    const { nodes } = this;
    return nodes.hasDouble(node) && nodes.double(node) !== NEVER;
  }

  /** Whether a node of so many bytes has a double whether it expires or not. */
  #isLong(node: number): boolean {
    const { nodes } = this;
    return nodes.hasDouble(node) &&
      nodes.keyLength(node) + nodes.more(node) >= LONG_NODE_BYTES;
  }

  /**
   * Adds a field that is not there; `expireAtMs` is 0 for never. Throws
   * OutOfMemory before it has.
   */
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
    const node = nodes.makeNode(
      fieldBuf,
      fieldOff,
      fieldLength,
      hash,
      expireAtMs !== 0 || fieldLength + length >= LONG_NODE_BYTES,
      length,
    );
    const into = nodes.bytesOf(node);
    copyBytes(buf, off, into, nodes.keyOff(node) + fieldLength, length);
    this.addNode(root, node, expireAtMs);
  }

  /** Adds a node of a field that is not there, or frees it; as `add` has it. */
  addNode(root: number, node: number, expireAtMs: number): void {
    const { nodes } = this;
    const expires = expireAtMs !== 0;
    if (expires) this.#enqueueMade(root, node, expireAtMs);
    else if (nodes.hasDouble(node)) nodes.setDouble(node, NEVER);
    this.#insert(root, node, expires);
  }

  /** Adds a node that nobody else has to the queue, or frees it. */
  #enqueueMade(root: number, node: number, expireAtMs: number): void {
    this.nodes.setDouble(node, expireAtMs);
    try {
      this.#enqueue(root, node);
    } catch (cause) {
      this.#heap.free(node);
      throw cause;
    }
  }

  #insert(root: number, node: number, expires: boolean): void {
    const { nodes } = this;
    try {
      nodes.insert(root, node);
    } catch (cause) {
      if (expires) this.#dequeue(root, node);
      this.#heap.free(node);
      throw cause;
    }
  }

  /**
   * Gives a field another value and expire; throws OutOfMemory before it has.
   * The value may not lie in the node.
   */
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
    const fieldLength = nodes.keyLength(node);
    const head = fieldLength +
      (nodes.hasDouble(node)
        ? NODE_HEADER_BYTES + EXPIRE_BYTES
        : NODE_HEADER_BYTES);
    const from = (head + nodes.more(node) + 7) >>> 3;
    const to = (head + length + 7) >>> 3;
    if (
      expires !== this.#isQueued(node) ||
      from !== to && !this.#stays(node, to) ||
      from > CLASS_UNITS_MAX && this.#isRead(node)
    ) return this.#rebuild(root, node, buf, off, length, expireAtMs);
    const into = nodes.bytesOf(node);
    copyBytes(buf, off, into, nodes.keyOff(node) + fieldLength, length);
    nodes.setMore(node, length);
    if (expires && nodes.double(node) !== expireAtMs) {
      this.#move(root, node, expireAtMs);
    }
  }

  /** Puts a node of the same field in the place of one, or frees it. */
  setNode(root: number, node: number, made: number, expireAtMs: number): void {
    const { nodes } = this;
    const expires = expireAtMs !== 0;
    const expired = this.#isQueued(node);
    if (expires && expired) {
      nodes.setDouble(made, expireAtMs);
      this.#queues.replace(this.#queueOf(root), node, made);
    } else if (expires) this.#enqueueMade(root, made, expireAtMs);
    else {
      if (nodes.hasDouble(made)) nodes.setDouble(made, NEVER);
      if (expired) this.#dequeue(root, node);
    }
    nodes.replace(root, node, made);
    this.#heap.free(node);
  }

  /** Gives a field another expire, 0 for none; throws before it has. */
  setExpire(root: number, node: number, expireAtMs: number): void {
    const { nodes } = this;
    const isQueued = this.#isQueued(node);
    if (expireAtMs !== 0 && isQueued) {
      return this.#move(root, node, expireAtMs);
    }
    if (expireAtMs === 0 && !isQueued) return;
    if (this.#isLong(node)) return this.#setLong(root, node, expireAtMs);
    const length = nodes.more(node);
    const off = nodes.keyOff(node) + nodes.keyLength(node);
    this.#rebuild(root, node, nodes.bytesOf(node), off, length, expireAtMs);
  }

  /** Lets a long node expire that does not, or the other way round. */
  #setLong(root: number, node: number, expireAtMs: number): void {
    const { nodes } = this;
    if (expireAtMs === 0) {
      this.#dequeue(root, node);
      nodes.setDouble(node, NEVER);
      return;
    }
    nodes.setDouble(node, expireAtMs);
    try {
      this.#enqueue(root, node);
    } catch (cause) {
      nodes.setDouble(node, NEVER);
      throw cause;
    }
  }

  /** Removes a field. */
  remove(root: number, node: number): void {
    if (this.#isQueued(node)) this.#dequeue(root, node);
    this.nodes.remove(root, node);
  }

  /** A field that has expired, the first to do so, or 0. */
  firstExpired(root: number, nowMs: number): number {
    return this.expiresFrom(root) <= nowMs
      ? this.#queues.first(this.#queueOf(root))
      : 0;
  }

  /** Frees about `budget` nodes; says whether nothing is left. */
  freeSlice(root: number, budget: number): boolean {
    this.#freeQueue(root);
    if (!this.nodes.clearSlice(root, budget)) return false;
    this.#heap.free(root);
    return true;
  }

  /** Frees everything. */
  free(root: number): void {
    this.#freeQueue(root);
    this.nodes.clear(root);
    this.#heap.free(root);
  }

  /** Bytes of everything; see {@linkcode NodeTable.bytes}. */
  bytes(root: number, samples: number): number {
    const queue = this.#queueOf(root);
    return (this.#heap.unitsOf(root) << 3) + this.nodes.bytes(root, samples) +
      (queue === 0 ? 0 : this.#queues.bytes(queue));
  }

  /** Checks the invariants; for tests. */
  verify(root: number): void {
    const { nodes } = this;
    const queue = this.#queueOf(root);
    let expiring = 0;
    for (let bucket = 0; bucket < nodes.buckets(root); bucket++) {
      const found = nodes.gather(root, bucket);
      for (let i = 0; i < found; i++) {
        if (this.#isQueued(nodes.gathered(i))) expiring++;
      }
    }
    assert(expiring === this.expiring(root), "who expires is in the queue");
    assert((queue === 0) === (expiring === 0), "a queue is not empty");
    if (queue !== 0) this.#queues.verify(queue);
    nodes.verify(root);
  }

  /** Whether somebody reads a large node who has not looked for its field. */
  #isRead(node: number): boolean {
    const keepers = this.#heap.keepersOf(node);
    return keepers > 0 && keepers > KNOWN_KEYS.keepersOf(node);
  }

  /** Whether a node has room for so many units, and not far too much. */
  #stays(node: number, units: number): boolean {
    const capacity = this.#heap.unitsOf(node);
    return units <= capacity && units * 4 > capacity * 3;
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
    const fieldLength = nodes.keyLength(node);
    const made = nodes.makeNode(
      nodes.bytesOf(node),
      nodes.keyOff(node),
      fieldLength,
      nodes.hashOf(node),
      expireAtMs !== 0 || fieldLength + length >= LONG_NODE_BYTES,
      length,
    );
    const into = nodes.bytesOf(made);
    copyBytes(buf, off, into, nodes.keyOff(made) + fieldLength, length);
    this.setNode(root, node, made, expireAtMs);
  }

  /** Adds a node to the queue, or throws. */
  #enqueue(root: number, node: number): void {
    try {
      if (this.#queueOf(root) === 0) {
        this.#setQueue(root, this.#queues.create());
      }
      this.#queues.insert(this.#queueOf(root), node);
    } catch (cause) {
      if (this.expiring(root) === 0) this.#freeQueue(root);
      throw cause;
    }
  }

  #dequeue(root: number, node: number): void {
    this.#queues.remove(this.#queueOf(root), node);
    if (this.expiring(root) === 0) this.#freeQueue(root);
  }

  #move(root: number, node: number, expireAtMs: number): void {
    this.nodes.setDouble(node, expireAtMs);
    this.#queues.update(this.#queueOf(root), node);
  }

  #freeQueue(root: number): void {
    const queue = this.#queueOf(root);
    if (queue === 0) return;
    this.#queues.free(queue);
    this.#setQueue(root, 0);
  }

  #queueOf(root: number): number {
    return this.#arena.i32[root >>> SEGMENT_SHIFT]![wordOf(root) + QUEUE]!;
  }

  #setQueue(root: number, queue: number): void {
    this.#arena.i32[root >>> SEGMENT_SHIFT]![wordOf(root) + QUEUE] = queue;
  }
}

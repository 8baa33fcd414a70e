/**
 * Who listens to which channel: for every channel and pattern, how many
 * subscribers each worker has.
 *
 * It lies in shared memory, so that PUBLISH knows, at the instant it runs, how
 * many will get its message and on which workers they are, without asking. The
 * subscribers themselves are known to their own workers only.
 *
 * ```text
 * node   key   kind of channel (1 byte), then its name
 *        then, from the next word on, a count per worker
 * ```
 *
 * A channel belongs to the shard of its slot, as if its name were a key. Every
 * method asks that the caller holds the shard's latch.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import { type Arena, byteOf, SEGMENT_SHIFT, wordOf } from "../memory/arena.ts";
import { type Dict, DICT_COUNT } from "../memory/dict.ts";
import type { Heap } from "../memory/heap.ts";
import {
  KEY_LENGTH_MASK,
  NODE_HASH,
  NODE_HEADER_BYTES,
  NODE_KEY,
  NODE_META,
  NODE_VALUE,
} from "../memory/node.ts";
import type { Key } from "./key.ts";

/** A channel of SUBSCRIBE. */
export const CHANNEL = 0;
/** A channel of SSUBSCRIBE. */
export const SHARD_CHANNEL = 1;
/** A pattern of PSUBSCRIBE. */
export const PATTERN = 2;

const KIND_BYTES = 1;
/** Word that counts the subscribers of all workers. */
const TOTAL = NODE_VALUE;
/** Spreads the names of the kinds: the golden ratio. */
const KIND_FACTOR = 0x9e3779b1;

/** Called with a name and the number of its subscribers. */
export type NameVisitor = (
  buf: Uint8Array,
  off: number,
  length: number,
  node: number,
) => void;

/** The channels and patterns of one shard. */
export class SubscriberCounts {
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #dict: Dict;
  readonly #control: Int32Array;
  readonly #header: number;
  #name = new Uint8Array(64);

  /** `header` is the index of the dictionary's header in `control`. */
  constructor(
    arena: Arena,
    heap: Heap,
    dict: Dict,
    control: Int32Array,
    header: number,
  ) {
    this.#arena = arena;
    this.#heap = heap;
    this.#dict = dict;
    this.#control = control;
    this.#header = header;
  }

  /** Names that have subscribers, of all kinds. */
  get count(): number {
    return this.#control[this.#header + DICT_COUNT]!;
  }

  /** What is known of a name: its node, or 0 if nobody listens. */
  find(kind: number, name: Key): number {
    const total = KIND_BYTES + name.length;
    if (total > this.#name.length) this.#name = new Uint8Array(total * 2);
    this.#name[0] = kind;
    copyBytes(name.buf, name.off, this.#name, KIND_BYTES, name.length);
    return this.#dict.find(
      this.#control,
      this.#header,
      this.#name,
      0,
      total,
      hashIn(kind, name.hash),
    );
  }

  /**
   * Adds a subscriber on a worker; says whether it is the first one of all. May
   * throw OutOfMemory.
   */
  add(kind: number, name: Key, worker: number, workers: number): boolean {
    let node = this.find(kind, name);
    const isNew = node === 0;
    if (isNew) node = this.#make(kind, name, workers);
    this.#add(node, worker, 1);
    return isNew;
  }

  /** Takes one away; says whether it was the last one. */
  remove(kind: number, name: Key, worker: number): boolean {
    const node = this.find(kind, name);
    this.#add(node, worker, -1);
    if (this.total(node) > 0) return false;
    const hash = this.#words(node)[wordOf(node) + NODE_HASH]!;
    this.#dict.remove(this.#control, this.#header, node, hash);
    this.#heap.free(node);
    return true;
  }

  /** Subscribers of a node's name on all workers. */
  total(node: number): number {
    return this.#words(node)[wordOf(node) + TOTAL]!;
  }

  /** Subscribers of a node's name on one worker. */
  on(node: number, worker: number): number {
    return this.#words(node)[this.#countsAt(node) + worker]!;
  }

  /** Visits the names of a kind. */
  visit(kind: number, visitor: NameVisitor): void {
    let cursor = 0;
    do {
      cursor = this.#dict.scan(
        this.#control,
        this.#header,
        cursor,
        (node) => this.#visitNode(kind, node, visitor),
      );
    } while (cursor !== 0);
  }

  #visitNode(kind: number, node: number, visitor: NameVisitor): void {
    const buf = this.#arena.u8[node >>> SEGMENT_SHIFT]!;
    const off = byteOf(node) + NODE_HEADER_BYTES;
    if (buf[off] !== kind) return;
    visitor(buf, off + KIND_BYTES, this.#keyLength(node) - KIND_BYTES, node);
  }

  #make(kind: number, name: Key, workers: number): number {
    const length = KIND_BYTES + name.length;
    const words = ((NODE_HEADER_BYTES + length + 3) >>> 2) + workers;
    const node = this.#heap.allocate((words + 1) >>> 1);
    const hash = hashIn(kind, name.hash);
    const all = this.#words(node);
    const at = wordOf(node);
    all.fill(0, at, at + words);
    all[at + NODE_META] = 0;
    all[at + NODE_KEY] = length;
    all[at + NODE_HASH] = hash;
    copyBytes(
      this.#name,
      0,
      this.#arena.u8[node >>> SEGMENT_SHIFT]!,
      byteOf(node) + NODE_HEADER_BYTES,
      length,
    );
    try {
      this.#dict.insert(this.#control, this.#header, node, hash);
    } catch (cause) {
      this.#heap.free(node);
      throw cause;
    }
    return node;
  }

  #add(node: number, worker: number, by: number): void {
    const words = this.#words(node);
    words[wordOf(node) + TOTAL]! += by;
    words[this.#countsAt(node) + worker]! += by;
  }

  #countsAt(node: number): number {
    return wordOf(node) + ((NODE_HEADER_BYTES + this.#keyLength(node) + 3) >>>
      2);
  }

  #keyLength(node: number): number {
    return this.#words(node)[wordOf(node) + NODE_KEY]! & KEY_LENGTH_MASK;
  }

  #words(node: number): Int32Array {
    return this.#arena.i32[node >>> SEGMENT_SHIFT]!;
  }
}

function hashIn(kind: number, hash: number): number {
  return hash ^ Math.imul(kind, KIND_FACTOR);
}

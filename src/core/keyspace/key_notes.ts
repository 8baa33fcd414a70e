/**
 * Notes about keys: a dictionary of a shard from the names of keys, or of
 * channels, to a few words each; whether the key exists or not.
 *
 * ```text
 * node   word 0, word 2   the user's
 *        key   qualifier (4 bytes, little endian), then the name; of a long one
 *              the run in which it lies, and its offset there
 *        then, from the next word on, more words of the user
 * ```
 *
 * A long name is not copied: the run in which it lies, which is an entry's or an
 * argument's, is kept as long as the note is there. Nothing changes in either.
 *
 * The qualifier keeps apart equal names: of several databases, or of several
 * kinds. Every method asks that the caller holds the shard's latch. Nodes never
 * move.
 *
 * @module
 */

import { bytesInMemory, copyBytes, equalLong } from "../base/bytes.ts";
import { type Arena, byteOf, SEGMENT_SHIFT, wordOf } from "../memory/arena.ts";
import { type Dict, DICT_COUNT, type NodeVisitor } from "../memory/dict.ts";
import type { Heap } from "../memory/heap.ts";
import { KNOWN_KEYS, LONG_KEY_BYTES } from "../memory/known_keys.ts";
import {
  KEY_LENGTH_MASK,
  NODE_HASH,
  NODE_HEADER_BYTES,
  NODE_KEY,
} from "../memory/node.ts";
import type { Key } from "./key.ts";

const QUALIFIER_BYTES = 4;
const HEADER_WORDS = NODE_HEADER_BYTES >> 2;
/** Words of a node with a long name: the run that it lies in, ... */
const RUN = HEADER_WORDS + 1;
/** ... the offset of its first byte there. */
const OFFSET = HEADER_WORDS + 2;
const LONG_WORDS = HEADER_WORDS + 3;
/** Spreads the same name of several qualifiers: the golden ratio. */
const QUALIFIER_FACTOR = 0x9e3779b1;

/** The key of a node that is looked for: long ones are not brought here. */
const NAME = bytesInMemory(QUALIFIER_BYTES + LONG_KEY_BYTES);

/** The notes of one shard, of one sort. */
export class KeyNotes {
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #dict: Dict;
  readonly #control: Int32Array;
  readonly #header: number;

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

  /** How many there are. */
  get count(): number {
    return this.#control[this.#header + DICT_COUNT]!;
  }

  /** The node of a name, or 0. */
  find(
    qualifier: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): number {
    if (length >= LONG_KEY_BYTES) {
      return this.#findLong(qualifier, buf, off, length, hash);
    }
    const total = readName(qualifier, buf, off, length);
    return this.#dict.find(
      this.#control,
      this.#header,
      NAME,
      0,
      total,
      hashIn(qualifier, hash),
    );
  }

  /**
   * Adds a node for a name that has none, with `moreWords` words behind it; all
   * of the user's are 0. May throw OutOfMemory.
   */
  add(qualifier: number, key: Key, moreWords = 0): number {
    const length = QUALIFIER_BYTES + key.length;
    const isLong = key.length >= LONG_KEY_BYTES;
    const words = wordsOf(length) + moreWords;
    const node = this.#heap.allocate((words + 1) >>> 1);
    const hash = hashIn(qualifier, key.hash);
    const all = this.#arena.i32[node >>> SEGMENT_SHIFT]!;
    const at = wordOf(node);
    all.fill(0, at, at + HEADER_WORDS);
    const restFrom = isLong ? HEADER_WORDS : NODE_HEADER_BYTES + length >>> 2;
    all.fill(0, at + restFrom, at + words);
    all[at + NODE_KEY] = length;
    all[at + NODE_HASH] = hash;
    all[at + HEADER_WORDS] = qualifier;
    try {
      if (isLong) this.#keepName(node, key);
      else {
        copyBytes(
          key.buf,
          key.off,
          this.#arena.u8[node >>> SEGMENT_SHIFT]!,
          byteOf(node) + NODE_HEADER_BYTES + QUALIFIER_BYTES,
          key.length,
        );
      }
      this.#dict.insert(this.#control, this.#header, node, hash);
    } catch (cause) {
      this.free(node);
      throw cause;
    }
    return node;
  }

  /** Takes a node out and frees it. */
  remove(node: number): void {
    this.takeOut(node);
    this.free(node);
  }

  /** Takes a node out, to be freed later. */
  takeOut(node: number): void {
    const hash = this.word(node, NODE_HASH);
    this.#dict.remove(this.#control, this.#header, node, hash);
  }

  /** Frees a node that is in no dictionary any more. */
  free(node: number): void {
    const run = this.#isLong(node) ? this.word(node, RUN) : 0;
    if (run !== 0) this.#heap.letGo(run);
    this.#heap.free(node);
  }

  /** Visits all nodes; some may come twice. Nothing may change meanwhile. */
  visit(visitor: NodeVisitor): void {
    let cursor = 0;
    do cursor = this.visitFrom(cursor, visitor); while (cursor !== 0);
  }

  /**
   * Visits the nodes of one position and returns the next; the first and the end
   * are 0. A node that is there from the first to the last is visited, at least
   * once, whatever changes between two positions.
   */
  visitFrom(cursor: number, visitor: NodeVisitor): number {
    return this.#dict.scan(this.#control, this.#header, cursor, visitor);
  }

  /** A word of a node's header. */
  word(node: number, index: number): number {
    return this.#arena.i32[node >>> SEGMENT_SHIFT]![wordOf(node) + index]!;
  }

  /** Sets a word of a node's header. */
  setWord(node: number, index: number, value: number): void {
    this.#arena.i32[node >>> SEGMENT_SHIFT]![wordOf(node) + index] = value;
  }

  /** Index, from the node's first word, of the words behind the name. */
  moreAt(node: number): number {
    return wordsOf(this.word(node, NODE_KEY) & KEY_LENGTH_MASK);
  }

  /** The qualifier of a node's name. */
  qualifier(node: number): number {
    return this.word(node, HEADER_WORDS);
  }

  /** Fills in the name of a node, but not its shard. */
  readKey(node: number, key: Key): void {
    if (this.#isLong(node)) {
      const run = this.word(node, RUN);
      key.buf = this.#arena.u8[run >>> SEGMENT_SHIFT]!;
      key.off = byteOf(run) + this.word(node, OFFSET);
    } else {
      key.buf = this.#arena.u8[node >>> SEGMENT_SHIFT]!;
      key.off = byteOf(node) + NODE_HEADER_BYTES + QUALIFIER_BYTES;
    }
    key.length = (this.word(node, NODE_KEY) & KEY_LENGTH_MASK) -
      QUALIFIER_BYTES;
    key.hash = hashIn(this.qualifier(node), this.word(node, NODE_HASH));
  }

  /**
   * Visits the nodes that a long name may have, with the runs in which theirs lie,
   * and where these begin in their segments.
   */
  visitLike(
    qualifier: number,
    length: number,
    hash: number,
    visit: (node: number, run: number, off: number) => void,
  ): void {
    this.#dict.visitLike(
      this.#control,
      this.#header,
      QUALIFIER_BYTES + length,
      hashIn(qualifier, hash),
      (node) => {
        if (this.qualifier(node) !== qualifier) return;
        const run = this.word(node, RUN);
        visit(node, run, byteOf(run) + this.word(node, OFFSET));
      },
    );
  }

  #isLong(node: number): boolean {
    return (this.word(node, NODE_KEY) & KEY_LENGTH_MASK) >=
      QUALIFIER_BYTES + LONG_KEY_BYTES;
  }

  /** Keeps the run of a name, or of a copy if it lies in none. */
  #keepName(node: number, { buf, off, length }: Key): void {
    const heap = this.#heap;
    const found = heap.runAt(buf, off);
    const run = found || heap.allocate((length + 7) >>> 3);
    const bytes = this.#arena.u8[run >>> SEGMENT_SHIFT]!;
    heap.keep(run);
    this.setWord(node, RUN, run);
    if (found !== 0) {
      const from = bytes.byteOffset + byteOf(run);
      return this.setWord(node, OFFSET, buf.byteOffset + off - from);
    }
    copyBytes(buf, off, bytes, byteOf(run), length);
    this.setWord(node, OFFSET, 0);
    // It goes when nobody keeps it any more.
    heap.free(run);
  }

  /** A long name is compared where it lies, if it has not been before. */
  #findLong(
    qualifier: number,
    buf: Uint8Array,
    off: number,
    length: number,
    hash: number,
  ): number {
    let found = 0;
    this.visitLike(qualifier, length, hash, (node, run, at) => {
      if (found !== 0) return;
      const own = this.#arena.u8[run >>> SEGMENT_SHIFT]!;
      const isSame = KNOWN_KEYS.has(run, buf, off, length) ??
        equalLong(own, at, buf, off, length);
      if (isSame) found = node;
    });
    return found;
  }
}

/** Words of a node whose key has so many bytes. */
function wordsOf(keyBytes: number): number {
  if (keyBytes >= QUALIFIER_BYTES + LONG_KEY_BYTES) return LONG_WORDS;
  return (NODE_HEADER_BYTES + keyBytes + 3) >>> 2;
}

/** Hash of a name together with its qualifier; twice gives the name's again. */
function hashIn(qualifier: number, hash: number): number {
  return hash ^ Math.imul(qualifier, QUALIFIER_FACTOR);
}

/** Writes a node's key; returns its length. */
function readName(
  qualifier: number,
  buf: Uint8Array,
  off: number,
  length: number,
): number {
  NAME[0] = qualifier & 0xff;
  NAME[1] = qualifier >>> 8 & 0xff;
  NAME[2] = qualifier >>> 16 & 0xff;
  NAME[3] = qualifier >>> 24;
  copyBytes(buf, off, NAME, QUALIFIER_BYTES, length);
  return QUALIFIER_BYTES + length;
}

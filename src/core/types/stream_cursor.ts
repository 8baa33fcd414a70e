/**
 * A cursor over the entries of a stream, in either direction.
 *
 * The stream must not change while a cursor is in use; after a change the cursor
 * is to be set anew.
 *
 * @module
 */

import {
  type Arena,
  SEGMENT_SHIFT,
  UNIT_MASK,
  wordOf,
} from "../memory/arena.ts";
import { valueRoot } from "./entry.ts";
import { type IdTree, TREE_RECORDS, TreePlace } from "./id_tree.ts";
import { StreamId } from "./stream_id.ts";
import { NodeReader } from "./stream_node.ts";
import { LAST_NODE, LAST_NODE_ID, NODES, RECORD_NODE } from "./stream_root.ts";

/** Goes from entry to entry; those that are deleted are passed over. */
export class StreamCursor {
  /** The entry: its ID, fields and values. */
  readonly entry: NodeReader = new NodeReader();
  /** The node it is in, or 0 if there is no more. */
  node = 0;
  /** The node's record in the tree; leaf 0 for the last node. */
  readonly place: TreePlace = new TreePlace();
  readonly #arena: Arena;
  readonly #nodes: IdTree;
  #root = 0;
  /** Where the way begins; compared with until it is reached. */
  readonly #from = new StreamId();
  #isThere = false;

  /** `nodes` is the kind of tree that streams have their nodes in. */
  constructor(arena: Arena, nodes: IdTree) {
    this.#arena = arena;
    this.#nodes = nodes;
  }

  /** Goes before the first entry whose ID is not less than one. */
  seek(ref: number, id: StreamId): void {
    this.#seekNode(ref, id);
    if (this.node !== 0) this.entry.begin();
  }

  /** Goes behind the last entry whose ID is not greater than one. */
  seekBehind(ref: number, id: StreamId): void {
    this.#seekNode(ref, id);
    if (this.node !== 0) this.entry.beginBehind();
  }

  /** Goes to the next entry; false if there is none. */
  next(): boolean {
    const { entry } = this;
    while (this.node !== 0) {
      while (entry.next()) {
        if (entry.isDeleted) continue;
        if (this.#isThere) return true;
        if (entry.id.compare(this.#from) < 0) continue;
        this.#isThere = true;
        return true;
      }
      this.#nextNode();
    }
    return false;
  }

  /** Goes to the entry before; false if there is none. */
  previous(): boolean {
    const { entry } = this;
    while (this.node !== 0) {
      while (entry.previous()) {
        if (entry.isDeleted) continue;
        if (this.#isThere) return true;
        if (entry.id.compare(this.#from) > 0) continue;
        this.#isThere = true;
        return true;
      }
      this.#previousNode();
    }
    return false;
  }

  /** The node in which an ID is or would be, or the first one. */
  #seekNode(ref: number, id: StreamId): void {
    const root = valueRoot(this.#arena, ref);
    this.#root = root;
    this.#from.set(id);
    this.#isThere = false;
    this.node = 0;
    this.place.leaf = 0;
    if (root === 0) return;
    const words = this.#arena.i32[root >>> SEGMENT_SHIFT]!;
    const at = wordOf(root);
    if (
      words[at + NODES + TREE_RECORDS] === 0 ||
      id.compareWords(words, at + LAST_NODE_ID) >= 0
    ) return this.#openLast();
    if (!this.#nodes.findUpTo(words, at + NODES, id, this.place)) {
      this.#nodes.first(words, at + NODES, this.place);
    }
    this.#openPlace();
  }

  #nextNode(): void {
    if (this.place.leaf === 0) this.node = 0;
    else {
      if (this.#nodes.next(this.place)) this.#openPlace();
      else this.#openLast();
      if (this.node !== 0) this.entry.begin();
    }
  }

  #previousNode(): void {
    const { place } = this;
    const words = this.#arena.i32[this.#root >>> SEGMENT_SHIFT]!;
    const found = place.leaf === 0
      ? this.#nodes.last(words, wordOf(this.#root) + NODES, place)
      : this.#nodes.previous(place);
    if (!found) {
      this.node = 0;
      return;
    }
    this.#openPlace();
    this.entry.beginBehind();
  }

  #openPlace(): void {
    const { place } = this;
    const words = this.#nodes.words(place);
    this.node = words[this.#nodes.payloadAt(place) + RECORD_NODE]!;
    this.entry.open(this.#arena, this.node, words, this.#nodes.idAt(place));
  }

  #openLast(): void {
    const words = this.#arena.i32[this.#root >>> SEGMENT_SHIFT]!;
    const at = (this.#root & UNIT_MASK) << 1;
    this.place.leaf = 0;
    this.node = words[at + LAST_NODE]!;
    if (this.node === 0) return;
    this.entry.open(this.#arena, this.node, words, at + LAST_NODE_ID);
  }
}

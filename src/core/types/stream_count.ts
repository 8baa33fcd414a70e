/**
 * How many entries of a stream there are from one ID to another: those of the
 * nodes at both ends one by one, those between as the tree of nodes knows them,
 * leaf by leaf, so that very many nodes can be counted in steps.
 *
 * @module
 */

import { type Arena, SEGMENT_SHIFT, wordOf } from "../memory/arena.ts";
import { valueRoot } from "./entry.ts";
import { type IdTree, TreePlace } from "./id_tree.ts";
import { StreamCursor } from "./stream_cursor.ts";
import { StreamId } from "./stream_id.ts";
import {
  FIRST_ID,
  LAST_ID,
  LAST_NODE_ID,
  LENGTH,
  NODES,
  RECORD_COUNT,
} from "./stream_root.ts";

/** Counts in steps; the stream must not change in between. */
export class EntryCount {
  /** Entries that are counted. */
  count = 0;
  readonly #arena: Arena;
  readonly #nodes: IdTree;
  readonly #cursor: StreamCursor;
  /** The next node that is counted as a whole; leaf 0 for none. */
  readonly #place = new TreePlace();
  /** The node at the end; leaf 0 for the last one of the stream. */
  readonly #end = new TreePlace();
  readonly #id = new StreamId();

  /** `nodes` is the kind of tree that streams have their nodes in. */
  constructor(arena: Arena, nodes: IdTree) {
    this.#arena = arena;
    this.#nodes = nodes;
    this.#cursor = new StreamCursor(arena, nodes);
  }

  /** Begins, and counts what is in the nodes at both ends. */
  begin(ref: number, from: StreamId, to: StreamId): void {
    const place = this.#place;
    const end = this.#end;
    this.count = place.leaf = end.leaf = 0;
    const root = valueRoot(this.#arena, ref);
    if (root === 0 || from.compare(to) > 0) return;
    const words = this.#arena.i32[root >>> SEGMENT_SHIFT]!;
    const at = wordOf(root);
    if (
      from.compareWords(words, at + FIRST_ID) <= 0 &&
      to.compareWords(words, at + LAST_ID) >= 0
    ) {
      this.count = words[at + LENGTH]!;
      return;
    }
    const cursor = this.#cursor;
    cursor.seek(ref, from);
    if (cursor.node === 0) return;
    if (to.compareWords(words, at + LAST_NODE_ID) >= 0) {
      this.#id.read(words, at + LAST_NODE_ID);
    } else if (this.#nodes.findUpTo(words, at + NODES, to, end)) {
      this.#nodes.readId(end, this.#id);
    } else return;
    place.leaf = cursor.place.leaf;
    place.index = cursor.place.index;
    if (place.leaf !== 0 && !isSame(place, end)) {
      while (cursor.next() && isSame(cursor.place, place)) this.count++;
      this.#nodes.next(place);
      cursor.seek(ref, this.#id);
    } else place.leaf = 0;
    while (cursor.next() && cursor.entry.id.compare(to) <= 0) this.count++;
  }

  /** Counts on, through so many leaves of the tree; says whether more are left. */
  goOn(leaves: number): boolean {
    const place = this.#place;
    if (place.leaf === 0) return false;
    this.count += this.#nodes.sumUpTo(place, this.#end, RECORD_COUNT, leaves);
    return place.leaf !== 0;
  }
}

function isSame(a: TreePlace, b: TreePlace): boolean {
  return a.leaf === b.leaf && (a.leaf === 0 || a.index === b.index);
}

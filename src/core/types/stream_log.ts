/**
 * The entries of a stream: nodes in the order of their IDs, added to at the end,
 * trimmed at the front.
 *
 * Entries are taken away by a mark, and a node when its last entry is; the same
 * nodes begin and end as in Redis, so approximate trimming takes the same.
 *
 * Cost: adding looks at the last node only; seeking is O(log n) and a part of
 * one node; trimming is O(1) per node, without a look into it, and leaves of the
 * tree may be handed over whole, to be freed later.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import {
  type Arena,
  SEGMENT_SHIFT,
  UNIT_MASK,
  wordOf,
} from "../memory/arena.ts";
import type { Heap } from "../memory/heap.ts";
import { setValueRoot, valueRoot } from "./entry.ts";
import { IdTree, TREE_RECORDS, TreePlace } from "./id_tree.ts";
import { EntryCount } from "./stream_count.ts";
import { StreamCursor } from "./stream_cursor.ts";
import { StreamId } from "./stream_id.ts";
import { type EntryFields, NodeReader, StreamNodes } from "./stream_node.ts";
import {
  DELETED_ID,
  ENTRIES_ADDED,
  FIRST_ID,
  LAST_ID,
  LAST_NODE,
  LAST_NODE_ID,
  LENGTH,
  NODE_RECORD_WORDS,
  NODES,
  RECORD_COUNT,
  RECORD_NODE,
  ROOT_WORDS,
} from "./stream_root.ts";
import type { EncodingLimits } from "./value_type.ts";

/** More bytes for a node than the one before has, so that it need not grow. */
const MORE_BYTES = 64;
/** An entry is looked for among so many behind another before it is sought. */
const NEAR_ENTRIES = 8;
/** Leaves that are counted before it is looked whether there are enough. */
const LEAVES_COUNTED = 16;

/** How a stream is to be trimmed. */
export class StreamTrim {
  /** Entries that may stay, or Infinity if it is the ID that counts. */
  maxLength = Infinity;
  /** What has a lesser ID goes, unless it is the length that counts. */
  readonly minId: StreamId = new StreamId();
  /** Whether only whole nodes go. */
  isApproximate = false;
  /** Most entries that may go; 0 for any number. */
  limit = 0;
}

/** Operations on the entries of the streams of one heap, by key entries. */
export class StreamLog {
  /** Whether the last trimming has ended for its number of leaves. */
  isTrimLeft = false;
  /**
   * Whether {@linkcode StreamLog.findBehind} has ended near where it began; else it
   * took several times as long.
   */
  wasNear = false;
  /** The nodes. */
  readonly nodes: StreamNodes;
  /** Trees of all nodes but the last. */
  readonly tree: IdTree;
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #place = new TreePlace();
  readonly #endPlace = new TreePlace();
  readonly #reader = new NodeReader();
  readonly #cursor: StreamCursor;
  readonly #counting: EntryCount;
  readonly #id = new StreamId();
  readonly #least = new StreamId();

  /** One object per keyspace. */
  constructor(arena: Arena, heap: Heap, limits: EncodingLimits) {
    this.#arena = arena;
    this.#heap = heap;
    this.nodes = new StreamNodes(arena, heap, limits);
    this.tree = new IdTree(arena, heap, NODE_RECORD_WORDS);
    this.#cursor = this.cursor();
    this.#counting = this.counting();
  }

  /** A cursor over the entries of any stream of this arena. */
  cursor(): StreamCursor {
    return new StreamCursor(this.#arena, this.tree);
  }

  /** A count of entries of any stream of this arena. */
  counting(): EntryCount {
    return new EntryCount(this.#arena, this.tree);
  }

  /** Makes the root of a stream without entries, if there is none; returns it. */
  makeRoot(ref: number): number {
    const known = valueRoot(this.#arena, ref);
    if (known !== 0) return known;
    const root = this.#allocateRoot();
    setValueRoot(this.#arena, ref, root);
    return root;
  }

  /**
   * Adds an entry: `fieldCount` pairs of texts from `from` on, of `bytes` bytes
   * in all. The ID is greater than that of any entry that ever was there. Throws
   * OutOfMemory before anything is changed. If it {@linkcode
   * StreamLog.beginsNode}, `run` may be a run of pages that is the node already,
   * and is taken over.
   */
  add(
    ref: number,
    id: StreamId,
    fields: EntryFields,
    from: number,
    fieldCount: number,
    bytes: number,
    run = 0,
  ): void {
    let root = valueRoot(this.#arena, ref);
    const last = root === 0 ? 0 : this.#word(root, LAST_NODE);
    if (run !== 0) this.nodes.adoptRun(run);
    if (last === 0) {
      const made = run || this.nodes.create(fields, from, fieldCount, 0);
      if (root === 0) {
        try {
          root = this.#allocateRoot();
        } catch (cause) {
          this.nodes.free(made);
          throw cause;
        }
        setValueRoot(this.#arena, ref, root);
      }
      this.#setLast(root, made, id);
    } else if (this.nodes.isFull(last, bytes, fieldCount)) {
      const more = this.nodes.bytes(last) + MORE_BYTES;
      const made = run || this.nodes.create(fields, from, fieldCount, more);
      this.#beginNode(root, last, id, made);
    } else {
      const first = this.#id;
      first.read(this.#words(root), wordOf(root) + LAST_NODE_ID);
      const grown = this.nodes.append(
        last,
        first,
        id,
        fields,
        from,
        fieldCount,
      );
      if (grown !== last) this.#setWord(root, LAST_NODE, grown);
    }
    const words = this.#words(root);
    const at = (root & UNIT_MASK) << 1;
    const length = words[at + LENGTH]! + 1;
    words[at + LENGTH] = length;
    words[at + ENTRIES_ADDED + 1] = words[at + ENTRIES_ADDED + 1]! + 1 | 0;
    if (words[at + ENTRIES_ADDED + 1] === 0) {
      words[at + ENTRIES_ADDED] = words[at + ENTRIES_ADDED]! + 1 | 0;
    }
    id.write(words, at + LAST_ID);
    if (length === 1) id.write(words, at + FIRST_ID);
  }

  /** Whether an entry of so many bytes would be the first one of a node. */
  beginsNode(ref: number, bytes: number, fieldCount: number): boolean {
    const root = valueRoot(this.#arena, ref);
    const last = root === 0 ? 0 : this.#word(root, LAST_NODE);
    return last === 0 || this.nodes.isFull(last, bytes, fieldCount);
  }

  /** Goes to an entry; false if it is not there. */
  find(ref: number, id: StreamId, cursor: StreamCursor): boolean {
    cursor.seek(ref, id);
    return cursor.next() && cursor.entry.id.compare(id) === 0;
  }

  /**
   * As {@linkcode StreamLog.find}, of an entry behind the one that the cursor was
   * sent to before, in a stream that has not changed since: fast if it is near.
   */
  findBehind(ref: number, id: StreamId, cursor: StreamCursor): boolean {
    for (let steps = NEAR_ENTRIES; steps > 0 && cursor.node !== 0; steps--) {
      const order = cursor.entry.id.compare(id);
      this.wasNear = true;
      if (order >= 0) return order === 0;
      if (!cursor.next()) return false;
    }
    this.wasNear = false;
    return this.find(ref, id, cursor);
  }

  /** Whether an entry is there. */
  has(ref: number, id: StreamId): boolean {
    return this.find(ref, id, this.#cursor);
  }

  /** Reads the ID of the last entry that is there; false if there is none. */
  readLastEntry(ref: number, id: StreamId): boolean {
    this.#id.setGreatest();
    this.#cursor.seekBehind(ref, this.#id);
    if (!this.#cursor.previous()) return false;
    id.set(this.#cursor.entry.id);
    return true;
  }

  /** Deletes an entry; false if it is not there. */
  delete(ref: number, id: StreamId): boolean {
    const cursor = this.#cursor;
    if (!this.find(ref, id, cursor)) return false;
    const root = valueRoot(this.#arena, ref);
    const words = this.#words(root);
    const at = wordOf(root);
    const left = this.nodes.markDeleted(cursor.node, cursor.entry);
    if (left === 0) {
      if (cursor.place.leaf === 0) this.#dropLast(root);
      else {
        this.#id.set(cursor.entry.first);
        this.tree.remove(words, at + NODES, this.#id);
        this.nodes.free(cursor.node);
      }
    } else if (cursor.place.leaf !== 0) this.#setCount(cursor.place, left);
    words[at + LENGTH] = words[at + LENGTH]! - 1;
    if (id.compareWords(words, at + DELETED_ID) > 0) {
      id.write(words, at + DELETED_ID);
    }
    if (id.compareWords(words, at + FIRST_ID) === 0) this.#findFirst(ref);
    return true;
  }

  /**
   * Trims a stream and returns how many entries went. Leaves of the tree that go
   * as a whole become the pile of `spare`, the entry of an empty stream that is
   * to be freed, or are freed at once if that is 0. After so many leaves it ends,
   * and {@linkcode StreamLog.isTrimLeft} says that it is to be gone on with.
   */
  trim(
    ref: number,
    trim: StreamTrim,
    spare: number,
    leaves = Infinity,
  ): number {
    const root = valueRoot(this.#arena, ref);
    this.isTrimLeft = false;
    if (root === 0) return 0;
    let removed = this.#trimLeaves(root, trim, spare, leaves);
    while (!this.isTrimLeft && this.#word(root, LAST_NODE) !== 0) {
      const length = this.#word(root, LENGTH);
      if (length <= trim.maxLength && trim.maxLength !== Infinity) break;
      const place = this.#place;
      const words = this.#words(root);
      const at = wordOf(root);
      const hasTree = this.tree.first(words, at + NODES, place);
      const entries = hasTree
        ? this.#countOf(place)
        : this.nodes.count(this.#word(root, LAST_NODE));
      if (trim.limit !== 0 && removed + entries > trim.limit) break;
      const goes = trim.maxLength !== Infinity
        ? length - entries >= trim.maxLength
        : this.#isBefore(root, hasTree, trim.minId);
      if (!goes) {
        if (!trim.isApproximate) removed += this.#trimNode(root, hasTree, trim);
        break;
      }
      if (hasTree) {
        const node = this.#nodeOf(place);
        this.tree.readId(place, this.#id);
        this.tree.remove(words, at + NODES, this.#id);
        this.nodes.free(node);
      } else this.#dropLast(root);
      words[at + LENGTH] = length - entries;
      removed += entries;
    }
    if (removed > 0) this.#findFirst(ref);
    return removed;
  }

  /**
   * Counts the entries from one ID to another, but not much further than `most`.
   */
  countRange(
    ref: number,
    from: StreamId,
    to: StreamId,
    most: number,
  ): number {
    const counting = this.#counting;
    counting.begin(ref, from, to);
    while (counting.count < most && counting.goOn(LEAVES_COUNTED));
    return counting.count;
  }

  /** Visits all nodes in order. */
  visitNodes(
    ref: number,
    visit: (first: StreamId, node: number) => void,
  ): void {
    const first = new StreamId();
    for (const node of this.eachNode(ref, first)) visit(first, node);
  }

  /**
   * The nodes in their order, `first` being the first ID of each; the stream must
   * not change meanwhile.
   */
  *eachNode(ref: number, first: StreamId): Generator<number, void> {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return;
    const words = this.#words(root);
    const at = wordOf(root);
    const place = new TreePlace();
    let isThere = this.tree.first(words, at + NODES, place);
    for (; isThere; isThere = this.tree.next(place)) {
      this.tree.readId(place, first);
      yield this.#nodeOf(place);
    }
    const last = words[at + LAST_NODE]!;
    if (last === 0) return;
    first.read(words, at + LAST_NODE_ID);
    yield last;
  }

  /** Nodes of a stream. */
  nodeCount(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return 0;
    return this.#word(root, NODES + TREE_RECORDS) +
      (this.#word(root, LAST_NODE) === 0 ? 0 : 1);
  }

  /**
   * Adds a node behind the others, which is the stream's then; the metadata is
   * the caller's to set. Throws OutOfMemory before that.
   */
  addNode(root: number, first: StreamId, node: number): void {
    const last = this.#word(root, LAST_NODE);
    if (last !== 0) this.#retire(root, last);
    this.#setLast(root, node, first);
  }

  /**
   * Frees about `budget` nodes of a stream that is taken apart; says whether none
   * are left.
   */
  freeNodes(root: number, budget: number): boolean {
    const words = this.#words(root);
    const at = wordOf(root);
    for (let left = budget; left > 0;) {
      if (words[at + NODES + TREE_RECORDS] === 0) {
        const last = words[at + LAST_NODE]!;
        if (last !== 0) this.nodes.free(last);
        words[at + LAST_NODE] = 0;
        return true;
      }
      left -= this.#freeLeaf(this.tree.takeFirstLeaf(words, at + NODES));
    }
    return false;
  }

  /** Bytes of all nodes and of the tree; `samples` as in memoryBytes. */
  bytes(root: number, samples: number): number {
    const words = this.#words(root);
    const at = wordOf(root);
    const records = words[at + NODES + TREE_RECORDS]!;
    const place = this.#place;
    let seen = 0;
    let bytes = 0;
    let isThere = this.tree.first(words, at + NODES, place);
    while (isThere && (samples === 0 || seen < samples)) {
      bytes += this.#heap.unitsOf(this.#nodeOf(place)) << 3;
      seen++;
      isThere = this.tree.next(place);
    }
    if (seen > 0) bytes = Math.round(bytes / seen * records);
    const last = words[at + LAST_NODE]!;
    if (last !== 0) bytes += this.#heap.unitsOf(last) << 3;
    return bytes + this.tree.bytes(words, at + NODES);
  }

  /** Checks counters and nodes; for tests. */
  verify(ref: number): void {
    const root = valueRoot(this.#arena, ref);
    const words = this.#words(root);
    const at = wordOf(root);
    const place = new TreePlace();
    const before = new StreamId();
    let length = 0;
    let isThere = this.tree.first(words, at + NODES, place);
    for (; isThere; isThere = this.tree.next(place)) {
      const count = this.#verifyNode(root, place, before);
      assert(count === this.#countOf(place), "the tree knows the entries");
      length += count;
    }
    assert(
      words[at + LAST_NODE] !== 0 || length === 0,
      "a stream with nodes has a last one",
    );
    place.leaf = 0;
    if (words[at + LAST_NODE] !== 0) {
      length += this.#verifyNode(root, place, before);
    }
    assert(words[at + LENGTH] === length, "entries are counted exactly");
    assert(before.compareWords(words, at + LAST_ID) <= 0, "IDs are not over");
    const first = new StreamId();
    this.#cursor.seek(ref, this.#least);
    if (this.#cursor.next()) first.set(this.#cursor.entry.id);
    assert(
      first.compareWords(words, at + FIRST_ID) === 0,
      "the first is known",
    );
  }

  /** Checks one node, returns its entries and the last ID in `before`. */
  #verifyNode(root: number, place: TreePlace, before: StreamId): number {
    const node = place.leaf === 0
      ? this.#word(root, LAST_NODE)
      : this.#nodeOf(place);
    assert(this.nodes.isNode(node), "nodes are as Redis has them");
    const room = this.#heap.unitsOf(node) << 3;
    assert(this.nodes.bytes(node) + 2 <= room, "a mark has room");
    const reader = this.#reader;
    this.#openAt(root, place, reader);
    reader.begin();
    let count = 0;
    for (let isFirst = true; reader.next(); isFirst = false) {
      assert(
        !isFirst || reader.id.compare(reader.first) === 0,
        "a node is found by its first ID",
      );
      assert(before.compare(reader.id) < 0, "IDs ascend");
      before.set(reader.id);
      if (!reader.isDeleted) count++;
    }
    assert(this.nodes.count(node) === count, "nodes count their entries");
    return count;
  }

  /** Finds the first entry anew. */
  #findFirst(ref: number): void {
    const root = valueRoot(this.#arena, ref);
    const words = this.#words(root);
    const at = wordOf(root) + FIRST_ID;
    this.#cursor.seek(ref, this.#least);
    if (this.#cursor.next()) this.#cursor.entry.id.write(words, at);
    else this.#least.write(words, at);
  }

  #allocateRoot(): number {
    const root = this.#heap.allocate(ROOT_WORDS >> 1);
    const at = wordOf(root);
    this.#words(root).fill(0, at, at + ROOT_WORDS);
    return root;
  }

  /** Begins a node behind the last one with an entry. */
  #beginNode(
    root: number,
    last: number,
    id: StreamId,
    made: number,
  ): void {
    try {
      this.#retire(root, last);
    } catch (cause) {
      this.nodes.free(made);
      throw cause;
    }
    this.#setLast(root, made, id);
  }

  /** Puts the last node into the tree, with no more memory than it needs. */
  #retire(root: number, last: number): void {
    const words = this.#words(root);
    const at = wordOf(root);
    const node = this.nodes.trim(last);
    words[at + LAST_NODE] = node;
    const place = this.#place;
    this.#id.read(words, at + LAST_NODE_ID);
    this.tree.insert(words, at + NODES, this.#id, place);
    const payload = this.tree.payloadAt(place);
    const record = this.tree.words(place);
    record[payload + RECORD_NODE] = node;
    record[payload + RECORD_COUNT] = this.nodes.count(node);
  }

  #setLast(root: number, node: number, first: StreamId): void {
    const words = this.#words(root);
    const at = wordOf(root);
    words[at + LAST_NODE] = node;
    first.write(words, at + LAST_NODE_ID);
  }

  /** Frees the last node; that of the tree before it becomes the last. */
  #dropLast(root: number): void {
    const words = this.#words(root);
    const at = wordOf(root);
    this.nodes.free(words[at + LAST_NODE]!);
    words[at + LAST_NODE] = 0;
    const place = this.#place;
    if (!this.tree.last(words, at + NODES, place)) return;
    this.tree.readId(place, this.#id);
    this.#setLast(root, this.#nodeOf(place), this.#id);
    this.tree.remove(words, at + NODES, this.#id);
  }

  /** Takes whole leaves of the tree from the front, as far as all of it goes. */
  #trimLeaves(
    root: number,
    trim: StreamTrim,
    spare: number,
    most: number,
  ): number {
    const words = this.#words(root);
    const at = wordOf(root);
    const isByLength = trim.maxLength !== Infinity;
    let removed = 0;
    let leaves = 0;
    const place = this.#place;
    while (this.tree.first(words, at + NODES, place)) {
      if (leaves++ === most) {
        this.isTrimLeft = true;
        break;
      }
      const { leaf } = place;
      const length = words[at + LENGTH]!;
      if (
        isByLength
          ? length - this.tree.leafRecords(leaf) < trim.maxLength
          : !this.#endsBefore(root, place, trim.minId)
      ) break;
      let entries = 0;
      while (place.leaf === leaf) {
        entries += this.#countOf(place);
        this.tree.next(place);
      }
      if (trim.limit !== 0 && removed + entries > trim.limit) break;
      if (isByLength && length - entries <= trim.maxLength) break;
      this.tree.takeFirstLeaf(words, at + NODES);
      if (!this.#pile(leaf, spare)) this.#freeLeaf(leaf);
      words[at + LENGTH] = length - entries;
      removed += entries;
    }
    return removed;
  }

  /** Whether what is behind the leaf of a place has no ID greater than one. */
  #endsBefore(root: number, place: TreePlace, id: StreamId): boolean {
    const behind = this.#endPlace;
    behind.leaf = place.leaf;
    behind.index = this.tree.leafRecords(place.leaf) - 1;
    if (this.tree.next(behind)) this.tree.readId(behind, this.#id);
    else this.#id.read(this.#words(root), wordOf(root) + LAST_NODE_ID);
    return this.#id.compare(id) <= 0;
  }

  /** Gives a leaf to a stream that is to be freed; false if that cannot be. */
  #pile(leaf: number, spare: number): boolean {
    if (spare === 0) return false;
    let root = valueRoot(this.#arena, spare);
    if (root === 0) {
      root = this.#heap.tryAllocate(ROOT_WORDS >> 1);
      if (root === 0) return false;
      const at = wordOf(root);
      this.#words(root).fill(0, at, at + ROOT_WORDS);
      setValueRoot(this.#arena, spare, root);
    }
    this.tree.pileLeaf(this.#words(root), wordOf(root) + NODES, leaf);
    return true;
  }

  /** Frees a leaf with its nodes and returns how many those were. */
  #freeLeaf(leaf: number): number {
    const place = this.#place;
    const records = this.tree.leafRecords(leaf);
    place.leaf = leaf;
    for (place.index = 0; place.index < records; place.index++) {
      this.nodes.free(this.#nodeOf(place));
    }
    this.#heap.free(leaf);
    return records;
  }

  /** Whether all of the first node comes before an ID. */
  #isBefore(root: number, hasTree: boolean, id: StreamId): boolean {
    const place = this.#place;
    place.leaf = hasTree ? place.leaf : 0;
    const reader = this.#reader;
    this.#openAt(root, place, reader);
    reader.beginBehind();
    return reader.previous() && reader.id.compare(id) < 0;
  }

  /** Marks what goes of the first node, which does not go as a whole. */
  #trimNode(root: number, hasTree: boolean, trim: StreamTrim): number {
    const place = this.#place;
    place.leaf = hasTree ? place.leaf : 0;
    const node = hasTree ? this.#nodeOf(place) : this.#word(root, LAST_NODE);
    const reader = this.#reader;
    this.#openAt(root, place, reader);
    const length = this.#word(root, LENGTH);
    const isByLength = trim.maxLength !== Infinity;
    const marked = this.nodes.markFirst(
      node,
      reader,
      isByLength ? length - trim.maxLength : Infinity,
      isByLength ? null : trim.minId,
    );
    if (hasTree) this.#setCount(place, this.#countOf(place) - marked);
    this.#setWord(root, LENGTH, length - marked);
    return marked;
  }

  /** Opens the node at a place of the tree, or the last one if that is none. */
  #openAt(root: number, place: TreePlace, reader: NodeReader): void {
    if (place.leaf === 0) {
      const words = this.#words(root);
      const at = wordOf(root);
      reader.open(
        this.#arena,
        words[at + LAST_NODE]!,
        words,
        at + LAST_NODE_ID,
      );
    } else {
      reader.open(
        this.#arena,
        this.#nodeOf(place),
        this.tree.words(place),
        this.tree.idAt(place),
      );
    }
  }

  #nodeOf(place: TreePlace): number {
    return this.tree.words(place)[this.tree.payloadAt(place) + RECORD_NODE]!;
  }

  #countOf(place: TreePlace): number {
    return this.tree.words(place)[this.tree.payloadAt(place) + RECORD_COUNT]!;
  }

  #setCount(place: TreePlace, count: number): void {
    this.tree.words(place)[this.tree.payloadAt(place) + RECORD_COUNT] = count;
  }

  #words(ref: number): Int32Array {
    return this.#arena.i32[ref >>> SEGMENT_SHIFT]!;
  }

  #word(ref: number, index: number): number {
    return this.#arena.i32[ref >>> SEGMENT_SHIFT]![
      ((ref & UNIT_MASK) << 1) + index
    ]!;
  }

  #setWord(ref: number, index: number, value: number): void {
    this.#arena.i32[ref >>> SEGMENT_SHIFT]![
      ((ref & UNIT_MASK) << 1) + index
    ] = value;
  }
}

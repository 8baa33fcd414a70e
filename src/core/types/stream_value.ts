/**
 * Streams.
 *
 * The root is drawn in stream_root.ts; entries are in stream_log.ts, groups in
 * stream_group.ts. A stream without entries is still a stream: it knows its last
 * ID and its groups.
 *
 * To read: a cursor ({@linkcode StreamLog.cursor}). To copy a stream elsewhere,
 * byte for byte: {@linkcode StreamLog.visitNodes}, {@linkcode
 * StreamValue.readCounters} and the groups; to build one: {@linkcode
 * StreamValue.addNode}, {@linkcode StreamValue.setCounters}, {@linkcode
 * StreamValue.addGroup} and the calls of {@linkcode StreamGroups}.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import {
  type Arena,
  SEGMENT_SHIFT,
  UNIT_MASK,
  wordOf,
} from "../memory/arena.ts";
import { type Heap, OutOfMemory } from "../memory/heap.ts";
import { setValueRoot, valueRoot } from "./entry.ts";
import type { StreamCursor } from "./stream_cursor.ts";
import { StreamGroups } from "./stream_group.ts";
import { StreamId } from "./stream_id.ts";
import { StreamLog } from "./stream_log.ts";
import {
  DELETED_ID,
  ENTRIES_ADDED,
  FIRST_ID,
  GROUPS,
  LAST_ID,
  LENGTH,
  NODES,
  ROOT_WORDS,
} from "./stream_root.ts";
import type { ValueMemory, ValueType } from "./value_type.ts";

/** With more groups, the weight of the others is guessed. */
const GROUPS_LOOKED_AT = 4096;

/** What a stream knows of itself beside its entries. */
export class StreamCounters {
  /** Entries that are there. */
  length = 0;
  /** ID that was given last. */
  readonly lastId: StreamId = new StreamId();
  /** ID of the first entry, 0-0 if there is none. */
  readonly firstId: StreamId = new StreamId();
  /** Greatest ID that XDEL deleted, 0-0 if there is none. */
  readonly deletedId: StreamId = new StreamId();
  /** Entries ever added. */
  readonly entriesAdded: Int64 = new Int64();
}

/** The streams of one keyspace, by their entries. */
export class StreamValue implements ValueType {
  readonly encodingNames: readonly string[] = ["stream"];
  /** Their entries. */
  readonly log: StreamLog;
  /** Their groups. */
  readonly groups: StreamGroups;
  /** A cursor for what is done at once. */
  readonly cursor: StreamCursor;
  readonly #arena: Arena;
  readonly #heap: Heap;

  /** One object per keyspace. */
  constructor(memory: ValueMemory) {
    this.#arena = memory.arena;
    this.#heap = memory.heap;
    this.log = new StreamLog(memory.arena, memory.heap, memory.limits);
    this.groups = new StreamGroups(memory.arena, memory.heap);
    this.cursor = this.log.cursor();
  }

  length(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    return root === 0 ? 0 : this.#word(root, LENGTH);
  }

  /** Reads what a stream knows of itself. */
  readCounters(ref: number, counters: StreamCounters): void {
    const root = valueRoot(this.#arena, ref);
    const words = root === 0 ? NO_WORDS : this.#words(root);
    const at = root === 0 ? 0 : wordOf(root);
    counters.length = words[at + LENGTH]!;
    counters.lastId.read(words, at + LAST_ID);
    counters.firstId.read(words, at + FIRST_ID);
    counters.deletedId.read(words, at + DELETED_ID);
    counters.entriesAdded.hi = words[at + ENTRIES_ADDED]!;
    counters.entriesAdded.lo = words[at + ENTRIES_ADDED + 1]!;
  }

  /** Sets it all; may throw OutOfMemory if the value is still empty. */
  setCounters(ref: number, counters: StreamCounters): void {
    const root = this.log.makeRoot(ref);
    const words = this.#words(root);
    const at = wordOf(root);
    words[at + LENGTH] = counters.length;
    counters.lastId.write(words, at + LAST_ID);
    counters.firstId.write(words, at + FIRST_ID);
    counters.deletedId.write(words, at + DELETED_ID);
    words[at + ENTRIES_ADDED] = counters.entriesAdded.hi;
    words[at + ENTRIES_ADDED + 1] = counters.entriesAdded.lo;
  }

  /** Reads the ID that was given last. */
  readLastId(ref: number, id: StreamId): void {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) id.setLeast();
    else id.read(this.#words(root), wordOf(root) + LAST_ID);
  }

  /** List of the groups of a stream, see {@linkcode StreamGroups.names}. */
  groupList(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    return root === 0 ? 0 : this.#word(root, GROUPS);
  }

  /** Groups of a stream. */
  groupCount(ref: number): number {
    return this.groups.names.count(this.groupList(ref));
  }

  /** One of them, in the order of their names. */
  groupAt(ref: number, place: number): number {
    return this.groups.names.at(this.groupList(ref), place);
  }

  /** The group of a name, or 0. */
  findGroup(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    return this.groups.names.find(this.groupList(ref), buf, off, length);
  }

  /**
   * Adds a group whose name is not there; returns it. `run` is as {@linkcode
   * StreamNames.make} has it. Throws OutOfMemory before anything is changed, also
   * for a value that is still empty.
   */
  addGroup(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    lastId: StreamId,
    entriesRead: Int64,
    run = 0,
  ): number {
    const { groups } = this;
    const group = groups.make(buf, off, length, lastId, entriesRead, run);
    try {
      const list = groups.names.add(this.groupList(ref), group, buf, off);
      const isNew = valueRoot(this.#arena, ref) === 0;
      try {
        this.#setWord(this.log.makeRoot(ref), GROUPS, list);
      } catch (cause) {
        if (isNew) groups.names.takeAt(list, 0);
        throw cause;
      }
    } catch (cause) {
      groups.free(group);
      throw cause;
    }
    return group;
  }

  /** Takes a group out of a stream; it is the caller's to free. */
  takeGroup(ref: number, group: number): void {
    const root = valueRoot(this.#arena, ref);
    const list = this.groups.names.take(this.#word(root, GROUPS), group);
    this.#setWord(root, GROUPS, list);
  }

  /**
   * Makes a group that is in no list one of `spare`, the entry of an empty stream
   * that is to be freed, or 0; false if there is none, or no memory.
   */
  leaveGroup(spare: number, group: number): boolean {
    if (spare === 0) return false;
    try {
      const root = this.log.makeRoot(spare);
      const { names } = this.groups;
      const list = names.add(0, group, names.nameBuf(group), 0);
      this.#setWord(root, GROUPS, list);
      return true;
    } catch (cause) {
      if (cause instanceof OutOfMemory) return false;
      throw cause;
    }
  }

  /**
   * Adds a node ({@linkcode StreamNodes.adopt}) behind those that are there, which
   * is the stream's then. For RESTORE. The IDs ascend; the counters are to be set
   * afterwards. After OutOfMemory the node is freed.
   */
  addNode(ref: number, first: StreamId, node: number): void {
    try {
      this.log.addNode(this.log.makeRoot(ref), first, node);
    } catch (cause) {
      this.log.nodes.free(node);
      throw cause;
    }
  }

  memoryBytes(ref: number, samples: number): number {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return 0;
    return (this.#heap.unitsOf(root) << 3) + this.log.bytes(root, samples) +
      this.groups.bytes(this.#word(root, GROUPS));
  }

  weight(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return 0;
    const count = this.groupCount(ref);
    const looked = Math.min(count, GROUPS_LOOKED_AT);
    let weight = 0;
    for (let i = 0; i < looked; i++) {
      weight += this.groups.weight(this.groupAt(ref, i));
    }
    if (looked < count) weight = Math.round(weight / looked * count);
    return 1 + this.log.nodeCount(ref) + weight;
  }

  free(ref: number): void {
    this.freeSlice(ref, Infinity);
  }

  freeSlice(ref: number, budget: number): boolean {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return true;
    if (!this.log.freeNodes(root, budget)) return false;
    const { names } = this.groups;
    for (let left = budget; left > 0;) {
      const list = this.#word(root, GROUPS);
      const count = names.count(list);
      if (count === 0) {
        setValueRoot(this.#arena, ref, 0);
        this.#heap.free(root);
        return true;
      }
      const group = names.at(list, count - 1);
      const weight = this.groups.weight(group);
      if (!this.groups.freeSlice(group, left)) return false;
      this.#setWord(root, GROUPS, names.takeAt(list, count - 1));
      left -= weight;
    }
    return false;
  }

  copyFrom(source: StreamValue, sourceRef: number, ref: number): void {
    const from = valueRoot(source.#arena, sourceRef);
    if (from === 0) return;
    const root = this.log.makeRoot(ref);
    const words = this.#words(root);
    const at = wordOf(root);
    try {
      source.log.visitNodes(sourceRef, (first, node) => {
        const copy = source.log.nodes.copyTo(node, this.log.nodes);
        try {
          this.log.addNode(root, first, copy);
        } catch (cause) {
          this.log.nodes.free(copy);
          throw cause;
        }
      });
      this.#copyGroups(source, sourceRef, root);
    } catch (cause) {
      this.free(ref);
      throw cause;
    }
    const old = source.#words(from);
    const oldAt = wordOf(from);
    for (let i = 0; i <= LENGTH; i++) words[at + i] = old[oldAt + i]!;
  }

  #copyGroups(source: StreamValue, sourceRef: number, root: number): void {
    const { groups } = this;
    for (let i = 0; i < source.groupCount(sourceRef); i++) {
      const from = source.groupAt(sourceRef, i);
      const group = groups.copyFrom(source.groups, from);
      const { names } = groups;
      try {
        const list = names.add(
          this.#word(root, GROUPS),
          group,
          names.nameBuf(group),
          names.nameOff(group),
        );
        this.#setWord(root, GROUPS, list);
      } catch (cause) {
        groups.free(group);
        throw cause;
      }
    }
  }

  /** Checks the invariants of a stream; for tests. */
  verify(ref: number): void {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return;
    this.log.tree.verify(this.#words(root), wordOf(root) + NODES);
    this.log.verify(ref);
    for (let i = 0; i < this.groupCount(ref); i++) {
      this.groups.verify(this.groupAt(ref, i));
    }
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

/** The root of an empty value. */
const NO_WORDS = new Int32Array(ROOT_WORDS);

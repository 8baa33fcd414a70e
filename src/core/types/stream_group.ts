/**
 * Consumer groups: which entry a group has got to, and which of those that its
 * consumers got are pending, that is, not acknowledged yet.
 *
 * ```text
 * group      word 0      length of the name
 *            word 1      list of consumers                    (stream_names.ts)
 *            words 2-5   ID that was delivered last
 *            words 6-7   entries read, 64 bits; -1 if nobody knows
 *            words 8-10  tree of pending entries                   (id_tree.ts)
 *            from 12 on  name
 * pending    ID | consumer | time of delivery (2 words) | deliveries (2 words)
 * consumer   word 0      length of the name
 *            words 1-3   tree of its pending entries: IDs alone
 *            words 4-5   when it was seen, a double
 *            words 6-7   when it last got something, a double; -1 for never
 *            from 8 on   name
 * ```
 *
 * Invariant: an ID is in the tree of a group exactly if it is in that of one of
 * its consumers, the one that the record names. So a consumer's own entries are
 * a walk over its tree, with a look at the group's for each.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { DOUBLE_ZERO } from "../base/steady_code.ts";
import type { Int64 } from "../base/int64.ts";
import {
  type Arena,
  SEGMENT_SHIFT,
  UNIT_MASK,
  wordOf,
} from "../memory/arena.ts";
import type { Heap } from "../memory/heap.ts";
import { IdTree, TREE_RECORDS, TreePlace } from "./id_tree.ts";
import { StreamId } from "./stream_id.ts";
import { StreamNames } from "./stream_names.ts";

const CONSUMERS = 1;
const LAST_ID = 2;
const ENTRIES_READ = 6;
const PENDING = 8;
const GROUP_WORDS = 12;

const OWNED = 1;
/** Units before the two times of a consumer. */
const SEEN = 2;
const ACTIVE = 3;
const CONSUMER_WORDS = 8;

/** Words of a pending record's payload. */
const OWNER = 0;
const TIME = 1;
const DELIVERIES = 3;
const PENDING_WORDS = 5;

const TWO_TO_32 = 4294967296;

/** One pending entry, filled anew by each read. */
export class PendingEntry {
  /** Its ID. */
  readonly id: StreamId = new StreamId();
  /** The consumer that has it. */
  consumer = 0;
  /** When it was delivered, in milliseconds of the epoch. */
  deliveredAtMs = DOUBLE_ZERO;
  /** How often, upper word. */
  deliveriesHi = 0;
  /** How often, lower word. */
  deliveriesLo = 0;
}

/** Groups and consumers of the streams of one heap, by reference. */
export class StreamGroups {
  /** Lists of groups. */
  readonly names: StreamNames;
  /** Lists of consumers. */
  readonly consumerNames: StreamNames;
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #pending: IdTree;
  readonly #owned: IdTree;
  readonly #place = new TreePlace();
  readonly #ownPlace = new TreePlace();
  readonly #id = new StreamId();

  /** One object per keyspace. */
  constructor(arena: Arena, heap: Heap) {
    this.#arena = arena;
    this.#heap = heap;
    this.names = new StreamNames(arena, heap, GROUP_WORDS);
    this.consumerNames = new StreamNames(arena, heap, CONSUMER_WORDS);
    this.#pending = new IdTree(arena, heap, PENDING_WORDS);
    this.#owned = new IdTree(arena, heap, 0);
  }

  /** A group that is in no list yet; `run` as {@linkcode StreamNames.make} has it. */
  make(
    buf: Uint8Array,
    off: number,
    length: number,
    lastId: StreamId,
    entriesRead: Int64,
    run = 0,
  ): number {
    const group = this.names.make(buf, off, length, run);
    this.setLastId(group, lastId);
    this.setEntriesRead(group, entriesRead);
    return group;
  }

  /** Reads the ID that was delivered last. */
  readLastId(group: number, id: StreamId): void {
    id.read(this.#words(group), wordOf(group) + LAST_ID);
  }

  /** Sets the ID that was delivered last. */
  setLastId(group: number, id: StreamId): void {
    id.write(this.#words(group), wordOf(group) + LAST_ID);
  }

  /** Reads how many entries the group has read; -1 if nobody knows. */
  readEntriesRead(group: number, n: Int64): void {
    n.hi = this.#word(group, ENTRIES_READ);
    n.lo = this.#word(group, ENTRIES_READ + 1);
  }

  /** Sets how many entries the group has read. */
  setEntriesRead(group: number, n: Int64): void {
    this.#setWord(group, ENTRIES_READ, n.hi);
    this.#setWord(group, ENTRIES_READ + 1, n.lo);
  }

  /** Consumers of a group. */
  consumerCount(group: number): number {
    return this.consumerNames.count(this.#word(group, CONSUMERS));
  }

  /** One of them, in the order of their names. */
  consumerAt(group: number, place: number): number {
    return this.consumerNames.at(this.#word(group, CONSUMERS), place);
  }

  /** As {@linkcode StreamNames.firstUnknown}, of the consumers of a group. */
  firstUnknownConsumer(
    group: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    const list = this.#word(group, CONSUMERS);
    return this.consumerNames.firstUnknown(list, buf, off, length);
  }

  /** The consumer of a name, or 0. */
  findConsumer(
    group: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    const list = this.#word(group, CONSUMERS);
    return this.consumerNames.find(list, buf, off, length);
  }

  /**
   * A new consumer, seen at a time; `run` as {@linkcode StreamNames.make} has it.
   * May throw OutOfMemory.
   */
  addConsumer(
    group: number,
    buf: Uint8Array,
    off: number,
    length: number,
    nowMs: number,
    run = 0,
  ): number {
    const { consumerNames } = this;
    const consumer = consumerNames.make(buf, off, length, run);
    this.setSeenAt(consumer, nowMs);
    this.setActiveAt(consumer, -1);
    try {
      const list = this.#word(group, CONSUMERS);
      const added = consumerNames.add(list, consumer, buf, off);
      this.#setWord(group, CONSUMERS, added);
    } catch (cause) {
      this.#heap.free(consumer);
      throw cause;
    }
    return consumer;
  }

  /** Removes a consumer with all that is pending with it. */
  removeConsumer(group: number, consumer: number): void {
    const id = this.#id;
    const owned = this.#words(consumer);
    const ownedAt = wordOf(consumer) + OWNED;
    const place = this.#ownPlace;
    let isThere = this.#owned.first(owned, ownedAt, place);
    for (; isThere; isThere = this.#owned.next(place)) {
      this.#owned.readId(place, id);
      this.#pending.remove(this.#words(group), wordOf(group) + PENDING, id);
    }
    const list = this.#word(group, CONSUMERS);
    this.#setWord(group, CONSUMERS, this.consumerNames.take(list, consumer));
    this.#owned.clear(owned, ownedAt, Infinity);
    this.#heap.free(consumer);
  }

  /**
   * Makes entries pending with a consumer no longer so, `most` of them at most;
   * says whether none is left.
   */
  releaseOwned(group: number, consumer: number, most: number): boolean {
    const words = this.#words(consumer);
    const at = wordOf(consumer) + OWNED;
    const id = this.#id;
    for (let left = most; left > 0; left--) {
      if (!this.#owned.first(words, at, this.#ownPlace)) return true;
      this.#owned.readId(this.#ownPlace, id);
      this.#owned.remove(words, at, id);
      this.#pending.remove(this.#words(group), wordOf(group) + PENDING, id);
    }
    return words[at + TREE_RECORDS] === 0;
  }

  /** When a consumer last asked for something. */
  seenAt(consumer: number): number {
    return this.#double(consumer, SEEN);
  }

  /** Sets that moment. */
  setSeenAt(consumer: number, ms: number): void {
    this.#setDouble(consumer, SEEN, ms);
  }

  /** When a consumer last got something; -1 for never. */
  activeAt(consumer: number): number {
    return this.#double(consumer, ACTIVE);
  }

  /** Sets that moment. */
  setActiveAt(consumer: number, ms: number): void {
    this.#setDouble(consumer, ACTIVE, ms);
  }

  /** Entries pending in a group. */
  pendingCount(group: number): number {
    return this.#word(group, PENDING + TREE_RECORDS);
  }

  /** Entries pending with a consumer. */
  ownedCount(consumer: number): number {
    return this.#word(consumer, OWNED + TREE_RECORDS);
  }

  /** Goes to the first entry pending in a group whose ID is not less. */
  firstPending(group: number, id: StreamId, place: TreePlace): boolean {
    return this.#pending.findFrom(
      this.#words(group),
      wordOf(group) + PENDING,
      id,
      place,
    );
  }

  /** Goes to the last entry pending in a group. */
  lastPending(group: number, place: TreePlace): boolean {
    return this.#pending.last(
      this.#words(group),
      wordOf(group) + PENDING,
      place,
    );
  }

  /** Goes to the next one. */
  nextPending(place: TreePlace): boolean {
    return this.#pending.next(place);
  }

  /** Goes to the first ID pending with a consumer that is not less. */
  firstOwned(consumer: number, id: StreamId, place: TreePlace): boolean {
    return this.#owned.findFrom(
      this.#words(consumer),
      wordOf(consumer) + OWNED,
      id,
      place,
    );
  }

  /** Goes to the next one. */
  nextOwned(place: TreePlace): boolean {
    return this.#owned.next(place);
  }

  /** Reads the ID at a place of a consumer's. */
  readOwned(place: TreePlace, id: StreamId): void {
    this.#owned.readId(place, id);
  }

  /** Goes to the pending entry of an ID; false if there is none. */
  findPending(group: number, id: StreamId, place: TreePlace): boolean {
    return this.#pending.find(
      this.#words(group),
      wordOf(group) + PENDING,
      id,
      place,
    );
  }

  /** Reads the pending entry at a place. */
  readPending(place: TreePlace, entry: PendingEntry): void {
    this.#pending.readId(place, entry.id);
    const words = this.#pending.words(place);
    const at = this.#pending.payloadAt(place);
    entry.consumer = words[at + OWNER]!;
    entry.deliveredAtMs = words[at + TIME]! * TWO_TO_32 +
      (words[at + TIME + 1]! >>> 0);
    entry.deliveriesHi = words[at + DELIVERIES]!;
    entry.deliveriesLo = words[at + DELIVERIES + 1]!;
  }

  /** Sets when the entry at a place was delivered. */
  setDeliveredAt(place: TreePlace, ms: number): void {
    const words = this.#pending.words(place);
    const at = this.#pending.payloadAt(place);
    words[at + TIME] = Math.floor(ms / TWO_TO_32);
    words[at + TIME + 1] = ms | 0;
  }

  /** Sets how often the entry at a place was delivered. */
  setDeliveries(place: TreePlace, hi: number, lo: number): void {
    const words = this.#pending.words(place);
    const at = this.#pending.payloadAt(place);
    words[at + DELIVERIES] = hi;
    words[at + DELIVERIES + 1] = lo;
  }

  /** Counts one more delivery of the entry at a place. */
  countDelivery(place: TreePlace): void {
    const words = this.#pending.words(place);
    const at = this.#pending.payloadAt(place) + DELIVERIES;
    words[at + 1] = words[at + 1]! + 1 | 0;
    if (words[at + 1] === 0) words[at] = words[at]! + 1 | 0;
  }

  /**
   * Makes an entry pending with a consumer, as delivered once, just now,
   * whoever had it before. Throws OutOfMemory before anything is changed.
   */
  deliver(group: number, consumer: number, id: StreamId, nowMs: number): void {
    this.assign(group, consumer, id, this.#place);
    this.setDeliveredAt(this.#place, nowMs);
    this.setDeliveries(this.#place, 0, 1);
  }

  /**
   * Gives a pending entry, which is made if there is none, to a consumer and
   * goes to it; says whether it was made, and what it says but for the consumer
   * is arbitrary then. Throws OutOfMemory before anything is changed.
   */
  assign(
    group: number,
    consumer: number,
    id: StreamId,
    place: TreePlace,
  ): boolean {
    const header = this.#words(group);
    const at = wordOf(group) + PENDING;
    const isNew = this.#pending.insert(header, at, id, place);
    const words = this.#pending.words(place);
    const payload = this.#pending.payloadAt(place);
    if (!isNew && words[payload + OWNER] === consumer) return false;
    try {
      const isAdded = this.#owned.insert(
        this.#words(consumer),
        wordOf(consumer) + OWNED,
        id,
        this.#ownPlace,
      );
      assert(isAdded, "what a consumer has is pending in the group");
    } catch (cause) {
      if (isNew) this.#pending.remove(header, at, id);
      throw cause;
    }
    if (!isNew) this.#disown(words[payload + OWNER]!, id);
    words[payload + OWNER] = consumer;
    return isNew;
  }

  /**
   * Gives the pending entry at a place to another consumer. Throws OutOfMemory
   * before anything is changed.
   */
  give(place: TreePlace, consumer: number, id: StreamId): void {
    const words = this.#pending.words(place);
    const payload = this.#pending.payloadAt(place);
    const owner = words[payload + OWNER]!;
    if (owner === consumer) return;
    this.#owned.insert(
      this.#words(consumer),
      wordOf(consumer) + OWNED,
      id,
      this.#ownPlace,
    );
    this.#disown(owner, id);
    words[payload + OWNER] = consumer;
  }

  /** Removes a pending entry; false if there is none. */
  acknowledge(group: number, id: StreamId): boolean {
    const place = this.#place;
    if (!this.findPending(group, id, place)) return false;
    const payload = this.#pending.payloadAt(place);
    const owner = this.#pending.words(place)[payload + OWNER]!;
    this.#pending.remove(this.#words(group), wordOf(group) + PENDING, id);
    this.#disown(owner, id);
    return true;
  }

  #disown(consumer: number, id: StreamId): void {
    this.#owned.remove(this.#words(consumer), wordOf(consumer) + OWNED, id);
  }

  /** About how many allocations a group is made of. */
  weight(group: number): number {
    const pending = this.#pending.leaves(
      this.#words(group),
      wordOf(group) + PENDING,
    );
    return 2 + 2 * pending + 2 * this.consumerCount(group);
  }

  /** Bytes of all groups of a list. */
  bytes(list: number): number {
    let bytes = this.names.bytes(list);
    for (let i = this.names.count(list) - 1; i >= 0; i--) {
      const group = this.names.at(list, i);
      bytes += this.#pending.bytes(
        this.#words(group),
        wordOf(group) + PENDING,
      );
      bytes += this.consumerNames.bytes(this.#word(group, CONSUMERS));
      for (let j = this.consumerCount(group) - 1; j >= 0; j--) {
        const consumer = this.consumerAt(group, j);
        bytes += this.#owned.bytes(
          this.#words(consumer),
          wordOf(consumer) + OWNED,
        );
      }
    }
    return bytes;
  }

  /** Frees a group that is in no list any more. */
  free(group: number): void {
    this.freeSlice(group, Infinity);
  }

  /**
   * Frees about `budget` allocations of a group that is in no list any more, or
   * in one that is taken apart; says whether nothing is left, itself included.
   */
  freeSlice(group: number, budget: number): boolean {
    const words = this.#words(group);
    const at = wordOf(group);
    if (!this.#pending.clear(words, at + PENDING, budget)) return false;
    for (let left = budget; left > 0; left -= 2) {
      const list = this.#word(group, CONSUMERS);
      const count = this.consumerNames.count(list);
      if (count === 0) {
        this.#heap.free(group);
        return true;
      }
      const consumer = this.consumerNames.at(list, count - 1);
      const owned = wordOf(consumer) + OWNED;
      if (!this.#owned.clear(this.#words(consumer), owned, left)) return false;
      words[at + CONSUMERS] = this.consumerNames.takeAt(list, count - 1);
      this.#heap.free(consumer);
    }
    return false;
  }

  /**
   * A copy of a group of this or another heap, in no list yet. After OutOfMemory
   * nothing is left of it.
   */
  copyFrom(source: StreamGroups, from: number): number {
    const { names } = source;
    const group = this.names.make(
      names.nameBuf(from),
      names.nameOff(from),
      names.nameLength(from),
    );
    const words = this.#words(group);
    const at = wordOf(group);
    const old = source.#words(from);
    const oldAt = wordOf(from);
    for (let i = LAST_ID; i < PENDING; i++) words[at + i] = old[oldAt + i]!;
    /** The copy of each consumer. */
    const copies = new Map<number, number>();
    try {
      for (let i = 0; i < source.consumerCount(from); i++) {
        const consumer = source.consumerAt(from, i);
        copies.set(consumer, this.#copyConsumer(source, consumer, group));
      }
      this.#pending.copy(
        source.#pending,
        old,
        oldAt + PENDING,
        words,
        at + PENDING,
      );
    } catch (cause) {
      this.free(group);
      throw cause;
    }
    const place = this.#place;
    let isThere = this.#pending.first(words, at + PENDING, place);
    for (; isThere; isThere = this.#pending.next(place)) {
      const payload = this.#pending.payloadAt(place);
      const record = this.#pending.words(place);
      record[payload + OWNER] = copies.get(record[payload + OWNER]!)!;
    }
    return group;
  }

  #copyConsumer(source: StreamGroups, from: number, group: number): number {
    const { consumerNames } = source;
    const consumer = this.addConsumer(
      group,
      consumerNames.nameBuf(from),
      consumerNames.nameOff(from),
      consumerNames.nameLength(from),
      source.seenAt(from),
    );
    this.setActiveAt(consumer, source.activeAt(from));
    this.#owned.copy(
      source.#owned,
      source.#words(from),
      wordOf(from) + OWNED,
      this.#words(consumer),
      wordOf(consumer) + OWNED,
    );
    return consumer;
  }

  /** Checks the invariants of a group; for tests. */
  verify(group: number): void {
    this.#pending.verify(this.#words(group), wordOf(group) + PENDING);
    const place = new TreePlace();
    const id = new StreamId();
    const entry = new PendingEntry();
    let owned = 0;
    for (let i = 0; i < this.consumerCount(group); i++) {
      const consumer = this.consumerAt(group, i);
      this.#owned.verify(this.#words(consumer), wordOf(consumer) + OWNED);
      owned += this.ownedCount(consumer);
      let isThere = this.firstOwned(consumer, new StreamId(), place);
      for (; isThere; isThere = this.nextOwned(place)) {
        this.readOwned(place, id);
        assert(this.findPending(group, id, this.#place), "it is pending");
        this.readPending(this.#place, entry);
        assert(entry.consumer === consumer, "it is the consumer's");
      }
    }
    assert(owned === this.pendingCount(group), "each is somebody's");
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

  #double(ref: number, unit: number): number {
    return this.#arena.f64[ref >>> SEGMENT_SHIFT]![(ref & UNIT_MASK) + unit]!;
  }

  #setDouble(ref: number, unit: number, x: number): void {
    this.#arena.f64[ref >>> SEGMENT_SHIFT]![(ref & UNIT_MASK) + unit] = x;
  }
}

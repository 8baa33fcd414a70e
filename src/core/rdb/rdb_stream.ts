/**
 * Streams in Redis's snapshot format.
 *
 * ```text
 * stream    count, ( first ID : 16 bytes, listpack )*, entries, last ID,
 *           first ID, greatest deleted ID, entries added,              (not 15)
 *           groups, group *
 * group     name, last ID, entries read (not 15),
 *           count, ( ID : 16 bytes, delivered : ms, deliveries )*,
 *           consumers, consumer *
 * consumer  name, seen : ms, active : ms (21 only), count, ( ID : 16 bytes )*
 * ```
 * All else are lengths; an ID is two of them, or 16 bytes with the high ones
 * first. The kinds are those of Redis 5 (15), 7.0 (19) and 7.2 (21). A stream is
 * written as 19, so that 7.0 can read it: when its consumers last got something
 * is lost, and taken to be when they were last seen.
 *
 * What is pending with a consumer is also pending in the group, where the rest of
 * it stands: so the group's entries are noted first, and given to the consumers
 * then.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { byteOf, SEGMENT_SHIFT } from "../memory/arena.ts";
import { TreePlace } from "../types/id_tree.ts";
import { PendingEntry } from "../types/stream_group.ts";
import { ID_WORDS, StreamId } from "../types/stream_id.ts";
import { entryNumber } from "../types/stream_lag.ts";
import { NodeReader } from "../types/stream_node.ts";
import { addEntriesOf } from "../types/stream_split.ts";
import { StreamCounters } from "../types/stream_value.ts";
import type { ValueTypes } from "../types/value_types.ts";
import { BadFormat, type RdbReader, RdbString } from "./rdb_reader.ts";
import { RDB_STREAM_LISTPACKS, RDB_STREAM_LISTPACKS_3 } from "./rdb_types.ts";
import type { RdbWriter } from "./rdb_writer.ts";

/** Bytes of an ID outside of lengths. */
const ID_BYTES = 16;
/** Most entries of a stream. */
const LENGTH_MAX = 0x7fffffff;
/** Pending entries that are noted without making room for them. */
const NOTED = 64;
/** Pending entries, or IDs of a consumer, that are written in one step. */
const IDS_PER_STEP = 64;

const LEAST = new StreamId();
const ID = new StreamId();
const TEXT = new RdbString();
const COUNTERS = new StreamCounters();
const NUMBER = new Int64();
const PENDING = new PendingEntry();
const PLACE = new TreePlace();
const ENTRY = new NodeReader();
const ID_BUF = new Uint8Array(ID_BYTES);
const ID_VIEW = new DataView(ID_BUF.buffer);
const FIRST_WORDS = new Int32Array(ID_WORDS);

/** Writes a stream. */
export function writeStream(
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
): void {
  for (const _ of streamInSteps(writer, values, ref));
}

/** Writes a stream in small steps; it must not change meanwhile. */
export function* streamInSteps(
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
): Generator<void, void> {
  const { streams, memory } = values;
  const { log } = streams;
  writer.length(log.nodeCount(ref));
  const first = new StreamId();
  for (const node of log.eachNode(ref, first)) {
    writer.length(ID_BYTES);
    writeRawId(writer, first);
    writer.string(
      memory.arena.u8[node >>> SEGMENT_SHIFT]!,
      byteOf(node),
      log.nodes.bytes(node),
    );
    yield;
  }
  streams.readCounters(ref, COUNTERS);
  writer.length(COUNTERS.length);
  writeId(writer, COUNTERS.lastId);
  writeId(writer, COUNTERS.firstId);
  writeId(writer, COUNTERS.deletedId);
  writer.length64(COUNTERS.entriesAdded.hi, COUNTERS.entriesAdded.lo);
  const count = streams.groupCount(ref);
  writer.length(count);
  for (let i = 0; i < count; i++) {
    yield* groupInSteps(writer, values, streams.groupAt(ref, i));
  }
}

function* groupInSteps(
  writer: RdbWriter,
  values: ValueTypes,
  group: number,
): Generator<void, void> {
  const { groups } = values.streams;
  const { names } = groups;
  writer.string(
    names.nameBuf(group),
    names.nameOff(group),
    names.nameLength(group),
  );
  groups.readLastId(group, ID);
  writeId(writer, ID);
  groups.readEntriesRead(group, NUMBER);
  writer.length64(NUMBER.hi, NUMBER.lo);
  writer.length(groups.pendingCount(group));
  const place = new TreePlace();
  let isThere = groups.firstPending(group, LEAST, place);
  for (let i = 1; isThere; isThere = groups.nextPending(place), i++) {
    groups.readPending(place, PENDING);
    writeRawId(writer, PENDING.id);
    writer.milliseconds(PENDING.deliveredAtMs);
    writer.length64(PENDING.deliveriesHi, PENDING.deliveriesLo);
    if (i % IDS_PER_STEP === 0) yield;
  }
  const count = groups.consumerCount(group);
  writer.length(count);
  for (let i = 0; i < count; i++) {
    yield* consumerInSteps(writer, values, groups.consumerAt(group, i));
  }
}

function* consumerInSteps(
  writer: RdbWriter,
  values: ValueTypes,
  consumer: number,
): Generator<void, void> {
  const { groups } = values.streams;
  const { consumerNames } = groups;
  writer.string(
    consumerNames.nameBuf(consumer),
    consumerNames.nameOff(consumer),
    consumerNames.nameLength(consumer),
  );
  writer.milliseconds(groups.seenAt(consumer));
  writer.length(groups.ownedCount(consumer));
  const place = new TreePlace();
  let isThere = groups.firstOwned(consumer, LEAST, place);
  for (let i = 1; isThere; isThere = groups.nextOwned(place), i++) {
    groups.readOwned(place, ID);
    writeRawId(writer, ID);
    if (i % IDS_PER_STEP === 0) yield;
  }
  yield;
}

/** Reads a stream of a kind into an entry whose stream is empty. */
export function readStream(
  reader: RdbReader,
  kind: number,
  values: ValueTypes,
  ref: number,
): void {
  const { streams } = values;
  const lastId = new StreamId();
  const length = readNodes(reader, values, ref, lastId);
  readCounters(reader, kind, values, ref, length);
  if (lastId.compare(COUNTERS.lastId) > 0) {
    throw new BadFormat("a stream's last ID is too small");
  }
  streams.setCounters(ref, COUNTERS);
  for (let left = reader.length(); left > 0; left--) {
    readGroup(reader, kind, values, ref);
  }
}

/** Reads the nodes, returns how many entries are there, and the last one's ID. */
function readNodes(
  reader: RdbReader,
  values: ValueTypes,
  ref: number,
  last: StreamId,
): number {
  const { streams, memory } = values;
  const { listpacks } = memory;
  const first = new StreamId();
  let length = 0;
  for (let left = reader.length(), isFirst = true; left > 0; left--) {
    reader.string(TEXT);
    if (TEXT.length !== ID_BYTES) throw new BadFormat("a node has no ID");
    readRawId(TEXT.buf, TEXT.off, first);
    reader.string(TEXT);
    const listpack = listpacks.load(TEXT.buf, TEXT.off, TEXT.length);
    if (listpack === 0) throw new BadFormat("a listpack is damaged");
    const node = adoptNode(values, listpack);
    const count = node === 0
      ? -1
      : countEntries(values, node, first, last, isFirst);
    if (count < 0) {
      listpacks.free(node || listpack);
      throw new BadFormat("a node of a stream is damaged");
    }
    if (streams.log.nodes.isTooLong(node)) addSplit(values, ref, node);
    else streams.addNode(ref, first, node);
    length += count;
    isFirst = false;
  }
  return length;
}

/** Makes a listpack a node, 0 if it cannot be one; OutOfMemory frees it. */
function adoptNode({ streams, memory }: ValueTypes, listpack: number): number {
  const { nodes } = streams.log;
  try {
    return nodes.isNode(listpack) ? nodes.adopt(listpack) : 0;
  } catch (cause) {
    memory.listpacks.free(listpack);
    throw cause;
  }
}

/** Adds the entries of the node that {@linkcode ENTRY} reads, and frees it. */
function addSplit({ streams: { log } }: ValueTypes, ref: number, node: number) {
  try {
    addEntriesOf(ENTRY, log, ref);
  } finally {
    log.nodes.free(node);
  }
}

/**
 * The entries of a node that are there, or -1 if they are not as many as it says
 * or in no order, `last` being the ID before. It is that of the last entry then.
 */
function countEntries(
  values: ValueTypes,
  node: number,
  first: StreamId,
  last: StreamId,
  isFirstNode: boolean,
): number {
  const { streams, memory } = values;
  first.write(FIRST_WORDS, 0);
  ENTRY.open(memory.arena, node, FIRST_WORDS, 0);
  ENTRY.begin();
  let count = 0;
  for (let isFirst = true; ENTRY.next(); isFirst = false) {
    const { id } = ENTRY;
    if (isFirst && id.compare(first) !== 0) return -1;
    if (!(isFirst && isFirstNode) && id.compare(last) <= 0) return -1;
    last.set(id);
    if (!ENTRY.isDeleted) count++;
  }
  return count === streams.log.nodes.count(node) ? count : -1;
}

/** Reads into COUNTERS what the stream knows of itself. */
function readCounters(
  reader: RdbReader,
  kind: number,
  values: ValueTypes,
  ref: number,
  length: number,
): void {
  const counters = COUNTERS;
  if (reader.length() !== length || length > LENGTH_MAX) {
    throw new BadFormat("a stream has other entries than it says");
  }
  counters.length = length;
  readId(reader, counters.lastId);
  const { deletedId, entriesAdded, firstId } = counters;
  if (kind === RDB_STREAM_LISTPACKS) {
    deletedId.setLeast();
    entriesAdded.hi = 0;
    entriesAdded.lo = length;
  } else {
    readId(reader, firstId);
    readId(reader, deletedId);
    reader.length64();
    entriesAdded.hi = reader.high | 0;
    entriesAdded.lo = reader.low | 0;
    const isLess = entriesAdded.hi === 0 && reader.low < length;
    if (entriesAdded.hi < 0 || isLess) {
      throw new BadFormat("a stream has more entries than were added");
    }
    if (deletedId.compare(counters.lastId) > 0) {
      throw new BadFormat("an entry was deleted that never was");
    }
  }
  // Whatever it says, the first entry is known.
  const cursor = values.streams.log.cursor();
  cursor.seek(ref, LEAST);
  if (cursor.next()) firstId.set(cursor.entry.id);
  else firstId.setLeast();
}

function readGroup(
  reader: RdbReader,
  kind: number,
  values: ValueTypes,
  ref: number,
): void {
  const { streams } = values;
  reader.string(TEXT);
  const { buf, off, length } = TEXT;
  if (streams.findGroup(ref, buf, off, length) !== 0) {
    throw new BadFormat("a group is there twice");
  }
  readId(reader, ID);
  if (kind === RDB_STREAM_LISTPACKS) entryNumber(COUNTERS, ID, NUMBER);
  else {
    reader.length64();
    NUMBER.hi = reader.high | 0;
    NUMBER.lo = reader.low | 0;
    if (NUMBER.hi < 0 && (NUMBER.hi & NUMBER.lo) !== -1) {
      throw new BadFormat("a group has read less than nothing");
    }
  }
  const group = streams.addGroup(ref, buf, off, length, ID, NUMBER);
  const pending = new NotedEntries(reader);
  for (let left = reader.length(); left > 0; left--) {
    readConsumer(reader, kind, values, group, pending);
  }
  if (!pending.areAllTaken) {
    throw new BadFormat("a pending entry is nobody's");
  }
}

function readConsumer(
  reader: RdbReader,
  kind: number,
  values: ValueTypes,
  group: number,
  pending: NotedEntries,
): void {
  const { groups } = values.streams;
  reader.string(TEXT);
  const { buf, off, length } = TEXT;
  if (groups.findConsumer(group, buf, off, length) !== 0) {
    throw new BadFormat("a consumer is there twice");
  }
  const seenAt = reader.milliseconds();
  const activeAt = kind === RDB_STREAM_LISTPACKS_3
    ? reader.milliseconds()
    : seenAt;
  const consumer = groups.addConsumer(group, buf, off, length, seenAt);
  groups.setActiveAt(consumer, activeAt);
  for (let left = reader.length(); left > 0; left--) {
    readRawId(reader.buf, reader.raw(ID_BYTES), ID);
    pending.take(ID);
    groups.assign(group, consumer, ID, PLACE);
    groups.setDeliveredAt(PLACE, pending.deliveredAtMs);
    groups.setDeliveries(PLACE, pending.deliveriesHi, pending.deliveriesLo);
  }
}

/** The entries that are pending in a group: where each stands in the bytes. */
class NotedEntries {
  deliveredAtMs = 0;
  deliveriesHi = 0;
  deliveriesLo = 0;
  readonly #reader: RdbReader;
  readonly #id = new StreamId();
  /** Where each begins, in the order of their IDs; 0 once it was taken. */
  #places = new Int32Array(NOTED);
  #taken = new Uint8Array(NOTED);
  #count = 0;
  #left = 0;

  /** Passes over the entries that come next. */
  constructor(reader: RdbReader) {
    this.#reader = reader;
    const before = new StreamId();
    const count = reader.length();
    for (let i = 0; i < count; i++) {
      const at = reader.raw(ID_BYTES);
      readRawId(reader.buf, at, this.#id);
      if (i > 0 && this.#id.compare(before) <= 0) {
        throw new BadFormat("pending entries are in no order");
      }
      before.set(this.#id);
      reader.milliseconds();
      reader.length64();
      this.#note(at);
    }
    this.#left = count;
  }

  /** Whether each was taken. */
  get areAllTaken(): boolean {
    return this.#left === 0;
  }

  /** Takes the entry of an ID, which must be there, and reads it. */
  take(id: StreamId): void {
    const i = this.#find(id);
    if (i < 0 || this.#taken[i] !== 0) {
      throw new BadFormat("a consumer has an entry that is not pending");
    }
    this.#taken[i] = 1;
    this.#left--;
    const reader = this.#reader;
    const { at } = reader;
    reader.at = this.#places[i]! + ID_BYTES;
    this.deliveredAtMs = reader.milliseconds();
    reader.length64();
    this.deliveriesHi = reader.high | 0;
    this.deliveriesLo = reader.low | 0;
    reader.at = at;
  }

  #find(id: StreamId): number {
    let low = 0;
    let high = this.#count - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      readRawId(this.#reader.buf, this.#places[middle]!, this.#id);
      const order = this.#id.compare(id);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  #note(at: number): void {
    if (this.#count === this.#places.length) {
      const places = new Int32Array(this.#count * 2);
      places.set(this.#places);
      this.#places = places;
      this.#taken = new Uint8Array(this.#count * 2);
    }
    this.#places[this.#count++] = at;
  }
}

function writeId(writer: RdbWriter, id: StreamId): void {
  writer.length64(id.msHigh, id.msLow);
  writer.length64(id.seqHigh, id.seqLow);
}

function readId(reader: RdbReader, id: StreamId): void {
  reader.length64();
  id.msHigh = reader.high | 0;
  id.msLow = reader.low | 0;
  reader.length64();
  id.seqHigh = reader.high | 0;
  id.seqLow = reader.low | 0;
}

function writeRawId(writer: RdbWriter, id: StreamId): void {
  ID_VIEW.setInt32(0, id.msHigh);
  ID_VIEW.setInt32(4, id.msLow);
  ID_VIEW.setInt32(8, id.seqHigh);
  ID_VIEW.setInt32(12, id.seqLow);
  writer.raw(ID_BUF, 0, ID_BYTES);
}

function readRawId(buf: Uint8Array, off: number, id: StreamId): void {
  for (let i = 0; i < ID_BYTES; i++) ID_BUF[i] = buf[off + i]!;
  id.msHigh = ID_VIEW.getInt32(0);
  id.msLow = ID_VIEW.getInt32(4);
  id.seqHigh = ID_VIEW.getInt32(8);
  id.seqLow = ID_VIEW.getInt32(12);
}

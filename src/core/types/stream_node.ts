/**
 * Nodes of a stream: up to a hundred entries in one listpack, laid out as Redis
 * does it, so that DUMP and RESTORE copy them.
 *
 * ```text
 * node    count | deleted | fields | field ... | 0 | entry ...
 * entry   flags | ms | seq | value ... | elements              SAMEFIELDS
 *         flags | ms | seq | fields | field | value | ... | elements
 * ```
 *
 * - The fields in front are those of the node's first entry; an entry with the
 *   same ones has only their values.
 * - `ms` and `seq` are the entry's ID less that of the first one, each modulo
 *   2^64. The first ID is no part of the node: it is what the node is found by.
 * - `count` entries are there, `deleted` ones are only marked so (a flag).
 * - `elements` counts the entry's elements before it, for walks from behind;
 *   the 0 in front ends them.
 *
 * An allocation has room for a few bytes more, so that marking an entry, which
 * may lengthen the two counters, never needs memory: deleting cannot fail.
 *
 * A long node with a single entry, deleted or not, which may have very many fields,
 * is a *lone* one: in the bytes behind it stands where its entry begins, so that
 * nobody has to pass its fields to find that or what comes next. It is a steady run
 * (page_pool.ts): a reply may keep it, and read the fields when the peer takes them.
 *
 * @module
 */

import { Int64 } from "../base/int64.ts";
import { copyBytes } from "../base/bytes.ts";
import { type Arena, byteOf, SEGMENT_SHIFT } from "../memory/arena.ts";
import type { Heap } from "../memory/heap.ts";
import { LISTPACK_HEADER_BYTES } from "../memory/listpack.ts";
import {
  elementBefore,
  INTEGER_ELEMENT_BYTES_MAX,
  isIntegerHead,
  isTextElement,
  readInt64Element,
  readIntegerElement,
  skipElements,
  textElementBytesMax,
  writeInt64Element,
  writeIntegerElement,
  writeTextElement,
} from "../memory/listpack_element.ts";
import { elementBytes } from "../memory/listpack_format.ts";
import { PACKED_BYTES_MAX, PACKED_ELEMENTS_MAX } from "./packed_limits.ts";
import { StreamId } from "./stream_id.ts";
import type { EncodingLimits } from "./value_type.ts";

/** Flag of an entry that was deleted. */
export const ENTRY_DELETED = 1;
/** Flag of an entry that has the fields of the node's first one. */
export const ENTRY_SAMEFIELDS = 2;

/** Redis refuses longer entries. */
export const NODE_BYTES_MAX = 2 ** 30;

const END = 0xff;
const HEADER_COUNT = 4;
const COUNT_UNKNOWN = 0xffff;
/** Bytes of an allocation behind the node that are no part of it; see above. */
const SLACK_BYTES = 4;
/** Least bytes of a field and its value. */
const FIELD_BYTES_MIN = 4;
/** Bytes of a node without its fields and entries, at most. */
const FRONT_BYTES_MAX = LISTPACK_HEADER_BYTES + 1 +
  4 * INTEGER_ELEMENT_BYTES_MAX;
/** Bytes of an entry without its fields and values, at most. */
const ENTRY_BYTES_MAX = 5 * INTEGER_ELEMENT_BYTES_MAX;
/** Elements of an entry before its fields or values. */
const ENTRY_HEAD_ELEMENTS = 3;

/** Where fields and values are in turn: the arguments of a request. */
export interface EntryFields {
  /** The view that has text `i`. */
  source(i: number): Uint8Array;
  /** Where each begins in its view. */
  readonly off: Int32Array;
  /** Bytes of each. */
  readonly length: Int32Array;
}

const DELTA = new Int64();
const SEQ_DELTA = new Int64();

/** Bytes from which on a node is long. */
const LONG_NODE_BYTES = 1 << 16;

/** Operations on the nodes of one heap. */
export class StreamNodes {
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #limits: EncodingLimits;

  /** One object per keyspace. */
  constructor(arena: Arena, heap: Heap, limits: EncodingLimits) {
    this.#arena = arena;
    this.#heap = heap;
    this.#limits = limits;
  }

  /** Bytes of a node. */
  bytes(node: number): number {
    return wordAt(this.#arena.u8[node >>> SEGMENT_SHIFT]!, byteOf(node));
  }

  /** Entries of a node that are there. */
  count(node: number): number {
    return readIntegerElement(
      this.#arena.u8[node >>> SEGMENT_SHIFT]!,
      byteOf(node) + LISTPACK_HEADER_BYTES,
    );
  }

  /** Whether an entry of so many bytes in fields and values begins a new node. */
  isFull(node: number, entryBytes: number, fieldCount: number): boolean {
    const { streamNodeMaxBytes, streamNodeMaxEntries } = this.#limits;
    const most = atMost(streamNodeMaxBytes, PACKED_BYTES_MAX);
    const buf = this.#arena.u8[node >>> SEGMENT_SHIFT]!;
    const start = byteOf(node);
    const bytes = wordAt(buf, start) + entryBytes;
    if (bytes >= most) return true;
    // What elements take besides does not count for Redis.
    if (bytes + fieldCount * FIELD_BYTES_MIN >= PACKED_BYTES_MAX) return true;
    const at = start + LISTPACK_HEADER_BYTES;
    const deletedAt = at + elementBytes(buf, at);
    return readIntegerElement(buf, at) + readIntegerElement(buf, deletedAt) >=
      atMost(streamNodeMaxEntries, PACKED_ELEMENTS_MAX);
  }

  /**
   * A node with one entry: `fieldCount` pairs of texts from `from` on. There is
   * room for about `bytes` bytes in all.
   */
  create(
    fields: EntryFields,
    from: number,
    fieldCount: number,
    bytes: number,
  ): number {
    const needed = firstEntryBytesMax(fields, from, fieldCount);
    const node = this.#heap.allocate((Math.max(needed, bytes) + 7) >>> 3);
    const out = this.#arena.u8[node >>> SEGMENT_SHIFT]!;
    writeFirstEntry(out, byteOf(node), fields, from, fieldCount);
    this.#settle(node);
    return node;
  }

  /** Takes over a run of pages that {@linkcode writeFirstEntry} made a node. */
  adoptRun(run: number): void {
    this.#heap.adoptRun(run);
    this.#settle(run);
  }

  /** A node that has become a lone one is a steady run from now on. */
  #settle(node: number): void {
    const buf = this.#arena.u8[node >>> SEGMENT_SHIFT]!;
    if (isLone(buf, byteOf(node))) this.#heap.setSteady(node);
  }

  /** Says that something in a node is about to move, which nobody keeps. */
  #unsettle(node: number): void {
    if (this.#heap.isRun(node)) this.#heap.setSteady(node, false);
  }

  /**
   * Adds an entry with the next ID to a node whose first one is `first`; returns
   * the node, which may have moved.
   */
  append(
    node: number,
    first: StreamId,
    id: StreamId,
    fields: EntryFields,
    from: number,
    fieldCount: number,
  ): number {
    const grown = this.#makeRoom(
      node,
      ENTRY_BYTES_MAX + textsBytesMax(fields, from, fieldCount),
    );
    if (this.bytes(grown) >= LONG_NODE_BYTES) this.#unsettle(grown);
    const out = this.#arena.u8[grown >>> SEGMENT_SHIFT]!;
    const start = byteOf(grown);
    const countAt = start + LISTPACK_HEADER_BYTES;
    const count = readIntegerElement(out, countAt) + 1;
    if (count < 128) out[countAt] = count;
    else this.#replaceInteger(out, start, countAt, count);
    const isSame = hasFields(out, countAt, fields, from, fieldCount);
    let at = start + wordAt(out, start) - 1;
    at = writeIntegerElement(out, at, isSame ? ENTRY_SAMEFIELDS : 0);
    at = writeDifference(
      out,
      at,
      id.msHigh,
      id.msLow,
      first.msHigh,
      first.msLow,
    );
    at = writeDifference(
      out,
      at,
      id.seqHigh,
      id.seqLow,
      first.seqHigh,
      first.seqLow,
    );
    let elements = ENTRY_HEAD_ELEMENTS + fieldCount;
    if (isSame) {
      for (let i = 0; i < fieldCount; i++) {
        at = writeText(out, at, fields, from + i * 2 + 1);
      }
    } else {
      at = writeIntegerElement(out, at, fieldCount);
      for (let i = 0; i < fieldCount * 2; i++) {
        at = writeText(out, at, fields, from + i);
      }
      elements += fieldCount + 1;
    }
    at = writeIntegerElement(out, at, elements);
    const known = out[start + HEADER_COUNT]! |
      out[start + HEADER_COUNT + 1]! << 8;
    finish(out, start, at, known, elements + 1);
    return grown;
  }

  /** Gives back what a node does not need any more; returns it, perhaps moved. */
  trim(node: number): number {
    const bytes = this.bytes(node);
    const units = (bytes + SLACK_BYTES + 7) >>> 3;
    if (units >= this.#heap.unitsOf(node)) return node;
    if (this.#heap.shrink(node, units)) return node;
    const made = this.#heap.tryAllocate(units);
    if (made === 0) return node;
    if (this.#heap.unitsOf(made) >= this.#heap.unitsOf(node)) {
      this.#heap.free(made);
      return node;
    }
    return this.#moveTo(made, node, bytes);
  }

  /**
   * Makes a listpack that {@linkcode StreamNodes.isNode} has accepted a node, with
   * what is behind it; returns it, perhaps moved.
   */
  adopt(node: number): number {
    const adopted = this.#makeRoom(node, 0);
    const buf = this.#arena.u8[adopted >>> SEGMENT_SHIFT]!;
    const start = byteOf(adopted);
    if (isLone(buf, start)) {
      const fieldsAt = skipElements(buf, start + LISTPACK_HEADER_BYTES, 2);
      const fields = readIntegerElement(buf, fieldsAt);
      noteFrontEnd(buf, start, skipElements(buf, fieldsAt, 1 + fields));
      this.#heap.setSteady(adopted);
    }
    return adopted;
  }

  /** A copy in the heap of `target`. */
  copyTo(node: number, target: StreamNodes): number {
    const bytes = this.bytes(node);
    const made = target.#heap.allocate((bytes + SLACK_BYTES + 7) >>> 3);
    copyBytes(
      this.#arena.u8[node >>> SEGMENT_SHIFT]!,
      byteOf(node),
      target.#arena.u8[made >>> SEGMENT_SHIFT]!,
      byteOf(made),
      bytes + SLACK_BYTES,
    );
    target.#settle(made);
    return made;
  }

  /**
   * Marks the entry of a reader, which is not deleted yet, as deleted; returns
   * how many are left. The reader must be opened anew then.
   */
  markDeleted(node: number, reader: NodeReader): number {
    const buf = this.#arena.u8[node >>> SEGMENT_SHIFT]!;
    const start = byteOf(node);
    buf[reader.entryAt] = buf[reader.entryAt]! | ENTRY_DELETED;
    return this.#moveCounters(buf, start, 1);
  }

  /**
   * Marks the entries from the first one on, until `most` were marked or one is
   * met whose ID is not less than `end`; returns how many were marked.
   */
  markFirst(
    node: number,
    reader: NodeReader,
    most: number,
    end: StreamId | null,
  ): number {
    let marked = 0;
    reader.begin();
    while (marked < most && reader.next()) {
      if (end !== null && reader.id.compare(end) >= 0) break;
      if (reader.isDeleted) continue;
      reader.buf[reader.entryAt] = reader.flags | ENTRY_DELETED;
      marked++;
    }
    this.#moveCounters(
      this.#arena.u8[node >>> SEGMENT_SHIFT]!,
      byteOf(node),
      marked,
    );
    return marked;
  }

  /**
   * Whether a listpack, whose elements were checked, has the elements of a node
   * with at least one entry, deleted or not.
   */
  isNode(listpack: number): boolean {
    const buf = this.#arena.u8[listpack >>> SEGMENT_SHIFT]!;
    const start = byteOf(listpack);
    return isNodeAt(buf, start + LISTPACK_HEADER_BYTES);
  }

  /**
   * Whether a node of several entries, which others have made, is much longer than
   * nodes become here.
   */
  isTooLong(node: number): boolean {
    const buf = this.#arena.u8[node >>> SEGMENT_SHIFT]!;
    return this.bytes(node) > 2 * PACKED_BYTES_MAX &&
      !isLone(buf, byteOf(node));
  }

  /** Frees a node. */
  free(node: number): void {
    this.#heap.free(node);
  }

  /** Makes room for more bytes, and more than those if the node is short. */
  #makeRoom(node: number, more: number): number {
    const bytes = this.bytes(node);
    const needed = bytes + more + SLACK_BYTES;
    const isKept = bytes >= LONG_NODE_BYTES && this.#heap.keepersOf(node) > 0;
    if (needed <= this.#heap.unitsOf(node) << 3 && !isKept) return node;
    const ample = Math.min(
      needed + (needed >> 1),
      atMost(this.#limits.streamNodeMaxBytes, PACKED_BYTES_MAX) + SLACK_BYTES,
    );
    const room = more === 0 ? needed : Math.max(needed, ample);
    return this.#moveTo(this.#heap.allocate((room + 7) >>> 3), node, bytes);
  }

  #moveTo(made: number, node: number, bytes: number): number {
    copyBytes(
      this.#arena.u8[node >>> SEGMENT_SHIFT]!,
      byteOf(node),
      this.#arena.u8[made >>> SEGMENT_SHIFT]!,
      byteOf(made),
      bytes,
    );
    this.#heap.free(node);
    return made;
  }

  /** Counts entries that were there as deleted; returns how many are left. */
  #moveCounters(buf: Uint8Array, start: number, entries: number): number {
    const at = start + LISTPACK_HEADER_BYTES;
    const count = readIntegerElement(buf, at) - entries;
    this.#replaceInteger(buf, start, at, count);
    const deletedAt = at + elementBytes(buf, at);
    const deleted = readIntegerElement(buf, deletedAt) + entries;
    this.#replaceInteger(buf, start, deletedAt, deleted);
    return count;
  }

  /** Puts another integer in the place of one; there is room for both. */
  #replaceInteger(
    buf: Uint8Array,
    start: number,
    at: number,
    n: number,
  ): void {
    const old = elementBytes(buf, at);
    const bytes = writeIntegerElement(ELEMENT, 0, n);
    if (bytes !== old) {
      const total = wordAt(buf, start);
      buf.copyWithin(at + bytes, at + old, start + total);
      setWordAt(buf, start, total + bytes - old);
    }
    copyBytes(ELEMENT, 0, buf, at, bytes);
  }
}

const ELEMENT = new Uint8Array(INTEGER_ELEMENT_BYTES_MAX);

/** Bytes that a node of one entry may take, with those that stay free. */
export function firstEntryBytesMax(
  fields: EntryFields,
  from: number,
  fieldCount: number,
): number {
  return FRONT_BYTES_MAX + ENTRY_BYTES_MAX + SLACK_BYTES +
    textsBytesMax(fields, from, fieldCount);
}

/**
 * Writes a node with one entry, as {@linkcode StreamNodes.create} has it, whatever
 * its ID will be.
 */
export function writeFirstEntry(
  out: Uint8Array,
  start: number,
  fields: EntryFields,
  from: number,
  fieldCount: number,
): void {
  let at = writeIntegerElement(out, start + LISTPACK_HEADER_BYTES, 1);
  at = writeIntegerElement(out, at, 0);
  at = writeIntegerElement(out, at, fieldCount);
  for (let i = 0; i < fieldCount; i++) {
    at = writeText(out, at, fields, from + i * 2);
  }
  const frontEnd = at;
  at = writeIntegerElement(out, at, 0);
  at = writeIntegerElement(out, at, ENTRY_SAMEFIELDS);
  at = writeIntegerElement(out, at, 0);
  at = writeIntegerElement(out, at, 0);
  for (let i = 0; i < fieldCount; i++) {
    at = writeText(out, at, fields, from + i * 2 + 1);
  }
  at = writeIntegerElement(out, at, ENTRY_HEAD_ELEMENTS + fieldCount);
  // Front: four and the fields; entry: three, the values and their count.
  finish(out, start, at, 0, 8 + fieldCount * 2);
  if (isLone(out, start)) noteFrontEnd(out, start, frontEnd);
}

function writeText(
  out: Uint8Array,
  at: number,
  fields: EntryFields,
  i: number,
): number {
  return writeTextElement(
    out,
    at,
    fields.source(i),
    fields.off[i]!,
    fields.length[i]!,
  );
}

/** Whether a node is a lone one. */
function isLone(buf: Uint8Array, start: number): boolean {
  if (wordAt(buf, start) < LONG_NODE_BYTES) return false;
  const at = start + LISTPACK_HEADER_BYTES;
  const deletedAt = at + elementBytes(buf, at);
  return readIntegerElement(buf, at) + readIntegerElement(buf, deletedAt) === 1;
}

/** Notes behind a lone node where its fields end. */
function noteFrontEnd(buf: Uint8Array, start: number, at: number): void {
  setWordAt(buf, start + wordAt(buf, start), at - start);
}

/** Writes the end and the counters of the listpack. */
function finish(
  out: Uint8Array,
  start: number,
  end: number,
  known: number,
  added: number,
): void {
  out[end] = END;
  setWordAt(out, start, end + 1 - start);
  const elements = Math.min(known + added, COUNT_UNKNOWN);
  out[start + HEADER_COUNT] = elements & 0xff;
  out[start + HEADER_COUNT + 1] = elements >>> 8;
}

/** Goes through the entries of one node, from either end. */
export class NodeReader {
  /** The node. */
  node = 0;
  /** Whether it is a lone one. */
  isLone = false;
  /** The view that has the node. */
  buf: Uint8Array = ELEMENT;
  /** Fields of the node's first entry. */
  firstFieldCount = 0;
  /** Where they begin. */
  firstFieldsAt = 0;
  /** ID of the entry. */
  readonly id: StreamId = new StreamId();
  /** Flags of the entry. */
  flags = 0;
  /** Fields of the entry. */
  fieldCount = 0;
  /** Where the entry begins. */
  entryAt = 0;
  /** The next field or value of the entry. */
  at = 0;
  /** How many of them there are from there on. */
  left = 0;
  /** ID of the node's first entry. */
  readonly first: StreamId = new StreamId();
  #end = 0;
  #frontEnd = 0;

  /** Opens a node whose first ID stands in four words. */
  open(arena: Arena, node: number, words: Int32Array, idAt: number): void {
    const buf = arena.u8[node >>> SEGMENT_SHIFT]!;
    const start = byteOf(node);
    this.node = node;
    this.buf = buf;
    this.isLone = isLone(buf, start);
    this.first.read(words, idAt);
    this.#end = start + wordAt(buf, start) - 1;
    let at = start + LISTPACK_HEADER_BYTES;
    at += elementBytes(buf, at);
    at += elementBytes(buf, at);
    this.firstFieldCount = readIntegerElement(buf, at);
    at += elementBytes(buf, at);
    this.firstFieldsAt = at;
    this.#frontEnd = this.isLone
      ? start + wordAt(buf, this.#end + 1)
      : skipElements(buf, at, this.firstFieldCount);
  }

  /** Goes before the first entry. */
  begin(): void {
    // As if behind the values of an entry: the 0 is where its count would be.
    this.at = this.#frontEnd;
    this.left = 0;
  }

  /** Goes behind the last entry. */
  beginBehind(): void {
    this.entryAt = this.#end;
  }

  /** Goes to the next entry, deleted or not; false if there is none. */
  next(): boolean {
    const { buf } = this;
    let { at } = this;
    if (this.isLone && at !== this.#frontEnd) return false;
    for (let left = this.left; left > 0; left--) at += elementBytes(buf, at);
    at += elementBytes(buf, at);
    if (at >= this.#end) return false;
    this.#enter(at);
    return true;
  }

  /** Goes to the entry before, deleted or not; false if there is none. */
  previous(): boolean {
    const { buf } = this;
    if (this.isLone) {
      if (this.entryAt !== this.#end) return false;
      this.#enter(this.#frontEnd + elementBytes(buf, this.#frontEnd));
      return true;
    }
    let at = elementBefore(buf, this.entryAt);
    const elements = readIntegerElement(buf, at);
    if (elements === 0) return false;
    for (let i = 0; i < elements; i++) at = elementBefore(buf, at);
    this.#enter(at);
    return true;
  }

  /** Whether the entry was deleted. */
  get isDeleted(): boolean {
    return (this.flags & ENTRY_DELETED) !== 0;
  }

  /** Whether the entry has fields of its own before each value. */
  get hasOwnFields(): boolean {
    return (this.flags & ENTRY_SAMEFIELDS) === 0;
  }

  #enter(entryAt: number): void {
    const { buf, first, id } = this;
    this.entryAt = entryAt;
    const flags = buf[entryAt]!;
    this.flags = flags;
    let at = entryAt + 2;
    const ms = buf[at]!;
    const seq = buf[at + 2]!;
    if (ms < 128 && seq < 128) {
      // One byte each: nearly always so.
      id.setSum(first, 0, ms, 0, seq);
      at += 4;
    } else {
      readInt64Element(buf, at, DELTA);
      at += elementBytes(buf, at);
      readInt64Element(buf, at, SEQ_DELTA);
      at += elementBytes(buf, at);
      id.setSum(first, DELTA.hi, DELTA.lo, SEQ_DELTA.hi, SEQ_DELTA.lo);
    }
    if ((flags & ENTRY_SAMEFIELDS) !== 0) {
      this.fieldCount = this.left = this.firstFieldCount;
    } else {
      this.fieldCount = readIntegerElement(buf, at);
      this.left = this.fieldCount * 2;
      at += elementBytes(buf, at);
    }
    this.at = at;
  }
}

/** Most bytes that fields and values have as elements. */
function textsBytesMax(
  { length }: EntryFields,
  from: number,
  fieldCount: number,
): number {
  let bytes = 0;
  for (let i = from; i < from + fieldCount * 2; i++) {
    bytes += textElementBytesMax(length[i]!);
  }
  return bytes;
}

/** Whether the fields in front of a node are those of an entry. */
function hasFields(
  buf: Uint8Array,
  countAt: number,
  fields: EntryFields,
  from: number,
  fieldCount: number,
): boolean {
  let at = countAt + elementBytes(buf, countAt);
  at += elementBytes(buf, at);
  if (readIntegerElement(buf, at) !== fieldCount) return false;
  at += elementBytes(buf, at);
  for (let i = from; i < from + fieldCount * 2; i += 2) {
    const isSame = isTextElement(
      buf,
      at,
      fields.source(i),
      fields.off[i]!,
      fields.length[i]!,
    );
    if (!isSame) return false;
    at += elementBytes(buf, at);
  }
  return true;
}

/** Writes the difference of two integers of 64 bits, modulo 2^64. */
function writeDifference(
  out: Uint8Array,
  at: number,
  aHi: number,
  aLo: number,
  bHi: number,
  bLo: number,
): number {
  const borrow = aLo >>> 0 < bLo >>> 0 ? 1 : 0;
  return writeInt64Element(out, at, aHi - bHi - borrow | 0, aLo - bLo | 0);
}

/** Checks the elements of a node, the first of which is at byte `at`. */
function isNodeAt(buf: Uint8Array, at: number): boolean {
  // A reversed length of a head is not looked at: lengths were checked.
  const integer = (): number => {
    const byte = buf[at]!;
    if (!isIntegerHead(byte)) return NaN;
    readInt64Element(buf, at, DELTA);
    at += elementBytes(buf, at);
    return DELTA.hi === DELTA.lo >> 31 ? DELTA.lo : NaN;
  };
  const skip = (elements: number): boolean => {
    for (let i = 0; i < elements; i++) {
      if (buf[at] === END) return false;
      at += elementBytes(buf, at);
    }
    return true;
  };
  const count = integer();
  const deleted = integer();
  const fields = integer();
  if (!(count >= 0 && deleted >= 0 && fields >= 0)) return false;
  if (count + deleted === 0 || !skip(fields) || integer() !== 0) return false;
  for (let i = 0; i < count + deleted; i++) {
    const flags = integer();
    if (!(flags >= 0 && flags <= 3)) return false;
    if (!isIntegerHead(buf[at]!) || !skip(1)) return false;
    if (!isIntegerHead(buf[at]!) || !skip(1)) return false;
    const isSame = (flags & ENTRY_SAMEFIELDS) !== 0;
    const own = isSame ? fields : integer();
    if (!(own >= 0) || !skip(isSame ? own : own * 2)) return false;
    const elements = ENTRY_HEAD_ELEMENTS + (isSame ? own : own * 2 + 1);
    if (integer() !== elements) return false;
  }
  return buf[at] === END;
}

function wordAt(buf: Uint8Array, at: number): number {
  return (buf[at]! | buf[at + 1]! << 8 | buf[at + 2]! << 16 |
    buf[at + 3]! << 24) >>> 0;
}

function setWordAt(buf: Uint8Array, at: number, word: number): void {
  buf[at] = word & 0xff;
  buf[at + 1] = word >>> 8 & 0xff;
  buf[at + 2] = word >>> 16 & 0xff;
  buf[at + 3] = word >>> 24;
}

/** A limit of the settings, of which 0 is none, if it is not above another. */
function atMost(limit: number, most: number): number {
  return limit === 0 ? most : Math.min(limit, most);
}

/**
 * Hashes.
 *
 * ```text
 * encoding 0  listpack     pairs                    packed_hash.ts
 *          1  hashtable    table of nodes           hash_table.ts
 *          2  listpackex   triples in a listpack    packed_hash.ts
 * ```
 *
 * A packed hash becomes a table when it has more fields, or a longer field or
 * value, than the limits allow; before its first field is given an expire it
 * gets room for expires. There is no way back, as in Redis.
 *
 * A field that has expired is there until somebody removes it. Methods that take
 * a time pass such fields over; {@linkcode HashValue.set} does not, so that one
 * that has expired is to be removed first.
 *
 * To go through a hash: {@linkcode HashValue.visit} from {@linkcode
 * HashValue.firstPlace} to {@linkcode HashValue.endPlace}, each call giving the
 * next place; or {@linkcode HashValue.visitAll}. To read one field: {@linkcode
 * HashValue.find}, then `value`. To change it: {@linkcode HashValue.locate},
 * then the methods on the field that was found, which do not search again.
 *
 * Size: one type in three encodings.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { DOUBLE_ZERO } from "../base/steady_code.ts";
import {
  INTEGER_BYTES_MAX,
  parseSafeInteger,
  writeInteger,
} from "../base/integer.ts";
import type { Prng } from "../base/prng.ts";
import { type IntegerSet, SelectionSampler } from "../base/sampling.ts";
import { type Arena, SEGMENT_SHIFT } from "../memory/arena.ts";
import type { NodeVisitor } from "../memory/dict.ts";
import type { Heap } from "../memory/heap.ts";
import {
  LISTPACK_HEADER_BYTES,
  ListpackItem,
  type Listpacks,
} from "../memory/listpack.ts";
import { setValue, setValueRoot, valueEncoding, valueRoot } from "./entry.ts";
import type { CountedNodes } from "./expire_queue.ts";
import { HashTable, NEVER } from "./hash_table.ts";
import type { NodeTable } from "./node_table.ts";
import { type FieldVisitor, PackedHash } from "./packed_hash.ts";
import { PACKED_BYTES_MAX } from "./packed_limits.ts";
import type { EncodingLimits, ValueMemory, ValueType } from "./value_type.ts";

export type { FieldVisitor } from "./packed_hash.ts";

/** Pairs in a listpack. */
export const HASH_LISTPACK = 0;
/** A table of fields. */
export const HASH_TABLE = 1;
/** Triples in a listpack. */
export const HASH_LISTPACK_EX = 2;

/** Leaves the expire of a field as it is. */
export const KEEP_EXPIRE = -1;

/** The hashes of one keyspace, by their entries. */
export class HashValue implements ValueType {
  readonly encodingNames: readonly string[] = [
    "listpack",
    "hashtable",
    "listpackex",
  ];
  /** The value that was found. */
  readonly value: ListpackItem;
  /** The field that was drawn. */
  readonly field: ListpackItem;
  /** When the field that was found expires; 0 for never. */
  expireAtMs = DOUBLE_ZERO;
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #listpacks: Listpacks;
  readonly #table: HashTable;
  readonly #packed: PackedHash;
  readonly #limits: EncodingLimits;
  readonly #memory: ValueMemory;
  /** Where the found field is: position in the listpack, or node. */
  #found = 0;
  /** Hash of the field that was looked for in a table. */
  #hash = 0;
  /** Text of a number on its way to a table. */
  readonly #text = new Uint8Array(INTEGER_BYTES_MAX);
  /** The hash that fields are copied to. */
  #target = 0;
  readonly #copier: FieldVisitor = {
    field: (field, value, expireAtMs) => {
      this.#table.add(
        this.#target,
        field.buf,
        field.off,
        field.length,
        this.#table.nodes.hash(field.buf, field.off, field.length),
        value.buf,
        value.off,
        value.length,
        expireAtMs,
      );
    },
  };

  /** A field of a table that is visited, and its value. */
  readonly #visitedField = new ListpackItem();
  readonly #visitedValue = new ListpackItem();

  /** One object per keyspace. */
  constructor(memory: ValueMemory) {
    this.#memory = memory;
    this.#arena = memory.arena;
    this.#heap = memory.heap;
    this.#listpacks = memory.listpacks;
    this.#table = new HashTable(memory);
    this.#packed = new PackedHash(memory.listpacks);
    this.field = this.#packed.field;
    this.value = this.#packed.value;
    this.#limits = memory.limits;
  }

  /** Fields, expired ones that are still there included. */
  length(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    const encoding = valueEncoding(this.#arena, ref);
    return encoding === HASH_TABLE
      ? this.#table.nodes.count(root)
      : this.#packed.length(root, encoding === HASH_LISTPACK_EX);
  }

  /** Fields that have not expired. */
  liveLength(ref: number, nowMs: number): number {
    const root = valueRoot(this.#arena, ref);
    const length = this.length(ref);
    switch (valueEncoding(this.#arena, ref)) {
      case HASH_LISTPACK:
        return length;
      case HASH_TABLE:
        return length - this.#table.countExpired(root, nowMs);
      default:
        return length - this.#packed.countExpired(root, nowMs);
    }
  }

  /** Whether so many fields of a large hash have expired and are still there. */
  hasExpired(ref: number, nowMs: number, count: number): boolean {
    const table = this.tableOf(ref);
    return table !== 0 &&
      this.#table.countExpired(table, nowMs, count) === count;
  }

  /**
   * Goes on counting the expired fields of a large hash, which does not change
   * meanwhile, as {@linkcode ExpireQueues.countOn} has it.
   */
  countExpiredOn(
    ref: number,
    nowMs: number,
    counted: CountedNodes,
    most: number,
  ): void {
    this.#table.countExpiredOn(this.tableOf(ref), nowMs, counted, most);
  }

  /** The table of a large hash, 0 for none. */
  tableOf(ref: number): number {
    return valueEncoding(this.#arena, ref) === HASH_TABLE
      ? valueRoot(this.#arena, ref)
      : 0;
  }

  /** The tables of the heap. */
  get tables(): NodeTable {
    return this.#table.nodes;
  }

  /** Finds a field that has not expired; `value` and `expireAtMs` tell of it. */
  find(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    nowMs: number,
  ): boolean {
    if (!this.locate(ref, buf, off, length, nowMs)) return false;
    this.readFound(ref);
    return true;
  }

  /**
   * As {@linkcode HashValue.find}, but leaves it to {@linkcode
   * HashValue.readFound} to read the value. Where it is false, {@linkcode
   * HashValue.isExpiredFound} says whether the field is there.
   */
  locate(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    nowMs: number,
  ): boolean {
    const root = valueRoot(this.#arena, ref);
    const encoding = valueEncoding(this.#arena, ref);
    if (encoding === HASH_TABLE) {
      const { nodes } = this.#table;
      const hash = nodes.hash(buf, off, length);
      const node = nodes.findHashed(root, buf, off, length, hash);
      this.#hash = hash;
      this.#found = node;
      this.expireAtMs = 0;
      if (node === 0) return false;
      if (!nodes.hasDouble(node)) return true;
      const expireAtMs = nodes.double(node);
      if (expireAtMs === NEVER) return true;
      this.expireAtMs = expireAtMs;
      return expireAtMs > nowMs;
    }
    const packed = this.#packed;
    const expires = encoding === HASH_LISTPACK_EX;
    const pos = packed.find(root, expires, buf, off, length);
    const { expireAtMs } = packed;
    this.#found = pos;
    this.expireAtMs = expireAtMs;
    return pos !== 0 && (expireAtMs === 0 || expireAtMs > nowMs);
  }

  /** Whether the field that was not found is there, but has expired. */
  get isExpiredFound(): boolean {
    return this.#found !== 0;
  }

  /** Reads the value of the field that was found last into `value`. */
  readFound(ref: number): void {
    if (valueEncoding(this.#arena, ref) === HASH_TABLE) {
      return this.#readValue(this.#found, this.value);
    }
    this.#packed.read(valueRoot(this.#arena, ref));
  }

  /**
   * The safe integer that the value of the field that was found last is the
   * text of, or NaN; reads nothing into `value`.
   */
  foundInteger(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    if (valueEncoding(this.#arena, ref) !== HASH_TABLE) {
      return this.#packed.integer(root);
    }
    const { value } = this;
    this.#readValue(this.#found, this.value);
    return parseSafeInteger(value.buf, value.off, value.length);
  }

  /**
   * Sets a field and says whether it is new. `expireAtMs` is 0 for never, or
   * {@linkcode KEEP_EXPIRE}.
   */
  set(
    ref: number,
    fieldBuf: Uint8Array,
    fieldOff: number,
    fieldLength: number,
    buf: Uint8Array,
    off: number,
    length: number,
    expireAtMs: number,
  ): boolean {
    const limit = this.#limits.hashMaxListpackValue;
    if (fieldLength > limit || length > limit) this.makeTable(ref);
    if (expireAtMs > 0) this.makeExpiring(ref);
    if (this.locate(ref, fieldBuf, fieldOff, fieldLength, -Infinity)) {
      this.setFound(ref, buf, off, length, expireAtMs);
      return false;
    }
    this.#add(
      ref,
      fieldBuf,
      fieldOff,
      fieldLength,
      buf,
      off,
      length,
      expireAtMs === KEEP_EXPIRE ? 0 : expireAtMs,
    );
    return true;
  }

  /**
   * As {@linkcode HashValue.set}, of a field that lies in a run of pages with its
   * value behind it and room for an expire before it (staged_nodes.ts). The run is
   * the hash's from now on, or has been freed.
   */
  setRun(
    ref: number,
    run: number,
    fieldLength: number,
    length: number,
    expireAtMs: number,
  ): boolean {
    const { nodes } = this.#table;
    nodes.adoptNode(run, fieldLength, 0, true, length);
    const buf = nodes.bytesOf(run);
    const off = nodes.keyOff(run);
    const at = off + fieldLength;
    const isPacked = valueEncoding(this.#arena, ref) !== HASH_TABLE &&
      Math.max(fieldLength, length) <= this.#limits.hashMaxListpackValue;
    this.locate(ref, buf, off, fieldLength, -Infinity);
    if (isPacked) {
      try {
        return this.set(
          ref,
          buf,
          off,
          fieldLength,
          buf,
          at,
          length,
          expireAtMs,
        );
      } finally {
        this.#heap.free(run);
      }
    }
    try {
      this.makeTable(ref);
    } catch (cause) {
      this.#heap.free(run);
      throw cause;
    }
    const root = valueRoot(this.#arena, ref);
    this.locate(ref, buf, off, fieldLength, -Infinity);
    const expires = expireAtMs === KEEP_EXPIRE ? this.expireAtMs : expireAtMs;
    nodes.setHash(run, this.#hash);
    if (this.#found !== 0) {
      this.#table.setNode(root, this.#found, run, expires);
      return false;
    }
    this.#table.addNode(root, run, expires);
    return true;
  }

  /**
   * Sets the field that was found last; `expireAtMs` is as for {@linkcode
   * HashValue.set}, and the hash has room for it. False if the value is too long
   * for a packed hash: then nothing was done.
   */
  setFound(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    expireAtMs: number,
  ): boolean {
    const expires = expireAtMs === KEEP_EXPIRE ? this.expireAtMs : expireAtMs;
    const root = valueRoot(this.#arena, ref);
    if (valueEncoding(this.#arena, ref) === HASH_TABLE) {
      this.#table.set(root, this.#found, buf, off, length, expires);
      return true;
    }
    if (length > this.#limits.hashMaxListpackValue) return false;
    const made = this.#packed.set(root, buf, off, length, expires);
    setValueRoot(this.#arena, ref, made);
    return true;
  }

  /**
   * As {@linkcode HashValue.setFound}, to the text of a safe integer; the
   * expire stays.
   */
  setFoundInteger(ref: number, n: number): boolean {
    if (
      valueEncoding(this.#arena, ref) === HASH_TABLE ||
      this.#limits.hashMaxListpackValue < INTEGER_BYTES_MAX
    ) {
      const length = writeInteger(n, this.#text, 0);
      return this.setFound(ref, this.#text, 0, length, KEEP_EXPIRE);
    }
    const root = valueRoot(this.#arena, ref);
    setValueRoot(this.#arena, ref, this.#packed.setInteger(root, n));
    return true;
  }

  /**
   * Gives the field that was found last another expire, 0 for never; the hash
   * has room for expires ({@linkcode HashValue.makeExpiring}).
   */
  setFoundExpire(ref: number, expireAtMs: number): void {
    const root = valueRoot(this.#arena, ref);
    if (valueEncoding(this.#arena, ref) === HASH_TABLE) {
      this.#table.setExpire(root, this.#found, expireAtMs);
      return;
    }
    setValueRoot(this.#arena, ref, this.#packed.setExpire(root, expireAtMs));
  }

  /**
   * Makes a hash ready for so many fields, which have so many bytes with their
   * values: a table if they are more than a packed hash has, else a listpack
   * with room for them if it has no fields yet.
   */
  prepare(ref: number, fields: number, bytes: number): void {
    if (fields > this.#limits.hashMaxListpackEntries) {
      return this.makeTable(ref);
    }
    const isEmpty = valueRoot(this.#arena, ref) === 0;
    if (!isEmpty || bytes > PACKED_BYTES_MAX) return;
    setValueRoot(this.#arena, ref, this.#packed.create(fields, bytes));
  }

  /** Makes an empty hash a table with room for so many fields. */
  makeTableFor(ref: number, fields: number): void {
    this.makeTable(ref);
    this.#table.nodes.expect(valueRoot(this.#arena, ref), fields);
  }

  /** Removes the field that was found last, expired or not. */
  removeFound(ref: number): void {
    const root = valueRoot(this.#arena, ref);
    const encoding = valueEncoding(this.#arena, ref);
    if (encoding === HASH_TABLE) {
      return this.#table.remove(root, this.#found);
    }
    const expires = encoding === HASH_LISTPACK_EX;
    const made = this.#packed.remove(root, expires, this.#found);
    setValueRoot(this.#arena, ref, made);
  }

  /** Whether any field expires. */
  hasExpires(ref: number): boolean {
    return this.expiresFrom(ref) !== Infinity;
  }

  /** When the first field expires; Infinity if none does. */
  expiresFrom(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    const encoding = valueEncoding(this.#arena, ref);
    if (encoding === HASH_LISTPACK || root === 0) return Infinity;
    if (encoding === HASH_TABLE) return this.#table.expiresFrom(root);
    return this.#packed.expiresFrom(root);
  }

  /** Removes up to `budget` fields that have expired; returns how many. */
  removeExpired(
    ref: number,
    nowMs: number,
    budget: number,
    visitor: FieldVisitor | null = null,
  ): number {
    const root = valueRoot(this.#arena, ref);
    const encoding = valueEncoding(this.#arena, ref);
    if (encoding === HASH_TABLE) {
      return this.#removeExpiredNodes(root, nowMs, budget, visitor);
    }
    if (encoding === HASH_LISTPACK || root === 0) return 0;
    const made = this.#packed.removeExpired(root, nowMs, budget, visitor);
    setValueRoot(this.#arena, ref, made);
    return this.#packed.removed;
  }

  #removeExpiredNodes(
    root: number,
    nowMs: number,
    budget: number,
    visitor: FieldVisitor | null,
  ): number {
    let removed = 0;
    for (; removed < budget; removed++) {
      const node = this.#table.firstExpired(root, nowMs);
      if (node === 0) break;
      if (visitor !== null) this.#visitNode(node, visitor, -Infinity);
      this.#table.remove(root, node);
    }
    return removed;
  }

  /** Where {@linkcode HashValue.visit} begins. */
  firstPlace(ref: number): number {
    return valueEncoding(this.#arena, ref) === HASH_TABLE
      ? 0
      : LISTPACK_HEADER_BYTES;
  }

  /** The place behind the last one. */
  endPlace(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    return valueEncoding(this.#arena, ref) === HASH_TABLE
      ? this.#table.nodes.buckets(root)
      : this.#packed.end(root);
  }

  /**
   * Visits the fields of one place that have not expired and returns the next
   * place. The hash must not change before the last place was visited.
   */
  visit(
    ref: number,
    place: number,
    visitor: FieldVisitor,
    nowMs: number,
  ): number {
    const root = valueRoot(this.#arena, ref);
    const encoding = valueEncoding(this.#arena, ref);
    if (encoding === HASH_TABLE) {
      const { nodes } = this.#table;
      const found = nodes.gather(root, place);
      for (let i = 0; i < found; i++) {
        this.#visitNode(nodes.gathered(i), visitor, nowMs);
      }
      return place + 1;
    }
    const expires = encoding === HASH_LISTPACK_EX;
    return this.#packed.visit(root, expires, place, visitor, nowMs);
  }

  /** Visits all fields that have not expired. */
  visitAll(ref: number, visitor: FieldVisitor, nowMs: number): void {
    const end = this.endPlace(ref);
    const encoding = valueEncoding(this.#arena, ref);
    if (encoding !== HASH_TABLE) {
      const root = valueRoot(this.#arena, ref);
      const expires = encoding === HASH_LISTPACK_EX;
      for (let place = LISTPACK_HEADER_BYTES; place < end;) {
        place = this.#packed.visit(root, expires, place, visitor, nowMs);
      }
      return;
    }
    for (let place = 0; place < end;) {
      place = this.visit(ref, place, visitor, nowMs);
    }
  }

  /**
   * Visits fields as {@linkcode Dict.scan} has it, expired ones as well: those of
   * one cursor position of a table, or all of a packed hash. Returns the next
   * cursor.
   */
  scan(ref: number, cursor: number, visitor: FieldVisitor): number {
    if (valueEncoding(this.#arena, ref) === HASH_TABLE) {
      const visit: NodeVisitor = (node) =>
        this.#visitNode(node, visitor, -Infinity);
      return this.#table.nodes.scan(valueRoot(this.#arena, ref), cursor, visit);
    }
    this.visitAll(ref, visitor, -Infinity);
    return 0;
  }

  /**
   * Draws a live field at random into `field` and `value`, all equally likely; says
   * whether one was met in so many tries.
   */
  draw(ref: number, nowMs: number, tries = Infinity): boolean {
    for (let i = 0; i < tries; i++) {
      this.#drawAny(ref);
      if (this.expireAtMs === 0 || this.expireAtMs > nowMs) return true;
    }
    return false;
  }

  /**
   * Where the live fields of one place are, for {@linkcode HashValue.readLive};
   * returns the next place.
   */
  gatherLive(
    ref: number,
    place: number,
    nowMs: number,
    into: number[],
  ): number {
    const root = valueRoot(this.#arena, ref);
    const encoding = valueEncoding(this.#arena, ref);
    if (encoding === HASH_TABLE) {
      const { nodes } = this.#table;
      const found = nodes.gather(root, place);
      for (let i = 0; i < found; i++) {
        const node = nodes.gathered(i);
        const expireAtMs = this.#table.expireAt(node);
        if (expireAtMs === 0 || expireAtMs > nowMs) into.push(node);
      }
      return place + 1;
    }
    const packed = this.#packed;
    const next = packed.readAt(root, encoding === HASH_LISTPACK_EX, place);
    const { expireAtMs } = packed;
    if (expireAtMs === 0 || expireAtMs > nowMs) into.push(place);
    return next;
  }

  /** Reads a field that was gathered into `field` and `value`. */
  readLive(ref: number, at: number): void {
    const encoding = valueEncoding(this.#arena, ref);
    if (encoding === HASH_TABLE) {
      this.#readField(at, this.field);
      return this.#readValue(at, this.value);
    }
    const root = valueRoot(this.#arena, ref);
    this.#packed.readAt(root, encoding === HASH_LISTPACK_EX, at);
  }

  /**
   * Whether `count` of the `live` fields are better drawn, until they all differ,
   * than chosen while one goes through all.
   */
  drawsFaster(ref: number, count: number, live: number): boolean {
    return valueEncoding(this.#arena, ref) === HASH_TABLE && count * 4 < live &&
      live * 2 > this.length(ref);
  }

  /**
   * As {@linkcode HashValue.draw}, from a table, one that is not among those that
   * were `drawn`; it is from now on.
   */
  drawOther(ref: number, drawn: IntegerSet, nowMs: number): void {
    const root = valueRoot(this.#arena, ref);
    for (;;) {
      const node = this.#table.nodes.draw(root);
      const expireAtMs = this.#table.expireAt(node);
      if (expireAtMs !== 0 && expireAtMs <= nowMs) continue;
      if (!drawn.add(node)) continue;
      this.#readField(node, this.field);
      return this.#readValue(node, this.value);
    }
  }

  #drawAny(ref: number): void {
    const root = valueRoot(this.#arena, ref);
    const encoding = valueEncoding(this.#arena, ref);
    if (encoding === HASH_TABLE) {
      const { nodes } = this.#table;
      const node = nodes.draw(root);
      this.expireAtMs = this.#table.expireAt(node);
      this.#readField(node, this.field);
      return this.#readValue(node, this.value);
    }
    const expires = encoding === HASH_LISTPACK_EX;
    const index = this.#memory.random.below(this.length(ref));
    this.#packed.readNth(root, expires, index);
    this.expireAtMs = this.#packed.expireAtMs;
  }

  memoryBytes(ref: number, samples: number): number {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return 0;
    return valueEncoding(this.#arena, ref) === HASH_TABLE
      ? this.#table.bytes(root, samples)
      : this.#heap.unitsOf(root) << 3;
  }

  weight(ref: number): number {
    return valueEncoding(this.#arena, ref) === HASH_TABLE
      ? this.length(ref) + 1
      : 1;
  }

  free(ref: number): void {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return;
    const isTable = valueEncoding(this.#arena, ref) === HASH_TABLE;
    setValue(this.#arena, ref, HASH_LISTPACK, 0);
    if (isTable) this.#table.free(root);
    else this.#listpacks.free(root);
  }

  freeSlice(ref: number, budget: number): boolean {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return true;
    if (valueEncoding(this.#arena, ref) !== HASH_TABLE) {
      this.free(ref);
      return true;
    }
    if (!this.#table.freeSlice(root, budget)) return false;
    setValue(this.#arena, ref, HASH_LISTPACK, 0);
    return true;
  }

  copyFrom(source: HashValue, sourceRef: number, ref: number): void {
    const root = valueRoot(source.#arena, sourceRef);
    if (root === 0) return;
    const encoding = valueEncoding(source.#arena, sourceRef);
    setValue(
      this.#arena,
      ref,
      encoding,
      encoding === HASH_TABLE
        ? this.#tableFrom(source, sourceRef)
        : source.#listpacks.copyTo(root, this.#listpacks),
    );
  }

  /**
   * Makes the entry, whose hash is empty, a packed hash of a listpack that holds
   * pairs; for RESTORE, which has seen to the limits.
   */
  adoptListpack(ref: number, listpack: number): void {
    setValue(this.#arena, ref, HASH_LISTPACK, listpack);
  }

  /** The listpack of a packed hash, 0 if it is a table or empty. */
  listpackOf(ref: number): number {
    return valueEncoding(this.#arena, ref) === HASH_LISTPACK
      ? valueRoot(this.#arena, ref)
      : 0;
  }

  /** Checks the invariants; for tests. */
  verify(ref: number): void {
    const root = valueRoot(this.#arena, ref);
    if (valueEncoding(this.#arena, ref) === HASH_TABLE) {
      this.#table.verify(root);
    } else if (root !== 0) {
      const step = valueEncoding(this.#arena, ref) === HASH_LISTPACK ? 2 : 3;
      assert(this.#listpacks.count(root) % step === 0, "fields have values");
    }
  }

  /** Adds a field that is not there. */
  #add(
    ref: number,
    fieldBuf: Uint8Array,
    fieldOff: number,
    fieldLength: number,
    buf: Uint8Array,
    off: number,
    length: number,
    expireAtMs: number,
  ): void {
    if (
      valueEncoding(this.#arena, ref) !== HASH_TABLE &&
      !this.#hasRoomFor(ref, fieldLength + length)
    ) {
      this.makeTable(ref);
      this.#hash = this.#table.nodes.hash(fieldBuf, fieldOff, fieldLength);
    }
    const root = valueRoot(this.#arena, ref);
    const encoding = valueEncoding(this.#arena, ref);
    if (encoding === HASH_TABLE) {
      return this.#table.add(
        root,
        fieldBuf,
        fieldOff,
        fieldLength,
        this.#hash,
        buf,
        off,
        length,
        expireAtMs,
      );
    }
    const made = this.#packed.add(
      root,
      encoding === HASH_LISTPACK_EX,
      fieldBuf,
      fieldOff,
      fieldLength,
      buf,
      off,
      length,
      expireAtMs,
    );
    setValueRoot(this.#arena, ref, made);
  }

  /** Whether a packed hash may have one more field. */
  #hasRoomFor(ref: number, bytes: number): boolean {
    const root = valueRoot(this.#arena, ref);
    return this.length(ref) < this.#limits.hashMaxListpackEntries &&
      this.#packed.end(root) + bytes <= PACKED_BYTES_MAX;
  }

  /** Makes room for expires in a packed hash. */
  makeExpiring(ref: number): void {
    if (valueEncoding(this.#arena, ref) !== HASH_LISTPACK) return;
    const root = valueRoot(this.#arena, ref);
    const made = root === 0 ? 0 : this.#packed.makeExpiring(root);
    setValue(this.#arena, ref, HASH_LISTPACK_EX, made);
  }

  /** Makes a packed hash a table. */
  makeTable(ref: number): void {
    if (valueEncoding(this.#arena, ref) === HASH_TABLE) return;
    const made = this.#tableFrom(this, ref);
    const packed = valueRoot(this.#arena, ref);
    if (packed !== 0) this.#listpacks.free(packed);
    setValue(this.#arena, ref, HASH_TABLE, made);
  }

  /** A table with the fields of a hash of any encoding. */
  #tableFrom(source: HashValue, sourceRef: number): number {
    const made = this.#table.create();
    this.#target = made;
    try {
      source.visitAll(sourceRef, this.#copier, -Infinity);
    } catch (cause) {
      this.#table.free(made);
      throw cause;
    }
    return made;
  }

  #visitNode(node: number, visitor: FieldVisitor, nowMs: number): void {
    const expireAtMs = this.#table.expireAt(node);
    if (expireAtMs !== 0 && expireAtMs <= nowMs) return;
    const field = this.#visitedField;
    const value = this.#visitedValue;
    this.#readField(node, field);
    this.#readValue(node, value);
    visitor.field(field, value, expireAtMs);
  }

  #readField(node: number, field: ListpackItem): void {
    field.isInteger = false;
    field.buf = this.#arena.u8[node >>> SEGMENT_SHIFT]!;
    field.off = this.#table.nodes.keyOff(node);
    field.length = this.#table.nodes.keyLength(node);
  }

  #readValue(node: number, value: ListpackItem): void {
    const { nodes } = this.#table;
    value.isInteger = false;
    value.buf = this.#arena.u8[node >>> SEGMENT_SHIFT]!;
    value.off = nodes.keyOff(node) + nodes.keyLength(node);
    value.length = nodes.more(node);
  }
}

/** Hands on as many of the fields that pass by as are wanted, at random. */
export class ChosenFields extends SelectionSampler implements FieldVisitor {
  readonly #visitor: FieldVisitor;

  /** `visitor` gets those that are chosen. */
  constructor(random: Prng, visitor: FieldVisitor) {
    super(random);
    this.#visitor = visitor;
  }

  /** Takes the next field. */
  field(field: ListpackItem, value: ListpackItem, expireAtMs: number): void {
    if (this.wanted === 0 || !this.takesNext()) return;
    this.#visitor.field(field, value, expireAtMs);
  }
}

/**
 * Hashes.
 *
 * ```text
 * encoding 0  listpack     field, value, field, value ...
 *          1  hashtable    hash_table.ts
 *          2  listpack     field, value, expireAtMs or 0, ... ("listpackex")
 * ```
 *
 * A packed hash becomes a table when it has more fields, or a longer field or
 * value, than the limits allow; when its first field is given an expire it gets
 * room for expires. There is no way back, as in Redis.
 *
 * A field that has expired is still there until somebody removes it
 * ({@linkcode HashValue.removeExpired}): whoever writes does so first, and who
 * reads passes it over, by the time that is passed to each method.
 *
 * To go through a hash: {@linkcode HashValue.visit} from {@linkcode
 * HashValue.firstPlace} to {@linkcode HashValue.endPlace}, each call giving the
 * next place. To read one field: {@linkcode HashValue.find}, then `value`.
 *
 * @module
 */

import type { Prng } from "../base/prng.ts";
import { IntegerSet, SelectionSampler } from "../base/sampling.ts";
import { type Arena, SEGMENT_SHIFT } from "../memory/arena.ts";
import type { NodeVisitor } from "../memory/dict.ts";
import type { Heap } from "../memory/heap.ts";
import {
  LISTPACK_HEADER_BYTES,
  ListpackItem,
  type Listpacks,
} from "../memory/listpack.ts";
import { setValue, setValueRoot, valueEncoding, valueRoot } from "./entry.ts";
import { HashTable } from "./hash_table.ts";
import type { EncodingLimits, ValueMemory, ValueType } from "./value_type.ts";

/** Pairs in a listpack. */
export const HASH_LISTPACK = 0;
/** A table of fields. */
export const HASH_TABLE = 1;
/** Triples in a listpack. */
export const HASH_LISTPACK_EX = 2;

/** Leaves the expire of a field as it is. */
export const KEEP_EXPIRE = -1;

/** Draws that may hit expired fields before one is looked for. */
const DRAWS_MAX = 100;

/** Bytes of a packed hash above which it becomes a table in any case. */
const PACKED_BYTES_MAX = 1 << 20;

/** Takes the fields of a hash, one after the other. */
export interface FieldVisitor {
  /** A field, its value, and when it expires; 0 for never. */
  field(
    fieldBuf: Uint8Array,
    fieldOff: number,
    fieldLength: number,
    buf: Uint8Array,
    off: number,
    length: number,
    expireAtMs: number,
  ): void;
}

/** The hashes of one keyspace, by their entries. */
export class HashValue implements ValueType {
  readonly encodingNames: readonly string[] = [
    "listpack",
    "hashtable",
    "listpackex",
  ];
  /** The value that was found. */
  readonly value: ListpackItem = new ListpackItem();
  /** The field that was drawn. */
  readonly field: ListpackItem = new ListpackItem();
  /** When the field that was found expires; 0 for never. */
  expireAtMs = 0;
  readonly #arena: Arena;
  readonly #heap: Heap;
  readonly #listpacks: Listpacks;
  readonly #table: HashTable;
  readonly #limits: EncodingLimits;
  readonly #memory: ValueMemory;
  /** Where the found field is: position in the listpack, or node. */
  #found = 0;
  readonly #third = new ListpackItem();
  /** The hash that fields are copied to. */
  #target = 0;
  readonly #copier: FieldVisitor = {
    field: (fieldBuf, fieldOff, fieldLength, buf, off, length, expireAtMs) => {
      this.#table.add(
        this.#target,
        fieldBuf,
        fieldOff,
        fieldLength,
        this.#table.nodes.hash(fieldBuf, fieldOff, fieldLength),
        buf,
        off,
        length,
        expireAtMs,
      );
    },
  };

  /** Keeps what it visits in `field` and `value`. */
  readonly #keeper: FieldVisitor = {
    field: (fieldBuf, fieldOff, fieldLength, buf, off, length) => {
      const { field, value } = this;
      field.buf = fieldBuf;
      field.off = fieldOff;
      field.length = fieldLength;
      value.buf = buf;
      value.off = off;
      value.length = length;
    },
  };

  /** One object per keyspace. */
  constructor(memory: ValueMemory) {
    this.#memory = memory;
    this.#arena = memory.arena;
    this.#heap = memory.heap;
    this.#listpacks = memory.listpacks;
    this.#table = new HashTable(memory);
    this.#limits = memory.limits;
  }

  /** Fields, expired ones that are still there included. */
  length(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    if (root === 0) return 0;
    switch (valueEncoding(this.#arena, ref)) {
      case HASH_TABLE:
        return this.#table.nodes.count(root);
      case HASH_LISTPACK_EX:
        return this.#listpacks.count(root) / 3;
      default:
        return this.#listpacks.count(root) >>> 1;
    }
  }

  /** Fields that have not expired. */
  liveLength(ref: number, nowMs: number): number {
    const length = this.length(ref);
    if (this.expiresFrom(ref) > nowMs) return length;
    const counter = new LiveCounter();
    const end = this.endPlace(ref);
    for (let place = this.firstPlace(ref); place < end;) {
      place = this.visit(ref, place, counter, nowMs);
    }
    return counter.count;
  }

  /** Finds a field that has not expired; `value` and `expireAtMs` tell of it. */
  find(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    nowMs: number,
  ): boolean {
    const root = valueRoot(this.#arena, ref);
    const encoding = valueEncoding(this.#arena, ref);
    this.expireAtMs = 0;
    if (encoding === HASH_TABLE) {
      const node = this.#table.nodes.find(root, buf, off, length);
      this.#found = node;
      if (node === 0) return false;
      this.expireAtMs = this.#table.expireAt(node);
      if (this.expireAtMs !== 0 && this.expireAtMs <= nowMs) return false;
      this.#readValue(node);
      return true;
    }
    if (root === 0) return false;
    const listpacks = this.#listpacks;
    const pos = listpacks.find(
      root,
      listpacks.first(root),
      buf,
      off,
      length,
      encoding === HASH_LISTPACK ? 1 : 2,
    );
    this.#found = pos;
    if (pos === 0) return false;
    const valuePos = listpacks.next(root, pos);
    listpacks.read(root, valuePos, this.value);
    if (encoding === HASH_LISTPACK) return true;
    listpacks.read(root, listpacks.next(root, valuePos), this.#third);
    this.expireAtMs = this.#third.integer;
    return this.expireAtMs === 0 || this.expireAtMs > nowMs;
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
    if (
      (fieldLength > limit || length > limit) &&
      valueEncoding(this.#arena, ref) !== HASH_TABLE
    ) this.#makeTable(ref);
    if (expireAtMs > 0) this.#makeExpiring(ref);
    const found = this.find(ref, fieldBuf, fieldOff, fieldLength, -Infinity);
    const expires = expireAtMs !== KEEP_EXPIRE
      ? expireAtMs
      : found
      ? this.expireAtMs
      : 0;
    if (valueEncoding(this.#arena, ref) === HASH_TABLE) {
      const root = valueRoot(this.#arena, ref);
      if (found) {
        this.#table.set(root, this.#found, buf, off, length, expires);
      } else {
        const hash = this.#table.nodes.hash(fieldBuf, fieldOff, fieldLength);
        this.#table.add(
          root,
          fieldBuf,
          fieldOff,
          fieldLength,
          hash,
          buf,
          off,
          length,
          expires,
        );
      }
      return !found;
    }
    if (found) this.#setPacked(ref, buf, off, length, expires);
    else {
      this.#addPacked(
        ref,
        fieldBuf,
        fieldOff,
        fieldLength,
        buf,
        off,
        length,
        expires,
      );
    }
    return !found;
  }

  /** Removes a field; false if it is not there. */
  remove(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): boolean {
    if (!this.find(ref, buf, off, length, -Infinity)) return false;
    this.removeFound(ref);
    return true;
  }

  /** Removes the field that was found last, nothing having changed since. */
  removeFound(ref: number): void {
    const root = valueRoot(this.#arena, ref);
    switch (valueEncoding(this.#arena, ref)) {
      case HASH_TABLE:
        return this.#table.remove(root, this.#found);
      case HASH_LISTPACK:
        return setValueRoot(
          this.#arena,
          ref,
          this.#listpacks.remove(root, this.#found, 2),
        );
      default:
        setValueRoot(
          this.#arena,
          ref,
          this.#listpacks.remove(root, this.#found, 3),
        );
    }
  }

  /** Gives a field that is there another expire, 0 for never. */
  setExpire(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    expireAtMs: number,
  ): void {
    if (expireAtMs !== 0) this.#makeExpiring(ref);
    if (!this.find(ref, buf, off, length, -Infinity)) return;
    const root = valueRoot(this.#arena, ref);
    const encoding = valueEncoding(this.#arena, ref);
    if (encoding === HASH_TABLE) {
      this.#table.setExpire(root, this.#found, expireAtMs);
    } else if (encoding === HASH_LISTPACK_EX) {
      this.#setPackedExpire(ref, this.#found, expireAtMs);
    }
  }

  /** Whether any field expires. */
  hasExpires(ref: number): boolean {
    return this.expiresFrom(ref) !== Infinity;
  }

  /** No field expires before this moment; Infinity if none expires. */
  expiresFrom(ref: number): number {
    const root = valueRoot(this.#arena, ref);
    const encoding = valueEncoding(this.#arena, ref);
    if (encoding === HASH_LISTPACK || root === 0) return Infinity;
    if (encoding === HASH_TABLE) return this.#table.expiresFrom(root);
    let least = Infinity;
    const listpacks = this.#listpacks;
    let pos = listpacks.seek(root, 2);
    while (pos !== 0) {
      listpacks.read(root, pos, this.#third);
      const n = this.#third.integer;
      if (n !== 0 && n < least) least = n;
      pos = this.#skip(root, pos, 3);
    }
    return least;
  }

  /**
   * Removes fields that have expired, having looked at about `budget` of those
   * that expire; returns how many.
   */
  removeExpired(ref: number, nowMs: number, budget: number): number {
    if (this.expiresFrom(ref) > nowMs) return 0;
    const root = valueRoot(this.#arena, ref);
    if (valueEncoding(this.#arena, ref) === HASH_TABLE) {
      return this.#table.removeExpired(root, nowMs, budget);
    }
    const listpacks = this.#listpacks;
    let removed = 0;
    let blob = root;
    for (let pos = listpacks.first(blob); pos !== 0;) {
      const third = this.#skip(blob, pos, 2);
      listpacks.read(blob, third, this.#third);
      const n = this.#third.integer;
      if (n === 0 || n > nowMs) pos = listpacks.next(blob, third);
      else {
        const isLast = listpacks.next(blob, third) === 0;
        blob = listpacks.remove(blob, pos, 3);
        removed++;
        if (isLast) pos = 0;
      }
    }
    setValueRoot(this.#arena, ref, blob);
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
    if (root === 0) return 0;
    return valueEncoding(this.#arena, ref) === HASH_TABLE
      ? this.#table.nodes.buckets(root)
      : this.#listpacks.bytes(root) - 1;
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
    const listpacks = this.#listpacks;
    const { field, value } = this;
    listpacks.read(root, place, field);
    let pos = listpacks.next(root, place);
    listpacks.read(root, pos, value);
    let expireAtMs = 0;
    if (encoding === HASH_LISTPACK_EX) {
      pos = listpacks.next(root, pos);
      listpacks.read(root, pos, this.#third);
      expireAtMs = this.#third.integer;
    }
    if (expireAtMs === 0 || expireAtMs > nowMs) {
      visitor.field(
        field.buf,
        field.off,
        field.length,
        value.buf,
        value.off,
        value.length,
        expireAtMs,
      );
    }
    return listpacks.next(root, pos) || this.endPlace(ref);
  }

  /**
   * Visits fields as {@linkcode Dict.scan} has it: those of one cursor position
   * of a table, or all of a packed hash. Returns the next cursor.
   */
  scan(
    ref: number,
    cursor: number,
    visitor: FieldVisitor,
    nowMs: number,
  ): number {
    if (valueEncoding(this.#arena, ref) === HASH_TABLE) {
      const visit: NodeVisitor = (node) =>
        this.#visitNode(node, visitor, nowMs);
      return this.#table.nodes.scan(valueRoot(this.#arena, ref), cursor, visit);
    }
    const end = this.endPlace(ref);
    for (let place = LISTPACK_HEADER_BYTES; place < end;) {
      place = this.visit(ref, place, visitor, nowMs);
    }
    return 0;
  }

  /**
   * Draws a live field at random into `field` and `value`; there must be one.
   */
  draw(ref: number, nowMs: number): void {
    for (let i = 0; i < DRAWS_MAX; i++) {
      this.#drawAny(ref);
      if (this.expireAtMs === 0 || this.expireAtMs > nowMs) return;
    }
    // Nearly all have expired.
    this.sample(ref, 1, this.#keeper, nowMs);
  }

  /** Visits `count` live fields, all sets of them equally likely. */
  sample(
    ref: number,
    count: number,
    visitor: FieldVisitor,
    nowMs: number,
  ): void {
    const { random } = this.#memory;
    const root = valueRoot(this.#arena, ref);
    const isTable = valueEncoding(this.#arena, ref) === HASH_TABLE;
    if (isTable && count * 4 < this.length(ref) && !this.hasExpires(ref)) {
      const drawn = new IntegerSet(count);
      for (let left = count; left > 0;) {
        const node = this.#table.nodes.draw(root);
        if (!drawn.add(node)) continue;
        this.#visitNode(node, visitor, nowMs);
        left--;
      }
      return;
    }
    const chosen = new ChosenFields(random, visitor);
    chosen.begin(count, this.liveLength(ref, nowMs));
    const end = this.endPlace(ref);
    for (let place = this.firstPlace(ref); place < end && chosen.wanted > 0;) {
      place = this.visit(ref, place, chosen, nowMs);
    }
  }

  #drawAny(ref: number): void {
    const root = valueRoot(this.#arena, ref);
    const encoding = valueEncoding(this.#arena, ref);
    if (encoding === HASH_TABLE) {
      const { nodes } = this.#table;
      const node = nodes.draw(root);
      this.expireAtMs = this.#table.expireAt(node);
      this.#readField(node);
      return this.#readValue(node);
    }
    const listpacks = this.#listpacks;
    const step = encoding === HASH_LISTPACK ? 2 : 3;
    const index = this.#memory.random.below(this.length(ref));
    let pos = listpacks.seek(root, index * step);
    listpacks.read(root, pos, this.field);
    pos = listpacks.next(root, pos);
    listpacks.read(root, pos, this.value);
    this.expireAtMs = 0;
    if (step === 3) {
      listpacks.read(root, listpacks.next(root, pos), this.#third);
      this.expireAtMs = this.#third.integer;
    }
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

  #addPacked(
    ref: number,
    fieldBuf: Uint8Array,
    fieldOff: number,
    fieldLength: number,
    buf: Uint8Array,
    off: number,
    length: number,
    expireAtMs: number,
  ): void {
    const listpacks = this.#listpacks;
    const encoding = valueEncoding(this.#arena, ref);
    const old = valueRoot(this.#arena, ref);
    // Room for all of it first, so that nothing is half done.
    let root = old === 0
      ? listpacks.create(fieldLength + length + 12)
      : listpacks.reserve(old, fieldLength + length + 24);
    root = listpacks.append(root, fieldBuf, fieldOff, fieldLength);
    root = listpacks.append(root, buf, off, length);
    if (encoding === HASH_LISTPACK_EX) {
      root = listpacks.appendInteger(root, expireAtMs);
    }
    setValueRoot(this.#arena, ref, root);
    if (
      this.length(ref) > this.#limits.hashMaxListpackEntries ||
      listpacks.bytes(root) > PACKED_BYTES_MAX
    ) this.#makeTable(ref);
  }

  #setPacked(
    ref: number,
    buf: Uint8Array,
    off: number,
    length: number,
    expireAtMs: number,
  ): void {
    const pos = this.#found;
    const listpacks = this.#listpacks;
    const root = valueRoot(this.#arena, ref);
    setValueRoot(
      this.#arena,
      ref,
      listpacks.replace(root, listpacks.next(root, pos), buf, off, length),
    );
    if (
      valueEncoding(this.#arena, ref) === HASH_LISTPACK_EX &&
      expireAtMs !== this.expireAtMs
    ) this.#setPackedExpire(ref, pos, expireAtMs);
  }

  #setPackedExpire(ref: number, pos: number, expireAtMs: number): void {
    const root = valueRoot(this.#arena, ref);
    const third = this.#skip(root, pos, 2);
    setValueRoot(
      this.#arena,
      ref,
      this.#listpacks.replaceInteger(root, third, expireAtMs),
    );
  }

  #skip(root: number, pos: number, elements: number): number {
    let at = pos;
    for (let i = 0; i < elements && at !== 0; i++) {
      at = this.#listpacks.next(root, at);
    }
    return at;
  }

  /** Makes room for expires in a packed hash. */
  #makeExpiring(ref: number): void {
    if (valueEncoding(this.#arena, ref) !== HASH_LISTPACK) return;
    const root = valueRoot(this.#arena, ref);
    const listpacks = this.#listpacks;
    if (root === 0) {
      return setValue(this.#arena, ref, HASH_LISTPACK_EX, 0);
    }
    // An expire of 0 takes two bytes.
    const room = listpacks.count(root);
    let made = listpacks.copyTo(root, listpacks);
    try {
      made = listpacks.reserve(made, room);
    } catch (cause) {
      listpacks.free(made);
      throw cause;
    }
    for (let pos = listpacks.first(made); pos !== 0;) {
      const value = listpacks.next(made, pos);
      const next = listpacks.next(made, value);
      made = listpacks.insertInteger(made, next, 0);
      pos = next === 0 ? 0 : listpacks.next(made, next);
    }
    listpacks.free(root);
    setValue(this.#arena, ref, HASH_LISTPACK_EX, made);
  }

  #makeTable(ref: number): void {
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
      const end = source.endPlace(sourceRef);
      for (let place = source.firstPlace(sourceRef); place < end;) {
        place = source.visit(sourceRef, place, this.#copier, -Infinity);
      }
    } catch (cause) {
      this.#table.free(made);
      throw cause;
    }
    return made;
  }

  #visitNode(node: number, visitor: FieldVisitor, nowMs: number): void {
    const { nodes } = this.#table;
    const expireAtMs = this.#table.expireAt(node);
    if (expireAtMs !== 0 && expireAtMs <= nowMs) return;
    const buf = nodes.bytesOf(node);
    const off = nodes.keyOff(node);
    const length = nodes.keyLength(node);
    visitor.field(
      buf,
      off,
      length,
      buf,
      off + length,
      nodes.more(node),
      expireAtMs,
    );
  }

  #readField(node: number): void {
    const { field } = this;
    field.isInteger = false;
    field.buf = this.#arena.u8[node >>> SEGMENT_SHIFT]!;
    field.off = this.#table.nodes.keyOff(node);
    field.length = this.#table.nodes.keyLength(node);
  }

  #readValue(node: number): void {
    const { value } = this;
    const { nodes } = this.#table;
    value.isInteger = false;
    value.buf = this.#arena.u8[node >>> SEGMENT_SHIFT]!;
    value.off = nodes.keyOff(node) + nodes.keyLength(node);
    value.length = nodes.more(node);
  }
}

/** Hands on as many fields as are wanted, at random. */
class ChosenFields extends SelectionSampler implements FieldVisitor {
  readonly #visitor: FieldVisitor;

  constructor(random: Prng, visitor: FieldVisitor) {
    super(random);
    this.#visitor = visitor;
  }

  field(
    fieldBuf: Uint8Array,
    fieldOff: number,
    fieldLength: number,
    buf: Uint8Array,
    off: number,
    length: number,
    expireAtMs: number,
  ): void {
    if (this.wanted === 0 || !this.takesNext()) return;
    this.#visitor.field(
      fieldBuf,
      fieldOff,
      fieldLength,
      buf,
      off,
      length,
      expireAtMs,
    );
  }
}

class LiveCounter implements FieldVisitor {
  count = 0;
  field(): void {
    this.count++;
  }
}

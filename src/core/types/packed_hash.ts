/**
 * Packed hashes: listpacks of pairs, or of triples once a field may expire.
 *
 * ```text
 * plain     field, value, field, value ...
 * expiring  field, value, expireAtMs or 0, ...
 * ```
 *
 * A method that changes a hash returns its listpack, which may have moved; it
 * throws OutOfMemory before it has changed anything. Listpack 0 is a hash
 * without fields. A field's place is the position of its first element.
 *
 * @module
 */

import { DOUBLE_ZERO } from "../base/steady_code.ts";
import {
  LISTPACK_EMPTY_BYTES,
  LISTPACK_HEADER_BYTES,
  ListpackItem,
  type Listpacks,
} from "../memory/listpack.ts";

/** Most bytes that a listpack needs beside a value's text, and for an expire. */
const EXPIRE_ROOM = 20;

/** Takes the fields of a hash, one after the other. */
export interface FieldVisitor {
  /**
   * A field, its value, and when it expires; 0 for never. Both are lent for the
   * call.
   */
  field(field: ListpackItem, value: ListpackItem, expireAtMs: number): void;
}

/** Operations on the packed hashes of one heap, by their listpacks. */
export class PackedHash {
  /** Position of the value of the field that was found. */
  valuePos = 0;
  /** When that field expires; 0 for never. */
  expireAtMs = DOUBLE_ZERO;
  /** Fields that were removed as expired. */
  removed = 0;
  /** When the field that was passed last expires, or Infinity. */
  #passed = Infinity;
  /** The field that was read last. */
  readonly field: ListpackItem = new ListpackItem();
  /** Its value. */
  readonly value: ListpackItem = new ListpackItem();
  readonly #listpacks: Listpacks;

  /** One object per keyspace. */
  constructor(listpacks: Listpacks) {
    this.#listpacks = listpacks;
  }

  /** Fields, expired ones included. */
  length(root: number, expires: boolean): number {
    if (root === 0) return 0;
    const count = this.#listpacks.count(root);
    return expires ? count / 3 : count >>> 1;
  }

  /** The place behind the last field. */
  end(root: number): number {
    return root === 0 ? 0 : this.#listpacks.bytes(root) - 1;
  }

  /** The place of a field, or 0; notes where its value is, and its expire. */
  find(
    root: number,
    expires: boolean,
    buf: Uint8Array,
    off: number,
    length: number,
  ): number {
    this.expireAtMs = 0;
    if (root === 0) return 0;
    const listpacks = this.#listpacks;
    const pos = listpacks.find(
      root,
      listpacks.first(root),
      buf,
      off,
      length,
      expires ? 2 : 1,
    );
    if (pos === 0) return 0;
    const valuePos = listpacks.behind(root, pos);
    this.valuePos = valuePos;
    if (expires) {
      const third = listpacks.behind(root, valuePos);
      this.expireAtMs = listpacks.integerAt(root, third);
    }
    return pos;
  }

  /** Reads the value of the field that was found into `value`. */
  read(root: number): void {
    this.#listpacks.read(root, this.valuePos, this.value);
  }

  /** The safe integer that the value that was found is, or NaN. */
  integer(root: number): number {
    return this.#listpacks.integerAt(root, this.valuePos);
  }

  /** A listpack with room for so many bytes of fields and values. */
  create(fields: number, bytes: number): number {
    // Short texts have two bytes of lengths each.
    return this.#listpacks.create(LISTPACK_EMPTY_BYTES + bytes + fields * 4);
  }

  /** Adds a field that is not there. */
  add(
    root: number,
    expires: boolean,
    fieldBuf: Uint8Array,
    fieldOff: number,
    fieldLength: number,
    buf: Uint8Array,
    off: number,
    length: number,
    expireAtMs: number,
  ): number {
    const listpacks = this.#listpacks;
    let made = root;
    if (root === 0 || expires) {
      const bytes = listpacks.encode(fieldBuf, fieldOff, fieldLength) +
        listpacks.encode(buf, off, length) + (expires ? EXPIRE_ROOM : 0);
      // From here on nothing can fail.
      made = root === 0
        ? listpacks.create(LISTPACK_EMPTY_BYTES + bytes)
        : listpacks.reserve(root, bytes);
    }
    made = listpacks.appendPair(
      made,
      fieldBuf,
      fieldOff,
      fieldLength,
      buf,
      off,
      length,
    );
    return expires ? listpacks.appendInteger(made, expireAtMs) : made;
  }

  /** Sets value and expire of the field that was found. */
  set(
    root: number,
    buf: Uint8Array,
    off: number,
    length: number,
    expireAtMs: number,
  ): number {
    const known = this.expireAtMs;
    // A greater number may need more bytes: it is written while it can fail.
    let made = expireAtMs > known
      ? this.#setExpire(root, expireAtMs, length + EXPIRE_ROOM)
      : root;
    made = this.#listpacks.replace(made, this.valuePos, buf, off, length);
    return expireAtMs < known ? this.#setExpire(made, expireAtMs, 0) : made;
  }

  /** Sets the value of the field that was found to a safe integer. */
  setInteger(root: number, n: number): number {
    return this.#listpacks.replaceInteger(root, this.valuePos, n);
  }

  /** Sets the expire of the field that was found. */
  setExpire(root: number, expireAtMs: number): number {
    return this.#setExpire(root, expireAtMs, EXPIRE_ROOM);
  }

  /** Removes the field at a place. */
  remove(root: number, expires: boolean, place: number): number {
    return this.#listpacks.remove(root, place, expires ? 3 : 2);
  }

  /** When the first field of an expiring hash expires, or Infinity. */
  expiresFrom(root: number): number {
    const end = this.end(root);
    let least = Infinity;
    for (let pos = LISTPACK_HEADER_BYTES; pos < end;) {
      pos = this.#passExpire(root, pos);
      if (this.#passed < least) least = this.#passed;
    }
    return least;
  }

  /** Fields of an expiring hash that have expired. */
  countExpired(root: number, nowMs: number): number {
    const end = this.end(root);
    let count = 0;
    for (let pos = LISTPACK_HEADER_BYTES; pos < end;) {
      pos = this.#passExpire(root, pos);
      if (this.#passed <= nowMs) count++;
    }
    return count;
  }

  /**
   * Removes up to `budget` fields of an expiring hash, after the visitor has
   * seen them; notes how many.
   */
  removeExpired(
    root: number,
    nowMs: number,
    budget: number,
    visitor: FieldVisitor | null,
  ): number {
    const listpacks = this.#listpacks;
    const end = this.end(root);
    const gone: number[] = [];
    this.removed = 0;
    for (let pos = LISTPACK_HEADER_BYTES; pos < end && this.removed < budget;) {
      const next = this.#passExpire(root, pos);
      if (this.#passed <= nowMs) {
        const second = listpacks.behind(root, pos);
        gone.push(pos, second, listpacks.behind(root, second));
        if (visitor !== null) this.visit(root, true, pos, visitor, -Infinity);
        this.removed++;
      }
      pos = next;
    }
    return listpacks.removeEach(root, gone, gone.length);
  }

  /** Passes a field of an expiring hash, and notes when it expires. */
  #passExpire(root: number, place: number): number {
    const third = this.#third(root, place);
    this.#passed = this.#listpacks.integerAt(root, third) || Infinity;
    return this.#listpacks.behind(root, third);
  }

  /** Visits the field at a place, unless it has expired; the next place. */
  visit(
    root: number,
    expires: boolean,
    place: number,
    visitor: FieldVisitor,
    nowMs: number,
  ): number {
    const next = this.readAt(root, expires, place);
    const { expireAtMs } = this;
    if (expireAtMs === 0 || expireAtMs > nowMs) {
      visitor.field(this.field, this.value, expireAtMs);
    }
    return next;
  }

  /** Reads field number `index` into `field` and `value`. */
  readNth(root: number, expires: boolean, index: number): void {
    const place = this.#listpacks.seek(root, index * (expires ? 3 : 2));
    this.readAt(root, expires, place);
  }

  /** An expiring hash of the fields of a plain one, which is freed. */
  makeExpiring(root: number): number {
    const listpacks = this.#listpacks;
    const { field, value } = this;
    const end = this.end(root);
    // An expire of 0 takes two bytes.
    let made = listpacks.create(listpacks.bytes(root) + listpacks.count(root));
    for (let pos = LISTPACK_HEADER_BYTES; pos < end;) {
      pos = this.readAt(root, false, pos);
      made = listpacks.appendPair(
        made,
        field.buf,
        field.off,
        field.length,
        value.buf,
        value.off,
        value.length,
      );
      made = listpacks.appendInteger(made, 0);
    }
    listpacks.free(root);
    return made;
  }

  /** Reads the field at a place; returns the next place. */
  readAt(root: number, expires: boolean, place: number): number {
    const listpacks = this.#listpacks;
    let pos = listpacks.read(root, place, this.field);
    pos = listpacks.read(root, pos, this.value);
    if (!expires) {
      this.expireAtMs = 0;
      return pos;
    }
    this.expireAtMs = listpacks.integerAt(root, pos);
    return listpacks.behind(root, pos);
  }

  /** Writes the expire after room was made for `room` bytes, if not 0. */
  #setExpire(root: number, expireAtMs: number, room: number): number {
    const listpacks = this.#listpacks;
    const made = room > 0 ? listpacks.reserve(root, room) : root;
    const third = listpacks.behind(made, this.valuePos);
    return listpacks.replaceInteger(made, third, expireAtMs);
  }

  /** The expire of the field at a place. */
  #third(root: number, place: number): number {
    const listpacks = this.#listpacks;
    return listpacks.behind(root, listpacks.behind(root, place));
  }
}

/**
 * The patterns of SORT's BY and GET: what belongs to an element.
 *
 * ```text
 * #             the element itself
 * weight_*      the string at the key that the element makes of the first star
 * data_*->age   the field of the hash at that key
 * nosort        without a star: nothing
 * ```
 *
 * As in Redis, a pattern is searched for stars and arrows up to its first NUL,
 * but used with all of its bytes.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ByteRefs } from "../memory/byte_refs.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { TYPE_HASH, TYPE_STRING } from "../types/entry.ts";
import type { Call } from "./call.ts";
import { replyString } from "./string_value.ts";

const NUL = 0;
const HASH = 0x23;
const STAR = 0x2a;
const DASH = 0x2d;
const GREATER = 0x3e;

/** One pattern of the running command; what it finds are some bytes. */
export class SortPattern {
  /** Whether it is a lone `#`. */
  readonly isElement: boolean;
  /** Whether it makes names of keys. */
  readonly namesKeys: boolean;
  /** What was found: the view that holds it, ... */
  buf: Uint8Array = new Uint8Array(0);
  /** ... where it begins there, ... */
  off = 0;
  /** ... and how long it is. */
  length = 0;
  readonly #call: Call;
  readonly #source: Uint8Array;
  readonly #off: number;
  /** Bytes before the star. */
  readonly #prefix: number;
  /** Bytes of the key behind the star. */
  readonly #suffix: number;
  /** Where the field begins, or 0. */
  readonly #fieldOff: number;
  readonly #fieldLength: number;
  /** The string that was found, if it is one of a key; or 0. */
  #string = 0;
  #space: Keyspace | null = null;
  /** The name of a key. */
  #name = new Uint8Array(64);
  #nameLength = 0;

  /** The pattern in argument `i`. */
  constructor(call: Call, i: number) {
    const source = call.args.source(i);
    const off = call.args.off[i]!;
    const end = off + call.args.length[i]!;
    this.#call = call;
    this.#source = source;
    this.#off = off;
    this.isElement = end > off && source[off] === HASH &&
      (end === off + 1 || source[off + 1] === NUL);
    const star = positionOf(source, off, end, STAR);
    const arrow = star < 0 ? -1 : positionOfArrow(source, star + 1, end);
    const keyEnd = arrow < 0 ? end : arrow;
    this.namesKeys = star >= 0;
    this.#prefix = star - off;
    this.#suffix = keyEnd - star - 1;
    this.#fieldOff = arrow < 0 ? 0 : arrow + 2;
    this.#fieldLength = arrow < 0 ? 0 : end - arrow - 2;
  }

  /** Finds what belongs to an element; false if there is nothing. */
  find(elements: ByteRefs, i: number): boolean {
    this.#string = 0;
    if (this.isElement) {
      this.buf = elements.buf(i);
      this.off = elements.off(i);
      this.length = elements.length(i);
      return true;
    }
    if (!this.namesKeys) return false;
    const call = this.#call;
    this.#makeName(elements, i);
    const key = call.otherKey(this.#name, 0, this.#nameLength);
    const space = call.keyspace(key);
    const ref = space.lookupRead(call.db, key, call.nowMs);
    if (ref === 0) return false;
    return this.#fieldOff === 0
      ? this.#readString(space, ref)
      : this.#readField(space, ref);
  }

  /** Whether what belongs to an element is locked for writing: not to be seen. */
  isLocked(elements: ByteRefs, i: number): boolean {
    if (this.isElement || !this.namesKeys) return false;
    const call = this.#call;
    this.#makeName(elements, i);
    const { buf, off, length, hash, shard } = call.otherKey(
      this.#name,
      0,
      this.#nameLength,
    );
    const { locks } = call.keyspaces[shard]!;
    const node = locks.find(call.db, buf, off, length, hash);
    return node !== 0 && locks.isWriteHeld(node);
  }

  /** Replies what {@linkcode SortPattern.find} has found. */
  reply(reply: ReplyWriter): void {
    if (this.#string !== 0) replyString(reply, this.#space!, this.#string);
    else reply.bulk(this.buf, this.off, this.length);
  }

  #readString(space: Keyspace, ref: number): boolean {
    if (space.type(ref) !== TYPE_STRING) return false;
    this.#space = space;
    this.#string = ref;
    this.buf = space.strings.bytes(ref);
    this.off = space.strings.off(ref);
    this.length = space.strings.length(ref);
    return true;
  }

  #readField(space: Keyspace, ref: number): boolean {
    if (space.type(ref) !== TYPE_HASH) return false;
    const { hashes } = space.values;
    const isThere = hashes.find(
      ref,
      this.#source,
      this.#fieldOff,
      this.#fieldLength,
      this.#call.nowMs,
    );
    if (!isThere) return false;
    this.buf = hashes.value.buf;
    this.off = hashes.value.off;
    this.length = hashes.value.length;
    return true;
  }

  /** Puts the element in the place of the star. */
  #makeName(elements: ByteRefs, i: number): void {
    const length = elements.length(i);
    const total = this.#prefix + length + this.#suffix;
    if (total > this.#name.length) this.#name = new Uint8Array(total * 2);
    const name = this.#name;
    const source = this.#source;
    copyBytes(source, this.#off, name, 0, this.#prefix);
    copyBytes(elements.buf(i), elements.off(i), name, this.#prefix, length);
    const suffixOff = this.#off + this.#prefix + 1;
    copyBytes(source, suffixOff, name, this.#prefix + length, this.#suffix);
    this.#nameLength = total;
  }
}

/** Where a byte is, before the first NUL; or -1. */
function positionOf(
  buf: Uint8Array,
  off: number,
  end: number,
  byte: number,
): number {
  for (let at = off; at < end && buf[at] !== NUL; at++) {
    if (buf[at] === byte) return at;
  }
  return -1;
}

/** Where the first arrow is, if something follows it; or -1. */
function positionOfArrow(buf: Uint8Array, off: number, end: number): number {
  for (let at = off; at + 2 < end && buf[at] !== NUL; at++) {
    if (buf[at] === DASH && buf[at + 1] === GREATER) {
      return buf[at + 2] === NUL ? -1 : at;
    }
  }
  return -1;
}

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
import { halfSipHash } from "../base/half_siphash.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ByteRefs } from "../memory/byte_refs.ts";
import { type KnownKey, LONG_KEY_BYTES } from "../memory/known_keys.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { STRING_EXTERNAL, TYPE_HASH, TYPE_STRING } from "../types/entry.ts";
import type { Call } from "./call.ts";
import { knownKey, type LookedFor } from "./compared_arguments.ts";
import { replyString } from "./string_value.ts";

const NUL = 0;
const HASH = 0x23;
const STAR = 0x2a;
const DASH = 0x2d;
const GREATER = 0x3e;

/** No name was made so far; then there is room for so many bytes. */
const NO_NAME = new Uint8Array(0);
const NAME_BYTES_MIN = 64;

/** One pattern of a command; what it finds are some bytes. */
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
  bytes = 0;
  /** The name that was made last, as long as {@linkcode nameLength} says. */
  name: Uint8Array<ArrayBuffer> = NO_NAME;
  /** Bytes of that name. */
  nameLength = 0;
  /** Number of its field among those that are asked for, or -1 for none. */
  fieldNumber = -1;
  readonly #source: Uint8Array;
  readonly #off: number;
  /** Bytes of the pattern. */
  readonly #length: number;
  /** Bytes before the star. */
  readonly #prefix: number;
  /** Bytes of the key behind the star. */
  readonly #suffix: number;
  /** Where the field begins, or -1. */
  readonly #fieldOff: number;
  readonly #fieldLength: number;
  /** What is known of its field, if that is long. */
  #knownField: KnownKey | null = null;
  /** The string that was found, if it is one of a key; or 0. */
  #string = 0;
  #space: Keyspace | null = null;

  /** The pattern that these bytes are, which must stay as they are. */
  constructor(source: Uint8Array, off: number, length: number) {
    const end = off + length;
    this.#source = source;
    this.#off = off;
    this.#length = length;
    this.isElement = end > off && source[off] === HASH &&
      (end === off + 1 || source[off + 1] === NUL);
    const star = positionOf(source, off, end, STAR);
    const arrow = star < 0 ? -1 : positionOfArrow(source, star + 1, end);
    const keyEnd = arrow < 0 ? end : arrow;
    this.namesKeys = star >= 0;
    this.#prefix = star - off;
    this.#suffix = keyEnd - star - 1;
    this.#fieldOff = arrow < 0 ? -1 : arrow + 2;
    this.#fieldLength = arrow < 0 ? 0 : end - arrow - 2;
  }

  /** The same pattern, of bytes that are its own. */
  copy(): SortPattern {
    const from = this.#off;
    const bytes = this.#source.slice(from, from + this.#length);
    return new SortPattern(bytes, 0, bytes.length);
  }

  /** Bytes of the pattern. */
  get length(): number {
    return this.#length;
  }

  /** What all names that it makes begin with. */
  get prefix(): Uint8Array {
    return this.#source.subarray(this.#off, this.#off + this.#prefix);
  }

  /** What they all end with. */
  get suffix(): Uint8Array {
    const from = this.#off + this.#prefix + 1;
    return this.#source.subarray(from, from + this.#suffix);
  }

  /** The field of a hash that it asks for, or null if it asks for a string. */
  get field(): Uint8Array | null {
    const from = this.#fieldOff;
    return from < 0
      ? null
      : this.#source.subarray(from, from + this.#fieldLength);
  }

  /** Whether its field is one that takes long to be looked for. */
  get hasLongField(): boolean {
    return this.#fieldLength >= LONG_KEY_BYTES;
  }

  /** That field, to be looked for. */
  lookedFor([seed0, seed1]: readonly [number, number]): LookedFor {
    const buf = this.#source;
    const off = this.#fieldOff;
    const length = this.#fieldLength;
    const key = this.#knownField ??= knownKey(
      halfSipHash(buf, off, length, seed0, seed1),
    );
    key.nodes.clear();
    return { buf, off, length, key, at: 0 };
  }

  /**
   * Finds what belongs to an element, for the command of a call that holds all
   * latches; false if there is nothing.
   */
  find(call: Call, elements: ByteRefs, i: number): boolean {
    this.#string = 0;
    if (this.isElement) {
      this.buf = elements.buf(i);
      this.off = elements.off(i);
      this.bytes = elements.length(i);
      return true;
    }
    if (!this.namesKeys) return false;
    this.makeName(elements, i);
    const key = call.otherKey(this.name, 0, this.nameLength);
    const space = call.keyspace(key);
    const ref = space.lookupRead(call.db, key, call.nowMs);
    return ref !== 0 && this.read(space, ref, call.nowMs);
  }

  /** Finds what belongs to an element in the entry that has the name made last. */
  read(space: Keyspace, ref: number, nowMs: number): boolean {
    this.#string = 0;
    return this.#fieldOff < 0
      ? this.#readString(space, ref)
      : this.#readField(space, ref, nowMs);
  }

  /** The run that all of what was found lies in, or 0 if it lies elsewhere. */
  get run(): number {
    const string = this.#string;
    return string !== 0 && this.#space!.encoding(string) === STRING_EXTERNAL
      ? this.#space!.valueRef(string)
      : 0;
  }

  /** Whether what belongs to an element is locked for writing: not to be seen. */
  isLocked(call: Call, elements: ByteRefs, i: number): boolean {
    if (this.isElement || !this.namesKeys) return false;
    this.makeName(elements, i);
    const { buf, off, length, hash, shard } = call.otherKey(
      this.name,
      0,
      this.nameLength,
    );
    const { locks } = call.keyspaces[shard]!;
    const node = locks.find(call.db, buf, off, length, hash);
    return node !== 0 && locks.isWriteHeld(node);
  }

  /** Replies what {@linkcode SortPattern.find} has found. */
  reply(reply: ReplyWriter): void {
    if (this.#string !== 0) replyString(reply, this.#space!, this.#string);
    else reply.bulk(this.buf, this.off, this.bytes);
  }

  #readString(space: Keyspace, ref: number): boolean {
    if (space.type(ref) !== TYPE_STRING) return false;
    this.#space = space;
    this.#string = ref;
    this.buf = space.strings.bytes(ref);
    this.off = space.strings.off(ref);
    this.bytes = space.strings.length(ref);
    return true;
  }

  #readField(space: Keyspace, ref: number, nowMs: number): boolean {
    if (space.type(ref) !== TYPE_HASH) return false;
    const { hashes } = space.values;
    const isThere = hashes.find(
      ref,
      this.#source,
      this.#fieldOff,
      this.#fieldLength,
      nowMs,
    );
    if (!isThere) return false;
    this.buf = hashes.value.buf;
    this.off = hashes.value.off;
    this.bytes = hashes.value.length;
    return true;
  }

  /** Puts the element in the place of the star. */
  makeName(elements: ByteRefs, i: number): void {
    const length = elements.length(i);
    const total = this.#prefix + length + this.#suffix;
    if (total > this.name.length) {
      this.name = new Uint8Array(Math.max(NAME_BYTES_MIN, total * 2));
    }
    const { name } = this;
    const source = this.#source;
    copyBytes(source, this.#off, name, 0, this.#prefix);
    copyBytes(elements.buf(i), elements.off(i), name, this.#prefix, length);
    const suffixOff = this.#off + this.#prefix + 1;
    copyBytes(source, suffixOff, name, this.#prefix + length, this.#suffix);
    this.nameLength = total;
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

/**
 * Digests of data: twenty bytes that depend on keys and values and on nothing
 * else, neither on order nor on encodings nor on when keys expire. The same data
 * has the same digest in Redis 7.2.
 *
 * ```text
 * of a key        mix(key), then that of its value
 * of a value      mix(type), then by type, then combine("!!expire!!") if it expires
 *   string        mix(bytes)
 *   list          for each element: mix(bytes)
 *   set           for each member: combine(bytes)
 *   sorted set    for each member: combine(digest of mix(bytes), mix(score))
 *   hash          for each field: combine(digest of mix(field), mix(value))
 *   stream        for each entry: mix(ms.seq), for each field: mix, mix(value)
 * of a database   mix(number), then combine(digest of each key)
 *
 * combine(x)      digest = digest xor SHA1(x)             x in any order
 * mix(x)          digest = SHA1(digest xor SHA1(x))       the order matters
 * ```
 *
 * @module
 */

import { latin1BytesOf } from "../base/bytes.ts";
import { formatShortestDouble } from "../base/double.ts";
import { BLOCK_BYTES, LongSha1, sha1 } from "../base/sha1.ts";
import {
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_STRING,
  TYPE_ZSET,
} from "../types/entry.ts";
import { ListpackItem, readElement } from "../memory/listpack.ts";
import { elementBytes } from "../memory/listpack_format.ts";
import type { FieldVisitor } from "../types/hash_value.ts";
import type { RunVisitor } from "../types/list_value.ts";
import type { MemberVisitor } from "../types/set_value.ts";
import type { ScoredVisitor } from "../types/zset_range.ts";
import { StreamId } from "../types/stream_id.ts";
import type { Keyspace } from "./keyspace.ts";

const DIGEST_BYTES = 20;
/** Bytes of a string that are taken in in one step. */
const STEP_BYTES = 512 * BLOCK_BYTES;
/** Elements that are. */
const STEP_ELEMENTS = 32;
const EXPIRES = new TextEncoder().encode("!!expire!!");
const FIELD_EXPIRES = new TextEncoder().encode("!!hexpire!!");

/** A digest under way. */
export class Digest {
  readonly #sum = new Uint8Array(DIGEST_BYTES);

  /** Begins anew. */
  reset(): void {
    this.#sum.fill(0);
  }

  /** Takes bytes in so that their order matters. */
  mix(buf: Uint8Array, off: number, length: number): void {
    this.combine(buf, off, length);
    this.#sum.set(sha1(this.#sum));
  }

  /** Takes bytes in so that their order does not matter. */
  combine(buf: Uint8Array, off: number, length: number): void {
    this.#combineHash(sha1(buf.subarray(off, off + length)));
  }

  #combineHash(hash: Uint8Array): void {
    for (let i = 0; i < DIGEST_BYTES; i++) {
      this.#sum[i] = this.#sum[i]! ^ hash[i]!;
    }
  }

  /** As {@linkcode mix}, of many bytes and in small steps. */
  *mixInSteps(
    buf: Uint8Array,
    off: number,
    length: number,
  ): Generator<void, void> {
    const sum = new LongSha1();
    const end = off + length;
    let at = off;
    for (; end - at > STEP_BYTES; at += STEP_BYTES) {
      sum.add(buf.subarray(at, at + STEP_BYTES));
      yield;
    }
    this.#combineHash(sum.end(buf.subarray(at, end)));
    this.#sum.set(sha1(this.#sum));
  }

  /** Takes a number of 32 bits in, high byte first. */
  mixInteger(n: number): void {
    this.mix(Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n), 0, 4);
  }

  /** Takes another digest in. */
  combineDigest(other: Digest): void {
    this.combine(other.#sum, 0, DIGEST_BYTES);
  }

  /**
   * Takes in what another has combined since it was new, as if this one had.
   */
  join(other: Digest): void {
    this.#combineHash(other.#sum);
  }

  /** The digest in hexadecimal. */
  get hex(): string {
    return [...this.#sum]
      .map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
}

/** Takes the value of an entry in. */
export function digestValue(
  digest: Digest,
  space: Keyspace,
  ref: number,
): void {
  const steps = space.type(ref) === TYPE_STRING
    ? digestString(
      digest,
      space.strings.bytes(ref),
      space.strings.off(ref),
      space.strings.length(ref),
    )
    : digestCollection(digest, space, ref);
  for (const _ of steps);
  if (space.expireAt(ref) !== 0) digestExpire(digest);
}

/** Takes in that a key expires, behind its value. */
export function digestExpire(digest: Digest): void {
  digest.combine(EXPIRES, 0, EXPIRES.length);
}

/** Takes a string in, in small steps. */
export function* digestString(
  digest: Digest,
  buf: Uint8Array,
  off: number,
  length: number,
): Generator<void, void> {
  digest.mixInteger(TYPE_STRING);
  yield* digest.mixInSteps(buf, off, length);
}

/**
 * Takes a collection in, in small steps: that of an entry, or of a reading
 * (shared_value.ts), which needs no latch.
 */
export function* digestCollection(
  digest: Digest,
  space: Keyspace,
  ref: number,
): Generator<void, void> {
  const type = space.type(ref);
  digest.mixInteger(type);
  switch (type) {
    case TYPE_LIST:
      return yield* digestList(digest, space, ref);
    case TYPE_SET:
      return yield* digestSet(digest, space, ref);
    case TYPE_ZSET:
      return yield* digestZset(digest, space, ref);
    case TYPE_HASH:
      return yield* digestHash(digest, space, ref);
    case TYPE_STREAM:
      return yield* digestStream(digest, space, ref);
  }
}

type Steps = Generator<void, void>;

function* digestList(digest: Digest, space: Keyspace, ref: number): Steps {
  const { lists } = space.values;
  const item = new ListpackItem();
  const visitor: RunVisitor = {
    packed(buf, at, count) {
      for (let i = 0; i < count; i++) {
        readElement(buf, at, item);
        digest.mix(item.buf, item.off, item.length);
        at += elementBytes(buf, at);
      }
    },
    plain(buf, off, length) {
      digest.mix(buf, off, length);
    },
  };
  const length = lists.length(ref);
  for (let i = 0; i < length;) {
    i = lists.visitRun(ref, i, Math.min(i + STEP_ELEMENTS, length), visitor);
    yield;
  }
}

function* digestSet(digest: Digest, space: Keyspace, ref: number): Steps {
  const { sets } = space.values;
  const visitor: MemberVisitor = {
    member(member) {
      const buf = member.text();
      digest.combine(buf, member.off, member.length);
    },
  };
  const end = sets.endPlace(ref);
  for (let place = sets.firstPlace(ref); place < end;) {
    place = sets.visit(ref, place, visitor);
    yield;
  }
}

function* digestZset(digest: Digest, space: Keyspace, ref: number): Steps {
  const { zsets } = space.values;
  const one = new Digest();
  const visitor: ScoredVisitor = {
    member(buf, off, length, score) {
      one.reset();
      one.mix(buf, off, length);
      const text = latin1BytesOf(formatShortestDouble(score));
      one.mix(text, 0, text.length);
      digest.combineDigest(one);
    },
  };
  const length = zsets.length(ref);
  for (let i = 0; i < length; i += STEP_ELEMENTS) {
    const count = Math.min(STEP_ELEMENTS, length - i);
    zsets.visit(ref, i, count, false, visitor);
    yield;
  }
}

function* digestHash(digest: Digest, space: Keyspace, ref: number): Steps {
  const { hashes } = space.values;
  const one = new Digest();
  const visitor: FieldVisitor = {
    field(field, value, expireAtMs) {
      one.reset();
      one.mix(field.buf, field.off, field.length);
      one.mix(value.buf, value.off, value.length);
      if (expireAtMs !== 0) {
        one.combine(FIELD_EXPIRES, 0, FIELD_EXPIRES.length);
      }
      digest.combineDigest(one);
    },
  };
  const end = hashes.endPlace(ref);
  for (let place = hashes.firstPlace(ref); place < end;) {
    place = hashes.visit(ref, place, visitor, -Infinity);
    yield;
  }
}

function* digestStream(digest: Digest, space: Keyspace, ref: number): Steps {
  const cursor = space.values.streams.log.cursor();
  const { entry } = cursor;
  const item = new ListpackItem();
  const mixElement = (at: number) => {
    readElement(entry.buf, at, item);
    digest.mix(item.buf, item.off, item.length);
    return at + elementBytes(entry.buf, at);
  };
  cursor.seek(ref, new StreamId());
  while (cursor.next()) {
    const id = latin1BytesOf(entry.id.toString().replace("-", "."));
    digest.mix(id, 0, id.length);
    let fieldAt = entry.firstFieldsAt;
    let at = entry.at;
    for (let i = 0; i < entry.fieldCount; i++) {
      if (entry.hasOwnFields) at = mixElement(at);
      else fieldAt = mixElement(fieldAt);
      at = mixElement(at);
    }
    yield;
  }
}

/**
 * Reads the elements that SORT sorts, of whatever type they are.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ByteRefs } from "../memory/byte_refs.ts";
import { ListpackItem, readElement } from "../memory/listpack.ts";
import { elementBytes } from "../memory/listpack_format.ts";
import { TYPE_LIST, TYPE_SET } from "../types/entry.ts";
import type { RunVisitor } from "../types/list_value.ts";
import type { MemberVisitor } from "../types/set_value.ts";
import type { ScoredVisitor } from "../types/zset_range.ts";

const ITEM = new ListpackItem();
/** Where elements go while they are read. */
let target: ByteRefs | null = null;

const FROM_LIST: RunVisitor = {
  packed(buf, at, count) {
    let pos = at;
    for (let i = 0; i < count; i++) {
      readElement(buf, pos, ITEM);
      target!.add(ITEM.buf, ITEM.off, ITEM.length);
      pos += elementBytes(buf, pos);
    }
  },
  plain: (buf, off, length) => target!.add(buf, off, length),
};

const FROM_SET: MemberVisitor = {
  member(member) {
    const buf = member.text();
    target!.add(buf, member.off, member.length);
  },
};

const FROM_ZSET: ScoredVisitor = {
  member: (buf, off, length) => target!.add(buf, off, length),
};

/**
 * Adds the elements of a list or sorted set from index or rank `from` to before
 * `to`; of a set, which has no order, all of them.
 */
export function readElements(
  space: Keyspace,
  ref: number,
  from: number,
  to: number,
  refs: ByteRefs,
): void {
  new ElementReading(space, ref, from, to, refs).step(Infinity);
}

/** The same, in steps. */
export class ElementReading {
  readonly #space: Keyspace;
  readonly #ref: number;
  readonly #refs: ByteRefs;
  /** The next index, rank or place, and where they end. */
  #at: number;
  readonly #end: number;

  /** `ref` may be a reading (shared_value.ts). */
  constructor(
    space: Keyspace,
    ref: number,
    from: number,
    to: number,
    refs: ByteRefs,
  ) {
    this.#space = space;
    this.#ref = ref;
    this.#refs = refs;
    const { sets } = space.values;
    const isSet = space.type(ref) === TYPE_SET;
    this.#at = isSet ? sets.firstPlace(ref) : from;
    this.#end = isSet ? sets.endPlace(ref) : to;
  }

  /** Adds so many, or a few more; says whether some are left. */
  step(count: number): boolean {
    const { lists, sets, zsets } = this.#space.values;
    const ref = this.#ref;
    const refs = this.#refs;
    const most = refs.count + count;
    const end = this.#end;
    target = refs;
    switch (this.#space.type(ref)) {
      case TYPE_SET:
        while (this.#at < end && refs.count < most) {
          this.#at = sets.visit(ref, this.#at, FROM_SET);
        }
        break;
      case TYPE_LIST:
        while (this.#at < end && refs.count < most) {
          this.#at = lists.visitRun(ref, this.#at, end, FROM_LIST);
        }
        break;
      default: {
        const some = Math.min(count, end - this.#at);
        zsets.visit(ref, this.#at, some, false, FROM_ZSET);
        this.#at += some;
      }
    }
    target = null;
    return this.#at < end;
  }
}

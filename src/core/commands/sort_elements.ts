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
  const { lists, sets, zsets } = space.values;
  target = refs;
  switch (space.type(ref)) {
    case TYPE_SET:
      sets.visitAll(ref, FROM_SET);
      break;
    case TYPE_LIST:
      for (let index = from; index < to;) {
        index = lists.visitRun(ref, index, to, FROM_LIST);
      }
      break;
    default:
      zsets.visit(ref, from, to - from, false, FROM_ZSET);
  }
  target = null;
}

/**
 * The elements of a locked key, batch by batch. While the key is locked its value
 * stays as it is and where it is, so no latch is needed to read it.
 *
 * @module
 */

import { latin1BytesOf } from "../../core/base/bytes.ts";
import { formatShortestDouble } from "../../core/base/double.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { ListpackItem, readElement } from "../../core/memory/listpack.ts";
import { elementBytes } from "../../core/memory/listpack_format.ts";
import {
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_ZSET,
} from "../../core/types/entry.ts";
import { StreamId } from "../../core/types/stream_id.ts";
import type { KeyElement } from "./lock_spec.ts";

/** Bytes of a string in one batch. */
const STRING_PIECE_BYTES = 64 * 1024;

/**
 * The elements of an entry's value, `count` in a batch or a few more. Fields of a
 * hash that have expired by `nowMs` are left out.
 */
export function elementsOf(
  space: Keyspace,
  ref: number,
  count: number,
  nowMs: number,
): Iterable<KeyElement[]> {
  switch (space.type(ref)) {
    case TYPE_LIST:
      return listElements(space, ref, count);
    case TYPE_SET:
      return setMembers(space, ref, count);
    case TYPE_ZSET:
      return scoredMembers(space, ref, count);
    case TYPE_HASH:
      return fields(space, ref, count, nowMs);
    case TYPE_STREAM:
      return entries(space, ref, count);
    default:
      return pieces(space, ref);
  }
}

function* listElements(
  space: Keyspace,
  ref: number,
  count: number,
): Iterable<KeyElement[]> {
  const { lists } = space.values;
  const item = new ListpackItem();
  let batch: KeyElement[] = [];
  const visitor = {
    packed(buf: Uint8Array, at: number, visited: number) {
      for (let i = 0; i < visited; i++) {
        batch.push([elementAt(buf, at, item)]);
        at += elementBytes(buf, at);
      }
    },
    plain(buf: Uint8Array, off: number, length: number) {
      batch.push([buf.slice(off, off + length)]);
    },
  };
  const length = lists.length(ref);
  for (let from = 0; from < length;) {
    const to = Math.min(length, from + count - batch.length);
    from = lists.visitRun(ref, from, to, visitor);
    if (batch.length < count && from < length) continue;
    yield batch;
    batch = [];
  }
}

function* setMembers(
  space: Keyspace,
  ref: number,
  count: number,
): Iterable<KeyElement[]> {
  const { sets } = space.values;
  let batch: KeyElement[] = [];
  const visitor: Parameters<typeof sets.visit>[2] = {
    member(member) {
      const buf = member.text();
      batch.push([buf.slice(member.off, member.off + member.length)]);
    },
  };
  const end = sets.endPlace(ref);
  for (let place = sets.firstPlace(ref); place < end;) {
    place = sets.visit(ref, place, visitor);
    if (batch.length === 0 || batch.length < count && place < end) continue;
    yield batch;
    batch = [];
  }
}

function* scoredMembers(
  space: Keyspace,
  ref: number,
  count: number,
): Iterable<KeyElement[]> {
  const { zsets } = space.values;
  const length = zsets.length(ref);
  for (let rank = 0; rank < length; rank += count) {
    const batch: KeyElement[] = [];
    zsets.visit(ref, rank, Math.min(count, length - rank), false, {
      member(buf, off, bytes, score) {
        batch.push([
          buf.slice(off, off + bytes),
          latin1BytesOf(formatShortestDouble(score)),
        ]);
      },
    });
    yield batch;
  }
}

function* fields(
  space: Keyspace,
  ref: number,
  count: number,
  nowMs: number,
): Iterable<KeyElement[]> {
  const { hashes } = space.values;
  let batch: KeyElement[] = [];
  const visitor: Parameters<typeof hashes.visit>[2] = {
    field(field, value) {
      batch.push([
        field.buf.slice(field.off, field.off + field.length),
        value.buf.slice(value.off, value.off + value.length),
      ]);
    },
  };
  const end = hashes.endPlace(ref);
  for (let place = hashes.firstPlace(ref); place < end;) {
    place = hashes.visit(ref, place, visitor, nowMs);
    if (batch.length === 0 || batch.length < count && place < end) continue;
    yield batch;
    batch = [];
  }
}

function* entries(
  space: Keyspace,
  ref: number,
  count: number,
): Iterable<KeyElement[]> {
  const cursor = space.values.streams.log.cursor();
  const { entry } = cursor;
  const item = new ListpackItem();
  cursor.seek(ref, new StreamId());
  let batch: KeyElement[] = [];
  while (cursor.next()) {
    const element = [latin1BytesOf(entry.id.toString())];
    let fieldAt = entry.firstFieldsAt;
    let at = entry.at;
    for (let i = 0; i < entry.fieldCount; i++) {
      if (entry.hasOwnFields) {
        element.push(elementAt(entry.buf, at, item));
        at += elementBytes(entry.buf, at);
      } else {
        element.push(elementAt(entry.buf, fieldAt, item));
        fieldAt += elementBytes(entry.buf, fieldAt);
      }
      element.push(elementAt(entry.buf, at, item));
      at += elementBytes(entry.buf, at);
    }
    batch.push(element);
    if (batch.length < count) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function* pieces(space: Keyspace, ref: number): Iterable<KeyElement[]> {
  const { strings } = space;
  const length = strings.length(ref);
  for (let from = 0; from < length; from += STRING_PIECE_BYTES) {
    const off = strings.off(ref) + from;
    const bytes = Math.min(STRING_PIECE_BYTES, length - from);
    yield [[strings.bytes(ref).slice(off, off + bytes)]];
  }
}

function elementAt(
  buf: Uint8Array,
  at: number,
  item: ListpackItem,
): Uint8Array<ArrayBuffer> {
  readElement(buf, at, item);
  return new Uint8Array(item.buf.slice(item.off, item.off + item.length));
}

/**
 * Lists in Redis's snapshot format.
 *
 * ```text
 *  1  count, element *          10  ziplist       14  count, ziplist *
 * 18  count, ( container, bytes )*
 *     container 2: a listpack of elements       1: one element
 * ```
 * A list is written as 18, its nodes as they lie. What is read of 18 keeps its
 * nodes; all else is pushed, element by element.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import {
  LISTPACK_EMPTY_BYTES,
  LISTPACK_HEADER_BYTES,
} from "../memory/listpack.ts";
import type { RunVisitor } from "../types/list_value.ts";
import type { ValueTypes } from "../types/value_types.ts";
import { BadFormat, type RdbReader, RdbString } from "./rdb_reader.ts";
import {
  CONTAINER_PACKED,
  CONTAINER_PLAIN,
  RDB_LIST,
  RDB_LIST_QUICKLIST,
  RDB_LIST_ZIPLIST,
} from "./rdb_types.ts";
import { COMPRESSED_BYTES_MAX, type RdbWriter } from "./rdb_writer.ts";
import { ZiplistElements } from "./ziplist.ts";

const LISTPACK_END = 0xff;
const COUNT_UNKNOWN = 0xffff;
/** Bytes of nodes that are put together without making room for it. */
const SCRATCH_BYTES = 16 * 1024;

const ELEMENT = new RdbString();

/** Writes the nodes that it visits. */
class NodeWriter implements RunVisitor {
  writer: RdbWriter | undefined;
  readonly #head = new Uint8Array(LISTPACK_HEADER_BYTES);
  readonly #end = Uint8Array.of(LISTPACK_END);
  readonly #scratch = new Uint8Array(SCRATCH_BYTES);

  packed(buf: Uint8Array, at: number, count: number, bytes: number): void {
    const writer = this.writer!;
    const total = bytes + LISTPACK_EMPTY_BYTES;
    this.#setHead(total, count);
    writer.length(CONTAINER_PACKED);
    if (total > COMPRESSED_BYTES_MAX) {
      writer.length(total);
      writer.raw(this.#head, 0, LISTPACK_HEADER_BYTES);
      writer.raw(buf, at, bytes);
      return writer.raw(this.#end, 0, 1);
    }
    const all = total > SCRATCH_BYTES ? new Uint8Array(total) : this.#scratch;
    copyBytes(this.#head, 0, all, 0, LISTPACK_HEADER_BYTES);
    copyBytes(buf, at, all, LISTPACK_HEADER_BYTES, bytes);
    all[total - 1] = LISTPACK_END;
    writer.string(all, 0, total);
  }

  plain(buf: Uint8Array, off: number, length: number): void {
    const writer = this.writer!;
    writer.length(CONTAINER_PLAIN);
    writer.string(buf, off, length);
  }

  #setHead(total: number, count: number): void {
    const head = this.#head;
    const noted = Math.min(count, COUNT_UNKNOWN);
    for (let i = 0; i < 4; i++) head[i] = total >>> 8 * i;
    head[4] = noted;
    head[5] = noted >>> 8;
  }
}

const NODES = new NodeWriter();

/** Writes a list. */
export function writeList(
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
): void {
  let index = beginList(writer, values, ref);
  while (index >= 0) index = continueList(writer, values, ref, index);
}

/** Writes what comes before the nodes of a list. */
export function beginList(
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
): number {
  writer.length(values.lists.nodes(ref));
  return values.lists.length(ref) > 0 ? 0 : -1;
}

/** Writes the node of an element; returns the next node's first, or -1. */
export function continueList(
  writer: RdbWriter,
  values: ValueTypes,
  ref: number,
  index: number,
): number {
  const { lists } = values;
  NODES.writer = writer;
  const length = lists.length(ref);
  const next = lists.visitRun(ref, index, length, NODES);
  return next < length ? next : -1;
}

/** Reads a list of a kind into an entry whose list is empty. */
export function readList(
  reader: RdbReader,
  kind: number,
  values: ValueTypes,
  ref: number,
): void {
  if (kind === RDB_LIST_ZIPLIST) readZiplist(reader, values, ref);
  else {
    for (let left = reader.length(); left > 0; left--) {
      if (kind === RDB_LIST) {
        reader.string(ELEMENT);
        push(values, ref);
      } else if (kind === RDB_LIST_QUICKLIST) readZiplist(reader, values, ref);
      else readNode(reader, values, ref);
    }
  }
  values.lists.pack(ref, false);
}

function readZiplist(
  reader: RdbReader,
  values: ValueTypes,
  ref: number,
): void {
  reader.string(ELEMENT);
  const elements = new ZiplistElements(
    ELEMENT.buf,
    ELEMENT.off,
    ELEMENT.length,
  );
  while (elements.next(ELEMENT)) push(values, ref);
}

function readNode(reader: RdbReader, values: ValueTypes, ref: number): void {
  const container = reader.length();
  reader.string(ELEMENT);
  const { buf, off, length } = ELEMENT;
  if (container === CONTAINER_PLAIN && length > 0) push(values, ref);
  else if (
    container !== CONTAINER_PACKED ||
    !values.lists.appendListpack(ref, buf, off, length)
  ) throw new BadFormat("a part of a list is damaged");
}

function push(values: ValueTypes, ref: number): void {
  const { buf, off, length } = ELEMENT;
  values.lists.prepare(ref, length, 1, false);
  values.lists.push(ref, false, buf, off, length);
}

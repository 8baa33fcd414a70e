/**
 * What the tests of the snapshot format stand on: bytes from texts, a sink that
 * keeps all, readers, and the packed forms of old, made by hand.
 *
 * @module
 */
import { concat } from "@std/bytes";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { byteOf, SEGMENT_SHIFT } from "../../../../src/core/memory/arena.ts";
import type { ExternalStrings } from "../../../../src/core/memory/external.ts";
import { RdbReader } from "../../../../src/core/rdb/rdb_reader.ts";
import {
  type RdbSink,
  RdbWriter,
} from "../../../../src/core/rdb/rdb_writer.ts";
import { Shards } from "../keyspace/_fixture.ts";

/** Bytes, from numbers, and texts of one character a byte. */
export function bytesOf(...parts: readonly (number | string)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === "number" ? [part] : [...latin1BytesOf(part)]
    ),
  );
}

/** Bytes written as in `"00 c0 ff"`. */
export function hexBytes(text: string): Uint8Array {
  return Uint8Array.from(text.split(" "), (byte) => parseInt(byte, 16));
}

/** All that `write` writes. */
export function written(
  write: (writer: RdbWriter) => void,
  compresses = true,
): Uint8Array {
  const sink = new KeptBytes();
  const writer = new RdbWriter();
  writer.begin(sink, compresses);
  write(writer);
  writer.flush();
  return sink.all;
}

/** A kind, perhaps a time, and one string. */
export function packed(
  kind: number,
  bytes: Uint8Array,
  firstMs?: number,
): Uint8Array {
  return written((writer) => {
    writer.byte(kind);
    if (firstMs !== undefined) writer.milliseconds(firstMs);
    writer.string(bytes, 0, bytes.length);
  });
}

/** Keeps everything. */
export class KeptBytes implements RdbSink {
  readonly pieces: Uint8Array[] = [];

  get all(): Uint8Array {
    return concat(this.pieces);
  }

  write(buf: Uint8Array, off: number, length: number): void {
    this.pieces.push(buf.slice(off, off + length));
  }
}

const LISTPACKS = new Shards({ shards: 1 }).keyspaces[0]!.values.memory;
const SHARDS = new Shards({ shards: 1, arenaBytes: 4 << 20 });

/** Where readers decompress long strings. */
export const EXTERNALS: ExternalStrings = SHARDS.keyspaces[0]!.externals;

/** Pages of {@linkcode EXTERNALS} in use. */
export function usedPages(): number {
  return SHARDS.pages.usedPages;
}

/** A reader of bytes that lie between others. */
export function readerOf(bytes: Uint8Array): RdbReader {
  const buf = new Uint8Array(bytes.length + 40).fill(0x41);
  buf.set(bytes, 20);
  return new RdbReader(EXTERNALS, buf, 20, bytes.length);
}

/** A ziplist of texts, and of integers given as numbers, each a head and bytes. */
export function ziplist(
  ...elements: readonly (string | readonly number[])[]
): Uint8Array {
  const body: number[] = [];
  let before = 0;
  let last = 0;
  for (const element of elements) {
    last = body.length;
    if (before < 254) body.push(before);
    else body.push(254, ...littleEndian(before));
    if (typeof element === "string") body.push(...ziplistText(element));
    else body.push(...element);
    before = body.length - last;
  }
  const count = Math.min(elements.length, 0xffff);
  return Uint8Array.from([
    ...littleEndian(body.length + 11),
    ...littleEndian(10 + last),
    ...[count & 0xff, count >>> 8],
    ...body,
    0xff,
  ]);
}

/** A listpack of texts, and of integers given as numbers. */
export function listpack(
  ...elements: readonly (string | number)[]
): Uint8Array {
  const { heap, listpacks, arena } = LISTPACKS;
  let ref = listpacks.create();
  for (const element of elements) {
    const bytes = latin1BytesOf(String(element));
    ref = listpacks.append(ref, bytes, 0, bytes.length);
  }
  const at = byteOf(ref);
  const view = arena.u8[ref >>> SEGMENT_SHIFT]!;
  const all = view.slice(at, at + listpacks.bytes(ref));
  heap.free(ref);
  return all;
}

/** A zipmap of fields and values, with `unused` bytes behind each value. */
export function zipmap(elements: readonly string[], unused = 0): Uint8Array {
  const length = (n: number) => n < 254 ? [n] : [254, ...littleEndian(n)];
  const body = elements.flatMap((text, i) => [
    ...length(text.length),
    ...(i % 2 === 1 ? [unused] : []),
    ...latin1BytesOf(text),
    ...(i % 2 === 1 ? new Array(unused).fill(0) : []),
  ]);
  return Uint8Array.from([
    Math.min(elements.length / 2, 254),
    ...body,
    0xff,
  ]);
}

/** Four bytes, low byte first. */
export function littleEndian(n: number): number[] {
  return [n & 0xff, n >>> 8 & 0xff, n >>> 16 & 0xff, n >>> 24];
}

function ziplistText(text: string): number[] {
  const n = text.length;
  const head = n < 64
    ? [n]
    : n < 16384
    ? [0x40 | n >>> 8, n & 0xff]
    : [0x80, ...littleEndian(n).reverse()];
  return [...head, ...latin1BytesOf(text)];
}

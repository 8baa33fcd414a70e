/**
 * Long strings as dumped values: the bytes are sent from where they lie, a piece
 * at a time, while the peer takes them.
 *
 * Such a string is written as it is, so the length of the reply is known before;
 * the checksum follows once all pieces have passed.
 *
 * @module
 */

import { Crc64, CRC64_BYTES } from "../base/crc64.ts";
import { latin1BytesOf } from "../base/bytes.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ExternalStrings } from "../memory/external.ts";
import { FOOTER_BYTES } from "../rdb/dump_frame.ts";
import { LENGTH_32, RDB_STRING, RDB_VERSION_7_0 } from "../rdb/rdb_types.ts";
import type { ReplySource } from "../resp/reply_source.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { STRING_EXTERNAL, TYPE_STRING } from "../types/entry.ts";

/** Kind, and a length of 32 bits. */
const HEAD_BYTES = 6;
const LINE_END_BYTES = 2;

/** Whether the value of an entry is a string in a run, of at least a length. */
export function isLongString(
  space: Keyspace,
  ref: number,
  bytesMin: number,
): boolean {
  return space.type(ref) === TYPE_STRING &&
    space.encoding(ref) === STRING_EXTERNAL &&
    space.strings.length(ref) >= bytesMin;
}

/** Replies such a string as a dumped value; the reply must be able to stream. */
export function replyDumpedString(
  reply: ReplyWriter,
  space: Keyspace,
  ref: number,
): void {
  const { externals } = space;
  const run = space.valueRef(ref);
  const length = externals.length(run);
  const head = new Uint8Array(HEAD_BYTES);
  head[0] = RDB_STRING;
  head[1] = LENGTH_32;
  new DataView(head.buffer).setUint32(2, length);
  reply.raw(latin1BytesOf(`$${HEAD_BYTES + length + FOOTER_BYTES}\r\n`));
  reply.raw(head);
  externals.pin(run);
  reply.stream(new DumpedString(externals, run, head));
}

class DumpedString implements ReplySource {
  readonly #externals: ExternalStrings;
  readonly #run: number;
  readonly #crc = new Crc64();
  #at = 0;

  constructor(externals: ExternalStrings, run: number, head: Uint8Array) {
    this.#externals = externals;
    this.#run = run;
    this.#crc.update(head, 0, head.length);
  }

  write(writer: ReplyWriter, bytes: number): boolean {
    const left = this.#externals.length(this.#run) - this.#at;
    const count = Math.min(bytes, left);
    const buf = this.#externals.bytes(this.#run);
    const off = this.#externals.offset(this.#run) + this.#at;
    this.#crc.update(buf, off, count);
    writer.raw(buf.subarray(off, off + count));
    this.#at += count;
    if (count < left) return false;
    writer.raw(this.#footer());
    this.drop();
    return true;
  }

  drop(): void {
    this.#externals.unpin(this.#run);
  }

  #footer(): Uint8Array {
    const footer = new Uint8Array(FOOTER_BYTES + LINE_END_BYTES);
    const crcAt = FOOTER_BYTES - CRC64_BYTES;
    footer[0] = RDB_VERSION_7_0;
    this.#crc.update(footer, 0, crcAt);
    this.#crc.write(footer, crcAt);
    footer[FOOTER_BYTES] = 0x0d;
    footer[FOOTER_BYTES + 1] = 0x0a;
    return footer;
  }
}

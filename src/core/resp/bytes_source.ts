/**
 * A long reply that is there already, copied piece by piece while the peer takes
 * it.
 *
 * @module
 */

import type { ReplySource } from "./reply_source.ts";
import type { ReplyWriter } from "./reply_writer.ts";

/** Replies longer than this are copied while the peer takes them. */
const COPIED_BYTES_MAX = 64 * 1024;

/** Writes bytes that already are RESP; the long rest of them, bit by bit. */
export function writeLongReply(reply: ReplyWriter, bytes: Uint8Array): void {
  if (bytes.length <= COPIED_BYTES_MAX || !reply.canStream) {
    return reply.raw(bytes);
  }
  reply.raw(bytes.subarray(0, COPIED_BYTES_MAX));
  reply.stream(new BytesSource(bytes.subarray(COPIED_BYTES_MAX)));
}

/** The same of bytes that lie in several pieces, which are the reply's now. */
export function writePieces(
  reply: ReplyWriter,
  pieces: readonly Uint8Array[],
): void {
  const total = pieces.reduce((sum, { length }) => sum + length, 0);
  if (total > COPIED_BYTES_MAX && reply.canStream) {
    reply.stream(new PiecesSource(pieces));
  } else for (const piece of pieces) reply.raw(piece);
}

/** The pieces of a reply; each is let go when it is written. */
class PiecesSource implements ReplySource {
  readonly #rest: Uint8Array[];
  #source: BytesSource | null = null;

  constructor(pieces: readonly Uint8Array[]) {
    this.#rest = pieces.toReversed();
  }

  write(writer: ReplyWriter, bytes: number): boolean {
    this.#source ??= new BytesSource(this.#rest.pop()!);
    if (!this.#source.write(writer, bytes)) return false;
    this.#source = null;
    return this.#rest.length === 0;
  }

  drop(): void {
    this.#source = null;
    this.#rest.length = 0;
  }
}

/** The bytes of a reply. */
export class BytesSource implements ReplySource {
  #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  write(writer: ReplyWriter, bytes: number): boolean {
    const end = Math.min(this.#at + bytes, this.#bytes.length);
    writer.raw(this.#bytes.subarray(this.#at, end));
    this.#at = end;
    if (end < this.#bytes.length) return false;
    this.drop();
    return true;
  }

  drop(): void {
    this.#bytes = new Uint8Array(0);
    this.#at = 0;
  }
}

/**
 * A long reply that is there already, copied piece by piece while the peer takes
 * it.
 *
 * @module
 */

import type { ReplySource } from "../../core/resp/reply_source.ts";
import type { ReplyWriter } from "../../core/resp/reply_writer.ts";

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

/**
 * A reply whose sources are asked for all they have, piece by piece, because no
 * peer takes it here: it is written into another writer as a whole.
 *
 * @module
 */

import type { ReplySpan, ReplyWriter } from "./reply_writer.ts";

/** What one writer has written, on its way into another. */
export class ReplyDrain {
  /** Where it goes; may be taken when all is written. */
  readonly to: ReplyWriter;
  readonly #bytes: Uint8Array;
  readonly #spans: readonly ReplySpan[];
  /** Bytes that are written. */
  #at = 0;
  /** Marks that are dealt with. */
  #done = 0;

  /** Takes over all that `reply` holds, and empties it. */
  constructor(reply: ReplyWriter, to: ReplyWriter) {
    this.#bytes = reply.buf.slice(0, reply.at);
    this.#spans = reply.spans ?? [];
    this.to = to;
    to.resp = reply.resp;
    reply.reset();
  }

  /** Writes about `bytes` more; says whether that was all. No latch is held. */
  write(bytes: number): boolean {
    const { to } = this;
    const end = to.at + bytes;
    while (this.#done < this.#spans.length && to.at < end) {
      const span = this.#spans[this.#done]!;
      this.#writeUpTo(span.at);
      if (span.source === null) to.append(NO_BYTES, [{ ...span, at: 0 }]);
      else if (!span.source.write(to, end - to.at)) continue;
      this.#done++;
    }
    if (this.#done < this.#spans.length) return false;
    this.#writeUpTo(this.#bytes.length);
    return true;
  }

  #writeUpTo(at: number): void {
    if (at > this.#at) this.to.raw(this.#bytes.subarray(this.#at, at));
    this.#at = at;
  }
}

const NO_BYTES = new Uint8Array(0);

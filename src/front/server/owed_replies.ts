/**
 * Owed replies: what a connection has been given by blocking commands and has not
 * handed to its socket. If it closes now, nobody has got it, and it goes back.
 *
 * A reply is known by its place in a reply buffer; it is no longer owed once the
 * socket has that buffer, or a piece of it.
 *
 * @module
 */

import type { WaitUndo } from "../../core/commands/call.ts";

interface OwedReply {
  readonly undo: WaitUndo;
  readonly db: number;
  readonly from: number;
  readonly to: number;
  /** The buffer in which it waits; null while its batch is processed. */
  buffer: Uint8Array | null;
}

/** Takes back what a reply tells of. */
export type TakeBack = (undo: WaitUndo, db: number, reply: Uint8Array) => void;

/** The replies that one connection owes. */
export class OwedReplies {
  #owed: OwedReply[] = [];

  /** Adds a reply that has just been written. */
  add(undo: WaitUndo, db: number, from: number, to: number): void {
    this.#owed.push({ undo, db, from, to, buffer: null });
  }

  /** The batch was processed; what it has replied waits in `buffer`. */
  waitIn(buffer: Uint8Array): void {
    for (const reply of this.#owed) reply.buffer ??= buffer;
  }

  /** The socket has got `buffer`; says whether nothing more is owed. */
  handOver(buffer: Uint8Array): boolean {
    this.#owed = this.#owed.filter((reply) => reply.buffer !== buffer);
    return this.#owed.length === 0;
  }

  /** The connection is gone. `current` holds the batch that is processed. */
  takeBack(current: Uint8Array, take: TakeBack): void {
    // The last one first, as each goes back to the end of its key.
    for (const { undo, db, from, to, buffer } of this.#owed.reverse()) {
      take(undo, db, (buffer ?? current).slice(from, to));
    }
    this.#owed = [];
  }
}

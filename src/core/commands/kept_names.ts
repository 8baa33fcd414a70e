/**
 * Long names of keys that are kept where they lie, so that who has listed them
 * under a latch can look at them, and reply them, when he holds none.
 *
 * @module
 */

import { equalLong } from "../base/bytes.ts";
import type { Key } from "../keyspace/key.ts";
import type { Heap } from "../memory/heap.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";

/** A name, and the run that it lies in. */
export interface KeptName {
  readonly run: number;
  readonly buf: Uint8Array;
  readonly off: number;
  readonly length: number;
  readonly hash: number;
}

/** Some names; each is kept until it is replied, or not wanted any more. */
export class KeptNames {
  readonly #heap: Heap;
  readonly #names: KeptName[] = [];

  /** Any heap of the arena will do. */
  constructor(heap: Heap) {
    this.#heap = heap;
  }

  /** How many there are. */
  get count(): number {
    return this.#names.length;
  }

  /** Adds the name of an entry or of a note, whose latch is held. */
  add({ buf, off, length, hash }: Key): void {
    const run = this.#heap.runAt(buf, off);
    this.#heap.keep(run);
    this.#names.push({ run, buf, off, length, hash });
  }

  /** Keeps only the wanted ones of those from a number on. */
  filter(from: number, isWanted: (name: KeptName) => boolean): void {
    if (from === this.#names.length) return;
    for (const name of this.#names.splice(from)) {
      if (isWanted(name)) this.#names.push(name);
      else this.#heap.letGo(name.run);
    }
  }

  /** Whether a name is one of those from a number on, up to another. */
  has(name: KeptName, from: number, to: number): boolean {
    for (let i = from; i < to; i++) {
      const { buf, off, length, hash } = this.#names[i]!;
      if (
        hash === name.hash && length === name.length &&
        equalLong(buf, off, name.buf, name.off, length)
      ) return true;
    }
    return false;
  }

  /** Replies all of them, which are not kept here any more. */
  reply(reply: ReplyWriter): void {
    for (const { run, buf, off, length } of this.#names.splice(0)) {
      reply.bulk(buf, off, length);
      this.#heap.letGo(run);
    }
  }
}

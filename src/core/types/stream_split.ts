/**
 * Nodes that others have made longer than a stream has them here: their entries
 * are added one by one, so that nothing that looks for one passes very many.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import { ListpackItem, readElement } from "../memory/listpack.ts";
import { elementBytes } from "../memory/listpack_format.ts";
import type { StreamLog } from "./stream_log.ts";
import type { EntryFields, NodeReader } from "./stream_node.ts";

/** Fields and values that there is room for at first. */
const FIRST_TEXTS = 64;
const NO_BYTES = new Uint8Array(0);

/**
 * Adds the entries of a node that are there to a stream whose entries come before
 * all of them; the node stays the caller's. May throw OutOfMemory in between.
 */
export function addEntriesOf(
  reader: NodeReader,
  log: StreamLog,
  ref: number,
): void {
  const texts = new EntryTexts();
  reader.begin();
  while (reader.next()) {
    if (reader.isDeleted) continue;
    texts.read(reader);
    log.add(ref, reader.id, texts, 0, reader.fieldCount, texts.bytes);
  }
}

/** Fields and values of an entry; numbers as their digits. */
class EntryTexts implements EntryFields {
  /** Bytes of all. */
  bytes = 0;
  off = new Int32Array(FIRST_TEXTS);
  length = new Int32Array(FIRST_TEXTS);
  readonly #item = new ListpackItem();
  /** Which of them are numbers. */
  #isNumber = new Uint8Array(FIRST_TEXTS);
  #digits = new Uint8Array(FIRST_TEXTS * this.#item.digits.length);
  #digitsAt = 0;
  #buf: Uint8Array = NO_BYTES;

  source(i: number): Uint8Array {
    return this.#isNumber[i] !== 0 ? this.#digits : this.#buf;
  }

  /** Reads those of the entry that a reader stands at. */
  read({ buf, at, firstFieldsAt, fieldCount, hasOwnFields }: NodeReader): void {
    this.#makeRoom(fieldCount * 2);
    this.#buf = buf;
    this.bytes = this.#digitsAt = 0;
    let fieldAt = firstFieldsAt;
    for (let i = 0; i < fieldCount * 2; i++) {
      if (i % 2 === 0 && !hasOwnFields) fieldAt = this.#read(i, fieldAt);
      else at = this.#read(i, at);
    }
  }

  #read(i: number, at: number): number {
    const item = this.#item;
    readElement(this.#buf, at, item);
    const isNumber = item.buf === item.digits;
    this.#isNumber[i] = isNumber ? 1 : 0;
    this.off[i] = isNumber ? this.#digitsAt : item.off;
    this.length[i] = item.length;
    this.bytes += item.length;
    if (isNumber) {
      copyBytes(item.buf, 0, this.#digits, this.#digitsAt, item.length);
      this.#digitsAt += item.length;
    }
    return at + elementBytes(this.#buf, at);
  }

  #makeRoom(texts: number): void {
    if (texts <= this.off.length) return;
    this.off = new Int32Array(texts);
    this.length = new Int32Array(texts);
    this.#isNumber = new Uint8Array(texts);
    this.#digits = new Uint8Array(texts * this.#item.digits.length);
  }
}

/**
 * Elements of packed values in foreign bytes, taken out one after the other,
 * whatever they are packed in: listpacks here, and what older versions of Redis
 * had in files of their own.
 *
 * @module
 */

import { LISTPACK_HEADER_BYTES, readElement } from "../memory/listpack.ts";
import {
  elementBytes,
  listpackElements,
  MALFORMED,
} from "../memory/listpack_format.ts";
import { BadFormat, type RdbString } from "./rdb_reader.ts";

/** What a packed value's elements are taken from. */
export interface PackedElements {
  /**
   * Takes the next element out; false behind the last one. Throws BadFormat
   * where the bytes are damaged, perhaps only at the end.
   */
  next(into: RdbString): boolean;
}

/** A listpack. */
export class ListpackElements implements PackedElements {
  readonly #buf: Uint8Array;
  readonly #end: number;
  #at: number;

  /** Looks at all of it. */
  constructor(buf: Uint8Array, off: number, length: number) {
    if (listpackElements(buf, off, length) === MALFORMED) {
      throw new BadFormat("a listpack is damaged");
    }
    this.#buf = buf;
    this.#at = off + LISTPACK_HEADER_BYTES;
    this.#end = off + length - 1;
  }

  next(into: RdbString): boolean {
    if (this.#at === this.#end) return false;
    readElement(this.#buf, this.#at, into);
    this.#at += elementBytes(this.#buf, this.#at);
    return true;
  }
}

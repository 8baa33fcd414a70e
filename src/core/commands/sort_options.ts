/**
 * The options of SORT, and what they come to for a value: which of its elements
 * are wanted, and whether and by what they are ordered.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { SYNTAX_ERROR } from "../resp/error_reply.ts";
import { TYPE_SET } from "../types/entry.ts";
import { argumentIs, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import { SortPattern } from "./sort_pattern.ts";

const ASC = bytesOf("asc");
const DESC = bytesOf("desc");
const ALPHA = bytesOf("alpha");
const LIMIT = bytesOf("limit");
const STORE = bytesOf("store");
const BY = bytesOf("by");
const GET = bytesOf("get");

/** What one call of SORT asks for. */
export class SortOptions {
  isDescending = false;
  isAlpha = false;
  by: SortPattern | null = null;
  readonly gets: SortPattern[] = [];
  /** The argument that names the key to store to, or 0. */
  storeAt = 0;
  /** Whether elements are ordered at all; from {@linkcode fit} on, as the rest. */
  isSorted = true;
  /** Whether elements that are worth the same come in the order of their bytes. */
  breaksTies = false;
  /** The first element of the result in that order. */
  start = 0;
  /** Elements of the result. */
  count = 0;
  /** Whether that is not all of them. */
  isPart = false;
  #offset = 0;
  #limit = -1;
  /** Whether a BY asks for no order. */
  #isUnsorted = false;

  /** Reads the options; false after an error reply. */
  read(call: Call, stores: boolean): boolean {
    const last = call.argc - 1;
    for (let i = 2; i <= last; i++) {
      if (argumentIs(call, i, ASC)) this.isDescending = false;
      else if (argumentIs(call, i, DESC)) this.isDescending = true;
      else if (argumentIs(call, i, ALPHA)) this.isAlpha = true;
      else if (argumentIs(call, i, LIMIT) && i + 2 <= last) {
        this.#offset = readInteger(call, ++i);
        if (Number.isNaN(this.#offset)) return false;
        this.#limit = readInteger(call, ++i);
        if (Number.isNaN(this.#limit)) return false;
      } else if (stores && argumentIs(call, i, STORE) && i < last) {
        this.storeAt = ++i;
      } else if (argumentIs(call, i, BY) && i < last) {
        this.by = patternAt(call, ++i);
        if (!this.by.namesKeys) this.#isUnsorted = true;
      } else if (argumentIs(call, i, GET) && i < last) {
        this.gets.push(patternAt(call, ++i));
      } else {
        call.reply.error(SYNTAX_ERROR);
        return false;
      }
    }
    return true;
  }

  /** Whether the result is stored. */
  get stores(): boolean {
    return this.storeAt !== 0;
  }

  /** All patterns. */
  get patterns(): SortPattern[] {
    return this.by === null ? this.gets : [...this.gets, this.by];
  }

  /** Gives all patterns bytes of their own. */
  keepPatterns(): void {
    this.by = this.by?.copy() ?? null;
    this.gets.forEach((get, i) => this.gets[i] = get.copy());
  }

  /** Applies the options to a value of a type, of so many elements. */
  fit(type: number, length: number): void {
    this.isSorted = !this.#isUnsorted;
    // What is stored must not depend on the order inside a set.
    this.breaksTies = type === TYPE_SET && this.stores;
    if (!this.isSorted && this.breaksTies) {
      this.isSorted = this.isAlpha = true;
      this.by = null;
    }
    this.start = Math.min(Math.max(this.#offset, 0), length);
    const rest = length - this.start;
    this.count = this.#limit < 0 ? rest : Math.min(this.#limit, rest);
    this.isPart = this.start !== 0 || this.count !== length;
  }
}

function patternAt({ args }: Call, i: number): SortPattern {
  return new SortPattern(args.source(i), args.off[i]!, args.length[i]!);
}

/**
 * The options of SORT, and what they come to for a value: which of its elements
 * are wanted, and whether and by what they are ordered.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import {
  type ErrorReply,
  NOT_AN_INTEGER,
  SYNTAX_ERROR,
} from "../resp/error_reply.ts";
import { TYPE_SET } from "../types/entry.ts";
import { argumentIs, integerAt } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import { namesOf, type SortNames } from "./sort_names.ts";
import { SortPattern } from "./sort_pattern.ts";

const ASC = bytesOf("asc");
const DESC = bytesOf("desc");
const ALPHA = bytesOf("alpha");
const LIMIT = bytesOf("limit");
const STORE = bytesOf("store");
const BY = bytesOf("by");
const GET = bytesOf("get");

/** Of more patterns than these, or bytes of them, all is got ready at once. */
const FEW_PATTERNS = 16;
const FEW_BYTES = 1 << 10;
/** So many bytes of a pattern are copied as fast as a key is looked up. */
const BYTES_PER_LOOKUP = 256;

/** What one call of SORT asks for. */
export class SortOptions {
  /** What is wrong with the options; null for nothing. */
  error: ErrorReply | null = null;
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
  /** Bytes of all patterns. */
  #patternBytes = 0;
  /** Whether the patterns have bytes of their own. */
  #isKept = false;
  /** What the patterns ask for together; null as long as nobody asks. */
  #names: SortNames | null = null;

  /**
   * Reads the options of a call, all that is wrong with which is noted. Of many
   * patterns it gets ready what is needed to go on in slices: so it is better done
   * before any latch is held.
   */
  constructor(call: Call, stores: boolean) {
    this.error = this.#read(call, stores);
    if (
      this.error === null &&
      (this.patternCount > FEW_PATTERNS || this.#patternBytes > FEW_BYTES)
    ) void this.keepPatterns();
  }

  #read(call: Call, stores: boolean): ErrorReply | null {
    const last = call.argc - 1;
    for (let i = 2; i <= last; i++) {
      if (argumentIs(call, i, ASC)) this.isDescending = false;
      else if (argumentIs(call, i, DESC)) this.isDescending = true;
      else if (argumentIs(call, i, ALPHA)) this.isAlpha = true;
      else if (argumentIs(call, i, LIMIT) && i + 2 <= last) {
        this.#offset = integerAt(call, ++i);
        if (Number.isNaN(this.#offset)) return NOT_AN_INTEGER;
        this.#limit = integerAt(call, ++i);
        if (Number.isNaN(this.#limit)) return NOT_AN_INTEGER;
      } else if (stores && argumentIs(call, i, STORE) && i < last) {
        this.storeAt = ++i;
      } else if (argumentIs(call, i, BY) && i < last) {
        this.by = this.#patternAt(call, ++i);
        if (!this.by.namesKeys) this.#isUnsorted = true;
      } else if (argumentIs(call, i, GET) && i < last) {
        this.gets.push(this.#patternAt(call, ++i));
      } else return SYNTAX_ERROR;
    }
    return null;
  }

  #patternAt({ args }: Call, i: number): SortPattern {
    this.#patternBytes += args.length[i]!;
    return new SortPattern(args.source(i), args.off[i]!, args.length[i]!);
  }

  /** Whether the result is stored. */
  get stores(): boolean {
    return this.storeAt !== 0;
  }

  /** How many patterns there are. */
  get patternCount(): number {
    return this.gets.length + (this.by === null ? 0 : 1);
  }

  /** Keys that could be looked up in the time that all patterns take. */
  get lookups(): number {
    return this.patternCount +
      Math.floor(this.#patternBytes / BYTES_PER_LOOKUP);
  }

  /** All patterns. */
  get patterns(): SortPattern[] {
    return this.by === null ? this.gets : [...this.gets, this.by];
  }

  /**
   * Gives all patterns bytes of their own, and says what they ask for together.
   */
  keepPatterns(): SortNames {
    if (!this.#isKept) {
      this.#isKept = true;
      this.by = this.by?.copy() ?? null;
      this.gets.forEach((get, i) => this.gets[i] = get.copy());
    }
    this.#names ??= namesOf(
      this.patterns.filter(({ namesKeys }) => namesKeys),
    );
    return this.#names;
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

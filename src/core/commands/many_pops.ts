/**
 * What the commands have in common that take elements of the first key that has
 * some: LMPOP and ZMPOP, and those that wait.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { bytesOf } from "../base/bytes.ts";
import { Key } from "../keyspace/key.ts";
import {
  COUNT_NOT_POSITIVE,
  type ErrorReply,
  NUMKEYS_NOT_POSITIVE,
  SYNTAX_ERROR,
} from "../resp/error_reply.ts";
import { argumentIs, integerAt } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import { writeEntry } from "./typed_entry.ts";

const COUNT = bytesOf("count");

/** What LMPOP and its like are told besides their keys. */
class ManyPops {
  /** Whether the word behind the keys is the first of the two that may be. */
  isFirst = false;
  /** How many elements at most. */
  count = 1;

  /**
   * Reads `numkeys key [key ...] first|second [COUNT count]`, of which `numkeys`
   * is argument number `at`; false after an error reply.
   */
  read(call: Call, at: number, first: Uint8Array, second: Uint8Array): boolean {
    const { argc, reply } = call;
    const error = (text: ErrorReply): false => {
      reply.error(text);
      return false;
    };
    const keys = integerAt(call, at);
    if (!(keys >= 1)) return error(NUMKEYS_NOT_POSITIVE);
    const where = at + 1 + keys;
    if (where >= argc) return error(SYNTAX_ERROR);
    this.isFirst = argumentIs(call, where, first);
    if (!this.isFirst && !argumentIs(call, where, second)) {
      return error(SYNTAX_ERROR);
    }
    let count = 0;
    for (let i = where + 1; i < argc; i += 2) {
      if (count !== 0 || i + 1 === argc || !argumentIs(call, i, COUNT)) {
        return error(SYNTAX_ERROR);
      }
      count = integerAt(call, i + 1);
      if (!(count >= 1)) return error(COUNT_NOT_POSITIVE);
    }
    assert(call.keyCount === keys, "numkeys keys were found");
    this.count = Math.max(count, 1);
    return true;
  }
}

/** Read anew by each command. */
export const MANY_POPS = new ManyPops();

/** The first key of a command that is there. */
class FirstKey {
  key: Key = new Key();

  /** As {@linkcode writeEntry}, of the first key that is there. */
  find(call: Call, type: number): number {
    for (let i = 0; i < call.keyCount; i++) {
      const ref = writeEntry(call, i, type);
      if (ref === 0) continue;
      this.key = call.key(i);
      return ref;
    }
    return 0;
  }
}

/** Found anew by each command. */
export const FIRST_KEY = new FirstKey();

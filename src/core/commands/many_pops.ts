/**
 * What the commands have in common that take elements of the first key that has
 * some: LMPOP and ZMPOP, and those that wait.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import { bytesOf } from "../base/bytes.ts";
import { Key } from "../keyspace/key.ts";
import { WAITS_FOR_LIST, WAITS_FOR_ZSET } from "../keyspace/waiter_records.ts";
import {
  COUNT_NOT_POSITIVE,
  type ErrorReply,
  NUMKEYS_NOT_POSITIVE,
  SYNTAX_ERROR,
} from "../resp/error_reply.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import { argumentIs, integerAt } from "./arg_reader.ts";
import type { Call, WaitUndo } from "./call.ts";
import { COMBINED_KEY_WEIGHT, type LateReply } from "./command_spec.ts";
import type {
  KeysPass,
  KeysSearch,
  KeysWait,
  ManyKeysFinder,
  ManyKeysWork,
} from "./many_keys.ts";
import type { OneKeyForm } from "./one_key.ts";
import { writeEntry } from "./typed_entry.ts";
import { readWaitSeconds } from "./wait_timeout.ts";

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

/** Looks for the first of very many keys that is there. */
class FirstKeySearch implements ManyKeysWork, KeysSearch {
  readonly locking = "write";
  readonly changes = 0;
  readonly isForBackground = false;
  readonly wait: KeysWait | null;
  found = -1;

  constructor(wait: KeysWait | null) {
    this.wait = wait;
  }

  readonly passes: readonly KeysPass[] = [{
    order: "given",
    isLatched: true,
    visit: ({ space, db, key, i, nowMs }) => {
      if (this.found >= 0 || space.lookupQuiet(db, key, nowMs) === 0) return;
      this.found = i;
    },
  }];

  get isOver(): boolean {
    return this.found >= 0;
  }

  get search(): KeysSearch {
    return this;
  }

  reset(): void {
    this.found = -1;
  }

  reply(): LateReply {
    return (reply) => reply.nullArray();
  }
}

/** Where errors go that are replied when the command is run after all. */
const UNREAD = new ReplyWriter();

/** Reads arguments of a command that is yet to be run; replies nothing. */
export function readAhead<T>(call: Call, read: () => T): T {
  const { reply } = call;
  call.reply = UNREAD;
  try {
    return read();
  } finally {
    call.reply = reply;
    UNREAD.reset();
  }
}

/** LMPOP and ZMPOP, whose words are these. */
function manyPopped(first: Uint8Array, second: Uint8Array): KeysFinder {
  return (call) =>
    readAhead(call, () => MANY_POPS.read(call, 1, first, second))
      ? new FirstKeySearch(null)
      : null;
}

/** BLMPOP and BZMPOP; `undo` depends on the word that was read. */
function manyPoppedOrWaited(
  first: Uint8Array,
  second: Uint8Array,
  kind: number,
  undo: () => WaitUndo,
): KeysFinder {
  return (call) => {
    const waitMs = readAhead(
      call,
      () =>
        MANY_POPS.read(call, 2, first, second) ? readWaitSeconds(call, 1) : -1,
    );
    if (waitMs < 0) return null;
    const wait = { kind, waitMs, undo: undo(), replaced: null };
    return new FirstKeySearch(wait);
  };
}

/** BLPOP, and all whose timeout is behind their keys. */
function manyWaited(kind: number, undo: WaitUndo): KeysFinder {
  return (call) => {
    const waitMs = readAhead(call, () => readWaitSeconds(call, call.argc - 1));
    if (waitMs < 0) return null;
    const wait = { kind, waitMs, undo, replaced: null };
    return new FirstKeySearch(wait);
  };
}

type KeysFinder = ManyKeysFinder<Call>;

/** What rows say of commands that look for the first key there is. */
interface ManyKeysRow {
  readonly manyKeys: KeysFinder;
  readonly oneKey: OneKeyForm;
  readonly keyWeight: number;
}

function row(manyKeys: KeysFinder, oneKey: OneKeyForm): ManyKeysRow {
  return { manyKeys, oneKey, keyWeight: COMBINED_KEY_WEIGHT };
}

/** What the row of LMPOP, or that of ZMPOP, says. */
export const manyPops = (first: Uint8Array, second: Uint8Array): ManyKeysRow =>
  row(manyPopped(first, second), "counted");

/** What that of BLMPOP says. */
export const manyListPops = (
  first: Uint8Array,
  second: Uint8Array,
): ManyKeysRow => {
  const undo = () => MANY_POPS.isFirst ? "LPUSH" : "RPUSH";
  const find = manyPoppedOrWaited(first, second, WAITS_FOR_LIST, undo);
  return row(find, "counted");
};

/** What that of BZMPOP says. */
export const manySortedSetPops = (
  first: Uint8Array,
  second: Uint8Array,
): ManyKeysRow => {
  const undo = () => "ZADD" as const;
  const find = manyPoppedOrWaited(first, second, WAITS_FOR_ZSET, undo);
  return row(find, "counted");
};

/** What that of BLPOP says. */
export const MANY_HEADS: ManyKeysRow = row(
  manyWaited(WAITS_FOR_LIST, "LPUSH"),
  "alone",
);
/** What that of BRPOP says. */
export const MANY_TAILS: ManyKeysRow = row(
  manyWaited(WAITS_FOR_LIST, "RPUSH"),
  "alone",
);
/** What those of BZPOPMIN and BZPOPMAX say. */
export const MANY_MEMBERS: ManyKeysRow = row(
  manyWaited(WAITS_FOR_ZSET, "ZADD"),
  "alone",
);

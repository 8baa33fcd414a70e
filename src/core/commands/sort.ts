/**
 * SORT and SORT_RO: the elements of a list, set or sorted set in another order,
 * or what other keys say of them.
 *
 * What is sorted are numbers of elements, which stay where they are; scores and
 * references lie in typed arrays. Keys that BY and GET name may lie on any shard:
 * a call with such patterns holds the latches of all.
 *
 * As in Redis: elements of equal scores are ordered by their bytes, so that the
 * order is always the same; ALPHA compares up to the first NUL, as strcoll does
 * in the C locale, unless the result is stored; what BY does not find counts as
 * 0, or as less than any string.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { parseDouble } from "../base/double.ts";
import { parseSafeInteger } from "../base/integer.ts";
import {
  type IndexOrder,
  sortIndexes,
  sortIndexesBetween,
} from "../base/index_sort.ts";
import { DEL, SORTSTORE } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { ByteRefs } from "../memory/byte_refs.ts";
import {
  LOCKED,
  SCORES_NOT_DOUBLES,
  SYNTAX_ERROR,
  WRONG_TYPE,
} from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { TYPE_LIST, TYPE_SET, TYPE_ZSET } from "../types/entry.ts";
import type { ListValue } from "../types/list_value.ts";
import { argumentIs, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import { sortKeys, sortOtherKeys, sortReadKeys } from "./command_keys.ts";
import { type CommandSpec, keyAt, keysUnknown } from "./command_spec.ts";
import { type ElementWriter, replyElements } from "./element_stream.ts";
import { readElements } from "./sort_elements.ts";
import { SortPattern } from "./sort_pattern.ts";
import { manyInFirst } from "./heavy_work.ts";

const ASC = bytesOf("asc");
const DESC = bytesOf("desc");
const ALPHA = bytesOf("alpha");
const LIMIT = bytesOf("limit");
const STORE = bytesOf("store");
const BY = bytesOf("by");
const GET = bytesOf("get");

/** Less than any normal number: strtod says that it is out of range. */
const NORMAL_MIN = 2 ** -1022;
/** No element: BY has found nothing. */
const NONE = -1;
const NO_BYTES = new Uint8Array(0);

/** `SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] ...` */
function sortCommand(call: Call): void {
  const sort = new Sort(call);
  if (sort.readOptions(true)) sort.run();
}

/** `SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern ...] ...` */
function sortRoCommand(call: Call): void {
  const sort = new Sort(call);
  if (sort.readOptions(false)) sort.run();
}

/** One call of SORT. */
class Sort {
  readonly #call: Call;
  #isDescending = false;
  #isAlpha = false;
  #offset = 0;
  #limit = -1;
  #by: SortPattern | null = null;
  /** Whether a BY asks for no order at all. */
  #isUnsorted = false;
  /** Whether elements that are worth the same come in the order of their bytes. */
  #breaksTies = false;
  readonly #gets: SortPattern[] = [];
  /** The argument that names the key to store to, or 0. */
  #storeAt = 0;
  #elements: ByteRefs;
  /** Numbers of the elements, in the order asked for. */
  #order = new Int32Array(0);
  /** The first element of the result in that order. */
  #start = 0;
  /** Elements of the result. */
  #count = 0;

  constructor(call: Call) {
    this.#call = call;
    this.#elements = new ByteRefs(call.keyspaces[0]!.arena, 0);
  }

  /** Reads the options; false after an error reply. */
  readOptions(stores: boolean): boolean {
    const call = this.#call;
    const last = call.argc - 1;
    for (let i = 2; i <= last; i++) {
      if (argumentIs(call, i, ASC)) this.#isDescending = false;
      else if (argumentIs(call, i, DESC)) this.#isDescending = true;
      else if (argumentIs(call, i, ALPHA)) this.#isAlpha = true;
      else if (argumentIs(call, i, LIMIT) && i + 2 <= last) {
        this.#offset = readInteger(call, ++i);
        if (Number.isNaN(this.#offset)) return false;
        this.#limit = readInteger(call, ++i);
        if (Number.isNaN(this.#limit)) return false;
      } else if (stores && argumentIs(call, i, STORE) && i < last) {
        this.#storeAt = ++i;
      } else if (argumentIs(call, i, BY) && i < last) {
        this.#by = new SortPattern(call, ++i);
        if (!this.#by.namesKeys) this.#isUnsorted = true;
      } else if (argumentIs(call, i, GET) && i < last) {
        this.#gets.push(new SortPattern(call, ++i));
      } else {
        call.reply.error(SYNTAX_ERROR);
        return false;
      }
    }
    return true;
  }

  /** Does what the options say. */
  run(): void {
    const call = this.#call;
    const key = call.key(0);
    const space = call.keyspace(key);
    const ref = space.lookupRead(call.db, key, call.nowMs);
    const type = ref === 0 ? TYPE_LIST : space.type(ref);
    if (type !== TYPE_LIST && type !== TYPE_SET && type !== TYPE_ZSET) {
      return call.reply.error(WRONG_TYPE);
    }
    let isSorted = !this.#isUnsorted;
    // What is stored must not depend on the order inside a set.
    this.#breaksTies = type === TYPE_SET && this.#storeAt !== 0;
    if (!isSorted && type === TYPE_SET && this.#storeAt !== 0) {
      isSorted = true;
      this.#isAlpha = true;
      this.#by = null;
    }
    const length = ref === 0 ? 0 : space.length(ref);
    this.#readLimit(length);
    if (ref === 0) this.#order = new Int32Array(0);
    else if (!isSorted && type !== TYPE_SET) {
      this.#readRange(space, ref, length);
      if (this.#meetsLocked()) return call.reply.error(LOCKED);
    } else {
      this.#elements = new ByteRefs(space.arena, length);
      readElements(space, ref, 0, length, this.#elements);
      this.#order = countUp(length);
      if (this.#meetsLocked()) return call.reply.error(LOCKED);
      if (isSorted && !this.#sort(length)) {
        return call.reply.error(SCORES_NOT_DOUBLES);
      }
    }
    if (this.#storeAt !== 0) this.#store();
    else if (this.#gets.length > 0) this.#replyGets();
    else this.#replyElements(space, ref);
  }

  /** Whether keys that the patterns name are locked for writing. */
  #meetsLocked(): boolean {
    const { keyspaces } = this.#call;
    if (keyspaces.every(({ locks }) => locks.writeLocks === 0)) return false;
    const patterns = [...this.#gets, ...this.#by === null ? [] : [this.#by]];
    for (let i = 0; i < this.#elements.count; i++) {
      for (const pattern of patterns) {
        if (pattern.isLocked(this.#elements, i)) return true;
      }
    }
    return false;
  }

  /** Makes offset and limit of LIMIT a range of the elements that there are. */
  #readLimit(length: number): void {
    this.#start = Math.min(Math.max(this.#offset, 0), length);
    const rest = length - this.#start;
    this.#count = this.#limit < 0 ? rest : Math.min(this.#limit, rest);
  }

  /** Takes the result as it lies in a list or sorted set. */
  #readRange(space: Keyspace, ref: number, length: number): void {
    const count = this.#count;
    const from = this.#isDescending
      ? length - this.#start - count
      : this.#start;
    this.#elements = new ByteRefs(space.arena, count);
    readElements(space, ref, from, from + count, this.#elements);
    this.#order = countUp(count);
    if (this.#isDescending) this.#order.reverse();
    this.#start = 0;
  }

  /** Sorts; false if an element has no score. */
  #sort(length: number): boolean {
    const sign = this.#isDescending ? -1 : 1;
    const compare = this.#isAlpha
      ? this.#textOrder(sign)
      : this.#scoreOrder(length, sign);
    if (compare === null) return false;
    const isPart = this.#start !== 0 || this.#count !== length;
    if (this.#by !== null && isPart) {
      const last = this.#start + this.#count - 1;
      sortIndexesBetween(this.#order, this.#start, last, compare);
    } else sortIndexes(this.#order, compare);
    return true;
  }

  /** The order of scores, turned round if `sign` is -1; null without them. */
  #scoreOrder(length: number, sign: number): IndexOrder | null {
    const elements = this.#elements;
    const by = this.#by;
    const scores = new Float64Array(length);
    for (let i = 0; i < length; i++) {
      if (by !== null && !by.find(elements, i)) continue;
      scores[i] = by === null
        ? scoreOf(elements.buf(i), elements.off(i), elements.length(i))
        : scoreOf(by.buf, by.off, by.length);
      if (Number.isNaN(scores[i])) return null;
    }
    return (a, b) => {
      const x = scores[a]!;
      const y = scores[b]!;
      if (x !== y) return x > y ? sign : -sign;
      return sign * elements.compare(a, b);
    };
  }

  #textOrder(sign: number): IndexOrder {
    const elements = this.#elements;
    const { count } = elements;
    const by = this.#by;
    if (by === null) {
      const texts = this.#storeAt === 0 ? elements.cutAtNul() : elements;
      return (a, b) => sign * texts.compare(a, b);
    }
    const found = new ByteRefs(this.#call.keyspaces[0]!.arena, count);
    const numbers = new Int32Array(count).fill(NONE);
    for (let i = 0; i < count; i++) {
      if (!by.find(elements, i)) continue;
      numbers[i] = found.count;
      found.add(by.buf, by.off, by.length);
    }
    const texts = this.#storeAt === 0 ? found.cutAtNul() : found;
    const compare = (a: number, b: number) => {
      const x = numbers[a]!;
      const y = numbers[b]!;
      if (x !== NONE && y !== NONE) return sign * texts.compare(x, y);
      return x === y ? 0 : x === NONE ? -sign : sign;
    };
    if (!this.#breaksTies) return compare;
    return (a, b) => compare(a, b) || sign * elements.compare(a, b);
  }

  #replyElements(space: Keyspace, ref: number): void {
    const { reply } = this.#call;
    const count = this.#count;
    reply.array(count);
    if (count === 0) return;
    const elements = new SortedElements(this.#elements, this.#order);
    const from = this.#start;
    replyElements(
      this.#call,
      space,
      ref,
      elements,
      from,
      from + count,
      count,
    );
  }

  #replyGets(): void {
    const { reply } = this.#call;
    reply.array(this.#count * this.#gets.length);
    for (let i = 0; i < this.#count; i++) {
      const element = this.#order[this.#start + i]!;
      for (const get of this.#gets) {
        if (get.find(this.#elements, element)) get.reply(reply);
        else reply.nullBulk();
      }
    }
  }

  #store(): void {
    const call = this.#call;
    const key = call.keyAt(this.#storeAt);
    const space = call.keyspace(key);
    const count = this.#count * Math.max(this.#gets.length, 1);
    if (count === 0) {
      const existing = space.lookupQuiet(call.db, key, call.nowMs);
      if (existing !== 0) {
        space.delete(call.db, existing);
        space.hooks.changed(call.db, key, DEL);
      }
      return call.reply.integer(0);
    }
    this.#fillList(space, space.begun.begin(TYPE_LIST));
    const existing = space.lookupWrite(call.db, key, call.nowMs);
    space.begun.store(call.db, key, existing);
    space.hooks.changed(call.db, key, SORTSTORE, count);
    call.reply.integer(count);
  }

  #fillList(space: Keyspace, list: number): void {
    const { lists } = space.values;
    const elements = this.#elements;
    for (let i = 0; i < this.#count; i++) {
      const element = this.#order[this.#start + i]!;
      if (this.#gets.length === 0) {
        append(
          lists,
          list,
          elements.buf(element),
          elements.off(element),
          elements.length(element),
        );
      }
      for (const get of this.#gets) {
        if (get.find(elements, element)) {
          append(lists, list, get.buf, get.off, get.length);
        } else append(lists, list, NO_BYTES, 0, 0);
      }
    }
  }
}

function append(
  lists: ListValue,
  list: number,
  buf: Uint8Array,
  off: number,
  length: number,
): void {
  lists.prepare(list, length, 1, false);
  lists.push(list, false, buf, off, length);
}

/** Writes elements in an order; places are places of that order. */
class SortedElements implements ElementWriter {
  readonly #elements: ByteRefs;
  readonly #order: Int32Array;

  constructor(elements: ByteRefs, order: Int32Array) {
    this.#elements = elements;
    this.#order = order;
  }

  write(
    _space: Keyspace,
    _ref: number,
    from: number,
    to: number,
    reply: ReplyWriter,
    limit: number,
  ): number {
    const elements = this.#elements;
    let place = from;
    for (; place < to && reply.at < limit; place++) {
      const i = this.#order[place]!;
      reply.bulk(elements.buf(i), elements.off(i), elements.length(i));
    }
    return place;
  }
}

/**
 * The number that bytes say as strtod reads them, or NaN if not all of them
 * belong to it or it is out of range. No bytes at all say 0.
 */
export function scoreOf(buf: Uint8Array, off: number, length: number): number {
  const integer = parseSafeInteger(buf, off, length);
  if (integer === integer) return integer;
  const end = off + lengthToNul(buf, off, length);
  if (end === off) return 0;
  let start = off;
  while (start < end && isSpace(buf[start]!)) start++;
  const score = parseDouble(buf, start, end - start);
  return score !== 0 && Math.abs(score) < NORMAL_MIN ? NaN : score;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte >= 0x09 && byte <= 0x0d;
}

/** Bytes before the first NUL. */
function lengthToNul(buf: Uint8Array, off: number, length: number): number {
  const end = off + length;
  let at = off;
  while (at < end && buf[at] !== 0) at++;
  return at - off;
}

/** 0, 1, 2 ... */
function countUp(count: number): Int32Array<ArrayBuffer> {
  const numbers = new Int32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = i;
  return numbers;
}

const SORTED_ELEMENTS_NOTE =
  "BY and GET name keys through the elements that are sorted";

/** Rows of the sort commands. */
export const SORT_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "sort",
    group: "generic",
    since: "1.0.0",
    summary:
      "Sorts the elements of a list, set or sorted set, and can store the outcome.",
    complexity: "O(N+M*log(M))",
    arity: -2,
    flags: ["write", "denyoom"],
    categories: ["set", "sortedset", "list", "dangerous"],
    keys: [
      keyAt(1, "RO access"),
      keysUnknown("RO access", SORTED_ELEMENTS_NOTE),
      keysUnknown("OW update", "STORE may stand anywhere among the options"),
    ],
    findKeys: sortKeys,
    findOtherKeys: sortOtherKeys,
    syntax:
      "key [BY by-pattern{pattern}:pattern#1] [LIMIT limit:(offset:integer count:integer)] [GET get-pattern{pattern}:pattern#1]... [order:(ASC|DESC)] [sorting=ALPHA] [STORE destination:key#2]",
    replies: ["integer", "array"],
    isHeavy: manyInFirst,
    run: sortCommand,
  },
  {
    name: "sort_ro",
    group: "generic",
    since: "7.0.0",
    summary: "Sorts the elements of a list, set or sorted set.",
    complexity: "O(N+M*log(M))",
    arity: -2,
    flags: ["readonly"],
    categories: ["set", "sortedset", "list", "dangerous"],
    keys: [
      keyAt(1, "RO access"),
      keysUnknown("RO access", SORTED_ELEMENTS_NOTE),
    ],
    findKeys: sortReadKeys,
    findOtherKeys: sortOtherKeys,
    syntax:
      "key [BY by-pattern{pattern}:pattern#1] [LIMIT limit:(offset:integer count:integer)] [GET get-pattern{pattern}:pattern#1]... [order:(ASC|DESC)] [sorting=ALPHA]",
    replies: ["array"],
    isHeavy: manyInFirst,
    run: sortRoCommand,
  },
];

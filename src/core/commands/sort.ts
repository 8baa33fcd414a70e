/**
 * SORT and SORT_RO: the elements of a list, set or sorted set in another order,
 * or what other keys say of them.
 *
 * What is sorted are numbers of elements, which stay where they are; scores and
 * references lie in typed arrays. Keys that BY and GET name may lie on any shard:
 * a call with such patterns begins with the latches of all. It goes on in slices
 * (sort_slices.ts) if the elements are many, or if somebody is about to change one
 * of these keys.
 *
 * As in Redis: elements of equal scores are ordered by their bytes, so that the
 * order is always the same; ALPHA compares up to the first NUL, as strcoll does
 * in the C locale, unless the result is stored; what BY does not find counts as
 * 0, or as less than any string.
 *
 * @module
 */

import {
  type IndexOrder,
  sortIndexes,
  sortIndexesBetween,
} from "../base/index_sort.ts";
import { DEL, SORTSTORE } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { ByteRefs } from "../memory/byte_refs.ts";
import { LOCKED, SCORES_NOT_DOUBLES, WRONG_TYPE } from "../resp/error_reply.ts";
import { takeBackReply } from "../resp/reply_source.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { TYPE_LIST, TYPE_SET, TYPE_ZSET } from "../types/entry.ts";
import type { ListValue } from "../types/list_value.ts";
import type { Call } from "./call.ts";
import { sortKeys, sortOtherKeys, sortReadKeys } from "./command_keys.ts";
import {
  type CommandSpec,
  keyAt,
  keysUnknown,
  type LateReply,
} from "./command_spec.ts";
import { type ElementWriter, replyElements } from "./element_stream.ts";
import { manyLookups, manySorted } from "./heavy_work.ts";
import { readElements } from "./sort_elements.ts";
import { SortOptions } from "./sort_options.ts";
import type { SortPattern } from "./sort_pattern.ts";
import {
  countUp,
  elementOrder,
  NONE,
  scoreOf,
  scoreOrder,
  textOrder,
} from "./sort_order.ts";
import { sortInSlices } from "./sort_slices.ts";

const NO_BYTES = new Uint8Array(0);

/** Bytes that are copied at once; if there are more, it goes on in slices. */
const BYTES_AT_ONCE = 1 << 18;
/** To read a score, to compare a text, to store an element takes as long as ... */
const SCORE_WEIGHT = 4;
const TEXT_WEIGHT = 2;
const STORE_WEIGHT = 2;
/** Replies are measured: what is long is sent from where it lies. */
const NO_WEIGHT = 0;

/** `SORT key [BY pattern] [LIMIT offset count] [GET pattern ...] ...` */
function sortCommand(call: Call): void | Promise<LateReply> {
  return sort(call, true);
}

/** `SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern ...] ...` */
function sortRoCommand(call: Call): void | Promise<LateReply> {
  return sort(call, false);
}

/** Reads the options of SORT before any latch is held: they may be very many. */
function readSort(call: Call): void {
  call.sortOptions = new SortOptions(call, true);
}

/** As {@linkcode readSort}, of SORT_RO. */
function readSortRo(call: Call): void {
  call.sortOptions = new SortOptions(call, false);
}

function sort(call: Call, stores: boolean): void | Promise<LateReply> {
  const options = call.sortOptions ?? new SortOptions(call, stores);
  call.sortOptions = null;
  if (options.error !== null) return call.reply.error(options.error);
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupRead(call.db, key, call.nowMs);
  const type = ref === 0 ? TYPE_LIST : space.type(ref);
  if (type !== TYPE_LIST && type !== TYPE_SET && type !== TYPE_ZSET) {
    return call.reply.error(WRONG_TYPE);
  }
  options.fit(type, ref === 0 ? 0 : space.length(ref));
  const hasPatterns = options.patternCount > 0;
  if (hasPatterns && manyLookups(call, options.lookups)) {
    const late = sortInSlices(call, options, ref);
    if (late !== null) return late;
  }
  const work = new Sort(call, options, ref);
  if (ref !== 0) work.readElements(space, ref, type);
  if (hasPatterns && work.meetsLocked()) {
    return sortInSlices(call, options, ref) ?? call.reply.error(LOCKED);
  }
  try {
    work.run(space, ref);
  } catch (cause) {
    if (cause instanceof GoneOn) return cause.late;
    throw cause;
  }
}

/** Thrown when a call goes on in slices that had been begun at once. */
class GoneOn extends Error {
  readonly late: Promise<LateReply>;

  constructor(late: Promise<LateReply>) {
    super("SORT goes on in slices");
    this.late = late;
  }
}

/** One call of SORT that is done at once. */
class Sort {
  readonly #call: Call;
  readonly #options: SortOptions;
  #elements: ByteRefs;
  /** Numbers of the elements, in the order asked for. */
  #order = new Int32Array(0);
  /** The first element of the result in that order. */
  #start = 0;
  /** The entry of the value, or 0. */
  readonly #ref: number;
  /** Keys that were looked up. */
  #looked = 0;
  /** Bytes of what is found that may still be gone through. */
  #bytesLeft = BYTES_AT_ONCE;
  /** Where the reply begins. */
  readonly #replyAt: number;

  constructor(call: Call, options: SortOptions, ref: number) {
    this.#call = call;
    this.#options = options;
    this.#ref = ref;
    this.#replyAt = call.reply.at;
    this.#elements = new ByteRefs(call.keyspaces[0]!.arena, 0);
  }

  /** Reads those elements that matter, in the order in which they are kept. */
  readElements(space: Keyspace, ref: number, type: number): void {
    const { isSorted, isDescending, start, count } = this.#options;
    const length = space.length(ref);
    const isRange = !isSorted && type !== TYPE_SET;
    let from = 0;
    if (isRange) from = isDescending ? length - start - count : start;
    else this.#start = start;
    const wanted = isRange ? count : length;
    this.#elements = new ByteRefs(space.arena, wanted);
    readElements(space, ref, from, from + wanted, this.#elements);
    this.#order = countUp(wanted);
    if (isRange && isDescending) this.#order.reverse();
  }

  /** Sorts what was read, of an entry `ref` or of none, and says or stores it. */
  run(space: Keyspace, ref: number): void {
    const { isSorted, stores, gets } = this.#options;
    if (isSorted && !this.#sort()) {
      return this.#call.reply.error(SCORES_NOT_DOUBLES);
    }
    if (stores) this.#store();
    else if (gets.length > 0) this.#replyGets();
    else this.#replyElements(space, ref);
  }

  /** Whether keys that the patterns name are locked for writing. */
  meetsLocked(): boolean {
    const call = this.#call;
    if (call.keyspaces.every(({ locks }) => locks.writeLocks === 0)) {
      return false;
    }
    const { patterns } = this.#options;
    for (let i = 0; i < this.#elements.count; i++) {
      for (const pattern of patterns) {
        if (pattern.isLocked(call, this.#elements, i)) return true;
      }
    }
    return false;
  }

  /**
   * Finds what belongs to an element. Each byte of it takes as long as `weight`
   * that are copied: if there are too many, the call goes on in slices.
   */
  #find(pattern: SortPattern, i: number, weight: number): boolean {
    if (pattern.namesKeys) this.#looked++;
    if (!pattern.find(this.#call, this.#elements, i)) return false;
    this.#bytesLeft -= pattern.bytes * weight;
    if (this.#bytesLeft < 0) this.#goOn();
    return true;
  }

  /** Goes on in slices if that is possible, else does not ask again. */
  #goOn(): void {
    const call = this.#call;
    const late = sortInSlices(call, this.#options, this.#ref, this.#looked);
    this.#bytesLeft = Infinity;
    if (late === null) return;
    takeBackReply(call.reply, this.#replyAt, call.keyspaces[0]!.externals);
    if (this.#options.stores) {
      call.keyspace(call.keyAt(this.#options.storeAt)).begun.drop();
    }
    throw new GoneOn(late);
  }

  /** Sorts; false if an element has no score. */
  #sort(): boolean {
    const { isDescending, isAlpha, isPart, by, start, count } = this.#options;
    const sign = isDescending ? -1 : 1;
    const compare = isAlpha ? this.#textOrder(sign) : this.#scoreOrder(sign);
    if (compare === null) return false;
    if (by !== null && isPart) {
      sortIndexesBetween(this.#order, start, start + count - 1, compare);
    } else sortIndexes(this.#order, compare);
    return true;
  }

  /** The order of scores, turned round if `sign` is -1; null without them. */
  #scoreOrder(sign: number): IndexOrder | null {
    const elements = this.#elements;
    const { by } = this.#options;
    const scores = new Float64Array(elements.count);
    for (let i = 0; i < elements.count; i++) {
      if (by !== null && !this.#find(by, i, SCORE_WEIGHT)) continue;
      scores[i] = by === null
        ? scoreOf(elements.buf(i), elements.off(i), elements.length(i))
        : scoreOf(by.buf, by.off, by.bytes);
      if (Number.isNaN(scores[i])) return null;
    }
    return scoreOrder(elements, scores, sign);
  }

  #textOrder(sign: number): IndexOrder {
    const elements = this.#elements;
    const { count } = elements;
    const { by, stores, breaksTies } = this.#options;
    if (by === null) {
      return elementOrder(stores ? elements : elements.cutAtNul(), sign);
    }
    const found = new ByteRefs(this.#call.keyspaces[0]!.arena, count);
    const numbers = new Int32Array(count).fill(NONE);
    for (let i = 0; i < count; i++) {
      if (!this.#find(by, i, TEXT_WEIGHT)) continue;
      numbers[i] = found.count;
      found.add(by.buf, by.off, by.bytes);
    }
    const texts = stores ? found : found.cutAtNul();
    return textOrder(elements, numbers, texts, sign, breaksTies);
  }

  #replyElements(space: Keyspace, ref: number): void {
    const { reply } = this.#call;
    const { count } = this.#options;
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
    const { count, gets } = this.#options;
    reply.array(count * gets.length);
    let limit = this.#replyAt + BYTES_AT_ONCE;
    for (let i = 0; i < count; i++) {
      if (reply.at > limit) {
        this.#goOn();
        limit = Infinity;
      }
      const element = this.#order[this.#start + i]!;
      for (const get of gets) {
        if (this.#find(get, element, NO_WEIGHT)) get.reply(reply);
        else reply.nullBulk();
      }
    }
  }

  #store(): void {
    const call = this.#call;
    const { storeAt, gets } = this.#options;
    const key = call.keyAt(storeAt);
    const space = call.keyspace(key);
    const count = this.#options.count * Math.max(gets.length, 1);
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
    const { count, gets } = this.#options;
    for (let i = 0; i < count; i++) {
      const element = this.#order[this.#start + i]!;
      if (gets.length === 0) {
        append(
          lists,
          list,
          elements.buf(element),
          elements.off(element),
          elements.length(element),
        );
      }
      for (const get of gets) {
        if (this.#find(get, element, STORE_WEIGHT)) {
          append(lists, list, get.buf, get.off, get.bytes);
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
    for (; place < to && reply.cost < limit; place++) {
      const i = this.#order[place]!;
      reply.bulk(elements.buf(i), elements.off(i), elements.length(i));
    }
    return place;
  }
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
    isHeavy: manySorted,
    readFirst: readSort,
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
    isHeavy: manySorted,
    readFirst: readSortRo,
    run: sortRoCommand,
  },
];

/**
 * SORT with patterns, in slices: the result is that of the instant at which it
 * began, however many keys BY and GET name, and nobody holds a latch for longer
 * than it takes to look a few of them up.
 *
 * 1. Under the latches of all shards: the value that is sorted is kept as it is,
 *    and pictures of all keys that the patterns make names of are begun
 *    (old_values.ts). Its key is locked for reading, that of STORE for writing.
 * 2. Elements are read and sorted, what BY and GET name is read: without latches,
 *    or with that of one shard.
 * 3. What is stored is built aside; its key gets it in one turn. Until then nobody
 *    sees the key, so that it is as if it had got it at the first instant. But
 *    others have changed since what was read, so a log gets the list itself.
 *
 * Should the database be emptied meanwhile, the result is that of the instant
 * after: nothing. Should memory end, nothing is done.
 *
 * @module
 */

import {
  type IndexOrder,
  sortIndexesBetweenInSteps,
  sortIndexesInSteps,
  type SortSteps,
} from "../base/index_sort.ts";
import { BegunValue } from "../keyspace/begun_value.ts";
import { KEYSPACE_HITS, KEYSPACE_MISSES } from "../keyspace/counters.ts";
import { EffectDraft } from "../keyspace/effect_draft.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import { Key } from "../keyspace/key.ts";
import { DEL, KEY_MISS, SORTSTORE } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import {
  PICTURE_EMPTIED,
  PICTURE_OPEN,
  type PictureSpec,
} from "../keyspace/old_values.ts";
import { releaseValue, shareValue } from "../keyspace/shared_value.ts";
import { keepOldOf } from "../keyspace/snapshot_marks.ts";
import { ByteRefs } from "../memory/byte_refs.ts";
import { OutOfMemory } from "../memory/heap.ts";
import { KNOWN_KEYS } from "../memory/known_keys.ts";
import { ListpackItem, readElement } from "../memory/listpack.ts";
import { elementBytes } from "../memory/listpack_format.ts";
import type { Arguments } from "../resp/arguments.ts";
import {
  type ErrorReply,
  LOCKED,
  OUT_OF_MEMORY,
  SCORES_NOT_DOUBLES,
} from "../resp/error_reply.ts";
import { TYPE_LIST, TYPE_SET } from "../types/entry.ts";
import type { RunVisitor } from "../types/list_value.ts";
import { candidatesIn, ComparedArguments } from "./compared_arguments.ts";
import type { Call, ChangeLocks, ChangePlace, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import { RECORDED } from "./recorded.ts";
import { ElementReading } from "./sort_elements.ts";
import type { SortOptions } from "./sort_options.ts";
import {
  countUp,
  elementOrder,
  NONE,
  scoreOf,
  scoreOrder,
  textOrder,
} from "./sort_order.ts";
import type { SortNames } from "./sort_names.ts";
import type { SortPattern } from "./sort_pattern.ts";
import {
  type Found,
  type LongFind,
  LongFinds,
  PatternReplies,
  StoredBatch,
} from "./sort_values.ts";

/** Elements that a slice reads. */
const READ_ELEMENTS = 2048;
/** Keys that a slice looks up. */
const SLICE_KEYS = 128;
/** Bytes of values after which it ends all the same. */
const SLICE_BYTES = 1 << 16;
/** Elements that a slice adds to a list, or records. */
const SLICE_STORED = 256;
/** Notes of a picture that a slice frees. */
const SLICE_NOTES = 256;
/** So many bytes of a name are made as fast as a key is looked up. */
const NAME_BYTES_PER_LOOKUP = 256;

/** What has become of a look at a key. */
const DONE = 0;
const MUST_WAIT = 1;
const ENDED = 2;

/** What is to be done next. */
type Phase =
  | "read"
  | "weigh"
  | "sort"
  | "get"
  | "fill"
  | "drop"
  | "clean"
  | "record"
  | "end";

/**
 * Goes on with a call of SORT in slices, whose value has the entry `ref`; null if
 * it has to be done at once. The latches of all shards are held. It begins anew, but
 * that keys were looked up has been told of the first `looked` already.
 */
export function sortInSlices(
  call: Call,
  options: SortOptions,
  ref: number,
  looked = 0,
): Promise<LateReply> | null {
  if (!call.canWait || call.inSlices === null || ref === 0) return null;
  const names = options.keepPatterns();
  const key = call.key(0);
  const space = call.keyspace(key);
  // Each of them makes changes of all keys dearer.
  if (space.hooks.oldValues.count >= call.settings.backgroundQueue) return null;
  const work = new SortSlices(call, options, space, ref, looked);
  try {
    work.begin(ref, names);
  } catch (cause) {
    if (!(cause instanceof OutOfMemory)) throw cause;
    work.giveUp();
    return null;
  }
  const late = call.inSlices(space, call.db, key, work, call.args);
  if (late === null) work.giveUp();
  return late;
}

/** One call of SORT. */
class SortSlices implements SlicedChange {
  readonly keepsOld = true;
  readonly locks: ChangeLocks;
  isWaiting = false;
  error: ErrorReply | null = null;
  place: ChangePlace | null = null;
  readonly #call: Call;
  readonly #options: SortOptions;
  readonly #db: number;
  readonly #nowMs: number;
  readonly #noTouch: boolean;
  readonly #type: number;
  readonly #length: number;
  /** Where the value lies that is sorted. */
  readonly #source: Keyspace;
  /** Keeps it as it is; 0 if nothing does any more. */
  #reading = 0;
  /** Where the result is stored, or null. */
  readonly #target: ChangePlace | null;
  /** The pictures of all shards that are not yet freed. */
  #pictures: number[] = [];
  /** Those that are closed, from the first on. */
  #closed = 0;
  #phase: Phase = "read";
  #elements: ByteRefs;
  #elementReading: ElementReading | null = null;
  #order = new Int32Array(0);
  /** The first element of the result in that order. */
  #start = 0;
  /** Values of the result. */
  #count: number;
  /** The next element, and pattern, to be looked at. */
  #at = 0;
  #get = 0;
  #scores = new Float64Array(0);
  #numbers = new Int32Array(0);
  #texts: ByteRefs;
  /** What was found last, if it is long. */
  #long: LongFind | null = null;
  /** Texts that are long. */
  readonly #longTexts: LongFind[] = [];
  readonly #longs: LongFinds;
  /** Keys that are still to be looked up of which that was told. */
  #looked: number;
  #steps: SortSteps | null = null;
  readonly #replies: PatternReplies;
  readonly #batch: StoredBatch;
  #begun: BegunValue | null = null;
  #draft: EffectDraft | null = null;
  readonly #key = new Key();

  /** `ref` is the entry of the value. */
  constructor(
    call: Call,
    options: SortOptions,
    source: Keyspace,
    ref: number,
    looked: number,
  ) {
    const { arena, externals, heap } = source;
    this.#looked = looked;
    this.#longs = new LongFinds(externals, heap);
    this.#call = call;
    this.#options = options;
    this.#db = call.db;
    this.#nowMs = call.nowMs;
    this.#noTouch = source.noTouch;
    this.#source = source;
    this.#type = source.type(ref);
    this.#length = source.length(ref);
    this.#count = options.count * Math.max(1, options.gets.length);
    this.#elements = new ByteRefs(arena, 0);
    this.#texts = new ByteRefs(arena, 0);
    this.#replies = new PatternReplies(call.reply, externals);
    this.#batch = new StoredBatch(externals, this.#longs);
    const read = [nameOf(call.key(0))];
    const write: Uint8Array[] = [];
    this.#target = options.stores ? placeOf(call, options.storeAt) : null;
    if (this.#target !== null) write.push(this.#target.key.buf);
    this.locks = { read, write };
  }

  /** Takes note of all that is to stay as it is; may throw OutOfMemory. */
  begin(ref: number, { names, fields }: SortNames): void {
    this.#reading = shareValue(this.#source, ref);
    if (names.length === 0) return;
    const spec: PictureSpec = {
      ...{ db: this.#db, patterns: names, fields, nowMs: this.#nowMs },
    };
    for (const { hooks } of this.#call.keyspaces) {
      this.#pictures.push(hooks.oldValues.begin(spec));
    }
  }

  /** Nothing comes of it; the latches of all shards are held. */
  giveUp(): void {
    if (this.#reading !== 0) releaseValue(this.#source, this.#reading);
    this.#pictures.forEach((picture, shard) => {
      const { oldValues } = this.#call.keyspaces[shard]!.hooks;
      oldValues.close(picture);
      oldValues.free(picture, Infinity);
    });
  }

  step(space: Keyspace, _ref: number): boolean {
    this.isWaiting = false;
    try {
      return this.#step(space);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      this.#fail(OUT_OF_MEMORY);
      return true;
    }
  }

  #step(space: Keyspace): boolean {
    switch (this.#phase) {
      case "read":
        this.#read();
        return true;
      case "weigh":
        this.#weigh();
        return true;
      case "sort":
        this.#sort();
        return true;
      case "get":
        this.#take();
        return true;
      case "fill":
        this.#fill(space);
        return true;
      case "drop":
        this.#begun?.drop();
        this.#begun = null;
        this.#clean();
        return true;
      case "clean":
        return this.#free();
      case "record":
        this.#record();
        return true;
      case "end":
        return this.#mustRecord();
    }
  }

  finish(
    _space: Keyspace,
    db: number,
    _key: Key,
    _args: Arguments,
    effects: EffectLog,
  ): LateReply {
    const { error } = this;
    if (error !== null) return (reply) => reply.error(error);
    if (this.#target !== null) {
      this.#store(this.#target, db, effects);
      return (reply) => reply.integer(this.#count);
    }
    return (reply) => {
      reply.array(this.#count);
      this.#replies.reply(reply);
    };
  }

  drop(): void {
    this.#begun?.drop();
  }

  /** Reads those elements that matter, in the order in which they are kept. */
  #read(): void {
    const { isSorted, isDescending, start, count } = this.#options;
    const isRange = !isSorted && this.#type !== TYPE_SET;
    const wanted = isRange ? count : this.#length;
    if (this.#elementReading === null) {
      let from = 0;
      if (isRange) from = isDescending ? this.#length - start - count : start;
      else this.#start = start;
      const space = this.#source;
      this.#elements = new ByteRefs(space.arena, wanted);
      this.#elementReading = new ElementReading(
        space,
        this.#reading,
        from,
        from + wanted,
        this.#elements,
      );
    }
    if (this.#elementReading.step(READ_ELEMENTS)) return;
    this.#order = countUp(wanted);
    if (isRange && isDescending) this.#order.reverse();
    if (!isSorted) return this.#beginGets();
    const { isAlpha, by } = this.#options;
    if (isAlpha && by === null) return this.#beginSort();
    if (!isAlpha) this.#scores = new Float64Array(wanted);
    else {
      this.#numbers = new Int32Array(wanted).fill(NONE);
      this.#texts = new ByteRefs(this.#source.arena, wanted);
    }
    this.#phase = "weigh";
  }

  /** Finds what some elements are worth. */
  #weigh(): void {
    const elements = this.#elements;
    const { by } = this.#options;
    const most = by === null ? READ_ELEMENTS : SLICE_KEYS;
    const end = Math.min(this.#at + most, elements.count);
    let looks = 0;
    for (; this.#at < end && looks < most; this.#at++) {
      looks += by === null ? 1 : looksOf(by);
      const i = this.#at;
      if (by === null) {
        this.#scores[i] = scoreOf(
          elements.buf(i),
          elements.off(i),
          elements.length(i),
        );
      } else if (this.#look(by, i, this.#weighFound) !== DONE) return;
      this.#weighLong();
      if (this.#scores[i] !== this.#scores[i] && !this.#options.isAlpha) {
        return this.#fail(SCORES_NOT_DOUBLES);
      }
    }
    if (this.#at === elements.count) this.#beginSort();
  }

  readonly #weighFound = (found: Found | null): void => {
    if (found === null) return;
    this.#long = this.#longs.keep(found);
    if (this.#long !== null) return;
    const { buf, off, bytes } = found;
    const i = this.#at;
    if (!this.#options.isAlpha) {
      this.#scores[i] = scoreOf(buf, off, bytes);
      return;
    }
    this.#numbers[i] = this.#texts.count;
    this.#texts.addCopy(buf, off, bytes);
  };

  /** What was found last may take longer than a latch is to be held. */
  #weighLong(): void {
    const long = this.#long;
    if (long === null) return;
    this.#long = null;
    const { buf, off, bytes } = long;
    const i = this.#at;
    if (this.#options.isAlpha) {
      this.#numbers[i] = this.#texts.count;
      this.#texts.add(buf, off, bytes);
      this.#longTexts.push(long);
    } else {
      this.#scores[i] = scoreOf(buf, off, bytes);
      long.letGo();
    }
  }

  #beginSort(): void {
    const { by, isPart, start, count } = this.#options;
    const order = this.#order;
    const compare = this.#compare();
    this.#steps = by !== null && isPart
      ? sortIndexesBetweenInSteps(order, start, start + count - 1, compare)
      : sortIndexesInSteps(order, compare);
    this.#phase = "sort";
  }

  #compare(): IndexOrder {
    const { isDescending, isAlpha, by, stores, breaksTies } = this.#options;
    const elements = this.#elements;
    const sign = isDescending ? -1 : 1;
    if (!isAlpha) return scoreOrder(elements, this.#scores, sign);
    if (by === null) {
      return elementOrder(stores ? elements : elements.cutAtNul(), sign);
    }
    const texts = stores ? this.#texts : this.#texts.cutAtNul();
    return textOrder(elements, this.#numbers, texts, sign, breaksTies);
  }

  #sort(): void {
    if (this.#steps!.next().done !== true) return;
    this.#steps = null;
    this.#forgetTexts();
    this.#beginGets();
  }

  #beginGets(): void {
    this.#at = this.#get = 0;
    if (this.#count === 0) return this.#clean();
    this.#phase = "get";
  }

  /** Takes some values of the result, in their order. */
  #take(): void {
    const { gets, count } = this.#options;
    const elements = this.#elements;
    const writer = this.#target === null ? this.#replies.writer() : null;
    const use = writer === null ? this.#batch.add : this.#replies.add;
    const bytesMax = (writer === null ? 0 : writer.at) + SLICE_BYTES;
    for (let looks = 0; looks < SLICE_KEYS && this.#at < count;) {
      if ((writer === null ? this.#batch.bytes : writer.at) > bytesMax) break;
      const i = this.#order[this.#start + this.#at]!;
      const get = gets[this.#get];
      if (get === undefined || get.isElement) {
        const off = elements.off(i);
        use({ buf: elements.buf(i), off, bytes: elements.length(i), run: 0 });
      } else if (!get.namesKeys) use(null);
      else if (this.#look(get, i, use) !== DONE) break;
      looks += get === undefined ? 1 : looksOf(get);
      if (++this.#get < gets.length) continue;
      this.#get = 0;
      this.#at++;
    }
    if (this.#phase !== "get") return;
    this.#batch.copyLong();
    if (this.#target !== null && this.#batch.count > 0) {
      this.#phase = "fill";
      this.place = this.#target;
    } else if (this.#at === count) this.#clean();
  }

  /** Adds to the list what was taken; the latch of its shard is held. */
  #fill(space: Keyspace): void {
    if (this.#begun === null) {
      this.#begun = new BegunValue(space);
      this.#begun.begin(TYPE_LIST);
    }
    this.#batch.addTo(space.values.lists, this.#begun.ref);
    this.place = null;
    if (this.#at === this.#options.count) this.#clean();
    else this.#phase = "get";
  }

  /**
   * Looks up what belongs to an element, and has it used under the latch of its
   * shard.
   */
  #look(
    pattern: SortPattern,
    i: number,
    use: (found: Found | null) => void,
  ): number {
    const call = this.#call;
    const key = this.#key;
    pattern.makeName(this.#elements, i);
    call.fillKey(key, pattern.name, 0, pattern.nameLength);
    const { shard } = key;
    const compared = pattern.hasLongField ? this.#compareField(pattern) : null;
    call.latches.acquire(shard);
    try {
      const space = call.keyspaces[shard]!;
      return this.#lookIn(space, pattern, use);
    } finally {
      call.latches.release(shard);
      if (compared !== null) {
        compared.drop();
        KNOWN_KEYS.clear();
      }
    }
  }

  /** Compares a long field with what the hash has that is looked at next. */
  #compareField(pattern: SortPattern): ComparedArguments {
    const { latches, keyspaces, hashSeed } = this.#call;
    const { shard } = this.#key;
    const compared = new ComparedArguments();
    compared.add(pattern.lookedFor(hashSeed));
    latches.acquire(shard);
    const space = keyspaces[shard]!;
    const ref = this.#entryIn(space, pattern);
    const candidates = candidatesIn(space, ref, compared.looked);
    latches.release(shard);
    compared.compare(candidates);
    return compared;
  }

  /** The entry in which a field is looked for, or 0. */
  #entryIn(space: Keyspace, { fieldNumber }: SortPattern): number {
    const { oldValues } = space.hooks;
    const picture = this.#pictures[space.shard]!;
    return oldValues.find(picture, this.#key, fieldNumber)
      ? oldValues.reading
      : space.peek(oldValues.database(picture), this.#key);
  }

  #lookIn(
    space: Keyspace,
    pattern: SortPattern,
    use: (found: Found | null) => void,
  ): number {
    const key = this.#key;
    const { oldValues } = space.hooks;
    const picture = this.#pictures[space.shard]!;
    const state = oldValues.state(picture);
    if (state !== PICTURE_OPEN) {
      if (state !== PICTURE_EMPTIED) this.#fail(OUT_OF_MEMORY);
      else {
        this.#count = 0;
        this.#abandon();
      }
      return ENDED;
    }
    if (oldValues.find(picture, key, pattern.fieldNumber)) {
      this.#noteLookup(space, oldValues.hadKey);
      const { reading } = oldValues;
      if (reading !== 0) {
        use(pattern.read(space, reading, this.#nowMs) ? pattern : null);
      } else use(oldValues.isThere ? oldValues : null);
      return DONE;
    }
    const { locks } = space;
    const db = oldValues.database(picture);
    const { buf, off, length, hash } = key;
    const node = locks.find(db, buf, off, length, hash);
    if (node !== 0 && locks.isChangedInPlace(node)) {
      this.isWaiting = true;
      return MUST_WAIT;
    }
    const isHidden = node !== 0 && locks.isWriteHeld(node);
    if (isHidden && !locks.isChangedAtEnd(node)) {
      // Who knows what he has done with it, and whom he waits for.
      this.#fail(LOCKED);
      return ENDED;
    }
    const ref = isHidden ? this.#peek(space, db) : this.#lookUp(space, db);
    this.#noteLookup(space, ref !== 0);
    use(ref !== 0 && pattern.read(space, ref, this.#nowMs) ? pattern : null);
    return DONE;
  }

  /** The live entry of a key that must not be looked up as others are, or 0. */
  #peek(space: Keyspace, db: number): number {
    const ref = space.peek(db, this.#key);
    return ref === 0 || space.isExpired(ref, this.#nowMs) ? 0 : ref;
  }

  /** The live entry of a key, which stays even if its time has come; or 0. */
  #lookUp(space: Keyspace, db: number): number {
    const { noTouch, keepsExpired } = space;
    space.noTouch = this.#noTouch;
    space.keepsExpired = true;
    const ref = space.lookupWrite(db, this.#key, this.#nowMs);
    space.noTouch = noTouch;
    space.keepsExpired = keepsExpired;
    return ref;
  }

  #noteLookup({ hooks }: Keyspace, hasFound: boolean): void {
    if (this.#looked > 0) {
      this.#looked--;
      return;
    }
    const { counters } = this.#call;
    const counter = hasFound ? KEYSPACE_HITS : KEYSPACE_MISSES;
    counters[counter] = counters[counter]! + 1;
    if (!hasFound) hooks.signal(this.#db, this.#key, KEY_MISS);
  }

  #fail(error: ErrorReply): void {
    this.error = error;
    this.#abandon();
  }

  /** What was taken so far is not wanted. */
  #abandon(): void {
    this.#replies.drop();
    this.#batch.clear();
    this.#forgetTexts();
    if (this.#begun === null) return this.#clean();
    this.#phase = "drop";
    this.place = this.#target;
  }

  #forgetTexts(): void {
    for (const { letGo } of this.#longTexts.splice(0)) letGo();
  }

  #clean(): void {
    this.#phase = "clean";
    this.place = null;
  }

  /** Lets go of the value and the pictures; says whether something is left. */
  #free(): boolean {
    const { latches, keyspaces } = this.#call;
    if (this.#reading !== 0) {
      const { shard } = this.#source;
      latches.acquire(shard);
      releaseValue(this.#source, this.#reading);
      latches.release(shard);
      this.#reading = 0;
    }
    const pictures = this.#pictures;
    if (this.#closed < pictures.length) {
      // All of them first, so that nobody notes anything for nothing.
      const shard = this.#closed++;
      latches.acquire(shard);
      keyspaces[shard]!.hooks.oldValues.close(pictures[shard]!);
      latches.release(shard);
      return true;
    }
    const shard = pictures.length - 1;
    if (shard >= 0) {
      latches.acquire(shard);
      const { oldValues } = keyspaces[shard]!.hooks;
      const isFree = oldValues.free(pictures[shard]!, SLICE_NOTES);
      latches.release(shard);
      if (isFree) {
        pictures.pop();
        this.#closed--;
      }
      return true;
    }
    if (this.#target === null || this.error !== null) return false;
    this.#phase = "end";
    this.place = this.#target;
    return true;
  }

  /** Whether a log wants to have what is stored, which takes some slices. */
  #mustRecord(): boolean {
    if (
      this.#begun === null || this.#draft !== null || !this.#call.effects.isOn
    ) return false;
    this.#phase = "record";
    // Nobody else knows the list.
    this.place = null;
    this.#at = 0;
    const { key } = this.#target!;
    this.#draft = new EffectDraft();
    this.#draft.replace(this.#db, RECORDED.DEL, 2)
      .bytes(key.buf, key.off, key.length);
    return true;
  }

  /** Writes down some elements of the list. */
  #record(): void {
    const { key, space } = this.#target!;
    const { lists } = space.values;
    const end = Math.min(this.#at + SLICE_STORED, this.#count);
    this.#draft!.replace(this.#db, RECORDED.RPUSH, 2 + end - this.#at)
      .bytes(key.buf, key.off, key.length);
    recorded = this.#draft;
    while (this.#at < end) {
      this.#at = lists.visitRun(this.#begun!.ref, this.#at, end, RECORDER);
    }
    recorded = null;
    if (end < this.#count) return;
    this.#phase = "end";
    this.place = this.#target;
  }

  #store({ space, key }: ChangePlace, db: number, effects: EffectLog): void {
    keepOldOf(space, key);
    const existing = space.peek(db, key);
    if (this.#begun !== null) {
      this.#begun.store(db, key, existing);
      this.#begun = null;
      if (effects.isOn) effects.replaceWith(this.#draft!);
      return space.hooks.changed(db, key, SORTSTORE, this.#count);
    }
    if (existing === 0) return;
    if (space.isExpired(existing, this.#nowMs)) {
      return space.expire(db, existing);
    }
    space.delete(db, existing);
    if (effects.isOn) {
      effects.replace(db, RECORDED.DEL, 2).bytes(key.buf, key.off, key.length);
    }
    space.hooks.changed(db, key, DEL);
  }
}

/** Where elements of a list are written down. */
let recorded: EffectDraft | null = null;
const ITEM = new ListpackItem();

const RECORDER: RunVisitor = {
  packed(buf, at, count) {
    for (let i = 0; i < count; i++) {
      readElement(buf, at, ITEM);
      recorded!.bytes(ITEM.buf, ITEM.off, ITEM.length);
      at += elementBytes(buf, at);
    }
  },
  plain: (buf, off, length) => void recorded!.bytes(buf, off, length),
};

/** Keys that could be looked up in the time that one of a pattern takes. */
function looksOf({ length }: SortPattern): number {
  return 1 + Math.floor(length / NAME_BYTES_PER_LOOKUP);
}

function nameOf({ buf, off, length }: Key): Uint8Array<ArrayBuffer> {
  return buf.slice(off, off + length) as Uint8Array<ArrayBuffer>;
}

/** The key in argument `i`, as long as one likes. */
function placeOf(call: Call, i: number): ChangePlace {
  const name = nameOf(call.keyAt(i));
  const key = new Key();
  call.fillKey(key, name, 0, name.length);
  return { space: call.keyspace(key), key };
}

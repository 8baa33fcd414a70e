/**
 * Old values: what the keys that some patterns make names of had at one instant,
 * for a command that reads very many keys, which takes longer than anybody could
 * hold their latches.
 *
 * The instant is one at which the latches of all shards are held: a *picture* is
 * begun in each. From then on, whoever is about to change a key of its database
 * that fits one of its patterns notes first what the key has, once for each key
 * (`keepOld` in snapshot_marks.ts). Meanwhile the keys are read, one after the
 * other: what is noted of a key is what it had, else it still has it. So nobody
 * waits for the reader, and the reader for nobody, but for who is half through
 * with changing a key: see {@linkcode KeyLocks.isChangedInPlace}. His change came
 * before the picture, as nobody has seen the key since it began.
 *
 * Of a hash, a note has those fields that are asked for. If these are many, or
 * long, it has the hash as a whole, which is shared (shared_value.ts): who wants to
 * change one that takes long to copy waits until that has been done in the
 * background (kept_hashes.ts).
 *
 * ```text
 * picture   next, state, database, time (2), notes, patterns, fields,
 *           1 if hashes are kept as a whole,
 *           header of the dictionary of notes
 *           per pattern: prefix (offset, length), suffix
 *           per field: offset, length      then the bytes of all of them
 * note      key_notes.ts: word 0 says whether there was a key; behind the name,
 *           for the string, and for each field or the hash: reference, length + 1
 *           (0: none; -1: the reference is a run, as external.ts has it; -2: that
 *           of a reading), and for a long value in a steady run (page_pool.ts):
 *           that run, which is kept; then the reference is where it begins there
 * ```
 *
 * All pictures of a shard are in a chain; while there is none, a change pays one
 * test of the hook word. SWAPDB takes pictures along with their databases. A
 * picture ends early when its database is emptied, and when there is no memory for
 * a note.
 *
 * Every method asks that the caller holds the shard's latch.
 *
 * @module
 */

import { copyBytes, equalBytes } from "../base/bytes.ts";
import { byteOf, SEGMENT_SHIFT, wordOf } from "../memory/arena.ts";
import { DICT_HEADER_WORDS } from "../memory/dict.ts";
import { OutOfMemory } from "../memory/heap.ts";
import { Listpacks } from "../memory/listpack.ts";
import { NODE_META } from "../memory/node.ts";
import { STRING_EXTERNAL, TYPE_HASH, TYPE_STRING } from "../types/entry.ts";
import { HashValue } from "../types/hash_value.ts";
import { Key } from "./key.ts";
import { KeyNotes } from "./key_notes.ts";
import type { Keyspace } from "./keyspace.ts";
import {
  FLAG_OLD_HASHES,
  HOOK_OLD_VALUES,
  SHARD_FLAGS,
  SHARD_HOOKS,
  SHARD_OLD_VALUES,
} from "./shard_control.ts";
import { releaseValue, shareValue } from "./shared_value.ts";

/** State: what has changed is noted. */
export const PICTURE_OPEN = 0;
/** State: the database was emptied at an instant since. */
export const PICTURE_EMPTIED = 1;
/** State: there was no memory for a note. */
export const PICTURE_SPOILED = 2;

const NEXT = 0;
const STATE = 1;
const DATABASE = 2;
const TIME_LOW = 3;
const TIME_HIGH = 4;
const NOTES = 5;
const PATTERNS = 6;
const FIELDS = 7;
const IS_WHOLE = 8;
const HEADER = 9;
const TABLE = HEADER + DICT_HEADER_WORDS;
const PATTERN_WORDS = 4;
const FIELD_WORDS = 2;
const TIME_UNIT = 2 ** 24;
const WORDS_PER_VALUE = 3;
/** Word of a value: its length, and one; or one of the next. */
const LENGTH = 1;
/** Word of a value: the run that is kept for it, or 0. */
const KEPT = 2;
/** Length of what lies in a run. */
const IN_RUN = -1;
/** Length of a hash as a whole. */
const IN_READING = -2;
/** Number of that value. */
const WHOLE_HASH = 0;
/** Values of so many bytes are kept where they lie, if they can be. */
const KEPT_BYTES_MIN = 1 << 15;

/** Notes that a picture of one shard may have. */
const NOTES_MAX = 1 << 20;
/** Pictures whose notes a worker remembers how to reach. */
const REMEMBERED_MAX = 256;

/** Names of keys: all that begin and end like this. */
export interface NamePattern {
  /** What they begin with. */
  readonly prefix: Uint8Array;
  /** What they end with, behind that. */
  readonly suffix: Uint8Array;
}

/** What a picture is to have. */
export interface PictureSpec {
  readonly db: number;
  readonly patterns: readonly NamePattern[];
  /**
   * Fields of hashes, or null for all that they have; of a string, a picture has
   * all of it.
   */
  readonly fields: readonly Uint8Array[] | null;
  /** What has expired by this time is not in it. */
  readonly nowMs: number;
}

const NO_FIELDS: readonly Uint8Array[] = [];

/** The pictures of one shard. */
export class OldValues {
  /** What was found: whether the key was there, ... */
  hadKey = false;
  /** ... whether there is a value, in a view, or ... */
  isThere = false;
  buf: Uint8Array = new Uint8Array(0);
  off = 0;
  bytes = 0;
  /** ... in this run, if that is not 0. */
  run = 0;
  /** The reading of the hash that is there instead, or 0. */
  reading = 0;
  readonly #space: Keyspace;
  readonly #control: Int32Array;
  readonly #notes = new Map<number, KeyNotes>();
  readonly #key = new Key();
  /** Its own, so that those who change a hash find theirs as they left it. */
  #hashes: HashValue | null = null;

  constructor(space: Keyspace) {
    this.#space = space;
    this.#control = space.control;
  }

  /** Begins a picture and returns it; may throw OutOfMemory. */
  begin({ db, patterns, fields: asked, nowMs }: PictureSpec): number {
    const { heap, arena } = this.#space;
    const fields = asked ?? NO_FIELDS;
    let bytes = 0;
    for (const { prefix, suffix } of patterns) {
      bytes += prefix.length + suffix.length;
    }
    for (const field of fields) bytes += field.length;
    const words = TABLE + patterns.length * PATTERN_WORDS +
      fields.length * FIELD_WORDS;
    const picture = heap.allocate((words * 4 + bytes + 7) >>> 3);
    const all = arena.i32[picture >>> SEGMENT_SHIFT]!;
    const at = wordOf(picture);
    all.fill(0, at, at + TABLE);
    all[at + DATABASE] = db;
    all[at + TIME_LOW] = nowMs % TIME_UNIT;
    all[at + TIME_HIGH] = Math.floor(nowMs / TIME_UNIT);
    all[at + PATTERNS] = patterns.length;
    all[at + FIELDS] = fields.length;
    all[at + IS_WHOLE] = asked === null ? 1 : 0;
    const buf = arena.u8[picture >>> SEGMENT_SHIFT]!;
    let word = at + TABLE;
    let off = words * 4;
    const put = (part: Uint8Array) => {
      all[word++] = off;
      all[word++] = part.length;
      copyBytes(part, 0, buf, byteOf(picture) + off, part.length);
      off += part.length;
    };
    for (const { prefix, suffix } of patterns) {
      put(prefix);
      put(suffix);
    }
    fields.forEach(put);
    all[at + NEXT] = this.#control[SHARD_OLD_VALUES]!;
    this.#control[SHARD_OLD_VALUES] = picture;
    this.#control[SHARD_HOOKS]! |= HOOK_OLD_VALUES;
    if (asked === null) this.#control[SHARD_FLAGS]! |= FLAG_OLD_HASHES;
    return picture;
  }

  /** Pictures that are not closed. */
  get count(): number {
    let count = 0;
    for (let at = this.#first(); at !== 0; at = this.#word(at, NEXT)) count++;
    return count;
  }

  /** Whether a picture is open, and if not, why. */
  state(picture: number): number {
    return this.#word(picture, STATE);
  }

  /** Number that a picture's database has now. */
  database(picture: number): number {
    return this.#word(picture, DATABASE);
  }

  /** The entry of a key is about to change, or to go. */
  noteEntry(db: number, ref: number): void {
    const space = this.#space;
    const key = this.#key;
    key.buf = space.bytes(ref);
    key.off = space.keyOff(ref);
    key.length = space.keyLength(ref);
    key.hash = space.hashOf(ref);
    for (let at = this.#first(); at !== 0; at = this.#word(at, NEXT)) {
      if (this.#word(at, DATABASE) === db) this.#note(at, key, ref);
    }
  }

  /** A key may be about to change in any database. */
  noteKey(key: Key): void {
    for (let at = this.#first(); at !== 0; at = this.#word(at, NEXT)) {
      if (!this.#fits(at, key)) continue;
      const db = this.#word(at, DATABASE);
      this.#note(at, key, this.#space.peek(db, key));
    }
  }

  /**
   * Whether the hash of a key, whose entry is `ref`, is one that a picture has as
   * a whole, or will have when it is about to change.
   */
  keepsHash(db: number, key: Key, ref: number): boolean {
    for (let at = this.#first(); at !== 0; at = this.#word(at, NEXT)) {
      if (
        this.#word(at, IS_WHOLE) === 0 || this.#word(at, DATABASE) !== db ||
        this.#word(at, STATE) !== PICTURE_OPEN || !this.#fits(at, key)
      ) continue;
      if (this.#space.hasReaders(ref) || !this.#hasNoted(at, key)) return true;
    }
    return false;
  }

  #hasNoted(picture: number, { buf, off, length, hash }: Key): boolean {
    return this.#notesOf(picture).find(0, buf, off, length, hash) !== 0;
  }

  /** A key has come into being of which nothing was noted before. */
  noteNew(db: number, key: Key): void {
    for (let at = this.#first(); at !== 0; at = this.#word(at, NEXT)) {
      if (this.#word(at, DATABASE) === db) this.#note(at, key, 0);
    }
  }

  /** A database is about to lose all of its keys. */
  emptied(db: number): void {
    for (let at = this.#first(); at !== 0; at = this.#word(at, NEXT)) {
      if (this.#word(at, DATABASE) === db) this.#end(at, PICTURE_EMPTIED);
    }
  }

  /** Two databases have been exchanged. */
  swapped(a: number, b: number): void {
    for (let at = this.#first(); at !== 0; at = this.#word(at, NEXT)) {
      const db = this.#word(at, DATABASE);
      if (db === a) this.#setWord(at, DATABASE, b);
      else if (db === b) this.#setWord(at, DATABASE, a);
    }
  }

  /**
   * Whether something is noted of a key; finds its string (`field` -1) or a field
   * of the picture then, or the hash as a whole, whatever the field.
   */
  find(picture: number, key: Key, field: number): boolean {
    if (this.#word(picture, NOTES) === 0) return false;
    const notes = this.#notesOf(picture);
    const { buf, off, length, hash } = key;
    const node = notes.find(0, buf, off, length, hash);
    if (node === 0) return false;
    this.hadKey = notes.word(node, NODE_META) !== 0;
    const isWhole = this.#word(picture, IS_WHOLE) !== 0;
    const value = isWhole && field > WHOLE_HASH ? WHOLE_HASH : field;
    const at = notes.moreAt(node) + (value + 1) * WORDS_PER_VALUE;
    const ref = notes.word(node, at);
    const more = notes.word(node, at + LENGTH);
    const kept = notes.word(node, at + KEPT);
    this.isThere = more !== 0;
    this.run = more === IN_RUN ? ref : 0;
    this.reading = more === IN_READING ? ref : 0;
    if (more === IN_RUN) {
      const { externals } = this.#space;
      this.buf = externals.bytes(ref);
      this.off = externals.offset(ref);
      this.bytes = externals.length(ref);
    } else if (more > 0) {
      const at = kept === 0 ? ref : kept;
      this.buf = this.#space.arena.u8[at >>> SEGMENT_SHIFT]!;
      this.off = byteOf(at) + (kept === 0 ? 0 : ref);
      this.bytes = more - 1;
    }
    return true;
  }

  /** Nothing more is noted for a picture. */
  close(picture: number): void {
    const next = this.#word(picture, NEXT);
    if (this.#first() === picture) this.#control[SHARD_OLD_VALUES] = next;
    else {
      let at = this.#first();
      while (this.#word(at, NEXT) !== picture) at = this.#word(at, NEXT);
      this.#setWord(at, NEXT, next);
    }
    if (this.#first() === 0) this.#control[SHARD_HOOKS]! &= ~HOOK_OLD_VALUES;
    if (this.#word(picture, IS_WHOLE) === 0) return;
    let at = this.#first();
    while (at !== 0 && this.#word(at, IS_WHOLE) === 0) {
      at = this.#word(at, NEXT);
    }
    if (at === 0) this.#control[SHARD_FLAGS]! &= ~FLAG_OLD_HASHES;
  }

  /** Frees about so many notes of a closed picture, then it; says if all is. */
  free(picture: number, budget: number): boolean {
    const { dict, heap } = this.#space;
    const header = wordOf(picture) + HEADER;
    const words = this.#wordsOf(picture);
    const taken: number[] = [];
    for (let freed = 0; freed < budget;) {
      taken.length = 0;
      if (!dict.popBucket(words, header, (node) => taken.push(node))) {
        this.#notes.delete(picture);
        heap.free(picture);
        return true;
      }
      for (const node of taken) this.#freeNote(picture, node);
      freed += taken.length + 1;
    }
    return false;
  }

  #freeNote(picture: number, node: number): void {
    const { heap, externals } = this.#space;
    const notes = this.#notesOf(picture);
    const first = notes.moreAt(node);
    const end = first + this.#valuesOf(picture) * WORDS_PER_VALUE;
    for (let at = first; at < end; at += WORDS_PER_VALUE) {
      const ref = notes.word(node, at);
      const length = notes.word(node, at + LENGTH);
      const kept = notes.word(node, at + KEPT);
      if (kept !== 0) heap.letGo(kept);
      else if (ref === 0) continue;
      else if (length === IN_RUN) externals.unpin(ref);
      else if (length === IN_READING) releaseValue(this.#space, ref);
      else heap.free(ref);
    }
    notes.free(node);
  }

  /** Values of which a note has room for references. */
  #valuesOf(picture: number): number {
    return 1 + this.#word(picture, FIELDS) + this.#word(picture, IS_WHOLE);
  }

  #first(): number {
    return this.#control[SHARD_OLD_VALUES]!;
  }

  /** Notes what a key has, whose entry is `ref`, or 0. */
  #note(picture: number, key: Key, ref: number): void {
    if (
      this.#word(picture, STATE) !== PICTURE_OPEN || !this.#fits(picture, key)
    ) return;
    const notes = this.#notesOf(picture);
    const { buf, off, length, hash } = key;
    if (notes.find(0, buf, off, length, hash) !== 0) return;
    const { locks } = this.#space;
    const node = locks.find(
      this.#word(picture, DATABASE),
      buf,
      off,
      length,
      hash,
    );
    // What is half changed will be read when it has been changed.
    if (node !== 0 && locks.isChangedInPlace(node)) return;
    const count = this.#word(picture, NOTES);
    if (count === NOTES_MAX) return this.#end(picture, PICTURE_SPOILED);
    try {
      const words = this.#valuesOf(picture) * WORDS_PER_VALUE;
      const made = notes.add(0, key, words);
      this.#setWord(picture, NOTES, count + 1);
      const time = this.#timeOf(picture);
      if (ref === 0 || this.#space.isExpired(ref, time)) return;
      notes.setWord(made, NODE_META, 1);
      this.#noteValues(picture, notes, made, ref, time);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      this.#end(picture, PICTURE_SPOILED);
    }
  }

  #noteValues(
    picture: number,
    notes: KeyNotes,
    node: number,
    ref: number,
    nowMs: number,
  ): void {
    const space = this.#space;
    const { strings, externals } = space;
    const at = notes.moreAt(node);
    const type = space.type(ref);
    if (type === TYPE_STRING && space.encoding(ref) === STRING_EXTERNAL) {
      const run = space.valueRef(ref);
      externals.pin(run);
      notes.setWord(node, at, run);
      notes.setWord(node, at + LENGTH, IN_RUN);
    } else if (type === TYPE_STRING) {
      const off = strings.off(ref);
      const length = strings.length(ref);
      this.#keep(notes, node, at, strings.bytes(ref), off, length);
    }
    if (type !== TYPE_HASH) return;
    if (this.#word(picture, IS_WHOLE) !== 0) {
      const to = at + (WHOLE_HASH + 1) * WORDS_PER_VALUE;
      notes.setWord(node, to, shareValue(space, ref));
      notes.setWord(node, to + LENGTH, IN_READING);
      return;
    }
    const hashes = this.#hashes ??= new HashValue({
      ...space.values.memory,
      listpacks: new Listpacks(space.arena, space.heap),
    });
    const buf = space.arena.u8[picture >>> SEGMENT_SHIFT]!;
    const start = byteOf(picture);
    let word = TABLE + this.#word(picture, PATTERNS) * PATTERN_WORDS;
    const fields = this.#word(picture, FIELDS);
    for (let i = 1; i <= fields; i++, word += FIELD_WORDS) {
      const off = start + this.#word(picture, word);
      const length = this.#word(picture, word + 1);
      if (!hashes.find(ref, buf, off, length, nowMs)) continue;
      const { value } = hashes;
      const to = at + i * WORDS_PER_VALUE;
      this.#keep(notes, node, to, value.buf, value.off, value.length);
    }
  }

  #keep(
    notes: KeyNotes,
    node: number,
    at: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): void {
    const { heap, arena } = this.#space;
    const run = length < KEPT_BYTES_MIN ? 0 : heap.steadyRunAt(buf, off);
    if (run !== 0) {
      heap.keep(run);
      const start = arena.u8[run >>> SEGMENT_SHIFT]!.byteOffset + byteOf(run);
      notes.setWord(node, at, buf.byteOffset + off - start);
      notes.setWord(node, at + KEPT, run);
    } else if (length > 0) {
      const ref = heap.allocate((length + 7) >>> 3);
      const to = arena.u8[ref >>> SEGMENT_SHIFT]!;
      copyBytes(buf, off, to, byteOf(ref), length);
      notes.setWord(node, at, ref);
    }
    notes.setWord(node, at + LENGTH, length + 1);
  }

  /** Whether a pattern of a picture makes this name. */
  #fits(picture: number, { buf, off, length }: Key): boolean {
    const own = this.#space.arena.u8[picture >>> SEGMENT_SHIFT]!;
    const start = byteOf(picture);
    const end = TABLE + this.#word(picture, PATTERNS) * PATTERN_WORDS;
    for (let word = TABLE; word < end; word += PATTERN_WORDS) {
      const prefix = this.#word(picture, word + 1);
      const suffix = this.#word(picture, word + 3);
      if (prefix + suffix > length) continue;
      const prefixOff = start + this.#word(picture, word);
      if (!equalBytes(own, prefixOff, prefix, buf, off, prefix)) continue;
      const suffixOff = start + this.#word(picture, word + 2);
      const last = off + length - suffix;
      if (equalBytes(own, suffixOff, suffix, buf, last, suffix)) return true;
    }
    return false;
  }

  #end(picture: number, state: number): void {
    if (this.#word(picture, STATE) !== PICTURE_OPEN) return;
    this.#setWord(picture, STATE, state);
  }

  #timeOf(picture: number): number {
    return this.#word(picture, TIME_HIGH) * TIME_UNIT +
      this.#word(picture, TIME_LOW);
  }

  /** What lies at a place is always the same, so these need not be forgotten. */
  #notesOf(picture: number): KeyNotes {
    const known = this.#notes.get(picture);
    if (known !== undefined) return known;
    if (this.#notes.size === REMEMBERED_MAX) this.#notes.clear();
    const { arena, heap, dict } = this.#space;
    const words = this.#wordsOf(picture);
    const header = wordOf(picture) + HEADER;
    const notes = new KeyNotes(arena, heap, dict, words, header);
    this.#notes.set(picture, notes);
    return notes;
  }

  #wordsOf(picture: number): Int32Array {
    return this.#space.arena.i32[picture >>> SEGMENT_SHIFT]!;
  }

  #word(picture: number, index: number): number {
    return this.#wordsOf(picture)[wordOf(picture) + index]!;
  }

  #setWord(picture: number, index: number, value: number): void {
    this.#wordsOf(picture)[wordOf(picture) + index] = value;
  }
}

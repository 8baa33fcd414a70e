/**
 * Pictures: which keys a shard had at one instant, for KEYS, which takes longer
 * than anybody could hold a latch.
 *
 * The instant is one at which the latches of all shards are held. From then on,
 * whoever makes or deletes a key of the database for the first time notes whether
 * it was there. Meanwhile the keys are walked, in small holds. In the end, those
 * that were there are
 *
 * ```text
 * the keys that were walked, without those that are noted as new
 * and the keys that are noted as having been there, but were not walked
 * ```
 *
 * A shard has words for a few pictures at a time; while there is none, who makes or
 * deletes a key pays one test of the hook word. A picture is
 * spoiled by what changes all keys at once, by too many notes, and when memory
 * runs out; whoever takes it begins anew.
 *
 * Every method asks that the caller holds the shard's latch.
 *
 * @module
 */

import { type Dict, DICT_HEADER_WORDS } from "../memory/dict.ts";
import { OutOfMemory } from "../memory/heap.ts";
import { NODE_META } from "../memory/node.ts";
import { Key } from "./key.ts";
import type { KeyNotes } from "./key_notes.ts";
import {
  HOOK_PICTURES,
  PICTURE_WORDS,
  PICTURES_MAX,
  SHARD_HOOKS,
  SHARD_PICTURES,
} from "./shard_control.ts";

/** Word of a picture: its database + 1, SPOILED, CLOSED, or 0 for a free one. */
const STATE = DICT_HEADER_WORDS;
/** Words: when it was taken, in milliseconds: below 2^24, and the rest. */
const TIME_LOW = DICT_HEADER_WORDS + 1;
const TIME_HIGH = DICT_HEADER_WORDS + 2;
/** Word: notes. */
const NOTES = DICT_HEADER_WORDS + 3;
const TIME_UNIT = 2 ** 24;

const SPOILED = -1;
const CLOSED = -2;

/** What is noted of a key: it was there, or it was not. */
const WAS_THERE = 1;
const WAS_NOT_THERE = 2;

/** Notes that a picture of one shard may have. */
const NOTES_MAX = 100_000;

/** The pictures of one shard. */
export class KeyPictures {
  readonly #control: Int32Array;
  readonly #dict: Dict;
  readonly #notes: KeyNotes[] = [];
  readonly #makeNotes: (header: number) => KeyNotes;
  readonly #key = new Key();

  /** `makeNotes` makes notes with a header at this word. */
  constructor(
    control: Int32Array,
    dict: Dict,
    makeNotes: (header: number) => KeyNotes,
  ) {
    this.#control = control;
    this.#dict = dict;
    this.#makeNotes = makeNotes;
  }

  /** Number of a picture that nobody takes, or -1. */
  findFree(): number {
    for (let i = 0; i < PICTURES_MAX; i++) {
      if (this.#word(i, STATE) === 0) return i;
    }
    return -1;
  }

  /** Takes a picture of a database. */
  begin(picture: number, db: number, nowMs: number): void {
    this.#setWord(picture, STATE, db + 1);
    this.#setWord(picture, TIME_LOW, nowMs % TIME_UNIT);
    this.#setWord(picture, TIME_HIGH, Math.floor(nowMs / TIME_UNIT));
    this.#control[SHARD_HOOKS]! |= HOOK_PICTURES;
  }

  /** Whether a picture has to be taken anew. */
  isSpoiled(picture: number): boolean {
    return this.#word(picture, STATE) === SPOILED;
  }

  /** Notes nothing more. */
  close(picture: number): void {
    this.#setState(picture, CLOSED);
  }

  /** Lets others take the picture; all of its notes have been taken. */
  end(picture: number): void {
    this.#setState(picture, 0);
  }

  #setState(picture: number, state: number): void {
    this.#setWord(picture, STATE, state);
    for (let i = 0; i < PICTURES_MAX; i++) {
      if (this.#word(i, STATE) > 0) return;
    }
    this.#control[SHARD_HOOKS]! &= ~HOOK_PICTURES;
  }

  /** Whether a key that is there now was not there then. */
  isNew(picture: number, key: Key): boolean {
    if (this.#word(picture, NOTES) === 0) return false;
    const notes = this.#notesOf(picture);
    const { buf, off, length, hash } = key;
    const node = notes.find(0, buf, off, length, hash);
    return node !== 0 && notes.word(node, NODE_META) === WAS_NOT_THERE;
  }

  /**
   * Takes some of the notes of a picture that is closed: `visit` gets the keys
   * that were there. Says whether some are left.
   */
  takeNotes(
    picture: number,
    budget: number,
    visit: (key: Key) => void,
  ): boolean {
    const notes = this.#notesOf(picture);
    let left = budget;
    const taken: number[] = [];
    while (left > 0) {
      taken.length = 0;
      if (
        !this.#dict.popBucket(
          this.#control,
          this.#at(picture),
          (node) => taken.push(node),
        )
      ) {
        this.#setWord(picture, NOTES, 0);
        return false;
      }
      for (const node of taken) {
        if (notes.word(node, NODE_META) === WAS_THERE) {
          notes.readKey(node, this.#key);
          visit(this.#key);
        }
        notes.free(node);
      }
      left -= taken.length + 1;
    }
    return true;
  }

  /** A key has come into being. */
  noteNew(db: number, key: Key): void {
    for (let i = 0; i < PICTURES_MAX; i++) {
      if (this.#word(i, STATE) === db + 1) this.#add(i, key, WAS_NOT_THERE);
    }
  }

  /** A key goes, whose time was `expireAtMs` (0 for none). */
  noteGone(db: number, key: Key, expireAtMs: number): void {
    for (let i = 0; i < PICTURES_MAX; i++) {
      if (this.#word(i, STATE) !== db + 1) continue;
      const wasGone = expireAtMs !== 0 && expireAtMs <= this.#timeOf(i);
      this.#add(i, key, wasGone ? WAS_NOT_THERE : WAS_THERE);
    }
  }

  /** A database is about to lose all of its keys, or to get others. */
  spoilAll(db: number): void {
    for (let i = 0; i < PICTURES_MAX; i++) {
      if (this.#word(i, STATE) === db + 1) this.#setWord(i, STATE, SPOILED);
    }
  }

  #add(picture: number, key: Key, what: number): void {
    const notes = this.#notesOf(picture);
    const { buf, off, length, hash } = key;
    if (notes.find(0, buf, off, length, hash) !== 0) return;
    const count = this.#word(picture, NOTES);
    try {
      if (count === NOTES_MAX) throw new OutOfMemory();
      const node = notes.add(0, key);
      notes.setWord(node, NODE_META, what);
      this.#setWord(picture, NOTES, count + 1);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      this.#setWord(picture, STATE, SPOILED);
    }
  }

  #notesOf(picture: number): KeyNotes {
    return this.#notes[picture] ??= this.#makeNotes(this.#at(picture));
  }

  #timeOf(picture: number): number {
    return this.#word(picture, TIME_HIGH) * TIME_UNIT +
      this.#word(picture, TIME_LOW);
  }

  #at(picture: number): number {
    return SHARD_PICTURES + picture * PICTURE_WORDS;
  }

  #word(picture: number, index: number): number {
    return this.#control[this.#at(picture) + index]!;
  }

  #setWord(picture: number, index: number, value: number): void {
    this.#control[this.#at(picture) + index] = value;
  }
}

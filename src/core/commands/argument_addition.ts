/**
 * Elements that very many arguments name, added to the value of a key in slices.
 *
 * A key that is not there gets its value when all is done; until then no key has
 * it, and nobody sees a part of it. Should memory end before, nothing was done.
 * What a key has already is changed where it lies, which is why it stays locked:
 * should memory end then, what was added stays, as in place.
 *
 * @module
 */

import { BegunValue } from "../keyspace/begun_value.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { Call, SlicedChange } from "./call.ts";
import type { LateReply } from "./command_spec.ts";
import { type ChangeRecord, recordInSlices } from "./given_record.ts";
import { argumentWeight, endOfSlice } from "./many_arguments.ts";

/** What is added, and how. */
export interface AdditionKind {
  /** Type of the value. */
  readonly type: number;
  /** What happens to the key. */
  readonly event: number;
  /** The first argument that is added. */
  readonly from: number;
  /** How many make one element. */
  readonly width: number;
  /** Whether it is recorded in other words than it was given. */
  readonly isReworded?: boolean;
}

/** Adds the arguments from one on, which make elements of equal width. */
export abstract class ArgumentAddition implements SlicedChange {
  readonly isLong = true;
  /** Changes that were made. */
  protected changes = 0;
  protected readonly kind: AdditionKind;
  readonly #record: ChangeRecord | null;
  #begun: BegunValue | null = null;
  #isPrepared = false;
  #at: number;

  constructor(call: Call, kind: AdditionKind) {
    this.kind = kind;
    this.#at = kind.from;
    this.#record = kind.isReworded === true ? null : recordInSlices(call);
  }

  /** Gets the value ready for what is to be added. */
  protected abstract prepare(
    space: Keyspace,
    ref: number,
    args: Arguments,
  ): void;

  /** Adds the element that begins at argument `i`, and counts changes. */
  protected abstract add(
    space: Keyspace,
    ref: number,
    args: Arguments,
    i: number,
  ): void;

  /** Writes down what is recorded of the elements before argument `end`. */
  protected recordUpTo(args: Arguments, end: number): void {
    this.#record?.addUpTo(args, end);
  }

  /** What was written down is what the command has done. */
  protected endRecord(effects: EffectLog): void {
    this.#record?.end(effects);
  }

  /** All is added; the key has its value. */
  protected end(_space: Keyspace, _db: number, _ref: number): void {}

  /** Takes back what was added to the value of a key; false if it cannot. */
  protected takeBack(_space: Keyspace, _ref: number): boolean {
    return false;
  }

  /** The reply, when all is added. */
  protected abstract reply(space: Keyspace, ref: number): LateReply;

  /** The next element that is added. */
  protected get at(): number {
    return this.#at;
  }

  /** The value that the key is going to have, if it has none, or 0. */
  protected get begun(): number {
    return this.#begun?.ref ?? 0;
  }

  /** Whether the element that begins at argument `i` is not to be added yet. */
  protected defers(_args: Arguments, _i: number): boolean {
    return false;
  }

  step(space: Keyspace, found: number, args: Arguments): boolean {
    const ref = found !== 0 ? found : this.#own(space);
    if (!this.#isPrepared) this.prepare(space, ref, args);
    this.#isPrepared = true;
    const { width } = this.kind;
    const end = endOfSlice(args, this.#at, width, argumentWeight(space, ref));
    while (this.#at < end && !this.defers(args, this.#at)) {
      this.add(space, ref, args, this.#at);
      this.#at += width;
    }
    this.recordUpTo(args, this.#at);
    return this.#at < args.count;
  }

  finish(
    space: Keyspace,
    db: number,
    key: Key,
    _args: Arguments,
    effects: EffectLog,
  ): LateReply {
    if (this.#begun !== null) this.#begun.store(db, key, 0);
    this.#begun = null;
    const ref = space.peek(db, key);
    this.end(space, db, ref);
    if (this.changes > 0) {
      this.endRecord(effects);
      space.hooks.changed(db, key, this.kind.event, this.changes);
    }
    return this.reply(space, ref);
  }

  drop(space: Keyspace, db: number, key: Key): void {
    if (this.#begun !== null) return this.#begun.drop();
    if (this.changes === 0 || this.takeBack(space, space.peek(db, key))) return;
    space.hooks.changed(db, key, this.kind.event, this.changes);
  }

  /** The value that the key is going to have. */
  #own(space: Keyspace): number {
    if (this.#begun === null) {
      this.#begun = new BegunValue(space);
      this.#begun.begin(this.kind.type);
    }
    return this.#begun.ref;
  }
}

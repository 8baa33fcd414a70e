/**
 * What is recorded of a command that is done in slices: the command as it was
 * given, or in words of which most are its own, written while its arguments are
 * gone through, since to copy them all at the end would take long. Of a command
 * with long arguments it is there before (prepared_record.ts).
 *
 * @module
 */

import { EffectDraft } from "../keyspace/effect_draft.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import type { PreparedRecord } from "../keyspace/prepared_record.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { Call } from "./call.ts";

/** What is written while arguments are gone through. */
export interface ChangeRecord {
  /** Adds what is recorded of the arguments before `end`. */
  addUpTo(args: Arguments, end: number): void;
  /** Is what the command at hand has done. */
  end(effects: EffectLog): void;
  /** Will not be recorded; of a record that may keep what it copies later. */
  drop?(): void;
}

/** The record of a command that was there before it began. */
class TakenRecord implements ChangeRecord {
  readonly #prepared: PreparedRecord;

  constructor(prepared: PreparedRecord) {
    this.#prepared = prepared;
  }

  addUpTo(): void {}

  end(effects: EffectLog): void {
    effects.replaceWithPrepared(this.#prepared);
  }
}

/** The record of one command. */
export class GivenRecord implements ChangeRecord {
  readonly #draft = new EffectDraft();
  #at: number;

  /** In a database: words, and the arguments from one on. */
  constructor(
    db: number,
    args: Arguments,
    head: readonly Uint8Array[],
    from: number,
  ) {
    this.#draft.command(db, head.length + args.count - from);
    for (const word of head) this.#draft.constant(word);
    this.#at = from;
  }

  addUpTo(args: Arguments, end: number): void {
    for (; this.#at < end; this.#at++) this.#draft.argument(args, this.#at);
  }

  end(effects: EffectLog): void {
    this.#draft.recordIn(effects);
  }
}

/** The record of a command; null if none is kept, or all is done at once. */
export function recordInSlices(call: Call): ChangeRecord | null {
  const { effects } = call;
  if (!effects.isOn || !call.canWait || call.inSlices === null) return null;
  const taken = takenRecord(call);
  if (taken !== null) return taken;
  return new GivenRecord(call.db, call.args, [], 0);
}

/** The record of a command that was made before it began; null for none. */
export function takenRecord({ effects, args }: Call): ChangeRecord | null {
  const prepared = effects.takePrepared(args);
  return prepared === null ? null : new TakenRecord(prepared);
}

/**
 * The record of a command in other words: `name`, the key, `more` of them, and
 * the arguments from `from` on; null if none is kept.
 */
export function recordReworded(
  { effects, db, args }: Call,
  name: Uint8Array,
  more: readonly Uint8Array[],
  from: number,
): ChangeRecord | null {
  if (!effects.isOn) return null;
  const head = [name, args.copy(1), ...more];
  const prepared = effects.takePrepared(args);
  return prepared !== null && prepared.reword(db, head, from)
    ? new TakenRecord(prepared)
    : new GivenRecord(db, args, head, from);
}

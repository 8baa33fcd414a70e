/**
 * What is recorded of a command that is done in slices: the command as it was
 * given, or in words of which most are its own, written while its arguments are
 * gone through, since to copy them all at the end would take long.
 *
 * @module
 */

import { EffectDraft } from "../keyspace/effect_draft.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import type { Arguments } from "../resp/arguments.ts";
import type { Call } from "./call.ts";
import { bytesFrom } from "./many_arguments.ts";

/** Bytes that a draft adds to an argument: its length. */
const EXTRA_BYTES = 2;
/** Longest draft that is made at once. */
const DRAFT_BYTES_MAX = 1 << 26;

/** What is written while arguments are gone through. */
export interface ChangeRecord {
  /** Adds what is recorded of the arguments before `end`. */
  addUpTo(args: Arguments, end: number): void;
  /** Is what the command at hand has done. */
  end(effects: EffectLog): void;
}

/** The record of one command. */
export class GivenRecord implements ChangeRecord {
  readonly #draft: EffectDraft;
  #at: number;

  /** In a database: words, and the arguments from one on. */
  constructor(
    db: number,
    args: Arguments,
    head: readonly Uint8Array[],
    from: number,
  ) {
    this.#draft = draftFor(args);
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
export function recordInSlices(call: Call): GivenRecord | null {
  if (!call.effects.isOn || !call.canWait || call.inSlices === null) {
    return null;
  }
  return new GivenRecord(call.db, call.args, [], 0);
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
): GivenRecord | null {
  if (!effects.isOn) return null;
  return new GivenRecord(db, args, [name, args.copy(1), ...more], from);
}

/** An empty draft with room for the arguments. */
export function draftFor(args: Arguments): EffectDraft {
  const bytes = bytesFrom(args, 0, DRAFT_BYTES_MAX) + args.count * EXTRA_BYTES;
  return new EffectDraft(Math.min(bytes, DRAFT_BYTES_MAX));
}

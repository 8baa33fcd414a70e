/**
 * What is recorded of a command that is done in slices: the command as it was
 * given, written while its arguments are gone through, since to copy them all at
 * the end would take long.
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

/** The record of one command. */
export class GivenRecord {
  readonly #draft: EffectDraft;
  #at = 0;

  /** In a database. */
  constructor(db: number, args: Arguments) {
    this.#draft = draftFor(args);
    this.#draft.command(db, args.count);
  }

  /** Adds the arguments before `end`. */
  addUpTo(args: Arguments, end: number): void {
    for (; this.#at < end; this.#at++) this.#draft.argument(args, this.#at);
  }

  /** Is what the command at hand has done. */
  end(effects: EffectLog): void {
    // A log that has ended meanwhile wants nothing.
    if (effects.isOn) effects.replaceWith(this.#draft);
  }
}

/** The record of a command; null if none is kept, or all is done at once. */
export function recordInSlices(call: Call): GivenRecord | null {
  if (!call.effects.isOn || !call.canWait || call.inSlices === null) {
    return null;
  }
  return new GivenRecord(call.db, call.args);
}

/** An empty draft with room for the arguments. */
export function draftFor(args: Arguments): EffectDraft {
  const bytes = bytesFrom(args, 0, DRAFT_BYTES_MAX) + args.count * EXTRA_BYTES;
  return new EffectDraft(Math.min(bytes, DRAFT_BYTES_MAX));
}

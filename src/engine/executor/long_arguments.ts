/**
 * Long arguments, or very many, of a command that is about to run: what takes long
 * with them is done before it has its latches. They are copied for its record,
 * compared with the names and elements that there are, and nodes of what it will add
 * are made of them.
 *
 * @module
 */

import { collectIfDue } from "../../core/base/young_buffers.ts";
import type { Call } from "../../core/commands/call.ts";
import { ComparedArguments } from "../../core/commands/compared_arguments.ts";
import { compareNames } from "../../core/commands/compared_names.ts";
import { FLAG } from "../../core/commands/command_spec.ts";
import type { Command } from "../../core/commands/command_table.ts";
import {
  forgetFloatTexts,
  noteFloatText,
} from "../../core/base/long_float_text.ts";
import { KNOWN_KEYS } from "../../core/memory/known_keys.ts";
import type { RequestKeys } from "./request_keys.ts";

/** Those of the command at hand; one per worker. */
export class LongArguments<C extends Call> {
  readonly #call: C;
  readonly #keys: RequestKeys<C>;

  /** `call` is the worker's call. */
  constructor(call: C, keys: RequestKeys<C>) {
    this.#call = call;
    this.#keys = keys;
  }

  /**
   * Does so for the command whose arguments the call has; no latch is held. {@linkcode
   * LongArguments.forget} must follow. False if the log cannot have it: nothing was
   * done then.
   */
  prepare(command: Command<C>): boolean {
    const call = this.#call;
    const { db, args, effects } = call;
    call.keyspaces[0]!.externals.keepReady();
    const isRecorded = effects.isOn && (command.flags & FLAG.WRITE) !== 0;
    if (isRecorded && !effects.prepare(db, args)) return false;
    for (let i = 1; i < args.count; i++) {
      if (args.bigAt(i) === 0) continue;
      noteFloatText(args.source(i), args.off[i]!, args.length[i]!);
    }
    const names = compareNames(
      call,
      this.#keys.namesOf(command),
      this.#keys.otherDatabaseOf(command),
    );
    command.stage?.(call);
    if (names !== null) {
      call.compared ??= new ComparedArguments();
      call.compared.names = names;
    }
    collectIfDue();
    return true;
  }

  /** The command has run, or will not. */
  forget(): void {
    const call = this.#call;
    call.effects.forgetPrepared();
    call.staged?.drop();
    call.staged = null;
    call.compared?.drop();
    call.compared = null;
    KNOWN_KEYS.clear();
    forgetFloatTexts();
  }
}

/**
 * Long commands: begins those that go on when others have had their turn: of very
 * many keys, in slices, or in the background. Their connection is parked.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import {
  FLAG,
  type Handler,
  SAVED_KEY_WEIGHT,
} from "../../core/commands/command_spec.ts";
import type { Command } from "../../core/commands/command_table.ts";
import {
  HOOK_OLD_VALUES,
  HOOK_SNAPSHOT,
  HOOK_TRACKED,
  SHARD_HOOKS,
} from "../../core/keyspace/shard_control.ts";
import type { CommandRunner } from "./command_runner.ts";
import type { ExecutorPorts } from "./executor_ports.ts";
import type { RequestKeys } from "./request_keys.ts";
import type { Session } from "./session.ts";
import type { ToldCommands } from "./told_commands.ts";

/** Keys kept ready between commands. */
export const KEYS_KEPT = 1024;

/** The executor's parts that are needed here. */
export interface LongCommandParts<C extends Call> {
  readonly call: C;
  readonly keys: RequestKeys<C>;
  readonly runner: CommandRunner<C>;
  readonly told: ToldCommands<C>;
  readonly ports: Pick<ExecutorPorts<C>, "background" | "manyKeys">;
}

/** Weight of keys that clients may have to be told of. */
const HOOKED_KEY_WEIGHT = 4;

/** Begins what is at hand, whose keys have been filled in; one per worker. */
export class LongCommands<C extends Call> {
  readonly #parts: LongCommandParts<C>;

  constructor(parts: LongCommandParts<C>) {
    this.#parts = parts;
  }

  /**
   * Begins to go through very many keys, or some that have very much, in slices;
   * false if it cannot. No latch is held.
   */
  beginMany(command: Command<C>, haveMuch = false): boolean {
    const { call, keys, runner, told, ports } = this.#parts;
    const { manyKeys, keyWeight } = command.spec;
    const weight = call.keyCount * (keyWeight ?? this.#hookedWeight(command));
    if (
      manyKeys === undefined ||
      !haveMuch && weight <= call.settings.backgroundThresholdKeys
    ) return false;
    const work = manyKeys(call);
    if (work === null) return false;
    const late = ports.manyKeys(command, work, keys.positions);
    if (late === null) return false;
    told.show(call, command);
    runner.pending = late;
    runner.pendingHasRead = true;
    call.trimKeys(KEYS_KEPT);
    return true;
  }

  /**
   * A key counts for several if clients may have to be told of it, or if what it
   * had may have to be noted, and for very many if a snapshot has to have that.
   */
  #hookedWeight({ flags }: Command<C>): number {
    let hooks = 0;
    for (const { control } of this.#parts.call.keyspaces) {
      hooks |= control[SHARD_HOOKS]!;
    }
    if ((hooks & HOOK_SNAPSHOT) !== 0 && (flags & FLAG.WRITE) !== 0) {
      return SAVED_KEY_WEIGHT;
    }
    const isHooked = (hooks & (HOOK_TRACKED | HOOK_OLD_VALUES)) !== 0;
    return isHooked ? HOOKED_KEY_WEIGHT : 1;
  }

  /** Begins a command in the background, the latches of its keys being held. */
  beginInBackground(command: Command<C>, handler: Handler<C>): boolean {
    const { call, keys, runner, told, ports } = this.#parts;
    const { resp } = call.session as Session;
    const late = ports.background(command, call, keys.positions, resp);
    if (late === null) return false;
    // Others are told of the command as if it had run now; it is counted when
    // it has.
    told.tellBegun(call, command, handler, late);
    runner.pending = late;
    runner.pendingHasRead = true;
    return true;
  }
}

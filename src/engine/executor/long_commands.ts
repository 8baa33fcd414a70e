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
  HOOKED_KEY_WEIGHT,
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
    const { manyKeys } = command.spec;
    const weight = call.keyCount * this.#keyWeight(command);
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
   * A key counts for several if somebody may have to be told that it is read, or
   * changes, or if what it had may have to be noted; and for very many if a snapshot
   * has to have that.
   */
  #keyWeight({ flags, spec: { keyWeight = 1 } }: Command<C>): number {
    if (keyWeight >= HOOKED_KEY_WEIGHT) return keyWeight;
    let hooks = 0;
    for (const { control } of this.#parts.call.keyspaces) {
      hooks |= control[SHARD_HOOKS]!;
    }
    if ((flags & FLAG.WRITE) === 0) {
      hooks &= HOOK_TRACKED | HOOK_OLD_VALUES;
    } else if ((hooks & HOOK_SNAPSHOT) !== 0) return SAVED_KEY_WEIGHT;
    return hooks === 0 ? keyWeight : HOOKED_KEY_WEIGHT;
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

/**
 * The keys of requests: found by the rules of the command table and filled into
 * the worker's call, with what the command does to each.
 *
 * @module
 */

import { equalsIgnoreCase, latin1BytesOf } from "../../core/base/bytes.ts";
import { hashSlot } from "../../core/base/crc16.ts";
import { halfSipHash } from "../../core/base/half_siphash.ts";
import type { Call } from "../../core/commands/call.ts";
import {
  findKeysToRun,
  KeyPositions,
  RequestView,
} from "../../core/commands/command_keys.ts";
import type { NamedKey } from "../../core/commands/compared_names.ts";
import { FLAG, KEY } from "../../core/commands/command_spec.ts";
import {
  type Command,
  type CommandTable,
  KEY_KIND,
} from "../../core/commands/command_table.ts";
import { LONG_KEY_BYTES } from "../../core/memory/known_keys.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
import {
  type ErrorReply,
  NOT_ON_LOCKED_KEYS,
  unknownCommand,
  wrongNumberOfArguments,
} from "../../core/resp/error_reply.ts";
import type {
  InspectedCommand,
  TouchVisitor,
} from "../locks/locked_commands.ts";
import { ownerOf } from "../messages/shared_state.ts";

/** Words that the error of an unknown command echoes. */
const ECHOED_ARGUMENTS_MAX = 32;

/** Groups of commands that look at no keys but those they name. */
const CLIENT_GROUPS: ReadonlySet<string> = new Set([
  "connection",
  "transactions",
]);

/** One per worker. */
export class RequestKeys<C extends Call> {
  /** The arguments that were looked at last. */
  readonly view: RequestView;
  readonly #table: CommandTable<C>;
  readonly #call: C;
  /** Where the keys stand that were filled in last. */
  readonly positions: KeyPositions = new KeyPositions();
  readonly #seed0: number;
  readonly #seed1: number;

  /** `call` is the worker's call. */
  constructor(table: CommandTable<C>, call: C) {
    this.#table = table;
    this.#call = call;
    [this.#seed0, this.#seed1] = call.hashSeed;
    this.view = new RequestView(call.args);
  }

  /**
   * Fills in the keys of the command whose arguments the call has; says whether
   * it may look at keys besides, on any shard.
   */
  fill(command: Command<C>): boolean {
    const call = this.#call;
    const { args } = call;
    call.keyCount = 0;
    if (command.keyKind === KEY_KIND.NONE) return looksEverywhere(command);
    if (command.keyKind === KEY_KIND.SINGLE) {
      call.keyCount = 1;
      const key = call.key(0);
      call.fillKey(key, args.source(1), args.off[1]!, args.length[1]!);
      return false;
    }
    const positions = this.positions;
    this.view.reset(args, 0);
    findKeysToRun(command.spec, this.view, positions);
    const { findOtherKeys } = command;
    const looksFurther = findOtherKeys !== undefined &&
      findOtherKeys(this.view, positions);
    for (let i = 0; i < positions.count; i++) {
      const at = positions.positions[i]!;
      call.fillKey(
        call.ensureKey(i),
        args.source(at),
        args.off[at]!,
        args.length[at]!,
      );
    }
    call.keyCount = positions.count;
    return looksFurther;
  }

  /**
   * Bytes of the names that were filled in, without long ones, which are compared
   * before.
   */
  get nameBytes(): number {
    const call = this.#call;
    let bytes = 0;
    for (let i = 0; i < call.keyCount; i++) {
      const { length } = call.key(i);
      if (length < LONG_KEY_BYTES) bytes += length;
    }
    return bytes;
  }

  /** Which arguments of the command at hand are the names of its keys. */
  namesOf(command: Command<C>): NamedKey[] {
    if (command.keyKind === KEY_KIND.NONE) return [];
    const { positions, view } = this;
    view.reset(this.#call.args, 0);
    findKeysToRun(command.spec, view, positions);
    return Array.from({ length: positions.count }, (_, i) => ({
      at: positions.positions[i]!,
      mayBeMade: mayMake(command, positions.flags[i]!),
    }));
  }

  /** The other database of the command at hand; NaN for none. */
  otherDatabaseOf(command: Command<C>): number {
    const { view } = this;
    view.reset(this.#call.args, 0);
    return command.spec.findOtherDatabase?.(view) ?? NaN;
  }

  /** Notes in a request that has one key its command, and the key's place. */
  hashKey(command: Command<C>, args: Arguments): void {
    const off = args.off[1]!;
    const length = args.length[1]!;
    const buf = args.source(1);
    args.command = command.index;
    args.hash = halfSipHash(buf, off, length, this.#seed0, this.#seed1);
    args.shard = this.#call.slotShards[hashSlot(buf, off, length)]!;
  }

  /** Fills in the one key of a request, of which shard and hash are known. */
  takeHashed(args: Arguments, shard: number, hash: number): void {
    const call = this.#call;
    const key = call.key(0);
    key.buf = args.source(1);
    key.off = args.off[1]!;
    key.length = args.length[1]!;
    key.hash = hash;
    key.shard = shard;
    call.keyCount = 1;
  }

  /** Visits the keys of a command, which were filled in last. */
  visit(
    command: Command<C>,
    args: Arguments,
    db: number,
    visit: TouchVisitor,
  ): void {
    const call = this.#call;
    const positions = this.positions;
    const { view } = this;
    view.reset(args, 0);
    if (command.keyKind === KEY_KIND.SINGLE) {
      findKeysToRun(command.spec, view, positions);
    }
    const otherDb = command.spec.findOtherDatabase?.(view) ?? NaN;
    for (let i = 0; i < call.keyCount; i++) {
      const key = call.key(i);
      const isWrite = command.changes(positions.flags[i]!);
      visit(db, key, isWrite);
      if (isWrite && otherDb >= 0 && otherDb < call.settings.databases) {
        visit(otherDb, key, true);
      }
    }
  }

  /**
   * What a request would do to which keys, for one who has locked some; or why
   * it cannot be run on them: it must be a command that looks at no keys but
   * those it names. No command is running.
   */
  inspect(
    args: Arguments,
    db: number,
    visit: TouchVisitor,
  ): InspectedCommand | ErrorReply {
    const call = this.#call;
    const command = this.#commandOf(args);
    if (command === undefined) return unknown(args);
    if (!command.allowsCount(args.count)) {
      return wrongNumberOfArguments(command.fullName);
    }
    if (command.keyKind === KEY_KIND.NONE || command.subcommands.length !== 0) {
      return NOT_ON_LOCKED_KEYS;
    }
    call.args = args;
    if (this.fill(command)) return NOT_ON_LOCKED_KEYS;
    this.visit(command, args, db, visit);
    const isWrite = (command.flags & FLAG.WRITE) !== 0;
    return { index: command.index, flags: command.flags, isWrite };
  }

  /**
   * The worker, of `workers`, that owns all shards of a request's keys; -1 if
   * there are several, or if the request names no keys. No command is running.
   */
  ownerOf(args: Arguments, workers: number): number {
    const call = this.#call;
    const command = this.#commandOf(args);
    if (command === undefined || args.count < 2) return -1;
    if (command.keyKind === KEY_KIND.SINGLE) {
      const slot = hashSlot(args.source(1), args.off[1]!, args.length[1]!);
      return ownerOf(call.slotShards[slot]!, workers);
    }
    if (command.keyKind === KEY_KIND.NONE) return -1;
    call.args = args;
    if (this.fill(command) || call.keyCount === 0) return -1;
    const owner = ownerOf(call.key(0).shard, workers);
    for (let i = 1; i < call.keyCount; i++) {
      if (ownerOf(call.key(i).shard, workers) !== owner) return -1;
    }
    return owner;
  }

  #commandOf(args: Arguments): Command<C> | undefined {
    const { off, length } = args;
    const command = this.#table.lookup(args.source(0), off[0]!, length[0]!);
    if (
      command === undefined || command.subcommands.length === 0 ||
      args.count === 1
    ) return command;
    return command.lookupSubcommand(args.source(1), off[1]!, length[1]!);
  }
}

/** What a request of HTTP from a browser has for a name of a command. */
const HTTP_WORDS = [latin1BytesOf("post"), latin1BytesOf("host:")];

/** Whether a command without keys may look at shards. */
function looksEverywhere(command: Command<never>): boolean {
  return !CLIENT_GROUPS.has(command.group) ||
    command.fullName === "client|tracking";
}

/** Whether a command may make a key that is not there, by what it does to it. */
function mayMake({ flags }: Command<never>, does: number): boolean {
  if ((flags & FLAG.WRITE) === 0 || (does & KEY.DELETE) !== 0) return false;
  // RENAME makes a key, and yet is no command that needs memory.
  return (does & KEY.OW) !== 0 || (does & KEY.INSERT) !== 0 ||
    (does & KEY.RW) !== 0 && (flags & FLAG.DENYOOM) !== 0;
}

/** The error of a request that no command has the name of. */
export function unknown(args: Arguments): ErrorReply {
  const argv: Uint8Array[] = [];
  const count = Math.min(args.count, ECHOED_ARGUMENTS_MAX);
  for (let i = 0; i < count; i++) argv.push(args.copy(i));
  return unknownCommand(argv);
}

/**
 * Whether a request that no command has the name of is part of an HTTP request:
 * `POST`, or the header that each one has. A browser can be made to send one to
 * a server on its machine, with commands in the body; who goes on after the
 * first lines would run them.
 */
export function isHttp(args: Arguments): boolean {
  const buf = args.source(0);
  const off = args.off[0]!;
  const length = args.length[0]!;
  return HTTP_WORDS.some((word) => equalsIgnoreCase(buf, off, length, word));
}

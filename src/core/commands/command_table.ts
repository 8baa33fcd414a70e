/**
 * All commands of a server, found by name.
 *
 * The table is built once per worker from the rows of the group files and never
 * changes. Each row becomes a {@linkcode Command}: the row itself plus, as plain
 * integers, what dispatch asks for every time. A mistake in a row stops the
 * start with the row's name.
 *
 * Lookup goes from bytes to command without a string in between: an open
 * addressed index over a hash of the length and four of the bytes, all with bit
 * 5 set so that case does not count, then a comparison. At most a quarter of the
 * slots are taken, and a probe runs on to the next slot. Clients cannot add
 * names, so the hash needs no secret seed.
 *
 * @module
 */

import { hasKeys, legacyKeyRange } from "./command_keys.ts";
import {
  type AclCategory,
  CATEGORIES,
  type CommandGroup,
  type CommandSpec,
  FLAG,
  GROUP_CATEGORY,
  type Handler,
  type HeavyTest,
  HOOKED_KEY_WEIGHT,
  KEY,
  KEY_CHANGES,
  OPTIONS_MAX,
  type OtherKeysFinder,
  SAVED_KEY_WEIGHT,
} from "./command_spec.ts";

/** No request has more arguments. */
const ARGUMENTS_MAX = 2 ** 20;

/** How the keys of a command are found. */
export const KEY_KIND = {
  /** It has none. */
  NONE: 0,
  /** One, at position 1. */
  SINGLE: 1,
  /** From `firstKey` to `lastKey`, every `keyStep`. */
  RANGE: 2,
  /** By `findKeys`, and only so. */
  COMPUTED: 3,
} as const;

/** One value of {@linkcode KEY_KIND}. */
export type KeyKind = typeof KEY_KIND[keyof typeof KEY_KIND];

const encoder = new TextEncoder();

/** What belongs to the session, and not to the transaction that it has open. */
const SKIPS_QUEUE = new Set([
  ...["discard", "exec", "multi", "quit", "reset", "watch"],
]);

/** One command or subcommand, ready for dispatch. */
export class Command<C> {
  readonly spec: CommandSpec<C>;
  /** Dense over commands and subcommands, in the order of the rows. */
  readonly index: number;
  /** As COMMAND prints it: `get`, `client|id`. */
  readonly fullName: string;
  /** The name without the container's, in lower case. */
  readonly nameBytes: Uint8Array;
  readonly group: CommandGroup;
  readonly container: Command<C> | undefined;
  readonly subcommands: readonly Command<C>[];
  readonly arity: number;
  /** The fewest arguments that are allowed, the name included. */
  readonly argcMin: number;
  /** The most. */
  readonly argcMax: number;
  /** Bits of {@linkcode FLAG}. */
  readonly flags: number;
  /** Bit i stands for `CATEGORIES[i]`. */
  readonly categories: number;
  readonly keyKind: KeyKind;
  readonly firstKey: number;
  readonly lastKey: number;
  readonly keyStep: number;
  /** What the command does to any of its keys: bits of {@linkcode KEY}. */
  readonly keyFlags: number;
  /** Whether it changes its keys although no key spec says so (XREADGROUP). */
  readonly changesAllKeys: boolean;
  /** What its key specs do not say about its keys. */
  readonly findOtherKeys: OtherKeysFinder | undefined;
  /** Whether a call is better run in the background; undefined for never. */
  readonly isHeavy: HeavyTest<C> | undefined;
  /** The most that {@linkcode CommandSpec.keyWeight} may be; 0 of all others. */
  readonly keyWeight: number;
  /** As {@linkcode CommandSpec.stage}. */
  readonly stage: ((call: C) => void) | undefined;
  /** As {@linkcode CommandSpec.argumentsMax}. */
  readonly argumentsMax: number;
  /** Whether it takes constant time, so that nobody need watch its duration. */
  readonly isBrief: boolean;
  /** Whether only some of its calls are timed: nobody asks for its slow ones. */
  readonly isSampled: boolean;
  /** Whether an open transaction runs it at once instead of queueing it. */
  readonly skipsQueue: boolean;
  readonly run: Handler<C>;
  readonly #names: NameIndex<C>;

  /** `addTo` is the list of all commands, which gives the index. */
  constructor(
    spec: CommandSpec<C>,
    addTo: Command<C>[],
    container?: Command<C>,
  ) {
    this.spec = spec;
    this.index = addTo.push(this) - 1;
    this.container = container;
    this.fullName = container
      ? `${container.fullName}|${spec.name}`
      : spec.name;
    this.nameBytes = encoder.encode(spec.name);
    this.group = groupOf(spec, container);
    this.arity = spec.arity;
    this.argcMin = Math.abs(spec.arity);
    this.argcMax = mostArguments(spec);
    const range = legacyKeyRange(spec.keys ?? []);
    this.firstKey = range.first;
    this.lastKey = range.last;
    this.keyStep = range.step;
    this.flags = flagBits(spec) | (range.movable ? FLAG.MOVABLEKEYS : 0);
    this.categories = categoryBits(spec, this.group, this.flags);
    this.keyKind = keyKindOf(spec, range.movable, range.first, range.last);
    this.keyFlags = (spec.keys ?? []).reduce((bits, k) => bits | k.flags, 0);
    this.changesAllKeys = (this.flags & FLAG.WRITE) !== 0 &&
      (this.keyFlags & KEY_CHANGES) === 0;
    this.findOtherKeys = spec.findOtherKeys;
    this.isHeavy = spec.isHeavy;
    this.keyWeight = spec.manyKeys === undefined
      ? 0
      : mostKeyWeight(spec.keyWeight ?? 1, this.flags);
    this.stage = spec.stage;
    this.argumentsMax = spec.argumentsMax ?? ARGUMENTS_MAX;
    this.isBrief = (this.flags & FLAG.FAST) !== 0 || spec.complexity === "O(1)";
    this.isSampled = !this.isBrief && (this.flags & FLAG.SKIP_SLOWLOG) !== 0;
    this.skipsQueue = SKIPS_QUEUE.has(this.fullName);
    this.run = spec.run ?? runContainer;
    checkRow(this);
    this.subcommands = (spec.subcommands ?? [])
      .map((sub) => new Command(sub, addTo, this));
    this.#names = new NameIndex(this.subcommands);
  }

  /** Whether so many arguments, the name included, are allowed. */
  allowsCount(argc: number): boolean {
    return argc >= this.argcMin && argc <= this.argcMax;
  }

  /** Whether it may change a key that it has with these flags. */
  changes(keyFlags: number): boolean {
    return this.changesAllKeys || (keyFlags & KEY_CHANGES) !== 0;
  }

  /** The subcommand of that name, in any case. */
  lookupSubcommand(
    bytes: Uint8Array,
    off: number,
    length: number,
  ): Command<C> | undefined {
    return this.#names.lookup(bytes, off, length);
  }
}

/** What a key of a command with this weight counts for at most. */
function mostKeyWeight(weight: number, flags: number): number {
  if (weight >= HOOKED_KEY_WEIGHT) return weight;
  return (flags & FLAG.WRITE) === 0 ? HOOKED_KEY_WEIGHT : SAVED_KEY_WEIGHT;
}

function mostArguments({ arity, syntax }: CommandSpec<never>): number {
  if (arity > 0) return arity;
  return syntax === undefined || syntax.includes("...")
    ? ARGUMENTS_MAX
    : OPTIONS_MAX;
}

/** The commands of a server. */
export class CommandTable<C> {
  /** Commands that are not subcommands, in the order of the rows. */
  readonly commands: readonly Command<C>[];
  /** Commands and subcommands, by their index. */
  readonly all: readonly Command<C>[];
  readonly #names: NameIndex<C>;
  readonly #byFullName = new Map<string, Command<C>>();

  /** Takes the rows of all groups; throws if they contradict each other. */
  constructor(...groups: readonly (readonly CommandSpec<C>[])[]) {
    const all: Command<C>[] = [];
    this.commands = groups.flat().map((spec) => new Command(spec, all));
    this.all = all;
    this.#names = new NameIndex(this.commands);
    for (const command of all) this.#byFullName.set(command.fullName, command);
  }

  /** The command of that name, in any case; never a subcommand. */
  lookup(
    bytes: Uint8Array,
    off: number,
    length: number,
  ): Command<C> | undefined {
    return this.#names.lookup(bytes, off, length);
  }

  /** The command or subcommand of a full name (`client|id`), in any case. */
  byName(fullName: string): Command<C> | undefined {
    return this.#byFullName.get(fullName.toLowerCase());
  }
}

/**
 * An open-addressed index from names to commands. All names lie in one byte
 * array, each after its length, so that a lookup that hits touches two arrays
 * and the list of commands.
 */
class NameIndex<C> {
  readonly #commands: readonly Command<C>[];
  /** Number of the command plus 1; 0 is an empty slot. */
  readonly #slots: Uint16Array;
  /** Where the name of each slot's command begins in `#names`. */
  readonly #starts: Uint16Array;
  readonly #names: Uint8Array;
  readonly #mask: number;

  constructor(commands: readonly Command<C>[]) {
    let size = 4;
    while (size < commands.length * 4) size *= 2;
    this.#commands = commands;
    this.#slots = new Uint16Array(size);
    this.#starts = new Uint16Array(size);
    this.#mask = size - 1;
    this.#names = new Uint8Array(
      commands.reduce((sum, c) => sum + c.nameBytes.length + 1, 0),
    );
    let start = 0;
    commands.forEach((command, i) => {
      this.#insert(command, i, start);
      start += command.nameBytes.length + 1;
    });
  }

  lookup(
    bytes: Uint8Array,
    off: number,
    length: number,
  ): Command<C> | undefined {
    const mask = this.#mask;
    let slot = hashName(bytes, off, length) & mask;
    while (true) {
      const i = this.#slots[slot]!;
      if (i === 0) return undefined;
      if (isNameAt(this.#names, this.#starts[slot]!, bytes, off, length)) {
        return this.#commands[i - 1]!;
      }
      slot = (slot + 1) & mask;
    }
  }

  #insert(command: Command<C>, i: number, start: number): void {
    const name = command.nameBytes;
    check(
      this.lookup(name, 0, name.length) === undefined,
      command,
      "the name is taken",
    );
    let slot = hashName(name, 0, name.length) & this.#mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[slot] = i + 1;
    this.#starts[slot] = start;
    this.#names[start] = name.length;
    this.#names.set(name, start + 1);
  }
}

/** Mixes the length and four bytes, which tell the names well enough apart. */
function hashName(bytes: Uint8Array, off: number, length: number): number {
  if (length === 0) return 0;
  const last = off + length - 1;
  return (bytes[off]! | 0x20) * 679 +
    (bytes[last]! | 0x20) * 735 +
    (bytes[off + (length >> 1)]! | 0x20) * 735 +
    (bytes[last - (length >> 2)]! | 0x20) * 61 +
    length * 725;
}

/** Whether the bytes are the name that begins at `start`, in any case. */
function isNameAt(
  names: Uint8Array,
  start: number,
  bytes: Uint8Array,
  off: number,
  length: number,
): boolean {
  if (names[start] !== length) return false;
  const shift = start + 1 - off;
  for (let i = off, end = off + length; i < end; i++) {
    const byte = bytes[i]!;
    const wanted = names[i + shift]!;
    if (byte === wanted) continue;
    if ((byte | 0x20) !== wanted || byte < 65 || byte > 90) return false;
  }
  return true;
}

function groupOf<C>(
  spec: CommandSpec<C>,
  container: Command<C> | undefined,
): CommandGroup {
  const group = container?.group ?? spec.group;
  if (group === undefined || (container && spec.group !== undefined)) {
    throw new Error(
      `Cannot add the command "${spec.name}": only commands that are not ` +
        "subcommands name their group",
    );
  }
  return group;
}

function flagBits<C>(spec: CommandSpec<C>): number {
  let bits = 0;
  for (const name of spec.flags ?? []) {
    bits |= FLAG[name.toUpperCase() as keyof typeof FLAG];
  }
  return bits;
}

/** The row's categories, or its group's, and those that flags imply. */
function categoryBits<C>(
  spec: CommandSpec<C>,
  group: CommandGroup,
  flags: number,
): number {
  const own = spec.categories ?? (spec.run && GROUP_CATEGORY[group]);
  const names = new Set<AclCategory>(typeof own === "string" ? [own] : own);
  names.add((flags & FLAG.FAST) !== 0 ? "fast" : "slow");
  if ((flags & FLAG.WRITE) !== 0) names.add("write");
  if ((flags & FLAG.READONLY) !== 0 && !names.has("scripting")) {
    names.add("read");
  }
  if ((flags & FLAG.ADMIN) !== 0) names.add("admin").add("dangerous");
  if ((flags & FLAG.PUBSUB) !== 0) names.add("pubsub");
  if ((flags & FLAG.BLOCKING) !== 0) names.add("blocking");
  let bits = 0;
  for (const name of names) bits |= categoryBit(name);
  return bits;
}

/** The bit of a category in {@linkcode Command.categories}. */
export function categoryBit(name: AclCategory): number {
  return 1 << CATEGORIES.indexOf(name);
}

function keyKindOf<C>(
  spec: CommandSpec<C>,
  movable: boolean,
  first: number,
  last: number,
): KeyKind {
  if (!hasKeys(spec)) return KEY_KIND.NONE;
  if (movable) return KEY_KIND.COMPUTED;
  // The path of a single key is for those that are always short.
  if (spec.isHeavy !== undefined) return KEY_KIND.RANGE;
  return first === 1 && last === 1 ? KEY_KIND.SINGLE : KEY_KIND.RANGE;
}

function runContainer(): never {
  throw new Error("Cannot run a container: its subcommands are to be run");
}

/** What no row may say, because parts of it would contradict each other. */
function checkRow<C>(command: Command<C>): void {
  const { spec, flags, keyFlags, arity } = command;
  const has = (bits: number) => (flags & bits) === bits;
  check(/^[a-z][a-z0-9_-]*$/.test(spec.name), command, "malformed name");
  check(/^\d+\.\d+\.\d+$/.test(spec.since), command, "malformed version");
  check(/^[^\n]+$/.test(spec.summary), command, "the summary is one line");
  check(arity !== 0, command, "arity counts the name");
  check(!has(FLAG.WRITE | FLAG.READONLY), command, "both write and readonly");
  check(
    !has(FLAG.DENYOOM | FLAG.READONLY),
    command,
    "what only reads needs no memory",
  );
  check(
    (keyFlags & (KEY.OW | KEY.RM)) === 0 || has(FLAG.WRITE),
    command,
    "overwrites or removes keys, but is not a write command",
  );
  check(
    spec.findOtherKeys === undefined || command.keyKind === KEY_KIND.COMPUTED,
    command,
    "has other keys, but keys that need not be computed",
  );
  for (const { begin } of spec.keys ?? []) {
    check(
      begin.type !== "index" ||
        begin.index > 0 && begin.index <= command.argcMin,
      command,
      "a key spec begins behind the arguments",
    );
  }
  check(
    spec.run !== undefined || spec.subcommands !== undefined,
    command,
    "has neither a function nor subcommands",
  );
  check(
    command.container === undefined || spec.subcommands === undefined,
    command,
    "a subcommand has no subcommands",
  );
}

function check<C>(condition: boolean, command: Command<C>, why: string): void {
  if (!condition) {
    throw new Error(`Cannot add the command "${command.fullName}": ${why}`);
  }
}

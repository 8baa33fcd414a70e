/**
 * Finds the keys in an argument vector, by the key specs of its command.
 *
 * A key spec says where the search begins (at an index, behind a keyword) and
 * which arguments from there on are keys (a range, as many as a number says).
 * Where that cannot express a command's syntax, its row has a `findKeys`, which
 * serves if the specs are incomplete, if their flags depend on the arguments,
 * or if they do not fit the arguments. So COMMAND GETKEYS, ACL and the choice of
 * shards all see the same keys.
 *
 * Clients of Redis know an older description, too: first key, last key, step.
 * {@linkcode legacyKeyRange} derives it, and with it the `movablekeys` flag,
 * which says that the three numbers are not the whole truth.
 *
 * Nothing is allocated: keys go into a {@linkcode KeyPositions} that the caller
 * keeps and reuses.
 *
 * @module
 */

import type { Arguments } from "../resp/arguments.ts";
import {
  type ArgumentView,
  KEY,
  type KeyFinder,
  type KeySpec,
  type OtherKeysFinder,
} from "./command_spec.ts";

/** Where keys are, as COMMAND INFO has it since its first version. */
export interface KeyRange {
  /** Argument of the first key, 0 if there is none. */
  readonly first: number;
  /** Argument of the last key; negative: counted from the end. */
  readonly last: number;
  readonly step: number;
  /** Whether there are keys, or may be, that the range does not cover. */
  readonly movable: boolean;
}

/** The keys of one command line; reused from call to call. */
export class KeyPositions {
  /** How many keys there are. */
  count = 0;
  /** The argument of each key. */
  positions: Int32Array = new Int32Array(16);
  /** What is done to each key: bits of {@linkcode KEY}. */
  flags: Int32Array = new Int32Array(16);

  /** Forgets all keys. */
  clear(): void {
    this.count = 0;
  }

  /** Adds a key. */
  add(position: number, flags: number): void {
    const i = this.count++;
    if (i === this.positions.length) this.#grow();
    this.positions[i] = position;
    this.flags[i] = flags;
  }

  #grow(): void {
    const size = this.positions.length * 2;
    const positions = new Int32Array(size);
    const flags = new Int32Array(size);
    positions.set(this.positions);
    flags.set(this.flags);
    this.positions = positions;
    this.flags = flags;
  }
}

/** What is needed of a command to find its keys. */
export interface KeyRules {
  readonly keys?: readonly KeySpec[];
  readonly findKeys?: KeyFinder;
}

/** Whether a command can have keys at all; channels do not count. */
export function hasKeys(rules: KeyRules): boolean {
  if (rules.findKeys !== undefined) return true;
  return rules.keys?.some((spec) => (spec.flags & KEY.NOT_KEY) === 0) ?? false;
}

/**
 * Replaces the contents of `keys` by the keys of a command line, whose arity
 * must have been checked. No keys are found if the arguments make no sense.
 */
export function findKeys(
  rules: KeyRules,
  args: ArgumentView,
  keys: KeyPositions,
): void {
  find(rules, args, keys, false);
}

/**
 * As {@linkcode findKeys}, for a command that is to run: the keys of one spec
 * count although another finds none, as in a PFMERGE without sources.
 */
export function findKeysToRun(
  rules: KeyRules,
  args: ArgumentView,
  keys: KeyPositions,
): void {
  find(rules, args, keys, true);
}

function find(
  rules: KeyRules,
  args: ArgumentView,
  keys: KeyPositions,
  isPartial: boolean,
): void {
  const specs = rules.keys;
  keys.clear();
  if (specs === undefined) return;
  const finder = rules.findKeys;
  if (finder === undefined || !haveVariableFlags(specs)) {
    if (addKeysOfSpecs(specs, args, keys)) return;
    if (finder === undefined && isPartial) return;
    keys.clear();
  }
  if (finder !== undefined) finder(args, keys);
}

function haveVariableFlags(specs: readonly KeySpec[]): boolean {
  for (let i = 0; i < specs.length; i++) {
    if ((specs[i]!.flags & KEY.VARIABLE_FLAGS) !== 0) return true;
  }
  return false;
}

/** Returns whether all specs fit the arguments and find all their keys. */
function addKeysOfSpecs(
  specs: readonly KeySpec[],
  args: ArgumentView,
  keys: KeyPositions,
): boolean {
  let fit = true;
  for (let i = 0; i < specs.length; i++) {
    const spec = specs[i]!;
    if ((spec.flags & KEY.NOT_KEY) !== 0) continue;
    if (!addKeysOfSpec(spec, args, keys)) fit = false;
  }
  return fit;
}

/** Returns whether the spec fits the arguments and finds all its keys. */
function addKeysOfSpec(
  spec: KeySpec,
  args: ArgumentView,
  keys: KeyPositions,
): boolean {
  const begin = spec.begin;
  if (begin.type === "unknown") return false;
  let first = begin.type === "index"
    ? begin.index
    : indexAfterKeyword(begin.keyword, begin.startFrom, args);
  if (first === 0) return true;

  const find = spec.find;
  const argc = args.argc;
  let last = first;
  if (find.type === "unknown") return false;
  else if (find.type === "keynum") {
    const at = first + find.keyNumIndex;
    const count = at < argc ? args.integer(at) : 0;
    if (!(count >= 1 && count <= argc)) return false;
    first += find.firstKey;
    last = first + (count - 1) * find.step;
  } else if (find.lastKey >= 0) last = first + find.lastKey;
  else if (find.limit === 0) last = argc + find.lastKey;
  else last = first + Math.trunc((argc - first) / find.limit) + find.lastKey;

  if (first >= argc || last >= argc || last < first) return false;
  for (let at = first; at <= last; at += find.step) keys.add(at, spec.flags);
  return (spec.flags & KEY.INCOMPLETE) === 0;
}

/**
 * The argument after a keyword, or 0. A keyword in the last place is none, for
 * it has nothing behind it; nor is one in the first, for a search backwards.
 */
function indexAfterKeyword(
  keyword: string,
  startFrom: number,
  args: ArgumentView,
): number {
  const end = args.argc - 1;
  if (startFrom > 0) {
    for (let at = startFrom; at < end; at++) {
      if (args.equalsIgnoreCase(at, keyword)) return at + 1;
    }
  } else {
    for (let at = args.argc + startFrom; at > 1; at--) {
      if (args.equalsIgnoreCase(at, keyword)) return at + 1;
    }
  }
  return 0;
}

/** The range that covers the keys of all specs, as far as one range can. */
export function legacyKeyRange(specs: readonly KeySpec[]): KeyRange {
  if (specs.length === 1 && isRange(specs[0]!)) {
    const { first, last, step } = rangeOf(specs[0]!);
    const movable = (specs[0]!.flags & KEY.INCOMPLETE) !== 0;
    return { first, last, step, movable };
  }
  let first = 0;
  let last = 0;
  let movable = false;
  for (const spec of specs) {
    const range = isRange(spec) ? rangeOf(spec) : undefined;
    const follows = range !== undefined && range.step === 1 &&
      (last === 0 || range.first === last + 1);
    if (!follows) {
      movable = true;
      continue;
    }
    if ((spec.flags & KEY.INCOMPLETE) !== 0) movable = true;
    if (first === 0) first = range.first;
    last = range.last;
  }
  return { first, last, step: first === 0 ? 0 : 1, movable };
}

function isRange(spec: KeySpec): boolean {
  return spec.begin.type === "index" && spec.find.type === "range";
}

function rangeOf(spec: KeySpec): Omit<KeyRange, "movable"> {
  if (spec.begin.type !== "index" || spec.find.type !== "range") {
    throw new Error("Cannot make a key range: the key spec is not a range");
  }
  const first = spec.begin.index;
  const { lastKey, step } = spec.find;
  return { first, last: lastKey < 0 ? lastKey : first + lastKey, step };
}

/** Keys of SORT: STORE may stand anywhere, and the last one counts. */
export const sortKeys: KeyFinder = (args, keys) => {
  keys.add(1, KEY.RO | KEY.ACCESS);
  let stored = 0;
  for (let at = 2; at < args.argc; at++) {
    if (args.equalsIgnoreCase(at, "LIMIT")) at += 2;
    else if (args.equalsIgnoreCase(at, "GET")) at++;
    else if (args.equalsIgnoreCase(at, "BY")) at++;
    else if (args.equalsIgnoreCase(at, "STORE") && at + 1 < args.argc) {
      stored = at + 1;
    }
  }
  if (stored !== 0) keys.add(stored, KEY.OW | KEY.UPDATE);
};

/** The one key of SORT_RO that its arguments name. */
export const sortReadKeys: KeyFinder = (_args, keys) => {
  keys.add(1, KEY.RO | KEY.ACCESS);
};

/**
 * Where SORT really stores, which {@linkcode sortKeys}, as Redis has it, misses
 * if the destination is named like an option; and whether SORT makes names of
 * keys out of elements. A lone `#` stands for the element itself, and "nosort"
 * for no key at all.
 */
export const sortOtherKeys: OtherKeysFinder = (args, keys) => {
  let stored = 0;
  let looksFurther = false;
  for (let at = 2; at + 1 < args.argc; at++) {
    if (args.equalsIgnoreCase(at, "LIMIT")) at += 2;
    else if (args.equalsIgnoreCase(at, "STORE")) stored = ++at;
    else if (args.equalsIgnoreCase(at, "BY")) {
      if (!args.equalsIgnoreCase(++at, "NOSORT")) looksFurther = true;
    } else if (args.equalsIgnoreCase(at, "GET")) {
      if (!args.equalsIgnoreCase(++at, "#")) looksFurther = true;
    }
  }
  if (stored !== 0) keys.add(stored, KEY.OW | KEY.UPDATE);
  return looksFurther;
};

/**
 * Where GEORADIUS really stores: the last STORE or STOREDIST counts, the key
 * specs name the first of each.
 */
export const georadiusOtherKeys: OtherKeysFinder = (args, keys) => {
  let stored = 0;
  for (let at = 5; at + 1 < args.argc; at++) {
    if (
      args.equalsIgnoreCase(at, "STORE") ||
      args.equalsIgnoreCase(at, "STOREDIST")
    ) stored = ++at;
  }
  if (stored !== 0) keys.add(stored, KEY.OW | KEY.UPDATE);
  return false;
};

/** Keys of MIGRATE: one at position 3, or many behind KEYS if that is "". */
export const migrateKeys: KeyFinder = (args, keys) => {
  const flags = KEY.RW | KEY.ACCESS | KEY.DELETE;
  for (let at = 6; at < args.argc; at++) {
    if (args.equalsIgnoreCase(at, "AUTH")) at++;
    else if (args.equalsIgnoreCase(at, "AUTH2")) at += 2;
    else if (args.equalsIgnoreCase(at, "KEYS")) {
      if (!args.equalsIgnoreCase(3, "")) return;
      while (++at < args.argc) keys.add(at, flags);
      return;
    }
  }
  keys.add(3, flags);
};

/**
 * Keys of XREAD and XREADGROUP where STREAMS stands before its place. Such a
 * line is an error; what it would do to the keys is left open.
 */
export const streamReadKeys: KeyFinder = (args, keys) => {
  for (let at = 1; at < args.argc; at++) {
    if (args.equalsIgnoreCase(at, "BLOCK")) at++;
    else if (args.equalsIgnoreCase(at, "COUNT")) at++;
    else if (args.equalsIgnoreCase(at, "GROUP")) at += 2;
    else if (args.equalsIgnoreCase(at, "STREAMS")) {
      const count = (args.argc - at - 1) / 2;
      if (!Number.isInteger(count)) return;
      for (let i = 1; i <= count; i++) keys.add(at + i, 0);
      return;
    } else if (!args.equalsIgnoreCase(at, "NOACK")) return;
  }
};

/** The key of SET, which is read only if GET is among the options. */
export const setKeys: KeyFinder = (args, keys) => {
  let flags: number = KEY.OW | KEY.UPDATE;
  for (let at = 3; at < args.argc; at++) {
    if (args.equalsIgnoreCase(at, "GET")) {
      flags = KEY.RW | KEY.ACCESS | KEY.UPDATE;
    }
  }
  keys.add(1, flags);
};

/** The key of BITFIELD, which is only read if all operations are GET. */
export const bitfieldKeys: KeyFinder = (args, keys) => {
  let flags: number = KEY.RO | KEY.ACCESS;
  for (let at = 2; at < args.argc; at++) {
    const remaining = args.argc - at - 1;
    if (args.equalsIgnoreCase(at, "GET") && remaining >= 2) at += 2;
    else if (args.equalsIgnoreCase(at, "OVERFLOW") && remaining >= 1) at++;
    else {
      flags = KEY.RW | KEY.ACCESS | KEY.UPDATE;
      break;
    }
  }
  keys.add(1, flags);
};

/** A request's arguments, from `skip` on, as a command line of its own. */
export class RequestView implements ArgumentView {
  argc = 0;
  #args: Arguments;
  #skip = 0;

  constructor(args: Arguments, skip = 0) {
    this.#args = args;
    this.reset(args, skip);
  }

  /** Looks at another request. */
  reset(args: Arguments, skip: number): void {
    this.#args = args;
    this.#skip = skip;
    this.argc = args.count - skip;
  }

  /** Whether an argument is `token`, which is in upper case. */
  equalsIgnoreCase(index: number, token: string): boolean {
    const i = index + this.#skip;
    const length = this.#args.length[i]!;
    if (length !== token.length) return false;
    const bytes = this.#args.source(i);
    const off = this.#args.off[i]!;
    for (let k = 0; k < length; k++) {
      const byte = bytes[off + k]!;
      const upper = byte >= 97 && byte <= 122 ? byte - 32 : byte;
      if (upper !== token.charCodeAt(k)) return false;
    }
    return true;
  }

  /** A decimal integer as Redis writes them, with no sign but "-"; or NaN. */
  integer(index: number): number {
    const i = index + this.#skip;
    const bytes = this.#args.source(i);
    const length = this.#args.length[i]!;
    let at = this.#args.off[i]!;
    const end = at + length;
    const negative = length > 1 && bytes[at] === 45;
    if (negative) at++;
    const leading = bytes[at]!;
    if (length === 0 || end - at > 15) return NaN;
    if (leading === 48 && (end - at > 1 || negative)) return NaN;
    let value = 0;
    for (; at < end; at++) {
      const digit = bytes[at]! - 48;
      if (digit < 0 || digit > 9) return NaN;
      value = value * 10 + digit;
    }
    return negative ? -value : value;
  }
}

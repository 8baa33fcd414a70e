/**
 * What is known about a command, as data: one {@linkcode CommandSpec} per
 * command, written beside the command's function. Everything that has to know
 * commands reads these rows: dispatch, arity, ACL, latches, COMMAND, tests.
 *
 * A row says each thing once. What follows from something else is not written
 * but derived: the categories implied by flags, the `movablekeys` flag, the
 * legacy key range, the group of a subcommand.
 *
 * @module
 */

import type { ReplyWriter } from "../resp/reply_writer.ts";
import type { ManyKeysFinder } from "./many_keys.ts";
import type { OneKeyForm } from "./one_key.ts";

/**
 * The flags of commands. Their order is the order in which COMMAND INFO prints
 * them; the last ones are for the server alone and never printed.
 */
export const FLAG = {
  WRITE: 1 << 0,
  READONLY: 1 << 1,
  DENYOOM: 1 << 2,
  ADMIN: 1 << 3,
  PUBSUB: 1 << 4,
  NOSCRIPT: 1 << 5,
  BLOCKING: 1 << 6,
  LOADING: 1 << 7,
  STALE: 1 << 8,
  SKIP_MONITOR: 1 << 9,
  SKIP_SLOWLOG: 1 << 10,
  ASKING: 1 << 11,
  FAST: 1 << 12,
  NO_AUTH: 1 << 13,
  NO_MANDATORY_KEYS: 1 << 14,
  NO_ASYNC_LOADING: 1 << 15,
  NO_MULTI: 1 << 16,
  MOVABLEKEYS: 1 << 17,
  ALLOW_BUSY: 1 << 18,
  MAY_REPLICATE: 1 << 19,
  PROTECTED: 1 << 20,
  TOUCHES_ARBITRARY_KEYS: 1 << 21,
} as const;

/** The bits of the flags that COMMAND INFO shows. */
export const PRINTED_FLAGS = (FLAG.ALLOW_BUSY << 1) - 1;

/** A flag as rows and COMMAND INFO spell it. */
export type CommandFlag = Lowercase<keyof typeof FLAG>;

/** The ACL categories, in the order in which COMMAND INFO prints them. */
export const CATEGORIES = [
  "keyspace",
  "read",
  "write",
  "set",
  "sortedset",
  "list",
  "hash",
  "string",
  "bitmap",
  "hyperloglog",
  "geo",
  "stream",
  "pubsub",
  "admin",
  "fast",
  "slow",
  "blocking",
  "dangerous",
  "connection",
  "transaction",
  "scripting",
] as const;

/** An ACL category without its `@`. */
export type AclCategory = typeof CATEGORIES[number];

/** The chapters of the command reference, as COMMAND DOCS prints them. */
export type CommandGroup =
  | "bitmap"
  | "cluster"
  | "connection"
  | "generic"
  | "geo"
  | "hash"
  | "hyperloglog"
  | "list"
  | "pubsub"
  | "scripting"
  | "sentinel"
  | "server"
  | "set"
  | "sorted-set"
  | "stream"
  | "string"
  | "transactions";

/** The category that all commands of a group have unless a row says more. */
export const GROUP_CATEGORY: Partial<Record<CommandGroup, AclCategory>> = {
  bitmap: "bitmap",
  connection: "connection",
  generic: "keyspace",
  geo: "geo",
  hash: "hash",
  hyperloglog: "hyperloglog",
  list: "list",
  scripting: "scripting",
  set: "set",
  "sorted-set": "sortedset",
  stream: "stream",
  string: "string",
  transactions: "transaction",
};

/**
 * What a command does to a key, and how far its key spec can be trusted. One of
 * the first four says it for the key as a whole (read, change, overwrite,
 * remove), the next four for the user's data in it.
 */
export const KEY = {
  RO: 1 << 0,
  RW: 1 << 1,
  OW: 1 << 2,
  RM: 1 << 3,
  ACCESS: 1 << 4,
  UPDATE: 1 << 5,
  INSERT: 1 << 6,
  DELETE: 1 << 7,
  NOT_KEY: 1 << 8,
  INCOMPLETE: 1 << 9,
  VARIABLE_FLAGS: 1 << 10,
} as const;

/** What a command does to a key that others must not look at meanwhile. */
export const KEY_CHANGES: number = KEY.OW | KEY.RM | KEY.UPDATE | KEY.INSERT |
  KEY.DELETE;

/** The names of the bits of {@linkcode KEY}, as COMMAND INFO prints them. */
export const KEY_FLAG_NAMES: readonly string[] = Object.keys(KEY)
  .map((name) => name.length === 2 ? name : name.toLowerCase());

/** Where in the argument vector the search for keys begins. */
export type BeginSearch =
  | { readonly type: "index"; readonly index: number }
  | {
    readonly type: "keyword";
    readonly keyword: string;
    /** The first place to look; negative: from the end, backwards. */
    readonly startFrom: number;
  }
  | { readonly type: "unknown" };

/** Which arguments are keys, counted from where the search began. */
export type FindKeys =
  | {
    readonly type: "range";
    /** Relative to the first key, or to the end when negative. */
    readonly lastKey: number;
    readonly step: number;
    /** With a negative `lastKey`: use only 1/limit of what remains. */
    readonly limit: number;
  }
  | {
    readonly type: "keynum";
    readonly keyNumIndex: number;
    readonly firstKey: number;
    readonly step: number;
  }
  | { readonly type: "unknown" };

/** One rule that finds keys in an argument vector. */
export interface KeySpec {
  readonly notes?: string;
  /** Bits of {@linkcode KEY}. */
  readonly flags: number;
  readonly begin: BeginSearch;
  readonly find: FindKeys;
}

/** What a reply may be, as RESP3 tells the types apart. */
export type ReplyType =
  | "status"
  | "string"
  | "integer"
  | "double"
  | "boolean"
  | "null"
  | "array"
  | "map"
  | "set"
  | "any"
  | "none";

/** Writes the reply of a command that was parked, once it is known. */
export type LateReply = (reply: ReplyWriter) => void;

/**
 * Runs a command. `C` is what a call hands to its command. A short command
 * writes its reply and returns nothing; one that must wait returns a promise of
 * its reply, and may use the call only until its first `await`.
 */
export type Handler<C> = (call: C) => void | Promise<LateReply>;

/**
 * Whether a command with these arguments and keys would take so long that it is
 * better run in the background: see heavy_work.ts. The latches of its keys are
 * held; nothing may be changed.
 */
export type HeavyTest<C> = (call: C) => boolean;

/** Finds the keys of a command that its key specs cannot describe. */
export type KeyFinder = (args: ArgumentView, keys: KeySink) => void;

/** An argument vector to be searched for keys; argument 0 is the name. */
export interface ArgumentView {
  readonly argc: number;
  /** Whether an argument is `token`, which is in upper case. */
  equalsIgnoreCase(index: number, token: string): boolean;
  /** The value of an argument; NaN if it is not an integer. */
  integer(index: number): number;
}

/** Takes the keys that a {@linkcode KeyFinder} finds. */
export interface KeySink {
  add(position: number, flags: number): void;
}

/**
 * Adds the keys that a command may touch although its key specs do not name
 * them. If they can not be known before it runs, it answers true, and the
 * command runs with the latches of all shards held.
 */
export type OtherKeysFinder = (args: ArgumentView, keys: KeySink) => boolean;

/**
 * The other database in which a command touches its keys, as it says in its
 * arguments; NaN for none.
 */
export type OtherDatabaseFinder = (args: ArgumentView) => number;

/** One command, or one subcommand of a container. */
export interface CommandSpec<C> {
  /** Lower case; of a subcommand, without the container's name. */
  readonly name: string;
  /** A subcommand has its container's group. */
  readonly group?: CommandGroup;
  readonly since: string;
  /** One line. */
  readonly summary: string;
  readonly complexity?: string;
  /** The number of arguments with the name; negative: at least so many. */
  readonly arity: number;
  readonly flags?: readonly CommandFlag[];
  /** Explicit categories, where they are not just the group's own. */
  readonly categories?: readonly AclCategory[];
  readonly keys?: readonly KeySpec[];
  readonly findKeys?: KeyFinder;
  readonly findOtherKeys?: OtherKeysFinder;
  readonly findOtherDatabase?: OtherDatabaseFinder;
  readonly tips?: readonly string[];
  /** The arguments, in the notation of `command_syntax.ts`. */
  readonly syntax?: string;
  readonly replies?: readonly ReplyType[];
  readonly docFlags?: readonly ("deprecated" | "syscmd")[];
  readonly deprecatedSince?: string;
  readonly replacedBy?: string;
  readonly subcommands?: readonly CommandSpec<C>[];
  /** Of those that may take long: whether this call will. */
  readonly isHeavy?: HeavyTest<C>;
  /**
   * Gets big arguments ready before any latch is held, as nodes that need only be
   * linked then (staged_nodes.ts). It must answer nothing, and may be mistaken.
   */
  readonly stage?: (call: C) => void;
  /** With more arguments it counts as one with big arguments; missing: never. */
  readonly argumentsMax?: number;
  /**
   * Reads the arguments of a command with several keys before any latch is held.
   * It must answer nothing, and the command may run without it.
   */
  readonly readFirst?: (call: C) => void;
  /** Of those with any number of keys: how they are gone through in slices. */
  readonly manyKeys?: ManyKeysFinder<C>;
  /** Whether it does so, too, if the strings at its keys are long: it replies them. */
  readonly repliesValues?: boolean;
  /**
   * A key takes as long as so many of MGET's; missing: as one of them. It counts
   * for more where it is hooked, if this is less than {@linkcode
   * HOOKED_KEY_WEIGHT}.
   */
  readonly keyWeight?: number;
  /** Of those that may be run with one of very many: where the keys stand. */
  readonly oneKey?: OneKeyForm;
  /** Missing only in containers that do nothing by themselves. */
  readonly run?: Handler<C>;
}

/** Weight of keys whose values are combined, or that are noted. */
export const COMBINED_KEY_WEIGHT = 8;
/** Weight of keys with which there is more to do than what the command does. */
export const HOOKED_KEY_WEIGHT = 4;
/** Weight of keys that are made. */
export const MADE_KEY_WEIGHT = 3;
/** Weight of keys whose old values a snapshot has to have. */
export const SAVED_KEY_WEIGHT = 100;

/**
 * Arguments that are options, in one request. They are read with a latch held: who
 * writes the same one a hundred thousand times would hold it for as long.
 */
export const OPTIONS_MAX = 1000;

/** The key at one position. */
export function keyAt(index: number, flags: string): KeySpec {
  return keysFrom(index, 0, flags);
}

/** Keys one after the other, as far as `lastKey`. */
export function keysFrom(
  index: number,
  lastKey: number,
  flags: string,
): KeySpec {
  return {
    flags: keyFlagBits(flags),
    begin: { type: "index", index },
    find: { type: "range", lastKey, step: 1, limit: 0 },
  };
}

/** Every other argument, to the end. */
export function keyPairsFrom(index: number, flags: string): KeySpec {
  return {
    flags: keyFlagBits(flags),
    begin: { type: "index", index },
    find: { type: "range", lastKey: -1, step: 2, limit: 0 },
  };
}

/** As many keys as the argument at `index` says, behind it. */
export function numKeysAt(index: number, flags: string): KeySpec {
  return {
    flags: keyFlagBits(flags),
    begin: { type: "index", index },
    find: { type: "keynum", keyNumIndex: 0, firstKey: 1, step: 1 },
  };
}

/** The key behind a keyword. */
export function keyAfter(
  keyword: string,
  startFrom: number,
  flags: string,
): KeySpec {
  return {
    flags: keyFlagBits(flags),
    begin: { type: "keyword", keyword, startFrom },
    find: { type: "range", lastKey: 0, step: 1, limit: 0 },
  };
}

/**
 * The keys between a keyword and the end; with a `limit`, only the first of as
 * many equal parts.
 */
export function keysAfter(
  keyword: string,
  startFrom: number,
  flags: string,
  limit = 0,
): KeySpec {
  return {
    flags: keyFlagBits(flags),
    begin: { type: "keyword", keyword, startFrom },
    find: { type: "range", lastKey: -1, step: 1, limit },
  };
}

/** Keys at places that no rule can name. */
export function keysUnknown(flags: string, notes: string): KeySpec {
  return {
    notes,
    flags: keyFlagBits(flags),
    begin: { type: "unknown" },
    find: { type: "unknown" },
  };
}

/** The bits of key flags written as `"RW access update"`. */
export function keyFlagBits(flags: string): number {
  let bits = 0;
  for (const name of flags.split(" ")) {
    const index = KEY_FLAG_NAMES.indexOf(name);
    if (index < 0) {
      throw new Error(`Cannot make a key spec: unknown key flag "${name}"`);
    }
    bits |= 1 << index;
  }
  return bits;
}

/** One key at position 1: asks about the key, not its data. */
export const KEY_RO: readonly KeySpec[] = [keyAt(1, "RO")];
/** One key at position 1, read. */
export const KEY_RO_ACCESS: readonly KeySpec[] = [keyAt(1, "RO access")];
/** One key at position 1, its data changed. */
export const KEY_RW_UPDATE: readonly KeySpec[] = [keyAt(1, "RW update")];
/** One key at position 1, its data added to. */
export const KEY_RW_INSERT: readonly KeySpec[] = [keyAt(1, "RW insert")];
/** One key at position 1, some of its data deleted. */
export const KEY_RW_DELETE: readonly KeySpec[] = [keyAt(1, "RW delete")];
/** One key at position 1, its data read and changed. */
export const KEY_RW_ACCESS_UPDATE: readonly KeySpec[] = [
  keyAt(1, "RW access update"),
];
/** One key at position 1, some of its data read and deleted. */
export const KEY_RW_ACCESS_DELETE: readonly KeySpec[] = [
  keyAt(1, "RW access delete"),
];
/** One key at position 1, overwritten. */
export const KEY_OW_UPDATE: readonly KeySpec[] = [keyAt(1, "OW update")];

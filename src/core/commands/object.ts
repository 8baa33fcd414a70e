/**
 * OBJECT: how a value is stored and how a key is used.
 *
 * None of these counts as a use of the key.
 *
 * @module
 */

import { STRING_ENCODING_NAMES, TYPE_STRING } from "../types/entry.ts";
import { isLfuPolicy } from "../keyspace/evict.ts";
import { LFU_NOT_SELECTED, LFU_SELECTED } from "../resp/error_reply.ts";
import type { Call } from "./call.ts";
import { type CommandSpec, keyAt } from "./command_spec.ts";

const HELP = [
  "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "ENCODING <key>",
  "    Return the kind of internal representation used in order to store the value",
  "    associated with a <key>.",
  "FREQ <key>",
  "    Return the access frequency index of the <key>. The returned integer is",
  "    proportional to the logarithm of the recent access frequency of the key.",
  "IDLETIME <key>",
  "    Return the idle time of the <key>, that is the approximated number of",
  "    seconds elapsed since the last access to the key.",
  "REFCOUNT <key>",
  "    Return the number of references of the value associated with the specified",
  "    <key>.",
  "HELP",
  "    Prints this help.",
];

/** `OBJECT ENCODING key` */
function objectEncodingCommand(call: Call): void {
  const ref = findObject(call);
  if (ref === 0) return;
  const space = call.keyspace(call.key(0));
  const type = space.type(ref);
  const names = type === TYPE_STRING
    ? STRING_ENCODING_NAMES
    : space.values.of(type).encodingNames;
  call.reply.bulkText(names[space.encoding(ref)]!);
}

/** `OBJECT FREQ key` */
function objectFreqCommand(call: Call): void {
  const ref = findObject(call);
  if (ref === 0) return;
  if (!isLfuPolicy(call.settings.maxmemoryPolicy)) {
    return call.reply.error(LFU_NOT_SELECTED);
  }
  const clock = call.keyspace(call.key(0)).clockOf(ref);
  call.reply.integer(call.clock.decayed(clock));
}

/** `OBJECT IDLETIME key` */
function objectIdletimeCommand(call: Call): void {
  const ref = findObject(call);
  if (ref === 0) return;
  if (isLfuPolicy(call.settings.maxmemoryPolicy)) {
    return call.reply.error(LFU_SELECTED);
  }
  const clock = call.keyspace(call.key(0)).clockOf(ref);
  call.reply.integer(call.clock.idleSeconds(clock));
}

/** `OBJECT REFCOUNT key`: an entry has its value for itself. */
function objectRefcountCommand(call: Call): void {
  if (findObject(call) !== 0) call.reply.integer(1);
}

/** `OBJECT HELP` */
function objectHelpCommand(call: Call): void {
  call.reply.array(HELP.length);
  for (const line of HELP) call.reply.simple(line);
}

/** The entry of the key, or 0 after a null. */
function findObject(call: Call): number {
  const key = call.key(0);
  const ref = call.keyspace(key).lookupInspected(call.db, key, call.nowMs);
  if (ref === 0) call.reply.nullBulk();
  return ref;
}

/** The row of OBJECT. */
export const OBJECT_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "object",
    group: "generic",
    since: "2.2.3",
    summary: "Commands about how values are stored.",
    arity: -2,
    subcommands: [
      {
        name: "encoding",
        since: "2.2.3",
        summary: "Tells how the value of a key is stored.",
        complexity: "O(1)",
        arity: 3,
        flags: ["readonly"],
        keys: [keyAt(2, "RO")],
        tips: ["nondeterministic_output"],
        syntax: "key",
        replies: ["null", "string"],
        run: objectEncodingCommand,
      },
      {
        name: "freq",
        since: "4.0.0",
        summary:
          "Tells how often a key has been used, as the LFU policies count.",
        complexity: "O(1)",
        arity: 3,
        flags: ["readonly"],
        keys: [keyAt(2, "RO")],
        tips: ["nondeterministic_output"],
        syntax: "key",
        replies: ["null", "integer"],
        run: objectFreqCommand,
      },
      {
        name: "help",
        since: "6.2.0",
        summary: "Lists the OBJECT subcommands.",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        replies: ["array"],
        run: objectHelpCommand,
      },
      {
        name: "idletime",
        since: "2.2.3",
        summary: "Tells for how many seconds a key has not been used.",
        complexity: "O(1)",
        arity: 3,
        flags: ["readonly"],
        keys: [keyAt(2, "RO")],
        tips: ["nondeterministic_output"],
        syntax: "key",
        replies: ["null", "integer"],
        run: objectIdletimeCommand,
      },
      {
        name: "refcount",
        since: "2.2.3",
        summary: "Counts the references to the value of a key.",
        complexity: "O(1)",
        arity: 3,
        flags: ["readonly"],
        keys: [keyAt(2, "RO")],
        tips: ["nondeterministic_output"],
        syntax: "key",
        replies: ["null", "integer"],
        run: objectRefcountCommand,
      },
    ],
  },
];

/**
 * XGROUP and XACK: consumer groups, and what they have done with.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { Int64, parseInt64 } from "../base/int64.ts";
import {
  CHANGED,
  XGROUP_CREATE,
  XGROUP_DELCONSUMER,
  XGROUP_DESTROY,
  XGROUP_SETID,
} from "../keyspace/key_events.ts";
import {
  BUSY_GROUP,
  ENTRIESREAD_INVALID,
  noSuchGroup,
  NOT_AN_INTEGER,
  subcommandSyntax,
  XGROUP_KEY_MISSING,
} from "../resp/error_reply.ts";
import { TYPE_STREAM } from "../types/entry.ts";
import { StreamId } from "../types/stream_id.ts";
import { argumentIs } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import { groupNames } from "./compared_groups.ts";
import {
  type CommandSpec,
  KEY_RW_UPDATE,
  keyAt,
  type LateReply,
} from "./command_spec.ts";
import { makeChange } from "./sliced_change.ts";
import {
  argumentIsCharacter,
  IdList,
  readId,
  readIdOrEdge,
} from "./stream_args.ts";
import {
  addConsumer,
  beginSpare,
  consumerOf,
  groupOf,
  readStreamToChange,
  streamsOf,
  writeStream,
} from "./stream_entry.ts";
import {
  Acknowledgement,
  ConsumerRemoval,
  GroupRemoval,
  SLICED_IDS_MIN,
} from "./stream_slices.ts";
import { WRONG } from "./typed_entry.ts";

const MKSTREAM = bytesOf("mkstream");
const ENTRIESREAD = bytesOf("entriesread");
const DOLLAR = 0x24;

/** Allocations from which on a group is freed later. */
const SPARED_WEIGHT_MIN = 256;

// A change in slices takes it over, and the next command has another.
const IDS = new IdList();
const ID = new StreamId();
const READ = new Int64();

const HELP = [
  "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "CREATE <key> <groupname> <id|$> [option]",
  "    Create a new consumer group. Options are:",
  "    * MKSTREAM",
  "      Create the empty stream if it does not exist.",
  "    * ENTRIESREAD entries_read",
  "      Set the group's entries_read counter (internal use).",
  "CREATECONSUMER <key> <groupname> <consumer>",
  "    Create a new consumer in the specified group.",
  "DELCONSUMER <key> <groupname> <consumer>",
  "    Remove the specified consumer.",
  "DESTROY <key> <groupname>",
  "    Remove the specified group.",
  "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
  "    Set the current group ID and entries_read counter.",
  "HELP",
  "    Prints this help.",
];

/** What XGROUP found: the stream and its group. */
const FOUND = { ref: 0, group: 0, makesStream: false };

/**
 * Reads the options behind argument 4 and finds stream and group; false after an
 * error reply. The key must be there, but for MKSTREAM, and the group if it
 * `needsGroup`.
 */
function find(
  call: Call,
  takesMkstream: boolean,
  needsGroup: boolean,
): boolean {
  const { args, argc, reply } = call;
  FOUND.ref = FOUND.group = 0;
  FOUND.makesStream = false;
  READ.hi = READ.lo = -1;
  const hasOptions = takesMkstream || argc > 5;
  for (let i = 5; hasOptions && i < argc;) {
    if (takesMkstream && argumentIs(call, i, MKSTREAM)) {
      FOUND.makesStream = true;
      i++;
    } else if (i + 1 < argc && argumentIs(call, i, ENTRIESREAD)) {
      const off = args.off[i + 1]!;
      if (!parseInt64(args.source(i + 1), off, args.length[i + 1]!, READ)) {
        reply.error(NOT_AN_INTEGER);
        return false;
      }
      if (READ.hi < 0 && (READ.hi & READ.lo) !== -1) {
        reply.error(ENTRIESREAD_INVALID);
        return false;
      }
      i += 2;
    } else {
      reply.error(subcommandSyntax("xgroup", args.copy(1)));
      return false;
    }
  }
  const ref = writeStream(call, 0);
  if (ref === WRONG) return false;
  FOUND.ref = ref;
  if (ref !== 0) FOUND.group = groupOf(call, 0, ref, 3);
  if (FOUND.makesStream) return true;
  if (ref === 0) {
    reply.error(XGROUP_KEY_MISSING);
    return false;
  }
  if (FOUND.group === 0 && needsGroup) {
    reply.error(noSuchGroup(args.view(2), args.view(3)));
    return false;
  }
  return true;
}

/** `XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD entries-read]` */
function xgroupCreateCommand(call: Call): void {
  const { args, argc, reply } = call;
  if (!find(call, true, false)) return;
  if (argc > 8) return reply.error(subcommandSyntax("xgroup", args.copy(1)));
  let { ref } = FOUND;
  const key = call.key(0);
  const space = call.keyspace(key);
  const { streams } = space.values;
  if (argumentIsCharacter(call, 4, DOLLAR)) {
    if (ref === 0) ID.setLeast();
    else streams.readLastId(ref, ID);
  } else if (!readId(call, 4, ID)) return;
  if (FOUND.group !== 0) return reply.error(BUSY_GROUP);
  if (ref === 0) ref = space.create(call.db, key, TYPE_STREAM);
  streams.addGroup(
    ref,
    args.source(3),
    args.off[3]!,
    args.length[3]!,
    ID,
    READ,
    call.staged?.takeName(3) ?? 0,
  );
  space.hooks.changed(call.db, key, XGROUP_CREATE);
  reply.ok();
}

/** `XGROUP SETID key group id|$ [ENTRIESREAD entries-read]` */
function xgroupSetidCommand(call: Call): void {
  const { args, argc, reply } = call;
  if (!find(call, false, true)) return;
  if (argc !== 5 && argc !== 7) {
    return reply.error(subcommandSyntax("xgroup", args.copy(1)));
  }
  const space = call.keyspace(call.key(0));
  const { streams } = space.values;
  if (argumentIsCharacter(call, 4, DOLLAR)) streams.readLastId(FOUND.ref, ID);
  else if (!readIdOrEdge(call, 4, ID)) return;
  streams.groups.setLastId(FOUND.group, ID);
  streams.groups.setEntriesRead(FOUND.group, READ);
  space.hooks.changed(call.db, call.key(0), XGROUP_SETID);
  reply.ok();
}

/** `XGROUP DESTROY key group` */
function xgroupDestroyCommand(call: Call): void | Promise<LateReply> {
  if (!find(call, false, false)) return;
  if (FOUND.group === 0) return call.reply.integer(0);
  const space = call.keyspace(call.key(0));
  const { streams } = space.values;
  const { ref, group } = FOUND;
  streams.takeGroup(ref, group);
  if (streams.groups.weight(group) < SPARED_WEIGHT_MIN) {
    streams.groups.free(group);
  } else {
    const isLeft = streams.leaveGroup(beginSpare(space), group);
    space.begun.drop();
    if (!isLeft) return makeChange(call, ref, new GroupRemoval(group));
  }
  space.hooks.changed(call.db, call.key(0), XGROUP_DESTROY);
  call.reply.integer(1);
}

/** `XGROUP CREATECONSUMER key group consumer` */
function xgroupCreateconsumerCommand(call: Call): void {
  if (!find(call, false, true)) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  const isThere = consumerOf(call.args, space, FOUND.group, 4) !== 0;
  if (!isThere) addConsumer(call, { space, key }, FOUND.group, 4);
  call.reply.integer(isThere ? 0 : 1);
}

/** `XGROUP DELCONSUMER key group consumer` */
function xgroupDelconsumerCommand(call: Call): void | Promise<LateReply> {
  if (!find(call, false, true)) return;
  const space = call.keyspace(call.key(0));
  const consumer = consumerOf(call.args, space, FOUND.group, 4);
  if (consumer === 0) return call.reply.integer(0);
  const { groups } = space.values.streams;
  const pending = groups.ownedCount(consumer);
  if (pending > SLICED_IDS_MIN) {
    const removal = new ConsumerRemoval(FOUND.group, consumer, pending);
    return makeChange(call, FOUND.ref, removal);
  }
  groups.removeConsumer(FOUND.group, consumer);
  space.hooks.changed(call.db, call.key(0), XGROUP_DELCONSUMER);
  call.reply.integer(pending);
}

/** `XGROUP HELP` */
function xgroupHelpCommand({ reply }: Call): void {
  reply.array(HELP.length);
  for (const line of HELP) reply.simple(line);
}

/** `XACK key group id [id ...]` */
function xackCommand(call: Call): void | Promise<LateReply> {
  const { argc, reply } = call;
  const ref = readStreamToChange(call, 0);
  if (ref === WRONG) return;
  const group = ref === 0 ? 0 : groupOf(call, 0, ref, 2);
  if (group === 0) return reply.integer(0);
  if (argc - 3 > SLICED_IDS_MIN) {
    return makeChange(call, ref, new Acknowledgement(call, group));
  }
  if (!IDS.readArguments(call, 3, argc, ID)) return;
  const { groups } = streamsOf(call, 0);
  let acknowledged = 0;
  for (let i = 0; i < IDS.count; i++) {
    IDS.read(i, ID);
    if (groups.acknowledge(group, ID)) acknowledged++;
  }
  if (acknowledged > 0) {
    const key = call.key(0);
    call.keyspace(key).hooks.changed(call.db, key, CHANGED, acknowledged);
  }
  reply.integer(acknowledged);
}

/** Rows of these commands. */
export const STREAM_GROUP_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "xack",
    group: "stream",
    since: "5.0.0",
    summary: "Tells a group that entries have been dealt with.",
    complexity: "O(1)",
    arity: -4,
    flags: ["write", "fast"],
    keys: KEY_RW_UPDATE,
    syntax: "key group id...",
    replies: ["integer"],
    stage: groupNames({ key: 1, group: 2 }),
    run: xackCommand,
  },
  {
    name: "xgroup",
    group: "stream",
    since: "5.0.0",
    summary: "Commands that change consumer groups.",
    arity: -2,
    subcommands: [
      {
        name: "create",
        since: "5.0.0",
        summary: "Makes a consumer group.",
        complexity: "O(1)",
        arity: -5,
        flags: ["write", "denyoom"],
        keys: [keyAt(2, "RW insert")],
        syntax: "key group id-selector:(id|new-id=$) [MKSTREAM] " +
          "[ENTRIESREAD entriesread:integer]",
        replies: ["status"],
        stage: groupNames({ key: 2, group: 3, makes: "group" }),
        run: xgroupCreateCommand,
      },
      {
        name: "createconsumer",
        since: "6.2.0",
        summary: "Makes a consumer of a group.",
        complexity: "O(1)",
        arity: 5,
        flags: ["write", "denyoom"],
        keys: [keyAt(2, "RW insert")],
        syntax: "key group consumer",
        replies: ["integer"],
        stage: groupNames({ key: 2, group: 3, consumer: 4, makes: "consumer" }),
        run: xgroupCreateconsumerCommand,
      },
      {
        name: "delconsumer",
        since: "5.0.0",
        summary: "Removes a consumer of a group and what is pending with it.",
        complexity: "O(1)",
        arity: 5,
        flags: ["write"],
        keys: [keyAt(2, "RW delete")],
        syntax: "key group consumer",
        replies: ["integer"],
        stage: groupNames({ key: 2, group: 3, consumer: 4 }),
        run: xgroupDelconsumerCommand,
      },
      {
        name: "destroy",
        since: "5.0.0",
        summary: "Removes a consumer group.",
        complexity: "O(N)",
        arity: 4,
        flags: ["write"],
        keys: [keyAt(2, "RW delete")],
        syntax: "key group",
        replies: ["integer"],
        stage: groupNames({ key: 2, group: 3 }),
        run: xgroupDestroyCommand,
      },
      {
        name: "help",
        since: "5.0.0",
        summary: "Lists the XGROUP subcommands.",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        replies: ["array"],
        run: xgroupHelpCommand,
      },
      {
        name: "setid",
        since: "5.0.0",
        summary: "Sets the ID that a group was delivered last.",
        complexity: "O(1)",
        arity: -5,
        flags: ["write"],
        keys: [keyAt(2, "RW update")],
        syntax: "key group id-selector:(id|new-id=$) " +
          "[ENTRIESREAD entriesread:integer]",
        replies: ["status"],
        stage: groupNames({ key: 2, group: 3 }),
        run: xgroupSetidCommand,
      },
    ],
  },
];

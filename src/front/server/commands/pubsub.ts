/**
 * Pub/sub commands: SUBSCRIBE and its relatives, PUBLISH, SPUBLISH, PUBSUB.
 *
 * The replies to subscriptions are pushes, one for each channel.
 *
 * @module
 */

import { asciiOf, latin1BytesOf } from "../../../core/base/bytes.ts";
import { globMatch } from "../../../core/base/glob.ts";
import {
  type CommandSpec,
  keyAt,
  keysFrom,
} from "../../../core/commands/command_spec.ts";
import {
  CHANNEL,
  PATTERN,
  SHARD_CHANNEL,
} from "../../../core/keyspace/subscriber_counts.ts";
import { GATE_SUBSCRIBED } from "../../../engine/executor/session.ts";
import type { ServerCall } from "../server_call.ts";
import { type HelpLines, writeHelp } from "./_help.ts";

/** The words that confirm a subscription and its end, by kind. */
const SUBSCRIBED = ["subscribe", "ssubscribe", "psubscribe"];
const UNSUBSCRIBED = ["unsubscribe", "sunsubscribe", "punsubscribe"];

/** `SUBSCRIBE channel [channel ...]` */
function subscribeCommand(call: ServerCall): void {
  subscribe(call, CHANNEL);
}

/** `SSUBSCRIBE shardchannel [shardchannel ...]` */
function ssubscribeCommand(call: ServerCall): void {
  subscribe(call, SHARD_CHANNEL);
}

/** `PSUBSCRIBE pattern [pattern ...]` */
function psubscribeCommand(call: ServerCall): void {
  subscribe(call, PATTERN);
}

function subscribe(call: ServerCall, kind: number): void {
  const { args, reply, session, connection, worker } = call;
  for (let i = 1; i < call.argc; i++) {
    const name = asciiOf(args.source(i), args.off[i]!, args.length[i]!);
    const own = worker.pubsub.subscribe(connection, kind, name);
    session.gate |= GATE_SUBSCRIBED;
    reply.push(3);
    reply.bulkText(SUBSCRIBED[kind]!);
    reply.bulk(args.source(i), args.off[i]!, args.length[i]!);
    reply.integer(own.shownCount(kind));
  }
}

/** `UNSUBSCRIBE [channel [channel ...]]` */
function unsubscribeCommand(call: ServerCall): void {
  unsubscribe(call, CHANNEL);
}

/** `SUNSUBSCRIBE [shardchannel [shardchannel ...]]` */
function sunsubscribeCommand(call: ServerCall): void {
  unsubscribe(call, SHARD_CHANNEL);
}

/** `PUNSUBSCRIBE [pattern [pattern ...]]` */
function punsubscribeCommand(call: ServerCall): void {
  unsubscribe(call, PATTERN);
}

/** Without names: all of them. A name that was not subscribed to is confirmed. */
function unsubscribe(call: ServerCall, kind: number): void {
  const { args, session, connection, worker } = call;
  const { pubsub } = worker;
  const own = pubsub.subscriptionsOf(connection);
  if (call.argc === 1) {
    const names = [...own?.names(kind).keys() ?? []];
    if (names.length === 0) confirm(call, kind, null);
    for (const name of names) {
      pubsub.unsubscribe(connection, kind, name);
      confirm(call, kind, latin1BytesOf(name));
    }
  } else {
    for (let i = 1; i < call.argc; i++) {
      const name = asciiOf(args.source(i), args.off[i]!, args.length[i]!);
      pubsub.unsubscribe(connection, kind, name);
      confirm(call, kind, args.copy(i));
    }
  }
  if (own === undefined || own.isEmpty) {
    session.gate &= ~GATE_SUBSCRIBED;
    pubsub.drop(connection);
  }
}

function confirm(
  { reply, worker, connection }: ServerCall,
  kind: number,
  name: Uint8Array | null,
): void {
  const own = worker.pubsub.subscriptionsOf(connection);
  reply.push(3);
  reply.bulkText(UNSUBSCRIBED[kind]!);
  if (name === null) reply.nullBulk();
  else reply.bulk(name, 0, name.length);
  reply.integer(own?.shownCount(kind) ?? 0);
}

/** `PUBLISH channel message` */
function publishCommand(call: ServerCall): void {
  publish(call, CHANNEL);
}

/** `SPUBLISH shardchannel message` */
function spublishCommand(call: ServerCall): void {
  publish(call, SHARD_CHANNEL);
}

function publish({ args, reply, worker }: ServerCall, kind: number): void {
  worker.pubsub.publish(
    kind,
    args.view(1),
    args.view(2),
    (receivers) => reply.integer(receivers),
  );
}

/** `PUBSUB CHANNELS [pattern]` */
function pubsubChannelsCommand(call: ServerCall): void {
  replyChannels(call, CHANNEL);
}

/** `PUBSUB SHARDCHANNELS [pattern]` */
function pubsubShardchannelsCommand(call: ServerCall): void {
  replyChannels(call, SHARD_CHANNEL);
}

function replyChannels(call: ServerCall, kind: number): void {
  const { args, argc, reply, worker } = call;
  const found = new Map<string, Uint8Array>();
  worker.pubsub.visit(kind, (buf, off, length) => {
    if (
      argc > 2 && !globMatch(
        args.source(2),
        args.off[2]!,
        args.length[2]!,
        buf,
        off,
        length,
        false,
      )
    ) return;
    // Channels come and go meanwhile, so that one may be met twice.
    const name = buf.slice(off, off + length);
    found.set(asciiOf(name, 0, length), name);
  });
  reply.array(found.size);
  for (const name of found.values()) reply.bulk(name, 0, name.length);
}

/** `PUBSUB NUMSUB [channel [channel ...]]` */
function pubsubNumsubCommand(call: ServerCall): void {
  replyCounts(call, CHANNEL);
}

/** `PUBSUB SHARDNUMSUB [shardchannel [shardchannel ...]]` */
function pubsubShardnumsubCommand(call: ServerCall): void {
  replyCounts(call, SHARD_CHANNEL);
}

function replyCounts(call: ServerCall, kind: number): void {
  const { args, argc, reply, worker } = call;
  reply.array((argc - 2) * 2);
  for (let i = 2; i < argc; i++) {
    reply.bulk(args.source(i), args.off[i]!, args.length[i]!);
    reply.integer(worker.pubsub.countOf(kind, args.copy(i)));
  }
}

/** `PUBSUB NUMPAT` */
function pubsubNumpatCommand({ reply, worker }: ServerCall): void {
  reply.integer(worker.pubsub.patternCount);
}

const HELP: HelpLines = [
  ["CHANNELS [<pattern>]", "Lists the channels that have subscribers."],
  ["NUMPAT", "Counts the patterns that have subscribers."],
  ["NUMSUB [<channel> ...]", "Counts the subscribers of channels."],
  ["SHARDCHANNELS [<pattern>]", "Lists the shard channels with subscribers."],
  ["SHARDNUMSUB [<shardchannel> ...]", "Counts those of shard channels."],
];

/** `PUBSUB HELP` */
function pubsubHelpCommand(call: ServerCall): void {
  writeHelp(call, "PUBSUB", HELP);
}

/** Rows of the pub/sub commands. */
export const PUBSUB_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "psubscribe",
    group: "pubsub",
    since: "2.0.0",
    summary: "Listens to the channels that match patterns.",
    complexity: "O(N)",
    arity: -2,
    flags: ["pubsub", "noscript", "loading", "stale"],
    syntax: "pattern:pattern...",
    replies: ["array"],
    run: psubscribeCommand,
  },
  {
    name: "publish",
    group: "pubsub",
    since: "2.0.0",
    summary: "Sends a message to all who listen to a channel.",
    complexity: "O(N+M)",
    arity: 3,
    flags: ["pubsub", "loading", "stale", "fast", "may_replicate"],
    syntax: "channel message",
    replies: ["integer"],
    run: publishCommand,
  },
  {
    name: "pubsub",
    group: "pubsub",
    since: "2.8.0",
    summary: "Commands about channels and their subscribers.",
    arity: -2,
    subcommands: [
      {
        name: "channels",
        since: "2.8.0",
        summary: "Lists the channels that have subscribers.",
        complexity: "O(N)",
        arity: -2,
        flags: ["pubsub", "loading", "stale"],
        syntax: "[pattern:pattern]",
        replies: ["array"],
        run: pubsubChannelsCommand,
      },
      {
        name: "help",
        since: "6.2.0",
        summary: "Lists the PUBSUB subcommands.",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        replies: ["array"],
        run: pubsubHelpCommand,
      },
      {
        name: "numpat",
        since: "2.8.0",
        summary: "Counts the patterns that have subscribers.",
        complexity: "O(1)",
        arity: 2,
        flags: ["pubsub", "loading", "stale"],
        replies: ["integer"],
        run: pubsubNumpatCommand,
      },
      {
        name: "numsub",
        since: "2.8.0",
        summary: "Counts the subscribers of channels.",
        complexity: "O(N)",
        arity: -2,
        flags: ["pubsub", "loading", "stale"],
        syntax: "[channel...]",
        replies: ["array"],
        run: pubsubNumsubCommand,
      },
      {
        name: "shardchannels",
        since: "7.0.0",
        summary: "Lists the shard channels that have subscribers.",
        complexity: "O(N)",
        arity: -2,
        flags: ["pubsub", "loading", "stale"],
        syntax: "[pattern:pattern]",
        replies: ["array"],
        run: pubsubShardchannelsCommand,
      },
      {
        name: "shardnumsub",
        since: "7.0.0",
        summary: "Counts the subscribers of shard channels.",
        complexity: "O(N)",
        arity: -2,
        flags: ["pubsub", "loading", "stale"],
        syntax: "[shardchannel...]",
        replies: ["array"],
        run: pubsubShardnumsubCommand,
      },
    ],
  },
  {
    name: "punsubscribe",
    group: "pubsub",
    since: "2.0.0",
    summary: "Stops listening to the channels that match patterns.",
    complexity: "O(N)",
    arity: -1,
    flags: ["pubsub", "noscript", "loading", "stale"],
    syntax: "[pattern:pattern...]",
    replies: ["array"],
    run: punsubscribeCommand,
  },
  {
    name: "spublish",
    group: "pubsub",
    since: "7.0.0",
    summary: "Sends a message to all who listen to a shard channel.",
    complexity: "O(N)",
    arity: 3,
    flags: ["pubsub", "loading", "stale", "fast", "may_replicate"],
    keys: [keyAt(1, "not_key")],
    syntax: "shardchannel message",
    replies: ["integer"],
    run: spublishCommand,
  },
  {
    name: "ssubscribe",
    group: "pubsub",
    since: "7.0.0",
    summary: "Listens to shard channels.",
    complexity: "O(N)",
    arity: -2,
    flags: ["pubsub", "noscript", "loading", "stale"],
    keys: [keysFrom(1, -1, "not_key")],
    syntax: "shardchannel...",
    replies: ["array"],
    run: ssubscribeCommand,
  },
  {
    name: "subscribe",
    group: "pubsub",
    since: "2.0.0",
    summary: "Listens to channels.",
    complexity: "O(N)",
    arity: -2,
    flags: ["pubsub", "noscript", "loading", "stale"],
    syntax: "channel...",
    replies: ["array"],
    run: subscribeCommand,
  },
  {
    name: "sunsubscribe",
    group: "pubsub",
    since: "7.0.0",
    summary: "Stops listening to shard channels.",
    complexity: "O(N)",
    arity: -1,
    flags: ["pubsub", "noscript", "loading", "stale"],
    keys: [keysFrom(1, -1, "not_key")],
    syntax: "[shardchannel...]",
    replies: ["array"],
    run: sunsubscribeCommand,
  },
  {
    name: "unsubscribe",
    group: "pubsub",
    since: "2.0.0",
    summary: "Stops listening to channels.",
    complexity: "O(N)",
    arity: -1,
    flags: ["pubsub", "noscript", "loading", "stale"],
    syntax: "[channel...]",
    replies: ["array"],
    run: unsubscribeCommand,
  },
];

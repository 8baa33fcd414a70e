/**
 * Long names of groups and consumers, compared with those that a search for them
 * meets before a command has its latches, as long members of sorted sets are
 * (compared_orders.ts). Those that are not there, and may be made, are made nodes.
 *
 * @module
 */

import { bytesOf, compareLong } from "../base/bytes.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { LONG_KEY_BYTES } from "../memory/known_keys.ts";
import { TYPE_STREAM } from "../types/entry.ts";
import type { StreamNames } from "../types/stream_names.ts";
import { argumentIs } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  beginLooking,
  ComparedArguments,
  KEY,
  knownKey,
  type LookedFor,
} from "./compared_arguments.ts";
import { StagedNodes } from "./staged_nodes.ts";

const BLOCK = bytesOf("block");
const COUNT = bytesOf("count");
const GROUP = bytesOf("group");
const NOACK = bytesOf("noack");
const STREAMS = bytesOf("streams");

/** Names that one argument is compared with, at most. */
const ROUNDS_MAX = 100;

/** Which arguments are names, and what becomes of those that are not there. */
interface NamesAt {
  /** The argument that is the key. */
  readonly key: number;
  /** The one that names the group. */
  readonly group: number;
  /** The one that names the consumer, or 0. */
  readonly consumer?: number;
  /** What is made if it is not there. */
  readonly makes?: "group" | "consumer";
}

/** What is looked for among names of one kind, in the stream of an entry. */
interface Search {
  /** The first one that is unknown, or 0. */
  unknown(space: Keyspace, ref: number): number;
  names(space: Keyspace): StreamNames;
}

/** Makes a row's `stage` of a command with such names. */
export function groupNames(at: NamesAt): (call: Call) => void {
  return (call) => compareGroups(call, [at.key], at);
}

/** The `stage` of XPENDING, whose last argument may be a consumer. */
export function stagePending(call: Call): void {
  const { argc } = call;
  const consumer = argc === 7 || argc === 9 ? argc - 1 : 0;
  compareGroups(call, [1], { key: 1, group: 2, consumer });
}

/** The `stage` of XREADGROUP. */
export function stageGroupReading(call: Call): void {
  const { argc } = call;
  let group = 0;
  for (let i = 1; i < argc; i++) {
    if (argumentIs(call, i, GROUP)) {
      group = i + 1;
      i += 2;
    } else if (argumentIs(call, i, COUNT) || argumentIs(call, i, BLOCK)) i++;
    else if (argumentIs(call, i, STREAMS)) {
      const count = (argc - i - 1) / 2;
      if (group === 0 || !Number.isInteger(count)) return;
      const keysAt = Array.from({ length: count }, (_, n) => i + 1 + n);
      const consumer = group + 1;
      const at = { key: 0, group, consumer, makes: "consumer" } as const;
      return compareGroups(call, keysAt, at);
    } else if (!argumentIs(call, i, NOACK)) return;
  }
}

/** The same of the streams of several keys. */
function compareGroups(
  call: Call,
  keysAt: readonly number[],
  { group, consumer = 0, makes }: NamesAt,
): void {
  // Nobody waits while records are replayed.
  if (call.nowMs === 0) return;
  const groupName = lookedFor(call, group);
  const consumerName = lookedFor(call, consumer);
  if (groupName === null && consumerName === null) return;
  for (const keyAt of keysAt) {
    if (groupName !== null) {
      const isThere = compareNames(
        call,
        keyAt,
        groupName,
        groupSearch(groupName),
      );
      if (makes === "group" && !isThere) stage(call, group, groupNamesOf);
    }
    if (consumerName === null) continue;
    const search = consumerSearch(call, group, consumerName);
    const isThere = compareNames(call, keyAt, consumerName, search);
    if (makes === "consumer" && !isThere) {
      stage(call, consumer, consumerNamesOf);
    }
  }
}

/** Argument `i` if it is a long name, of which nothing is known so far. */
function lookedFor(call: Call, i: number): LookedFor | null {
  const { args, argc } = call;
  if (i === 0 || i >= argc || args.bigAt(i) === 0) return null;
  const length = args.length[i]!;
  if (length < LONG_KEY_BYTES) return null;
  const buf = args.source(i);
  const off = args.off[i]!;
  const looked = { buf, off, length, key: knownKey(0), at: i };
  call.compared ??= new ComparedArguments();
  call.compared.add(looked);
  return looked;
}

const groupNamesOf = ({ values: { streams } }: Keyspace): StreamNames =>
  streams.groups.names;

const consumerNamesOf = ({ values: { streams } }: Keyspace): StreamNames =>
  streams.groups.consumerNames;

function groupSearch({ buf, off, length }: LookedFor): Search {
  return {
    names: groupNamesOf,
    unknown: ({ values: { streams } }, ref) =>
      streams.groups.names.firstUnknown(
        streams.groupList(ref),
        buf,
        off,
        length,
      ),
  };
}

function consumerSearch(
  { args }: Call,
  groupAt: number,
  { buf, off, length }: LookedFor,
): Search {
  const group = [
    args.source(groupAt),
    args.off[groupAt]!,
    args.length[groupAt]!,
  ] as const;
  return {
    names: consumerNamesOf,
    unknown: ({ values: { streams } }, ref) => {
      const found = streams.findGroup(ref, ...group);
      return found === 0
        ? 0
        : streams.groups.firstUnknownConsumer(found, buf, off, length);
    },
  };
}

/** Compares a name with those that a search for it meets; says if it is there. */
function compareNames(
  call: Call,
  keyAt: number,
  { buf, off, length, key }: LookedFor,
  { names, unknown }: Search,
): boolean {
  const { latches, db } = call;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const space = beginLooking(call, keyAt);
    const ref = space.peek(db, KEY);
    const isStream = ref !== 0 && space.type(ref) === TYPE_STREAM;
    const node = isStream ? unknown(space, ref) : 0;
    if (node !== 0) space.heap.keep(node);
    latches.release(KEY.shard);
    if (node === 0) return false;
    call.compared!.keep(space.heap, node);
    const named = names(space);
    const order = compareLong(
      named.nameBuf(node),
      named.nameOff(node),
      named.nameLength(node),
      buf,
      off,
      length,
    );
    key.orders.set(node, order);
    if (order === 0) return true;
  }
  return false;
}

/** Makes a node of argument `i`, which is a name of that kind. */
function stage(
  call: Call,
  i: number,
  namesOf: (space: Keyspace) => StreamNames,
): void {
  const space = call.keyspaces[0]!;
  call.staged ??= new StagedNodes(space.externals);
  call.staged.addName(call.args, i, namesOf(space).headBytes);
}

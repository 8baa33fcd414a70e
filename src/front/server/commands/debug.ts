/**
 * DEBUG: tools for those who test servers and clients.
 *
 * A digest is twenty bytes that depend on the data and on nothing else: not on
 * the order of keys, encodings or time. Per key, starting from zeros, the parts
 * (key, type, value, whether it expires) are mixed in; the keys' digests are
 * then hashed and combined by exclusive or. The same data has the same digest in
 * Redis.
 *
 * @module
 */

import { InvariantError } from "../../../core/base/assert.ts";
import { parseSafeInteger } from "../../../core/base/integer.ts";
import { globMatch } from "../../../core/base/glob.ts";
import { sha1 } from "../../../core/base/sha1.ts";
import { readInteger } from "../../../core/commands/arg_reader.ts";
import type {
  CommandSpec,
  LateReply,
} from "../../../core/commands/command_spec.ts";
import {
  STRING_ENCODING_NAMES,
  STRING_INT,
} from "../../../core/types/entry.ts";
import type { Keyspace } from "../../../core/keyspace/keyspace.ts";
import { SHARD_FLAGS } from "../../../core/keyspace/shard_control.ts";
import {
  DICT_BUCKETS,
  DICT_COUNT,
  DICT_OVERFLOW,
} from "../../../core/memory/dict.ts";
import {
  DATABASE_OUT_OF_RANGE,
  DEBUG_NOT_ALLOWED,
  NO_SUCH_KEY,
  subcommandSyntax,
  SYNTAX_ERROR,
} from "../../../core/resp/error_reply.ts";
import { ROUTE_TO_OWNER } from "../../../engine/owner/shard_flags.ts";
import { PERMISSION } from "../../../core/settings/settings_table.ts";
import type { ServerCall } from "../server_call.ts";
import { ASK_ACTIVE_EXPIRE } from "../server_questions.ts";
import { isLocal, textAt } from "./_arguments.ts";
import { type HelpLines, writeHelp } from "./_help.ts";

const DIGEST_BYTES = 20;
/** What a digest takes in for a key that expires; when, does not matter. */
const EXPIRES_MARK = new TextEncoder().encode("!!expire!!");

interface Tool {
  /** Arguments, DEBUG and the tool's name included. */
  readonly argc: number;
  /** Whether there may be more. */
  readonly isOpen?: true;
  readonly run: (call: ServerCall) => void | Promise<LateReply>;
}

const HELP: HelpLines = [
  ["DIGEST", "A signature of all data."],
  ["DIGEST-VALUE <key> [<key> ...]", "A signature of each key's value."],
  ["HTSTATS <dbid>", "How the dictionaries of a database are filled."],
  ["OBJECT <key>", "Where a value lies and how it is encoded."],
  ["PANIC", "Fails as if an invariant did not hold."],
  ["ROUTE <OWNER|IN-PLACE>", "Whether the owners of shards run all commands."],
  ["SET-ACTIVE-EXPIRE <0|1>", "Whether expired keys go before they are met."],
  ["SLEEP <seconds>", "Stops the worker of this connection for so long."],
  ["STRINGMATCH-LEN <pattern> <string>", "Whether a glob pattern matches."],
];

const TOOLS: ReadonlyMap<string, Tool> = new Map<string, Tool>([
  ["digest", { argc: 2, run: digest }],
  ["digest-value", { argc: 2, isOpen: true, run: digestValue }],
  ["help", { argc: 2, run: (call) => writeHelp(call, "DEBUG", HELP) }],
  ["htstats", { argc: 3, run: hashTableStatistics }],
  ["object", { argc: 3, run: describeObject }],
  ["panic", { argc: 2, run: panic }],
  ["route", { argc: 3, run: route }],
  ["set-active-expire", { argc: 3, run: setActiveExpire }],
  ["sleep", { argc: 3, run: sleep }],
  ["stringmatch-len", { argc: 4, run: matchString }],
]);

/** `DEBUG subcommand [argument ...]` */
export function debugCommand(call: ServerCall): void | Promise<LateReply> {
  const permission = call.settings.enableDebugCommand;
  if (
    permission === PERMISSION.NO ||
    permission === PERMISSION.LOCAL && !isLocal(call.session)
  ) return call.reply.error(DEBUG_NOT_ALLOWED);
  const tool = TOOLS.get(textAt(call, 1).toLowerCase());
  if (
    tool === undefined || call.argc < tool.argc ||
    call.argc > tool.argc && tool.isOpen === undefined
  ) return call.reply.error(subcommandSyntax("DEBUG", call.args.copy(1)));
  return tool.run(call);
}

/** `DEBUG SLEEP seconds` */
function sleep(call: ServerCall): void {
  const seconds = parseFloat(textAt(call, 2));
  if (seconds > 0) {
    const word = new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(word, 0, 0, seconds * 1000);
  }
  call.reply.ok();
}

/** `DEBUG PANIC` */
function panic(): never {
  throw new InvariantError("DEBUG PANIC was called");
}

/**
 * `DEBUG ROUTE OWNER|IN-PLACE`
 *
 * With OWNER every command with keys takes the way of those that must wait: it
 * travels to the owner of its shard, and its reply back.
 */
function route(call: ServerCall): void {
  const where = textAt(call, 2).toLowerCase();
  if (where !== "owner" && where !== "in-place") {
    return call.reply.error(SYNTAX_ERROR);
  }
  call.latches.acquireAll();
  for (const { control } of call.keyspaces) {
    if (where === "owner") control[SHARD_FLAGS]! |= ROUTE_TO_OWNER;
    else control[SHARD_FLAGS]! &= ~ROUTE_TO_OWNER;
  }
  call.latches.releaseAll();
  call.reply.ok();
}

/** `DEBUG SET-ACTIVE-EXPIRE 0|1` */
function setActiveExpire(call: ServerCall): Promise<LateReply> {
  const isActive = (parseInt(textAt(call, 2)) || 0) !== 0;
  return call.worker.peers.ask(ASK_ACTIVE_EXPIRE, isActive)
    .then(() => (reply) => reply.ok());
}

/** `DEBUG STRINGMATCH-LEN pattern string` */
function matchString(call: ServerCall): void {
  const { args } = call;
  const matches = globMatch(
    args.source(2),
    args.off[2]!,
    args.length[2]!,
    args.source(3),
    args.off[3]!,
    args.length[3]!,
    false,
  );
  call.reply.integer(matches ? 1 : 0);
}

/** `DEBUG OBJECT key` */
function describeObject(call: ServerCall): void {
  withEntry(call, 2, (space, ref) => {
    if (ref === 0) return call.reply.error(NO_SUCH_KEY);
    const clock = space.clockOf(ref);
    call.reply.simple(
      `Value at:0x${(ref >>> 0).toString(16)} refcount:1 ` +
        `encoding:${STRING_ENCODING_NAMES[space.encoding(ref)]} ` +
        `serializedlength:${serializedLength(space, ref)} lru:${clock} ` +
        `lru_seconds_idle:${call.clock.idleSeconds(clock)}`,
    );
  });
}

/** `DEBUG DIGEST-VALUE key [key ...]` */
function digestValue(call: ServerCall): void {
  const { reply } = call;
  reply.array(call.argc - 2);
  for (let i = 2; i < call.argc; i++) {
    withEntry(call, i, (space, ref) => {
      const sum = new Uint8Array(DIGEST_BYTES);
      if (ref !== 0) mixValue(sum, space, ref);
      reply.simple(hex(sum));
    });
  }
}

/** `DEBUG DIGEST` */
function digest(call: ServerCall): void {
  const total = new Uint8Array(DIGEST_BYTES);
  call.latches.acquireAll();
  for (let db = 0; db < call.worker.shared.databases; db++) {
    const spaces = call.keyspaces.filter((space) => space.count(db) > 0);
    if (spaces.length === 0) continue;
    mix(total, bigEndian(db));
    for (const space of spaces) digestDatabase(total, space, db);
  }
  call.latches.releaseAll();
  call.reply.simple(hex(total));
}

/** Takes one shard's share of a database into `total`. */
function digestDatabase(total: Uint8Array, space: Keyspace, db: number): void {
  const visit = (ref: number) => {
    const sum = new Uint8Array(DIGEST_BYTES);
    const off = space.keyOff(ref);
    mix(sum, space.bytes(ref).subarray(off, off + space.keyLength(ref)));
    mixValue(sum, space, ref);
    combine(total, sum);
  };
  let cursor = 0;
  do {
    cursor = space.dict.scan(
      space.control,
      space.keysHeader(db),
      cursor,
      visit,
    );
  } while (cursor !== 0);
}

/** `DEBUG HTSTATS dbid` */
function hashTableStatistics(call: ServerCall): void {
  const db = readInteger(call, 2);
  if (Number.isNaN(db)) return;
  if (db < 0 || db >= call.worker.shared.databases) {
    return call.reply.error(DATABASE_OUT_OF_RANGE);
  }
  const describe = (headerOf: (space: Keyspace) => number) => {
    let [elements, buckets, overflow] = [0, 0, 0];
    for (const space of call.keyspaces) {
      const header = headerOf(space);
      elements += space.control[header + DICT_COUNT]!;
      buckets += space.control[header + DICT_BUCKETS]!;
      overflow += space.control[header + DICT_OVERFLOW]!;
    }
    if (elements === 0) return "No stats available for empty dictionaries\n";
    return "Hash table 0 stats (main hash table):\n" +
      ` table size: ${buckets}\n number of elements: ${elements}\n` +
      ` overflow buckets: ${overflow}\n` +
      ` elements per bucket: ${(elements / buckets).toFixed(2)}\n`;
  };
  call.reply.verbatim(
    "txt",
    `[Dictionary HT]\n${describe((space) => space.keysHeader(db))}` +
      `[Expires HT]\n${describe((space) => space.expiresHeader(db))}`,
  );
}

/** Finds argument `i`, a key, under its shard's latch; 0 if it is missing. */
function withEntry(
  call: ServerCall,
  i: number,
  look: (space: Keyspace, ref: number) => void,
): void {
  const { args, latches } = call;
  const key = call.key(0);
  call.fillKey(key, args.source(i), args.off[i]!, args.length[i]!);
  latches.acquire(key.shard);
  const space = call.keyspace(key);
  const ref = space.peek(call.db, key);
  look(space, ref !== 0 && space.isExpired(ref, call.nowMs) ? 0 : ref);
  latches.release(key.shard);
}

/** Bytes of the value in an RDB file, compression aside. */
function serializedLength(space: Keyspace, ref: number): number {
  const length = space.stringLength(ref);
  const off = space.stringOff(ref);
  const value = space.encoding(ref) === STRING_INT || length <= 11
    ? parseSafeInteger(space.stringBytes(ref), off, length)
    : NaN;
  if (value >= -(2 ** 7) && value < 2 ** 7) return 2;
  if (value >= -(2 ** 15) && value < 2 ** 15) return 3;
  if (value >= -(2 ** 31) && value < 2 ** 31) return 5;
  return length + (length < 64 ? 1 : length < 16384 ? 2 : 5);
}

function mixValue(sum: Uint8Array, space: Keyspace, ref: number): void {
  mix(sum, bigEndian(space.type(ref)));
  const off = space.stringOff(ref);
  mix(
    sum,
    space.stringBytes(ref).subarray(off, off + space.stringLength(ref)),
  );
  if (space.expireAt(ref) !== 0) combine(sum, EXPIRES_MARK);
}

/** Takes bytes in so that their order matters. */
function mix(sum: Uint8Array, bytes: Uint8Array): void {
  combine(sum, bytes);
  sum.set(sha1(sum));
}

/** Takes bytes in so that their order does not matter. */
function combine(sum: Uint8Array, bytes: Uint8Array): void {
  const hash = sha1(bytes);
  for (let i = 0; i < DIGEST_BYTES; i++) sum[i] = sum[i]! ^ hash[i]!;
}

function bigEndian(n: number): Uint8Array {
  return new Uint8Array([n >>> 24, n >>> 16, n >>> 8, n]);
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The commands of this file. */
export const DEBUG_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "debug",
    group: "server",
    since: "1.0.0",
    summary: "Tools for those who test the server.",
    arity: -2,
    flags: ["admin", "noscript", "loading", "stale", "protected"],
    docFlags: ["syscmd"],
    replies: ["any"],
    run: debugCommand,
  },
];

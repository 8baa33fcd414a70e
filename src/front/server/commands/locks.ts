/**
 * LOCKS: which keys are locked for background work, by what, and who waits; a
 * command of this server's own.
 *
 * Locks are listed by their handles, which live in the worker that took them; the
 * holders of one key are read from its shard. Keys that an optimistic handle only
 * watches are counted apart, and not locked.
 *
 * @module
 */

import type {
  CommandSpec,
  LateReply,
} from "../../../core/commands/command_spec.ts";
import {
  PLACE_COMMAND,
  PLACE_WRITE,
} from "../../../core/keyspace/key_locks.ts";
import {
  NO_SUCH_LOCK,
  NOT_AN_INTEGER,
} from "../../../core/resp/error_reply.ts";
import type { ReplyWriter } from "../../../core/resp/reply_writer.ts";
import type { Json } from "../../../engine/messages/peers.ts";
import type { ServerCall } from "../server_call.ts";
import type { WorkerContext } from "../worker_context.ts";
import { integerAt } from "./_arguments.ts";
import { type HelpLines, writeHelp } from "./_help.ts";

/** Your handles. */
const ASK_LOCKS = "locks.list";
/** Abort the handle of this number, if it is yours; says whether. */
const ASK_KILL = "locks.kill";

const HELP: HelpLines = [
  ["INFO <key>", "How a key is locked, by whom, and who waits for it."],
  ["KILL <id>", "Takes the locks from their holder, whose work is lost."],
  [
    "LIST",
    "What holds locks or watches keys: id, label, client, worker, time, keys.",
  ],
];

type Lock = {
  readonly id: number;
  readonly label: string;
  readonly client: number;
  readonly worker: number;
  readonly heldMs: number;
  readonly readKeys: number;
  readonly writeKeys: number;
  readonly watchedKeys: number;
  readonly staged: number;
};

/** Registers the answers; called once, before the worker listens. */
export function answerLockQuestions(worker: WorkerContext): void {
  const { peers, locks } = worker;
  peers.answer(ASK_LOCKS, () => {
    const all: Json[] = [];
    for (const handle of locks.manager.handles) {
      const locked = handle.claims.filter((claim) => !claim.isWatched);
      const writeKeys = locked.filter((claim) => claim.isWrite).length;
      const lock: Lock = {
        id: handle.id >>> 0,
        label: handle.label,
        client: handle.spec.session ?? 0,
        worker: peers.self,
        heldMs: Math.round(handle.heldMs),
        readKeys: locked.length - writeKeys,
        writeKeys,
        watchedKeys: handle.claims.length - locked.length,
        staged: handle.stagedCount,
      };
      all.push(lock);
    }
    return all;
  });
  peers.answer(ASK_KILL, (id) => {
    const handle = locks.manager.handle((id as number) | 0);
    if (handle === undefined) return false;
    // Whoever asks may hold latches.
    queueMicrotask(() => handle.abort("LOCKS KILL"));
    return true;
  });
}

/** `LOCKS LIST` */
export function locksListCommand(call: ServerCall): Promise<LateReply> {
  return call.worker.peers.ask(ASK_LOCKS, null).then((answers) => {
    const locks = (answers as Lock[][]).flat().sort((a, b) => a.id - b.id);
    return (reply) => {
      reply.array(locks.length);
      for (const lock of locks) writeLock(lock, reply);
    };
  });
}

function writeLock(lock: Lock, reply: ReplyWriter): void {
  reply.map(9);
  writeField(reply, "id", lock.id);
  reply.bulkText("label");
  reply.bulkText(lock.label);
  writeField(reply, "client", lock.client);
  writeField(reply, "worker", lock.worker);
  writeField(reply, "held-ms", lock.heldMs);
  writeField(reply, "read-keys", lock.readKeys);
  writeField(reply, "write-keys", lock.writeKeys);
  writeField(reply, "watched-keys", lock.watchedKeys);
  writeField(reply, "staged", lock.staged);
}

function writeField(reply: ReplyWriter, name: string, value: number): void {
  reply.bulkText(name);
  reply.integer(value);
}

/** `LOCKS INFO key`: of the selected database. */
export function locksInfoCommand(call: ServerCall): void {
  const { reply, db, args, latches } = call;
  const key = call.key(0);
  call.fillKey(key, args.source(2), args.off[2]!, args.length[2]!);
  const { locks, shard } = call.keyspace(key);
  const holders: number[] = [];
  /** Their workers and kinds: there may be thousands. */
  const waiters: number[] = [];
  let mode = "none";
  latches.acquire(shard);
  const node = locks.find(db, key.buf, key.off, key.length, key.hash);
  if (node !== 0) {
    if (locks.isHeld(node)) mode = locks.isWriteHeld(node) ? "write" : "read";
    locks.visitHolders(node, (owner) => holders.push(owner >>> 0));
    locks.visitWaiters(node, (_owner, worker, kind) => {
      waiters.push(worker, kind);
    });
  }
  latches.release(shard);
  reply.map(3);
  reply.bulkText("mode");
  reply.bulkText(mode);
  reply.bulkText("holders");
  reply.array(holders.length);
  for (const id of holders) reply.integer(id);
  reply.bulkText("waiters");
  reply.array(waiters.length / 2);
  for (let i = 0; i < waiters.length; i += 2) {
    const kind = waiters[i + 1]!;
    const who = (kind & PLACE_COMMAND) !== 0 ? "command" : "lock";
    const what = (kind & PLACE_WRITE) !== 0 ? "write" : "read";
    reply.bulkText(`${who} ${what} worker=${waiters[i]}`);
  }
}

/** `LOCKS KILL id` */
export function locksKillCommand(call: ServerCall): void | Promise<LateReply> {
  const id = integerAt(call, 2);
  if (Number.isNaN(id)) return call.reply.error(NOT_AN_INTEGER);
  return call.worker.peers.ask(ASK_KILL, id).then((answers) => (reply) => {
    if (answers.includes(true)) reply.ok();
    else reply.error(NO_SUCH_LOCK);
  });
}

/** The commands of this file. */
export const LOCK_COMMANDS: readonly CommandSpec<ServerCall>[] = [
  {
    name: "locks",
    group: "server",
    since: "7.2.0",
    summary: "Commands about locked keys.",
    arity: -2,
    subcommands: [
      {
        name: "help",
        since: "7.2.0",
        summary: "Lists the LOCKS subcommands.",
        complexity: "O(1)",
        arity: 2,
        flags: ["loading", "stale"],
        replies: ["array"],
        run: (call) => writeHelp(call, "LOCKS", HELP),
      },
      {
        name: "info",
        since: "7.2.0",
        summary: "Tells how a key is locked and who waits for it.",
        complexity: "O(N)",
        arity: 3,
        flags: ["admin", "noscript", "loading", "stale"],
        syntax: "key",
        replies: ["map"],
        run: locksInfoCommand,
      },
      {
        name: "kill",
        since: "7.2.0",
        summary: "Takes locks from their holder.",
        complexity: "O(N)",
        arity: 3,
        flags: ["admin", "noscript", "loading", "stale"],
        syntax: "id:integer",
        replies: ["status"],
        run: locksKillCommand,
      },
      {
        name: "list",
        since: "7.2.0",
        summary: "Lists what holds locks.",
        complexity: "O(N)",
        arity: 2,
        flags: ["admin", "noscript", "loading", "stale"],
        tips: ["nondeterministic_output"],
        replies: ["array"],
        run: locksListCommand,
      },
    ],
  },
];

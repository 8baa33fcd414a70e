/**
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH.
 *
 * While a transaction is open, the executor queues commands instead of running
 * them, and runs EXEC itself: what stands here is what these commands do
 * otherwise.
 *
 * @module
 */

import type { Call } from "../../core/commands/call.ts";
import {
  COMBINED_KEY_WEIGHT,
  type CommandSpec,
  keysFrom,
} from "../../core/commands/command_spec.ts";
import {
  distinctPass,
  type ManyKeysFinder,
} from "../../core/commands/many_keys.ts";
import type { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import {
  DISCARD_WITHOUT_MULTI,
  EXEC_WITHOUT_MULTI,
  MULTI_NESTED,
  WATCH_INSIDE_MULTI,
} from "../../core/resp/error_reply.ts";
import { GATE_MULTI, type Session } from "./session.ts";
import { Transaction } from "./transaction.ts";

/** A call with what these commands need. */
export interface TransactionCall extends Call {
  session: Session;
  /** Ends the session's transaction, if it has one, and its watches. */
  endTransaction(): void;
}

/** `MULTI` */
function multiCommand({ session, reply }: TransactionCall): void {
  session.transaction ??= new Transaction();
  if (session.transaction.isOpen) return reply.error(MULTI_NESTED);
  session.transaction.isOpen = true;
  session.gate |= GATE_MULTI;
  reply.ok();
}

/** `EXEC` */
function execCommand({ reply }: TransactionCall): void {
  reply.error(EXEC_WITHOUT_MULTI);
}

/** `DISCARD` */
function discardCommand(call: TransactionCall): void {
  const { session, reply } = call;
  if (session.transaction?.isOpen !== true) {
    return reply.error(DISCARD_WITHOUT_MULTI);
  }
  call.endTransaction();
  reply.ok();
}

/** `WATCH key [key ...]`: a key that has expired is deleted first. */
function watchCommand(call: TransactionCall): void {
  const { session, reply, db } = call;
  if (session.transaction?.isOpen === true) {
    return reply.error(WATCH_INSIDE_MULTI);
  }
  const transaction = session.transaction ??= new Transaction();
  for (let i = 0; i < call.keyCount; i++) {
    const key = call.key(i);
    watchKey(transaction, call.keyspace(key), db, key, call.nowMs);
  }
  reply.ok();
}

function watchKey(
  transaction: Transaction,
  space: Keyspace,
  db: number,
  key: Key,
  nowMs: number,
): void {
  space.lookupQuiet(db, key, nowMs);
  const { watched } = space.hooks;
  const node = watched.watch(db, key);
  if (transaction.isWatching(key.shard, node)) watched.unwatch(node);
  else transaction.addWatch(key.shard, node, watched.version(node));
}

/** WATCH of very many keys, which need not be locked for that. */
const manyWatched: ManyKeysFinder<TransactionCall> = ({ session }) => {
  if (session.transaction?.isOpen === true) return null;
  const transaction = session.transaction ??= new Transaction();
  const watch = distinctPass(({ space, db, key, nowMs }) =>
    watchKey(transaction, space, db, key, nowMs)
  );
  return {
    locking: "none",
    passes: [watch],
    changes: 0,
    reply: () => (reply) => reply.ok(),
  };
};

/** `UNWATCH` */
function unwatchCommand(call: TransactionCall): void {
  if (call.session.transaction?.isOpen !== true) call.endTransaction();
  call.reply.ok();
}

/** Rows of the commands about transactions. */
export const TRANSACTION_COMMANDS: readonly CommandSpec<TransactionCall>[] = [
  {
    name: "discard",
    group: "transactions",
    since: "2.0.0",
    summary: "Drops the queued commands of a transaction.",
    complexity: "O(N)",
    arity: 1,
    flags: ["noscript", "loading", "stale", "fast", "allow_busy"],
    replies: ["status"],
    run: discardCommand,
  },
  {
    name: "exec",
    group: "transactions",
    since: "1.2.0",
    summary: "Runs the queued commands of a transaction.",
    arity: 1,
    flags: ["noscript", "loading", "stale", "skip_slowlog"],
    replies: ["array", "null"],
    run: execCommand,
  },
  {
    name: "multi",
    group: "transactions",
    since: "1.2.0",
    summary: "Begins a transaction.",
    complexity: "O(1)",
    arity: 1,
    flags: ["noscript", "loading", "stale", "fast", "no_multi", "allow_busy"],
    replies: ["status"],
    run: multiCommand,
  },
  {
    name: "unwatch",
    group: "transactions",
    since: "2.2.0",
    summary: "Forgets the watched keys.",
    complexity: "O(1)",
    arity: 1,
    flags: ["noscript", "loading", "stale", "fast", "allow_busy"],
    replies: ["status"],
    run: unwatchCommand,
  },
  {
    name: "watch",
    group: "transactions",
    since: "2.2.0",
    summary: "Lets the next transaction run only if the keys do not change.",
    complexity: "O(1)",
    arity: -2,
    flags: ["noscript", "loading", "stale", "fast", "no_multi", "allow_busy"],
    keys: [keysFrom(1, -1, "RO")],
    syntax: "key...",
    replies: ["status"],
    manyKeys: manyWatched,
    keyWeight: COMBINED_KEY_WEIGHT,
    run: watchCommand,
  },
];

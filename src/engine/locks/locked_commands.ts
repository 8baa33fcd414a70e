/**
 * Commands in the name of a lock handle: checked against its keys when they are
 * queued, and run as one transaction to which its locks do not apply.
 *
 * @module
 */

import type { Key } from "../../core/keyspace/key.ts";
import type { ExternalStrings } from "../../core/memory/external.ts";
import { type Arguments, argumentsOf } from "../../core/resp/arguments.ts";
import type { ErrorReply } from "../../core/resp/error_reply.ts";
import { ReplyWriter } from "../../core/resp/reply_writer.ts";
import { GATE_MULTI, guestSession, type Session } from "../executor/session.ts";
import type { Transaction } from "../executor/transaction.ts";
import { LockError } from "./lock_spec.ts";

const MINUS = 45;
const decoder = new TextDecoder();

/** Called for each key that a command touches. */
export type TouchVisitor = (db: number, key: Key, isWrite: boolean) => void;

/** A command that was looked at. */
export interface InspectedCommand {
  readonly index: number;
  readonly flags: number;
  readonly isWrite: boolean;
}

/** What happens around a transaction, its latches held. */
export interface AroundRun {
  /** Shards that are looked at beside those of the commands. */
  readonly shards: readonly number[];
  /**
   * Before its first command; false if nothing may be run, and the reply is null.
   * May throw OutOfMemory.
   */
  begin(isLatched: (shard: number) => boolean): boolean;
  /** After its last one, or after `begin` if there is none. */
  end(): void;
}

/** What is needed of the executor. */
export interface LockedCommandPorts {
  /**
   * Finds the command of a request and visits the keys that it touches; or says
   * why it cannot be run on locked keys.
   */
  inspect(
    args: Arguments,
    db: number,
    visit: TouchVisitor,
  ): InspectedCommand | ErrorReply;
  /**
   * Runs a request of a session that has no connection, to which locks do not
   * apply.
   */
  run(
    session: Session,
    args: Arguments,
    reply: ReplyWriter,
    nowMs: number,
    around: AroundRun,
  ): void;
  readonly externals: ExternalStrings;
}

/** One per worker. */
export class LockedCommands {
  readonly #ports: LockedCommandPorts;
  readonly #exec = argumentsOf([new TextEncoder().encode("EXEC")]);

  constructor(ports: LockedCommandPorts) {
    this.#ports = ports;
  }

  /**
   * Queues a command; `visit` may throw. Throws LockError if there is no such
   * command, or if it may look at other keys than those it names.
   */
  queue(
    argv: readonly Uint8Array[],
    db: number,
    to: Transaction,
    visit: TouchVisitor,
  ): InspectedCommand {
    const args = argumentsOf(argv);
    const found = this.#ports.inspect(args, db, visit);
    if ("text" in found) throw new LockError("COMMAND", found.text);
    to.queue(found.index, found.flags, args);
    return found;
  }

  /**
   * Runs queued commands as one transaction and returns its reply, an array in
   * RESP3, or null. Throws LockError if memory is short for it.
   */
  run(
    commands: Transaction,
    db: number,
    nowMs: number,
    around: AroundRun,
  ): Uint8Array {
    const session = guestSession(0);
    session.db = db;
    session.resp = 3;
    session.gate = GATE_MULTI;
    session.transaction = commands;
    commands.isOpen = true;
    const reply = new ReplyWriter();
    reply.resp = 3;
    this.#ports.run(session, this.#exec, reply, nowMs, around);
    const bytes = flatten(reply, this.#ports.externals);
    if (bytes[0] === MINUS) {
      throw new LockError("OOM", decoder.decode(bytes.subarray(1)).trim());
    }
    return bytes;
  }
}

/** All bytes of a reply, those of long strings included. */
function flatten(
  reply: ReplyWriter,
  externals: ExternalStrings,
): Uint8Array {
  const spans = reply.spans ?? [];
  const total = spans.reduce((sum, { length }) => sum + length, reply.at);
  const bytes = new Uint8Array(total);
  let from = 0;
  let to = 0;
  for (const span of spans) {
    bytes.set(reply.buf.subarray(from, span.at), to);
    to += span.at - from;
    from = span.at;
    const off = externals.offset(span.ref) + span.from;
    bytes.set(
      externals.bytes(span.ref).subarray(off, off + span.length),
      to,
    );
    to += span.length;
    externals.unpin(span.ref);
  }
  bytes.set(reply.buf.subarray(from, reply.at), to);
  return bytes;
}

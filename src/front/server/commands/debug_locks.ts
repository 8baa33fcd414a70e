/**
 * DEBUG KEYLOCK: takes and releases key locks as code in the server does, for
 * tests. A handle has a name and lives in the worker of the connection that made
 * it.
 *
 * ```text
 * TAKE name | TRY name | MORE name | TRYMORE name, then options:
 *      READ key | WRITE key | WAIT ms | HOLD ms | DB index | CLIENT | FINISH |
 *      OPTIMISTIC ...
 * RELEASE name key ...     UPGRADE name key          DOWNGRADE name key
 * READ name command ...    STAGE name command ...    COMMIT name
 * CLOSE name               CLOSEIN name ms           ENTRY name key
 * DEMAND name restarts ms key ...                    WATCHES name key ...
 * ATTEMPT name restarts ms key ...                   COUNTS
 * ```
 * DEMAND asks for keys one by one, with a rest of so many milliseconds behind
 * each, and appends the name to all of them; after so many restarts it locks
 * everything. ATTEMPT does so optimistically, and sets each key to what it has
 * read, with the name behind it. WATCHES says which keys are not locked.
 *
 * @module
 */

import { latin1BytesOf } from "../../../core/base/bytes.ts";
import type { LateReply } from "../../../core/commands/command_spec.ts";
import { errorReply, SYNTAX_ERROR } from "../../../core/resp/error_reply.ts";
import {
  LockError,
  type LockHandle,
  type LockSpec,
} from "../../../engine/locks/lock_spec.ts";
import type { ServerCall } from "../server_call.ts";
import type { WorkerContext } from "../worker_context.ts";

const decoder = new TextDecoder("latin1");

type Options = { -readonly [K in keyof LockSpec]: LockSpec[K] };

/** Handles by name, of one worker. */
const HANDLES = new Map<string, LockHandle>();

const OK: LateReply = (reply) => reply.ok();

/** `DEBUG KEYLOCK subcommand ...` */
export function debugKeylock(call: ServerCall): Promise<LateReply> {
  const { args, worker } = call;
  const argv: Uint8Array[] = [];
  for (let i = 2; i < call.argc; i++) argv.push(args.copy(i));
  const { id, db } = call.session;
  // Handles want no latch to be held, and run commands.
  return Promise.resolve()
    .then(() => run(worker, id, db, argv))
    .catch((cause: unknown): LateReply => {
      if (!(cause instanceof LockError)) throw cause;
      const error = errorReply(`ERR ${cause.message}`);
      return (reply) => reply.error(error);
    });
}

async function run(
  worker: WorkerContext,
  session: number,
  db: number,
  argv: readonly Uint8Array[],
): Promise<LateReply> {
  const what = textOf(argv, 0).toUpperCase();
  if (what === "COUNTS") return counts(worker);
  const name = textOf(argv, 1);
  const rest = argv.slice(2);
  const { manager } = worker.locks;
  switch (what) {
    case "TAKE":
    case "TRY": {
      const spec = { label: name, db, ...optionsOf(rest, session) };
      const handle = what === "TAKE"
        ? await manager.lockKeys(spec)
        : manager.tryLockKeys(spec);
      if (handle === null) return says("BUSY");
      HANDLES.set(name, handle);
      return OK;
    }
    case "DEMAND":
      return await demand(worker, { label: name, db }, rest);
    case "ATTEMPT":
      return await demand(
        worker,
        { label: name, db, mode: "optimistic" },
        rest,
      );
  }
  const handle = HANDLES.get(name);
  if (handle === undefined) return says("NONE");
  switch (what) {
    case "MORE":
      await handle.lock(optionsOf(rest, session));
      return OK;
    case "TRYMORE":
      return says(handle.tryLock(optionsOf(rest, session)) ? "OK" : "BUSY");
    case "RELEASE":
      handle.release(...rest);
      return OK;
    case "UPGRADE":
      return says(handle.tryUpgrade(rest[0]!) ? "OK" : "LOCKUPGRADE");
    case "DOWNGRADE":
      handle.downgrade(rest[0]!);
      return OK;
    case "ENTRY": {
      const entry = handle.entry(rest[0]!);
      return (reply) => reply.integer(entry === 0 ? 0 : 1);
    }
    case "READ":
      return bytes(handle.read(rest));
    case "WATCHES": {
      const watched = rest.map((key) => isWatched(handle, key));
      return (reply) => {
        reply.array(watched.length);
        for (const is of watched) reply.integer(is ? 1 : 0);
      };
    }
    case "STAGE":
      handle.stage(rest);
      return OK;
    case "COMMIT":
      return bytes(handle.commit());
    case "CLOSE":
      handle.close();
      return OK;
    case "CLOSEIN":
      worker.loop.later(() => handle.close(), Number(textOf(rest, 0)));
      return OK;
  }
  return (reply) => reply.error(SYNTAX_ERROR);
}

function isWatched(handle: LockHandle, key: Uint8Array): boolean {
  const name = decoder.decode(key);
  return handle.keys.some((own) =>
    own.isWatched && decoder.decode(own.key) === name
  );
}

/** Asks for keys to write one by one, and appends the name to each. */
async function demand(
  worker: WorkerContext,
  spec: LockSpec & { readonly label: string },
  rest: readonly Uint8Array[],
): Promise<LateReply> {
  const name = new TextEncoder().encode(spec.label);
  const restartsMax = Number(textOf(rest, 0));
  const restMs = Number(textOf(rest, 1));
  const keys = rest.slice(2);
  let runs = 0;
  await worker.locks.manager.withDiscoveredKeys(
    { ...spec, restartsMax },
    async (handle) => {
      runs++;
      for (const key of keys) {
        await handle.demand({ write: [key] });
        handle.stage(
          spec.mode === undefined
            ? [APPEND, key, name]
            : [SET, key, ...appended(handle.read([GET, key]), name)],
        );
        await new Promise<void>((wake) => worker.loop.later(wake, restMs));
      }
    },
  );
  return (reply) => reply.integer(runs);
}

const encoder = new TextEncoder();
const APPEND = encoder.encode("APPEND");
const GET = encoder.encode("GET");
const SET = encoder.encode("SET");

/** The bytes of a bulk reply, or none if it is null, and `more`. */
function appended(reply: Uint8Array, more: Uint8Array): Uint8Array[] {
  const text = decoder.decode(reply);
  const value = text.startsWith("$")
    ? text.slice(text.indexOf("\n") + 1, -2)
    : "";
  return [latin1BytesOf(value + decoder.decode(more))];
}

/**
 * Locked keys, read locks, write locks, places of waiters, requests that wait
 * here, parked commands here, watched keys.
 */
function counts({ call, locks }: WorkerContext): LateReply {
  const sums = [0, 0, 0, 0];
  let watched = 0;
  call.latches.acquireAll();
  for (const space of call.keyspaces) {
    sums[0]! += space.locks.count;
    sums[1]! += space.locks.readLocks;
    sums[2]! += space.locks.writeLocks;
    sums[3]! += space.locks.waits;
    watched += space.hooks.watched.count;
  }
  call.latches.releaseAll();
  sums.push(locks.manager.pendingCount, locks.commands.count, watched);
  return (reply) => {
    reply.array(sums.length);
    for (const sum of sums) reply.integer(sum);
  };
}

function optionsOf(words: readonly Uint8Array[], session: number): LockSpec {
  const read: Uint8Array[] = [];
  const write: Uint8Array[] = [];
  const options: Options = { read, write };
  for (let i = 0; i < words.length; i++) {
    switch (textOf(words, i).toUpperCase()) {
      case "READ":
        read.push(words[++i]!);
        break;
      case "WRITE":
        write.push(words[++i]!);
        break;
      case "WAIT":
        options.waitMs = Number(textOf(words, ++i));
        break;
      case "HOLD":
        options.maxHoldMs = Number(textOf(words, ++i));
        break;
      case "DB":
        options.db = Number(textOf(words, ++i));
        break;
      case "CLIENT":
        options.session = session;
        break;
      case "FINISH":
        options.onDisconnect = "finish";
        break;
      case "OPTIMISTIC":
        options.mode = "optimistic";
        break;
    }
  }
  return options;
}

function textOf(argv: readonly Uint8Array[], i: number): string {
  return decoder.decode(argv[i] ?? new Uint8Array(0));
}

function says(text: string): LateReply {
  return (reply) => reply.simple(text);
}

function bytes(value: Uint8Array): LateReply {
  return (reply) => reply.bulk(value, 0, value.length);
}

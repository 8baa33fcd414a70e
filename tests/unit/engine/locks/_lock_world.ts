/**
 * One worker whose code locks keys: a lock manager beside the executor of a
 * world without sockets and threads.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { fromBinary } from "../../../_resp_reply.ts";
import { LockManager } from "../../../../src/engine/locks/lock_manager.ts";
import { LockedCommands } from "../../../../src/engine/locks/locked_commands.ts";
import { ReplyWriter } from "../../../../src/core/resp/reply_writer.ts";
import { HELD } from "../../../../src/engine/executor/outcome.ts";
import { guestSession } from "../../../../src/engine/executor/session.ts";
import { argumentsOf, World } from "../../../_world.ts";

/** Bytes of a key, or of an argument. */
export const bytes = fromBinary;

/** The arguments of a command. */
export function argv(line: string): Uint8Array[] {
  return line.split(" ").map(bytes);
}

/** A command on its way: parked, or run. */
export interface Sent {
  /** Its reply, as RESP2; "" while it is parked. */
  reply: string;
}

/** A world with locked keys. */
export class LockWorld {
  readonly world: World;
  readonly manager: LockManager;
  readonly warnings: string[] = [];
  /** Called whenever code that holds locks lets others be served. */
  onRest: () => void = () => {};
  /** What it shows as monotonic milliseconds is moved by the test. */
  elapsedMs = 0;

  constructor(options: ConstructorParameters<typeof World>[0] = {}) {
    const world = this.world = new World(options);
    const { executor, keyspaces, latches, counters } = world;
    this.manager = new LockManager({
      ...{ keyspaces, latches, counters },
      waits: world.lockRules.waits!,
      placing: world.call,
      commands: new LockedCommands({
        inspect: (args, db, visit) => executor.inspect(args, db, visit),
        run: (session, args, reply, nowMs, around) =>
          executor.runAround(session, args, reply, nowMs, around),
        externals: keyspaces[0]!.externals,
      }),
      nowMs: () => world.nowMs,
      monotonicMs: () => this.elapsedMs,
      holdTimeoutMs: () => 0,
      holdWarningMs: () => 0,
      settle: () => {},
      soon: queueMicrotask,
      rest: () => Promise.resolve(this.onRest()),
      warn: (text) => this.warnings.push(text),
    });
  }

  /** Sends a command of a client of its own; it may be parked for locks. */
  send(line: string): Sent {
    const session = guestSession(0);
    const sent: Sent = { reply: "" };
    const attempt = () => {
      const reply = new ReplyWriter();
      const args = argumentsOf(line.split(" "));
      const { executor, nowMs } = this.world;
      const outcome = executor.runForwarded(session, args, reply, nowMs);
      if (outcome === HELD) session.onLockWake = attempt;
      else {
        sent.reply = new TextDecoder().decode(reply.buf.subarray(0, reply.at));
      }
    };
    attempt();
    return sent;
  }

  /** Does something with the latches of all shards held. */
  latched<T>(run: () => T): T {
    const { latches } = this.world;
    latches.acquireAll();
    const value = run();
    latches.releaseAll();
    return value;
  }

  /** Lets all promises settle. */
  async settle(): Promise<void> {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  }

  /** Nothing is locked or watched, nobody waits. */
  expectNothing(): void {
    const { keyspaces, locks, lockRules } = this.world;
    for (const { locks, hooks } of keyspaces) {
      const { count, readLocks, writeLocks, waits } = locks;
      assertEquals(
        [count, readLocks, writeLocks, waits, hooks.watched.count],
        [0, 0, 0, 0, 0],
      );
    }
    assertEquals([...this.manager.handles], []);
    assertEquals(
      [this.manager.pendingCount, locks.count, lockRules.waits!.count],
      [0, 0, 0],
    );
  }
}

/** Commands of very many keys while memory is short: all of it, or nothing. */
import { assert, assertEquals, unreachable } from "@std/assert";
import type { Call } from "../../../../src/core/commands/call.ts";
import { ManyKeys } from "../../../../src/engine/compute/many_keys.ts";
import type { Session } from "../../../../src/engine/executor/session.ts";
import type { LockHandle } from "../../../../src/engine/locks/lock_spec.ts";
import type { Plain } from "../../../_resp_reply.ts";
import { World } from "../../../_world.ts";

const ARENA_BYTES = 4 << 20;
const VALUE = "v".repeat(300);
/** Longer than what an entry holds. */
const LONG = "long".repeat(1 << 15);

const names = (count: number) =>
  Array.from({ length: count }, (_, i) => `key:${i}`);
const pairs = (keys: readonly string[], value: string) =>
  keys.flatMap((key) => [key, value]);

/** A worker that goes through very many keys, one step at each turn. */
class ManyWorld {
  readonly world: World;
  /** Commands that were run in place after all. */
  inPlace = 0;
  readonly #session: Session;
  readonly #turns: (() => void)[] = [];

  constructor(arenaBytes: number) {
    const world: World = this.world = new World({
      arenaBytes,
      manyKeys: (...given) => many.begin(...given),
    });
    this.#session = world.session();
    let nowMs = 0;
    const { call, latches, effects, locks } = world;
    const many: ManyKeys<Call> = new ManyKeys<Call>({
      ...{ call, latches, effects, locks },
      process: new Int32Array(64),
      waits: world.lockRules.waits!,
      lock: () => ({ id: 1, close: () => {} }) as unknown as LockHandle,
      reserve: () => false,
      remember: () => {},
      isGone: () => false,
      mustBeStill: () => false,
      runInPlace: (_session, _db, _resp, _args, done) => {
        this.inPlace++;
        done((reply) => reply.ok());
      },
      runOfMany: () => unreachable("no command here looks for one key"),
      newWait: () => unreachable("no command here waits"),
      letGo: () => unreachable("no command here waits"),
      runJob: () => false,
      nowMs: () => world.nowMs,
      monotonicMs: () => nowMs++,
      later: (run) => void this.#turns.push(run),
      rest: (run) => void this.#turns.push(run),
      freeBig: () => {},
      settle: () => {},
      count: () => {},
    });
  }

  /** Runs a command to its end. */
  async run(...argv: string[]): Promise<Plain> {
    const reply = this.world.run(this.#session, argv);
    while (this.#turns.length > 0) this.#turns.shift()!();
    this.world.effects.publish();
    return await reply;
  }

  /** Nothing of the locks is left. */
  expectUnlocked(): void {
    for (const { locks } of this.world.keyspaces) {
      assertEquals([locks.count, locks.readLocks, locks.writeLocks], [0, 0, 0]);
    }
  }
}

Deno.test("MSET of very many keys in a full arena changes all or nothing", async () => {
  const outcomes = new Set<string>();
  for (let count = 2500; count < 9500; count += 500) {
    const many = new ManyWorld(ARENA_BYTES);
    const { world } = many;
    const keys = names(count);
    await many.run("MSET", "key:3", "old", "key:7", LONG);
    await many.run("SADD", "key:9", "member");
    await many.run("EXPIRE", "key:3", "1000");
    world.drain.take();
    const used = world.evictor.usedBytes;
    const given = [...pairs(keys, VALUE), "key:5", LONG];
    const reply = await many.run("MSET", ...given);
    many.expectUnlocked();
    const isDone = reply === "OK" && many.inPlace === 0;
    outcomes.add(`${isDone}`);
    if (isDone) {
      const expected = keys.map((key) => key === "key:5" ? LONG : VALUE);
      assertEquals(await many.run("MGET", ...keys), expected);
      const [record] = world.drain.take();
      assertEquals(record!.commands[0]!.argv, ["MSET", ...given]);
      continue;
    }
    if (many.inPlace === 0) {
      assert(reply instanceof Error && reply.message.startsWith("OOM"));
    }
    assertEquals(world.drain.take(), []);
    assertEquals(await many.run("DBSIZE"), 3);
    assertEquals(await many.run("GET", "key:3"), "old");
    assertEquals(await many.run("TTL", "key:3"), 1000);
    assertEquals(await many.run("GET", "key:7"), LONG);
    assertEquals(await many.run("TYPE", "key:9"), "set");
    // Tables keep what they have grown to.
    assert(world.evictor.usedBytes < used + (64 << 10));
  }
  assertEquals(outcomes, new Set(["true", "false"]));
});

Deno.test("DEL and MGET of very many keys are recorded as they are", async () => {
  const many = new ManyWorld(64 << 20);
  const keys = names(3000);
  await many.run("MSET", ...pairs(keys, VALUE));
  many.world.drain.take();
  await many.run("MGET", ...keys);
  await many.run("EXISTS", ...keys);
  assertEquals(many.world.drain.take(), []);
  assertEquals(await many.run("DEL", "none", ...keys), 3000);
  const records = many.world.drain.take();
  assertEquals(records.map(({ commands }) => commands[0]!.argv), [
    ["DEL", "none", ...keys],
  ]);
  assertEquals(await many.run("DEL", ...keys), 0);
  assertEquals(many.world.drain.take(), []);
  many.expectUnlocked();
});

/** Changes in slices while memory is short: what was promised, and is recorded. */
import { assert, assertEquals } from "@std/assert";
import { SlicedChanges } from "../../../../src/engine/compute/sliced_changes.ts";
import type { LockHandle } from "../../../../src/engine/locks/lock_spec.ts";
import type { Session } from "../../../../src/engine/executor/session.ts";
import type { Plain } from "../../../_resp_reply.ts";
import { World } from "../../../_world.ts";

const ARENA_BYTES = 4 << 20;
/** Together more bytes than the arena has. */
const ELEMENTS = 30_000;
const PADDING = "p".repeat(200);
const words = Array.from({ length: ELEMENTS }, (_, i) => `${i}${PADDING}`);
const pairs = words.flatMap((word, i) => [`${i}`, word]);

/** A worker whose commands are done in slices, one at each `turn`. */
class SlicedWorld {
  readonly world: World;
  readonly changes: SlicedChanges;
  readonly #session: Session;
  readonly #turns: (() => void)[] = [];

  constructor(arenaBytes: number) {
    const world = this.world = new World({
      arenaBytes,
      inSlices: (...given) => this.changes.begin(...given),
    });
    const { latches, effects, counters } = world;
    let nowMs = 0;
    this.#session = world.session();
    this.changes = new SlicedChanges({
      ...{ latches, effects, counters },
      process: new Int32Array(64),
      isAtOnce: () => world.executor.ignoresFlags,
      lock: () => ({ close: () => {} }) as LockHandle,
      // Each slice takes a turn.
      monotonicMs: () => nowMs++,
      later: (run) => void this.#turns.push(run),
      takeCompared: () => null,
      freeBig: () => {},
      settle: () => {},
      session: () => this.#session,
      inNameOf: (_, run) => run(),
      charge: () => {},
    });
  }

  /** Runs a command to its end. */
  async run(...argv: string[]): Promise<Plain> {
    const reply = this.world.run(this.#session, argv);
    this.changes.keepArguments();
    while (this.#turns.length > 0) this.#turns.shift()!();
    this.world.effects.publish();
    return await reply;
  }
}

/** What there is before, the command, and what its key holds then. */
const ROWS: readonly (readonly [string[], string[], string[]])[] = [
  [["SADD", "key", "one", "two"], ["SADD", "key", ...words], ["SCARD", "key"]],
  [["RPUSH", "key", "one"], ["RPUSH", "key", ...words], ["LLEN", "key"]],
  [["HSET", "key", "f", "v"], ["HSET", "key", ...pairs], ["HLEN", "key"]],
  [["ZADD", "key", "1", "one"], ["ZADD", "key", ...pairs], ["ZCARD", "key"]],
];

for (const [fill, change, length] of ROWS) {
  const name = change[0]!;
  Deno.test(`${name} in slices in a full arena makes a key or none`, async () => {
    const sliced = new SlicedWorld(ARENA_BYTES);
    const { world } = sliced;
    const reply = await sliced.run(...change);
    assert(reply instanceof Error, "memory is short");
    assert(reply.message.startsWith("OOM"), reply.message);
    assertEquals(await sliced.run("EXISTS", "key"), 0);
    assertEquals(world.drain.take(), []);
  });

  Deno.test(`${name} in slices in a full arena is recorded as far as it came`, async () => {
    const sliced = new SlicedWorld(ARENA_BYTES);
    const { world } = sliced;
    await sliced.run(...fill);
    const before = await sliced.run(...length);
    const reply = await sliced.run(...change);
    assert(reply instanceof Error, "memory is short");
    const after = Number(await sliced.run(...length));
    if (name === "RPUSH") assertEquals(after, before);
    else assert(after > Number(before), `${after}`);
    const replayed = new SlicedWorld(8 * ARENA_BYTES);
    replayed.world.replay(world.drain.take());
    assertEquals(await replayed.run(...length), after);
  });
}

Deno.test("what memory suffices for is recorded as it was given", async () => {
  for (const [fill, change, length] of ROWS) {
    const short = change.slice(0, 5002);
    const sliced = new SlicedWorld(8 * ARENA_BYTES);
    await sliced.run(...fill);
    await sliced.run(...short);
    const effects = sliced.world.drain.take();
    const recorded = effects.map(({ commands }) => commands[0]!.argv);
    assertEquals(recorded, [fill, short]);
    const replayed = new SlicedWorld(8 * ARENA_BYTES);
    replayed.world.replay(effects);
    const after = await sliced.run(...length);
    assertEquals(await replayed.run(...length), after);
  }
});

/**
 * Runs a script on redis-server and on a worker without a server, and finds the
 * first command for which they record something else.
 *
 * @module
 */
import type { Plain, TestClient } from "../_resp_client.ts";
import { World } from "../_world.ts";
import type { RecordedEffect } from "../unit/core/keyspace/_effects.ts";
import { sameShape, sameType } from "./_compare.ts";
import {
  type Effect,
  isAboutConsumer,
  isSameEffect,
  type RecordingRedis,
  showEffect,
  withoutHistory,
} from "./_effects.ts";
import type { Step } from "./_generate.ts";
import type { ScriptLimits } from "./_limits.ts";
import type { Mismatch } from "./_run_script.ts";

/** What the script changes on each side. */
export async function runEffects(
  script: readonly Step[],
  reference: RecordingRedis,
  limits?: ScriptLimits,
): Promise<Mismatch | null> {
  using client = await reference.client();
  await send(client, ["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
  await send(client, ["FLUSHALL"]);
  if (limits !== undefined) {
    await send(client, ["CONFIG", "SET", ...limits.reference]);
  }
  reference.take();
  const world = new World({ arenaBytes: 64 << 20 });
  if (limits !== undefined) setLimits(world, limits.subject);
  const session = world.session();
  const recorded: RecordedEffect[] = [];
  for (const [index, { argv, check }] of script.entries()) {
    if (!world.has(argv)) continue;
    world.nowMs = Date.now();
    const reply = world.run(session, argv);
    if (reply instanceof Promise) {
      // The reference would wait in earnest.
      world.endWait(session);
      await reply;
      recorded.push(...world.drain.take());
      continue;
    }
    await send(client, argv);
    const expected = reference.take()
      .filter((effect) => !isAboutConsumer(effect));
    const effects = world.drain.take();
    recorded.push(...effects);
    const actual = effects
      .map(({ commands }) => withoutHistory(argv, commands))
      .filter((effect) => !isAboutConsumer(effect));
    const shapeOnly = check === sameShape || check === sameType;
    if (isSame(expected, actual, shapeOnly)) continue;
    return {
      index,
      expected: expected.map(showEffect).join(" | "),
      actual: actual.map(showEffect).join(" | "),
    };
  }
  return replayed(script, world, recorded, limits?.subject ?? []);
}

/** Runs the records anew and compares what there is then. */
function replayed(
  script: readonly Step[],
  world: World,
  recorded: readonly RecordedEffect[],
  limits: readonly string[],
): Mismatch | null {
  const copy = new World({ arenaBytes: 64 << 20, seed: 2, hashSeed: [3, 4] });
  setLimits(copy, limits);
  copy.nowMs = Date.now();
  copy.replay(recorded);
  const [want, got] = [world.describe(), copy.describe()];
  const at = want.findIndex((line, i) => line !== got[i]);
  if (at < 0 && want.length === got.length) return null;
  return {
    index: script.length - 1,
    expected: `(replayed) ${want[at] ?? "nothing"}`,
    actual: got[at < 0 ? want.length : at] ?? "nothing",
  };
}

function isSame(
  expected: readonly Effect[],
  actual: readonly Effect[],
  shapeOnly: boolean,
): boolean {
  return expected.length === actual.length &&
    expected.every((effect, i) => isSameEffect(effect, actual[i]!, shapeOnly));
}

function setLimits(world: World, pairs: readonly string[]): void {
  const settings: [string, string][] = [];
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    settings.push([pairs[i]!, pairs[i + 1]!]);
  }
  world.settings.set(settings);
}

/** Sends a command whose reply does not matter. */
export async function send(
  client: TestClient,
  argv: readonly string[],
): Promise<Plain> {
  const [reply] = await client.pipeline([[...argv]]);
  return reply!.type === "error" ? null : reply!.type;
}

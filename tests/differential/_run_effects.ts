/**
 * Runs a script on redis-server and on a worker without a server, and finds the
 * first command for which they record something else.
 *
 * @module
 */
import type { Plain, TestClient } from "../_resp_client.ts";
import { World } from "../_world.ts";
import { sameShape, sameType } from "./_compare.ts";
import {
  type Effect,
  isIdle,
  isSameEffect,
  type RecordingRedis,
  showEffect,
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
  for (const [index, { argv, check }] of script.entries()) {
    if (!world.has(argv)) continue;
    try {
      await send(client, argv);
    } catch (cause) {
      throw new Error(`No reply to ${argv.join(" ")}`, { cause });
    }
    const expected = reference.take().filter((effect) => !isIdle(effect));
    world.nowMs = Date.now();
    const reply = world.run(session, argv);
    if (reply instanceof Promise) {
      world.endWait(session);
      await reply;
    }
    const actual = world.drain.take().map(({ commands }) => commands);
    const shapeOnly = check === sameShape || check === sameType;
    if (isSame(expected, actual, shapeOnly)) continue;
    return {
      index,
      expected: expected.map(showEffect).join(" | "),
      actual: actual.map(showEffect).join(" | "),
    };
  }
  return null;
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

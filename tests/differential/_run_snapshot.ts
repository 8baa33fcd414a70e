/**
 * Runs a script, and takes what it has made through snapshots: into a file and
 * back, to redis-server, and from there back again. The digest of all data must
 * stay the same.
 *
 * @module
 */
import type { TestServer } from "../_harness.ts";
import type { TestClient } from "../_resp_client.ts";
import { plain } from "../_resp_reply.ts";
import type { RedisServer } from "../_redis_server.ts";
import type { Step } from "./_generate.ts";
import type { ScriptLimits } from "./_limits.ts";
import type { Mismatch } from "./_run_script.ts";

const DATABASES = 16;
/** Keys that expire sooner would be gone on the way. */
const SHORT_MS = 60_000;

/** Both servers; the subject's snapshots are in `folder`. */
export interface SnapshotSides {
  readonly reference: RedisServer;
  readonly subject: TestServer;
  readonly folder: string;
  readonly limits: ScriptLimits | undefined;
}

/** Where the digest is another one. */
export async function runSnapshot(
  script: readonly Step[],
  sides: SnapshotSides,
): Promise<Mismatch | null> {
  const { reference, subject, folder, limits } = sides;
  using client = await subject.client();
  using other = await reference.client();
  if (limits !== undefined) {
    await send(client, "CONFIG", "SET", ...limits.subject);
    await send(other, "CONFIG", "SET", ...limits.reference);
  }
  await send(client, "FLUSHALL");
  {
    using runner = await subject.client();
    await runner.pipeline(script.map(({ argv }) => argv));
  }
  const hasScores = await keepForLong(client);
  const digest = await send(client, "DEBUG", "DIGEST");
  const differs = (where: string, actual: string): Mismatch => ({
    index: script.length - 1,
    expected: digest,
    actual: `${actual} ${where}`,
  });
  const reloaded = await send(client, "DEBUG", "RELOAD");
  if (reloaded !== "OK") return differs("reloaded", reloaded);
  const again = await send(client, "DEBUG", "DIGEST");
  if (again !== digest) return differs("after a snapshot", again);
  const ours = `${folder}/dump.rdb`;
  const theirs = `${reference.directory}/dump.rdb`;
  Deno.copyFileSync(ours, theirs);
  const loaded = await send(other, "DEBUG", "RELOAD", "NOSAVE");
  if (loaded !== "OK") return differs("loaded by redis-server", loaded);
  const elsewhere = await send(other, "DEBUG", "DIGEST");
  if (elsewhere !== digest && !hasScores) {
    return differs("in redis-server", elsewhere);
  }
  await send(other, "SAVE");
  Deno.copyFileSync(theirs, ours);
  const back = await send(client, "DEBUG", "RELOAD", "NOSAVE");
  if (back !== "OK") return differs("loaded from redis-server", back);
  const last = await send(client, "DEBUG", "DIGEST");
  return last === digest ? null : differs("back from redis-server", last);
}

async function send(client: TestClient, ...argv: string[]): Promise<string> {
  const reply = plain(await client.run(...argv));
  return reply instanceof Error ? reply.message : String(reply);
}

/**
 * No key expires on the way. Says whether there are sorted sets: Redis 7.0 has
 * 17 digits of scores in digests, as later ones do not.
 */
async function keepForLong(client: TestClient): Promise<boolean> {
  let hasScores = false;
  for (let db = 0; db < DATABASES; db++) {
    await client.run("SELECT", String(db));
    if (plain(await client.run("DBSIZE")) === 0) continue;
    const keys = await client.run("KEYS", "*");
    if (keys.type !== "array") throw new Error("KEYS has no array");
    for (const key of keys.value) {
      if (key.type !== "bulk") continue;
      if (plain(await client.run("TYPE", key.value)) === "zset") {
        hasScores = true;
      }
      const ttl = plain(await client.run("PTTL", key.value));
      if (Number(ttl) >= 0 && Number(ttl) < SHORT_MS) {
        await client.run("PERSIST", key.value);
      }
    }
  }
  return hasScores;
}

/**
 * Commands on many entries of a stream, which sherd may do in slices, against
 * redis-server: replies byte by byte, and what is pending afterwards.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { sharedServers, startServer, type TestServer } from "../_harness.ts";
import {
  hasRedisServer,
  type RedisServer,
  startRedisServer,
} from "../_redis_server.ts";
import {
  type Plain,
  plain,
  type TestClient,
  toBinary,
} from "../_resp_client.ts";
import { recordOf } from "../commands/_streams.ts";
import { STREAM, STREAM_CHANGES } from "../commands/_stream_changes.ts";

const ENTRIES = 800;
const ignore = !hasRedisServer("streams in slices");
let reference: RedisServer;
let subject: TestServer;

if (!ignore) {
  sharedServers(async (stack) => {
    reference = stack.use(await startRedisServer());
    subject = stack.use(await startServer({ workers: 2 }));
  });
}

/** What a command replies, and what it leaves. */
async function outcome(
  client: TestClient,
  fill: readonly string[][],
  argv: readonly string[],
): Promise<unknown> {
  await client.run("FLUSHALL");
  await client.pipeline(fill);
  const frames = await client.pipelineFrames([
    argv,
    ["XPENDING", STREAM, "g"],
  ]);
  const [group] = plain(await client.run("XINFO", "GROUPS", STREAM)) as Plain[];
  const pending = await client.run("XPENDING", STREAM, "g", "-", "+", "9999");
  return [
    ...frames.map(({ raw }) => toBinary(raw)),
    // Commands that read for a consumer make it in more cases since 7.2.
    { ...recordOf(group!), consumers: 0 },
    // Without the time for which each has been idle.
    (plain(pending) as Plain[][]).map(([id, consumer, , times]) =>
      `${id} ${consumer} ${times}`
    ),
  ];
}

for (const resp of [2, 3] as const) {
  for (const { name, fill, argv } of STREAM_CHANGES) {
    Deno.test({
      name: `${name} as redis-server's (RESP${resp})`,
      ignore,
      fn: async () => {
        using redis = await reference.client({ resp });
        using sherd = await subject.client({ resp });
        const [commands, change] = [fill(ENTRIES), argv(ENTRIES)];
        assertEquals(
          await outcome(sherd, commands, change),
          await outcome(redis, commands, change),
        );
      },
    });
  }
}

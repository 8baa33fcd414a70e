/**
 * What subscribers are told of keys while something happens.
 *
 * @module
 */
import type { TestServer } from "../_harness.ts";
import { plain, type TestClient } from "../_resp_client.ts";

/** What subscribers hear of while `body` runs. */
export async function heard(
  server: TestServer,
  client: TestClient,
  body: () => Promise<void>,
): Promise<string[]> {
  using listener = await server.client({ resp: 2 });
  await listener.run("PSUBSCRIBE", "__keyspace@*");
  await body();
  await client.run("PUBLISH", "__keyspace@0__:end", "end");
  const events: string[] = [];
  for (;;) {
    const [, , channel, message] = plain(
      await listener.readReply(),
    ) as string[];
    if (message === "end") return events;
    events.push(`${channel} ${message}`);
  }
}

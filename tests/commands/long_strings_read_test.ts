/**
 * MGET of few strings that are long together, which goes through them in slices, as
 * of very many keys: it answers what GET does, all of one instant.
 */
import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import { type Argument, plain, type TestClient } from "../_resp_client.ts";
import { ask } from "./_replies.ts";
import { slicesSuite, statistic } from "./_slices.ts";

const { suite } = slicesSuite({ events: "KEAn", more: [] });

const TAGS = tagsOnDistinctSlots(4);
const KEYS = Array.from(
  { length: 60 },
  (_, i) => `{${TAGS[i % TAGS.length]}}${i}`,
);
const LENGTH = 16_000;
const run = (client: TestClient, ...argv: Argument[]) => ask(client, argv);
const sliced = (client: TestClient) =>
  statistic(client, "sherd_sliced_commands");

suite("MGET of long strings replies what GET does", async (client) => {
  const values = KEYS.map((_, i) => String(i).repeat(LENGTH / 2));
  await run(client, "MSET", ...KEYS.flatMap((key, i) => [key, values[i]!]));
  // In a run of its own, of another type, expired, and none.
  values[3] = "run".repeat(30_000);
  await run(client, "SET", KEYS[3]!, values[3]);
  await run(client, "DEL", KEYS[5]!, KEYS[6]!);
  await run(client, "RPUSH", KEYS[5]!, "no string");
  await run(client, "SET", KEYS[7]!, "short", "PX", 1);
  await new Promise((wake) => setTimeout(wake, 5));
  const asked = [...KEYS, "none", ...KEYS.slice(0, 10)];
  const expected = asked.map((key) => {
    const i = KEYS.indexOf(key);
    return i < 0 || i >= 5 && i <= 7 ? null : values[i]!;
  });
  const before = await sliced(client);
  assertEquals(await run(client, "MGET", ...asked), expected);
  assertEquals(await sliced(client), before + 1);
  assertEquals(await run(client, "MGET", ...KEYS.slice(0, 8)), [
    ...expected.slice(0, 8),
  ]);
  assertEquals(await sliced(client), before + 1);
  // In a transaction all is done at once, and in a pipeline in its order.
  const piped = await client.pipeline([
    ["MGET", ...asked],
    ["SET", KEYS[0]!, "x"],
    ["MULTI"],
    ["MGET", ...asked],
    ["EXEC"],
    ["MGET", ...asked],
  ]);
  const after = expected.map((value, i) => asked[i] === KEYS[0] ? "x" : value);
  assertEquals(piped.map(plain), [
    ...[expected, "OK", "OK", "QUEUED", [after], after],
  ]);
  assertEquals(await sliced(client), before + 3);
});

suite("MGET of long strings sees one instant", async (client, server) => {
  const writers = await Promise.all([server.client(), server.client()]);
  let isOver = false;
  const store = (value: string) =>
    KEYS.flatMap((key) => [key, value.repeat(LENGTH)]);
  await run(client, "MSET", ...store("-"));
  const writing = writers.map(async (writer, w) => {
    for (let i = 0; !isOver; i++) {
      await run(writer, "MSET", ...store(String(2 * (i % 5) + w)));
    }
  });
  const before = await sliced(client);
  for (let i = 0; i < 30; i++) {
    const values = await run(client, "MGET", ...KEYS) as string[];
    assertEquals(new Set(values).size, 1);
    assertEquals(values[0]!.length, LENGTH);
  }
  isOver = true;
  await Promise.all(writing);
  assert(await sliced(client) >= before + 30);
  for (const writer of writers) writer.close();
});

/**
 * Commands that ask for many strings, fields or members that turn out to be long
 * together: they go on in slices, and reply what they do in a transaction, where
 * all is done at once.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import { plain, type TestClient } from "../_resp_client.ts";
import { runInline } from "./_background.ts";
import { heard } from "./_heard.ts";
import { slicesSuite, statistic } from "./_slices.ts";

const TAGS = tagsOnDistinctSlots(6);
const COUNT = 60;
const BYTES = 40_000;

const { suite } = slicesSuite({ events: "KEAm" });

const names = Array.from(
  { length: COUNT },
  (_, i) => `{${TAGS[i % TAGS.length]}}${i}`,
);
const values = names.map((_, i) => `${i} `.repeat(BYTES / 3));

/** What a command replies, and what it counts. */
async function counted(
  client: TestClient,
  run: () => Promise<unknown>,
): Promise<unknown[]> {
  const stats = ["keyspace_hits", "keyspace_misses", "sherd_sliced_commands"];
  const all = async () => {
    const numbers = [];
    for (const name of stats) numbers.push(await statistic(client, name));
    const info = String(plain(await client.run("INFO", "commandstats")));
    const calls = /cmdstat_mget:calls=(\d+)/.exec(info)?.[1] ?? "0";
    return [...numbers, Number(calls)];
  };
  const before = await all();
  const reply = await run();
  const after = await all();
  return [reply, ...after.map((value, i) => value - before[i]!)];
}

suite("MGET of values that are long together", async (client, server) => {
  await client.pipeline([
    ...names.map((name, i) => ["SET", name, values[i]!]),
    ["RPUSH", "list", "x"],
    ["SET", "long", "l".repeat(100_000)],
  ]);
  const argv = ["MGET", "none", "long", ...names, "list", names[3]!, "none"];
  const expected = [
    ...[null, "l".repeat(100_000), ...values],
    ...[null, values[3]!, null],
  ];
  const [reply, hits, misses, slices, calls] = await counted(
    client,
    async () => plain(await client.run(...argv)),
  );
  assertEquals(reply, expected);
  assertEquals([hits, misses, slices, calls], [COUNT + 3, 2, 1, 1]);
  assertEquals(await runInline(client, ...argv), expected);
  const few = await counted(
    client,
    async () => plain(await client.run(...argv.slice(0, 12))),
  );
  assertEquals(few, [expected.slice(0, 11), 10, 1, 0, 1]);
  const tell = (run: () => Promise<unknown>) =>
    heard(server, client, async () => void await run());
  assertEquals(
    await tell(() => client.run(...argv)),
    await tell(() => runInline(client, ...argv)),
  );
  // Whoever asks in one go gets all replies in their order.
  const replies = await client.pipeline([["GET", names[0]!], argv, ["PING"]]);
  assertEquals(replies.map(plain), [values[0]!, expected, "PONG"]);
});

suite("HMGET of values that are long together", async (client) => {
  await client.run(
    "HSET",
    "h",
    ...names.flatMap((name, i) => [name, values[i]!]),
  );
  const argv = ["HMGET", "h", "none", ...names, names[3]!, "none"];
  const expected = [null, ...values, values[3]!, null];
  for (let round = 0; round < 2; round++) {
    const [reply, hits, misses, slices] = await counted(
      client,
      async () => plain(await client.run(...argv)),
    );
    assertEquals(reply, expected);
    assertEquals([hits, misses, slices], [1, 0, 1]);
    assertEquals(await runInline(client, ...argv), expected);
    await client.run("HEXPIRE", "h", "1000", "FIELDS", "1", names[5]!);
  }
});

suite("long elements that are drawn, or taken", async (client) => {
  const long = (i: number) => `${i}`.padEnd(BYTES, "x");
  const all = Array.from({ length: 80 }, (_, i) => long(i));
  const [s, z, h] = [0, 1, 2].map((i) => `{${TAGS[i]}}k`);
  const fill = () =>
    client.pipeline([
      ["DEL", s!, z!, h!],
      ["SADD", s!, ...all],
      ["ZADD", z!, ...all.flatMap((member, i) => [String(i), member])],
      ["HSET", h!, ...all.flatMap((value, i) => [`f${i}`, value])],
    ]);
  await fill();
  const list = async (...argv: string[]) =>
    plain(await client.run(...argv)) as string[];
  for (const argv of [["SRANDMEMBER", s!, "60"], ["ZRANDMEMBER", z!, "60"]]) {
    const drawn = await list(...argv);
    assertEquals(new Set(drawn).size, 60);
    assert(drawn.every((member) => all.includes(member)));
  }
  const fields = await list("HRANDFIELD", h!, "60");
  assertEquals(new Set(fields).size, 60);
  assert(fields.every((field) => /^f\d+$/.test(field)));
  const popped = await list("SPOP", s!, "60");
  assertEquals(new Set(popped).size, 60);
  const left = await list("SMEMBERS", s!);
  assertEquals([...popped, ...left].sort(), all.toSorted());

  const asked = Array.from({ length: 60 }, (_, i) => `f${i + 40}`);
  const values = asked.map((_, i) => all[i + 40] ?? null);
  for (
    const argv of [
      ["HGETEX", h!, "EX", "1000", "FIELDS", "60", ...asked],
      ["HGETEX", h!, "PERSIST", "FIELDS", "60", ...asked],
      ["HGETDEL", h!, "FIELDS", "60", ...asked],
    ]
  ) {
    const [reply, , , slices] = await counted(client, () => list(...argv));
    assertEquals(reply, values);
    assertEquals(slices, 1, argv.slice(0, 3).join(" "));
  }
  assertEquals(plain(await client.run("HLEN", h!)), 40);
});

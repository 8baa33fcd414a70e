/**
 * HGETDEL, HGETEX and HSETEX of very many fields, in slices: what they reply,
 * leave, tell and record is what they do with few fields, and a condition is one
 * on all of them.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { pause } from "../_patience.ts";
import { type Plain, plain, type TestClient } from "../_resp_client.ts";
import { heard } from "./_heard.ts";
import { slicesSuite, statistic } from "./_slices.ts";

const K = "{a}key";
/** Fields, of which three quarters are too many to be gone through at once. */
const FIELDS = 2800;
/** Fields that are gone through at once. */
const FEW = 140;
const FAR = "4102444800000";

// A packed hash is dear to look through.
const { suite } = slicesSuite({
  more: ["--hash-max-listpack-entries", "64"],
});

const field = (i: number) => `f${i}`;
const fields = Array.from({ length: FIELDS }, (_, i) => field(i));
const values = (of: readonly string[], value = "v") =>
  of.flatMap((name) => [name, `${value}:${name}`]);

/** `HSETEX`, and the words that follow the key of the other commands. */
const COMMANDS: readonly (readonly string[])[] = [
  ["HSETEX", K, "PXAT", FAR],
  ["HSETEX", K, "KEEPTTL"],
  ["HGETEX", K],
  ["HGETEX", K, "PERSIST"],
  ["HGETEX", K, "PXAT", "4102444800001"],
  ["HSETEX", K],
  ["HGETEX", K, "PXAT", FAR],
  ["HGETDEL", K],
  ["HSETEX", K, "PXAT", "1"],
  ["HGETEX", K, "PXAT", "1"],
  ["HSETEX", K, "PXAT", FAR],
  ["HGETDEL", K],
  ["HSETEX", K, "PXAT", "1"],
  ["HSETEX", K],
];

/** Those that leave a few fields as they were. */
const PARTIAL = [1, 4, 7, 8, 11];

function command(head: readonly string[], names: readonly string[]): string[] {
  const data = head[0] === "HSETEX" ? values(names, head[2] ?? "") : names;
  return [...head, "FIELDS", `${names.length}`, ...data];
}

const sliced = (client: TestClient) =>
  statistic(client, "sherd_sliced_commands");

/** What the hash holds, and when its fields expire. */
async function picture(client: TestClient): Promise<Plain[]> {
  const times = ["HPEXPIRETIME", K, "FIELDS", `${FIELDS}`, ...fields];
  const replies = await client.pipeline([
    ["DEBUG", "DIGEST-VALUE", K],
    ["HLEN", K],
    ["DBSIZE"],
    times,
  ]);
  return replies.map(plain);
}

suite("many fields are got and set as few are", async (client) => {
  const outcomes: Plain[][] = [];
  for (const step of [FIELDS, FEW]) {
    await client.run("DEL", K);
    await client.run("HSET", K, ...values(fields.slice(0, 900)));
    const seen: Plain[] = [];
    for (const [i, head] of COMMANDS.entries()) {
      const asked = PARTIAL.includes(i)
        ? fields.filter((_, j) => j % 4 !== 1)
        : fields;
      const before = await sliced(client);
      const replies: Plain[] = [];
      for (let at = 0; at < asked.length; at += step) {
        const argv = command(head, asked.slice(at, at + step));
        replies.push(plain(await client.run(...argv)));
      }
      const isSet = head[0] === "HSETEX";
      seen.push(isSet ? [...new Set(replies)] : replies.flat());
      const count = await sliced(client) - before;
      assertEquals(count, step === FEW ? 0 : 1, head.join(" "));
      seen.push(await picture(client));
    }
    outcomes.push(seen);
  }
  assertEquals(outcomes[0], outcomes[1]);
});

suite("the log brings back what was got and set", async (client) => {
  await client.run("HSET", K, ...values(fields.slice(0, 900)), "g", "v");
  for (const [i, head] of COMMANDS.entries()) {
    const asked = fields.filter((_, j) => j % 4 !== i % 4);
    await client.run(...command(head, asked));
    const before = await picture(client);
    assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
    assertEquals(await picture(client), before, head.join(" "));
  }
});

suite("events, and watches, are those of few fields", async (
  client,
  server,
) => {
  using watcher = await server.client();
  const told: [string[], boolean][][] = [];
  for (const asked of [fields, fields.slice(0, 2)]) {
    await client.run("DEL", K);
    const all: [string[], boolean][] = [];
    for (const head of COMMANDS) {
      await watcher.run("WATCH", K);
      const events = await heard(server, client, async () => {
        await client.run(...command(head, asked));
      });
      const [, , kept] = await watcher.pipeline([["MULTI"], ["PING"], [
        "EXEC",
      ]]);
      all.push([events, plain(kept!) === null]);
    }
    told.push(all);
  }
  assertEquals(told[0], told[1]);
});

suite("a condition is one on all fields", async (client) => {
  await client.run("DEBUG", "SET-ACTIVE-EXPIRE", "0");
  const old = fields.slice(0, 2000);
  const kept = values(fields.slice(0, 1999));
  const rows: readonly (readonly [
    words: readonly string[],
    fields: readonly string[],
    reply: number,
  ])[] = [
    // The last field decides.
    [["FNX"], [...fields.slice(2000), field(1999)], 0],
    [["FNX", "PXAT", FAR], [...fields.slice(2000), field(1999)], 0],
    [["FNX", "PXAT", "1"], [...fields.slice(2000), field(1999)], 0],
    [["FXX"], [...old, field(2000)], 0],
    [["FXX", "KEEPTTL"], [...old, field(2000)], 0],
    [["FXX", "PXAT", "1"], [...old, field(2000)], 0],
    [["FNX"], Array.from({ length: 1100 }, (_, i) => `new${i}`), 1],
    [["FXX", "PXAT", FAR], old, 1],
    [["FXX", "PXAT", "1"], old, 1],
  ];
  for (const [words, asked, reply] of rows) {
    await client.run("DEL", K);
    await client.run("HSET", K, ...kept, ...values([field(1999)]));
    const before = await picture(client);
    const argv = command(["HSETEX", K, ...words], asked);
    const name = words.join(" ");
    assertEquals(plain(await client.run(...argv)), reply, name);
    if (reply === 0) assertEquals(await picture(client), before, name);
    // The same in one hold.
    const left = await picture(client);
    await client.run("DEL", K);
    await client.run("HSET", K, ...kept, ...values([field(1999)]));
    const replies = await client.pipeline([["MULTI"], argv, ["EXEC"]]);
    assertEquals(plain(replies[2]!), [reply], name);
    assertEquals(await picture(client), left, name);
  }
  // Fields that have expired are not there.
  await client.run("DEL", K);
  await client.run(...command(["HSETEX", K, "PX", "1"], old));
  await pause(5);
  const names = ["HSETEX", K, "FNX", "PXAT", FAR];
  assertEquals(plain(await client.run(...command(names, old))), 1);
  assertEquals(plain(await client.run("HLEN", K)), 2000);
  await client.run(...command(["HGETEX", K, "PX", "1"], old));
  await pause(5);
  const xx = command(["HSETEX", K, "FXX"], old);
  assertEquals(plain(await client.run(...xx)), 0);
  assertEquals(
    plain(await client.run(...command(["HGETDEL", K], fields))),
    fields.map(() => null),
  );
  assertEquals(plain(await client.run("EXISTS", K)), 0);
  await client.run("DEBUG", "SET-ACTIVE-EXPIRE", "1");
});

/**
 * Hashes of very many fields that have expired and must stay, as somebody reads the
 * hash, has it locked, or saves it: who counts the others finds the same as in a
 * transaction, which counts them at once.
 */
import { assert, assertEquals } from "@std/assert";
import { startServer, tagsOnDistinctSlots } from "../_harness.ts";
import {
  type Argument,
  plain,
  type TestClient,
  toBinary,
} from "../_resp_client.ts";
import { until } from "../_patience.ts";
import { Folder } from "../persistence/_snapshots.ts";
import { LockRoom, texts } from "./_locks.ts";
import { ask } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

/** More than are counted in one step. */
const EXPIRED = 9000;
const KEYS = tagsOnDistinctSlots(2).map((tag) => `{${tag}}h`);

/** Makes hashes of which only the first fields do not expire in a moment. */
async function fill(
  client: TestClient,
  keys: readonly string[],
  live: number,
  bytes = 1,
): Promise<string[]> {
  await client.run("DEBUG", "SET-ACTIVE-EXPIRE", "0");
  const lasting = Array.from({ length: live }, (_, i) => `live${i}`);
  const gone = Array.from({ length: EXPIRED }, (_, i) => `gone${i}`);
  const value = (name: string) =>
    name.startsWith("live")
      ? name.replace("live", "v").padEnd(bytes, ".")
      : "x";
  for (const key of keys) {
    const pairs = [...gone.slice(live), ...lasting, ...gone.slice(0, live)]
      .flatMap((name) => [name, value(name)]);
    await client.run("HSET", key, ...pairs);
  }
  for (const key of keys) {
    await client.run("HPEXPIRE", key, "1", "FIELDS", `${EXPIRED}`, ...gone);
  }
  await client.run("DEBUG", "SLEEP", "0.005");
  return lasting;
}

/** Replies as they came, alone and in a transaction. */
async function bothWays(
  client: TestClient,
  argv: readonly Argument[],
): Promise<[string, string]> {
  const alone = await client.runRaw(...argv);
  await client.pipeline([["MULTI"], argv]);
  const together = await client.runRaw("EXEC");
  return [`*1\r\n${toBinary(alone)}`, toBinary(together)];
}

/** Checks all commands that count fields of a hash from which none is removed. */
async function check(
  client: TestClient,
  key: string,
  live: readonly string[],
): Promise<void> {
  const names = [...live].sort();
  const length = await ask(client, ["HLEN", key]);
  for (
    const argv of [
      ["HGETALL", key],
      ["HKEYS", key],
      ["HVALS", key],
      ["HRANDFIELD", key, "100000"],
      ["HRANDFIELD", key, "100000", "WITHVALUES"],
      ["HRANDFIELD", key, "0"],
      ["HRANDFIELD", key, "0", "WITHVALUES"],
    ]
  ) {
    const [alone, together] = await bothWays(client, argv);
    assertEquals(alone, together, `${argv}`);
  }
  assertEquals((await ask(client, ["HKEYS", key]) as string[]).sort(), names);
  const one = await ask(client, ["HRANDFIELD", key]);
  if (live.length === 0) {
    assertEquals(one, null);
    assertEquals(await ask(client, ["HRANDFIELD", key, "-5"]), []);
    assertEquals(await ask(client, ["HRANDFIELD", key, "5"]), []);
  } else {
    assert(live.includes(one as string), `${one}`);
    for (const way of ["alone", "in a transaction"]) {
      await checkDrawn(client, key, live, way);
      const few = ["HRANDFIELD", key, `${live.length - 1}`, "WITHVALUES"];
      const chosen = await reply(client, few, way);
      const pairs = (chosen as string[]).flat();
      const fields = pairs.filter((_, i) => i % 2 === 0);
      assertEquals(new Set(fields).size, live.length - 1);
      for (const name of fields) assert(live.includes(name), name);
      for (let i = 0; i < pairs.length; i += 2) {
        const text = pairs[i]!.replace("live", "v");
        assertEquals(pairs[i + 1]!.replaceAll(".", ""), text);
      }
    }
  }
  assertEquals(await ask(client, ["HLEN", key]), length);
}

async function reply(client: TestClient, argv: string[], way: string) {
  if (way === "alone") return await ask(client, argv);
  const replies = await client.pipeline([["MULTI"], argv, ["EXEC"]]);
  return (plain(replies[2]!) as string[])[0];
}

async function checkDrawn(
  client: TestClient,
  key: string,
  live: readonly string[],
  way: string,
): Promise<void> {
  const each = live.length < 100 ? 500 : 2;
  const argv = ["HRANDFIELD", key, `${-each * live.length}`];
  const drawn = await reply(client, argv, way) as unknown as string[];
  assertEquals(drawn.length, each * live.length);
  const counts = new Map(live.map((name) => [name, 0]));
  for (const name of drawn) counts.set(name, counts.get(name)! + 1);
  assertEquals(counts.size, live.length);
  if (each < 500) return;
  for (const [name, count] of counts) {
    assert(count > 300 && count < 700, `${name} came ${count} times, ${way}`);
  }
}

commandSuite(
  "expired fields of a locked hash are counted, and none is removed",
  async (context) => {
    const { client } = context;
    using room = new LockRoom(context);
    try {
      // Few are live, none, or so many that draws meet them.
      for (const live of [3, 0, 1500]) {
        const names = await fill(client, KEYS, live);
        const holder = await room.holder();
        await holder.take(KEYS.map((key) => `READ ${key}`).join(" "));
        for (const key of live > 3 ? KEYS.slice(1) : KEYS) {
          await check(client, key, names);
        }
        const counts = new Map<string, number>();
        for (let i = 0; live === 3 && i < 200; i++) {
          const name = await ask(client, ["HRANDFIELD", KEYS[0]!]) as string;
          counts.set(name, (counts.get(name) ?? 0) + 1);
        }
        for (const count of counts.values()) {
          assert(count > 25, `${[...counts]}`);
        }
        assertEquals(counts.size, live === 3 ? 3 : 0);
        await holder.close();
        await client.run("DEL", ...KEYS);
      }
    } finally {
      await client.run("DEBUG", "SET-ACTIVE-EXPIRE", "1");
    }
  },
);

commandSuite(
  "expired fields are counted while others read the hash, and change it",
  async ({ client, server, resp }) => {
    const [key] = KEYS;
    try {
      const names = await fill(client, [key!], 60, 100_000);
      using slow = await server.client({ resp });
      const reading = slow.sendCommands([["HGETALL", key!]]);
      await until(
        "the hash is read",
        async () => texts(await ask(client, "LOCKS LIST")).includes("reply"),
      );
      await check(client, key!, names);
      const before = await ask(client, ["HGETALL", key!]);
      // Who changes it does not wait for the slow one, who sees it as it was.
      const replies = await client.pipeline([
        ["HGETALL", key!],
        ["HSET", key!, "gone1", "back"],
        ["HKEYS", key!],
        ["DEL", key!],
        ["HGETALL", key!],
      ]);
      const found = (plain(replies[2]!) as string[]).sort();
      assertEquals(found, [...names, "gone1"].sort());
      assertEquals(plain(replies[3]!), 1);
      await reading;
      assertEquals(plain(await slow.readReply()), before);
    } finally {
      await client.run("DEBUG", "SET-ACTIVE-EXPIRE", "1");
    }
  },
);

Deno.test("expired fields are counted of a hash that is yet to be saved", async () => {
  using folder = new Folder();
  await using server = await startServer({
    workers: 2,
    args: ["--dir", folder.path, "--enable-debug-command", "yes"],
  });
  using client = await server.client();
  const names = await fill(client, KEYS, 5);
  const commands = KEYS.flatMap((key) => [
    ["HKEYS", key],
    ["HRANDFIELD", key],
    ["HRANDFIELD", key, "-100"],
    ["HRANDFIELD", key, "100"],
  ]);
  const replies = await client.pipeline([["BGSAVE"], ...commands]);
  assertEquals(plain(replies[0]!), "Background saving started");
  for (const [i, argv] of commands.entries()) {
    const got = [plain(replies[i + 1]!)].flat() as string[];
    const expected = argv[2] === "-100"
      ? 100
      : argv[0] === "HRANDFIELD" && argv[2] === undefined
      ? 1
      : 5;
    assertEquals(got.length, expected, `${argv}`);
    for (const name of got) assert(names.includes(name), name);
  }
});

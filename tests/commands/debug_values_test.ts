/**
 * What DEBUG says of long values, whose bytes are looked at while others go on.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type Plain, plain, type TestClient } from "../_resp_client.ts";
import { settled, slicesSuite } from "./_slices.ts";

const { suite } = slicesSuite({ events: "" });

const COUNT = 4000;
const WORDS = Array.from({ length: COUNT }, (_, i) => `word:${i}`);
const KEYS = ["list", "set", "zset", "hash", "stream", "text", "long", "few"];

async function fill(client: TestClient): Promise<void> {
  const scored = WORDS.flatMap((word, i) => [`${i % 77}`, word]);
  await client.pipeline([
    ["RPUSH", "list", ...WORDS],
    ["SADD", "set", ...WORDS],
    ["ZADD", "zset", ...scored],
    ["HSET", "hash", ...scored.toReversed()],
    ...WORDS.map((word, i) => ["XADD", "stream", `${i + 1}-0`, "f", word]),
    ["SET", "text", "t".repeat(10_000)],
    ["SET", "long", "l".repeat(3 << 20)],
    ["PEXPIRE", "set", "1000000"],
    ["RPUSH", "few", "a", "b"],
  ]);
}

/** What a command answers in a transaction, where all is done at once. */
async function atOnce(client: TestClient, argv: string[]): Promise<Plain> {
  const replies = await client.pipeline([["MULTI"], argv, ["EXEC"]]);
  return (plain(replies[2]!) as Plain[])[0]!;
}

suite("long values look as they do at once", async (client) => {
  await fill(client);
  const commands = [
    ...KEYS.map((key) => ["DEBUG", "OBJECT", key]),
    ["DEBUG", "DIGEST-VALUE", ...KEYS, "none", ...KEYS],
    ["DEBUG", "DIGEST"],
  ];
  for (const argv of commands) {
    const text = argv.slice(0, 3).join(" ");
    const withoutClock = (reply: Plain) =>
      JSON.stringify(reply).replace(/lru_seconds_idle:\d+/, "");
    assertEquals(
      withoutClock(plain(await client.run(...argv))),
      withoutClock(await atOnce(client, argv)),
      text,
    );
  }
});

suite("a value is looked at as of one instant", async (client, server) => {
  using other = await server.client();
  await fill(client);
  const values: Record<string, [string[], string[]]> = {
    list: [["LTRIM", "list", "3900", "-1"], ["RPUSH", "list", "more"]],
    set: [["SPOP", "set", "3900"], ["SADD", "set", "more"]],
    zset: [["ZREMRANGEBYRANK", "zset", "3", "-4"], ["ZADD", "zset", "1", "x"]],
    hash: [["DEL", "hash"], ["HSET", "hash", "f", "more"]],
    stream: [["XTRIM", "stream", "MAXLEN", "7"], ["DEL", "stream"]],
    long: [["APPEND", "long", "x".repeat(3 << 20)], ["SET", "long", "other"]],
  };
  for (const [key, changes] of Object.entries(values)) {
    const look = ["DEBUG", "DIGEST-VALUE", key];
    const seen: Plain[] = [];
    const known = [plain(await client.run(...look))];
    for (const change of changes) {
      // The same is asked before the change has begun, meanwhile and after it.
      await client.sendCommands([look]);
      await other.sendCommands([change]);
      seen.push(plain(await client.readReply()));
      for (let i = 0; i < 4; i++) {
        seen.push(plain(await client.run(...look)));
        await client.run("DEBUG", "OBJECT", key);
      }
      assert((await other.readReply()).type !== "error", change[0]);
      known.push(plain(await client.run(...look)));
    }
    const texts = new Set(known.map((digest) => JSON.stringify(digest)));
    for (const digest of seen) assert(texts.has(JSON.stringify(digest)), key);
  }
});

suite("a digest of all beside those who change", async (client, server) => {
  using other = await server.client();
  using leaver = await server.client();
  await fill(client);
  const quiet = plain(await client.run("DEBUG", "DIGEST"));
  const whole = WORDS.map((word, i) => ["SET", `{${i % 50}}${word}`, word]);
  await leaver.sendCommands([["DEBUG", "DIGEST"]]);
  leaver.close();
  await client.sendCommands([["DEBUG", "DIGEST"]]);
  await other.pipeline(whole);
  await client.readReply();
  await client.sendCommands([["DEBUG", "DIGEST"]]);
  await other.pipeline(whole.map(([, key]) => ["UNLINK", key!]));
  await client.readReply();
  assertEquals(plain(await client.run("DEBUG", "DIGEST")), quiet);
  await client.sendCommands([["DEBUG", "DIGEST"]]);
  await other.run("FLUSHALL");
  await client.readReply();
  await settled(client);
  assertEquals(plain(await client.run("DEBUG", "DIGEST")), "0".repeat(40));
});

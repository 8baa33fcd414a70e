/**
 * Commands that take something of the first of very many keys that has it, or wait
 * until one has: they look for it, and begin to wait, in slices, and nothing that
 * comes meanwhile is missed.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { TestServer } from "../_harness.ts";
import { until } from "../_patience.ts";
import { Random } from "../_random.ts";
import type { Argument, Plain, TestClient } from "../_resp_client.ts";
import { heard } from "./_heard.ts";
import { ask } from "./_replies.ts";
import { slicesSuite, statistic } from "./_slices.ts";
import { Crowd, expectReply, type Waiting } from "./_waiting.ts";

/** As many keys of these commands are gone through in slices. */
const COUNT = 60;
/** Keys that take several turns. */
const MANY = 2500;

const more = ["--background-threshold-keys", "40"];
const { suite } = slicesSuite({ events: "KEAn", more });

const sliced = (client: TestClient) =>
  statistic(client, "sherd_sliced_commands");

/** Names of keys on all shards. */
const names = (count: number) =>
  Array.from({ length: count }, (_, i) => `key:${i}`);

const run = (client: TestClient, ...argv: Argument[]) => ask(client, argv);

const keys = names(COUNT);
const many = String(COUNT);

/** Clients whose commands wait in the queues of very many keys. */
class ManyCrowd extends Crowd {
  readonly #client: TestClient;

  constructor(server: TestServer, client: TestClient) {
    super(server, client, 2);
    this.#client = client;
  }

  /** Until it is in all queues: before, it waits as well. */
  override async send(
    waiting: Waiting,
    commands: readonly (readonly Argument[])[],
  ): Promise<void> {
    const before = await sliced(this.#client);
    await super.send(waiting, commands);
    await until(
      "the command is in all queues",
      async () =>
        await sliced(this.#client) > before &&
        await ask(this.#client, "DEBUG WAITERS") === COUNT,
    );
  }
}

/** What takes one element of a list, or a member, of the keys. */
const LISTS: readonly (readonly string[])[] = [
  ["BLPOP", ...keys, "0"],
  ["BRPOP", ...keys, "0"],
  ["BLMPOP", "0", many, ...keys, "LEFT"],
];
const ZSETS: readonly (readonly string[])[] = [
  ["BZPOPMIN", ...keys, "0"],
  ["BZPOPMAX", ...keys, "0"],
  ["BZMPOP", "0", many, ...keys, "MAX", "COUNT", "3"],
];

suite("the first of very many keys is served", async (client, server) => {
  const commands = [
    ["LMPOP", many, ...keys, "LEFT"],
    ["ZMPOP", many, ...keys, "MIN", "COUNT", "2"],
    ["BLPOP", ...keys, "0.001"],
    ["RPUSH", keys[50]!, "c", "d", "e", "f", "g"],
    ["RPUSH", keys[7]!, "a", "b"],
    ["LMPOP", many, ...keys, "RIGHT", "COUNT", "2"],
    ["ZMPOP", many, ...keys, "MIN"],
    ["LMPOP", "2", ...keys.slice(2), "LEFT"],
    ["LMPOP", many, ...keys, "LEFT", "COUNT", "0"],
    ["BLPOP", ...keys, "-1"],
    ["BLPOP", ...keys, ...keys, "0"],
    ...LISTS,
    ["ZADD", keys[3]!, "1", "m", "2", "n", "3", "o", "4", "p", "5", "q"],
    ["BRPOP", ...keys, "0"],
    ["ZMPOP", many, ...keys, "MAX"],
    ...ZSETS,
    ["RPUSH", keys[9]!, ..."abcdefgh"],
    ["LMPOP", many, ...keys, "LEFT", "COUNT", "7"],
    ["XADD", keys[1]!, "1-1", "f", "v"],
    ["XREAD", "BLOCK", "0", "STREAMS", ...keys, ...keys.map(() => "0")],
  ];
  const replies: Plain[] = [];
  const play = () =>
    heard(server, client, async () => {
      for (const argv of commands) {
        replies.push(await ask(client, argv).catch(String));
      }
      await client.run("DEL", ...keys);
    });
  const before = await sliced(client);
  const told = await play();
  assert(await sliced(client) >= before + 15);
  await client.run("CONFIG", "SET", "background-threshold-keys", "1000000");
  assertEquals(told, await play());
  await client.run("CONFIG", "SET", "background-threshold-keys", "40");
  assertEquals(replies.splice(commands.length), replies);
});

suite("very many keys are waited for", async (client, server) => {
  using crowd = new ManyCrowd(server, client);
  for (const argv of LISTS) {
    const first = await crowd.wait(...argv);
    const second = await crowd.waitElsewhere(first, ...argv);
    await run(client, "RPUSH", keys[40]!, "a");
    await run(client, "RPUSH", keys[2]!, "b");
    const isFlat = argv[0] !== "BLMPOP";
    await expectReply(first, [keys[40]!, isFlat ? "a" : ["a"]]);
    await expectReply(second, [keys[2]!, isFlat ? "b" : ["b"]]);
  }
  for (const argv of ZSETS) {
    const waiting = await crowd.wait(...argv);
    await run(client, "ZADD", keys[33]!, "1", "m");
    const member = argv[0] === "BZMPOP" ? [[["m", "1"]]] : ["m", "1"];
    await expectReply(waiting, [keys[33]!, ...member]);
  }
  assertEquals(await run(client, "EXISTS", ...keys), 0);
  await crowd.expectNobody();
});

suite("a wait for very many keys ends", async (client, server) => {
  using crowd = new ManyCrowd(server, client);
  const argv = LISTS[0]!;
  const unblocked = await crowd.wait(...argv);
  assertEquals(await run(client, "CLIENT", "UNBLOCK", unblocked.id), 1);
  await expectReply(unblocked, null);
  const late = await crowd.join();
  await late.client.sendCommands([["BLPOP", ...keys, "0.01"]]);
  await expectReply(late, null);
  const gone = await crowd.wait(...argv);
  gone.client.close();
  for (let i = 0; i < 4; i++) {
    // They may still be looking, or be on their way into the queues.
    const leaving = await crowd.join();
    await leaving.client.sendCommands([["BLPOP", ...names(MANY), "0"]]);
    if (i % 2 === 0) await run(client, "PING");
    leaving.client.close();
  }
  await crowd.expectNobody();
  const wrong = await crowd.wait(...argv);
  await run(client, "SET", keys[5]!, "v");
  await run(client, "DEL", keys[5]!);
  await run(client, "ZADD", keys[5]!, "1", "m");
  await run(client, "RPUSH", keys[6]!, "a");
  await expectReply(wrong, [keys[6]!, "a"]);
  await crowd.expectNobody();
});

suite("many elements are served in slices", async (client, server) => {
  using crowd = new ManyCrowd(server, client);
  const waiting = await crowd.wait(
    ...["BLMPOP", "0", many, ...keys, "LEFT", "COUNT", "8500"],
  );
  const elements = Array.from({ length: 9000 }, (_, i) => `element ${i}`);
  await run(client, "RPUSH", keys[20]!, ...elements);
  await expectReply(waiting, [keys[20]!, elements.slice(0, 8500)]);
  await run(client, "RPUSH", keys[20]!, ...elements.slice(0, 8500));
  const argv = ["LMPOP", many, ...keys, "RIGHT", "COUNT", "8500"];
  const taken = elements.slice(0, 8500).reverse();
  assertEquals(await run(client, ...argv), [keys[20]!, taken]);
  assertEquals(await run(client, "LLEN", keys[20]!), 500);
});

suite("entries of very many streams are waited for", async (client, server) => {
  using crowd = new ManyCrowd(server, client);
  await run(client, "XADD", keys[3]!, "1-1", "f", "old");
  const last = await crowd.wait(
    ...["XREAD", "BLOCK", "0", "STREAMS", ...keys, ...keys.map(() => "$")],
  );
  const behind = await crowd.wait(
    ...["XREAD", "COUNT", "1", "BLOCK", "0", "STREAMS", ...keys],
    ...keys.map(() => "2-0"),
  );
  await run(client, "XADD", keys[3]!, "1-2", "f", "v");
  await expectReply(last, [[keys[3]!, [["1-2", ["f", "v"]]]]]);
  await run(client, "XADD", keys[8]!, "2-0", "f", "v");
  await run(client, "XADD", keys[9]!, "2-1", "f", "v");
  await expectReply(behind, [[keys[9]!, [["2-1", ["f", "v"]]]]]);
  // Of a stream that is named twice the first ID counts, as in Redis 7.0.
  const twice = (...[first, second]: readonly string[]) => [
    ...["XREAD", "BLOCK", "0", "STREAMS", ...keys, keys[8]!, keys[3]!],
    ...[...keys.map(() => first!), second!, "9"],
  ];
  const greater = await crowd.wait(...twice("9", "2-0"));
  const latest = await crowd.wait(...twice("$", "9"));
  await run(client, "XADD", keys[8]!, "3-0", "f", "v");
  await expectReply(latest, [[keys[8]!, [["3-0", ["f", "v"]]]]]);
  await run(client, "XADD", keys[8]!, "9-1", "f", "v");
  await expectReply(greater, [[keys[8]!, [["9-1", ["f", "v"]]]]]);
  const atOnce = await crowd.join();
  await atOnce.client.sendCommands([twice("9-1", "3-0")]);
  await expectReply(atOnce, [[keys[8]!, [["9-1", ["f", "v"]]]]]);
  await crowd.expectNobody();
});

suite("nothing is missed by who begins to wait", async (client, server) => {
  using crowd = new ManyCrowd(server, client);
  const random = new Random(4417);
  const wide = names(300);
  const rounds = 25;
  const taken: string[] = [];
  const take = async (...argv: readonly string[]) => {
    const { client: own, reply } = await crowd.join();
    for (let i = 0; i < rounds; i++) {
      await own.sendCommands([argv]);
      taken.push(String(await reply()));
    }
  };
  const given: string[] = [];
  const give = async () => {
    const { client: own } = await crowd.join();
    for (let i = 0; i < 2 * rounds; i++) {
      const key = random.pick(wide);
      const element = String(given.length);
      given.push(`${key},${element}`);
      await run(own, "RPUSH", key, element);
    }
  };
  await Promise.all([
    take("BLPOP", ...wide, "0"),
    take("BRPOP", ...wide.toReversed(), "0"),
    take("BLMPOP", "0", "300", ...wide, "LEFT"),
    give(),
    give(),
  ]);
  assertEquals(new Set(taken).size, 3 * rounds);
  assert(taken.every((one) => given.includes(one)));
  let left = 0;
  for (const key of wide) left += await run(client, "LLEN", key) as number;
  assertEquals(left, given.length - taken.length);
  await crowd.expectNobody();
});

suite("very many streams are read for a group", async (client, server) => {
  const read = (...words: string[]) => (id: string) => [
    ...["XREADGROUP", "GROUP", "g", ...words, "STREAMS", ...keys],
    ...keys.map(() => id),
  ];
  const ids = (at: number, id: string) =>
    keys.map((_, i) => i === at ? id : ">");
  const entries = (key: string, count: number) =>
    Array.from(
      { length: count },
      (_, i) => ["XADD", key, `1-${i + 1}`, "f", key],
    );
  const fill = [
    ...keys.map((key) => ["XGROUP", "CREATE", key, "g", "0", "MKSTREAM"]),
    ...[4, 5, 30].flatMap((i) => entries(keys[i]!, i * 10)),
  ];
  const commands = [
    read("few", "COUNT", "3")(">"),
    read("many")(">"),
    read("many")("0"),
    read("few", "COUNT", "2")("0"),
    ["XADD", keys[7]!, "2-1", "f", "v"],
    read("silent", "NOACK")(">"),
    read("late", "BLOCK", "1")(">"),
    ["XREADGROUP", "GROUP", "g", "c", "STREAMS", ...keys, ...ids(9, "$")],
    ["XREADGROUP", "GROUP", "g", "c", "STREAMS", ...keys, ...ids(9, "x")],
    ["XREADGROUP", "GROUP", "none", "c", "STREAMS", ...keys, ...ids(9, ">")],
    ["XREADGROUP", "GROUP", "g", "c", "STREAMS", ...keys, ...ids(9, "0")],
    ["XADD", keys[8]!, "2-1", "f", "v"],
    [
      ...["XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", ...keys],
      ...[keys[8]!, ...keys.map(() => ">"), "0"],
    ],
    ["SET", keys[50]!, "v"],
    read("few")(">"),
    ["DEL", keys[50]!],
    read("few")(">"),
  ];
  const groups = async () => {
    const asked = keys.flatMap((key) => [
      ["XPENDING", key, "g"],
      ["XINFO", "GROUPS", key],
    ]);
    const replies = await client.pipeline(asked);
    return JSON.stringify(replies);
  };
  const play = async () => {
    const replies: Plain[] = [];
    const told = await heard(server, client, async () => {
      await client.pipeline(fill.slice(0, COUNT));
      replies.push(await ask(client, read("idle")(">")));
      await client.pipeline(fill.slice(COUNT));
      for (const argv of commands) {
        replies.push(await ask(client, argv).catch(String));
      }
    });
    const left = await groups();
    await client.run("DEBUG", "LOADAOF");
    assertEquals(await groups(), left);
    await client.run("DEL", ...keys);
    return { replies, told, left };
  };
  const before = await sliced(client);
  const many = await play();
  assert(await sliced(client) >= before + 13);
  await client.run("CONFIG", "SET", "background-threshold-keys", "1000000");
  const few = await play();
  await client.run("CONFIG", "SET", "background-threshold-keys", "40");
  assertEquals(many, few);
});

suite("very many streams are waited for by a group", async (client, server) => {
  using crowd = new ManyCrowd(server, client);
  for (const key of keys) {
    await run(client, "XGROUP", "CREATE", key, "g", "$", "MKSTREAM");
  }
  const argv = [
    ...["XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS"],
    ...[...keys, ...keys.map(() => ">")],
  ];
  const first = await crowd.wait(...argv);
  const second = await crowd.waitElsewhere(first, ...argv);
  await run(client, "XADD", keys[8]!, "1-1", "f", "v");
  await expectReply(first, [[keys[8]!, [["1-1", ["f", "v"]]]]]);
  await run(client, "DEL", keys[30]!);
  assert(/NOGROUP.*key:30/.test(String(await second.reply())));
  await crowd.expectNobody();
});

/**
 * Who waits with long arguments, which are prepared by who serves: names of keys, of
 * groups and consumers, on several shards and workers.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type Argument, plain } from "../_resp_client.ts";
import { until } from "../_patience.ts";
import { Random } from "../_random.ts";
import { assertNothingLost } from "./_long_values.ts";
import { ask } from "./_replies.ts";
import { settled, slicesSuite, statistic } from "./_slices.ts";
import { Crowd } from "./_waiting.ts";

const { suite } = slicesSuite();

/** A long name, another one for each number. */
const long = (i: number) => `${"n".repeat(70_000)}${i}`;

suite("what one with a long name waits for is moved to another", async (
  client,
  server,
) => {
  using crowd = new Crowd(server, client, client.resp);
  const { source, target } = { source: "short", target: long(1) };
  const first = await crowd.wait("BLMOVE", source, target, "LEFT", "LEFT", "0");
  const second = await crowd.waitElsewhere(
    first,
    ...["BLMOVE", source, target, "RIGHT", "RIGHT", "0"],
  );
  const third = await crowd.wait(
    "BLMOVE",
    target,
    long(2),
    "LEFT",
    "LEFT",
    "0",
  );
  assertEquals(await ask(client, ["RPUSH", source, "a", "b", "c"]), 3);
  const moved = await Promise.all([
    first.reply(),
    second.reply(),
    third.reply(),
  ]);
  assertEquals(moved.slice(0, 2), ["a", "c"]);
  assert(moved[2] === "a" || moved[2] === "c");
  for (const key of [source, target, long(2)]) {
    assertEquals(await ask(client, ["LLEN", key]), 1);
  }
  await crowd.expectNobody();
  await settled(client);
  assertEquals(await ask(client, "DEBUG LOADAOF"), "OK");
  assertEquals(await ask(client, ["LLEN", target]), 1);
  await client.run("DEL", source, target, long(2));
  await assertNothingLost(client, [source, target, long(2)]);
});

suite("a group with a long name is read when there is something", async (
  client,
  server,
) => {
  using crowd = new Crowd(server, client, client.resp);
  const [group, consumer] = [long(1), long(2)];
  const keys = Array.from({ length: 200 }, (_, i) => `stream:${i}`);
  for (const key of [...keys, long(3)]) {
    await client.run("XGROUP", "CREATE", key, group, "$", "MKSTREAM");
  }
  const reading = (...streams: string[]): Argument[] => [
    ...["XREADGROUP", "GROUP", group, consumer, "BLOCK", "0", "STREAMS"],
    ...streams,
    ...streams.map(() => ">"),
  ];
  const few = await crowd.wait(...reading("stream:1", long(3), "stream:2"));
  const many = await crowd.wait(...reading(...keys));
  for (
    const [waiting, key] of [[few, long(3)], [many, "stream:150"]] as const
  ) {
    await client.run("XADD", key, "5-5", "f", "v");
    const streams = await waiting.reply();
    const reply = JSON.stringify(
      streams instanceof Map ? [...streams] : streams,
    );
    assert(reply.includes("5-5") && reply.includes(key));
    const pending = await ask(client, ["XPENDING", key, group]);
    assert(JSON.stringify(pending).startsWith('[1,"5-5","5-5"'));
  }
  // Another group is none of theirs, whatever it has in common with it.
  const other = await crowd.wait(...reading("stream:3"));
  await client.run("XGROUP", "CREATE", "stream:3", long(4), "$");
  await client.run("XGROUP", "DESTROY", "stream:3", long(4));
  assert(await crowd.isBlocked(other));
  await client.run("XGROUP", "DESTROY", "stream:3", group);
  assert(String(await other.reply()).includes("NOGROUP"));
  await crowd.expectNobody();
  await settled(client);
  assertEquals(await ask(client, "DEBUG LOADAOF"), "OK");
  const after = await ask(client, ["XPENDING", "stream:150", group]);
  assert(JSON.stringify(after).startsWith('[1,"5-5","5-5"'));
  await client.run("DEL", ...keys, long(3));
  await assertNothingLost(client, [...keys, long(3)]);
});

suite("who waits with a long name may leave, or find its key locked", async (
  client,
  server,
) => {
  using crowd = new Crowd(server, client, client.resp);
  const target = long(5);
  const gone = await crowd.wait("BLMOVE", "s", target, "LEFT", "LEFT", "0");
  const stays = await crowd.wait("BLMOVE", "s", target, "LEFT", "LEFT", "0");
  gone.client.close();
  await until(
    "it has left",
    async () => await ask(client, "DEBUG WAITERS") === 1,
  );
  await client.run("DEBUG", "KEYLOCK", "TAKE", "h", "WRITE", target);
  await client.run("RPUSH", "s", "v");
  assert(await crowd.isBlocked(stays));
  await client.run("DEBUG", "KEYLOCK", "CLOSE", "h");
  assertEquals(await stays.reply(), "v");
  await crowd.expectNobody();
  await client.run("DEL", target);
  await assertNothingLost(client, ["s", target]);
});

suite("elements go round a ring of keys with long names", async (
  client,
  server,
) => {
  using crowd = new Crowd(server, client, client.resp);
  const ring = Array.from({ length: 4 }, (_, i) => long(i));
  const random = new Random(client.resp);
  const movers = await Promise.all(
    ring.map(async (from, i) => {
      const mover = await crowd.join();
      const to = ring[(i + 1) % ring.length]!;
      const moves = async () => {
        for (let n = 0; n < 12; n++) {
          const side = random.pick(["LEFT", "RIGHT"]);
          const moved = await ask(mover.client, [
            "BLMOVE",
            from,
            to,
            side,
            "LEFT",
            "0",
          ]);
          assert(/^e\d$/.test(String(moved)));
        }
      };
      return moves();
    }).concat([
      (async () => {
        for (let i = 0; i < 6; i++) {
          await client.run("RPUSH", random.pick(ring), `e${i}`);
        }
      })(),
    ]),
  );
  assertEquals(movers.length, ring.length + 1);
  const found: string[] = [];
  for (const key of ring) {
    found.push(...await ask(client, ["LRANGE", key, "0", "-1"]) as string[]);
  }
  const expected = Array.from({ length: 6 }, (_, i) => `e${i}`);
  assertEquals(found.sort(), expected);
  await client.run("DEL", ...ring);
  await assertNothingLost(client, ring);
});

suite("what very many keys have is found under a long name", async (client) => {
  const keys = Array.from({ length: 200 }, (_, i) => `none:${i}`);
  const name = long(6);
  for (const pop of ["BLPOP", "BRPOP"]) {
    await client.run("RPUSH", name, "v");
    const found = await ask(client, [pop, ...keys, name, "0"]) as string[];
    assert(found[0] === name && found[1] === "v");
  }
  await client.run("RPUSH", name, "a", "b");
  const count = String(keys.length + 1);
  const found = await ask(client, ["LMPOP", count, ...keys, name, "LEFT"]);
  assert(JSON.stringify(found) === JSON.stringify([name, ["a"]]));
  await client.run("DEL", name);
  await assertNothingLost(client, [name]);
});

suite("very many names of some length are gone through in slices", async (
  client,
) => {
  const names = Array.from(
    { length: 20 },
    (_, i) => `${"m".repeat(60_000)}${i}`,
  );
  const slices = () => statistic(client, "sherd_sliced_commands");
  const before = await slices();
  const pairs = names.flatMap((name, i) => [name, `${i}`]);
  const replies = await client.pipeline([
    ["MSETNX", ...pairs],
    ["MGET", ...names],
    ["EXISTS", ...names],
    ["DEL", ...names],
  ]);
  const values = names.map((_, i) => `${i}`);
  assertEquals(replies.map(plain), [1, values, 20, 20]);
  assertEquals(await slices(), before + 4);
  assertEquals(await ask(client, ["XADD", "x", "1-1", ...pairs]), "1-1");
  const [[, fields]] = await ask(client, "XRANGE x - +") as [
    [string, string[]],
  ];
  assert(fields.join() === pairs.join());
  await client.run("DEL", "x");
  await assertNothingLost(client, names);
});

suite(
  "several who wait for one key are served with long elements at once",
  async (client, server) => {
    using crowd = new Crowd(server, client, client.resp);
    const key = "k".repeat(60_000);
    const other = "o".repeat(60_000);
    // Beside each other: replies that are sent later, at once, and from the arena.
    const lengths = [50_000, 60_000, 10, 70_000, 20_000, 60_000];
    const elements = lengths.map((length, i) => `${i}`.repeat(length));
    const first = await crowd.wait("BLPOP", other, key, "0");
    const waiting = [first];
    for (let i = 1; i < elements.length; i++) {
      const argv = ["BLPOP", key, other, "0"];
      waiting.push(
        i === 1
          ? await crowd.waitElsewhere(first, ...argv)
          : await crowd.wait(...argv),
      );
    }
    const pushed = await ask(client, ["RPUSH", key, ...elements]);
    assertEquals(pushed, elements.length);
    for (const [i, each] of waiting.entries()) {
      const [name, element] = await each.reply() as string[];
      assert(name === key && element === elements[i]);
      assertEquals(await ask(each.client, ["PING", `${i}`]), `${i}`);
    }
    assertEquals(await ask(client, ["EXISTS", key, other]), 0);
    await crowd.expectNobody();
    await assertNothingLost(client, [key, other]);
  },
);

/**
 * Commands that have waited and then find very much: they take it in slices as
 * those do that need not wait, and what is promised of waiting holds.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import type { TestServer } from "../_harness.ts";
import { type Plain, plain, type TestClient } from "../_resp_client.ts";
import { settled, slicesSuite, statistic } from "./_slices.ts";
import { Crowd, until, type Waiting } from "./_waiting.ts";

const K = "{a}key";
const OTHER = "{a}other";
const NONE = "{b}none";
/** Elements of a list, each of which has a node of its own. */
const LENGTH = 3001;
const elements = Array.from({ length: LENGTH }, (_, i) => `element:${i}`);
const scored = elements.flatMap((member, i) => [String(i >> 2), member]);
/** As a sorted set has them. */
const inOrder = elements
  .map((member, i) => ({ member, score: i >> 2 }))
  .sort((a, b) => a.score - b.score || (a.member < b.member ? -1 : 1))
  .map(({ member }) => member);
const ENTRIES = 2400;

const { suite } = slicesSuite({ events: "" });

const sliced = (client: TestClient) =>
  statistic(client, "sherd_sliced_commands");

/** Commands that are one for those who wait. */
function atOnce(
  client: TestClient,
  ...commands: (readonly string[])[]
): Promise<unknown> {
  return client.pipeline([["MULTI"], ...commands, ["EXEC"]]);
}

/** Clients that wait, on the worker of the one who asks and on another. */
async function withCrowd(
  client: TestClient,
  server: TestServer,
  body: (crowd: Crowd, here: number) => Promise<void>,
): Promise<void> {
  await client.run("CONFIG", "SET", "list-max-listpack-size", "1");
  {
    using crowd = new Crowd(server, client, client.resp);
    await body(crowd, Number(plain(await client.run("DEBUG", "WORKER"))));
    await crowd.expectNobody();
  }
  await client.run("CONFIG", "SET", "list-max-listpack-size", "-2");
}

/** What is waited for, and what gives the same without waiting. */
interface Case {
  readonly wait: readonly string[];
  readonly direct: readonly string[];
  /** Before the wait begins. */
  readonly before?: readonly (readonly string[])[];
  readonly fill: readonly (readonly string[])[];
  /** Whether it is done in slices; else its reply is what takes long. */
  readonly isSliced: boolean;
}

const list = [["RPUSH", K, ...elements]];
const zset = [["ZADD", K, ...scored]];
const stream = Array.from({ length: ENTRIES }, (_, i) => [
  ...["XADD", K, `${i + 1}-1`, "field", `value:${i}`],
]);
const groups = [
  ["XGROUP", "CREATE", K, "group", "0", "MKSTREAM"],
  ["XGROUP", "CREATE", K, "group2", "0"],
];

function pops(name: string, side: string, count: number): Case {
  const rest = ["2", NONE, K, side, "COUNT", `${count}`];
  return {
    wait: [`B${name}`, "0", ...rest],
    direct: [name, ...rest],
    fill: name === "LMPOP" ? list : zset,
    isSliced: count < LENGTH,
  };
}

const CASES: readonly Case[] = [
  pops("LMPOP", "LEFT", LENGTH - 1),
  pops("LMPOP", "RIGHT", 2500),
  pops("LMPOP", "LEFT", LENGTH),
  pops("LMPOP", "RIGHT", 10_000),
  pops("ZMPOP", "MIN", 2500),
  pops("ZMPOP", "MAX", LENGTH - 1),
  pops("ZMPOP", "MAX", 10_000),
  {
    wait: ["XREAD", "BLOCK", "0", "STREAMS", NONE, K, "0", "$"],
    direct: ["XREAD", "STREAMS", NONE, K, "0", "0"],
    fill: stream,
    isSliced: false,
  },
  {
    wait: ["XREAD", "COUNT", "2300", "BLOCK", "0", "STREAMS", K, "0"],
    direct: ["XREAD", "COUNT", "2300", "STREAMS", K, "0"],
    fill: stream,
    isSliced: false,
  },
  ...[[], ["NOACK"]].map((mode) => ({
    wait: ["XREADGROUP", "GROUP", "group", "c", "BLOCK", "0", ...mode]
      .concat("STREAMS", K, ">"),
    direct: ["XREADGROUP", "GROUP", "group2", "c", "STREAMS", K, ">"],
    before: groups,
    fill: stream,
    isSliced: true,
  })),
];

suite("they reply and leave what they do without waiting", async (
  client,
  server,
) => {
  await withCrowd(client, server, async (crowd, here) => {
    const waiters = [await crowd.joinAt(here)];
    waiters.push(await crowd.joinElsewhere(waiters[0]!));
    for (const { wait, direct, before = [], fill, isSliced } of CASES) {
      const name = wait.slice(0, 6).join(" ");
      const empty = async () => {
        await client.run("DEL", K);
        for (const argv of before) await client.run(...argv);
      };
      await empty();
      await atOnce(client, ...fill);
      const expected = (await client.runRaw(...direct)).slice();
      const digest = ["DEBUG", "DIGEST-VALUE", K];
      const left = plain(await client.run(...digest));
      for (const waiter of waiters) {
        await empty();
        await crowd.send(waiter, [wait]);
        const count = await sliced(client);
        await atOnce(client, ...fill);
        const { raw } = await waiter.client.readFrame();
        assertEquals(raw.length, expected.length, name);
        assert(raw.every((byte, i) => byte === expected[i]), name);
        assertEquals(await sliced(client) - count, isSliced ? 1 : 0, name);
        if (before.length > 0) continue;
        assertEquals(plain(await client.run(...digest)), left, name);
      }
      const now = plain(await client.run(...digest));
      assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
      assertEquals(plain(await client.run(...digest)), now, name);
    }
  });
});

/** What a waiting client has taken, in order. */
async function taken(waiter: Waiting): Promise<Plain[]> {
  const [key, got] = await waiter.reply() as [Plain, Plain | Plain[]];
  assertEquals(key, K);
  return [got].flat();
}

suite("who waits longest is served first", async (client, server) => {
  await withCrowd(client, server, async (crowd, here) => {
    const first = await crowd.joinAt(here);
    const second = await crowd.joinElsewhere(first);
    const rest = [await crowd.join(), await crowd.join()];
    const wait = (count: number) =>
      ["BLMPOP", "0", "1", K, "LEFT"]
        .concat("COUNT", `${count}`);
    await crowd.send(first, [wait(1200)]);
    await crowd.send(second, [wait(1300)]);
    await crowd.send(rest[0]!, [["BLPOP", NONE, K, "0"]]);
    await crowd.send(rest[1]!, [wait(400)]);
    await atOnce(client, ...list);
    const all: Plain[] = [];
    for (const waiter of [first, second, ...rest]) {
      all.push(...await taken(waiter));
    }
    assertEquals(all, elements.slice(0, 2901));
    const left = plain(await client.run("LRANGE", K, "0", "-1"));
    assertEquals(left, elements.slice(2901));
    await client.run("DEL", K);
  });
});

suite("the leftmost key is taken from", async (client, server) => {
  await withCrowd(client, server, async (crowd) => {
    const waiter = await crowd.join();
    const wait = ["BLMPOP", "0", "3", NONE, OTHER, K, "LEFT"];
    await crowd.send(waiter, [[...wait, "COUNT", "2000"]]);
    const fill = ["RPUSH", OTHER, ...elements];
    await atOnce(client, ...list, fill);
    const [key, got] = await waiter.reply() as [Plain, Plain[]];
    assertEquals([key, got], [OTHER, elements.slice(0, 2000)]);
    assertEquals(plain(await client.run("LLEN", K)), LENGTH);
    assertEquals(plain(await client.run("LLEN", OTHER)), LENGTH - 2000);
  });
});

suite("others are served between slices", async (client, server) => {
  await withCrowd(client, server, async (crowd) => {
    const waiter = await crowd.join();
    await client.run("SET", OTHER, "here");
    const wait = ["BLMPOP", "0", "1", K, "LEFT", "COUNT", `${LENGTH - 1}`];
    await until("a GET came in between", async () => {
      await client.run("DEL", K);
      await crowd.send(waiter, [wait]);
      const replies = await client.pipeline([
        ["MULTI"],
        ...list,
        ["EXEC"],
        ["LOCKS", "LIST"],
        ["GET", OTHER],
        ["LOCKS", "LIST"],
      ]);
      const [before, got, after] = replies.slice(3).map(plain);
      assertEquals(got, "here");
      assertEquals(await taken(waiter), elements.slice(0, -1));
      return (before as Plain[]).length > 0 && (after as Plain[]).length > 0;
    });
  });
});

suite("what one got who has left goes back, in order", async (
  client,
  server,
) => {
  await withCrowd(client, server, async (crowd, here) => {
    const sliceCases = CASES.slice(0, 7).filter(({ isSliced }) => isSliced);
    for (const { wait, fill } of sliceCases) {
      const isList = wait[0] === "BLMPOP";
      const order = isList ? elements : inOrder;
      const isFirst = /LEFT|MIN/.test(wait[5]!);
      const count = Number(wait.at(-1));
      const rest = isFirst ? order.slice(count) : order.slice(0, -count);
      for (const isHere of [true, false]) {
        await until("it was served, and all is back", async () => {
          await client.run("DEL", K);
          const waiter = isHere
            ? await crowd.joinAt(here)
            : await crowd.joinElsewhere({ worker: here } as Waiting);
          await crowd.send(waiter, [wait]);
          const before = await sliced(client);
          const filling = atOnce(client, ...fill);
          waiter.client.close();
          await filling;
          await crowd.expectNobody();
          await settled(client);
          const all = [isList ? "LRANGE" : "ZRANGE", K, "0", "-1"];
          const left = plain(await client.run(...all)) as Plain[];
          // Its socket may have had the reply before its end was known.
          assertEquals(left, left.length === LENGTH ? order : rest);
          return await sliced(client) > before && left.length === LENGTH;
        });
      }
    }
    await client.run("DEL", K);
  });
});

suite("CLIENT UNBLOCK finds it waiting or served", async (client, server) => {
  await withCrowd(client, server, async (crowd) => {
    using unblocker = await server.client();
    for (let round = 0; round < 6; round++) {
      await client.run("DEL", K);
      const waiter = await crowd.join();
      await crowd.send(waiter, [CASES[round % 2]!.wait]);
      const filling = atOnce(client, ...list);
      const unblock = ["CLIENT", "UNBLOCK", `${waiter.id}`];
      const ended = plain(await unblocker.run(...unblock));
      await filling;
      const reply = await waiter.reply();
      assertEquals(reply === null, ended === 1);
      const got = reply === null ? 0 : (reply as [Plain, Plain[]])[1].length;
      await until("the rest is there", async () => {
        return plain(await client.run("LLEN", K)) === LENGTH - got;
      });
      // The connection goes on.
      assertEquals(plain(await waiter.client.run("PING")), "PONG");
    }
  });
});

suite("each element goes to one client, in the order of pushing", async (
  client,
  server,
) => {
  const pushers = 3;
  const rounds = 3;
  const each = 1500;
  const all = pushers * rounds * each;
  await withCrowd(client, server, async () => {
    let got = 0;
    const taken: string[][] = [];
    const pop = async (number: number) => {
      using popper = await server.client();
      const count = `${1100 + 57 * number}`;
      while (got < all) {
        const wait = ["BLMPOP", "0.02", "2", NONE, K, "LEFT", "COUNT", count];
        const reply = plain(await popper.run(...wait));
        if (reply === null) continue;
        const [, elements] = reply as [string, string[]];
        got += elements.length;
        taken.push(elements);
      }
    };
    const push = async (number: number) => {
      using pusher = await server.client();
      for (let round = 0; round < rounds; round++) {
        const names = Array.from(
          { length: each },
          (_, i) => `${number}:${round * each + i}`,
        );
        await atOnce(pusher, ["RPUSH", K, ...names]);
      }
    };
    await Promise.all([
      ...Array.from({ length: 5 }, (_, i) => pop(i)),
      ...Array.from({ length: pushers }, (_, i) => push(i)),
    ]);
    assertEquals(new Set(taken.flat()).size, all);
    assertEquals(got, all);
    for (const elements of taken) {
      for (let pusher = 0; pusher < pushers; pusher++) {
        const own = elements.filter((name) => name.startsWith(`${pusher}:`))
          .map((name) => Number(name.slice(2)));
        assert(own.every((n, i) => i === 0 || n === own[i - 1]! + 1));
      }
    }
    assertEquals(plain(await client.run("EXISTS", K)), 0);
  });
});

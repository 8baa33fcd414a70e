import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { Redis } from "npm:ioredis@5.11.1";
import { sharedServers, startServer, type TestServer } from "../_harness.ts";
import { nextEvent, pattern } from "./_support.ts";

const PASSWORD = "correct horse";

let open: TestServer;
let guarded: TestServer;
sharedServers(async (stack) => {
  open = stack.use(await startServer({ workers: 2 }));
  guarded = stack.use(
    await startServer({ workers: 1, args: ["--requirepass", PASSWORD] }),
  );
});

/** Runs the body with a connected client, and waits until it is gone. */
async function withClient(
  server: () => TestServer,
  settings: Record<string, unknown>,
  body: (redis: Redis) => Promise<void>,
): Promise<void> {
  const redis = new Redis({
    host: "127.0.0.1",
    port: server().port,
    ...settings,
  });
  redis.on("error", () => {}); // every failure shows in a rejected command
  try {
    await body(redis);
  } finally {
    if (redis.status !== "end") {
      const ended = nextEvent(redis, "end");
      redis.disconnect();
      await ended;
    }
  }
}

/** A test on the server without a password, starting with no keys. */
function clientTest(
  name: string,
  body: (redis: Redis) => Promise<void>,
  settings: Record<string, unknown> = {},
): void {
  Deno.test(`ioredis: ${name}`, () =>
    withClient(() => open, settings, async (redis) => {
      await redis.flushall();
      await body(redis);
    }));
}

clientTest("connects and runs commands one by one", async (redis) => {
  assertEquals(await redis.set("k", "v", "EX", 100), "OK");
  assertEquals(await redis.get("k"), "v");
  assert(await redis.ttl("k") > 90);
  assertEquals(await redis.mget("k", "missing"), ["v", null]);
  assertEquals(await redis.incrby("n", 41), 41);
  assertEquals(await redis.incr("n"), 42);
  await assertRejects(() => redis.incr("k"), Error, "not an integer");
});

clientTest("a pipeline returns every reply in order", async (redis) => {
  const pipeline = redis.pipeline();
  for (let i = 0; i < 2000; i++) pipeline.set(`k:${i}`, i).get(`k:${i}`);
  const replies = await pipeline.exec();
  assertEquals(replies!.length, 4000);
  replies!.forEach(([error, reply], i) => {
    assertEquals(error, null);
    assertEquals(reply, i % 2 === 0 ? "OK" : String((i - 1) / 2));
  });
});

clientTest("a pipeline goes on after an error reply", async (redis) => {
  const replies = await redis.pipeline()
    .set("text", "x").incr("text").get("text").exec();
  assertEquals(replies![0], [null, "OK"]);
  assert(replies![1]![0] instanceof Error);
  assertEquals(replies![2], [null, "x"]);
});

clientTest("commands of one turn are pipelined", async (redis) => {
  const sums = await Promise.all(
    Array.from({ length: 500 }, () => redis.incr("n")),
  );
  assertEquals(sums, Array.from({ length: 500 }, (_, i) => i + 1));
}, { enableAutoPipelining: true });

clientTest("binary values of 1 MB come back whole", async (redis) => {
  const values = [1, 2, 3].map((seed) => pattern(1 << 20, seed));
  await Promise.all(values.map((value, i) => redis.set(`big:${i}`, value)));
  const back = await redis.mgetBuffer("big:0", "big:1", "big:2");
  values.forEach((value, i) => assert(value.equals(back[i]!)));
  assertEquals(await redis.append("big:0", values[1]!), 2 << 20);
  const seam = await redis.getrangeBuffer("big:0", (1 << 20) - 2, 1 << 20);
  assertEquals([...seam], [
    ...values[0]!.subarray(-2),
    values[1]![0]!,
  ]);
});

clientTest("binary keys are told apart", async (redis) => {
  const keys = [[0], [0, 0], [13, 10], [255, 254]].map((b) => Buffer.from(b));
  for (const [i, key] of keys.entries()) await redis.set(key, i);
  const back = await Promise.all(keys.map((key) => redis.get(key)));
  assertEquals(back, ["0", "1", "2", "3"]);
  assertEquals(await redis.dbsize(), 4);
});

clientTest("scanStream finds every key", async (redis) => {
  const names = Array.from({ length: 1000 }, (_, i) => `scan:${i}`);
  await redis.mset(names.flatMap((name) => [name, "x"]));
  const found = new Set<string>();
  for await (const keys of redis.scanStream({ match: "scan:*", count: 50 })) {
    for (const key of keys as string[]) found.add(key);
  }
  assertEquals([...found].sort(), names.sort());
});

clientTest("reconnects after CLIENT KILL", async (redis) => {
  await redis.client("SETNAME", "victim");
  const id = await redis.client("ID");
  await withClient(() => open, {}, async (killer) => {
    const ready = nextEvent(redis, "ready");
    assertEquals(await killer.client("KILL", "ID", id), 1);
    await ready;
  });
  assertEquals(await redis.set("after", "1"), "OK");
  assert(await redis.client("ID") > id);
}, { retryStrategy: () => 1 });

clientTest("blocking consumers get every job once", async (redis) => {
  const jobs = Array.from({ length: 60 }, (_, i) => `job:${i}`);
  const done: string[] = [];
  const consumers = Array.from(
    { length: 5 },
    () =>
      withClient(() => open, {}, async (consumer) => {
        for (;;) {
          const got = await consumer.blpop("jobs:a", "jobs:b", 60);
          if (got === null || got[1] === "end") return;
          done.push(got[1]);
        }
      }),
  );
  for (const [i, job] of jobs.entries()) {
    await redis.rpush(i % 2 === 0 ? "jobs:a" : "jobs:b", job);
  }
  await redis.rpush("jobs:b", ...Array.from({ length: 5 }, () => "end"));
  await Promise.all(consumers);
  assertEquals(done.sort(), jobs.sort());
});

clientTest("a reliable queue moves jobs and keeps them", async (redis) => {
  const done: string[] = [];
  const consumers = Array.from(
    { length: 4 },
    (_, i) =>
      withClient(() => open, {}, async (consumer) => {
        for (;;) {
          const own = `doing:${i}`;
          const job = await consumer.blmove("jobs", own, "LEFT", "RIGHT", 60);
          if (job === null || job === "end") return;
          done.push(job);
          await consumer.lrem(own, 1, job);
        }
      }),
  );
  const jobs = Array.from({ length: 40 }, (_, i) => `job:${i}`);
  for (const job of jobs) await redis.rpush("jobs", job);
  await redis.rpush("jobs", ...consumers.map(() => "end"));
  await Promise.all(consumers);
  assertEquals(done.sort(), jobs.sort());
  assertEquals(await redis.llen("jobs"), 0);
  assertEquals(await redis.lrange("doing:0", 0, -1), ["end"]);
});

clientTest("a delayed queue is popped by score", async (redis) => {
  const got: string[] = [];
  const consumer = withClient(() => open, {}, async (consumer) => {
    while (got.length < 6) {
      const popped = await consumer.bzpopmin("z:a", "z:b", 60);
      got.push(popped!.join(" "));
    }
  });
  await redis.multi().zadd("z:b", 3, "c", 1, "a").zadd("z:a", 2.5, "b").exec();
  await redis.zadd("z:b", "-inf", "first", 7, "d", 9, "e");
  await consumer;
  assertEquals(got.length, 6);
  assertEquals(new Set(got.map((text) => text.split(" ")[1])).size, 6);
  assertEquals(await redis.exists("z:a", "z:b"), 0);
});

clientTest("consumers of a group share a stream", async (redis) => {
  await redis.xgroup("CREATE", "s", "g", "$", "MKSTREAM");
  const seen: string[] = [];
  const consumers = ["one", "two", "three"].map((name) =>
    withClient(() => open, {}, async (consumer) => {
      for (;;) {
        const read = await consumer.call(
          ...["XREADGROUP", "GROUP", "g", name, "COUNT", "1"] as const,
          ...["BLOCK", "60000", "STREAMS", "s", ">"],
        ) as [string, [string, [string, string]][]][];
        const [id, [, job]] = read[0]![1][0]!;
        await consumer.xack("s", "g", id);
        if (job === "end") return;
        seen.push(job);
      }
    })
  );
  for (let i = 0; i < 30; i++) await redis.xadd("s", "*", "job", i);
  for (const _ of consumers) await redis.xadd("s", "*", "job", "end");
  await Promise.all(consumers);
  assertEquals(seen.map(Number).sort((a, b) => a - b), [...Array(30).keys()]);
  const pending = await redis.xpending("s", "g") as unknown[];
  assertEquals(pending[0], 0);
});

clientTest("one who disconnects while it waits takes no job", async (redis) => {
  for (let i = 0; i < 10; i++) {
    await withClient(() => open, {}, async (consumer) => {
      const waiting = consumer.blpop("jobs", 0).catch(() => null);
      while (!/blocked_clients:1\r/.test(await redis.info("clients"))) {
        await new Promise((wake) => setTimeout(wake, 1));
      }
      consumer.disconnect();
      await waiting;
    });
    while (!/blocked_clients:0\r/.test(await redis.info("clients"))) {
      await new Promise((wake) => setTimeout(wake, 1));
    }
    await redis.rpush("jobs", i);
    assertEquals(await redis.blpop("jobs", 1), ["jobs", `${i}`]);
  }
});

clientTest("subscribers get the messages of their channels", async (redis) => {
  await withClient(() => open, {}, async (subscriber) => {
    const got: string[] = [];
    const complete = new Promise<void>((resolve) => {
      const add = (text: string) => {
        if (got.push(text) === 300) resolve();
      };
      subscriber.on("message", (channel, text) => add(`${channel} ${text}`));
      subscriber.on(
        "pmessage",
        (pattern, channel, text) => add(`${pattern} ${channel} ${text}`),
      );
    });
    await subscriber.subscribe("c");
    await subscriber.psubscribe("c*");
    for (let i = 0; i < 150; i++) {
      assertEquals(await redis.publish("c", `${i}`), 2);
    }
    await complete;
    assertEquals(
      got,
      Array.from({ length: 150 }, (_, i) => [`c ${i}`, `c* c ${i}`]).flat(),
    );
  });
});

clientTest("a stream's reader waits for its entries", async (redis) => {
  const read = redis.xread("BLOCK", 60000, "STREAMS", "s", "$");
  await withClient(() => open, {}, async (writer) => {
    while (!/blocked_clients:1\r/.test(await writer.info("clients"))) {
      await new Promise((wake) => setTimeout(wake, 5));
    }
    await writer.xadd("s", "1-1", "f", "v");
  });
  assertEquals(await read, [["s", [["1-1", ["f", "v"]]]]]);
});

Deno.test("ioredis: AUTH with the right password", () =>
  withClient(() => guarded, { password: PASSWORD }, async (redis) => {
    assertEquals(await redis.set("k", "v"), "OK");
    assertEquals(await redis.get("k"), "v");
  }));

Deno.test("ioredis: AUTH with a wrong password is refused", () =>
  withClient(
    () => guarded,
    { password: "wrong", retryStrategy: () => null, enableReadyCheck: false },
    async (redis) => {
      await assertRejects(() => redis.get("k"), Error, "WRONGPASS");
    },
  ));

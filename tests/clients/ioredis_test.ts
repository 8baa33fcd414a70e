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
          const got = await consumer.blpop("jobs:a", "jobs:b", 5);
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

clientTest("a stream's reader waits for its entries", async (redis) => {
  const read = redis.xread("BLOCK", 5000, "STREAMS", "s", "$");
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

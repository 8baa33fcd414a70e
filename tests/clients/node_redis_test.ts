import { assert, assertEquals, assertRejects } from "@std/assert";
import { Buffer } from "node:buffer";
import { createClient, RESP_TYPES } from "npm:redis@5.12.1";
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

type Protocol = 2 | 3;

function makeClient(server: TestServer, RESP: Protocol, password?: string) {
  const client = createClient({
    RESP,
    ...(password === undefined ? {} : { password }),
    socket: {
      host: "127.0.0.1",
      port: server.port,
      reconnectStrategy: password === undefined ? () => 1 : false,
    },
  });
  client.on("error", () => {}); // every failure shows in a rejected command
  return client;
}

type Client = ReturnType<typeof makeClient>;

/** Replies have no prototypes, which comparisons would mind. */
function plainOf(reply: unknown): unknown {
  return JSON.parse(JSON.stringify(reply));
}

/** A test on the server without a password, starting with no keys. */
function clientTest(
  name: string,
  body: (client: Client, resp: Protocol) => Promise<void>,
): void {
  for (const resp of [2, 3] as const) {
    Deno.test(`node-redis: ${name} (RESP${resp})`, async () => {
      const client = makeClient(open, resp);
      await client.connect();
      try {
        await client.flushAll();
        await body(client, resp);
      } finally {
        await client.close();
      }
    });
  }
}

clientTest("connects and runs commands one by one", async (client) => {
  assertEquals(
    await client.set("k", "v", { expiration: { type: "EX", value: 100 } }),
    "OK",
  );
  assertEquals(await client.get("k"), "v");
  assert(await client.ttl("k") > 90);
  assertEquals(await client.mGet(["k", "missing"]), ["v", null]);
  assertEquals(await client.incrBy("n", 42), 42);
  assertEquals(await client.set("k", "w", { condition: "NX" }), null);
  await assertRejects(() => client.incr("k"), Error, "not an integer");
});

clientTest("commands of one turn are pipelined", async (client) => {
  const replies = await Promise.all(
    Array.from({ length: 2000 }, (_, i) => [
      client.set(`k:${i}`, String(i)),
      client.get(`k:${i}`),
    ]).flat(),
  );
  replies.forEach((reply, i) =>
    assertEquals(reply, i % 2 === 0 ? "OK" : String((i - 1) / 2))
  );
});

clientTest("a pipeline returns every reply in order", async (client) => {
  const replies = await client.multi()
    .set("a", "1").incr("a").get("a").mGet(["a", "b"]).execAsPipeline();
  assertEquals(replies as unknown[], ["OK", 2, "2", ["2", null]]);
});

clientTest("binary values of 1 MB come back whole", async (client) => {
  const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  const values = [1, 2, 3].map((seed) => pattern(1 << 20, seed));
  await Promise.all(values.map((value, i) => client.set(`big:${i}`, value)));
  const back = await binary.mGet(["big:0", "big:1", "big:2"]);
  values.forEach((value, i) =>
    assert(value.equals(back[i] as unknown as Buffer))
  );
});

clientTest("binary keys are told apart", async (client) => {
  const keys = [[0], [0, 0], [13, 10], [255, 254]].map((b) => Buffer.from(b));
  for (const [i, key] of keys.entries()) await client.set(key, String(i));
  assertEquals(await client.mGet(keys), ["0", "1", "2", "3"]);
  assertEquals(await client.dbSize(), 4);
});

clientTest("scanIterator finds every key", async (client) => {
  const names = Array.from({ length: 1000 }, (_, i) => `scan:${i}`);
  await client.mSet(names.map((name) => [name, "x"] as [string, string]));
  const found = new Set<string>();
  for await (
    const keys of client.scanIterator({ MATCH: "scan:*", COUNT: 50 })
  ) {
    for (const key of keys) found.add(key);
  }
  assertEquals([...found].sort(), names.sort());
});

clientTest("blocking consumers get every job once", async (client, resp) => {
  const jobs = Array.from({ length: 60 }, (_, i) => `job:${i}`);
  const done: string[] = [];
  const consumers = Array.from({ length: 5 }, async () => {
    const consumer = makeClient(open, resp);
    await consumer.connect();
    for (;;) {
      const got = await consumer.blPop(["jobs:a", "jobs:b"], 60);
      if (got === null || String(got.element) === "end") break;
      done.push(String(got.element));
    }
    await consumer.close();
  });
  for (const [i, job] of jobs.entries()) {
    await client.rPush(i % 2 === 0 ? "jobs:a" : "jobs:b", job);
  }
  await client.rPush("jobs:b", Array.from({ length: 5 }, () => "end"));
  await Promise.all(consumers);
  assertEquals(done.sort(), jobs.sort());
});

clientTest("other blocking commands", async (client, resp) => {
  const consumer = makeClient(open, resp);
  await consumer.connect();
  const waits = [
    [
      () => consumer.blMove("l", "m", "LEFT", "RIGHT", 60),
      () => client.rPush("l", "x"),
      "x",
    ],
    [
      () => consumer.blmPop(60, ["none", "l"], "RIGHT", { COUNT: 2 }),
      () => client.rPush("l", ["a", "b", "c"]),
      ["l", ["c", "b"]],
    ],
    [
      () => consumer.bzPopMin(["none", "z"], 60),
      () => client.zAdd("z", { score: 1.5, value: "m" }),
      { key: "z", value: "m", score: 1.5 },
    ],
    [
      () => consumer.bzmPop(60, ["z", "none"], "MAX"),
      () => client.zAdd("z", { score: 2, value: "n" }),
      { key: "z", members: [{ value: "n", score: 2 }] },
    ],
  ] as const;
  for (const [wait, give, expected] of waits) {
    await client.del(["l", "m", "z"]);
    const waiting = wait();
    while (!/blocked_clients:1\r/.test(await client.info("clients"))) {
      await new Promise((wake) => setTimeout(wake, 1));
    }
    await give();
    assertEquals(plainOf(await waiting), expected as unknown);
  }
  assertEquals(await consumer.blPop("none", 0.01), null);
  await consumer.close();
});

clientTest("a subscriber gets its messages", async (client, resp) => {
  const subscriber = makeClient(open, resp);
  await subscriber.connect();
  const got: string[] = [];
  await subscriber.subscribe("c", (text) => void got.push(text));
  await subscriber.pSubscribe("c*", (text) => void got.push(`p${text}`));
  await subscriber.sSubscribe("c", (text) => void got.push(`s${text}`));
  for (let i = 0; i < 50; i++) {
    assertEquals(await client.publish("c", `${i}`), 2);
    assertEquals(await client.sPublish("c", `${i}`), 1);
  }
  while (got.length < 150) await new Promise((wake) => setTimeout(wake, 1));
  const numbers = [...Array(50).keys()].map(String);
  for (const kind of ["p", "s"]) {
    const own = got.filter((text) => text.startsWith(kind));
    assertEquals(own, numbers.map((number) => kind + number));
  }
  assertEquals(got.filter((text) => /^\d/.test(text)), numbers);
  await subscriber.close();
});

clientTest("reconnects after CLIENT KILL", async (client, resp) => {
  await client.clientSetName("victim");
  const id = await client.clientId();
  const killer = makeClient(open, resp);
  await killer.connect();
  const ready = nextEvent(client, "ready");
  assertEquals(
    Number(await killer.sendCommand(["CLIENT", "KILL", "ID", `${id}`])),
    1,
  );
  await ready;
  await killer.close();
  assertEquals(await client.set("after", "1"), "OK");
  assert(await client.clientId() > id);
});

for (const resp of [2, 3] as const) {
  Deno.test(`node-redis: AUTH with the right password (RESP${resp})`, async () => {
    const client = makeClient(guarded, resp, PASSWORD);
    await client.connect();
    assertEquals(await client.set("k", "v"), "OK");
    assertEquals(await client.get("k"), "v");
    await client.close();
  });

  Deno.test(`node-redis: AUTH with a wrong password is refused (RESP${resp})`, async () => {
    const client = makeClient(guarded, resp, "wrong");
    await assertRejects(() => client.connect(), Error, "WRONGPASS");
    if (client.isOpen) client.destroy();
  });
}

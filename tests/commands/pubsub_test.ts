import { assert, assertEquals } from "@std/assert";
import { Random, type TestServer } from "../_harness.ts";
import { plain, type TestClient } from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

/** Sends a command and returns the next `count` replies or pushes. */
async function tell(
  client: TestClient,
  command: string | readonly string[],
  count = 1,
): Promise<unknown[]> {
  const argv = typeof command === "string" ? command.split(" ") : command;
  await client.sendCommands([argv]);
  return await hear(client, count);
}

/** The next `count` replies or pushes. */
async function hear(client: TestClient, count = 1): Promise<unknown[]> {
  const heard: unknown[] = [];
  while (heard.length < count) heard.push(plain(await client.readReply()));
  return heard;
}

/** Connections until each worker has some, as far as chance allows. */
async function clientsOf(server: TestServer, count: number, resp: 2 | 3) {
  const clients: TestClient[] = [];
  for (let i = 0; i < count; i++) clients.push(await server.client({ resp }));
  return clients;
}

commandSuite("PUBLISH reaches all subscribers once", async (
  { client, server, resp },
) => {
  const listeners = await clientsOf(server, 12, resp);
  try {
    for (const listener of listeners) {
      assertEquals(await tell(listener, "SUBSCRIBE news other", 2), [
        ["subscribe", "news", 1],
        ["subscribe", "other", 2],
      ]);
    }
    await expectReplies(client, [
      ["PUBLISH news hello", 12],
      ["PUBLISH nobody hello", 0],
      [["PUBLISH", "news", "\0\r\n\xff"], 12],
      ["PUBSUB NUMSUB news nobody", ["news", 12, "nobody", 0]],
      ["PUBSUB NUMSUB", []],
      ["PUBSUB NUMPAT", 0],
      ["PUBSUB CHANNELS n*", ["news"]],
    ]);
    assertEquals(
      (await ask(client, "PUBSUB CHANNELS") as string[]).sort(),
      ["news", "other"],
    );
    for (const listener of listeners) {
      assertEquals(await hear(listener, 2), [
        ["message", "news", "hello"],
        ["message", "news", "\0\r\n\xff"],
      ]);
      assertEquals(await tell(listener, "UNSUBSCRIBE news"), [
        ["unsubscribe", "news", 1],
      ]);
    }
    assertEquals(await ask(client, "PUBLISH news again"), 0);
  } finally {
    for (const listener of listeners) listener.close();
  }
});

commandSuite("patterns match channels", async ({ client, server, resp }) => {
  using listener = await server.client({ resp });
  const patterns = ["h?llo", "h*", "*", "[hx]ello", "hello", "\\h*o"];
  for (const [i, pattern] of patterns.entries()) {
    assertEquals(await tell(listener, ["PSUBSCRIBE", pattern]), [
      ["psubscribe", pattern, i + 1],
    ]);
  }
  await tell(listener, "SUBSCRIBE hello");
  assertEquals(await ask(client, "PUBSUB NUMPAT"), patterns.length);
  assertEquals(await ask(client, "PUBLISH hello 1"), 7);
  const heard = await hear(listener, 7) as string[][];
  assertEquals(heard[0], ["message", "hello", "1"]);
  assertEquals(
    heard.slice(1).map(([word, pattern]) => `${word} ${pattern}`).sort(),
    patterns.map((pattern) => `pmessage ${pattern}`).sort(),
  );
  assertEquals(await ask(client, "PUBLISH xello 2"), 2);
  assertEquals(await ask(client, "PUBLISH hxx 3"), 2);
  await hear(listener, 4);
  await tell(listener, ["PUNSUBSCRIBE", "*"]);
  assertEquals(await ask(client, "PUBLISH zzz 4"), 0);
  assertEquals(await ask(client, "PUBSUB NUMPAT"), patterns.length - 1);
});

commandSuite("shard channels are channels of their own", async (
  { client, server, resp },
) => {
  using listener = await server.client({ resp });
  await tell(listener, "SUBSCRIBE news");
  assertEquals(await tell(listener, "SSUBSCRIBE news"), [
    ["ssubscribe", "news", 1],
  ]);
  await expectReplies(client, [
    ["PUBLISH news 1", 1],
    ["SPUBLISH news 2", 1],
    ["PUBSUB SHARDCHANNELS", ["news"]],
    ["PUBSUB SHARDNUMSUB news", ["news", 1]],
  ]);
  assertEquals(await hear(listener, 2), [
    ["message", "news", "1"],
    ["smessage", "news", "2"],
  ]);
  assertEquals(await tell(listener, "SUNSUBSCRIBE"), [
    ["sunsubscribe", "news", 0],
  ]);
  assertEquals(await ask(client, "SPUBLISH news 3"), 0);
});

commandSuite("UNSUBSCRIBE confirms what was not subscribed to", async (
  { client },
) => {
  assertEquals(await tell(client, "UNSUBSCRIBE"), [["unsubscribe", null, 0]]);
  assertEquals(await tell(client, "PUNSUBSCRIBE a b", 2), [
    ["punsubscribe", "a", 0],
    ["punsubscribe", "b", 0],
  ]);
  await tell(client, "SUBSCRIBE a b a", 3);
  assertEquals(await tell(client, "UNSUBSCRIBE", 2), [
    ["unsubscribe", "a", 1],
    ["unsubscribe", "b", 0],
  ]);
  assertEquals(await ask(client, "GET a"), null);
});

commandSuite("a subscriber in RESP2 may do little else", async ({ client }) => {
  await tell(client, "SUBSCRIBE a");
  const [refused] = await tell(client, "GET a");
  assertEquals(
    (refused as Error).message,
    "ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING " +
      "/ QUIT / RESET are allowed in this context",
  );
  assertEquals(await tell(client, "PING"), [["pong", ""]]);
  assertEquals(await tell(client, "PING x"), [["pong", "x"]]);
  assertEquals(await tell(client, "RESET"), ["RESET"]);
  assertEquals(await tell(client, "PING"), ["PONG"]);
  assertEquals(await ask(client, "PUBLISH a 1"), 0);
}, { resp: [2] });

commandSuite("a subscriber in RESP3 may do everything", async ({ client }) => {
  await tell(client, "SUBSCRIBE a");
  assertEquals(await tell(client, "PUBLISH a 1", 2), [
    1,
    ["message", "a", "1"],
  ]);
  // Its own messages come behind the reply, also behind that of EXEC.
  await client.sendCommands([
    ["MULTI"],
    ["PUBLISH", "a", "2"],
    ["PING"],
    ["EXEC"],
    ["PUBLISH", "a", "3"],
    ["PING"],
  ]);
  assertEquals(await hear(client, 8), [
    ...["OK", "QUEUED", "QUEUED"],
    [1, "PONG"],
    ["message", "a", "2"],
    1,
    ["message", "a", "3"],
    "PONG",
  ]);
  assert((await ask(client, "CLIENT INFO") as string).includes(" sub=1 "));
}, { resp: [3] });

commandSuite("the messages of a publisher keep their order", async (
  { client, server, resp },
) => {
  const listeners = await clientsOf(server, 8, resp);
  const publishers = await clientsOf(server, 4, 2);
  const messages = 300;
  try {
    for (const [i, listener] of listeners.entries()) {
      if (i % 2 === 0) await tell(listener, "SUBSCRIBE c");
      else await tell(listener, "PSUBSCRIBE [bc]");
    }
    const sent = publishers.map((publisher, p) =>
      publisher.pipeline(
        Array.from({ length: messages }, (_, i) => [
          ...["PUBLISH", "c"],
          `${p}:${i}`,
        ]),
      )
    );
    const heard = listeners.map(async (listener) => {
      const next = publishers.map(() => 0);
      for (let i = 0; i < messages * publishers.length; i++) {
        const [message] = await hear(listener) as string[][];
        const [p, n] = message!.at(-1)!.split(":").map(Number);
        assertEquals(n, next[p!]!);
        next[p!]!++;
      }
    });
    await Promise.all(heard);
    for (const replies of await Promise.all(sent)) {
      assert(replies.every((reply) => plain(reply) === listeners.length));
    }
    assertEquals(await ask(client, "PING"), "PONG");
  } finally {
    for (const one of [...listeners, ...publishers]) one.close();
  }
});

// More subscribers than are sent their messages at a time: publishers that wait
// for each reply go on before the last ones have got theirs.
commandSuite("publishers that go on leave no subscriber behind", async (
  { client, server, resp },
) => {
  const listeners = await clientsOf(server, 48, resp);
  const publishers = await clientsOf(server, 3, 2);
  const messages = 200;
  const end = "end";
  try {
    for (const [i, listener] of listeners.entries()) {
      // Every third one gets what others get, and something in between.
      if (i % 3 === 0) await tell(listener, "SUBSCRIBE c d", 2);
      else await tell(listener, "SUBSCRIBE c");
    }
    const heard = listeners.map(async (listener, i) => {
      let after = 0;
      const next = publishers.map(() => 0);
      for (;;) {
        // Some ask while messages for them wait.
        if (i % 6 === 0 && after++ % 50 === 0) {
          await listener.sendCommands([["PING"]]);
        }
        const [reply] = await hear(listener) as [string | string[]];
        if (!Array.isArray(reply) || reply[0] === "pong") continue;
        if (reply[2] === end) return next;
        if (reply[1] === "d") continue;
        const [p, n] = reply[2]!.split(":").map(Number);
        assertEquals(n, next[p!]!);
        next[p!]!++;
      }
    });
    await Promise.all(publishers.map(async (publisher, p) => {
      for (let i = 0; i < messages; i++) {
        const count = await ask(publisher, ["PUBLISH", "c", `${p}:${i}`]);
        assertEquals(count, listeners.length);
        if (p === 0) await ask(publisher, "PUBLISH d x");
      }
    }));
    await ask(client, ["PUBLISH", "c", end]);
    for (const next of await Promise.all(heard)) {
      assertEquals(next, publishers.map(() => messages));
    }
  } finally {
    for (const one of [...listeners, ...publishers]) one.close();
  }
});

commandSuite("every counted message is delivered", async (
  { server, resp },
) => {
  const random = new Random(3);
  using publisher = await server.client();
  let counted = 0;
  let delivered = 0;
  let isOver = false;
  const publishing = (async () => {
    for (let i = 0; i < 400; i++) {
      counted += await ask(publisher, `PUBLISH c ${i}`) as number;
    }
    isOver = true;
  })();
  // Nobody unsubscribes before all is over, so what was counted must come.
  const listeners: TestClient[] = [];
  while (!isOver && listeners.length < 40) {
    const listener = await server.client({ resp });
    const by = random.chance(0.5) ? "SUBSCRIBE c" : "PSUBSCRIBE c*";
    await tell(listener, by);
    listeners.push(listener);
  }
  await publishing;
  // By the same publisher: others may overtake it.
  await ask(publisher, "PUBLISH c end");
  for (const listener of listeners) {
    for (;;) {
      const [message] = await hear(listener) as string[][];
      if (message!.at(-1) === "end") break;
      delivered++;
    }
    listener.close();
  }
  assertEquals(delivered, counted);
});

commandSuite("many channels are named while others come and go", async (
  { client, server, resp },
) => {
  const [listener, other] = await clientsOf(server, 2, resp);
  try {
    const names = Array.from({ length: 600 }, (_, i) => `stays:${i}`);
    const moving = Array.from({ length: 600 }, (_, i) => `moves:${i}`);
    await tell(listener!, ["SUBSCRIBE", ...names], names.length);
    await tell(listener!, ["PSUBSCRIBE", ...names.map((x) => `${x}?`)], 600);
    for (let round = 0; round < 4; round++) {
      const changed = (async () => {
        await tell(other!, ["SUBSCRIBE", ...moving], moving.length);
        await tell(other!, ["PSUBSCRIBE", ...moving], moving.length);
        await tell(other!, ["UNSUBSCRIBE", ...moving], moving.length);
        await tell(other!, ["PUNSUBSCRIBE", ...moving], moving.length);
      })();
      let isOver = false;
      changed.finally(() => isOver = true);
      do {
        const found = await ask(client, "PUBSUB CHANNELS") as string[];
        assertEquals(new Set(found).size, found.length);
        const staying = found.filter((name) => name.startsWith("stays:"));
        assertEquals(staying.sort(), names.toSorted());
        assertEquals(await ask(client, "PUBLISH stays:5x -"), 1);
        assertEquals(await hear(listener!), [
          ["pmessage", "stays:5?", "stays:5x", "-"],
        ]);
      } while (!isOver);
      await changed;
    }
    const info = String(await ask(client, "INFO stats"));
    assert(info.includes("pubsub_channels:600\r"));
    assert(info.includes("pubsub_patterns:600\r"));
    assert(info.includes("pubsubshard_channels:0\r"));
  } finally {
    listener!.close();
    other!.close();
  }
});

commandSuite("subscribers that vanish are forgotten", async (
  { client, server, resp },
) => {
  for (let i = 0; i < 10; i++) {
    const listener = await server.client({ resp });
    await tell(listener, "SUBSCRIBE gone");
    await tell(listener, "PSUBSCRIBE g*");
    listener.close();
  }
  let left = -1;
  while (left !== 0) left = await ask(client, "PUBLISH gone 1") as number;
  assertEquals(await ask(client, "PUBSUB CHANNELS"), []);
  assertEquals(await ask(client, "PUBSUB NUMPAT"), 0);
});

commandSuite("a subscriber that does not read is cut off", async (
  { client, server, resp },
) => {
  await ask(client, [
    ...["CONFIG", "SET", "client-output-buffer-limit"],
    "pubsub 1048576 0 0",
  ]);
  try {
    using listener = await server.client({ resp });
    await tell(listener, "SUBSCRIBE flood");
    const message = "x".repeat(65_536);
    let receivers = 1;
    for (let i = 0; receivers > 0 && i < 2000; i++) {
      receivers = await ask(client, ["PUBLISH", "flood", message]) as number;
    }
    assertEquals(receivers, 0);
  } finally {
    await ask(client, [
      ...["CONFIG", "SET", "client-output-buffer-limit"],
      "pubsub 33554432 8388608 60",
    ]);
  }
});

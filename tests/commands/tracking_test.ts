import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots, type TestServer } from "../_harness.ts";
import { until, untilQuickEnough } from "../_patience.ts";
import { type Plain, plain, type TestClient } from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const TAGS = tagsOnDistinctSlots(8);
const KEYS = TAGS.map((tag) => `{${tag}}k`);
const CHANNEL = "__redis__:invalidate";

/** The next `count` replies or messages. */
async function hear(client: TestClient, count: number): Promise<Plain[]> {
  const heard: Plain[] = [];
  while (heard.length < count) heard.push(plain(await client.readReply()));
  return heard;
}

/** Sends commands and returns what comes until the answer of a last PING. */
async function tell(client: TestClient, ...commands: string[]) {
  await client.sendCommands(
    [...commands, "PING end"].map((command) => command.split(" ")),
  );
  const heard: Plain[] = [];
  for (;;) {
    const reply = plain(await client.readReply());
    if (reply === "end" || Array.isArray(reply) && reply[1] === "end") {
      return heard;
    }
    heard.push(reply);
  }
}

const drop = (...keys: string[]) => ["invalidate", keys];
const DROP_ALL = ["invalidate", null];

/** A field of INFO, as a number. */
async function figure(client: TestClient, name: string): Promise<number> {
  const text = String(await ask(client, "INFO everything"));
  return Number(text.match(new RegExp(`^${name}:(\\d+)`, "m"))![1]);
}

/** Flags, redirection and prefixes of a connection in RESP3. */
async function infoOf(client: TestClient): Promise<unknown[]> {
  const info = await ask(client, "CLIENT TRACKINGINFO") as Map<string, unknown>;
  const flags = info.get("flags") as Set<string>;
  return [[...flags], info.get("redirect"), info.get("prefixes")];
}

async function idOf(client: TestClient): Promise<string> {
  return String(await ask(client, "CLIENT ID"));
}

/** Connections that track, on as many workers as chance allows. */
async function trackers(
  stack: DisposableStack,
  server: TestServer,
  options = "",
): Promise<TestClient[]> {
  const clients: TestClient[] = [];
  for (let i = 0; i < 8; i++) {
    const client = stack.use(await server.client({ resp: 3 }));
    await ask(client, `CLIENT TRACKING ON${options}`);
    clients.push(client);
  }
  return clients;
}

commandSuite("a change drops what was read, once", async (context) => {
  const { client, server } = context;
  using stack = new DisposableStack();
  const readers = await trackers(stack, server);
  for (const reader of readers) await tell(reader, `MGET ${KEYS.join(" ")}`);
  assertEquals(await figure(client, "tracking_clients"), readers.length);
  assertEquals(await figure(client, "tracking_total_keys"), KEYS.length);
  assertEquals(
    await figure(client, "tracking_total_items"),
    KEYS.length * readers.length,
  );
  for (const key of KEYS) {
    await ask(client, `SET ${key} 1`);
    await ask(client, `SET ${key} 2`);
    for (const reader of readers) {
      assertEquals(await tell(reader), [drop(key)]);
    }
  }
  assertEquals(await figure(client, "tracking_total_keys"), 0);
  assertEquals(await figure(client, "tracking_total_items"), 0);
});

commandSuite("every way in which a key changes is told", async (context) => {
  const { client, server } = context;
  using reader = await server.client({ resp: 3 });
  await ask(reader, "CLIENT TRACKING ON");
  const ways: [string, ...string[]][] = [
    ["SET k 1", "SET k 2"],
    ["SET k 1", "DEL k"],
    ["SET k 1", "EXPIRE k 100"],
    ["SET k 1 EX 100", "PERSIST k"],
    ["SET k 1", "GETDEL k"],
    ["SET k 1", "RENAME k other"],
    ["SET other 1", "RENAME other k"],
    ["SET other 1", "COPY other k REPLACE"],
    ["RPUSH k a b", "LPOP k"],
    ["RPUSH k a", "LPOP k"],
    ["HSET k f v", "HINCRBY k g 1"],
    ["SADD k a", "SMOVE k other a"],
    ["ZADD k 1 a", "ZREMRANGEBYRANK k 0 -1"],
    ["XADD k * f v", "XTRIM k MAXLEN 0"],
    ["SADD other{k} a", "SUNIONSTORE k other{k}"],
    ["SET k 1", "MSET k 1 j 2"],
    ["SET k 1", "SETRANGE k 1 x"],
    ["SET k 1", "MOVE k 1"],
    ["SET k 1", "FLUSHDB"],
  ];
  for (const [before, ...changes] of ways) {
    await ask(client, "FLUSHALL");
    await ask(client, before);
    await tell(reader, "TYPE k");
    for (const change of changes) await ask(client, change);
    const expected = changes[0] === "FLUSHDB" ? DROP_ALL : drop("k");
    assertEquals(await tell(reader), [expected], changes[0]!);
  }
});

commandSuite("expiry and eviction are told", async ({ client, server }) => {
  using reader = await server.client({ resp: 3 });
  await ask(reader, "CLIENT TRACKING ON");
  await untilQuickEnough(async (factor) => {
    await ask(client, `SET k 1 PX ${30 * factor}`);
    return (await tell(reader, "GET k")).at(-1) === "1";
  });
  assertEquals(await hear(reader, 1), [drop("k")]);
  await ask(client, "SET k 1");
  await tell(reader, "GET k");
  const policy = ["maxmemory-policy", "allkeys-random"];
  await client.run("CONFIG", "SET", ...policy, "maxmemory", "1");
  try {
    await ask(client, "SET other 1");
    assertEquals(await hear(reader, 1), [drop("k")]);
  } finally {
    await client.run(
      ...["CONFIG", "SET", "maxmemory", "0", "maxmemory-policy", "noeviction"],
    );
  }
});

commandSuite("own changes are told behind their replies", async (context) => {
  const { server } = context;
  using client = await server.client({ resp: 3 });
  await ask(client, "CLIENT TRACKING ON");
  assertEquals(
    await tell(client, "SET k 1", "GET k", "SET k 2", "GET k", "SET k 3"),
    ["OK", "1", "OK", drop("k"), "2", "OK", drop("k")],
  );
  assertEquals(
    await tell(client, "MULTI", "GET k", "INCR k", "GET k", "INCR k", "EXEC"),
    [
      ...["OK", "QUEUED", "QUEUED", "QUEUED", "QUEUED", ["3", 4, "4", 5]],
      ...[drop("k"), drop("k")],
    ],
  );
  assertEquals(
    await tell(client, "GET k", "FLUSHALL", "MULTI", "FLUSHDB", "EXEC"),
    ["5", "OK", DROP_ALL, "OK", "QUEUED", ["OK"], DROP_ALL],
  );
});

commandSuite("NOLOOP leaves own changes out", async ({ client, server }) => {
  using reader = await server.client({ resp: 3 });
  await ask(reader, "CLIENT TRACKING ON NOLOOP");
  assertEquals(await tell(reader, "GET k", "SET k 1", "GET k"), [
    ...[null, "OK", "1"],
  ]);
  await ask(client, "SET k 2");
  assertEquals(await tell(reader), [drop("k")]);
  await ask(reader, "CLIENT TRACKING OFF");
  await ask(reader, "CLIENT TRACKING ON BCAST NOLOOP");
  assertEquals(await tell(reader, "SET k 1", "SET j 1"), ["OK", "OK"]);
  await ask(client, "MSET j 2 k 2");
  assertEquals(await tell(reader), [drop("j", "k")]);
});

commandSuite("OPTIN and OPTOUT choose what is kept", async (context) => {
  const { client, server } = context;
  using reader = await server.client({ resp: 3 });
  const changed = async (...commands: string[]) => {
    await tell(reader, ...commands);
    await ask(client, "MSET a 1 b 1");
    return (await tell(reader)).flatMap((push) => (push as string[][])[1]!);
  };
  await ask(reader, "CLIENT TRACKING ON OPTIN");
  assertEquals(await changed("GET a", "CLIENT CACHING YES", "GET b"), ["b"]);
  assertEquals(await changed("CLIENT CACHING YES", "PING", "GET b"), []);
  assertEquals(await changed("CLIENT CACHING YES", "NOSUCH", "GET b"), []);
  assertEquals(
    await changed("CLIENT CACHING YES", "CLIENT ID", "GET b", "GET a"),
    ["b"],
  );
  assertEquals(
    await changed("CLIENT CACHING YES", "MULTI", "GET a", "GET b", "EXEC"),
    ["a", "b"],
  );
  assertEquals(
    await changed("MULTI", "GET a", "CLIENT CACHING YES", "GET b", "EXEC"),
    ["b"],
  );
  await ask(reader, "CLIENT TRACKING OFF");
  await ask(reader, "CLIENT TRACKING ON OPTOUT");
  assertEquals(
    await changed("CLIENT CACHING NO", "GET a", "GET b"),
    ["b"],
  );
});

commandSuite("BCAST tells of prefixes, by batch", async (context) => {
  const { client, server } = context;
  using stack = new DisposableStack();
  const readers = await trackers(stack, server, " BCAST PREFIX a PREFIX b");
  assertEquals(await figure(client, "tracking_total_prefixes"), 2);
  await client.pipeline(
    ["b1", "a2", "a1", "c", "a2"].map((key) => ["SET", key, "1"]),
  );
  for (const reader of readers) {
    assertEquals(await tell(reader), [drop("a1", "a2"), drop("b1")]);
  }
  // Own changes come behind all replies of the batch.
  assertEquals(await tell(readers[0]!, "DEL a1", "DEL a2"), [1, 1]);
  assertEquals(await hear(readers[0]!, 1), [drop("a1", "a2")]);
  await ask(client, "FLUSHALL");
  for (const reader of readers.slice(1)) {
    assertEquals(await tell(reader), [drop("a1", "a2"), DROP_ALL]);
  }
  for (const reader of readers) await ask(reader, "CLIENT TRACKING OFF");
  assertEquals(await figure(client, "tracking_total_prefixes"), 0);
  await ask(client, "SET a1 1");
  assertEquals(await tell(readers[1]!), []);
});

commandSuite("BCAST of all keys tells of binary ones", async (context) => {
  const { client, server } = context;
  using reader = await server.client({ resp: 3 });
  await ask(reader, "CLIENT TRACKING ON BCAST");
  const key = "\0\xff\r\n\x80";
  await ask(client, ["SET", key, "1"]);
  await ask(client, ["SET", "", "1"]);
  assertEquals(await hear(reader, 2), [drop(key), drop("")]);
  assertEquals(await ask(client, "SET k 1 PX 100"), "OK");
  assertEquals(await hear(reader, 2), [drop("k"), drop("k")]);
});

commandSuite("REDIRECT sends messages elsewhere", async (context) => {
  const { client, server, resp } = context;
  for (let i = 0; i < 6; i++) {
    using news = await server.client({ resp });
    using reader = await server.client({ resp });
    const id = await idOf(news);
    const message = (keys: string[] | null) =>
      resp === 3 ? ["invalidate", keys] : ["message", CHANNEL, keys];
    if (resp === 2) await tell(news, `SUBSCRIBE ${CHANNEL}`);
    assertEquals(await ask(reader, `CLIENT TRACKING ON REDIRECT ${id}`), "OK");
    assertEquals(await ask(reader, "CLIENT GETREDIR"), Number(id));
    await ask(reader, `MGET ${KEYS.join(" ")}`);
    for (const key of KEYS) await ask(client, `SET ${key} 1`);
    assertEquals(await tell(news), KEYS.map((key) => message([key])));
    await ask(client, "FLUSHALL");
    assertEquals(await tell(news), [message(null)]);
    // Where its messages went before, a note may still lead.
    await ask(reader, `GET ${KEYS[0]}`);
    using other = await server.client({ resp: 3 });
    await ask(reader, `CLIENT TRACKING ON REDIRECT ${await idOf(other)}`);
    await ask(client, `SET ${KEYS[0]} 1`);
    assertEquals(await hear(other, 1), [drop(KEYS[0]!)]);
    await ask(reader, "CLIENT TRACKING OFF");
    await ask(reader, "CLIENT TRACKING ON BCAST PREFIX x REDIRECT " + id);
    await ask(client, "SET xk 1");
    assertEquals(await tell(news), [message(["xk"])]);
  }
});

commandSuite("a receiver that is gone is reported", async (context) => {
  const { client, server } = context;
  for (let i = 0; i < 4; i++) {
    using reader = await server.client({ resp: 3 });
    const news = await server.client({ resp: 3 });
    const id = Number(await idOf(news));
    await ask(reader, `CLIENT TRACKING ON REDIRECT ${id}`);
    await ask(reader, "GET k");
    await ask(client, `CLIENT KILL ID ${id}`);
    news.close();
    await ask(client, "SET k 1");
    assertEquals(await hear(reader, 1), [["tracking-redir-broken", id]]);
    assertEquals((await infoOf(reader))[0], ["on", "broken_redirect"]);
    assert(String(await ask(reader, "CLIENT INFO")).includes(" flags=tR "));
    assertEquals(await ask(reader, "CLIENT TRACKING ON"), "OK");
    assert(String(await ask(reader, "CLIENT INFO")).includes(" flags=t "));
  }
});

commandSuite("tracking ends with OFF, RESET and the connection", async (c) => {
  const { client, server } = c;
  using reader = await server.client({ resp: 3 });
  for (const end of ["CLIENT TRACKING OFF", "RESET"]) {
    await tell(reader, "HELLO 3", "CLIENT TRACKING ON", "GET k");
    await tell(reader, end, "HELLO 3");
    await ask(client, "SET k 1");
    assertEquals(await tell(reader), [], end);
  }
  assertEquals(await figure(client, "tracking_clients"), 0);
  const gone = await server.client({ resp: 3 });
  await tell(gone, "CLIENT TRACKING ON BCAST PREFIX x");
  assertEquals(await figure(client, "tracking_clients"), 1);
  gone.close();
  while (await figure(client, "tracking_clients") > 0);
  assertEquals(await figure(client, "tracking_total_prefixes"), 0);
});

commandSuite("what nobody can be told is not sent", async (context) => {
  const { client, server, resp } = context;
  using reader = await server.client({ resp: 2 });
  assertEquals(await tell(reader, "CLIENT TRACKING ON", "GET k"), ["OK", null]);
  await ask(client, "SET k 1");
  assertEquals(await tell(reader), []);
  // But to itself it can be sent, if it listens.
  const own = await idOf(reader);
  await tell(reader, `CLIENT TRACKING ON REDIRECT ${own}`, "GET k");
  await tell(reader, `SUBSCRIBE ${CHANNEL}`);
  await ask(client, "SET k 1");
  assertEquals(await tell(reader), [["message", CHANNEL, ["k"]]]);
  await tell(reader, "RESET");
  // A redirection is not sent to a connection in RESP2 that listens to nothing.
  using news = await server.client({ resp });
  const id = await idOf(news);
  await tell(reader, `CLIENT TRACKING ON REDIRECT ${id}`, "GET k");
  await ask(client, "SET k 1");
  assertEquals(await tell(news), resp === 3 ? [drop("k")] : []);
});

commandSuite("a client that hears nothing else is told", async (context) => {
  const { client, server } = context;
  using reader = await server.client({ resp: 3 });
  await tell(reader, "CLIENT TRACKING ON", "GET k");
  await reader.sendCommands([["CLIENT", "REPLY", "OFF"]]);
  await reader.sendCommands([["BLPOP", "l", "0"]]);
  await ask(client, "SET k 1");
  assertEquals(await hear(reader, 1), [drop("k")]);
});

commandSuite("tracking-table-max-keys bounds the keys", async (context) => {
  const { client, server } = context;
  using reader = await server.client({ resp: 3 });
  await ask(reader, "CLIENT TRACKING ON");
  await ask(client, "CONFIG SET tracking-table-max-keys 3");
  try {
    const heard = await tell(reader, `MGET ${KEYS.join(" ")}`);
    // Another worker may have found that there are too many.
    heard.push(...await tell(reader));
    const dropped = heard.slice(1).map((push) => (push as string[][])[1]![0]);
    assertEquals(dropped.length, KEYS.length - 3);
    assertEquals(await figure(client, "tracking_total_keys"), 3);
    for (const key of KEYS) await ask(client, `SET ${key} 1`);
    const rest = (await tell(reader)).map((push) =>
      (push as string[][])[1]![0]
    );
    assertEquals([...dropped, ...rest].sort(), [...KEYS].sort());
    await ask(client, "CONFIG SET tracking-table-max-keys 0");
    await tell(reader, `MGET ${KEYS.join(" ")}`);
    assertEquals(await figure(client, "tracking_total_keys"), KEYS.length);
    await ask(client, "CONFIG SET tracking-table-max-keys 1");
    assertEquals((await hear(reader, KEYS.length - 1)).length, KEYS.length - 1);
  } finally {
    await ask(client, "CONFIG SET tracking-table-max-keys 1000000");
  }
});

commandSuite("clients that are gone do not fill the table", async (context) => {
  const { client, server } = context;
  for (let i = 0; i < 300; i += 30) {
    using stack = new DisposableStack();
    for (let k = 0; k < 30; k++) {
      const reader = stack.use(await server.client({ resp: 3 }));
      await reader.pipeline([["CLIENT", "TRACKING", "ON"], ["GET", "k"]]);
    }
    stack.dispose();
    await until(
      "they are gone",
      async () => await figure(client, "tracking_clients") === 0,
    );
  }
  const items = await figure(client, "tracking_total_items");
  assert(items <= 160, `${items} items`);
});

commandSuite("many clients of one key are all told", async (context) => {
  const { client, server } = context;
  using stack = new DisposableStack();
  const readers: TestClient[] = [];
  for (let i = 0; i < 100; i++) {
    readers.push(stack.use(await server.client({ resp: 3 })));
  }
  for (const reader of readers) {
    await reader.pipeline([["CLIENT", "TRACKING", "ON"], ["GET", "k"]]);
    await reader.run("GET", "k");
  }
  assertEquals(await figure(client, "tracking_total_items"), readers.length);
  await ask(client, "SET k 1");
  for (const reader of readers) {
    assertEquals(await hear(reader, 1), [drop("k")]);
  }
  // Of several shards, by one that tracks, and ceases to do so among the changes.
  for (const reader of readers) await ask(reader, `MGET ${KEYS.join(" ")}`);
  const [first, ...others] = readers;
  const own = await tell(
    first!,
    ...["MULTI", `SET ${KEYS[0]} 1`, "CLIENT TRACKING OFF"],
    ...[`DEL ${KEYS[0]}`, `MSET ${KEYS.map((key) => `${key} 2`).join(" ")}`],
    "EXEC",
  );
  assertEquals(own.slice(-2), [["OK", "OK", 1, "OK"], drop(KEYS[0]!)]);
  for (const reader of others) {
    const heard = await hear(reader, KEYS.length);
    assertEquals(
      new Set(heard.map(String)),
      new Set(KEYS.map((key) => String(drop(key)))),
    );
  }
});

commandSuite("SWAPDB drops everything", async ({ client, server }) => {
  using reader = await server.client({ resp: 3 });
  await tell(reader, "CLIENT TRACKING ON", "GET k");
  await ask(client, "SWAPDB 0 1");
  assertEquals(await tell(reader), [DROP_ALL]);
});

commandSuite("a key is told of whatever its database", async (context) => {
  const { client, server } = context;
  using reader = await server.client({ resp: 3 });
  await tell(reader, "CLIENT TRACKING ON", "GET k");
  await client.pipeline([["SELECT", "3"], ["SET", "k", "1"]]);
  assertEquals(await tell(reader), [drop("k")]);
});

commandSuite("CLIENT LIST and INFO tell how a client tracks", async (c) => {
  const { client, server } = c;
  using reader = await server.client({ resp: 3 });
  const id = Number(await idOf(reader));
  const info = () => ask(client, `CLIENT LIST ID ${id}`);
  assert(/ flags=N .* redir=-1 /.test(String(await info())));
  await ask(reader, "CLIENT TRACKING ON BCAST");
  assert(/ flags=tB .* redir=0 /.test(String(await info())));
  await ask(reader, "CLIENT TRACKING OFF");
  await ask(reader, `CLIENT TRACKING ON REDIRECT ${id}`);
  assert(String(await info()).includes(` redir=${id} `));
  assertEquals(await infoOf(reader), [["on"], id, []]);
  await expectReplies(reader, [
    ["CLIENT TRACKING OFF", "OK"],
    ["CLIENT TRACKING ON BCAST PREFIX b PREFIX a NOLOOP", "OK"],
  ]);
  assertEquals(await infoOf(reader), [
    ...[["on", "bcast", "noloop"], 0, ["a", "b"]],
  ]);
  await ask(reader, "CLIENT TRACKING ON BCAST PREFIX c");
  assertEquals(await infoOf(reader), [["on", "bcast"], 0, ["a", "b", "c"]]);
  assertEquals(
    await ask(reader, "CLIENT TRACKING ON BCAST PREFIX cc"),
    "-ERR Prefix 'cc' overlaps with an existing prefix 'c'. " +
      "Prefixes for a single client must not overlap.",
  );
});

commandSuite("CLIENT TRACKING in a transaction", async (context) => {
  const { client, server } = context;
  using reader = await server.client({ resp: 3 });
  assertEquals(
    await tell(
      reader,
      ...["MULTI", "GET a", "CLIENT TRACKING ON", "GET b", "EXEC"],
    ),
    ["OK", "QUEUED", "QUEUED", "QUEUED", [null, "OK", null]],
  );
  await ask(client, "MSET a 1 b 1");
  assertEquals(await tell(reader), [drop("b")]);
  await tell(
    reader,
    ...["CLIENT TRACKING OFF", "MULTI", "CLIENT TRACKING ON BCAST", "EXEC"],
  );
  await ask(client, "SET a 2");
  assertEquals(await tell(reader), [drop("a")]);
});

commandSuite("a command that its owner runs is tracked", async (context) => {
  const { client, server, workers } = context;
  if (workers === 1) return;
  using stack = new DisposableStack();
  const readers = await trackers(stack, server);
  await ask(client, "DEBUG ROUTE OWNER");
  try {
    for (const reader of readers) await tell(reader, `MGET ${KEYS.join(" ")}`);
    for (const key of KEYS) await ask(client, `SET ${key} 1`);
    for (const reader of readers) {
      const heard = (await tell(reader)).map((push) =>
        (push as string[])[1]![0]
      );
      assertEquals(heard.sort(), [...KEYS].sort());
    }
  } finally {
    await ask(client, "DEBUG ROUTE IN-PLACE");
  }
});

commandSuite("XREAD is tracked when it waits and when it ends", async (c) => {
  const { client, server } = c;
  using stack = new DisposableStack();
  for (const reader of await trackers(stack, server)) {
    await client.run("DEL", "s");
    await reader.sendCommands([["XREAD", "BLOCK", "0", "STREAMS", "s", "$"]]);
    while (!String(await ask(client, "CLIENT LIST")).includes(" flags=bt "));
    await ask(client, "XADD s 1-1 f v");
    const heard = await hear(reader, 2);
    assert(
      heard.some((reply) => Array.isArray(reply) && reply[1] !== undefined),
    );
    await ask(client, "XADD s 1-2 f v");
    assertEquals(await tell(reader), [drop("s")]);
    await ask(client, "XADD s 1-3 f v");
    assertEquals(await tell(reader), []);
  }
});

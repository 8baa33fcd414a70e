import { assert, assertEquals, assertMatch } from "@std/assert";
import type { TestServer } from "../_harness.ts";
import { plain, ReplyError, type TestClient } from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const LINE = /^(\d+)\.(\d{6}) \[(\d+) (127\.0\.0\.1:\d+)\] (.*)$/s;

/** A connection that sees all commands. */
async function monitor(server: TestServer, resp: 2 | 3): Promise<TestClient> {
  const client = await server.client({ resp });
  assertEquals(await ask(client, "MONITOR"), "OK");
  return client;
}

/** The next `count` lines, without time and address. */
async function lines(client: TestClient, count: number): Promise<string[]> {
  const seen: string[] = [];
  while (seen.length < count) {
    const reply = await client.readReply();
    assertEquals(reply.type, "simple");
    const match = LINE.exec(String(plain(reply)));
    assert(match !== null, String(plain(reply)));
    // Other monitors say how they want to be spoken to.
    if (match[5] !== '"HELLO" "3"') seen.push(`${match[3]} ${match[5]}`);
  }
  return seen;
}

commandSuite("MONITOR shows commands as they were sent", async (context) => {
  const { client, server, resp } = context;
  using watcher = await monitor(server, resp);
  const before = Date.now() - 1;
  await client.run("SeT", 'k\n\x00\xff"\\\t\r\x07\b', "");
  const reply = String(plain(await watcher.readReply()));
  const match = LINE.exec(reply)!;
  assertEquals(
    match[5],
    '"SeT" "k\\n\\x00\\xff\\"\\\\\\t\\r\\a\\b" ""',
  );
  const { port } = client.conn.localAddr as Deno.NetAddr;
  assertEquals(match[4], `127.0.0.1:${port}`);
  const atMs = Number(match[1]) * 1000 + Number(match[2]) / 1000;
  assert(atMs >= before - 5 && atMs <= Date.now() + 5, reply);
  await client.pipeline([
    ...[["SELECT", "3"], ["GET", "x"], ["NOSUCH"], ["GET"], ["PING"]],
    ...[["client", "id"], ["CONFIG", "GET", "dir"], ["AUTH", "secret"]],
    ...[["HELLO", "2", "AUTH", "default", "secret"], ["LPUSH", "l", "1"]],
    ...[["AUTH", "default", "secret"], ["LLEN", "l"], ["GET", "l"]],
  ]);
  await client.run("ECHO", "end");
  assertEquals(await lines(watcher, 11), [
    ...['3 "SELECT" "3"', '3 "GET" "x"', '3 "PING"', '3 "client" "id"'],
    '3 "AUTH" "(redacted)"',
    '3 "HELLO" "2" "AUTH" "(redacted)" "(redacted)"',
    '3 "LPUSH" "l" "1"',
    '3 "AUTH" "(redacted)" "(redacted)"',
    ...['3 "LLEN" "l"', '3 "GET" "l"'],
    '3 "ECHO" "end"',
  ]);
});

commandSuite("MONITOR shows a transaction when it runs", async (context) => {
  const { client, server, resp } = context;
  using watcher = await monitor(server, resp);
  await client.pipeline([
    ...[["MULTI"], ["SET", "a", "1"], ["DISCARD"]],
    ...[["MULTI"], ["SET", "a", "1"], ["SELECT", "2"], ["INCR", "a"], ["EXEC"]],
    ...[["MULTI"], ["GET"], ["EXEC"], ["WATCH", "a"], ["UNWATCH"]],
  ]);
  assertEquals(await lines(watcher, 11), [
    ...['0 "MULTI"', '0 "DISCARD"'],
    ...['0 "MULTI"', '0 "SET" "a" "1"', '2 "SELECT" "2"', '2 "INCR" "a"'],
    '2 "EXEC"',
    ...['2 "MULTI"', '2 "EXEC"', '2 "WATCH" "a"', '2 "UNWATCH"'],
  ]);
});

commandSuite("MONITOR sees all workers, each in its order", async (context) => {
  const { server, resp } = context;
  using stack = new DisposableStack();
  const watchers: TestClient[] = [];
  for (let i = 0; i < 3; i++) {
    watchers.push(stack.use(await monitor(server, resp)));
  }
  const clients: TestClient[] = [];
  for (let i = 0; i < 8; i++) clients.push(stack.use(await server.client()));
  const count = 200;
  await Promise.all(clients.map((client, c) =>
    client.pipeline(
      Array.from({ length: count }, (_, i) => ["ECHO", `${c} ${i}`]),
    )
  ));
  for (const watcher of watchers) {
    const next = clients.map(() => 0);
    for (const line of await lines(watcher, clients.length * count)) {
      const [, c, i] = /^0 "ECHO" "(\d+) (\d+)"$/.exec(line)!;
      assertEquals(Number(i), next[Number(c)]!++);
    }
  }
});

commandSuite("a monitor may not touch keys", async (context) => {
  const { client, server, resp } = context;
  using watcher = await monitor(server, resp);
  const denied = "-ERR Replica can't interact with the keyspace";
  await expectReplies(watcher, [
    ["GET k", denied],
    ["SET k 1", denied],
    ["PUBLISH a b", denied],
  ]);
  await watcher.sendCommands([["PING"], ["MONITOR"], ["ECHO", "x"]]);
  // It sees its own commands; MONITOR is not answered again.
  assertEquals(plain(await watcher.readReply()), "PONG");
  assertEquals(await lines(watcher, 1), ['0 "PING"']);
  assertEquals(plain(await watcher.readReply()), "x");
  assertEquals(await lines(watcher, 1), ['0 "ECHO" "x"']);
  const id = String(plain(await watcher.run("CLIENT", "ID")));
  await lines(watcher, 1);
  assertMatch(String(await ask(client, `CLIENT LIST ID ${id}`)), / flags=O /);
  assertMatch(
    String(await ask(client, "CLIENT LIST TYPE normal")),
    / flags=O /,
  );
  // No pause holds it back.
  await ask(client, "CLIENT PAUSE 60000 ALL");
  assertEquals(await ask(watcher, "PING"), "PONG");
  await lines(watcher, 1);
  await watcher.sendCommands([["CLIENT", "UNPAUSE"]]);
  assertEquals(plain(await watcher.readReply()), "OK");
});

commandSuite("MONITOR is refused in a transaction", async ({ client }) => {
  await client.pipeline([["MULTI"], ["MONITOR"]]);
  const [reply] = plain(await client.run("EXEC")) as unknown[];
  assert(reply instanceof ReplyError);
  assertEquals(
    reply.message,
    "ERR MONITOR isn't allowed for DENY BLOCKING client",
  );
  assertEquals(await ask(client, "PING"), "PONG");
});

commandSuite("RESET ends MONITOR", async ({ client, server, resp }) => {
  using watcher = await monitor(server, resp);
  using other = await monitor(server, 2);
  await watcher.sendCommands([["RESET"]]);
  assertEquals(plain(await watcher.readReply()), "RESET");
  await lines(other, 1);
  await ask(client, "SET k 1");
  assertEquals(await ask(watcher, "GET k"), "1");
  // Commands of different workers come in any order.
  const seen = await lines(other, 2);
  assertEquals(seen.sort(), ['0 "GET" "k"', '0 "SET" "k" "1"']);
});

commandSuite("MONITOR shows a blocking command once", async (context) => {
  const { client, server, resp } = context;
  using watcher = await monitor(server, resp);
  using waiting = await server.client();
  await waiting.sendCommands([["BLPOP", "l", "0"]]);
  assertEquals(await lines(watcher, 1), ['0 "BLPOP" "l" "0"']);
  await ask(client, "RPUSH l 1");
  assertEquals(plain(await waiting.readReply()), ["l", "1"]);
  await ask(client, "PING");
  assertEquals(await lines(watcher, 2), ['0 "RPUSH" "l" "1"', '0 "PING"']);
});

commandSuite("a long argument is cut", async ({ client, server, resp }) => {
  using watcher = await monitor(server, resp);
  await client.run("SET", "k", "x".repeat((1 << 20) + 3));
  const [line] = await lines(watcher, 1);
  assertEquals(
    line,
    `0 "SET" "k" "${"x".repeat(1 << 20)}"... (3 more bytes)`,
  );
});

commandSuite("a monitor that does not read is closed", async (context) => {
  const { client, server, resp } = context;
  using watcher = await monitor(server, resp);
  const id = String(plain(await watcher.run("CLIENT", "ID")));
  const limit = "client-output-buffer-limit";
  await client.run("CONFIG", "SET", limit, "normal 1mb 0 0");
  try {
    const echo = ["ECHO", "x".repeat(1 << 16)];
    for (let i = 0; i < 600; i++) {
      await client.run(...echo);
      if (i % 100 !== 99) continue;
      if (await ask(client, `CLIENT LIST ID ${id}`) === "") return;
    }
    assert(false, "the monitor is still there");
  } finally {
    await client.run("CONFIG", "SET", limit, "normal 0 0 0");
  }
});

import { assert, assertEquals } from "@std/assert";
import {
  ConnectionClosedError,
  plain,
  type TestClient,
} from "../_resp_client.ts";
import type { TestServer } from "../_harness.ts";
import { until } from "../_patience.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const SYNTAX = "-ERR syntax error";
const NAME_INVALID =
  "-ERR Client names cannot contain spaces, newlines or special characters.";

/** The fields of CLIENT LIST, in their order. */
const FIELDS = [
  ...["id", "addr", "laddr", "fd", "name", "age", "idle", "flags", "db"],
  ...["sub", "psub", "ssub", "multi", "watch", "qbuf", "qbuf-free", "argv-mem"],
  ...["multi-mem", "rbs", "rbp", "obl", "oll", "omem", "tot-mem", "events"],
  ...["cmd", "user", "redir", "resp", "lib-name", "lib-ver"],
];

commandSuite("CLIENT ID is unique and grows", async ({ client, server }) => {
  const id = await ask(client, "CLIENT ID") as number;
  using other = await server.client();
  assert(await ask(other, "CLIENT ID") as number > id);
  assertEquals(await ask(client, "CLIENT ID"), id);
});

commandSuite("CLIENT SETNAME takes what splits easily", async ({ client }) => {
  await expectReplies(client, [
    ["CLIENT GETNAME", null],
    ["CLIENT SETNAME worker-1!~", "OK"],
    ["CLIENT GETNAME", "worker-1!~"],
    [["CLIENT", "SETNAME", "a b"], NAME_INVALID],
    [["CLIENT", "SETNAME", "a\n"], NAME_INVALID],
    [["CLIENT", "SETNAME", "a\x00"], NAME_INVALID],
    [["CLIENT", "SETNAME", "\xc3\xa9"], NAME_INVALID],
    ["CLIENT GETNAME", "worker-1!~"],
    [["CLIENT", "SETNAME", ""], "OK"],
    ["CLIENT GETNAME", null],
  ]);
});

commandSuite("CLIENT SETINFO tells the library", async ({ client }) => {
  const invalid = "cannot contain spaces, newlines or special characters.";
  await expectReplies(client, [
    ["CLIENT SETINFO lib-name node-redis", "OK"],
    ["CLIENT SETINFO LIB-VER 5.0.1", "OK"],
    ["CLIENT SETINFO lib x", "-ERR Unrecognized option 'lib'"],
    [["CLIENT", "SETINFO", "lib-name", "a b"], `-ERR lib-name ${invalid}`],
    [["CLIENT", "SETINFO", "Lib-Ver", "\n"], `-ERR Lib-Ver ${invalid}`],
    [
      "CLIENT SETINFO lib-name",
      "-ERR wrong number of arguments for 'client|setinfo' command",
    ],
  ]);
  const info = fieldsOf(String(await ask(client, "CLIENT INFO")));
  assertEquals(info.get("lib-name"), "node-redis");
  assertEquals(info.get("lib-ver"), "5.0.1");
});

commandSuite("CLIENT INFO describes the connection", async (context) => {
  const { client, server, resp } = context;
  await client.pipeline([["SELECT", "5"], ["CLIENT", "SETNAME", "me"]]);
  const reply = await client.run("CLIENT", "INFO");
  assertEquals(reply.type, resp === 3 ? "verbatim" : "bulk");
  const text = String(plain(reply));
  assert(text.endsWith("\n") && text.indexOf("\n") === text.length - 1);
  const info = fieldsOf(text);
  assertEquals([...info.keys()], FIELDS);
  const { port } = client.conn.localAddr as Deno.NetAddr;
  assertEquals(info.get("id"), String(await ask(client, "CLIENT ID")));
  assertEquals(info.get("addr"), `127.0.0.1:${port}`);
  assertEquals(info.get("laddr"), `127.0.0.1:${server.port}`);
  assertEquals(info.get("name"), "me");
  assertEquals(info.get("db"), "5");
  assertEquals(info.get("flags"), "N");
  assertEquals(info.get("cmd"), "client|info");
  assertEquals(info.get("argv-mem"), "10");
  assertEquals(info.get("resp"), String(resp));
  assertEquals(info.get("user"), "default");
});

commandSuite("CLIENT INFO shows flags", async ({ client }) => {
  await expectReplies(client, [
    ["CLIENT NO-EVICT ON", "OK"],
    ["CLIENT NO-TOUCH on", "OK"],
    ["CLIENT NO-TOUCH x", SYNTAX],
    ["CLIENT NO-EVICT x", SYNTAX],
  ]);
  assert(String(await ask(client, "CLIENT INFO")).includes(" flags=eT "));
  await expectReplies(client, [
    ["CLIENT NO-EVICT off", "OK"],
    ["CLIENT NO-TOUCH OFF", "OK"],
  ]);
  assert(String(await ask(client, "CLIENT INFO")).includes(" flags=N "));
});

commandSuite("CLIENT LIST shows the connections of all workers", async (c) => {
  using others = await connectMany(c.server, 12);
  const ids = await others.ids();
  await others.clients[3]!.run("CLIENT", "SETNAME", "third");
  const reply = await c.client.run("CLIENT", "LIST");
  assertEquals(reply.type, c.resp === 3 ? "verbatim" : "bulk");
  const lines = linesOf(String(plain(reply)));
  const listed = lines.map((line) => Number(line.get("id")));
  assertEquals(listed, [...listed].sort((a, b) => a - b));
  for (const id of ids) assert(listed.includes(id));
  const third = lines.find((line) => line.get("id") === String(ids[3]));
  assertEquals(third?.get("name"), "third");
  assertEquals(third?.get("cmd"), "client|setname");
  for (const line of lines) assertEquals([...line.keys()], FIELDS);
});

commandSuite("CLIENT LIST picks by id and type", async (context) => {
  const { client, server } = context;
  using others = await connectMany(server, 4);
  const [a, b] = await others.ids() as [number, number];
  const idsIn = async (command: string) =>
    linesOf(String(await ask(client, command))).map((l) => Number(l.get("id")));
  assertEquals(await idsIn(`CLIENT LIST ID ${b} 999999 ${a} ${b} 0 -1`), [
    b,
    a,
    b,
  ]);
  assert((await idsIn("CLIENT LIST TYPE normal")).includes(a));
  await expectReplies(client, [
    ["CLIENT LIST ID 999999", ""],
    ["CLIENT LIST TYPE pubsub", ""],
    ["CLIENT LIST TYPE REPLICA", ""],
    ["CLIENT LIST TYPE slave", ""],
    ["CLIENT LIST TYPE master", ""],
    ["CLIENT LIST TYPE bogus", "-ERR Unknown client type 'bogus'"],
    ["CLIENT LIST ID x", "-ERR Invalid client ID"],
    ["CLIENT LIST ID 1 99999999999999999999", "-ERR Invalid client ID"],
    ["CLIENT LIST ID", SYNTAX],
    ["CLIENT LIST TYPE", SYNTAX],
    ["CLIENT LIST TYPE normal ID 1", SYNTAX],
    ["CLIENT LIST bogus", SYNTAX],
  ]);
});

commandSuite("CLIENT KILL closes connections anywhere", async (context) => {
  const { client, server } = context;
  using others = await connectMany(server, 10);
  const ids = await others.ids();
  for (const i of [0, 4, 7]) {
    assertEquals(await ask(client, `CLIENT KILL ID ${ids[i]}`), 1);
    assertEquals(await ask(client, `CLIENT KILL ID ${ids[i]}`), 0);
    await expectClosed(others.clients[i]!);
  }
  const address = addressOf(others.clients[1]!);
  assertEquals(await ask(client, `CLIENT KILL ${address}`), "OK");
  assertEquals(
    await ask(client, `CLIENT KILL ${address}`),
    "-ERR No such client",
  );
  await expectClosed(others.clients[1]!);
  const two = addressOf(others.clients[2]!);
  const kill = `CLIENT KILL ADDR ${two} LADDR 127.0.0.1:${server.port}`;
  assertEquals(await ask(client, `${kill} USER default TYPE pubsub`), 0);
  assertEquals(await ask(client, `${kill} USER default TYPE normal`), 1);
  await expectClosed(others.clients[2]!);
  assertEquals(await ask(others.clients[3]!, "PING"), "PONG");
  assertEquals(await ask(client, "CLIENT KILL TYPE normal SKIPME yes"), 5);
  for (const i of [3, 5, 6, 8, 9]) await expectClosed(others.clients[i]!);
  await expectReplies(client, [["PING", "PONG"]]);
});

commandSuite(
  "CLIENT KILL of oneself answers first",
  async ({ server, resp }) => {
    for (const form of ["new", "old"]) {
      using client = await server.client({ resp });
      const id = await ask(client, "CLIENT ID");
      const command = form === "old"
        ? ["CLIENT", "KILL", addressOf(client)]
        : ["CLIENT", "KILL", "ID", String(id), "SKIPME", "no"];
      await client.sendCommands([["PING"], command, ["PING"]]);
      assertEquals(plain(await client.readReply()), "PONG");
      assertEquals(plain(await client.readReply()), form === "old" ? "OK" : 1);
      assertEquals(await client.readToEnd(), new Uint8Array(0));
    }
  },
);

commandSuite(
  "CLIENT KILL refuses what it cannot filter by",
  async (context) => {
    const { client } = context;
    const notPositive = "-ERR client-id should be greater than 0";
    await expectReplies(client, [
      ["CLIENT KILL 1.2.3.4:5", "-ERR No such client"],
      ["CLIENT KILL ID", "-ERR No such client"],
      ["CLIENT KILL ID 0", notPositive],
      ["CLIENT KILL ID -1", notPositive],
      ["CLIENT KILL ID abc", notPositive],
      ["CLIENT KILL ID 9223372036854775807", 0],
      ["CLIENT KILL ID 99 TYPE", SYNTAX],
      ["CLIENT KILL TYPE bogus", "-ERR Unknown client type 'bogus'"],
      ["CLIENT KILL USER nobody", "-ERR No such user 'nobody'"],
      ["CLIENT KILL SKIPME maybe", SYNTAX],
      ["CLIENT KILL BOGUS 1", SYNTAX],
      ["CLIENT KILL MAXAGE 0", "-ERR maxage should be greater than 0"],
      ["CLIENT KILL MAXAGE x", "-ERR maxage is not an integer or out of range"],
      ["CLIENT KILL MAXAGE 100000", 0],
      [
        "CLIENT KILL",
        "-ERR wrong number of arguments for 'client|kill' command",
      ],
    ]);
  },
);

commandSuite("CLIENT NO-TOUCH spares keys' access clocks", async (context) => {
  const { client } = context;
  await expectReplies(client, [
    ["CONFIG SET maxmemory-policy allkeys-lfu lfu-log-factor 0", "OK"],
    ["SET k v", "OK"],
    ["OBJECT FREQ k", 5],
    ["GET k", "v"],
    ["OBJECT FREQ k", 6],
    ["CLIENT NO-TOUCH on", "OK"],
    ["GET k", "v"],
    ["MGET k k", ["v", "v"]],
    ["OBJECT FREQ k", 6],
    ["TOUCH k", 1],
    ["OBJECT FREQ k", 7],
    ["CLIENT NO-TOUCH off", "OK"],
    ["GET k", "v"],
    ["OBJECT FREQ k", 8],
    ["CONFIG SET maxmemory-policy noeviction lfu-log-factor 10", "OK"],
  ]);
});

commandSuite("CLIENT REPLY keeps replies back", async ({ client }) => {
  const quiet = ["CLIENT", "REPLY", "OFF"];
  const skip = ["CLIENT", "REPLY", "SKIP"];
  const loud = ["CLIENT", "REPLY", "ON"];
  const big = "x".repeat(200_000);
  await client.sendCommands([
    ...[loud, quiet, ["PING"], ["NOSUCH"], ["GET"], skip, ["SET", "k", big]],
    ...[["GET", "k"], ["CLIENT", "LIST"], quiet, ["CLIENT", "REPLY", "x"]],
    ...[loud, ["ECHO", "1"]],
    ...[skip, ["PING"], ["ECHO", "2"]],
    ...[skip, ["NOSUCH"], ["ECHO", "3"]],
    ...[skip, ["GET"], ["ECHO", "4"]],
    ...[skip, ["GET", "k"], ["ECHO", "5"]],
    ...[skip, ["CLIENT", "LIST"], ["ECHO", "6"]],
    ...[skip, skip, ["ECHO", "not 7"], ["ECHO", "7"]],
    ...[skip, loud, ["ECHO", "8"]],
    ...[skip, ["RESET"], ["ECHO", "9"]],
    ...[quiet, ["RESET"], ["ECHO", "10"]],
    ...[["CLIENT", "REPLY", "x"], ["ECHO", "end"]],
  ]);
  const replies = [];
  for (let last = ""; last !== "end";) {
    last = String(plain(await client.readReply())).replace("ReplyError: ", "");
    replies.push(last);
  }
  assertEquals(replies, [
    ...["OK", "OK", "1", "2", "3", "4", "5", "6", "7", "OK", "8", "9"],
    ...["RESET", "10", "ERR syntax error", "end"],
  ]);
});

commandSuite(
  "CLIENT PAUSE WRITE holds writes until UNPAUSE",
  async (context) => {
    const { client, server } = context;
    using others = await connectMany(server, 8);
    await expectReplies(client, [["CLIENT PAUSE 60000 WRITE", "OK"]]);
    const [first] = others.clients as [TestClient];
    for (const other of others.clients) {
      assertEquals(await ask(other, "GET k"), null);
      await other.sendCommands([["INCR", "k"], ["PING"], ["GET", "k"]]);
    }
    assertEquals(await ask(client, "GET k"), null);
    assertEquals(await heldCommands(client, 8), Array(8).fill("incr"));
    // A held client may still be killed.
    assertEquals(await ask(client, `CLIENT KILL ${addressOf(first)}`), "OK");
    await expectReplies(client, [["CLIENT UNPAUSE", "OK"]]);
    const counted = new Set<unknown>();
    for (const other of others.clients.slice(1)) {
      counted.add(plain(await other.readReply()));
      assertEquals(plain(await other.readReply()), "PONG");
      await other.readReply();
    }
    assertEquals(counted, new Set([1, 2, 3, 4, 5, 6, 7]));
    assertEquals(await ask(client, "GET k"), "7");
  },
);

commandSuite(
  "CLIENT PAUSE ends by itself, extended or not",
  async (context) => {
    const { client, server } = context;
    using other = await server.client();
    const started = performance.now();
    await expectReplies(client, [["CLIENT PAUSE 100 WRITE", "OK"]]);
    // Neither shorter nor less of it.
    await expectReplies(client, [["CLIENT PAUSE 1 WRITE", "OK"]]);
    await expectReplies(other, [["SET k v", "OK"]]);
    assert(performance.now() - started > 95);
    const restarted = performance.now();
    await expectReplies(client, [["CLIENT PAUSE 100", "OK"]]);
    await expectReplies(other, [["PING", "PONG"]]);
    assert(performance.now() - restarted > 95);
  },
);

commandSuite("CLIENT PAUSE refuses bad arguments", async ({ client }) => {
  const usage = "unknown subcommand or wrong number of arguments for";
  await expectReplies(client, [
    ["CLIENT PAUSE x", "-ERR timeout is not an integer or out of range"],
    ["CLIENT PAUSE -1", "-ERR timeout is negative"],
    ["CLIENT PAUSE 0 x", "-ERR CLIENT PAUSE mode must be WRITE or ALL"],
    ["CLIENT PAUSE x x", "-ERR CLIENT PAUSE mode must be WRITE or ALL"],
    ["CLIENT Pause 0 WRITE x", `-ERR ${usage} 'Pause'. Try CLIENT HELP.`],
    ["CLIENT PAUSE 0", "OK"],
    ["CLIENT PAUSE 0 all", "OK"],
    ["CLIENT UNPAUSE", "OK"],
  ]);
});

commandSuite("CLIENT UNBLOCK finds nobody blocked", async ({ client }) => {
  const id = await ask(client, "CLIENT ID");
  const reason = "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR";
  await expectReplies(client, [
    [`CLIENT UNBLOCK ${id}`, 0],
    ["CLIENT UNBLOCK 999999 TIMEOUT", 0],
    ["CLIENT UNBLOCK 999999 error", 0],
    ["CLIENT UNBLOCK x", "-ERR value is not an integer or out of range"],
    ["CLIENT UNBLOCK x x", reason],
  ]);
});

commandSuite("CLIENT tracking is off", async ({ client, resp }) => {
  assertEquals(await ask(client, "CLIENT GETREDIR"), -1);
  const info = await ask(client, "CLIENT TRACKINGINFO");
  const flags = ["off"];
  const expected = resp === 3
    ? new Map<string, unknown>([
      ["flags", new Set(flags)],
      ["redirect", -1],
      ["prefixes", []],
    ])
    : ["flags", flags, "redirect", -1, "prefixes", []];
  assertEquals<unknown>(info, expected);
});

commandSuite("CLIENT wants a subcommand that exists", async ({ client }) => {
  await expectReplies(client, [
    ["CLIENT", "-ERR wrong number of arguments for 'client' command"],
    ["client bogus", "-ERR unknown subcommand 'bogus'. Try CLIENT HELP."],
  ]);
  const help = await ask(client, "CLIENT HELP") as string[];
  assertEquals(
    help[0],
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  );
});

/** What the held connections were about to run, once there are so many. */
async function heldCommands(
  client: TestClient,
  count: number,
): Promise<(string | undefined)[]> {
  let held: Map<string, string>[] = [];
  await until(`${count} connections are held`, async () => {
    const lines = linesOf(String(await ask(client, "CLIENT LIST")));
    held = lines.filter((line) => line.get("flags") === "b");
    return held.length === count;
  });
  return held.map((line) => line.get("cmd"));
}

class ManyClients implements Disposable {
  constructor(readonly clients: readonly TestClient[]) {}

  async ids(): Promise<number[]> {
    const ids = this.clients.map((client) => ask(client, "CLIENT ID"));
    return (await Promise.all(ids)).map(Number);
  }

  [Symbol.dispose](): void {
    for (const client of this.clients) client.close();
  }
}

async function connectMany(
  server: TestServer,
  count: number,
): Promise<ManyClients> {
  const clients: TestClient[] = [];
  for (let i = 0; i < count; i++) clients.push(await server.client());
  return new ManyClients(clients);
}

async function expectClosed(client: TestClient): Promise<void> {
  try {
    await client.run("PING");
  } catch (error) {
    if (error instanceof ConnectionClosedError) return;
    if (error instanceof Deno.errors.BrokenPipe) return;
    if (error instanceof Deno.errors.ConnectionReset) return;
    throw error;
  }
  throw new Error("The connection is still open");
}

function addressOf(client: TestClient): string {
  const { port } = client.conn.localAddr as Deno.NetAddr;
  return `127.0.0.1:${port}`;
}

function linesOf(text: string): Map<string, string>[] {
  return text.split("\n").filter((line) => line !== "").map(fieldsOf);
}

function fieldsOf(line: string): Map<string, string> {
  return new Map(
    line.trimEnd().split(" ").map((field) => {
      const [name, ...value] = field.split("=");
      return [name!, value.join("=")];
    }),
  );
}

commandSuite("CLIENT LIST counts what a connection holds", async (context) => {
  const { client, server } = context;
  using other = await server.client();
  const id = await ask(other, "CLIENT ID");
  const fields = async () =>
    fieldsOf(String(await ask(client, `CLIENT LIST ID ${id}`)));
  await other.pipeline([["WATCH", "a", "b", "a"], ["MULTI"], [
    "SET",
    "a",
    "xy",
  ]]);
  let info = await fields();
  assertEquals([info.get("watch"), info.get("multi")], ["2", "1"]);
  assert(Number(info.get("multi-mem")) >= 6);
  assertEquals(info.get("flags"), "x");
  await other.run("DISCARD");
  info = await fields();
  assertEquals([info.get("watch"), info.get("multi")], ["0", "-1"]);
  assert(Number(info.get("tot-mem")) > 0);
});

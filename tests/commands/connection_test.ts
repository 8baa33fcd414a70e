import { assert, assertEquals } from "@std/assert";
import { plain, type TestClient } from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite, type SuiteContext } from "./_suite.ts";

const NO_AUTH = "-NOAUTH Authentication required.";
const NO_AUTH_HELLO =
  "-NOAUTH HELLO must be called with the client already authenticated, " +
  "otherwise the HELLO AUTH <user> <pass> option can be used to authenticate " +
  "the client and select the RESP protocol version at the same time";
const WRONG_PASS =
  "-WRONGPASS invalid username-password pair or user is disabled.";
const NO_PASSWORD =
  "-ERR AUTH <password> called without any password configured for the " +
  "default user. Are you sure your configuration is correct?";
const NO_PROTO = "-NOPROTO unsupported protocol version";
const NAME_INVALID =
  "-ERR Client names cannot contain spaces, newlines or special characters.";

commandSuite("PING answers PONG or its argument", async ({ client }) => {
  assertEquals(await client.run("PING"), { type: "simple", value: "PONG" });
  await expectReplies(client, [
    [["ping", "a\r\nb\x00"], "a\r\nb\x00"],
    [["PING", ""], ""],
    ["PING a b", "-ERR wrong number of arguments for 'ping' command"],
  ]);
});

commandSuite("ECHO sends its argument back", async ({ client }) => {
  const long = "0123456789abcdef".repeat(20_000);
  await expectReplies(client, [
    ["ECHO hello", "hello"],
    [["ECHO", ""], ""],
    [["ECHO", long], long],
    ["ECHO", "-ERR wrong number of arguments for 'echo' command"],
    ["ECHO a b", "-ERR wrong number of arguments for 'echo' command"],
  ]);
});

commandSuite("QUIT answers and closes", async ({ server, resp }) => {
  using client = await server.client({ resp });
  await client.sendCommands([["PING"], ["QUIT"], ["PING"], ["PING"]]);
  assertEquals(plain(await client.readReply()), "PONG");
  assertEquals(plain(await client.readReply()), "OK");
  assertEquals(await client.readToEnd(), new Uint8Array(0));
});

commandSuite("HELLO tells what the server is", async ({ client, resp }) => {
  const reply = await client.run("HELLO");
  assertEquals(reply.type, resp === 3 ? "map" : "array");
  const hello = pairsOf(plain(reply));
  const id = await ask(client, "CLIENT ID");
  assertEquals([...hello.keys()], [
    ...["server", "version", "proto", "id", "mode", "role", "modules"],
  ]);
  assertEquals(hello.get("server"), "redis");
  assert(/^7\.2\.\d+$/.test(String(hello.get("version"))));
  assertEquals(hello.get("proto"), resp);
  assertEquals(hello.get("id"), id);
  assertEquals(hello.get("mode"), "standalone");
  assertEquals(hello.get("role"), "master");
  assertEquals(hello.get("modules"), []);
});

commandSuite("HELLO switches the protocol at once", async ({ client }) => {
  const types = [];
  for (const version of [3, 2, 3, 3, 2]) {
    types.push((await client.run("HELLO", version)).type);
    types.push((await client.run("GET", "nothing")).type);
  }
  assertEquals(
    types.join(" "),
    "map null array null map null map null array null",
  );
  const replies = await client.pipeline([
    ["HELLO", "3"],
    ["GET", "nothing"],
    ["HELLO", "2"],
    ["GET", "nothing"],
  ]);
  assertEquals(replies[1], { type: "null", form: "resp3" });
  assertEquals(replies[3], { type: "null", form: "bulk" });
});

commandSuite(
  "HELLO refuses what it does not know",
  async ({ client, resp }) => {
    await expectReplies(client, [
      ["CLIENT SETNAME before", "OK"],
      ["HELLO 1", NO_PROTO],
      ["HELLO 4", NO_PROTO],
      ["HELLO -3", NO_PROTO],
      ["HELLO abc", "-ERR Protocol version is not an integer or out of range"],
      [
        ["HELLO", ""],
        "-ERR Protocol version is not an integer or out of range",
      ],
      ["HELLO 3 BOGUS", "-ERR Syntax error in HELLO option 'BOGUS'"],
      ["HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'"],
      ["HELLO 3 AUTH default", "-ERR Syntax error in HELLO option 'AUTH'"],
      [["HELLO", "3", "SETNAME", "a b"], NAME_INVALID],
      ["HELLO 3 SETNAME after AUTH nobody x", WRONG_PASS],
      ["CLIENT GETNAME", "before"],
    ]);
    assertEquals(
      (await client.run("GET", "nothing")).type === "null" &&
        pairsOf(plain(await client.run("HELLO"))).get("proto"),
      resp,
    );
  },
);

commandSuite("HELLO names and authenticates", async ({ client }) => {
  await client.run("HELLO", "3", "AUTH", "default", "any", "SETNAME", "me");
  await expectReplies(client, [["CLIENT GETNAME", "me"]]);
  await client.run("HELLO", "2", "setname", "you");
  await expectReplies(client, [["CLIENT GETNAME", "you"]]);
});

commandSuite("AUTH without a password in force", async ({ client }) => {
  await expectReplies(client, [
    ["AUTH secret", NO_PASSWORD],
    ["AUTH default anything", "OK"],
    ["AUTH Default anything", WRONG_PASS],
    ["AUTH nobody anything", WRONG_PASS],
    ["AUTH a b c", "-ERR syntax error"],
    ["AUTH", "-ERR wrong number of arguments for 'auth' command"],
    ["PING", "PONG"],
  ]);
});

commandSuite(
  "AUTH is asked for where there is a password",
  (context) =>
    withPassword(context, async (client) => {
      await expectReplies(client, [
        ["PING", NO_AUTH],
        ["GET k", NO_AUTH],
        ["CLIENT ID", NO_AUTH],
        ["GET", "-ERR wrong number of arguments for 'get' command"],
        [
          "NOSUCH",
          "-ERR unknown command 'NOSUCH', with args beginning with: ",
        ],
        ["HELLO", NO_AUTH_HELLO],
        ["HELLO 3", NO_AUTH_HELLO],
        ["HELLO 3 AUTH default wrong", WRONG_PASS],
        ["AUTH wrong", WRONG_PASS],
        [["AUTH", ""], WRONG_PASS],
        ["AUTH se cret", WRONG_PASS],
        ["AUTH nobody secret", WRONG_PASS],
        ["AUTH secretsecret", WRONG_PASS],
        ["AUTH secre", WRONG_PASS],
        ["PING", NO_AUTH],
        ["AUTH secret", "OK"],
        ["PING", "PONG"],
        ["AUTH wrong", WRONG_PASS],
        ["PING", "PONG"],
        ["RESET", "RESET"],
        ["PING", NO_AUTH],
        ["AUTH default secret", "OK"],
        ["PING", "PONG"],
      ]);
    }),
);

commandSuite(
  "HELLO AUTH lets in",
  (context) =>
    withPassword(context, async (client) => {
      await client.run("HELLO", "3", "AUTH", "default", "secret");
      await expectReplies(client, [["PING", "PONG"]]);
    }),
);

commandSuite(
  "AUTH takes effect within a pipeline",
  (context) =>
    withPassword(context, async (client) => {
      const long = "x".repeat(20_000);
      const wide = ["MSET", ..."a1b2c3d4e5f6"];
      const replies = await client.pipeline([
        ["PING"],
        ["AUTH", "secret"],
        ["ECHO", long],
        wide,
        ["RESET"],
        ["PING"],
      ]);
      assertEquals(replies.map((reply) => reply.type), [
        ...["error", "simple", "bulk", "simple", "simple", "error"] as const,
      ]);
    }),
);

commandSuite(
  "no password, no AUTH, for those who wait too",
  async (context) => {
    let left: TestClient | undefined;
    await withPassword(context, async (client) => {
      await expectReplies(client, [["PING", NO_AUTH]]);
      left = await context.server.client();
    });
    using client = left!;
    await expectReplies(client, [["PING", "PONG"]]);
  },
);

commandSuite("RESET restores a fresh connection", async ({ client, resp }) => {
  await expectReplies(client, [
    ["CLIENT SETNAME me", "OK"],
    ["CLIENT SETINFO lib-name lib", "OK"],
    ["CLIENT NO-EVICT on", "OK"],
    ["CLIENT NO-TOUCH on", "OK"],
    ["SELECT 3", "OK"],
  ]);
  await client.run("HELLO", resp);
  assertEquals(await client.run("RESET"), { type: "simple", value: "RESET" });
  assertEquals(await client.run("GET", "k"), { type: "null", form: "bulk" });
  await expectReplies(client, [
    ["CLIENT GETNAME", null],
    ["RESET x", "-ERR wrong number of arguments for 'reset' command"],
  ]);
  const info = String(await ask(client, "CLIENT INFO"));
  assert(info.includes(" flags=N db=0 "), info);
  assert(info.includes(" name= "), info);
  assert(info.includes(" resp=2 lib-name=lib "), info);
});

/** Runs a body on a new connection to the server, which asks for "secret". */
async function withPassword(
  { client, server }: SuiteContext,
  body: (client: TestClient) => Promise<void>,
): Promise<void> {
  await expectReplies(client, [["CONFIG SET requirepass secret", "OK"]]);
  try {
    using stranger = await server.client();
    await body(stranger);
  } finally {
    await expectReplies(client, [[["CONFIG", "SET", "requirepass", ""], "OK"]]);
  }
}

function pairsOf(value: unknown): Map<unknown, unknown> {
  if (value instanceof Map) return value;
  const flat = value as unknown[];
  const pairs = new Map<unknown, unknown>();
  for (let i = 0; i < flat.length; i += 2) pairs.set(flat[i], flat[i + 1]);
  return pairs;
}

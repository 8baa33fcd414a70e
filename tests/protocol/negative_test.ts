import { assert, assertEquals } from "@std/assert";
import { sharedServers, startServer, type TestServer } from "../_harness.ts";
import {
  hasRedisServer,
  type RedisServer,
  startRedisServer,
} from "../_redis_server.ts";
import { type SendOptions, show, type TestClient } from "../_resp_client.ts";

const LONG_LINE = "1".repeat(64 * 1024 + 1);
const GET = "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";

/** What ends a connection, alone and behind requests that are answered. */
const FATAL: readonly string[] = [
  "*\r\n",
  "*a\r\n",
  "*1a\r\n",
  "*+1\r\n",
  "*01\r\n",
  "* 1\r\n",
  "*2147483648\r\n",
  "*20000000000\r\n",
  "*9223372036854775808\r\n",
  "*-9223372036854775809\r\n",
  "*1\r\n$-1\r\n",
  "*1\r\n$\r\n",
  "*1\r\n$a\r\n",
  "*1\r\n$01\r\n",
  "*1\r\n$536870913\r\n",
  "*1\r\n$9223372036854775808\r\n",
  "*1\r\n:1\r\n",
  "*1\r\nPING\r\n",
  "*1\r\n\r\n\r\n",
  "*1\r\n\t\r\n",
  "*1\r\n\xff\r\n",
  "*2\r\n$3\r\nGET\r\n*1\r\n",
  "*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfoo\r\n",
  `SET k "v\r\n`,
  `SET k 'v\r\n`,
  `SET k "v"w\r\n`,
  `"\r\n`,
  `*${LONG_LINE}`,
  `*1\r\n$${LONG_LINE}`,
  `*1\r\n${LONG_LINE}`,
  LONG_LINE,
  "QUIT\r\n*x\r\n",
];

/** What ends the connection of one who has not given the password. */
const FATAL_BEFORE_AUTH: readonly string[] = [
  "*11\r\n",
  "*1000000\r\n",
  "*1\r\n$16385\r\n",
  "*2\r\n$4\r\nAUTH\r\n$1000000\r\n",
  `${GET}*11\r\n`,
  "RESET\r\n*11\r\n",
];

const CUTS: readonly SendOptions[] = [{}, { chunks: 3 }];

const ignore = !hasRedisServer("protocol errors compared with redis-server");
const PASSWORD = ["--requirepass", "secret"];
let reference: RedisServer;
let locked: RedisServer;
let subject: TestServer;
let lockedSubject: TestServer;
if (!ignore) {
  sharedServers(async (stack) => {
    reference = stack.use(await startRedisServer());
    locked = stack.use(await startRedisServer(PASSWORD));
    subject = stack.use(await startServer({ workers: 2 }));
    lockedSubject = stack.use(
      await startServer({ workers: 2, args: PASSWORD }),
    );
  });
}

interface Server {
  client(): Promise<TestClient>;
}

async function bytesUntilEnd(
  server: Server,
  requests: string,
  options: SendOptions,
): Promise<string> {
  using client = await server.client();
  // A server that has closed may refuse the rest.
  const sending = client.sendRaw(requests, options).catch(() => {});
  const bytes = show(await client.readToEnd());
  await sending;
  return bytes;
}

async function compare(
  expected: Server,
  actual: Server,
  requests: string,
): Promise<void> {
  for (const options of CUTS) {
    if (requests.length > 1000 && options.chunks !== undefined) continue;
    const [want, got] = await Promise.all([
      bytesUntilEnd(expected, requests, options),
      bytesUntilEnd(actual, requests, options),
    ]);
    assertEquals(got, want, `${show(requests)} ${JSON.stringify(options)}`);
  }
}

Deno.test({
  name: "malformed requests get redis-server's bytes, then the end",
  ignore,
  fn: async () => {
    for (const requests of FATAL) {
      await compare(reference, subject, requests);
      await compare(reference, subject, `PING\r\n${GET}${requests}`);
      // A line that is too long for one who has read it so far may end here.
      if (requests.includes(LONG_LINE)) continue;
      await compare(reference, subject, `${requests}PING\r\n${GET}`);
    }
  },
});

Deno.test({
  name: "strangers get redis-server's limits where there is a password",
  ignore,
  fn: async () => {
    for (const requests of FATAL_BEFORE_AUTH) {
      await compare(locked, lockedSubject, requests);
    }
    for (const requests of FATAL) {
      await compare(locked, lockedSubject, `AUTH secret\r\n${requests}`);
      await compare(locked, lockedSubject, requests);
    }
  },
});

// redis-server keeps such a connection open for ever, and runs nothing on it.
Deno.test({
  name: "a protocol error that CLIENT REPLY silences ends the connection too",
  ignore,
  fn: async () => {
    for (const mode of ["OFF", "SKIP"]) {
      const requests = `PING\r\nCLIENT REPLY ${mode}\r\n*x\r\nPING\r\n`;
      for (const options of CUTS) {
        const bytes = await bytesUntilEnd(subject, requests, options);
        assertEquals(bytes, show("+PONG\r\n"));
      }
    }
  },
});

Deno.test({
  name: "what a protocol error ends is one connection",
  ignore,
  fn: async () => {
    using bystander = await subject.client();
    const id = await bystander.run("CLIENT", "ID");
    for (const requests of FATAL.slice(0, 20)) {
      await bytesUntilEnd(subject, requests, {});
    }
    assertEquals(await bystander.run("CLIENT", "ID"), id);
    const list = await bystander.run("CLIENT", "LIST");
    assert(list.type === "bulk");
    assertEquals(show(list.value, 1 << 20).split("\\n").length, 2);
  },
});

Deno.test({
  name: "a connection that speaks HTTP is closed before the body is run",
  ignore,
  fn: async () => {
    const body = "\r\nSET http 1\r\n";
    const heads = [
      "POST / HTTP/1.1\r\n",
      "GET / HTTP/1.1\r\nHost: localhost\r\n",
      "*2\r\n$5\r\nhOsT:\r\n$1\r\nx\r\n",
    ];
    for (const head of heads) {
      for (const server of [reference, subject, lockedSubject]) {
        assertEquals(await bytesUntilEnd(server, head + body, {}), show(""));
      }
    }
    using client = await subject.client();
    assertEquals(show(await client.runRaw("EXISTS", "http")), show(":0\r\n"));
  },
});

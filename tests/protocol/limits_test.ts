import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { deadline } from "@std/async";
import { sharedServers, startServer, type TestServer } from "../_harness.ts";
import { PATIENCE_MS, pause, until, untilQuickEnough } from "../_patience.ts";
import { plain, type TestClient, toBinary } from "../_resp_client.ts";

const MEGABYTE = 1024 * 1024;

let server: TestServer;
sharedServers(async (stack) => {
  server = stack.use(await startServer({ workers: 2 }));
});

/** Runs a body under a setting that is put back afterwards. */
async function withSetting(
  name: string,
  value: string,
  body: () => Promise<void>,
): Promise<void> {
  using admin = await server.client();
  const before = plain(await admin.run("CONFIG", "GET", name)) as string[];
  assertEquals(plain(await admin.run("CONFIG", "SET", name, value)), "OK");
  try {
    await body();
  } finally {
    // The setting may have closed the first one.
    using other = await server.client();
    await other.run("CONFIG", "SET", name, before[1]!);
  }
}

/** Sends bytes until they are gone or the server has closed. */
async function sendAll(client: TestClient, bytes: string): Promise<void> {
  try {
    await client.sendRaw(bytes);
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) return;
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
}

Deno.test("client-query-buffer-limit ends requests that grow too long", () =>
  withSetting("client-query-buffer-limit", String(MEGABYTE), async () => {
    const piece = "x".repeat(10_000);
    const requests = [
      `*2\r\n$4\r\nECHO\r\n$${2 * MEGABYTE}\r\n${"x".repeat(2 * MEGABYTE)}`,
      `*1000\r\n${`$10000\r\n${piece}\r\n`.repeat(200)}`,
    ];
    for (const request of requests) {
      using client = await server.client();
      const sending = sendAll(client, request);
      assertEquals(toBinary(await client.readToEnd()), "");
      await sending;
    }
    using client = await server.client();
    const fits = "x".repeat(900_000);
    assertEquals(plain(await client.run("ECHO", fits)), fits);
    // Requests that are answered do not count, however many there are.
    const replies = await client.pipeline(
      Array.from({ length: 300 }, () => ["ECHO", piece]),
    );
    assertEquals(replies.length, 300);
  }));

Deno.test("proto-max-bulk-len is the length of the longest argument", () =>
  withSetting("proto-max-bulk-len", String(MEGABYTE), async () => {
    using client = await server.client();
    const fits = "x".repeat(MEGABYTE);
    assertEquals(plain(await client.run("ECHO", fits)), fits);
    await client.sendRaw(`*2\r\n$4\r\nECHO\r\n$${MEGABYTE + 1}\r\n`);
    assertEquals(
      toBinary(await client.readToEnd()),
      "-ERR Protocol error: invalid bulk length\r\n",
    );
  }));

Deno.test("client-output-buffer-limit's hard limit ends what is above", () =>
  withSetting("client-output-buffer-limit", "normal 200000 0 0", async () => {
    using client = await server.client();
    await client.run("SET", "{out}fits", "x".repeat(150_000));
    await client.run("SET", "{out}long", "x".repeat(500_000));
    assertEquals((await client.run("GET", "{out}fits")).type, "bulk");
    await client.sendCommands([["GET", "{out}long"]]);
    let received = 0;
    for (let bytes; (bytes = await client.readBytes()) !== null;) {
      received += bytes.length;
    }
    assert(received < 500_000);
    using other = await server.client();
    const many = Array.from({ length: 4 }, () => ["GET", "{out}fits"]);
    await other.sendCommands(many);
    received = 0;
    for (let bytes; (bytes = await other.readBytes()) !== null;) {
      received += bytes.length;
    }
    assert(received < 600_000);
    using admin = await server.client();
    await admin.run("DEL", "{out}fits", "{out}long");
  }));

Deno.test("client-output-buffer-limit's soft limit waits for its time", () =>
  withSetting("client-output-buffer-limit", "normal 0 100000 600", async () => {
    using client = await server.client();
    const value = "x".repeat(20 * MEGABYTE);
    await client.run("SET", "{out}soft", value);
    // Read at once, it is no offence.
    assertEquals((await client.run("GET", "{out}soft")).type, "bulk");
    const id = plain(await client.run("CLIENT", "ID"));
    // More than the system may buffer, which has seen that it is read at once.
    await client.sendCommands(Array(10).fill(["GET", "{out}soft"]));
    using admin = await server.client();
    const limit = "client-output-buffer-limit";
    await admin.run("CONFIG", "SET", limit, "normal 0 100000 1");
    await untilNotListed(admin, Number(id));
    await admin.run("DEL", "{out}soft");
  }));

Deno.test("who reads when all is sent gets all replies", async () => {
  using client = await server.client();
  // Neither the requests nor the replies fit into what the system buffers.
  const count = 1500;
  const value = "x".repeat(16 * 1024);
  const pair = [["SET", "{late}", value], ["GET", "{late}"]];
  await deadline(
    client.sendCommands(Array.from({ length: count }, () => pair).flat()),
    PATIENCE_MS,
  );
  for (let i = 0; i < count; i++) {
    assertEquals(plain(await client.readReply()), "OK");
    assertEquals(
      (plain(await client.readReply()) as string).length,
      value.length,
    );
  }
  assertEquals(plain(await client.run("DEL", "{late}")), 1);
});

Deno.test("a client that leaves is noticed behind what it has sent", async () => {
  using admin = await server.client();
  for (const command of [["BLPOP", "{gone}", "0"], ["WAIT", "1", "0"]]) {
    const id = await (async () => {
      using client = await server.client();
      const id = Number(plain(await client.run("CLIENT", "ID")));
      const behind = ["SET", "{gone}", "x".repeat(MEGABYTE)];
      await client.sendCommands([command, behind]);
      return id;
    })();
    await untilNotListed(admin, id);
  }
  assertEquals(plain(await admin.run("EXISTS", "{gone}")), 0);
});

Deno.test("timeout closes connections that are silent, not those that listen", () =>
  withSetting("timeout", "1", async () => {
    // Connected before, so as silent as the one that is closed.
    using subscriber = await server.client();
    using monitor = await server.client();
    await subscriber.run("SUBSCRIBE", "channel");
    await monitor.run("MONITOR");
    await untilQuickEnough(async () => {
      using silent = await server.client();
      using busy = await server.client();
      assertEquals(plain(await silent.run("PING")), "PONG");
      let ended = false;
      const end = silent.readToEnd().then(() => ended = true);
      let longestMs = 0;
      try {
        for (let last = performance.now(); !ended;) {
          assertEquals(plain(await busy.run("PING")), "PONG");
          longestMs = Math.max(longestMs, performance.now() - last);
          last = performance.now();
          await pause(50);
        }
        assertEquals(plain(await busy.run("PING")), "PONG");
        return true;
      } catch (error) {
        // A machine that was busy with something else has made it silent, too.
        if (longestMs > 500) return false;
        throw error;
      } finally {
        await end;
      }
    });
    using admin = await server.client();
    const list = plain(await admin.run("CLIENT", "LIST")) as string;
    assertStringIncludes(list, " cmd=subscribe ");
    assertStringIncludes(list, " cmd=monitor ");
  }));

Deno.test("maxclients refuses one more, with a word", async () => {
  await using small = await startServer({
    workers: 2,
    args: ["--maxclients", "4"],
  });
  const clients: TestClient[] = [];
  try {
    for (let i = 0; i < 4; i++) clients.push(await small.client());
    for (const client of clients) await client.run("PING");
    using refused = await small.client();
    assertEquals(
      toBinary(await refused.readToEnd()),
      "-ERR max number of clients reached\r\n",
    );
    await clients[0]!.run("QUIT");
    await clients[0]!.readToEnd();
    using again = await small.client();
    assertEquals(plain(await again.run("PING")), "PONG");
  } finally {
    for (const client of clients) client.close();
  }
});

async function untilNotListed(admin: TestClient, id: number): Promise<void> {
  await until("it is not connected", async () => {
    return plain(await admin.run("CLIENT", "LIST", "ID", id)) === "";
  });
}

/**
 * The server as a process: how it starts, stops, refuses and crashes.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { startServer } from "../_harness.ts";
import { eventually } from "../_patience.ts";
import { plain, TestClient } from "../_resp_client.ts";

const ROOT = new URL("../../", import.meta.url);

/** Runs the program to its end. */
function runToEnd(...args: string[]): { code: number; stderr: string } {
  const { code, stderr } = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--unstable-net", "src/front/cli/main.ts"]
      .concat(args, "--appendonly", "no"),
    cwd: ROOT,
    stdout: "null",
  }).outputSync();
  return { code, stderr: new TextDecoder().decode(stderr) };
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} lets what is under way finish, then ends with code 0`, async () => {
    await using server = await startServer({ workers: 3 });
    const clients = await Promise.all(
      Array.from({ length: 12 }, () => server.client()),
    );
    const value = "x".repeat(1_000_000);
    assertEquals(plain(await clients[0]!.run("SET", "big", value)), "OK");
    const replies = clients.map((client) => client.run("GET", "big"));
    for (const reply of replies) {
      assertEquals((plain(await reply) as string).length, value.length);
    }
    server.kill(signal);
    assertEquals((await server.exited).code, 0);
    for (const client of clients) client.close();
    assertStringIncludes(server.stdout, `Received ${signal}`);
  });
}

Deno.test("a worker that fails takes the process down and says why", async () => {
  const server = await startServer({ workers: 2 });
  using client = await server.client();
  await client.sendCommands([["DEBUG", "PANIC"]]);
  const status = await server.exited;
  assertEquals(status.code, 70);
  assertStringIncludes(server.stdout, "BUG: ");
  assertStringIncludes(server.stdout, "DEBUG PANIC was called");
  await server.stop().catch(() => {});
});

Deno.test("SHUTDOWN ends the server with code 0", async () => {
  await using server = await startServer({ workers: 2 });
  using client = await server.client();
  await client.sendCommands([["SHUTDOWN", "NOSAVE"]]);
  assertEquals((await server.exited).code, 0);
});

Deno.test("SHUTDOWN ends a server that is still loading with code 0", async () => {
  await withStarting(["--appendonly", "yes"], async (path, child) => {
    // The socket is there before the log has been read.
    const client = await eventually(() => TestClient.connect(path));
    await client.sendCommands([["SHUTDOWN"]]);
    const { code, stderr } = await child.output();
    client.close();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  });
});

Deno.test("who connects while workers warm up waits, and loses nothing", async () => {
  await withStarting(["--appendonly", "no"], async (path, child) => {
    using client = await eventually(() => TestClient.connect(path));
    const leaver = await TestClient.connect(path);
    await leaver.sendCommands([["SET", "left", "1"], ["INCR", "left"]]);
    leaver.close();
    const replies = await client.pipeline([
      ["PING"],
      ["SET", "k", "v"],
      ["MULTI"],
      ["INCR", "n"],
      ["GET", "k"],
      ["EXEC"],
    ]);
    assertEquals(replies.map(plain), [
      "PONG",
      "OK",
      "OK",
      "QUEUED",
      "QUEUED",
      [1, "v"],
    ]);
    await client.sendCommands([["SHUTDOWN", "NOSAVE"]]);
    const { code, stderr } = await child.output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  });
});

/** A server that has just been spawned, with a unix socket and a folder of its own. */
async function withStarting(
  flags: string[],
  use: (path: string, child: Deno.ChildProcess) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "sherd_starting_" });
  try {
    const path = `${dir}/socket`;
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "-A", "--unstable-net", "src/front/cli/main.ts"],
        ...["--port", "0", "--unixsocket", path, "--dir", dir],
        ...["--workers", "2", ...flags],
      ],
      cwd: ROOT,
      stdout: "null",
      stderr: "piped",
    }).spawn();
    await use(path, child);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("a unix socket serves beside TCP and is removed at the end", async () => {
  const directory = await Deno.makeTempDir();
  const path = `${directory}/sherd.sock`;
  {
    await using server = await startServer({
      workers: 2,
      args: ["--port", "{port}", "--unixsocket", path]
        .concat(["--unixsocketperm", "700"]),
    });
    assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o700);
    using local = await TestClient.connect(path);
    using remote = await server.client();
    assertEquals(plain(await local.run("SET", "k", "v")), "OK");
    assertEquals(plain(await remote.run("GET", "k")), "v");
    const info = plain(await local.run("CLIENT", "INFO")) as string;
    assertStringIncludes(info, `addr=${path}:0`);
    assertStringIncludes(info, "flags=U");
  }
  assertEquals([...Deno.readDirSync(directory)], []);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("an unknown or invalid setting stops the start and names the line", async () => {
  const file = await Deno.makeTempFile({ suffix: ".conf" });
  const rows: [string, RegExp][] = [
    ["port 0\n\nno-such-thing 1\n", /line 3\n>>> 'no-such-thing 1'/],
    ["maxmemory lots\n", /line 1\n>>> 'maxmemory lots'/],
    ["appendonly maybe\n", /appendonly maybe/],
    ["save 60\n", /save 60/],
  ];
  for (const [content, expected] of rows) {
    await Deno.writeTextFile(file, content);
    const { code, stderr } = runToEnd(file);
    assertEquals(code, 1, content);
    assertEquals(expected.test(stderr), true, stderr);
  }
  await Deno.remove(file);
});

Deno.test("a port that is taken stops the start with the reason", () => {
  using taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { code, stderr } = runToEnd("--port", `${taken.addr.port}`);
  assertEquals(code, 1);
  assertStringIncludes(stderr, "Could not start");
});

Deno.test("servers with several workers do not share a port", async () => {
  await using server = await startServer({ workers: 2 });
  for (const workers of ["1", "2"]) {
    const { code, stderr } = runToEnd(
      ...["--port", `${server.port}`, "--workers", workers],
    );
    assertEquals(code, 1);
    assertStringIncludes(stderr, `127.0.0.1:${server.port}: Address already`);
  }
});

Deno.test("what the system refuses stops the start with one line", () => {
  const rows: [string[], string][] = [
    [["--logfile", "/no/such/log"], "Can't open the log file: No such file"],
    [["--dir", "/no/such"], "Can't use the dir '/no/such': No such file"],
    [["/no/such.conf"], "Can't open config file '/no/such.conf': No such file"],
    [["--port", "0", "--bind", "192.0.2.1"], "socket 192.0.2.1:0: Cannot"],
  ];
  for (const [args, expected] of rows) {
    const { code, stderr } = runToEnd(...args);
    assertEquals(code, 1);
    assertStringIncludes(stderr, expected);
    assertEquals(stderr.trim().split("\n").length, 1, stderr);
  }
});

Deno.test("a terminal that goes away does not stop the server", async () => {
  await using server = await startServer({ workers: 2 });
  server.kill("SIGHUP");
  using client = await server.client();
  assertEquals(plain(await client.run("PING")), "PONG");
});

Deno.test("a configuration file and flags work together, flags last", async () => {
  const file = await Deno.makeTempFile({ suffix: ".conf" });
  await Deno.writeTextFile(
    file,
    'maxmemory 10mb\nrequirepass "a b"\n# a comment\ndatabases 4\n',
  );
  await using server = await startServer({
    workers: 1,
    args: ["--maxmemory", "20mb"],
    configFile: file,
  });
  using client = await server.client();
  assertEquals(plain(await client.run("AUTH", "a b")), "OK");
  assertEquals(
    plain(await client.run("CONFIG", "GET", "maxmemory", "databases")),
    ["databases", "4", "maxmemory", `${20 * 1024 * 1024}`],
  );
  await Deno.remove(file);
});

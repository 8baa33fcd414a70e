import { assertEquals } from "@std/assert";
import { startServer } from "../_harness.ts";
import { plain, type Reply } from "../_resp_client.ts";
import { heard } from "./_heard.ts";
import { commandSuite } from "./_suite.ts";

function error(text: string): Reply {
  return { type: "error", value: text };
}

const NO_LOG =
  "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

commandSuite("WAITAOF judges its arguments in order", async ({ client }) => {
  const rows: [string[], string][] = [
    [["x", "x", "x"], "ERR value is not an integer or out of range"],
    [
      ["2", "x", "x"],
      "ERR value is out of range, value must between 0 and 1",
    ],
    [["1", "-1", "x"], "ERR value is out of range, must be positive"],
    [["1", "0", "x"], "ERR timeout is not an integer or out of range"],
    [["1", "0", "-1"], "ERR timeout is negative"],
    [["1", "0", "9223372036854775807"], "ERR timeout is out of range"],
    [["1", "0", "0"], NO_LOG],
  ];
  for (const [words, text] of rows) {
    assertEquals(await client.run("WAITAOF", ...words), error(text));
  }
  assertEquals(
    await client.run("WAITAOF", "0", "0"),
    error("ERR wrong number of arguments for 'waitaof' command"),
  );
});

commandSuite("WAITAOF waits for replicas until the time is over", async ({
  client,
}) => {
  assertEquals(plain(await client.run("WAITAOF", "0", "0", "0")), [0, 0]);
  assertEquals(plain(await client.run("WAITAOF", "0", "1", "5")), [0, 0]);
  await client.run("MULTI");
  await client.run("WAITAOF", "0", "1", "0");
  assertEquals(plain(await client.run("EXEC")), [[0, 0]]);
});

commandSuite("BGREWRITEAOF needs a log", async ({ client }) => {
  assertEquals(
    await client.run("BGREWRITEAOF"),
    error(
      "ERR There is no append only file to rewrite: appendonly is disabled.",
    ),
  );
  assertEquals(
    await client.run("DEBUG", "LOADAOF"),
    error("ERR There is no append only file to load: appendonly is disabled."),
  );
});

Deno.test("who listens when a log was loaded hears nothing of that", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "sherd_test_" });
  try {
    await using server = await startServer({
      workers: 3,
      args: [
        ...["--appendonly", "yes", "--dir", directory],
        ...["--notify-keyspace-events", "KEA"],
      ],
    });
    using client = await server.client();
    for (let i = 0; i < 50; i++) await client.run("SET", `k${i}`, "1");
    for (let round = 0; round < 3; round++) {
      assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
      const events = await heard(server, client, async () => {
        // Owners have had their turns meanwhile.
        await new Promise((wake) => setTimeout(wake, 150));
      });
      assertEquals(events, []);
    }
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("writes of several clients are synced together", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "sherd_test_" });
  try {
    await using server = await startServer({
      workers: 2,
      args: ["--appendonly", "yes", "--dir", directory],
    });
    using one = await server.client();
    using other = await server.client();
    assertEquals(plain(await one.run("SET", "a", "1")), "OK");
    assertEquals(plain(await other.run("SET", "b", "1")), "OK");
    assertEquals(plain(await one.run("WAITAOF", "1", "0", "0")), [1, 0]);
    assertEquals(plain(await other.run("WAITAOF", "1", "0", "0")), [1, 0]);
    // It waits for what came before it in the same batch.
    const replies = await one.pipeline([
      ["SET", "a", "2"],
      ["WAITAOF", "1", "0", "0"],
      ["GET", "a"],
    ]);
    assertEquals(replies.map(plain), ["OK", [1, 0], "2"]);
    assertEquals(
      plain(await one.run("BGREWRITEAOF")),
      "Background append only file rewriting started",
    );
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

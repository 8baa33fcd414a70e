import { assertEquals } from "@std/assert";
import { plain, type Reply, type TestClient } from "../_resp_client.ts";
import { commandSuite } from "./_suite.ts";
import { Crowd, expectReply } from "./_waiting.ts";

/** WAIT, WAITAOF, and what they reply when there was nothing to wait for. */
const WAITS = [
  [["WAIT", "1", "0"], 0],
  [["WAIT", "2", "100000"], 0],
  [["WAITAOF", "0", "1", "0"], [0, 0]],
] as const;

/** How often commands have failed, of INFO commandstats. */
async function failures(client: TestClient): Promise<(string | null)[]> {
  const info = String(plain(await client.run("INFO", "commandstats")));
  return ["wait", "waitaof", "blpop"].map((name) =>
    new RegExp(`cmdstat_${name}:(calls=\\d+).*failed_calls=(\\d+)`).exec(info)
      ?.slice(1).join(" ") ?? null
  );
}

function error(value: string): Reply {
  return { type: "error", value };
}

commandSuite("WAIT judges its arguments in order", async ({ client }) => {
  const rows: [string[], string][] = [
    [["x", "y"], "ERR value is not an integer or out of range"],
    [["1", "y"], "ERR timeout is not an integer or out of range"],
    [["1", "0.5"], "ERR timeout is not an integer or out of range"],
    [["0", "-1"], "ERR timeout is negative"],
    [["1", "9223372036854775807"], "ERR timeout is out of range"],
    [["1"], "ERR wrong number of arguments for 'wait' command"],
  ];
  for (const [words, text] of rows) {
    assertEquals(await client.run("WAIT", ...words), error(text));
  }
});

commandSuite(
  "WAIT finds no replicas, at once or when the time is over",
  async ({
    client,
  }) => {
    await client.run("SET", "key", "value");
    for (const words of [["0", "0"], ["-1", "0"], ["1", "5"], ["2", "1"]]) {
      assertEquals(plain(await client.run("WAIT", ...words)), 0);
    }
    await client.run("MULTI");
    await client.run("WAIT", "1", "0");
    assertEquals(plain(await client.run("EXEC")), [0]);
  },
);

commandSuite("CLIENT UNBLOCK reaches WAIT and WAITAOF", async ({
  client,
  server,
  resp,
}) => {
  await client.run("CONFIG", "RESETSTAT");
  using crowd = new Crowd(server, client, resp);
  const first = await crowd.join();
  const waiters = [first, await crowd.joinElsewhere(first)];
  for (const waiter of waiters) {
    const unblock = (...words: string[]) =>
      client.run("CLIENT", "UNBLOCK", `${waiter.id}`, ...words);
    for (const [argv, reached] of WAITS) {
      await crowd.send(waiter, [argv]);
      assertEquals(plain(await unblock()), 1);
      await expectReply(waiter, reached === 0 ? 0 : [...reached]);
      assertEquals(plain(await unblock()), 0);
      await crowd.send(waiter, [argv, ["PING"]]);
      assertEquals(plain(await unblock("ERROR")), 1);
      const text = "-UNBLOCKED client unblocked via CLIENT UNBLOCK";
      await expectReply(waiter, text);
      await expectReply(waiter, "PONG");
    }
    await crowd.send(waiter, [["BLPOP", "none", "0"]]);
    assertEquals(plain(await unblock("ERROR")), 1);
    await waiter.reply();
  }
  assertEquals(await failures(client), [
    "calls=8 4",
    "calls=4 2",
    "calls=2 2",
  ]);
  // One that leaves does not count any more.
  await crowd.send(first, [["WAIT", "1", "0"]]);
  first.client.close();
  await crowd.expectNobody();
});

commandSuite("the slow log has no command that waits in vain", async ({
  client,
}) => {
  await client.run("CONFIG", "SET", "slowlog-log-slower-than", "0");
  await client.run("SLOWLOG", "RESET");
  await client.run("BLPOP", "none", "0.02");
  await client.run("XREAD", "BLOCK", "20", "STREAMS", "none", "0");
  await client.run("WAIT", "1", "20");
  await client.run("WAITAOF", "0", "1", "20");
  await client.run("WAIT", "0", "20");
  const log = plain(await client.run("SLOWLOG", "GET", "100")) as string[][][];
  const logged = log.map(([, , , argv]) => argv!.join(" ").toUpperCase());
  await client.run("CONFIG", "SET", "slowlog-log-slower-than", "10000");
  const waits = logged.filter((words) => /^(BLPOP|XREAD|WAIT)/.test(words));
  // That did not wait.
  assertEquals(waits, ["WAIT 0 20"]);
});

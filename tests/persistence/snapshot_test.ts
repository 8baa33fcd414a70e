/**
 * SAVE, BGSAVE, LASTSAVE, save points, and what becomes of a snapshot that fails.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { startServer } from "../_harness.ts";
import { eventually, pause, until } from "../_patience.ts";
import { TestClient } from "../_resp_client.ts";
import { plain } from "../_resp_reply.ts";
import { ask, bgsave, digestsIn, fact, Folder, settled } from "./_snapshots.ts";

const WORKERS = [1, 3];

function start(folder: Folder, workers: number, ...args: string[]) {
  return startServer({ workers, args: ["--dir", folder.path, ...args] });
}

/** The text of an error reply, or what else came. */
async function answer(
  client: TestClient,
  ...argv: string[]
): Promise<string> {
  return String(plain(await client.run(...argv)));
}

for (const workers of WORKERS) {
  Deno.test(`SAVE, LASTSAVE and what INFO tells (workers ${workers})`, async () => {
    using folder = new Folder();
    await using server = await start(folder, workers);
    using client = await server.client();
    const begun = Number(await ask(client, "LASTSAVE"));
    assert(Math.abs(begun - Date.now() / 1000) < 60);
    await client.pipeline([["SET", "a", "1"], ["SET", "b", "2"]]);
    assertEquals(await fact(client, "rdb_changes_since_last_save"), "2");
    assertEquals(await fact(client, "rdb_last_bgsave_time_sec"), "-1");
    assertEquals(await ask(client, "SAVE"), "OK");
    assertEquals(await fact(client, "rdb_changes_since_last_save"), "0");
    assertEquals(await fact(client, "rdb_saves"), "1");
    assertEquals(await fact(client, "rdb_last_bgsave_status"), "ok");
    assertMatch(await fact(client, "rdb_last_bgsave_time_sec"), /^\d+$/);
    assert(Number(await ask(client, "LASTSAVE")) >= begun);
    assertEquals([...digestsIn(folder.dump).keys()].sort(), ["0 a", "0 b"]);
    assertEquals(Deno.statSync(folder.dump).mode! & 0o777, 0o600);
    // Nothing is left beside it.
    assertEquals(
      [...Deno.readDirSync(folder.path)].map(({ name }) => name),
      ["dump.rdb"],
    );
  });

  Deno.test(`BGSAVE's replies, also in a transaction (workers ${workers})`, async () => {
    using folder = new Folder();
    await using server = await start(folder, workers);
    using client = await server.client();
    assertEquals(
      await answer(client, "BGSAVE", "x"),
      "ReplyError: ERR syntax error",
    );
    assertEquals(
      await answer(client, "BGSAVE", "SCHEDULE", "x"),
      "ReplyError: ERR syntax error",
    );
    await client.pipeline(
      Array.from({ length: 20_000 }, (_, i) => ["SET", `k:${i}`, "x"]),
    );
    const [first, second, save, schedule] = (await client.pipeline([
      ["BGSAVE"],
      ["BGSAVE"],
      ["SAVE"],
      ["BGSAVE", "SCHEDULE"],
    ])).map((reply) => String(plain(reply)));
    const busy = "ReplyError: ERR Background save already in progress";
    assertEquals(first, "Background saving started");
    assertEquals([second, save, schedule], [busy, busy, busy]);
    await settled(client);
    const replies = await client.pipeline([
      ["MULTI"],
      ["SET", "in", "1"],
      ["BGSAVE"],
      ["SAVE"],
      ["EXEC"],
    ]);
    assertEquals(
      String(plain(replies[3]!)),
      "ReplyError: ERR Command not allowed inside a transaction",
    );
    await client.pipeline([["MULTI"], ["SET", "in", "1"], ["BGSAVE"], [
      "EXEC",
    ]]);
    await settled(client);
    assert(digestsIn(folder.dump).has("0 in"));
  });

  Deno.test(`values larger than any buffer (workers ${workers})`, async () => {
    using folder = new Folder();
    await using server = await start(folder, workers, "--rdbcompression", "no");
    using client = await server.client();
    const commands: (string | Uint8Array)[][] = [];
    for (let i = 0; i < 5; i++) {
      const big = new Uint8Array(500_000);
      crypto.getRandomValues(big.subarray(0, 65536));
      commands.push(["SET", `big:${i}`, big]);
      commands.push(["RPUSH", `list:${i}`, big, "x", big.subarray(0, 200_000)]);
      const fields = Array.from(
        { length: 2000 },
        (_, n) => [`f${n}`, `${n}`.repeat(60)],
      );
      commands.push(["HSET", `hash:${i}`, ...fields.flat()]);
    }
    for (let i = 0; i < 1000; i++) commands.push(["SET", `small:${i}`, "v"]);
    await client.pipeline(commands);
    const digest = await ask(client, "DEBUG", "DIGEST");
    // Small ones change, and are written, while large ones are.
    await client.pipeline([
      ["BGSAVE"],
      ...Array.from({ length: 1000 }, (_, i) => ["DEL", `small:${i}`]),
    ]);
    await settled(client);
    await ask(client, "DEBUG", "RELOAD", "NOSAVE");
    assertEquals(await ask(client, "DEBUG", "DIGEST"), digest);
    assert(Number(await fact(client, "rdb_last_cow_size")) < 40e6);
  });

  Deno.test(`a save point takes a snapshot by itself (workers ${workers})`, async () => {
    using folder = new Folder();
    await using server = await start(folder, workers, "--save", "1", "3");
    using client = await server.client();
    await client.pipeline([["SET", "a", "1"], ["SET", "b", "1"]]);
    await pause(1500);
    assertEquals(await fact(client, "rdb_saves"), "0");
    await ask(client, "SET", "c", "1");
    await until(
      "a snapshot",
      async () => await fact(client, "rdb_saves") === "1",
    );
    assertEquals(digestsIn(folder.dump).size, 3);
    assertEquals(await fact(client, "rdb_changes_since_last_save"), "0");
    // At run time, too.
    await ask(client, "CONFIG", "SET", "save", "1 1 1000 1000");
    assertEquals(await ask(client, "CONFIG", "GET", "save"), [
      "save",
      "1 1 1000 1000",
    ]);
    await ask(client, "SET", "d", "1");
    await until("another", async () => await fact(client, "rdb_saves") === "2");
  });

  Deno.test(`writes are refused after a snapshot that failed (workers ${workers})`, async () => {
    using folder = new Folder();
    Deno.mkdirSync(`${folder.path}/data`);
    await using server = await startServer({
      workers,
      args: [
        ...["--dir", `${folder.path}/data`, "--save", "3600", "1000000"],
        ...["--enable-protected-configs", "yes"],
      ],
    });
    using client = await server.client();
    await ask(client, "SET", "a", "1");
    Deno.removeSync(`${folder.path}/data`);
    assertEquals(await answer(client, "SAVE"), "ReplyError: ERR");
    const refusal = /^ReplyError: MISCONF Redis is configured to save RDB snap/;
    await until(
      "a refusal",
      async () => refusal.test(await answer(client, "SET", "b", "1")),
    );
    assertMatch(await answer(client, "PING"), refusal);
    assertEquals(await ask(client, "GET", "a"), "1");
    assertEquals(await fact(client, "rdb_last_bgsave_status"), "err");
    // A transaction is refused when one of its commands is.
    const queued = await client.pipeline([["MULTI"], ["SET", "b", "1"], [
      "EXEC",
    ]]);
    assertMatch(String(plain(queued[2]!)), /EXECABORT/);
    // Nobody is refused who does not wish it, or has no save points.
    await ask(client, "CONFIG", "SET", "stop-writes-on-bgsave-error", "no");
    assertEquals(await answer(client, "SET", "b", "1"), "OK");
    await ask(client, "CONFIG", "SET", "stop-writes-on-bgsave-error", "yes");
    assertMatch(await answer(client, "SET", "b", "1"), refusal);
    await ask(client, "CONFIG", "SET", "save", "");
    assertEquals(await answer(client, "SET", "b", "1"), "OK");
    await ask(client, "CONFIG", "SET", "save", "3600 1000000");
    assertMatch(await answer(client, "SET", "b", "1"), refusal);
    // BGSAVE begins all the same, and the status tells what came of it.
    assertEquals(await answer(client, "BGSAVE"), "Background saving started");
    await settled(client);
    assertEquals(await fact(client, "rdb_last_bgsave_status"), "err");
    assertMatch(
      await answer(client, "CONFIG", "SET", "dir", "/nowhere"),
      /related to argument 'dir'\) - No such file or directory$/,
    );
    // When there is a folder again, all is well.
    Deno.mkdirSync(`${folder.path}/data`);
    await bgsave(client);
    await until(
      "writes",
      async () => await answer(client, "SET", "b", "2") === "OK",
    );
    assertEquals(digestsIn(`${folder.path}/data/dump.rdb`).size, 2);
  });

  Deno.test(`SHUTDOWN and SIGTERM save where it is configured (workers ${workers})`, async () => {
    using folder = new Folder();
    for (
      const [words, expected] of [
        [["SAVE"], ["0 a"]],
        [["NOSAVE"], ["0 a"]],
        [[], ["0 a"]],
      ] as const
    ) {
      await using server = await start(folder, workers);
      using client = await server.client();
      await ask(client, "SET", words[0] === "SAVE" ? "a" : "b", "1");
      await client.sendCommands([["SHUTDOWN", ...words]]);
      assertEquals((await client.readToEnd()).length, 0);
      assertEquals((await server.exited).code, 0);
      assertEquals([...digestsIn(folder.dump).keys()], [...expected]);
    }
    for (const how of ["SHUTDOWN", "SIGTERM"]) {
      await using server = await start(folder, workers, "--save", "3600", "1");
      using client = await server.client();
      assertEquals(await ask(client, "GET", "a"), "1");
      await ask(client, "SET", how, "1");
      if (how === "SIGTERM") server.kill("SIGTERM");
      else await client.sendCommands([["SHUTDOWN"]]);
      assertEquals((await server.exited).code, 0);
      assert(digestsIn(folder.dump).has(`0 ${how}`));
    }
  });

  Deno.test(`SHUTDOWN goes on if it cannot save (workers ${workers})`, async () => {
    using folder = new Folder();
    Deno.mkdirSync(`${folder.path}/data`);
    await using server = await startServer({
      workers,
      args: ["--dir", `${folder.path}/data`, "--save", "3600", "1"],
    });
    using client = await server.client();
    Deno.removeSync(`${folder.path}/data`);
    await ask(client, "CONFIG", "SET", "stop-writes-on-bgsave-error", "no");
    assertEquals(
      await answer(client, "SHUTDOWN"),
      "ReplyError: ERR Errors trying to SHUTDOWN. Check logs.",
    );
    server.kill("SIGTERM");
    assertEquals(await answer(client, "SET", "a", "1"), "OK");
    await client.sendCommands([["SHUTDOWN", "SAVE", "FORCE"]]);
    assertEquals((await server.exited).code, 0);
  });

  Deno.test(`a damaged file is not started with (workers ${workers})`, async () => {
    using folder = new Folder();
    {
      await using server = await start(folder, workers);
      using client = await server.client();
      await client.pipeline(
        Array.from({ length: 1000 }, (_, i) => ["SET", `key:${i}`, `v${i}`]),
      );
      await ask(client, "SAVE");
    }
    const bytes = Deno.readFileSync(folder.dump);
    for (
      const [name, damaged, offset] of [
        [
          "a bit",
          bytes.map((byte, i) => i === 3000 ? byte ^ 1 : byte),
          /offset \d+/,
        ],
        ["its end", bytes.slice(0, 5000), /offset (49\d\d|5000)/],
        ["its head", bytes.slice(3), /offset 0/],
      ] as const
    ) {
      Deno.writeFileSync(folder.dump, damaged);
      const { success, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          ...[
            "run",
            "--quiet",
            "-A",
            "--unstable-net",
            "src/front/cli/main.ts",
          ],
          ...["--port", "0", "--workers", String(workers), "--dir"],
          ...[folder.path, "--appendonly", "no"],
        ],
        stdout: "null",
        stderr: "piped",
      }).output();
      const text = new TextDecoder().decode(stderr);
      assertEquals(success, false, name);
      assert(text.includes(folder.dump), text);
      assertMatch(text, offset);
      assertEquals(Deno.readFileSync(folder.dump), damaged);
    }
  });

  Deno.test(`DEBUG RELOAD and its options (workers ${workers})`, async () => {
    using folder = new Folder();
    await using server = await start(folder, workers);
    using client = await server.client();
    assertEquals(
      await answer(client, "DEBUG", "RELOAD", "x"),
      "ReplyError: ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
    );
    assertEquals(
      await answer(client, "DEBUG", "RELOAD", "NOSAVE"),
      "ReplyError: ERR Error trying to load the RDB dump, check server logs.",
    );
    await client.pipeline([["SET", "a", "1"], ["SET", "b", "1"]]);
    assertEquals(await ask(client, "DEBUG", "RELOAD"), "OK");
    assertEquals(await fact(client, "rdb_last_load_keys_loaded"), "2");
    await client.pipeline([["SET", "a", "2"], ["SET", "c", "1"]]);
    assertEquals(
      await answer(client, "DEBUG", "RELOAD", "NOSAVE", "NOFLUSH"),
      "ReplyError: ERR Error trying to load the RDB dump, check server logs.",
    );
    assertEquals(
      await ask(client, "DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE"),
      "OK",
    );
    assertEquals(await ask(client, "MGET", "a", "b", "c"), ["1", "1", "1"]);
    assertEquals(await ask(client, "DEBUG", "RELOAD", "NOSAVE"), "OK");
    assertEquals(await ask(client, "MGET", "a", "b", "c"), ["1", "1", null]);
  });
}

Deno.test("commands are refused while a file is loaded", async () => {
  using folder = new Folder();
  {
    await using server = await start(folder, 2);
    using client = await server.client();
    for (let n = 0; n < 10; n++) {
      await client.pipeline(
        Array.from({ length: 30_000 }, (_, i) => ["SET", `key:${n}:${i}`, "v"]),
      );
    }
    await ask(client, "SAVE");
  }
  // Its port is told when it is ready.
  const socket = `${folder.path}/socket`;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "-A", "--unstable-net", "src/front/cli/main.ts"],
      ...["--port", "0", "--workers", "2", "--dir", folder.path],
      ...["--save", "", "--appendonly", "no", "--unixsocket", socket],
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    using connected = await eventually(() => TestClient.connect(socket));
    const replies = new Set<string>();
    await until("the end of loading", async () => {
      const reply = await answer(connected, "GET", "key:0:0");
      replies.add(reply);
      if (reply !== "v") {
        assertMatch(
          await answer(connected, "INFO", "persistence"),
          /loading:[01]\r\n/,
        );
      }
      return reply === "v";
    });
    // A quick machine may have loaded all of it before anybody asks.
    replies.delete(
      "ReplyError: LOADING Redis is loading the dataset in memory",
    );
    assertEquals([...replies], ["v"]);
    assertEquals(await ask(connected, "DBSIZE"), 300_000);
  } finally {
    child.kill("SIGTERM");
    await child.status;
  }
});

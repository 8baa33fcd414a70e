import { assert, assertEquals } from "@std/assert";
import { Random, tagsOnDistinctSlots } from "../_harness.ts";
import { encodeCommands, plain, type TestClient } from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const NESTED = "-ERR MULTI calls can not be nested";
const ABORTED = "-EXECABORT Transaction discarded because of previous errors.";
const WRONG_TYPE =
  "-WRONGTYPE Operation against a key holding the wrong kind of value";

/** Keys on different shards. */
const [T, U, V] = tagsOnDistinctSlots(3).map((tag) => `{${tag}}`);

commandSuite("EXEC runs what MULTI queued", async ({ client }) => {
  await expectReplies(client, [
    ["MULTI", "OK"],
    [`SET ${T}a 1`, "QUEUED"],
    [`INCRBY ${U}b 41`, "QUEUED"],
    [`INCR ${U}b`, "QUEUED"],
    [`MGET ${T}a ${U}b ${V}c`, "QUEUED"],
    ["EXEC", ["OK", 41, 42, ["1", "42", null]]],
    ["EXEC", "-ERR EXEC without MULTI"],
    ["DISCARD", "-ERR DISCARD without MULTI"],
    ["MULTI", "OK"],
    ["EXEC", []],
  ]);
});

commandSuite("DISCARD drops what MULTI queued", async ({ client }) => {
  await expectReplies(client, [
    ["MULTI", "OK"],
    ["SET a 1", "QUEUED"],
    ["DISCARD", "OK"],
    ["GET a", null],
    ["MULTI", "OK"],
    ["SET a 2", "QUEUED"],
    ["RESET", "RESET"],
  ]);
  await expectReplies(client, [
    ["EXEC", "-ERR EXEC without MULTI"],
    ["GET a", null],
  ]);
});

commandSuite("a refused command dooms the transaction", async ({ client }) => {
  for (
    const refused of ["NOSUCH", "GET", "CLIENT NOSUCH", "SHUTDOWN"]
  ) {
    assertEquals(await ask(client, "MULTI"), "OK");
    assertEquals(await ask(client, "SET a 1"), "QUEUED");
    assert(String(await ask(client, refused)).startsWith("-ERR"), refused);
    assertEquals(await ask(client, "EXEC"), ABORTED, refused);
  }
  assertEquals(await ask(client, "GET a"), null);
});

commandSuite(
  "an error inside EXEC leaves the other commands alone",
  async ({ client }) => {
    await expectReplies(client, [
      ["MULTI", "OK"],
      ["SET a x", "QUEUED"],
      ["INCR a", "QUEUED"],
      ["HSET a f v", "QUEUED"],
      ["APPEND a y", "QUEUED"],
      ["EXEC", [
        "OK",
        "-ERR value is not an integer or out of range",
        WRONG_TYPE,
        2,
      ]],
    ]);
  },
);

commandSuite(
  "what cannot stand in a transaction is refused",
  async ({ client }) => {
    await expectReplies(client, [
      ["MULTI", "OK"],
      ["MULTI", NESTED],
      ["WATCH a", "-ERR WATCH inside MULTI is not allowed"],
      ["SET a 1", "QUEUED"],
      ["EXEC", ["OK"]],
    ]);
  },
);

commandSuite("SELECT holds inside and after EXEC", async ({ client }) => {
  await expectReplies(client, [
    ["MULTI", "OK"],
    ["SET a 0", "QUEUED"],
    ["SELECT 1", "QUEUED"],
    ["SET a 1", "QUEUED"],
    ["DBSIZE", "QUEUED"],
    ["EXEC", ["OK", "OK", "OK", 1]],
    ["GET a", "1"],
    ["SELECT 0", "OK"],
    ["GET a", "0"],
  ]);
});

commandSuite(
  "commands about all keys run inside EXEC",
  async ({ client }) => {
    await expectReplies(client, [
      [`MSET ${T}a 1 ${U}b 2 ${V}c 3`, "OK"],
      ["MULTI", "OK"],
      ["DBSIZE", "QUEUED"],
      ["RANDOMKEY", "QUEUED"],
      ["SWAPDB 0 1", "QUEUED"],
      ["DBSIZE", "QUEUED"],
      ["SWAPDB 0 1", "QUEUED"],
      [`KEYS ${T}*`, "QUEUED"],
      ["FLUSHALL", "QUEUED"],
      ["DBSIZE", "QUEUED"],
      ["SET after 1", "QUEUED"],
      ["EXISTS after", "QUEUED"],
    ]);
    const replies = await ask(client, "EXEC") as unknown[];
    replies.splice(1, 1);
    assertEquals(
      replies,
      [3, "OK", 0, "OK", [`${T}a`], "OK", 0, "OK", 1],
    );
  },
);

commandSuite(
  "commands that ask all workers answer in their place",
  async ({ client }) => {
    await expectReplies(client, [
      ["MULTI", "OK"],
      ["SET a 1", "QUEUED"],
      ["CLIENT LIST", "QUEUED"],
      ["GET a", "QUEUED"],
      ["CONFIG SET maxmemory 0", "QUEUED"],
      ["INCR a", "QUEUED"],
    ]);
    const replies = await ask(client, "EXEC") as unknown[];
    assert(String(replies[1]).includes("cmd=client|list"));
    replies.splice(1, 1);
    assertEquals(replies, ["OK", "1", "OK", 2]);
  },
);

commandSuite("CLIENT INFO shows an open transaction", async ({ client }) => {
  await ask(client, "MULTI");
  await ask(client, "SET a 1");
  await ask(client, "CLIENT INFO");
  const [, info] = await ask(client, "EXEC") as string[];
  assert(info!.includes(" multi=2 "), info);
  assert((await ask(client, "CLIENT INFO") as string).includes(" multi=-1 "));
});

commandSuite("WATCH sees every kind of change", async ({ client, server }) => {
  using other = await server.client();
  const changes: readonly [setUp: string, change: string][] = [
    ["SET w 1", "SET w 1"],
    ["DEL w", "SET w 1"],
    ["SET w 1", "DEL w"],
    ["SET w 1", "INCR w"],
    ["SET w 1", "APPEND w 1"],
    ["SET w 1", "EXPIRE w 100"],
    ["SET w 1 EX 100", "PERSIST w"],
    ["SET w 1", "RENAME w v"],
    ["SET v 1", "RENAME v w"],
    ["SET v 1", "COPY v w REPLACE"],
    ["SET w 1", "MOVE w 1"],
    ["SET w 1", "FLUSHALL"],
    ["SET w 1", "FLUSHDB"],
    ["SET w 1", "SWAPDB 0 1"],
    ["SET w 1", "MSET v 1 w 2"],
    ["SET w 1", "GETDEL w"],
    ["SET w 1", "SETRANGE w 3 x"],
  ];
  for (const [setUp, change] of changes) {
    for (const key of ["w", `${U}w`]) {
      const at = (command: string) => command.replace(/\bw\b/g, key);
      await ask(other, "FLUSHALL");
      await ask(other, at(setUp));
      assertEquals(await ask(client, at("WATCH w")), "OK");
      await ask(other, at(change));
      await expectReplies(client, [
        ["MULTI", "OK"],
        ["SET changed yes", "QUEUED"],
        ["EXEC", null],
        ["GET changed", null],
        ["MULTI", "OK"],
        ["EXEC", []],
      ]);
    }
  }
});

commandSuite("WATCH raises no false alarm", async ({ client, server }) => {
  using other = await server.client();
  const harmless = [
    ...["GET w", "SET w 2 NX", "SETNX w 2", "MSETNX w 1 v 2", "TYPE w"],
    ...["DEL v", "UNLINK v", "EXPIRE v 100", "PERSIST w", "SET other 1"],
    ...["COPY v w", "RENAMENX other w", "TOUCH w", "OBJECT ENCODING w"],
    ...["FLUSHDB", "SWAPDB 2 3", "INCR w x", "GETEX w", "LCS w other"],
  ];
  for (const command of harmless) {
    await ask(other, "FLUSHALL");
    await ask(other, `SET ${T}w text`);
    await ask(other, "SET other 1");
    assertEquals(await ask(client, `WATCH ${T}w ${U}gone`), "OK");
    const isFlush = command === "FLUSHDB";
    if (isFlush) await ask(other, "SELECT 1");
    await ask(other, command.replace(/\bw\b/g, `${T}w`));
    if (isFlush) await ask(other, "SELECT 0");
    await expectReplies(client, [
      ["MULTI", "OK"],
      ["PING", "QUEUED"],
      ["EXEC", ["PONG"]],
    ]);
  }
});

commandSuite("WATCH sees a key expire", async ({ client, server }) => {
  using other = await server.client();
  // Nobody deletes the key: EXEC itself must see that its time has come.
  await ask(other, "DEBUG SET-ACTIVE-EXPIRE 0");
  try {
    await expectReplies(client, [
      ["SET w 1 PX 1", "OK"],
      ["WATCH w", "OK"],
    ]);
    let left = 1;
    while (left >= 0) left = Number(await ask(other, "PTTL other"));
    await ask(client, "DEBUG SLEEP 0.005");
    await expectReplies(client, [["MULTI", "OK"], ["PING", "QUEUED"]]);
    // If the key had expired before WATCH, it was gone then, and is still.
    const reply = await ask(client, "EXEC");
    assert(reply === null || Array.isArray(reply));
    await expectReplies(client, [
      ["SET w 1 PX 60000", "OK"],
      ["WATCH w", "OK"],
      ["PEXPIRE w 1", 1],
    ]);
    await expectReplies(client, [["MULTI", "OK"], ["EXEC", null]]);
  } finally {
    await ask(other, "DEBUG SET-ACTIVE-EXPIRE 1");
  }
});

commandSuite("UNWATCH and EXEC forget watched keys", async (
  { client, server },
) => {
  using other = await server.client();
  for (const end of ["UNWATCH", "MULTI EXEC", "MULTI DISCARD", "RESET"]) {
    await ask(client, `WATCH ${T}w ${U}w ${V}w ${T}w`);
    for (const command of end.split(" ")) await ask(client, command);
    await ask(other, `SET ${U}w 1`);
    await expectReplies(client, [["MULTI", "OK"], ["EXEC", []]]);
  }
});

commandSuite("WATCH keeps the changes of its own session", async (
  { client },
) => {
  await expectReplies(client, [
    ["WATCH w", "OK"],
    ["SET w 1", "OK"],
    ["MULTI", "OK"],
    ["GET w", "QUEUED"],
    ["EXEC", null],
  ]);
});

commandSuite("a transaction takes big arguments and keys", async (
  { client },
) => {
  const big = "x".repeat(300_000);
  assertEquals(await ask(client, "MULTI"), "OK");
  assertEquals(await ask(client, ["SET", "a", big]), "QUEUED");
  assertEquals(await ask(client, ["SET", big, "by a long name"]), "QUEUED");
  assertEquals(await ask(client, ["STRLEN", "a"]), "QUEUED");
  assertEquals(await ask(client, ["GET", big]), "QUEUED");
  assertEquals(await ask(client, "GET a"), "QUEUED");
  assertEquals(
    await ask(client, "EXEC"),
    ["OK", "OK", big.length, "by a long name", big],
  );
  // Dropped ones leave nothing behind.
  await ask(client, "MULTI");
  await ask(client, ["SET", "b", big]);
  assertEquals(await ask(client, "DISCARD"), "OK");
});

commandSuite(
  "a pipeline of transactions answers in order",
  async ({ client }) => {
    const commands: string[][] = [];
    for (let i = 0; i < 200; i++) {
      commands.push(["MULTI"], ["INCR", `${T}n`], ["INCR", `${U}n`], ["EXEC"]);
    }
    const replies = await client.pipeline(commands);
    assertEquals(
      replies.map(plain),
      Array.from({ length: 200 }, (_, i) => [
        ...["OK", "QUEUED", "QUEUED"],
        [i + 1, i + 1],
      ]).flat(),
    );
  },
);

commandSuite(
  "clients that vanish leave no watch behind",
  async ({ client, server }) => {
    for (let i = 0; i < 20; i++) {
      const gone = await server.client();
      await gone.run("WATCH", `${T}w`, `${U}w`, `${V}w`);
      await gone.run("MULTI");
      await gone.run("SET", `${T}w`, "1");
      // Half of an EXEC.
      await gone.sendRaw(encodeCommands([["EXEC"]]).slice(0, 7));
      gone.close();
    }
    await ask(client, `SET ${T}w 1`);
    assertEquals(await ask(client, `GET ${T}w`), "1");
  },
);

const ACCOUNTS = tagsOnDistinctSlots(8).map((tag) => `account:{${tag}}`);
const SUM = 800;
const CLIENTS = 6;
const TRANSFERS = 60;

commandSuite(
  "transfers keep the sum, whoever looks",
  async ({ client, server }) => {
    await client.run("MSET", ...ACCOUNTS.flatMap((name) => [name, "100"]));
    const transfer = async (seed: number) => {
      using own = await server.client();
      const random = new Random(seed);
      for (let done = 0; done < TRANSFERS;) {
        const from = random.pick(ACCOUNTS);
        const to = random.pick(ACCOUNTS);
        if (from === to) continue;
        const amount = random.between(1, 5);
        if (await transferOnce(own, from, to, amount)) done++;
      }
    };
    const look = async () => {
      using own = await server.client();
      for (let i = 0; i < TRANSFERS * 2; i++) {
        const values = await ask(own, ["MGET", ...ACCOUNTS]) as string[];
        assertEquals(values.reduce((sum, text) => sum + Number(text), 0), SUM);
      }
    };
    const seeds = Array.from({ length: CLIENTS }, (_, i) => i + 1);
    await Promise.all([...seeds.map(transfer), look(), look()]);
    const values = await ask(client, ["MGET", ...ACCOUNTS]) as string[];
    assertEquals(values.reduce((sum, text) => sum + Number(text), 0), SUM);
  },
  { resp: [2] },
);

/** One attempt; false if somebody else was faster. */
async function transferOnce(
  client: TestClient,
  from: string,
  to: string,
  amount: number,
): Promise<boolean> {
  await client.run("WATCH", from, to);
  const [a, b] = await ask(client, ["MGET", from, to]) as [string, string];
  const replies = await client.pipeline([
    ["MULTI"],
    ["SET", from, String(Number(a) - amount)],
    ["SET", to, String(Number(b) + amount)],
    ["EXEC"],
  ]);
  return plain(replies[3]!) !== null;
}

commandSuite("many watched keys, some of them named twice", async ({
  client,
  server,
}) => {
  const keys = Array.from({ length: 500 }, (_, i) => `${i % 2 ? T : U}w${i}`);
  using other = await server.client();
  for (const changed of [null, keys[3]!, keys[499]!]) {
    await client.run("WATCH", ...keys.slice(0, 10), ...keys.slice(5, 300));
    await client.run("WATCH", ...keys.slice(200), ...keys);
    if (changed !== null) await other.run("SET", changed, "new");
    await client.run("MULTI");
    await client.run("PING");
    assertEquals(
      await ask(client, "EXEC"),
      changed === null ? ["PONG"] : null,
    );
  }
  // Nothing is watched any more.
  await other.run("SET", keys[0]!, "newer");
  await client.run("MULTI");
  assertEquals(await ask(client, "EXEC"), []);
});

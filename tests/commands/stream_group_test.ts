import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import type { Plain, TestClient } from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { entries, recordOf, streamsOf } from "./_streams.ts";
import { commandSuite } from "./_suite.ts";

const NOT_AN_INTEGER = "-ERR value is not an integer or out of range";
const SYNTAX = "-ERR syntax error";
const WRONG_TYPE = "-WRONGTYPE Operation against a key holding the wrong " +
  "kind of value";
const INVALID_ID = "-ERR Invalid stream ID specified as stream command " +
  "argument";

/** Keys on different shards. */
const [T, U] = tagsOnDistinctSlots(2).map((tag) => `{${tag}}`);

function noGroup(key: string, group: string): string {
  return `-NOGROUP No such key '${key}' or consumer group '${group}'`;
}

function noSuchGroup(key: string, group: string): string {
  return `-NOGROUP No such consumer group '${group}' for key name '${key}'`;
}

function syntaxOf(subcommand: string): string {
  return "-ERR unknown subcommand or wrong number of arguments for " +
    `'${subcommand}'. Try XGROUP HELP.`;
}

/** Entries 1-0 to n-0 and a group from the start. */
async function fill(client: TestClient, key: string, n: number) {
  await client.pipeline(
    Array.from(
      { length: n },
      (_, i) => ["XADD", key, `${i + 1}-0`, "f", `v${i}`],
    ),
  );
  await ask(client, `XGROUP CREATE ${key} g 0`);
}

async function read(client: TestClient, command: string): Promise<Plain> {
  return streamsOf(await ask(client, command));
}

/** ID, consumer and deliveries of what is pending. */
async function pending(
  client: TestClient,
  command: string,
): Promise<unknown[]> {
  const rows = await ask(client, command) as [string, string, number, number][];
  for (const [id, , idleMs] of rows) {
    assert(idleMs >= 0 && idleMs < 10_000, `${id} idle for ${idleMs}`);
  }
  return rows.map(([id, consumer, , deliveries]) => [id, consumer, deliveries]);
}

/** XINFO GROUPS of a key with one group. */
async function groupInfo(client: TestClient, key = "s") {
  const groups = await ask(client, `XINFO GROUPS ${key}`) as Plain[];
  return recordOf(groups[0]!);
}

commandSuite("XGROUP makes groups and takes them away", async ({ client }) => {
  await expectReplies(client, [
    [
      "XGROUP CREATE s g 0",
      "-ERR The XGROUP subcommand requires the key to exist. Note that for " +
      "CREATE you may want to use the MKSTREAM option to create an empty " +
      "stream automatically.",
    ],
    ["XGROUP CREATE s g x MKSTREAM", INVALID_ID],
    ["EXISTS s", 0],
    ["XGROUP CREATE s g $ MKSTREAM", "OK"],
    ["XLEN s", 0],
    ["TYPE s", "stream"],
    ["XGROUP CREATE s g 0", "-BUSYGROUP Consumer Group name already exists"],
    ["XGROUP CREATE s h - MKSTREAM", INVALID_ID],
    ["XGROUP CREATE s h 5-5 ENTRIESREAD 3", "OK"],
    ["XGROUP CREATE s i 0 ENTRIESREAD x", NOT_AN_INTEGER],
    [
      "XGROUP CREATE s i 0 ENTRIESREAD -2",
      "-ERR value for ENTRIESREAD must be positive or -1",
    ],
    ["XGROUP CREATE s i 0 BOGUS", syntaxOf("CREATE")],
    ["XGROUP create s i 0 MKSTREAM MKSTREAM ENTRIESREAD 1", syntaxOf("create")],
    ["XGROUP CREATECONSUMER s g alice", 1],
    ["XGROUP CREATECONSUMER s g alice", 0],
    ["XGROUP CREATECONSUMER s x alice", noSuchGroup("s", "x")],
    ["XGROUP SETID s g 3-0 ENTRIESREAD 2", "OK"],
    ["XGROUP SETID s g +", "OK"],
    ["XGROUP SETID s g x", INVALID_ID],
    ["XGROUP SETID s x 0", noSuchGroup("s", "x")],
    ["XGROUP SETID s g 0 MKSTREAM", syntaxOf("SETID")],
    ["XGROUP DELCONSUMER s g bob", 0],
    ["XGROUP DELCONSUMER s g alice", 0],
    ["XGROUP DELCONSUMER s x alice", noSuchGroup("s", "x")],
    ["XGROUP DESTROY s x", 0],
    ["XGROUP DESTROY s g", 1],
    ["XGROUP DESTROY s h", 1],
    ["XINFO GROUPS s", []],
    ["SET t x", "OK"],
    ["XGROUP CREATE t g 0", WRONG_TYPE],
    ["XGROUP DESTROY t g", WRONG_TYPE],
  ]);
  const help = await ask(client, "XGROUP HELP") as string[];
  assertEquals(help[1], "CREATE <key> <groupname> <id|$> [option]");
});

commandSuite("XREADGROUP delivers each entry once", async ({ client }) => {
  const [a, b] = [`${T}a`, `${U}b`];
  await fill(client, a!, 4);
  await fill(client, b!, 1);
  const group = "XREADGROUP GROUP g";
  assertEquals(
    await read(client, `${group} alice COUNT 2 STREAMS ${a} ${b} > >`),
    [
      [a, entries(["1-0", "v0"], ["2-0", "v1"])],
      [b, entries(["1-0", "v0"])],
    ],
  );
  assertEquals(
    await read(client, `${group} bob COUNT 1 STREAMS ${b} ${a} > >`),
    [
      [a, entries(["3-0", "v2"])],
    ],
  );
  assertEquals(await read(client, `${group} bob NOACK STREAMS ${a} >`), [
    [a, entries(["4-0", "v3"])],
  ]);
  assertEquals(await read(client, `${group} bob STREAMS ${a} ${b} > >`), null);
  // What is pending with a consumer, its own alone.
  assertEquals(await read(client, `${group} alice STREAMS ${a} ${b} 0 0`), [
    [a, entries(["1-0", "v0"], ["2-0", "v1"])],
    [b, entries(["1-0", "v0"])],
  ]);
  assertEquals(await read(client, `${group} alice COUNT 1 STREAMS ${a} 1-0`), [
    [a, entries(["2-0", "v1"])],
  ]);
  assertEquals(await read(client, `${group} carol STREAMS ${a} 0`), [[a, []]]);
  assertEquals(await pending(client, `XPENDING ${a} g - + 10`), [
    ["1-0", "alice", 2],
    ["2-0", "alice", 3],
    ["3-0", "bob", 1],
  ]);
  await ask(client, `XDEL ${a} 1`);
  assertEquals(await read(client, `${group} alice STREAMS ${a} 0`), [
    [a, [["1-0", null], ["2-0", ["f", "v1"]]]],
  ]);
});

commandSuite(
  "XREADGROUP says what is wrong, in Redis's order",
  async ({ client }) => {
    await fill(client, "s", 2);
    const noGroupToRead = (key: string, group: string) =>
      `${noGroup(key, group)} in XREADGROUP with GROUP option`;
    await expectReplies(client, [
      ["XREADGROUP GROUP x c STREAMS s >", noGroupToRead("s", "x")],
      ["XREADGROUP GROUP g c STREAMS s t > >", noGroupToRead("t", "g")],
      ["XREADGROUP GROUP g c STREAMS s x", INVALID_ID],
      [
        "XREADGROUP GROUP g c STREAMS s $",
        "-ERR The $ ID is meaningless in the context of XREADGROUP: you want to " +
        "read the history of this consumer by specifying a proper ID, or use " +
        "the > ID to get new messages. The $ ID would just return an empty " +
        "result set.",
      ],
      [
        "XREADGROUP COUNT 1 NOACK COUNT 1 STREAMS s >",
        "-ERR Missing GROUP option for XREADGROUP",
      ],
      [
        "XREADGROUP GROUP g c STREAMS s t >",
        "-ERR Unbalanced 'xreadgroup' list of streams: for each stream key an " +
        "ID or '>' must be specified.",
      ],
      ["XREADGROUP GROUP g c BOGUS STREAMS s >", SYNTAX],
      ["XREADGROUP GROUP g c COUNT a STREAMS s >", NOT_AN_INTEGER],
    ]);
    const history = await read(
      client,
      "XREADGROUP GROUP g c BLOCK 0 STREAMS s 9",
    );
    assertEquals(history, [["s", []]]);
    await read(client, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
    await expectReplies(client, [
      [
        "XREADGROUP GROUP g nobody BLOCK 5 STREAMS s >",
        null,
      ],
      ["XGROUP CREATECONSUMER s g nobody", 0],
      ["SET t x", "OK"],
      ["XREADGROUP GROUP g c STREAMS t >", WRONG_TYPE],
    ]);
  },
);

commandSuite("XACK takes away what is pending", async ({ client }) => {
  await fill(client, "s", 3);
  await read(client, "XREADGROUP GROUP g alice STREAMS s >");
  await expectReplies(client, [
    ["XACK s g 1 1 9", 1],
    ["XACK s g 2 x", INVALID_ID],
    ["XACK s x 1", 0],
    ["XACK missing g x", 0],
    ["XPENDING s g", [2, "2-0", "3-0", [["alice", "2"]]]],
    ["XACK s g 2-0 3-0", 2],
    ["XPENDING s g", [0, null, null, null]],
    ["SET t x", "OK"],
    ["XACK t g 1", WRONG_TYPE],
  ]);
});

commandSuite("XPENDING lists what is pending", async ({ client }) => {
  await fill(client, "s", 4);
  await read(client, "XREADGROUP GROUP g bob COUNT 3 STREAMS s >");
  await read(client, "XREADGROUP GROUP g alice STREAMS s >");
  await ask(client, "XCLAIM s g bob 0 2-0 IDLE 600000 RETRYCOUNT 7 JUSTID");
  await expectReplies(client, [
    ["XPENDING s g", [4, "1-0", "4-0", [["alice", "1"], ["bob", "3"]]]],
    ["XPENDING s x", noGroup("s", "x")],
    ["XPENDING missing g", noGroup("missing", "g")],
    ["XPENDING s g - +", SYNTAX],
    ["XPENDING s g - + a", NOT_AN_INTEGER],
    ["XPENDING s g - x 1", INVALID_ID],
    [
      "XPENDING s g (18446744073709551615-18446744073709551615 + 1",
      "-ERR invalid start ID for the interval",
    ],
    ["XPENDING s g IDLE x - + 1", NOT_AN_INTEGER],
    ["XPENDING s g IDLE 1 - +", SYNTAX],
    ["XPENDING s g - + 0", []],
    ["XPENDING s g - + 5 nobody", []],
    ["XPENDING s g - + 5 bob x x x", SYNTAX],
    ["SET t x", "OK"],
    ["XPENDING t g", WRONG_TYPE],
  ]);
  const idle = await ask(client, "XPENDING s g IDLE 300000 - + 5") as Plain[][];
  assertEquals(idle.map(([id, , , deliveries]) => [id, deliveries]), [
    ["2-0", 7],
  ]);
  assertEquals(await pending(client, "XPENDING s g (2-0 + 5"), [
    ["3-0", "bob", 1],
    ["4-0", "alice", 1],
  ]);
  assertEquals(await pending(client, "XPENDING s g (2-0 + 5 alice"), [
    ["4-0", "alice", 1],
  ]);
  assertEquals(await pending(client, "XPENDING s g - 1 5 bob"), [
    ["1-0", "bob", 1],
  ]);
});

commandSuite("XCLAIM gives entries to a consumer", async ({ client }) => {
  await fill(client, "s", 4);
  await read(client, "XREADGROUP GROUP g alice COUNT 3 STREAMS s >");
  await ask(client, "XDEL s 3");
  await expectReplies(client, [
    ["XCLAIM s g bob 0 1 2", entries(["1-0", "v0"], ["2-0", "v1"])],
    ["XCLAIM s g bob 0 1 JUSTID", ["1-0"]],
    ["XCLAIM s g bob 100000 1", []],
    // A deleted entry is not pending any more; one never read is by FORCE.
    ["XCLAIM s g bob 0 3", []],
    ["XCLAIM s g carol 0 4 JUSTID", []],
    ["XCLAIM s g carol 0 4 JUSTID FORCE RETRYCOUNT 9223372036854775807", [
      "4-0",
    ]],
  ]);
  assertEquals(await ask(client, "XPENDING s g"), [
    3,
    "1-0",
    "4-0",
    [["bob", "2"], ["carol", "1"]],
  ]);
  assertEquals(await pending(client, "XPENDING s g - + 9"), [
    ["1-0", "bob", 2],
    ["2-0", "bob", 2],
    ["4-0", "carol", 9223372036854775807n],
  ]);
  await expectReplies(client, [
    ["XCLAIM s g bob 0 1 LASTID 9-9 JUSTID", ["1-0"]],
    ["XCLAIM s x bob 0 1", noGroup("s", "x")],
    ["XCLAIM missing g bob 0 1", noGroup("missing", "g")],
    ["XCLAIM s g bob x 1", "-ERR Invalid min-idle-time argument for XCLAIM"],
    ["XCLAIM s g bob 0 1 x", "-ERR Unrecognized XCLAIM option 'x'"],
    [
      "XCLAIM s g bob 0 1 IDLE x",
      "-ERR Invalid IDLE option argument for XCLAIM",
    ],
    [
      "XCLAIM s g bob 0 1 TIME x",
      "-ERR Invalid TIME option argument for XCLAIM",
    ],
    [
      "XCLAIM s g bob 0 1 RETRYCOUNT x",
      "-ERR Invalid RETRYCOUNT option argument for XCLAIM",
    ],
    ["XCLAIM s g bob 0 1 LASTID x", INVALID_ID],
    ["SET t x", "OK"],
    ["XCLAIM t g bob 0 1", WRONG_TYPE],
  ]);
  assertEquals((await groupInfo(client))["last-delivered-id"], "9-9");
  await ask(client, "XCLAIM s g bob 0 2 TIME 1000 JUSTID");
  const [row] = await ask(client, "XPENDING s g 2 2 1") as number[][];
  assert(row![2]! > 1e12, "idle since the time that was given");
});

commandSuite("XAUTOCLAIM goes through what is pending", async ({ client }) => {
  await fill(client, "s", 6);
  await read(client, "XREADGROUP GROUP g alice STREAMS s >");
  await ask(client, "XDEL s 2 4");
  await expectReplies(client, [
    [
      "XAUTOCLAIM s g bob 0 - COUNT 3",
      ["4-0", entries(["1-0", "v0"], ["3-0", "v2"]), ["2-0"]],
    ],
    ["XAUTOCLAIM s g bob 0 4 COUNT 2 JUSTID", ["6-0", ["5-0"], ["4-0"]]],
    ["XAUTOCLAIM s g bob 0 (5-0", ["0-0", entries(["6-0", "v5"]), []]],
    ["XAUTOCLAIM s g carol 100000 - COUNT 1", ["0-0", [], []]],
    ["XPENDING s g", [4, "1-0", "6-0", [["bob", "4"]]]],
    ["XAUTOCLAIM s x bob 0 -", noGroup("s", "x")],
    [
      "XAUTOCLAIM s g bob x -",
      "-ERR Invalid min-idle-time argument for XAUTOCLAIM",
    ],
    ["XAUTOCLAIM s g bob 0 x", INVALID_ID],
    ["XAUTOCLAIM s g bob 0 - COUNT 0", "-ERR COUNT must be > 0"],
    ["XAUTOCLAIM s g bob 0 - COUNT x", "-ERR COUNT must be > 0"],
    [
      "XAUTOCLAIM s g bob 0 - COUNT 576460752303423487",
      "-ERR Insufficient memory, failed allocating transient memory, COUNT " +
      "too high.",
    ],
    ["XAUTOCLAIM s g bob 0 - BOGUS", SYNTAX],
    ["SET t x", "OK"],
    ["XAUTOCLAIM t g bob 0 -", WRONG_TYPE],
  ]);
  assertEquals(await pending(client, "XPENDING s g - + 9"), [
    ["1-0", "bob", 2],
    ["3-0", "bob", 2],
    ["5-0", "bob", 1],
    ["6-0", "bob", 2],
  ]);
});

commandSuite(
  "XINFO GROUPS knows the lag, as long as it can be known",
  async ({ client }) => {
    await fill(client, "s", 5);
    const lag = async () => {
      const info = await groupInfo(client);
      return [info["last-delivered-id"], info["entries-read"], info["lag"]];
    };
    assertEquals(await lag(), ["0-0", null, 5]);
    await read(client, "XREADGROUP GROUP g alice COUNT 2 STREAMS s >");
    assertEquals(await lag(), ["2-0", 2, 3]);
    await ask(client, "XDEL s 1");
    assertEquals(await lag(), ["2-0", 2, 3]);
    await ask(client, "XDEL s 4");
    assertEquals(await lag(), ["2-0", 2, null]);
    await read(client, "XREADGROUP GROUP g alice COUNT 1 STREAMS s >");
    assertEquals(await lag(), ["3-0", null, null]);
    await read(client, "XREADGROUP GROUP g alice STREAMS s >");
    assertEquals(await lag(), ["5-0", 5, 0]);
    await ask(client, "XGROUP SETID s g 0");
    assertEquals(await lag(), ["0-0", null, null]);
    await ask(client, "XTRIM s MAXLEN 1");
    assertEquals(await lag(), ["0-0", null, 1]);
    await ask(client, "XGROUP SETID s g 9-0 ENTRIESREAD 9223372036854775807");
    assertEquals(await lag(), [
      "9-0",
      9223372036854775807n,
      5n - 9223372036854775807n,
    ]);
  },
);

commandSuite(
  "XINFO tells of consumers and all they have",
  async ({ client }) => {
    await fill(client, "s", 3);
    await read(client, "XREADGROUP GROUP g alice COUNT 2 STREAMS s >");
    await read(client, "XREADGROUP GROUP g bob STREAMS s 0");
    const consumers = (await ask(client, "XINFO CONSUMERS s g") as Plain[])
      .map(recordOf);
    for (const consumer of consumers) {
      assert(consumer["idle"] as number < 10_000);
      delete consumer["idle"];
    }
    assert((consumers[0]!["inactive"] as number) < 10_000);
    delete consumers[0]!["inactive"];
    assertEquals(consumers, [
      { name: "alice", pending: 2 },
      { name: "bob", pending: 0, inactive: -1 },
    ]);
    await expectReplies(client, [
      ["XINFO CONSUMERS s x", noSuchGroup("s", "x")],
    ]);
    const full = recordOf(await ask(client, "XINFO STREAM s FULL COUNT 1"));
    assertEquals(full["entries"], entries(["1-0", "v0"]));
    assertEquals(Object.keys(full).length, 9);
    const group = recordOf((full["groups"] as Plain[])[0]!);
    const [alice, bob] = (group["consumers"] as Plain[]).map(recordOf);
    const [[id, name, at, deliveries]] = group["pending"] as [Plain[]];
    assertEquals([id, name, deliveries], ["1-0", "alice", 1]);
    assert(Math.abs(at as number - Date.now()) < 10_000);
    delete group["pending"];
    delete group["consumers"];
    assertEquals(group, {
      "name": "g",
      "last-delivered-id": "2-0",
      "entries-read": 2,
      "lag": 1,
      "pel-count": 2,
    });
    assertEquals(alice!["pending"], [["1-0", at!, 1]]);
    assertEquals(alice!["active-time"], at);
    assertEquals(alice!["pel-count"], 2);
    assertEquals(bob!["pending"], []);
    assertEquals(bob!["active-time"], -1);
    assert(bob!["seen-time"] as number >= (alice!["seen-time"] as number));
  },
);

commandSuite("a group may have a great deal pending", async ({ client }) => {
  const count = 5000;
  await fill(client, "s", count);
  const consumers = ["c0", "c1", "c2"];
  for (let i = 0; i < count; i += 100) {
    const name = consumers[i / 100 % 3];
    await read(client, `XREADGROUP GROUP g ${name} COUNT 100 STREAMS s >`);
  }
  assertEquals(await ask(client, "XPENDING s g"), [
    count,
    "1-0",
    `${count}-0`,
    [["c0", "1700"], ["c1", "1700"], ["c2", "1600"]],
  ]);
  await ask(client, "XGROUP CREATE s h 0");
  await read(client, "XREADGROUP GROUP h c STREAMS s >");
  await expectReplies(client, [
    ["XGROUP DESTROY s h", 1],
    ["XPENDING s h", noGroup("s", "h")],
  ]);
  const mine = await pending(client, "XPENDING s g 150 + 3 c2");
  assertEquals(mine, [["201-0", "c2", 1], ["202-0", "c2", 1], [
    "203-0",
    "c2",
    1,
  ]]);
  const acks = Array.from({ length: count }, (_, i) => `${i + 1}`)
    .filter((_, i) => i % 10 !== 0);
  assertEquals(await ask(client, ["XACK", "s", "g", ...acks]), 4500);
  assertEquals(await ask(client, "XGROUP DELCONSUMER s g c1"), 170);
  const [next, claimed] = await ask(
    client,
    "XAUTOCLAIM s g c0 0 - COUNT 1000 JUSTID",
  ) as [string, string[]];
  assertEquals([next, claimed.length], ["0-0", 330]);
  assertEquals((await ask(client, "XPENDING s g") as Plain[])[3], [[
    "c0",
    "330",
  ]]);
  await expectReplies(client, [
    [`COPY s ${T}copy`, 1],
    ["XGROUP DESTROY s g", 1],
    ["DEL s", 1],
    [`XGROUP DELCONSUMER ${T}copy g c0`, 330],
  ]);
});

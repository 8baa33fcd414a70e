import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import type { TestClient } from "../_resp_client.ts";
import { plain } from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { entries, recordOf, streamsOf } from "./_streams.ts";
import { commandSuite } from "./_suite.ts";

const NOT_AN_INTEGER = "-ERR value is not an integer or out of range";
const SYNTAX = "-ERR syntax error";
const WRONG_TYPE = "-WRONGTYPE Operation against a key holding the wrong " +
  "kind of value";
const INVALID_ID = "-ERR Invalid stream ID specified as stream command " +
  "argument";
const TOO_SMALL =
  "-ERR The ID specified in XADD is equal or smaller than the " +
  "target stream top item";
const STRATEGIES = "-ERR syntax error, MAXLEN and MINID options at the same " +
  "time are not compatible";
const MAX = "18446744073709551615";

/** Keys on different shards. */
const [T, U, V] = tagsOnDistinctSlots(3).map((tag) => `{${tag}}`);

function wrongArity(command: string): string {
  return `-ERR wrong number of arguments for '${command}' command`;
}

/** Adds entries 1-0 to n-0, each with a field f. */
async function fill(client: TestClient, key: string, n: number) {
  await client.pipeline(
    Array.from(
      { length: n },
      (_, i) => ["XADD", key, `${i + 1}-0`, "f", `v${i}`],
    ),
  );
}

commandSuite("XADD takes IDs that ascend", async ({ client }) => {
  await expectReplies(client, [
    ["XADD s 1-1 f v", "1-1"],
    ["XADD s 1-1 f v", TOO_SMALL],
    ["XADD s 1-0 f v", TOO_SMALL],
    ["XADD s 0-5 f v", TOO_SMALL],
    ["XADD s 1-* f v", "1-2"],
    ["XADD s 2 f v", "2-0"],
    ["XADD s 2-* f v", "2-1"],
    ["XADD s 1-* f v", TOO_SMALL],
    [`XADD s 3-${MAX} f v`, `3-${MAX}`],
    ["XADD s 3-* f v", TOO_SMALL],
    ["XADD s 9007199254740993-1 f v", "9007199254740993-1"],
    ["XADD s 9007199254740993-* f v", "9007199254740993-2"],
    ["XADD s * f v", "9007199254740993-3"],
    [`XADD s ${MAX}-${MAX} f v`, `${MAX}-${MAX}`],
    [
      "XADD s * f v",
      "-ERR The stream has exhausted the last possible ID, unable to add more " +
      "items",
    ],
    [
      "XADD z 0-0 f v",
      "-ERR The ID specified in XADD must be greater than 0-0",
    ],
    ["XADD z 0-* f v", "0-1"],
    ["XADD z 0 f v", "-ERR The ID specified in XADD must be greater than 0-0"],
    ["EXISTS z", 1],
    ["XADD y a f v", INVALID_ID],
    ["XADD y - f v", INVALID_ID],
    ["XADD y 1-1-1 f v", INVALID_ID],
    [`XADD y 18446744073709551616 f v`, INVALID_ID],
    ["XADD y * f", wrongArity("xadd")],
    ["XADD y * f v g", wrongArity("xadd")],
    ["XADD y MAXLEN 1 x 1", INVALID_ID],
    ["XADD y MAXLEN 1 nomkstream", wrongArity("xadd")],
    ["EXISTS y", 0],
    ["SET t x", "OK"],
    ["XADD t * f v", WRONG_TYPE],
  ]);
});

commandSuite(
  "XADD * gives the time, and ascends within it",
  async ({ client }) => {
    const start = Date.now();
    const ids: string[] = [];
    for (
      const reply of await client.pipeline(
        Array.from({ length: 50 }, () => ["XADD", "s", "*", "f", "v"]),
      )
    ) ids.push(String(plain(reply)));
    const parts = ids.map((id) =>
      id.split("-").map(Number) as [number, number]
    );
    for (const [i, [ms, seq]] of parts.entries()) {
      assert(ms >= start - 1 && ms <= Date.now() + 1, ids[i]);
      const [msBefore, seqBefore] = parts[i - 1] ?? [0, 0];
      assert(ms > msBefore ? seq === 0 : seq === seqBefore + 1, ids.join());
    }
    const shown = await ask(client, "XRANGE s - +") as [string, unknown][];
    assertEquals(shown.map(([id]) => id), ids);
  },
);

commandSuite(
  "XADD keeps fields and values of every kind",
  async ({ client }) => {
    const texts = [
      ...["", "0", "-1", "127", "128", "-4097", "9223372036854775807", "007"],
      ...["\0\r\n\xff", "x".repeat(63), "y".repeat(64), "z".repeat(5000)],
    ];
    await expectReplies(client, [
      [["XADD", "s", "1", ...texts], "1-0"],
      [["XADD", "s", "2", ...texts.toReversed()], "2-0"],
      [["XADD", "s", "3", ...texts], "3-0"],
      ["XRANGE s - +", [
        ["1-0", texts],
        ["2-0", texts.toReversed()],
        ["3-0", texts],
      ]],
    ]);
  },
);

commandSuite("XADD NOMKSTREAM makes no stream", async ({ client }) => {
  await expectReplies(client, [
    ["XADD s NOMKSTREAM 1-1 f v", null],
    ["EXISTS s", 0],
    ["XADD s 1-1 f v", "1-1"],
    ["XADD s nomkstream 1-2 f v", "1-2"],
    ["XLEN s", 2],
    ["XLEN missing", 0],
    ["TYPE s", "stream"],
  ]);
});

commandSuite("XADD and XTRIM trim by length and by ID", async ({ client }) => {
  await fill(client, "s", 10);
  await expectReplies(client, [
    ["XTRIM s MAXLEN 8", 2],
    ["XTRIM s MAXLEN = 7", 1],
    ["XTRIM s MINID 6", 2],
    ["XADD s MAXLEN 3 11 f v", "11-0"],
    ["XRANGE s - +", entries(["9-0", "v8"], ["10-0", "v9"], ["11-0", "v"])],
    ["XADD s MINID = 11 12 f v", "12-0"],
    ["XLEN s", 2],
    ["XADD s MAXLEN 0 13 f v", "13-0"],
    ["XLEN s", 0],
    ["EXISTS s", 1],
    ["XTRIM missing MAXLEN 1", 0],
    ["XTRIM s MAXLEN -1", "-ERR The MAXLEN argument must be >= 0."],
    ["XTRIM s MAXLEN a", NOT_AN_INTEGER],
    ["XTRIM s MINID a", INVALID_ID],
    ["XTRIM s MAXLEN 1 MINID 1", STRATEGIES],
    ["XTRIM s MAXLEN 1 LIMIT -1", "-ERR The LIMIT argument must be >= 0."],
    [
      "XTRIM s MAXLEN 1 LIMIT 1",
      "-ERR syntax error, LIMIT cannot be used without the special ~ option",
    ],
    ["XTRIM s MAXLEN", wrongArity("xtrim")],
    [
      "XTRIM s LIMIT 1 LIMIT 2",
      "-ERR syntax error, LIMIT cannot be used without specifying a trimming " +
      "strategy",
    ],
    [
      "XTRIM s LIMIT 0 LIMIT 0",
      "-ERR syntax error, XTRIM must be called with a trimming strategy",
    ],
    ["XTRIM s MAXLEN 1 BOGUS", SYNTAX],
    ["SET t x", "OK"],
    ["XTRIM t MAXLEN 1", WRONG_TYPE],
    ["XLEN t", WRONG_TYPE],
    ["XDEL t 1", WRONG_TYPE],
    ["XRANGE t - +", WRONG_TYPE],
  ]);
});

commandSuite("approximate trimming takes whole nodes", async ({ client }) => {
  await fill(client, "s", 1000);
  await expectReplies(client, [
    ["XTRIM s MAXLEN ~ 950", 0],
    ["XTRIM s MAXLEN ~ 850", 100],
    ["XTRIM s MAXLEN ~ 0 LIMIT 250", 200],
    ["XTRIM s MINID ~ 450-0", 100],
    ["XLEN s", 600],
    ["XADD s MAXLEN ~ 100 2000 f v", "2000-0"],
    ["XLEN s", 101],
    ["CONFIG SET stream-node-max-entries 0", "OK"],
    ["CONFIG SET stream-node-max-bytes 200", "OK"],
  ]);
  await ask(client, "DEL s");
  await fill(client, "s", 100);
  const removed = await ask(client, "XTRIM s MAXLEN ~ 50") as number;
  assert(removed > 30 && removed <= 50, `${removed} removed`);
  await expectReplies(client, [
    ["CONFIG SET stream-node-max-entries 100", "OK"],
    ["CONFIG SET stream-node-max-bytes 4096", "OK"],
  ]);
});

commandSuite(
  "XRANGE and XREVRANGE read between two IDs",
  async ({ client }) => {
    await fill(client, "s", 4);
    await expectReplies(client, [
      [
        "XRANGE s - +",
        entries(
          ["1-0", "v0"],
          ["2-0", "v1"],
          ["3-0", "v2"],
          ["4-0", "v3"],
        ),
      ],
      ["XRANGE s 2 3", entries(["2-0", "v1"], ["3-0", "v2"])],
      ["XRANGE s (1 3", entries(["2-0", "v1"], ["3-0", "v2"])],
      ["XRANGE s (2-0 (4-0", entries(["3-0", "v2"])],
      ["XRANGE s 3 2", []],
      ["XRANGE s - + COUNT 1", entries(["1-0", "v0"])],
      ["XRANGE s - + COUNT 1 COUNT 2", entries(["1-0", "v0"], ["2-0", "v1"])],
      ["XRANGE s - + COUNT 0", null],
      ["XRANGE s - + COUNT -1", null],
      ["XREVRANGE s + - COUNT 2", entries(["4-0", "v3"], ["3-0", "v2"])],
      ["XREVRANGE s (4-0 2", entries(["3-0", "v2"], ["2-0", "v1"])],
      ["XREVRANGE s 2 3", []],
      ["XRANGE missing - +", []],
      ["XRANGE missing - + COUNT 0", []],
      [`XRANGE s (${MAX}-${MAX} +`, "-ERR invalid start ID for the interval"],
      ["XRANGE s - (0-0", "-ERR invalid end ID for the interval"],
      ["XRANGE s (- +", INVALID_ID],
      ["XRANGE s a +", INVALID_ID],
      ["XRANGE s - +a", INVALID_ID],
      ["XRANGE s - + COUNT a", NOT_AN_INTEGER],
      ["XRANGE s - + COUNT", SYNTAX],
      ["XRANGE s - + LIMIT 1", SYNTAX],
      ["XRANGE s -", wrongArity("xrange")],
      ["XREVRANGE s +", wrongArity("xrevrange")],
    ]);
  },
);

commandSuite("XDEL deletes what is there, once", async ({ client }) => {
  await fill(client, "s", 5);
  await expectReplies(client, [
    ["XDEL s 2 2 9 4-0", 2],
    ["XDEL s 1-0 x", INVALID_ID],
    ["XLEN s", 3],
    ["XRANGE s - +", entries(["1-0", "v0"], ["3-0", "v2"], ["5-0", "v4"])],
    ["XREVRANGE s + -", entries(["5-0", "v4"], ["3-0", "v2"], ["1-0", "v0"])],
    ["XDEL s 1 3 5", 3],
    ["XRANGE s - +", []],
    ["XADD s 5 f v", TOO_SMALL],
    ["XADD s 6 f v", "6-0"],
    ["XDEL missing 1", 0],
    ["XDEL missing x", 0],
    ["XDEL s", wrongArity("xdel")],
  ]);
});

commandSuite("XSETID sets what a stream remembers", async ({ client }) => {
  await fill(client, "s", 3);
  await expectReplies(client, [
    ["XSETID s 10", "OK"],
    ["XADD s 9 f v", TOO_SMALL],
    ["XADD s 10-* f v", "10-1"],
    [
      "XSETID s 10",
      "-ERR The ID specified in XSETID is smaller than the target stream top " +
      "item",
    ],
    ["XDEL s 10-1", 1],
    [
      "XSETID s 10",
      "-ERR The ID specified in XSETID is smaller than current " +
      "max_deleted_entry_id",
    ],
    ["XSETID s 20 ENTRIESADDED 9223372036854775807 MAXDELETEDID 15-2", "OK"],
    [
      "XSETID s 20 ENTRIESADDED 2",
      "-ERR The entries_added specified in XSETID is smaller than the target " +
      "stream length",
    ],
    ["XSETID s 20 ENTRIESADDED -1", "-ERR entries_added must be positive"],
    ["XSETID s 20 ENTRIESADDED x", NOT_AN_INTEGER],
    [
      "XSETID s 20 MAXDELETEDID 21",
      "-ERR The ID specified in XSETID is smaller than the provided " +
      "max_deleted_entry_id",
    ],
    ["XSETID s 20 MAXDELETEDID x", INVALID_ID],
    ["XSETID s 20 BOGUS", SYNTAX],
    ["XSETID s x", INVALID_ID],
    ["XSETID missing 1", "-ERR no such key"],
    ["SET t x", "OK"],
    ["XSETID t 1", WRONG_TYPE],
  ]);
  const info = recordOf(await ask(client, "XINFO STREAM s"));
  assertEquals(info["entries-added"], 9223372036854775807n);
  assertEquals(info["max-deleted-entry-id"], "15-2");
  assertEquals(info["last-generated-id"], "20-0");
});

commandSuite("XREAD reads streams behind IDs", async ({ client }) => {
  const [a, b, c] = [`${T}a`, `${U}b`, `${V}c`];
  await fill(client, a!, 3);
  await fill(client, b!, 2);
  const read = async (command: string) => streamsOf(await ask(client, command));
  assertEquals(await read(`XREAD STREAMS ${a} ${b} ${c} 1 0-5 0`), [
    [a, entries(["2-0", "v1"], ["3-0", "v2"])],
    [b, entries(["1-0", "v0"], ["2-0", "v1"])],
  ]);
  assertEquals(await read(`XREAD COUNT 1 STREAMS ${b} ${a} 2 0`), [
    [a, entries(["1-0", "v0"])],
  ]);
  assertEquals(await read(`XREAD COUNT 0 STREAMS ${a} 2`), [
    [a, entries(["3-0", "v2"])],
  ]);
  await expectReplies(client, [
    [`XREAD STREAMS ${a} 3`, null],
    [`XREAD STREAMS ${a} ${b} $ $`, null],
    [`XREAD STREAMS ${c} $`, null],
    [
      `XREAD STREAMS ${a}`,
      wrongArity("xread"),
    ],
    [
      `XREAD STREAMS ${a} ${b} 0`,
      "-ERR Unbalanced 'xread' list of streams: for each stream key an ID or " +
      "'$' must be specified.",
    ],
    [`XREAD COUNT 1 STREAMS`, SYNTAX],
    [`XREAD COUNT a STREAMS ${a} 0`, NOT_AN_INTEGER],
    [`XREAD COUNT 1 ${a} 0`, SYNTAX],
    [`XREAD STREAMS ${a} x`, INVALID_ID],
    [`XREAD STREAMS ${a} -`, INVALID_ID],
    [
      `XREAD STREAMS ${a} >`,
      "-ERR The > ID can be specified only when calling XREADGROUP using the " +
      "GROUP <group> <consumer> option.",
    ],
    [
      `XREAD GROUP g c STREAMS ${a} 0`,
      "-ERR The GROUP option is only supported by XREADGROUP. You called XREAD " +
      "instead.",
    ],
    [
      `XREAD NOACK STREAMS ${a} 0`,
      "-ERR The NOACK option is only supported by XREADGROUP. You called XREAD " +
      "instead.",
    ],
    [`SET ${c} x`, "OK"],
    [`XREAD STREAMS ${a} ${c} 0 0`, WRONG_TYPE],
  ]);
});

commandSuite(
  "XREAD BLOCK waits only for what is not there",
  async ({ client }) => {
    await fill(client, "s", 1);
    assertEquals(
      streamsOf(await ask(client, "XREAD BLOCK 0 STREAMS s t 0 0")),
      [["s", entries(["1-0", "v0"])]],
    );
    await expectReplies(client, [
      ["XREAD BLOCK 10 STREAMS s $", null],
      ["XREAD BLOCK -1 STREAMS s $", "-ERR timeout is negative"],
      [
        "XREAD BLOCK a STREAMS s $",
        "-ERR timeout is not an integer or out of range",
      ],
    ]);
  },
);

commandSuite(
  "XREAD refuses keywords for names before its keys",
  async ({ client }) => {
    await expectReplies(client, [
      ["XGROUP CREATE s g 0 MKSTREAM", "OK"],
      ["XREADGROUP GROUP g streams STREAMS s >", null],
      ["XREADGROUP COUNT 1 GROUP streams c STREAMS s >", SYNTAX],
    ]);
  },
);

commandSuite("XINFO STREAM tells what a stream is", async ({ client }) => {
  await fill(client, "s", 250);
  await expectReplies(client, [
    ["XDEL s 1 2 5", 3],
    ["XGROUP CREATE s g 0", "OK"],
  ]);
  assertEquals(recordOf(await ask(client, "XINFO STREAM s")), {
    "length": 247,
    "radix-tree-keys": 3,
    "radix-tree-nodes": 8,
    "last-generated-id": "250-0",
    "max-deleted-entry-id": "5-0",
    "entries-added": 250,
    "recorded-first-entry-id": "3-0",
    "groups": 1,
    "first-entry": ["3-0", ["f", "v2"]],
    "last-entry": ["250-0", ["f", "v249"]],
  });
  await ask(client, "XTRIM s MAXLEN 0");
  assertEquals(recordOf(await ask(client, "XINFO STREAM s")), {
    "length": 0,
    "radix-tree-keys": 0,
    "radix-tree-nodes": 1,
    "last-generated-id": "250-0",
    "max-deleted-entry-id": "5-0",
    "entries-added": 250,
    "recorded-first-entry-id": "0-0",
    "groups": 1,
    "first-entry": null,
    "last-entry": null,
  });
  const help = await ask(client, "XINFO HELP") as string[];
  assertEquals(help.at(-1), "    Prints this help.");
  await expectReplies(client, [
    ["XINFO STREAM missing", "-ERR no such key"],
    [
      "XINFO STREAM s BOGUS",
      "-ERR unknown subcommand or wrong number of arguments for 'STREAM'. " +
      "Try XINFO HELP.",
    ],
    ["XINFO STREAM s FULL COUNT a", NOT_AN_INTEGER],
    ["XINFO GROUPS missing", "-ERR no such key"],
    ["XINFO CONSUMERS missing g", "-ERR no such key"],
    ["SET t x", "OK"],
    ["XINFO STREAM t", WRONG_TYPE],
  ]);
});

commandSuite("streams are copied, moved and expire", async ({ client }) => {
  const [a, b] = [`${T}a`, `${U}b`];
  await fill(client, a!, 120);
  await expectReplies(client, [
    [`XGROUP CREATE ${a} g 5`, "OK"],
    [`XDEL ${a} 7`, 1],
    [`COPY ${a} ${b}`, 1],
    [`XADD ${a} 200 f v`, "200-0"],
    [`XLEN ${b}`, 119],
    [`RENAME ${b} ${a}`, "OK"],
    [`XLEN ${a}`, 119],
    [`XRANGE ${a} 6 8`, entries(["6-0", "v5"], ["8-0", "v7"])],
    [`PEXPIRE ${a} 1`, 1],
  ]);
  const group = recordOf(
    (await ask(client, `XINFO GROUPS ${a}`) as never[])[0] ?? [],
  );
  if (group["name"] !== undefined) assertEquals(group["name"], "g");
  while (await ask(client, `EXISTS ${a}`) === 1);
  await expectReplies(client, [[`XLEN ${a}`, 0]]);
});

commandSuite(
  "a long range is sent as it was, while others add",
  async ({ client, server, resp }) => {
    const count = 30_000;
    const value = "v".repeat(100);
    for (let i = 0; i < count; i += 1000) {
      await client.pipeline(
        Array.from(
          { length: 1000 },
          (_, j) => ["XADD", "s", `${i + j + 1}-0`, "f", value],
        ),
      );
    }
    using slow = await server.client({ resp });
    await slow.sendCommands([
      ["XRANGE", "s", "-", "+"],
      ["XREVRANGE", "s", "+", "-", "COUNT", "5000"],
      ["XRANGE", "s", "100-0", "27000-0", "COUNT", "20000"],
      ["XREAD", "STREAMS", "s", "5"],
      ["PING"],
    ]);
    await expectReplies(client, [
      [`XADD s ${count + 1}-0 f v`, `${count + 1}-0`],
      ["XDEL s 15000-0", 1],
      ["XTRIM s MAXLEN 10", count - 10],
    ]);
    const ids = (reply: unknown) => (reply as [string][]).map(([id]) => id);
    const all = ids(plain(await slow.readReply()));
    const reverse = ids(plain(await slow.readReply()));
    const some = ids(plain(await slow.readReply()));
    const read = streamsOf(plain(await slow.readReply())) as [
      string,
      unknown,
    ][];
    // Each reply is of one moment; which one, nobody promises.
    for (const found of [all, reverse, some, ids(read[0]![1])]) {
      const numbers = found.map((id) => parseInt(id));
      const step = found === reverse ? -1 : 1;
      for (let i = 1; i < numbers.length; i++) {
        const gap = (numbers[i]! - numbers[i - 1]!) * step;
        assert(gap === 1 || (gap === 2 && numbers[i - 1] === 15000 - step));
      }
    }
    assert(
      [count, count + 1, count - 1, 10].includes(all.length),
      `${all.length}`,
    );
    assertEquals(plain(await slow.readReply()), "PONG");
  },
);

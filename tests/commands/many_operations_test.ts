/**
 * Very many operations of BITFIELD, and PFCOUNT and PFMERGE of many keys, in
 * slices: what they answer and leave behind is what they would in place, which is
 * how a transaction runs them, and of one instant.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import {
  type Plain,
  plain,
  ReplyError,
  type TestClient,
} from "../_resp_client.ts";
import { heard } from "./_heard.ts";
import { slicesSuite, statistic } from "./_slices.ts";

type Command = readonly string[];

const { suite } = slicesSuite();

const K = "key";
/** Operations of which a few turns are made. */
const OPERATIONS = 1800;
/** HyperLogLogs, of which some are not there; a command names each several times. */
const SKETCHES = 12;
const MERGED = 40;
const REPEATED = 600;

const sliced = (client: TestClient) =>
  statistic(client, "sherd_sliced_commands");

/** What a command answers in a transaction. */
async function inPlace(client: TestClient, argv: Command): Promise<Plain> {
  const replies = await client.pipeline([["MULTI"], argv, ["EXEC"]]);
  return (plain(replies[2]!) as Plain[])[0]!;
}

function comparable(reply: Plain): Plain {
  return reply instanceof ReplyError ? `-${reply.message}` : reply;
}

/** What a key has. */
async function picture(client: TestClient, key: string): Promise<Plain[]> {
  const replies = await client.pipeline([
    ["DEBUG", "DIGEST-VALUE", key],
    ["STRLEN", key],
    ["PTTL", key],
  ]);
  const [digest, length, ttl] = replies.map(plain);
  return [digest!, length!, Number(ttl) > 0];
}

/** So many operations, of every kind. */
function operations(count: number, mostBits = 64): string[] {
  const argv: string[] = [];
  const overflows = ["WRAP", "SAT", "FAIL"];
  for (let i = 0; i < count; i++) {
    const type = `${i % 2 === 0 ? "u" : "i"}${1 + i * 7 % (mostBits - 1)}`;
    const at = i % 3 === 0 ? `#${i % 50}` : `${i * 3 % 9000}`;
    if (i % 5 === 0) argv.push("OVERFLOW", overflows[i / 5 % 3]!);
    if (i % 4 === 0) argv.push("GET", type, at);
    else if (i % 4 === 1) argv.push("SET", type, at, `${i * 977 - 9000}`);
    else argv.push("INCRBY", type, at, `${i % 7 === 0 ? -i : i * 31}`);
  }
  return argv;
}

function reads(count: number): string[] {
  const argv: string[] = [];
  for (let i = 0; i < count; i++) argv.push("GET", "u9", `${i * 5}`);
  return argv;
}

const TEXT: Command = ["SET", K, "some text ".repeat(100), "PX", "1000000"];

const FIELDS: readonly (readonly [Command[], Command])[] = [
  [[], ["BITFIELD", K, ...operations(OPERATIONS)]],
  [[TEXT], ["BITFIELD", K, ...operations(OPERATIONS)]],
  [[TEXT], ["BITFIELD", K, ...operations(OPERATIONS, 20)]],
  // A string that grows in slices, too, and one that is copied for it.
  [[TEXT], [
    ...["BITFIELD", K, ...operations(OPERATIONS)],
    ...["SET", "u8", String(3 << 23), "7", "GET", "u8", String(3 << 23)],
  ]],
  [[["SETRANGE", K, String(3 << 20), "end"]], [
    ...["BITFIELD", K, ...operations(OPERATIONS)],
    ...["SET", "u8", String(4 << 23), "7"],
  ]],
  [[TEXT], ["BITFIELD", K, ...reads(OPERATIONS)]],
  [[], ["BITFIELD", K, ...reads(OPERATIONS)]],
  [[TEXT], ["BITFIELD_RO", K, ...reads(OPERATIONS)]],
  [[], ["BITFIELD_RO", K, ...reads(OPERATIONS)]],
  // Nothing is changed.
  [[TEXT], [
    ...["BITFIELD", K],
    ...Array.from({ length: OPERATIONS }, (_, i) => [
      ...["OVERFLOW", "FAIL", "SET", "u1", `${i}`, "9"],
    ]).flat(),
  ]],
  // Errors are found before anything is done.
  [[TEXT], ["BITFIELD", K, ...operations(OPERATIONS), "SET", "u8", "0"]],
  [[TEXT], ["BITFIELD", K, ...operations(OPERATIONS), "SET", "u8", "0", "x"]],
  [[TEXT], ["BITFIELD", K, ...operations(OPERATIONS), "GET", "u64", "0"]],
  [[TEXT], ["BITFIELD", K, ...operations(OPERATIONS), "GET", "u8", "-1"]],
  [[TEXT], ["BITFIELD", K, ...operations(OPERATIONS), "OVERFLOW", "NO"]],
  [[TEXT], ["BITFIELD_RO", K, ...reads(OPERATIONS), "SET", "u8", "0", "1"]],
  [[["RPUSH", K, "a"]], ["BITFIELD", K, ...operations(OPERATIONS)]],
  [[["RPUSH", K, "a"]], ["BITFIELD_RO", K, ...reads(OPERATIONS)]],
];

suite("very many fields of bits", async (client, server) => {
  for (const [fill, argv] of FIELDS) {
    const text = `${argv.slice(0, 9).join(" ")} ... ${
      argv.slice(-4).join(" ")
    }`;
    const outcomes: Plain[][] = [];
    for (const isInSlices of [true, false]) {
      await client.run("DEL", K);
      for (const each of fill) await client.run(...each);
      const before = await sliced(client);
      const errors = await statistic(client, "total_error_replies");
      let reply: Plain = null;
      const events = await heard(server, client, async () => {
        reply = isInSlices
          ? plain(await client.run(...argv))
          : await inPlace(client, argv);
      });
      assertEquals(await sliced(client) - before, Number(isInSlices), text);
      if (isInSlices) {
        const failed = await statistic(client, "total_error_replies") - errors;
        assertEquals(
          failed,
          Number(reply as Plain instanceof ReplyError),
          text,
        );
      }
      outcomes.push([
        comparable(reply),
        events,
        await picture(client, K),
      ]);
    }
    assertEquals(outcomes[0], outcomes[1], text);
  }
});

suite("fields of one instant", async (client, server) => {
  using writer = await server.client();
  const ones = ["SET", K, "\xff".repeat(500)];
  const ask = ["BITFIELD_RO", K, ...reads(700)];
  const all = [...ask];
  while (all.length < 3 * OPERATIONS) all.push(...ask.slice(2));
  for (const change of [["FLUSHALL"], ["SET", K, "a"], ["DEL", K]]) {
    await client.run(...ones);
    const expected = await inPlace(client, all);
    const asked = client.run(...all);
    const changed = writer.run(...change);
    const reply = plain(await asked);
    await changed;
    const after = await inPlace(client, all);
    const isBefore = (reply as Plain[])[0] === (expected as Plain[])[0];
    assertEquals(reply, isBefore ? expected : after, change.join(" "));
  }
  // Increments, and one that comes in between.
  await client.run("DEL", K);
  const adds = Array.from({ length: OPERATIONS }, () => [
    ...["INCRBY", "u32", "0", "1"],
  ]).flat();
  const [first, others] = await Promise.all([
    client.run("BITFIELD", K, ...adds),
    writer.pipeline([
      ["BITFIELD", K, "INCRBY", "u32", "0", "1"],
      ["BITFIELD", K, ...adds],
    ]),
  ]);
  const counts = [first, ...others].map((each) => plain(each) as number[]);
  const sorted = counts.flat().sort((a, b) => a - b);
  assertEquals(sorted, sorted.map((_, i) => i + 1));
  for (const each of counts) {
    assertEquals(each, each.map((_, i) => each[0]! + i));
  }
});

const sketch = (i: number) => `sketch${i % SKETCHES}`;

/** Sparse ones, dense ones, and keys that are not there. */
async function fillSketches(client: TestClient): Promise<void> {
  const commands: string[][] = [];
  for (let i = 0; i < SKETCHES; i++) {
    if (i % 4 === 3) continue;
    const count = i % 2 === 0 ? 5 : 300;
    const elements = Array.from({ length: count }, (_, j) => `${i * 200 + j}`);
    commands.push(["PFADD", sketch(i), ...elements]);
    if (i % 4 === 0) commands.push(["PFDEBUG", "TODENSE", sketch(i)]);
  }
  await client.pipeline(commands);
}

const many = Array.from({ length: MERGED }, (_, i) => sketch(i));
const sparse = Array.from({ length: MERGED }, (_, i) => sketch(4 * i + 1));
const bad = (name: string) => [...many, name, ...many];

const MERGES: readonly Command[] = [
  ["PFCOUNT", ...many],
  ["PFCOUNT", ...sparse],
  ["PFCOUNT", ...many.map(() => "nothing")],
  ["PFMERGE", "target", ...many],
  ["PFMERGE", "target", ...sparse],
  // Few, but sparse ones, in which each register is looked for.
  ["PFMERGE", "target", sketch(1), sketch(5), sketch(9)],
  ["PFMERGE", ...many],
  ["PFMERGE", ...sparse],
  ["PFMERGE", sketch(1), ...many],
  ["PFMERGE", "target", ...many.map(() => "nothing")],
  ["PFCOUNT", ...bad("list")],
  ["PFCOUNT", "list", ...many],
  ["PFCOUNT", ...bad("text")],
  ["PFCOUNT", ...bad("corrupt")],
  ["PFCOUNT", ...bad("corrupt"), "list"],
  ["PFCOUNT", ...bad("list"), "corrupt"],
  ["PFMERGE", "target", ...bad("list")],
  ["PFMERGE", "target", ...bad("corrupt")],
  ["PFMERGE", "text", ...many],
  ["PFMERGE", "list", ...many],
];

suite("many HyperLogLogs are merged in slices", async (client, server) => {
  for (const argv of MERGES) {
    const text = argv.join(" ");
    const outcomes: Plain[][] = [];
    for (const isInSlices of [true, false]) {
      await client.run("FLUSHALL");
      await fillSketches(client);
      await client.pipeline([
        ["RPUSH", "list", "a"],
        ["SET", "text", "x"],
        ["PFADD", "corrupt", "a", "b"],
        ["APPEND", "corrupt", "more"],
      ]);
      const before = await sliced(client);
      const errors = await statistic(client, "total_error_replies");
      let reply: Plain = null;
      const events = await heard(server, client, async () => {
        reply = isInSlices
          ? plain(await client.run(...argv))
          : await inPlace(client, argv);
      });
      // The first key is found to be none.
      const isShort = argv[1] === "list" || argv[1] === "text";
      const count = Number(isInSlices && !isShort);
      assertEquals(await sliced(client) - before, count, text);
      if (isInSlices) {
        const failed = await statistic(client, "total_error_replies") - errors;
        assertEquals(
          failed,
          Number(reply as Plain instanceof ReplyError),
          text,
        );
      }
      const left = ["target", argv[1]!, "text"];
      const pictures: Plain[] = [];
      for (const key of left) pictures.push(await picture(client, key));
      const size = comparable(plain(await client.run("PFCOUNT", argv[1]!)));
      const keys = plain(await client.run("DBSIZE"));
      outcomes.push([
        ...[comparable(reply), events, pictures, size, keys],
      ]);
    }
    assertEquals(outcomes[0], outcomes[1], text);
  }
});

suite("merged HyperLogLogs are of one instant", async (client, server) => {
  using writer = await server.client();
  const keys = Array.from({ length: REPEATED }, (_, i) => sketch(i));
  const last = sketch(REPEATED - 2);
  const more = Array.from({ length: 900 }, (_, i) => `more${i}`);
  for (
    const change of [
      ["FLUSHALL"],
      ["DEL", last],
      ["PFADD", last, ...more],
      ["RENAME", last, "elsewhere"],
    ]
  ) {
    for (const head of [["PFCOUNT"], ["PFMERGE", "target"]]) {
      const text = `${head[0]}, ${change[0]}`;
      await client.run("FLUSHALL");
      await fillSketches(client);
      const ask = ["PFCOUNT", ...keys];
      const before = await inPlace(client, ask);
      const asked = client.run(...head, ...keys);
      const changed = writer.run(...change);
      const reply = plain(await asked);
      await changed;
      const after = await inPlace(client, ask);
      const seen = head.length === 1
        ? reply
        : plain(await client.run("PFCOUNT", "target"));
      if (head.length > 1) assertEquals(reply, "OK");
      // FLUSHALL takes the target, too, unless it came first.
      assert(seen === before || seen === after, text);
    }
  }
});

suite("the log brings back fields and merges", async (client) => {
  await fillSketches(client);
  await client.run("BITFIELD", K, ...operations(OPERATIONS));
  await client.run("PFMERGE", "target", ...many);
  await client.run("PFCOUNT", ...many);
  const digest = ["DEBUG", "DIGEST-VALUE", K, "target", sketch(0), sketch(1)];
  const before = plain(await client.run(...digest));
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assertEquals(plain(await client.run(...digest)), before);
});

suite(
  "a client that vanishes leaves nothing locked",
  async (client, server) => {
    await fillSketches(client);
    const keys = Array.from({ length: REPEATED }, (_, i) => sketch(i));
    for (const argv of [["PFCOUNT", ...keys], ["PFMERGE", "target", ...keys]]) {
      using leaver = await server.client();
      await leaver.sendCommands([argv]);
      await client.run("PING");
    }
    assertEquals(plain(await client.run("PING")), "PONG");
  },
);

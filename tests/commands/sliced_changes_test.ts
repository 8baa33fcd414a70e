/**
 * Changes of one key in slices: who asks meanwhile sees it as it was or as it
 * will be. What they answer and leave behind is what they would in place, which
 * is how a transaction makes them.
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
import { settled, slicesSuite, statistic } from "./_slices.ts";

const K = "key";
/** Elements of a long list, and of those how many are alike. */
const LARGE = 4000;
const ALIKE = 40;
const PADDING = "-".repeat(150);
const MEGABYTES = 3;

const { suite } = slicesSuite();

/** What `fill` says, with what is made of it. */
async function filled(
  client: TestClient,
  fill: readonly Command[],
): Promise<Command[]> {
  if (!fill.some((argv) => argv.includes("payload"))) return [...fill];
  if (payload.length === 0) {
    const max = "stream-node-max-entries";
    const entries = Array.from({ length: ENTRIES }, (_, i) => `${i + 1}`);
    await client.pipeline([
      ["CONFIG", "SET", max, "1"],
      ...entries.map((id) => ["XADD", "made", id, "", ""]),
      ["CONFIG", "SET", max, "100"],
    ]);
    const dumped = await client.run("DUMP", "made");
    assert(dumped.type === "bulk");
    payload = dumped.value.slice();
    await client.run("DEL", "made");
  }
  return fill.map((argv) =>
    argv.map((arg) => arg === "payload" ? payload : arg)
  );
}

type Command = readonly (string | Uint8Array)[];

interface Case {
  readonly fill: readonly Command[];
  readonly change: Command;
  /** What another client asks meanwhile; its reply tells before from after. */
  readonly look: Command;
  /** The change is made at once: it is over before there is a second slice. */
  readonly isShort?: boolean;
}

/** An element of the lists. */
function element(i: number): string {
  return `${i % (LARGE / ALIKE)}${PADDING}`;
}

const elements = Array.from({ length: LARGE }, (_, i) => element(i));
const long = new Uint8Array(MEGABYTES << 20).fill(97);
const list: Command[] = [["RPUSH", K, ...elements], ["RPUSH", K, "last"]];
/** One that is too long for a node of others. */
const TOO_LONG = "x".repeat(10_000);
const withLong: Command[] = [...list, ["RPUSH", K, TOO_LONG, element(7)]];
const short = Array.from({ length: 9000 }, (_, i) => `n${i}`);
const queue: Command[] = [["RPUSH", K, ...short], ["PEXPIRE", K, "1000000"]];
const smallNodes: Command[] = [
  ["CONFIG", "SET", "list-max-listpack-size", "1"],
  ["RPUSH", K, ...short.slice(0, 1500)],
  ["PEXPIRE", K, "1000000"],
  ["CONFIG", "SET", "list-max-listpack-size", "-2"],
];
const largeElements: Command[] = [
  ["RPUSH", K, ...Array.from({ length: 120 }, (_, i) => `${i}${TOO_LONG}`)],
];
const plainNodes: Command[] = [
  ["CONFIG", "SET", "list-max-listpack-size", "1"],
  ["RPUSH", K, ...elements],
  ["CONFIG", "SET", "list-max-listpack-size", "-2"],
];
const text: Command[] = [["SET", K, long], ["PEXPIRE", K, "1000000"]];
const far = String(MEGABYTES << 20);
const farBit = String(MEGABYTES << 23);

/** So many entries that each has a node of its own. */
const ENTRIES = 10_000;
/** A stream as DUMP has it; made when the first server is there. */
let payload = new Uint8Array();
const stream: Command[] = [["RESTORE", K, "0", "payload"]];
const someIds = Array.from({ length: ENTRIES / 10 }, (_, i) => `${i * 3}`);

const REMOVAL: Case = {
  fill: list,
  change: ["LREM", K, "0", element(7)],
  look: ["LLEN", K],
};

const members = Array.from({ length: 6000 }, (_, i) => `member:${i}`);
const scored = members.flatMap((member, i) => [String(i % 100 / 8), member]);
const zset: Command[] = [
  ["ZADD", K, ...scored.slice(0, 3000)],
  ["PEXPIRE", K, "1000000"],
];

const CASES: readonly Case[] = [
  {
    fill: [["SADD", K, ...members]],
    change: ["SREM", K, ...members.slice(500), "none"],
    look: ["SCARD", K],
  },
  {
    fill: [["SADD", K, ...members.slice(3000)]],
    change: ["SREM", K, ...members.toReversed()],
    look: ["SCARD", K],
  },
  {
    fill: [["ZADD", K, ...scored]],
    change: ["ZREM", K, ...members.slice(500)],
    look: ["ZCARD", K],
  },
  REMOVAL,
  { fill: stream, change: ["XTRIM", K, "MAXLEN", "17"], look: ["XLEN", K] },
  {
    fill: stream,
    change: ["XTRIM", K, "MINID", "~", "9900", "LIMIT", "0"],
    look: ["XLEN", K],
  },
  {
    fill: stream,
    change: ["XADD", K, "MAXLEN", "~", "9", "LIMIT", "0", "30000-*", "f", "v"],
    look: ["XLEN", K],
  },
  {
    fill: stream,
    change: ["XADD", K, "MINID", "9900", "30000-1", "f", "v"],
    look: ["XLEN", K],
  },
  { fill: stream, change: ["XDEL", K, ...someIds], look: ["XLEN", K] },
  { fill: list, change: ["LREM", K, "-30", element(8)], look: ["LLEN", K] },
  { fill: list, change: ["LREM", K, "30", element(9)], look: ["LLEN", K] },
  { fill: list, change: ["LREM", K, "0", "none"], look: ["LLEN", K] },
  { fill: list, change: ["LREM", K, "1", "last"], look: ["LLEN", K] },
  { fill: withLong, change: ["LREM", K, "0", TOO_LONG], look: ["LLEN", K] },
  {
    fill: withLong,
    change: ["LREM", K, "-1", element(7)],
    look: ["LLEN", K],
    isShort: true,
  },
  { fill: plainNodes, change: ["LREM", K, "0", element(1)], look: ["LLEN", K] },
  {
    fill: list,
    change: ["LREM", K, "1", element(1)],
    look: ["LLEN", K],
    isShort: true,
  },
  {
    fill: [["RPUSH", K, ...Array(LARGE).fill(element(0))]],
    change: ["LREM", K, "0", element(0)],
    look: ["EXISTS", K],
  },
  {
    fill: list,
    change: ["LINSERT", K, "BEFORE", "last", "new"],
    look: ["LLEN", K],
  },
  {
    fill: list,
    change: ["LINSERT", K, "AFTER", "last", "x".repeat(20_000)],
    look: ["LLEN", K],
  },
  {
    fill: withLong,
    change: ["LINSERT", K, "BEFORE", TOO_LONG, "new"],
    look: ["LLEN", K],
  },
  {
    fill: list,
    change: ["LINSERT", K, "AFTER", "none", "new"],
    look: ["LLEN", K],
  },
  {
    fill: list,
    change: ["LINSERT", K, "AFTER", element(3), "new"],
    look: ["LLEN", K],
    isShort: true,
  },
  { fill: smallNodes, change: ["LTRIM", K, "600", "700"], look: ["LLEN", K] },
  { fill: queue, change: ["LPOP", K, "8500"], look: ["LLEN", K] },
  { fill: smallNodes, change: ["RPOP", K, "1499"], look: ["LLEN", K] },
  {
    fill: queue,
    change: ["LPOP", K, "9000"],
    look: ["EXISTS", K],
    isShort: true,
  },
  { fill: largeElements, change: ["LPOP", K, "110"], look: ["LLEN", K] },
  {
    fill: smallNodes,
    change: ["LMPOP", "2", "none", K, "RIGHT", "COUNT", "1100"],
    look: ["LLEN", K],
  },
  {
    fill: smallNodes,
    change: ["BLMPOP", "0", "2", "none", K, "LEFT", "COUNT", "1100"],
    look: ["LLEN", K],
  },
  { fill: zset, change: ["ZPOPMIN", K, "1100"], look: ["ZCARD", K] },
  { fill: zset, change: ["ZPOPMAX", K, "1499"], look: ["ZCARD", K] },
  {
    fill: zset,
    change: ["ZPOPMAX", K, "1501"],
    look: ["EXISTS", K],
    isShort: true,
  },
  {
    fill: zset,
    change: ["ZMPOP", "2", "none", K, "MIN", "COUNT", "1100"],
    look: ["ZCARD", K],
  },
  {
    fill: zset,
    change: ["BZMPOP", "0", "1", K, "MAX", "COUNT", "1100"],
    look: ["ZCARD", K],
  },
  { fill: [], change: ["SETRANGE", K, far, "end"], look: ["STRLEN", K] },
  {
    fill: [["SET", K, "begin", "PX", "1000000"]],
    change: ["SETRANGE", K, far, "end"],
    look: ["STRLEN", K],
  },
  {
    fill: text,
    change: ["SETRANGE", K, String(MEGABYTES * 2 << 20), "end"],
    look: ["STRLEN", K],
  },
  { fill: text, change: ["SETRANGE", K, "100", long], look: ["STRLEN", K] },
  { fill: text, change: ["APPEND", K, long], look: ["STRLEN", K] },
  {
    fill: [["SET", K, "12"]],
    change: ["APPEND", K, long],
    look: ["STRLEN", K],
  },
  {
    fill: [["SET", K, "begin"]],
    change: ["SETBIT", K, farBit, "1"],
    look: ["STRLEN", K],
  },
  { fill: [], change: ["SETBIT", K, farBit, "0"], look: ["STRLEN", K] },
  {
    fill: [["SET", K, "begin"]],
    change: [
      ...["BITFIELD", K, "GET", "u8", "0", "SET", "u8", farBit, "200"],
      ...["OVERFLOW", "FAIL", "INCRBY", "u8", farBit, "100"],
      ...["OVERFLOW", "SAT", "INCRBY", "i64", "#1", "-5"],
    ],
    look: ["STRLEN", K],
  },
];

/** All that can be seen of the key. */
async function picture(client: TestClient): Promise<Plain> {
  const replies = await client.pipeline([
    ["DEBUG", "DIGEST-VALUE", K],
    ["TYPE", K],
    ["EXISTS", K],
  ]);
  const exists = plain(replies[2]!) === 1;
  return [
    ...replies.map(plain),
    exists ? plain(await client.run("OBJECT", "ENCODING", K)) : null,
    Number(plain(await client.run("PTTL", K))) > 0,
  ];
}

async function refill(client: TestClient, fill: readonly Command[]) {
  await client.run("FLUSHALL");
  const replies = await client.pipeline(
    (await filled(client, fill)).map((argv) => [...argv]),
  );
  assert(replies.every(({ type }) => type !== "error"));
}

function nameOf(argv: Command): string {
  return argv.map((arg) => typeof arg === "string" ? arg.slice(0, 20) : "...")
    .join(" ");
}

suite(
  "replies, events and what is left are those in place",
  async (client, server) => {
    using other = await server.client();
    for (const { fill, change, look, isShort = false } of CASES) {
      const name = nameOf(change);
      await refill(client, fill);
      const before = plain(await client.run(...look));
      const slicedBefore = await statistic(client, "sherd_sliced_commands");
      const seen = new Set<Plain>();
      let reply: Plain = null;
      const events = await heard(server, client, async () => {
        let isOver = false;
        const watching = (async () => {
          while (!isOver) seen.add(plain(await other.run(...look)));
        })();
        const replies = await client.pipeline([change, look, ["PING"]]);
        isOver = true;
        await watching;
        reply = plain(replies[0]!);
        seen.add(plain(replies[1]!));
        assertEquals(plain(replies[2]!), "PONG");
      });
      const sliced = await statistic(client, "sherd_sliced_commands");
      assertEquals(sliced - slicedBefore, isShort ? 0 : 1, name);
      const after = plain(await client.run(...look));
      assert([...seen].every((one) => one === before || one === after), name);
      const left = await picture(client);
      await refill(client, fill);
      const inPlace = await heard(server, client, async () => {
        const replies = await client.pipeline([["MULTI"], change, ["EXEC"]]);
        assertEquals((plain(replies[2]!) as Plain[])[0], reply, name);
      });
      assertEquals(events, inPlace, name);
      assertEquals(left, await picture(client), name);
    }
  },
);

suite("nothing is left in memory", async (client) => {
  /** Of the heaps and of runs, in the arena. */
  const used = async () => {
    await client.run("FLUSHALL");
    const info = String(plain(await client.run("INFO", "memory")));
    return Number(/used_memory:(\d+)/.exec(info)![1]);
  };
  for (const { fill, change } of CASES) {
    await refill(client, fill);
    await client.run(...change);
  }
  const before = await used();
  for (const { fill, change } of CASES) {
    await refill(client, fill);
    await client.run(...change);
  }
  const endMs = performance.now() + 20_000;
  while (await used() > before + (MEGABYTES << 19)) {
    assert(performance.now() < endMs, "memory is given back");
  }
});

/** A command on another key. */
function on(key: string, argv: Command): (string | Uint8Array)[] {
  return argv.map((arg) => arg === K ? key : arg);
}

suite(
  "what was changed in slices comes back from the log",
  async (client, server) => {
    using writer = await server.client();
    const keys = CASES.map((_, i) => `${K}${i}`);
    const digest = async () =>
      plain(await client.run("DEBUG", "DIGEST-VALUE", ...keys));
    const load = async () => {
      assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
    };
    for (const [i, { fill }] of CASES.entries()) {
      const filling = await filled(client, fill);
      await client.pipeline(filling.map((argv) => on(`${K}${i}`, argv)));
    }
    const changes = CASES.map(({ change }, i) => on(`${K}${i}`, change));
    for (const [i, change] of changes.entries()) {
      await writer.sendCommands([change]);
      // Loading completes what is under way, and refuses what comes then.
      if (i % 20 === 0) await load();
      const reply = plain(await writer.readReply());
      if (!(reply instanceof ReplyError)) continue;
      assert(reply.message.startsWith("LOADING"), nameOf(change));
      await writer.run(...change);
    }
    const before = await digest();
    await load();
    assertEquals(await digest(), before);
  },
);

suite(
  "a client that vanishes leaves the change whole",
  async (client, server) => {
    const some = new Map(CASES.map((each) => [each.change[0], each]));
    for (const { fill, change, look } of some.values()) {
      await refill(client, fill);
      await client.run(...change);
      const after = await picture(client);
      await refill(client, fill);
      const before = plain(await client.run(...look));
      let id: Plain;
      {
        using leaver = await server.client();
        id = plain(await leaver.run("CLIENT", "ID"));
        await leaver.sendCommands([change]);
        // Some of it has begun, or will be read from the socket later.
        await client.run("PING");
      }
      while (
        String(plain(await client.run("CLIENT", "LIST", "ID", String(id))))
      );
      await settled(client);
      const left = plain(await client.run(...look));
      if (left !== before) assertEquals(await picture(client), after);
    }
  },
);

suite("what is changed in slices is counted once", async (client) => {
  await refill(client, REMOVAL.fill);
  await client.run("CONFIG", "RESETSTAT");
  await client.run(...REMOVAL.change);
  const info = String(plain(await client.run("INFO", "commandstats")));
  assert(info.includes("cmdstat_lrem:calls=1,"), info);
});

suite("LOCKS KILL completes what is under way", async (client, server) => {
  using writer = await server.client();
  const { fill, change } = REMOVAL;
  await refill(client, fill);
  await client.run(...change);
  const after = await picture(client);
  for (let round = 0; round < 5; round++) {
    await refill(client, fill);
    await writer.sendCommands([change]);
    const locks = plain(await client.run("LOCKS", "LIST")) as Plain[];
    for (const lock of locks.map(idOf)) {
      if (lock !== null) await client.run("LOCKS", "KILL", lock);
    }
    const reply = plain(await writer.readReply());
    assertEquals(reply, ALIKE);
    assertEquals(await picture(client), after);
  }
});

/** The id of a lock as LOCKS LIST has it. */
function idOf(lock: Plain): string | null {
  if (lock instanceof Map) return String(lock.get("id"));
  const fields = lock as Plain[];
  const at = fields.indexOf("id");
  return at < 0 ? null : String(fields[at + 1]);
}

suite(
  "SPOP pops each member once, and says so to the log",
  async (client, server) => {
    using other = await server.client();
    const all = Array.from({ length: 5000 }, (_, i) => `member:${i}`);
    for (const count of [600, 2000, 4500, 4950]) {
      await client.run("FLUSHALL");
      await client.run("SADD", K, ...all);
      const slicedBefore = await statistic(client, "sherd_sliced_commands");
      const seen = new Set<Plain>();
      let isOver = false;
      const watching = (async () => {
        while (!isOver) seen.add(plain(await other.run("SCARD", K)));
      })();
      let popped: string[] = [];
      const events = await heard(server, client, async () => {
        const replies = await client.pipeline([
          ["SPOP", K, String(count)],
          ["SCARD", K],
        ]);
        popped = [...plain(replies[0]!) as Iterable<string>];
        seen.add(plain(replies[1]!));
      });
      isOver = true;
      await watching;
      const sliced = await statistic(client, "sherd_sliced_commands");
      assertEquals(sliced - slicedBefore, 1);
      assert([...seen].every((n) => n === 5000 || n === 5000 - count));
      assertEquals(events, [`__keyspace@0__:${K} spop`]);
      assertEquals(popped.length, count);
      const left = plain(await client.run("SMEMBERS", K)) as Iterable<string>;
      assertEquals([...popped, ...left].sort(), all.toSorted());
      assertEquals(
        plain(await client.run("OBJECT", "ENCODING", K)),
        count === 4950 ? "listpack" : "hashtable",
      );
    }
    // A set that loses its members one by one keeps its encoding.
    const digest = ["DEBUG", "DIGEST-VALUE", K];
    const before = plain(await client.run(...digest));
    assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
    assertEquals(plain(await client.run(...digest)), before);
  },
);

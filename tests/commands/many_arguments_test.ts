/**
 * Commands with very many arguments, in slices: who asks meanwhile sees the key
 * as it was or as it will be, and the keys beside it at once; what is left is what
 * the same arguments leave in several commands. What they answer is compared with
 * redis-server's in ../differential/many_arguments_test.ts.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { pause, until } from "../_patience.ts";
import {
  type Plain,
  plain,
  ReplyError,
  type TestClient,
} from "../_resp_client.ts";
import { heard } from "./_heard.ts";
import { slicesSuite, statistic } from "./_slices.ts";

/** In the same shard as {@linkcode BESIDE}. */
const K = "{a}key";
const BESIDE = "{a}beside";
/** Most arguments of a command that are gone through at once. */
const AT_ONCE = 1200;
/** Arguments that take several turns. */
const LONG = 20_000;
/** Arguments that are asked about. */
const READ = 8 * AT_ONCE;
/** Fields of which two thirds are too many to be gone through at once. */
const FIELDS = 3200;

const { suite } = slicesSuite({ events: "KEAn" });

const locks = (client: TestClient) => statistic(client, "sherd_lock_handles");
const sliced = (client: TestClient) =>
  statistic(client, "sherd_sliced_commands");

/** A command that goes through its arguments. */
interface Case {
  /** All before the arguments that it goes through; the key is one of them. */
  readonly head: readonly string[];
  /** How many make an element. */
  readonly width: number;
  /** Argument `j` of element `i`. */
  readonly argument: (i: number, j: number) => string;
  /** What the key has before. */
  readonly fill?: readonly (readonly string[])[];
  /** The encoding of what is left. */
  readonly encoding: string;
  /** As many arguments as are gone through at once, if not {@linkcode AT_ONCE}. */
  readonly atOnce?: number;
  /** What tells before from after. */
  readonly look: readonly string[];
}

const member = (i: number) => `member:${i}`;
const scored = (i: number, j: number) => j === 0 ? String(i % 9) : member(i);
const fields = (i: number, j: number) => j === 0 ? `f${i}` : `v${i}`;
const odd = (i: number) => i % 2 === 1 ? "odd text of a few words" : String(i);

const CASES: readonly Case[] = [
  {
    ...{ head: ["SADD", K], width: 1, argument: member },
    ...{ encoding: "hashtable", look: ["SCARD", K] },
  },
  {
    ...{ head: ["SADD", K], width: 1, argument: (i) => String(i) },
    // An intset, which becomes a table.
    fill: [["SADD", K, "1", "2", "70000"]],
    ...{ encoding: "hashtable", look: ["SCARD", K] },
  },
  {
    ...{ head: ["SADD", K], width: 1, argument: member },
    // A listpack, which becomes a table.
    fill: [["SADD", K, "1", "2", "text"]],
    ...{ encoding: "hashtable", look: ["SCARD", K] },
  },
  {
    ...{ head: ["SREM", K], width: 1, argument: member },
    fill: [["SADD", K, ...Array.from({ length: 900 }, (_, i) => member(i))]],
    ...{ encoding: "none", look: ["SCARD", K] },
  },
  {
    ...{ head: ["HSET", K], width: 2, argument: fields },
    // A table: while fields are packed, fewer are set at once.
    fill: [["HSET", K, "f1", "x".repeat(100)]],
    ...{ encoding: "hashtable", look: ["HLEN", K] },
  },
  {
    ...{ head: ["HMSET", K], width: 2, argument: fields },
    fill: [["HSET", K, "f1", "old", "g", "v"]],
    ...{ encoding: "hashtable", look: ["HGET", K, "f1"] },
  },
  {
    ...{ head: ["HDEL", K], width: 1, argument: (i) => `f${i}` },
    fill: [["HSET", K, "f1", "old", "g", "v"]],
    ...{ encoding: "listpack", look: ["HLEN", K] },
  },
  {
    ...{ head: ["ZADD", K], width: 2, argument: scored },
    ...{ encoding: "skiplist", look: ["ZCARD", K] },
  },
  {
    ...{ head: ["ZADD", K, "CH"], width: 2, argument: scored },
    fill: [["ZADD", K, "-1", member(3), "5", "other"]],
    ...{ encoding: "skiplist", look: ["ZSCORE", K, member(3)] },
  },
  {
    head: ["GEOADD", K, "CH"],
    width: 3,
    argument: (i, j) => j === 2 ? member(i) : String(i % 85),
    ...{ encoding: "skiplist", look: ["ZCARD", K] },
  },
  {
    ...{ head: ["RPUSH", K], width: 1, argument: odd },
    ...{ encoding: "quicklist", look: ["LLEN", K] },
  },
  {
    ...{ head: ["RPUSHX", K], width: 1, argument: () => "1" },
    fill: [["RPUSH", K, "a", "b"]],
    ...{ encoding: "listpack", look: ["LLEN", K] },
  },
  {
    ...{ head: ["LPUSHX", K], width: 1, argument: member },
    fill: [["RPUSH", K, "a", "b"]],
    ...{ encoding: "quicklist", look: ["LINDEX", K, "0"] },
  },
  {
    ...{ head: ["PFADD", K], width: 1, argument: member, atOnce: AT_ONCE / 6 },
    ...{ encoding: "raw", look: ["EXISTS", K] },
  },
];

/** One for each command. */
const ONE_OF_EACH = [
  ...new Map(CASES.map((each) => [each.head[0], each])).values(),
];

/** The arguments of `count` elements, from one on. */
function elements(
  { width, argument }: Case,
  count: number,
  from = 0,
): string[] {
  return Array.from(
    { length: count * width },
    (_, i) => argument(from + Math.floor(i / width), i % width),
  );
}

/** The command with at least so many arguments. */
function command(each: Case, count: number): string[] {
  const { head, width } = each;
  return [
    ...head,
    ...elements(each, Math.ceil((count - head.length) / width)),
  ];
}

/** All that can be seen of the key, in an order of its own. */
async function picture(client: TestClient): Promise<Plain> {
  const replies = await client.pipeline([
    ["DEBUG", "DIGEST-VALUE", K],
    ["OBJECT", "ENCODING", K],
  ]);
  const [digest, encoding] = replies.map(plain);
  return [
    digest!,
    encoding instanceof ReplyError ? "none" : encoding ?? "none",
  ];
}

async function refill(client: TestClient, { fill = [] }: Case): Promise<void> {
  await client.run("DEL", K);
  for (const argv of fill) await client.run(...argv);
}

function nameOf({ head }: Case): string {
  return head.join(" ");
}

suite(
  "they do what the same arguments do in several commands",
  async (client, server) => {
    for (const each of CASES) {
      const { atOnce = AT_ONCE } = each;
      for (const count of [atOnce, atOnce + 1]) {
        const argv = command(each, count);
        await refill(client, each);
        const before = await sliced(client);
        let reply: Plain = null;
        const events = await heard(server, client, async () => {
          reply = plain(await client.run(...argv));
        });
        const name = `${nameOf(each)} ${argv.length}`;
        assertEquals(
          await sliced(client) - before,
          argv.length > atOnce ? 1 : 0,
          name,
        );
        const left = await picture(client);
        assertEquals((left as Plain[])[1], each.encoding, name);
        // The events are those of one command.
        const most = each.fill === undefined ? 2 : 1;
        assert(
          events.length <= most + (each.encoding === "none" ? 1 : 0),
          name,
        );

        await refill(client, each);
        const { head, width } = each;
        const step = 300 * width;
        let sum = 0;
        let last: Plain = null;
        for (let at = head.length; at < argv.length; at += step) {
          last = plain(
            await client.run(...head, ...argv.slice(at, at + step)),
          );
          sum += Number(last);
        }
        const isLast = /PUSH|PFADD|HMSET/.test(head[0]!);
        if (head[0] !== "PFADD") assertEquals(reply, isLast ? last : sum, name);
        const [digest] = await picture(client) as Plain[];
        assertEquals((left as Plain[])[0], digest, name);
      }
    }
  },
);

suite("others are served between slices", async (client, server) => {
  using writer = await server.client();
  using looker = await server.client();
  await client.run("SET", BESIDE, "here");
  for (const each of ONE_OF_EACH) {
    const argv = command(each, LONG);
    await until(`${nameOf(each)}: a GET came in between`, async () => {
      await refill(client, each);
      const before = plain(await client.run(...each.look));
      const reply = writer.pipeline([argv, each.look]);
      const looked = looker.run(...each.look);
      let isOver = false;
      reply.finally(() => isOver = true);
      let wasBetween = false;
      while (!isOver) {
        const [stats, got] = await client.pipeline([
          ["INFO", "stats"],
          ["GET", BESIDE],
          ["INFO", "stats"],
        ]).then((three) => [[three[0]!, three[2]!], three[1]!] as const);
        assertEquals(plain(got), "here");
        const held = stats.map((info) =>
          String(plain(info)).includes("sherd_lock_handles:1\r")
        );
        if (held[0] && held[1]) wasBetween = true;
      }
      const after = plain((await reply)[1]!);
      assert(before !== after, nameOf(each));
      const seen = plain(await looked);
      assert(seen === before || seen === after, nameOf(each));
      return wasBetween;
    });
  }
});

suite(
  "a client that vanishes leaves all or nothing",
  async (client, server) => {
    for (const each of ONE_OF_EACH) {
      const argv = command(each, 3 * AT_ONCE);
      await refill(client, each);
      await client.run(...argv);
      const after = await picture(client);
      await refill(client, each);
      const before = await picture(client);
      let id: Plain;
      {
        using leaver = await server.client();
        id = plain(await leaver.run("CLIENT", "ID"));
        await leaver.sendCommands([argv]);
        // Some of it has begun, or will be read from the socket later.
        await client.run("PING");
      }
      await until("the client is gone", async () => {
        const list = await client.run("CLIENT", "LIST", "ID", String(id));
        return String(plain(list)) === "";
      });
      await until("no lock is left", async () => await locks(client) === 0);
      const left = await picture(client);
      const [digest] = left as Plain[];
      if (digest !== (before as Plain[])[0]) assertEquals(left, after);
    }
  },
);

suite("the log brings back what was done in slices", async (client) => {
  const keys = CASES.map((_, i) => `key${i}`);
  const on = (i: number, argv: readonly string[]) =>
    argv.map((arg) => arg === K ? keys[i]! : arg);
  for (const [i, each] of CASES.entries()) {
    for (const argv of each.fill ?? []) await client.run(...on(i, argv));
    await client.run(...on(i, command(each, 3 * AT_ONCE)));
  }
  const digest = ["DEBUG", "DIGEST-VALUE", ...keys];
  const before = plain(await client.run(...digest));
  assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
  assertEquals(plain(await client.run(...digest)), before);
});

suite("a transaction, and big arguments, leave the same", async (client) => {
  const big = "b".repeat(100_000);
  for (const each of CASES) {
    if (each.head[0] === "GEOADD" || each.head[0] === "ZADD") continue;
    const argv = [...command(each, AT_ONCE + 1), big];
    if (each.width === 2) argv.push(big);
    await refill(client, each);
    const reply = plain(await client.run(...argv));
    const left = await picture(client);
    await refill(client, each);
    const replies = await client.pipeline([["MULTI"], argv, ["EXEC"]]);
    assertEquals((plain(replies[2]!) as Plain[])[0], reply, nameOf(each));
    assertEquals(await picture(client), left, nameOf(each));
  }
});

suite("few arguments of many bytes are added in slices", async (client) => {
  const big = Array.from({ length: 40 }, (_, i) => `${i % 10}`.repeat(40_000));
  const before = await sliced(client);
  assertEquals(plain(await client.run("RPUSH", K, ...big)), 40);
  assertEquals(await sliced(client) - before, 1);
  assertEquals(plain(await client.run("LRANGE", K, "0", "-1")), big);
});

suite("a packed hash of many fields is made in slices", async (client) => {
  for (const [count, slices] of [[200, 0], [500, 1]]) {
    const values = Array.from({ length: count! }, (_, i) => `v${i % 7}`);
    const pairs = values.flatMap((value, i) => [member(i), value]);
    const before = await sliced(client);
    await client.run("DEL", K);
    // The first field is set twice.
    const added = await client.run("HSET", K, ...pairs, member(0), "x");
    assertEquals(plain(added), count);
    assertEquals(await sliced(client) - before, slices);
    assertEquals(plain(await client.run("OBJECT", "ENCODING", K)), "listpack");
    values[0] = "x";
    assertEquals(plain(await client.run("HVALS", K)), values);
  }
});

suite("a new table of as many fields is made at once", async (client) => {
  const long = "x".repeat(100);
  const pairs = Array.from({ length: 500 }, (_, i) => [member(i), long]);
  const before = await sliced(client);
  assertEquals(plain(await client.run("HSET", K, ...pairs.flat())), 500);
  assertEquals(await sliced(client) - before, 0);
  assertEquals(plain(await client.run("OBJECT", "ENCODING", K)), "hashtable");
});

suite("what is wrong is said before anything is done", async (client) => {
  const zadd = command(
    CASES.find(({ head }) => head[0] === "ZADD")!,
    3 * AT_ONCE,
  );
  const hset = command(
    CASES.find(({ head }) => head[0] === "HSET")!,
    3 * AT_ONCE,
  );
  const errors = () => statistic(client, "total_error_replies");
  const wrongs: readonly (readonly [string, string[]])[] = [
    ["ERR value is not a valid float", [...zadd, "x", "m"]],
    ["ERR wrong number of arguments for 'hset' command", [...hset, "x"]],
  ];
  for (const [message, argv] of wrongs) {
    const before = await errors();
    const reply = plain(await client.run(...argv));
    assert(reply instanceof ReplyError);
    assertEquals(reply.message, message);
    assertEquals(await errors() - before, 1);
    assertEquals(plain(await client.run("EXISTS", K)), 0);
  }
  await client.run("SET", K, "text");
  const before = await errors();
  for (const { head, width } of [...CASES, { head: ["ZREM", K], width: 1 }]) {
    const each = { ...CASES[0]!, head, width, argument: () => "1" };
    const reply = plain(await client.run(...command(each, 3 * AT_ONCE)));
    assert(reply instanceof ReplyError, nameOf(each));
    assert(reply.message.startsWith("WRONGTYPE"), nameOf(each));
  }
  assertEquals(await errors() - before, CASES.length + 1);
  assertEquals(plain(await client.run("GET", K)), "text");
});

suite("what is read in slices is of one instant", async (client, server) => {
  using writer = await server.client();
  const names = Array.from({ length: READ }, (_, i) => member(i));
  const kept = names.slice(0, 3000);
  const fills: readonly (readonly [string, string[], string])[] = [
    ["HMGET", ["HSET", K, ...kept.flatMap((name) => [name, "v"])], "HDEL"],
    [
      "HPEXPIRETIME",
      ["HSET", K, ...kept.flatMap((name) => [name, "v"])],
      "HDEL",
    ],
    ["SMISMEMBER", ["SADD", K, ...kept], "SREM"],
    ["ZMSCORE", ["ZADD", K, ...kept.flatMap((name) => ["1", name])], "ZREM"],
    [
      "GEOPOS",
      ["GEOADD", K, ...kept.flatMap((name) => ["1", "2", name])],
      "ZREM",
    ],
  ];
  for (const [read, fill, remove] of fills) {
    await client.run("DEL", K);
    await client.run(...fill);
    const head = read === "HPEXPIRETIME" ? ["FIELDS", `${READ}`] : [];
    const argv = [read, K, ...head, ...names];
    const inPlace = await client.pipeline([["MULTI"], argv, ["EXEC"]]);
    const [expected] = plain(inPlace[2]!) as Plain[];
    const before = await sliced(client);
    for (const change of [["FLUSHALL"], [remove, K, names[2999]!]]) {
      await client.run("DEL", K);
      await client.run(...fill);
      const reading = client.pipeline([argv, ["PING"]]);
      await writer.run(...change);
      const [reply, pong] = await reading;
      const left = plain(reply!) as Plain[];
      assertEquals(plain(pong!), "PONG");
      // Before the change or after it, whichever came first.
      const none = change.length === 1 ? 0 : 2999;
      const changed = (expected as Plain[]).map((each, i) =>
        i >= none && i < 3000 ? (expected as Plain[])[READ - 1]! : each
      );
      assertEquals(left, left[none] === changed[none] ? changed : expected);
    }
    assert(await sliced(client) - before >= 2, read);
  }
});

suite("fields that have expired are gone", async (client) => {
  await client.run("DEBUG", "SET-ACTIVE-EXPIRE", "0");
  const each = CASES.find(({ head }) => head[0] === "HSET")!;
  const hset = command(each, 8 * AT_ONCE);
  const expiring = Array.from({ length: 2000 }, (_, i) => `f${i}`);
  const expire = ["HPEXPIRE", K, "1", "FIELDS", "2000", ...expiring];
  const made = (hset.length - 2) / 2;
  await client.run(...hset);
  await client.run(...expire);
  await pause(5);
  assertEquals(plain(await client.run(...hset)), 2000);
  assertEquals(plain(await client.run("HLEN", K)), made);
  await client.run(...expire);
  await pause(5);
  const names = Array.from({ length: made }, (_, i) => `f${i}`);
  assertEquals(plain(await client.run("HDEL", K, ...names)), made - 2000);
  assertEquals(plain(await client.run("EXISTS", K)), 0);
  await client.run("DEBUG", "SET-ACTIVE-EXPIRE", "1");
});

suite(
  "who waits or watches is told when all is done",
  async (client, server) => {
    using waiter = await server.client();
    using watcher = await server.client();
    await waiter.sendCommands([["BLPOP", K, "0"]]);
    await until("a client waits", async () => {
      const info = String(plain(await client.run("INFO", "clients")));
      return info.includes("blocked_clients:1\r");
    });
    await watcher.pipeline([["WATCH", K], ["MULTI"], ["PING"]]);
    const argv = [
      "LPUSH",
      K,
      ...Array.from({ length: LONG }, (_, i) => `${i}`),
    ];
    assertEquals(plain(await client.run(...argv)), LONG);
    assertEquals(plain(await waiter.readReply()), [K, `${LONG - 1}`]);
    assertEquals(plain(await client.run("LLEN", K)), LONG - 1);
    assertEquals(plain(await watcher.run("EXEC")), null);
  },
);

suite("many fields expire as few do", async (client) => {
  const fields = Array.from({ length: FIELDS }, (_, i) => `f${i}`);
  const some = fields.filter((_, i) => i % 3 !== 0);
  const far = "4102444800000";
  const commands: readonly (readonly string[])[] = [
    ["HPEXPIREAT", K, far],
    ["HPEXPIREAT", K, "4102444800001", "NX"],
    ["HPEXPIREAT", K, "4102444800002", "GT"],
    ["HPERSIST", K],
    ["HEXPIRE", K, "100000", "LT"],
    ["HEXPIREAT", K, "1", "XX"],
    ["HPEXPIREAT", K, "1"],
  ];
  const digest = ["DEBUG", "DIGEST-VALUE", K];
  /** Runs a command on the fields, so many at a time; returns all codes. */
  const run = async (head: readonly string[], step: number) => {
    const codes: Plain[] = [];
    const asked = head[0] === "HPERSIST" ? fields : some;
    for (let at = 0; at < asked.length; at += step) {
      const part = asked.slice(at, at + step);
      const argv = [...head, "FIELDS", `${part.length}`, ...part];
      codes.push(...plain(await client.run(...argv)) as Plain[]);
    }
    return codes;
  };
  const outcomes: Plain[][] = [];
  for (const step of [FIELDS, 250]) {
    await client.run("DEL", K);
    const there = fields.filter((_, i) => i % 2 === 0);
    await client.run("HSET", K, "g", "v", ...there.flatMap((f) => [f, "v"]));
    const before = await sliced(client);
    const seen: Plain[] = [];
    for (const head of commands) {
      seen.push(await run(head, step));
      // What expires soon differs from one run to the other.
      if (head[0] === "HEXPIRE") continue;
      seen.push(plain(await client.run(...digest)));
      const times = ["HPEXPIRETIME", K, "FIELDS", `${fields.length}`];
      seen.push(plain(await client.run(...times, ...fields)));
      seen.push(plain(await client.run("HLEN", K)));
    }
    const ran = await sliced(client) - before;
    // The times are asked for in slices in any case.
    assertEquals(
      ran,
      commands.length - 1 + (step === 250 ? 0 : commands.length),
    );
    outcomes.push(seen);
    const left = plain(await client.run(...digest));
    assertEquals(plain(await client.run("DEBUG", "LOADAOF")), "OK");
    assertEquals(plain(await client.run(...digest)), left);
  }
  assertEquals(outcomes[0], outcomes[1]);
});

suite("fields of no hash are answered in slices", async (client) => {
  const before = await sliced(client);
  const named = [
    "FIELDS",
    String(LONG),
    ...Array.from({ length: LONG }, member),
  ];
  const answers: readonly [string, ...Plain[]][] = [
    ["HGETDEL none", null],
    ["HGETEX none", null],
    ["HGETEX none PERSIST", null],
    ["HGETEX none PX 1000", null],
    ["HPEXPIRE none 1000", -2],
    ["HPEXPIRE none 1000 GT", -2],
    ["HPERSIST none", -2],
    ["HPTTL none", -2],
  ];
  for (const [head, answer] of answers) {
    const reply = await client.run(...head.split(" ") as [string], ...named);
    assertEquals(plain(reply), new Array<Plain>(LONG).fill(answer!));
  }
  assertEquals(await sliced(client), before + answers.length);
  assertEquals(plain(await client.run("EXISTS", "none")), 0);
});

/**
 * Commands of sorted sets.
 *
 * Size: one table after the other, of all the commands of one type.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import { type Plain, type TestClient, toBinary } from "../_resp_client.ts";
import { ask, type Exchange, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const WRONGTYPE =
  "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_AN_INTEGER = "-ERR value is not an integer or out of range";
const NOT_A_FLOAT = "-ERR value is not a valid float";
const NOT_POSITIVE = "-ERR value is out of range, must be positive";
const NOT_A_RANGE = "-ERR min or max is not a float";
const NOT_A_LEX_RANGE = "-ERR min or max not valid string range item";
const SYNTAX = "-ERR syntax error";
const NAN = "-ERR resulting score is not a number (NaN)";
const INT64_MAX = "9223372036854775807";
const INT64_MIN = "-9223372036854775808";

/** Keys on different shards. */
const [T, U, V] = tagsOnDistinctSlots(3).map((tag) => `{${tag}}`);

/** The usual limits, which some tests change. */
const LIMITS =
  "CONFIG SET zset-max-listpack-entries 128 zset-max-listpack-value 64";

/** Sets are packed up to so many members: once all of them, once none. */
const ENCODINGS = { listpack: 128, skiplist: 0 };

/** Runs a body with packed and with large sets. */
async function eachEncoding(
  client: TestClient,
  body: (encoding: string) => Promise<void>,
): Promise<void> {
  try {
    for (const [encoding, entries] of Object.entries(ENCODINGS)) {
      await ask(client, `CONFIG SET zset-max-listpack-entries ${entries}`);
      await ask(client, "FLUSHALL");
      await body(encoding);
    }
  } finally {
    await ask(client, LIMITS);
  }
}

/** A score as a reply. */
function score(resp: 2 | 3, x: number): Plain {
  return resp === 3 ? x : String(x);
}

/** Members and scores, written one after the other, as a reply. */
function scored(resp: 2 | 3, text: string): Plain {
  const words = text === "" ? [] : text.split(" ");
  if (resp === 2) return words;
  const pairs: Plain[] = [];
  for (let i = 0; i < words.length; i += 2) {
    pairs.push([words[i]!, Number(words[i + 1])]);
  }
  return pairs;
}

/** The bytes of a reply. */
async function raw(client: TestClient, command: string): Promise<string> {
  return toBinary(await client.runRaw(...command.split(" ")));
}

/** Adds `count` members with scores from 0 on. */
async function fill(
  client: TestClient,
  key: string,
  count: number,
): Promise<void> {
  for (let at = 0; at < count; at += 5000) {
    const argv = ["ZADD", key];
    for (let i = at; i < Math.min(count, at + 5000); i++) {
      argv.push(String(i), `m${i}`);
    }
    await ask(client, argv);
  }
}

commandSuite("ZADD, ZREM and what asks about members", async (context) => {
  const { client, resp } = context;
  const x = (n: number) => score(resp, n);
  await eachEncoding(client, async (encoding) => {
    await expectReplies(client, [
      ["ZCARD z", 0],
      ["ZSCORE z a", null],
      ["ZMSCORE z a b", [null, null]],
      ["ZREM z a", 0],
      ["ZADD z 1 a 2 b 1 c", 3],
      ["OBJECT ENCODING z", encoding],
      ["TYPE z", "zset"],
      ["ZADD z 1 a 3 b 4 d", 1],
      ["ZCARD z", 4],
      ["ZSCORE z b", x(3)],
      ["ZSCORE z B", null],
      ["ZMSCORE z a x d", [x(1), null, x(4)]],
      ["ZRANGE z 0 -1", ["a", "c", "b", "d"]],
      ["ZREM z a x a b", 2],
      ["ZREM z c d e", 2],
      ["EXISTS z", 0],
      [["ZADD", "z", "1", "", "1", "\0\r\n\xff"], 2],
      [["ZMSCORE", "z", "", "\0\r\n\xff", "\0"], [x(1), x(1), null]],
    ]);
  });
});

commandSuite("ZADD has options", async ({ client, resp }) => {
  const x = (n: number) => score(resp, n);
  await eachEncoding(client, async () => {
    await expectReplies(client, [
      ["ZADD z XX 1 a", 0],
      ["EXISTS z", 0],
      ["ZADD z XX INCR 1 a", null],
      ["ZADD z NX 1 a 2 b", 2],
      ["ZADD z NX 5 a 3 c", 1],
      ["ZADD z xx CH 5 a 3 c 7 d", 1],
      ["ZMSCORE z a b c d", [x(5), x(2), x(3), null]],
      ["ZADD z GT 4 a 4 b", 0],
      ["ZADD z gt ch 4 a 5 b 1 e", 2],
      ["ZADD z LT CH 4 a 6 b 0.5 e", 2],
      ["ZMSCORE z a b e", [x(4), x(5), x(0.5)]],
      ["ZADD z XX GT CH 9 a 9 none", 1],
      ["ZADD z CH 9 a", 0],
      ["ZADD z INCR 1.5 a", x(10.5)],
      ["ZADD z NX INCR 1 a", null],
      ["ZADD z XX INCR 1 none", null],
      ["ZADD z GT INCR -1 a", null],
      ["ZADD z LT INCR -1 a", x(9.5)],
      ["ZADD z NX INCR 1 new", x(1)],
      ["ZADD z NX NX CH CH 1 newer", 1],
    ]);
  });
});

commandSuite("ZADD and ZINCRBY check their arguments", async ({ client }) => {
  const GT_LT_NX =
    "-ERR GT, LT, and/or NX options at the same time are not compatible";
  await ask(client, "SET s x");
  await expectReplies(client, [
    ["ZADD z 1", "-ERR wrong number of arguments for 'zadd' command"],
    ["ZADD z 1 a 2", SYNTAX],
    ["ZADD z NX XX", SYNTAX],
    ["ZADD z 1 a NX", SYNTAX],
    ["ZADD z FOO 1 a", SYNTAX],
    ["ZADD z FOO a", NOT_A_FLOAT],
    [
      "ZADD z NX XX 1 a",
      "-ERR XX and NX options at the same time are not compatible",
    ],
    ["ZADD z NX GT 1 a", GT_LT_NX],
    ["ZADD z GT LT 1 a", GT_LT_NX],
    [
      "ZADD z INCR 1 a 2 b",
      "-ERR INCR option supports a single increment-element pair",
    ],
    ["ZADD z 1 a x b", NOT_A_FLOAT],
    ["ZADD z nan a", NOT_A_FLOAT],
    ["ZADD z 1e400 a", NOT_A_FLOAT],
    [["ZADD", "z", " 1", "a"], NOT_A_FLOAT],
    [["ZADD", "z", "", "a"], NOT_A_FLOAT],
    ["ZADD s x a", NOT_A_FLOAT],
    ["ZADD s 1 a", WRONGTYPE],
    ["EXISTS z", 0],
    ["ZINCRBY z x a", NOT_A_FLOAT],
    ["ZINCRBY z NX a", SYNTAX],
    ["ZINCRBY z CH INCR", SYNTAX],
    ["ZINCRBY s 1 a", WRONGTYPE],
    ["ZADD z inf a", 1],
    ["ZINCRBY z -inf a", NAN],
    ["ZADD z INCR -inf a", NAN],
    ["ZREM s a", WRONGTYPE],
    ["ZCARD s", WRONGTYPE],
    ["ZSCORE s a", WRONGTYPE],
    ["ZMSCORE s a", WRONGTYPE],
  ]);
});

commandSuite("ZINCRBY adds", async ({ client, resp }) => {
  const x = (n: number) => score(resp, n);
  await eachEncoding(client, async () => {
    await expectReplies(client, [
      ["ZINCRBY z 1.5 a", x(1.5)],
      ["ZINCRBY z -0.25 a", x(1.25)],
      ["ZINCRBY z 0 a", x(1.25)],
      ["ZADD z 1 b 2 c", 2],
      ["ZINCRBY z 5 b", x(6)],
      ["ZRANGE z 0 -1", ["a", "c", "b"]],
      ["ZINCRBY z 1.7e308 c", x(1.7e308)],
      ["ZINCRBY z 1.7e308 c", resp === 3 ? Infinity : "inf"],
      ["ZSCORE z c", resp === 3 ? Infinity : "inf"],
    ]);
  });
});

commandSuite("scores have their shortest text", async ({ client, resp }) => {
  const rows: [given: string, text: string][] = [
    ["3", "3"],
    ["-3.0", "-3"],
    ["0x10", "16"],
    ["1e3", "1000"],
    ["0.1", "0.1"],
    ["0.30000000000000004", "0.30000000000000004"],
    ["3.141592653589793238", "3.141592653589793"],
    ["1e17", "100000000000000000"],
    ["4611686018427387904", "4611686018427387904"],
    ["1e21", "1e+21"],
    ["1e-7", "1e-7"],
    ["5e-324", "5e-324"],
    ["1.7976931348623157e308", "1.7976931348623157e+308"],
    ["+inf", "inf"],
    ["-Infinity", "-inf"],
  ];
  await eachEncoding(client, async (encoding) => {
    for (const [given, text] of rows) {
      await ask(client, `ZADD z ${given} a`);
      const reply = resp === 3
        ? `,${text}\r\n`
        : `$${text.length}\r\n${text}\r\n`;
      assertEquals(await raw(client, "ZSCORE z a"), reply, given);
    }
    // A packed zero has no sign, as in Redis.
    await ask(client, "DEL z");
    await ask(client, "ZADD z -0 a");
    const zero = encoding === "listpack" ? "0" : "-0";
    const reply = resp === 3
      ? `,${zero}\r\n`
      : `$${zero.length}\r\n${zero}\r\n`;
    assertEquals(await raw(client, "ZSCORE z a"), reply);
    assertEquals(await ask(client, "ZADD z CH 0 a"), 0);
  });
});

commandSuite(
  "sorted sets have the encodings of Redis 7.2",
  async ({ client }) => {
    const long = "x".repeat(65);
    const many = (count: number) =>
      Array.from({ length: count }, (_, i) => [`${i}`, `m${i}`]).flat();
    const rows: [first: string[], more: string[], encoding: string][] = [
      [many(128), [], "listpack"],
      [many(129), [], "skiplist"],
      [many(128), ["5", "m0"], "listpack"],
      [many(128), ["5", "x"], "skiplist"],
      [["1", long], [], "skiplist"],
      [["1", long.slice(1)], [], "listpack"],
      [["1", "a"], ["1", long], "skiplist"],
      // The number of arguments counts, not that of members.
      [Array(129).fill(["1", "a"]).flat(), [], "skiplist"],
      [["1", "a"], Array(129).fill(["1", "a"]).flat(), "skiplist"],
      [["1", "a"], ["XX", ...many(129)], "skiplist"],
    ];
    for (const [first, more, encoding] of rows) {
      await ask(client, "DEL z");
      await ask(client, ["ZADD", "z", ...first]);
      if (more.length > 0) await ask(client, ["ZADD", "z", ...more]);
      assertEquals(await ask(client, "OBJECT ENCODING z"), encoding);
    }
    // There is no way back but for what is stored.
    await fill(client, "big", 200);
    await expectReplies(client, [
      ["ZREMRANGEBYRANK big 0 189", 190],
      ["OBJECT ENCODING big", "skiplist"],
      ["COPY big copy", 1],
      ["OBJECT ENCODING copy", "skiplist"],
      ["ZRANGESTORE small big 0 -1", 10],
      ["OBJECT ENCODING small", "listpack"],
      ["ZUNIONSTORE small 1 big", 10],
      ["OBJECT ENCODING small", "listpack"],
      ["ZINTERSTORE small 2 big copy", 10],
      ["OBJECT ENCODING small", "listpack"],
      ["ZDIFFSTORE small 2 big none", 10],
      ["OBJECT ENCODING small", "listpack"],
      [`ZADD big 1 ${long}`, 1],
      ["ZUNIONSTORE small 2 big none", 11],
      ["OBJECT ENCODING small", "skiplist"],
    ]);
  },
);

commandSuite("ZRANK and ZREVRANK count from both ends", async (context) => {
  const { client, resp } = context;
  const x = (n: number) => score(resp, n);
  await eachEncoding(client, async () => {
    await ask(client, "ZADD z 1 a 2 b 2 c 3.5 d");
    await expectReplies(client, [
      ["ZRANK z a", 0],
      ["ZRANK z c", 2],
      ["ZREVRANK z a", 3],
      ["ZREVRANK z d", 0],
      ["ZRANK z x", null],
      ["ZRANK none x", null],
      ["ZRANK z d WITHSCORE", [3, x(3.5)]],
      ["ZREVRANK z b withscore", [2, x(2)]],
      ["ZRANK z x WITHSCORE", null],
      ["ZREVRANK none x WITHSCORE", null],
      ["ZRANK z a WITHSCORES", SYNTAX],
      [
        "ZRANK z a WITHSCORE x",
        "-ERR wrong number of arguments for 'zrank' command",
      ],
      [
        "ZREVRANK z a WITHSCORE x",
        "-ERR wrong number of arguments for 'zrevrank' command",
      ],
      ["SET s x", "OK"],
      ["ZRANK s a", WRONGTYPE],
      ["ZREVRANK s a", WRONGTYPE],
    ]);
    const missing = resp === 3 ? "_\r\n" : "*-1\r\n";
    assertEquals(await raw(client, "ZRANK z x WITHSCORE"), missing);
    assertEquals(await raw(client, "ZRANK none x WITHSCORE"), missing);
  });
});

commandSuite("ranges of ranks", async ({ client, resp }) => {
  await eachEncoding(client, async () => {
    await ask(client, "ZADD z 1 a 2 b 3 c 3 d");
    await expectReplies(client, [
      ["ZRANGE z 0 -1", ["a", "b", "c", "d"]],
      ["ZRANGE z 1 2", ["b", "c"]],
      ["ZRANGE z -2 100", ["c", "d"]],
      ["ZRANGE z -100 0", ["a"]],
      ["ZRANGE z 2 1", []],
      ["ZRANGE z 4 5", []],
      ["ZRANGE z 0 -5", []],
      ["ZRANGE z 0 1 WITHSCORES", scored(resp, "a 1 b 2")],
      ["ZRANGE z 0 1 REV", ["d", "c"]],
      ["ZRANGE z -2 -1 rev withscores", scored(resp, "b 2 a 1")],
      ["ZRANGE z 0 -1 LIMIT 5 -1", ["a", "b", "c", "d"]],
      ["ZREVRANGE z 0 1", ["d", "c"]],
      ["ZREVRANGE z 2 -1 WITHSCORES", scored(resp, "b 2 a 1")],
      ["ZREVRANGE z 4 5", []],
      ["ZRANGE none 0 -1", []],
      ["ZRANGE none 0 -1 WITHSCORES", []],
      [`ZRANGE z ${INT64_MIN} ${INT64_MAX}`, ["a", "b", "c", "d"]],
      ["ZRANGE z a 1", NOT_AN_INTEGER],
      ["ZRANGE z 0 b", NOT_AN_INTEGER],
      ["ZRANGE z 0 1 REV REV", SYNTAX],
      ["ZRANGE z 0 1 FOO", SYNTAX],
      ["ZRANGE z 0 1 LIMIT 1", SYNTAX],
      [
        "ZRANGE z 0 1 LIMIT 0 1",
        "-ERR syntax error, LIMIT is only supported in combination with " +
        "either BYSCORE or BYLEX",
      ],
      ["ZRANGE z 0 1 LIMIT a 1", NOT_AN_INTEGER],
      ["ZREVRANGE z 0 1 REV", SYNTAX],
      ["ZREVRANGE z 0 1 BYSCORE", SYNTAX],
      ["SET s x", "OK"],
      ["ZRANGE s 0 1", WRONGTYPE],
    ]);
  });
});

commandSuite("ranges of scores", async ({ client, resp }) => {
  await eachEncoding(client, async () => {
    await ask(client, "ZADD z -inf low 1 a 2 b 2 c 3 d inf high");
    await expectReplies(client, [
      ["ZRANGEBYSCORE z 1 2", ["a", "b", "c"]],
      ["ZRANGEBYSCORE z (1 2", ["b", "c"]],
      ["ZRANGEBYSCORE z 1 (2", ["a"]],
      ["ZRANGEBYSCORE z (2 (3", []],
      ["ZRANGEBYSCORE z -inf +inf", ["low", "a", "b", "c", "d", "high"]],
      ["ZRANGEBYSCORE z (-inf (inf", ["a", "b", "c", "d"]],
      ["ZRANGEBYSCORE z 3 1", []],
      ["ZRANGEBYSCORE z 0x1 0x2p0 WITHSCORES", scored(resp, "a 1 b 2 c 2")],
      ["ZRANGEBYSCORE z 1 3 LIMIT 1 2", ["b", "c"]],
      ["ZRANGEBYSCORE z 1 3 LIMIT 2 -1 WITHSCORES", scored(resp, "c 2 d 3")],
      ["ZRANGEBYSCORE z 1 3 LIMIT 9 1", []],
      ["ZRANGEBYSCORE z 1 3 LIMIT -1 1", []],
      ["ZRANGEBYSCORE z 1 3 LIMIT 0 0", []],
      ["ZREVRANGEBYSCORE z 2 1", ["c", "b", "a"]],
      ["ZREVRANGEBYSCORE z 3 1 LIMIT 1 2", ["c", "b"]],
      ["ZREVRANGEBYSCORE z (3 (1 WITHSCORES", scored(resp, "c 2 b 2")],
      ["ZREVRANGEBYSCORE z 1 3", []],
      ["ZRANGE z 1 2 BYSCORE", ["a", "b", "c"]],
      ["ZRANGE z 2 1 BYSCORE REV LIMIT 0 2", ["c", "b"]],
      ["ZRANGE z 1 2 byscore limit 1 1 withscores", scored(resp, "b 2")],
      ["ZRANGE none 1 2 BYSCORE", []],
      ["ZRANGEBYSCORE z a 1", NOT_A_RANGE],
      ["ZRANGEBYSCORE z 1 nan", NOT_A_RANGE],
      ["ZRANGEBYSCORE z ((1 2", NOT_A_RANGE],
      ["ZRANGE z 1 x BYSCORE", NOT_A_RANGE],
      ["ZRANGEBYSCORE z 1 2 REV", SYNTAX],
      ["ZRANGEBYSCORE z 1 2 LIMIT 1", SYNTAX],
      ["ZRANGE z 1 2 BYSCORE BYSCORE", SYNTAX],
      ["ZRANGE z 1 2 BYSCORE BYLEX", SYNTAX],
      // As strtod reads them.
      [["ZRANGEBYSCORE", "z", " 1", "2"], ["a", "b", "c"]],
      [["ZRANGEBYSCORE", "z", "", "1"], ["a"]],
      [["ZRANGEBYSCORE", "z", "1 ", "2"], NOT_A_RANGE],
      ["ZCOUNT z 1 2", 3],
      ["ZCOUNT z (1 (3", 2],
      ["ZCOUNT z -inf inf", 6],
      ["ZCOUNT z 1e400 inf", 1],
      ["ZCOUNT z 3 2", 0],
      ["ZCOUNT none 1 2", 0],
      ["ZCOUNT z x 2", NOT_A_RANGE],
      ["SET s x", "OK"],
      ["ZCOUNT s x 1", NOT_A_RANGE],
      ["ZCOUNT s 1 2", WRONGTYPE],
      ["ZRANGEBYSCORE s 1 2", WRONGTYPE],
    ]);
  });
});

commandSuite("ranges of members", async ({ client }) => {
  await eachEncoding(client, async () => {
    await ask(client, "ZADD z 0 a 0 b 0 c 0 d 0 10 0 9");
    const all = ["10", "9", "a", "b", "c", "d"];
    await expectReplies(client, [
      ["ZRANGEBYLEX z - +", all],
      ["ZRANGEBYLEX z + -", []],
      ["ZRANGEBYLEX z [b (d", ["b", "c"]],
      ["ZRANGEBYLEX z (b [d", ["c", "d"]],
      ["ZRANGEBYLEX z - (a", ["10", "9"]],
      ["ZRANGEBYLEX z [bb +", ["c", "d"]],
      ["ZRANGEBYLEX z (b (b", []],
      ["ZRANGEBYLEX z [b [b", ["b"]],
      ["ZRANGEBYLEX z - + LIMIT 1 2", ["9", "a"]],
      ["ZREVRANGEBYLEX z + -", all.toReversed()],
      ["ZREVRANGEBYLEX z (c [9 LIMIT 0 2", ["b", "a"]],
      ["ZRANGE z [a [c BYLEX", ["a", "b", "c"]],
      ["ZRANGE z [c [a BYLEX REV LIMIT 1 -1", ["b", "a"]],
      ["ZLEXCOUNT z - +", 6],
      ["ZLEXCOUNT z [9 (c", 3],
      ["ZLEXCOUNT z + -", 0],
      ["ZLEXCOUNT none - +", 0],
      [["ZRANGEBYLEX", "z", "[", "[b"], ["10", "9", "a", "b"]],
      ["ZRANGEBYLEX z a +", NOT_A_LEX_RANGE],
      ["ZRANGEBYLEX z - ++", NOT_A_LEX_RANGE],
      [["ZLEXCOUNT", "z", "", "+"], NOT_A_LEX_RANGE],
      ["ZREMRANGEBYLEX z - x", NOT_A_LEX_RANGE],
      [
        "ZRANGEBYLEX z - + WITHSCORES",
        "-ERR syntax error, WITHSCORES not " +
        "supported in combination with BYLEX",
      ],
      ["ZREMRANGEBYLEX z [a (c", 2],
      ["ZRANGEBYLEX z - +", ["10", "9", "c", "d"]],
      ["ZREMRANGEBYLEX z - +", 4],
      ["EXISTS z", 0],
      ["ZREMRANGEBYLEX z - +", 0],
      ["SET s x", "OK"],
      ["ZLEXCOUNT s - +", WRONGTYPE],
      ["ZREMRANGEBYLEX s - +", WRONGTYPE],
    ]);
  });
});

commandSuite("ZREMRANGEBYRANK and ZREMRANGEBYSCORE", async ({ client }) => {
  await eachEncoding(client, async () => {
    await fill(client, "z", 100);
    await expectReplies(client, [
      ["ZREMRANGEBYRANK z 0 9", 10],
      ["ZREMRANGEBYRANK z -5 -1", 5],
      ["ZREMRANGEBYRANK z 50 40", 0],
      ["ZREMRANGEBYRANK z 1000 2000", 0],
      ["ZCARD z", 85],
      ["ZREMRANGEBYSCORE z (20 30", 10],
      ["ZREMRANGEBYSCORE z -inf (11", 1],
      ["ZRANGE z 0 0", ["m11"]],
      ["ZRANGE z 9 10", ["m20", "m31"]],
      ["ZRANGE z -1 -1", ["m94"]],
      ["ZREMRANGEBYSCORE z 1000 2000", 0],
      ["ZREMRANGEBYRANK z x 0", NOT_AN_INTEGER],
      ["ZREMRANGEBYSCORE z x 0", NOT_A_RANGE],
      ["ZREMRANGEBYRANK z 0 -1", 74],
      ["EXISTS z", 0],
      ["ZREMRANGEBYRANK z 0 -1", 0],
      ["SET s x", "OK"],
      ["ZREMRANGEBYRANK s 0 1", WRONGTYPE],
      ["ZREMRANGEBYSCORE s 0 1", WRONGTYPE],
    ]);
  });
});

commandSuite("ZRANGESTORE, also to another shard", async ({ client, resp }) => {
  const [a, b] = [`${T}a`, `${U}b`];
  await eachEncoding(client, async (encoding) => {
    await expectReplies(client, [
      [`ZADD ${a} 1 a 2 b 3 c 4 d`, 4],
      [`ZRANGESTORE ${b} ${a} 1 2`, 2],
      [`ZRANGE ${b} 0 -1 WITHSCORES`, scored(resp, "b 2 c 3")],
      [`OBJECT ENCODING ${b}`, encoding],
      [`ZRANGESTORE ${b} ${a} 0 1 REV`, 2],
      [`ZRANGE ${b} 0 -1`, ["c", "d"]],
      [`ZRANGESTORE ${b} ${a} (1 inf BYSCORE LIMIT 1 1`, 1],
      [`ZRANGE ${b} 0 -1`, ["c"]],
      [`ZRANGESTORE ${b} ${a} 4 1 BYSCORE REV LIMIT 0 2`, 2],
      [`ZRANGE ${b} 0 -1`, ["c", "d"]],
      [`ZRANGESTORE ${b} ${a} [b [c BYLEX`, 2],
      [`EXPIRE ${a} 1000`, 1],
      [`ZRANGESTORE ${a} ${a} 0 1`, 2],
      [`TTL ${a}`, -1],
      [`ZRANGE ${a} 0 -1`, ["a", "b"]],
      [`SET ${V}s x`, "OK"],
      [`ZRANGESTORE ${V}s ${a} 0 0`, 1],
      [`TYPE ${V}s`, "zset"],
      [`ZRANGESTORE ${V}s ${a} 5 6`, 0],
      [`EXISTS ${V}s`, 0],
      [`ZRANGESTORE ${b} none 0 -1`, 0],
      [`EXISTS ${b}`, 0],
      [`SET ${V}s x`, "OK"],
      [`ZRANGESTORE ${b} ${V}s 0 -1`, WRONGTYPE],
      [`ZRANGESTORE ${b} ${a} 0 -1 WITHSCORES`, SYNTAX],
      [`ZRANGESTORE ${b} ${a} 0 x`, NOT_AN_INTEGER],
    ]);
  });
});

commandSuite("ZPOPMIN and ZPOPMAX take from the ends", async (context) => {
  const { client, resp } = context;
  const one = (member: string, x: number): Plain => [member, score(resp, x)];
  await eachEncoding(client, async () => {
    await fill(client, "z", 100);
    await expectReplies(client, [
      ["ZPOPMIN z", one("m0", 0)],
      ["ZPOPMAX z", one("m99", 99)],
      ["ZPOPMIN z 2", scored(resp, "m1 1 m2 2")],
      ["ZPOPMAX z 1", scored(resp, "m98 98")],
      ["ZPOPMAX z 3", scored(resp, "m97 97 m96 96 m95 95")],
      ["ZPOPMIN z 0", []],
      ["ZPOPMIN z -1", NOT_POSITIVE],
      ["ZPOPMAX z x", NOT_POSITIVE],
      ["ZPOPMIN z 1 2", SYNTAX],
      ["ZCARD z", 92],
      ["ZREMRANGEBYRANK z 2 -1", 90],
      ["ZPOPMIN z 100", scored(resp, "m3 3 m4 4")],
      ["EXISTS z", 0],
      ["ZPOPMIN z", []],
      ["ZPOPMAX z 5", []],
      ["ZADD z 1 a", 1],
      ["ZPOPMAX z", one("a", 1)],
      ["EXISTS z", 0],
      ["SET s x", "OK"],
      ["ZPOPMIN s", WRONGTYPE],
      ["ZPOPMAX s 0", WRONGTYPE],
    ]);
  });
});

commandSuite("ZMPOP takes from the first set there is", async (context) => {
  const { client, resp } = context;
  const [a, b, none] = [`${T}a`, `${U}b`, `${V}none`];
  const pairs = (...words: (string | number)[]): Plain => {
    const found: Plain[] = [];
    for (let i = 0; i < words.length; i += 2) {
      found.push([words[i] as string, score(resp, words[i + 1] as number)]);
    }
    return found;
  };
  const NUMKEYS = "-ERR numkeys should be greater than 0";
  const COUNT = "-ERR count should be greater than 0";
  await expectReplies(client, [
    [`ZADD ${a} 1 a 2 b 3 c`, 3],
    [`ZADD ${b} 4 d`, 1],
    [`ZMPOP 3 ${none} ${a} ${b} MIN`, [a, pairs("a", 1)]],
    [`ZMPOP 2 ${none} ${a} max COUNT 5`, [a, pairs("c", 3, "b", 2)]],
    [`EXISTS ${a}`, 0],
    [`ZMPOP 3 ${none} ${a} ${b} MAX`, [b, pairs("d", 4)]],
    [`ZMPOP 2 ${a} ${b} MIN`, null],
    [`ZMPOP 0 ${a} MIN`, NUMKEYS],
    [`ZMPOP x ${a} MIN`, NUMKEYS],
    [`ZMPOP 2 ${a} MIN`, SYNTAX],
    [`ZMPOP ${INT64_MAX} ${a} MIN`, SYNTAX],
    [`ZMPOP 1 ${a} FOO`, SYNTAX],
    [`ZMPOP 1 ${a} MIN COUNT`, SYNTAX],
    [`ZMPOP 1 ${a} MIN COUNT 1 COUNT 2`, SYNTAX],
    [`ZMPOP 1 ${a} MIN COUNT 0`, COUNT],
    [`ZMPOP 1 ${a} MIN COUNT x`, COUNT],
    [`SET ${U}s x`, "OK"],
    [`ZMPOP 2 ${a} ${U}s MIN`, WRONGTYPE],
  ]);
  const missing = resp === 3 ? "_\r\n" : "*-1\r\n";
  assertEquals(await raw(client, `ZMPOP 1 ${a} MIN`), missing);
});

commandSuite("ZRANDMEMBER draws", async ({ client, resp }) => {
  await eachEncoding(client, async () => {
    await fill(client, "z", 50);
    const members = async (command: string): Promise<string[]> => {
      const reply = await ask(client, command);
      assert(Array.isArray(reply), String(reply));
      return reply.map(String);
    };
    const isMember = (text: string) => /^m[1-4]?\d$/.test(text);
    assert(isMember(String(await ask(client, "ZRANDMEMBER z"))));
    for (const count of [1, 5, 49, 50, 60]) {
      const found = await members(`ZRANDMEMBER z ${count}`);
      assertEquals(found.length, Math.min(count, 50));
      assertEquals(new Set(found).size, found.length);
      assert(found.every(isMember));
    }
    assertEquals((await members("ZRANDMEMBER z -70")).length, 70);
    for (const count of ["3", "-3", "50"]) {
      const reply = await ask(client, `ZRANDMEMBER z ${count} WITHSCORES`);
      const flat = (reply as Plain[]).flat() as (string | number)[];
      assertEquals(flat.length, Math.abs(Number(count)) * 2);
      assertEquals(
        (reply as Plain[]).length,
        flat.length / (resp === 3 ? 2 : 1),
      );
      for (let i = 0; i < flat.length; i += 2) {
        assertEquals(flat[i], `m${flat[i + 1]}`);
      }
    }
    await expectReplies(client, [
      ["ZRANDMEMBER none", null],
      ["ZRANDMEMBER none 5", []],
      ["ZRANDMEMBER z 0", []],
      ["ZRANDMEMBER z x", NOT_AN_INTEGER],
      ["ZRANDMEMBER z 1 FOO", SYNTAX],
      ["ZRANDMEMBER z 1 WITHSCORES x", SYNTAX],
      [
        `ZRANDMEMBER z ${INT64_MIN}`,
        "-ERR value is out of range, value must between " +
        `-${INT64_MAX} and ${INT64_MAX}`,
      ],
      [
        "ZRANDMEMBER z -4611686018427387904 WITHSCORES",
        "-ERR value is out of range",
      ],
      ["SET s x", "OK"],
      ["ZRANDMEMBER s", WRONGTYPE],
      ["ZRANDMEMBER s 1", WRONGTYPE],
    ]);
  });
});

commandSuite("ZSCAN finds all members", async ({ client }) => {
  const scan = async (key: string, ...options: string[]) => {
    const found: string[] = [];
    let cursor = "0";
    do {
      const reply = await ask(client, ["ZSCAN", key, cursor, ...options]);
      const [next, items] = reply as [string, string[]];
      found.push(...items);
      cursor = next;
    } while (cursor !== "0");
    return found;
  };
  for (const count of [100, 2000]) {
    await ask(client, "DEL z");
    await fill(client, "z", count);
    const pairs = new Map<string, string>();
    const found = await scan("z");
    for (let i = 0; i < found.length; i += 2) {
      pairs.set(found[i]!, found[i + 1]!);
    }
    assertEquals(pairs.size, count);
    for (const [member, text] of pairs) assertEquals(member, `m${text}`);
    const matching = await scan(
      "z",
      "MATCH",
      "m*7",
      "COUNT",
      "100",
      "NOSCORES",
    );
    assertEquals(new Set(matching).size, count / 10);
    assertEquals(matching[0]![0], "m");
  }
  // A packed score is shown as it is stored, another one with 17 digits.
  await eachEncoding(client, async (encoding) => {
    await ask(client, "ZADD z 0.1 a");
    const text = encoding === "listpack" ? "0.1" : "0.10000000000000001";
    assertEquals(await ask(client, "ZSCAN z 0"), ["0", ["a", text]]);
  });
  await expectReplies(client, [
    ["ZSCAN none 0", ["0", []]],
    ["ZSCAN z x", "-ERR invalid cursor"],
    ["ZSCAN none 0 FOO", ["0", []]],
    ["ZSCAN z 0 FOO", SYNTAX],
    ["ZSCAN z 0 COUNT 0", SYNTAX],
    ["ZSCAN z 0 COUNT x", NOT_AN_INTEGER],
    ["ZSCAN z 0 NOVALUES", SYNTAX],
    ["SET s x", "OK"],
    ["ZSCAN s 0", WRONGTYPE],
  ]);
});

commandSuite("unions, intersections and differences", async (context) => {
  const { client, resp } = context;
  const [a, b, s, none] = [`${T}a`, `${U}b`, `${V}s`, `${V}none`];
  const ab = `2 ${a} ${b}`;
  await eachEncoding(client, async () => {
    await ask(client, `ZADD ${a} 1 x 2 y 3 z`);
    await ask(client, `ZADD ${b} 10 y 20 z 30 w`);
    await ask(client, `SADD ${s} x y 5`);
    const rows: [command: string, expected: string][] = [
      [`ZUNION ${ab}`, "x 1 y 12 z 23 w 30"],
      [`ZUNION ${ab} WEIGHTS 10 1`, "x 10 w 30 y 30 z 50"],
      [`ZUNION ${ab} AGGREGATE MIN`, "x 1 y 2 z 3 w 30"],
      [`ZUNION ${ab} AGGREGATE max WEIGHTS -1 1`, "x -1 y 10 z 20 w 30"],
      [`ZUNION ${ab} WEIGHTS inf 0`, "w 0 x inf y inf z inf"],
      [`ZUNION 2 ${a} ${a}`, "x 2 y 4 z 6"],
      [`ZUNION 3 ${none} ${a} ${none}`, "x 1 y 2 z 3"],
      [`ZUNION 1 ${none}`, ""],
      [`ZUNION 2 ${a} ${s}`, "5 1 x 2 y 3 z 3"],
      [`ZINTER ${ab}`, "y 12 z 23"],
      [`ZINTER ${ab} WEIGHTS 2 0.5 AGGREGATE MAX`, "y 5 z 10"],
      [`ZINTER 3 ${a} ${b} ${s} AGGREGATE MIN`, "y 1"],
      [`ZINTER 2 ${a} ${none}`, ""],
      [`ZINTER 1 ${a} WEIGHTS 3`, "x 3 y 6 z 9"],
      [`ZINTER 2 ${a} ${a} AGGREGATE SUM`, "x 2 y 4 z 6"],
      [`ZDIFF ${ab}`, "x 1"],
      [`ZDIFF 2 ${b} ${a}`, "w 30"],
      [`ZDIFF 2 ${a} ${s}`, "z 3"],
      [`ZDIFF 2 ${s} ${a}`, "5 1"],
      [`ZDIFF 1 ${a}`, "x 1 y 2 z 3"],
      [`ZDIFF 2 ${a} ${a}`, ""],
      [`ZDIFF 3 ${none} ${a} ${b}`, ""],
      [`ZDIFF 6 ${a} ${none} ${none} ${none} ${none} ${s}`, "z 3"],
    ];
    for (const [command, expected] of rows) {
      const words = expected.split(" ");
      const members = words.filter((_, i) => expected !== "" && i % 2 === 0);
      assertEquals(await ask(client, command), members, command);
      assertEquals(
        await ask(client, `${command} WITHSCORES`),
        scored(
          resp,
          expected.replaceAll("inf", resp === 3 ? "Infinity" : "inf"),
        ),
        command,
      );
      const [name, ...args] = command.split(" ");
      for (const target of [`${T}target`, `${V}target`]) {
        await ask(client, `SET ${target} old`);
        await ask(client, `EXPIRE ${target} 1000`);
        const stored = await ask(client, [`${name}STORE`, target, ...args]);
        assertEquals(stored, members.length, command);
        assertEquals(await ask(client, `ZRANGE ${target} 0 -1`), members);
        const ttl = await ask(client, `TTL ${target}`);
        assertEquals(ttl, members.length > 0 ? -1 : -2);
      }
      if (name !== "ZINTER" || args.length > Number(args[0]) + 1) continue;
      const count = await ask(client, ["ZINTERCARD", ...args]);
      assertEquals(count, members.length);
    }
  });
});

commandSuite("the target of a union may be a source", async (context) => {
  const { client, resp } = context;
  const [a, b] = [`${T}a`, `${U}b`];
  await eachEncoding(client, async () => {
    await expectReplies(client, [
      [`ZADD ${a} 1 x 2 y`, 2],
      [`ZADD ${b} 3 y 4 z`, 2],
      [`ZUNIONSTORE ${a} 3 ${a} ${b} ${a}`, 3],
      [`ZRANGE ${a} 0 -1 WITHSCORES`, scored(resp, "x 2 z 4 y 7")],
      [`ZINTERSTORE ${b} 2 ${a} ${b}`, 2],
      [`ZRANGE ${b} 0 -1 WITHSCORES`, scored(resp, "z 8 y 10")],
      [`ZDIFFSTORE ${a} 2 ${a} ${b}`, 1],
      [`ZRANGE ${a} 0 -1`, ["x"]],
      [`ZDIFFSTORE ${a} 2 ${a} ${a}`, 0],
      [`EXISTS ${a}`, 0],
    ]);
  });
});

commandSuite("unions check their arguments", async ({ client }) => {
  const noKeys = (command: string) =>
    `-ERR at least 1 input key is needed for '${command}' command`;
  const WEIGHT = "-ERR weight value is not a float";
  const NEGATIVE = "-ERR LIMIT can't be negative";
  await ask(client, `ZADD ${T}a 1 x 2 y 3 z`);
  await ask(client, `ZADD ${U}b 1 x 2 y`);
  await ask(client, `SET ${V}s x`);
  const keys = `${T}a ${U}b`;
  const exchanges: Exchange[] = [
    [`ZUNION 0 ${keys}`, noKeys("zunion")],
    [`ZINTER -1 ${keys}`, noKeys("zinter")],
    [`ZDIFF 0 ${keys}`, noKeys("zdiff")],
    [`ZINTERCARD 0 ${keys}`, noKeys("zintercard")],
    [`ZUNIONSTORE t 0 ${keys}`, noKeys("zunionstore")],
    [`ZINTERSTORE t 0 ${keys}`, noKeys("zinterstore")],
    [`ZDIFFSTORE t 0 ${keys}`, noKeys("zdiffstore")],
    [`ZUNION x ${keys}`, NOT_AN_INTEGER],
    [`ZUNIONSTORE t x ${keys}`, NOT_AN_INTEGER],
    [`ZUNION 3 ${keys}`, SYNTAX],
    [`ZUNION ${INT64_MAX} ${keys}`, SYNTAX],
    [`ZUNION 1 ${keys}`, SYNTAX],
    [`ZUNION 2 ${keys} WEIGHTS 1`, SYNTAX],
    [`ZUNION 2 ${keys} WEIGHTS 1 2 3`, SYNTAX],
    [`ZUNION 2 ${keys} WEIGHTS 1 x`, WEIGHT],
    [`ZUNION 2 ${keys} WEIGHTS 1 nan`, WEIGHT],
    [`ZUNION 2 ${keys} AGGREGATE`, SYNTAX],
    [`ZUNION 2 ${keys} AGGREGATE AVG`, SYNTAX],
    [`ZUNION 2 ${keys} LIMIT 1`, SYNTAX],
    [`ZDIFF 2 ${keys} WEIGHTS 1 1`, SYNTAX],
    [`ZDIFF 2 ${keys} AGGREGATE SUM`, SYNTAX],
    [`ZUNIONSTORE t 2 ${keys} WITHSCORES`, SYNTAX],
    [`ZDIFFSTORE t 2 ${keys} WITHSCORES`, SYNTAX],
    [`ZINTERCARD 2 ${keys} WITHSCORES`, SYNTAX],
    [`ZINTERCARD 2 ${keys} LIMIT 1`, 1],
    [`ZINTERCARD 2 ${keys} LIMIT 0`, 2],
    [`ZINTERCARD 2 ${keys} LIMIT -1`, NEGATIVE],
    [`ZINTERCARD 2 ${keys} LIMIT x`, NEGATIVE],
    [`ZINTERCARD 2 ${keys} LIMIT`, SYNTAX],
    [`ZUNION 2 ${T}a ${V}s FOO`, WRONGTYPE],
    [`ZINTERSTORE t 2 ${T}none ${V}s`, WRONGTYPE],
    [`EXISTS t`, 0],
  ];
  await expectReplies(client, exchanges);
});

commandSuite(
  "large sets are united, intersected and subtracted",
  async (context) => {
    const { client } = context;
    const [a, b] = [`${T}a`, `${U}b`];
    await fill(client, a, 5000);
    await fill(client, b, 8000);
    await ask(client, ["ZREMRANGEBYSCORE", b, "0", "999"]);
    await expectReplies(client, [
      [`ZUNIONSTORE ${V}u 2 ${a} ${b}`, 8000],
      [`ZSCORE ${V}u m999`, score(context.resp, 999)],
      [`ZSCORE ${V}u m1000`, score(context.resp, 2000)],
      [`ZINTERSTORE ${V}i 2 ${a} ${b}`, 4000],
      [`ZINTERCARD 2 ${a} ${b}`, 4000],
      [`ZINTERCARD 2 ${a} ${b} LIMIT 3999`, 3999],
      [`ZDIFFSTORE ${V}d 2 ${a} ${b}`, 1000],
      [`OBJECT ENCODING ${V}d`, "skiplist"],
      [`ZADD few 0 m0 1 m1 2 other`, 3],
      [`ZDIFFSTORE ${V}d 4 ${a} few none few`, 4998],
      [`ZRANGE ${V}d 0 1`, ["m2", "m3"]],
      [`ZDIFFSTORE ${V}d 5 ${a} ${b} none none few`, 998],
    ]);
    const union = await ask(client, `ZUNION 2 ${a} ${b}`) as string[];
    assertEquals(union.length, 8000);
    assertEquals(await ask(client, `ZRANGE ${V}u 0 -1`), union);
    const reversed = await ask(client, `ZRANGE ${V}u 0 -1 REV`);
    assertEquals(reversed, union.toReversed());
  },
);

commandSuite("what is popped all at once may be large", async (context) => {
  const { client, resp } = context;
  await fill(client, "z", 10_000);
  const popped = await ask(client, "ZPOPMAX z 4000") as Plain[];
  assertEquals(popped.length, resp === 3 ? 4000 : 8000);
  const rest = await ask(client, "ZPOPMIN z 9999") as Plain[];
  const flat = rest.flat();
  assertEquals(flat.length, 12_000);
  assertEquals([flat[0], flat.at(-2)], ["m0", "m5999"]);
  assertEquals(await ask(client, "EXISTS z"), 0);
});

commandSuite("sorted sets are copied, renamed and counted", async (context) => {
  const { client, resp } = context;
  for (const count of [50, 3000]) {
    await ask(client, "FLUSHALL");
    await fill(client, `${T}a`, count);
    await expectReplies(client, [
      [`COPY ${T}a ${U}b`, 1],
      [`ZADD ${U}b 0.5 more`, 1],
      [`ZCARD ${T}a`, count],
      [`RENAME ${U}b ${V}c`, "OK"],
      [`ZRANGE ${V}c 0 2 WITHSCORES`, scored(resp, "m0 0 more 0.5 m1 1")],
      [`ZCARD ${V}c`, count + 1],
      [`EXPIRE ${T}a 1000`, 1],
      [`ZADD ${T}a 1 x`, 1],
      [`TTL ${T}a`, 1000],
    ]);
    const bytes = await ask(client, `MEMORY USAGE ${T}a SAMPLES 0`);
    assert(Number(bytes) > count * 5 && Number(bytes) < count * 120);
  }
});

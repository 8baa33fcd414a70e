import { assert, assertEquals } from "@std/assert";
import { Random, tagsOnDistinctSlots } from "../_harness.ts";
import { toBinary } from "../_resp_client.ts";
import { ask, type Exchange, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const NOT_AN_INTEGER = "-ERR value is not an integer or out of range";
const NOT_A_FLOAT = "-ERR value is not a valid float";
const SYNTAX = "-ERR syntax error";
const TOO_LONG = "-ERR string exceeds maximum allowed size " +
  "(proto-max-bulk-len)";
const INCREMENT_OVERFLOW = "-ERR increment or decrement would overflow";
const INT64_MAX = "9223372036854775807";
const INT64_MIN = "-9223372036854775808";
const FUTURE_S = 4_102_444_800;

function invalidExpire(command: string): string {
  return `-ERR invalid expire time in '${command}' command`;
}

/** Keys on different shards. */
const [T, U, V] = tagsOnDistinctSlots(3).map((tag) => `{${tag}}`);

commandSuite("GET returns what SET stored", async ({ client }) => {
  await expectReplies(client, [
    ["GET a", null],
    ["SET a 1", "OK"],
    ["GET a", "1"],
    [["SET", "a", ""], "OK"],
    ["GET a", ""],
    [["SET", "", "empty key"], "OK"],
    [["GET", ""], "empty key"],
    [["SET", "a\0\r\n", "\0\r\n\xff"], "OK"],
    [["GET", "a\0\r\n"], "\0\r\n\xff"],
  ]);
});

commandSuite("SET keeps values of every length", async ({ client }) => {
  const random = new Random(1);
  for (const near of [0, 16, 44, 128, 4096, 14_336, 65_536, 1_000_000]) {
    for (const length of [near - 1, near, near + 1]) {
      if (length < 0) continue;
      const value = random.binary(length);
      assertEquals(await ask(client, ["SET", "a", value]), "OK");
      assertEquals(await ask(client, "STRLEN a"), length);
      assertEquals(await ask(client, "GET a"), value);
    }
  }
});

commandSuite("SET chooses the encoding by the value", async ({ client }) => {
  const rows: [value: string, encoding: string][] = [
    ...["0", "-1", "9007199254740993", INT64_MAX, INT64_MIN]
      .map((value): [string, string] => [value, "int"]),
    ...["", "01", "-0", "+1", " 1", "1.0", "9223372036854775808", "x"]
      .map((value): [string, string] => [value, "embstr"]),
    ["x".repeat(44), "embstr"],
    ["x".repeat(45), "raw"],
    ["1".repeat(45), "raw"],
    ["x".repeat(100_000), "raw"],
  ];
  for (const [value, encoding] of rows) {
    await ask(client, ["SET", "a", value]);
    assertEquals(await ask(client, "OBJECT ENCODING a"), encoding, value);
    assertEquals(await ask(client, "GET a"), value);
  }
});

commandSuite(
  "SET NX and XX look whether the key exists",
  async ({ client }) => {
    await expectReplies(client, [
      ["SET a 1 XX", null],
      ["EXISTS a", 0],
      ["SET a 1 NX", "OK"],
      ["SET a 2 nx", null],
      ["SET a 3 xx", "OK"],
      ["GET a", "3"],
      ["SET a 4 NX NX", null],
      ["SET a 4 NX XX", SYNTAX],
      ["SET a 4 XX NX", SYNTAX],
    ]);
  },
);

commandSuite("SET GET returns the old value", async ({ client }) => {
  await expectReplies(client, [
    ["SET a 1 GET", null],
    ["SET a 2 GET", "1"],
    ["SET a 3 NX GET", "2"],
    ["GET a", "2"],
    ["SET b 3 XX GET", null],
    ["EXISTS b", 0],
    ["SET b 3 GET NX", null],
    ["GET b", "3"],
    ["SET a 3 GET EX 0", invalidExpire("set")],
    ["GET a", "2"],
  ]);
});

commandSuite(
  "SET options about the expire exclude others",
  async ({ client }) => {
    const times = [
      "EX 10",
      "PX 10000",
      `EXAT ${FUTURE_S}`,
      `PXAT ${FUTURE_S}000`,
    ];
    for (const one of [...times, "KEEPTTL"]) {
      for (const other of [...times, "KEEPTTL"]) {
        const expected = one.split(" ")[0] === other.split(" ")[0]
          ? "OK"
          : SYNTAX;
        await expectReplies(client, [[`SET a 1 ${one} ${other}`, expected]]);
      }
    }
    await expectReplies(client, [
      ["SET a 1 PERSIST", SYNTAX],
      ["SET a 1 EX", SYNTAX],
      ["SET a 1 EX 10 EX 20", "OK"],
      ["TTL a", 20],
      ["SET a 1 foo", SYNTAX],
      [["SET", "a", "1", ""], SYNTAX],
    ]);
  },
);

commandSuite("SET sets, keeps or removes the expire", async ({ client }) => {
  await expectReplies(client, [
    ["SET a 1 EX 100", "OK"],
    ["TTL a", 100],
    ["SET a 22 KEEPTTL", "OK"],
    ["TTL a", 100],
    [["SET", "a", "x".repeat(70_000), "KEEPTTL"], "OK"],
    ["TTL a", 100],
    ["SET a 1", "OK"],
    ["TTL a", -1],
    [`SET a 1 PXAT ${FUTURE_S}123`, "OK"],
    ["PEXPIRETIME a", FUTURE_S * 1000 + 123],
    [`SET a 1 exat ${FUTURE_S}`, "OK"],
    ["PEXPIRETIME a", FUTURE_S * 1000],
    ["SET b 1 KEEPTTL", "OK"],
    ["TTL b", -1],
    ["SET a 1 PXAT 1", "OK"],
    ["GET a", null],
    ["SET a 1 KEEPTTL", "OK"],
    ["TTL a", -1],
  ]);
});

commandSuite("invalid expire times change nothing", async ({ client }) => {
  const rows: [time: string, is: "invalid" | "no integer"][] = [
    ["0", "invalid"],
    ["-1", "invalid"],
    [INT64_MIN, "invalid"],
    [INT64_MAX, "invalid"],
    ["9223372036854775808", "no integer"],
    ["1.5", "no integer"],
    ["", "no integer"],
  ];
  await ask(client, "SET a old");
  for (const [time, is] of rows) {
    for (
      const argv of [
        ...["EX", "PX", "EXAT"].map((
          option,
        ) => ["SET", "a", "b", option, time]),
        ["SETEX", "a", time, "b"],
        ["PSETEX", "a", time, "b"],
        ...["EX", "PX", "EXAT"].map((option) => ["GETEX", "a", option, time]),
      ]
    ) {
      const expected = is === "invalid"
        ? invalidExpire(argv[0]!.toLowerCase())
        : NOT_AN_INTEGER;
      assertEquals(await ask(client, argv), expected, `${argv}`);
    }
  }
  await expectReplies(client, [["GET a", "old"], ["TTL a", -1]]);
});

commandSuite("SETNX, SETEX, PSETEX and GETSET", async ({ client }) => {
  await expectReplies(client, [
    ["SETNX a 1", 1],
    ["SETNX a 2", 0],
    ["GET a", "1"],
    ["SETEX a 100 b", "OK"],
    ["TTL a", 100],
    ["GETSET a 12", "b"],
    ["TTL a", -1],
    ["OBJECT ENCODING a", "int"],
    ["PSETEX a 100000 c", "OK"],
    ["TTL a", 100],
    ["GETSET b x", null],
    ["GET b", "x"],
  ]);
});

commandSuite("GETDEL returns and deletes", async ({ client }) => {
  const long = "x".repeat(200_000);
  await expectReplies(client, [
    ["GETDEL a", null],
    ["SET a 1 EX 100", "OK"],
    ["GETDEL a", "1"],
    ["EXISTS a", 0],
    [["SET", "a", long], "OK"],
    ["GETDEL a", long],
    ["GETDEL a", null],
  ]);
});

commandSuite("GETEX returns and changes the expire", async ({ client }) => {
  await expectReplies(client, [
    ["GETEX a", null],
    ["GETEX a EX 0", null],
    ["GETEX a FOO", SYNTAX],
    ["SET a 1", "OK"],
    ["GETEX a", "1"],
    ["TTL a", -1],
    ["GETEX a EX 100", "1"],
    ["TTL a", 100],
    ["GETEX a", "1"],
    ["TTL a", 100],
    ["GETEX a PERSIST", "1"],
    ["TTL a", -1],
    [`GETEX a EXAT ${FUTURE_S}`, "1"],
    ["EXPIRETIME a", FUTURE_S],
    [`GETEX a PXAT ${FUTURE_S}001`, "1"],
    ["PEXPIRETIME a", FUTURE_S * 1000 + 1],
    ["GETEX a EX 10 PERSIST", SYNTAX],
    ["GETEX a KEEPTTL", SYNTAX],
    ["GETEX a NX", SYNTAX],
    ["GETEX a PX", SYNTAX],
    ["GETEX a PXAT 1", "1"],
    ["EXISTS a", 0],
  ]);
});

commandSuite("MSET and MGET span shards", async ({ client }) => {
  const long = "x".repeat(150_000);
  await expectReplies(client, [
    [`MSET ${T} 1 ${U} 2 ${V} 3`, "OK"],
    [`MGET ${V} ${U} none ${T} ${U}`, ["3", "2", null, "1", "2"]],
    [["MSET", T!, "b", U!, long, T!, "c"], "OK"],
    [["MGET", T!, U!], ["c", long]],
    [`SET ${T} 1 EX 100`, "OK"],
    [`MSET ${T} 2`, "OK"],
    [`TTL ${T}`, -1],
    ["MSET a 1 b", "-ERR wrong number of arguments for 'mset' command"],
    ["MSETNX a 1 b", "-ERR wrong number of arguments for 'msetnx' command"],
    ["EXISTS a", 0],
  ]);
});

commandSuite("MSETNX sets all keys or none", async ({ client }) => {
  await expectReplies(client, [
    [`MSETNX ${T} 1 ${U} 2`, 1],
    [`MSETNX ${V} 3 ${U} 3`, 0],
    [`MGET ${T} ${U} ${V}`, ["1", "2", null]],
    ["MSETNX a 1 a 2", 1],
    ["GET a", "2"],
  ]);
});

commandSuite("integers are counted in 64 bits", async ({ client }) => {
  const rows: [value: string, command: string, result: string | null][] = [
    ["9", "INCR a", "10"],
    ["-1", "INCR a", "0"],
    ["10", "DECR a", "9"],
    ["0", "DECR a", "-1"],
    ["999999999", "INCR a", "1000000000"],
    ["9007199254740991", "INCR a", "9007199254740992"],
    ["9007199254740992", "DECR a", "9007199254740991"],
    ["-9007199254740991", "DECRBY a 2", "-9007199254740993"],
    ["1", `INCRBY a ${INT64_MIN}`, "-9223372036854775807"],
    ["-1", `INCRBY a ${INT64_MAX}`, "9223372036854775806"],
    ["0", `DECRBY a ${INT64_MAX}`, "-9223372036854775807"],
    ["5", "INCRBY a 0", "5"],
    ["5", "DECRBY a 0", "5"],
    ["5", "DECRBY a -5", "10"],
    [INT64_MAX, "INCR a", null],
    [INT64_MIN, "DECR a", null],
    ["1", `INCRBY a ${INT64_MAX}`, null],
  ];
  for (const [value, command, result] of rows) {
    await ask(client, `SET a ${value} EX 100`);
    const reply = await ask(client, command);
    assertEquals(
      `${reply}`,
      result ?? INCREMENT_OVERFLOW,
      `${value} ${command}`,
    );
    await expectReplies(client, [
      ["GET a", result ?? value],
      ["OBJECT ENCODING a", "int"],
      ["TTL a", 100],
    ]);
  }
});

commandSuite("counting needs integers and makes keys", async ({ client }) => {
  await expectReplies(client, [
    ["INCR a", 1],
    ["OBJECT ENCODING a", "int"],
    ["DECRBY b 7", -7],
    ["INCRBY c 9007199254740993", 9007199254740993n],
    ["INCRBY a 1.5", NOT_AN_INTEGER],
    ["INCRBY a 01", NOT_AN_INTEGER],
    ["INCRBY a 9223372036854775808", NOT_AN_INTEGER],
    [`DECRBY a ${INT64_MIN}`, "-ERR decrement would overflow"],
    ["SET a 01", "OK"],
    ["INCR a", NOT_AN_INTEGER],
    [["SET", "a", ""], "OK"],
    ["INCR a", NOT_AN_INTEGER],
    [["SET", "a", "1".repeat(100_000)], "OK"],
    ["INCRBY a 9007199254740993", NOT_AN_INTEGER],
    ["SET a 1", "OK"],
    ["APPEND a 0", 2],
    ["OBJECT ENCODING a", "raw"],
    ["INCR a", 11],
    ["OBJECT ENCODING a", "int"],
  ]);
});

commandSuite("INCRBYFLOAT computes in long doubles", async ({ client }) => {
  const notFinite = "-ERR increment would produce NaN or Infinity";
  await expectReplies(client, [
    ["INCRBYFLOAT a 3.0", "3"],
    ["OBJECT ENCODING a", "embstr"],
    ["SET a 10.50", "OK"],
    ["INCRBYFLOAT a 0.1", "10.6"],
    ["INCRBYFLOAT a -5", "5.6"],
    ["INCRBYFLOAT a 5.0e3", "5005.60000000000000009"],
    ["SET a 1 EX 100", "OK"],
    ["INCRBYFLOAT a 1", "2"],
    ["OBJECT ENCODING a", "embstr"],
    ["TTL a", 100],
    ["INCR a", 3],
    ["INCRBYFLOAT a 1e30", "1000000000000000000024696061952"],
    ["INCRBYFLOAT a inf", notFinite],
    ["INCRBYFLOAT a x", NOT_A_FLOAT],
    ["SET a x", "OK"],
    ["INCRBYFLOAT a 1", NOT_A_FLOAT],
  ]);
});

commandSuite("APPEND adds to what is there", async ({ client }) => {
  await expectReplies(client, [
    ["APPEND a 12", 2],
    ["OBJECT ENCODING a", "int"],
    ["APPEND a 3", 3],
    ["OBJECT ENCODING a", "raw"],
    [["APPEND", "a", ""], 3],
    ["GET a", "123"],
    [["APPEND", "b", ""], 0],
    ["EXISTS b", 1],
    ["SET a 1 EX 100", "OK"],
    ["APPEND a 2", 2],
    ["TTL a", 100],
  ]);
  let value = "12";
  for (const length of [1, 30, 5000, 30_000, 40_000, 100_000, 3, 1_000_000]) {
    const piece = String.fromCharCode(length & 0xff).repeat(length);
    value += piece;
    assertEquals(await ask(client, ["APPEND", "a", piece]), value.length);
    assertEquals(await ask(client, "GET a"), value);
  }
});

commandSuite("SETRANGE overwrites and pads", async ({ client }) => {
  const offsetError = "-ERR offset is out of range";
  await expectReplies(client, [
    [["SETRANGE", "a", "5", ""], 0],
    ["EXISTS a", 0],
    ["SETRANGE a 3 xy", 5],
    ["GET a", "\0\0\0xy"],
    ["OBJECT ENCODING a", "raw"],
    ["SETRANGE a 0 hello", 5],
    ["SETRANGE a 7 z", 8],
    ["GET a", "hello\0\0z"],
    ["SETRANGE a -1 x", offsetError],
    [["SETRANGE", "a", "-1", ""], offsetError],
    [`SETRANGE a ${INT64_MAX} x`, TOO_LONG],
    ["SETRANGE a 536870911 xy", TOO_LONG],
    ["SETRANGE none 536870911 xy", TOO_LONG],
    ["SETRANGE a x y", NOT_AN_INTEGER],
    [["SETRANGE", "a", INT64_MAX, ""], 8],
    ["SET a 123", "OK"],
    [["SETRANGE", "a", "1", ""], 3],
    ["OBJECT ENCODING a", "int"],
    ["SETRANGE a 1 9", 3],
    ["OBJECT ENCODING a", "raw"],
    ["GET a", "193"],
    ["SETRANGE b 100000 x", 100_001],
    ["GET b", "\0".repeat(100_000) + "x"],
    ["SETRANGE b 99998 uvwxyz", 100_004],
    ["GETRANGE b -8 -1", "\0\0uvwxyz"],
  ]);
});

commandSuite("GETRANGE takes offsets from both ends", async ({ client }) => {
  const rows: [from: string, to: string, expected: string][] = [
    ["0", "0", "a"],
    ["0", "-1", "abcdef"],
    ["1", "3", "bcd"],
    ["-3", "-2", "de"],
    ["-100", "100", "abcdef"],
    ["4", "2", ""],
    ["-2", "-4", ""],
    ["6", "10", ""],
    ["0", "-100", "a"],
    [INT64_MIN, INT64_MAX, "abcdef"],
    [INT64_MAX, INT64_MAX, ""],
    [INT64_MIN, INT64_MIN, "a"],
    ["-9223372036854775807", INT64_MIN, ""],
  ];
  await ask(client, "SET a abcdef");
  for (const [from, to, expected] of rows) {
    await expectReplies(client, [
      [`GETRANGE a ${from} ${to}`, expected],
      [`SUBSTR a ${from} ${to}`, expected],
      [`GETRANGE none ${from} ${to}`, ""],
    ]);
  }
  const long = Array.from({ length: 90_000 }, (_, i) => i % 10).join("");
  await expectReplies(client, [
    ["GETRANGE a 0 x", NOT_AN_INTEGER],
    ["GETRANGE a x 0", NOT_AN_INTEGER],
    [["SET", "a", long], "OK"],
    ["GETRANGE a 3 6", "3456"],
    ["GETRANGE a 5 80000", long.slice(5, 80_001)],
    ["STRLEN a", 90_000],
    ["STRLEN none", 0],
  ]);
});

commandSuite(
  "a long reply shows the value of its moment",
  async ({ client }) => {
    const [x, y] = ["x".repeat(300_000), "y".repeat(300_000)];
    const replies = await client.pipeline([
      ["SET", "a", x],
      ["GET", "a"],
      ["SETRANGE", "a", 0, y],
      ["GET", "a"],
      ["APPEND", "a", "z"],
      ["GET", "a"],
      ["SET", "a", x, "GET"],
      ["GETSET", "a", "short"],
      ["GET", "a"],
    ]);
    const values = replies.flatMap((reply) =>
      reply.type === "bulk" ? [toBinary(reply.value)] : []
    );
    assert(
      [x, y, y + "z", y + "z", x, "short"].every((v, i) => v === values[i]),
      "every reply is the value that the commands before it left",
    );
  },
);

commandSuite("LCS finds text, length and indexes", async ({ client, resp }) => {
  await ask(client, `MSET ${T} ohmytext ${U} mynewtext`);
  const lcs = `LCS ${T} ${U}`;
  /** The map of a reply with IDX. */
  const indexes = (matches: Exchange[1]) =>
    resp === 3
      ? new Map<string, Exchange[1]>([["matches", matches], ["len", 6]])
      : ["matches", matches, "len", 6];
  const text = [[4, 7], [5, 8]];
  const my = [[2, 3], [0, 1]];
  await expectReplies(client, [
    [lcs, "mytext"],
    [`${lcs} LEN`, 6],
    [`${lcs} IDX`, indexes([text, my])],
    [`${lcs} idx withmatchlen`, indexes([[...text, 4], [...my, 2]])],
    [`${lcs} IDX MINMATCHLEN 4 WITHMATCHLEN`, indexes([[...text, 4]])],
    [`${lcs} IDX MINMATCHLEN -3`, indexes([text, my])],
    [`${lcs} IDX MINMATCHLEN ${INT64_MAX}`, indexes([])],
    [`${lcs} MINMATCHLEN x`, NOT_AN_INTEGER],
    [`${lcs} MINMATCHLEN`, SYNTAX],
    [`${lcs} FOO`, SYNTAX],
    [
      `${lcs} IDX LEN`,
      "-ERR If you want both the length and indexes, please just use IDX.",
    ],
    [`LCS ${T} none`, ""],
    [`LCS none none LEN`, 0],
    [`SETRANGE ${T} 20000 x`, 20_001],
    [
      `LCS ${T} ${T} LEN`,
      "-ERR Insufficient memory, transient memory for LCS exceeds " +
      "proto-max-bulk-len",
    ],
  ]);
});

/** SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP, BITFIELD, BITFIELD_RO. */
import { assertEquals } from "@std/assert";
import { Random, tagsOnDistinctSlots } from "../_harness.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const WRONGTYPE =
  "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_AN_INTEGER = "-ERR value is not an integer or out of range";
const SYNTAX = "-ERR syntax error";
const OFFSET = "-ERR bit offset is not an integer or out of range";
const BIT = "-ERR bit is not an integer or out of range";
const BIT_ARGUMENT = "-ERR The bit argument must be 1 or 0.";
const TYPE = "-ERR Invalid bitfield type. Use something like i16 u8. Note " +
  "that u64 is not supported but i64 is.";

/** Keys on different shards. */
const [T, U, V, W] = tagsOnDistinctSlots(4).map((tag) => `{${tag}}`);

commandSuite("SETBIT and GETBIT write and read bits", async ({ client }) => {
  await expectReplies(client, [
    ["GETBIT k 100", 0],
    ["SETBIT k 7 1", 0],
    ["GET k", "\x01"],
    ["SETBIT k 7 1", 1],
    ["SETBIT k 0 1", 0],
    ["GET k", "\x81"],
    ["GETBIT k 0", 1],
    ["GETBIT k 1", 0],
    ["GETBIT k 8", 0],
    ["SETBIT k 7 0", 1],
    ["SETBIT k 31 0", 0],
    ["GET k", "\x80\0\0\0"],
    ["OBJECT ENCODING k", "raw"],
    ["SET n 1", "OK"],
    ["SETBIT n 6 1", 0],
    ["GET n", "3"],
    ["SETBIT n 23 1", 0],
    ["GET n", "3\0\x01"],
    ["SETBIT far 4000000 1", 0],
    ["STRLEN far", 500_001],
    ["BITCOUNT far", 1],
    ["BITPOS far 1", 4_000_000],
    ["SETBIT k -1 1", OFFSET],
    ["SETBIT k abc 1", OFFSET],
    ["SETBIT k 4294967296 1", OFFSET],
    ["SETBIT k 1 2", BIT],
    ["SETBIT k 1 abc", BIT],
    ["SETBIT k abc 2", OFFSET],
    ["GETBIT k 4294967296", OFFSET],
    ["GETBIT k -1", OFFSET],
    ["HSET h a 1", 1],
    ["SETBIT h 1 1", WRONGTYPE],
    ["SETBIT h -1 1", OFFSET],
    ["GETBIT h 1", WRONGTYPE],
  ]);
});

commandSuite(
  "SETBIT changes a string that COPY shares alone",
  async ({ client }) => {
    await expectReplies(client, [
      [["SET", `${T}a`, "\0".repeat(200_000)], "OK"],
      [`COPY ${T}a ${T}b`, 1],
      [`SETBIT ${T}b 9 1`, 0],
      [`BITCOUNT ${T}a`, 0],
      [`BITCOUNT ${T}b`, 1],
    ]);
  },
);

commandSuite("BITCOUNT counts bits of a range", async ({ client }) => {
  await expectReplies(client, [
    ["BITCOUNT none", 0],
    ["BITCOUNT none 0 -1", 0],
    ["SET k foobar", "OK"],
    ["BITCOUNT k", 26],
    ["BITCOUNT k 0 0", 4],
    ["BITCOUNT k 1 1", 6],
    ["BITCOUNT k 1 -2", 18],
    ["BITCOUNT k -2 -1", 7],
    ["BITCOUNT k 1 1 BYTE", 6],
    ["BITCOUNT k 5 30 BIT", 17],
    ["BITCOUNT k 5 30 bit", 17],
    ["BITCOUNT k -5 -1 BIT", 2],
    ["BITCOUNT k 4 2", 0],
    ["BITCOUNT k -1 -4", 0],
    ["BITCOUNT k 2", 16],
    ["BITCOUNT k 100 200", 0],
    ["BITCOUNT k -100 0", 4],
    ["BITCOUNT k 9223372036854775807 -9223372036854775808", 0],
    ["BITCOUNT k 0 9223372036854775807", 26],
    ["BITCOUNT k a 1", NOT_AN_INTEGER],
    ["BITCOUNT k 1 a", NOT_AN_INTEGER],
    ["BITCOUNT none 1 a", NOT_AN_INTEGER],
    ["BITCOUNT k 1 2 BITS", SYNTAX],
    ["BITCOUNT none 1 2 BITS", SYNTAX],
    ["BITCOUNT k 1 2 BIT 3", SYNTAX],
    ["HSET h a 1", 1],
    ["BITCOUNT h", WRONGTYPE],
    ["BITCOUNT h 0 a", NOT_AN_INTEGER],
  ]);
});

commandSuite("BITPOS finds bits in a range", async ({ client }) => {
  await expectReplies(client, [
    ["BITPOS none 0", 0],
    ["BITPOS none 1", -1],
    [["SET", "k", "\xff\xf0\x00"], "OK"],
    ["BITPOS k 0", 12],
    ["BITPOS k 1", 0],
    ["BITPOS k 1 2", -1],
    ["BITPOS k 0 0 0", -1],
    ["BITPOS k 0 1", 12],
    ["BITPOS k 1 1 1", 8],
    ["BITPOS k 0 -1", 16],
    ["BITPOS k 1 7 15 BIT", 7],
    ["BITPOS k 0 7 15 BIT", 12],
    ["BITPOS k 0 13 14 BIT", 13],
    ["BITPOS k 1 13 -1 BIT", -1],
    ["BITPOS k 1 5 2", -1],
    [["SET", "ones", "\xff\xff"], "OK"],
    ["BITPOS ones 0", 16],
    ["BITPOS ones 0 0", 16],
    ["BITPOS ones 0 0 -1", -1],
    ["BITPOS ones 0 0 -1 BIT", -1],
    ["BITPOS ones 0 2", -1],
    [["SET", "empty", ""], "OK"],
    ["BITPOS empty 0", -1],
    ["BITPOS empty 1", -1],
    ["BITPOS k 2", BIT_ARGUMENT],
    ["BITPOS k a", NOT_AN_INTEGER],
    ["BITPOS k 1 a", NOT_AN_INTEGER],
    ["BITPOS none 1 a", NOT_AN_INTEGER],
    ["BITPOS k 1 0 a", NOT_AN_INTEGER],
    ["BITPOS k 1 0 1 BITS", SYNTAX],
    ["BITPOS k 1 0 a BITS", SYNTAX],
    ["BITPOS k 1 0 1 BIT 1", SYNTAX],
    ["HSET h a 1", 1],
    ["BITPOS h 1", WRONGTYPE],
  ]);
});

commandSuite("BITOP combines strings of several shards", async ({ client }) => {
  await expectReplies(client, [
    [["SET", `${T}a`, "\xff\x0f\xaa"], "OK"],
    [["SET", `${U}b`, "\x0f\xff"], "OK"],
    [`BITOP AND ${V}d ${T}a ${U}b`, 3],
    [`GET ${V}d`, "\x0f\x0f\0"],
    [`BITOP OR ${V}d ${T}a ${U}b`, 3],
    [`GET ${V}d`, "\xff\xff\xaa"],
    [`bitop xor ${V}d ${T}a ${U}b ${W}none`, 3],
    [`GET ${V}d`, "\xf0\xf0\xaa"],
    [`BITOP NOT ${V}d ${T}a`, 3],
    [`GET ${V}d`, "\0\xf0\x55"],
    [`OBJECT ENCODING ${V}d`, "raw"],
    [`BITOP AND ${V}d ${T}a ${W}none`, 3],
    [`GET ${V}d`, "\0\0\0"],
    // The target is a source as well, and may have been of another type.
    [`BITOP NOT ${T}a ${T}a`, 3],
    [`GET ${T}a`, "\0\xf0\x55"],
    [`HSET ${W}h a 1`, 1],
    [`BITOP OR ${W}h ${T}a`, 3],
    [`GET ${W}h`, "\0\xf0\x55"],
    [`EXPIRE ${W}h 100`, 1],
    [`BITOP OR ${W}h ${W}h`, 3],
    [`TTL ${W}h`, -1],
    [`BITOP OR ${W}h ${W}none`, 0],
    [`EXISTS ${W}h`, 0],
    [
      `BITOP NOT ${V}d ${T}a ${U}b`,
      "-ERR BITOP NOT must be called with a single source key.",
    ],
    [`BITOP NAND ${V}d ${T}a`, SYNTAX],
    [`HSET ${W}h a 1`, 1],
    [`BITOP AND ${V}d ${T}a ${W}h`, WRONGTYPE],
    [`BITOP AND ${V}d`, "-ERR wrong number of arguments for 'bitop' command"],
  ]);
});

commandSuite("BITOP combines long strings", async ({ client }) => {
  const random = new Random(1);
  for (const lengths of [[70_000, 65_536, 1], [200_003, 200_001, 131_073]]) {
    const texts = lengths.map((length) => random.binary(length));
    const keys = [`${T}a`, `${U}b`, `${V}c`];
    for (const [i, key] of keys.entries()) {
      await client.run("SET", key, "x");
      await client.run("SETRANGE", key, "0", texts[i]!);
    }
    const fold: Record<string, (a: number, b: number) => number> = {
      AND: (a, b) => a & b,
      OR: (a, b) => a | b,
      XOR: (a, b) => a ^ b,
    };
    const length = Math.max(...lengths);
    for (const [name, operation] of Object.entries(fold)) {
      const key = `${W}d`;
      const argv = ["BITOP", name, key, ...keys];
      assertEquals(await ask(client, argv), length);
      let expected = "";
      for (let i = 0; i < length; i++) {
        const bytes = texts.map((text) =>
          i < text.length ? text.charCodeAt(i) : 0
        );
        expected += String.fromCharCode(bytes.reduce(operation));
      }
      assertEquals(await ask(client, ["GET", key]) === expected, true, name);
    }
    await client.run("BITOP", "NOT", keys[0]!, keys[0]!);
    const found = `${await ask(client, ["GET", keys[0]!])}`;
    for (let i = 0; i < found.length; i += 997) {
      assertEquals(found.charCodeAt(i), texts[0]!.charCodeAt(i) ^ 0xff);
    }
  }
});

commandSuite("BITFIELD reads, writes and counts fields", async ({ client }) => {
  await expectReplies(client, [
    ["BITFIELD k", []],
    ["EXISTS k", 0],
    ["BITFIELD k GET u8 0 GET i64 100", [0, 0]],
    ["EXISTS k", 0],
    ["BITFIELD k SET u8 0 255 SET i8 #1 -1 GET u4 4", [0, 0, 15]],
    ["GET k", "\xff\xff"],
    ["BITFIELD k INCRBY u2 100 1 GET u4 0", [1, 15]],
    ["STRLEN k", 13],
    ["BITFIELD k OVERFLOW SAT INCRBY u2 100 5 OVERFLOW FAIL INCRBY u2 100 1", [
      3,
      null,
    ]],
    [
      "BITFIELD k OVERFLOW WRAP INCRBY u2 100 1 OVERFLOW sat INCRBY i5 102 -100",
      [
        0,
        -16,
      ],
    ],
    ["BITFIELD n SET i64 0 9223372036854775807 INCRBY i64 0 1", [
      0,
      -9223372036854775808n,
    ]],
    ["BITFIELD n OVERFLOW SAT INCRBY i64 0 -1 GET u63 0", [
      -9223372036854775808n,
      4611686018427387904n,
    ]],
    ["BITFIELD m SET u63 1 9223372036854775807 INCRBY u63 1 2", [0, 1]],
    ["BITFIELD m SET u32 #2 4294967295 GET i32 #2", [0, -1]],
    ["BITFIELD k GET u64 0", TYPE],
    ["BITFIELD k GET i65 0", TYPE],
    ["BITFIELD k GET u0 0", TYPE],
    ["BITFIELD k GET x8 0", TYPE],
    ["BITFIELD k GET u8 -1", OFFSET],
    ["BITFIELD k GET u8 abc", OFFSET],
    ["BITFIELD k GET u8 4294967296", OFFSET],
    ["BITFIELD k SET u8 0 abc", NOT_AN_INTEGER],
    ["BITFIELD k SET u8 0", SYNTAX],
    ["BITFIELD k BOGUS", SYNTAX],
    ["BITFIELD k OVERFLOW MAYBE", "-ERR Invalid OVERFLOW type specified"],
    ["BITFIELD k SET u8 0 7 GET u64 0", TYPE],
    ["BITFIELD k GET u8 0", [255]],
    ["HSET h a 1", 1],
    ["BITFIELD h GET u8 0", WRONGTYPE],
    ["BITFIELD h SET u8 0 1", WRONGTYPE],
  ]);
});

commandSuite("BITFIELD_RO only reads", async ({ client }) => {
  await expectReplies(client, [
    ["BITFIELD_RO none GET u8 0", [0]],
    ["SET k foobar", "OK"],
    ["BITFIELD_RO k GET u8 0 GET i8 8 GET u16 #1", [102, 111, 28514]],
    ["BITFIELD_RO k", []],
    [
      "BITFIELD_RO k GET u8 0 SET u8 0 1",
      "-ERR BITFIELD_RO only supports the GET subcommand",
    ],
    [
      "BITFIELD_RO k INCRBY u8 0 1",
      "-ERR BITFIELD_RO only supports the GET subcommand",
    ],
    ["BITFIELD_RO k GET u8", SYNTAX],
    ["GET k", "foobar"],
  ]);
});

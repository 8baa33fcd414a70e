import { assert, assertEquals } from "@std/assert";
import { pause } from "../_patience.ts";
import { plain } from "../_resp_client.ts";
import { ask, expectReplies } from "./_replies.ts";
import { commandSuite } from "./_suite.ts";

const NOT_AN_INTEGER = "-ERR value is not an integer or out of range";
const NX_ALONE =
  "-ERR NX and XX, GT or LT options at the same time are not compatible";
const GT_LT = "-ERR GT and LT options at the same time are not compatible";

/** Well before and after any time that a test calls now. */
const PAST_S = 1_000_000_000;
const FUTURE_S = 4_102_444_800;

commandSuite(
  "the EXPIRE family sets when a key expires",
  async ({ client }) => {
    await expectReplies(client, [
      ["SET a 1", "OK"],
      ["TTL a", -1],
      ["PTTL a", -1],
      ["EXPIRETIME a", -1],
      ["PEXPIRETIME a", -1],
      ["EXPIRE a 1000", 1],
      [`EXPIREAT a ${FUTURE_S}`, 1],
      ["EXPIRETIME a", FUTURE_S],
      ["PEXPIRETIME a", FUTURE_S * 1000],
      [`PEXPIREAT a ${FUTURE_S}123`, 1],
      ["PEXPIRETIME a", FUTURE_S * 1000 + 123],
      ["EXPIRETIME a", FUTURE_S],
      [`PEXPIREAT a ${FUTURE_S}500`, 1],
      ["EXPIRETIME a", FUTURE_S + 1],
      ["PEXPIRE a 100000", 1],
      ["GET a", "1"],
    ]);
    const ttl = await ask(client, "TTL a") as number;
    assert(ttl >= 99 && ttl <= 100, `${ttl}`);
    const pttl = await ask(client, "PTTL a") as number;
    assert(pttl > 90_000 && pttl <= 100_000, `${pttl}`);
  },
);

commandSuite("a missing key has no expire", async ({ client }) => {
  await expectReplies(client, [
    ["EXPIRE a 10", 0],
    ["PEXPIREAT a 0", 0],
    ["TTL a", -2],
    ["PTTL a", -2],
    ["EXPIRETIME a", -2],
    ["PEXPIRETIME a", -2],
    ["PERSIST a", 0],
  ]);
});

commandSuite("a time that has come deletes the key", async ({ client }) => {
  for (
    const command of [
      ...["EXPIRE a 0", "EXPIRE a -1", "PEXPIRE a -9223372036854775808"],
      ...[`EXPIREAT a ${PAST_S}`, "PEXPIREAT a 0", "EXPIREAT a -5"],
    ]
  ) {
    await expectReplies(client, [
      ["SET a 1", "OK"],
      [command, 1],
      ["EXISTS a", 0],
      [command, 0],
    ]);
  }
});

commandSuite("an expired key is gone for every command", async ({ client }) => {
  const expireAtMs = Date.now() + 20;
  await expectReplies(client, [
    ["MSET a 1 b 1 c 1", "OK"],
    [`PEXPIREAT a ${expireAtMs}`, 1],
    [`PEXPIREAT b ${expireAtMs}`, 1],
    [`PEXPIREAT c ${expireAtMs}`, 1],
  ]);
  while (await ask(client, "EXISTS a") !== 0);
  await expectReplies(client, [
    ["GET b", null],
    ["TYPE b", "none"],
    ["DEL c", 0],
    ["KEYS *", []],
    ["RANDOMKEY", null],
    ["SCAN 0", ["0", []]],
  ]);
});

commandSuite("NX, XX, GT and LT are conditions", async ({ client }) => {
  await expectReplies(client, [
    ["SET a 1", "OK"],
    ["EXPIRE a 100 XX", 0],
    ["EXPIRE a 100 GT", 0],
    ["EXPIRE a 100 LT", 1],
    ["PERSIST a", 1],
    ["EXPIRE a 100 LT XX", 0],
    ["EXPIRE a 100 nx", 1],
    ["EXPIRE a 200 NX", 0],
    ["EXPIRE a 50 GT", 0],
    ["EXPIRE a 200 gt", 1],
    ["EXPIRE a 300 LT", 0],
    ["EXPIRE a 100 lt xx", 1],
    ["EXPIRE a 100 XX XX", 1],
    [`EXPIREAT a ${FUTURE_S} GT XX`, 1],
    [`EXPIREAT a ${FUTURE_S} GT`, 0],
    [`EXPIREAT a ${FUTURE_S} LT`, 0],
    ["EXPIRE a 0 NX", 0],
    ["EXPIRE a 0 GT", 0],
    ["EXPIRE a -1 LT", 1],
    ["EXISTS a", 0],
  ]);
});

commandSuite(
  "the EXPIRE family refuses what it cannot do",
  async ({ client }) => {
    await expectReplies(client, [
      ["SET a 1", "OK"],
      ["EXPIRE a x", NOT_AN_INTEGER],
      ["EXPIRE a 1.5", NOT_AN_INTEGER],
      ["EXPIRE a 9223372036854775808", NOT_AN_INTEGER],
      ["EXPIRE a 10 BOGUS", "-ERR Unsupported option BOGUS"],
      ["EXPIRE a x BOGUS", "-ERR Unsupported option BOGUS"],
      ["EXPIRE a 10 NX XX", NX_ALONE],
      ["EXPIRE a 10 GT LT NX", NX_ALONE],
      ["EXPIRE a 10 GT LT", GT_LT],
      [
        "EXPIRE a 9223372036854775807",
        "-ERR invalid expire time in 'expire' command",
      ],
      [
        "EXPIRE a -9223372036854775808",
        "-ERR invalid expire time in 'expire' command",
      ],
      [
        "PEXPIRE a 9223372036854775807",
        "-ERR invalid expire time in 'pexpire' command",
      ],
      [
        "EXPIREAT a 9223372036854775807",
        "-ERR invalid expire time in 'expireat' command",
      ],
      ["TTL a", -1],
      ["PEXPIREAT a 9223372036854775807", 1],
      ["EXISTS a", 1],
    ]);
  },
);

commandSuite("PERSIST removes the expire", async ({ client }) => {
  await expectReplies(client, [
    ["SET a 1 EX 100", "OK"],
    ["PERSIST a", 1],
    ["PERSIST a", 0],
    ["TTL a", -1],
    ["GET a", "1"],
  ]);
});

commandSuite(
  "many expired keys are gone, deleted or not",
  async ({ client }) => {
    const keys = Array.from({ length: 700 }, (_, i) => `gone:${i}`);
    await client.run("DEBUG", "SET-ACTIVE-EXPIRE", "0");
    for (const key of keys) await client.run("SET", key, "v", "PX", "1");
    await pause(5);
    const nothing = new Array<null>(keys.length).fill(null);
    assertEquals(plain(await client.run("EXISTS", ...keys)), 0);
    assertEquals(plain(await client.run("MGET", ...keys)), nothing);
    assertEquals(plain(await client.run("TOUCH", ...keys)), 0);
    // Who asks for one alone, or writes, deletes it.
    for (const key of keys) {
      assertEquals(plain(await client.run("GET", key)), null);
    }
    assertEquals(plain(await client.run("DBSIZE")), 0);
    await client.run("DEBUG", "SET-ACTIVE-EXPIRE", "1");
  },
);

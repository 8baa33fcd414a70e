/** Fields that expire: HEXPIRE and its like, HGETDEL, HGETEX, HSETEX. */
import { assert, assertEquals } from "@std/assert";
import { tagsOnDistinctSlots } from "../_harness.ts";
import { pause, until, untilQuickEnough } from "../_patience.ts";
import { type Plain, plain, TestClient } from "../_resp_client.ts";
import { ask, type Exchange, expectReplies } from "./_replies.ts";
import { commandSuite, type SuiteContext } from "./_suite.ts";

const WRONGTYPE =
  "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_AN_INTEGER = "-ERR value is not an integer or out of range";
const NEGATIVE = "-ERR invalid expire time, must be >= 0";
const FIELDS_MISSING =
  "-ERR Mandatory argument FIELDS is missing or not at the right position";
const NUMFIELDS = "-ERR Parameter `numFields` should be greater than 0";
const COUNT = "-ERR Number of fields must be a positive integer";
const MISMATCH =
  "-ERR The `numfields` parameter must match the number of arguments";
const FUTURE_S = 4_102_444_800;
/** 2^46 - 1 milliseconds is the last moment there is. */
const LAST_MS = 70_368_744_177_663;

/** Keys on different shards. */
const [T, U] = tagsOnDistinctSlots(2).map((tag) => `{${tag}}`);

function wrongCount(command: string): string {
  return `-ERR wrong number of arguments for '${command}' command`;
}

function invalid(command: string): string {
  return `-ERR invalid expire time in '${command}' command`;
}

/** Registers a body that runs on packed and on large hashes. */
function bothSizes(
  name: string,
  body: (context: SuiteContext) => Promise<void>,
): void {
  commandSuite(name, async (context) => {
    for (const limit of [512, 0]) {
      const { client } = context;
      await client.run("FLUSHALL");
      await client.run(
        "CONFIG",
        "SET",
        "hash-max-listpack-entries",
        `${limit}`,
      );
      await body(context);
    }
    await context.client.run(
      "CONFIG",
      "SET",
      "hash-max-listpack-entries",
      "512",
    );
  });
}

/** Turns the active expiry off while `body` runs. */
async function withoutCycle(
  client: TestClient,
  body: () => Promise<void>,
): Promise<void> {
  await client.run("DEBUG", "SET-ACTIVE-EXPIRE", "0");
  try {
    await body();
  } finally {
    await client.run("DEBUG", "SET-ACTIVE-EXPIRE", "1");
  }
}

/** Lets fields of a hash expire in a moment, and waits for it. */
async function expireFields(
  client: TestClient,
  key: string,
  ...fields: string[]
): Promise<void> {
  const count = `${fields.length}`;
  await client.run("HPEXPIRE", key, "1", "FIELDS", count, ...fields);
  const set = await milliseconds(client);
  while (await milliseconds(client) <= set + 3);
}

/** What the server's clock says. */
async function milliseconds(client: TestClient): Promise<number> {
  const [seconds, microseconds] = await ask(client, "TIME") as string[];
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}

async function info(client: TestClient, name: string): Promise<string> {
  const text = `${await ask(client, "INFO everything")}`;
  return text.match(new RegExp(`^${name}:(.*)\r$`, "m"))?.[1] ?? "";
}

function flat(reply: Plain): Plain[] {
  return reply instanceof Map ? [...reply].flat() : reply as Plain[];
}

bothSizes(
  "HEXPIRE and its like say what became of each field",
  async ({ client }) => {
    await expectReplies(client, [
      ["HSET h a 1 b 2 c 3", 3],
      ["HEXPIRE h 100 FIELDS 2 a x", [1, -2]],
      ["HTTL h FIELDS 3 a b x", [100, -1, -2]],
      ["HPEXPIRE h 200000 FIELDS 1 a", [1]],
      ["HTTL h FIELDS 1 a", [200]],
      [`HEXPIREAT h ${FUTURE_S} FIELDS 1 a`, [1]],
      ["HEXPIRETIME h FIELDS 2 a b", [FUTURE_S, -1]],
      [`HPEXPIREAT h ${FUTURE_S}001 FIELDS 1 a`, [1]],
      ["HPEXPIRETIME h FIELDS 1 a", [FUTURE_S * 1000 + 1]],
      ["HEXPIRETIME h FIELDS 1 a", [FUTURE_S + 1]],
      ["hexpire h 10 fields 1 a", [1]],
      ["HGET h a", "1"],
      ["HEXPIRE none 100 FIELDS 2 a b", [-2, -2]],
      ["HTTL none FIELDS 2 a b", [-2, -2]],
      ["HPTTL none FIELDS 1 a", [-2]],
      ["HEXPIRETIME none FIELDS 1 a", [-2]],
      ["HPEXPIRETIME none FIELDS 1 a", [-2]],
      ["HPERSIST none FIELDS 1 a", [-2]],
      ["EXISTS none", 0],
    ]);
    const [left] = await ask(client, "HPTTL h FIELDS 1 a") as [number];
    assert(left > 9000 && left <= 10_000, `${left}`);
  },
);

bothSizes("a time that has come deletes the fields", async ({ client }) => {
  await expectReplies(client, [
    ["HSET h a 1 b 2 c 3 d 4", 4],
    ["HEXPIRE h 0 FIELDS 2 a x", [2, -2]],
    ["HPEXPIREAT h 1 FIELDS 1 b", [2]],
    ["HLEN h", 2],
    ["HEXPIREAT h 1 XX FIELDS 1 c", [0]],
    ["HPEXPIRE h 0 FIELDS 2 c d", [2, 2]],
    ["EXISTS h", 0],
  ]);
});

bothSizes("HEXPIRE obeys NX, XX, GT and LT", async ({ client }) => {
  await expectReplies(client, [
    ["HSET h a 1 b 2", 2],
    ["HEXPIRE h 100 XX FIELDS 1 a", [0]],
    ["HEXPIRE h 100 GT FIELDS 1 a", [0]],
    ["HEXPIRE h 100 NX FIELDS 1 a", [1]],
    ["HEXPIRE h 200 NX FIELDS 2 a b", [0, 1]],
    ["HEXPIRE h 300 gt FIELDS 2 a b", [1, 1]],
    ["HEXPIRE h 200 GT FIELDS 1 a", [0]],
    ["HEXPIRE h 400 LT FIELDS 1 a", [0]],
    ["HEXPIRE h 50 lt FIELDS 1 a", [1]],
    ["HEXPIRE h 60 XX FIELDS 2 a x", [1, -2]],
    ["HTTL h FIELDS 2 a b", [60, 300]],
    ["HPERSIST h FIELDS 1 a", [1]],
    ["HEXPIRE h 70 LT FIELDS 1 a", [1]],
    [`HPEXPIREAT h ${FUTURE_S}000 FIELDS 1 a`, [1]],
    [`HPEXPIREAT h ${FUTURE_S}000 GT FIELDS 1 a`, [0]],
    [`HPEXPIREAT h ${FUTURE_S}000 LT FIELDS 1 a`, [0]],
    ["HEXPIRE h 0 LT FIELDS 1 a", [2]],
  ]);
});

commandSuite(
  "HEXPIRE and its like check their arguments",
  async ({ client }) => {
    const s = Math.floor(LAST_MS / 1000);
    await client.run("SET", "s", "1");
    await client.run("HSET", "h", "a", "1");
    for (const command of ["hexpire", "hpexpire", "hexpireat", "hpexpireat"]) {
      const isAt = command.endsWith("at");
      const last = command.startsWith("hp") ? LAST_MS : s;
      const rows: Exchange[] = [
        ["k 1 FIELDS 1", wrongCount(command)],
        ["s 1 FIELDS 1 a", WRONGTYPE],
        ["s abc FIELDS 1 a", WRONGTYPE],
        ["k abc FIELDS 1 a", NOT_AN_INTEGER],
        ["k 1.5 FIELDS 1 a", NOT_AN_INTEGER],
        ["k 9223372036854775808 FIELDS 1 a", NOT_AN_INTEGER],
        ["k -1 FIELDS 1 a", NEGATIVE],
        ["k -9223372036854775808 FIELDS 1 a", NEGATIVE],
        ["k 9223372036854775807 FIELDS 1 a", invalid(command)],
        [`k ${last + 1} FIELDS 1 a`, invalid(command)],
        [`k ${last} FIELDS 1 a`, isAt ? [-2] : invalid(command)],
        ["k 1 BOGUS FIELDS 1 a", FIELDS_MISSING],
        ["k 1 1 FIELDS a", FIELDS_MISSING],
        ["k 1 NX XX FIELDS 1 a", FIELDS_MISSING],
        ["k 1 NX 1 FIELDS a", FIELDS_MISSING],
        ["k -1 NX 1 FIELDS a", NEGATIVE],
        ["k 1 FIELDS 0 a", NUMFIELDS],
        ["k 1 FIELDS -1 a", NUMFIELDS],
        ["k 1 FIELDS abc a", NUMFIELDS],
        ["k 1 FIELDS 9223372036854775808 a", NUMFIELDS],
        ["k 1 FIELDS 9223372036854775807 a", MISMATCH],
        ["k 1 FIELDS 2 a", MISMATCH],
        ["k 1 FIELDS 1 a b", MISMATCH],
        ["k 1 LT FIELDS 3 a b", MISMATCH],
        ["k 1 LT FIELDS 2 a b", [-2, -2]],
        ["h 1 FIELDS 2 a", MISMATCH],
      ];
      await expectReplies(
        client,
        rows.map(([args, reply]): Exchange => [`${command} ${args}`, reply]),
      );
    }
    await expectReplies(client, [
      ["HTTL h FIELDS 1 a", [-1]],
      [`HPEXPIREAT h ${LAST_MS} FIELDS 1 a`, [1]],
      ["HPEXPIRETIME h FIELDS 1 a", [LAST_MS]],
      ["HEXPIRETIME h FIELDS 1 a", [s + 1]],
    ]);
  },
);

commandSuite(
  "HTTL, HPERSIST and HGETDEL check their arguments",
  async ({ client }) => {
    await client.run("SET", "s", "1");
    await client.run("HSET", "h", "a", "1");
    const commands = [
      "httl",
      "hpttl",
      "hexpiretime",
      "hpexpiretime",
      "hpersist",
    ];
    for (const command of [...commands, "hgetdel"]) {
      const rows: Exchange[] = [
        ["k FIELDS 1", wrongCount(command)],
        ["s FIELDS 1 a", WRONGTYPE],
        ["s BOGUS 1 a", WRONGTYPE],
        ["k BOGUS 1 a", FIELDS_MISSING],
        ["k 1 FIELDS a", FIELDS_MISSING],
        ["k FIELDS 0 a", COUNT],
        ["k FIELDS -5 a", COUNT],
        ["k FIELDS abc a", COUNT],
        ["k FIELDS 9223372036854775808 a", COUNT],
        ["k FIELDS 2 a", MISMATCH],
        ["k FIELDS 1 a b", MISMATCH],
        ["h FIELDS 2 a b c", MISMATCH],
      ];
      await expectReplies(
        client,
        rows.map(([args, reply]): Exchange => [`${command} ${args}`, reply]),
      );
    }
  },
);

bothSizes("HPERSIST removes expires", async ({ client }) => {
  await expectReplies(client, [
    ["HSET h a 1 b 2", 2],
    ["HPERSIST h FIELDS 2 a x", [-1, -2]],
    ["HEXPIRE h 100 FIELDS 1 a", [1]],
    ["HPERSIST h FIELDS 3 a b x", [1, -1, -2]],
    ["HPERSIST h FIELDS 1 a", [-1]],
    ["HTTL h FIELDS 2 a b", [-1, -1]],
    ["HGET h a", "1"],
  ]);
});

bothSizes(
  "what sets a field removes its expire, what changes it does not",
  async ({ client }) => {
    const ttl = "HTTL h FIELDS 1 a";
    await expectReplies(client, [
      ["HSET h a 1 other 1", 2],
      ["HEXPIRE h 100 FIELDS 1 a", [1]],
      ["HINCRBY h a 5", 6],
      [ttl, [100]],
      ["HINCRBYFLOAT h a 0.5", "6.5"],
      [ttl, [100]],
      ["HSETNX h a 9", 0],
      [ttl, [100]],
      ["HSET h a 7", 0],
      [ttl, [-1]],
      ["HEXPIRE h 100 FIELDS 1 a", [1]],
      ["HMSET h a 8 b 1", "OK"],
      [ttl, [-1]],
      ["HEXPIRE h 100 FIELDS 1 a", [1]],
      ["HDEL h a", 1],
      ["HSET h a 1", 1],
      [ttl, [-1]],
      ["HEXPIRE h 100 FIELDS 1 a", [1]],
      [["HSET", "h", "long", "x".repeat(100)], 1],
      [ttl, [100]],
    ]);
  },
);

bothSizes("expired fields are not seen", async ({ client }) => {
  await withoutCycle(client, async () => {
    const fill = async () => {
      await client.run("DEL", "h");
      await client.run("HSET", "h", "a", "1", "b", "2", "c", "3", "d", "4");
      await expireFields(client, "h", "a", "b", "c");
    };
    await fill();
    assertEquals(flat(await ask(client, "HGETALL h")), ["d", "4"]);
    assertEquals(await ask(client, "HLEN h"), 4);
    await expectReplies(client, [
      ["HKEYS h", ["d"]],
      ["HVALS h", ["4"]],
      ["HSCAN h 0", ["0", ["d", "4"]]],
      ["HRANDFIELD h", "d"],
      ["HRANDFIELD h 10", ["d"]],
      ["HRANDFIELD h -3", ["d", "d", "d"]],
      ["HTTL h FIELDS 2 a d", [-2, -1]],
      ["HPEXPIRETIME h FIELDS 2 a d", [-2, -1]],
      ["HLEN h", 4],
      ["HGET h a", null],
      ["HLEN h", 3],
      ["HEXISTS h b", 0],
      ["HSTRLEN h c", 0],
      ["HLEN h", 1],
    ]);
    await fill();
    await expectReplies(client, [
      ["HMGET h a b c d", [null, null, null, "4"]],
      ["HLEN h", 1],
    ]);
    await fill();
    await expectReplies(client, [
      ["HSET h a 9", 1],
      ["HSETNX h b 8", 1],
      ["HINCRBY h c 7", 7],
      ["HTTL h FIELDS 3 a b c", [-1, -1, -1]],
      ["HMGET h a b c", ["9", "8", "7"]],
    ]);
    await fill();
    await expectReplies(client, [
      ["HDEL h a d", 1],
      ["HEXPIRE h 100 FIELDS 2 b d", [-2, -2]],
      ["HPERSIST h FIELDS 1 c", [-2]],
      ["EXISTS h", 0],
    ]);
    await fill();
    await expectReplies(client, [
      ["HINCRBYFLOAT h a 1.5", "1.5"],
      ["HGETDEL h FIELDS 3 b c d", [null, null, "4"]],
      ["HKEYS h", ["a"]],
    ]);
  });
});

bothSizes("a hash all of whose fields have expired", async ({ client }) => {
  await withoutCycle(client, async () => {
    const fill = async () => {
      await client.run("DEL", "h");
      await client.run("HSET", "h", "a", "1", "b", "2");
      await expireFields(client, "h", "a", "b");
    };
    await fill();
    assertEquals(flat(await ask(client, "HGETALL h")), []);
    await expectReplies(client, [
      ["HRANDFIELD h", null],
      ["HRANDFIELD h 5", []],
      ["HSCAN h 0", ["0", []]],
      ["EXISTS h", 1],
      ["HMGET h a b", [null, null]],
      ["EXISTS h", 0],
    ]);
    await fill();
    await expectReplies(client, [["HSETNX h c 1", 1], ["HKEYS h", ["c"]]]);
    await fill();
    await expectReplies(client, [["HDEL h a b", 0], ["EXISTS h", 0]]);
    await fill();
    await expectReplies(client, [
      ["HSETEX h FXX FIELDS 1 a 1", 0],
      ["HSETEX h FNX FIELDS 2 a 1 b 2", 1],
      ["HTTL h FIELDS 2 a b", [-1, -1]],
    ]);
  });
});

bothSizes(
  "expired fields are removed although nobody asks",
  async ({ client }) => {
    await client.run("CONFIG", "RESETSTAT");
    await withoutCycle(client, async () => {
      await client.run("HSET", "plain", "a", "1");
      for (let i = 0; i < 20; i++) {
        const soon = ["PX", "1", "FIELDS"];
        await client.run("HSET", `h${i}`, "c", "3");
        await client.run("HSETEX", `h${i}`, ...soon, "2", "a", "1", "b", "2");
        await client.run("HSETEX", `gone${i}`, ...soon, "1", "a", "1");
      }
      await expireFields(client, "plain", "b");
      assertEquals(await ask(client, "HLEN h7"), 3);
      assertEquals(await info(client, "expired_subkeys"), "0");
      const counts = "keys=41,expires=0,avg_ttl=0,subexpiry=40";
      assertEquals(await info(client, "db0"), counts);
    });
    await until(
      "all fields are removed",
      async () => await info(client, "expired_subkeys") === "60",
    );
    assertEquals(await info(client, "expired_keys"), "0");
    assertEquals(
      await info(client, "db0"),
      "keys=21,expires=0,avg_ttl=0,subexpiry=0",
    );
  },
);

bothSizes(
  "COPY, RENAME and MOVE carry the expires of fields",
  async ({ client }) => {
    await expectReplies(client, [
      [`HSET ${T}h a 1 b 2`, 2],
      [`HPEXPIREAT ${T}h ${FUTURE_S}000 FIELDS 1 a`, [1]],
      [`COPY ${T}h ${U}copy`, 1],
      [`COPY ${T}h ${T}copy`, 1],
      [`RENAME ${T}h ${T}near`, "OK"],
      [`RENAME ${T}near ${U}far`, "OK"],
      [`MOVE ${U}far 1`, 1],
    ]);
    for (const key of [`${U}copy`, `${T}copy`]) {
      const times = await ask(client, `HEXPIRETIME ${key} FIELDS 2 a b`);
      assertEquals(times, [FUTURE_S, -1]);
    }
    assertEquals(
      await info(client, "db0"),
      "keys=2,expires=0,avg_ttl=0,subexpiry=2",
    );
    await expectReplies(client, [
      ["SELECT 1", "OK"],
      [`HEXPIRETIME ${U}far FIELDS 2 a b`, [FUTURE_S, -1]],
      ["SELECT 0", "OK"],
      [`HPERSIST ${U}copy FIELDS 1 a`, [1]],
      [`DEL ${T}copy`, 1],
      [`PEXPIRE ${U}copy 100000`, 1],
    ]);
    assertEquals(
      await info(client, "db0"),
      "keys=1,expires=1,avg_ttl=0,subexpiry=0",
    );
  },
);

commandSuite(
  "a hash with expires has an encoding of its own",
  async ({ client }) => {
    await expectReplies(client, [
      ["CONFIG SET hash-max-listpack-entries 3", "OK"],
      ["HSET h a 1 b 2", 2],
      ["OBJECT ENCODING h", "listpack"],
      ["HEXPIRE h 100 FIELDS 1 a", [1]],
      ["OBJECT ENCODING h", "listpackex"],
      ["HPERSIST h FIELDS 1 a", [1]],
      ["OBJECT ENCODING h", "listpackex"],
      ["HEXPIRE h 100 FIELDS 1 a", [1]],
      ["HSET h c 3", 1],
      ["OBJECT ENCODING h", "listpackex"],
      ["HSET h d 4", 1],
      ["OBJECT ENCODING h", "hashtable"],
      ["HTTL h FIELDS 4 a b c d", [100, -1, -1, -1]],
      ["CONFIG SET hash-max-listpack-entries 512", "OK"],
    ]);
  },
);

bothSizes("HGETDEL reads fields and removes them", async ({ client }) => {
  await expectReplies(client, [
    ["HSET h a 1 b 2 c 3", 3],
    ["HGETDEL h FIELDS 3 a x a", ["1", null, null]],
    ["HLEN h", 2],
    ["HGETDEL none FIELDS 2 a b", [null, null]],
    ["HGETDEL h FIELDS 2 b c", ["2", "3"]],
    ["EXISTS h", 0],
  ]);
});

bothSizes(
  "HGETEX reads fields and changes when they expire",
  async ({ client }) => {
    await expectReplies(client, [
      ["HSET h a 1 b 2 c 3", 3],
      ["HGETEX h FIELDS 3 a x b", ["1", null, "2"]],
      ["HGETEX none EX 10 FIELDS 2 a b", [null, null]],
      ["EXISTS none", 0],
      ["HTTL h FIELDS 2 a b", [-1, -1]],
      ["HGETEX h EX 100 FIELDS 2 a x", ["1", null]],
      ["HTTL h FIELDS 2 a b", [100, -1]],
      ["HGETEX h FIELDS 1 a", ["1"]],
      ["HTTL h FIELDS 1 a", [100]],
      ["HGETEX h px 200000 FIELDS 1 a", ["1"]],
      ["HTTL h FIELDS 1 a", [200]],
      [`HGETEX h EXAT ${FUTURE_S} FIELDS 1 a`, ["1"]],
      [`HGETEX h PXAT ${FUTURE_S}001 FIELDS 1 b`, ["2"]],
      ["HPEXPIRETIME h FIELDS 2 a b", [FUTURE_S * 1000, FUTURE_S * 1000 + 1]],
      ["HGETEX h PERSIST FIELDS 3 a b c", ["1", "2", "3"]],
      ["HTTL h FIELDS 3 a b c", [-1, -1, -1]],
      ["HGETEX h PXAT 1 FIELDS 2 a b", ["1", "2"]],
      ["HLEN h", 1],
      ["HGETEX h EX 0 FIELDS 1 c", ["3"]],
      ["EXISTS h", 0],
    ]);
  },
);

commandSuite("HGETEX checks its arguments", async ({ client }) => {
  await client.run("SET", "s", "1");
  await client.run("HSET", "h", "a", "1");
  const rows: Exchange[] = [
    ["k FIELDS 1", wrongCount("hgetex")],
    ["s FIELDS 1 a", WRONGTYPE],
    ["s EX abc FIELDS 1 a", WRONGTYPE],
    ["k BOGUS 1 a", FIELDS_MISSING],
    ["k PXAT 1 1", FIELDS_MISSING],
    ["k PERSIST 1 FIELDS 1 a", FIELDS_MISSING],
    ["k KEEPTTL FIELDS 1 a", FIELDS_MISSING],
    ["k EX 10 PX 10 FIELDS 1 a", FIELDS_MISSING],
    ["k EX FIELDS 1 a", NOT_AN_INTEGER],
    ["k EX abc FIELDS 1 a", NOT_AN_INTEGER],
    ["k EXAT 9223372036854775808 FIELDS 1 a", NOT_AN_INTEGER],
    ["k PX -1 FIELDS 1 a", NEGATIVE],
    ["k EXAT -1 FIELDS 1 a", NEGATIVE],
    [`k PX ${LAST_MS} FIELDS 1 a`, invalid("hgetex")],
    [`k PXAT ${LAST_MS + 1} FIELDS 1 a`, invalid("hgetex")],
    [`k PXAT ${LAST_MS} FIELDS 1 a`, [null]],
    ["k EX 9223372036854775807 FIELDS 1 a", invalid("hgetex")],
    ["k FIELDS 0 a", COUNT],
    ["k FIELDS -1 a", COUNT],
    ["k EX 10 FIELDS abc a", COUNT],
    ["k PERSIST FIELDS 2 a", MISMATCH],
    ["k EX 10 FIELDS 1 a b", MISMATCH],
    ["k EX 10 FIELDS 1", MISMATCH],
    ["h FIELDS 1 a", ["1"]],
  ];
  await expectReplies(
    client,
    rows.map(([args, reply]): Exchange => [`HGETEX ${args}`, reply]),
  );
});

bothSizes("HSETEX sets fields and when they expire", async ({ client }) => {
  await expectReplies(client, [
    ["HSETEX h FIELDS 2 a 1 b 2", 1],
    ["HTTL h FIELDS 2 a b", [-1, -1]],
    ["HSETEX h EX 100 FIELDS 2 a 3 c 4", 1],
    ["HMGET h a b c", ["3", "2", "4"]],
    ["HTTL h FIELDS 3 a b c", [100, -1, 100]],
    ["HSETEX h KEEPTTL FIELDS 2 a 5 b 6", 1],
    ["HTTL h FIELDS 3 a b c", [100, -1, 100]],
    ["HSETEX h FIELDS 1 a 7", 1],
    ["HTTL h FIELDS 1 a", [-1]],
    ["HSETEX h px 200000 FIELDS 1 a 8", 1],
    ["HTTL h FIELDS 1 a", [200]],
    [`HSETEX h EXAT ${FUTURE_S} FIELDS 1 a 9`, 1],
    [`HSETEX h PXAT ${FUTURE_S}001 FIELDS 1 b 9`, 1],
    ["HPEXPIRETIME h FIELDS 2 a b", [FUTURE_S * 1000, FUTURE_S * 1000 + 1]],
    ["HSETEX h FXX FIELDS 2 a 1 x 1", 0],
    ["HSETEX h FXX FIELDS 2 a 10 b 11", 1],
    ["HSETEX h FNX FIELDS 2 x 1 a 1", 0],
    ["HSETEX h EX 50 FNX FIELDS 2 x 12 y 13", 1],
    ["HMGET h a b x y", ["10", "11", "12", "13"]],
    ["HSETEX none FXX FIELDS 1 a 1", 0],
    ["EXISTS none", 0],
    ["HSETEX none FNX FIELDS 1 a 1", 1],
    ["HSETEX h FIELDS 2 d 1 d 2", 1],
    ["HGET h d", "2"],
    ["HSETEX h PXAT 1 FIELDS 4 a 1 b 1 new 1 x 1", 1],
    ["HMGET h a b new x", [null, null, null, null]],
    ["HLEN h", 3],
    ["HSETEX h EX 0 FIELDS 3 c 1 y 1 d 1", 1],
    ["EXISTS h", 0],
    ["HSETEX fresh PXAT 1 FIELDS 1 a 1", 1],
    ["EXISTS fresh", 0],
    [["HSETEX", "long", "EX", "100", "FIELDS", "1", "a", "x".repeat(500)], 1],
    ["HTTL long FIELDS 1 a", [100]],
  ]);
});

commandSuite("HSETEX checks its arguments", async ({ client }) => {
  const arity = wrongCount("hsetex");
  const conditions = "-ERR Only one of FXX or FNX arguments can be specified";
  const expires = "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments " +
    "can be specified";
  const count = "-ERR invalid number of fields";
  await client.run("SET", "s", "1");
  const rows: Exchange[] = [
    ["k FIELDS 1 a", arity],
    ["s FIELDS 1 a 1", WRONGTYPE],
    ["s BOGUS FIELDS 1 a 1", "-ERR unknown argument: BOGUS"],
    ["k NX FIELDS 1 a 1", "-ERR unknown argument: NX"],
    ["k PERSIST FIELDS 1 a 1", "-ERR unknown argument: PERSIST"],
    ["k 1 FIELDS 1 a 1", "-ERR unknown argument: 1"],
    ["k FXX FNX FIELDS 1 a 1", conditions],
    ["k FNX FNX FIELDS 1 a 1", conditions],
    ["k FXX EX 10 FXX FIELDS 1 a 1", conditions],
    ["k EX 10 PX 10 FIELDS 1 a 1", expires],
    ["k EX 10 EX 10 FIELDS 1 a 1", expires],
    ["k EXAT 0 PXAT 10 FIELDS 1 a 1", expires],
    ["k KEEPTTL EX 10 FIELDS 1 a 1", expires],
    ["k PX 10 KEEPTTL FIELDS 1 a 1", expires],
    ["k KEEPTTL KEEPTTL FIELDS 1 a 1", 1],
    ["k EX FIELDS 1 a 1", NOT_AN_INTEGER],
    ["k FNX KEEPTTL EX 10", expires],
    ["k FNX FXX KEEPTTL EX", conditions],
    ["k KEEPTTL KEEPTTL KEEPTTL FXX", arity],
    ["k FNX EX 10 FIELDS", arity],
    ["k PX abc FIELDS 1 a 1", NOT_AN_INTEGER],
    ["k PX -1 FIELDS 1 a 1", NEGATIVE],
    [`k EX ${LAST_MS} FIELDS 1 a 1`, invalid("hsetex")],
    [`k PXAT ${LAST_MS + 1} FIELDS 1 a 1`, invalid("hsetex")],
    ["k FIELDS 0 a 1", count],
    ["k FIELDS -1 a 1", count],
    ["k FIELDS abc a 1", count],
    ["k FIELDS 2147483648 a 1", count],
    ["k FIELDS 2 a 1", arity],
    ["k FIELDS 1 a 1 b", arity],
    ["k FIELDS 1 a 1 b 2", arity],
    ["k FIELDS 3 a 1 b 2", arity],
  ];
  await expectReplies(
    client,
    rows.map(([args, reply]): Exchange => [`HSETEX ${args}`, reply]),
  );
});

commandSuite(
  "a reply shows fields that expire while it is sent",
  async ({ client }) => {
    const count = 5000;
    await untilQuickEnough(async (factor) => {
      const px = 100 * factor;
      const argv = ["HSETEX", "h", "PX", `${px}`, "FIELDS", `${count}`];
      for (let i = 0; i < count; i++) argv.push(`f${i}`, "v".repeat(100));
      await client.sendCommands([argv, ["HGETALL", "h"]]);
      await pause(px + 50);
      assertEquals(plain(await client.readReply()), 1);
      const fields = flat(plain(await client.readReply())).length / 2;
      // They may have expired before they were asked for.
      assert(fields === count || fields === 0, `${fields} of ${count}`);
      return fields === count;
    });
    assertEquals(await ask(client, "HGET h f1"), null);
  },
);

/** Makes hashes of which most fields have expired; returns the names of the rest. */
async function expireMost(
  client: TestClient,
  keys: readonly string[],
): Promise<string[]> {
  const count = 3000;
  const lasting: string[] = [];
  const expiring: string[] = [];
  for (let i = 0; i < count; i++) {
    (i % 100 === 7 ? lasting : expiring).push(`f${i}`);
  }
  const pairs = [...lasting, ...expiring].flatMap((name) => [name, "v" + name]);
  for (const key of keys) await client.run("HSET", key, ...pairs);
  for (const key of keys) await expireFields(client, key, ...expiring);
  return lasting.sort();
}

commandSuite(
  "who counts fields removes some if very many have expired",
  async ({ client, resp }) => {
    const keys = [`${T}a`, `${T}b`, `${U}a`, `${U}b`, `${U}c`];
    const [a, b, c, d, e] = keys;
    await withoutCycle(client, async () => {
      const lasting = await expireMost(client, keys);
      const values = lasting.map((name) => "v" + name);
      // Those behind it wait for their turn.
      const replies = await client.pipeline([
        ["HSET", a!, "f7", "vf7"],
        ["HGETALL", a!],
        ["HKEYS", b!],
        ["HVALS", c!],
        ["HRANDFIELD", d!, "100000", "WITHVALUES"],
        ["HRANDFIELD", e!, "-200"],
        ["HRANDFIELD", e!],
        ["ECHO", "next"],
      ]);
      const [, all, names, texts, drawn, repeated, one, echo] = replies.map(
        plain,
      );
      const pairs = (reply: Plain): string[] =>
        flat(reply).flat().filter((_, i) => i % 2 === 0) as string[];
      assertEquals(pairs(all!).sort(), lasting);
      assertEquals((names as string[]).sort(), lasting);
      assertEquals((texts as string[]).sort(), values.sort());
      assertEquals(
        (resp === 3
          ? (drawn as Plain[][]).map(([name]) => name)
          : pairs(drawn!))
          .sort(),
        lasting,
      );
      assertEquals((repeated as string[]).length, 200);
      for (const name of [...repeated as string[], one]) {
        assert(lasting.includes(name as string), `${name}`);
      }
      assertEquals(echo, "next");
      for (const key of keys) {
        const left = await ask(client, `HLEN ${key}`) as number;
        assert(left < 3000, `${key} has ${left} fields`);
      }
    });
  },
);

commandSuite(
  "expired fields are counted in a transaction; a hash of none else is empty",
  async ({ client, server }) => {
    const keys = [`${T}a`, `${U}a`];
    await withoutCycle(client, async () => {
      const lasting = await expireMost(client, keys);
      const [, , , counted] = (await client.pipeline([
        ["MULTI"],
        ["HKEYS", keys[0]!],
        ["HRANDFIELD", keys[1]!, "1000"],
        ["EXEC"],
      ])).map(plain) as [Plain, Plain, Plain, string[][]];
      for (const names of counted) assertEquals(names.sort(), lasting);
      // All of them are gone: so is the hash.
      const last = ["DEL", `${U}b`, `${T}b`];
      await client.run(...last);
      const fields = Array.from({ length: 2000 }, (_, i) => `f${i}`);
      for (const key of last.slice(1)) {
        await client.run("HSET", key, ...fields.flatMap((name) => [name, "v"]));
        await expireFields(client, key, ...fields);
      }
      using other = await TestClient.connect(server.port);
      const [found, random] = await Promise.all([
        ask(client, `HGETALL ${U}b`),
        other.run("HRANDFIELD", `${T}b`),
      ]);
      assertEquals(flat(found), []);
      assertEquals(plain(random), null);
    });
  },
);

commandSuite(
  "a step of HSCAN ends at expired fields, too",
  async ({ client }) => {
    const [key] = [`${T}a`];
    await withoutCycle(client, async () => {
      const lasting = await expireMost(client, [key]);
      const found = new Set<string>();
      let cursor = "0";
      let steps = 0;
      do {
        const [next, names] = plain(
          await client.run("HSCAN", key, cursor, "COUNT", "50", "NOVALUES"),
        ) as [string, string[]];
        for (const name of names) found.add(name);
        cursor = next;
        steps++;
      } while (cursor !== "0");
      assertEquals([...found].sort(), lasting);
      assert(steps > 20, `${steps} steps`);
    });
  },
);

/**
 * A snapshot is a picture of one instant, whatever goes on meanwhile.
 *
 * SHERD_SNAPSHOTS: how many are taken under load.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import {
  Random,
  sharedServers,
  startServer,
  type TestServer,
} from "../_harness.ts";
import type { TestClient } from "../_resp_client.ts";
import { plain } from "../_resp_reply.ts";
import { KINDS } from "../_values.ts";
import { ask, bgsave, digestsIn, fact, Folder, settled } from "./_snapshots.ts";

const SNAPSHOTS = Number(Deno.env.get("SHERD_SNAPSHOTS") ?? "50");
const PAIRS = 400;
const NO_EVICTION = ["maxmemory-policy", "noeviction"];

/** Changes that keep the keys `a:i` and `b:i` equal, in one command or EXEC. */
function changePair(random: Random, i: number): string[][] {
  const n = String(random.below(1_000_000));
  const both = (...words: string[]) => [
    ["MULTI"],
    ...["a", "b"].map((side) =>
      words.map((word) => word.replace("KEY", `${side}:${i}`))
    ),
    ["EXEC"],
  ];
  switch (random.below(14)) {
    case 0:
      return [["MSET", `a:${i}`, n, `b:${i}`, n]];
    case 1:
      return [["DEL", `a:${i}`, `b:${i}`]];
    case 2:
      return [["UNLINK", `b:${i}`, `a:${i}`], ...both("RPUSH", "KEY", n, "x")];
    case 3:
      return both("APPEND", "KEY", n);
    case 4:
      return [["DEL", `a:${i}`, `b:${i}`], ...both("HSET", "KEY", n, n)];
    case 5:
      return both("HSET", "KEY", n, "v");
    case 6:
      return both("RPUSH", "KEY", n);
    case 7:
      return both("LPOP", "KEY");
    case 8:
      return [["DEL", `a:${i}`, `b:${i}`], ...both("ZADD", "KEY", n, n)];
    case 9:
      return both("EXPIRE", "KEY", "1000");
    case 10:
      return both("PERSIST", "KEY");
    case 11:
      return [["DEL", `a:${i}`, `b:${i}`], ...both("SADD", "KEY", n, "1", "2")];
    case 12:
      return both("SETRANGE", "KEY", String(random.below(200)), n);
    default:
      return both("SPOP", "KEY");
  }
}

async function changePairs(
  server: TestServer,
  seed: number,
  isOver: () => boolean,
): Promise<number> {
  const random = new Random(seed);
  using client = await server.client();
  let changes = 0;
  while (!isOver()) {
    // Each writer has pairs of its own: SPOP would tell two apart.
    const batch = Array.from(
      { length: 20 },
      () => changePair(random, random.below(PAIRS / 4) * 4 + seed % 4),
    ).flat().filter(([name]) => name !== "SPOP");
    await client.pipeline(balanced(batch));
    changes += batch.length;
  }
  return changes;
}

/** Leaves out transactions that have lost what was in them. */
function balanced(batch: string[][]): string[][] {
  return batch.filter(([name], i) =>
    !(name === "MULTI" && batch[i + 1]?.[0] === "EXEC") &&
    !(name === "EXEC" && batch[i - 1]?.[0] === "MULTI")
  );
}

for (const workers of [1, 3]) {
  Deno.test(`snapshots never show half of a change (workers ${workers})`, async () => {
    using folder = new Folder();
    await using server = await startServer({
      workers,
      args: ["--dir", folder.path],
    });
    using client = await server.client();
    // Enough that the walk takes a while.
    await client.pipeline(
      Array.from({ length: 20_000 }, (_, i) => ["SET", `other:${i}`, "x"]),
    );
    let isOver = false;
    const writers = [0, 1, 2, 3].map((seed) =>
      changePairs(server, seed, () => isOver)
    );
    try {
      for (let n = 0; n < SNAPSHOTS / 2; n++) {
        await bgsave(client);
        const digests = digestsIn(folder.dump, /^[ab]:/);
        assertEquals(
          [...digests.keys()].filter((key) => key.includes("other")).length,
          20_000,
        );
        for (let i = 0; i < PAIRS; i++) {
          assertEquals(
            digests.get(`0 a:${i}`),
            digests.get(`0 b:${i}`),
            `pair ${i} in snapshot ${n}`,
          );
        }
      }
    } finally {
      isOver = true;
      await Promise.all(writers);
    }
  });
}

/** Values that take a while to write, but are no large ones. */
const MIDDLING = 150;
const ELEMENTS = Array.from({ length: 100 }, (_, i) => `element ${i}`);
const TEXT = "some text ".repeat(3000);
const middling = (name: string) =>
  Array.from({ length: MIDDLING }, (_, i) => `${name}:${i}`);

/** Commands of many keys, fewer than are gone through in slices otherwise. */
const MANY_KEYS: string[][] = [
  ["DEL", ...middling("middling").slice(0, 100)],
  ["MSETNX", "text:1", "new", ...middling("new").flatMap((key) => [key, "v"])],
  ["MSET", ...middling("text").flatMap((key) => [key, "new"])],
  ["UNLINK", ...middling("middling")],
  ["DEL", ...middling("text")],
];

/** Fills two databases with values of all kinds and many small ones. */
async function fill(client: TestClient): Promise<void> {
  const commands: string[][] = [];
  for (const [k, kind] of KINDS.entries()) {
    for (let i = 0; i < 1; i++) {
      for (const command of kind.make(`kind:${k}:${i}`, i)) {
        commands.push([...command]);
      }
    }
  }
  for (let i = 0; i < 12_000; i++) commands.push(["SET", `small:${i}`, `${i}`]);
  for (let i = 0; i < 1000; i++) {
    commands.push(["SET", `volatile:${i}`, `${i}`, "PX", "60000"]);
    commands.push(["HSET", `fields:${i}`, "a", "1", "b", "2"]);
  }
  for (let i = 0; i < MIDDLING; i++) {
    commands.push(["SADD", `middling:${i}`, ...ELEMENTS]);
    commands.push(["SET", `text:${i}`, TEXT + i]);
  }
  commands.push(["SELECT", "1"]);
  for (let i = 0; i < 2000; i++) {
    commands.push(["RPUSH", `list:${i}`, "a", "b"]);
  }
  commands.push(["SELECT", "0"]);
  await client.pipeline(commands);
}

/** Changes to be made right after the cut, of every way an entry can change. */
const CHANGES: readonly (readonly [string, readonly string[][]])[] = [
  ["nothing", []],
  [
    "commands on all kinds",
    KINDS.flatMap((kind, k) =>
      Array.from({ length: 1 }, (_, i) => [...kind.change(`kind:${k}:${i}`)])
    ),
  ],
  [
    "deletions",
    KINDS.flatMap((_, k) =>
      Array.from({ length: 1 }, (_, i) => ["DEL", `kind:${k}:${i}`])
    ),
  ],
  ["FLUSHALL", [["FLUSHALL"], ["SET", "small:1", "new"]]],
  ["FLUSHDB of another database", [["SELECT", "1"], ["FLUSHDB"]]],
  [
    "SWAPDB",
    [
      ["SWAPDB", "0", "1"],
      ["SET", "small:1", "new"],
      ["SWAPDB", "1", "2"],
      ["FLUSHALL"],
      ["SWAPDB", "0", "2"],
    ],
  ],
  [
    "RENAME, COPY and MOVE",
    Array.from({ length: 500 }, (_, i) => [
      ["RENAME", `small:${i}`, `small:${i + 1000}`],
      ["COPY", `small:${i + 2000}`, `small:${i + 3000}`, "REPLACE"],
      ["MOVE", `small:${i + 4000}`, "1"],
      ["COPY", `small:${i + 5000}`, `list:${i}`, "DB", "1", "REPLACE"],
      ["RENAME", `fields:${i}`, `small:${i + 6000}`],
    ]).flat(),
  ],
  [
    "key expiry",
    Array.from({ length: 1000 }, (_, i) => ["PEXPIRE", `volatile:${i}`, "1"]),
  ],
  [
    "field expiry",
    Array.from(
      { length: 1000 },
      (_, i) => ["HPEXPIRE", `fields:${i}`, "1", "FIELDS", "1", "a"],
    ),
  ],
  ["defragmentation", [
    ...Array.from({ length: 4000 }, (_, i) => ["DEL", `small:${i * 3}`]),
    ["MEMORY", "PURGE"],
  ]],
  ["eviction", [
    ["CONFIG", "SET", "maxmemory-policy", "allkeys-random", "maxmemory", "1mb"],
    ...Array.from({ length: 300 }, (_, i) => ["SET", `more:${i}`, "x"]),
  ]],
  ["streams", [
    ["XADD", "kind:stream", "*", "f", "v"],
    ["XREADGROUP", "GROUP", "g", "c", "STREAMS", "kind:stream", ">"],
    ["XACK", "kind:stream", "g", "1-1"],
    ["XGROUP", "DESTROY", "kind:stream", "g"],
    ["XTRIM", "kind:stream", "MAXLEN", "0"],
  ]],
  ["commands of many keys", MANY_KEYS],
  ["an EXEC", [
    ["MULTI"],
    ...Array.from({ length: 400 }, (_, i) => ["APPEND", `small:${i}`, "x"]),
    ["EXEC"],
  ]],
];

for (const workers of [1, 3]) {
  let server: TestServer;
  /** Loads what the other has saved. */
  let other: TestServer;
  sharedServers(async (stack) => {
    const args = ["--dir", stack.use(new Folder()).path];
    server = stack.use(await startServer({ workers, args }));
    other = stack.use(await startServer({ workers: 2, args }));
  });

  for (const [name, changes] of CHANGES) {
    Deno.test(`a snapshot is as at its cut: ${name} (workers ${workers})`, async () => {
      using client = await server.client();
      await client.run("CONFIG", "SET", "maxmemory", "0", ...NO_EVICTION);
      await client.run("FLUSHALL");
      await fill(client);
      await client.pipeline([
        ["XADD", "kind:stream", "1-1", "f", "v"],
        ["XADD", "kind:stream", "1-2", "f", "v"],
        ["XGROUP", "CREATE", "kind:stream", "g", "0"],
        ["XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS"].concat([
          "kind:stream",
          ">",
        ]),
      ]);
      const digest = await ask(client, "DEBUG", "DIGEST");
      const stream = ["XINFO", "STREAM", "kind:stream", "FULL"];
      const before = JSON.stringify(await ask(client, ...stream));
      // In one piece: the changes are made while the snapshot is taken.
      const replies = await client.pipeline([["BGSAVE"], ...changes]);
      assertEquals(plain(replies[0]!), "Background saving started");
      await settled(client);
      assertEquals(await fact(client, "rdb_last_bgsave_status"), "ok");
      using reader = await other.client();
      await ask(reader, "DEBUG", "RELOAD", "NOSAVE");
      assertEquals(await ask(reader, "DEBUG", "DIGEST"), digest);
      assertEquals(JSON.stringify(await ask(reader, ...stream)), before);
      // Nothing of the snapshot is left behind: the next one is complete too.
      if (name === "eviction") return;
      const after = await ask(client, "DEBUG", "DIGEST");
      await bgsave(client);
      await ask(client, "DEBUG", "RELOAD", "NOSAVE");
      const again = await ask(client, "DEBUG", "DIGEST");
      if (!name.includes("expiry")) assertEquals(again, after);
      else assert(String(again).length === 40);
    });
  }
}

Deno.test("many keys are changed in slices while a snapshot has to have them", async () => {
  using folder = new Folder();
  const args = ["--dir", folder.path];
  await using server = await startServer({ workers: 2, args });
  using client = await server.client();
  await fill(client);
  const sliced = async (...commands: string[][]) => {
    const before = Number(await fact(client, "sherd_sliced_commands"));
    await client.pipeline(commands);
    return Number(await fact(client, "sherd_sliced_commands")) - before;
  };
  const other = ["MSET", ...middling("other").flatMap((key) => [key, "v"])];
  assertEquals(await sliced(other, ["MGET", ...middling("other")]), 0);
  assertEquals(await sliced(["BGSAVE"], ...MANY_KEYS), MANY_KEYS.length);
  await settled(client);
  assertEquals(await sliced(other), 0);
});

const LARGE = 2200;

/** Values that are written in slices, with their keys locked meanwhile. */
function* largeValues(): Generator<string[]> {
  const names = Array.from({ length: LARGE }, (_, i) => `element:${i}`);
  yield ["HSET", "hash", ...names.flatMap((name) => [name, "v"])];
  yield ["SADD", "set", ...names];
  yield ["ZADD", "zset", ...names.flatMap((name, i) => [String(i), name])];
  yield ["RPUSH", "list", ...names];
  yield ["RPUSH", "queue", ...names];
  yield ["SETRANGE", "string", "3000000", "x"];
  yield ["SETRANGE", "packed", "200000", "x"];
  for (let i = 1; i <= LARGE; i++) {
    yield ["XADD", "stream", `${i}-1`, "f", names[i - 1]!];
  }
  yield ["XGROUP", "CREATE", "stream", "g", "0"];
  for (const consumer of ["a", "b"]) {
    yield [
      ...["XREADGROUP", "GROUP", "g", consumer, "COUNT", "800"],
      ...["STREAMS", "stream", ">"],
    ];
  }
  yield ["SADD", "other", "x"];
}

for (const workers of [1, 3]) {
  Deno.test(`a snapshot is as at its cut: large values (workers ${workers})`, async () => {
    using folder = new Folder();
    await using server = await startServer({
      workers,
      args: [
        ...["--dir", folder.path, "--background-threshold", "1000"],
        ...["--background-threshold-bytes", "100000"],
      ],
    });
    using client = await server.client();
    using popper = await server.client();
    await client.pipeline([...largeValues()]);
    const digest = await ask(client, "DEBUG", "DIGEST");
    const [begun] = await client.pipeline([["BGSAVE"]]);
    assertEquals(plain(begun!), "Background saving started");
    const popping = popper.run("BLMOVE", "queue", "list", "LEFT", "LEFT", 0);
    const replies = await client.pipeline([
      ["XADD", "stream", "*", "f", "new"],
      ["XACK", "stream", "g", "1-1"],
      ["XREADGROUP", "GROUP", "g", "a", "COUNT", "1", "STREAMS"].concat([
        "stream",
        ">",
      ]),
      ["HSET", "hash", "element:1", "new", "more", "new"],
      ["MULTI"],
      ["ZADD", "zset", "1", "new"],
      ["LPOP", "list"],
      ["EXEC"],
      ["SUNIONSTORE", "other", "set", "other"],
      ["SREM", "set", "element:7"],
      ["APPEND", "string", "end"],
      ["SETRANGE", "packed", "0", "new"],
      ["DEL", "zset"],
    ]);
    for (const reply of replies) assert(!(plain(reply) instanceof Error));
    assertEquals(plain(replies[8]!), LARGE + 1);
    assertEquals(plain(await popping), "element:0");
    assertEquals(
      await ask(client, "HMGET", "hash", "element:1", "element:2", "more"),
      ["new", "v", "new"],
    );
    assertEquals(await ask(client, "SCARD", "set"), LARGE - 1);
    assertEquals(await ask(client, "XLEN", "stream"), LARGE + 1);
    assertEquals(await ask(client, "STRLEN", "string"), 3_000_004);
    await settled(client);
    assertEquals(await fact(client, "rdb_last_bgsave_status"), "ok");
    await using other = await startServer({
      workers: 2,
      args: ["--dir", folder.path],
    });
    using reader = await other.client();
    assertEquals(await ask(reader, "DEBUG", "DIGEST"), digest);
    assertEquals(await ask(reader, "XLEN", "stream"), LARGE);
    const [, pending] = await ask(reader, "XINFO", "CONSUMERS", "stream", "g")
      .then((rows) => (rows as unknown[][]).map((row) => row[3]));
    assertEquals(pending, 800);
    // No lock is left behind.
    assertEquals(await ask(client, "LOCKS", "LIST"), []);
  });
}

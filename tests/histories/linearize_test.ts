/**
 * The checker itself: it must find the order where there is one, and refuse
 * histories that no order explains.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { type Random, seeded } from "../_harness.ts";
import { findOrder } from "./_linearize.ts";
import { type Databases, miniRedis, type ModelReply } from "./_mini_redis.ts";
import type { Recorded } from "./_record.ts";

/** `[client, start, end, commands, output]`; a list of lists is a transaction. */
type Line = readonly [
  number,
  number,
  number,
  string | readonly string[],
  ModelReply,
];

function history(lines: readonly Line[]): Recorded[] {
  return lines.map(([client, start, end, what, output]) => ({
    client,
    start,
    end,
    output,
    input: {
      db: 0,
      isTransaction: typeof what !== "string",
      commands: (typeof what === "string" ? [what] : what)
        .map((line) => line.split(" ")),
    },
  }));
}

function accepts(
  lines: readonly Line[],
  keys: Readonly<Record<string, string>> = {},
): boolean {
  return findOrder(miniRedis(keys), history(lines)) !== null;
}

Deno.test("a history in one order", () => {
  assert(accepts([
    [0, 0, 1, "SET a 1", "OK"],
    [1, 2, 3, "GET a", "1"],
    [0, 4, 5, "SET a 2", "OK"],
    [1, 6, 7, "GET a", "2"],
  ]));
});

Deno.test("what overlaps may take place either way", () => {
  for (const seen of [null, "1"]) {
    assert(accepts([[0, 0, 3, "SET a 1", "OK"], [1, 1, 2, "GET a", seen]]));
  }
  assert(!accepts([[0, 0, 3, "SET a 1", "OK"], [1, 1, 2, "GET a", "2"]]));
});

Deno.test("a stale read is refused", () => {
  assert(
    !accepts([
      [0, 0, 1, "SET a 1", "OK"],
      [0, 2, 3, "SET a 2", "OK"],
      [1, 4, 5, "GET a", "1"],
    ]),
  );
});

Deno.test("what was seen stays seen", () => {
  assert(
    !accepts([
      [0, 0, 9, "SET a 1", "OK"],
      [1, 1, 2, "GET a", "1"],
      [2, 3, 4, "GET a", null],
    ]),
  );
});

Deno.test("half of an MSET is refused, also while it is under way", () => {
  for (const end of [1, 9]) {
    const line: Line = [1, 2, 3, "MGET a b", ["1", null]];
    assert(!accepts([[0, 0, end, "MSET a 1 b 1", "OK"], line]));
  }
  assert(accepts([
    [0, 0, 9, "MSET a 1 b 1", "OK"],
    [1, 2, 3, "MGET a b", ["1", "1"]],
  ]));
});

Deno.test("two readers that see two writes in different orders", () => {
  const writes: Line[] = [
    [0, 0, 20, "SET a 1", "OK"],
    [1, 1, 21, "SET b 1", "OK"],
  ];
  const first: Line = [2, 2, 3, "MGET a b", ["1", null]];
  assert(accepts([...writes, first]));
  assert(!accepts([...writes, first, [3, 4, 5, "MGET a b", [null, "1"]]]));
});

Deno.test("a lost update is refused", () => {
  assert(
    !accepts([
      [0, 0, 5, "INCRBY a 1", 1],
      [1, 1, 6, "INCRBY a 1", 1],
    ]),
  );
  assert(accepts([
    [0, 0, 5, "INCRBY a 1", 2],
    [1, 1, 6, "INCRBY a 1", 1],
  ]));
});

Deno.test("commands of one client keep their order", () => {
  assert(
    !accepts([
      [0, 0, 9, "SET a 1", "OK"],
      [0, 1, 10, "SET a 2", "OK"],
      [1, 11, 12, "GET a", "1"],
    ]),
  );
  assert(accepts([
    [0, 0, 9, "SET a 1", "OK"],
    [2, 1, 10, "SET a 2", "OK"],
    [1, 11, 12, "GET a", "1"],
  ]));
});

Deno.test("what comes between the commands of a transaction is refused", () => {
  const keys = { a: "=1" };
  assert(
    !accepts([
      [0, 0, 9, ["GET a", "GET a"], ["1", "2"]],
      [1, 1, 2, "SET a 2", "OK"],
    ], keys),
  );
  assert(accepts([
    [0, 0, 9, ["GET a", "GET a"], ["2", "2"]],
    [1, 1, 2, "SET a 2", "OK"],
  ], keys));
});

Deno.test("EXEC that should have been refused by WATCH", () => {
  const watched = new Map<string, ModelReply>([["a", "1"]]);
  const lines: Line[] = [
    [0, 0, 1, "MGET a", ["1"]],
    [1, 2, 3, "SET a 5", "OK"],
    [0, 4, 5, ["SET a 2"], ["OK"]],
  ];
  const operations = history(lines);
  const last = operations[2]!;
  operations[2] = { ...last, input: { ...last.input, watched } };
  const model = miniRedis({ a: "=1" });
  assertEquals(findOrder(model, operations), null);
  operations[2] = { ...operations[2]!, output: null };
  assertEquals(findOrder(model, operations), [0, 1, 2]);
});

Deno.test("an element that is moved twice, or lost, is refused", () => {
  const keys = { a: "[x,y,", b: "[z," };
  assert(
    !accepts([
      [0, 0, 5, "LMOVE a b LEFT RIGHT", "x"],
      [1, 1, 6, "LMOVE a b LEFT RIGHT", "x"],
    ], keys),
  );
  assert(
    !accepts([
      [0, 0, 1, "LMOVE a b LEFT RIGHT", "x"],
      [1, 2, 3, ["LRANGE a 0 -1", "LRANGE b 0 -1"], [["y"], ["z"]]],
    ], keys),
  );
});

Deno.test("a wait that ends empty-handed while there is something", () => {
  assert(!accepts([[0, 0, 9, "BLPOP a 1", null]], { a: "[x," }));
  assert(accepts([
    [0, 0, 9, "BLPOP a 1", ["a", "x"]],
    [1, 1, 2, "RPUSH a x", 1],
  ]));
});

Deno.test("half of a set, of a SWAPDB", () => {
  const keys = { a: "{x,y,", b: "{x,y,z," };
  assert(
    !accepts([
      [0, 0, 9, "SINTERSTORE c a b", 2],
      [1, 1, 2, "SMEMBERS c", ["x"]],
    ], keys),
  );
  assert(
    !accepts([
      [0, 0, 9, "SWAPDB 0 1", "OK"],
      [1, 1, 2, "MGET s t", ["1", null]],
    ], { s: "=1", t: "=1" }),
  );
});

Deno.test("half of what is made of others, by type", () => {
  const rows: [
    Record<string, string>,
    string,
    ModelReply,
    string,
    ModelReply[],
  ][] = [
    [
      { a: "<x 1,", b: "<x 2,y 5,", c: "<z 1," },
      ...["ZUNIONSTORE c 2 a b", 2, "ZRANGE c 0 -1 WITHSCORES"] as const,
      [["z", "1"], ["x", "3", "y", "5"], ["x", "3"], []],
    ],
    [
      { a: "<x 1,y 2,z 3,", c: "<q 1," },
      ...["ZRANGESTORE c a 1 2", 2, "ZRANGE c 0 -1"] as const,
      [["q"], ["y", "z"], ["q", "y"], ["y"]],
    ],
    [
      { a: "[3,1,2,", c: "[9," },
      ...["SORT a STORE c", 3, "LRANGE c 0 -1"] as const,
      [["9"], ["1", "2", "3"], ["1", "2"], []],
    ],
    [
      { a: "%f 1,g 1," },
      ...["HSET a f 2 g 2", 0, "HGETALL a"] as const,
      [["f 1", "g 1"], ["f 2", "g 2"], ["f 2", "g 1"], ["f 1", "g 2"]],
    ],
    [
      { a: "L0,9000" },
      ...["LTRIM a 6000 -1", "OK", "LLEN a"] as const,
      [9000, 3000, 6000, 0],
    ],
    [
      { a: "Z0,9000" },
      ...["ZREMRANGEBYRANK a 0 5999", 6000, "ZCARD a"] as const,
      [9000, 3000, 6000, 0],
    ],
    [
      { a: "=ab", b: "=c", c: "=x" },
      ...["BITOP OR c a b", 2, "GET c"] as const,
      ["x", "cb", "cx", null],
    ],
  ];
  for (const [keys, change, reply, read, [before, after, ...others]] of rows) {
    const change1: Line = [0, 0, 9, change, reply];
    for (const seen of [before!, after!]) {
      assert(accepts([change1, [1, 1, 2, read, seen]], keys), change);
    }
    assert(!accepts([change1, [1, 10, 11, read, before!]], keys), change);
    for (const seen of others) {
      assert(!accepts([change1, [1, 1, 2, read, seen]], keys), change);
    }
  }
});

Deno.test("an expire goes where its value goes", () => {
  const at: Line = [0, 0, 1, "PEXPIREAT a 4000000000000", 1];
  const rows: [string, ModelReply, string, number][] = [
    ["RENAME a b", "OK", "PEXPIRETIME b", 4000000000000],
    ["RENAME a b", "OK", "PEXPIRETIME a", -2],
    ["COPY a b", 1, "PEXPIRETIME b", 4000000000000],
    ["SET a 2", "OK", "PEXPIRETIME a", -1],
    ["INCRBY a 1", 2, "PEXPIRETIME a", 4000000000000],
    ["PERSIST a", 1, "PEXPIRETIME a", -1],
    ["PEXPIREAT a 3 NX", 0, "PEXPIRETIME a", 4000000000000],
  ];
  for (const [change, reply, read, expected] of rows) {
    for (const seen of [-2, -1, 4000000000000]) {
      const lines: Line[] = [
        at,
        [0, 2, 3, change, reply],
        [0, 4, 5, read, seen],
      ];
      assertEquals(accepts(lines, { a: "=1" }), seen === expected, change);
    }
  }
});

Deno.test("an operation without an end may or may not have taken place", () => {
  const lost: Line = [0, 0, Infinity, "SET a 1", null];
  assert(accepts([lost, [1, 5, 6, "GET a", "1"]]));
  assert(accepts([lost, [1, 5, 6, "GET a", null]]));
  assert(
    !accepts([
      lost,
      [1, 5, 6, "GET a", "1"],
      [1, 7, 8, "GET a", null],
    ]),
  );
});

/** A history of which an order is known: what clients did was done in turn. */
function trueHistory(random: Random): Recorded[] {
  const model = miniRedis();
  let state: Databases = model.initial;
  const operations: Recorded[] = [];
  for (let i = 0; i < 60; i++) {
    const key = random.pick(["a", "b", "c"]);
    const argv = random.pick([
      ["INCRBY", key, "1"],
      ["GET", key],
      ["MGET", "a", "b", "c"],
      ["RENAME", key, random.pick(["a", "b", "c"])],
    ]);
    const input = { db: 0, commands: [argv], isTransaction: false };
    const output = outputOf(state, argv);
    state = model.step(state, input, output, true)!;
    const at = i * 10;
    operations.push({
      client: i,
      input,
      output,
      start: at - random.below(45) + i / 100,
      end: at + random.below(45) + 5 + i / 100,
    });
  }
  return operations;
}

function outputOf(state: Databases, argv: string[]): ModelReply {
  const get = (key: string) => state[0]!.get(key)?.slice(1) ?? null;
  if (argv[0] === "GET") return get(argv[1]!);
  if (argv[0] === "MGET") return argv.slice(1).map(get);
  if (argv[0] === "INCRBY") return Number(get(argv[1]!) ?? 0) + 1;
  return state[0]!.has(argv[1]!) ? "OK" : "-ERR no such key";
}

seeded("what took place is accepted, what is forged is not", (random) => {
  for (let round = 0; round < 20; round++) {
    const operations = trueHistory(random);
    assert(findOrder(miniRedis(), operations) !== null);
    const at = operations.findLastIndex(({ input }) =>
      input.commands[0]![0] === "INCRBY"
    );
    const forged = operations.map((operation, i) =>
      i === at
        ? { ...operation, output: Number(operation.output) + 1000 }
        : operation
    );
    assertEquals(findOrder(miniRedis(), forged), null);
  }
});

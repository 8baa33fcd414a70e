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

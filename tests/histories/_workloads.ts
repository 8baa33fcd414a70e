/**
 * What clients do in histories: each workload is about one promise that several
 * shards must keep together.
 *
 * @module
 */
import { type Random, tagsOnDistinctSlots } from "../_harness.ts";
import type { ModelReply } from "./_mini_redis.ts";
import type { Move } from "./_record.ts";

/** A kind of history. */
export interface Workload {
  readonly name: string;
  /** The keys at the start, as the model holds them. */
  readonly keys: Readonly<Record<string, string>>;
  /** Whether some of the clients work on the second database. */
  readonly usesDatabases?: true;
  /** What a client does next. */
  next(random: Random, client: number): Move;
  /** Checks the end, beside the order; throws if it is wrong. */
  check?(read: (...argv: string[]) => Promise<ModelReply>): Promise<void>;
}

const TAGS = tagsOnDistinctSlots(8);

function keysNamed(name: string, count: number): string[] {
  return TAGS.slice(0, count).map((tag) => `{${tag}}${name}`);
}

function commands(...list: (string | number)[][]): Move {
  return { kind: "commands", commands: list.map((argv) => argv.map(String)) };
}

function transaction(...list: (string | number)[][]): Move {
  return {
    kind: "transaction",
    commands: list.map((argv) => argv.map(String)),
  };
}

/** Two different ones. */
function two(random: Random, keys: readonly string[]): [string, string] {
  const at = random.below(keys.length);
  const other = (at + 1 + random.below(keys.length - 1)) % keys.length;
  return [keys[at]!, keys[other]!];
}

function fill(
  keys: readonly string[],
  value: (i: number) => string,
): Record<string, string> {
  return Object.fromEntries(keys.map((key, i) => [key, value(i)]));
}

function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(`The end is wrong: ${what}`);
}

const ACCOUNTS = keysNamed("account", 5);
const BALANCE = 100;

/** Money goes from account to account and is never lost or made. */
export const transfers: Workload = {
  name: "transfers with WATCH and with INCRBY",
  keys: fill(ACCOUNTS, () => `=${BALANCE}`),
  next(random) {
    const [from, to] = two(random, ACCOUNTS);
    const amount = 1 + random.below(9);
    switch (random.below(5)) {
      case 0:
        return commands(["MGET", ...ACCOUNTS]);
      case 1:
        return transaction(["INCRBY", from, -amount], ["INCRBY", to, amount]);
      case 2:
        return transaction(...ACCOUNTS.map((key) => ["GET", key]));
      default:
        return {
          kind: "watched",
          keys: [from, to],
          decide: ([a, b]) => [
            ["SET", from, String(Number(a) - amount)],
            ["SET", to, String(Number(b) + amount)],
          ],
        };
    }
  },
  async check(read) {
    const balances = await read("MGET", ...ACCOUNTS) as string[];
    const sum = balances.reduce((total, text) => total + Number(text), 0);
    expect(sum === ACCOUNTS.length * BALANCE, `the sum is ${sum}`);
  },
};

const PAIRS = keysNamed("pair", 6);
let lastValue = 0;

/** Keys that are written together are read together. */
export const pairs: Workload = {
  name: "MSET, MSETNX and DEL against MGET and EXISTS",
  keys: {},
  next(random) {
    const keys = PAIRS.filter(() => random.chance(0.6));
    if (keys.length < 2) keys.push(...PAIRS.slice(0, 2));
    const value = `v${lastValue++}`;
    const values = keys.flatMap((key) => [key, value]);
    switch (random.below(7)) {
      case 0:
      case 1:
        return commands(["MSET", ...values]);
      case 2:
        return commands(["MSETNX", ...values], ["MGET", ...keys]);
      case 3:
        return commands([random.pick(["DEL", "UNLINK"]), ...keys]);
      case 4:
        return commands(["EXISTS", ...PAIRS], ["KEYS", "*"]);
      case 5:
        return commands(["MSET", ...values], ["MGET", ...PAIRS], ["DBSIZE"]);
      default:
        return commands(["MGET", ...PAIRS]);
    }
  },
};

const NAMES = keysNamed("name", 5);

/** A value has one name at a time. */
export const renames: Workload = {
  name: "RENAME chains",
  keys: fill(NAMES.slice(0, 3), (i) => `=value${i}`),
  next(random) {
    const [from, to] = two(random, NAMES);
    switch (random.below(8)) {
      case 0:
        return commands(["MGET", ...NAMES]);
      case 1:
        return commands(["EXISTS", ...NAMES]);
      case 2:
        return commands(["SET", from, `n${lastValue++}`]);
      case 3:
        return commands(["COPY", from, to]);
      case 4:
        return commands(["GETDEL", from], ["MGET", ...NAMES]);
      case 5:
        return commands(["RENAME", from, to], ["RENAME", to, from]);
      case 6:
        return commands(["RENAMENX", from, to]);
      default:
        return commands(["RENAME", from, to]);
    }
  },
};

const RING = keysNamed("ring", 4);

/** Elements go round and none is lost or seen twice. */
export const rings: Workload = {
  name: "LMOVE rings",
  keys: fill(RING, (i) => `[${i}a,${i}b,`),
  next(random) {
    const [from, to] = two(random, RING);
    const ends = () => random.pick(["LEFT", "RIGHT"]);
    switch (random.below(6)) {
      case 0:
        return transaction(...RING.map((key) => ["LRANGE", key, 0, -1]));
      case 1:
        return commands(["BLMOVE", from, to, ends(), ends(), 0.01]);
      case 2:
        return transaction(
          ["LMOVE", from, to, ends(), ends()],
          ["LRANGE", from, 0, -1],
          ["LRANGE", to, 0, -1],
        );
      default:
        return commands(["LMOVE", from, to, ends(), ends()]);
    }
  },
  async check(read) {
    const all: ModelReply[] = [];
    for (const key of RING) {
      all.push(...await read("LRANGE", key, "0", "-1") as ModelReply[]);
    }
    expect(new Set(all).size === 8 && all.length === 8, `elements ${all}`);
  },
};

const QUEUES = keysNamed("queue", 3);

/** What is pushed is popped once, also by those who wait for it. */
export const queues: Workload = {
  name: "BLPOP against pushes",
  keys: {},
  next(random, client) {
    const [a, b] = two(random, QUEUES);
    if (client % 2 === 0) {
      return random.chance(0.3)
        ? transaction(["RPUSH", a, `q${lastValue++}`], [
          "LPUSH",
          b,
          `q${lastValue++}`,
        ])
        : commands(["RPUSH", a, `q${lastValue++}`]);
    }
    return random.chance(0.2)
      ? commands(["LPOP", a], ["EXISTS", ...QUEUES])
      : commands(["BLPOP", a, b, 0.004]);
  },
};

const SETS = keysNamed("set", 4);
const MEMBERS = ["a", "b", "c", "d"];

/** Nobody sees half of a set that is made of others. */
export const sets: Workload = {
  name: "SINTERSTORE and its like against SADD",
  keys: { [SETS[0]!]: "{a,b,", [SETS[1]!]: "{b,c," },
  next(random) {
    const [a, b] = two(random, SETS);
    const target = random.pick(SETS);
    const member = random.pick(MEMBERS);
    switch (random.below(8)) {
      case 0:
      case 1:
        return commands(["SADD", a, member]);
      case 2:
        return commands(["SREM", a, member]);
      case 3:
        return commands(["SMOVE", a, b, member]);
      case 4: {
        const name = random.pick(["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"]);
        return commands([name, target, a, b]);
      }
      case 5:
        return commands([random.pick(["SINTER", "SUNION", "SDIFF"]), a, b]);
      case 6:
        return transaction(...SETS.map((key) => ["SMEMBERS", key]));
      default:
        return commands(["SMEMBERS", a], ["SMEMBERS", b]);
    }
  },
};

const PLACES = keysNamed("place", 4);

/** Whole databases change places, or are emptied, at one instant. */
export const databases: Workload = {
  name: "SWAPDB and FLUSHDB against SET",
  keys: fill(PLACES, (i) => `=p${i}`),
  usesDatabases: true,
  next(random) {
    const [a, b] = two(random, PLACES);
    const value = `d${lastValue++}`;
    switch (random.below(8)) {
      case 0:
        return commands(["SWAPDB", 0, 1]);
      case 1:
        return transaction(["SWAPDB", 0, 1], ["MGET", ...PLACES]);
      case 2:
        return random.chance(0.3)
          ? commands(["FLUSHDB"], ["DBSIZE"])
          : commands(["DBSIZE"]);
      case 3:
        return commands(["KEYS", "*"]);
      case 4:
        return commands(["MSET", a, value, b, value]);
      case 5:
        return commands(["SET", a, value], ["GET", b]);
      default:
        return commands(["MGET", ...PLACES]);
    }
  },
};

const [COUNTER, LIST, SET, TEXT] = [
  ...keysNamed("counter", 1),
  keysNamed("list", 2)[1]!,
  keysNamed("members", 3)[2]!,
  keysNamed("text", 4)[3]!,
] as [string, string, string, string];

/** Transactions over several types, and commands that come between them. */
export const types: Workload = {
  name: "EXEC over several types",
  keys: {},
  next(random) {
    const value = `t${lastValue++}`;
    switch (random.below(6)) {
      case 0:
        return transaction(
          ["INCRBY", COUNTER, 1],
          ["RPUSH", LIST, value],
          ["SADD", SET, random.pick(MEMBERS)],
          ["SET", TEXT, value],
        );
      case 1:
        return transaction(
          ["GET", COUNTER],
          ["LRANGE", LIST, 0, -1],
          ["SMEMBERS", SET],
          ["GET", TEXT],
        );
      case 2:
        return transaction(["LPOP", LIST], ["INCRBY", COUNTER, -1]);
      case 3:
        return commands(["DEL", SET, TEXT], ["EXISTS", SET, TEXT, LIST]);
      case 4:
        return commands(["SREM", SET, random.pick(MEMBERS)]);
      default:
        return {
          kind: "watched",
          keys: [COUNTER, TEXT],
          decide: ([count]) => [["SET", TEXT, `at${String(count)}`]],
        };
    }
  },
};

/** All of them. */
export const WORKLOADS: readonly Workload[] = [
  transfers,
  pairs,
  renames,
  rings,
  queues,
  sets,
  databases,
  types,
];

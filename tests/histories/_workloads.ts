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
  /** Whether to run it, or to check it, takes long. */
  readonly isDear?: true;
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
  name: "MSET, MSETNX, WATCH and DEL against MGET and EXISTS",
  isDear: true,
  keys: {},
  next(random) {
    const keys = PAIRS.filter(() => random.chance(0.6));
    if (keys.length < 2) keys.push(...PAIRS.slice(0, 2));
    const value = `v${lastValue++}`;
    const values = keys.flatMap((key) => [key, value]);
    switch (random.below(8)) {
      case 0:
      case 1:
        return commands(["MSET", ...values]);
      case 6:
        return {
          kind: "watched",
          keys,
          decide: () => [["MSETNX", ...values], ["MGET", ...PAIRS]],
        };
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
    switch (random.below(9)) {
      case 8:
        return random.chance(0.5)
          ? commands(["MOVE", a, random.below(2)])
          : commands(["COPY", a, b, "DB", random.below(2), "REPLACE"]);
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

const SCORES = keysNamed("scores", 4);

/** Nobody sees half of a sorted set that is made of others. */
export const scores: Workload = {
  name: "ZUNIONSTORE, ZRANGESTORE and ZMPOP against ZADD and ZINCRBY",
  keys: { [SCORES[0]!]: "<a 1,b 2,c 3,", [SCORES[1]!]: "<b 1,d 1," },
  next(random) {
    const [a, b] = two(random, SCORES);
    const target = random.pick(SCORES);
    const member = random.pick(MEMBERS);
    const aggregate = ["AGGREGATE", random.pick(["SUM", "MIN", "MAX"])];
    switch (random.below(11)) {
      case 0:
        return commands(["ZADD", a, random.below(5), member]);
      case 1:
        return commands(["ZINCRBY", a, 1, member], ["ZMSCORE", a, member, "d"]);
      case 2:
        return commands(["ZREM", a, member]);
      case 3: {
        const name = random.pick(["ZUNIONSTORE", "ZINTERSTORE"]);
        return commands([name, target, 2, a, b, ...aggregate]);
      }
      case 4:
        return commands(["ZDIFFSTORE", target, 2, a, b]);
      case 5:
        return commands(["ZRANGESTORE", target, a, random.below(2), 2]);
      case 6:
        return commands([
          ...[random.pick(["ZUNION", "ZINTER"]), 2, a, b],
          ...[...aggregate, "WITHSCORES"],
        ]);
      case 7:
        return random.chance(0.5)
          ? commands(["ZMPOP", 2, a, b, random.pick(["MIN", "MAX"])])
          : commands(["COPY", a, b, "REPLACE"], ["ZCARD", b]);
      case 8:
        return transaction(
          ["ZUNIONSTORE", target, 2, a, b],
          ["ZRANGE", target, 0, -1, "WITHSCORES"],
          ["ZINCRBY", target, 1, member],
        );
      case 9:
        return transaction(
          ...SCORES.map((key) => ["ZRANGE", key, 0, -1, "WITHSCORES"]),
        );
      default:
        return commands(["ZRANGE", a, 0, -1, "WITHSCORES"], ["ZCARD", b]);
    }
  },
};

const NUMBERS = keysNamed("numbers", 4);

/** Lists that are copied, sorted and shifted. */
export const lists: Workload = {
  name: "COPY, SORT STORE and LMPOP of lists",
  keys: { [NUMBERS[0]!]: "[3,1,2,", [NUMBERS[1]!]: "[9,4," },
  next(random) {
    const [a, b] = two(random, NUMBERS);
    const target = random.pick(NUMBERS);
    const value = random.below(50);
    switch (random.below(9)) {
      case 0:
        return commands([random.pick(["RPUSH", "LPUSH"]), a, value]);
      case 1:
        return commands(["COPY", a, b, "REPLACE"], ["LRANGE", a, 0, -1]);
      case 2:
        return commands(["COPY", a, b]);
      case 3:
        return commands(["SORT", a, "STORE", target]);
      case 4:
        return commands(["SORT", a, "DESC"], ["SORT_RO", b]);
      case 5:
        return commands(["RENAME", a, b]);
      case 6:
        return commands(["LMPOP", 2, a, b, "LEFT", "COUNT", 2]);
      case 7:
        return transaction(...NUMBERS.map((key) => ["LRANGE", key, 0, -1]));
      default:
        return commands(["LPOP", a], ["LLEN", b]);
    }
  },
};

const HASHES = keysNamed("hash", 3);
const FIELDS = ["f", "g", "h"];

/** The fields of a hash that are written together are read together. */
export const hashes: Workload = {
  name: "HSET and HDEL against HGETALL and COPY",
  keys: { [HASHES[0]!]: "%f 1,g 1," },
  next(random) {
    const [a, b] = two(random, HASHES);
    const value = lastValue++;
    switch (random.below(8)) {
      case 0:
      case 1:
        return commands(["HSET", a, ...FIELDS.flatMap((f) => [f, value])]);
      case 2:
        return commands(["HDEL", a, random.pick(FIELDS), random.pick(FIELDS)]);
      case 3:
        return commands(["HINCRBY", a, "n", 1], ["HLEN", b]);
      case 4:
        return commands(["COPY", a, b, "REPLACE"]);
      case 5:
        return transaction(...HASHES.map((key) => ["HGETALL", key]));
      case 6:
        return commands(["RENAME", a, b], ["HMGET", b, ...FIELDS]);
      default:
        return commands(["HGETALL", a], ["HGETALL", b]);
    }
  },
};

const MORTAL = keysNamed("mortal", 3);
const DYING = keysNamed("dying", 5).slice(3);
const FAR_MS = 4_000_000_000_000;

/** An expire belongs to its value, wherever that goes. */
export const expires: Workload = {
  name: "PEXPIREAT and PERSIST against SET, RENAME, COPY and STORE",
  keys: { ...fill(MORTAL, (i) => `=m${i}`), [DYING[0]!]: "{a,b," },
  next(random) {
    const [a, b] = two(random, [...MORTAL, ...DYING]);
    const [c, d] = two(random, MORTAL);
    const atMs = FAR_MS + random.below(9);
    switch (random.below(10)) {
      case 0:
        return commands(["PEXPIREAT", a, atMs]);
      case 1:
        return commands([
          ...["PEXPIREAT", a, atMs, random.pick(["NX", "GT"])],
        ]);
      case 2:
        return commands(["PERSIST", a], ["PEXPIRETIME", a]);
      case 3:
        return commands(["SET", c, lastValue++], ["PEXPIRETIME", d]);
      case 4:
        return commands(["RENAME", c, d]);
      case 5:
        return commands(["COPY", c, d, "REPLACE"], ["PEXPIRETIME", d]);
      case 6:
        return commands(["SUNIONSTORE", DYING[1]!, ...DYING]);
      case 7:
        return random.chance(0.5)
          ? commands(["COPY", DYING[0]!, DYING[1]!, "REPLACE"])
          : commands(["RENAME", DYING[1]!, DYING[0]!]);
      case 8:
        return transaction(
          ...[...MORTAL, ...DYING].map((key) => ["PEXPIRETIME", key]),
        );
      default:
        return transaction(
          ["PEXPIREAT", a, atMs],
          ["PEXPIREAT", b, atMs],
          ["MGET", ...MORTAL],
        );
    }
  },
};

const BITS = keysNamed("bits", 3);
const SKETCHES = keysNamed("sketch", 3);

/** Strings and sketches that are made of others. */
export const bits: Workload = {
  name: "BITOP, LCS and PFMERGE against APPEND and PFADD",
  isDear: true,
  keys: { [BITS[0]!]: "=ab", [BITS[1]!]: "=c" },
  next(random) {
    const [a, b] = two(random, BITS);
    const [c, d] = two(random, SKETCHES);
    switch (random.below(8)) {
      case 0:
        return commands(["APPEND", a, random.pick(MEMBERS)]);
      case 1:
        return commands(["BITOP", "OR", random.pick(BITS), a, b]);
      case 2:
        return commands(["BITCOUNT", a], ["LCS", a, b, "LEN"]);
      case 3:
        return commands(["SET", a, random.pick(MEMBERS)], ["TOUCH", ...BITS]);
      case 4:
        return commands(["PFADD", c, random.pick(MEMBERS)]);
      case 5:
        return commands(["PFMERGE", c, d], ["PFCOUNT", ...SKETCHES]);
      case 6:
        return transaction(["MGET", ...BITS], ["PFCOUNT", c, d]);
      default:
        return commands(["DEL", a, c], ["MGET", ...BITS]);
    }
  },
};

const LONG = keysNamed("long", 3);
const RANKED = keysNamed("ranked", 6).slice(3);
const LONG_COUNT = 48_000;
const RANKED_COUNT = 6000;

/** What is removed in slices goes at one instant. */
export const slices: Workload = {
  name: "LTRIM and ZREMRANGEBYRANK in slices against reads",
  keys: { [LONG[0]!]: `L0,${LONG_COUNT}`, [RANKED[0]!]: `Z0,${RANKED_COUNT}` },
  isDear: true,
  next(random) {
    const [a, b] = two(random, LONG);
    const [c, d] = two(random, RANKED);
    const many = 2500 + random.below(1000);
    switch (random.below(10)) {
      case 0:
        return commands(["LTRIM", a, 21_000 + random.below(500), -1]);
      case 1:
        return commands(["LTRIM", a, 1, -21_000]);
      case 2:
        return commands(["ZREMRANGEBYRANK", c, 0, many]);
      case 3:
        return commands(["ZREMRANGEBYRANK", c, -many, -1], ["ZCARD", c]);
      case 4:
        return commands(["COPY", a, b, "REPLACE"]);
      case 5:
        return commands(["COPY", c, d, "REPLACE"]);
      case 6:
        return commands(["RENAME", a, b], ["RENAME", c, d]);
      case 7:
        return transaction(
          ...LONG.map((key) => ["LLEN", key]),
          ...RANKED.map((key) => ["ZCARD", key]),
        );
      case 8:
        return commands(["LINDEX", a, 0], ["LINDEX", a, -1], ["LLEN", b]);
      default:
        return commands(["ZRANGE", c, 0, 0], ["ZRANGE", c, -1, -1]);
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
  scores,
  lists,
  hashes,
  expires,
  bits,
  slices,
];

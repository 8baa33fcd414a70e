/**
 * What a few commands of Redis do, one after the other: the model that
 * histories are checked against. Replies are plain values, those of sets and of
 * KEYS in the order of their texts, errors as texts that begin with "-".
 *
 * A value is one text: `=` and the string, `[` and the elements of a list, `{`
 * and the members of a set in order, `%` and the fields of a hash with their
 * values, `<` and the members of a sorted set with their scores, each followed by
 * a comma. `L` and `Z` are a list and a sorted set of the numbers from one to
 * before another, for values that are long. HyperLogLogs are sets: of so few
 * elements they count right. When a key expires is held by a key of its own.
 *
 * @module
 */
import type { Model } from "./_linearize.ts";
import {
  combineScores,
  commonLength,
  joined,
  numbersOf,
  pairs,
  ranked,
} from "./_mini_values.ts";

/** A reply as the model has it. */
export type ModelReply = string | number | null | ModelReply[];

/** A command, or a transaction, as one client sends it. */
export interface Step {
  /** The selected database. */
  readonly db: number;
  /** One command; or all of a transaction. */
  readonly commands: readonly (readonly string[])[];
  /** Whether the commands are a transaction. */
  readonly isTransaction: boolean;
  /** The watched keys, with what they held after WATCH. */
  readonly watched?: ReadonlyMap<string, ModelReply>;
}

/** The databases; never changed once they are made. */
export type Databases = readonly ReadonlyMap<string, string>[];

/** Errors that are to be expected. */
const NO_KEY = "-ERR no such key";
const SAME_OBJECT = "-ERR source and destination objects are the same";

/** The model over two databases, that begins with these keys in the first. */
export function miniRedis(
  keys: Readonly<Record<string, string>> = {},
): Model<Databases, Step, ModelReply> {
  return {
    initial: [new Map(Object.entries(keys)), new Map()],
    step(databases, { db, commands, isTransaction, watched }, output, isKnown) {
      if (isTransaction && isKnown && output === null) return databases;
      const world = databases.map((keys) => new Map(keys));
      for (const [key, value] of watched ?? []) {
        if (isKnown && !isSame(world[db]!, key, value)) return null;
      }
      const replies = commands.map((argv) => run(world, db, argv));
      const reply = isTransaction ? replies : replies[0]!;
      if (isKnown && !areEqual(reply, output)) return null;
      return world;
    },
    key: (databases) =>
      databases.map((keys) =>
        [...keys].map(([key, value]) => `${key} ${value}`).sort().join(";")
      ).join("/"),
  };
}

function isSame(
  keys: ReadonlyMap<string, string>,
  key: string,
  value: ModelReply,
): boolean {
  const held = keys.get(key);
  return (held === undefined ? null : held.slice(1)) === value;
}

function areEqual(a: ModelReply, b: ModelReply): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.length === b.length && a.every((item, i) => areEqual(item, b[i]!));
}

/** The elements of a list or of a set. */
function elements(value: string | undefined): string[] {
  return value === undefined ? [] : value.slice(1).split(",").slice(0, -1);
}

/** Where it is held when a key expires. */
function expireOf(key: string): string {
  return `!${key}`;
}

function isName(key: string): boolean {
  return !key.startsWith("!");
}

/** Deletes a key; says whether it was there. */
function remove(keys: Map<string, string>, key: string): boolean {
  keys.delete(expireOf(key));
  return keys.delete(key);
}

/** Gives a key a new value, which does not expire. */
function assign(keys: Map<string, string>, key: string, value: string): void {
  remove(keys, key);
  keys.set(key, value);
}

/** Gives a key the value of another, and its expire. */
function take(
  from: ReadonlyMap<string, string>,
  key: string,
  to: Map<string, string>,
  name: string,
): void {
  const expire = from.get(expireOf(key));
  assign(to, name, from.get(key)!);
  if (expire !== undefined) to.set(expireOf(name), expire);
}

/** Changes a value in place; a key without elements goes. */
function put(
  keys: Map<string, string>,
  key: string,
  kind: string,
  items: readonly string[],
): void {
  if (items.length === 0) remove(keys, key);
  else keys.set(key, kind + joined(items));
}

/** As {@linkcode put}, in place of what was there; returns the count. */
function store(
  keys: Map<string, string>,
  key: string,
  kind: string,
  items: readonly string[],
): number {
  remove(keys, key);
  put(keys, key, kind, items);
  return items.length;
}

function putSet(
  keys: Map<string, string>,
  key: string,
  members: Iterable<string>,
): number {
  const sorted = [...new Set(members)].sort();
  put(keys, key, "{", sorted);
  return sorted.length;
}

function text(keys: Map<string, string>, key: string): string | null {
  return keys.get(key)?.slice(1) ?? null;
}

/** Takes an element from one end of a list; null if there is none. */
function pop(
  keys: Map<string, string>,
  key: string,
  end: string,
): string | null {
  const items = elements(keys.get(key));
  const item = end === "LEFT" ? items.shift() : items.pop();
  put(keys, key, "[", items);
  return item ?? null;
}

function push(
  keys: Map<string, string>,
  key: string,
  end: string,
  item: string,
): number {
  const items = elements(keys.get(key));
  if (end === "LEFT") items.unshift(item);
  else items.push(item);
  put(keys, key, "[", items);
  return items.length;
}

function move(
  keys: Map<string, string>,
  [from, to, fromEnd, toEnd]: readonly string[],
): ModelReply {
  const item = pop(keys, from!, fromEnd!);
  if (item !== null) push(keys, to!, toEnd!, item);
  return item;
}

function combine(
  keys: Map<string, string>,
  name: string,
  sources: readonly string[],
): string[] {
  const sets = sources.map((key) => elements(keys.get(key)));
  const [first, ...others] = sets;
  if (name.startsWith("SUNION")) return [...new Set(sets.flat())];
  const wanted = name.startsWith("SINTER");
  return first!.filter((member) =>
    others.every((other) => other.includes(member) === wanted)
  );
}

/** Runs one command. */
function run(
  world: Map<string, string>[],
  db: number,
  argv: readonly string[],
): ModelReply {
  const [name, ...args] = argv as [string, ...string[]];
  const keys = world[db]!;
  const [key, second] = args as [string, string];
  switch (name) {
    case "GET":
      return text(keys, key);
    case "SET":
      assign(keys, key, `=${second}`);
      return "OK";
    case "GETDEL": {
      const value = text(keys, key);
      remove(keys, key);
      return value;
    }
    case "INCRBY": {
      const sum = Number(text(keys, key) ?? 0) + Number(second);
      keys.set(key, `=${sum}`);
      return sum;
    }
    case "MGET":
      return args.map((each) => text(keys, each));
    case "MSETNX":
    case "MSET":
      if (
        name === "MSETNX" && args.some((k, i) => i % 2 === 0 && keys.has(k))
      ) {
        return 0;
      }
      for (let i = 0; i < args.length; i += 2) {
        assign(keys, args[i]!, `=${args[i + 1]}`);
      }
      return name === "MSET" ? "OK" : 1;
    case "DEL":
    case "UNLINK":
      return args.filter((each) => remove(keys, each)).length;
    case "TOUCH":
    case "EXISTS":
      return args.filter((each) => keys.has(each)).length;
    case "RENAME":
    case "RENAMENX": {
      const value = keys.get(key);
      if (value === undefined) return NO_KEY;
      if (name === "RENAMENX" && keys.has(second)) return 0;
      take(keys, key, keys, second);
      if (key !== second) remove(keys, key);
      return name === "RENAME" ? "OK" : 1;
    }
    case "COPY": {
      const at = args.indexOf("DB");
      const target = at < 0 ? keys : world[Number(args[at + 1])]!;
      const replaces = args.includes("REPLACE");
      if (!keys.has(key) || target.has(second) && !replaces) return 0;
      take(keys, key, target, second);
      return 1;
    }
    case "MOVE": {
      if (Number(second) === db) return SAME_OBJECT;
      const target = world[Number(second)]!;
      if (!keys.has(key) || target.has(key)) return 0;
      take(keys, key, target, key);
      remove(keys, key);
      return 1;
    }
    case "PEXPIREAT": {
      const was = Number(keys.get(expireOf(key)) ?? Infinity);
      if (!keys.has(key)) return 0;
      if (args[2] === "NX" && was !== Infinity) return 0;
      if (args[2] === "GT" && Number(second) <= was) return 0;
      keys.set(expireOf(key), second);
      return 1;
    }
    case "PERSIST":
      return keys.delete(expireOf(key)) ? 1 : 0;
    case "PEXPIRETIME":
      return keys.has(key) ? Number(keys.get(expireOf(key)) ?? -1) : -2;
    case "RPUSH":
    case "LPUSH":
      return push(keys, key, name === "LPUSH" ? "LEFT" : "RIGHT", second);
    case "LPOP":
      return pop(keys, key, "LEFT");
    case "LRANGE":
      return elements(keys.get(key));
    case "LMOVE":
    case "BLMOVE":
      return move(keys, args);
    case "BLPOP": {
      const found = args.slice(0, -1).find((each) => keys.has(each));
      return found === undefined ? null : [found, pop(keys, found, "LEFT")];
    }
    case "SADD":
    case "SREM": {
      const had = elements(keys.get(key));
      const left = had.filter((member) => member !== second);
      putSet(keys, key, name === "SADD" ? [...left, second] : left);
      return (left.length < had.length) === (name === "SREM") ? 1 : 0;
    }
    case "SMOVE": {
      const member = args[2]!;
      const from = elements(keys.get(key));
      if (!from.includes(member)) return 0;
      putSet(keys, key, from.filter((each) => each !== member));
      putSet(keys, second, [...elements(keys.get(second)), member]);
      return 1;
    }
    case "SMEMBERS":
      return elements(keys.get(key));
    case "SINTER":
    case "SUNION":
    case "SDIFF":
      return combine(keys, name, args).sort();
    case "SINTERSTORE":
    case "SUNIONSTORE":
    case "SDIFFSTORE":
      return store(
        keys,
        key,
        "{",
        combine(keys, name, args.slice(1)).sort(),
      );
    case "SWAPDB":
      [world[0], world[1]] = [world[1]!, world[0]!];
      return "OK";
    case "FLUSHDB":
      keys.clear();
      return "OK";
    case "DBSIZE":
      return [...keys.keys()].filter(isName).length;
    case "KEYS":
      return [...keys.keys()].filter(isName).sort();
    default:
      return runMore(keys, name, args);
  }
}

/** Commands on what is long, on hashes, sorted sets and bits. */
function runMore(
  keys: Map<string, string>,
  name: string,
  args: readonly string[],
): ModelReply {
  const [key, second, third] = args as [string, string, string];
  const value = keys.get(key);
  switch (name) {
    case "LMPOP": {
      const [from, count] = [Number(key) + 1, Number(args.at(-1))];
      const found = args.slice(1, from).find((each) => keys.has(each));
      if (found === undefined) return null;
      const end = args[from]!;
      const taken: ModelReply[] = [];
      while (taken.length < count && keys.has(found)) {
        taken.push(pop(keys, found, end));
      }
      return [found, taken];
    }
    case "SORT":
    case "SORT_RO": {
      const sorted = elements(value).sort((a, b) => Number(a) - Number(b));
      if (args.includes("DESC")) sorted.reverse();
      const at = args.indexOf("STORE");
      return at < 0 ? sorted : store(keys, args[at + 1]!, "[", sorted);
    }
    case "HSET": {
      const fields = new Map(pairs(value));
      const before = fields.size;
      for (let i = 1; i < args.length; i += 2) {
        fields.set(args[i]!, args[i + 1]!);
      }
      putFields(keys, key, fields);
      return fields.size - before;
    }
    case "HDEL": {
      const fields = new Map(pairs(value));
      const count = args.slice(1).filter((each) => fields.delete(each)).length;
      putFields(keys, key, fields);
      return count;
    }
    case "HINCRBY": {
      const fields = new Map(pairs(value));
      const sum = Number(fields.get(second) ?? 0) + Number(third);
      putFields(keys, key, fields.set(second, String(sum)));
      return sum;
    }
    case "HMGET": {
      const fields = new Map(pairs(value));
      return args.slice(1).map((each) => fields.get(each) ?? null);
    }
    case "HGETALL":
      return pairs(value).map((pair) => pair.join(" "));
    case "HLEN":
      return pairs(value).length;
    case "LLEN":
    case "ZCARD": {
      const [from, to] = numbersOf(value);
      return to > from ? to - from : elements(value).length;
    }
    case "LINDEX":
    case "ZRANGE": {
      const [from, to] = numbersOf(value);
      if (to <= from) {
        if (name === "LINDEX") return null;
        return args.includes("WITHSCORES")
          ? ranked(pairs(value)).flat()
          : ranked(pairs(value)).map(([member]) => member);
      }
      const item = String(Number(second) < 0 ? to - 1 : from);
      return name === "LINDEX" ? item : [item];
    }
    case "LTRIM":
    case "ZREMRANGEBYRANK":
      return cut(keys, name, key, Number(second), Number(third));
    case "BITOP": {
      const sources = args.slice(2).map((each) => text(keys, each) ?? "");
      const length = Math.max(...sources.map((source) => source.length));
      remove(keys, second);
      if (length === 0) return 0;
      let result = "";
      for (let i = 0; i < length; i++) {
        result += String.fromCharCode(
          sources.reduce((bits, source) => bits | source.charCodeAt(i), 0),
        );
      }
      keys.set(second, `=${result}`);
      return length;
    }
    case "APPEND":
      keys.set(key, `=${text(keys, key) ?? ""}${second}`);
      return keys.get(key)!.length - 1;
    case "BITCOUNT":
      return [...text(keys, key) ?? ""].reduce((count, char) => {
        const bits = char.charCodeAt(0).toString(2);
        return count + bits.replaceAll("0", "").length;
      }, 0);
    case "LCS":
      return commonLength(text(keys, key) ?? "", text(keys, second) ?? "");
    case "PFADD": {
      const had = elements(value);
      return putSet(keys, key, [...had, second]) > had.length ? 1 : 0;
    }
    case "PFCOUNT":
      return combine(keys, "SUNION", args).length;
    case "PFMERGE":
      // Of nothing it makes something that is there.
      keys.set(key, `{${joined(combine(keys, "SUNION", args).sort())}`);
      return "OK";
    default:
      return runScores(keys, name, args);
  }
}

/** Commands on sorted sets. */
function runScores(
  keys: Map<string, string>,
  name: string,
  args: readonly string[],
): ModelReply {
  const [key, second, third] = args as [string, string, string];
  const scores = new Map(pairs(keys.get(key)));
  switch (name) {
    case "ZADD": {
      const isNew = !scores.has(third);
      putScores(keys, key, scores.set(third, second));
      return isNew ? 1 : 0;
    }
    case "ZINCRBY": {
      const sum = String(Number(scores.get(third) ?? 0) + Number(second));
      putScores(keys, key, scores.set(third, sum));
      return sum;
    }
    case "ZREM": {
      const isThere = scores.delete(second);
      putScores(keys, key, scores);
      return isThere ? 1 : 0;
    }
    case "ZMSCORE":
      return args.slice(1).map((each) => scores.get(each) ?? null);
    case "ZMPOP": {
      const from = Number(key) + 1;
      const found = args.slice(1, from).find((each) => keys.has(each));
      if (found === undefined) return null;
      const items = ranked(pairs(keys.get(found)));
      const taken = args[from] === "MIN" ? items.shift()! : items.pop()!;
      putScores(keys, found, new Map(items));
      return [found, ...taken];
    }
    case "ZUNION":
    case "ZINTER":
    case "ZDIFF":
      return combined(keys, name, args).flat();
    case "ZUNIONSTORE":
    case "ZINTERSTORE":
    case "ZDIFFSTORE": {
      const result = combined(keys, name, args.slice(1));
      remove(keys, key);
      putScores(keys, key, new Map(result));
      return result.length;
    }
    case "ZRANGESTORE": {
      const [from, to] = [Number(third), Number(args[3])];
      const result = ranked(pairs(keys.get(second))).slice(from, to + 1);
      remove(keys, key);
      putScores(keys, key, new Map(result));
      return result.length;
    }
    default:
      throw new Error(`Cannot run "${name}": the model does not know it`);
  }
}

/** Takes numbers from both ends of a long value, or from one. */
function cut(
  keys: Map<string, string>,
  name: string,
  key: string,
  start: number,
  stop: number,
): ModelReply {
  const value = keys.get(key);
  if (value === undefined) return name === "LTRIM" ? "OK" : 0;
  const [from, to] = numbersOf(value);
  const length = to - from;
  const first = start < 0 ? Math.max(0, length + start) : start;
  const end = Math.min(length, (stop < 0 ? length + stop : stop) + 1);
  const count = Math.max(0, end - first);
  let [newFrom, newTo] = [from + first, from + end];
  if (name !== "LTRIM") {
    // What is removed lies at one of the ends.
    [newFrom, newTo] = first === 0 ? [from + count, to] : [from, to - count];
  }
  if (newTo > newFrom) keys.set(key, `${value[0]}${newFrom},${newTo}`);
  else remove(keys, key);
  return name === "LTRIM" ? "OK" : count;
}

function combined(
  keys: ReadonlyMap<string, string>,
  name: string,
  args: readonly string[],
): [string, string][] {
  const count = Number(args[0]);
  const sources = args.slice(1, count + 1).map((each) => pairs(keys.get(each)));
  const at = args.indexOf("AGGREGATE");
  return combineScores(name, sources, at < 0 ? "SUM" : args[at + 1]!);
}

function putFields(
  keys: Map<string, string>,
  key: string,
  fields: ReadonlyMap<string, string>,
): void {
  put(keys, key, "%", [...fields].map((pair) => pair.join(" ")).sort());
}

function putScores(
  keys: Map<string, string>,
  key: string,
  scores: ReadonlyMap<string, string>,
): void {
  put(keys, key, "<", ranked([...scores]).map((pair) => pair.join(" ")));
}

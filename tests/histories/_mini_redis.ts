/**
 * What a few commands of Redis do, one after the other: the model that
 * histories are checked against. Replies are plain values, those of sets and of
 * KEYS in the order of their texts, errors as texts that begin with "-".
 *
 * A value is one text: `=` and the string, `[` and the elements of a list, `{`
 * and the members of a set in order, each followed by a comma.
 *
 * @module
 */
import type { Model } from "./_linearize.ts";

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

function put(
  keys: Map<string, string>,
  key: string,
  kind: string,
  items: readonly string[],
): void {
  if (items.length === 0) keys.delete(key);
  else keys.set(key, kind + items.map((item) => `${item},`).join(""));
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
      keys.set(key, `=${second}`);
      return "OK";
    case "GETDEL": {
      const value = text(keys, key);
      keys.delete(key);
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
        keys.set(args[i]!, `=${args[i + 1]}`);
      }
      return name === "MSET" ? "OK" : 1;
    case "DEL":
    case "UNLINK":
      return args.filter((each) => keys.delete(each)).length;
    case "EXISTS":
      return args.filter((each) => keys.has(each)).length;
    case "RENAME":
    case "RENAMENX": {
      const value = keys.get(key);
      if (value === undefined) return NO_KEY;
      if (name === "RENAMENX" && keys.has(second)) return 0;
      keys.delete(key);
      keys.set(second, value);
      return name === "RENAME" ? "OK" : 1;
    }
    case "COPY": {
      const value = keys.get(key);
      if (value === undefined || keys.has(second) && args.length < 3) return 0;
      keys.set(second, value);
      return 1;
    }
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
      return putSet(keys, key, combine(keys, name, args.slice(1)));
    case "SWAPDB":
      [world[0], world[1]] = [world[1]!, world[0]!];
      return "OK";
    case "FLUSHDB":
      keys.clear();
      return "OK";
    case "DBSIZE":
      return keys.size;
    case "KEYS":
      return [...keys.keys()].sort();
    default:
      throw new Error(`Cannot run "${name}": the model does not know it`);
  }
}

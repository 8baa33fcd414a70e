/**
 * What one connection's commands must answer, byte by byte, as long as nobody
 * else touches its keys: a Map and a few lines per command. The commands are
 * chosen here together with their replies, so a script and what it must bring
 * are made in one go.
 *
 * @module
 */
import type { Random } from "../_random.ts";

/** One command and the exact bytes that must come back. */
export interface Exchange {
  argv: string[];
  reply: string;
}

const NOT_INTEGER = "-ERR value is not an integer or out of range\r\n";

/** The keys of one connection and the commands that it may send. */
export class ConnectionModel {
  readonly #random: Random;
  readonly #keys: readonly string[];
  readonly #null: string;
  readonly #stored = new Map<string, string>();

  /** `keys` must belong to this connection alone. */
  constructor(random: Random, keys: readonly string[], resp: 2 | 3) {
    this.#random = random;
    this.#keys = keys;
    this.#null = resp === 3 ? "_\r\n" : "$-1\r\n";
  }

  /** Number of keys that exist now. */
  get size(): number {
    return this.#stored.size;
  }

  /** A random command, applied to the model. */
  next(): Exchange {
    const { argv, reply } = this.#random.pick(this.#commands).call(this);
    return { argv, reply };
  }

  readonly #commands: readonly (() => Exchange)[] = [
    ...[this.#set, this.#set, this.#set, this.#get, this.#get, this.#get],
    ...[this.#append, this.#getRange, this.#setRange, this.#incrBy],
    ...[this.#mset, this.#mget, this.#mget, this.#del, this.#exists],
    ...[this.#rename, this.#getDel, this.#setNx, this.#echo, this.#refused],
  ];

  #key(): string {
    return this.#random.pick(this.#keys);
  }

  /** Mostly short, some beyond every buffer's size, and every byte value. */
  #value(): string {
    const random = this.#random;
    if (random.chance(0.2)) return String(random.between(-1000, 1000));
    if (random.chance(0.8)) return random.binary(random.below(60));
    if (random.chance(0.9)) return random.binary(random.below(3000));
    const piece = random.binary(random.between(1, 999));
    return piece.repeat(random.between(1, 300_000) / piece.length + 1);
  }

  #bulkOrNull(value: string | undefined): string {
    return value === undefined ? this.#null : bulk(value);
  }

  #set(): Exchange {
    const [key, value] = [this.#key(), this.#value()];
    this.#stored.set(key, value);
    return { argv: ["SET", key, value], reply: "+OK\r\n" };
  }

  #get(): Exchange {
    const key = this.#key();
    const reply = this.#bulkOrNull(this.#stored.get(key));
    return { argv: ["GET", key], reply };
  }

  #append(): Exchange {
    const [key, value] = [this.#key(), this.#random.binary(20)];
    const whole = (this.#stored.get(key) ?? "") + value;
    this.#stored.set(key, whole);
    return { argv: ["APPEND", key, value], reply: `:${whole.length}\r\n` };
  }

  #getRange(): Exchange {
    const [key, from, length] = [
      this.#key(),
      this.#random.below(100),
      this.#random.below(2000),
    ];
    const part = (this.#stored.get(key) ?? "").slice(from, from + length + 1);
    return {
      argv: ["GETRANGE", key, String(from), String(from + length)],
      reply: bulk(part),
    };
  }

  #setRange(): Exchange {
    const [key, at] = [this.#key(), this.#random.below(200)];
    const value = this.#random.binary(this.#random.between(1, 40));
    const old = (this.#stored.get(key) ?? "").padEnd(at, "\0");
    const whole = old.slice(0, at) + value + old.slice(at + value.length);
    this.#stored.set(key, whole);
    return {
      argv: ["SETRANGE", key, String(at), value],
      reply: `:${whole.length}\r\n`,
    };
  }

  #incrBy(): Exchange {
    const [key, by] = [this.#key(), this.#random.between(-99, 99)];
    const argv = ["INCRBY", key, String(by)];
    const old = this.#stored.get(key) ?? "0";
    if (!/^(0|-?[1-9]\d{0,9})$/.test(old)) return { argv, reply: NOT_INTEGER };
    const sum = Number(old) + by;
    this.#stored.set(key, String(sum));
    return { argv, reply: `:${sum}\r\n` };
  }

  #mset(): Exchange {
    const argv = ["MSET"];
    for (let i = this.#random.between(1, 10); i > 0; i--) {
      const [key, value] = [this.#key(), this.#random.binary(30)];
      this.#stored.set(key, value);
      argv.push(key, value);
    }
    return { argv, reply: "+OK\r\n" };
  }

  #mget(): Exchange {
    const keys = this.#someKeys();
    const values = keys.map((key) => this.#bulkOrNull(this.#stored.get(key)));
    return {
      argv: ["MGET", ...keys],
      reply: `*${keys.length}\r\n${values.join("")}`,
    };
  }

  #del(): Exchange {
    const keys = this.#someKeys();
    const count = keys.filter((key) => this.#stored.delete(key)).length;
    return { argv: ["DEL", ...keys], reply: `:${count}\r\n` };
  }

  #exists(): Exchange {
    const keys = this.#someKeys();
    const count = keys.filter((key) => this.#stored.has(key)).length;
    return { argv: ["EXISTS", ...keys], reply: `:${count}\r\n` };
  }

  #rename(): Exchange {
    const [from, to] = [this.#key(), this.#key()];
    const argv = ["RENAME", from, to];
    const value = this.#stored.get(from);
    if (value === undefined) return { argv, reply: "-ERR no such key\r\n" };
    this.#stored.delete(from);
    this.#stored.set(to, value);
    return { argv, reply: "+OK\r\n" };
  }

  #getDel(): Exchange {
    const key = this.#key();
    const reply = this.#bulkOrNull(this.#stored.get(key));
    this.#stored.delete(key);
    return { argv: ["GETDEL", key], reply };
  }

  #setNx(): Exchange {
    const [key, value] = [this.#key(), this.#random.binary(10)];
    const isNew = !this.#stored.has(key);
    if (isNew) this.#stored.set(key, value);
    return { argv: ["SETNX", key, value], reply: isNew ? ":1\r\n" : ":0\r\n" };
  }

  #echo(): Exchange {
    const value = this.#value();
    return { argv: ["ECHO", value], reply: bulk(value) };
  }

  #refused(): Exchange {
    return {
      argv: ["GET"],
      reply: "-ERR wrong number of arguments for 'get' command\r\n",
    };
  }

  #someKeys(): string[] {
    const count = this.#random.between(1, 12);
    return Array.from({ length: count }, () => this.#key());
  }
}

function bulk(value: string): string {
  return `$${value.length}\r\n${value}\r\n`;
}

/**
 * The events that happen to keys, by number: what keyspace notifications name,
 * with the class that turns each on (`notify-keyspace-events`).
 *
 * A command tells the keyspace which event it has caused
 * ({@linkcode KeyHooks.signal}); that is also how watched keys are seen to
 * change. The classes are bits of a shard's hook word (shard_control.ts), so
 * that one test tells whether anybody asks for an event.
 *
 * Source: https://redis.io/docs/latest/develop/use/keyspace-notifications/
 *
 * @module
 */

/** The bit of the first letter; those below it are other hooks. */
const FIRST_CLASS = 8;

/** Letters of `notify-keyspace-events`, in the order of their bits. */
const LETTERS = "g$lshzxetdmnKE";

/** Those that `A` stands for, as CONFIG GET prints them. */
const ALL_LETTERS = "g$lshzxetd";

/** Those that it prints beside, in this order. */
const OTHER_LETTERS = "KEmn";

const NAMES: string[] = [];
const CLASSES: number[] = [];

/** Names as subscribers see them, by event. */
export const EVENT_NAMES: readonly string[] = NAMES;
/** Bits of the classes, by event; 0 for what is no event for subscribers. */
export const EVENT_CLASSES: readonly number[] = CLASSES;

function bitOf(letter: string): number {
  return 1 << FIRST_CLASS + LETTERS.indexOf(letter);
}

function bitsOf(letters: string): number {
  let bits = 0;
  for (const letter of letters) bits |= bitOf(letter);
  return bits;
}

const ALL = bitsOf(ALL_LETTERS);

/** Bit: messages in the channels of keys, `__keyspace@0__:key`. */
export const NOTIFY_KEYSPACE: number = bitOf("K");
/** Bit: messages in the channels of events, `__keyevent@0__:event`. */
export const NOTIFY_KEYEVENT: number = bitOf("E");
/** The bits of all classes and of both kinds of channels. */
export const NOTIFY_MASK: number = bitsOf(LETTERS);

/** The bits that letters mean; undefined if one is no class. */
export function parseEventClasses(letters: string): number | undefined {
  let bits = 0;
  for (const letter of letters) {
    if (letter === "A") bits |= ALL;
    else if (LETTERS.includes(letter)) bits |= bitOf(letter);
    else return undefined;
  }
  return bits;
}

/** The letters of bits, as CONFIG GET prints them. */
export function formatEventClasses(bits: number): string {
  let letters = "";
  if ((bits & ALL) === ALL) letters = "A";
  else {
    for (const letter of ALL_LETTERS) {
      if ((bits & bitOf(letter)) !== 0) letters += letter;
    }
  }
  for (const letter of OTHER_LETTERS) {
    if ((bits & bitOf(letter)) !== 0) letters += letter;
  }
  return letters;
}

/** Who is told of the events that are asked for. */
export interface KeyEventListener {
  /**
   * An event has happened to a key. The bytes are lent for the call; latches
   * are held, so it only takes notes. `hooks` is the shard's hook word.
   */
  keyEvent(
    hooks: number,
    event: number,
    db: number,
    buf: Uint8Array,
    off: number,
    length: number,
  ): void;
}

function event(letter: string, name: string): number {
  CLASSES.push(letter === "" ? 0 : bitOf(letter));
  return NAMES.push(name) - 1;
}

/** The key has changed, which is no event for subscribers. */
export const CHANGED: number = event("", "");

/** A key has come into being: the cause's own event follows. */
export const NEW: number = event("n", "new");
/** A command wanted to read a key that is not there; nothing has changed. */
export const KEY_MISS: number = event("m", "keymiss");

export const DEL: number = event("g", "del");
export const RENAME_FROM: number = event("g", "rename_from");
export const RENAME_TO: number = event("g", "rename_to");
export const MOVE_FROM: number = event("g", "move_from");
export const MOVE_TO: number = event("g", "move_to");
export const COPY_TO: number = event("g", "copy_to");
export const RESTORE: number = event("g", "restore");
export const EXPIRE: number = event("g", "expire");
export const PERSIST: number = event("g", "persist");

export const SET: number = event("$", "set");
export const SETRANGE: number = event("$", "setrange");
export const SETBIT: number = event("$", "setbit");
export const APPEND: number = event("$", "append");
export const INCRBY: number = event("$", "incrby");
export const INCRBYFLOAT: number = event("$", "incrbyfloat");
export const PFADD: number = event("$", "pfadd");

export const LPUSH: number = event("l", "lpush");
export const RPUSH: number = event("l", "rpush");
export const LPOP: number = event("l", "lpop");
export const RPOP: number = event("l", "rpop");
export const LINSERT: number = event("l", "linsert");
export const LSET: number = event("l", "lset");
export const LREM: number = event("l", "lrem");
export const LTRIM: number = event("l", "ltrim");
export const SORTSTORE: number = event("l", "sortstore");

export const SADD: number = event("s", "sadd");
export const SREM: number = event("s", "srem");
export const SPOP: number = event("s", "spop");
export const SINTERSTORE: number = event("s", "sinterstore");
export const SUNIONSTORE: number = event("s", "sunionstore");
export const SDIFFSTORE: number = event("s", "sdiffstore");

export const ZADD: number = event("z", "zadd");
export const ZINCR: number = event("z", "zincr");
export const ZREM: number = event("z", "zrem");
export const ZPOPMIN: number = event("z", "zpopmin");
export const ZPOPMAX: number = event("z", "zpopmax");
export const ZREMRANGEBYRANK: number = event("z", "zremrangebyrank");
export const ZREMRANGEBYSCORE: number = event("z", "zremrangebyscore");
export const ZREMRANGEBYLEX: number = event("z", "zremrangebylex");
export const ZRANGESTORE: number = event("z", "zrangestore");
export const ZINTERSTORE: number = event("z", "zinterstore");
export const ZUNIONSTORE: number = event("z", "zunionstore");
export const ZDIFFSTORE: number = event("z", "zdiffstore");
export const GEORADIUSSTORE: number = event("z", "georadiusstore");
export const GEOSEARCHSTORE: number = event("z", "geosearchstore");

export const HSET: number = event("h", "hset");
export const HDEL: number = event("h", "hdel");
export const HINCRBY: number = event("h", "hincrby");
export const HINCRBYFLOAT: number = event("h", "hincrbyfloat");
export const HEXPIRE: number = event("h", "hexpire");
export const HPERSIST: number = event("h", "hpersist");
export const HEXPIRED: number = event("h", "hexpired");

export const XADD: number = event("t", "xadd");
export const XDEL: number = event("t", "xdel");
export const XTRIM: number = event("t", "xtrim");
export const XSETID: number = event("t", "xsetid");
export const XGROUP_CREATE: number = event("t", "xgroup-create");
export const XGROUP_SETID: number = event("t", "xgroup-setid");
export const XGROUP_DESTROY: number = event("t", "xgroup-destroy");
export const XGROUP_CREATECONSUMER: number = event(
  "t",
  "xgroup-createconsumer",
);
export const XGROUP_DELCONSUMER: number = event("t", "xgroup-delconsumer");

export const EXPIRED: number = event("x", "expired");
export const EVICTED: number = event("e", "evicted");

/**
 * What all workers of the stress test know of the data: a model in shared
 * memory, whose words are guarded by the same latches as the keys they are
 * about. So a value can be checked to the last byte, and a stale, torn or
 * foreign one is told from the right one.
 *
 * @module
 */
import { asciiOf, latin1BytesOf } from "../../src/core/base/bytes.ts";
import { hashSlot } from "../../src/core/base/crc16.ts";
import { halfSipHash } from "../../src/core/base/half_siphash.ts";
import { Prng } from "../../src/core/base/prng.ts";
import { AccessClock } from "../../src/core/keyspace/access_clock.ts";
import { COUNTER_COUNT } from "../../src/core/keyspace/counters.ts";
import { Key } from "../../src/core/keyspace/key.ts";
import { Keyspace } from "../../src/core/keyspace/keyspace.ts";
import { Arena } from "../../src/core/memory/arena.ts";
import { PagePool } from "../../src/core/memory/page_pool.ts";
import { Settings } from "../../src/core/settings/settings.ts";
import { Latches } from "../../src/engine/latch/shard_latches.ts";
import type { SharedState } from "../../src/engine/messages/shared_state.ts";

/** Keys that any worker may change. */
export const KEY_COUNT = 600;
/** Pairs of keys that are only ever written together. */
export const PAIR_COUNT = 40;
/** Ids of all keys with a model: the plain ones, then both halves of pairs. */
export const MODELLED_COUNT = KEY_COUNT + 2 * PAIR_COUNT;

/** Words of the model per key. */
const MODEL_WORDS = 4;
/** Word: what the bytes are made of, 0 while the key is absent. */
const VERSION = 0;
/** Word: length of the value. */
const LENGTH = 1;
/** Word: expire, in steps of the shared clock; 0 for none. */
const EXPIRE = 2;

/** Words before the model: versions given out, and the clock. */
const HEAD_WORDS = 16;
const NEXT_VERSION_AT = 0;
const CLOCK_AT = 1;

/** Byte `i` of a value is made of the version and of `i`, whatever the length. */
function byteAt(version: number, i: number): number {
  return (Math.imul(version, 0x9e3779b1) >>> 9 ^ Math.imul(i, 167) ^ i >> 8) &
    0xff;
}

/** Writes the bytes of a version from index `from` on. */
export function writeVersion(
  version: number,
  bytes: Uint8Array,
  off: number,
  from: number,
  to: number,
): void {
  for (let i = from; i < to; i++) bytes[off + i] = byteAt(version, i);
}

/** Throws unless the bytes are those of the version. */
export function checkVersion(
  version: number,
  bytes: Uint8Array,
  off: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) {
    if (bytes[off + i] === byteAt(version, i)) continue;
    throw new Error(
      `byte ${i} of ${length} is not of version ${version}: a torn, stale ` +
        "or foreign value",
    );
  }
}

/** What a key should be. */
export interface Expected {
  version: number;
  length: number;
  expireAtMs: number;
}

/** The model; whoever touches a key's words holds the latch of its shard. */
export class Model {
  readonly words: Int32Array;

  constructor(words: SharedArrayBuffer) {
    this.words = new Int32Array(words);
  }

  static makeWords(): SharedArrayBuffer {
    const words = new SharedArrayBuffer(
      (HEAD_WORDS + MODELLED_COUNT * MODEL_WORDS) * 4,
    );
    new Int32Array(words)[CLOCK_AT] = 1;
    return words;
  }

  /** A version that nobody else gets. */
  newVersion(): number {
    return Atomics.add(this.words, NEXT_VERSION_AT, 1) + 1;
  }

  get nowMs(): number {
    return Atomics.load(this.words, CLOCK_AT);
  }

  tick(): void {
    Atomics.add(this.words, CLOCK_AT, 1);
  }

  get(id: number): Expected {
    const at = HEAD_WORDS + id * MODEL_WORDS;
    return {
      version: this.words[at + VERSION]!,
      length: this.words[at + LENGTH]!,
      expireAtMs: this.words[at + EXPIRE]!,
    };
  }

  set(id: number, { version, length, expireAtMs }: Expected): void {
    const at = HEAD_WORDS + id * MODEL_WORDS;
    this.words[at + VERSION] = version;
    this.words[at + LENGTH] = length;
    this.words[at + EXPIRE] = expireAtMs;
  }

  remove(id: number): void {
    this.set(id, { version: 0, length: 0, expireAtMs: 0 });
  }
}

/** One worker's handles on the shared state. */
export class Handles {
  readonly arena: Arena;
  readonly pool: PagePool;
  readonly keyspaces: readonly Keyspace[];
  readonly latches: Latches;
  readonly #slotShards: Uint16Array;
  readonly #hashSeed: readonly [number, number];

  constructor(shared: SharedState, seed: number) {
    this.arena = new Arena(shared.arena);
    const pool = new PagePool(this.arena, true);
    this.pool = pool;
    const counters = new Float64Array(COUNTER_COUNT);
    const random = new Prng(seed);
    const context = {
      arena: this.arena,
      pool,
      counters,
      clock: new AccessClock(random),
      random,
      hashSeed: shared.hashSeed,
      limits: new Settings({ cores: 1, dir: "/" }),
    };
    const controls = shared.controls.map((words) => new Int32Array(words));
    this.keyspaces = controls.map((control, shard) =>
      new Keyspace(context, control, shard)
    );
    this.latches = new Latches(controls, counters, true, true);
    this.#slotShards = new Uint16Array(shared.slotShards);
    this.#hashSeed = shared.hashSeed;
  }

  key(name: string): Key {
    const key = new Key();
    key.buf = latin1BytesOf(name);
    key.length = key.buf.length;
    key.hash = halfSipHash(key.buf, 0, key.length, ...this.#hashSeed);
    key.shard = this.#slotShards[hashSlot(key.buf, 0, key.length)]!;
    return key;
  }

  /** The key of an id of the model. */
  modelled(id: number): Key {
    return this.key(`${id}:${"k".repeat(id % 50)}`);
  }

  space(key: Key): Keyspace {
    return this.keyspaces[key.shard]!;
  }

  /** Id of an entry whose key {@linkcode modelled} made. */
  idOf(space: Keyspace, ref: number): number {
    const text = asciiOf(
      space.bytes(ref).slice(space.keyOff(ref), space.keyOff(ref) + 8),
      0,
      8,
    );
    return parseInt(text);
  }
}

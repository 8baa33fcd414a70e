/**
 * Shards without workers: keyspaces over a small arena, latches that check how
 * they are used, and a clock that the test moves.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { hashSlot } from "../../../../src/core/base/crc16.ts";
import { halfSipHash } from "../../../../src/core/base/half_siphash.ts";
import { Prng } from "../../../../src/core/base/prng.ts";
import { AccessClock } from "../../../../src/core/keyspace/access_clock.ts";
import { STRING_RAW } from "../../../../src/core/types/entry.ts";
import { Key } from "../../../../src/core/keyspace/key.ts";
import { Keyspace } from "../../../../src/core/keyspace/keyspace.ts";
import type { ReadyKeys } from "../../../../src/core/keyspace/ready_keys.ts";
import type { EntrySaver } from "../../../../src/core/keyspace/snapshot_marks.ts";
import {
  expiresAt,
  fieldExpiresAt,
  keysAt,
  shardControlWords,
} from "../../../../src/core/keyspace/shard_control.ts";
import {
  Arena,
  PAGE_BYTES,
  reserveArena,
} from "../../../../src/core/memory/arena.ts";
import { PagePool } from "../../../../src/core/memory/page_pool.ts";
import { Settings } from "../../../../src/core/settings/settings.ts";

/** Latches that allow one hold at a time and count the holds. */
export class CheckedLatches {
  holds = 0;
  #held = -1;

  acquire(shard: number): void {
    assert(this.#held < 0, "one latch at a time");
    this.#held = shard;
    this.holds++;
  }

  release(shard: number): void {
    assertEquals(this.#held, shard);
    this.#held = -1;
  }
}

/** Some shards with everything that a worker has. */
export class Shards {
  readonly arena: Arena;
  readonly pages: PagePool;
  readonly counters = new Float64Array(64);
  readonly random = new Prng(1);
  readonly clock: AccessClock = new AccessClock(this.random);
  readonly latches = new CheckedLatches();
  readonly settings: Settings = new Settings({ cores: 1, dir: "/" });
  readonly keyspaces: readonly Keyspace[];
  /** What `monotonicMs` says; each look at it takes a hundredth. */
  elapsedMs = 0;

  constructor(
    options: {
      shards?: number;
      databases?: number;
      arenaBytes?: number;
      saver?: EntrySaver;
      ready?: ReadyKeys;
    } = {},
  ) {
    const { shards = 4, databases = 4, arenaBytes = 64 << 20 } = options;
    this.arena = new Arena(reserveArena(arenaBytes));
    this.pages = new PagePool(this.arena, false);
    this.pages.format();
    this.clock.tell(1_000_000);
    const context = {
      arena: this.arena,
      pool: this.pages,
      counters: this.counters,
      clock: this.clock,
      random: this.random,
      hashSeed: [1, 2] as const,
      limits: this.settings,
      ...options.saver !== undefined && { saver: options.saver },
      ...options.ready !== undefined && { ready: options.ready },
    };
    this.keyspaces = Array.from({ length: shards }, (_, shard) => {
      const control = new Int32Array(
        new SharedArrayBuffer(shardControlWords(databases) * 4),
      );
      return new Keyspace(context, control, shard);
    });
  }

  readonly monotonicMs = (): number => this.elapsedMs += 0.01;

  /** Pages of the arena. */
  get pageCount(): number {
    return this.arena.capacityBytes / PAGE_BYTES;
  }

  get usedBytes(): number {
    return this.keyspaces.reduce((sum, s) => sum + s.heap.usedBytes, 0);
  }

  get heldBytes(): number {
    return this.keyspaces.reduce((sum, s) => sum + s.heap.heldBytes, 0);
  }

  key(name: string): Key {
    const key = new Key();
    key.buf = latin1BytesOf(name);
    key.length = name.length;
    key.hash = halfSipHash(key.buf, 0, key.length, 1, 2);
    key.shard = hashSlot(key.buf, 0, key.length) % this.keyspaces.length;
    return key;
  }

  space(key: Key): Keyspace {
    return this.keyspaces[key.shard]!;
  }

  set(name: string, value: string, expireAtMs = 0, db = 0): void {
    const key = this.key(name);
    const space = this.space(key);
    const bytes = latin1BytesOf(value);
    space.strings.set(
      db,
      key,
      space.peek(db, key),
      bytes,
      0,
      bytes.length,
      STRING_RAW,
      expireAtMs,
    );
  }

  /** The value of a key, expired or not; null if there is none. */
  get(name: string, db = 0): string | null {
    const key = this.key(name);
    const space = this.space(key);
    const ref = space.peek(db, key);
    if (ref === 0) return null;
    const off = space.strings.off(ref);
    return text(space.strings.bytes(ref), off, space.strings.length(ref));
  }

  delete(name: string, db = 0): void {
    const key = this.key(name);
    const space = this.space(key);
    const ref = space.peek(db, key);
    if (ref !== 0) space.delete(db, ref);
  }

  count(db = 0): number {
    return this.keyspaces.reduce((sum, space) => sum + space.count(db), 0);
  }

  /** Checks dictionaries and heaps. */
  verify(): void {
    for (const space of this.keyspaces) {
      for (let db = 0; db < 2 * space.databases; db++) {
        space.dict.verify(space.control, keysAt(db));
        space.dict.verify(space.control, expiresAt(db));
        space.dict.verify(space.control, fieldExpiresAt(db));
      }
      space.heap.verify();
    }
    this.pages.verify();
  }

  /** Checks that nothing at all is in use any more. */
  verifyEmpty(): void {
    this.verify();
    assertEquals(this.usedBytes, 0);
    for (const space of this.keyspaces) space.heap.releaseReserve();
    assertEquals(this.heldBytes, 0);
    assertEquals(this.pages.usedPages, 0);
  }
}

/** Name of an entry's key. */
export function nameOf(space: Keyspace, ref: number): string {
  return text(space.bytes(ref), space.keyOff(ref), space.keyLength(ref));
}

function text(bytes: Uint8Array, off: number, length: number): string {
  let out = "";
  for (let i = 0; i < length; i++) out += String.fromCharCode(bytes[off + i]!);
  return out;
}

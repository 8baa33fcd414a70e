/**
 * Eviction: keys that are deleted to keep the data below `maxmemory`.
 *
 * Which key is the best to go is approximated, as in Redis: a few entries are
 * sampled, and a small pool keeps the best candidates of earlier samples. A
 * pool member is a reference that may be stale by the time it is wanted; it
 * counts only if the dictionary still has it, and if nothing has made it worth
 * more since.
 *
 * Before a command that may take memory, {@linkcode Evictor.makeRoom} tests two
 * things:
 * - whether the objects of all heaps take more than `maxmemory`. The sum is
 *   not made for every command, but again after so many commands as could not
 *   reach the limit if each took {@linkcode COMMAND_BYTES};
 * - whether the arena's pages run out. Tables and slabs must always get theirs,
 *   or a command would fail half-way, so the last pages are kept for them.
 *
 * Cost: a load and a compare while there is room. One latch is held at a time,
 * for one sample or one deletion.
 *
 * @module
 */

import type { Prng } from "../base/prng.ts";
import { DICT_COUNT } from "../memory/dict.ts";
import type { PagePool } from "../memory/page_pool.ts";
import type { Settings } from "../settings/settings.ts";
import { MAXMEMORY_POLICY } from "../settings/settings_table.ts";
import type { AccessClock } from "./access_clock.ts";
import { EVICTED_KEYS, EVICTION_MS } from "./counters.ts";
import { EVICTED } from "./key_events.ts";
import type { Keyspace } from "./keyspace.ts";
import { isLocked } from "./locking.ts";
import { expiresAt, keysAt } from "./shard_control.ts";
import { hasDetached, reclaimSlice } from "./reclaim.ts";
import type { ShardHolds } from "./scan_walk.ts";

/** What {@linkcode Evictor} reads of the configuration. */
export type EvictionSettings = Pick<
  Settings,
  | "maxmemory"
  | "maxmemoryPolicy"
  | "maxmemorySamples"
  | "maxmemoryEvictionTenacity"
>;

/** Bytes that a command is thought to take when the next sum is put off. */
const COMMAND_BYTES = 64 * 1024;
/** Most commands between two sums. */
const COMMANDS_MAX = 128;
/** Share of the arena's pages that is kept for tables and slabs. */
const RESERVED_SHARE = 0.01;
/** Pages that are kept in any case. */
const RESERVED_PAGES_MIN = 64;
/** Evictions per command for want of pages: see `#makePages`. */
const PAGE_EVICTIONS = 16;
/** Candidates remembered from sample to sample. */
const POOL_SIZE = 16;
/** Attempts to hit an entry at random, per entry wanted. */
const DRAWS_PER_SAMPLE = 16;
/** Draws until one hits an entry that is not locked. */
const LOCKED_DRAWS = 16;
/** Evictions between two looks at the clock. */
const EVICTIONS_PER_LOOK = 16;
/** Detached entries freed in one hold. */
const RECLAIM_ENTRIES = 64;

/** Whether the policy counts accesses, so that clocks are LFU clocks. */
export function isLfuPolicy(policy: number): boolean {
  return policy === MAXMEMORY_POLICY.ALLKEYS_LFU ||
    policy === MAXMEMORY_POLICY.VOLATILE_LFU;
}

function isVolatilePolicy(policy: number): boolean {
  return policy === MAXMEMORY_POLICY.VOLATILE_LRU ||
    policy === MAXMEMORY_POLICY.VOLATILE_LFU ||
    policy === MAXMEMORY_POLICY.VOLATILE_RANDOM ||
    policy === MAXMEMORY_POLICY.VOLATILE_TTL;
}

function isRandomPolicy(policy: number): boolean {
  return policy === MAXMEMORY_POLICY.ALLKEYS_RANDOM ||
    policy === MAXMEMORY_POLICY.VOLATILE_RANDOM;
}

/** Milliseconds that a command may spend on evictions. */
export function evictionLimitMs(tenacity: number): number {
  if (tenacity <= 10) return 0.05 * tenacity;
  return tenacity < 100 ? 0.5 * 1.15 ** (tenacity - 10) : Infinity;
}

/** An entry that might be evicted. */
interface Candidate {
  shard: number;
  db: number;
  ref: number;
  hash: number;
  /** The higher, the sooner it goes. */
  score: number;
}

/** Makes room for one worker's commands. */
export class Evictor {
  readonly #keyspaces: readonly Keyspace[];
  readonly #latches: ShardHolds;
  readonly #settings: EvictionSettings;
  readonly #counters: Float64Array;
  readonly #clock: AccessClock;
  readonly #random: Prng;
  readonly #pages: PagePool;
  readonly #pageCount: number;
  readonly #monotonicMs: () => number;
  /** Commands left before the next sum. */
  #credit = 0;
  /** What the sum was compared with. */
  #creditMaxmemory = 0;
  /** Sorted by score, the best to evict last. */
  readonly #pool: Candidate[] = [];
  #poolPolicy = -1;

  /** One evictor per worker, over all shards. */
  constructor(
    parts: {
      keyspaces: readonly Keyspace[];
      latches: ShardHolds;
      settings: EvictionSettings;
      counters: Float64Array;
      clock: AccessClock;
      random: Prng;
      pages: PagePool;
      /** Pages of the whole arena. */
      pageCount: number;
      monotonicMs: () => number;
    },
  ) {
    this.#keyspaces = parts.keyspaces;
    this.#latches = parts.latches;
    this.#settings = parts.settings;
    this.#counters = parts.counters;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#pages = parts.pages;
    this.#pageCount = parts.pageCount;
    this.#monotonicMs = parts.monotonicMs;
  }

  /** Bytes of all objects of all shards. */
  get usedBytes(): number {
    let used = 0;
    for (const space of this.#keyspaces) used += space.heap.usedBytes;
    return used;
  }

  /**
   * Evicts until a command may take memory; false if nothing more can go and
   * the command must be refused. When the time for it is up, the command is
   * let through although the data is still above the limit. No latch is held, and
   * the memory of the pages that are used next is made ready.
   */
  makeRoom(): boolean {
    this.#pages.keepReady();
    if (this.#freePages() < this.#reservedPages() && !this.#makePages()) {
      return false;
    }
    const { maxmemory } = this.#settings;
    if (maxmemory === 0) return true;
    if (--this.#credit >= 0 && maxmemory === this.#creditMaxmemory) return true;
    const spare = maxmemory - this.usedBytes;
    if (spare < 0) {
      this.#credit = 0;
      return this.#timed(() => this.#evictTo(maxmemory));
    }
    this.#creditMaxmemory = maxmemory;
    this.#credit = Math.min(COMMANDS_MAX, Math.floor(spare / COMMAND_BYTES));
    return true;
  }

  /** Whether the data is above the limit, so that the owner may help. */
  isOverLimit(): boolean {
    const { maxmemory } = this.#settings;
    return maxmemory !== 0 && this.usedBytes > maxmemory ||
      this.#freePages() < this.#reservedPages();
  }

  #reservedPages(): number {
    return Math.max(RESERVED_PAGES_MIN, this.#pageCount * RESERVED_SHARE);
  }

  #freePages(): number {
    return this.#pageCount - this.#pages.usedPages;
  }

  #timed(evict: () => boolean): boolean {
    const startMs = this.#monotonicMs();
    const isDone = evict();
    this.#counters[EVICTION_MS] = this.#counters[EVICTION_MS]! +
      this.#monotonicMs() - startMs;
    return isDone;
  }

  #evictTo(maxmemory: number): boolean {
    const endMs = this.#monotonicMs() +
      evictionLimitMs(this.#settings.maxmemoryEvictionTenacity);
    for (let evictions = 1; this.usedBytes > maxmemory; evictions++) {
      if (!this.#reclaim() && !this.#evictOne()) return false;
      if (
        evictions % EVICTIONS_PER_LOOK === 0 && this.#monotonicMs() >= endMs
      ) return true;
    }
    return true;
  }

  /**
   * Frees objects because pages run out. A page comes free only with the last
   * object on it, so a few evictions must do for one command; they leave room
   * in slabs meanwhile. Says whether the pages that are left will do.
   */
  #makePages(): boolean {
    return this.#timed(() => {
      for (let i = 0; i < PAGE_EVICTIONS; i++) {
        if (this.#freePages() >= this.#reservedPages()) return true;
        if (!this.#reclaim() && !this.#evictOne()) return false;
      }
      return this.#freePages() >= RESERVED_PAGES_MIN;
    });
  }

  /** Frees some of what FLUSHALL left behind; false if there is nothing. */
  #reclaim(): boolean {
    for (const space of this.#keyspaces) {
      if (!hasDetached(space)) continue;
      this.#latches.acquire(space.shard);
      reclaimSlice(space, RECLAIM_ENTRIES);
      this.#latches.release(space.shard);
      return true;
    }
    return false;
  }

  /** Evicts one key; false if the policy allows none. */
  #evictOne(): boolean {
    const policy = this.#settings.maxmemoryPolicy;
    if (policy === MAXMEMORY_POLICY.NOEVICTION) return false;
    const first = this.#random.below(this.#keyspaces.length);
    for (let i = 0; i < this.#keyspaces.length; i++) {
      const shard = (first + i) % this.#keyspaces.length;
      if (this.#evictAround(this.#keyspaces[shard]!, policy)) return true;
    }
    return false;
  }

  /**
   * Samples one shard and evicts the best candidate known, which may lie in
   * another shard; false if the shard has nothing to offer.
   */
  #evictAround(space: Keyspace, policy: number): boolean {
    const db = this.#drawDatabase(space, policy);
    if (db < 0) return false;
    if (isRandomPolicy(policy)) return this.#evictRandom(space, db, policy);
    if (policy !== this.#poolPolicy) {
      this.#pool.length = 0;
      this.#poolPolicy = policy;
    }
    this.#sample(space, db, policy);
    for (;;) {
      const best = this.#pool.pop();
      if (best === undefined) return false;
      if (this.#evictCandidate(best, policy)) return true;
    }
  }

  /** A database by the share of its keys that may go, or -1. */
  #drawDatabase(space: Keyspace, policy: number): number {
    const { control, databases } = space;
    let total = 0;
    for (let db = 0; db < databases; db++) {
      total += control[headerOf(db, policy) + DICT_COUNT]!;
    }
    if (total === 0) return -1;
    let rest = this.#random.below(total);
    for (let db = 0; db < databases; db++) {
      rest -= control[headerOf(db, policy) + DICT_COUNT]!;
      if (rest < 0) return db;
    }
    return databases - 1;
  }

  #evictRandom(space: Keyspace, db: number, policy: number): boolean {
    this.#latches.acquire(space.shard);
    const header = headerOf(db, policy);
    let isEvicted = false;
    for (let i = 0; i < LOCKED_DRAWS && !isEvicted; i++) {
      const ref = this.#draw(space, header);
      if (ref === 0) break;
      isEvicted = this.#evict(space, db, ref);
    }
    this.#latches.release(space.shard);
    return isEvicted;
  }

  #sample(space: Keyspace, db: number, policy: number): void {
    const header = headerOf(db, policy);
    this.#latches.acquire(space.shard);
    for (let i = this.#settings.maxmemorySamples; i > 0; i--) {
      const ref = this.#draw(space, header);
      if (ref === 0) break;
      if (isLocked(space, db, ref)) continue;
      this.#consider(space, db, ref, this.#score(space, ref, policy));
    }
    this.#latches.release(space.shard);
  }

  /** Any entry of the dictionary, or 0 if it is empty. */
  #draw(space: Keyspace, header: number): number {
    const { control, dict } = space;
    for (let i = 0; i < DRAWS_PER_SAMPLE; i++) {
      const ref = dict.draw(control, header, this.#random.nextUint32());
      if (ref !== 0) return ref;
    }
    let found = 0;
    let position = this.#random.nextUint32();
    const positions = dict.cursorCount(control, header);
    for (let i = 0; found === 0 && i <= positions; i++) {
      position = dict.scan(control, header, position, (ref) => found = ref);
    }
    return found;
  }

  #score(space: Keyspace, ref: number, policy: number): number {
    if (policy === MAXMEMORY_POLICY.VOLATILE_TTL) return -space.expireAt(ref);
    const clock = space.clockOf(ref);
    return isLfuPolicy(policy)
      ? -this.#clock.decayed(clock)
      : this.#clock.idleSeconds(clock);
  }

  /** Puts an entry into the pool if it is better than the worst one there. */
  #consider(space: Keyspace, db: number, ref: number, score: number): void {
    const pool = this.#pool;
    const isFull = pool.length === POOL_SIZE;
    if (isFull && score <= pool[0]!.score) return;
    for (const other of pool) {
      if (other.ref === ref) return;
    }
    // A full pool's worst candidate becomes the new one.
    const candidate = isFull
      ? pool.shift()!
      : { shard: 0, db: 0, ref: 0, hash: 0, score: 0 };
    candidate.shard = space.shard;
    candidate.db = db;
    candidate.ref = ref;
    candidate.hash = space.hashOf(ref);
    candidate.score = score;
    let at = pool.length;
    while (at > 0 && pool[at - 1]!.score > score) at--;
    pool.splice(at, 0, candidate);
  }

  /** Evicts a candidate unless it is gone or was used since it was sampled. */
  #evictCandidate(candidate: Candidate, policy: number): boolean {
    const { db, ref, hash } = candidate;
    const space = this.#keyspaces[candidate.shard]!;
    const header = headerOf(db, policy);
    this.#latches.acquire(space.shard);
    const isGood = space.dict.has(space.control, header, ref, hash) &&
      this.#score(space, ref, policy) >= candidate.score;
    const isEvicted = isGood && this.#evict(space, db, ref);
    this.#latches.release(space.shard);
    return isEvicted;
  }

  /** Evicts an entry, unless its key is locked. */
  #evict(space: Keyspace, db: number, ref: number): boolean {
    if (isLocked(space, db, ref)) return false;
    space.deleteUnasked(db, ref, EVICTED);
    this.#counters[EVICTED_KEYS] = this.#counters[EVICTED_KEYS]! + 1;
    return true;
  }
}

/** The dictionary whose entries the policy may evict. */
function headerOf(db: number, policy: number): number {
  return isVolatilePolicy(policy) ? expiresAt(db) : keysAt(db);
}

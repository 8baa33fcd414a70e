/**
 * What the main thread makes before any worker starts, and hands to each: the
 * memory of the data set and of the statistics, and how keys find their shard.
 *
 * @module
 */

import { reserveArena } from "../../core/memory/arena.ts";
import type { ArenaBuffers } from "../../core/memory/arena.ts";
import { WORKER_DOUBLES } from "../../core/keyspace/counters.ts";
import {
  type EffectBuffers,
  makeEffectBuffers,
} from "../../core/keyspace/effect_ring.ts";
import { makeFacts } from "../persistence/persistence_facts.ts";
import { shardControlWords } from "../../core/keyspace/shard_control.ts";
import { makeBells } from "./bell.ts";
import { makeRings, type RingBuffers } from "./rings.ts";
import {
  type LogStatusBuffers,
  makeLogStatus,
} from "../persistence/log_status.ts";

/** Hash slots of the keyspace, as in Redis Cluster. */
export const SLOT_COUNT = 16384;
/** Shards per worker, so that two workers seldom want the same latch. */
const SHARDS_PER_WORKER = 8;
const SHARDS_MAX = 512;
/** Bytes of a worker's ring of records; pages come when they are written. */
const RING_BYTES = 8 << 20;

/** Word of {@linkcode SharedState.process}: last session id given out. */
export const PROCESS_LAST_ID = 0;
/** Word: connections open, over all workers. */
export const PROCESS_CONNECTIONS = 1;
/** Word: slow commands noted, over all workers; the next one's id. */
export const PROCESS_SLOW_COUNT = 2;
/** Word: changes of settings, over all workers. */
export const PROCESS_SETTINGS_VERSION = 3;
/** Word: the TCP port that the server listens on, 0 if none. */
export const PROCESS_TCP_PORT = 4;
/** Word: patterns that have subscribers. */
export const PROCESS_PATTERNS = 5;
/** Word: changes of these patterns. */
export const PROCESS_PATTERNS_VERSION = 6;
/** Word: the last number given to a subscription or a published message. */
export const PROCESS_PUBSUB_SEQUENCE = 7;
/** Word: keys that are tracked, in all shards. */
export const PROCESS_TRACKED_KEYS = 8;
/** Word: sessions that track keys, over all workers. */
export const PROCESS_TRACKING_CLIENTS = 9;
/** Word: prefixes that sessions want to be told of. */
export const PROCESS_PREFIXES = 10;
/** Word: changes of these prefixes. */
export const PROCESS_PREFIXES_VERSION = 11;
/** Word: channels that have subscribers. */
export const PROCESS_CHANNELS = 12;
/** Word: shard channels that have subscribers. */
export const PROCESS_SHARD_CHANNELS = 13;
/** Word: the last ticket or handle number of key locks. */
export const PROCESS_LOCK_TICKET = 24;
/** Word: keys that are being changed in slices, see sliced_changes.ts. */
export const PROCESS_SLICED_CHANGES = 25;
/** Word: not 0 while the cut of a snapshot waits until there are none. */
export const PROCESS_CUT_WAITS = 26;
/**
 * Word: commands that have begun, and not ended, to change very many keys. It
 * changes while a latch is held, so who holds all of them can rely on it.
 */
export const PROCESS_MANY_CHANGES = 27;
/** Word: how slow tests make the workers, see slow_steps.ts. */
export const PROCESS_SLOW_STEPS = 40;
/** Word: commands in the background that tests let fail. */
export const PROCESS_COMPUTE_FAILURES = 41;
/**
 * Word: commands in the background, over all workers; behind it, the same by
 * compute thread.
 */
export const PROCESS_COMPUTE_LOAD = 64;
/**
 * Words of {@linkcode SharedState.process}; 16 to 19 are those of
 * persistence/snapshot_protocol.ts.
 */
export const PROCESS_WORDS = 128;

/** Shared memory and constants; structured-cloneable. */
export interface SharedState {
  /** The arena's buffers. */
  readonly arena: ArenaBuffers;
  /** Control blocks of the shards. */
  readonly controls: readonly SharedArrayBuffer[];
  /** Statistics, one buffer per worker. */
  readonly counters: readonly SharedArrayBuffer[];
  /** Where the workers record what they change. */
  readonly effects: EffectBuffers;
  /** How far these records are on their way to the disk. */
  readonly logStatus: LogStatusBuffers;
  /** The shard of each hash slot. */
  readonly slotShards: SharedArrayBuffer;
  /** Words about the process as a whole. */
  readonly process: SharedArrayBuffer;
  /** Records to caches that were sent, see tracking.ts: workers squared. */
  readonly cacheRecords: SharedArrayBuffer;
  /** What is known about snapshots: doubles of persistence_facts.ts. */
  readonly facts: SharedArrayBuffer;
  /** Seed of the keys' hash. */
  readonly hashSeed: readonly [number, number];
  /** How batches of messages reach other workers. */
  readonly rings: RingBuffers;
  /** What wakes the workers. */
  readonly bells: SharedArrayBuffer;
  /** How many workers there are. */
  readonly workers: number;
  /** How many databases there are. */
  readonly databases: number;
  /** Identifies this run of the server: 40 hex digits. */
  readonly runId: string;
  /** When the server started, milliseconds of the epoch. */
  readonly startedMs: number;
}

/** Makes the shared state of a server. */
export function makeSharedState(
  options: {
    workers: number;
    databases: number;
    arenaBytes: number;
    random: Uint32Array;
    runId: string;
    startedMs: number;
  },
): SharedState {
  const { workers, databases } = options;
  const shards = shardCount(workers);
  const slots = new SharedArrayBuffer(SLOT_COUNT * 2);
  const table = new Uint16Array(slots);
  for (let slot = 0; slot < SLOT_COUNT; slot++) table[slot] = slot % shards;
  const arena = reserveArena(options.arenaBytes);
  return {
    arena,
    controls: Array.from(
      { length: shards },
      () => new SharedArrayBuffer(shardControlWords(databases) * 4),
    ),
    counters: Array.from(
      { length: workers },
      () => new SharedArrayBuffer(WORKER_DOUBLES * 8),
    ),
    effects: makeEffectBuffers(workers, RING_BYTES),
    logStatus: makeLogStatus(workers),
    slotShards: slots,
    process: new SharedArrayBuffer(PROCESS_WORDS * 4),
    rings: makeRings(workers),
    bells: makeBells(workers),
    cacheRecords: new SharedArrayBuffer(workers * workers * 4),
    facts: makeFacts(options.startedMs),
    hashSeed: [options.random[0]! | 0, options.random[1]! | 0],
    workers,
    databases,
    runId: options.runId,
    startedMs: options.startedMs,
  };
}

/** Shards for so many workers: a power of two. */
export function shardCount(workers: number): number {
  let shards = 1;
  while (shards < workers * SHARDS_PER_WORKER) shards *= 2;
  return Math.min(SHARDS_MAX, shards);
}

/** The worker that owns a shard. */
export function ownerOf(shard: number, workers: number): number {
  return shard % workers;
}

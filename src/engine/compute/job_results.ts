/**
 * What is done with the results of jobs: what they have written takes its place,
 * under the latches of its keys.
 *
 * @module
 */

import { assert } from "../../core/base/assert.ts";
import type { LateReply } from "../../core/commands/command_spec.ts";
import {
  CHANGES,
  KEYSPACE_HITS,
  KEYSPACE_MISSES,
} from "../../core/keyspace/counters.ts";
import { setFieldExpires } from "../../core/keyspace/field_expires.ts";
import type { Key } from "../../core/keyspace/key.ts";
import { CHANGED } from "../../core/keyspace/key_events.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import { writeLongReply } from "../../core/resp/bytes_source.ts";
import { type ComputeResult, DELETED } from "./compute_job.ts";

/** The keys of a job, by number. */
export interface JobKeys {
  /** A key, good until the next one is asked for. */
  key(i: number): Key;
  /** The keyspace of a key. */
  space(i: number): Keyspace;
  /** The database of a key. */
  db(i: number): number;
}

/** Makes the memory of what was written that of its shard, which is `space`'s. */
export function takeMemory(
  keys: JobKeys,
  space: Keyspace,
  { contents, written }: ComputeResult,
): void {
  if (contents === null) return;
  const made = written.filter(({ ref }) => ref !== DELETED);
  assert(made.length <= 1, "a job makes one value");
  for (const { key } of made) {
    const { shard } = keys.space(key);
    assert(shard === space.shard, "a value is made for its shard");
  }
  // What a job leaves that failed is lost, but counted.
  space.heap.absorb(contents);
}

/** Puts what was written in its place; false if there is no room for it. */
export function applyWritten(
  keys: JobKeys,
  { written, events }: Pick<ComputeResult, "written" | "events">,
  nowMs: number,
): boolean {
  // What may not find room comes first.
  for (const { key, ref, hasFieldExpires, clock } of written) {
    if (ref === DELETED) continue;
    const space = keys.space(key);
    const db = keys.db(key);
    const existing = space.lookupQuiet(db, keys.key(key), nowMs);
    try {
      if (hasFieldExpires) setFieldExpires(space, db, ref, true);
      space.adoptEntry(db, ref, existing);
      space.setClock(ref, clock);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      setFieldExpires(space, db, ref, false);
      return false;
    }
  }
  const told = new Set<number>();
  for (const { key, ref } of written) {
    if (ref !== DELETED) continue;
    const space = keys.space(key);
    const existing = space.lookupQuiet(keys.db(key), keys.key(key), nowMs);
    if (existing !== 0) space.delete(keys.db(key), existing);
  }
  for (let i = 0; i < events.length; i += 2) {
    const key = events[i]!;
    keys.space(key).hooks.signal(keys.db(key), keys.key(key), events[i + 1]!);
    told.add(key);
  }
  for (const { key } of written) {
    if (!told.has(key)) {
      keys.space(key).hooks.signal(keys.db(key), keys.key(key), CHANGED);
    }
  }
  return true;
}

/** Frees what was written for nothing. */
export function dropWritten(
  keys: JobKeys,
  { written }: ComputeResult,
): void {
  for (const { key, ref } of written) {
    if (ref !== DELETED) keys.space(key).freeEntry(ref);
  }
}

/** Counts what a job has found and changed. */
export function countResult(
  counters: Float64Array,
  result: ComputeResult,
): void {
  counters[CHANGES] = counters[CHANGES]! + result.changes;
  counters[KEYSPACE_HITS] = counters[KEYSPACE_HITS]! + result.hits;
  counters[KEYSPACE_MISSES] = counters[KEYSPACE_MISSES]! + result.misses;
}

/** The reply of a job. */
export function lateReplyOf(result: ComputeResult): LateReply {
  return (reply) => {
    const { spans } = result;
    if (spans.length === 0) return writeLongReply(reply, result.reply);
    reply.append(
      result.reply,
      spans.map((span) => ({ ...span, source: null })),
    );
  };
}

/** Whether keys look different, or are told of, when a job is done. */
export function changesAnything({ written, changes }: ComputeResult): boolean {
  return written.length > 0 || changes > 0;
}

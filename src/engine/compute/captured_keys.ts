/**
 * The keys of a job, as they were when it began: their values are kept as they
 * are (see shared_value.ts) until the job is over, whoever changes or deletes
 * the keys meanwhile. When the job is done, they tell whether anybody has.
 *
 * The caller holds the latches of the keys' shards.
 *
 * @module
 */

import { equalBytes } from "../../core/base/bytes.ts";
import type { Call, ValueHold } from "../../core/commands/call.ts";
import type { KeyPositions } from "../../core/commands/command_keys.ts";
import { KEY } from "../../core/commands/command_spec.ts";
import { Key } from "../../core/keyspace/key.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import { fieldsExpire } from "../../core/keyspace/field_expires.ts";
import {
  releaseValue,
  setCopied,
  shareValue,
} from "../../core/keyspace/shared_value.ts";
import { STRING_EXTERNAL, TYPE_STRING } from "../../core/types/entry.ts";
import { longKeyIn } from "../../core/commands/lasting_keys.ts";
import { LONG_KEY_BYTES } from "../../core/memory/known_keys.ts";
import type { KeyToLock, LockSpec } from "../locks/lock_spec.ts";
import { type JobKey, NO_VALUE } from "./compute_job.ts";

const WRITES = KEY.RW | KEY.OW | KEY.RM;

/** One key. */
interface CapturedKey {
  readonly key: Key;
  readonly space: Keyspace;
  readonly job: JobKey;
  /** What keeps the value: see {@linkcode shareValue}; 0 for none. */
  readonly reading: number;
}

/** The keys of one job. */
export class CapturedKeys {
  readonly #keys: CapturedKey[] = [];

  /** The keys as the job gets them. */
  get jobs(): readonly JobKey[] {
    return this.#keys.map(({ job }) => job);
  }

  /** How many there are. */
  get count(): number {
    return this.#keys.length;
  }

  /** A key, good as long as this is. */
  key(i: number): Key {
    return this.#keys[i]!.key;
  }

  /** The keyspace of a key. */
  space(i: number): Keyspace {
    return this.#keys[i]!.space;
  }

  /** The keyspace of a shard that has one of the keys. */
  spaceOf(shard: number): Keyspace {
    return this.#keys.find(({ space }) => space.shard === shard)!.space;
  }

  /** The shard of the last key that may be written, or of the first key. */
  get targetShard(): number {
    const target = this.#keys.findLast(({ job }) => job.isWritten) ??
      this.#keys[0]!;
    return target.space.shard;
  }

  /** The database of a key. */
  db(i: number): number {
    return this.#keys[i]!.job.db;
  }

  /** What is to be locked. */
  names(): Pick<LockSpec, "read" | "write" | "db" | "writeDb"> {
    const read: KeyToLock[] = [];
    const write: KeyToLock[] = [];
    let [db, writeDb] = [0, 0];
    for (const { key, job } of this.#keys) {
      const { buf, off, length } = key;
      const name = length < LONG_KEY_BYTES ? buf.slice(off, off + length) : key;
      if (job.isWritten) {
        write.push(name);
        writeDb = job.db;
      } else {
        read.push(name);
        db = job.db;
      }
    }
    return { read, write, db, writeDb };
  }

  /** Whether keys of more than one shard may be written. */
  get writesSeveralShards(): boolean {
    const shard = this.targetShard;
    return this.#keys.some(({ job, space }) =>
      job.isWritten && space.shard !== shard
    );
  }

  /**
   * Captures the call's keys, whose bytes lie in `args` at `starts`, or, of long
   * ones, in big arguments; those that may be written are in the database `writeDb`.
   * May throw OutOfMemory; what was captured is to be released then.
   */
  capture(
    call: Call,
    positions: KeyPositions,
    args: Uint8Array,
    starts: Int32Array,
    writeDb: number,
  ): void {
    for (let i = 0; i < call.keyCount; i++) {
      const at = positions.positions[i]!;
      const { length, hash, shard } = call.key(i);
      const long = length < LONG_KEY_BYTES
        ? null
        : longKeyIn(call.key(i), call.args);
      if (long !== null) call.compared?.names?.addCopy(call.key(i), long);
      const key = long ?? Object.assign(new Key(), {
        ...{ buf: args, off: starts[at]! },
        ...{ length, hash, shard },
      });
      const space = call.keyspace(key);
      const isWritten = (positions.flags[i]! & WRITES) !== 0;
      const db = isWritten ? writeDb : call.db;
      this.#keys.push(
        this.#captureKey(space, db, key, at, isWritten, call.nowMs),
      );
    }
  }

  /** Captures a key whose value is to be copied, which others see. */
  captureValue(space: Keyspace, db: number, key: Key, nowMs: number): void {
    const captured = this.#captureKey(space, db, key, 0, true, nowMs);
    this.#keys.push(captured);
    if (captured.reading !== 0) setCopied(space, captured.reading, true);
  }

  /** Holds the values that readings keep, as far as that is of use. */
  held(
    hold: (space: Keyspace, db: number, ref: number) => ValueHold | null,
  ): ValueHold[] {
    const holds: ValueHold[] = [];
    for (const { space, key, job, reading } of this.#keys) {
      if (reading === 0) continue;
      const held = hold(space, job.db, space.peek(job.db, key));
      if (held !== null) holds.push(held);
    }
    return holds;
  }

  /** The value is not copied any more. */
  endCopy(): void {
    for (const { space, reading } of this.#keys) {
      if (reading !== 0) setCopied(space, reading, false);
    }
  }

  #captureKey(
    space: Keyspace,
    db: number,
    key: Key,
    at: number,
    isWritten: boolean,
    nowMs: number,
  ): CapturedKey {
    const ref = space.lookupWrite(db, key, nowMs);
    let kind = NO_VALUE;
    let root = 0;
    let bytes: Uint8Array | null = null;
    let reading = 0;
    if (ref !== 0) {
      kind = space.kind(ref);
      if (space.type(ref) !== TYPE_STRING) {
        root = space.valueRef(ref);
        reading = shareValue(space, ref);
      } else if (space.encoding(ref) === STRING_EXTERNAL) {
        root = space.valueRef(ref);
        space.externals.pin(root);
      } else bytes = stringOf(space, ref);
    }
    const expireAtMs = ref === 0 ? 0 : space.expireAt(ref);
    const hasFieldExpires = ref !== 0 && fieldsExpire(space, ref);
    const job = {
      at,
      db,
      isWritten,
      kind,
      root,
      bytes,
      expireAtMs,
      hasFieldExpires,
      clock: ref === 0 ? 0 : space.clockOf(ref),
    };
    return { key, space, job, reading };
  }

  /** Whether all keys are as they were captured. */
  areUnchanged(nowMs: number): boolean {
    return this.#keys.every((captured) => this.#isUnchanged(captured, nowMs));
  }

  /** A value that is kept is never changed in place: its root tells it all. */
  #isUnchanged({ key, space, job }: CapturedKey, nowMs: number): boolean {
    const ref = space.lookupQuiet(job.db, key, nowMs);
    if (ref === 0 || job.kind === NO_VALUE) {
      return ref === 0 && job.kind === NO_VALUE;
    }
    if (
      space.kind(ref) !== job.kind || space.expireAt(ref) !== job.expireAtMs
    ) return false;
    if (job.bytes === null) return space.valueRef(ref) === job.root;
    return equalBytes(
      space.bytes(ref),
      space.strings.off(ref),
      space.strings.length(ref),
      job.bytes,
      0,
      job.bytes.length,
    );
  }

  /** Lets the values go. */
  release(): void {
    for (const { space, job, reading } of this.#keys) {
      if (reading !== 0) releaseValue(space, reading);
      else if (job.root !== 0) space.externals.unpin(job.root);
    }
    this.#keys.length = 0;
  }
}

function stringOf(space: Keyspace, ref: number): Uint8Array {
  const off = space.strings.off(ref);
  return space.strings.bytes(ref).slice(off, off + space.strings.length(ref));
}

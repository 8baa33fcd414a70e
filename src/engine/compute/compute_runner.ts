/**
 * Runs jobs, on a compute thread: commands as they are run everywhere, on a
 * keyspace of the thread's own that has nothing but the job's keys.
 *
 * The values of these keys lie in the heaps of their shards and belong to them.
 * The thread's keyspace takes them for values that replies are still read from:
 * so a command reads them in place, copies them before it changes them, and
 * never frees them.
 *
 * A job that throws, because a reply or a table is larger than an array can be,
 * has changed nothing that others see: it ends with an error, and the thread goes
 * on. Only invariants that do not hold end the process.
 *
 * @module
 */

import { assert, InvariantError } from "../../core/base/assert.ts";
import { equalBytes } from "../../core/base/bytes.ts";
import type { Call } from "../../core/commands/call.ts";
import {
  findKeysToRun,
  KeyPositions,
  RequestView,
} from "../../core/commands/command_keys.ts";
import type { CommandTable } from "../../core/commands/command_table.ts";
import {
  CHANGES,
  KEYSPACE_HITS,
  KEYSPACE_MISSES,
} from "../../core/keyspace/counters.ts";
import { Key } from "../../core/keyspace/key.ts";
import {
  type KeyEventListener,
  NOTIFY_MASK,
} from "../../core/keyspace/key_events.ts";
import type { Keyspace } from "../../core/keyspace/keyspace.ts";
import {
  fieldsExpire,
  setFieldExpires,
} from "../../core/keyspace/field_expires.ts";
import { freeDetached } from "../../core/keyspace/detached_values.ts";
import {
  expiresAt,
  fieldExpiresAt,
  keysAt,
} from "../../core/keyspace/shard_control.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import { shareValue, unshareValue } from "../../core/keyspace/shared_value.ts";
import { BACKGROUND_DIED, OUT_OF_MEMORY } from "../../core/resp/error_reply.ts";
import { dropSpan } from "../../core/resp/reply_source.ts";
import {
  REPLY_BUFFER_BYTES,
  ReplyWriter,
} from "../../core/resp/reply_writer.ts";
import {
  STRING_EXTERNAL,
  TYPE_STRING,
  typeOf,
} from "../../core/types/entry.ts";
import {
  type ComputeJob,
  type ComputeResult,
  COPY_VALUE,
  DELETED,
  type JobKey,
  NO_VALUE,
  type WrittenKey,
} from "./compute_job.ts";

/** What the runner needs from the thread around it. */
export interface ComputeRunnerPorts<C extends Call> {
  readonly table: CommandTable<C>;
  /** The thread's statistics. */
  readonly counters: Float64Array;
  /** A keyspace without keys, whose heap has the number of a shard. */
  makeKeyspace(shard: number, events: KeyEventListener): Keyspace;
  /** A call that finds this keyspace in every shard. */
  makeCall(space: Keyspace): C;
  /** Monotonic milliseconds, with fractions. */
  monotonicMs(): number;
  /** Called before each job is run; may throw, for tests. */
  beforeJob(): void;
  /** A job has thrown. */
  failed(command: string, cause: unknown): void;
}

/** Runs one job after the other. */
export class ComputeRunner<C extends Call> {
  readonly #ports: ComputeRunnerPorts<C>;

  constructor(ports: ComputeRunnerPorts<C>) {
    this.#ports = ports;
  }

  /** Runs a job. */
  run(job: ComputeJob): ComputeResult {
    const startMs = this.#ports.monotonicMs();
    const { counters } = this.#ports;
    counters.fill(0);
    const events: number[] = [];
    const space = this.#ports.makeKeyspace(job.shard, {
      keyEvent: (_hooks, event, db, buf, off, length) => {
        if (db !== job.db) return;
        const key = keyNamed(job, buf, off, length);
        if (key >= 0) events.push(key, event);
      },
    });
    const call = this.#ports.makeCall(space);
    const writer = new ReplyWriter(REPLY_BUFFER_BYTES);
    writer.resp = job.resp;
    this.#fill(call, writer, job);
    const written: WrittenKey[] = [];
    const readings: number[] = [];
    let hasFailed = false;
    try {
      this.#ports.beforeJob();
      for (const key of job.keys) {
        this.#putKey(call, space, job, key, readings);
      }
      space.hooks.notify(NOTIFY_MASK);
      if (job.command === COPY_VALUE) copyValue(call, space, job);
      else {
        const late = this.#ports.table.all[job.command]!.run(call);
        assert(late === undefined, "a job is a command that ends");
      }
      space.hooks.notify(0);
      this.#takeWritten(call, space, job, written);
    } catch (cause) {
      if (cause instanceof InvariantError) throw cause;
      hasFailed = !(cause instanceof OutOfMemory);
      if (hasFailed) this.#ports.failed(this.#nameOf(job), cause);
      space.hooks.notify(0);
      for (const span of writer.rewind(0)) dropSpan(span, space.externals);
      space.begun.drop();
      events.length = 0;
      written.length = 0;
      writer.error(hasFailed ? BACKGROUND_DIED : OUT_OF_MEMORY);
    }
    this.#empty(call, space, job, readings);
    const hasMemory = written.some(({ ref }) => ref !== DELETED) || hasFailed;
    const contents = space.heap.surrender();
    assert(
      hasMemory || contents.usedBytes === 0,
      "a job leaves nothing but what it has written",
    );
    return {
      id: job.id,
      reply: writer.buf.subarray(0, writer.at),
      spans: (writer.spans ?? []).map(({ at, ref, from, length }) => ({
        at,
        ref,
        from,
        length,
      })),
      error: writer.errorCount === 0 ? "" : writer.lastError!.text,
      written,
      events,
      changes: counters[CHANGES]!,
      hits: counters[KEYSPACE_HITS]!,
      misses: counters[KEYSPACE_MISSES]!,
      contents: hasMemory ? contents : null,
      microseconds: (this.#ports.monotonicMs() - startMs) * 1000,
    };
  }

  #nameOf({ command }: ComputeJob): string {
    return command === COPY_VALUE
      ? "a copy"
      : this.#ports.table.all[command]!.fullName;
  }

  /** The call's arguments and keys. */
  #fill(call: C, writer: ReplyWriter, job: ComputeJob): void {
    const { args } = call;
    args.clear();
    args.buf = job.bytes as Uint8Array<ArrayBuffer>;
    let from = 0;
    for (const end of job.ends) {
      args.add(from, end - from);
      from = end;
    }
    call.reply = writer;
    call.session = { db: job.db };
    call.nowMs = job.nowMs;
    call.clock.tell(job.nowMs);
    call.canWait = false;
    if (job.command === COPY_VALUE) return;
    const positions = new KeyPositions();
    const view = new RequestView(args);
    const command = this.#ports.table.all[job.command]!;
    findKeysToRun(command.spec, view, positions);
    command.findOtherKeys?.(view, positions);
    for (let i = 0; i < positions.count; i++) {
      const at = positions.positions[i]!;
      call.fillKey(
        call.ensureKey(i),
        args.buf,
        args.off[at]!,
        args.length[at]!,
      );
    }
    call.keyCount = positions.count;
  }

  /** Gives a key the value that it has in its shard. */
  #putKey(
    call: C,
    space: Keyspace,
    job: ComputeJob,
    { at, kind, root, bytes, expireAtMs, hasFieldExpires }: JobKey,
    readings: number[],
  ): void {
    if (kind === NO_VALUE) return;
    const key = new Key();
    fillKey(call, key, at);
    if (space.peek(job.db, key) !== 0) return;
    const type = typeOf(kind);
    if (type === TYPE_STRING) {
      if (bytes === null) {
        space.externals.pin(root);
        space.strings.setExternal(job.db, key, 0, root, expireAtMs);
      } else {
        const encoding = kind >>> 4;
        assert(encoding !== STRING_EXTERNAL, "a short string has its bytes");
        const { length } = bytes;
        space.strings.set(
          job.db,
          key,
          0,
          bytes,
          0,
          length,
          encoding,
          expireAtMs,
        );
      }
      return;
    }
    const ref = space.create(job.db, key, type, 0, expireAtMs);
    space.giveValue(ref, kind, root);
    try {
      readings.push(shareValue(space, ref));
    } catch (cause) {
      space.takeValue(ref);
      throw cause;
    }
    if (hasFieldExpires) setFieldExpires(space, job.db, ref, true);
  }

  /** Takes the keys that were changed out of the keyspace. */
  #takeWritten(
    call: C,
    space: Keyspace,
    job: ComputeJob,
    written: WrittenKey[],
  ): void {
    const key = new Key();
    job.keys.forEach((before, i) => {
      if (!before.isWritten) return;
      fillKey(call, key, before.at);
      // A key may be named twice, and is taken once.
      if (written.some(({ key: other }) => isNamed(job, other, key))) return;
      const ref = space.peek(job.db, key);
      if (ref === 0) {
        if (before.kind === NO_VALUE) return;
        written.push({ key: i, ref: DELETED, hasFieldExpires: false });
        return;
      }
      if (isAsBefore(space, ref, before)) return;
      assert(!space.hasReaders(ref), "what a job hands over is its own");
      const hasFieldExpires = fieldsExpire(space, ref);
      space.detach(job.db, ref);
      written.push({ key: i, ref, hasFieldExpires });
    });
  }

  /** Empties the keyspace; the values that are not its own stay. */
  #empty(
    call: C,
    space: Keyspace,
    job: ComputeJob,
    readings: readonly number[],
  ): void {
    const key = new Key();
    for (const { at } of job.keys) {
      fillKey(call, key, at);
      const ref = space.peek(job.db, key);
      if (ref !== 0) space.delete(job.db, ref);
    }
    for (const reading of readings) space.heap.free(reading);
    while (!freeDetached(space, Infinity));
    const { control, dict } = space;
    dict.clear(control, keysAt(job.db));
    dict.clear(control, expiresAt(job.db));
    dict.clear(control, fieldExpiresAt(job.db));
  }
}

function copyValue(call: Call, space: Keyspace, job: ComputeJob): void {
  const key = new Key();
  fillKey(call, key, job.keys[0]!.at);
  unshareValue(space, space.peek(job.db, key));
}

function fillKey(call: Call, key: Key, at: number): void {
  const { args } = call;
  call.fillKey(key, args.buf, args.off[at]!, args.length[at]!);
}

/** Whether a key holds what it held before the command ran. */
function isAsBefore(space: Keyspace, ref: number, before: JobKey): boolean {
  if (
    space.kind(ref) !== before.kind || space.expireAt(ref) !== before.expireAtMs
  ) return false;
  const { bytes } = before;
  if (bytes === null) return space.valueRef(ref) === before.root;
  return equalBytes(
    space.bytes(ref),
    space.strings.off(ref),
    space.strings.length(ref),
    bytes,
    0,
    bytes.length,
  );
}

/** Whether a key of the job has this name. */
function isNamed(job: ComputeJob, i: number, key: Key): boolean {
  return isArgument(job, job.keys[i]!.at, key.buf, key.off, key.length);
}

function isArgument(
  job: ComputeJob,
  at: number,
  buf: Uint8Array,
  off: number,
  length: number,
): boolean {
  const from = at === 0 ? 0 : job.ends[at - 1]!;
  return equalBytes(buf, off, length, job.bytes, from, job.ends[at]! - from);
}

/** Number of the key of this name, or -1; the last one that may be written. */
function keyNamed(
  job: ComputeJob,
  buf: Uint8Array,
  off: number,
  length: number,
): number {
  return job.keys.findLastIndex(({ at }) =>
    isArgument(job, at, buf, off, length)
  );
}

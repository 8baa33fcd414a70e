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
import { equalBytes, equalLong } from "../../core/base/bytes.ts";
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
  SHARD_READINGS,
} from "../../core/keyspace/shard_control.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import { shareValue, unshareValue } from "../../core/keyspace/shared_value.ts";
import type { Arguments } from "../../core/resp/arguments.ts";
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
import type { BigAdder } from "../executor/transaction.ts";
import {
  type ComputeJob,
  type ComputeResult,
  COPY_VALUE,
  DELETED,
  type JobKey,
  NO_VALUE,
  type WrittenKey,
} from "./compute_job.ts";
import { unpackKeys } from "./packed_keys.ts";

/** More keys are found by their hashes. */
const FEW_KEYS = 64;

/** What the runner needs from the thread around it. */
export interface ComputeRunnerPorts<C extends Call> {
  readonly table: CommandTable<C>;
  /** The thread's statistics. */
  readonly counters: Float64Array;
  /** A keyspace without keys, whose heap has the number of a shard. */
  makeKeyspace(shard: number, events: KeyEventListener): Keyspace;
  /** A call that finds this keyspace in every shard. */
  makeCall(space: Keyspace): C;
  /** Adds an argument that lies in a run of the arena. */
  readonly addBig: BigAdder;
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
  run(given: ComputeJob): ComputeResult {
    const startMs = this.#ports.monotonicMs();
    const { counters } = this.#ports;
    counters.fill(0);
    const events: number[] = [];
    const space = this.#ports.makeKeyspace(given.shard, {
      keyEvent: (_hooks, event, db, buf, off, length) => {
        const key = names.find(db, buf, off, length);
        if (key >= 0) events.push(key, event);
      },
    });
    const { packed } = given;
    const keys = packed === undefined
      ? given.keys
      : unpackKeys(packed, given.db, space.arena.u8);
    const job = { ...given, keys };
    const call = this.#ports.makeCall(space);
    const names = new JobNames(job, call);
    const writer = new ReplyWriter(REPLY_BUFFER_BYTES);
    writer.resp = job.resp;
    this.#fill(call, writer, job);
    const written: WrittenKey[] = [];
    const readings: number[] = [];
    let recorded: Uint8Array<ArrayBuffer> | null = null;
    let hasFailed = false;
    const { effects } = call;
    effects.collects = job.isRecorded;
    effects.begin();
    try {
      this.#ports.beforeJob();
      for (const key of job.keys) {
        this.#putKey(call, space, key, readings);
      }
      space.hooks.notify(NOTIFY_MASK);
      if (job.command === COPY_VALUE) copyValue(call, space, job);
      else this.#runCommand(call, job);
      space.hooks.notify(0);
      this.#takeWritten(call, space, job, written);
      // Long arguments are copied here, where nobody waits for it.
      if (job.isRecorded && counters[CHANGES]! > 0 && call.args.hasBig) {
        effects.collectGiven(job.db, call.args);
      }
      recorded = effects.endCollected();
    } catch (cause) {
      if (cause instanceof InvariantError) throw cause;
      hasFailed = !(cause instanceof OutOfMemory);
      if (hasFailed) this.#ports.failed(this.#nameOf(job), cause);
      space.hooks.notify(0);
      for (const span of writer.rewind(0)) dropSpan(span, space.externals);
      space.begun.drop();
      events.length = 0;
      written.length = 0;
      effects.dropCollected();
      counters[CHANGES] = 0;
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
      recorded,
      changes: counters[CHANGES]!,
      hits: counters[KEYSPACE_HITS]!,
      misses: counters[KEYSPACE_MISSES]!,
      contents: hasMemory ? contents : null,
      microseconds: (this.#ports.monotonicMs() - startMs) * 1000,
    };
  }

  #runCommand(call: C, job: ComputeJob): void {
    const late = this.#ports.table.all[job.command]!.run(call);
    assert(late === undefined, "a job is a command that ends");
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
    addArguments(args, job, this.#ports.addBig);
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
      fillKey(call, call.ensureKey(i), at);
    }
    call.keyCount = positions.count;
  }

  /** Gives a key the value that it has in its shard. */
  #putKey(
    call: C,
    space: Keyspace,
    { at, db, kind, root, bytes, expireAtMs, hasFieldExpires, clock }: JobKey,
    readings: number[],
  ): void {
    if (kind === NO_VALUE) return;
    const key = new Key();
    fillKey(call, key, at);
    if (space.peek(db, key) !== 0) return;
    const type = typeOf(kind);
    if (type === TYPE_STRING) {
      if (bytes === null) {
        space.externals.pin(root);
        const ref = space.strings.setExternal(db, key, 0, root, expireAtMs);
        space.setClock(ref, clock);
      } else {
        const encoding = kind >>> 4;
        assert(encoding !== STRING_EXTERNAL, "a short string has its bytes");
        const { length } = bytes;
        const ref = space.strings.set(
          db,
          key,
          0,
          bytes,
          0,
          length,
          encoding,
          expireAtMs,
        );
        space.setClock(ref, clock);
      }
      return;
    }
    const ref = space.create(db, key, type, 0, expireAtMs);
    space.setClock(ref, clock);
    space.giveValue(ref, kind, root);
    try {
      readings.push(shareValue(space, ref));
    } catch (cause) {
      space.takeValue(ref);
      throw cause;
    }
    if (hasFieldExpires) setFieldExpires(space, db, ref, true);
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
      const { db } = before;
      if (!before.isWritten) return;
      fillKey(call, key, before.at);
      // A key may be named twice, and is taken once.
      const isTaken = written.some(({ key: other }) =>
        isNamed(call, job, other, db, key)
      );
      if (isTaken) return;
      const ref = space.peek(db, key);
      if (ref === 0) {
        if (before.kind === NO_VALUE) return;
        written.push({
          ...{ key: i, ref: DELETED },
          hasFieldExpires: false,
          clock: 0,
        });
        return;
      }
      if (isAsBefore(space, ref, before)) return;
      assert(!space.hasReaders(ref), "what a job hands over is its own");
      const hasFieldExpires = fieldsExpire(space, ref);
      const clock = space.clockOf(ref);
      space.detach(db, ref);
      written.push({ key: i, ref, hasFieldExpires, clock });
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
    // Nobody looks for readings any more, of which there may be very many.
    space.control[SHARD_READINGS] = 0;
    for (const { at, db, kind, root } of job.keys) {
      fillKey(call, key, at);
      const ref = space.peek(db, key);
      if (ref === 0) continue;
      if (
        kind !== NO_VALUE && typeOf(kind) !== TYPE_STRING &&
        space.valueRef(ref) === root
      ) space.takeValue(ref);
      space.delete(db, ref);
    }
    for (const reading of readings) space.heap.free(reading);
    while (!freeDetached(space, Infinity));
    const { control, dict } = space;
    for (const db of new Set(job.keys.map((each) => each.db))) {
      dict.clear(control, keysAt(db));
      dict.clear(control, expiresAt(db));
      dict.clear(control, fieldExpiresAt(db));
    }
  }
}

/** Adds the arguments of a job, whose bytes `args` has as its buffer. */
export function addArguments(
  args: Arguments,
  { ends, bigs }: ComputeJob,
  addBig: BigAdder,
): void {
  let from = 0;
  let nextBig = 0;
  ends.forEach((end, i) => {
    const big = bigs[nextBig];
    if (big?.at === i) {
      addBig(args, big.run, big.length);
      nextBig++;
    } else args.add(from, end - from);
    from = end;
  });
}

function copyValue(call: Call, space: Keyspace, job: ComputeJob): void {
  const key = new Key();
  fillKey(call, key, job.keys[0]!.at);
  unshareValue(space, space.peek(job.db, key));
}

function fillKey(call: Call, key: Key, at: number): void {
  const { args } = call;
  call.fillKey(key, args.source(at), args.off[at]!, args.length[at]!);
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
function isNamed(
  { args }: Call,
  job: ComputeJob,
  i: number,
  db: number,
  { buf, off, length }: Pick<Key, "buf" | "off" | "length">,
): boolean {
  const { at, db: own } = job.keys[i]!;
  return own === db && args.length[at] === length &&
    equalLong(args.source(at), args.off[at]!, buf, off, length);
}

/** Finds keys of a job by name. */
class JobNames {
  readonly #job: ComputeJob;
  readonly #call: Call;
  readonly #key = new Key();
  /** Of very many: the numbers of those with a hash. */
  #byHash: Map<number, number[]> | null = null;

  constructor(job: ComputeJob, call: Call) {
    this.#job = job;
    this.#call = call;
  }

  /** Number of the key of this name, or -1; the last one that may be written. */
  find(db: number, buf: Uint8Array, off: number, length: number): number {
    const job = this.#job;
    const name = { buf, off, length };
    const isThis = (i: number) => isNamed(this.#call, job, i, db, name);
    if (job.keys.length > FEW_KEYS) {
      this.#byHash ??= this.#hashed();
      this.#call.fillKey(this.#key, buf, off, length);
      return this.#byHash.get(this.#key.hash)?.findLast(isThis) ?? -1;
    }
    return job.keys.findLastIndex((_, i) => isThis(i));
  }

  #hashed(): Map<number, number[]> {
    const { keys } = this.#job;
    const byHash = new Map<number, number[]>();
    for (const [i, { at }] of keys.entries()) {
      fillKey(this.#call, this.#key, at);
      const { hash } = this.#key;
      const others = byHash.get(hash);
      if (others === undefined) byHash.set(hash, [i]);
      else others.push(i);
    }
    return byHash;
  }
}

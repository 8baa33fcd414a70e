/**
 * DEBUG OBJECT, DEBUG DIGEST-VALUE and DEBUG DIGEST: what is to be told of values
 * all of whose bytes have to be looked at.
 *
 * A long value is kept as it is at one instant, as one that a reply is read from,
 * and looked at a little at a time with no latch held; so is one key after the
 * other of a whole data set. In a transaction all is done at once.
 *
 * @module
 */

import type { LateReply } from "../../../core/commands/command_spec.ts";
import type { ValueHold } from "../../../core/commands/call.ts";
import {
  Digest,
  digestCollection,
  digestExpire,
  digestString,
  digestValue as digestEntry,
} from "../../../core/keyspace/digest.ts";
import { encodingName } from "../../../core/keyspace/entry_facts.ts";
import { Key } from "../../../core/keyspace/key.ts";
import type { Keyspace } from "../../../core/keyspace/keyspace.ts";
import { lockNode } from "../../../core/keyspace/locking.ts";
import { ScanWalk } from "../../../core/keyspace/scan_walk.ts";
import {
  releaseValue,
  shareValue,
} from "../../../core/keyspace/shared_value.ts";
import { OutOfMemory } from "../../../core/memory/heap.ts";
import { LISTPACK_EMPTY_BYTES } from "../../../core/memory/listpack.ts";
import { isLargeValue, LargeValue } from "../../../core/rdb/rdb_large_value.ts";
import { writeValue } from "../../../core/rdb/rdb_value.ts";
import { type RdbSink, RdbWriter } from "../../../core/rdb/rdb_writer.ts";
import { writeLongReply } from "../../../core/resp/bytes_source.ts";
import { NO_SUCH_KEY } from "../../../core/resp/error_reply.ts";
import { ReplyWriter } from "../../../core/resp/reply_writer.ts";
import type { Settings } from "../../../core/settings/settings.ts";
import {
  STRING_EXTERNAL,
  TYPE_LIST,
  TYPE_STRING,
} from "../../../core/types/entry.ts";
import {
  LIST_QUICKLIST,
  type RunVisitor,
} from "../../../core/types/list_value.ts";
import type { ServerCall } from "../server_call.ts";

/** Longest turn. */
const TURN_MS = 1;
/** Time until it is looked again whether a value is still being changed. */
const LOOK_MS = 1;
/** Elements of a value, at most, that is looked at under its latch. */
const SHORT_ELEMENTS = 16;
/** Bytes of such a value. */
const SHORT_BYTES = 4096;
/** Elements that are looked at to guess their bytes. */
const SAMPLES = 4;
/** Keys of DIGEST-VALUE, at most, that are looked at in one go. */
const FEW_KEYS = 16;
/** Entries after which a hold of a walk ends. */
const WALKED_ENTRIES = 8;

const NOWHERE: RdbSink = { write() {} };

/** What is asked for; the call itself is another's as soon as it may wait. */
interface Look {
  /** What all calls of the worker have in common. */
  readonly context: ServerCall;
  readonly db: number;
  /** The time by which keys have expired; 0 if they count all the same. */
  readonly nowMs: number;
  /** Whether it may take several turns. */
  readonly mayPause: boolean;
}

/** What comes between two steps: whether it has to be waited. */
type Pause = "go on" | "wait";
type Steps<T> = Generator<Pause, T>;

/** A value, or none, as it was at one instant. */
interface Kept {
  readonly space: Keyspace;
  /** The entry, or what takes its place; 0 for a string, or if there is none. */
  readonly ref: number;
  readonly expires: boolean;
  /** The bytes of a string. */
  readonly text: { buf: Uint8Array; off: number; length: number } | null;
  /** No latch is held. */
  release(): void;
}

/** A key of a database. */
interface Place {
  readonly space: Keyspace;
  readonly db: number;
  readonly key: Key;
}

/** `DEBUG OBJECT key` */
export function describeObject(call: ServerCall): void | Promise<LateReply> {
  const look = lookOf(call);
  const place = placeOf(look, call.args.copy(2));
  return afterSteps(call, describe(look, place), (reply, text) => {
    if (text === null) reply.error(NO_SUCH_KEY);
    else reply.simple(text);
  });
}

/** What there is to be said of a key; null if it is not there. */
function* describe(look: Look, place: Place): Steps<string | null> {
  yield* acquireUnchanged(look, place);
  const { context } = look;
  const { latches, settings } = context;
  const { space, db } = place;
  const ref = liveEntry(look, place);
  if (ref === 0) {
    latches.release(space.shard);
    return null;
  }
  const clock = space.clockOf(ref);
  const head = `Value at:0x${(ref >>> 0).toString(16)} refcount:1 ` +
    `encoding:${encodingName(space, ref)} serializedlength:`;
  const tail = ` lru:${clock} lru_seconds_idle:${
    context.clock.idleSeconds(clock)
  }`;
  const writer = new RdbWriter();
  writer.begin(NOWHERE, settings.rdbcompression);
  let large: LargeValue | null = null;
  let nodes = "";
  let hold: ValueHold | null = null;
  if (look.mayPause && isLargeValue(space, ref)) {
    large = largeValueOf(space, ref);
    if (large !== null) hold = context.holdValue?.(space, db, ref) ?? null;
  }
  if (large === null) {
    writeValue(writer, space, ref);
    const steps = describeNodes(space, ref, settings);
    for (let step = steps.next();; step = steps.next()) {
      if (step.done !== true) continue;
      nodes = step.value;
      break;
    }
  }
  latches.release(space.shard);
  if (large !== null) {
    try {
      while (!large.write(writer, () => true)) yield "go on";
      nodes = yield* describeNodes(space, large.reading, settings);
    } finally {
      latches.acquire(space.shard);
      large.release();
      latches.release(space.shard);
      hold?.release();
    }
  }
  return `${head}${writer.sentBytes + writer.at}${tail}${nodes}`;
}

/** As it is from now on; null if memory is short. The latch is held. */
function largeValueOf(space: Keyspace, ref: number): LargeValue | null {
  try {
    return new LargeValue(space, ref);
  } catch (cause) {
    if (!(cause instanceof OutOfMemory)) throw cause;
    return null;
  }
}

/** What there is to be said of a list of several nodes. */
function* describeNodes(
  space: Keyspace,
  ref: number,
  settings: Settings,
): Steps<string> {
  const { lists } = space.values;
  if (
    ref === 0 || space.type(ref) !== TYPE_LIST ||
    space.encoding(ref) !== LIST_QUICKLIST
  ) return "";
  const nodes = lists.nodes(ref);
  const length = lists.length(ref);
  let bytes = 0;
  const visitor: RunVisitor = {
    packed(_buf, _at, _count, runBytes) {
      bytes += runBytes + LISTPACK_EMPTY_BYTES;
    },
    plain(_buf, _off, plainBytes) {
      bytes += plainBytes;
    },
  };
  for (let i = 0; i < length;) {
    i = lists.visitRun(ref, i, length, visitor);
    yield "go on";
  }
  return ` ql_nodes:${nodes} ql_avg_node:${(length / nodes).toFixed(2)} ` +
    `ql_listpack_max:${settings.listMaxListpackSize} ql_compressed:0 ` +
    `ql_uncompressed_size:${bytes}`;
}

/** `DEBUG DIGEST-VALUE key [key ...]` */
export function digestValue(call: ServerCall): void | Promise<LateReply> {
  const names: Uint8Array[] = [];
  for (let i = 2; i < call.argc; i++) names.push(call.args.copy(i));
  const out = new ReplyWriter();
  return afterSteps(call, digestValues(lookOf(call), names, out), (reply) => {
    reply.array(names.length);
    writeLongReply(reply, out.buf.subarray(0, out.at));
  });
}

function* digestValues(
  look: Look,
  names: readonly Uint8Array[],
  out: ReplyWriter,
): Steps<void> {
  for (const [i, name] of names.entries()) {
    const sum = new Digest();
    yield* digestKey(look, placeOf(look, name), sum, () => {});
    out.simple(sum.hex);
    if (i % FEW_KEYS === FEW_KEYS - 1) yield "go on";
  }
}

/** Takes in the value of a key, if it is there; calls `isThere` before. */
function* digestKey(
  look: Look,
  place: Place,
  sum: Digest,
  isThere: () => void,
): Steps<void> {
  yield* acquireUnchanged(look, place);
  const { space, db } = place;
  const ref = liveEntry(look, place);
  if (ref !== 0) isThere();
  let kept: Kept | null = null;
  if (ref !== 0 && look.mayPause && !isShort(space, ref)) {
    kept = keep(look.context, space, db, ref);
  }
  if (ref !== 0 && kept === null) digestEntry(sum, space, ref);
  look.context.latches.release(space.shard);
  if (kept === null) return;
  const { text } = kept;
  try {
    const steps = text === null
      ? digestCollection(sum, space, kept.ref)
      : digestString(sum, text.buf, text.off, text.length);
    while (steps.next().done !== true) yield "go on";
    if (kept.expires) digestExpire(sum);
  } finally {
    kept.release();
  }
}

/** `DEBUG DIGEST` */
export function digest(call: ServerCall): void | Promise<LateReply> {
  call.latches.acquireAll();
  const mustWait = call.lockGate.mustWaitToLook(-1);
  call.latches.releaseAll();
  if (mustWait) return;
  return afterSteps(
    call,
    digestAll({ ...lookOf(call), nowMs: 0 }),
    (reply, sum) => {
      reply.simple(sum.hex);
    },
  );
}

function* digestAll(look: Look): Steps<Digest> {
  const total = new Digest();
  const { keyspaces, worker } = look.context;
  const { databases } = worker.shared;
  for (let db = 0; db < databases; db++) {
    const inDatabase = new Digest();
    let found = 0;
    for (const { shard } of keyspaces) {
      found += yield* digestShard({ ...look, db }, shard, inDatabase);
    }
    if (found === 0) continue;
    total.mixInteger(db);
    total.join(inDatabase);
  }
  return total;
}

/**
 * Takes in a shard's share of a database; returns how many keys that were. Keys
 * that come and go meanwhile may be in it or not.
 */
function* digestShard(
  look: Look,
  shard: number,
  into: Digest,
): Steps<number> {
  const { context: { keyspaces, latches }, db, mayPause } = look;
  if (keyspaces[shard]!.count(db) === 0) return 0;
  for (;;) {
    const sums = new Digest();
    const one = new Digest();
    const left: Place[] = [];
    let found = 0;
    const walk = new ScanWalk(keyspaces, latches, db, shard);
    const visit = (space: Keyspace, ref: number) => {
      if (mayPause && (!isShort(space, ref) || isChanging(space, db, ref))) {
        const { buf, off, length } = space.nameOf(ref);
        left.push(placeOf(look, buf.slice(off, off + length)));
        return;
      }
      found++;
      one.reset();
      one.mix(space.bytes(ref), space.keyOff(ref), space.keyLength(ref));
      digestEntry(one, space, ref);
      sums.combineDigest(one);
    };
    while (walk.shard === shard && !walk.hasShrunk) {
      walk.step(visit, Infinity, walk.entries + WALKED_ENTRIES);
      for (const place of left.splice(0)) {
        const { key } = place;
        one.reset();
        const before = found;
        yield* digestKey(look, place, one, () => {
          found++;
          one.mix(key.buf, key.off, key.length);
        });
        if (found > before) sums.combineDigest(one);
      }
      yield "go on";
    }
    // Some keys may have come twice: the shard is walked anew.
    if (walk.hasShrunk) continue;
    into.join(sums);
    return found;
  }
}

/** Whether a value is looked at in a few microseconds. */
function isShort(space: Keyspace, ref: number): boolean {
  const type = space.type(ref);
  if (type === TYPE_STRING) return space.strings.length(ref) <= SHORT_BYTES;
  const values = space.values.of(type);
  return values.length(ref) <= SHORT_ELEMENTS &&
    values.memoryBytes(ref, SAMPLES) <= SHORT_BYTES;
}

/** Whether the value of an entry is being changed in slices. */
function isChanging(space: Keyspace, db: number, ref: number): boolean {
  const node = lockNode(space, db, ref);
  return node !== 0 && space.locks.isChangedInPlace(node);
}

/** Takes the latch of a key when its value is not being changed in slices. */
function* acquireUnchanged(look: Look, place: Place): Steps<void> {
  const { context: { latches }, mayPause } = look;
  const { space, db, key } = place;
  for (;;) {
    latches.acquire(space.shard);
    const ref = space.peek(db, key);
    if (!mayPause || ref === 0 || !isChanging(space, db, ref)) return;
    latches.release(space.shard);
    yield "wait";
  }
}

/** The entry of a key that has not expired, or 0; the latch is held. */
function liveEntry({ nowMs }: Look, { space, db, key }: Place): number {
  const ref = space.peek(db, key);
  return ref !== 0 && space.isExpired(ref, nowMs) ? 0 : ref;
}

function lookOf(call: ServerCall): Look {
  const { db, nowMs, canWait, later } = call;
  return { context: call, db, nowMs, mayPause: canWait && later !== null };
}

function placeOf({ context, db }: Look, name: Uint8Array): Place {
  const key = new Key();
  context.fillKey(key, name, 0, name.length);
  return { space: context.keyspace(key), db, key };
}

/** Keeps the value of an entry as it is; null if memory is short. */
function keep(
  { latches, holdValue }: ServerCall,
  space: Keyspace,
  db: number,
  ref: number,
): Kept | null {
  const expires = space.expireAt(ref) !== 0;
  if (space.type(ref) === TYPE_STRING) {
    const { strings, externals } = space;
    const length = strings.length(ref);
    if (space.encoding(ref) !== STRING_EXTERNAL) {
      const off = strings.off(ref);
      const buf = strings.bytes(ref).slice(off, off + length);
      const text = { buf, off: 0, length };
      return { space, ref: 0, expires, text, release() {} };
    }
    const run = space.valueRef(ref);
    externals.pin(run);
    const text = {
      buf: externals.bytes(run),
      off: externals.offset(run),
      length,
    };
    const hold = holdValue?.(space, db, ref) ?? null;
    const release = () => {
      latches.acquire(space.shard);
      externals.unpin(run);
      latches.release(space.shard);
      hold?.release();
    };
    return { space, ref: 0, expires, text, release };
  }
  try {
    const reading = shareValue(space, ref);
    const hold = holdValue?.(space, db, ref) ?? null;
    const release = () => {
      latches.acquire(space.shard);
      releaseValue(space, reading);
      latches.release(space.shard);
      hold?.release();
    };
    return { space, ref: reading, expires, text: null, release };
  } catch (cause) {
    if (!(cause instanceof OutOfMemory)) throw cause;
    return null;
  }
}

/**
 * Replies when all steps are done: at once if they are few, or in a transaction.
 * Who is gone wants no more of them.
 */
function afterSteps<T>(
  call: ServerCall,
  steps: Steps<T>,
  answer: (reply: ReplyWriter, result: T) => void,
): void | Promise<LateReply> {
  const { later, worker, session: { id } } = call;
  const isAtOnce = !call.canWait || later === null;
  let step = steps.next();
  while (isAtOnce && step.done !== true) step = steps.next();
  if (step.done === true) return answer(call.reply, step.value);
  const { connections } = worker;
  return new Promise((resolve) => {
    const turn = () => {
      if (!connections.has(id)) {
        steps.return(undefined as never);
        return resolve(() => {});
      }
      const endMs = performance.now() + TURN_MS;
      do {
        step = steps.next();
        if (step.done === true) {
          const result = step.value;
          return resolve((reply) => answer(reply, result));
        }
      } while (step.value === "go on" && performance.now() < endMs);
      later!(turn, step.value === "wait" ? LOOK_MS : 0);
    };
    later!(turn, step.value === "wait" ? LOOK_MS : 0);
  });
}

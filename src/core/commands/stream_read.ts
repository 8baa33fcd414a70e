/**
 * XREAD and XREADGROUP.
 *
 * Both read their arguments and look at all keys before they write anything, as
 * Redis does. What a group delivers becomes pending entry by entry; should
 * memory end in between, the reply ends there, too, as if COUNT had said so.
 *
 * With BLOCK and nothing to read, they wait. An ID of `$` then stands for the
 * last one that there was when the command came.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { Key } from "../keyspace/key.ts";
import { ReplacedArguments } from "../keyspace/replaced_arguments.ts";
import { SHARD_READINGS } from "../keyspace/shard_control.ts";
import {
  WAITS_FOR_GROUP,
  WAITS_FOR_STREAM,
} from "../keyspace/waiter_records.ts";
import { OutOfMemory } from "../memory/heap.ts";
import {
  DOLLAR_IN_XREADGROUP,
  GROUP_MISSING,
  GROUP_OUTSIDE_XREADGROUP,
  NEW_IN_XREAD,
  NOACK_OUTSIDE_XREADGROUP,
  noGroupToRead,
  SYNTAX_ERROR,
  TIMEOUT_NEGATIVE,
  TIMEOUT_NOT_AN_INTEGER,
  TIMEOUT_OUT_OF_RANGE,
  unbalancedStreams,
} from "../resp/error_reply.ts";
import { takeBackReply } from "../resp/reply_source.ts";
import { TYPE_STREAM } from "../types/entry.ts";
import { ID_BYTES_MAX, StreamId } from "../types/stream_id.ts";
import { argumentIs, bigIntegerAt, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import { stageGroupReading } from "./compared_groups.ts";
import { streamReadKeys } from "./command_keys.ts";
import {
  type CommandSpec,
  keysAfter,
  type LateReply,
  OPTIONS_MAX,
} from "./command_spec.ts";
import { DIRECT_BYTES_MAX } from "./element_stream.ts";
import { ManyGroupReadings } from "./many_group_readings.ts";
import {
  type KeysPass,
  type KeysSearch,
  type KeysWait,
  type KeyVisit,
  type ManyKeysFinder,
  type ManyKeysWork,
  manyRead,
} from "./many_keys.ts";
import { readAhead } from "./many_pops.ts";
import { makeChange } from "./sliced_change.ts";
import { SlicedOutput } from "./sliced_output.ts";
import { argumentIsCharacter, idAt, IdList, readId } from "./stream_args.ts";
import {
  ENTRIES_AT_ONCE,
  GroupReader,
  GroupReading,
  type ReadingPart,
  SLICE_BYTES,
} from "./stream_delivery.ts";
import { groupOf, readStream, readStreamToChange } from "./stream_entry.ts";
import {
  replyRange,
  replyStreamName,
  replyStreamsHead,
  STREAMED_ENTRIES_MIN,
} from "./stream_reply.ts";
import { WRONG } from "./typed_entry.ts";

const BLOCK = bytesOf("block");
const COUNT = bytesOf("count");
const GROUP = bytesOf("group");
const NOACK = bytesOf("noack");
const STREAMS = bytesOf("streams");
const DOLLAR = 0x24;
const NEW = 0x3e;
const INT64_MAX = 2n ** 63n - 1n;

const IDS = new IdList();
const ID = new StreamId();
const LAST = new StreamId();
/** Text of an ID. */
const TEXT = new Uint8Array(ID_BYTES_MAX);
const GREATEST = new StreamId();
GREATEST.setGreatest();
// What is gone on with in slices takes it over, and the next command has another.
let READER = new GroupReader();
/** Streams of fewer entries are written at once, however many streams. */
const STREAMED_MIN = 64;

/** The arguments, read anew by each command. */
class ReadOptions {
  /** Entries per stream; 0 for all. */
  count = 0;
  /** Whether the client would wait. */
  isBlocking = false;
  /** For how long; 0 for ever. */
  waitMs = 0;
  /** Whether what is delivered does not become pending. */
  isWithoutAck = false;
  /** Argument of the group's name, 0 for none; the consumer's is behind it. */
  groupAt = 0;
  /** Argument of the first key. */
  keysAt = 0;
  /** Keys. */
  streams = 0;

  /** Reads the arguments; false after an error reply. */
  read(call: Call, isGroup: boolean): boolean {
    const { argc, reply } = call;
    this.count = this.groupAt = this.keysAt = 0;
    this.isBlocking = this.isWithoutAck = false;
    const most = Math.min(argc, OPTIONS_MAX);
    for (let i = 1; i < most && this.keysAt === 0; i++) {
      const more = argc - i - 1;
      if (more > 0 && argumentIs(call, i, BLOCK)) {
        this.waitMs = readTimeout(call, ++i);
        if (this.waitMs < 0) return false;
        this.isBlocking = true;
      } else if (more > 0 && argumentIs(call, i, COUNT)) {
        this.count = readInteger(call, ++i);
        if (Number.isNaN(this.count)) return false;
        if (this.count < 0) this.count = 0;
      } else if (more > 0 && argumentIs(call, i, STREAMS)) {
        this.keysAt = i + 1;
        this.streams = more / 2;
        if (more % 2 !== 0) {
          reply.error(
            isGroup
              ? unbalancedStreams("xreadgroup", ">")
              : unbalancedStreams("xread", "$"),
          );
          return false;
        }
      } else if (more > 1 && argumentIs(call, i, GROUP)) {
        if (!isGroup) return this.#refuse(call, GROUP_OUTSIDE_XREADGROUP);
        this.groupAt = i + 1;
        i += 2;
      } else if (argumentIs(call, i, NOACK)) {
        if (!isGroup) return this.#refuse(call, NOACK_OUTSIDE_XREADGROUP);
        this.isWithoutAck = true;
      } else return this.#refuse(call, SYNTAX_ERROR);
    }
    if (this.keysAt === 0) return this.#refuse(call, SYNTAX_ERROR);
    if (isGroup && this.groupAt === 0) return this.#refuse(call, GROUP_MISSING);
    // A group's or consumer's name that looks like the keyword makes the key
    // specs see other keys than there are, whose latches are not held.
    return this.#hasKeys(call) || this.#refuse(call, SYNTAX_ERROR);
  }

  #refuse({ reply }: Call, error: typeof SYNTAX_ERROR): false {
    reply.error(error);
    return false;
  }

  #hasKeys(call: Call): boolean {
    if (call.keyCount !== this.streams) return false;
    const key = call.key(0);
    return key.off === call.args.off[this.keysAt] &&
      key.buf === call.args.source(this.keysAt);
  }
}

const OPTIONS = new ReadOptions();
/** What the keys of the running command have. */
const REFS: number[] = [];
const GROUPS: number[] = [];
const IS_SERVED: boolean[] = [];

/** Milliseconds; negative after an error reply. */
function readTimeout(call: Call, i: number): number {
  const timeout = bigIntegerAt(call, i);
  const { reply } = call;
  if (timeout === null) reply.error(TIMEOUT_NOT_AN_INTEGER);
  else if (timeout < 0n) reply.error(TIMEOUT_NEGATIVE);
  else if (timeout > INT64_MAX - BigInt(call.nowMs)) {
    reply.error(TIMEOUT_OUT_OF_RANGE);
  } else return Number(timeout);
  return -1;
}

/**
 * `XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]`
 */
function xreadCommand(call: Call): void {
  if (!OPTIONS.read(call, false) || !lookUp(call, false)) return;
  const { streams, count } = OPTIONS;
  const { reply } = call;
  let served = 0;
  for (let i = 0; i < streams; i++) {
    IS_SERVED[i] = hasNew(call, i);
    if (IS_SERVED[i]) served++;
    // Redis looks twice, so that a key that is not there is missed twice.
    else if (REFS[i] === 0) readStream(call, i);
  }
  if (served === 0) return waitOrReplyNothing(call, WAITS_FOR_STREAM);
  replyStreamsHead(reply, served);
  // Those that are written at once are not many together.
  const long = Math.max(
    STREAMED_MIN,
    Math.ceil(STREAMED_ENTRIES_MIN / served),
  );
  let direct = DIRECT_BYTES_MAX;
  for (let i = 0; i < streams; i++) {
    if (!IS_SERVED[i]) continue;
    replyName(call, i);
    IDS.read(i, ID);
    ID.increment();
    const space = call.keyspace(call.key(i));
    const range = [ID, GREATEST, count, false, long, direct] as const;
    direct = replyRange(call, space, REFS[i]!, ...range);
  }
}

/**
 * `XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK]
 * STREAMS key [key ...] id [id ...]`
 */
function xreadgroupCommand(call: Call): void | Promise<LateReply> {
  if (!OPTIONS.read(call, true) || !lookUp(call, true)) return;
  const { reply } = call;
  const { streams } = OPTIONS;
  const start = reply.at;
  call.effects.silence();
  replyStreamsHead(reply, streams);
  const first = reply.at;
  const canSlice = call.canWait && call.inSlices !== null;
  let left = canSlice ? ENTRIES_AT_ONCE : Infinity;
  let limit = canSlice ? reply.cost + SLICE_BYTES : Infinity;
  let served = 0;
  for (let i = 0; i < streams; i++) {
    const before = reply.at;
    const key = call.key(i);
    const space = call.keyspace(key);
    try {
      prepareReader(i);
      if (!READER.open(call, { space, key }, REFS[i]!)) continue;
      replyName(call, i);
      const head = reply.at;
      reply.array(READER.most);
      const from = reply.at;
      if (readPart(call, i, left, limit)) {
        return goOn(call, i, served, { start, first, before, from });
      }
      left -= READER.done;
      limit -= READER.moreBytes;
      reply.recount(head, READER.done);
      READER.end(call, space, key);
      served++;
    } catch (cause) {
      if (!(cause instanceof OutOfMemory) || served === 0) throw cause;
      takeBackReply(reply, before, space.externals);
      break;
    }
  }
  if (served > 0) return reply.recount(start, served);
  reply.rewind(start);
  waitOrReplyNothing(call, WAITS_FOR_GROUP);
}

/** Where a reply begins, its streams, one of them, and the entries of that. */
interface ReplyPlaces {
  readonly start: number;
  readonly first: number;
  readonly before: number;
  readonly from: number;
}

/**
 * Goes on in slices with stream `at`, of which a part has been read, and those
 * behind it.
 */
function goOn(
  call: Call,
  at: number,
  served: number,
  { start, first, before, from }: ReplyPlaces,
): void | Promise<LateReply> {
  const { reply } = call;
  const { streams } = OPTIONS;
  const parts: ReadingPart[] = [];
  const names: Uint8Array[] = [];
  for (let i = 0; i < streams; i++) {
    const { buf, off, length, hash, shard } = call.key(i);
    const name = buf.slice(off, off + length);
    if (i > 0) names.push(name);
    if (i < at) continue;
    if (i > at) prepareReader(i);
    const key = Object.assign(new Key(), { buf: name, length, hash, shard });
    const space = call.keyspace(key);
    parts.push({ reader: READER, space, key });
    READER = new GroupReader();
  }
  const output = new SlicedOutput(call);
  output.takeReply(call, first, before);
  const piece = output.endPiece();
  output.takeReply(call, from, reply.at);
  output.takeEffects(call);
  reply.rewind(start);
  const reading = new GroupReading(served, parts, names, output, piece);
  return makeChange(call, REFS[0]!, reading);
}

/** Finds keys and groups and reads the IDs; false after an error reply. */
function lookUp(call: Call, isGroup: boolean): boolean {
  const { reply, args } = call;
  const { keysAt, streams, groupAt } = OPTIONS;
  IDS.clear();
  for (let i = 0; i < streams; i++) {
    const ref = isGroup ? readStreamToChange(call, i) : readStream(call, i);
    if (ref === WRONG) return false;
    REFS[i] = ref;
    if (isGroup) {
      GROUPS[i] = ref === 0 ? 0 : groupOf(call, i, ref, groupAt);
      if (GROUPS[i] === 0) {
        const key = args.copy(keysAt + i);
        reply.error(noGroupToRead(key, args.view(groupAt)));
        return false;
      }
    }
    const idAt = keysAt + streams + i;
    if (argumentIsCharacter(call, idAt, DOLLAR)) {
      if (isGroup) {
        reply.error(DOLLAR_IN_XREADGROUP);
        return false;
      }
      ID.setLeast();
      if (ref !== 0) {
        call.keyspace(call.key(i)).values.streams.readLastId(ref, ID);
      }
    } else if (argumentIsCharacter(call, idAt, NEW)) {
      if (!isGroup) {
        reply.error(NEW_IN_XREAD);
        return false;
      }
      // Redis knows it by this ID, too.
      ID.setGreatest();
    } else if (!readId(call, idAt, ID)) return false;
    IDS.add(ID);
  }
  if (REFS.length > KEPT_REFS) {
    REFS.length = GROUPS.length = IS_SERVED.length = streams;
  }
  return true;
}

/** References that are kept between commands. */
const KEPT_REFS = 1024;

/** Whether stream `i` has entries behind its ID. */
function hasNew(call: Call, i: number): boolean {
  const ref = REFS[i]!;
  if (ref === 0) return false;
  const { log } = call.keyspace(call.key(i)).values.streams;
  IDS.read(i, ID);
  return log.readLastEntry(ref, LAST) && LAST.compare(ID) > 0;
}

function waitOrReplyNothing(call: Call, kind: number): void {
  const { isBlocking, waitMs, streams, keysAt } = OPTIONS;
  if (!isBlocking || !call.wait(kind, waitMs, streams, "")) {
    return call.reply.nullArray();
  }
  let lastIds: ReplacedArguments | null = null;
  for (let i = 0; i < streams; i++) {
    const at = keysAt + streams + i;
    if (!argumentIsCharacter(call, at, DOLLAR)) continue;
    IDS.read(i, ID);
    lastIds ??= new ReplacedArguments();
    lastIds.add(at, TEXT, ID.writeText(TEXT, 0));
  }
  call.waitArguments = lastIds;
}

function replyName({ reply, args }: Call, i: number): void {
  const at = OPTIONS.keysAt + i;
  replyStreamName(reply, args.source(at), args.off[at]!, args.length[at]!);
}

/** Says what is to be read of stream `i`. */
function prepareReader(i: number): void {
  const { groupAt, keysAt, isWithoutAck, count } = OPTIONS;
  READER.keyAt = keysAt + i;
  READER.groupAt = groupAt;
  READER.group = GROUPS[i]!;
  IDS.read(i, READER.behind);
  READER.count = count;
  READER.isWithoutAck = isWithoutAck;
}

/** Reads a part; without memory for any of it, it is as if it had not begun. */
function readPart(
  call: Call,
  i: number,
  count: number,
  limit: number,
): boolean {
  const space = call.keyspace(call.key(i));
  try {
    return READER.read(call, space, REFS[i]!, count, limit);
  } catch (cause) {
    READER.takeBack(space);
    throw cause;
  }
}

/**
 * XREAD that may wait, of very many streams: if there is something to read, or to
 * complain of, all is run in the background.
 */
class StreamSearch implements ManyKeysWork, KeysSearch {
  readonly locking = "read";
  readonly changes = 0;
  readonly found = -1;
  readonly #options = Object.assign(new ReadOptions(), OPTIONS);
  /** What `$` stands for, and the arguments for which it does. */
  readonly #latest = new IdList();
  readonly #latestAt = new Int32Array(OPTIONS.streams);
  /** Of a stream that is named twice: the number that it was given first. */
  readonly #firsts = new Map<number, number>();
  isForBackground = false;

  readonly passes: readonly KeysPass[] = [
    { order: "given", isLatched: true, visit: (at) => this.#look(at) },
    {
      order: "given",
      isLatched: true,
      visit: ({ space, db, key, nowMs }) => {
        // As where few are waited for, who are missed twice.
        if (space.lookupRead(db, key, nowMs) === 0) {
          space.lookupRead(db, key, nowMs);
        }
      },
    },
  ];

  get search(): KeysSearch {
    return this;
  }

  get isOver(): boolean {
    return this.isForBackground;
  }

  get wait(): KeysWait {
    const { waitMs } = this.#options;
    const replaced = this.#writeIds();
    const numbers = this.#firsts;
    return { kind: WAITS_FOR_STREAM, waitMs, undo: "", replaced, numbers };
  }

  reset(): void {
    this.isForBackground = false;
    this.#latest.clear();
    this.#firsts.clear();
  }

  reply(): LateReply {
    return (reply) => reply.nullArray();
  }

  #look({ space, db, key, i, last, args, nowMs }: KeyVisit): void {
    if (this.isForBackground) return;
    if (i !== last && !this.#firsts.has(last)) this.#firsts.set(last, i);
    const { keysAt, streams } = this.#options;
    const at = keysAt + streams + i;
    const ref = space.lookupQuiet(db, key, nowMs);
    if (ref !== 0 && space.type(ref) !== TYPE_STREAM) {
      this.isForBackground = true;
    } else if (argumentIsCharacter({ args }, at, DOLLAR)) {
      ID.setLeast();
      if (ref !== 0) space.values.streams.readLastId(ref, ID);
      this.#latestAt[this.#latest.count] = at;
      this.#latest.add(ID);
    } else {
      const { log } = space.values.streams;
      this.isForBackground = !idAt({ args }, at, ID) ||
        ref !== 0 && log.readLastEntry(ref, LAST) && LAST.compare(ID) > 0;
    }
  }

  /** The IDs as text; no latch is held. */
  #writeIds(): ReplacedArguments {
    const written = new ReplacedArguments();
    for (let i = 0; i < this.#latest.count; i++) {
      this.#latest.read(i, ID);
      written.add(this.#latestAt[i]!, TEXT, ID.writeText(TEXT, 0));
    }
    return written;
  }
}

/** XREAD of very many streams. */
const manyStreams: ManyKeysFinder<Call> = (call) => {
  const job = manyRead(call);
  if (job === null || !readAhead(call, () => OPTIONS.read(call, false))) {
    return null;
  }
  return OPTIONS.isBlocking ? new StreamSearch() : job;
};

/** XREADGROUP of very many streams, or of several that others still read. */
const manyGroups: ManyKeysFinder<Call> = (call) => {
  const weight = mayBeHeld(call) ? HELD_KEY_WEIGHT : GROUP_READ_KEY_WEIGHT;
  return call.keyCount * weight > call.settings.backgroundThresholdKeys &&
      readAhead(call, () => OPTIONS.read(call, true))
    ? new ManyGroupReadings(call, Object.assign(new ReadOptions(), OPTIONS))
    : null;
};

/**
 * Whether replies are still read from values of the keys' shards, of which each
 * has a copy made before it is changed. No latch is held, so one may just begin.
 */
function mayBeHeld(call: Call): boolean {
  for (let i = 0; i < call.keyCount; i++) {
    const { control } = call.keyspaces[call.key(i).shard]!;
    if (control[SHARD_READINGS] !== 0) return true;
  }
  return false;
}

/** To look at a stream, and to leave it to a reader or a queue, takes so long. */
const READ_KEY_WEIGHT = 8;
/**
 * A stream that a group is read of may have to be copied before, or written to a
 * snapshot, as far as that is done at once.
 */
const GROUP_READ_KEY_WEIGHT = 96;
/** The same where it is likely, because replies are still read from values. */
const HELD_KEY_WEIGHT = 384;

/** Rows of these commands. */
export const STREAM_READ_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "xread",
    group: "stream",
    since: "5.0.0",
    summary: "Reads entries of streams behind the IDs that are given.",
    arity: -4,
    flags: ["blocking", "readonly"],
    keys: [keysAfter("STREAMS", 1, "RO access", 2)],
    findKeys: streamReadKeys,
    syntax: "[COUNT count:integer] [BLOCK milliseconds:integer] " +
      "STREAMS streams:(key... id...)",
    replies: ["map", "array", "null"],
    keyWeight: READ_KEY_WEIGHT,
    manyKeys: manyStreams,
    oneKey: "with IDs",
    run: xreadCommand,
  },
  {
    name: "xreadgroup",
    group: "stream",
    since: "5.0.0",
    summary: "Reads entries of streams for a consumer of a group.",
    arity: -7,
    flags: ["blocking", "write"],
    keys: [keysAfter("STREAMS", 4, "RO access", 2)],
    findKeys: streamReadKeys,
    syntax: "GROUP group-block:(group consumer) [COUNT count:integer] " +
      "[BLOCK milliseconds:integer] [NOACK] STREAMS streams:(key... id...)",
    replies: ["map", "array", "null"],
    keyWeight: HELD_KEY_WEIGHT,
    manyKeys: manyGroups,
    oneKey: "with IDs",
    stage: stageGroupReading,
    run: xreadgroupCommand,
  },
];

/**
 * DUMP and RESTORE: a value as bytes, and back, between servers of any kind.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { isLfuPolicy } from "../keyspace/evict.ts";
import type { Key } from "../keyspace/key.ts";
import { DEL, NEW, RESTORE } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { FOOTER_BYTES, hasGoodFooter, writeFooter } from "../rdb/dump_frame.ts";
import { BadFormat, RdbReader } from "../rdb/rdb_reader.ts";
import {
  dropValue,
  kindOf,
  readValue,
  storeValue,
  versionOfKind,
  writeValue,
} from "../rdb/rdb_value.ts";
import { COMPRESSED_BYTES_MAX, RdbWriter } from "../rdb/rdb_writer.ts";
import { RunSink } from "../rdb/run_sink.ts";
import {
  BUSY_KEY,
  DUMP_CHECKSUM_WRONG,
  DUMP_FORMAT_BAD,
  RESTORE_FREQ_INVALID,
  RESTORE_IDLETIME_INVALID,
  RESTORE_TTL_INVALID,
  SYNTAX_ERROR,
} from "../resp/error_reply.ts";
import { argumentIs, readInteger } from "./arg_reader.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  KEY_OW_UPDATE,
  KEY_RO_ACCESS,
} from "./command_spec.ts";
import { isLongString, replyDumpedString } from "./dumped_string.ts";
import { largePayload, largeValue } from "./heavy_work.ts";
import { RECORDED, recordOfKey } from "./recorded.ts";

const REPLACE = bytesOf("replace");
const ABSTTL = bytesOf("absttl");
const IDLETIME = bytesOf("idletime");
const FREQ = bytesOf("freq");

/** Expires from here on leave 64 bits. */
const EXPIRE_END = 2 ** 63;
/** The last double before. */
const EXPIRE_MS_MAX = 2 ** 63 - 1024;
const FREQ_MAX = 255;
/** A longer time would soon look like a short one: the clock is a circle. */
const IDLE_SECONDS_MAX = 2 ** 23;

const WRITER = new RdbWriter();
const SINK = new RunSink();

/** `DUMP key` */
function dumpCommand(call: Call): void {
  const { reply } = call;
  const key = call.key(0);
  const space = call.keyspace(key);
  const ref = space.lookupRead(call.db, key, call.nowMs);
  if (ref === 0) return reply.nullBulk();
  if (reply.canStream && isLongString(space, ref, COMPRESSED_BYTES_MAX + 1)) {
    return replyDumpedString(reply, space, ref);
  }
  const kind = kindOf(space, ref);
  SINK.begin(space.externals);
  WRITER.begin(SINK, call.settings.rdbcompression);
  try {
    WRITER.byte(kind);
    writeValue(WRITER, space, ref);
    writeFooter(WRITER, versionOfKind(kind));
    if (WRITER.sentBytes > 0) WRITER.flush();
  } catch (cause) {
    SINK.drop();
    throw cause;
  }
  if (WRITER.sentBytes === 0) reply.bulk(WRITER.buf, 0, WRITER.at);
  else reply.external(SINK.finish(), 0, WRITER.sentBytes);
}

/** The options of RESTORE, read anew by each. */
const OPTIONS = {
  replaces: false,
  isAbsolute: false,
  /** -1 if not given, as is the next. */
  idleSeconds: -1,
  counter: -1,
};

/**
 * `RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds]
 * [FREQ frequency]`
 */
function restoreCommand(call: Call): void {
  const { reply, args, db, nowMs } = call;
  if (!readOptions(call)) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  // What is to be replaced is not used, and may have expired.
  const existing = OPTIONS.replaces
    ? space.peek(db, key)
    : space.lookupWrite(db, key, nowMs);
  if (existing !== 0 && !OPTIONS.replaces) return reply.error(BUSY_KEY);
  const ttl = readInteger(call, 2);
  if (Number.isNaN(ttl)) return;
  if (ttl < 0) return reply.error(RESTORE_TTL_INVALID);
  const source = args.source(3);
  const off = args.off[3]!;
  const length = args.length[3]!;
  if (!hasGoodFooter(source, off, length)) {
    return reply.error(DUMP_CHECKSUM_WRONG);
  }
  const reader = new RdbReader(
    space.externals,
    source,
    off,
    length - FOOTER_BYTES,
  );
  const expireAtMs = expireAt(ttl, nowMs);
  try {
    const kind = reader.byte();
    readValue(reader, kind, space);
    if (ttl !== 0 && expireAtMs <= nowMs) {
      deleteReplaced(call, space, key, existing);
    } else store(call, reader, kind, space, key, existing, expireAtMs);
  } catch (cause) {
    if (!(cause instanceof BadFormat)) throw cause;
    return reply.error(DUMP_FORMAT_BAD);
  } finally {
    dropValue(reader, space);
  }
  reply.ok();
}

/**
 * When a key with a time to live of `ttl` expires. Redis adds in 64 bits: what
 * leaves them comes out as a time long past.
 */
function expireAt(ttl: number, nowMs: number): number {
  if (OPTIONS.isAbsolute) return Math.min(ttl, EXPIRE_MS_MAX);
  if (ttl === 0) return 0;
  return ttl + nowMs < EXPIRE_END ? ttl + nowMs : -1;
}

/** A value that has expired already takes the place of another all the same. */
function deleteReplaced(
  call: Call,
  space: Keyspace,
  key: Key,
  existing: number,
): void {
  const { db } = call;
  if (existing === 0) return;
  space.delete(db, existing);
  space.hooks.changed(db, key, DEL);
  recordOfKey(call, RECORDED.DEL);
}

function store(
  call: Call,
  reader: RdbReader,
  kind: number,
  space: Keyspace,
  key: Key,
  existing: number,
  expireAtMs: number,
): void {
  const { clock, db } = call;
  const { idleSeconds, counter } = OPTIONS;
  const ref = storeValue(reader, kind, space, db, key, existing, expireAtMs);
  if (isLfuPolicy(call.settings.maxmemoryPolicy)) {
    space.setClock(
      ref,
      counter < 0 ? clock.initial() : clock.withCounter(counter),
    );
  } else if (idleSeconds >= 0) {
    space.setClock(
      ref,
      clock.idleSince(Math.min(idleSeconds, IDLE_SECONDS_MAX)),
    );
  }
  if (existing !== 0) space.hooks.signal(db, key, NEW);
  space.hooks.changed(db, key, RESTORE);
  const { effects, args } = call;
  if (expireAtMs !== 0 && !OPTIONS.isAbsolute && effects.isOn) {
    effects.replace(db, RECORDED.RESTORE, args.count + 1).argument(args, 1)
      .integer(expireAtMs).rest(args, 3).constant(RECORDED.ABSTTL);
  }
}

/** Reads the options from argument 4 on; false after an error reply. */
function readOptions(call: Call): boolean {
  const { reply, argc } = call;
  const options = OPTIONS;
  options.replaces = options.isAbsolute = false;
  options.idleSeconds = options.counter = -1;
  for (let i = 4; i < argc; i++) {
    const hasMore = i + 1 < argc;
    if (argumentIs(call, i, REPLACE)) options.replaces = true;
    else if (argumentIs(call, i, ABSTTL)) options.isAbsolute = true;
    else if (
      hasMore && options.counter < 0 && argumentIs(call, i, IDLETIME)
    ) {
      const seconds = readInteger(call, ++i);
      if (Number.isNaN(seconds)) return false;
      if (seconds < 0) {
        reply.error(RESTORE_IDLETIME_INVALID);
        return false;
      }
      options.idleSeconds = seconds;
    } else if (
      hasMore && options.idleSeconds < 0 && argumentIs(call, i, FREQ)
    ) {
      const counter = readInteger(call, ++i);
      if (Number.isNaN(counter)) return false;
      if (counter < 0 || counter > FREQ_MAX) {
        reply.error(RESTORE_FREQ_INVALID);
        return false;
      }
      options.counter = counter;
    } else {
      reply.error(SYNTAX_ERROR);
      return false;
    }
  }
  return true;
}

const RESTORE_SYNTAX = "key ttl:integer serialized-value " +
  "[REPLACE@3.0.0] [ABSTTL@5.0.0] [IDLETIME seconds:integer@5.0.0] " +
  "[FREQ frequency:integer@5.0.0]";

/** Rows of DUMP and RESTORE. */
export const DUMP_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "dump",
    group: "generic",
    since: "2.6.0",
    summary: "Returns the value of a key as bytes that RESTORE takes.",
    complexity: "O(1)",
    arity: 2,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    tips: ["nondeterministic_output"],
    syntax: "key",
    replies: ["string", "null"],
    isHeavy: largeValue,
    run: dumpCommand,
  },
  {
    name: "restore",
    group: "generic",
    since: "2.6.0",
    summary: "Makes a key of the bytes that DUMP returned.",
    complexity: "O(1)",
    arity: -4,
    flags: ["write", "denyoom"],
    categories: ["keyspace", "dangerous"],
    keys: KEY_OW_UPDATE,
    syntax: RESTORE_SYNTAX,
    replies: ["status"],
    isHeavy: largePayload,
    run: restoreCommand,
  },
  {
    name: "restore-asking",
    group: "server",
    since: "3.0.0",
    summary: "RESTORE for a cluster that moves keys.",
    complexity: "O(1)",
    arity: -4,
    flags: ["write", "denyoom", "asking"],
    categories: ["keyspace", "dangerous"],
    keys: KEY_OW_UPDATE,
    syntax: RESTORE_SYNTAX,
    docFlags: ["syscmd"],
    replies: ["status"],
    isHeavy: largePayload,
    run: restoreCommand,
  },
];

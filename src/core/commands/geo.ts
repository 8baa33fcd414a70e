/**
 * Commands about places, which are members of sorted sets: their scores are
 * geohashes.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import { DOUBLE_ZERO } from "../base/steady_code.ts";
import { formatDistance, geoDistance } from "../base/geo_area.ts";
import {
  decodeGeohash,
  encodeGeohash,
  formatCoordinate,
  GEOHASH_TEXT_BYTES,
  type GeoPoint,
  writeGeohashText,
} from "../base/geohash.ts";
import { INTEGER_BYTES_MAX, writeInteger } from "../base/integer.ts";
import { EffectDraft } from "../keyspace/effect_draft.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import type { Key } from "../keyspace/key.ts";
import { ZADD } from "../keyspace/key_events.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Heap } from "../memory/heap.ts";
import type { Arguments } from "../resp/arguments.ts";
import { type ErrorReply, SYNTAX_ERROR } from "../resp/error_reply.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { TYPE_ZSET } from "../types/entry.ts";
import type { ZsetValue } from "../types/zset_value.ts";
import { argumentIs } from "./arg_reader.ts";
import { type Answer, ArgumentAnswers } from "./argument_answers.ts";
import type { Call } from "./call.ts";
import {
  type CommandSpec,
  KEY_RO_ACCESS,
  KEY_RW_UPDATE,
  type LateReply,
  OPTIONS_MAX,
} from "./command_spec.ts";
import { lookFor, looksFor } from "./compared_arguments.ts";
import { compareOrders } from "./compared_orders.ts";
import { pointAt, readPoint, readUnit } from "./geo_arguments.ts";
import {
  FEW_ARGUMENTS,
  isLongChange,
  isLongRequest,
} from "./many_arguments.ts";
import { RECORDED } from "./recorded.ts";
import {
  type AdditionRules,
  insertMember,
  locateMember,
  ScoredAddition,
} from "./scored_addition.ts";
import { makeChange } from "./sliced_change.ts";
import { stageScored } from "./staged_nodes.ts";
import { readEntry, writeEntry, WRONG } from "./typed_entry.ts";

const NX = bytesOf("nx");
const XX = bytesOf("xx");
const CH = bytesOf("ch");
/** Arguments of one place: longitude, latitude, member. */
const PLACE_ARGUMENTS = 3;

/** Scores may rise and fall. */
const ANY_ORDER = { onlyGreater: false, onlyLess: false };
/** Text of a score on its way to a record. */
const SCORE_TEXT = new Uint8Array(INTEGER_BYTES_MAX);

/** Scores kept ready between calls. */
const SCORES_KEPT = 64;

/** Scores of the places that a call adds. */
let scores = new Float64Array(SCORES_KEPT);
const POINT: GeoPoint = { longitude: DOUBLE_ZERO, latitude: DOUBLE_ZERO };
const OTHER: GeoPoint = { longitude: DOUBLE_ZERO, latitude: DOUBLE_ZERO };
const TEXT = new Uint8Array(GEOHASH_TEXT_BYTES);

/** The members of GEOADD. */
function stageAdded(call: Call): void {
  stageScored(call, 4);
  lookFor(call, 4);
  // Several are compared one by one; perhaps there are options.
  if (call.argc >= 2 + 2 * PLACE_ARGUMENTS) return;
  compareOrders(
    call,
    ({ args }, i) =>
      pointAt(args, i - 2, POINT) === null
        ? encodeGeohash(POINT.longitude, POINT.latitude)
        : NaN,
  );
}

/** `GEOADD key [NX | XX] [CH] longitude latitude member [...]` */
function geoaddCommand(call: Call): void | Promise<LateReply> {
  const { args, argc, reply } = call;
  let onlyNew = false;
  let onlyOld = false;
  let countsChanges = false;
  let from = 2;
  for (; from < Math.min(argc, OPTIONS_MAX); from++) {
    if (argumentIs(call, from, NX)) onlyNew = true;
    else if (argumentIs(call, from, XX)) onlyOld = true;
    else if (argumentIs(call, from, CH)) countsChanges = true;
    else break;
  }
  if (
    from === argc || (argc - from) % PLACE_ARGUMENTS !== 0 ||
    (onlyNew && onlyOld)
  ) return reply.error(SYNTAX_ERROR);
  const count = (argc - from) / PLACE_ARGUMENTS;
  if (isLongChange(call, count)) {
    const rules = { onlyNew, onlyOld, countsChanges, ...ANY_ORDER };
    return addManyPlaces(call, new PlaceAddition(call, from, rules));
  }
  if (!readScores(call, from, count)) return;
  let ref = writeEntry(call, 0, TYPE_ZSET);
  if (ref === WRONG) return;
  const key = call.key(0);
  const space = call.keyspace(key);
  const { zsets } = space.values;
  if (ref === 0) {
    if (onlyOld) return reply.integer(0);
    ref = space.create(call.db, key, TYPE_ZSET);
  }
  if (count > 1) zsets.expect(ref, count);
  let added = 0;
  let changed = 0;
  for (let i = 0; i < count; i++) {
    const score = scores[i]!;
    const at = from + i * PLACE_ARGUMENTS + 2;
    if (!locateMember(zsets, ref, args, at, call.staged)) {
      if (onlyOld) continue;
      insertMember(zsets, ref, args, at, score, call.staged);
      added++;
    } else if (!onlyNew && zsets.score !== score) {
      const off = args.off[at]!;
      zsets.setFound(ref, args.source(at), off, args.length[at]!, score);
      changed++;
    }
  }
  if (added + changed > 0) {
    space.hooks.changed(call.db, key, ZADD, added + changed);
    if (call.effects.isOn) recordScores(call, from, count);
  }
  reply.integer(countsChanges ? added + changed : added);
}

function addManyPlaces(
  call: Call,
  addition: PlaceAddition,
): void | Promise<LateReply> {
  const key = call.key(0);
  const ref = call.keyspace(key).lookupWrite(call.db, key, call.nowMs);
  return makeChange(call, ref, addition);
}

/** GEOADD of many places, recorded as ZADD of their scores. */
class PlaceAddition extends ScoredAddition {
  readonly #point: GeoPoint = { longitude: DOUBLE_ZERO, latitude: DOUBLE_ZERO };
  readonly #draft: EffectDraft | null;
  readonly #heap: Heap;
  #recorded: number;

  constructor(call: Call, from: number, rules: AdditionRules) {
    super(call, from, PLACE_ARGUMENTS, rules, true);
    const { args, argc, effects } = call;
    this.#recorded = from;
    this.#heap = call.keyspace(call.key(0)).heap;
    this.#draft = effects.isOn ? new EffectDraft() : null;
    if (this.#draft === null) return;
    const count = (argc - from) / PLACE_ARGUMENTS;
    this.#draft.replace(call.db, RECORDED.ZADD, from + 2 * count);
    for (let i = 1; i < from; i++) this.#draft.argument(args, i);
  }

  protected override scoreOf(args: Arguments, i: number): number | ErrorReply {
    const point = this.#point;
    return pointAt(args, i, point) ??
      encodeGeohash(point.longitude, point.latitude);
  }

  protected override recordUpTo(args: Arguments, end: number): void {
    const draft = this.#draft;
    if (draft === null) return;
    for (; this.#recorded < end; this.#recorded += PLACE_ARGUMENTS) {
      const length = writeInteger(this.scoreAt(this.#recorded), SCORE_TEXT, 0);
      draft.bytes(SCORE_TEXT, 0, length);
      const member = this.#recorded + PLACE_ARGUMENTS - 1;
      draft.lastingArgument(this.#heap, args, member);
    }
  }

  protected override endRecord(effects: EffectLog): void {
    this.#draft?.recordIn(effects);
  }

  override finish(
    space: Keyspace,
    db: number,
    key: Key,
    args: Arguments,
    effects: EffectLog,
  ): LateReply {
    const late = super.finish(space, db, key, args, effects);
    // Nothing may have changed.
    this.#draft?.drop();
    return late;
  }

  override drop(space: Keyspace, db: number, key: Key): void {
    this.#draft?.drop();
    super.drop(space, db, key);
  }
}

/** Records what ZADD would have to be told. */
function recordScores(call: Call, from: number, count: number): void {
  const { effects, args, db } = call;
  effects.replace(db, RECORDED.ZADD, from + 2 * count);
  for (let i = 1; i < from; i++) effects.argument(args, i);
  for (let i = 0; i < count; i++) {
    effects.integer(scores[i]!)
      .argument(args, from + i * PLACE_ARGUMENTS + 2);
  }
}

/** Reads all places into `scores`; false after an error reply. */
function readScores(call: Call, from: number, count: number): boolean {
  if (count > scores.length || scores.length > SCORES_KEPT) {
    scores = new Float64Array(Math.max(count, SCORES_KEPT));
  }
  for (let i = 0; i < count; i++) {
    if (!readPoint(call, from + i * PLACE_ARGUMENTS, POINT)) return false;
    scores[i] = encodeGeohash(POINT.longitude, POINT.latitude);
  }
  return true;
}

/** `GEOPOS key [member ...]` */
function geoposCommand(call: Call): void | Promise<LateReply> {
  return answerAll(call, answerPoint);
}

/** `GEOHASH key [member ...]` */
function geohashCommand(call: Call): void | Promise<LateReply> {
  return answerAll(call, answerGeohash);
}

/** Replies what the sorted set says about each member. */
function answerAll(call: Call, answer: Answer): void | Promise<LateReply> {
  const { args, argc, reply, nowMs } = call;
  const ref = readEntry(call, 0, TYPE_ZSET);
  if (ref === WRONG) return;
  if (argc > FEW_ARGUMENTS && isLongRequest(call)) {
    return makeChange(call, ref, new ArgumentAnswers(call, answer));
  }
  const space = call.keyspace(call.key(0));
  reply.array(argc - 2);
  for (let i = 2; i < argc; i++) answer(space, ref, args, i, reply, nowMs);
}

const answerPoint: Answer = (space, ref, args, i, reply) => {
  if (!findPlace(args, space.values.zsets, ref, i, POINT)) reply.nullArray();
  else replyPoint(reply, POINT);
};

const answerGeohash: Answer = (space, ref, args, i, reply) => {
  if (!findPlace(args, space.values.zsets, ref, i, POINT)) {
    return reply.nullBulk();
  }
  writeGeohashText(POINT, TEXT);
  reply.bulk(TEXT, 0, TEXT.length);
};

/** `GEODIST key member1 member2 [unit]` */
function geodistCommand(call: Call): void {
  const { argc, reply } = call;
  if (argc > 5) return reply.error(SYNTAX_ERROR);
  const unitMetres = argc === 5 ? readUnit(call, 4) : 1;
  if (Number.isNaN(unitMetres)) return;
  const ref = readEntry(call, 0, TYPE_ZSET);
  if (ref === WRONG) return;
  const { zsets } = call.keyspace(call.key(0)).values;
  if (
    !findPlace(call.args, zsets, ref, 2, POINT) ||
    !findPlace(call.args, zsets, ref, 3, OTHER)
  ) return reply.nullBulk();
  reply.bulkAscii(formatDistance(geoDistance(POINT, OTHER) / unitMetres));
}

/** The place of the member in argument `i`; false if there is none. */
export function findPlace(
  args: Arguments,
  zsets: ZsetValue,
  ref: number,
  i: number,
  point: GeoPoint,
): boolean {
  if (ref === 0) return false;
  const isThere = zsets.find(
    ref,
    args.source(i),
    args.off[i]!,
    args.length[i]!,
  );
  if (isThere) decodeGeohash(zsets.score, point);
  return isThere;
}

/** Replies longitude and latitude. */
export function replyPoint(reply: ReplyWriter, point: GeoPoint): void {
  reply.array(2);
  reply.doubleText(formatCoordinate(point.longitude));
  reply.doubleText(formatCoordinate(point.latitude));
}

/** Rows of the commands about places. */
export const GEO_COMMANDS: readonly CommandSpec<Call>[] = [
  {
    name: "geoadd",
    group: "geo",
    since: "3.2.0",
    summary: "Adds places to a sorted set, or moves them.",
    complexity: "O(log(N))",
    arity: -5,
    flags: ["write", "denyoom"],
    keys: KEY_RW_UPDATE,
    syntax:
      "key [condition:(NX|XX)@6.2.0] [change=CH@6.2.0] data:(longitude:double latitude:double member)...",
    replies: ["integer"],
    stage: stageAdded,
    run: geoaddCommand,
  },
  {
    name: "geodist",
    group: "geo",
    since: "3.2.0",
    summary: "Measures the distance between two places.",
    complexity: "O(1)",
    arity: -4,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key member1 member2 [unit:('m'|'km'|'ft'|'mi')]",
    replies: ["string", "null"],
    stage: looksFor(2),
    run: geodistCommand,
  },
  {
    name: "geohash",
    group: "geo",
    since: "3.2.0",
    summary: "Reads the geohashes of places as text.",
    complexity: "O(1)",
    arity: -2,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key [member...]",
    replies: ["array"],
    stage: looksFor(2),
    run: geohashCommand,
  },
  {
    name: "geopos",
    group: "geo",
    since: "3.2.0",
    summary: "Reads the longitudes and latitudes of places.",
    complexity: "O(1)",
    arity: -2,
    flags: ["readonly"],
    keys: KEY_RO_ACCESS,
    syntax: "key [member...]",
    replies: ["array"],
    stage: looksFor(2),
    run: geoposCommand,
  },
];

/**
 * What stream commands record instead of themselves: see effect_log.ts.
 *
 * New entries have their ID, trimming is exact, and what a group has handed out
 * is told entry by entry, with whom it is, since when and how often.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import type { EffectSink } from "../keyspace/effect_sink.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { PendingEntry } from "../types/stream_group.ts";
import { ID_BYTES_MAX, StreamId } from "../types/stream_id.ts";
import type { StreamCounters } from "../types/stream_value.ts";
import { argumentIs } from "./arg_reader.ts";
import { RECORDED } from "./recorded.ts";
import type { Output } from "./sliced_output.ts";
import { LIMIT, type StreamOptions } from "./stream_options.ts";

const GREATEST = new StreamId();
GREATEST.setGreatest();
const TEXT = new Uint8Array(ID_BYTES_MAX);
const EQUALS = bytesOf("=");
const ZERO = bytesOf("0");
const CREATECONSUMER = bytesOf("CREATECONSUMER");
const ENTRIESREAD = bytesOf("ENTRIESREAD");
const SETID = bytesOf("SETID");

/** Where a command records what, and what it was given. */
type Recorder = Pick<Output, "effects" | "args" | "db">;

function id(effects: EffectSink, value: StreamId): void {
  effects.bytes(TEXT, 0, value.writeText(TEXT, 0));
}

/**
 * Records XADD, or XTRIM, with the ID of the new entry and with the threshold
 * that trimming has come to. LIMIT, which says how much work it may be, is left
 * out: only with `~` would it be taken.
 */
export function recordTrimmed(
  call: Recorder & { readonly effects: EffectLog },
  options: StreamOptions,
  name: Uint8Array,
  newId: StreamId | null,
  counters: StreamCounters,
): void {
  const { effects, args, db } = call;
  const { thresholdAt, limits } = options;
  const isApproximate = options.hasTrim && options.trim.isApproximate;
  const argc = args.count - (isApproximate ? 2 * limits : 0);
  effects.replace(db, name, argc);
  const end = Math.min(options.idAt + 1, args.count);
  for (let i = 1; i < end; i++) {
    if (newId !== null && i === options.idAt) id(effects, newId);
    else if (!isApproximate) effects.argument(args, i);
    else if (i === thresholdAt - 1) effects.constant(EQUALS);
    else if (i === thresholdAt && options.trim.maxLength === Infinity) {
      // Nothing is left, and nothing may be.
      id(effects, counters.length === 0 ? GREATEST : counters.firstId);
    } else if (i === thresholdAt) effects.integer(counters.length);
    else if (i < options.idAt && argumentIs(call, i, LIMIT)) i++;
    else effects.argument(args, i);
  }
  effects.rest(args, end);
}

/** A group of a key, as the arguments of a command name it. */
export interface GroupPlace {
  /** The argument that is the key. */
  readonly keyAt: number;
  /** The argument that names the group. */
  readonly groupAt: number;
}

/** Records that a consumer has a pending entry, for a group at `lastId`. */
export function recordClaim(
  { effects, args, db }: Recorder,
  { keyAt, groupAt }: GroupPlace,
  { heap, values }: Keyspace,
  entry: PendingEntry,
  lastId: StreamId,
): void {
  const { consumerNames } = values.streams.groups;
  effects.replace(db, RECORDED.XCLAIM, 14)
    .argument(args, keyAt)
    .lastingArgument(heap, args, groupAt)
    .lasting(
      heap,
      consumerNames.nameBuf(entry.consumer),
      consumerNames.nameOff(entry.consumer),
      consumerNames.nameLength(entry.consumer),
    )
    .constant(ZERO);
  id(effects, entry.id);
  effects.constant(RECORDED.TIME).integer(entry.deliveredAtMs)
    .constant(RECORDED.RETRYCOUNT)
    .int64(entry.deliveriesHi, entry.deliveriesLo)
    .constant(RECORDED.FORCE).constant(RECORDED.JUSTID)
    .constant(RECORDED.LASTID);
  id(effects, lastId);
}

/** Records which entry a group has read last, and how many it has read. */
export function recordGroupId(
  { effects, args, db }: Recorder,
  { keyAt, groupAt }: GroupPlace,
  { heap, values: { streams: { groups } } }: Keyspace,
  group: number,
  scratch: { id: StreamId; read: { hi: number; lo: number } },
): void {
  groups.readLastId(group, scratch.id);
  groups.readEntriesRead(group, scratch.read);
  effects.replace(db, RECORDED.XGROUP, 7).constant(SETID)
    .argument(args, keyAt).lastingArgument(heap, args, groupAt);
  id(effects, scratch.id);
  effects.constant(ENTRIESREAD).int64(scratch.read.hi, scratch.read.lo);
}

/** Records that a consumer was made; its name is behind that of the group. */
export function recordConsumer(
  { effects, args, db }: Recorder,
  { keyAt, groupAt }: GroupPlace,
  { heap }: Keyspace,
): void {
  effects.replace(db, RECORDED.XGROUP, 5).constant(CREATECONSUMER)
    .argument(args, keyAt)
    .lastingArgument(heap, args, groupAt)
    .lastingArgument(heap, args, groupAt + 1);
}

/**
 * The call of a worker who is alone with the shards of a fixture.
 *
 * @module
 */
import {
  Call,
  type CallContext,
  type ShardLatches,
} from "../../../../src/core/commands/call.ts";
import type { Shards } from "../keyspace/_fixture.ts";

/** Nobody else is there. */
const NO_LATCHES: ShardLatches = {
  acquire() {},
  release() {},
  acquireAll() {},
  releaseAll() {},
};

/** A call on these shards, under their settings' defaults. */
export function callOn(
  shards: Shards,
  nowMs: number,
  more: Pick<CallContext, "inSlices"> = {},
): Call {
  const { keyspaces, settings, counters, clock, random } = shards;
  settings.load([]);
  const call = new Call({
    ...{ keyspaces, settings, counters, clock, random },
    slotShards: new Uint16Array(0),
    hashSeed: [1, 2],
    latches: NO_LATCHES,
    ...more,
  });
  call.nowMs = nowMs;
  return call;
}

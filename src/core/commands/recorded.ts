/**
 * What commands record instead of themselves, where that is one of a few
 * commands: see effect_log.ts.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import type { Call } from "./call.ts";

/** Names of commands and options that are recorded. */
export const RECORDED = {
  ABSTTL: bytesOf("ABSTTL"),
  DEL: bytesOf("DEL"),
  FIELDS: bytesOf("FIELDS"),
  ONE: bytesOf("1"),
  FORCE: bytesOf("FORCE"),
  HDEL: bytesOf("HDEL"),
  HPERSIST: bytesOf("HPERSIST"),
  HPEXPIREAT: bytesOf("HPEXPIREAT"),
  HSET: bytesOf("HSET"),
  HSETEX: bytesOf("HSETEX"),
  JUSTID: bytesOf("JUSTID"),
  KEEPTTL: bytesOf("KEEPTTL"),
  LASTID: bytesOf("LASTID"),
  LMOVE: bytesOf("LMOVE"),
  LPOP: bytesOf("LPOP"),
  PERSIST: bytesOf("PERSIST"),
  PEXPIREAT: bytesOf("PEXPIREAT"),
  PXAT: bytesOf("PXAT"),
  RESTORE: bytesOf("RESTORE"),
  RETRYCOUNT: bytesOf("RETRYCOUNT"),
  RPOP: bytesOf("RPOP"),
  RPOPLPUSH: bytesOf("RPOPLPUSH"),
  RPUSH: bytesOf("RPUSH"),
  SET: bytesOf("SET"),
  SREM: bytesOf("SREM"),
  TIME: bytesOf("TIME"),
  XADD: bytesOf("XADD"),
  XCLAIM: bytesOf("XCLAIM"),
  XGROUP: bytesOf("XGROUP"),
  XTRIM: bytesOf("XTRIM"),
  ZADD: bytesOf("ZADD"),
  ZPOPMAX: bytesOf("ZPOPMAX"),
  ZPOPMIN: bytesOf("ZPOPMIN"),
} as const;

/** Records `SET key value [PXAT unix-time-milliseconds]`. */
export function recordSet(
  { effects, args, db }: Call,
  valueAt: number,
  expireAtMs: number,
): void {
  if (!effects.isOn) return;
  const argc = expireAtMs === 0 ? 3 : 5;
  effects.replace(db, RECORDED.SET, argc).argument(args, 1)
    .argument(args, valueAt);
  if (argc === 5) effects.constant(RECORDED.PXAT).integer(expireAtMs);
}

/** Records a command that has nothing but the name of the first key. */
export function recordOfKey(call: Call, name: Uint8Array): void {
  const { effects, db } = call;
  if (!effects.isOn) return;
  const { buf, off, length } = call.key(0);
  effects.replace(db, name, 2).bytes(buf, off, length);
}

/**
 * Records `PEXPIREAT key unix-time-milliseconds` with the arguments from `from`
 * on.
 */
export function recordExpire(
  { effects, args, db }: Call,
  expireAtMs: number,
  from: number,
): void {
  if (!effects.isOn) return;
  effects.replace(db, RECORDED.PEXPIREAT, 3 + args.count - from)
    .argument(args, 1).integer(expireAtMs).rest(args, from);
}

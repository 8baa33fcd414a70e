/**
 * HyperLogLogs as the values of keys: read into an editor, and written back.
 *
 * @module
 */

import { copyBytes } from "../base/bytes.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { STRING_RAW } from "../types/entry.ts";
import {
  encodingOfHll,
  forgetCardinality,
  type HyperLogLogEditor,
  isHyperLogLog,
} from "../types/hyperloglog.ts";

/** Whether a string is a HyperLogLog, by its head. */
export function isHll(space: Keyspace, ref: number): boolean {
  return isHyperLogLog(
    space.strings.bytes(ref),
    space.strings.off(ref),
    space.strings.length(ref),
  );
}

/** The encoding of a HyperLogLog. */
export function encodingAt(space: Keyspace, ref: number): number {
  return encodingOfHll(space.strings.bytes(ref), space.strings.off(ref));
}

/** Copies a value into an editor; false if it is too long to be right. */
export function load(
  editor: HyperLogLogEditor,
  space: Keyspace,
  ref: number,
): boolean {
  return editor.load(
    space.strings.bytes(ref),
    space.strings.off(ref),
    space.strings.length(ref),
  );
}

/** Makes what was edited the key's value; `ref` is its entry, or 0. */
export function storeEditor(
  editor: HyperLogLogEditor,
  space: Keyspace,
  db: number,
  key: Key,
  ref: number,
): void {
  forgetCardinality(editor.bytes, 0);
  writeBack(editor, space, db, key, ref);
}

/** As {@linkcode storeEditor}, with the estimate that the value has. */
export function writeBack(
  { bytes, length }: HyperLogLogEditor,
  space: Keyspace,
  db: number,
  key: Key,
  ref: number,
): void {
  const entry = ref === 0
    ? space.strings.make(db, key, 0, length, STRING_RAW, 0)
    : space.strings.resize(db, ref, length, STRING_RAW);
  copyBytes(
    bytes,
    0,
    space.strings.bytes(entry),
    space.strings.off(entry),
    length,
  );
}

/** Replies an estimate. */
export function replyCount(reply: ReplyWriter, count: number): void {
  if (Number.isSafeInteger(count)) reply.integer(count);
  else reply.bigInteger(BigInt(count));
}

/**
 * Records a command of which only a part was done, as memory has ended: its keys
 * are recorded as they are now, since done again it might not end there.
 *
 * @module
 */

import { bytesOf } from "../base/bytes.ts";
import type { EffectLog } from "../keyspace/effect_log.ts";
import type { Key } from "../keyspace/key.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { writeFooter } from "../rdb/dump_frame.ts";
import { kindOf, versionOfKind, writeValue } from "../rdb/rdb_value.ts";
import { type RdbSink, RdbWriter } from "../rdb/rdb_writer.ts";
import type { Call } from "./call.ts";
import { RECORDED } from "./recorded.ts";

const REPLACE = bytesOf("REPLACE");

/** Gathers what is written outside of the arena, which is full. */
class Gathered implements RdbSink {
  #bytes = new Uint8Array(0);

  /** All that was written. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  write(buf: Uint8Array, off: number, length: number): void {
    const grown = new Uint8Array(this.#bytes.length + length);
    grown.set(this.#bytes);
    grown.set(buf.subarray(off, off + length), this.#bytes.length);
    this.#bytes = grown;
  }
}

/** Records the keys of the command at hand in its place. */
export function recordKeys(call: Call): void {
  for (let i = 0; i < call.keyCount; i++) {
    const key = call.key(i);
    recordKey(call.effects, call.keyspace(key), call.db, key);
  }
}

/** Records what a key has in the place of the command at hand. */
export function recordKey(
  effects: EffectLog,
  space: Keyspace,
  db: number,
  key: Key,
): void {
  const ref = space.peek(db, key);
  if (ref === 0) {
    effects.replace(db, RECORDED.DEL, 2).bytes(key.buf, key.off, key.length);
    return;
  }
  const gathered = new Gathered();
  const writer = new RdbWriter();
  const kind = kindOf(space, ref);
  writer.begin(gathered, false);
  writer.byte(kind);
  writeValue(writer, space, ref);
  writeFooter(writer, versionOfKind(kind));
  writer.flush();
  effects.replace(db, RECORDED.RESTORE, 6)
    .bytes(key.buf, key.off, key.length)
    .integer(space.expireAt(ref))
    .constant(gathered.bytes)
    .constant(RECORDED.ABSTTL)
    .constant(REPLACE);
}

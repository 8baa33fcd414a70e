/**
 * A keyspace that watches over key locks, for servers that check their rules: no
 * command may look up a key that somebody else is writing. Dispatch sees to that;
 * whatever goes by another way is a bug, and stops the server here.
 *
 * @module
 */

import { assert } from "../base/assert.ts";
import type { Key } from "./key.ts";
import { Keyspace } from "./keyspace.ts";

/** A worker's handle on one shard, with checks. */
export class CheckedKeyspace extends Keyspace {
  override lookupWrite(db: number, key: Key, nowMs: number): number {
    const { buf, off, length, hash } = key;
    const node = this.locks.find(db, buf, off, length, hash);
    assert(
      node === 0 || !this.locks.isHidden(node),
      "nobody looks up a key that is locked for writing",
    );
    return super.lookupWrite(db, key, nowMs);
  }
}

/** What keyspaces are made of, with checks or without. */
export function keyspaceClass(checks: boolean): typeof Keyspace {
  return checks ? CheckedKeyspace : Keyspace;
}

/**
 * A shard of nobody, in which tools look at values: whether they are whole, and
 * what their digest is, whatever form they are written in.
 *
 * @module
 */

import { halfSipHash } from "../../../core/base/half_siphash.ts";
import { Prng } from "../../../core/base/prng.ts";
import { AccessClock } from "../../../core/keyspace/access_clock.ts";
import { COUNTER_COUNT } from "../../../core/keyspace/counters.ts";
import { Digest, digestValue } from "../../../core/keyspace/digest.ts";
import { Key } from "../../../core/keyspace/key.ts";
import { Keyspace } from "../../../core/keyspace/keyspace.ts";
import { freeDetached } from "../../../core/keyspace/detached_values.ts";
import { shardControlWords } from "../../../core/keyspace/shard_control.ts";
import { Arena, reserveArena } from "../../../core/memory/arena.ts";
import { PagePool } from "../../../core/memory/page_pool.ts";
import { RdbReader } from "../../../core/rdb/rdb_reader.ts";
import {
  dropValue,
  readValue,
  storeValue,
} from "../../../core/rdb/rdb_value.ts";
import { RDB_STRING } from "../../../core/rdb/rdb_types.ts";
import { Settings } from "../../../core/settings/settings.ts";
import { machineBytes } from "../../server/host_facts.ts";
import { type DumpedKey, recordOf } from "./dumped_key.ts";

const FALLBACK_BYTES = 2 ** 31;
/** An expire, for digests, which only tell whether there is one. */
const SOME_TIME_MS = 2 ** 47;

/** One shard with room for one value at a time. */
export class Scratch {
  readonly space: Keyspace;
  readonly #key = new Key();

  /** Reserves address space; memory is taken as values need it. */
  constructor() {
    const arena = new Arena(reserveArena(machineBytes() || FALLBACK_BYTES));
    const pool = new PagePool(arena, false);
    pool.format();
    const random = new Prng(1);
    const clock = new AccessClock(random);
    const settings = new Settings({ cores: 1, dir: "/" });
    settings.load([]);
    this.space = new Keyspace(
      {
        arena,
        pool,
        counters: new Float64Array(COUNTER_COUNT),
        clock,
        random,
        hashSeed: [1, 2],
        limits: settings,
      },
      new Int32Array(new SharedArrayBuffer(shardControlWords(1) * 4)),
      0,
    );
  }

  /** Reads a value to its end; throws BadFormat if it is damaged. */
  check(reader: RdbReader, kind: number): void {
    try {
      readValue(reader, kind, this.space);
    } finally {
      if (kind === RDB_STRING) reader.end();
      else dropValue(reader, this.space);
    }
  }

  /** The digest of a key with its value, and of whether it expires. */
  digest(dumped: DumpedKey): Digest {
    const { space } = this;
    const record = recordOf(dumped.payload);
    const reader = new RdbReader(space.externals, record, 0, record.length);
    const key = this.#key;
    key.buf = dumped.key;
    key.off = 0;
    key.length = dumped.key.length;
    key.hash = halfSipHash(key.buf, 0, key.length, 1, 2);
    key.shard = 0;
    const digest = new Digest();
    try {
      const kind = reader.byte();
      readValue(reader, kind, space);
      const expireAtMs = dumped.expireAtMs === 0 ? 0 : SOME_TIME_MS;
      const ref = storeValue(reader, kind, space, 0, key, 0, expireAtMs);
      digest.mixInteger(dumped.db);
      digest.mix(key.buf, 0, key.length);
      digestValue(digest, space, ref);
      space.delete(0, ref);
      while (!freeDetached(space, 1 << 20));
    } finally {
      dropValue(reader, space);
    }
    return digest;
  }
}

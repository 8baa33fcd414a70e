/**
 * What tests of snapshots share: folders, waiting for a snapshot, and reading a
 * file without any server.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { halfSipHash } from "../../src/core/base/half_siphash.ts";
import { Digest, digestValue } from "../../src/core/keyspace/digest.ts";
import type { Keyspace } from "../../src/core/keyspace/keyspace.ts";
import { keysAt } from "../../src/core/keyspace/shard_control.ts";
import { RdbFileReader } from "../../src/core/rdb/rdb_file_reader.ts";
import { RdbLoad } from "../../src/core/rdb/rdb_load.ts";
import { until } from "../_patience.ts";
import type { TestClient } from "../_resp_client.ts";
import { plain } from "../_resp_reply.ts";
import { Shards } from "../unit/core/keyspace/_fixture.ts";

/** A folder that goes with the scope that holds it. */
export class Folder implements Disposable {
  readonly path: string = Deno.makeTempDirSync({ prefix: "sherd_dump_" });

  /** The snapshot in it. */
  get dump(): string {
    return `${this.path}/dump.rdb`;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** The value of a command's reply, which is no error. */
export async function ask(
  client: TestClient,
  ...argv: (string | Uint8Array)[]
): Promise<unknown> {
  const reply = plain(await client.run(...argv));
  if (reply instanceof Error) throw reply;
  return reply;
}

/** A field of INFO. */
export async function fact(client: TestClient, name: string): Promise<string> {
  const text = String(await ask(client, "INFO"));
  return text.match(new RegExp(`^${name}:(.*?)\\r?$`, "m"))![1]!;
}

/** Waits until no snapshot is under way. */
export async function settled(client: TestClient): Promise<void> {
  await until(
    "no snapshot is under way",
    async () => await fact(client, "rdb_bgsave_in_progress") === "0",
  );
}

/** Begins a snapshot, and waits for its end. */
export async function bgsave(client: TestClient): Promise<void> {
  assertEquals(await ask(client, "BGSAVE"), "Background saving started");
  await settled(client);
  assertEquals(await fact(client, "rdb_last_bgsave_status"), "ok");
}

/**
 * Digests of the values in a file, by `database key`; of keys that do not match
 * `wanted` there is none.
 */
export function digestsIn(path: string, wanted = /^/): Map<string, string> {
  return digestsOfFile(Deno.readFileSync(path), wanted);
}

/** The same of a file's bytes. */
export function digestsOfFile(
  bytes: Uint8Array,
  wanted = /^/,
): Map<string, string> {
  const shards = new Shards({ shards: 1, databases: 16 });
  const space = shards.keyspaces[0]!;
  const load = new RdbLoad({
    keyspaces: shards.keyspaces,
    slotShards: new Uint16Array(16384),
    fillKey(key, buf, off, length) {
      key.buf = buf;
      key.off = off;
      key.length = length;
      key.hash = halfSipHash(buf, off, length, 1, 2);
      key.shard = 0;
    },
    isOwn: () => true,
    latches: { acquire() {}, release() {} },
    clock: shards.clock,
    nowMs: 0,
    replaces: false,
    keysMax: bytes.length,
  });
  let at = 0;
  const source = {
    read(buf: Uint8Array, off: number, length: number): number {
      const piece = bytes.subarray(at, at + length);
      buf.set(piece, off);
      at += piece.length;
      return piece.length;
    },
  };
  const reader = new RdbFileReader(source, load, space.externals, true);
  reader.readHead();
  while (reader.read(() => false));
  assertEquals(reader.isChecked, true);
  return digestsOf(shards, wanted);
}

/** The same of shards. */
export function digestsOf(
  shards: Shards,
  wanted = /^/,
): Map<string, string> {
  const digests = new Map<string, string>();
  for (const space of shards.keyspaces) {
    for (let db = 0; db < space.databases; db++) {
      addDigests(digests, space, db, wanted);
    }
  }
  return digests;
}

function addDigests(
  digests: Map<string, string>,
  space: Keyspace,
  db: number,
  wanted: RegExp,
): void {
  const visit = (ref: number) => {
    const off = space.keyOff(ref);
    const name = new TextDecoder().decode(
      space.bytes(ref).slice(off, off + space.keyLength(ref)),
    );
    const digest = new Digest();
    if (wanted.test(name)) digestValue(digest, space, ref);
    digests.set(`${db} ${name}`, digest.hex);
  };
  let cursor = 0;
  do {
    cursor = space.dict.scan(
      space.control,
      keysAt(db),
      cursor,
      visit,
    );
  } while (cursor !== 0);
}

/**
 * The keys of a running server, batch by batch: SCAN, then DUMP of what it
 * finds. A key that is there from beginning to end is found; one that changes
 * meanwhile is as it was at one moment or another, or at several.
 *
 * Where it has come to can be kept, and gone on from: a cursor of SCAN is good
 * for any connection, as long as the server is the same.
 *
 * @module
 */

import { asciiOf, bytesOf } from "../../../core/base/bytes.ts";
import type { DumpedKey } from "./dumped_key.ts";
import { LinkError, type LinkReply, type RespLink } from "./resp_link.ts";

const SCAN_COUNT = "512";
const DUMP = bytesOf("DUMP");
const PTTL = bytesOf("PTTL");

/** How far a copy has come. */
export interface CopyPlace {
  readonly runId: string;
  readonly db: number;
  readonly cursor: string;
}

/** The keys of one server. */
export class LiveKeys {
  /** Keys that there were at the beginning. */
  total = 0;
  /** Where the next batch begins; null at the end. */
  place: CopyPlace | null = null;
  readonly #link: RespLink;

  /** Uses a connection, whose database it changes. */
  constructor(link: RespLink) {
    this.#link = link;
  }

  /** The keys, from a place on; a place of another server is no use. */
  async *batches(
    from: CopyPlace | null,
  ): AsyncGenerator<readonly DumpedKey[]> {
    const link = this.#link;
    const server = textOf(await link.run("INFO", "server"));
    const runId = server.match(/^run_id:(\w+)/m)?.[1] ?? "";
    const keyspace = textOf(await link.run("INFO", "keyspace"));
    const databases = [...keyspace.matchAll(/^db(\d+):keys=(\d+)/gm)];
    this.total = databases.reduce((sum, [, , keys]) => sum + Number(keys), 0);
    const start = from !== null && from.runId === runId ? from : null;
    for (const [, number] of databases) {
      const db = Number(number);
      if (start !== null && db < start.db) continue;
      await link.run("SELECT", String(db));
      let cursor = start !== null && db === start.db ? start.cursor : "0";
      do {
        const reply = await link.run("SCAN", cursor, "COUNT", SCAN_COUNT);
        const [next, keys] = reply as [Uint8Array, Uint8Array[]];
        const batch = await this.#dump(db, keys);
        cursor = textOf(next);
        this.place = { runId, db, cursor };
        if (cursor === "0") this.place = { runId, db: db + 1, cursor };
        if (batch.length > 0) yield batch;
      } while (cursor !== "0");
    }
    this.place = null;
  }

  async #dump(db: number, keys: readonly Uint8Array[]): Promise<DumpedKey[]> {
    const replies = await this.#link.batch(
      keys.flatMap((key) => [[DUMP, key], [PTTL, key]]),
    );
    const nowMs = Date.now();
    const dumped: DumpedKey[] = [];
    keys.forEach((key, i) => {
      const payload = replies[2 * i]!;
      const ttl = replies[2 * i + 1]!;
      if (payload instanceof LinkError) {
        throw new Error(
          `DUMP of ${asciiOf(key, 0, key.length)} failed: ` +
            payload.text,
        );
      }
      // Gone since SCAN has found it.
      if (!(payload instanceof Uint8Array) || ttl === -2) return;
      dumped.push({
        db,
        key,
        payload,
        expireAtMs: Number(ttl) < 0 ? 0 : nowMs + Number(ttl),
        idleSeconds: -1,
        frequency: -1,
      });
    });
    return dumped;
  }
}

/** A reply that is a text. */
export function textOf(reply: LinkReply): string {
  return reply instanceof Uint8Array
    ? asciiOf(reply, 0, reply.length)
    : String(reply);
}

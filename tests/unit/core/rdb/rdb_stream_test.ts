/** Streams in the snapshot format: rdb_stream.ts. */
import { assertEquals, assertThrows } from "@std/assert";
import { asciiOf } from "../../../../src/core/base/bytes.ts";
import { Int64 } from "../../../../src/core/base/int64.ts";
import { BadFormat } from "../../../../src/core/rdb/rdb_reader.ts";
import { TreePlace } from "../../../../src/core/types/id_tree.ts";
import { PendingEntry } from "../../../../src/core/types/stream_group.ts";
import { StreamId } from "../../../../src/core/types/stream_id.ts";
import { StreamCounters } from "../../../../src/core/types/stream_value.ts";
import { hexBytes } from "./_format.ts";
import { VALUES } from "./_samples.ts";
import { Values } from "./_values.ts";

const SAMPLE = VALUES.find(([name]) => name === "a stream with a group")![1];
const EARLY = VALUES.find(([name]) => name === "a stream of Redis 5")![1];
const LATE = VALUES.find(([name]) => name === "a stream of Redis 7.2")![1];
/** What comes before its node's listpack. */
const HEAD_BYTES = 19;
/** What comes before the counters. */
const NODE_BYTES = HEAD_BYTES + 54;

/** The sample with other bytes from a place on. */
function changed(at: number, ...bytes: readonly number[]): Uint8Array {
  const all = SAMPLE.slice();
  all.set(bytes, at);
  return all;
}

function countersOf(values: Values): string {
  const counters = new StreamCounters();
  values.space.values.streams.readCounters(values.ref, counters);
  const { length, lastId, firstId, deletedId, entriesAdded } = counters;
  return `${length} ${lastId} ${firstId} ${deletedId} ${entriesAdded.lo}`;
}

/** Groups, with who has what. */
function groupsOf(values: Values): string[] {
  const { streams } = values.space.values;
  const { groups } = streams;
  const found: string[] = [];
  for (let i = 0; i < streams.groupCount(values.ref); i++) {
    const group = streams.groupAt(values.ref, i);
    const lastId = new StreamId();
    groups.readLastId(group, lastId);
    const read = new Int64();
    groups.readEntriesRead(group, read);
    found.push(`${nameOf(values, group, 48)} ${lastId} ${read.lo}`);
    const place = new TreePlace();
    const entry = new PendingEntry();
    let isThere = groups.firstPending(group, new StreamId(), place);
    for (; isThere; isThere = groups.nextPending(place)) {
      groups.readPending(place, entry);
      const { consumer, deliveredAtMs } = entry;
      found.push(
        `${entry.id} ${nameOf(values, consumer, 32)} ${deliveredAtMs} ` +
          `${groups.seenAt(consumer)} ${groups.activeAt(consumer)}`,
      );
    }
  }
  return found;
}

function nameOf(values: Values, ref: number, headBytes: number): string {
  const { names, consumerNames } = values.space.values.streams.groups;
  const all = headBytes === 48 ? names : consumerNames;
  return asciiOf(all.nameBuf(ref), all.nameOff(ref), all.nameLength(ref));
}

Deno.test("streams are dumped as Redis 7.0 dumps them", () => {
  const values = new Values();
  values.restore(SAMPLE);
  values.verify();
  assertEquals(values.encoding, "stream");
  assertEquals(countersOf(values), "3 2-1 1-1 0-0 3");
  const atMs = 1_795_644_016_833;
  assertEquals(groupsOf(values), [
    "g 1-1 1",
    `1-1 c ${atMs} ${atMs} ${atMs}`,
  ]);
  assertEquals(values.dump(false), SAMPLE);
  values.end();
});

Deno.test("streams of Redis 5 and 7.2 are read", () => {
  for (const bytes of [EARLY, LATE]) {
    const values = new Values();
    values.restore(bytes);
    values.verify();
    assertEquals(countersOf(values), "3 2-1 1-1 0-0 3");
    assertEquals(groupsOf(values)[0], "g 1-1 1");
    assertEquals(values.dump(false), SAMPLE);
    values.end();
  }
});

Deno.test("a stream without entries is one", () => {
  const values = new Values();
  const bytes = hexBytes(
    "13 00 00 05 81 ff ff ff ff ff ff ff ff 00 00 03 04 07 00",
  );
  values.restore(bytes);
  values.verify();
  assertEquals(countersOf(values), "0 5-18446744073709551615 0-0 3-4 7");
  assertEquals(values.dump(), bytes);
  values.end();
});

Deno.test("what is no stream is refused", () => {
  const cases: readonly [string, Uint8Array][] = [
    ["a node without an ID", changed(2, 15)],
    ["another first ID", changed(10, 2)],
    ["no listpack", changed(HEAD_BYTES + 1, 0)],
    ["more entries in a node", changed(HEAD_BYTES + 7, 4)],
    ["a flag that there is not", changed(HEAD_BYTES + 18, 4)],
    ["entries in no order", changed(HEAD_BYTES + 32, 0)],
    ["an entry that is deleted, but counted", changed(HEAD_BYTES + 18, 3)],
    ["more entries than there are", changed(NODE_BYTES, 4)],
    ["a last ID that is too small", changed(NODE_BYTES + 1, 1)],
    ["a deleted ID that is too great", changed(NODE_BYTES + 5, 3)],
    ["fewer entries added", changed(NODE_BYTES + 7, 2)],
    ["more groups", changed(NODE_BYTES + 8, 2)],
    ["more pending entries", changed(NODE_BYTES + 14, 2)],
    ["a pending entry that is nobody's", changed(SAMPLE.length - 17, 0)],
    ["one that is not pending", changed(SAMPLE.length - 1, 2)],
    ["an end that is too early", SAMPLE.slice(0, SAMPLE.length - 1)],
  ];
  const values = new Values();
  values.shards.set("k", "old");
  for (const [what, bytes] of cases) {
    assertThrows(() => values.restore(bytes), BadFormat, "Cannot read", what);
    assertEquals(values.shards.get("k"), "old");
  }
  values.end();
});

Deno.test("groups and consumers that are there twice are refused", () => {
  const stream = "13 00 00 05 00 00 00 00 00 00";
  const seen = "00 00 00 00 00 00 00 00";
  const values = new Values();
  const group = "01 67 00 00 00 00";
  values.restore(hexBytes(`${stream} 01 ${group} 00`));
  values.restore(hexBytes(`${stream} 01 ${group} 01 01 63 ${seen} 00`));
  for (
    const groups of [
      `02 ${group} 00 ${group} 00`,
      `01 ${group} 02 01 63 ${seen} 00 01 63 ${seen} 00`,
    ]
  ) {
    assertThrows(
      () => values.restore(hexBytes(`${stream} ${groups}`)),
      BadFormat,
      "twice",
    );
  }
  values.end();
});

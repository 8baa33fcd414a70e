/** Streams in the snapshot format: rdb_stream.ts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { asciiOf } from "../../../../src/core/base/bytes.ts";
import { Int64 } from "../../../../src/core/base/int64.ts";
import { byteOf, SEGMENT_SHIFT } from "../../../../src/core/memory/arena.ts";
import { BadFormat } from "../../../../src/core/rdb/rdb_reader.ts";
import { TreePlace } from "../../../../src/core/types/id_tree.ts";
import { PendingEntry } from "../../../../src/core/types/stream_group.ts";
import { StreamId } from "../../../../src/core/types/stream_id.ts";
import { NodeReader } from "../../../../src/core/types/stream_node.ts";
import { StreamCounters } from "../../../../src/core/types/stream_value.ts";
import { type Entry, entryOf, fieldsOf, idOf } from "../types/_streams.ts";
import { hexBytes, written } from "./_format.ts";
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

/** Entries of several kinds of fields, some of which are deleted, in one node. */
function overlongNode(values: Values, entries: readonly Entry[]): Uint8Array {
  const { streams, memory: { arena } } = values.space.values;
  const { nodes } = streams.log;
  const [[first, ...texts]] = entries as [Entry];
  const firstId = idOf(first);
  let node = nodes.create(fieldsOf(texts), 0, texts.length / 2, 0);
  for (const [id, ...texts] of entries.slice(1)) {
    const fields = fieldsOf(texts);
    const count = texts.length / 2;
    node = nodes.append(node, firstId, idOf(id), fields, 0, count);
  }
  const words = new Int32Array(4);
  firstId.write(words, 0);
  const reader = new NodeReader();
  for (let i = 0; i < entries.length; i += 7) {
    reader.open(arena, node, words, 0);
    reader.begin();
    for (let j = 0; j <= i; j++) reader.next();
    nodes.markDeleted(node, reader);
  }
  const at = byteOf(node);
  const bytes = arena.u8[node >>> SEGMENT_SHIFT]!
    .slice(at, at + nodes.bytes(node));
  nodes.free(node);
  return bytes;
}

Deno.test("a node that is much too long becomes several", () => {
  const values = new Values();
  const { streams } = values.space.values;
  const entries = Array.from({ length: 2000 }, (_, i): Entry => {
    const value = "value ".repeat(i % 60);
    if (i % 10 < 8) return [`5-${i}`, "f", value, "g", `${i * 1e12}`];
    return [`${6 + i}-0`, "12", "-7", `own ${i}`, value, "", "9".repeat(25)];
  }).sort(([a], [b]) => idOf(a).compare(idOf(b)));
  const listpack = overlongNode(values, entries);
  const left = entries.filter((_, i) => i % 7 !== 0);
  const payload = written((writer) => {
    writer.byte(19);
    writer.length(1);
    writer.length(16);
    writer.raw(
      Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 5, ...Array(8).fill(0)),
      0,
      16,
    );
    writer.string(listpack, 0, listpack.length);
    writer.length(left.length);
    for (const part of [3000, 1, 0, 0, 2005, 0, 5000, 0]) {
      writer.length64(0, part);
    }
  }, false);
  values.restore(payload);
  values.verify();
  assertEquals(countersOf(values), `${left.length} 3000-1 5-1 2005-0 5000`);
  const cursor = streams.cursor;
  cursor.seek(values.ref, new StreamId());
  for (const entry of left) {
    assert(cursor.next());
    assertEquals(entryOf(cursor.entry), entry);
  }
  assert(!cursor.next());
  assert(streams.log.nodeCount(values.ref) > left.length / 100);
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

/** Streams: src/core/types/stream_value.ts, stream_log.ts, stream_group.ts. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Int64 } from "../../../../src/core/base/int64.ts";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import {
  PACKED_BYTES_MAX,
  PACKED_ELEMENTS_MAX,
} from "../../../../src/core/types/packed_limits.ts";
import { TreePlace } from "../../../../src/core/types/id_tree.ts";
import { PendingEntry } from "../../../../src/core/types/stream_group.ts";
import { StreamTrim } from "../../../../src/core/types/stream_log.ts";
import { StreamCounters } from "../../../../src/core/types/stream_value.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { randomMix, ROUNDS } from "../memory/_memory.ts";
import { type Entry, idOf, MAX_ID, Streams } from "./_streams.ts";

const OPERATIONS = 3000;

function counters(streams: Streams, ref: number): string {
  const c = new StreamCounters();
  streams.value.readCounters(ref, c);
  return `${c.length} ${c.lastId} ${c.firstId} ${c.deletedId} ` +
    (c.entriesAdded.hi * 2 ** 32 + (c.entriesAdded.lo >>> 0));
}

function trimTo(maxLength: number, isApproximate = false, limit = 0) {
  const trim = new StreamTrim();
  return Object.assign(trim, { maxLength, isApproximate, limit });
}

function trimBefore(id: string, isApproximate = false, limit = 0) {
  const trim = new StreamTrim();
  trim.minId.set(idOf(id));
  return Object.assign(trim, { isApproximate, limit });
}

Deno.test("a stream has its entries in order and knows what it was", () => {
  const streams = new Streams(1 << 22);
  const { value } = streams;
  const ref = streams.entry();
  assertEquals(counters(streams, ref), "0 0-0 0-0 0-0 0");
  for (let i = 1; i <= 5; i++) streams.add(ref, [`${i}-0`, "f", `v${i}`]);
  assertEquals(counters(streams, ref), "5 5-0 1-0 0-0 5");
  assertEquals(streams.range(ref, "2-1", "4-0"), [
    ["3-0", "f", "v3"],
    ["4-0", "f", "v4"],
  ]);
  assertEquals(
    streams.reverseRange(ref, "2-1", "4-0"),
    streams.range(ref, "2-1", "4-0").reverse(),
  );
  assertEquals(streams.range(ref, "6-0"), []);
  assertEquals(streams.reverseRange(ref, "0-0", "0-9"), []);
  assert(value.log.delete(ref, idOf("1-0")));
  assert(value.log.delete(ref, idOf("4-0")));
  assert(!value.log.delete(ref, idOf("4-0")));
  assertEquals(counters(streams, ref), "3 5-0 2-0 4-0 5");
  assertEquals(value.log.trim(ref, trimTo(1), 0), 2);
  assertEquals(counters(streams, ref), "1 5-0 5-0 4-0 5");
  assertEquals(value.log.trim(ref, trimBefore("9"), 0), 1);
  assertEquals(counters(streams, ref), "0 5-0 0-0 4-0 5");
  streams.add(ref, ["6-0", "f", "v"]);
  assertEquals(counters(streams, ref), "1 6-0 6-0 4-0 6");
  value.verify(ref);
});

Deno.test("a stream begins nodes where Redis does", () => {
  const streams = new Streams(1 << 24);
  const ref = streams.entry();
  const nodesAfter = (entries: number, value: string) => {
    const before = streams.value.log.nodeCount(ref);
    const last = new StreamCounters();
    streams.value.readCounters(ref, last);
    for (let i = 0; i < entries; i++) {
      last.lastId.increment();
      streams.add(ref, [String(last.lastId), "field", value]);
    }
    return streams.value.log.nodeCount(ref) - before;
  };
  assertEquals([nodesAfter(100, "v"), nodesAfter(1, "v")], [1, 1]);
  // 22 bytes in front, 13 per entry with its value: 4096 are not reached.
  assertEquals(nodesAfter(1, "x".repeat(4096)), 1);
  assertEquals(nodesAfter(1, "v"), 1);
  streams.limits.streamNodeMaxEntries = 0;
  assertEquals([nodesAfter(200, "v"), nodesAfter(400, "v")], [0, 1]);
  streams.limits.streamNodeMaxBytes = 0;
  assertEquals(nodesAfter(100, "v"), 0);
  // Without limits of the settings, a node has no more than a packed value.
  assertEquals(nodesAfter(2 * PACKED_ELEMENTS_MAX, "v"), 2);
  assertEquals(nodesAfter(20, "x".repeat(PACKED_BYTES_MAX / 4)), 6);
  streams.value.verify(ref);
  streams.value.free(ref);
  streams.memory.heap.free(ref);
  assertEquals(streams.memory.heap.usedBytes, 0);
});

Deno.test("approximate trimming takes whole nodes, up to a limit", () => {
  const streams = new Streams(1 << 24);
  const { log } = streams.value;
  streams.limits.streamNodeMaxEntries = 10;
  const ref = streams.entry();
  for (let i = 1; i <= 1000; i++) streams.add(ref, [`${i}-0`, "f", "v"]);
  assertEquals(log.trim(ref, trimTo(995, true), 0), 0);
  assertEquals(log.trim(ref, trimTo(985, true), 0), 10);
  assertEquals(log.trim(ref, trimTo(100, true, 25), 0), 20);
  assertEquals(log.trim(ref, trimBefore("51-0", true), 0), 20);
  assertEquals(log.trim(ref, trimBefore("60-0", true), 0), 0);
  assertEquals(log.trim(ref, trimTo(945), 0), 5);
  assertEquals(streams.range(ref)[0]![0], "56-0");
  streams.value.verify(ref);
});

Deno.test("a long stream is trimmed by leaves, which are freed later", () => {
  const streams = new Streams(1 << 26);
  const { value, memory: { heap } } = streams;
  streams.limits.streamNodeMaxEntries = 5;
  const count = 20_000;
  for (const by of ["length", "id"]) {
    const ref = streams.entry();
    for (let i = 1; i <= count; i++) streams.add(ref, [`${i}-0`, "f", "v"]);
    const spare = streams.entry();
    const used = heap.usedBytes;
    const trim = by === "length" ? trimTo(7) : trimBefore(`${count - 6}-0`);
    assertEquals(value.log.trim(ref, trim, spare), count - 7);
    assertEquals(streams.range(ref).length, 7);
    assert(heap.usedBytes > used * 0.9, "little is freed at once");
    assert(value.weight(spare) > count / 5 * 0.9);
    value.verify(ref);
    let slices = 1;
    while (!value.freeSlice(spare, 200)) slices++;
    assert(slices > 15);
    value.free(ref);
    heap.free(ref);
    heap.free(spare);
    assertEquals(heap.usedBytes, 0);
  }
});

Deno.test("an entry of a stream takes little more than its bytes", () => {
  const streams = new Streams(1 << 26);
  const ref = streams.entry();
  const count = 100_000;
  for (let i = 1; i <= count; i++) {
    streams.add(ref, [`${i}-1`, "field", "value"]);
  }
  const bytes = streams.value.memoryBytes(ref, 0);
  assertEquals(bytes + 16, streams.memory.heap.usedBytes);
  assert(bytes < count * 15.8, `${bytes / count} bytes an entry`);
  const sampled = streams.value.memoryBytes(ref, 5);
  assert(Math.abs(sampled - bytes) < bytes / 50);
});

Deno.test("groups know what is pending with whom", () => {
  const { value, groups, ref, group } = withGroup();
  const alice = consumer("alice");
  const bob = consumer("bob");
  for (const id of ["1-0", "2-0", "3-0"]) {
    groups.deliver(group, alice, idOf(id), 1000);
  }
  assertEquals(pending(), [
    "1-0 alice 1000 1",
    "2-0 alice 1000 1",
    "3-0 alice 1000 1",
  ]);
  groups.deliver(group, bob, idOf("2-0"), 2000);
  assertEquals(owned(alice), ["1-0", "3-0"]);
  assertEquals(owned(bob), ["2-0"]);
  const place = new TreePlace();
  assert(groups.findPending(group, idOf("2-0"), place));
  groups.setDeliveries(place, 0, -1);
  groups.countDelivery(place);
  assertEquals(pending()[1], "2-0 bob 2000 4294967296");
  assert(groups.acknowledge(group, idOf("1-0")));
  assert(!groups.acknowledge(group, idOf("1-0")));
  groups.verify(group);
  groups.removeConsumer(group, alice);
  assertEquals(pending(), ["2-0 bob 2000 4294967296"]);
  assertEquals(groups.consumerCount(group), 1);
  groups.verify(group);
  value.takeGroup(ref, group);
  value.groups.free(group);
  assertEquals(value.groupCount(ref), 0);

  function consumer(name: string): number {
    return groups.addConsumer(group, latin1BytesOf(name), 0, name.length, 500);
  }

  function pending(): string[] {
    return pendingOf(groups, group);
  }

  function owned(consumer: number): string[] {
    return ownedOf(groups, consumer);
  }
});

Deno.test("a large group is freed later, in slices", () => {
  const { streams, value, groups, ref, group } = withGroup();
  const { heap } = streams.memory;
  const name = latin1BytesOf("c");
  const consumer = groups.addConsumer(group, name, 0, 1, 0);
  for (let i = 0; i < 10_000; i++) {
    groups.deliver(group, consumer, idOf(`${i}-0`), 0);
  }
  const spare = streams.entry();
  const used = heap.usedBytes;
  value.takeGroup(ref, group);
  assert(value.leaveGroup(spare, group));
  assertEquals(value.groupCount(ref), 0);
  assert(heap.usedBytes > used * 0.99);
  let slices = 1;
  while (!value.freeSlice(spare, 50)) slices++;
  assert(slices > 8, `${slices} slices`);
  value.free(ref);
  heap.free(ref);
  heap.free(spare);
  assertEquals(heap.usedBytes, 0);
});

type Groups = Streams["value"]["groups"];

function withGroup() {
  const streams = new Streams(1 << 22);
  const { value } = streams;
  const ref = streams.entry();
  const group = addGroup(streams, ref, "g");
  return { streams, value, groups: value.groups, ref, group };
}

function addGroup(streams: Streams, ref: number, name: string): number {
  const read = new Int64();
  read.hi = read.lo = -1;
  return streams.value.addGroup(
    ref,
    latin1BytesOf(name),
    0,
    name.length,
    idOf("7-1"),
    read,
  );
}

function nameOf(names: Groups["names"], ref: number): string {
  const off = names.nameOff(ref);
  return String.fromCharCode(
    ...names.nameBuf(ref).subarray(off, off + names.nameLength(ref)),
  );
}

function pendingOf(groups: Groups, group: number): string[] {
  const found: string[] = [];
  const entry = new PendingEntry();
  const place = new TreePlace();
  let isThere = groups.firstPending(group, idOf("0-0"), place);
  for (; isThere; isThere = groups.nextPending(place)) {
    groups.readPending(place, entry);
    const deliveries = entry.deliveriesHi * 2 ** 32 +
      (entry.deliveriesLo >>> 0);
    const name = nameOf(groups.consumerNames, entry.consumer);
    found.push(`${entry.id} ${name} ${entry.deliveredAtMs} ${deliveries}`);
  }
  return found;
}

function ownedOf(groups: Groups, consumer: number): string[] {
  const found: string[] = [];
  const id = idOf("0-0");
  const place = new TreePlace();
  let isThere = groups.firstOwned(consumer, id, place);
  for (; isThere; isThere = groups.nextOwned(place)) {
    groups.readOwned(place, id);
    found.push(String(id));
  }
  return found;
}

/** All that a stream is, as text. */
function show(streams: Streams, ref: number): unknown {
  const { value } = streams;
  const { groups } = value;
  const nodes: string[] = [];
  value.log.visitNodes(ref, (first, node) => {
    nodes.push(`${first} ${value.log.nodes.count(node)}`);
  });
  const id = idOf("0-0");
  return {
    counters: counters(streams, ref),
    entries: streams.range(ref),
    nodes,
    groups: Array.from({ length: value.groupCount(ref) }, (_, i) => {
      const group = value.groupAt(ref, i);
      groups.readLastId(group, id);
      return {
        name: nameOf(groups.names, group),
        lastId: String(id),
        pending: pendingOf(groups, group),
        consumers: Array.from(
          { length: groups.consumerCount(group) },
          (_, j) => {
            const consumer = groups.consumerAt(group, j);
            return [
              nameOf(groups.consumerNames, consumer),
              groups.seenAt(consumer),
              groups.activeAt(consumer),
              ownedOf(groups, consumer),
            ];
          },
        ),
      };
    }),
  };
}

/** What Redis makes of the same commands: nodes of entries, some deleted. */
class Model {
  nodes: { entry: Entry; isDeleted: boolean }[][] = [];
  readonly maxEntries: number;
  deletedId = "0-0";
  added = 0;
  last = 0;

  constructor(maxEntries: number) {
    this.maxEntries = maxEntries;
  }

  get live(): Entry[] {
    return this.nodes.flat().filter((e) => !e.isDeleted).map((e) => e.entry);
  }

  add(entry: Entry): void {
    const last = this.nodes.at(-1);
    if (
      last !== undefined && last.length < this.maxEntries &&
      !isLong(entry) && !isLong(last[0]!.entry)
    ) {
      last.push({ entry, isDeleted: false });
    } else this.nodes.push([{ entry, isDeleted: false }]);
    this.added++;
  }

  delete(id: string): boolean {
    for (const [i, node] of this.nodes.entries()) {
      const found = node.find((e) => e.entry[0] === id && !e.isDeleted);
      if (found === undefined) continue;
      found.isDeleted = true;
      if (node.every((e) => e.isDeleted)) this.nodes.splice(i, 1);
      if (idOf(id).compare(idOf(this.deletedId)) > 0) this.deletedId = id;
      return true;
    }
    return false;
  }

  trim({ maxLength, minId, isApproximate, limit }: StreamTrim): number {
    const isByLength = maxLength !== Infinity;
    let length = this.live.length;
    let removed = 0;
    while (this.nodes.length > 0) {
      if (isByLength && length <= maxLength) break;
      const node = this.nodes[0]!;
      const live = node.filter((e) => !e.isDeleted).length;
      if (limit > 0 && removed + live > limit) break;
      const goes = isByLength
        ? length - live >= maxLength
        : idOf(node.at(-1)!.entry[0]).compare(minId) < 0;
      if (!goes && isApproximate) break;
      if (goes) {
        this.nodes.shift();
        removed += live;
        length -= live;
        continue;
      }
      for (const e of node) {
        if (
          isByLength
            ? length <= maxLength
            : idOf(e.entry[0]).compare(minId) >= 0
        ) break;
        if (e.isDeleted) continue;
        e.isDeleted = true;
        length--;
        removed++;
      }
      break;
    }
    return removed;
  }

  show(): unknown {
    const live = this.live;
    return {
      counters: `${live.length} ${this.last}-0 ${live[0]?.[0] ?? "0-0"} ` +
        `${this.deletedId} ${this.added}`,
      entries: live,
      nodes: this.nodes.map((node) =>
        `${node[0]!.entry[0]} ${node.filter((e) => !e.isDeleted).length}`
      ),
      groups: [],
    };
  }
}

/** Makes a node of its own of an entry. */
const LONG = "long ".repeat(30_000);

function isLong(entry: Entry): boolean {
  return entry.at(-1) === LONG;
}

seeded("streams do what lists of nodes do", (random) => {
  const streams = new Streams(1 << 26);
  const { value, memory: { heap } } = streams;
  const { log } = value;
  streams.limits.streamNodeMaxBytes = 0;
  streams.limits.streamNodeMaxEntries = random.pick([1, 2, 3, 10]);
  const ref = streams.entry();
  const model = new Model(streams.limits.streamNodeMaxEntries);
  const draw = randomMix(random, ["add", "delete", "trim", "range"] as const);
  const some = () => `${random.below(model.last + 2)}-0`;
  for (let i = 0; i < OPERATIONS; i++) {
    switch (draw()) {
      case "add": {
        for (let j = random.below(20); j >= 0; j--) {
          model.last += 1 + random.below(2);
          const value = random.chance(0.002) ? LONG : "x";
          const entry: Entry = [`${model.last}-0`, "f", `${i}`, "g", value];
          streams.add(ref, entry);
          model.add(entry);
        }
        break;
      }
      case "delete":
        for (let j = random.below(20); j >= 0; j--) {
          const id = some();
          assertEquals(log.delete(ref, idOf(id)), model.delete(id));
        }
        break;
      case "trim": {
        const trim = drawTrim(random, model, some());
        const spare = random.chance(0.5) ? streams.entry() : 0;
        const leaves = trim.limit === 0 ? random.pick([1, 3]) : Infinity;
        let removed = 0;
        do {
          removed += log.trim(ref, trim, spare, leaves);
        } while (log.isTrimLeft);
        assertEquals(removed, model.trim(trim));
        if (spare === 0) break;
        value.free(spare);
        heap.free(spare);
        break;
      }
      case "range": {
        const [from, to] = [some(), random.chance(0.2) ? MAX_ID : some()];
        const expected = model.live.filter(([id]) =>
          idOf(id).compare(idOf(from)) >= 0 && idOf(id).compare(idOf(to)) <= 0
        );
        assertEquals(streams.range(ref, from, to), expected);
        assertEquals(streams.reverseRange(ref, from, to), expected.reverse());
        const counted = log.countRange(ref, idOf(from), idOf(to), Infinity);
        assertEquals(counted, expected.length);
        const some5 = log.countRange(ref, idOf(from), idOf(to), 5);
        assert(some5 <= counted && some5 >= Math.min(5, counted));
        const counting = log.counting();
        counting.begin(ref, idOf(from), idOf(to));
        while (counting.goOn(1));
        assertEquals(counting.count, expected.length);
      }
    }
    if (i % 100 === 0) {
      value.verify(ref);
      if (streams.root(ref) !== 0) {
        assertEquals(show(streams, ref), model.show());
      }
    }
  }
  value.verify(ref);
  const copy = streams.entry();
  value.copyFrom(value, ref, copy);
  value.verify(copy);
  assertEquals(show(streams, copy), show(streams, ref));
  while (!value.freeSlice(copy, 1 + random.below(100)));
  value.free(ref);
  heap.free(copy);
  heap.free(ref);
  assertEquals(heap.usedBytes, 0);
  heap.verify();
}, { count: ROUNDS });

function drawTrim(random: Random, { live }: Model, id: string): StreamTrim {
  const isApproximate = random.chance(0.5);
  const limit = isApproximate && random.chance(0.5) ? random.below(30) : 0;
  // Little of it, or nearly all.
  const share = random.chance(0.8) ? 1 - random.below(10) / 100 : 0.1;
  if (random.chance(0.5)) {
    return trimTo(Math.floor(live.length * share), isApproximate, limit);
  }
  const first = live[Math.floor(live.length * (1 - share))]?.[0] ?? id;
  return trimBefore(random.chance(0.8) ? first : id, isApproximate, limit);
}

seeded("groups do what maps do", (random) => {
  const streams = new Streams(1 << 26);
  const { value, memory: { heap } } = streams;
  const { groups } = value;
  const ref = streams.entry();
  const long = "x".repeat(1500);
  const names = ["g", "", "group", "\xff", "a", "gg"];
  names.push(long, `${long}x`, `${long}\xff`, `${long.slice(1)}yx`, "xx");
  /** By group, by ID: consumer, time, deliveries. */
  const model = new Map<string, Map<string, [string, number, number]>>();
  const consumers = new Map<string, Set<string>>();
  const draw = randomMix(
    random,
    ["group", "ungroup", "consumer", "unconsumer", "deliver", "ack"] as const,
  );
  const group = () => random.pick([...model.keys()]);
  for (let i = 0; i < OPERATIONS; i++) {
    const operation = draw();
    if (operation === "group") {
      const name = random.pick(names);
      if (model.has(name)) continue;
      addGroup(streams, ref, name);
      model.set(name, new Map());
      consumers.set(name, new Set());
      continue;
    }
    if (model.size === 0) continue;
    const name = group();
    const known = value.findGroup(ref, latin1BytesOf(name), 0, name.length);
    assert(known !== 0);
    const pending = model.get(name)!;
    const who = consumers.get(name)!;
    const one = String(random.below(40));
    const ref1 = groups.findConsumer(known, latin1BytesOf(one), 0, one.length);
    assertEquals(ref1 !== 0, who.has(one));
    switch (operation) {
      case "ungroup":
        if (!random.chance(0.05)) break;
        value.takeGroup(ref, known);
        value.groups.free(known);
        model.delete(name);
        consumers.delete(name);
        break;
      case "consumer":
        if (ref1 !== 0) break;
        groups.addConsumer(known, latin1BytesOf(one), 0, one.length, i);
        who.add(one);
        break;
      case "unconsumer":
        if (ref1 === 0) break;
        groups.removeConsumer(known, ref1);
        who.delete(one);
        for (const [id, [owner]] of pending) {
          if (owner === one) pending.delete(id);
        }
        break;
      case "deliver":
        if (ref1 === 0) break;
        for (let j = random.below(30); j >= 0; j--) {
          const id = `${random.below(300)}-${random.below(3)}`;
          groups.deliver(known, ref1, idOf(id), i);
          pending.set(id, [one, i, 1]);
        }
        break;
      case "ack":
        for (let j = random.below(30); j >= 0; j--) {
          const id = `${random.below(300)}-${random.below(3)}`;
          assertEquals(groups.acknowledge(known, idOf(id)), pending.delete(id));
        }
    }
    if (i % 200 === 0) value.verify(ref);
  }
  value.verify(ref);
  const sorted = [...model.keys()].sort();
  assertEquals(
    sorted,
    Array.from(
      { length: value.groupCount(ref) },
      (_, i) => nameOf(groups.names, value.groupAt(ref, i)),
    ),
  );
  for (const [i, name] of sorted.entries()) {
    const expected = [...model.get(name)!]
      .sort(([a], [b]) => idOf(a).compare(idOf(b)))
      .map(([id, [owner, at, times]]) => `${id} ${owner} ${at} ${times}`);
    assertEquals(pendingOf(groups, value.groupAt(ref, i)), expected);
  }
  const copy = streams.entry();
  value.copyFrom(value, ref, copy);
  value.verify(copy);
  assertEquals(show(streams, copy), show(streams, ref));
  if (streams.root(ref) !== 0) {
    const alone = heap.unitsOf(ref) * 8 * 2;
    const both = value.memoryBytes(ref, 0) + value.memoryBytes(copy, 0);
    assertEquals(both + alone, heap.usedBytes);
  }
  while (!value.freeSlice(copy, 1 + random.below(20)));
  value.free(ref);
  heap.free(copy);
  heap.free(ref);
  assertEquals(heap.usedBytes, 0);
}, { count: ROUNDS });

Deno.test("what finds no memory changes nothing", () => {
  const streams = new Streams(1 << 20);
  const { value, memory: { heap } } = streams;
  streams.limits.streamNodeMaxEntries = 7;
  const ref = streams.entry();
  const copy = streams.entry();
  const group = addGroup(streams, ref, "g");
  const consumer = value.groups.addConsumer(group, latin1BytesOf("c"), 0, 1, 0);
  let id = 1;
  // Until even the smallest objects find no room.
  for (let bytes = 3000, failures = 0; bytes > 0;) {
    const before = show(streams, ref);
    const used = heap.usedBytes;
    try {
      if (id % 3 === 0) {
        value.groups.deliver(group, consumer, idOf(`${id}-1`), 1);
      }
      streams.add(ref, [`${id}-1`, "field", "x".repeat(bytes)]);
      id++;
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      failures++;
      if (id % 3 !== 0) {
        assertEquals(show(streams, ref), before);
        // An old last node may have given something back.
        assert(heap.usedBytes <= used);
      } else id++;
      bytes = failures > 20 ? 0 : bytes >> 1;
    }
    value.verify(ref);
    if (failures === 5) {
      assertThrows(() => value.copyFrom(value, ref, copy), OutOfMemory);
      assertEquals(streams.root(copy), 0);
    }
  }
  value.free(ref);
  heap.free(copy);
  heap.free(ref);
  assertEquals(heap.usedBytes, 0);
});

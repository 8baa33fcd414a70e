/** Nodes of a stream: src/core/types/stream_node.ts. */
import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../../../src/core/base/bytes.ts";
import { byteOf, SEGMENT_SHIFT } from "../../../../src/core/memory/arena.ts";
import {
  NodeReader,
  type StreamNodes,
} from "../../../../src/core/types/stream_node.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { ROUNDS } from "../memory/_memory.ts";
import { type Entry, entryOf, fieldsOf, idOf, Streams } from "./_streams.ts";

/** One node. */
class Node {
  readonly streams: Streams;
  readonly nodes: StreamNodes;
  readonly reader = new NodeReader();
  readonly #first = new Int32Array(4);
  ref: number;

  constructor(streams: Streams, [id, ...texts]: Entry) {
    this.streams = streams;
    this.nodes = streams.value.log.nodes;
    idOf(id).write(this.#first, 0);
    this.ref = this.nodes.create(fieldsOf(texts), 0, texts.length / 2, 0);
    this.open();
  }

  append([id, ...texts]: Entry): void {
    this.ref = this.nodes.append(
      this.ref,
      this.reader.first,
      idOf(id),
      fieldsOf(texts),
      0,
      texts.length / 2,
    );
    this.open();
  }

  open(): void {
    const { arena } = this.streams.memory;
    this.reader.open(arena, this.ref, this.#first, 0);
  }

  get bytes(): number[] {
    const at = byteOf(this.ref);
    const buf = this.streams.memory.arena.u8[this.ref >>> SEGMENT_SHIFT]!;
    return [...buf.subarray(at, at + this.nodes.bytes(this.ref))];
  }

  forward(): [Entry, boolean][] {
    const { reader } = this;
    const found: [Entry, boolean][] = [];
    reader.begin();
    while (reader.next()) found.push([entryOf(reader), reader.isDeleted]);
    return found;
  }

  backward(): [Entry, boolean][] {
    const { reader } = this;
    const found: [Entry, boolean][] = [];
    reader.beginBehind();
    while (reader.previous()) found.push([entryOf(reader), reader.isDeleted]);
    return found;
  }

  delete(index: number): number {
    this.reader.begin();
    for (let i = 0; i <= index; i++) this.reader.next();
    const left = this.nodes.markDeleted(this.ref, this.reader);
    this.open();
    return left;
  }
}

Deno.test("a node has the bytes that Redis gives it", () => {
  const node = new Node(new Streams(1 << 20), ["5-1", "f", "v1"]);
  node.append(["5-3", "f", "77"]);
  node.append(["6-0", "g", "x", "f", "y"]);
  assertEquals(node.bytes, [
    ...[63, 0, 0, 0, 24, 0],
    ...[3, 1, 0, 1, 1, 1, 0x81, ...bytesOf("f"), 2, 0, 1],
    ...[2, 1, 0, 1, 0, 1, 0x82, ...bytesOf("v1"), 3, 4, 1],
    ...[2, 1, 0, 1, 2, 1, 77, 1, 4, 1],
    // The sequence number is less than that of the first entry.
    ...[0, 1, 1, 1, 0xdf, 0xff, 2, 2, 1],
    ...[0x81, ...bytesOf("g"), 2, 0x81, ...bytesOf("x"), 2],
    ...[0x81, ...bytesOf("f"), 2, 0x81, ...bytesOf("y"), 2, 8, 1],
    0xff,
  ]);
  assert(node.nodes.isNode(node.ref));
  assertEquals(node.delete(1), 2);
  assertEquals(node.bytes.slice(6, 10), [2, 1, 1, 1]);
  assertEquals(node.forward(), [
    [["5-1", "f", "v1"], false],
    [["5-3", "f", "77"], true],
    [["6-0", "g", "x", "f", "y"], false],
  ]);
  assertEquals(node.backward(), node.forward().reverse());
});

Deno.test("a node holds IDs at any distance of its first one", () => {
  const max = "18446744073709551615";
  const ids = [
    ...[`0-${max}`, "1-0", "127-5", "128-0", "4096-1", "70000-0"],
    ...["2147483648-0", "4294967296-9223372036854775808", `4294967297-${max}`],
    ...["9007199254740993-1", "9223372036854775808-0", `${max}-0`],
    `${max}-${max}`,
  ];
  const node = new Node(new Streams(1 << 20), [ids[0]!, "f", "v"]);
  for (const id of ids.slice(1)) node.append([id, "f", "v"]);
  assertEquals(node.forward().map(([[id]]) => id), ids);
  assertEquals(node.backward(), node.forward().reverse());
});

Deno.test("marks never need memory, whatever the counters' length", () => {
  for (const count of [127, 128, 200, 256, 300, 5000, 9000]) {
    const streams = new Streams(1 << 22);
    const node = new Node(streams, ["1-0", "f", "v"]);
    for (let i = 1; i < count; i++) node.append([`1-${i}`, "f", `v${i}`]);
    node.ref = node.nodes.trim(node.ref);
    node.open();
    const room = streams.memory.heap.unitsOf(node.ref) * 8;
    const step = Math.ceil(count / 300);
    for (let left = count; left > 1;) {
      const most = Math.min(step, left - 1);
      left -= node.nodes.markFirst(node.ref, node.reader, most, null);
      node.open();
      assert(node.nodes.bytes(node.ref) <= room);
    }
    assertEquals(node.nodes.count(node.ref), 1);
    assert(node.nodes.isNode(node.ref));
    node.nodes.free(node.ref);
    assertEquals(streams.memory.heap.usedBytes, 0);
  }
});

Deno.test("a listpack that is no node is told from one", () => {
  const { value, listpacks } = new Streams(1 << 20);
  const isNode = (...elements: string[]) => {
    let ref = listpacks.create();
    for (const element of elements) {
      ref = listpacks.append(ref, bytesOf(element), 0, element.length);
    }
    const is = value.log.nodes.isNode(ref);
    listpacks.free(ref);
    return is;
  };
  const front = ["1", "0", "1", "f", "0"];
  assert(isNode(...front, "2", "0", "0", "v", "4"));
  assert(isNode(...front, "0", "0", "0", "1", "g", "v", "6"));
  assert(isNode("0", ...front.slice(0, 1), "0", "0", "3", "0", "0", "3"));
  assert(!isNode());
  assert(!isNode("0", "0", "0", "0"));
  assert(!isNode(...front));
  assert(!isNode(...front, "2", "0", "0", "v", "5"));
  assert(!isNode(...front, "2", "0", "0", "v"));
  assert(!isNode(...front, "2", "0", "0", "v", "4", "4"));
  assert(!isNode(...front, "x", "0", "0", "v", "4"));
  assert(!isNode(...front, "4", "0", "0", "v", "4"));
  assert(!isNode(...front, "2", "x", "0", "v", "4"));
  assert(!isNode(...front, "0", "0", "0", "9", "g", "v", "6"));
  assert(!isNode("1", "0", "9223372036854775807", "f", "0"));
  assert(!isNode("2", "0", "1", "f", "0", "2", "0", "0", "v", "4"));
});

/** Fields and values of an entry that is a lone node. */
function manyTexts(fields: number): string[] {
  return Array.from({ length: fields }, (_, i) => [`field:${i}`, `${i % 300}`])
    .flat();
}

Deno.test("a lone node is read from either end, wherever it is moved", () => {
  const streams = new Streams(1 << 24);
  const { nodes } = streams.value.log;
  const { heap } = streams.memory;
  const entry: Entry = ["5-1", ...manyTexts(9000)];
  const node = new Node(streams, entry);
  const expectLone = (isDeleted: boolean) => {
    node.open();
    const { buf, firstFieldsAt, isLone } = node.reader;
    assert(isLone);
    assertEquals(heap.steadyRunAt(buf, firstFieldsAt), node.ref);
    assertEquals(node.forward(), [[entry, isDeleted]]);
    assertEquals(node.backward(), [[entry, isDeleted]]);
  };
  expectLone(false);
  const units = heap.unitsOf(node.ref);
  assertEquals(nodes.trim(node.ref), node.ref);
  assert(heap.unitsOf(node.ref) < units, "pages are given back in place");
  expectLone(false);
  const copy = nodes.copyTo(node.ref, nodes);
  node.delete(0);
  expectLone(true);
  nodes.free(node.ref);
  node.ref = copy;
  expectLone(false);
  const bytes = Uint8Array.from(node.bytes);
  nodes.free(copy);
  const listpack = streams.listpacks.load(bytes, 0, bytes.length);
  assert(nodes.isNode(listpack));
  node.ref = nodes.adopt(listpack);
  expectLone(false);
  // Nothing may follow in it, however short its texts are.
  assert(nodes.isFull(node.ref, 0, 1));
  nodes.free(node.ref);
  assertEquals(heap.usedBytes, 0);
});

Deno.test("a lone node may have fields in front that its entry has not", () => {
  const streams = new Streams(1 << 24);
  const { nodes } = streams.value.log;
  const texts = manyTexts(6000);
  for (const deleted of [0, 1]) {
    let listpack = streams.listpacks.create(1 << 17);
    const front = [`${1 - deleted}`, `${deleted}`, "1", "f", "0"];
    const entry = [`${deleted}`, "0", "0", "6000", ...texts, "12004"];
    for (const element of [...front, ...entry]) {
      const bytes = bytesOf(element);
      listpack = streams.listpacks.append(listpack, bytes, 0, bytes.length);
    }
    const node = new Node(streams, ["5-1", "f", "v"]);
    nodes.free(node.ref);
    assert(nodes.isNode(listpack));
    node.ref = nodes.adopt(listpack);
    node.open();
    assert(node.reader.isLone);
    assertEquals(node.forward(), [[["5-1", ...texts], deleted === 1]]);
    assertEquals(node.backward(), node.forward());
    nodes.free(node.ref);
  }
  assertEquals(streams.memory.heap.usedBytes, 0);
});

Deno.test("very many short fields begin a node", () => {
  const streams = new Streams(1 << 24);
  streams.limits.streamNodeMaxBytes = 0;
  const { log } = streams.value;
  const ref = streams.entry();
  const short = (count: number) => Array.from({ length: count * 2 }, () => "");
  const nodes = () => log.nodeCount(ref);
  streams.add(ref, ["1-0", "f", "v"]);
  streams.add(ref, ["2-0", ...short(20_000)]);
  assertEquals(nodes(), 1);
  streams.add(ref, ["3-0", ...short(20_000)]);
  assertEquals(nodes(), 2);
  streams.add(ref, ["4-0", "f", "v"]);
  assertEquals(nodes(), 2);
  streams.add(ref, ["5-0", ...short(40_000)]);
  streams.add(ref, ["6-0", "f", "v"]);
  assertEquals(nodes(), 4);
  streams.value.verify(ref);
  assertEquals(
    streams.range(ref).map(({ length }) => length),
    [3, 40_001, 40_001, 3, 80_001, 3],
  );
});

seeded("nodes keep what they are given", (random) => {
  const streams = new Streams(1 << 24);
  for (let i = 0; i < 5; i++) {
    const model: [Entry, boolean][] = [];
    let ms = random.below(1000);
    const draw = (): Entry => {
      ms += random.below(random.chance(0.5) ? 2 : 100_000);
      return [`${ms}-${model.length}`, ...texts(random)];
    };
    const first = draw();
    const node = new Node(streams, first);
    model.push([first, false]);
    const count = random.below(300);
    for (let j = 0; j < count; j++) {
      if (random.chance(0.7)) {
        const entry = draw();
        node.append(entry);
        model.push([entry, false]);
      } else {
        const index = random.below(model.length);
        if (model[index]![1]) continue;
        model[index] = [model[index]![0], true];
        node.delete(index);
      }
      if (random.chance(0.05)) {
        node.ref = node.nodes.trim(node.ref);
        node.open();
      }
    }
    assertEquals(node.forward(), model);
    assertEquals(node.backward(), model.toReversed());
    assert(node.nodes.isNode(node.ref));
    const { listpacks } = streams;
    const loaded = listpacks.load(
      Uint8Array.from(node.bytes),
      0,
      node.bytes.length,
    );
    assert(loaded !== 0, "a node is a listpack");
    assertEquals(listpacks.count(loaded), listpacks.count(node.ref));
    listpacks.free(loaded);
    node.nodes.free(node.ref);
  }
  assertEquals(streams.memory.heap.usedBytes, 0);
}, { count: ROUNDS });

/** Mostly the same fields, at times others; values of every encoding. */
function texts(random: Random): string[] {
  const fields = random.chance(0.7)
    ? ["name", "12", "long".repeat(30)]
    : ["name", "13", "x"].slice(random.below(3));
  return fields.flatMap((field) => [
    field,
    random.pick([
      ...["", "v", "127", "128", "-4097", "2147483648", "9223372036854775807"],
      ...["9223372036854775808", "007", "x".repeat(63), "x".repeat(64)],
      ...[
        "x".repeat(126),
        "x".repeat(4095),
        "x".repeat(4096),
        "x".repeat(20000),
      ],
    ]),
  ]);
}

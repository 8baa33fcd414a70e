/** Listpacks: src/core/memory/listpack.ts and listpack_format.ts. */
import { assert, assertEquals } from "@std/assert";
import {
  type Arena,
  byteOf,
  SEGMENT_SHIFT,
} from "../../../../src/core/memory/arena.ts";
import { asciiOf, bytesOf } from "../../../../src/core/base/bytes.ts";
import {
  ListpackItem,
  Listpacks,
  numberAt,
} from "../../../../src/core/memory/listpack.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { Memory, ROUNDS } from "./_memory.ts";

const OPERATIONS = 3000;

/** Texts at the borders of every encoding. */
const TEXTS = [
  ..."0 1 127 128 -1 4095 4096 -4096 -4097 32767 32768 -32768 -32769".split(
    " ",
  ),
  ..."8388607 8388608 -8388608 -8388609 2147483647 2147483648".split(" "),
  ..."-2147483648 -2147483649 9007199254740991 9007199254740993".split(" "),
  ..."9223372036854775807 -9223372036854775808 9223372036854775808".split(" "),
  ..."-0 00 01 +1 1.5 1e3 --1 -".split(" "),
  "",
  "a",
  "a\0\xff",
  ...[62, 63, 64, 125, 126, 4095, 4096, 16377, 16378, 16379, 70000].map(
    (length) => "x".repeat(length),
  ),
];

function blob(arena: Arena, listpacks: Listpacks, ref: number): Uint8Array {
  const at = byteOf(ref);
  return arena.u8[ref >>> SEGMENT_SHIFT]!.slice(at, at + listpacks.bytes(ref));
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

function texts(listpacks: Listpacks, ref: number): string[] {
  const item = new ListpackItem();
  const found: string[] = [];
  for (
    let pos = listpacks.first(ref);
    pos !== 0;
    pos = listpacks.next(ref, pos)
  ) {
    listpacks.read(ref, pos, item);
    found.push(asciiOf(item.buf, item.off, item.length));
  }
  return found;
}

Deno.test("a listpack has the bytes that Redis gives it", () => {
  const { arena, heap } = new Memory(1 << 20);
  const listpacks = new Listpacks(arena, heap);
  let ref = listpacks.create();
  ref = listpacks.append(ref, bytesOf("hello"), 0, 5);
  ref = listpacks.append(ref, bytesOf("1024"), 0, 4);
  ref = listpacks.appendInteger(ref, 7);
  assertEquals([...blob(arena, listpacks, ref)], [
    ...[19, 0, 0, 0, 3, 0],
    ...[0x85, ...bytesOf("hello"), 6],
    ...[0xc4, 0x00, 2],
    ...[7, 1],
    0xff,
  ]);
  const pos = listpacks.find(
    ref,
    listpacks.first(ref),
    bytesOf("7"),
    0,
    1,
    0,
  );
  assertEquals(pos, listpacks.last(ref));
  assertEquals(listpacks.previous(ref, pos), listpacks.seek(ref, 1));
  ref = listpacks.remove(ref, listpacks.first(ref), 2);
  assertEquals(texts(listpacks, ref), ["7"]);
});

Deno.test("a listpack reads every text as it was written", () => {
  const { arena, heap } = new Memory(1 << 22);
  const listpacks = new Listpacks(arena, heap);
  let ref = listpacks.create();
  for (const text of TEXTS) {
    ref = listpacks.append(ref, bytes(text), 0, text.length);
  }
  assertEquals(texts(listpacks, ref), TEXTS);
  for (const [index, text] of TEXTS.entries()) {
    const pos = listpacks.seek(ref, index - TEXTS.length);
    assertEquals(listpacks.seek(ref, index), pos);
    assert(listpacks.isEqual(ref, pos, bytes(text), 0, text.length));
    assertEquals(
      listpacks.find(ref, pos, bytes(text), 0, text.length, 0),
      pos,
      text.slice(0, 20),
    );
  }
  const copy = listpacks.load(
    blob(arena, listpacks, ref),
    0,
    listpacks.bytes(ref),
  );
  assertEquals(texts(listpacks, copy), TEXTS);
});

Deno.test("numberAt reads what an element says as a number", () => {
  const { arena, heap } = new Memory(1 << 20);
  const listpacks = new Listpacks(arena, heap);
  const rows: [string, number][] = [
    ...["0", "127", "-1", "4095", "-32769", "8388608", "2147483648"].map(
      (text): [string, number] => [text, Number(text)],
    ),
    ["9007199254740991", 9007199254740991],
    ["-9223372036854775808", -(2 ** 63)],
    ["1.5", 1.5],
    ["0.30000000000000004", 0.1 + 0.2],
    ["-1e+300", -1e300],
    ["inf", Infinity],
    ["-inf", -Infinity],
    [`${"1".repeat(70)}`, Number("1".repeat(70))],
    [`${"1".repeat(300)}`, Number("1".repeat(300))],
    ["member", NaN],
  ];
  for (const [text, x] of rows) {
    const ref = listpacks.append(
      listpacks.create(),
      bytes(text),
      0,
      text.length,
    );
    const at = byteOf(ref) + listpacks.first(ref);
    assertEquals(numberAt(arena.u8[0]!, at), x, text);
  }
});

Deno.test("a listpack of 70000 elements is counted", () => {
  const { arena, heap } = new Memory(1 << 22);
  const listpacks = new Listpacks(arena, heap);
  let ref = listpacks.create(1 << 19);
  for (let i = 0; i < 70_000; i++) ref = listpacks.appendInteger(ref, i % 100);
  assertEquals(listpacks.count(ref), 70_000);
  ref = listpacks.removeRange(ref, listpacks.seek(ref, 10), 0);
  assertEquals(listpacks.count(ref), 10);
});

Deno.test("a listpack from elsewhere is checked and encoded anew", () => {
  const { arena, heap } = new Memory(1 << 20);
  const listpacks = new Listpacks(arena, heap);
  const load = (...elements: number[]) => {
    const all = [7 + elements.length, 0, 0, 0, 0xff, 0xff, ...elements, 0xff];
    return listpacks.load(Uint8Array.from(all), 0, all.length);
  };
  // A string that is an integer, and one of 16 bits that needs but 7.
  const ref = load(0x82, 0x31, 0x32, 3, 0xf1, 5, 0, 3);
  assertEquals([...blob(arena, listpacks, ref)], [
    ...[11, 0, 0, 0, 2, 0, 12, 1, 5, 1, 0xff],
  ]);
  assertEquals(load(0x82, 0x31, 0x32, 2), 0, "a wrong reversed length");
  assertEquals(load(0x8f, 0x31, 3), 0, "a string beyond the end");
  assertEquals(load(0xf7, 1), 0, "no encoding");
  assertEquals(load(0xf0, 0xff, 0xff, 0xff, 0xff, 1), 0, "a huge string");
  assertEquals(listpacks.load(Uint8Array.of(1, 2, 3), 0, 3), 0);
});

seeded("listpacks do what an array does", (random) => {
  const { arena, heap } = new Memory(1 << 24);
  const listpacks = new Listpacks(arena, heap);
  const used = heap.usedBytes;
  let ref = listpacks.create();
  const model: string[] = [];
  for (let i = 0; i < OPERATIONS; i++) {
    ref = step(random, listpacks, ref, model);
    assertEquals(listpacks.count(ref), model.length);
    if (i % 50 === 0) {
      assertEquals(texts(listpacks, ref), model);
      const all = blob(arena, listpacks, ref);
      const loaded = listpacks.load(all, 0, all.length);
      assertEquals(blob(arena, listpacks, loaded), all);
      listpacks.free(loaded);
    }
  }
  assertEquals(texts(listpacks, ref), model);
  listpacks.free(ref);
  assertEquals(heap.usedBytes, used);
  heap.verify();
}, { count: ROUNDS });

function step(
  random: Random,
  listpacks: Listpacks,
  ref: number,
  model: string[],
): number {
  const text = random.chance(0.5)
    ? random.pick(TEXTS.filter((t) => t.length < 5000))
    : "v".repeat(random.below(30)) + random.below(100);
  const source = bytes(text);
  const index = random.below(model.length + 1);
  const pos = index === model.length ? 0 : listpacks.seek(ref, index);
  const end = Math.min(model.length, index + random.below(4));
  switch (random.below(pos === 0 ? 2 : model.length > 40 ? 10 : 6)) {
    case 0:
    case 1:
      model.splice(index, 0, text);
      return listpacks.insert(ref, pos, source, 0, source.length);
    case 2:
      model[index] = text;
      return listpacks.replace(ref, pos, source, 0, source.length);
    case 3: {
      const n = random.below(2 ** 31) - 2 ** 30;
      model[index] = String(n);
      return listpacks.replaceInteger(ref, pos, n);
    }
    case 4: {
      const to = end === model.length ? 0 : listpacks.seek(ref, end);
      const part = listpacks.copyRange(ref, pos, to, listpacks);
      assertEquals(texts(listpacks, part), model.slice(index, end));
      const joined = listpacks.appendAll(ref, part);
      listpacks.free(part);
      model.push(...model.slice(index, end));
      return joined;
    }
    case 5: {
      const placeOf = (i: number) =>
        i === model.length ? 0 : listpacks.seek(ref, i);
      const left = model.length - (end - index);
      const at = random.below(left + 1);
      const target = placeOf(at > index ? at + end - index : at);
      listpacks.moveRange(ref, pos, placeOf(end), target);
      model.splice(at, 0, ...model.splice(index, end - index));
      return ref;
    }
    case 6: {
      const to = end === model.length ? 0 : listpacks.seek(ref, end);
      model.splice(index, end - index);
      return listpacks.removeRange(ref, pos, to);
    }
    case 7: {
      const gone = model.map(() => random.below(4) === 0);
      const positions = Int32Array.from(
        gone.flatMap((isGone, i) => isGone ? [listpacks.seek(ref, i)] : []),
      );
      const left = model.filter((_, i) => !gone[i]);
      model.splice(0, model.length, ...left);
      return listpacks.removeEach(ref, positions, positions.length);
    }
    default:
      model.splice(index, 3);
      return listpacks.remove(ref, pos, 3);
  }
}

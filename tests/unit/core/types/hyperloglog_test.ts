/** HyperLogLogs against plain arrays of registers. */
import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../../../src/core/base/bytes.ts";
import {
  addDense,
  bigCardinalityOf,
  cardinalityOf,
  countHll,
  countRegisters,
  denseRegister,
  describeSparse,
  encodingOfHll,
  forgetCardinality,
  HLL_DENSE,
  HLL_DENSE_BYTES,
  HLL_HEADER_BYTES,
  HLL_REGISTERS,
  HLL_SPARSE,
  HyperLogLogEditor,
  isCardinalityKnown,
  isHyperLogLog,
  mergeInto,
  placeOf,
  setCardinality,
} from "../../../../src/core/types/hyperloglog.ts";
import { Random, seeded } from "../../../_harness.ts";

const SPARSE_BYTES_MAX = 3000;
const STANDARD_ERROR = 1.04 / Math.sqrt(HLL_REGISTERS);

/** The registers of a sparse one, as PFDEBUG DECODE describes them. */
function sparseRegisters(editor: HyperLogLogEditor): number[] {
  const registers: number[] = [];
  const text = describeSparse(editor.bytes, 0, editor.length);
  for (const word of text.split(" ")) {
    const [kind, rest] = word.split(":") as [string, string];
    const [value, run] = kind === "v" ? rest.split(",") : ["0", rest];
    for (let i = Number(run); i > 0; i--) registers.push(Number(value));
  }
  return registers;
}

function registersOf(editor: HyperLogLogEditor): number[] {
  if (!editor.isDense) return sparseRegisters(editor);
  return Array.from(
    { length: HLL_REGISTERS },
    (_, i) => denseRegister(editor.bytes, 0, i),
  );
}

function placeOfText(text: string): number {
  const bytes = bytesOf(text);
  return placeOf(bytes, 0, bytes.length);
}

Deno.test("an empty HyperLogLog is one run of zeros", () => {
  const editor = new HyperLogLogEditor();
  editor.clear();
  assertEquals(describeSparse(editor.bytes, 0, editor.length), "Z:16384");
  assertEquals(editor.length, 18);
  assertEquals(
    [...editor.bytes.subarray(0, 18)],
    [...bytesOf("HYLL"), 1, ...new Array(11).fill(0), 0x7f, 0xff],
  );
  assertEquals(countHll(editor.bytes, 0, editor.length), 0);
});

Deno.test("a HyperLogLog's opcodes are split and joined", () => {
  const editor = new HyperLogLogEditor();
  editor.clear();
  const opcodes = (index: number, value: number) => {
    assertEquals(editor.raise(index, value, SPARSE_BYTES_MAX), "raised");
    return describeSparse(editor.bytes, 0, editor.length);
  };
  assertEquals(opcodes(0, 1), "v:1,1 Z:16383");
  assertEquals(opcodes(16383, 2), "v:1,1 Z:16382 v:2,1");
  assertEquals(opcodes(1, 1), "v:1,2 Z:16381 v:2,1");
  assertEquals(opcodes(40, 5), "v:1,2 z:38 v:5,1 Z:16342 v:2,1");
  assertEquals(opcodes(3, 1), "v:1,2 z:1 v:1,1 z:36 v:5,1 Z:16342 v:2,1");
  assertEquals(opcodes(2, 1), "v:1,4 z:36 v:5,1 Z:16342 v:2,1");
  assertEquals(opcodes(1, 9), "v:1,1 v:9,1 v:1,2 z:36 v:5,1 Z:16342 v:2,1");
  assertEquals(editor.raise(1, 9, SPARSE_BYTES_MAX), "unchanged");
  assertEquals(editor.raise(1, 3, SPARSE_BYTES_MAX), "unchanged");
});

Deno.test("a HyperLogLog becomes dense when it is too long or too high", () => {
  const editor = new HyperLogLogEditor();
  editor.clear();
  assertEquals(editor.raise(7, 32, SPARSE_BYTES_MAX), "raised");
  assert(!editor.isDense);
  assertEquals(editor.raise(9, 33, SPARSE_BYTES_MAX), "raised");
  assert(editor.isDense);
  assertEquals(editor.length, HLL_DENSE_BYTES);
  assertEquals(denseRegister(editor.bytes, 0, 7), 32);
  assertEquals(denseRegister(editor.bytes, 0, 9), 33);

  editor.clear();
  let added = 0;
  while (!editor.isDense) {
    const before = editor.length;
    editor.add(placeOfText(`element ${added++}`), 200);
    if (!editor.isDense) assert(editor.length <= 200, `${before}`);
  }
  assert(added > 40 && added < 200, `${added}`);
});

Deno.test("an element's register and value are those of Redis", () => {
  // The hash of "hello" is 0f656f01eecfe400: its low 14 bits, then zeros.
  const place = placeOfText("hello");
  assertEquals(place & (HLL_REGISTERS - 1), 0x2400);
  // 0x...eecfe400 >>> 14 ends with 111111.
  assertEquals(place >>> 14, 1);
});

Deno.test("a HyperLogLog's header is checked, and has a cardinality", () => {
  const editor = new HyperLogLogEditor();
  editor.clear();
  const { bytes } = editor;
  assert(isHyperLogLog(bytes, 0, editor.length));
  assert(!isHyperLogLog(bytes, 0, 15));
  assert(!isHyperLogLog(bytes, 1, editor.length));
  assertEquals(encodingOfHll(bytes, 0), HLL_SPARSE);
  for (const count of [0, 1, 255, 256, 2 ** 40 + 7, 2 ** 53 - 1]) {
    setCardinality(bytes, 0, count);
    assertEquals(cardinalityOf(bytes, 0), count);
    assertEquals(bigCardinalityOf(bytes, 0), BigInt(count));
    assert(isCardinalityKnown(bytes, 0));
    forgetCardinality(bytes, 0);
    assert(!isCardinalityKnown(bytes, 0));
  }
  assert(editor.makeDense());
  assertEquals(encodingOfHll(bytes, 0), HLL_DENSE);
  assert(isHyperLogLog(bytes, 0, editor.length));
  assert(!isHyperLogLog(bytes, 0, editor.length - 1));
  bytes[4] = 2;
  assert(!isHyperLogLog(bytes, 0, editor.length));
});

Deno.test("a corrupt HyperLogLog is told, not followed", () => {
  const editor = new HyperLogLogEditor();
  const registers = new Uint8Array(HLL_REGISTERS);
  const bodies: number[][] = [
    [],
    [0x7f, 0xfe], // one register too few
    [0x7f, 0xff, 0x00], // one too many
    [0x7f, 0xff, 0x80], // and with a value
    [0x7f], // half an opcode
  ];
  for (const body of bodies) {
    editor.clear();
    editor.bytes.fill(0xff, HLL_HEADER_BYTES, HLL_HEADER_BYTES + 8);
    editor.bytes.set(body, HLL_HEADER_BYTES);
    editor.length = HLL_HEADER_BYTES + body.length;
    const { bytes, length } = editor;
    assertEquals(countHll(bytes, 0, length), -1, `${body}`);
    assert(!mergeInto(registers, bytes, 0, length), `${body}`);
    const copy = new HyperLogLogEditor();
    assert(copy.load(bytes, 0, length));
    assert(!copy.makeDense(), `${body}`);
  }
  assert(!editor.load(new Uint8Array(40_000), 0, 40_000));
});

Deno.test("a HyperLogLog's estimate is near what was added", () => {
  const random = new Random(5);
  for (const total of [1, 10, 1000, 20_000, 100_000, 500_000]) {
    const editor = new HyperLogLogEditor();
    editor.clear();
    const prefix = random.uint32();
    for (let i = 0; i < total; i++) {
      editor.add(placeOfText(`${prefix}:${i}`), SPARSE_BYTES_MAX);
    }
    const count = countHll(editor.bytes, 0, editor.length);
    const allowed = Math.max(1, total * 4 * STANDARD_ERROR);
    assert(Math.abs(count - total) <= allowed, `${count} of ${total}`);
  }
});

seeded("HyperLogLogs agree with plain registers", (random) => {
  const editor = new HyperLogLogEditor();
  editor.clear();
  const model = new Uint8Array(HLL_REGISTERS);
  const sparseBytesMax = random.pick([100, 3000, 60_000]);
  const near = random.pick([64, HLL_REGISTERS]);
  const highest = random.pick([3, 20, 34]);
  for (let i = 0; i < 3000; i++) {
    const index = random.chance(0.3) ? random.below(near) : random.below(2000);
    const value = 1 + random.below(highest);
    const isHigher = value > model[index]!;
    assertEquals(
      editor.raise(index, value, sparseBytesMax),
      isHigher ? "raised" : "unchanged",
    );
    if (isHigher) model[index] = value;
    if (i % 200 > 0) continue;
    assertEquals(registersOf(editor), [...model]);
    if (!editor.isDense) assert(editor.length <= sparseBytesMax);
    const { bytes, length } = editor;
    assertEquals(countHll(bytes, 0, length), countRegisters(model));
    const merged = new Uint8Array(HLL_REGISTERS).fill(2);
    assert(mergeInto(merged, bytes, 0, length));
    assertEquals(merged, model.map((register) => Math.max(2, register)));
  }
  const dense = new HyperLogLogEditor();
  assert(dense.load(editor.bytes, 0, editor.length));
  assert(dense.makeDense());
  assertEquals(registersOf(dense), [...model]);
  assertEquals(
    addDense(dense.bytes, 0, 5 | 50 << 14),
    true,
  );
  assertEquals(denseRegister(dense.bytes, 0, 5), 50);
}, { count: 6 });

/** Chunks: src/core/memory/chunk.ts. */
import { assert, assertEquals } from "@std/assert";
import { asciiOf } from "../../../../src/core/base/bytes.ts";
import {
  CHUNK_HEADER_BYTES,
  Chunks,
} from "../../../../src/core/memory/chunk.ts";
import {
  ListpackItem,
  Listpacks,
} from "../../../../src/core/memory/listpack.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { Memory, randomMix, ROUNDS } from "./_memory.ts";

const OPERATIONS = 3000;
const NO_LIMIT = 1 << 30;

/** One chunk and what should be in it. */
class Piece {
  readonly memory = new Memory(1 << 24);
  readonly listpacks = new Listpacks(this.memory.arena, this.memory.heap);
  readonly chunks = new Chunks(
    this.memory.arena,
    this.memory.heap,
    this.listpacks,
  );
  ref = this.chunks.create(0, false);
  readonly model: string[] = [];

  push(atHead: boolean, text: string, capacityMax = NO_LIMIT): void {
    const bytes = this.encode(text);
    this.ref = this.chunks.push(this.ref, atHead, bytes, capacityMax);
    if (atHead) this.model.unshift(text);
    else this.model.push(text);
  }

  drop(atHead: boolean): void {
    this.chunks.drop(this.ref, atHead);
    if (atHead) this.model.shift();
    else this.model.pop();
  }

  encode(text: string): number {
    const buf = bytesOf(text);
    return this.listpacks.encode(buf, 0, buf.length);
  }

  texts(ref = this.ref): string[] {
    const { chunks } = this;
    const item = new ListpackItem();
    const found: string[] = [];
    for (let pos = chunks.first(ref); pos < chunks.end(ref);) {
      chunks.read(ref, pos, item);
      found.push(asciiOf(item.buf, item.off, item.length));
      pos = chunks.next(ref, pos);
    }
    return found;
  }

  check(): void {
    this.chunks.verify(this.ref);
    assertEquals(this.texts(), this.model);
    assertEquals(this.chunks.count(this.ref), this.model.length);
  }
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

Deno.test("a chunk takes and gives elements at both ends", () => {
  const piece = new Piece();
  piece.push(false, "b");
  piece.push(true, "1000");
  piece.push(false, "c".repeat(70));
  piece.push(true, "");
  piece.check();
  assertEquals(piece.texts(), ["", "1000", "b", "c".repeat(70)]);
  piece.drop(true);
  piece.drop(false);
  piece.check();
  assertEquals(piece.texts(), ["1000", "b"]);
});

Deno.test("elements at the ends of a chunk with room move nothing", () => {
  const piece = new Piece();
  for (let i = 0; i < 100; i++) piece.push(false, `element ${i}`);
  const { chunks } = piece;
  const held = chunks.allocatedBytes(piece.ref);
  let moves = 0;
  for (let i = 0; i < 10_000; i++) {
    const { ref } = piece;
    const end = chunks.end(ref);
    piece.push(false, "element 1");
    if (piece.ref !== ref || chunks.end(ref) < end) moves++;
    piece.drop(true);
  }
  piece.check();
  assert(moves < 1000, `${moves} moves`);
  assert(chunks.allocatedBytes(piece.ref) <= held * 2, "a queue stays small");
});

Deno.test("a chunk fills the capacity that it is to have", () => {
  const { chunks, ...rest } = new Piece();
  const piece = Object.assign(Object.create(Piece.prototype), rest, { chunks });
  for (let i = 0; i < 511; i++) piece.push(i % 2 === 0, "x".repeat(14), 8192);
  assertEquals(chunks.allocatedBytes(piece.ref), 8192);
  assertEquals(chunks.bytes(piece.ref) + CHUNK_HEADER_BYTES, 511 * 16 + 16);
});

Deno.test("an element is not replaced where its chunk would get too large", () => {
  const piece = new Piece();
  const { chunks } = piece;
  for (const text of ["a", "b", "c"]) piece.push(false, text);
  const bytes = piece.encode("x".repeat(50));
  assertEquals(chunks.replace(piece.ref, 1, bytes, 64), 0);
  assertEquals(piece.texts(piece.ref), ["a", "b", "c"]);
  piece.ref = chunks.replace(piece.ref, 1, bytes, 128);
  assertEquals(piece.texts(piece.ref), ["a", "x".repeat(50), "c"]);
  chunks.cut(piece.ref, 1, 2);
  // A single one may be of any size.
  piece.ref = chunks.replace(piece.ref, 0, piece.encode("y".repeat(80)), 64);
  assertEquals(piece.texts(piece.ref), ["y".repeat(80)]);
});

Deno.test("a plain chunk has one element of any bytes", () => {
  const piece = new Piece();
  const { chunks, memory } = piece;
  const text = "12".repeat(40_000);
  const ref = chunks.createPlain(bytesOf(text), 0, text.length);
  assert(chunks.isPlain(ref));
  assertEquals(chunks.count(ref), 1);
  assertEquals(piece.texts(ref), [text]);
  assert(chunks.isPlainEqual(ref, bytesOf(text), 0, text.length));
  assert(!chunks.isPlainEqual(ref, bytesOf(text), 0, text.length - 1));
  const copy = chunks.copyRange(chunks, ref, 0, 1);
  assert(chunks.isPlain(copy));
  assertEquals(piece.texts(copy), [text]);
  chunks.free(ref);
  chunks.free(copy);
  chunks.free(piece.ref);
  assertEquals(memory.heap.usedBytes, 0);
});

seeded("chunks do what an array does", (random) => {
  const piece = new Piece();
  const operations = Object.keys(OPERATION) as (keyof typeof OPERATION)[];
  const draw = randomMix(random, operations);
  for (let i = 0; i < OPERATIONS; i++) {
    const name = piece.model.length > 200 ? "cut" : draw();
    OPERATION[name](piece, random);
    piece.check();
  }
  piece.chunks.free(piece.ref);
  assertEquals(piece.memory.heap.usedBytes, 0);
  piece.memory.heap.verify();
}, { count: ROUNDS });

function anyText(random: Random): string {
  if (random.chance(0.02)) return "l".repeat(random.between(100, 5000));
  return random.chance(0.5)
    ? String(random.between(-100_000, 100_000))
    : "v".repeat(random.below(30)) + random.below(10);
}

const OPERATION = {
  push(piece: Piece, random: Random): void {
    const capacityMax = random.chance(0.2) ? random.below(9000) : NO_LIMIT;
    piece.push(random.chance(0.5), anyText(random), capacityMax);
  },
  drop(piece: Piece, random: Random): void {
    if (piece.model.length > 0) piece.drop(random.chance(0.5));
  },
  insert(piece: Piece, random: Random): void {
    const { chunks, model } = piece;
    const text = anyText(random);
    const index = random.below(model.length + 1);
    const bytes = piece.encode(text);
    piece.ref = chunks.insert(piece.ref, index, bytes, NO_LIMIT);
    model.splice(index, 0, text);
  },
  replace(piece: Piece, random: Random): void {
    const { chunks, model } = piece;
    if (model.length === 0) return;
    const text = anyText(random);
    const index = random.below(model.length);
    const bytes = piece.encode(text);
    piece.ref = chunks.replace(piece.ref, index, bytes, NO_LIMIT);
    model[index] = text;
  },
  cut(piece: Piece, random: Random): void {
    const { chunks, model } = piece;
    const from = random.below(model.length + 1);
    const to = random.between(from, model.length);
    chunks.cut(piece.ref, from, to - from);
    model.splice(from, to - from);
  },
  removeEqual(piece: Piece, random: Random): void {
    const { model } = piece;
    if (model.length === 0) return;
    const text = random.pick(model);
    const skip = random.below(2);
    const most = random.between(1, 3);
    piece.encode(text);
    let expected = 0;
    for (let i = 0, seen = 0; i < model.length && expected < most; i++) {
      if (model[i] !== text || ++seen <= skip) continue;
      model.splice(i--, 1);
      expected++;
    }
    const removed = piece.chunks.removeEncoded(piece.ref, skip, most);
    assertEquals(removed, expected);
  },
  find(piece: Piece, random: Random): void {
    const { chunks, ref, model } = piece;
    const text = random.chance(0.7) && model.length > 0
      ? random.pick(model)
      : anyText(random);
    piece.encode(text);
    const from = random.below(model.length + 1);
    const most = random.below(model.length - from + 1);
    const found = model.slice(from, from + most).indexOf(text);
    const pos = chunks.find(ref, chunks.seek(ref, from), most);
    assertEquals(pos, found < 0 ? 0 : chunks.seek(ref, from + found));
    assertEquals(chunks.passed, found < 0 ? most : found);
    const to = from + most;
    const last = model.slice(from, to).lastIndexOf(text);
    const back = chunks.findBackward(ref, chunks.seek(ref, to), most);
    assertEquals(back, last < 0 ? 0 : chunks.seek(ref, from + last));
    assertEquals(chunks.passed, last < 0 ? most : most - 1 - last);
    assertEquals(
      chunks.countEncoded(ref),
      model.filter((other) => other === text).length,
    );
  },
  reserve(piece: Piece, random: Random): void {
    const atHead = random.chance(0.5);
    const bytes = random.below(500);
    piece.ref = piece.chunks.reserve(piece.ref, atHead, bytes);
    const { ref } = piece;
    const text = "r".repeat(Math.min(60, bytes));
    if (bytes >= text.length + 2) {
      piece.push(atHead, text, 0);
      assertEquals(piece.ref, ref, "what was reserved is there");
    }
  },
  fit(piece: Piece): void {
    piece.ref = piece.chunks.fit(piece.ref);
    const { chunks, ref } = piece;
    const used = chunks.bytes(ref) + CHUNK_HEADER_BYTES;
    assert(chunks.allocatedBytes(ref) <= Math.max(64, used * 2 + 8));
  },
  trim(piece: Piece): void {
    piece.ref = piece.chunks.trim(piece.ref);
    const { chunks, ref } = piece;
    const used = chunks.bytes(ref) + CHUNK_HEADER_BYTES;
    // Beyond 14 KiB allocations are rounded up to pages.
    assert(chunks.allocatedBytes(ref) <= used * 1.4 + 8);
  },
  copy(piece: Piece, random: Random): void {
    const { chunks, ref, model } = piece;
    const from = random.below(model.length + 1);
    const to = random.between(from, model.length);
    const a = copyOf(piece, 0, from);
    const b = copyOf(piece, from, to);
    assertEquals(piece.texts(b), model.slice(from, to));
    const joined = chunks.join(a, b);
    chunks.verify(joined);
    assertEquals(piece.texts(joined), model.slice(0, to));
    for (const made of [a, b, joined]) chunks.free(made);
    assertEquals(piece.ref, ref);
  },
};

function copyOf({ chunks, ref }: Piece, from: number, to: number): number {
  return chunks.copyRange(chunks, ref, from, to - from);
}

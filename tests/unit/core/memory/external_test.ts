/** Strings in runs of their own: src/core/memory/external.ts. */
import { assert, assertEquals } from "@std/assert";
import { PAGE_BYTES } from "../../../../src/core/memory/arena.ts";
import {
  EXTERNAL_HEADER_BYTES,
  ExternalStrings,
} from "../../../../src/core/memory/external.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { Memory, randomMix, ROUNDS } from "./_memory.ts";

const OPERATIONS = 100_000;

Deno.test("external strings live as long as somebody refers to them", () => {
  const { arena, pool } = new Memory(1 << 20);
  const externals = new ExternalStrings(arena, pool);
  const ref = externals.create(PAGE_BYTES);
  assertEquals(externals.capacity(ref), 2 * PAGE_BYTES - EXTERNAL_HEADER_BYTES);
  assertEquals(externals.length(ref), 0);
  externals.bytes(ref).fill(
    65,
    externals.offset(ref),
    externals.offset(ref) + 3,
  );
  externals.setLength(ref, 3);
  assertEquals(externals.isShared(ref), false);

  // A reply streams the string while its key is deleted.
  externals.pin(ref);
  assertEquals(externals.isShared(ref), true);
  externals.unpin(ref);
  assertEquals(externals.isShared(ref), false);
  assertEquals(pool.usedPages, 2);
  externals.trim(ref);
  assertEquals(pool.usedPages, 1);
  externals.unpin(ref);
  assertEquals(pool.verify(), 0);
});

Deno.test("external strings that find no room are 0", () => {
  const { arena, pool } = new Memory(16 * PAGE_BYTES);
  const externals = new ExternalStrings(arena, pool);
  assertEquals(externals.create(16 * PAGE_BYTES), 0);
  const ref = externals.create(15 * PAGE_BYTES - EXTERNAL_HEADER_BYTES);
  assert(ref !== 0);
  assertEquals(externals.extend(ref, 16 * PAGE_BYTES), false);
  externals.unpin(ref);
  assertEquals(pool.verify(), 0);
});

seeded("external strings keep their bytes until the last unpin", (random) => {
  new ExternalRun(random).run();
}, { count: ROUNDS });

interface Modelled {
  ref: number;
  references: number;
  /** The string is `seed + index` at each index. */
  seed: number;
  length: number;
}

/** One random script; who shares a string writes a new one, as keyspaces do. */
class ExternalRun {
  readonly #random: Random;
  readonly #memory = new Memory(8 << 20);
  readonly #externals = new ExternalStrings(
    this.#memory.arena,
    this.#memory.pool,
  );
  readonly #live: Modelled[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  run(): void {
    const draw = randomMix(this.#random, [
      ...["create", "pin", "unpin", "unpin"],
      ...["write", "extend", "trim", "check"],
    ]);
    for (let i = 0; i < OPERATIONS; i++) {
      const name = this.#live.length === 0 ? "create" : draw();
      if (name === "create") this.#create();
      else this.#apply(name, this.#random.below(this.#live.length));
      if (i % 10_000 === 0) this.#memory.pool.verify();
    }
    while (this.#live.length > 0) this.#apply("unpin", 0);
    assertEquals(this.#memory.pool.verify(), 0);
  }

  #create(): void {
    const length = this.#random.between(0, 30_000);
    const ref = this.#externals.create(length);
    // Full: an older one makes room.
    if (ref === 0) return this.#apply("unpin", 0);
    const made = { ref, references: 1, seed: 0, length: 0 };
    this.#write(made, length);
    this.#live.push(made);
  }

  #apply(name: string, at: number): void {
    const externals = this.#externals;
    const string = this.#live[at]!;
    const { ref } = string;
    assertEquals(externals.isShared(ref), string.references > 1);
    assertEquals(externals.length(ref), string.length);
    if (name === "pin") {
      externals.pin(ref);
      string.references++;
    } else if (name === "unpin") {
      this.#check(string);
      externals.unpin(ref);
      if (--string.references > 0) return;
      this.#live[at] = this.#live.at(-1)!;
      this.#live.pop();
    } else if (name === "write") {
      if (string.references > 1) return;
      const room = externals.capacity(ref);
      this.#write(string, this.#random.between(0, room));
    } else if (name === "extend") {
      const wanted = externals.capacity(ref) + this.#random.between(1, 9000);
      if (externals.extend(ref, wanted)) {
        assert(externals.capacity(ref) >= wanted);
      }
    } else if (name === "trim") {
      externals.trim(ref);
      const over = externals.capacity(ref) - string.length;
      assert(over >= 0 && over < PAGE_BYTES);
    } else this.#check(string);
  }

  #write(string: Modelled, length: number): void {
    string.seed = this.#random.below(256);
    string.length = length;
    const { ref, seed } = string;
    const bytes = this.#externals.bytes(ref);
    const off = this.#externals.offset(ref);
    this.#externals.setLength(ref, length);
    for (let i = 0; i < length; i += 61) bytes[off + i] = seed + i;
  }

  #check({ ref, seed, length }: Modelled): void {
    const bytes = this.#externals.bytes(ref);
    const off = this.#externals.offset(ref);
    for (let i = 0; i < length; i += 61) {
      if (bytes[off + i] === (seed + i & 255)) continue;
      throw new Error(`byte ${i} of ${length} was changed`);
    }
  }
}

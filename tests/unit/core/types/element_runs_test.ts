/**
 * Elements in runs of pages of their own, which come to values and leave them as
 * they lie, also while memory is short: no page is lost, and none freed twice.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { halfSipHash } from "../../../../src/core/base/half_siphash.ts";
import { freeDetached } from "../../../../src/core/keyspace/detached_values.ts";
import type { Keyspace } from "../../../../src/core/keyspace/keyspace.ts";
import { PAGE_BYTES } from "../../../../src/core/memory/arena.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import {
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_ZSET,
} from "../../../../src/core/types/entry.ts";
import { KEEP_EXPIRE } from "../../../../src/core/types/hash_value.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { Shards } from "../keyspace/_fixture.ts";

const ARENA_BYTES = 4 << 20;
const ROUNDS = 400;
/** Bytes of the elements, the smallest first. */
const LENGTHS = [66_000, 70_000, 90_000];
const LONG = 1 << 16;

/** Shards whose memory is full now and then. */
class Tight {
  readonly shards = new Shards({ shards: 2, arenaBytes: ARENA_BYTES });
  readonly spaces: readonly Keyspace[] = this.shards.keyspaces;
  readonly random: Random;
  #blocks: number[] = [];

  constructor(random: Random) {
    this.random = random;
  }

  /** A run with a text of its own in it, `before` bytes behind the head, or 0. */
  run(space: Keyspace, text: string, before = 0): number {
    const { externals } = space;
    const run = externals.create(before + text.length);
    if (run === 0) return 0;
    const bytes = new TextEncoder().encode(text);
    externals.bytes(run).set(bytes, externals.offset(run) + before);
    externals.setLength(run, before + text.length);
    return run;
  }

  text(): string {
    const letter = "abcdef"[this.random.below(6)]!;
    return letter.repeat(this.random.pick(LENGTHS));
  }

  /** Does something that memory may be too short for; says whether it was not. */
  attempt(body: () => void): boolean {
    if (this.random.chance(0.3)) this.#fill();
    try {
      body();
      return true;
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      return false;
    } finally {
      for (const block of this.#blocks) this.spaces[0]!.heap.free(block);
      this.#blocks = [];
    }
  }

  #fill(): void {
    const { heap } = this.spaces[0]!;
    for (let units = 1 << this.random.below(12); units > 0; units >>= 1) {
      for (let block = 0; (block = heap.tryAllocate(units)) !== 0;) {
        this.#blocks.push(block);
      }
    }
  }

  close(): void {
    for (const space of this.spaces) {
      space.begun.drop();
      while (!freeDetached(space, 10));
    }
    this.shards.verifyEmpty();
  }
}

seeded("lists take and give runs", (random) => {
  const tight = new Tight(random);
  const refs = tight.spaces.map((space) => space.begun.begin(TYPE_LIST));
  const models: string[][] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    const at = random.below(2);
    const space = tight.spaces[at]!;
    const { lists } = space.values;
    const ref = refs[at]!;
    const model = models[at]!;
    const atHead = random.chance(0.5);
    const index = random.below(model.length + 1);
    const way = model.length > 8 ? 3 + random.below(3) : random.below(6);
    if (way < 3) {
      const text = random.chance(0.3) ? "short" : tight.text();
      const bytes = new TextEncoder().encode(text);
      const run = text.length < LONG ? 0 : tight.run(space, text);
      if (text.length >= LONG && run === 0) continue;
      const isIn = index < model.length && way === 2;
      let isOwned = false;
      const isDone = tight.attempt(() => {
        lists.prepare(ref, text.length, 1, atHead);
        isOwned = run !== 0 && lists.takesRun(ref, text.length);
        if (run === 0) lists.push(ref, atHead, bytes, 0, bytes.length);
        else if (way === 0) lists.pushRun(ref, atHead, run, text.length);
        else if (isIn) lists.replaceRun(ref, index, run, text.length);
        else lists.insertRun(ref, index, run, text.length);
      });
      if (run !== 0 && !isOwned) space.externals.unpin(run);
      if (!isDone) {
        // What was inserted before something was to be removed stays.
        assertEquals(lists.length(ref), model.length);
      } else if (run === 0 || way === 0) {
        if (atHead) model.unshift(text);
        else model.push(text);
      } else model.splice(index, isIn ? 1 : 0, text);
    } else if (way === 3 && model.length > 0) {
      lists.readEnd(ref, atHead);
      const { buf, off, length } = lists.item;
      const text = atHead ? model.shift()! : model.pop()!;
      // Whoever keeps a run may read it when the element is gone.
      const { pages } = tight.shards;
      const run = length < LONG
        ? 0
        : pages.steadyRunOf(Math.floor(off / PAGE_BYTES));
      assertEquals(run !== 0, text.length >= LONG);
      if (run !== 0) pages.keep(run);
      lists.drop(ref, atHead);
      if (run !== 0) {
        assertEquals(
          new TextDecoder().decode(buf.slice(off, off + length)),
          text,
        );
        pages.letGo(run);
      }
    } else if (model.length > 1) {
      const to = random.below(2);
      const target = tight.spaces[to]!.values.lists;
      const toHead = to === at ? !atHead : random.chance(0.5);
      const text = atHead ? model[0]! : model.at(-1)!;
      let isMoved = false;
      tight.attempt(() => {
        const ends = [target, refs[to]!, toHead] as const;
        isMoved = lists.moveEnd(ref, atHead, ...ends, LONG);
      });
      if (!isMoved) continue;
      assert(text.length >= LONG);
      if (atHead) model.shift();
      else model.pop();
      if (toHead) models[to]!.unshift(text);
      else models[to]!.push(text);
    }
    for (const [i, space] of tight.spaces.entries()) {
      const { lists } = space.values;
      lists.verify(refs[i]!);
      assertEquals(lists.length(refs[i]!), models[i]!.length);
      for (const [at, text] of models[i]!.entries()) {
        lists.read(refs[i]!, at);
        const { item } = lists;
        assertEquals(item.length, text.length);
        assertEquals(item.buf[item.off], text.charCodeAt(0));
        assertEquals(
          item.buf[item.off + item.length - 1],
          text.charCodeAt(text.length - 1),
        );
      }
    }
  }
  tight.close();
}, { count: 3 });

seeded("hashes, sets and sorted sets take runs", (random) => {
  const tight = new Tight(random);
  const space = tight.spaces[0]!;
  const { externals } = space;
  const { hashes, zsets } = space.values;
  const hash = space.begun.begin(TYPE_HASH);
  // Each shard builds one value at a time.
  const other = tight.spaces[1]!;
  const set = other.begun.begin(TYPE_SET);
  const fields = new Map<string, { text: string; expireAtMs: number }>();
  const members = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const text = tight.text();
    const way = random.below(4);
    if (way < 2) {
      const field = "fgh"[random.below(3)]!;
      const expireAtMs = random.pick([0, 0, KEEP_EXPIRE, 5000, 6000]);
      const run = tight.run(space, field + text, 8);
      if (run === 0) continue;
      const isDone = tight.attempt(() => {
        try {
          if (expireAtMs > 0) hashes.makeExpiring(hash);
        } catch (cause) {
          externals.unpin(run);
          throw cause;
        }
        hashes.setRun(hash, run, 1, text.length, expireAtMs);
      });
      const before = fields.get(field)?.expireAtMs ?? 0;
      if (isDone) {
        const expires = expireAtMs === KEEP_EXPIRE ? before : expireAtMs;
        fields.set(field, { text, expireAtMs: expires });
      }
    } else if (way === 2) {
      const bytes = new TextEncoder().encode(text);
      const hashed = halfSipHash(bytes, 0, bytes.length, 1, 2);
      const { sets } = other.values;
      if (sets.hasHashed(set, bytes, 0, bytes.length, hashed)) {
        assert(members.has(text));
        sets.remove(set, bytes, 0, bytes.length);
        members.delete(text);
        continue;
      }
      const run = tight.run(other, text);
      if (run === 0) continue;
      const isDone = tight.attempt(() => {
        sets.insertRun(set, run, text.length, hashed);
      });
      if (isDone) members.add(text);
    } else {
      const field = "fgh"[random.below(3)]!;
      const bytes = new TextEncoder().encode(field);
      const isThere = hashes.find(hash, bytes, 0, 1, -Infinity);
      assertEquals(isThere, fields.has(field));
      if (!isThere) continue;
      const { buf, off, length } = hashes.value;
      const { text: value, expireAtMs } = fields.get(field)!;
      assertEquals(hashes.expireAtMs, expireAtMs);
      if (random.chance(0.5)) {
        const expires = random.pick([0, 5000, 7000]);
        const used = space.heap.usedBytes;
        const isDone = tight.attempt(() =>
          hashes.setFoundExpire(hash, expires)
        );
        assert(space.heap.usedBytes < used + 4096, "nothing long is copied");
        if (isDone) fields.set(field, { text: value, expireAtMs: expires });
        continue;
      }
      // Whoever keeps the run may read it when the field is gone.
      const { heap } = other;
      const table = hashes.tableOf(hash);
      const node = hashes.tables.find(table, bytes, 0, 1);
      heap.keep(node);
      hashes.removeFound(hash);
      tight.attempt(() => {});
      assertEquals(
        new TextDecoder().decode(buf.slice(off, off + length)),
        value,
      );
      heap.letGo(node);
      fields.delete(field);
    }
    hashes.verify(hash);
    assertEquals(hashes.length(hash), fields.size);
    assertEquals(other.values.sets.length(set), members.size);
  }
  space.begun.drop();
  while (!freeDetached(space, 10));
  // Members of sorted sets come behind the room for their scores.
  const zset = space.begun.begin(TYPE_ZSET);
  const scores = new Map<string, number>();
  for (let round = 0; round < ROUNDS / 4; round++) {
    const text = tight.text();
    const bytes = new TextEncoder().encode(text);
    const hashed = halfSipHash(bytes, 0, bytes.length, 1, 2);
    const isThere = zsets.findHashed(zset, bytes, 0, bytes.length, hashed);
    assertEquals(isThere, scores.has(text));
    if (isThere) {
      assertEquals(zsets.score, scores.get(text));
      zsets.remove(zset, bytes, 0, bytes.length);
      scores.delete(text);
      continue;
    }
    const run = tight.run(space, text, 8);
    if (run === 0) continue;
    const isDone = tight.attempt(() => {
      zsets.insertRun(zset, run, text.length, hashed, round);
    });
    if (isDone) scores.set(text, round);
    zsets.verify(zset);
    assertEquals(zsets.length(zset), scores.size);
  }
  tight.close();
}, { count: 3 });

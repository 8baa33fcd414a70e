/**
 * One of the workers of the stress test: does a random mix of everything to
 * shared shards until time is up, and checks all it reads.
 *
 * @module
 */
/// <reference lib="deno.worker" />
import type { Key } from "../../src/core/keyspace/key.ts";
import {
  EXTERNAL_BYTES_MIN,
  STRING_EXTERNAL,
  STRING_RAW,
} from "../../src/core/types/entry.ts";
import { DefragmentSlice } from "../../src/core/keyspace/defragment.ts";
import type { Keyspace } from "../../src/core/keyspace/keyspace.ts";
import { keysAt } from "../../src/core/keyspace/shard_control.ts";
import { copyEntry, moveEntry } from "../../src/core/keyspace/transfer.ts";
import type { SharedState } from "../../src/engine/messages/shared_state.ts";
import { Random } from "../_random.ts";
import {
  checkVersion,
  type Expected,
  Handles,
  KEY_COUNT,
  Model,
  PAIR_COUNT,
  writeVersion,
} from "./_stress_model.ts";

/** What a worker is told. */
export interface Task {
  shared: SharedState;
  model: SharedArrayBuffer;
  seed: number;
  index: number;
  runMs: number;
}

/** What it answers: how often it did what, or why it stopped. */
export type Outcome = { counts: Record<string, number> } | { error: string };

/** The database of the keys with a model, and that of the crowd. */
const DB = 0;
const CROWD_DB = 1;
/** Keys that come and go in a burst, so that dictionaries grow and shrink. */
const CROWD_MAX = 3000;
/** Operations between two looks at the time. */
const STRIDE = 64;

globalThis.onmessage = ({ data }: MessageEvent<Task>) => {
  const worker = new StressWorker(data);
  let outcome: Outcome;
  try {
    outcome = { counts: worker.run(data.runMs) };
  } catch (error) {
    outcome = { error: error instanceof Error ? error.stack! : String(error) };
  }
  postMessage(outcome);
};

class StressWorker {
  readonly #random: Random;
  readonly #handles: Handles;
  readonly #model: Model;
  readonly #index: number;
  readonly #counts: Record<string, number> = {};
  readonly #slice = new DefragmentSlice();
  readonly #source = new Uint8Array(1 << 18);
  readonly #operations: readonly (readonly [number, string, () => void])[];
  /** Crowd keys of this worker: those from the first to before the last. */
  #crowdFirst = 0;
  #crowdLast = 0;
  #crowdGrows = true;

  constructor({ shared, model, seed, index }: Task) {
    this.#random = new Random(seed * 1000 + index);
    this.#handles = new Handles(shared, index);
    this.#model = new Model(model);
    this.#index = index;
    this.#operations = [
      [25, "set", () => this.#set()],
      [25, "get", () => this.#get()],
      [8, "resize", () => this.#resize()],
      [8, "delete", () => this.#delete()],
      [8, "rename", () => this.#transfer(moveEntry)],
      [5, "copy", () => this.#transfer(copyTo)],
      [6, "expire", () => this.#expire()],
      [1, "tick", () => this.#model.tick()],
      [4, "stream", () => this.#stream()],
      [10, "write pair", () => this.#writePair()],
      [10, "read pair", () => this.#readPair()],
      [20, "crowd", () => this.#crowd()],
      [4, "scan", () => this.#scan()],
      [4, "defragment", () => this.#defragment()],
    ];
  }

  run(runMs: number): Record<string, number> {
    const total = this.#operations.reduce((sum, [weight]) => sum + weight, 0);
    const endMs = performance.now() + runMs;
    while (performance.now() < endMs) {
      for (let i = 0; i < STRIDE; i++) {
        let at = this.#random.below(total);
        const [, name, run] = this.#operations.find(([weight]) =>
          (at -= weight) < 0
        )!;
        run();
        this.#handles.latches.checkNoneHeld();
        this.#counts[name] = (this.#counts[name] ?? 0) + 1;
      }
    }
    while (this.#crowdFirst < this.#crowdLast) this.#leave();
    return this.#counts;
  }

  #under(keys: readonly Key[], run: () => void): void {
    const { latches } = this.#handles;
    for (const key of keys) latches.mark(key.shard);
    latches.acquireMarked();
    try {
      run();
    } finally {
      // A failure must not leave the others waiting.
      latches.releaseMarked();
    }
  }

  #anyId(): number {
    return this.#random.below(KEY_COUNT);
  }

  #length(): number {
    const random = this.#random;
    if (random.chance(0.7)) return random.between(0, 120);
    if (random.chance(0.8)) return random.between(0, 3000);
    if (random.chance(0.7)) return random.between(0, 20_000);
    return EXTERNAL_BYTES_MIN + random.between(-10, 10_000);
  }

  #expireAtMs(): number {
    return this.#random.chance(0.7)
      ? 0
      : this.#model.nowMs + this.#random.between(1, 300);
  }

  /** The live entry of a key, or 0, which must be as the model has it. */
  #lookup(id: number, key: Key): { ref: number; expected: Expected } {
    const space = this.#handles.space(key);
    const { nowMs } = this.#model;
    let expected = this.#model.get(id);
    if (expected.expireAtMs !== 0 && expected.expireAtMs <= nowMs) {
      this.#model.remove(id);
      expected = this.#model.get(id);
    }
    const ref = space.lookupWrite(DB, key, nowMs);
    if ((ref !== 0) !== (expected.version !== 0)) {
      throw new Error(`key ${id} is ${ref === 0 ? "lost" : "back again"}`);
    }
    if (ref !== 0) checkEntry(space, ref, expected);
    return { ref, expected };
  }

  #set(): void {
    const id = this.#anyId();
    const key = this.#handles.modelled(id);
    const made = {
      version: this.#model.newVersion(),
      length: this.#length(),
      expireAtMs: this.#expireAtMs(),
    };
    writeVersion(made.version, this.#source, 0, 0, made.length);
    this.#under([key], () => this.#store(id, key, made));
  }

  #store(id: number, key: Key, made: Expected): void {
    const space = this.#handles.space(key);
    const existing = space.peek(DB, key);
    const { length, expireAtMs } = made;
    space.strings.set(
      ...[DB, key, existing] as const,
      ...[this.#source, 0, length, STRING_RAW, expireAtMs] as const,
    );
    this.#model.set(id, made);
  }

  #get(): void {
    const id = this.#anyId();
    const key = this.#handles.modelled(id);
    this.#under([key], () => this.#lookup(id, key));
  }

  #resize(): void {
    const id = this.#anyId();
    const key = this.#handles.modelled(id);
    this.#under([key], () => {
      const { ref, expected } = this.#lookup(id, key);
      if (ref === 0) return;
      const space = this.#handles.space(key);
      const kept = expected.length;
      const length = this.#random.chance(0.7)
        ? kept + this.#random.below(50)
        : this.#length();
      const moved = space.strings.resize(DB, ref, length, STRING_RAW);
      const bytes = space.strings.bytes(moved);
      const off = space.strings.off(moved);
      writeVersion(
        expected.version,
        bytes,
        off,
        Math.min(kept, length),
        length,
      );
      this.#model.set(id, { ...expected, length });
    });
  }

  #delete(): void {
    const id = this.#anyId();
    const key = this.#handles.modelled(id);
    this.#under([key], () => {
      const { ref } = this.#lookup(id, key);
      if (ref !== 0) this.#handles.space(key).delete(DB, ref);
      this.#model.remove(id);
    });
  }

  #transfer(run: typeof moveEntry): void {
    const [from, to] = [this.#anyId(), this.#anyId()];
    if (from === to) return;
    const [source, target] = [from, to].map((id) => this.#handles.modelled(id));
    this.#under([source!, target!], () => {
      const { ref, expected } = this.#lookup(from, source!);
      if (ref === 0) return;
      const { ref: existing } = this.#lookup(to, target!);
      const [a, b] = [source!, target!].map((key) => this.#handles.space(key));
      run(a!, DB, ref, b!, DB, target!, existing);
      this.#model.set(to, expected);
      if (run === moveEntry) this.#model.remove(from);
    });
  }

  #expire(): void {
    const id = this.#anyId();
    const key = this.#handles.modelled(id);
    this.#under([key], () => {
      const { ref, expected } = this.#lookup(id, key);
      if (ref === 0) return;
      const expireAtMs = this.#expireAtMs();
      this.#handles.space(key).setExpire(DB, ref, expireAtMs);
      this.#model.set(id, { ...expected, expireAtMs });
    });
  }

  /** Reads a long value without the latch, as a reply does that is sent. */
  #stream(): void {
    const id = this.#anyId();
    const key = this.#handles.modelled(id);
    const { externals } = this.#handles.space(key);
    let run = 0;
    let version = 0;
    this.#under([key], () => {
      const { ref, expected } = this.#lookup(id, key);
      if (ref === 0) return;
      const space = this.#handles.space(key);
      if (space.encoding(ref) !== STRING_EXTERNAL) return;
      run = space.valueRef(ref);
      version = expected.version;
      externals.pin(run);
    });
    if (run === 0) return;
    const [bytes, off] = [externals.bytes(run), externals.offset(run)];
    checkVersion(version, bytes, off, externals.length(run));
    externals.unpin(run);
  }

  #pair(): { ids: [number, number]; keys: [Key, Key] } {
    const first = KEY_COUNT + 2 * this.#random.below(PAIR_COUNT);
    const ids: [number, number] = [first, first + 1];
    const keys = ids.map((id) => this.#handles.modelled(id));
    return { ids, keys: keys as [Key, Key] };
  }

  #writePair(): void {
    const { ids, keys } = this.#pair();
    const made = {
      version: this.#model.newVersion(),
      length: this.#length(),
      expireAtMs: 0,
    };
    writeVersion(made.version, this.#source, 0, 0, made.length);
    this.#under(keys, () => {
      for (const i of [0, 1] as const) this.#store(ids[i], keys[i], made);
    });
  }

  #readPair(): void {
    const { ids, keys } = this.#pair();
    this.#under(keys, () => {
      const [a, b] = ids.map((id, i) => this.#lookup(id, keys[i]!).expected);
      if (a!.version === b!.version && a!.length === b!.length) return;
      throw new Error(`half a pair: ${JSON.stringify([a, b])}`);
    });
  }

  /** A burst of keys of this worker's own comes, or goes. */
  #crowd(): void {
    const count = this.#crowdLast - this.#crowdFirst;
    if (count === 0) this.#crowdGrows = true;
    if (count > CROWD_MAX) this.#crowdGrows = false;
    for (let i = 0; i < 50; i++) {
      if (this.#crowdGrows) this.#come();
      else if (this.#crowdFirst < this.#crowdLast) this.#leave();
    }
  }

  #crowdKey(number: number): Key {
    return this.#handles.key(`crowd:${this.#index}:${number}`);
  }

  #come(): void {
    const number = this.#crowdLast++;
    const key = this.#crowdKey(number);
    const length = number % 60;
    writeVersion(number, this.#source, 0, 0, length);
    this.#under([key], () => {
      this.#handles.space(key).strings.set(
        ...[CROWD_DB, key, 0, this.#source, 0] as const,
        ...[length, STRING_RAW, number % 3 === 0 ? 1e9 : 0] as const,
      );
    });
  }

  #leave(): void {
    const number = this.#crowdFirst++;
    const key = this.#crowdKey(number);
    this.#under([key], () => {
      const space = this.#handles.space(key);
      const ref = space.peek(CROWD_DB, key);
      if (ref === 0) throw new Error(`crowd key ${number} is lost`);
      checkVersion(
        number,
        space.bytes(ref),
        space.strings.off(ref),
        space.strings.length(ref),
      );
      space.delete(CROWD_DB, ref);
    });
  }

  /** A whole scan, its latch given back at every step. */
  #scan(): void {
    const space = this.#random.pick(this.#handles.keyspaces);
    const { control, dict, shard } = space;
    const header = keysAt(DB);
    let cursor = 0;
    do {
      this.#handles.latches.acquire(shard);
      cursor = dict.scan(control, header, cursor, (ref) => {
        const id = this.#handles.idOf(space, ref);
        checkEntry(space, ref, this.#model.get(id));
      });
      this.#handles.latches.release(shard);
    } while (cursor !== 0);
  }

  #defragment(): void {
    const space = this.#random.pick(this.#handles.keyspaces);
    const db = this.#random.pick([DB, CROWD_DB]);
    this.#handles.latches.acquire(space.shard);
    space.heap.preferFullSlabs();
    const positions = space.dict.cursorCount(
      space.control,
      keysAt(db),
    );
    this.#slice.run(space, db, this.#random.below(Math.max(1, positions)));
    if (this.#random.chance(0.1)) space.heap.releaseReserve();
    this.#handles.latches.release(space.shard);
  }
}

function copyTo(...all: Parameters<typeof moveEntry>): void {
  const [source, , ref, ...target] = all;
  copyEntry(source, ref, ...target);
}

function checkEntry(space: Keyspace, ref: number, expected: Expected): void {
  const length = space.strings.length(ref);
  if (length !== expected.length) {
    throw new Error(`length ${length} instead of ${expected.length}`);
  }
  if (space.expireAt(ref) !== expected.expireAtMs) {
    throw new Error("the expire of another value");
  }
  checkVersion(
    expected.version,
    space.strings.bytes(ref),
    space.strings.off(ref),
    length,
  );
}

/** Hash commands while memory is short: all is done, or nothing. */
import { assert, assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { hashSlot } from "../../../../src/core/base/crc16.ts";
import { halfSipHash } from "../../../../src/core/base/half_siphash.ts";
import type { Call } from "../../../../src/core/commands/call.ts";
import { HASH_COMMANDS } from "../../../../src/core/commands/hash.ts";
import { HASH_EXPIRE_COMMANDS } from "../../../../src/core/commands/hash_expire.ts";
import { HASH_GETSET_COMMANDS } from "../../../../src/core/commands/hash_getset.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { Shards } from "../keyspace/_fixture.ts";
import { callOn } from "./_call.ts";
import { freeDetached } from "../../../../src/core/keyspace/detached_values.ts";

const OPERATIONS = 4000;
const KEYS = ["a", "b", "c"];
const ROWS = [
  ...HASH_COMMANDS,
  ...HASH_EXPIRE_COMMANDS,
  ...HASH_GETSET_COMMANDS,
];

/** Runs commands as an executor would, in an arena that may be full. */
class Commands {
  readonly shards = new Shards({
    shards: 2,
    databases: 1,
    arenaBytes: 4 << 20,
  });
  readonly call: Call;
  readonly #fillers: number[] = [];

  constructor() {
    this.call = callOn(this.shards, 1_000_000);
  }

  /** The reply; null where memory ran out. */
  run(...argv: string[]): string | null {
    const { call, shards } = this;
    const { args, reply } = call;
    args.clear();
    args.buf = latin1BytesOf(argv.join(""));
    let at = 0;
    for (const word of argv) {
      args.add(at, word.length);
      at += word.length;
    }
    const key = call.ensureKey(0);
    key.buf = args.buf;
    key.off = args.off[1]!;
    key.length = args.length[1]!;
    key.hash = halfSipHash(key.buf, key.off, key.length, 1, 2);
    key.shard = hashSlot(key.buf, key.off, key.length) %
      shards.keyspaces.length;
    call.keyCount = 1;
    reply.reset();
    try {
      ROWS.find((row) => row.name === argv[0]!.toLowerCase())!.run!(call);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      call.dropUnfilled();
      return null;
    }
    return String.fromCharCode(...reply.buf.subarray(0, reply.at));
  }

  /** Leaves at most so many objects of each size. */
  fill(): void {
    for (const { heap } of this.shards.keyspaces) {
      for (let units = 1 << 14; units > 0; units >>= 1) {
        for (let ref; (ref = heap.tryAllocate(units)) !== 0;) {
          this.#fillers.push(ref);
        }
      }
    }
  }

  /** Makes some room, or all of it. */
  release(share: number, random: Random): void {
    const kept: number[] = [];
    for (const ref of this.#fillers) {
      if (!random.chance(share)) kept.push(ref);
      else this.spaceOf(ref).heap.free(ref);
    }
    this.#fillers.length = 0;
    this.#fillers.push(...kept);
  }

  /** The keyspace whose slab or run an object lies in. */
  spaceOf(ref: number) {
    const map = this.shards.arena.pageMap;
    let page = ref >>> 9;
    if ((map[page * 8]! & 0xff) === 4) page = map[page * 8 + 2]!;
    return this.shards.keyspaces[map[page * 8 + 2]!]!;
  }
}

seeded("hash commands in a full arena lose nothing", (random) => {
  const commands = new Commands();
  const { shards } = commands;
  const model = new Map<string, string>();
  let failures = 0;
  for (let i = 0; i < OPERATIONS; i++) {
    if (i % 200 === 50) commands.fill();
    if (i % 200 === 120) commands.release(0.01, random);
    if (i % 200 === 180) commands.release(1, random);
    const key = random.pick(KEYS);
    const field = `f${random.below(300)}`;
    const name = `${key} ${field}`;
    const value = random.pick([
      () => String(random.below(1000)),
      () => "v".repeat(random.below(64)),
      () => "w".repeat(random.below(400)),
    ])();
    const had = model.get(name);
    switch (random.below(8)) {
      case 0:
      case 1:
        if (commands.run("HSET", key, field, value) === null) failures++;
        else model.set(name, value);
        break;
      case 2: {
        const argv = ["HSETEX", key, "EX", "100", "FIELDS", "1", field, value];
        if (commands.run(...argv) === null) failures++;
        else model.set(name, value);
        break;
      }
      case 3: {
        const reply = commands.run("HINCRBY", key, field, "7");
        if (reply === null) failures++;
        else if (reply.startsWith(":")) model.set(name, reply.slice(1, -2));
        break;
      }
      case 4:
        assert(commands.run("HDEL", key, field) !== null);
        model.delete(name);
        break;
      case 5:
        if (
          commands.run("HEXPIRE", key, "100", "FIELDS", "1", field) === null
        ) failures++;
        break;
      case 6:
        commands.run("HPERSIST", key, "FIELDS", "1", field);
        break;
      default:
        assertEquals(
          commands.run("HGET", key, field),
          had === undefined ? "$-1\r\n" : `$${had.length}\r\n${had}\r\n`,
        );
    }
    if (i % 100 > 0) continue;
    for (const each of KEYS) {
      const count = [...model.keys()].filter((n) => n.startsWith(each)).length;
      assertEquals(commands.run("HLEN", each), `:${count}\r\n`);
      const ref = shards.space(shards.key(each)).peek(0, shards.key(each));
      assertEquals(ref !== 0, count > 0, "no hash is empty");
    }
  }
  assert(failures > 20, `${failures}`);
  commands.release(1, random);
  shards.verify();
  for (const [name, value] of model) {
    const [key, field] = name.split(" ") as [string, string];
    assertEquals(
      commands.run("HGET", key, field),
      `$${value.length}\r\n${value}\r\n`,
    );
  }
  for (const key of KEYS) shards.delete(key);
  for (const space of shards.keyspaces) while (!freeDetached(space, 1000));
  shards.verifyEmpty();
});

/** What the stream commands do when memory ends in the middle of one. */
import { assert, assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { halfSipHash } from "../../../../src/core/base/half_siphash.ts";
import type { Call } from "../../../../src/core/commands/call.ts";
import { STREAM_COMMANDS } from "../../../../src/core/commands/stream.ts";
import { STREAM_GROUP_COMMANDS } from "../../../../src/core/commands/stream_group.ts";
import { STREAM_INFO_COMMANDS } from "../../../../src/core/commands/stream_info.ts";
import { STREAM_CLAIM_COMMANDS } from "../../../../src/core/commands/stream_claim.ts";
import { STREAM_PENDING_COMMANDS } from "../../../../src/core/commands/stream_pending.ts";
import { STREAM_READ_COMMANDS } from "../../../../src/core/commands/stream_read.ts";
import { OutOfMemory } from "../../../../src/core/memory/heap.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { ReplyParser, toBinary } from "../../../_resp_reply.ts";
import { Shards } from "../keyspace/_fixture.ts";
import { callOn } from "./_call.ts";
import { ROUNDS } from "../memory/_memory.ts";
import { freeDetached } from "../../../../src/core/keyspace/detached_values.ts";

const NOW_MS = 1_700_000_000_000;
const GROUPS = ["g0", "g1", "g2"];
const ROWS = [
  ...STREAM_COMMANDS,
  ...STREAM_READ_COMMANDS,
  ...STREAM_CLAIM_COMMANDS,
  ...STREAM_PENDING_COMMANDS,
  ...[...STREAM_GROUP_COMMANDS, ...STREAM_INFO_COMMANDS].flatMap((row) => [
    row,
    ...(row.subcommands ?? []).map((sub) => ({
      ...sub,
      name: `${row.name} ${sub.name}`,
    })),
  ]),
];

/** Runs commands on one shard as an executor would. */
class Commands {
  readonly shards = new Shards({ shards: 1, arenaBytes: 1 << 19 });
  readonly call: Call;

  constructor() {
    this.call = callOn(this.shards, NOW_MS, {
      // What would be done in slices is done at once then.
      inSlices: () => null,
    });
  }

  /** The reply of a command with one key; null if memory has ended. */
  run(name: string, keyAt: number, ...rest: string[]): string | null {
    const argv = [...name.split(" "), ...rest];
    const { call } = this;
    const { args, reply } = call;
    args.clear();
    args.buf = latin1BytesOf(argv.join(""));
    let at = 0;
    for (const word of argv) {
      args.add(at, word.length);
      at += word.length;
    }
    call.keyCount = 1;
    const key = call.key(0);
    key.buf = args.buf;
    key.off = args.off[keyAt]!;
    key.length = args.length[keyAt]!;
    key.hash = halfSipHash(key.buf, key.off, key.length, 1, 2);
    key.shard = 0;
    reply.reset();
    try {
      ROWS.find((row) => row.name === name)!.run!(call);
    } catch (cause) {
      if (!(cause instanceof OutOfMemory)) throw cause;
      call.dropUnfilled();
      return null;
    }
    const parser = new ReplyParser();
    const bytes = reply.buf.slice(0, reply.at);
    parser.feed(bytes);
    assert(parser.next() !== null, `${argv}: ${toBinary(bytes)}`);
    assertEquals(parser.rest.length, 0, "a command has one reply");
    return toBinary(bytes);
  }

  /** What a stream and its groups say of themselves. */
  show(key: string): string {
    return [
      this.run("xinfo stream", 2, key),
      this.run("xinfo groups", 2, key),
      ...GROUPS.map((group) => this.run("xpending", 1, key, group)),
      ...GROUPS.map((group) => this.run("xinfo consumers", 2, key, group)),
    ].join();
  }

  /** Entries of a stream. */
  length(key: string): number {
    return Number(this.run("xlen", 1, key)!.slice(1));
  }

  verify(key: string): void {
    const space = this.shards.keyspaces[0]!;
    const ref = space.peek(0, this.shards.key(key));
    if (ref !== 0) space.values.streams.verify(ref);
    space.heap.verify();
  }
}

seeded("stream commands keep streams whole without memory", (random) => {
  const commands = new Commands();
  const keys = ["a", "b"];
  let ends = 0;
  for (let i = 0; i < 1200; i++) {
    const key = random.pick(keys);
    const id = `${random.below(i + 1)}-0`;
    const before = commands.show(key);
    const change = drawChange(random, i, key, id);
    if (commands.run(...change) === null) {
      ends++;
      assertEquals(commands.show(key), before, change.join(" "));
    }
    if (i % 20 === 0) { for (const one of keys) commands.verify(one); }
    // Now and then some room.
    if (ends > 0 && random.chance(0.01)) {
      commands.run("xtrim", 1, key, "MAXLEN", String(random.below(50)));
    }
  }
  assert(ends > 20, `memory ended ${ends} times`);
  const space = commands.shards.keyspaces[0]!;
  for (const key of keys) {
    commands.verify(key);
    const ref = space.peek(0, commands.shards.key(key));
    if (ref !== 0) space.delete(0, ref);
  }
  while (!freeDetached(space, 1000));
  commands.shards.verifyEmpty();
}, { count: ROUNDS });

seeded("memory that ends in a slice ends the reply there", (random) => {
  const commands = new Commands();
  const entries = 2000;
  for (let i = 1; i <= entries; i++) {
    commands.run("xadd", 1, "a", `${i}-0`, "f", "v");
  }
  commands.run("xgroup create", 2, "a", "g0", "0");
  /** What is pending with a consumer. */
  const pending = (consumer: string) => {
    const reply = commands
      .run("xpending", 1, "a", "g0", "-", "+", "9999", consumer)!;
    return Number(/^\*(\d+)/.exec(reply)![1]);
  };
  const ids = Array.from({ length: entries }, (_, i) => `${i + 1}-0`);
  const { heap } = commands.shards.keyspaces[0]!;
  const allocate = heap.allocate.bind(heap);
  let ends = 0;
  for (const [consumer, ...change] of SLICED) {
    const before = pending(consumer);
    const [name, keyAt, ...rest] = change as Change;
    let left = 40 + random.below(60);
    heap.allocate = (units) => {
      if (left-- === 0) throw new OutOfMemory();
      return allocate(units);
    };
    const reply = commands.run(
      name,
      keyAt,
      ...rest.flatMap((arg) => arg === "IDS" ? ids : arg),
    );
    heap.allocate = allocate;
    commands.verify("a");
    const got = reply === null ? 0 : reply.split("$1\r\nf\r\n").length - 1;
    assertEquals(pending(consumer), before + got, `${name}: ${got}`);
    if (got > 256 && got < entries) ends++;
  }
  assert(ends > 0, "memory has ended in a slice");
}, { count: ROUNDS });

/** Commands that would be done in slices, and for whom. */
const SLICED: readonly [consumer: string, ...change: Change][] = [
  ["x", "xreadgroup", 5, "GROUP", "g0", "x", "STREAMS", "a", ">"],
  ["y", "xreadgroup", 5, "GROUP", "g0", "y", "STREAMS", "a", ">"],
  ["z", "xclaim", 1, "a", "g0", "z", "0", "IDS", "FORCE"],
  ["w", "xautoclaim", 1, "a", "g0", "w", "0", "-", "COUNT", "9999"],
];

type Change = [name: string, keyAt: number, ...rest: string[]];

function drawChange(
  random: Random,
  i: number,
  key: string,
  id: string,
): Change {
  const consumer = `c${random.below(4)}`;
  const group = random.pick(GROUPS);
  const count = String(random.below(200));
  const value = "v".repeat(random.below(random.chance(0.1) ? 20_000 : 1000));
  const next = `${i + 1}-0`;
  const last = `${i}-0`;
  switch (random.below(12)) {
    case 0:
      return ["xgroup create", 2, key, group, "0", "MKSTREAM"];
    case 1:
      return ["xgroup createconsumer", 2, key, group, consumer.repeat(50)];
    case 2:
      return ["xclaim", 1, key, group, consumer, "0", id, last, "FORCE"];
    case 3:
      return ["xautoclaim", 1, key, group, consumer, "0", id, "COUNT", "20"];
    case 4:
      return ["xdel", 1, key, id];
    case 5:
      return ["xack", 1, key, group, id];
    case 6:
    case 7: {
      const who = ["GROUP", group, consumer, "COUNT", count];
      return ["xreadgroup", 7, ...who, "STREAMS", key, ">"];
    }
    default:
      return ["xadd", 1, key, next, "field", value];
  }
}

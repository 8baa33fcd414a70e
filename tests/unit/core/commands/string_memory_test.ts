/** What the string commands do with the memory of long values. */
import { assertEquals } from "@std/assert";
import { hashSlot } from "../../../../src/core/base/crc16.ts";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { halfSipHash } from "../../../../src/core/base/half_siphash.ts";
import type { Call } from "../../../../src/core/commands/call.ts";
import { STRING_COMMANDS } from "../../../../src/core/commands/string.ts";
import { STRING_NUMBER_COMMANDS } from "../../../../src/core/commands/string_numbers.ts";
import { STRING_RANGE_COMMANDS } from "../../../../src/core/commands/string_ranges.ts";
import { SEGMENT_SHIFT } from "../../../../src/core/memory/arena.ts";
import { type Random, seeded } from "../../../_harness.ts";
import { Shards } from "../keyspace/_fixture.ts";
import { callOn } from "./_call.ts";

const NOW_MS = 1_700_000_000_000;
const BIG_BYTES = 64 * 1024;
const ROWS = [
  ...STRING_COMMANDS,
  ...STRING_NUMBER_COMMANDS,
  ...STRING_RANGE_COMMANDS,
];

/** Runs commands as an executor would, on the shards of a fixture. */
class Commands {
  readonly shards = new Shards();
  readonly call: Call;
  /** Whether long arguments come in runs, as if streamed. */
  streams = true;

  constructor() {
    this.call = callOn(this.shards, NOW_MS);
  }

  /** Runs a command whose keys are the arguments from `keyAt` on. */
  run(keyCount: number, keyStep: number, ...argv: string[]): void {
    const { call, shards } = this;
    const { externals } = shards.keyspaces[0]!;
    const args = call.args;
    args.clear();
    args.buf = latin1BytesOf(argv.join(""));
    let at = 0;
    for (const word of argv) {
      if (word.length >= BIG_BYTES && this.streams) {
        const run = externals.create(word.length + 5000);
        externals.setLength(run, word.length);
        externals.bytes(run).set(latin1BytesOf(word), externals.offset(run));
        args.addBig(
          run,
          shards.arena.u8,
          run >>> SEGMENT_SHIFT,
          externals.offset(run),
          word.length,
        );
      } else args.add(at, word.length);
      at += word.length;
    }
    call.keyCount = keyCount;
    for (let i = 0; i < keyCount; i++) {
      const key = call.ensureKey(i);
      const position = 1 + i * keyStep;
      key.buf = args.source(position);
      key.off = args.off[position]!;
      key.length = args.length[position]!;
      key.hash = halfSipHash(key.buf, key.off, key.length, 1, 2);
      key.shard = hashSlot(key.buf, key.off, key.length) %
        shards.keyspaces.length;
    }
    ROWS.find((row) => row.name === argv[0]!.toLowerCase())!.run!(call);
    if (!args.hasBig) return;
    for (let i = 0; i < args.count; i++) {
      const run = args.takeBig(i);
      if (run !== 0) externals.unpin(run);
    }
  }

  /** Lets go of the replies, as if they were sent. */
  send(): void {
    const reply = this.call.reply;
    const { externals } = this.shards.keyspaces[0]!;
    for (const span of reply.spans ?? []) externals.unpin(span.ref);
    reply.reset();
  }
}

Deno.test("a streamed argument becomes the value as it lies there", () => {
  const commands = new Commands();
  const { shards } = commands;
  commands.run(1, 1, "SET", "a", "x".repeat(100_000));
  const used = shards.pages.usedPages;
  commands.run(1, 1, "GET", "a");
  const { spans } = commands.call.reply;
  const key = shards.key("a");
  const space = shards.space(key);
  assertEquals(spans!.map((span) => [span.ref, span.from, span.length]), [
    [space.valueRef(space.peek(0, key)), 0, 100_000],
  ]);
  assertEquals(shards.pages.usedPages, used);
  commands.run(1, 1, "GETDEL", "a");
  commands.send();
  shards.verifyEmpty();
});

seeded("no string command loses or keeps memory", (random) => {
  const commands = new Commands();
  const { shards } = commands;
  for (let step = 0; step < 400; step++) {
    commands.streams = random.chance(0.7);
    runAny(commands, random);
    if (random.chance(0.5)) commands.send();
  }
  commands.send();
  shards.verify();
  for (const key of ["a", "b", "c"]) commands.run(1, 1, "GETDEL", key);
  commands.send();
  shards.verifyEmpty();
});

function runAny(commands: Commands, random: Random): void {
  const length = random.pick([0, 5, 50, 3000, 20_000, 65_535, 65_536, 150_000]);
  const value = random.chance(0.2) ? "12345" : "v".repeat(length);
  const key = random.pick(["a", "b", "c"]);
  const other = random.pick(["a", "b", "c"]);
  switch (random.below(16)) {
    case 0:
      return commands.run(1, 1, "SET", key, value, "GET");
    case 1:
      return commands.run(1, 1, "SET", key, value, "NX");
    case 2:
      return commands.run(1, 1, "SET", key, value, "XX", "KEEPTTL");
    case 3:
      return commands.run(1, 1, "SETEX", key, "100", value);
    case 4:
      return commands.run(1, 1, "GETSET", key, value);
    case 5:
      return commands.run(1, 1, "GETDEL", key);
    case 6:
      return commands.run(1, 1, "GETEX", key, "EX", "100");
    case 7:
      return commands.run(1, 1, "GETEX", key, "PXAT", "1");
    case 8:
      return commands.run(2, 2, "MSET", key, value, other, value);
    case 9:
      return commands.run(2, 2, "MSETNX", key, value, other, value);
    case 10:
      return commands.run(2, 1, "MGET", key, other);
    case 11:
      return commands.run(1, 1, "APPEND", key, value);
    case 12:
      return commands.run(1, 1, "SETRANGE", key, String(length), value);
    case 13:
      return commands.run(1, 1, "GETRANGE", key, "1", "70000");
    case 14:
      return commands.run(1, 1, "INCRBYFLOAT", key, "1.5");
    default:
      return commands.run(1, 1, "INCR", key);
  }
}

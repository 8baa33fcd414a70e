/**
 * The effect log: what is recorded comes out of the ring, in order and whole.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { bytesOf, latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { EffectDraft } from "../../../../src/core/keyspace/effect_draft.ts";
import { EffectLog } from "../../../../src/core/keyspace/effect_log.ts";
import {
  CommandReader,
  putVarint,
  recordBytes,
} from "../../../../src/core/keyspace/effect_record.ts";
import {
  LOG_IS_ON,
  LOG_NEXT_TICKET,
  makeEffectBuffers,
  RING_DRAINED,
  RING_WAITING,
  RING_WRITTEN,
} from "../../../../src/core/keyspace/effect_ring.ts";
import { byteOf } from "../../../../src/core/memory/arena.ts";
import { Arguments } from "../../../../src/core/resp/arguments.ts";
import {
  REQUEST,
  RequestParser,
} from "../../../../src/core/resp/request_parser.ts";
import { Random } from "../../../_random.ts";
import { request } from "../commands/_request.ts";
import { RingDrain } from "../../../../src/engine/persistence/ring_drain.ts";
import { Shards } from "./_fixture.ts";
import { EffectDrain, linesOf, recordsIn } from "./_effects.ts";

function logOf(ringBytes = 1 << 12) {
  const buffers = makeEffectBuffers(1, ringBytes);
  const drain = new EffectDrain(buffers);
  drain.isOn = true;
  return { buffers, log: new EffectLog(buffers), drain };
}

function run(log: EffectLog, line: string, isChange = true, db = 0): void {
  log.begin();
  log.endCommand(db, request(...line.split(" ")), isChange);
  log.publish();
}

Deno.test("effect log: a change is recorded as it was given", () => {
  const { log, drain } = logOf();
  run(log, "SET a 1");
  run(log, "GET a", false);
  run(log, "DEL a", true, 3);
  const records = drain.take();
  assertEquals(linesOf(records), ["SET a 1", "3> DEL a"]);
  assertEquals(records.map(({ ticket }) => ticket), [0, 1]);
  assertEquals(log.lastTicket, 1);
  assertEquals(drain.take(), []);
});

Deno.test("effect log: one that is off is never on", () => {
  const log = new EffectLog();
  assert(!log.isOn);
  assert(!log.isCongested);
  log.deletion(0, bytesOf("a"), 0, 1);
  log.asGiven(0, request("FLUSHALL"));
});

Deno.test("effect log: commands in the place of another, and before it", () => {
  const { log, drain } = logOf();
  const args = request("SET", "k", "v", "EX", "10");
  log.begin();
  log.deletion(0, bytesOf("k"), 0, 1);
  log.replace(0, bytesOf("SET"), 5).argument(args, 1).argument(args, 2)
    .constant(bytesOf("PXAT")).integer(1_700_000_010_000);
  log.endCommand(0, args, true);
  log.begin();
  log.silence();
  log.endCommand(0, request("SPOP", "s", "0"), true);
  log.begin();
  log.also(2, bytesOf("DEL"), 2).constant(bytesOf("x"));
  log.endCommand(2, request("GET", "x"), false);
  assertEquals(drain.take(), [], "not published yet");
  log.publish();
  assertEquals(linesOf(drain.take()), [
    "DEL k; SET k v PXAT 1700000010000",
    "2> DEL x",
  ]);
});

Deno.test("effect log: a transaction is one record", () => {
  const { log, drain } = logOf();
  log.begin();
  run(log, "SET a 1");
  run(log, "GET a", false);
  run(log, "INCR a", true, 1);
  log.asGiven(1, request("FLUSHDB"));
  log.end();
  log.begin();
  log.end();
  log.publish();
  assertEquals(linesOf(drain.take()), ["SET a 1; 1> INCR a; 1> FLUSHDB"]);
});

Deno.test("effect log: long arguments are copied when the record is published", () => {
  const { log, drain } = logOf(1 << 22);
  const { keyspaces: [space], pages } = new Shards({ shards: 1 });
  const { heap, arena } = space!;
  const used = pages.usedPages;
  const texts = ["a", "b"].map((letter) => letter.repeat(600_000));
  const runs = texts.map((text) => {
    const run = heap.allocate(text.length >> 2);
    heap.setSteady(run);
    const buf = arena.u8[0]!;
    buf.set(bytesOf(text), byteOf(run) + 8);
    return { run, buf, off: byteOf(run) + 8, length: text.length };
  });
  log.begin();
  log.replace(0, bytesOf("SREM"), 5).constant(bytesOf("set"));
  for (const { buf, off, length } of runs) log.lasting(heap, buf, off, length);
  log.constant(bytesOf("short"));
  for (const { run } of runs) heap.free(run);
  log.endCommand(0, request("SPOP", "set", "3"), true);
  log.begin();
  log.endCommand(0, request("SET", "a", "1"), true);
  assert(pages.usedPages > used, "they are kept");
  log.publish();
  assertEquals(pages.usedPages, used);
  const lines = linesOf(drain.take());
  assert(lines[0] === `SREM set ${texts[0]} ${texts[1]} short`);
  assertEquals(lines.slice(1), ["SET a 1"]);
});

Deno.test("effect log: outside of commands each deletion is a record", () => {
  const { log, drain } = logOf();
  log.deletion(0, bytesOf("xay"), 1, 1);
  log.deletion(0, bytesOf("b"), 0, 1);
  log.asGiven(0, request("SWAPDB", "0", "1"));
  log.publish();
  assertEquals(linesOf(drain.take()), ["DEL a", "DEL b", "SWAPDB 0 1"]);
});

Deno.test("effect log: a record that is larger than the ring goes in pieces", () => {
  const { buffers, log } = logOf(256);
  const drain = new RingDrain(buffers.rings[0]!);
  const control = new Int32Array(buffers.rings[0]!);
  const value = "v".repeat(5000);
  run(log, "SET a 1");
  run(log, `SET b ${value}`);
  run(log, "SET c 1");
  assert(log.isCongested);
  assert(control[RING_WAITING]! > 4000);
  for (let pieces = 0; log.isCongested; pieces++) {
    assert(pieces < 100, "the pieces come to an end");
    assertEquals(drain.fill() > 0, true);
    log.flush();
  }
  drain.fill();
  drain.scan(false, 0);
  assertEquals(control[RING_WAITING], 0);
  assertEquals(drain.count, 3);
  assertEquals(drain.firstTicket, 0);
  assertEquals(drain.lastTicket, 2);
  assertEquals(linesOf(recordsIn(drain)), [
    "SET a 1",
    `SET b ${value}`,
    "SET c 1",
  ]);
});

Deno.test("effect log: what has come in part is not counted", () => {
  const { buffers, log } = logOf(256);
  const drain = new RingDrain(buffers.rings[0]!);
  const take = () => {
    drain.fill();
    drain.scan(false, 0);
  };
  run(log, "SET a 1");
  run(log, `SET b ${"v".repeat(1000)}`);
  take();
  assertEquals(drain.count, 1);
  drain.drop();
  assertEquals(drain.frameBytes, 0);
  while (drain.count === 0) {
    log.flush();
    take();
  }
  assertEquals([drain.count, drain.firstTicket], [1, 1]);
});

Deno.test("effect log: positions and tickets wrap", () => {
  const buffers = makeEffectBuffers(1, 256);
  const words = new Int32Array(buffers.words);
  words[LOG_IS_ON] = 1;
  words[LOG_NEXT_TICKET] = -2;
  const control = new Int32Array(buffers.rings[0]!);
  control[RING_WRITTEN] = control[RING_DRAINED] = 0x7fffff00;
  const log = new EffectLog(buffers);
  const drain = new EffectDrain(buffers);
  const tickets: number[] = [];
  for (let i = 0; i < 40; i++) {
    run(log, `SET key:${i} ${"v".repeat(i)}`);
    for (const { ticket, commands } of drain.take()) {
      tickets.push(ticket);
      assertEquals(commands[0]!.argv[1], `key:${i}`);
      assertEquals(commands[0]!.argv[2]!.length, i);
    }
  }
  assertEquals(tickets.length, 40);
  assertEquals(tickets.slice(0, 4), [0xfffffffe, 0xffffffff, 0, 1]);
  assert(control[RING_WRITTEN]! < 0, "the position has wrapped");
});

Deno.test("effect log: random records come out as they went in", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const { log, drain } = logOf(1 << (8 + random.below(4)));
    const wanted: string[] = [];
    const got: string[] = [];
    for (let i = 0; i < 400; i++) {
      const words = Array.from(
        { length: 1 + random.below(4) },
        () =>
          String.fromCharCode(33 + random.below(200)).repeat(
            1 + random.below(random.below(10) === 0 ? 900 : 40),
          ),
      );
      const size = random.below(4) === 0 ? 3 : 1;
      if (size > 1) log.begin();
      for (let n = 0; n < size; n++) {
        log.begin();
        const args = request("x");
        args.clear();
        args.buf = latin1BytesOf(words.join(""));
        let at = 0;
        for (const { length } of words) {
          args.add(at, length);
          at += length;
        }
        log.endCommand(0, args, true);
      }
      if (size > 1) log.end();
      wanted.push(Array(size).fill(words.join(" ")).join("; "));
      if (random.below(3) === 0) log.publish();
      if (random.below(3) === 0 || log.isCongested) {
        got.push(...linesOf(drain.take()));
        log.flush();
      }
    }
    while (got.length < wanted.length) {
      log.publish();
      got.push(...linesOf(drain.take()));
      log.flush();
    }
    assertEquals(got, wanted, `seed ${seed}`);
  }
});

/** What a parser makes of requests that come together. */
function pipeline(lines: readonly string[]): Arguments[] {
  const buf = latin1BytesOf(
    lines.map((line) => {
      const words = line.split(" ");
      return `*${words.length}\r\n` +
        words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
    }).join(""),
  );
  const parser = new RequestParser();
  return lines.map(() => {
    const args = new Arguments();
    args.buf = buf;
    assertEquals(parser.next(args, buf.length), REQUEST);
    // As one that was looked up ahead of time, and has one key.
    args.command = 1;
    return args;
  });
}

Deno.test("effect log: requests that follow each other are one record", () => {
  const { log, drain } = logOf();
  const record = (args: Arguments, isChange = true, db = 0) => {
    log.begin();
    log.endCommand(db, args, isChange);
  };
  const take = () => {
    log.publish();
    return linesOf(drain.take());
  };
  const sets = ["SET a 1", "SET b 2", "INCR c", "SET d 3", "SET e 4"];
  const [a, b, c, d, e] = pipeline(sets) as [
    Arguments,
    Arguments,
    Arguments,
    Arguments,
    Arguments,
  ];
  for (const args of [a, b, c, d, e]) record(args);
  assertEquals(drain.take(), [], "not published yet");
  assertEquals(take(), [sets.join("; ")]);
  assertEquals(log.lastTicket, 0);
  // One that changes nothing, another database, one that looks further.
  record(a);
  record(b);
  record(c, false);
  record(d);
  record(e, true, 2);
  assertEquals(take(), ["SET a 1; SET b 2", "SET d 3", "2> SET e 4"]);
  c.command = -1;
  for (const args of [a, b, c, d, e]) record(args);
  assertEquals(take(), ["SET a 1; SET b 2", "INCR c", "SET d 3; SET e 4"]);
  c.command = 1;
  // What is recorded in other words, and in a transaction, keeps its place.
  record(a);
  record(b);
  log.deletion(0, bytesOf("x"), 0, 1);
  record(c);
  log.begin();
  record(d);
  record(e);
  log.end();
  assertEquals(take(), [
    "SET a 1; SET b 2",
    "DEL x",
    "INCR c",
    "SET d 3; SET e 4",
  ]);
  // Who asks for the ticket gets one of its own.
  const last = log.lastTicket;
  record(a);
  assertEquals(log.lastTicket, last + 1);
  record(b);
  assertEquals(log.lastTicket, last + 2);
  assertEquals(take(), ["SET a 1", "SET b 2"]);
  // Arguments that lie elsewhere are recorded, too.
  record(a.take());
  record(b);
  assertEquals(take(), ["SET a 1", "SET b 2"]);
});

Deno.test("effect log: others may come between two requests", () => {
  const buffers = makeEffectBuffers(2, 1 << 12);
  const drain = new EffectDrain(buffers);
  drain.isOn = true;
  const log = new EffectLog(buffers);
  for (const args of pipeline(["SET a 1", "SET b 2"])) {
    log.begin();
    log.endCommand(0, args, true);
  }
  log.publish();
  assertEquals(linesOf(drain.take()), ["SET a 1", "SET b 2"]);
});

Deno.test("effect log: pipelines of any size come out as they went in", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new Random(seed);
    const { log, drain } = logOf(1 << (8 + random.below(8)));
    const wanted: string[] = [];
    const got: string[] = [];
    const take = () => {
      log.publish();
      for (const { commands } of drain.take()) {
        got.push(...commands.map(({ argv }) => argv.join(" ")));
      }
      log.flush();
    };
    for (let i = 0; i < 60; i++) {
      const lines = Array.from({ length: 1 + random.below(40) }, (_, n) => {
        const length = random.below(random.below(10) === 0 ? 3000 : 60);
        return `SET key:${i}:${n} ${"v".repeat(length)}`;
      });
      for (const [n, args] of pipeline(lines).entries()) {
        if (random.below(5) === 0) args.command = -1;
        const isChange = random.below(9) !== 0;
        log.begin();
        log.endCommand(0, args, isChange);
        if (isChange) wanted.push(lines[n]!);
      }
      log.publish();
      if (random.below(3) === 0 || log.isCongested) take();
    }
    while (got.length < wanted.length) take();
    assertEquals(got, wanted, `seed ${seed}`);
  }
});

Deno.test("effect records: a damaged batch is noticed", () => {
  const text = "*2\r\n$3\r\nDEL\r\n$1\r\na\r\n*1\r\n$1\r\nx\r\n";
  const body = Uint8Array.of(0, 0, 2, 0, 0, ...latin1BytesOf(text));
  const reader = new CommandReader();
  const count = (bytes: Uint8Array) => {
    reader.reset(bytes, 0, bytes.length);
    let commands = 0;
    while (reader.next()) {
      assert(reader.isOfBatch);
      commands++;
    }
    return reader.isDamaged ? -1 : commands;
  };
  assertEquals(count(body), 2);
  const first = body.length - "*1\r\n$1\r\nx\r\n".length;
  for (let length = 1; length < body.length; length++) {
    const left = length === first ? 1 : -1;
    assertEquals(count(body.slice(0, length)), left, `cut at ${length}`);
  }
  for (const [from, to] of [["*2", "*0"], ["$3", "$9"], ["$1", "$x"]]) {
    const bad = latin1BytesOf(text.replace(from!, to!));
    assertEquals(count(Uint8Array.of(0, 0, 0, ...bad)), -1, to!);
  }
});

Deno.test("effect records: damaged bytes are noticed", () => {
  const reader = new CommandReader();
  const body = Uint8Array.of(0, 2, 3, 0x44, 0x45, 0x4c, 1, 0x61);
  reader.reset(body, 0, body.length);
  assert(reader.next());
  assertEquals([reader.db, reader.args.count], [0, 2]);
  assert(!reader.next());
  assert(!reader.isDamaged);
  for (let length = 1; length < body.length; length++) {
    reader.reset(body, 0, length);
    assert(!reader.next(), `cut at ${length}`);
    assert(reader.isDamaged);
  }
  const huge = new Uint8Array(8);
  putVarint(huge, 2, 0x7fffffff);
  huge[1] = 1;
  reader.reset(huge, 0, huge.length);
  assert(!reader.next() && reader.isDamaged);
  reader.reset(Uint8Array.of(0, 0), 0, 2);
  assert(!reader.next() && reader.isDamaged, "no arguments");
  reader.reset(new Uint8Array(8).fill(0xff), 0, 8);
  assert(!reader.next() && reader.isDamaged, "an endless varint");
});

Deno.test("effect log: a record that was prepared is that of its command", () => {
  const { log, drain } = logOf(1 << 23);
  const long = request("SET", "long", "v".repeat(2 << 20));
  const record = (args = long, isChange = true) => {
    log.begin();
    log.endCommand(0, args, isChange);
  };
  const expected: string[] = [];
  log.prepare(0, long);
  // Another command comes first, or a deletion does.
  record(request("SET", "a", "1"));
  record();
  log.forgetPrepared();
  record(request("SET", "b", "1"));
  const text = `SET long ${"v".repeat(2 << 20)}`;
  expected.push("SET a 1", text, "SET b 1");
  assert(log.isCongested, "not in the ring while latches are held");
  log.publish();
  assertEquals(linesOf(drain.take()), expected);
  // It has changed nothing after all.
  log.prepare(0, long);
  record(long, false);
  log.forgetPrepared();
  record(request("SET", "c", "1"));
  log.publish();
  assertEquals(linesOf(drain.take()), ["SET c 1"]);
  // Behind a deletion it is used, too.
  log.prepare(0, long);
  log.begin();
  log.deletion(0, bytesOf("long"), 0, 4);
  log.endCommand(0, long, true);
  log.forgetPrepared();
  for (let i = 0; i < 3; i++) {
    log.prepare(0, long);
    record();
    log.forgetPrepared();
  }
  for (let i = 0; i < 100_000; i++) record(request("INCR", "n"));
  log.publish();
  const lines: string[] = [];
  for (let tries = 0; log.isCongested || lines.length < 100_004; tries++) {
    assert(tries < 1000, "all come out");
    lines.push(...linesOf(drain.take()));
    log.flush();
  }
  assertEquals(lines.filter((line) => line.endsWith(text)).length, 4);
  assertEquals(lines.filter((line) => line === "INCR n").length, 100_000);
  assertEquals(log.lastTicket, 3 + 1 + 4 + 100_000 - 1);
});

Deno.test("effect log: what is long is recorded in parts, of whole commands", () => {
  const { log, drain } = logOf(1 << 23);
  const long = "x".repeat(700_000);
  const draft = new EffectDraft();
  for (let i = 0; i < 4; i++) {
    draft.command(0, 3).constant(bytesOf("SET")).constant(bytesOf(`d${i}`))
      .constant(bytesOf(long));
  }
  log.partBytes = 1 << 20;
  log.begin();
  run(log, `SET a ${long}`);
  run(log, "SET b 1");
  run(log, `SET c ${long}`);
  log.replaceWith(draft);
  run(log, "SET e 1");
  log.end();
  run(log, "SET f 1");
  const records = drain.take();
  assertEquals(
    records.map(({ commands }) => commands.map(({ argv }) => argv[1])),
    [["a", "b", "c"], ["d0", "d1"], ["d2", "d3"], ["e"], ["f"]],
  );
  assertEquals(records.map(({ ticket }) => ticket), [0, 1, 2, 3, 4]);
  assertEquals(log.lastTicket, 4);
  // One command is not parted.
  log.partBytes = 64;
  run(log, `SET a ${long}`);
  assertEquals(drain.take().length, 1);
});

Deno.test("effect log: a command that is too long for a record is not prepared", () => {
  const { log, drain } = logOf();
  log.commandBytesMax = 40;
  assert(log.prepare(0, request("SET", "a", "x".repeat(11))));
  log.forgetPrepared();
  assert(!log.prepare(0, request("SET", "a", "x".repeat(12))));
  run(log, "SET b 1");
  assertEquals(linesOf(drain.take()), ["SET b 1"]);
});

Deno.test("effect records: sizes beyond 31 bits", () => {
  assertEquals(recordBytes(2 ** 31 + 1), 2 ** 31 + 12);
  assertEquals(recordBytes(2 ** 32 - 4), 2 ** 32 + 4);
});

Deno.test("effect log: long drafts, among other things", () => {
  const random = new Random(11);
  const { log, drain } = logOf(1 << 18);
  const value = () =>
    "v".repeat(
      random.below(60) === 0 ? random.below(600_000) : random.below(100),
    );
  const expected: string[] = [];
  const lines: string[] = [];
  const addDraft = (log: EffectLog) => {
    const draft = new EffectDraft();
    const before = random.below(3) === 0 ? "DEL key" : "";
    if (before !== "") {
      log.replace(0, bytesOf("DEL"), 2).constant(bytesOf("key"));
      log.moveInto(draft);
    }
    const commands = Array.from({ length: random.below(4) }, () => {
      const words = Array.from({ length: random.below(400) }, value);
      draft.replace(0, bytesOf("NAME"), 2 + words.length).integer(-12);
      for (const word of words) draft.constant(bytesOf(word));
      return ["NAME", "-12", ...words].join(" ");
    });
    draft.recordIn(log);
    return [before, ...commands].filter((line) => line !== "");
  };
  const addCommand = (log: EffectLog) => {
    const word = value();
    log.replace(0, bytesOf("OTHER"), 2).constant(bytesOf(word));
    return [`OTHER ${word}`];
  };
  const addCollected = (log: EffectLog) => {
    const collecting = new EffectLog();
    collecting.collects = true;
    collecting.begin();
    const given = [...addDraft(collecting), ...addCommand(collecting)];
    log.replaceWithCollected(collecting.endCollected()!);
    return given;
  };
  const ways = [addDraft, addCommand, addCollected];
  for (let round = 0; round < 60; round++) {
    log.begin();
    const given = ways[random.below(3)]!(log);
    const more = random.below(3);
    const others = [addCommand, addCollected];
    for (let i = 0; i < more; i++) given.push(...others[i]!(log));
    log.endCommand(0, request("GIVEN"), true);
    if (given.length > 0) expected.push(given.join("; "));
    log.publish();
    if (random.below(2) === 0) lines.push(...linesOf(drain.take()));
    log.flush();
  }
  for (let tries = 0; lines.length < expected.length; tries++) {
    assert(tries < 10_000, "all come out");
    lines.push(...linesOf(drain.take()));
    log.flush();
  }
  assertEquals(lines.length, expected.length);
  for (const [i, line] of lines.entries()) {
    assert(line === expected[i], `${i}: ${line.slice(0, 80)}`);
  }
});

Deno.test("effect log: other words around arguments that were prepared", () => {
  const random = new Random(7);
  const { log, drain } = logOf(1 << 20);
  const word = (i: number) => `${"abcdefgh"[i]}`.repeat(lengthOf());
  const lengthOf = () =>
    random.below(3) === 0
      ? 16_000 + random.below(2) * 700_000 + random.below(1000)
      : 1 + random.below(20);
  const words = ["PXAT", "x".repeat(300), "y".repeat(1 << 17)].map(bytesOf);
  const expected: string[] = [];
  const lines: string[] = [];
  for (let round = 0; round < 300; round++) {
    const argv = Array.from({ length: 2 + random.below(6) }, (_, i) => word(i));
    const args = request(...argv);
    const given: string[] = [];
    log.prepare(0, args);
    log.begin();
    if (random.below(2) === 0) {
      log.deletion(0, bytesOf("key"), 0, 3);
      given.push("DEL key");
    }
    const way = random.below(4);
    if (way === 0) {
      const prepared = log.takePrepared(args)!;
      assertEquals(log.takePrepared(args), null);
      const from = random.below(argv.length);
      const head = [bytesOf("NAME"), words[random.below(2)]!];
      const fits = prepared.reword(0, head, from);
      log.replaceWithPrepared(prepared);
      const more = fits ? ["NAME", asText(head[1]!)] : argv.slice(0, from);
      given.push([...more, ...argv.slice(from)].join(" "));
    } else if (way < 3) {
      // One command, or two, with some of the arguments, perhaps not in order.
      for (let command = 0; command < way; command++) {
        const picks = Array.from({ length: 1 + random.below(6) }, (_, i) => {
          if (random.below(3) === 0) return -1 - random.below(words.length);
          return random.below(5) === 0 ? random.below(argv.length) : i;
        }).filter((pick) => pick < argv.length);
        log.replace(0, bytesOf("NAME"), 1 + picks.length);
        for (const pick of picks) {
          if (pick >= 0) log.argument(args, pick);
          else log.constant(words[-1 - pick]!);
        }
        given.push(
          ["NAME"].concat(
            picks.map((i) => i < 0 ? asText(words[-1 - i]!) : argv[i]!),
          ).join(" "),
        );
      }
    } else given.push(argv.join(" "));
    log.endCommand(0, args, true);
    log.forgetPrepared();
    expected.push(given.join("; "));
    if (random.below(3) === 0) log.publish();
    while (random.below(2) === 0) {
      lines.push(...linesOf(drain.take()));
      log.flush();
    }
  }
  log.publish();
  for (let tries = 0; lines.length < expected.length; tries++) {
    assert(tries < 1000, "all come out");
    lines.push(...linesOf(drain.take()));
    log.flush();
  }
  for (const [i, line] of lines.entries()) {
    assert(line === expected[i], `${i}: ${line.slice(0, 80)}`);
  }
});

function asText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

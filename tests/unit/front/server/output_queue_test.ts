import { assert, assertEquals } from "@std/assert";

import { ExternalStrings } from "../../../../src/core/memory/external.ts";
import type { ReplySource } from "../../../../src/core/resp/reply_source.ts";
import { ReplyWriter } from "../../../../src/core/resp/reply_writer.ts";
import { BufferPool } from "../../../../src/front/server/buffer_pool.ts";
import { OutputQueue } from "../../../../src/front/server/output_queue.ts";
import { Memory } from "../../core/memory/_memory.ts";

/** Integers from 0 on, as many as fit the pieces that are asked for. */
class Integers implements ReplySource {
  at = 0;
  drops = 0;
  constructor(readonly end: number) {}

  write(writer: ReplyWriter, bytes: number): boolean {
    const limit = writer.at + bytes;
    while (this.at < this.end && writer.at < limit) writer.integer(this.at++);
    return this.at === this.end;
  }

  drop(): void {
    this.drops++;
  }
}

function makeQueue(): OutputQueue {
  const { arena, pool } = new Memory(1 << 20);
  return new OutputQueue(new ExternalStrings(arena, pool), new BufferPool());
}

function textOf(queue: OutputQueue): [text: string, largest: number] {
  let text = "";
  let largest = 0;
  for (let piece = queue.next(); piece !== null; piece = queue.next()) {
    largest = Math.max(largest, piece.length);
    text += new TextDecoder().decode(piece.buffer.subarray(0, piece.length));
  }
  return [text, largest];
}

Deno.test("OutputQueue asks sources for pieces, between the bytes around them", () => {
  const queue = makeQueue();
  const writer = new ReplyWriter();
  const count = 100_000;
  const sources = [new Integers(count), new Integers(1), new Integers(count)];
  writer.simple("first");
  writer.array(count);
  writer.stream(sources[0]!);
  writer.stream(sources[1]!);
  writer.simple("middle");
  queue.push(writer);
  assert(!writer.hasSource);
  writer.stream(sources[2]!);
  queue.push(writer);
  writer.simple("last");
  queue.push(writer);
  const [text, largest] = textOf(queue);
  const integers = Array.from({ length: count }, (_, i) => `:${i}\r\n`).join(
    "",
  );
  assertEquals(
    text,
    `+first\r\n*${count}\r\n${integers}:0\r\n+middle\r\n${integers}+last\r\n`,
  );
  assert(largest <= 128 * 1024);
  assertEquals(queue.count, 0);
  assertEquals(queue.bytes, 0);
  assertEquals(sources.map((source) => source.drops), [0, 0, 0]);
});

Deno.test("OutputQueue drops the sources that are not at their end", () => {
  const queue = makeQueue();
  const writer = new ReplyWriter();
  const sources = [1, 100_000, 1].map((end) => new Integers(end));
  writer.simple("x");
  for (const source of sources) writer.stream(source);
  queue.push(writer);
  for (let i = 0; i < 3; i++) queue.next();
  queue.clear();
  assertEquals(sources.map((source) => source.drops), [0, 1, 1]);
  assertEquals(queue.count, 0);
});

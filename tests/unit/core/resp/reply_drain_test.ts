import { assertEquals } from "@std/assert";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import { ReplyDrain } from "../../../../src/core/resp/reply_drain.ts";
import type { ReplySource } from "../../../../src/core/resp/reply_source.ts";
import { ReplyWriter } from "../../../../src/core/resp/reply_writer.ts";

/** Writes numbers, one at a time. */
class Numbers implements ReplySource {
  isDropped = false;
  #next: number;
  readonly #end: number;

  constructor(from: number, to: number) {
    this.#next = from;
    this.#end = to;
  }

  write(writer: ReplyWriter, bytes: number): boolean {
    const end = writer.at + bytes;
    while (this.#next < this.#end && writer.at < end) {
      writer.integer(this.#next++);
    }
    return this.#next === this.#end;
  }

  drop(): void {
    this.isDropped = true;
  }
}

Deno.test("a drain writes what stands around sources and what they have", () => {
  const reply = new ReplyWriter();
  reply.resp = 3;
  reply.array(4);
  reply.array(3);
  reply.stream(new Numbers(10, 13));
  reply.external(7, 2, 5);
  reply.stream(new Numbers(20, 20));
  reply.stream(new Numbers(30, 31));
  const to = new ReplyWriter();
  const drain = new ReplyDrain(reply, to);
  assertEquals([reply.at, reply.spans, reply.hasSource], [0, null, false]);
  let turns = 1;
  while (!drain.write(4)) turns++;
  const head = "*4\r\n*3\r\n:10\r\n:11\r\n:12\r\n$5\r\n";
  const text = `${head}\r\n:30\r\n`;
  assertEquals(to.buf.subarray(0, to.at), latin1BytesOf(text));
  assertEquals(to.spans, [
    { at: head.length, source: null, ref: 7, from: 2, length: 5 },
  ]);
  assertEquals([to.resp, to.hasSource, to.spanBytes], [3, false, 5]);
  // Some of it each time.
  assertEquals(turns, 6);
});

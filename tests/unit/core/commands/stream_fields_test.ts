/** Fields of stream entries as replies: src/core/commands/stream_fields.ts. */
import { assert, assertEquals } from "@std/assert";
import { bytesOf } from "../../../../src/core/base/bytes.ts";
import { KeptElements } from "../../../../src/core/commands/long_elements.ts";
import {
  KeptFields,
  replyFields,
} from "../../../../src/core/commands/stream_fields.ts";
import { ReplyWriter } from "../../../../src/core/resp/reply_writer.ts";
import { NodeReader } from "../../../../src/core/types/stream_node.ts";
import { Streams } from "../types/_streams.ts";

/** Short and long texts, and numbers. */
const TEXTS = Array.from({ length: 6000 }, (_, i) => {
  if (i % 1500 === 7) return "long".repeat(20_000);
  if (i % 500 === 8) return "x".repeat(4090 + i % 10);
  return i % 3 === 0 ? String(i * 977) : `text:${i}`;
});

/** A stream whose entry has these texts behind its node's fields, or for them. */
function makeNode(hasOwnFields: boolean): [Streams, number] {
  const streams = new Streams(1 << 24);
  const { listpacks, value: { log } } = streams;
  const fields = TEXTS.length / 2;
  let listpack = listpacks.create();
  const add = (...texts: (string | number)[]) => {
    for (const text of texts.map(String)) {
      listpack = listpacks.append(listpack, bytesOf(text), 0, text.length);
    }
  };
  add(1, 0);
  if (hasOwnFields) add(1, "f", 0, 0, 0, 0, fields, ...TEXTS, 4 + fields * 2);
  else {
    add(fields, ...TEXTS.filter((_, i) => i % 2 === 0), 0, 2, 0, 0);
    add(...TEXTS.filter((_, i) => i % 2 === 1), 3 + fields);
  }
  assert(log.nodes.isNode(listpack));
  return [streams, log.nodes.adopt(listpack)];
}

for (const hasOwnFields of [false, true]) {
  const name = hasOwnFields ? "its own fields" : "the fields in front";
  Deno.test(`KeptFields writes what is written at once, of ${name}`, () => {
    const [{ memory: { arena, heap }, value }, node] = makeNode(hasOwnFields);
    const reader = new NodeReader();
    const enter = () => {
      reader.open(arena, node, new Int32Array(4), 0);
      reader.begin();
      assert(reader.next() && reader.isLone);
    };
    enter();
    const whole = new ReplyWriter();
    replyFields(whole, reader);
    assert(!reader.next());
    const kept = new KeptElements(heap);
    for (const bytes of [1, 1000, 50_000, Infinity]) {
      enter();
      const fields = new KeptFields(kept, reader);
      assertEquals(heap.keepersOf(node), 1);
      const writer = new ReplyWriter();
      let before = 0;
      while (!fields.write(writer, bytes)) {
        assert(writer.at > before && writer.at < before + bytes + 5000);
        before = writer.at;
      }
      assertEquals(heap.keepersOf(node), 0);
      const [written, expected] = [writer, whole].map(({ buf, at }) =>
        new TextDecoder().decode(buf.subarray(0, at))
      );
      assert(written === expected, `pieces of ${bytes}`);
    }
    enter();
    const dropped = new KeptFields(kept, reader);
    dropped.write(new ReplyWriter(), 1000);
    value.log.nodes.free(node);
    dropped.drop();
    assertEquals(heap.usedBytes, 0);
  });
}

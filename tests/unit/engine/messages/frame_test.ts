import { assertEquals } from "@std/assert";
import {
  FrameReader,
  FrameWriter,
} from "../../../../src/engine/messages/frame.ts";

Deno.test("FrameWriter's records are read back field by field", () => {
  const writer = new FrameWriter();
  const payload = new Uint8Array(100_000).map((_, i) => i);
  writer.u8(7);
  writer.u32(0xffffffff);
  writer.u32(-5);
  writer.f64(0.1);
  writer.text("naïve ☃");
  writer.bytes(payload, 10, 50_000);
  const reader = new FrameReader(writer.take());
  assertEquals(reader.u8(), 7);
  assertEquals(reader.u32(), 0xffffffff);
  assertEquals(reader.i32(), -5);
  assertEquals(reader.f64(), 0.1);
  assertEquals(reader.text(), "naïve ☃");
  assertEquals(reader.bytes(), payload.slice(10, 50_010));
  assertEquals(reader.isAtEnd, true);
  assertEquals(writer.length, 0);
});

Deno.test("writers that grow at the same time keep their records apart", () => {
  const writers = [1, 2, 3].map((id) => ({ id, writer: new FrameWriter() }));
  for (const length of [10, 5000, 60_000, 200_000, 100, 300_000, 20_000]) {
    for (let part = 0; part < 3; part++) {
      for (const { id, writer } of writers) {
        const payload = new Uint8Array(length).fill(id * 10 + part);
        writer.bytes(payload, 0, length);
      }
    }
    for (const { id, writer } of writers) {
      const reader = new FrameReader(writer.take());
      for (let part = 0; part < 3; part++) {
        const expected = new Uint8Array(length).fill(id * 10 + part);
        assertEquals(reader.bytes(), expected);
      }
      assertEquals(reader.isAtEnd, true);
    }
  }
});

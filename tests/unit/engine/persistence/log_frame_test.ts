import { assertEquals } from "@std/assert";
import {
  emptyFrameHead,
  FILE_HEAD_BYTES,
  FRAME_BAD,
  FRAME_SHORT,
  FRAME_WHOLE,
  makeFileHead,
  readFileHead,
  readFrame,
} from "../../../../src/engine/persistence/log_frame.ts";
import { frame } from "./_records.ts";

const FIRST = 2 ** 32 + 5;

function look(buf: Uint8Array, at = 0, end = buf.length) {
  const head = emptyFrameHead();
  return { found: readFrame(buf, at, end, head), head };
}

Deno.test("a file's head tells the first ticket", () => {
  assertEquals(readFileHead(makeFileHead(FIRST)), FIRST);
  assertEquals(readFileHead(new Uint8Array(32)), "it has no head");
  assertEquals(
    readFileHead(new TextEncoder().encode("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n")),
    "it is a log of Redis, which `sherd import` brings in",
  );
  assertEquals(
    readFileHead(makeFileHead(FIRST).subarray(0, 20)),
    "its head is cut off",
  );
  for (let at = 0; at < FILE_HEAD_BYTES; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const head = makeFileHead(FIRST);
      head[at]! ^= 1 << bit;
      assertEquals(typeof readFileHead(head), "string");
    }
  }
});

Deno.test("a frame tells tickets of 64 bits", () => {
  const { found, head } = look(frame(FIRST - 6, FIRST - 5, FIRST));
  assertEquals(found, FRAME_WHOLE);
  assertEquals(head.firstTicket, FIRST - 6);
  assertEquals(head.lastTicket, FIRST);
  assertEquals(head.count, 3);
});

Deno.test("a frame that is cut anywhere is short", () => {
  const whole = frame(1, 2, 9);
  for (let end = 0; end < whole.length; end++) {
    assertEquals(look(whole, 0, end).found, FRAME_SHORT);
  }
});

Deno.test("a bit that flips anywhere in a frame is seen", () => {
  const whole = frame(1, 2, 3);
  for (let at = 0; at < whole.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const damaged = whole.slice();
      damaged[at]! ^= 1 << bit;
      const { found } = look(damaged);
      // A length that grew reaches behind the bytes that there are.
      assertEquals(found === FRAME_BAD || at >= 4 && at < 8, true);
      assertEquals(found === FRAME_WHOLE, false);
    }
  }
});

Deno.test("records that are out of order are no frame", () => {
  assertEquals(look(frame(3, 2)).found, FRAME_BAD);
  assertEquals(look(frame(3, 3)).found, FRAME_BAD);
});

import { assert, assertEquals } from "@std/assert";
import { fromBinary, toBinary } from "../../../_resp_reply.ts";
import { ErrorReply } from "../../../../src/core/resp/error_reply.ts";
import {
  REPLY_BUFFER_BYTES,
  ReplyWriter,
} from "../../../../src/core/resp/reply_writer.ts";

function written(resp: 2 | 3, write: (writer: ReplyWriter) => void): string {
  const writer = new ReplyWriter(0);
  writer.resp = resp;
  write(writer);
  return toBinary(writer.buf.subarray(0, writer.at));
}

type Row = readonly [
  resp2: string,
  resp3: string,
  write: (writer: ReplyWriter) => void,
];

const bytes = fromBinary("\x00a\r\n\xff");
const error = new ErrorReply("ERR no");

const ROWS: readonly Row[] = [
  ["+OK\r\n", "+OK\r\n", (w) => w.ok()],
  ["+PONG\r\n", "+PONG\r\n", (w) => w.simple("PONG")],
  ["-ERR no\r\n", "-ERR no\r\n", (w) => w.error(error)],
  [":0\r\n", ":0\r\n", (w) => w.integer(0)],
  [":1\r\n", ":1\r\n", (w) => w.integer(1)],
  [":-1\r\n", ":-1\r\n", (w) => w.integer(-1)],
  [
    ":-9007199254740991\r\n",
    ":-9007199254740991\r\n",
    (w) => w.integer(-9007199254740991),
  ],
  [
    ":-9223372036854775808\r\n",
    ":-9223372036854775808\r\n",
    (w) => w.bigInteger(-(2n ** 63n)),
  ],
  ["$0\r\n\r\n", "$0\r\n\r\n", (w) => w.bulk(bytes, 3, 0)],
  [
    "$5\r\n\x00a\r\n\xff\r\n",
    "$5\r\n\x00a\r\n\xff\r\n",
    (w) => w.bulk(bytes, 0, 5),
  ],
  ["$2\r\n\r\n\r\n", "$2\r\n\r\n\r\n", (w) => w.bulk(bytes, 2, 2)],
  [
    "$12\r\nabcdefghijkl\r\n",
    "$12\r\nabcdefghijkl\r\n",
    (w) => w.bulkText("abcdefghijkl"),
  ],
  ["$3\r\n\xe2\x82\xac\r\n", "$3\r\n\xe2\x82\xac\r\n", (w) => w.bulkText("€")],
  ["$3\r\n-42\r\n", "$3\r\n-42\r\n", (w) => w.bulkInteger(-42)],
  ["$-1\r\n", "_\r\n", (w) => w.nullBulk()],
  ["*-1\r\n", "_\r\n", (w) => w.nullArray()],
  ["*0\r\n", "*0\r\n", (w) => w.array(0)],
  ["*1000\r\n", "*1000\r\n", (w) => w.array(1000)],
  ["*6\r\n", "%3\r\n", (w) => w.map(3)],
  ["*2\r\n", "~2\r\n", (w) => w.set(2)],
  ["*2\r\n", ">2\r\n", (w) => w.push(2)],
  ["$3\r\n1.5\r\n", ",1.5\r\n", (w) => w.double(1.5)],
  ["$4\r\n1.50\r\n", ",1.50\r\n", (w) => w.doubleText("1.50")],
  ["$2\r\nab\r\n", "$2\r\nab\r\n", (w) => w.bulkAscii("ab")],
  ["$3\r\ninf\r\n", ",inf\r\n", (w) => w.double(Infinity)],
  ["$2\r\n-0\r\n", ",-0\r\n", (w) => w.double(-0)],
  ["$2\r\n-7\r\n", ",-7\r\n", (w) => w.double(-7)],
  [
    "$16\r\n9007199254740992\r\n",
    ",9007199254740992\r\n",
    (w) => w.double(2 ** 53),
  ],
  [":1\r\n", "#t\r\n", (w) => w.boolean(true)],
  [":0\r\n", "#f\r\n", (w) => w.boolean(false)],
  ["$2\r\n12\r\n", "(12\r\n", (w) => w.bigNumber("12")],
  ["$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n", (w) => w.verbatim("txt", "hi")],
  ["$0\r\n\r\n", "=4\r\ntxt:\r\n", (w) => w.verbatim("txt", "")],
];

Deno.test("ReplyWriter writes each kind of reply in both protocols", () => {
  for (const [resp2, resp3, write] of ROWS) {
    assertEquals(written(2, write), resp2);
    assertEquals(written(3, write), resp3);
  }
});

Deno.test("ReplyWriter bulkWords writes what bulk writes", () => {
  const words = new Int32Array(new SharedArrayBuffer(2048), 16);
  const bytes = new Uint8Array(words.buffer, 16);
  for (let i = 0; i < bytes.length; i++) bytes[i] = i * 7 + (i >> 8);
  const lengths = Array.from({ length: 105 }, (_, i) => i);
  for (const length of [...lengths, 255, 256, 257, 999, 1000, 1900]) {
    for (const word of [0, 3]) {
      assertEquals(
        written(2, (w) => w.bulkWords(words, word, length)),
        written(2, (w) => w.bulk(bytes, word * 4, length)),
      );
    }
  }
  // The buffer is another one now and then.
  const writer = new ReplyWriter(8);
  for (let i = 0; i < 100; i++) writer.bulkWords(words, i, 14);
  const first = toBinary(writer.buf.subarray(0, writer.at));
  writer.buf = new Uint8Array(100);
  writer.reset();
  for (let i = 0; i < 100; i++) writer.bulkWords(words, i, 14);
  assertEquals(toBinary(writer.buf.subarray(0, writer.at)), first);
});

Deno.test("ReplyWriter grows at any point without losing a byte", () => {
  for (let size = 0; size < 64; size++) {
    const writer = new ReplyWriter(size);
    let expected = "";
    for (const [resp2, , write] of ROWS) {
      write(writer);
      expected += resp2;
    }
    assertEquals(toBinary(writer.buf.subarray(0, writer.at)), expected);
  }
  const long = new Uint8Array(3 * REPLY_BUFFER_BYTES).fill(120);
  const text = written(2, (writer) => writer.bulk(long, 0, long.length));
  assertEquals(text.length, long.length + "$49152\r\n".length + 2);
});

Deno.test("ReplyWriter counts error replies", () => {
  const writer = new ReplyWriter();
  writer.ok();
  assertEquals([writer.errorCount, writer.lastError], [0, null]);
  writer.error(error);
  assertEquals([writer.errorCount, writer.lastError], [1, error]);
});

Deno.test("ReplyWriter external leaves a mark between head and line end", () => {
  const writer = new ReplyWriter();
  writer.ok();
  writer.external(7, 10, 100);
  writer.ok();
  const text = toBinary(writer.buf.subarray(0, writer.at));
  assertEquals(text, "+OK\r\n$100\r\n\r\n+OK\r\n");
  assertEquals(writer.spans, [{
    at: 11,
    source: null,
    ref: 7,
    from: 10,
    length: 100,
  }]);
  assertEquals(writer.pendingBytes, text.length + 100);
});

Deno.test("ReplyWriter append moves the marks of what it adds", () => {
  const writer = new ReplyWriter();
  writer.ok();
  writer.append(fromBinary("$3\r\n\r\n"), [
    { at: 4, source: null, ref: 9, from: 0, length: 3 },
  ]);
  assertEquals(writer.spans, [{
    at: 9,
    source: null,
    ref: 9,
    from: 0,
    length: 3,
  }]);
  assertEquals(writer.pendingBytes, 5 + 6 + 3);
});

Deno.test("ReplyWriter rewind takes bytes and marks back", () => {
  const writer = new ReplyWriter();
  writer.external(1, 0, 5);
  const start = writer.at;
  writer.external(2, 0, 7);
  writer.external(3, 0, 11);
  assertEquals(writer.rewind(start).map((span) => span.ref), [2, 3]);
  assertEquals(writer.spans?.map((span) => span.ref), [1]);
  assertEquals(writer.pendingBytes, start + 5);
  assertEquals(writer.rewind(start), []);
  assertEquals(writer.rewind(0).map((span) => span.ref), [1]);
  assert(writer.spans === null && writer.pendingBytes === 0);
});

Deno.test("ReplyWriter recount corrects a head once its count is known", () => {
  for (const [guess, count] of [[0, 7], [7, 7], [7, 0], [100, 9], [9, 100]]) {
    for (const resp of [2, 3] as const) {
      const text = written(resp, (w) => {
        w.ok();
        const start = w.at;
        w.map(guess!);
        w.bulkText("x".repeat(50));
        w.recount(start, resp === 3 ? count! : count! * 2);
        w.ok();
      });
      const head = resp === 3 ? `%${count}` : `*${count! * 2}`;
      assertEquals(
        text,
        `+OK\r\n${head}\r\n$50\r\n${"x".repeat(50)}\r\n+OK\r\n`,
      );
    }
  }
});

import { assertEquals } from "@std/assert";
import { bytesOf } from "../../../../src/core/base/bytes.ts";
import type { WaitUndo } from "../../../../src/core/commands/call.ts";
import { giveBackArguments } from "../../../../src/engine/blocking/giving_back.ts";

const ROWS: readonly [string, WaitUndo, string, string | null][] = [
  ["BLPOP", "LPUSH", "*2\r\n$1\r\nk\r\n$1\r\na\r\n", "LPUSH k a"],
  ["empty element", "RPUSH", "*2\r\n$1\r\nk\r\n$0\r\n\r\n", "RPUSH k "],
  [
    "BLMPOP",
    "RPUSH",
    "*2\r\n$1\r\nk\r\n*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
    "RPUSH k c b a",
  ],
  [
    "BZPOPMIN in RESP2",
    "ZADD",
    "*3\r\n$1\r\nk\r\n$1\r\nm\r\n$3\r\n1.5\r\n",
    "ZADD k 1.5 m",
  ],
  [
    "BZPOPMIN in RESP3",
    "ZADD",
    "*3\r\n$1\r\nk\r\n$1\r\nm\r\n,-inf\r\n",
    "ZADD k -inf m",
  ],
  [
    "BZMPOP",
    "ZADD",
    "*2\r\n$1\r\nk\r\n*2\r\n*2\r\n$1\r\na\r\n,1\r\n*2\r\n$1\r\nb\r\n,2\r\n",
    "ZADD k 1 a 2 b",
  ],
  ["an error", "LPUSH", "-WRONGTYPE no\r\n", null],
  ["a null array", "LPUSH", "*-1\r\n", null],
  ["BLMOVE", "", "$1\r\na\r\n", null],
];

for (const [name, undo, reply, expected] of ROWS) {
  Deno.test(`giving back: ${name}`, () => {
    const argv = giveBackArguments(undo, bytesOf(reply));
    const decoder = new TextDecoder();
    const words = argv?.map((bytes) => decoder.decode(bytes)).join(" ");
    assertEquals(words ?? null, expected);
  });
}

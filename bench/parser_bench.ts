/**
 * The request parser: whole requests out of one buffer.
 *
 * Each iteration reads {@linkcode REQUESTS} requests; divide by that.
 *
 * Traps: the buffer is in the first-level cache, as bytes are that the kernel
 * has just copied; one parser sees all shapes of requests, as in the server, so
 * that no loop is compiled for one shape alone; a bench run alone is faster than
 * in this file, for that reason.
 *
 * @module
 */
import { Arguments } from "../src/core/resp/arguments.ts";
import { REQUEST, RequestParser } from "../src/core/resp/request_parser.ts";

const REQUESTS = 64;

const SHAPES: Readonly<Record<string, readonly string[]>> = {
  PING: ["PING"],
  GET: ["GET", "key:000000001234"],
  "SET of 32 bytes": ["SET", "key:000000001234", "x".repeat(32)],
  "SET of 1 KiB": ["SET", "key:000000001234", "x".repeat(1024)],
  "MSET of 10": [
    "MSET",
    ...Array.from({ length: 20 }, (_, i) => `key:00000000${1000 + i}`),
  ],
};

const encoder = new TextEncoder();
const parser = new RequestParser();
const args = new Arguments();

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n` +
    words.map((word) => `$${word.length}\r\n${word}\r\n`).join("");
}

function readAll(bytes: Uint8Array): void {
  args.buf = bytes;
  parser.rewind(0);
  for (let i = 0; i < REQUESTS; i++) {
    if (parser.next(args, bytes.length) !== REQUEST) throw new Error("bad");
  }
}

/** The requests arrive in pieces that end anywhere. */
function readPieces(bytes: Uint8Array, piece: number): void {
  args.buf = bytes;
  parser.rewind(0);
  let requests = 0;
  for (let end = piece; requests < REQUESTS; end += piece) {
    const available = Math.min(end, bytes.length);
    while (parser.next(args, available) === REQUEST) requests++;
  }
}

for (const [name, words] of Object.entries(SHAPES)) {
  const bytes = encoder.encode(encode(words).repeat(REQUESTS));
  Deno.bench(`parse ${REQUESTS} x ${name}`, () => readAll(bytes));
}

const bytes = encoder.encode(encode(SHAPES.GET!).repeat(REQUESTS));
Deno.bench(`parse ${REQUESTS} x GET in pieces of 100 bytes`, () => {
  readPieces(bytes, 100);
});

const inline = encoder.encode("GET key:000000001234\r\n".repeat(REQUESTS));
Deno.bench(`parse ${REQUESTS} x GET, inline`, () => {
  // Inline requests are taken apart where they stand.
  readAll(inline.slice());
});

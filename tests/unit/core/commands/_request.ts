/**
 * Requests and replies as text, for tests of what reads the one and writes the
 * other.
 *
 * @module
 */
import { Arguments } from "../../../../src/core/resp/arguments.ts";
import { ReplyWriter } from "../../../../src/core/resp/reply_writer.ts";

/** The arguments of one command line, as they lie in an input buffer. */
export function request(...argv: readonly string[]): Arguments {
  const args = new Arguments();
  const encoded = argv.map((arg) => new TextEncoder().encode(arg));
  const buf = new Uint8Array(encoded.reduce((sum, b) => sum + b.length, 0));
  args.buf = buf;
  let at = 0;
  for (const bytes of encoded) {
    buf.set(bytes, at);
    args.add(at, bytes.length);
    at += bytes.length;
  }
  return args;
}

/** What `write` writes, one character a byte. */
export function replyOf(
  resp: 2 | 3,
  write: (writer: ReplyWriter) => void,
): string {
  const writer = new ReplyWriter();
  writer.resp = resp;
  write(writer);
  return new TextDecoder("latin1").decode(writer.buf.subarray(0, writer.at));
}

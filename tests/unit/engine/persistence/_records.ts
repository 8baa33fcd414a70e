/**
 * Records and files of changes, made by hand.
 *
 * @module
 */
import { concat } from "@std/bytes";
import { latin1BytesOf } from "../../../../src/core/base/bytes.ts";
import {
  BATCH_MARK,
  putPadding,
  putVarint,
  putWord,
  RECORD_HEADER_BYTES,
} from "../../../../src/core/keyspace/effect_record.ts";
import {
  FRAME_HEAD_BYTES,
  putFrameHead,
} from "../../../../src/engine/persistence/log_frame.ts";

/** A record of one command. */
export function record(ticket: number, ...argv: string[]): Uint8Array {
  const most = argv.reduce((sum, word) => sum + word.length + 5, 32);
  const buf = new Uint8Array(most);
  let at = putVarint(buf, RECORD_HEADER_BYTES, 0);
  at = putVarint(buf, at, argv.length);
  for (const word of argv) {
    at = putVarint(buf, at, word.length);
    buf.set(latin1BytesOf(word), at);
    at += word.length;
  }
  putWord(buf, 0, at - RECORD_HEADER_BYTES);
  putWord(buf, 4, ticket);
  return buf.slice(0, putPadding(buf, at));
}

/** A record of a batch of commands. */
export function batch(ticket: number, ...commands: string[][]): Uint8Array {
  const requests = latin1BytesOf(
    commands.map((argv) =>
      `*${argv.length}\r\n` +
      argv.map((word) => `$${word.length}\r\n${word}\r\n`).join("")
    ).join(""),
  );
  const buf = new Uint8Array(requests.length + 32);
  let at = putVarint(buf, RECORD_HEADER_BYTES, 0);
  at = putVarint(buf, at, BATCH_MARK);
  const padding = ticket & 7;
  buf[at] = padding;
  at += 1 + padding;
  buf.set(requests, at);
  at += requests.length;
  putWord(buf, 0, at - RECORD_HEADER_BYTES);
  putWord(buf, 4, ticket);
  return buf.slice(0, putPadding(buf, at));
}

/** A frame of records with these tickets; commands name the tickets. */
export function frame(...tickets: number[]): Uint8Array<ArrayBuffer> {
  const records = tickets.map((ticket) =>
    record(ticket, "SET", `key:${ticket}`, "x".repeat(ticket % 7))
  );
  return framed(tickets, records);
}

/** A frame of these commands, one a record, with tickets from 0 on. */
export function frameOf(...commands: string[][]): Uint8Array<ArrayBuffer> {
  const records = commands.map((argv, ticket) => record(ticket, ...argv));
  return framed(records.map((_, i) => i), records);
}

function framed(
  tickets: readonly number[],
  records: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const bytes = concat(records);
  const buf = concat([new Uint8Array(FRAME_HEAD_BYTES), bytes]);
  putFrameHead(buf, 0, {
    bytes: bytes.length,
    firstTicket: tickets[0]!,
    count: tickets.length,
  });
  return buf;
}

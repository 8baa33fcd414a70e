/**
 * Frames: how records lie in a file of changes.
 *
 * ```text
 * file     head  frame  frame ...
 * head     "SHERDAOF"  version (u32)  0 (u32)  first ticket (u64)  0 (u32)
 *          CRC (u32)
 * frame    mark (u32)  bytes (u32)  first ticket (u64)  count (u32)  CRC (u32)
 *          record, record ... of so many bytes, a multiple of four
 * ```
 *
 * All little endian. A CRC is the CRC-32C of what stands before it in the head,
 * and of the records behind it. Tickets have 64 bits here: those in records are
 * the lower 32, and never more than 2^31 away from the first of their frame.
 *
 * A frame has the records of one worker in the order of their tickets. Frames of
 * several workers follow each other as the log writer has met them; so tickets
 * ascend within a frame, and the file has them all without gaps, but a reader
 * must merge. Where all frames up to a place have all tickets up to one, the
 * file can be cut.
 *
 * @module
 */

import { crc32c, crc32cIn } from "../../core/base/crc32c.ts";
import type { Crc32cMemory } from "../../core/base/crc32c_fold.ts";
import {
  isPartAt,
  readWord,
  RECORD_HEADER_BYTES,
  recordBytes,
} from "../../core/keyspace/effect_record.ts";

/** Bytes of a file's head. */
export const FILE_HEAD_BYTES = 32;
/** Bytes of a frame's head. */
export const FRAME_HEAD_BYTES = 24;
/** How files of changes begin. */
export const FILE_MAGIC = "SHERDAOF";
/** How frames begin: "\xf2SHF". */
const FRAME_MARK = 0x464853f2;
/** 2: there are batches; 3: parts. */
const VERSION = 3;

const BYTES_AT = 4;
const TICKET_AT = 8;
const COUNT_AT = 16;
const CRC_AT = 20;

const HEAD_VERSION_AT = 8;
const HEAD_TICKET_AT = 16;
const HEAD_CRC_AT = 28;

const WORD = 2 ** 32;

/** How files of Redis begin: with a command, or a note. */
const STAR = 0x2a;
const HASH = 0x23;

/** The head of a file whose first record has this ticket. */
export function makeFileHead(firstTicket: number): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(FILE_HEAD_BYTES);
  for (let i = 0; i < FILE_MAGIC.length; i++) {
    head[i] = FILE_MAGIC.charCodeAt(i);
  }
  const view = new DataView(head.buffer);
  view.setUint32(HEAD_VERSION_AT, VERSION, true);
  putTicket(view, HEAD_TICKET_AT, firstTicket);
  view.setInt32(HEAD_CRC_AT, crc32c(head, 0, HEAD_CRC_AT), true);
  return head;
}

/** The ticket that a file's head names; a text says what is wrong with it. */
export function readFileHead(head: Uint8Array): number | string {
  for (let i = 0; i < FILE_MAGIC.length; i++) {
    if (head[i] === FILE_MAGIC.charCodeAt(i)) continue;
    return head[0] === STAR || head[0] === HASH
      ? "it is a log of Redis, which `sherd import` brings in"
      : "it has no head";
  }
  if (head.length < FILE_HEAD_BYTES) return "its head is cut off";
  const view = viewOf(head);
  const crc = view.getInt32(HEAD_CRC_AT, true);
  if (crc !== crc32c(head, 0, HEAD_CRC_AT)) return "its head is damaged";
  const version = view.getUint32(HEAD_VERSION_AT, true);
  if (version < 1 || version > VERSION) return `its version is ${version}`;
  return readTicket(view, HEAD_TICKET_AT);
}

/**
 * Writes the head of a frame at `at`; its records are there already, right
 * behind the head. If `memory` is given, `buf` are its bytes.
 */
export function putFrameHead(
  buf: Uint8Array,
  at: number,
  frame: { bytes: number; firstTicket: number; count: number },
  memory: Crc32cMemory | null = null,
): void {
  const view = viewOf(buf);
  view.setUint32(at, FRAME_MARK, true);
  view.setUint32(at + BYTES_AT, frame.bytes, true);
  putTicket(view, at + TICKET_AT, frame.firstTicket);
  view.setUint32(at + COUNT_AT, frame.count, true);
  view.setInt32(at + CRC_AT, frameCrc(buf, at, frame.bytes, memory), true);
}

function frameCrc(
  buf: Uint8Array,
  at: number,
  bytes: number,
  memory: Crc32cMemory | null,
): number {
  const head = crc32c(buf, at, CRC_AT);
  const off = at + FRAME_HEAD_BYTES;
  return memory === null
    ? crc32c(buf, off, bytes, head)
    : crc32cIn(memory, off, bytes, head);
}

/** What a frame's head says; see {@linkcode readFrame}. */
export interface FrameHead {
  /** Bytes of the records. */
  bytes: number;
  /** Ticket of the first record. */
  firstTicket: number;
  /** Ticket of the last record. */
  lastTicket: number;
  /** How many there are. */
  count: number;
  /** Whether some of them are parts. */
  hasParts: boolean;
}

/** What is filled in. */
export function emptyFrameHead(): FrameHead {
  return {
    bytes: 0,
    firstTicket: 0,
    lastTicket: 0,
    count: 0,
    hasParts: false,
  };
}

/** It is whole. */
export const FRAME_WHOLE = 0;
/** The bytes end before it does; {@linkcode FrameHead.bytes} may be known. */
export const FRAME_SHORT = 1;
/** It is none, or damaged. */
export const FRAME_BAD = 2;

/**
 * Looks at the frame that begins at `at` in bytes that end at `end`, and fills
 * `frame` in. Of one that is short, `bytes` is what its head says, or 0 if the
 * head is short as well.
 */
export function readFrame(
  buf: Uint8Array,
  at: number,
  end: number,
  frame: FrameHead,
): number {
  frame.bytes = 0;
  if (at + 4 <= end && readWord(buf, at) !== FRAME_MARK) return FRAME_BAD;
  if (end - at < FRAME_HEAD_BYTES) return FRAME_SHORT;
  const bytes = readWord(buf, at + BYTES_AT);
  if ((bytes & 3) !== 0 || bytes === 0) return FRAME_BAD;
  frame.bytes = bytes;
  if (end - at - FRAME_HEAD_BYTES < bytes) return FRAME_SHORT;
  if ((readWord(buf, at + CRC_AT) | 0) !== frameCrc(buf, at, bytes, null)) {
    return FRAME_BAD;
  }
  frame.firstTicket = readWord(buf, at + TICKET_AT) +
    readWord(buf, at + TICKET_AT + 4) * WORD;
  frame.count = readWord(buf, at + COUNT_AT);
  return checkRecords(buf, at + FRAME_HEAD_BYTES, frame)
    ? FRAME_WHOLE
    : FRAME_BAD;
}

/** Whether the records are as the head says; notes the last ticket. */
function checkRecords(
  buf: Uint8Array,
  start: number,
  frame: FrameHead,
): boolean {
  const end = start + frame.bytes;
  const first = frame.firstTicket | 0;
  let count = 0;
  let ahead = -1;
  let hasParts = false;
  for (let at = start; at < end; count++) {
    if (end - at < RECORD_HEADER_BYTES) return false;
    const distance = readWord(buf, at + 4) - first | 0;
    if (distance <= ahead || ahead < 0 && distance !== 0) return false;
    ahead = distance;
    const body = readWord(buf, at);
    if (body > end - at - RECORD_HEADER_BYTES) return false;
    hasParts ||= isPartAt(buf, at);
    at += recordBytes(body);
    if (at > end) return false;
  }
  frame.lastTicket = frame.firstTicket + ahead;
  frame.hasParts = hasParts;
  return count === frame.count;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function putTicket(view: DataView, at: number, ticket: number): void {
  view.setUint32(at, ticket % WORD, true);
  view.setUint32(at + 4, Math.floor(ticket / WORD), true);
}

function readTicket(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * WORD;
}

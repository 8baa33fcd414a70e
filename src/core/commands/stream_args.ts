/**
 * Reads arguments that are IDs of stream entries. As with other readers, the
 * error is replied here, and the answer is false then.
 *
 * Redis reads an ID as text that ends at a NUL, also when it compares it with
 * `-`, `+`, `$`, `>` and `*`.
 *
 * @module
 */

import {
  STREAM_END_INVALID,
  STREAM_ID_INVALID,
  STREAM_START_INVALID,
} from "../resp/error_reply.ts";
import { ID_READ, ID_WORDS, type StreamId } from "../types/stream_id.ts";
import type { Call } from "./call.ts";

const BLOCK_SHIFT = 10;
/** IDs of a block of a list. */
const BLOCK_IDS = 1 << BLOCK_SHIFT;
const BLOCK_MASK = BLOCK_IDS - 1;

const OPEN = 0x28;
const PLUS = 0x2b;
const MINUS = 0x2d;

/** Whether argument `i` is one character, up to a NUL. */
export function argumentIsCharacter(
  call: Pick<Call, "args">,
  i: number,
  character: number,
): boolean {
  const { args } = call;
  const length = args.length[i]!;
  if (length === 0) return false;
  const buf = args.source(i);
  const off = args.off[i]!;
  return buf[off] === character && (length === 1 || buf[off + 1] === 0);
}

/** Reads argument `i`, `ms` or `ms-seq`; replies nothing. */
export function idAt(
  call: Pick<Call, "args">,
  i: number,
  id: StreamId,
): boolean {
  const { args } = call;
  return id.parse(args.source(i), args.off[i]!, args.length[i]!) === ID_READ;
}

/** Reads argument `i`, `ms` or `ms-seq`. */
export function readId(
  call: Pick<Call, "args" | "reply">,
  i: number,
  id: StreamId,
): boolean {
  if (idAt(call, i, id)) return true;
  call.reply.error(STREAM_ID_INVALID);
  return false;
}

/** Reads argument `i`, an ID or `-` or `+` for the least and the greatest. */
export function readIdOrEdge(
  call: Call,
  i: number,
  id: StreamId,
  missingIsGreatest = false,
): boolean {
  const { args } = call;
  if (argumentIsCharacter(call, i, MINUS)) id.setLeast();
  else if (argumentIsCharacter(call, i, PLUS)) id.setGreatest();
  else {
    const found = id.parse(
      args.source(i),
      args.off[i]!,
      args.length[i]!,
      missingIsGreatest,
    );
    if (found !== ID_READ) {
      call.reply.error(STREAM_ID_INVALID);
      return false;
    }
  }
  return true;
}

/** Reads argument `i`, where a range begins; `(` leaves the ID itself out. */
export function readStart(call: Call, i: number, id: StreamId): boolean {
  if (!isOpen(call, i)) return readIdOrEdge(call, i, id);
  if (!readAfterOpen(call, i, id, false)) return false;
  if (id.increment()) return true;
  call.reply.error(STREAM_START_INVALID);
  return false;
}

/** Reads argument `i`, where a range ends; `(` leaves the ID itself out. */
export function readEnd(call: Call, i: number, id: StreamId): boolean {
  if (!isOpen(call, i)) return readIdOrEdge(call, i, id, true);
  if (!readAfterOpen(call, i, id, true)) return false;
  if (id.decrement()) return true;
  call.reply.error(STREAM_END_INVALID);
  return false;
}

function isOpen(call: Call, i: number): boolean {
  const { args } = call;
  return args.length[i]! > 1 && args.source(i)[args.off[i]!] === OPEN;
}

function readAfterOpen(
  call: Call,
  i: number,
  id: StreamId,
  missingIsGreatest: boolean,
): boolean {
  const { args } = call;
  const found = id.parse(
    args.source(i),
    args.off[i]! + 1,
    args.length[i]! - 1,
    missingIsGreatest,
  );
  if (found === ID_READ) return true;
  call.reply.error(STREAM_ID_INVALID);
  return false;
}

/**
 * IDs that a command has read before it begins to act, in blocks: none of them is
 * copied when there is another.
 */
export class IdList {
  /** How many. */
  count = 0;
  readonly #blocks = [new Int32Array(BLOCK_IDS * ID_WORDS)];

  /** Forgets all. */
  clear(): void {
    this.count = 0;
    this.#blocks.length = 1;
  }

  /** Adds one. */
  add(id: StreamId): void {
    if (this.count === this.#blocks.length * BLOCK_IDS) {
      this.#blocks.push(new Int32Array(BLOCK_IDS * ID_WORDS));
    }
    this.set(this.count++, id);
  }

  /** Reads one. */
  read(i: number, id: StreamId): void {
    id.read(this.#blocks[i >>> BLOCK_SHIFT]!, (i & BLOCK_MASK) * ID_WORDS);
  }

  /** Puts another in its place. */
  set(i: number, id: StreamId): void {
    id.write(this.#blocks[i >>> BLOCK_SHIFT]!, (i & BLOCK_MASK) * ID_WORDS);
  }

  /** Reads the arguments from `from` up to `to` as IDs. */
  readArguments(call: Call, from: number, to: number, id: StreamId): boolean {
    this.clear();
    for (let i = from; i < to; i++) {
      if (!readId(call, i, id)) return false;
      this.add(id);
    }
    return true;
  }
}

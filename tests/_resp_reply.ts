/**
 * Replies as tests see them: every RESP2 and RESP3 type keeps its own tag, so a
 * test can tell `+OK` from `$2 OK`, and `$-1` from `*-1` from `_`.
 *
 * `ReplyParser` is resumable: it keeps a stack of the arrays, maps and sets
 * that are still open, so a reply that comes in many pieces is looked at once.
 * Beside each reply it hands out the exact bytes, for comparisons byte by byte.
 * Written apart from the server's own code on purpose: a test that shared the
 * server's parser would share its mistakes.
 *
 * Attributes (`|`) are part of the exact bytes and left out of the reply.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/** One reply, tagged with its RESP type. */
export type Reply =
  | { type: "simple"; value: string }
  | { type: "error"; value: string }
  | { type: "int"; value: number | bigint }
  | { type: "bulk"; value: Uint8Array }
  | { type: "array"; value: Reply[] }
  | { type: "null"; form: "bulk" | "array" | "resp3" }
  | { type: "map"; value: [Reply, Reply][] }
  | { type: "set"; value: Reply[] }
  | { type: "double"; value: number; text: string }
  | { type: "bool"; value: boolean }
  | { type: "push"; value: Reply[] }
  | { type: "bignum"; value: bigint }
  | { type: "verbatim"; format: string; value: Uint8Array };

/** A reply and the bytes it came in. */
export interface Frame {
  reply: Reply;
  raw: Uint8Array;
}

/** An error reply as `plain` returns it: a value, not thrown. */
export class ReplyError extends Error {
  override name = "ReplyError";

  /** The first word of the message: `ERR`, `WRONGTYPE` ... */
  get prefix(): string {
    return this.message.split(" ", 1)[0]!;
  }
}

/** A reply without its RESP types, as `plain` makes it. */
export type Plain =
  | string
  | number
  | bigint
  | boolean
  | null
  | ReplyError
  | Plain[]
  | Set<Plain>
  | Map<Plain, Plain>;

/** One character per byte, the inverse of `fromBinary`. */
export function toBinary(bytes: Uint8Array): string {
  // Hundreds of times as fast as String.fromCharCode for large replies.
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString("latin1");
}

/** One byte per character; refuses characters that do not fit one. */
export function fromBinary(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255) {
      throw new RangeError(
        `Cannot encode binary string: character ${i} is above 0xFF, pass bytes`,
      );
    }
    bytes[i] = code;
  }
  return bytes;
}

/** Drops the RESP types: strings become binary strings, errors ReplyErrors. */
export function plain(reply: Reply): Plain {
  switch (reply.type) {
    case "error":
      return new ReplyError(reply.value);
    case "bulk":
    case "verbatim":
      return toBinary(reply.value);
    case "null":
      return null;
    case "array":
    case "push":
      return reply.value.map(plain);
    case "set":
      return new Set(reply.value.map(plain));
    case "map":
      return new Map(reply.value.map(([k, v]) => [plain(k), plain(v)]));
    default:
      return reply.value;
  }
}

type Container = "array" | "set" | "map" | "push" | "attribute";

interface OpenContainer {
  type: Container;
  missing: number;
  items: Reply[];
}

const CONTAINERS: Readonly<Record<string, Container>> = {
  "*": "array",
  "~": "set",
  "%": "map",
  ">": "push",
  "|": "attribute",
};

const CR = 13;
const LF = 10;

/** Turns a byte stream into frames. */
export class ReplyParser {
  #buffer = new Uint8Array(4096);
  #start = 0; // where the current frame begins
  #at = 0; // how far it is parsed
  #end = 0;
  #lineFrom = 0; // no line end before this place
  #open: OpenContainer[] = [];

  /** Bytes that came and belong to no complete frame yet. */
  get rest(): Uint8Array {
    return this.#buffer.slice(this.#start, this.#end);
  }

  /** Takes a copy of the bytes. */
  feed(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#buffer.length) this.#grow(bytes);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** The next complete frame, or null if more bytes are needed. */
  next(): Frame | null {
    for (;;) {
      const reply = this.#element();
      if (reply === undefined) return null;
      const whole = reply === null ? null : this.#attach(reply);
      if (whole === null) continue;
      const raw = this.#buffer.slice(this.#start, this.#at);
      this.#start = this.#at;
      return { reply: whole, raw };
    }
  }

  #grow(bytes: Uint8Array): void {
    const held = this.#end - this.#start;
    let size = this.#buffer.length;
    while (size < held + bytes.length) size *= 2;
    const grown = size === this.#buffer.length
      ? this.#buffer
      : new Uint8Array(size);
    grown.set(this.#buffer.subarray(this.#start, this.#end));
    this.#buffer = grown;
    this.#at -= this.#start;
    this.#lineFrom = Math.max(0, this.#lineFrom - this.#start);
    this.#end = held;
    this.#start = 0;
  }

  /** A finished element; null for an opened container; undefined: need more. */
  #element(): Reply | null | undefined {
    const lineEnd = this.#findLineEnd();
    if (lineEnd < 0) return undefined;
    const kind = String.fromCharCode(this.#buffer[this.#at]!);
    const text = toBinary(this.#buffer.subarray(this.#at + 1, lineEnd));
    const after = lineEnd + 2;
    if (kind === "$" || kind === "=" || kind === "!") {
      if (text === "-1") {
        this.#at = after;
        return { type: "null", form: "bulk" };
      }
      const length = count(kind, text);
      if (after + length + 2 > this.#end) return undefined;
      const value = this.#buffer.slice(after, after + length);
      if (
        this.#buffer[after + length] !== CR ||
        this.#buffer[after + length + 1] !== LF
      ) throw new Error(`Cannot parse reply: no CRLF after ${kind}${text}`);
      this.#at = after + length + 2;
      return blob(kind, value);
    }
    this.#at = after;
    const container = CONTAINERS[kind];
    if (container === undefined) return scalar(kind, text);
    if (text === "-1") return { type: "null", form: "array" };
    const doubled = container === "map" || container === "attribute";
    const missing = count(kind, text) * (doubled ? 2 : 1);
    this.#open.push({ type: container, missing, items: [] });
    return missing === 0 ? this.#close() : null;
  }

  #findLineEnd(): number {
    let at = Math.max(this.#lineFrom, this.#at);
    for (; at + 1 < this.#end; at++) {
      if (this.#buffer[at] === CR && this.#buffer[at + 1] === LF) return at;
    }
    this.#lineFrom = at;
    return -1;
  }

  /** Puts an element where it belongs; the whole reply once it is complete. */
  #attach(reply: Reply): Reply | null {
    let done: Reply | null = reply;
    while (done !== null) {
      const parent = this.#open.at(-1);
      if (parent === undefined) return done;
      parent.items.push(done);
      done = --parent.missing === 0 ? this.#close() : null;
    }
    return null;
  }

  #close(): Reply | null {
    const { type, items } = this.#open.pop()!;
    if (type === "attribute") return null;
    if (type !== "map") return { type, value: items };
    const pairs: [Reply, Reply][] = [];
    for (let i = 0; i < items.length; i += 2) {
      pairs.push([items[i]!, items[i + 1]!]);
    }
    return { type, value: pairs };
  }
}

function count(kind: string, text: string): number {
  if (!/^\d+$/.test(text)) {
    throw new Error(`Cannot parse reply: bad length in ${kind}${text}`);
  }
  return Number(text);
}

function blob(kind: string, value: Uint8Array): Reply {
  if (kind === "$") return { type: "bulk", value };
  if (kind === "!") return { type: "error", value: toBinary(value) };
  const format = toBinary(value.subarray(0, 3));
  return { type: "verbatim", format, value: value.slice(4) };
}

function scalar(kind: string, text: string): Reply {
  switch (kind) {
    case "+":
      return { type: "simple", value: text };
    case "-":
      return { type: "error", value: text };
    case ":": {
      const exact = BigInt(text);
      const value = Number(exact);
      return {
        type: "int",
        value: Number.isSafeInteger(value) ? value : exact,
      };
    }
    case "_":
      return { type: "null", form: "resp3" };
    case "#":
      return { type: "bool", value: text === "t" };
    case "(":
      return { type: "bignum", value: BigInt(text) };
    case ",": {
      const value = text === "inf"
        ? Infinity
        : text === "-inf"
        ? -Infinity
        : Number(text);
      return { type: "double", value, text };
    }
    default:
      throw new Error(`Cannot parse reply: unknown type in ${kind}${text}`);
  }
}

/** Bytes as a reader wants them in a message: quoted, clipped, one line. */
export function show(bytes: Uint8Array | string, clip = 200): string {
  const text = typeof bytes === "string" ? bytes : toBinary(bytes);
  const head = text.slice(0, clip).replace(
    // deno-lint-ignore no-control-regex
    /[\x00-\x1f"\\\x7f-\xff]/g,
    (c) =>
      c === "\r"
        ? "\\r"
        : c === "\n"
        ? "\\n"
        : c === '"' || c === "\\"
        ? `\\${c}`
        : `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  const more = text.length - clip;
  return `"${head}"${more > 0 ? `... (${more} bytes more)` : ""}`;
}

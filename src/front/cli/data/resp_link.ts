/**
 * A connection to a server, for tools: commands in batches, replies in their
 * order.
 *
 * @module
 */

import { asciiOf, bytesOf } from "../../../core/base/bytes.ts";
import { encodeCommand } from "./dumped_key.ts";

/** An error reply, as a value. */
export class LinkError {
  /** The reply's text. */
  readonly text: string;
  /** `text` without the dash. */
  constructor(text: string) {
    this.text = text;
  }
}

/** A reply in RESP2; simple strings are strings, bulk strings are bytes. */
export type LinkReply =
  | string
  | number
  | Uint8Array
  | null
  | LinkError
  | LinkReply[];

const CHUNK_BYTES = 256 * 1024;
const DEFAULT_PORT = 6379;

/** A connection; closed by `using`. */
export class RespLink implements Disposable {
  readonly #conn: Deno.Conn;
  #buf = new Uint8Array(CHUNK_BYTES);
  #at = 0;
  #end = 0;

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /** Connects to `redis://[user:password@]host[:port][/database]`. */
  static async connect(address: string): Promise<RespLink> {
    const url = new URL(address);
    if (url.protocol !== "redis:") {
      throw new TypeError(
        `Cannot connect to ${address}: use redis://host:port`,
      );
    }
    const conn = await Deno.connect({
      hostname: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port === "" ? DEFAULT_PORT : Number(url.port),
    });
    conn.setNoDelay(true);
    const link = new RespLink(conn);
    try {
      if (url.password !== "") {
        const user = url.username === "" ? [] : [url.username];
        const words = ["AUTH", ...user, url.password].map(decodeURIComponent);
        await link.run(...words);
      }
      const db = url.pathname.slice(1);
      if (db !== "") await link.run("SELECT", db);
    } catch (cause) {
      conn.close();
      throw cause;
    }
    return link;
  }

  /** One command; throws on an error reply. */
  async run(...words: string[]): Promise<LinkReply> {
    const [reply] = await this.batch([words.map(bytesOf)]);
    if (reply instanceof LinkError) {
      throw new Error(`${words[0]} failed: ${reply.text}`);
    }
    return reply!;
  }

  /** Sends commands, and waits for all replies. */
  batch(commands: readonly (readonly Uint8Array[])[]): Promise<LinkReply[]> {
    return this.raw(commands.map(encodeCommand), commands.length);
  }

  /** Sends bytes that hold `count` commands, and waits for all replies. */
  async raw(
    pieces: readonly Uint8Array[],
    count: number,
  ): Promise<LinkReply[]> {
    // Beside each other: who does not take its replies is not read any more.
    const sending = this.#send(pieces);
    const replies: LinkReply[] = [];
    try {
      while (replies.length < count) replies.push(await this.#reply());
    } finally {
      await sending;
    }
    return replies;
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }

  async #send(pieces: readonly Uint8Array[]): Promise<void> {
    let gathered: Uint8Array[] = [];
    let bytes = 0;
    for (const piece of pieces) {
      gathered.push(piece);
      bytes += piece.length;
      if (bytes < CHUNK_BYTES) continue;
      await this.#write(joined(gathered, bytes));
      gathered = [];
      bytes = 0;
    }
    if (bytes > 0) await this.#write(joined(gathered, bytes));
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      at += await this.#conn.write(bytes.subarray(at));
    }
  }

  async #reply(): Promise<LinkReply> {
    const line = await this.#line();
    const rest = line.slice(1);
    switch (line[0]) {
      case "+":
        return rest;
      case "-":
        return new LinkError(rest);
      case ":":
        return Number(rest);
      case "$": {
        const length = Number(rest);
        return length < 0 ? null : await this.#bulk(length);
      }
      case "*": {
        const length = Number(rest);
        if (length < 0) return null;
        const replies: LinkReply[] = [];
        for (let i = 0; i < length; i++) replies.push(await this.#reply());
        return replies;
      }
    }
    throw new Error(`The server has sent what is no reply: ${line}`);
  }

  async #line(): Promise<string> {
    for (let from = this.#at;;) {
      const found = this.#buf.subarray(0, this.#end).indexOf(10, from);
      if (found >= 0) {
        const line = asciiOf(this.#buf, this.#at, found - 1 - this.#at);
        this.#at = found + 1;
        return line;
      }
      const known = this.#end - this.#at;
      await this.#fill();
      from = this.#at + known;
    }
  }

  async #bulk(length: number): Promise<Uint8Array> {
    while (this.#end - this.#at < length + 2) await this.#fill();
    const bytes = this.#buf.slice(this.#at, this.#at + length);
    this.#at += length + 2;
    return bytes;
  }

  async #fill(): Promise<void> {
    if (this.#at > 0) {
      this.#buf.copyWithin(0, this.#at, this.#end);
      this.#end -= this.#at;
      this.#at = 0;
    }
    if (this.#end === this.#buf.length) {
      const larger = new Uint8Array(this.#buf.length * 2);
      larger.set(this.#buf);
      this.#buf = larger;
    }
    const count = await this.#conn.read(this.#buf.subarray(this.#end));
    if (count === null) throw new Error("The server has closed the connection");
    this.#end += count;
  }
}

function joined(pieces: readonly Uint8Array[], bytes: number): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

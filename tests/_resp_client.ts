/**
 * A plain RESP client for tests. It does what it is told and nothing by itself:
 * no reconnecting, no queue, no conversion. Strings are binary strings (one
 * character is one byte) in both directions, so whatever goes in can be
 * compared with what comes out.
 *
 * Every wait has a time limit: a reply that never comes fails the test that
 * waits for it instead of stopping the run.
 *
 * @module
 */
import {
  type Frame,
  fromBinary,
  type Reply,
  ReplyError,
  ReplyParser,
} from "./_resp_reply.ts";
import { PATIENCE_MS } from "./_patience.ts";
import { ReplyTypeError, replyTypeProblem } from "./_reply_types.ts";

export * from "./_resp_reply.ts";

/** One argument of a command; strings are binary strings. */
export type Argument = string | Uint8Array | number | bigint;

/** How to reach a server and in which protocol to speak. */
export interface ConnectOptions {
  resp?: 2 | 3;
  password?: string;
  /** Limit of each wait for bytes. */
  timeoutMs?: number;
  /** Compare the types of replies with the command table. */
  checksReplyTypes?: boolean;
}

/** How the bytes of `sendRaw` are cut. */
export interface SendOptions {
  /** Size of every piece, or the sizes of the first pieces, one by one. */
  chunks?: number | readonly number[];
}

/** The server ended the connection while a reply was awaited. */
export class ConnectionClosedError extends Error {
  override name = "ConnectionClosedError";
}

/** No byte came within the time limit. */
export class ReplyTimeoutError extends Error {
  override name = "ReplyTimeoutError";
}

const encoder = new TextEncoder();

/** Commands as the server reads them: arrays of bulk strings. */
export function encodeCommands(
  commands: readonly (readonly Argument[])[],
): Uint8Array<ArrayBuffer> {
  const pieces: Uint8Array[] = [];
  let total = 0;
  const add = (piece: Uint8Array) => {
    pieces.push(piece);
    total += piece.length;
  };
  for (const argv of commands) {
    add(encoder.encode(`*${argv.length}\r\n`));
    for (const argument of argv) {
      const bytes = argument instanceof Uint8Array
        ? argument
        : fromBinary(String(argument));
      add(encoder.encode(`$${bytes.length}\r\n`));
      add(bytes);
      add(encoder.encode("\r\n"));
    }
  }
  const all = new Uint8Array(total);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** A connection under the test's full control. */
export class TestClient implements Disposable {
  /** Push messages that came between replies, oldest first. */
  readonly pushes: Reply[] = [];
  readonly #conn: Deno.Conn;
  readonly #timeoutMs: number;
  readonly #checksReplyTypes: boolean;
  readonly #parser = new ReplyParser();
  readonly #chunk = new Uint8Array(65536);
  #isClosed = false;
  #isTimedOut = false;
  #resp: 2 | 3 = 2;

  private constructor(conn: Deno.Conn, options: ConnectOptions) {
    this.#conn = conn;
    this.#timeoutMs = options.timeoutMs ?? PATIENCE_MS;
    this.#checksReplyTypes = options.checksReplyTypes ?? false;
  }

  /** Connects to a port on loopback or to the path of a unix socket. */
  static async connect(
    address: number | string,
    options: ConnectOptions = {},
  ): Promise<TestClient> {
    let conn: Deno.Conn;
    if (typeof address === "number") {
      const tcp = await Deno.connect({ hostname: "127.0.0.1", port: address });
      tcp.setNoDelay(true);
      conn = tcp;
    } else {
      conn = await Deno.connect({ transport: "unix", path: address });
    }
    const client = new TestClient(conn, options);
    try {
      if (options.password !== undefined) {
        await client.#expectSuccess("AUTH", options.password);
      }
      if (options.resp === 3) await client.#expectSuccess("HELLO", "3");
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }

  /** The protocol that the replies so far have agreed on. */
  get resp(): 2 | 3 {
    return this.#resp;
  }

  /** The connection beneath, for tests of the transport itself. */
  get conn(): Deno.Conn {
    return this.#conn;
  }

  /** Sends one command and returns its reply; error replies are values. */
  async run(...argv: Argument[]): Promise<Reply> {
    return (await this.pipeline([argv]))[0]!;
  }

  /** As `run`, returning the exact bytes of the reply. */
  async runRaw(...argv: Argument[]): Promise<Uint8Array> {
    return (await this.pipelineFrames([argv]))[0]!.raw;
  }

  /** Sends all commands at once and returns their replies in order. */
  async pipeline(
    commands: readonly (readonly Argument[])[],
    options: SendOptions = {},
  ): Promise<Reply[]> {
    const frames = await this.pipelineFrames(commands, options);
    return frames.map((frame) => frame.reply);
  }

  /** As `pipeline`, with the exact bytes beside each reply. */
  async pipelineFrames(
    commands: readonly (readonly Argument[])[],
    options: SendOptions = {},
  ): Promise<Frame[]> {
    // Replies are read while requests are still being written: a server may
    // stop reading from a client that does not take its replies.
    const sending = this.sendCommands(commands, options);
    sending.catch(() => {});
    const frames: Frame[] = [];
    while (frames.length < commands.length) {
      const frame = await this.readFrame();
      if (frame.reply.type === "push") this.pushes.push(frame.reply);
      else {
        this.#look(commands[frames.length]!, frame.reply);
        frames.push(frame);
      }
    }
    await sending;
    return frames;
  }

  /**
   * Takes note of the protocol that a reply brings. What is wrong with the
   * reply's type, or null.
   */
  notice(argv: readonly Argument[], reply: Reply): string | null {
    const name = String(argv[0]).toUpperCase();
    if (name === "RESET" && reply.type !== "error") this.#resp = 2;
    else if (name === "HELLO" && reply.type !== "error" && argv.length > 1) {
      this.#resp = String(argv[1]) === "3" ? 3 : 2;
    }
    return this.#checksReplyTypes
      ? replyTypeProblem(argv, reply, this.#resp)
      : null;
  }

  #look(argv: readonly Argument[], reply: Reply): void {
    const problem = this.notice(argv, reply);
    if (problem !== null) throw new ReplyTypeError(problem);
  }

  /** Sends commands and awaits no reply. */
  sendCommands(
    commands: readonly (readonly Argument[])[],
    options: SendOptions = {},
  ): Promise<void> {
    return this.sendRaw(encodeCommands(commands), options);
  }

  /** Sends bytes as they are, in pieces if asked to, and awaits no reply. */
  async sendRaw(
    bytes: Uint8Array | string,
    options: SendOptions = {},
  ): Promise<void> {
    const all = typeof bytes === "string" ? fromBinary(bytes) : bytes;
    const { chunks } = options;
    let at = 0;
    for (let piece = 0; at < all.length; piece++) {
      const size = typeof chunks === "number" ? chunks : chunks?.[piece];
      const end = Math.min(all.length, at + Math.max(1, size ?? all.length));
      while (at < end) at += await this.#conn.write(all.subarray(at, end));
      // Gives the server's process a chance to see this piece on its own.
      if (chunks !== undefined) await nextTurn();
    }
  }

  /** The next reply or push, whichever comes first. */
  async readReply(): Promise<Reply> {
    return (await this.readFrame()).reply;
  }

  /** The next reply or push, with its exact bytes. */
  async readFrame(): Promise<Frame> {
    for (;;) {
      const frame = this.#parser.next();
      if (frame !== null) return frame;
      const bytes = await this.readBytes();
      if (bytes === null) {
        throw new ConnectionClosedError("Cannot read reply: connection ended");
      }
      this.#parser.feed(bytes);
    }
  }

  /**
   * Bytes as they come, null at the end of the stream. They are valid until
   * the next read, and pass by the reply parser.
   */
  async readBytes(limit = this.#chunk.length): Promise<Uint8Array | null> {
    const timer = setTimeout(() => {
      this.#isTimedOut = true;
      this.close();
    }, this.#timeoutMs);
    try {
      const length = await this.#conn.read(this.#chunk.subarray(0, limit));
      return length === null ? null : this.#chunk.subarray(0, length);
    } catch (error) {
      if (this.#isTimedOut) {
        throw new ReplyTimeoutError(
          `Cannot read reply: nothing came for ${this.#timeoutMs} ms`,
          { cause: error },
        );
      }
      if (error instanceof Deno.errors.ConnectionReset) return null;
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** All bytes up to the end of the stream, which the server must bring. */
  async readToEnd(): Promise<Uint8Array> {
    for (;;) {
      const bytes = await this.readBytes();
      if (bytes === null) return this.#parser.rest;
      this.#parser.feed(bytes);
    }
  }

  /** Ends the connection at once; harmless if it is closed already. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#conn.close();
  }

  /** Same as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  async #expectSuccess(...argv: Argument[]): Promise<void> {
    const reply = await this.run(...argv);
    if (reply.type === "error") throw new ReplyError(reply.value);
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

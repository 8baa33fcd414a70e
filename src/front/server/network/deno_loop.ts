/**
 * An event loop of Deno's own means, for where the system's library may not be
 * called.
 *
 * @module
 */

import type { Bell } from "../../../engine/messages/bell.ts";
import { DenoSocket } from "./deno_socket.ts";
import type { AcceptHandler, EventLoop } from "./event_loop.ts";
import type { Accepted, Socket, SocketHandler } from "./socket.ts";

/** Rest after an error of accept, such as no descriptors left. */
const RETRY_MS = 100;

/** The loop of one worker. */
export class DenoLoop implements EventLoop {
  readonly api = "deno";
  readonly sharesRoom = false;
  readonly #bell: Bell;

  constructor(bell: Bell) {
    this.#bell = bell;
  }

  start(hear: () => void): void {
    this.#bell.listen(hear, (run) => this.soon(run));
  }

  startTimer(run: () => void, delayMs: number): () => void {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  }

  later(run: () => void, delayMs: number): void {
    setTimeout(run, delayMs);
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  rest(run: () => void): void {
    // Immediates come dozens of times before sockets have their turn.
    setTimeout(run, 0);
  }

  /** It is not known: who rests, rests for a millisecond. */
  readonly eventCount = 0;

  hasInput(): boolean {
    return false;
  }

  listen(
    open: () => Deno.Listener,
    handler: AcceptHandler,
  ): { close(): void } {
    const listener = open();
    const accepting = new Accepting(listener, handler);
    accepting.run();
    return accepting;
  }

  end(): number {
    return -1;
  }
}

class Accepting {
  readonly #listener: Deno.Listener;
  readonly #handler: AcceptHandler;
  #isClosed = false;

  constructor(listener: Deno.Listener, handler: AcceptHandler) {
    this.#listener = listener;
    this.#handler = handler;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener.close();
  }

  async run(): Promise<void> {
    while (!this.#isClosed) {
      let conn: Deno.Conn;
      try {
        conn = await this.#listener.accept();
      } catch (cause) {
        if (this.#isClosed) return;
        this.#handler.onAcceptFailed(String(cause));
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        continue;
      }
      this.#handler.onAccepted(new DenoAccepted(conn));
    }
  }
}

class DenoAccepted implements Accepted {
  readonly #conn: Deno.Conn;

  constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  get remote(): Deno.Addr {
    return this.#conn.remoteAddr;
  }

  get local(): Deno.Addr {
    return this.#conn.localAddr;
  }

  setOptions(keepAliveSeconds: number): void {
    const conn = this.#conn as Deno.TcpConn;
    conn.setNoDelay(true);
    if (keepAliveSeconds > 0) conn.setKeepAlive(true);
  }

  open(handler: SocketHandler): Socket {
    return new DenoSocket(this.#conn, handler);
  }

  refuse(reply: Uint8Array): void {
    const conn = this.#conn;
    conn.write(new Uint8Array(reply)).catch(() => {}).finally(() => {
      try {
        conn.close();
      } catch {
        // The peer was faster.
      }
    });
  }
}

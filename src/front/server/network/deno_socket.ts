/**
 * A socket of the {@linkcode DenoLoop}: promises of Deno's `Conn` end here.
 *
 * @module
 */

import type { Socket, SocketHandler } from "./socket.ts";

/** One accepted connection. */
export class DenoSocket implements Socket {
  readonly descriptor = -1;
  readonly #conn: Deno.Conn;
  readonly #handler: SocketHandler;
  #isClosed = false;
  #isPaused = false;
  /** Nothing is read until input is resumed. */
  #isIdle = false;
  #buffer: Uint8Array<ArrayBuffer> | null = null;
  #from = 0;
  #to = 0;

  constructor(conn: Deno.Conn, handler: SocketHandler) {
    this.#conn = conn;
    this.#handler = handler;
  }

  start(): void {
    this.#read();
  }

  get unsentBytes(): number {
    return this.#buffer === null ? 0 : this.#to - this.#from;
  }

  write(buffer: Uint8Array<ArrayBuffer>, length: number): void {
    if (this.#isClosed) return;
    this.#buffer = buffer;
    this.#from = 0;
    this.#to = length;
    this.#send();
  }

  /** Deno does not say what the system takes at once. */
  sendNow(): number {
    return 0;
  }

  sendLast(bytes: Uint8Array<ArrayBuffer>, length: number): void {
    if (this.#isClosed) return;
    this.#conn.write(bytes.subarray(0, length)).catch(() => {});
  }

  pauseInput(): void {
    this.#isPaused = true;
  }

  resumeInput(): void {
    this.#isPaused = false;
    if (!this.#isIdle || this.#isClosed) return;
    this.#isIdle = false;
    this.#read();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // What it held is free when the peer hears of it.
    this.#handler.onClose();
    try {
      this.#conn.close();
    } catch {
      // The peer was faster.
    }
  }

  #send(): void {
    const buffer = this.#buffer!;
    const piece = this.#from === 0 && this.#to === buffer.length
      ? buffer
      : buffer.subarray(this.#from, this.#to);
    this.#conn.write(piece).then(
      (count) => this.#wrote(count),
      this.#failed,
    );
  }

  #wrote(count: number): void {
    this.#from += count;
    if (this.#isClosed) return;
    if (this.#from < this.#to) return this.#send();
    this.#buffer = null;
    this.#handler.onWritten();
  }

  // Callbacks rather than a loop that awaits: an idle connection holds less.
  #read(): void {
    this.#conn.read(this.#handler.inputRoom()).then(this.#onRead, this.#failed);
  }

  readonly #onRead = (count: number | null): void => {
    if (this.#isClosed) return;
    if (count === null) return this.#handler.onEnd();
    this.#handler.onInput(count);
    if (this.#isClosed) return;
    if (this.#isPaused) this.#isIdle = true;
    else this.#read();
  };

  readonly #failed = (): void => this.close();
}

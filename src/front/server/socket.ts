/**
 * A socket: bytes in, bytes out, as calls.
 *
 * This is the whole of what a connection knows of the network. Promises end
 * here: whoever handles the socket is told synchronously that bytes have come,
 * that what was written is gone, that it is over. Deno's `Conn` stands behind
 * it; something else could.
 *
 * Contract with the handler:
 * - reads go into the view that `inputRoom()` returns; it is the socket's until
 *   `onInput(n)` or `onClose()`;
 * - at most one `write()` is under way; the buffer is the socket's until
 *   `onWritten()`, which may come before `write()` returns;
 * - after `pauseInput()` at most one more `onInput()` comes;
 * - `onClose()` comes once, and nothing after it.
 *
 * @module
 */

import { descriptorOf, directSend, type InputLook } from "./direct_send.ts";

/** Who is told what happens on a socket. */
export interface SocketHandler {
  /** Where the next bytes shall go; at least one byte long. */
  inputRoom(): Uint8Array<ArrayBuffer>;
  /** `count` bytes have come. */
  onInput(count: number): void;
  /** The peer sends no more. */
  onEnd(): void;
  /** The buffer given to `write()` has left. */
  onWritten(): void;
  /** The socket is closed, by either side. */
  onClose(): void;
}

/** One accepted connection of the operating system. */
export class Socket {
  readonly #conn: Deno.Conn;
  readonly #handler: SocketHandler;
  /** For direct sends; -1 if there are none. */
  readonly #descriptor: number;
  #closed = false;
  #paused = false;
  /** Nothing is read until input is resumed. */
  #isIdle = false;
  #buffer: Uint8Array<ArrayBuffer> | null = null;
  #from = 0;
  #to = 0;

  /** Nothing is read before {@linkcode start}. */
  constructor(conn: Deno.Conn, handler: SocketHandler) {
    this.#conn = conn;
    this.#handler = handler;
    this.#descriptor = directSend === null ? -1 : descriptorOf(conn);
  }

  /** Begins to read. */
  start(): void {
    this.#read();
  }

  /** Whether a write is under way. */
  get isWriting(): boolean {
    return this.#buffer !== null;
  }

  /** Bytes of that write that the system has not taken yet. */
  get unsentBytes(): number {
    return this.#buffer === null ? 0 : this.#to - this.#from;
  }

  /** Sends the first `length` bytes of `buffer`. */
  write(buffer: Uint8Array<ArrayBuffer>, length: number): void {
    if (this.#closed) return;
    const sent = this.sendNow(buffer, length);
    if (sent === length) return this.#handler.onWritten();
    this.#buffer = buffer;
    this.#from = sent;
    this.#to = length;
    this.#send();
  }

  /**
   * Sends as much of the first `length` bytes of `bytes` as can be sent at once,
   * and returns how much that is. No write is under way.
   */
  sendNow(bytes: Uint8Array<ArrayBuffer>, length: number): number {
    if (this.#descriptor < 0 || this.#closed) return 0;
    const sent = directSend!(this.#descriptor, bytes, length);
    return sent < 0 ? 0 : sent;
  }

  /** Lets `look` see whether more has come, of which the handler will be told. */
  addTo(look: InputLook): void {
    if (this.#descriptor < 0 || this.#closed || this.#isIdle) return;
    look.add(this.#descriptor);
  }

  /** Sends what can be sent at once; nobody is told, and close() comes next. */
  sendLast(bytes: Uint8Array<ArrayBuffer>, length: number): void {
    if (this.#closed) return;
    const sent = this.sendNow(bytes, length);
    if (sent === length) return;
    this.#conn.write(bytes.subarray(sent, length)).catch(() => {});
  }

  /** Stops reading until {@linkcode resumeInput}. */
  pauseInput(): void {
    this.#paused = true;
  }

  /** Goes on reading. */
  resumeInput(): void {
    this.#paused = false;
    if (!this.#isIdle || this.#closed) return;
    this.#isIdle = false;
    this.#read();
  }

  /** Closes both directions at once; what was not written is lost. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#conn.close();
    } catch {
      // The peer was faster.
    }
    this.#handler.onClose();
  }

  #send(): void {
    const buffer = this.#buffer!;
    const piece = this.#from === 0 && this.#to === buffer.length
      ? buffer
      : buffer.subarray(this.#from, this.#to);
    // A closure only for those that need it: most bytes are sent at once.
    this.#conn.write(piece).then(
      (count) => this.#wrote(count),
      this.#failed,
    );
  }

  #wrote(count: number): void {
    this.#from += count;
    if (this.#closed) return;
    if (this.#from < this.#to) return this.#send();
    this.#buffer = null;
    this.#handler.onWritten();
  }

  // Callbacks rather than a loop that awaits: an idle connection holds less.
  #read(): void {
    this.#conn.read(this.#handler.inputRoom()).then(this.#onRead, this.#failed);
  }

  readonly #onRead = (count: number | null): void => {
    if (this.#closed) return;
    if (count === null) return this.#handler.onEnd();
    this.#handler.onInput(count);
    if (this.#closed) return;
    if (this.#paused) this.#isIdle = true;
    else this.#read();
  };

  readonly #failed = (): void => this.close();
}

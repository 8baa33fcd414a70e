/**
 * A socket: bytes in, bytes out, as calls.
 *
 * This is the whole of what a connection knows of the network. Who handles the
 * socket is told synchronously that bytes have come, that what was written is
 * gone, that it is over.
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
export interface Socket {
  /** The system's number of it; -1 if that is not known. */
  readonly descriptor: number;
  /** Bytes of the write that is under way that the system has not taken yet. */
  readonly unsentBytes: number;
  /** Begins to read. */
  start(): void;
  /** Sends the first `length` bytes of `buffer`. */
  write(buffer: Uint8Array<ArrayBuffer>, length: number): void;
  /**
   * Sends as much of the first `length` bytes of `bytes` as can be sent at once,
   * and returns how much that is. No write is under way.
   */
  sendNow(bytes: Uint8Array<ArrayBuffer>, length: number): number;
  /** Sends what can be sent at once; nobody is told, and close() comes next. */
  sendLast(bytes: Uint8Array<ArrayBuffer>, length: number): void;
  /** Stops reading until {@linkcode resumeInput}. */
  pauseInput(): void;
  /** Goes on reading. */
  resumeInput(): void;
  /** Closes both directions at once; what was not written is lost. */
  close(): void;
}

/** A connection that was accepted, and is not anybody's yet. */
export interface Accepted {
  /** Where the peer is. */
  readonly remote: Deno.Addr;
  /** Where it has come to. */
  readonly local: Deno.Addr;
  /**
   * Of TCP: small pieces are sent at once, and a peer that is silent for so many
   * seconds is looked for, unless that is 0.
   */
  setOptions(keepAliveSeconds: number): void;
  /** The socket; nothing is read before it is started. */
  open(handler: SocketHandler): Socket;
  /** Says why nobody takes it, and closes it. */
  refuse(reply: Uint8Array): void;
}

/**
 * A socket of the {@linkcode PollingLoop}: calls of the system when there is
 * something to be read, or room to write again.
 *
 * @module
 */

import type { PollingLoop, Watcher } from "./polling_loop.ts";
import type { Socket, SocketHandler } from "./socket.ts";
import {
  CAN_READ,
  CAN_WRITE,
  EAGAIN,
  EINTR,
  HAS_FAILED,
  HAS_HUNG_UP,
} from "./system_calls.ts";

/** Told whether it is asked for or not. */
const IS_LOST = HAS_FAILED | HAS_HUNG_UP;

/** One accepted connection. */
export class PolledSocket implements Socket, Watcher {
  readonly descriptor: number;
  readonly #loop: PollingLoop;
  readonly #handler: SocketHandler;
  /** What the loop tells of; -1 when it tells nothing. */
  #interest = -1;
  /** Where what comes next goes; null while nothing is read. */
  #room: Uint8Array<ArrayBuffer> | null = null;
  #isPaused = false;
  /** The peer sends no more. */
  #hasEnded = false;
  #isClosed = false;
  #isClosing = false;
  #buffer: Uint8Array<ArrayBuffer> | null = null;
  #from = 0;
  #to = 0;

  /** The descriptor is the socket's from now on. */
  constructor(loop: PollingLoop, descriptor: number, handler: SocketHandler) {
    this.#loop = loop;
    this.descriptor = descriptor;
    this.#handler = handler;
  }

  start(): void {
    this.#readOn();
  }

  get unsentBytes(): number {
    return this.#buffer === null ? 0 : this.#to - this.#from;
  }

  write(buffer: Uint8Array<ArrayBuffer>, length: number): void {
    if (this.#isClosed) return;
    const sent = this.sendNow(buffer, length);
    if (sent === length) return this.#handler.onWritten();
    this.#buffer = buffer;
    this.#from = sent;
    this.#to = length;
    this.#follow();
  }

  sendNow(bytes: Uint8Array<ArrayBuffer>, length: number): number {
    if (this.#isClosed || this.#isClosing) return 0;
    const { calls } = this.#loop;
    const sent = calls.send(this.descriptor, bytes, length);
    if (sent >= 0) return sent;
    if (!isPatient(calls.errno())) this.#closeSoon();
    return 0;
  }

  sendLast(bytes: Uint8Array<ArrayBuffer>, length: number): void {
    this.sendNow(bytes, length);
  }

  pauseInput(): void {
    this.#isPaused = true;
  }

  resumeInput(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#room === null) this.#readOn();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#interest >= 0) this.#loop.unwatch(this.descriptor);
    // What it held is free when the peer hears of it.
    this.#handler.onClose();
    this.#loop.calls.close(this.descriptor);
  }

  onReady(what: number): void {
    if ((what & CAN_WRITE) !== 0 && this.#buffer !== null) this.#sendRest();
    if (this.#isClosed || (what & ~CAN_WRITE) === 0) return;
    if (this.#room === null) return this.#turnAway(what);
    this.#receive(this.#room);
  }

  /** Asks to be told what there is to be told now, and nothing else. */
  #follow(): void {
    if (this.#isClosed) return;
    const interest = (this.#room === null ? 0 : CAN_READ) |
      (this.#buffer === null ? 0 : CAN_WRITE);
    if (interest === this.#interest) return;
    if (this.#interest < 0) {
      this.#loop.watch(this.descriptor, interest, this);
    } else this.#loop.change(this.descriptor, interest);
    this.#interest = interest;
  }

  /** Nobody wants to know: it is told again when somebody does. */
  #turnAway(what: number): void {
    this.#follow();
    if ((what & IS_LOST) === 0 || this.#interest !== 0) return;
    // That would be told over and over.
    this.#loop.unwatch(this.descriptor);
    this.#interest = -1;
  }

  /** Lets the handler make room: it gives back what it does not need. */
  #readOn(): void {
    if (this.#isClosed || this.#hasEnded) return;
    this.#room = this.#handler.inputRoom();
    this.#follow();
  }

  #receive(room: Uint8Array<ArrayBuffer>): void {
    const { calls } = this.#loop;
    const count = calls.receive(this.descriptor, room);
    if (count < 0) {
      if (!isPatient(calls.errno())) this.close();
      return;
    }
    this.#room = null;
    if (count > 0) {
      this.#handler.onInput(count);
      // Resumed meanwhile, it reads on already.
      if (!this.#isPaused && this.#room === null) this.#readOn();
    } else {
      this.#hasEnded = true;
      this.#handler.onEnd();
      this.#follow();
    }
  }

  #sendRest(): void {
    const piece = this.#buffer!.subarray(this.#from, this.#to);
    this.#from += this.sendNow(piece, piece.length);
    if (this.#from < this.#to) return;
    this.#buffer = null;
    this.#handler.onWritten();
    this.#follow();
  }

  /** Not right away: who sends is in the middle of something. */
  #closeSoon(): void {
    this.#isClosing = true;
    this.#loop.soon(() => this.close());
  }
}

/** Whether it only has to be tried again. */
function isPatient(errno: number): boolean {
  return errno === EAGAIN || errno === EINTR;
}

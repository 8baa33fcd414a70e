/**
 * Calls of the system's library, on Linux with glibc and `--allow-ffi`.
 *
 * Results of calls are those of the manual (send(2), epoll_wait(2) and so on): a
 * negative number says that `errno()` has the reason.
 *
 * @module
 */

import type { Wake } from "../../../engine/messages/bell.ts";
import { mayCallSystem } from "../host_facts.ts";

/** Reason: nothing has come, or nothing more fits. */
export const EAGAIN = 11;
/** Reason: a signal came first. */
export const EINTR = 4;
/** Reason: who wanted to connect is gone already. */
export const ECONNABORTED = 103;

/** Not to wait, and no signal if the peer is gone. */
const SEND_FLAGS = 0x40 | 0x4000;
const DONT_WAIT = 0x40;
/** Of accept4 and eventfd: not to wait, not for other programs. */
const NONBLOCK_CLOEXEC = 0o4000 | 0o2000000;
const EPOLL_CLOEXEC = 0o2000000;
/** Of open: to write, not for other programs. */
const OPEN_TO_WRITE = 1 | 0o2000000;
/** Of open: what is written goes from the program's memory to the disk. */
const DIRECT = Deno.build.arch === "aarch64" ? 0o200000 : 0o40000;

/** What {@linkcode SystemCalls.control} does with a descriptor. */
export const CONTROL_ADD = 1;
export const CONTROL_DELETE = 2;
export const CONTROL_CHANGE = 3;

/** What can be the matter with a descriptor. */
export const CAN_READ = 1;
export const CAN_WRITE = 4;
export const HAS_FAILED = 8;
export const HAS_HUNG_UP = 16;
/** Only changes are told. */
export const EDGES_ONLY = 0x80000000 | 0;

/** An address has at most so many bytes. */
export const ADDRESS_BYTES = 112;

/** The clock that goes on while the thread has a processor. */
const THREAD_CLOCK = 3;
const SOCKET_LEVEL = 1;
const IS_LISTENING = 30;
const KEEP_ALIVE = 9;
const TCP_LEVEL = 6;
const TCP_NO_DELAY = 1;
const TCP_KEEP_IDLE = 4;
const TCP_KEEP_INTERVAL = 5;
const TCP_KEEP_COUNT = 6;
/** Probes without an answer until a peer counts as gone, as in Redis. */
const PROBES = 3;

const SYMBOLS = {
  // Lengths and results of 64 bits that fit into 32: as bigints they would be
  // allocated.
  send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  pwrite: { parameters: ["i32", "buffer", "u32", "i64"], result: "i32" },
  fdatasync: { parameters: ["i32"], result: "i32" },
  fallocate: { parameters: ["i32", "i32", "i64", "i64"], result: "i32" },
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  accept4: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "buffer"],
    result: "i32",
  },
  setsockopt: {
    parameters: ["i32", "i32", "i32", "buffer", "u32"],
    result: "i32",
  },
  inet_ntop: {
    parameters: ["i32", "buffer", "buffer", "u32"],
    result: "usize",
  },
  __errno_location: { parameters: [], result: "pointer" },
} as const;

/** What of the system's library is used. */
export class SystemCalls {
  readonly #symbols: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];
  readonly #errno: Deno.UnsafePointerView;
  /** For what is given by its address. */
  readonly #number = new Int32Array(1);
  readonly #numberBytes = new Uint8Array(this.#number.buffer);
  /** Seconds and nanoseconds. */
  readonly #time = new BigInt64Array(2);
  readonly #timeBytes = new Uint8Array(this.#time.buffer);
  readonly #lengthWord = new Int32Array(1);
  readonly #length = new Uint8Array(this.#lengthWord.buffer);
  readonly #event = new EventList(1);
  /** What wakes a sleeper: eventfd(2) adds it up. */
  readonly #one = new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]);

  /** @throws {Error} The library cannot be called. */
  constructor() {
    this.#symbols = Deno.dlopen("libc.so.6", SYMBOLS).symbols;
    // The place is the same for all calls of a thread.
    this.#errno = new Deno.UnsafePointerView(
      this.#symbols.__errno_location()!,
    );
  }

  /** Why the last call has failed. */
  errno(): number {
    return this.#errno.getInt32();
  }

  /** Sends bytes; returns how many were taken. */
  send(
    descriptor: number,
    bytes: Uint8Array<ArrayBuffer>,
    length: number,
  ): number {
    return this.#symbols.send(descriptor, bytes, length, SEND_FLAGS);
  }

  /** Reads bytes; returns how many have come, 0 at the end. */
  receive(descriptor: number, room: Uint8Array<ArrayBuffer>): number {
    return this.#symbols.recv(descriptor, room, room.length, DONT_WAIT);
  }

  close(descriptor: number): void {
    this.#symbols.close(descriptor);
  }

  /** Has room for bytes of a file, in zeros at its end; says whether it is there. */
  reserveInFile(descriptor: number, from: number, length: number): boolean {
    const { fallocate } = this.#symbols;
    return fallocate(descriptor, 0, BigInt(from), BigInt(length)) === 0;
  }

  /**
   * Opens a file that is there. With `isDirect`, what is written passes the
   * system's cache by: memory, place and length are multiples of a block's bytes
   * then (open(2), O_DIRECT).
   */
  openToWrite(path: string, isDirect = false): number {
    const name = new TextEncoder().encode(`${path}\0`);
    return this.#symbols.open(name, OPEN_TO_WRITE | (isDirect ? DIRECT : 0));
  }

  /** Writes a file from `at` on; returns how many bytes were taken. */
  writeAt(
    descriptor: number,
    bytes: Uint8Array<ArrayBuffer>,
    length: number,
    at: number,
  ): number {
    return this.#symbols.pwrite(descriptor, bytes, length, BigInt(at));
  }

  /** Waits until what was written to a file is on the disk. */
  syncData(descriptor: number): number {
    return this.#symbols.fdatasync(descriptor);
  }

  /** Milliseconds for which the calling thread has had a processor. */
  threadMs(): number {
    this.#symbols.clock_gettime(THREAD_CLOCK, this.#timeBytes);
    return Number(this.#time[0]) * 1000 + Number(this.#time[1]) / 1e6;
  }

  /** A descriptor by which a thread is woken that waits in {@linkcode wait}. */
  makeWaker(): number {
    return this.#symbols.eventfd(0, NONBLOCK_CLOEXEC);
  }

  /** Wakes the thread that waits for it. */
  wake(waker: number): void {
    this.#symbols.write(waker, this.#one, 8);
  }

  /** A list of descriptors that are waited for together. */
  makePoll(): number {
    return this.#symbols.epoll_create1(EPOLL_CLOEXEC);
  }

  /** Adds, changes or deletes a descriptor of such a list. */
  control(
    poll: number,
    operation: number,
    descriptor: number,
    interest: number,
  ): number {
    this.#event.set(interest, descriptor);
    return this.#symbols.epoll_ctl(
      poll,
      operation,
      descriptor,
      this.#event.bytes,
    );
  }

  /** Waits until something is the matter; returns with how many descriptors. */
  wait(poll: number, events: EventList, timeoutMs: number): number {
    return this.#symbols.epoll_wait(
      poll,
      events.bytes,
      events.capacity,
      timeoutMs,
    );
  }

  /** Accepts a connection and fills in where the peer is; its descriptor. */
  accept(listener: number, address: Uint8Array<ArrayBuffer>): number {
    this.#setLength(address);
    return this.#symbols.accept4(
      listener,
      address,
      this.#length,
      NONBLOCK_CLOEXEC,
    );
  }

  /** Fills in the address of a socket's own end. */
  ownAddress(descriptor: number, address: Uint8Array<ArrayBuffer>): number {
    this.#setLength(address);
    return this.#symbols.getsockname(descriptor, address, this.#length);
  }

  #setLength(address: Uint8Array): void {
    this.#lengthWord[0] = address.length;
  }

  /** Whether it is a socket that listens. */
  isListening(descriptor: number): boolean {
    this.#number[0] = 0;
    this.#setLength(this.#numberBytes);
    const { getsockopt } = this.#symbols;
    const [bytes, length] = [this.#numberBytes, this.#length];
    return getsockopt(descriptor, SOCKET_LEVEL, IS_LISTENING, bytes, length) ===
        0 && this.#number[0] !== 0;
  }

  /** Sends small pieces at once. */
  setNoDelay(descriptor: number): void {
    this.#set(descriptor, TCP_LEVEL, TCP_NO_DELAY, 1);
  }

  /** Has the system look whether a peer is there that is silent so long. */
  setKeepAlive(descriptor: number, seconds: number): void {
    const interval = Math.max(1, Math.floor(seconds / PROBES));
    this.#set(descriptor, SOCKET_LEVEL, KEEP_ALIVE, 1);
    this.#set(descriptor, TCP_LEVEL, TCP_KEEP_IDLE, seconds);
    this.#set(descriptor, TCP_LEVEL, TCP_KEEP_INTERVAL, interval);
    this.#set(descriptor, TCP_LEVEL, TCP_KEEP_COUNT, PROBES);
  }

  #set(descriptor: number, level: number, option: number, value: number) {
    this.#number[0] = value;
    this.#symbols.setsockopt(descriptor, level, option, this.#numberBytes, 4);
  }

  /** An address of the family's bytes as text. */
  addressText(family: number, bytes: Uint8Array<ArrayBuffer>): string {
    const text = new Uint8Array(64);
    this.#symbols.inet_ntop(family, bytes, text, text.length);
    return new TextDecoder().decode(text.subarray(0, text.indexOf(0)));
  }
}

/** Room for what {@linkcode SystemCalls.wait} finds. */
export class EventList {
  readonly capacity: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #words: Int32Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#words = new Int32Array(capacity * EVENT_WORDS);
    this.bytes = new Uint8Array(this.#words.buffer as ArrayBuffer);
  }

  /** What is the matter. */
  what(index: number): number {
    return this.#words[index * EVENT_WORDS]!;
  }

  /** With which descriptor. */
  descriptor(index: number): number {
    return this.#words[index * EVENT_WORDS + DESCRIPTOR_AT]!;
  }

  /** Fills in the first one. */
  set(what: number, descriptor: number): void {
    this.#words[0] = what;
    this.#words[DESCRIPTOR_AT] = descriptor;
  }
}

// A `struct epoll_event` is packed where the system has been so from its start.
const isPacked = Deno.build.arch === "x86_64";
const EVENT_WORDS = isPacked ? 3 : 4;
const DESCRIPTOR_AT = isPacked ? 1 : 2;

/** The calls; null where they cannot be made. */
export const systemCalls: SystemCalls | null = open();

/** Wakes a worker that waits in the system; null where none can. */
export const wakeWorker: Wake | null = systemCalls &&
  ((waker) => systemCalls.wake(waker));

function open(): SystemCalls | null {
  if (!mayCallSystem()) return null;
  try {
    return new SystemCalls();
  } catch {
    return null;
  }
}

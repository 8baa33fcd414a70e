/**
 * Rings: how small batches reach another worker through shared memory.
 *
 * A message of a MessagePort costs 15 µs of processor time when it wakes a
 * sleeping thread, most of it for events and for serializing; a batch in a ring
 * and a bell that wakes the thread cost 6 µs or less.
 *
 * ```text
 * one ring for each direction of each pair of workers
 *   word 0   bytes written so far     word 1   bytes read so far
 *   entries  length u32, number u32, ticket u32, unused, bytes, padding to 8
 * ```
 *
 * Who has written something rings the bell of the other worker (bell.ts).
 *
 * - What does not fit goes through the pair's port. The batches of a pair are
 *   numbered, and taken in the order of their numbers, whichever way they came.
 * - Tickets are drawn from one counter. Batches of several workers are taken in
 *   the order of their tickets: who has sent one because of another's, of which a
 *   reply or a change told, is heard after that. (A batch in a port has none.)
 *
 * @module
 */

import type { Bell } from "./bell.ts";
import type { Port } from "./mesh.ts";

/** Bytes of a ring, at most. */
const RING_BYTES_MAX = 64 * 1024;
const RING_BYTES_MIN = 4 * 1024;
/** Bytes of all rings, if they may be so small. */
const ALL_BYTES = 16 * 1024 * 1024;
/** Bytes before the entries: two words, on cache lines of their own. */
const HEAD_BYTES = 128;
const WRITTEN = 0;
const READ = 16;
/** Bytes before a batch. */
const ENTRY_BYTES = 16;

/** Shared memory of all rings. */
export interface RingBuffers {
  /** The last ticket. */
  readonly tickets: SharedArrayBuffer;
  /** The ring from worker i to worker j is number `i * workers + j`. */
  readonly rings: SharedArrayBuffer;
  /** Bytes of each ring's entries: a power of two. */
  readonly ringBytes: number;
}

/** Makes the rings of so many workers; pages come when they are written. */
export function makeRings(workers: number): RingBuffers {
  let ringBytes = RING_BYTES_MAX;
  const pairs = workers * workers;
  while (ringBytes > RING_BYTES_MIN && pairs * ringBytes > ALL_BYTES) {
    ringBytes >>= 1;
  }
  const count = workers > 1 ? pairs : 0;
  return {
    tickets: new SharedArrayBuffer(4),
    rings: new SharedArrayBuffer(count * (HEAD_BYTES + ringBytes)),
    ringBytes,
  };
}

/** One direction of a pair. */
class Ring {
  readonly #words: Int32Array;
  readonly #entries: Uint8Array;
  readonly #entryWords: Int32Array;
  readonly #mask: number;

  constructor({ rings, ringBytes }: RingBuffers, number: number) {
    const at = number * (HEAD_BYTES + ringBytes);
    this.#words = new Int32Array(rings, at, HEAD_BYTES / 4);
    this.#entries = new Uint8Array(rings, at + HEAD_BYTES, ringBytes);
    this.#entryWords = new Int32Array(rings, at + HEAD_BYTES, ringBytes >> 2);
    this.#mask = ringBytes - 1;
  }

  /** Adds a batch, if there is room; `tickets[0]` is the last ticket. */
  add(number: number, batch: Uint8Array, tickets: Int32Array): boolean {
    const words = this.#words;
    const written = words[WRITTEN]!;
    const used = (written - Atomics.load(words, READ)) | 0;
    const size = ENTRY_BYTES + (batch.length + 7 & ~7);
    if (used + size > this.#mask + 1) return false;
    const start = written & this.#mask;
    this.#set(start, batch.length);
    this.#set(start + 4, number);
    this.#set(start + 8, Atomics.add(tickets, 0, 1));
    const from = start + ENTRY_BYTES & this.#mask;
    const first = Math.min(batch.length, this.#mask + 1 - from);
    if (first === batch.length) this.#entries.set(batch, from);
    else {
      this.#entries.set(batch.subarray(0, first), from);
      this.#entries.set(batch.subarray(first), 0);
    }
    Atomics.store(words, WRITTEN, written + size | 0);
    return true;
  }

  /** Whether the next batch is there and is that number. */
  has(number: number): boolean {
    const words = this.#words;
    const read = words[READ]!;
    if (Atomics.load(words, WRITTEN) === read) return false;
    return this.#get(read + 4) === number;
  }

  /** The ticket of the next batch, which is there. */
  get ticket(): number {
    return this.#get(this.#words[READ]! + 8);
  }

  #get(at: number): number {
    return this.#entryWords[(at & this.#mask) >> 2]!;
  }

  #set(at: number, value: number): void {
    this.#entryWords[(at & this.#mask) >> 2] = value;
  }

  /** Takes the next batch, which is there. */
  take(): Uint8Array<ArrayBuffer> {
    const words = this.#words;
    const read = words[READ]!;
    const length = this.#get(read);
    const from = read + ENTRY_BYTES & this.#mask;
    const batch = new Uint8Array(length);
    const first = Math.min(length, this.#mask + 1 - from);
    batch.set(this.#entries.subarray(from, from + first));
    if (first < length) {
      batch.set(this.#entries.subarray(0, length - first), first);
    }
    const size = ENTRY_BYTES + (length + 7 & ~7);
    Atomics.store(words, READ, read + size | 0);
    return batch;
  }
}

/** A batch that took the way of the port. */
interface Parcel {
  readonly number: number;
  readonly batch: Uint8Array;
}

/** The port beneath: a MessagePort. */
export interface ParcelPort {
  postMessage(message: Parcel, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<Parcel>) => void) | null;
}

/** One end of a pair. */
export class RingPort implements Port {
  onmessage: ((event: { readonly data: Uint8Array }) => void) | null = null;
  readonly #port: ParcelPort;
  readonly #out: Ring;
  readonly #in: Ring;
  readonly #bell: Bell;
  readonly #tickets: Int32Array;
  readonly #parcels: Parcel[] = [];
  #sent = 0;
  #taken = 0;

  /**
   * Leads from worker `self` to worker `peer`, of `workers`, whose bell is given;
   * `hasCome` is called when something has come through the port.
   */
  constructor(
    port: ParcelPort,
    buffers: RingBuffers,
    pair: { self: number; peer: number; workers: number; bell: Bell },
    hasCome: () => void,
  ) {
    const { self, peer, workers, bell } = pair;
    this.#port = port;
    this.#bell = bell;
    this.#out = new Ring(buffers, self * workers + peer);
    this.#in = new Ring(buffers, peer * workers + self);
    this.#tickets = new Int32Array(buffers.tickets);
    port.onmessage = ({ data }) => {
      this.#parcels.push(data);
      hasCome();
    };
  }

  postMessage(batch: Uint8Array, transfer: Transferable[]): void {
    const number = this.#sent = (this.#sent + 1) | 0;
    if (this.#out.add(number, batch, this.#tickets)) this.#bell.ring();
    else {
      this.#port.postMessage({ number, batch }, transfer);
      this.#bell.ringForPort();
    }
  }

  /** Whether the next batch has come, through the ring. */
  get isInRing(): boolean {
    return this.#in.has((this.#taken + 1) | 0);
  }

  /** Its ticket. */
  get ticket(): number {
    return this.#in.ticket;
  }

  /** Hands it over. */
  take(): void {
    this.#taken = (this.#taken + 1) | 0;
    this.onmessage!({ data: this.#in.take() });
  }

  /** Hands over what is next and has come through the port. */
  takeParcels(): void {
    while (this.#parcels[0]?.number === ((this.#taken + 1) | 0)) {
      this.#taken = (this.#taken + 1) | 0;
      this.onmessage!({ data: this.#parcels.shift()!.batch });
    }
  }
}

/** A worker's ends of all pairs. */
export class RingPorts {
  /** By worker; null at its own place. */
  readonly ports: readonly (RingPort | null)[];
  readonly #all: readonly RingPort[];

  /** `ports[i]` leads to worker `i`, whose bell is `bells[i]`. */
  constructor(
    self: number,
    ports: readonly (ParcelPort | null)[],
    buffers: RingBuffers,
    bells: readonly Bell[],
  ) {
    const workers = ports.length;
    const receive = () => this.receive();
    this.ports = ports.map((port, peer) => {
      if (port === null) return null;
      const pair = { self, peer, workers, bell: bells[peer]! };
      return new RingPort(port, buffers, pair, receive);
    });
    this.#all = this.ports.filter((port) => port !== null);
  }

  /** Hands over what has come; called when the worker's bell has been rung. */
  receive(): void {
    for (;;) {
      for (const port of this.#all) port.takeParcels();
      const first = this.#first();
      if (first === null) return;
      first.take();
    }
  }

  /** The port whose next batch has the lowest ticket. */
  #first(): RingPort | null {
    let first: RingPort | null = null;
    // When a ticket has been seen, what has a lower one is there to be seen.
    for (;;) {
      const before: RingPort | null = first;
      for (const port of this.#all) {
        if (
          port !== first && port.isInRing &&
          (first === null || ((port.ticket - first.ticket) | 0) < 0)
        ) first = port;
      }
      if (first === before) return first;
    }
  }
}

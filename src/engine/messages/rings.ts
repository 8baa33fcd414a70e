/**
 * Rings: how small batches reach another worker through shared memory.
 *
 * A message of a MessagePort costs 15 µs of processor time when it wakes a
 * sleeping thread, most of it for events and for serializing; a batch in a ring
 * and a bell that wakes the thread cost 6 µs.
 *
 * ```text
 * one ring for each direction of each pair of workers
 *   word 0   bytes written so far     word 1   bytes read so far
 *   entries  length u32, number u32, bytes, padding to 8 bytes
 * one bell for each worker: a word that everybody changes who has written
 * ```
 *
 * What does not fit goes through the pair's port. The batches of a pair are
 * numbered, and taken in the order of their numbers, whichever way they came.
 *
 * @module
 */

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
const ENTRY_BYTES = 8;
/** Words between two bells: a cache line. */
const BELL_WORDS = 16;

/** Shared memory of all rings and bells. */
export interface RingBuffers {
  /** The bells, by worker. */
  readonly bells: SharedArrayBuffer;
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
    bells: new SharedArrayBuffer(workers * BELL_WORDS * 4),
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

  /** Adds a batch, if there is room. */
  add(number: number, batch: Uint8Array): boolean {
    const words = this.#words;
    const written = words[WRITTEN]!;
    const used = (written - Atomics.load(words, READ)) | 0;
    const size = ENTRY_BYTES + (batch.length + 7 & ~7);
    if (used + size > this.#mask + 1) return false;
    const at = written & this.#mask;
    this.#entryWords[at >> 2] = batch.length;
    this.#entryWords[(at >> 2) + 1] = number;
    const from = at + ENTRY_BYTES & this.#mask;
    const first = Math.min(batch.length, this.#mask + 1 - from);
    if (first === batch.length) this.#entries.set(batch, from);
    else {
      this.#entries.set(batch.subarray(0, first), from);
      this.#entries.set(batch.subarray(first), 0);
    }
    Atomics.store(words, WRITTEN, written + size | 0);
    return true;
  }

  /** Whether the next batch is that number. */
  has(number: number): boolean {
    const words = this.#words;
    const read = words[READ]!;
    if (Atomics.load(words, WRITTEN) === read) return false;
    return this.#entryWords[((read & this.#mask) >> 2) + 1] === number;
  }

  /** Takes the next batch, which is there. */
  take(): Uint8Array<ArrayBuffer> {
    const words = this.#words;
    const read = words[READ]!;
    const at = read & this.#mask;
    const length = this.#entryWords[at >> 2]!;
    const from = at + ENTRY_BYTES & this.#mask;
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
  readonly #ring: () => void;
  readonly #parcels: Parcel[] = [];
  #sent = 0;
  #taken = 0;

  /** Leads from worker `self` to worker `peer`; `ring` wakes that one. */
  constructor(
    port: ParcelPort,
    rings: { out: Ring; in: Ring },
    ring: () => void,
  ) {
    this.#port = port;
    this.#out = rings.out;
    this.#in = rings.in;
    this.#ring = ring;
    port.onmessage = ({ data }) => {
      this.#parcels.push(data);
      this.receive();
    };
  }

  postMessage(batch: Uint8Array, transfer: Transferable[]): void {
    const number = this.#sent = (this.#sent + 1) | 0;
    if (this.#out.add(number, batch)) return this.#ring();
    this.#port.postMessage({ number, batch }, transfer);
  }

  /** Hands over what has come; says whether there was anything. */
  receive(): boolean {
    let hasCome = false;
    for (;;) {
      const number = (this.#taken + 1) | 0;
      let data: Uint8Array;
      if (this.#in.has(number)) data = this.#in.take();
      else if (this.#parcels[0]?.number === number) {
        data = this.#parcels.shift()!.batch;
      } else return hasCome;
      this.#taken = number;
      hasCome = true;
      this.onmessage!({ data });
    }
  }
}

/** A worker's ends of all pairs, and its bell. */
export class RingPorts {
  /** By worker; null at its own place. */
  readonly ports: readonly (RingPort | null)[];
  readonly #bells: Int32Array;
  readonly #bell: number;
  readonly #later: (run: () => void) => void;

  /**
   * `ports[i]` leads to worker `i`. `later` calls back when the event loop has
   * turned.
   */
  constructor(
    self: number,
    ports: readonly (ParcelPort | null)[],
    buffers: RingBuffers,
    later: (run: () => void) => void,
  ) {
    const workers = ports.length;
    const bells = this.#bells = new Int32Array(buffers.bells);
    this.#bell = self * BELL_WORDS;
    this.#later = later;
    this.ports = ports.map((port, peer) => {
      if (port === null) return null;
      const rings = {
        out: new Ring(buffers, self * workers + peer),
        in: new Ring(buffers, peer * workers + self),
      };
      return new RingPort(port, rings, () => {
        Atomics.add(bells, peer * BELL_WORDS, 1);
        Atomics.notify(bells, peer * BELL_WORDS, 1);
      });
    });
  }

  /** Begins to hand over what comes; the ports' users are there. */
  start(): void {
    if (this.ports.length > 1) this.#listen();
  }

  /** Hands over what has come, whether the bell was heard or not. */
  receive(): void {
    for (const port of this.ports) port?.receive();
  }

  readonly #listen = (): void => {
    const heard = Atomics.load(this.#bells, this.#bell);
    this.receive();
    const { async, value } = Atomics.waitAsync(this.#bells, this.#bell, heard);
    // More has come meanwhile: but sockets and timers have their turn first.
    if (!async) return this.#later(this.#listen);
    value.then(this.#listen);
  };
}

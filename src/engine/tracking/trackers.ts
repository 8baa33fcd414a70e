/**
 * Trackers: the clients whose messages go to connections of this worker.
 *
 * A client that redirects its messages has its tracker where the receiving
 * connection lives. When it chooses another, the old place keeps where it has
 * moved, as there may be notes that lead here.
 *
 * ```text
 * BROKEN  client u32, session u32    the session is gone that got its messages
 * END     client u32                 the client does not track any more
 * MOVED   client u32, worker u32     its messages go elsewhere from now on
 * ```
 *
 * @module
 */

import { latin1BytesOf } from "../../core/base/bytes.ts";
import { OutOfMemory } from "../../core/memory/heap.ts";
import {
  GATE_RECEIVES,
  GATE_SUBSCRIBED,
  GATE_TRACKING,
  type Session,
} from "../executor/session.ts";
import type { Mesh } from "../messages/mesh.ts";
import {
  TRACKER_BROKEN_RECORD,
  TRACKER_END_RECORD,
  TRACKER_MOVED_RECORD,
} from "../messages/record_kinds.ts";
import { PROCESS_TRACKING_CLIENTS } from "../messages/shared_state.ts";
import { CacheMessage, redirectionBroken } from "./cache_message.ts";
import type { Prefixes } from "./prefixes.ts";
import { SessionTracking, type TrackingOptions } from "./session_tracking.ts";

/** A connection that messages may go to. */
export interface CacheReceiver {
  readonly session: Session;
  /** Sends a message that begins as RESP2 has it; the bytes are shared. */
  push(message: Uint8Array): void;
}

/** What the trackers need from the worker around them. */
export interface TrackerParts {
  readonly mesh: Mesh;
  readonly process: Int32Array;
  readonly prefixes: Prefixes;
  /** The connection of a session of this worker, or null. */
  receiver(session: number): CacheReceiver | null;
}

/** What another worker has to know of a client; travels as it is. */
type Placed = {
  client: number;
  home: number;
  receiver: number;
  isRedirected: boolean;
  isNoLoop: boolean;
  isBroadcast: boolean;
  prefixes: readonly string[];
};

interface Tracker {
  readonly client: number;
  /** The worker of its own connection. */
  readonly home: number;
  /** The session that gets its messages: its own, or another one. */
  readonly receiver: number;
  /** Whether it was named; that may be its own, too. */
  readonly isRedirected: boolean;
  readonly isNoLoop: boolean;
  readonly isBroadcast: boolean;
  readonly prefixes: ReadonlySet<string>;
  /** The worker where its messages go instead, or -1. */
  readonly movedTo: number;
}

/** How the beginning of tracking has ended. */
export type TrackingOutcome = "ok" | "no receiver" | "out of memory";

/** Take over a client if its receiver is yours. */
const ASK_PLACE = "tracking.place";
/** Is this session yours? */
const ASK_EXISTS = "tracking.exists";
const NO_PREFIXES: ReadonlySet<string> = new Set();

/** One per worker. */
export class Trackers {
  readonly #parts: TrackerParts;
  readonly #self: number;
  readonly #byClient = new Map<number, Tracker>();
  /** Clients by prefix. */
  readonly #byPrefix = new Map<string, Set<Tracker>>();
  /** The lengths that prefixes have; null if they are to be found anew. */
  #lengths: ReadonlySet<number> | null = null;
  /** How many trackers send to a session. */
  readonly #receivers = new Map<number, number>();

  /** Serves the records and questions that come over the mesh. */
  constructor(parts: TrackerParts) {
    this.#parts = parts;
    const { mesh } = parts;
    this.#self = mesh.self;
    mesh.handle(TRACKER_END_RECORD, (_from, reader) => {
      this.#remove(reader.u32());
    });
    mesh.handle(TRACKER_MOVED_RECORD, (_from, reader) => {
      const client = reader.u32();
      this.#move(client, reader.u32());
    });
    mesh.handle(TRACKER_BROKEN_RECORD, (_from, reader) => {
      const client = reader.u32();
      this.#noteBroken(client, reader.u32());
    });
    mesh.answer(ASK_PLACE, (question) => {
      const placed = question as Placed;
      if (parts.receiver(placed.receiver) === null) return "no receiver";
      return this.#place(placed);
    });
    mesh.answer(ASK_EXISTS, (id) => parts.receiver(id as number) !== null);
  }

  /**
   * Lets a session track, or changes how it does. The prefixes are added to
   * those that it has. The promise is there if another worker must be asked.
   */
  begin(
    session: Session,
    options: TrackingOptions,
  ): TrackingOutcome | Promise<TrackingOutcome> {
    const tracking = session.tracking ??= new SessionTracking();
    const { redirect } = options;
    const prefixes = [
      ...new Set([...tracking.options.prefixes, ...options.prefixes]),
    ];
    const placed: Placed = {
      client: session.id,
      home: this.#self,
      receiver: redirect === 0 ? session.id : redirect,
      isRedirected: redirect !== 0,
      isNoLoop: options.isNoLoop,
      isBroadcast: options.isBroadcast,
      prefixes,
    };
    const all = { ...options, prefixes };
    if (this.#parts.receiver(placed.receiver) !== null) {
      const outcome = this.#place(placed);
      if (outcome === "ok") this.#complete(session, all, this.#self);
      return outcome;
    }
    if (this.#parts.mesh.count === 1) return "no receiver";
    return this.#parts.mesh.ask(ASK_PLACE, placed).then((answers) => {
      const outcomes = answers as TrackingOutcome[];
      const worker = outcomes.findIndex((each) => each !== "no receiver");
      if (worker < 0) return "no receiver";
      if (outcomes[worker] !== "ok") return outcomes[worker]!;
      if (this.#parts.receiver(session.id) === null) {
        this.#sendEnd(worker, session.id);
      } else this.#complete(session, all, worker);
      return "ok";
    });
  }

  /** Whether there is a session, on any worker. */
  exists(session: number): boolean | Promise<boolean> {
    const { mesh, receiver } = this.#parts;
    if (receiver(session) !== null) return true;
    if (mesh.count === 1) return false;
    return mesh.ask(ASK_EXISTS, session).then((all) => all.includes(true));
  }

  #complete(session: Session, options: TrackingOptions, worker: number): void {
    const tracking = session.tracking!;
    if (!tracking.isOn) {
      Atomics.add(this.#parts.process, PROCESS_TRACKING_CLIENTS, 1);
    }
    const before = tracking.worker;
    tracking.isOn = true;
    tracking.isBroken = false;
    tracking.options = options;
    tracking.worker = worker;
    tracking.places.add(worker);
    if (options.isBroadcast) session.gate &= ~GATE_TRACKING;
    else session.gate |= GATE_TRACKING;
    if (before === -1 || before === worker) return;
    if (before === this.#self) this.#move(session.id, worker);
    else {
      const record = this.#parts.mesh.record(before, TRACKER_MOVED_RECORD);
      record.u32(session.id);
      record.u32(worker);
    }
  }

  /** Ends the tracking of a session, if it tracks. */
  end(session: Session): void {
    const { tracking } = session;
    if (tracking === null || !tracking.isOn) return;
    Atomics.sub(this.#parts.process, PROCESS_TRACKING_CLIENTS, 1);
    for (const worker of tracking.places) this.#sendEnd(worker, session.id);
    tracking.end();
    session.gate &= ~GATE_TRACKING;
  }

  /**
   * Tells a client to drop a key; says whether its tracker is here. `writer` is
   * the session that has changed the key.
   */
  drop(client: number, writer: number, message: CacheMessage): boolean {
    const tracker = this.#byClient.get(client);
    if (tracker === undefined || tracker.movedTo >= 0) return false;
    if (tracker.isBroadcast) return true;
    if (!tracker.isNoLoop || writer !== client) this.#send(tracker, message);
    return true;
  }

  /** Where a client's tracker has moved to, or -1. */
  movedTo(client: number): number {
    return this.#byClient.get(client)?.movedTo ?? -1;
  }

  /** Tells all clients to drop everything. */
  dropAll(): void {
    const message = new CacheMessage(null);
    for (const tracker of this.#byClient.values()) {
      if (tracker.movedTo < 0) this.#send(tracker, message);
    }
  }

  /** Tells of changed keys by prefix; `writers` says who changed a key last. */
  dropByPrefix(
    changed: readonly string[],
    writers: ReadonlyMap<string, number>,
  ): void {
    const keys = [...changed].sort(compareTexts);
    const encoded = new Map<string, Uint8Array>();
    const encode = (key: string): Uint8Array => {
      let bytes = encoded.get(key);
      if (bytes === undefined) {
        bytes = latin1BytesOf(key);
        encoded.set(key, bytes);
      }
      return bytes;
    };
    for (const [prefix, those] of this.#groupByPrefix(keys)) {
      const message = new CacheMessage(those.map(encode));
      for (const tracker of this.#byPrefix.get(prefix)!) {
        if (!tracker.isNoLoop) {
          this.#send(tracker, message);
          continue;
        }
        const others = those.filter((key) =>
          writers.get(key) !== tracker.client
        );
        if (others.length === 0) continue;
        this.#send(tracker, new CacheMessage(others.map(encode)));
      }
    }
  }

  /** The keys of each prefix; the prefixes are in the order of their bytes. */
  #groupByPrefix(keys: readonly string[]): [string, string[]][] {
    this.#lengths ??= new Set(
      [...this.#byPrefix.keys()].map((prefix) => prefix.length),
    );
    const groups = new Map<string, string[]>();
    for (const key of keys) {
      for (const length of this.#lengths) {
        const prefix = key.slice(0, length);
        if (prefix.length < length || !this.#byPrefix.has(prefix)) continue;
        const those = groups.get(prefix);
        if (those === undefined) groups.set(prefix, [key]);
        else those.push(key);
      }
    }
    return [...groups].sort((a, b) => compareTexts(a[0], b[0]));
  }

  #send(tracker: Tracker, message: CacheMessage): void {
    const receiver = this.#parts.receiver(tracker.receiver);
    if (receiver === null) return this.#reportBroken(tracker);
    const { session } = receiver;
    if (session.resp === 3) receiver.push(message.push);
    else if (
      tracker.isRedirected && (session.gate & GATE_SUBSCRIBED) !== 0
    ) receiver.push(message.message);
  }

  #reportBroken({ client, home, receiver }: Tracker): void {
    if (home === this.#self) return this.#noteBroken(client, receiver);
    const record = this.#parts.mesh.record(home, TRACKER_BROKEN_RECORD);
    record.u32(client);
    record.u32(receiver);
  }

  #noteBroken(client: number, receiver: number): void {
    const own = this.#parts.receiver(client);
    const tracking = own?.session.tracking ?? null;
    if (own === null || tracking?.options.redirect !== receiver) return;
    tracking.isBroken = true;
    if (own.session.resp === 3) own.push(redirectionBroken(receiver));
  }

  /** Makes a tracker, or one that takes the place of a client's old one. */
  #place(placed: Placed): TrackingOutcome {
    const old = this.#byClient.get(placed.client);
    const added = placed.prefixes.filter((prefix) =>
      old === undefined || !old.prefixes.has(prefix)
    );
    try {
      if (added.length > 0) this.#parts.prefixes.add(added);
    } catch (cause) {
      if (cause instanceof OutOfMemory) return "out of memory";
      throw cause;
    }
    if (old !== undefined) this.#unlink(old);
    this.#link({
      ...placed,
      prefixes: new Set(placed.prefixes),
      movedTo: -1,
    });
    return "ok";
  }

  #move(client: number, worker: number): void {
    const old = this.#byClient.get(client);
    if (old === undefined) return;
    this.#unlink(old);
    this.#parts.prefixes.remove([...old.prefixes]);
    const moved = { ...old, prefixes: NO_PREFIXES, movedTo: worker };
    this.#byClient.set(client, moved);
  }

  #remove(client: number): void {
    const old = this.#byClient.get(client);
    if (old === undefined) return;
    this.#unlink(old);
    this.#parts.prefixes.remove([...old.prefixes]);
  }

  #sendEnd(worker: number, client: number): void {
    if (worker === this.#self) return this.#remove(client);
    this.#parts.mesh.record(worker, TRACKER_END_RECORD).u32(client);
  }

  #link(tracker: Tracker): void {
    this.#byClient.set(tracker.client, tracker);
    for (const prefix of tracker.prefixes) {
      const those = this.#byPrefix.get(prefix);
      if (those !== undefined) those.add(tracker);
      else this.#byPrefix.set(prefix, new Set([tracker]));
    }
    this.#lengths = null;
    this.#countReceiver(tracker.receiver, 1);
  }

  #unlink(tracker: Tracker): void {
    this.#byClient.delete(tracker.client);
    if (tracker.movedTo >= 0) return;
    for (const prefix of tracker.prefixes) {
      const those = this.#byPrefix.get(prefix)!;
      those.delete(tracker);
      if (those.size === 0) this.#byPrefix.delete(prefix);
    }
    this.#lengths = null;
    this.#countReceiver(tracker.receiver, -1);
  }

  /** Sessions that get messages wait for those that are under way. */
  #countReceiver(receiver: number, by: 1 | -1): void {
    const count = (this.#receivers.get(receiver) ?? 0) + by;
    if (count > 0) this.#receivers.set(receiver, count);
    else this.#receivers.delete(receiver);
    const session = this.#parts.receiver(receiver)?.session;
    if (session === undefined) return;
    if (count > 0) session.gate |= GATE_RECEIVES;
    else session.gate &= ~GATE_RECEIVES;
  }
}

/** By bytes: the texts are Latin-1. */
function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

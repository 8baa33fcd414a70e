/**
 * What a session has said about the cache of its client (CLIENT TRACKING).
 *
 * @module
 */

/** How a session wants its cache to be kept true. */
export interface TrackingOptions {
  /** Session that gets the messages; 0 for this one. */
  readonly redirect: number;
  /** Told of all changes of keys with a prefix, not of the keys it has read. */
  readonly isBroadcast: boolean;
  /** Only reads behind CLIENT CACHING YES are cached. */
  readonly isOptIn: boolean;
  /** All reads are cached but those behind CLIENT CACHING NO. */
  readonly isOptOut: boolean;
  /** Not told of changes of its own. */
  readonly isNoLoop: boolean;
  /** Latin-1 texts. */
  readonly prefixes: readonly string[];
}

const OFF: TrackingOptions = {
  redirect: 0,
  isBroadcast: false,
  isOptIn: false,
  isOptOut: false,
  isNoLoop: false,
  prefixes: [],
};

/** State of a session that tracks keys, or did once. */
export class SessionTracking {
  /** Whether it tracks. */
  isOn = false;
  /** How; its prefixes are all that it has named since tracking began. */
  options: TrackingOptions = OFF;
  /** CLIENT CACHING: the next command, or transaction, is the exception. */
  isCachingGiven = false;
  /** The session that gets its messages was found to be gone. */
  isBroken = false;
  /** The worker where its messages go. */
  worker = -1;
  /** All workers that may have something for it. */
  readonly places: Set<number> = new Set();

  /** Whether the client keeps what the command at hand reads. */
  get remembers(): boolean {
    const { isBroadcast, isOptIn, isOptOut } = this.options;
    if (!this.isOn || isBroadcast) return false;
    if (isOptIn) return this.isCachingGiven;
    return !(isOptOut && this.isCachingGiven);
  }

  /** Tracks nothing any more. */
  end(): void {
    this.isOn = this.isCachingGiven = this.isBroken = false;
    this.options = OFF;
    this.worker = -1;
    this.places.clear();
  }
}

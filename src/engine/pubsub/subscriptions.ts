/**
 * What one subscriber listens to.
 *
 * @module
 */

import { CHANNEL, PATTERN } from "../../core/keyspace/subscriber_counts.ts";

/** Names by kind, as Latin-1 strings; of each, when the subscription began. */
export class Subscriptions {
  readonly #byKind: readonly Map<string, number>[] = [
    new Map(),
    new Map(),
    new Map(),
  ];

  /** Names of a kind, in the order in which they were subscribed to. */
  names(kind: number): Map<string, number> {
    return this.#byKind[kind]!;
  }

  /** The number that replies to a subscription of this kind show. */
  shownCount(kind: number): number {
    return kind === CHANNEL || kind === PATTERN
      ? this.names(CHANNEL).size + this.names(PATTERN).size
      : this.names(kind).size;
  }

  /** Whether there is none at all. */
  get isEmpty(): boolean {
    return this.#byKind.every((names) => names.size === 0);
  }
}

/**
 * The workers of a server, as seen from one of them.
 *
 * @module
 */

/** Anything that JSON can hold. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json };

/** Answers a question of a peer; synchronous, so that order holds. */
export type Answerer = (question: Json) => Json;

/**
 * Questions to all workers, for commands that look at more than one: CLIENT
 * LIST, CONFIG SET, SLOWLOG GET.
 *
 * - A question reaches every worker, the asker included, after everything that
 *   the asker sent there before.
 * - The answers come in the order of the workers.
 */
export interface Peers {
  /** Number of this worker. */
  readonly self: number;
  /** How many workers there are. */
  readonly count: number;
  /** Whether records wait for a peer that has fallen behind. */
  readonly isCongested: boolean;
  /** Calls back when that is over. */
  whenFree(run: () => void): void;
  /** Says who answers questions of one kind. */
  answer(kind: string, answerer: Answerer): void;
  /** Asks all workers. */
  ask(kind: string, question: Json): Promise<Json[]>;
}

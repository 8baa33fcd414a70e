/**
 * The events that happen to keys, by number: what keyspace notifications name,
 * with the class that turns each on (`notify-keyspace-events`).
 *
 * A command tells the keyspace which event it has caused
 * ({@linkcode Keyspace.signal}); that is also how watched keys are seen to
 * change.
 *
 * Source: https://redis.io/docs/latest/develop/use/keyspace-notifications/
 *
 * @module
 */

const NAMES: string[] = [];
const CLASSES: string[] = [];

/** Names as subscribers see them, by event. */
export const EVENT_NAMES: readonly string[] = NAMES;
/** Letters of `notify-keyspace-events`, by event. */
export const EVENT_CLASSES: readonly string[] = CLASSES;

function event(letter: string, name: string): number {
  CLASSES.push(letter);
  return NAMES.push(name) - 1;
}

/** The key has changed, which is no event for subscribers. */
export const CHANGED: number = event("", "");

export const DEL: number = event("g", "del");
export const RENAME_FROM: number = event("g", "rename_from");
export const RENAME_TO: number = event("g", "rename_to");
export const MOVE_FROM: number = event("g", "move_from");
export const MOVE_TO: number = event("g", "move_to");
export const COPY_TO: number = event("g", "copy_to");
export const RESTORE: number = event("g", "restore");
export const EXPIRE: number = event("g", "expire");
export const PERSIST: number = event("g", "persist");

export const SET: number = event("$", "set");
export const SETRANGE: number = event("$", "setrange");
export const APPEND: number = event("$", "append");
export const INCRBY: number = event("$", "incrby");
export const INCRBYFLOAT: number = event("$", "incrbyfloat");

export const EXPIRED: number = event("x", "expired");
export const EVICTED: number = event("e", "evicted");
